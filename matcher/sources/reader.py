"""From paths and streams to postings, one at a time, with an account of what was rejected or changed."""

from __future__ import annotations

import io
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from matcher.errors import DuplicatePostingError, PostingError, SourceError
from matcher.posting import Posting
from matcher.sources.compression import Gzip, open_gzip
from matcher.sources.entry import RawPosting
from matcher.sources.recognition import (
    LOOK,
    UTF_16,
    Rejoined,
    as_utf_8,
    is_gzip,
    json_kind,
    needs_second_line,
    recognise,
)

__all__: Final = ["Change", "PostingReader", "ReadReport", "Rejected", "Source"]

MOST_KEPT: Final = 1_000
"""Rejections and changes kept word for word; the rest is only counted, so that memory stays bounded."""

_Read = Callable[[BinaryIO, str, Mapping[str, str]], Iterator[RawPosting | PostingError]]
_GZIP: Final = ".gz"
_DECODES: Final = ("markdown", "feed", "html")
"""Formats whose readers know UTF-16 themselves."""


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


class Rejected(NamedTuple):
    """A posting that could not be read.

    Examples
    --------
    >>> print(Rejected("jobs/a.md", 3, "the field 'title' comes twice: remove one"))
    jobs/a.md:3: the field 'title' comes twice: remove one
    """

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return str(PostingError(self.reason, self.path, self.line))


class Change(NamedTuple):
    """Something that was read in another way than written.

    Examples
    --------
    >>> print(Change("jobs/a.md", 1, "wrongly decoded characters repaired"))
    jobs/a.md:1: wrongly decoded characters repaired
    """

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return str(PostingError(self.what, self.path, self.line))


@dataclass(slots=True)
class ReadReport:
    """What reading came to. It grows while the reader is iterated over.

    Parameters
    ----------
    read, rejected_count, changed_count : int
        How many postings were read, were rejected, and were read with at least one change.
    rejected, changes : list
        The first `MOST_KEPT` of them, word for word; of the rejected, the last too.
    ignored : Counter
        Files in folders that no source reads, by ending.

    Examples
    --------
    >>> report = ReadReport(read=2, rejected_count=1, ignored=Counter({".png": 3}))
    >>> report.summary()
    '2 postings read, 1 rejected, 3 other files ignored (.png)'
    """

    read: int = 0
    rejected_count: int = 0
    changed_count: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """Return the report as one line.

        Examples
        --------
        >>> ReadReport(read=1).summary()
        '1 posting read'
        """
        parts = [f"{self.read:,} posting{'' if self.read == 1 else 's'} read"]
        if self.changed_count:
            parts.append(f"{self.changed_count:,} repaired or changed")
        if self.rejected_count:
            parts.append(f"{self.rejected_count:,} rejected")
        if self.ignored:
            endings = ", ".join(sorted(self.ignored))
            parts.append(f"{self.ignored.total():,} other files ignored ({endings})")
        return ", ".join(parts)

    def add_rejected(self, rejected: Rejected) -> None:
        """Count a rejection.

        Examples
        --------
        >>> report = ReadReport()
        >>> report.add_rejected(Rejected("a.md", 1, "larger than any posting"))
        >>> report.rejected_count
        1
        """
        self.rejected_count += 1
        if len(self.rejected) == MOST_KEPT:  # the last one may say that the rest of a file is not read
            self.rejected.pop()
        self.rejected.append(rejected)

    def add_changes(self, path: str, line: int, changes: Iterable[str]) -> None:
        """Count a posting's changes, if there are any.

        Examples
        --------
        >>> report = ReadReport()
        >>> report.add_changes("a.md", 1, ["wrongly decoded characters repaired"])
        >>> report.changed_count
        1
        """
        listed = [Change(path, line, what) for what in changes]
        self.changed_count += bool(listed)
        self.changes.extend(listed[: MOST_KEPT - len(self.changes)])


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
            raise SourceError(f"{_display(str(origin)[:200])}: cannot be opened ({error})") from None
        if not exists:
            raise SourceError(f"{origin}: no such file or folder")
        if not path.is_dir() and self._source_for(path) is None and not _is_bare_gzip(path):
            raise SourceError(f"{origin}: not a known format; use {self._endings()}, or any of them as .gz")
        return path

    def _endings(self) -> str:
        return ", ".join(suffix for source in self._sources.values() for suffix in source.suffixes)

    def _source_for(self, path: Path) -> Source | None:
        suffix = path.suffix.lower()
        if suffix == _GZIP:
            suffix = Path(path.stem).suffix.lower()
        return next((source for source in self._sources.values() if suffix in source.suffixes), None)

    def _read(self) -> Iterator[Posting]:
        for origin in self._origins:
            if not isinstance(origin, Path):
                yield from self._read_stream(origin)
            elif origin.is_dir():
                yield from self._read_folder(origin)
            else:
                yield from self._read_file(origin, origin.parent, is_chosen=True)

    def _read_folder(self, folder: Path) -> Iterator[Posting]:
        for path in _walk(folder, self._reject):
            if self._source_for(path) is None and not _is_bare_gzip(path):
                self.report.ignored[path.suffix.lower() or path.name] += 1
            else:
                yield from self._read_file(path, folder, is_chosen=False)

    def _read_file(self, path: Path, root: Path, *, is_chosen: bool) -> Iterator[Posting]:
        name = _display(path.as_posix())
        try:
            stream = _open_regular(path, root)
        except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError until Python 3.13
            reason = getattr(error, "strerror", None) or error
            self._reject(PostingError(f"cannot be opened ({reason})", name))
            return
        except PostingError as error:
            self._reject(error)
            return
        with stream:
            source = self._source_for(path)
            if source is not None and source.name == "markdown" and path.suffix.lower() != _GZIP:
                yield from self._postings_of(source.read(stream, name, self._columns), name)
            else:
                yield from self._read_content(stream, name, source, path.suffix.lower(), is_chosen=is_chosen)

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
            source = self._sources[recognise(*_first_lines(start))]
        if not is_chosen and source.holds_postings and not source.holds_postings(start):
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
        kind = recognise(first, b"")
        if needs_second_line(first):
            start += (second := _line_that_is_not_blank(buffered))
            kind = recognise(first, second)
        source = self._sources[kind]
        read = source.read_stream or source.read
        rejoined = io.BufferedReader(Rejoined(start, buffered))
        yield from self._postings_of(read(rejoined, name, self._columns), name, gzip)

    def _postings_of(
        self, entries: Iterator[RawPosting | PostingError], name: str, gzip: Gzip | None = None
    ) -> Iterator[Posting]:
        for entry in _until_unreadable(entries, gzip):
            line = entry.line
            try:
                if isinstance(entry, PostingError):
                    raise entry
                posting, changes = self._build(entry)
                if self._strict:
                    self._check_new(posting.id, f"{name}:{line}")
            except PostingError as error:
                self._reject(type(error)(error.reason, name, error.line or line))
                continue
            self.report.read += 1
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


def _walk(folder: Path, reject: Callable[[PostingError], None]) -> Iterator[Path]:
    """Yield the files below a folder by path; hidden ones and links to folders are left out."""

    def report(error: OSError) -> None:
        reject(PostingError(f"cannot be opened ({error.strerror})", str(error.filename)))

    for parent, folders, names in os.walk(folder, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name)


def _display(name: str) -> str:
    """Return a file name as text that can be printed and stored; names need not be UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _open_regular(path: Path, root: Path) -> BinaryIO:
    """Open a file that is really a file and really below `root`; never wait for a FIFO."""
    name = _display(path.as_posix())
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise PostingError("a link that leads out of the folder is not followed", name)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PostingError("not a regular file: only files are read", name)
    return os.fdopen(descriptor, "rb")
