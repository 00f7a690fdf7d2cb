"""The command that measures how well postings are ranked for judged CVs: `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from matcher.commands.group import ClearCommand
from matcher.commands.options import (
    choose_sources,
    find_model,
    load_model,
    not_empty,
    parse_boosts,
    ranking_options,
)
from matcher.commands.output import MOST_SHOWN, print_json, show_progress
from matcher.commands.training import fit_sources
from matcher.cv import read_cv
from matcher.errors import JudgementError, OptionError
from matcher.evaluate import Measure, find_cvs, parse_measure, read_judgements, read_qrels, read_queries
from matcher.evaluate.qrels import is_json
from matcher.profile import Profile
from matcher.quality import Quality, measure_quality
from matcher.ranker import Matcher
from matcher.terminal import count_postings, make_console, printable, write_line
from matcher.text import repair

__all__: Final = ["evaluate", "read_judged"]

DEFAULT_MEASURES: Final = ("ndcg@10", "map", "mrr", "p@5", "rp@5", "recall@100")


def _parse_measures(
    ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[Measure, ...]:
    try:
        return tuple(map(parse_measure, value or DEFAULT_MEASURES))
    except OptionError as error:
        raise click.BadParameter(str(error)) from None


@click.command(cls=ClearCommand, short_help="Measure how well judged CVs are served.")
@click.argument("more_sources", nargs=-1, metavar="[--postings SOURCE...]", callback=not_empty)
@ranking_options
@click.option(
    "--judgements",
    required=True,
    metavar="FILE",
    callback=not_empty,
    help="Which postings fit which CV: JSON, or TREC qrels (query 0 posting grade).",
)
@click.option(
    "--cvs", metavar="FOLDER", callback=not_empty, help="The CVs of qrels: files named as the queries."
)
@click.option(
    "--queries", metavar="FILE", callback=not_empty, help="The CVs of qrels: lines of query, tab, text."
)
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="NAME[@K]",
    callback=_parse_measures,
    help=f"ndcg, map, mrr, p, recall or rp with a depth (default: {' '.join(DEFAULT_MEASURES)}).",
)
@click.option(
    "--against",
    metavar="DIR",
    callback=not_empty,
    help="Compare with this model (its key is the same, if it has one).",
)
@click.option("--per-cv", is_flag=True, help="List every CV, too.")
def evaluate(
    more_sources: tuple[str, ...],
    model: str | None,
    postings: tuple[str, ...],
    columns: Mapping[str, str],
    key: bytes | None,
    boost: tuple[str, ...],
    as_json: bool,
    judgements: str,
    cvs: str | None,
    queries: str | None,
    measures: tuple[Measure, ...],
    against: str | None,
    per_cv: bool,
) -> None:
    """Rank postings for judged CVs, and measure how good the rankings are and how sure that is.

    With --against, also how much another model differs, and how often chance alone would do that (p).

    \b
    Examples: matcher evaluate --judgements examples/cvs/judgements.json --model models/demo
              matcher evaluate --judgements fit.qrels --cvs cvs/ --measure p@3 --against models/old
    """
    sources = choose_sources(model, postings, more_sources, key, columns)
    label = ", ".join(sources) if sources else find_model(model, "say what to rank: --model or --postings")
    boosts = parse_boosts(boost)
    profiles, grades = read_judged(judgements, cvs, queries)
    matcher = fit_sources(sources, columns=columns) if sources else load_model(model, key)
    other = None if against is None else load_model(against, key)

    def measure(ranked: Matcher, name: str) -> Quality:
        with show_progress() as progress:
            quality = measure_quality(ranked, profiles, grades, measures, boosts=boosts, progress=progress)
        _print_left_out(quality, name)
        return quality

    quality = measure(matcher, label)
    if other is None or against is None:
        _show(quality, label, as_json=as_json, per_cv=per_cv)
    else:
        _show_both(quality, label, measure(other, against), against, as_json=as_json, per_cv=per_cv)


def read_judged(
    judgements: str, folder: str | None, queries: str | None
) -> tuple[dict[str, Profile], Mapping[str, Mapping[str, int]]]:
    """Read judgements and the CVs they are about: those beside a file of JSON, in a folder, or in a table.

    Returns
    -------
    profiles : dict of str to Profile
        By name.
    grades : mapping of str to mapping of str to int
        By posting id, by the same names.

    Raises
    ------
    click.UsageError
        When it is not clear where the CVs are.
    JudgementError, ProfileError
        When something cannot be read.

    Examples
    --------
    >>> profiles, grades = read_judged("examples/cvs/judgements.json", None, None)
    >>> len(profiles), profiles.keys() == grades.keys()
    (17, True)
    """
    if folder is not None and queries is not None:
        raise click.UsageError("use either --cvs or --queries, not both")
    if is_json(judgements):
        if folder is not None or queries is not None:
            raise click.UsageError("--cvs and --queries are for TREC qrels; CVs judged in JSON lie beside it")
        judged = read_judgements(judgements)
        if not judged:
            raise JudgementError(f"{judgements}: no judged CV here")
        return {cv.name: read_cv(cv.path) for cv in judged}, {cv.name: cv.grades for cv in judged}
    grades = read_qrels(judgements)
    if folder is not None:
        paths = find_cvs(grades, folder, judgements)
        return {query: read_cv(path) for query, path in paths.items()}, grades
    if queries is None:
        raise click.UsageError(
            "the CVs of TREC qrels are elsewhere: say where with --cvs FOLDER or --queries FILE"
        )
    texts = read_queries(queries)
    missing = [query for query in grades if query not in texts]
    if missing:
        raise JudgementError(f"{queries}: no CV of {missing[0]!r}, which {judgements} judges")
    return {query: Profile(repair(texts[query])) for query in grades}, grades


def _print_left_out(quality: Quality, label: str) -> None:
    if quality.missing:
        one, many = "judgement is about a posting that is", "judgements are about postings that are"
        _note(f"{label}: {quality.missing:,} {one if quality.missing == 1 else many} not held; left out")
    unmeasured = [cv.name for cv in quality.cvs if not cv.is_measured]
    if not quality.measured:
        raise JudgementError(f"{label}: nothing to measure: no posting that fits a judged CV is held")
    if unmeasured:
        more = f" and {len(unmeasured) - MOST_SHOWN:,} more" if len(unmeasured) > MOST_SHOWN else ""
        names = ", ".join(unmeasured[:MOST_SHOWN])
        _note(f"{label}: no posting that fits is held for {names}{more}; left out")


def _note(text: str) -> None:
    write_line(printable(f"note: {text}"), error=True)


def _show(quality: Quality, label: str, *, as_json: bool, per_cv: bool) -> None:
    if as_json:
        print_json({"model": label} | quality.to_record())
        return
    from matcher.quality_report import render_cvs, render_quality

    console = make_console()
    write_line(printable(_headline(quality, label)))
    console.print(render_quality(quality))
    if per_cv:
        write_line("")
        console.print(render_cvs(quality))


def _show_both(
    quality: Quality, label: str, other: Quality, against: str, *, as_json: bool, per_cv: bool
) -> None:
    shared = {cv.name for cv in quality.measured} & {cv.name for cv in other.measured}
    if not shared:
        raise JudgementError(f"nothing to compare: no CV can be measured with both {label} and {against}")
    here, there = ({cv.name: (cv.fitting, cv.missing) for cv in both.cvs} for both in (quality, other))
    if any(here[name] != there[name] for name in shared):
        _note("the two hold different judged postings: each is measured by the best ranking of its own")
    compared = quality.compare(other)
    if as_json:
        record: dict[str, Any] = {"model": label} | quality.to_record()
        record["against"] = {"model": against} | other.to_record()
        record["compared"] = {"cvs": len(shared), "measures": [row.to_record() for row in compared]}
        print_json(record)
        return
    from matcher.quality_report import render_comparison, render_cvs, render_quality

    console = make_console()
    for measured, name in ((quality, label), (other, against)):
        write_line(printable(_headline(measured, name)))
        console.print(render_quality(measured))
        write_line("")
    write_line(printable(f"{label} against {against}: {len(shared):,} CVs measured with both"))
    console.print(render_comparison(compared))
    if per_cv:
        write_line("")
        console.print(render_cvs(quality, other))


def _headline(quality: Quality, label: str) -> str:
    measured = f"{len(quality.measured):,} of {len(quality.cvs):,} CVs measured"
    return f"{label}: {count_postings(quality.postings)}, {measured}"
