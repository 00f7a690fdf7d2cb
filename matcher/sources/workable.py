"""Postings of a Workable account: the saved answer of its widget or of its interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from matcher.errors import PostingError
from matcher.sources.markup import field_text, join_texts, place_text

__all__: Final = ["is_workable", "read_workable"]

_TEXTS: Final = ("description", "requirements", "benefits")
_READ: Final = frozenset(
    "description requirements benefits published_on created_at published application_url employment_type "
    "type workplace city state country shortcode".split()
)
_STATES: Final = frozenset(("published", "draft", "closed", "archived"))
"""What ``state`` says in the interface; in the widget it is a region."""


def is_workable(record: Mapping[str, Any]) -> bool:
    """Return whether a record is one of the ``jobs`` or ``results`` of a Workable account.

    Examples
    --------
    >>> is_workable({"title": "Cook", "shortcode": "A1B2", "url": "https://example.org/A1B2"})
    True
    """
    return "shortcode" in record and "title" in record


def read_workable(record: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a posting; its id is ``workable:`` and the short code.

    Raises
    ------
    PostingError
        When the board says that the job is not published.

    Examples
    --------
    >>> job = {"shortcode": "A1B2", "title": "Cook", "city": "Cork", "country": "Ireland",
    ...        "telecommuting": True, "description": "<p>Bake.</p>", "requirements": "<ul><li>Calm</li></ul>"}
    >>> fields = read_workable(job, {"name": "Beck"})
    >>> fields["id"], fields["companyName"], fields["location"], fields["body"]
    ('workable:A1B2', 'Beck', 'Cork, Ireland (remote)', 'Bake.\\n\\nCalm')
    """
    place = record.get("location")
    places = record.get("locations")
    several = [place] if isinstance(place, (dict, str)) else places if isinstance(places, list) else []
    region = record.get("state")
    is_state = isinstance(region, str) and region.lower() in _STATES
    if is_state and str(region).lower() != "published":
        raise PostingError(f"the board says {region}: not published")
    if is_state or isinstance(place, dict):
        region = None
    direct = place_text(record.get("city"), region, record.get("country"))
    remote = (
        record.get("telecommuting") is True
        or record.get("remote") is True
        or record.get("workplace") == "remote"
        or (isinstance(place, dict) and place.get("telecommuting") is True)
    )
    published = record.get("published_on") or record.get("published") or record.get("created_at")
    fields: dict[str, Any] = {
        "id": f"workable:{record['shortcode']}",
        "title": record.get("title"),
        "companyName": record.get("company") or join_texts([around.get("name")]),
        "location": place_text(direct or join_texts(map(_place, several), "; "), remote=remote),
        "jobType": record.get("employment_type") or record.get("type"),
        "timestamp": published,
        "body": "\n\n".join(text for key in _TEXTS if (text := field_text(record.get(key)))),
        "url": record.get("url"),
        "applyUrl": record.get("application_url"),
    }
    pay = _pay(record.get("salary"))
    if pay:
        fields["pay"] = pay
    rest = {key: value for key, value in record.items() if key not in _READ and key not in fields}
    if isinstance(rest.get("salary"), dict):
        del rest["salary"]
    if isinstance(record.get("id"), (int, str)):
        rest["workableId"] = record["id"]
    return fields | rest


def _place(place: Any) -> str:
    if not isinstance(place, dict):
        return join_texts([place])
    country = (
        place.get("country")
        or place.get("country_name")
        or place.get("countryCode")
        or place.get("country_code")
    )
    return place_text(
        place.get("city"), place.get("region") or place.get("subregion"), country
    ) or join_texts([place.get("location_str")])


def _pay(salary: Any) -> dict[str, Any] | None:
    if not isinstance(salary, dict):
        return None
    amounts = {"minimum": salary.get("salary_from"), "maximum": salary.get("salary_to")}
    if all(amount is None for amount in amounts.values()):
        return None
    return amounts | {"currency": str(salary.get("salary_currency") or "").upper()}
