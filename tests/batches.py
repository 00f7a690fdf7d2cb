"""Mutants judged in a process of their own, so that one that crashes it or never ends is noticed and named.

To see that the judge would notice, single checks of the library, such as ``matcher.counts:check_starts``, can
be switched off in there, or made to end the process (``!`` behind the name) or to keep it for ever (``~``).
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import queue
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matcher.base import BaseEngine
from matcher.engines import fast_is_installed
from tests.hostile_models import make_model
from tests.judging import BAD, SAME, Court
from tests.lies import mutants_of_lies
from tests.mutant_arrays import mutants_of_arrays
from tests.mutant_files import mutants_of_files, mutants_of_tables
from tests.mutants import Mutant, mutants_of_pairs, mutants_of_the_manifest, mutants_of_the_pointer

PATIENCE = 120
"""Seconds after which a mutant that is not done counts as one that never ends."""

BEGINNING = 120
"""Seconds that the process may take to begin."""

MAKERS = (
    *(mutants_of_the_manifest, mutants_of_the_pointer, mutants_of_arrays),
    *(mutants_of_tables, mutants_of_files, mutants_of_lies),
)


class Judged(NamedTuple):
    """What became of one mutant."""

    number: int
    kind: str
    label: str
    outcome: str
    reason: str


def make_mutants(name: str, seed: int, pairs: int) -> list[Mutant]:
    """Return all mutants of a model, shuffled: any first ones are a fair sample."""
    model, rng = make_model(name), random.Random(f"{name} {seed}")
    mutants = [mutant for make in MAKERS for mutant in make(model, rng)]
    mutants += list(mutants_of_pairs(mutants, rng, pairs))
    rng.shuffle(mutants)
    return mutants


def force_every_path() -> None:
    """Let engines do with a few postings what they do with many."""
    BaseEngine.PROFILES_BEFORE_BUILDING = 0  # type: ignore[misc]
    BaseEngine.FEWEST_ROWS = BaseEngine.FEWEST_ENTRIES = 0  # type: ignore[misc]
    BaseEngine.MOST_WANTED = 1.0  # type: ignore[misc]
    if fast_is_installed():
        from matcher.fast import FastEngine

        FastEngine.FEW_ALLOWED = 0.7


def switch_off(check: str) -> None:
    """Let a check find nothing: one that returns whether all is well, or raises when it is not."""
    module, _, path = check.rstrip("!~").partition(":")
    holder: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        holder = getattr(holder, parent)

    def check_nothing(*args: Any, **kwargs: Any) -> Any:
        if check.endswith("!"):
            os.abort()
        if check.endswith("~"):
            time.sleep(1_000)
        return args[0] if name == "check_inverse_norms" else True

    setattr(holder, name, check_nothing)


def judge_here(name: str, seed: int, pairs: int, numbers: Sequence[int], checks: Sequence[str]) -> None:
    """Judge mutants by their numbers; write a line before each and one after it."""
    faulthandler.enable()
    warnings.simplefilter("error")
    force_every_path()
    mutants = make_mutants(name, seed, pairs)
    with tempfile.TemporaryDirectory(dir=fast_folder()) as folder:
        court = Court(make_model(name), Path(folder))  # honest, before anything is switched off
        for check in checks:
            switch_off(check)
        for number in numbers:
            print(json.dumps({"number": number}), flush=True)
            verdict = court.judge(mutants[number])
            print(json.dumps({"outcome": verdict.outcome, "reason": verdict.reason}), flush=True)


def fast_folder() -> str | None:
    """Return a folder in memory where there is one: syncing takes no time there."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def judge_apart(
    name: str, seed: int, pairs: int, numbers: Sequence[int], checks: Sequence[str] = ()
) -> Iterator[Judged]:
    """Judge mutants in a process of their own, and in another one after each that ends it."""
    mutants = make_mutants(name, seed, pairs)
    left = list(numbers)
    while left:
        done = 0
        arguments = json.dumps([name, seed, pairs, left, list(checks)])
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "import sys; from tests.batches import main; main(sys.argv[1])",
                arguments,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        number = None
        for line in follow(process):
            record = json.loads(line)
            if "number" in record:
                number = record["number"]
                continue
            kind, label, _ = mutants[number]
            yield Judged(number, kind, label, **record)
            done += 1
        reason = end(process)
        if done == len(left):
            return
        if number is None:
            raise RuntimeError(f"the process could not begin: {reason}")
        kind, label, _ = mutants[left[done]]
        yield Judged(left[done], kind, label, BAD, reason)
        left = left[done + 1 :]


def follow(process: Any) -> Iterator[str]:
    """Return what a process writes, line by line, until it ends or is silent for too long."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    threading.Thread(target=read, daemon=True).start()
    timeout = BEGINNING
    while True:
        try:
            line = lines.get(timeout=timeout)
        except queue.Empty:
            process.kill()
            return
        if not line:
            return
        timeout = PATIENCE
        yield line


def end(process: Any) -> str:
    """Wait for a process and return how it ended."""
    errors = process.stderr.read()
    status = process.wait()
    process.stdout.close()
    process.stderr.close()
    place = re.findall(r'File "[^"]*?(\w+\.py)", line (\d+)', errors)[:1]
    where = f" at {':'.join(place[0])}" if place else ""
    if status < 0:
        what = "it never ended" if status == -9 else f"the process was ended by signal {-status}"
        return f"{what}{where}"
    return f"the process ended with status {status}{where}: {errors[-300:]}"


def tally(judged: Sequence[Judged]) -> dict[str, Counter[str]]:
    """Return how often each outcome came up, by kind; mutants that turned out to be none do not count."""
    counted: dict[str, Counter[str]] = {}
    for one in judged:
        if one.outcome != SAME:
            counted.setdefault(one.kind, Counter())[one.outcome] += 1
    return dict(sorted(counted.items()))


def main(arguments: str) -> None:
    name, seed, pairs, numbers, checks = json.loads(arguments)
    judge_here(name, seed, pairs, numbers, checks)
