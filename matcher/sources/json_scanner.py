"""Where the values in a stream of JSON begin and end, in bounded memory; what they hold is left to `json`."""

from __future__ import annotations

import re
from typing import BinaryIO, Final, NamedTuple

from matcher.errors import PostingError
from matcher.sources.entry import LARGEST_POSTING

__all__: Final = ["JsonScanner", "Value"]

MOST_PARTS: Final = 400_000
"""Brackets within one value: a posting has a few dozen, and to go past a million takes a second."""

_CHUNK: Final = 1 << 16
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_BOM: Final = b"\xef\xbb\xbf"
_TEXT: Final = rb'"(?:[^"\\\n]++|\\[^\n])*+"'
# A text ends at the end of its line too: where a quote is missing, what follows can still be read.
_BROKEN: Final = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+\\?\n')
_STRING: Final = re.compile(_TEXT)
_OBJECT_FOLLOWS: Final = re.compile(rb"[ \t\r\n]*+\{")
_INSIDE: Final = re.compile(rb'(?:[^"\\\n]++|\\[^\n])*+')
_RUN: Final = re.compile(rb'(?:[^"\[\]{}]++|' + _TEXT + rb")*+")
_SCALAR: Final = re.compile(rb'[^\s,\[\]{}":]*+')


class Value(NamedTuple):
    """One value: its bytes (empty when larger than a posting may be), its first line, whether it is whole.

    One that ends with a line end lacks a quote, and everything up to the next object belongs to it.

    Examples
    --------
    >>> Value(b"[1]", 2, is_whole=True).line
    2
    """

    data: bytes
    line: int
    is_whole: bool


class JsonScanner:
    r"""A walk over the structure of JSON.

    Parameters
    ----------
    stream : binary file
        UTF-8, or another encoding in which ASCII stands for itself.

    Examples
    --------
    >>> import io
    >>> scanner = JsonScanner(io.BytesIO(b'[\n{"a": [1]}, 2]'))
    >>> scanner.next_sign(), scanner.skip(), scanner.next_sign(), scanner.take_value()
    (b'[', None, b'{', Value(data=b'{"a": [1]}', line=2, is_whole=True))
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.line = 1
        self._read = getattr(stream, "read1", stream.read)  # what can be read of a damaged file comes first
        self._data = self._read(_CHUNK).removeprefix(_BOM)
        self._position = 0

    def _fill(self) -> bool:
        """Read on behind what is not used yet; False at the end."""
        more = self._read(_CHUNK)
        self._data = self._data[self._position :] + more
        self._position = 0
        return bool(more)

    def _advance(self, position: int) -> None:
        self.line += self._data.count(b"\n", self._position, position)
        self._position = position

    def next_sign(self) -> bytes:
        """Return the next byte that is no white space, and stay before it; empty at the end.

        Examples
        --------
        >>> import io
        >>> JsonScanner(io.BytesIO(b"  ]")).next_sign()
        b']'
        """
        while True:
            found = _SPACE.match(self._data, self._position)
            assert found is not None  # noqa: S101 - it matches nothing too
            self._advance(found.end())
            if self._position < len(self._data):
                return self._data[self._position : self._position + 1]
            if not self._fill():
                return b""

    def skip(self) -> None:
        """Go past the byte that `next_sign` returned.

        Examples
        --------
        >>> import io
        >>> scanner = JsonScanner(io.BytesIO(b"[]"))
        >>> scanner.skip()
        >>> scanner.next_sign()
        b']'
        """
        self._advance(self._position + 1)

    def lists_objects(self) -> bool:
        """Return whether a list stands here that is empty or starts with an object.

        Examples
        --------
        >>> import io
        >>> [JsonScanner(io.BytesIO(text)).lists_objects() for text in (b"[ {", b"[]", b"[1", b"{")]
        [True, True, False, False]
        """
        while len(self._data) - self._position < _CHUNK // 2 and self._fill():
            pass
        return bool(re.compile(rb"\[[ \t\r\n]*+[{\]]").match(self._data, self._position))

    def take_value(self) -> Value:
        """Return the value that starts here, and go past it.

        Raises
        ------
        PostingError
            When it has more than `MOST_PARTS` parts: where such a value ends would take long to find.

        Examples
        --------
        >>> import io
        >>> JsonScanner(io.BytesIO(b'{"a": "b')).take_value().is_whole
        False
        """
        self.next_sign()
        line = self.line
        first = self._data[self._position : self._position + 1]
        if first in (b"{", b"["):
            return self._take_nested(line)
        if first == b'"':
            return self._take_text(line)
        while True:
            end = _end(_SCALAR, self._data, self._position)
            if end < len(self._data) or end - self._position > LARGEST_POSTING or not self._fill():
                break
        data = self._data[self._position : end]
        if not data and self._position < len(self._data):  # a sign that starts no value
            end, data = end + 1, self._data[end : end + 1]
        self._advance(end)
        return Value(data, line, is_whole=True)

    def _take_text(self, line: int) -> Value:
        is_large = False
        while not (
            found := _STRING.match(self._data, self._position) or _BROKEN.match(self._data, self._position)
        ):
            if len(self._data) - self._position > LARGEST_POSTING:  # begin the text again, at its end
                is_large = True
                self._advance(_end(_INSIDE, self._data, self._position + 1) - 1)
                self._data = b'"' + self._data[self._position + 1 :]
                self._position = 0
            if not self._fill():
                self._advance(len(self._data))
                return Value(b"", line, is_whole=False)
        data = b"" if is_large else found[0]
        self._advance(found.end())
        return Value(data, line, is_whole=True)

    def _take_nested(self, line: int) -> Value:
        cursor, depth, parts = self._position, 0, 0
        is_large = in_text = False
        while True:
            if in_text:  # only of what is too large to be kept
                cursor = _end(_INSIDE, self._data, cursor)
                rest = self._data[cursor : cursor + 2]
                if rest[:1] in (b'"', b"\n") or rest == b"\\\n":
                    cursor += 1
                    in_text = False
                    continue
            else:
                cursor = _end(_RUN, self._data, cursor)
                sign = self._data[cursor : cursor + 1]
                if sign and sign != b'"':
                    depth += 1 if sign in b"{[" else -1
                    cursor += 1
                    parts += 1
                    if parts > MOST_PARTS:
                        raise PostingError(
                            f"a value of more than {MOST_PARTS:,} parts: the rest of the file is not read",
                            line=line,
                        )
                    if depth:
                        continue
                    data = self._data[self._position : cursor]
                    self._advance(cursor)
                    is_large = is_large or len(data) > LARGEST_POSTING
                    return Value(b"" if is_large else data, line, is_whole=True)
                broken = _BROKEN.match(self._data, cursor) if sign else None
                if broken:
                    cursor = broken.end()
                    if _OBJECT_FOLLOWS.match(self._data, cursor):
                        data = self._data[self._position : cursor]
                        self._advance(cursor)
                        return Value(data, line, is_whole=True)
                    continue
                if sign and is_large:
                    in_text = True
                    cursor += 1
                    continue
            is_large = is_large or len(self._data) - self._position > LARGEST_POSTING
            if is_large:
                self._advance(cursor)
            cursor -= self._position
            if not self._fill():
                self._advance(len(self._data))
                return Value(b"", line, is_whole=False)


def _end(pattern: re.Pattern[bytes], data: bytes, position: int) -> int:
    found = pattern.match(data, position)
    return found.end() if found else position
