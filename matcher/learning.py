"""What a feature block learns from postings, and a profile in its terms.

Counts stay integers; weights are applied when a profile is scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.counts import BlockIndex
from matcher.errors import ModelDamagedError
from matcher.features import FeatureBlock
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.strings import StringTable
from matcher.tokens import Tokens

__all__: Final = ["BlockFeatures", "BlockQuery", "fit_block"]


class BlockQuery(NamedTuple):
    """A profile in the terms of one block.

    Attributes
    ----------
    features : ndarray of int32
        Ascending positions in the block's vocabulary. Empty when the profile holds none of its terms.
    weights : ndarray of float64
        ``count * weight**2 / norm`` of each: the term's weight on the profile's side, L2-normalised,
        times its weight on the posting's side, so that postings are scored from their bare counts.
    elsewhere : bool
        Whether the profile has data in this block that no posting at hand shares: its features are those of
        other segments. A posting with data then differs from the profile; it does not lack a side.
    """

    features: NDArray[np.int32]
    weights: NDArray[np.float64]
    elsewhere: bool = False

    @property
    def asked(self) -> bool:
        """Whether the profile has data in this block.

        Examples
        --------
        >>> BlockQuery(np.zeros(0, np.int32), np.zeros(0)).asked
        False
        """
        return self.elsewhere or len(self.features) > 0


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
        >>> from matcher.features import TextBlock
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
        positions, owners = self.block.profile_features(profiles, tokens, self.vocabulary)
        terms = max(1, len(self.vocabulary))
        keys = np.sort(owners * terms + positions)
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        counts = np.diff(first, append=len(keys))
        owners, features = np.divmod(keys[first], terms)
        idf = self.term_weights[features]
        weights = self.block.counting.asked(counts) * idf
        # bincount adds in the order of its input: the same bits however many profiles there are.
        norms = np.sqrt(np.bincount(owners, weights=weights * weights, minlength=len(profiles)))
        weights = weights * idf / norms[owners]
        bounds = np.searchsorted(owners, np.arange(len(profiles) + 1)).tolist()
        features = features.astype(np.int32)
        return [BlockQuery(features[begin:end], weights[begin:end]) for begin, end in pairwise(bounds)]


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
