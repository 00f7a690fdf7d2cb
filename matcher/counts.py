"""One block of features of all postings: integer counts by posting and by term, and a norm a posting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import check_starts
from matcher.errors import ModelDamagedError

__all__: Final = ["BlockIndex", "Counts"]

LARGEST_COUNT: Final = 1 << 24
"""How often a term may occur in a posting."""

LEAST_INVERSE_NORM: Final = 1e-18
LARGEST_INVERSE_NORM: Final = 1e6
"""A posting with data has a count of at least 1 of a term that weighs about 1, so 1 is the usual largest."""

_ROWS: Final = 1 << 10
"""Postings whose norms are computed together: what is needed for them stays in the caches."""

_ENTRIES: Final = 1 << 18
"""Entries that are checked together, for the same reason."""


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
    """

    weight: float
    by_posting: Counts
    by_term: Counts
    inverse_norms: NDArray[np.float64]

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
        rows = len(counts.starts) - 1
        norms = np.zeros(rows)
        for first in range(0, rows, _ROWS):
            starts = counts.starts[first : first + _ROWS + 1]
            entries = slice(starts[0], starts[-1])
            squares = (counts.counts[entries] * term_weights[counts.columns[entries]]) ** 2
            positions = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
            norms[first : first + _ROWS] = np.sqrt(
                np.bincount(positions, weights=squares, minlength=len(starts) - 1)
            )
        inverse = np.divide(1.0, norms, out=np.zeros(rows), where=norms > 0)
        return cls(weight, counts, by_term or counts.transpose(len(term_weights)), inverse)

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
        if not _agree(by_posting, by_term):
            raise ModelDamagedError(f"{name}: the two orders of the matrix differ")
        if inverse.shape != (rows,) or inverse.dtype != np.float64:
            raise ModelDamagedError(f"{name}.inverse_norms: expected {rows} numbers of float64")
        sound = (inverse == 0) | ((inverse >= LEAST_INVERSE_NORM) & (inverse <= LARGEST_INVERSE_NORM))  # type: ignore[operator]
        if not np.all(sound):
            bounds = f"{LEAST_INVERSE_NORM:g} to {LARGEST_INVERSE_NORM:g}"
            raise ModelDamagedError(f"{name}.inverse_norms: expected 0 or numbers from {bounds}")
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
    return len(by_posting.columns) == len(by_term.columns) and int(
        by_posting.counts.sum(dtype=np.int64)
    ) == int(by_term.counts.sum(dtype=np.int64))
