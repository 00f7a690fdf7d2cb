"""How sure a mean over queries is, and whether two systems differ: bootstrap intervals and a paired test.

Plain NumPy: `scipy.stats.bootstrap` and `permutation_test` give the same (tests compare), but take a second
to import, name their seed differently from version to version, and hold all resamples in memory at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from matcher.errors import OptionError

__all__: Final = ["Interval", "bootstrap_interval", "paired_interval", "randomisation_test"]

MOST_EXACT: Final = 20
"""Queries that differ, up to which all sign flips are tried: half of 2**20 sums are 4 MB."""

_CHUNK: Final = 1 << 21
"""Numbers drawn at a time."""


class Interval(NamedTuple):
    """Where a mean lies with a certain confidence.

    Examples
    --------
    >>> Interval(0.25, 0.75).low
    0.25
    """

    low: float
    high: float


def bootstrap_interval(
    values: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Return the percentile bootstrap interval of the mean of a measure over queries.

    Queries are drawn with replacement, as many as there are; the interval cuts off the same share of the
    means of all drawings at both ends. Sources: Efron and Tibshirani, An introduction to the bootstrap, 1993,
    chapter 13; Sakai, Evaluating evaluation metrics based on the bootstrap, SIGIR 2006. With fewer than some
    20 queries it tends to be too narrow.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        A measure, one value for each query, at least 2.
    confidence : float
        Above 0 and below 1.
    resamples : int
        At least 1.
    seed : int
        At least 0. The same seed draws the same queries, so intervals of several measures go together.

    Raises
    ------
    OptionError
        When an argument is out of range.

    Examples
    --------
    >>> low, high = bootstrap_interval([0.2, 0.4, 0.6, 0.8])
    >>> round(low, 3), round(high, 3)
    (0.3, 0.7)
    """
    sample = _check_values(values, 2)
    if isinstance(confidence, bool) or not isinstance(confidence, (int, float)) or not 0 < confidence < 1:
        raise OptionError(f"confidence must be above 0 and below 1, got {confidence!r}")
    _check_whole("resamples", resamples, 1)
    _check_whole("seed", seed, 0)
    random = np.random.default_rng(seed)
    means = np.concatenate(
        [
            sample[random.integers(sample.size, size=(size, sample.size))].mean(axis=1)
            for size in _chunks(resamples, sample.size)
        ]
    )
    tail = 50 * (1 - confidence)
    low, high = np.percentile(means, [tail, 100 - tail])
    return Interval(float(low), float(high))


def paired_interval(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """Return the percentile bootstrap interval of the mean difference of two systems, first minus second.

    Both systems answer the same queries; their differences are drawn, as in `bootstrap_interval`. Source:
    Sakai, Evaluating evaluation metrics based on the bootstrap, SIGIR 2006.

    Parameters
    ----------
    first, second : array_like of float, shape (n,)
        A measure of each system, query by query in the same order, at least 2.
    confidence, resamples, seed
        As in `bootstrap_interval`.

    Raises
    ------
    OptionError
        When an argument is out of range, or the systems have different numbers of values.

    Examples
    --------
    >>> paired_interval([0.5, 0.75, 1.0], [0.25, 0.5, 0.75])
    Interval(low=0.25, high=0.25)
    """
    return bootstrap_interval(
        _differences(first, second), confidence=confidence, resamples=resamples, seed=seed
    )


def randomisation_test(
    first: ArrayLike, second: ArrayLike, *, resamples: int = 100_000, seed: int = 0
) -> float:
    """Return the two-sided p-value of the paired randomisation test of two systems.

    If the systems were the same, each query's difference could as well have the other sign: p is the share of
    all ways to flip signs whose mean difference is at least as far from 0 as the one found. It is exact when
    up to `MOST_EXACT` queries differ. With more, flips are drawn, and p is ``(hits + 1) / (resamples + 1)``,
    so that it is never 0. Sources: Fisher, The design of experiments, 1935; Smucker, Allan and Carterette, A
    comparison of statistical significance tests for information retrieval evaluation, CIKM 2007.

    Parameters
    ----------
    first, second : array_like of float, shape (n,)
        A measure of each system, query by query in the same order, at least 1.
    resamples : int
        At least 1.
    seed : int
        At least 0.

    Returns
    -------
    float
        Above 0 and up to 1; 1 when no query differs. With *n* queries that differ it is at least
        ``2 / 2**n``: few queries cannot show a difference.

    Raises
    ------
    OptionError
        When an argument is out of range, or the systems have different numbers of values.

    Examples
    --------
    >>> randomisation_test([0.5, 0.6, 0.9, 0.7], [0.4, 0.5, 0.6, 0.5])
    0.125
    """
    differences = _differences(first, second)
    _check_whole("resamples", resamples, 1)
    _check_whole("seed", seed, 0)
    differences = differences[differences != 0]
    if not differences.size:
        return 1.0
    # Sums that are equal but for rounding are equal.
    found = abs(math.fsum(differences)) - 1e-12 * math.fsum(np.abs(differences))
    if differences.size <= MOST_EXACT:
        # The first sign stays: flipping all of them changes no absolute value.
        sums = differences[:1]
        for difference in differences[1:]:
            sums = np.concatenate([sums + difference, sums - difference])
        return float(np.mean(np.abs(sums) >= found))
    random = np.random.default_rng(seed)
    hits = 0
    for size in _chunks(resamples, differences.size):
        flips = random.integers(2, size=(size, differences.size), dtype=np.int8) * np.int8(2) - np.int8(1)
        hits += int(np.count_nonzero(np.abs(flips @ differences) >= found))
    return (hits + 1) / (resamples + 1)


def _chunks(resamples: int, queries: int) -> Sequence[int]:
    size = max(1, _CHUNK // queries)
    full, rest = divmod(resamples, size)
    return [size] * full + [rest] * (rest > 0)


def _differences(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    one, other = _check_values(first, 1), _check_values(second, 1)
    if one.size != other.size:
        raise OptionError(f"paired systems have a value for each query: got {one.size:,} and {other.size:,}")
    return one - other


def _check_values(values: ArrayLike, least: int) -> NDArray[np.float64]:
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError("values must be numbers, one for each query") from None
    if array.ndim != 1 or array.size < least:
        raise OptionError(f"values must be a list of at least {least}, got the shape {array.shape}")
    if not np.isfinite(array).all():
        raise OptionError("values must be finite")
    return array


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise OptionError(f"{name} must be a whole number of at least {least}, got {value!r}")
