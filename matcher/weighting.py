"""What feature blocks weigh their terms by, and settings that are numbers."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__: Final = ["FADINGS", "as_float", "fade", "smooth_idf"]


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


FADINGS: Final = 1e-3, 1e6
"""From and to where a block's weight may fade."""

_STEPS: Final = (1.0, 27 / 32, 23 / 32, 19 / 32)
_LEVELS: Final = np.array(sorted(step / 2**octave for octave in range(11) for step in _STEPS))
"""What a share is rounded down to. There are few, so that engines can keep what follows from them."""


def fade(words: int, fading: float, known: float | None = None) -> float:
    """Return what of a block's weight is left for a profile, 0 to 1.

    ::

        (fading / (fading + words))**2 * known / words

    rounded down to one of a few levels.

    Parameters
    ----------
    words : int
        Different words of the profile.
    fading : float
        Words at which a quarter is left, above 0.
    known : float, optional
        How many of the words the block can tell something about; all for None.

    Examples
    --------
    >>> fade(0, 30.0), fade(30, 30.0), fade(30, 30.0, known=15), fade(3_000, 30.0)
    (1.0, 0.25, 0.125, 0.0)
    """
    fallen = fading / (fading + words)
    wanted = fallen * fallen * (1.0 if known is None or not words else known / words)
    place = int(np.searchsorted(_LEVELS, wanted, side="right"))
    return float(_LEVELS[place - 1]) if place else 0.0
