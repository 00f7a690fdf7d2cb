"""Files of judgements in JSON: which postings fit which CV."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from matcher.errors import JudgementError
from matcher.evaluate.measures import HIGHEST_GRADE, is_grade

__all__: Final = ["LARGEST_FILE", "JudgedCV", "locate_cv", "read_judgements", "read_text"]

LARGEST_FILE: Final = 16 << 20
"""Bytes of a file of judgements. A line of it is a few hundred."""


@dataclass(frozen=True, slots=True)
class JudgedCV:
    """A CV and which postings fit it.

    Parameters
    ----------
    name : str
        As the file of judgements writes it.
    path : Path
        Where the CV is.
    grades : mapping of str to int
        By posting id; what is not listed does not fit.

    Examples
    --------
    >>> JudgedCV("chef.md", Path("cvs/chef.md"), {"job-1": 2}).grades["job-1"]
    2
    """

    name: str
    path: Path
    grades: Mapping[str, int]


def read_judgements(path: str | os.PathLike[str]) -> tuple[JudgedCV, ...]:
    """Read a file of judged CVs: JSON such as ``{"judgements": {CV: {POSTING ID: {"grade": 2}}}}``.

    CVs are named relative to the file and must be in its folder or below. Other fields (``about``, ``why``)
    are for people. The CVs themselves are not read.

    Parameters
    ----------
    path : path-like
        A regular file in UTF-8.

    Returns
    -------
    tuple of JudgedCV
        In the order of the file.

    Raises
    ------
    JudgementError
        When it cannot be read or an entry makes no sense; names the file and the entry.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "judgements.json")
    ...     _ = file.write_text('{"judgements": {"chef.md": {"job-1": {"grade": 2}}}}')
    ...     [judged] = read_judgements(file)
    >>> judged.name, judged.grades
    ('chef.md', {'job-1': 2})
    """
    file, text = read_text(path)
    content = _parse_json(file, text)
    listed = content.get("judgements") if isinstance(content, dict) else None
    if not isinstance(listed, dict):
        raise JudgementError(f'{file}: expected {{"judgements": {{CV: {{POSTING ID: {{"grade": 2}}}}}}}}')
    judged: dict[Path, JudgedCV] = {}
    for name, entries in listed.items():
        location = locate_cv(file.parent, name, str(file))
        if location in judged:
            raise JudgementError(f"{file}: {name!r} is the same file as {judged[location].name!r}: join them")
        if not isinstance(entries, dict):
            raise JudgementError(f"{file}: {name!r}: expected grades by posting, got {_shown(entries)}")
        grades = {posting: _read_grade(file, name, posting, entry) for posting, entry in entries.items()}
        judged[location] = JudgedCV(name, file.parent / name, grades)
    return tuple(judged.values())


def read_text(path: str | os.PathLike[str], largest: int = LARGEST_FILE) -> tuple[Path, str]:
    r"""Read a regular file of UTF-8; a byte order mark is no part of it.

    Raises
    ------
    JudgementError
        When it is missing, no regular file, too large or not UTF-8.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "fit.qrels").write_text("chef 0 job-1 2")
    ...     read_text(Path(folder, "fit.qrels"))[1]
    'chef 0 job-1 2'
    """
    try:
        file = Path(path)
    except TypeError:
        raise JudgementError(f"expected a path, got {type(path).__name__}") from None
    try:
        # Opening a FIFO would wait for somebody to write into it.
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise JudgementError(f"{file}: not a file")
            with os.fdopen(descriptor, "rb", closefd=False) as opened:
                data = opened.read(largest + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise JudgementError(f"{file}: no such file") from None
    except (OSError, ValueError) as error:
        raise JudgementError(f"{file}: cannot be opened ({getattr(error, 'strerror', error)})") from None
    if len(data) > largest:
        raise JudgementError(f"{file}: larger than {largest:,} bytes: is this a file of judgements?")
    try:
        return file, data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise JudgementError(f"{file}: not UTF-8: save it as UTF-8") from None


def locate_cv(folder: Path, name: str, file: str) -> Path:
    """Return which file in a folder a CV's name means, links followed; `file` is who says so.

    Raises
    ------
    JudgementError
        When that is outside of the folder, or no file name.

    Examples
    --------
    >>> locate_cv(Path("cvs"), "../chef.md", "judgements.json")
    Traceback (most recent call last):
    matcher.errors.JudgementError: judgements.json: '../chef.md' is not a file in the folder cvs: ...
    """
    try:
        location = (folder / name).resolve()
        inside = location.is_relative_to(folder.resolve()) and location != folder.resolve()
    except (OSError, RuntimeError, ValueError) as error:  # NUL characters, links in circles
        raise JudgementError(f"{file}: {name!r} cannot be a file name ({error})") from None
    if not inside:
        raise JudgementError(f"{file}: {name!r} is not a file in the folder {folder}: copy it there")
    return location


def _parse_json(file: Path, text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise JudgementError(f"{file}:{error.lineno}: not JSON ({error.msg})") from None
    except RecursionError:
        raise JudgementError(f"{file}: nested too deeply") from None
    except ValueError as error:
        raise JudgementError(f"{file}: {error}") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"{key!r} comes twice: remove one")
        found[key] = value
    return found


def _read_grade(file: Path, name: str, posting: str, entry: Any) -> int:
    grade = entry.get("grade") if isinstance(entry, dict) else None
    if not is_grade(grade):
        raise JudgementError(
            f"{file}: {name!r}: {posting!r}: expected an object with a grade of 0 to {HIGHEST_GRADE}, got "
            + _shown(entry["grade"] if isinstance(entry, dict) and "grade" in entry else entry)
        )
    return grade


def _shown(value: Any) -> str:
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
