"""The index against dense matrices: exact best, exact ranks, exact sums, and what it refuses to open."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix

from matcher.base import Query
from matcher.counts import BlockCounts, BlockIndex, Counts, check_inverse_norms, invert_norms
from matcher.engines import ENGINES, make_engine
from matcher.errors import ModelDamagedError
from matcher.index import Contributions, Index
from matcher.queries import BlockQuery

Block = tuple[float, np.ndarray, np.ndarray, np.ndarray]
"""Weight, dense counts, term weights, dense counts of the query."""

# --- small random indexes -------------------------------------------------------------------------

_counts = st.one_of(st.just(0), st.just(0), st.integers(1, 3), st.sampled_from([255, 256, 70_000]))


@st.composite
def matrices(draw: Any, rows: int) -> np.ndarray:
    terms = draw(st.integers(0, 5))
    row = st.lists(_counts, min_size=terms, max_size=terms)
    return np.array(draw(st.lists(row, min_size=rows, max_size=rows)), np.int64).reshape(rows, terms)


@st.composite
def problems(draw: Any) -> tuple[list[Block], int]:
    """Return blocks and the number of rows."""
    rows = draw(st.integers(0, 8))
    blocks = []
    for _ in range(draw(st.integers(1, 3))):
        dense = draw(matrices(rows))
        terms = dense.shape[1]
        idf = np.array(draw(st.lists(st.floats(0.5, 12), min_size=terms, max_size=terms)), np.float64)
        query = np.array(draw(st.lists(_counts, min_size=terms, max_size=terms)), np.int64)
        blocks.append((draw(st.sampled_from([0.1, 0.3, 1.0, 7.0])), dense, idf, query))
    return blocks, rows


def as_counts(dense: np.ndarray) -> Counts:
    matrix = csr_matrix(dense)
    kind = np.min_scalar_type(int(matrix.data.max(initial=1)))
    return Counts(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data.astype(kind))


def as_query(counts: np.ndarray, idf: np.ndarray) -> BlockQuery:
    features = np.flatnonzero(counts).astype(np.int32)
    weights = (counts * idf)[features]
    norm = math.sqrt(math.fsum(weights**2)) or 1.0
    return BlockQuery(features, weights * idf[features] / norm)


def build(blocks: list[Block], rows: int) -> tuple[Index, list[BlockQuery]]:
    indexes = tuple(BlockIndex.from_counts(weight, as_counts(dense), idf) for weight, dense, idf, _ in blocks)
    return Index(indexes, rows), [as_query(query, idf) for _, _, idf, query in blocks]


def dense_score(blocks: list[Block], row: int) -> float:
    """Return the score by definition: the weighted mean of cosines over blocks with data on both sides."""
    parts, total = [], 0.0
    for weight, dense, idf, query in blocks:
        posting, profile = dense[row] * idf, query * idf
        sizes = math.hypot(*posting), math.hypot(*profile)
        if all(sizes):
            parts.append(weight * math.fsum(posting * profile) / (sizes[0] * sizes[1]))
            total += weight
    return math.fsum(parts) / total if total else 0.0


boost_arrays = st.sampled_from(["none", "ties", "near ties", "spread"])


def some_boosts(kind: str, rows: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    near = 1.4278 + rng.integers(0, 120, rows) * 2.0**-52
    return {
        "none": [],
        "ties": [np.full(rows, 0.25), rng.integers(0, 2, rows) * 0.5],
        "near ties": [near],
        "spread": [rng.random(rows)],
    }[kind]


# --- properties -----------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(problems())
def test_scores_are_weighted_means_of_cosines_over_the_blocks_both_sides_have(problem: Any):
    blocks, rows = problem
    index, queries = build(blocks, rows)
    ranking = index.search(Query(queries), rows + 1)
    assert sorted(ranking.rows.tolist()) == list(range(rows))
    expected = [dense_score(blocks, row) for row in ranking.rows.tolist()]
    assert ranking.scores == pytest.approx(expected, rel=1e-12, abs=1e-15)


@settings(max_examples=150, deadline=None)
@given(problems(), st.integers(1, 9), boost_arrays, st.integers(0, 99), st.booleans())
def test_search_returns_the_best_by_score_and_row_among_those_allowed(
    problem: Any, k: int, kind: str, seed: int, masked: bool
):
    blocks, rows = problem
    index, queries = build(blocks, rows)
    boosts = some_boosts(kind, rows, seed)
    mask = np.random.default_rng(seed).random(rows) < 0.6 if masked else None
    # Each posting's canonical score, asked for alone.
    scores = [
        float(index.contributions(queries, np.array([row]), boosts).scores(1)[0]) for row in range(rows)
    ]
    allowed = [row for row in range(rows) if mask is None or mask[row]]
    expected = sorted(allowed, key=lambda row: (-scores[row], row))[:k]
    for name in ENGINES:
        ranking = index.search(Query(queries, mask, boosts), k, make_engine(name, index.blocks, rows))
        assert ranking.rows.tolist() == expected, name
        assert ranking.scores.tolist() == [scores[row] for row in expected], name


@settings(max_examples=150, deadline=None)
@given(problems(), boost_arrays, st.integers(0, 99))
def test_what_ranks_ahead_gives_the_place_in_the_whole_ranking(problem: Any, kind: str, seed: int):
    blocks, rows = problem
    index, queries = build(blocks, rows)
    boosts = some_boosts(kind, rows, seed)
    ranking = index.search(Query(queries, None, boosts), max(rows, 1))
    for place, (row, score) in enumerate(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True), 1):
        query = Query(queries, None, boosts)
        assert index.score_row(query, row).scores.tolist() == [score]
        assert index.count_ahead(query, score, row) == place - 1


@pytest.mark.parametrize("base", [1.0, 1.4278, 1.9])
def test_postings_a_few_roundings_apart_keep_their_ranks(base: float):
    index = Index((), 2)
    for steps in range(1, 80):
        boosts = [np.array([base, base + steps * 2.0**-52])]
        assert index.search(Query([], None, boosts), 2).rows.tolist() == [1, 0]
        ahead = [index.count_ahead(Query([], None, boosts), boosts[0][row], row) for row in (0, 1)]
        assert (steps, ahead) == (steps, [1, 0])


@settings(max_examples=80, deadline=None)
@given(problems(), boost_arrays, st.integers(0, 99))
def test_contributions_are_positive_in_canonical_order_and_sum_to_the_score(
    problem: Any, kind: str, seed: int
):
    blocks, rows = problem
    index, queries = build(blocks, rows)
    boosts = some_boosts(kind, rows, seed)
    asked = np.random.default_rng(seed).permutation(rows)
    table = index.contributions(queries, asked, boosts)
    keys = list(zip(table.positions.tolist(), table.blocks.tolist(), table.features.tolist(), strict=True))
    assert keys == sorted(set(keys))
    assert np.all(table.values > 0)
    scores = table.scores(rows)
    for position, row in enumerate(asked.tolist()):
        total = math.fsum(table.values[table.positions == position])
        lift = math.fsum(boost[row] for boost in boosts)
        assert scores[position] == pytest.approx(total, abs=1e-12)
        assert total == pytest.approx(dense_score(blocks, row) + lift, rel=1e-12, abs=1e-15)


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 99))
def test_what_else_is_asked_for_changes_no_bit(problem: Any, seed: int):
    blocks, rows = problem
    index, queries = build(blocks, rows)
    asked = np.random.default_rng(seed).permutation(rows)
    together = index.contributions(queries, asked).scores(rows)
    alone = [index.contributions(queries, np.array([row])).scores(1)[0] for row in asked.tolist()]
    assert together.tolist() == [float(score) for score in alone]


def test_sums_keep_the_order_of_their_entries():
    nothing = np.zeros(3, np.int64)
    small = 2.0**-53
    for values, total in (([1.0, small, small], 1.0), ([small, small, 1.0], 1.0 + 2.0**-52)):
        table = Contributions(nothing, nothing, nothing, np.array(values))
        assert table.scores(1).tolist() == [total]


def test_a_block_that_weighs_0_contributes_nothing():
    one = np.array([[1, 2]])
    blocks = [(0.0, one, np.ones(2), one[0]), (1.0, one, np.ones(2), np.array([1, 0]))]
    index, queries = build(blocks, 1)
    assert set(index.contributions(queries, np.array([0])).blocks.tolist()) == {1}


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_an_index_without_blocks_features_or_postings_ranks_by_row(rows: int):
    empty = np.zeros((rows, 0), np.int64)
    for blocks in ([], [(1.0, empty, np.zeros(0), np.zeros(0, np.int64))]):
        index, queries = build(blocks, rows)
        ranking = index.search(Query(queries), 2)
        assert ranking.rows.tolist() == list(range(min(rows, 2)))
        assert ranking.scores.tolist() == [0.0] * min(rows, 2)


def test_a_mask_that_allows_nothing_leaves_nothing():
    index, queries = build([(1.0, np.eye(3, dtype=np.int64), np.ones(3), np.array([1, 1, 0]))], 3)
    assert len(index.search(Query(queries, np.zeros(3, np.bool_)), 2).rows) == 0


# --- files ----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(problems())
def test_counts_survive_their_files(problem: Any):
    blocks, rows = problem
    for block in build(blocks, rows)[0].blocks:
        counts = BlockCounts(block.by_posting, block.by_term)
        files = counts.to_files("text")
        assert all(name.startswith("text.") for name in files)
        again = BlockCounts.from_files(files, "text", rows, len(block.by_term.starts) - 1)
        for before, after in zip((*counts.by_posting, *counts.by_term), (*again[0], *again[1]), strict=True):
            assert before.dtype == after.dtype
            assert before.tobytes() == after.tobytes()


SOUND = np.array([[1, 2, 0], [0, 0, 0], [0, 3, 4]])


def _damage(name: str, value: Any, note: str) -> Any:
    return pytest.param(name, value, id=f"{name}: {note}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        _damage("by_posting.starts", np.array([0, 2, 2]), "too short"),
        _damage("by_posting.starts", np.array([0, 2, 2, 4, 4]), "too long"),
        _damage("by_posting.starts", np.array([0, 3, 2, 4]), "falls"),
        _damage("by_posting.starts", np.array([1, 2, 2, 4]), "not from 0"),
        _damage("by_posting.starts", np.array([0, 2, 2, 3]), "ends early"),
        _damage("by_posting.starts", np.array([0, 2, 2, 2**62]), "ends late"),
        _damage("by_posting.starts", np.array([0, -(2**62), 2, 4]), "negative"),
        _damage("by_posting.starts", np.array([0, 2, 2, 4], np.int32), "type"),
        _damage("by_posting.starts", np.array([[0, 2, 2, 4]]), "shape"),
        _damage("by_posting.columns", np.array([0, 1, 1, 3], np.int32), "out of range"),
        _damage("by_posting.columns", np.array([-1, 1, 1, 2], np.int32), "negative"),
        _damage("by_posting.columns", np.array([1, 0, 1, 2], np.int32), "not ascending"),
        _damage("by_posting.columns", np.array([0, 1, 2, 2], np.int32), "twice in the last row"),
        _damage("by_posting.columns", np.array([0, 1, 1], np.int32), "too short"),
        _damage("by_posting.columns", np.array([0, 1, 1, 2]), "type"),
        _damage("by_posting.columns", np.array([[0, 1], [1, 2]], np.int32), "shape"),
        _damage("by_posting.columns", np.array(0, np.int32), "no dimension"),
        _damage("by_posting.counts", np.array([1, 0, 3, 4], np.uint8), "zero"),
        _damage("by_posting.counts", np.array([1, 2, 3], np.uint8), "too short"),
        _damage("by_posting.counts", np.array([1, 2, 3, 4], np.int64), "type"),
        _damage("by_posting.counts", np.array([1, 2, 3, 4], np.float64), "decimals"),
        _damage("by_posting.counts", np.array([1, 2, 3, np.nan]), "not a number"),
        _damage("by_term.starts", np.array([0, 1, 3]), "too short"),
        _damage("by_term.columns", np.array([0, 0, 2, 3], np.int32), "out of range"),
        _damage("by_term.columns", np.array([0, 2, 0, 2], np.int32), "not ascending"),
        _damage("by_term.counts", np.array([0, 2, 3, 4], np.uint8), "zero"),
    ],
)
def test_damaged_counts_are_refused(name: str, value: np.ndarray):
    files = counted(SOUND).to_files("text")
    BlockCounts.from_files(files, "text", 3, 3)
    with pytest.raises(ModelDamagedError):
        BlockCounts.from_files(files | {f"text.{name}": value}, "text", 3, 3)


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (np.array([0.5, 0.0]), "too short"),
        (np.array([0.5, 0.0, np.nan]), "not a number"),
        (np.array([0.5, 0.0, np.inf]), "infinite"),
        (np.array([0.5, 0.0, -0.5]), "negative"),
        (np.array([1, 0, 1]), "type"),
        (np.array([0.5, 0.0, 0.2], np.float32), "short floats"),
        (np.array([[0.5, 0.0, 0.2]]), "shape"),
    ],
)
def test_damaged_norms_are_refused(value: np.ndarray, note: str):
    assert len(check_inverse_norms(np.array([0.5, 0.0, 0.2]), "text", 3)) == 3
    with pytest.raises(ModelDamagedError):
        check_inverse_norms(value, "text", 3)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_compiled_norms_are_the_same_to_the_last_bit(problem: Any):
    blocks, rows = problem
    for (_, dense, weights, _), block in zip(blocks, build(blocks, rows)[0].blocks, strict=True):
        plain = invert_norms(block.by_posting, weights)
        assert plain.tobytes() == invert_norms(block.by_posting, weights, compiled=True).tobytes()
        expected = np.sqrt(((dense * weights) ** 2).sum(axis=1))
        np.testing.assert_allclose(plain * expected, (expected > 0).astype(float), rtol=1e-12)


def counted(dense: np.ndarray) -> BlockCounts:
    counts = as_counts(dense)
    return BlockCounts(counts, counts.transpose(dense.shape[1]))


def test_two_orders_of_different_matrices_are_refused():
    files = counted(SOUND).to_files("text")
    other = counted(np.eye(3, dtype=np.int64)).to_files("text")
    mixed = files | {name: array for name, array in other.items() if "by_term" in name}
    with pytest.raises(ModelDamagedError):
        BlockCounts.from_files(mixed, "text", 3, 3)


@pytest.mark.parametrize(("rows", "terms"), [(2, 3), (4, 3), (3, 2), (3, 4)])
def test_counts_of_another_size_are_refused(rows: int, terms: int):
    files = counted(SOUND).to_files("text")
    with pytest.raises(ModelDamagedError):
        BlockCounts.from_files(files, "text", rows, terms)


def test_empty_rows_anywhere_are_sound():
    for dense in (np.zeros((3, 2)), np.array([[0, 0], [1, 1], [0, 0]]), np.array([[0, 1], [0, 0], [1, 0]])):
        files = counted(dense.astype(np.int64)).to_files("x")
        assert len(BlockCounts.from_files(files, "x", 3, 2).by_posting.starts) == 4
