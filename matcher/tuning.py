"""`tune`: weights of feature blocks chosen on judged CVs, and kept only if CVs left out agree.

Whoever tries dozens of weights finds some that do better on the CVs at hand by luck. So the choice is
repeated without a part of the CVs, fold by fold, and judged by that part alone: what counts is how
well the *procedure* does on CVs it has not seen (nested cross-validation; Varma and Simon, Bias in error
estimation when using cross-validation for model selection, BMC Bioinformatics 7, 2006). Folds are dealt
several times, and a CV counts by its mean: on judgements that mean nothing, one dealing alone finds "better"
weights more often than the 2.5 % that its interval promises.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import JudgementError, OptionError
from matcher.evaluate import Interval, Measure, paired_interval, parse_measure, randomisation_test
from matcher.profile import Profile
from matcher.quality import Quality, measure_quality
from matcher.recommender import Progress
from matcher.weight_search import candidate_weights, choose_candidate, deal_folds, distance

if TYPE_CHECKING:
    from matcher.ranker import Matcher

__all__: Final = ["FEWEST_CVS", "Fold", "Tuning", "tune"]

FEWEST_CVS: Final = 20
"""With fewer, bootstrap intervals are too narrow, and a fold is a handful of CVs."""

DEALINGS: Final = 10
"""How often CVs are dealt into folds."""

LARGEST_P: Final = 0.05

_ONE_BLOCK: Final = "fewer than two feature blocks find anything for these CVs: there is nothing to choose"
_NEAR: Final = "no other weights are better by more than one standard error"
_INTERVAL: Final = "the interval of the gain on CVs left out reaches down to 0 or below"
_CHANCE: Final = "too few CVs left out are ranked differently: chance alone could have done it"
_BETTER: Final = "CVs left out of the choice are ranked better"


@dataclass(frozen=True, slots=True)
class Fold:
    """What was chosen without some of the CVs, and how well these are ranked by it.

    Parameters
    ----------
    cvs : int
        How many were left out.
    weights : mapping of str to float
        Chosen by the others.
    default, tuned : float
        Mean of the measure over those left out, by the default weights and by the chosen ones.

    Examples
    --------
    >>> Fold(4, {"text": 1.0}, 0.5, 0.75).to_record()
    {'cvs': 4, 'weights': {'text': 1.0}, 'default': 0.5, 'tuned': 0.75}
    """

    cvs: int
    weights: Mapping[str, float]
    default: float
    tuned: float

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values.

        Examples
        --------
        >>> Fold(4, {"text": 1.0}, 0.5, 0.75).to_record()["cvs"]
        4
        """
        return {
            "cvs": self.cvs,
            "weights": dict(self.weights),
            "default": self.default,
            "tuned": self.tuned,
        }


@dataclass(frozen=True, slots=True)
class Tuning:
    """What `tune` found, and whether it is worth a change.

    Parameters
    ----------
    measure : Measure
    default : mapping of str to float
        The weights that the matcher had, by name of the block.
    chosen : mapping of str to float
        What all CVs together choose.
    folds : tuple of Fold
        Of every dealing, one dealing after the other.
    cvs : int
        Distinct CVs that were measured; those with the same text count as one.
    left_out : int
        Judged CVs for which no posting that fits is held.
    missing : int
        Judgements about postings that are not held.
    candidates : int
        Weights tried, the default among them.
    default_mean, tuned_mean : float
        Mean of the measure by the default weights, and by those chosen without the CV that is measured (for
        each CV, the mean over all dealings).
    interval : Interval
        95 % paired bootstrap interval of the difference of the two.
    p : float
        Of the paired randomisation test of the two, two-sided.
    claimed : float
        Gain of the best candidate on the very CVs that made it the best: too good to be true.
    reason : str
        Why it is better, or why the default stays.
    is_better : bool

    Examples
    --------
    >>> tuning = Tuning(Measure("map"), {"text": 0.5}, {"text": 1.0}, (), 20, 0, 0, 9, 0.5, 0.75,
    ...     Interval(0.1, 0.4), 0.01, 0.5, "", True)
    >>> tuning.gain, tuning.weights
    (0.25, {'text': 1.0})
    """

    measure: Measure
    default: Mapping[str, float]
    chosen: Mapping[str, float]
    folds: tuple[Fold, ...]
    cvs: int
    left_out: int
    missing: int
    candidates: int
    default_mean: float
    tuned_mean: float
    interval: Interval
    p: float
    claimed: float
    reason: str
    is_better: bool

    @property
    def gain(self) -> float:
        """How much better CVs are ranked by weights that were chosen without them.

        Examples
        --------
        >>> Tuning(Measure("map"), {}, {}, (), 20, 0, 0, 9, 0.5, 0.25,
        ...     Interval(-0.4, 0), 1, 0, "", False).gain
        -0.25
        """
        return self.tuned_mean - self.default_mean

    @property
    def weights(self) -> Mapping[str, float]:
        """The weights to use: the chosen ones if they are better, else the default.

        Examples
        --------
        >>> Tuning(Measure("map"), {"text": 0.5}, {"text": 1.0}, (), 20, 0, 0, 9, 0.5, 0.25,
        ...     Interval(-0.4, 0), 1, 0, "", False).weights
        {'text': 0.5}
        """
        return self.chosen if self.is_better else self.default

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values; nothing of a CV but how many there are.

        Examples
        --------
        >>> Tuning(Measure("map"), {"text": 0.5}, {"text": 1.0}, (), 20, 0, 0, 9, 0.5, 0.25,
        ...     Interval(-0.4, 0), 1, 0, "", False).to_record()["weights"]
        {'text': 0.5}
        """
        return {
            "measure": str(self.measure),
            "cvs": self.cvs,
            "left_out": self.left_out,
            "missing": self.missing,
            "candidates": self.candidates,
            "default": dict(self.default),
            "chosen": dict(self.chosen),
            "weights": dict(self.weights),
            "folds": [fold.to_record() for fold in self.folds],
            "default_mean": self.default_mean,
            "tuned_mean": self.tuned_mean,
            "gain": self.gain,
            "interval": list(self.interval),
            "p": self.p,
            "claimed": self.claimed,
            "is_better": self.is_better,
            "reason": self.reason,
        }


def tune(
    matcher: Matcher,
    cvs: Mapping[str, Profile | str],
    grades: Mapping[str, Mapping[str, int]],
    *,
    measure: Measure | str = "ndcg@10",
    folds: int = 5,
    seed: int = 0,
    threads: int = 1,
    progress: Progress | None = None,
) -> Tuning:
    """Choose weights of the feature blocks by judged CVs, and say whether they are better than the default.

    The default are the weights that the matcher has. Of a fixed list of others
    (`matcher.weight_search.candidate_weights`), the CVs outside of a fold choose some
    (`matcher.weight_search.choose_candidate`: close to the default when in doubt), and those in the fold
    are ranked by them; so `DEALINGS` times with other folds. The weights that all CVs choose are better if
    the interval of the mean difference over all folds lies above 0 and the randomisation test gives less
    than 0.05. In every other case the default stays. Blocks that say nothing about these CVs keep their
    weight. The matcher does not change: use `Matcher.with_weights` with `Tuning.weights`.

    Parameters
    ----------
    matcher : Matcher
    cvs, grades
        As in `matcher.quality.measure_quality`. Their order does not matter.
    measure : Measure or str
        What is to become better.
    folds : int
        2 to `FEWEST_CVS`.
    seed : int
        At least 0: which CVs fall into which fold, and what the bootstrap draws.
    threads : int
        As in `Matcher.recommend_many`. The result does not depend on it.
    progress : callable, optional
        Called with ``(stage, done, total)``.

    Returns
    -------
    Tuning

    Raises
    ------
    JudgementError
        When fewer than `FEWEST_CVS` distinct CVs can be measured.
    OptionError
        When an argument makes no sense.

    Examples
    --------
    >>> from matcher import Matcher, Posting
    >>> from matcher.features import HashtagBlock, TextBlock
    >>> trades = ["cook", "nurse", "welder", "driver", "baker"]
    >>> board = [
    ...     Posting(id=f"{trade}-{tags}", title="Job", body=trade * (1 - tags), hashtags=[trade] * tags)
    ...     for trade in trades for tags in (0, 1)
    ... ]
    >>> matcher = Matcher.fit(board, blocks=[TextBlock(0.7), HashtagBlock(0.3)])
    >>> cvs = {f"{trade}-{number}": f"{trade} {number}x" for trade in trades for number in range(5)}
    >>> tuning = tune(matcher, cvs, {name: {f"{name.split('-')[0]}-1": 1} for name in cvs})
    >>> tuning.is_better, round(tuning.gain, 2), tuning.weights
    (True, 0.37, {'text': 0.0, 'hashtags': 1.0})
    """
    parsed = parse_measure(measure) if isinstance(measure, str) else measure
    _check_whole("folds", folds, 2, FEWEST_CVS)
    _check_whole("seed", seed, 0)
    default = {fitted.block.name: fitted.block.weight for fitted in matcher.features}
    ordered = {name: grades[name] for name in sorted(grades)}
    candidates = [default]
    values: list[list[float]] = []
    while len(values) < len(candidates):
        tried = matcher.with_weights(candidates[len(values)])
        quality = measure_quality(tried, cvs, ordered, [parsed], threads=threads)
        if not values:
            names = _distinct(quality, cvs)
            _check_enough(names, quality)
            free = _list_free_blocks(matcher, [cvs[alike[0]] for alike in names], default, threads)
            candidates = candidate_weights(default, free)
        by_name = {cv.name: cv.values[0] for cv in quality.measured}
        values.append([math.fsum(by_name[name] for name in alike) / len(alike) for alike in names])
        if progress is not None:
            progress("trying weights", len(values), len(candidates))
    firsts = [alike[0] for alike in names]
    dealings = [deal_folds(firsts, folds, seed, dealing) for dealing in range(DEALINGS)]
    return _cross_validate(parsed, candidates, np.array(values), dealings, seed, quality)


def _cross_validate(
    measure: Measure,
    candidates: Sequence[Mapping[str, float]],
    values: NDArray[np.float64],
    dealings: Sequence[NDArray[np.int64]],
    seed: int,
    quality: Quality,
) -> Tuning:
    """Choose with each fold left out, and with none; `values` have the shape (candidates, CVs)."""
    distances = [distance(candidates[0], weights) for weights in candidates]
    gains = np.zeros(values.shape[1])
    folds = []
    for dealt in dealings:
        for number in range(int(dealt.max()) + 1):
            out = dealt == number
            by_others = choose_candidate(values[:, ~out], distances)
            gains[out] += values[by_others, out] - values[0, out]
            means = _mean(values[0, out]), _mean(values[by_others, out])
            folds.append(Fold(int(out.sum()), candidates[by_others], *means))
    tuned = values[0] + gains / len(dealings)
    interval = paired_interval(tuned, values[0], seed=seed)
    p = randomisation_test(tuned, values[0], seed=seed)
    choice = choose_candidate(values, distances)
    if len(candidates) == 1:
        reason = _ONE_BLOCK
    elif not choice:
        reason = _NEAR
    elif not interval.low > 0:
        reason = _INTERVAL
    elif not p < LARGEST_P:
        reason = _CHANCE
    else:
        reason = _BETTER
    default_mean = _mean(values[0])
    return Tuning(
        measure=measure,
        default=candidates[0],
        chosen=candidates[choice],
        folds=tuple(folds),
        cvs=values.shape[1],
        left_out=len(quality.cvs) - len(quality.measured),
        missing=quality.missing,
        candidates=len(candidates),
        default_mean=default_mean,
        tuned_mean=_mean(tuned),
        interval=interval,
        p=p,
        claimed=max(_mean(row) for row in values) - default_mean,
        reason=reason,
        is_better=reason == _BETTER,
    )


def _list_free_blocks(
    matcher: Matcher, profiles: Sequence[Profile | str], blocks: Iterable[str], threads: int
) -> list[str]:
    """Return the blocks by which, alone, anything at all is found for any of the profiles."""
    nothing = dict.fromkeys(blocks, 0.0)
    return [
        name
        for name in nothing
        if any(
            best.score > 0
            for ranking in matcher.with_weights(nothing | {name: 1.0}).recommend_many(
                profiles, 1, threads=threads
            )
            for best in ranking
        )
    ]


def _distinct(quality: Quality, cvs: Mapping[str, Profile | str]) -> list[list[str]]:
    """Return the names of the CVs that were measured, those of the same text together."""
    found: dict[str, list[str]] = {}
    for cv in quality.measured:
        profile = cvs[cv.name]
        found.setdefault(profile.text if isinstance(profile, Profile) else profile, []).append(cv.name)
    return list(found.values())


def _check_enough(names: Sequence[Sequence[str]], quality: Quality) -> None:
    if len(names) < FEWEST_CVS:
        raise JudgementError(
            f"too few to tune by: {len(names):,} of {len(quality.cvs):,} judged CVs are distinct and have a "
            f"posting that fits, and it takes {FEWEST_CVS}: judge more"
        )


def _check_whole(name: str, value: object, least: int, most: float = math.inf) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        bounds = f"at least {least}" if most == math.inf else f"{least} to {most}"
        raise OptionError(f"{name} must be a whole number of {bounds}, got {value!r}")


def _mean(values: NDArray[np.float64]) -> float:
    return math.fsum(values.tolist()) / len(values)
