"""What others call the fields of a posting: for tables, feeds, and JSON without a format of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from matcher.errors import OptionError
from matcher.places import parse_places
from matcher.posting import RECORD_NAMES, free_name
from matcher.sources.dates import parse_timestamp
from matcher.sources.entry import RawPosting

__all__: Final = [
    "ALIASES",
    "OTHER_NAMES",
    "check_columns",
    "name_fields",
    "names_text",
    "rename_columns",
    "rename_entry",
    "under_our_names",
]

ALIASES: Final[Mapping[str, str]] = {
    "id": "jobid reference referencenumber jobreference requisitionid guid ref",
    "title": "jobtitle positiontitle position role stellenbezeichnung stellentitel jobtitel",
    "companyName": "company employer employername organisation organization hiringorganization "
    "organisationname organizationname advertiser subcompany firma unternehmen arbeitgeber",
    "location": "joblocation locationname place candidaterequiredlocation office arbeitsort standort",
    "hashtags": "tags keywords schlagworte schlagwörter",
    "jobType": "employmenttype contracttype worktype jobtypes",
    "timestamp": "dateposted posteddate posted postedat postedon date publishedat published "
    "veröffentlicht veröffentlichtam datum "
    "publicationdate datepublished publisheddate pubdate createdat listedat created",
    "validThrough": "validuntil expires expirydate expirationdate closingdate deadline "
    "applicationdeadline bewerbungsfrist",
    "summary": "shortdescription excerpt teaser abstract",
    "body": "description jobdescription fulldescription contenthtml contenttext content text advert details "
    "stellenbeschreibung beschreibung",
    "url": "joburl link href permalink jobpostingurl absoluteurl redirecturl",
    "applyUrl": "applicationurl applylink applicationlink",
    "companyWebsite": "companyurl employerurl",
    "logoUrl": "logo companylogo",
    "pay": "salary basesalary salaryrange compensation wage gehalt",
    "location/1": "city town locality ort stadt",
    "location/2": "state region province county bundesland",
    "location/3": "country countrycode land",
    "pay/minimum": "salarymin minsalary minimumsalary salaryfrom payminimum",
    "pay/maximum": "salarymax maxsalary maximumsalary salaryto paymaximum",
    "pay/currency": "salarycurrency currency paycurrency",
    "pay/period": "salaryperiod payperiod salaryinterval",
}
"""Name of a field, or of a part of one -> what else it is called, best first, without case and separators."""

OTHER_NAMES: Final[Mapping[str, str]] = {
    attribute: name for attribute, name in RECORD_NAMES.items() if attribute != name
} | {
    "employer": "companyName",
    "employment_type": "jobType",
    "employmentType": "jobType",
    "date_posted": "timestamp",
    "datePosted": "timestamp",
    "date": "timestamp",
    "link": "url",
    "description": "body",
}
"""What is a field in every format, not only in tables -> that field, best first; see `under_our_names`."""

_SEPARATORS: Final = re.compile(r"[\W_]+")
_RANKS: Final = {
    alias: (rank, name) for name, aliases in ALIASES.items() for rank, alias in enumerate(aliases.split(), 1)
} | {name.lower(): (0, name) for name in RECORD_NAMES.values()}
_KNOWN: Final = frozenset(RECORD_NAMES.values())
_MOMENTS: Final = frozenset(("timestamp", "validThrough"))
_TEXTS: Final = frozenset(("title", "summary", "body"))
_REMOTE: Final = frozenset(
    ("remote", "isremote", "telecommuting", "telecommute", "remotework", "fullyremote")
)
_YES: Final = frozenset(("yes", "y", "true", "1", "remote", "fully remote", "ja"))
_MAY_BE_OBJECTS: Final = frozenset(("companyName", "location"))
_STATES: Final = frozenset(("published", "draft", "closed", "archived", "open", "active", "live"))
"""What a ``state`` may say of a job: then it is no region."""


def check_columns(columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return a mapping of column names to fields.

    Raises
    ------
    OptionError
        When it names a field that no posting has, or one twice.

    Examples
    --------
    >>> check_columns({"Stellenbezeichnung": "title", "Firma": "company"})
    {'Stellenbezeichnung': 'title', 'Firma': 'companyName'}
    >>> check_columns({"Stellenbezeichnung": "titel"})
    Traceback (most recent call last):
    matcher.errors.OptionError: columns: a posting has no field 'titel'; it has id, title, companyName, ...
    """
    checked: dict[str, str] = {}
    for column, given in (columns or {}).items():
        name = RECORD_NAMES.get(given, given)
        if not isinstance(column, str) or name not in _KNOWN:
            raise OptionError(
                f"columns: a posting has no field {given!r}; it has {', '.join(RECORD_NAMES.values())}"
            )
        if name in checked.values():
            raise OptionError(f"columns: the field {name!r} is given twice")
        checked[column] = name
    return checked


def rename_columns(fields: Mapping[str, Any], columns: Mapping[str, str]) -> Mapping[str, Any]:
    """Return fields under the names that `columns` gives them; a field that had the name before is kept.

    Examples
    --------
    >>> rename_columns({"Stelle": "Cook", "title": "K-17"}, {"Stelle": "title"})
    {'title': 'Cook', 'titleAsWritten': 'K-17'}
    """
    given = {columns[key]: value for key, value in fields.items() if key in columns} if columns else {}
    if not given:
        return fields
    for key, value in fields.items():
        if key not in columns:
            given[free_name(f"{key}AsWritten", fields) if key in given else key] = value
    return given


def rename_entry(entry: RawPosting, columns: Mapping[str, str]) -> RawPosting:
    """Return an entry with the fields of `rename_columns`.

    Examples
    --------
    >>> rename_entry(RawPosting({"Stelle": "Cook"}, 1, "a.md"), {"Stelle": "title"}).fields
    {'title': 'Cook'}
    """
    return RawPosting(rename_columns(entry.fields, columns), entry.line, entry.default_id, entry.changes)


def under_our_names(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return fields with those of `OTHER_NAMES` under our names, where ours are absent.

    Only texts that are not empty, and dates that are one, are renamed.

    Raises
    ------
    PostingError
        When a description is HTML nested too deep.

    Examples
    --------
    >>> under_our_names({"title": "Cook", "company": "Beck", "employer": "B", "date": None})
    {'title': 'Cook', 'companyName': 'Beck', 'employer': 'B', 'date': None}
    """
    found: dict[str, str] = {}
    for other, name in OTHER_NAMES.items():
        if other not in fields or name in found.values() or fields.get(name) not in (None, ""):
            continue
        value = fields[other]
        if name in _MOMENTS:
            fits = parse_timestamp(value) is not None
        else:
            fits = isinstance(value, str) and bool(value.strip())
        if fits:
            found[other] = name
    if not found:
        return fields
    ours = set(found.values())
    renamed = {found.get(key, key): value for key, value in fields.items() if key in found or key not in ours}
    if found.get("description") == "body":
        from matcher.sources.markup import field_text

        renamed["body"] = field_text(renamed["body"])
    return renamed


@lru_cache(maxsize=256)
def _plan(keys: tuple[str, ...]) -> dict[str, str]:
    best: dict[str, tuple[int, str]] = {}
    for key in keys:
        rank, name = (-1, key) if key in _KNOWN else _RANKS.get(_SEPARATORS.sub("", key).lower(), (0, ""))
        if name and (name not in best or rank < best[name][0]):
            best[name] = (rank, key)
    return {key: name for name, (_, key) in best.items()}


def names_text(keys: tuple[str, ...]) -> int:
    """Return how many fields of a posting these names stand for; 0 when none is a title or a text.

    Examples
    --------
    >>> names_text(("Job Title", "Employer", "City")), names_text(("city", "country"))
    (3, 0)
    """
    named = _plan(keys)
    return len(named) if _TEXTS.intersection(named.values()) else 0


def name_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields under the names of `matcher.posting.RECORD_NAMES`; what stands for none keeps its name.

    City, region and country become a location when there is none; a country is put behind a location that
    names none, and " (remote)" where a field says so. Amounts, currency and period become pay.

    Examples
    --------
    >>> name_fields({"Job Title": "Cook", "Employer": "Beck", "City": "Cork", "Country": "IE", "A": "b"})
    {'title': 'Cook', 'companyName': 'Beck', 'A': 'b', 'location': 'Cork, IE'}
    """
    plan = _plan(tuple(fields))
    named: dict[str, Any] = {}
    objects: dict[str, Any] = {}
    parts: dict[str, tuple[str, Any]] = {}
    for key, value in fields.items():
        name = plan.get(key, key)
        if name == "location/2" and isinstance(value, str) and value.lower() in _STATES:
            named[key] = value
        elif "/" in name and key in plan:
            parts[name] = (key, value)
        else:
            if key in plan and name not in ("pay", "hashtags") and isinstance(value, list):
                value = _join(value)  # noqa: PLW2901 - several job types are one text
            if key in plan and name in _MAY_BE_OBJECTS and isinstance(value, dict):
                objects[f"{key}AsWritten" if key == name else key] = value
                value = value.get("display_name") or value.get("name")  # noqa: PLW2901 - its text
            named[name] = value
    named |= {key: value for key, value in objects.items() if key not in named}
    _add_country(named, parts)
    place = [parts[name][1] for name in sorted(parts) if name.startswith("location") and parts[name][1]]
    if place and not named.get("location") and all(isinstance(part, str) for part in place):
        named["location"] = ", ".join(dict.fromkeys(part.strip() for part in place))
        parts = {name: part for name, part in parts.items() if not name.startswith("location")}
    pay = {name.removeprefix("pay/"): value for name, (_, value) in parts.items() if value and "pay/" in name}
    if not named.get("pay") and ("minimum" in pay or "maximum" in pay):
        named["pay"] = pay
        parts = {name: part for name, part in parts.items() if not name.startswith("pay")}
    if any(_says_remote(key, value) for key, value in fields.items()):
        _add_remote(named)
    return named | {key: value for key, value in parts.values() if key not in named}


def _add_country(named: dict[str, Any], parts: dict[str, tuple[str, Any]]) -> None:
    """Put the country behind a location that names none."""
    location, (_, country) = named.get("location"), parts.get("location/3", ("", None))
    if not isinstance(location, str) or not isinstance(country, str) or not (location and country.strip()):
        return
    if not any(place.country for place in parse_places(location)):
        named["location"] = f"{location.strip()}, {country.strip()}"
        del parts["location/3"]


def _says_remote(key: str, value: Any) -> bool:
    if value is not True and str(value).strip().lower() not in _YES:
        return False
    return _SEPARATORS.sub("", key).lower() in _REMOTE


def _add_remote(named: dict[str, Any]) -> None:
    from matcher.sources.markup import place_text

    location = named.get("location") or ""
    if isinstance(location, str):
        named["location"] = place_text(location, remote=True)


def _join(value: list[Any]) -> Any:
    return ", ".join(value) if all(isinstance(item, str) for item in value) else value
