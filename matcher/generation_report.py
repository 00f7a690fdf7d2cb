"""The generations of a model as a table for a terminal, and as JSON values.

What a retraining noted in a manifest is a claim like any other in a file: of the wrong type, it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from matcher.store.generations import Generation
from matcher.terminal import printable

if TYPE_CHECKING:
    from rich.console import Group

__all__: Final = ["describe_generations", "render_generations"]

_CHANGES: Final = ("added", "changed", "removed", "unchanged", "rejected")


def describe_generations(generations: Iterable[Generation]) -> list[dict[str, Any]]:
    """Return generations as JSON values; what is not known of one is None.

    Examples
    --------
    >>> published = datetime(2026, 3, 1, tzinfo=UTC)
    >>> generation = Generation(2, True, 1, published, 4096, {"postings": 9, "note": {"drift": 0.25}})
    >>> [record] = describe_generations([generation])
    >>> record["generation"], record["postings"], record["drift"], record["changes"]
    (2, 9, 0.25, None)
    """
    return [_describe(generation) for generation in generations]


def _describe(generation: Generation) -> dict[str, Any]:
    note = generation.content.get("note")
    note = note if isinstance(note, dict) else {}
    listed = note.get("changes")
    counts = {kind: _count(listed.get(kind)) for kind in _CHANGES} if isinstance(listed, dict) else {}
    published = generation.published
    if isinstance(noted := note.get("published"), str):  # files that were copied may be dated anew
        with suppress(ValueError, OverflowError):
            published = datetime.fromisoformat(noted).astimezone(UTC)
    return {
        "generation": generation.number,
        "current": generation.is_current,
        "parent": generation.parent,
        "published": published.isoformat(timespec="seconds"),
        "postings": _count(generation.content.get("postings")),
        "changes": counts if counts and None not in counts.values() else None,
        "drift": _share(note.get("drift")),
        "quality": _share(note.get("quality")),
        "bytes": generation.bytes,
        "problem": generation.problem or None,
    }


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 62 else None


def _share(value: object) -> float | None:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= 1 else None


def render_generations(generations: Iterable[Generation]) -> Group:
    """Return `describe_generations` as a table, and a line for each that cannot be read.

    An arrow points to the current one.

    Examples
    --------
    >>> from rich.console import Console
    >>> published = datetime(2026, 3, 1, tzinfo=UTC)
    >>> note = {"changes": dict.fromkeys(_CHANGES, 1), "drift": 0.25}
    >>> generation = Generation(2, True, 1, published, 4096, {"postings": 9, "note": note})
    >>> Console(width=80).print(render_generations([generation]))
       #   Published (UTC)    Postings    Changes   Drift   Quality   Size
    ───────────────────────────────────────────────────────────────────────
     → 2   2026-03-01 00:00          9   +1 ~1 −1   0.250         –   4 kB
    """
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    problems = []
    table = Table(box=box.SIMPLE, show_edge=False)
    table.add_column("#", justify="right", style="bold cyan", no_wrap=True)
    table.add_column("Published (UTC)", no_wrap=True)
    for name in ("Postings", "Changes", "Drift", "Quality", "Size"):
        table.add_column(name, justify="right")
    for record in describe_generations(generations):
        changes = record["changes"]
        table.add_row(
            f"{'→ ' if record['current'] else ''}{record['generation']}",
            record["published"][:16].replace("T", " "),
            "–" if record["postings"] is None else f"{record['postings']:,}",
            f"+{changes['added']:,} ~{changes['changed']:,} −{changes['removed']:,}" if changes else "–",
            *("–" if record[name] is None else f"{record[name]:.3f}" for name in ("drift", "quality")),
            _show_size(record["bytes"]),
        )
        if record["problem"]:
            text = f"generation {record['generation']} cannot be read: {record['problem']}"
            problems.append(Text(printable(text), style="red", overflow="fold"))
    return Group(table, *problems)


def _show_size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB" if size >= 1e6 else f"{size / 1e3:,.0f} kB"
