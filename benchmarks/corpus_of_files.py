"""Hostile and careless files: what became of each, how long it took, and how much memory.

    python benchmarks/corpus_of_files.py                    all of them, about a minute
    python benchmarks/corpus_of_files.py --only feeds cvs    some families

Each file is read in a process of its own, which is forked from one that has imported everything. Time is
processor time, memory the largest resident size, both with the child process that parses documents. The exit
status is 1 when an outcome is not as wanted, or a limit is passed.
"""

import argparse
import gc
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from tables import table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.corpus_of_files import Case, judge, load_cases, prepare, read

SECONDS = 0.5
MEGABYTES = 200
LONGEST = 60


def measure(case: Case, folder: Path) -> dict[str, Any]:
    """Return what became of a case, from a process of its own."""
    origin = prepare(case, folder)
    gc.collect()
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        with os.fdopen(sending, "w") as answers:
            json.dump(_read(case, origin), answers)
        os._exit(0)
    os.close(sending)
    with os.fdopen(receiving) as answers:
        text = answers.read()
    _, status = os.waitpid(child, 0)
    if status or not text:
        return {"wrong": [f"the process died (status {status})"], "seconds": 0, "megabytes": 0, "became": []}
    return dict(json.loads(text))


def _read(case: Case, origin: Any) -> dict[str, Any]:
    import signal

    signal.alarm(LONGEST)
    before = time.process_time()
    try:
        outcome = read(case, origin)
        seconds = time.process_time() - before
        wrong = judge(case, outcome)
    except Exception as error:  # noqa: BLE001 - nothing but errors of our own may escape
        return {"wrong": [f"escaped: {error!r}"], "seconds": 0, "megabytes": 0, "became": []}
    inner = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, inner.ru_maxrss) / 1024
    report = outcome.report
    became = (
        ["rejected"] * (report.rejected_count + bool(outcome.error))
        + ["repaired or changed"] * report.changed_count
        + ["kept"] * max(0, report.read - report.changed_count + bool(outcome.text))
        + ["passed over, counted"] * report.ignored.total()
    )
    return {
        "wrong": wrong,
        "seconds": seconds + inner.ru_utime + inner.ru_stime,
        "megabytes": memory,
        "became": sorted(set(became)),
    }


def main() -> int:
    """Read the corpus and print what it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="*", help="families of cases")
    chosen = parser.parse_args().only
    cases = [case for case in load_cases() if not chosen or case.family in chosen]
    with tempfile.TemporaryDirectory() as folder:  # everything is imported before the first measurement
        for number, case in enumerate(cases):
            if case.family != "cvs" and case.kind != "synthetic":
                place = Path(folder) / str(number)
                place.mkdir()
                read(case, prepare(case, place))
    results = []
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            results.append((case, measure(case, Path(folder))))
    _print(results)
    bad = [
        (case, found)
        for case, found in results
        if bool(found["wrong"]) != (case.kind == "known failure")
        or found["seconds"] > SECONDS
        or found["megabytes"] > MEGABYTES
    ]
    for case, found in bad:
        print(f"NOT AS WANTED {case.family}: {case.name}: {found}")
    print(f"{len(results)} cases, {len(bad)} not as wanted or beyond {SECONDS} s and {MEGABYTES} MB")
    return 1 if bad else 0


def _print(results: list[tuple[Case, dict[str, Any]]]) -> None:
    for group in ("kind", "family"):
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        slowest: dict[str, float] = defaultdict(float)
        largest: dict[str, float] = defaultdict(float)
        for case, found in results:
            key = getattr(case, group)
            counts[key]["cases"] += 1
            counts[key]["as wanted"] += not found["wrong"]
            counts[key].update(found["became"])
            slowest[key] = max(slowest[key], found["seconds"])
            largest[key] = max(largest[key], found["megabytes"])
        columns = ("cases", "as wanted", "kept", "repaired or changed", "rejected", "passed over, counted")
        rows = [
            [
                key,
                *(f"{counts[key][column]:,}" for column in columns),
                f"{slowest[key]:.2f}",
                f"{largest[key]:.0f}",
            ]
            for key in sorted(counts)
        ]
        print(table([group, *columns, "slowest, s", "largest, MB"], rows), end="\n\n")
    for name, unit in (("seconds", "s"), ("megabytes", "MB")):
        most = sorted(results, key=lambda result: -result[1][name])[:5]
        rows = [[f"{case.family}: {case.name}", f"{found[name]:.2f}"] for case, found in most]
        print(table([f"most {name}", unit], rows), end="\n\n")


if __name__ == "__main__":
    sys.exit(main())
