"""Texts to vectors: against a slow version in plain Python, in any batch, and by encoders that misbehave."""

from __future__ import annotations

import itertools
import math
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, OptionError, Posting
from matcher.analyzer import analyze
from matcher.dense import length_of_postings
from matcher.encoding import COMMON_SHARE, EncodedProfile, ForeignEncoder, TextEncoder, WordEncoder
from matcher.features import TextBlock
from matcher.semantic import SemanticBlock
from matcher.tokens import split_compiled, split_in_python
from matcher.word_vectors import WordVectors

WORDS = sorted("bread c++ cook köchin nurse nursenurse registered registerednurse sql ward".split())
RNG = np.random.default_rng(4)
TABLE = WordVectors.from_arrays(WORDS, RNG.integers(-127, 128, (len(WORDS), 12)), longest=2)
ENCODER = WordEncoder.from_table(TABLE)
SPLITTERS = {"python": split_in_python, "compiled": split_compiled}
POSTINGS = [Posting(id="1", title="Cook in Bern"), Posting(id="2", title="Nurse"), Posting(id="3")]

texts = st.lists(
    st.lists(st.sampled_from([*WORDS, "the", "zzz", "2019", "Registered Nurse"]), max_size=40).map(" ".join),
    max_size=6,
)


def plain_counts(table: WordVectors, text: str) -> Counter[int]:
    """Return how often each word and phrase of a table is in a text."""
    features = analyze(text)
    known = {word: place for place, word in enumerate(table.words)}
    runs = [
        "".join(features[first : first + size])
        for size in range(1, table.longest + 1)
        for first in range(len(features) - size + 1)
    ]
    return Counter(known[run] for run in runs if run in known)


def plain_direction(table: WordVectors, text: str) -> list[float]:
    """Return the direction of a text, of length 1; zeros without a known word."""
    rows = table.vectors.tolist()
    total = [0] * table.dimensions
    for place, count in plain_counts(table, text).items():
        for d in range(table.dimensions):
            total[d] += min(count, 255) * rows[place][d]
    length = math.hypot(*total)
    return [one / length if length else 0.0 for one in total]


def plain_whole_numbers(direction: Sequence[float]) -> list[int]:
    """Return a posting's vector: of one length, numbers that do not fit cut off."""
    length = length_of_postings(len(direction))
    return [max(-127, min(127, round(number * length))) for number in direction]


# --- a table of words ---------------------------------------------------------------------------------


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(deadline=None, max_examples=60)
@given(texts)
def test_postings_are_encoded_as_the_plain_version_does(splitter: str, some: list[str]) -> None:
    expected = [plain_whole_numbers(plain_direction(TABLE, text)) for text in some]
    encoded = ENCODER.encode_postings(some, SPLITTERS[splitter])
    assert encoded.dtype == np.int8
    assert encoded.shape == (len(some), 12)
    assert encoded.tolist() == expected


SINGLE = WordVectors.from_arrays(WORDS, RNG.integers(-128, 128, (len(WORDS), 5)))


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(deadline=None, max_examples=60)
@given(texts)
def test_the_share_of_known_words_is_counted(splitter: str, some: list[str]) -> None:
    shares = ENCODER.share_known(some, SPLITTERS[splitter])
    assert shares.dtype == np.uint8
    for text, share in zip(some, shares.tolist(), strict=True):
        known, words = len(plain_counts(TABLE, text)), len(set(analyze(text)))
        assert share == round(255 * known / max(known, words, 1))
    assert ENCODER.share_known([], SPLITTERS[splitter]).shape == (0,)


@pytest.mark.parametrize("splitter", SPLITTERS)
@settings(deadline=None, max_examples=60)
@given(texts)
def test_profiles_are_encoded_as_the_plain_version_does(splitter: str, some: list[str]) -> None:
    for text, found in zip(some, ENCODER.encode_profiles(some, SPLITTERS[splitter](some)), strict=True):
        known = len(plain_counts(TABLE, text))
        assert (found.direction.dtype, found.direction.shape) == (np.float64, (12,))
        assert found.direction.tolist() == pytest.approx(plain_direction(TABLE, text), abs=1e-15)
        assert found.direction.any() == (known > 0)
        assert found.known == known
        assert found.words == max(len(set(analyze(text))), known)


def test_a_posting_is_cut_off_where_a_number_would_be_too_large() -> None:
    """In 256 dimensions length 1 is 254: a text of one word along one axis does not fit."""
    vectors = np.zeros((2, 256), np.int8)
    vectors[0, 3], vectors[1, :2] = -9, (100, 1)
    encoder = WordEncoder.from_table(WordVectors.from_arrays(["cook", "nurse"], vectors))
    encoded = encoder.encode_postings(["cook", "nurse", "cook nurse"], split_in_python)
    assert encoded[0].tolist() == [0, 0, 0, -127] + [0] * 252
    assert encoded[1, :2].tolist() == [127, 3]
    assert encoded[2, :4].tolist() == [127, 3, 0, -23]


@pytest.mark.parametrize("table", [TABLE, SINGLE, WordVectors.shipped()])
def test_what_is_expected_is_the_mean_of_all_words_at_one_length(table: WordVectors) -> None:
    total = [sum(column) for column in zip(*table.vectors.tolist(), strict=True)]
    expected = WordEncoder.from_table(table).expected
    assert (expected.dtype, COMMON_SHARE) == (np.float64, 0.4)
    assert expected.tolist() == pytest.approx(
        [0.4 * one / math.hypot(*total) for one in total], rel=1e-12, abs=1e-15
    )


def test_nothing_is_expected_of_a_table_without_words_and_of_an_encoder_of_the_callers() -> None:
    for words, vectors in (
        ([], np.zeros((0, 3), np.int8)),
        (["cook"], [[0, 0, 0]]),
        (["cook", "nurse"], [[1, -2, 3], [-1, 2, -3]]),
    ):
        encoder = WordEncoder.from_table(WordVectors.from_arrays(words, vectors))
        assert encoder.expected.tolist() == [0.0] * 3
    assert ForeignEncoder(Letters()).expected.tolist() == [0.0] * 9
    for some in (ENCODER, ForeignEncoder(Letters())):
        assert isinstance(some, TextEncoder)


@pytest.fixture(scope="module")
def many_texts() -> list[str]:
    words = list(WordVectors.shipped().words)
    rng = np.random.default_rng(1)
    chosen = rng.integers(len(words), size=(300, 60)).tolist()
    sizes = rng.integers(0, 60, 300).tolist()
    return [" ".join(words[place] for place in row[:size]) for row, size in zip(chosen, sizes, strict=True)]


def test_a_text_alone_has_the_vector_it_has_among_300(many_texts: list[str]) -> None:
    encoder = WordEncoder.from_table(WordVectors.shipped())
    together = encoder.encode_postings(many_texts, split_in_python)
    assert len(np.unique(together, axis=0)) > 250
    for size in (1, 7):
        for first in range(0, len(many_texts), 11 * size):
            part = slice(first, first + size)
            assert np.array_equal(encoder.encode_postings(many_texts[part], split_in_python), together[part])
    assert np.array_equal(encoder.encode_postings(many_texts[::-1], split_compiled), together[::-1])


def test_a_profile_alone_has_the_vector_it_has_among_300(many_texts: list[str]) -> None:
    encoder = WordEncoder.from_table(WordVectors.shipped())
    together = encoder.encode_profiles(many_texts, split_in_python(many_texts))
    for number in range(0, len(many_texts), 9):
        [alone] = encoder.encode_profiles([many_texts[number]], split_in_python([many_texts[number]]))
        assert alone.direction.tobytes() == together[number].direction.tobytes()
        assert alone[1:] == together[number][1:]


def test_a_text_of_a_megabyte_counts_a_word_so_often_and_not_more() -> None:
    text = "cook " * 150_000 + "nurse, " + "zzz " * 60_000
    [huge] = ENCODER.encode_postings([text], split_in_python)
    assert huge.tolist() == plain_whole_numbers(plain_direction(TABLE, text))
    few = WordEncoder.from_table(WordVectors.from_arrays(["cook", "nurse"], [[1, 0], [0, 127]]))
    huge, capped, fewer = few.encode_postings(
        [text, "cook " * 255 + "nurse", "cook " * 127 + "nurse"], split_in_python
    ).tolist()
    assert huge == capped != fewer


def test_words_that_cancel_out_are_no_data() -> None:
    table = WordVectors.from_arrays(["left", "right", "up"], [[-5, 0], [5, 0], [0, 1]])
    encoder = WordEncoder.from_table(table)
    assert not encoder.encode_postings(["left right"], split_in_python).any()
    [profile] = encoder.encode_profiles(["left right"], split_in_python(["left right"]))
    assert not profile.direction.any()
    assert profile.known == 2
    for centre in (np.zeros(2), np.array([0.3, -0.1])):
        assert encoder.name_parts("left right", "up", centre) == []


def test_a_table_without_words_or_with_vectors_of_0_gives_no_data() -> None:
    for words, vectors in (([], np.zeros((0, 3), np.int8)), (["cook"], [[0, 0, 0]])):
        encoder = WordEncoder.from_table(WordVectors.from_arrays(words, vectors))
        assert encoder.encode_postings(["cook", ""], split_in_python).tolist() == [[0] * 3] * 2
        profiles = encoder.encode_profiles(["cook", ""], split_in_python(["cook", ""]))
        assert [profile.direction.tolist() for profile in profiles] == [[0] * 3] * 2
        for centre in (np.zeros(3), np.array([0.3, -0.1, 0.0])):
            assert encoder.name_parts("cook", "cook", centre) == []


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_parts_of_a_likeness_add_up_to_it(data: st.DataObject) -> None:
    some = st.lists(st.sampled_from([*WORDS, "zzz"]), min_size=1, max_size=30).map(" ".join)
    profile, posting = data.draw(some), data.draw(some)
    ours, theirs = plain_direction(TABLE, profile), plain_direction(TABLE, posting)
    centre = data.draw(
        st.sampled_from([np.zeros(12), ENCODER.expected, RNG.normal(size=12) / 5, -ENCODER.expected])
    )
    parts = ENCODER.name_parts(profile, posting, centre)
    known = plain_counts(TABLE, profile), plain_counts(TABLE, posting)
    whole = math.fsum(
        (one - common) * (other - common)
        for one, other, common in zip(ours, theirs, centre.tolist(), strict=True)
    )
    assert math.fsum(value for _, value in parts) == pytest.approx(whole if all(known) else 0.0, abs=1e-12)
    assert len(parts) == (len(known[0]) if all(known) else 0)
    if all(known):
        names = [[TABLE.words[place] for place in counts] for counts in known]
        for label, _ in parts:
            own, _, other = label.partition(" ~ ")
            assert own in names[0]
            assert (other or own) in names[1]


def test_naming_the_words_of_two_whole_dictionaries_takes_little_room() -> None:
    words = sorted(
        f"{first}{second}{third}q" for first in "bcdfgh" for second in range(30) for third in "jklmnprstvwxz"
    )
    table = WordVectors.from_arrays(words, RNG.integers(-127, 128, (len(words), 4)))
    text = " ".join(words)
    tracemalloc.start()
    parts = WordEncoder.from_table(table).name_parts(text, text, np.full(4, 0.1))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(parts) == len(words) == 2_340
    assert most < 8 * len(words) ** 2 / 2


def test_a_table_is_loaded_when_it_is_first_needed() -> None:
    loaded: list[int] = []

    def load() -> WordVectors:
        loaded.append(1)
        return TABLE

    encoder = WordEncoder(TABLE.identity, load)
    block = SemanticBlock().with_encoder(encoder)
    assert block.identity == TABLE.identity
    assert loaded == []
    encoder.encode_postings(["cook"], split_in_python)
    encoder.encode_postings(["nurse"], split_in_python)
    assert loaded == [1]


# --- encoders of the caller's -------------------------------------------------------------------------


class Letters:
    """An encoder: how often some letters are in a text, and its length."""

    identity = "letters"

    def __init__(self, letters: str = "aeinorst") -> None:
        self.letters = letters
        self.seen: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.seen += texts
        return [[text.count(letter) for letter in self.letters] + [0.1 * len(text)] for text in texts]


class Returning:
    """An encoder that returns what it is told to."""

    def __init__(self, make: Callable[[int], Any]) -> None:
        self.make = make

    def encode(self, texts: Sequence[str]) -> Any:
        return self.make(len(texts))


def _grow(sizes: Iterator[int], n: int) -> Any:
    return np.ones((n, next(sizes)))


WRONG: dict[str, Callable[[int], Any]] = {
    "nothing": lambda n: None,
    "a number": lambda n: 1.0,
    "a row": np.ones,
    "three axes": lambda n: np.ones((n, 2, 2)),
    "too few rows": lambda n: np.ones((n - 1, 2)),
    "too many rows": lambda n: np.ones((n + 1, 2)),
    "no columns": lambda n: np.ones((n, 0)),
    "too many columns": lambda n: np.ones((n, 4097)),
    "strings": lambda n: [["1.0", "2.0"]] * n,
    "bytes": lambda n: b"\0" * n,
    "objects": lambda n: [[{}, {}]] * n,
    "complex numbers": lambda n: np.ones((n, 2), complex),
    "truth": lambda n: np.ones((n, 2), bool),
    "dates": lambda n: np.zeros((n, 2), "datetime64[s]"),
    "rows of different lengths": lambda n: [[1.0] * (1 + number % 2) for number in range(n + 1)][-n:],
    "numbers and rows": lambda n: [1.0, [1.0, 2.0]] * n,
    "NaN": lambda n: np.full((n, 2), math.nan),
    "infinity": lambda n: np.full((n, 2), -math.inf),
    "one NaN": lambda n: np.where(np.arange(2 * n).reshape(n, 2) == 2 * n - 1, math.nan, 1.0),
    "more than a float holds": lambda n: [[10**400, 1]] * n,
    "a generator": lambda n: (row for row in np.ones((n, 2))),
    "other dimensions each time": partial(_grow, itertools.count(1)),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_encoder_that_returns_nonsense_is_a_wrong_option(name: str) -> None:
    blocks = [TextBlock(), SemanticBlock(encoder=Returning(WRONG[name]))]  # type: ignore[arg-type]
    with pytest.raises(OptionError, match=r"encode\(\) of .*Returning"):
        Matcher.fit(POSTINGS, blocks=blocks)


GOOD = {
    "rows of lists": lambda n: [[1.0, 2.0]] * n,
    "whole numbers": lambda n: np.full((n, 2), 3, np.uint8),
    "half": lambda n: np.ones((n, 2), np.float16),
    "huge": lambda n: np.full((n, 2), -1e300),
    "the least": lambda n: np.full((n, 2), 5e-324),
    "columns first": lambda n: np.asfortranarray(np.ones((n, 3))),
    "every other": lambda n: np.ones((2 * n, 4))[::2, ::2],
    "read-only": lambda n: np.broadcast_to(np.arange(3.0), (n, 3)),
    "4096 dimensions": lambda n: np.ones((n, 4096)),
}


@pytest.mark.parametrize("name", GOOD)
def test_an_encoder_may_return_any_finite_numbers(name: str) -> None:
    encoder: Any = Returning(GOOD[name])
    matcher = Matcher.fit(POSTINGS, blocks=[SemanticBlock(encoder=encoder)])
    first, second, last = matcher.recommend("midwife")
    assert [found.posting.id for found in (first, second, last)] == ["1", "2", "3"]
    assert first.score == second.score == pytest.approx(1.0, abs=1e-4)
    assert last.score == 0
    assert sum(part.value for part in first.contributions) == pytest.approx(first.score, abs=1e-12)


@pytest.mark.parametrize("encoder", [7, object(), ["cook"]])
def test_what_cannot_encode_is_a_wrong_option(encoder: Any) -> None:
    with pytest.raises(OptionError, match="needs a method encode"):
        SemanticBlock(encoder=encoder)


def test_an_encoder_that_fails_changes_nothing() -> None:
    class Moody(Letters):
        fails: BaseException | None = None

        def encode(self, texts: Sequence[str]) -> Any:
            if self.fails:
                raise self.fails
            return super().encode(texts)

    model: Any = Moody()
    matcher = Matcher.fit(POSTINGS, blocks=[TextBlock(), SemanticBlock(encoder=model)])
    before = [(found.posting.id, found.score) for found in matcher.recommend("cook")]
    for error in (RuntimeError("out of memory"), KeyboardInterrupt()):
        model.fails = error
        for call in (
            lambda: matcher.add([Posting(id="4", title="Cook")]),
            lambda: matcher.update([Posting(id="1", title="Cook")]),
            lambda: matcher.recommend("cook"),
            lambda: Matcher.fit(POSTINGS, blocks=[SemanticBlock(encoder=model)]),
        ):
            with pytest.raises(type(error)):
                call()
        model.fails = None
        assert [(found.posting.id, found.score) for found in matcher.recommend("cook")] == before
        assert matcher.is_fitted


def test_an_encoder_that_changes_its_dimensions_later_changes_nothing() -> None:
    model: Any = Letters()
    matcher = Matcher.fit(POSTINGS, blocks=[TextBlock(), SemanticBlock(encoder=model)])
    before = [(found.posting.id, found.score) for found in matcher.recommend("cook")]
    model.letters = "ab"
    for call in (
        lambda: matcher.add([Posting(id="4", title="Cook")]),
        lambda: matcher.recommend("cook"),
        lambda: matcher.explain("cook", "1"),
    ):
        with pytest.raises(OptionError, match="must return 9 numbers a text, got 3"):
            call()
    model.letters = "aeinorst"
    assert [(found.posting.id, found.score) for found in matcher.recommend("cook")] == before


def test_a_posting_without_words_has_no_vector_as_a_profile_without_words_has_none() -> None:
    encoder = ForeignEncoder(Letters())
    some = ["cook", "", "the 2019", "nurse"]
    postings = encoder.encode_postings(some, split_in_python)
    profiles = encoder.encode_profiles(some, split_in_python(some))
    assert postings.any(axis=1).tolist() == [True, False, False, True]
    assert [bool(profile.direction.any()) for profile in profiles] == [True, False, False, True]
    assert profiles[1].words == profiles[1].known == 0


def test_an_encoder_of_profiles_gets_nothing_but_features() -> None:
    model = Letters()
    some = ["She is a nurse.\nanna@care.example, +41 79 555 12 34, www.anna.example", "", "C++ and SQL"]
    ForeignEncoder(model).encode_profiles(some, split_in_python(some))
    assert model.seen == [" ".join(analyze(text)) for text in some] == ["nurse", "", "c++ sql"]


def test_texts_go_to_an_encoder_as_they_are_at_most_256_at_a_time() -> None:
    sizes: list[int] = []

    class Watching(Letters):
        def encode(self, texts: Sequence[str]) -> Any:
            sizes.append(len(texts))
            assert type(texts) is list
            return super().encode(texts)

    some = [f"cook {number}" for number in range(600)]
    encoder = ForeignEncoder(Watching())
    together = encoder.encode_postings(some, split_in_python)
    assert max(sizes) == 256
    assert sum(sizes) in (600, 601)
    for number in range(0, 600, 37):
        assert np.array_equal(encoder.encode_postings([some[number]], split_in_python)[0], together[number])


def test_a_block_asks_an_encoder_nothing_before_it_is_fitted() -> None:
    model: Any = Letters()
    block = SemanticBlock(encoder=model)
    block.with_encoder(ForeignEncoder(model))
    assert model.seen == []
    assert block.vectors == "encoder"


def test_an_encoder_without_a_name_of_its_own_is_called_by_its_class() -> None:
    class Nameless(Letters):
        identity = ""

    assert ForeignEncoder(Letters()).identity == "letters"
    assert ForeignEncoder(Returning(len)).identity == "tests.test_encoding.Returning"
    assert ForeignEncoder(Nameless()).identity.endswith("Nameless")


def test_an_encoder_of_ones_own_that_is_no_foreign_one_is_used() -> None:
    table = WordVectors.from_arrays(["cook", "nurse"], [[3, 0], [0, 4]])
    matcher = Matcher.fit(POSTINGS, blocks=[SemanticBlock(encoder=WordEncoder.from_table(table))])
    [fitted] = matcher.features
    assert fitted.block.settings()["identity"] == table.identity
    assert fitted.block.settings()["vectors"] == "encoder"
    assert [found.posting.id for found in matcher.recommend("nurse", 1)] == ["2"]


@pytest.mark.parametrize("number", [5e-324, 1e-310, 1e-170, 1.0, 1e170, 1.5e307])
def test_directions_of_an_encoder_are_of_length_1_whatever_it_returns(number: float) -> None:
    encoder = ForeignEncoder(Returning(lambda n: number * np.array([[3.0, 4.0]] * n)))
    [profile] = encoder.encode_profiles(["cook"], split_in_python(["cook"]))
    assert profile.direction.tolist() == pytest.approx([0.6, 0.8], rel=1e-12)
    assert encoder.encode_postings(["cook"], split_in_python).tolist() == [[76, 102]]


def test_how_an_encoder_lays_numbers_out_in_memory_changes_no_bit() -> None:
    some = [" ".join(WORDS[: 1 + n % 7]) + " nurse" * (n % 5) for n in range(40)]
    tokens = split_in_python(some)
    numbers = np.random.default_rng(3).normal(size=(40, 517)) * 10.0 ** RNG.integers(-9, 9, (40, 517))
    directions = [
        [one.direction.tobytes() for one in ForeignEncoder(Returning(make)).encode_profiles(some, tokens)]
        for make in (
            lambda n: numbers[:n],
            lambda n: np.asfortranarray(numbers[:n]),
            lambda n: np.repeat(numbers[:n], 2, axis=1)[:, ::2],
            lambda n: np.flip(np.flip(numbers[:n], 1).copy(), 1),
        )
    ]
    assert directions[0] == directions[1] == directions[2] == directions[3]


def test_neighbours_of_words_are_named_by_an_encoder() -> None:
    [(label, whole)] = ForeignEncoder(Letters()).name_parts("nurse cook baker", "cook nurses", np.ones(9) / 9)
    assert whole == 1.0
    assert label == "cook, nurse ~ nurses, baker ~ nurses"
    for empty in (("", "cook"), ("cook", ""), ("the", "2019")):
        assert ForeignEncoder(Letters()).name_parts(*empty, np.zeros(9)) == []


def test_naming_neighbours_takes_vectors_of_any_length() -> None:
    for number in (1e-300, 1e-170, 1e170, 1e300):
        encoder = ForeignEncoder(
            Returning(lambda n, number=number: number * (1.0 + np.arange(2 * n).reshape(n, 2)))
        )
        [(label, _)] = encoder.name_parts("nurse cook", "ward", np.zeros(2))
        assert label.count(" ~ ward") == 2


def test_profiles_may_be_none_at_all() -> None:
    for encoder in (ENCODER, ForeignEncoder(Letters())):
        assert encoder.encode_profiles([], split_in_python([])) == []
        assert encoder.encode_postings([], split_in_python).shape == (0, encoder.dimensions)


# --- how much a profile's vector counts ---------------------------------------------------------------


def share(words: int, known: int, **options: Any) -> float:
    return SemanticBlock(**options).share(EncodedProfile(np.zeros(1), words, known))


@given(st.integers(1, 5000), st.integers(0, 5000), st.sampled_from([0.001, 1.0, 30.0, 1e6]))
def test_a_share_falls_with_words_and_rises_with_those_known(words: int, known: int, fading: float) -> None:
    known = min(known, words)
    here = share(words, known, fading=fading)
    assert 0 <= here <= 1
    assert share(words + 1, known, fading=fading) <= here
    assert share(words, min(words, known + 1), fading=fading) >= here
    exact = (fading / (fading + words)) ** 2 * known / words
    assert here <= exact
    assert here == 0 or 1.22 * here > exact  # the next level is not reached


def test_shares_are_few() -> None:
    found = {share(words, known) for words in range(1, 400) for known in range(words + 1)}
    assert len(found) <= 46
    assert min(level for level in found if level) == 19 / 32 / 1024
    steps = sorted(level for level in found if level)
    assert all(1.1 < above / below < 1.25 for below, above in pairwise(steps))
    assert share(30, 30) == 0.25
    assert share(3, 0) == 0.0
    assert share(10**6, 10**6) == 0.0


def test_a_profile_of_words_hardly_known_counts_little() -> None:
    encoder = WordEncoder.from_table(WordVectors.shipped())
    english = "registered nurse, care for patients on a surgical ward, night shifts"
    german = "Gesundheits- und Krankenpflegerin, Betreuung chirurgischer Patientinnen, Nachtdienste im Spital"
    shares = [
        SemanticBlock().share(encoder.encode_profiles([text], split_in_python([text]))[0])
        for text in (english, german)
    ]
    assert shares[0] > 3 * shares[1]
    assert shares[1] < 0.1
