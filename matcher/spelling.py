"""Words that are spelled alike: how many character n-grams they share.

A word's n-grams are the runs of `LENGTH` code points of the word with a space before and behind, each
counted once (a word of one letter has one, the whole); of a long word the first `LONGEST_SPELLED` code points
are looked at. Two words are as similar as the cosine of their sets of n-grams: the number of those they share
over the geometric mean of how many each has. So inflected forms, compounds and slips of the pen come out as
similar, and a word is as similar to itself as can be (1).

`Spelling` finds the words of a vocabulary that are similar to given ones through the words that have each
n-gram. N-grams are integers made of the places of their code points in the vocabulary's alphabet, so what is
found depends on the words alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from matcher.strings import BASE, StringTable, gather, to_offsets

__all__: Final = [
    "LENGTH",
    "LONGEST_SPELLED",
    "Alike",
    "Spelling",
    "count_shared_at_least",
    "keep_nearest",
]

LENGTH: Final = 4
"""Of n-grams, in code points. With 3, 4 and 5 together rankings are no better (docs/quality.md), and a word
shares its n-grams with five times as many."""

LONGEST_SPELLED: Final = 40
"""Code points of a word that count."""

_MOST_GRAMS: Final = LONGEST_SPELLED + 3 - LENGTH

_PLACES: Final = 1 << 16
"""A place in an alphabet takes 16 bits of an n-gram. Should a vocabulary be written in more characters than
that, those with the largest code points count as one."""

MOST_KEPT: Final = 1 << 20
"""Matches of words of the vocabulary itself that are kept for the next profile; 12 bytes each."""

_MOST_PAIRS: Final = 1 << 31
"""Of a word to look for and a word of the vocabulary: so many have numbers of 32 bits, which sort faster."""

_ALIKE_A_WORD: Final = 128
"""Room is made for so many matches of a word; where that is not enough, for twice as many."""


class Alike(NamedTuple):
    """Words of a vocabulary that are similar to one word, in no particular order.

    Attributes
    ----------
    positions : ndarray of int32
    similarities : ndarray of float64
        Above 0, at most 1.

    Examples
    --------
    >>> spelling = Spelling(StringTable.from_strings(["developer", "nurse"]))
    >>> spelling.find(["nurse"], 0.2)
    [Alike(positions=array([1], dtype=int32), similarities=array([1.]))]
    """

    positions: NDArray[np.int32]
    similarities: NDArray[np.float64]


def _spell(words: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Return the code points of words with a space before and behind, and where each word begins."""
    spaced = [f" {word[:LONGEST_SPELLED]} " for word in words]
    codes = np.frombuffer("".join(spaced).encode("utf-32-le", "surrogatepass"), "<u4")
    return codes, to_offsets([len(word) for word in spaced])


def _find_places(codes: NDArray[np.uint32], alphabet: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """Return the place of each code point in an alphabet, from 1; what is missing comes behind it."""
    at = np.searchsorted(alphabet, codes)
    is_missing = alphabet[np.minimum(at, len(alphabet) - 1)] != codes if len(alphabet) else at == 0
    if is_missing.any():
        others = np.unique(codes[is_missing])
        at[is_missing] = len(alphabet) + np.searchsorted(others, codes[is_missing])
    return np.minimum(at + 1, _PLACES - 1).astype(np.uint64)


def _join(
    places: NDArray[np.uint64], offsets: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the n-grams of words, given as places in an alphabet, and where those of each word begin.

    N-grams repeat; those that are shorter than `LENGTH` have zeros behind.
    """
    lengths = np.diff(offsets)
    bounds = to_offsets(np.maximum(lengths + 1 - LENGTH, 1))
    first = np.arange(bounds[-1]) + np.repeat(offsets[:-1] - bounds[:-1], np.diff(bounds))
    left = np.repeat(offsets[1:], np.diff(bounds)) - first
    padded = np.concatenate([places, np.zeros(LENGTH, np.uint64)])
    grams = np.zeros(len(first), np.uint64)
    for number in range(LENGTH):
        grams = (grams << np.uint64(16)) | np.where(number < left, padded[first + number], np.uint64(0))
    return grams, bounds


@lru_cache(maxsize=8)
def count_shared_at_least(least: float) -> NDArray[np.uint8]:
    """Return how many n-grams two words must share to be similar enough, by how many each has.

    Parameters
    ----------
    least : float
        Similarity, 0 to 1.

    Returns
    -------
    ndarray of uint8, shape (most n-grams + 1, most n-grams + 1)
        At least 1. Read-only.

    Examples
    --------
    >>> int(count_shared_at_least(0.5)[4, 9])
    3
    """
    numbers = np.arange(_MOST_GRAMS + 1)
    means = np.sqrt(np.outer(numbers, numbers).astype(np.float64))
    means[0] = means[:, 0] = np.inf  # no word has none
    needed = np.ones(means.shape, np.uint8)
    for shared in range(1, _MOST_GRAMS + 1):
        # What is compared is what is returned as similarity: nothing rounds one way here and another there.
        needed[shared / means < least] = shared + 1
    needed.flags.writeable = False
    return needed


class Spelling:
    """The words of a vocabulary by their n-grams.

    Parameters
    ----------
    vocabulary : StringTable

    Examples
    --------
    >>> spelling = Spelling(StringTable.from_strings(["altenpflegekraft", "developers", "nurse"]))
    >>> [alike.positions.tolist() for alike in spelling.find(["developer", "pflegekraft", "cook"], 0.2)]
    [[1], [0], []]
    """

    def __init__(self, vocabulary: StringTable) -> None:
        self.size = len(vocabulary)
        codes, offsets = _spell(vocabulary.take(np.arange(len(vocabulary))))
        self._alphabet = np.unique(codes)
        grams, bounds = _join(_find_places(codes, self._alphabet), offsets)
        owners = np.repeat(np.arange(self.size), np.diff(bounds))
        order = np.argsort(grams, kind="stable")
        grams, owners = grams[order], owners[order]
        is_other = np.ones(len(grams), np.bool_)
        is_other[1:] = grams[1:] != grams[:-1]
        is_new = is_other.copy()  # a word that has an n-gram twice has it once
        is_new[1:] |= owners[1:] != owners[:-1]
        self._keys = grams[is_other]
        self._starts = np.append(np.flatnonzero(is_other[is_new]), np.count_nonzero(is_new))
        self._words = owners[is_new].astype(np.int32)
        self._sizes = np.bincount(self._words, minlength=self.size).astype(np.uint8)
        self._slots: NDArray[np.int32] | None = None
        self._lock = threading.Lock()
        self._kept: dict[tuple[float, int], Alike] = {}
        self._room = MOST_KEPT

    @classmethod
    def of(cls, vocabulary: StringTable) -> Spelling:
        """Return the spelling of a vocabulary, made when it is first asked for.

        Examples
        --------
        >>> vocabulary = StringTable.from_strings(["nurse"])
        >>> Spelling.of(vocabulary) is Spelling.of(vocabulary)
        True
        """
        known = _KNOWN.get(vocabulary)
        if known is None:
            with _LOCK:
                known = _KNOWN.get(vocabulary)
                if known is None:
                    known = _KNOWN[vocabulary] = cls(vocabulary)
        return known

    def find(
        self,
        words: Sequence[str],
        least: float,
        positions: Sequence[int] | None = None,
        *,
        compiled: bool = False,
    ) -> list[Alike]:
        """Return for each of several words those of the vocabulary that are similar.

        Parameters
        ----------
        words : sequence of str
            Without spaces, not empty.
        least : float
            Similarity from which on words count as similar.
        positions : sequence of int, optional
            Where each word is in the vocabulary, -1 where it is not. What is found for words of the
            vocabulary is kept, up to `MOST_KEPT` matches, and not looked for again; nothing else is kept.
        compiled : bool
            Search with compiled code (extra ``[fast]``). The result is the same but for the order.

        Examples
        --------
        >>> spelling = Spelling(StringTable.from_strings(["cook", "cooks"]))
        >>> spelling.find(["cook"], 0.2)[0].similarities.round(3)
        array([1.   , 0.577])
        """
        search = self._search_compiled if compiled else self._search
        if positions is None:
            return search(words, least)
        found = [self._kept.get((least, position)) for position in positions]
        missing = [number for number, alike in enumerate(found) if alike is None]
        if missing:
            for number, alike in zip(missing, search([words[n] for n in missing], least), strict=True):
                found[number] = alike
                if positions[number] >= 0:
                    self._keep((least, positions[number]), alike)
        return found  # type: ignore[return-value]

    def _keep(self, key: tuple[float, int], alike: Alike) -> None:
        with self._lock:
            size = len(alike.positions) + 1
            if size > self._room:  # words come back: what is thrown away is soon known again
                self._kept, self._room = {}, MOST_KEPT
            if key not in self._kept and size <= self._room:
                self._kept[key] = Alike(alike.positions.copy(), alike.similarities.copy())
                self._room -= size

    def _split(self, words: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        codes, offsets = _spell(words)
        return _join(_find_places(codes, self._alphabet), offsets)

    def _search(self, words: Sequence[str], least: float) -> list[Alike]:
        at_once = max(1, _MOST_PAIRS // max(1, self.size))
        parts = [words[first : first + at_once] for first in range(0, len(words), at_once)]
        return [alike for part in parts for alike in self._search_some(part, least)]

    def _search_some(self, words: Sequence[str], least: float) -> list[Alike]:
        grams, bounds = self._split(words)
        owners = np.repeat(np.arange(len(words)), np.diff(bounds))
        order = np.lexsort((grams, owners))
        grams, is_new = grams[order], np.ones(len(grams), np.bool_)
        is_new[1:] = (grams[1:] != grams[:-1]) | (owners[1:] != owners[:-1])
        grams, owners = grams[is_new], owners[is_new]
        sizes = np.bincount(owners, minlength=len(words))
        if not len(self._keys):
            return [_NOTHING] * len(words)
        at = np.minimum(np.searchsorted(self._keys, grams), len(self._keys) - 1)
        known = np.flatnonzero(self._keys[at] == grams)
        entries, places = gather(self._starts, at[known])
        pairs = self._words[entries] + (owners[known] * self.size).astype(np.int32)[places]
        pairs.sort()
        is_first = np.ones(len(pairs) + 1, np.bool_)
        np.not_equal(pairs[1:], pairs[:-1], out=is_first[1:-1])
        first = np.flatnonzero(is_first)
        pairs, shared = pairs[first[:-1]], np.diff(first)
        askers = pairs // np.int32(self.size)
        found = pairs - askers * np.int32(self.size)
        needed = count_shared_at_least(least)
        own, theirs = sizes.astype(np.int32)[askers], self._sizes[found]
        kept = np.flatnonzero(shared >= needed.ravel()[own * np.int32(len(needed)) + theirs])
        products = (own[kept] * theirs[kept]).astype(np.float64)
        ends = np.searchsorted(askers[kept], np.arange(len(words)), side="right")
        return _cut(found[kept], shared[kept] / np.sqrt(products), ends)

    def _search_compiled(self, words: Sequence[str], least: float) -> list[Alike]:
        from matcher.spelling_kernels import find_alike

        asked = self._split(words)
        shared, met = np.zeros(self.size + 1, np.uint8), np.empty(self.size + 1, np.int32)
        ends = np.zeros(len(words), np.int64)
        index = self._keys, self._hash_table(), self._starts, self._words, self._sizes
        scratch = count_shared_at_least(least), shared, met, ends
        room, count = len(words) * _ALIKE_A_WORD + self.size, -1
        while count < 0:
            found, similarities = np.empty(room, np.int32), np.empty(room)
            count = find_alike(*asked, BASE, *index, *scratch, found, similarities)
            room *= 2
        return _cut(found, similarities, ends)

    def _hash_table(self) -> NDArray[np.int32]:
        if self._slots is None:
            from matcher.scanner import fill_slots

            slots = np.empty(1 << (2 * len(self._keys)).bit_length(), np.int32)
            fill_slots(self._keys * BASE, len(self._keys), slots)
            self._slots = slots
        return self._slots


def _cut(found: NDArray[np.int32], similarities: NDArray[np.float64], ends: NDArray[np.int64]) -> list[Alike]:
    begins = [0, *ends.tolist()]
    spans = [slice(begin, end) for begin, end in pairwise(begins)]
    return [Alike(found[span], similarities[span]) for span in spans]


_KNOWN: Final[WeakKeyDictionary[StringTable, Spelling]] = WeakKeyDictionary()
_LOCK: Final = threading.Lock()
_NOTHING: Final = Alike(np.zeros(0, np.int32), np.zeros(0))


def keep_nearest(
    alike: Sequence[Alike], askers: Sequence[int], size: int, *, compiled: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int32]]:
    """Return the words of a vocabulary that are similar to any of several words, each with the nearest.

    Parameters
    ----------
    alike : sequence of Alike
        What each word is similar to.
    askers : sequence of int
        A number for each word; of equally near ones, the first is kept.
    size : int
        Of the vocabulary.
    compiled : bool
        Whether compiled code does it (extra ``[fast]``). The result is the same.

    Returns
    -------
    positions : ndarray of int64
        Ascending.
    similarities : ndarray of float64
    origins : ndarray of int32
        The number of the nearest word.

    Examples
    --------
    >>> spelling = Spelling(StringTable.from_strings(["cook", "cooks", "nurse"]))
    >>> keep_nearest(spelling.find(["cooks", "cook"], 0.2), [7, 9], 3)
    (array([0, 1]), array([1., 1.]), array([9, 7], dtype=int32))
    """
    found = np.concatenate([one.positions for one in alike] or [_NOTHING.positions])
    similarities = np.concatenate([one.similarities for one in alike] or [_NOTHING.similarities])
    lengths = [len(one.positions) for one in alike]
    numbers = np.repeat(np.array(askers, np.int32), lengths)
    best, origins = np.zeros(size), np.zeros(size, np.int32)
    if compiled:
        from matcher import spelling_kernels

        spelling_kernels.keep_nearest(found, similarities, numbers, best, origins)
    else:
        np.maximum.at(best, found, similarities)
        nearest = np.flatnonzero(similarities == best[found])[::-1]  # the first is written last
        origins[found[nearest]] = numbers[nearest]
    positions = np.flatnonzero(best)
    return positions, best[positions], origins[positions]
