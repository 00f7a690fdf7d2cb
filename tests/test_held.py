"""The postings held, as one sequence, whatever segments they lie in."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Posting, UnknownPostingError
from matcher.boosts import Featured, Freshness
from matcher.catalogue import Catalogue
from matcher.features import default_blocks
from matcher.filters import FILTERS, select_postings
from matcher.held import HeldPostings
from matcher.segments import Segment
from matcher.snapshot import Part, Snapshot
from tests.strategies import boards, boost_lists

FILTER_SETS = [
    *({name: row.example} for name, row in FILTERS.items()),
    {"location": ["Bern", "York"], "remote": False},
    {"company": "Beck", "hashtags_none": ["sql"], "posted_since": "2025-06-01"},
]


@st.composite
def parted(draw: st.DrawFn) -> tuple[list[Part], dict[str, Posting], list[Posting]]:
    """Parts of a few segments, the postings held by id, and those deleted (of ids that are held, too)."""
    board, again = draw(boards), draw(boards)
    snapshot = Snapshot.empty(default_blocks())
    held: dict[str, Posting] = {}
    deleted: list[Posting] = []
    for lot in (board[::2], board[1::2], again):
        gone = [held.pop(one.id) for one in lot if one.id in held]
        places = snapshot.find([one.id for one in gone])
        deleted += gone
        snapshot = snapshot.without([place for place in places if place])
        counted = Segment.from_postings(sorted(lot, key=lambda one: one.id), default_blocks())
        snapshot = snapshot.with_segment(counted)
        held |= {one.id: one for one in lot}
    return list(snapshot.parts), held, deleted


@given(parted())
@settings(deadline=None, max_examples=35)
def test_a_sequence_in_order_of_id(made: tuple[list[Part], dict[str, Posting], list[Posting]]) -> None:
    parts, by_id, _ = made
    held = HeldPostings(parts)
    expected = [by_id[name] for name in sorted(by_id)]
    assert list(held) == expected
    assert list(reversed(held)) == expected[::-1]
    assert len(held) == len(expected)
    assert held.ids == sorted(by_id)
    assert [held[number] for number in range(-len(expected), len(expected))] == expected * 2
    assert held[1:4] == expected[1:4]
    assert held[::-2] == expected[::-2]
    assert [held.row(name) for name in sorted(by_id)] == list(range(len(by_id)))
    for number in (len(expected), -len(expected) - 1):
        with pytest.raises(IndexError):
            held[number]
    assert all(one in held for one in expected)
    assert held.companies == {" ".join(one.company.split()) for one in expected} - {""}
    assert held.locations == {" ".join(one.location.split()) for one in expected} - {""}
    dates = [one.posted_milliseconds for one in expected if one.posted_milliseconds is not None]
    assert held.dates == ((min(dates), max(dates)) if dates else None)


@pytest.mark.parametrize("name", ["", "x", "\ud800", "b", None, 7, ["a"]])
def test_what_is_not_held_has_no_row(name: object) -> None:
    segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], default_blocks())
    snapshot = Snapshot.empty(default_blocks()).with_segment(segment)
    snapshot = snapshot.without([(snapshot.parts[0], 1)])
    with pytest.raises(UnknownPostingError):
        HeldPostings(snapshot.parts).row(name)  # type: ignore[arg-type]


def test_the_list_of_ids_is_the_callers_own() -> None:
    segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], default_blocks())
    held = HeldPostings(Snapshot.empty(default_blocks()).with_segment(segment).parts)
    held.ids.clear()
    assert held.ids == ["a", "b"]


# --- what ranking asks of the postings held ---------------------------------------------------------


@given(parted(), st.sampled_from(FILTER_SETS))
@settings(deadline=None, max_examples=50)
def test_filters_choose_among_what_is_held(
    made: tuple[list[Part], dict[str, Posting], list[Posting]], filters: dict[str, object]
) -> None:
    parts, by_id, _ = made
    expected, alone = select_postings(Catalogue.from_postings(by_id.values()), filters)
    passing = {name for name, passes in zip(sorted(by_id), expected.tolist(), strict=True) if passes}
    found: set[str] = set()
    removed = dict.fromkeys(filters, 0)
    for part in parts:
        held = part.held
        before = None if held is None else held.copy()
        mask, some = select_postings(part.segment.catalogue, filters, held)
        found |= {part.segment.catalogue.ids[row] for row in np.flatnonzero(mask).tolist()}
        removed = {name: removed[name] + some[name] for name in filters}
        if held is not None:
            assert np.array_equal(held, before)  # type: ignore[arg-type]
            assert not (mask & ~held).any()
    assert found == passing
    assert removed == alone


@given(parted(), boost_lists)
@settings(deadline=None, max_examples=35)
def test_boosts_add_to_parts_what_they_add_to_the_whole(
    made: tuple[list[Part], dict[str, Posting], list[Posting]], boosts: list[Featured | Freshness]
) -> None:
    parts, by_id, _ = made
    snapshot = Snapshot((), tuple(parts))
    whole = Catalogue.from_postings(by_id.values())
    for boost in boosts:
        expected = dict(zip(sorted(by_id), boost.values(whole).tolist(), strict=True))
        settled = boost.settle(snapshot.newest)
        for part in parts:
            values = settled.values(part.segment.catalogue)
            for row in part.kept.tolist():
                assert values[row] == expected[part.segment.catalogue.ids[row]]
        assert boost.settle(None) == boost


def test_ages_are_measured_from_the_newest_posting_held() -> None:
    dates = {"a": datetime(2026, 1, 1), "b": datetime(2026, 3, 2), "c": datetime(2026, 1, 31)}
    lots = [[Posting(id="a", posted=dates["a"])], [Posting(id=name, posted=dates[name]) for name in "bc"]]
    snapshot = Snapshot.empty(default_blocks())
    for lot in lots:
        snapshot = snapshot.with_segment(Segment.from_postings(lot, default_blocks()))
    snapshot = snapshot.without([(snapshot.parts[1], 0)])
    boost = Freshness(0.5, half_life_days=30).settle(snapshot.newest)
    assert boost.now == dates["c"].replace(tzinfo=UTC)
    assert [boost.values(part.segment.catalogue).tolist() for part in snapshot.parts] == [[0.25], [0.5, 0.5]]
    fixed = Freshness(0.5, now=datetime(2026, 2, 1))
    assert fixed.settle(snapshot.newest) is fixed
    assert Featured().settle(0) == Featured()


def test_the_first_millisecond_is_a_date() -> None:
    segment = Segment.from_postings([Posting(id="a", posted=datetime(1970, 1, 1))], default_blocks())
    snapshot = Snapshot.empty(default_blocks()).with_segment(segment)
    assert snapshot.newest == 0
    assert HeldPostings(snapshot.parts).dates == (0, 0)
    assert Freshness().settle(0).now == datetime(1970, 1, 1, tzinfo=UTC)
    snapshot = snapshot.without([(snapshot.parts[0], 0)])
    assert snapshot.newest is None
