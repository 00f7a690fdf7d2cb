"""From paths and streams to postings, one at a time, with an account of what was rejected or changed."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from matcher.errors import DuplicatePostingError, PostingError, SourceError
from matcher.posting import Posting
from matcher.sources.compression import Gzip, open_gzip
from matcher.sources.entry import RawPosting
from matcher.sources.files import display_name, name_of, open_regular, suffix_of, walk_files
from matcher.sources.recognition import (
    LOOK,
    UTF_16,
    Rejoined,
    as_utf_8,
    is_gzip,
    json_kind,
    names_columns,
    needs_second_line,
    recognise,
)
from matcher.sources.report import ReadReport, Rejected

__all__: Final = ["PostingReader", "Source"]

_Read = Callable[[BinaryIO, str, Mapping[str, str]], Iterator[RawPosting | PostingError]]
_GZIP: Final = ".gz"
_DECODES: Final = ("markdown", "feed", "html")
"""Formats whose readers know UTF-16 themselves."""
_ABOUT_THE_FOLDER: Final = re.compile(
    r"(?:README|CHANGELOG|LICEN[CS]E|CONTRIBUTING)(?:[._-][a-z]{2}){0,2}\.(?:md|markdown)", re.IGNORECASE
)
"""Names of files that tell people about a folder; without front matter they are no broken postings."""


@dataclass(frozen=True, slots=True)
class Source:
    """One format of postings.

    Parameters
    ----------
    name : str
    suffixes : tuple of str
        File name endings, lower case.
    read : callable
        ``(binary file, name, columns) -> iterator of RawPosting or PostingError`` for a file; `columns` names
        fields as `read_postings` takes them.
    read_stream : callable, optional
        The same for a stream, where one ends and the next begins.
    holds_postings : callable, optional
        ``first bytes -> bool``. A file in a folder that holds none is ignored, and counted as such.
    """

    name: str
    suffixes: tuple[str, ...]
    read: _Read
    read_stream: Callable[[BinaryIO, str, Mapping[str, str]], Iterator[RawPosting | PostingError]] | None = (
        None
    )
    holds_postings: Callable[[bytes], bool] | None = None


class PostingReader(Iterator[Posting]):
    """An iterator over postings that keeps account in `report`.

    Files are opened one after the other, in the order of their paths, and postings are passed on as they
    are read: memory does not grow with their number (except with ``strict=True``, which remembers ids).

    Parameters
    ----------
    origins : sequence of path-like or binary file
    sources : sequence of Source
    build : callable
        ``RawPosting -> (Posting, changes)``.
    columns : mapping of str to str
        Name of a field in the source -> name of a field of a posting.
    strict : bool
        Raise the first rejection, and refuse a second posting with the same id.
    """

    def __init__(
        self,
        origins: Iterable[Any],
        sources: Mapping[str, Source],
        build: Callable[[RawPosting], tuple[Posting, list[str]]],
        *,
        columns: Mapping[str, str],
        strict: bool,
    ) -> None:
        self.report = ReadReport()
        self._columns = columns
        self._strict = strict
        self._sources = sources
        self._by_suffix = {suffix: source for source in sources.values() for suffix in source.suffixes}
        self._build = build
        self._seen: dict[str, str] = {}
        self._origins = [self._check(origin) for origin in origins]
        self._postings = self._read()

    def __next__(self) -> Posting:
        return next(self._postings)

    def _check(self, origin: Any) -> Path | BinaryIO:
        if hasattr(origin, "read"):
            if isinstance(origin, io.TextIOBase):
                # Read through the bytes below it when there are any, so that memory stays bounded.
                buffer: BinaryIO | None = getattr(origin, "buffer", None)
                return buffer or io.BytesIO(origin.read().encode("utf-8", "replace"))
            return origin  # type: ignore[no-any-return]
        try:
            path = Path(origin)
            exists = path.exists()
        except TypeError:
            raise SourceError(f"expected a path or an open file, got {origin!r}") from None
        except (OSError, ValueError) as error:
            raise SourceError(f"{display_name(str(origin)[:200])}: cannot be opened ({error})") from None
        if not exists:
            raise SourceError(f"{origin}: no such file or folder")
        if not path.is_dir() and self._source_for(str(path)) is None and not _is_bare_gzip(path):
            raise SourceError(f"{origin}: not a known format; use {self._endings()}, or any of them as .gz")
        return path

    def _endings(self) -> str:
        return ", ".join(suffix for source in self._sources.values() for suffix in source.suffixes)

    def _source_for(self, path: str) -> Source | None:
        suffix = suffix_of(path)
        return self._by_suffix.get(suffix_of(Path(path).stem) if suffix == _GZIP else suffix)

    def _read(self) -> Iterator[Posting]:
        for origin in self._origins:
            if not isinstance(origin, Path):
                yield from self._read_stream(origin)
            elif origin.is_dir():
                yield from self._read_folder(origin)
            else:
                yield from self._read_file(
                    str(origin), origin.parent, self._source_for(str(origin)), is_chosen=True
                )

    def _read_folder(self, folder: Path) -> Iterator[Posting]:
        for path in walk_files(folder, self._reject):
            source = self._source_for(path)
            if source is None and not _is_bare_gzip(Path(path)):
                self.report.ignored[suffix_of(path) or Path(path).name] += 1
            else:
                yield from self._read_file(path, folder, source, is_chosen=False)

    def _read_file(
        self, path: str, root: Path, source: Source | None, *, is_chosen: bool
    ) -> Iterator[Posting]:
        name = name_of(path)
        try:
            stream = open_regular(path, root)
        except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError until Python 3.13
            reason = getattr(error, "strerror", None) or error
            self._reject(PostingError(f"cannot be opened ({reason})", name))
            return
        except PostingError as error:
            self._reject(error)
            return
        with stream:
            if not is_chosen and _ABOUT_THE_FOLDER.fullmatch(Path(path).name):
                start = _look(stream)
                if not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"---", *UTF_16)):
                    self.report.ignored[Path(path).name] += 1
                    return
                stream.seek(0)
            if source is not None and source.name == "markdown" and suffix_of(path) != _GZIP:
                yield from self._postings_of(source.read(stream, name, self._columns), name)
            else:
                yield from self._read_content(stream, name, source, suffix_of(path), is_chosen=is_chosen)

    def _read_content(
        self, stream: BinaryIO, name: str, source: Source | None, suffix: str, *, is_chosen: bool
    ) -> Iterator[Posting]:
        """Read a file that may be compressed or in UTF-16, or that only its content tells the format of."""
        gzip: Gzip | None = None
        try:
            start = stream.read(LOOK)
            if is_gzip(start):
                stream, gzip = open_gzip(io.BufferedReader(Rejoined(start, stream)))
                start = _look(stream)
            elif suffix == _GZIP:
                raise PostingError("not a gzip file, though it is named like one")
        except (PostingError, OSError) as error:
            self._reject(PostingError(_reason_of(error), name))
            return
        if start.startswith(UTF_16) and (source is None or source.name not in _DECODES):
            self.report.add_changes(name, 1, ["not UTF-8: read as utf-16"])
            stream = as_utf_8(start, stream)
            start = _look(stream)
        if source is None:
            source = self._sources[recognise(*_first_lines(start), self._columns)]
        if (
            not is_chosen
            and source.holds_postings
            and not (source.holds_postings(start) or names_columns(start, self._columns))
        ):
            self.report.ignored[suffix] += 1
            return
        if source.name == "json":
            source = self._sources[json_kind(*_first_lines(start), otherwise="json")]
        stream = io.BufferedReader(Rejoined(start, stream))
        yield from self._postings_of(source.read(stream, name, self._columns), name, gzip)

    def _read_stream(self, stream: BinaryIO) -> Iterator[Posting]:
        name = str(getattr(stream, "name", "stream")).strip("<>")
        buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
        gzip: Gzip | None = None
        try:
            start = first = _line_that_is_not_blank(buffered)
            if is_gzip(first):
                buffered, gzip = open_gzip(io.BufferedReader(Rejoined(first, buffered)))
                start = first = _line_that_is_not_blank(buffered)
        except PostingError as error:
            raise SourceError(f"{name}: {error.reason}") from None
        if not first:
            raise SourceError(f"{name}: nothing to read")
        if first.startswith(UTF_16):
            buffered = as_utf_8(first, buffered)
            self.report.add_changes(name, 1, ["not UTF-8: read as utf-16"])
            start = first = _line_that_is_not_blank(buffered)
        kind = recognise(first, b"", self._columns)
        if needs_second_line(first):
            start += (second := _line_that_is_not_blank(buffered))
            kind = recognise(first, second, self._columns)
        source = self._sources[kind]
        read = source.read_stream or source.read
        rejoined = io.BufferedReader(Rejoined(start, buffered))
        yield from self._postings_of(read(rejoined, name, self._columns), name, gzip)

    def _postings_of(
        self, entries: Iterator[RawPosting | PostingError], name: str, gzip: Gzip | None = None
    ) -> Iterator[Posting]:
        last = position = 0  # the line of the entry before, and how many have started in it
        has_first = False
        for entry in _until_unreadable(entries, gzip):
            line = entry.line
            if line != last:
                last, position, has_first = line, 1, False
            else:
                position += 1
                if has_first and isinstance(entry, RawPosting):  # its line alone is the id of another one
                    entry.default_id = f"{name}:{line}#{position}"
            try:
                if isinstance(entry, PostingError):
                    raise entry
                has_first = True
                posting, changes = self._build(entry)
                if self._strict:
                    self._check_new(posting.id, f"{name}:{line}")
            except PostingError as error:
                self._reject(type(error)(error.reason, name, error.line or line))
                continue
            self.report.read += 1
            if changes:
                self.report.add_changes(name, line, changes)
            yield posting

    def _check_new(self, posting_id: str, place: str) -> None:
        if posting_id in self._seen:
            raise DuplicatePostingError(
                f"the id {posting_id!r} was already read from {self._seen[posting_id]}"
            )
        self._seen[posting_id] = place

    def _reject(self, error: PostingError) -> None:
        if self._strict:
            raise error
        self.report.add_rejected(Rejected(error.path, error.line, error.reason))


def _until_unreadable(
    entries: Iterator[RawPosting | PostingError], gzip: Gzip | None
) -> Iterator[RawPosting | PostingError]:
    """Yield entries; when the file cannot be read on, the reason is the last."""
    line = 1
    try:
        for entry in entries:
            line = entry.line or line
            yield entry
            if gzip is not None and isinstance(entry, RawPosting):
                gzip.found_posting()
            elif gzip is not None:
                gzip.found_reject()
    except (PostingError, OSError) as error:
        yield PostingError(_reason_of(error), line=line)


def _reason_of(error: PostingError | OSError) -> str:
    return error.reason if isinstance(error, PostingError) else f"cannot be read ({error.strerror or error})"


def _is_bare_gzip(path: Path) -> bool:
    """Return whether a name says that the file is compressed, and nothing else."""
    return path.suffix.lower() == _GZIP and not Path(path.stem).suffix


def _line_that_is_not_blank(stream: BinaryIO) -> bytes:
    start = b""
    while not start.strip(b"\xef\xbb\xbf \t\r\n"):
        line = stream.readline(LOOK)
        if not line:
            return b""
        start = line if len(start) > LOOK else start + line
    return start


def _look(stream: BinaryIO) -> bytes:
    """Return the first bytes of a stream, as far as it can be read."""
    start = b""
    read = getattr(stream, "read1", stream.read)
    try:
        while len(start) < LOOK and (more := read(LOOK)):
            start += more
    except PostingError:
        if not start:
            raise
    return start


def _first_lines(start: bytes) -> tuple[bytes, bytes]:
    lines = io.BytesIO(start)
    return _line_that_is_not_blank(lines), _line_that_is_not_blank(lines)
