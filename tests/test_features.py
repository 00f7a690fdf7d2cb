"""Contract of every feature block, and what `fit_block` learns against plain dictionaries."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix, random_array
from sklearn.feature_extraction.text import TfidfTransformer

from matcher import ModelDamagedError, OptionError, Posting, Profile
from matcher.counts import Counts
from matcher.features import (
    BLOCKS,
    FeatureBlock,
    HashtagBlock,
    TextBlock,
    block_from_settings,
    check_blocks,
    default_blocks,
    posting_terms,
    smooth_idf,
)
from matcher.learning import BlockFeatures, fit_block
from matcher.semantic import SemanticBlock
from matcher.strings import StringTable
from matcher.tokens import split_in_python
from tests.strategies import boards, full_boards, postings, profile_amounts, profile_terms, profiles

each_block = pytest.mark.parametrize("kind", BLOCKS.values(), ids=BLOCKS)
OF_TERMS = {name: kind for name, kind in BLOCKS.items() if kind is not SemanticBlock}
each_block_of_terms = pytest.mark.parametrize("kind", OF_TERMS.values(), ids=OF_TERMS)


# --- the contract ---------------------------------------------------------------------------------


@each_block
def test_a_block_is_listed_under_its_name_and_does_not_change(kind: type):
    block = kind()
    assert BLOCKS[block.name] is kind
    assert isinstance(block, FeatureBlock)
    assert math.isfinite(block.weight)
    assert block.weight > 0
    with pytest.raises(dataclasses.FrozenInstanceError):
        block.weight = 1.0
    assert kind() == block
    assert hash(kind()) == hash(block)


@each_block
@pytest.mark.parametrize("weight", [0.0, 0.25, 1, 3.0, np.float64(0.5), np.float32(0.5), 1e-9])
def test_settings_round_trip_through_json(kind: type, weight: float):
    block = kind(weight=weight)
    settings_ = block.settings()
    assert set(settings_) == {item.name for item in dataclasses.fields(kind)} - {"encoder"} - set(kind.OFF)
    again = block_from_settings(json.loads(json.dumps(settings_)))
    assert type(again) is kind
    assert again == block


@each_block
@settings(max_examples=40, deadline=None)
@given(posting=postings, other_id=st.sampled_from(["x", "y"]))
def test_posting_terms_are_words_that_depend_on_content_only(kind: type, posting: Posting, other_id: str):
    terms = posting_terms(kind(), posting)
    assert all(isinstance(term, str) and term and "\n" not in term for term in terms)
    moved = dataclasses.replace(posting, id=other_id, url="https://a.example", posted=None, featured=7)
    assert posting_terms(kind(weight=9.0), moved) == terms


@each_block
def test_a_posting_without_content_and_an_empty_profile_have_no_terms(kind: type):
    vocabulary = StringTable.from_strings(["cook", "nurse"])
    assert posting_terms(kind(), Posting(id="cook nurse")) == []
    for text in ("", " \n\t", "!!! --- ###", "\x00\ud800", "😀"):
        assert profile_terms(kind(), text, vocabulary) == []


@each_block
@settings(max_examples=40, deadline=None)
@given(text=profiles)
def test_profile_terms_are_the_same_however_often_they_are_asked_for(kind: type, text: str):
    vocabulary = StringTable.from_strings(sorted(["cook", "nurse", "sql", "c++", "it", "r"]))
    terms = profile_terms(kind(), text, vocabulary)
    assert all(isinstance(term, str) and term for term in terms)
    assert profile_terms(kind(), text, vocabulary) == terms


@each_block_of_terms
def test_a_profile_that_repeats_a_posting_has_its_terms(kind: type):
    posting = Posting(id="1", title="Python nurse", body="C++ and .NET", hashtags=["python", "c++", ".NET"])
    terms = set(posting_terms(kind(), posting))
    vocabulary = StringTable.from_strings(sorted(terms))
    found = set(profile_terms(kind(), "Python nurse, C++ and .NET", vocabulary))
    assert terms <= found


@each_block
@settings(max_examples=60, deadline=None)
@given(data=st.data(), total=st.integers(1, 10**9))
def test_term_weights_are_finite_above_0_and_fall_with_frequency(kind: type, data: Any, total: int):
    frequency = np.array(sorted(data.draw(st.lists(st.integers(1, total), max_size=6))), np.int64)
    before = frequency.copy()
    weights = kind().term_weights(frequency, total)
    assert weights.shape == frequency.shape
    assert weights.dtype == np.float64
    assert np.all(np.isfinite(weights))
    assert np.all(weights > 0)
    assert np.all(np.diff(weights) <= 0)
    assert np.array_equal(frequency, before)


@each_block
def test_labels_are_readable_and_tell_terms_apart(kind: type):
    terms = ["c", "c++", "c#", "nurse", "köchin"]
    labels = [kind().label(term) for term in terms]
    assert all(isinstance(label, str) and term in label for term, label in zip(terms, labels, strict=True))
    assert len(set(labels)) == len(terms)


@each_block_of_terms
def test_named_contributions_sum_to_what_they_name(kind: type):
    posting = Posting(id="1", title="Cooks", body="cooks", hashtags=["cooks"])
    features, index = fit_block(kind(), [posting])
    [query] = features.queries([Profile("cooks")], split_in_python(["cooks"]))
    terms = features.vocabulary.take(index.by_posting.columns)
    named = kind().name_contributions(terms, [0.25], query.narrow(index.by_posting.columns), posting)
    assert math.fsum(value for _, value in named) == pytest.approx(0.25, abs=1e-12)
    assert all(isinstance(label, str) and label and value > 0 for label, value in named)
    assert kind().name_contributions([], [], query.narrow(np.zeros(0, np.int32)), posting) == []


@each_block_of_terms
@settings(max_examples=40, deadline=None)
@given(board=boards, compiled=st.booleans())
def test_what_a_block_learns_is_what_dictionaries_count(kind: type, board: list[Posting], compiled: bool):
    block = kind()
    features, index = fit_block(block, iter(board), compiled=compiled)
    counts = index.by_posting
    expected = [Counter(posting_terms(block, posting)) for posting in board]
    assert list(features.vocabulary) == sorted(set().union(*expected))
    frequency = Counter(term for row in expected for term in row)
    assert features.document_frequency.tolist() == [frequency[term] for term in features.vocabulary]
    assert features.postings == len(board)
    assert len(counts.starts) == len(board) + 1
    for row, wanted in enumerate(expected):
        entries = slice(counts.starts[row], counts.starts[row + 1])
        columns = counts.columns[entries].tolist()
        assert columns == sorted(columns)
        found = {
            features.vocabulary[column]: n for column, n in zip(columns, counts.counts[entries], strict=True)
        }
        assert found == wanted


@each_block_of_terms
@settings(max_examples=25, deadline=None)
@given(board=boards)
def test_what_a_block_learned_survives_its_files(kind: type, board: list[Posting]):
    features, _ = fit_block(kind(), board)
    files = features.to_files()
    assert all(name.startswith(kind().name + ".") for name in files)
    again = BlockFeatures.from_files(files, kind(), len(board))
    assert list(again.vocabulary) == list(features.vocabulary)
    assert again.term_weights.tobytes() == features.term_weights.tobytes()


@each_block_of_terms
@settings(max_examples=60, deadline=None)
@given(board=full_boards, text=profiles)
def test_a_query_is_count_times_squared_weight_over_norm(kind: type, board: list[Posting], text: str):
    block = kind()
    features, _ = fit_block(block, board)
    query = features.queries([Profile(text)], split_in_python([text]))[0]
    rows = [set(posting_terms(block, posting)) for posting in board]
    known = {term: sum(term in row for row in rows) for term in set().union(*rows)}
    counted = profile_amounts(block, text, features.vocabulary)
    weight = {t: float(block.term_weights(np.array([known[t]]), len(board))[0]) for t in counted}
    norm = math.sqrt(math.fsum((counted[t] * weight[t]) ** 2 for t in counted))
    assert [features.vocabulary[f] for f in query.features.tolist()] == sorted(counted)
    expected = [counted[t] * weight[t] ** 2 / norm for t in sorted(counted)]
    assert query.weights == pytest.approx(expected, rel=1e-12)


# --- settings, weights, lists of blocks -----------------------------------------------------------


def test_default_blocks_are_in_canonical_order():
    names = [block.name for block in default_blocks()]
    assert [name for name in BLOCKS if name in names] == names


@pytest.mark.parametrize(
    "weight",
    [-0.1, -1, float("nan"), float("inf"), -float("inf"), "1", None, [1], 10**400, 1j, object()],
    ids=lambda weight: f"{type(weight).__name__} {weight!s:.9}",
)
@each_block
def test_a_weight_that_is_no_finite_number_of_at_least_0_is_an_option_error(kind: type, weight: Any):
    with pytest.raises(OptionError):
        check_blocks([kind(weight=weight)])


@pytest.mark.parametrize(
    "blocks",
    [
        [],
        [TextBlock(0.0), HashtagBlock(0.0)],
        [TextBlock(), TextBlock(0.1)],
        [TextBlock(name="hashtags")],
        [TextBlock(name="unknown")],
        ["text"],
        [None],
        [TextBlock],
    ],
    ids=repr,
)
def test_blocks_that_make_no_sense_are_an_option_error(blocks: list[Any]):
    with pytest.raises(OptionError):
        check_blocks(blocks)


def test_one_block_may_weigh_0():
    assert check_blocks([HashtagBlock(0.0), TextBlock()]) == [TextBlock(), HashtagBlock(0.0)]


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"weight": 0.5},
        {"name": "text"},
        {"name": "other", "weight": 0.5},
        {"name": None, "weight": 0.5},
        {"name": ["text"], "weight": 0.5},
        {"name": "text", "weight": "0.5"},
        {"name": "text", "weight": None},
        {"name": "text", "weight": True},
        {"name": "text", "weight": -0.5},
        {"name": "text", "weight": float("nan")},
        {"name": "text", "weight": float("inf")},
        {"name": "text", "weight": [0.5]},
        {"name": "text", "weight": 0.5, "more": 1},
        {"name": "text", "weight": 0.5, "__class__": "os.system"},
    ],
    ids=repr,
)
def test_settings_that_do_not_fit_are_a_damaged_model(damaged: dict[str, Any]):
    with pytest.raises(ModelDamagedError):
        block_from_settings(damaged)


# --- counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("times", "dtype"),
    [(1, np.uint8), (255, np.uint8), (256, np.uint16), (65_535, np.uint16), (65_536, np.uint32)],
)
def test_counts_are_exact_in_the_smallest_type_that_holds_them(times: int, dtype: type, compiled: bool):
    board = [Posting(id="1", title="cook " * times), Posting(id="2", title="cook")]
    counts = fit_block(TextBlock(), board, compiled=compiled)[1].by_posting
    assert counts.counts.dtype == dtype
    assert counts.counts.tolist() == [times, 1]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    "board", [[], [Posting(id="1")], [Posting(id="1", title="the and 2020"), Posting(id="2")]]
)
@each_block_of_terms
def test_postings_without_a_single_term_are_a_block_without_data(
    kind: type, board: list[Posting], compiled: bool
):
    features, index = fit_block(kind(), board, compiled=compiled)
    counts = index.by_posting
    assert (len(features.vocabulary), features.postings) == (0, len(board))
    assert counts.starts.tolist() == [0] * (len(board) + 1)
    assert len(features.queries([Profile("cook")], split_in_python(["cook"]))[0].features) == 0
    again = BlockFeatures.from_files(features.to_files(), kind(), len(board))
    assert len(again.vocabulary) == 0


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0), (1, 1), (5, 3), (7, 40)])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_transpose_agrees_with_scipy(shape: tuple[int, int], density: float):
    matrix = csr_matrix(random_array(shape, density=density, rng=np.random.default_rng(1)))
    matrix.data = np.arange(1, len(matrix.data) + 1, dtype=np.uint8)
    matrix.sort_indices()
    counts = Counts(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data)
    expected = matrix.T.tocsr()
    expected.sort_indices()
    flipped = counts.transpose(shape[1])
    assert flipped.starts.tolist() == expected.indptr.tolist()
    assert flipped.columns.tolist() == expected.indices.tolist()
    assert flipped.counts.tolist() == expected.data.tolist()
    assert flipped.counts.dtype == np.uint8
    back = flipped.transpose(shape[0])
    assert all(np.array_equal(a, b) for a, b in zip(back, counts, strict=True))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sets(st.integers(0, 5), min_size=1), min_size=1, max_size=8))
def test_smooth_idf_is_that_of_scikit_learn(rows: list[set[int]]):
    dense = np.array([[float(column in row) for column in range(6)] for row in rows])
    dense = dense[:, dense.any(axis=0)]
    expected = TfidfTransformer(smooth_idf=True).fit(csr_matrix(dense)).idf_
    frequency = dense.sum(axis=0).astype(np.int64)
    assert smooth_idf(frequency, len(rows)) == pytest.approx(expected, rel=1e-14)


# --- damaged files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "frequency",
    [
        np.array([1, 0]),
        np.array([1, 3]),
        np.array([-1, 1]),
        np.array([1]),
        np.array([1, 1, 1]),
        np.array([[1, 1]]),
        np.array([1.0, 1.0]),
        np.array([1, 1], np.int32),
        np.array([2**62, 1]),
    ],
    ids=str,
)
def test_frequencies_that_do_not_fit_are_a_damaged_model(frequency: np.ndarray):
    features, _ = fit_block(TextBlock(), [Posting(id="1", title="cook"), Posting(id="2", title="nurse")])
    files = features.to_files() | {"text.document_frequency": frequency}
    with pytest.raises(ModelDamagedError):
        BlockFeatures.from_files(files, TextBlock(), 2)


@pytest.mark.parametrize("total", [True, "2", 2.0, None, 0, -1])
def test_a_number_of_postings_that_does_not_fit_is_a_damaged_model(total: Any):
    features, _ = fit_block(TextBlock(), [Posting(id="1", title="cook")])
    with pytest.raises(ModelDamagedError):
        BlockFeatures.from_files(features.to_files(), TextBlock(), total)
