"""What a retraining changed, in postings, terms, weights and rankings, as values.

A report names postings by id and title, and CVs by the label they were given: nothing of a CV's text.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from matcher.changes import Changes
from matcher.drift.term_changes import BlockDrift, PostingName

if TYPE_CHECKING:
    from matcher.sources import Rejected

__all__: Final = ["DriftReport", "JudgedDrift", "ProbeDrift"]


@dataclass(frozen=True, slots=True)
class ProbeDrift:
    """How the recommendations for one CV changed.

    Parameters
    ----------
    label : str
        The CV's file name, or whatever else it was given as.
    overlap : float or None
        Rank-biased overlap of the best postings before and after: 1 when nothing changed. None when there was
        nothing to compare: no postings before, or no recommendation either time.
    entered, left : tuple of PostingName
        Recommended now and not before, best first; recommended before and not now.

    Examples
    --------
    >>> ProbeDrift("chef.md", 0.9, entered=(PostingName("job-1", "Cook"),)).to_record()["entered"]
    [{'id': 'job-1', 'title': 'Cook'}]
    """

    label: str
    overlap: float | None
    entered: tuple[PostingName, ...] = ()
    left: tuple[PostingName, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the change as JSON values.

        Examples
        --------
        >>> ProbeDrift("chef.md", 1.0).to_record()
        {'label': 'chef.md', 'overlap': 1.0, 'entered': [], 'left': []}
        """
        return {
            "label": self.label,
            "overlap": self.overlap,
            "entered": [name._asdict() for name in self.entered],
            "left": [name._asdict() for name in self.left],
        }


@dataclass(frozen=True, slots=True)
class JudgedDrift:
    """nDCG of the ranking for a judged CV, before and after; None when no fitting posting is held.

    Examples
    --------
    >>> JudgedDrift("chef.md", None, 0.9).to_record()
    {'label': 'chef.md', 'before': None, 'after': 0.9}
    """

    label: str
    before: float | None
    after: float | None

    def to_record(self) -> dict[str, Any]:
        """Return the change as JSON values.

        Examples
        --------
        >>> JudgedDrift("chef.md", 0.5, 0.5).to_record()["before"]
        0.5
        """
        return {"label": self.label, "before": self.before, "after": self.after}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """What a retraining changed. Made by `measure_drift`.

    Parameters
    ----------
    k : int
        Depth of the rankings compared.
    postings_before, postings_after : int
    changes : Changes
        Ids of postings, by what happened to them.
    names : mapping of str to tuple of PostingName
        The first few of those ``added``, ``changed`` and ``removed``, with titles.
    blocks : tuple of BlockDrift
    probes : tuple of ProbeDrift
    judged : tuple of JudgedDrift
    rejected : tuple of Rejected
        Postings that could not be read.
    rejected_count : int
        How many there were, listed or not.

    Examples
    --------
    >>> report = DriftReport(probes=(ProbeDrift("a.md", 1.0), ProbeDrift("b.md", 0.5)))
    >>> report.overlap, report.drift, report.quality_after
    (0.75, 0.25, None)
    """

    k: int = 10
    postings_before: int = 0
    postings_after: int = 0
    changes: Changes = field(default_factory=Changes)
    names: Mapping[str, tuple[PostingName, ...]] = field(default_factory=dict)
    blocks: tuple[BlockDrift, ...] = ()
    probes: tuple[ProbeDrift, ...] = ()
    judged: tuple[JudgedDrift, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    rejected_count: int = 0

    @property
    def overlap(self) -> float | None:
        """The mean overlap of the probes that have one, None without.

        Examples
        --------
        >>> DriftReport(probes=(ProbeDrift("a.md", 0.5), ProbeDrift("b.md", None))).overlap
        0.5
        """
        return _mean([probe.overlap for probe in self.probes])

    @property
    def drift(self) -> float | None:
        """How far recommendations moved: 1 minus the mean overlap, None without probes to compare.

        Examples
        --------
        >>> DriftReport(probes=(ProbeDrift("a.md", 0.75),)).drift
        0.25
        """
        overlap = self.overlap
        return None if overlap is None else 1.0 - overlap

    @property
    def quality_before(self) -> float | None:
        """The mean nDCG before, over the judged CVs that had one.

        Examples
        --------
        >>> DriftReport(judged=(JudgedDrift("a.md", 0.5, 1.0), JudgedDrift("b.md", None, 0.5))).quality_before
        0.5
        """
        return _mean([judged.before for judged in self.judged])

    @property
    def quality_after(self) -> float | None:
        """The mean nDCG now, over the judged CVs that have one.

        Examples
        --------
        >>> DriftReport(judged=(JudgedDrift("a.md", 0.5, 1.0), JudgedDrift("b.md", None, 0.5))).quality_after
        0.75
        """
        return _mean([judged.after for judged in self.judged])

    def to_record(self) -> dict[str, Any]:
        """Return the report as JSON values.

        Postings that did not change are counted, not listed.

        Examples
        --------
        >>> record = DriftReport(postings_after=1, changes=Changes(added=("job-1",))).to_record()
        >>> record["postings"], record["changes"]["added"]
        ({'before': 0, 'after': 1}, {'count': 1, 'ids': ['job-1'], 'first': []})
        """
        changes: dict[str, Any] = {
            kind: {
                "count": len(ids),
                "ids": list(ids),
                "first": [name._asdict() for name in self.names.get(kind, ())],
            }
            for kind, ids in self.changes._asdict().items()
            if kind not in ("unchanged", "unknown")
        }
        changes["unchanged"] = {"count": len(self.changes.unchanged)}
        changes["unknown"] = {"count": len(self.changes.unknown), "ids": list(self.changes.unknown)}
        return {
            "k": self.k,
            "postings": {"before": self.postings_before, "after": self.postings_after},
            "changes": changes,
            "blocks": [block.to_record() for block in self.blocks],
            "probes": [probe.to_record() for probe in self.probes],
            "overlap": self.overlap,
            "drift": self.drift,
            "judged": [judged.to_record() for judged in self.judged],
            "quality": {"before": self.quality_before, "after": self.quality_after},
            "rejected": {
                "count": self.rejected_count,
                "first": [rejected._asdict() for rejected in self.rejected],
            },
        }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None
