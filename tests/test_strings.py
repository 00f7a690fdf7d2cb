"""`StringTable` against plain lists and dictionaries, and what it refuses to open."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.errors import ModelDamagedError
from matcher.strings import Strings, StringTable

lines = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=6)


@settings(max_examples=200, deadline=None)
@given(st.lists(lines, max_size=12))
@example(["", "", "\r", "\r\t", "\u2028", "\x85", "\x00", "😀"])
def test_a_table_holds_exactly_the_strings_it_was_given(strings: list[str]):
    table = StringTable.from_strings(iter(strings))
    assert list(table) == strings
    assert len(table) == len(strings)
    assert [table[i] for i in range(-len(strings), 0)] == strings
    assert list(reversed(table)) == strings[::-1]
    assert table.offsets[-1] == len(table.lines)


@settings(max_examples=100, deadline=None)
@given(st.lists(lines, max_size=8), st.slices(8))
def test_slices_are_those_of_a_list(strings: list[str], part: slice):
    assert StringTable.from_strings(strings)[part] == strings[part]


@settings(max_examples=200, deadline=None)
@given(st.sets(lines, max_size=12), st.lists(lines, max_size=6))
@example({"a", "ab", "a b", "a\x00", ""}, ["a", "a ", "A", "b"])
@example({"\uffff", "😀", "z", "ÿ"}, ["\uffff", "😁"])  # UTF-16 would sort these another way
def test_find_agrees_with_a_dictionary(strings: set[str], others: list[str]):
    ordered = sorted(strings)
    position = {text: number for number, text in enumerate(ordered)}
    table = StringTable.from_strings(ordered)
    for text in [*ordered, *others]:
        assert table.find(text) == position.get(text, -1)


@settings(max_examples=100, deadline=None)
@given(st.sets(lines, max_size=12))
def test_a_sorted_table_survives_its_files(strings: set[str]):
    ordered = sorted(strings)
    again = StringTable.from_files(StringTable.from_strings(ordered).to_files("x"), "x", unique=True)
    assert list(again) == ordered


@pytest.mark.parametrize("index", [3, -4, 10**30, -(10**30)])
def test_an_index_outside_the_table_is_an_index_error(index: int):
    with pytest.raises(IndexError):
        StringTable.from_strings("abc")[index]


def test_numpy_integers_are_indexes_too():
    table = StringTable.from_strings(["a", "ö", "c"])
    assert [table[i] for i in np.array([1, -1, 0])] == ["ö", "c", "a"]


def test_an_empty_table():
    table = StringTable.from_strings([])
    assert (len(table), list(table), table.find(""), table[:]) == (0, [], -1, [])
    with pytest.raises(IndexError):
        table[0]
    assert list(StringTable.from_files(table.to_files("x"), "x", unique=True)) == []


def test_what_utf8_cannot_hold_is_not_found():
    assert StringTable.from_strings(["?"]).find("\ud800") == -1


def test_what_utf8_cannot_hold_does_not_break_a_table():
    assert list(StringTable.from_strings(["a\ud800b", "\udfff"])) == ["a?b", "?"]


def test_unsorted_strings_are_fine_where_find_is_not_needed():
    files = StringTable.from_strings(["b", "a", "a"]).to_files("x")
    assert list(StringTable.from_files(files, "x", unique=False)) == ["b", "a", "a"]


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


@pytest.mark.parametrize(
    ("text", "offsets"),
    [
        pytest.param(_bytes(b"a\nb\n"), np.array([0, 2]), id="too few offsets"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0, 2, 4, 4]), id="too many offsets"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0, 1, 4]), id="an offset within a line"),
        pytest.param(_bytes(b"a\nb\n"), np.array([1, 2, 4]), id="not from 0"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0, -2, 4]), id="a negative offset"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0, 2, 2**62]), id="an offset past the end"),
        pytest.param(_bytes(b"a\nb\n"), np.zeros(0, np.int64), id="no offsets"),
        pytest.param(_bytes(b"a\nb\nrest"), np.array([0, 2, 4]), id="text after the last line"),
        pytest.param(_bytes(b"rest"), np.array([0]), id="text without a line"),
        pytest.param(_bytes(b"a\n\xff\n"), np.array([0, 2, 4]), id="not UTF-8"),
        pytest.param(_bytes(b"\xed\xa0\x80\n"), np.array([0, 4]), id="an encoded surrogate"),
        pytest.param(_bytes(b"b\na\n"), np.array([0, 2, 4]), id="not sorted"),
        pytest.param(_bytes(b"a\na\n"), np.array([0, 2, 4]), id="not unique"),
        pytest.param(_bytes(b"a\nb\n").view(np.int8), np.array([0, 2, 4]), id="signed bytes"),
        pytest.param(_bytes(b"a\nb\n").reshape(2, 2), np.array([0, 2, 4]), id="bytes in two dimensions"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0, 2, 4], np.int32), id="short offsets"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0.0, 2.0, 4.0]), id="offsets with decimals"),
        pytest.param(_bytes(b"a\nb\n"), np.array([0, 2, 4], ">i8"), id="offsets of another byte order"),
        pytest.param(_bytes(b"a\nb\n"), np.array([[0, 2, 4]]), id="offsets in two dimensions"),
        pytest.param(_bytes(b"a\nb\n"), np.array(4), id="one number for offsets"),
    ],
)
def test_a_damaged_table_is_refused(text: np.ndarray, offsets: np.ndarray):
    with pytest.raises(ModelDamagedError):
        StringTable.from_files({"x.txt": text, "x.offsets": offsets}, "x", unique=True)


def compiled(strings: Strings) -> Strings:
    """Return strings that compiled code looks up."""
    return Strings(strings.data, strings.offsets, strings.hashes, compiled=True)


words = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(words, max_size=20), st.lists(st.text(max_size=8), max_size=20))
def test_looking_up_many_is_looking_up_one_by_one(lines: list[str], texts: list[str]):
    table = StringTable.from_strings(sorted(set(lines)))
    asked = texts + lines[:5]
    strings = Strings.from_strings(asked)
    assert table.find_many(strings).tolist() == [table.find(text) for text in asked]
    assert table.find_many(compiled(strings)).tolist() == [table.find(text) for text in asked]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("abcé", max_size=5), max_size=25),
    st.lists(st.lists(st.text("abcé", max_size=3), max_size=9), max_size=4),
)
def test_runs_are_found_as_if_written_out(lines: list[str], texts: list[list[str]]):
    table = StringTable.from_strings(sorted(set(lines)))
    expected = []
    for owner, parts in enumerate(texts):
        ends = range(len(parts) + 1)
        written = {"".join(parts[start:stop]) for stop in ends for start in range(max(0, stop - 3), stop)}
        expected += [(position, owner) for position, line in enumerate(table) if line in written]
    strings = Strings.from_strings([part for parts in texts for part in parts])
    bounds = np.cumsum([0, *map(len, texts)])
    for asked in (strings, compiled(strings)):
        found = table.find_runs(asked, bounds, 3)
        assert list(zip(found.positions.tolist(), found.owners.tolist(), strict=True)) == expected


def test_lines_made_to_collide_are_told_apart():
    """A polynomial modulo a power of two is beaten by Thue-Morse strings; bytes are compared all the same."""
    first, second = "a", "b"
    for _ in range(11):
        first, second = first + second, second + first
    table = StringTable.from_strings(sorted([first, second, "c"]))
    assert len(set(table.hashes().tolist())) == 2
    asked = [second, first, "c", first[:-1] + "x"]
    assert [table.find(text) for text in asked] == [1, 0, 2, -1]
    assert table.find_many(Strings.from_strings(asked)).tolist() == [1, 0, 2, -1]
    assert table.find_many(compiled(Strings.from_strings(asked))).tolist() == [1, 0, 2, -1]
