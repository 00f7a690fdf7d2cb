"""Filters: vetoes that apply before the best postings are chosen, never after.

To add one, write its two functions and add a row to `FILTERS`; `Matcher.recommend`, the command line
and the contract tests pick it up from there. `parse` turns what a caller gave into a value or raises
`FilterError`; `select` returns which postings pass, from the catalogue's columns.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import NO_DATE, Catalogue, Categories
from matcher.countries import country_code
from matcher.errors import FilterError, OptionError, PostingError
from matcher.hashtags import normalise_hashtag, normalise_hashtags, split_hashtags
from matcher.places import is_remote, parse_places
from matcher.posting import to_milliseconds

__all__: Final = ["FILTERS", "Filter", "parse_moment", "select_postings"]

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Filter:
    """One kind of filter.

    Parameters
    ----------
    name : str
        Keyword in ``recommend(..., filters={name: value})`` and, with hyphens, the option of the command.
    description : str
        One sentence, shown as the option's help.
    parse : callable
        ``value -> parsed value``; raises `FilterError`.
    select : callable
        ``(catalogue, parsed value) -> ndarray of bool, shape (postings,)``; True keeps.
    example : object
        A valid value, for documentation and tests.
    """

    name: str
    description: str
    parse: Callable[[Any], Any]
    select: Callable[[Catalogue, Any], Mask]
    example: Any

    @property
    def is_flag(self) -> bool:
        """Whether the value is yes or no.

        Examples
        --------
        >>> FILTERS["remote"].is_flag, FILTERS["location"].is_flag
        (True, False)
        """
        return isinstance(self.example, bool)

    @property
    def takes_many(self) -> bool:
        """Whether several values can be given.

        Examples
        --------
        >>> FILTERS["hashtags_any"].takes_many, FILTERS["posted_since"].takes_many
        (True, False)
        """
        return isinstance(self.example, list)


def select_postings(
    catalogue: Catalogue, filters: Mapping[str, Any], held: Mask | None = None
) -> tuple[Mask, dict[str, int]]:
    """Return which postings pass all filters, and how many each filter alone removes.

    Parameters
    ----------
    catalogue : Catalogue
    filters : mapping
    held : ndarray of bool, shape (postings,), optional
        Which postings there are to choose from; all by default.

    Raises
    ------
    FilterError
        When a filter is unknown or its value cannot be understood.

    Examples
    --------
    >>> from matcher.posting import Posting
    >>> places = {"1": "Bern", "2": "Remote"}
    >>> catalogue = Catalogue.from_postings(Posting(id=key, location=place) for key, place in places.items())
    >>> select_postings(catalogue, {"location": "bern"})
    (array([ True, False]), {'location': 1})
    """
    if not isinstance(filters, Mapping):
        raise FilterError(f"filters must be a mapping of names to values, got {filters!r}")
    kept = np.ones(len(catalogue), np.bool_) if held is None else held.copy()
    total = np.count_nonzero(kept)
    removed: dict[str, int] = {}
    for name, value in filters.items():
        if name not in FILTERS:
            raise FilterError(f"unknown filter {name!r}: use one of {', '.join(FILTERS)}")
        row = FILTERS[name]
        mask = row.select(catalogue, row.parse(value))
        removed[name] = int(total - np.count_nonzero(mask if held is None else mask & held))
        kept &= mask
    return kept, removed


# --- values ---------------------------------------------------------------------------------------


def _fail(name: str, value: object, wanted: str) -> FilterError:
    return FilterError(f"filter {name}: expected {wanted}, got {value!r}")


def _parse_words(name: str) -> Callable[[Any], list[tuple[str, ...]]]:
    def parse(value: Any) -> list[tuple[str, ...]]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple, set, frozenset)) or not values:
            raise _fail(name, value, "text or a list of texts")
        words = [_words(text) if isinstance(text, str) else () for text in values]
        if not all(words):
            raise _fail(name, value, "text with at least one letter or digit")
        return words

    return parse


def _parse_flag(name: str) -> Callable[[Any], bool]:
    def parse(value: Any) -> bool:
        if not isinstance(value, bool):
            raise _fail(name, value, "True or False")
        return value

    return parse


def _parse_tags(name: str) -> Callable[[Any], list[str]]:
    def parse(value: Any) -> list[str]:
        values = split_hashtags(value) if isinstance(value, str) else value
        if not isinstance(values, (list, tuple, set, frozenset)) or not all(
            isinstance(tag, str) for tag in values
        ):
            raise _fail(name, value, "a list of hashtags")
        if not values or not all(map(normalise_hashtag, values)):
            raise _fail(name, value, "hashtags with at least one letter or digit")
        return sorted(normalise_hashtags(values))

    return parse


def _parse_countries(name: str) -> Callable[[Any], list[str]]:
    def parse(value: Any) -> list[str]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, (list, tuple, set, frozenset)) or not values:
            raise _fail(name, value, "the name or code of a country, or a list of them")
        codes = set()
        for text in values:
            code = country_code(text) if isinstance(text, str) else ""
            if not code:
                raise _fail(name, text, "a country in English or German, or its code of two letters")
            codes.add(code)
        return sorted(codes)

    return parse


def _parse_moment(name: str) -> Callable[[Any], int]:
    def parse(value: Any) -> int:
        try:
            return parse_moment(value)
        except OptionError as error:
            raise FilterError(f"filter {name}: {error}") from None

    return parse


def parse_moment(value: Any) -> int:
    """Return a date or moment, or its ISO 8601 text, in milliseconds since 1970; UTC when it names no zone.

    Raises
    ------
    OptionError
        When it is no date, or outside the calendar.

    Examples
    --------
    >>> parse_moment("2026-03-01"), parse_moment(date(2026, 3, 1))
    (1772323200000, 1772323200000)
    """
    moment = value
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            moment = None
    elif isinstance(value, date) and not isinstance(value, datetime):
        moment = datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(moment, datetime):
        raise OptionError(f"expected a date such as 2026-03-01, got {value!r}")
    try:
        return to_milliseconds(moment)
    except PostingError:
        raise OptionError(f"expected a date within the calendar, got {value!r}") from None


# --- columns --------------------------------------------------------------------------------------


def _words(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return tuple(re.findall(r"[^\W_]+", "".join(char for char in plain if not unicodedata.combining(char))))


def _contains(words: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    size = len(wanted)
    return any(words[start : start + size] == wanted for start in range(len(words) - size + 1))


def _select_values(column: Categories, passes: Callable[[str], bool]) -> Mask:
    # Distinct values are few: decide once for each, then look every posting up.
    verdicts = np.fromiter(map(passes, column.values), np.bool_, len(column.values))
    return verdicts[column.codes] if len(verdicts) else np.zeros(0, np.bool_)


def _select_words(column: str) -> Callable[[Catalogue, list[tuple[str, ...]]], Mask]:
    def select(catalogue: Catalogue, wanted: list[tuple[str, ...]]) -> Mask:
        def passes(value: str) -> bool:
            words = _words(value)
            return any(_contains(words, phrase) for phrase in wanted)

        return _select_values(getattr(catalogue, column), passes)

    return select


def _select_job_type(catalogue: Catalogue, wanted: list[tuple[str, ...]]) -> Mask:
    # "full-time", "Full time" and "fulltime" are one job type.
    joined = {"".join(words) for words in wanted}
    return _select_values(catalogue.job_types, lambda value: "".join(_words(value)) in joined)


def _select_remote(catalogue: Catalogue, wanted: bool) -> Mask:
    return _select_values(catalogue.locations, lambda value: is_remote(value) == wanted)


def _select_country(catalogue: Catalogue, wanted: list[str]) -> Mask:
    return _select_values(
        catalogue.locations, lambda value: any(place.country in wanted for place in parse_places(value))
    )


def _select_posted_since(catalogue: Catalogue, since: int) -> Mask:
    mask: Mask = (catalogue.posted >= since) & (catalogue.posted != NO_DATE)
    return mask


_RARE: Final = 16


def _count_tags(catalogue: Catalogue, wanted: Iterable[str]) -> NDArray[np.uint16]:
    counts = np.zeros(len(catalogue), np.uint16)  # small, because there can be millions of postings
    for code in map(catalogue.tags.find, wanted):
        if code < 0:
            continue
        is_hit = catalogue.tag_codes == code
        hits = np.flatnonzero(is_hit)
        if len(hits) * _RARE < len(catalogue):  # few: find the posting of each
            counts[np.searchsorted(catalogue.tag_starts, hits, side="right") - 1] += 1
        else:
            before = np.concatenate([[0], np.cumsum(is_hit)])
            counts += before[catalogue.tag_starts[1:]] > before[catalogue.tag_starts[:-1]]
    return counts


FILTERS: Final[Mapping[str, Filter]] = {
    row.name: row
    for row in (
        Filter(
            "location",
            "Keep postings whose location has these words (as written); repeat for alternatives.",
            _parse_words("location"),
            _select_words("locations"),
            ["Berlin"],
        ),
        Filter(
            "remote",
            "Keep only postings that can (or cannot) be done from anywhere.",
            _parse_flag("remote"),
            _select_remote,
            True,
        ),
        Filter(
            "job_type",
            "Keep postings of this job type, such as fulltime; repeat for alternatives.",
            _parse_words("job_type"),
            _select_job_type,
            ["fulltime"],
        ),
        Filter(
            "company",
            "Keep postings whose company contains these words; repeat for alternatives.",
            _parse_words("company"),
            _select_words("companies"),
            ["Beck"],
        ),
        Filter(
            "country",
            "Keep postings whose location names this country (name or code); repeat for alternatives.",
            _parse_countries("country"),
            _select_country,
            ["Germany"],
        ),
        Filter(
            "posted_since",
            "Keep postings dated on or after this day (UTC); postings without a date go.",
            _parse_moment("posted_since"),
            _select_posted_since,
            "2026-03-01",
        ),
        Filter(
            "hashtags_any",
            "Keep postings with at least one of these hashtags.",
            _parse_tags("hashtags_any"),
            lambda catalogue, tags: _count_tags(catalogue, tags) > 0,
            ["sql"],
        ),
        Filter(
            "hashtags_all",
            "Keep postings with all of these hashtags.",
            _parse_tags("hashtags_all"),
            lambda catalogue, tags: _count_tags(catalogue, tags) == len(tags),
            ["sql"],
        ),
        Filter(
            "hashtags_none",
            "Keep postings with none of these hashtags.",
            _parse_tags("hashtags_none"),
            lambda catalogue, tags: _count_tags(catalogue, tags) == 0,
            ["sql"],
        ),
    )
}
"""Every filter by name."""
