"""A short run of the fuzzer over everything that reads files; benchmarks/fuzz_reading.py is the long one."""

import random
import re
import signal

import pytest

from matcher.errors import PostingError
from tests import fuzzing
from tests.fuzzing import TARGETS, WORDS, Lines, Target, fuzz, mutate, seeds_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no alarms")

MUTATIONS = 80


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "pdf"])
def test_nothing_escapes(name):
    target = TARGETS[name]
    found = fuzz(target, len(seeds_of(target)) + MUTATIONS, 1)
    assert [(message, data[:500]) for message, data in found.failures] == []
    assert found.lines >= found.seed_lines > 10
    assert found.outcomes > 3


def test_nothing_escapes_from_a_pdf():
    pytest.importorskip("pypdf")
    assert fuzz(TARGETS["pdf"], MUTATIONS, 1).failures == []


def test_every_format_and_board_has_a_target():
    assert {"markdown", "json lines", "json documents", "csv", "feeds", "html pages", "boards"} <= set(
        TARGETS
    )
    assert len(TARGETS) >= 20


def _target(run):
    return Target("planted", run, ["csv"], "csv")


def test_what_escapes_is_found_once():
    def run(data):
        if b"sep=" in data:
            raise KeyError("planted")
        raise PostingError("refused")

    found = fuzz(_target(run), 400, 1)
    assert len(found.failures) == 1
    assert re.fullmatch(r"KeyError at test_fuzz_reading.py:\d+: 'planted'", found.failures[0][0])
    assert b"sep=" in found.failures[0][1]
    assert found.refused > 100


def test_what_hangs_is_found(monkeypatch):
    monkeypatch.setattr(fuzzing, "SECONDS", 0.05)

    def run(data):
        while True:
            pass

    found = fuzz(_target(run), 2, 1)
    assert [message for message, _ in found.failures] == ["takes more than 0.05 s"] * 2


def test_a_posting_that_changes_by_being_stored_is_found(monkeypatch):
    target = TARGETS["json lines"]
    assert fuzz(target, 5, 1).failures == []
    monkeypatch.setattr(fuzzing.Posting, "from_record", lambda record: None)
    assert "a posting changed" in fuzz(target, 5, 1).failures[0][0]


def test_the_same_seed_gives_the_same_inputs():
    for words in [*WORDS, "gzip", "zip"]:
        pool = [b'{"title": "Cook", "tags": ["a", 5]}\n', b"title,body\nCook,x\n"]
        runs = [[mutate(pool, words, random.Random(seed)) for seed in range(40)] for _ in range(2)]
        assert runs[0] == runs[1]
        assert len(set(runs[0])) > 30


def test_lines_are_counted_once():
    lines = Lines()
    run = TARGETS["timestamps"].run
    lines.run(lambda: run(b"soon"))
    few = lines.count
    lines.run(lambda: run(b"soon"))
    assert 5 < few == lines.count
    lines.run(lambda: run(b"7. Dezember 2020"))
    assert lines.count > few
