"""Logs of what people did with postings (applied, liked, viewed, disliked), read as judgements."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from matcher.errors import JudgementError
from matcher.evaluate.judgements import read_text
from matcher.evaluate.qrels import LARGEST_TABLE

__all__: Final = ["EVENTS", "Events", "RejectedEvent", "read_events"]

LONGEST_FIELD: Final = 131_072
"""Characters of a cell, of CSV."""

EVENTS: Final[Mapping[str, int]] = {"applied": 3, "liked": 2, "viewed": 1, "disliked": 0}
"""Grade of each event."""

_FIELDS: Final = ("profile", "text", "posting", "event")


@dataclass(frozen=True, slots=True)
class RejectedEvent:
    """A line of a log that makes no sense.

    Parameters
    ----------
    line : int
        From 1.
    reason : str
        Holds nothing of a CV's text.

    Examples
    --------
    >>> str(RejectedEvent(3, "no posting"))
    '3: no posting'
    """

    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Events:
    """What people did with postings, as grades.

    Parameters
    ----------
    grades : dict of str to dict of str to int
        By posting id, by name of the profile; both in ascending order.
    texts : dict of str to str
        The texts of the profiles that the log itself holds, by name.
    read : int
        Lines that were understood.
    rejected : tuple of RejectedEvent
        Lines that were not.

    Examples
    --------
    >>> events = Events({"anna": {"job-1": 3}}, {"anna": "Nurse"}, 1, ())
    >>> events
    Events(1 event of 1 profile, 0 rejected)
    """

    grades: dict[str, dict[str, int]]
    texts: dict[str, str]
    read: int
    rejected: tuple[RejectedEvent, ...]

    def __repr__(self) -> str:
        """Return the counts only: texts are those of CVs."""
        events = f"{self.read:,} event{'' if self.read == 1 else 's'}"
        profiles = f"{len(self.grades):,} profile{'' if len(self.grades) == 1 else 's'}"
        return f"Events({events} of {profiles}, {len(self.rejected):,} rejected)"


def read_events(path: str | os.PathLike[str], *, strict: bool = False) -> Events:
    """Read a log of events: JSON Lines, or CSV with a line of headings.

    A line has the fields ``posting`` (its id), ``event`` (a key of `EVENTS`), and ``profile`` (a name),
    ``text`` (the profile's text) or both. Profiles without a name are named after a hash of their text; a
    name's text needs to stand in one line only. Other fields are not looked at.

    Of several events of a profile with one posting a dislike counts, whenever it came; without one, the
    event of the highest grade. So the order of the lines does not matter.

    Parameters
    ----------
    path : path-like
        A regular file in UTF-8. Named ``.csv``, or not beginning with ``{``, it is read as CSV.
    strict : bool
        Raise at the first line that makes no sense, instead of counting it.

    Returns
    -------
    Events

    Raises
    ------
    JudgementError
        When the file cannot be read, holds no event, or a profile has two different texts; with `strict`,
        also when a line makes no sense. Names the file and the line, never a text.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "log.csv")
    ...     lines = ["profile,posting,event", "anna,job-1,viewed", "anna,job-1,applied", "anna,,liked"]
    ...     _ = file.write_text("\\n".join(lines))
    ...     events = read_events(file)
    >>> events.grades, events.rejected
    ({'anna': {'job-1': 3}}, (RejectedEvent(line=4, reason='no posting: give its id'),))
    """
    file, text = read_text(path, LARGEST_TABLE)
    is_csv = file.suffix.lower() == ".csv" or not text.lstrip().startswith("{")
    grades: dict[str, dict[str, int]] = {}
    texts: dict[str, str] = {}
    rejected: list[RejectedEvent] = []
    read = 0
    for line, entry in _read_table(file, text) if is_csv else _read_lines(text):
        event = entry if isinstance(entry, str) else _check_event(entry)
        if isinstance(event, str):
            if strict:
                raise JudgementError(f"{file}:{line}: {event}")
            rejected.append(RejectedEvent(line, event))
            continue
        profile, cv, posting, grade = event
        if cv and texts.setdefault(profile, cv) != cv:
            raise JudgementError(f"{file}:{line}: this profile has another text in a line before")
        read += 1
        judged = grades.setdefault(profile, {})
        before = judged.get(posting, grade)
        judged[posting] = max(before, grade) if before and grade else 0
    if not read:
        bad = f": {len(rejected):,} rejected, the first at line {rejected[0]}" if rejected else ""
        raise JudgementError(f"{file}: no events here{bad}")
    ordered = {profile: dict(sorted(judged.items())) for profile, judged in sorted(grades.items())}
    return Events(ordered, texts, read, tuple(rejected))


def _check_event(entry: Mapping[str, Any]) -> tuple[str, str, str, int] | str:
    """Return profile, text, posting and grade of a line, or what is wrong with it."""
    values = {name: entry.get(name) for name in _FIELDS}
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            return f"{name} is no text: write it between quotes"
    profile, cv, posting, event = ((values[name] or "").strip() for name in _FIELDS)
    if not posting:
        return "no posting: give its id"
    if event.lower() not in EVENTS:
        # What stands there is not shown: where columns are mixed up, it is a CV.
        return f"{'another' if event else 'no'} event: use one of {', '.join(EVENTS)}"
    if not profile and not cv:
        return "no profile: give its name, or its text"
    name = profile or "text-" + sha256(cv.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return name, cv, posting, EVENTS[event.lower()]


def _read_lines(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            yield number, "not JSON: write one object a line"
            continue
        yield number, entry if isinstance(entry, dict) else "expected an object"


def _read_table(file: Path, text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    headings: list[str] = []
    first = 1
    while True:
        try:
            row = next(rows)
            # The limit of the module is that of the whole process, and others may have raised it.
            if max(map(len, row), default=0) > LONGEST_FIELD:
                raise csv.Error
        except StopIteration:
            return
        except csv.Error:
            # Where a quoted field does not end, nothing after it can be told apart.
            yield first, "not CSV from here on: is a quote not closed, or a field too long?"
            return
        line, first = first, rows.line_num + 1
        if not any(cell.strip() for cell in row):
            continue
        if not headings:
            headings = [cell.strip().lower() for cell in row]
            if not {"posting", "event"} <= {*headings} or not {"profile", "text"} & {*headings}:
                raise JudgementError(
                    f"{file}:{line}: expected JSON Lines, or CSV headed profile (or text), posting, event"
                )
        elif len(row) != len(headings):
            yield line, f"expected {len(headings)} columns, got {len(row)}"
        else:
            yield line, dict(zip(headings, row, strict=True))
