"""What a JSON object is: an advert of a board, a schema.org JobPosting, or a posting in our own names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from matcher.errors import PostingError
from matcher.sources.ashby import is_ashby, read_ashby
from matcher.sources.entry import RawPosting
from matcher.sources.exact import EXACT_FIELD
from matcher.sources.greenhouse import is_greenhouse, read_greenhouse
from matcher.sources.job_posting_json_ld import is_job_posting, job_postings_in, read_job_posting
from matcher.sources.lever import is_lever, read_lever
from matcher.sources.names import name_fields
from matcher.sources.workable import is_workable, read_workable

__all__: Final = ["SHAPES", "Shape", "read_record", "read_records"]


class Shape(NamedTuple):
    """One kind of JSON object: how it is known, and how it becomes the fields of a posting.

    Examples
    --------
    >>> SHAPES["Workable"].fits({"title": "Cook", "shortcode": "A1"})
    True
    """

    fits: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]


SHAPES: Final[Mapping[str, Shape]] = {
    "schema.org JobPosting": Shape(is_job_posting, read_job_posting),
    "Greenhouse": Shape(is_greenhouse, read_greenhouse),
    "Lever": Shape(is_lever, read_lever),
    "Ashby": Shape(is_ashby, read_ashby),
    "Workable": Shape(is_workable, read_workable),
}
"""Every kind by name; the first that fits is taken."""

_OURS: Final = frozenset(
    ("body", "summary", "summaryBackup", "companyName", "jobType", "timestamp", "hashtags", "companyWebsite")
)
_FOREIGN: Final = frozenset(
    ("description", "jobDescription", "job_description", "content_html", "content_text", "Description")
)


def read_record(
    entry: RawPosting, around: Mapping[str, Any] | None = None
) -> Iterator[RawPosting | PostingError]:
    """Yield the posting that an object is, or those it holds, with the fields named as ours.

    An object that is none of `SHAPES`, has a ``description`` and no field of ours, is read by the names that
    `matcher.sources.names` knows. Every other object is left as it is.

    Parameters
    ----------
    entry : RawPosting
    around : mapping, optional
        The fields of the object that holds the list it stands in.

    Yields
    ------
    RawPosting or PostingError

    Examples
    --------
    >>> entry = RawPosting({"position": "Cook", "description": "Bake.", "city": "Cork"}, 1, "jobs.json:1")
    >>> [found.fields for found in read_record(entry)]
    [{'title': 'Cook', 'body': 'Bake.', 'location': 'Cork'}]
    """
    fields = entry.fields
    if EXACT_FIELD in fields:  # written by `matcher.sources.writers`
        yield entry
        return
    if not _FOREIGN.isdisjoint(fields) or not _MARKS.isdisjoint(fields):
        for shape in SHAPES.values():
            if shape.fits(fields):
                yield _read(entry, shape, around or {})
                return
        inner = list(job_postings_in(fields))
        for number, found in enumerate(inner):
            part = RawPosting(found, entry.line, f"{entry.default_id}#{number + 1}", entry.changes)
            yield _read(part, SHAPES["schema.org JobPosting"], {})
        if inner:
            return
        if _OURS.isdisjoint(fields) and not _FOREIGN.isdisjoint(fields):
            yield _read(entry, _NAMED, around or {})
            return
    yield entry


def read_records(entries: Iterable[RawPosting | PostingError]) -> Iterator[RawPosting | PostingError]:
    """Yield what `read_record` makes of each entry; errors pass.

    Examples
    --------
    >>> entry = RawPosting({"title": "Cook"}, 1, "jobs.jsonl:1")
    >>> list(read_records([entry])) == [entry]
    True
    """
    for entry in entries:
        if isinstance(entry, RawPosting) and not _TELLING.isdisjoint(entry.fields):
            yield from read_record(entry)
        else:
            yield entry


def _read(entry: RawPosting, shape: Shape, around: Mapping[str, Any]) -> RawPosting | PostingError:
    try:
        fields = shape.read(entry.fields, around)
    except PostingError as error:
        return PostingError(error.reason, line=entry.line)
    return RawPosting(fields, entry.line, entry.default_id, entry.changes)


def _read_named(record: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    from matcher.sources.markup import field_text

    del around
    fields = name_fields(record)
    if isinstance(fields.get("body"), str):
        fields["body"] = field_text(fields["body"])
    return fields


_NAMED: Final = Shape(lambda record: True, _read_named)
_MARKS: Final = frozenset(
    (
        "@type",
        "@graph",
        "item",
        "itemListElement",
        "mainEntity",
        "absolute_url",
        "categories",
        "jobUrl",
        "shortcode",
    )
)
"""One of these is in every object of `SHAPES`: most others are passed on after one look."""
_TELLING: Final = _FOREIGN | _MARKS
"""An object with none of these is passed on by `read_record` as it is."""
