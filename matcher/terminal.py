"""Standard streams, safely: whatever a posting or a file name holds, and whatever the stream can show."""

from __future__ import annotations

import re
import sys
import unicodedata
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TextIO

from matcher.errors import SourceError

if TYPE_CHECKING:
    from rich.console import Console

__all__: Final = [
    "count_postings",
    "escape_json",
    "is_terminal",
    "make_console",
    "printable",
    "standard_input",
    "write_line",
]

WIDTH_OF_A_PIPE: Final = 110
_DIRECTIONS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_STEERING: Final = re.compile("[\x7f-\x9f\u2028\u2029" + "".join(_DIRECTIONS) + "]")


def count_postings(number: int) -> str:
    """Return a number of postings in words.

    Examples
    --------
    >>> count_postings(1), count_postings(2_000)
    ('1 posting', '2,000 postings')
    """
    return f"{number:,} posting" if number == 1 else f"{number:,} postings"


def printable(text: str) -> str:
    r"""Return text without characters that steer a terminal or turn the direction of writing.

    Examples
    --------
    >>> printable("Cook\x1b[2J \u202ein\nBern")
    'Cook[2J in Bern'
    """
    if text.isprintable():
        return text
    kept = (" " if char in "\n\t\u2028\u2029" else char for char in text)
    return "".join(c for c in kept if c not in _DIRECTIONS and unicodedata.category(c) not in ("Cc", "Cs"))


def escape_json(text: str) -> str:
    r"""Return JSON text with characters that steer a terminal written as escapes; it means the same.

    Examples
    --------
    >>> print(escape_json('"\x9b2J \u202eein Koch"'))
    "\u009b2J \u202eein Koch"
    """
    return _STEERING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody looks at a stream; a closed one (None) is no terminal.

    Examples
    --------
    >>> is_terminal(None)
    False
    """
    return stream is not None and not stream.closed and stream.isatty()


def write_line(text: str, *, error: bool = False) -> None:
    """Write a line to standard output or standard error, whichever encoding it has, if it is open.

    Characters that the stream's encoding lacks become question marks.

    Examples
    --------
    >>> write_line("1 posting read")
    1 posting read
    """
    stream = sys.stderr if error else sys.stdout
    if stream is not None:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()


def standard_input() -> BinaryIO:
    """Return standard input as bytes.

    Raises
    ------
    SourceError
        When it is closed.

    Examples
    --------
    >>> standard_input() is sys.stdin.buffer
    True
    """
    if sys.stdin is None:
        raise SourceError("standard input is closed: give a file instead of -")
    return sys.stdin.buffer


def make_console(*, error: bool = False, **options: Any) -> Console:
    """Return a rich console on a standard stream, with a fixed width when nobody looks at it.

    Examples
    --------
    >>> make_console().width > 0
    True
    """
    from rich.console import Console

    stream = sys.stderr if error else sys.stdout
    if is_terminal(stream):
        return Console(stderr=error, highlight=False, **options)
    # A file or a pipe has no width: choose one that keeps links in one piece.
    return Console(stderr=error, quiet=stream is None, highlight=False, width=WIDTH_OF_A_PIPE, **options)
