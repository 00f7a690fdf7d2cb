"""The feature block of titles: words of a posting's title, matched by how they are spelled."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import OptionError
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery, Matched
from matcher.spelling import Spelling, keep_nearest
from matcher.strings import Strings, StringTable
from matcher.term_counts import TermCounts
from matcher.tokens import Tokens
from matcher.weighting import FADINGS, as_float, fade, smooth_idf

__all__: Final = ["TitleBlock"]

LARGEST_POWER: Final = 16.0


@dataclass(frozen=True, slots=True)
class TitleBlock:
    """TF-IDF over the words of the title, which a profile's words match when they are spelled alike.

    A profile has a word of a title in the measure of ``similarity ** power``, where the similarity is the
    largest between the word and any word of the profile (see `matcher.spelling`): 1 for the word itself, less
    for its plural, for a compound it is part of, and for what looks like it.

    Parameters
    ----------
    weight : float
        Share of the score.
    least : float
        Similarity from which on words match, 0 to 1.
    fading : float
        Different words of a profile at which a quarter of the weight is left: in a whole CV the words of
        titles occur by the way. See `matcher.weighting.fade`.
    power : float
        Above 0, at most `LARGEST_POWER`; the larger, the less words count that are only similar.

    Examples
    --------
    >>> posting = Posting(id="1", title="C++ Developers (m/f/d)", body="Know your tools")
    >>> TitleBlock().posting_content(posting)
    'C++ Developers (m/f/d)'
    """

    weight: float = 0.5
    name: str = "title"
    least: float = 0.25
    power: float = 2.0
    fading: float = 30.0

    OFF: ClassVar[Mapping[str, Any]] = {}

    def __post_init__(self) -> None:
        for name in ("weight", "least", "power", "fading"):
            object.__setattr__(self, name, as_float(getattr(self, name)))

    @property
    def counting(self) -> TermCounts:
        """Terms count as they are.

        Examples
        --------
        >>> TitleBlock().counting == TermCounts()
        True
        """
        return TermCounts()

    def posting_content(self, posting: Posting) -> str:
        """Return the title.

        Examples
        --------
        >>> TitleBlock().posting_content(Posting(id="1", title="Koch", body="in Bern"))
        'Koch'
        """
        return posting.title

    def profile_features(
        self, profiles: Sequence[Profile], tokens: Tokens, vocabulary: StringTable
    ) -> Matched:
        """Return the words of titles that the profiles' words are spelled like, and in what measure.

        Examples
        --------
        >>> from matcher.tokens import split_in_python
        >>> tokens, vocabulary = split_in_python(["Developer"]), StringTable.from_strings(["developers"])
        >>> found = TitleBlock().profile_features([Profile("Developer")], tokens, vocabulary)
        >>> found.positions, found.amounts.round(3), found.words[found.origins[0]]
        (array([0]), array([0.681]), 'developer')
        """
        compiled, size = tokens.strings.compiled, len(vocabulary)
        texts = _distinct_features(tokens)
        lines = sorted(set().union(*texts))
        words = [line.decode("utf-8", "surrogatepass") for line in lines]
        places = vocabulary.find_many(Strings.from_lines(lines, compiled=compiled)).tolist()
        alike = Spelling.of(vocabulary).find(words, self.least, places, compiled=compiled)
        numbers = {line: number for number, line in enumerate(lines)}
        positions, similarities, origins = [np.zeros(0, np.int64)], [np.zeros(0)], [np.zeros(0, np.int32)]
        shares: list[float] = []
        for text in texts:
            askers = sorted([numbers[line] for line in text])  # words are sorted, so their numbers are, too
            # Cosines do not tell a profile that is all in the titles from one that hardly resembles any.
            matched = math.fsum(float(alike[number][1].max(initial=0.0)) ** self.power for number in askers)
            shares.append(fade(len(text), self.fading, matched))
            nearest = keep_nearest([alike[number] for number in askers], askers, size, compiled=compiled)
            for part, new in zip((positions, similarities, origins), nearest, strict=True):
                part.append(new)  # type: ignore[attr-defined]
        owners = np.repeat(np.arange(len(texts)), [len(part) for part in positions[1:]])
        amounts = np.concatenate(similarities) ** self.power
        return Matched(np.concatenate(positions), owners, amounts, np.concatenate(origins), words, shares)

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return the smooth idf of each word.

        Examples
        --------
        >>> TitleBlock().term_weights(np.array([1]), 1)
        array([1.])
        """
        return smooth_idf(document_frequency, postings)

    def label(self, term: str) -> str:
        """Return the word itself.

        Examples
        --------
        >>> TitleBlock().label("c++")
        'c++'
        """
        return term

    def name_contributions(
        self, terms: Sequence[str], values: Sequence[float], query: BlockQuery, posting: Posting
    ) -> list[tuple[str, float]]:
        """Return the words of the title; where the profile has another one, that one before it.

        Examples
        --------
        >>> one = np.zeros(1, np.int32)
        >>> query = BlockQuery(one, np.ones(1), False, one, ["developer"])
        >>> TitleBlock().name_contributions(["developers"], [0.1], query, Posting(id="1"))
        [('developer ~ developers', 0.1)]
        """
        words = [query.word(place) for place in range(len(terms))]
        return [
            (term if word in ("", term) else f"{word} ~ {term}", value)
            for word, term, value in zip(words, terms, values, strict=True)
        ]

    def settings(self) -> dict[str, Any]:
        """Return all fields.

        Examples
        --------
        >>> TitleBlock().settings()
        {'weight': 0.5, 'name': 'title', 'least': 0.25, 'power': 2.0, 'fading': 30.0}
        """
        return asdict(self)

    def check_settings(self) -> None:
        """Raise `OptionError` unless all settings but the weight make sense.

        Examples
        --------
        >>> TitleBlock(least=2).check_settings()
        Traceback (most recent call last):
        matcher.errors.OptionError: least of block 'title' must be a number from 0 to 1, got 2.0
        """
        if not _is_between(self.least, 0.0, 1.0):
            raise OptionError(f"least of block 'title' must be a number from 0 to 1, got {self.least!r}")
        if not _is_between(self.fading, *FADINGS):
            raise OptionError(
                f"fading of block 'title' must be a number from {FADINGS[0]:g} to {FADINGS[1]:g}, "
                f"got {self.fading!r}"
            )
        if not _is_between(self.power, 1e-3, LARGEST_POWER):
            raise OptionError(
                f"power of block 'title' must be a number from 0.001 to {LARGEST_POWER:g}, got {self.power!r}"
            )


def _is_between(value: object, lowest: float, highest: float) -> bool:
    return type(value) is float and lowest <= value <= highest


def _distinct_features(tokens: Tokens) -> list[set[bytes]]:
    """Return the different tokens of each text that count as features, in UTF-8."""
    data, offsets = tokens.strings.data.tobytes(), tokens.strings.offsets.tolist()
    chosen = np.flatnonzero(tokens.is_feature)
    lines = [data[offsets[token] : offsets[token + 1]] for token in chosen.tolist()]
    bounds = np.searchsorted(chosen, tokens.bounds).tolist()
    return [set(lines[begin:end]) for begin, end in pairwise(bounds)]
