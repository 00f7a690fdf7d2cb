"""The command `matcher`: train a model, rank postings for a CV, explain a score.

Thin: it parses arguments, calls the library and prints. Standard output carries results only; notes,
progress and errors go to standard error. Exit status: 0 fine, 1 a clear error, 2 wrong use.
"""

from __future__ import annotations

import errno
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn, TypeVar

import click

from matcher._version import __version__
from matcher.boosts import BOOSTS, Boost
from matcher.cv import read_cv
from matcher.errors import FilterError, MatcherError, OptionError, SourceError
from matcher.filters import FILTERS
from matcher.profile import Profile
from matcher.ranker import Matcher
from matcher.recommendation import Recommendations
from matcher.recommender import Progress
from matcher.sources import PostingReader, read_postings
from matcher.terminal import escape_json, is_terminal, make_console, printable, standard_input, write_line

__all__: Final = ["main"]

DEFAULT_MODEL: Final = "models/demo"
MOST_SHOWN: Final = 10

_FOLDER: Final = click.Path(file_okay=False)
_Command = TypeVar("_Command", bound=Callable[..., Any])


class _ClearCommand(click.Command):
    """Turns errors into one line on standard error that says what to do."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FilterError as error:
            _fail(ctx, re.sub(r"^filter (\w+)", lambda name: _option(name[1]), str(error)), 2)
        except OptionError as error:
            _fail(ctx, str(error), 2)
        except MatcherError as error:
            _fail(ctx, str(error), 1)
        except click.ClickException as error:
            _fail(ctx, error.format_message(), error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has read enough
                raise
            _fail(ctx, f"cannot write the output ({error.strerror or error})", 1)


class _ClearGroup(click.Group):
    """Shows click's own errors, too, without what could steer a terminal."""

    command_class = _ClearCommand

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            _fail(getattr(error, "ctx", None) or ctx, error.format_message(), error.exit_code)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _fail(ctx: click.Context, message: str, code: int) -> NoReturn:
    if code == 2:  # wrong use
        write_line(f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n", error=True)
    write_line(printable(f"Error: {message}"), error=True)
    ctx.exit(code)


@click.group(
    cls=_ClearGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="matcher")
def main() -> None:
    """Recommend job postings for a CV: ranked, filtered and explained."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _not_empty(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    if value == "" or (isinstance(value, tuple) and "" in value):
        raise click.BadParameter("is empty; an empty path would mean this folder")
    return value


@main.command(short_help="Learn from postings and write a model.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", callback=_not_empty)
@click.option("--model", required=True, type=_FOLDER, callback=_not_empty, help="Model directory to write.")
@click.option("--strict", is_flag=True, help="Stop at the first posting that cannot be read.")
def train(sources: tuple[str, ...], model: str, strict: bool) -> None:
    """Learn from postings in SOURCE (folders, files, or - for standard input) and write a model.

    \b
    Example: matcher train seeds/ --model models/jobs
    """
    matcher = _fit(sources, strict=strict)
    generation = matcher.save(model)
    write_line(printable(f"{model}: generation {generation} with {len(matcher):,} postings"))


def _ranking_options(command: _Command) -> _Command:
    options = [
        click.option(
            "--model", type=_FOLDER, callback=_not_empty, help=f"Model directory (default: {DEFAULT_MODEL})."
        ),
        click.option(
            "--postings",
            multiple=True,
            callback=_not_empty,
            metavar="SOURCE...",
            help="Rank these postings instead of a model: folders, files, or - for standard input.",
        ),
        click.option(
            "--boost",
            multiple=True,
            metavar="NAME[=WEIGHT]",
            help=f"Add WEIGHT (default 0.05) to postings for a reason: {', '.join(BOOSTS)}.",
        ),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _filter_options(command: _Command) -> _Command:
    for row in reversed(list(FILTERS.values())):
        option = _option(row.name)
        if row.is_flag:
            command = click.option(
                f"{option}/{option.replace('--', '--no-', 1)}", default=None, help=row.description
            )(command)
        else:
            command = click.option(option, multiple=row.takes_many, help=row.description)(command)
    return command


@main.command(short_help="Rank postings for a CV.")
@click.argument("cv", callback=_not_empty)
@click.argument("more_sources", nargs=-1, metavar="[SOURCE...]", callback=_not_empty)
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

    fitting = [recommendation for recommendation in ranking if recommendation.score > 0]
    if fitting:
        make_console().print(render_recommendations(fitting))
        if len(fitting) < len(ranking):
            write_line("note: no other posting has anything in common with the CV", error=True)


@main.command(short_help="Show what every word adds to one score.")
@click.argument("cv", callback=_not_empty)
@click.argument("posting_id")
@click.argument("more_sources", nargs=-1, metavar="[SOURCE...]", callback=_not_empty)
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
    from matcher.report import render_explanation

    write_line(printable(recommendation.posting.title or posting_id))
    write_line(f"rank {recommendation.rank:,} of {len(matcher):,} postings, score {recommendation.score:.4f}")
    make_console().print(render_explanation(recommendation))


@main.command(short_help="Show what a model holds.")
@click.option(
    "--model", type=_FOLDER, callback=_not_empty, help=f"Model directory (default: {DEFAULT_MODEL})."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")
def info(model: str | None, as_json: bool) -> None:
    """Show what a model holds."""
    from matcher.report import describe_model, render_model

    matcher = _load(model, advice="say which model to show: --model DIR")
    if as_json:
        _print_json(describe_model(matcher))
    else:
        make_console().print(render_model(matcher, model or DEFAULT_MODEL))


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
    if is_terminal(sys.stdin):
        write_line("Paste the CV, then press Ctrl-D on an empty line.", error=True)
    return read_cv(standard_input())


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


def _load(
    model: str | None, advice: str = "say what to rank: --model DIR or --postings SOURCE..."
) -> Matcher:
    path = model or DEFAULT_MODEL
    if model is None and not Path(path).exists():
        raise click.UsageError(f"{advice} ({DEFAULT_MODEL} is not in this folder)")
    return Matcher.load(path)


def _fit(sources: tuple[str, ...], *, strict: bool = False) -> Matcher:
    origins: list[str | BinaryIO] = [standard_input() if source == "-" else source for source in sources]
    with _progress() as progress:
        reader = read_postings(*origins, strict=strict)
        matcher = Matcher.fit(_counted(reader, progress), strict=strict, threads=2, progress=progress)
    _print_reading(reader, matcher)
    if not len(matcher):
        reason = "no posting could be read" if reader.report.rejected_count else "no .md or .jsonl files here"
        raise SourceError(f"{', '.join(sources)}: {reason}")
    return matcher


# --- output ---------------------------------------------------------------------------------------


@contextmanager
def _progress() -> Iterator[Progress]:
    """Yield a function that draws progress on a terminal, and does nothing elsewhere."""
    if not is_terminal(sys.stderr):
        yield lambda stage, done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=make_console(error=True), transient=True) as bars:
        tasks: dict[str, Any] = {}

        def update(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=None)
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
        or report.read > len(matcher)
        or is_terminal(sys.stderr)
    ):
        write_line(printable(report.summary()), error=True)
    for rejected in report.rejected[:MOST_SHOWN]:
        write_line(printable(f"  rejected {rejected}"), error=True)
    if report.rejected_count > MOST_SHOWN:
        write_line(f"  ... and {report.rejected_count - MOST_SHOWN:,} more", error=True)
    repeated = report.read - len(matcher)
    if repeated:
        write_line(
            f"{repeated:,} postings came again with an id read before; the last one counts", error=True
        )
    if matcher.replaced:
        more = (
            f" and {len(matcher.replaced) - MOST_SHOWN:,} more" if len(matcher.replaced) > MOST_SHOWN else ""
        )
        names = ", ".join(matcher.replaced[:MOST_SHOWN])
        write_line(printable(f"  not all alike: {names}{more}"), error=True)


def _print_notes(ranking: Recommendations) -> None:
    for name, count in ranking.removed.items():
        write_line(f"filter {name}: {count:,} postings removed", error=True)
    if ranking.notice:
        write_line(f"note: {ranking.notice}", error=True)


def _print_json(value: Any) -> None:
    readable = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    write_line(escape_json(json.dumps(value, ensure_ascii=not readable, indent=2)))
