"""Dense vectors of postings: small integers, so that products are exact and the same everywhere.

A row is a posting's vector, scaled until its largest number is 127 and rounded; only its direction counts.
Profiles are vectors of larger integers (`quantise_profiles`), and the cosine of both is an exact integer
divided by two square roots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError

__all__: Final = [
    "MOST_DIMENSIONS",
    "DenseVectors",
    "estimation_error",
    "invert_norm",
    "quantise_postings",
    "quantise_profiles",
]

MOST_DIMENSIONS: Final = 4096

LARGEST: Final = 127
"""The largest number of a posting's vector."""

_LARGEST_OF_PROFILE: Final = 32_767
_LARGEST_PRODUCT: Final = 2**31 - 1
"""Products of a profile and a posting fit 32 bits, which is what compiled code adds up in."""

_ROWS: Final = 2048
"""Rows that are multiplied together: as float32 they stay in the second-level cache."""

_UNIT_ROUNDOFF: Final = 2.0**-24


@dataclass(frozen=True, slots=True, eq=False)
class DenseVectors:
    """The vectors of some postings.

    Parameters
    ----------
    vectors : ndarray of int8, shape (postings, dimensions)
        From -127 to 127; all 0 for a posting without data.
    inverse_norms : ndarray of float64, shape (postings,)
        ``1 / |row|``; 0 for a posting without data.

    Examples
    --------
    >>> DenseVectors.from_rows(np.array([[0.6, -0.8], [0.0, 0.0]])).vectors
    array([[  95, -127],
           [   0,    0]], dtype=int8)
    """

    vectors: NDArray[np.int8]
    inverse_norms: NDArray[np.float64]

    @classmethod
    def from_rows(cls, rows: NDArray[np.float64]) -> DenseVectors:
        """Return vectors of any length as those of postings.

        Examples
        --------
        >>> DenseVectors.from_rows(np.array([[0.0, 3.0]])).inverse_norms.round(5)
        array([0.00787])
        """
        return cls.from_vectors(quantise_postings(rows))

    @classmethod
    def from_vectors(cls, vectors: NDArray[np.int8]) -> DenseVectors:
        """Return quantised vectors with their norms.

        Examples
        --------
        >>> len(DenseVectors.from_vectors(np.zeros((3, 2), np.int8)))
        3
        """
        squares = np.empty(len(vectors), np.int64)
        for first in range(0, len(vectors), _ROWS):
            part = vectors[first : first + _ROWS].astype(np.int32)
            np.einsum("rd,rd->r", part, part, out=squares[first : first + _ROWS])
        norms = np.sqrt(squares.astype(np.float64))
        return cls(vectors, np.divide(1.0, norms, out=np.zeros(len(norms)), where=norms > 0))

    @classmethod
    def concatenate(cls, parts: Sequence[DenseVectors], kept: Sequence[NDArray[np.int64]]) -> DenseVectors:
        """Return the rows `kept` of several, one after the other.

        Examples
        --------
        >>> one = DenseVectors.from_rows(np.eye(2))
        >>> DenseVectors.concatenate([one, one], [np.array([1]), np.array([0])]).vectors
        array([[  0, 127],
               [127,   0]], dtype=int8)
        """
        return cls(
            np.concatenate([part.vectors[rows] for part, rows in zip(parts, kept, strict=True)]),
            np.concatenate([part.inverse_norms[rows] for part, rows in zip(parts, kept, strict=True)]),
        )

    def take(self, rows: NDArray[np.int64]) -> DenseVectors:
        """Return some rows.

        Examples
        --------
        >>> DenseVectors.from_rows(np.eye(2)).take(np.array([1])).vectors
        array([[  0, 127]], dtype=int8)
        """
        return DenseVectors(self.vectors[rows], self.inverse_norms[rows])

    @classmethod
    def from_files(cls, files: Mapping[str, NDArray[np.generic]], name: str, rows: int) -> DenseVectors:
        """Return what `to_files` wrote, after checking it.

        Raises
        ------
        ModelDamagedError
            When there is not a row of numbers for each posting.

        Examples
        --------
        >>> files = DenseVectors.from_rows(np.eye(2)).to_files("semantic")
        >>> DenseVectors.from_files(files, "semantic", rows=3)
        Traceback (most recent call last):
        matcher.errors.ModelDamagedError: semantic.vectors: expected 3 rows of numbers from -127 to 127
        """
        stored = files[f"{name}.vectors"]
        size = stored.size // max(1, rows)
        if stored.dtype != np.uint8 or stored.shape != (rows * size,):
            raise ModelDamagedError(f"{name}.vectors: expected {rows} rows of numbers from -127 to 127")
        vectors = stored.view(np.int8).reshape(rows, size)
        if (rows and not 1 <= size <= MOST_DIMENSIONS) or np.any(vectors == -LARGEST - 1):
            raise ModelDamagedError(f"{name}.vectors: expected {rows} rows of numbers from -127 to 127")
        return cls.from_vectors(vectors)

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the arrays by file name; norms follow from them.

        Examples
        --------
        >>> list(DenseVectors.from_rows(np.eye(2)).to_files("semantic"))
        ['semantic.vectors']
        """
        return {f"{name}.vectors": np.ascontiguousarray(self.vectors).reshape(-1).view(np.uint8)}

    def __len__(self) -> int:
        return len(self.vectors)

    def products(self, vector: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact products of a profile's vector with some rows, shape (rows,): whole numbers.

        Examples
        --------
        >>> DenseVectors.from_rows(np.eye(2)).products(np.array([3, -1], np.int32), np.array([1, 0]))
        array([-127.,  381.])
        """
        products = np.empty(len(rows))
        wide = vector.astype(np.int64)
        for first in range(0, len(rows), _ROWS):
            part = self.vectors[rows[first : first + _ROWS]].astype(np.int64)
            products[first : first + _ROWS] = np.einsum("rd,d->r", part, wide)
        return products

    def estimate_products(
        self, vector: NDArray[np.int32], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return the products of a profile's vector with `rows` (all for None), nearly exact.

        Each is off by at most `estimation_error` times the lengths of both vectors; those so near 0 are
        computed exactly, so every sign is right.

        Examples
        --------
        >>> DenseVectors.from_rows(np.eye(2)).estimate_products(np.array([3, -1], np.int32))
        array([ 381., -127.])
        """
        count = len(self) if rows is None else len(rows)
        sums = np.empty(count, np.float32)
        single = vector.astype(np.float32)
        room = np.empty((min(_ROWS, count), len(vector)), np.float32)
        for first in range(0, count, _ROWS):
            part = slice(first, first + _ROWS)
            some = self.vectors[part] if rows is None else self.vectors[rows[part]]
            np.copyto(room[: len(some)], some)
            # Not ``@``: BLAS shares such small products out to threads and waits for busy cores.
            np.einsum("rd,d->r", room[: len(some)], single, out=sums[part])
        products = sums.astype(np.float64)
        length = 1.0 / (invert_norm(vector) or 1.0)
        largest = LARGEST * float(np.sqrt(len(vector))) * length
        near = np.flatnonzero(np.abs(products) <= estimation_error(len(vector)) * largest)
        products[near] = self.products(vector, near if rows is None else rows[near])
        return products


def estimation_error(dimensions: int) -> float:
    """Return how far `DenseVectors.estimate_products` can be off, relative to the lengths of both vectors.

    Sums of ``d`` products in float32, in any order, are off by at most ``d * u / (1 - d * u)`` times the sum
    of the absolute products, which is at most the product of the lengths (Higham, Accuracy and Stability of
    Numerical Algorithms, 2002, section 3.1; Cauchy-Schwarz). This is twice that, for what follows.

    Examples
    --------
    >>> round(estimation_error(256), 6)
    3.2e-05
    """
    return 2 * (dimensions + 16) * _UNIT_ROUNDOFF


def invert_norm(vector: NDArray[np.int32]) -> float:
    """Return ``1 / |vector|``, 0 for one without data.

    Examples
    --------
    >>> invert_norm(np.array([3, 4], np.int32))
    0.2
    """
    wide = vector.astype(np.int64)
    square = int(wide @ wide)
    return 1.0 / float(np.sqrt(float(square))) if square else 0.0


def quantise_postings(rows: NDArray[np.float64]) -> NDArray[np.int8]:
    """Return rows in whole numbers, the largest of each 127; those without data all 0.

    Examples
    --------
    >>> quantise_postings(np.array([[2.0, -1.0]]))
    array([[127, -64]], dtype=int8)
    """
    return _quantise(rows, LARGEST).astype(np.int8)


def quantise_profiles(rows: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return rows in whole numbers, as large as products with postings may become.

    Examples
    --------
    >>> quantise_profiles(np.array([[2.0, -1.0]]))
    array([[ 32767, -16384]], dtype=int32)
    """
    most = _LARGEST_PRODUCT // (LARGEST * max(1, rows.shape[1]))
    return _quantise(rows, min(_LARGEST_OF_PROFILE, most)).astype(np.int32)


def _quantise(rows: NDArray[np.float64], largest: int) -> NDArray[np.float64]:
    most = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    scaled = np.divide(rows, most, out=np.zeros(rows.shape), where=most > 0)
    quantised: NDArray[np.float64] = np.rint(scaled * largest)
    return quantised
