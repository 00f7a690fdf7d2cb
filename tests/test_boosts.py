"""Contract of every boost, and what each adds."""

from __future__ import annotations

import dataclasses
import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, OptionError, Posting
from matcher.boosts import BOOSTS, Boost, Featured, Freshness
from matcher.catalogue import Catalogue
from matcher.features import BLOCKS
from tests.strategies import boards, boost_lists, full_boards, profiles

each_boost = pytest.mark.parametrize("kind", BOOSTS.values(), ids=BOOSTS)

NEWEST = datetime(2026, 3, 31, tzinfo=UTC)


def ages(*days: float | None) -> Catalogue:
    """Return a catalogue of postings that many days older than `NEWEST`, in this order."""
    dates = [None if age is None else NEWEST - timedelta(days=age) for age in days]
    return Catalogue.from_postings(Posting(id=f"{n:03}", posted=posted) for n, posted in enumerate(dates))


# --- the contract ---------------------------------------------------------------------------------


@each_boost
def test_a_boost_is_listed_under_its_name_and_does_not_change(kind: type):
    boost = kind()
    assert BOOSTS[boost.name] is kind
    assert boost.name not in BLOCKS
    assert isinstance(boost, Boost)
    with pytest.raises(dataclasses.FrozenInstanceError):
        boost.weight = 1.0
    assert kind() == boost


@each_boost
@settings(max_examples=40, deadline=None)
@given(board=boards, weight=st.one_of(st.integers(1, 5), st.floats(1e-300, 1e300)))
def test_values_are_one_finite_number_of_at_least_0_and_at_most_the_weight_for_each_posting(
    kind: type, board: list[Posting], weight: float
):
    catalogue = Catalogue.from_postings(board)
    values = kind(weight).values(catalogue)
    assert values.dtype == np.float64
    assert values.shape == (len(board),)
    assert np.all(np.isfinite(values))
    assert np.all((values >= 0) & (values <= weight))
    assert kind(weight).values(catalogue).tobytes() == values.tobytes()


@each_boost
@settings(max_examples=20, deadline=None)
@given(board=full_boards)
def test_a_label_is_one_line_for_any_posting(kind: type, board: list[Posting]):
    for posting in board:
        label = kind().label(posting)
        assert label.strip()
        assert "\n" not in label


@each_boost
def test_a_boost_of_nothing_is_nothing(kind: type):
    assert kind().values(Catalogue.from_postings([])).shape == (0,)
    assert kind().values(Catalogue.from_postings([Posting(id="1")])).tolist() == [0.0]


BAD_NUMBERS = [
    0,
    -1,
    -0.5,
    float("nan"),
    float("inf"),
    -float("inf"),
    "1",
    None,
    True,
    [1],
    1j,
    10**400,
    object(),
]


@each_boost
@pytest.mark.parametrize("weight", BAD_NUMBERS, ids=lambda value: f"{type(value).__name__} {value!s:.9}")
def test_a_weight_that_is_no_finite_number_above_0_is_an_option_error(kind: type, weight: Any):
    with pytest.raises(OptionError):
        kind(weight=weight)


@pytest.mark.parametrize("days", BAD_NUMBERS, ids=lambda value: f"{type(value).__name__} {value!s:.9}")
def test_a_half_life_that_is_no_finite_number_above_0_is_an_option_error(days: Any):
    with pytest.raises(OptionError):
        Freshness(half_life_days=days)


@pytest.mark.parametrize("now", ["2026-03-01", date(2026, 3, 1), 1772323200000, True, float("nan")], ids=repr)
def test_a_now_that_is_no_datetime_is_an_option_error(now: Any):
    with pytest.raises(OptionError):
        Freshness(now=now)


def test_a_now_outside_the_calendar_in_utc_is_an_option_error():
    with pytest.raises(OptionError):
        Freshness(now=datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))).values(ages(1))


# --- featured -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("featured", "lifted"), [(0, False), (-3, False), (1, True), (20, True), (10**30, True)]
)
def test_whatever_the_board_was_paid_a_featured_posting_gets_the_weight(featured: int, lifted: bool):
    values = Featured(0.25).values(Catalogue.from_postings([Posting(id="1", featured=featured)]))
    assert values.tolist() == [0.25 if lifted else 0.0]


# --- freshness ------------------------------------------------------------------------------------


def test_freshness_halves_with_every_half_life():
    values = Freshness(0.8, half_life_days=7).values(ages(0, 7, 14, 21, None))
    assert values == pytest.approx([0.8, 0.4, 0.2, 0.1, 0.0], rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.floats(0, 3000)), min_size=1, max_size=8), st.floats(1e-3, 1e5))
def test_a_newer_posting_never_gets_less(days: list[float | None], half_life: float):
    catalogue = ages(*days)
    values = Freshness(0.5, half_life_days=half_life).values(catalogue).tolist()
    dated = sorted((p.posted, value) for p, value in zip(catalogue, values, strict=True) if p.posted)
    assert [value for _, value in dated] == sorted(value for _, value in dated)
    assert all(value == 0 for p, value in zip(catalogue, values, strict=True) if p.posted is None)
    if dated:
        newest = dated[-1][0]
        expected = [0.5 * math.exp2(-((newest - posted) / timedelta(days=half_life))) for posted, _ in dated]
        assert [value for _, value in dated] == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_ages_count_from_now_when_it_is_given_and_later_postings_are_new():
    boost = Freshness(1.0, half_life_days=10, now=NEWEST - timedelta(days=10))
    assert boost.values(ages(0, 10, 20)).tolist() == [1.0, 1.0, 0.5]


def test_a_now_without_time_zone_is_utc_and_any_zone_counts():
    same = [
        datetime(2026, 3, 31),
        NEWEST,
        datetime(2026, 3, 31, 2, tzinfo=timezone(timedelta(hours=2))),
    ]
    results = {Freshness(now=now).values(ages(3, 40)).tobytes() for now in same}
    assert len(results) == 1


@pytest.mark.parametrize("half_life", [5e-324, 1e-320, 1e-300, 1e300, 1.7e308])
def test_any_half_life_gives_finite_values(half_life: float):
    values = Freshness(0.5, half_life_days=half_life).values(ages(0, 1e-7, 1, 10_000)).tolist()
    assert values == ([0.5] * 4 if half_life > 1 else [0.5, 0.0, 0.0, 0.0])


def test_the_ends_of_the_calendar_are_just_old_and_new():
    board = [Posting(id=str(year), posted=datetime(year, 1, 1)) for year in (1, 2026, 9999)]
    values = Freshness(0.5, half_life_days=1).values(Catalogue.from_postings(board))
    assert values.tolist() == [0.0, 0.0, 0.5]
    now = Freshness(0.5, half_life_days=1, now=datetime.max).values(Catalogue.from_postings(board))
    assert now.tolist() == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)


# --- in a ranking ---------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(full_boards, profiles, boost_lists)
def test_a_boost_adds_its_own_contribution_and_nothing_else(
    board: list[Posting], profile: str, boosts: list[Boost]
):
    matcher = Matcher.fit(board)
    catalogue = Catalogue.from_postings(board)
    lifts = {boost.name: boost.values(catalogue) for boost in boosts}
    plain = {r.posting.id: r for r in matcher.recommend(profile, k=len(board))}
    for lifted in matcher.recommend(profile, k=len(board), boosts=boosts):
        row = catalogue.row(lifted.posting.id)
        own = {part.block: part for part in lifted.contributions if part.block in BOOSTS}
        rest = [part for part in lifted.contributions if part.block not in BOOSTS]
        assert {name: part.value for name, part in own.items()} == {
            name: values[row] for name, values in lifts.items() if values[row] > 0
        }
        assert all(
            own[boost.name].feature == boost.label(lifted.posting) for boost in boosts if boost.name in own
        )
        assert tuple(rest) == plain[lifted.posting.id].contributions


@settings(max_examples=20, deadline=None)
@given(full_boards, profiles)
def test_the_order_in_which_boosts_are_given_changes_no_bit(board: list[Posting], profile: str):
    matcher = Matcher.fit(board)
    boosts = [Featured(0.1), Freshness(0.3)]
    assert matcher.recommend(profile, boosts=boosts) == matcher.recommend(profile, boosts=tuple(boosts[::-1]))


@pytest.mark.parametrize(
    "boosts",
    [
        ["featured"],
        [None],
        [Featured],
        [Featured(), Featured(0.1)],
        [Featured(name="freshness")],
        [Freshness(name="text")],
        [0.05],
        Featured(),
        "featured",
    ],
    ids=repr,
)
def test_boosts_that_make_no_sense_are_an_option_error(boosts: Any):
    matcher = Matcher.fit([Posting(id="1", title="cook")])
    with pytest.raises(OptionError):
        matcher.recommend("cook", boosts=boosts)
    with pytest.raises(OptionError):
        matcher.explain("cook", "1", boosts=boosts)


def test_the_largest_weights_together_still_rank():
    board = [Posting(id="1", posted=NEWEST), Posting(id="2", posted=NEWEST, featured=1)]
    try:
        ranking = Matcher.fit(board).recommend("", boosts=[Featured(1.7e308), Freshness(1.7e308)])
    except OptionError:  # refusing such weights is as good
        return
    assert [r.posting.id for r in ranking] == ["2", "1"]
    assert all(math.isfinite(r.score) for r in ranking)
