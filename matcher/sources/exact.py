"""A field that says exactly what another would be read differently: how any posting survives any format.

Reading repairs, trims and coerces; front matter knows text alone. What would not come back the same is
written as JSON, in ASCII, into the field `EXACT_FIELD`: ``{"set": {field: value}, "drop": [fields]}``, by the
names of `Posting.to_record`. Reading applies it last. A field of that name that holds anything else is an
unknown field.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from matcher.errors import PostingError
from matcher.posting import Posting

__all__: Final = ["EXACT_FIELD", "ExactFields", "exact_fields", "parse_exact_fields", "to_json"]

EXACT_FIELD: Final = "exactFields"

_NOTHING: Final = object()


class ExactFields(NamedTuple):
    """What to change in a record that was read.

    Examples
    --------
    >>> ExactFields({"title": " Cook "}, ()).apply(Posting(id="1", title="Cook")).title
    ' Cook '
    """

    values: Mapping[str, Any]
    dropped: tuple[str, ...]

    def apply(self, posting: Posting) -> Posting:
        """Return the posting with these fields instead of those it was read with.

        Raises
        ------
        PostingError
            When that is no posting.

        Examples
        --------
        >>> ExactFields({}, ("location",)).apply(Posting(id="1", location="Bern")).location
        ''
        """
        kept = {key: value for key, value in posting.to_record().items() if key not in self.dropped}
        return Posting.from_record(kept | dict(self.values))

    def to_text(self) -> str:
        """Return the text that `parse_exact_fields` reads.

        Examples
        --------
        >>> ExactFields({"title": "Ä"}, ()).to_text()
        '{"set": {"title": "\\\\u00c4"}}'
        """
        parts: dict[str, Any] = {"set": dict(self.values)}
        if self.dropped:
            parts["drop"] = list(self.dropped)
        return json.dumps(parts, sort_keys=True, allow_nan=False)


def exact_fields(wanted: Posting, read: Posting) -> ExactFields:
    """Return what makes the posting that was read the one that was wanted.

    Examples
    --------
    >>> exact_fields(Posting(id="1", title=" Cook "), Posting(id="1", title="Cook", location="Bern"))
    ExactFields(values={'title': ' Cook '}, dropped=('location',))
    """
    record, found = wanted.to_record(), read.to_record()
    values = {
        key: value
        for key, value in record.items()
        if key not in found or to_json(found[key]) != to_json(value)
    }
    return ExactFields(values, tuple(sorted(found.keys() - record.keys())))


def parse_exact_fields(value: Any) -> ExactFields | None:
    """Return what the text of the field says, or None when it is something else.

    Examples
    --------
    >>> parse_exact_fields('{"set": {"pay": null}}'), parse_exact_fields("yes")
    (ExactFields(values={'pay': None}, dropped=()), None)
    """
    if not isinstance(value, str) or not value.startswith('{"') or not value.isascii():
        return None
    try:
        parts = json.loads(value, object_pairs_hook=_unique, parse_constant=_refuse)
        json.dumps(parts, ensure_ascii=False, allow_nan=False).encode()  # half a character is none
    except (ValueError, RecursionError):
        return None
    values, dropped = parts.pop("set", None), parts.pop("drop", [])
    if parts or not isinstance(values, dict) or not isinstance(dropped, list):
        return None
    return ExactFields(values, tuple(dropped)) if all(isinstance(key, str) for key in dropped) else None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError("a field comes twice")
    return fields


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def to_json(value: Any) -> str:
    """Return a JSON value as text; equal values, and no others, give equal texts.

    Raises
    ------
    PostingError
        When it is none, or would come back as another: a tuple, a key that is no text, half a character.

    Examples
    --------
    >>> to_json({"b": 1.0, "a": [True]})
    '{"a": [true], "b": 1.0}'
    >>> to_json((1, 2))
    Traceback (most recent call last):
    matcher.errors.PostingError: (1, 2) is not a JSON value
    """
    try:
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, allow_nan=False)
        text.encode()
        same = bool(json.loads(text) == value)
    except (TypeError, ValueError, RecursionError):
        same = False
    if not same:
        raise PostingError(f"{value!r:.80} is not a JSON value")
    return text
