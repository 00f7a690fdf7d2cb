"""JSON objects of postings through `msgspec`, when it is installed and can read nothing else than we do.

The strict decoder of `matcher.sources.json_lines` refuses a field that comes twice and repairs text. Both
are looked for in many lines at once, in their bytes: a line in which a name may come twice, or text may
be broken, is left to it, and so is every line that `msgspec` does not read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

__all__: Final = ["IS_FAST", "decode_plain", "names_in_lines"]

try:
    import msgspec
except ImportError:  # the extra [fast] is not installed
    IS_FAST = False
else:
    IS_FAST = True
    _decode: Callable[[bytes], Any] = msgspec.json.Decoder().decode
    _ERRORS: tuple[type[Exception], ...] = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

DEEPEST: Final = 8
_FLAT: Final = frozenset((str, int, bool, type(None)))
_LINE_END: Final = ord("\n")
_QUOTE: Final = ord('"')
_COLON: Final = ord(":")
_SPACE: Final = ord(" ")
_LEAD: Final = 0xC0
"""From this byte on a character outside ASCII begins."""
_C1: Final = 0xC2
_AFTER_C1: Final = 0xA0


def names_in_lines(block: bytes) -> list[int]:
    """Return, for each line of a block, how many names it holds at the most; 0 when it needs a closer look.

    A name ends in a quote, and a colon follows, perhaps after spaces. Text can hold the same (``\\":``): then
    there are more than are found when it is read.

    Parameters
    ----------
    block : bytes
        Lines, each with its end.

    Examples
    --------
    >>> names_in_lines(b'{"title": "Cook", "id": "a:b"}\\n{"title": "Sch\\xc3\\x83\\xc2\\xb6n"}\\n')
    [2, 0]
    """
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == _LINE_END)
    colons = np.flatnonzero(data == _COLON)
    before = data[colons - 1]
    counts = np.searchsorted(colons[(before == _QUOTE) | (before <= _SPACE)], ends)
    counts[1:] -= counts[:-1].copy()
    if b"\\u" in block:
        counts[:] = 0
    elif not block.isascii():
        follows = data[1:]
        others = data.view(np.int8)[:-1] < 0
        # Broken text is two characters outside ASCII side by side, or a control character of Latin-1.
        doubtful = others & (follows >= _LEAD)
        if b"\xc2" in block:
            doubtful |= (data[:-1] == _C1) & (follows < _AFTER_C1)
        places = np.flatnonzero(doubtful)
        counts[np.searchsorted(ends, places)] = 0
    return counts.tolist()  # type: ignore[no-any-return]


def decode_plain(line: bytes, names: int) -> dict[str, Any] | None:
    """Return the object of a line that holds at most so many names, or None when only a closer look tells.

    Examples
    --------
    >>> decode_plain(b'{"title": "Cook"}', 1) if IS_FAST else {"title": "Cook"}
    {'title': 'Cook'}
    >>> decode_plain(b'{"title": "Cook", "title": "Chef"}', 2) is None
    True
    """
    try:
        fields = _decode(line)
    except _ERRORS:
        return None
    if type(fields) is not dict:
        return None
    found = len(fields)
    types = set(map(type, fields.values()))
    if not types <= _FLAT:
        for value in fields.values():
            kind = type(value)
            if kind is list and all([type(child) is str for child in value]):  # noqa: C419 - twice as fast
                continue
            if kind not in _FLAT:
                found += _names_in(value, 1)
    return fields if found == names else None


def _names_in(value: Any, depth: int) -> int:
    """Return how many names a JSON value holds; below any number when it needs a closer look."""
    if depth > DEEPEST:
        return -(1 << 60)
    if type(value) is dict:
        return len(value) + sum(_names_in(child, depth + 1) for child in value.values())
    if type(value) is list:
        return sum(_names_in(child, depth + 1) for child in value)
    return 0
