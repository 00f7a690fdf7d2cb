"""Snapshots: parts of segments that rank, learn and merge like one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, Posting
from matcher.base import BaseEngine, Query
from matcher.counts import BlockIndex, invert_norms
from matcher.dense import CentredVectors
from matcher.engines import ENGINES, make_engine
from matcher.features import FeatureBlock, HashtagBlock, TextBlock, default_blocks
from matcher.index import Index
from matcher.merging import MISSING
from matcher.queries import BlockQuery
from matcher.segments import Segment
from matcher.snapshot import Part, Snapshot
from tests.likeness import bits
from tests.strategies import WORDS, boards, boost_lists, full_boards, postings, sentences


def count(board: list[Posting]) -> Segment:
    return Segment.from_postings(sorted(board, key=lambda one: one.id), default_blocks())


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[Snapshot, dict[str, Posting]]:
    """A snapshot of several parts, fitted at some time, and the postings it holds."""
    board = draw(full_boards)
    cuts = draw(st.integers(1, 4))
    snapshot, held = Snapshot.empty(default_blocks()), {}
    for number in range(cuts):
        lot = board[number::cuts]
        if lot:
            snapshot = snapshot.with_segment(count(lot))
            held |= {one.id: one for one in lot}
        gone = draw(st.lists(st.sampled_from([*sorted(held), "?"]), max_size=2))
        snapshot = snapshot.without([place for place in snapshot.find(sorted(set(gone))) if place])
        held = {name: one for name, one in held.items() if name not in gone}
        if draw(st.booleans()):
            snapshot = snapshot.refit()
    return snapshot, held


def rank(snapshot: Snapshot, text: str, **options: Any) -> list[tuple[Any, ...]]:
    return bits(Matcher(snapshot, "base").recommend(text, 99, **options))


# --- parts ----------------------------------------------------------------------------------------


@given(snapshots())
@settings(deadline=None, max_examples=35)
def test_places_say_where_a_segments_terms_are(made: tuple[Snapshot, dict[str, Posting]]) -> None:
    snapshot, _ = made
    for part in snapshot.parts:
        for fitted, counted, place in zip(snapshot.features, part.segment.blocks, part.places, strict=True):
            known = {term: position for position, term in enumerate(fitted.vocabulary)}
            used = counted.frequencies(part.deleted) > 0
            for term, position, is_used in zip(
                counted.vocabulary, place.tolist(), used.tolist(), strict=True
            ):
                if is_used:
                    assert position == known.get(term, MISSING)
                else:  # only deleted postings have it: it may be missing here though others brought it
                    assert position in (MISSING, known.get(term, MISSING))
            assert place.dtype == np.int32


@given(snapshots(), st.lists(st.integers(0, 30), max_size=12))
@settings(deadline=None, max_examples=35)
def test_a_query_is_asked_in_the_terms_of_each_part(
    made: tuple[Snapshot, dict[str, Posting]], numbers: list[int]
) -> None:
    snapshot, _ = made
    queries = []
    for fitted in snapshot.features:
        terms = len(fitted.vocabulary)
        features = np.unique(np.array([number % terms for number in numbers if terms], np.int32))
        queries.append(BlockQuery(features.astype(np.int32), 1.0 + features))
    for part in snapshot.parts:
        for _ in range(2):  # the second time by what the first one found out
            for number, local in enumerate(part.localise(queries)):
                vocabulary = part.segment.blocks[number].vocabulary
                asked = queries[number]
                places = part.places[number][local.features]
                assert local.features.dtype == np.int32
                assert np.all(np.diff(local.features) > 0)
                assert local.asked == asked.asked
                assert set(places.tolist()) == set(asked.features.tolist()) & set(
                    part.places[number].tolist()
                )
                assert local.weights.tolist() == (1.0 + places).tolist()
                assert [vocabulary[at] for at in local.features.tolist()] == [
                    snapshot.features[number].vocabulary[at] for at in places.tolist()
                ]


def test_a_part_with_more_deleted_keeps_what_was_made_of_it() -> None:
    snapshot = Snapshot.empty(default_blocks()).with_segment(
        count([Posting(id=name, title="cook") for name in "abcd"])
    )
    part = snapshot.parts[0]
    engine = part.engine("base")
    less = part.without(np.array([2, 0])).without(np.array([2, 3]))
    assert less.deleted.tolist() == [0, 2, 3]
    assert (less.size, less.kept.tolist()) == (1, [1])
    assert less.held is not None
    assert less.held.tolist() == [False, True, False, False]
    assert part.size == 4
    assert part.held is None
    assert less.engine("base") is engine
    assert part.without(np.zeros(0, np.int64)) is part
    assert less.find([b"a", b"b", b"x"]).tolist() == [-1, 1, -1]
    assert part.find([b"a", b"b", b"x"]).tolist() == [0, 1, -1]


@pytest.mark.parametrize("name", ENGINES)
def test_engines_go_from_fit_to_fit(name: str) -> None:
    board = [Posting(id=f"{number:03d}", title=" ".join(WORDS[number % 7 :: 5])) for number in range(50)]
    snapshot = Snapshot.empty(default_blocks()).with_segment(count(board)).refit()
    old = snapshot.parts[0].engine(name)
    again = snapshot.with_segment(count([Posting(id="x", title="sauce cook")])).refit()
    new = again.parts[0].engine(name)
    assert new is not old
    assert new.blocks is again.parts[0].index.blocks  # type: ignore[attr-defined]
    assert snapshot.parts[0].engine(name) is old
    assert again.parts[0].engine(name) is new
    assert again.parts[0].segment.engines == {name: new}


# --- engines under other weights ------------------------------------------------------------------


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("rows", [40, 2_500])
def test_an_engine_under_other_weights_proposes_like_a_new_one(name: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    board = [
        Posting(
            id=f"{row:05d}",
            title=rng.choice(WORDS),
            body=" ".join(rng.choice(WORDS, 9)),
            hashtags=rng.choice(WORDS, 2).tolist(),
        )
        for row in range(rows)
    ]
    segment = count(board)

    def weigh(seed: int, scale: float) -> list[BlockIndex]:
        blocks = []
        for weight, counted in zip((0.7, 0.3, 0.2, 0.5), segment.blocks, strict=True):
            some = np.random.default_rng(seed)  # far apart, and some of them nothing
            if counted.dense is not None:
                vectors = counted.dense.vectors
                centred = CentredVectors(vectors, some.integers(-9_999, 9_999, vectors.shape[1], np.int32))
                blocks.append(BlockIndex(weight, *counted.counts, centred.invert_norms(), centred))
                continue
            weights = scale * 10 ** some.uniform(-2, 2, len(counted.vocabulary))
            weights[some.random(len(weights)) < 0.2] = 0.0
            inverse = invert_norms(counted.counts.by_posting, weights)
            blocks.append(BlockIndex(weight, *counted.counts, inverse))
        return blocks

    def ask(engine: Any, index: Index) -> list[Any]:
        queries = []
        for seed in range(20):
            some = np.random.default_rng(seed)
            blocks = []
            for counted in segment.blocks:
                if counted.dense is not None:
                    vector = some.integers(-999, 999, counted.dense.vectors.shape[1], np.int32)
                    nothing = np.zeros(0, np.int32), np.zeros(0)
                    share = some.choice([0.0, 0.25, 1.0])
                    blocks.append(BlockQuery(*nothing, vector=vector, share=share))
                    continue
                terms = np.flatnonzero(some.random(len(counted.vocabulary)) < 0.6).astype(np.int32)
                blocks.append(BlockQuery(terms, some.uniform(0.1, 1.0, len(terms))))
            queries.append(Query(blocks))
        rankings = index.search_many(queries, 5, engine)
        return [(found.rows.tolist(), found.scores.tobytes()) for found in rankings]

    first, second = weigh(1, 1.0), weigh(2, 1e-3)  # bounds by old norms would be far too low
    old = make_engine(name, first, rows)
    before = ask(old, Index(tuple(first), rows))
    if rows > 2_000:
        assert name != "base" or old._frequent is not None  # type: ignore[attr-defined]
    moved = old.with_norms(second)
    fresh = ask(make_engine(name, second, rows), Index(tuple(second), rows))
    assert ask(moved, Index(tuple(second), rows)) == fresh != before
    assert ask(old, Index(tuple(first), rows)) == before
    shared = "_frequent" if name == "base" else "_layout"
    if rows > 2_000 or name == "fast":
        assert getattr(moved, shared) is getattr(old, shared) is not None


def test_an_engine_that_is_being_built_elsewhere_is_built_anew() -> None:
    board = [Posting(id=f"{row:05d}", body="cook nurse") for row in range(2_100)]
    part = Snapshot.empty(default_blocks()).with_segment(count(board)).refit().parts[0]
    engine = BaseEngine(part.index.blocks, part.segment.rows)
    engine._building = True  # by a thread that has not finished
    moved = engine.with_norms(part.index.blocks)
    moved._profiles = moved.PROFILES_BEFORE_BUILDING
    asked, nothing = BlockQuery(np.array([0], np.int32), np.ones(1)), np.zeros(0, np.int32)
    others = [BlockQuery(nothing, np.zeros(0)) for _ in part.index.blocks[1:]]
    moved.propose(Query([asked, *others]), 1)
    assert moved._frequent is not None


# --- snapshots ------------------------------------------------------------------------------------


@given(snapshots(), sentences, boost_lists, st.data())
@settings(deadline=None, max_examples=35)
def test_merging_and_splitting_change_nothing_that_is_said(
    made: tuple[Snapshot, dict[str, Posting]], text: str, boosts: list[Any], data: st.DataObject
) -> None:
    snapshot, held = made
    said = rank(snapshot, text, boosts=boosts, filters={"hashtags_none": ["sql"]})
    learned = snapshot.refit()
    if snapshot.parts and data.draw(st.booleans()):
        number = data.draw(st.sampled_from(range(len(snapshot.parts))))
        most = data.draw(st.integers(1, 4))
        other = snapshot.split(number, most)
        sizes = [part.size for part in other.parts[len(snapshot.parts) - 1 :]]
        assert sizes == [most] * (snapshot.parts[number].size // most) + [
            rest for rest in [snapshot.parts[number].size % most] if rest
        ]
    else:
        numbers = data.draw(st.sets(st.sampled_from(range(len(snapshot.parts))))) if snapshot.parts else set()
        other = snapshot.merge(sorted(numbers))
        assert len(other.parts) == len(snapshot.parts) - len(numbers) + bool(numbers)
    assert other.is_fitted == snapshot.is_fitted
    assert len(other) == len(snapshot) == len(held)
    assert rank(other, text, boosts=boosts, filters={"hashtags_none": ["sql"]}) == said
    assert rank(other.refit(), text) == rank(learned, text)
    for mine, theirs in zip(other.refit().features, learned.features, strict=True):
        assert list(mine.vocabulary) == list(theirs.vocabulary)
        assert mine.term_weights.tobytes() == theirs.term_weights.tobytes()
        assert np.array_equal(mine.centre, theirs.centre)
        assert (mine.centre is None) == (mine.block.name != "semantic")


@given(snapshots(), sentences, boost_lists)
@settings(deadline=None, max_examples=35)
def test_the_rank_of_each_posting_is_its_place_in_the_ranking(
    made: tuple[Snapshot, dict[str, Posting]], text: str, boosts: list[Any]
) -> None:
    matcher = Matcher(made[0], "base")
    ranking = matcher.recommend(text, 99, boosts=boosts)
    assert sorted(found.posting.id for found in ranking) == sorted(made[1])
    for found in ranking:
        assert bits([matcher.explain(text, found.posting.id, boosts=boosts)]) == bits([found])


@given(snapshots())
@settings(deadline=None, max_examples=25)
def test_learning_anew_twice_is_learning_once(made: tuple[Snapshot, dict[str, Posting]]) -> None:
    snapshot = made[0].refit()
    assert snapshot.is_fitted
    assert snapshot.refit() is snapshot
    compiled = made[0].refit(compiled=True)
    for mine, other in zip(snapshot.parts, compiled.parts, strict=True):
        for block, same in zip(mine.index.blocks, other.index.blocks, strict=True):
            assert block.inverse_norms.tobytes() == same.inverse_norms.tobytes()


@given(snapshots())
@settings(deadline=None, max_examples=25)
def test_what_shares_segments_stays_as_it_was(made: tuple[Snapshot, dict[str, Posting]]) -> None:
    snapshot, _ = made
    said = rank(snapshot, "cook nurse python")
    arrays = [
        (array, array.copy())
        for part in snapshot.parts
        for array in (part.deleted, *part.places, *(block.inverse_norms for block in part.index.blocks))
    ]
    later = snapshot.with_segment(count([Posting(id="zz", title="cook sauce", hashtags=["new"])]))
    later = later.without([place for place in later.find(sorted(made[1])[:2]) if place]).refit()
    rank(later.merge(range(len(later.parts))), "cook nurse python")
    assert rank(snapshot, "cook nurse python") == said
    assert all(np.array_equal(array, before) for array, before in arrays)


@given(snapshots(), st.sampled_from([*WORDS, "nothing", "\ud800", ""]), st.integers(-1, 12))
@settings(deadline=None, max_examples=35)
def test_postings_with_a_term(made: tuple[Snapshot, dict[str, Posting]], term: str, limit: int) -> None:
    snapshot, held = made
    for number, name in enumerate(("text", "hashtags")):
        found = Matcher(snapshot).postings_with(name, term, limit)
        expected = [
            held[key] for key in sorted(held) if term in list(count([held[key]]).blocks[number].vocabulary)
        ]
        assert found == expected[: max(0, limit)]


@given(boards, st.lists(postings, max_size=3))
@settings(deadline=None, max_examples=20)
def test_terms_nobody_had_at_the_last_fit_do_not_count(board: list[Posting], news: list[Posting]) -> None:
    snapshot = Snapshot.empty(default_blocks())
    if board:
        snapshot = snapshot.with_segment(count(board)).refit()
    before = snapshot
    latest = {one.id: one for one in news}
    gone = [place for place in snapshot.find(sorted(latest)) if place]
    snapshot = snapshot.without(gone).with_segment(count(list(latest.values())))
    assert snapshot.features is before.features
    part = snapshot.parts[-1]
    for fitted, counted, index in zip(snapshot.features, part.segment.blocks, part.index.blocks, strict=True):
        known = set(fitted.vocabulary)
        for row in range(part.segment.rows):
            if counted.dense is not None:  # vectors come from a table, not from terms that were learned
                assert (index.inverse_norms[row] > 0) == counted.dense.vectors[row].any()
                continue
            starts, columns, _ = counted.counts.by_posting
            terms = [counted.vocabulary[at] for at in columns[starts[row] : starts[row + 1]].tolist()]
            assert (index.inverse_norms[row] > 0) == bool(known & set(terms))


def test_one_posting_is_held_once() -> None:
    snapshot = Snapshot.empty(default_blocks())
    for title in ("cook", "nurse", "driver"):
        snapshot = snapshot.without([place for place in snapshot.find(["a"]) if place])
        snapshot = snapshot.with_segment(count([Posting(id="a", title=title), Posting(id=title)]))
    (place,) = snapshot.find(["a"])
    assert place is not None
    assert place[0] is snapshot.parts[-1]
    assert len(snapshot) == 4
    assert rank(snapshot.refit(), "driver")[0][1].title == "driver"


@pytest.mark.parametrize("blocks", [[TextBlock(), HashtagBlock()], default_blocks()], ids=len)
def test_an_empty_snapshot_answers(blocks: list[FeatureBlock]) -> None:
    snapshot = Snapshot.empty(blocks)
    assert len(snapshot) == 0
    assert snapshot.find(["a"]) == [None]
    assert snapshot.refit() is snapshot
    assert snapshot.without([]) is snapshot
    assert snapshot.merge([]).parts == ()
    assert snapshot.search_many([()], 3, "base", [], []) == [[]]


def test_parts_without_postings_go() -> None:
    snapshot = Snapshot.empty(default_blocks())
    for name in "ab":
        snapshot = snapshot.with_segment(count([Posting(id=name)]))
    assert [isinstance(part, Part) for part in snapshot.parts] == [True, True]
    snapshot = snapshot.without([(snapshot.parts[0], 0)])
    assert [list(part.segment.catalogue.ids) for part in snapshot.parts] == [["b"]]


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
def test_a_term_that_one_part_misses_is_not_lost_in_a_merge(order: list[int]) -> None:
    snapshot = Snapshot.empty(default_blocks()).with_segment(count([Posting(id="a", title="sauce cook")]))
    snapshot = snapshot.with_segment(count([Posting(id="b", title="sauce"), Posting(id="c", title="nurse")]))
    snapshot = snapshot.without([place for place in snapshot.find(["b"]) if place]).refit()
    assert [MISSING in part.places[0] for part in snapshot.parts] == [False, True]
    said = rank(snapshot, "sauce nurse")
    assert said[0][2] != (0.0).hex()
    assert rank(snapshot.merge(order), "sauce nurse") == said
