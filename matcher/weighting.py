"""What feature blocks weigh their terms by, and settings that are numbers."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__: Final = ["as_float", "smooth_idf"]


def smooth_idf(document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
    """Return ``ln((1 + n) / (1 + df)) + 1``, the smooth inverse document frequency of scikit-learn.

    Source: scikit-learn, user guide, section "Tf-idf term weighting" (``smooth_idf=True``).

    Parameters
    ----------
    document_frequency : ndarray of int64, shape (terms,)
        In how many postings each term occurs, 1 to `postings`.
    postings : int
        Number of postings.

    Returns
    -------
    ndarray of float64, shape (terms,)
        At least 1.

    Examples
    --------
    >>> smooth_idf(np.array([1, 3]), 3).round(4)
    array([1.6931, 1.    ])
    """
    weights: NDArray[np.float64] = np.log((1.0 + postings) / (1.0 + document_frequency)) + 1.0
    return weights


def as_float(number: object) -> float:
    """Return a number of any kind as float; anything else as it is, for checks to refuse.

    Examples
    --------
    >>> as_float(1), as_float("1")
    (1.0, '1')
    """
    if isinstance(number, (int, float, np.integer, np.floating)) and not isinstance(number, bool):
        with suppress(OverflowError):
            return float(number)
    return number  # type: ignore[return-value]
