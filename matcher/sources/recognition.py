"""Which format a stream or a file is in, by how it starts."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from matcher.errors import PostingError
from matcher.sources.compression import GZIP_START

__all__: Final = [
    "LOOK",
    "UTF_16",
    "Rejoined",
    "as_utf_8",
    "holds_feed",
    "holds_json_postings",
    "is_gzip",
    "json_kind",
    "names_columns",
    "needs_second_line",
    "recognise",
]

LOOK: Final = 1 << 16
"""Bytes of a file that are looked at."""

_LONGEST_FIRST: Final = 2_000
"""Bytes in the first line of JSON that is spread over lines; a longer one is a line of JSON Lines."""

_NO_COLUMNS: Final[Mapping[str, str]] = {}
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
UTF_16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LIST: Final = rb'"(?:jobs|results|postings|data|items|jobPostings|@graph|itemListElement)"\s*:\s*\['
_STARTS_LIST: Final = re.compile(rb"\s*\{.*?" + _LIST, re.DOTALL)
_POSTING: Final = re.compile(
    rb'"(?:title|summary|body|text|categories|position|job[_ ]?title)"\s*:|JobPosting\b|' + _LIST,
    re.IGNORECASE,
)
_TEXTS: Final = frozenset(("body", "summary", "text"))  # a frame may have a description
_FEED: Final = re.compile(
    rb"<(?:\w{1,20}:)?(?:rss|feed|RDF|source|jobs?|positions?|vacanc(?:y|ies)|channel|item)\b|<!DOCTYPE|<!ENTITY",
    re.IGNORECASE,
)
_HTML: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.{0,2000}?-->\s*)?<(?:!DOCTYPE\s+html|html)\b", re.I | re.DOTALL
)


class Rejoined(io.RawIOBase):
    """A stream with the bytes that were looked at first put back in front.

    Examples
    --------
    >>> Rejoined(b"jo", io.BytesIO(b"bs")).readall()
    b'jobs'
    """

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._read = getattr(rest, "read1", rest.read)

    def readable(self) -> bool:
        """Return True.

        Examples
        --------
        >>> Rejoined(b"", io.BytesIO()).readable()
        True
        """
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer; 0 at the end.

        Examples
        --------
        >>> Rejoined(b"jo", io.BytesIO(b"bs")).readinto(bytearray(9))
        2
        """
        data = self._start[: len(buffer)] or self._read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


class _Utf8(io.RawIOBase):
    """UTF-16 as UTF-8."""

    def __init__(self, stream: BinaryIO) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-16")("replace")
        self._stream = stream
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._ready:
            chunk = self._stream.read(LOOK)
            self._ready = self._decoder.decode(chunk, final=not chunk).encode("utf-8", "replace")
            if not chunk:
                break
        data, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def as_utf_8(start: bytes, stream: BinaryIO) -> BinaryIO:
    """Return a stream of UTF-16, whose first bytes were read already, from its start as UTF-8.

    Examples
    --------
    >>> text = "Köchin".encode("utf-16")
    >>> as_utf_8(text[:4], io.BytesIO(text[4:])).read().decode()
    'Köchin'
    """
    return io.BufferedReader(_Utf8(io.BufferedReader(Rejoined(start, stream))))


def is_gzip(start: bytes) -> bool:
    r"""Return whether a file is compressed.

    Examples
    --------
    >>> is_gzip(b"\x1f\x8b\x08")
    True
    """
    return start.startswith(GZIP_START)


def holds_json_postings(start: bytes) -> bool:
    """Return whether a JSON file names something that a posting has, or is empty.

    Examples
    --------
    >>> [holds_json_postings(start) for start in (b'{"title": "Cook"}', b'{"name": "app"}', b"")]
    [True, False, True]
    """
    if not start.strip(_BLANK) or b"\0" in start or b"JobPosting" in start:
        return True
    try:
        value = json.loads(start.strip(_BLANK))
    except RecursionError:
        return True
    except ValueError:  # longer than what was looked at, lines of JSON, or broken
        return bool(_POSTING.search(start))
    records = value if isinstance(value, list) else [value]
    record = next((record for record in records if isinstance(record, dict)), {})
    return any(_POSTING.match(b'"%s":[' % key.encode("utf-8", "replace")) for key in record)


def holds_feed(start: bytes) -> bool:
    """Return whether an XML file is a feed, is empty, or is not to be trusted.

    Examples
    --------
    >>> [holds_feed(start) for start in (b"<rss>", b"<project>", b"<!DOCTYPE x []>")]
    [True, False, True]
    """
    return not start.strip(_BLANK) or b"\0" in start or bool(_FEED.search(start))


def json_kind(first: bytes, second: bytes, otherwise: str = "json lines") -> str:
    r"""Return ``"json lines"`` or ``"json"`` by the first two lines that are not blank.

    Examples
    --------
    >>> [json_kind(first, b'"title": "Cook"') for first in (b'{"title": "Cook"}', b"{", b'{"jobs": [')]
    ['json lines', 'json', 'json']
    """
    first, second = first.strip(_BLANK), second.strip(_BLANK)
    if first.startswith(b"["):
        return "json"
    try:
        value = json.loads(first)
    except (ValueError, RecursionError):
        if second.startswith(b"{") and first.endswith(b"}"):
            return "json lines"
        if _STARTS_LIST.match(first):
            return "json"
        if second.startswith(b"{"):
            return "json lines"
        is_open = second.startswith((b'"', b"}")) or first.endswith((b"{", b"[", b",", b":"))
        return "json" if is_open and len(first) < _LONGEST_FIRST else otherwise
    holds_list = isinstance(value, dict) and _STARTS_LIST.match(first) and not _TEXTS.intersection(value)
    is_posting = holds_list and "title" in value and "version" not in value  # a JSON feed has both
    return "json" if holds_list and not is_posting else "json lines"


def needs_second_line(first: bytes) -> bool:
    """Return whether the first line alone does not tell the format.

    Examples
    --------
    >>> needs_second_line(b'{"title": "Cook"}'), needs_second_line(b"{")
    (False, True)
    """
    start = first.strip(_BLANK)
    if start.startswith(b"{"):
        try:
            json.loads(start)
        except (ValueError, RecursionError):
            return True
    return start.startswith((b"<?xml", b"<!--"))


def recognise(first: bytes, second: bytes, columns: Mapping[str, str] = _NO_COLUMNS) -> str:
    """Return the name of the format that starts with these two lines.

    Parameters
    ----------
    first, second : bytes
    columns : mapping of str to str
        Name of a column -> name of a field, for tables whose columns have names of their own.

    Examples
    --------
    >>> [recognise(line, b"") for line in (b"---", b'{"title": "A"}', b"<rss>", b"<html>", b"title,company")]
    ['markdown', 'json lines', 'feed', 'html', 'csv']
    """
    start = first.lstrip(_BLANK)
    if start.startswith((b"{", b"[")):
        return json_kind(first, second)
    if start.startswith(b"<"):
        return (
            "html"
            if _HTML.match(start + second) or not (_FEED.search(start + second) or start[:5] == b"<?xml")
            else "feed"
        )
    if start.startswith(b"---"):
        return "markdown"
    return "csv" if _is_header(start, columns) else "markdown"


def names_columns(start: bytes, columns: Mapping[str, str]) -> bool:
    """Return whether JSON or XML holds a field with a name that was given by hand.

    Examples
    --------
    >>> names_columns(b'{"Stelle": "Koch"}', {"Stelle": "title"})
    True
    """
    return any(
        sign % column.encode("utf-8", "replace") in start for column in columns for sign in (b'"%s"', b"<%s")
    )


def _is_header(line: bytes, columns: Mapping[str, str]) -> bool:
    from matcher.sources.names import names_text
    from matcher.text import decode

    try:
        text = decode(line).text.strip()
    except PostingError:
        text = line.decode("utf-8", "replace").strip()
    if text.lower().startswith("sep=") and len(text) <= 5:
        return True
    rows = ([cell.strip().strip('"').strip() for cell in text.split(sign)] for sign in ",;\t|")
    return any(len(row) > 1 and names_text(tuple(columns.get(cell, cell) for cell in row)) for row in rows)
