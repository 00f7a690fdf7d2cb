"""What happened to the terms of a feature block, as values; `term_drift` is how they are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from matcher.posting import Posting

__all__: Final = ["BlockDrift", "IdfShift", "PostingName", "Reweighed", "TermChange"]


class PostingName(NamedTuple):
    """Which posting is meant, for a person and for a program.

    Examples
    --------
    >>> PostingName("job-1", "Cook")._asdict()
    {'id': 'job-1', 'title': 'Cook'}
    """

    id: str
    title: str

    @classmethod
    def of(cls, posting: Posting) -> PostingName:
        """Return the name of a posting.

        Examples
        --------
        >>> PostingName.of(Posting(id="job-1", title="Cook"))
        PostingName(id='job-1', title='Cook')
        """
        return cls(posting.id, posting.title)


@dataclass(frozen=True, slots=True)
class TermChange:
    """In how many postings a term occurred before and occurs now.

    Parameters
    ----------
    term : str
        As a person reads it, such as ``#nursing``.
    before, after : int
        Number of postings with it.
    g2 : float
        `matcher.drift.term_drift.log_likelihood_ratio`; 0 when there were no postings at all before or after.
    evidence : tuple of PostingName
        Some postings with it: of those held now, or of those before when it is gone.

    Examples
    --------
    >>> TermChange("bread", 1, 3, 2.5).to_record()
    {'term': 'bread', 'before': 1, 'after': 3, 'g2': 2.5, 'evidence': []}
    """

    term: str
    before: int
    after: int
    g2: float
    evidence: tuple[PostingName, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the change as JSON values.

        Examples
        --------
        >>> TermChange("bread", 0, 1, 0.0, (PostingName("1", "Baker"),)).to_record()["evidence"]
        [{'id': '1', 'title': 'Baker'}]
        """
        return {
            "term": self.term,
            "before": self.before,
            "after": self.after,
            "g2": self.g2,
            "evidence": [name._asdict() for name in self.evidence],
        }


class Reweighed(NamedTuple):
    """A term whose weight changed.

    Examples
    --------
    >>> Reweighed("bread", before=2.0, after=1.5).shift
    -0.5
    """

    term: str
    before: float
    after: float

    @property
    def shift(self) -> float:
        """The weight now minus the weight before.

        Examples
        --------
        >>> Reweighed("bread", 1.0, 1.25).shift
        0.25
        """
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class IdfShift:
    """How the weights (idf) changed of the terms that were there before and are now.

    Parameters
    ----------
    terms : int
        How many there are.
    mean, mean_absolute : float or None
        Of weight now minus weight before; None without terms.
    largest : tuple of Reweighed
        The terms whose weight changed most, the most first.
    edges : tuple of float
        Of the bins of a histogram of all shifts, one more than there are bins. The first and the last bin
        also hold what lies beyond.
    counts : tuple of int
        Terms in each bin; empty without terms.

    Examples
    --------
    >>> IdfShift().to_record()["terms"]
    0
    """

    terms: int = 0
    mean: float | None = None
    mean_absolute: float | None = None
    largest: tuple[Reweighed, ...] = ()
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return the shift as JSON values.

        Examples
        --------
        >>> shift = IdfShift(1, 0.5, 0.5, (Reweighed("bread", 1.0, 1.5),), (-1.0, 0.0, 1.0), (0, 1))
        >>> shift.to_record()["largest"]
        [{'term': 'bread', 'before': 1.0, 'after': 1.5}]
        """
        return {
            "terms": self.terms,
            "mean": self.mean,
            "mean_absolute": self.mean_absolute,
            "largest": [reweighed._asdict() for reweighed in self.largest],
            "edges": list(self.edges),
            "counts": list(self.counts),
        }


@dataclass(frozen=True, slots=True)
class BlockDrift:
    """What happened to the terms of a feature block.

    Parameters
    ----------
    name : str
        Of the block.
    postings_before, postings_after : int
        On how many its document frequencies rest.
    vocabulary_before, vocabulary_after : int
        Number of terms.
    new_count, gone_count, rising_count, dying_count : int
        All of them, listed or not.
    new, gone : tuple of TermChange
        Terms that no posting had before, or has now; those of most postings first.
    rising, dying : tuple of TermChange
        Terms of both whose share of the postings grew or fell, strongest first: ``|g2|`` and number of
        postings as `matcher.drift.term_drift` asks for.
    idf : IdfShift

    Examples
    --------
    >>> BlockDrift("text", 0, 1, 0, 12).to_record()["vocabulary_after"]
    12
    """

    name: str
    postings_before: int
    postings_after: int
    vocabulary_before: int
    vocabulary_after: int
    new_count: int = 0
    gone_count: int = 0
    rising_count: int = 0
    dying_count: int = 0
    new: tuple[TermChange, ...] = ()
    gone: tuple[TermChange, ...] = ()
    rising: tuple[TermChange, ...] = ()
    dying: tuple[TermChange, ...] = ()
    idf: IdfShift = IdfShift()

    def to_record(self) -> dict[str, Any]:
        """Return the block's drift as JSON values.

        Examples
        --------
        >>> BlockDrift("text", 0, 1, 0, 1, new_count=1).to_record()["new_count"]
        1
        """
        names = "name", "postings_before", "postings_after", "vocabulary_before", "vocabulary_after"
        counts = "new_count", "gone_count", "rising_count", "dying_count"
        changes = "new", "gone", "rising", "dying"
        record: dict[str, Any] = {name: getattr(self, name) for name in names + counts}
        record |= {name: [change.to_record() for change in getattr(self, name)] for name in changes}
        return record | {"idf": self.idf.to_record()}
