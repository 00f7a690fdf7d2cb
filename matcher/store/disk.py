"""Files on disk: opened without surprises, written durably, by several threads when there are many.

What is opened must be a regular file under exactly that name: links are not followed, and nobody waits for
a FIFO. What is written has reached the disk when the call returns.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from matcher.errors import ModelDamagedError

__all__: Final = [
    "StoredFile",
    "in_threads",
    "link_durable",
    "make_folder",
    "open_regular",
    "read_small",
    "say_what_stays",
    "sync_folder",
    "write_durably",
]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

_CAREFULLY: Final = (
    getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_NOT_REGULAR: Final = (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EISDIR)
# Small enough that what was just hashed is still in the cache when it is copied to the page cache.
_CHUNK: Final = 1 << 18


class StoredFile(NamedTuple):
    """A durable file of some generation.

    Parameters
    ----------
    path : Path
        Absolute.
    size : int
        In bytes.
    sha256 : str
        64 hexadecimal digits.

    Examples
    --------
    >>> StoredFile(Path("models/jobs/gen-00000001/numbers.npy"), 168, "0" * 64).path.name
    'numbers.npy'
    """

    path: Path
    size: int
    sha256: str


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file and return its descriptor, which the caller closes.

    Raises
    ------
    ModelDamagedError
        When it is a link, a folder, a FIFO or a device. Nothing is followed, and nothing waited for.
    OSError
        When it is missing, not readable, and so on.

    Examples
    --------
    >>> import tempfile
    >>> open_regular(Path(tempfile.gettempdir()))
    Traceback (most recent call last):
    matcher.errors.ModelDamagedError: ...: not a regular file; train the model again
    """
    try:
        if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # Windows
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        descriptor = os.open(path, flags | _CAREFULLY, 0o666)
    except OSError as error:
        if error.errno in _NOT_REGULAR:
            raise ModelDamagedError(f"{path}: not a regular file; train the model again") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelDamagedError(f"{path}: not a regular file; train the model again")
    return descriptor


def read_small(path: Path | int, most: int, name: object = None) -> bytes:
    """Return what a file holds, at most `most` bytes.

    Parameters
    ----------
    path : Path or int
        A descriptor stays open, and is read from where it stands.
    most : int
    name : object
        What to call it in errors; `path` unless given.

    Raises
    ------
    ModelDamagedError
        When it is longer, or not a regular file.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_durably(Path(folder, "file"), b"data")
    ...     read_small(Path(folder, "file"), 10)
    b'data'
    """
    if isinstance(path, Path):
        descriptor = open_regular(path)
        try:
            return read_small(descriptor, most, path)
        finally:
            os.close(descriptor)
    data = b""
    while len(data) <= most and (piece := os.read(path, most + 1 - len(data))):
        data += piece
    if len(data) > most:
        raise ModelDamagedError(f"{name}: larger than any that this library writes ({most:,} bytes)")
    return data


def write_durably(path: Path, *parts: bytes | memoryview) -> StoredFile:
    """Write a new file; when this returns, it has reached the disk (its name has when its folder is synced).

    Parameters
    ----------
    path : Path
        Must not exist.
    *parts : bytes or memoryview of bytes
        Written one after the other.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_durably(Path(folder, "file"), b"da", b"ta").size
    4
    """
    digest = hashlib.sha256()
    size = 0
    # Unbuffered: closing after an error must not try to write once more.
    with path.open("xb", buffering=0) as file:
        for part in parts:
            view = memoryview(part)
            size += len(view)
            for start in range(0, len(view), _CHUNK):
                chunk = view[start : start + _CHUNK]
                digest.update(chunk)
                while len(chunk):
                    written = file.write(chunk)
                    if not written:
                        raise OSError(errno.EIO, "the disk took nothing")
                    chunk = chunk[written:]
        os.fsync(file.fileno())
    return StoredFile(Path(os.path.abspath(path)), size, digest.hexdigest())  # noqa: PTH100 - keeps links


def link_durable(file: StoredFile, path: Path) -> bool:
    """Give a file that already is on the disk a second name; False when that cannot be done.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_durably(Path(folder, "file"), b"data")
    ...     link_durable(file, Path(folder, "link"))
    ...     link_durable(file._replace(size=3), Path(folder, "other"))
    True
    False
    """
    try:
        os.link(file.path, path)
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_size == file.size:
            return True
        path.unlink()
    except OSError:  # another file system, gone, too many links: the caller writes it instead
        with suppress(OSError):
            path.unlink()
    return False


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable.

    Examples
    --------
    >>> import tempfile
    >>> sync_folder(Path(tempfile.gettempdir()))
    """
    if os.name == "nt":  # Windows cannot open a folder; its renames are ordered by the journal
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, durably; one that exists stays as it is.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     make_folder(Path(folder, "a", "b"))
    ...     Path(folder, "a", "b").is_dir()
    True
    """
    if path.is_dir():
        return
    missing = [path, *(above for above in path.parents if not above.is_dir())]
    path.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_folder(folder.parent)


def in_threads(work: Callable[[_Item], _Result], items: Iterable[_Item], threads: int) -> Sequence[_Result]:
    """Return what `work` returns for each item, in order; no thread runs on when this returns or raises.

    Parameters
    ----------
    work : callable
    items : iterable
    threads : int
        With 1, everything happens in the caller's thread.

    Examples
    --------
    >>> list(in_threads(abs, [-1, 2, -3], 2))
    [1, 2, 3]
    """
    items = list(items)
    threads = min(threads, len(items))
    if threads <= 1:
        return [work(item) for item in items]
    # Loading a small model gets by without this import.
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

    pool = ThreadPoolExecutor(threads)
    try:
        futures = [pool.submit(work, item) for item in items]
        for future in wait(futures, return_when=FIRST_EXCEPTION).done:
            future.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)


def say_what_stays(root: Path) -> str:
    """Return what is to be said of a model directory in which nothing could be written.

    Examples
    --------
    >>> say_what_stays(Path("models/demo")), say_what_stays(Path("no/such/model"))
    ('the model there is unchanged', 'no model was written')
    """
    return "the model there is unchanged" if os.path.lexists(root / "CURRENT") else "no model was written"
