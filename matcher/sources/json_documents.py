"""JSON documents: a list of postings, the answer of a board's interface, or one posting; of any size."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Mapping
from typing import Any, BinaryIO, Final, NamedTuple

from matcher.errors import PostingError
from matcher.sources.entry import LARGEST_POSTING, RawPosting
from matcher.sources.json_lines import parse_object
from matcher.sources.json_scanner import JsonScanner, Value
from matcher.sources.names import rename_entry
from matcher.sources.shapes import read_record

__all__: Final = ["LISTS", "read_json_documents"]

LISTS: Final = frozenset(
    ("jobs", "results", "postings", "data", "items", "jobPostings", "@graph", "itemListElement")
)
"""Names under which a document may hold its list of postings."""

_FRAMES: Final = LISTS | {"response", "result"}
"""Names under which a document may hold an object with that list."""

_NOT_JSON: Final = "not JSON: expected a list of postings, or an object"


def read_json_documents(
    stream: BinaryIO, name: str, columns: Mapping[str, str] | None = None
) -> Iterator[RawPosting | PostingError]:
    """Yield the postings of a JSON document, or of several after each other.

    A document is a list of objects, an object with such a list under one of the names in `LISTS` (also one
    level down, as in ``{"data": {"jobs": []}}``), or one posting. It is read piece by piece: what is broken,
    or larger than a posting may be, is rejected with its line, and the rest goes on. What each object is,
    `matcher.sources.shapes` decides.

    Parameters
    ----------
    stream : binary file
        UTF-8 or Windows-1252.
    name : str
        Path of the file; a posting without id and url gets ``name:line``.
    columns : mapping of str to str, optional
        Name of a field in the document -> name of a field of a posting.

    Yields
    ------
    RawPosting or PostingError

    Examples
    --------
    >>> import io
    >>> document = b'{"meta": {"total": 2}, "jobs": [{"title": "Cook"},\\n {"title": }, {"title": "Bak'
    >>> for entry in read_json_documents(io.BytesIO(document), "jobs.json"):
    ...     print(entry.fields if isinstance(entry, RawPosting) else entry)
    {'title': 'Cook'}
    2: not valid JSON (Expecting value: line 1 column 11 (char 10))
    2: the file is cut off within this posting
    """
    scanner = JsonScanner(stream)
    frame = _Frame(name, columns or {})
    is_empty = True
    try:
        while sign := scanner.next_sign():
            is_empty = False
            if sign == b"[":
                yield from _read_list(scanner, frame, {})
            elif sign == b"{":
                yield from _read_object(scanner, frame)
            else:
                raise PostingError(_NOT_JSON, line=scanner.line)
    except PostingError as error:
        is_empty = False
        yield error
    if is_empty:
        yield PostingError("the file is empty", line=1)


class _Frame(NamedTuple):
    name: str
    columns: Mapping[str, str]


def _read_list(
    scanner: JsonScanner, frame: _Frame, around: dict[str, Any]
) -> Iterator[RawPosting | PostingError]:
    scanner.skip()
    expects_value = True
    after_comma = False
    while (sign := scanner.next_sign()) != b"]":
        line = scanner.line
        if not sign:
            raise PostingError("the file is cut off: the list of postings does not end", line=line)
        if sign in b"}:":
            raise PostingError(f"a {sign.decode()!r} out of place: the rest is not read", line=line)
        if sign == b",":
            scanner.skip()
            if expects_value:
                yield PostingError("a comma with no posting before it", line=line)
            expects_value = after_comma = True
            continue
        if not expects_value:
            yield PostingError("a comma is missing before this posting", line=line)
        value = scanner.take_value()
        yield from _read_value(value, frame, around)
        expects_value, after_comma = value.data.endswith(b"\n"), False
    if after_comma:
        yield PostingError("a comma with no posting behind it: is the list whole?", line=scanner.line)
    scanner.skip()


def _without_others(entries: Iterator[RawPosting | PostingError]) -> Iterator[RawPosting | PostingError]:
    """Leave out the pages, organisations and other things that a graph holds beside its JobPosting."""
    line, found = 1, False
    for entry in entries:
        line = entry.line
        if isinstance(entry, PostingError) or "@type" not in entry.fields:
            found = True
            yield entry
    if not found:
        yield PostingError("no JobPosting in this graph", line=line)


def _read_value(value: Value, frame: _Frame, around: dict[str, Any]) -> Iterator[RawPosting | PostingError]:
    if not value.is_whole:
        raise PostingError("the file is cut off within this posting", line=value.line)
    if not value.data:
        yield PostingError(f"more than {LARGEST_POSTING:,} bytes: not a posting", line=value.line)
        return
    entry = parse_object(value.data, frame.name, value.line)
    if isinstance(entry, PostingError):
        yield entry
    else:
        yield from read_record(rename_entry(entry, frame.columns) if frame.columns else entry, around)


def _read_object(scanner: JsonScanner, frame: _Frame) -> Iterator[RawPosting | PostingError]:
    start = scanner.line
    scanner.skip()
    kept = _Kept(start)
    if (yield from _read_members(scanner, frame, kept, start, may_nest=True)):
        return
    if kept.is_large:
        yield PostingError(f"more than {LARGEST_POSTING:,} bytes and no list of postings", line=start)
    else:
        yield from _read_value(Value(kept.whole(), start, is_whole=True), frame, {})


def _read_members(
    scanner: JsonScanner, frame: _Frame, kept: _Kept, start: int, *, may_nest: bool
) -> Generator[RawPosting | PostingError, None, bool]:
    """Yield the postings in the list of an object, keep everything else; return whether there was one."""
    has_list = False
    while (sign := scanner.next_sign()) != b"}":
        if not sign:
            raise PostingError("the file is cut off within this object", line=start)
        value = scanner.take_value()
        if not value.is_whole:
            raise PostingError("the file is cut off within this object", line=start)
        if sign == b'"' and scanner.next_sign() == b":" and (key := _text_of(value.data)) in _FRAMES:
            around = kept.members()
            kept.add(value.data, value.line)
            kept.add(b":", scanner.line)
            scanner.skip()
            inner = scanner.next_sign()
            if key in LISTS and scanner.lists_objects():
                if has_list:
                    yield PostingError("a second list of postings in one object", line=scanner.line)
                entries = _read_list(scanner, frame, around)
                yield from _without_others(entries) if b"@graph" in value.data else entries
                kept.add(b"[]", scanner.line)
                has_list = True
            elif may_nest and inner == b"{":
                kept.add(b"{", scanner.line)
                scanner.skip()
                found = yield from _read_members(scanner, frame, kept, start, may_nest=False)
                kept.add(b"}", scanner.line)
                has_list = has_list or found
        else:
            kept.add(value.data, value.line)
    scanner.skip()
    return has_list


class _Kept:
    """What was read of an object that may be a posting, or the frame around a list of them."""

    def __init__(self, line: int) -> None:
        self.is_large = False
        self._parts = [b"{"]
        self._size = 1
        self._line = line

    def add(self, data: bytes, line: int) -> None:
        self._size += len(data) + line - self._line
        self.is_large = self.is_large or not data or self._size > LARGEST_POSTING
        if self.is_large:
            self._parts = []
        else:
            self._parts += [b"\n" * (line - self._line), data]  # so that lines can be told
            self._line = line + data.count(b"\n")

    def whole(self) -> bytes:
        return b"".join([*self._parts, b"}"])

    def members(self) -> dict[str, Any]:
        """Return the fields so far, such as the name of the company; nothing when in doubt."""
        entry = parse_object(b"".join(self._parts).rstrip(b", \n") + b"}", "", 1)
        return dict(entry.fields) if isinstance(entry, RawPosting) else {}


def _text_of(key: bytes) -> str:
    try:
        text = json.loads(key)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""
