"""Boosts: what lifts a posting apart from fitting the profile. Off unless asked for.

A boost adds its own contribution to the score, shown under its own name. To add one, write a frozen
dataclass with the methods of `Boost` and add a row to `BOOSTS`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import NO_DATE, Catalogue
from matcher.errors import OptionError, PostingError
from matcher.posting import Posting, from_milliseconds, to_milliseconds

__all__: Final = ["BOOSTS", "Boost", "Featured", "Freshness"]

LARGEST_WEIGHT: Final = 1e300
_DAY: Final = 86_400_000


@runtime_checkable
class Boost(Protocol):
    """What every boost can do."""

    @property
    def name(self) -> str:
        """The boost's key in `BOOSTS` and the block name of its contributions."""

    def settle(self, newest: int | None) -> Boost:
        """Return the boost with what it leaves open settled by the date of the newest posting there is.

        `newest` is in milliseconds since 1970, None when no posting is dated.
        """

    def values(self, catalogue: Catalogue) -> NDArray[np.float64]:
        """Return what the boost adds to each posting's score, shape (postings,), at least 0."""

    def label(self, posting: Posting) -> str:
        """Return why this posting is lifted, as a person wants to read it."""


def _check_positive(name: str, value: float, largest: float = LARGEST_WEIGHT) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= largest:
        raise OptionError(f"{name} must be a number above 0 and at most {largest:g}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Featured:
    """Adds `weight` to postings that the board features.

    Parameters
    ----------
    weight : float
        Above 0; a typical best score is 0.2 to 0.5.

    Examples
    --------
    >>> Featured(0.05).values(Catalogue.from_postings([Posting(id="1"), Posting(id="2", featured=20)]))
    array([0.  , 0.05])
    """

    weight: float = 0.05
    name: str = "featured"

    def __post_init__(self) -> None:
        _check_positive("weight of boost featured", self.weight)

    def settle(self, newest: int | None) -> Featured:
        """Return the boost itself: dates mean nothing to it.

        Examples
        --------
        >>> Featured().settle(None)
        Featured(weight=0.05, name='featured')
        """
        return self

    def values(self, catalogue: Catalogue) -> NDArray[np.float64]:
        """Return `weight` where a posting is featured, else 0.

        Examples
        --------
        >>> Featured().values(Catalogue.from_postings([]))
        array([], dtype=float64)
        """
        return np.where(catalogue.featured > 0, float(self.weight), 0.0)

    def label(self, posting: Posting) -> str:
        """Return the reason.

        Examples
        --------
        >>> Featured().label(Posting(id="1"))
        'featured'
        """
        return "featured"


@dataclass(frozen=True, slots=True)
class Freshness:
    """Adds ``weight * 2 ** (-age / half_life_days)``: new postings first, fading with age.

    Parameters
    ----------
    weight : float
        What a posting of age zero gets. Above 0.
    half_life_days : float
        After how many days half of it is left.
    now : datetime, optional
        The moment ages are measured from; later postings count as age zero. By default the date of
        the newest posting, so that the same model and profile give the same ranking on any day.

    Examples
    --------
    >>> dates = {"1": datetime(2026, 3, 31), "2": datetime(2026, 3, 1), "3": None}
    >>> postings = [Posting(id=name, posted=date) for name, date in dates.items()]
    >>> Freshness(0.1, half_life_days=30).values(Catalogue.from_postings(postings))
    array([0.1 , 0.05, 0.  ])
    """

    weight: float = 0.05
    half_life_days: float = 30.0
    now: datetime | None = None
    name: str = "freshness"

    def __post_init__(self) -> None:
        _check_positive("weight of boost freshness", self.weight)
        _check_positive("half_life_days", self.half_life_days, largest=sys.float_info.max)
        if self.now is not None and not isinstance(self.now, datetime):
            raise OptionError(f"now must be a datetime or None, got {self.now!r}")
        try:
            _ = self.now and to_milliseconds(self.now)
        except PostingError:
            raise OptionError(f"now must be a date within the calendar, got {self.now!r}") from None

    def settle(self, newest: int | None) -> Freshness:
        """Return the boost that measures ages from `newest`, unless it has a moment of its own.

        Examples
        --------
        >>> Freshness().settle(1772323200000).now.date().isoformat()
        '2026-03-01'
        """
        return self if newest is None or self.now else replace(self, now=from_milliseconds(newest))

    def values(self, catalogue: Catalogue) -> NDArray[np.float64]:
        """Return what each posting's age earns it; 0 without a date.

        Examples
        --------
        >>> Freshness().values(Catalogue.from_postings([Posting(id="1")]))
        array([0.])
        """
        dated = catalogue.posted != NO_DATE
        values = np.zeros(len(catalogue))
        if dated.any():
            newest = int(catalogue.posted[dated].max()) if self.now is None else to_milliseconds(self.now)
            age = np.maximum(newest - catalogue.posted[dated], 0) / _DAY
            with np.errstate(over="ignore", under="ignore"):  # an age of endless half-lives leaves nothing
                values[dated] = self.weight * np.exp2(-age / self.half_life_days)
        return values

    def label(self, posting: Posting) -> str:
        """Return the reason.

        Examples
        --------
        >>> Freshness().label(Posting(id="1", posted=datetime(2026, 3, 1)))
        'posted 2026-03-01'
        """
        return f"posted {posting.posted.date().isoformat()}" if posting.posted else "no date"


BOOSTS: Final[Mapping[str, type[Any]]] = {"featured": Featured, "freshness": Freshness}
"""Every boost by name, in the order in which contributions are summed."""
