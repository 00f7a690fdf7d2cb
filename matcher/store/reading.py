"""Opening a generation: everything is checked before anything is used."""

from __future__ import annotations

import errno
import hashlib
import mmap
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError, ModelError, ModelNotFoundError, OptionError
from matcher.store.arrays import Mapped, array_name, map_arrays
from matcher.store.disk import StoredFile, open_regular, read_small
from matcher.store.locks import Hold, hold_shared
from matcher.store.manifest import LARGEST_MANIFEST, check_generation, folder_of, parse_manifest
from matcher.store.pointer import Pointer, read_pointer
from matcher.store.publishing import Published
from matcher.store.signatures import check_key, check_signature

__all__: Final = ["StoredModel", "open_published", "read_model"]

_ATTEMPTS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class StoredModel:
    """A model as it lies on disk. As long as it is not closed, its generation is not deleted.

    Parameters
    ----------
    root : Path
        The model directory.
    generation : int
        Counted from 1.
    content : dict
        What the writer put in the manifest.
    files : dict of str to ndarray
        Arrays by name, memory-mapped and read-only; text files as ``uint8`` under ``NAME.txt``.
    stored : dict of str to StoredFile
        Where they lie, by the same names.
    bytes : int
        Size on disk of the generation, in bytes.
    maps : dict of str to mmap
        What the arrays are mapped by; small ones are not.
    verified : bool
        Whether the SHA-256 of every file was compared.
    parent : int
        The generation that was current when this one was written, 0 when none was.
    manifest_sha256 : str
    pointer : Pointer, optional
        CURRENT as it was when it named this generation.
    hold : Hold, optional
        Its open manifest.
    """

    root: Path
    generation: int
    content: dict[str, Any]
    files: dict[str, NDArray[np.generic]]
    stored: dict[str, StoredFile]
    bytes: int
    maps: dict[str, mmap.mmap] = field(default_factory=dict)
    verified: bool = False
    parent: int = 0
    manifest_sha256: str = ""
    pointer: Pointer | None = field(default=None, repr=False)
    hold: Hold | None = field(default=None, repr=False)
    _current: str = field(default="", repr=False)

    def release(self) -> None:
        """Let go of the memory that checking took: what is needed again is mapped again, page by page.

        Examples
        --------
        >>> StoredModel(Path("models/jobs"), 1, {}, {}, {}, 0).release()
        """
        if hasattr(mmap, "MADV_DONTNEED"):
            for mapped in self.maps.values():
                with suppress(OSError):  # pages that the process has locked stay
                    mapped.madvise(mmap.MADV_DONTNEED)

    def close(self) -> None:
        """Let the generation be deleted; the arrays stay as they are. Happens by itself with the object.

        Examples
        --------
        >>> StoredModel(Path("models/jobs"), 1, {}, {}, {}, 0).close()
        """
        if self.hold:
            self.hold.close()

    def is_current(self) -> bool:
        """Return whether CURRENT is what it was when this generation was read; takes microseconds.

        False as well when CURRENT cannot be read, or named another generation at that time.

        Examples
        --------
        >>> from matcher.store import write_model
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = write_model(folder, {}, {})
        ...     model = read_model(folder)
        ...     before = model.is_current()
        ...     _ = write_model(folder, {}, {})
        ...     before, model.is_current()
        (True, False)
        """
        if not self.pointer:
            return False
        try:
            descriptor = os.open(self._current, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return False
        try:
            return os.read(descriptor, len(self.pointer.data) + 1) == self.pointer.data
        except OSError:
            return False
        finally:
            os.close(descriptor)


def read_model(
    path: str | os.PathLike[str],
    *,
    verify: bool = True,
    key: bytes | None = None,
    generation: int | None = None,
    previous: StoredModel | None = None,
) -> StoredModel:
    """Open a generation of the model at `path`, the current one unless another is named.

    Parameters
    ----------
    path : path-like
    verify : bool
        Compare every file's SHA-256 with the manifest. Sizes and types are checked in any case.
    key : bytes, optional
        Require that the manifest was signed with it.
    generation : int, optional
        Another than the current one. Its manifest is then vouched for by nothing but a signature.
    previous : StoredModel, optional
        A model that is open. Files that it has with the same SHA-256 are not mapped and hashed again: the
        arrays are the same objects. (When `verify` is set, only if it was verified itself.)

    Raises
    ------
    ModelNotFoundError
        When there is no model, or no such generation.
    ModelSchemaError
        When it was written in another version of the format.
    ModelSignatureError
        When it is not signed with the key.
    ModelDamagedError
        When something is missing, altered or malformed.
    OptionError
        When an argument makes no sense, such as a key without verifying.

    Examples
    --------
    >>> from matcher.store import write_model
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = write_model(folder, {"note": 1}, {"numbers": np.arange(3)})
    ...     model = read_model(folder)
    >>> model.content, int(model.files["numbers"].sum())
    ({'note': 1}, 3)
    """
    check_key(key)
    if key is not None and not verify:
        raise OptionError("a key without verify=True vouches for nothing: leave one of the two out")
    check_generation(generation)
    root = Path(path)
    try:
        return _read(root, verify, key, generation, previous)
    except ModelError:
        raise
    except FileNotFoundError as error:
        raise ModelDamagedError(f"{error.filename}: missing; train the model again") from None
    except (OSError, ValueError, OverflowError) as error:
        raise ModelDamagedError(f"{root}: cannot be read ({error}); train the model again") from error


def open_published(
    path: str | os.PathLike[str],
    published: Published,
    content: Mapping[str, Any],
    files: Mapping[str, NDArray[Any]],
) -> StoredModel:
    """Return what `write_model` wrote a moment ago as an open model: held, with the arrays it was given.

    Parameters
    ----------
    path : path-like
    published : Published
    content, files
        As given to `write_model`, by the same names.

    Raises
    ------
    ModelDamagedError
        When somebody has taken it away already.

    Examples
    --------
    >>> from matcher.store import write_model
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = {"numbers": np.arange(3)}
    ...     model = open_published(folder, write_model(folder, {}, files), {}, files)
    ...     model.generation, model.is_current(), model.files["numbers"] is files["numbers"]
    (1, True, True)
    """
    root = Path(path)
    manifest = folder_of(root, published.generation) / "manifest.json"
    try:
        hold = Hold(descriptor := open_regular(manifest))
        hold_shared(descriptor)
        data = read_small(descriptor, LARGEST_MANIFEST, manifest)
    except OSError as error:
        raise ModelDamagedError(f"{manifest}: cannot be read ({error}); save the model again") from error
    pointer = read_pointer(root)
    return StoredModel(
        root,
        published.generation,
        dict(content),
        dict(files),
        dict(published.files),
        sum(file.size for file in published.files.values()),
        verified=True,
        parent=parse_manifest(data, manifest).parent,
        manifest_sha256=hashlib.sha256(data).hexdigest(),
        pointer=pointer if pointer.generation == published.generation else None,
        hold=hold,
        _current=os.path.abspath(root / "CURRENT"),  # noqa: PTH100 - keeps links
    )


def _read(
    root: Path, verify: bool, key: bytes | None, generation: int | None, previous: StoredModel | None
) -> StoredModel:
    seen = None
    for _ in range(_ATTEMPTS):
        try:
            pointer = read_pointer(root)
        except ModelError:
            if generation is None:
                raise
            pointer = None
        number = generation or (pointer.generation if pointer else 0)
        if pointer and pointer.generation != number:
            pointer = None
        try:
            return _read_generation(root, number, pointer, verify, key, previous)
        except FileNotFoundError:
            if generation is not None and not folder_of(root, generation).exists():
                raise ModelNotFoundError(
                    f"{root}: no generation {generation} here; 'matcher history' lists those there are"
                ) from None
            if generation is not None or pointer == seen:
                raise  # nobody collected it while it was opened: it is missing
            seen = pointer
    raise ModelDamagedError(f"{root}: {_ATTEMPTS} times the generation was deleted while it was opened")


def _read_generation(
    root: Path,
    number: int,
    pointer: Pointer | None,
    verify: bool,
    key: bytes | None,
    previous: StoredModel | None,
) -> StoredModel:
    """Open one generation; FileNotFoundError when it, or a part of it, is missing or just being deleted."""
    folder = folder_of(root, number)
    path = folder / "manifest.json"
    if not stat.S_ISDIR(folder.lstat().st_mode):
        raise ModelDamagedError(f"{folder}: not a folder; train the model again")
    hold = Hold(descriptor := open_regular(path))
    # Locked first and then looked at: whoever deletes it locks it first and then renames it.
    if not hold_shared(descriptor) or not os.path.samestat(path.lstat(), os.fstat(descriptor)):
        raise FileNotFoundError(errno.ENOENT, "it is being deleted", str(path))
    data = read_small(descriptor, LARGEST_MANIFEST, path)
    digest = hashlib.sha256(data).hexdigest()
    if pointer and digest != pointer.sha256:
        raise ModelDamagedError(f"{path}: SHA-256 differs from CURRENT; train the model again")
    if key is not None:
        check_signature(key, data, folder / "signature")
    manifest = parse_manifest(data, path)
    there = Path(os.path.abspath(folder))  # noqa: PTH100 - keeps links
    arrays = _reuse(previous, manifest.files, there, verify) if previous else {}
    fresh = {name: entry for name, entry in manifest.files.items() if name not in arrays}
    arrays |= map_arrays(folder, fresh, verify=verify)
    names = {name: array_name(name) for name in manifest.files}
    return StoredModel(
        root,
        number,
        manifest.content,
        {names[name]: arrays[name][0] for name in names},
        {names[name]: StoredFile(there / name, *manifest.files[name]) for name in names},
        sum(size for size, _ in manifest.files.values()),
        {names[name]: mapped for name in names if (mapped := arrays[name][1])},
        verify,
        manifest.parent,
        digest,
        pointer,
        hold,
        str(there.parent / "CURRENT"),
    )


def _reuse(
    previous: StoredModel, files: Mapping[str, tuple[int, str]], folder: Path, verify: bool
) -> dict[str, Mapped]:
    """Return the arrays that a model opened before has already, by file name."""
    if verify and not previous.verified:
        return {}
    # Of the same kind too: the bytes of an array could also be listed as text.
    have = {(file.size, file.sha256, file.path.suffix): name for name, file in previous.stored.items()}
    found: dict[str, Mapped] = {}
    for file_name, (size, sha256) in files.items():
        path = folder / file_name
        if name := have.get((size, sha256, path.suffix)):
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                raise ModelDamagedError(f"{path}: not what the manifest says; train the model again")
            found[file_name] = previous.files[name], previous.maps.get(name)
    return found
