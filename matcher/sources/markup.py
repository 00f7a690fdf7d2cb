"""The text of an advert in a field of a board or a feed: HTML, HTML that was escaped once more, or plain."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from typing import Any, Final

from matcher.text import html_to_text

__all__: Final = ["field_text", "join_texts", "place_text"]

_TAG: Final = re.compile(
    r"</?(?:p|br|div|span|ul|ol|li|b|i|u|em|strong|h[1-6]|a|table|tr|td|th|tbody|section|article|body|html|head"
    r"|script|style|font|hr|pre|code|blockquote|img|dl|dt|dd|small|sup|sub|header|footer|main|template|iframe)"
    r"(?:\s[^<>]*)?/?>|<!--",
    re.IGNORECASE,
)
_ESCAPED_TAG: Final = re.compile(r"&(?:lt|#0*60|#x0*3c);/?[a-z][a-z0-9]*", re.IGNORECASE)
_ENTITY: Final = re.compile(r"&(?:[a-z][a-z0-9]{1,30}|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)


def field_text(value: Any) -> str:
    """Return the plain text of a field that may be HTML, by `matcher.text.html_to_text`.

    Text without tags keeps its lines; entities in it are decoded.

    Raises
    ------
    PostingError
        When elements are nested too deep.

    Examples
    --------
    >>> [field_text(text) for text in ("&lt;p&gt;Bake &amp;amp; clean&lt;/p&gt;", "R&amp;D if a < b", None)]
    ['Bake & clean', 'R&D if a < b', '']
    """
    if not isinstance(value, str):
        return "" if value is None or isinstance(value, (dict, list, bool)) else str(value)
    if not _TAG.search(value) and _ESCAPED_TAG.search(value):
        value = html.unescape(value)
    if _TAG.search(value):
        return html_to_text(value).strip()
    return (html.unescape(value) if _ENTITY.search(value) else value).strip()


def join_texts(values: Iterable[Any], separator: str = ", ") -> str:
    """Return the texts among some values as one, each once; an object counts by its ``name``.

    Examples
    --------
    >>> join_texts(["Cork", None, {"name": "Bern"}, "Cork"])
    'Cork, Bern'
    """
    texts = (value.get("name") if isinstance(value, dict) else value for value in values)
    kept = (text.strip() for text in texts if isinstance(text, str))
    return separator.join(dict.fromkeys(text for text in kept if text))


def place_text(*parts: Any, remote: bool = False) -> str:
    """Return a location as text: its parts, and that the work is remote, behind each of several places.

    Examples
    --------
    >>> place_text("Cork", None, "IE", remote=True), place_text(remote=True)
    ('Cork, IE (remote)', 'remote')
    >>> place_text("Cork; Bern", remote=True)
    'Cork (remote); Bern (remote)'
    """
    text = join_texts(parts)
    if not remote or not text:
        return "remote" if remote else text
    places = text.split("; ")
    return "; ".join(place if "remote" in place.lower() else f"{place} (remote)" for place in places)
