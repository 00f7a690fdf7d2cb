"""Compressed files, read as they are: a gzip stream that cannot fill memory or go on for ever."""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, Final

from matcher.errors import PostingError

__all__: Final = ["GZIP_START", "Gzip", "open_gzip"]

GZIP_START: Final = b"\x1f\x8b"
MOST_WITHOUT_POSTING: Final = 8 << 20
"""Bytes that may come out of a compressed file without a posting among them. A large export is full of
postings; what unpacks to gigabytes of nothing is a trap."""

MOST_REJECTED: Final = 10_000
"""Rejections after each other in a compressed file before the rest of it is left."""

_CHUNK: Final = 1 << 16


class Gzip(io.RawIOBase):
    """The bytes inside a gzip file of one or several members.

    Parameters
    ----------
    stream : binary file

    Raises
    ------
    PostingError
        While reading, when the file is cut off or damaged, or unpacks to `MOST_WITHOUT_POSTING` bytes
        without a call of `found_posting`.

    Examples
    --------
    >>> import gzip, io
    >>> Gzip(io.BytesIO(gzip.compress(b"a") + gzip.compress(b"b"))).read()
    b'ab'
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._member = zlib.decompressobj(wbits=31)
        self._packed = b""
        self._begun = False
        self._unpacked = 0
        self._rejected = 0

    def readable(self) -> bool:
        """Return True.

        Examples
        --------
        >>> Gzip(io.BytesIO()).readable()
        True
        """
        return True

    def found_posting(self) -> None:
        """Say that what was unpacked so far held a posting.

        Examples
        --------
        >>> Gzip(io.BytesIO()).found_posting()
        """
        self._unpacked = 0
        self._rejected = 0

    def found_reject(self) -> None:
        """Say that something was rejected.

        Raises
        ------
        PostingError
            When there have been `MOST_REJECTED` without a posting.

        Examples
        --------
        >>> Gzip(io.BytesIO()).found_reject()
        """
        self._rejected += 1
        if self._rejected >= MOST_REJECTED:
            raise PostingError(
                f"{MOST_REJECTED:,} rejected after each other: the rest of the file is not read"
            )

    def readinto(self, buffer: Any) -> int:
        """Unpack into a buffer; 0 at the end.

        Raises
        ------
        PostingError
            As the class.

        Examples
        --------
        >>> import gzip
        >>> Gzip(io.BytesIO(gzip.compress(b"jobs"))).readinto(bytearray(9))
        4
        """
        try:
            data = self._unpack(len(buffer))
        except zlib.error as error:
            raise PostingError(f"the compressed data is damaged ({error}): the rest is not read") from None
        buffer[: len(data)] = data
        self._unpacked += len(data)
        if self._unpacked > MOST_WITHOUT_POSTING:
            raise PostingError(
                f"more than {MOST_WITHOUT_POSTING >> 20} MB unpacked without a posting: the rest is not read"
            )
        return len(data)

    def _unpack(self, size: int) -> bytes:
        while True:
            if self._member.eof:
                rest = self._member.unused_data or self._stream.read(_CHUNK)
                if not rest.strip(b"\0"):  # files are padded with zeros
                    return b""
                self._member = zlib.decompressobj(wbits=31)
                self._packed = rest
            packed = self._packed or self._stream.read(_CHUNK)
            if not packed and self._begun:
                raise PostingError("the compressed file is cut off, the rest is not read: fetch it again")
            self._begun = True
            if not packed:
                return b""
            data = self._member.decompress(packed, size)
            self._packed = self._member.unconsumed_tail
            if data:
                return data


def open_gzip(stream: BinaryIO) -> tuple[BinaryIO, Gzip]:
    """Return the unpacked content of a gzip file, buffered, and the object that keeps its limits.

    Raises
    ------
    PostingError
        When the content is compressed again, cut off or damaged.

    Examples
    --------
    >>> import gzip
    >>> open_gzip(io.BytesIO(gzip.compress(b"jobs")))[0].read()
    b'jobs'
    """
    raw = Gzip(stream)
    content = io.BufferedReader(raw, _CHUNK)
    if content.peek(2)[:2] == GZIP_START:
        raise PostingError("compressed twice: unpack it once")
    return content, raw
