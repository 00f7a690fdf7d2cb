"""Hypothesis strategies for postings, profiles and settings, shared by the test files."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from matcher import Posting, Profile
from matcher.boosts import Featured, Freshness
from matcher.features import FeatureBlock, HashtagBlock, TextBlock, TitleBlock
from matcher.queries import Matched
from matcher.semantic import SemanticBlock
from matcher.strings import StringTable
from matcher.tokens import split_in_python

# Few words, so that postings and profiles share some; among them names, umlauts, and words that are tags too.
WORDS = "nurse ward cook bread sql python c++ c# .net node.js köchin über r go it data driver lorry".split()
WORDS += ["nurses", "lorrydriver", "köchinnen"]
WORDS += "nurses cooks organisation organizations".split()  # which fold
TAGS = ["nurse", "cook", "sql", "python", "c++", "c#", ".net", "Machine Learning", "it", "r", "köchin"]
PLACES = [
    "",
    "Bern",
    "New York",
    "Berlin or remote",
    "Remote",
    "Zürich",
    "Bern (no remote)",
    "York, New Town",
]
COMPANIES = ["", "Beck", "Beck & Sons", "Nordlicht GmbH", "ACME"]
JOB_TYPES = ["", "fulltime", "Full-time", "part time", "contract"]

anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any text that UTF-8 can hold."""

sentences = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
"""A few known words."""

texts = st.one_of(sentences, sentences, anything)
"""Mostly known words, sometimes anything."""

dates = st.one_of(
    st.none(), st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))
)

ids = st.text(st.sampled_from("abÄ0-9z 😀"), min_size=1, max_size=4).filter(str.strip)
"""Few enough to meet again; ASCII, Latin and a character outside the Basic Multilingual Plane."""

postings = st.builds(
    Posting,
    id=ids,
    title=texts,
    summary=sentences,
    body=texts,
    company=st.sampled_from(COMPANIES),
    location=st.sampled_from(PLACES),
    job_type=st.sampled_from(JOB_TYPES),
    hashtags=st.lists(st.sampled_from(TAGS), max_size=4),
    posted=dates,
    featured=st.sampled_from([0, 0, 1, 20]),
)
"""One posting."""

boards = st.lists(postings, max_size=9, unique_by=lambda posting: posting.id)
"""Postings with distinct ids, possibly none."""

full_boards = st.lists(postings, min_size=1, max_size=9, unique_by=lambda posting: posting.id)
"""The same, at least one."""

profiles = texts
"""The text of a profile."""


def profile_terms(block: FeatureBlock, text: str, vocabulary: StringTable) -> list[str]:
    """Return the terms of a profile that `vocabulary` holds, with repeats."""
    found = block.profile_features([Profile(text)], split_in_python([text]), vocabulary)
    return [vocabulary[position] for position in found.positions.tolist()]


def profile_amounts(block: FeatureBlock, text: str, vocabulary: StringTable) -> dict[str, float]:
    """Return the terms of a profile that `vocabulary` holds, and how often or in what measure it has them."""
    found = block.profile_features([Profile(text)], split_in_python([text]), vocabulary)
    amounts = found.amounts.tolist() if isinstance(found, Matched) else [1.0] * len(found.positions)
    summed: dict[str, float] = {}
    for position, amount in zip(found.positions.tolist(), amounts, strict=True):
        summed[vocabulary[position]] = summed.get(vocabulary[position], 0.0) + amount
    return summed


_weights = st.sampled_from([0.3, 0.7, 1.0, 2.5])
_word_options = st.fixed_dictionaries(
    {
        "title_weight": st.integers(0, 3),
        "summary_weight": st.integers(0, 3),
        "fold": st.booleans(),
        "profile_saturation": st.sampled_from([0.0, 0.1, 2.0]),
        "boilerplate": st.sampled_from([0.0, 0.5, 0.99]),
    },
)
_saturations = st.sampled_from([{}, {"saturation": 1.2}, {"saturation": 8.0, "length": 0.75}])
option_lists = st.builds(
    lambda words, saturation, share: [TextBlock(0.7, **words, **saturation), HashtagBlock(unsupported=share)],
    _word_options,
    _saturations,
    st.sampled_from([0.0, 0.5, 1.0]),
)
"""Feature blocks with options."""

block_lists = st.one_of(
    st.none(),
    option_lists,
    st.builds(lambda a, b: [TextBlock(a), HashtagBlock(b)], _weights, _weights),
    st.builds(lambda a: [TextBlock(a)], _weights),
    st.builds(lambda a: [HashtagBlock(a)], _weights),
    st.builds(lambda a, b, c: [TextBlock(a), HashtagBlock(b), TitleBlock(c)], _weights, _weights, _weights),
    st.builds(lambda a: [TitleBlock(a)], _weights),
    st.builds(lambda a, b: [TextBlock(a), SemanticBlock(b)], _weights, _weights),
    st.builds(lambda a, b: [SemanticBlock(a, fading=b)], _weights, st.sampled_from([0.5, 30.0])),
)
"""Feature blocks as `Matcher.fit` takes them."""

boost_lists = st.one_of(
    st.just([]),
    st.builds(lambda a: [Featured(a)], st.floats(0.001, 2)),
    st.builds(lambda a, days: [Freshness(a, half_life_days=days)], st.floats(0.001, 2), st.floats(0.1, 1e4)),
    st.builds(lambda a, b: [Freshness(a), Featured(b)], st.floats(0.001, 2), st.floats(0.001, 2)),
)
"""Boosts as `Matcher.recommend` takes them."""
