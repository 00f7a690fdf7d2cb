"""Mutants of tables of strings, line by line, and whole files exchanged within and between models."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from tests.hostile_models import FITS, Draft, Model, make_model
from tests.mutants import Mutant, change_bytes, havoc

# --- tables of strings ------------------------------------------------------------------------------

LINES = [
    *(
        b"",
        b"\xff",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\x00",
        b"\x1b[2J",
        b"\r",
        b"a",
        b"~~~~",
        b"nurse",
        b"null",
        b"{}",
        b"[]",
    ),
    *(
        b"0",
        b'"a"',
        b"x" * 100_000,
        b"\xe2\x80\xae",
        b"\xf4\x8f\xbf\xbf",
        b"#",
        b" ",
        b"\t",
        b"../..",
        b"a\\nb",
    ),
    *(
        b'{"id": "a"}',
        b'{"id": "a", "x": NaN}',
        b'{"id": "a", "x": 1e999}',
        b'{"id": "a", "title": "\\ud800"}',
    ),
    *(b'{"id": "a", "hashtags": [1]}', b'{"id": "a", "timestamp": 9e99}', b'{"id": "a", "featured": true}'),
    *(
        b'{"id": "a", "id": "b"}',
        b'{"id": "b", "id": "a"}',
        b"[" * 5000,
        b'{"id": "a", "x": ' + b"[" * 900 + b"]" * 900 + b"}",
    ),
    *(
        b'{"id": "a", "x": ' + b"9" * 5000 + b"}",
        b'{"id": "a", "timestamp": ' + b"9" * 30 + b"}",
        b'{"title": "a"}',
    ),
    *(
        b'{"id": "a", "companyName": null}',
        b'{"id": "a\\n"}',
        b"c__builtin__\neval\n(V1\ntR."[:13],
        b"\x80\x04K\x01.",
    ),
]

TABLES: dict[str, Callable[[list[bytes], random.Random], list[bytes]]] = {
    "reversed": lambda lines, rng: lines[::-1],
    "swapped": lambda lines, rng: _swap(lines, rng.randrange(len(lines)), rng.randrange(len(lines))),
    "shuffled": lambda lines, rng: rng.sample(lines, len(lines)),
    "first twice": lambda lines, rng: [lines[0], *lines],
    "one for another": lambda lines, rng: [*lines[:-1], lines[0]],
    "without the first": lambda lines, rng: lines[1:],
    "without the last": lambda lines, rng: lines[:-1],
    "none": lambda lines, rng: [],
    "empty line in front": lambda lines, rng: [b"", *lines],
    "one more": lambda lines, rng: [*lines, b"\xf4\x8f\xbf\xbf"],
    "capitals": lambda lines, rng: [line.upper() for line in lines],
    "sorted by length": lambda lines, rng: sorted(lines, key=len),
    "first longer": lambda lines, rng: [lines[0] + b"!", *lines[1:]],
    "last longer": lambda lines, rng: [*lines[:-1], lines[-1] + b"!"],
    "last shorter": lambda lines, rng: [*lines[:-1], lines[-1][:-1]],
}


def _swap(lines: list[bytes], first: int, second: int) -> list[bytes]:
    lines = list(lines)
    lines[first], lines[second] = lines[second], lines[first]
    return lines


def change_lines(name: str, fits: bool, change: Callable[[list[bytes]], list[bytes]], draft: Draft) -> None:
    """Change the lines of a table, with offsets that fit, or those there were."""
    offsets = draft.files[f"{name}.offsets.npy"]
    draft.put_lines(name, change(draft.lines(name)))
    if not fits:
        draft.files[f"{name}.offsets.npy"] = offsets


def put_line(position: int, line: bytes, lines: list[bytes]) -> list[bytes]:
    return [*lines[:position], line, *lines[position + 1 :]]


def mutants_of_tables(model: Model, rng: random.Random) -> Iterator[Mutant]:
    for name in model.tables:
        lines = model.draft().lines(name)
        kind = "records" if name.endswith(".records") else "text"
        for label, change in TABLES.items() if lines else ():
            for fits in (True, False):
                seed = rng.getrandbits(32)
                changed = partial(_seeded_lines, change, seed)
                what = f"{name} {label}{'' if fits else ', old offsets'}"
                yield Mutant(f"{kind}: lines", what, partial(change_lines, name, fits, changed))
        for line in LINES if lines else ():
            for position in {rng.randrange(len(lines)), len(lines) - 1}:
                changed = partial(put_line, position, line)
                yield Mutant(
                    f"{kind}: one line",
                    f"{name}:{position + 1} {line!r:.40}",
                    partial(change_lines, name, True, changed),
                )
        for _ in range(25):
            seed = rng.getrandbits(32)
            yield Mutant(
                f"{kind}: bytes", f"{name} seed {seed}", partial(change_bytes, f"{name}.txt", 0, seed)
            )
        for _ in range(10 if lines else 0):
            seed = rng.getrandbits(32)
            yield Mutant(
                f"{kind}: bytes", f"{name} seed {seed}, offsets fit", partial(_havoc_lines, name, seed)
            )


def _seeded_lines(
    change: Callable[[list[bytes], random.Random], list[bytes]], seed: int, lines: list[bytes]
) -> list[bytes]:
    return change(lines, random.Random(seed))


def _havoc_lines(name: str, seed: int, draft: Draft) -> None:
    lines = draft.lines(name)
    place = seed % len(lines)
    lines[place] = havoc(seed, lines[place]).replace(b"\n", b"")
    draft.put_lines(name, lines)


# --- whole files exchanged --------------------------------------------------------------------------


def copy_file(source: bytes, name: str, draft: Draft) -> None:
    draft.files[name] = source


def exchange(first: str, second: str, draft: Draft) -> None:
    draft.files[first], draft.files[second] = draft.files[second], draft.files[first]


def copy_prefix(files: dict[str, bytes], source: str, target: str, draft: Draft) -> None:
    """Give all files under one prefix to another, in place of those it has."""
    for name in [name for name in draft.files if name.startswith(target)]:
        del draft.files[name]
    for name, data in files.items():
        if name.startswith(source):
            draft.files[target + name.removeprefix(source)] = data


def mutants_of_files(model: Model, rng: random.Random) -> Iterator[Mutant]:
    names = sorted(model.files)
    for name in names:
        yield Mutant("file: deleted", name, lambda draft, name=name: draft.files.pop(name))
        alike = [other for other in names if other != name and other.split(".")[-2:] == name.split(".")[-2:]]
        others = [other for other in names if other != name and other.endswith(name[-4:])]
        for other in dict.fromkeys([*alike, *rng.sample(others, min(4, len(others)))]):
            yield Mutant(
                "file: copied within", f"{other} to {name}", partial(copy_file, model.files[other], name)
            )
            yield Mutant("file: exchanged within", f"{other}, {name}", partial(exchange, other, name))
        for other_model in FITS:
            if name in (files := make_model(other_model).files) and other_model != model.name:
                change = partial(copy_file, files[name], name)
                yield Mutant("file: of another model", f"{name} of {other_model}", change)
    prefixes = sorted({name.split(".")[0] + "." for name in names})
    prefixes += sorted({".".join(name.split(".")[:2]) + "." for name in names if name.startswith("segment")})
    for other_model in FITS:
        files = dict(make_model(other_model).files)
        for target in prefixes:
            for source in prefixes:
                if other_model != model.name or source != target:
                    change = partial(copy_prefix, files, source, target)
                    label = f"{source}* of {other_model} to {target}*"
                    yield Mutant("file: many exchanged", label, change)
