"""`PostingVectorizer` as a scikit-learn estimator, and its numbers against scikit-learn's own."""

from __future__ import annotations

import copy
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.sparse import csr_matrix, hstack
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.utils import estimator_checks

from matcher import Matcher, OptionError, Posting, Profile
from matcher.features import BLOCKS, HashtagBlock, TextBlock, TitleBlock, default_blocks, posting_terms
from matcher.semantic import SemanticBlock
from matcher.tokens import split_in_python
from matcher.vectorizer import PostingVectorizer
from tests.strategies import block_lists, boards, full_boards, profiles

BOARD = [
    Posting(id="1", title="Staff nurse", body="Nights on the ward", hashtags=["nurse", "nights"]),
    Posting(id="2", title="Night nurse", hashtags=["nurse"]),
    Posting(id="3", title="Pastry cook", body="Bread, **bread**, bread", hashtags=["cook"]),
    Posting(id="4", title="Cook", body="Bread"),
    Posting(id="5", title="C++ developer", body=".NET and SQL", hashtags=["c++", "sql"]),
]


def with_terms(blocks: Any) -> list[Any]:
    """Return the blocks that have terms, of the default ones for None."""
    return [block for block in blocks or default_blocks() if not isinstance(block, SemanticBlock)]


lists_with_terms = block_lists.filter(with_terms)


# --- scikit-learn's contract ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_parameters_default_constructible",
        "check_no_attributes_set_in_init",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_repr",
        "check_mixin_order",
        "check_valid_tag_types",
        "check_estimator_tags_renamed",
    ],
)
def test_scikit_learns_own_checks_pass(name: str):
    getattr(estimator_checks, name)("PostingVectorizer", PostingVectorizer())


def test_clone_keeps_settings_and_forgets_what_was_learned():
    blocks = [TextBlock(0.9), HashtagBlock(0.1)]
    fitted = PostingVectorizer(blocks).fit(BOARD)
    copied = clone(fitted)
    assert copied.get_params() == {"blocks": blocks}
    with pytest.raises(NotFittedError):
        copied.transform(BOARD)
    assert (copied.fit_transform(BOARD) != fitted.transform(BOARD)).nnz == 0


def test_set_params_takes_effect_at_the_next_fit():
    vectorizer = PostingVectorizer()
    assert vectorizer.set_params(blocks=[HashtagBlock()]) is vectorizer
    assert all(name.startswith("hashtags__") for name in vectorizer.fit(BOARD).get_feature_names_out())
    with pytest.raises(ValueError, match="Invalid parameter"):
        vectorizer.set_params(unknown=1)


@pytest.mark.parametrize("method", ["transform", "get_feature_names_out"])
def test_an_unfitted_vectorizer_says_so(method: str):
    arguments = [BOARD] if method == "transform" else []
    with pytest.raises(NotFittedError):
        getattr(PostingVectorizer(), method)(*arguments)


def test_fitting_returns_self_and_leaves_the_parameters_alone():
    blocks = [HashtagBlock(0.4), TextBlock(0.6)]
    vectorizer = PostingVectorizer(blocks)
    assert vectorizer.fit(BOARD, y=[0] * 5) is vectorizer
    assert vectorizer.blocks is blocks
    assert blocks == [HashtagBlock(0.4), TextBlock(0.6)]


def test_fitting_again_forgets_the_first_postings():
    vectorizer = PostingVectorizer().fit(BOARD).fit(BOARD[:1])
    fresh = PostingVectorizer().fit(BOARD[:1])
    assert vectorizer.get_feature_names_out().tolist() == fresh.get_feature_names_out().tolist()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_transform_alike(copied: Any):
    vectorizer = PostingVectorizer().fit(BOARD)
    assert (copied(vectorizer).transform(BOARD) != vectorizer.transform(BOARD)).nnz == 0


def test_it_works_in_a_pipeline_and_a_union():
    clusters = Pipeline([("rows", PostingVectorizer()), ("groups", KMeans(2, n_init=3, random_state=0))])
    labels = clusters.set_params(rows__blocks=[TextBlock()]).fit_predict(BOARD[:4])
    assert labels[0] == labels[1] != labels[2] == labels[3]
    dense = make_pipeline(PostingVectorizer(), TruncatedSVD(2, random_state=0)).fit_transform(BOARD)
    assert dense.shape == (5, 2)
    union = FeatureUnion(
        [("a", PostingVectorizer([TextBlock()])), ("b", PostingVectorizer([HashtagBlock()]))]
    )
    rows = union.fit_transform(BOARD)
    assert rows.shape[1] == len(union.get_feature_names_out())
    nearest = make_pipeline(PostingVectorizer(), NearestNeighbors(n_neighbors=1, metric="cosine")).fit(BOARD)
    _, found = nearest[-1].kneighbors(nearest[:-1].transform(["I bake bread as a pastry cook"]))
    assert found.tolist() == [[2]]


# --- numbers --------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(full_boards)
def test_the_text_block_is_tfidf_vectorizer_with_the_same_analyzer(board: list[Posting]):
    board = [*board, Posting(id="always", title="Nurse")]
    theirs = TfidfVectorizer(analyzer=partial(posting_terms, TextBlock())).fit(board)
    ours = PostingVectorizer([TextBlock(0.3)]).fit(board)
    assert ours.get_feature_names_out().tolist() == [
        "text__" + term for term in theirs.get_feature_names_out()
    ]
    assert ours.transform(board).toarray() == pytest.approx(theirs.transform(board).toarray(), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(full_boards)
def test_the_hashtag_block_is_tfidf_of_one_hots(board: list[Posting]):
    board = [*board, Posting(id="always", hashtags=["nurse"])]
    theirs = TfidfVectorizer(analyzer=lambda posting: posting.hashtags, binary=True).fit_transform(board)
    ours = PostingVectorizer([HashtagBlock()]).fit_transform(board)
    assert ours.toarray() == pytest.approx(theirs.toarray(), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(boards, lists_with_terms)
def test_rows_are_sparse_finite_and_as_long_as_the_weights_of_the_blocks_they_have(
    board: list[Posting], blocks: Any
):
    vectorizer = PostingVectorizer(blocks)
    rows = vectorizer.fit_transform(iter(board))
    assert isinstance(rows, csr_matrix)
    assert rows.dtype == np.float64
    assert rows.shape == (len(board), len(vectorizer.get_feature_names_out()))
    assert len(set(vectorizer.get_feature_names_out())) == rows.shape[1]
    used = [part.block for part in vectorizer.features_]
    total = sum(block.weight for block in used)
    for row, posting in zip(rows.toarray(), board, strict=True):
        share = sum(block.weight for block in used if posting_terms(block, posting)) / total
        assert row @ row == pytest.approx(share, abs=1e-12)
    again = vectorizer.transform(board)
    assert again.toarray() == pytest.approx(rows.toarray(), abs=1e-15)


@settings(max_examples=40, deadline=None)
@given(full_boards, profiles, lists_with_terms)
def test_dot_products_are_the_matchers_scores_where_both_sides_have_every_block(
    board: list[Posting], profile: str, blocks: Any
):
    # The weight of titles fades beside that of others.
    blocks = [block for block in with_terms(blocks) if block.name != "title"] or with_terms(blocks)
    matcher = Matcher.fit(board, blocks=blocks)
    vectorizer = PostingVectorizer(blocks)
    rows, query = vectorizer.fit_transform(board).toarray(), vectorizer.transform([profile]).toarray()[0]
    learned = vectorizer.features_
    if all(part.queries([Profile(profile)], split_in_python([profile]))[0].features.size for part in learned):
        for row, posting in zip(rows, board, strict=True):
            if all(posting_terms(part.block, posting) for part in learned):
                assert row @ query == pytest.approx(matcher.explain(profile, posting.id).score, abs=1e-12)


def test_postings_profiles_and_texts_mix():
    vectorizer = PostingVectorizer().fit(BOARD)
    rows = vectorizer.transform([BOARD[0], Profile("night nurse"), "night nurse", "", "unheard of"]).toarray()
    assert rows[0] == pytest.approx(vectorizer.transform(BOARD).toarray()[0])
    assert np.array_equal(rows[1], rows[2])
    assert rows[1].any()
    assert not rows[3:].any()


def test_the_order_of_blocks_is_canonical_and_a_block_may_weigh_0():
    one, other = PostingVectorizer([TitleBlock(), HashtagBlock(), TextBlock()]), PostingVectorizer()
    assert (one.fit_transform(BOARD) != other.fit_transform(BOARD)).nnz == 0
    unweighted = PostingVectorizer([TextBlock(0.0), HashtagBlock()]).fit_transform(BOARD)
    tags = PostingVectorizer([HashtagBlock()]).fit_transform(BOARD)
    expected = hstack([csr_matrix((5, unweighted.shape[1] - tags.shape[1])), tags])
    assert unweighted.toarray() == pytest.approx(expected.toarray())


OF_TERMS = {name: kind for name, kind in BLOCKS.items() if kind is not SemanticBlock}


@pytest.mark.parametrize("kind", OF_TERMS.values(), ids=OF_TERMS)
def test_every_block_reaches_scikit_learn(kind: type):
    vectorizer = PostingVectorizer([kind()])
    rows = vectorizer.fit_transform(BOARD)
    assert rows.nnz > 0
    assert all(name.startswith(kind().name + "__") for name in vectorizer.get_feature_names_out())


@pytest.mark.parametrize(
    "board", [[], [Posting(id="1")], [Posting(id="1"), Posting(id="2", body="the and")]], ids=len
)
def test_nothing_to_learn_gives_rows_without_columns(board: list[Posting]):
    vectorizer = PostingVectorizer()
    assert vectorizer.fit_transform(board).shape == (len(board), 0)
    assert vectorizer.transform(["nurse", *BOARD]).shape == (6, 0)
    assert vectorizer.get_feature_names_out().tolist() == []


def test_nothing_to_transform_gives_no_rows():
    vectorizer = PostingVectorizer().fit(BOARD)
    assert vectorizer.transform([]).shape == (0, len(vectorizer.get_feature_names_out()))


# --- careless input -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "documents", ["cook", ["cook"], [None], [BOARD[0], "cook"], [b"cook"], [Profile("cook")], [1]]
)
def test_only_postings_can_be_learned_from(documents: Any):
    for method in ("fit", "fit_transform"):
        with pytest.raises(OptionError):
            getattr(PostingVectorizer(), method)(documents)


@pytest.mark.parametrize("documents", ["cook", [None], [b"cook"], [BOARD[0], 1], [[BOARD[0]]]])
def test_only_postings_profiles_and_texts_can_be_transformed(documents: Any):
    vectorizer = PostingVectorizer().fit(BOARD)
    with pytest.raises(OptionError):
        vectorizer.transform(documents)


def test_dense_vectors_are_left_out():
    one, other = PostingVectorizer([SemanticBlock(), TextBlock()]), PostingVectorizer([TextBlock()])
    assert (one.fit_transform(BOARD) != other.fit_transform(BOARD)).nnz == 0
    assert (one.transform(["night nurse"]) != other.transform(["night nurse"])).nnz == 0


@pytest.mark.parametrize("blocks", [[SemanticBlock()], [TextBlock(0.0), SemanticBlock()]], ids=len)
def test_dense_vectors_alone_are_an_option_error(blocks: Any):
    with pytest.raises(OptionError, match="needs a block with terms"):
        PostingVectorizer(blocks).fit(BOARD)


@pytest.mark.parametrize(
    "blocks", [[], [TextBlock(), TextBlock()], ["text"], [TextBlock(-1.0)], [TextBlock(0.0)]]
)
def test_blocks_that_make_no_sense_are_an_option_error_when_fitted(blocks: Any):
    vectorizer = PostingVectorizer(blocks)
    with pytest.raises(OptionError):
        vectorizer.fit(BOARD)
