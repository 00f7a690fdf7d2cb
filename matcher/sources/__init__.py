"""Sources: where postings come from. One file a format, one row in `SOURCES`.

To add a format, write a module with a function ``(binary file, name) -> iterator of RawPosting or
PostingError`` and add its row. The format's library is imported inside the row's function, when a file of
that format is met.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final

from matcher.errors import PostingError
from matcher.sources.entry import RawPosting
from matcher.sources.fields import build_posting
from matcher.sources.reader import Change, PostingReader, ReadReport, Rejected, Source

__all__: Final = ["SOURCES", "Change", "PostingReader", "ReadReport", "Rejected", "read_postings"]


def _read_markdown(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    from matcher.sources.markdown import read_markdown

    return read_markdown(stream, name)


def _split_markdown(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    from matcher.sources.markdown import split_stream

    return split_stream(stream, name)


def _read_json_lines(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    from matcher.sources.json_lines import read_json_lines

    return read_json_lines(stream, name)


SOURCES: Final[Mapping[str, Source]] = {
    "markdown": Source("markdown", (".md", ".markdown"), _read_markdown, _split_markdown),
    "json lines": Source("json lines", (".jsonl", ".ndjson"), _read_json_lines, _read_json_lines),
}
"""Every format by name."""


def read_postings(*origins: str | os.PathLike[str] | BinaryIO, strict: bool = False) -> PostingReader:
    """Read postings from folders, files and streams.

    Parameters
    ----------
    *origins : path-like or binary file
        A folder is read with all folders below it. A file is read by its ending, an open file by what it
        starts with: JSON Lines, or Markdown postings one after the other.
    strict : bool
        Raise at the first posting that cannot be read, or whose id was read before, instead of counting it.

    Returns
    -------
    PostingReader
        An iterator of `Posting`. Its `report` says what was rejected (file, line, reason), repaired or
        changed, once it has been read to the end.

    Raises
    ------
    SourceError
        When a path does not exist or is of an unknown format.
    PostingError
        While iterating, only when `strict`.

    Examples
    --------
    >>> import io
    >>> reader = read_postings(io.BytesIO(b'{"title": "Cook", "id": "1"}\\n{"titel": "Nurse"}\\n'))
    >>> [posting.title for posting in reader]
    ['Cook']
    >>> print(reader.report.rejected[0])
    stream:2: title, summary and body are all empty: there is nothing to match
    """
    return PostingReader(origins, SOURCES, build_posting, strict=strict)
