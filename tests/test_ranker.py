"""`Matcher`: what a ranking promises, against scikit-learn, brute force and itself."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.preprocessing import normalize

from matcher import (
    DuplicatePostingError,
    FilterError,
    Matcher,
    MatcherError,
    OptionError,
    Posting,
    PostingError,
    Profile,
    ProfileError,
    Recommendation,
    Recommendations,
    UnknownPostingError,
)
from matcher.boosts import BOOSTS, Featured, Freshness
from matcher.features import BLOCKS, FeatureBlock, HashtagBlock, TextBlock, default_blocks, posting_terms
from matcher.learning import BlockFeatures
from matcher.recommendation import Contribution
from matcher.semantic import SemanticBlock
from matcher.strings import StringTable
from matcher.titles import TitleBlock
from tests.likeness import slow_centre, slow_cosine, slow_part
from tests.strategies import (
    TAGS,
    WORDS,
    block_lists,
    boards,
    boost_lists,
    full_boards,
    postings,
    profile_amounts,
    profiles,
)

BOARD = [
    Posting(id="baker", title="Pastry cook", body="Bread and cakes", hashtags=["cook"], location="Bern"),
    Posting(id="coder", title="Python developer", body="SQL, C++ and .NET", hashtags=["python", "sql"]),
    Posting(id="cook", title="Cook", body="Lunch", location="Zürich", posted=datetime(2026, 3, 1)),
    Posting(id="nurse", title="Staff nurse", body="Nights on the ward", hashtags=["nurse"], featured=1),
    Posting(id="silent"),
]


def bits(ranking: Recommendations) -> list[tuple[Any, ...]]:
    """Return everything a ranking says, floats to the last bit."""
    return [
        (r.rank, r.posting.id, r.score.hex(), [(*part[:2], part.value.hex()) for part in r.contributions])
        for r in ranking
    ]


def reference_scores(
    board: list[Posting], profile: str, blocks: list[FeatureBlock] | None
) -> dict[str, float]:
    """Return every posting's score by its definition, with scikit-learn's TF-IDF and plain arithmetic."""
    sums, totals = np.zeros(len(board)), np.zeros(len(board))
    for block in blocks or default_blocks():
        if isinstance(block, SemanticBlock):
            fitted = BlockFeatures.learn_dense(block, len(board))
            centre = slow_centre(fitted, board)
            for row, posting in enumerate(board):
                compared = slow_cosine(fitted, centre, profile, posting)
                if compared is not None:
                    cosine, share = compared
                    sums[row] += block.weight * share * cosine
                    totals[row] += block.weight * share
            continue
        documents = [posting_terms(block, posting) for posting in board]
        if not any(documents):
            continue
        tfidf = TfidfVectorizer(analyzer=list).fit(documents)
        vocabulary = StringTable.from_strings(sorted(tfidf.vocabulary_))
        idf = tfidf.idf_ - getattr(block, "boilerplate", 0.0)
        query = np.zeros(len(vocabulary))
        for term, amount in profile_amounts(block, profile, vocabulary).items():
            place = tfidf.vocabulary_[term]
            query[place] = block.counting.asked(np.array([amount]))[0] * idf[place]
        query = normalize([query])[0]
        counter = CountVectorizer(analyzer=list, vocabulary=list(vocabulary))
        rows = normalize(counter.transform(documents).toarray() * idf)
        if query.any():
            weight = block.weight * slow_part(block, profile, list(vocabulary))
            sums += weight * (rows @ query)
            totals += weight * rows.any(axis=1)
    scores = np.divide(sums, totals, out=np.zeros(len(board)), where=totals > 0)
    return {posting.id: float(score) for posting, score in zip(board, scores, strict=True)}


# --- the score and the ranking --------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(full_boards, profiles, block_lists, boost_lists)
def test_contributions_sum_to_the_score(board: list[Posting], profile: str, blocks: Any, boosts: Any):
    for r in Matcher.fit(board, blocks=blocks).recommend(profile, k=len(board), boosts=boosts):
        assert abs(math.fsum(part.value for part in r.contributions) - r.score) <= 1e-12
        # What words add to the cosine of dense vectors is named, too, where it is below 0.
        assert all(part.value > 0 or part.block == "semantic" for part in r.contributions)
        added = Counter[str]()
        for part in r.contributions:
            added[part.block] += part.value
        assert all(value > 0 for value in added.values())
        assert all(part.block in BLOCKS or part.block in BOOSTS for part in r.contributions)
        keys = [(-part.value, part.block, part.feature) for part in r.contributions]
        assert keys == sorted(set(keys))


@settings(max_examples=40, deadline=None)
@given(full_boards, profiles, block_lists)
def test_scores_are_the_weighted_mean_of_scikit_learns_cosines(
    board: list[Posting], profile: str, blocks: Any
):
    expected = reference_scores(board, profile, blocks)
    ranking = Matcher.fit(board, blocks=blocks).recommend(profile, k=len(board))
    assert {r.posting.id: r.score for r in ranking} == pytest.approx(expected, rel=1e-12, abs=1e-14)
    assert all(0 <= r.score <= 1 + 1e-12 for r in ranking)


@settings(max_examples=40, deadline=None)
@given(full_boards, profiles, block_lists, boost_lists, st.integers(1, 10))
def test_the_ranking_is_all_postings_sorted_by_score_and_id(
    board: list[Posting], profile: str, blocks: Any, boosts: Any, k: int
):
    matcher = Matcher.fit(board, blocks=blocks)
    scores = {posting.id: matcher.explain(profile, posting.id, boosts=boosts).score for posting in board}
    expected = sorted(scores, key=lambda posting_id: (-scores[posting_id], posting_id))[:k]
    ranking = matcher.recommend(profile, k=k, boosts=boosts)
    assert [r.posting.id for r in ranking] == expected
    assert [r.score for r in ranking] == [scores[posting_id] for posting_id in expected]
    assert [r.rank for r in ranking] == list(range(1, len(expected) + 1))


@settings(max_examples=40, deadline=None)
@given(full_boards, profiles, block_lists, boost_lists)
def test_explain_agrees_with_recommend(board: list[Posting], profile: str, blocks: Any, boosts: Any):
    matcher = Matcher.fit(board, blocks=blocks)
    for recommended in matcher.recommend(profile, k=len(board), boosts=boosts):
        explained = matcher.explain(Profile(profile), recommended.posting.id, boosts=boosts)
        assert explained == recommended
        assert explained.score.hex() == recommended.score.hex()


def test_explain_agrees_with_recommend_where_scores_differ_by_a_few_roundings():
    start = datetime(2026, 3, 1, tzinfo=UTC)
    matcher = Matcher.fit(Posting(id=str(n), posted=start - timedelta(milliseconds=n)) for n in range(4))
    for half_life in range(1_900_000, 2_000_000, 5_000):
        boosts = [Freshness(1.4278, half_life_days=half_life)]
        ranking = matcher.recommend("", boosts=boosts)
        assert [r.posting.id for r in ranking] == ["0", "1", "2", "3"]
        ranks = [matcher.explain("", r.posting.id, boosts=boosts).rank for r in ranking]
        assert (half_life, ranks) == (half_life, [1, 2, 3, 4])


def test_a_profile_that_is_the_posting_scores_1():
    matcher = Matcher.fit(BOARD, blocks=[TextBlock()])
    for posting in BOARD[:4]:
        best = matcher.recommend(f"{posting.title} {posting.body}", k=1)[0]
        assert (best.posting.id, best.score) == (posting.id, pytest.approx(1.0, abs=1e-12))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from("abÄz😀é"), min_size=2, max_size=6, unique=True), postings, profiles)
def test_ties_break_by_id(names: list[str], posting: Posting, profile: str):
    alike = [dataclasses.replace(posting, id=name) for name in names]
    ranking = Matcher.fit(alike).recommend(profile, k=len(names))
    assert [r.posting.id for r in ranking] == sorted(names)
    assert len({r.score for r in ranking}) == 1
    assert [r.posting.id for r in Matcher.fit(alike).recommend(profile, k=1)] == [min(names)]


# --- what must not matter -------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.data(), full_boards, profiles, boost_lists)
def test_input_order_and_exact_duplicates_change_no_bit(
    data: Any, board: list[Posting], profile: str, boosts: Any
):
    shuffled = data.draw(st.permutations(board + data.draw(st.lists(st.sampled_from(board), max_size=4))))
    one, other = Matcher.fit(board), Matcher.fit(iter(shuffled))
    assert bits(one.recommend(profile, boosts=boosts)) == bits(other.recommend(profile, boosts=boosts))
    assert other.replaced == ()
    assert len(other) == len(board)


HASH_SEED_SCRIPT = """
from matcher import Matcher, Posting
from matcher.boosts import Featured, Freshness
words = {words!r}
tags = {tags!r}
board = [
    Posting(id=str(n), title=" ".join(words[n % 7 : n % 7 + 4]), body=" ".join(words[n % 5 :: 2]),
            hashtags=set(tags[n % 4 : n % 4 + 5]), location="Bern" if n % 3 else "Cork", featured=n % 2)
    for n in range(20)
]
ranking = Matcher.fit(board).recommend(
    " ".join(words), k=20, boosts=[Featured()],
    filters={{"location": {{"Bern", "Rome"}}, "hashtags_any": set(tags)}},
)
for r in ranking:
    print(r.posting.id, r.score.hex(), [(*p[:2], p.value.hex()) for p in r.contributions])
print(ranking.removed, ranking.considered)
"""


def test_the_hash_seed_changes_no_bit():
    script = HASH_SEED_SCRIPT.format(words=WORDS, tags=TAGS)
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for seed in ("1", "4242")
    ]
    printed = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert len(printed[0].splitlines()) > 10
    assert len(set(printed)) == 1


def test_threads_give_the_same_bits():
    board = [
        Posting(
            id=f"{n:03}",
            title=" ".join(WORDS[n % 9 : n % 9 + 5]),
            hashtags=TAGS[n % 5 : n % 5 + 3],
            featured=n % 2,
        )
        for n in range(80)
    ]
    matcher = Matcher.fit(board)
    asked = [" ".join(WORDS[n % 11 :: n % 4 + 1]) for n in range(60)]

    def answer(profile: str) -> list[Any]:
        ranking = matcher.recommend(profile, filters={"hashtags_none": ["r"]}, boosts=[Featured(0.01)])
        return [bits(ranking), matcher.explain(profile, "042").rank]

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(answer, asked)) == [answer(profile) for profile in asked]


@settings(max_examples=30, deadline=None)
@given(full_boards, profiles)
def test_k_only_cuts_the_ranking(board: list[Posting], profile: str):
    matcher = Matcher.fit(board)
    everything = bits(matcher.recommend(profile, k=len(board)))
    for k in range(1, len(board) + 1):
        assert bits(matcher.recommend(profile, k=k)) == everything[:k]


@settings(max_examples=30, deadline=None)
@given(full_boards, profiles)
def test_ids_dates_links_and_places_change_no_score(board: list[Posting], profile: str):
    renamed = [
        dataclasses.replace(
            posting, id=f"new {n}", location="Rome", company="Cook & Nurse", url="https://sql.example"
        )
        for n, posting in enumerate(board)
    ]
    before = {posting.id: n for n, posting in enumerate(board)}
    one = {before[r.posting.id]: r.score for r in Matcher.fit(board).recommend(profile, k=9)}
    other = {int(r.posting.id[4:]): r.score for r in Matcher.fit(renamed).recommend(profile, k=9)}
    assert one == other


@pytest.mark.parametrize("kinds", [[TextBlock, HashtagBlock], list(BLOCKS.values())], ids=len)
@pytest.mark.parametrize("scale", [5e-324, 1e-320, 1e-300, 1e-9, 1.0, 1e9, 1e300, 1.7e308])
def test_only_the_ratio_of_weights_matters(scale: float, kinds: list[Any]):
    profile = "Night nurse on a ward, pastry and bread, python"
    expected = Matcher.fit(BOARD, blocks=[kind(1.0) for kind in kinds]).recommend(profile)
    try:
        matcher = Matcher.fit(BOARD, blocks=[kind(scale) for kind in kinds])
    except OptionError:  # refusing such weights is as good as ranking by them
        assert not 1e-9 <= scale <= 1e9
        return
    ranking = matcher.recommend(profile)
    assert [r.posting.id for r in ranking] == [r.posting.id for r in expected]
    assert [r.score for r in ranking] == pytest.approx([r.score for r in expected], rel=1e-9)


def test_a_matcher_keeps_nothing_of_what_it_was_given():
    extra = {"salary": ["45k"]}
    board = [Posting(id="1", title="cook", extra=extra)]
    blocks = [TextBlock()]
    matcher = Matcher.fit(board, blocks=blocks)
    extra["salary"].append("more")
    board.clear()
    blocks.clear()
    assert matcher.recommend("cook")[0].posting.extra == {"salary": ["45k"]}


@settings(max_examples=40, deadline=None)
@given(full_boards)
def test_recommended_postings_are_the_ones_that_were_fitted(board: list[Posting]):
    by_id = {posting.id: posting for posting in board}
    matcher = Matcher.fit(board)
    assert {r.posting.id: r.posting for r in matcher.recommend("x", k=len(board))} == by_id
    assert list(matcher.postings) == [by_id[posting_id] for posting_id in sorted(by_id)]


@pytest.mark.parametrize("blocks", [None, [TextBlock(2), HashtagBlock(np.float64(1.0))]], ids=["all", "two"])
def test_saving_and_loading_change_no_bit(blocks: Any, tmp_path: Any):
    fitted = Matcher.fit(BOARD, blocks=blocks)
    fitted.save(tmp_path)
    loaded = Matcher.load(tmp_path)
    for profile in ("nurse", "cook who bakes bread", "", "python"):
        boosts = [Featured(), Freshness()]
        assert bits(loaded.recommend(profile, boosts=boosts)) == bits(
            fitted.recommend(profile, boosts=boosts)
        )


# --- blocks without data --------------------------------------------------------------------------

each_without_tags = pytest.mark.parametrize(
    "untagged", [[TextBlock()], [TextBlock(), TitleBlock(), SemanticBlock()]], ids=["text", "all"]
)


@each_without_tags
@settings(max_examples=40, deadline=None)
@given(tagged=boards, plain=full_boards, profile=profiles)
def test_a_posting_without_hashtags_is_scored_by_its_other_blocks_alone(
    untagged: list[FeatureBlock], tagged: list[Posting], plain: list[Posting], profile: str
):
    board = {p.id: p for p in tagged} | {p.id: dataclasses.replace(p, hashtags=()) for p in plain}
    both = Matcher.fit(board.values(), blocks=[*untagged, HashtagBlock()])
    others = Matcher.fit(board.values(), blocks=untagged)
    for posting in board.values():
        if not posting.hashtags:
            expected = others.explain(profile, posting.id).score
            # When the profile has no known word but known tags, there is nothing to score by either way.
            assert both.explain(profile, posting.id).score == pytest.approx(expected, abs=1e-12)


@each_without_tags
@settings(max_examples=40, deadline=None)
@given(board=full_boards, profile=st.sampled_from(["ward bread", "lorry driver, data", "über bread"]))
def test_a_profile_without_known_hashtags_is_scored_by_the_other_blocks_alone(
    untagged: list[FeatureBlock], board: list[Posting], profile: str
):
    both = Matcher.fit(board, blocks=[*untagged, HashtagBlock()])
    others = Matcher.fit(board, blocks=untagged)
    expected = {posting.id: others.explain(profile, posting.id).score for posting in board}
    found = {r.posting.id: r.score for r in both.recommend(profile, k=9)}
    assert found == pytest.approx(expected, abs=1e-12)


def test_a_posting_without_words_is_scored_by_its_hashtags_alone():
    matcher = Matcher.fit(
        [Posting(id="1", hashtags=["sql"]), Posting(id="2", title="nurse", hashtags=["cook"])]
    )
    best = matcher.recommend("SQL for a nurse")[0]
    assert (best.posting.id, best.score) == ("1", pytest.approx(1.0))


@each_without_tags
@settings(max_examples=30, deadline=None)
@given(board=full_boards, profile=profiles)
def test_a_board_without_hashtags_ranks_like_the_other_blocks(
    untagged: list[FeatureBlock], board: list[Posting], profile: str
):
    plain = [dataclasses.replace(posting, hashtags=()) for posting in board]
    one = Matcher.fit(plain, blocks=[*untagged, HashtagBlock()]).recommend(profile)
    other = Matcher.fit(plain, blocks=untagged).recommend(profile)
    assert [(r.posting.id, r.score) for r in one] == [(r.posting.id, pytest.approx(r.score)) for r in other]


def test_a_block_that_weighs_0_is_neither_counted_nor_shown():
    for weightless in BLOCKS:
        matcher = Matcher.fit(
            BOARD, blocks=[kind(float(name != weightless)) for name, kind in BLOCKS.items()]
        )
        shown = {
            part.block for r in matcher.recommend("cook, nurse, python, bread") for part in r.contributions
        }
        assert shown == BLOCKS.keys() - {weightless}


# --- little or nothing to go by -------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["nurse", "", Profile("x")])
@pytest.mark.parametrize("boosts", [[], [Featured(), Freshness()]], ids=len)
def test_no_postings_give_an_empty_ranking_that_says_so(profile: Any, boosts: Any):
    ranking = Matcher.fit(iter([])).recommend(profile, boosts=boosts)
    assert (len(ranking), ranking.considered, ranking.removed) == (0, 0, {})
    assert ranking.notice


@pytest.mark.parametrize("profile", ["", " \n\t", "\x00", "!!!", "zzyzx qwrtp", "2020 2021", "\ud800", "a"])
def test_a_profile_that_shares_nothing_ranks_by_id_and_says_so(profile: str):
    ranking = Matcher.fit(BOARD).recommend(profile)
    assert [r.posting.id for r in ranking] == sorted(posting.id for posting in BOARD)
    assert {(r.score, r.contributions, r.why()) for r in ranking} == {(0.0, (), "")}
    assert ranking.notice


@settings(max_examples=50, deadline=None)
@given(
    boards, profiles, st.sampled_from([{}, {"location": "Bern"}, {"hashtags_any": ["sql"]}, {"remote": True}])
)
@example(BOARD, "nurse", {"location": "Bern"})
def test_the_notice_speaks_when_every_score_is_0(board: list[Posting], profile: str, filters: dict[str, Any]):
    ranking = Matcher.fit(board).recommend(profile, filters=filters)
    assert any(r.score for r in ranking) or ranking.notice


@settings(max_examples=40, deadline=None)
@given(boards, profiles, boost_lists)
def test_the_notice_says_that_every_score_is_0_only_when_it_is(
    board: list[Posting], profile: str, boosts: Any
):
    ranking = Matcher.fit(board).recommend(profile, boosts=boosts)
    assert "every score is 0" not in ranking.notice or not any(r.score for r in ranking)


@pytest.mark.parametrize("k", [5, 6, 1000, 10**30, np.int64(7)])
def test_k_above_the_number_of_postings_returns_them_all(k: int):
    assert len(Matcher.fit(BOARD).recommend("nurse", k=k)) == len(BOARD)
    assert len(Matcher.fit(BOARD).recommend("nurse", k=k, filters={"hashtags_any": "nurse"})) == 1


# --- filters --------------------------------------------------------------------------------------


def test_a_filter_applies_before_top_k():
    cooks = [Posting(id=f"{n:02}", title="Cook", location="Bern") for n in range(20)]
    nurse = Posting(id="99", title="Nurse and cook and driver", location="Cork")
    ranking = Matcher.fit([*cooks, nurse]).recommend("cook", k=1, filters={"location": "Cork"})
    assert [r.posting.id for r in ranking] == ["99"]
    assert ranking[0].rank == 1
    assert (ranking.removed, ranking.considered) == ({"location": 20}, 1)


@settings(max_examples=40, deadline=None)
@given(
    full_boards,
    profiles,
    boost_lists,
    st.integers(1, 9),
    st.fixed_dictionaries(
        {},
        optional={
            "location": st.sampled_from(["Bern", ["york", "Zürich"]]),
            "remote": st.booleans(),
            "hashtags_none": st.just(["sql", "nurse"]),
            "company": st.none(),
        },
    ),
)
def test_filters_leave_the_unfiltered_ranking_minus_what_they_remove(
    board: list[Posting], profile: str, boosts: Any, k: int, filters: dict[str, Any]
):
    matcher = Matcher.fit(board)
    everything = bits(matcher.recommend(profile, k=len(board), boosts=boosts))
    ranking = matcher.recommend(profile, k=k, filters=filters, boosts=boosts)
    alone = {
        name: {r.posting.id for r in matcher.recommend(profile, k=len(board), filters={name: value})}
        for name, value in filters.items()
        if value is not None
    }
    survivors = {posting.id for posting in board}.intersection(*alone.values())
    assert [row[1:] for row in bits(ranking)] == [row[1:] for row in everything if row[1] in survivors][:k]
    assert ranking.removed == {name: len(board) - len(ids) for name, ids in alone.items()}
    assert ranking.considered == len(survivors)


def test_filters_that_leave_nothing_say_so():
    ranking = Matcher.fit(BOARD).recommend("nurse", filters={"location": "Rome", "remote": False})
    assert (len(ranking), ranking.considered) == (0, 0)
    assert ranking.removed == {"location": 5, "remote": 0}
    assert ranking.notice


# --- careless arguments ---------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0, -1, 1.0, 2.5, "3", None, True, np.bool_(True), float("nan"), [3]])
def test_a_k_that_is_no_whole_number_of_at_least_1_is_an_option_error(k: Any):
    with pytest.raises(OptionError):
        Matcher.fit(BOARD).recommend("nurse", k=k)


@pytest.mark.parametrize("profile", [None, b"nurse", 1, ["nurse"], BOARD[0]])
def test_a_profile_that_is_no_text_is_a_profile_error(profile: Any):
    matcher = Matcher.fit(BOARD)
    with pytest.raises(ProfileError):
        matcher.recommend(profile)
    with pytest.raises(ProfileError):
        matcher.explain(profile, "nurse")


@pytest.mark.parametrize("filters", [["location"], "location", [("location", "Bern")], 1])
def test_filters_that_are_no_mapping_are_an_option_error(filters: Any):
    with pytest.raises(OptionError):
        Matcher.fit(BOARD).recommend("nurse", filters=filters)


def test_a_bad_filter_is_an_error_even_where_there_is_nothing_to_filter():
    with pytest.raises(FilterError):
        Matcher.fit([]).recommend("nurse", filters={"posted_since": "soon"})


@pytest.mark.parametrize("board", [["nurse"], [None], [BOARD[0], {"id": "1"}], "nurse", [b"x"]])
def test_only_postings_can_be_fitted(board: Any):
    with pytest.raises(PostingError):
        Matcher.fit(board)


@pytest.mark.parametrize("posting_id", ["", "unheard", "Nurse", "nurse ", "\ud800", "nurse\n", "\x00"])
def test_an_unknown_posting_is_an_error_of_its_own(posting_id: str):
    matcher = Matcher.fit([*BOARD, Posting(id="?"), Posting(id="??")])
    with pytest.raises(UnknownPostingError):
        matcher.explain("nurse", posting_id)


@pytest.mark.parametrize("posting_id", [1, None, b"nurse", BOARD[0]])
def test_an_id_that_is_no_text_is_one_of_our_errors(posting_id: Any):
    with pytest.raises(MatcherError):
        Matcher.fit(BOARD).explain("nurse", posting_id)


@pytest.mark.parametrize(
    "blocks",
    [[], [TextBlock(-1.0)], [TextBlock(), TextBlock()], [TextBlock(0.0)], ["text"], TextBlock()],
    ids=repr,
)
def test_blocks_that_make_no_sense_are_an_option_error(blocks: Any):
    with pytest.raises(OptionError):
        Matcher.fit(BOARD, blocks=blocks)


@pytest.mark.parametrize(
    "text", ["cook \ud800", "**cook** \ud800", "<b>cook</b>\x00", "cook " * 70_000, "c" * 10**5]
)
@pytest.mark.parametrize("field", ["title", "summary", "body", "company", "location"])
def test_any_text_in_a_posting_can_be_fitted(field: str, text: str):
    posting = Posting(id="1", **{field: text})
    ranking = Matcher.fit([posting, Posting(id="2", title="cook")]).recommend("cook")
    assert {r.posting.id for r in ranking} == {"1", "2"}
    assert all(math.isfinite(r.score) for r in ranking)


def test_extra_that_is_not_json_is_a_posting_error_that_names_the_posting():
    for value in (float("nan"), {1, 2}, object(), datetime(2026, 1, 1)):
        with pytest.raises(PostingError, match="odd"):
            Matcher.fit([Posting(id="odd", extra={"salary": value})])


# --- duplicates and progress ----------------------------------------------------------------------


def test_of_different_postings_with_one_id_the_last_wins_and_is_reported():
    board = [Posting(id="b", title="cook"), Posting(id="a"), Posting(id="b", title="nurse"), Posting(id="a")]
    matcher = Matcher.fit(board)
    assert [posting.title for posting in matcher.postings] == ["", "nurse"]
    assert matcher.replaced == ("b",)
    assert bits(matcher.recommend("nurse cook")) == bits(Matcher.fit(board[1:3]).recommend("nurse cook"))


def test_strict_refuses_different_postings_with_one_id_but_not_copies():
    copies = [Posting(id="a", title="cook"), Posting(id="a", title="cook")]
    assert len(Matcher.fit(copies, strict=True)) == 1
    with pytest.raises(DuplicatePostingError, match="'a'"):
        Matcher.fit([*copies, Posting(id="a", title="chef")], strict=True)


@pytest.mark.parametrize("size", [0, 1, 99, 100, 101, 250])
def test_progress_never_goes_back_and_ends_at_the_total(size: int):
    calls: list[tuple[str, int, int]] = []
    Matcher.fit([Posting(id=str(n)) for n in range(size)], progress=lambda *call: calls.append(call))
    stages = list(dict.fromkeys(stage for stage, _, _ in calls))
    assert len(stages) == len(default_blocks())
    for stage in stages:
        done = [number for name, number, _ in calls if name == stage]
        assert done == sorted(done)
        assert done[-1] == size
    assert {total for _, _, total in calls} == {size}


# --- recommendations ------------------------------------------------------------------------------


def test_a_ranking_is_a_sequence():
    ranking = Matcher.fit(BOARD).recommend("nurse cook python")
    assert isinstance(ranking[1:3], tuple)
    assert [r.rank for r in ranking] == [1, 2, 3, 4, 5]
    assert ranking[-1].rank == 5
    assert ranking[0] in ranking
    assert list(reversed(ranking)) == list(ranking)[::-1]
    with pytest.raises(IndexError):
        ranking[5]


def test_reasons_come_strongest_first_and_a_word_counts_once_with_its_hashtag():
    parts = (
        Contribution("hashtags", "#c#", 0.4),
        Contribution("text", "c#", 0.3),
        Contribution("text", "sql", 0.2),
        Contribution("hashtags", "#sql", 0.1),
        Contribution("text", "ward", 0.05),
    )
    recommendation = Recommendation(1, 1.05, Posting(id="1"), parts)
    assert recommendation.why(1) == "#c#"
    assert recommendation.why(2) == "#c#, sql"
    assert recommendation.why(99) == "#c#, sql, ward"
    assert recommendation.why(0) == ""


@settings(max_examples=30, deadline=None)
@given(full_boards, profiles)
def test_records_are_json_that_holds_the_same_numbers(board: list[Posting], profile: str):
    for r in Matcher.fit(board).recommend(profile):
        record = json.loads(json.dumps(r.to_record(), allow_nan=False))
        assert (record["rank"], record["id"], record["score"]) == (r.rank, r.posting.id, r.score)
        assert [tuple(part.values()) for part in record["contributions"]] == list(r.contributions)


def test_a_profile_shows_in_no_representation():
    matcher = Matcher.fit(BOARD)
    ranking = matcher.recommend(Profile("nurse Zaphod Beeblebrox"))
    assert "Zaphod" not in repr(ranking) + repr(matcher)
