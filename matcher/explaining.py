"""Hits as recommendations: postings read, contributions named, and a word on rankings that say little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import numpy as np

from matcher.boosts import Boost
from matcher.features import FeatureBlock
from matcher.learning import BlockQuery, encoder_of
from matcher.parts import Hit
from matcher.personal import remove_personal_data
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.recommendation import Contribution, Recommendation
from matcher.semantic import SemanticBlock

__all__: Final = ["describe_hits", "describe_ranking"]

MOST_PAIRS: Final = 10
"""Pairs of words that are named one by one."""

OTHER_WORDS: Final = "other words"
"""What the rest adds together; less than 0 when it points elsewhere."""


def describe_hits(
    hits: Iterable[Hit],
    ranks: Iterable[int],
    blocks: Sequence[FeatureBlock],
    boosts: Sequence[Boost],
    profile: Profile,
    read: Callable[[Hit], Posting],
) -> tuple[Recommendation, ...]:
    """Return hits as recommendations; contributions are named when somebody asks for them.

    Examples
    --------
    >>> describe_hits([], [], [], [], Profile("Cook"), lambda hit: Posting(id="1"))
    ()
    """
    described = []
    for rank, hit in zip(ranks, hits, strict=False):
        posting = read(hit)
        explain = partial(_name_contributions, hit, blocks, boosts, profile, posting)
        described.append(Recommendation(rank, hit.score, posting, explain))
    return tuple(described)


def _name_contributions(
    hit: Hit,
    feature_blocks: Sequence[FeatureBlock],
    boosts: Sequence[Boost],
    profile: Profile,
    posting: Posting,
    limit: int | None,
) -> tuple[Contribution, ...]:
    """Return the largest contributions, at most `limit`: equal ones by block and feature."""
    is_dense = np.array(
        [isinstance(block, SemanticBlock) for block in feature_blocks] + [False] * len(boosts)
    )
    dense = np.flatnonzero(is_dense[hit.blocks])
    if len(dense):
        text = remove_personal_data(profile).text
        named = [
            part
            for entry in dense.tolist()
            for part in _name_parts(feature_blocks[int(hit.blocks[entry])], text, posting, hit.values[entry])
        ]
        kept = np.flatnonzero(~is_dense[hit.blocks])
        rest = hit._replace(blocks=hit.blocks[kept], features=hit.features[kept], values=hit.values[kept])
        named += _name_contributions(rest, feature_blocks, boosts, profile, posting, limit)
        return tuple(sorted(named, key=lambda one: (-one.value, one.block, one.feature)))[:limit]
    names = [*(block.name for block in feature_blocks), *(boost.name for boost in boosts)]
    # Vocabularies are sorted, so positions sort like terms; blocks sort by name.
    places = np.array([sorted(names).index(name) for name in names])
    order = np.lexsort((hit.features, places[hit.blocks], -hit.values))[:limit]
    blocks, features, values = hit.blocks[order], hit.features[order], hit.values[order]
    labels = np.empty(len(values), np.object_)
    for number, (block, counted) in enumerate(zip(feature_blocks, hit.part.segment.blocks, strict=True)):
        mine = np.flatnonzero(blocks == number)
        labels[mine] = [*map(block.label, counted.vocabulary.take(features[mine]))]
    for number, boost in enumerate(boosts, len(feature_blocks)):
        labels[blocks == number] = boost.label(posting)
    named = [names[block] for block in blocks.tolist()]
    return tuple(map(Contribution._make, zip(named, labels.tolist(), values.tolist(), strict=True)))


def _name_parts(block: FeatureBlock, profile: str, posting: Posting, value: float) -> list[Contribution]:
    """Return what dense vectors add, by pairs of words: the largest, and what is left as one."""
    assert isinstance(block, SemanticBlock)  # noqa: S101 - callers check
    parts = encoder_of(block).name_parts(profile, block.posting_content(posting))
    total = sum(part for _, part in parts)
    if not total > 0:  # so little that rounding to whole numbers decides
        return [Contribution(block.name, OTHER_WORDS, float(value))]
    parts.sort(key=lambda part: (-part[1], part[0]))
    scaled = [(label, part * float(value) / total) for label, part in parts]
    named, rest = scaled[:MOST_PAIRS], scaled[MOST_PAIRS:]
    if rest:
        named.append((OTHER_WORDS, sum(part for _, part in rest)))
    return [Contribution(block.name, label, part) for label, part in named]


def describe_ranking(
    profile: Profile,
    queries: Sequence[BlockQuery],
    items: Sequence[Recommendation],
    considered: int,
    held: int,
) -> str:
    """Return one sentence on why a ranking says little, empty when it does not.

    Parameters
    ----------
    profile : Profile
    queries : sequence of BlockQuery
        The profile in the terms of each block.
    items : sequence of Recommendation
    considered : int
        How many postings passed all filters.
    held : int
        How many there are.

    Examples
    --------
    >>> describe_ranking(Profile("Cook"), (), (), 0, 0)
    'there are no postings to rank'
    """
    if not held:
        return "there are no postings to rank"
    if not considered:
        return "the filters leave no posting"
    lifted = items[0].score > 0
    end = "only boosts count" if lifted else "every score is 0"
    if not profile.text.strip():
        return f"the profile is empty: {end}"
    if not any(query.asked for query in queries):
        return f"the profile shares no word with any posting: {end}"
    return "" if lifted else "the profile shares nothing with the postings that are left: every score is 0"
