"""What a merge needs: vocabularies, columns and counts put together as if they had been counted afresh."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from matcher import Posting, merging, strings
from matcher.catalogue import Catalogue, Categories
from matcher.counts import Counts, invert_norms, narrow_counts
from matcher.features import FeatureBlock, default_blocks
from matcher.merging import MISSING, insert_terms, merge_segments, unite_vocabularies
from matcher.segments import Segment
from matcher.strings import StringTable
from tests.likeness import same_arrays
from tests.strategies import anything, block_lists, boards

words = st.text(st.sampled_from("abÄz😀 "), max_size=3)
vocabularies = st.lists(words, unique=True, max_size=12).map(sorted)


def table(texts: Sequence[str]) -> StringTable:
    return StringTable.from_strings(texts)


def rows(*numbers: int) -> NDArray[np.int64]:
    return np.array(numbers, np.int64)


@st.composite
def shares(draw: st.DrawFn) -> tuple[list[list[Posting]], list[NDArray[np.int64]]]:
    """Postings in a few shares, each in ascending order of id, and some rows of each."""
    board = draw(boards)
    number = draw(st.integers(1, 4))
    owners = draw(st.lists(st.integers(0, number - 1), min_size=len(board), max_size=len(board)))
    parts = [
        sorted((one for one, owner in zip(board, owners, strict=True) if owner == part), key=lambda p: p.id)
        for part in range(number)
    ]
    kept = [
        rows(*(row for row in range(len(part)) if draw(st.sampled_from([True, True, False]))))
        for part in parts
    ]
    return parts, kept


def survivors(parts: list[list[Posting]], kept: list[NDArray[np.int64]]) -> list[Posting]:
    chosen = [part[row] for part, some in zip(parts, kept, strict=True) for row in some.tolist()]
    return sorted(chosen, key=lambda posting: posting.id)


# --- segments -------------------------------------------------------------------------------------


@given(shares(), block_lists)
@settings(deadline=None, max_examples=50)
def test_merged_segments_are_those_of_the_postings_kept(
    parted: tuple[list[list[Posting]], list[NDArray[np.int64]]], blocks: list[FeatureBlock] | None
) -> None:
    parts, kept = parted
    chosen = blocks or default_blocks()
    segments = [Segment.from_postings(part, chosen) for part in parts]
    with pytest.MonkeyPatch.context() as patch:  # so that several pieces are moved one after the other
        patch.setattr(merging, "_ROWS", 2)
        patch.setattr(merging, "_ENTRIES", 3)
        merged, moved, places = merge_segments(segments, kept)
    expected = Segment.from_postings(survivors(parts, kept), chosen)
    same_arrays(merged.to_files("s", chosen), expected.to_files("s", chosen))
    for segment, some, new, terms in zip(segments, kept, moved, places, strict=True):
        assert merged.catalogue.ids.take(new) == segment.catalogue.ids.take(some)
        for old, block, place in zip(segment.blocks, merged.blocks, terms, strict=True):
            assert place.dtype == np.int32
            known = set(block.vocabulary)
            for term, position in zip(old.vocabulary, place.tolist(), strict=True):
                if position == MISSING:
                    assert term not in known
                else:
                    assert block.vocabulary[position] == term


def test_counts_keep_the_smallest_type_that_holds_them() -> None:
    large = [Posting(id="1", body="cook " * 300), Posting(id="3", body="cook nurse")]
    segments = [
        Segment.from_postings(part, default_blocks()) for part in (large, [Posting(id="2", body="cook")])
    ]
    for first, dtype in ((rows(0, 1), np.uint16), (rows(1), np.uint8)):
        merged, _, _ = merge_segments(segments, [first, rows(0)])
        assert merged.blocks[0].counts.by_posting.counts.dtype == dtype
        assert merged.blocks[0].counts.by_term.counts.dtype == dtype


def test_keeping_nothing_leaves_an_empty_segment() -> None:
    segment = Segment.from_postings([Posting(id="1", title="Cook")], default_blocks())
    merged, moved, places = merge_segments([segment], [rows()])
    empty = Segment.from_postings([], default_blocks())
    same_arrays(merged.to_files("s", default_blocks()), empty.to_files("s", default_blocks()))
    assert [some.tolist() for some in moved] == [[]]
    names = [block.name for block in default_blocks()]
    found = {name: some.tolist() for name, some in zip(names, places[0], strict=True)}
    assert found == {"text": [MISSING], "hashtags": [], "title": [MISSING], "semantic": []}


def test_sources_of_a_merge_stay_as_they_are() -> None:
    postings = [Posting(id=str(number), title=f"cook {number}", hashtags=["a"]) for number in range(6)]
    segments = [Segment.from_postings(part, default_blocks()) for part in (postings[:3], postings[3:])]
    before = [
        {name: array.copy() for name, array in segment.to_files("s", default_blocks()).items()}
        for segment in segments
    ]
    merge_segments(segments, [rows(0, 2), rows(1)])
    for segment, files in zip(segments, before, strict=True):
        same_arrays(segment.to_files("s", default_blocks()), files)


def test_of_a_large_segment_only_what_is_kept_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "cook nurse " * 50
    segment = Segment.from_postings(
        [Posting(id=f"{number:04d}", body=f"{body} {number}") for number in range(400)], default_blocks()
    )
    most = 0
    frombuffer, concatenate = np.frombuffer, np.concatenate

    def watch(make: Any) -> Any:
        def watched(*args: Any, **options: Any) -> Any:
            nonlocal most
            made = make(*args, **options)
            most = max(most, made.nbytes)
            return made

        return watched

    monkeypatch.setattr(np, "frombuffer", watch(frombuffer))
    monkeypatch.setattr(np, "concatenate", watch(concatenate))
    merged, _, _ = merge_segments([segment], [rows(5, 399)])
    assert merged.rows == 2
    assert len(merged.catalogue.records.lines) <= most < len(segment.catalogue.records.lines) / 20


# --- vocabularies ---------------------------------------------------------------------------------


@given(vocabularies, st.lists(words, max_size=9))
def test_inserted_terms_stand_in_order(old: list[str], new: list[str]) -> None:
    united, places, positions = insert_terms(table(old), (term.encode() for term in new))
    assert list(united) == sorted({*old, *new})
    assert [united[place] for place in places.tolist()] == old
    assert {term.decode(): united[place] for term, place in positions.items()} == {term: term for term in new}
    assert places.dtype == np.int32
    same_arrays(united.to_files("x"), table(sorted({*old, *new})).to_files("x"))


@given(st.lists(vocabularies, max_size=4))
def test_united_vocabularies_hold_all_terms(parts: list[list[str]]) -> None:
    united, places = unite_vocabularies([table(part) for part in parts])
    expected = sorted(set().union(*parts))
    same_arrays(united.to_files("x"), table(expected).to_files("x"))
    for part, place in zip(parts, places, strict=True):
        assert place.dtype == np.int32
        assert [united[position] for position in place.tolist()] == part


# --- tables of strings ----------------------------------------------------------------------------

positions_in = st.lists(st.integers(0, 10**6), max_size=12)


@given(st.lists(anything, min_size=1, max_size=8), positions_in)
def test_selected_strings_are_those_at_the_positions(texts: list[str], wanted: list[int]) -> None:
    whole = table(texts)
    positions = np.array([number % len(texts) for number in wanted], np.int64)
    selected = whole.select(positions)
    assert list(selected) == [whole[position] for position in positions.tolist()]
    same_arrays(selected.to_files("x"), table(list(selected)).to_files("x"))
    assert whole.take(positions) == list(selected)


@given(st.lists(st.lists(anything, max_size=5), max_size=4))
def test_concatenated_tables_are_one_of_all_strings(parts: list[list[str]]) -> None:
    joined = StringTable.concatenate([table(part) for part in parts])
    same_arrays(joined.to_files("x"), table([text for part in parts for text in part]).to_files("x"))


@pytest.mark.parametrize(("few_of", "compiled"), [(0, False), (10**6, False), (0, True)])
@settings(deadline=None)  # the first call compiles
@given(old=vocabularies, wanted=st.lists(st.one_of(words, anything), max_size=9))
def test_lines_are_found_where_they_are(
    few_of: int, compiled: bool, old: list[str], wanted: list[str]
) -> None:
    """Bisected, by a dictionary, and by compiled code."""
    lines = [text.encode("utf-8", "surrogatepass") for text in [*wanted, "\ud800", "a\n", "\n"]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(strings, "_FEW_OF", few_of)
        found = table(old).find_lines(lines, compiled=compiled)
        assert table(old).find_lines([], compiled=compiled).tolist() == []
    assert found.dtype == np.int64
    assert found.tolist() == [old.index(text) if text in old else -1 for text in wanted] + [-1] * 3


@given(vocabularies, st.one_of(words, anything))
def test_strings_before_a_text_are_counted(old: list[str], text: str) -> None:
    assert table(old).count_before(text) == sum(one < text for one in old)


def test_an_odd_text_stands_where_its_bytes_sort() -> None:
    some = table(["a", "\ud7ff", "\ue000", "\U0001f600"])
    assert [some.count_before(text) for text in ("", "a\n", "\ud800", "\U0010ffff")] == [0, 1, 2, 4]


@given(vocabularies, vocabularies, st.data())
def test_tables_are_compared_string_by_string(one: list[str], other: list[str], data: st.DataObject) -> None:
    size = min(len(one), len(other))
    mine, theirs = (
        data.draw(st.lists(st.sampled_from(range(len(side))), min_size=size, max_size=size, unique=True))
        if size
        else []
        for side in (one, other)
    )
    expected = [one[a] for a in mine] == [other[b] for b in theirs]
    assert table(one).equals_at(rows(*mine), table(other), rows(*theirs)) == expected


@given(vocabularies, st.data())
def test_a_table_equals_itself_where_positions_are_the_same(texts: list[str], data: st.DataObject) -> None:
    own = table(texts)
    mine = data.draw(st.lists(st.sampled_from(range(len(texts))), unique=True)) if texts else []
    theirs = data.draw(st.permutations(mine))
    assert own.equals_at(rows(*mine), own, rows(*theirs)) == (mine == theirs)


def test_strings_of_the_same_bytes_but_other_bounds_differ() -> None:
    assert not table(["ab", "c"]).equals_at(rows(0, 1), table(["a", "bc"]), rows(0, 1))
    assert not table(["ab", "c", "d"]).equals_at(rows(0, 1), table(["a", "bc"]), rows(0, 1))


# --- columns --------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["", "Bern", "Cork  ", "Zürich", "😀"]), max_size=9), positions_in)
def test_selected_rows_of_a_column(values: list[str], wanted: list[int]) -> None:
    chosen = [number % len(values) for number in wanted] if values else []
    selected = Categories.from_strings(values).select(rows(*chosen))
    expected = Categories.from_strings([values[row] for row in chosen])
    same_arrays(selected.to_files("x"), expected.to_files("x"))


@given(st.lists(st.lists(st.sampled_from(["", "Bern", "Cork", "Zürich", "😀"]), max_size=5), max_size=4))
def test_concatenated_columns_are_one_of_all_rows(parts: list[list[str]]) -> None:
    joined = Categories.concatenate([Categories.from_strings(part) for part in parts])
    expected = Categories.from_strings([value for part in parts for value in part])
    same_arrays(joined.to_files("x"), expected.to_files("x"))


@given(shares())
@settings(deadline=None, max_examples=50)
def test_merged_catalogues_are_that_of_the_postings_kept(
    parted: tuple[list[list[Posting]], list[NDArray[np.int64]]],
) -> None:
    parts, kept = parted
    merged, order = Catalogue.merge([Catalogue.from_postings(part) for part in parts], kept)
    same_arrays(merged.to_files(), Catalogue.from_postings(survivors(parts, kept)).to_files())
    chosen = [part[row].id for part, some in zip(parts, kept, strict=True) for row in some.tolist()]
    assert [chosen[place] for place in order.tolist()] == sorted(chosen)
    assert list(merged) == survivors(parts, kept)


# --- norms ----------------------------------------------------------------------------------------


@given(
    st.lists(st.dictionaries(st.integers(0, 9), st.integers(1, 70_000), max_size=10), max_size=12),
    st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e3)), min_size=10, max_size=10),
)
@settings(deadline=None, max_examples=50)
def test_norms_are_the_same_bits_compiled_or_not_and_alone_or_not(
    postings: list[dict[int, int]], weights: list[float]
) -> None:
    def matrix(some: list[dict[int, int]]) -> Counts:
        lengths = [len(posting) for posting in some]
        columns = np.array([term for posting in some for term in sorted(posting)], np.int32)
        values = [posting[term] for posting in some for term in sorted(posting)]
        return Counts(strings.to_offsets(lengths), columns, narrow_counts(np.array(values, np.int64)))

    given_ = np.array(weights)
    whole = invert_norms(matrix(postings), given_)
    assert whole.tobytes() == invert_norms(matrix(postings), given_, compiled=True).tobytes()
    alone = [invert_norms(matrix([posting]), given_)[0] for posting in postings]
    assert whole.tolist() == alone
    for posting, inverse in zip(postings, alone, strict=True):
        norm = 0.0
        for term in sorted(posting):
            value = posting[term] * weights[term]
            norm += value * value  # ``value ** 2`` may round otherwise
        assert inverse == (1 / np.sqrt(norm) if norm else 0.0)
