"""How well a matcher ranks postings for judged CVs, with intervals; alone, or beside another matcher."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.boosts import Boost
from matcher.errors import OptionError
from matcher.evaluate import Interval, Measure, bootstrap_interval, paired_interval, randomisation_test
from matcher.profile import Profile
from matcher.recommender import Progress

if TYPE_CHECKING:
    from matcher.held import HeldPostings
    from matcher.ranker import Matcher

__all__: Final = ["CVQuality", "Comparison", "Mean", "Quality", "measure_quality"]

_MOST_AT_ONCE: Final = 50_000
"""Recommendations in memory: some 100 MB."""

_DEEPEST: Final = 1_000
"""Further down, looking up where each fitting posting stands is faster than reading all recommendations."""


@dataclass(frozen=True, slots=True)
class CVQuality:
    """How well postings were ranked for one CV.

    Parameters
    ----------
    name : str
    values : tuple of float
        Of the measures, in their order; empty when no posting that fits is held, so nothing can be found.
    fitting : int
        Postings that fit and are held.
    missing : int
        Judged postings that are not held.

    Examples
    --------
    >>> CVQuality("chef.md", (), 0, 2).is_measured
    False
    """

    name: str
    values: tuple[float, ...]
    fitting: int
    missing: int

    @property
    def is_measured(self) -> bool:
        """Whether there was anything to find.

        Examples
        --------
        >>> CVQuality("chef.md", (0.5,), 2, 0).is_measured
        True
        """
        return self.fitting > 0


@dataclass(frozen=True, slots=True)
class Mean:
    """The mean of a measure over CVs.

    Parameters
    ----------
    measure : Measure
    value : float
    interval : Interval, optional
        95 % bootstrap interval; None for a single CV.

    Examples
    --------
    >>> Mean(Measure("map"), 0.5, None).to_record()
    {'measure': 'map', 'mean': 0.5, 'interval': None}
    """

    measure: Measure
    value: float
    interval: Interval | None

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values.

        Examples
        --------
        >>> Mean(Measure("p", 5), 0.5, Interval(0.25, 0.75)).to_record()["interval"]
        [0.25, 0.75]
        """
        interval = None if self.interval is None else list(self.interval)
        return {"measure": str(self.measure), "mean": self.value, "interval": interval}


@dataclass(frozen=True, slots=True)
class Comparison:
    """A measure of two matchers over the CVs that both can be measured by.

    Parameters
    ----------
    measure : Measure
    first, second : float
        Means over these CVs.
    interval : Interval, optional
        95 % paired bootstrap interval of the difference, first minus second; None for a single CV.
    p : float
        Of the paired randomisation test, two-sided.

    Examples
    --------
    >>> Comparison(Measure("map"), 0.75, 0.5, None, 1.0).difference
    0.25
    """

    measure: Measure
    first: float
    second: float
    interval: Interval | None
    p: float

    @property
    def difference(self) -> float:
        """How much larger the first mean is.

        Examples
        --------
        >>> Comparison(Measure("map"), 0.25, 0.5, None, 1.0).difference
        -0.25
        """
        return self.first - self.second

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values.

        Examples
        --------
        >>> Comparison(Measure("map"), 0.75, 0.5, None, 1.0).to_record()["difference"]
        0.25
        """
        return {
            "measure": str(self.measure),
            "mean": self.first,
            "against": self.second,
            "difference": self.difference,
            "interval": None if self.interval is None else list(self.interval),
            "p": self.p,
        }


@dataclass(frozen=True)
class Quality:
    """How well a matcher ranks postings for judged CVs; see `measure_quality`.

    Parameters
    ----------
    measures : tuple of Measure
    cvs : tuple of CVQuality
    postings : int
        Postings that were ranked.

    Examples
    --------
    >>> quality = Quality((Measure("map"),), (CVQuality("a", (1.0,), 1, 0), CVQuality("b", (0.5,), 2, 1)), 9)
    >>> [mean.value for mean in quality.means], quality.missing
    ([0.75], 1)
    """

    measures: tuple[Measure, ...]
    cvs: tuple[CVQuality, ...]
    postings: int

    @property
    def measured(self) -> tuple[CVQuality, ...]:
        """The CVs for which there is something to find; means are over these.

        Examples
        --------
        >>> Quality((Measure("map"),), (CVQuality("a", (), 0, 0),), 9).measured
        ()
        """
        return tuple(cv for cv in self.cvs if cv.is_measured)

    @property
    def missing(self) -> int:
        """Judgements about postings that are not held, over all CVs.

        Examples
        --------
        >>> Quality((Measure("map"),), (CVQuality("a", (), 0, 3),), 9).missing
        3
        """
        return sum(cv.missing for cv in self.cvs)

    @cached_property
    def means(self) -> tuple[Mean, ...]:
        """The mean of each measure; none when no CV was measured.

        Examples
        --------
        >>> Quality((Measure("map"),), (CVQuality("a", (0.5,), 1, 0),), 9).means
        (Mean(measure=Measure(name='map', k=None), value=0.5, interval=None),)
        """
        values = _columns(self.measured, len(self.measures))
        return tuple(
            Mean(measure, float(column.mean()), bootstrap_interval(column) if column.size > 1 else None)
            for measure, column in zip(self.measures, values, strict=True)
            if column.size
        )

    def compare(self, other: Quality) -> tuple[Comparison, ...]:
        """Compare with the quality of another matcher, by the CVs that both were measured by.

        Raises
        ------
        OptionError
            When the two were measured by different measures.

        Examples
        --------
        >>> first = Quality((Measure("map"),), (CVQuality("a", (1.0,), 1, 0),), 9)
        >>> second = Quality((Measure("map"),), (CVQuality("a", (0.25,), 1, 0),), 9)
        >>> [(result.difference, result.p) for result in first.compare(second)]
        [(0.75, 1.0)]
        """
        if self.measures != other.measures:
            raise OptionError("only what was measured by the same measures can be compared")
        mine = {cv.name: cv for cv in self.measured}
        others = {cv.name: cv for cv in other.measured}
        shared = [name for name in mine if name in others]
        first = _columns([mine[name] for name in shared], len(self.measures))
        second = _columns([others[name] for name in shared], len(self.measures))
        return tuple(
            Comparison(
                measure,
                float(one.mean()),
                float(two.mean()),
                paired_interval(one, two) if one.size > 1 else None,
                randomisation_test(one, two),
            )
            for measure, one, two in zip(self.measures, first, second, strict=True)
            if one.size
        )

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values; of CVs only their names.

        Examples
        --------
        >>> Quality((Measure("map"),), (CVQuality("a", (0.5,), 1, 0),), 9).to_record()["cvs"]
        [{'name': 'a', 'fitting': 1, 'missing': 0, 'values': {'map': 0.5}}]
        """
        names = [str(measure) for measure in self.measures]
        return {
            "postings": self.postings,
            "measured": len(self.measured),
            "missing": self.missing,
            "measures": [mean.to_record() for mean in self.means],
            "cvs": [
                {
                    "name": cv.name,
                    "fitting": cv.fitting,
                    "missing": cv.missing,
                    "values": dict(zip(names, cv.values, strict=True)) if cv.is_measured else None,
                }
                for cv in self.cvs
            ],
        }


def measure_quality(
    matcher: Matcher,
    cvs: Mapping[str, Profile | str],
    grades: Mapping[str, Mapping[str, int]],
    measures: Iterable[Measure],
    *,
    boosts: Sequence[Boost] = (),
    threads: int = 1,
    progress: Progress | None = None,
) -> Quality:
    """Rank postings for judged CVs, and measure how good the rankings are.

    As when a retraining is judged, recommendations with a score of 0 count as none, and grades of postings
    that the matcher does not hold are left out: the best possible ranking is one of what there is.

    Parameters
    ----------
    matcher : Matcher
    cvs : mapping of str to Profile or str
        By name.
    grades : mapping of str to mapping of str to int
        Grades by posting id, by name of the CV; CVs without any do not count.
    measures : iterable of Measure
        At least one. Repeats count once.
    boosts : sequence of Boost
        As in `Matcher.recommend`.
    threads : int
        As in `Matcher.recommend_many`.
    progress : callable, optional
        Called with ``(stage, done, total)``.

    Raises
    ------
    OptionError
        When there is no measure, a grade is out of range, or a CV of `grades` is not in `cvs`.
    ProfileError
        When a CV is no text.

    Examples
    --------
    >>> from matcher import Matcher, Posting
    >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
    >>> quality = measure_quality(matcher, {"a": "A cook"}, {"a": {"1": 2, "9": 1}}, [Measure("mrr")])
    >>> quality.means[0].value, quality.missing
    (1.0, 1)
    """
    chosen = tuple(dict.fromkeys(measures))
    if not chosen:
        raise OptionError("no measure: give at least one, such as ndcg@10")
    for name in grades:
        if name not in cvs:
            raise OptionError(f"there are grades for the CV {name!r}, but no such CV")
    postings = matcher.postings
    held = {name: _held_grades(postings, listed) for name, listed in grades.items()}
    measured = [name for name, kept in held.items() if any(kept.values())]
    depth = max(len(postings) if measure.k is None else measure.k for measure in chosen)
    depth = max(1, min(depth, len(postings)))
    values: dict[str, tuple[float, ...]] = {}
    size = max(1, _MOST_AT_ONCE // depth)
    for start in range(0, len(measured), size):
        names = measured[start : start + size]
        if depth > _DEEPEST:
            rankings: Iterable[list[str]] = (
                _find_fitting(matcher, cvs[name], held[name], boosts) for name in names
            )
        else:
            profiles = [cvs[name] for name in names]
            rankings = [
                [item.posting.id for item in ranking if item.score > 0]
                for ranking in matcher.recommend_many(profiles, depth, boosts=boosts, threads=threads)
            ]
        for name, ranking in zip(names, rankings, strict=True):
            values[name] = tuple(measure(ranking, held[name]) for measure in chosen)
            if progress is not None:
                progress("ranking", len(values), len(measured))
    return Quality(
        chosen,
        tuple(
            CVQuality(
                name,
                values.get(name, ()),
                sum(grade > 0 for grade in held[name].values()),
                len(listed) - len(held[name]),
            )
            for name, listed in grades.items()
        ),
        len(postings),
    )


def _find_fitting(
    matcher: Matcher, profile: Profile | str, grades: Mapping[str, int], boosts: Sequence[Boost]
) -> list[str]:
    """Return the ranking down to the last fitting posting; stand-ins take the places of all others."""
    found = {}
    for posting in (posting for posting, grade in grades.items() if grade > 0):
        explained = matcher.explain(profile, posting, boosts=boosts)
        if explained.score > 0:
            found[explained.rank] = posting
    # No id holds a control character.
    return [found.get(rank, f"\0{rank}") for rank in range(1, max(found, default=0) + 1)]


def _held_grades(postings: HeldPostings, grades: Mapping[str, int]) -> dict[str, int]:
    return {posting: grade for posting, grade in grades.items() if postings.holds(posting)}


def _columns(cvs: Sequence[CVQuality], measures: int) -> NDArray[np.float64]:
    """Return the values of CVs, shape ``(measures, cvs)``."""
    return np.array([cv.values for cv in cvs], dtype=np.float64).reshape(len(cvs), measures).T
