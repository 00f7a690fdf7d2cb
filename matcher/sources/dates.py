"""Timestamps as boards and feeds write them -> moments in UTC."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

__all__: Final = ["parse_timestamp"]

_MILLISECONDS_FROM: Final = 1e11
_MONTHS_OF_A_YEAR: Final = 12
_YEARS: Final = range(1970, 2200)
_LONGEST: Final = 100
_COMPACT_DATE: Final = re.compile(r"(?:19[7-9]\d|2[01]\d\d)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\Z")
_DAY_FIRST: Final = re.compile(
    r"(?:[^\W\d_]{2,10},?\s+)?(?P<day>\d{1,2})(?:\.|st|nd|rd|th)?[\s-]+(?P<month>[^\W\d_]{3,9})\.?,?[\s-]+(?P<year>\d{4})"
    r"(?:,?\s+(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?(?:\s*(?P<zone>[+-]\d{4}|[A-Za-z]{1,4}))?)?\Z",
    re.ASCII,
)
_MONTH_FIRST: Final = re.compile(
    r"(?P<month>[^\W\d_]{3,9})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<year>\d{4})\Z", re.ASCII
)
_NUMBERS: Final = re.compile(
    r"(?:(?P<year_first>\d{4})/(?P<month>\d{1,2})/(?P<day>\d{1,2})"
    r"|(?P<day_dotted>\d{1,2})\.\s?(?P<month_dotted>\d{1,2})\.\s?(?P<year_dotted>\d{4})"
    r"|(?P<one>\d{1,2})/(?P<other>\d{1,2})/(?P<year_last>\d{4}))"
    r"(?:,?\s+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?\Z",
    re.ASCII,
)
_NAMED_ZONE: Final = re.compile(r"(.*\d)\s*(?:UTC|GMT|Z)\Z")

_MONTHS: Final[Mapping[str, int]] = {
    name: number
    for number, names in enumerate(
        "jan january januar|feb february februar|mar march mrz maerz|apr april|may mai|jun june juni"
        "|jul july juli|aug august|sep sept september|oct october okt oktober|nov november"
        "|dec december dez dezember".split("|"),
        1,
    )
    for name in names.split()
}

_ZONES: Final[Mapping[str, int]] = {
    "UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
"""The zones that RFC 2822 names, in hours; it gives others no meaning, and neither do we."""


def parse_timestamp(value: Any) -> datetime | None:
    """Return the moment a timestamp stands for, in UTC, or None when it stands for none.

    Numbers from 100,000,000,000 on are milliseconds since 1970, smaller ones seconds. Text is such a number,
    ISO 8601, a date of RFC 2822 (feeds), or a day with its month in words (English, German). Without a time
    zone it counts as UTC, without a time as midnight. Eight digits that make a date (20201207) are one.
    07.12.2020 is the 7th of December: with dots the day comes first. 25/12/2020 leaves no doubt;
    07/12/2020 is no date: the text does not say which number is the month. Years outside 1970 to 2199 are no
    dates; the future is.

    Examples
    --------
    >>> [str(parse_timestamp(value)) for value in (1607299200000, "1607299200", "2020-12-07T01:00+01:00")]
    ['2020-12-07 00:00:00+00:00', '2020-12-07 00:00:00+00:00', '2020-12-07 00:00:00+00:00']
    >>> [str(parse_timestamp(value).date()) for value in ("Mon, 07 Dec 2020 00:00 GMT", "7.12.2020")]
    ['2020-12-07', '2020-12-07']
    >>> parse_timestamp("soon"), parse_timestamp(True), parse_timestamp(9e99), parse_timestamp("07/12/2020")
    (None, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    text = value.strip() if isinstance(value, str) else ""
    if len(text) > _LONGEST:
        return None
    try:
        moment = _from_number(value) or _from_text(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is not None and moment.year in _YEARS else None


def _from_number(value: int | float | str) -> datetime | None:
    if _COMPACT_DATE.match(str(value).strip() if isinstance(value, (int, str)) else ""):
        return datetime.strptime(str(value).strip(), "%Y%m%d").replace(tzinfo=UTC)
    try:
        number = float(value)
    except ValueError:
        return None
    if not math.isfinite(number):
        return None
    return datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS_FROM else number, UTC)


def _from_text(text: str) -> datetime | None:
    words = _DAY_FIRST.match(text.replace("ä", "ae")) or _MONTH_FIRST.match(text.replace("ä", "ae"))
    if words:
        return _from_words(words.groupdict())
    numbers = _NUMBERS.match(text)
    if numbers:
        return _from_numbers({name: int(part) for name, part in numbers.groupdict().items() if part})
    named = _NAMED_ZONE.match(text)
    moment = datetime.fromisoformat(named[1] if named else text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _from_words(parts: dict[str, str | None]) -> datetime | None:
    month = _MONTHS.get(str(parts["month"]).lower())
    zone = _zone(parts.get("zone") or "UTC")
    if month is None or zone is None:
        return None
    year, day, hour, minute, second = (
        int(parts.get(name) or 0) for name in ("year", "day", "hour", "minute", "second")
    )
    return datetime(year, month, day, hour, minute, second, tzinfo=zone).astimezone(UTC)


def _from_numbers(parts: dict[str, int]) -> datetime | None:
    if "year_first" in parts:
        year, month, day = parts["year_first"], parts["month"], parts["day"]
    elif "year_dotted" in parts:
        year, month, day = parts["year_dotted"], parts["month_dotted"], parts["day_dotted"]
    else:
        year, month, day = (
            parts["year_last"],
            min(parts["one"], parts["other"]),
            max(parts["one"], parts["other"]),
        )
        if day <= _MONTHS_OF_A_YEAR and day != month:
            return None
    hour, minute, second = (parts.get(name, 0) for name in ("hour", "minute", "second"))
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _zone(name: str) -> timezone | None:
    if name[0] in "+-":
        sign = -1 if name[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(name[1:3]), minutes=int(name[3:])))
    hours = _ZONES.get(name.upper())
    return None if hours is None else timezone(timedelta(hours=hours))
