"""Models that lie consistently: whatever loading compares with something else is changed along with it."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Iterator
from functools import cache, partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import numpy as np

from matcher.dense import FINE, LARGEST, learn_centre
from matcher.encoding import COMMON_SHARE
from matcher.word_vectors import WordVectors
from tests.hostile_models import Draft, Model, npy
from tests.mutant_files import copy_prefix
from tests.mutants import Mutant

SEMANTIC = "semantic"


def blocks_of(draft: Draft, *, counted: bool = False) -> list[str]:
    """Return the names of the blocks; of those that count terms alone, when asked for."""
    names = [entry["settings"]["name"] for entry in draft.content["blocks"]]
    return [name for name in names if not counted or name != SEMANTIC]


def segments_of(draft: Draft) -> list[str]:
    return [f"segment{number}" for number in range(draft.content["segments"])]


def held(draft: Draft) -> int:
    return sum(
        len(draft.array(f"{segment}.postings.posted")) - len(draft.array(f"{segment}.deleted"))
        for segment in segments_of(draft)
    )


def agree(draft: Draft, *, fitted: bool = True) -> None:
    """Make the number of postings in the manifest that of the segments, and what is learned too."""
    draft.content["postings"] = held(draft)
    if not fitted:
        return
    for entry in draft.content["blocks"]:
        entry["postings"] = draft.content["postings"]
        name = entry["settings"]["name"]
        if name == SEMANTIC:
            agree_about_the_centre(draft, entry["settings"]["vectors"])
            continue
        total = np.zeros(len(draft.array(f"{name}.document_frequency")) + 1, np.int64)
        for segment in segments_of(draft):
            starts = draft.array(f"{segment}.{name}.by_posting.starts")
            columns = draft.array(f"{segment}.{name}.by_posting.columns")
            frequency = np.diff(draft.array(f"{segment}.{name}.by_term.starts"))
            for row in draft.array(f"{segment}.deleted"):
                np.subtract.at(frequency, columns[starts[row] : starts[row + 1]], 1)
            np.add.at(total, draft.array(f"{segment}.{name}.places"), frequency)
        draft.put(f"{name}.document_frequency", total[:-1])


def agree_about_the_centre(draft: Draft, source: str) -> None:
    """Make the centre the mean of the vectors of the postings that are held."""
    size = len(draft.array(f"{SEMANTIC}.centre"))
    kept = [np.zeros((0, size), np.int8)]
    for segment in segments_of(draft):
        rows = rows_of(draft, segment)
        kept.append(np.delete(rows, draft.array(f"{segment}.deleted"), axis=0))
    rows = np.concatenate(kept)
    sums = rows.sum(axis=0, dtype=np.int64)
    words = sum_of_shipped() if source == "shipped" else sum_of_rows(draft.array(f"{SEMANTIC}.vectors"), size)
    expected = COMMON_SHARE * words / (np.linalg.norm(words) or 1.0)
    draft.put(f"{SEMANTIC}.centre", learn_centre(sums, np.count_nonzero(rows.any(axis=1)), expected))


def rows_of(draft: Draft, segment: str) -> np.ndarray:
    """Return the dense vectors of a segment, shape (postings, dimensions)."""
    stored = draft.array(f"{segment}.{SEMANTIC}.vectors").view(np.int8)
    return stored.reshape(len(draft.array(f"{segment}.postings.posted")), -1)


def sum_of_rows(stored: np.ndarray, size: int) -> np.ndarray:
    return stored.view(np.int8).reshape(-1, size).sum(axis=0, dtype=np.int64)


@cache
def sum_of_shipped() -> np.ndarray:
    return WordVectors.shipped().vectors.sum(axis=0, dtype=np.int64)


# --- the same matrix twice, or not ------------------------------------------------------------------


def shuffle_order(segment: str, block: str, order: str, what: str, seed: int, draft: Draft) -> None:
    """Change one order of a matrix, and nothing that is compared with the other: sizes and totals agree."""
    rng = np.random.default_rng(seed)
    name = f"{segment}.{block}.{order}"
    starts, columns, counts = (draft.array(f"{name}.{part}") for part in ("starts", "columns", "counts"))
    width = (
        len(draft.array(f"{segment}.{block}.{'by_posting' if order == 'by_term' else 'by_term'}.starts")) - 1
    )
    lengths = np.diff(starts)
    if what == "counts":
        draft.put(f"{name}.counts", rng.permutation(counts))
        return
    if what == "rows":
        lengths = rng.permutation(lengths)
    elif what == "lengths":  # as many entries, in other rows
        lengths = np.zeros(len(lengths), np.int64)
        for _ in range(len(columns)):
            lengths[rng.choice(np.flatnonzero(lengths < width))] += 1
    elif what == "first rows":  # everything where the first rows are
        lengths = np.clip(len(columns) - width * np.arange(len(lengths)), 0, width)
    chosen = [np.sort(rng.choice(width, length, replace=False)) for length in lengths.tolist()]
    draft.put(f"{name}.starts", np.cumsum([0, *lengths], dtype=np.int64))
    draft.put(f"{name}.columns", np.concatenate([*chosen, np.zeros(0)]).astype(np.int32))


def shuffle_and_agree(segment: str, block: str, order: str, what: str, seed: int, draft: Draft) -> None:
    shuffle_order(segment, block, order, what, seed, draft)
    agree(draft)


def scale_counts(segment: str, block: str, factor: int, draft: Draft) -> None:
    for order in ("by_posting", "by_term"):
        name = f"{segment}.{block}.{order}.counts"
        draft.put(name, (draft.array(name).astype(np.uint64) * factor).astype(np.uint32))


# --- norms and weights ------------------------------------------------------------------------------


def change_norms(segment: str, block: str, change: Callable[[np.ndarray], np.ndarray], draft: Draft) -> None:
    name = f"{segment}.{block}.inverse_norms"
    draft.put(name, change(draft.array(name)))


def set_weights(weights: tuple[Any, Any], draft: Draft) -> None:
    """Give blocks these weights by turns."""
    for entry, weight in zip(draft.content["blocks"], cycle(weights), strict=False):
        entry["settings"]["weight"] = weight


NORMS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zero": np.zeros_like,
    "largest": lambda norms: np.full_like(norms, 1e6),
    "least": lambda norms: np.full_like(norms, 1e-18),
    "both": lambda norms: np.where(np.arange(len(norms)) % 2, 1e6, 1e-18),
    "reversed": lambda norms: norms[::-1],
    "present where nothing is": lambda norms: np.where(norms == 0, 1.0, 0.0),
}
WEIGHTS = [
    (1e9, 1e-9),
    (1e-9, 1e9),
    (0.0, 1e-9),
    (-0.0, 1.0),
    (1e9, 1e9),
    (1e-9, 1e-9),
    (0.0, 0.0),
    (-0.0, -0.0),
]

# --- dense vectors ----------------------------------------------------------------------------------

MOST = FINE * LARGEST


def change_centre(change: Callable[[np.ndarray], np.ndarray], draft: Draft) -> None:
    draft.put(f"{SEMANTIC}.centre", change(draft.array(f"{SEMANTIC}.centre")))


def centre_is_a_posting(segment: str, row: int, steps: int, draft: Draft) -> None:
    """Let the centre be a posting's vector, which has no data then, or some whole numbers from it."""
    centre = FINE * rows_of(draft, segment)[row].astype(np.int32)
    centre[0] += steps * FINE if centre[0] < 0 else -steps * FINE
    draft.put(f"{SEMANTIC}.centre", centre)


def change_rows(segment: str, change: Callable[[np.ndarray], np.ndarray], draft: Draft) -> None:
    rows = change(rows_of(draft, segment))
    draft.put(f"{segment}.{SEMANTIC}.vectors", np.ascontiguousarray(rows).reshape(-1).view(np.uint8))


def change_rows_and_agree(
    segment: str, change: Callable[[np.ndarray], np.ndarray], draft: Draft, *, fitted: bool
) -> None:
    change_rows(segment, change, draft)
    agree(draft, fitted=fitted)


CENTRES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zero": np.zeros_like,
    "reversed": lambda centre: centre[::-1],
    "negated": np.negative,
    "one off": lambda centre: centre + (np.arange(len(centre)) == len(centre) // 2).astype(np.int32),
    "largest": lambda centre: np.full_like(centre, MOST),
    "least": lambda centre: np.full_like(centre, -MOST),
    "largest and least": lambda centre: np.where(np.arange(len(centre)) % 2, MOST, -MOST).astype(np.int32),
    "larger than any": lambda centre: np.full_like(centre, MOST + 1),
    "less than any": lambda centre: np.full_like(centre, -MOST - 1),
    "as large as a number": lambda centre: np.full_like(centre, 2**31 - 1),
    "a number too few": lambda centre: centre[:-1],
    "a number too many": lambda centre: np.append(centre, np.int32(0)),
    "nothing": lambda centre: centre[:0],
    "one number": lambda centre: centre[:1],
    "too many numbers": lambda centre: np.zeros(4097, np.int32),
    "of 64 bits": lambda centre: centre.astype(np.int64),
    "of floats": lambda centre: centre.astype(np.float64),
}
ROWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zero": np.zeros_like,
    "reversed": lambda rows: rows[::-1],
    "negated": np.negative,
    "alike": lambda rows: np.repeat(rows[:1], len(rows), axis=0),
    "as long as can be": lambda rows: np.full_like(rows, LARGEST),
    "opposites": lambda rows: np.where(np.arange(len(rows))[:, None] % 2, rows[:1], -rows[:1]),
    "of one number": lambda rows: (
        (np.arange(rows.size) % rows.shape[1] == 0).reshape(rows.shape) * np.int8(1)
    ),
}
SHAPES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "of half the dimensions": lambda rows: rows[:, : rows.shape[1] // 2],
    "of twice the dimensions": lambda rows: np.tile(rows, 2),
    "a row too few": lambda rows: rows[:-1],
    "a row too many": lambda rows: np.concatenate([rows, rows[:1]]),
}

# --- postings ---------------------------------------------------------------------------------------


def delete_rows(segment: str, rows: list[int], draft: Draft, *, fitted: bool) -> None:
    draft.put(f"{segment}.deleted", np.array(rows, np.int64))
    agree(draft, fitted=fitted)


def rename_id(segment: str, row: int, new: str, with_record: bool, draft: Draft) -> None:
    """Rename a posting, in its record too, so that all that is compared agrees; its row stays."""
    name = f"{segment}.postings"
    ids = draft.lines(f"{name}.ids")
    ids[row] = new.encode("utf-8", "surrogatepass")
    draft.put_lines(f"{name}.ids", ids)
    if with_record:
        records = draft.lines(f"{name}.records")
        records[row] = json.dumps(json.loads(records[row]) | {"id": new}).encode()
        draft.put_lines(f"{name}.records", records)


def rename_term(block: str, position: int, new: bytes, draft: Draft) -> None:
    """Rename a term in what was learned and in every segment; right where the order stays."""
    old = draft.lines(f"{block}.vocabulary")[position]
    for table in (block, *(f"{segment}.{block}" for segment in segments_of(draft))):
        lines = draft.lines(f"{table}.vocabulary")
        draft.put_lines(f"{table}.vocabulary", [new if line == old else line for line in lines])


def forget(block: str, position: int, draft: Draft, *, fitted: bool) -> None:
    """Take a term out of what was learned; segments that have it miss it then."""
    lines = draft.lines(f"{block}.vocabulary")
    draft.put_lines(f"{block}.vocabulary", [*lines[:position], *lines[position + 1 :]])
    name = f"{block}.document_frequency"
    draft.put(name, np.delete(draft.array(name), position))
    for segment in segments_of(draft):
        places = draft.array(f"{segment}.{block}.places")
        places = np.where(places == position, -1, places - (places > position)).astype(np.int32)
        draft.put(f"{segment}.{block}.places", places)
    if fitted:
        agree(draft)


def place_elsewhere(segment: str, block: str, seed: int, draft: Draft) -> None:
    """Say that the terms of a segment are others: as many places, ascending, somewhere in the vocabulary."""
    name = f"{segment}.{block}.places"
    places = draft.array(name)
    known = np.flatnonzero(places >= 0)
    terms = len(draft.lines(f"{block}.vocabulary"))
    places[known] = np.sort(np.random.default_rng(seed).choice(terms, len(known), replace=False))
    draft.put(name, places)
    agree(draft)


def hide_terms(segment: str, block: str, seed: int, draft: Draft) -> None:
    """Say that some terms of a segment were not learned, though they were."""
    name = f"{segment}.{block}.places"
    places = draft.array(name)
    hidden = np.random.default_rng(seed).random(len(places)) < 0.5
    draft.put(name, np.where(hidden, -1, places).astype(np.int32))


def claim_frequencies(block: str, postings: int, frequency: int, draft: Draft) -> None:
    """Say that a block was fitted on so many postings, and every term on so many of them."""
    for entry in draft.content["blocks"]:
        if entry["settings"]["name"] == block:
            entry["postings"] = postings
    name = f"{block}.document_frequency"
    draft.put(name, np.full_like(draft.array(name), frequency))


# --- segments and blocks ----------------------------------------------------------------------------


def repeat_segment(deleted: tuple[list[int], list[int]], draft: Draft) -> None:
    """Let two segments be the same files, with other postings deleted in each."""
    copy_prefix(dict(draft.files), "segment0.", "segment1.", draft)
    draft.content["segments"] = 2
    for segment, rows in zip(("segment0", "segment1"), deleted, strict=True):
        draft.put(f"{segment}.deleted", np.array(rows, np.int64))
    agree(draft)


def exchange_segments(draft: Draft) -> None:
    files = dict(draft.files)
    copy_prefix(files, "segment0.", "segment1.", draft)
    copy_prefix(files, "segment1.", "segment0.", draft)


def drop_segment(number: int, with_files: bool, draft: Draft, *, fitted: bool) -> None:
    """Leave the last segment out, or the first; with its files or without."""
    files = dict(draft.files)
    last = draft.content["segments"] - 1
    if number < last:
        copy_prefix(files, f"segment{last}.", f"segment{number}.", draft)
    if with_files:
        copy_prefix({}, "", f"segment{last}.", draft)
    draft.content["segments"] = last
    agree(draft, fitted=fitted)


def add_empty_segment(draft: Draft) -> None:
    number = draft.content["segments"]
    draft.content["segments"] = number + 1
    for name, data in list(draft.files.items()):
        if name.startswith("segment0.") and name.endswith(".npy"):
            array = draft.array(name.removesuffix(".npy"))
            starts = name.endswith((".starts.npy", ".offsets.npy", ".tag_starts.npy"))
            array = array[:1] if starts else array[:0]
            draft.files[name.replace("segment0", f"segment{number}")] = npy(array)
        elif name.startswith("segment0."):
            draft.files[name.replace("segment0", f"segment{number}")] = data[:0]


def drop_block(block: str, with_files: bool, draft: Draft) -> None:
    entries = draft.content["blocks"]
    draft.content["blocks"] = [entry for entry in entries if entry["settings"]["name"] != block]
    if with_files:
        for name in [name for name in draft.files if f".{block}." in f".{name}"]:
            del draft.files[name]


def exchange_blocks(pair: tuple[str, str], parts: tuple[str, ...], draft: Draft) -> None:
    """Give the files of one block to the other, all or some parts of them."""
    files = dict(draft.files)
    for name, data in files.items():
        for one, other in (pair, pair[::-1]):
            if f".{one}." in f".{name}" and any(part in name for part in parts):
                draft.files[name.replace(f"{one}.", f"{other}.")] = data
                target = name.replace(f"{one}.", f"{other}.")
                if name not in [n.replace(f"{other}.", f"{one}.") for n in files]:
                    draft.files.pop(name, None)
                draft.files[target] = data


def set_content(values: dict[str, Any], draft: Draft) -> None:
    draft.content |= values


class Payload:
    """What a pickle would execute."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, Any]:
        return Path.touch, (Path(self.path),)


def payloads(witness: str) -> dict[str, bytes]:
    """Return files that execute something when they are unpickled: then `witness` exists."""
    array = np.array([Payload(witness)], object)
    return {
        "pickle": pickle.dumps(Payload(witness)),
        "old pickle": pickle.dumps(Payload(witness), protocol=0),
        "array of objects": npy(array, allow_pickle=True),
        "structure of objects": npy(np.zeros(1, [("f", "O")]), allow_pickle=True),
    }


WITNESS = "executed"


def mutants_of_lies(model: Model, rng: random.Random) -> Iterator[Mutant]:
    draft = model.draft()
    segments, fitted = segments_of(draft), draft.content["is_fitted"]
    blocks, counted = blocks_of(draft), blocks_of(draft, counted=True)

    def lie(label: str, change: Callable[..., Any], *arguments: Any, **named: Any) -> Mutant:
        return Mutant("lies", label, partial(change, *arguments, **named))

    for segment in segments:
        for block in counted:
            for order in ("by_posting", "by_term"):
                for what in ("columns", "counts", "rows", "lengths", "first rows"):
                    for _ in range(5):
                        seed = rng.getrandbits(32)
                        label = f"{segment}.{block}.{order} other {what}, {seed}"
                        yield lie(label, shuffle_order, segment, block, order, what, seed)
                        yield lie(f"{label}, agreed", shuffle_and_agree, segment, block, order, what, seed)
            for factor in (2, 1000, 1 << 20, 1 << 24):
                yield lie(f"{segment}.{block} counts * {factor}", scale_counts, segment, block, factor)
            for label, change in NORMS.items():
                yield lie(f"{segment}.{block} norms {label}", change_norms, segment, block, change)
            for _ in range(4):
                seed = rng.getrandbits(32)
                yield lie(f"{segment}.{block} places elsewhere {seed}", place_elsewhere, segment, block, seed)
                yield lie(f"{segment}.{block} terms hidden {seed}", hide_terms, segment, block, seed)
        rows = len(draft.array(f"{segment}.postings.posted"))
        for label, change in (ROWS | SHAPES).items() if SEMANTIC in blocks else ():
            yield lie(f"{segment} vectors {label}", change_rows, segment, change)
        for label, change in ROWS.items() if SEMANTIC in blocks else ():
            label_of_both = f"{segment} vectors {label}, agreed"
            yield lie(label_of_both, change_rows_and_agree, segment, change, fitted=fitted)
        for row in range(rows) if SEMANTIC in blocks else ():
            for steps in (0, 1, 2, 3, 6, 60):
                yield lie(f"centre {steps} from {segment}:{row}", centre_is_a_posting, segment, row, steps)
        for _ in range(15):
            some = sorted(rng.sample(range(rows), rng.randrange(rows + 1)))
            yield lie(f"{segment} deleted {some}", delete_rows, segment, some, fitted=fitted)
        yield lie(f"{segment} deleted all", delete_rows, segment, list(range(rows)), fitted=fitted)
        yield lie(
            f"{segment} deleted all but frequencies", delete_rows, segment, list(range(rows)), fitted=False
        )
        for row in range(rows):
            for new in ("a", "b", "c", "g", "", " ", "\x1b[2J", "b\u2028", "é" * 3000, "..", "b\r", "b\x00"):
                for with_record in (True, False):
                    label = f"{segment}:{row} is {new!r:.20}{' in its record' * with_record}"
                    yield lie(label, rename_id, segment, row, new, with_record)
    for label, change in CENTRES.items() if SEMANTIC in blocks else ():
        yield lie(f"centre {label}", change_centre, change)
    for block in counted if segments else ():
        terms = len(draft.lines(f"{block}.vocabulary"))
        for position in range(terms):
            yield lie(f"{block} forgets {position}", forget, block, position, fitted=fitted)
            old = draft.lines(f"{block}.vocabulary")[position]
            for new in (
                old + b"\x1b[31m",
                old + b"\x00",
                old + b"\r",
                old[:-1],
                old + b"\xe2\x80\xae",
                b"<script>",
            ):
                yield lie(f"{block} {old!r} is {new!r}", rename_term, block, position, new)
        yield lie(f"{block} nothing is a word", rename_term, block, 0, b"")
        yield lie(f"{block} a long word", rename_term, block, 0, b"a" * 1_000_000)
        for postings in (0, 1, 6, 7, 1 << 20, 1 << 40, (1 << 40) + 1):
            for frequency in (-1, 0, 1, 2, postings, 1 << 40):
                yield lie(f"{block} {frequency} of {postings}", claim_frequencies, block, postings, frequency)
    for weights in WEIGHTS:
        yield lie(f"weights {weights}", set_weights, weights)
    if segments:
        for deleted in (([], []), ([0], [1]), ([0, 1], [2, 3]), ([1, 2, 3], [0]), ([0, 2], [1, 3])):
            yield lie(f"one segment twice, deleted {deleted}", repeat_segment, deleted)
        yield lie("an empty segment", add_empty_segment)
        for number in range(len(segments)):
            for with_files in (True, False):
                label = f"without {segments[number]}, files left: {not with_files}"
                yield lie(label, drop_segment, number, with_files, fitted=fitted)
    if len(segments) > 1:
        yield lie("segments exchanged", exchange_segments)
    for block in blocks:
        for with_files in (True, False):
            yield lie(f"without {block}, files left: {not with_files}", drop_block, block, with_files)
    for parts in (
        ("",),
        ("by_posting",),
        ("by_term",),
        ("vocabulary",),
        ("inverse_norms",),
        ("by_posting", "by_term"),
    ):
        for pair in pairwise(counted):
            yield lie(f"blocks {pair} exchanged: {parts}", exchange_blocks, pair, parts)
    for fitted_too in (True, False):
        yield lie(f"is_fitted {fitted_too}", set_content, {"is_fitted": fitted_too})
    for note in (
        {},
        {"x": None},
        {"a": [1, 2.5, "text", {"b": None}]},
        {"\x1b": "\x1b[2J"},
        {"x": "y" * 500_000},
    ):
        yield lie(f"note {note!r:.30}", set_content, {"note": note})
    for label, data in payloads(WITNESS).items():
        for name in [*sorted(model.files), "evil.npy", "evil.txt"]:
            yield Mutant("pickles", f"{label} for {name}", partial(_put_file, name, data))


def _put_file(name: str, data: bytes, draft: Draft) -> None:
    draft.files[name] = data
