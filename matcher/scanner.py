"""Compiled passes from UTF-8 to tokens (needs the extra ``[fast]``, which installs numba).

`matcher.analyzer` defines the tokens; these passes give the same ones for any text, and tests hold them to
that. All of them release the GIL.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import njit

from matcher.code_points import LAST, MARK, NUMERIC, PLAIN, UNFOLDED, WORD

__all__: Final = [
    "count_tokens",
    "fill_slots",
    "find_runs",
    "find_strings",
    "find_unfolded",
    "scan_tokens",
]

FEATURE: Final = 1
AS_HASHTAG: Final = 2
_LONGEST: Final = 64
_SPACE, _HASH, _PERCENT, _BRACKET, _CLOSED, _STAR, _PLUS, _COMMA, _HYPHEN, _DOT, _SLASH, _COLON, _AT = (
    b" #%()*+,-./:@"
)
_UNDERSCORE, _BAR, _MIDDLE_DOT = ord("_"), ord("|"), ord("·")
_A, _B, _C, _D, _E, _F, _G, _H, _I, _J, _K, _L, _M, _N = b"abcdefghijklmn"
_R, _S, _V, _W, _X = b"rsvwx"
_UPPER_I: Final = ord("I")
_LOWER: Final = np.array([b | 32 if b < 128 and chr(b).isalnum() else 0 for b in range(256)], np.uint8)
"""Letters and digits in ASCII, in lower case; 0 for other bytes."""
_SIGNS: Final = np.array([b >= 128 or chr(b) in "(*./:@I_" for b in range(256)])
"""Bytes at which something to fold could begin."""
_NET: Final = (*b".net",)
_JS: Final = (*b".js",)
_WWW: Final = (*b"www",)
_TCP_IP: Final = (*b"tcp/ip",)
_PL_SQL: Final = (*b"pl/sql",)


@njit(cache=True, nogil=True, inline="always")
def _decode(data: Any, i: int, end: int) -> Any:
    """Return the code point at `i` and its size in bytes; 0 and 1 beyond the end."""
    if i >= end:
        return np.int64(0), np.int64(1)
    lead = np.int64(data[i])
    if lead < 0x80:
        return lead, np.int64(1)
    if lead < 0xE0:
        return ((lead & 0x1F) << 6) | (np.int64(data[i + 1]) & 0x3F), np.int64(2)
    if lead < 0xF0:
        code = ((lead & 0x0F) << 12) | ((np.int64(data[i + 1]) & 0x3F) << 6) | (np.int64(data[i + 2]) & 0x3F)
        return code, np.int64(3)
    code = ((lead & 0x07) << 18) | ((np.int64(data[i + 1]) & 0x3F) << 12)
    return code | ((np.int64(data[i + 2]) & 0x3F) << 6) | (np.int64(data[i + 3]) & 0x3F), np.int64(4)


@njit(cache=True, nogil=True, inline="always")
def _kind(kinds: Any, code: int) -> Any:
    return np.int64(kinds[code]) if code < LAST else np.int64(0)


@njit(cache=True, nogil=True, inline="always")
def _byte(data: Any, i: int, begin: int, end: int) -> Any:
    """Return the byte at `i`, ASCII letters in lower case; a space outside the text."""
    if i < begin or i >= end:
        return np.int64(32)
    value = np.int64(data[i])
    return value | 32 if 65 <= value <= 90 else value


@njit(cache=True, nogil=True)
def _spells(data: Any, i: int, end: int, word: Any) -> Any:
    """Return whether the bytes from `i` on are those of a word in lower case."""
    same = True
    for offset in range(len(word)):
        same &= _byte(data, i + offset, i, end) == word[offset]
    return same


@njit(cache=True, nogil=True, inline="always")
def _is_letter(value: int) -> Any:
    """Return whether a byte is, or could be part of, a letter."""
    return value >= 0x80 or 97 <= value <= 122


@njit(cache=True, nogil=True, inline="always")
def _could_be_word(value: int) -> Any:
    return value >= 0x80 or 97 <= value <= 122 or 48 <= value <= 57 or value == 95


@njit(cache=True, nogil=True)
def _opens_marker(data: Any, i: int, begin: int, end: int, kinds: Any) -> Any:
    """Return whether a bracket at `i` could open a gender marker such as ``(m/f/d)`` or ``(in)``."""
    i += 1
    while i < end and (data[i] == _SPACE or 9 <= data[i] <= 13 or 28 <= data[i] <= 31):
        i += 1
    first, second = _byte(data, i, begin, end), _byte(data, i + 1, begin, end)
    if first >= 0x80:
        code, _ = _decode(data, i, end)
        return (
            _kind(kinds, code) & WORD
            or code in (0x85, 0xA0, 0x1680, 0x202F, 0x205F, 0x3000)
            or (0x2000 <= code <= 0x2029)
        )
    if second >= 0x80 or (first == _A and second == _L):  # "al" of "all genders"
        return True
    stop = i
    while _is_letter(_byte(data, stop, begin, end)):
        stop += 1
    length = stop - i
    if _byte(data, stop, begin, end) == _CLOSED:  # after "r", "in", "gn", "mwd" and the like, "innen"
        return (
            (length == 1 and first == _R)
            or (length in (2, 5) and first in (_G, _I) and second == _N)
            or (length == 3 and first in (_M, _W, _F) and second in (_M, _W, _F))
        )
    alone = length == 1 and first in (_M, _W, _F, _D, _X, _H, _V, _K, _I, _A)
    spelled = length > 1 and (
        (first in (_G, _F, _M, _W) and second in (_N, _E, _A))  # gn, female, male, weiblich
        or (first == _D and second == _I)  # diverse
        or (first == _N and second == _B)
    )
    if not (alone or spelled):
        return False
    stop += _byte(data, stop, begin, end) == _DOT
    if _byte(data, stop, begin, end) >= 0x80:
        return True
    stop += _byte(data, stop, begin, end) <= _SPACE
    return _byte(data, stop, begin, end) in (_SLASH, _BAR, _STAR, _COLON, _COMMA)


@njit(cache=True, nogil=True)
def _begins_ending(data: Any, i: int, size: int, begin: int, end: int) -> Any:
    """Return whether a separator at `i` could begin a gender ending such as ``*in`` or ``/-r``."""
    before = _byte(data, i - 1, begin, end)
    if not _is_letter(before):
        return False
    start = i + size
    if data[i] == _SLASH and _byte(data, start, begin, end) == _HYPHEN:
        start += 1
    first, second = _byte(data, start, begin, end), _byte(data, start + 1, begin, end)
    if first == _I and second == _N:
        third = _byte(data, start + 2, begin, end)
        return third >= 0x80 or third == _N or not _could_be_word(third)
    return before == _E and first in (_N, _R, _S) and (second >= 0x80 or not _could_be_word(second))


@njit(cache=True, nogil=True)
def _is_slash_special(data: Any, i: int, begin: int, end: int) -> Any:
    """Return whether a slash at `i` could be part of a gender marker (``m/w``) or follow a domain."""
    before, after = _byte(data, i - 1, begin, end), _byte(data, i + 1, begin, end)
    if before in (_M, _W, _F, _D, _X, _H, _V) and after in (_M, _W, _F, _D, _X, _H, _V):
        earlier = _byte(data, i - 2, begin, end)
        if earlier >= 0x80 or not _could_be_word(earlier):
            return True
    back = i - 1
    while back > i - 16 and _is_letter(_byte(data, back, begin, end)):
        back -= 1
    return back < i - 2 and _byte(data, back, begin, end) == _DOT


@njit(cache=True, nogil=True)
def _label_end(data: Any, i: int, end: int, kinds: Any) -> Any:
    """Return where a label of a domain at `i` ends: letters, digits, ``_`` and ``-``."""
    while i < end:
        code, size = _decode(data, i, end)
        if not (_kind(kinds, code) & WORD or code in (_UNDERSCORE, _HYPHEN)):
            break
        i += size
    return i


@njit(cache=True, nogil=True, inline="always")
def _ends_in_www(data: Any, stop: int, begin: int, end: int) -> Any:
    return stop - 3 >= begin and _spells(data, stop - 3, end, _WWW)


@njit(cache=True, nogil=True)
def _mail_bounds(data: Any, at: int, first: int, end: int, kinds: Any) -> Any:
    """Return where the e-mail address around an ``@`` begins and ends.

    Both are `at` when there is none, and -1 when the analyzer might see it differently: parts are so long
    that it might cut them, or a link without ``http`` begins in it.
    """
    begin = at
    while begin > first:
        start = begin - 1
        while start > first and data[start] & 0xC0 == 0x80:
            start -= 1
        code, _ = _decode(data, start, end)
        if not (_kind(kinds, code) & WORD or code in (_UNDERSCORE, _DOT, _PLUS, _PERCENT, _HYPHEN)):
            break
        begin = start
    stop = _label_end(data, at + 1, end, kinds)
    if begin == at or stop == at + 1:
        return at, at
    doubtful = at - begin >= _LONGEST or stop - at >= _LONGEST
    labels = 0
    while stop < end and data[stop] == _DOT:
        doubtful |= _ends_in_www(data, stop, at, end)
        next_stop = _label_end(data, stop + 1, end, kinds)
        if next_stop == stop + 1:
            break
        doubtful |= next_stop - stop >= _LONGEST
        labels += 1
        stop = next_stop
    if doubtful or labels > 8:
        return np.int64(-1), np.int64(-1)
    return (begin, stop) if labels else (at, at)


@njit(cache=True, nogil=True)
def find_unfolded(  # noqa: PLR0912 - one case a sign
    data: Any, bounds: Any, kinds: Any, found: Any
) -> None:
    """Blank e-mail addresses, and find texts that folding might change further than that and letters' case.

    Careful: a text that is not found is certain, one that is found may turn out not to change.

    Parameters
    ----------
    data : ndarray of uint8
        Texts in UTF-8, one after the other. Addresses become spaces.
    bounds : ndarray of int64, shape (texts + 1,)
        Where each text begins.
    kinds : ndarray of uint8
        See `matcher.code_points.CodePoints`.
    found : ndarray of bool, shape (texts,)
        Set for each text.
    """
    for text in range(found.shape[0]):
        begin, end = bounds[text], bounds[text + 1]
        doubtful = False
        i = after_mail = begin
        while i < end:
            place = np.uint64(i)  # indexing by unsigned numbers saves a test
            while place < np.uint64(end) and not _SIGNS[data[place]]:
                place += np.uint64(1)
            i = np.int64(place)
            if i == end:
                break
            value = data[i]
            if value >= 0x80:
                code, size = _decode(data, i, end)
                if code < LAST and kinds[code] & UNFOLDED:
                    doubtful = True
                elif code == _MIDDLE_DOT:
                    doubtful = _begins_ending(data, i, size, begin, end)
                i += size
            else:
                if value <= _AT:
                    if value == _BRACKET:
                        doubtful = _opens_marker(data, i, begin, end, kinds)
                    elif value == _STAR:
                        doubtful = _begins_ending(data, i, 1, begin, end)
                    elif value == _DOT:
                        doubtful = _ends_in_www(data, i, begin, end)
                    elif value == _SLASH:
                        doubtful = _begins_ending(data, i, 1, begin, end) or _is_slash_special(
                            data, i, begin, end
                        )
                    elif value == _COLON:
                        doubtful = (
                            _byte(data, i + 1, begin, end) == _SLASH
                            and _byte(data, i + 2, begin, end) == _SLASH
                        ) or _begins_ending(data, i, 1, begin, end)
                    elif value == _AT:
                        first, stop = _mail_bounds(data, i, after_mail, end, kinds)
                        doubtful = first < 0
                        if stop > i:
                            data[first:stop] = _SPACE
                            i = after_mail = stop - 1
                elif value == _UPPER_I:  # the I of "LehrerIn"
                    doubtful = i > begin and data[i - 1] == _R and i + 1 < end and data[i + 1] == _N
                elif value == _UNDERSCORE:
                    doubtful = _begins_ending(data, i, 1, begin, end)
                i += 1
            if doubtful:
                break
        found[text] = doubtful


@njit(cache=True, nogil=True, inline="always")
def _write(out: Any, place: int, code: int) -> Any:
    """Write a code point as UTF-8; return its size in bytes."""
    if code < 0x80:
        out[place] = code
        return np.int64(1)
    if code < 0x800:
        out[place] = 0xC0 | (code >> 6)
        out[place + 1] = 0x80 | (code & 0x3F)
        return np.int64(2)
    if code < 0x10000:
        out[place] = 0xE0 | (code >> 12)
        out[place + 1] = 0x80 | ((code >> 6) & 0x3F)
        out[place + 2] = 0x80 | (code & 0x3F)
        return np.int64(3)
    out[place] = 0xF0 | (code >> 18)
    out[place + 1] = 0x80 | ((code >> 12) & 0x3F)
    out[place + 2] = 0x80 | ((code >> 6) & 0x3F)
    out[place + 3] = 0x80 | (code & 0x3F)
    return np.int64(4)


@njit(cache=True, nogil=True)
def fill_hashes(data: Any, offsets: Any, terminated: int, base: Any, hashes: Any) -> None:
    """Hash strings: the same as `matcher.strings.hash_strings`.

    Parameters
    ----------
    data : ndarray of uint8
    offsets : ndarray of int64, shape (strings + 1,)
    terminated : int
        How many bytes follow each string, to be left out.
    base : uint64
    hashes : ndarray of uint64
        Filled.
    """
    for number in range(hashes.shape[0]):
        hashed = np.uint64(0)
        for place in range(offsets[number], offsets[number + 1] - terminated):
            hashed = hashed * base + np.uint64(data[place]) + np.uint64(1)
        hashes[number] = hashed


@njit(cache=True, nogil=True)
def fill_slots(hashes: Any, count: int, slots: Any) -> None:
    """Fill a hash table (open addressing, linear probing) with the positions of `count` strings.

    Parameters
    ----------
    hashes : ndarray of uint64
        Of each string.
    count : int
        How many strings there are.
    slots : ndarray of int32
        Filled: positions, -1 where free. Its size is a power of 2, and larger than `count`.
    """
    mask = slots.shape[0] - 1
    slots[:] = -1
    for position in range(count):
        slot = first_slot(hashes[position], mask)
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = position


@njit(cache=True, nogil=True, inline="always")
def first_slot(hashed: int, mask: int) -> Any:
    """Return where to look for a hash first, in a table whose size is ``mask + 1``, a power of 2."""
    # The lower bits of a polynomial hash depend on the lower bits of the bytes alone; the upper ones on all.
    return np.int64((hashed ^ (hashed >> np.uint64(29))) >> np.uint64(20)) & mask


@njit(cache=True, nogil=True, inline="always")
def _find(
    hashed: int, text: Any, begin: int, end: int, slots: Any, hashes: Any, lines: Any, starts: Any
) -> Any:
    """Return the position of the string ``text[begin:end]``, or ``-1 - slot`` of the free slot for it."""
    mask = slots.shape[0] - 1
    slot = first_slot(hashed, mask)
    while slots[slot] >= 0:
        position = np.int64(slots[slot])
        if hashes[position] == hashed and starts[position + 1] - 1 - starts[position] == end - begin:
            ours, theirs = np.uint64(starts[position]), np.uint64(begin)
            while theirs < np.uint64(end) and lines[ours] == text[theirs]:
                ours += np.uint64(1)
                theirs += np.uint64(1)
            if theirs == np.uint64(end):
                return position
        slot = (slot + 1) & mask
    return np.int64(-1 - slot)


@njit(cache=True, nogil=True, inline="always")
def _is_number(out: Any, begin: int, end: int) -> Any:
    """Return whether ASCII letters and digits are all digits."""
    while begin < end and out[begin] < _A:
        begin += 1
    return begin == end


@njit(cache=True, nogil=True)
def _name_end(data: Any, begin: int, i: int, letters: int, before: int, end: int, kinds: Any) -> Any:
    """Return where a name such as ``C++``, ``C#`` or ``CI/CD`` ends, whose letters end at `i`; else `i`."""
    sign = _byte(data, i, begin, end)
    if sign == _SLASH and letters <= 3 and before not in (_SLASH, _UNDERSCORE):
        stop, taken = i + 1, 0
        code, size = _decode(data, stop, end)
        while _kind(kinds, code) & WORD and taken <= 3:
            taken += 1
            stop += size
            code, size = _decode(data, stop, end)
        if _kind(kinds, code) & WORD or code in (_UNDERSCORE, _SLASH, _PLUS, _HASH):
            return i
        if (
            (letters <= 2 and 1 <= taken <= 2)
            or (taken == 2 and _spells(data, begin, end, _TCP_IP))
            or (taken == 3 and _spells(data, begin, end, _PL_SQL))
        ):
            return stop
    elif letters == 1 and sign == _PLUS:
        if _byte(data, i + 1, begin, end) == _PLUS and _byte(data, i + 2, begin, end) != _PLUS:
            return i + 2
    elif letters == 1 and sign == _HASH and _byte(data, begin, begin, end) in (_C, _F, _J):
        code, _ = _decode(data, i + 1, end)
        if not (_kind(kinds, code) & WORD or code == _UNDERSCORE):
            return i + 1
    return i


@njit(cache=True, nogil=True)
def _suffix_end(data: Any, i: int, end: int, kinds: Any) -> Any:
    """Return where ``.js`` or ``.net`` at `i` ends, unless letters follow; else `i`."""
    size = 4 * _spells(data, i, end, _NET) + 3 * _spells(data, i, end, _JS)
    code, _ = _decode(data, i + size, end)
    return i if _kind(kinds, code) & WORD else i + size


@njit(cache=True, nogil=True)
def scan_tokens(  # noqa: PLR0912, PLR0915 - one pass, kept whole so that it compiles to one function
    data: Any,
    bounds: Any,
    kinds: Any,
    lower: Any,
    base: Any,
    stop_slots: Any,
    stop_hashes: Any,
    stop_lines: Any,
    stop_starts: Any,
    out: Any,
    ends: Any,
    hashes: Any,
    flags: Any,
    token_bounds: Any,
) -> Any:
    """Split folded texts into tokens, in lower case.

    Parameters
    ----------
    data : ndarray of uint8
        Texts in UTF-8, one after the other; folded but for the case of letters (see `find_unfolded`).
    bounds : ndarray of int64, shape (texts + 1,)
        Where each text begins.
    kinds, lower : ndarray
        See `matcher.code_points.CodePoints`.
    base : uint64
        Of the hashes, see `matcher.strings.hash_strings`.
    stop_slots, stop_hashes, stop_lines, stop_starts : ndarray
        The stop words: a hash table (see `fill_slots`), and lines (see `matcher.strings.StringTable`).
    out : ndarray of uint8
        Filled with the bytes of the tokens.
    ends : ndarray of int64
        Filled: where token i ends in `out` goes to ``ends[i + 1]``.
    hashes : ndarray of uint64
        Filled with the hash of each, see `matcher.strings.hash_strings`.
    flags : ndarray of uint8
        Filled with sums of `FEATURE`, for a token that counts, and `AS_HASHTAG`, for one that is its own
        normal form as a hashtag.
    token_bounds : ndarray of int64, shape (texts + 1,)
        Filled with the first token of each text; the last entry is the number of tokens.

    Returns
    -------
    int
        How many bytes of `out` are filled; -1 when there are more tokens than room in `hashes`.
    """
    one = np.uint64(1)
    filled = np.int64(0)
    count = np.int64(0)
    ends[0] = 0
    for text in range(bounds.shape[0] - 1):
        token_bounds[text] = count
        end = bounds[text + 1]
        i = bounds[text]
        before = np.int64(0)  # the character before, for what must not follow "_" or "/"
        after_word = False
        while i < end:
            value = data[i]
            if value < 0x80 and value != _DOT and not _LOWER[value]:
                before = np.int64(value)
                after_word = False
                i += 1
                continue
            start = filled
            begin = stop = i
            hashed = np.uint64(0)
            # Most words are ASCII: no decoding. Indexing by unsigned numbers saves a test.
            place, target = np.uint64(i), np.uint64(filled)
            while place < np.uint64(end):
                letter = _LOWER[data[place]]
                if not letter:
                    break
                out[target] = letter
                hashed = hashed * base + np.uint64(letter) + one
                target += one
                place += one
            i, filled = np.int64(place), np.int64(target)
            letters = filled - start
            # The kinds that all characters of the token share.
            common = np.int64(WORD | PLAIN | NUMERIC)
            if letters and not _is_number(out, start, filled):
                common = np.int64(WORD | PLAIN)
            simple = True  # whether the hash is up to date
            code, size = _decode(data, i, end)
            kind = _kind(kinds, code)
            numeric = plain = True
            if letters or kind & WORD:
                while kind & WORD:
                    simple = False
                    common &= kind
                    filled += _write(out, filled, np.int64(lower[code]))
                    letters += 1
                    i += size
                    code, size = _decode(data, i, end)
                    kind = _kind(kinds, code)
                numeric = common & NUMERIC != 0
                plain = common & PLAIN != 0
                stop = i
                after_word = True
                if code in (_SLASH, _PLUS, _HASH):
                    stop = _name_end(data, begin, i, letters, before, end, kinds)
                    after_word = data[stop - 1] not in (_PLUS, _HASH)
                if stop == i:
                    while kind & MARK or (kind & WORD and not plain):
                        plain = numeric = False
                        filled += _write(out, filled, np.int64(lower[code]))
                        letters += 1
                        i += size
                        code, size = _decode(data, i, end)
                        kind = _kind(kinds, code)
                    stop = _suffix_end(data, i, end, kinds) if code == _DOT else i
            elif code == _DOT and not after_word and _spells(data, i, end, _NET):
                stop = _suffix_end(data, i, end, kinds)
                after_word = True
            while i < stop:
                code, size = _decode(data, i, end)
                numeric &= code == _SLASH or _kind(kinds, code) & NUMERIC != 0
                plain = False
                filled += _write(out, filled, np.int64(lower[code]))
                letters += 1
                i += size
            if filled == start:  # no token begins here
                before = code
                after_word = False
                i += size
                continue
            if count == hashes.shape[0]:
                return np.int64(-1)
            before = np.int64(0)
            if not (simple and plain):  # something was added after the letters that were hashed
                hashed = np.uint64(0)
                for written in range(start, filled):
                    hashed = hashed * base + np.uint64(out[written]) + one
            counts = not numeric and (2 <= letters <= _LONGEST or (letters == 1 and out[start] in (_C, _R)))
            if counts:
                stop_word = _find(
                    hashed, out, start, filled, stop_slots, stop_hashes, stop_lines, stop_starts
                )
                counts = stop_word < 0
            count += 1
            ends[count] = filled
            hashes[count - 1] = hashed
            flags[count - 1] = FEATURE * counts + AS_HASHTAG * plain
    token_bounds[bounds.shape[0] - 1] = count
    return filled


@njit(cache=True, nogil=True)
def count_tokens(
    data: Any,
    offsets: Any,
    token_hashes: Any,
    flags: Any,
    token_bounds: Any,
    first_row: int,
    sizes: Any,
    slots: Any,
    hashes: Any,
    lines: Any,
    starts: Any,
    seen: Any,
    terms: Any,
    counts: Any,
    ends: Any,
) -> Any:
    """Count the features among the tokens of each text; terms get numbers in the order they are met.

    Parameters
    ----------
    data, offsets, token_hashes, flags, token_bounds : ndarray
        Tokens, as `scan_tokens` writes them.
    first_row : int
        Number of the first text, counted from 1.
    sizes : ndarray of int64, shape (2,)
        How many terms are known, and how many bytes they take; updated.
    slots, hashes, lines, starts : ndarray
        The terms known: a hash table (see `fill_slots`) and lines, with room for all tokens; updated.
    seen : ndarray of int64, shape (room, 2)
        For each term the text that had it last, and where its entry is; updated.
    terms, counts, ends : ndarray of int32, uint32 and int64
        Filled with the entries of each text, and where they end.

    Returns
    -------
    int
        How many entries there are.
    """
    entries = np.int64(0)
    for text in range(token_bounds.shape[0] - 1):
        row = first_row + text
        for token in range(token_bounds[text], token_bounds[text + 1]):
            if not flags[token] & FEATURE:
                continue
            begin, end = offsets[token], offsets[token + 1]
            term = _find(token_hashes[token], data, begin, end, slots, hashes, lines, starts)
            if term < 0:
                slot = -1 - term
                term = sizes[0]
                sizes[0] += 1
                slots[slot] = term
                hashes[term] = token_hashes[token]
                for i in range(begin, end):
                    lines[sizes[1]] = data[i]
                    sizes[1] += 1
                lines[sizes[1]] = 10
                sizes[1] += 1
                starts[term + 1] = sizes[1]
                seen[term, 0] = 0
            if seen[term, 0] == row:
                counts[seen[term, 1]] += 1
            else:
                seen[term, 0] = row
                seen[term, 1] = entries
                terms[entries] = term
                counts[entries] = 1
                entries += 1
        ends[text] = entries
    return entries


@njit(cache=True, nogil=True)
def find_strings(
    data: Any, offsets: Any, wanted: Any, slots: Any, hashes: Any, lines: Any, starts: Any, found: Any
) -> None:
    """Look strings up in a table.

    Parameters
    ----------
    data, offsets, wanted : ndarray
        Strings and their hashes, see `matcher.strings.Strings`.
    slots, hashes, lines, starts : ndarray
        The table: a hash table (see `fill_slots`), and lines (see `matcher.strings.StringTable`).
    found : ndarray of int64
        Filled with positions, below 0 where a string is missing.
    """
    for number in range(found.shape[0]):
        begin, end = offsets[number], offsets[number + 1]
        found[number] = _find(wanted[number], data, begin, end, slots, hashes, lines, starts)


@njit(cache=True, nogil=True)
def find_runs(
    data: Any,
    offsets: Any,
    wanted: Any,
    bounds: Any,
    longest: int,
    base: Any,
    slots: Any,
    hashes: Any,
    lines: Any,
    starts: Any,
    found: Any,
    owners: Any,
) -> Any:
    """Look up all runs of 1 to `longest` neighbouring strings written together.

    Parameters
    ----------
    data, offsets, wanted, slots, hashes, lines, starts
        As for `find_strings`.
    bounds : ndarray of int64, shape (texts + 1,)
        Where the strings of each text begin.
    longest : int
    base : uint64
        Of the hashes.
    found, owners : ndarray of int64
        Filled with positions as they are met, with repeats, and the text of each; room for `longest` times
        the strings.

    Returns
    -------
    int
        How many there are.
    """
    count = np.int64(0)
    for text in range(bounds.shape[0] - 1):
        for first in range(bounds[text], bounds[text + 1]):
            run = np.uint64(0)
            for last in range(first, min(first + longest, bounds[text + 1])):
                shift, power, left = np.uint64(1), base, offsets[last + 1] - offsets[last]
                while left > 0:  # base to the power of the length
                    if left & 1:
                        shift *= power
                    power *= power
                    left >>= 1
                run = run * shift + wanted[last]
                begin, end = offsets[first], offsets[last + 1]
                position = _find(run, data, begin, end, slots, hashes, lines, starts)
                if position >= 0:
                    found[count] = position
                    owners[count] = text
                    count += 1
    return count
