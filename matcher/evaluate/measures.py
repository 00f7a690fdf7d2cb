"""Rankings and grades to measures of quality, one pure function for each formula, with its source.

A ranking is a sequence of posting ids, best first. Grades say how well postings fit a CV: grade 0 (as good as
not listed) does not fit, higher grades fit better. Every measure goes from 0 to 1, more is better, and is 0
when no grade is above 0; what a ranking does not hold counts as not found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeGuard

from matcher.errors import OptionError

__all__: Final = [
    "HIGHEST_GRADE",
    "average_precision",
    "check_depth",
    "is_grade",
    "ndcg",
    "precision",
    "r_precision",
    "rank_biased_overlap",
    "recall",
    "reciprocal_rank",
]

HIGHEST_GRADE: Final = 10
"""Gains double with each grade; no scale in use goes further than 4."""


def rank_biased_overlap(first: Sequence[str], second: Sequence[str], p: float = 0.9) -> float:
    """Return how similar two rankings are, counting the top more than the rest.

    It is the mean over all depths of the share of postings that both rankings hold down to that depth; depth
    *d* weighs ``(1 - p) * p**(d - 1)``. Beyond the end of the rankings the last share is taken to go on. This
    is RBO_ext, equation 32 of Webber, Moffat and Zobel, A similarity measure for indefinite rankings, ACM
    TOIS 28(4), 2010. The rankings may differ in length.

    Parameters
    ----------
    first, second : sequence of str
        Ids without repeats, best first.
    p : float
        Above 0 and below 1: how far down somebody reads. With 0.9 the first ten ranks carry 86 % of the
        weight.

    Returns
    -------
    float
        1 for identical rankings (two empty ones, too), 0 when nothing is in both.

    Raises
    ------
    OptionError
        When `p` is out of range or an id comes twice.

    Examples
    --------
    >>> round(rank_biased_overlap(["a", "b", "c"], ["b", "a", "c"]), 3)
    0.9
    >>> rank_biased_overlap(["a"], ["a"]), rank_biased_overlap(["a"], ["b", "c"])
    (1.0, 0.0)
    """
    if not _is_number(p) or not 0 < p < 1:
        raise OptionError(f"p must be above 0 and below 1, got {p!r}")
    shorter, longer = sorted((_check_ranking(first), _check_ranking(second)), key=len)
    if not shorter:
        return float(not longer)
    overlap, seen_shorter, seen_longer = 0, set[str](), set[str]()
    agreements = []
    for depth, from_longer in enumerate(longer, 1):
        seen_longer.add(from_longer)
        if depth <= len(shorter):
            seen_shorter.add(shorter[depth - 1])
            overlap += shorter[depth - 1] in seen_longer
            overlap += from_longer in seen_shorter and from_longer != shorter[depth - 1]
            overlap_of_shorter = overlap
            agreements.append(overlap / depth)
        else:
            overlap += from_longer in seen_shorter
            # The shorter ranking is taken to go on with the share of hits that it ended with.
            assumed = overlap_of_shorter * (depth - len(shorter)) / len(shorter)
            agreements.append((overlap + assumed) / depth)
    weights = [(1 - p) * p**depth for depth in range(len(longer))]
    weights.append(p ** len(longer))  # of all depths beyond the end
    agreements.append(agreements[-1])
    weighted = math.fsum(weight * share for weight, share in zip(weights, agreements, strict=True))
    # The weights add up to 1 but for rounding: divided by their sum, identical rankings get 1 exactly.
    return min(1.0, weighted / math.fsum(weights))


def ndcg(ranking: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Return the normalised discounted cumulative gain of the first `k` of a ranking.

    The gain ``2**grade - 1`` of each posting is divided by ``log2(rank + 1)``; the sum is divided by that of
    the best possible ranking of all judged postings. Sources: Järvelin and Kekäläinen, Cumulated gain-based
    evaluation of IR techniques, ACM TOIS 20(4), 2002; the gain is that of Burges et al., Learning to rank
    using gradient descent, ICML 2005.

    Parameters
    ----------
    ranking : sequence of str
        Ids without repeats, best first. What is not in `grades` has grade 0.
    grades : mapping of str to int
        Grades of at least 0 by id. Leave out what could not be ranked, or no ranking reaches 1.
    k : int
        At least 1.

    Returns
    -------
    float
        0 to 1; 0 when no grade is above 0.

    Raises
    ------
    OptionError
        When `k` is below 1, a grade is no whole number of 0 to `HIGHEST_GRADE`, or an id comes twice.

    Examples
    --------
    >>> ndcg(["a", "b"], {"a": 2, "b": 1}), round(ndcg(["b", "a"], {"a": 2, "b": 1}), 3)
    (1.0, 0.797)
    """
    check_depth(k)
    _check_grades(grades)
    ranked = [grades.get(posting, 0) for posting in _check_ranking(ranking)[:k]]
    ideal = _discounted_gain(sorted(grades.values(), reverse=True)[:k])
    return _discounted_gain(ranked) / ideal if ideal else 0.0


def precision(ranking: Sequence[str], grades: Mapping[str, int], k: int = 10) -> float:
    """Return the share of the first `k` that fit, that is have a grade above 0.

    A ranking of fewer than `k` postings is taken to go on with postings that do not fit. Source: Manning,
    Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 8.4 ("precision at k").

    Parameters
    ----------
    ranking : sequence of str
        Ids without repeats, best first.
    grades : mapping of str to int
        By id.
    k : int
        At least 1.

    Raises
    ------
    OptionError
        As `ndcg` does.

    Examples
    --------
    >>> precision(["a", "b", "c", "d"], {"a": 2, "d": 1}, k=4)
    0.5
    """
    check_depth(k)
    hits, _ = _find_hits(ranking, grades, k)
    return len(hits) / k


def recall(ranking: Sequence[str], grades: Mapping[str, int], k: int = 100) -> float:
    """Return the share of all fitting postings that are among the first `k`.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 8.3. When more
    than `k` postings fit, 1 cannot be reached; see `r_precision`.

    Parameters
    ----------
    ranking : sequence of str
        Ids without repeats, best first.
    grades : mapping of str to int
        By id; those above 0 fit.
    k : int
        At least 1.

    Returns
    -------
    float
        0 to 1; 0 when no grade is above 0.

    Raises
    ------
    OptionError
        As `ndcg` does.

    Examples
    --------
    >>> recall(["a", "b", "c"], {"a": 2, "c": 1, "x": 1, "y": 1}, k=3)
    0.5
    """
    check_depth(k)
    hits, fitting = _find_hits(ranking, grades, k)
    return len(hits) / fitting if fitting else 0.0


def r_precision(ranking: Sequence[str], grades: Mapping[str, int], k: int = 5) -> float:
    """Return how many of the first `k` fit, divided by how many could: RP@k, also called capped recall.

    ``RP@k = fitting in the first k / min(k, all fitting)``, so that 1 can always be reached. It is the larger
    one of precision and recall at `k`. Sources: Chalkidis et al., Large-scale multi-label text classification
    on EU legislation, ACL 2019 ("RP@K"); Thakur et al., BEIR, NeurIPS 2021 ("capped recall").

    Parameters
    ----------
    ranking : sequence of str
        Ids without repeats, best first.
    grades : mapping of str to int
        By id; those above 0 fit.
    k : int
        At least 1.

    Returns
    -------
    float
        0 to 1; 0 when no grade is above 0.

    Raises
    ------
    OptionError
        As `ndcg` does.

    Examples
    --------
    >>> r_precision(["a", "b", "c"], {"a": 2}, k=5), r_precision(["a", "b"], {"a": 1, "c": 1, "d": 1}, k=2)
    (1.0, 0.5)
    """
    check_depth(k)
    hits, fitting = _find_hits(ranking, grades, k)
    return len(hits) / min(k, fitting) if fitting else 0.0


def average_precision(ranking: Sequence[str], grades: Mapping[str, int], k: int | None = None) -> float:
    """Return the mean, over all fitting postings, of the precision at the rank where each is found.

    One that is not found (not before rank `k`, where it is given) adds 0. Its mean over CVs is MAP. Sources:
    Buckley and Voorhees, Evaluating evaluation measure stability, SIGIR 2000; with `k`, it is the "map_cut"
    of trec_eval, which divides by all fitting postings, not by ``min(k, all fitting)``.

    Parameters
    ----------
    ranking : sequence of str
        Ids without repeats, best first.
    grades : mapping of str to int
        By id; those above 0 fit.
    k : int, optional
        At least 1; the whole ranking counts without it.

    Returns
    -------
    float
        0 to 1; 0 when no grade is above 0.

    Raises
    ------
    OptionError
        As `ndcg` does.

    Examples
    --------
    >>> average_precision(["a", "x", "b"], {"a": 1, "b": 2}) == (1 / 1 + 2 / 3) / 2
    True
    >>> average_precision(["a", "x", "b"], {"a": 1, "b": 2}, k=2)
    0.5
    """
    if k is not None:
        check_depth(k)
    hits, fitting = _find_hits(ranking, grades, k)
    return math.fsum(found / rank for found, rank in enumerate(hits, 1)) / fitting if fitting else 0.0


def reciprocal_rank(ranking: Sequence[str], grades: Mapping[str, int], k: int | None = None) -> float:
    """Return 1 divided by the rank of the first fitting posting, 0 when there is none.

    Its mean over CVs is MRR. Source: Voorhees, The TREC-8 question answering track report, TREC 1999.

    Parameters
    ----------
    ranking : sequence of str
        Ids without repeats, best first.
    grades : mapping of str to int
        By id; those above 0 fit.
    k : int, optional
        At least 1: what comes later does not count.

    Returns
    -------
    float
        0 to 1.

    Raises
    ------
    OptionError
        As `ndcg` does.

    Examples
    --------
    >>> reciprocal_rank(["x", "a"], {"a": 1}), reciprocal_rank(["x", "a"], {"a": 1}, k=1)
    (0.5, 0.0)
    """
    if k is not None:
        check_depth(k)
    hits, _ = _find_hits(ranking, grades, k)
    return 1 / hits[0] if hits else 0.0


def is_grade(value: Any) -> TypeGuard[int]:
    """Return whether a value is a grade: a whole number of 0 to `HIGHEST_GRADE`.

    Examples
    --------
    >>> is_grade(2), is_grade(True), is_grade(-1)
    (True, False, False)
    """
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST_GRADE


def _find_hits(ranking: Sequence[str], grades: Mapping[str, int], k: int | None) -> tuple[list[int], int]:
    """Return the ranks of the fitting postings among the first `k`, and how many postings fit at all."""
    _check_grades(grades)
    hits = [rank for rank, posting in enumerate(_check_ranking(ranking)[:k], 1) if grades.get(posting, 0) > 0]
    return hits, sum(grade > 0 for grade in grades.values())


def _discounted_gain(grades: Sequence[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def check_depth(k: object) -> None:
    """Refuse what is no depth of a ranking.

    Raises
    ------
    OptionError
        When it is no whole number of at least 1.

    Examples
    --------
    >>> check_depth(0)
    Traceback (most recent call last):
    matcher.errors.OptionError: k must be a whole number of at least 1, got 0
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise OptionError(f"k must be a whole number of at least 1, got {k!r}")


def _check_grades(grades: Mapping[str, int]) -> None:
    for posting, grade in grades.items():
        if not is_grade(grade):
            raise OptionError(
                f"the grade of {posting!r} must be a whole number of 0 to {HIGHEST_GRADE}, got {grade!r}"
            )


def _check_ranking(ranking: Sequence[str]) -> Sequence[str]:
    seen = set[str]()
    for posting in ranking:
        if posting in seen:
            raise OptionError(f"a ranking holds each posting once, got {posting!r} twice")
        seen.add(posting)
    return ranking
