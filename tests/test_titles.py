"""The block of titles: what a profile's words find, how that is explained, and that engines agree."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, OptionError, Posting, Profile
from matcher.engines import ENGINES
from matcher.features import FeatureBlock, HashtagBlock, TextBlock, TitleBlock, check_blocks
from matcher.learning import fit_block
from matcher.recommendation import Contribution, Recommendation
from matcher.strings import StringTable
from matcher.tokens import split_compiled, split_in_python
from tests.strategies import full_boards, profile_amounts, profiles
from tests.test_spelling import similarity

BLOCKS: list[FeatureBlock] = [TextBlock(), HashtagBlock(), TitleBlock()]
TITLES = (
    "developer developers nurse nurses cook cookery köchin köchinnen pflegekraft altenpflegekraft".split()
)


def board(seed: int, size: int) -> list[Posting]:
    rng = np.random.default_rng(seed)
    titles = [" ".join(rng.choice(TITLES, rng.integers(0, 4))) for _ in range(size)]
    return [Posting(id=f"{n:04d}", title=title, body="Bern " * (n % 3)) for n, title in enumerate(titles)]


def bits(ranking: Any) -> list[Any]:
    return [
        (r.posting.id, r.score.hex(), [(part.feature, part.value.hex()) for part in r.contributions])
        for r in ranking
    ]


# --- what is matched ------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from([*TITLES, "c++", "r", "cooks", "看護師"]), max_size=6),
    st.sampled_from([0.0, 0.25, 0.6, 1.0]),
    st.sampled_from([1.0, 2.0, 0.5]),
)
def test_amounts_are_powers_of_the_largest_similarity(words: list[str], least: float, power: float) -> None:
    vocabulary = sorted([*TITLES, "c", "c++", "c#", "看護師長"])
    amounts = profile_amounts(
        TitleBlock(least=least, power=power), " ".join(words), StringTable.from_strings(vocabulary)
    )
    expected = {title: max((similarity(word, title) for word in words), default=0.0) for title in vocabulary}
    kept = {title: cosine**power for title, cosine in expected.items() if cosine > 0 and cosine >= least}
    assert amounts == pytest.approx(kept, rel=1e-12)


def test_titles_alone_are_counted_and_only_words_that_count_match() -> None:
    features, index = fit_block(TitleBlock(), [Posting(id="1", title="The Cook, cook", body="nurse")])
    assert list(features.vocabulary) == ["cook"]
    assert index.by_posting.counts.tolist() == [2]
    assert profile_amounts(TitleBlock(), "2020 the cook", StringTable.from_strings(["2020", "the"])) == {}


def test_a_word_of_10_000_characters_and_an_empty_title() -> None:
    postings = [Posting(id="1", title="x" * 10_000), Posting(id="2"), Posting(id="3", title="cook")]
    matcher = Matcher.fit(postings, blocks=[TitleBlock()])
    assert [r.posting.id for r in matcher.recommend("cook " + "y" * 10_000)] == ["3", "1", "2"]


@pytest.mark.parametrize("split", [split_in_python, split_compiled])
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(profiles, min_size=1, max_size=5))
def test_a_query_is_the_same_whatever_batch_it_is_in(split: Any, texts: list[str]) -> None:
    features, _ = fit_block(TitleBlock(), board(1, 40))
    together = features.queries([*map(Profile, texts)], split(texts))
    for text, query in zip(texts, together, strict=True):
        for alone in (features.queries([Profile(text)], one([text]))[0] for one in (split, split_in_python)):
            assert alone.features.tolist() == query.features.tolist()
            assert alone.weights.tobytes() == query.weights.tobytes()
            found = [[one.word(place) for place in range(len(one.features))] for one in (alone, query)]
            assert found[0] == found[1]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 50), st.lists(st.sampled_from(TITLES), max_size=5))
def test_every_engine_gives_the_same_bits(seed: int, size: int, words: list[str]) -> None:
    postings = board(seed, size)
    shuffled = [postings[n] for n in np.random.default_rng(seed).permutation(size)]
    for blocks in (BLOCKS, [TitleBlock()]):
        first, *others = (
            bits(Matcher.fit(some, blocks=blocks, engine=name).recommend(" ".join(words), 7))
            for some in (postings, shuffled)
            for name in ENGINES
        )
        assert all(other == first for other in others)


@settings(max_examples=30, deadline=None)
@given(full_boards, profiles)
def test_scores_are_cosines(postings: list[Posting], text: str) -> None:
    matcher = Matcher.fit(postings, blocks=[TitleBlock()])
    for profile in (text, *(posting.title for posting in postings)):
        for found in matcher.recommend(profile, len(postings)):
            assert 0 <= found.score <= 1 + 1e-12
            assert math.fsum(part.value for part in found.contributions) == pytest.approx(
                found.score, abs=1e-12
            )


# --- explanations ---------------------------------------------------------------------------------


def test_a_word_that_only_resembles_is_named_beside_the_titles() -> None:
    matcher = Matcher.fit([Posting(id="1", title="Software Developers")], blocks=[TitleBlock()])
    parts = matcher.explain("Developer of software", "1").contributions
    assert [part.feature for part in parts] == ["software", "developer ~ developers"]
    assert {part.block for part in parts} == {"title"}
    assert matcher.recommend("Developer of software")[0].why() == "software, developer ~ developers"
    assert math.fsum(part.value for part in parts) == pytest.approx(
        matcher.explain("Developer of software", "1").score, abs=1e-12
    )


def test_of_equally_near_words_the_first_in_order_is_named() -> None:
    matcher = Matcher.fit([Posting(id="1", title="cookery")], blocks=[TitleBlock()])
    assert [part.feature for part in matcher.explain("cookxy cookab", "1").contributions] == [
        "cookab ~ cookery"
    ]


def test_words_are_named_in_postings_that_came_later_and_after_merging() -> None:
    matcher = Matcher.fit([Posting(id="1", title="cooks"), Posting(id="2", title="nurses")], blocks=BLOCKS)
    matcher.add([Posting(id="0", title="Aaron's nurses, cooks"), Posting(id="3", title="bakers")])
    for change in (matcher.refit, matcher.compact):
        labels = {part.feature for part in matcher.explain("cook and nurse", "0").contributions}
        assert {"cook ~ cooks", "nurse ~ nurses"} <= labels
        change()
    ranking = matcher.recommend_many(["cook", "baker", ""], 4)
    assert [r[0].contributions[0].feature for r in ranking[:2]] == ["cook ~ cooks", "baker ~ bakers"]


def test_an_explanation_keeps_the_words_it_needs_and_no_others() -> None:
    matcher = Matcher.fit(
        [Posting(id="1", title="cooks"), Posting(id="2", title="nurses")], blocks=[TitleBlock()]
    )
    found = matcher.recommend("cook nurse bern", 1)[0]
    assert callable(found.explanation)
    [query] = found.explanation.args[2]  # type: ignore[attr-defined]
    assert len(query.words) == len(query.features) == 1


@pytest.mark.parametrize("n", [1, 2, 3, 20])
def test_the_strongest_reasons_are_the_first_of_all(n: int) -> None:
    posting = Posting(id="1", title=" ".join(TITLES), body=" ".join(TITLES), hashtags=TITLES)
    found = Matcher.fit([posting], blocks=BLOCKS).explain("nurse cooker developer köch pflege", "1")
    explain = found.explanation
    assert callable(explain)
    assert explain(n) == explain(None)[:n]


def test_a_word_a_hashtag_and_a_word_of_the_title_are_one_reason() -> None:
    parts = (
        Contribution("title", "developer ~ developers", 0.3),
        Contribution("hashtags", "#developers", 0.2),
        Contribution("text", "developers", 0.1),
        Contribution("text", "sql", 0.05),
    )
    for order in (parts, (*parts[2::-1], parts[3])):
        assert Recommendation(1, 0.65, Posting(id="1"), order).why() == f"{order[0].feature}, sql"


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "setting",
    [{"least": value} for value in (-0.1, 1.1, float("nan"), "0.2", None, True)]
    + [{"power": value} for value in (0, -1, 17, float("nan"), float("inf"), "2", None)],
    ids=str,
)
def test_settings_that_make_no_sense_are_an_option_error(setting: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(setting))):
        check_blocks([TitleBlock(**setting)])


def test_settings_survive_saving(tmp_path: Any) -> None:
    block = TitleBlock(0.4, least=0.5, power=1)
    Matcher.fit(board(1, 9), blocks=[TextBlock(), block]).save(tmp_path / "model")
    again = Matcher.load(tmp_path / "model")
    assert again.features[1].block == block
    assert bits(again.recommend("developer", 3)) == bits(
        Matcher.fit(board(1, 9), blocks=[TextBlock(), block]).recommend("developer", 3)
    )
