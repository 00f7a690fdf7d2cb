"""Writers: postings as text that reads back as exactly the same postings. One row a format in `WRITERS`.

Each posting is written the plain way, read back at once, and what did not come back the same goes into the
field of `matcher.sources.exact`. So the promise holds for every posting, or writing raises.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from matcher.errors import PostingError
from matcher.money import write_number
from matcher.posting import RECORD_NAMES, Posting
from matcher.sources.entry import RawPosting
from matcher.sources.exact import EXACT_FIELD, ExactFields, exact_fields, to_json
from matcher.sources.fields import build_posting
from matcher.sources.json_lines import read_json_lines
from matcher.sources.markdown import read_markdown
from matcher.sources.shapes import read_records

__all__: Final = ["WRITERS", "Writer", "write_json_line", "write_markdown"]

_Record = Mapping[str, Any]
_Read = Callable[[BinaryIO, str], Iterator[RawPosting | PostingError]]

_PLAIN_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_KNOWN_KEYS: Final = frozenset(RECORD_NAMES.values())
_NO_KEYS: Final = frozenset(("null", "true", "false", "yes", "no", "on", "off", "y", "n"))


@dataclass(frozen=True, slots=True)
class Writer:
    """One format postings are written in.

    Parameters
    ----------
    name : str
    suffix : str
        Ending of its files.
    write : callable
        ``Posting -> bytes``, which can follow each other in one file.

    Examples
    --------
    >>> WRITERS["jsonl"].write(Posting(id="1", title="Cook"))
    b'{"id": "1", "title": "Cook"}\\n'
    """

    name: str
    suffix: str
    write: Callable[[Posting], bytes]


def write_markdown(posting: Posting) -> bytes:
    """Return a posting as front matter and body.

    Raises
    ------
    PostingError
        When a field is no JSON value, or more than is read: 64 KiB of front matter, 1 MiB in all.

    Examples
    --------
    >>> print(write_markdown(Posting(id="1", title="Cook: days", hashtags=["sql"], body="Bake.")).decode())
    ---
    id: "1"
    title: "Cook: days"
    hashtags: ["sql"]
    ---
    <BLANKLINE>
    Bake.
    <BLANKLINE>
    <BLANKLINE>
    """
    return _write(posting, _render_markdown, read_markdown)


def write_json_line(posting: Posting) -> bytes:
    """Return a posting as one line of JSON.

    Raises
    ------
    PostingError
        When a field is no JSON value, or the line more than 1 MiB.

    Examples
    --------
    >>> write_json_line(Posting(id="1", title=" Cook"))
    b'{"id": "1", "exactFields": "{\\\\"set\\\\": {\\\\"title\\\\": \\\\" Cook\\\\"}}"}\\n'
    """
    return _write(posting, _render_json, _read_json)


def _write(posting: Posting, render: Callable[[_Record], bytes], read: _Read) -> bytes:
    record = posting.to_record()
    wanted = to_json(record)
    for kept in _plainer(record):
        data = render(kept)
        found = _read_back(data, read)
        if found is None:
            continue
        if to_json(found.to_record()) == wanted:
            return data
        exact = exact_fields(posting, found)
        plain = {key: value for key, value in kept.items() if key not in exact.values}
        data = render(plain | {EXACT_FIELD: exact.to_text()})
        found = _read_back(data, read)
        if found is not None and to_json(found.to_record()) == wanted:
            return data
    data = render({EXACT_FIELD: ExactFields(record, ()).to_text()})
    found = _read_back(data, read)
    if found is None or to_json(found.to_record()) != wanted:
        raise PostingError(f"posting {posting.id[:80]!r}: larger or nested deeper than what is read")
    return data


def _plainer(record: _Record) -> Iterator[_Record]:
    """Yield a record with ever fewer fields, until it can be read; the others go elsewhere."""
    # Front matter is refused as a whole when one field of a board is nested too deep for it.
    flat = {key: value for key, value in record.items() if not _is_nested(value)}
    known = {key: value for key, value in flat.items() if key in _KNOWN_KEYS}
    for kept in (record, flat, known):
        if kept is record or len(kept) < len(record):
            yield kept
        # A body can look like the start of another posting; then it goes where nothing is looked for.
        if "body" in kept:
            yield {key: value for key, value in kept.items() if key != "body"}


def _is_nested(value: Any) -> bool:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(isinstance(part, (dict, list)) for part in parts)


def _read_back(data: bytes, read: _Read) -> Posting | None:
    entries = list(read(io.BytesIO(data), "written"))
    if len(entries) != 1 or isinstance(entries[0], PostingError):
        return None
    try:
        return build_posting(entries[0])[0]
    except PostingError:
        return None


def _read_json(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    return read_records(read_json_lines(stream, name))


def _render_json(record: _Record) -> bytes:
    return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _render_markdown(record: _Record) -> bytes:
    lines = [f"{_key(key)}: {_value(key, value)}" for key, value in record.items() if key != "body"]
    body = record.get("body", "")
    text = body if isinstance(body, str) else ""
    return "\n".join(["---", *lines, "---", "", text, "", ""]).encode()


def _key(key: str) -> str:
    return key if _PLAIN_KEY.match(key) and key.lower() not in _NO_KEYS else _quote(key)


def _value(key: str, value: Any) -> str:
    if key == "pay" and isinstance(value, dict):
        value = {
            name: write_number(part) if isinstance(part, float) else part for name, part in value.items()
        }
    if isinstance(value, list):
        return f"[{', '.join(_value('', item) for item in value)}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_quote(name)}: {_value('', part)}" for name, part in value.items()) + "}"
    # Numbers and the like are text in front matter; what is not known to be one goes into the exact field.
    return _quote(value) if isinstance(value, str) else json.dumps(value)


def _quote(text: str) -> str:
    """Return text as a double-quoted scalar of YAML, everything invisible escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    if quoted.isprintable():
        return quoted
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


WRITERS: Final[Mapping[str, Writer]] = {
    row.name: row
    for row in (Writer("markdown", ".md", write_markdown), Writer("jsonl", ".jsonl", write_json_line))
}
"""Every format that can be written, by the name it has on the command line."""
