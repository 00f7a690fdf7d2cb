"""The feature block `semantic`: texts that mean the same, whether or not they share a word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from matcher.encoding import EncodedProfile, ForeignEncoder, TextEncoder, WordEncoder
from matcher.errors import ModelSchemaError, OptionError
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery
from matcher.strings import Found, StringTable
from matcher.term_counts import TermCounts
from matcher.text import posting_text
from matcher.tokens import Tokens
from matcher.weighting import FADINGS, as_float, fade
from matcher.word_vectors import WordVectors

__all__: Final = ["OTHER_WORDS", "SOURCES_OF_VECTORS", "SemanticBlock", "encoder_of", "shipped_encoder"]

MOST_PAIRS: Final = 10
"""Pairs of words that are named one by one."""

OTHER_WORDS: Final = "other words"
"""What the rest adds together; less than 0 when it points elsewhere."""

LEAST_OF_PARTS: Final = 50
"""Parts that cancel out to less than one in so many of their sizes are not named: rounding to whole numbers
decides then, and would be multiplied."""

SOURCES_OF_VECTORS: Final = ("shipped", "postings", "encoder")
"""Where vectors come from: the table that comes with the library, one learned from the postings a matcher is
fitted on, or an object of the caller's."""


@dataclass(frozen=True, slots=True)
class SemanticBlock:
    """Dense vectors of profiles and titles, compared by the cosine of what sets them apart from the mean.

    Below 0 counts as 0. A title says what a posting is; vectors of whole adverts are vague, and those of
    adverts in a language that is hardly known stand for a few chance words. (Where there is no title, the
    text stands in.) The weight counts by the share of the title's words that have a vector.

    Short profiles say little, and a synonym missed is a match missed; in a whole CV the right words occur
    anyway, and sums of many words are all alike. So the block's weight falls with the number of distinct
    words in a profile, and with the share of them that have no vector; see
    `matcher.weighting.fade`.

    Parameters
    ----------
    weight : float
        Share of the score for the shortest profiles, before weights are normalised.
    fading : float
        Words at which a quarter of the weight is left, above 0.
    vectors : {"shipped", "postings", "encoder"}
        Where vectors come from: the table that comes with the library; one that `Matcher.fit` learns from
        the postings, which then stays as it is until the next fit; or `encoder`.
    identity : str
        What vectors of postings were made with; filled in when a matcher is fitted.
    encoder : object, optional
        Anything with ``encode(texts) -> (n, d) array``, instead of a table of words. A model does not hold
        it: give it to `Matcher.load` again.

    Examples
    --------
    >>> SemanticBlock().share(EncodedProfile(np.zeros(2), words=30, known=30))
    0.25
    """

    weight: float = 2.0
    fading: float = 30.0
    vectors: str = "shipped"
    identity: str = ""
    name: str = "semantic"
    encoder: TextEncoder | None = field(default=None, compare=False, repr=False)

    OFF: ClassVar[Mapping[str, Any]] = {}

    def __post_init__(self) -> None:
        for name in ("weight", "fading"):
            object.__setattr__(self, name, as_float(getattr(self, name)))
        # Not isinstance: it may ask for properties, which load a table or ask a model to encode.
        if self.encoder is not None and not hasattr(type(self.encoder), "encode_postings"):
            object.__setattr__(self, "encoder", ForeignEncoder(self.encoder))
            object.__setattr__(self, "vectors", "encoder")
        elif self.encoder is not None and not self.identity:  # the caller's own table
            object.__setattr__(self, "vectors", "encoder")

    def check_settings(self) -> None:
        """Raise `OptionError` unless every setting but the weight makes sense.

        Examples
        --------
        >>> SemanticBlock(fading=0.0).check_settings()
        Traceback (most recent call last):
        matcher.errors.OptionError: fading of block 'semantic' must be a number from 0.001 to 1e+06, got 0.0
        """
        if type(self.fading) is not float or not FADINGS[0] <= self.fading <= FADINGS[1]:
            raise OptionError(
                f"fading of block 'semantic' must be a number from {FADINGS[0]:g} to {FADINGS[1]:g}, "
                f"got {self.fading!r}"
            )
        if self.vectors not in SOURCES_OF_VECTORS:
            raise OptionError(
                f"vectors of block 'semantic' must be one of {', '.join(SOURCES_OF_VECTORS)}, "
                f"got {self.vectors!r}"
            )
        if self.vectors == "encoder" and self.encoder is None and not self.identity:
            raise OptionError("SemanticBlock(vectors='encoder') needs an encoder: SemanticBlock(encoder=...)")

    def with_encoder(self, encoder: TextEncoder) -> SemanticBlock:
        """Return the block with an encoder.

        Examples
        --------
        >>> table = WordVectors.from_arrays(["cook"], [[3, 0]])
        >>> SemanticBlock().with_encoder(WordEncoder.from_table(table)).identity == table.identity
        True
        """
        return replace(self, encoder=encoder, identity=encoder.identity)

    def share(self, profile: EncodedProfile) -> float:
        """Return what of the weight is left for a profile, 0 to 1.

        Examples
        --------
        >>> SemanticBlock().share(EncodedProfile(np.zeros(2), words=400, known=0))
        0.0
        """
        return fade(profile.words, self.fading, profile.known)

    @property
    def counting(self) -> TermCounts:
        """Terms count as they are.

        Examples
        --------
        >>> SemanticBlock().counting == TermCounts()
        True
        """
        return TermCounts()

    def posting_content(self, posting: Posting) -> str:
        """Return the title; summary and body where there is none.

        Examples
        --------
        >>> block = SemanticBlock()
        >>> block.posting_content(Posting(id="1", title="Koch", body="**Bern**"))
        'Koch'
        >>> block.posting_content(Posting(id="1", body="**Bern**")).strip()
        'Bern'
        """
        return posting.title if posting.title.strip() else posting_text(posting)

    def profile_features(self, profiles: Sequence[Profile], tokens: Tokens, vocabulary: StringTable) -> Found:
        """Return nothing: dense vectors have no terms.

        Examples
        --------
        >>> from matcher.tokens import split_in_python
        >>> SemanticBlock().profile_features([], split_in_python([]), StringTable.from_strings([])).positions
        array([], dtype=int64)
        """
        return Found(np.zeros(0, np.int64), np.zeros(0, np.int64))

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return ones, of which there are none.

        Examples
        --------
        >>> SemanticBlock().term_weights(np.zeros(0, np.int64), 3)
        array([], dtype=float64)
        """
        return np.ones(len(document_frequency))

    def label(self, term: str) -> str:
        """Return the term.

        Examples
        --------
        >>> SemanticBlock().label("nurse ~ midwife")
        'nurse ~ midwife'
        """
        return term

    def name_contributions(
        self, terms: Sequence[str], values: Sequence[float], query: BlockQuery, posting: Posting
    ) -> list[tuple[str, float]]:
        """Return what dense vectors add, by pairs of words: the largest first, and what is left as one.

        Examples
        --------
        >>> table = WordVectors.from_arrays(["cook", "midwife", "nurse"], [[4, 0], [1, 4], [0, 4]])
        >>> block = SemanticBlock().with_encoder(WordEncoder.from_table(table))
        >>> query = BlockQuery(np.zeros(0, np.int32), np.zeros(0), text="Nurse", centre=np.zeros(2))
        >>> block.name_contributions([""], [0.5], query, Posting(id="1", title="Midwife"))
        [('nurse ~ midwife', 0.5)]
        """
        named: list[tuple[str, float]] = []
        for value in values:
            parts = encoder_of(self).name_parts(query.text, self.posting_content(posting), query.centre)
            total = sum(part for _, part in parts)
            if not total * LEAST_OF_PARTS > sum(abs(part) for _, part in parts):
                parts, total = [(OTHER_WORDS, 1.0)], 1.0
            parts.sort(key=lambda part: (-part[1], part[0]))
            named += [(label, part * value / total) for label, part in parts[:MOST_PAIRS]]
            if len(parts) > MOST_PAIRS:
                rest = sum(part for _, part in parts[MOST_PAIRS:])
                named.append((OTHER_WORDS, rest * value / total))
        return named

    def settings(self) -> dict[str, Any]:
        """Return all fields but the encoder.

        Examples
        --------
        >>> list(SemanticBlock().settings())
        ['weight', 'fading', 'vectors', 'identity', 'name']
        """
        return {
            "weight": self.weight,
            "fading": self.fading,
            "vectors": self.vectors,
            "identity": self.identity,
            "name": self.name,
        }


def encoder_of(block: SemanticBlock) -> TextEncoder:
    """Return a block's encoder; that of the shipped table when it has none of its own.

    Raises
    ------
    OptionError
        When the block needs an encoder that only the caller has.

    Examples
    --------
    >>> encoder_of(SemanticBlock()).table.words.find("nurse") >= 0
    True
    """
    if block.encoder is not None:
        return block.encoder
    if block.vectors != "shipped":
        raise OptionError(
            f"the model's vectors were made by {block.identity or 'an encoder'}: give it to Matcher.load, "
            "encoder=..."
        )
    return shipped_encoder(block.identity)


@cache
def shipped_encoder(identity: str) -> WordEncoder:
    """Return the encoder of the table that comes with the library, which is loaded when first used.

    One for all: what it makes of the table is made once.

    Raises
    ------
    ModelSchemaError
        When the table is loaded and is not the one that is asked for (an empty identity asks for any).

    Examples
    --------
    >>> shipped_encoder("").table.words.find("nurse") >= 0
    True
    """

    def load() -> WordVectors:
        table = WordVectors.shipped()
        if identity and identity != table.identity:
            raise ModelSchemaError(
                f"the model's vectors were made with word vectors {identity[:12]}, this library has "
                f"{table.identity[:12]}"
            )
        return table

    return WordEncoder(identity, load)
