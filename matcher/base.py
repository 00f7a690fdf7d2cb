"""What an engine is asked and what it answers, and the engine that needs numpy alone.

An engine proposes rows that could be among the best, with a bound on the score of every row it left out. It
never decides: `matcher.index.Index` rescores the rows canonically, and asks for more when the bound does not
certify the answer. So every engine leads to the same rows and the same bits, and only the time differs.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from matcher.counts import BlockIndex, Counts
from matcher.frequent import FrequentTerms
from matcher.queries import BlockQuery
from matcher.strings import gather

__all__: Final = [
    "BaseEngine",
    "Engine",
    "Matches",
    "Proposal",
    "Query",
    "add_block",
    "add_lists",
    "add_rows",
    "block_scales",
    "propose_best",
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
    blocks: Sequence[BlockIndex], asked: Sequence[bool], rows: NDArray[np.int64] | slice
) -> NDArray[np.float64]:
    """Return, for `rows`, the sum of the weights of the blocks in which both sides have data.

    `asked` says for each block whether the query has data in it.
    """
    totals: NDArray[np.float64] = np.zeros(0)
    for block, is_asked in zip(blocks, asked, strict=True):
        share = (block.inverse_norms[rows] > 0) * (block.weight if is_asked else 0.0)
        totals = totals + share if len(totals) else share.astype(np.float64)
    return totals


def block_scales(
    blocks: Sequence[BlockIndex], asked: Sequence[bool], rows: NDArray[np.int64] | slice
) -> list[NDArray[np.float64]]:
    """Return, for each block, what the sums of `rows` are multiplied by: weight / total weight / norm.

    `asked` says for each block whether the query has data in it.

    Examples
    --------
    >>> block_scales((), (), slice(None))
    []
    """
    totals = _total_weights(blocks, asked, rows)
    shares = (np.divide(b.weight, totals, out=np.zeros(len(totals)), where=totals > 0) for b in blocks)
    return [share * block.inverse_norms[rows] for share, block in zip(shares, blocks, strict=True)]


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
        self._scales: dict[tuple[bool, ...], list[NDArray[np.float64]]] = {}

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
        scores = self._score(query, range(len(self.blocks)))
        return scores, _error(query, scores)

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
        present = tuple(part.asked for part in query.blocks)
        scales = self._scales.get(present)
        if scales is None:
            scales = block_scales(self.blocks, present, slice(None))
            self._scales[present] = scales  # two threads at once compute the same
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
        scores, error = self.score_all(query)
        if query.mask is not None:
            scores[~query.mask] = 0.0
        positive = np.flatnonzero(scores > 0)
        return _best(positive, scores[positive], wanted, error, 0.0)

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
        if query.mask is not None:
            most[~query.mask] = 0.0
        error = _error(query, most)

        def score(rows: NDArray[np.int64]) -> NDArray[np.float64]:
            return (sums[rows] + frequent.sums(rows, part)) * scale[rows] + others[rows]

        possible = np.flatnonzero(most > 0)
        most = most[possible]
        least = 0.0
        if len(possible) >= wanted:
            # The best of some that look good; the others must reach it.
            first = max(0, len(possible) - 4 * wanted - 32)
            candidates = possible[np.argpartition(most, first)[first:]]
            least = float(np.partition(score(candidates), -wanted)[-wanted]) - 2 * error
        rows = possible[most >= least]
        if len(rows) > self.MOST_LOOKED_AT * self.rows:
            add_lists(by_term, part.features[~is_rare], part.weights[~is_rare], sums)
            scores = sums[rows] * scale[rows] + others[rows]
        else:
            scores = score(rows)
        left_out = least + error if least > 0 else 0.0
        return _best(rows[scores > 0], scores[scores > 0], wanted, error, left_out)


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
    terms = sum(len(part.features) for part in query.blocks) + len(query.boosts)
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
