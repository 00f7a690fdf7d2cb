"""Mutants of arrays: other types, shapes and headers, orders and lengths, single numbers, bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from tests.hostile_models import Draft, Model, npy
from tests.mutants import Mutant, change_bytes

TYPES = [
    "<i8",
    "<i4",
    "<i2",
    "|i1",
    "<u8",
    "<u4",
    "<u2",
    "|u1",
    "<f8",
    "<f4",
    "<f2",
    ">i8",
    ">i4",
    ">f8",
    "|b1",
]
ODD_TYPES = ["<c16", "<M8[ms]", "<m8[s]", "<U4", "|S4", "|V8", "|O"]
INTEGERS = [
    0,
    1,
    -1,
    2,
    255,
    256,
    1 << 15,
    1 << 16,
    1 << 24,
    (1 << 24) + 1,
    1 << 31,
    1 << 32,
    1 << 40,
    1 << 62,
]
FLOATS = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.5,
    1e-18,
    9e-19,
    1e6,
    1.1e6,
    1e300,
    1.7e308,
    5e-324,
    np.nan,
    np.inf,
    -np.inf,
]

SHAPES: dict[str, Callable[[np.ndarray], Any]] = {
    "one row": lambda array: npy(array.reshape(1, -1)),
    "one column": lambda array: npy(array.reshape(-1, 1)),
    "a number": lambda array: npy(array[:1].reshape(())) if len(array) else b"",
    "three dimensions": lambda array: npy(array.reshape(1, 1, -1)),
    "Fortran order": lambda array: npy(array).replace(b"False", b"True "),
    "version 2": lambda array: npy(array, version=(2, 0)),
    "shape larger": lambda array: npy(array).replace(b"(%d," % len(array), b"(%d," % (len(array) + 1)),
    "shape smaller": lambda array: npy(array).replace(b"(%d," % len(array), b"(%d," % (len(array) // 2)),
    "shape huge": lambda array: npy(array).replace(b"(%d,), }" % len(array), b"(999999999999999,), }"),
    "shape negative": lambda array: npy(array).replace(b"(%d," % len(array), b"(-1,"),
    "no header": lambda array: array.tobytes(),
    "rest": lambda array: npy(array) + b"\0" * 8,
    "cut": lambda array: npy(array)[:-1],
    "empty file": lambda array: b"",
    "text": lambda array: b"0\n" * 64,
    "structured": lambda array: npy(array.view([("f", array.dtype)])),
    "objects": lambda array: npy(array.astype(object), allow_pickle=True),
}

ORDERS: dict[str, Callable[[np.ndarray, random.Random], np.ndarray]] = {
    "sorted": lambda array, rng: np.sort(array),
    "reversed": lambda array, rng: array[::-1],
    "shuffled": lambda array, rng: np.array(rng.sample(array.tolist(), len(array)), array.dtype),
    "rotated": lambda array, rng: np.roll(array, 1),
    "first for all": lambda array, rng: np.full_like(array, array[0]),
    "all 0": lambda array, rng: np.zeros_like(array),
    "all 1": lambda array, rng: np.ones_like(array),
    "all least": lambda array, rng: np.full_like(array, _limits(array.dtype)[0]),
    "all most": lambda array, rng: np.full_like(array, _limits(array.dtype)[1]),
    "counting": lambda array, rng: np.arange(len(array)).astype(array.dtype),
    "all more by 1": lambda array, rng: array + array.dtype.type(1),
    "all less by 1": lambda array, rng: array - array.dtype.type(1),
    "doubled": lambda array, rng: array * array.dtype.type(2),
    "without the first": lambda array, rng: array[1:],
    "without the last": lambda array, rng: array[:-1],
    "half": lambda array, rng: array[: len(array) // 2],
    "nothing": lambda array, rng: array[:0],
    "last twice": lambda array, rng: np.append(array, array[-1:]),
    "first twice": lambda array, rng: np.append(array[:1], array),
    "twice": lambda array, rng: np.tile(array, 2),
    "long": lambda array, rng: np.tile(array, 500),
}


def _limits(dtype: np.dtype) -> tuple[Any, Any]:
    return (-np.inf, np.inf) if dtype.kind == "f" else (np.iinfo(dtype).min, np.iinfo(dtype).max)


def values_near(value: Any, dtype: np.dtype) -> list[Any]:
    """Return what may be put instead of a number: neighbours and extremes that the type holds."""
    if dtype.kind == "f":
        return [*FLOATS, value * 2, value / 2, -value, np.nextafter(value, np.inf)]
    least, most = _limits(dtype)
    near = [value + step for step in (-2, -1, 1, 2)]
    return [
        number
        for number in dict.fromkeys([*near, *INTEGERS, least, most, most - 1])
        if least <= number <= most
    ]


def set_value(name: str, position: int, value: Any, draft: Draft) -> None:
    array = draft.array(name)
    array[position % len(array)] = value
    draft.put(name, array)


def swap_values(name: str, first: int, second: int, draft: Draft) -> None:
    array = draft.array(name)
    first, second = first % len(array), second % len(array)
    array[[first, second]] = array[[second, first]]
    draft.put(name, array)


def change_array(name: str, change: Callable[[np.ndarray], Any], draft: Draft) -> None:
    with np.errstate(all="ignore"):
        changed = change(draft.array(name))
    if isinstance(changed, bytes):
        draft.files[f"{name}.npy"] = changed
    else:
        draft.put(name, changed)


def change_type(dtype: str, array: np.ndarray) -> bytes:
    if dtype == "|V8":
        array = array.astype("<i8")
        return npy(array.view(dtype))
    return npy(array.astype(dtype), allow_pickle=True)


def mutants_of_arrays(model: Model, rng: random.Random) -> Iterator[Mutant]:
    for name in model.arrays:
        array = model.draft().array(name)
        for dtype in [*TYPES, *ODD_TYPES]:
            yield Mutant(
                "array: type", f"{name} {dtype}", partial(change_array, name, partial(change_type, dtype))
            )
        for label, reshape in SHAPES.items():
            yield Mutant("array: shape and header", f"{name} {label}", partial(change_array, name, reshape))
        if not len(array):
            continue
        for label, order in ORDERS.items():
            seeded = partial(_seeded, order, rng.getrandbits(32))
            yield Mutant("array: order and length", f"{name} {label}", partial(change_array, name, seeded))
        positions = {0, 1, len(array) // 2, len(array) - 2, len(array) - 1} & set(range(len(array)))
        for position in sorted(positions):
            for value in values_near(array[position].item(), array.dtype):
                label = f"{name}[{position}] = {value}"
                yield Mutant("array: one value", label, partial(set_value, name, position, value))
        for _ in range(min(8, len(array))):
            first, second = rng.randrange(len(array)), rng.randrange(len(array))
            yield Mutant(
                "array: two swapped", f"{name} {first} {second}", partial(swap_values, name, first, second)
            )
        for _ in range(8):
            seed = rng.getrandbits(32)
            yield Mutant(
                "array: bytes", f"{name} seed {seed}", partial(change_bytes, f"{name}.npy", 128, seed)
            )
        for _ in range(3):
            seed = rng.getrandbits(32)
            yield Mutant(
                "array: bytes", f"{name} header, {seed}", partial(change_bytes, f"{name}.npy", 0, seed)
            )


def _seeded(
    order: Callable[[np.ndarray, random.Random], np.ndarray], seed: int, array: np.ndarray
) -> np.ndarray:
    return order(array, random.Random(seed))
