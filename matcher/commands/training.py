"""The commands that make models of postings: `train` and `retrain`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

import click

from matcher.commands.group import ClearCommand
from matcher.commands.options import (
    column_option,
    json_option,
    key_option,
    not_empty,
    parse_date,
    read_probes,
    written_model_option,
)
from matcher.commands.output import (
    MOST_SHOWN,
    check_page,
    print_json,
    print_reading,
    show_progress,
    write_page,
)
from matcher.drift import Gate
from matcher.errors import MatcherError, SourceError
from matcher.evaluate import read_judgements
from matcher.posting import Posting
from matcher.ranker import Matcher
from matcher.recommender import Progress
from matcher.retraining import Retraining
from matcher.retraining import retrain as retrain_model
from matcher.sources import PostingReader, read_postings
from matcher.terminal import count_postings, make_console, printable, standard_input, write_line

__all__: Final = ["fit_sources", "retrain", "train"]

_SHARE: Final = click.FloatRange(0, 1)


@click.command(cls=ClearCommand, short_help="Learn from postings and write a model.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", callback=not_empty)
@written_model_option
@column_option
@key_option
@click.option("--strict", is_flag=True, help="Stop at the first posting that cannot be read.")
def train(
    sources: tuple[str, ...], model: str, columns: Mapping[str, str], key: bytes | None, strict: bool
) -> None:
    """Learn from postings in SOURCE (folders, files, or - for standard input) and write a model.

    \b
    Example: matcher train seeds/ --model models/jobs
    """
    matcher = fit_sources(sources, columns=columns, strict=strict)
    generation = matcher.save(model, key=key)
    write_line(printable(f"{model}: generation {generation} with {count_postings(len(matcher))}"))


@click.command(cls=ClearCommand, short_help="Bring a model up to date with new postings.")
@click.argument("sources", nargs=-1, metavar="[SOURCE...]", callback=not_empty)
@written_model_option
@click.option("--remove", multiple=True, metavar="ID", help="Remove the posting with this id.")
@click.option(
    "--expire-before",
    metavar="DATE",
    callback=parse_date,
    help="Remove postings dated before, as 2026-03-01.",
)
@click.option("--complete", is_flag=True, help="SOURCE holds all there are: remove the others.")
@click.option(
    "--force", is_flag=True, help="Publish even if --complete met rejects, or more than half expire."
)
@click.option(
    "--keep",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="N",
    help="Generations to keep on disk.",
)
@click.option(
    "--probe",
    "probes",
    multiple=True,
    metavar="CV",
    callback=not_empty,
    help="Compare what is recommended for this CV (or those in this folder) before and after.",
)
@click.option("--judgements", metavar="FILE", callback=not_empty, help="Measure quality by these judged CVs.")
@click.option("--max-drift", type=_SHARE, metavar="X", help="Refuse when recommendations change more.")
@click.option("--min-quality", type=_SHARE, metavar="Q", help="Refuse when the mean nDCG@10 is lower.")
@click.option(
    "--report", "page", metavar="FILE", callback=check_page, help="Write what changed as a page of HTML."
)
@json_option
@column_option
@key_option
@click.option("--strict", is_flag=True, help="Stop at the first posting that cannot be read.")
@click.option("--dry-run", is_flag=True, help="Say what would change, and write no model.")
def retrain(
    sources: tuple[str, ...],
    model: str,
    remove: tuple[str, ...],
    expire_before: str | None,
    complete: bool,
    force: bool,
    keep: int,
    probes: tuple[str, ...],
    judgements: str | None,
    max_drift: float | None,
    min_quality: float | None,
    page: Path | None,
    as_json: bool,
    columns: Mapping[str, str],
    key: bytes | None,
    strict: bool,
    dry_run: bool,
) -> None:
    """Take new and changed postings from SOURCE into a model, publish it, and say what changed.

    Running services go on with the old generation until they reload. Exit status 1: refused, and nothing
    was published.

    \b
    Example: matcher retrain new/ --model models/jobs --expire-before 2026-01-01
             --probe cvs/ --max-drift 0.3 --report drift.html
    """
    if not (sources or remove or expire_before):
        raise click.UsageError("nothing to do: give SOURCE, --remove or --expire-before")
    if complete and not sources:
        raise click.UsageError("--complete needs SOURCE")
    if max_drift is not None and not probes:
        raise click.UsageError("--max-drift needs CVs to compare recommendations for: --probe")
    if min_quality is not None and judgements is None:
        raise click.UsageError("--min-quality needs judged CVs: --judgements")
    gate = Gate(max_drift, min_quality)
    reader = _open_sources(sources, columns, strict=strict)
    cvs = read_probes(probes)
    judged = read_judgements(judgements) if judgements is not None else ()
    try:
        with show_progress() as progress:
            result = retrain_model(
                model,
                reader,
                remove=remove,
                expire_before=expire_before,
                complete=complete,
                force=force,
                keep=keep,
                probes=cvs,
                judgements=judged,
                gate=gate,
                key=key,
                threads=2,
                progress=progress,
                dry_run=dry_run,
            )
    except MatcherError:
        if reader.report.rejected_count:  # may be why
            print_reading(reader.report, reader.report.read)
        raise
    if sources:
        print_reading(reader.report, _count_distinct(result), result.replaced)
    _show(result, model, gate, as_json=as_json, dry_run=dry_run)
    if page is not None:
        _write_report(page, result, model, gate, dry_run=dry_run)
    if result.refused:
        for reason in result.refused:
            write_line(printable(f"Error: not published: {reason}"), error=True)
        click.get_current_context().exit(1)


def _count_distinct(result: Retraining) -> int:
    changes = result.changes
    return len({*changes.added, *changes.changed, *changes.unchanged, *result.left_out})


def _show(result: Retraining, model: str, gate: Gate, *, as_json: bool, dry_run: bool) -> None:
    if as_json:
        print_json({"model": model, "dry_run": dry_run} | result.to_record())
        return
    write_line(printable(f"{model}: {_headline(result, dry_run=dry_run)}"))
    if result.changes:
        from matcher.report import render_drift

        # What was rejected, and why it was refused, is said on standard error.
        report = replace(result.report, rejected=(), rejected_count=0)
        passed = not result.refused and gate != Gate()
        make_console().print(render_drift(report, [] if passed else None))
    if left_out := len({*result.left_out} - {*result.changes.removed}):
        were = f"{count_postings(left_out)} of the source {'was' if left_out == 1 else 'were'}"
        write_line(f"{were} left out: to be removed, or dated too early")
    for unknown in result.changes.unknown[:MOST_SHOWN]:
        write_line(printable(f"no posting has the id {unknown!r}"), error=True)
    if result.deleted:
        write_line(f"deleted: {_list_generations(result.deleted)}")
    if result.in_use:
        write_line(f"still read by somebody, deleted later: {_list_generations(result.in_use)}")


def _headline(result: Retraining, *, dry_run: bool) -> str:
    stays = f"generation {result.parent} stays" if result.parent else "no model was written"
    if result.generation is not None:
        return f"generation {result.generation} with {count_postings(result.report.postings_after)}"
    if result.refused:
        return f"refused, {stays}"
    if not result.changes:
        return f"nothing changed, {stays}"
    return f"a dry run, {stays}" if dry_run else stays


def _list_generations(numbers: tuple[int, ...]) -> str:
    name = "generation" if len(numbers) == 1 else "generations"
    return f"{name} {', '.join(map(str, numbers))}"


def _write_report(page: Path, result: Retraining, model: str, gate: Gate, *, dry_run: bool) -> None:
    from matcher.pages.drift_page import render_page

    title = f"{model}: {_headline(result, dry_run=dry_run)}"
    write_page(page, render_page(result.report, title=title, gate=gate, reasons=result.refused))


def fit_sources(
    sources: tuple[str, ...], *, columns: Mapping[str, str] | None = None, strict: bool = False
) -> Matcher:
    """Learn from the postings in folders, files or standard input (``-``), and say what reading came to.

    Raises
    ------
    SourceError
        When no posting could be read.

    Examples
    --------
    >>> len(fit_sources(("seeds",)))
    212
    """
    with show_progress() as progress:
        reader = _open_sources(sources, columns or {}, strict=strict)
        matcher = Matcher.fit(_counted(reader, progress), strict=strict, threads=2, progress=progress)
    print_reading(reader.report, len(matcher), matcher.replaced)
    if not len(matcher):
        reason = "no posting could be read" if reader.report.rejected_count else "no file of postings here"
        raise SourceError(f"{', '.join(sources)}: {reason}")
    return matcher


def _open_sources(sources: tuple[str, ...], columns: Mapping[str, str], *, strict: bool) -> PostingReader:
    return read_postings(
        *(standard_input() if source == "-" else source for source in sources), columns=columns, strict=strict
    )


def _counted(reader: PostingReader, progress: Progress) -> Iterator[Posting]:
    for number, posting in enumerate(reader, 1):
        if number % 100 == 0:
            progress("reading postings", number, 0)
        yield posting
