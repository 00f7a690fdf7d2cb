"""A block's frequent terms as a dense matrix, and a bound on what they add to each posting's score.

Most of a profile's matches are with the few hundred terms that many postings hold, which say little about
any of them. The Cauchy-Schwarz inequality bounds what they add without looking at a single match: for a group
of terms, with any weights ``g``,

    sum of n_pf * q_f  <=  sqrt(sum of (n_pf * g_f)**2) * sqrt(sum of (q_f / g_f)**2)

The first factor belongs to the posting and is stored; the second belongs to the profile. Summed over groups,
that is one product of a small dense matrix and a vector. Only postings whose bound reaches the best scores
need their counts looked at.

Products are `np.einsum`'s, not ``@``: BLAS shares such small products out to threads, and where another
process keeps a core busy it waits for the scheduler, 8 ms instead of 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.counts import Counts
from matcher.queries import BlockQuery

__all__: Final = ["FrequentTerms"]

FREQUENT_SHARE: Final = 0.15
"""Terms that a larger share of the postings hold are frequent. With fewer of them the bound is tighter, and
more entries are left to be added up one by one."""

MOST_FREQUENT: Final = 512
GROUPS: Final = 32
LARGEST_COUNT: Final = 255
"""A term that occurs more often in a posting does not count as frequent."""

ROWS_AT_ONCE: Final = 1024

_UNIT_ROUNDOFF: Final = 2.0**-24
_LEAST_SHARE: Final = 1e-10
"""Weights count as at least this share of the largest, so that nothing falls below the normal numbers."""


@dataclass(frozen=True, slots=True, eq=False)
class FrequentTerms:
    """Counts of frequent terms, dense, and the norms that bound what they add.

    Parameters
    ----------
    places : ndarray of int64, shape (terms,)
        Position of each term among the frequent ones, or -1.
    counts : ndarray of uint8, shape (postings, frequent terms)
    weights : ndarray of float64, shape (frequent terms,)
        The ``g`` of the inequality. Any positive weights give a sound bound; those near the terms' weights
        in scores give a tight one.
    groups : ndarray of int64, shape (frequent terms,)
        Which group each term belongs to.
    norms : ndarray of float32, shape (groups, postings)
        ``sqrt(sum of (n_pf * g_f)**2)`` of each group.

    Examples
    --------
    >>> by_term = Counts(np.array([0, 2, 3]), np.array([0, 2, 2], np.int32), np.array([1, 4, 3], np.uint8))
    >>> frequent = FrequentTerms.from_counts(by_term, 3)
    >>> frequent.sums(np.array([2]), BlockQuery(np.array([0, 1], np.int32), np.array([0.5, 0.25])))
    array([2.75])
    """

    places: NDArray[np.int64]
    counts: NDArray[np.uint8]
    weights: NDArray[np.float64]
    groups: NDArray[np.int64]
    norms: NDArray[np.float32]

    @classmethod
    def from_counts(cls, by_term: Counts, rows: int) -> FrequentTerms:
        """Return the frequent terms of term-major counts.

        Terms of like frequency share a group: their counts in a posting, and their weights, are alike, which
        is when the inequality is tight.

        Examples
        --------
        >>> by_term = Counts(np.array([0, 1]), np.array([9], np.int32), np.array([1], np.uint8))
        >>> FrequentTerms.from_counts(by_term, 10).counts.shape
        (10, 0)
        """
        frequency = np.diff(by_term.starts)
        frequent = np.flatnonzero(frequency > FREQUENT_SHARE * rows)
        starts = by_term.starts
        if by_term.counts.dtype != np.uint8:
            largest = [by_term.counts[starts[term] : starts[term + 1]].max() for term in frequent.tolist()]
            frequent = frequent[np.array(largest, np.int64) <= LARGEST_COUNT]
        frequent = frequent[np.argsort(-frequency[frequent], kind="stable")][:MOST_FREQUENT]
        places = np.full(len(frequency), -1, np.int64)
        places[frequent] = np.arange(len(frequent))
        weights = 1.0 + np.log((1 + rows) / (1 + frequency[frequent]))
        groups = np.arange(len(frequent)) * GROUPS // max(1, len(frequent))
        counts = np.zeros((rows, len(frequent)), np.uint8)
        norms = np.zeros((GROUPS, rows), np.float32)
        for group in range(GROUPS):
            squares = np.zeros(rows)
            for place in np.flatnonzero(groups == group).tolist():
                span = slice(starts[frequent[place]], starts[frequent[place] + 1])
                counts[by_term.columns[span], place] = by_term.counts[span]
                squares[by_term.columns[span]] += (by_term.counts[span] * weights[place]) ** 2
            np.sqrt(squares, out=norms[group], casting="same_kind")
        return cls(places, counts, weights, groups, norms)

    def bound(self, part: BlockQuery) -> NDArray[np.float64]:
        """Return what frequent terms can add to each posting's ``sum of n_pf * q_f`` at most.

        Everything summed is at least 0, so float32 is off by at most one rounding for each group and a few
        for the factors, relative to the true sum (Higham, Accuracy and Stability of Numerical Algorithms,
        2002, section 4.2). The bound is larger by twice that.

        Examples
        --------
        >>> by_term = Counts(np.array([0, 1]), np.array([1], np.int32), np.array([4], np.uint8))
        >>> part = BlockQuery(np.array([0], np.int32), np.array([0.5]))
        >>> FrequentTerms.from_counts(by_term, 2).bound(part).round(3)
        array([0., 2.])
        """
        places, weights = self._frequent_part(part)
        shares = weights / self.weights[places]
        factor = max(float(shares.max(initial=0.0)), float(np.finfo(np.float64).tiny))
        shares = np.where(shares > 0, np.maximum(shares / factor, _LEAST_SHARE), 0.0)
        lengths = np.sqrt(np.bincount(self.groups[places], shares**2, len(self.norms)))
        bound: NDArray[np.float32] = np.einsum("g,gp->p", lengths.astype(np.float32), self.norms)
        slack = 1 + 2 * (len(self.norms) + 16) * _UNIT_ROUNDOFF
        return bound.astype(np.float64) * (factor * slack)

    def sums(self, rows: NDArray[np.int64], part: BlockQuery) -> NDArray[np.float64]:
        """Return what frequent terms add to ``sum of n_pf * q_f`` of `rows`, up to rounding.

        Examples
        --------
        >>> by_term = Counts(np.array([0, 1]), np.array([1], np.int32), np.array([4], np.uint8))
        >>> part = BlockQuery(np.array([0], np.int32), np.array([0.5]))
        >>> FrequentTerms.from_counts(by_term, 2).sums(np.array([0, 1]), part)
        array([0., 2.])
        """
        places, weights = self._frequent_part(part)
        dense = np.zeros(self.counts.shape[1])
        dense[places] = weights
        sums = np.empty(len(rows))
        for first in range(0, len(rows), ROWS_AT_ONCE):
            some = slice(first, first + ROWS_AT_ONCE)
            np.einsum("pf,f->p", self.counts[rows[some]], dense, out=sums[some])
        return sums

    def _frequent_part(self, part: BlockQuery) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        places = self.places[part.features]
        return places[places >= 0], part.weights[places >= 0]
