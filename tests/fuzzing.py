"""Fuzzing of everything that reads files: targets, mutations that know formats, a loop led by coverage.

An input is a mutation of one from the pool, which starts as the corpus of files. One that reaches a line of
the library, or comes to an outcome, that none reached before joins the pool. Lines are traced for a sample
of the inputs and for each new outcome, so that most run at full speed.

Whatever the input, a target may raise children of `MatcherError` only; what it reads must survive being
written, and every rejection must have a line and a reason.
"""

import gzip
import io
import json
import logging
import random
import re
import signal
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import matcher
from matcher.cv import read_cv
from matcher.documents import READERS
from matcher.documents.child import answer
from matcher.errors import MatcherError, PostingError
from matcher.pay import parse_pay
from matcher.places import parse_places
from matcher.posting import Posting
from matcher.sources import SOURCES, read_postings
from matcher.sources.dates import parse_timestamp
from matcher.sources.entry import RawPosting
from matcher.sources.fields import build_posting
from matcher.sources.markdown import StrictHandler
from matcher.text import html_to_text, markdown_to_text, repair
from tests import made_documents
from tests.corpus_of_files import load_cases, make

LARGEST = 20_000
"""Bytes of most inputs; a few repeat a part up to ten times that, to find what is worse than linear."""

_DATA = json.loads((Path(__file__).parent / "cases" / "fuzzing.json").read_text("utf-8"))
WORDS: dict[str, list[str]] = _DATA["words"]
"""What each format is made of."""

LARGEST_IN_POOL, MOST_IN_POOL = 4_000, 1_000
"""Bytes, and inputs that only an outcome speaks for: small ones are run, and changed, more often a second."""

SECONDS = 5
"""An input that takes longer hangs."""


# --- targets ----------------------------------------------------------------------------------------


class WrongError(Exception):
    """Something that holds for every input does not."""


def _outcome(text: str) -> str:
    """Return a reason without what it quotes, so that reasons of one kind are one outcome."""
    return re.sub(r"'[^']*'|\"[^\"]*\"|\(.*\)|\d+", "_", text)[:80]


def _use(entries: Iterable[RawPosting | PostingError], last_line: int) -> list[str]:
    outcomes = []
    for entry in entries:
        if not 1 <= entry.line <= last_line:
            raise WrongError(f"line {entry.line} of {last_line}")
        try:
            if isinstance(entry, PostingError):
                raise entry
            posting, changes = build_posting(entry)
        except PostingError as error:
            if not error.reason:
                raise WrongError("a rejection without a reason") from None
            outcomes.append(_outcome(error.reason))
            continue
        _check(posting)
        outcomes += map(_outcome, changes)
        outcomes.append(
            f"{bool(posting.pay)} {len(posting.places)} {len(posting.extra)} {bool(posting.body)}"
        )
    return outcomes


def _check(posting: Posting) -> None:
    record = posting.to_record()
    text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    text.encode()  # half a character could be stored nowhere
    if Posting.from_record(json.loads(text)) != posting:
        raise WrongError("a posting changed by being stored")


def _source(name: str, *, as_stream: bool = False) -> Callable[[bytes], list[str]]:
    source = SOURCES[name]
    reader = source.read_stream if as_stream and source.read_stream else source.read

    def run(data: bytes) -> list[str]:
        entries = reader(io.BytesIO(data), "fuzz", {})
        return _use(entries, 2 + data.count(b"\n") + data.count(b"\r"))

    return run


def _any_stream(data: bytes) -> list[str]:
    reader = read_postings(io.BytesIO(data))
    for posting in reader:
        _check(posting)
    report = reader.report
    return [str(min(report.read, 3)), *(_outcome(rejected.reason) for rejected in report.rejected[:50])]


def _front_matter(data: bytes) -> list[str]:
    handler, text = StrictHandler(), data.decode("utf-8", "replace")
    fields = handler.load(handler.split(text)[0] if text.startswith("---") else text)
    if not all(isinstance(key, str) for key in fields):
        raise WrongError("a name that is no text")
    return sorted({type(value).__name__ for value in fields.values()})


def _cv(key: str) -> Callable[[bytes], list[str]]:
    def run(data: bytes) -> list[str]:
        text = READERS[key].read(data)
        text.encode()
        return [str(len(text).bit_length())]

    return run


def _any_cv(data: bytes) -> list[str]:
    if data.lstrip().startswith((b"%PDF", b"PK")):  # each costs a process; they have targets of their own
        data = b"x" + data
    return [str(len(read_cv(io.BytesIO(data)).text).bit_length())]


def _document(key: str) -> Callable[[bytes], list[str]]:
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # a child process of its own has no output

    def run(data: bytes) -> list[str]:
        found = answer(key, data, 192 << 20, 2 << 20)
        return [_outcome(found.decode()) if found[:1] == b"-" else str(len(found).bit_length())]

    return run


def _text(function: Callable[[str], Any]) -> Callable[[bytes], list[str]]:
    def run(data: bytes) -> list[str]:
        found = function(data.decode("utf-8", "replace"))
        if isinstance(found, str):
            found.encode()
            return [str(len(found).bit_length())]
        return [re.sub(r"\d", "0", repr(found))[:60]]

    return run


def _pay(data: bytes) -> list[str]:
    text = data.decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    pay = parse_pay(value)
    if pay is not None and parse_pay(pay.to_record()) != pay:
        raise WrongError("pay changed by being stored")
    return [] if pay is None else [pay.currency, pay.period, str(pay.minimum == pay.maximum)]


@dataclass(frozen=True)
class Target:
    """One function that reads what strangers wrote."""

    name: str
    run: Callable[[bytes], list[str]]
    families: Sequence[str]
    words: str
    weight: float = 1
    isolated: bool = False


TARGETS = {
    target.name: target
    for target in (
        Target("markdown", _source("markdown"), ["markdown"], "yaml", weight=1.5),
        Target("markdown stream", _source("markdown", as_stream=True), ["markdown"], "yaml"),
        Target("front matter", _front_matter, ["markdown"], "yaml", weight=1.5),
        Target("json lines", _source("json lines"), ["json_lines", "boards"], "json", weight=1.5),
        Target("json documents", _source("json"), ["json", "json_lines"], "json", weight=1.5),
        Target("boards", _source("json"), ["boards"], "json", weight=2),
        Target("csv", _source("csv"), ["csv"], "csv", weight=1.5),
        Target("feeds", _source("feed"), ["feeds"], "markup", weight=1.5),
        Target("html pages", _source("html"), ["web_pages"], "markup", weight=1.5),
        Target(
            "any stream", _any_stream, ["markdown", "json", "csv", "feeds", "web_pages"], "json", weight=1.5
        ),
        Target("gzip", _any_stream, ["compressed"], "gzip"),
        Target("cv text", _cv("plain"), ["cvs"], "broken"),
        Target("cv markdown", _cv("markdown"), ["cvs", "markdown"], "markup"),
        Target("cv html", _cv("html"), ["cvs", "web_pages"], "markup"),
        Target("cv json resume", _cv("json"), ["cvs"], "json"),
        Target("any cv", _any_cv, ["cvs"], "markup"),
        Target("pdf", _document("pdf"), [], "pdf", weight=0.4, isolated=True),
        Target("docx", _document("docx"), [], "zip", weight=0.5, isolated=True),
        Target("odt", _document("odt"), [], "zip", weight=0.5, isolated=True),
        Target("pay", _pay, [], "pay"),
        Target("places", _text(parse_places), [], "places"),
        Target("timestamps", _text(parse_timestamp), [], "dates"),
        Target("repair", _text(repair), ["cvs", "markdown"], "broken"),
        Target("html to text", _text(html_to_text), ["web_pages", "cvs"], "markup"),
        Target("markdown to text", _text(markdown_to_text), ["markdown", "cvs"], "markup"),
    )
}
"""Every function by name."""


@cache
def _corpus() -> list[tuple[str, bytes]]:
    """Return the contents of the corpus by family, but what is large or no plain file."""
    found = []
    for case in load_cases():
        for content in case.files.values():
            text = json.dumps(content)
            if re.search(r'"(?:fifo|folder|link|sparse|hostile|pdf|docx|odt)":', text):
                continue
            if any(int(times) > 500 for times in re.findall(r'"(?:times|members)": (\d+)', text)):
                continue
            data = make(content)
            if len(data) <= LARGEST:
                found.append((case.family, data))
    return found


def _documents(key: str) -> list[bytes]:
    text, plain = made_documents.WORDS, made_documents.paragraph("Nurse", "ward")
    if key == "pdf":
        return [
            made_documents.pdf(text, compressed=False),
            made_documents.pdf(text + "\nBern\n\nTriage", text),
            made_documents.pdf_in_unicode(text),
            made_documents.SCAN,
        ]
    if key == "docx":
        rich = (
            f"<w:tbl><w:tr><w:tc>{plain}</w:tc><w:tc>{plain}</w:tc></w:tr></w:tbl>"
            f"<w:p><w:hyperlink><w:r><w:t>a</w:t><w:tab/><w:br/><w:noBreakHyphen/></w:r></w:hyperlink></w:p>"
            f"<w:sdt><w:sdtPr/><w:sdtContent>{plain}</w:sdtContent></w:sdt><w:del><w:r><w:t>b</w:t></w:r></w:del>"
            f'<w:p><w:r><mc:AlternateContent><mc:Choice Requires="wps"><wps:txbx><w:txbxContent>{plain}'
            "</w:txbxContent></wps:txbx></mc:Choice></mc:AlternateContent></w:r></w:p>"
        )
        header = made_documents.document(plain, root="hdr")
        return [
            made_documents.docx(plain),
            made_documents.docx(rich),
            made_documents.docx(plain, {"header1.xml": header}, {"header1.xml": "header"}),
        ]
    rows = "<text:list><text:list-item><text:p>a<text:tab/>b</text:p></text:list-item></text:list>"
    return [
        made_documents.odt("<text:p>Nurse<text:s/>ward</text:p><text:h>ICU</text:h>"),
        made_documents.odt(rows + "<text:p><text:span>c<text:line-break/>d</text:span></text:p>"),
    ]


def seeds_of(target: Target) -> list[bytes]:
    """Return what the pool of a target starts with."""
    if target.isolated:
        return _documents(target.name)
    seeds = [data for family, data in _corpus() if family in target.families]
    if target.name == "cv json resume":
        seeds = [data for data in seeds if data.lstrip().startswith(b"{")]
    return list(dict.fromkeys([*seeds, *(seed.encode() for seed in _DATA["seeds"].get(target.name, ()))]))


# --- mutations --------------------------------------------------------------------------------------

_NUMBERS = [
    "0",
    "-1",
    "99",
    "010",
    "1e999",
    "-0.0",
    "1.5",
    "2147483648",
    "99999999999999999999",
    "1607299200",
]
_VALUES: list[Any] = [
    None,
    True,
    0,
    -1,
    1e300,
    10**25,
    "",
    "\0",
    "\ud800",
    "x" * 100,
    [],
    {},
    [[]],
    {"name": []},
]
_VALUES += ["2020-12-07", ["a", 5], {"a": {"b": None}}, "<p>x</p>"]


def mutate(pool: Sequence[bytes], words: str, rng: random.Random) -> bytes:
    """Return a new input made of those of a pool."""
    data = rng.choice(pool)
    if words == "gzip" and rng.random() < 0.7:
        try:
            inner = gzip.decompress(data)[: LARGEST * 2]
        except (OSError, EOFError, ValueError):
            inner = data
        except Exception:  # noqa: BLE001 - zlib.error is no OSError
            inner = data
        return gzip.compress(_mutate([inner], "json", rng), compresslevel=1, mtime=0)
    if words == "zip" and rng.random() < 0.8:
        return _mutate_zip(data, rng)
    return _mutate([data, *rng.sample(pool, min(2, len(pool)))], words, rng)


def _mutate(pool: Sequence[bytes], words: str, rng: random.Random) -> bytes:
    data = bytearray(pool[0])
    if words in ("json", "pay") and rng.random() < 0.4:
        changed = _mutate_json(bytes(data), rng)
        if changed is not None:
            return changed
    for _ in range(1 << rng.choice((0, 0, 1, 1, 2, 3))):
        rng.choice(_STEPS)(data, pool, words, rng)
    largest = LARGEST * 10 if rng.random() < 0.002 else LARGEST
    if largest > LARGEST and data:
        data *= 1 + largest // len(data)
    return bytes(data[:largest])


def _place(data: bytearray, rng: random.Random) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + (1 << rng.randint(0, 9)))


def _flip(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _set(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.choice((0, 0xFF, 0x80, 0xC3, 0xED, 0xE2, rng.randrange(256)))


def _delete(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    start, end = _place(data, rng)
    del data[start:end]


def _repeat(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    start, end = _place(data, rng)
    data[start:start] = data[start:end] * rng.choice((1, 2, 3, 20, 100))


def _insert(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    word = rng.choice(WORDS.get(words, WORDS["markup"]) if rng.random() < 0.8 else WORDS["any"])
    start, end = _place(data, rng)
    data[start : start if rng.random() < 0.7 else end] = word.encode() * rng.choice((1, 1, 1, 1, 2, 50))


def _splice(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    other = bytearray(rng.choice(pool))
    start, _ = _place(data, rng)
    begin, end = _place(other, rng)
    data[start:start] = other[begin : rng.choice((end, len(other)))]


def _move_line(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    lines = data.split(b"\n")
    if len(lines) > 1:
        lines.insert(rng.randrange(len(lines)), lines[rng.randrange(len(lines))])
        if rng.random() < 0.5:
            del lines[rng.randrange(len(lines))]
        data[:] = b"\n".join(lines)


def _number(data: bytearray, pool: Sequence[bytes], words: str, rng: random.Random) -> None:
    found = list(re.finditer(rb"\d+", data))
    if found:
        chosen = rng.choice(found)
        data[chosen.start() : chosen.end()] = rng.choice(_NUMBERS).encode()


_STEPS = (_flip, _set, _delete, _repeat, _insert, _insert, _insert, _splice, _move_line, _number)


def _mutate_json(data: bytes, rng: random.Random) -> bytes | None:
    """Return JSON with a value changed into one of another kind, a name changed, or one left out."""
    text = data.decode("utf-8", "replace")
    line = rng.choice(text.split("\n")) if rng.random() < 0.5 else text
    try:
        tree = json.loads(line)
    except (ValueError, RecursionError):
        return None
    places = list(_places(tree))
    if not places:
        return None
    for _ in range(rng.choice((1, 1, 2, 5))):
        parent, key = rng.choice(places)
        value = rng.choice([*_VALUES, rng.choice(places)[0]])
        if isinstance(parent, dict) and rng.random() < 0.2:
            other = rng.choice(places)[1]
            parent[other if isinstance(other, str) else "title"] = parent.get(key)
        elif isinstance(parent, dict) and rng.random() < 0.2:
            parent.pop(key, None)
        elif isinstance(parent, dict) or key < len(parent):
            parent[key] = value
    try:
        changed = json.dumps(tree)
    except (ValueError, RecursionError):  # it holds itself by now
        return None
    return text.replace(line, changed, 1).encode("utf-8", "replace")[:LARGEST]


def _places(tree: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    if depth < 8 and isinstance(tree, dict | list):
        for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree))[:50]:
            yield tree, key
            yield from _places(value, depth + 1)


def _mutate_zip(data: bytes, rng: random.Random) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = {name: archive.read(name)[:LARGEST] for name in archive.namelist()[:20]}
    except Exception:  # noqa: BLE001 - it is damaged by now
        return _mutate([data], "zip", rng)
    name = rng.choice(
        [name for name in parts if name.endswith(".xml")] or list(parts) or ["word/document.xml"]
    )
    parts[name] = _mutate([parts.get(name, b""), *parts.values()], "zip", rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for part, content in parts.items():
            archive.writestr(zipfile.ZipInfo(part, (1980, 1, 1, 0, 0, 0)), content)
    return out.getvalue()


# --- the loop ---------------------------------------------------------------------------------------

_ROOT = str(Path(matcher.__file__).parent)


class Lines:
    """Which lines of the library ran; what has run whole is traced no longer."""

    def __init__(self) -> None:
        self.seen: dict[CodeType, set[int]] = {}
        self._open: dict[CodeType, bool] = {}
        self._all: dict[CodeType, int] = {}
        self.count = 0

    def run(self, function: Callable[[], Any]) -> Any:
        """Call a function and trace it."""
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            return function()
        finally:
            sys.settrace(before)

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        known = self._open.get(code)
        if known is None:
            known = self._open[code] = code.co_filename.startswith(_ROOT)
            if known:
                self.seen[code] = set()
                self._all[code] = len({line for _, _, line in code.co_lines() if line}) - 1
        return self._line if known else None

    def _line(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "line":
            seen = self.seen[frame.f_code]
            if frame.f_lineno not in seen:
                seen.add(frame.f_lineno)
                self.count += 1
                if len(seen) >= self._all[frame.f_code]:
                    self._open[frame.f_code] = False
        return self._line


class TooSlow(BaseException):
    """An input takes longer than `SECONDS`. Nothing that catches exceptions may catch it."""


@dataclass
class Found:
    """What fuzzing a target came to."""

    inputs: int = 0
    pool: int = 0
    seed_lines: int = 0
    lines: int = 0
    outcomes: int = 0
    refused: int = 0
    limited: int = 0
    slowest: float = 0.0
    slowest_input: bytes = b""
    failures: list[tuple[str, bytes]] = field(default_factory=list)


def fuzz(target: Target, count: int, seed: int, announce: Callable[[bytes], None] | None = None) -> Found:
    """Run a target with its seeds and then with mutations, `count` inputs in all.

    Parameters
    ----------
    announce : callable, optional
        Is told each input before it is run, so that one which ends the process is known.
    """
    rng = random.Random(f"{target.name} {seed}")
    seeds = seeds_of(target)
    pool = list(seeds)
    found, lines, outcomes = Found(), Lines(), set[tuple[str, ...]]()
    for number in range(count):
        is_seed = number < len(seeds)
        data = seeds[number] if is_seed else mutate(pool, target.words, rng)
        if announce:
            announce(data)
        outcome = _run(target, data, found, lines if is_seed or rng.random() < 0.04 else None)
        before = lines.count if is_seed else max(found.lines, found.seed_lines)
        if outcome not in outcomes and len(outcomes) < 20_000:
            outcomes.add(outcome)
            if not is_seed:
                _run(target, data, Found(), lines)
        if is_seed:
            found.seed_lines = lines.count
        elif len(data) <= LARGEST_IN_POOL and (
            lines.count > before or (len(outcomes) > found.outcomes and len(pool) < MOST_IN_POOL)
        ):
            pool.append(data)
        found.lines, found.outcomes = lines.count, len(outcomes)
    found.inputs, found.pool = count, len(pool)
    return found


def _run(target: Target, data: bytes, found: Found, lines: Lines | None) -> tuple[str, ...]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    started = time.process_time()
    try:
        result = lines.run(lambda: target.run(data)) if lines else target.run(data)
        outcome = tuple(sorted(set(result)))
    except MatcherError as error:
        found.refused += 1
        outcome = (_outcome(str(error)),)
    except TooSlow:
        if target.isolated:  # the child process has limits for this
            found.limited += 1
        else:
            found.failures.append((f"takes more than {SECONDS} s", data))
        outcome = ("slow",)
    except BaseException as error:  # noqa: BLE001 - that nothing else escapes is what is tested
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = f"{Path(place.tb_frame.f_code.co_filename).name}:{place.tb_lineno}" if place else ""
        outcome = ("escaped", type(error).__name__, where)
        if all(outcome[1] not in message or where not in message for message, _ in found.failures):
            found.failures.append((f"{outcome[1]} at {where}: {str(error)[:200]}", data))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    seconds = time.process_time() - started
    if seconds > found.slowest and lines is None:
        found.slowest, found.slowest_input = seconds, data
    return outcome
