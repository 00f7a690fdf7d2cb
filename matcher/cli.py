"""The command `matcher`: train and retrain a model, rank postings for a CV, explain a score, measure.

Thin: commands parse arguments, call the library and print. Standard output carries results only; notes,
progress and errors go to standard error. Exit status: 0 fine, 1 a clear error, 2 wrong use, 130 interrupted.
"""

from __future__ import annotations

import io
import sys
from typing import Final

import click

from matcher._version import __version__
from matcher.commands.converting import convert
from matcher.commands.evaluating import evaluate
from matcher.commands.group import ClearGroup
from matcher.commands.models import compact, history, info, rollback, verify
from matcher.commands.ranking import explain, rank
from matcher.commands.training import retrain, train
from matcher.commands.tuning import tune

__all__: Final = ["main"]


@click.group(
    cls=ClearGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="matcher")
def main() -> None:
    """Recommend job postings for a CV: ranked, filtered and explained."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


main.add_section("Rank", rank, explain, evaluate)
main.add_section("Train", train, retrain, tune)
main.add_section("Convert", convert)
main.add_section("Look after models", info, history, rollback, verify, compact)

if __name__ == "__main__":
    main(prog_name="matcher")
