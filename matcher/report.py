"""Recommendations, explanations and models as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from matcher.posting import from_milliseconds
from matcher.recommendation import Recommendation
from matcher.terminal import printable

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from matcher.ranker import Matcher

__all__: Final = ["describe_model", "render_explanation", "render_model", "render_recommendations"]

_BAR_WIDTH: Final = 24


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
    return {
        "generation": matcher.generation,
        "postings": len(matcher),
        "companies": len(postings.companies),
        "locations": len(postings.locations),
        "posted": [from_milliseconds(end).date().isoformat() for end in postings.dates or ()],
        "blocks": [
            {"name": fitted.block.name, "weight": fitted.block.weight, "features": len(fitted.vocabulary)}
            for fitted in matcher.features
        ],
    }


def render_model(matcher: Matcher, path: str) -> Table:
    """Return `describe_model` as a table.

    Examples
    --------
    >>> from matcher import Matcher
    >>> render_model(Matcher.fit([]), "models/jobs").row_count
    8
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
        "companies": f"{description['companies']:,}",
        "locations": f"{description['locations']:,}",
        "posted": " to ".join(description["posted"]) or "no dates",
    }
    rows |= {
        f"block {block['name']}": f"{block['features']:,} features, weight {block['weight']:g}"
        for block in description["blocks"]
    }
    for name, value in rows.items():
        table.add_row(name, _text(value))
    return table
