"""What a feature block learns from postings, and a profile in its terms.

Counts stay integers; weights are applied when a profile is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.counts import BlockIndex
from matcher.dense import (
    FINE,
    LARGEST,
    MOST_DIMENSIONS,
    learn_centre,
    length_of_postings,
    quantise_profiles,
)
from matcher.encoding import WordEncoder
from matcher.errors import ModelDamagedError, OptionError
from matcher.features import FeatureBlock, TextBlock
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery, Matched
from matcher.semantic import SemanticBlock, encoder_of, shipped_encoder
from matcher.strings import StringTable
from matcher.tokens import Tokens
from matcher.word_vectors import WordVectors

__all__: Final = ["BlockFeatures", "fit_block", "prepare_blocks"]

_NO_TERMS: Final = StringTable.from_strings([]), np.zeros(0, np.int64)


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
    centre : ndarray of int32, shape (dimensions,), or None
        The mean of postings' dense vectors, for a block that has those; see `matcher.dense`.
    """

    block: FeatureBlock
    vocabulary: StringTable
    document_frequency: NDArray[np.int64]
    postings: int
    term_weights: NDArray[np.float64]
    centre: NDArray[np.int32] | None = None

    @classmethod
    def learn(
        cls,
        block: FeatureBlock,
        vocabulary: StringTable,
        document_frequency: NDArray[np.int64],
        postings: int,
    ) -> BlockFeatures:
        """Return what a block makes of the frequencies of its terms.

        Examples
        --------
        >>> from matcher.features import TextBlock
        >>> table = StringTable.from_strings(["koch"])
        >>> BlockFeatures.learn(TextBlock(), table, np.array([1]), 1).term_weights
        array([1.])
        """
        weights = block.term_weights(document_frequency, postings)
        return cls(block, vocabulary, document_frequency, postings, weights)

    @classmethod
    def learn_dense(
        cls, block: SemanticBlock, postings: int, centre: NDArray[np.int32] | None = None
    ) -> BlockFeatures:
        """Return what a block of dense vectors learned: its centre; what is expected beforehand for None.

        Examples
        --------
        >>> from matcher.word_vectors import WordVectors
        >>> table = WordVectors.from_arrays(["cook"], [[0, 4]])
        >>> block = SemanticBlock().with_encoder(WordEncoder.from_table(table))
        >>> BlockFeatures.learn_dense(block, 0).centre
        array([    0, 13005], dtype=int32)
        """
        if centre is None:
            expected = encoder_of(block).expected
            centre = learn_centre(np.zeros(len(expected), np.int64), 0, expected)
        vocabulary, frequency = _NO_TERMS
        return cls(block, vocabulary, frequency, postings, np.ones(0), centre)

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, NDArray[np.generic]],
        block: FeatureBlock,
        postings: int,
        encoder: object = None,
    ) -> BlockFeatures:
        """Return what `to_files` wrote, after checking it.

        Parameters
        ----------
        files : mapping of str to ndarray
        block : FeatureBlock
        postings : int
        encoder : object, optional
            For a block of dense vectors that were made by an encoder of the caller's.

        Raises
        ------
        ModelDamagedError
            When the vocabulary is unsorted or a frequency out of range.
        OptionError
            When the block's vectors were made by another encoder.

        Examples
        --------
        >>> from matcher.features import TextBlock
        >>> fitted, _ = fit_block(TextBlock(), [Posting(id="1", title="Koch")])
        >>> list(BlockFeatures.from_files(fitted.to_files(), TextBlock(), 1).vocabulary)
        ['koch']
        """
        if isinstance(block, SemanticBlock):
            centre = _read_centre(files, block.name)
            return cls.learn_dense(_restore(block, files, encoder), postings, centre)
        vocabulary = StringTable.from_files(files, f"{block.name}.vocabulary", unique=True)
        frequency = files[f"{block.name}.document_frequency"]
        if (
            type(postings) is not int
            or frequency.shape != (len(vocabulary),)
            or frequency.dtype != np.int64
            or not np.all((frequency >= 1) & (frequency <= postings))  # type: ignore[operator]
        ):
            raise ModelDamagedError(f"{block.name}.document_frequency: expected counts of 1 to {postings!r}")
        return cls.learn(block, vocabulary, frequency, postings)  # type: ignore[arg-type]

    def to_files(self) -> dict[str, NDArray[np.generic]]:
        """Return vocabulary and frequencies by file name; weights follow from them.

        Examples
        --------
        >>> from matcher.features import TextBlock
        >>> sorted(fit_block(TextBlock(), [])[0].to_files())
        ['text.document_frequency', 'text.vocabulary.offsets', 'text.vocabulary.txt']
        """
        name = self.block.name
        if isinstance(self.block, SemanticBlock):
            encoder, learned = self.block.encoder, {f"{name}.centre": self.centre}
            if self.block.vectors == "postings" and isinstance(encoder, WordEncoder):
                return encoder.table.to_files(name) | learned  # type: ignore[return-value]
            return learned  # type: ignore[return-value]
        return self.vocabulary.to_files(f"{name}.vocabulary") | {
            f"{name}.document_frequency": self.document_frequency
        }

    def queries(self, profiles: Sequence[Profile], tokens: Tokens) -> list[BlockQuery]:
        """Return profiles as features and weights of this block.

        Parameters
        ----------
        profiles : sequence of Profile
        tokens : Tokens
            Of the profiles' texts.

        Examples
        --------
        >>> from matcher.features import TextBlock
        >>> from matcher.tokens import split_in_python
        >>> features, _ = fit_block(TextBlock(), [Posting(id="1", title="Koch, Kellner")])
        >>> profile = Profile("Koch, gelernter Koch")
        >>> features.queries([profile], split_in_python([profile.text]))[0].features
        array([1], dtype=int32)
        """
        if isinstance(self.block, SemanticBlock):
            return _encode_profiles(self.block, profiles, tokens, self.centre)
        found = self.block.profile_features(profiles, tokens, self.vocabulary)
        counts: NDArray[np.generic]
        if isinstance(found, Matched):
            features, owners, counts = found.positions, found.owners, found.amounts
        else:
            features, owners, counts = _count_positions(*found, len(self.vocabulary))
        idf = self.term_weights[features]
        weights: NDArray[np.float64] = self.block.counting.asked(counts) * idf
        # bincount adds in the order of its input: the same bits however many profiles there are.
        norms = np.sqrt(np.bincount(owners, weights=weights * weights, minlength=len(profiles)))
        weights = weights * idf / norms[owners]
        bounds = np.searchsorted(owners, np.arange(len(profiles) + 1)).tolist()
        places = features.astype(np.int32)
        spans = [slice(begin, end) for begin, end in pairwise(bounds)]
        if not isinstance(found, Matched):
            return [BlockQuery(places[span], weights[span]) for span in spans]
        origins, words = found.origins, found.words
        return [
            BlockQuery(places[span], weights[span], False, origins[span], words, share=share)
            for span, share in zip(spans, found.shares, strict=True)
        ]


def _encode_profiles(
    block: SemanticBlock,
    profiles: Sequence[Profile],
    tokens: Tokens,
    centre: NDArray[np.int32] | None,
) -> list[BlockQuery]:
    nothing = np.zeros(0, np.int32), np.zeros(0)
    texts = [profile.text for profile in profiles]
    assert centre is not None  # noqa: S101 - see learn_dense
    mean = centre / (FINE * length_of_postings(len(centre)))
    queries = []
    for text, one in zip(texts, encoder_of(block).encode_profiles(texts, tokens), strict=True):
        vector = quantise_profiles((one.direction - mean)[None])[0] if one.direction.any() else None
        share = block.share(one)
        queries.append(BlockQuery(*nothing, vector=vector, text=text, centre=mean, share=share))
    return queries


def _read_centre(files: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.int32]:
    centre = files[f"{name}.centre"]
    if not _is_centre(centre):
        most = FINE * LARGEST
        raise ModelDamagedError(f"{name}.centre: expected whole numbers from -{most} to {most}")
    return centre  # type: ignore[return-value]


def _is_centre(array: NDArray[Any]) -> bool:
    return bool(
        array.dtype == np.int32
        and array.ndim == 1
        and 1 <= len(array) <= MOST_DIMENSIONS
        and np.all((array >= -FINE * LARGEST) & (array <= FINE * LARGEST))
    )


def _count_positions(
    positions: NDArray[np.int64], owners: NDArray[np.int64], terms: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return positions and their owners without repeats, in order, and how often each is there."""
    keys = np.sort(owners * max(1, terms) + positions)
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    owners, positions = np.divmod(keys[first], max(1, terms))
    return positions, owners, np.diff(first, append=len(keys))


def prepare_blocks(
    blocks: Iterable[FeatureBlock],
    postings: Sequence[Posting],
    *,
    compiled: bool = False,
    threads: int = 1,
) -> list[FeatureBlock]:
    """Return blocks that can encode: with the shipped table, or with one learned from the postings.

    Examples
    --------
    >>> block = SemanticBlock(vectors="postings")
    >>> [ready] = prepare_blocks([block], [Posting(id=number, title="Cook") for number in "12"])
    >>> ready.encoder.table.words[:]
    ['cook']
    """
    prepared: list[FeatureBlock] = []
    for block in blocks:
        if not isinstance(block, SemanticBlock):
            prepared.append(block)
        elif block.vectors == "postings":
            from matcher.word_learning import learn_word_vectors  # scikit-learn is for fitting only

            features, index = fit_block(TextBlock(), postings, compiled=compiled, threads=threads)
            table = learn_word_vectors(index.by_posting, features.vocabulary, features.term_weights)
            prepared.append(block.with_encoder(WordEncoder.from_table(table)))
        elif block.vectors == "shipped":
            prepared.append(block.with_encoder(shipped_encoder(WordVectors.shipped().identity)))
        else:
            prepared.append(block.with_encoder(encoder_of(block)))
    return prepared


def _restore(
    block: SemanticBlock, files: Mapping[str, NDArray[np.generic]], encoder: object
) -> SemanticBlock:
    """Return a block of a stored model with its encoder."""
    if block.vectors == "shipped":
        return replace(block, encoder=shipped_encoder(block.identity))
    if block.vectors == "postings":
        table = WordVectors.from_files(files, block.name)
        if table.identity != block.identity:
            raise ModelDamagedError(f"{block.name}.vectors: not the word vectors that the manifest names")
        return replace(block, encoder=WordEncoder.from_table(table))
    given: Any = encoder  # anything with a method encode: the block wraps it
    restored = replace(block, encoder=given)
    if restored.encoder is not None and restored.encoder.identity != block.identity:
        raise OptionError(
            f"the model's vectors were made by the encoder {block.identity}, "
            f"not by {restored.encoder.identity}"
        )
    return restored


def fit_block(
    block: FeatureBlock, postings: Iterable[Posting], *, compiled: bool = False, threads: int = 1
) -> tuple[BlockFeatures, BlockIndex]:
    """Learn a block's vocabulary from postings and count its terms in each.

    Parameters
    ----------
    block : FeatureBlock
    postings : iterable of Posting
    compiled : bool
        Count texts with compiled code (extra ``[fast]``). The result is the same.
    threads : int
        Threads that read, split and count texts, when compiled.

    Returns
    -------
    features : BlockFeatures
    index : BlockIndex
        Shape (postings, terms).

    Examples
    --------
    >>> from matcher.features import HashtagBlock
    >>> features, index = fit_block(HashtagBlock(), [Posting(id="1", hashtags=["b", "a"]), Posting(id="2")])
    >>> list(features.vocabulary), index.by_posting.starts
    (['a', 'b'], array([0, 2, 2]))
    """
    from matcher.counting import count_documents  # a process that only ranks does without

    counted = count_documents(
        postings, block.posting_content, block.counting, compiled=compiled, threads=threads
    )
    total = len(counted.by_document.starts) - 1
    frequency = np.diff(counted.by_term.starts)
    features = BlockFeatures.learn(block, counted.vocabulary, frequency, total)
    index = BlockIndex.from_counts(
        float(block.weight), counted.by_document, features.term_weights, counted.by_term
    )
    return features, index
