"""A profile in the terms of one feature block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__: Final = ["BlockQuery", "Matched"]


class Matched(NamedTuple):
    """Terms that profiles have in some measure, because of words that need not be the same.

    Attributes
    ----------
    positions : ndarray of int64
        In the vocabulary: profile after profile, ascending and without repeats within each.
    owners : ndarray of int64
        Which profile each belongs to, ascending.
    amounts : ndarray of float64
        What takes the place of a count, above 0.
    origins : ndarray of int32
        Which of `words` each term owes its amount to.
    words : sequence of str
        Words of the profiles.
    shares : sequence of float
        What of the block's weight counts for each profile, 0 to 1.

    Examples
    --------
    >>> one = np.array([0])
    >>> Matched(one, one, np.array([0.25]), one.astype(np.int32), ["cooks"], [1.0]).amounts
    array([0.25])
    """

    positions: NDArray[np.int64]
    owners: NDArray[np.int64]
    amounts: NDArray[np.float64]
    origins: NDArray[np.int32]
    words: Sequence[str]
    shares: Sequence[float]


_NOWHERE: Final = np.zeros(0)


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
    origins : ndarray of int32, or None
        For each feature, which of `words` matched it; None in blocks whose terms the profile has themselves.
    words : sequence of str
        Words of the profile, or of several.
    vector : ndarray of int32, shape (dimensions,), or None
        The profile as a dense vector, for a block that has those instead of terms.
    text : str
        The profile's text without personal data, for a block that explains by it.
    centre : ndarray of float64, shape (dimensions,)
        The mean of postings' directions, which the vector leaves out.
    share : float
        What of the block's weight counts for this profile, 0 to 1.

    Examples
    --------
    >>> query = BlockQuery(np.array([3, 5], np.int32), np.array([0.5, 0.25]))
    >>> query.asked, query.narrow(np.array([5])).weights
    (True, array([0.25]))
    """

    features: NDArray[np.int32]
    weights: NDArray[np.float64]
    elsewhere: bool = False
    origins: NDArray[np.int32] | None = None
    words: Sequence[str] = ()
    vector: NDArray[np.int32] | None = None
    text: str = ""
    centre: NDArray[np.float64] = _NOWHERE
    share: float = 1.0

    @property
    def asked(self) -> bool:
        """Whether the profile has data in this block.

        Examples
        --------
        >>> BlockQuery(np.zeros(0, np.int32), np.zeros(0)).asked
        False
        """
        return self.present > 0

    @property
    def present(self) -> float:
        """What of the block's weight counts: `share` when the profile has data in this block, else 0.

        Examples
        --------
        >>> BlockQuery(np.zeros(1, np.int32), np.ones(1)).present
        1.0
        """
        return self.share if self.elsewhere or len(self.features) or self.vector is not None else 0.0

    def narrow(self, features: NDArray[np.integer]) -> BlockQuery:
        """Return the query with some of its features alone, in the order given, and the words they need.

        Examples
        --------
        >>> features, origins = np.array([3, 5], np.int32), np.array([1, 0], np.int32)
        >>> query = BlockQuery(features, np.array([0.5, 0.25]), False, origins, ["bake", "cooks"])
        >>> query.narrow(np.array([3]))[3:5]
        (array([0], dtype=int32), ['cooks'])
        """
        places = np.searchsorted(self.features, features)
        kept, weights = self.features[places], self.weights[places]
        if self.origins is None:
            return self._replace(features=kept, weights=weights)
        needed, origins = np.unique(self.origins[places], return_inverse=True)
        words = [self.words[number] for number in needed.tolist()]
        return self._replace(features=kept, weights=weights, origins=origins.astype(np.int32), words=words)

    def word(self, place: int) -> str:
        """Return the word of the profile that matched the feature at a place; empty where it is the term.

        Examples
        --------
        >>> BlockQuery(np.zeros(1, np.int32), np.ones(1)).word(0)
        ''
        """
        return "" if self.origins is None else self.words[int(self.origins[place])]
