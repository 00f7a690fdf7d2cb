"""What an engine is asked and what it answers, and the engine that needs numpy alone.

An engine proposes rows that could be among the best, with a bound on the score of every row it left out. It
never decides: `matcher.index.Index` rescores the rows canonically, and asks for more when the bound does not
certify the answer. So every engine leads to the same rows and the same bits, and only the time differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from matcher.counts import BlockIndex
from matcher.learning import BlockQuery

__all__: Final = ["BaseEngine", "Engine", "Proposal", "Query", "gather", "total_weights"]

_UNIT_ROUNDOFF: Final = 2.0**-53
_LEAST_FLOAT: Final = 2.0**-1074


class Query(NamedTuple):
    """What is looked for.

    Attributes
    ----------
    blocks : sequence of BlockQuery
        One for each block of the index.
    mask : ndarray of bool, shape (postings,), or None
        True for postings that may be returned.
    boosts : sequence of ndarray of float64, shape (postings,)
        Added to the score, at least 0.
    """

    blocks: Sequence[BlockQuery]
    mask: NDArray[np.bool_] | None = None
    boosts: Sequence[NDArray[np.float64]] = ()


class Proposal(NamedTuple):
    """Rows that could be among the best.

    Attributes
    ----------
    rows : ndarray of int64
        Ascending; only rows that pass the mask and score above 0.
    left_out : float
        No row that passes the mask and is missing in `rows` scores more than this.
    """

    rows: NDArray[np.int64]
    left_out: float


class Engine(Protocol):
    """What every engine can do. Engines may be used by several threads at once."""

    @property
    def name(self) -> str:
        """The engine's key in `ENGINES`."""

    def propose(self, query: Query, wanted: int) -> Proposal:
        """Return at least the `wanted` best rows, as far as the engine can tell them apart."""

    def propose_many(self, queries: Sequence[Query], wanted: int) -> list[Proposal]:
        """Return a proposal for each query; they share one mask and one set of boosts."""


def total_weights(
    blocks: Sequence[BlockIndex], asked: Sequence[bool], rows: NDArray[np.int64] | slice
) -> NDArray[np.float64]:
    """Return, for `rows`, the sum of the weights of the blocks in which both sides have data.

    `asked` says for each block whether the query has data in it.

    Examples
    --------
    >>> total_weights((), (), slice(None)).shape
    (0,)
    """
    totals: NDArray[np.float64] = np.zeros(0)
    for block, is_asked in zip(blocks, asked, strict=True):
        share = (block.inverse_norms[rows] > 0) * (block.weight if is_asked else 0.0)
        totals = totals + share if len(totals) else share.astype(np.float64)
    return totals


def gather(starts: NDArray[np.int64], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of several rows, one row after the other, and the position in `rows` of each.

    Examples
    --------
    >>> gather(np.array([0, 2, 5]), np.array([1, 0]))
    (array([2, 3, 4, 0, 1]), array([0, 0, 0, 1, 1]))
    """
    begins = starts[rows]
    lengths = starts[rows + 1] - begins
    owners = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owners)) + (begins - before)[owners], owners


class BaseEngine:
    """Numpy alone: adds up every posting's score, term list by term list.

    Parameters
    ----------
    blocks : sequence of BlockIndex
    rows : int
        Number of postings.

    Examples
    --------
    >>> BaseEngine((), 0).name
    'base'
    """

    name = "base"

    def __init__(self, blocks: Sequence[BlockIndex], rows: int) -> None:
        self.blocks = blocks
        self.rows = rows

    def score_all(self, query: Query) -> tuple[NDArray[np.float64], float]:
        """Return every posting's score up to rounding, and a bound on the difference to the canonical one.

        Both are sums of the same products of floats of at least 0 in another order, so each differs from
        the true sum by at most (terms + 8) roundings of it (Higham, Accuracy and Stability of Numerical
        Algorithms, 2002, section 4.2).

        Returns
        -------
        scores : ndarray of float64, shape (postings,)
        error : float

        Examples
        --------
        >>> BaseEngine((), 2).score_all(Query(()))
        (array([0., 0.]), 8e-323)
        """
        scores = np.zeros(self.rows)
        for block, part in zip(self.blocks, query.blocks, strict=True):
            if len(part.features) and block.weight:
                scores += block.weight * self._cosines(block, part)
        if self.blocks:
            totals = total_weights(
                self.blocks, [len(part.features) > 0 for part in query.blocks], slice(None)
            )
            scores = np.divide(scores, totals, out=np.zeros(self.rows), where=totals > 0)
        for boost in query.boosts:
            scores += boost
        terms = sum(len(part.features) for part in query.blocks) + len(query.boosts)
        # Below the normal numbers a rounding is absolute, not relative.
        error = 2 * (terms + 8) * (_UNIT_ROUNDOFF * float(scores.max(initial=0.0)) + _LEAST_FLOAT)
        return scores, error

    def _cosines(self, block: BlockIndex, part: BlockQuery) -> NDArray[np.float64]:
        # One slice a term: contiguous copies beat gathering entry by entry.
        begins, ends = (
            block.by_term.starts[part.features].tolist(),
            block.by_term.starts[part.features + 1].tolist(),
        )
        spans = [slice(begin, end) for begin, end in zip(begins, ends, strict=True)]
        rows = np.concatenate([block.by_term.columns[span] for span in spans])
        counts = np.concatenate([block.by_term.counts[span] for span in spans])
        weights = np.repeat(part.weights, [end - begin for begin, end in zip(begins, ends, strict=True)])
        weights *= counts
        sums = np.bincount(rows, weights=weights, minlength=self.rows)
        cosines: NDArray[np.float64] = sums * block.inverse_norms
        return cosines

    def propose(self, query: Query, wanted: int) -> Proposal:
        """Return all rows that could be among the `wanted` best.

        Examples
        --------
        >>> BaseEngine((), 2).propose(Query((), None, [np.array([0.5, 0.0])]), 1)
        Proposal(rows=array([0]), left_out=0.0)
        """
        scores, error = self.score_all(query)
        if query.mask is not None:
            scores[~query.mask] = 0.0
        positive = np.flatnonzero(scores > 0)
        if len(positive) <= wanted:
            return Proposal(positive, 0.0)
        # Whatever lies below the last wanted one by more than both rounding errors cannot be among the best.
        values = scores[positive]
        least = np.partition(values, -wanted)[-wanted] - 2 * error
        return Proposal(positive[values >= least], float(least + error))

    def propose_many(self, queries: Sequence[Query], wanted: int) -> list[Proposal]:
        """Return a proposal for each query.

        Examples
        --------
        >>> len(BaseEngine((), 2).propose_many([Query(()), Query(())], 1))
        2
        """
        return [self.propose(query, wanted) for query in queries]
