"""What compiled code needs to know about each character, as arrays indexed by code point.

Everything comes from Python's own Unicode tables, so that compiled code and `matcher.analyzer` agree whatever
the version of Unicode.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__: Final = ["LAST", "MARK", "NUMERIC", "PLAIN", "UNFOLDED", "WORD", "CodePoints", "code_points"]

LAST: Final = 0x34000
"""No character from here on is part of a word."""

WORD: Final = 1
NUMERIC: Final = 2
MARK: Final = 4
UNFOLDED: Final = 8
"""Folding does more to it than lower-casing, or could, depending on its neighbours."""
PLAIN: Final = 16
"""A letter or digit whose lower case stays as it is in the normal form of a hashtag."""

_LAST_MARK: Final = 0x20000
_LIGATURES: Final = (*range(0xFB00, 0xFB07), 0xAD, 0x200B)
_DEPENDENT_CASE: Final = (0x130, 0x3A3)
"""Capital I with dot and capital sigma: their lower case is two characters, or depends on what follows."""


class CodePoints(NamedTuple):
    """Tables indexed by code point.

    Attributes
    ----------
    kinds : ndarray of uint8, shape (LAST,)
        Sums of `WORD`, `NUMERIC`, `MARK`, `UNFOLDED` and `PLAIN`.
    lower : ndarray of int32, shape (LAST,)
        The code point in lower case.

    Examples
    --------
    >>> bool(code_points().kinds[ord("ß")] & WORD), chr(code_points().lower[ord("Ä")])
    (True, 'ä')
    """

    kinds: NDArray[np.uint8]
    lower: NDArray[np.int32]


@cache
def code_points() -> CodePoints:
    """Return the tables; made once, in a quarter of a second.

    Examples
    --------
    >>> table = code_points()
    >>> bool(table.kinds[ord("ß")] & WORD), chr(table.lower[ord("Ä")])
    (True, 'ä')
    """
    # One call a form for all characters, joined by line breaks: those neither compose nor decompose.
    characters = [chr(code) for code in range(LAST)]
    characters[ord("\n")] = " "
    characters[0xD800:0xE000] = " " * 0x800
    joined = "\n".join(characters)
    array = np.array(characters)
    composed, plain = (np.array(unicodedata.normalize(form, joined).split("\n")) for form in ("NFC", "NFKC"))
    lower = np.array(joined.replace("\u03a3", "\u03c3").replace("\u0130", "i").lower().split("\n"))
    parts = {part for line in unicodedata.normalize("NFD", joined).split("\n") for part in line[1:]}
    marks = np.array([category[0] == "M" for category in map(unicodedata.category, characters)])

    kinds = np.zeros(LAST, np.uint8)
    kinds[np.char.isalnum(array)] |= WORD
    kinds[np.char.isnumeric(array)] |= NUMERIC
    kinds[marks & (np.arange(LAST) < _LAST_MARK)] |= MARK
    kinds[marks | (composed != array)] |= UNFOLDED
    kinds[[*map(ord, parts), *_LIGATURES, *_DEPENDENT_CASE]] |= UNFOLDED
    kinds[np.char.isalnum(array) & (plain == array) & (lower == array) & (kinds & UNFOLDED == 0)] |= PLAIN
    lower_codes = lower.view(np.int32)
    lower_codes[ord("\n")] = ord("\n")
    kinds |= np.where(kinds & UNFOLDED, 0, kinds[lower_codes] & PLAIN).astype(np.uint8)
    return CodePoints(kinds, lower_codes)
