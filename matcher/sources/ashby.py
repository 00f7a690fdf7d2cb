"""Postings of an Ashby job board: the saved answer of ``/posting-api/job-board/NAME``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from matcher.errors import PostingError
from matcher.sources.markup import field_text, join_texts, place_text

__all__: Final = ["is_ashby", "read_ashby"]

_READ: Final = ("publishedAt", "employmentType", "descriptionHtml", "descriptionPlain", "jobUrl")
_ADDRESS: Final = ("addressLocality", "addressRegion", "addressCountry")


def is_ashby(record: Mapping[str, Any]) -> bool:
    """Return whether a record is one of the ``jobs`` of an Ashby board.

    Examples
    --------
    >>> is_ashby({"title": "Cook", "jobUrl": "https://example.org/1", "descriptionPlain": "Bake."})
    True
    """
    return "jobUrl" in record and ("descriptionPlain" in record or "descriptionHtml" in record)


def read_ashby(record: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a posting; its id is ``ashby:`` and the id of the board, else its address.

    ``isRemote`` speaks of the first place, a ``workplaceType`` of all.

    Raises
    ------
    PostingError
        When the board says that the job is not listed.

    Examples
    --------
    >>> job = {"id": "a-1", "title": "Cook", "location": "Cork", "secondaryLocations": [{"location": "Bern"}],
    ...        "isRemote": True, "jobUrl": "https://example.org/1", "descriptionHtml": "<p>Bake.</p>"}
    >>> fields = read_ashby(job, {})
    >>> fields["id"], fields["location"], fields["body"]
    ('ashby:a-1', 'Cork (remote); Bern', 'Bake.')
    """
    if record.get("isListed") is False:
        raise PostingError("the board says that this job is not listed (isListed: false)")
    others = record.get("secondaryLocations")
    first = place_text(_place(record), remote=record.get("isRemote") is True)
    fields: dict[str, Any] = {
        "id": f"ashby:{record['id']}" if isinstance(record.get("id"), (int, str)) else "",
        "title": record.get("title"),
        "companyName": join_texts([around.get("organizationName"), around.get("name")]),
        "location": place_text(
            join_texts([first, *map(_place, others if isinstance(others, list) else [])], "; "),
            remote=record.get("workplaceType") == "Remote",
        ),
        "jobType": record.get("employmentType"),
        "timestamp": record.get("publishedAt"),
        "body": field_text(record.get("descriptionHtml") or record.get("descriptionPlain")),
        "url": record.get("jobUrl"),
    }
    pay = _pay(record.get("compensation"))
    if pay:
        fields["pay"] = pay
    return fields | {key: value for key, value in record.items() if key not in _READ and key not in fields}


def _place(record: Any) -> str:
    """Return the parts of the address when there are any, else the text."""
    if not isinstance(record, dict):
        return ""
    address = record.get("address")
    address = address.get("postalAddress", address) if isinstance(address, dict) else {}
    parts = [address.get(part) for part in _ADDRESS] if isinstance(address, dict) else []
    return place_text(*parts) or join_texts([record.get("location")])


def _pay(compensation: Any) -> dict[str, Any] | None:
    if not isinstance(compensation, dict):
        return None
    parts = compensation.get("summaryComponents")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict) and part.get("compensationType") == "Salary":
            return {
                "minimum": part.get("minValue"),
                "maximum": part.get("maxValue"),
                "currency": part.get("currencyCode") or "",
                "period": str(part.get("interval") or "").removeprefix("1 ").lower(),
            }
    return None
