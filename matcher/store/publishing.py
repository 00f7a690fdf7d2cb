"""Writing a new generation of a model, and making it current in one atomic step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from numpy.typing import NDArray

from matcher.errors import ModelConflictError, ModelError, ModelWriteError, OptionError
from matcher.store.arrays import serialise
from matcher.store.collection import check_keep, delete, surplus, sweep
from matcher.store.disk import (
    StoredFile,
    in_threads,
    link_durable,
    say_what_stays,
    sync_folder,
    write_durably,
)
from matcher.store.locks import WriteLock, lock_model
from matcher.store.manifest import LAST_GENERATION, folder_of, generations, render_manifest
from matcher.store.pointer import Pointer, read_pointer, replace_pointer
from matcher.store.signatures import check_key, sign

__all__: Final = ["Published", "write_model"]

# Syncing takes its time whatever the size, and many at once take little more; with few small files, starting
# threads would cost as much.
_WRITERS: Final = 8
_FEW: Final = 3
_SMALL: Final = 4 << 20


class Published(NamedTuple):
    """A generation that was written.

    Parameters
    ----------
    generation : int
    files : dict of str to StoredFile
        By name of the array, to be given to `write_model` as `kept` the next time.

    Examples
    --------
    >>> Published(1, {}).generation
    1
    """

    generation: int
    files: dict[str, StoredFile]


def write_model(
    path: str | os.PathLike[str],
    content: Mapping[str, Any],
    files: Mapping[str, NDArray[Any]],
    *,
    kept: Mapping[str, StoredFile] | None = None,
    expected: int | None = None,
    keep: int | None = None,
    key: bytes | None = None,
    lock: WriteLock | None = None,
) -> Published:
    """Write a new generation of the model at `path` and make it current.

    What writers left that were killed is deleted: temporary files, and generations newer than any that was
    current.

    Parameters
    ----------
    path : path-like
        The model directory; made when missing.
    content : mapping
        JSON values for the manifest.
    files : mapping of str to ndarray
        Arrays by name. A name ending in ``.txt`` is written as text from its ``uint8`` array.
    kept : mapping of str to StoredFile, optional
        Names of `files` whose content an older generation has already, and where. They are linked, not
        written and hashed again; where that is impossible, they are written.
    expected : int, optional
        The generation the caller started from, 0 for none: another one current now is a conflict.
    keep : int, optional
        Delete older generations afterwards, as `collect` does. When that fails the model is written all the
        same.
    key : bytes, optional
        Sign the manifest with it; at least 16 bytes.
    lock : WriteLock, optional
        Of `lock_model`, when the caller has it already.

    Returns
    -------
    Published
        The number of the new generation, and its files.

    Raises
    ------
    ModelWriteError
        When the disk is full, the place is not writable, and so on. The model there is unchanged.
    ModelLockedError
        When another process or thread writes the model.
    ModelConflictError
        When another generation than the expected one is current.
    OptionError
        When an argument makes no sense.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = write_model(folder, {"note": 1}, {"numbers": np.arange(3)})
    ...     second = write_model(folder, {}, {"numbers": np.arange(3)}, kept=first.files)
    >>> first.generation, second.generation
    (1, 2)
    """
    kept = kept or {}
    check_key(key)
    if keep is not None:
        check_keep(keep)
    if unknown := sorted(kept.keys() - files.keys()):
        raise OptionError(f"kept: {unknown[0]!r} is not among the files")
    root = Path(path)
    if lock is None:
        with lock_model(root) as own:
            return write_model(
                root, content, files, kept=kept, expected=expected, keep=keep, key=key, lock=own
            )
    lock.check(root)
    token = f"{os.getpid()}-{os.urandom(4).hex()}"
    temporary = root / f".tmp-{token}"
    try:
        sweep(root)
        before = _current_pointer(root)
        if expected is not None:
            _check_expected(root, expected, before)
        last = max([*generations(root), before.last if before else 0], default=0)
        if before:  # what never was current comes from writers that were killed
            delete(root, [number for number in generations(root) if number > before.last])
        stored, digest = _write_folder(
            temporary, content, files, kept, before.generation if before else 0, key
        )
        generation = last + 1
        if generation > LAST_GENERATION:
            raise ModelWriteError(f"{root}: no generation is left after {generation - 1}: start a new model")
        _make_current(root, temporary, Pointer(generation, digest, generation), token)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ModelWriteError(f"{root}: {reason}; {say_what_stays(root)}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    if keep is not None:
        with suppress(OSError):
            delete(root, surplus(root, keep, generation))
    there = Path(os.path.abspath(folder_of(root, generation)))  # noqa: PTH100 - keeps links
    return Published(
        generation, {name: file._replace(path=there / file.path.name) for name, file in stored.items()}
    )


def _current_pointer(root: Path) -> Pointer | None:
    # A damaged pointer is replaced, like a missing one: training again is what its error asks for.
    try:
        return read_pointer(root)
    except ModelError:
        return None


def _check_expected(root: Path, expected: int, found: Pointer | None) -> None:
    number = found.generation if found else 0
    if number == expected:
        return
    if not number:
        happened = f"generation {expected}, which was opened, is no longer current, nor is any other"
    elif not expected:
        happened = f"generation {number} was published where no model was"
    else:
        verb = "published" if number > expected else "made current again"
        happened = f"generation {number} was {verb} since generation {expected} was opened"
    raise ModelConflictError(f"{root}: {happened}: reload, apply the changes again, and save")


def _write_folder(
    folder: Path,
    content: Mapping[str, Any],
    files: Mapping[str, NDArray[Any]],
    kept: Mapping[str, StoredFile],
    parent: int,
    key: bytes | None,
) -> tuple[dict[str, StoredFile], str]:
    """Write a generation durably under a temporary name; return its files and its manifest's SHA-256."""
    folder.mkdir()
    stored = _write_files(folder, files, kept)
    entries = {file.path.name: (file.size, file.sha256) for file in stored.values()}
    manifest = render_manifest(content, entries, parent)
    digest = write_durably(folder / "manifest.json", manifest).sha256
    if key is not None:
        write_durably(folder / "signature", sign(key, manifest))
    sync_folder(folder)
    return stored, digest


def _make_current(root: Path, temporary: Path, pointer: Pointer, token: str) -> None:
    folder = folder_of(root, pointer.generation)
    temporary.rename(folder)
    try:
        sync_folder(root)
        replace_pointer(root, pointer, token)
    except BaseException as error:
        # Unless an interrupt came after the switch, it did not become current. It loses its name before it is
        # deleted: after a crash, too, a generation is there whole or not at all.
        found = None if isinstance(error, OSError) else _current_pointer(root)
        if found is None or found.generation != pointer.generation:
            with suppress(OSError):
                folder.rename(temporary)
                sync_folder(root)
        raise


def _write_files(
    folder: Path, files: Mapping[str, NDArray[Any]], kept: Mapping[str, StoredFile]
) -> dict[str, StoredFile]:
    stored = {}
    todo = []
    for name, array in sorted(files.items()):
        file_name, header, body = serialise(name, array)
        target, known = folder / file_name, kept.get(name)
        fits = known and known.size == len(header) + len(body) and known.path.suffix == target.suffix
        if known and fits and link_durable(known, target):
            stored[name] = known._replace(path=target)
        else:
            todo.append((name, target, header, body))

    def write(job: tuple[str, Path, bytes, memoryview]) -> tuple[str, StoredFile]:
        name, target, header, body = job
        return name, write_durably(target, header, body)

    few = len(todo) <= _FEW and sum(len(body) for *_, body in todo) < _SMALL
    todo.sort(key=lambda job: -len(job[3]))  # the longest first, so that no thread is left with it at the end
    stored.update(in_threads(write, todo, 1 if few else _WRITERS))
    return stored
