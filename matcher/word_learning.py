"""Word vectors learned from one's own postings: words that occur in like postings get like vectors.

This is latent semantic analysis (Deerwester et al., Indexing by latent semantic analysis, 1990): a truncated
singular value decomposition of the postings' TF-IDF matrix.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.counts import Counts
from matcher.strings import StringTable, gather
from matcher.word_vectors import WordVectors, quantise

__all__: Final = ["learn_word_vectors"]

MOST_WORDS: Final = 30_000
MOST_ENTRIES: Final = 4_000_000
"""Counts that are learned from; of more postings an even sample is taken. A minute on one core."""

_FEWEST_POSTINGS: Final = 2
"""A word of one posting only is like nothing but that posting."""

_FAINTEST: Final = 1e-9
"""Singular values and lengths that are nothing but rounding, beside a largest of about 1."""

_SEED: Final = 0


def learn_word_vectors(
    by_posting: Counts,
    vocabulary: StringTable,
    term_weights: NDArray[np.float64],
    dimensions: int = 128,
) -> WordVectors:
    """Return vectors of the words that at least two postings hold, at most 30,000 of them.

    Parameters
    ----------
    by_posting : Counts, shape (postings, terms)
    vocabulary : StringTable
        The terms, sorted.
    term_weights : ndarray of float64, shape (terms,)
        Inverse document frequencies; they become part of the vectors' lengths.
    dimensions : int
        Fewer remain where there are fewer postings or words.

    Returns
    -------
    WordVectors
        Empty when no two postings share a word. The same input gives the same table on the same machine.

    Examples
    --------
    >>> counts = Counts(np.array([0, 2, 4]), np.array([0, 1, 0, 2], np.int32), np.ones(4, np.uint8))
    >>> table = learn_word_vectors(counts, StringTable.from_strings(["a", "b", "c"]), np.ones(3))
    >>> list(table.words), table.vectors
    (['a'], array([[127]], dtype=int8))
    """
    rows = np.arange(len(by_posting.starts) - 1)
    rows = rows[:: max(1, -(-len(by_posting.columns) // MOST_ENTRIES))]
    entries, owners = gather(by_posting.starts, rows)
    columns = by_posting.columns[entries]
    frequency = np.bincount(columns, minlength=len(vocabulary))
    frequent = np.argsort(-frequency, kind="stable")[:MOST_WORDS]
    words = np.sort(frequent[frequency[frequent] >= _FEWEST_POSTINGS])
    places = np.full(len(vocabulary), -1, np.int64)
    places[words] = np.arange(len(words))
    kept = places[columns] >= 0
    values = by_posting.counts[entries].astype(np.float64) * term_weights[columns]
    # Postings count alike, however long, and with the words that are left out.
    norms = np.sqrt(np.bincount(owners, values * values, len(rows)))
    values = values[kept] / norms[owners[kept]]
    vectors = _decompose(values, owners[kept], places[columns[kept]], (len(rows), len(words)), dimensions)
    # What a word is like tells its direction, how rare it is its length: with the lengths that the
    # decomposition gives, sums are those of a few frequent words, and the rest is 0 in eight bits.
    lengths = np.linalg.norm(vectors, axis=1)
    scale = np.divide(term_weights[words], lengths, out=np.zeros(len(words)), where=lengths > _FAINTEST)
    quantised = quantise(vectors * scale[:, None])
    known = np.flatnonzero(quantised.any(axis=1))
    return WordVectors.from_arrays(vocabulary.select(words[known]), quantised[known])


def _decompose(
    values: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    shape: tuple[int, int],
    dimensions: int,
) -> NDArray[np.float64]:
    """Return a sparse matrix's right singular vectors times their values, shape (columns, dimensions)."""
    size = min(dimensions, *shape)
    if size == 0:
        return np.zeros((shape[1], 1))
    from scipy.sparse import csr_matrix
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    matrix = csr_matrix((values, (rows, columns)), shape)
    with threadpool_limits(1):  # the order of a sum may depend on the number of threads
        _, strengths, right = randomized_svd(matrix, size, n_iter=4, random_state=_SEED)
    kept = strengths > strengths[0] * _FAINTEST
    vectors: NDArray[np.float64] = (right[kept] * strengths[kept, None]).T
    return vectors
