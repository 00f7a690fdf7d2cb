"""Words written in several ways, counted as one: English plurals and the British *-isation*.

Folding goes by the letters of a word alone, never by which other words there are, so that a posting has the
same terms whatever it is stored with. The rules:

1. Words of less than four characters, and those that hold anything but letters (``c++``), stay.
2. A plural ``s`` goes: *nurses*. Words in ``-ss``, ``-us`` and ``-is`` are no plurals (*process*,
   *status*, *analysis*); ``-ies`` becomes ``-y`` in words of five letters or more (*technologies*); and
   ``-sses``, ``-xes``, ``-zzes``, ``-ches`` and ``-shes`` lose ``es`` (*classes*, *boxes*, *branches*).
3. ``-isation`` becomes ``-ization``.

Rule 2 is the "S" stemmer of Harman (1991) but for ``-es``. Words that only look like plurals (*sales*,
*windows*) fold as well, alike in postings and profiles. A possessive needs no rule: the tokens of
*bachelor's* are *bachelor* and *s*.

References
----------
Harman, D. (1991). How effective is suffixing? Journal of the American Society for Information Science 42(1).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__: Final = ["find_foldable", "fold_variants"]

SHORTEST: Final = 4
"""Letters of the shortest word that is folded."""

_SHORTEST_IES: Final = 5
_NO_PLURALS: Final = ("ss", "us", "is")
_SIBILANTS: Final = ("sses", "xes", "zzes", "ches", "shes")
_LAST: Final = np.frombuffer(b"isation", np.uint8)


def fold_variants(word: str) -> str:
    """Return the form under which a token is counted; folding it once more changes nothing.

    Parameters
    ----------
    word : str
        A token of `matcher.analyzer`: in lower case.

    Examples
    --------
    >>> [fold_variants(word) for word in ("nurses", "technologies", "classes", "process", "aws", "c++")]
    ['nurse', 'technology', 'class', 'process', 'aws', 'c++']
    >>> [fold_variants(word) for word in ("organisation", "organizations")]
    ['organization', 'organization']
    """
    if len(word) < SHORTEST or not word.isalpha():
        return word
    if word.endswith("s") and not word.endswith(_NO_PLURALS):
        if word.endswith("ies") and len(word) >= _SHORTEST_IES:
            word = word[:-3] + "y"
        elif word.endswith(_SIBILANTS):
            word = word[:-2]
        else:
            word = word[:-1]
    return word[:-7] + "ization" if word.endswith("isation") else word


def find_foldable(data: NDArray[np.uint8], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the positions of the words that folding could change, ascending.

    Parameters
    ----------
    data : ndarray of uint8
        Words in UTF-8, one after the other.
    offsets : ndarray of int64, shape (words + 1,)
        Where each starts.

    Examples
    --------
    >>> find_foldable(np.frombuffer(b"nurses" b"cook" b"organisation", np.uint8), np.array([0, 6, 10, 22]))
    array([0, 2])
    """
    ends, sizes = offsets[1:], np.diff(offsets)
    may = np.zeros(len(sizes), np.bool_)
    whole = np.flatnonzero(sizes >= SHORTEST)
    may[whole] = data[ends[whole] - 1] == ord("s")
    long = np.flatnonzero(sizes >= len(_LAST))
    long = long[data[ends[long] - len(_LAST)] == _LAST[0]]
    may[long] |= (data[ends[long, None] - len(_LAST) + np.arange(len(_LAST))] == _LAST).all(axis=1)
    return np.flatnonzero(may)
