"""Postings of a Lever job site: the saved answer of ``/v0/postings/NAME?mode=json``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from matcher.sources.markup import field_text, join_texts, place_text

__all__: Final = ["is_lever", "read_lever"]

_READ: Final = frozenset(
    "text createdAt hostedUrl description descriptionPlain descriptionBody descriptionBodyPlain opening "
    "openingPlain lists additional additionalPlain salaryRange".split()
)


def is_lever(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a posting of a Lever site.

    Examples
    --------
    >>> is_lever({"id": "a", "text": "Cook", "categories": {"location": "Cork"}, "hostedUrl": "https://example.org"})
    True
    """
    return isinstance(record.get("categories"), dict) and "text" in record and "title" not in record


def read_lever(record: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a posting; its id is ``lever:`` and the id of the site.

    Examples
    --------
    >>> job = {"id": "a-1", "text": "Cook", "categories": {"location": "Cork", "commitment": "Full-time"},
    ...        "descriptionPlain": "We bake.", "workplaceType": "remote",
    ...        "lists": [{"text": "You will", "content": "<li>bake</li><li>clean</li>"}]}
    >>> fields = read_lever(job, {})
    >>> fields["location"], fields["jobType"], fields["body"]
    ('Cork (remote)', 'Full-time', 'We bake.\\n\\nYou will\\nbake\\nclean')
    """
    categories = record["categories"]
    places = categories.get("allLocations")
    fields: dict[str, Any] = {
        "id": f"lever:{record['id']}" if isinstance(record.get("id"), (int, str)) else "",
        "title": record["text"],
        "companyName": join_texts([around.get("company"), around.get("name")]),
        "location": place_text(
            join_texts([categories.get("location"), *(places if isinstance(places, list) else [])], "; "),
            remote=record.get("workplaceType") == "remote",
        ),
        "jobType": categories.get("commitment"),
        "timestamp": record.get("createdAt"),
        "body": _read_body(record),
        "url": record.get("hostedUrl"),
    }
    pay = record.get("salaryRange")
    if isinstance(pay, dict):
        fields["pay"] = {
            "minimum": pay.get("min"),
            "maximum": pay.get("max"),
            "currency": pay.get("currency") or "",
            "period": pay.get("interval") or "",
        }
    return fields | {key: value for key, value in record.items() if key not in _READ and key not in fields}


def _read_body(record: Mapping[str, Any]) -> str:
    parts = [field_text(record.get("descriptionPlain") or record.get("description"))]
    if not parts[0]:
        for plain, marked in (("openingPlain", "opening"), ("descriptionBodyPlain", "descriptionBody")):
            parts.append(field_text(record.get(plain) or record.get(marked)))
    lists = record.get("lists")
    for item in lists if isinstance(lists, list) else []:
        if isinstance(item, dict):
            parts.append(f"{field_text(item.get('text'))}\n{field_text(item.get('content'))}".strip())
    parts.append(field_text(record.get("additionalPlain") or record.get("additional")))
    return "\n\n".join(part for part in parts if part)
