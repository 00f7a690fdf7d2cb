"""The feature blocks as a scikit-learn estimator, for pipelines, clustering or a model of your own.

`Matcher` does not need this module; it is the door through which the same features reach scikit-learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from matcher.errors import OptionError
from matcher.features import FeatureBlock, check_blocks, default_blocks, posting_terms
from matcher.learning import BlockFeatures, fit_block
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import Matched
from matcher.semantic import SemanticBlock
from matcher.strings import Strings
from matcher.tokens import split_in_python

__all__: Final = ["PostingVectorizer"]


class PostingVectorizer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Postings and profiles to sparse rows: TF-IDF of words beside weighted one-hots of hashtags.

    Each block is L2-normalised on its own and scaled by the square root of its share of the weights, so
    that the dot product of two rows is the weighted sum of the blocks' cosines. (Where one side lacks a
    block, `Matcher` divides by the weights that are left, and the weight of titles fades with a profile's
    length; a dot product cannot do that.)

    Parameters
    ----------
    blocks : sequence of FeatureBlock, optional
        `matcher.features.default_blocks` when None. A block of dense vectors is left out: it has no terms.

    Attributes
    ----------
    features_ : list of BlockFeatures
        What each block learned.

    Examples
    --------
    >>> postings = [Posting(id="1", title="Cook", hashtags=["bread"]), Posting(id="2", title="Nurse")]
    >>> vectorizer = PostingVectorizer().fit(postings)
    >>> vectorizer.get_feature_names_out().tolist()
    ['text__cook', 'text__nurse', 'hashtags__bread', 'title__cook', 'title__nurse']
    >>> vectorizer.transform(["a cook who bakes bread"]).toarray().round(3).tolist()
    [[0.683, 0.0, 0.447, 0.577, 0.0]]
    """

    def __init__(self, blocks: Sequence[FeatureBlock] | None = None) -> None:
        self.blocks = blocks

    def fit(self, X: Iterable[Posting], y: Any = None) -> PostingVectorizer:  # noqa: N803
        """Learn the blocks' vocabularies and weights.

        Parameters
        ----------
        X : iterable of Posting
        y : None
            Ignored.

        Examples
        --------
        >>> len(PostingVectorizer().fit([Posting(id="1", title="Cook")]).features_)
        3
        """
        self._fit_counts(X)
        return self

    def fit_transform(self, X: Iterable[Posting], y: Any = None, **fit_params: Any) -> csr_matrix:  # noqa: N803
        """Learn from postings and return their rows, counting once.

        Examples
        --------
        >>> PostingVectorizer().fit_transform([Posting(id="1", title="Cook")]).shape
        (1, 2)
        """
        fitted = self._fit_counts(X)
        return self._assemble([self._normalise(features, counts) for features, counts in fitted])

    def transform(self, X: Iterable[Posting | Profile | str]) -> csr_matrix:  # noqa: N803
        """Return one row for each posting or profile; terms that `fit` did not see are dropped.

        Parameters
        ----------
        X : iterable of Posting, Profile or str
            A string is the text of a profile.

        Returns
        -------
        csr_matrix of float64, shape (n, features)

        Examples
        --------
        >>> vectorizer = PostingVectorizer().fit([Posting(id="1", title="Cook")])
        >>> vectorizer.transform(["Cook", "Nurse"]).toarray().round(3).tolist()
        [[0.683, 0.577], [0.0, 0.0]]
        """
        check_is_fitted(self)
        documents = _check_documents(X, (Posting, Profile, str))
        return self._assemble(
            [self._normalise(features, _count(features, documents)) for features in self.features_]
        )

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the name of each column, ``BLOCK__TERM``.

        Examples
        --------
        >>> PostingVectorizer().fit([Posting(id="1", title="Cook")]).get_feature_names_out().tolist()
        ['text__cook', 'title__cook']
        """
        check_is_fitted(self)
        names = [f"{part.block.name}__{term}" for part in self.features_ for term in part.vocabulary]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def _fit_counts(self, X: Iterable[Posting]) -> list[tuple[BlockFeatures, csr_matrix]]:  # noqa: N803
        chosen = check_blocks(default_blocks() if self.blocks is None else self.blocks)
        # Dense vectors have no terms, and their weight depends on the profile.
        blocks = [block for block in chosen if not isinstance(block, SemanticBlock)]
        if not any(block.weight > 0 for block in blocks):
            raise OptionError("PostingVectorizer needs a block with terms and a weight above 0")
        postings = _check_documents(X, (Posting,))
        fitted = []
        for block in blocks:
            features, index = fit_block(block, postings)
            counts = index.by_posting
            shape = (len(postings), len(features.vocabulary))
            fitted.append((features, csr_matrix((counts.counts, counts.columns, counts.starts), shape=shape)))
        self.features_ = [features for features, _ in fitted]
        return fitted

    def _normalise(self, features: BlockFeatures, counts: csr_matrix) -> csr_matrix:
        weighted = csr_matrix(counts.astype(np.float64).multiply(features.term_weights[np.newaxis, :]))
        norms = np.sqrt(np.asarray(weighted.multiply(weighted).sum(axis=1)).ravel())
        total = sum(part.block.weight for part in self.features_)
        scale = np.divide(
            np.sqrt(features.block.weight / total), norms, out=np.zeros_like(norms), where=norms > 0
        )
        return csr_matrix(weighted.multiply(scale[:, np.newaxis]))

    def _assemble(self, parts: list[csr_matrix]) -> csr_matrix:
        return csr_matrix(hstack(parts, format="csr"))


def _check_documents(documents: Iterable[Any], kinds: tuple[type, ...]) -> list[Any]:
    names = " or ".join(kind.__name__ for kind in kinds)
    if isinstance(documents, str):
        raise OptionError(f"expected an iterable of {names}, got one string")
    listed = list(documents)
    for number, document in enumerate(listed):
        if not isinstance(document, kinds):
            raise OptionError(f"expected {names} at position {number}, got {type(document).__name__}")
    return listed


def _count(features: BlockFeatures, documents: list[Any]) -> csr_matrix:
    found = [_find_features(features, document) for document in documents]
    starts = np.cumsum([0, *(len(columns) for columns, _ in found)])
    columns = np.concatenate([*(columns for columns, _ in found), np.zeros(0, np.int64)])
    amounts = np.concatenate([*(amounts for _, amounts in found), np.zeros(0)])
    shape = (len(documents), len(features.vocabulary))
    counts = csr_matrix((amounts, columns, starts), shape=shape)
    counts.sum_duplicates()
    if features.block.counting.profile_saturation:
        is_profile = np.array([not isinstance(document, Posting) for document in documents], np.bool_)
        entries = np.repeat(is_profile, np.diff(counts.indptr))
        counts = counts.astype(np.float64)
        counts.data[entries] = features.block.counting.asked(counts.data[entries])
    return counts


def _find_features(
    features: BlockFeatures, document: Posting | Profile | str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the positions of a document's terms, with repeats, and the amount of each."""
    if isinstance(document, Posting):
        found = features.vocabulary.find_many(Strings.from_strings(posting_terms(features.block, document)))
        found = found[found >= 0]
        return found, np.ones(len(found))
    profile = document if isinstance(document, Profile) else Profile(document)
    tokens = split_in_python([profile.text])
    matched = features.block.profile_features([profile], tokens, features.vocabulary)
    amounts = matched.amounts if isinstance(matched, Matched) else np.ones(len(matched.positions))
    return matched.positions, amounts
