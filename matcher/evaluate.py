"""Rankings and judgements to measures of quality, one pure function for each formula, with its source.

A ranking is a sequence of posting ids, best first. Judgements say how well postings fit a CV: grade 0 (as
good as not listed) does not, higher grades fit better.
"""

from __future__ import annotations

import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeGuard

from matcher.errors import JudgementError, OptionError

__all__: Final = ["JudgedCV", "ndcg", "precision", "rank_biased_overlap", "read_judgements"]

HIGHEST_GRADE: Final = 10
"""Gains double with each grade; no scale in use goes further than 4."""

LARGEST_FILE: Final = 16 << 20
"""Bytes of a file of judgements. A line of it is a few hundred."""


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
    _check_depth(k)
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
    _check_depth(k)
    _check_grades(grades)
    return sum(grades.get(posting, 0) > 0 for posting in _check_ranking(ranking)[:k]) / k


@dataclass(frozen=True, slots=True)
class JudgedCV:
    """A CV and which postings fit it.

    Parameters
    ----------
    name : str
        As the file of judgements writes it.
    path : Path
        Where the CV is.
    grades : mapping of str to int
        By posting id; what is not listed does not fit.

    Examples
    --------
    >>> JudgedCV("chef.md", Path("cvs/chef.md"), {"job-1": 2}).grades["job-1"]
    2
    """

    name: str
    path: Path
    grades: Mapping[str, int]


def read_judgements(path: str | os.PathLike[str]) -> tuple[JudgedCV, ...]:
    """Read a file of judged CVs: JSON such as ``{"judgements": {CV: {POSTING ID: {"grade": 2}}}}``.

    CVs are named relative to the file and must be in its folder or below. Other fields (``about``, ``why``)
    are for people. The CVs themselves are not read.

    Parameters
    ----------
    path : path-like
        A regular file in UTF-8.

    Returns
    -------
    tuple of JudgedCV
        In the order of the file.

    Raises
    ------
    JudgementError
        When it cannot be read or an entry makes no sense; names the file and the entry.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "judgements.json")
    ...     _ = file.write_text('{"judgements": {"chef.md": {"job-1": {"grade": 2}}}}')
    ...     [judged] = read_judgements(file)
    >>> judged.name, judged.grades
    ('chef.md', {'job-1': 2})
    """
    try:
        file = Path(path)
    except TypeError:
        raise JudgementError(f"expected a path, got {type(path).__name__}") from None
    content = _read_json(file)
    listed = content.get("judgements") if isinstance(content, dict) else None
    if not isinstance(listed, dict):
        raise JudgementError(f'{file}: expected {{"judgements": {{CV: {{POSTING ID: {{"grade": 2}}}}}}}}')
    judged: dict[Path, JudgedCV] = {}
    for name, entries in listed.items():
        location = _locate(file, name)
        if location in judged:
            raise JudgementError(f"{file}: {name!r} is the same file as {judged[location].name!r}: join them")
        if not isinstance(entries, dict):
            raise JudgementError(f"{file}: {name!r}: expected grades by posting, got {_shown(entries)}")
        grades = {posting: _read_grade(file, name, posting, entry) for posting, entry in entries.items()}
        judged[location] = JudgedCV(name, file.parent / name, grades)
    return tuple(judged.values())


def _read_json(file: Path) -> Any:
    try:
        # Opening a FIFO would wait for somebody to write into it.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise JudgementError(f"{file}: not a file")
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                data = opened.read(LARGEST_FILE + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise JudgementError(f"{file}: no such file") from None
    except (OSError, ValueError) as error:
        raise JudgementError(f"{file}: cannot be opened ({getattr(error, 'strerror', error)})") from None
    if len(data) > LARGEST_FILE:
        raise JudgementError(f"{file}: larger than {LARGEST_FILE:,} bytes: is this a file of judgements?")
    try:
        return json.loads(data.decode("utf-8-sig"), object_pairs_hook=_without_repeats)
    except UnicodeDecodeError:
        raise JudgementError(f"{file}: not UTF-8: save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise JudgementError(f"{file}:{error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise JudgementError(f"{file}: nested too deeply") from None
    except ValueError as error:
        raise JudgementError(f"{file}: {error}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} comes twice: remove one")
        found[key] = value
    return found


def _locate(file: Path, name: str) -> Path:
    """Return which file a CV's name means, links followed."""
    try:
        location = (file.parent / name).resolve()
        inside = location.is_relative_to(file.parent.resolve()) and location != file.parent.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # NUL characters, links in circles
        raise JudgementError(f"{file}: {name!r} cannot be a file name ({error})") from None
    if not inside:
        raise JudgementError(f"{file}: {name!r} is not a file in the folder of the judgements: copy it there")
    return location


def _read_grade(file: Path, name: str, posting: str, entry: Any) -> int:
    grade = entry.get("grade") if isinstance(entry, dict) else None
    if not _is_grade(grade):
        raise JudgementError(
            f"{file}: {name!r}: {posting!r}: expected an object with a grade of 0 to {HIGHEST_GRADE}, got "
            + _shown(entry["grade"] if isinstance(entry, dict) and "grade" in entry else entry)
        )
    return grade


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _discounted_gain(grades: Sequence[int]) -> float:
    return math.fsum((2**grade - 1) / math.log2(rank + 1) for rank, grade in enumerate(grades, 1))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_grade(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= HIGHEST_GRADE


def _check_depth(k: object) -> None:
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise OptionError(f"k must be a whole number of at least 1, got {k!r}")


def _check_grades(grades: Mapping[str, int]) -> None:
    for posting, grade in grades.items():
        if not _is_grade(grade):
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
