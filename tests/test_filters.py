"""Contract of every filter, and what each keeps against a few lines of plain Python."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import FilterError, Posting
from matcher.catalogue import Catalogue
from matcher.countries import country_code
from matcher.filters import FILTERS, select_postings
from tests.strategies import COMPANIES, JOB_TYPES, PLACES, TAGS, anything, boards

each_filter = pytest.mark.parametrize("row", FILTERS.values(), ids=FILTERS)


def kept(postings: list[Posting], **filters: Any) -> list[str]:
    """Return the ids of the postings that pass."""
    catalogue = Catalogue.from_postings(postings)
    mask, _ = select_postings(catalogue, filters)
    return [posting.id for posting, passes in zip(catalogue, mask, strict=True) if passes]


def places(*locations: str) -> list[Posting]:
    """Return postings that differ in location only; the id is the location."""
    return [Posting(id=place, location=place) for place in locations]


# --- the contract ---------------------------------------------------------------------------------


@each_filter
def test_a_filter_is_listed_under_its_name_and_described_in_a_sentence(row: Any):
    assert FILTERS[row.name] is row
    assert row.name.isidentifier()
    assert row.description[0].isupper()
    assert row.description.endswith(".")
    assert not (row.is_flag and row.takes_many)


@each_filter
@settings(max_examples=25, deadline=None)
@given(board=boards)
def test_the_example_is_valid_and_selects_without_changing_anything(row: Any, board: list[Posting]):
    catalogue = Catalogue.from_postings(board)
    before = {name: array.tobytes() for name, array in catalogue.to_files().items()}
    mask = row.select(catalogue, row.parse(row.example))
    assert mask.dtype == np.bool_
    assert mask.shape == (len(board),)
    assert np.array_equal(row.select(catalogue, row.parse(row.example)), mask)
    assert {name: array.tobytes() for name, array in catalogue.to_files().items()} == before


BAD_VALUES = [
    None,
    "",
    " \n",
    "!!!",
    "#",
    ", ;",
    "😀",
    "\ud800",
    b"sql",
    0,
    1,
    3.5,
    float("nan"),
    1j,
    [],
    (),
    set(),
    {},
    {"Berlin": True},
    [""],
    ["!!!"],
    [None],
    [1],
    ["Berlin", 1],
    [["Berlin"]],
    [b"sql"],
    range(3),
    object(),
    str,
    np.bool_(True),
    np.array(["Berlin"]),
    timedelta(days=1),
]


@each_filter
@pytest.mark.parametrize("value", BAD_VALUES, ids=lambda value: ascii(value)[:16])
def test_a_value_that_makes_no_sense_is_a_filter_error_that_names_the_filter(row: Any, value: Any):
    with pytest.raises(FilterError, match=row.name):
        row.parse(value)


@pytest.mark.parametrize("value", ["true", "yes", 1, 0, None, [True]])
def test_a_flag_takes_true_or_false_only(value: Any):
    with pytest.raises(FilterError):
        select_postings(Catalogue.from_postings([]), {"remote": value})


@pytest.mark.parametrize(
    "value",
    [
        "2026-02-30",
        "2026-13-01",
        "01.03.2026",
        "yesterday",
        "2026-03-01T25:00",
        "1772323200000",
        ["2026-03-01"],
    ],
)
def test_a_date_that_is_none_is_a_filter_error(value: Any):
    with pytest.raises(FilterError):
        select_postings(Catalogue.from_postings([]), {"posted_since": value})


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59-14:00",
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime.max.replace(tzinfo=timezone(timedelta(hours=-14))),
    ],
    ids=str,
)
def test_a_date_outside_the_calendar_in_utc_is_a_filter_error(value: Any):
    with pytest.raises(FilterError):
        select_postings(Catalogue.from_postings([]), {"posted_since": value})


_scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.binary(max_size=4),
    st.dates(),
    st.datetimes(timezones=st.one_of(st.none(), st.timezones())),
)


@each_filter
@settings(max_examples=60, deadline=None)
@given(
    value=st.one_of(
        _scalars, st.lists(_scalars, max_size=3), st.dictionaries(st.text(), _scalars, max_size=2)
    )
)
def test_any_value_either_selects_or_is_a_filter_error(row: Any, value: Any):
    catalogue = Catalogue.from_postings([Posting(id="1", location="Bern", hashtags=["sql"])])
    try:
        mask, removed = select_postings(catalogue, {row.name: value})
    except FilterError as error:
        assert row.name in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert removed == {row.name: 1 - int(mask[0])}


@pytest.mark.parametrize("name", ["city", "", "Location", "posted-since", "__class__", 1, None])
def test_an_unknown_filter_is_a_filter_error(name: Any):
    with pytest.raises(FilterError, match="unknown filter"):
        select_postings(Catalogue.from_postings([]), {name: True})


@each_filter
def test_nothing_passes_or_falls_where_there_is_nothing(row: Any):
    mask, removed = select_postings(Catalogue.from_postings([]), {row.name: row.example})
    assert mask.shape == (0,)
    assert removed == {row.name: 0}


# --- what each keeps ------------------------------------------------------------------------------


def _spaced(text: str) -> str:
    return " " + re.sub(r"[^a-z0-9]+", " ", text.lower().replace("ü", "u")).strip() + " "


def _says(text: str, phrases: list[str]) -> bool:
    return any(_spaced(phrase) in _spaced(text) for phrase in phrases)


def _squeezed(text: str) -> str:
    return re.sub(r"[^a-z]", "", text.lower())


def _tags(texts: list[str]) -> set[str]:
    return set(Posting(id="-", hashtags=texts).hashtags)


PLAIN = {
    "location": lambda posting, value: _says(posting.location, value),
    "company": lambda posting, value: _says(posting.company, value),
    "job_type": lambda posting, value: _squeezed(posting.job_type) in set(map(_squeezed, value)),
    "remote": lambda posting, value: posting.remote == value,
    "country": lambda posting, value: bool(
        {country_code(name) for name in value} & {place.country for place in posting.places}
    ),
    "posted_since": lambda posting, value: posting.posted is not None and posting.posted >= value,
    "hashtags_any": lambda posting, value: bool(_tags(value) & set(posting.hashtags)),
    "hashtags_all": lambda posting, value: _tags(value) <= set(posting.hashtags),
    "hashtags_none": lambda posting, value: not _tags(value) & set(posting.hashtags),
}


def _some(values: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from([value for value in values if value]), min_size=1, max_size=3)


VALUES = {
    "location": _some([*PLACES, "York", "new york", "bern", "ZURICH", "remote", "Ber"]),
    "company": _some([*COMPANIES, "sons", "beck sons", "GmbH", "Nord"]),
    "job_type": _some([*JOB_TYPES, "FULL TIME", "part-time", "full"]),
    "remote": st.booleans(),
    "country": _some(["Germany", "Deutschland", "de", "UK", "Irland", "CH", "France"]),
    "posted_since": st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)).map(
        lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    ),
    "hashtags_any": _some([*TAGS, "#SQL", "machine-learning", "unheard"]),
    "hashtags_all": _some([*TAGS, "#SQL", "machine-learning", "unheard"]),
    "hashtags_none": _some([*TAGS, "#SQL", "machine-learning", "unheard"]),
}


@each_filter
@settings(max_examples=40, deadline=None)
@given(data=st.data(), board=boards)
def test_a_filter_keeps_what_plain_python_keeps(row: Any, data: Any, board: list[Posting]):
    value = data.draw(VALUES[row.name])
    expected = sorted(posting.id for posting in board if PLAIN[row.name](posting, value))
    assert kept(board, **{row.name: value}) == expected


@settings(max_examples=60, deadline=None)
@given(st.fixed_dictionaries({}, optional=VALUES), boards)
def test_several_filters_all_apply_and_each_counts_what_it_alone_removes(
    filters: dict[str, Any], board: list[Posting]
):
    passes = {
        name: {posting.id for posting in board if PLAIN[name](posting, value)}
        for name, value in filters.items()
    }
    catalogue = Catalogue.from_postings(board)
    mask, removed = select_postings(catalogue, filters)
    survivors = {posting.id for posting in board}.intersection(*passes.values())
    assert {posting.id for posting, passed in zip(catalogue, mask, strict=True) if passed} == survivors
    assert removed == {name: len(board) - len(ids) for name, ids in passes.items()}


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("Zürich", "zurich"),
        ("Zu\u0308rich", "ZÜRICH"),
        ("Straße 5", "STRASSE 5"),
        ("İstanbul", "istanbul"),
        ("Ｂｅｒｎ", "Bern"),
        ("𝐁𝐞𝐫𝐧", "Bern"),
        ("Bern", "𝐁𝐞𝐫𝐧"),
        ("東京", "東京"),
        ("Frankfurt/Main", "Frankfurt Main"),
        ("St. Gallen, CH", "st gallen"),
        ("Frankfurt\n am  Main", "Frankfurt am Main"),
        ("A_B", "a b"),
    ],
)
def test_a_place_is_found_however_it_is_written(location: str, wanted: str):
    assert kept([Posting(id="1", location=location)], location=wanted) == ["1"]


@pytest.mark.parametrize(
    ("location", "wanted"),
    [
        ("Bernau", "Bern"),
        ("Bern", "Bernau"),
        ("York, New", "New York"),
        ("New South York", "New York"),
        ("", "x"),
    ],
)
def test_another_place_is_not(location: str, wanted: str):
    assert kept([Posting(id="1", location=location)], location=wanted) == []


def test_one_text_and_every_kind_of_list_mean_the_same():
    board = places("Bern", "Cork", "Rome")
    assert kept(board, location="Bern") == kept(board, location=["Bern"]) == ["Bern"]
    for kind in (list, tuple, set, frozenset):
        assert kept(board, location=kind(["Bern", "Rome"])) == ["Bern", "Rome"]


@pytest.mark.parametrize(
    "value", ["sql,python", "#sql; #python", "SQL, Python,", "#sql #python", ["#SQL", "python"]]
)
def test_hashtags_may_come_as_one_line_as_in_a_posting(value: Any):
    board = [
        Posting(id="both", hashtags=["sql", "python"]),
        Posting(id="none"),
        Posting(id="one", hashtags=["sql"]),
    ]
    assert kept(board, hashtags_any=value) == ["both", "one"]
    assert kept(board, hashtags_all=value) == ["both"]
    assert kept(board, hashtags_none=value) == ["none"]


def test_a_hashtag_given_twice_counts_once():
    assert kept([Posting(id="1", hashtags=["sql"])], hashtags_all=["sql", "#SQL", "sql"]) == ["1"]


def test_a_hashtag_that_no_posting_has_is_not_an_error():
    board = [Posting(id="1", hashtags=["sql"]), Posting(id="2")]
    assert kept(board, hashtags_any=["unheard"]) == []
    assert kept(board, hashtags_all=["sql", "unheard"]) == []
    assert kept(board, hashtags_none=["unheard"]) == ["1", "2"]


@pytest.mark.parametrize(
    "since",
    [
        "2026-03-01",
        " 2026-03-01 ",
        "20260301",
        "2026-03-01T00:00Z",
        "2026-03-01T01:00+01:00",
        date(2026, 3, 1),
        datetime(2026, 3, 1),
        datetime(2026, 3, 1, tzinfo=UTC),
        datetime(2026, 2, 28, 19, tzinfo=timezone(timedelta(hours=-5))),
    ],
    ids=repr,
)
def test_a_day_starts_at_midnight_utc_and_is_included(since: Any):
    midnight = datetime(2026, 3, 1, tzinfo=UTC)
    board = [
        Posting(id="before", posted=midnight - timedelta(milliseconds=1)),
        Posting(id="midnight", posted=midnight),
        Posting(id="undated"),
    ]
    assert kept(board, posted_since=since) == ["midnight"]


def test_dates_before_1970_and_at_the_ends_of_the_calendar_compare():
    board = [Posting(id=str(year), posted=datetime(year, 1, 1)) for year in (1, 1969, 1970, 9999)]
    assert kept([*board, Posting(id="undated")], posted_since="0001-01-01") == ["1", "1969", "1970", "9999"]
    assert kept(board, posted_since="1969-01-01") == ["1969", "1970", "9999"]
    assert kept(board, posted_since="9999-12-31") == []


@pytest.mark.parametrize(
    "location",
    ["Remote", "work from home", "work  from\nhome", "home  office", "not  remote", "no\nremote", ""],
)
def test_the_remote_filter_agrees_with_the_posting(location: str):
    posting = Posting(id="1", location=location)
    assert kept([posting], remote=True) == (["1"] if posting.remote else [])
    assert kept([posting], remote=False) == ([] if posting.remote else ["1"])


@settings(max_examples=80, deadline=None)
@given(anything, anything)
@example("a\x00b", "\u2028")
def test_any_text_in_a_posting_can_be_filtered(location: str, tag: str):
    posting = Posting(id="1", location=location, company=location, job_type=location, hashtags=[tag])
    for name, row in FILTERS.items():
        assert kept([posting], **{name: row.example}) in (["1"], [])
    for field in ("location", "company", "job_type"):
        if any(char.isalnum() and char.isascii() for char in location):
            assert kept([posting], **{field: location}) == ["1"]
    if posting.hashtags:
        assert kept([posting], hashtags_all=[tag]) == ["1"]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("Germany", ["Aalen, DE", "Basel, CH or remote (DE/AT)", "Fulda, Deutschland", "Kelheim, Bayern"]),
        (
            "Deutschland",
            ["Aalen, DE", "Basel, CH or remote (DE/AT)", "Fulda, Deutschland", "Kelheim, Bayern"],
        ),
        ("de", ["Aalen, DE", "Basel, CH or remote (DE/AT)", "Fulda, Deutschland", "Kelheim, Bayern"]),
        ("united kingdom", ["Leeds, England", "Remote, UK or Ireland"]),
        (["IE", "US"], ["Columbus, IN", "Delaware", "Remote, UK or Ireland"]),
        ("India", []),
    ],
)
def test_a_country_is_found_whatever_it_is_called(wanted: Any, expected: list[str]):
    board = places("Aalen, DE", "Fulda, Deutschland", "Kelheim, Bayern", "Berlin", "Leeds, England")
    board += places("Columbus, IN", "Basel, CH or remote (DE/AT)", "Remote, UK or Ireland", "Delaware")
    assert kept(board, country=wanted) == expected


def test_an_unknown_country_is_named_in_the_error():
    with pytest.raises(FilterError, match="'Atlantis'"):
        FILTERS["country"].parse(["Germany", "Atlantis"])
