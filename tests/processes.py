"""Processes that are killed while they write a model, and processes that read it meanwhile.

Shared by tests/test_crash.py (seconds) and benchmarks/crash.py (minutes).
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matcher.store import read_model
from matcher.store.disk import StoredFile
from matcher.store.generations import collect, history, rollback
from tests.crashes import KEY, found, publish

_HERE = str(Path(__file__).parent.parent)

# --- kill -9 ------------------------------------------------------------------------------------------


def _publish_for_ever(root: Path, number: int, say: Callable[[str], Any]) -> None:
    """Publish with kept files, collect and go back, again and again; say before and after what is current."""
    model = read_model(root, key=KEY)
    kept = {"always": model.stored["always"]}
    way = [model.content["number"]]
    model.close()
    del model
    say("ready\n")
    while True:
        number += 1
        say(f"try {number}\n")
        kept = publish(root, number, kept=kept, keep=2, key=KEY)
        say(f"done {number}\n")
        way.append(number)
        if number % 5 == 0:
            say(f"try {way[-2]}\n")
            rollback(root, key=KEY)
            way.pop()
            say(f"done {way[-1]}\n")


@dataclass
class Killed:
    """How often a writer was killed, what it had begun by then, and what was found."""

    kills: int = 0
    begun: int = 0
    interrupted: int = 0
    old: int = 0
    new: int = 0
    bad: list[str] = field(default_factory=list)


def kill(root: Path, number: int, seconds: float, result: Killed) -> int:
    """Kill a process that publishes, a fork of this one, and look at what it leaves.

    `number` is the highest that was used; returned is the highest then.
    """
    before = found(root, key=KEY)
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            _publish_for_ever(root, number, lambda line: os.write(writing, line.encode()))
        finally:
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as lines:
        assert lines.readline() == "ready\n"
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
        said = [line.split() for line in lines.read().splitlines()]
    result.kills += 1
    result.begun += sum(word == "try" for word, _ in said)
    done = [int(value) for word, value in said if word == "done"]
    number = max([number, *(int(value) for _, value in said)])
    old = new = done[-1] if done else before
    if said and said[-1][0] == "try":
        result.interrupted += 1
        new = int(said[-1][1])
    outcome = found(root, key=KEY)
    result.old += outcome == old != new
    result.new += outcome == new != old
    if outcome not in (old, new):
        result.bad.append(f"found {outcome}, neither {old} nor {new}")
    result.bad += [
        f"generation {generation.number}: {inside}"
        for generation in history(root)
        if isinstance(inside := found(root, generation=generation.number, key=KEY), str)
    ]
    number += 1
    publish(root, number, keep=3, key=KEY)
    if (outcome := found(root, key=KEY)) != number:
        result.bad.append(f"the next writer wrote {number}, but {outcome} was found")
    if left := [path.name for path in root.glob(".*") if path.name != ".lock"]:
        result.bad.append(f"the next writer left {left}")
    return number


def kills(root: Path, times: int, seed: int, longest: float = 0.1) -> Killed:
    """Kill writers one after the other, each at a random moment of its first `longest` seconds."""
    rng = random.Random(seed)
    number, result = 1, Killed()
    publish(root, number, key=KEY)
    for _ in range(times):
        number = kill(root, number, rng.random() * longest, result)
    return result


# --- readers ------------------------------------------------------------------------------------------

_READER = """
import json
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import numpy as np
from matcher.errors import MatcherError
from matcher.store import read_model
from tests.crashes import files_of

root, reads, step = Path(sys.argv[1]), int(sys.argv[3]), int(sys.argv[4])
failures, mixtures, seen, held = [], [], set(), []
print("ready", flush=True)

def check(model):
    expected = files_of(model.content["number"])
    same = sorted(expected) == sorted(model.files)
    if not same or any(not np.array_equal(model.files[name], expected[name]) for name in expected):
        mixtures.append(model.generation)

model = None
for number in range(reads):
    try:
        if number % 3 and model:
            model = read_model(root, previous=model)
        else:
            model = read_model(root, verify=number % 2 == 0)
        seen.add(model.generation)
        check(model)
        if number % 40 == 0:
            held.append(model)
        if len(held) > 3:
            old = held.pop(0)
            check(old)
            old.close()
    except Exception as error:
        failures.append(repr(error))
    if (number + 1) % step == 0:
        print("read", flush=True)
        sys.stdin.readline()
print(json.dumps([reads, failures, mixtures, sorted(seen)]), flush=True)
"""


@dataclass
class Reading:
    """What readers met while generations were published and collected."""

    reads: int = 0
    failures: list[str] = field(default_factory=list)
    mixtures: int = 0
    seen: set[int] = field(default_factory=set)
    published: int = 0
    removed: int = 0
    in_use: int = 0


def read_while_publishing(root: Path, readers: int, reads: int, publications: int) -> Reading:
    """Publish and collect while processes read; neither side gets ahead of the other."""
    step = max(1, reads // readers // publications // 2)
    share = reads // readers
    publish(root, 1)
    processes = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                _READER,
                str(root),
                str(Path(__file__).parent.parent),
                str(share),
                str(step),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(readers)
    ]
    result, changed, last = Reading(), threading.Condition(), []

    def follow(process: Any) -> None:
        line = ""
        with process.stdout, process.stdin:
            for line in process.stdout:
                if line == "read\n":
                    with changed:
                        result.reads += step
                        changed.notify_all()
                        changed.wait_for(
                            lambda: result.reads <= reads * (result.published + 1) / publications
                        )
                    process.stdin.write("\n")
                    process.stdin.flush()
        with changed:
            last.append(line)
            changed.notify_all()

    threads = [threading.Thread(target=follow, args=[process]) for process in processes]
    for thread in threads:
        thread.start()
    kept: dict[str, StoredFile] = {}
    for number in range(2, publications + 2):
        with changed:
            due = reads * (number - 2) // publications
            changed.wait_for(lambda due=due: result.reads >= due or last)
        kept = publish(root, number, kept=kept)
        collected = collect(root, 1)
        with changed:
            result.published += 1
            changed.notify_all()
        result.removed += len(collected.removed)
        result.in_use += len(collected.in_use)
    for thread, process in zip(threads, processes, strict=True):
        thread.join()
        process.wait()
    result.reads = 0
    for line in last:
        read, failures, mixtures, seen = json.loads(line)
        result.reads += read
        result.failures += failures
        result.mixtures += len(mixtures)
        result.seen |= set(seen)
    return result
