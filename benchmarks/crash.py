"""Whatever interrupts a writer, is the old model there or the new one, whole? Beside ways of others.

    python benchmarks/crash.py                       some minutes; ends with status 1 when anything was bad
    python benchmarks/crash.py --kills 1000 --reads 50000 --publications 500

(1) `kill -9` of a process that publishes, collects and goes back, at random moments. (2) Crash states: every
call that changes files is recorded; a crash may have let any part of what was not made durable happen
(tests/crash_states.py has the rules); each state that looks different is made a folder and read. For contrast
the same is done to `joblib.dump`, and to our own calls without those that wait for the disk. (3) Errors: one
call after the other fails. (4) Processes that read while generations are published and collected.
"""

import argparse
import errno
import itertools
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import joblib
import numpy as np
from tables import table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.crash_states import Change, Disk, Recorder, changes_of, crash_states
from tests.crashes import ACTS, SCENARIOS, crash, fail_everywhere, files_of, found, quick_folder, record
from tests.processes import kills, read_while_publishing

OURS = "publish with kept files, collect"


def states_table(seed: int, several: int) -> tuple[str, int]:
    """Crash states of what the library does."""
    rows, bad, total = [], 0, 0
    for name, scenario in SCENARIOS.items():
        with quick_folder() as folder:
            base, changes = record(scenario, folder / "played")
            tally = crash(scenario, changes, base, folder, seed, several)
        old, new = (tally.outcomes.get(scenario.on_the_way[place], 0) for place in (0, -1))
        new *= len(scenario.on_the_way) > 1  # collecting changes nothing that is found
        rows.append([name, *map(str, [len(changes), tally.states, old, new, len(tally.bad)])])
        bad += len(tally.bad)
        total += tally.states
        for message in tally.bad[:5]:
            print(f"{name}: {message}", file=sys.stderr)
    rows.append(["**together**", "", f"**{total:,}**", "", "", f"**{bad}**"])
    return table(["what is interrupted", "calls", "states", "old", "new", "bad"], rows), bad


def dump(path: Path, number: int) -> None:
    joblib.dump(files_of(number) | {"number": number}, path)


def dump_and_rename(path: Path, number: int, *, sync: bool = False) -> None:
    temporary = path.with_suffix(".new")
    dump(temporary, number)
    if sync:
        descriptor = os.open(temporary, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
    os.replace(temporary, path)  # noqa: PTH105


def load_ours(root: Path) -> str:
    outcome = found(root)
    return str(outcome) if isinstance(outcome, int) and outcome else "unreadable"


def load(root: Path) -> str:
    """Return "3" or "4", or what is wrong."""
    try:
        loaded = joblib.load(root / "model.joblib")
        number = loaded["number"]
    except Exception:  # noqa: BLE001 - whatever a torn file makes of it
        return "unreadable"
    same = all(np.array_equal(loaded[name], array) for name, array in files_of(number).items())
    return str(number) if same else "silently wrong"


def tell(
    changes: list[Change], base: Disk, folder: Path, load: Callable[[Path], str], seed: int, several: int
) -> Counter[str]:
    """Count what is found in the crash states of some other way."""
    found: Counter[str] = Counter()
    for place, (returned, disk) in enumerate(crash_states(changes, base, seed, several)):
        disk.write(folder / str(place))
        outcome = load(folder / str(place))
        found["lost after return" if returned and outcome == "3" else outcome] += 1
    return found


def contrast_table(seed: int, several: int) -> str:
    """Crash states of other ways to replace a model, and of ours without waiting for the disk."""
    ways: dict[str, Callable[[Path, int], Any]] = {
        "joblib.dump in place": dump,
        "joblib.dump to another name, rename": dump_and_rename,
        "the same with fsync of the file": lambda path, number: dump_and_rename(path, number, sync=True),
    }
    rows = []
    for name, way in ways.items():
        with quick_folder() as folder:
            root = folder / "model"
            root.mkdir()
            way(root / "model.joblib", 3)
            numbers = itertools.count(1)
            base, recorder = Disk.of(root, numbers), Recorder(root)
            with recorder.recording():
                way(root / "model.joblib", 4)
            changes = changes_of(recorder.calls, base, root, numbers)
            rows.append([name, tell(changes, base, folder, load, seed, several)])
    with quick_folder() as folder:
        base, changes = record(SCENARIOS[OURS], folder / "played")
        unsynced = [change for change in changes if change.kind != "sync"]
        rows.append(["matcher without its fsyncs", tell(unsynced, base, folder, load_ours, seed, several)])
    columns = ["unreadable", "silently wrong", "lost after return"]
    return table(
        ["way", "states", "old", "new", *columns],
        [
            [name, str(found.total()), *(str(found[column]) for column in ["3", "4", *columns])]
            for name, found in rows
        ],
    )


def errors_table() -> tuple[str, int]:
    rows, bad = [], 0
    codes = [(errno.ENOSPC, False), (errno.ENOSPC, True), (errno.EIO, False), (errno.EIO, True)]
    codes += [(errno.EDQUOT, False), (errno.EDQUOT, True)]
    for act in ACTS:
        for code, partly in codes:
            with quick_folder() as folder:
                result = fail_everywhere(act, code, partly, folder)
            half = ", half of the data written" if partly else ""
            counts = [result.told, result.overcome, len(result.bad)]
            rows.append([act, errno.errorcode[code] + half, *map(str, [sum(counts[:2]), *counts])])
            bad += len(result.bad)
            for message in result.bad[:5]:
                print(f"{act}: {message}", file=sys.stderr)
    return table(["what fails", "error", "calls", "told", "overcome", "bad"], rows), bad


def one_row(columns: dict[str, int]) -> str:
    return table([*columns], [[f"{value:,}" for value in columns.values()]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=20_261_127)
    parser.add_argument("--several", type=int, default=200, help="random choices for each moment")
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--reads", type=int, default=10_000)
    parser.add_argument("--publications", type=int, default=100)
    arguments = parser.parse_args()
    bad = 0

    def show(heading: str, text: str, start: float) -> None:
        print(f"\n## {heading} ({time.perf_counter() - start:.0f} s)\n\n{text}", flush=True)

    start = time.perf_counter()
    # First, while this process has no other threads: it forks.
    with TemporaryDirectory() as folder:
        killed = kills(Path(folder), arguments.kills, arguments.seed)
    columns = {
        "kills": killed.kills,
        "generations begun": killed.begun,
        "killed in the middle of one": killed.interrupted,
        "found the old one": killed.old,
        "found the new one": killed.new,
        "bad": len(killed.bad),
    }
    show("kill -9 at random moments", one_row(columns), start)
    print(*killed.bad[:5], sep="\n", file=sys.stderr)
    bad += len(killed.bad)

    start = time.perf_counter()
    text, more = states_table(arguments.seed, arguments.several)
    show("crash states", text, start)
    bad += more
    start = time.perf_counter()
    show("other ways, for contrast", contrast_table(arguments.seed, arguments.several), start)

    start = time.perf_counter()
    text, more = errors_table()
    show("errors at every call", text, start)
    bad += more

    start = time.perf_counter()
    with TemporaryDirectory() as folder:
        result = read_while_publishing(Path(folder), 4, arguments.reads, arguments.publications)
    columns = {
        "reads by 4 processes": result.reads,
        "publications": result.published,
        "generations seen": len(result.seen),
        "deleted at once": result.removed,
        "left to readers": result.in_use,
        "failures": len(result.failures),
        "mixtures": result.mixtures,
    }
    show("reading while publishing", one_row(columns), start)
    print(*result.failures[:5], sep="\n", file=sys.stderr)
    bad += len(result.failures) + result.mixtures
    print(f"\n{bad or 'nothing'} bad")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
