"""What a ranking gives back: recommendations, their contributions, and what filters removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, overload

from matcher.posting import Posting
from matcher.semantic import OTHER_WORDS

__all__: Final = ["Contribution", "Recommendation", "Recommendations"]


class Contribution(NamedTuple):
    """The exact share of a score that one feature adds.

    Attributes
    ----------
    block : str
        The feature block, such as ``text``, or the boost, such as ``freshness``.
    feature : str
        A word, a hashtag with its ``#``, two words that mean much the same (``nurse ~ midwife``), or the
        reason of a boost.
    value : float
        Above 0, but for words that mean something else, which the block `semantic` subtracts.

    Examples
    --------
    >>> Contribution("hashtags", "#nursing", 0.04).feature
    '#nursing'
    """

    block: str
    feature: str
    value: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Recommendation:
    """One posting in a ranking.

    Parameters
    ----------
    rank : int
        From 1.
    score : float
        0 (nothing in common) to 1, plus boosts. The sum of the contributions.
    posting : Posting
    explanation : tuple of Contribution, or callable
        The contributions, or how to get so many of the largest (None for all) when somebody asks: most are
        never looked at.

    Examples
    --------
    >>> parts = (Contribution("text", "nurse", 0.2), Contribution("hashtags", "#nurse", 0.1),
    ...          Contribution("text", "ward", 0.05))
    >>> Recommendation(1, 0.35, Posting(id="1", title="Staff Nurse"), parts).why(2)
    'nurse, ward'
    """

    rank: int
    score: float
    posting: Posting
    explanation: tuple[Contribution, ...] | Callable[[int | None], tuple[Contribution, ...]]

    @property
    def contributions(self) -> tuple[Contribution, ...]:
        """What each feature adds to the score: largest first, equal ones by block and feature.

        Examples
        --------
        >>> Recommendation(1, 0.0, Posting(id="1"), ()).contributions
        ()
        """
        explanation = self.explanation  # read once: another thread may be replacing it
        if callable(explanation):
            explanation = explanation(None)
            object.__setattr__(self, "explanation", explanation)
        return explanation

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recommendation) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash((self.rank, self.score, self.posting.id))

    def __repr__(self) -> str:
        return f"Recommendation(rank={self.rank}, score={self.score:.4f}, posting={self.posting.id!r})"

    def __reduce__(self) -> tuple[type[Recommendation], tuple[Any, ...]]:
        return Recommendation, self._fields()

    def _fields(self) -> tuple[Any, ...]:
        return self.rank, self.score, self.posting, self.contributions

    def why(self, n: int = 3) -> str:
        """Return the `n` strongest reasons, strongest first, for a person to read.

        A word and a hashtag that contains it are one reason.

        Examples
        --------
        >>> Recommendation(1, 0.0, Posting(id="1"), ()).why()
        ''
        """
        explanation = self.explanation
        likely = 2 * n + 4  # several contributions can be one reason
        listed = explanation(likely) if callable(explanation) else explanation
        reasons = self._find_reasons(listed, n)
        if len(reasons) < n and len(listed) == likely:
            reasons = self._find_reasons(self.contributions, n)
        return ", ".join(reasons)

    def _find_reasons(self, contributions: Iterable[Contribution], n: int) -> list[str]:
        reasons: dict[str, str] = {}
        for contribution in contributions:
            if len(reasons) >= n:
                break
            if contribution.feature == OTHER_WORDS:
                continue  # a remainder is no reason
            name = contribution.feature.lstrip("#")
            if not any(name in other or other in name for other in reasons if min(len(name), len(other)) > 2):
                reasons.setdefault(name, contribution.feature)
        return list(reasons.values())

    def to_record(self) -> dict[str, Any]:
        """Return the recommendation as JSON values, the way ``matcher rank --json`` prints it.

        Examples
        --------
        >>> record = Recommendation(1, 0.5, Posting(id="1"), (Contribution("text", "sql", 0.5),)).to_record()
        >>> record["rank"], record["contributions"]
        (1, [{'block': 'text', 'feature': 'sql', 'value': 0.5}])
        """
        return {
            "rank": self.rank,
            "id": self.posting.id,
            "score": self.score,
            "title": self.posting.title,
            "company": self.posting.company,
            "location": self.posting.location,
            "url": self.posting.url,
            "contributions": [contribution._asdict() for contribution in self.contributions],
        }


@dataclass(frozen=True, slots=True)
class Recommendations(Sequence[Recommendation]):
    """A ranking: a sequence of recommendations, best first, and what there is to say about it.

    Parameters
    ----------
    items : tuple of Recommendation
    considered : int
        How many postings passed all filters.
    removed : mapping of str to int
        For each filter, how many postings it alone would remove.
    notice : str
        Empty, or one sentence on why the ranking says little (empty profile, no known word, no postings).

    Examples
    --------
    >>> empty = Recommendations((), notice="there are no postings to rank")
    >>> len(empty), empty.notice
    (0, 'there are no postings to rank')
    """

    items: tuple[Recommendation, ...]
    considered: int = 0
    removed: Mapping[str, int] = field(default_factory=dict)
    notice: str = ""

    def __len__(self) -> int:
        return len(self.items)

    @overload
    def __getitem__(self, index: int) -> Recommendation: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Recommendation, ...]: ...
    def __getitem__(self, index: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.items[index]
