"""Judgements as TREC writes them (qrels), and the CVs of their queries: files, or lines of a table."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from matcher.errors import JudgementError
from matcher.evaluate.judgements import locate_cv, read_text
from matcher.evaluate.measures import HIGHEST_GRADE, is_grade

__all__: Final = ["LARGEST_TABLE", "find_cvs", "is_json", "read_qrels", "read_queries"]

LARGEST_TABLE: Final = 256 << 20
"""Bytes of a table of queries: a hundred thousand CVs of some 2,500 characters."""

_BLANKS: Final = re.compile(r"[ \t]+")
_GRADE: Final = re.compile(r"[0-9]{1,4}", re.ASCII)


def is_json(path: str | os.PathLike[str]) -> bool:
    """Return whether judgements are JSON rather than qrels, by their ending or first character.

    Raises
    ------
    JudgementError
        When the file cannot be read.

    Examples
    --------
    >>> is_json("examples/cvs/judgements.json")
    True
    """
    file, text = read_text(path)
    return file.suffix.lower() == ".json" or text.lstrip()[:1] in {"{", "["}


def read_qrels(path: str | os.PathLike[str]) -> dict[str, dict[str, int]]:
    r"""Read TREC qrels: lines of ``query iteration posting grade``, between white space.

    The iteration is not looked at. A line with exactly three tabs is split at the tabs, so that names may
    hold spaces. Empty lines are skipped.

    Parameters
    ----------
    path : path-like
        A regular file in UTF-8.

    Returns
    -------
    dict of str to dict of str to int
        Grades by posting id, by query, in the order of the file.

    Raises
    ------
    JudgementError
        When it cannot be read, holds nothing, or a line makes no sense; names the file and the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "fit.qrels").write_text("chef 0 job-1 2\nchef 0 job-2 0\n")
    ...     read_qrels(Path(folder, "fit.qrels"))
    {'chef': {'job-1': 2, 'job-2': 0}}
    """
    file, text = read_text(path)
    found: dict[str, dict[str, int]] = {}
    for number, line in _lines(text):
        parts = _split(line)
        if len(parts) != 4:
            raise JudgementError(
                f"{file}:{number}: expected 4 columns (query 0 posting grade), got {len(parts)}"
            )
        query, _, posting, written = parts
        grade = int(written) if _GRADE.fullmatch(written) else None
        if not is_grade(grade):
            shown = written if len(written) <= 20 else f"{written[:19]}…"
            raise JudgementError(
                f"{file}:{number}: expected a grade of 0 (does not fit) to {HIGHEST_GRADE}, got {shown!r}"
            )
        grades = found.setdefault(query, {})
        if posting in grades:
            raise JudgementError(f"{file}:{number}: {query!r} and {posting!r} come twice: remove one line")
        grades[posting] = grade
    if not found:
        raise JudgementError(f"{file}: no judgements here")
    return found


def find_cvs(
    queries: Iterable[str], folder: str | os.PathLike[str], file: str | os.PathLike[str] = "judgements"
) -> dict[str, Path]:
    """Return where in a folder the CVs of queries are: in files of their names, or with an ending added.

    Parameters
    ----------
    queries : iterable of str
        Such as ``chef`` or ``chef.md``; they may name folders below, as in ``kitchen/chef``.
    folder : path-like
    file : path-like
        Where the queries come from, for error messages.

    Returns
    -------
    dict of str to Path
        In the order of the queries.

    Raises
    ------
    JudgementError
        When there is no such folder, no CV or more than one for a query, or a name leads out of the folder.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "chef.md").write_text("Chef")
    ...     find_cvs(["chef"], folder)["chef"].name
    'chef.md'
    """
    root, file = Path(folder), os.fspath(file)
    if not root.is_dir():
        raise JudgementError(f"{root}: no such folder")
    found: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    for query in queries:
        path = _find_cv(root, query, file)
        location = locate_cv(root, path.relative_to(root).as_posix(), file)
        if location in taken:
            raise JudgementError(f"{file}: {query!r} and {taken[location]!r} are the same CV: join them")
        taken[location] = query
        found[query] = path
    return found


def read_queries(path: str | os.PathLike[str]) -> dict[str, str]:
    r"""Read the texts of CVs from a table with a line for each: query, tab, text.

    Further tabs are part of the text. Empty lines are skipped. Errors never show text.

    Parameters
    ----------
    path : path-like
        A regular file in UTF-8, without a line of headings.

    Returns
    -------
    dict of str to str
        Text by query, in the order of the file.

    Raises
    ------
    JudgementError
        When it cannot be read, holds nothing, or a line makes no sense; names the file and the line.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "cvs.tsv").write_text("chef\tChef de partie, pastry\n")
    ...     read_queries(Path(folder, "cvs.tsv"))
    {'chef': 'Chef de partie, pastry'}
    """
    file, text = read_text(path, LARGEST_TABLE)
    found: dict[str, str] = {}
    for number, line in _lines(text):
        query, tab, cv = line.partition("\t")
        query, cv = query.strip(), cv.strip()
        if not tab:
            raise JudgementError(
                f"{file}:{number}: expected a query, a tab and the text of its CV, got no tab"
            )
        if not query or not cv:
            missing = "the text of the CV" if query else "the query"
            raise JudgementError(f"{file}:{number}: {missing} is empty")
        if query in found:
            raise JudgementError(f"{file}:{number}: the query {query!r} comes twice: remove one line")
        found[query] = cv
    if not found:
        raise JudgementError(f"{file}: no queries here")
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines: form feeds and the like may stand inside the text of a CV.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.removesuffix("\r")


def _split(line: str) -> list[str]:
    columns = [column.strip() for column in line.split("\t")]
    if len(columns) == 4 and all(columns):
        return columns
    return _BLANKS.split(line.strip())


def _find_cv(root: Path, query: str, file: str) -> Path:
    wanted = root / query
    try:
        # Checked before looking: nothing outside of the folder is listed.
        locate_cv(root, query, file)
        if wanted.is_file():
            return wanted
        beside = sorted(wanted.parent.iterdir()) if wanted.parent.is_dir() else []
        found = [path for path in beside if path.stem == wanted.name and path.suffix and path.is_file()]
    except OSError as error:
        raise JudgementError(f"{root}: {query!r} cannot be opened ({error.strerror})") from None
    if not found:
        raise JudgementError(f"{file}: no CV of {query!r} in {root}: expected a file {query} or {query}.*")
    if len(found) > 1:
        names = ", ".join(path.name for path in found[:3])
        raise JudgementError(
            f"{file}: more than one CV of {query!r} in {root} ({names}): name one with its ending"
        )
    return found[0]
