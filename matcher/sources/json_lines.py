"""JSON Lines: one posting a line, with the field names of the front matter, ``body``, and perhaps ``id``."""

from __future__ import annotations

import json
import reprlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

from matcher.errors import PostingError
from matcher.mojibake import is_suspicious, may_be_suspicious
from matcher.sources.entry import LARGEST_POSTING, RawPosting
from matcher.sources.fast_json import IS_FAST, names_in, read_block
from matcher.text import decode, repair

__all__: Final = ["parse_object", "read_json_lines", "repair_strings"]

LONGEST_LINE: Final = 32 << 20
"""Bytes of one line that are passed over before the rest of the file is left: no export has such a line."""

_BLOCK: Final = 1 << 17
"""Bytes that are read at once."""

MOST_BLANK: Final = 200_000
"""Blank lines after each other before the rest of the file is left."""


def read_json_lines(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    """Yield a posting, or what is wrong with it, for each line that is not blank.

    Parameters
    ----------
    stream : binary file
    name : str
        Path of the file; a posting without id and url gets ``name:line``.

    Yields
    ------
    RawPosting or PostingError

    Examples
    --------
    >>> import io
    >>> for entry in read_json_lines(io.BytesIO(b'{"title": "Cook"}\\n{"title": "Cook",}\\n'), "jobs.jsonl"):
    ...     print(entry.default_id if isinstance(entry, RawPosting) else entry)
    jobs.jsonl:1
    2: not valid JSON (...)
    """
    number = filled = 0
    for block, rows in _blocks(stream):
        start = end = 0
        for fields, names, end in rows:
            number += 1
            if end - start > LARGEST_POSTING:
                reason = f"line of more than {LARGEST_POSTING:,} bytes: not a posting"
                line = block[start:end]
                size, filled = len(line), number
                while line and not line.endswith(b"\n") and size <= LONGEST_LINE:
                    line = stream.readline(LARGEST_POSTING + 1)
                    size += len(line)
                if size > LONGEST_LINE:
                    yield PostingError(f"{reason}, and the rest of the file is not read", line=number)
                    return
                yield PostingError(reason, line=number)
            elif fields is not None and names == len(fields) > 0:  # nearly all
                filled = number
                yield RawPosting(fields, number, f"{name}:{number}", [])
            elif (entry := _read_line(block[start:end], fields, names, name, number)) is not None:
                filled = number
                yield entry
            elif number - filled > MOST_BLANK:
                yield PostingError(
                    f"more than {MOST_BLANK:,} blank lines: the rest of the file is not read", line=number
                )
                return
            start = end


def _read_line(
    line: bytes, fields: dict[str, Any] | None, names: int, name: str, number: int
) -> RawPosting | PostingError | None:
    """Return what a line holds, None when it is blank; fields and names are those of `read_block`."""
    if fields is not None and names and abs(names) == names_in(fields):
        raw = RawPosting(fields, number, f"{name}:{number}", [])
        return raw if names > 0 else _read_closer(raw, line)
    if line.strip(b" \t\r\n\xef\xbb\xbf"):
        return parse_object(line.rstrip(b"\r\n"), name, number)
    return None


def _blocks(stream: BinaryIO) -> Iterator[tuple[bytes, Iterable[tuple[dict[str, Any] | None, int, int]]]]:
    """Yield blocks of whole lines, and for each line what `read_block` gives.

    A line without its end is longer than `LARGEST_POSTING`, or the last: then the stream stands behind it.
    """
    read = getattr(stream, "read1", None)
    if read is None or not IS_FAST:
        while line := stream.readline(LARGEST_POSTING + 1):
            yield line, [(None, 0, len(line))]
        return
    begun = b""
    while block := read(_BLOCK):
        block = begun + block if begun else block
        end = block.rfind(b"\n") + 1
        whole, begun = block[:end], block[end:]
        if end:
            yield whole, read_block(whole)
        if len(begun) > LARGEST_POSTING:
            yield begun, [(None, 0, len(begun))]
            begun = b""
    if begun:
        fields, names, _ = next(iter(read_block(begun + b"\n")))
        yield begun, [(fields, names, len(begun))]


def parse_object(data: bytes, name: str, line: int) -> RawPosting | PostingError:
    """Return the fields of one JSON object, or what is wrong with it.

    Stricter than `json.loads`: a field that comes twice, a number that is none, and half a character
    are not read silently.

    Parameters
    ----------
    data : bytes
    name : str
        Path of the file; a posting without id and url gets ``name:line``.
    line : int
        Where the object starts in its file, from 1.

    Examples
    --------
    >>> parse_object(b'{"title": "Cook"}', "jobs.json", 7).default_id
    'jobs.json:7'
    >>> print(parse_object(b'{"title": "Cook", "title": "Chef"}', "jobs.json", 7))
    7: the field 'title' comes twice: remove one
    """
    try:
        decoded = decode(data)
        changes = [] if decoded.encoding == "utf-8" else [f"not UTF-8: read as {decoded.encoding}"]
        fields = _DECODER.decode(decoded.text)
        if not isinstance(fields, dict):
            raise PostingError('expected an object with fields, such as {"title": "Cook"}')
        return _repaired(RawPosting(fields, line, f"{name}:{line}", changes), decoded.text)
    except PostingError as error:
        return PostingError(error.reason, line=line)
    except RecursionError:
        return PostingError("JSON is nested too deep: flatten it", line=line)
    except ValueError as error:
        within = min(getattr(error, "lineno", 1) - 1, data.rstrip().count(b"\n"))
        return PostingError(f"not valid JSON ({error})", line=line + within)


def _read_closer(raw: RawPosting, line: bytes) -> RawPosting | PostingError:
    """Return what was read from a line of UTF-8, with its text repaired where that is broken."""
    if b"\\u" not in line and not may_be_suspicious(line):
        return raw
    try:
        return _repaired(raw, line.decode())
    except PostingError as error:
        return PostingError(error.reason, line=raw.line)


def _repaired(raw: RawPosting, text: str) -> RawPosting:
    # Only an escape hides characters from the search through the whole text.
    if "\\u" in text or is_suspicious(text):
        repaired = repair_strings(raw.fields)
        if repaired != raw.fields:
            raw.changes.append("wrongly decoded characters repaired")
        raw.fields = repaired
    return raw


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = Counter(names).most_common(1)[0][0]
        raise PostingError(f"the field {reprlib.repr(twice)} comes twice: remove one")
    return fields


def _refuse_constant(name: str) -> None:
    raise PostingError(f"{name} is not JSON: use null or a number")


def _parse_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise PostingError(f"{reprlib.repr(text)} is too large a number")
    return number


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique_fields, parse_constant=_refuse_constant, parse_float=_parse_float
)


def repair_strings(value: Any) -> Any:
    """Return a JSON value with every text in it repaired.

    Raises
    ------
    PostingError
        When two fields of an object become one by it.

    Examples
    --------
    >>> repair_strings({"title": ["What‚Äôs new"]})
    {'title': ['What’s new']}
    """
    if isinstance(value, str):
        # A lone surrogate (half of an escaped emoji) is no character: no file can hold it.
        return repair(value.encode("utf-8", "replace").decode("utf-8"))
    if isinstance(value, dict):
        return _unique_fields([(repair_strings(key), repair_strings(child)) for key, child in value.items()])
    if isinstance(value, list):
        return [repair_strings(child) for child in value]
    return value
