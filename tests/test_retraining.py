"""Retraining: what comes in, goes out and stays, what is refused, and that the old model serves meanwhile."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from matcher import (
    Matcher,
    ModelDamagedError,
    ModelLockedError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelSignatureError,
    ModelWriteError,
    OptionError,
    Posting,
    PostingError,
    Profile,
    SourceError,
    analyzer,
    read_postings,
    retraining,
)
from matcher.changes import Changes
from matcher.drift import Gate
from matcher.evaluate import JudgedCV
from matcher.retraining import retrain
from matcher.segments import Segment
from matcher.sources import Rejected
from matcher.store import lock_model, read_model
from matcher.store.generations import history, rollback

ROOT = Path(__file__).parent.parent
KEY = b"0123456789abcdef0123456789abcdef"
BROKEN = Rejected("jobs.jsonl", 3, "not JSON")


def posting(name, body="Cook soup", day=None, **fields):
    posted = None if day is None else datetime(2026, 3, day, tzinfo=UTC)
    return Posting(id=name, title=f"Job {name}", body=body, posted=posted, **fields)


JOBS = [
    posting("a", "Cook soup in our kitchen", 1, hashtags=["kitchen"]),
    posting("b", "Bake bread at night", 5),
    posting("c", "Nurse on a ward, care for patients", 9, hashtags=["care"]),
    posting("d", "Weld pipes"),
]
CVS = ["Cook who bakes bread", "Nurse, ward and care", "Pipes, kitchen and soup"]


@pytest.fixture
def model(tmp_path):
    """A model of four postings, published once."""
    Matcher.fit(JOBS).save(tmp_path / "model")
    return tmp_path / "model"


def snapshot(root):
    """Return every file below a folder, but for the lock, which is no part of a model."""
    files = (path for path in Path(root).rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(root): path.read_bytes() for path in files}


def rankings(matcher):
    return [
        [(hit.posting, hit.score.hex(), hit.contributions) for hit in ranking]
        for ranking in matcher.recommend_many(CVS, 10)
    ]


def assert_like_a_fit(path, postings):
    """Check that the model is what a fit on these postings alone would be, bit for bit."""
    loaded, fitted = Matcher.load(path), Matcher.fit(postings)
    assert [*loaded.postings] == [*fitted.postings]
    assert rankings(loaded) == rankings(fitted)
    assert loaded.is_fitted
    for learned, wanted in zip(loaded.features, fitted.features, strict=True):
        assert [*learned.vocabulary] == [*wanted.vocabulary]
        assert learned.document_frequency.tolist() == wanted.document_frequency.tolist()


def assert_free(path):
    """Check that nobody holds the lock, and that no half-written file is there."""
    lock_model(path).release()
    assert [file.name for file in path.glob(".*") if file.name != ".lock"] == []


# --- what changes ---------------------------------------------------------------------------------


def test_new_and_changed_postings_come_in_and_the_rest_stays(model):
    changed = posting("b", "Bake cakes")
    result = retrain(model, [posting("e", "Drive a lorry"), changed, JOBS[0]])
    assert (result.generation, result.parent, result.refused) == (2, 1, ())
    assert result.changes == Changes(added=("e",), changed=("b",), unchanged=("a",))
    assert (result.report.postings_before, result.report.postings_after) == (4, 5)
    assert_like_a_fit(model, [JOBS[0], changed, *JOBS[2:], posting("e", "Drive a lorry")])


def test_postings_are_removed_by_id_and_unknown_ids_are_told(model):
    result = retrain(model, [], remove=["c", "x"])
    assert result.changes == Changes(removed=("c",), unknown=("x",))
    assert_like_a_fit(model, [JOBS[0], JOBS[1], JOBS[3]])


@pytest.mark.parametrize("before", ["2026-03-05", date(2026, 3, 5), datetime(2026, 3, 5, tzinfo=UTC)])
def test_postings_expire_and_undated_ones_stay(model, before):
    result = retrain(model, [], expire_before=before)
    assert result.changes == Changes(removed=("a",))
    assert_like_a_fit(model, JOBS[1:])


def test_what_is_to_be_removed_or_has_expired_is_not_taken_in(model):
    late = posting("b", "Bake bread at night", 2)  # held with a later date
    old, new = posting("old", day=1), posting("new", day=7)
    result = retrain(
        model, [late, old, new, posting("x")], remove=["x", "y", "d"], expire_before="2026-03-04"
    )
    assert result.changes == Changes(added=("new",), removed=("a", "b", "d"), unknown=("y",))
    assert result.left_out == ("b", "old", "x")
    assert_like_a_fit(model, [JOBS[2], new])
    again = retrain(model, [late, old, new, posting("x")], remove=["x"], expire_before="2026-03-04")
    assert (again.generation, bool(again.changes)) == (None, False)


def test_a_complete_source_removes_what_it_lacks(model):
    result = retrain(
        model, [JOBS[1], posting("e"), posting("f", day=1)], complete=True, expire_before="2026-03-02"
    )
    assert result.changes == Changes(added=("e",), removed=("a", "c", "d"), unchanged=("b",))
    assert_like_a_fit(model, [JOBS[1], posting("e")])


def test_of_two_postings_with_one_id_the_last_wins_and_it_is_told(model):
    result = retrain(model, [posting("e", "first"), posting("e", "second"), JOBS[0], JOBS[0]])
    assert result.replaced == ("e",)
    assert_like_a_fit(model, [*JOBS, posting("e", "second")])


def test_nothing_new_publishes_nothing(model):
    before = snapshot(model)
    result = retrain(model, [*JOBS, *JOBS[:1]], remove=["x"], expire_before="2026-03-01", complete=True)
    assert (result.generation, result.parent, result.refused) == (None, 1, ())
    assert not result.changes
    assert snapshot(model) == before


def test_only_what_changed_is_counted(model, monkeypatch):
    counted = []
    count = Segment.from_postings.__func__

    def spy(cls, postings, *arguments, **options):
        counted.extend(found.id for found in postings)
        return count(cls, postings, *arguments, **options)

    monkeypatch.setattr(Segment, "from_postings", classmethod(spy))
    retrain(model, [*JOBS[:3], posting("d", "Weld steel"), posting("e")])
    assert counted == ["d", "e"]


def test_a_segment_that_stays_is_linked_and_not_written_again(model):
    retrain(model, [posting("e")])
    name = "segment0.postings.records.txt"
    assert (model / "gen-00000001" / name).stat().st_ino == (model / "gen-00000002" / name).stat().st_ino


def test_weights_that_were_never_refitted_are_learned_even_when_nothing_else_is_new(model):
    matcher = Matcher.load(model)
    matcher.add([posting("e", "bread")])
    matcher.save(model)
    assert not Matcher.load(model).is_fitted
    assert retrain(model, []).generation == 3
    assert_like_a_fit(model, [*JOBS, posting("e", "bread")])


MOVES = st.lists(
    st.fixed_dictionaries(
        {
            "postings": st.lists(
                st.builds(
                    posting,
                    st.sampled_from("abcdefgh"),
                    st.sampled_from(["Cook soup", "Bake bread", "Nurse", ""]),
                    st.sampled_from([None, 1, 5, 9]),
                ),
                max_size=5,
            ),
            "remove": st.sets(st.sampled_from("abcxyz"), max_size=2),
            "expire_before": st.sampled_from([None, None, "2026-03-04"]),
            "complete": st.sampled_from([False, False, True]),
        }
    ),
    max_size=4,
)


@given(MOVES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_sequence_of_retrainings_leads_where_plain_dictionaries_lead(tmp_path_factory, moves):
    path = tmp_path_factory.mktemp("moves") / "model"
    held = {job.id: job for job in JOBS}
    retrain(path, JOBS)
    for move in moves:
        before = dict(held)
        result = retrain(
            path, move["postings"], force=True, **{k: v for k, v in move.items() if k != "postings"}
        )
        given_ones = {job.id: job for job in move["postings"]}
        held = given_ones if move["complete"] else held | given_ones
        held = {name: job for name, job in held.items() if name not in move["remove"]}
        if move["expire_before"]:
            moment = datetime(2026, 3, 4, tzinfo=UTC)
            held = {name: job for name, job in held.items() if job.posted is None or job.posted >= moment}
        assert result.changes.added == tuple(sorted(held.keys() - before.keys()))
        assert result.changes.removed == tuple(sorted(before.keys() - held.keys()))
        both = held.keys() & before.keys()
        assert result.changes.changed == tuple(sorted(name for name in both if held[name] != before[name]))
        assert (result.generation is None) == (held == before)
        assert_like_a_fit(path, held.values())


# --- refusals -------------------------------------------------------------------------------------


def test_a_source_that_was_not_read_in_full_must_not_empty_a_board(model):
    before = snapshot(model)
    result = retrain(model, [JOBS[0]], complete=True, rejected=[BROKEN])
    assert result.generation is None
    [reason] = result.refused
    assert reason.startswith("1 posting was rejected, and what a complete source lacks is removed")
    assert result.changes.removed == ("b", "c", "d")  # what would have been lost
    assert result.report.rejected == (BROKEN,)
    assert snapshot(model) == before
    assert retrain(model, [JOBS[0]], complete=True, rejected=[BROKEN], force=True).generation == 2
    assert_like_a_fit(model, JOBS[:1])


def test_without_complete_what_could_be_read_comes_in_whatever_was_rejected(model):
    result = retrain(model, [posting("e")], rejected=[BROKEN])
    assert (result.generation, result.report.rejected_count) == (2, 1)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"complete": True}, "no posting was read; a complete source would remove all 4"),
        ({"rejected": [BROKEN]}, "no posting could be read (1 rejected)"),
        ({"expire_before": "2027-01-01", "remove": ["d"]}, "none of 4 postings would be left"),
    ],
    ids=["empty", "broken", "far date"],
)
def test_what_looks_like_a_mistake_is_refused_unless_forced(model, options, reason):
    before = snapshot(model)
    result = retrain(model, [], **options)
    assert result.generation is None
    assert [said[: len(reason)] for said in result.refused] == [reason]
    assert snapshot(model) == before
    forced = retrain(model, [], force=True, **options)
    assert not forced.refused
    assert (forced.generation is None) == ("rejected" in options)  # nothing to do is nothing to publish


def test_more_than_half_of_a_board_does_not_vanish_by_itself(tmp_path):
    path = tmp_path / "model"
    board = [posting(f"n{number:02}", day=1 + number) for number in range(20)]
    retrain(path, board)
    before = snapshot(path)
    for options in (
        {"postings": board[:9], "complete": True},
        {"postings": [], "expire_before": "2026-03-12"},
        {"postings": board[:14], "complete": True, "expire_before": "2026-03-06"},
    ):
        result = retrain(path, **options)
        assert [reason[:42] for reason in result.refused] == ["11 of 20 postings would be removed, more t"]
    assert snapshot(path) == before
    named = [found.id for found in board[:11]]
    assert retrain(path, [], remove=named, dry_run=True).refused == ()
    assert retrain(path, [], expire_before="2026-03-11", dry_run=True).refused == ()  # 10 of 20
    assert retrain(path, board[:9], complete=True, force=True).generation == 2
    assert retrain(path, board[:1], complete=True).generation == 3  # of nine, any share


def test_a_reader_gives_its_own_account_of_what_was_rejected(model, tmp_path):
    source = tmp_path / "jobs.jsonl"
    source.write_text('{"id": "a", "title": "Cook"}\n' + "{broken\n" * 1005)
    result = retrain(model, read_postings(source), complete=True)
    assert result.refused
    assert result.report.rejected_count == 1005
    assert len(result.report.rejected) == 1000
    assert result.report.rejected[0].line == 2


def test_a_list_of_rejections_is_looked_at_when_all_is_read(model):
    rejected = []

    def read():
        yield posting("e")
        rejected.append(BROKEN)

    result = retrain(model, read(), rejected=rejected, complete=True)
    assert result.refused
    assert result.report.rejected_count == 1


def test_a_gate_that_is_not_passed_leaves_the_model_and_gives_the_report(model):
    before = snapshot(model)
    probes = {"cook.md": Profile("Cook soup"), "nurse.md": Profile("Nurse on a ward")}
    options = {"remove": ["a"], "probes": probes}
    result = retrain(model, [], gate=Gate(max_drift=0.1), **options)
    assert result.generation is None
    [reason] = result.refused
    assert reason.startswith("drift is 0.")
    assert {probe.label for probe in result.report.probes} == set(probes)
    assert snapshot(model) == before
    assert retrain(model, [], gate=Gate(max_drift=0.9), **options).generation == 2


def test_quality_is_measured_on_judged_cvs_and_refuses_what_is_worse(model, tmp_path):
    cv = tmp_path / "cv.txt"
    cv.write_text("Nurse who cares for patients, ward")
    judged = [JudgedCV("cv.txt", cv, {"c": 2})]
    rival = [posting(f"r{number}", "Nurse ward patients cares") for number in range(12)]
    result = retrain(model, rival, judgements=judged, gate=Gate(min_quality=0.9))
    assert result.report.quality_before == 1.0
    assert result.refused[0].startswith("quality is ")
    assert retrain(model, [posting("e")], judgements=judged, gate=Gate(min_quality=0.9)).generation == 2


def test_forcing_does_not_open_the_gate(model):
    gate = Gate(max_drift=0.1)
    result = retrain(model, [], remove=["a", "b", "c", "d"], force=True, gate=gate, probes={"x": "Cook soup"})
    assert result.generation is None
    assert len(result.refused) == 1


def test_the_gate_has_no_say_when_nothing_changes(model, tmp_path):
    cv = tmp_path / "cv.txt"
    cv.write_text("Nurse")
    judged = [JudgedCV("cv.txt", cv, {"d": 1})]
    result = retrain(model, JOBS, judgements=judged, gate=Gate(min_quality=1.0))
    assert (result.generation, result.refused) == (None, ())


@pytest.mark.parametrize("gate", [Gate(max_drift=0.5), Gate(min_quality=0.5)])
def test_a_gate_without_anything_to_measure_is_noticed_before_anything_is_read(tmp_path, gate):
    def read():
        pytest.fail("read")
        yield

    with pytest.raises(OptionError, match="needs"):
        retrain(tmp_path / "model", read(), gate=gate)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "options",
    [{"keep": 0}, {"keep": True}, {"expire_before": "soon"}, {"remove": [1]}, {"threads": 0}],
    ids=str,
)
def test_arguments_that_make_no_sense_change_nothing(model, options):
    before = snapshot(model)
    with pytest.raises(OptionError):
        retrain(model, [posting("e")], **options)
    assert snapshot(model) == before
    assert_free(model)


# --- the first time -------------------------------------------------------------------------------


def test_where_no_model_is_one_is_made(tmp_path):
    result = retrain(tmp_path / "models" / "new", JOBS, probes={"cv": "Cook"}, gate=Gate(max_drift=0.0))
    assert (result.generation, result.parent) == (1, 0)
    assert_like_a_fit(tmp_path / "models" / "new", JOBS)


def test_a_folder_without_a_model_becomes_one_and_keeps_its_files(tmp_path):
    (tmp_path / "readme").write_text("mine")
    assert retrain(tmp_path, JOBS).generation == 1
    assert (tmp_path / "readme").read_text() == "mine"


@pytest.mark.parametrize("made", [False, True], ids=["missing", "empty folder"])
def test_a_first_training_that_comes_to_nothing_leaves_nothing(tmp_path, made):
    path = tmp_path / "models" / "deep" / "new"
    if made:
        path.mkdir(parents=True)

    def stop():
        yield JOBS[0]
        raise KeyboardInterrupt

    cv = tmp_path / "cv.txt"
    cv.write_text("Nurse")
    with pytest.raises(ModelNotFoundError, match="no posting was read"):
        retrain(path, [])
    with pytest.raises(ModelNotFoundError):
        retrain(path, [], rejected=[BROKEN])
    with pytest.raises(KeyboardInterrupt):
        retrain(path, stop())
    judged = [JudgedCV("cv.txt", cv, {"d": 1})]
    assert retrain(path, JOBS, judgements=judged, gate=Gate(min_quality=1.0)).refused
    cv.unlink()
    assert sorted(tmp_path.rglob("*")) == ([path.parent.parent, path.parent, path] if made else [])


# --- what goes wrong on the way -------------------------------------------------------------------

STAGES = {
    "opening": "Matcher.load",
    "reading": "collect_postings",
    "applying": "Matcher.add",
    "removing": "Matcher.remove",
    "learning": "Matcher.refit",
    "measuring": "measure_drift",
    "saving": "Matcher.save",
}


@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SourceError("gone")], ids=str)
def test_an_error_at_any_stage_leaves_the_old_model_and_the_lock_free(model, monkeypatch, stage, error):
    before = snapshot(model)
    owner, _, name = stage.rpartition(".")
    with monkeypatch.context() as patch:

        def fail(*arguments, **options):
            raise error

        patch.setattr(getattr(retraining, owner) if owner else retraining, name, fail)
        with pytest.raises(type(error) if isinstance(error, Exception) else error):
            retrain(model, [posting("e")])
    assert snapshot(model) == before
    assert_free(model)
    assert retrain(model, [posting("e")]).generation == 2


@pytest.mark.parametrize("error", [PostingError("bad"), SourceError("gone"), KeyboardInterrupt()], ids=repr)
def test_a_source_that_fails_midway_changes_nothing(model, error):
    before = snapshot(model)

    def read():
        yield posting("e")
        raise error

    with pytest.raises(type(error)):
        retrain(model, read(), complete=True)
    assert snapshot(model) == before
    assert_free(model)


@pytest.mark.parametrize("call", ["fsync", "mkdir", "rename", "link"])
def test_a_disk_that_fails_leaves_the_old_model(model, monkeypatch, call):
    """Links may fail: then the files are written."""
    before = snapshot(model)
    with monkeypatch.context() as patch:

        def fail(*arguments, **options):
            raise OSError(28, "No space left on device")

        patch.setattr(os, call, fail)
        if call == "link":
            assert retrain(model, [posting("e")]).generation == 2
            return
        with pytest.raises(ModelWriteError, match="No space left on device"):
            retrain(model, [posting("e")])
    assert snapshot(model) == before
    assert_free(model)


def test_failing_to_delete_old_generations_is_no_failure_to_publish(model, monkeypatch):
    def fail(*arguments, **options):
        raise ModelWriteError("read-only")

    monkeypatch.setattr(retraining, "collect", fail)
    result = retrain(model, [posting("e")], keep=1)
    assert (result.generation, result.deleted) == (2, ())


def test_postings_of_another_type_are_refused(model):
    with pytest.raises(PostingError):
        retrain(model, [{"id": "e"}])
    assert_free(model)


@pytest.mark.parametrize(
    "damage", ["CURRENT", "gen-00000001/manifest.json", "gen-00000001/text.vocabulary.txt"]
)
def test_a_damaged_model_is_not_built_upon(model, damage):
    (model / damage).write_bytes(b"damaged")
    before = snapshot(model)
    with pytest.raises(ModelDamagedError):
        retrain(model, [posting("e")])
    assert snapshot(model) == before
    assert_free(model)


def test_without_current_the_new_postings_alone_do_not_take_the_place_of_the_model(model):
    (model / "CURRENT").unlink()
    with pytest.raises(ModelDamagedError, match="rollback --to 1"):
        retrain(model, [posting("e")])
    assert not (model / "CURRENT").exists()
    assert rollback(model, 1) == 1
    assert retrain(model, [posting("e")]).generation == 2
    assert_like_a_fit(model, [*JOBS, posting("e")])


def test_a_model_of_another_analyzer_asks_to_be_trained_again(model, monkeypatch):
    before = snapshot(model)
    monkeypatch.setattr(analyzer, "VERSION", analyzer.VERSION + 1)
    with pytest.raises(ModelSchemaError) as caught:
        retrain(model, [posting("e")])
    assert str(caught.value).count("train the model again") == 1
    assert snapshot(model) == before


# --- one writer at a time -------------------------------------------------------------------------


def test_nobody_else_writes_from_opening_to_publishing(model):
    other = Matcher.load(model)
    other.add([posting("z")])
    refused = []

    def read():
        for attempt in (lambda: other.save(model), lambda: retrain(model, []), lambda: rollback(model, 1)):
            with pytest.raises(ModelLockedError, match=f"process {os.getpid()}"):
                attempt()
            refused.append(attempt)
        code = f"from matcher.retraining import retrain; retrain({str(model)!r}, [])"
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert "ModelLockedError" in ran.stderr
        yield posting("e")

    assert retrain(model, read()).generation == 2
    assert len(refused) == 3
    assert_free(model)


def test_retrainings_at_once_lose_nothing(model):
    """Those who find the model locked try again; every posting gets in."""
    names = [f"n{number}" for number in range(6)]

    def work(name):
        while True:
            with contextlib.suppress(ModelLockedError):
                retrain(model, [posting(name)], keep=2)
                return

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert Matcher.load(model).postings.ids == sorted([*"abcd", *names])
    assert Matcher.load(model).generation == 7


def test_a_dry_run_writes_nothing_and_needs_no_lock(model, tmp_path):
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with lock_model(model):
        result = retrain(model, [posting("e")], remove=["a"], dry_run=True)
    assert result.generation is None
    assert result.changes == Changes(added=("e",), removed=("a",))
    assert result.report.postings_after == 4
    assert retrain(tmp_path / "new", JOBS, dry_run=True).changes.added == ("a", "b", "c", "d")
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {**after, model / ".lock": b""} == {**before, model / ".lock": b""}
    assert not (tmp_path / "new").exists()


# --- generations ----------------------------------------------------------------------------------


def test_the_newest_generations_are_kept_and_those_that_somebody_reads(model):
    reader = Matcher.open(model)
    results = [retrain(model, [posting(f"n{number}")], keep=2) for number in range(3)]
    assert [result.deleted for result in results] == [(), (), (2,)]
    assert [result.in_use for result in results] == [(), (1,), (1,)]
    assert [found.number for found in history(model)] == [1, 3, 4]
    assert reader.postings.ids == ["a", "b", "c", "d"]
    assert reader.reload_if_changed()
    assert reader.postings.ids == ["a", "b", "c", "d", "n0", "n1", "n2"]
    assert retrain(model, [posting("x")], keep=2).deleted == (1, 3)
    assert retrain(model, [posting("y")], keep=None).deleted == ()
    assert len(history(model)) == 3


def test_after_a_rollback_retraining_goes_on_from_there_with_a_new_number(model):
    retrain(model, [], remove=["a"])
    assert rollback(model) == 1
    result = retrain(model, [posting("e")])
    assert (result.generation, result.parent) == (3, 1)
    assert_like_a_fit(model, [*JOBS, posting("e")])


def test_the_manifest_notes_numbers_and_no_text(model, tmp_path):
    cv = tmp_path / "secret-name.txt"
    cv.write_text("Nurse Zyxwvut")
    retrain(
        model,
        [posting("id-of-new", "qwertz body"), JOBS[1]],
        remove=["a", "unknown-id"],
        probes={"label-of-probe": "Zyxwvut nurse"},
        judgements=[JudgedCV("secret-name.txt", cv, {"c": 2})],
        rejected=[BROKEN],
    )
    stored = read_model(model)
    note = stored.content["note"]
    assert note["changes"] == {"added": 1, "changed": 0, "removed": 1, "unchanged": 1, "rejected": 1}
    assert note.keys() == {"changes", "published", "drift", "quality"}
    assert 0 <= note["drift"] <= 1
    assert note["quality"] == 1.0
    published = datetime.fromisoformat(note["published"])
    assert abs((datetime.now(UTC) - published).total_seconds()) < 600
    manifest = (model / "gen-00000002" / "manifest.json").read_text()
    for text in (
        "id-of-new",
        "qwertz",
        "unknown-id",
        "label-of-probe",
        "Zyxwvut",
        "secret-name",
        "jobs.jsonl",
    ):
        assert text not in manifest


def test_the_whole_result_is_json(model):
    result = retrain(model, [posting("e"), posting("e", "x")], remove=["a"], probes={"cv": "Cook"}, keep=1)
    record = json.loads(json.dumps(result.to_record(), allow_nan=False))
    assert (record["generation"], record["parent"], record["replaced"]) == (2, 1, ["e"])
    assert (record["deleted"], record["in_use"]) == ([1], [])
    assert record["report"]["changes"]["added"]["ids"] == ["e"]


def test_a_signed_model_is_checked_and_signed_on(tmp_path):
    path = tmp_path / "model"
    retrain(path, JOBS, key=KEY)
    assert retrain(path, [posting("e")], key=KEY).generation == 2
    assert Matcher.load(path, key=KEY).generation == 2
    before = snapshot(path)
    with pytest.raises(ModelSignatureError):
        retrain(path, [posting("f")], key=KEY[::-1])
    with pytest.raises(OptionError):
        retrain(path, [posting("f")], key=b"short")
    assert snapshot(path) == before
    assert retrain(path, [posting("f")]).generation == 3  # whoever goes on without a key
    with pytest.raises(ModelSignatureError):
        retrain(path, [posting("g")], key=KEY)


def test_progress_is_told(model):
    told = []
    retrain(
        model,
        (posting(f"n{number:03}") for number in range(250)),
        progress=lambda stage, done, total: told.append((stage, done, total)),
    )
    assert ("reading postings", 200, 0) in told
    assert ("counting text", 250, 250) in told
