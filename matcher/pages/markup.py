"""HTML and SVG that are safe by construction: whatever is not markup already is escaped."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable
from typing import Final

from matcher.terminal import printable

__all__: Final = ["Markup", "cut", "escape", "fit", "join", "show", "tag"]

_EMPTY: Final = frozenset({"circle", "line", "meta", "path", "rect"})
"""Elements without content; the slash that SVG needs means nothing to HTML."""


class Markup(str):
    """Text that is HTML or SVG already. Only this module makes it from anything that is not a literal.

    Examples
    --------
    >>> tag("p", Markup("<b>yes</b>"), "<b>no</b>")
    '<p><b>yes</b>&lt;b&gt;no&lt;/b&gt;</p>'
    """

    __slots__ = ()


def escape(text: str) -> Markup:
    r"""Return text as markup that shows it, without characters that steer or turn the direction of writing.

    Examples
    --------
    >>> escape('<script>"\u202e\x00')
    '&lt;script&gt;&quot;'
    """
    return text if isinstance(text, Markup) else Markup(html.escape(printable(text), quote=True))


def tag(element: str, /, *content: str, **attributes: str | float) -> Markup:
    """Return an element.

    Parameters
    ----------
    element : str
    *content : str
        Escaped unless it is `Markup`.
    **attributes : str or float
        An underscore at the end of a name vanishes, others become hyphens. Numbers have at most two decimals.

    Examples
    --------
    >>> tag("td", "a & b", class_="n", aria_label='"x"')
    '<td class="n" aria-label="&quot;x&quot;">a &amp; b</td>'
    >>> tag("rect", x=1.0, width=2.345)
    '<rect x="1" width="2.35"/>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"' for key, value in attributes.items()
    )
    if element in _EMPTY:
        return Markup(f"<{element}{written}/>")
    return Markup(f"<{element}{written}>{join(content)}</{element}>")


def _attribute(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else f"{round(value, 2) + 0.0:.6g}"


def join(parts: Iterable[str], separator: str = "") -> Markup:
    """Return several pieces as one, escaped unless they are `Markup`.

    Examples
    --------
    >>> join([tag("b", "x"), "y"], " & ")
    '<b>x</b> &amp; y'
    """
    return Markup(escape(separator).join(map(escape, parts)))


def cut(text: str, limit: int = 160) -> str:
    """Return text that may come from anywhere with at most so many characters, and never empty.

    Examples
    --------
    >>> cut("Cook and baker", 6), cut("")
    ('Cook …', '(empty)')
    """
    text = printable(text[: 4 * limit]).strip() or "(empty)"
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def show(text: str, limit: int = 160) -> Markup:
    """Return what came from a posting or a file: cut, and apart from its surroundings in its direction.

    Examples
    --------
    >>> show("Cook <3", limit=6)
    '<bdi>Cook …</bdi>'
    """
    return tag("bdi", cut(text, limit))


def fit(text: str, columns: int) -> str:
    """Return text cut to so many columns, wide characters taking two.

    Examples
    --------
    >>> fit("machine learning", 8), fit("調理師", 5), fit("cook", 8)
    ('machine…', '調理…', 'cook')
    """
    text = printable(text[: 8 * columns]).strip() or "(empty)"
    widths = [_columns(char) for char in text]
    if sum(widths) <= columns:
        return text
    taken, kept = 1, 0  # one column for the ellipsis
    while taken + widths[kept] <= columns:
        taken += widths[kept]
        kept += 1
    return f"{text[:kept]}…"


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
