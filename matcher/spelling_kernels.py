"""Words that are spelled alike, found by compiled code (needs the extra ``[fast]``, which installs numba).

`matcher.spelling` defines what is alike and finds the same with numpy alone; tests hold this to that, bit for
bit. All of it releases the GIL.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from matcher.scanner import first_slot

__all__: Final = ["find_alike", "keep_nearest"]


@njit(cache=True, nogil=True)
def find_alike(
    grams: Any,
    bounds: Any,
    base: int,
    keys: Any,
    slots: Any,
    starts: Any,
    words: Any,
    sizes: Any,
    needed: Any,
    shared: Any,
    met: Any,
    ends: Any,
    found: Any,
    similarities: Any,
) -> Any:
    """Find the words of a vocabulary that share enough n-grams with each of several others.

    Parameters
    ----------
    grams, bounds : ndarray of uint64 and int64
        N-grams of the words to look for, with repeats; where those of each word begin.
    base : uint64
        Of the hashes.
    keys, slots : ndarray of uint64 and int32
        The n-grams of the vocabulary, and a hash table over them (see `matcher.scanner.fill_slots`).
    starts, words : ndarray of int64 and int32
        For each n-gram, the words that have it.
    sizes : ndarray of uint8, shape (vocabulary,)
        How many n-grams each word has.
    needed : ndarray of uint8
        How many two words must share, by how many each has.
    shared, met : ndarray of uint8 and int32, shape (vocabulary + 1,)
        Scratch; `shared` is zero before and after.
    ends : ndarray of int64, shape (words to look for,)
        Filled: where the matches of each end.
    found, similarities : ndarray of int32 and float64
        Filled: matches in no particular order.

    Returns
    -------
    int
        How many matches there are; -1 when there is no room for them.
    """
    mask = slots.shape[0] - 1
    count = np.int64(0)
    for number in range(ends.shape[0]):
        begin, end = bounds[number], bounds[number + 1]
        size, candidates = np.int64(0), np.int64(0)
        for place in range(begin, end):
            key = grams[place]
            is_new = True
            for other in range(begin, place):
                is_new &= grams[other] != key
            if not is_new:
                continue
            size += 1
            slot = first_slot(key * base, mask)
            while slots[slot] >= 0 and keys[slots[slot]] != key:
                slot = (slot + 1) & mask
            if slots[slot] < 0:
                continue
            gram = np.uint32(slots[slot])
            for entry in range(starts[gram], starts[gram + 1]):
                word = np.uint32(words[entry])
                met[candidates] = word  # written over next time unless it is new
                candidates += shared[word] == 0
                shared[word] += np.uint8(1)
        has_room = found.shape[0] - count >= candidates
        for place in range(candidates):
            word = np.uint32(met[place])
            if has_room and shared[word] >= needed[size, sizes[word]]:
                product = np.float64(size * np.int64(sizes[word]))
                found[count] = word
                similarities[count] = np.float64(shared[word]) / np.sqrt(product)
                count += 1
            shared[word] = 0
        if not has_room:
            return np.int64(-1)
        ends[number] = count
    return count


@njit(cache=True, nogil=True)
def keep_nearest(found: Any, similarities: Any, askers: Any, best: Any, origins: Any) -> None:
    """Keep for each word of a vocabulary its largest similarity, and whose it is; the first of equals.

    Parameters
    ----------
    found, similarities : ndarray of int32 and float64
        Matches, see `find_alike`.
    askers : ndarray of int32
        Whose each match is.
    best, origins : ndarray of float64 and int32, shape (vocabulary,)
        Updated; `best` is zero before.
    """
    for place in range(found.shape[0]):
        word = np.uint32(found[place])
        if similarities[place] > best[word]:
            best[word] = similarities[place]
            origins[word] = askers[place]
