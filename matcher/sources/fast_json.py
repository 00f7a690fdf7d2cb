"""JSON objects of postings through `msgspec`, when it is installed and can read nothing else than we do.

The strict decoder of `matcher.sources.json_lines` refuses a field that comes twice and repairs text. Both
are looked for in many lines at once, in their bytes: a line in which a name may come twice, or text may
be broken, is left to it, and so is every line that `msgspec` does not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np

__all__: Final = ["IS_FAST", "names_in", "names_in_lines", "read_block"]

try:
    import msgspec
except ImportError:  # the extra [fast] is not installed
    IS_FAST = False
else:
    IS_FAST = True
    _decoder: Any = msgspec.json.Decoder()
    _decode_lines: Callable[[bytes], list[Any]] = _decoder.decode_lines
    _decode: Callable[[bytes], Any] = _decoder.decode
    _ERRORS: tuple[type[Exception], ...] = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_LINE_END: Final = ord("\n")
_QUOTE: Final = ord('"')
_COLON: Final = ord(":")
_SPACE: Final = ord(" ")
_LEAD: Final = 0xC0
"""From this byte on a character outside ASCII begins."""
_BACKSLASH: Final = ord("\\")
_U: Final = ord("u")
_BRACE: Final = ord("{")
_TO_BRACE: Final = ord("{") ^ ord("[")
_CONTROL: Final = 0xC2
_AFTER_CONTROLS: Final = 0xA0
_LAST_OF_ASCII: Final = 0x7F
_NESTED: Final = frozenset((dict, list))
_MOST_BRACKETS: Final = 100
"""In a line with fewer, nothing is nested as deep as any decoder could refuse."""


def read_block(block: bytes) -> Iterable[tuple[dict[str, Any] | None, int, int]]:
    """Return for each line its object, how many names it has at the most, and where it ends.

    The object is None, or the number another than `names_in` finds in it, when only the strict decoder can
    tell; the number is negative when the text needs a closer look.

    Parameters
    ----------
    block : bytes
        Lines, each with its end.

    Examples
    --------
    >>> block = b'{"title": "Cook"}' + bytes([10])
    >>> list(read_block(block)) if IS_FAST else [({"title": "Cook"}, 1, 18)]
    [({'title': 'Cook'}, 1, 18)]
    """
    ends, names = names_in_lines(block)
    found: list[Any]
    try:
        found = _decode_lines(block)
    except _ERRORS:
        found = []
    if len(found) != len(ends):  # something in it is no JSON, or blank
        starts = [0, *ends]
        found = [_decode_one(block[start:end]) for start, end in zip(starts, ends, strict=False)]
    objects = [value if type(value) is dict else None for value in found]
    _leave_out_nested(block, objects, ends)
    return zip(objects, names, ends, strict=True)


def _leave_out_nested(block: bytes, objects: list[dict[str, Any] | None], ends: list[int]) -> None:
    """Take out objects with so many brackets that one decoder might find them nested too deep, one not."""
    brackets = (np.frombuffer(block, np.uint8) | _TO_BRACE) == _BRACE
    others = len(objects) - objects.count(None) - 1  # each has one bracket at least
    if np.count_nonzero(brackets) - others <= _MOST_BRACKETS:
        return
    counts = np.diff(np.searchsorted(np.flatnonzero(brackets), ends), prepend=0)
    for number in np.flatnonzero(counts > _MOST_BRACKETS).tolist():
        objects[number] = None


def _decode_one(line: bytes) -> Any:
    try:
        return _decode(line)
    except _ERRORS:
        return None


def names_in_lines(block: bytes) -> tuple[list[int], list[int]]:
    """Return where each line of a block ends, and how many names it holds at the most.

    A name ends in a quote, and a colon follows, perhaps after spaces. Text can hold the same (``\\":``): then
    there are more than are found when it is read. The number is negative when the text may be broken.

    Examples
    --------
    >>> lines = ('{"title": "Cook", "id": "a:b"}', '{"title": "SchÃ¶n"}', "")
    >>> names_in_lines(bytes([10]).join(line.encode() for line in lines))
    ([31, 53], [2, -1])
    """
    data = np.frombuffer(block, np.uint8)
    places = np.flatnonzero((data == _LINE_END) | (data == _COLON))
    is_end = data[places] == _LINE_END
    before = data[places - 1]
    is_name = ((before == _QUOTE) | (before <= _SPACE)) & ~is_end
    ends = places[is_end]
    counts = np.cumsum(is_name)[is_end]
    counts[1:] -= counts[:-1].copy()
    if ((data[:-1] == _BACKSLASH) & (data[1:] == _U)).any():
        counts = -counts
    elif not block.isascii():
        # Broken text is two characters outside ASCII side by side, or a control character of Latin-1.
        this, following = data[:-1], data[1:]
        is_doubtful = (this > _LAST_OF_ASCII) & (following >= _LEAD)
        is_doubtful |= (this == _CONTROL) & (following < _AFTER_CONTROLS)
        doubtful = np.flatnonzero(is_doubtful)
        if doubtful.size:
            lines = np.unique(np.searchsorted(ends, doubtful))
            counts[lines] = -counts[lines]
    return (ends + 1).tolist(), counts.tolist()


def names_in(value: Any) -> int:
    """Return how many names a JSON value holds, at every depth.

    Examples
    --------
    >>> names_in({"a": 1, "b": [{"c": 2}]})
    3
    """
    if type(value) is dict:
        return len(value) + sum([names_in(child) for child in value.values() if type(child) in _NESTED])
    if type(value) is list:
        return sum([names_in(child) for child in value if type(child) in _NESTED])
    return 0
