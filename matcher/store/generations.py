"""The generations of a model: what there is, going back, and deleting what nobody needs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from matcher.errors import ModelDamagedError, ModelError, ModelNotFoundError, ModelWriteError
from matcher.store.collection import Collected, collect
from matcher.store.disk import read_small
from matcher.store.locks import lock_model
from matcher.store.manifest import LARGEST_MANIFEST, check_generation, folder_of, generations, parse_manifest
from matcher.store.pointer import Pointer, read_pointer, replace_pointer
from matcher.store.reading import read_model

__all__: Final = ["Collected", "Generation", "collect", "history", "rollback"]


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation of a model, as its manifest describes it.

    Parameters
    ----------
    number : int
    is_current : bool
    parent : int
        The generation that was current when this one was written; 0 when none was, or when unreadable.
    published : datetime
        When it was written, in UTC.
    bytes : int
        Size of its files, also of those it shares with other generations.
    content : dict
        What the writer put in the manifest; empty when unreadable.
    problem : str
        Why it cannot be read; empty when it looks sound. (Only `read_model` compares every hash.)

    Examples
    --------
    >>> Generation(7, True, 6, datetime(2026, 3, 1, tzinfo=UTC), 1_000, {}).parent
    6
    """

    number: int
    is_current: bool
    parent: int
    published: datetime
    bytes: int
    content: dict[str, Any]
    problem: str = ""


def history(path: str | os.PathLike[str]) -> list[Generation]:
    """Return the generations of the model at `path`, ascending.

    Parameters
    ----------
    path : path-like
        The model directory. CURRENT may be missing or damaged: then none is current.

    Raises
    ------
    ModelNotFoundError
        When there is no generation.

    Examples
    --------
    >>> import tempfile
    >>> from matcher.store import write_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for note in "ab":
    ...         _ = write_model(folder, {"note": note}, {})
    ...     [(found.number, found.is_current, found.content) for found in history(folder)]
    [(1, False, {'note': 'a'}), (2, True, {'note': 'b'})]
    """
    root = Path(path)
    try:
        pointer = read_pointer(root)
    except (ModelError, OSError):
        pointer = None
    try:
        numbers = generations(root)
    except (OSError, ValueError):  # ValueError: a NUL byte in the path
        numbers = []
    found = [generation for number in numbers if (generation := _describe(root, number, pointer))]
    if not found:
        raise ModelNotFoundError(f"{root}: no model here; make one with 'matcher train'")
    return found


def _describe(root: Path, number: int, pointer: Pointer | None) -> Generation | None:
    folder = folder_of(root, number)
    path = folder / "manifest.json"
    is_current = bool(pointer and pointer.generation == number)
    try:
        status = folder.lstat()
    except OSError:  # collected in the meantime
        return None
    try:
        status = path.lstat()
        data = read_small(path, LARGEST_MANIFEST)
        manifest = parse_manifest(data, path)
        problem = ""
        if pointer and is_current and not pointer.names(data):
            problem = f"{path}: SHA-256 differs from CURRENT; train the model again"
    except ModelError as error:
        manifest, problem = None, str(error)
    except OSError as error:
        manifest, problem = None, f"{path}: {error.strerror or error}"
    return Generation(
        number,
        is_current,
        manifest.parent if manifest else 0,
        datetime.fromtimestamp(status.st_mtime, UTC),
        sum(size for size, _ in manifest.files.values()) if manifest else 0,
        manifest.content if manifest else {},
        problem,
    )


def rollback(path: str | os.PathLike[str], generation: int | None = None, *, key: bytes | None = None) -> int:
    """Make an older generation of the model at `path` current again.

    It is verified in full before anything changes. The next generation written gets a new number.

    Parameters
    ----------
    path : path-like
        The model directory.
    generation : int, optional
        Any that exists, a newer one too. By default the parent of the current one when that still exists,
        else the largest smaller number.
    key : bytes, optional
        Require that it was signed with it.

    Returns
    -------
    int
        The generation that is current now.

    Raises
    ------
    ModelNotFoundError
        When there is no such generation.
    ModelSchemaError, ModelDamagedError, ModelSignatureError
        When it cannot be used. The current one stays.
    ModelLockedError
        When another process or thread writes the model.
    ModelWriteError
        When CURRENT could not be written. The current one stays.

    Examples
    --------
    >>> import tempfile
    >>> from matcher.store import write_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for note in "ab":
    ...         _ = write_model(folder, {"note": note}, {})
    ...     rollback(folder), read_model(folder).content
    (1, {'note': 'a'})
    """
    check_generation(generation)
    root = Path(path)
    if not root.is_dir():
        raise ModelNotFoundError(f"{root}: no model here; make one with 'matcher train'")
    with lock_model(root):
        try:
            pointer = read_pointer(root)
        except ModelNotFoundError:
            if generation is None:
                raise
            pointer = None
        except (ModelDamagedError, OSError) as error:
            if generation is None:
                raise ModelDamagedError(
                    f"{root / 'CURRENT'}: cannot be read, so that what comes before is unknown ({error}): "
                    "name a generation"
                ) from error
            pointer = None
        target = generation or (_before(root, pointer) if pointer else 0)
        model = read_model(root, generation=target, key=key)
        last = pointer.last if pointer else max(generations(root))
        token = f"{os.getpid()}-{os.urandom(4).hex()}"
        try:
            replace_pointer(root, Pointer(target, model.manifest_sha256, max(last, target)), token)
        except OSError as error:
            reason = error.strerror or error
            raise ModelWriteError(f"{root}: {reason}; the generation that was current still is") from error
        finally:
            model.close()
        return target


def _before(root: Path, pointer: Pointer) -> int:
    """Return the generation to go back to from the current one."""
    numbers = [number for number in generations(root) if number < pointer.generation]
    described = {number: _describe(root, number, pointer) for number in [*numbers, pointer.generation]}
    current = described[pointer.generation]
    if current and current.parent in numbers:
        return current.parent
    for number in reversed(numbers):
        if (found := described[number]) and not found.problem:
            return number
    raise ModelNotFoundError(f"{root}: no generation before {pointer.generation} is left to go back to")
