"""What commands show beside their result: progress, what reading came to, JSON, a page of HTML."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click

from matcher.recommendation import Recommendations
from matcher.recommender import Progress
from matcher.sources import ReadReport
from matcher.terminal import count_postings, escape_json, is_terminal, make_console, printable, write_line

__all__: Final = [
    "MOST_SHOWN",
    "check_page",
    "print_json",
    "print_notes",
    "print_reading",
    "show_progress",
    "write_page",
]

MOST_SHOWN: Final = 10
"""Lines about one thing; what is left out is counted."""


@contextmanager
def show_progress() -> Iterator[Progress]:
    """Yield a function that draws progress on a terminal, and does nothing elsewhere.

    Examples
    --------
    >>> with show_progress() as progress:
    ...     progress("reading postings", 100, 0)
    """
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


def print_reading(report: ReadReport, distinct: int, replaced: Collection[str] = ()) -> None:
    """Say what reading came to, if there is anything to say, on standard error.

    Parameters
    ----------
    report : ReadReport
    distinct : int
        How many postings were read, those with one id counted once.
    replaced : collection of str
        Ids that came with different contents.

    Examples
    --------
    >>> print_reading(ReadReport(read=2), 2)
    """
    repeated = report.read - distinct
    is_odd = report.rejected_count or report.changed_count or report.ignored or repeated
    if is_odd or is_terminal(sys.stderr):
        write_line(printable(report.summary()), error=True)
    for rejected in report.rejected[:MOST_SHOWN]:
        write_line(printable(f"  rejected {rejected}"), error=True)
    if report.rejected_count > MOST_SHOWN:
        write_line(f"  ... and {report.rejected_count - MOST_SHOWN:,} more", error=True)
    if repeated:
        write_line(
            f"{count_postings(repeated)} came again with an id read before; the last one counts", error=True
        )
    if replaced:
        more = f" and {len(replaced) - MOST_SHOWN:,} more" if len(replaced) > MOST_SHOWN else ""
        names = ", ".join(list(replaced)[:MOST_SHOWN])
        write_line(printable(f"  not all alike: {names}{more}"), error=True)


def print_notes(ranking: Recommendations) -> None:
    """Say what filters removed, and what is to be known about a ranking, on standard error.

    Examples
    --------
    >>> print_notes(Recommendations((), 0, {}, ""))
    """
    for name, count in ranking.removed.items():
        write_line(f"filter {name}: {count_postings(count)} removed", error=True)
    if ranking.notice:
        write_line(f"note: {ranking.notice}", error=True)


def print_json(value: Any) -> None:
    """Print a value as JSON that steers no terminal and loses nothing on one without Unicode.

    Examples
    --------
    >>> print_json([1])
    [
      1
    ]
    """
    readable = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    write_line(escape_json(json.dumps(value, ensure_ascii=not readable, indent=2)))


def check_page(ctx: click.Context, parameter: click.Parameter, value: str | None) -> Path | None:
    """Refuse a place where a page cannot be written, before anything is done.

    Examples
    --------
    >>> check_page(None, None, "no/such/folder/page.html")
    Traceback (most recent call last):
    click.exceptions.BadParameter: no/such/folder: no such folder
    """
    if value is None:
        return None
    path = Path(value)
    try:
        _check_place(path)
    except (OSError, ValueError) as error:
        raise click.BadParameter(getattr(error, "strerror", None) or str(error)) from None
    return path


def _check_place(path: Path) -> None:
    if not path.name:
        raise ValueError("is empty; say which file to write")
    if not path.parent.is_dir():
        raise ValueError(f"{path.parent}: no such folder")
    with suppress(FileNotFoundError):
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            raise ValueError(f"{path}: a link; name the file itself")
        if not stat.S_ISREG(mode):
            raise ValueError(f"{path}: there is something that is no file")


def write_page(path: Path, page: str) -> None:
    """Write a page in one step: whoever opens it finds the old one or the new one, whole. Links stay.

    Raises
    ------
    click.ClickException
        When it cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_page(Path(folder, "page.html"), "<p>")
    ...     os.listdir(folder)
    ['page.html']
    """
    temporary = path.with_name(f".{path.name[:80]}.{os.getpid()}-{os.urandom(4).hex()}")
    try:
        _check_place(path)
        with temporary.open("x", encoding="utf-8", newline="\n") as file:
            file.write(page)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"{path}: the report cannot be written ({reason})") from None
    finally:
        with suppress(OSError):
            temporary.unlink()
