"""CURRENT: which generation of a model is current.

::

    {"generation": 7, "manifest_sha256": "..."}

It has the member ``last`` as well while it points back: the highest number that ever was current. No number
is given twice, even when the generation that had it is gone.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matcher.errors import ModelDamagedError, ModelNotFoundError, ModelWriteError
from matcher.store.disk import read_small, sync_folder, write_durably
from matcher.store.manifest import is_digest, is_number, parse_json

__all__: Final = ["Pointer", "read_pointer", "replace_pointer"]

_LARGEST: Final = 1 << 12


@dataclass(frozen=True, slots=True)
class Pointer:
    """What CURRENT says.

    Parameters
    ----------
    generation : int
    sha256 : str
        Of its manifest.
    last : int
        The highest number that ever was current.
    data : bytes
        The file as it was read.

    Examples
    --------
    >>> Pointer(7, "0" * 64, 7).generation
    7
    """

    generation: int
    sha256: str
    last: int
    data: bytes = b""

    def names(self, manifest: bytes) -> bool:
        """Return whether this is the manifest of the current generation.

        Examples
        --------
        >>> Pointer(7, "0" * 64, 7).names(b"{}")
        False
        """
        return hashlib.sha256(manifest).hexdigest() == self.sha256

    def render(self) -> bytes:
        """Return what to write; the same for the same generation, unless it points back.

        Examples
        --------
        >>> json.loads(Pointer(7, "ab", 7).render()), json.loads(Pointer(7, "ab", 8).render())["last"]
        ({'generation': 7, 'manifest_sha256': 'ab'}, 8)
        """
        record: dict[str, Any] = {"generation": self.generation, "manifest_sha256": self.sha256}
        if self.last > self.generation:
            record["last"] = self.last
        return json.dumps(record, indent=1).encode() + b"\n"


def read_pointer(root: Path) -> Pointer:
    """Read CURRENT.

    Raises
    ------
    ModelNotFoundError
        When there is none.
    ModelDamagedError
        When it is malformed.
    OSError
        When it cannot be read.

    Examples
    --------
    >>> read_pointer(Path("no/such/model"))
    Traceback (most recent call last):
    matcher.errors.ModelNotFoundError: no/such/model: no model here (no file CURRENT)...
    """
    path = root / "CURRENT"
    try:
        data = read_small(path, _LARGEST)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL byte in the path
        raise ModelNotFoundError(
            f"{root}: no model here (no file CURRENT); make one with 'matcher train'"
        ) from None
    record = parse_json(data, path)
    generation: Any = record.get("generation")
    digest: Any = record.get("manifest_sha256")
    last: Any = record.get("last", generation)
    if not is_number(generation, 1) or not is_number(last, 1) or last < generation:
        raise ModelDamagedError(f"{path}: no valid generation; train the model again")
    if not is_digest(digest) or record.keys() - {"generation", "manifest_sha256", "last"}:
        raise ModelDamagedError(f"{path}: malformed; train the model again")
    return Pointer(generation, digest, last, data)


def replace_pointer(root: Path, pointer: Pointer, token: str) -> None:
    """Make another generation current, durably; when that fails, what was current before is so again.

    Parameters
    ----------
    root : Path
    pointer : Pointer
    token : str
        For a temporary name that nobody else uses.

    Raises
    ------
    OSError
        When it failed, and nothing has changed.
    ModelWriteError
        When it failed, and putting back failed as well: then the new generation is current for now.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_pointer(Path(folder), Pointer(1, "0" * 64, 1), "x")
    ...     read_pointer(Path(folder)).generation
    1
    """
    current, temporary = root / "CURRENT", root / f".current-{token}"
    before = current.read_bytes() if current.is_file() else None
    try:
        write_durably(temporary, pointer.render())
        temporary.replace(current)
        try:
            sync_folder(root)
        except OSError as error:
            # Whether the new pointer would survive a crash is unknown. The caller is told that nothing
            # changed, so make that true for everyone who reads from now on, after a crash too.
            try:
                if before is None:
                    current.unlink()
                else:
                    write_durably(temporary, before)
                    temporary.replace(current)
                sync_folder(root)
            except OSError:
                raise ModelWriteError(
                    f"{root}: {error.strerror}; generation {pointer.generation} is current, "
                    "but may be so no longer after a power cut: save again"
                ) from error
            raise
    finally:
        with suppress(OSError):
            temporary.unlink()
