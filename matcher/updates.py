"""News of postings: what they make of a snapshot, and when its segments are put together.

Every lot of new postings becomes a segment of its own, postings that go are marked as deleted, and neither
touches what is stored. Many small segments would slow down every call, and deleted rows take up room, so
small ones are merged from time to time, the smallest first and like with like. A merge holds at most
`MOST_MERGED` postings, however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from matcher.catalogue import NO_DATE, encode_record
from matcher.changes import Changes
from matcher.errors import DuplicatePostingError, PostingError, UnknownPostingError
from matcher.parts import Part
from matcher.posting import Posting
from matcher.segments import Segment
from matcher.snapshot import Snapshot

__all__: Final = [
    "add_postings",
    "collect_postings",
    "compact_parts",
    "expire_postings",
    "merge_parts",
    "remove_postings",
]

MOST_PARTS: Final = 8
"""Small segments a matcher may have before some are merged. Each costs a call a fraction of a millisecond."""

MOST_MERGED: Final = 1 << 17
"""Postings that are merged together at most: what bounds the memory it takes. A segment of more than half of
them is not small: it is left as it is, until much of it is deleted or `compact_parts` is called."""

MOST_DELETED: Final = 0.5
"""Share of a segment's rows that may be deleted before it is written again without them."""


def collect_postings(
    postings: Iterable[Posting], *, strict: bool = False
) -> tuple[dict[str, Posting], tuple[str, ...]]:
    """Return postings by id, the last one of each, and the ids that came with different contents.

    Raises
    ------
    DuplicatePostingError
        Only when `strict`: for the first id that comes with different contents.
    PostingError
        When something other than a `Posting` is among them.

    Examples
    --------
    >>> found, replaced = collect_postings([Posting(id="1", title="Cook"), Posting(id="1", title="Chef")])
    >>> found["1"].title, replaced
    ('Chef', ('1',))
    """
    by_id: dict[str, Posting] = {}
    replaced: dict[str, None] = {}
    for posting in postings:
        if not isinstance(posting, Posting):
            raise PostingError(
                f"expected a Posting, got {type(posting).__name__}: use read_postings() for files"
            )
        before = by_id.get(posting.id, posting)
        if before != posting:
            if strict:
                raise DuplicatePostingError(f"two different postings have the id {posting.id!r}")
            replaced[posting.id] = None
        by_id[posting.id] = posting
    return {posting_id: by_id[posting_id] for posting_id in sorted(by_id)}, tuple(replaced)


def add_postings(
    snapshot: Snapshot,
    postings: dict[str, Posting],
    count: Callable[[Sequence[Posting]], Segment],
    *,
    strict: bool = False,
    only_known: bool = False,
    compiled: bool = False,
) -> tuple[Snapshot, Changes]:
    """Return a snapshot that holds these postings, instead of those with the same ids.

    Parameters
    ----------
    snapshot : Snapshot
    postings : dict of str to Posting
        By id, ascending.
    count : callable
        Makes a segment of postings; called with those that are new or changed, if there are any.
    strict : bool
        Raise when a posting is held with other contents (or, when `only_known`, is not held) instead.
    only_known : bool
        Leave out postings whose id is not held.
    compiled : bool
        Whether compiled code adds up norms.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> empty = Snapshot.empty(default_blocks())
    >>> snapshot, changes = add_postings(
    ...     empty, {"1": Posting(id="1")}, lambda some: Segment.from_postings(some, default_blocks()))
    >>> len(snapshot), changes.added
    (1, ('1',))
    """
    added: list[str] = []
    changed: list[str] = []
    unchanged: list[str] = []
    unknown: list[str] = []
    new, gone = [], []
    for posting, place in zip(
        postings.values(), snapshot.find(list(postings), compiled=compiled), strict=True
    ):
        if place is None:
            if only_known:
                unknown.append(posting.id)
            else:
                added.append(posting.id)
                new.append(posting)
        elif _holds(place, posting):
            unchanged.append(posting.id)
        else:
            changed.append(posting.id)
            new.append(posting)
            gone.append(place)
    if strict and unknown:
        raise UnknownPostingError(f"no posting has the id {unknown[0]!r}")
    if strict and changed and not only_known:
        raise DuplicatePostingError(
            f"a posting with the id {changed[0]!r} and other contents is there already: update it instead"
        )
    if new:
        segment = count(new)
        snapshot = merge_parts(snapshot.without(gone).with_segment(segment, compiled=compiled))
    return snapshot, Changes(tuple(added), tuple(changed), (), tuple(unchanged), tuple(unknown))


def _holds(place: tuple[Part, int], posting: Posting) -> bool:
    """Return whether a posting is held as it is, to the last byte of its record."""
    part, row = place
    # What a table of strings cannot hold was replaced when the posting was stored.
    record = encode_record(posting).encode("utf-8", "replace")
    records = part.segment.catalogue.records
    return records.lines[records.offsets[row] : records.offsets[row + 1] - 1].tobytes() == record


def remove_postings(
    snapshot: Snapshot, ids: Iterable[str], *, strict: bool = False
) -> tuple[Snapshot, Changes]:
    """Return a snapshot without the postings of these ids.

    Raises
    ------
    UnknownPostingError
        Only when `strict`: when one is not held.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> remove_postings(Snapshot.empty(default_blocks()), ["x"])[1].unknown
    ('x',)
    """
    given = [ids] if isinstance(ids, str) else list(ids)
    for posting_id in given:
        if not isinstance(posting_id, str):
            raise UnknownPostingError(f"no posting has the id {posting_id!r}")
    wanted = sorted(set(given))
    places = snapshot.find(wanted)
    found = {name: place for name, place in zip(wanted, places, strict=True) if place is not None}
    unknown = tuple(name for name in wanted if name not in found)
    if strict and unknown:
        raise UnknownPostingError(f"no posting has the id {unknown[0]!r}")
    return merge_parts(snapshot.without(list(found.values()))), Changes(removed=tuple(found), unknown=unknown)


def expire_postings(snapshot: Snapshot, before: int) -> tuple[Snapshot, Changes]:
    """Return a snapshot without the postings dated earlier than `before` (milliseconds since 1970).

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> expire_postings(Snapshot.empty(default_blocks()), 0)[1].removed
    ()
    """
    gone, ids = [], []
    for part in snapshot.parts:
        posted, kept = part.segment.catalogue.posted, part.kept
        rows = kept[(posted[kept] < before) & (posted[kept] != NO_DATE)]
        gone += [(part, row) for row in rows.tolist()]
        ids += part.segment.catalogue.ids.take(rows)
    return merge_parts(snapshot.without(gone)), Changes(removed=tuple(sorted(ids)))


def merge_parts(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with fewer parts when there are too many small ones, or too much of one is deleted.

    The smallest ones are merged, up to the first that is as large as those before it together: what was
    merged is not copied again until as much has come after it. With `n` lots that came one by one, a posting
    is copied about ``log2(n)`` times.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> merge_parts(Snapshot.empty(default_blocks())).parts
    ()
    """
    while True:
        sparse = [
            number
            for number, part in enumerate(snapshot.parts)
            if len(part.deleted) > MOST_DELETED * part.segment.rows and part.size <= MOST_MERGED
        ]
        if not sparse:
            break
        snapshot = snapshot.merge(sparse[:1])
    while True:
        sizes = [part.size for part in snapshot.parts]
        small = [number for number, size in enumerate(sizes) if 2 * size <= MOST_MERGED]
        if len(small) <= MOST_PARTS:
            return snapshot
        small.sort(key=sizes.__getitem__)
        chosen = small[: _count_mergeable([sizes[number] for number in small])]
        snapshot = snapshot.merge(sorted(chosen))


def _count_mergeable(sizes: Sequence[int]) -> int:
    """Return how many of the smallest parts to merge; at least 2. `sizes` ascend."""
    total = sizes[0] + sizes[1]
    for number, size in enumerate(sizes[2:], 2):
        if size >= total or total + size > MOST_MERGED:
            return number
        total += size
    return len(sizes)


def compact_parts(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot in as few parts as merging allows, without deleted rows, learned anew.

    Learning anew is part of it: the vocabulary would keep words that only deleted postings had.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> compact_parts(Snapshot.empty(default_blocks())).is_fitted
    True
    """
    snapshot = snapshot.refit()
    while large := [
        n for n, part in enumerate(snapshot.parts) if len(part.deleted) and part.size > MOST_MERGED
    ]:
        snapshot = snapshot.split(large[0], MOST_MERGED)
    while True:
        numbers: list[int] = []
        size = 0
        for number in sorted(range(len(snapshot.parts)), key=lambda number: snapshot.parts[number].size):
            size += snapshot.parts[number].size
            if size > MOST_MERGED:
                break
            numbers.append(number)
        if len(numbers) < 2:
            break
        snapshot = snapshot.merge(numbers)
    while deleted := [n for n, part in enumerate(snapshot.parts) if len(part.deleted)]:
        snapshot = snapshot.merge(deleted[:1])
    return snapshot
