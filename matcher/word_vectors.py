"""Word vectors: a table of words and phrases with a short vector of small integers each.

Texts whose words have vectors that point the same way mean much the same, whether or not they share a word.
The vector of a text is the sum of its words' vectors, so a word's length is its weight, and the cosine of
two texts is a sum over pairs of their words. A table comes with the library (`WordVectors.shipped`) or is
learned from one's own postings (`matcher.word_learning`).

On disk a table is a folder with three files: the words as text, the vectors as ``.npy``, and a manifest that
names both with their sizes and SHA-256. They are mapped into memory, never executed or unpickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import os
import re
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import (
    ModelDamagedError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelWriteError,
    OptionError,
)
from matcher.strings import BASE, Found, Strings, StringTable
from matcher.tokens import Tokens

__all__: Final = ["SCHEMA", "WordVectors", "quantise"]

SCHEMA: Final = 1
"""Of the folder; raised when its files change."""

LONGEST: Final = 8
"""Tokens of a phrase, at most."""

MOST_DIMENSIONS: Final = 4096

_MANIFEST: Final = "manifest.json"
_WORDS: Final = "words.txt"
_VECTORS: Final = "vectors.npy"
_LARGEST_MANIFEST: Final = 1 << 16
_LONGEST_HEADER: Final = 1 << 10
_HEADER: Final = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '\|i1', 'fortran_order': False, "
    rb"'shape': \((\d{1,9}), (\d{1,4})\), \} *\n",
    re.DOTALL,
)
_SHIPPED: Final = (
    Path(__file__).parent / "_words",  # in a wheel
    Path(__file__).parent.parent / "models" / "words",  # in a checkout
)


@dataclass(frozen=True, slots=True, eq=False)
class WordVectors:
    """Words and phrases with their vectors; `from_arrays` makes one, after checking.

    Parameters
    ----------
    words : StringTable
        Sorted by their UTF-8 bytes, each once. A word is a token as `matcher.analyzer` makes them; a phrase
        is neighbouring tokens written together: ``registerednurse``.
    vectors : ndarray of int8, shape (words, dimensions)
        All in one scale; a longer vector weighs more.
    identity : str
        SHA-256 of words and vectors, 64 hexadecimal digits: the same for the same table, wherever it lies.
    longest : int
        Tokens of the longest phrase; 1 when there are only words.

    Examples
    --------
    >>> table = WordVectors.from_arrays(["cook", "nurse"], [[3, 0], [0, 4]])
    >>> len(table), table.dimensions, table.vectors[table.words.find("nurse")]
    (2, 2, array([0, 4], dtype=int8))
    """

    words: StringTable
    vectors: NDArray[np.int8]
    identity: str
    longest: int = 1

    @classmethod
    def from_arrays(cls, words: Any, vectors: Any, *, longest: int = 1) -> WordVectors:
        """Return the table of words and vectors.

        Parameters
        ----------
        words : StringTable or sequence of str
            Sorted by their UTF-8 bytes (as `sorted` does), each once.
        vectors : array-like of int8, shape (words, dimensions)
        longest : int
            Tokens of the longest phrase among the words, 1 to 8.

        Raises
        ------
        OptionError
            When words are not sorted or not unique, when vectors are not whole numbers from -128 to 127, or
            when the two do not fit together.

        Examples
        --------
        >>> WordVectors.from_arrays(["b", "a"], [[1], [2]])
        Traceback (most recent call last):
        matcher.errors.OptionError: words of a table of word vectors must be sorted and unique
        """
        given = np.asarray(vectors)
        if given.size and (given.dtype.kind not in "iu" or given.min() < -128 or given.max() > 127):
            raise OptionError("word vectors must be whole numbers from -128 to 127: see quantise")
        table = words if isinstance(words, StringTable) else StringTable.from_strings(words)
        if not 1 <= longest <= LONGEST:
            raise OptionError(f"a phrase has 1 to {LONGEST} tokens, got {longest!r}")
        if given.ndim != 2 or len(given) != len(table) or not 1 <= given.shape[1] <= MOST_DIMENSIONS:
            raise OptionError(
                f"{len(table):,} words need vectors of shape ({len(table)}, 1 to {MOST_DIMENSIONS}), "
                f"got {given.shape}"
            )
        try:
            StringTable.from_files(table.to_files("words"), "words", unique=True)
        except ModelDamagedError:
            raise OptionError("words of a table of word vectors must be sorted and unique") from None
        numbers = np.array(given, np.int8, order="C")
        numbers.flags.writeable = False
        return cls(table, numbers, _identify(table, numbers, longest), longest)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has.

        Examples
        --------
        >>> WordVectors.from_arrays(["cook"], [[3, 0]]).dimensions
        2
        """
        return int(self.vectors.shape[1])

    def find(self, tokens: Tokens) -> Found:
        """Return the positions of the words and phrases of texts, with repeats.

        Only tokens that count as features are looked at; phrases are made of neighbours among them, none from
        two texts. A phrase comes in addition to its words.

        Returns
        -------
        Found
            Text after text, in the order of the text; what begins at the same token, shortest first.

        Examples
        --------
        >>> from matcher.tokens import split_in_python
        >>> table = WordVectors.from_arrays(["nurse", "registerednurse"], [[1], [2]], longest=2)
        >>> table.find(split_in_python(["cook", "the nurse, a registered nurse"]))
        Found(positions=array([0, 1, 0]), owners=array([1, 1, 1]))
        """
        if self.longest == 1:
            return tokens.find_features(self.words)
        features = tokens.features()
        owners = np.repeat(np.arange(len(tokens.bounds) - 1), np.diff(tokens.bounds))[tokens.is_feature]
        powers = np.power(BASE, np.diff(features.offsets).astype(np.uint64))
        hashes = features.hashes
        places, positions = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for size in range(1, min(self.longest, len(features)) + 1):
            if size > 1:  # the hash of a run follows from those of its parts
                hashes = hashes[:-1] * powers[size - 1 :] + features.hashes[size - 1 :]
            for first in range(size):
                # Every size-th run has neighbours that neither overlap nor leave a gap.
                offsets = np.ascontiguousarray(features.offsets[first::size])
                starts = first + size * np.arange(len(offsets) - 1)
                runs = Strings(features.data, offsets, hashes[starts], compiled=features.compiled)
                found = self.words.find_many(runs)
                kept = (found >= 0) & (owners[starts] == owners[starts + size - 1])
                places.append(starts[kept])
                positions.append(found[kept])
        place = np.concatenate(places)
        order = np.argsort(place, kind="stable")
        return Found(np.concatenate(positions)[order], owners[place[order]])

    def write(self, folder: Path | str, *, source: str = "", licence: str = "") -> None:
        """Write the table into a new folder; it appears when all of it has reached the disk.

        Parameters
        ----------
        folder : Path or str
            Must not exist, or be empty.
        source, licence : str
            What the vectors were learned from and who may use them, for people to read.

        Raises
        ------
        ModelWriteError
            When there is something already, or the disk does not take it.

        Examples
        --------
        >>> import tempfile
        >>> table = WordVectors.from_arrays(["cook"], [[3, 0]])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table.write(Path(folder, "words"))
        ...     WordVectors.load(Path(folder, "words")).identity == table.identity
        True
        """
        folder = Path(folder)
        buffer = io.BytesIO()
        np.lib.format.write_array(buffer, self.vectors, version=(1, 0), allow_pickle=False)
        files = {_WORDS: self.words.lines.tobytes(), _VECTORS: buffer.getvalue()}
        manifest = {
            "schema": SCHEMA,
            "words": len(self),
            "dimensions": self.dimensions,
            "longest": self.longest,
            "identity": self.identity,
            "source": source,
            "licence": licence,
            "files": {
                name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
                for name, data in files.items()
            },
        }
        files[_MANIFEST] = (json.dumps(manifest, indent=1, ensure_ascii=False) + "\n").encode()
        unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
        try:
            if os.path.lexists(folder) and (folder.is_symlink() or any(folder.iterdir())):
                raise ModelWriteError(f"{folder}: already there; delete it first or choose another folder")
            unfinished.mkdir(parents=True)
            for name, data in files.items():
                with (unfinished / name).open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            unfinished.rename(folder)
        except OSError as error:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise ModelWriteError(f"{folder}: {error.strerror or error}; no word vectors written") from None

    @classmethod
    def load(cls, folder: Path | str) -> WordVectors:
        """Return the table in a folder, mapped into memory, after checking all of it.

        Raises
        ------
        ModelNotFoundError
            When there is no table.
        ModelSchemaError
            When another version of the library wrote it.
        ModelDamagedError
            When anything differs from the manifest or makes no sense; nothing of it is used.

        Examples
        --------
        >>> WordVectors.load("no/such/words")
        Traceback (most recent call last):
        matcher.errors.ModelNotFoundError: no/such/words: no word vectors here (no file manifest.json)...
        """
        folder = Path(folder)
        manifest = _read_manifest(folder)
        lines = _map(folder / _WORDS, manifest["files"][_WORDS])
        data = _map(folder / _VECTORS, manifest["files"][_VECTORS])
        header = _HEADER.match(data[:_LONGEST_HEADER].tobytes())
        if header is None or int.from_bytes(data[8:10].tobytes(), "little") + 10 != header.end():
            raise ModelDamagedError(f"{folder / _VECTORS}: not an array of int8 as this library writes them")
        shape = manifest["words"], manifest["dimensions"]
        ends = np.flatnonzero(lines == ord("\n")) + 1
        if tuple(map(int, header.groups())) != shape or len(data) - header.end() != shape[0] * shape[1]:
            raise ModelDamagedError(f"{folder / _VECTORS}: its shape is not that of the manifest")
        if len(ends) != shape[0]:
            raise ModelDamagedError(f"{folder / _WORDS}: not as many lines as words in the manifest")
        offsets = np.concatenate([np.zeros(1, np.int64), ends])
        name = str(folder / _WORDS).removesuffix(".txt")
        words = StringTable.from_files({f"{name}.txt": lines, f"{name}.offsets": offsets}, name, unique=True)
        vectors = data[header.end() :].view(np.int8).reshape(shape)
        identity = _identify(words, vectors, manifest["longest"])
        if identity != manifest.get("identity"):
            raise ModelDamagedError(f"{folder / _MANIFEST}: words and vectors are not those it identifies")
        return cls(words, vectors, identity, manifest["longest"])

    @staticmethod
    def shipped() -> WordVectors:
        """Return the table that comes with the library, loaded when first asked for.

        Raises
        ------
        OptionError
            When this installation came without one.

        Examples
        --------
        >>> table = WordVectors.shipped()
        >>> table is WordVectors.shipped(), table.words.find("nurse") >= 0
        (True, True)
        """
        return _load_shipped()

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the table as arrays of one dimension, for a model to keep.

        Examples
        --------
        >>> sorted(WordVectors.from_arrays(["cook"], [[3, 0]]).to_files("semantic"))
        ['semantic.shape', 'semantic.vectors', 'semantic.words.offsets', 'semantic.words.txt']
        """
        return {
            **self.words.to_files(f"{name}.words"),
            f"{name}.vectors": self.vectors.reshape(-1).view(np.uint8),
            f"{name}.shape": np.array([*self.vectors.shape, self.longest], np.int64),
        }

    @classmethod
    def from_files(cls, files: Mapping[str, NDArray[np.generic]], name: str) -> WordVectors:
        """Return the table that `to_files` wrote under `name`, after checking that it is sound.

        Raises
        ------
        ModelDamagedError
            When the arrays do not fit together, or words are not sorted.

        Examples
        --------
        >>> table = WordVectors.from_arrays(["cook"], [[3, 0]])
        >>> WordVectors.from_files(table.to_files("semantic"), "semantic").identity == table.identity
        True
        """
        words = StringTable.from_files(files, f"{name}.words", unique=True)
        numbers, described = files[f"{name}.vectors"], files[f"{name}.shape"]
        if described.dtype != np.int64 or described.shape != (3,) or numbers.dtype != np.uint8:
            raise ModelDamagedError(f"{name}.shape, {name}.vectors: unexpected array types")
        count, dimensions, longest = map(int, described)
        if (
            count != len(words)
            or not 1 <= dimensions <= MOST_DIMENSIONS
            or not 1 <= longest <= LONGEST
            or numbers.shape != (count * dimensions,)
        ):
            raise ModelDamagedError(f"{name}.shape: words and vectors do not fit together")
        vectors = np.ascontiguousarray(numbers).view(np.int8).reshape(count, dimensions)
        vectors.flags.writeable = False
        return cls(words, vectors, _identify(words, vectors, longest), longest)


def quantise(vectors: NDArray[np.floating[Any]]) -> NDArray[np.int8]:
    """Return vectors as whole numbers from -127 to 127, all in the scale of the largest number.

    Parameters
    ----------
    vectors : ndarray of float, shape (words, dimensions)
        Finite.

    Examples
    --------
    >>> quantise(np.array([[0.5, -1.0], [0.004, 0.003]]))
    array([[  64, -127],
           [   1,    0]], dtype=int8)
    """
    largest = float(np.abs(vectors).max(initial=0.0))
    scale = 127.0 / largest if largest > 0 else 0.0
    return np.round(vectors * scale).astype(np.int8)


@cache
def _load_shipped() -> WordVectors:
    for folder in _SHIPPED:
        if (folder / _MANIFEST).is_file():
            return WordVectors.load(folder)
    raise OptionError(
        "this installation of matcher came without word vectors (no folder matcher/_words): install it again "
        "from a wheel, learn vectors from your own postings, or leave the block out"
    )


def _identify(words: StringTable, vectors: NDArray[np.int8], longest: int) -> str:
    digest = hashlib.sha256(f"{vectors.shape[0]} {vectors.shape[1]} {longest}\n".encode())
    digest.update(words.lines.data)
    digest.update(np.ascontiguousarray(vectors).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def _read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest, every entry of the type it must have."""
    path = folder / _MANIFEST
    descriptor = _open(path, f"{folder}: no word vectors here (no file {_MANIFEST}): build or install them")
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_LARGEST_MANIFEST + 1)
    try:
        manifest = json.loads(data.decode()) if len(data) <= _LARGEST_MANIFEST else None
    except (ValueError, RecursionError):
        manifest = None
    if not isinstance(manifest, dict):
        raise ModelDamagedError(f"{path}: not a manifest of word vectors; install or build them again")
    schema = manifest.get("schema")
    if type(schema) is int and schema != SCHEMA:
        raise ModelSchemaError(
            f"{path}: schema {schema}, this library reads {SCHEMA}: use word vectors of its own version"
        )
    limits = {"schema": (1, SCHEMA), "words": (0, 10**9 - 1), "dimensions": (1, MOST_DIMENSIONS)}
    for name, (least, most) in {**limits, "longest": (1, LONGEST)}.items():
        value = manifest.get(name)
        if type(value) is not int or not least <= value <= most:
            raise ModelDamagedError(f"{path}: {name} is not a number from {least} to {most}")
    files = manifest.get("files")
    if (
        not isinstance(files, dict)
        or set(files) != {_WORDS, _VECTORS}
        or not all(
            isinstance(entry, dict) and type(entry.get("size")) is int and type(entry.get("sha256")) is str
            for entry in files.values()
        )
    ):
        raise ModelDamagedError(f"{path}: it does not say sizes and SHA-256 of {_WORDS} and {_VECTORS}")
    return manifest


def _open(path: Path, missing: str) -> int:
    """Open a regular file: links are not followed, and nobody waits for a FIFO."""
    try:
        if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():  # Windows
            raise ModelDamagedError(f"{path}: not a regular file; install or build the word vectors again")
        flags = [getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY")]
        descriptor = os.open(path, os.O_RDONLY | sum(flags))
    except (FileNotFoundError, NotADirectoryError):
        raise ModelNotFoundError(missing) from None
    except OSError as error:
        raise ModelDamagedError(
            f"{path}: {error.strerror}; install or build the word vectors again"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ModelDamagedError(f"{path}: not a regular file; install or build the word vectors again")
    return descriptor


def _map(path: Path, entry: Mapping[str, Any]) -> NDArray[np.uint8]:
    """Return the bytes of a file, mapped, after comparing them with the manifest's entry."""
    descriptor = _open(path, f"{path}: missing; install or build the word vectors again")
    size, data = os.fstat(descriptor).st_size, None
    try:
        if size == entry["size"]:
            with suppress(ValueError):  # it became shorter in the meantime
                data = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else b""
    finally:
        os.close(descriptor)
    # What is hashed is what will be used.
    if data is None or hashlib.sha256(data).hexdigest() != entry["sha256"]:
        raise ModelDamagedError(
            f"{path}: size or SHA-256 differs from the manifest; install or build it again"
        )
    return np.frombuffer(data, np.uint8)
