"""Arrays as files: a strict subset of numpy's ``.npy``, and text; written from memory, read by mapping.

Nothing in a file is evaluated or unpickled: a header that is anything unusual is refused.
"""

from __future__ import annotations

import hashlib
import io
import mmap
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError, ModelWriteError
from matcher.store.disk import in_threads, open_regular, read_small

__all__: Final = ["Mapped", "array_name", "is_file_name", "map_arrays", "serialise"]

_FILE_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.(?:npy|txt)\Z", re.ASCII)
_ARRAY_MAGIC: Final = b"\x93NUMPY\x01\x00"
_ARRAY_HEADER: Final = re.compile(
    rb"\{'descr': '(<i8|<i4|<f8|<f4|\|u1|<u2|<u4|<u8)', 'fortran_order': False, "
    rb"'shape': \((\d{1,18}),\), \} *\n\Z"
)
_LONGEST_HEADER: Final = 1 << 10
_ALIGNMENT: Final = 64
# Below this a second thread costs more than it saves.
_WORTH_THREADS: Final = 16 << 20
_LARGEST_READ: Final = 1 << 16

Mapped = tuple[NDArray[np.generic], mmap.mmap | None]
"""An array, and what it is mapped by (None when it is small)."""


def is_file_name(name: str) -> bool:
    """Return whether a file of a model may have this name.

    Examples
    --------
    >>> is_file_name("text.rows.npy"), is_file_name("../secrets.txt")
    (True, False)
    """
    return bool(_FILE_NAME.match(name))


def array_name(file_name: str) -> str:
    """Return the name of the array in a file.

    Examples
    --------
    >>> array_name("text.rows.npy"), array_name("ids.txt")
    ('text.rows', 'ids.txt')
    """
    return file_name.removesuffix(".npy")


def serialise(name: str, array: NDArray[Any]) -> tuple[str, bytes, memoryview]:
    """Return the name of an array's file, its header and its contents.

    Parameters
    ----------
    name : str
        With ``.txt`` at the end, the bytes are written as they are.
    array : ndarray
        One dimension of plain numbers; contents are not copied when they lie in one piece.

    Raises
    ------
    ModelWriteError
        When it could not be read back.

    Examples
    --------
    >>> file_name, header, body = serialise("numbers", np.arange(3))
    >>> file_name, len(header), len(body)
    ('numbers.npy', 128, 24)
    """
    file_name = name if name.endswith(".txt") else f"{name}.npy"
    array = np.ascontiguousarray(array)
    header = b"" if name.endswith(".txt") else _render_header(array.dtype, array.shape)
    if not is_file_name(file_name) or (header and not _header(header)):
        raise ModelWriteError(
            f"{name!r} of {array.dtype} and {array.ndim} dimensions cannot be part of a model"
        )
    return file_name, header, array.reshape(-1).view(np.uint8).data


@lru_cache(maxsize=1 << 12)  # a new generation has mostly the arrays of the one before
def _render_header(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    buffer = io.BytesIO()
    described = {"shape": shape, "fortran_order": False, "descr": np.lib.format.dtype_to_descr(dtype)}
    np.lib.format.write_array_header_1_0(buffer, described)
    return buffer.getvalue()


def map_arrays(folder: Path, entries: Mapping[str, tuple[int, str]], *, verify: bool) -> dict[str, Mapped]:
    """Map files of a folder into memory and check them, the largest first, in two threads when it is much.

    Parameters
    ----------
    folder : Path
    entries : mapping of str to (int, str)
        Size and SHA-256 by file name.
    verify : bool
        Compare the SHA-256 of what was mapped. Sizes and types are checked in any case.

    Returns
    -------
    dict of str to Mapped
        By file name.

    Raises
    ------
    ModelDamagedError
        When a file is not what the entry says, or no array that this library writes.
    OSError
        When a file is missing, not readable, and so on.

    Examples
    --------
    >>> import tempfile
    >>> from matcher.store.disk import write_durably
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = write_durably(Path(folder, "a.txt"), b"ab")
    ...     map_arrays(Path(folder), {"a.txt": (file.size, file.sha256)}, verify=True)["a.txt"][0].tolist()
    [97, 98]
    """

    def read(name: str) -> Mapped:
        size, sha256 = entries[name]
        return _map_array(folder / name, size, sha256 if verify else "")

    largest_first = sorted(entries, key=lambda name: (-entries[name][0], name))
    much = verify and sum(size for size, _ in entries.values()) > _WORTH_THREADS
    return dict(zip(largest_first, in_threads(read, largest_first, 2 if much else 1), strict=True))


def _map_array(path: Path, size: int, sha256: str) -> Mapped:
    descriptor = open_regular(path)
    try:
        if os.fstat(descriptor).st_size != size:
            raise ModelDamagedError(f"{path}: its size differs from the manifest; train the model again")
        # A map keeps a descriptor open, of which a process may have few: what is small is read.
        # Mapping fails when the file has become shorter in the meantime.
        mapped = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size > _LARGEST_READ else None
        data = read_small(descriptor, size, path) if mapped is None else mapped
        if len(data) != size:
            raise ModelDamagedError(f"{path}: it became shorter while it was read; train the model again")
    finally:
        os.close(descriptor)
    # What is hashed is what will be used.
    if sha256 and hashlib.sha256(data).hexdigest() != sha256:
        raise ModelDamagedError(f"{path}: SHA-256 differs from the manifest; train the model again")
    if path.suffix == ".txt":
        dtype, length, offset = np.dtype(np.uint8), size, 0
    else:
        header = _header(data[:_LONGEST_HEADER])
        if header is None:
            raise ModelDamagedError(f"{path}: not an array this library writes; train the model again")
        dtype, length, offset = header
    if offset + length * dtype.itemsize != size:
        raise ModelDamagedError(f"{path}: its header and its size do not fit; train the model again")
    if not length:
        return np.zeros(0, dtype), None
    return np.frombuffer(data, dtype, length, offset), mapped


def _header(data: bytes) -> tuple[np.dtype[Any], int, int] | None:
    """Return type, length and offset of the array in an ``.npy`` file, or None when it is anything unusual.

    Stricter than numpy: format 1.0, one dimension, plain numbers, aligned. Nothing in the header is
    evaluated.
    """
    start = len(_ARRAY_MAGIC) + 2
    if not data.startswith(_ARRAY_MAGIC) or len(data) < start:
        return None
    end = start + int.from_bytes(data[start - 2 : start], "little")
    match = _ARRAY_HEADER.match(data[start:end])
    if not match or end % _ALIGNMENT:
        return None
    return np.dtype(match[1].decode()), int(match[2]), end
