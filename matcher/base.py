"""What an engine is asked and what it answers, and the engine that needs numpy alone.

An engine proposes rows that could be among the best, with a bound on the score of every row it left out. It
never decides: `matcher.index.Index` rescores the rows canonically, and asks for more when the bound does not
certify the answer. So every engine leads to the same rows and the same bits, and only the time differs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from matcher.counts import BlockIndex, Counts
from matcher.dense import invert_norm
from matcher.frequent import FrequentTerms
from matcher.queries import BlockQuery
from matcher.strings import gather

__all__: Final = [
    "BaseEngine",
    "Engine",
    "Matches",
    "Proposal",
    "Query",
    "ScaleCache",
    "add_block",
    "add_lists",
    "add_rows",
    "block_scales",
    "propose_best",
    "scale_dense",
]

ENTRIES_AT_ONCE: Final = 1 << 16
"""Entries added up together: enough to make a call worth it, few enough to stay in the cache."""


ENTRIES_OF_A_LIST: Final = 64
"""Cutting a term's list out takes as long as adding up so many entries."""

ROWS_AT_ONCE: Final = 1 << 13

_UNIT_ROUNDOFF: Final = 2.0**-53
_LEAST_FLOAT: Final = 2.0**-1074


class Query(NamedTuple):
    """What is looked for.

    Attributes
    ----------
    blocks : sequence of BlockQuery
        One for each block of the index.
    mask : ndarray of bool, shape (postings,), or None
        True for postings that may be returned.
    boosts : sequence of ndarray of float64, shape (postings,)
        Added to the score, at least 0.
    """

    blocks: Sequence[BlockQuery]
    mask: NDArray[np.bool_] | None = None
    boosts: Sequence[NDArray[np.float64]] = ()


class Proposal(NamedTuple):
    """Rows that could be among the best.

    Attributes
    ----------
    rows : ndarray of int64
        Ascending; only rows that pass the mask and score above 0.
    left_out : float
        No row that passes the mask and is missing in `rows` scores more than this.
    """

    rows: NDArray[np.int64]
    left_out: float


class Matches(NamedTuple):
    """The terms that rows of a block share with a query, row after row, features ascending.

    Attributes
    ----------
    positions : ndarray of int64
        Which of the asked rows an entry belongs to.
    places : ndarray of int64
        Which of the query's features it is.
    counts : ndarray of int64
        How often the posting has it.

    Examples
    --------
    >>> counts = Counts(np.array([0, 2]), np.array([3, 5], np.int32), np.array([1, 4], np.uint8))
    >>> BaseEngine((), 1).match(counts, np.array([5], np.int32), np.array([0]))
    Matches(positions=array([0]), places=array([0]), counts=array([4]))
    """

    positions: NDArray[np.int64]
    places: NDArray[np.int64]
    counts: NDArray[np.int64]


class Engine(Protocol):
    """What every engine can do. Engines may be used by several threads at once."""

    @property
    def name(self) -> str:
        """The engine's key in `ENGINES`."""

    def with_norms(self, blocks: Sequence[BlockIndex]) -> Engine:
        """Return the engine for the same counts under other weights and norms; it shares what counts need."""

    def propose(self, query: Query, wanted: int) -> Proposal:
        """Return at least the `wanted` best rows, as far as the engine can tell them apart."""

    def propose_many(self, queries: Sequence[Query], wanted: int) -> list[Proposal]:
        """Return a proposal for each query; they share one mask and one set of boosts."""

    def match(self, counts: Counts, features: NDArray[np.int32], rows: NDArray[np.int64]) -> Matches:
        """Return the entries of posting-major `counts` in `rows` and ascending `features`."""


def _total_weights(
    blocks: Sequence[BlockIndex], present: Sequence[float], rows: NDArray[np.int64] | slice
) -> NDArray[np.float64]:
    """Return, for `rows`, the sum of the weights of the blocks in which both sides have data.

    `present` says for each block what of its weight counts: 0 when the query has no data in it.
    """
    totals: NDArray[np.float64] = np.zeros(0)
    for block, part in zip(blocks, present, strict=True):
        share = (block.inverse_norms[rows] > 0) * _weigh(block, part, rows)
        totals = totals + share if len(totals) else share.astype(np.float64)
    return totals


def block_scales(
    blocks: Sequence[BlockIndex], present: Sequence[float], rows: NDArray[np.int64] | slice
) -> list[NDArray[np.float64]]:
    """Return, for each block, what the sums of `rows` are multiplied by: weight / total weight / norm.

    `present` says for each block what of its weight counts: 0 when the query has no data in it.

    Examples
    --------
    >>> block_scales((), (), slice(None))
    []
    """
    shares = _shares(blocks, present, rows)
    return [share * block.inverse_norms[rows] for share, block in zip(shares, blocks, strict=True)]


def _shares(
    blocks: Sequence[BlockIndex], present: Sequence[float], rows: NDArray[np.int64] | slice
) -> list[NDArray[np.float64]]:
    """Return, for each block, weight / total weight of `rows`."""
    totals = _total_weights(blocks, present, rows)
    return [
        np.divide(_weigh(block, part, rows), totals, out=np.zeros(len(totals)), where=totals > 0)
        for block, part in zip(blocks, present, strict=True)
    ]


def _weigh(block: BlockIndex, part: float, rows: NDArray[np.int64] | slice) -> NDArray[np.float64] | float:
    """Return a block's weight for `rows`, `part` of it counting for the query."""
    weight = block.weight * part
    return weight if block.shares is None else weight * block.shares[rows]


def _dense_shares(blocks: Sequence[BlockIndex], present: Sequence[float]) -> NDArray[np.float64]:
    """Return what dense vectors can add to each posting's score at most: their share of it."""
    shares = zip(blocks, _shares(blocks, present, slice(None)), strict=True)
    most = np.zeros(len(blocks[0].inverse_norms)) if blocks else np.zeros(0)
    for block, share in shares:
        if block.dense is not None:
            most += np.where(block.inverse_norms > 0, share, 0.0)
    return most


def scale_dense(
    block: BlockIndex, query: BlockQuery, scale: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return what a block of dense vectors adds to the scores of `rows`: the one canonical way.

    `scale` is what the products of these rows are multiplied by. Texts that point apart add 0.

    Examples
    --------
    >>> from matcher.dense import CentredVectors, quantise_postings
    >>> nothing = Counts(np.zeros(3, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))
    >>> rows = quantise_postings(np.array([[3.0, 4.0], [-1.0, 0.0]]))
    >>> dense = CentredVectors(rows, np.zeros(2, np.int32))
    >>> block = BlockIndex(1.0, nothing, nothing, dense.invert_norms(), dense)
    >>> query = BlockQuery(nothing.columns, np.zeros(0), vector=np.array([1, 0], np.int32))
    >>> scale_dense(block, query, block.inverse_norms, np.array([0, 1])).round(3)
    array([0.597, 0.   ])
    """
    if block.dense is None or query.vector is None:
        return np.zeros(len(rows))
    products = block.dense.products(query.vector, rows)
    return np.maximum(products, 0.0) * invert_norm(query.vector) * scale


class ScaleCache:
    """What `block_scales` gives for all postings, kept for the last few kinds of queries.

    Parameters
    ----------
    make : callable
        Computes it from what of each block's weight counts.

    Examples
    --------
    >>> scales = ScaleCache(lambda present: np.array(present))
    >>> scales.get((1.0, 0.5))
    array([1. , 0.5])
    """

    MOST: Final = 16

    def __init__(self, make: Callable[[tuple[float, ...]], Any]) -> None:
        self._make = make
        self._kept: dict[tuple[float, ...], Any] = {}
        self._lock = threading.Lock()

    def get(self, present: tuple[float, ...]) -> Any:
        """Return what was made of these shares, or make it.

        Examples
        --------
        >>> ScaleCache(len).get((1.0, 0.5))
        2
        """
        found = self._kept.get(present)
        if found is None:
            found = self._make(present)  # two threads at once compute the same
            with self._lock:
                while len(self._kept) >= self.MOST:
                    self._kept.pop(next(iter(self._kept)))
                self._kept[present] = found
        return found


def add_lists(
    by_term: Counts, features: NDArray[Any], weights: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Add ``count * weight`` of every entry of the terms' lists to the `sums` of their postings.

    Examples
    --------
    >>> counts = Counts(np.array([0, 2, 3]), np.array([0, 2, 2], np.int32), np.array([1, 4, 3], np.uint8))
    >>> sums = np.zeros(3)
    >>> add_lists(counts, np.array([0, 1]), np.array([0.5, 0.25]), sums)
    >>> sums
    array([0.5 , 0.  , 2.75])
    """
    begins, ends = by_term.starts[features], by_term.starts[features + 1]
    lengths = ends - begins
    totals = np.cumsum(lengths)
    # One slice a term: contiguous copies beat gathering entry by entry.
    spans = [slice(begin, end) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
    first = 0
    while first < len(spans):
        room = (int(totals[first - 1]) if first else 0) + ENTRIES_AT_ONCE
        last = max(first + 1, int(totals.searchsorted(room, side="right")))
        some = slice(first, last)
        rows = np.concatenate([by_term.columns[span] for span in spans[some]], dtype=np.int64)
        values = np.concatenate([by_term.counts[span] for span in spans[some]], dtype=np.float64)
        values *= np.repeat(weights[some], lengths[some])
        np.add.at(sums, rows, values)
        first = last


def add_rows(
    by_posting: Counts, features: NDArray[Any], weights: NDArray[np.float64], sums: NDArray[np.float64]
) -> None:
    """Add the same as `add_lists`, posting by posting: better for very many features.

    Examples
    --------
    >>> counts = Counts(np.array([0, 1, 1, 3]), np.array([0, 0, 1], np.int32), np.array([1, 4, 3], np.uint8))
    >>> sums = np.zeros(3)
    >>> add_rows(counts, np.array([0, 1]), np.array([0.5, 0.25]), sums)
    >>> sums
    array([0.5 , 0.  , 2.75])
    """
    spread = np.zeros(int(max(features.max(initial=-1), by_posting.columns.max(initial=-1))) + 1)
    spread[features] = weights
    filled = np.flatnonzero(np.diff(by_posting.starts))
    for first in range(0, len(filled), ROWS_AT_ONCE):
        rows = filled[first : first + ROWS_AT_ONCE]
        begins, end = by_posting.starts[rows], by_posting.starts[rows[-1] + 1]
        span = slice(begins[0], end)
        products = spread[by_posting.columns[span]] * by_posting.counts[span]
        sums[rows] += np.add.reduceat(products, begins - begins[0])


def add_block(block: BlockIndex, part: BlockQuery, sums: NDArray[np.float64]) -> None:
    """Add ``sum of count * weight`` over the features of a query to the `sums` of all postings.

    Examples
    --------
    >>> counts = Counts(np.array([0, 1, 1]), np.array([0], np.int32), np.array([4], np.uint8))
    >>> block = BlockIndex.from_counts(1.0, counts, np.ones(1))
    >>> sums = np.zeros(2)
    >>> add_block(block, BlockQuery(np.array([0], np.int32), np.array([0.5])), sums)
    >>> sums
    array([2., 0.])
    """
    lengths = block.by_term.starts[part.features + 1] - block.by_term.starts[part.features]
    if int(lengths.sum()) + ENTRIES_OF_A_LIST * len(lengths) > len(block.by_posting.columns):
        add_rows(block.by_posting, part.features, part.weights, sums)
    else:
        add_lists(block.by_term, part.features, part.weights, sums)


class BaseEngine:
    """Numpy alone.

    The first profiles are scored by adding up the lists of all their terms. An engine that goes on to rank
    more of them builds `FrequentTerms`, then adds up the lists of the others only: what frequent terms can
    add at most decides which few postings need a closer look.

    Parameters
    ----------
    blocks : sequence of BlockIndex
    rows : int
        Number of postings.

    Examples
    --------
    >>> BaseEngine((), 0).name
    'base'
    """

    PROFILES_BEFORE_BUILDING: Final = 16
    """Building takes about as long as what it saves on so many."""

    FEWEST_ROWS: Final = 2_000
    FEWEST_ENTRIES: Final = 8
    """Bounds cost as much as adding up so many entries a posting of frequent terms."""

    MOST_WANTED: Final = 1 / 400
    """Share of the postings. The last of so many scores too little to leave much out."""

    MOST_LOOKED_AT: Final = 1 / 4
    """Share of the postings. Looking at more of them takes longer than adding up the lists."""

    name = "base"

    def __init__(self, blocks: Sequence[BlockIndex], rows: int) -> None:
        self.blocks = blocks
        self.rows = rows
        self._lock = threading.Lock()
        self._profiles = 0
        self._building = False
        self._frequent: FrequentTerms | None = None
        # Frequent terms are those of the block with the most entries.
        sizes = [len(block.by_term.columns) for block in blocks]
        self._main = sizes.index(max(sizes)) if sizes else 0
        self._scales = ScaleCache(lambda present: block_scales(blocks, present, slice(None)))
        self._ceilings = ScaleCache(lambda present: _dense_shares(blocks, present))

    def with_norms(self, blocks: Sequence[BlockIndex]) -> BaseEngine:
        """Return the engine for the same counts under other weights and norms; it shares what counts need.

        Examples
        --------
        >>> BaseEngine((), 2).with_norms(()).rows
        2
        """
        engine = BaseEngine(blocks, self.rows)
        with self._lock:
            engine._profiles, engine._frequent = self._profiles, self._frequent
            engine._building = self._frequent is not None
        return engine

    def score_all(self, query: Query) -> tuple[NDArray[np.float64], float]:
        """Return every posting's score up to rounding, and a bound on the difference to the canonical one.

        Both are sums of the same products of floats of at least 0 in another order, so each differs from
        the true sum by at most (terms + 8) roundings of it (Higham, Accuracy and Stability of Numerical
        Algorithms, 2002, section 4.2).

        Returns
        -------
        scores : ndarray of float64, shape (postings,)
        error : float

        Examples
        --------
        >>> BaseEngine((), 2).score_all(Query(()))
        (array([0., 0.]), 8e-323)
        """
        scores = self._score(query, range(len(self.blocks))) + self._add_dense(query)
        return scores, _error(query, scores) + self._dense_error(query)

    def _score(self, query: Query, numbers: Sequence[int]) -> NDArray[np.float64]:
        """Return what the blocks with these numbers, and all boosts, add to each posting's score."""
        scores = np.zeros(self.rows)
        scales = self._scale(query)
        for number in numbers:
            part = query.blocks[number]
            if len(part.features) and self.blocks[number].weight:
                sums = np.zeros(self.rows)
                add_block(self.blocks[number], part, sums)
                sums *= scales[number]
                scores += sums
        for boost in query.boosts:
            scores += boost
        return scores

    def _scale(self, query: Query) -> list[NDArray[np.float64]]:
        """Return what each block's sums are multiplied by: weight / total weight / norm of the posting."""
        scales: list[NDArray[np.float64]] = self._scales.get(tuple(part.present for part in query.blocks))
        return scales

    def propose(self, query: Query, wanted: int) -> Proposal:
        """Return all rows that could be among the `wanted` best.

        Examples
        --------
        >>> BaseEngine((), 2).propose(Query((), None, [np.array([0.5, 0.0])]), 1)
        Proposal(rows=array([0]), left_out=0.0)
        """
        return self.propose_many([query], wanted)[0]

    def propose_many(self, queries: Sequence[Query], wanted: int) -> list[Proposal]:
        """Return a proposal for each query.

        Examples
        --------
        >>> len(BaseEngine((), 2).propose_many([Query(()), Query(())], 1))
        2
        """
        frequent = self._build_when_it_pays(len(queries))
        if frequent is None or wanted > self.rows * self.MOST_WANTED:
            return [self._scan(query, wanted) for query in queries]
        return [
            self._prune(query, wanted, frequent) if self._pays(query, frequent) else self._scan(query, wanted)
            for query in queries
        ]

    def match(self, counts: Counts, features: NDArray[np.int32], rows: NDArray[np.int64]) -> Matches:
        """Return the entries of posting-major `counts` in `rows` and ascending `features`.

        Examples
        --------
        >>> counts = Counts(np.array([0, 2]), np.array([3, 5], np.int32), np.array([1, 4], np.uint8))
        >>> BaseEngine((), 1).match(counts, np.array([5], np.int32), np.array([0]))
        Matches(positions=array([0]), places=array([0]), counts=array([4]))
        """
        entries, positions = gather(counts.starts, rows)
        columns = counts.columns[entries]
        places = np.minimum(np.searchsorted(features, columns), len(features) - 1)
        shared = features[places] == columns
        return Matches(positions[shared], places[shared], counts.counts[entries[shared]].astype(np.int64))

    def _build_when_it_pays(self, profiles: int) -> FrequentTerms | None:
        """Return the frequent terms once there are enough profiles; calls in other threads do not wait."""
        with self._lock:
            self._profiles += profiles
            pays = self._profiles > self.PROFILES_BEFORE_BUILDING and self.rows >= self.FEWEST_ROWS
            build = pays and not self._building and len(self.blocks) > 0
            self._building |= build
        if build:
            with suppress(MemoryError):  # nobody asked for them, and the results are the same
                self._frequent = FrequentTerms.from_counts(self.blocks[self._main].by_term, self.rows)
        return self._frequent

    def _pays(self, query: Query, frequent: FrequentTerms) -> bool:
        """Return whether a query has enough entries of frequent terms for bounds to pay."""
        block, features = self.blocks[self._main], query.blocks[self._main].features
        features = features[frequent.places[features] >= 0]
        entries = int((block.by_term.starts[features + 1] - block.by_term.starts[features]).sum())
        return block.weight > 0 and entries > self.FEWEST_ENTRIES * self.rows

    def _scan(self, query: Query, wanted: int) -> Proposal:
        """Return all rows that could be among the best, by adding up the lists of all terms."""
        scores = self._score(query, range(len(self.blocks)))
        ceilings = self._dense_ceilings(query)
        if ceilings is not None:
            added = self._add_dense
            return self._look_closer(
                query, scores + ceilings, lambda rows: scores[rows] + added(query, rows), wanted
            )
        if query.mask is not None:
            scores[~query.mask] = 0.0
        positive = np.flatnonzero(scores > 0)
        return _best(positive, scores[positive], wanted, _error(query, scores), 0.0)

    def _prune(self, query: Query, wanted: int, frequent: FrequentTerms) -> Proposal:
        """Return all rows that could be among the best, by looking only at those whose bound is high."""
        part, scale = query.blocks[self._main], self._scale(query)[self._main]
        others = self._score(query, [n for n in range(len(self.blocks)) if n != self._main])
        is_rare = frequent.places[part.features] < 0
        by_term = self.blocks[self._main].by_term
        sums = np.zeros(self.rows)
        add_lists(by_term, part.features[is_rare], part.weights[is_rare], sums)
        most = frequent.bound(part)
        most += sums
        most *= scale
        most += others
        ceilings = self._dense_ceilings(query)
        if ceilings is not None:
            most += ceilings

        def score(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            if len(rows) > self.MOST_LOOKED_AT * self.rows:
                all_sums = sums.copy()
                add_lists(by_term, part.features[~is_rare], part.weights[~is_rare], all_sums)
                own = all_sums[rows]
            else:
                own = sums[rows] + frequent.sums(rows, part)
            return own * scale[rows] + others[rows] + self._add_dense(query, rows)

        return self._look_closer(query, most, score, wanted)

    def _look_closer(
        self,
        query: Query,
        most: NDArray[np.float64],
        score: Callable[[NDArray[np.int64]], NDArray[np.float64]],
        wanted: int,
    ) -> Proposal:
        """Return all rows that could be among the best, given the most each scores; `score` tells of some."""
        if query.mask is not None:
            most[~query.mask] = 0.0
        error = _error(query, most) + self._dense_error(query)
        possible = np.flatnonzero(most > 0)
        most = most[possible]
        least = 0.0
        if len(possible) >= wanted:
            # The best of some that look good; the others must reach it.
            first = max(0, len(possible) - 4 * wanted - 32)
            candidates = possible[np.argpartition(most, first)[first:]]
            least = float(np.partition(score(candidates), -wanted)[-wanted]) - 2 * error
        rows = possible[most >= least]
        scores = score(rows)
        left_out = least + error if least > 0 else 0.0
        return _best(rows[scores > 0], scores[scores > 0], wanted, error, left_out)

    def _dense_ceilings(self, query: Query) -> NDArray[np.float64] | None:
        """Return what dense vectors can add to each score at most; None when the query has none."""
        if all(part.vector is None or not part.share for part in query.blocks):
            return None
        ceilings: NDArray[np.float64] = self._ceilings.get(tuple(part.present for part in query.blocks))
        return ceilings

    def _dense_error(self, query: Query) -> float:
        """Return a bound on the errors of `_add_dense`."""
        ceilings = self._dense_ceilings(query)
        return 0.0 if ceilings is None else float(ceilings.max(initial=0.0)) * self._cosine_error

    @cached_property
    def _cosine_error(self) -> float:
        blocks = [block for block in self.blocks if block.dense is not None]
        return max((b.dense.error_of_cosines(b.inverse_norms) for b in blocks if b.dense), default=0.0)

    def _add_dense(self, query: Query, rows: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Return what dense vectors add to the scores of `rows` (all for None): above 0 where they do."""
        total = np.zeros(self.rows if rows is None else len(rows))
        scales = self._scale(query) if self._dense_ceilings(query) is not None else []
        for block, part, scale in zip(self.blocks, query.blocks, scales, strict=False):
            if block.dense is not None and part.vector is not None and part.share and block.weight:
                products = np.maximum(block.dense.estimate_products(part.vector, rows), 0.0)
                total += products * invert_norm(part.vector) * (scale if rows is None else scale[rows])
        return total


def propose_best(query: Query, rows: NDArray[np.int64], scores: NDArray[np.float64], wanted: int) -> Proposal:
    """Return what to propose of rows, all that may be returned, scored in float64 in any order.

    Examples
    --------
    >>> propose_best(Query(()), np.array([3, 7]), np.array([0.0, 0.5]), 1)
    Proposal(rows=array([7]), left_out=0.0)
    """
    return _best(rows[scores > 0], scores[scores > 0], wanted, _error(query, scores), 0.0)


def _error(query: Query, scores: NDArray[np.float64]) -> float:
    """Return a bound on the rounding errors of scores that are at most these."""
    terms = sum(len(part.features) + 1 for part in query.blocks) + len(query.boosts)
    # Below the normal numbers a rounding is absolute, not relative.
    return 2 * (terms + 8) * (_UNIT_ROUNDOFF * float(scores.max(initial=0.0)) + _LEAST_FLOAT)


def _best(
    rows: NDArray[np.int64], scores: NDArray[np.float64], wanted: int, error: float, left_out: float
) -> Proposal:
    """Return the rows that could be among the `wanted` best; no row but these scores more than `left_out`."""
    if len(rows) <= wanted:
        return Proposal(rows, left_out)
    # Whatever lies below the last wanted one by more than both rounding errors cannot be among the best.
    least = np.partition(scores, -wanted)[-wanted] - 2 * error
    return Proposal(rows[scores >= least], max(left_out, float(least + error)))
