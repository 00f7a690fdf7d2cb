"""Compares the terms of a feature block in two matchers: which are new, gone, rising, dying, or reweighed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.drift.term_changes import BlockDrift, IdfShift, PostingName, Reweighed, TermChange
from matcher.strings import StringTable

if TYPE_CHECKING:
    from matcher.ranker import Matcher

__all__: Final = ["LEAST_G2", "LEAST_POSTINGS", "compare_block", "log_likelihood_ratio"]

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
    change = after * postings_before - before * postings_after
    signed: NDArray[np.float64] = np.maximum(2 * ratio, 0) * np.sign(change) + 0.0
    return signed


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
    >>> from matcher import Matcher, Posting
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
