"""The commands that look after models: `info`, `history`, `rollback`, `verify` and `compact`."""

from __future__ import annotations

from typing import Final

import click

from matcher.commands.group import ClearCommand
from matcher.commands.options import (
    find_model,
    json_option,
    key_option,
    load_model,
    model_option,
    written_model_option,
)
from matcher.commands.output import print_json
from matcher.store.generations import history as list_generations
from matcher.store.generations import rollback as go_back
from matcher.terminal import count_postings, make_console, printable, write_line

__all__: Final = ["compact", "history", "info", "rollback", "verify"]

_ADVICE: Final = "say which model to show: --model DIR"


@click.command(cls=ClearCommand, short_help="Show what a model holds.")
@model_option
@json_option
@key_option
def info(model: str | None, as_json: bool, key: bytes | None) -> None:
    """Show what a model holds.

    \b
    Example: matcher info --model models/jobs
    """
    from matcher.report import describe_model, render_model

    matcher = load_model(model, key, _ADVICE)
    path = find_model(model, _ADVICE)
    generations = len(list_generations(path))
    if as_json:
        print_json(describe_model(matcher) | {"generations": generations})
    else:
        make_console().print(render_model(matcher, path, generations))


@click.command(cls=ClearCommand, short_help="List the generations of a model.")
@model_option
@json_option
def history(model: str | None, as_json: bool) -> None:
    """List the generations of a model that are on disk, and what each one changed.

    \b
    Example: matcher history --model models/jobs
    """
    from matcher.generation_report import describe_generations, render_generations

    found = list_generations(find_model(model, _ADVICE))
    if as_json:
        print_json(describe_generations(found))
    else:
        make_console().print(render_generations(found))


@click.command(cls=ClearCommand, short_help="Make an older generation current again.")
@written_model_option
@click.option("--to", type=click.IntRange(min=1), metavar="N", help="Which one (default: the one before).")
@key_option
def rollback(model: str, to: int | None, key: bytes | None) -> None:
    """Make an older generation of a model current again, after checking it.

    \b
    Example: matcher rollback --model models/jobs --to 3
    """
    generation = go_back(model, to, key=key)
    write_line(printable(f"{model}: generation {generation} is current again"))


@click.command(cls=ClearCommand, short_help="Check every file and number of a model.")
@model_option
@click.option("--all", "every", is_flag=True, help="Check all generations, not only the current one.")
@json_option
@key_option
def verify(model: str | None, every: bool, as_json: bool, key: bytes | None) -> None:
    """Check a model: hashes, ranges, every posting. Exit status 1 with a line for each problem.

    \b
    Example: matcher verify --model models/jobs --all
    """
    from matcher.verification import verify_model

    path = find_model(model, "say which model to check: --model DIR")
    found = verify_model(path, every=every, key=key)
    problems = [problem for verified in found for problem in verified.problems]
    if as_json:
        print_json([verified.to_record() for verified in found])
    else:
        for verified in found:
            if not verified.problems:
                write_line(
                    printable(
                        f"{path}: generation {verified.generation} is sound: "
                        f"{count_postings(verified.postings)}, "
                        f"{verified.files:,} files, {verified.bytes:,} bytes"
                    )
                )
    for problem in problems:
        write_line(printable(f"Error: {problem}"), error=True)
    if problems:
        click.get_current_context().exit(1)


@click.command(cls=ClearCommand, short_help="Rewrite a model without deleted postings.")
@written_model_option
@key_option
def compact(model: str, key: bytes | None) -> None:
    """Write a model anew without deleted postings, and delete all older generations.

    Afterwards no text of a removed posting is left on disk, and nothing to roll back to.

    \b
    Example: matcher compact --model models/jobs
    """
    matcher = load_model(model, key)
    done = matcher.compact()
    write_line(printable(f"{model}: generation {done.generation} with {count_postings(len(matcher))}"))
    if done.in_use:
        numbers = ", ".join(map(str, done.in_use))
        write_line(
            f"still read by somebody: generation {numbers}; run this again when that has ended", error=True
        )
