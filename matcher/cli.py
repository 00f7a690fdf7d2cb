"""The command `matcher`: train a model, rank postings for a CV, explain a score.

Thin: it parses arguments, calls the library and prints. Standard output carries results only; notes,
progress and errors go to standard error. Exit status: 0 fine, 1 a clear error, 2 wrong use.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import click

from matcher._version import __version__
from matcher.boosts import BOOSTS, Boost
from matcher.cv import read_cv
from matcher.errors import MatcherError, OptionError, SourceError
from matcher.filters import FILTERS
from matcher.profile import Profile
from matcher.ranker import Matcher, Progress
from matcher.recommendation import Recommendations
from matcher.sources import PostingReader, read_postings

if TYPE_CHECKING:
    from rich.console import Console

__all__: Final = ["main"]

DEFAULT_MODEL: Final = "models/demo"
MOST_SHOWN: Final = 10

_Command = TypeVar("_Command", bound=Callable[..., Any])


class _ClearErrors(click.Group):
    """Turns the library's errors into one line on standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise click.UsageError(str(error)) from error
        except MatcherError as error:
            raise click.ClickException(str(error)) from error


@click.group(
    cls=_ClearErrors, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="matcher")
def main() -> None:
    """Recommend job postings for a CV: ranked, filtered and explained."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


@main.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--model", required=True, type=click.Path(file_okay=False), help="Model directory to write.")
@click.option("--strict", is_flag=True, help="Stop at the first posting that cannot be read.")
def train(sources: tuple[str, ...], model: str, strict: bool) -> None:
    """Learn from postings in SOURCE (folders, files, or - for standard input) and write a model.

    \b
    Example: matcher train seeds/ --model models/jobs
    """
    matcher = _fit(sources, strict=strict)
    generation = matcher.save(model)
    click.echo(f"{model}: generation {generation} with {len(matcher):,} postings")


def _ranking_options(command: _Command) -> _Command:
    options = [
        click.option(
            "--model", type=click.Path(file_okay=False), help=f"Model directory (default: {DEFAULT_MODEL})."
        ),
        click.option(
            "--postings",
            multiple=True,
            metavar="SOURCE...",
            help="Rank these postings instead of a model: folders, files, or - for standard input.",
        ),
        click.option(
            "--boost", multiple=True, metavar="NAME=WEIGHT", help=f"Lift postings: {', '.join(BOOSTS)}."
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _filter_options(command: _Command) -> _Command:
    for row in reversed(list(FILTERS.values())):
        option = "--" + row.name.replace("_", "-")
        if row.is_flag:
            command = click.option(f"{option}/--no-{row.name}", default=None, help=row.description)(command)
        else:
            command = click.option(option, multiple=row.takes_many, help=row.description)(command)
    return command


@main.command()
@click.argument("cv")
@click.argument("more_sources", nargs=-1, metavar="[SOURCE...]")
@_ranking_options
@click.option(
    "-k", type=click.IntRange(min=1), default=10, show_default=True, help="How many postings to return."
)
@_filter_options
def rank(
    cv: str,
    more_sources: tuple[str, ...],
    model: str | None,
    postings: tuple[str, ...],
    boost: tuple[str, ...],
    as_json: bool,
    k: int,
    **filters: Any,
) -> None:
    """Rank postings for CV, a text or Markdown file or - for standard input.

    \b
    Examples: matcher rank cv.txt --model models/jobs -k 5 --location Berlin
              matcher rank cv.md --postings seeds/ more.jsonl --json
    """
    sources = _sources(model, postings, more_sources)
    profile = _read_profile(cv, sources)
    boosts = _parse_boosts(boost)
    matcher = _fit(sources) if sources else _load(model)
    wanted = {name: list(value) if isinstance(value, tuple) else value for name, value in filters.items()}
    wanted = {name: value for name, value in wanted.items() if value not in (None, [])}
    ranking = matcher.recommend(profile, k, filters=wanted, boosts=boosts)
    _print_notes(ranking)
    if as_json:
        _print_json([recommendation.to_record() for recommendation in ranking])
        return
    from matcher.report import render_recommendations

    if len(ranking):
        _console().print(render_recommendations(ranking))


@main.command()
@click.argument("cv")
@click.argument("posting_id")
@click.argument("more_sources", nargs=-1, metavar="[SOURCE...]")
@_ranking_options
def explain(
    cv: str,
    posting_id: str,
    more_sources: tuple[str, ...],
    model: str | None,
    postings: tuple[str, ...],
    boost: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what every word and hashtag adds to the score of POSTING_ID for CV.

    \b
    Example: matcher explain cv.txt https://jobs.beck.example/cook --model models/jobs
    """
    sources = _sources(model, postings, more_sources)
    profile = _read_profile(cv, sources)
    boosts = _parse_boosts(boost)
    matcher = _fit(sources) if sources else _load(model)
    recommendation = matcher.explain(profile, posting_id, boosts=boosts)
    if as_json:
        _print_json(recommendation.to_record())
        return
    from matcher.report import printable, render_explanation

    click.echo(printable(f"{recommendation.posting.title or posting_id}"))
    click.echo(f"rank {recommendation.rank:,} of {len(matcher):,} postings, score {recommendation.score:.4f}")
    _console().print(render_explanation(recommendation))


@main.command()
@click.option(
    "--model", type=click.Path(file_okay=False), help=f"Model directory (default: {DEFAULT_MODEL})."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def info(model: str | None, as_json: bool) -> None:
    """Show what a model holds."""
    from matcher.report import describe_model, render_model

    matcher = _load(model)
    if as_json:
        _print_json(describe_model(matcher))
    else:
        _console().print(render_model(matcher, model or DEFAULT_MODEL))


# --- arguments ------------------------------------------------------------------------------------


def _sources(model: str | None, postings: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    if more and not postings:
        raise click.UsageError(
            f"unexpected argument {more[0]!r}; to rank postings from files, use --postings"
        )
    if model and postings:
        raise click.UsageError("use either --model or --postings, not both")
    return postings + more


def _read_profile(cv: str, sources: tuple[str, ...]) -> Profile:
    if cv != "-":
        return read_cv(cv)
    if "-" in sources:
        raise click.UsageError("standard input can be the CV or the postings, not both")
    if sys.stdin.isatty():
        click.echo("Paste the CV, then press Ctrl-D on an empty line.", err=True)
    return read_cv(sys.stdin.buffer)


def _parse_boosts(texts: tuple[str, ...]) -> list[Boost]:
    boosts: list[Boost] = []
    for text in texts:
        name, _, weight = text.partition("=")
        try:
            boosts.append(BOOSTS[name](float(weight)) if weight else BOOSTS[name]())
        except (KeyError, ValueError) as error:
            if isinstance(error, OptionError):
                raise
            raise click.UsageError(
                f"--boost {text}: expected NAME=WEIGHT with NAME one of {', '.join(BOOSTS)}"
            ) from None
    return boosts


def _load(model: str | None) -> Matcher:
    path = model or DEFAULT_MODEL
    if model is None and not Path(path).exists():
        raise click.UsageError("say what to rank: --model DIR or --postings SOURCE...")
    return Matcher.load(path)


def _fit(sources: tuple[str, ...], *, strict: bool = False) -> Matcher:
    origins: list[str | BinaryIO] = [sys.stdin.buffer if source == "-" else source for source in sources]
    with _progress() as progress:
        reader = read_postings(*origins, strict=strict)
        matcher = Matcher.fit(_counted(reader, progress), strict=strict, progress=progress)
    _print_reading(reader, matcher)
    if not len(matcher):
        raise SourceError(f"{', '.join(sources)}: no posting could be read")
    return matcher


# --- output ---------------------------------------------------------------------------------------


def _console(*, stderr: bool = False) -> Console:
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal:  # a file or a pipe has no width: choose one that keeps links in one piece
        console = Console(stderr=stderr, highlight=False, width=110)
    return console


@contextmanager
def _progress() -> Iterator[Progress]:
    """Yield a function that draws progress on a terminal, and does nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda stage, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=_console(stderr=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage)
            bars.update(tasks[stage], completed=done, total=total or None)

        yield update


def _counted(reader: PostingReader, progress: Progress) -> Iterator[Any]:
    for number, posting in enumerate(reader, 1):
        if number % 100 == 0:
            progress("reading postings", number, 0)
        yield posting


def _print_reading(reader: PostingReader, matcher: Matcher) -> None:
    report = reader.report
    if (
        report.rejected_count
        or report.changed_count
        or report.ignored
        or matcher.replaced
        or sys.stderr.isatty()
    ):
        click.echo(report.summary(), err=True)
    for rejected in report.rejected[:MOST_SHOWN]:
        click.echo(f"  rejected {rejected}", err=True)
    if report.rejected_count > MOST_SHOWN:
        click.echo(f"  ... and {report.rejected_count - MOST_SHOWN:,} more", err=True)
    if matcher.replaced:
        names = ", ".join(matcher.replaced[:MOST_SHOWN])
        click.echo(
            f"{len(matcher.replaced):,} ids came more than once, the last posting was kept: {names}", err=True
        )


def _print_notes(ranking: Recommendations) -> None:
    for name, count in ranking.removed.items():
        click.echo(f"filter {name}: {count:,} postings removed", err=True)
    if ranking.notice:
        click.echo(f"note: {ranking.notice}", err=True)


def _print_json(value: Any) -> None:
    readable = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, ensure_ascii=not readable, indent=2))
