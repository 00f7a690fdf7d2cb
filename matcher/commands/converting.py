"""The command that writes postings in another format: `convert`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NoReturn

import click

from matcher.commands.group import ClearCommand
from matcher.commands.options import column_option, not_empty
from matcher.commands.output import print_reading, show_progress
from matcher.errors import OptionError, PostingError, SourceError
from matcher.posting import Posting
from matcher.recommender import Progress
from matcher.sources import PostingReader, read_postings
from matcher.sources.file_names import file_name
from matcher.sources.writers import WRITERS, Writer
from matcher.terminal import count_postings, printable, standard_input, write_line

__all__: Final = ["convert"]


@click.command(cls=ClearCommand, short_help="Write postings in another format.")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...", callback=not_empty)
@click.option("--to", "to", required=True, type=click.Choice(list(WRITERS)), help="Format to write.")
@click.option(
    "--output",
    type=click.Path(),
    callback=not_empty,
    help="File for jsonl, folder for markdown (a file a posting); - or none for standard output.",
)
@column_option
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--strict", is_flag=True, help="Stop at the first posting that cannot be read.")
def convert(
    sources: tuple[str, ...],
    to: str,
    output: str | None,
    columns: Mapping[str, str],
    force: bool,
    strict: bool,
) -> None:
    """Write the postings in SOURCE (folders, files, or - for standard input) as Markdown or JSON Lines.

    What is written reads back as exactly the same postings. Of several with one id, a folder keeps the last.

    \b
    Examples: matcher convert seeds/ --to jsonl --output seeds.jsonl
              matcher convert board.json --to markdown --output postings/
    """
    writer = WRITERS[to]
    target = None if output in (None, "-") else Path(output)
    if target is not None:
        _check_target(target, sources, is_folder=to == "markdown", force=force)
    reader = read_postings(
        *(standard_input() if source == "-" else source for source in sources),
        columns=columns,
        strict=strict,
    )
    with _naming(target), show_progress() as progress, _ending_on_sigterm():
        postings = _counted(reader, progress)
        if target is None:
            written = _write_stream(postings, writer, sys.stdout.buffer)
        elif to == "markdown":
            written = _write_folder(postings, writer, target, force=force)
        else:
            with _replacing(target) as file:
                written = _write_stream(postings, writer, file)
                _check_some(reader, sources)
    _check_some(reader, sources)
    print_reading(reader.report, reader.report.read)
    write_line(_count(written), error=target is None)


def _count(written: int) -> str:
    return f"{count_postings(written)} written"


def _check_some(reader: PostingReader, sources: tuple[str, ...]) -> None:
    if not reader.report.read:
        print_reading(reader.report, 0)
        reason = "no posting could be read" if reader.report.rejected_count else "no postings here"
        raise SourceError(f"{', '.join(sources)}: {reason}")


def _check_target(target: Path, sources: Iterable[str], *, is_folder: bool, force: bool) -> None:
    place = target.resolve()
    for source in sources:
        origin = Path(source).resolve()
        if source != "-" and (place == origin or place.is_relative_to(origin)):
            raise OptionError(f"--output {target}: lies in the source {source}; write somewhere else")
    if is_folder:
        if target.exists() and not target.is_dir():
            raise OptionError(f"--output {target}: is a file; markdown needs a folder")
        if not force and target.is_dir() and any(target.iterdir()):
            raise OptionError(f"--output {target}: is not empty; use another folder, or --force")
    elif target.is_dir():
        raise OptionError(f"--output {target}: is a folder; jsonl needs a file")
    elif not force and os.path.lexists(target):
        raise OptionError(f"--output {target}: is there already; use another name, or --force")


def _counted(reader: PostingReader, progress: Progress) -> Iterator[Posting]:
    for number, posting in enumerate(reader, 1):
        if number % 100 == 0:
            progress("converting postings", number, 0)
        yield posting


def _write_stream(postings: Iterable[Posting], writer: Writer, file: BinaryIO) -> int:
    written = 0
    for data in _encoded(postings, writer):
        file.write(data[1])
        written += 1
    file.flush()
    return written


def _write_folder(postings: Iterable[Posting], writer: Writer, folder: Path, *, force: bool) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        for posting_id, data in _encoded(postings, writer):
            path = folder / file_name(posting_id, writer.suffix)
            # The last one of an id takes the place of the first; among older files nobody can tell.
            is_new = force or not path.exists()
            with _replacing(path) as file:
                file.write(data)
            written += is_new
    except (KeyboardInterrupt, SystemExit):
        if written:
            text = (
                f"{folder}: {_count(written)}, each of them whole; with --force the next run writes them all"
            )
            write_line(printable(text), error=True)
        raise
    return written


def _encoded(postings: Iterable[Posting], writer: Writer) -> Iterator[tuple[str, bytes]]:
    for posting in postings:
        try:
            yield posting.id, writer.write(posting)
        except PostingError as error:
            write_line(printable(f"  not written: {error}"), error=True)


@contextmanager
def _naming(target: Path | None) -> Iterator[None]:
    """Let errors of writing say which file or folder it was; those of standard output stay as they are."""
    try:
        yield
    except OSError as error:
        if target is None:
            raise
        raise click.ClickException(f"{target}: cannot be written ({error.strerror or error})") from None


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the command the way Ctrl-C does, so that nothing unfinished stays behind."""
    is_ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    )
    if not is_ours:
        yield
        return
    signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _end(number: int, frame: Any) -> NoReturn:
    raise SystemExit(128 + number)


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when all went well, and leaves nothing behind otherwise."""
    unfinished = path.with_name(f".{path.name[:100]}.{os.getpid()}.unfinished")
    try:
        with unfinished.open("xb") as file:
            yield file
        unfinished.replace(path)  # replaces a link, and never follows it
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
