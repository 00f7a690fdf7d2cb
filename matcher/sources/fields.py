"""Fields as a source wrote them -> `Posting`, with every coercion that changes meaning reported."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from matcher.errors import PostingError
from matcher.hashtags import split_hashtags
from matcher.pay import Pay, is_pay_record, parse_pay
from matcher.posting import RECORD_NAMES, Posting, free_name
from matcher.sources.dates import parse_timestamp
from matcher.sources.entry import RawPosting
from matcher.sources.exact import EXACT_FIELD, parse_exact_fields
from matcher.sources.names import under_our_names
from matcher.sources.plain import LONGEST_ID, SALARY_FIELDS, plain_posting

__all__: Final = ["build_any_posting", "build_posting", "parse_timestamp"]

_Reader = Callable[[str, Any, list[str]], Any]

DEEPEST_VALUE: Final = 20


def build_posting(raw: RawPosting) -> tuple[Posting, list[str]]:
    """Return the posting that `raw` describes, and what was changed on the way.

    The id is the field ``id``, else ``url``, else the default of the source.

    Raises
    ------
    PostingError
        When a field cannot be what it should be, or nothing is left to match.

    Examples
    --------
    >>> raw = RawPosting({"title": "Cook", "timestamp": "soon", "salary": "12k €"}, 1, "a.md")
    >>> posting, changes = build_posting(raw)
    >>> posting.id, posting.posted, dict(posting.extra)
    ('a.md', None, {'salary': '12k €', 'timestampAsWritten': 'soon'})
    >>> posting.pay
    Pay(minimum=12000.0, maximum=12000.0, currency='EUR', period='')
    >>> changes
    ["timestamp 'soon' is no date: left empty"]
    """
    posting = plain_posting(raw.fields, raw.default_id)  # nearly all
    return (posting, raw.changes) if posting is not None else build_any_posting(raw)


def build_any_posting(raw: RawPosting) -> tuple[Posting, list[str]]:
    """Return what `build_posting` does, whatever the fields are.

    Raises
    ------
    PostingError
        As `build_posting`.

    Examples
    --------
    >>> build_any_posting(RawPosting({"title": "Cook", "featured": "x"}, 1, "a.md"))[1]
    ["featured 'x' is no whole number: read as 0"]
    """
    changes = list(raw.changes)
    values: dict[str, Any] = {}
    exact = parse_exact_fields(raw.fields.get(EXACT_FIELD))
    if exact is None:
        written = under_our_names(raw.fields)
    else:  # what was written by `matcher.sources.writers` says which field is which
        written = {key: value for key, value in raw.fields.items() if key != EXACT_FIELD}
    others, extra = _sort_out(written, values)
    for key in others:
        name, value = _NAMES[key], written[key]
        if value is None or value == "":
            continue
        read: _Reader = _READERS.get(name, _read_text)
        coerced = read(key, value, changes)
        if coerced is not None:
            values[name] = coerced
        if coerced is None or (name == "pay" and not _is_whole(value)):
            extra[free_name(f"{key}AsWritten", extra)] = value
    if "pay" not in values:
        _read_salary(written, values, changes)
    posting_id = values.pop("id", "") or values.get("url", "") or raw.default_id
    if extra:
        _check_json(extra, 0)  # before anything walks down into it
    posting = Posting(id=posting_id, **values, extra=extra)
    if exact is not None:
        posting = exact.apply(posting)
        _check_json(posting.extra, 0)
    if len(posting.id) > LONGEST_ID:
        raise PostingError(f"the id has {len(posting.id):,} characters: at most {LONGEST_ID:,} are read")
    if exact is None and not (posting.title or posting.summary or posting.body):
        raise PostingError("title, summary and body are all empty: there is nothing to match")
    return posting, changes


def _sort_out(written: Mapping[str, Any], values: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Put the plain texts into `values`; return the other known fields in their order, and unknown ones."""
    others, extra = [], {}
    for key, value in written.items():
        name = _TEXTS.get(key)
        if name and type(value) is str:
            values[name] = value.strip()
        elif key in _NAMES:
            others.append(key)
        else:
            extra[key] = value
    return sorted(others, key=_PLACES.__getitem__), extra


def _quote(value: Any) -> str:
    shortener = reprlib.Repr()
    shortener.maxstring = shortener.maxother = 60
    return shortener.repr(value)


def _read_text(key: str, value: Any, changes: list[str]) -> str:
    if isinstance(value, (dict, list)):
        raise PostingError(f"{key} must be text, got {type(value).__name__}")
    if not isinstance(value, str):
        changes.append(f"{key} {_quote(value)} read as text")
        value = str(value)
    return str(value.strip())


def _read_hashtags(key: str, value: Any, changes: list[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(split_hashtags(value))
    if not isinstance(value, list) or not all(isinstance(tag, (str, int)) for tag in value):
        raise PostingError(f"{key} must be text or a list of texts, got {_quote(value)}")
    del changes
    return tuple(map(str, value))


def _read_timestamp(key: str, value: Any, changes: list[str]) -> datetime | None:
    moment = parse_timestamp(value)
    if moment is None:
        changes.append(f"{key} {_quote(value)} is no date: left empty")
    return moment


def _is_whole(pay: Any) -> bool:
    """Return whether a `Pay` holds all that was written; texts often say more than it can."""
    return isinstance(pay, (int, float)) or is_pay_record(pay)


def _read_salary(raw: Mapping[str, Any], values: dict[str, Any], changes: list[str]) -> None:
    """Read pay from a field of another name, which stays among the unknown ones as it was written."""
    for key in SALARY_FIELDS:
        value = raw.get(key)
        if value is None or value == "":
            continue
        pay = parse_pay(value)
        if pay is not None:
            values["pay"] = pay
            return
        if not isinstance(value, str):
            changes.append(f"{key} {_quote(value)} is no certain amount: no pay is read from it")


def _read_pay(key: str, value: Any, changes: list[str]) -> Pay | None:
    pay = parse_pay(value)
    if pay is None:
        changes.append(f"{key} {_quote(value)} is no certain amount: kept as {key}AsWritten")
    return pay


def _read_featured(key: str, value: Any, changes: list[str]) -> int | None:
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, str):
            return int(value)
    except ValueError:
        pass
    changes.append(f"{key} {_quote(value)} is no whole number: read as 0")
    return None


def _check_json(value: Any, depth: int) -> None:
    if depth > DEEPEST_VALUE:
        raise PostingError(f"a field is nested more than {DEEPEST_VALUE} levels deep: flatten it")
    if isinstance(value, float) and not math.isfinite(value):
        raise PostingError(f"{value!r} is not a JSON number")
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    for child in children:
        _check_json(child, depth + 1)


_NAMES: Final = {key: name for name, key in RECORD_NAMES.items()}
_READERS: Final[Mapping[str, _Reader]] = {
    "hashtags": _read_hashtags,
    "posted": _read_timestamp,
    "valid_through": _read_timestamp,
    "pay": _read_pay,
    "featured": _read_featured,
}
_TEXTS: Final = {key: name for key, name in _NAMES.items() if name not in _READERS}
_PLACES: Final = {key: place for place, key in enumerate(_NAMES)}
