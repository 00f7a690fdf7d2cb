"""Measures by name, as the command line and reports write them: ``ndcg@10``, ``map``, ``p@5``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from matcher.errors import OptionError
from matcher.evaluate.measures import (
    average_precision,
    check_depth,
    ndcg,
    precision,
    r_precision,
    recall,
    reciprocal_rank,
)

__all__: Final = ["MEASURES", "Measure", "parse_measure"]

MEASURES: Final[Mapping[str, Callable[..., float]]] = {
    "ndcg": ndcg,
    "map": average_precision,
    "mrr": reciprocal_rank,
    "p": precision,
    "recall": recall,
    "rp": r_precision,
}
"""Name -> function of a ranking, grades and k."""

_TITLES: Final = {"ndcg": "nDCG", "map": "MAP", "mrr": "MRR", "p": "P", "recall": "Recall", "rp": "RP"}
_WITHOUT_DEPTH: Final = ("map", "mrr")
_MEASURE: Final = re.compile(r"([a-z]+)(?:@([1-9][0-9]{0,8}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure and how far down a ranking it looks.

    Parameters
    ----------
    name : str
        A key of `MEASURES`.
    k : int, optional
        At least 1. Only ``map`` and ``mrr`` can do without: they then look at the whole ranking.

    Raises
    ------
    OptionError
        When there is none of that name, or `k` is missing or below 1.

    Examples
    --------
    >>> measure = Measure("p", 2)
    >>> measure.title, measure(["a", "b", "c"], {"a": 1, "c": 1})
    ('P@2', 0.5)
    """

    name: str
    k: int | None = None

    def __post_init__(self) -> None:
        if self.name not in MEASURES:
            raise OptionError(f"unknown measure {self.name!r}: use one of {', '.join(MEASURES)}")
        if self.k is not None:
            check_depth(self.k)
        elif self.name not in _WITHOUT_DEPTH:
            raise OptionError(f"the measure {self.name} needs a depth, as in {self.name}@10")

    def __call__(self, ranking: Sequence[str], grades: Mapping[str, int]) -> float:
        """Return the measure of one ranking; see the function for what it raises."""
        function = MEASURES[self.name]
        return function(ranking, grades) if self.k is None else function(ranking, grades, self.k)

    def __str__(self) -> str:
        return self.name if self.k is None else f"{self.name}@{self.k}"

    @property
    def title(self) -> str:
        """The name as people write it.

        Examples
        --------
        >>> Measure("ndcg", 10).title, str(Measure("ndcg", 10))
        ('nDCG@10', 'ndcg@10')
        """
        return _TITLES[self.name] + ("" if self.k is None else f"@{self.k}")


def parse_measure(text: str) -> Measure:
    """Return the measure that a text such as ``ndcg@10`` or ``map`` names, in capitals or not.

    Raises
    ------
    OptionError
        When it names none.

    Examples
    --------
    >>> parse_measure("nDCG@10"), parse_measure("map")
    (Measure(name='ndcg', k=10), Measure(name='map', k=None))
    >>> parse_measure("p")
    Traceback (most recent call last):
    matcher.errors.OptionError: the measure p needs a depth, as in p@10
    """
    found = _MEASURE.fullmatch(text.strip().lower()) if isinstance(text, str) else None
    if found is None:
        raise OptionError(
            f"expected a measure such as ndcg@10 or map, got {text!r}: use one of {', '.join(MEASURES)}, "
            "with @ and a depth of at least 1"
        )
    return Measure(found[1], int(found[2]) if found[2] else None)
