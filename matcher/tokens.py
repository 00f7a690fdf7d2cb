"""Tokens of many texts as arrays: where features and hashtags are looked for, and terms are counted.

`matcher.analyzer` says what a token is. Here it is called directly, or (with the extra ``[fast]``) replaced
by a compiled pass that gives the same tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.analyzer import fold, select_features, tokenize
from matcher.hashtags import normalise_hashtag
from matcher.stopwords import STOPWORDS
from matcher.strings import BASE, Found, Strings, StringTable, to_offsets
from matcher.variants import find_foldable, fold_variants

__all__: Final = ["Splitter", "Tokens", "split_compiled", "split_in_python"]


_BYTES_A_TOKEN: Final = 4
"""Room is made for one token in so many bytes; where that is not enough, for as many as there can be."""


class Tokens(NamedTuple):
    """Tokens of one or more texts, in order.

    Attributes
    ----------
    strings : Strings
        All tokens, one after the other.
    is_feature : ndarray of bool, shape (tokens,)
        Whether a token counts as a feature; see `matcher.analyzer.select_features`.
    is_hashtag : ndarray of bool, shape (tokens,)
        Whether a token is known to be its own normal form as a hashtag.
    bounds : ndarray of int64, shape (texts + 1,)
        Where the tokens of each text begin.

    Examples
    --------
    >>> tokens = split_in_python(["C++ and SQL"])
    >>> list(tokens.strings), tokens.is_feature
    (['c++', 'and', 'sql'], array([ True, False,  True]))
    """

    strings: Strings
    is_feature: NDArray[np.bool_]
    is_hashtag: NDArray[np.bool_]
    bounds: NDArray[np.int64]

    def features(self) -> Strings:
        """Return the tokens that count as features.

        Examples
        --------
        >>> list(split_in_python(["run the ward", "2019: cook"]).features())
        ['run', 'ward', 'cook']
        """
        return self.strings.take(np.flatnonzero(self.is_feature))

    def find_features(self, vocabulary: StringTable) -> Found:
        """Return the positions of the tokens that count as features and are in a vocabulary.

        Examples
        --------
        >>> split_in_python(["the cook, the nurse"]).find_features(StringTable.from_strings(["cook"]))
        Found(positions=array([0]), owners=array([0]))
        """
        owners = np.repeat(np.arange(len(self.bounds) - 1), np.diff(self.bounds))
        if self.strings.compiled:  # looking all of them up takes less time than picking some out
            positions = vocabulary.find_many(self.strings)
            kept = self.is_feature & (positions >= 0)
            return Found(positions[kept], owners[kept])
        positions, owners = vocabulary.find_many(self.features()), owners[self.is_feature]
        return Found(positions[positions >= 0], owners[positions >= 0])

    def fold_variants(self) -> Tokens:
        """Return the same tokens, those that are variants of a word in one form; see `matcher.variants`.

        Which of them count as features, and which are hashtags, is left as it is.

        Examples
        --------
        >>> list(split_in_python(["nurses in organisations"]).fold_variants().strings)
        ['nurse', 'in', 'organization']
        """
        strings = self.strings
        places = find_foldable(strings.data, strings.offsets)
        if not len(places):
            return self
        folded = [fold_variants(strings[place]) for place in places.tolist()]
        return self._replace(strings=strings.replace(places, folded))

    def as_hashtags(self) -> Strings:
        """Return all tokens, each in the normal form of a hashtag.

        Examples
        --------
        >>> list(split_in_python(["Machine learning with node.js"]).as_hashtags())
        ['machine', 'learning', 'with', 'nodejs']
        """
        others = np.flatnonzero(~self.is_hashtag)
        if not len(others):
            return self.strings
        return self.strings.replace(others, [normalise_hashtag(self.strings[i]) for i in others.tolist()])


Splitter = Callable[[Sequence[str]], Tokens]
"""Splits texts into tokens."""


def split_in_python(texts: Sequence[str]) -> Tokens:
    """Return the tokens of texts by calling the analyzer.

    Examples
    --------
    >>> tokens = split_in_python(["C++ and SQL"])
    >>> list(tokens.strings), tokens.is_feature
    (['c++', 'and', 'sql'], array([ True, False,  True]))
    """
    split = [tokenize(text) for text in texts]
    tokens = [token for part in split for token in part]
    distinct = set(tokens)
    features = set(select_features(distinct))
    hashtags = {token for token in distinct if token.isascii() and token.isalnum()}
    return Tokens(
        Strings.from_strings(tokens),
        np.fromiter(map(features.__contains__, tokens), np.bool_, len(tokens)),
        np.fromiter(map(hashtags.__contains__, tokens), np.bool_, len(tokens)),
        to_offsets([len(part) for part in split]),
    )


def split_compiled(texts: Sequence[str]) -> Tokens:
    """Return the tokens of texts by a compiled pass; the same as `split_in_python`.

    Texts that folding could change in more than the case of letters and by e-mail addresses (links, gender
    markers, combining marks) are folded by the analyzer first.

    Examples
    --------
    >>> list(split_compiled(["Entwickler*in (m/w/d): C++ und .NET"]).features())
    ['entwickler', 'c++', '.net']
    """
    from matcher.scanner import AS_HASHTAG, FEATURE, find_unfolded, scan_tokens

    tables = _tables()
    data, bounds = _join(text.encode("utf-8", "surrogatepass") for text in texts)
    unfolded = np.empty(len(texts), np.bool_)
    find_unfolded(data, bounds, tables.kinds, unfolded)
    if unfolded.any():
        parts = [data[begin:end].tobytes() for begin, end in pairwise(bounds.tolist())]
        for number in np.flatnonzero(unfolded).tolist():
            parts[number] = fold(texts[number]).encode("utf-8", "surrogatepass")
        data, bounds = _join(parts)
    token_bounds = np.empty(len(texts) + 1, np.int64)
    room, size = len(data) // _BYTES_A_TOKEN + 64, -1
    while size < 0:
        # A lower-case letter takes at most 3 bytes where the upper-case one takes 2.
        out = np.empty(len(data) // 2 * 3 + 8, np.uint8)
        offsets, hashes = np.empty(room + 1, np.int64), np.empty(room, np.uint64)
        flags = np.empty(room, np.uint8)
        size = scan_tokens(data, bounds, *tables, out, offsets, hashes, flags, token_bounds)
        room = len(data) + 1
    count = int(token_bounds[-1])
    flags = flags[:count]
    return Tokens(
        Strings(out[:size], offsets[: count + 1], hashes[:count], compiled=True),
        flags & FEATURE > 0,
        flags & AS_HASHTAG > 0,
        token_bounds,
    )


def _join(texts: Iterable[bytes]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return texts as one writable array, and where each begins."""
    listed = list(texts)
    return np.frombuffer(bytearray().join(listed), np.uint8), to_offsets([len(text) for text in listed])


class _Tables(NamedTuple):
    """What `matcher.scanner.scan_tokens` looks up, in the order of its parameters."""

    kinds: NDArray[np.uint8]
    lower: NDArray[np.int32]
    base: Any
    stop_slots: NDArray[np.int32]
    stop_hashes: NDArray[np.uint64]
    stop_lines: NDArray[np.uint8]
    stop_starts: NDArray[np.int64]


@cache
def _tables() -> _Tables:
    from matcher.code_points import code_points

    words = StringTable.from_strings(sorted(STOPWORDS))
    return _Tables(*code_points(), BASE, *words.hash_table(), words.lines, words.offsets)
