"""Files on disk: found below a folder, and opened when they are really files, really in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from matcher.errors import PostingError

__all__: Final = ["display_name", "open_regular", "walk_files"]


def walk_files(folder: Path, reject: Callable[[PostingError], None]) -> Iterator[Path]:
    """Yield the files below a folder by path; hidden ones and links to folders are left out."""

    def report(error: OSError) -> None:
        reject(PostingError(f"cannot be opened ({error.strerror})", str(error.filename)))

    for parent, folders, names in os.walk(folder, onerror=report):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(parent, name)


def display_name(name: str) -> str:
    """Return a file name as text that can be printed and stored; names need not be UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def open_regular(path: Path, root: Path) -> BinaryIO:
    """Open a file that is really a file and really below `root`; never wait for a FIFO."""
    name = display_name(path.as_posix())
    if path.is_symlink() and not path.resolve().is_relative_to(root.resolve()):
        raise PostingError("a link that leads out of the folder is not followed", name)
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise PostingError("not a regular file: only files are read", name)
    return os.fdopen(descriptor, "rb")
