"""A file or stream -> `Profile`."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePath
from typing import BinaryIO, Final, TextIO, cast

from matcher.documents import READERS
from matcher.documents.isolation import read_isolated
from matcher.documents.recognition import ENDINGS, recognise
from matcher.errors import ProfileError
from matcher.profile import Profile
from matcher.text import repair

__all__: Final = ["read_cv"]

LARGEST_CV: Final = 2 << 20
"""Bytes of text. A CV is a few thousand."""

LARGEST_DOCUMENT: Final = 20 << 20
"""Bytes of a PDF, DOCX or ODT, which may hold pictures."""


def read_cv(origin: str | os.PathLike[str] | BinaryIO | TextIO) -> Profile:
    """Read a CV: plain text, Markdown, HTML, JSON Resume, PDF, DOCX or ODT.

    What a file begins with decides which of them it is, then its ending. Wrongly decoded characters are
    repaired. PDF, DOCX and ODT are parsed in a child process with little memory and time; PDF needs the
    extra ``[documents]``. Nothing of the CV is stored or logged.

    Parameters
    ----------
    origin : path-like or file
        An open file should be binary; one of text holds plain text, HTML or JSON Resume.

    Returns
    -------
    Profile

    Raises
    ------
    ProfileError
        When it is missing, empty, too large, encrypted, damaged, without text, or of another format.

    Examples
    --------
    >>> import io
    >>> read_cv(io.BytesIO(b"Registered nurse"))
    Profile(<16 characters>)
    >>> read_cv(io.BytesIO(b" "))
    Traceback (most recent call last):
    matcher.errors.ProfileError: stream: the CV is empty
    """
    if hasattr(origin, "read"):
        return _read_stream(cast("BinaryIO | TextIO", origin))
    try:
        path = Path(origin)
    except TypeError:
        raise ProfileError(f"expected a path or an open file, got {type(origin).__name__}") from None
    try:
        data = _read_regular(path)
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProfileError(f"{path}: cannot be opened ({reason})") from None
    return _parse(data, str(path), path.suffix.lower())


def _read_stream(file: BinaryIO | TextIO) -> Profile:
    name = str(getattr(file, "name", "stream")).strip("<>")
    try:
        data = file.read(LARGEST_DOCUMENT + 1)
    except UnicodeDecodeError:
        raise ProfileError(
            f"{name}: is not text in the encoding it was opened with: open it as 'rb'"
        ) from None
    except (OSError, ValueError) as error:  # such as a closed file
        raise ProfileError(f"{name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    ending = PurePath(name).suffix.lower()
    return _parse(
        data.encode("utf-8", "replace") if isinstance(data, str) else data,
        name,
        ending if ending in ENDINGS else "",  # uploads have names of all kinds
    )


def _read_regular(path: Path) -> bytes:
    status = path.stat()
    # Shells hand over <(command) as a FIFO.
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISFIFO(status.st_mode):
        raise ProfileError(f"{path}: not a file")
    if status.st_size > LARGEST_DOCUMENT:
        raise ProfileError(_too_large(path, LARGEST_DOCUMENT))
    with path.open("rb") as file:
        return file.read(LARGEST_DOCUMENT + 1)


def _parse(data: bytes, name: str, ending: str) -> Profile:
    if not data:
        raise ProfileError(f"{name}: the CV is empty")
    try:
        key = recognise(data, ending)
        largest = LARGEST_DOCUMENT if READERS[key].isolated else LARGEST_CV
        if len(data) <= largest:
            text = repair(read_isolated(key, data)) if READERS[key].isolated else READERS[key].read(data)
    except ProfileError as error:
        raise ProfileError(f"{name}: {error}") from None
    if len(data) > largest:
        raise ProfileError(_too_large(name, largest))
    if not text.strip():
        raise ProfileError(f"{name}: the CV is empty")
    return Profile(text)


def _too_large(name: object, largest: int) -> str:
    return f"{name}: larger than {largest:,} bytes: is this a CV?"
