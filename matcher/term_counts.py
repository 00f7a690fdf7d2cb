"""How a block counts its terms: which words are one term, and how much repeats of it count.

What a posting stores stays a whole number that depends on this posting alone, so that segments are written
once, and what is learned from them is the same however the postings came together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.variants import fold_variants

__all__: Final = ["LEVELS", "REFERENCE_LENGTH", "TermCounts"]

LEVELS: Final = 15
"""Saturated counts go from 1 to this: what fits the half bytes of the fast engine."""

REFERENCE_LENGTH: Final = 300
"""Terms, with repeats, of a posting of middling length. Fixed: a mean would depend on other postings."""


@dataclass(frozen=True, slots=True)
class TermCounts:
    """How terms are counted. As it comes, it changes nothing.

    A saturated count of a posting is, of the term's repeats *c* and the posting's length *n*::

        round(15 * c / (c + k1 * (1 - b + b * n / 300)))        at least 1

    and one of a profile ``(k3 + 1) * c / (k3 + c)``. The rounding is part of the definition: scores follow
    from the rounded counts exactly.

    Parameters
    ----------
    fold : bool
        Count words written in several ways as one; see `matcher.variants`.
    saturation : float
        *k1* of BM25, for postings; 0 counts every repeat in full.
    length : float
        *b* of BM25, 0 to 1: how much a term of a long posting has to be repeated more.
    profile_saturation : float
        *k3* of BM25, for profiles; 0 counts every repeat in full.

    References
    ----------
    Robertson, S., Zaragoza, H. (2009). The Probabilistic Relevance Framework: BM25 and Beyond. Foundations
    and Trends in Information Retrieval 3(4).

    Examples
    --------
    >>> TermCounts(fold=True, saturation=1.0).terms(["nurse", "nurses"]).count("nurse")
    10
    """

    fold: bool = False
    saturation: float = 0.0
    length: float = 0.0
    profile_saturation: float = 0.0

    def terms(self, terms: Sequence[str]) -> list[str]:
        """Return the terms of a posting, each as often as it counts, from those in its content.

        Examples
        --------
        >>> TermCounts().terms(["nurses", "nurse", "ward"]), TermCounts(fold=True).terms(["nurses", "nurse"])
        (['nurses', 'nurse', 'ward'], ['nurse', 'nurse'])
        """
        folded = [fold_variants(term) for term in terms] if self.fold else list(terms)
        if not self.saturation:
            return folded
        counted = Counter(folded)
        counts = np.fromiter(counted.values(), np.int64, len(counted))
        levels = self.stored(counts, np.array([0, len(counts)])).tolist()
        return [term for term, level in zip(counted, levels, strict=True) for _ in range(level)]

    def stored(self, counts: NDArray[Any], starts: NDArray[np.int64]) -> NDArray[Any]:
        """Return what postings store for repeats of their terms.

        Parameters
        ----------
        counts : ndarray of int, shape (entries,)
            At least 1.
        starts : ndarray of int64, shape (postings + 1,)
            Where each posting's entries start.

        Returns
        -------
        ndarray of uint8, shape (entries,)
            1 to `LEVELS`; `counts` themselves when nothing is saturated.

        Examples
        --------
        >>> TermCounts(saturation=2.0).stored(np.array([1, 2, 4, 99]), np.array([0, 4]))
        array([ 5,  8, 10, 15], dtype=uint8)
        """
        if not self.saturation:
            return counts
        sums = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])[starts]
        relative = 1.0 - self.length + self.length * (np.diff(sums) / REFERENCE_LENGTH)
        halves = np.repeat(self.saturation * relative, np.diff(starts))
        return np.clip(np.rint(LEVELS * (counts / (counts + halves))), 1, LEVELS).astype(np.uint8)

    def asked(self, counts: NDArray[Any]) -> NDArray[Any]:
        """Return what repeats of a term in a profile count.

        Examples
        --------
        >>> TermCounts(profile_saturation=2.0).asked(np.array([1, 2, 4]))
        array([1. , 1.5, 2. ])
        """
        k3 = self.profile_saturation
        return (k3 + 1.0) * counts / (k3 + counts) if k3 else counts
