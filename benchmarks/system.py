"""What the benchmark asks of a system: a builder that indexes texts, a server that ranks from its files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

K = 10
"""Recommendations for a CV."""

Ids = list[Any]
Search = Callable[[Any], Ids]
"""A CV's text (or what `Server.prepare` made of it) -> ids of the ten best postings, best first."""

SearchMany = Callable[[Sequence[str]], list[Ids]]


class Builder(Protocol):
    """Turns texts in memory into an index, and writes it for servers to load."""

    def read(self, corpus: Path, count: int | None = None) -> None:
        """Bring the first `count` postings of a corpus into memory (all by default); not timed."""

    def build(self, folder: Path) -> None:
        """Index them, in memory or in an empty folder; this is timed."""

    def save(self, folder: Path) -> dict[str, Any]:
        """Write what is not in the folder yet, and return what is worth knowing about the index."""


@dataclass(frozen=True)
class Server:
    """Ranks from an index that a builder wrote.

    Calls and batches are rows of a table by label (the empty one is the system itself). Each row has one or
    several ways to get the same answer; the quickest is found by trial and then measured.
    """

    calls: Mapping[str, Mapping[str, Search]]
    batches: Mapping[str, Mapping[str, SearchMany]]
    arrays: Callable[[], Mapping[str, np.ndarray]] = dict
    """The arrays it ranks with, as far as they can be known; read after it has ranked."""

    prepare: Mapping[str, Callable[[str], Any]] = field(default_factory=dict)
    """What to do with a text before the clock starts, for calls that measure only a part."""
