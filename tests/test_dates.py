"""Timestamps: every format of boards and feeds becomes one moment in UTC, and what could be two is none."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.sources.dates import parse_timestamp

PROPERTY = settings(max_examples=300, deadline=None)
DAY = datetime(2020, 12, 7, tzinfo=UTC)
moments = st.datetimes(
    datetime(1970, 1, 3),
    datetime(2199, 12, 29),
    timezones=st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
).map(lambda moment: moment.replace(microsecond=0))


@pytest.mark.parametrize(
    "value",
    [
        *(1607299200000, 1607299200, 1607299200.0, "1607299200", " 1607299200000 ", 20201207, "20201207"),
        *("2020-12-07", "2020-12-07T00:00:00Z", "2020-12-07T01:00:00+01:00", "2020-12-06T19:00:00.000-05:00"),
        *(
            "2020-12-07T00:00:00+0000",
            "2020-12-07 00:00:00 UTC",
            "2020-12-07T00:00:00.000000000Z",
            "20201207T000000Z",
        ),
        *("Mon, 07 Dec 2020 00:00:00 GMT", "Mon, 7 Dec 2020 00:00:00 +0000", "07 Dec 2020 00:00 UT"),
        *(
            "Sun, 06 Dec 2020 19:00:00 EST",
            "Sun, 06 Dec 2020 16:00:00 PST",
            "Mon, 07 Dec 2020 01:00:00 +0100",
        ),
        *(
            "7 December 2020",
            "7. Dezember 2020",
            "7th Dec, 2020",
            "December 7, 2020",
            "Dec 7th 2020",
            "07-Dec-2020",
        ),
        *("07.12.2020", "7. 12. 2020", "07.12.2020 00:00", "2020/12/07", "2020/12/7 00:00:00"),
    ],
)
def test_one_day_however_it_is_written(value):
    assert parse_timestamp(value) == DAY
    assert parse_timestamp(value).tzinfo is UTC


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            "soon",
            "heute",
            "07/12/2020",
            "31.2.2020",
            "25/13/2020",
            "7.12.20",
            "12-07-2020",
            "2020-13-01",
            "2020-02-30",
            "30 Feb 2020",
        ),
        *(
            "Mon, 07 Dec 2020 00:00:00 CET",
            "Mon, 07 Dec 2020 25:00:00 GMT",
            "7 Smarch 2020",
            "07 Dec 2020 00:00 +9999",
        ),
        *(
            "1969-12-31",
            "2200-01-01",
            "9" * 400,
            "nan",
            "inf",
            "-1e400",
            9e99,
            float("nan"),
            float("inf"),
            10**400,
            -(10**15),
        ),
        *(
            None,
            True,
            False,
            [],
            {},
            b"2020-12-07",
            DAY,
            "2020-12-07" + " " * 200 + "x",
            "٧ Dec ٢٠٢٠",
            "\ud800",
        ),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_is_no_date_or_could_be_two_is_none(value):
    assert parse_timestamp(value) is None


def test_march_has_an_umlaut_in_german():
    assert parse_timestamp("1. März 2026") == datetime(2026, 3, 1, tzinfo=UTC)


@PROPERTY
@given(moments)
def test_any_moment_is_read_from_what_feeds_and_boards_write(moment):
    for text in (moment.isoformat(), format_datetime(moment), moment.strftime("%d %b %Y %H:%M:%S %z")):
        assert parse_timestamp(text) == moment, text
    assert parse_timestamp(int(moment.timestamp() * 1000)) == moment or moment.timestamp() < 1e8
    assert parse_timestamp(int(moment.timestamp())) == moment or 19700101 <= moment.timestamp() <= 22000000


@PROPERTY
@given(
    st.text(max_size=40)
    | st.integers()
    | st.floats()
    | st.lists(st.sampled_from([*"0123456789:+-T. ", "Dec", "GMT"])).map("".join)
)
def test_any_value_is_a_date_or_none(value):
    moment = parse_timestamp(value)
    assert moment is None or (moment.tzinfo is UTC and 1970 <= moment.year < 2200)


def test_slashes_are_a_date_where_one_part_can_only_be_the_day():
    for text in ("25/12/2020", "12/25/2020", "25.12.2020"):
        assert parse_timestamp(text) == datetime(2020, 12, 25, tzinfo=UTC)
    assert parse_timestamp("12/12/2020") == datetime(2020, 12, 12, tzinfo=UTC)
