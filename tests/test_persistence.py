"""Snapshots as files, and back; damage is the business of other tests."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, ModelDamagedError, Posting
from matcher.features import default_blocks
from matcher.learning import prepare_blocks
from matcher.merging import MISSING
from matcher.persistence import read_snapshot, segment_files, write_snapshot
from matcher.segments import Segment
from matcher.snapshot import Snapshot
from tests.likeness import bits, learned, same_arrays
from tests.strategies import block_lists, boards, full_boards


@st.composite
def matchers(draw: st.DrawFn) -> Matcher:
    """A matcher with a past: several segments, deleted rows, fitted or not."""
    matcher = Matcher.fit(draw(boards), blocks=draw(block_lists), engine="base")
    for _ in range(draw(st.integers(0, 2))):
        matcher.add(draw(full_boards))
        matcher.remove(draw(st.lists(st.sampled_from([*matcher.postings.ids, "?"]), max_size=3)))
        if draw(st.booleans()):
            matcher.refit()
    return matcher


@given(matchers())
@settings(deadline=None, max_examples=35)
def test_what_was_written_comes_back(matcher: Matcher) -> None:
    content, files, owners = write_snapshot(matcher._snapshot)
    content = json.loads(json.dumps(content))
    read = Matcher(read_snapshot(content, files), "base")
    assert read.is_fitted == matcher.is_fitted
    assert learned(read) == learned(matcher)
    assert list(read.postings) == list(matcher.postings)
    for text in ("cook nurse python sql", ""):
        assert bits(read.recommend(text, 99)) == bits(matcher.recommend(text, 99))
    again, same, _ = write_snapshot(read._snapshot)
    assert again == content
    same_arrays(same, files)
    for name, (segment, within) in owners.items():
        number = [part.segment for part in matcher._snapshot.parts].index(segment)
        assert name == f"segment{number}{within}"
    if not matcher.is_fitted:
        for one in (read, matcher):
            one.refit()
        assert learned(read) == learned(matcher)


@given(matchers())
@settings(deadline=None, max_examples=20)
def test_a_segment_is_read_only_when_it_is_not_known(matcher: Matcher) -> None:
    content, files, owners = write_snapshot(matcher._snapshot)
    parts = matcher._snapshot.parts
    rest = {name: array for name, array in files.items() if name not in owners}
    read = read_snapshot(content, rest, lambda number: parts[number].segment)
    assert [part.segment for part in read.parts] == [part.segment for part in parts]
    for mine, other in zip(read.parts, parts, strict=True):
        assert np.array_equal(mine.deleted, other.deleted)
        assert all(map(np.array_equal, mine.places, other.places))
    if parts:
        with pytest.raises(ModelDamagedError, match="is missing from the model"):
            read_snapshot(content, rest)


def test_a_known_segment_is_checked_against_what_the_generation_says_of_it() -> None:
    one, other = (Matcher.fit([Posting(id="a", title=title)]) for title in ("cook nurse", "sauce"))
    content, files, _ = write_snapshot(one._snapshot)
    with pytest.raises(ModelDamagedError):
        read_snapshot(content, files, lambda number: other._snapshot.parts[0].segment)


def test_every_file_of_a_segment_is_its_own_or_of_the_generation() -> None:
    matcher = Matcher.fit([Posting(id="a", title="cook"), Posting(id="b")])
    matcher.add([Posting(id="c", hashtags=["x"])])
    matcher.remove(["a"])
    _, files, owners = write_snapshot(matcher._snapshot)
    for number in (0, 1):
        own = segment_files(files, number)
        assert {f"segment{number}{name}" for name in own} == {
            name for name in owners if name.startswith(f"segment{number}.")
        }
        segment = Segment.from_files(
            {f"x{name}": array for name, array in own.items()}, "x", matcher._snapshot.blocks
        )
        assert segment.rows == matcher._snapshot.parts[number].segment.rows
    said = {name for name in files if name not in owners}
    assert said == {
        *(f"segment{number}.deleted" for number in (0, 1)),
        *(
            f"segment{number}.{block}.{what}"
            for number in (0, 1)
            for block in ("text", "hashtags", "title")
            for what in ("places", "inverse_norms")
        ),
        *(
            f"{block}.{what}"
            for block in ("text", "hashtags", "title")
            for what in ("document_frequency", "vocabulary.txt", "vocabulary.offsets")
        ),
        "semantic.centre",
    }
    assert segment_files(files, 2) == {}


def test_a_term_of_deleted_postings_alone_may_be_missing_where_others_have_it() -> None:
    """What a fit leaves behind must be what reading takes."""
    matcher = Matcher.fit([Posting(id="a", title="cook"), Posting(id="b", title="nurse")])
    matcher.add([Posting(id="c", title="sauce"), Posting(id="d", title="nurse")])
    matcher.remove(["c"])
    matcher.refit()
    matcher.add([Posting(id="e", title="sauce")])
    matcher.refit()
    places = matcher._snapshot.parts[1].places[0].tolist()
    assert MISSING in places
    read = read_snapshot(*write_snapshot(matcher._snapshot)[:2])
    assert read.parts[1].places[0].tolist() == places
    assert bits(Matcher(read).recommend("sauce", 9)) == bits(
        Matcher.fit(matcher.postings).recommend("sauce", 9)
    )


@pytest.mark.parametrize("note", [None, {}, {"changes": {"added": 3}, "text": "é", "list": [1, None, True]}])
def test_notes_are_kept_and_mean_nothing(note: dict[str, Any] | None) -> None:
    content, files, _ = write_snapshot(Snapshot.empty(prepare_blocks(default_blocks(), [])), note)
    assert content.get("note") == note
    assert len(read_snapshot(content, files)) == 0
