"""Files on disk: found below a folder, and opened when they are really files, really in it."""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from matcher.errors import PostingError

__all__: Final = ["display_name", "name_of", "open_regular", "suffix_of", "walk_files"]


def walk_files(folder: Path, reject: Callable[[PostingError], None]) -> Iterator[str]:
    """Yield the files below a folder by path; hidden ones and links to folders are left out.

    Examples
    --------
    >>> list(walk_files(Path("no such folder"), lambda error: print(error.reason)))
    cannot be opened (No such file or directory)
    []
    """

    def report(error: OSError) -> None:
        reject(PostingError(f"cannot be opened ({error.strerror})", str(error.filename)))

    for parent, folders, names in os.walk(folder, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        start = str(Path(parent, "x"))[:-1]  # nothing for "."
        for name in sorted(names):
            if not name.startswith("."):
                yield start + name


def display_name(name: str) -> str:
    r"""Return a file name as text that can be printed and stored; names need not be UTF-8.

    Examples
    --------
    >>> display_name("K\udcf6chin.md") == "K\ufffdchin.md"
    True
    """
    return os.fsencode(name).decode("utf-8", "replace")


def suffix_of(path: str) -> str:
    """Return the ending of a file name in lower case, as `pathlib` tells it; empty when it has none.

    Examples
    --------
    >>> suffix_of("jobs/Cook.MD"), suffix_of("jobs/.md")
    ('.md', '')
    """
    start = path.rfind("/") + 1
    dot = path.rfind(".", start)
    # Others than these are rare, and pathlib knows the rules.
    if start < dot < len(path) - 1 and path[start] != "." and "\\" not in path:
        return path[dot:].lower()
    return Path(path).suffix.lower()


def open_regular(path: str, root: Path) -> BinaryIO:
    """Open a file that is really a file and really below `root`; never wait for a FIFO.

    Raises
    ------
    PostingError
        When it is no file, or a link that leads out of `root`.
    OSError
        When it cannot be opened.

    Examples
    --------
    >>> open_regular(".", Path())
    Traceback (most recent call last):
    matcher.errors.PostingError: .: not a regular file: only files are read
    """
    try:
        if not _NO_LINKS:
            _check_link(path, root)
        descriptor = os.open(path, _FLAGS | _NO_LINKS)
    except OSError as error:
        if not _NO_LINKS or error.errno not in (errno.ELOOP, errno.EMLINK):
            raise
        _check_link(path, root)
        descriptor = os.open(path, _FLAGS)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise PostingError("not a regular file: only files are read", name_of(path))
    if 0 < status.st_size < _SMALL:
        data = _read_at_once(descriptor, status.st_size)
        if data is not None:
            os.close(descriptor)
            return io.BytesIO(data)
    return os.fdopen(descriptor, "rb")


def _check_link(path: str, root: Path) -> None:
    if Path(path).is_symlink() and not Path(path).resolve().is_relative_to(root.resolve()):
        raise PostingError("a link that leads out of the folder is not followed", name_of(path))


def name_of(path: str) -> str:
    """Return the path of a file with slashes, as text that can be printed and stored.

    Examples
    --------
    >>> name_of("jobs/cook.md")
    'jobs/cook.md'
    """
    return path if _IS_POSIX and path.isascii() else display_name(Path(path).as_posix())


def _read_at_once(descriptor: int, size: int) -> bytes | None:
    """Return a small file, or None, and stay at its beginning, when it is not as large as it was."""
    try:
        data = os.read(descriptor, size + 1)
        if len(data) == size:
            return data
        os.lseek(descriptor, 0, os.SEEK_SET)
    except OSError:  # the reader meets it again, and reports it
        pass
    return None


_FLAGS: Final = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NO_LINKS: Final = getattr(os, "O_NOFOLLOW", 0)
_SMALL: Final = 1 << 16
_IS_POSIX: Final = os.sep == "/"
