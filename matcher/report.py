"""Recommendations, explanations, models and drift reports as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from matcher.drift.report import DriftReport
from matcher.drift.term_changes import BlockDrift
from matcher.pages.markup import cut
from matcher.posting import from_milliseconds
from matcher.recommendation import Recommendation
from matcher.terminal import printable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from matcher.ranker import Matcher

__all__: Final = [
    "describe_model",
    "render_drift",
    "render_explanation",
    "render_model",
    "render_recommendations",
]

_BAR_WIDTH: Final = 24

_TERMS: Final = 5
"""New, rising and dying terms in the summary of a drift report, each."""

_REJECTED: Final = 3
"""Rejected postings in it."""


def _text(text: str, style: str = "") -> Text:
    from rich.text import Text

    # Text takes no markup: what looks like a tag in a title stays what it is.
    return Text(printable(text), style=style, overflow="fold")


def _posting_cell(recommendation: Recommendation) -> Group:
    from rich.console import Group

    posting = recommendation.posting
    lines = [_text(posting.title or posting.id, "bold")]
    place = " · ".join(part for part in (posting.company, posting.location) if part)
    if place:
        lines.append(_text(place))
    reasons = recommendation.why(3)
    if reasons:
        lines.append(_text(f"matches: {reasons}", "yellow"))
    lines.append(_text(posting.url or f"id: {posting.id}", "dim"))
    return Group(*lines, _text(""))


def render_recommendations(recommendations: Iterable[Recommendation]) -> Table:
    """Return a table: rank, score, and the posting with its place, the three strongest reasons and its link.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher import Posting
    >>> posting = Posting(id="1", title="Cook", company="Beck", location="Bern", url="https://beck.example/1")
    >>> Console(width=60).print(render_recommendations([Recommendation(1, 0.25, posting, ())]))
     #   Score   Posting
    ────────────────────────────────────────────────────────────
     1   0.250   Cook
                 Beck · Bern
                 https://beck.example/1
    """
    from rich import box
    from rich.table import Table

    # Reasons and link stand below the title, not beside it, so that links stay in one piece at 80 columns.
    table = Table(box=box.SIMPLE, show_edge=False, expand=True)
    table.add_column("#", justify="right", style="bold cyan", no_wrap=True)
    table.add_column("Score", justify="right", style="green", no_wrap=True)
    table.add_column("Posting", ratio=1, overflow="fold")
    for recommendation in recommendations:
        table.add_row(str(recommendation.rank), f"{recommendation.score:.3f}", _posting_cell(recommendation))
    return table


def render_explanation(recommendation: Recommendation) -> Table:
    """Return a table of every contribution to one score, largest first, with bars.

    Examples
    --------
    >>> from matcher import Contribution, Posting
    >>> posting = Posting(id="1", title="Cook")
    >>> table = render_explanation(Recommendation(1, 0.5, posting, (Contribution("text", "cook", 0.5),)))
    >>> table.row_count
    2
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_edge=False, pad_edge=True)
    table.add_column("Block", style="cyan")
    table.add_column("Feature")
    table.add_column("Adds", justify="right", style="green")
    table.add_column("Share", justify="right")
    table.add_column("", no_wrap=True, style="yellow")
    largest = max((part.value for part in recommendation.contributions), default=1.0)
    for part in recommendation.contributions:
        bar = "█" * max(1, round(_BAR_WIDTH * part.value / largest))
        share = f"{part.value / recommendation.score:.1%}"
        table.add_row(part.block, _text(part.feature), f"{part.value:.4f}", share, bar)
    table.add_row("", "score", f"{recommendation.score:.4f}", "", "", style="bold")
    return table


def describe_model(matcher: Matcher) -> dict[str, Any]:
    """Return what there is to know about a matcher, as JSON values.

    Examples
    --------
    >>> from matcher import Matcher, Posting
    >>> describe_model(Matcher.fit([Posting(id="1", title="Cook", hashtags=["bread"])]))["postings"]
    1
    """
    postings = matcher.postings
    segments = postings.segments
    return {
        "generation": matcher.generation,
        "postings": len(matcher),
        "fitted": matcher.is_fitted,
        "segments": len(segments),
        "deleted": sum(deleted for _, deleted in segments),
        "companies": len(postings.companies),
        "locations": len(postings.locations),
        "posted": [from_milliseconds(end).date().isoformat() for end in postings.dates or ()],
        "blocks": [
            {
                "name": fitted.block.name,
                "weight": fitted.block.weight,
                "features": len(fitted.vocabulary),
                "dimensions": 0 if fitted.centre is None else len(fitted.centre),
            }
            for fitted in matcher.features
        ],
    }


def _describe_size(block: Mapping[str, Any]) -> str:
    if block["dimensions"]:
        return f"vectors of {block['dimensions']:,} numbers"
    return f"{block['features']:,} features"


def render_model(matcher: Matcher, path: str, generations: int = 1) -> Table:
    """Return `describe_model` as a table.

    Parameters
    ----------
    matcher : Matcher
    path : str
    generations : int
        How many are on disk.

    Examples
    --------
    >>> from matcher import Matcher
    >>> render_model(Matcher.fit([]), "models/jobs").row_count
    11
    """
    from rich import box
    from rich.table import Table

    description = describe_model(matcher)
    table = Table(box=box.SIMPLE, show_header=False, show_edge=False)
    table.add_column(style="cyan")
    table.add_column()
    rows = {
        "model": path,
        "generation": str(description["generation"]),
        "postings": f"{description['postings']:,}",
        "segments": f"{description['segments']:,}",
        "companies": f"{description['companies']:,}",
        "locations": f"{description['locations']:,}",
        "posted": " to ".join(description["posted"]) or "no dates",
    }
    rows |= {
        f"block {block['name']}": f"{_describe_size(block)}, weight {block['weight']:g}"
        for block in description["blocks"]
    }
    if generations > 1:
        rows["generation"] += f", {generations:,} on disk"
    if description["deleted"]:
        rows["segments"] += f", {_count(description['deleted'], 'deleted posting')} until 'matcher compact'"
    if not description["fitted"]:
        rows["weights"] = "those of an earlier fit: 'matcher retrain' learns them anew"
    for name, value in rows.items():
        table.add_row(name, _text(value))
    return table


def render_drift(report: DriftReport, reasons: Sequence[str] | None = None) -> Table:
    """Return a drift report as a table of a dozen lines: what changed, and how much of it reaches people.

    Parameters
    ----------
    report : DriftReport
    reasons : sequence of str, optional
        What `Gate.check` returned, to be shown as the last lines; None when no gate was asked.

    Examples
    --------
    >>> from rich.console import Console
    >>> from matcher.changes import Changes
    >>> report = DriftReport(postings_before=9, postings_after=8, changes=Changes(removed=("job-1",)))
    >>> Console(width=80).print(render_drift(report, []))
     postings   9 → 8: 1 removed
     drift      not measured: no probe CVs
     quality    not measured: no judged CVs
     gate       passed
    """
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE, show_header=False, show_edge=False)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("postings", _describe_changes(report))
    for block in report.blocks:
        for name, terms in _describe_terms(block):
            table.add_row(_text(f"{cut(block.name, 20)}: {name}"), _text(terms))
    table.add_row("drift", _text(_describe_overlap(report)))
    table.add_row("quality", _text(_describe_quality(report)))
    if report.rejected_count:
        listed = [cut(str(rejected), 200) for rejected in report.rejected[:_REJECTED]]
        if report.rejected_count > len(listed):
            listed.append(f"and {report.rejected_count - len(listed):,} more")
        table.add_row("rejected", f"{report.rejected_count:,}")
        for line in listed:
            table.add_row("", _text(line, "yellow"))
    if reasons is not None:
        table.add_row("gate", _text("refused", "bold red") if reasons else _text("passed", "green"))
        for reason in reasons:
            table.add_row("", _text(cut(reason, 300), "red"))
    return table


def _describe_changes(report: DriftReport) -> str:
    counts = {kind: len(ids) for kind, ids in report.changes._asdict().items()}
    parts = [f"{count:,} {kind}" for kind, count in counts.items() if count]
    return f"{report.postings_before:,} → {report.postings_after:,}: {', '.join(parts) or 'no changes'}"


def _describe_terms(block: BlockDrift) -> Iterator[tuple[str, str]]:
    for name, changes, count in (
        ("new", block.new, block.new_count),
        ("rising", block.rising, block.rising_count),
        ("dying", block.dying, block.dying_count),
    ):
        if not count:
            continue
        listed = []
        for change in changes[:_TERMS]:
            before, after = (
                change.before / max(1, block.postings_before),
                change.after / max(1, block.postings_after),
            )
            numbers = f"{change.after:,}" if name == "new" else f"{before:.2%} → {after:.2%}"
            listed.append(f"{cut(change.term, 40)} ({numbers})")
        yield name, f"{count:,}: {', '.join(listed)}{', ...' if count > len(listed) else ''}"


def _describe_overlap(report: DriftReport) -> str:
    if not report.probes:
        return "not measured: no probe CVs"
    compared = [probe for probe in report.probes if probe.overlap is not None]
    if report.drift is None or not compared:
        reason = "no probe CV finds a posting" if report.postings_before else "there were no postings before"
        return f"not measured: {reason}"
    lowest = min(compared, key=lambda probe: (probe.overlap, probe.label))
    moved = f"{len(lowest.entered)} entered, {len(lowest.left)} left"
    return (
        f"{report.drift:.3f}, mean overlap {report.overlap:.3f} of {_count(len(compared), 'probe CV')}; "
        f"lowest {lowest.overlap:.3f}: {cut(lowest.label, 80)} ({moved})"
    )


def _describe_quality(report: DriftReport) -> str:
    if not report.judged:
        return "not measured: no judged CVs"
    if report.quality_after is None:
        return "not measured: no posting that fits a judged CV is held"
    before = "" if report.quality_before is None else f"{report.quality_before:.3f} → "
    count = _count(sum(judged.after is not None for judged in report.judged), "judged CV")
    losses = [
        (judged.after - judged.before, judged.label)
        for judged in report.judged
        if judged.after is not None and judged.before is not None
    ]
    text = f"nDCG@{report.k} {before}{report.quality_after:.3f} of {count}"
    if losses and min(losses)[0] < 0:
        text += f"; largest loss {-min(losses)[0]:.3f}: {cut(min(losses)[1], 80)}"
    return text


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}{'' if number == 1 else 's'}"
