"""A job posting, and the record (plain JSON) it is stored as.

No input or output happens here, and nothing is guessed: reading and repairing what boards send is
the business of `matcher.sources`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Final

from matcher.errors import PostingError
from matcher.hashtags import normalise_hashtags, split_hashtags
from matcher.pay import Pay, is_pay_record
from matcher.places import Place, is_remote, parse_places

__all__: Final = [
    "RECORD_NAMES",
    "Posting",
    "free_name",
    "from_milliseconds",
    "posting_of_checked",
    "to_milliseconds",
]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)

RECORD_NAMES: Final[Mapping[str, str]] = {
    "id": "id",
    "title": "title",
    "company": "companyName",
    "location": "location",
    "hashtags": "hashtags",
    "job_type": "jobType",
    "posted": "timestamp",
    "valid_through": "validThrough",
    "pay": "pay",
    "summary": "summary",
    "summary_backup": "summaryBackup",
    "body": "body",
    "url": "url",
    "apply_url": "applyUrl",
    "host": "host",
    "company_website": "companyWebsite",
    "logo_url": "logoUrl",
    "featured": "featured",
}
"""Attribute of `Posting` -> the name of that field in front matter and JSON."""


def to_milliseconds(moment: datetime) -> int:
    """Return milliseconds from 1970-01-01 UTC to a moment; one without time zone counts as UTC.

    Raises
    ------
    PostingError
        When it lies outside the calendar in UTC.

    Examples
    --------
    >>> to_milliseconds(datetime(2026, 3, 1))
    1772323200000
    """
    try:
        if moment.utcoffset() is None:
            moment = moment.replace(tzinfo=UTC)
        milliseconds = (moment - _EPOCH) // _MILLISECOND
        from_milliseconds(milliseconds)
    except OverflowError:
        raise PostingError(f"{moment} is outside the calendar") from None
    return milliseconds


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the moment so many milliseconds after 1970-01-01 UTC.

    Raises
    ------
    PostingError
        When it lies outside the calendar.

    Examples
    --------
    >>> from_milliseconds(1772323200000).date().isoformat()
    '2026-03-01'
    """
    try:
        return _EPOCH + milliseconds * _MILLISECOND
    except OverflowError:
        raise PostingError(f"timestamp {milliseconds} is outside the calendar") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """One job advert. Immutable; only `id` is required.

    Parameters
    ----------
    id : str
        Unique in a model; ties in the ranking break by it. No control characters.
    title, company, location, job_type : str
        As the advert writes them.
    hashtags : iterable of str
        Stored as a tuple of normal forms (see `normalise_hashtag`), without repeats.
    posted : datetime, optional
        Stored in UTC with millisecond precision. A value without time zone counts as UTC.
    valid_through : datetime, optional
        When the advert ends; stored in the same way.
    pay : Pay, optional
        What the job pays, where the advert says so for certain.
    summary, summary_backup : str
        The line a board shows in its list, and its replacement.
    body : str
        The advert itself, Markdown.
    url, apply_url, host, company_website, logo_url : str
        Links.
    featured : int
        Above 0 when the board was paid to feature it. Ranked by only when asked for.
    extra : mapping
        Every other field of the source, as JSON values.

    Raises
    ------
    PostingError
        When `id` is empty or a field has the wrong type.

    Examples
    --------
    >>> posting = Posting(id="job-1", location="Cork or remote", hashtags=["#Nursing", "nursing"])
    >>> posting.hashtags, posting.remote
    (('nursing',), True)
    >>> Posting.from_record(posting.to_record()) == posting
    True
    >>> Posting(id="")
    Traceback (most recent call last):
    matcher.errors.PostingError: a posting needs a non-empty id without control characters, got ''
    """

    id: str
    title: str = ""
    company: str = ""
    location: str = ""
    hashtags: tuple[str, ...] = ()
    job_type: str = ""
    posted: datetime | None = None
    valid_through: datetime | None = None
    pay: Pay | None = None
    summary: str = ""
    summary_backup: str = ""
    body: str = ""
    url: str = ""
    apply_url: str = ""
    host: str = ""
    company_website: str = ""
    logo_url: str = ""
    featured: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id.strip() or not self.id.isprintable():
            raise PostingError(f"a posting needs a non-empty id without control characters, got {self.id!r}")
        for name in _TEXT_FIELDS if set(map(type, _texts_of(self))) != _ONLY_TEXT else ():
            if not isinstance(getattr(self, name), str):
                raise PostingError(f"posting {self.id!r}: {name} must be text, got {getattr(self, name)!r}")
        if isinstance(self.featured, bool) or not isinstance(self.featured, int):
            raise PostingError(f"posting {self.id!r}: featured must be a whole number, got {self.featured!r}")
        for name in _MOMENTS:
            moment = getattr(self, name)
            if moment is not None and not isinstance(moment, datetime):
                raise PostingError(f"posting {self.id!r}: {name} must be a datetime or None, got {moment!r}")
        if self.pay is not None and not isinstance(self.pay, Pay):
            raise PostingError(f"posting {self.id!r}: pay must be a Pay or None, got {self.pay!r}")
        if not isinstance(self.extra, Mapping):
            raise PostingError(f"posting {self.id!r}: extra must be a mapping, got {self.extra!r}")
        object.__setattr__(self, "extra", dict(self.extra))
        taken = RECORD_KEYS.intersection(self.extra)
        if taken:
            raise PostingError(f"posting {self.id!r}: extra must not repeat the field {min(taken)!r}")
        object.__setattr__(self, "hashtags", self._normal_hashtags())
        for name in _MOMENTS:
            moment = getattr(self, name)
            if moment is None or (moment.tzinfo is UTC and not moment.microsecond % 1_000):
                continue
            try:
                object.__setattr__(self, name, from_milliseconds(to_milliseconds(moment)))
            except PostingError as error:
                raise PostingError(f"posting {self.id!r}: {error.reason}") from None

    def _normal_hashtags(self) -> tuple[str, ...]:
        if isinstance(self.hashtags, str):
            return tuple(split_hashtags(self.hashtags))
        tags: list[Any] = list(self.hashtags) if isinstance(self.hashtags, Iterable) else [None]
        if not all(isinstance(tag, str) for tag in tags):
            raise PostingError(f"posting {self.id!r}: hashtags must be texts, got {self.hashtags!r}")
        return tuple(normalise_hashtags(tags))

    @property
    def remote(self) -> bool:
        """Whether the location says that the work can be done from anywhere.

        Examples
        --------
        >>> places = ("Berlin or remote", "Berlin", "Bern (no remote)")
        >>> [Posting(id="1", location=place).remote for place in places]
        [True, False, False]
        """
        return is_remote(self.location)

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that the location names; see `matcher.places.parse_places`.

        Examples
        --------
        >>> [place.city for place in Posting(id="1", location="Bern (remote)").places]
        ['Bern']
        """
        return parse_places(self.location)

    @property
    def posted_milliseconds(self) -> int | None:
        """Milliseconds from 1970-01-01 UTC to `posted`, or None.

        Examples
        --------
        >>> Posting(id="1", posted=datetime(2026, 3, 1)).posted_milliseconds
        1772323200000
        """
        return None if self.posted is None else to_milliseconds(self.posted)

    def to_record(self) -> dict[str, Any]:
        """Return the posting as JSON values under the names of `RECORD_NAMES`; empty fields are left out.

        Returns
        -------
        dict
            ``timestamp`` and ``validThrough`` in milliseconds, ``hashtags`` as a list, ``pay`` as an object,
            unknown fields beside the known ones.

        Examples
        --------
        >>> Posting(id="1", company="Beck", hashtags=["sql"], extra={"salary": "45k"}).to_record()
        {'id': '1', 'companyName': 'Beck', 'hashtags': ['sql'], 'salary': '45k'}
        """
        record: dict[str, Any] = {}
        for name, key in RECORD_NAMES.items():
            value: Any = getattr(self, name)
            if not value:
                continue
            if name in _MOMENTS:
                value = to_milliseconds(value)
            elif name == "hashtags":
                value = list(value)
            elif name == "pay":
                value = value.to_record()
            record[key] = value
        return record | dict(self.extra)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Posting:
        """Return the posting that `to_record` wrote. The exact inverse: nothing is coerced.

        Models of earlier versions know nothing of pay and its end: what their records hold under these two
        names, and is of another type, was an unknown field and stays one.

        Raises
        ------
        PostingError
            When the record lacks an id or a field has the wrong type.

        Examples
        --------
        >>> Posting.from_record({"id": "1", "timestamp": 1772323200000}).posted.date().isoformat()
        '2026-03-01'
        """
        if not isinstance(record, Mapping):
            raise PostingError(f"expected a record with fields, got {type(record).__name__}")
        known = {name: record[key] for name, key in RECORD_NAMES.items() if key in record}
        extra = {key: value for key, value in record.items() if key not in RECORD_KEYS}
        for name, fits in (
            ("valid_through", isinstance(known.get("valid_through"), int)),
            ("pay", is_pay_record(known.get("pay"))),
        ):
            if name in known and not fits:
                value = known.pop(name)
                if value is not None:
                    extra[free_name(f"{RECORD_NAMES[name]}AsWritten", extra)] = value
        for name in _MOMENTS:
            stamp = known.get(name)
            if stamp is None:
                continue
            if isinstance(stamp, bool) or not isinstance(stamp, int):
                raise PostingError(f"{RECORD_NAMES[name]} must be whole milliseconds, got {stamp!r}")
            known[name] = from_milliseconds(stamp)
        if "pay" in known:
            known["pay"] = Pay.from_record(known["pay"])
        known.setdefault("id", "")
        return cls(**known, extra=extra)


class _Draft:
    """A posting being put together: the slots of `Posting`, and no checks."""

    __slots__ = tuple(item.name for item in fields(Posting))

    def __init__(
        self,
        posting_id: str,
        title: str,
        company: str,
        location: str,
        hashtags: tuple[str, ...],
        job_type: str,
        posted: datetime | None,
        valid_through: datetime | None,
        pay: Pay | None,
        summary: str,
        summary_backup: str,
        body: str,
        url: str,
        apply_url: str,
        host: str,
        company_website: str,
        logo_url: str,
        featured: int,
        extra: dict[str, Any],
    ) -> None:
        self.id = posting_id
        self.title = title
        self.company = company
        self.location = location
        self.hashtags = hashtags
        self.job_type = job_type
        self.posted = posted
        self.valid_through = valid_through
        self.pay = pay
        self.summary = summary
        self.summary_backup = summary_backup
        self.body = body
        self.url = url
        self.apply_url = apply_url
        self.host = host
        self.company_website = company_website
        self.logo_url = logo_url
        self.featured = featured
        self.extra = extra


def posting_of_checked(*values: Any) -> Posting:
    """Return a posting of values that are exactly what `Posting` would store; nothing is checked.

    For the reading of millions, by a caller that has made all checks already: four times as fast.

    Parameters
    ----------
    *values
        Every attribute of `Posting`, in the order of its fields.

    Examples
    --------
    >>> posting = Posting(id="1", title="Cook", hashtags=["#Bread"])
    >>> posting_of_checked(*(getattr(posting, item.name) for item in fields(posting))) == posting
    True
    """
    draft: Any = _Draft(*values)
    draft.__class__ = Posting  # the same slots; setting 19 attributes of a frozen class takes far longer
    return draft  # type: ignore[no-any-return]


def free_name(name: str, taken: Container[str]) -> str:
    """Return a name for an unknown field that no other field has: `name`, with underscores if it must be.

    Examples
    --------
    >>> free_name("payAsWritten", {"payAsWritten": "12"})
    'payAsWritten_'
    """
    while name in taken:
        name += "_"
    return name


RECORD_KEYS: Final = frozenset(RECORD_NAMES.values())
_MOMENTS: Final = ("posted", "valid_through")
_TEXT_FIELDS: Final = tuple(
    item.name for item in fields(Posting) if item.type == "str" and item.name not in ("id", "featured")
)
_texts_of: Final = attrgetter(*_TEXT_FIELDS)
_ONLY_TEXT: Final = {str}
