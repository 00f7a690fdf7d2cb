"""Feature blocks: what of a posting and of a profile is counted, and how much each feature weighs.

A block is one family of features with its own vocabulary. To add one, write a frozen dataclass with
the methods of `FeatureBlock` and add a row to `BLOCKS`; contract tests, the ranker, the model on disk
and the explanations pick it up from there.

Blocks hold settings only; `matcher.learning` fits them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matcher.analyzer import LONGEST_TAG_IN_WORDS, analyze, select_tags
from matcher.errors import ModelDamagedError, OptionError
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery, Matched
from matcher.semantic import SemanticBlock
from matcher.strings import Found, StringTable
from matcher.text import posting_text
from matcher.titles import TitleBlock
from matcher.tokens import Tokens
from matcher.weighting import as_float, smooth_idf

__all__: Final = [
    "BLOCKS",
    "FeatureBlock",
    "HashtagBlock",
    "TextBlock",
    "TitleBlock",
    "block_from_settings",
    "check_blocks",
    "default_blocks",
    "posting_terms",
    "smooth_idf",
]


LEAST_WEIGHT: Final = 1e-9
MOST_WEIGHT: Final = 1e9
"""Bounds of a block's weight other than 0; beyond them quotients of weights lose precision or overflow."""

_BYTES_OF_SHORT_TAG: Final = 8
"""Tags of two characters, whose names may be words too, take at most so many bytes in UTF-8."""


@runtime_checkable
class FeatureBlock(Protocol):
    """What every feature block can do. Blocks are immutable and hold settings only.

    Attributes
    ----------
    name : str
        Key in `BLOCKS`, shown in contributions, prefix of the block's files in a model.
    weight : float
        Share of the score, before weights are normalised over the blocks that have data. At least 0.
    """

    @property
    def name(self) -> str:
        """The block's key in `BLOCKS`."""

    @property
    def weight(self) -> float:
        """The block's share of the score."""

    def posting_content(self, posting: Posting) -> str | Sequence[str]:
        """Return what a posting's terms are counted in: a text to split into tokens, or the terms themselves.

        Terms may repeat: how often one occurs is its count. Either way, it is the same for all postings.
        """

    def profile_features(
        self, profiles: Sequence[Profile], tokens: Tokens, vocabulary: StringTable
    ) -> Found | Matched:
        """Return the positions in `vocabulary` of the profiles' terms, with repeats, profile after profile.

        `tokens` are those of the profiles' texts, split once for all blocks. Where profiles have terms in
        some measure, for other words of theirs, `Matched` comes back.
        """

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return the weight of each term, shape (terms,), finite and above 0."""

    def label(self, term: str) -> str:
        """Return a term as a person wants to read it."""

    def name_contributions(
        self, terms: Sequence[str], values: Sequence[float], query: BlockQuery, posting: Posting
    ) -> list[tuple[str, float]]:
        """Return what a person reads of contributions: a label and a value each, all above 0.

        A contribution may become several, whose values sum to its own; of one posting, a single one may.

        Parameters
        ----------
        terms : sequence of str
            Of the posting, in the block's vocabulary.
        values : sequence of float
            What each adds to the score.
        query : BlockQuery
            The profile's side: its features are those of `terms`, in their order.
        posting : Posting
        """

    def check_settings(self) -> None:
        """Raise `OptionError` unless all settings but the weight make sense."""

    def settings(self) -> dict[str, Any]:
        """Return what a model's manifest needs to make the same block again: all fields, JSON values."""


@dataclass(frozen=True, slots=True)
class TextBlock:
    """TF-IDF over the words of title, summary and body.

    Parameters
    ----------
    weight : float
        Share of the score.

    Examples
    --------
    >>> posting_terms(TextBlock(), Posting(id="1", title="C++ Developer (m/f/d)", body="**.NET** is a plus"))
    ['c++', 'developer', '.net', 'plus']
    """

    weight: float = 0.7
    name: str = "text"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", as_float(self.weight))

    def posting_content(self, posting: Posting) -> str:
        """Return title, summary and body as text.

        Examples
        --------
        >>> TextBlock().posting_content(Posting(id="1", title="Koch", body="**Bern**"))
        'Koch\\nBern\\n'
        """
        return posting_text(posting)

    def profile_features(self, profiles: Sequence[Profile], tokens: Tokens, vocabulary: StringTable) -> Found:
        """Return the positions of the profiles' tokens.

        Examples
        --------
        >>> from matcher.tokens import split_in_python
        >>> tokens, vocabulary = split_in_python(["Koch in Bern"]), StringTable.from_strings(["bern", "koch"])
        >>> TextBlock().profile_features([Profile("Koch in Bern")], tokens, vocabulary)
        Found(positions=array([1, 0]), owners=array([0, 0]))
        """
        return tokens.find_features(vocabulary)

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return the smooth idf of each term.

        Examples
        --------
        >>> TextBlock().term_weights(np.array([1]), 1)
        array([1.])
        """
        return smooth_idf(document_frequency, postings)

    def label(self, term: str) -> str:
        """Return the word itself.

        Examples
        --------
        >>> TextBlock().label("c++")
        'c++'
        """
        return term

    def name_contributions(
        self, terms: Sequence[str], values: Sequence[float], query: BlockQuery, posting: Posting
    ) -> list[tuple[str, float]]:
        """Return the words themselves.

        Examples
        --------
        >>> query = BlockQuery(np.zeros(1, np.int32), np.ones(1))
        >>> TextBlock().name_contributions(["cook"], [0.1], query, Posting(id="1"))
        [('cook', 0.1)]
        """
        return list(zip(map(self.label, terms), values, strict=True))

    def check_settings(self) -> None:
        """Do nothing: every setting of its type makes sense.

        Examples
        --------
        >>> TextBlock().check_settings()
        """

    def settings(self) -> dict[str, Any]:
        """Return all fields.

        Examples
        --------
        >>> TextBlock().settings()
        {'weight': 0.7, 'name': 'text'}
        """
        return asdict(self)


@dataclass(frozen=True, slots=True)
class HashtagBlock:
    """One feature per hashtag: present or not, rare tags weighing more.

    A profile has a tag when its text contains the tag's name or a written variant of it
    (see `matcher.analyzer.tag_candidates`).

    Parameters
    ----------
    weight : float
        Share of the score.
    idf : bool
        Weigh tags by their inverse document frequency; False gives plain one-hots.

    Examples
    --------
    >>> posting_terms(HashtagBlock(), Posting(id="1", hashtags=["#MachineLearning"]))
    ['machinelearning']
    """

    weight: float = 0.3
    idf: bool = True
    name: str = "hashtags"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", as_float(self.weight))

    def posting_content(self, posting: Posting) -> Sequence[str]:
        """Return the posting's hashtags.

        Examples
        --------
        >>> HashtagBlock().posting_content(Posting(id="1", hashtags=["#a", "#a"]))
        ('a',)
        """
        return posting.hashtags

    def profile_features(self, profiles: Sequence[Profile], tokens: Tokens, vocabulary: StringTable) -> Found:
        """Return the positions of the hashtags that occur in the profiles' texts, each once.

        Examples
        --------
        >>> from matcher.tokens import split_in_python
        >>> tokens, vocabulary = split_in_python(["Big data"]), StringTable.from_strings(["bigdata", "sql"])
        >>> HashtagBlock().profile_features([Profile("Big data")], tokens, vocabulary)
        Found(positions=array([0]), owners=array([0]))
        """
        found = vocabulary.find_runs(tokens.as_hashtags(), tokens.bounds, LONGEST_TAG_IN_WORDS)
        kept = np.ones(len(found.owners), np.bool_)
        sizes = vocabulary.offsets[found.positions + 1] - vocabulary.offsets[found.positions] - 1
        for entry in np.flatnonzero(sizes <= _BYTES_OF_SHORT_TAG).tolist():
            tag, text = vocabulary[int(found.positions[entry])], profiles[int(found.owners[entry])].text
            kept[entry] = len(select_tags([tag], text)) > 0
        return Found(found.positions[kept], found.owners[kept])

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return the smooth idf of each hashtag, or ones.

        Examples
        --------
        >>> HashtagBlock(idf=False).term_weights(np.array([1, 2]), 9)
        array([1., 1.])
        """
        if not self.idf:
            return np.ones(len(document_frequency))
        return smooth_idf(document_frequency, postings)

    def label(self, term: str) -> str:
        """Return the hashtag with its ``#``.

        Examples
        --------
        >>> HashtagBlock().label("nursing")
        '#nursing'
        """
        return "#" + term

    def name_contributions(
        self, terms: Sequence[str], values: Sequence[float], query: BlockQuery, posting: Posting
    ) -> list[tuple[str, float]]:
        """Return the hashtags with their ``#``.

        Examples
        --------
        >>> query = BlockQuery(np.zeros(1, np.int32), np.ones(1))
        >>> HashtagBlock().name_contributions(["cook"], [0.1], query, Posting(id="1"))
        [('#cook', 0.1)]
        """
        return list(zip(map(self.label, terms), values, strict=True))

    def check_settings(self) -> None:
        """Do nothing: every setting of its type makes sense.

        Examples
        --------
        >>> HashtagBlock().check_settings()
        """

    def settings(self) -> dict[str, Any]:
        """Return all fields.

        Examples
        --------
        >>> HashtagBlock().settings()
        {'weight': 0.3, 'idf': True, 'name': 'hashtags'}
        """
        return asdict(self)


Kind = type[TextBlock] | type[HashtagBlock] | type[TitleBlock] | type[SemanticBlock]

BLOCKS: Final[Mapping[str, Kind]] = {
    "text": TextBlock,
    "hashtags": HashtagBlock,
    "title": TitleBlock,
    "semantic": SemanticBlock,
}
"""Every feature block by name, in the order in which contributions are summed."""


def posting_terms(block: FeatureBlock, posting: Posting) -> list[str]:
    """Return the terms of a posting, with repeats.

    Examples
    --------
    >>> posting_terms(HashtagBlock(), Posting(id="1", hashtags=["#a", "#a"]))
    ['a']
    """
    content = block.posting_content(posting)
    return analyze(content) if isinstance(content, str) else list(content)


def default_blocks() -> tuple[FeatureBlock, ...]:
    """Return the blocks that a matcher has unless others are given.

    Examples
    --------
    >>> [(block.name, block.weight) for block in default_blocks()]
    [('text', 0.7), ('hashtags', 0.3)]
    """
    return TextBlock(), HashtagBlock()


def block_from_settings(settings: Mapping[str, Any]) -> FeatureBlock:
    """Return the block that a model's manifest describes.

    Raises
    ------
    ModelDamagedError
        When the block is unknown or a setting is missing, unknown or out of range.

    Examples
    --------
    >>> block_from_settings({"name": "text", "weight": 0.5})
    TextBlock(weight=0.5, name='text')
    """
    kind = BLOCKS.get(str(settings.get("name")))
    if kind is None:
        raise ModelDamagedError(
            f"unknown feature block {settings.get('name')!r}: known are {', '.join(BLOCKS)}"
        )
    defaults = kind().settings()
    if settings.keys() != defaults.keys() or any(
        type(settings[name]) is not type(default) for name, default in defaults.items()
    ):
        raise ModelDamagedError(f"settings of feature block {kind().name!r} do not fit: {dict(settings)!r}")
    block = kind(**settings)
    try:
        check_block(block)
    except OptionError as error:
        raise ModelDamagedError(str(error)) from None
    return block


def check_block(block: FeatureBlock) -> None:
    """Raise `OptionError` unless the block is in `BLOCKS` and its weight a finite number of at least 0.

    Examples
    --------
    >>> check_block(TextBlock(weight=-1.0))
    Traceback (most recent call last):
    matcher.errors.OptionError: weight of block 'text' must be 0 or a number from 1e-09 to 1e+09, got -1.0
    """
    if not isinstance(block, FeatureBlock) or type(block) is not BLOCKS.get(block.name):
        raise OptionError(f"not a feature block: {block!r}; known are {', '.join(BLOCKS)}")
    weight: object = block.weight
    if type(weight) is not float or not (weight == 0 or LEAST_WEIGHT <= weight <= MOST_WEIGHT):
        raise OptionError(
            f"weight of block {block.name!r} must be 0 or a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, "
            f"got {weight!r}"
        )
    block.check_settings()


def check_blocks(blocks: Sequence[FeatureBlock]) -> list[FeatureBlock]:
    """Return blocks in the canonical order of `BLOCKS`, after checking them.

    Raises
    ------
    OptionError
        When a block is unknown, has a bad weight or comes twice, or all weights are 0.

    Examples
    --------
    >>> [block.name for block in check_blocks([HashtagBlock(), TextBlock()])]
    ['text', 'hashtags']
    """
    if not isinstance(blocks, Sequence):
        raise OptionError(f"expected a list of feature blocks, got {blocks!r}")
    for block in blocks:
        check_block(block)
    if len({block.name for block in blocks}) < len(blocks):
        raise OptionError("each feature block can be given only once")
    if not any(block.weight > 0 for block in blocks):
        raise OptionError("at least one feature block needs a weight above 0")
    return sorted(blocks, key=lambda block: list(BLOCKS).index(block.name))
