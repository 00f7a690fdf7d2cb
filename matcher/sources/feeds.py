"""Feeds: RSS, Atom, and lists of ``<job>`` elements as aggregators take them."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from html.entities import name2codepoint
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from matcher.errors import PostingError
from matcher.sources.entry import LARGEST_POSTING, RawPosting
from matcher.sources.markup import field_text
from matcher.sources.names import name_fields
from matcher.text import repair

__all__: Final = ["ITEMS", "read_feed"]

ITEMS: Final = frozenset(("item", "entry", "job", "position", "vacancy"))
"""Elements that are a posting."""

DEEPEST_ELEMENT: Final = 100
LONGEST_TOKEN: Final = 4 << 20
"""Bytes of one tag, comment or other piece of markup that is read before the feed is refused."""

_CHUNK: Final = 1 << 16
_NAMESPACE: Final = re.compile(r"\{[^}]*\}")
_HTML_ENTITY: Final = re.compile(rb"&([A-Za-z][A-Za-z0-9]{1,7});")
_XML_ENTITIES: Final = frozenset(("amp", "lt", "gt", "quot", "apos"))
_RENAMED: Final[Mapping[str, str]] = {
    "encoded": "body",
    "content": "body",
    "jobDescriptions": "body",
    "pubDate": "timestamp",
    "published": "timestamp",
    "issued": "timestamp",
    "guid": "id",
    "link": "url",
    "category": "hashtags",
    "subject": "hashtags",
}
_MARKUP: Final = frozenset(("body", "description", "summary", "title", "requirements"))
_SINGLE: Final = frozenset(("id", "url", "timestamp", "title"))
_REPAIRED: Final = "wrongly decoded characters repaired"
_SPARE: Final = ("date", "updated", "modified")


def read_feed(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    """Yield the postings of a feed, one after the other, as it is read.

    The id is ``guid`` or ``id``, else the link. Definitions of entities and other declarations are refused
    before anything is expanded. What is broken ends the reading; the postings before it are kept.

    Parameters
    ----------
    stream : binary file
    name : str
        Path of the feed; a posting without id and link gets ``name:line``.

    Yields
    ------
    RawPosting or PostingError

    Examples
    --------
    >>> import io
    >>> feed = b"<rss><channel><item><title>Cook</title><link>https://example.org</link></item><item>"
    >>> for entry in read_feed(io.BytesIO(feed), "jobs.rss"):
    ...     print(entry.fields if isinstance(entry, RawPosting) else entry)
    {'title': 'Cook', 'url': 'https://example.org'}
    1: not well-formed XML (no element found): the rest is not read
    """
    items = _Items(name)
    parser = DefusedXMLParser(target=items, forbid_dtd=True)
    items.position = lambda: parser.parser.CurrentLineNumber
    read = getattr(stream, "read1", stream.read)  # what can be read of a damaged file comes first
    since_item, tail = 0, b""
    try:
        while chunk := read(_CHUNK):
            chunk, tail = _split_entity(tail + chunk)
            items.events = 0
            parser.feed(_HTML_ENTITY.sub(_as_number, chunk))
            since_item = 0 if items.events else since_item + len(chunk)
            if since_item > LONGEST_TOKEN:
                raise PostingError("megabytes without one element: not a feed", line=items.line)
            yield from items.take()
        parser.feed(tail)
        parser.close()
        yield from items.take()
        if not items.found:
            yield PostingError("no postings in this file: no <item>, <entry> or <job>", line=1)
    except DefusedXmlException:
        yield from items.take()
        yield PostingError(
            "declarations and entities in XML are refused: remove the DOCTYPE", line=items.line
        )
    except ParseError as error:
        yield from items.take()
        reason = str(error).partition(":")[0]
        yield PostingError(f"not well-formed XML ({reason}): the rest is not read", line=error.position[0])
    except PostingError as error:
        yield from items.take()
        yield error
    except (LookupError, ValueError) as error:  # an encoding that is none
        yield from items.take()
        yield PostingError(f"cannot be read as XML ({error})", line=items.line)


def _split_entity(data: bytes) -> tuple[bytes, bytes]:
    start = data.rfind(b"&", -10)
    return (data, b"") if start < 0 or b";" in data[start:] else (data[:start], data[start:])


def _as_number(entity: re.Match[bytes]) -> bytes:
    """Return what HTML names as a number: XML knows five names only, careless feeds use them all."""
    word = entity[1].decode("ascii")
    code = name2codepoint.get(word)
    return entity[0] if code is None or word in _XML_ENTITIES else b"&#%d;" % code


class _Items:
    """Collects the elements within one posting; everything else is passed over."""

    def __init__(self, name: str) -> None:
        self.found = False
        self.events = 0
        self.position: Any = lambda: 1
        self._name = name
        self._ready: list[RawPosting | PostingError] = []
        self._depth = 0
        self._item_depth = 0
        self._line = 1
        self._size = 0
        self._fields: dict[str, list[str]] = {}
        self._field = ""
        self._field_depth = 0
        self._text: list[str] = []
        self._is_markup = False

    @property
    def line(self) -> int:
        return int(self.position())

    def take(self) -> list[RawPosting | PostingError]:
        ready, self._ready = self._ready, []
        return ready

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.events += 1
        self._depth += 1
        if self._depth > DEEPEST_ELEMENT:
            raise PostingError(f"elements are nested more than {DEEPEST_ELEMENT} deep", line=self.line)
        local = _NAMESPACE.sub("", tag)
        if not self._item_depth:
            if local.lower() in ITEMS:
                self.found = True
                self._item_depth, self._line, self._size, self._fields = self._depth, self.line, 0, {}
                for key, value in attributes.items():  # RDF names an item by an attribute
                    if _NAMESPACE.sub("", key) == "about":
                        self._add("id", value)
        elif not self._field:
            self._field, self._field_depth, self._text = local[:100], self._depth, []
            self._is_markup = attributes.get("type") == "xhtml"
            if local == "link" and attributes.get("href"):
                self._start_link(attributes)
            if local == "category" and attributes.get("term"):
                self._text.append(attributes["term"])
        elif self._is_markup:
            self._size += len(local)
            self._text.append(f"<{local}>" if self._size <= LARGEST_POSTING else "")
        elif self._text and not self._text[-1].isspace():
            self._text.append("\n" if self._field == "jobDescriptions" else " ")

    def _start_link(self, attributes: Mapping[str, str]) -> None:
        if attributes.get("rel", "alternate") == "alternate":
            self._text.append(attributes["href"])
        else:
            self._field = f"link {attributes.get('rel', '')[:50]}"
            self._text.append(attributes["href"])

    def data(self, text: str) -> None:
        self.events += 1
        if self._item_depth:
            self._size += len(text)
            if self._field and self._size <= LARGEST_POSTING:
                inside = self._is_markup and self._depth > self._field_depth
                self._text.append(html.escape(text) if inside else text)

    def end(self, tag: str) -> None:
        self.events += 1
        if self._item_depth and self._depth == self._item_depth:
            self._item_depth = 0
            self._ready.append(self._finish())
        elif self._field and self._depth == self._field_depth:
            self._add(self._field, "".join(self._text))
            self._field, self._text = "", []
        elif self._is_markup and self._field:
            self._text.append(f"</{_NAMESPACE.sub('', tag)}>" if self._size <= LARGEST_POSTING else "")
        self._depth -= 1

    def close(self) -> None:
        """Nothing is left to do at the end."""

    def _add(self, key: str, value: str) -> None:
        self._size += len(key)
        if value.strip() and self._size <= LARGEST_POSTING:
            self._fields.setdefault(key, []).append(value.strip())

    def _finish(self) -> RawPosting | PostingError:
        if self._size > LARGEST_POSTING:
            return PostingError(f"more than {LARGEST_POSTING:,} characters: not a posting", line=self._line)
        changes: list[str] = []
        fields: dict[str, Any] = {}
        for key, values in self._fields.items():
            fixed = [repair(value) for value in values]
            if fixed != values and _REPAIRED not in changes:
                changes.append(_REPAIRED)
            name = _RENAMED.get(key, key)
            if name in _SINGLE and len(set(fixed)) > 1:
                changes.append(f"{key} comes {len(fixed)} times: the first is read")
            if name in fields and name in _RENAMED.values():
                name = key
            fields[name] = fixed if name == "hashtags" else fixed[0] if name in _SINGLE else ", ".join(fixed)
        if not fields.get("timestamp"):
            spare = next((key for key in _SPARE if key in fields), None)
            if spare:
                fields["timestamp"] = fields.pop(spare)
        try:
            for key in _MARKUP & fields.keys():
                fields[key] = field_text(fields[key])
        except PostingError as error:
            return PostingError(error.reason, line=self._line)
        if "body" in fields and "description" in fields:  # the first is the whole, the second its start
            fields.setdefault("summary", fields.pop("description"))
        named = name_fields(fields)
        if not named.get("title") and named.get("name"):
            named["title"] = named.pop("name")
        return RawPosting(named, self._line, f"{self._name}:{self._line}", changes)
