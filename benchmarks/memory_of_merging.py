"""How much memory `compact` takes beside its result: bounded by the postings merged together.

    python benchmarks/memory_of_merging.py            200,000 small postings
    python benchmarks/memory_of_merging.py 1000000

Postings of 60 words are fitted and saved, in one segment or in many, and every tenth is removed. Each way to
compact runs in a process of its own, which opens the model first. Memory is what belongs to the process
alone: pages of mapped files, which the system takes back when it needs them, do not count. The result lies
in memory until it is saved, whatever is merged together. Linux only.
"""

import argparse
import gc
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from memory import process_memory
from tables import table

from matcher import Matcher, Posting, updates

WORDS = 60
VOCABULARY = 60_000
UNBOUNDED = 1 << 40


def invent(count: int, seed: int = 1) -> Iterator[Posting]:
    """Yield small postings in no order of id, words as rare as they are in texts."""
    rng = random.Random(seed)
    names = list(range(count))
    rng.shuffle(names)
    for number in names:
        words = [f"w{int(rng.paretovariate(0.6)) % VOCABULARY}" for _ in range(WORDS)]
        title, body = " ".join(words[:5]), " ".join(words[5:])
        yield Posting(id=f"p{number:08d}", title=title, body=body, hashtags=words[:2])


def build(path: Path, count: int, lots: int) -> None:
    """Save a model of so many segments, a tenth of each deleted."""
    updates.MOST_PARTS = lots  # so that none are merged
    postings = invent(count)
    matcher = Matcher.fit(islice(postings, count // lots))
    while lot := list(islice(postings, count // lots)):
        matcher.add(lot)
    matcher.remove(posting_id for posting_id in matcher.postings.ids[::10])
    matcher.refit()
    matcher.save(path)


def compact(path: Path, most: int) -> dict[str, float]:
    """Compact a model; return the seconds, and how much memory the result and the rest took, in MB."""
    updates.MOST_MERGED = most
    matcher = Matcher.open(path).snapshot()  # belongs to no folder: nothing is written
    gc.collect()
    before, done, peak = process_memory()["RssAnon"], threading.Event(), 0

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.001):
            peak = max(peak, process_memory()["RssAnon"])

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.perf_counter()
    matcher.compact()
    seconds = time.perf_counter() - start
    done.set()
    thread.join()
    assert not any(len(part.deleted) for part in matcher._snapshot.parts)
    result = sum(
        array.nbytes
        for part in matcher._snapshot.parts
        for array in part.segment.to_files("", matcher._snapshot.blocks).values()
    )
    return {
        "seconds": seconds,
        "result": result / 1e6,
        "beside": (peak - before - result) / 1e6,
        "segments": len(matcher._snapshot.parts),
    }


def run(path: Path, most: int) -> dict[str, float]:
    """Call `compact` in a new process."""
    command = [sys.executable, __file__, "--compact", str(path), str(most)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("postings", nargs="?", type=int, default=200_000)
    parser.add_argument("--compact", nargs=2, metavar=("MODEL", "MOST"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.compact:
        print(json.dumps(compact(Path(given.compact[0]), int(given.compact[1]))))
        return
    rows = []
    with TemporaryDirectory() as folder:
        for lots in (1, 20):
            path = Path(folder, str(lots))
            build(path, given.postings, lots)
            size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
            for most in (UNBOUNDED, updates.MOST_MERGED, 1 << 15, 1 << 13):
                found = run(path, most)
                rows.append(
                    [
                        f"{lots}, {size:,.0f} MB",
                        "no bound" if most == UNBOUNDED else f"{most:,}",
                        f"{found['result']:,.0f} MB",
                        f"{found['beside']:,.0f} MB",
                        f"{found['segments']:.0f}",
                        f"{found['seconds']:.1f} s",
                    ]
                )
    print(f"{given.postings:,} postings of {WORDS} words, a tenth deleted; {os.cpu_count()} processors\n")
    headings = ["segments before", "most merged together", "result", "beside it", "segments after", "time"]
    print(table(headings, rows))


if __name__ == "__main__":
    main()
