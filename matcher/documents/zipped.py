"""Zip archives that may be hostile: members are counted before, and bytes while they are unpacked."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from typing import Final

from matcher.errors import ProfileError

__all__: Final = ["MOST_MEMBERS", "MOST_UNPACKED", "Archive"]

MOST_MEMBERS: Final = 2_000
"""A CV has a few dozen, and one a picture."""

MOST_UNPACKED: Final = 8 << 20
"""Bytes, of all parts that are read; pictures are not. A long CV has half a million."""

_CHUNK: Final = 64 << 10
_END: Final = b"PK\x05\x06"
_ENTRY: Final = 46
"""Bytes of an entry of the central directory, without its name."""


class Archive:
    """The members of a zip archive, each unpacked in small pieces, all together up to a limit.

    Parameters
    ----------
    data : bytes

    Raises
    ------
    ProfileError
        When it is no archive, or has too many members.

    Examples
    --------
    >>> Archive(b"Nurse")
    Traceback (most recent call last):
    matcher.errors.ProfileError: is damaged: it is no zip archive
    """

    def __init__(self, data: bytes) -> None:
        # Before zipfile builds an object for each member: a directory of 20 MB names 400,000.
        end = data.rfind(_END)
        directory = int.from_bytes(data[end + 12 : end + 16], "little") if end >= 0 else 0
        if directory > MOST_MEMBERS * (_ENTRY + 250):
            raise ProfileError(f"holds more than {MOST_MEMBERS:,} parts: is this a CV?")
        try:
            self._archive = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise ProfileError("is damaged: it is no zip archive") from None
        self._members = {member.filename: member for member in self._archive.infolist()}
        if len(self._archive.infolist()) > MOST_MEMBERS:
            raise ProfileError(f"holds more than {MOST_MEMBERS:,} parts: is this a CV?")
        self._left = MOST_UNPACKED

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the bytes of a member.

        Raises
        ------
        ProfileError
            When it is damaged or encrypted, or all that was read is more than `MOST_UNPACKED`.

        Examples
        --------
        >>> packed = BytesIO()
        >>> with zipfile.ZipFile(packed, "w") as archive:
        ...     archive.writestr("a.xml", "<a/>")
        >>> list(Archive(packed.getvalue()).chunks("a.xml"))
        [b'<a/>']
        """
        member = self._members[name]
        if member.flag_bits & 1:
            raise ProfileError("is protected by a password: save it without one")
        # Others unpack a whole member at once, or need a compiler of their own.
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ProfileError("is packed in a way that no word processor uses: save it again")
        if member.file_size > self._left:
            raise ProfileError(_too_large())
        try:
            with self._archive.open(member) as file:
                while chunk := file.read(_CHUNK):
                    self._left -= len(chunk)
                    if self._left < 0:  # pragma: no cover  # zipfile stops at the size that was checked
                        raise ProfileError(_too_large())
                    yield chunk
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            ValueError,
            OSError,
            NotImplementedError,
            RuntimeError,
        ):
            raise ProfileError(f"is damaged: {_shown(name)} cannot be unpacked") from None


def _too_large() -> str:
    return f"unpacks to more than {MOST_UNPACKED >> 20} MB of text: is this a CV?"


def _shown(name: str) -> str:
    return name if len(name) < 60 and name.isascii() and name.isprintable() else "a part of it"
