"""What a disk may hold after a crash: every call that changes files is recorded, then replayed in parts.

The model of the disk is a weak one, after ALICE (Pillai et al., OSDI 2014). What a file holds is certain to
be there only after its own fsync, a name only after that of its folder. Everything else that was asked for
before the crash may have happened or not, in any combination: data may be there in part, or as zeros; of two
changes of names the later one may be there without the earlier one. A rename is there as a whole or not at
all.
"""

import builtins
import io
import os
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock


class Call(NamedTuple):
    """One call that changes files, or makes changes durable.

    `kind` is one of ``mkdir``, ``create``, ``cut`` (to nothing), ``data``, ``rename``, ``link``, ``remove``,
    ``sync``.
    """

    kind: str
    path: str
    other: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Recorder:
    """Patches what Python offers for changing files, and notes the calls that succeed."""

    root: Path
    calls: list[Call] = field(default_factory=list)
    descriptors: dict[int, str] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def note(self, kind: str, path: str, other: str = "", offset: int = 0, data: bytes = b"") -> None:
        if Path(path).is_relative_to(self.root) or path == str(self.root):
            self.calls.append(Call(kind, path, other, offset, data))

    def name(self, path: Any, dir_fd: int | None = None) -> str:
        text = os.fsdecode(path)
        return f"{self.descriptors[dir_fd]}/{text}" if dir_fd is not None else os.path.abspath(text)  # noqa: PTH100

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what the block does."""
        real = {name: getattr(os, name) for name in ["mkdir", "rename", "replace", "link", "unlink", "rmdir"]}
        real |= {name: getattr(os, name) for name in ["fsync", "open", "close"]}
        real_open = io.open
        recorder = self

        class File(io.FileIO):
            def write(self, data: Any) -> int:
                with recorder.lock:
                    offset = self.tell()
                    written = super().write(data)
                    data = bytes(memoryview(data).cast("B")[:written])
                    recorder.note("data", recorder.name(self.name), "", offset, data)
                    return written

            def close(self) -> None:
                if not self.closed:
                    recorder.descriptors.pop(self.fileno(), None)
                super().close()

        def open_file(path: Any, mode: str = "r", buffering: int = -1, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(path, str | os.PathLike) or not set(mode) & set("wxa+"):
                return real_open(path, mode, buffering, *args, **kwargs)
            assert "b" in mode
            with recorder.lock:
                name = recorder.name(path)
                there = Path(name).exists()
                file = File(path, mode.replace("b", ""))
                recorder.descriptors[file.fileno()] = name
                recorder.note("cut" if there else "create", name)
            return file if buffering == 0 else io.BufferedWriter(file)

        def open_descriptor(
            path: Any, flags: int, *args: Any, dir_fd: int | None = None, **kwargs: Any
        ) -> int:
            with recorder.lock:
                name = recorder.name(path, dir_fd)
                there = os.path.lexists(name)
                descriptor: int = real["open"](path, flags, *args, dir_fd=dir_fd)
                recorder.descriptors[descriptor] = name
                if flags & os.O_CREAT and not there:
                    recorder.note("create", name)
            return descriptor

        def close_descriptor(descriptor: int) -> None:
            with recorder.lock:
                recorder.descriptors.pop(descriptor, None)
                real["close"](descriptor)

        def sync(descriptor: int) -> None:
            name = recorder.descriptors[descriptor]
            real["fsync"](descriptor)
            with recorder.lock:
                recorder.note("sync", name)

        def one(name: str, kind: str) -> Callable[..., None]:
            def call(path: Any, *args: Any, dir_fd: int | None = None, **kwargs: Any) -> None:
                with recorder.lock:
                    named = recorder.name(path, dir_fd)
                    real[name](path, *args, dir_fd=dir_fd, **kwargs)
                    recorder.note(kind, named)

            return call

        def two(name: str, kind: str) -> Callable[..., None]:
            def call(source: Any, target: Any, **kwargs: Any) -> None:
                with recorder.lock:
                    real[name](source, target, **kwargs)
                    recorder.note(kind, recorder.name(source), recorder.name(target))

            return call

        patches = {
            (os, "mkdir"): one("mkdir", "mkdir"),
            (os, "unlink"): one("unlink", "remove"),
            (os, "rmdir"): one("rmdir", "remove"),
            (os, "rename"): two("rename", "rename"),
            (os, "replace"): two("replace", "rename"),
            (os, "link"): two("link", "link"),
            (os, "fsync"): sync,
            (os, "open"): open_descriptor,
            (os, "close"): close_descriptor,
            (io, "open"): open_file,
            (builtins, "open"): open_file,
        }
        with ExitStack() as stack:
            for (holder, attribute), patch in patches.items():
                stack.enter_context(mock.patch.object(holder, attribute, patch))
            yield


# --- the disk -----------------------------------------------------------------------------------------


TOP = -1


class Change(NamedTuple):
    """A call in terms of what lies on the disk: files and folders by number, names as parts of folders.

    `target` is the file whose data or the folder whose names change. `names` are the names it has or loses
    (None) by this change, all at once.
    """

    kind: str  # "names", "data", "cut" or "sync"
    target: int
    names: tuple[tuple[str, int | None], ...] = ()
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """Folders with names, files with data; the numbers of folders are negative, the topmost is -1."""

    folders: dict[int, dict[str, int]]
    files: dict[int, bytes]

    @classmethod
    def of(cls, root: Path, numbers: Iterator[int]) -> "Disk":
        """Read a folder that exists; everything in it counts as durable."""
        disk = cls({}, {})
        known: dict[int, int] = {}

        def add(path: Path) -> int:
            if path.is_dir():
                number = -next(numbers)
                disk.folders[number] = {entry.name: add(entry) for entry in sorted(path.iterdir())}
                return number
            inode = path.stat().st_ino
            if inode not in known:
                known[inode] = next(numbers)
                disk.files[known[inode]] = path.read_bytes()
            return known[inode]

        add(root)
        return disk

    def copy(self) -> "Disk":
        return Disk({number: dict(names) for number, names in self.folders.items()}, dict(self.files))

    def apply(self, change: Change, torn: str = "") -> None:
        if change.kind == "names":
            names = self.folders.setdefault(change.target, {})
            for name, number in change.names:
                if number is None:
                    names.pop(name, None)
                else:
                    names[name] = number
        elif change.kind == "cut":
            self.files[change.target] = b""
        elif change.kind == "data":
            data = change.data
            if torn == "half":
                data = data[: len(data) // 2]
            elif torn == "zeros":
                data = bytes(len(data))
            old = self.files.get(change.target, b"").ljust(change.offset, b"\0")
            self.files[change.target] = old[: change.offset] + data + old[change.offset + len(data) :]

    def seen(self, number: int = TOP) -> tuple[Any, ...]:
        """Return what a program can see of it."""
        return tuple(
            (name, self.seen(inside) if inside < 0 else self.files.get(inside, b""))
            for name, inside in sorted(self.folders.get(number, {}).items())
        )

    def write(self, folder: Path, number: int = TOP) -> None:
        """Make it a real folder."""
        folder.mkdir()
        for name, inside in self.folders.get(number, {}).items():
            if inside < 0:
                self.write(folder / name, inside)
            else:
                (folder / name).write_bytes(self.files.get(inside, b""))


def changes_of(calls: Sequence[Call], base: Disk, root: Path, numbers: Iterator[int]) -> list[Change]:
    """Follow the calls from `base`, the folder `root`, and tell what each does to the disk."""
    disk, changes = base.copy(), []

    def find(path: str) -> int:
        number = TOP
        for part in Path(path).relative_to(root).parts:
            number = disk.folders[number][part]
        return number

    for call in calls:
        parent, name = os.path.split(call.path)
        if call.kind in ("sync", "data", "cut"):
            change = Change(call.kind, find(call.path), (), call.offset, call.data)
        else:
            place = find(parent)
            if call.kind in ("mkdir", "create"):
                number = next(numbers)
                if call.kind == "mkdir":
                    number = -number
                    disk.folders[number] = {}
                else:
                    disk.files[number] = b""
                names: tuple[tuple[str, int | None], ...] = ((name, number),)
            elif call.kind == "remove":
                names = ((name, None),)
            else:
                other, new = os.path.split(call.other)
                number = find(call.path)
                if call.kind == "link":
                    place, names = find(other), ((new, number),)
                else:
                    assert other == parent, "a rename from folder to folder is not modelled"
                    names = ((name, None), (new, number))
            change = Change("names", place, names)
        disk.apply(change)
        changes.append(change)
    return changes


def crash_states(
    changes: Sequence[Change], base: Disk, seed: int, several: int = 8, start: int = 0
) -> Iterator[tuple[bool, Disk]]:
    """Every state that looks different, and whether all calls had returned.

    For each moment: everything has happened, nothing that need not have, all but one thing, only one thing,
    and `several` random choices; the data among it whole, in half or as zeros. Moments before `start` are
    left out.
    """
    rng = random.Random(seed)
    seen = set()
    for moment in range(start, len(changes) + 1):
        past = changes[:moment]
        synced = {change.target: place for place, change in enumerate(past) if change.kind == "sync"}
        real = [place for place, change in enumerate(past) if change.kind != "sync"]
        certain = {place for place in real if place < synced.get(past[place].target, -1)}
        unsure = [place for place in real if place not in certain]
        choices = [set(unsure), set[int]()]
        for place in unsure:
            choices += [set(unsure) - {place}, {place}]
        choices += [
            {place for place in unsure if rng.random() < 0.5} for _ in range(several if unsure else 0)
        ]
        for choice in choices:
            data = [place for place in choice if past[place].kind == "data"]
            for torn in ("", "half", "zeros") if data else ("",):
                disk = base.copy()
                for place in sorted(certain | choice):
                    disk.apply(past[place], torn if place in data and rng.random() < 0.7 else "")
                returned = moment == len(changes)
                if (key := (disk.seen(), returned)) not in seen:
                    seen.add(key)
                    yield returned, disk
