"""Postings of a Workable account: the saved answer of its widget or of its interface."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from matcher.sources.markup import field_text, join_texts, place_text

__all__: Final = ["is_workable", "read_workable"]

_TEXTS: Final = ("description", "requirements", "benefits")
_READ: Final = frozenset(
    "description requirements benefits published_on created_at published application_url employment_type "
    "type workplace city state country shortcode".split()
)


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
    direct = place_text(record.get("city"), record.get("state"), record.get("country"))
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
    rest = {key: value for key, value in record.items() if key not in _READ and key not in fields}
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
