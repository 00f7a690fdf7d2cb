"""Who may write a model, and which generations somebody reads.

Both are locks of the operating system on open files: whoever is killed gives them up, so nothing is ever
stale. One writer holds ``MODEL/.lock`` alone. Readers share a lock on the manifest of the generation they
have open; whoever deletes a generation must first hold that manifest alone.
"""

from __future__ import annotations

import os
import re
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Final, NoReturn

from matcher.errors import ModelDamagedError, ModelLockedError, ModelWriteError, OptionError
from matcher.store.disk import make_folder, open_regular, say_what_stays

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

__all__: Final = ["Hold", "WriteLock", "hold_alone", "hold_shared", "lock_model"]

_NAME: Final = ".lock"
_HOLDER: Final = re.compile(rb"process (\d{1,19}) since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)\n\Z")
_ATTEMPTS: Final = 100
_BEYOND: Final = 1 << 30  # where Windows locks one byte: what is locked there cannot be read


class Hold:
    """An open file, closed once: by `close` or with the object.

    Parameters
    ----------
    descriptor : int

    Examples
    --------
    >>> hold = Hold(os.open(os.devnull, os.O_RDONLY))
    >>> hold.close(), hold.close()
    (None, None)
    """

    __slots__ = ("_descriptors",)

    _close: ClassVar = staticmethod(os.close)

    def __init__(self, descriptor: int) -> None:
        self._descriptors = [descriptor]

    @property
    def is_open(self) -> bool:
        """Whether it has not been closed.

        Examples
        --------
        >>> Hold(os.open(os.devnull, os.O_RDONLY)).is_open
        True
        """
        return bool(self._descriptors)

    def close(self, last: Callable[[int], None] | None = None) -> None:
        """Close it, unless that has happened; `last` gets the descriptor before.

        Examples
        --------
        >>> Hold(os.open(os.devnull, os.O_RDONLY)).close(os.fsync)
        """
        try:
            descriptor = self._descriptors.pop()  # two threads cannot close one number twice
        except IndexError:
            return
        try:  # nothing global is used: at its end the interpreter takes this module apart first
            try:
                if last:
                    last(descriptor)
            finally:
                self._close(descriptor)
        except OSError:
            pass

    def __del__(self) -> None:
        self.close()

    # A copy would close the number once more, when another file may have it; elsewhere it means another file.
    def __copy__(self) -> Hold:
        return self

    def __deepcopy__(self, memo: object) -> Hold:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open file cannot be pickled")


def hold_shared(descriptor: int) -> bool:
    """Share the lock on an open file until it is closed; False when somebody holds it alone.

    Where there are no such locks the answer is True: deleting needs them, and so deletes nothing there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     hold_shared(file.fileno())
    True
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
    return True


def hold_alone(descriptor: int) -> bool:
    """Hold the lock on an open file alone until it is closed; False when others share it, or without locks.

    Windows has its own protection, and the answer there is True: a folder with open files cannot be renamed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     hold_alone(file.fileno())
    True
    """
    if sys.platform != "win32":
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    return True


class WriteLock:
    """The right to write one model; a context manager. Made by `lock_model`.

    Parameters
    ----------
    root : Path
        The model directory.
    hold : Hold
        Its lock file, locked.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with lock_model(folder) as lock:
    ...         inside = lock.held
    ...     inside, lock.held
    (True, False)
    """

    def __init__(self, root: Path, hold: Hold) -> None:
        self.root = root
        self._hold = hold
        self._folder = root.stat()
        _HELD.add(self)

    @property
    def held(self) -> bool:
        """Whether it has not been released; False in a forked child too.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, lock_model(folder) as lock:
        ...     lock.held
        True
        """
        return self._hold.is_open

    def check(self, root: Path) -> None:
        """Raise unless this lock is held, and for that model directory.

        Raises
        ------
        OptionError

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with lock_model(folder) as lock:
        ...         pass
        ...     lock.check(Path(folder))
        Traceback (most recent call last):
        matcher.errors.OptionError: ...: its lock was released before: take it again with lock_model
        """
        if not self.held:
            raise OptionError(f"{self.root}: its lock was released before: take it again with lock_model")
        try:
            found = root.stat()
        except (OSError, ValueError):
            found = None
        if found is None or not os.path.samestat(found, self._folder):
            raise OptionError(f"{root}: the lock given is for {self.root}")

    def release(self) -> None:
        """Let others write; a second call does nothing.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     lock = lock_model(folder)
        ...     lock.release(), lock.held
        (None, False)
        """
        self._hold.close(_unlock)

    def __enter__(self) -> WriteLock:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __del__(self) -> None:
        self.release()


_HELD: Final[weakref.WeakSet[WriteLock]] = weakref.WeakSet()


def _abandon_all() -> None:
    # A forked child must not keep the lock when its parent is killed, nor give it up for its parent.
    for lock in list(_HELD):
        lock._hold.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandon_all)


def lock_model(path: str | os.PathLike[str]) -> WriteLock:
    """Take the right to write the model at `path`; it is yours until released or the process ends.

    Parameters
    ----------
    path : path-like
        The model directory; made when missing.

    Raises
    ------
    ModelLockedError
        At once, when another process or thread has it.
    ModelWriteError
        When the place is not writable, or its file system has no locks.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, lock_model(folder):
    ...     lock_model(folder)
    Traceback (most recent call last):
    matcher.errors.ModelLockedError: ...: being written by process ... since ...: try again when it is done
    """
    root = Path(path)
    file = root / _NAME
    try:
        make_folder(root)
        for _ in range(_ATTEMPTS):
            hold = Hold(descriptor := open_regular(file, os.O_RDWR | os.O_CREAT))
            _lock(descriptor, root)
            # Whoever deleted the file by hand, another one may have made and locked it anew.
            with suppress(FileNotFoundError):
                if os.path.samestat(file.lstat(), os.fstat(descriptor)):
                    _sign(descriptor)
                    return WriteLock(root, hold)
            hold.close()
    except ModelDamagedError:
        raise ModelWriteError(f"{file}: not a regular file: remove it; nothing was changed") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ModelWriteError(f"{root}: {reason}; {say_what_stays(root)}") from error
    raise ModelWriteError(f"{file}: somebody keeps deleting it; nothing was changed")


def _lock(descriptor: int, root: Path) -> None:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _BEYOND, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        holder = _HOLDER.match(os.pread(descriptor, 100, 0)) if hasattr(os, "pread") else None
        who = f"process {int(holder[1])} since {holder[2].decode()}" if holder else "another process"
        raise ModelLockedError(f"{root}: being written by {who}: try again when it is done") from None
    except OSError as error:
        raise ModelWriteError(
            f"{root}: its file system cannot lock files ({error.strerror}): keep the model on one that can"
        ) from error


def _unlock(descriptor: int) -> None:
    os.ftruncate(descriptor, 0)
    if sys.platform == "win32":
        os.lseek(descriptor, _BEYOND, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


def _sign(descriptor: int) -> None:
    # For the message to others only: when the disk is full, they read "another process".
    with suppress(OSError):
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(
            descriptor, f"process {os.getpid()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}\n".encode()
        )
