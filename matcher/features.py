"""Feature blocks: what of a posting and of a profile is counted, and how much each feature weighs.

A block is one family of features with its own vocabulary. To add one, write a frozen dataclass with
the methods of `FeatureBlock` and add a row to `BLOCKS`; contract tests, the ranker, the model on disk
and the explanations pick it up from there.

Blocks hold settings only; `matcher.learning` fits them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matcher.analyzer import LONGEST_TAG_IN_WORDS, analyze, select_tags, supported_tags
from matcher.block_options import check_options, leave_out
from matcher.errors import ModelDamagedError, OptionError
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery, Matched
from matcher.semantic import SemanticBlock
from matcher.strings import Found, StringTable
from matcher.term_counts import TermCounts
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

SUPPORTED: Final = 10
"""What a hashtag that the posting's text supports counts, where those that it does not support count less."""

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
    OFF : mapping
        Its options, and what it means when a model does not mention one, whatever the defaults are.
    """

    OFF: ClassVar[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """The block's key in `BLOCKS`."""

    @property
    def weight(self) -> float:
        """The block's share of the score."""

    @property
    def counting(self) -> TermCounts:
        """How terms are counted in a posting's content and in a profile; ``TermCounts()`` as they are."""

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
        """Return what a person reads of contributions: a label and a value each.

        Values are above 0, but for what the block `semantic` subtracts.

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
        """Return what a model's manifest needs to make the same block again: fields, JSON values.

        Options that are off are left out, as in models that were written before there were any.
        """


@dataclass(frozen=True, slots=True)
class TextBlock:
    """TF-IDF over the words of title, summary and body.

    Parameters
    ----------
    weight : float
        Share of the score.
    title_weight, summary_weight : int
        How often the words of title and summary count, 0 to 20; those of the body count once.
    fold : bool
        Count words written in several ways as one: plurals, ``-isation``; see `matcher.variants`.
    saturation, length : float
        *k1* of BM25 (0 for off, else 0.1 to 10: beyond, small counts would fall together) and *b* (0 to 1)
        for the counts of postings; see `matcher.term_counts.TermCounts`.
    profile_saturation : float
        *k3* of BM25 for the counts of profiles: 0 for off, else 0.1 to 1000.
    boilerplate : float
        How much less weighs what many postings say, 0 to 0.99: so much is taken from the idf of every word.
        That of a word in all postings is 1, that of a word in one of 10,000 is 9.5.

    Examples
    --------
    >>> posting_terms(TextBlock(), Posting(id="1", title="C++ Developer (m/f/d)", body="**.NET** is a plus"))
    ['c++', 'developer', '.net', 'plus']
    >>> posting_terms(TextBlock(title_weight=2, fold=True), Posting(id="1", title="Cooks", body="Shifts"))
    ['cook', 'cook', 'shift']
    """

    weight: float = 0.7
    name: str = "text"
    title_weight: int = field(default=1, kw_only=True)
    summary_weight: int = field(default=1, kw_only=True)
    fold: bool = field(default=False, kw_only=True)
    saturation: float = field(default=0.0, kw_only=True)
    length: float = field(default=0.0, kw_only=True)
    profile_saturation: float = field(default=0.0, kw_only=True)
    boilerplate: float = field(default=0.0, kw_only=True)

    OFF: ClassVar[Mapping[str, Any]] = {
        "title_weight": 1,
        "summary_weight": 1,
        "fold": False,
        "saturation": 0.0,
        "length": 0.0,
        "profile_saturation": 0.0,
        "boilerplate": 0.0,
    }

    def __post_init__(self) -> None:
        for name in ("weight", "saturation", "length", "profile_saturation", "boilerplate"):
            object.__setattr__(self, name, as_float(getattr(self, name)))

    @property
    def counting(self) -> TermCounts:
        """Which words are one term, and how much repeats count.

        Examples
        --------
        >>> TextBlock(saturation=1.2).counting.stored(np.array([1, 9]), np.array([0, 2]))
        array([ 7, 13], dtype=uint8)
        """
        return TermCounts(self.fold, self.saturation, self.length, self.profile_saturation)

    def posting_content(self, posting: Posting) -> str:
        """Return title, summary and body as text.

        Examples
        --------
        >>> TextBlock().posting_content(Posting(id="1", title="Koch", body="**Bern**"))
        'Koch\\nBern\\n'
        """
        return posting_text(posting, titles=self.title_weight, summaries=self.summary_weight)

    def profile_features(self, profiles: Sequence[Profile], tokens: Tokens, vocabulary: StringTable) -> Found:
        """Return the positions of the profiles' tokens.

        Examples
        --------
        >>> from matcher.tokens import split_in_python
        >>> tokens, vocabulary = split_in_python(["Koch in Bern"]), StringTable.from_strings(["bern", "koch"])
        >>> TextBlock().profile_features([Profile("Koch in Bern")], tokens, vocabulary)
        Found(positions=array([1, 0]), owners=array([0, 0]))
        """
        return (tokens.fold_variants() if self.fold else tokens).find_features(vocabulary)

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return the smooth idf of each term, less `boilerplate`.

        Examples
        --------
        >>> TextBlock().term_weights(np.array([1]), 1)
        array([1.])
        """
        return smooth_idf(document_frequency, postings) - self.boilerplate

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
        """Raise `OptionError` unless all options make sense.

        Examples
        --------
        >>> TextBlock(length=0.5).check_settings()
        Traceback (most recent call last):
        matcher.errors.OptionError: length of block 'text' needs a saturation above 0, got 0.5
        """
        check_options(self.name, {name: getattr(self, name) for name in self.OFF})

    def settings(self) -> dict[str, Any]:
        """Return all fields but options that are off.

        Examples
        --------
        >>> TextBlock().settings(), TextBlock(fold=True).settings()
        ({'weight': 0.7, 'name': 'text'}, {'weight': 0.7, 'name': 'text', 'fold': True})
        """
        return leave_out(self.OFF, asdict(self))


@dataclass(frozen=True, slots=True)
class HashtagBlock:
    """One feature per hashtag: present or not, rare tags weighing more.

    Tags are noisy: `unsupported` makes those weigh less that the posting's own text does not support (see
    `matcher.analyzer.supported_tags`). Tags share the block's weight, so one that is alone keeps it whole
    unless it is dropped.

    A profile has a tag when its text contains the tag's name or a written variant of it
    (see `matcher.analyzer.tag_candidates`).

    Parameters
    ----------
    weight : float
        Share of the score.
    idf : bool
        Weigh tags by their inverse document frequency; False gives plain one-hots.
    unsupported : float
        What a tag counts that title, summary and body do not support, beside one that they do: 0 (it is
        dropped) to 1, in tenths. Finding that out splits each text once more, by Python.

    Examples
    --------
    >>> posting_terms(HashtagBlock(), Posting(id="1", hashtags=["#MachineLearning"]))
    ['machinelearning']
    """

    weight: float = 0.3
    idf: bool = True
    name: str = "hashtags"
    unsupported: float = field(default=1.0, kw_only=True)

    OFF: ClassVar[Mapping[str, Any]] = {"unsupported": 1.0}

    def __post_init__(self) -> None:
        for name in ("weight", "unsupported"):
            object.__setattr__(self, name, as_float(getattr(self, name)))

    @property
    def counting(self) -> TermCounts:
        """Hashtags count as they are.

        Examples
        --------
        >>> HashtagBlock().counting == TermCounts()
        True
        """
        return TermCounts()

    def posting_content(self, posting: Posting) -> Sequence[str]:
        """Return the posting's hashtags, repeated where some count more than others.

        Examples
        --------
        >>> HashtagBlock().posting_content(Posting(id="1", hashtags=["#a", "#a"]))
        ('a',)
        >>> posting = Posting(id="1", title="SQL", hashtags=["sql", "css"])
        >>> tags = HashtagBlock(unsupported=0.2).posting_content(posting)
        >>> tags.count("sql"), tags.count("css")
        (10, 2)
        """
        if self.unsupported == 1 or not posting.hashtags:
            return posting.hashtags
        supported = set(supported_tags(posting.hashtags, posting_text(posting)))
        less = round(SUPPORTED * self.unsupported)
        return [tag for tag in posting.hashtags for _ in range(SUPPORTED if tag in supported else less)]

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
        """Raise `OptionError` unless all options make sense.

        Examples
        --------
        >>> HashtagBlock(unsupported=2).check_settings()
        Traceback (most recent call last):
        matcher.errors.OptionError: unsupported of block 'hashtags' must be a number from 0 to 1, got 2.0
        """
        check_options(self.name, {name: getattr(self, name) for name in self.OFF})

    def settings(self) -> dict[str, Any]:
        """Return all fields but options that are off.

        Examples
        --------
        >>> HashtagBlock().settings()
        {'weight': 0.3, 'idf': True, 'name': 'hashtags'}
        """
        return leave_out(self.OFF, asdict(self))


Kind = type[TextBlock] | type[HashtagBlock] | type[TitleBlock] | type[SemanticBlock]

BLOCKS: Final[Mapping[str, Kind]] = {
    "text": TextBlock,
    "hashtags": HashtagBlock,
    "title": TitleBlock,
    "semantic": SemanticBlock,
}
"""Every feature block by name, in the order in which contributions are summed."""


def posting_terms(block: FeatureBlock, posting: Posting) -> list[str]:
    """Return the terms of a posting, each as often as it counts.

    Examples
    --------
    >>> posting_terms(HashtagBlock(), Posting(id="1", hashtags=["#a", "#a"]))
    ['a']
    """
    content = block.posting_content(posting)
    return block.counting.terms(analyze(content) if isinstance(content, str) else list(content))


def default_blocks() -> tuple[FeatureBlock, ...]:
    """Return the blocks that a matcher has unless others are given.

    Examples
    --------
    >>> [(block.name, block.weight) for block in default_blocks()]
    [('text', 0.7), ('hashtags', 0.3), ('title', 0.5), ('semantic', 2.0)]
    """
    return tuple(kind() for kind in BLOCKS.values())


def block_from_settings(settings: Mapping[str, Any]) -> FeatureBlock:
    """Return the block that a model's manifest describes.

    Raises
    ------
    ModelDamagedError
        When the block is unknown or a setting is missing, unknown or out of range.

    Examples
    --------
    >>> block_from_settings({"name": "text", "weight": 0.5}) == TextBlock(weight=0.5)
    True
    """
    kind = BLOCKS.get(str(settings.get("name")))
    if kind is None:
        raise ModelDamagedError(
            f"unknown feature block {settings.get('name')!r}: known are {', '.join(BLOCKS)}"
        )
    values = {**kind.OFF, **settings}
    defaults = {**kind.OFF, **kind().settings()}
    if values.keys() != defaults.keys() or any(
        type(values[name]) is not type(default) for name, default in defaults.items()
    ):
        raise ModelDamagedError(f"settings of feature block {kind().name!r} do not fit: {dict(settings)!r}")
    block = kind(**values)
    try:
        check_block(block)
    except OptionError as error:
        raise ModelDamagedError(str(error)) from None
    return block


def check_block(block: FeatureBlock) -> None:
    """Raise `OptionError` unless the block is in `BLOCKS`, and its weight and options are in their ranges.

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
