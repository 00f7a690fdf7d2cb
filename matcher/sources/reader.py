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
from matcher.sources.entry import RawPosting

__all__: Final = ["Change", "PostingReader", "ReadReport", "Rejected", "Source"]

MOST_KEPT: Final = 1_000
"""Rejections and changes kept word for word; the rest is only counted, so that memory stays bounded."""


@dataclass(frozen=True, slots=True)
class Source:
    """One format of postings.

    Parameters
    ----------
    name : str
    suffixes : tuple of str
        File name endings, lower case.
    read : callable
        ``(binary file, name) -> iterator of RawPosting or PostingError`` for a file.
    read_stream : callable
        The same for a stream, where one ends and the next begins.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[BinaryIO, str], Iterator[RawPosting | PostingError]]
    read_stream: Callable[[BinaryIO, str], Iterator[RawPosting | PostingError]]


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
        The first `MOST_KEPT` of them, word for word.
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
        if len(self.rejected) < MOST_KEPT:
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
    strict : bool
        Raise the first rejection, and refuse a second posting with the same id.
    """

    def __init__(
        self,
        origins: Iterable[Any],
        sources: Mapping[str, Source],
        build: Callable[[RawPosting], tuple[Posting, list[str]]],
        *,
        strict: bool,
    ) -> None:
        self.report = ReadReport()
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
        if not path.is_dir() and self._source_for(path) is None:
            raise SourceError(f"{origin}: not a known format; use {self._endings()}")
        return path

    def _endings(self) -> str:
        return ", ".join(suffix for source in self._sources.values() for suffix in source.suffixes)

    def _source_for(self, path: Path) -> Source | None:
        suffix = path.suffix.lower()
        return next((source for source in self._sources.values() if suffix in source.suffixes), None)

    def _read(self) -> Iterator[Posting]:
        for origin in self._origins:
            if not isinstance(origin, Path):
                yield from self._read_stream(origin)
            elif origin.is_dir():
                yield from self._read_folder(origin)
            else:
                yield from self._read_file(origin, origin.parent)

    def _read_folder(self, folder: Path) -> Iterator[Posting]:
        for path in _walk(folder, self._reject):
            if self._source_for(path) is None:
                self.report.ignored[path.suffix.lower() or path.name] += 1
            else:
                yield from self._read_file(path, folder)

    def _read_file(self, path: Path, root: Path) -> Iterator[Posting]:
        name = _display(path.as_posix())
        source = self._source_for(path)
        assert source is not None  # noqa: S101 - the callers ask first
        try:
            stream = _open_regular(path, root)
        except (OSError, RuntimeError) as error:  # a loop of links is a RuntimeError until Python 3.13
            reason = getattr(error, "strerror", None) or error
            self._reject(PostingError(f"cannot be opened ({reason})", name))
        except PostingError as error:
            self._reject(error)
        else:
            with stream:
                yield from self._postings_of(source.read(stream, name), name)

    def _read_stream(self, stream: BinaryIO) -> Iterator[Posting]:
        name = str(getattr(stream, "name", "stream")).strip("<>")
        buffered = io.BufferedReader(stream) if isinstance(stream, io.RawIOBase) else stream
        start = b""
        while not start.strip(b"\xef\xbb\xbf \t\r\n"):
            line = buffered.readline(1 << 16)
            if not line:
                raise SourceError(f"{name}: nothing to read")
            start += line
        kind = "json lines" if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") else "markdown"
        rejoined = io.BufferedReader(_Rejoined(start, buffered))
        yield from self._postings_of(self._sources[kind].read_stream(rejoined, name), name)

    def _postings_of(self, entries: Iterator[RawPosting | PostingError], name: str) -> Iterator[Posting]:
        for entry in entries:
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


class _Rejoined(io.RawIOBase):
    """A stream with the bytes that were looked at first put back in front."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start = start
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._start[: len(buffer)] or self._rest.read(len(buffer))
        self._start = self._start[len(data) :]
        buffer[: len(data)] = data
        return len(data)


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
