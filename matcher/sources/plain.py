"""Fields as nearly all sources write them -> `Posting`, in one pass; everything unusual is left alone.

`matcher.sources.fields.build_posting` reads the same, and whatever else comes. What is done here must
equal it in every detail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final

from matcher.errors import PostingError
from matcher.hashtags import listed_hashtags, written_hashtags
from matcher.pay import Pay, is_pay_record, parse_pay
from matcher.posting import RECORD_NAMES, Posting, posting_of_checked
from matcher.sources.dates import parse_timestamp
from matcher.sources.exact import EXACT_FIELD
from matcher.sources.names import OTHER_NAMES, under_our_names

__all__: Final = ["LONGEST_ID", "SALARY_FIELDS", "plain_posting"]

LONGEST_ID: Final = 2_000
SALARY_FIELDS: Final = ("baseSalary", "salary")

_KNOWN: Final = frozenset(RECORD_NAMES.values())
_OTHERS: Final = frozenset(OTHER_NAMES)
_SIMPLE: Final = frozenset((str, int, bool, type(None)))
_MILLISECONDS: Final = range(10**11, 7_258_118_400_000)
"""Timestamps that are milliseconds for certain, before the year 2200."""
_PAY_VALUES: Final = frozenset((int, float, str))
_LONGEST_KNOWN: Final = 64
_DIGIT: Final = re.compile(r"\d")


class _UnusualError(Exception):
    """A value that takes the long way."""


def plain_posting(fields: Mapping[str, Any], default_id: str) -> Posting | None:
    """Return the posting that fields describe when all of them are plain, else None.

    Plain are texts where text belongs, hashtags as one line or a list of texts, timestamps that are dates,
    pay that is understood, and unknown fields that are texts or whole numbers.

    Examples
    --------
    >>> plain_posting({"title": " Cook ", "timestamp": 1772323200000}, "a.md").title
    'Cook'
    >>> plain_posting({"title": "Cook", "timestamp": "soon"}, "a.md") is None
    True
    """
    extra: dict[str, Any] = {}
    if not _KNOWN.issuperset(fields):
        extra = {key: value for key, value in fields.items() if key not in _KNOWN}
        if EXACT_FIELD in extra or not _SIMPLE.issuperset(map(type, extra.values())):
            return None
        if not _OTHERS.isdisjoint(extra):
            fields = under_our_names(fields)
            extra = {key: value for key, value in fields.items() if key not in _KNOWN}
    get, strip = fields.get, str.strip
    try:
        url = strip(get("url", ""))
        posting_id = strip(get("id", "")) or url or default_id
        title = strip(get("title", ""))
        summary = strip(get("summary", ""))
        body = strip(get("body", ""))
        if not (title or summary or body) or len(posting_id) > LONGEST_ID or not posting_id.isprintable():
            return None
        if not posting_id or posting_id.isspace():
            return None
        tags = get("hashtags")
        posted = get("timestamp")
        ends = get("validThrough")
        featured = get("featured", 0)
        return posting_of_checked(
            posting_id,
            title,
            strip(get("companyName", "")),
            strip(get("location", "")),
            () if tags is None else _hashtags(tags),
            strip(get("jobType", "")),
            _moment(posted) if posted is not None and posted != "" else None,
            _moment(ends) if ends is not None and ends != "" else None,
            _pay(get("pay"), extra),
            summary,
            strip(get("summaryBackup", "")),
            body,
            url,
            strip(get("applyUrl", "")),
            strip(get("host", "")),
            strip(get("companyWebsite", "")),
            strip(get("logoUrl", "")),
            featured if type(featured) is int else _whole_number(featured),
            extra,
        )
    except (_UnusualError, TypeError, AttributeError):  # something is no text
        return None


def _hashtags(tags: Any) -> tuple[str, ...]:
    if type(tags) is str:
        return written_hashtags(tags)
    if type(tags) is list:
        return listed_hashtags(tags)
    raise _UnusualError


def _moment(value: Any) -> datetime:
    moment: datetime | None
    number = int(value) if type(value) is str and value.isdecimal() and len(value) == 13 else value
    if type(number) is int and number in _MILLISECONDS:
        moment = datetime.fromtimestamp(number / 1000, UTC)
    else:
        moment = parse_timestamp(value)
    if moment is None or moment.microsecond % 1000 or moment.tzinfo is not UTC:
        raise _UnusualError
    return moment


def _whole_number(value: Any) -> int:
    if value is None or value == "":
        return 0
    if type(value) is str and len(value) < 10 and value.isdecimal():
        return int(value)
    raise _UnusualError


@lru_cache(maxsize=1 << 12)
def _known_pay(text: str) -> Pay | None:
    """Return `parse_pay`, remembered: a board says the same of many jobs."""
    return parse_pay(text) if _DIGIT.search(text) else None


def _pay(value: Any, extra: Mapping[str, Any]) -> Pay | None:
    if value is None or value == "":
        if not extra:
            return None
        for key in SALARY_FIELDS:
            salary = extra.get(key)
            if salary is None or salary == "":
                continue
            if type(salary) is not str:
                raise _UnusualError
            pay = _known_pay(salary) if len(salary) <= _LONGEST_KNOWN else parse_pay(salary)
            if pay is not None:
                return pay
        return None
    if type(value) is dict and set(map(type, value.values())) <= _PAY_VALUES and "" not in value.values():
        try:
            return Pay(**value)  # as it was written by `Pay.to_record`
        except (PostingError, TypeError):
            raise _UnusualError from None
    if type(value) is dict and is_pay_record(value) and (pay := parse_pay(value)) is not None:
        return pay
    raise _UnusualError
