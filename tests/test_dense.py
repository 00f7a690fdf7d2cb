"""Dense vectors: exact products, bounds that hold, engines that agree with brute force to the last bit."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import ModelDamagedError
from matcher.base import BaseEngine, Query, scale_dense
from matcher.counts import BlockIndex, Counts
from matcher.dense import (
    FINE,
    LARGEST,
    LEAST_DISTANCE,
    MOST_DIMENSIONS,
    PRIOR_POSTINGS,
    CentredVectors,
    DenseVectors,
    estimation_error,
    invert_norm,
    learn_centre,
    length_of_postings,
    quantise_postings,
    quantise_profiles,
)
from matcher.engines import ENGINES, make_engine
from matcher.fast import FastEngine
from matcher.index import Index
from matcher.kernels import add_products
from matcher.queries import BlockQuery
from matcher.segments import SegmentBlock

LARGEST_PRODUCT = 2**31 - 1


class Pruning(BaseEngine):
    """Prunes whatever the corpus and the query, and looks at all rows that are left one by one."""

    PROFILES_BEFORE_BUILDING = FEWEST_ROWS = 0
    FEWEST_ENTRIES = -1
    MOST_WANTED = MOST_LOOKED_AT = 1.0


class PruningInVain(Pruning):
    """Adds up the lists after all, as where too many rows are left."""

    MOST_LOOKED_AT = 0.0


class AmongFew(FastEngine):
    """Scores row by row however many a filter leaves."""

    FEW_ALLOWED = 1.0


KINDS = [BaseEngine, FastEngine, Pruning, PruningInVain, AmongFew]


# --- whole numbers ------------------------------------------------------------------------------------

sizes = st.one_of(st.sampled_from([1, 2, 3, 15, 16, 17, 64, 256, 517, 1024, 1025, 4096]), st.integers(1, 300))


def random_rows(seed: int, count: int, size: int) -> np.ndarray:
    """Return vectors of every kind: dense, sparse, tiny, huge, all alike, without data."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, size)) * 10.0 ** rng.integers(-300, 300, (count, 1))
    rows *= rng.random((count, size)) < rng.choice([0.05, 0.5, 1.0], (count, 1))
    alike = rng.random(count) < 0.2
    rows[alike] = rng.choice([-1.0, 1.0], (count, 1))[alike]
    rows[rng.random(count) < 0.1] = 0.0
    return rows


def random_centre(rng: np.random.Generator, vectors: np.ndarray) -> np.ndarray:
    """Return a centre of any kind: none, the mean, as far out as may be, or all but one of the rows."""
    size = vectors.shape[1]
    most = FINE * LARGEST
    row = vectors[rng.integers(len(vectors))].astype(np.int32) if len(vectors) else np.zeros(size, np.int32)
    near = FINE * row + rng.integers(-2, 3, size)
    kinds = [
        np.zeros(size, np.int32),
        np.rint(FINE * vectors.sum(axis=0, dtype=np.int64) / max(1, len(vectors))),
        rng.integers(-most, most + 1, size),
        rng.choice([-most, most], size),
        near,
        np.where(rng.random(size) < 3 / size, near, FINE * row),
    ]
    return np.clip(kinds[rng.integers(len(kinds))], -most, most).astype(np.int32)


def centred(rng: np.random.Generator, rows: np.ndarray) -> CentredVectors:
    vectors = quantise_postings(rows)
    return CentredVectors(vectors, random_centre(rng, vectors))


def differences(dense: CentredVectors) -> list[list[int]]:
    """Return ``256 row - centre`` in plain Python."""
    centre = dense.centre.tolist()
    return [
        [FINE * one - other for one, other in zip(row, centre, strict=True)] for row in dense.vectors.tolist()
    ]


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(0, 9), sizes)
def test_rounding_keeps_the_direction_and_one_length(seed: int, count: int, size: int) -> None:
    rows = random_rows(seed, count, size)
    postings, profiles = quantise_postings(rows), quantise_profiles(rows)
    assert (postings.dtype, profiles.dtype) == (np.int8, np.int32)
    most = np.abs(profiles).max(initial=0)
    assert most <= 32_767
    assert most * 127 * size <= LARGEST_PRODUCT
    whole = length_of_postings(size)
    assert whole == max(127, math.floor(127 * math.sqrt(size / 64)))
    for row, posting, profile in zip(rows.tolist(), postings.tolist(), profiles.tolist(), strict=True):
        length, largest = math.hypot(*row), max(map(abs, row))
        exact = [number / length * whole if length else 0.0 for number in row]
        assert posting == [max(-127, min(127, round(number))) for number in exact]
        if length and max(map(abs, exact)) <= 127:
            assert abs(math.hypot(*posting) - whole) <= math.sqrt(size) / 2 + 1e-9
        range_of_profile = min(32_767, LARGEST_PRODUCT // (127 * size))
        assert profile == [round(number / largest * range_of_profile) if largest else 0 for number in row]


def test_the_length_of_a_row_changes_nothing_and_what_does_not_fit_is_cut_off() -> None:
    rows = np.array([[3.0, -4.0, 0.5], [1.0, 1.0, 1.0]])
    expected = quantise_postings(rows).tolist()
    for factor in (5e-324, 1e-320, 1e-300, 1e-170, 0.1, 7.0, 1e170, 2e307):
        found = quantise_postings(np.array([[6.0, -8.0, 1.0], [2.0, 2.0, 2.0]]) * factor).tolist()
        assert found == expected, factor
    # In many dimensions length 1 is more than a number holds; a row along one axis is shorter, not turned.
    for sign in (1, -1):
        assert quantise_postings(sign * np.eye(2, 4096)).tolist() == (127 * sign * np.eye(2, 4096)).tolist()


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(1, 40), sizes)
def test_products_are_those_of_whole_numbers_and_estimates_keep_their_bound(
    seed: int, count: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = centred(rng, random_rows(seed, count, size))
    vector = quantise_profiles(random_rows(seed + 1, 1, size))[0]
    if rng.random() < 0.5:
        # All but orthogonal: the products are a few units.
        vector = np.where(rng.random(size) < 4 / size, rng.integers(-1, 2, size), 0).astype(np.int32)
    plain = differences(dense)
    exact = [sum(a * b for a, b in zip(row, vector.tolist(), strict=True)) for row in plain]
    rows = rng.integers(0, count, 2 * count)
    assert dense.products(vector, rows).tolist() == [exact[row] for row in rows.tolist()]
    assert dense.shift(vector) == sum(
        a * b for a, b in zip(dense.centre.tolist(), vector.tolist(), strict=True)
    )
    length = math.hypot(*vector.tolist())
    inverse = dense.invert_norms()
    error = dense.error_of_cosines(inverse)
    for some in (None, rows):
        estimates = dense.estimate_products(vector, some).tolist()
        for row, estimate in zip(range(count) if some is None else some.tolist(), estimates, strict=True):
            bound = estimation_error(size) * length * FINE * math.hypot(*dense.vectors[row].tolist())
            assert abs(estimate - exact[row]) <= bound
            assert (estimate > 0) == (exact[row] > 0)
            assert (estimate < 0) == (exact[row] < 0)
            if length:
                off = float(abs(Fraction(estimate) - exact[row])) / length * float(inverse[row])
                assert off <= error
                # What the bound rests on: a row is no longer than its difference and the centre together.
                assert bound / length * float(inverse[row]) <= error * (1 + 1e-12)


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(0, 40), sizes)
def test_norms_are_those_of_whole_numbers_and_near_the_centre_there_are_none(
    seed: int, count: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = centred(rng, random_rows(seed, count, size))
    least = LEAST_DISTANCE * FINE * length_of_postings(size)
    expected = []
    for row, difference in zip(dense.vectors.tolist(), differences(dense), strict=True):
        square = sum(number * number for number in difference)
        expected.append(1.0 / math.sqrt(square) if any(row) and square > least * least else 0.0)
    assert dense.invert_norms().tolist() == expected
    # The longest of all cosines is 1.
    for row in rng.integers(0, max(1, count), 3).tolist() if count else []:
        own = np.array(differences(dense)[row])
        if np.abs(own).max() <= 32_767:
            product = dense.products(own.astype(np.int32), np.array([row]))[0]
            cosine = product * invert_norm(own.astype(np.int32)) * expected[row]
            assert cosine == (pytest.approx(1.0, abs=1e-14) if expected[row] else 0.0)


def test_a_posting_that_is_the_centre_has_no_data() -> None:
    vectors = quantise_postings(np.random.default_rng(5).normal(size=(6, 64)))
    vectors[4] = 0
    centre = FINE * vectors[2].astype(np.int32)
    assert (CentredVectors(vectors, centre).invert_norms() == 0).tolist() == [
        False, False, True, False, True, False,
    ]  # fmt: skip
    # 2 % of 127 is 2.54: one number that is off by 2 is as good as none, one that is off by 3 is not.
    for steps, known in ((2, False), (-2, False), (3, True), (-3, True)):
        moved = centre.copy()
        moved[7] += steps * FINE
        dense = CentredVectors(vectors, moved)
        assert (dense.invert_norms()[2] > 0) == known
        block = dense_block(1.0, dense)
        for kind in KINDS:
            away = np.zeros(64, np.int32)
            away[7] = -steps
            query = Query([BlockQuery(np.zeros(0, np.int32), np.zeros(0), vector=away)])
            found = {row: float.fromhex(score) for row, score in
                     bits(Index((block,), 6).search(query, 6, kind((block,), 6)))}  # fmt: skip
            assert found.get(2, 0.0) == (pytest.approx(1.0) if known else 0.0)
            assert found.get(4, 0.0) == 0.0


@pytest.mark.parametrize("half", [128, 250])
@pytest.mark.parametrize("with_centre", [False, True])
def test_a_sign_is_right_where_rounding_hides_it(half: int, with_centre: bool) -> None:
    """Large products that cancel out but for one unit: their sum in single precision has any sign."""
    rng = np.random.default_rng(half)
    most = int(quantise_profiles(np.ones((1, 2 * half + 1)))[0, 0])
    is_wrong = []
    for unit in (1, 0, -1) * 20:
        order = rng.permutation(half)
        numbers, others = rng.integers(most // 2, most, half), rng.integers(-127, 128, half)
        vector = np.concatenate([numbers, -numbers[order], [unit]]).astype(np.int32)
        row = np.concatenate([others, others[order], [1]]).astype(np.int8)
        centre, expected = np.zeros(len(row), np.int32), FINE * unit
        if with_centre:
            apart = rng.integers(-FINE * LARGEST, FINE * LARGEST + 1, half)
            centre = np.concatenate([apart, apart[order], [FINE - 1]]).astype(np.int32)
            expected = unit
        dense = CentredVectors(row[None], centre)
        assert dense.products(vector, np.arange(1)).tolist() == [expected]
        assert np.sign(dense.estimate_products(vector)).tolist() == [unit]
        assert np.sign(dense.estimate_products(vector, np.zeros(3, np.int64))).tolist() == [unit] * 3
        single = np.einsum("d,d->", row.astype(np.float32), vector.astype(np.float32))
        is_wrong.append(np.sign(FINE * single - dense.shift(vector)) != unit)
    assert sum(is_wrong) > 10


@pytest.mark.parametrize("size", [1, 2, 16, 256, 516, 517, 518, 1023, 1024, 1025, MOST_DIMENSIONS])
def test_products_of_extreme_vectors_fit_32_bits(size: int) -> None:
    most = int(quantise_profiles(np.ones((1, size)))[0, 0])
    signs = np.where(np.arange(size) % 2, -1, 1)
    rows = np.array([np.full(size, 127), np.full(size, -127), 127 * signs, np.eye(1, size)[0]], np.int8)
    last = np.eye(1, size, size - 1)[0]
    far = np.full(size, FINE * LARGEST)
    centres = np.array([np.zeros(size), far, -far, far * signs, np.eye(1, size)[0] * FINE], np.int32)
    for vector in np.array([np.full(size, most), np.full(size, -most), most * signs, last], np.int32):
        whole = rows.astype(np.int64) @ vector.astype(np.int64)
        assert np.abs(whole).max() <= LARGEST_PRODUCT
        for centre in centres:
            dense = CentredVectors(rows, centre)
            shift = sum(a * b for a, b in zip(centre.tolist(), vector.tolist(), strict=True))
            exact = [FINE * one - shift for one in whole.tolist()]
            assert max(map(abs, exact)) < 2**53
            sums = np.zeros(4, np.float32)
            narrow, ones = vector.astype(np.int16), np.ones(4, np.float32)
            add_products(rows, 0, narrow, dense.shift(vector), np.float32(1.0), ones, sums)
            assert sums.tolist() == np.maximum(exact, 0).astype(np.float32).tolist()
            assert dense.products(vector, np.arange(4)).tolist() == exact
            squares = [sum(number * number for number in row) for row in differences(dense)]
            assert dense.invert_norms().tolist() == [
                1.0 / math.sqrt(square) if square > (LEAST_DISTANCE * FINE * length_of_postings(size)) ** 2
                else 0.0
                for square in squares
            ]  # fmt: skip
    if size <= 517:
        assert most == min(32_767, LARGEST_PRODUCT // (127 * size))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.integers(1, 30), sizes)
def test_compiled_products_are_added_from_a_row_on(seed: int, count: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    dense = centred(rng, random_rows(seed, count, size))
    vector = quantise_profiles(random_rows(seed + 1, 1, size))[0]
    first = int(rng.integers(0, count))
    before = rng.random(count - first).astype(np.float32)
    inverse = dense.invert_norms()
    scale, unit = inverse.astype(np.float32), np.float32(invert_norm(vector))
    sums = before.copy()
    add_products(dense.vectors, first, vector.astype(np.int16), dense.shift(vector), unit, scale, sums)
    exact = np.maximum(dense.products(vector, np.arange(first, count)), 0.0)
    exact = before + exact * invert_norm(vector) * inverse[first:]
    np.testing.assert_allclose(sums, exact, rtol=1e-6)


def test_what_points_apart_adds_nothing_and_what_hardly_agrees_adds_little() -> None:
    rows = np.array([[127, 127], [127, -127], [126, -127], [127, -126], [-127, -127], [0, 0]], np.int8)
    query = BlockQuery(np.zeros(0, np.int32), np.zeros(0), vector=np.array([1, 1], np.int32))
    unit = invert_norm(np.array([1, 1], np.int32))
    # Less a centre of one 256th in the query's direction, the second row points apart, the fourth still not.
    for centre, hardly in (([0, 0], 256), ([-1, 1], 256), ([1, 0], 255), ([0, 255], 1), ([128, 128], 0)):
        dense = CentredVectors(rows, np.array(centre, np.int32))
        block = dense_block(4.0, dense)
        added = scale_dense(block, query, block.inverse_norms, np.arange(6))
        assert added.tolist() == [
            pytest.approx(1.0, abs=1e-5),
            0.0,
            0.0,
            hardly * unit * block.inverse_norms[3],
            0.0,
            0.0,
        ]
        assert not np.signbit(added).any()


# --- the centre ---------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(0, 60), sizes)
def test_a_centre_is_the_mean_and_what_is_expected_counts_for_a_thousand(
    seed: int, count: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = DenseVectors.from_rows(random_rows(seed, count, size))
    expected = np.zeros(size) if rng.random() < 0.3 else rng.normal(size=size)
    expected *= 0.4 / (np.sqrt(expected @ expected) or 1.0)
    sums, known = dense.add_up()
    assert sums.dtype == np.int64
    assert sums.tolist() == [sum(column) for column in zip(*dense.vectors.tolist(), strict=True)] or not count
    assert known == sum(any(row) for row in dense.vectors.tolist())
    centre = learn_centre(sums, known, expected)
    assert (centre.dtype, centre.shape) == (np.int32, (size,))
    whole = PRIOR_POSTINGS * length_of_postings(size)
    for found, total, prior in zip(centre.tolist(), sums.tolist(), expected.tolist(), strict=True):
        exact = FINE * (total + whole * Fraction(prior)) / (known + PRIOR_POSTINGS)
        exact = max(Fraction(-FINE * LARGEST), min(Fraction(FINE * LARGEST), exact))
        assert abs(found - exact) <= Fraction(1, 2) + Fraction(1, 10**6)


@pytest.mark.parametrize("count", [511, 512, 513, 1_025, 2_600])
@pytest.mark.parametrize("size", [3, 1_024, 1_025])
def test_sums_and_norms_of_many_extreme_rows_are_exact(count: int, size: int) -> None:
    rng = np.random.default_rng(count)
    vectors = np.full((count, size), 127, np.int8)
    vectors[rng.random(count) < 0.1] = 0
    vectors[rng.random(count) < 0.1, ::2] = -127
    vectors[rng.random(count) < 0.1] = 126
    wide = vectors.astype(np.int64)
    gone = np.flatnonzero(rng.random(count) < 0.9)
    for rows in (None, gone, gone[:0]):
        some = wide if rows is None else wide[rows]
        sums, known = DenseVectors(vectors).add_up(rows)
        assert sums.tolist() == some.sum(axis=0).tolist()
        assert known == int(some.any(axis=1).sum())
    least = LEAST_DISTANCE * FINE * length_of_postings(size)
    for centre in (np.full(size, FINE * LARGEST), np.full(size, -FINE * LARGEST + 1), FINE * wide[-1] - 129):
        found = CentredVectors(vectors, centre.astype(np.int32)).invert_norms()
        squares = ((FINE * wide - centre) ** 2).sum(axis=1).tolist()
        assert found.tolist() == [
            1.0 / math.sqrt(square) if known and square > least * least else 0.0
            for square, known in zip(squares, wide.any(axis=1).tolist(), strict=True)
        ]


def test_a_few_postings_tell_little_of_the_mean_and_many_tell_it() -> None:
    assert PRIOR_POSTINGS == 1_000
    expected = np.array([0.0, 0.5])
    row = np.array([127, 0], np.int64)
    for known in (0, 1, 10, 1_000, 10**6, 10**9):
        share = known / (known + 1_000)
        found = learn_centre(row * known, known, expected) / FINE
        assert found.tolist() == pytest.approx([127 * share, 63.5 * (1 - share)], abs=1 / FINE)


def test_no_centre_is_larger_than_a_model_holds() -> None:
    """Length 1 in 4,096 dimensions is 1,016; what is expected may lie along one of them."""
    centre = learn_centre(np.zeros(4096, np.int64), 0, np.eye(1, 4096)[0] * 0.4)
    assert centre.max() == FINE * LARGEST
    assert learn_centre(np.zeros(4096, np.int64), 0, np.eye(1, 4096)[0] * -0.4).min() == -FINE * LARGEST


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 32), st.integers(1, 50), st.integers(1, 5))
def test_a_centre_depends_neither_on_segments_nor_on_order(seed: int, count: int, parts: int) -> None:
    rng = np.random.default_rng(seed)
    dense = DenseVectors.from_rows(random_rows(seed, count, 9))
    expected = rng.normal(size=9) / 9
    whole = learn_centre(*dense.add_up(), expected)
    total, known = np.zeros(9, np.int64), 0
    for rows in np.array_split(rng.permutation(count), parts):
        # A segment holds rows that are gone as well.
        others = rng.integers(0, count, int(rng.integers(0, 4)))
        segment = dense.take(np.concatenate([rows, others]))
        own, held = segment.add_up()
        gone, lost = segment.add_up(np.arange(len(rows), len(segment)))
        total, known = total + own - gone, known + held - lost
    assert learn_centre(total, known, expected).tobytes() == whole.tobytes()


# --- as arrays of a model -----------------------------------------------------------------------------


def test_vectors_come_back_from_files_as_they_were() -> None:
    dense = DenseVectors.from_rows(random_rows(1, 30, 17))
    read = DenseVectors.from_files(dense.to_files("s"), "s", 30)
    assert read.vectors.dtype == np.int8
    assert np.array_equal(read.vectors, dense.vectors)
    assert read.shares.tolist() == [1.0] * 30
    nothing = np.zeros(0, np.uint8)
    assert len(DenseVectors.from_files({"s.vectors": nothing, "s.known": nothing}, "s", 0)) == 0
    some = DenseVectors(dense.vectors, np.arange(30, dtype=np.uint8))
    read = DenseVectors.from_files(some.to_files("s"), "s", 30)
    assert read.shares.tolist() == [number / 255 for number in range(30)]
    joined = DenseVectors.concatenate([some, read], [np.array([3]), np.array([5, 4])])
    assert (
        (joined.shares * 255).round().tolist()
        == [3, 5, 4]
        == (some.take(np.array([3, 5, 4])).shares * 255).round().tolist()
    )


@pytest.mark.parametrize("known", [np.zeros(3, np.uint8), np.zeros((2, 1), np.uint8), np.zeros(2, np.int8)])
def test_arrays_that_are_no_shares_are_refused(known: np.ndarray) -> None:
    files = {"s.vectors": np.zeros(4, np.uint8), "s.known": known}
    with pytest.raises(ModelDamagedError, match=r"s\.known: expected 2 numbers from 0 to 255"):
        DenseVectors.from_files(files, "s", 2)


@pytest.mark.parametrize(
    ("rows", "array"),
    [
        (2, np.zeros(3, np.uint8)),
        (2, np.zeros(1, np.uint8)),
        (2, np.zeros(0, np.uint8)),
        (0, np.zeros(4, np.uint8)),
        (2, np.zeros(2 * 4097, np.uint8)),
        (2, np.zeros(4, np.int8)),
        (2, np.zeros(4, np.float64)),
        (2, np.zeros((2, 2), np.uint8)),
        (1, np.array(3, np.uint8)),
        (2, np.array([1, 2, 128, 3], np.uint8)),
        (1, np.array([128], np.uint8)),
    ],
)
def test_arrays_that_are_no_vectors_are_refused(rows: int, array: np.ndarray) -> None:
    with pytest.raises(ModelDamagedError, match=r"s\.vectors: expected \d rows of numbers from -127 to 127"):
        DenseVectors.from_files({"s.vectors": array}, "s", rows)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_parts_are_put_together_row_by_row(seed: int, counts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    parts = [DenseVectors.from_rows(random_rows(seed + n, count, 5)) for n, count in enumerate(counts)]
    kept = [np.flatnonzero(rng.random(count) < 0.6) for count in counts]
    joined = DenseVectors.concatenate(parts, kept)
    listed = [
        part.vectors[row].tolist() for part, rows in zip(parts, kept, strict=True) for row in rows.tolist()
    ]
    assert joined.vectors.tolist() == listed
    order = rng.permutation(len(listed))
    taken = joined.take(order)
    assert taken.vectors.tolist() == [listed[row] for row in order.tolist()]
    sums, known = joined.add_up()
    assert sums.tolist() == np.array(listed, np.int64).reshape(-1, 5).sum(axis=0).tolist()
    assert known == sum(map(any, listed))


# --- engines against brute force ----------------------------------------------------------------------


def dense_block(weight: float, dense: CentredVectors) -> BlockIndex:
    counts = SegmentBlock.of_vectors(DenseVectors(dense.vectors)).counts
    return BlockIndex(weight, *counts, dense.invert_norms(), dense)


def profile_like(dense: CentredVectors, row: int) -> np.ndarray:
    """Return the vector of a profile that points where a posting does."""
    return quantise_profiles((FINE * dense.vectors[[row]].astype(np.float64)) - dense.centre)[0]


class Board(NamedTuple):
    """An index of terms and dense vectors, and the same as plain matrices: None for dense vectors."""

    index: Index
    counts: list[np.ndarray | None]


def make_board(seed: int, rows: int, terms: int = 14, size: int = 7) -> Board:
    """Return postings drawn from few patterns, so that many scores tie or nearly tie; some lack data."""
    rng = np.random.default_rng(seed)
    patterns = max(1, min(rows // 3, 400))
    weights = rng.choice([1.0, 0.3, 1e-9, 1e9, 0.0], 4, p=[0.4, 0.4, 0.05, 0.05, 0.1])
    weights[rng.integers(4)] = 0.7
    blocks, matrices = [], []
    for weight, rate in zip(weights.tolist(), (1.5, 0.1, 0.3), strict=False):
        pattern = rng.poisson(rng.choice([0.2, 1.0, 3.0], terms) * rate, (patterns, terms))
        counts = pattern[rng.integers(patterns, size=rows)] * (rng.random((rows, 1)) < 0.9)
        starts = np.concatenate([[0], np.cumsum((counts > 0).sum(axis=1))]).astype(np.int64)
        table = Counts(starts, np.nonzero(counts)[1].astype(np.int32), counts[counts > 0].astype(np.uint8))
        blocks.append(BlockIndex.from_counts(weight, table, rng.uniform(1, 9, terms)))
        matrices.append(counts)
    vectors = quantise_postings(random_rows(seed, patterns, size))
    unit = rng.random(patterns) < 0.3
    vectors[unit] = rng.integers(-1, 2, (int(unit.sum()), size))
    vectors = vectors[rng.integers(patterns, size=rows)]
    blocks.append(dense_block(float(weights[3]), CentredVectors(vectors, random_centre(rng, vectors))))
    return Board(Index(tuple(blocks), rows), [*matrices, None])


def make_query(rng: np.random.Generator, board: Board, *, masked: bool = True) -> Query:
    """Return a query of any kind: long, short or empty, with a vector or without, of any share."""
    rows, parts = board.index.rows, []
    for counts in board.counts[:-1]:
        assert counts is not None
        features = np.flatnonzero(rng.random(counts.shape[1]) < rng.choice([0.0, 0.3, 1.0])).astype(np.int32)
        parts.append(BlockQuery(features, rng.uniform(0.01, 1, len(features)), bool(rng.integers(2))))
    dense = board.index.blocks[-1].dense
    assert dense is not None
    size = dense.vectors.shape[1]
    vector = [
        quantise_profiles(random_rows(int(rng.integers(1 << 30)), 1, size))[0],
        rng.integers(-1, 2, size).astype(np.int32),
        dense.vectors[rng.integers(rows)].astype(np.int32),
        profile_like(dense, int(rng.integers(rows))),
        np.zeros(size, np.int32),
    ][rng.integers(5)]
    nothing = np.zeros(0, np.int32), np.zeros(0)
    share = float(rng.choice([0.0, 19 / 32 / 1024, 0.25, 1.0]))
    parts.append(BlockQuery(*nothing, vector=vector if vector.any() else None, share=share))
    mask = rng.random(rows) < rng.choice([0.0, 0.01, 0.5, 0.95]) if masked and rng.random() < 0.5 else None
    boosts = [
        rng.choice([0.0, 1e-9, 0.02, 1.0]) * (rng.random(rows) < 0.5) for _ in range(int(rng.integers(0, 3)))
    ]
    return Query(parts, mask, boosts)


def brute_force(board: Board, query: Query) -> np.ndarray:
    """Return all scores, one summand after the other in canonical order, in double precision."""
    blocks = board.index.blocks
    total = np.zeros(board.index.rows)
    presence = []
    for block, part in zip(blocks, query.blocks, strict=True):
        asked = part.elsewhere or len(part.features) or part.vector is not None
        presence.append(part.share if asked else 0.0)
        total += np.where(block.inverse_norms > 0, block.weight * presence[-1], 0.0)
    scores = np.zeros(board.index.rows)
    for block, part, present, counts in zip(blocks, query.blocks, presence, board.counts, strict=True):
        share = np.array([block.weight * present / one if one else 0.0 for one in total.tolist()])
        scale = share * block.inverse_norms
        if counts is None:
            if part.vector is not None and block.dense is not None:
                difference = 256 * block.dense.vectors.astype(np.int64) - block.dense.centre
                product = difference @ part.vector.astype(np.int64)
                length = math.sqrt(sum(number * number for number in part.vector.tolist()))
                scores += np.maximum(product, 0) * (1.0 / length) * scale
            continue
        for feature, weight in zip(part.features.tolist(), part.weights.tolist(), strict=True):
            scores += counts[:, feature] * weight * scale
    for boost in query.boosts:
        scores += boost
    return scores


def best_of(scores: np.ndarray, mask: np.ndarray | None, k: int) -> list[tuple[int, str]]:
    order = np.lexsort((np.arange(len(scores)), -scores))
    order = order if mask is None else order[mask[order]]
    return [(row, float(scores[row]).hex()) for row in order[:k].tolist()]


def bits(ranking: Any) -> list[tuple[int, str]]:
    return [
        (row, score.hex()) for row, score in zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)
    ]


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.sampled_from([1, 2, 5, 17, 40, 64, 90, 90, 2_100, 4_097]))
def test_every_engine_gives_the_bits_of_brute_force(seed: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    board = make_board(seed, rows)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.frequent.GROUPS", int(rng.integers(1, 8)))
        engines = [kind(board.index.blocks, rows) for kind in KINDS]
        for _ in range(4):
            query = make_query(rng, board)
            k = int(rng.choice([1, 3, rng.integers(1, rows + 1), rows]))
            scores = brute_force(board, query)
            expected = best_of(scores, query.mask, k)
            for engine in engines:
                assert bits(board.index.search(query, k, engine)) == expected, engine
            allowed = np.ones(rows, np.bool_) if query.mask is None else query.mask
            for row in rng.integers(0, rows, 3).tolist():
                ahead = (scores > scores[row]) | ((scores == scores[row]) & (np.arange(rows) < row))
                found = board.index.count_ahead(query, float(scores[row]), row)
                assert found == np.count_nonzero(ahead & allowed)


@settings(deadline=None, max_examples=100)
@given(st.integers(0, 1 << 32), st.integers(1, 70), st.sampled_from(KINDS))
def test_a_row_left_out_scores_no_more_than_the_bound(
    seed: int, rows: int, kind: type[BaseEngine | FastEngine]
) -> None:
    rng = np.random.default_rng(seed)
    board = make_board(seed, rows, size=int(rng.choice([1, 3, 40])))
    engine = kind(board.index.blocks, rows)
    for _ in range(3):
        query = make_query(rng, board)
        scores, k = brute_force(board, query), int(rng.integers(1, rows + 1))
        allowed = np.ones(rows, np.bool_) if query.mask is None else query.mask
        proposal = engine.propose(query, k)
        assert allowed[proposal.rows].all()
        missing = allowed.copy()
        missing[proposal.rows] = False
        assert scores[missing].max(initial=0.0) <= proposal.left_out
        if not issubclass(kind, FastEngine):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("matcher.index.Index._base", None)  # the first proposal suffices
                assert bits(board.index.search(query, k, engine)) == best_of(scores, query.mask, k)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_more_than_a_block_of_postings_are_ranked_as_by_brute_force(threads: int) -> None:
    rows = 2 * 65_536 + 5_000
    board = make_board(8, rows, size=12)
    rng = np.random.default_rng(threads)
    fast = FastEngine(board.index.blocks, rows)
    fast.threads = threads
    base = BaseEngine(board.index.blocks, rows)
    ends = np.zeros(rows, np.bool_)
    ends[[0, 65_535, 65_536, 131_071, 131_072, rows - 1]] = True
    dense = board.index.blocks[-1].dense
    assert dense is not None
    for number in range(4):
        query = make_query(rng, board, masked=number % 2 == 0)
        query = query._replace(mask=ends if number == 3 else query.mask)
        if number:  # what is sought is like a posting of the second or third block
            vector = profile_like(dense, 131_072 - 9 * number)
            query = query._replace(
                blocks=[*query.blocks[:-1], query.blocks[-1]._replace(vector=vector, share=1.0)]
            )
        expected = best_of(brute_force(board, query), query.mask, 20)
        for engine in (fast, base):
            assert bits(board.index.search(query, 20, engine)) == expected


def test_the_first_proposal_suffices_beyond_the_first_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 70_000
    vectors = np.random.default_rng(0).integers(-127, 128, (rows, 40)).astype(np.int8)
    centre = np.random.default_rng(1).integers(-FINE * 40, FINE * 40, 40).astype(np.int32)
    dense = CentredVectors(vectors, centre)
    board = Board(Index((dense_block(1.0, dense),), rows), [None])
    engine = FastEngine(board.index.blocks, rows)
    monkeypatch.setattr("matcher.index.Index._base", None)
    nothing = np.zeros(0, np.int32), np.zeros(0)
    for row in (7, 65_535, 65_536, 69_999):
        query = Query([BlockQuery(*nothing, vector=profile_like(dense, row))])
        found = bits(board.index.search(query, 10, engine))
        assert found == best_of(brute_force(board, query), None, 10)
        assert found[0][0] == row


def test_the_engine_that_prunes_ranks_on_as_before() -> None:
    rows = 2_500
    board = make_board(21, rows, terms=40)
    rng = np.random.default_rng(5)
    queries = [make_query(rng, board, masked=False)._replace(boosts=()) for _ in range(40)]
    expected = [best_of(brute_force(board, query), None, 5) for query in queries]
    one_by_one, together = (BaseEngine(board.index.blocks, rows) for _ in range(2))
    assert [bits(board.index.search(query, 5, one_by_one)) for query in queries] == expected
    assert one_by_one._frequent is not None
    assert [bits(found) for found in board.index.search_many(queries, 5, together)] == expected
    fast = FastEngine(board.index.blocks, rows)
    assert [bits(found) for found in board.index.search_many(queries, 5, fast)] == expected
    with ThreadPoolExecutor(3) as pool:
        for engine in (one_by_one, fast):
            found = pool.map(lambda query, engine=engine: bits(board.index.search(query, 5, engine)), queries)
            assert list(found) == expected


def test_an_engine_under_other_weights_forgets_those_before() -> None:
    board = make_board(2, 300)
    rng = np.random.default_rng(2)
    queries = [make_query(rng, board) for _ in range(12)]
    for name in ENGINES:
        engine = make_engine(name, board.index.blocks, 300)
        for weights in (
            (0.7, 0.3, 0.2, 4.0),
            (0.0, 0.0, 0.0, 1.0),
            (1.0, 0.0, 0.0, 0.0),
            (0.7, 0.3, 0.2, 4.0),
        ):
            blocks = tuple(
                replace(block, weight=weight)
                for block, weight in zip(board.index.blocks, weights, strict=True)
            )
            other = Board(Index(blocks, 300), board.counts)
            engine = engine.with_norms(blocks)
            for query in queries:
                expected = best_of(brute_force(other, query), query.mask, 4)
                assert bits(other.index.search(query, 4, engine)) == expected


def test_dense_vectors_alone_are_enough() -> None:
    rng = np.random.default_rng(1)
    full = make_board(3, 500)
    board = Board(Index((replace(full.index.blocks[-1], weight=1.0),), 500), [None])
    for kind in KINDS:
        engine = kind(board.index.blocks, 500)
        for _ in range(20):
            query = make_query(rng, full)
            query = query._replace(blocks=query.blocks[-1:])
            assert bits(board.index.search(query, 7, engine)) == best_of(
                brute_force(board, query), query.mask, 7
            )


def test_a_thousand_postings_that_tie_are_ranked_by_row() -> None:
    rows = np.tile(np.array([[3, 4, -127]], np.int8), (1_000, 1))
    dense = CentredVectors(rows, np.array([100, -7, 300], np.int32))
    index = Index((dense_block(1.0, dense),), 1_000)
    query = Query([BlockQuery(np.zeros(0, np.int32), np.zeros(0), vector=np.array([3, 30, 0], np.int32))])
    for kind in KINDS:
        found = index.search(query, 5, kind(index.blocks, 1_000))
        assert found.rows.tolist() == [0, 1, 2, 3, 4]
        assert len(set(found.scores.tolist())) == 1
        assert found.scores[0] > 0
