"""What tuning weights came to, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from matcher.tuning import Fold, Tuning

if TYPE_CHECKING:
    from rich.table import Table

__all__: Final = ["describe_weights", "render_choices", "render_tuning"]


def render_choices(tuning: Tuning) -> Table:
    """Return a table of which weights were chosen without a part of the CVs, and how well that did for it.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher.evaluate import Interval, Measure
    >>> from matcher.tuning import Fold
    >>> folds = (Fold(10, {"text": 0.5, "hashtags": 0.5}, 0.5, 0.75),) * 2
    >>> tuning = Tuning(Measure("map"), {"text": 0.7, "hashtags": 0.3}, {"text": 0.5, "hashtags": 0.5}, folds,
    ...     20, 0, 0, 9, 0.5, 0.75, Interval(0.1, 0.4), 0.01, 0.5, "", True)
    >>> Console(width=80).print(render_choices(tuning))
     Chosen   text   hashtags     Gain
    ───────────────────────────────────
     2 of 2    0.5        0.5   +0.250
    """
    table = _table("Chosen", *tuning.default, "Gain")
    found: dict[tuple[float, ...], list[Fold]] = {}
    for fold in tuning.folds:
        found.setdefault(tuple(fold.weights[name] for name in tuning.default), []).append(fold)
    for weights, folds in sorted(found.items(), key=lambda item: (-len(item[1]), item[0])):
        gain = sum(fold.cvs * (fold.tuned - fold.default) for fold in folds) / sum(fold.cvs for fold in folds)
        times = f"{len(folds)} of {len(tuning.folds)}"
        table.add_row(times, *(f"{weight:g}" for weight in weights), f"{gain:+.3f}")
    return table


def render_tuning(tuning: Tuning) -> Table:
    """Return a table of the means over all CVs, each ranked by weights that were chosen without it.

    The last column is what somebody who measures on the CVs that made the choice would have claimed.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher.evaluate import Interval, Measure
    >>> tuning = Tuning(Measure("map"), {"text": 0.7}, {"text": 0.7}, (), 20, 0, 0, 1, 0.5, 0.75,
    ...     Interval(0.1, 0.4), 0.01, 0.5, "", True)
    >>> Console(width=90).print(render_tuning(tuning))
     Measure   Default   Tuned     Gain   95 % interval          p   In sample
    ───────────────────────────────────────────────────────────────────────────
     MAP         0.500   0.750   +0.250   +0.100 to +0.400   0.010      +0.500
    """
    table = _table("Measure", "Default", "Tuned", "Gain", "95 % interval", "p", "In sample")
    table.add_row(
        tuning.measure.title,
        f"{tuning.default_mean:.3f}",
        f"{tuning.tuned_mean:.3f}",
        f"{tuning.gain:+.3f}",
        f"{tuning.interval.low:+.3f} to {tuning.interval.high:+.3f}",
        "<0.001" if tuning.p < 0.0005 else f"{tuning.p:.3f}",
        f"{tuning.claimed:+.3f}",
    )
    return table


def describe_weights(weights: Mapping[str, float]) -> str:
    """Return weights as a person reads them.

    Examples
    --------
    >>> describe_weights({"text": 0.7, "hashtags": 0.3})
    'text 0.7, hashtags 0.3'
    """
    return ", ".join(f"{name} {weight:g}" for name, weight in weights.items())


def _table(*headings: str) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_edge=False)
    for heading in headings:
        is_left = heading in ("Measure", "95 % interval")
        table.add_column(heading, justify="left" if is_left else "right", no_wrap=True)
    return table
