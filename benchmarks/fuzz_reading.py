"""Everything that reads files, fed with mutations of the corpus: what escapes, hangs, or ends the process.

    nice python benchmarks/fuzz_reading.py                       250,000 inputs, some minutes on one core
    python benchmarks/fuzz_reading.py --inputs 20000 --only csv feeds
    python benchmarks/fuzz_reading.py --seed 7 --save tests/cases/files/found.json

Each target runs in a process of its own with little memory. One that dies, or makes no progress, is replaced,
and the input it died of is kept. The exit status is 1 when there is one such, or when anything but a
`MatcherError` escaped. Failures can be saved as cases of the corpus, to be labelled.
"""

import argparse
import base64
import json
import mmap
import os
import resource
import signal
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tables import table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.fuzzing import TARGETS, Found, Target, fuzz

MEMORY = 1 << 30
"""Bytes of address space of a process."""

STUCK = 30
"""Seconds without progress after which a process is ended: nothing in Python could interrupt it."""

_HEAD = struct.Struct("<QQ")


def run_apart(target: Target, count: int, seed: int) -> Found:
    """Fuzz a target in processes of its own until `count` inputs have run."""
    whole = Found()
    while whole.inputs < count:
        found = _run_once(target, count - whole.inputs, seed + whole.inputs)
        whole.inputs += found.inputs
        whole.failures += found.failures
        for name in ("refused", "limited"):
            setattr(whole, name, getattr(whole, name) + getattr(found, name))
        for name in ("pool", "seed_lines", "lines", "outcomes"):
            setattr(whole, name, max(getattr(whole, name), getattr(found, name)))
        if found.slowest > whole.slowest:
            whole.slowest, whole.slowest_input = found.slowest, found.slowest_input
    return whole


def _run_once(target: Target, count: int, seed: int) -> Found:
    shared = mmap.mmap(-1, 1 << 22)
    receiving, sending = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(receiving)
        _serve(target, count, seed, shared, sending)
        os._exit(0)
    os.close(sending)
    text, last, since = b"", -1, time.monotonic()
    os.set_blocking(receiving, False)
    while True:
        try:
            part = os.read(receiving, 1 << 16)
            text += part
            if not part:
                break
        except BlockingIOError:
            time.sleep(0.05)
        number = _HEAD.unpack(shared[: _HEAD.size])[0]
        if number != last:
            last, since = number, time.monotonic()
        elif time.monotonic() - since > STUCK:
            os.kill(child, signal.SIGKILL)
            since = time.monotonic()
    os.close(receiving)
    _, status = os.waitpid(child, 0)
    if status == 0 and text:
        return _read_found(json.loads(text))
    number, size = _HEAD.unpack(shared[: _HEAD.size])
    how = f"signal {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"status {os.WEXITSTATUS(status)}"
    data = shared[_HEAD.size : _HEAD.size + size]
    return Found(inputs=max(1, number), failures=[(f"the process died ({how})", data)])


def _serve(target: Target, count: int, seed: int, shared: mmap.mmap, sending: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    done = 0

    def announce(data: bytes) -> None:
        nonlocal done
        done += 1
        shared[: _HEAD.size + len(data)] = _HEAD.pack(done, len(data)) + data

    found = asdict(fuzz(target, count, seed, announce))
    found["slowest_input"] = base64.b64encode(found["slowest_input"]).decode()
    found["failures"] = [(message, base64.b64encode(data).decode()) for message, data in found["failures"]]
    with os.fdopen(sending, "w") as answers:
        json.dump(found, answers)


def _read_found(record: dict[str, Any]) -> Found:
    record["slowest_input"] = base64.b64decode(record["slowest_input"])
    record["failures"] = [(message, base64.b64decode(data)) for message, data in record["failures"]]
    return Found(**record)


def main() -> int:
    """Fuzz and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--inputs", type=int, default=250_000, help="of all targets together")
    parser.add_argument("--seed", type=int, default=20_261_127)
    parser.add_argument("--only", nargs="*", choices=list(TARGETS), metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--save", type=Path, help="where failures become cases of the corpus")
    options = parser.parse_args()
    chosen = [TARGETS[name] for name in options.only or TARGETS]
    total = sum(target.weight for target in chosen)
    started = time.monotonic()
    results = []
    for target in chosen:
        begun = time.monotonic()
        found = run_apart(target, round(options.inputs * target.weight / total), options.seed)
        results.append((target, found, time.monotonic() - begun))
        print(f"{target.name}: {found.inputs:,} inputs, {len(found.failures)} failures", file=sys.stderr)
    print(_table(results))
    failures = [(target, *failure) for target, found, _ in results for failure in found.failures]
    for target, message, data in failures:
        print(f"FAILED {target.name}: {message}: {data[:200]!r} ({len(data):,} bytes)")
    inputs = sum(found.inputs for _, found, _ in results)
    print(f"\n{inputs:,} inputs in {time.monotonic() - started:.0f} s, {len(failures)} failures")
    if options.save and failures:
        _save(options.save, failures)
    return 1 if failures else 0


def _table(results: Sequence[tuple[Target, Found, float]]) -> str:
    headings = (
        "target", "inputs", "a second", "lines by the corpus", "more by mutations", "outcomes", "in the pool",
        "refused whole", "stopped by a limit", "slowest, ms", "failures",
    )  # fmt: skip
    rows = [
        [
            target.name,
            f"{found.inputs:,}",
            f"{found.inputs / seconds:,.0f}",
            f"{found.seed_lines:,}",
            f"{found.lines - found.seed_lines:,}",
            f"{found.outcomes:,}",
            f"{found.pool:,}",
            f"{found.refused:,}",
            f"{found.limited:,}",
            f"{1000 * found.slowest:,.0f}",
            f"{len(found.failures):,}",
        ]
        for target, found, seconds in results
    ]
    return table(headings, rows)


def _save(path: Path, failures: Sequence[tuple[Target, str, bytes]]) -> None:
    cases = [
        {
            "name": f"{target.name}: {message[:100]} ({number})",
            "kind": "synthetic",
            "file": "found.md",
            "content": {"base64": base64.b64encode(data).decode()},
            "wanted": {"read": 0, "rejected": 1},
        }
        for number, (target, message, data) in enumerate(failures, 1)
    ]
    path.write_text(json.dumps(cases, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main())
