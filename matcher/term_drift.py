"""How the terms of a feature block changed: new, gone, rising and dying ones, and shifts of their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.posting import Posting
from matcher.strings import StringTable

if TYPE_CHECKING:
    from matcher.ranker import Matcher

__all__: Final = [
    "LEAST_G2",
    "LEAST_POSTINGS",
    "BlockDrift",
    "IdfShift",
    "PostingName",
    "Reweighed",
    "TermChange",
    "compare_block",
    "log_likelihood_ratio",
]

LEAST_G2: Final = 10.83
"""Terms rise or die from here on: the chi-squared distribution with one degree of freedom exceeds it with
probability 0.001.

Read it as a measure of strength, not as a proof. It is a bound for both directions together; among so many
terms one in a thousand passes by chance; and the same postings are mostly in both samples, which makes it
stricter than it says: what changes in 1 % of the postings shows for rare terms, hardly for common ones."""

LEAST_POSTINGS: Final = 5
"""In how many postings, before or after, a rising or dying term must occur."""

EVIDENCE: Final = 3
"""Postings shown for a term, at most."""

_BINS: Final = 21
"""Of the histogram; odd, so that one bin has 0 in its middle."""

_STEPS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0)
"""Ends of the histogram's axis, times powers of ten."""


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
        `log_likelihood_ratio`; 0 when there were no postings at all before or after.
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
        Terms of both whose share of the postings grew or fell, strongest first: ``|g2|`` at least `LEAST_G2`,
        in `LEAST_POSTINGS` postings or more.
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


def log_likelihood_ratio(
    before: NDArray[np.int64], after: NDArray[np.int64], postings_before: int, postings_after: int
) -> NDArray[np.float64]:
    """Return G2 of each term's share of the postings, below 0 where it fell.

    That is ``2 * sum(observed * ln(observed / expected))`` over the four cells "with and without the term,
    before and after"; unlike chi-squared it holds for rare terms. Source: Dunning, Accurate methods for the
    statistics of surprise and coincidence, Computational Linguistics 19(1), 1993.

    Parameters
    ----------
    before, after : ndarray of int64, shape (terms,)
        In how many postings each term occurs.
    postings_before, postings_after : int
        Number of postings.

    Returns
    -------
    ndarray of float64, shape (terms,)
        Zeros when there are no postings before or after.

    Examples
    --------
    >>> log_likelihood_ratio(np.array([10, 10, 30]), np.array([30, 10, 10]), 100, 100).round(2)
    array([ 12.97,   0.  , -12.97])
    """
    if not postings_before or not postings_after:
        return np.zeros(len(before))
    total = postings_before + postings_after
    ratio = np.zeros(len(before))
    for size, observed in ((postings_before, before), (postings_after, after)):
        for here, everywhere in ((observed, before + after), (size - observed, total - before - after)):
            expected = everywhere * (size / total)
            quotient = np.divide(here, expected, out=np.ones(len(before)), where=here > 0)
            ratio += here * np.log(quotient)
    # Rounding leaves traces of either sign where nothing changed.
    ratio = np.maximum(2 * ratio, 0)
    return np.where(after * postings_before >= before * postings_after, ratio, -ratio) + 0.0


class _Side(NamedTuple):
    """What a matcher knows of a block's terms, or of no terms when it has no such block."""

    vocabulary: StringTable
    frequency: NDArray[np.int64]
    weights: NDArray[np.float64]
    postings: int
    label: Callable[[str], str]
    matcher: Matcher

    @classmethod
    def of(cls, matcher: Matcher, name: str) -> _Side:
        for fitted in matcher.features:
            if fitted.block.name == name:
                numbers = fitted.document_frequency, fitted.term_weights, fitted.postings
                return cls(fitted.vocabulary, *numbers, fitted.block.label, matcher)
        nothing = StringTable.from_strings(()), np.zeros(0, np.int64), np.zeros(0)
        return cls(*nothing, len(matcher), str, matcher)

    def evidence(self, name: str, term: str) -> tuple[PostingName, ...]:
        return tuple(map(PostingName.of, self.matcher.postings_with(name, term, EVIDENCE)))


def compare_block(before: Matcher, after: Matcher, name: str, most: int = 20) -> BlockDrift:
    """Return what happened to the terms of a block.

    Takes a few hundred milliseconds for vocabularies of 200,000 terms.

    Parameters
    ----------
    before, after : Matcher
        One of them may lack the block.
    name : str
        Of the block.
    most : int
        Terms listed of each kind.

    Examples
    --------
    >>> from matcher import Matcher
    >>> before = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Cook and baker")])
    >>> after = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="3", title="Nurse")])
    >>> drift = compare_block(before, after, "text")
    >>> [change.term for change in drift.new], [change.term for change in drift.gone]
    (['nurse'], ['baker'])
    """
    old, new = _Side.of(before, name), _Side.of(after, name)
    terms_before, terms_after = len(old.vocabulary), len(new.vocabulary)
    # Bytes as they lie: most of the terms are never shown.
    known = dict(zip(old.vocabulary.to_lines(), range(terms_before), strict=True))
    places = np.fromiter(map(known.get, new.vocabulary.to_lines(), repeat(-1)), np.int64, terms_after)
    fresh, shared = np.flatnonzero(places < 0), np.flatnonzero(places >= 0)
    in_old = places[shared]
    lost = np.delete(np.arange(terms_before), in_old)
    zero = np.zeros(max(len(fresh), len(lost)), np.int64)

    def changes(
        side: _Side, positions: NDArray[np.int64], was: NDArray[np.int64], is_now: NDArray[np.int64]
    ) -> tuple[TermChange, ...]:
        ratios = log_likelihood_ratio(was, is_now, old.postings, new.postings)
        # Positions ascend like terms, so equals stay in the order of terms. Without postings on one side all
        # ratios are 0, and frequency decides. Rounded: equal counts must tie whatever the last bit says.
        order = np.lexsort((positions, -np.maximum(was, is_now), -np.abs(ratios).round(6)))[:most]
        return tuple(
            TermChange(side.label(term), df_before, df_after, ratio, side.evidence(name, term))
            for term, df_before, df_after, ratio in zip(
                [side.vocabulary[position] for position in positions[order].tolist()],
                *(numbers[order].tolist() for numbers in (was, is_now, ratios)),
                strict=True,
            )
        )

    was, is_now = old.frequency[in_old], new.frequency[shared]
    ratios = log_likelihood_ratio(was, is_now, old.postings, new.postings)
    strong = np.maximum(was, is_now) >= LEAST_POSTINGS
    rising = np.flatnonzero(strong & (ratios >= LEAST_G2))
    dying = np.flatnonzero(strong & (ratios <= -LEAST_G2))
    return BlockDrift(
        name=name,
        postings_before=old.postings,
        postings_after=new.postings,
        vocabulary_before=terms_before,
        vocabulary_after=terms_after,
        new_count=len(fresh),
        gone_count=len(lost),
        rising_count=len(rising),
        dying_count=len(dying),
        new=changes(new, fresh, zero[: len(fresh)], new.frequency[fresh]),
        gone=changes(old, lost, old.frequency[lost], zero[: len(lost)]),
        rising=changes(new, shared[rising], was[rising], is_now[rising]),
        dying=changes(new, shared[dying], was[dying], is_now[dying]),
        idf=_compare_weights(new, shared, old.weights[in_old], new.weights[shared], most),
    )


def _compare_weights(
    side: _Side,
    positions: NDArray[np.int64],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    most: int,
) -> IdfShift:
    if not len(positions):
        return IdfShift()
    shifts = after - before
    sizes = np.abs(shifts).round(12)  # the logarithms of 4/2 and 6/3 differ in the last bit
    order = np.argsort(-sizes, kind="stable")[:most]
    order = order[sizes[order] > 0]
    end = _round_up(float(np.quantile(sizes, 0.99)))
    edges = np.linspace(-end, end, _BINS + 1)
    # Everything beyond the ends belongs to the outer bins: a few large shifts must not flatten the rest.
    counts, _ = np.histogram(np.clip(shifts, -end, end), edges)
    return IdfShift(
        terms=len(shifts),
        mean=float(shifts.mean()),
        mean_absolute=float(sizes.mean()),
        largest=tuple(
            Reweighed(side.label(side.vocabulary[position]), was, is_now)
            for position, was, is_now in zip(
                positions[order].tolist(), before[order].tolist(), after[order].tolist(), strict=True
            )
        ),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
    )


def _round_up(size: float) -> float:
    """Return the next number that looks well at the end of an axis, at least 0.01."""
    size = max(size, 0.01)
    power = 10.0 ** np.floor(np.log10(size))
    return float(next(step * power for step in _STEPS if step * power >= size * (1 - 1e-9)))
