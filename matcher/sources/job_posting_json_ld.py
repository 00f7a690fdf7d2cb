"""The ``JobPosting`` of schema.org as JSON-LD: alone, in a graph, or in the scripts of an HTML page."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

from matcher.errors import PostingError
from matcher.sources.entry import LARGEST_POSTING, RawPosting
from matcher.sources.json_lines import parse_object
from matcher.sources.markup import field_text, join_texts, place_text
from matcher.text import decode

__all__: Final = ["is_job_posting", "job_postings_in", "read_html_page", "read_job_posting"]

LARGEST_PAGE: Final = 8 << 20
"""Bytes of an HTML page; most of it is not the posting."""

DEEPEST_GRAPH: Final = 6
_LONGEST_SKILL: Final = 40
_READ: Final = frozenset(
    (
        "@context",
        "@type",
        "@id",
        "identifier",
        "datePosted",
        "employmentType",
        "description",
        "directApply",
        "url",
    )
)
_WRAPPERS: Final = ("@graph", "itemListElement", "item", "mainEntity", "mainEntityOfPage")
_SCRIPT: Final = re.compile(r"<!--|<script\b([^<>]{0,500})>", re.IGNORECASE)
_LINKED_DATA: Final = re.compile(r"application/ld\+json", re.IGNORECASE)
_END: Final = re.compile(r"</script", re.IGNORECASE)
_BEFORE: Final = ("//", "/*", "*/", "<!--", "<![CDATA[")
_BEHIND: Final = ("//", "/*", "*/", "-->", "]]>", ";")


def is_job_posting(record: Mapping[str, Any]) -> bool:
    """Return whether a record says that it is a JobPosting.

    Examples
    --------
    >>> [is_job_posting({"@type": kind}) for kind in (["Thing", "http://schema.org/JobPosting"], "Person")]
    [True, False]
    """
    kinds = record.get("@type")
    return any(
        isinstance(kind, str) and re.split(r"[/:#]", kind)[-1] == "JobPosting"
        for kind in (kinds if isinstance(kinds, list) else [kinds])
    )


def job_postings_in(value: Any, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield the JobPostings in linked data: itself, or those in lists, graphs and lists of items.

    Examples
    --------
    >>> data = {"@graph": [{"@type": "WebPage"}, {"@type": "JobPosting", "title": "Cook"}]}
    >>> [found["title"] for found in job_postings_in(data)]
    ['Cook']
    """
    if depth > DEEPEST_GRAPH:
        return
    if isinstance(value, list):
        for item in value:
            yield from job_postings_in(item, depth + 1)
    elif isinstance(value, Mapping):
        if is_job_posting(value):
            yield value
        else:
            for key in _WRAPPERS:
                if isinstance(value.get(key), (dict, list)):
                    yield from job_postings_in(value[key], depth + 1)


def read_job_posting(record: Mapping[str, Any], around: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a posting.

    Its id is the value of ``identifier`` behind its name or that of the organisation, else ``@id``, else
    ``url``. What is an object in the source stays beside the text made of it, under its own name.

    Examples
    --------
    >>> job = {"@type": "JobPosting", "title": "Cook", "description": "<p>Bake.</p>",
    ...        "hiringOrganization": {"name": "Beck"}, "identifier": {"value": 7},
    ...        "employmentType": ["FULL_TIME"],
    ...        "jobLocation": {"address": {"addressLocality": "Cork", "addressCountry": "IE"}}}
    >>> fields = read_job_posting(job, {})
    >>> fields["id"], fields["companyName"], fields["location"], fields["jobType"], fields["body"]
    ('Beck:7', 'Beck', 'Cork, IE', 'FULL_TIME', 'Bake.')
    """
    del around
    company = record.get("hiringOrganization")
    company_name = join_texts(_listed(company))
    fields: dict[str, Any] = {
        "id": _identifier(record, company_name),
        "title": record.get("title") or record.get("name"),
        "companyName": company_name,
        "location": _location(record),
        "hashtags": _short_texts(record.get("skills")),
        "jobType": join_texts(_listed(record.get("employmentType"))),
        "timestamp": record.get("datePosted"),
        "validThrough": record.get("validThrough"),
        "body": "\n\n".join(_texts(record)),
        "url": _address(record.get("url")),
    }
    if isinstance(company, dict):
        fields["companyWebsite"] = _address(company.get("sameAs") or company.get("url"))
        fields["logoUrl"] = _address(company.get("logo"))
    if record.get("directApply") is not None:
        fields["directApply"] = record["directApply"]
    fields = {key: value for key, value in fields.items() if value not in ("", None, [])}
    rest = {key: value for key, value in record.items() if key not in _READ and key not in fields}
    if isinstance(company, str):
        del rest["hiringOrganization"]
    return fields | rest


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _address(value: Any) -> str:
    """Return a link, which may be text, an object, or the first of several."""
    for item in _listed(value):
        if isinstance(item, dict):
            item = item.get("url") or item.get("contentUrl") or item.get("@id")  # noqa: PLW2901 - its text
        if isinstance(item, str) and item.strip():
            return item.strip()
    return ""


def _identifier(record: Mapping[str, Any], company: str) -> str:
    for identifier in _listed(record.get("identifier")):
        value = identifier.get("value") if isinstance(identifier, dict) else identifier
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip():
            name = identifier.get("name") if isinstance(identifier, dict) else None
            name = (name if isinstance(name, str) else "") or company
            return f"{name.strip()}:{str(value).strip()}".removeprefix(":")
    own = record.get("@id")
    return own.strip() if isinstance(own, str) else ""


def _location(record: Mapping[str, Any]) -> str:
    places = join_texts(map(_place, _listed(record.get("jobLocation"))), "; ")
    kinds = _listed(record.get("jobLocationType"))
    is_remote = any(isinstance(kind, str) and kind.strip().upper() == "TELECOMMUTE" for kind in kinds)
    if is_remote and not places:
        places = join_texts(map(_place, _listed(record.get("applicantLocationRequirements"))), "; ")
    return place_text(places, remote=is_remote)


def _place(place: Any) -> str:
    if not isinstance(place, dict):
        return join_texts([place])
    address = place.get("address", place)
    if isinstance(address, list):
        return join_texts(map(_place, address), "; ")
    if not isinstance(address, dict):
        return join_texts([address])
    parts = (address.get(part) for part in ("addressLocality", "addressRegion", "addressCountry"))
    return place_text(*parts) or join_texts([address, place])


def _texts(record: Mapping[str, Any]) -> Iterator[str]:
    for key in ("description", "responsibilities", "qualifications", "experienceRequirements", "skills"):
        value = record.get(key)
        if key not in {"description", "skills"} and "description" in record:
            continue  # search engines ask for all of it in the description
        if key == "skills" and _short_texts(value):
            continue
        text = "\n".join(filter(None, map(field_text, _listed(value))))
        if text:
            yield text


def _short_texts(skills: Any) -> list[str]:
    """Return skills that are names, not sentences."""
    items = skills.split(",") if isinstance(skills, str) else _listed(skills)
    names = [item.get("name") if isinstance(item, dict) else item for item in items]
    texts = [name.strip() for name in names if isinstance(name, str) and name.strip()]
    return texts if all(len(text) <= _LONGEST_SKILL and "<" not in text for text in texts) else []


def read_html_page(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    """Yield the JobPostings in the JSON-LD of an HTML page.

    Comment and CDATA signs around the JSON do not matter, and line ends within texts are read. A script that
    is no JSON is rejected with its line, and the other scripts are read.

    Parameters
    ----------
    stream : binary file
    name : str
        Path of the page; a posting without identifier and url gets ``name:line``.

    Yields
    ------
    RawPosting or PostingError

    Examples
    --------
    >>> import io
    >>> page = b'<script type="application/ld+json">{"@type": "JobPosting", "title": "Cook"}</script>'
    >>> [entry.fields for entry in read_html_page(io.BytesIO(page), "cook.html")]
    [{'title': 'Cook'}]
    """
    data = stream.read(LARGEST_PAGE + 1)
    if len(data) > LARGEST_PAGE:
        yield PostingError(f"a page of more than {LARGEST_PAGE >> 20} MB: not a posting", line=1)
        return
    try:
        page, encoding = decode(data)
    except PostingError as error:
        yield PostingError(error.reason, line=1)
        return
    found = False
    line, counted = 1, 0
    for position, script in _scripts(page):
        line, counted = line + page.count("\n", counted, position), position
        for entry in _read_script(script, name, line):
            found = True
            if isinstance(entry, RawPosting) and encoding != "utf-8":
                entry.changes.append(f"not UTF-8: read as {encoding}")
            yield entry
    if not found:
        yield PostingError("no JobPosting in this page: save the page of one job, or its text as .md", line=1)


def _scripts(page: str) -> Iterator[tuple[int, str]]:
    position, comments_end = 0, True
    while found := _SCRIPT.search(page, position):
        position = found.end()
        if found[1] is None:  # a comment; one that does not end is none
            end = page.find("-->", position) if comments_end else -1
            comments_end = end >= 0
            position = max(position, end)
            continue
        end_tag = _END.search(page, position)
        end = end_tag.start() if end_tag else len(page)
        if _LINKED_DATA.search(found[1]):
            yield position, page[position:end]
        position = end


def _read_script(script: str, name: str, line: int) -> Iterator[RawPosting | PostingError]:
    if "JobPosting" not in script:
        return
    if len(script) > LARGEST_POSTING:
        yield PostingError(f"a script of more than {LARGEST_POSTING:,} characters: not a posting", line=line)
        return
    text = _strip_cover(script)
    line += script.count("\n", 0, script.find(text[:1]) if text else 0)
    changes: list[str] = []
    try:
        json.loads(text)
    except RecursionError:
        yield PostingError("JSON is nested too deep: flatten it", line=line)
        return
    except ValueError:
        text, changes = _escape_line_ends(text), ["line ends within the texts of the JSON read as such"]
    entry = parse_object(b'{"@graph":' + text.encode("utf-8", "replace") + b"}", name, line)
    if isinstance(entry, PostingError):
        yield PostingError(f"JSON-LD that cannot be read: {entry.reason}", line=entry.line)
        return
    for number, found in enumerate(job_postings_in(entry.fields)):
        place = f"{name}:{line}" + (f"#{number + 1}" if number else "")
        try:
            yield RawPosting(read_job_posting(found, {}), line, place, entry.changes + changes)
        except PostingError as error:
            yield PostingError(error.reason, line=line)


def _strip_cover(script: str) -> str:
    start, end = 0, len(script)
    while True:
        before = start, end
        while start < end and script[start].isspace():
            start += 1
        while start < end and script[end - 1].isspace():
            end -= 1
        start += next((len(sign) for sign in _BEFORE if script.startswith(sign, start, end)), 0)
        end -= next((len(sign) for sign in _BEHIND if script.endswith(sign, start, end)), 0)
        if (start, end) == before:
            return script[start:end]


def _escape_line_ends(text: str) -> str:
    """Escape control characters within the strings of JSON, where careless pages leave them."""
    parts = re.split(r'("(?:[^"\\]++|\\.)*+(?:"|\Z))', text, flags=re.DOTALL)
    parts[1::2] = [
        re.sub(r"[\x00-\x1f]", lambda sign: f"\\u{ord(sign[0]):04x}", part.replace("\\\n", "\\n"))
        for part in parts[1::2]
    ]
    return "".join(parts)
