"""Segments: what is counted once, written once and never changed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import ModelDamagedError, Posting
from matcher.features import FeatureBlock, HashtagBlock, TextBlock, default_blocks, posting_terms
from matcher.segments import Segment
from tests.likeness import same_arrays
from tests.strategies import block_lists, boards

BOARD = [
    Posting(id="a", title="Cook", body="cook and nurse", hashtags=["sql"]),
    Posting(id="b", hashtags=["sql", "it"]),
    Posting(id="c", title="Nurse"),
]


def segment_of(board: list[Posting], blocks: list[FeatureBlock] | None = None) -> Segment:
    return Segment.from_postings(sorted(board, key=lambda one: one.id), blocks or default_blocks())


@given(boards, block_lists, st.data())
@settings(deadline=None, max_examples=35)
def test_frequencies_are_those_of_the_postings_left(
    board: list[Posting], blocks: list[FeatureBlock] | None, data: st.DataObject
) -> None:
    board = sorted(board, key=lambda one: one.id)
    chosen = blocks or default_blocks()
    deleted = sorted(data.draw(st.sets(st.sampled_from(range(len(board)))))) if board else []
    left = [one for row, one in enumerate(board) if row not in deleted]
    segment = segment_of(board, blocks)
    for block, counted in zip(chosen, segment.blocks, strict=True):
        found = counted.frequencies(np.array(deleted, np.int64))
        terms = [set(posting_terms(block, one)) for one in left]
        assert found.dtype == np.int64
        assert found.tolist() == [sum(term in some for some in terms) for term in counted.vocabulary]
        assert counted.frequencies(np.zeros(0, np.int64)).min(initial=1) >= 1


def test_asking_for_frequencies_leaves_the_segment_alone() -> None:
    segment = segment_of(BOARD)
    before = {name: array.copy() for name, array in segment.to_files("s", default_blocks()).items()}
    segment.blocks[0].frequencies(np.array([0, 2]))
    same_arrays(segment.to_files("s", default_blocks()), before)


@given(boards)
@settings(deadline=None, max_examples=20)
def test_compiled_counting_makes_the_same_segment(board: list[Posting]) -> None:
    ordered = sorted(board, key=lambda one: one.id)
    compiled = Segment.from_postings(ordered, default_blocks(), compiled=True, threads=2)
    same_arrays(compiled.to_files("s", default_blocks()), segment_of(board).to_files("s", default_blocks()))


@given(boards, block_lists)
@settings(deadline=None, max_examples=20)
def test_what_was_written_comes_back(board: list[Posting], blocks: list[FeatureBlock] | None) -> None:
    chosen = blocks or default_blocks()
    files = segment_of(board, blocks).to_files("segment7", chosen)
    assert all(name.startswith("segment7.") for name in files)
    read = Segment.from_files(files, "segment7", chosen)
    assert read.rows == len(board)
    assert list(read.catalogue) == sorted(board, key=lambda one: one.id)
    same_arrays(read.to_files("segment7", chosen), files)


def test_blocks_are_told_apart() -> None:
    files = segment_of(BOARD).to_files("s", default_blocks())
    only_text = Segment.from_files(files, "s", [TextBlock()])
    assert [list(block.vocabulary) for block in only_text.blocks] == [["cook", "nurse"]]
    files["s.hashtags.vocabulary.txt"] = files["s.text.vocabulary.txt"]
    with pytest.raises(ModelDamagedError, match=r"s\.hashtags\.vocabulary"):
        Segment.from_files(files, "s", [HashtagBlock()])


def test_progress_counts_postings_of_each_block() -> None:
    stages: list[tuple[str, int, int]] = []
    Segment.from_postings(BOARD, default_blocks(), progress=lambda *stage: stages.append(stage))
    ends = [stage for stage in stages if stage[1] == stage[2]]
    assert ends == [(f"counting {name}", 3, 3) for name in ("text", "hashtags", "title", "semantic")]
