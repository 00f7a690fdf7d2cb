"""Words that are spelled alike, against sets of n-grams made one word after the other."""

from __future__ import annotations

import gc
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import spelling
from matcher.spelling import Alike, Spelling, count_shared_at_least, keep_nearest
from matcher.strings import StringTable

both = pytest.mark.parametrize("compiled", [False, True], ids=["numpy", "compiled"])

_letters = st.sampled_from("abcäß語😀+#")
words = st.one_of(st.text(_letters, min_size=1, max_size=9), st.text(_letters, min_size=36, max_size=44))
"""Few letters, so that words share n-grams; some as long as words are looked at, and longer."""

lists = st.lists(words, max_size=12, unique=True).map(sorted)
cosines = st.sampled_from([0.0, 0.2, 0.25, 0.5, 2 / 3, 1.0])


def grams(word: str) -> set[str]:
    spaced = f" {word[:40]} "
    return {spaced[start : start + 4] for start in range(len(spaced) - 3)} or {spaced}


def similarity(one: str, other: str) -> float:
    ours, theirs = grams(one), grams(other)
    return len(ours & theirs) / math.sqrt(len(ours) * len(theirs))


def as_dictionary(alike: Alike) -> dict[int, float]:
    assert len(set(alike.positions.tolist())) == len(alike.positions)
    assert alike.positions.dtype == np.int32
    return dict(zip(alike.positions.tolist(), alike.similarities.tolist(), strict=True))


@both
@settings(max_examples=200, deadline=None)
@given(vocabulary=lists, asked=st.lists(words, max_size=6), least=cosines)
@example(vocabulary=["c", "c++"], asked=["c", "c+", "c#"], least=0.2)
@example(vocabulary=["aaaaaa", "aaaaaaa"], asked=["aaaaaaaa"], least=1.0)
def test_what_is_alike_is_what_sets_of_n_grams_share(
    compiled: bool, vocabulary: list[str], asked: list[str], least: float
) -> None:
    found = Spelling(StringTable.from_strings(vocabulary)).find(asked, least, compiled=compiled)
    for word, alike in zip(asked, found, strict=True):
        expected = {n: similarity(word, other) for n, other in enumerate(vocabulary)}
        assert as_dictionary(alike) == {n: s for n, s in expected.items() if s > 0 and s >= least}


@both
@pytest.mark.parametrize(
    ("profile", "title", "cosine"),
    [
        ("developer", "developers", 7 / math.sqrt(8 * 9)),
        ("pflegekraft", "altenpflegekraft", 9 / math.sqrt(10 * 15)),
        ("köchin", "köchinnen", 4 / math.sqrt(5 * 8)),
        ("c++", "c++", 1.0),
        ("c", "c", 1.0),
        ("c", "c++", 0.0),
        ("go", "golang", 0.0),
        ("看護師", "看護師長", 1 / math.sqrt(2 * 3)),
        ("cook", "nurse", 0.0),
    ],
)
def test_inflected_words_compounds_and_short_names(
    compiled: bool, profile: str, title: str, cosine: float
) -> None:
    assert similarity(profile, title) == pytest.approx(cosine)
    [alike] = Spelling(StringTable.from_strings([title])).find([profile], 0.01, compiled=compiled)
    assert alike.similarities == pytest.approx([cosine] if cosine else [])


@both
def test_of_a_long_word_the_first_40_code_points_count(compiled: bool) -> None:
    rng = np.random.default_rng(1)
    word = "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), 10_000))
    known = Spelling(StringTable.from_strings(sorted([word[:40], word[:41] + "x"])))
    found = as_dictionary(known.find([word], 0.2, compiled=compiled)[0])
    assert found == {0: 1.0, 1: 1.0}


@both
def test_there_is_room_for_however_many_are_alike(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "_ALIKE_A_WORD", 1)
    monkeypatch.setattr(spelling, "_MOST_PAIRS", 1_000)  # two words at once
    vocabulary = sorted({f"nurse{number}" for number in range(400)})
    found = Spelling(StringTable.from_strings(vocabulary)).find(["nurses"] * 50, 0.1, compiled=compiled)
    assert [len(alike.positions) for alike in found] == [400] * 50


@both
def test_more_characters_than_fit_count_as_one(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "_PLACES", 4)  # the space and "a" have places of their own
    table = StringTable.from_strings(["aaab", "aaac"])
    [alike] = Spelling(table).find(["aaab"], 0.2, compiled=compiled)
    assert as_dictionary(alike) == {0: 1.0, 1: 1.0}


@both
def test_an_empty_vocabulary_and_no_words(compiled: bool) -> None:
    [alike] = Spelling(StringTable.from_strings([])).find(["cook"], 0.2, compiled=compiled)
    assert as_dictionary(alike) == {}
    assert Spelling(StringTable.from_strings(["cook"])).find([], 0.2, compiled=compiled) == []


@settings(max_examples=100, deadline=None)
@given(lists, st.lists(words, max_size=8, unique=True).map(sorted))
def test_compiled_code_gives_the_same_bits(vocabulary: list[str], asked: list[str]) -> None:
    known = Spelling(StringTable.from_strings(vocabulary))
    nearest = [
        keep_nearest(
            known.find(asked, 0.2, compiled=compiled), range(len(asked)), len(vocabulary), compiled=compiled
        )
        for compiled in (False, True)
    ]
    for one, other in zip(*nearest, strict=True):
        assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())


@both
@settings(max_examples=100, deadline=None)
@given(vocabulary=lists, asked=st.lists(words, max_size=8, unique=True).map(sorted))
def test_the_nearest_word_is_the_first_of_those_as_near(
    compiled: bool, vocabulary: list[str], asked: list[str]
) -> None:
    known = Spelling(StringTable.from_strings(vocabulary))
    alike = known.find(asked, 0.2, compiled=compiled)
    positions, similarities, origins = keep_nearest(
        alike, [10 + n for n in range(len(asked))], len(vocabulary), compiled=compiled
    )
    expected = {}
    for position, word in enumerate(vocabulary):
        best = max((similarity(word, other) for other in asked), default=0.0)
        if best >= 0.2:
            first = next(n for n, other in enumerate(asked) if similarity(word, other) == best)
            expected[position] = (best, 10 + first)
    found = zip(similarities.tolist(), origins.tolist(), strict=True)
    assert dict(zip(positions.tolist(), found, strict=True)) == expected


@settings(max_examples=50, deadline=None)
@given(st.floats(0, 1))
def test_how_many_must_be_shared_is_the_least_number_that_is_similar_enough(least: float) -> None:
    needed = count_shared_at_least(least)
    for ours, theirs in [(1, 1), (2, 39), (8, 10), (39, 39), (5, 5), (13, 7)]:
        number = int(needed[ours, theirs])
        cosine = math.sqrt(ours * theirs)
        assert number >= 1
        assert number > 39 or number / cosine >= least
        assert number == 1 or (number - 1) / cosine < least


def test_only_words_of_the_vocabulary_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spelling, "MOST_KEPT", 7)
    known = Spelling(StringTable.from_strings(["cook", "cooks", "nurse", "nurses"]))
    asked, places = ["cook", "cooky", "nurse"], [0, -1, 2]
    first = [as_dictionary(alike) for alike in known.find(asked, 0.2, places)]
    assert set(known._kept) == {(0.2, 0), (0.2, 2)}
    monkeypatch.setattr(known, "_search", lambda words, least: [Alike(*np.zeros((2, 0)))] * len(words))
    again = [alike.positions.tolist() for alike in known.find(asked, 0.2, places)]
    assert again == [list(first[0]), [], list(first[2])]
    monkeypatch.undo()
    assert [*map(as_dictionary, known.find(["cooks"], 0.2, [1]))] == [{0: 2 / math.sqrt(12), 1: 1.0}]
    assert set(known._kept) == {(0.2, 1)}, "what is full begins anew"
    assert [*map(as_dictionary, known.find(["cooks"], 0.9, [1]))] == [{1: 1.0}]


def test_a_vocabulary_that_nobody_holds_any_more_is_forgotten() -> None:
    gc.collect()
    before = len(spelling._KNOWN)
    table = StringTable.from_strings(["cook"])
    assert Spelling.of(table) is Spelling.of(table)
    assert len(spelling._KNOWN) == before + 1
    del table
    gc.collect()
    assert len(spelling._KNOWN) == before
