"""An account of reading: how many postings were read, and what was rejected, changed or left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from matcher.errors import PostingError

__all__: Final = ["MOST_KEPT", "Change", "ReadReport", "Rejected"]

MOST_KEPT: Final = 1_000
"""Rejections and changes kept word for word; the rest is only counted, so that memory stays bounded."""


class Rejected(NamedTuple):
    """A posting that could not be read.

    Examples
    --------
    >>> print(Rejected("jobs/a.md", 3, "the field 'title' comes twice: remove one"))
    jobs/a.md:3: the field 'title' comes twice: remove one
    """

    path: str
    line: int
    reason: str

    def __str__(self) -> str:
        return str(PostingError(self.reason, self.path, self.line))


class Change(NamedTuple):
    """Something that was read in another way than written.

    Examples
    --------
    >>> print(Change("jobs/a.md", 1, "wrongly decoded characters repaired"))
    jobs/a.md:1: wrongly decoded characters repaired
    """

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return str(PostingError(self.what, self.path, self.line))


@dataclass(slots=True)
class ReadReport:
    """What reading came to. It grows while the reader is iterated over.

    Parameters
    ----------
    read, rejected_count, changed_count : int
        How many postings were read, were rejected, and were read with at least one change.
    rejected, changes : list
        The first `MOST_KEPT` of them, word for word; of the rejected, the last too.
    ignored : Counter
        Files in folders that no source reads, by ending.

    Examples
    --------
    >>> report = ReadReport(read=2, rejected_count=1, ignored=Counter({".png": 3}))
    >>> report.summary()
    '2 postings read, 1 rejected, 3 other files ignored (.png)'
    """

    read: int = 0
    rejected_count: int = 0
    changed_count: int = 0
    rejected: list[Rejected] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)

    def summary(self) -> str:
        """Return the report as one line.

        Examples
        --------
        >>> ReadReport(read=1).summary()
        '1 posting read'
        """
        parts = [f"{self.read:,} posting{'' if self.read == 1 else 's'} read"]
        if self.changed_count:
            parts.append(f"{self.changed_count:,} repaired or changed")
        if self.rejected_count:
            parts.append(f"{self.rejected_count:,} rejected")
        if self.ignored:
            endings = ", ".join(sorted(self.ignored))
            parts.append(f"{self.ignored.total():,} other files ignored ({endings})")
        return ", ".join(parts)

    def add_rejected(self, rejected: Rejected) -> None:
        """Count a rejection.

        Examples
        --------
        >>> report = ReadReport()
        >>> report.add_rejected(Rejected("a.md", 1, "larger than any posting"))
        >>> report.rejected_count
        1
        """
        self.rejected_count += 1
        if len(self.rejected) == MOST_KEPT:  # the last one may say that the rest of a file is not read
            self.rejected.pop()
        self.rejected.append(rejected)

    def add_changes(self, path: str, line: int, changes: Iterable[str]) -> None:
        """Count a posting's changes, if there are any.

        Examples
        --------
        >>> report = ReadReport()
        >>> report.add_changes("a.md", 1, ["wrongly decoded characters repaired"])
        >>> report.changed_count
        1
        """
        listed = [Change(path, line, what) for what in changes]
        self.changed_count += bool(listed)
        self.changes.extend(listed[: MOST_KEPT - len(self.changes)])
