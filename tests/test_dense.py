"""Dense vectors: exact products, bounds that hold, engines that agree with brute force to the last bit."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import ModelDamagedError
from matcher.base import BaseEngine, Query, scale_dense
from matcher.counts import BlockIndex, Counts
from matcher.dense import (
    MOST_DIMENSIONS,
    DenseVectors,
    estimation_error,
    invert_norm,
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

sizes = st.one_of(st.sampled_from([1, 2, 3, 15, 16, 17, 64, 256, 517, 4095, 4096]), st.integers(1, 300))


def random_rows(seed: int, count: int, size: int) -> np.ndarray:
    """Return vectors of every kind: dense, sparse, tiny, huge, all alike, without data."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, size)) * 10.0 ** rng.integers(-300, 300, (count, 1))
    rows *= rng.random((count, size)) < rng.choice([0.05, 0.5, 1.0], (count, 1))
    alike = rng.random(count) < 0.2
    rows[alike] = rng.choice([-1.0, 1.0], (count, 1))[alike]
    rows[rng.random(count) < 0.1] = 0.0
    return rows


@settings(deadline=None, max_examples=80)
@given(st.integers(0, 1 << 32), st.integers(0, 9), sizes)
def test_rounding_keeps_the_direction_and_fills_the_range(seed: int, count: int, size: int) -> None:
    rows = random_rows(seed, count, size)
    postings, profiles = quantise_postings(rows), quantise_profiles(rows)
    assert (postings.dtype, profiles.dtype) == (np.int8, np.int32)
    most = np.abs(profiles).max(initial=0)
    assert most <= 32_767
    assert most * 127 * size <= LARGEST_PRODUCT
    for row, posting, profile in zip(rows.tolist(), postings.tolist(), profiles.tolist(), strict=True):
        largest = max(map(abs, row))
        whole = min(32_767, LARGEST_PRODUCT // (127 * size))
        assert posting == [round(number / largest * 127) if largest else 0 for number in row]
        assert profile == [round(number / largest * whole) if largest else 0 for number in row]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 1 << 32), st.integers(1, 40), sizes)
def test_products_are_those_of_whole_numbers_and_estimates_keep_their_bound(
    seed: int, count: int, size: int
) -> None:
    rng = np.random.default_rng(seed)
    dense = DenseVectors.from_rows(random_rows(seed, count, size))
    vector = quantise_profiles(random_rows(seed + 1, 1, size))[0]
    if rng.random() < 0.5:
        # All but orthogonal: the products are a few units.
        vector = np.where(rng.random(size) < 4 / size, rng.integers(-1, 2, size), 0).astype(np.int32)
    exact = [sum(a * b for a, b in zip(row, vector.tolist(), strict=True)) for row in dense.vectors.tolist()]
    rows = rng.integers(0, count, 2 * count)
    assert dense.products(vector, rows).tolist() == [exact[row] for row in rows.tolist()]
    length = math.hypot(*vector.tolist())
    for some in (None, rows):
        estimates = dense.estimate_products(vector, some).tolist()
        for row, estimate in zip(range(count) if some is None else some.tolist(), estimates, strict=True):
            bound = estimation_error(size) * length * math.hypot(*dense.vectors[row].tolist())
            assert abs(estimate - exact[row]) <= bound
            assert (estimate > 0) == (exact[row] > 0)
            assert (estimate < 0) == (exact[row] < 0)


@pytest.mark.parametrize("half", [128, 250])
def test_a_sign_is_right_where_rounding_hides_it(half: int) -> None:
    """Large products that cancel out but for one unit: their sum in single precision has any sign."""
    rng = np.random.default_rng(half)
    most = int(quantise_profiles(np.ones((1, 2 * half + 1)))[0, 0])
    is_wrong = []
    for unit in (1, 0, -1) * 20:
        order = rng.permutation(half)
        numbers, others = rng.integers(most // 2, most, half), rng.integers(-127, 128, half)
        vector = np.concatenate([numbers, -numbers[order], [unit]]).astype(np.int32)
        dense = DenseVectors.from_vectors(np.concatenate([others, others[order], [1]]).astype(np.int8)[None])
        assert dense.products(vector, np.arange(1)).tolist() == [unit]
        assert np.sign(dense.estimate_products(vector)).tolist() == [unit]
        assert np.sign(dense.estimate_products(vector, np.zeros(3, np.int64))).tolist() == [unit] * 3
        single = np.einsum("d,d->", dense.vectors[0].astype(np.float32), vector.astype(np.float32))
        is_wrong.append(np.sign(single) != unit)
    assert sum(is_wrong) > 10


@pytest.mark.parametrize("size", [1, 2, 16, 256, 516, 517, 518, 1000, 4095, MOST_DIMENSIONS])
def test_products_of_extreme_vectors_fit_32_bits(size: int) -> None:
    most = int(quantise_profiles(np.ones((1, size)))[0, 0])
    signs = np.where(np.arange(size) % 2, -1, 1)
    rows = np.array([np.full(size, 127), np.full(size, -127), 127 * signs, np.eye(1, size)[0]], np.int8)
    last = np.eye(1, size, size - 1)[0]
    for vector in np.array([np.full(size, most), np.full(size, -most), most * signs, last], np.int32):
        exact = rows.astype(np.int64) @ vector.astype(np.int64)
        assert np.abs(exact).max() <= LARGEST_PRODUCT
        sums = np.zeros(4, np.float32)
        add_products(rows, 0, vector.astype(np.int16), np.float32(1.0), np.ones(4, np.float32), sums)
        assert sums.tolist() == np.maximum(exact, 0).astype(np.float32).tolist()
        assert DenseVectors.from_vectors(rows).products(vector, np.arange(4)).tolist() == exact.tolist()
    if size <= 517:
        assert most == min(32_767, LARGEST_PRODUCT // (127 * size))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 1 << 32), st.integers(1, 30), sizes)
def test_compiled_products_are_added_from_a_row_on(seed: int, count: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    dense = DenseVectors.from_rows(random_rows(seed, count, size))
    vector = quantise_profiles(random_rows(seed + 1, 1, size))[0]
    first = int(rng.integers(0, count))
    before = rng.random(count - first).astype(np.float32)
    scale, unit = dense.inverse_norms.astype(np.float32), np.float32(invert_norm(vector))
    sums = before.copy()
    add_products(dense.vectors, first, vector.astype(np.int16), unit, scale, sums)
    exact = np.maximum(dense.products(vector, np.arange(first, count)), 0.0)
    exact = before + exact * invert_norm(vector) * dense.inverse_norms[first:]
    np.testing.assert_allclose(sums, exact, rtol=1e-6)


def test_what_points_apart_adds_nothing_and_what_hardly_agrees_adds_little() -> None:
    rows = np.array([[127, 127], [127, -127], [126, -127], [127, -126], [-127, -127], [0, 0]], np.int8)
    dense = DenseVectors.from_vectors(rows)
    block = dense_block(4.0, dense)
    query = BlockQuery(np.zeros(0, np.int32), np.zeros(0), vector=np.array([1, 1], np.int32))
    added = scale_dense(block, query, dense.inverse_norms, np.arange(6))
    assert added.tolist() == [
        pytest.approx(1.0),
        0.0,
        0.0,
        1 * invert_norm(np.array([1, 1], np.int32)) * dense.inverse_norms[3],
        0.0,
        0.0,
    ]
    assert not np.signbit(added).any()


# --- as arrays of a model -----------------------------------------------------------------------------


def test_vectors_come_back_from_files_as_they_were() -> None:
    dense = DenseVectors.from_rows(random_rows(1, 30, 17))
    read = DenseVectors.from_files(dense.to_files("s"), "s", 30)
    assert np.array_equal(read.vectors, dense.vectors)
    assert read.inverse_norms.tobytes() == dense.inverse_norms.tobytes()
    assert len(DenseVectors.from_files({"s.vectors": np.zeros(0, np.uint8)}, "s", 0)) == 0


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
    afresh = DenseVectors.from_vectors(np.array(listed, np.int8).reshape(-1, 5))
    assert joined.inverse_norms.tobytes() == afresh.inverse_norms.tobytes()


# --- engines against brute force ----------------------------------------------------------------------


def dense_block(weight: float, dense: DenseVectors) -> BlockIndex:
    return BlockIndex(weight, *SegmentBlock.of_vectors(dense).counts, dense.inverse_norms, dense)


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
    blocks.append(dense_block(float(weights[3]), DenseVectors.from_vectors(vectors)))
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
        np.zeros(size, np.int32),
    ][rng.integers(4)]
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
                product = block.dense.vectors.astype(np.int64) @ part.vector.astype(np.int64)
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
            vector = dense.vectors[131_072 - 9 * number].astype(np.int32)
            query = query._replace(
                blocks=[*query.blocks[:-1], query.blocks[-1]._replace(vector=vector, share=1.0)]
            )
        expected = best_of(brute_force(board, query), query.mask, 20)
        for engine in (fast, base):
            assert bits(board.index.search(query, 20, engine)) == expected


def test_the_first_proposal_suffices_beyond_the_first_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 70_000
    vectors = np.random.default_rng(0).integers(-127, 128, (rows, 40)).astype(np.int8)
    board = Board(Index((dense_block(1.0, DenseVectors.from_vectors(vectors)),), rows), [None])
    engine = FastEngine(board.index.blocks, rows)
    monkeypatch.setattr("matcher.index.Index._base", None)
    nothing = np.zeros(0, np.int32), np.zeros(0)
    for row in (7, 65_535, 65_536, 69_999):
        query = Query([BlockQuery(*nothing, vector=vectors[row].astype(np.int32) * 200)])
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
    dense = DenseVectors.from_vectors(np.tile(np.array([[3, 4, -127]], np.int8), (1_000, 1)))
    index = Index((dense_block(1.0, dense),), 1_000)
    query = Query([BlockQuery(np.zeros(0, np.int32), np.zeros(0), vector=np.array([3, 30, 0], np.int32))])
    for kind in KINDS:
        found = index.search(query, 5, kind(index.blocks, 1_000))
        assert found.rows.tolist() == [0, 1, 2, 3, 4]
        assert len(set(found.scores.tolist())) == 1
        assert found.scores[0] > 0
