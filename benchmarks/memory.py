"""How much memory a process uses, and what for."""

import mmap
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

STATUS = Path("/proc/self/status")
SMAPS = Path("/proc/self/smaps")
_MAPPING = re.compile(r"[0-9a-f]+-[0-9a-f]+ ")


def process_memory() -> dict[str, int]:
    """Return bytes resident now, those not backed by files, and the most there were; empty where unknown."""
    if not STATUS.exists():
        return {}
    lines = dict(line.split(":", 1) for line in STATUS.read_text(encoding="utf-8").splitlines())
    names = ("VmRSS", "RssAnon", "VmHWM")
    return {name: int(lines[name].split()[0]) * 1024 for name in names if name in lines}


def resident_files(folder: Path) -> dict[str, int]:
    """Return, for each file of a folder that this process has mapped, how many bytes are resident."""
    if not SMAPS.exists():
        return {}
    sizes: dict[str, int] = {}
    name = ""
    for line in SMAPS.read_text(encoding="utf-8", errors="replace").splitlines():
        if _MAPPING.match(line):
            path = line.split(maxsplit=5)[-1]
            name = Path(path).name if path.startswith(str(folder)) else ""
        elif name and line.startswith("Rss:"):
            sizes[name] = sizes.get(name, 0) + int(line.split()[1]) * 1024
    return sizes


def owner(array: np.ndarray) -> Any:
    """Return what holds an array's memory: an array, or a mapping of a file."""
    while isinstance(array, np.ndarray) and array.base is not None:
        array = array.base
    return array.obj if isinstance(array, memoryview) else array


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array's memory is a mapped file."""
    return isinstance(owner(array), mmap.mmap)


def array_sizes(arrays: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return bytes of each array and whether they are mapped; memory that two share counts once."""
    sizes, seen = {}, set()
    for name, array in arrays.items():
        key = id(owner(array)), array.__array_interface__["data"][0]
        if key not in seen:
            seen.add(key)
            sizes[name] = {"bytes": array.nbytes, "mapped": is_mapped(array)}
    return sizes


def release_mapped(arrays: Mapping[str, np.ndarray]) -> None:
    """Give mapped pages back, so that later only those count that were touched since. The data stays."""
    for array in arrays.values():
        if is_mapped(array) and hasattr(mmap, "MADV_DONTNEED"):
            owner(array).madvise(mmap.MADV_DONTNEED)


def find_arrays(value: Any, name: str = "", package: str = "matcher") -> Iterator[tuple[str, np.ndarray]]:
    """Yield every array reachable from an object of a package through attributes and containers."""
    todo, seen = [(name, value)], set()
    while todo:
        name, value = todo.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, np.ndarray):
            yield name, value
        elif isinstance(value, Mapping):
            todo += [(f"{name}[{key!r}]", item) for key, item in value.items()]
        elif isinstance(value, tuple) and hasattr(value, "_fields"):
            todo += [(f"{name}.{key}", item) for key, item in value._asdict().items()]
        elif isinstance(value, (list, tuple)):
            todo += [(f"{name}[{number}]", item) for number, item in enumerate(value)]
        elif type(value).__module__.split(".")[0] == package:
            todo += [(f"{name}.{key}", item) for key, item in _attributes(value).items()]


def _attributes(value: Any) -> dict[str, Any]:
    slots = [slot for kind in type(value).__mro__ for slot in getattr(kind, "__slots__", ())]
    found = {slot: getattr(value, slot) for slot in slots if hasattr(value, slot)}
    return found | getattr(value, "__dict__", {})


def folder_size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
