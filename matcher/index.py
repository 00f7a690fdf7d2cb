"""Postings times features, as integer counts, and the exact best of them for a query.

The score of posting *p* for a profile is ``sum over blocks b of w_b / W_p * cosine_b``, where ``W_p`` is
the sum of the weights of the blocks in which both sides have data. With counts ``n_pf`` it unfolds to
one term a feature::

    contribution_pf = n_pf * q_f * (w_b / W_p / norm_pb)

so a posting is stored as bare counts and one norm a block, and idf stays on the query's side.

Finding the best takes two steps. A fast scan *proposes*: every posting's score up to a rounding error
with a known bound. Then the few that could be among the best are *rescored* in one canonical order,
feature by feature in float64, and those scores are what callers see. Any other way of proposing gives
the same bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.base import BaseEngine, Engine, Proposal, Query, block_scales, scale_dense
from matcher.counts import BlockIndex
from matcher.queries import BlockQuery
from matcher.strings import gather

__all__: Final = ["Contributions", "Index", "Ranking"]


class Contributions(NamedTuple):
    """What each feature adds to each score, in canonical order. All arrays have shape (entries,).

    Attributes
    ----------
    positions : ndarray of int64
        Which of the asked rows an entry belongs to, ascending.
    blocks : ndarray of int64
        Position of the block; boosts follow after the blocks.
    features : ndarray of int64
        Position in the block's vocabulary; 0 for dense vectors and boosts, which have one entry a posting.
    values : ndarray of float64
    """

    positions: NDArray[np.int64]
    blocks: NDArray[np.int64]
    features: NDArray[np.int64]
    values: NDArray[np.float64]

    def scores(self, rows: int) -> NDArray[np.float64]:
        """Return the canonical scores: values summed one after the other, shape (rows,).

        Examples
        --------
        >>> entry = np.zeros(2, np.int64)
        >>> Contributions(entry, entry, entry, np.array([0.25, 0.5])).scores(2)
        array([0.75, 0.  ])
        """
        # bincount adds in the order of its input, unlike sum, whose order depends on length and machine.
        scores = np.bincount(self.positions, weights=self.values, minlength=rows)
        return scores.astype(np.float64, copy=False)  # of no entries at all, bincount makes integers

    def take(self, positions: NDArray[np.int64]) -> Contributions:
        """Return the entries of some of the asked rows, which become rows 0, 1, ...

        Examples
        --------
        >>> entry = np.arange(2)
        >>> Contributions(entry, entry, entry, np.array([0.25, 0.5])).take(np.array([1]))
        Contributions(positions=array([0]), blocks=array([1]), features=array([1]), values=array([0.5]))
        """
        starts = np.searchsorted(self.positions, np.arange(int(positions.max(initial=-1)) + 2))
        entries, owners = gather(starts, positions)
        return Contributions(owners, self.blocks[entries], self.features[entries], self.values[entries])


class Ranking(NamedTuple):
    """Rows of postings, best first.

    Attributes
    ----------
    rows : ndarray of int64
    scores : ndarray of float64
        Canonical.
    contributions : Contributions
        What the scores are sums of.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    contributions: Contributions


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """The blocks' indexes of one set of postings.

    Parameters
    ----------
    blocks : tuple of BlockIndex
        In canonical order.
    rows : int
        Number of postings.
    """

    blocks: tuple[BlockIndex, ...]
    rows: int

    def search(self, query: Query, k: int, engine: Engine | None = None) -> Ranking:
        """Return the exact `k` best postings: by score, then by row.

        Parameters
        ----------
        query : Query
        k : int
            At least 1. Fewer come back when fewer postings pass.
        engine : Engine, optional
            Who proposes; the base engine when None. The answer is the same.

        Returns
        -------
        Ranking

        Examples
        --------
        >>> from matcher.counts import Counts
        >>> counts = Counts(np.array([0, 1, 2]), np.array([0, 0], np.int32), np.array([1, 1], np.uint8))
        >>> index = Index((BlockIndex.from_counts(1.0, counts, np.ones(1)),), 2)
        >>> rows, scores, _ = index.search(Query([BlockQuery(np.array([0], np.int32), np.array([1.0]))]), 1)
        >>> rows, scores
        (array([0]), array([1.]))
        """
        return self.search_many([query], k, engine)[0]

    def search_many(self, queries: Sequence[Query], k: int, engine: Engine | None = None) -> list[Ranking]:
        """Return `search` of each query; the queries share one mask and one set of boosts.

        Examples
        --------
        >>> [ranking.rows for ranking in Index((), 2).search_many([Query(()), Query(())], 1)]
        [array([0]), array([0])]
        """
        engine = engine or self._base()
        proposals = engine.propose_many(queries, k)
        pairs = zip(queries, proposals, strict=True)
        return [self._certify(query, k, engine, proposal) for query, proposal in pairs]

    def _base(self) -> BaseEngine:
        return BaseEngine(self.blocks, self.rows)

    def _certify(self, query: Query, k: int, engine: Engine, proposal: Proposal) -> Ranking:
        """Rescore a proposal; widen it when something that was left out could be among the best."""
        rows, scores, contributions = self._rescore(query, k, engine, proposal.rows)
        if proposal.left_out > 0 and (len(rows) < k or scores[-1] <= proposal.left_out):
            # Too many scores tie or nearly tie: the base engine proposes all of them in one pass.
            proposal = self._base().propose(query, k)
            rows, scores, contributions = self._rescore(query, k, engine, proposal.rows)
        if len(rows) < k:
            # Nothing in common means a score of exactly 0: no need to compute it.
            rest = np.ones(self.rows, np.bool_) if query.mask is None else query.mask.copy()
            rest[proposal.rows] = False
            zeros = np.flatnonzero(rest)[: k - len(rows)]
            rows, scores = np.concatenate([rows, zeros]), np.concatenate([scores, np.zeros(len(zeros))])
        return Ranking(rows, scores, contributions)

    def _rescore(self, query: Query, k: int, engine: Engine, rows: NDArray[np.int64]) -> Ranking:
        """Return the `k` best of `rows` by canonical score, then by row."""
        contributions = self.contributions(query.blocks, rows, query.boosts, engine)
        scores = contributions.scores(len(rows))
        order = np.lexsort((rows, -scores))[:k]
        return Ranking(rows[order], scores[order], contributions.take(order))

    def score_row(self, query: Query, row: int) -> Ranking:
        """Return the ranking of one posting alone.

        Examples
        --------
        >>> Index((), 2).score_row(Query((), None, [np.array([0.0, 0.5])]), 1).scores
        array([0.5])
        """
        return self._rescore(query, 1, self._base(), np.array([row]))

    def count_ahead(self, query: Query, score: float, before: int) -> int:
        """Return how many postings rank ahead of one with this score whose id sorts after `before` of them.

        Parameters
        ----------
        query : Query
            Postings that its mask leaves out are not counted.
        score : float
            Canonical.
        before : int
            Postings in rows below this one go first when scores are equal.

        Examples
        --------
        >>> query = Query((), None, [np.array([0.5, 0.25, 0.5])])
        >>> Index((), 3).count_ahead(query, 0.5, 1), Index((), 3).count_ahead(query, 0.25, 3)
        (1, 3)
        """
        proposed, error = self._base().score_all(query)
        allowed = np.ones(self.rows, np.bool_) if query.mask is None else query.mask
        if not score:  # behind everything that scores, and among its like by row
            ahead = (proposed > 0) | (np.arange(self.rows) < before)
            return int(np.count_nonzero(ahead & allowed))
        gap = proposed - score
        near = np.flatnonzero((np.abs(gap) <= 2 * error) & allowed)
        scores = self.contributions(query.blocks, near, query.boosts).scores(len(near))
        ahead = (scores > score) | ((scores == score) & (near < before))
        return int(np.count_nonzero((gap > 2 * error) & allowed)) + int(np.count_nonzero(ahead))

    def contributions(
        self,
        queries: Sequence[BlockQuery],
        rows: NDArray[np.int64],
        boosts: Sequence[NDArray[np.float64]] = (),
        engine: Engine | None = None,
    ) -> Contributions:
        """Return what each feature adds to the scores of `rows`, in canonical order.

        The engine (the base engine when None) only finds the entries; the values are the same.

        Examples
        --------
        >>> from matcher.counts import Counts
        >>> counts = Counts(np.array([0, 1]), np.array([0], np.int32), np.array([2], np.uint8))
        >>> index = Index((BlockIndex.from_counts(1.0, counts, np.ones(1)),), 1)
        >>> index.contributions([BlockQuery(np.array([0], np.int32), np.array([1.0]))], np.array([0])).values
        array([1.])
        """
        engine = engine or self._base()
        scales = block_scales(self.blocks, [query.present for query in queries], rows)
        parts: list[Contributions] = []
        for number, (block, query) in enumerate(zip(self.blocks, queries, strict=True)):
            if block.dense is not None:
                added = scale_dense(block, query, scales[number], rows)
                parts.append(_one_each(added, number))
            if not len(query.features) or block.weight == 0 or query.share == 0:
                continue
            positions, places, counts = engine.match(block.by_posting, query.features, rows)
            values = counts * query.weights[places] * scales[number][positions]
            features = query.features[places].astype(np.int64)
            parts.append(Contributions(positions, np.full(len(places), number), features, values))
        for number, boost in enumerate(boosts, len(self.blocks)):
            parts.append(_one_each(boost[rows], number))
        return _merge(parts)


def _one_each(values: NDArray[np.float64], number: int) -> Contributions:
    """Return values above 0 as one contribution a row, of the block with this number."""
    positions = np.flatnonzero(values > 0)
    nothing = np.zeros(len(positions), np.int64)
    return Contributions(positions, nothing + number, nothing, values[positions])


def _merge(parts: list[Contributions]) -> Contributions:
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Contributions(nothing, nothing, nothing, np.zeros(0))
    positions = np.concatenate([part.positions for part in parts])
    # Stable: within a posting, blocks stay in order and features ascending.
    order = np.argsort(positions, kind="stable")
    return Contributions(
        positions[order],
        np.concatenate([part.blocks for part in parts])[order],
        np.concatenate([part.features for part in parts])[order],
        np.concatenate([part.values for part in parts])[order],
    )
