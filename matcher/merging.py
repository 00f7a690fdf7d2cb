"""Vocabularies and segments put together: what a merge needs, and nothing it would have to count again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import Catalogue
from matcher.counts import BlockCounts, Counts, narrow_counts
from matcher.dense import DenseVectors
from matcher.segments import Segment, SegmentBlock
from matcher.strings import StringTable, gather, to_offsets

__all__: Final = ["MISSING", "insert_terms", "merge_segments", "unite_vocabularies"]

MISSING: Final = -1
"""Stands for "not in that vocabulary" among places."""

_ROWS: Final = 1 << 12
_ENTRIES: Final = 1 << 20
"""Rows, and entries, that are moved together: what that takes besides the result stays small."""


def insert_terms(
    vocabulary: StringTable, terms: Iterable[bytes]
) -> tuple[StringTable, NDArray[np.int32], dict[bytes, int]]:
    """Return a sorted vocabulary with more terms, and where all of them are in it.

    Parameters
    ----------
    vocabulary : StringTable
        Sorted, unique.
    terms : iterable of bytes
        UTF-8.

    Returns
    -------
    vocabulary : StringTable
    places : ndarray of int32, shape (old terms,)
        Where the terms of the old vocabulary are.
    positions : dict of bytes to int
        Where `terms` are.

    Examples
    --------
    >>> vocabulary, places, positions = insert_terms(StringTable.from_strings(["b", "d"]), [b"c", b"d"])
    >>> list(vocabulary), places, positions
    (['b', 'c', 'd'], array([0, 2], dtype=int32), {b'c': 1, b'd': 2})
    """
    old = vocabulary.to_lines()
    lines = vocabulary.lines.data
    pieces: list[bytes | memoryview] = []
    positions: dict[bytes, int] = {}
    inserted: list[int] = []
    copied = 0
    for term in sorted(set(terms)):
        place = bisect_left(old, term)
        positions[term] = place + len(inserted)
        if place == len(old) or old[place] != term:
            start = int(vocabulary.offsets[place])
            pieces += [lines[copied:start], term + b"\n"]
            copied = start
            inserted.append(place)
    own = np.arange(len(old), dtype=np.int32)
    if not inserted:
        return vocabulary, own, positions
    pieces.append(lines[copied:])
    sizes = np.insert(np.diff(vocabulary.offsets), inserted, [len(piece) for piece in pieces[1::2]])
    united = StringTable(np.frombuffer(bytearray().join(pieces), np.uint8), to_offsets(sizes))
    return united, own + np.searchsorted(inserted, own, "right").astype(np.int32), positions


def unite_vocabularies(tables: Sequence[StringTable]) -> tuple[StringTable, list[NDArray[np.int32]]]:
    """Return one sorted vocabulary of all terms of several, and where the terms of each are in it.

    Examples
    --------
    >>> united, places = unite_vocabularies([StringTable.from_strings("bd"), StringTable.from_strings("ab")])
    >>> list(united), places
    (['a', 'b', 'd'], [array([1, 2], dtype=int32), array([0, 1], dtype=int32)])
    """
    if len(tables) == 1:
        return tables[0], [np.arange(len(tables[0]), dtype=np.int32)]
    lines = [table.to_lines() for table in tables]
    terms = sorted(set().union(*lines))
    position = {term: place for place, term in enumerate(terms)}
    data = np.frombuffer(b"".join(term + b"\n" for term in terms), np.uint8)
    united = StringTable(data, to_offsets([len(term) + 1 for term in terms]))
    return united, [np.fromiter(map(position.__getitem__, part), np.int32, len(part)) for part in lines]


def merge_segments(
    segments: Sequence[Segment], kept: Sequence[NDArray[np.int64]]
) -> tuple[Segment, list[NDArray[np.int64]], list[list[NDArray[np.int32]]]]:
    """Return one segment of some rows of several, and where rows and terms went.

    The result is, array for array, the segment of the kept postings counted afresh.

    Parameters
    ----------
    segments : sequence of Segment
    kept : sequence of ndarray of int64
        The rows to keep of each, ascending; their ids are all distinct.

    Returns
    -------
    segment : Segment
    rows : list of ndarray of int64
        For each segment, the new row of each row kept.
    places : list of list of ndarray of int32
        For each segment and block, the new position of each term, or `MISSING`.

    Examples
    --------
    >>> from matcher.features import TextBlock
    >>> from matcher.posting import Posting
    >>> parts = [Segment.from_postings([Posting(id=i, title=t)], [TextBlock()]) for i, t in ("2b", "1a")]
    >>> merged, rows, _ = merge_segments(parts, [np.array([0]), np.array([0])])
    >>> [posting.id for posting in merged.catalogue], rows
    (['1', '2'], [array([1]), array([0])])
    """
    catalogue, order = Catalogue.merge([segment.catalogue for segment in segments], kept)
    moved_to = np.argsort(order)
    ends = np.cumsum([len(some) for some in kept])[:-1]
    rows = np.split(moved_to, ends)
    blocks, places = [], []
    for parts in zip(*(segment.blocks for segment in segments), strict=True):
        block, moved = _merge_blocks(parts, kept, rows)
        blocks.append(block)
        places.append(moved)
    by_segment = [[moved[number] for moved in places] for number in range(len(segments))]
    return Segment(catalogue, tuple(blocks)), rows, by_segment


def _merge_blocks(
    parts: Sequence[SegmentBlock], kept: Sequence[NDArray[np.int64]], rows: Sequence[NDArray[np.int64]]
) -> tuple[SegmentBlock, list[NDArray[np.int32]]]:
    """Merge one block; `rows` says where the rows kept of each part go."""
    vectors = [part.dense for part in parts if part.dense is not None]
    if vectors:
        dense = DenseVectors.concatenate(vectors, kept).take(np.argsort(np.concatenate(rows)))
        return SegmentBlock.of_vectors(dense), [np.zeros(0, np.int32) for _ in parts]
    vocabulary, places = unite_vocabularies([part.vocabulary for part in parts])
    matrices = [part.counts.by_posting for part in parts]
    lengths = np.zeros(sum(len(some) for some in kept), np.int64)
    for by_posting, some, new in zip(matrices, kept, rows, strict=True):
        lengths[new] = np.diff(by_posting.starts)[some]
    starts = to_offsets(lengths)
    columns = np.empty(starts[-1], np.int32)
    counts = np.empty(starts[-1], np.result_type(np.uint8, *(by_posting.counts for by_posting in matrices)))
    is_used = np.zeros(len(vocabulary), np.bool_)
    for by_posting, some, new, place in zip(matrices, kept, rows, places, strict=True):
        for first in range(0, len(some), _ROWS):
            entries, _ = gather(by_posting.starts, some[first : first + _ROWS])
            targets, _ = gather(starts, new[first : first + _ROWS])
            columns[targets] = moved = place[by_posting.columns[entries]]
            counts[targets] = by_posting.counts[entries]
            is_used[moved] = True
    # Terms that only postings left behind had are no terms any more.
    if not is_used.all():
        vocabulary = vocabulary.select(np.flatnonzero(is_used))
        moved = np.where(is_used, np.cumsum(is_used) - 1, MISSING).astype(np.int32)
        places = [moved[place] for place in places]
        for first in range(0, len(columns), _ENTRIES):
            columns[first : first + _ENTRIES] = moved[columns[first : first + _ENTRIES]]
    merged = Counts(starts, columns, narrow_counts(counts))
    return SegmentBlock(vocabulary, BlockCounts(merged, merged.transpose(len(vocabulary)))), places
