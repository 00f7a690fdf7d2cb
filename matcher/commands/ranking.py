"""The commands that use postings: `rank` and `explain`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from matcher.commands.group import ClearCommand
from matcher.commands.options import (
    choose_sources,
    filter_options,
    load_model,
    not_empty,
    parse_boosts,
    ranking_options,
    read_profile,
)
from matcher.commands.output import print_json, print_notes
from matcher.commands.training import fit_sources
from matcher.terminal import count_postings, make_console, printable, write_line

__all__: Final = ["explain", "rank"]


@click.command(cls=ClearCommand, short_help="Rank postings for a CV.")
@click.argument("cv", callback=not_empty)
@click.argument("more_sources", nargs=-1, metavar="[--postings SOURCE...]", callback=not_empty)
@ranking_options
@click.option(
    "-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many postings to return."
)
@filter_options
def rank(
    cv: str,
    more_sources: tuple[str, ...],
    model: str | None,
    postings: tuple[str, ...],
    columns: Mapping[str, str],
    key: bytes | None,
    boost: tuple[str, ...],
    as_json: bool,
    k: int,
    **filters: Any,
) -> None:
    """Rank postings for CV: text, Markdown, HTML, PDF, DOCX, ODT, JSON Resume, or - for standard input.

    \b
    Examples: matcher rank cv.txt --model models/jobs -k 5 --location Berlin
              matcher rank cv.md --postings seeds/ more.jsonl --json
    """
    sources = choose_sources(model, postings, more_sources, key, columns)
    profile = read_profile(cv, sources)
    boosts = parse_boosts(boost)
    matcher = fit_sources(sources, columns=columns) if sources else load_model(model, key)
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in filters.items()}
    wanted = {name: value for name, value in wanted.items() if value not in (None, [])}
    ranking = matcher.recommend(profile, k, filters=wanted, boosts=boosts)
    print_notes(ranking)
    if as_json:
        print_json([recommendation.to_record() for recommendation in ranking])
        return
    from matcher.report import render_recommendations

    fitting = [recommendation for recommendation in ranking if recommendation.score > 0]
    if fitting:
        make_console().print(render_recommendations(fitting))
        if len(fitting) < len(ranking):
            write_line("note: no other posting has anything in common with the CV", error=True)


@click.command(cls=ClearCommand, short_help="Show what every word adds to one score.")
@click.argument("cv", callback=not_empty)
@click.argument("posting_id")
@click.argument("more_sources", nargs=-1, metavar="[--postings SOURCE...]", callback=not_empty)
@ranking_options
def explain(
    cv: str,
    posting_id: str,
    more_sources: tuple[str, ...],
    model: str | None,
    postings: tuple[str, ...],
    columns: Mapping[str, str],
    key: bytes | None,
    boost: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what every word, hashtag and pair of words adds to the score of POSTING_ID for CV.

    \b
    Example: matcher explain cv.txt https://jobs.beck.example/cook --model models/jobs
    """
    sources = choose_sources(model, postings, more_sources, key, columns)
    profile = read_profile(cv, sources)
    boosts = parse_boosts(boost)
    matcher = fit_sources(sources, columns=columns) if sources else load_model(model, key)
    recommendation = matcher.explain(profile, posting_id, boosts=boosts)
    if as_json:
        print_json(recommendation.to_record())
        return
    from matcher.report import render_explanation

    write_line(printable(recommendation.posting.title or posting_id))
    place = f"rank {recommendation.rank:,} of {count_postings(len(matcher))}"
    write_line(f"{place}, score {recommendation.score:.4f}")
    make_console().print(render_explanation(recommendation))
