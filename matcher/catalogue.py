"""The postings a model can rank, by row: records decoded on demand, and the columns that filters scan.

Rows are in ascending order of posting id, so "ties break by id" is "ties break by row".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError, PostingError, UnknownPostingError
from matcher.posting import Posting
from matcher.strings import StringTable, gather, to_offsets

__all__: Final = ["NO_DATE", "Catalogue", "Categories", "check_starts", "encode_record"]

NO_DATE: Final = np.iinfo(np.int64).min
"""Stands for "no date" in the column of dates."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, allow_nan=False)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not a number")


_DECODER: Final = json.JSONDecoder(parse_constant=_refuse)

_CALENDAR: Final = (-62_135_596_800_000, 253_402_300_799_999)
"""The years 1 to 9999 in milliseconds since 1970, all that a datetime can hold."""


@dataclass(frozen=True, slots=True, eq=False)
class Categories:
    """A column of text with few distinct values: each row holds the position of its value.

    Parameters
    ----------
    values : StringTable
        Sorted, unique.
    codes : ndarray of int32, shape (postings,)

    Examples
    --------
    >>> column = Categories.from_strings(["Bern", "Cork", "Bern"])
    >>> list(column.values), column.codes
    (['Bern', 'Cork'], array([0, 1, 0], dtype=int32))
    """

    values: StringTable
    codes: NDArray[np.int32]

    @classmethod
    def from_strings(cls, strings: list[str]) -> Categories:
        """Return the column of `strings`, one a row.

        Examples
        --------
        >>> Categories.from_strings([]).codes
        array([], dtype=int32)
        """
        strings = [" ".join(text.split()).encode("utf-8", "replace").decode() for text in strings]
        values = sorted(set(strings))
        position = {text: code for code, text in enumerate(values)}
        codes = np.fromiter((position[text] for text in strings), np.int32, len(strings))
        return cls(StringTable.from_strings(values), codes)

    @classmethod
    def from_files(cls, files: Mapping[str, NDArray[np.generic]], name: str, rows: int) -> Categories:
        """Return the column that `to_files` wrote under `name`, after checking it.

        Examples
        --------
        >>> column = Categories.from_strings(["Bern"])
        >>> Categories.from_files(column.to_files("place"), "place", 2)
        Traceback (most recent call last):
        matcher.errors.ModelDamagedError: place.codes: expected 2 rows of int32 within range
        """
        values = StringTable.from_files(files, name, unique=True)
        codes = files[f"{name}.codes"]
        if codes.shape != (rows,) or codes.dtype != np.int32 or not _within(codes, len(values)):
            raise ModelDamagedError(f"{name}.codes: expected {rows} rows of int32 within range")
        return cls(values, codes)  # type: ignore[arg-type]

    @classmethod
    def concatenate(cls, columns: Sequence[Categories]) -> Categories:
        """Return the rows of several columns, one column after the other.

        Examples
        --------
        >>> parts = [Categories.from_strings(["Cork", "Bern"]), Categories.from_strings(["Bern"])]
        >>> Categories.concatenate(parts).codes
        array([1, 0, 0], dtype=int32)
        """
        values = sorted({text for column in columns for text in column.values})
        position = {text: code for code, text in enumerate(values)}
        codes = [
            np.array([position[text] for text in column.values], np.int32)[column.codes] for column in columns
        ]
        return cls(StringTable.from_strings(values), np.concatenate([*codes, np.zeros(0, np.int32)]))

    def select(self, rows: NDArray[np.int64]) -> Categories:
        """Return some rows, with the values that occur in them.

        Examples
        --------
        >>> column = Categories.from_strings(["Bern", "Cork"]).select(np.array([1]))
        >>> list(column.values), column.codes
        (['Cork'], array([0], dtype=int32))
        """
        kept, codes = np.unique(self.codes[rows], return_inverse=True)
        return Categories(self.values.select(kept), codes.astype(np.int32))

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the column's arrays by file name.

        Examples
        --------
        >>> sorted(Categories.from_strings([]).to_files("place"))
        ['place.codes', 'place.offsets', 'place.txt']
        """
        return self.values.to_files(name) | {f"{name}.codes": self.codes}


def _within(codes: NDArray[np.generic], stop: int) -> bool:
    return len(codes) == 0 or (int(codes.min()) >= 0 and int(codes.max()) < stop)


@dataclass(frozen=True, slots=True, eq=False)
class Catalogue:
    """Postings in ascending order of id.

    Parameters
    ----------
    ids : StringTable
    records : StringTable
        One JSON record a posting (see `matcher.posting.Posting.to_record`).
    locations, companies, job_types : Categories
    tags : StringTable
        Every hashtag, sorted.
    tag_starts : ndarray of int64, shape (postings + 1,)
    tag_codes : ndarray of int32
        Hashtags of each posting, as positions in `tags`, row after row.
    posted : ndarray of int64, shape (postings,)
        Milliseconds since 1970 UTC, or `NO_DATE`.
    featured : ndarray of int64, shape (postings,)

    Examples
    --------
    >>> catalogue = Catalogue.from_postings([Posting(id="b", title="Cook"), Posting(id="a")])
    >>> len(catalogue), catalogue[1].title, catalogue.row("b")
    (2, 'Cook', 1)
    """

    ids: StringTable
    records: StringTable
    locations: Categories
    companies: Categories
    job_types: Categories
    tags: StringTable
    tag_starts: NDArray[np.int64]
    tag_codes: NDArray[np.int32]
    posted: NDArray[np.int64]
    featured: NDArray[np.int64]

    @classmethod
    def from_postings(cls, postings: Iterable[Posting]) -> Catalogue:
        """Return a catalogue of postings with distinct ids.

        Raises
        ------
        PostingError
            When `extra` of a posting holds something JSON cannot.

        Examples
        --------
        >>> len(Catalogue.from_postings([]))
        0
        """
        ordered = sorted(postings, key=lambda posting: posting.id)
        tags = sorted({tag for posting in ordered for tag in posting.hashtags})
        position = {tag: code for code, tag in enumerate(tags)}
        starts = to_offsets([len(posting.hashtags) for posting in ordered])
        dates = [posting.posted_milliseconds for posting in ordered]
        return cls(
            ids=StringTable.from_strings(posting.id for posting in ordered),
            records=StringTable.from_strings(map(encode_record, ordered)),
            locations=Categories.from_strings([posting.location for posting in ordered]),
            companies=Categories.from_strings([posting.company for posting in ordered]),
            job_types=Categories.from_strings([posting.job_type for posting in ordered]),
            tags=StringTable.from_strings(tags),
            tag_starts=starts,
            tag_codes=np.array([position[tag] for p in ordered for tag in sorted(p.hashtags)], np.int32),
            posted=np.array([NO_DATE if date is None else date for date in dates], np.int64),
            featured=np.array([max(0, min(posting.featured, 2**62)) for posting in ordered], np.int64),
        )

    @classmethod
    def from_files(cls, files: Mapping[str, NDArray[np.generic]], name: str = "postings") -> Catalogue:
        """Return the catalogue that `to_files` wrote, after checking that it is sound.

        Raises
        ------
        ModelDamagedError
            When lengths, ranges or order are wrong.

        Examples
        --------
        >>> len(Catalogue.from_files(Catalogue.from_postings([Posting(id="1")]).to_files()))
        1
        """
        ids = StringTable.from_files(files, f"{name}.ids", unique=True)
        rows = len(ids)
        records = StringTable.from_files(files, f"{name}.records", unique=False)
        tags = StringTable.from_files(files, f"{name}.tags", unique=True)
        starts, codes = files[f"{name}.tag_starts"], files[f"{name}.tag_codes"]
        posted, featured = files[f"{name}.posted"], files[f"{name}.featured"]
        expected = (starts, (rows + 1,), np.int64), (posted, (rows,), np.int64), (featured, (rows,), np.int64)
        sound = (
            len(records) == rows
            and all(array.shape == shape and array.dtype == dtype for array, shape, dtype in expected)
            and codes.ndim == 1
            and codes.dtype == np.int32
            and check_starts(starts, len(codes))
            and _within(codes, len(tags))
            and _are_dates(posted)
        )
        if not sound:
            raise ModelDamagedError(f"{name}: columns do not fit together")
        return cls(
            ids,
            records,
            Categories.from_files(files, f"{name}.locations", rows),
            Categories.from_files(files, f"{name}.companies", rows),
            Categories.from_files(files, f"{name}.job_types", rows),
            tags,
            starts,  # type: ignore[arg-type]
            codes,  # type: ignore[arg-type]
            posted,  # type: ignore[arg-type]
            featured,  # type: ignore[arg-type]
        )

    @classmethod
    def merge(
        cls, catalogues: Sequence[Catalogue], kept: Sequence[NDArray[np.int64]]
    ) -> tuple[Catalogue, NDArray[np.int64]]:
        """Return one catalogue of some rows of several, whose ids are all distinct.

        Parameters
        ----------
        catalogues : sequence of Catalogue
        kept : sequence of ndarray of int64
            For each, the rows to keep, ascending.

        Returns
        -------
        catalogue : Catalogue
        order : ndarray of int64
            For each of its rows, where it stands among all rows kept, one catalogue's after the other's.

        Examples
        --------
        >>> parts = [Catalogue.from_postings([Posting(id=name) for name in names]) for names in ("ac", "bd")]
        >>> merged, order = Catalogue.merge(parts, [np.array([0, 1]), np.array([0])])
        >>> [posting.id for posting in merged], order
        (['a', 'b', 'c'], array([0, 2, 1]))
        """
        # What is left behind is never copied: of a large catalogue, a few rows may be all that is kept.
        pairs = list(zip(catalogues, kept, strict=True))
        nothing = np.zeros(0, np.int64)
        ids = StringTable.concatenate([part.ids.select(rows) for part, rows in pairs])
        lines = ids.to_lines()
        order = np.array(sorted(range(len(lines)), key=lines.__getitem__), np.int64)
        records = StringTable.concatenate([part.records.select(rows) for part, rows in pairs])
        lengths = np.concatenate([*(np.diff(part.tag_starts)[rows] for part, rows in pairs), nothing])
        tags = Categories.concatenate(
            [
                Categories(part.tags, part.tag_codes).select(gather(part.tag_starts, rows)[0])
                for part, rows in pairs
            ]
        )

        def merge(column: Callable[[Catalogue], Categories]) -> Categories:
            some = [column(part).select(rows) for part, rows in pairs]
            return Categories.concatenate(some).select(order)

        merged = cls(
            ids=ids.select(order),
            records=records.select(order),
            locations=merge(lambda part: part.locations),
            companies=merge(lambda part: part.companies),
            job_types=merge(lambda part: part.job_types),
            tags=tags.values,
            tag_starts=to_offsets(lengths[order]),
            tag_codes=tags.codes[gather(to_offsets(lengths), order)[0]],
            posted=np.concatenate([*(part.posted[rows] for part, rows in pairs), nothing])[order],
            featured=np.concatenate([*(part.featured[rows] for part, rows in pairs), nothing])[order],
        )
        return merged, order

    def to_files(self, name: str = "postings") -> dict[str, NDArray[np.generic]]:
        """Return the catalogue's arrays by file name.

        Examples
        --------
        >>> "postings.records.txt" in Catalogue.from_postings([]).to_files()
        True
        """
        tables = {"ids": self.ids, "records": self.records, "tags": self.tags}
        columns = {"locations": self.locations, "companies": self.companies, "job_types": self.job_types}
        arrays: dict[str, NDArray[np.generic]] = {
            "tag_starts": self.tag_starts,
            "tag_codes": self.tag_codes,
            "posted": self.posted,
            "featured": self.featured,
        }
        files = {f"{name}.{key}": array for key, array in arrays.items()}
        for key, table in tables.items():
            files |= table.to_files(f"{name}.{key}")
        for key, column in columns.items():
            files |= column.to_files(f"{name}.{key}")
        return files

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, row: int) -> Posting:
        try:
            posting = Posting.from_record(_DECODER.decode(self.records[row]))
            if posting.id != self.ids[row]:
                raise PostingError(f"the record is of {posting.id!r}, not of {self.ids[row]!r}")
            return posting
        except (ValueError, TypeError, AttributeError, RecursionError, PostingError) as error:
            raise ModelDamagedError(
                f"postings.records.txt:{row + 1}: not a posting record ({error})"
            ) from None

    def __iter__(self) -> Iterator[Posting]:
        return (self[row] for row in range(len(self)))

    def row(self, posting_id: str) -> int:
        """Return the row of a posting.

        Raises
        ------
        UnknownPostingError
            When there is none.

        Examples
        --------
        >>> Catalogue.from_postings([]).row("x")
        Traceback (most recent call last):
        matcher.errors.UnknownPostingError: no posting has the id 'x'
        """
        row = self.ids.find(posting_id) if isinstance(posting_id, str) else -1
        if row < 0:
            raise UnknownPostingError(f"no posting has the id {posting_id!r}")
        return row


def check_starts(starts: NDArray[Any], entries: int) -> bool:
    """Return whether `starts` delimits rows of `entries` entries: from 0, never falling, to the end.

    Examples
    --------
    >>> check_starts(np.array([0, 2, 2, 3]), 3), check_starts(np.array([0, 4, 2, 3]), 3)
    (True, False)
    """
    return bool(
        len(starts) and starts[0] == 0 and starts[-1] == entries and np.all(starts[1:] >= starts[:-1])
    )


def _are_dates(milliseconds: NDArray[Any]) -> bool:
    first, last = _CALENDAR
    return bool(np.all((milliseconds == NO_DATE) | ((milliseconds >= first) & (milliseconds <= last))))


def encode_record(posting: Posting) -> str:
    """Return a posting as one line of JSON: equal postings give equal lines.

    Raises
    ------
    PostingError
        When `extra` holds something JSON cannot.

    Examples
    --------
    >>> encode_record(Posting(id="1", title="Cook"))
    '{"id": "1", "title": "Cook"}'
    """
    try:
        return _ENCODER.encode(posting.to_record())
    except (TypeError, ValueError, RecursionError) as error:
        raise PostingError(
            f"posting {posting.id!r}: extra holds something that is not JSON ({error})"
        ) from None
