"""Options of the text and hashtag blocks: what they count, and that models with them keep every promise."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import Matcher, ModelDamagedError, OptionError, Posting, Profile
from matcher.analyzer import analyze, supported_tags, tag_candidates
from matcher.features import (
    FeatureBlock,
    HashtagBlock,
    TextBlock,
    block_from_settings,
    check_blocks,
    default_blocks,
    posting_terms,
    smooth_idf,
)
from matcher.learning import fit_block
from matcher.persistence import read_snapshot, write_snapshot
from matcher.segments import Segment
from matcher.snapshot import Snapshot
from matcher.term_counts import LEVELS, TermCounts
from matcher.tokens import split_compiled, split_in_python
from matcher.variants import find_foldable, fold_variants
from tests.likeness import assert_alike, assert_scores_follow, learned, same_arrays
from tests.strategies import boards, full_boards, option_lists, profiles

ALL: list[FeatureBlock] = [
    TextBlock(
        title_weight=3,
        summary_weight=2,
        fold=True,
        saturation=1.2,
        length=0.75,
        profile_saturation=8,
        boilerplate=0.5,
    ),
    HashtagBlock(unsupported=0.3),
]
COMMON = [
    Posting(id=f"n{number:03}", title="nurses cook", body="bread " * (number % 5)) for number in range(60)
]

# --- words in several forms -------------------------------------------------------------------------

ENDINGS = "s ss us is ies sses xes zzes ches shes isation isations ization ise es e y ie i x".split()
words = st.one_of(
    st.text("aeiosuxyzcht", max_size=9),
    st.builds(lambda stem, ending: stem + ending, st.text("abcisö+1.", max_size=5), st.sampled_from(ENDINGS)),
)


@settings(max_examples=300, deadline=None)
@given(words)
@example("isations")
@example("ssies")
def test_folding_twice_is_folding_once_and_never_empties_a_word(word: str) -> None:
    folded = fold_variants(word)
    assert fold_variants(folded) == folded
    assert bool(folded) == bool(word)
    assert len(folded) <= len(word)


@pytest.mark.parametrize(
    ("word", "folded"),
    [
        ("companies", "company"),
        ("ties", "tie"),
        ("branches", "branch"),
        ("databases", "database"),
        ("boxes", "box"),
        ("business", "business"),
        ("campus", "campus"),
        ("basis", "basis"),
        ("aws", "aws"),
        ("css", "css"),
        ("büros", "büro"),
        ("h2os", "h2os"),
        ("node.js", "node.js"),
        ("organisations", "organization"),
        ("advise", "advise"),
    ],
)
def test_words_fold_by_the_rules(word: str, folded: str) -> None:
    assert fold_variants(word) == folded


@settings(max_examples=200, deadline=None)
@given(st.lists(words, max_size=8))
def test_words_that_folding_changes_are_found_among_bytes(drawn: list[str]) -> None:
    strings = split_in_python([" ".join(drawn)]).strings
    found = set(find_foldable(strings.data, strings.offsets).tolist())
    assert {place for place, word in enumerate(strings) if fold_variants(word) != word} <= found


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(words, max_size=8).map(" ".join), max_size=3))
def test_tokens_fold_alike_with_and_without_compiled_code(texts: list[str]) -> None:
    compiled, reference = split_compiled(texts).fold_variants(), split_in_python(texts).fold_variants()
    assert list(compiled.strings) == list(reference.strings)
    assert compiled.strings.hashes.tolist() == reference.strings.hashes.tolist()
    assert list(reference.strings) == [fold_variants(token) for token in split_in_python(texts).strings]


# --- how much repeats count -------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 1 << 24), max_size=5), max_size=5),
    st.floats(0.1, 1000),
    st.floats(0, 1),
)
def test_saturated_counts_are_those_of_bm25_rounded(rows: list[list[int]], k1: float, b: float) -> None:
    starts = np.cumsum([0, *map(len, rows)])
    counts = np.array([count for row in rows for count in row], np.int64)
    stored = TermCounts(saturation=k1, length=b).stored(counts, starts)
    lengths = [sum(row) for row in rows for _ in row]
    exact = [15 * c / (c + k1 * (1 - b + b * n / 300)) for c, n in zip(counts.tolist(), lengths, strict=True)]
    assert stored.dtype == np.uint8
    for level, wanted in zip(stored.tolist(), exact, strict=True):
        assert 1 <= level <= LEVELS
        assert abs(level - max(wanted, 1)) <= 0.5 + 1e-9


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 1 << 20), st.floats(0.1, 1000))
def test_asked_counts_grow_from_1_to_less_than_one_more_than_k3(count: int, k3: float) -> None:
    once, less, more = TermCounts(profile_saturation=k3).asked(np.array([1, count, count + 1]))
    assert once == 1.0
    assert less <= more <= k3 + 1


def test_a_title_counts_so_many_times() -> None:
    posting = Posting(id="1", title="Cook", summary="Nurse", body="Bread")
    counted = Counter(posting_terms(TextBlock(title_weight=3, summary_weight=0), posting))
    assert counted == {"cook": 3, "bread": 1}


def test_boilerplate_takes_the_same_from_every_word() -> None:
    frequency = np.array([1, 50, 100])
    weights = TextBlock(boilerplate=0.9).term_weights(frequency, 100)
    assert weights == pytest.approx(smooth_idf(frequency, 100) - 0.9)
    assert weights[2] == pytest.approx(0.1)


@pytest.mark.parametrize("compiled", [False, True])
def test_forms_of_a_word_are_counted_together_within_a_posting_and_not_beyond(compiled: bool) -> None:
    titles = ["cook " * 200 + "cooks " * 200, "cooks", "cook", "", "cooks nurse nurses"]
    board = [Posting(id=str(number), title=title) for number, title in enumerate(titles)]
    features, index = fit_block(TextBlock(fold=True), board, compiled=compiled)
    assert list(features.vocabulary) == ["cook", "nurse"]
    assert features.document_frequency.tolist() == [4, 1]
    assert index.by_posting.starts.tolist() == [0, 1, 2, 3, 3, 5]
    assert index.by_posting.counts.tolist() == [400, 1, 1, 1, 2]
    assert index.by_term.counts.tolist() == [400, 1, 1, 1, 2]


@pytest.mark.parametrize("split", [split_compiled, split_in_python])
def test_a_profile_is_asked_in_folded_words_whose_repeats_saturate(split: Any) -> None:
    board = [Posting(id="1", title="nurses in organisations"), Posting(id="2", title="cooks")]
    block = TextBlock(fold=True, profile_saturation=2.0)
    features, _ = fit_block(block, board)
    profile = "Nurse, nurses, nursing; four nurses and an organisation"
    query = features.queries([Profile(profile)], split([profile]))[0]
    assert [features.vocabulary[place] for place in query.features.tolist()] == ["nurse", "organization"]
    nurse, organization = query.weights.tolist()
    assert nurse / organization == pytest.approx(3 * 3 / (2 + 3))  # (k3 + 1) * 3 / (k3 + 3), and 1 for one


# --- hashtags and their text ------------------------------------------------------------------------

_tags = st.sampled_from(["it", "r", "c#", "sql", "machinelearning", "nurse", "nursejobs", "dotnet", "cicd"])
_texts = st.lists(
    st.sampled_from("IT it R C# SQL machine learning Nurse nurses .NET CI/CD - , #it".split()), max_size=8
).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(
    st.lists(_tags | st.text("ab", min_size=1, max_size=8), max_size=5), _texts | st.text("ab -", max_size=12)
)
def test_tags_that_a_text_names_are_supported(tags: list[str], text: str) -> None:
    supported = supported_tags(tags, text)
    assert set(tags) & tag_candidates(text) <= set(supported) <= set(tags)
    assert supported == [tag for tag in tags if tag in supported]
    for tag in set(supported) - tag_candidates(text):
        assert len(tag) >= 4
        parts = [word for word in analyze(text) if len(word) >= 4]
        assert any(tag in word or (len(word) > 4 and word in tag) for word in parts)


def test_a_tag_of_four_words_is_named_by_them() -> None:
    assert supported_tags(["asapqabi", "asapqabix"], "as ap qa bi x") == ["asapqabi"]


def test_stop_words_and_short_words_support_nothing() -> None:
    assert supported_tags(["withdrawal", "catering", "ware"], "with the cat at sea, where") == []
    assert supported_tags(["teilzeitjob", "pflege"], "Teilzeit, Altenpflege") == ["teilzeitjob", "pflege"]


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.3, 3), (0.99, 10)])
def test_tags_without_support_count_less(share: float, count: int) -> None:
    posting = Posting(id="1", title="SQL", hashtags=["css", "sql"])
    wanted = Counter({"sql": 10, "css": count})
    assert Counter(posting_terms(HashtagBlock(unsupported=share), posting)) == +wanted


# --- the contract, with options ---------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(boards, option_lists)
def test_compiled_counting_is_that_of_dictionaries(board: list[Posting], blocks: list[FeatureBlock]) -> None:
    ordered = sorted(board, key=lambda posting: posting.id)
    segments = [Segment.from_postings(ordered, blocks, compiled=compiled) for compiled in (False, True)]
    same_arrays(segments[0].to_files("s", blocks), segments[1].to_files("s", blocks))
    for block in blocks:
        features, index = fit_block(block, ordered)
        starts, columns, counts = index.by_posting
        for row, posting in enumerate(ordered):
            own = slice(starts[row], starts[row + 1])
            found = {
                features.vocabulary[column]: int(count)
                for column, count in zip(columns[own].tolist(), counts[own], strict=True)
            }
            assert found == Counter(posting_terms(block, posting))
        back = index.by_term.transpose(len(ordered))
        assert all(np.array_equal(a, b) for a, b in zip(back, index.by_posting, strict=True))


@settings(max_examples=12, deadline=None)
@given(full_boards, full_boards, option_lists, st.data())
def test_learning_anew_is_fitting_from_scratch(
    first: list[Posting], more: list[Posting], blocks: list[FeatureBlock], data: Any
) -> None:
    matcher = Matcher.fit(first, blocks=blocks, engine="base")
    matcher.add(more)
    held = {posting.id: posting for posting in [*first, *more]}
    gone = data.draw(st.sets(st.sampled_from(sorted(held)), max_size=len(held) - 1))
    matcher.remove(sorted(gone))
    matcher.refit()
    if data.draw(st.booleans()):
        matcher.compact()
    left = [posting for key, posting in held.items() if key not in gone]
    assert_alike(matcher, Matcher.fit(left, blocks=blocks, engine="base"))


@settings(max_examples=12, deadline=None)
@given(full_boards, option_lists, profiles)
@example(COMMON, ALL, "nurse nurses nurses cook bread bread")
def test_scores_follow_from_the_counts(
    board: list[Posting], blocks: list[FeatureBlock], profile: str
) -> None:
    matcher = Matcher.fit(board, blocks=blocks, engine="base")
    assert_scores_follow(matcher, matcher.features, [profile])
    ranking = matcher.recommend(profile, k=len(board))
    assert all(0 <= found.score <= 1 + 1e-12 for found in ranking)


@settings(max_examples=15, deadline=None)
@given(full_boards, option_lists)
def test_both_engines_agree(board: list[Posting], blocks: list[FeatureBlock]) -> None:
    # With many alike, so that some words are frequent enough for dense rows.
    postings = [*COMMON, *board]
    base = Matcher.fit(postings, blocks=blocks, engine="base")
    assert_alike(Matcher.fit(postings, blocks=blocks, engine="fast"), base)


@settings(max_examples=12, deadline=None)
@given(boards, option_lists)
def test_a_model_keeps_its_options(board: list[Posting], blocks: list[FeatureBlock]) -> None:
    matcher = Matcher.fit(board, blocks=blocks, engine="base")
    content, files, _ = write_snapshot(Snapshot.fit(list(matcher.postings), check_blocks(blocks)))
    again = read_snapshot(json.loads(json.dumps(content)), files)
    assert again.blocks == check_blocks(blocks)
    assert learned(Matcher(again)) == learned(matcher)


def test_a_model_with_options_is_saved_opened_and_goes_on(tmp_path: Path) -> None:
    Matcher.fit(COMMON[:30], blocks=ALL).save(tmp_path / "model")
    matcher = Matcher.load(tmp_path / "model")
    assert [fitted.block for fitted in matcher.features] == ALL
    matcher.add(COMMON[30:])
    matcher.refit()
    assert_alike(matcher, Matcher.fit(COMMON, blocks=ALL))


# --- settings ---------------------------------------------------------------------------------------


def test_options_that_are_off_are_not_mentioned_and_off_when_not_mentioned() -> None:
    for block in default_blocks():
        assert not set(block.settings()) & set(block.OFF)
        assert {name: getattr(block, name) for name in block.OFF} == dict(block.OFF)
    old = [{"weight": 0.7, "name": "text"}, {"weight": 0.3, "idf": True, "name": "hashtags"}]
    assert [block_from_settings(entry) for entry in old] == [TextBlock(0.7), HashtagBlock(0.3)]


def test_what_a_model_does_not_mention_is_off_whatever_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextBlock, "OFF", {**TextBlock.OFF, "title_weight": 2})  # as if 1 were a new default
    assert block_from_settings({"weight": 0.7, "name": "text"}) == TextBlock(title_weight=2)
    assert TextBlock().settings()["title_weight"] == 1


def test_a_model_from_before_there_were_options_opens_with_all_of_them_off() -> None:
    content, files, _ = write_snapshot(Snapshot.fit(COMMON, [TextBlock(), HashtagBlock()]))
    content["blocks"] = [
        {"postings": 60, "settings": {"weight": 0.7, "name": "text"}},
        {"postings": 60, "settings": {"weight": 0.3, "idf": True, "name": "hashtags"}},
    ]
    assert read_snapshot(content, files).blocks == [TextBlock(0.7), HashtagBlock(0.3)]


@given(option_lists)
def test_options_come_back_from_json(blocks: list[FeatureBlock]) -> None:
    for block in blocks:
        assert block_from_settings(json.loads(json.dumps(block.settings()))) == block


def test_whole_numbers_are_numbers() -> None:
    block = TextBlock(saturation=2, length=1, boilerplate=np.float32(0.5))
    assert check_blocks([block]) == [TextBlock(saturation=2.0, length=1.0, boilerplate=0.5)]
    assert HashtagBlock(unsupported=0).settings()["unsupported"] == 0.0


BAD: dict[str, list[Any]] = {
    "title_weight": [-1, 21, 1.0, True, "2", None],
    "summary_weight": [-1, 21, 2.5],
    "fold": [1, "yes", None],
    "saturation": [-1, 0.05, 10.5, float("nan"), float("inf"), "1", True],
    "profile_saturation": [-0.5, 0.01, 1e9],
    "boilerplate": [-0.1, 1, 1.0, float("nan")],
    "unsupported": [-0.1, 1.1, None],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD.items() for value in values]
)
def test_an_option_out_of_range_is_named_with_its_range(name: str, value: Any) -> None:
    kind = HashtagBlock if name in HashtagBlock.OFF else TextBlock
    block = kind(**{name: value})
    with pytest.raises(OptionError, match=rf"^{name} of block '{block.name}' must be .*, got "):
        check_blocks([block])
    with pytest.raises(ModelDamagedError):
        block_from_settings({**kind().settings(), name: value})


def test_length_needs_saturation() -> None:
    with pytest.raises(OptionError, match="length of block 'text' needs a saturation above 0"):
        check_blocks([TextBlock(length=0.5)])


def test_weights_of_blocks_change_without_the_options() -> None:
    matcher = Matcher.fit(COMMON, blocks=ALL).with_weights({"text": 0.4})
    assert matcher.features[0].block == dataclasses.replace(ALL[0], weight=0.4)  # type: ignore[type-var]
