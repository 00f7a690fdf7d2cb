"""Tables as text: CSV, with commas, semicolons, tabs or bars, and a first row that names the columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from matcher.errors import PostingError
from matcher.sources.entry import LARGEST_POSTING, RawPosting
from matcher.sources.json_lines import LONGEST_LINE
from matcher.sources.markup import field_text
from matcher.sources.names import name_fields, names_text, rename_columns
from matcher.text import decode, repair

__all__: Final = ["DELIMITERS", "read_table"]

DELIMITERS: Final = (",", ";", "\t", "|")
MOST_COLUMNS: Final = 1_000
SHOWN_COLUMNS: Final = 5
"""Columns that are named when none of them is known."""
MOST_BLANK_ROWS: Final = 100_000
MOST_OPEN_QUOTES: Final = 20
"""Quotes that never end, in one file, before the rest is left: each costs another look at a megabyte."""


def read_table(
    stream: BinaryIO, name: str, columns: Mapping[str, str] | None = None
) -> Iterator[RawPosting | PostingError]:
    r"""Yield the postings in the rows of a table.

    The delimiter is that of `DELIMITERS` with which the first row names the most fields; a line ``sep=;``
    before it decides. Columns are known by `matcher.sources.names`, and by `columns` before that; others are
    kept.
    Quoted cells may hold line ends. A row with another number of cells than the first is rejected.

    Parameters
    ----------
    stream : binary file
    name : str
        Path of the file; a posting without id and url gets ``name:line``.
    columns : mapping of str to str, optional
        Name of a column -> name of a field.

    Yields
    ------
    RawPosting or PostingError

    Examples
    --------
    >>> import io
    >>> table = b'Job title;Employer;Shift\nCook;"Beck\n& Co";late\nNurse;Ward\n'
    >>> for entry in read_table(io.BytesIO(table), "jobs.csv"):
    ...     print(entry.fields if isinstance(entry, RawPosting) else entry)
    {'title': 'Cook', 'companyName': 'Beck\n& Co', 'Shift': 'late'}
    4: 2 cells, but the first row names 3 columns
    """
    columns = columns or {}
    if csv.field_size_limit() < LARGEST_POSTING:
        csv.field_size_limit(LARGEST_POSTING)  # only ever raised: the limit is that of the whole process
    lines = _Lines(stream)
    delimiter = ""
    try:
        head = lines.next_line()
        if _SEP.match(head):
            delimiter = head[4]
            head = lines.next_line()
        while head and not head.strip():
            head = lines.next_line()
    except _TooLargeError:
        yield PostingError(f"a first row of more than {LARGEST_POSTING:,} bytes: not a table", line=1)
        return
    lines.push_back()
    if not head:
        yield PostingError("the file is empty", line=1)
        return
    delimiter = delimiter or _find_delimiter(head, columns)
    rows = _rows(lines, delimiter)
    first = next(rows, None)
    if first is None or isinstance(first[0], PostingError):
        yield first[0] if first and isinstance(first[0], PostingError) else PostingError("no columns", line=1)
        return
    try:
        keys = _column_names(first[0], columns)
    except PostingError as error:
        yield PostingError(error.reason, line=first[1])
        return
    for cells, line, changes in rows:
        if isinstance(cells, PostingError):
            yield cells
        elif any(map(str.strip, cells)):
            yield _read_row(keys, cells, columns, RawPosting({}, line, f"{name}:{line}", changes))


def _find_delimiter(head: str, columns: Mapping[str, str]) -> str:
    def known(delimiter: str) -> tuple[int, int]:
        try:
            cells = next(csv.reader([head], delimiter=delimiter), [])
        except csv.Error:
            return 0, 0
        return _known_columns(cells, columns), len(cells)

    return max(DELIMITERS, key=known)


def _known_columns(cells: list[str], columns: Mapping[str, str]) -> int:
    return names_text(tuple(columns.get(cell.strip(), cell.strip()) for cell in cells))


def _column_names(cells: list[str], columns: Mapping[str, str]) -> list[str]:
    keys = [cell.strip() or f"column {number}" for number, cell in enumerate(cells, 1)]
    if len(keys) > MOST_COLUMNS:
        raise PostingError(f"{len(keys):,} columns: at most {MOST_COLUMNS:,} are read")
    if len(set(keys)) < len(keys):
        twice = next(key for number, key in enumerate(keys) if key in keys[:number])
        raise PostingError(f"two columns are named {twice[:60]!r}: rename one")
    if not _known_columns(keys, columns):
        raise PostingError(
            f"the first row names no column that is a title or a text (it has {_first(keys)}); "
            "say which one is, "
            'as columns={"Stelle": "title"} or --column "Stelle=title"'
        )
    return keys


def _first(keys: list[str]) -> str:
    shown = ", ".join(repr(key[:40]) for key in keys[:SHOWN_COLUMNS])
    return shown + (", ..." if len(keys) > SHOWN_COLUMNS else "")


def _read_row(
    keys: list[str], cells: list[str], columns: Mapping[str, str], row: RawPosting
) -> RawPosting | PostingError:
    while len(cells) > len(keys) and not cells[-1]:
        cells.pop()
    if len(cells) != len(keys):
        return PostingError(
            f"{len(cells):,} cells, but the first row names {len(keys):,} columns", line=row.line
        )
    written = {key: cell for key, cell in zip(keys, cells, strict=True) if cell}
    repaired = {key: repair(cell) for key, cell in written.items()}
    if repaired != written:
        row.changes.append("wrongly decoded characters repaired")
    fields: dict[str, Any] = name_fields(rename_columns(repaired, columns))
    try:
        if fields.get("body"):
            fields["body"] = field_text(fields["body"])
    except PostingError as error:
        return PostingError(error.reason, line=row.line)
    return RawPosting(fields, row.line, row.default_id, row.changes)


_SEP: Final = re.compile(r"sep=[,;\t|]\n?\Z", re.IGNORECASE)
_LONE_RETURN: Final = re.compile(rb"(?<=\r)(?!\n)")
_Row = tuple[list[str] | PostingError, int, list[str]]


def _rows(lines: _Lines, delimiter: str) -> Iterator[_Row]:
    """Yield the cells of each row, its line, and what was changed in it; or what is wrong with it."""
    open_quotes = blank_rows = 0
    while True:
        lines.begin_row()
        line = lines.number + 1
        try:
            cells = next(csv.reader(lines, delimiter=delimiter), None)
        except (_TooLargeError, csv.Error) as error:
            open_quotes += 1
            if isinstance(error, csv.Error):
                reason = f"not a row of a table ({error})"
            else:
                reason = f"a row of more than {LARGEST_POSTING:,} bytes: is a quote missing?"
            if open_quotes > MOST_OPEN_QUOTES or lines.is_left:
                yield PostingError(f"{reason} The rest of the file is not read", line=line), line, []
                return
            yield PostingError(reason, line=line), line, []
            lines.retry_behind_first()
            continue
        if cells is None:
            return
        blank_rows = 0 if any(cells) else blank_rows + 1
        if blank_rows > MOST_BLANK_ROWS:
            reason = f"more than {MOST_BLANK_ROWS:,} blank rows: the rest of the file is not read"
            yield PostingError(reason, line=line), line, []
            return
        if lines.problem:
            yield PostingError(lines.problem, line=line), line, []
        elif reason := lines.quote_problem(delimiter):
            open_quotes += 1
            if open_quotes > MOST_OPEN_QUOTES:
                yield PostingError(f"{reason}. The rest of the file is not read", line=line), line, []
                return
            yield PostingError(reason, line=line), line, []
            lines.retry_behind_first()
        else:
            yield cells, line, lines.changes


class _TooLargeError(Exception):
    pass


class _Lines(Iterator[str]):
    """The lines of a table as text, with those of the row that is being read kept."""

    def __init__(self, stream: BinaryIO) -> None:
        self.number = 0
        self.ended = False
        self.is_left = False
        self.problem = ""
        self.changes: list[str] = []
        self._stream = stream
        self._row: list[bytes] = []
        self._size = 0
        self._again: list[bytes] = []

    def __next__(self) -> str:
        line = self.next_line()
        if not line:
            self.ended = True
            raise StopIteration
        return line

    def next_line(self) -> str:
        line = self._again.pop() if self._again else self._stream.readline(LARGEST_POSTING + 1)
        if not line:
            return ""
        if b"\r" in line[:-2]:  # lines that end as they did on the first Macintosh
            parts = _LONE_RETURN.split(line)
            if len(line) > LARGEST_POSTING:
                parts[-1] += self._stream.readline(LARGEST_POSTING + 1)
            self._again += reversed([part for part in parts[1:] if part])
            line = parts[0]
        self.number += 1
        if self.number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        self._size += len(line)
        if self._size > LARGEST_POSTING:
            if len(line) > LARGEST_POSTING and not line.endswith(b"\n"):
                size = len(line)
                while size <= LONGEST_LINE and (rest := self._stream.readline(LARGEST_POSTING + 1)):
                    size += len(rest)  # of a line that is too long
                    if rest.endswith(b"\n"):
                        break
                self.is_left = size > LONGEST_LINE
                line += b"\n"
            self._row.append(line)
            raise _TooLargeError
        self._row.append(line)
        try:
            decoded = decode(line)
        except PostingError as error:
            self.problem = error.reason
            return line.replace(b"\0", b" ").decode("utf-8", "replace")
        if decoded.encoding != "utf-8":
            what = f"not UTF-8: read as {decoded.encoding}"
            if what not in self.changes:
                self.changes.append(what)
        return decoded.text

    def push_back(self) -> None:
        """Give the last line again."""
        if self._row:
            self._again.append(self._row.pop())
            self.number -= 1

    def begin_row(self) -> None:
        self._row, self._size, self.problem, self.changes = [], 0, "", []

    def retry_behind_first(self) -> None:
        """Give the lines behind the first of this row again: they may be rows of their own."""
        again = self._row[1:]
        self.number -= len(again)
        self._again += reversed(again)
        self.ended = False

    def quote_problem(self, delimiter: str) -> str:
        """Return what is wrong with the quotes of a row of several lines, or of the last one."""
        if len(self._row) <= 1 and not self.ended:  # it has swallowed no other row
            return ""
        text = b"".join(self._row).decode("utf-8", "replace")
        try:
            list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        except csv.Error as error:
            if "unexpected end" in str(error):
                return "a quote is not closed before the end of the file"
            if len(self._row) > 1:
                return "a quote may not be closed: there is text behind the one that ends a cell"
        return ""
