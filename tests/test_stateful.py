"""Whatever a matcher can be told, in any order, by two of them over one folder, against a plain model.

The plain model of a matcher is a dict of postings, and for its weights the postings of its last fit: a
matcher fitted from scratch on those says what it must say. Merges and splits happen all the time.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from matcher import Matcher, ModelConflictError, ModelNotFoundError, OptionError, Posting, updates
from matcher.boosts import Freshness
from matcher.changes import Changes
from matcher.store.collection import collect
from matcher.store.generations import history, rollback
from tests.likeness import assert_scores_follow, bits, learned, outcome
from tests.strategies import boards, dates, postings, sentences

Held = dict[str, Posting]
PROFILES = ["cook nurse bread python", "sql c++ nights it"]


def answers(matcher: Matcher) -> list[Any]:
    """Return what a matcher says to a few questions, to the last bit."""
    filters = {"location": "Bern", "hashtags_none": ["sql"]}
    some = matcher.recommend(PROFILES[1], 2, filters=filters, boosts=[Freshness(0.1)])
    found = [*matcher.recommend_many(PROFILES, 99), some]
    explained = [matcher.explain(PROFILES[0], name) for name in matcher.postings.ids[::4]]
    return [learned(matcher), *map(outcome, found), bits(explained)]


class Known:
    """What one matcher must hold and have learned."""

    def __init__(self, matcher: Matcher, held: Held, fitted_on: Held) -> None:
        self.matcher = matcher
        self.held = dict(held)
        self.fitted_on = dict(fitted_on)
        self.is_fitted = True
        self.is_changed = False
        self.generation = 0  # that it comes from, when it comes from the folder
        self.pointer = b""  # CURRENT, when it did
        self._expected: tuple[Matcher, list[Any]] | None = None

    def learn(self) -> None:
        if not self.is_fitted:
            self.fitted_on, self.is_fitted, self.is_changed = dict(self.held), True, True
            self._expected = None

    def note(self, changes: Changes) -> None:
        if changes:
            self.is_fitted, self.is_changed = False, True

    @property
    def expected(self) -> tuple[Matcher, list[Any]]:
        """A matcher fitted from scratch on the postings of the last fit, and its answers."""
        if self._expected is None:
            fitted = Matcher.fit(self.fitted_on.values(), engine="base")
            self._expected = fitted, answers(fitted)
        return self._expected

    def check(self) -> None:
        matcher = self.matcher
        assert matcher.postings.ids == sorted(self.held)
        assert list(matcher.postings) == [self.held[name] for name in sorted(self.held)]
        assert len(matcher) == len(self.held)
        assert matcher.is_fitted == self.is_fitted
        assert matcher.generation == self.generation
        fitted, said = self.expected
        for posting_id in self.fitted_on.keys() - self.held.keys():
            assert matcher._snapshot.find([posting_id]) == [None]
        if self.is_fitted:
            assert answers(matcher) == said
        else:
            assert learned(matcher) == said[0]
            assert_scores_follow(matcher, fitted.features, PROFILES)
        parts = matcher._snapshot.parts
        assert sum(2 * part.size <= updates.MOST_MERGED for part in parts) <= updates.MOST_PARTS
        assert all(part.size for part in parts)


class Retraining(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(updates, "MOST_PARTS", 2)
        self.patch.setattr(updates, "MOST_MERGED", 6)
        self.patch.setattr(updates, "MOST_DELETED", 0.3)
        self.patch.setattr(os, "fsync", lambda descriptor: None)  # no power is cut here
        self.disk: dict[int, tuple[Held, Held, bool]] = {}
        self.parents: dict[int, int] = {}
        self.current = self.last = 0
        self.copies: list[Known] = []
        self.touched: list[Known] = []

    @initialize(
        board=boards,
        engine=st.sampled_from(["base", "fast", None]),
        other=st.sampled_from(["base", "fast", None]),
    )
    def begin(self, board: list[Posting], engine: str | None, other: str | None) -> None:
        held = {posting.id: posting for posting in board}
        self.engine = other
        self.matchers = [Known(Matcher.fit(board, engine=engine), held, held)]
        self.touched = list(self.matchers)
        self.save(self.matchers[0], None)
        self.matchers.append(self.open(self.current))

    def open(self, generation: int) -> Known:
        named = None if generation == self.current else generation
        known = Known(Matcher.load(self.folder, engine=self.engine, generation=named), {}, {})
        self.adopt(known, generation)
        return known

    def adopt(self, known: Known, generation: int) -> None:
        """The matcher has this generation open now."""
        known.held, known.fitted_on, known.is_fitted = self.disk[generation]
        known.held, known.fitted_on = dict(known.held), dict(known.fitted_on)
        known.generation, known.is_changed = generation, False
        known.pointer = (self.folder / "CURRENT").read_bytes() if generation == self.current else b""
        known._expected = None

    def save(self, known: Known, keep: int | None) -> None:
        assert known.matcher.save(self.folder, keep=keep) == self.last + 1
        self.publish(known)

    def publish(self, known: Known) -> None:
        self.parents[self.last + 1] = self.current
        self.current = self.last = self.last + 1
        self.disk[self.current] = dict(known.held), dict(known.fitted_on), known.is_fitted
        known.generation, known.is_changed = self.current, False
        known.pointer = (self.folder / "CURRENT").read_bytes()
        self.forget_deleted()

    def forget_deleted(self) -> None:
        there = {entry.number for entry in history(self.folder)}
        assert self.current in there
        assert {known.generation for known in [*self.matchers, *self.copies]} - {0} <= there
        self.disk = {number: state for number, state in self.disk.items() if number in there}

    def pick(self, number: int) -> Known:
        known = self.matchers[number]
        self.touched.append(known)
        return known

    which = st.integers(0, 1)

    # --- news ---

    @rule(number=which, news=st.lists(postings, max_size=6))
    def add(self, number: int, news: list[Posting]) -> None:
        known = self.pick(number)
        latest = {posting.id: posting for posting in news}
        changes = known.matcher.add(iter(news))
        old = known.held
        assert set(changes.added) == latest.keys() - old.keys()
        assert set(changes.unchanged) == {name for name in latest if old.get(name) == latest[name]}
        assert set(changes.changed) == latest.keys() - {*changes.added, *changes.unchanged}
        assert changes.removed == changes.unknown == ()
        known.held |= latest
        known.note(changes)

    @rule(number=which, news=st.lists(postings, max_size=6), text=sentences)
    def update(self, number: int, news: list[Posting], text: str) -> None:
        known = self.pick(number)
        some = [Posting(id=name, title=text) for name in sorted(known.held)[::3]]
        changes = known.matcher.update([*news, *some])
        latest = {posting.id: posting for posting in [*news, *some]}
        mine = {name: posting for name, posting in latest.items() if name in known.held}
        assert set(changes.unknown) == latest.keys() - mine.keys()
        assert {*changes.changed, *changes.unchanged} == mine.keys()
        assert changes.added == changes.removed == ()
        known.held |= mine
        known.note(changes)

    @rule(number=which, data=st.data())
    def remove(self, number: int, data: st.DataObject) -> None:
        known = self.pick(number)
        gone = data.draw(st.lists(st.sampled_from([*sorted(known.held), "x"]), max_size=8))
        changes = known.matcher.remove(gone)
        assert set(changes.removed) == known.held.keys() & set(gone)
        assert set(changes.unknown) == set(gone) - known.held.keys()
        known.held = {name: posting for name, posting in known.held.items() if name not in gone}
        known.note(changes)

    @rule(number=which, before=dates.filter(bool))
    def expire(self, number: int, before: datetime) -> None:
        known = self.pick(number)
        old = {name for name, posting in known.held.items() if posting.posted and posting.posted < before}
        if len(old) > len(known.held) / 2:  # a board of old postings only would soon be empty
            before, old = datetime(2024, 1, 1, tzinfo=UTC), set()
        changes = known.matcher.expire(before)
        assert changes == Changes(removed=tuple(sorted(old)))
        known.held = {name: posting for name, posting in known.held.items() if name not in old}
        known.note(changes)

    @rule(number=which)
    def refit(self, number: int) -> None:
        known = self.pick(number)
        known.matcher.refit()
        known.learn()

    # --- copies ---

    @rule(number=which)
    def snapshot(self, number: int) -> None:
        known = self.matchers[number]
        copied = Known(known.matcher.snapshot(), known.held, known.fitted_on)
        copied.is_fitted, copied.generation = known.is_fitted, known.generation
        self.copies = [*self.copies[-2:], copied]
        self.touched.append(copied)
        with pytest.raises(OptionError, match="belongs to no model directory"):
            copied.matcher.reload_if_changed()

    @precondition(lambda self: self.copies)
    @rule(news=st.lists(postings, max_size=3))
    def change_a_copy(self, news: list[Posting]) -> None:
        copied = self.copies[-1]
        copied.note(copied.matcher.add(news))
        copied.held |= {posting.id: posting for posting in news}
        copied.matcher.compact()
        copied.learn()
        self.touched += [copied, *self.matchers]

    @precondition(lambda self: self.copies)
    @rule()
    def look_at_copies(self) -> None:
        self.touched += self.copies

    # --- the folder ---

    @rule(number=which, keep=st.one_of(st.none(), st.integers(1, 4)))
    def save_or_conflict(self, number: int, keep: int | None) -> None:
        known = self.pick(number)
        if known.generation == self.current:
            self.save(known, keep)
            return
        files = sorted(self.folder.rglob("*"))
        with pytest.raises(ModelConflictError, match="reload, apply the changes again, and save"):
            known.matcher.save(self.folder, keep=keep)
        assert sorted(self.folder.rglob("*")) == files

    @rule(number=which)
    def compact(self, number: int) -> None:
        known = self.pick(number)
        known.learn()
        if known.generation == self.current:
            generation, in_use = known.matcher.compact()
            assert generation == self.last + 1
            self.publish(known)
            assert set(in_use) == self.disk.keys() - {self.current}
        else:
            with pytest.raises(ModelConflictError):
                known.matcher.compact()
            known.is_changed = known.matcher._is_changed  # whether segments were put together
        assert not any(len(part.deleted) for part in known.matcher._snapshot.parts)

    @rule(number=which, generation=st.none() | st.integers(0, 5))
    def load(self, number: int, generation: int | None) -> None:
        numbers = sorted(self.disk)
        chosen = self.current if generation is None else numbers[generation % len(numbers)]
        self.matchers[number] = known = self.open(chosen)
        self.touched.append(known)

    @rule(number=which)
    def reload(self, number: int) -> None:
        known = self.pick(number)
        before = known.matcher.recommend(PROFILES[0], 99)
        said = outcome(before)
        if known.pointer == (self.folder / "CURRENT").read_bytes():
            assert not known.matcher.reload_if_changed()
        elif known.is_changed:
            with pytest.raises(ModelConflictError, match="not saved"):
                known.matcher.reload_if_changed()
        else:
            assert known.matcher.reload_if_changed()
            self.adopt(known, self.current)
        assert outcome(before) == said  # recommendations made before are read from what they were made of

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        to = data.draw(st.sampled_from([None, *sorted(self.disk)]))
        smaller = [number for number in self.disk if number < self.current]
        if to is None and not smaller:
            with pytest.raises(ModelNotFoundError):
                rollback(self.folder)
            return
        parent = self.parents[self.current]
        wanted = to or (parent if parent in smaller else max(smaller))
        assert rollback(self.folder, to) == wanted
        self.current = wanted

    @rule(keep=st.integers(1, 3))
    def collect(self, keep: int) -> None:
        removed, in_use = collect(self.folder, keep)
        assert removed + in_use == sorted([*removed, *in_use]) or not {*removed} & {*in_use}
        assert self.current not in {*removed, *in_use}
        assert len(self.disk) - len(removed) - len(in_use) == min(keep, len(self.disk))
        self.forget_deleted()

    @rule()
    def read_all_generations(self) -> None:
        assert {entry.number for entry in history(self.folder)} == self.disk.keys()
        for number in self.disk:
            self.open(number).check()

    @invariant()
    def all_is_as_it_must_be(self) -> None:
        for known in {id(known): known for known in self.touched}.values():
            known.check()
            assert not known.is_changed or known.matcher._is_changed
        self.touched = []

    def teardown(self) -> None:
        self.patch.undo()
        shutil.rmtree(self.folder)


TestRetraining = Retraining.TestCase
TestRetraining.settings = settings(max_examples=9, stateful_step_count=30, deadline=None)


def test_rankings_of_both_engines_are_the_same_bits() -> None:
    """What the machine relies on when it compares every engine with the base engine."""
    board = [Posting(id=str(number), title="cook " * (number % 3) + "nurse") for number in range(9)]
    rankings = [Matcher.fit(board, engine=name).recommend("cook", 9) for name in ("base", "fast")]
    assert bits(rankings[0]) == bits(rankings[1])
