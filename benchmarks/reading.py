"""Reading speed of postings, and what repair does to the files of a folder.

``python -m benchmarks.reading`` prints postings per second of Markdown and JSON Lines, interleaved with
`frontmatter.load` and `json.loads` on the same postings. ``--repair PATH...`` counts the usual sequences of
wrongly decoded text before and after, and reports what was repaired and rejected. ``--memory N`` reads N
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

import frontmatter
import yaml

from matcher import read_postings
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
    written = sorted(SEEDS.rglob("*.md"))
    paths, clean_paths, lines = [], [], folder / "postings.jsonl"
    for number in range(count):
        source = written[number % len(written)]
        for kind, listed in (("written", paths), ("clean", clean_paths)):
            path = folder / kind / f"{number:06}.md"
            path.parent.mkdir(exist_ok=True)
            text = source.read_text(encoding="utf-8")
            path.write_text(text if kind == "written" else repair(text), encoding="utf-8")
            listed.append(path)
    records = []
    for number, posting in enumerate(read_postings(folder / "clean", strict=False)):
        records.append(json.dumps(posting.to_record() | {"id": str(number)}, ensure_ascii=False))
    lines.write_text("\n".join(records) + "\n", encoding="utf-8")
    raw = lines.read_bytes().splitlines()

    def fast(path: Path) -> object:
        return frontmatter.load(path, handler=_FastHandler())

    contenders: dict[str, Callable[[], int]] = {
        "frontmatter.load": lambda: sum(1 for path in paths if frontmatter.load(path)),
        "frontmatter.load, CSafeLoader": lambda: sum(1 for path in paths if fast(path)),
        "Markdown, as the seeds are": lambda: sum(1 for _ in read_postings(folder / "written")),
        "Markdown, clean": lambda: sum(1 for _ in read_postings(folder / "clean")),
        "JSON Lines": lambda: sum(1 for _ in read_postings(lines)),
        "json.loads alone": lambda: sum(1 for line in raw if json.loads(line)),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, run in contenders.items():
            start = time.perf_counter()
            read = run()
            seconds[name].append((time.perf_counter() - start) / read)
    base = min(seconds["frontmatter.load"])
    print(f"{count:,} postings, best of {ROUNDS} interleaved rounds (median in brackets)")
    print("| reader | postings/s | µs each | times frontmatter.load |\n|---|---:|---:|---:|")
    for name, values in seconds.items():
        best, median = min(values), statistics.median(values)
        print(f"| {name} | {1 / best:,.0f} ({1 / median:,.0f}) | {best * 1e6:.0f} | {base / best:.2f} |")


class _FastHandler(frontmatter.YAMLHandler):
    def load(self, fm: str, **_: object) -> object:
        return yaml.load(fm, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


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
