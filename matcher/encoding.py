"""Texts as dense vectors: by a table of word vectors, or by anything with an ``encode`` method.

An encoder turns postings into vectors of small integers and profiles into vectors of larger ones
(`matcher.dense`), and says which words of both make two texts alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matcher.dense import MOST_DIMENSIONS, quantise_postings, to_unit
from matcher.errors import OptionError
from matcher.strings import Found
from matcher.tokens import Splitter, Tokens, split_in_python
from matcher.word_vectors import WordVectors

__all__: Final = ["EncodedProfile", "ForeignEncoder", "TextEncoder", "WordEncoder"]

COMMON_SHARE: Final = 0.4
"""How long the mean of texts' directions is expected to be, along the sum of all words' vectors. The mean of
30,000 titles, labels and sentences is 0.40 to 0.43 long in the tables tried, at a cosine of 0.93 to 0.95 to
that sum."""

MOST_REPEATS: Final = 255
"""Beyond, a word does not count more: sums of 60,000 words still fit 32 bits."""

PAIRS_NAMED: Final = 3
"""Pairs of words that a contribution of `ForeignEncoder` names."""

MOST_WORDS_ENCODED: Final = 200
_TEXTS: Final = 256


class EncodedProfile(NamedTuple):
    """A profile as a vector.

    Attributes
    ----------
    direction : ndarray of float64, shape (dimensions,)
        Of length 1; all 0 when nothing of the profile is known.
    words : int
        How many distinct words the profile has.
    known : int
        How many of them the vector stands for.

    Examples
    --------
    >>> EncodedProfile(np.zeros(2), words=3, known=0).known
    0
    """

    direction: NDArray[np.float64]
    words: int
    known: int


@runtime_checkable
class TextEncoder(Protocol):
    """What every encoder can do."""

    @property
    def identity(self) -> str:
        """What tells this encoder from others: vectors of two with the same identity may be compared."""

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has; 0 until it is known."""

    @property
    def expected(self) -> NDArray[np.float64]:
        """The mean of texts' directions that is expected beforehand, shape (dimensions,)."""

    def encode_postings(self, texts: Sequence[str], split: Splitter) -> NDArray[np.int8]:
        """Return the directions of postings' texts in whole numbers, shape (texts, dimensions)."""

    def share_known(self, texts: Sequence[str], split: Splitter) -> NDArray[np.uint8]:
        """Return what share of the words of postings' texts their vectors stand for, in 255ths."""

    def encode_profiles(self, texts: Sequence[str], tokens: Tokens) -> list[EncodedProfile]:
        """Return profiles as vectors; `tokens` are those of the texts."""

    def name_parts(self, profile: str, posting: str, centre: NDArray[np.float64]) -> list[tuple[str, float]]:
        """Return what makes two texts alike, named, and how much each part is of the whole.

        `centre` is the mean of postings' directions, which does not count.
        """


class WordEncoder:
    """Adds up the vectors of a text's words.

    A word counts as often as it occurs, up to `MOST_REPEATS` times; what is compared is the sum's direction.

    Parameters
    ----------
    identity : str
        Of the table: `matcher.word_vectors.WordVectors.identity`.
    load : callable
        Returns the table, when it is first needed.

    Examples
    --------
    >>> table = WordVectors.from_arrays(["cook", "nurse"], [[3, 0], [0, 4]])
    >>> encoder = WordEncoder(table.identity, lambda: table)
    >>> encoder.encode_postings(["A cook", "A pilot"], split_in_python)
    array([[127,   0],
           [  0,   0]], dtype=int8)
    """

    def __init__(self, identity: str, load: Callable[[], WordVectors]) -> None:
        self.identity = identity
        self._load = load

    @classmethod
    def from_table(cls, table: WordVectors) -> WordEncoder:
        """Return the encoder of a table that is at hand.

        Examples
        --------
        >>> WordEncoder.from_table(WordVectors.from_arrays(["cook"], [[3, 0]])).dimensions
        2
        """
        return cls(table.identity, lambda: table)

    @cached_property
    def table(self) -> WordVectors:
        """The table, loaded when first asked for.

        Examples
        --------
        >>> WordEncoder.from_table(WordVectors.from_arrays(["cook"], [[3, 0]])).table.words[0]
        'cook'
        """
        return self._load()

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has.

        Examples
        --------
        >>> WordEncoder.from_table(WordVectors.from_arrays([], np.zeros((0, 5), np.int8))).dimensions
        5
        """
        return self.table.dimensions

    @cached_property
    def expected(self) -> NDArray[np.float64]:
        """The mean of texts' directions that is expected beforehand, shape (dimensions,).

        Examples
        --------
        >>> WordEncoder.from_table(WordVectors.from_arrays(["cook"], [[3, 4]])).expected.round(2)
        array([0.24, 0.32])
        """
        total = self.table.vectors.sum(axis=0, dtype=np.int64).astype(np.float64)
        expected: NDArray[np.float64] = COMMON_SHARE * to_unit(total[None])[0]
        return expected

    @cached_property
    def _wide(self) -> NDArray[np.int32]:
        return self.table.vectors.astype(np.int32)

    def encode_postings(self, texts: Sequence[str], split: Splitter) -> NDArray[np.int8]:
        """Return the vectors of postings' texts, shape (texts, dimensions); 0 where no word is known.

        Examples
        --------
        >>> table = WordVectors.from_arrays(["cook"], [[3, 0]])
        >>> WordEncoder.from_table(table).encode_postings([], split_in_python).shape
        (0, 2)
        """
        encoded = np.zeros((len(texts), self.dimensions), np.int8)
        for first in range(0, len(texts), _TEXTS):
            some = texts[first : first + _TEXTS]
            words, owners, counts = _count(self.table.find(split(some)), len(self.table))
            starts = np.searchsorted(owners, np.arange(len(some) + 1))
            encoded[first : first + _TEXTS] = self._add_up(starts, words, counts)
        return encoded

    def share_known(self, texts: Sequence[str], split: Splitter) -> NDArray[np.uint8]:
        """Return what share of its different words each text's vector stands for, in 255ths.

        Examples
        --------
        >>> encoder = WordEncoder.from_table(WordVectors.from_arrays(["cook"], [[3, 0]]))
        >>> encoder.share_known(["A cook in Bern", "Pilot"], split_in_python)
        array([128,   0], dtype=uint8)
        """
        shares = np.zeros(len(texts), np.uint8)
        for first in range(0, len(texts), _TEXTS):
            tokens = split(texts[first : first + _TEXTS])
            _, owners, _ = _count(self.table.find(tokens), len(self.table))
            known = np.bincount(owners, minlength=len(tokens.bounds) - 1)
            words = np.maximum(np.maximum(_count_distinct(tokens), known), 1)
            shares[first : first + _TEXTS] = np.rint(255 * known / words)
        return shares

    def _add_up(
        self, starts: NDArray[np.int64], words: NDArray[np.int64], counts: NDArray[np.int32]
    ) -> NDArray[np.int8]:
        """Return the vectors of postings, given their words and how much each counts."""
        from scipy.sparse import csr_matrix  # needed when postings come in, never when a model is used

        shape = len(starts) - 1, len(self.table)
        sums = csr_matrix((counts, words, starts), shape) @ self._wide
        return quantise_postings(sums.astype(np.float64))

    def encode_profiles(self, texts: Sequence[str], tokens: Tokens) -> list[EncodedProfile]:
        """Return profiles as vectors.

        Examples
        --------
        >>> table = WordVectors.from_arrays(["cook", "nurse"], [[3, 0], [0, 4]])
        >>> encoder = WordEncoder.from_table(table)
        >>> profile = "A cook is a cook in Bern"
        >>> encoder.encode_profiles([profile], split_in_python([profile]))
        [EncodedProfile(direction=array([1., 0.]), words=2, known=1)]
        """
        table = self.table
        words, owners, counts = _count(table.find(tokens), len(table))
        ends = np.searchsorted(owners, np.arange(len(texts) + 1)).tolist()
        distinct = _count_distinct(tokens)
        encoded = []
        for number, (begin, end) in enumerate(pairwise(ends)):
            some = slice(begin, end)
            total = (table.vectors[words[some]].astype(np.int64) * counts[some, None]).sum(axis=0)
            direction = to_unit(total[None].astype(np.float64))[0]
            known = end - begin
            encoded.append(EncodedProfile(direction, max(distinct[number], known), known))
        return encoded

    def name_parts(self, profile: str, posting: str, centre: NDArray[np.float64]) -> list[tuple[str, float]]:
        """Return what each word of a profile adds to the likeness, with the nearest word of the posting.

        The parts are exact shares: the sum over all words is the product of both vectors. Those of words
        that point elsewhere are below 0.

        Examples
        --------
        >>> table = WordVectors.from_arrays(["cook", "midwife", "nurse"], [[4, 0], [1, 4], [0, 4]])
        >>> WordEncoder.from_table(table).name_parts("nurse", "midwife", np.zeros(2))[0][0]
        'nurse ~ midwife'
        """
        table = self.table
        ours, _, counts = _count(table.find(split_in_python([profile])), len(table))
        theirs, _, others = _count(table.find(split_in_python([posting])), len(table))
        if not len(ours) or not len(theirs):
            return []
        mine = table.vectors[ours].astype(np.float64)
        weighted = mine * counts[:, None]
        rest = table.vectors[theirs].astype(np.float64)
        direction = to_unit((rest * others[:, None]).sum(axis=0)[None])[0] - centre
        length = float(np.linalg.norm(weighted.sum(axis=0)))
        lengths = np.linalg.norm(weighted, axis=1)
        if not length or not lengths.any():
            return []
        parts = weighted @ direction / length - lengths / lengths.sum() * float(centre @ direction)
        nearest = _find_nearest(to_unit(mine), to_unit(rest))
        names, near = table.words.take(ours), table.words.take(theirs[nearest])
        labels = [own if own == other else f"{own} ~ {other}" for own, other in zip(names, near, strict=True)]
        return list(zip(labels, parts.tolist(), strict=True))


class ForeignEncoder:
    """Any object with ``encode(texts) -> (n, d) array``, such as a sentence encoder.

    Parameters
    ----------
    model : object
        Must return the same vector for the same text. It is called with postings when they come in, with
        profiles when they are ranked, and with single words when a contribution is to be named.

    Examples
    --------
    >>> class Lengths:
    ...     def encode(self, texts):
    ...         return [[len(text), 1.0] for text in texts]
    >>> ForeignEncoder(Lengths()).encode_postings(["cook", "pilots"], split_in_python)
    array([[123,  31],
           [125,  21]], dtype=int8)
    """

    def __init__(self, model: Any) -> None:
        if not callable(getattr(model, "encode", None)):
            raise OptionError(f"an encoder needs a method encode(texts), {type(model).__name__} has none")
        self._model = model
        self._dimensions = 0
        named = str(getattr(model, "identity", ""))
        self.identity = named or f"{type(model).__module__}.{type(model).__qualname__}"

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has.

        Examples
        --------
        >>> class Ones:
        ...     def encode(self, texts):
        ...         return [[1.0, 1.0] for text in texts]
        >>> ForeignEncoder(Ones()).dimensions
        2
        """
        if not self._dimensions:
            self._encode(["text"])
        return self._dimensions

    @property
    def expected(self) -> NDArray[np.float64]:
        """Nothing: what texts share is learned from postings alone.

        Examples
        --------
        >>> class Ones:
        ...     def encode(self, texts):
        ...         return [[1.0, 1.0] for text in texts]
        >>> ForeignEncoder(Ones()).expected
        array([0., 0.])
        """
        return np.zeros(self.dimensions)

    def encode_postings(self, texts: Sequence[str], split: Splitter) -> NDArray[np.int8]:
        """Return the vectors of postings' texts; a text without words has none.

        Examples
        --------
        >>> class Ones:
        ...     def encode(self, texts):
        ...         return [[1.0, 1.0] for text in texts]
        >>> ForeignEncoder(Ones()).encode_postings([], split_in_python).shape
        (0, 2)
        """
        parts = [np.zeros((0, self.dimensions), np.int8)]
        for first in range(0, len(texts), _TEXTS):
            some = texts[first : first + _TEXTS]
            vectors = quantise_postings(self._encode(some))
            vectors[np.array(_count_distinct(split(some))) == 0] = 0
            parts.append(vectors)
        return np.concatenate(parts)

    def share_known(self, texts: Sequence[str], split: Splitter) -> NDArray[np.uint8]:
        """Return that all of each text is known.

        Examples
        --------
        >>> class Ones:
        ...     def encode(self, texts):
        ...         return [[1.0, 1.0] for text in texts]
        >>> ForeignEncoder(Ones()).share_known(["Cook"], split_in_python)
        array([255], dtype=uint8)
        """
        return np.full(len(texts), 255, np.uint8)

    def encode_profiles(self, texts: Sequence[str], tokens: Tokens) -> list[EncodedProfile]:
        """Return profiles as vectors; a profile without words has none.

        The model gets the words that count as features, one after the other. In the text there may be
        e-mail addresses, phone numbers and pronouns, which must change no recommendation.

        Examples
        --------
        >>> class Ones:
        ...     def encode(self, texts):
        ...         return [[1.0, 1.0] for text in texts]
        >>> ForeignEncoder(Ones()).encode_profiles(["Cook"], split_in_python(["Cook"]))[0].known
        1
        """
        words = _count_distinct(tokens)
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(tokens.is_feature)])[tokens.bounds].tolist()
        features = list(tokens.features())
        plain = [" ".join(features[begin:end]) for begin, end in pairwise(ends)]
        directions = to_unit(self._encode(plain)) if plain else np.zeros((0, 0))
        return [
            EncodedProfile(direction if count else np.zeros_like(direction), count, count)
            for direction, count in zip(directions, words, strict=True)
        ]

    def name_parts(self, profile: str, posting: str, centre: NDArray[np.float64]) -> list[tuple[str, float]]:
        """Return one part, the whole, under the name of the nearest pairs of words.

        Examples
        --------
        >>> class Ones:
        ...     def encode(self, texts):
        ...         return [[1.0, 1.0] for text in texts]
        >>> ForeignEncoder(Ones()).name_parts("nurse", "midwife", np.zeros(2))
        [('nurse ~ midwife', 1.0)]
        """
        ours, theirs = (
            list(dict.fromkeys(split_in_python([text]).features()))[:MOST_WORDS_ENCODED]
            for text in (profile, posting)
        )
        if not ours or not theirs:
            return []
        likeness = to_unit(self._encode(ours)) @ to_unit(self._encode(theirs)).T
        best = likeness.argmax(axis=1)
        order = np.argsort(-likeness.max(axis=1), kind="stable")[:PAIRS_NAMED].tolist()
        named = [(ours[place], theirs[int(best[place])]) for place in order]
        return [(", ".join(own if own == other else f"{own} ~ {other}" for own, other in named), 1.0)]

    def _encode(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Return the model's vectors after checking them."""
        returned = self._model.encode(list(texts))
        try:
            vectors = np.asarray(returned)
        except ValueError:  # rows of different lengths
            vectors = np.zeros(0, object)
        if vectors.ndim != 2 or len(vectors) != len(texts) or vectors.dtype.kind not in "fiu":
            raise OptionError(
                f"encode() of {self.identity} must return an array of shape ({len(texts)}, dimensions), "
                f"got {vectors.shape} of {vectors.dtype}"
            )
        size = vectors.shape[1]
        if not 1 <= size <= MOST_DIMENSIONS or (self._dimensions and size != self._dimensions):
            wanted = self._dimensions or f"1 to {MOST_DIMENSIONS}"
            raise OptionError(f"encode() of {self.identity} must return {wanted} numbers a text, got {size}")
        # Rows one after the other: in another layout their lengths would be summed in another order.
        wide = vectors.astype(np.float64, order="C")
        if not np.isfinite(wide).all():
            raise OptionError(f"encode() of {self.identity} returned numbers that are not finite")
        self._dimensions = size
        return wide


def _count(found: Found, words: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]:
    """Return the distinct words of texts, their texts, and how much each counts; text after text."""
    keys = np.sort(found.owners * max(1, words) + found.positions)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    owners, positions = np.divmod(keys[first], max(1, words))
    counts = np.diff(first, append=len(keys))
    return positions, owners, np.minimum(counts, MOST_REPEATS).astype(np.int32)


def _find_nearest(rows: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return which of some other rows has the largest product with each row; the first of several."""
    # Some at a time: between the words of two long texts there are millions of products.
    starts = range(0, len(rows), _TEXTS)
    return np.concatenate([(rows[start : start + _TEXTS] @ others.T).argmax(axis=1) for start in starts])


def _count_distinct(tokens: Tokens) -> list[int]:
    """Return how many distinct tokens that count as features each text has."""
    owners = np.repeat(np.arange(len(tokens.bounds) - 1), np.diff(tokens.bounds))[tokens.is_feature]
    hashes = tokens.strings.hashes[tokens.is_feature]
    order = np.lexsort((hashes, owners))
    owners, hashes = owners[order], hashes[order]
    is_new = np.ones(len(owners), np.bool_)
    is_new[1:] = (owners[1:] != owners[:-1]) | (hashes[1:] != hashes[:-1])
    counts: list[int] = np.bincount(owners[is_new], minlength=len(tokens.bounds) - 1).tolist()
    return counts
