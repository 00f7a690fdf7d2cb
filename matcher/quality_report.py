"""Qualities and comparisons of models as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from matcher.evaluate import Interval
from matcher.quality import Comparison, Quality
from matcher.terminal import printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

__all__: Final = ["render_comparison", "render_cvs", "render_quality"]


def render_quality(quality: Quality) -> Table:
    """Return a table of the means with their intervals, a row for each measure.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher.evaluate import Measure
    >>> from matcher.quality import CVQuality
    >>> quality = Quality((Measure("map"),), (CVQuality("a", (0.5,), 1, 0),), 9)
    >>> Console(width=60).print(render_quality(quality))
     Measure    Mean   95 % interval   CVs
    ───────────────────────────────────────
     MAP       0.500   –                 1
    """
    table = _table("Measure", "Mean", "95 % interval", "CVs")
    for mean in quality.means:
        interval = _interval(mean.interval)
        table.add_row(mean.measure.title, f"{mean.value:.3f}", interval, f"{len(quality.measured):,}")
    return table


def render_comparison(comparisons: Iterable[Comparison]) -> Table:
    """Return a table of two means, their difference, its interval and p, a row for each measure.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher.evaluate import Measure
    >>> comparison = Comparison(Measure("map"), 0.75, 0.5, Interval(0.125, 0.375), 0.0625)
    >>> Console(width=80).print(render_comparison([comparison]))
     Measure    Mean   Against   Difference   95 % interval          p
    ───────────────────────────────────────────────────────────────────
     MAP       0.750     0.500       +0.250   +0.125 to +0.375   0.062
    """
    table = _table("Measure", "Mean", "Against", "Difference", "95 % interval", "p")
    for row in comparisons:
        table.add_row(
            row.measure.title,
            f"{row.first:.3f}",
            f"{row.second:.3f}",
            f"{row.difference:+.3f}",
            _interval(row.interval, "+"),
            "<0.001" if row.p < 0.0005 else f"{row.p:.3f}",
        )
    return table


def render_cvs(quality: Quality, other: Quality | None = None) -> Table:
    """Return a table with a row for each CV; beside another matcher, also how much larger each value is.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher.evaluate import Measure
    >>> from matcher.quality import CVQuality
    >>> quality = Quality((Measure("map"),), (CVQuality("a", (0.5,), 1, 0), CVQuality("b", (), 0, 2)), 9)
    >>> Console(width=60).print(render_cvs(quality, quality))
     CV   Fitting   Missing              MAP
    ─────────────────────────────────────────
     a          1         0   0.500 (+0.000)
     b          0         2                –
    """
    table = _table("CV", "Fitting", "Missing", *(measure.title for measure in quality.measures))
    others = {} if other is None else {cv.name: cv.values for cv in other.measured}
    for cv in quality.cvs:
        if not cv.is_measured:
            cells = ["–"] * len(quality.measures)
        elif cv.name in others:
            pairs = zip(cv.values, others[cv.name], strict=True)
            cells = [f"{value:.3f} ({value - before:+.3f})" for value, before in pairs]
        else:
            cells = [f"{value:.3f}" for value in cv.values]
        table.add_row(_text(cv.name), f"{cv.fitting:,}", f"{cv.missing:,}", *cells)
    return table


def _table(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_edge=False)
    for heading in headings:
        is_left = heading in ("Measure", "CV", "95 % interval")
        table.add_column(heading, justify="left" if is_left else "right", no_wrap=heading != "CV")
    return table


def _interval(interval: Interval | None, sign: str = "") -> str:
    return "–" if interval is None else f"{interval.low:{sign}.3f} to {interval.high:{sign}.3f}"


def _text(text: str) -> Text:
    from rich.text import Text

    return Text(printable(text), overflow="fold")
