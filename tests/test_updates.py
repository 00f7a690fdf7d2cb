"""News of postings: changes reported, segments merged in bounded memory, nothing done by halves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import matcher.snapshot
from matcher import (
    DuplicatePostingError,
    Matcher,
    OptionError,
    Posting,
    PostingError,
    UnknownPostingError,
    updates,
)
from matcher.changes import Changes
from matcher.features import default_blocks
from matcher.filters import parse_moment
from matcher.merging import merge_segments
from matcher.segments import Segment
from matcher.snapshot import Snapshot
from matcher.updates import (
    add_postings,
    collect_postings,
    compact_parts,
    expire_postings,
    merge_parts,
    remove_postings,
)
from tests.strategies import boards


def posting(number: int, **fields: Any) -> Posting:
    return Posting(**{"id": f"{number:06d}", "title": f"Cook {number}", **fields})


def lot(numbers: Sequence[int]) -> Segment:
    return Segment.from_postings([posting(number) for number in sorted(numbers)], default_blocks())


def in_parts(*sizes: int) -> Snapshot:
    """Return a snapshot of segments of these sizes, which no policy has touched."""
    snapshot, first = Snapshot.empty(default_blocks()), 0
    for size in sizes:
        snapshot = snapshot.with_segment(lot(range(first, first + size)))
        first += size
    return snapshot.refit()


def sizes_of(snapshot: Snapshot) -> list[int]:
    return sorted(part.size for part in snapshot.parts)


def delete(snapshot: Snapshot, part: int, rows: Sequence[int]) -> Snapshot:
    return snapshot.without([(snapshot.parts[part], row) for row in rows])


@pytest.fixture
def merges(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many postings each merge held."""
    held: list[int] = []

    def spy(segments: Sequence[Segment], kept: Sequence[NDArray[np.int64]]) -> Any:
        held.append(sum(len(rows) for rows in kept))
        return merge_segments(segments, kept)

    monkeypatch.setattr(matcher.snapshot, "merge_segments", spy)
    return held


# --- when segments are merged ---------------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 1_000])
def test_single_postings_are_copied_about_as_often_as_the_logarithm_of_their_number(
    start: int, merges: list[int]
) -> None:
    snapshot = in_parts(start) if start else Snapshot.empty(default_blocks())
    for number in range(start, start + 250):
        snapshot = merge_parts(snapshot.with_segment(lot([number])))
        assert len(snapshot.parts) <= updates.MOST_PARTS + 1
    assert len(snapshot) == start + 250
    assert sum(merges) <= 250 * math.log2(250)
    assert max(merges) <= 250  # what came first is as large as four times the rest: it stays as it is


def simulate(sizes: Sequence[int], monkeypatch: pytest.MonkeyPatch) -> tuple[int, int, list[int]]:
    """Return how many postings are copied when lots of these sizes come, the most parts, and their sizes."""

    class Parts:
        """As much of a snapshot as the policy looks at."""

        def __init__(self, parts: Sequence[Any]) -> None:
            self.parts = parts

        def merge(self, numbers: Sequence[int]) -> Parts:
            nonlocal copied
            chosen = [self.parts[number] for number in numbers]
            copied += (total := sum(part.size for part in chosen))
            assert total <= updates.MOST_MERGED
            assert len(chosen) >= 2
            return Parts([*(part for part in self.parts if part not in chosen), Part(total)])

    class Part:
        deleted = ()

        def __init__(self, size: int) -> None:
            self.size = size
            self.segment = self
            self.rows = size

    copied, most = 0, 0
    snapshot: Any = Parts([])
    for size in sizes:
        snapshot = merge_parts(Parts([*snapshot.parts, Part(size)]))  # type: ignore[arg-type]
        most = max(most, len(snapshot.parts))
    return copied, most, [part.size for part in snapshot.parts]


@pytest.mark.parametrize(
    ("first", "size", "lots", "copies", "parts"),
    [
        (0, 1, 20_000, 15, 8),
        (100_000, 1, 20_000, 15, 9),
        (1_000_000, 1_000, 2_000, 8, 40),
        (60_000, 1_000, 200, 5, 10),
    ],
)
def test_copying_and_parts_stay_few_for_years(
    first: int, size: int, lots: int, copies: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied, most, sizes = simulate([first] * (first > 0) + [size] * lots, monkeypatch)
    assert sum(sizes) == first + size * lots
    assert copied <= copies * size * lots
    assert most <= parts


@given(st.lists(st.integers(1, 2_000), max_size=200))
@settings(deadline=None, max_examples=50)
def test_small_parts_stay_few_whatever_comes(sizes: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(updates, "MOST_MERGED", 1_000)
        copied, _, parts = simulate(sizes, patch)
    assert sum(parts) == sum(sizes)
    assert sum(2 * size <= 1_000 for size in parts) <= updates.MOST_PARTS
    assert copied <= sum(sizes) * (1 + math.log2(1 + len(sizes)))


def test_a_part_with_much_deleted_is_written_again_without(merges: list[int]) -> None:
    snapshot = in_parts(10)
    same = merge_parts(delete(snapshot, 0, range(5)))
    assert [(part.segment.rows, part.size) for part in same.parts] == [(10, 5)]
    assert not merges
    less = merge_parts(delete(snapshot, 0, range(6)))
    assert [(part.segment.rows, part.size) for part in less.parts] == [(4, 4)]
    assert merges == [4]


def test_no_merge_holds_more_than_the_most(monkeypatch: pytest.MonkeyPatch, merges: list[int]) -> None:
    monkeypatch.setattr(updates, "MOST_MERGED", 20)
    snapshot = in_parts(70, 30, 21, 12, 8, 9, 3, 3, 1, 1, 1, 1, 1, 1)
    snapshot = delete(snapshot, 0, range(3, 70, 5))
    snapshot = delete(snapshot, 1, range(25))
    snapshot = delete(snapshot, 4, [2])
    held = len(snapshot)
    for step in (merge_parts, compact_parts):
        snapshot = step(snapshot)
        assert len(snapshot) == held
        assert 0 < max(merges) <= 20
        merges.clear()
    assert not any(len(part.deleted) for part in snapshot.parts)
    assert sizes_of(snapshot)[-1] == 21  # nothing of it was deleted


def test_a_large_part_with_deleted_rows_is_split(monkeypatch: pytest.MonkeyPatch, merges: list[int]) -> None:
    monkeypatch.setattr(updates, "MOST_MERGED", 10)
    snapshot = compact_parts(delete(in_parts(40), 0, range(0, 40, 10)))
    assert merges == [10, 10, 10, 6]
    assert sizes_of(snapshot) == [6, 10, 10, 10]
    found = sorted(found.id for part in snapshot.parts for found in part.segment.catalogue)
    assert found == [posting(number).id for number in range(40) if number % 10]


def test_compacting_what_is_compact_changes_nothing(merges: list[int]) -> None:
    snapshot = in_parts(10)
    assert compact_parts(snapshot) is snapshot
    assert not merges


def test_compacting_leaves_one_part_where_all_fits(merges: list[int]) -> None:
    snapshot = compact_parts(delete(in_parts(5, 1, 3), 2, [0]))
    assert sizes_of(snapshot) == [8]
    assert merges == [8]
    assert compact_parts(delete(snapshot, 0, range(8))).parts == ()


# --- what is reported -----------------------------------------------------------------------------


@given(boards, boards, st.booleans())
@settings(deadline=None, max_examples=35)
def test_changes_say_what_happened(before: list[Posting], news: list[Posting], only_known: bool) -> None:
    matcher = Matcher.fit(before)
    changes = matcher.update(news) if only_known else matcher.add(news)
    held, given_ = {one.id: one for one in before}, {one.id: one for one in news}
    known, new = held.keys() & given_.keys(), sorted(given_.keys() - held.keys())
    same = {name for name in known if held[name] == given_[name]}
    assert changes == Changes(
        added=() if only_known else tuple(new),
        changed=tuple(sorted(known - same)),
        unchanged=tuple(sorted(same)),
        unknown=tuple(new) if only_known else (),
    )
    expected = held | {name: one for name, one in given_.items() if name in held or not only_known}
    assert list(matcher.postings) == [expected[name] for name in sorted(expected)]


def test_what_is_unchanged_costs_nothing() -> None:
    matcher = Matcher.fit([posting(1), posting(2)])
    before = matcher._snapshot
    assert matcher.add([posting(1)]) == Changes(unchanged=("000001",))
    assert matcher.remove(["x"]) == Changes(unknown=("x",))
    assert matcher.expire("2030-01-01") == Changes()
    assert matcher.add([]) == matcher.update([]) == matcher.remove([]) == Changes()
    assert matcher._snapshot is before
    assert matcher.is_fitted


@pytest.mark.parametrize(
    "change",
    [
        {"title": "Cook 1 "},
        {"body": "x"},
        {"extra": {"salary": "1"}},
        {"posted": datetime(2026, 1, 1)},
        {"featured": 1},
        {"hashtags": ("a",)},
        {"location": "Bern"},
        {"url": "https://jobs.example/1"},
    ],
)
def test_a_change_of_any_field_is_one(change: dict[str, Any]) -> None:
    matcher = Matcher.fit([posting(1)])
    assert matcher.add([posting(1, **change)]).changed == ("000001",)
    assert matcher.postings[0] == posting(1, **change)
    assert matcher.add([posting(1, **change)]).unchanged == ("000001",)


def test_what_utf_8_cannot_hold_is_stored_as_a_question_mark_and_is_no_change_later() -> None:
    matcher = Matcher.fit([posting(1, title="caf\ud800", extra={"\udfff": "\ud800"})])
    assert matcher.add([posting(1, title="caf\ud800", extra={"\udfff": "\ud800"})]).unchanged == ("000001",)
    assert (matcher.postings[0].title, matcher.postings[0].extra) == ("caf?", {"?": "?"})


def test_the_last_posting_of_an_id_counts() -> None:
    postings, replaced = collect_postings([posting(2), posting(1), posting(2, title="Chef"), posting(1)])
    assert list(postings) == ["000001", "000002"]
    assert postings["000002"].title == "Chef"
    assert replaced == ("000002",)


def test_strict_raises_and_changes_nothing() -> None:
    matcher = Matcher.fit([posting(1), posting(2)])
    before = matcher._snapshot
    with pytest.raises(DuplicatePostingError, match="'000001' and other contents"):
        matcher.add([posting(3), posting(1, title="Chef")], strict=True)
    with pytest.raises(DuplicatePostingError, match="two different postings have the id '000003'"):
        matcher.add([posting(3), posting(3, title="Chef")], strict=True)
    with pytest.raises(DuplicatePostingError, match="two different postings have the id '000001'"):
        matcher.update([posting(1), posting(1, title="Chef")], strict=True)
    with pytest.raises(UnknownPostingError, match="'000003'"):
        matcher.update([posting(1, title="Chef"), posting(3)], strict=True)
    with pytest.raises(UnknownPostingError, match="'x'"):
        matcher.remove(["000001", "x"], strict=True)
    assert matcher._snapshot is before
    assert matcher.add([posting(1), posting(3)], strict=True).added == ("000003",)
    assert matcher.update([posting(1, title="Chef")], strict=True).changed == ("000001",)
    assert matcher.remove(["000001"], strict=True).removed == ("000001",)


# --- what callers may hand in ---------------------------------------------------------------------


def failing(*items: Any) -> Iterator[Any]:
    yield from items
    raise RuntimeError("the source broke")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda matcher: matcher.add(failing(posting(9), posting(1, title="x"))), RuntimeError),
        (lambda matcher: matcher.update(failing(posting(1, title="x"))), RuntimeError),
        (lambda matcher: matcher.remove(failing("000001")), RuntimeError),
        (lambda matcher: matcher.add([posting(9), None]), PostingError),
        (lambda matcher: matcher.add("000001"), PostingError),
        (lambda matcher: matcher.add([posting(9), posting(8, extra={"a": object()})]), PostingError),
        (lambda matcher: matcher.add([posting(9), posting(1, extra={"a": math.nan})]), PostingError),
        (lambda matcher: matcher.add([posting(9), posting(8, extra={"a": {1: 2, "1": 3}})]), PostingError),
        (lambda matcher: matcher.add([posting(9)], threads=0), OptionError),
        (lambda matcher: matcher.add([posting(9)], progress=lambda *stage: 1 / 0), ZeroDivisionError),
        (lambda matcher: matcher.remove(["000001", 7]), UnknownPostingError),
        (lambda matcher: matcher.remove([7, "000001"]), UnknownPostingError),
        (lambda matcher: matcher.remove(["000001", None]), UnknownPostingError),
        (lambda matcher: matcher.remove(["000001", ["000002"]]), UnknownPostingError),
        (lambda matcher: matcher.remove(b"000001"), UnknownPostingError),
        (lambda matcher: matcher.expire("soon"), OptionError),
    ],
)
def test_what_fails_changes_nothing(call: Any, error: type[Exception]) -> None:
    matcher = Matcher.fit([posting(1), posting(2)])
    before = matcher._snapshot
    with pytest.raises(error):
        call(matcher)
    assert matcher._snapshot is before
    assert not matcher._is_changed


def test_ids_of_any_text_can_be_asked_for() -> None:
    matcher = Matcher.fit([posting(1)])
    odd = ["", " ", "\n", "000001\n", "\ud800", "\x00", "000001\ud800", "é", "😀" * 100]
    assert matcher.remove(odd).unknown == tuple(sorted(odd))
    assert matcher.remove("000001").removed == ("000001",)  # one id, not six characters
    assert not len(matcher)


def test_generators_sets_and_repeats_are_fine() -> None:
    matcher = Matcher.fit(posting(number) for number in range(6))
    assert matcher.remove(name for name in ("000001", "000001", "x")).removed == ("000001",)
    assert matcher.remove({"000002", "000003"}).removed == ("000002", "000003")
    assert matcher.remove({"000004": 1}).removed == ("000004",)
    assert matcher.postings.ids == ["000000", "000005"]


def test_an_iterator_may_change_the_matcher_itself() -> None:
    matcher = Matcher.fit([posting(1), posting(2)])

    def ids() -> Iterator[str]:
        matcher.add([posting(3)])
        yield "000001"

    def more() -> Iterator[Posting]:
        matcher.remove(["000002"])
        yield posting(4)

    matcher.remove(ids())
    assert matcher.postings.ids == ["000002", "000003"]
    matcher.add(more())
    assert matcher.postings.ids == ["000003", "000004"]


def test_a_change_from_within_a_change_is_refused_and_not_lost() -> None:
    matcher = Matcher.fit([posting(1), posting(2)])

    def progress(stage: str, done: int, total: int) -> None:
        matcher.remove(["000002"])

    with pytest.raises(OptionError, match="progress"):
        matcher.add([posting(3)], progress=progress)
    assert matcher.postings.ids == ["000001"]  # the inner one happened, the outer one did not


def test_subclasses_of_postings_are_taken_as_postings() -> None:
    class Advert(Posting):
        pass

    matcher = Matcher.fit([posting(1)])
    assert matcher.add([Advert(id="000001", title="Cook 1"), Advert(id="000002")]).unchanged == ("000001",)
    assert [type(one) for one in matcher.postings] == [Posting, Posting]


# --- dates ----------------------------------------------------------------------------------------

DAY = datetime(2026, 3, 1, tzinfo=UTC)


class Nowhere(tzinfo):
    """A time zone that does not know its offset."""

    def utcoffset(self, moment: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    "before",
    [
        DAY,
        DAY.replace(tzinfo=None),
        DAY.replace(tzinfo=Nowhere()),
        DAY.astimezone(timezone(timedelta(hours=-11))),
        date(2026, 3, 1),
        "2026-03-01",
        " 2026-03-01T05:00+05:00 ",
    ],
)
def test_postings_dated_before_a_moment_expire(before: Any) -> None:
    dates = {"b": DAY - timedelta(milliseconds=1), "c": DAY, "d": None, "a": datetime(1970, 1, 1), "e": DAY}
    matcher = Matcher.fit(Posting(id=name, posted=moment) for name, moment in dates.items())
    assert matcher.expire(before).removed == ("a", "b")
    assert matcher.expire(before) == Changes()
    assert matcher.postings.ids == ["c", "d", "e"]


@pytest.mark.parametrize("before", [None, True, 0, 1e12, "", "\ud800", b"2026-03-01", "2026-02-30", [DAY]])
def test_what_is_no_date_is_refused(before: Any) -> None:
    with pytest.raises(OptionError, match="expected a date such as"):
        Matcher.fit([]).expire(before)


@pytest.mark.parametrize(
    "before", [datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), "9999-12-31T23:00-05:00"]
)
def test_moments_outside_the_calendar_are_refused(before: Any) -> None:
    with pytest.raises(OptionError, match="within the calendar"):
        Matcher.fit([]).expire(before)


def test_the_ends_of_the_calendar() -> None:
    first, last = datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999_000)
    matcher = Matcher.fit([Posting(id="1", posted=first), Posting(id="2", posted=last), Posting(id="3")])
    assert matcher.expire(date.min) == Changes()
    assert matcher.expire(date.max).removed == ("1",)
    assert matcher.expire(datetime.max) == Changes()
    assert matcher.postings.ids == ["2", "3"]


@given(boards, st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31)))
@settings(deadline=None, max_examples=25)
def test_expiring_is_removing_what_is_older(board: list[Posting], before: datetime) -> None:
    snapshot = Snapshot.empty(default_blocks())
    for part in (board[::2], board[1::2]):
        counted = Segment.from_postings(sorted(part, key=lambda one: one.id), default_blocks())
        snapshot = snapshot.with_segment(counted)
    moment = parse_moment(before)
    old = {one.id for one in board if one.posted and one.posted < before.replace(tzinfo=UTC)}
    expired, changes = expire_postings(snapshot, moment)
    assert changes == Changes(removed=tuple(sorted(old)))
    removed, _ = remove_postings(snapshot, old)
    for one in (expired, removed):
        found = {
            found.id for part in one.parts for found in map(part.segment.catalogue.__getitem__, part.kept)
        }
        assert found == {one.id for one in board} - old


def test_adding_replaces_in_place_of_another_part() -> None:
    snapshot = in_parts(2, 2)
    news = {one.id: one for one in (posting(0, title="Chef"), posting(3, title="Chef"))}
    snapshot, changes = add_postings(
        snapshot, news, lambda some: Segment.from_postings(some, default_blocks())
    )
    assert changes.changed == ("000000", "000003")
    assert sizes_of(snapshot) == [1, 1, 2]
    assert all(place is not None for place in snapshot.find([posting(number).id for number in range(4)]))
