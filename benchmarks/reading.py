"""Reading speed of postings, and what repair does to the files of a folder.

``python -m benchmarks.reading`` prints postings per second of Markdown and JSON Lines, interleaved with
`frontmatter.load` and decoders of JSON on the same postings. ``--repair PATH...`` counts the usual sequences
of wrongly decoded text before and after, and reports what was repaired and rejected. ``--memory N`` reads N
postings as JSON Lines from a pipe and prints the peak of memory.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import re
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import frontmatter
import yaml

from matcher import read_postings
from matcher.posting import RECORD_NAMES
from matcher.sources import fast_json, json_lines
from matcher.text import repair

SEEDS = Path(__file__).parent.parent / "seeds"
ROUNDS = 5

BROKEN = {
    "Ã and a sign": re.compile("Ã[\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œžŸ]"),
    "Â and a sign": re.compile("Â[\xa0-\xbf\x80-\x9f]"),
    "â€.": re.compile("â(?:€|\x80)"),
    "ï‚·": re.compile("ï[\x80-\x83‚ƒ][\x80-\xbf]"),
    "ðŸ": re.compile("ð[Ÿ\x9f]"),
    "‚Äô": re.compile("‚[ÄÇàâ]"),
    "√.": re.compile("√[\xa0-\xff†°¢£§•¶ß®©™´¨≠Æ]"),
    "an emoji after U+F8FF": re.compile("\uf8ff[ü†]"),
    "control characters": re.compile("[\x80-\x84\x86-\x9f]"),
    "U+FFFD": re.compile("\ufffd"),
}
"""What wrongly decoded text usually shows."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repair", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--memory", type=int, metavar="N")
    parser.add_argument("--postings", type=int, default=2_000)
    options = parser.parse_args()
    if options.repair:
        for path in options.repair:
            report_repair(path)
    elif options.memory:
        report_memory(options.memory)
    else:
        with tempfile.TemporaryDirectory() as folder:
            report_speed(Path(folder), options.postings)


def report_speed(folder: Path, count: int) -> None:
    paths = write_markdown(folder, count)
    lines = folder / "postings.jsonl"
    records = []
    for number, posting in enumerate(read_postings(folder / "clean", strict=False)):
        records.append(json.dumps(posting.to_record() | {"id": str(number)}, ensure_ascii=False))
    lines.write_text("\n".join(records) + "\n", encoding="utf-8")
    raw = lines.read_bytes().splitlines()

    def read(origin: Path) -> Callable[[], int]:
        return lambda: sum(1 for _ in read_postings(origin))

    contenders: dict[str, Callable[[], int]] = {
        "frontmatter.load": lambda: sum(1 for path in paths if frontmatter.load(path)),
        "frontmatter.load, YAML in Python": lambda: sum(
            1 for path in paths if frontmatter.load(path, handler=_SlowHandler())
        ),
        "Markdown, as the seeds are": read(folder / "written"),
        "Markdown, clean": read(folder / "clean"),
        "JSON Lines": read(lines),
        "JSON Lines, decoder `json`": with_decoder(read(lines), None),
        "only decoded: json.loads": lambda: sum(1 for line in raw if json.loads(line)),
    }
    try:
        import msgspec
        import orjson
    except ImportError:
        print("for other decoders: pip install '.[bench]' in this folder")
    else:
        decode = msgspec.json.Decoder().decode
        decode_struct = msgspec.json.Decoder(
            msgspec.defstruct("Record", [(name, Any, None) for name in RECORD_NAMES.values()])
        ).decode
        contenders |= {
            "JSON Lines, decoder orjson": with_decoder(
                read(lines), lambda block: [orjson.loads(line) for line in block[:-1].split(b"\n")]
            ),
            "only decoded: orjson": lambda: sum(1 for line in raw if orjson.loads(line)),
            "only decoded: msgspec": lambda: sum(1 for line in raw if decode(line)),
            "only decoded: msgspec, into a class": lambda: sum(1 for line in raw if decode_struct(line)),
        }
    wall: dict[str, list[float]] = {name: [] for name in contenders}
    process: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            start, start_process = time.perf_counter(), time.process_time()
            number = run()
            wall[name].append((time.perf_counter() - start) / number * 1e6)
            process[name].append((time.process_time() - start_process) / number * 1e6)
    size = sum(path.stat().st_size for path in paths) / count
    print(
        f"{count:,} postings of {size:,.0f} bytes, {ROUNDS} interleaved rounds; decoder of JSON Lines:"
        f" {'msgspec' if fast_json.IS_FAST else 'json'}"
    )
    print(
        "| reader | postings/s | µs, best | µs, median | µs of processor | times frontmatter.load (bests) |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    base = "frontmatter.load"
    for name in contenders:
        best, median = min(wall[name]), statistics.median(wall[name])
        # Rounds are compared with each other, so that what else the machine does matters less.
        ratios = [a / b for a, b in zip(process[base], process[name], strict=True)]
        print(
            f"| {name} | {1e6 / median:,.0f} | {best:.1f} | {median:.1f} | {min(process[name]):.1f} |"
            f" {statistics.median(ratios):.2f} ({min(process[base]) / min(process[name]):.2f}) |"
        )


def write_markdown(folder: Path, count: int) -> list[Path]:
    """Write the seeds again and again, each time with another company, tag, date and pay."""
    seeds = [path.read_text(encoding="utf-8") for path in sorted(SEEDS.rglob("*.md"))]
    paths = []
    for number in range(count):
        text = seeds[number % len(seeds)]
        text = re.sub(r'(?m)^(companyName: ".*)"$', rf'\1 {number}"', text, count=1)
        text = re.sub(r'(?m)^(hashtags: ".*)"$', rf'\1,#tag{number}"', text, count=1)
        text = re.sub(r"(?m)^(timestamp: \d{8})\d{5}$", rf"\g<1>{number:05}", text, count=1)
        text = re.sub(r'(?m)^(salary: ".*?[.,])\d{3}\b', rf"\g<1>{number % 1000:03}", text, count=1)
        for kind in ("written", "clean"):
            path = folder / kind / f"{number:06}.md"
            path.parent.mkdir(exist_ok=True)
            path.write_text(text if kind == "written" else repair(text), encoding="utf-8")
            if kind == "written":
                paths.append(path)
    return paths


def with_decoder(
    read: Callable[[], int], decode: Callable[[bytes], list[object]] | None
) -> Callable[[], int]:
    """Return a reader of JSON Lines whose lines another decoder reads; None for that of the library."""

    def run() -> int:
        if decode is None:
            patch = mock.patch.object(json_lines, "IS_FAST", False)
        else:
            patch = mock.patch.object(fast_json, "_decode_lines", decode)
        with patch:
            return read()

    return run


class _SlowHandler(frontmatter.YAMLHandler):
    def load(self, fm: str, **_: object) -> object:
        return yaml.load(fm, Loader=yaml.SafeLoader)


def texts_of(path: Path) -> Iterator[str]:
    """Yield the text of each file, CSV row or line below a path, decoded as UTF-8 and not repaired."""
    if path.is_dir():
        for child in sorted(path.rglob("*")):
            if child.is_file():
                yield from texts_of(child)
        return
    opener = gzip.open if path.suffix == ".gz" else open
    kind = Path(path.name.removesuffix(".gz")).suffix
    csv.field_size_limit(sys.maxsize)
    with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        if kind == ".csv":
            yield from ("\n".join(row) for row in csv.reader(file))
        elif kind == ".jsonl":
            for line in file:
                yield json.dumps(json.loads(line), ensure_ascii=False)
        else:
            yield file.read()


def report_repair(path: Path) -> None:
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    texts = broken = still = changed = 0
    for text in texts_of(path):
        fixed = repair(text)
        texts += 1
        changed += fixed != text
        was, now = _count(text), _count(fixed)
        broken, still = broken + bool(was), still + bool(now)
        before += was
        after += now
    print(
        f"\n{path.name}: {texts:,} texts, {changed:,} changed;"
        f" with broken sequences {broken:,} before, {still:,} after"
    )
    print("| sequence | before | after |\n|---|---:|---:|")
    for name in BROKEN:
        if before[name] or after[name]:
            print(f"| {name} | {before[name]:,} | {after[name]:,} |")
    try:
        reader = read_postings(path)
        for _ in reader:
            pass
    except ValueError as error:
        print(f"not read as postings: {error}")
        return
    print("as postings:", reader.report.summary())
    kinds = Counter(re.sub(r"'[^']*'|\"[^\"]*\"|\d+", "…", change.what) for change in reader.report.changes)
    kinds.update("rejected: " + re.sub(r"'[^']*'|\d+", "…", item.reason) for item in reader.report.rejected)
    for what, number in kinds.most_common(12):
        print(f"  {number:,} × {what}")


def _count(text: str) -> Counter[str]:
    return Counter({name: found for name, known in BROKEN.items() if (found := len(known.findall(text)))})


def report_memory(count: int) -> None:
    record = json.dumps(
        {"title": "Cook", "body": "Bake **bread** for a café. " * 40}, ensure_ascii=False
    ).encode()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "many.jsonl")
        with path.open("wb") as file:
            for number in range(count):
                file.write(record[:-1] + b', "id": "%d"}\n' % number)
        peaks = []
        start = time.perf_counter()
        for read, _ in enumerate(read_postings(path), 1):
            if read % max(count // 10, 1) == 0:
                peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        print(f"{count:,} postings in {time.perf_counter() - start:.1f} s; peak MB after each tenth: {peaks}")


if __name__ == "__main__":
    main()
