"""Plots as inline SVG: bars, diverging bars, a histogram, dots on a scale. No script, no style attributes.

Colours and fonts are classes; `matcher.pages.drift_page` has the style sheet. Every plot has a title and a
description for those who do not see it, and is narrow enough to be read on a telephone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from matcher.pages.markup import Markup, fit, tag

__all__: Final = ["Dots", "draw_bars", "draw_diverging", "draw_dots", "draw_histogram", "number"]

WIDTH: Final = 420
_ROW: Final = 24
_BAR: Final = 14
_LABEL: Final = 150
"""Room for labels at the left."""


def number(value: float, digits: int = 2, *, sign: bool = False) -> str:
    """Return a number as text with a true minus sign.

    Examples
    --------
    >>> number(-0.5), number(0.25, sign=True), number(12345, 0)
    ('−0.50', '+0.25', '12,345')
    """
    text = f"{abs(value):,.{digits}f}"
    if not text.strip("0.,"):
        return text
    return f"{'−' if value < 0 else '+' if sign else ''}{text}"


def _draw(key: str, title: str, description: str, height: float, shapes: Sequence[Markup]) -> Markup:
    return tag(
        "svg",
        tag("title", title, id=f"{key}-title"),
        tag("desc", description, id=f"{key}-desc"),
        *shapes,
        viewBox=f"0 0 {WIDTH} {height:.0f}",
        role="img",
        aria_labelledby=f"{key}-title {key}-desc",
    )


def _text(x: float, y: float, text: str, class_: str = "", anchor: str = "start") -> Markup:
    return tag("text", text, x=x, y=y, class_=class_, text_anchor=anchor)


def draw_bars(key: str, title: str, rows: Sequence[tuple[str, int, str]]) -> Markup:
    """Return horizontal bars with their numbers.

    Parameters
    ----------
    key : str
        Makes the ids of the plot; another one for every plot of a page.
    title : str
    rows : sequence of (label, number, class)
        Numbers are at least 0.

    Examples
    --------
    >>> "1,000" in draw_bars("changes", "Changes", [("added", 1000, "up"), ("removed", 20, "down")])
    True
    """
    left, room = 80, WIDTH - 80 - 70
    largest = max([1, *(count for _, count, _ in rows)])
    shapes = []
    for place, (label, count, class_) in enumerate(rows):
        top = place * _ROW + 4
        # A bar that stands for something is seen.
        length = max(2.0, room * count / largest) if count else 0.0
        shapes += [
            _text(left - 8, top + 12, fit(label, 10), anchor="end"),
            tag("rect", x=left, y=top, width=length, height=_BAR + 2, class_=class_),
            _text(left + length + 6, top + 12, f"{count:,}", "number"),
        ]
    height = len(rows) * _ROW + 6
    shapes.append(tag("line", x1=left, x2=left, y1=0, y2=height, class_="axis"))
    described = ", ".join(f"{label} {count:,}" for label, count, _ in rows)
    return _draw(key, title, f"Bars: {described}.", height, shapes)


def draw_diverging(key: str, title: str, rows: Sequence[tuple[str, float]]) -> Markup:
    """Return bars to the right for numbers above 0 and to the left for those below; labels opposite.

    Examples
    --------
    >>> plot = draw_diverging("terms", "Terms", [("bread", 20.0), ("fax", -12.5)])
    >>> "−12.5" in plot, plot.count("<rect")
    (True, 2)
    """
    middle, room = WIDTH / 2, WIDTH / 2 - 52
    largest = max([1e-9, *(abs(value) for _, value in rows)])
    shapes = []
    for place, (label, value) in enumerate(rows):
        top = place * _ROW + 4
        length = max(2.0, room * abs(value) / largest)
        side = 1 if value >= 0 else -1
        shapes += [
            _text(middle - 8 * side, top + 12, fit(label, 24), "term", "end" if side > 0 else "start"),
            tag(
                "rect",
                x=middle if side > 0 else middle - length,
                y=top,
                width=length,
                height=_BAR + 2,
                class_="up" if side > 0 else "down",
            ),
            _text(
                middle + side * (length + 5),
                top + 12,
                number(value, 1, sign=True),
                "number",
                "start" if side > 0 else "end",
            ),
        ]
    height = len(rows) * _ROW + 6
    shapes.append(tag("line", x1=middle, x2=middle, y1=0, y2=height, class_="axis"))
    up = sum(value >= 0 for _, value in rows)
    return _draw(
        key,
        title,
        f"{up} bars to the right for rising, {len(rows) - up} to the left for dying.",
        height,
        shapes,
    )


def draw_histogram(
    key: str, title: str, edges: Sequence[float], counts: Sequence[int], *, axis: str, unit: str
) -> Markup:
    """Return a histogram with square roots as heights, so that small bins are seen beside large ones.

    The outer bins are taken to hold what lies beyond them. Source of the scale: Tukey, Exploratory Data
    Analysis, 1977, chapter 17 ("rootograms").

    Parameters
    ----------
    key, title : str
    edges : sequence of float
        Ascending, one more than there are bins.
    counts : sequence of int
    axis, unit : str
        What the axis shows, and what is counted.

    Examples
    --------
    >>> plot = draw_histogram("idf", "Shift", [-1.0, 0.0, 1.0], [3, 5], axis="shift", unit="terms")
    >>> plot.count("<rect")
    2
    """
    top, base, left, right = 24.0, 190.0, 12.0, WIDTH - 12.0
    largest = max([1, *counts])
    low, high = edges[0], edges[-1]

    def across(value: float) -> float:
        return left + (right - left) * (value - low) / (high - low)

    digits = max(2, 1 - math.floor(math.log10(high - low)))
    shapes = []
    for count, begin, end in zip(counts, edges[:-1], edges[1:], strict=True):
        if not count:
            continue
        height = max(1.5, (base - top) * math.sqrt(count / largest))
        middle = (begin + end) / 2
        class_ = "even" if abs(middle) < (end - begin) / 4 else "up"
        tip = f"{number(begin, digits + 1)} to {number(end, digits + 1)}: {count:,} {unit}"
        shapes.append(
            tag(
                "g",
                tag("title", tip),
                tag(
                    "rect",
                    x=across(begin) + 0.75,
                    y=base - height,
                    width=across(end) - across(begin) - 1.5,
                    height=height,
                    class_=class_,
                ),
            )
        )
        if count == largest:
            shapes.append(_text(across(middle), base - height - 6, f"{count:,} {unit}", "number", "middle"))
    shapes.append(tag("line", x1=left, x2=right, y1=base, y2=base, class_="axis"))
    ticks = (
        (low, f"≤ {number(low, digits)}", "start"),
        (0.0, "0", "middle"),
        (high, f"≥ {number(high, digits)}", "end"),
    )
    for value, text, anchor in ticks:
        shapes.append(tag("line", x1=across(value), x2=across(value), y1=base, y2=base + 5, class_="axis"))
        shapes.append(_text(across(value), base + 19, text, "number", anchor))
    shapes.append(_text(WIDTH / 2, base + 38, axis, "muted", "middle"))
    peak = max(range(len(counts)), key=counts.__getitem__, default=0)
    description = (
        f"Histogram of {sum(counts):,} {unit} from {number(low, digits)} to {number(high, digits)}; most of "
        f"them from {number(edges[peak], digits + 1)} to {number(edges[peak + 1], digits + 1)}."
    )
    return _draw(key, title, description, base + 46, shapes)


class Dots(NamedTuple):
    """A row of a plot of dots: a value from 0 to 1, perhaps one before; None where there is none.

    Examples
    --------
    >>> Dots("chef.md", None, 0.5).before is None
    True
    """

    label: str
    before: float | None
    now: float | None


def draw_dots(
    key: str,
    title: str,
    rows: Sequence[Dots],
    *,
    axis: str,
    mean: float | None = None,
    bound: float | None = None,
    paired: bool = False,
) -> Markup:
    """Return dots on a scale from 0 to 1, with the mean and a bound on it as lines.

    Parameters
    ----------
    key, title : str
    rows : sequence of Dots
    axis : str
        What the scale shows.
    mean, bound : float, optional
        Of all rows; the least it may be.
    paired : bool
        Whether rows have a value before, drawn as a ring.

    Examples
    --------
    >>> plot = draw_dots("rbo", "Overlap", [Dots("chef.md", None, 0.5)], axis="overlap", mean=0.5, bound=0.8)
    >>> "gate 0.8" in plot, plot.count("<circle")
    (True, 1)
    """
    left, right, top = _LABEL, WIDTH - 46.0, 26.0
    base = top + len(rows) * _ROW

    def across(value: float) -> float:
        return left + (right - left) * min(1.0, max(0.0, value))

    shapes = []
    if bound is not None:
        shapes.append(
            tag("rect", x=left, y=top, width=across(bound) - left, height=base - top, class_="below")
        )
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        shapes.append(tag("line", x1=across(tick), x2=across(tick), y1=top, y2=base, class_="grid"))
        shapes.append(_text(across(tick), base + 16, f"{tick:g}", "number", "middle"))
    if mean is not None:
        shapes.append(tag("line", x1=across(mean), x2=across(mean), y1=top, y2=base, class_="mean"))
    for place, row in enumerate(rows):
        middle = top + place * _ROW + _ROW / 2
        shapes.append(_text(left - 10, middle + 4.5, fit(row.label, 18), "term", "end"))
        shapes += _draw_row(row, middle, across, paired=paired)
    if bound is not None:
        shapes.append(tag("line", x1=across(bound), x2=across(bound), y1=top - 4, y2=base, class_="bound"))
        shapes.append(_over(across(bound), top - 10, f"gate {bound:.4g}", "bound-label"))
    if mean is not None:
        shapes.append(_over(across(mean), base + 34, f"mean {number(mean)}", "mean-label"))
    shapes.append(_text(left - 10, base + 16, axis, "muted", "end"))
    known = [row.now for row in rows if row.now is not None]
    description = f"{len(rows)} rows on a scale from 0 to 1"
    if known:
        description += f", from {number(min(known))} to {number(max(known))}"
    if mean is not None:
        description += f", mean {number(mean)}"
    if bound is not None:
        description += f"; the mean must be at least {bound:.4g}"
    return _draw(key, title, f"{description}.", base + (22 if mean is None else 40), shapes)


def _draw_row(row: Dots, y: float, across: Callable[[float], float], *, paired: bool) -> list[Markup]:
    shapes = []
    start = row.before if paired else 0.0
    if row.now is not None and start is not None:
        class_ = "stem down" if paired and row.now < start else "stem up"
        shapes.append(tag("line", x1=across(start), x2=across(row.now), y1=y, y2=y, class_=class_))
    if row.before is not None:
        shapes.append(tag("circle", cx=across(row.before), cy=y, r=4.5, class_="ring"))
    if row.now is None:
        return [*shapes, _text(WIDTH, y + 4.5, "–", "muted", "end")]
    dot = tag("circle", cx=across(row.now), cy=y, r=5, class_="dot")
    return [*shapes, dot, _text(WIDTH, y + 4.5, number(row.now), "number", "end")]


def _over(x: float, y: float, text: str, class_: str) -> Markup:
    """Return a label at a vertical line that stays inside the picture."""
    room = 4.0 * len(text)
    return _text(min(max(x, room), WIDTH - room), y, text, class_, "middle")
