"""What two matchers must agree on, and scores computed the slow way, for the tests of retraining."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from matcher import Matcher, Posting, Recommendation, Recommendations
from matcher.analyzer import analyze
from matcher.boosts import Featured, Freshness
from matcher.dense import LEAST_DISTANCE, length_of_postings, quantise_profiles
from matcher.features import FeatureBlock, TitleBlock, posting_terms
from matcher.learning import BlockFeatures
from matcher.semantic import SemanticBlock, encoder_of
from matcher.text import posting_text
from matcher.tokens import split_in_python
from tests.strategies import profile_amounts

PROFILES = ["cook nurse bread", "python sql python c++ nights", "", "zzz", "über köchin .net go"]
CALLS: list[dict[str, Any]] = [
    {},
    {"filters": {"location": "Bern"}},
    {"filters": {"hashtags_any": ["sql", "it"], "remote": False}, "boosts": [Freshness(0.1)]},
    {"filters": {"posted_since": "2025-06-01"}, "boosts": [Featured(0.2), Freshness(0.3)]},
    {"boosts": [Freshness(0.1, half_life_days=100), Featured(0.05)]},
]


def bits(ranking: Iterable[Recommendation]) -> list[tuple[Any, ...]]:
    """Return everything recommendations say, floats to the last bit."""
    return [
        (
            found.rank,
            found.posting,
            found.score.hex(),
            [(*part[:2], part.value.hex()) for part in found.contributions],
        )
        for found in ranking
    ]


def learned(matcher: Matcher) -> list[tuple[Any, ...]]:
    """Return what each block learned, floats to the last bit."""
    return [
        (
            fitted.block,
            list(fitted.vocabulary),
            fitted.document_frequency.tolist(),
            fitted.postings,
            fitted.term_weights.tobytes(),
            None if fitted.centre is None else fitted.centre.tolist(),
        )
        for fitted in matcher.features
    ]


def outcome(ranking: Recommendations) -> tuple[Any, ...]:
    """Return a ranking and what is said about it."""
    return bits(ranking), ranking.considered, ranking.removed, ranking.notice


def assert_alike(
    matcher: Matcher,
    expected: Matcher,
    *,
    profiles: Sequence[str] = PROFILES,
    calls: Sequence[Mapping[str, Any]] = CALLS,
    sizes: Sequence[int] = (1, 3, 50),
    explained: int = 3,
) -> None:
    """Fail unless both hold, learned and answer the same, to the last bit."""
    assert len(matcher) == len(expected)
    assert matcher.postings.ids == expected.postings.ids
    assert list(matcher.postings) == list(expected.postings)
    assert learned(matcher) == learned(expected)
    for call in calls:
        for k in sizes:
            found = matcher.recommend_many(profiles, k, **call)
            wanted = expected.recommend_many(profiles, k, **call)
            assert list(map(outcome, found)) == list(map(outcome, wanted))
    for posting_id in expected.postings.ids[:explained]:
        for profile in profiles[:2]:
            for boosts in ([], [Freshness(0.1)]):
                found_one = matcher.explain(profile, posting_id, boosts=boosts)
                assert bits([found_one]) == bits([expected.explain(profile, posting_id, boosts=boosts)])


def slow_cosine(
    fitted: BlockFeatures, centre: Sequence[int], profile: str, posting: Posting
) -> tuple[float, float] | None:
    """Return the cosine of dense vectors, by its definition, and what of the block's weight counts.

    None where a side has no data. `centre` is the mean of postings in 256ths.
    """
    assert isinstance(fitted.block, SemanticBlock)
    encoder = encoder_of(fitted.block)
    text = posting.title if posting.title.strip() else posting_text(posting)
    [row] = encoder.encode_postings([text], split_in_python).tolist()
    [known] = encoder.share_known([text], split_in_python).tolist()
    [asked] = encoder.encode_profiles([profile], split_in_python([profile]))
    if not any(row) or not any(asked.direction):
        return None
    scale = 256 * length_of_postings(len(row))
    theirs = [256 * value - mean for value, mean in zip(row, centre, strict=True)]
    wanted = [value - mean / scale for value, mean in zip(asked.direction.tolist(), centre, strict=True)]
    ours = quantise_profiles(np.array([wanted]))[0].tolist()  # rounded: what is compared are whole numbers
    lengths = [math.sqrt(sum(value * value for value in side)) for side in (ours, theirs)]
    if lengths[1] <= LEAST_DISTANCE * scale or not lengths[0]:
        return None
    share = slow_share(fitted.block.fading, asked.words, asked.known) * known / 255
    product = sum(value * other for value, other in zip(ours, theirs, strict=True))
    return max(0.0, product / lengths[0] / lengths[1]), share


def slow_share(fading: float, words: int, known: float) -> float:
    """Return what of a weight that fades counts for a profile of so many words."""
    kept = (fading / (fading + words)) ** 2 * known / words
    levels = [part / 32 / 2**octave for octave in range(11) for part in (32, 27, 23, 19)]
    return max((level for level in levels if level <= kept), default=0.0)


def slow_part(block: FeatureBlock, profile: str, vocabulary: Iterable[str]) -> float:
    """Return what of a block's weight counts for a profile that has terms in it."""
    if not isinstance(block, TitleBlock):
        return 1.0
    words = sorted(set(analyze(profile)))
    nearest = [max((slow_similarity(word, other) for other in vocabulary), default=0.0) for word in words]
    matched = math.fsum(value**block.power for value in nearest if value >= block.least)
    return slow_share(block.fading, len(words), matched)


def slow_similarity(word: str, other: str) -> float:
    """Return the cosine of the sets of runs of 4 characters of two words, 1 for the word itself."""
    if word == other:
        return 1.0
    one, two = (
        {padded[place : place + 4] for place in range(len(padded) - 3)}
        for padded in (f" {text[:40]} " for text in (word, other))
    )
    return len(one & two) / math.sqrt(len(one) * len(two)) if one and two else 0.0


def slow_centre(fitted: BlockFeatures, postings: Sequence[Posting]) -> list[int]:
    """Return the mean of postings' dense vectors in 256ths, by its definition."""
    assert isinstance(fitted.block, SemanticBlock)
    encoder = encoder_of(fitted.block)
    texts = [posting.title if posting.title.strip() else posting_text(posting) for posting in postings]
    rows = encoder.encode_postings(texts, split_in_python).tolist()
    length, known = length_of_postings(encoder.dimensions), sum(map(any, rows))
    return [
        round(256 * (sum(row[place] for row in rows) + 1000 * length * expected) / (known + 1000))
        for place, expected in enumerate(encoder.expected.tolist())
    ]


def slow_score(features: Sequence[BlockFeatures], profile: str, posting: Posting) -> float:
    """Return a score by its definition, under weights that may be older than the posting."""
    total, weight = 0.0, 0.0
    for fitted in features:
        if fitted.centre is not None:
            compared = slow_cosine(fitted, fitted.centre.tolist(), profile, posting)
            if compared is not None:
                cosine, share = compared
                total += fitted.block.weight * share * cosine
                weight += fitted.block.weight * share
            continue
        weights = dict(zip(fitted.vocabulary, fitted.term_weights.tolist(), strict=True))
        ours = {
            term: count * weights[term]
            for term, count in Counter(posting_terms(fitted.block, posting)).items()
            if term in weights
        }
        theirs = {
            term: float(fitted.block.counting.asked(np.array([count]))[0]) * weights[term]
            for term, count in profile_amounts(fitted.block, profile, fitted.vocabulary).items()
        }
        norms = [math.sqrt(math.fsum(value**2 for value in side.values())) for side in (ours, theirs)]
        if all(norms):
            dot = math.fsum(value * theirs.get(term, 0.0) for term, value in ours.items())
            part = fitted.block.weight * slow_part(fitted.block, profile, list(fitted.vocabulary))
            total += part * dot / norms[0] / norms[1]
            weight += part
    return total / weight if weight else 0.0


def assert_scores_follow(
    matcher: Matcher, features: Sequence[BlockFeatures], profiles: Sequence[str]
) -> None:
    """Fail unless everything held is ranked as these weights say, and contributions make up the scores."""
    postings = {posting.id: posting for posting in matcher.postings}
    for profile in profiles:
        ranking = matcher.recommend(profile, max(1, len(postings)))
        assert sorted(found.posting.id for found in ranking) == sorted(postings)
        for found in ranking:
            assert found.posting == postings[found.posting.id]
            slow = slow_score(features, profile, found.posting)
            assert math.isclose(found.score, slow, rel_tol=1e-12, abs_tol=1e-300)
            parts = [part.value for part in found.contributions]
            assert math.isclose(math.fsum(parts), found.score, rel_tol=1e-12, abs_tol=1e-300)
            # What words add to the cosine of dense vectors is named, too, where it is below 0.
            assert all(part.value > 0 for part in found.contributions if part.block != "semantic")
            dense = [part.value for part in found.contributions if part.block == "semantic"]
            assert not dense or math.fsum(dense) > 0
        order = [(-found.score, found.posting.id) for found in ranking]
        assert order == sorted(order)
        assert [found.rank for found in ranking] == list(range(1, len(order) + 1))
        if ranking:
            explained = matcher.explain(profile, ranking[-1].posting.id)
            assert bits([explained]) == bits([ranking[-1]])


def same_arrays(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> None:
    """Fail unless two mappings hold the same arrays under the same names, types included."""
    assert first.keys() == second.keys()
    for name, array in first.items():
        other = second[name]
        assert (name, array.dtype, array.shape) == (name, other.dtype, other.shape)
        assert np.array_equal(array, other), (name, array, other)
