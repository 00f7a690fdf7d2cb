"""The manifest of a generation: read as hostile input, written so that it can be read back.

::

    {"format": "matcher-model", "schema": 2, "parent": 6, "content": {...},
     "files": {"numbers.npy": {"size": 168, "sha256": "..."}}}
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matcher.errors import ModelDamagedError, ModelSchemaError, ModelWriteError, OptionError
from matcher.store.arrays import is_file_name

__all__: Final = [
    "LARGEST_MANIFEST",
    "LAST_GENERATION",
    "SCHEMA",
    "Manifest",
    "check_generation",
    "folder_of",
    "generations",
    "is_digest",
    "is_number",
    "is_ours",
    "parse_json",
    "parse_manifest",
    "render_manifest",
]

SCHEMA: Final = 2
"""Version of the format on disk. A model with another one is refused."""

LAST_GENERATION: Final = 99_999_999
LARGEST_MANIFEST: Final = 1 << 20

_FORMAT: Final = "matcher-model"
_NEXT: Final = ",\n"
_GENERATION: Final = re.compile(r"gen-(\d{8})\Z", re.ASCII)
_DIGEST: Final = re.compile(r"[0-9a-f]{64}\Z")
_MEMBERS: Final = {"format", "schema", "parent", "content", "files"}


def check_generation(generation: int | None) -> None:
    """Raise unless a generation can have this number.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> check_generation(0)
    Traceback (most recent call last):
    matcher.errors.OptionError: generation must be a whole number of at least 1, got 0
    """
    if generation is not None and not is_number(generation, 1):
        raise OptionError(f"generation must be a whole number of at least 1, got {generation!r}")


def folder_of(root: Path, generation: int) -> Path:
    """Return the folder of a generation.

    Examples
    --------
    >>> folder_of(Path("models"), 7).name
    'gen-00000007'
    """
    return root / f"gen-{generation:08d}"


def generations(root: Path) -> list[int]:
    """Return the numbers of the generations in a model directory, ascending, whatever they hold.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     folder_of(Path(folder), 7).mkdir()
    ...     generations(Path(folder))
    [7]
    """
    return sorted(int(match[1]) for name in os.listdir(root) if (match := _GENERATION.match(name)))  # noqa: PTH208


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """What a manifest says.

    Parameters
    ----------
    parent : int
        The generation that was current when this one was written; 0 when none was.
    content : dict
        What the writer put there.
    files : dict of str to (int, str)
        Size and SHA-256 by file name.

    Examples
    --------
    >>> Manifest(0, {"note": 1}, {}).content
    {'note': 1}
    """

    parent: int
    content: dict[str, Any]
    files: dict[str, tuple[int, str]]


def render_manifest(content: Mapping[str, Any], files: Mapping[str, tuple[int, str]], parent: int) -> bytes:
    """Return a manifest as bytes; the same for the same arguments.

    Raises
    ------
    ModelWriteError
        When it could not be read back.

    Examples
    --------
    >>> parse_manifest(render_manifest({"note": 1}, {}, 0), Path("manifest.json")).content
    {'note': 1}
    """
    # A file a line: hundreds of them, which the encoder that indents would take its time for.
    entries = (
        f'{json.dumps(name)}: {{"sha256": "{sha256}", "size": {size}}}'
        for name, (size, sha256) in sorted(files.items())
    )
    try:
        described = json.dumps(content, allow_nan=False, ensure_ascii=False, indent=1, sort_keys=True)
        data = (
            f'{{\n"content": {described},\n"files": {{\n{_NEXT.join(entries)}\n}},\n'
            f'"format": "{_FORMAT}",\n"parent": {parent},\n"schema": {SCHEMA}\n}}'
        ).encode()
        parse_json(data, Path())  # a key given as text and as number would be there twice
    except (TypeError, ValueError, RecursionError, ModelDamagedError) as error:
        raise ModelWriteError(f"the content cannot be written as JSON ({error})") from error
    if len(data) > LARGEST_MANIFEST:
        raise ModelWriteError(f"the manifest would be larger than {LARGEST_MANIFEST:,} bytes")
    return data


def parse_manifest(data: bytes, path: Path) -> Manifest:
    """Check a manifest.

    Raises
    ------
    ModelSchemaError
        When it is none of this library, or of another version.
    ModelDamagedError
        When it is malformed.

    Examples
    --------
    >>> parse_manifest(b"{}", Path("manifest.json"))
    Traceback (most recent call last):
    matcher.errors.ModelSchemaError: manifest.json: not a model of this library
    """
    record = parse_json(data, path)
    if record.get("format") != _FORMAT:
        raise ModelSchemaError(f"{path}: not a model of this library")
    if not is_number(record.get("schema"), SCHEMA, SCHEMA):
        raise ModelSchemaError(
            f"{path}: schema {record.get('schema')!r:.40}, but this version reads schema {SCHEMA}: "
            "train the model again, or install the version of matcher that wrote it"
        )
    if record.keys() != _MEMBERS:
        odd = sorted(record.keys() ^ _MEMBERS)[0]
        raise ModelDamagedError(f"{path}: {odd!r:.40} is missing or unknown; train the model again")
    if not isinstance(record["content"], dict) or not is_number(record["parent"], 0):
        raise ModelDamagedError(f"{path}: malformed content or parent; train the model again")
    if not isinstance(record["files"], dict):
        raise ModelDamagedError(f"{path}: malformed files; train the model again")
    files = {}
    for name, entry in record["files"].items():
        if not is_file_name(name) or not isinstance(entry, dict) or entry.keys() != {"size", "sha256"}:
            raise ModelDamagedError(f"{path}: malformed entry {name!r:.80}; train the model again")
        if not is_number(entry["size"], 0, 1 << 62) or not is_digest(entry["sha256"]):
            raise ModelDamagedError(f"{path}: malformed entry {name!r:.80}; train the model again")
        files[name] = (entry["size"], entry["sha256"])
    return Manifest(record["parent"], record["content"], files)


def is_ours(data: bytes) -> bool:
    """Return whether a manifest is of this library, in whatever version.

    Examples
    --------
    >>> is_ours(b'{"format": "matcher-model", "schema": 1}'), is_ours(b"hello")
    (True, False)
    """
    try:
        return parse_json(data, Path()).get("format") == _FORMAT
    except ModelDamagedError:
        return False


def parse_json(data: bytes, path: Path) -> dict[str, Any]:
    """Return a JSON object in which no key is there twice and every number is one.

    Raises
    ------
    ModelDamagedError
        When it is anything else.

    Examples
    --------
    >>> parse_json(b'{"a": 1, "a": 2}', Path("CURRENT"))
    Traceback (most recent call last):
    matcher.errors.ModelDamagedError: CURRENT: not valid JSON (a key is there twice); train the model again
    """
    try:
        parsed = json.loads(data, object_pairs_hook=_once_each, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ModelDamagedError(f"{path}: not valid JSON ({error}); train the model again") from None
    if not isinstance(parsed, dict):
        raise ModelDamagedError(f"{path}: not a JSON object; train the model again")
    return parsed


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Readers differ in which of two they take: who signs one must not have another one read.
    if len(record := dict(pairs)) != len(pairs):
        raise ValueError("a key is there twice")
    return record


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


def is_number(value: object, least: int, most: int = LAST_GENERATION) -> bool:
    """Return whether a JSON value is a whole number between two bounds.

    Examples
    --------
    >>> is_number(7, 1), is_number(True, 0), is_number(7.0, 1)
    (True, False, False)
    """
    return type(value) is int and least <= value <= most  # bool is a child of int


def is_digest(value: object) -> bool:
    """Return whether a JSON value is a SHA-256 as this library writes it.

    Examples
    --------
    >>> is_digest("0" * 64), is_digest("0")
    (True, False)
    """
    return isinstance(value, str) and bool(_DIGEST.match(value))
