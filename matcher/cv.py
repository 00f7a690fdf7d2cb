"""A file or stream -> `Profile`."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO, Final, TextIO

from matcher.errors import PostingError, ProfileError
from matcher.profile import Profile
from matcher.text import decode, markdown_to_text, repair

__all__: Final = ["read_cv"]

LARGEST_CV: Final = 2 << 20
"""Bytes. A CV is a few thousand."""

_PLAIN: Final = ("", ".txt", ".text")
_MARKDOWN: Final = (".md", ".markdown")


def read_cv(origin: str | os.PathLike[str] | BinaryIO | TextIO) -> Profile:
    """Read a CV: a plain-text or Markdown file, or an open file with plain text.

    Wrongly decoded characters are repaired. Nothing of the CV is stored or logged.

    Parameters
    ----------
    origin : path-like or file
        Files ending in ``.md`` are Markdown, in ``.txt`` or without ending plain text.

    Returns
    -------
    Profile

    Raises
    ------
    ProfileError
        When it is missing, empty, too large, not text, or of another format.

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
        name = str(getattr(origin, "name", "stream")).strip("<>")
        data = origin.read(LARGEST_CV + 1)
        return _parse(
            data.encode("utf-8", "replace") if isinstance(data, str) else data, name, markdown=False
        )
    try:
        path = Path(origin)
    except TypeError:
        raise ProfileError(f"expected a path or an open file, got {type(origin).__name__}") from None
    suffix = path.suffix.lower()
    if suffix not in _PLAIN + _MARKDOWN:
        raise ProfileError(
            f"{path}: {suffix} files are not read; save the CV as text (.txt) or Markdown (.md)"
        )
    try:
        return _parse(_read_regular(path), str(path), markdown=suffix in _MARKDOWN)
    except FileNotFoundError:
        raise ProfileError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProfileError(f"{path}: cannot be opened ({reason})") from None


def _read_regular(path: Path) -> bytes:
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):  # shells hand over <(command) as a FIFO
        raise ProfileError(f"{path}: not a file")
    with path.open("rb") as file:
        return file.read(LARGEST_CV + 1)


def _parse(data: bytes, name: str, *, markdown: bool) -> Profile:
    if len(data) > LARGEST_CV:
        raise ProfileError(f"{name}: larger than {LARGEST_CV:,} bytes: is this a CV?")
    try:
        text = repair(decode(data).text)
        if markdown:
            text = markdown_to_text(text)
    except PostingError as error:
        raise ProfileError(f"{name}: {error.reason}") from None
    if not text.strip():
        raise ProfileError(f"{name}: the CV is empty")
    return Profile(text)
