"""The frame and the pieces of a page of HTML that needs nothing beside it: style sheet, tables, figures.

The content security policy allows the page's own style sheet, by its hash, and nothing else: no script, no
picture, no font, no form, nothing from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from matcher.pages.markup import Markup, cut, show, tag

__all__: Final = ["assemble", "figure", "fold", "pair", "section", "table"]

_STYLE: Final = """
:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --card: #ffffff; --ink: #1d2329; --muted: #5b6570; --rule: #d9dde1; --grid: #e8ebee;
  --up: #1f6fb2; --down: #b4540a; --even: #8a939c; --good: #1d7044; --bad: #a4262c; --shade: #b4540a14;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1c2025; --ink: #e6e9ec; --muted: #a0a9b2; --rule: #363d45; --grid: #2a3037;
    --up: #6db3f2; --down: #f0a35e; --even: #7d8791; --good: #6fce9b; --bad: #ff8f8a; --shade: #f0a35e1f;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 76rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.75rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--rule); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
p { margin: .4rem 0 .8rem; max-width: 46rem; }
.muted, small, caption, figcaption { color: var(--muted); }
.verdict { border-left: .35rem solid var(--good); background: var(--card); }
.verdict { padding: .6rem 1rem; margin: 1rem 0; }
.verdict.no { border-color: var(--bad); }
.verdict p { margin: .15rem 0; max-width: none; overflow-wrap: anywhere; }
.facts { display: grid; gap: .75rem; margin: 0; }
.facts { grid-template-columns: repeat(auto-fit, minmax(10.5rem, 1fr)); }
.facts div { background: var(--card); border: 1px solid var(--rule); }
.facts div { border-radius: .4rem; padding: .6rem .9rem; }
.facts dt { color: var(--muted); font-size: .875rem; }
.facts dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.facts dd small { display: block; font-size: .8125rem; }
.pair { display: grid; gap: 1rem 2.5rem; align-items: start; }
.pair { grid-template-columns: minmax(0, 27rem) minmax(0, 1fr); }
.lists { display: grid; gap: 0 2.5rem; }
.lists { grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); }
@media (max-width: 56rem) { .pair { grid-template-columns: minmax(0, 1fr); } }
figure { margin: 0; max-width: 30rem; }
figcaption { font-size: .875rem; margin-top: .35rem; }
svg { display: block; width: 100%; height: auto; font: 13px system-ui, sans-serif; }
svg text { fill: var(--ink); }
svg .muted, svg .number { fill: var(--muted); }
svg .number { font-size: 12px; font-variant-numeric: tabular-nums; }
svg rect.up, svg .dot { fill: var(--up); }
svg rect.down { fill: var(--down); }
svg rect.even { fill: var(--even); }
svg rect.below { fill: var(--shade); }
svg .axis { stroke: var(--muted); }
svg .grid { stroke: var(--grid); }
svg .stem { stroke: var(--up); stroke-width: 2; }
svg .stem.down { stroke: var(--down); }
svg .ring { fill: var(--paper); stroke: var(--muted); stroke-width: 2; }
svg .mean { stroke: var(--ink); }
svg .bound { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 5 3; }
svg .bound-label { fill: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; margin: 0 0 1rem; }
caption { text-align: start; font-size: .875rem; padding: 0 0 .35rem; }
th, td { text-align: start; vertical-align: top; border-top: 1px solid var(--rule); }
th, td { padding: .3rem .75rem .3rem 0; overflow-wrap: anywhere; }
th:last-child, td:last-child { padding-right: 0; }
thead th { font-weight: 600; border-top: 0; white-space: nowrap; }
tbody th { font-weight: 500; min-width: 6.75rem; }
td.n, th.n { text-align: end; white-space: nowrap; font-variant-numeric: tabular-nums; }
td small, th small { display: block; font-weight: 400; }
ul { margin: 0; padding: 0; list-style: none; font-size: .9rem; }
td ul { font-size: 1em; }
li { padding: .15rem 0; overflow-wrap: anywhere; }
li small { display: block; }
summary { cursor: pointer; color: var(--muted); }
.lists > details { padding: .4rem 0; }
@media print {
  :root {
    color-scheme: light;
    --paper: #fff; --card: #fff; --ink: #000; --muted: #444; --rule: #bbb; --grid: #ddd;
    --up: #1f6fb2; --down: #b4540a; --even: #8a939c; --good: #1d7044; --bad: #a4262c; --shade: #b4540a14;
  }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { font-size: 10pt; }
  main { max-width: none; padding: 0; }
  figure, tr, .verdict { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""


def assemble(title: str, *content: str) -> str:
    """Return a whole page, to be written as UTF-8.

    Examples
    --------
    >>> page = assemble("Drift", tag("p", "1 < 2"))
    >>> page.startswith("<!DOCTYPE html>"), "<p>1 &lt; 2</p>" in page
    (True, True)
    """
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", cut(title)),
        tag("style", Markup(_STYLE)),
    )
    body = tag("body", tag("main", tag("h1", show(title)), *content))
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def section(heading: str, *content: str) -> Markup:
    """Return a part of a page with its heading.

    Examples
    --------
    >>> section("Terms", tag("p", "None."))
    '<section><h2>Terms</h2><p>None.</p></section>'
    """
    return tag("section", tag("h2", heading), *content)


def table(
    caption: str, headings: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()
) -> Markup:
    """Return a table that scrolls when it must; the first cell of a row is its heading.

    Parameters
    ----------
    caption : str
    headings : sequence of str
    rows : iterable of sequence of str
    numbers : sequence of int
        Which columns hold numbers.

    Examples
    --------
    >>> '<td class="n">3</td>' in table("Terms", ("Term", "Postings"), [("bread", "3")], numbers=(1,))
    True
    """
    kinds = [{"class_": "n"} if place in numbers else {} for place in range(len(headings))]
    head = [tag("th", heading, scope="col", **kind) for heading, kind in zip(headings, kinds, strict=True)]
    body = [
        tag(
            "tr",
            tag("th", row[0], scope="row"),
            *(tag("td", content, **kind) for content, kind in zip(row[1:], kinds[1:], strict=True)),
        )
        for row in rows
    ]
    whole = tag("table", tag("caption", caption), tag("thead", tag("tr", *head)), tag("tbody", *body))
    return tag("div", whole, class_="scroll", tabindex="0", role="region", aria_label=caption)


def figure(plot: Markup, caption: str) -> Markup:
    """Return a plot with its caption.

    Examples
    --------
    >>> figure(Markup("<svg></svg>"), "Nothing.")
    '<figure><svg></svg><figcaption>Nothing.</figcaption></figure>'
    """
    return tag("figure", plot, tag("figcaption", caption))


def fold(summary: str, *content: str) -> Markup:
    """Return something that is shown when its summary is clicked, and on paper.

    Examples
    --------
    >>> fold("2 more", tag("p", "a"))
    '<details><summary>2 more</summary><p>a</p></details>'
    """
    return tag("details", tag("summary", summary), *content)


def pair(left: Markup, right: Markup) -> Markup:
    """Return two things beside each other where there is room, else below each other.

    Examples
    --------
    >>> pair(tag("p", "a"), tag("p", "b"))
    '<div class="pair"><p>a</p><p>b</p></div>'
    """
    return tag("div", left, right, class_="pair")
