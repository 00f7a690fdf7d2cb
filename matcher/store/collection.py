"""Deleting generations that nobody needs, and what killed writers left behind."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from matcher.errors import ModelDamagedError, ModelNotFoundError, ModelWriteError, OptionError
from matcher.store.disk import in_threads, open_regular, read_small, sync_folder
from matcher.store.locks import Hold, WriteLock, hold_alone, lock_model
from matcher.store.manifest import LARGEST_MANIFEST, folder_of, generations, is_ours
from matcher.store.pointer import read_pointer

__all__: Final = ["Collected", "check_keep", "collect", "delete", "surplus", "sweep"]

_LEFTOVER: Final = re.compile(r"\.(?:tmp|current|old-\d{8})-\d+-[0-9a-f]{8}\Z", re.ASCII)


class Collected(NamedTuple):
    """What became of the generations that were not to be kept.

    Parameters
    ----------
    removed : list of int
    in_use : list of int
        Open in some reader, or impossible to lock or delete; they stay until the next time.

    Examples
    --------
    >>> Collected([1, 2], [3]).in_use
    [3]
    """

    removed: list[int]
    in_use: list[int]


def check_keep(keep: int) -> None:
    """Raise unless that many generations can be kept.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> check_keep(0)
    Traceback (most recent call last):
    matcher.errors.OptionError: keep must be a whole number of at least 1, got 0
    """
    if type(keep) is not int or keep < 1:
        raise OptionError(f"keep must be a whole number of at least 1, got {keep!r}")


def sweep(root: Path) -> None:
    """Delete what killed writers left behind; for whoever holds the write lock.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Path(folder, ".tmp-123-0123abcd").mkdir()
    ...     sweep(Path(folder))
    ...     os.listdir(folder)
    []
    """
    for name in os.listdir(root):  # noqa: PTH208
        if _LEFTOVER.match(name):
            shutil.rmtree(root / name, ignore_errors=True)  # refuses links
            with suppress(OSError):
                (root / name).unlink()


def collect(path: str | os.PathLike[str], keep: int, *, lock: WriteLock | None = None) -> Collected:
    """Delete generations of the model at `path` that nobody has open.

    The current one and the `keep` - 1 newest others stay. So does every folder that is not a generation of
    this library. Generations that never became current, because their writer was killed, all go.

    Parameters
    ----------
    path : path-like
        The model directory.
    keep : int
        At least 1.
    lock : WriteLock, optional
        Of `lock_model`, when the caller has it already.

    Raises
    ------
    ModelLockedError
        When another process or thread writes the model.
    ModelNotFoundError, ModelDamagedError
        When it cannot be told which generation is current. Nothing is deleted then.
    ModelWriteError
        When the place is not writable. Nothing is deleted then.

    Examples
    --------
    >>> import tempfile
    >>> from matcher.store import write_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for _ in range(3):
    ...         _ = write_model(folder, {}, {})
    ...     collect(folder, 2)
    Collected(removed=[1], in_use=[])
    """
    check_keep(keep)
    root = Path(path)
    if lock is None:
        if not root.is_dir():
            raise ModelNotFoundError(f"{root}: no model here; make one with 'matcher train'")
        with lock_model(root) as own:
            return collect(root, keep, lock=own)
    lock.check(root)
    try:
        sweep(root)
        pointer = read_pointer(root)
        # A writer may have been killed after the switch to the current generation and before that was
        # durable. Those before it can go only when no power cut brings them back.
        sync_folder(root)
        abandoned = [number for number in generations(root) if number > pointer.last]
        gone = delete(root, abandoned)
        more = delete(root, surplus(root, keep, pointer.generation))
        return Collected(sorted(gone.removed + more.removed), sorted({*gone.in_use, *more.in_use}))
    except OSError as error:
        raise ModelWriteError(f"{root}: {error.strerror or error}; no generation was deleted") from error


def surplus(root: Path, keep: int, current: int) -> list[int]:
    """Return the generations of this library that are not among the current one and the newest others.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     surplus(Path(folder), 1, 1)
    []
    """
    others = [number for number in generations(root) if number != current and _is_generation(root, number)]
    return others[: max(0, len(others) - (keep - 1))]


def delete(root: Path, numbers: Iterable[int]) -> Collected:
    """Delete generations of this library that nobody has open, for whoever holds the write lock.

    Parameters
    ----------
    root : Path
    numbers : iterable of int
        CURRENT names none of them, and durably so.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     delete(Path(folder), [])
    Collected(removed=[], in_use=[])
    """
    token = f"{os.getpid()}-{os.urandom(4).hex()}"
    ours = [number for number in sorted(numbers) if _is_generation(root, number)]
    doomed = {number: root / f".old-{number:08d}-{token}" for number in ours}
    holds = {number: _set_aside(root, number, name) for number, name in doomed.items()}
    with suppress(OSError):  # then it stays for the next time
        # After a crash a folder is there whole or not at all, under the name of a generation.
        if any(holds.values()):
            sync_folder(root)
        for number, hold in holds.items():
            if hold:
                _delete(doomed[number])
                hold.close()
    removed = [number for number, hold in holds.items() if hold and not doomed[number].exists()]
    return Collected(removed, [number for number in doomed if number not in removed])


def _delete(folder: Path) -> None:
    def unlink(file: Path) -> None:
        with suppress(OSError):
            file.unlink()

    # On a busy machine every deletion waits for its turn; many at once wait together.
    in_threads(unlink, list(folder.iterdir()), 8)
    shutil.rmtree(folder, ignore_errors=True)


def _is_generation(root: Path, number: int) -> bool:
    folder = folder_of(root, number)
    try:
        return not folder.is_symlink() and is_ours(read_small(folder / "manifest.json", LARGEST_MANIFEST))
    except (OSError, ModelDamagedError):
        return False


def _set_aside(root: Path, number: int, name: Path) -> Hold | None:
    """Hold a generation alone and take its name away, so that nobody can open it any more."""
    folder = folder_of(root, number)
    try:
        # Open for writing as well: locks that a network emulates ask for it.
        hold = Hold(descriptor := open_regular(folder / "manifest.json", os.O_RDWR))
        if hold_alone(descriptor):
            if os.name == "nt":  # a folder with an open file cannot be renamed
                hold.close()
            folder.rename(name)
            return hold
    except (OSError, ModelDamagedError):
        pass
    return None
