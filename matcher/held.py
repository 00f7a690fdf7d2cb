"""The postings a matcher holds, as one sequence in ascending order of id, whatever segments they lie in."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import NO_DATE, Categories
from matcher.errors import UnknownPostingError
from matcher.parts import Part
from matcher.posting import Posting

__all__: Final = ["HeldPostings"]


class HeldPostings(Sequence[Posting]):
    """Postings in ascending order of id; each is decoded when it is asked for.

    Parameters
    ----------
    parts : sequence of Part

    Examples
    --------
    >>> from matcher import Matcher
    >>> postings = Matcher.fit([Posting(id="b", title="Cook"), Posting(id="a")]).postings
    >>> len(postings), postings[1].title, postings.ids
    (2, 'Cook', ['a', 'b'])
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts

    @cached_property
    def _places(self) -> tuple[NDArray[np.int64], NDArray[np.int64], list[str]]:
        """Part, row and id of each posting."""
        kept = [part.kept for part in self._parts]
        ids = [
            line
            for part, rows in zip(self._parts, kept, strict=True)
            for line in part.segment.catalogue.ids.select(rows).to_lines()
        ]
        numbers = np.repeat(np.arange(len(kept)), [len(rows) for rows in kept])
        rows = np.concatenate([*kept, np.zeros(0, np.int64)])
        if len(kept) > 1:
            order = sorted(range(len(ids)), key=ids.__getitem__)
            numbers, rows, ids = numbers[order], rows[order], [ids[place] for place in order]
        return numbers, rows, [line.decode() for line in ids]

    @property
    def ids(self) -> list[str]:
        """All ids, ascending.

        Examples
        --------
        >>> HeldPostings([]).ids
        []
        """
        return list(self._places[2])

    @property
    def companies(self) -> set[str]:
        """Every company that a posting names.

        Examples
        --------
        >>> HeldPostings([]).companies
        set()
        """
        return self._values("companies")

    @property
    def locations(self) -> set[str]:
        """Every location that a posting names.

        Examples
        --------
        >>> HeldPostings([]).locations
        set()
        """
        return self._values("locations")

    def _values(self, name: str) -> set[str]:
        found: set[str] = set()
        for part in self._parts:
            column: Categories = getattr(part.segment.catalogue, name)
            found.update(column.values.take(np.unique(column.codes[part.kept])))
        return found - {""}

    @property
    def dates(self) -> tuple[int, int] | None:
        """The oldest and the newest date in milliseconds since 1970, None when no posting is dated.

        Examples
        --------
        >>> HeldPostings([]).dates is None
        True
        """
        dates = np.concatenate(
            [*(part.segment.catalogue.posted[part.kept] for part in self._parts), np.zeros(0, np.int64)]
        )
        dates = dates[dates != NO_DATE]
        return (int(dates.min()), int(dates.max())) if len(dates) else None

    @property
    def segments(self) -> list[tuple[int, int]]:
        """How many postings of each segment are held, and how many are deleted.

        Examples
        --------
        >>> from matcher import Matcher
        >>> matcher = Matcher.fit([Posting(id="1"), Posting(id="2")])
        >>> _ = matcher.remove(["1"]), matcher.add([Posting(id="3")])
        >>> matcher.postings.segments
        [(1, 1), (1, 0)]
        """
        return [(part.size, len(part.deleted)) for part in self._parts]

    def row(self, posting_id: str) -> int:
        """Return where a posting stands.

        Raises
        ------
        UnknownPostingError
            When it is not held.

        Examples
        --------
        >>> HeldPostings([]).row("x")
        Traceback (most recent call last):
        matcher.errors.UnknownPostingError: no posting has the id 'x'
        """
        ids = self._places[2]
        row = bisect_left(ids, posting_id) if isinstance(posting_id, str) else len(ids)
        if row == len(ids) or ids[row] != posting_id:
            raise UnknownPostingError(f"no posting has the id {posting_id!r}")
        return row

    def holds(self, posting_id: str) -> bool:
        """Return whether a posting has this id.

        Examples
        --------
        >>> HeldPostings([]).holds("x")
        False
        """
        try:
            self.row(posting_id)
        except UnknownPostingError:
            return False
        return True

    def __len__(self) -> int:
        return sum(part.size for part in self._parts)

    @overload
    def __getitem__(self, index: int) -> Posting: ...
    @overload
    def __getitem__(self, index: slice) -> list[Posting]: ...
    def __getitem__(self, index: int | slice) -> Posting | list[Posting]:
        numbers, rows, _ = self._places
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        posting: Posting = self._parts[int(numbers[index])].segment.catalogue[int(rows[index])]
        return posting

    def __iter__(self) -> Iterator[Posting]:
        numbers, rows, _ = self._places
        for number, row in zip(numbers.tolist(), rows.tolist(), strict=True):
            yield self._parts[number].segment.catalogue[row]
