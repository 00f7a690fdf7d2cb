"""Which weights of feature blocks are tried, and how one set of them is chosen without fooling oneself.

Pure functions of numbers and names; `matcher.tuning` measures rankings.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import combinations, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__: Final = ["candidate_weights", "choose_candidate", "deal_folds", "distance"]

MOST_ON_GRID: Final = 70
FINEST: Final = 10
"""Steps of the grid from 0 to all. Finer ones rank nearly alike."""

FACTORS: Final = (0.0, 0.5, 2.0, 4.0)
"""By which one weight at a time is multiplied."""

_DIGITS: Final = 2
"""Of a share. Finer differences rank nearly alike, and people read these numbers."""


def candidate_weights(default: Mapping[str, float], free: Sequence[str]) -> list[dict[str, float]]:
    """Return the weights to try, the default first; the same for the same arguments.

    They are all ways to share out the weight of the free blocks in equal steps (tenths for two or three
    blocks, coarser for more, so that there are at most `MOST_ON_GRID`), and the default with one weight
    at a time left out, halved, doubled and quadrupled, in hundredths. Their sum stays about that of the
    default.

    Parameters
    ----------
    default : mapping of str to float
        Weight by name of the block.
    free : sequence of str
        The blocks whose weights may change. The others keep theirs.

    Examples
    --------
    >>> found = candidate_weights({"text": 0.7, "hashtags": 0.3}, ["text", "hashtags"])
    >>> len(found), found[0], found[1]
    (14, {'text': 0.7, 'hashtags': 0.3}, {'text': 0.0, 'hashtags': 1.0})
    >>> candidate_weights({"text": 0.7, "hashtags": 0.3}, ["text"])
    [{'text': 0.7, 'hashtags': 0.3}]
    """
    start = [default[name] for name in free]
    total = math.fsum(start) or 1.0
    shares = [*_grid(len(free)), *_beside([weight / total for weight in start])]
    found = [dict(default)]
    if len(free) < 2:
        return found
    seen = {_rounded(start, total)}
    for some in shares:
        weights = _rounded(some, 1.0)
        if weights not in seen:
            seen.add(weights)
            found.append(
                {**default, **{name: share * total for name, share in zip(free, weights, strict=True)}}
            )
    # Products of round numbers are to be read: 0.7 * 0.1 is not 0.06999999999999999.
    rounded = [{name: float(f"{weight:.12g}") for name, weight in weights.items()} for weights in found[1:]]
    return [found[0], *rounded]


def _grid(blocks: int) -> Iterator[list[float]]:
    """Yield all ways to share 1 among so many blocks in equal steps."""
    if not blocks:
        return
    steps = max(s for s in range(1, FINEST + 1) if s == 1 or math.comb(s + blocks - 1, s) <= MOST_ON_GRID)
    for bars in combinations(range(steps + blocks - 1), blocks - 1):
        edges = [-1, *bars, steps + blocks - 1]
        yield [(after - before - 1) / steps for before, after in pairwise(edges)]


def _beside(shares: Sequence[float]) -> Iterator[list[float]]:
    """Yield the shares with one of them multiplied, made to sum up to 1 again."""
    for place, factor in ((place, factor) for place in range(len(shares)) for factor in FACTORS):
        changed = [share * (factor if number == place else 1.0) for number, share in enumerate(shares)]
        if total := math.fsum(changed):
            yield [share / total for share in changed]


def _rounded(weights: Sequence[float], total: float) -> tuple[float, ...]:
    return tuple(round(weight / total, _DIGITS) for weight in weights)


def distance(first: Mapping[str, float], second: Mapping[str, float]) -> float:
    """Return how much of the weight lies elsewhere: 0 for the same proportions, 1 for no block in common.

    Examples
    --------
    >>> distance({"text": 0.75, "hashtags": 0.25}, {"text": 2.0, "hashtags": 2.0})
    0.25
    """
    one, other = math.fsum(first.values()), math.fsum(second.values())
    return math.fsum(abs(first[name] / one - second[name] / other) for name in first) / 2


def deal_folds(names: Sequence[str], folds: int, seed: int = 0, dealing: int = 0) -> NDArray[np.int64]:
    """Return the fold of each name, 0 to ``folds - 1``, all of the same size give or take one.

    Names are dealt in the order of a hash, whatever order they come in. Another seed or dealing takes another
    hash.

    Examples
    --------
    >>> deal_folds(["a", "b", "c", "d"], 2), deal_folds(["d", "c", "b", "a"], 2)
    (array([1, 0, 0, 1]), array([1, 0, 0, 1]))
    """
    keys = [sha256(f"{seed} {dealing} {name}".encode("utf-8", "surrogatepass")).digest() for name in names]
    fold = np.empty(len(names), np.int64)
    fold[sorted(range(len(names)), key=keys.__getitem__)] = np.arange(len(names)) % folds
    return fold


def choose_candidate(values: NDArray[np.float64], distances: Sequence[float]) -> int:
    """Return which candidate to prefer: the nearest to the default of those that are about the best.

    About the best are those whose mean is within one standard error of the largest mean (of the paired
    differences, for the same queries were measured) and not below that of the default. It is the
    one-standard-error rule of Breiman, Friedman, Olshen and Stone, Classification and regression trees, 1984,
    section 3.4.3, with the distance to the default for complexity.

    Parameters
    ----------
    values : ndarray of float64, shape (candidates, queries)
        A measure; the default comes first.
    distances : sequence of float
        Of each candidate to the default.

    Returns
    -------
    int
        0 for the default.

    Examples
    --------
    >>> values = np.array([[0.5, 0.5, 0.5], [0.7, 0.6, 0.6], [0.7, 0.6, 0.7]])
    >>> choose_candidate(values, [0.0, 0.1, 0.5])
    1
    """
    count = values.shape[1]
    means = values.mean(axis=1)
    best = int(np.argmax(means))
    differences = values[best] - values
    errors = differences.std(axis=1, ddof=1) / math.sqrt(count) if count > 1 else np.zeros(len(values))
    # Where a single query differs, the mean difference is the standard error but for rounding.
    near = (means[best] - means <= errors * (1 + 1e-9) + 1e-12) & (means >= means[0])

    def order(number: int) -> tuple[float, float, int]:
        return round(distances[number], 9), -round(float(means[number]), 12), number

    return min(np.flatnonzero(near).tolist(), key=order)
