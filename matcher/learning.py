"""What a feature block learns from postings, and a profile in its terms.

scikit-learn counts (imported when something is fitted, never when a model is used). Counts stay integers;
weights are applied when a profile is scored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.counts import Counts
from matcher.errors import ModelDamagedError
from matcher.features import FeatureBlock
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.strings import StringTable

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
        weights = block.term_weights(frequency, postings)  # type: ignore[arg-type]
        return cls(block, vocabulary, frequency, postings, weights)  # type: ignore[arg-type]

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

    def query(self, profile: Profile) -> BlockQuery:
        """Return the profile as features and weights of this block.

        Examples
        --------
        >>> from matcher.features import TextBlock
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


def fit_block(block: FeatureBlock, postings: Iterable[Posting]) -> tuple[BlockFeatures, Counts]:
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
    >>> from matcher.features import HashtagBlock
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
