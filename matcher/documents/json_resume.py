"""JSON Resume (https://jsonresume.org/schema) -> text, section by section, in the order people read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from matcher.documents.written import read_plain
from matcher.errors import ProfileError

__all__: Final = ["SECTIONS", "read_json_resume"]

# What an entry of a section tells, in this order. A name in brackets holds a list.
SECTIONS: Final = {
    "work": ("position name location description", "startDate endDate", "summary [highlights] [keywords]"),
    "volunteer": ("position organization", "startDate endDate", "summary [highlights]"),
    "education": ("studyType area institution", "startDate endDate score gpa", "[courses]"),
    "projects": ("name entity type", "startDate endDate", "description [roles] [highlights] [keywords]"),
    "skills": ("name level [keywords]",),
    "languages": ("language fluency",),
    "certificates": ("name issuer date",),
    "awards": ("title awarder date", "summary"),
    "publications": ("name publisher releaseDate", "summary"),
    "interests": ("name [keywords]",),
    "references": ("name", "reference"),
}
"""Sections of the schema beside ``basics``: for each entry, the fields of each line."""

_HEADING: Final = {"work": "Work experience", "volunteer": "Volunteering"}
_NO_SECTIONS: Final = frozenset({"basics", "meta", "$schema"})
_UNREAD: Final = frozenset(
    "url website image picture profiles address postalCode network username x-id id meta".split()
)
_DEEPEST: Final = 100


def read_json_resume(data: bytes) -> str:
    """Return a JSON Resume as text.

    Name, e-mail address and phone number stand at the top, where the rules for personal data expect them.
    Pictures, links and street addresses are left out. What the schema does not name comes last.

    Raises
    ------
    ProfileError
        When it is not JSON, or not a JSON Resume.

    Examples
    --------
    >>> print(read_json_resume(b'{"basics": {"label": "Nurse"}, "skills": [{"name": "ICU", "level": "5"}]}'))
    Nurse
    Skills
    ICU, 5
    """
    try:
        # Numbers stay as they are written: a year is no amount, and a huge one costs nothing.
        record = json.loads(read_plain(data), parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise ProfileError(f"is not valid JSON (line {error.lineno}, column {error.colno})") from None
    except RecursionError:
        raise ProfileError("is nested too deeply for a JSON Resume") from None
    if not isinstance(record, dict) or not ({"basics", *SECTIONS} & record.keys()):
        raise ProfileError(
            'is no JSON Resume: it needs an object with "basics", "work" or another section of '
            "https://jsonresume.org/schema"
        )
    # Half an escaped emoji is no character: no file could hold it.
    return "\n".join(_lines(record)).encode("utf-8", "replace").decode("utf-8")


def _lines(record: dict[str, Any]) -> Iterator[str]:
    basics = record.get("basics")
    if basics is not None:
        yield from _basics(basics)
    for section, lines in SECTIONS.items():
        yield from _section(section, record.get(section), lines)
    for section, entries in record.items():
        if section not in SECTIONS and section not in _NO_SECTIONS:
            yield from _section(section, entries, ())


def _section(section: str, entries: Any, lines: tuple[str, ...]) -> Iterator[str]:
    if not _text(entries):
        return
    yield _HEADING.get(section, section[:1].upper() + section[1:])
    for entry in entries if isinstance(entries, list) else [entries]:
        if isinstance(entry, dict):
            yield from _entry(entry, lines)
        else:
            yield from filter(None, [_text(entry)])


def _entry(entry: dict[str, Any], lines: tuple[str, ...]) -> Iterator[str]:
    for names in lines:
        yield from filter(None, [_line(entry, names)])
    named = {name.strip("[]") for names in lines for name in names.split()} | _UNREAD
    yield from filter(None, [_line(entry, [name for name in entry if name not in named])])


def _basics(basics: Any) -> Iterator[str]:
    if not isinstance(basics, dict):
        raise ProfileError('is no JSON Resume: "basics" must be an object')
    location = basics.get("location")
    if isinstance(location, dict):
        location = _line(location, "city region countryCode")
    yield from _entry(
        {**basics, "location": location}, ("name", "label", "email phone", "location", "summary")
    )


def _line(entry: dict[str, Any], names: str | list[str]) -> str:
    parts = []
    for name in names.split() if isinstance(names, str) else names:
        value = entry.get(name.strip("[]"))
        parts += [_text(part) for part in value] if isinstance(value, list) else [_text(value)]
    return ", ".join(filter(None, parts))


def _text(value: Any, depth: int = 0) -> str:
    """Return a value as text; people write lists and objects where the schema wants a text."""
    if isinstance(value, str):
        return value.strip()
    if depth > _DEEPEST or not isinstance(value, list | dict):
        return ""  # null, true and false say nothing
    inner = value.values() if isinstance(value, dict) else value
    return ", ".join(filter(None, (_text(part, depth + 1) for part in inner)))
