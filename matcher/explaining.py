"""Hits as recommendations: postings read, contributions named, and a word on rankings that say little."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.boosts import Boost
from matcher.features import FeatureBlock
from matcher.parts import Hit
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery
from matcher.recommendation import Contribution, Recommendation

__all__: Final = ["describe_hits", "describe_ranking"]

_NOTHING: Final = np.zeros(0, np.int32)


def describe_hits(
    hits: Sequence[Hit],
    ranks: Iterable[int],
    blocks: Sequence[FeatureBlock],
    queries: Sequence[BlockQuery],
    boosts: Sequence[Boost],
    read: Callable[[Hit], Posting],
) -> tuple[Recommendation, ...]:
    """Return hits as recommendations; contributions are named when somebody asks for them.

    Parameters
    ----------
    hits : sequence of Hit
    ranks : iterable of int
    blocks : sequence of FeatureBlock
    queries : sequence of BlockQuery
        The profile in the terms of each block.
    boosts : sequence of Boost
    read : callable
        Returns the posting of a hit.

    Examples
    --------
    >>> describe_hits([], [], [], [], [], lambda hit: Posting(id="1"))
    ()
    """
    queries = [_keep_words(number, query, hits) for number, query in enumerate(queries)]
    described = []
    for rank, hit in zip(ranks, hits, strict=False):
        posting = read(hit)
        explain = partial(_name_contributions, hit, blocks, queries, boosts, posting)
        described.append(Recommendation(rank, hit.score, posting, explain))
    return tuple(described)


def _keep_words(number: int, query: BlockQuery, hits: Sequence[Hit]) -> BlockQuery:
    """Return what explanations need of the query: one that matches words may have thousands of features."""
    if query.origins is None:
        return query
    return query.narrow(np.unique(np.concatenate([_find_learned(hit, number) for hit in hits] or [_NOTHING])))


def _find_learned(hit: Hit, number: int) -> NDArray[np.int32]:
    """Return the hit's features of one block as positions in the learned vocabulary."""
    learned: NDArray[np.int32] = hit.part.places[number][hit.features[hit.blocks == number]]
    return learned


def _name_contributions(
    hit: Hit,
    feature_blocks: Sequence[FeatureBlock],
    queries: Sequence[BlockQuery],
    boosts: Sequence[Boost],
    posting: Posting,
    limit: int | None,
) -> tuple[Contribution, ...]:
    """Return the largest contributions, at most `limit`: equal ones by block and feature."""
    blocks, features, values = hit.blocks, hit.features, hit.values
    if limit is not None and len(values) > limit + len(feature_blocks):
        # One contribution of each block may become several smaller ones, which makes room for another.
        least = np.partition(values, -limit - len(feature_blocks))[-limit - len(feature_blocks)]
        # What dense vectors add is a sum of larger and smaller parts, some below 0.
        is_sum = np.array([counted.dense is not None for counted in hit.part.segment.blocks] + [False])
        kept = (values >= least) | is_sum[np.minimum(blocks, len(feature_blocks))]
        blocks, features, values = blocks[kept], features[kept], values[kept]
    named: list[Contribution] = []
    for number, (block, counted) in enumerate(zip(feature_blocks, hit.part.segment.blocks, strict=True)):
        mine = np.flatnonzero(blocks == number)
        if len(mine):
            query, terms = queries[number], [""]
            if counted.dense is None:
                query = query.narrow(hit.part.places[number][features[mine]])
                terms = counted.vocabulary.take(features[mine])
            parts = block.name_contributions(terms, values[mine].tolist(), query, posting)
            named += [Contribution(block.name, label, value) for label, value in parts]
    for number, boost in enumerate(boosts, len(feature_blocks)):
        lifted = values[blocks == number].tolist()
        named += [Contribution(boost.name, boost.label(posting), value) for value in lifted]
    return tuple(sorted(named, key=lambda part: (-part.value, part.block, part.feature))[:limit])


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
        return f"the profile has nothing in common with any posting: {end}"
    return "" if lifted else "the profile shares nothing with the postings that are left: every score is 0"
