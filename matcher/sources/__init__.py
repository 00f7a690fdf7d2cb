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
from matcher.sources.names import check_columns, rename_entry
from matcher.sources.reader import PostingReader, Source
from matcher.sources.recognition import holds_feed, holds_json_postings
from matcher.sources.report import Change, ReadReport, Rejected

__all__: Final = ["SOURCES", "Change", "PostingReader", "ReadReport", "Rejected", "read_postings"]


_Entries = Iterator[RawPosting | PostingError]
_Columns = Mapping[str, str]
_NO_COLUMNS: Final[_Columns] = {}


def _read_markdown(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.markdown import read_markdown

    return _renamed(read_markdown(stream, name), columns)


def _split_markdown(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.markdown import split_stream

    return _renamed(split_stream(stream, name), columns)


def _read_json_lines(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.json_lines import read_json_lines
    from matcher.sources.shapes import read_records

    return read_records(_renamed(read_json_lines(stream, name), columns))


def _read_json(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.json_documents import read_json_documents

    return read_json_documents(stream, name, columns)


def _read_csv(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.tables import read_table

    return read_table(stream, name, columns)


def _read_feed(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.feeds import read_feed

    return _renamed(read_feed(stream, name), columns)


def _read_html(stream: BinaryIO, name: str, columns: _Columns = _NO_COLUMNS) -> _Entries:
    from matcher.sources.job_posting_json_ld import read_html_page

    return _renamed(read_html_page(stream, name), columns)


def _renamed(entries: _Entries, columns: _Columns) -> _Entries:
    if not columns:
        return entries
    return (rename_entry(entry, columns) if isinstance(entry, RawPosting) else entry for entry in entries)


SOURCES: Final[Mapping[str, Source]] = {
    "markdown": Source("markdown", (".md", ".markdown"), _read_markdown, _split_markdown),
    "json lines": Source("json lines", (".jsonl", ".ndjson"), _read_json_lines),
    "json": Source("json", (".json",), _read_json, holds_postings=holds_json_postings),
    "csv": Source("csv", (".csv", ".tsv"), _read_csv),
    "feed": Source("feed", (".xml", ".rss", ".atom"), _read_feed, holds_postings=holds_feed),
    "html": Source("html", (".html", ".htm"), _read_html),
}
"""Every format by name."""


def read_postings(
    *origins: str | os.PathLike[str] | BinaryIO,
    columns: Mapping[str, str] | None = None,
    strict: bool = False,
) -> PostingReader:
    """Read postings from folders, files and streams.

    Parameters
    ----------
    *origins : path-like or binary file
        A folder is read with all folders below it. A file is read by its ending (`SOURCES`; compressed when
        ``.gz`` follows), an open file by what it starts with.
    columns : mapping of str to str, optional
        Name of a column or field in the source -> name of a field, as in ``{"Stelle": "title"}``. What it
        does not name is known by its own name.
    strict : bool
        Raise at the first posting that cannot be read, or whose id was read before, instead of counting it.

    Returns
    -------
    PostingReader
        An iterator of `Posting`. Its `report` says what was rejected (file, line, reason), repaired or
        changed, once it has been read to the end.

    Raises
    ------
    OptionError
        When `columns` names a field that no posting has.
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
    return PostingReader(origins, SOURCES, build_posting, columns=check_columns(columns), strict=strict)
