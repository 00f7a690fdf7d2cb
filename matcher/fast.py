"""The fast engine (extra ``[fast]``): frequent terms as dense rows, the rest as compact lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.base import (
    BaseEngine,
    Matches,
    Proposal,
    Query,
    ScaleCache,
    block_scales,
    propose_best,
    scale_dense,
)
from matcher.counts import BlockIndex, Counts
from matcher.dense import invert_norm
from matcher.kernels import (
    BLOCK,
    PAGE,
    add_products,
    add_rows,
    fill_layout,
    match_entries,
    scan,
    sum_rows,
)

__all__: Final = ["FastEngine"]

DENSE_SHARE: Final = 0.08
"""Terms that a larger share of the postings hold get a dense row. Half a byte a posting beats three bytes an
entry only from 1/6 on, but scanning without an index beats following one well before that."""

MOST_DENSE: Final = 1024
SPARE: Final = 6
"""Rows proposed beyond those wanted, so that rounding in float32 rarely makes a second scan necessary."""

MOST_WANTED: Final = 1_000
"""Beyond, keeping the best in order costs more than sorting all scores, which the base engine does."""

ROWS_A_THREAD: Final = 2_048
"""Rows from which scoring them one by one is worth another thread."""

_UNIT_ROUNDOFF: Final = 2.0**-24
LEAST_BOOST: Final = 1e-30
LARGEST_BOOST: Final = 1e6


class Layout(NamedTuple):
    """Counts of one block of features as `matcher.kernels.scan` reads them."""

    dense_row: NDArray[np.int32]
    dense: NDArray[np.uint8]
    ends: NDArray[np.int64]
    local: NDArray[np.uint16]
    small: NDArray[np.uint8]
    pieces: int
    """The most additions that one count can take: its dense part, and one for each 255 that are left."""


ENTRIES_OF_ROWS: Final = 2
"""Going through all rows of a block, an entry takes about as long as half an entry of a term's list."""

ENTRIES_OF_A_LIST: Final = 16
"""Finding where a term's list begins in a block of postings takes as long as so many entries."""


class _Prepared(NamedTuple):
    """A query, ready to be scanned for."""

    lists: tuple[Any, ...]
    """What `matcher.kernels.scan` reads."""
    by_row: list[tuple[Any, ...]]
    """Blocks that `matcher.kernels.sum_rows` does better."""
    dense: list[tuple[Any, ...]]
    """Blocks of dense vectors, for `matcher.kernels.add_products`."""


class _Sides(NamedTuple):
    """The term lists of all blocks but the first, one after the other."""

    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger[Any]]


def _join_sides(sides: Sequence[Counts]) -> _Sides:
    offsets = np.cumsum([0, *(len(side.columns) for side in sides)])
    rows = np.concatenate([side.columns for side in sides] or [np.zeros(0, np.int32)])
    return _Sides(offsets, rows, np.concatenate([side.counts for side in sides] or [np.zeros(0, np.uint8)]))


def make_layout(by_term: Counts, rows: int) -> Layout:
    """Return the layout of term-major counts.

    Examples
    --------
    >>> counts = Counts(np.array([0, 2]), np.array([0, 3], np.int32), np.array([1, 20], np.uint8))
    >>> layout = make_layout(counts, 4)
    >>> layout.dense.shape, layout.local, layout.small
    ((1, 1, 2048), array([3], dtype=uint16), array([5], dtype=uint8))
    """
    frequency = np.diff(by_term.starts)
    frequent = np.flatnonzero(frequency > DENSE_SHARE * rows)
    frequent = frequent[np.argsort(-frequency[frequent], kind="stable")][:MOST_DENSE]
    dense_row = np.full(len(frequency), -1, np.int32)
    dense_row[frequent] = np.arange(len(frequent))
    blocks = max(1, -(-rows // BLOCK))
    pages = max(1, -(-rows // PAGE))
    dense = np.zeros((pages, len(frequent), PAGE // 2), np.uint8)
    ends = np.zeros(len(frequency) * blocks + 1, np.int64)
    nothing = np.zeros(0, np.uint16), np.zeros(0, np.uint8)
    fill_layout(*by_term, dense_row, blocks, dense, ends, *nothing)
    np.cumsum(ends, out=ends)
    local, small = np.empty(ends[-1], np.uint16), np.empty(ends[-1], np.uint8)
    if len(local):
        fill_layout(*by_term, dense_row, blocks, dense, ends[:-1].copy(), local, small)
    pieces = 1 + -(-int(by_term.counts.max(initial=1)) // 255)
    return Layout(dense_row, dense, ends, local, small, pieces)


def _count_processors() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    """Return threads that every engine of this process shares."""
    return ThreadPoolExecutor(_count_processors(), thread_name_prefix="matcher")


if hasattr(os, "register_at_fork"):  # threads do not survive a fork
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _keep_best(
    values: NDArray[np.float32], rows: NDArray[np.int64], size: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the `size` largest values of each query, ascending, and their rows."""
    order = np.argsort(values, axis=1, kind="stable")[:, -size:]
    return np.take_along_axis(values, order, 1), np.take_along_axis(rows, order, 1)


class FastEngine:
    """Scans compiled by numba.

    The first block of features has the layout; the others, which have few entries, ride along from their
    term lists.

    Parameters
    ----------
    blocks : sequence of BlockIndex
    rows : int
        Number of postings.
    like : FastEngine, optional
        One over the same counts, whose layout is used again.

    Examples
    --------
    >>> FastEngine((), 2).propose(Query(()), 1).rows
    array([], dtype=int64)
    """

    name = "fast"

    threads = _count_processors()
    """Threads that one profile is shared out to, when there is more than one block of postings."""

    FEW_ALLOWED: ClassVar = 0.02
    """When filters leave no larger share of the postings, those are scored one by one instead of all."""

    def __init__(self, blocks: Sequence[BlockIndex], rows: int, *, like: FastEngine | None = None) -> None:
        self.blocks = blocks
        self.rows = rows
        self._base: BaseEngine = BaseEngine(blocks, rows) if like is None else like._base.with_norms(blocks)
        self._scales = ScaleCache(
            lambda present: np.array(block_scales(blocks, present, slice(None)), np.float32)
        )
        self._layout: Layout | None
        self._sides: _Sides
        self._longest: list[int]
        if like is not None:
            self._layout, self._sides, self._longest = like._layout, like._sides, like._longest
        else:
            self._layout = make_layout(blocks[0].by_term, rows) if blocks else None
            self._sides = _join_sides([block.by_term for block in blocks[1:]])
            self._longest = [int(np.diff(block.by_posting.starts).max(initial=0)) for block in blocks]

    def with_norms(self, blocks: Sequence[BlockIndex]) -> FastEngine:
        """Return the engine for the same counts under other weights and norms; it shares the layout.

        Examples
        --------
        >>> FastEngine((), 2).with_norms(()).rows
        2
        """
        return FastEngine(blocks, self.rows, like=self)

    def propose(self, query: Query, wanted: int) -> Proposal:
        """Return the best `wanted` rows and a few more, by scores in float32.

        Examples
        --------
        >>> FastEngine((), 2).propose(Query((), None, [np.array([0.5, 0.0])]), 1).rows
        array([0])
        """
        return self.propose_many([query], wanted)[0]

    def propose_many(self, queries: Sequence[Query], wanted: int) -> list[Proposal]:
        """Return a proposal for each query, block after block for all queries.

        Examples
        --------
        >>> FastEngine((), 2).propose_many([], 1)
        []
        """
        if self._layout is None or not queries or wanted > MOST_WANTED or _is_large(queries[0]):
            return self._base.propose_many(queries, wanted)
        mask = queries[0].mask
        if mask is not None and np.count_nonzero(mask) <= self.FEW_ALLOWED * self.rows:
            allowed_rows = np.flatnonzero(mask)
            shares = min(self.threads, 1 + len(allowed_rows) // ROWS_A_THREAD) if len(queries) == 1 else 1
            parts = np.array_split(allowed_rows, shares)
            return [self._propose_among(query, parts, wanted) for query in queries]
        blocks = max(1, -(-self.rows // BLOCK))
        size = min(wanted + max(SPARE, wanted // 8), max(1, self.rows))
        lift, dropped = _lift(queries[0].boosts)
        allowed = np.zeros(0, np.bool_) if mask is None else np.ascontiguousarray(mask)
        prepared = [self._prepare(query) for query in queries]
        common = prepared, lift, allowed, size
        # Batches are shared out to threads by whoever makes them; one profile is shared out here.
        shares = min(self.threads, blocks) if len(queries) == 1 else 1
        waiting = [_pool().submit(self._scan, range(n, blocks, shares), *common) for n in range(1, shares)]
        values, rows = self._scan(range(0, blocks, shares), *common)
        for future in waiting:
            more_values, more_rows = future.result()
            values, rows = _keep_best(np.hstack((values, more_values)), np.hstack((rows, more_rows)), size)
        return [self._judge(query, values[n], rows[n], dropped) for n, query in enumerate(queries)]

    def _scan(
        self,
        blocks: Iterable[int],
        prepared: Sequence[_Prepared],
        lift: NDArray[np.float32],
        allowed: NDArray[np.bool_],
        size: int,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Return the best scores in some blocks, ascending, and their rows; both shape (queries, size)."""
        assert self._layout is not None  # noqa: S101 - callers check
        layout, total = self._layout[1:5], max(1, -(-self.rows // BLOCK))
        values = np.zeros((len(prepared), size), np.float32)
        rows = np.full((len(prepared), size), -1, np.int64)
        sums, nothing = np.empty(BLOCK, np.float32), np.zeros(0, np.float32)
        extra = np.empty(BLOCK if any(by_row or dense for _, by_row, dense in prepared) else 0, np.float32)
        for block in blocks:
            first = block * BLOCK
            count = min(BLOCK, self.rows - first)
            for number, (arguments, by_row, dense) in enumerate(prepared):
                extra[:] = 0.0
                for part in by_row:
                    sum_rows(*part, first, count, extra)
                for vectors, *profile in dense:
                    add_products(vectors, first, *profile, extra[:count])
                best = values[number], rows[number]
                more = extra if by_row or dense else nothing
                scan(self.rows, block, total, *layout, *arguments, more, lift, allowed, sums, *best)
        return values, rows

    def _propose_among(self, query: Query, parts: Sequence[NDArray[np.int64]], wanted: int) -> Proposal:
        """Return the best of a few rows, which come in one part for each thread."""
        waiting = [_pool().submit(self._score_rows, query, rows) for rows in parts[1:]]
        scores = [self._score_rows(query, parts[0]), *(future.result() for future in waiting)]
        return propose_best(query, np.concatenate(parts), np.concatenate(scores), wanted)

    def _score_rows(self, query: Query, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the scores of rows, each from its own entries in float64."""
        scores = np.zeros(len(rows))
        scales = block_scales(self.blocks, [part.present for part in query.blocks], rows)
        for block, part, scale in zip(self.blocks, query.blocks, scales, strict=True):
            scores += scale_dense(block, part, scale, rows)
            if len(part.features) and block.weight:
                weights = np.zeros(len(block.by_term.starts) - 1)
                weights[part.features] = part.weights
                add_rows(*block.by_posting, rows, weights, scale, scores)
        for boost in query.boosts:
            scores += boost[rows]
        return scores

    def match(self, counts: Counts, features: NDArray[np.int32], rows: NDArray[np.int64]) -> Matches:
        """Return the entries of posting-major `counts` in `rows` and ascending `features`.

        Examples
        --------
        >>> counts = Counts(np.array([0, 2]), np.array([3, 5], np.int32), np.array([1, 4], np.uint8))
        >>> FastEngine((), 1).match(counts, np.array([5], np.int32), np.array([0]))
        Matches(positions=array([0]), places=array([0]), counts=array([4]))
        """
        room = np.empty((3, int((counts.starts[rows + 1] - counts.starts[rows]).sum())), np.int64)
        found = match_entries(*counts, features, rows, *room)
        return Matches(*room[:, :found])

    def _scale(self, present: tuple[float, ...]) -> NDArray[np.float32]:
        """Return weight / total weight / norm of each posting, for queries with data in these blocks."""
        scale: NDArray[np.float32] = self._scales.get(present)
        return scale

    def _prepare(self, query: Query) -> _Prepared:
        assert self._layout is not None  # noqa: S101 - callers check
        scale = self._scale(tuple(part.present for part in query.blocks))
        main = query.blocks[0]
        places = self._layout.dense_row[main.features]
        frequent = places >= 0
        weights = main.weights.astype(np.float32)
        starts, stops, side = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros((0, 2), np.float32)]
        by_row: list[tuple[Any, ...]] = []
        for number, (block, part) in enumerate(zip(self.blocks[1:], query.blocks[1:], strict=True)):
            begins, ends = block.by_term.starts[part.features], block.by_term.starts[part.features + 1]
            entries = int((ends - begins).sum()) + ENTRIES_OF_A_LIST * len(begins) * -(-self.rows // BLOCK)
            if len(begins) and entries * ENTRIES_OF_ROWS > len(block.by_posting.columns):
                spread = np.zeros(len(block.by_term.starts) - 1, np.float32)
                spread[part.features] = part.weights
                by_row.append((*block.by_posting, spread, scale[number + 1]))
                continue
            starts.append(begins + self._sides.offsets[number])
            stops.append(ends + self._sides.offsets[number])
            side.append(
                np.column_stack((part.weights, np.full(len(part.weights), number))).astype(np.float32)
            )
        lists = (
            places[frequent].astype(np.int64),
            weights[frequent],
            main.features,
            weights,
            scale[0],
            np.concatenate(starts),
            np.concatenate(stops),
            self._sides.rows,
            self._sides.counts,
            np.concatenate(side),
            scale[1:],
        )
        return _Prepared(lists, by_row, self._prepare_dense(query))

    def _prepare_dense(self, query: Query) -> list[tuple[Any, ...]]:
        """Return what `matcher.kernels.add_products` needs, for each block of dense vectors that counts."""
        scale = self._scale(tuple(part.present for part in query.blocks))
        return [
            (
                block.dense.vectors,
                part.vector.astype(np.int16),
                block.dense.shift(part.vector),
                np.float32(invert_norm(part.vector)),
                scale[number],
            )
            for number, (block, part) in enumerate(zip(self.blocks, query.blocks, strict=True))
            if block.dense is not None and part.vector is not None and part.share and block.weight
        ]

    def _judge(
        self, query: Query, values: NDArray[np.float32], rows: NDArray[np.int64], dropped: float
    ) -> Proposal:
        """Return the rows found, and what a row left out can score at most.

        All summands are at least 0, so a sum in float32 is off by at most one rounding for each of them and
        a few for weights and scales, relative to the true sum (Higham 2002, section 4.2). A posting has no
        more summands than features. A large count is added in pieces, each a summand of its own.
        """
        assert self._layout is not None  # noqa: S101 - callers check
        summands = map(min, self._longest, (len(part.features) for part in query.blocks))
        terms = self._layout.pieces * sum(summands) + len(query.blocks) + len(query.boosts)
        full = rows[0] >= 0 and len(rows) < self.rows
        left_out = float(values[0]) * (1 + 2 * (terms + 16) * _UNIT_ROUNDOFF) if full else 0.0
        return Proposal(np.sort(rows[rows >= 0]), left_out + dropped)


def _is_large(query: Query) -> bool:
    """Return whether boosts would leave no digits of a float32 for the cosines."""
    return any(float(boost.max(initial=0.0)) > LARGEST_BOOST for boost in query.boosts)


def _lift(boosts: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float32], float]:
    """Return the sum of boosts in float32 without values too small for it, and the most that leaves out."""
    if not boosts:
        return np.zeros(0, np.float32), 0.0
    total = np.sum(boosts, axis=0)
    small = total < LEAST_BOOST
    dropped = float(total.max(where=small, initial=0.0))
    return np.where(small, 0.0, total).astype(np.float32), dropped
