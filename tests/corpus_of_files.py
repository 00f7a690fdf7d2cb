"""The corpus of hostile and careless files: how a case is written, made into files, read and judged.

Cases are in tests/cases/files, one JSON list a family. Each has

- ``name``, and ``kind``: ``synthetic`` (made for one weakness), ``wild`` (as boards and people really send
  it), ``negative`` (in order, although it looks broken: nothing may change), ``known failure`` (what is
  wanted is not reached yet; the test fails when it is);
- ``file`` and ``content``, or ``files`` (name -> content) for a folder;
- ``how``: ``file`` (when absent), ``stream``, ``folder``, ``strict`` or ``cv``;
- ``holds``: how many postings a person sees in it, so that none can be lost silently;
- ``wanted``: see `judge`.

Content is text, or one of the expressions of `MAKERS`, which keep huge files small here.
"""

import base64
import gzip
import io
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from matcher.cv import read_cv
from matcher.errors import MatcherError
from matcher.posting import Posting
from matcher.sources import ReadReport, read_postings
from tests import made_documents

FOLDER = Path(__file__).parent / "cases" / "files"
KINDS = ("synthetic", "wild", "negative", "known failure")


# --- content ----------------------------------------------------------------------------------------


def _document(kind: str, text: str) -> bytes:
    if kind == "pdf":
        return made_documents.pdf(text)
    if kind == "docx":
        return made_documents.docx("".join(map(made_documents.paragraph, text.split("\n"))))
    return made_documents.odt("".join(f"<text:p>{line}</text:p>" for line in text.split("\n")))


def _numbered(line: str, times: int) -> bytes:
    return "".join(line.replace("{n}", str(number)) for number in range(1, times + 1)).encode()


MAKERS = {
    "base64": lambda value, spec: base64.b64decode(value),
    "text": lambda value, spec: value.encode(spec["codec"]),
    "broken": lambda value, spec: _broken(value, spec["codec"], spec.get("times", 1)),
    "repeat": lambda value, spec: make(value) * spec["times"],
    "numbered": lambda value, spec: _numbered(value, spec["times"]),
    "gzip": lambda value, spec: gzip.compress(make(value), mtime=0) * spec.get("members", 1),
    "cut": lambda value, spec: make(value)[: spec["at"]],
    "hostile": lambda value, spec: made_documents.HOSTILE[value][0](),
    "pdf": lambda value, spec: _document("pdf", value),
    "docx": lambda value, spec: _document("docx", value),
    "odt": lambda value, spec: _document("odt", value),
}
"""Expression -> bytes. A list of contents is one behind the other."""


def _broken(text: str, codec: str, times: int) -> bytes:
    for _ in range(times):
        text = "".join(
            # Windows-1252 has no character for five bytes; programs put the control character there.
            bytes([byte]).decode(codec, "replace").replace("\ufffd", chr(byte))
            for byte in text.encode()
        )
    return text.encode()


def make(content: Any) -> bytes:
    """Return the bytes that a content stands for."""
    if isinstance(content, str):
        return content.encode()
    if isinstance(content, list):
        return b"".join(map(make, content))
    key = next(key for key in MAKERS if key in content)
    return MAKERS[key](content[key], content)


def put(path: Path, content: Any) -> None:
    """Make a file, or what takes the place of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    special = content if isinstance(content, dict) else {}
    if "fifo" in special:
        os.mkfifo(path)
    elif "folder" in special:
        path.mkdir()
    elif "link" in special:
        path.symlink_to(special["link"])
    elif "sparse" in special:
        with path.open("wb") as file:
            file.truncate(special["sparse"])
    else:
        path.write_bytes(make(content))


# --- reading ----------------------------------------------------------------------------------------


@dataclass
class Case:
    """One labelled file or folder."""

    name: str
    kind: str
    family: str
    files: Mapping[str, Any]
    wanted: Mapping[str, Any]
    how: str = "file"
    holds: int = 1
    columns: Mapping[str, str] | None = None
    row: str = ""


@dataclass
class Outcome:
    """What reading a case came to."""

    postings: list[Posting] = field(default_factory=list)
    report: ReadReport = field(default_factory=ReadReport)
    error: str = ""
    text: str = ""


def load_cases() -> list[Case]:
    """Return all cases, by family and in the order of their files."""
    cases = []
    for path in sorted(FOLDER.glob("*.json")):
        for record in json.loads(path.read_text("utf-8")):
            known = {key: record[key] for key in ("name", "kind", "wanted")}
            files = record.get("files") or {record["file"]: record["content"]}
            rest = {key: record[key] for key in ("how", "holds", "columns", "row") if key in record}
            cases.append(Case(**known, files=files, family=path.stem, **rest))
    return cases


def prepare(case: Case, folder: Path) -> Any:
    """Make the files of a case below a folder and return what is handed to the reader."""
    for name, content in case.files.items():
        put(folder / name, content)
    path = folder / next(iter(case.files))
    if case.how == "stream":
        return io.BytesIO(path.read_bytes())
    return folder if case.how == "folder" else path


def read(case: Case, origin: Any) -> Outcome:
    """Read what `prepare` made. Errors that are no `MatcherError` pass."""
    outcome = Outcome()
    try:
        if case.how == "cv":
            # A profile shows its text to nobody; this is its own.
            outcome.text = read_cv(origin).text
            outcome.text.encode()  # what could not be written would fail later
            return outcome
        reader = read_postings(origin, columns=case.columns, strict=case.how == "strict")
        outcome.report = reader.report
        outcome.postings.extend(reader)
    except MatcherError as error:
        outcome.error = str(error)
    return outcome


# --- judging ----------------------------------------------------------------------------------------


def judge(case: Case, outcome: Outcome) -> list[str]:
    """Return what is not as wanted.

    ``wanted`` may have: ``read``, ``rejected``, ``ignored`` (0 when absent); ``reasons``, a list of line (or
    null) and pattern; ``changes``, patterns of what must be reported (when absent, no change may be);
    ``postings``, a list of fields, null for one that must be absent; ``rest``, true where the reader says
    that it does not read the rest; ``error``, a pattern. For a CV: ``text`` and ``without``; ``error``.
    """
    wanted = case.wanted
    if "error" in wanted:
        found = bool(outcome.error) and bool(re.search(wanted["error"], outcome.error))
        return [] if found else [f"error {wanted['error']!r} wanted, got {outcome.error!r}"]
    if outcome.error:
        return [f"failed: {outcome.error}"]
    return _judge_cv(wanted, outcome) if case.how == "cv" else _judge_postings(case, outcome)


def _judge_cv(wanted: Mapping[str, Any], outcome: Outcome) -> list[str]:
    wrong = [f"no {text!r} in {outcome.text[:300]!r}" for text in wanted["text"] if text not in outcome.text]
    return wrong + [f"{text!r} in the text" for text in wanted.get("without", ()) if text in outcome.text]


def _judge_postings(case: Case, outcome: Outcome) -> list[str]:
    wanted, report = case.wanted, outcome.report
    wrong = []
    rejected = [(item.line, item.reason) for item in report.rejected]
    counts = (report.read, report.rejected_count, report.ignored.total())
    if counts != tuple(wanted.get(key, 0) for key in ("read", "rejected", "ignored")):
        wrong.append(f"read, rejected, ignored: {counts}, {str(rejected)[:600]}")
    if len(outcome.postings) != report.read:
        wrong.append("the report does not count what was read")
    if any(not item.path or item.line < 0 or not item.reason for item in report.rejected):
        wrong.append("a rejection without file, line or reason")
    says_so = any("rest" in reason for _, reason in rejected)
    if sum(counts) < case.holds and not (wanted.get("rest") and says_so):
        wrong.append(f"lost silently: holds {case.holds}, {sum(counts)} accounted for")
    for line, pattern in wanted.get("reasons", ()):
        if not any(line in (None, at) and re.search(pattern, reason) for at, reason in rejected):
            wrong.append(f"no rejection {line}: {pattern!r} in {str(rejected)[:600]}")
    changes = [change.what for change in report.changes]
    for pattern in wanted.get("changes", ()):
        if not any(re.search(pattern, change) for change in changes):
            wrong.append(f"no change {pattern!r} in {changes}")
    if "changes" not in wanted and changes:
        wrong.append(f"changed without need: {changes}")
    for fields, posting in zip(wanted.get("postings", ()), outcome.postings, strict=False):
        wrong += _judge_fields(fields, posting)
    if len(wanted.get("postings", ())) > len(outcome.postings):
        wrong.append("postings are missing")
    return wrong


def _judge_fields(fields: Mapping[str, Any], posting: Posting) -> list[str]:
    record = describe(posting)
    return [
        f"{key}: {value!r} wanted, got {record.get(key)!r}"
        for key, value in fields.items()
        if record.get(key) != value
    ]


def describe(posting: Posting) -> dict[str, Any]:
    """Return the record of a posting with moments that people can read, and its places."""
    record = posting.to_record()
    for key in ("timestamp", "validThrough"):
        if key in record:
            record[key] = datetime.fromtimestamp(record[key] / 1000, UTC).isoformat()
    places = [[place.city, place.region, place.country, place.remote] for place in posting.places]
    return record | {"places": places, "remote": posting.remote}
