"""A model directory: named arrays and a manifest, written atomically, checked when read.

::

    MODEL/CURRENT                      which generation, and the SHA-256 of its manifest
    MODEL/gen-00000001/manifest.json   format, versions, settings; size and SHA-256 of each file
    MODEL/gen-00000001/*.npy, *.txt    arrays and text

A new generation is written beside the old ones under a temporary name, made durable, renamed, and only
then does CURRENT change, by a rename too: a crash at any point leaves the old model or the new one.
Files are never overwritten, so a reader that has them mapped keeps what it opened.

This module knows nothing of ranking. Reading executes nothing: JSON, text, and ``.npy`` without pickle.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import re
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import (
    ModelDamagedError,
    ModelError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelWriteError,
)

__all__: Final = ["SCHEMA", "StoredModel", "read_model", "write_model"]

SCHEMA: Final = 1
"""Version of the format on disk. A model with another one is refused."""

_FORMAT: Final = "matcher-model"
_GENERATION: Final = re.compile(r"gen-(\d{8})\Z")
_LAST_GENERATION: Final = 99_999_999
_FILE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.(?:npy|txt)\Z", re.ASCII)
_ARRAY_MAGIC: Final = b"\x93NUMPY\x01\x00"
_ARRAY_HEADER: Final = re.compile(
    rb"\{'descr': '(<i8|<i4|<f8|<f4|\|u1|<u2|<u4|<u8)', 'fortran_order': False, "
    rb"'shape': \((\d{1,18}),\), \} *\n\Z"
)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_LONGEST_HEADER: Final = 1 << 10
_LARGEST_MANIFEST: Final = 1 << 20
_CHUNK: Final = 1 << 20
_ATTEMPTS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class StoredModel:
    """A model as it lies on disk.

    Parameters
    ----------
    generation : int
        Counted from 1.
    content : dict
        What the writer put in the manifest.
    files : dict of str to ndarray
        Arrays by name, memory-mapped and read-only; text files as ``uint8`` under ``NAME.txt``.
    bytes : int
        Size on disk of the generation, in bytes.
    maps : tuple of mmap
        What the arrays are mapped by.
    """

    generation: int
    content: dict[str, Any]
    files: dict[str, NDArray[np.generic]]
    bytes: int
    maps: tuple[mmap.mmap, ...] = ()

    def release(self) -> None:
        """Let go of the memory that checking took: what is needed again is mapped again, page by page.

        Examples
        --------
        >>> StoredModel(1, {}, {}, 0).release()
        """
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self.maps:
                with suppress(OSError):  # pages that the process has locked stay
                    mapped.madvise(mmap.MADV_DONTNEED)


def write_model(
    path: str | os.PathLike[str], content: Mapping[str, Any], files: Mapping[str, NDArray[Any]]
) -> int:
    """Write a new generation of the model at `path` and make it current.

    Parameters
    ----------
    path : path-like
        The model directory; made when missing.
    content : mapping
        JSON values for the manifest.
    files : mapping of str to ndarray
        Arrays by name. A name ending in ``.txt`` is written as text from its ``uint8`` array.

    Returns
    -------
    int
        The number of the new generation.

    Raises
    ------
    ModelWriteError
        When the disk is full, the place is not writable, and so on. The model there is unchanged.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_model(folder, {"note": 1}, {"numbers": np.arange(3)}), write_model(folder, {}, {})
    (1, 2)
    """
    root = Path(path)
    token = f"{os.getpid()}-{os.urandom(4).hex()}"
    temporary, pointer = root / f".tmp-{token}", root / f".current-{token}"
    try:
        root.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        listed = {}
        for name, array in sorted(files.items()):
            file_name, header, body = _serialise(name, array)
            listed[file_name] = _write_durably(temporary / file_name, header, body)
        manifest = json.dumps(
            {"format": _FORMAT, "schema": SCHEMA, "content": content, "files": listed},
            ensure_ascii=False,
            indent=1,
            sort_keys=True,
        ).encode()
        if len(manifest) > _LARGEST_MANIFEST:
            raise ModelWriteError(f"{root}: the manifest would be larger than {_LARGEST_MANIFEST:,} bytes")
        digest = _write_durably(temporary / "manifest.json", manifest)["sha256"]
        _sync_folder(temporary)
        generation = _publish(temporary, root)
        current = json.dumps({"generation": generation, "manifest_sha256": digest}, indent=1).encode() + b"\n"
        _write_durably(pointer, current)
        _replace_current(pointer, root, generation)
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        reason = getattr(error, "strerror", None) or error
        raise ModelWriteError(f"{root}: {reason}; the model there is unchanged") from error
    finally:
        with suppress(OSError, ValueError):
            shutil.rmtree(temporary, ignore_errors=True)
            pointer.unlink()
    return generation


def _replace_current(pointer: Path, root: Path, generation: int) -> None:
    """Make the new generation current; when the last sync fails, put back what was current before."""
    current = root / "CURRENT"
    before = current.read_bytes() if current.is_file() else None
    pointer.replace(current)
    try:
        _sync_folder(root)
    except OSError:
        # Whether the new pointer would survive a crash is unknown. The caller is told that nothing changed,
        # so make that true for everyone who reads from now on.
        with suppress(OSError):
            if before is None:
                current.unlink()
            else:
                pointer.write_bytes(before)
                pointer.replace(current)
        shutil.rmtree(root / f"gen-{generation:08d}", ignore_errors=True)
        raise


def _serialise(name: str, array: NDArray[Any]) -> tuple[str, bytes, memoryview]:
    """Return the name of an array's file, and its header and contents."""
    file_name = name if name.endswith(".txt") else f"{name}.npy"
    array = np.ascontiguousarray(array)
    buffer = io.BytesIO()
    if not name.endswith(".txt"):
        np.lib.format.write_array_header_1_0(buffer, np.lib.format.header_data_from_array_1_0(array))
    if not _FILE_NAME.match(file_name) or (buffer.tell() and not _header(buffer.getvalue())):
        raise ModelWriteError(
            f"{name!r} of {array.dtype} and {array.ndim} dimensions cannot be part of a model"
        )
    return file_name, buffer.getvalue(), array.reshape(-1).view(np.uint8).data


def _header(data: bytes) -> tuple[np.dtype[Any], int, int] | None:
    """Return type, length and offset of the array in an ``.npy`` file, or None when it is anything unusual.

    Stricter than numpy: format 1.0, one dimension, plain numbers. Nothing in the header is evaluated.
    """
    start = len(_ARRAY_MAGIC) + 2
    if not data.startswith(_ARRAY_MAGIC) or len(data) < start:
        return None
    end = start + int.from_bytes(data[start - 2 : start], "little")
    match = _ARRAY_HEADER.match(data[start:end])
    return (np.dtype(match[1].decode()), int(match[2]), end) if match else None


def _write_durably(path: Path, *parts: bytes | memoryview) -> dict[str, Any]:
    digest = hashlib.sha256()
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
        file.flush()
        os.fsync(file.fileno())
    return {"size": sum(map(len, parts)), "sha256": digest.hexdigest()}


def _sync_folder(path: Path) -> None:
    if os.name == "nt":  # Windows cannot open a folder; its renames are ordered by the journal
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(temporary: Path, root: Path) -> int:
    for _ in range(_ATTEMPTS):
        generation = max(_generations(root), default=0) + 1
        if generation > _LAST_GENERATION:
            raise ModelWriteError(f"{root}: no generation is left after {generation - 1}: start a new model")
        try:
            temporary.rename(root / f"gen-{generation:08d}")
        except OSError:
            if (root / f"gen-{generation:08d}").exists():  # another writer was faster: take the next number
                continue
            raise
        _sync_folder(root)
        return generation
    raise ModelWriteError(
        f"{root}: {_ATTEMPTS} other writers took the next generation first; try again later"
    )


def _generations(root: Path) -> list[int]:
    return [int(match[1]) for name in os.listdir(root) if (match := _GENERATION.match(name))]  # noqa: PTH208


def read_model(path: str | os.PathLike[str], *, verify: bool = True) -> StoredModel:
    """Open the current generation of the model at `path`.

    Parameters
    ----------
    path : path-like
    verify : bool
        Compare every file's SHA-256 with the manifest. Sizes and types are checked in any case.

    Raises
    ------
    ModelNotFoundError
        When there is no model.
    ModelSchemaError
        When it was written in another version of the format.
    ModelDamagedError
        When something is missing, altered or malformed.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_model(folder, {"note": 1}, {"numbers": np.arange(3)})
    ...     model = read_model(folder)
    >>> model.content, int(model.files["numbers"].sum())
    ({'note': 1}, 3)
    """
    root = Path(path)
    try:
        return _read_current(root, verify=verify)
    except ModelError:
        raise
    except FileNotFoundError as error:
        raise ModelDamagedError(f"{error.filename}: missing; train the model again") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ModelDamagedError(f"{root}: cannot be read ({error}); train the model again") from error


def _read_current(root: Path, *, verify: bool) -> StoredModel:
    pointer = root / "CURRENT"
    try:
        exists = pointer.exists() or pointer.is_symlink()
    except ValueError:  # a NUL byte in the path
        exists = False
    if not exists:
        raise ModelNotFoundError(f"{root}: no model here (no file CURRENT); make one with 'matcher train'")
    _check_regular(pointer)
    current = _parse_json(pointer)
    generation, digest = current.get("generation"), current.get("manifest_sha256")
    if type(generation) is not int or not 0 < generation < 10**8:
        raise ModelDamagedError(f"{pointer}: no valid generation")
    folder = root / f"gen-{generation:08d}"
    manifest_path = folder / "manifest.json"
    _check_regular(manifest_path)
    if _digest(manifest_path) != digest:
        raise ModelDamagedError(f"{manifest_path}: SHA-256 differs from CURRENT; train the model again")
    manifest = _parse_json(manifest_path)
    if manifest.get("format") != _FORMAT:
        raise ModelSchemaError(f"{manifest_path}: not a model of this library")
    if type(manifest.get("schema")) is not int or manifest["schema"] != SCHEMA:
        raise ModelSchemaError(
            f"{manifest_path}: schema {manifest.get('schema')!r}, but this version reads schema {SCHEMA}: "
            "train the model again, or install the version of matcher that wrote it"
        )
    files: dict[str, NDArray[np.generic]] = {}
    maps: list[mmap.mmap] = []
    total = 0
    for name, entry in manifest["files"].items():
        file = folder / name
        if not _FILE_NAME.match(name) or not _DIGEST.match(entry["sha256"]):
            raise ModelDamagedError(f"{manifest_path}: malformed entry {name!r}")
        _check_regular(file)
        if file.stat().st_size != entry["size"]:
            raise ModelDamagedError(f"{file}: its size differs from the manifest; train the model again")
        if verify and _digest(file) != entry["sha256"]:
            raise ModelDamagedError(f"{file}: SHA-256 differs from the manifest; train the model again")
        total += entry["size"]
        key = name if name.endswith(".txt") else name.removesuffix(".npy")
        files[key], mapped = _map_array(file)
        maps += mapped
    if not isinstance(manifest["content"], dict):
        raise ModelDamagedError(f"{manifest_path}: malformed content")
    return StoredModel(generation, manifest["content"], files, total, tuple(maps))


def _check_regular(path: Path) -> None:
    # A link could lead anywhere, and opening a FIFO would wait for ever.
    if path.is_symlink() or not path.is_file():
        raise ModelDamagedError(f"{path}: missing, or not a regular file; train the model again")


def _parse_json(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = file.read(_LARGEST_MANIFEST + 1)
    if len(data) > _LARGEST_MANIFEST:
        raise ModelDamagedError(f"{path}: larger than any manifest")
    parsed = json.loads(data)
    if not isinstance(parsed, dict):
        raise ModelDamagedError(f"{path}: not a JSON object")
    return parsed


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _map_array(path: Path) -> tuple[NDArray[np.generic], list[mmap.mmap]]:
    size = path.stat().st_size
    if path.suffix == ".txt":
        dtype, length, offset = np.dtype(np.uint8), size, 0
    else:
        with path.open("rb") as file:
            header = _header(file.read(_LONGEST_HEADER))
        if header is None:
            raise ModelDamagedError(f"{path}: not an array this library writes; train the model again")
        dtype, length, offset = header
    if offset + length * dtype.itemsize != size:
        raise ModelDamagedError(f"{path}: its header and its size do not fit; train the model again")
    if not length:  # an empty file cannot be mapped
        return np.zeros(0, dtype), []
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if len(mapped) != size:
        raise ModelDamagedError(f"{path}: it changed while it was opened; train the model again")
    return np.frombuffer(mapped, dtype, length, offset), [mapped]
