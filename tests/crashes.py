"""What is done to a model before the crash, what may be found after it, and processes that get killed.

Shared by tests/test_crash.py (seconds) and benchmarks/crash.py (minutes). Every array of a model says the
number that its manifest says, so that a mixture of two generations shows.
"""

import errno
import io
import itertools
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np

from matcher.errors import ModelError, ModelNotFoundError, ModelWriteError
from matcher.store import pointer, read_model, write_model
from matcher.store.disk import StoredFile
from matcher.store.generations import collect, history, rollback
from tests.crash_states import Change, Disk, Recorder, changes_of, crash_states

KEY = b"a key of more than sixteen bytes"


def files_of(number: int) -> dict[str, Any]:
    return {
        "large": np.full(3_000, number, np.int32),
        "words.txt": np.frombuffer(f"{number}\n".encode(), np.uint8),
        "always": np.arange(50),
    }


def publish(root: Path, number: int, **options: Any) -> dict[str, StoredFile]:
    """Write a generation that says `number`, and return those of its files that are the same in all."""
    published = write_model(root, {"number": number}, files_of(number), **options)
    return {"always": published.files["always"]}


@contextmanager
def unsynced() -> Iterator[None]:
    """Do without waiting for the disk where nothing depends on it."""
    with mock.patch.object(os, "fsync"):
        yield


@contextmanager
def quick_folder() -> Iterator[Path]:
    """A folder in memory, where there is one: thousands of models are made there."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def found(root: Path, **options: Any) -> int | str:
    """Return the number that a model says, 0 when there is none, or what is wrong."""
    try:
        model = read_model(root, **options)
    except ModelNotFoundError:
        return 0
    except ModelError as error:
        return f"refused: {error}"
    number = model.content["number"]
    expected = files_of(number)
    if sorted(expected) != sorted(model.files):
        return f"other files: {sorted(model.files)}"
    for name, array in expected.items():
        if not np.array_equal(model.files[name], array):
            return f"mixture: {name} is not of {number}"
    model.close()
    return int(number)


# --- crashes ------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True)
class Scenario:
    """Something done to a model, and the numbers that may be found: on the way, and when it has returned.

    `on_the_way` starts with the old one and ends with the new one.
    """

    prepare: Callable[[Path], Any]
    act: Callable[[Path, Any], Any]
    on_the_way: tuple[int, ...]
    returned: int
    key: bytes | None = None


def three(root: Path) -> dict[str, StoredFile]:
    kept: dict[str, StoredFile] = {}
    for number in (1, 2, 3):
        kept = publish(root, number, kept=kept, key=KEY)
    return kept


def back_at_1(root: Path) -> None:
    three(root)
    rollback(root, 1)


def with_an_orphan(root: Path) -> None:
    """A writer was killed between its generation and CURRENT."""
    three(root)
    before = (root / "CURRENT").read_bytes()
    publish(root, 4, key=KEY)
    (root / "CURRENT").write_bytes(before)


def failing_sync(error: BaseException) -> Any:
    """The sync that makes CURRENT durable fails, once."""
    real, calls = pointer.sync_folder, itertools.count()

    def sync(folder: Path) -> None:
        if next(calls) == 0:
            raise error
        real(folder)

    return mock.patch.object(pointer, "sync_folder", sync)


def killed_then_collected(root: Path, kept: Any) -> None:
    try:
        with failing_sync(Killed()):
            publish(root, 4)
    except Killed:
        collect(root, 1)


def failed(root: Path, kept: Any) -> None:
    try:
        with failing_sync(OSError(errno.EIO, "Input/output error")):
            publish(root, 4, kept=kept)
    except ModelWriteError:
        return
    raise AssertionError("an error went unnoticed")


SCENARIOS = {
    "a first model": Scenario(
        lambda root: None, lambda root, kept: publish(root / "a" / "b", 1), on_the_way=(0, 1), returned=1
    ),
    "publish": Scenario(
        three, lambda root, kept: publish(root, 4, key=KEY), on_the_way=(3, 4), returned=4, key=KEY
    ),
    "publish with kept files, collect": Scenario(
        three, lambda root, kept: publish(root, 4, kept=kept, keep=2), on_the_way=(3, 4), returned=4
    ),
    "go back": Scenario(three, lambda root, kept: rollback(root, key=KEY), (3, 2), returned=2, key=KEY),
    "publish after going back, collect": Scenario(
        back_at_1, lambda root, kept: publish(root, 4, keep=1), on_the_way=(1, 4), returned=4
    ),
    "publish after a killed writer, collect": Scenario(
        with_an_orphan, lambda root, kept: publish(root, 5, keep=2, key=KEY), (3, 5), returned=5, key=KEY
    ),
    "collect": Scenario(three, lambda root, kept: collect(root, 1), on_the_way=(3,), returned=3),
    "killed before the last sync, then collect": Scenario(
        three, killed_then_collected, on_the_way=(3, 4), returned=4
    ),
    "the last sync fails": Scenario(three, failed, on_the_way=(3, 4), returned=3),
}


@dataclass
class Tally:
    """How many states there were, what was found in them, and what should not have been."""

    states: int = 0
    outcomes: dict[int | str, int] = field(default_factory=dict)
    bad: list[str] = field(default_factory=list)


def record(scenario: Scenario, folder: Path) -> tuple[Disk, list[Change]]:
    """Play a scenario in `folder`, and tell what it did to the disk."""
    root = folder / "model"
    root.mkdir(parents=True)
    kept = scenario.prepare(root)
    numbers = itertools.count(1)
    base = Disk.of(root, numbers)
    recorder = Recorder(root)
    with recorder.recording():
        scenario.act(root, kept)
    return base, changes_of(recorder.calls, base, root, numbers)


def crash(
    scenario: Scenario,
    changes: list[Change],
    base: Disk,
    folder: Path,
    seed: int,
    several: int = 8,
    *,
    without: int | None = None,
) -> Tally:
    """Read the model in every state that a crash may leave; in every tenth, write and collect as well.

    With `without`, as if that change had not been made; then the first bad state is enough.
    """
    tally = Tally()
    if without is not None:
        changes = changes[:without] + changes[without + 1 :]
    folder = folder / "crashed"
    inner = "a/b" if scenario is SCENARIOS["a first model"] else ""
    for returned, disk in crash_states(changes, base, seed, several, without or 0):
        shutil.rmtree(folder, ignore_errors=True)
        disk.write(folder)
        root = folder / inner
        tally.states += 1
        outcome = found(root, key=scenario.key)
        tally.outcomes[outcome] = tally.outcomes.get(outcome, 0) + 1
        if tally.bad and without is not None:
            break
        if outcome not in ((scenario.returned,) if returned else scenario.on_the_way):
            tally.bad.append(f"state {tally.states}, returned {returned}: {outcome}")
            continue
        if outcome:
            tally.bad += [
                f"state {tally.states}: generation {generation.number}: {generation.problem or inside}"
                for generation in history(root)
                if isinstance(inside := found(root, generation=generation.number), str)
            ]
        if tally.states % 10 == 0:
            with unsynced():
                publish(root, 9, keep=1)
            left = [path.name for path in root.iterdir() if path.name not in ("CURRENT", ".lock")]
            if found(root) != 9 or len(left) != 1:
                tally.bad.append(f"state {tally.states}: the next one finds {found(root)}, leaves {left}")
    return tally


# --- errors at any call -------------------------------------------------------------------------------

_CALLS = ["mkdir", "link", "unlink", "rmdir", "rename", "replace", "fsync", "open", "ftruncate", "write"]


@contextmanager
def failing_call(number: int, code: int, partly: bool = False) -> Iterator[list[str]]:
    """Let the call with this number (from 0) fail, among all that change files; yields the calls made.

    With `partly`, the call that fails writes half of the data first.
    """
    calls: list[str] = []

    def count(name: str) -> bool:
        calls.append(name)
        return len(calls) == number + 1

    def wrapped(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if count(name):
                raise OSError(code, os.strerror(code))
            return real(*args, **kwargs)

        return call

    class File(io.FileIO):
        def write(self, data: Any) -> int:
            if count("file.write"):
                if partly:
                    super().write(memoryview(data)[: len(data) // 2])
                raise OSError(code, os.strerror(code))
            return super().write(data)

    real_open = io.open

    def open_file(path: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if "x" not in mode:
            return real_open(path, mode, *args, **kwargs)
        if count("file.open"):
            raise OSError(code, os.strerror(code))
        return File(path, mode.replace("b", ""))

    patches = {name: wrapped(name, getattr(os, name)) for name in _CALLS}
    with mock.patch.multiple(os, **patches), mock.patch.object(io, "open", open_file):
        yield calls


ACTS: dict[str, tuple[Callable[[Path, Any], Any], int]] = {
    "publish with kept files, collect": (lambda root, kept: publish(root, 4, kept=kept, keep=2, key=KEY), 4),
    "go back": (lambda root, kept: rollback(root, key=KEY), 2),
    "collect": (lambda root, kept: collect(root, 1), 3),
}


@dataclass
class Failures:
    """Calls that failed: how often the caller was told, how often it went well all the same, what was bad."""

    told: int = 0
    overcome: int = 0
    bad: list[str] = field(default_factory=list)


def fail_everywhere(act: str, code: int, partly: bool, folder: Path) -> Failures:
    """Let each call in turn fail that changes files; afterwards another writer finds everything in order."""
    do, new = ACTS[act]
    result = Failures()
    for number in itertools.count():
        root = folder / f"{code}-{partly}-{number}"
        kept = three(root)
        told = ""
        with failing_call(number, code, partly) as calls:
            try:
                do(root, kept)
            except ModelError as error:
                told = str(error)
        if len(calls) <= number:
            return result
        result.told += bool(told)
        result.overcome += not told
        outcome = found(root, key=KEY)
        publish(root, 5, keep=1, key=KEY)
        after = found(root, key=KEY)
        left = {path.name for path in root.iterdir()} - {"CURRENT", ".lock"}
        if outcome != (3 if told else new) or after != 5 or len(left) != 1:
            result.bad.append(f"{calls[number]}, call {number}: {outcome}, then {after}, left {left}")
        if told and os.strerror(code) not in told:
            result.bad.append(f"{calls[number]}, call {number}: told {told!r}")
        shutil.rmtree(root)
    raise AssertionError
