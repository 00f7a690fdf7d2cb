"""Dense vectors of postings: small integers, so that products are exact and the same everywhere.

A row is a posting's vector of length 1 in whole numbers (`quantise_postings`). All postings of a board are
alike in something, so what is compared is a row less the mean of all rows, the *centre*, which is learned: in
256ths, so that the difference is whole, too. Profiles are vectors of larger integers (`quantise_profiles`),
and the cosine of both is an exact integer divided by two square roots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError

__all__: Final = [
    "FINE",
    "LARGEST",
    "MOST_DIMENSIONS",
    "CentredVectors",
    "DenseVectors",
    "estimation_error",
    "invert_norm",
    "learn_centre",
    "length_of_postings",
    "quantise_postings",
    "quantise_profiles",
    "to_unit",
]

MOST_DIMENSIONS: Final = 4096

LARGEST: Final = 127
"""The largest number of a posting's vector."""

FINE: Final = 256
"""Parts of one in which the centre is a whole number."""

PRIOR_POSTINGS: Final = 1_000
"""As many postings the mean that is expected beforehand counts for: a few postings tell little of theirs."""

LEAST_DISTANCE: Final = 0.02
"""A posting that is nearer to the centre, in lengths of its own, points nowhere."""

_LARGEST_OF_PROFILE: Final = 32_767
_LARGEST_PRODUCT: Final = 2**31 - 1
"""Products of a profile and a row fit 32 bits, which is what compiled code adds up in."""

_ROWS: Final = 2048
"""Rows that are multiplied together: as float32 they stay in the second-level cache."""

_WHOLE: Final = 255

_EXACT_ROWS: Final = 512
_MOST_EXACT: Final = 1_024
"""Rows whose sums are exact in float32, and dimensions up to which products are."""

_UNIT_ROUNDOFF: Final = 2.0**-24


@dataclass(frozen=True, slots=True, eq=False)
class DenseVectors:
    """The vectors of some postings, as they are stored: they never change.

    Parameters
    ----------
    vectors : ndarray of int8, shape (postings, dimensions)
        From -127 to 127; all 0 for a posting without data.
    known : ndarray of uint8, shape (postings,), optional
        What share of a posting's words the vector stands for, in 255ths; all of them for None.

    Examples
    --------
    >>> DenseVectors.from_rows(np.array([[0.6, -0.8], [0.0, 0.0]])).vectors
    array([[  76, -102],
           [   0,    0]], dtype=int8)
    """

    vectors: NDArray[np.int8]
    known: NDArray[np.uint8] | None = None

    @property
    def shares(self) -> NDArray[np.float64]:
        """What share of each posting's words its vector stands for, 0 to 1; shape (postings,).

        Examples
        --------
        >>> DenseVectors(np.eye(2, dtype=np.int8), np.array([255, 51], np.uint8)).shares
        array([1. , 0.2])
        """
        return np.ones(len(self)) if self.known is None else self.known / _WHOLE

    @classmethod
    def from_rows(cls, rows: NDArray[np.float64]) -> DenseVectors:
        """Return vectors of any length as those of postings.

        Examples
        --------
        >>> DenseVectors.from_rows(np.array([[0.0, 3.0]])).vectors
        array([[  0, 127]], dtype=int8)
        """
        return cls(quantise_postings(rows))

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
        pairs = list(zip(parts, kept, strict=True))
        known = [part.known[rows] for part, rows in pairs if part.known is not None]
        return cls(
            np.concatenate([part.vectors[rows] for part, rows in pairs]),
            np.concatenate(known) if len(known) == len(pairs) else None,
        )

    def take(self, rows: NDArray[np.int64]) -> DenseVectors:
        """Return some rows.

        Examples
        --------
        >>> DenseVectors.from_rows(np.eye(2)).take(np.array([1])).vectors
        array([[  0, 127]], dtype=int8)
        """
        return DenseVectors(self.vectors[rows], None if self.known is None else self.known[rows])

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
        known = files[f"{name}.known"]
        if known.dtype != np.uint8 or known.shape != (rows,):
            raise ModelDamagedError(f"{name}.known: expected {rows} numbers from 0 to {_WHOLE}")
        return cls(vectors, known)  # type: ignore[arg-type]

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the array by file name.

        Examples
        --------
        >>> list(DenseVectors.from_rows(np.eye(2)).to_files("semantic"))
        ['semantic.vectors', 'semantic.known']
        """
        return {
            f"{name}.vectors": np.ascontiguousarray(self.vectors).reshape(-1).view(np.uint8),
            f"{name}.known": np.full(len(self), _WHOLE, np.uint8) if self.known is None else self.known,
        }

    def add_up(self, rows: NDArray[np.int64] | None = None) -> tuple[NDArray[np.int64], int]:
        """Return the sum of `rows` (all for None), and how many of them have data.

        Examples
        --------
        >>> DenseVectors.from_rows(np.array([[3.0, 4.0], [0.0, 0.0]])).add_up()
        (array([ 76, 102]), 1)
        """
        total, known = np.zeros(self.vectors.shape[1], np.int64), 0
        for part, _ in _exact_parts(self.vectors if rows is None else self.vectors[rows]):
            total += part.sum(axis=0).astype(np.int64)
            known += int(np.count_nonzero(np.einsum("rd,rd->r", part, part)))
        return total, known

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True, eq=False)
class CentredVectors:
    """Vectors of postings less their centre: what profiles are compared with.

    Parameters
    ----------
    vectors : ndarray of int8, shape (postings, dimensions)
    centre : ndarray of int32, shape (dimensions,)
        In 256ths (`FINE`).

    Examples
    --------
    >>> centred = CentredVectors(np.array([[3, 4]], np.int8), np.array([256, 0], np.int32))
    >>> centred.products(np.array([1, 10], np.int32), np.array([0])) / FINE
    array([42.])
    """

    vectors: NDArray[np.int8]
    centre: NDArray[np.int32]

    def invert_norms(self) -> NDArray[np.float64]:
        """Return ``1 / |256 row - centre|``; 0 for a posting without data, or that is the centre itself.

        Examples
        --------
        >>> vectors = np.array([[3, 4], [0, 0]], np.int8)
        >>> (CentredVectors(vectors, np.zeros(2, np.int32)).invert_norms() * FINE).round(6)
        array([0.2, 0. ])
        """
        squares, products = np.empty((2, len(self.vectors)), np.int64)
        # Digits of the centre, so that products with each are exact in whatever order they are summed.
        high, low = np.divmod(self.centre, FINE)
        for part, some in _exact_parts(self.vectors):
            squares[some] = np.einsum("rd,rd->r", part, part)
            products[some] = FINE * np.einsum("rd,d->r", part, high.astype(part.dtype)).astype(np.int64)
            products[some] += np.einsum("rd,d->r", part, (low - FINE // 2).astype(part.dtype)).astype(
                np.int64
            )
            products[some] += FINE // 2 * part.sum(axis=1).astype(np.int64)
        centre = self.centre.astype(np.int64)
        distances = FINE * FINE * squares - 2 * FINE * products + int(centre @ centre)
        least = LEAST_DISTANCE * FINE * length_of_postings(len(self.centre))
        known = (squares > 0) & (distances > least * least)
        lengths = np.sqrt(np.maximum(distances, 1).astype(np.float64))
        inverse: NDArray[np.float64] = np.divide(1.0, lengths, out=np.zeros(len(known)), where=known)
        return inverse

    def products(self, vector: NDArray[np.int32], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the exact products of a profile's vector with ``256 row - centre``, shape (rows,).

        Examples
        --------
        >>> centred = CentredVectors(np.eye(2, dtype=np.int8), np.zeros(2, np.int32))
        >>> centred.products(np.array([3, -1], np.int32), np.array([1, 0]))
        array([-256.,  768.])
        """
        products = np.empty(len(rows))
        wide = vector.astype(np.int64)
        shift = self.shift(vector)
        for first in range(0, len(rows), _ROWS):
            part = self.vectors[rows[first : first + _ROWS]].astype(np.int64)
            products[first : first + _ROWS] = FINE * np.einsum("rd,d->r", part, wide) - shift
        return products

    def shift(self, vector: NDArray[np.int32]) -> int:
        """Return the product of a profile's vector with the centre.

        Examples
        --------
        >>> centred = CentredVectors(np.zeros((0, 2), np.int8), np.array([2, 1], np.int32))
        >>> centred.shift(np.array([3, 4], np.int32))
        10
        """
        return int(vector.astype(np.int64) @ self.centre.astype(np.int64))

    def estimate_products(
        self, vector: NDArray[np.int32], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.float64]:
        """Return `products` of `rows` (all for None), nearly exact.

        Each is off by at most `estimation_error` times the lengths of the profile and of ``256 row``; those
        so near 0 are computed exactly, so every sign is right.

        Examples
        --------
        >>> centred = CentredVectors(np.eye(2, dtype=np.int8), np.zeros(2, np.int32))
        >>> centred.estimate_products(np.array([3, -1], np.int32))
        array([ 768., -256.])
        """
        count = len(self.vectors) if rows is None else len(rows)
        sums = np.empty(count, np.float32)
        single = vector.astype(np.float32)
        room = np.empty((min(_ROWS, count), len(vector)), np.float32)
        for first in range(0, count, _ROWS):
            part = slice(first, first + _ROWS)
            some = self.vectors[part] if rows is None else self.vectors[rows[part]]
            np.copyto(room[: len(some)], some)
            # Not ``@``: BLAS shares such small products out to threads and waits for busy cores.
            np.einsum("rd,d->r", room[: len(some)], single, out=sums[part])
        products = FINE * sums.astype(np.float64) - self.shift(vector)
        length = 1.0 / (invert_norm(vector) or 1.0)
        largest = FINE * LARGEST * float(np.sqrt(len(vector))) * length
        near = np.flatnonzero(np.abs(products) <= estimation_error(len(vector)) * largest)
        products[near] = self.products(vector, near if rows is None else rows[near])
        return products

    def error_of_cosines(self, inverse_norms: NDArray[np.float64]) -> float:
        """Return how far cosines from `estimate_products` can be off; `inverse_norms` are those of the rows.

        A row is at most as long as itself less the centre and the centre together.

        Examples
        --------
        >>> centred = CentredVectors(np.eye(2, dtype=np.int8), np.zeros(2, np.int32))
        >>> centred.error_of_cosines(centred.invert_norms()) == estimation_error(2)
        True
        """
        centre = self.centre.astype(np.float64)
        length = float(np.sqrt(centre @ centre))
        return estimation_error(len(centre)) * (1.0 + length * float(inverse_norms.max(initial=0.0)))


def _exact_parts(
    vectors: NDArray[np.int8],
) -> Iterator[tuple[NDArray[np.floating[Any]], slice]]:
    """Yield rows as floats, some at a time, in which sums of their products are exact.

    Whole numbers below ``2**24`` are, in float32: up to 1,024 products of two numbers up to 128.
    """
    kind = np.float32 if vectors.shape[1] <= _MOST_EXACT else np.float64
    room = np.empty((min(_EXACT_ROWS, len(vectors)), vectors.shape[1]), kind)
    for first in range(0, len(vectors), _EXACT_ROWS):
        part = vectors[first : first + _EXACT_ROWS]
        np.copyto(room[: len(part)], part)
        yield room[: len(part)], slice(first, first + len(part))


def learn_centre(sums: NDArray[np.int64], known: int, expected: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the mean of postings' vectors in 256ths, drawn to what is expected.

    Parameters
    ----------
    sums : ndarray of int64, shape (dimensions,)
        The sum of all rows; the same however they came together.
    known : int
        How many of them have data.
    expected : ndarray of float64, shape (dimensions,)
        The mean of texts' vectors of length 1 that is expected beforehand; it counts for `PRIOR_POSTINGS`.

    Returns
    -------
    ndarray of int32, shape (dimensions,)
        Numbers no larger than those of rows may be.

    Examples
    --------
    >>> learn_centre(np.array([127_000, 0]), 1_000, np.array([0.0, 0.5]))
    array([16256,  8128], dtype=int32)
    """
    prior = PRIOR_POSTINGS * length_of_postings(len(sums)) * expected
    mean = np.rint(FINE * (sums + prior) / (known + PRIOR_POSTINGS))
    centre: NDArray[np.int32] = np.clip(mean, -FINE * LARGEST, FINE * LARGEST).astype(np.int32)
    return centre


def length_of_postings(dimensions: int) -> int:
    """Return what length 1 is in whole numbers: the longer, the more dimensions share it.

    Examples
    --------
    >>> length_of_postings(2), length_of_postings(256)
    (127, 254)
    """
    return max(LARGEST, isqrt(LARGEST * LARGEST * dimensions // 64))


def estimation_error(dimensions: int) -> float:
    """Return how far `CentredVectors.estimate_products` can be off, relative to the lengths of both vectors.

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
    """Return rows of any length as whole numbers of one length; those without data all 0.

    Examples
    --------
    >>> quantise_postings(np.array([[4.0, -3.0]]))
    array([[102, -76]], dtype=int8)
    """
    scaled = np.rint(to_unit(rows) * length_of_postings(rows.shape[1]))
    quantised: NDArray[np.int8] = np.clip(scaled, -LARGEST, LARGEST).astype(np.int8)
    return quantised


def to_unit(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return rows of any length at length 1; those of length 0 stay so.

    Examples
    --------
    >>> to_unit(np.array([[3e300, -4e300], [0.0, 0.0]]))
    array([[ 0.6, -0.8],
           [ 0. ,  0. ]])
    """
    # Times a power of two, which is exact, so that no square is too large or too small for a float.
    largest = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    rows = np.ldexp(rows, -np.frexp(largest)[1])
    # Summed by einsum, not by BLAS: the same bits whatever the machine's number of threads.
    lengths = np.sqrt(np.einsum("rd,rd->r", rows, rows))[:, None]
    unit: NDArray[np.float64] = np.divide(rows, lengths, out=np.zeros(rows.shape), where=lengths > 0)
    return unit


def quantise_profiles(rows: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return rows in whole numbers, as large as products with postings may become.

    Examples
    --------
    >>> quantise_profiles(np.array([[2.0, -1.0]]))
    array([[ 32767, -16384]], dtype=int32)
    """
    largest = min(_LARGEST_OF_PROFILE, _LARGEST_PRODUCT // (LARGEST * max(1, rows.shape[1])))
    most = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    scaled = np.divide(rows, most, out=np.zeros(rows.shape), where=most > 0)
    quantised: NDArray[np.int32] = np.rint(scaled * largest).astype(np.int32)
    return quantised
