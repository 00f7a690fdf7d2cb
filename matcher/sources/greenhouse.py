"""Postings of a Greenhouse job board: the saved answer of ``/v1/boards/NAME/jobs?content=true``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from matcher.sources.markup import field_text, join_texts

__all__: Final = ["is_greenhouse", "read_greenhouse"]

_READ: Final = ("title", "location", "content", "absolute_url", "company_name", "first_published")


def is_greenhouse(record: Mapping[str, Any]) -> bool:
    """Return whether a record is one of the ``jobs`` of a Greenhouse board.

    Examples
    --------
    >>> is_greenhouse({"title": "Cook", "absolute_url": "https://example.org/1", "content": ""})
    True
    """
    return "absolute_url" in record and ("content" in record or isinstance(record.get("location"), dict))


def read_greenhouse(record: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a posting; its id is ``greenhouse:`` and the number of the job post.

    Examples
    --------
    >>> job = {"id": 7, "title": "Cook", "absolute_url": "https://example.org/7", "location": {},
    ...        "content": "&lt;p&gt;Bake.&lt;/p&gt;", "updated_at": "2026-03-01T09:00:00-05:00"}
    >>> read_greenhouse(job, {})["body"]
    'Bake.'
    """
    location = record.get("location")
    fields: dict[str, Any] = {
        "id": f"greenhouse:{record['id']}" if isinstance(record.get("id"), (int, str)) else "",
        "title": record.get("title"),
        "companyName": record.get("company_name")
        or join_texts([around.get("company_name"), around.get("name")]),
        "location": join_texts([location]) if isinstance(location, dict) else location,
        "timestamp": record.get("first_published") or record.get("updated_at"),
        "body": field_text(record.get("content")),
        "url": record.get("absolute_url"),
    }
    if "application_deadline" in record:
        fields["validThrough"] = record["application_deadline"]
    return fields | {key: value for key, value in record.items() if key not in _READ and key not in fields}
