"""One block of features of all postings: integer counts by posting and by term, and a norm a posting."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import check_starts
from matcher.dense import CentredVectors
from matcher.errors import ModelDamagedError

__all__: Final = [
    "BlockCounts",
    "BlockIndex",
    "Counts",
    "check_inverse_norms",
    "invert_norms",
    "narrow_counts",
]

LARGEST_COUNT: Final = 1 << 24
"""How often a term may occur in a posting."""

LEAST_INVERSE_NORM: Final = 1e-18
LARGEST_INVERSE_NORM: Final = 1e6
"""A posting with data has a count of at least 1 of a term that weighs about 1, so 1 is the usual largest."""

_ROWS: Final = 1 << 10
"""Postings whose norms are computed together: what is needed for them stays in the caches."""

_ENTRIES: Final = 1 << 18
"""Entries that are checked together, for the same reason."""

_ENTRIES_A_THREAD: Final = 1 << 20


class Counts(NamedTuple):
    """A sparse matrix of integer counts, row by row: posting-major or term-major.

    Attributes
    ----------
    starts : ndarray of int64, shape (rows + 1,)
        Where each row's entries start.
    columns : ndarray of int32, shape (entries,)
        Ascending within a row.
    counts : ndarray of uint8, uint16 or uint32, shape (entries,)
        At least 1.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger[Any]]

    def transpose(self, columns: int) -> Counts:
        """Return the same matrix with rows and columns exchanged; `columns` is how many there are.

        Examples
        --------
        >>> counts = Counts(np.array([0, 2, 3]), np.array([0, 1, 1], np.int32), np.array([5, 6, 7], np.uint8))
        >>> counts.transpose(2).columns, counts.transpose(2).counts
        (array([0, 0, 1], dtype=int32), array([5, 6, 7], dtype=uint8))
        """
        from scipy.sparse import csr_matrix  # needed when something is fitted, never when a model is used

        shape = len(self.starts) - 1, columns
        turned = csr_matrix((self.counts, self.columns, self.starts), shape).tocsc()
        return Counts(
            turned.indptr.astype(np.int64), turned.indices.astype(np.int32, copy=False), turned.data
        )


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
    dense : CentredVectors, optional
        The postings' vectors, for a block that has those instead of terms.
    shares : ndarray of float64, shape (postings,), optional
        What of the block's weight counts for each posting, 0 to 1; all of it for None.
    """

    weight: float
    by_posting: Counts
    by_term: Counts
    inverse_norms: NDArray[np.float64]
    dense: CentredVectors | None = None
    shares: NDArray[np.float64] | None = None

    @classmethod
    def from_counts(
        cls,
        weight: float,
        counts: Counts,
        term_weights: NDArray[np.float64],
        by_term: Counts | None = None,
    ) -> BlockIndex:
        """Return the index of posting-major counts; `by_term` are the same, transposed, where known.

        Examples
        --------
        >>> counts = Counts(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([3, 4], np.uint8))
        >>> BlockIndex.from_counts(1.0, counts, np.ones(2)).inverse_norms
        array([0.2, 0. ])
        """
        inverse = invert_norms(counts, term_weights)
        return cls(weight, counts, by_term or counts.transpose(len(term_weights)), inverse)


class BlockCounts(NamedTuple):
    """One block's counts of the postings of a segment, as they lie on disk.

    Attributes
    ----------
    by_posting : Counts
        Shape (postings, terms).
    by_term : Counts
        The same, transposed.

    Examples
    --------
    >>> counts = Counts(np.array([0, 1]), np.array([0], np.int32), np.array([3], np.uint8))
    >>> BlockCounts(counts, counts.transpose(1)).by_term.counts
    array([3], dtype=uint8)
    """

    by_posting: Counts
    by_term: Counts

    @classmethod
    def from_files(
        cls, files: Mapping[str, NDArray[np.generic]], name: str, rows: int, terms: int
    ) -> BlockCounts:
        """Return the counts that `to_files` wrote under `name`, after checking every position and number.

        Raises
        ------
        ModelDamagedError
            When a position is out of range, a count not one of a model, or the two orders disagree in size.

        Examples
        --------
        >>> counts = Counts(np.array([0, 1]), np.array([0], np.int32), np.array([3], np.uint8))
        >>> files = BlockCounts(counts, counts.transpose(1)).to_files("text")
        >>> BlockCounts.from_files(files, "text", rows=2, terms=1)
        Traceback (most recent call last):
        matcher.errors.ModelDamagedError: text.by_posting: not a sound matrix of 2 rows and 1 columns
        """
        by_posting = _counts_from_files(files, f"{name}.by_posting", rows, terms)
        by_term = _counts_from_files(files, f"{name}.by_term", terms, rows)
        if not _agree(by_posting, by_term):
            raise ModelDamagedError(f"{name}: the two orders of the matrix differ")
        return cls(by_posting, by_term)

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by file name.

        Examples
        --------
        >>> counts = Counts(np.zeros(1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))
        >>> len(BlockCounts(counts, counts).to_files("text"))
        6
        """
        return _counts_to_files(self.by_posting, f"{name}.by_posting") | _counts_to_files(
            self.by_term, f"{name}.by_term"
        )


def narrow_counts(counts: NDArray[Any]) -> NDArray[np.unsignedinteger[Any]]:
    """Return counts in the smallest type that holds them.

    Examples
    --------
    >>> narrow_counts(np.array([1, 300])).dtype
    dtype('uint16')
    """
    return counts.astype(np.min_scalar_type(int(counts.max(initial=1))))


def invert_norms(
    counts: Counts, term_weights: NDArray[np.float64], *, compiled: bool = False
) -> NDArray[np.float64]:
    """Return ``1 / |posting|`` of posting-major counts with weights applied; 0 where nothing has a weight.

    Squares are added one after the other in the order of the terms, so that a posting has the same norm, to
    the last bit, whatever it is stored with.

    Parameters
    ----------
    counts : Counts
        Shape (postings, terms).
    term_weights : ndarray of float64, shape (terms,)
        0 for a term that does not count.
    compiled : bool
        Whether compiled code adds (extra ``[fast]``). The result is the same.

    Returns
    -------
    ndarray of float64, shape (postings,)

    Examples
    --------
    >>> counts = Counts(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([3, 4], np.uint8))
    >>> invert_norms(counts, np.ones(2))
    array([0.2, 0. ])
    """
    rows = len(counts.starts) - 1
    norms = np.zeros(rows)
    if compiled:
        _add_squares(counts, term_weights, norms)
        norms = np.sqrt(norms)
    for first in range(0, 0 if compiled else rows, _ROWS):
        starts = counts.starts[first : first + _ROWS + 1]
        entries = slice(starts[0], starts[-1])
        squares = (counts.counts[entries] * term_weights[counts.columns[entries]]) ** 2
        positions = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        norms[first : first + _ROWS] = np.sqrt(
            np.bincount(positions, weights=squares, minlength=len(starts) - 1)
        )
    return np.divide(1.0, norms, out=np.zeros(rows), where=norms > 0)


def _add_squares(counts: Counts, term_weights: NDArray[np.float64], sums: NDArray[np.float64]) -> None:
    """Write the sum of squared weighted counts of each row, in several threads where that pays."""
    from matcher.kernels import add_squares

    # Read-only, as mapped files are: code is compiled once for both.
    arrays = [array.view() for array in counts]
    for array in arrays:
        array.flags.writeable = False
    starts, columns, values = arrays
    threads = min(os.cpu_count() or 1, 1 + len(columns) // _ENTRIES_A_THREAD)
    bounds = np.linspace(0, len(sums), threads + 1).astype(int).tolist()

    def add(first: int, last: int) -> None:
        add_squares(starts[first : last + 1], columns, values, term_weights, sums[first:last])

    if threads == 1:
        add(0, len(sums))
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(add, bounds[:-1], bounds[1:]))


def check_inverse_norms(inverse: NDArray[np.generic], name: str, rows: int) -> NDArray[np.float64]:
    """Return the inverse norms of a model after checking them.

    Raises
    ------
    ModelDamagedError
        When there are not `rows` of them, or one is out of range.

    Examples
    --------
    >>> check_inverse_norms(np.array([np.nan]), "text", 1)
    Traceback (most recent call last):
    matcher.errors.ModelDamagedError: text.inverse_norms: expected 0 or numbers from 1e-18 to 1e+06
    """
    if inverse.shape != (rows,) or inverse.dtype != np.float64:
        raise ModelDamagedError(f"{name}.inverse_norms: expected {rows} numbers of float64")
    sound = (inverse == 0) | ((inverse >= LEAST_INVERSE_NORM) & (inverse <= LARGEST_INVERSE_NORM))  # type: ignore[operator]
    if not np.all(sound):
        bounds = f"{LEAST_INVERSE_NORM:g} to {LARGEST_INVERSE_NORM:g}"
        raise ModelDamagedError(f"{name}.inverse_norms: expected 0 or numbers from {bounds}")
    return inverse  # type: ignore[return-value]


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
        and _holds_entries(counts, columns)
    )
    if not sound:
        raise ModelDamagedError(f"{name}: not a sound matrix of {rows} rows and {columns} columns")
    return counts


def _holds_entries(counts: Counts, columns: int) -> bool:
    """Return whether columns are in range and ascend within rows, and counts are those of a model."""
    firsts = counts.starts[1:-1]
    for begin in range(0, len(counts.columns), _ENTRIES):
        # One more, to compare the last with its neighbour. Negative columns become large ones.
        part = counts.columns[begin : begin + _ENTRIES + 1].view(np.uint32)
        rising = part[1:] > part[:-1]
        within = firsts[np.searchsorted(firsts, begin, "right") : np.searchsorted(firsts, begin + len(part))]
        rising[within - begin - 1] = True
        values = counts.counts[begin : begin + _ENTRIES]
        if not (part.max() < columns and rising.all() and values.min() > 0 and values.max() <= LARGEST_COUNT):
            return False
    return True


def _agree(by_posting: Counts, by_term: Counts) -> bool:
    """Return whether two matrices can be transposes: their entries and totals agree."""
    return len(by_posting.columns) == len(by_term.columns) and _sum(by_posting.counts) == _sum(by_term.counts)


def _sum(counts: NDArray[np.unsignedinteger[Any]]) -> int:
    total = 0
    for begin in range(0, len(counts), _ENTRIES):
        part = counts[begin : begin + _ENTRIES]
        if part.dtype == np.uint8 and len(part) == _ENTRIES:
            # Sums of 256 bytes fit 16 bits: numpy adds them without converting each to 64.
            part = np.add.reduce(part.reshape(256, -1), axis=0, dtype=np.uint16)
        total += int(part.sum(dtype=np.int64))
    return total
