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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import check_starts
from matcher.errors import ModelDamagedError
from matcher.features import BlockQuery, Counts

__all__: Final = ["BlockIndex", "Contributions", "Index", "Ranking"]

LARGEST_INVERSE_NORM: Final = 1e6
"""A posting with data has a count of at least 1 of a term that weighs about 1, so 1 is the usual largest."""

_UNIT_ROUNDOFF: Final = 2.0**-53


class Ranking(NamedTuple):
    """Rows of postings, best first, and their canonical scores."""

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]


class Contributions(NamedTuple):
    """What each feature adds to each score, in canonical order. All arrays have shape (entries,).

    Attributes
    ----------
    positions : ndarray of int64
        Which of the asked rows an entry belongs to, ascending.
    blocks : ndarray of int64
        Position of the block; boosts follow after the blocks.
    features : ndarray of int64
        Position in the block's vocabulary; 0 for boosts.
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
        scores: NDArray[np.float64] = np.bincount(self.positions, weights=self.values, minlength=rows)  # type: ignore[assignment]
        return scores


@dataclass(frozen=True, slots=True, eq=False)
class BlockIndex:
    """One block's counts, by posting and by term, with the norm of each posting.

    Parameters
    ----------
    weight : float
        The block's share of the score.
    by_posting : Counts
        Shape (postings, terms).
    by_term : Counts
        The same, transposed.
    inverse_norms : ndarray of float64, shape (postings,)
        ``1 / |posting|`` with the term weights applied; 0 for a posting without data in this block.
    """

    weight: float
    by_posting: Counts
    by_term: Counts
    inverse_norms: NDArray[np.float64]

    @classmethod
    def from_counts(cls, weight: float, counts: Counts, term_weights: NDArray[np.float64]) -> BlockIndex:
        """Return the index of posting-major counts.

        Examples
        --------
        >>> counts = Counts(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([3, 4], np.uint8))
        >>> BlockIndex.from_counts(1.0, counts, np.ones(2)).inverse_norms
        array([0.2, 0. ])
        """
        rows = len(counts.starts) - 1
        squares = (counts.counts * term_weights[counts.columns]) ** 2
        positions = np.repeat(np.arange(rows), np.diff(counts.starts))
        norms = np.sqrt(np.bincount(positions, weights=squares, minlength=rows))
        inverse = np.divide(1.0, norms, out=np.zeros(rows), where=norms > 0)
        return cls(weight, counts, counts.transpose(len(term_weights)), inverse)

    @classmethod
    def from_files(
        cls, files: Mapping[str, NDArray[np.generic]], name: str, weight: float, rows: int, terms: int
    ) -> BlockIndex:
        """Return the index that `to_files` wrote under `name`, after checking every position and number.

        Raises
        ------
        ModelDamagedError
            When a position is out of range, a number not finite, or the two orders disagree in size.

        Examples
        --------
        >>> counts = Counts(np.array([0, 1]), np.array([0], np.int32), np.array([3], np.uint8))
        >>> files = BlockIndex.from_counts(1.0, counts, np.ones(1)).to_files("text")
        >>> BlockIndex.from_files(files, "text", 1.0, rows=2, terms=1)
        Traceback (most recent call last):
        matcher.errors.ModelDamagedError: text.by_posting: not a sound matrix of 2 rows and 1 columns
        """
        by_posting = _counts_from_files(files, f"{name}.by_posting", rows, terms)
        by_term = _counts_from_files(files, f"{name}.by_term", terms, rows)
        inverse = files[f"{name}.inverse_norms"]
        if len(by_posting.columns) != len(by_term.columns):
            raise ModelDamagedError(f"{name}: the two orders of the matrix differ in size")
        if inverse.shape != (rows,) or inverse.dtype != np.float64:
            raise ModelDamagedError(f"{name}.inverse_norms: expected {rows} numbers of float64")
        if not np.all((inverse >= 0) & (inverse <= LARGEST_INVERSE_NORM)):  # type: ignore[operator]
            raise ModelDamagedError(
                f"{name}.inverse_norms: expected numbers from 0 to {LARGEST_INVERSE_NORM:g}"
            )
        return cls(weight, by_posting, by_term, inverse)  # type: ignore[arg-type]

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the index's arrays by file name.

        Examples
        --------
        >>> counts = Counts(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))
        >>> len(BlockIndex.from_counts(1.0, counts, np.zeros(0)).to_files("text"))
        7
        """
        return (
            _counts_to_files(self.by_posting, f"{name}.by_posting")
            | _counts_to_files(self.by_term, f"{name}.by_term")
            | {f"{name}.inverse_norms": self.inverse_norms}
        )

    def cosines(self, query: BlockQuery) -> NDArray[np.float64]:
        """Return every posting's cosine with the query, up to rounding, shape (postings,).

        Examples
        --------
        >>> counts = Counts(np.array([0, 2]), np.array([0, 1], np.int32), np.array([3, 4], np.uint8))
        >>> index = BlockIndex.from_counts(1.0, counts, np.ones(2))
        >>> index.cosines(BlockQuery(np.array([0], np.int32), np.array([1.0])))
        array([0.6])
        """
        entries, owners = _gather(self.by_term.starts, query.features)
        weights = query.weights[owners] * self.by_term.counts[entries]
        rows = self.by_term.columns[entries]
        sums = np.bincount(rows, weights=weights, minlength=len(self.inverse_norms))
        cosines: NDArray[np.float64] = sums * self.inverse_norms
        return cosines


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

    def search(
        self,
        queries: Sequence[BlockQuery],
        k: int,
        mask: NDArray[np.bool_] | None = None,
        boosts: Sequence[NDArray[np.float64]] = (),
    ) -> Ranking:
        """Return the exact `k` best postings: by score, then by row.

        Parameters
        ----------
        queries : sequence of BlockQuery
            One for each block.
        k : int
            At least 1. Fewer come back when fewer postings pass.
        mask : ndarray of bool, shape (rows,), optional
            True for postings that may be returned.
        boosts : sequence of ndarray of float64, shape (rows,)
            Added to the score, at least 0.

        Returns
        -------
        Ranking

        Examples
        --------
        >>> counts = Counts(np.array([0, 1, 2]), np.array([0, 0], np.int32), np.array([1, 1], np.uint8))
        >>> index = Index((BlockIndex.from_counts(1.0, counts, np.ones(1)),), 2)
        >>> index.search([BlockQuery(np.array([0], np.int32), np.array([1.0]))], 1)
        Ranking(rows=array([0]), scores=array([1.]))
        """
        proposed, error = self._propose(queries, boosts)
        allowed = np.ones(self.rows, np.bool_) if mask is None else mask
        positive = np.flatnonzero(allowed & (proposed > 0))
        if len(positive) > k:
            # Whatever lies below the k-th best by more than both rounding errors cannot be among the best.
            kth = np.partition(proposed[positive], -k)[-k]
            positive = positive[proposed[positive] >= kth - 2 * error]
        scores = self.contributions(queries, positive, boosts).scores(len(positive))
        order = np.lexsort((positive, -scores))[:k]
        rows, scores = positive[order], scores[order]
        if len(rows) < k:
            # Nothing in common means a score of exactly 0: no need to compute it.
            rest = np.flatnonzero(allowed & (proposed <= 0))[: k - len(rows)]
            rows, scores = np.concatenate([rows, rest]), np.concatenate([scores, np.zeros(len(rest))])
        return Ranking(rows, scores)

    def rank_of(
        self, queries: Sequence[BlockQuery], row: int, boosts: Sequence[NDArray[np.float64]] = ()
    ) -> tuple[int, float]:
        """Return the rank (from 1) and canonical score of one posting among all.

        Examples
        --------
        >>> counts = Counts(np.array([0, 1, 2]), np.array([0, 0], np.int32), np.array([1, 1], np.uint8))
        >>> index = Index((BlockIndex.from_counts(1.0, counts, np.ones(1)),), 2)
        >>> index.rank_of([BlockQuery(np.array([0], np.int32), np.array([1.0]))], 1)
        (2, 1.0)
        """
        proposed, error = self._propose(queries, boosts)
        score = float(self.contributions(queries, np.array([row]), boosts).scores(1)[0])
        gap = proposed - score
        near = np.flatnonzero(np.abs(gap) <= 2 * error)
        scores = self.contributions(queries, near, boosts).scores(len(near))
        ahead = (scores > score) | ((scores == score) & (near < row))
        return 1 + int(np.count_nonzero(gap > 2 * error)) + int(np.count_nonzero(ahead)), score

    def contributions(
        self,
        queries: Sequence[BlockQuery],
        rows: NDArray[np.int64],
        boosts: Sequence[NDArray[np.float64]] = (),
    ) -> Contributions:
        """Return what each feature adds to the scores of `rows`, in canonical order.

        Examples
        --------
        >>> counts = Counts(np.array([0, 1]), np.array([0], np.int32), np.array([2], np.uint8))
        >>> index = Index((BlockIndex.from_counts(1.0, counts, np.ones(1)),), 1)
        >>> index.contributions([BlockQuery(np.array([0], np.int32), np.array([1.0]))], np.array([0])).values
        array([1.])
        """
        totals = self._total_weights(queries, rows)
        parts: list[Contributions] = []
        for number, (block, query) in enumerate(zip(self.blocks, queries, strict=True)):
            if not len(query.features) or block.weight == 0:
                continue
            entries, positions = _gather(block.by_posting.starts, rows)
            features = block.by_posting.columns[entries]
            found = np.minimum(np.searchsorted(query.features, features), len(query.features) - 1)
            shared = query.features[found] == features
            entries, positions, found = entries[shared], positions[shared], found[shared]
            scale = np.divide(block.weight, totals, out=np.zeros(len(rows)), where=totals > 0)
            scale *= block.inverse_norms[rows]
            values = block.by_posting.counts[entries] * query.weights[found] * scale[positions]
            parts.append(
                Contributions(
                    positions, np.full(len(entries), number), features[shared].astype(np.int64), values
                )
            )
        for number, boost in enumerate(boosts, len(self.blocks)):
            lifted = np.flatnonzero(boost[rows] > 0)
            nothing = np.zeros(len(lifted), np.int64)
            parts.append(Contributions(lifted, nothing + number, nothing, boost[rows[lifted]]))
        return _merge(parts)

    def _total_weights(
        self, queries: Sequence[BlockQuery], rows: NDArray[np.int64] | slice
    ) -> NDArray[np.float64]:
        """Return ``W_p`` for `rows`: the weights of the blocks in which both sides have data."""
        totals = np.zeros(self.rows)[rows]
        for block, query in zip(self.blocks, queries, strict=True):
            if len(query.features):
                totals += block.weight * (block.inverse_norms[rows] > 0)
        return totals

    def _propose(
        self, queries: Sequence[BlockQuery], boosts: Sequence[NDArray[np.float64]]
    ) -> tuple[NDArray[np.float64], float]:
        """Return every posting's score up to rounding, and a bound on the difference to the canonical one.

        Both are sums of the same products of floats of at least 0 in another order, so each differs from
        the true sum by at most (terms + 8) roundings of it (Higham, Accuracy and Stability of Numerical
        Algorithms, 2002, section 4.2).
        """
        sums = np.zeros(self.rows)
        for block, query in zip(self.blocks, queries, strict=True):
            if len(query.features):
                sums += block.weight * block.cosines(query)
        totals = self._total_weights(queries, slice(None))
        proposed = np.divide(sums, totals, out=np.zeros(self.rows), where=totals > 0)
        for boost in boosts:
            proposed += boost
        terms = sum(len(query.features) for query in queries) + len(boosts)
        return proposed, 2 * (terms + 8) * _UNIT_ROUNDOFF * float(proposed.max(initial=0.0))


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


def _gather(starts: NDArray[np.int64], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of several rows, one row after the other, and the position in `rows` of each."""
    begins = starts[rows]
    lengths = starts[rows + 1] - begins
    owners = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owners)) + (begins - before)[owners], owners


def _counts_to_files(counts: Counts, name: str) -> dict[str, NDArray[np.generic]]:
    return {
        f"{name}.starts": counts.starts,
        f"{name}.columns": counts.columns,
        f"{name}.counts": counts.counts,
    }


def _counts_from_files(
    files: Mapping[str, NDArray[np.generic]], name: str, rows: int, columns: int
) -> Counts:
    counts = Counts(files[f"{name}.starts"], files[f"{name}.columns"], files[f"{name}.counts"])  # type: ignore[arg-type]
    entries = len(counts.columns) if counts.columns.ndim == 1 else -1
    sound = (
        counts.starts.shape == (rows + 1,)
        and counts.starts.dtype == np.int64
        and counts.columns.dtype == np.int32
        and counts.counts.dtype in (np.uint8, np.uint16, np.uint32)
        and counts.counts.shape == (entries,)
        and check_starts(counts.starts, entries)
        and (entries == 0 or (counts.columns.min() >= 0 and counts.columns.max() < columns))
        and _ascends_within_rows(counts)
        and bool(np.all(counts.counts > 0))
    )
    if not sound:
        raise ModelDamagedError(f"{name}: not a sound matrix of {rows} rows and {columns} columns")
    return counts


def _ascends_within_rows(counts: Counts) -> bool:
    rising = counts.columns[1:] > counts.columns[:-1]
    firsts = counts.starts[1:-1]
    rising[firsts[(firsts > 0) & (firsts < len(counts.columns))] - 1] = True
    return bool(np.all(rising))
