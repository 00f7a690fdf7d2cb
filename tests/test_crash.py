"""Whatever interrupts a writer: the old model or the new one, whole. benchmarks/crash.py does more of it."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash_states import TOP, Change
from tests.crashes import ACTS, SCENARIOS, crash, fail_everywhere, quick_folder, record
from tests.processes import read_while_publishing

SEED = 20_261_127


@pytest.fixture
def quick():
    with quick_folder() as folder:
        yield folder


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_state_a_crash_may_leave_is_the_old_model_or_the_new_one(quick, name):
    scenario = SCENARIOS[name]
    base, changes = record(scenario, quick / "played")
    tally = crash(scenario, changes, base, quick, SEED, several=2)
    assert tally.bad == []
    assert tally.states > len(changes)
    assert set(tally.outcomes) == set(scenario.on_the_way)  # before the switch, and after it


@pytest.mark.parametrize("name", ["publish", "go back"])
def test_the_simulator_finds_each_sync_that_is_missing(quick, name):
    scenario = SCENARIOS[name]
    base, changes = record(scenario, quick / "played")
    syncs = [place for place, change in enumerate(changes) if change.kind == "sync"]
    assert len(syncs) == {"publish": 9, "go back": 2}[name]
    for place in syncs:
        assert crash(scenario, changes, base, quick, SEED, several=2, without=place).bad, changes[place]


def test_the_simulator_finds_a_collection_before_what_is_current_is_durable(quick):
    scenario = SCENARIOS["killed before the last sync, then collect"]
    base, changes = record(scenario, quick / "played")
    syncs = [place for place, change in enumerate(changes) if change == Change("sync", TOP)]
    assert len(syncs) == 3  # the new generation; then, by who collects, CURRENT, and what is to be deleted
    for place in syncs:
        assert crash(scenario, changes, base, quick, SEED, several=2, without=place).bad


@pytest.mark.parametrize(
    ("code", "partly"),
    [(errno.ENOSPC, False), (errno.ENOSPC, True), (errno.EIO, True), (errno.EDQUOT, False)],
)
@pytest.mark.parametrize("act", ACTS)
def test_an_error_at_any_call_is_told_or_overcome(quick, act, code, partly):
    result = fail_everywhere(act, code, partly, quick)
    assert result.bad == []
    assert result.told > 3
    assert result.overcome or act == "go back"


def test_a_killed_writer_leaves_a_whole_model_and_keeps_nobody_from_writing(tmp_path):
    if not hasattr(os, "fork"):
        pytest.skip("no fork here")
    code = "import sys; from pathlib import Path; from tests.processes import kills; "
    code += "result = kills(Path(sys.argv[1]), 15, int(sys.argv[2])); print(result.begun, result.bad)"
    # In a process that has no other threads, because it forks.
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), str(SEED)],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    begun, bad = done.stdout.rstrip().split(" ", 1)
    assert bad == "[]"
    assert int(begun) > 0


def test_readers_never_fail_and_never_see_a_mixture(tmp_path):
    result = read_while_publishing(tmp_path, readers=2, reads=400, publications=20)
    assert result.failures == []
    assert result.mixtures == 0
    assert (result.reads, result.published) == (400, 20)
    assert result.removed + result.in_use > 10
    assert len(result.seen) > 5
