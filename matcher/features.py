"""Feature blocks: what of a posting and of a profile is counted, and how much each feature weighs.

A block is one family of features with its own vocabulary. To add one, write a frozen dataclass with
the methods of `FeatureBlock` and add a row to `BLOCKS`; contract tests, the ranker, the model on disk
and the explanations pick it up from there.

scikit-learn counts (imported when something is fitted, never when a model is used); the counts are
kept as integers, weights are applied when a profile is scored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matcher.analyzer import (
    LONGEST_TAG_IN_WORDS,
    analyze,
    select_features,
    select_tags,
    tag_parts,
    tokenize,
)
from matcher.errors import ModelDamagedError, OptionError
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.strings import StringTable
from matcher.text import posting_text

__all__: Final = [
    "BLOCKS",
    "BlockFeatures",
    "BlockQuery",
    "Counts",
    "FeatureBlock",
    "HashtagBlock",
    "TextBlock",
    "block_from_settings",
    "check_blocks",
    "default_blocks",
    "fit_block",
    "smooth_idf",
]


LEAST_WEIGHT: Final = 1e-9
MOST_WEIGHT: Final = 1e9
"""Bounds of a block's weight other than 0; beyond them quotients of weights lose precision or overflow."""


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

    def posting_terms(self, posting: Posting) -> Iterable[str]:
        """Return the terms of a posting, with repeats: how often a term occurs is its count."""

    def profile_terms(self, profile: Profile, vocabulary: StringTable) -> Iterable[str]:
        """Return the terms of a profile, with repeats. Terms outside `vocabulary` are dropped later."""

    def term_weights(self, document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
        """Return the weight of each term, shape (terms,), finite and above 0."""

    def label(self, term: str) -> str:
        """Return a term as a person wants to read it."""

    def settings(self) -> dict[str, Any]:
        """Return what a model's manifest needs to make the same block again: all fields, JSON values."""


def smooth_idf(document_frequency: NDArray[np.int64], postings: int) -> NDArray[np.float64]:
    """Return ``ln((1 + n) / (1 + df)) + 1``, the smooth inverse document frequency of scikit-learn.

    Source: scikit-learn, user guide, section "Tf-idf term weighting" (``smooth_idf=True``).

    Parameters
    ----------
    document_frequency : ndarray of int64, shape (terms,)
        In how many postings each term occurs, 1 to `postings`.
    postings : int
        Number of postings.

    Returns
    -------
    ndarray of float64, shape (terms,)
        At least 1.

    Examples
    --------
    >>> smooth_idf(np.array([1, 3]), 3).round(4)
    array([1.6931, 1.    ])
    """
    weights: NDArray[np.float64] = np.log((1.0 + postings) / (1.0 + document_frequency)) + 1.0
    return weights


@dataclass(frozen=True, slots=True)
class TextBlock:
    """TF-IDF over the words of title, summary and body.

    Parameters
    ----------
    weight : float
        Share of the score.

    Examples
    --------
    >>> TextBlock().posting_terms(Posting(id="1", title="C++ Developer (m/f/d)", body="**.NET** is a plus"))
    ['c++', 'developer', '.net', 'plus']
    """

    weight: float = 0.7
    name: str = "text"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _as_float(self.weight))

    def posting_terms(self, posting: Posting) -> list[str]:
        """Return the tokens of title, summary and body.

        Examples
        --------
        >>> TextBlock().posting_terms(Posting(id="1", title="Koch"))
        ['koch']
        """
        return analyze(posting_text(posting))

    def profile_terms(self, profile: Profile, vocabulary: StringTable) -> list[str]:
        """Return the tokens of the profile's text.

        Examples
        --------
        >>> TextBlock().profile_terms(Profile("Koch in Bern"), StringTable.from_strings([]))
        ['koch', 'bern']
        """
        return select_features(profile.remember(tokenize))

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
    >>> block = HashtagBlock()
    >>> block.posting_terms(Posting(id="1", hashtags=["#MachineLearning"]))
    ['machinelearning']
    >>> block.profile_terms(Profile("machine learning"), StringTable.from_strings(["machinelearning", "sql"]))
    ['machinelearning']
    """

    weight: float = 0.3
    idf: bool = True
    name: str = "hashtags"

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", _as_float(self.weight))

    def posting_terms(self, posting: Posting) -> list[str]:
        """Return the posting's hashtags.

        Examples
        --------
        >>> HashtagBlock().posting_terms(Posting(id="1", hashtags=["#a", "#a"]))
        ['a']
        """
        return list(posting.hashtags)

    def profile_terms(self, profile: Profile, vocabulary: StringTable) -> list[str]:
        """Return the known hashtags that occur in the profile's text, sorted.

        Examples
        --------
        >>> HashtagBlock().profile_terms(Profile("SQL"), StringTable.from_strings(["sql"]))
        ['sql']
        """
        parts = tag_parts(profile.remember(tokenize))
        found = vocabulary.find_runs(parts, LONGEST_TAG_IN_WORDS)
        return select_tags([vocabulary[position] for position in found.tolist()], profile.text)

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

    def settings(self) -> dict[str, Any]:
        """Return all fields.

        Examples
        --------
        >>> HashtagBlock().settings()
        {'weight': 0.3, 'idf': True, 'name': 'hashtags'}
        """
        return asdict(self)


BLOCKS: Final[Mapping[str, type[TextBlock] | type[HashtagBlock]]] = {
    "text": TextBlock,
    "hashtags": HashtagBlock,
}
"""Every feature block by name, in the order in which contributions are summed."""


def default_blocks() -> tuple[FeatureBlock, ...]:
    """Return one block of each kind with its default settings.

    Examples
    --------
    >>> [(block.name, block.weight) for block in default_blocks()]
    [('text', 0.7), ('hashtags', 0.3)]
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
    >>> block_from_settings({"name": "text", "weight": 0.5})
    TextBlock(weight=0.5, name='text')
    """
    kind = BLOCKS.get(str(settings.get("name")))
    if kind is None:
        raise ModelDamagedError(
            f"unknown feature block {settings.get('name')!r}: known are {', '.join(BLOCKS)}"
        )
    defaults = asdict(kind())
    if set(settings) != {item.name for item in fields(kind)} or any(
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


def _as_float(weight: object) -> float:
    """Return a number of any kind as float; anything else as it is, for `check_block` to refuse."""
    if isinstance(weight, (int, float, np.integer, np.floating)) and not isinstance(weight, bool):
        with suppress(OverflowError):
            return float(weight)
    return weight  # type: ignore[return-value]


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


class Counts(NamedTuple):
    """A sparse matrix of integer counts, row by row: posting-major or term-major.

    Attributes
    ----------
    starts : ndarray of int64, shape (rows + 1,)
        Where each row's entries start.
    columns : ndarray of int32, shape (entries,)
        Ascending within a row.
    counts : ndarray of uint8, uint16 or uint32, shape (entries,)
        At least 1.
    """

    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger[Any]]

    def transpose(self, columns: int) -> Counts:
        """Return the same matrix with rows and columns exchanged; `columns` is how many there are.

        Examples
        --------
        >>> counts = Counts(np.array([0, 2, 3]), np.array([0, 1, 1], np.int32), np.array([5, 6, 7], np.uint8))
        >>> counts.transpose(2).columns, counts.transpose(2).counts
        (array([0, 0, 1], dtype=int32), array([5, 6, 7], dtype=uint8))
        """
        order = np.argsort(self.columns, kind="stable")
        starts = np.zeros(columns + 1, np.int64)
        np.cumsum(np.bincount(self.columns, minlength=columns), out=starts[1:])
        rows = np.repeat(np.arange(len(self.starts) - 1, dtype=np.int32), np.diff(self.starts))
        return Counts(starts, rows[order], self.counts[order])


class BlockQuery(NamedTuple):
    """A profile in the terms of one block.

    Attributes
    ----------
    features : ndarray of int32
        Ascending positions in the block's vocabulary. Empty when the profile holds none of its terms.
    weights : ndarray of float64
        ``count * weight**2 / norm`` of each: the term's weight on the profile's side, L2-normalised,
        times its weight on the posting's side, so that postings are scored from their bare counts.
    """

    features: NDArray[np.int32]
    weights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BlockFeatures:
    """What one block learned from postings: its vocabulary and in how many postings each term occurs.

    Parameters
    ----------
    block : FeatureBlock
    vocabulary : StringTable
        Sorted, unique.
    document_frequency : ndarray of int64, shape (terms,)
    postings : int
        Number of postings it was fitted on.
    term_weights : ndarray of float64, shape (terms,)
        What the block makes of the frequencies.
    """

    block: FeatureBlock
    vocabulary: StringTable
    document_frequency: NDArray[np.int64]
    postings: int
    term_weights: NDArray[np.float64]

    @classmethod
    def from_files(
        cls, files: Mapping[str, NDArray[np.generic]], block: FeatureBlock, postings: int
    ) -> BlockFeatures:
        """Return what `to_files` wrote, after checking it.

        Raises
        ------
        ModelDamagedError
            When the vocabulary is unsorted or a frequency out of range.

        Examples
        --------
        >>> fitted, _ = fit_block(TextBlock(), [Posting(id="1", title="Koch")])
        >>> list(BlockFeatures.from_files(fitted.to_files(), TextBlock(), 1).vocabulary)
        ['koch']
        """
        vocabulary = StringTable.from_files(files, f"{block.name}.vocabulary", unique=True)
        frequency = files[f"{block.name}.document_frequency"]
        if (
            type(postings) is not int
            or frequency.shape != (len(vocabulary),)
            or frequency.dtype != np.int64
            or not np.all((frequency >= 1) & (frequency <= postings))  # type: ignore[operator]
        ):
            raise ModelDamagedError(f"{block.name}.document_frequency: expected counts of 1 to {postings!r}")
        weights = block.term_weights(frequency, postings)  # type: ignore[arg-type]
        return cls(block, vocabulary, frequency, postings, weights)  # type: ignore[arg-type]

    def to_files(self) -> dict[str, NDArray[np.generic]]:
        """Return vocabulary and frequencies by file name; weights follow from them.

        Examples
        --------
        >>> sorted(fit_block(TextBlock(), [])[0].to_files())
        ['text.document_frequency', 'text.vocabulary.offsets', 'text.vocabulary.txt']
        """
        name = self.block.name
        return self.vocabulary.to_files(f"{name}.vocabulary") | {
            f"{name}.document_frequency": self.document_frequency
        }

    def query(self, profile: Profile) -> BlockQuery:
        """Return the profile as features and weights of this block.

        Examples
        --------
        >>> features, _ = fit_block(TextBlock(), [Posting(id="1", title="Koch, Kellner")])
        >>> features.query(Profile("Koch, gelernter Koch")).features
        array([1], dtype=int32)
        """
        terms = Counter(self.block.profile_terms(profile, self.vocabulary))
        positions = self.vocabulary.find_many(list(terms))
        counts = np.fromiter(terms.values(), np.float64, len(terms))
        order = np.argsort(positions, kind="stable")
        order = order[positions[order] >= 0]
        features, weights = positions[order].astype(np.int32), counts[order]
        idf = self.term_weights[features]
        weights *= idf
        norm = float(np.sqrt(np.add.accumulate(weights * weights)[-1])) if len(weights) else 1.0
        return BlockQuery(features, weights * idf / norm)


def fit_block(
    block: FeatureBlock, postings: Sequence[Posting] | Iterator[Posting]
) -> tuple[BlockFeatures, Counts]:
    """Learn a block's vocabulary from postings and count its terms in each.

    scikit-learn's `CountVectorizer` does the work, with the block as its analyzer.

    Parameters
    ----------
    block : FeatureBlock
    postings : iterable of Posting

    Returns
    -------
    features : BlockFeatures
    counts : Counts
        Posting-major, shape (postings, terms).

    Examples
    --------
    >>> features, counts = fit_block(HashtagBlock(), [Posting(id="1", hashtags=["b", "a"]), Posting(id="2")])
    >>> list(features.vocabulary), counts.starts
    (['a', 'b'], array([0, 2, 2]))
    """
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(analyzer=block.posting_terms, dtype=np.int64)
    total = 0

    def count_postings() -> Iterator[Posting]:
        nonlocal total
        for posting in postings:
            total += 1
            yield posting

    try:
        matrix = vectorizer.fit_transform(count_postings())
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        # No posting has a single term: scikit-learn calls that an error, here it is a block without data.
        return _without_terms(block, total)
    matrix.sort_indices()
    vocabulary = StringTable.from_strings(vectorizer.get_feature_names_out().tolist())
    frequency = np.bincount(matrix.indices, minlength=matrix.shape[1]).astype(np.int64)
    counts = Counts(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), _smallest_dtype(matrix.data)
    )
    return BlockFeatures(block, vocabulary, frequency, total, block.term_weights(frequency, total)), counts


def _without_terms(block: FeatureBlock, postings: int) -> tuple[BlockFeatures, Counts]:
    nothing = np.zeros(0, np.int64)
    features = BlockFeatures(block, StringTable.from_strings([]), nothing, postings, np.zeros(0))
    return features, Counts(np.zeros(postings + 1, np.int64), np.zeros(0, np.int32), np.zeros(0, np.uint8))


def _smallest_dtype(counts: NDArray[np.int64]) -> NDArray[np.unsignedinteger[Any]]:
    return counts.astype(np.min_scalar_type(int(counts.max(initial=1))))
