"""Measures what a retraining changed in postings, terms, weights and rankings; a gate may then refuse it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from matcher.changes import Changes
from matcher.cv import read_cv
from matcher.drift.report import DriftReport, JudgedDrift, ProbeDrift
from matcher.drift.term_changes import PostingName
from matcher.drift.term_drift import compare_block
from matcher.errors import OptionError, UnknownPostingError
from matcher.evaluate import JudgedCV, ndcg, rank_biased_overlap
from matcher.profile import Profile
from matcher.semantic import SemanticBlock

if TYPE_CHECKING:
    from matcher.held import HeldPostings
    from matcher.ranker import Matcher
    from matcher.sources import Rejected

__all__: Final = ["Gate", "measure_drift"]


@dataclass(frozen=True, slots=True)
class Gate:
    """Bounds that a retraining must keep to be published.

    Parameters
    ----------
    max_drift : float, optional
        `DriftReport.drift` may be so much, 0 to 1.
    min_quality : float, optional
        `DriftReport.quality_after` must be so much, 0 to 1.

    Raises
    ------
    OptionError
        When a bound is no number from 0 to 1.

    Examples
    --------
    >>> Gate(max_drift=0.2).check(DriftReport(postings_before=9, probes=(ProbeDrift("chef.md", 0.75),)))
    ['drift is 0.25, more than the 0.2 allowed: mean overlap 0.75, lowest 0.75 (chef.md)']
    """

    max_drift: float | None = None
    min_quality: float | None = None

    def __post_init__(self) -> None:
        for name, bound in (("max_drift", self.max_drift), ("min_quality", self.min_quality)):
            if bound is None:
                continue
            # NaN compares false with everything: a gate that asks "more than NaN?" lets all pass.
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not 0 <= bound <= 1:
                raise OptionError(f"{name} must be a number from 0 to 1, got {bound!r}")

    def check(self, report: DriftReport) -> list[str]:
        """Return the reasons not to publish, none when all bounds are kept.

        A first training, with no postings before, cannot drift. What cannot be measured is refused.

        Raises
        ------
        OptionError
            When a bound asks for what the report was not given: probe CVs or judged CVs.

        Examples
        --------
        >>> Gate(min_quality=0.9).check(DriftReport(judged=(JudgedDrift("chef.md", 0.95, 0.93),)))
        []
        """
        reasons = []
        if self.max_drift is not None:
            if not report.probes:
                raise OptionError(
                    "max_drift needs probe CVs to compare recommendations for, and none was given"
                )
            if report.postings_before:
                reasons += self._check_drift(report, self.max_drift)
        if self.min_quality is not None:
            if not report.judged:
                raise OptionError("min_quality needs judged CVs to measure quality by, and none was given")
            reasons += self._check_quality(report, self.min_quality)
        return reasons

    @staticmethod
    def _check_drift(report: DriftReport, bound: float) -> list[str]:
        if report.drift is None or report.overlap is None:
            return [
                f"drift cannot be measured: no probe finds a posting, before or after ({bound:g} is allowed)"
            ]
        if report.drift <= bound:
            return []
        lowest = min((probe.overlap, probe.label) for probe in report.probes if probe.overlap is not None)
        return [
            f"drift is {_beside(report.drift, bound)}, more than the {bound:g} allowed: mean overlap "
            f"{report.overlap:.3g}, lowest {lowest[0]:.3g} ({lowest[1]})"
        ]

    @staticmethod
    def _check_quality(report: DriftReport, bound: float) -> list[str]:
        quality = report.quality_after
        if quality is None:
            return [
                f"quality cannot be measured: no posting that fits a judged CV is held ({bound:g} is wanted)"
            ]
        if quality >= bound:
            return []
        before = report.quality_before
        was = "" if before is None else f", before {before:.3g}"
        return [
            f"quality is {_beside(quality, bound)}, less than the {bound:g} wanted: mean nDCG@{report.k}{was}"
        ]


def measure_drift(
    before: Matcher,
    after: Matcher,
    *,
    changes: Changes,
    probes: Mapping[str, Profile | str] | None = None,
    judgements: Sequence[JudgedCV] | None = None,
    rejected: Sequence[Rejected] = (),
    rejected_count: int | None = None,
    k: int = 10,
    most: int = 20,
) -> DriftReport:
    """Compare two matchers, the second one refitted after changes to the postings of the first.

    Recommendations with a score of 0 have nothing in common with the CV, so they count as none. Grades of
    postings that a matcher does not hold are left out when its quality is measured: the best possible ranking
    is one of what there is.

    Parameters
    ----------
    before, after : Matcher
        The first may be empty (a first training).
    changes : Changes
        What was done to get from one to the other.
    probes : mapping of str to Profile or str, optional
        CVs by label, such as their file names. Only the labels get into the report.
    judgements : sequence of JudgedCV, optional
        From `matcher.evaluate.read_judgements`; their CVs are read.
    rejected : sequence of Rejected
        Postings that could not be read.
    rejected_count : int, optional
        How many there were, when not all are listed.
    k : int
        Depth of the rankings.
    most : int
        Postings and terms listed of each kind.

    Raises
    ------
    OptionError
        When `k` or `most` is below 1.
    ProfileError
        When a probe is no text or a judged CV cannot be read.

    Examples
    --------
    >>> from matcher import Matcher, Posting
    >>> before = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Pastry cook")])
    >>> after = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="3", title="Sous chef, cook")])
    >>> changes = Changes(added=("3",), removed=("2",))
    >>> report = measure_drift(before, after, changes=changes, probes={"chef.md": "Cook or chef"})
    >>> [(probe.label, probe.entered) for probe in report.probes]
    [('chef.md', (PostingName(id='3', title='Sous chef, cook'),))]
    """
    for name, number in (("k", k), ("most", most)):
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise OptionError(f"{name} must be a whole number of at least 1, got {number!r}")
    probes = {} if probes is None else probes
    judgements = () if judgements is None else judgements
    profiles = [*probes.values(), *(read_cv(judged.path) for judged in judgements)]
    old, new = _rank(before, profiles, k), _rank(after, profiles, k)
    held_before, held_after = before.postings, after.postings
    sources = {"added": held_after, "changed": held_after, "removed": held_before}
    blocks = [
        fitted.block.name
        for matcher in (after, before)
        for fitted in matcher.features
        if not isinstance(fitted.block, SemanticBlock)  # it has no terms that could come and go
    ]
    return DriftReport(
        k=k,
        postings_before=len(before),
        postings_after=len(after),
        changes=changes,
        names={
            kind: tuple(_name_posting(held, posting_id) for posting_id in getattr(changes, kind)[:most])
            for kind, held in sources.items()
        },
        blocks=tuple(compare_block(before, after, name, most) for name in dict.fromkeys(blocks)),
        probes=tuple(
            _compare_rankings(label, was, is_now, comparable=len(before) > 0)
            for label, was, is_now in zip(probes, old, new, strict=False)
        ),
        judged=tuple(
            JudgedDrift(
                judged.name, _quality(held_before, was, judged, k), _quality(held_after, is_now, judged, k)
            )
            for judged, was, is_now in zip(judgements, old[len(probes) :], new[len(probes) :], strict=True)
        ),
        rejected=tuple(rejected),
        rejected_count=len(rejected) if rejected_count is None else rejected_count,
    )


def _rank(matcher: Matcher, profiles: Sequence[Profile | str], k: int) -> list[tuple[PostingName, ...]]:
    if not profiles:
        return []
    return [
        tuple(PostingName.of(item.posting) for item in ranking if item.score > 0)
        for ranking in matcher.recommend_many(profiles, k)
    ]


def _compare_rankings(
    label: str, old: tuple[PostingName, ...], new: tuple[PostingName, ...], *, comparable: bool
) -> ProbeDrift:
    old_ids, new_ids = [name.id for name in old], [name.id for name in new]
    return ProbeDrift(
        label,
        rank_biased_overlap(old_ids, new_ids) if comparable and (old or new) else None,
        entered=tuple(name for name in new if name.id not in old_ids),
        left=tuple(name for name in old if name.id not in new_ids),
    )


def _quality(
    postings: HeldPostings, ranking: tuple[PostingName, ...], judged: JudgedCV, k: int
) -> float | None:
    held = {posting: grade for posting, grade in judged.grades.items() if postings.holds(posting)}
    if not any(held.values()):
        return None
    return ndcg([name.id for name in ranking], held, k)


def _name_posting(postings: HeldPostings, posting_id: str) -> PostingName:
    try:
        return PostingName.of(postings[postings.row(posting_id)])
    except UnknownPostingError:  # added by one change and removed again by the next
        return PostingName(posting_id, "")


def _beside(value: float, bound: float) -> str:
    """Return a value with enough digits to tell it from a bound that it just misses."""
    texts = (f"{value:.{digits}g}" for digits in (3, 6, 17))
    return next((text for text in texts if float(text) != bound), repr(value))
