"""Mutants: every way to change a model that we could think of, one at a time and two together.

A mutant is a change of a `Draft`; hashes are computed afterwards, so nothing but the contents can give it
away. All of them follow from the model and a seed. Here are those of the manifest; see also
`tests.mutant_arrays`, `tests.mutant_files` and `tests.lies`.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from tests.hostile_models import Draft, Model, npy

Change = Callable[[Draft], Any]


class Mutant(NamedTuple):
    """A change with a name.

    Attributes
    ----------
    kind : str
        A row of the table of results.
    label : str
        What exactly is changed.
    change : callable
        Changes a draft.
    """

    kind: str
    label: str
    change: Change


# --- the manifest -----------------------------------------------------------------------------------

JSON_VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 7, 8, 10, 1 << 31, 1 << 53, 1 << 63, -(1 << 63), 10**400),
    *(0.0, 0.5, 1.0, -0.5, 1e-300, 1e300, math.nan, math.inf, -math.inf),
    *("", "text", "hashtags", "0", "1", "nan", "true", "__class__", "\x00", "\ud800", "x" * 10_000, "../x"),
    *([], [None], [[]], [1, 2], {}, {"": None}, {"name": "text"}, {"a": {"b": [1, {"c": None}]}}),
    json.loads("[" * 90 + "]" * 90),
]


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inside in items:
        yield (*path, key)
        yield from paths_of(inside, (*path, key))


def change_at(path: tuple[Any, ...], change: Callable[[Any, Any], Any], of: str = "changes") -> Change:
    """Change what is at a path of the manifest: `change` gets what holds it, and its key.

    With ``of="pointer_changes"``, of CURRENT.
    """

    def apply(record: dict[str, Any]) -> None:
        holder: Any = record
        for key in path[:-1]:
            holder = holder[key]
        change(holder, path[-1])

    return lambda draft: getattr(draft, of).append(apply)


def delete(holder: Any, key: Any) -> None:
    del holder[key]


def put(value: Any, holder: Any, key: Any) -> None:
    holder[key] = value


def repeat(holder: Any, key: Any) -> None:
    if isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[f"{key}2"] = holder[key]


def add_unknown(value: Any, holder: Any, key: Any) -> None:
    if isinstance(holder[key], dict):
        holder[key]["unknown"] = value
    elif isinstance(holder[key], list):
        holder[key].append(value)
    else:
        holder["unknown"] = value


def twice(key: str, value: str, data: bytes) -> bytes:
    """Write a key of the manifest twice, with another value before or after."""
    found = f'"{key}": '.encode()
    return data.replace(found, f'"{key}": {value}, '.encode() + found, 1)


def mutants_of_the_manifest(model: Model, rng: random.Random) -> Iterator[Mutant]:
    record = json.loads(model.draft().manifest())
    files = sorted(record["files"])
    chosen = set(rng.sample(files, min(6, len(files))))
    for path in paths_of(record):
        if path[0] == "files" and len(path) > 1 and path[1] not in chosen:
            continue
        label = "/".join(map(str, path))
        yield Mutant("manifest: deleted", label, change_at(path, delete))
        yield Mutant("manifest: repeated", label, change_at(path, repeat))
        values = JSON_VALUES if path[0] != "files" else rng.sample(JSON_VALUES, 12)
        for value in values:
            yield Mutant(
                "manifest: replaced", f"{label} = {value!r:.40}", change_at(path, partial(put, value))
            )
        for value in rng.sample(JSON_VALUES, 4):
            change = change_at(path, partial(add_unknown, value))
            yield Mutant("manifest: unknown", f"{label} + {value!r:.40}", change)
        for value in ("null", "1", "{}", "[]", '"text"'):
            if isinstance(key := path[-1], str):
                change = partial(_add_text, partial(twice, key, value))
                yield Mutant("manifest: twice", f"{label} {value}", change)
    for name in NAMES:
        yield Mutant("manifest: file name", f"{name!r:.40}", partial(_list_file, name))
    for _ in range(60):
        seed = rng.getrandbits(32)
        yield Mutant("manifest: bytes", f"seed {seed}", partial(_add_text, partial(havoc, seed)))


def mutants_of_the_pointer(model: Model, rng: random.Random) -> Iterator[Mutant]:
    of = "pointer_changes"
    for key in ("generation", "manifest_sha256"):
        yield Mutant("CURRENT", f"{key} deleted", change_at((key,), delete, of))
        for value in [*JSON_VALUES, "0" * 64, "f" * 65, 99_999_999, 100_000_000]:
            yield Mutant("CURRENT", f"{key} = {value!r:.40}", change_at((key,), partial(put, value), of))
        for value in ("null", "1", "2", '"text"'):
            change = partial(_add_text, partial(twice, key, value), of="pointer_texts")
            yield Mutant("CURRENT", f"{key} {value} twice", change)
    for value in [*JSON_VALUES, 99_999_999, 100_000_000]:
        for key in ("last", "unknown"):
            yield Mutant("CURRENT", f"{key}: {value!r:.40}", change_at((key,), partial(put, value), of))
    for _ in range(60):
        seed = rng.getrandbits(32)
        change = partial(_add_text, partial(havoc, seed), of="pointer_texts")
        yield Mutant("CURRENT", f"seed {seed}", change)


NAMES = [
    *(
        "../evil.npy",
        "../gen-00000001/manifest.json",
        "/etc/passwd",
        "/dev/zero",
        "a/b.npy",
        "a\\b.npy",
        "..",
        ".",
    ),
    *(
        "",
        "CURRENT",
        "manifest.json",
        "signature",
        ".lock",
        "x.pkl",
        "x.npz",
        "X.NPY",
        "x.npy\n",
        "x.npy\x00",
    ),
    *(
        "x.npy",
        "x.txt",
        "segment9.deleted.npy",
        "segment0.x.places.npy",
        "\ud800.npy",
        "é.npy",
        "x" * 300 + ".npy",
    ),
    *("segment0.deleted.txt", "text.vocabulary.npy", "segment00.deleted.npy", "con.npy", "../../x.txt"),
]


def _list_file(name: str, draft: Draft) -> None:
    """List a file under an odd name; where it can be there, it is."""
    data = npy(np.arange(3))
    possible = name.isprintable() and "/" not in name and len(name) < 200
    if possible and name.endswith(("npy", "txt")) and name not in draft.files:
        draft.files[name] = data
        return
    entry = {"size": len(data), "sha256": "0" * 64}
    draft.changes.append(lambda record: record["files"].__setitem__(name, entry))


def _add_text(change: Callable[[bytes], bytes], draft: Draft, of: str = "texts") -> None:
    getattr(draft, of).append(change)


# --- bytes ---------------------------------------------------------------------------------------------


def change_bytes(file: str, start: int, seed: int, draft: Draft) -> None:
    data = draft.files[file]
    draft.files[file] = data[:start] + havoc(seed, data[start:])


def havoc(seed: int, data: bytes) -> bytes:
    """Flip, replace, insert, delete or repeat a few bytes."""
    rng = random.Random(seed)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        place, size = rng.randrange(len(data) + 1), rng.choice([1, 1, 2, 4, 8])
        some = data[place : place + size]
        inside = rng.choice(
            [
                bytes(byte ^ (1 << rng.randrange(8)) for byte in some),
                rng.randbytes(len(some)),
                rng.randbytes(len(some)),
                b"\0" * len(some),
                b"\xff" * len(some),
                some * 2,
                b"",
            ]
        )
        data = data[:place] + inside + data[place + size :]
    return data


# --- two together -----------------------------------------------------------------------------------


def both(first: Change, second: Change, draft: Draft) -> None:
    first(draft)
    second(draft)


def mutants_of_pairs(singles: list[Mutant], rng: random.Random, count: int) -> Iterator[Mutant]:
    """Pairs of changes, half of them such as survive alone more often: of numbers, lines and settings."""
    kinds = (
        "array: one value",
        "array: two swapped",
        "array: order and length",
        "text: one line",
        "manifest: replaced",
    )
    small = [mutant for mutant in singles if mutant.kind in kinds]
    for number in range(count):
        pool = small if number % 2 else singles
        first, second = rng.choice(pool), rng.choice(pool)
        label = f"{first.kind} {first.label} + {second.kind} {second.label}"
        yield Mutant("two together", label, partial(both, first.change, second.change))
