"""The commands that look after models: retrain, history, rollback, verify, compact; keys and interrupts."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from matcher import Matcher, read_postings
from matcher.cli import main
from matcher.store import lock_model, read_model, write_model
from tests.running import (
    ENVIRONMENT,
    assert_clean_failure,
    command,
    process,
    run,
    snapshot,
    steering,
    succeed,
)

JOBS = [
    {"id": "cook", "title": "Cook", "body": "Bake bread, cook soup", "timestamp": 1772323200000},
    {"id": "nurse", "title": "Nurse", "body": "Care for patients on our ward", "hashtags": ["care"]},
    {"id": "welder", "title": "Welder", "body": "MAG and TIG", "timestamp": 1760000000000},
]
NEW = [JOBS[0] | {"title": "Chef"}, {"id": "driver", "title": "Driver", "body": "Drive a lorry"}]
KEY = "0123456789abcdef0123456789abcdef"


def write_lines(path, jobs):
    path.write_text("".join(json.dumps(job) + "\n" for job in jobs), encoding="utf-8")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder with two sources, CVs, judgements and a model of the first source."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    write_lines(Path("jobs.jsonl"), JOBS)
    write_lines(Path("new.jsonl"), NEW)
    Path("broken.jsonl").write_text(json.dumps(NEW[1]) + "\n{not json\n")
    Path("empty.jsonl").write_text("")
    Path("empty").mkdir()
    Path("cvs").mkdir()
    Path("cvs/anna.txt").write_text("Anna Beispiel\nNurse who cares for patients")
    Path("cvs/ben.md").write_text("Cook, bread and soup")
    Path("cvs/notes.json").write_text("{}")
    Path("cvs/judged.json").write_text('{"judgements": {"anna.txt": {"nurse": {"grade": 2}}}}')
    Path("key").write_text(KEY + "\n")
    Path("other-key").write_text(KEY[::-1])
    Matcher.fit(read_postings("jobs.jsonl")).save("model")
    return home


def unlocked(root="."):
    return {path: data for path, data in snapshot(root).items() if path.name != ".lock"}


def ids(path="model", **options):
    return Matcher.load(path, **options).postings.ids


# --- retrain --------------------------------------------------------------------------------------


def test_retrain_publishes_and_says_what_changed():
    result = succeed("retrain", "new.jsonl", "--model", "model")
    lines = result.stdout.splitlines()
    assert lines[0] == "model: generation 2 with 4 postings"
    assert re.search(r"postings +3 → 4: 1 added, 1 changed", result.stdout)
    assert "drift" in result.stdout
    assert result.stderr == ""
    assert ids() == ["cook", "driver", "nurse", "welder"]
    again = succeed("retrain", "new.jsonl", "--model", "model")
    assert again.stdout == "model: nothing changed, generation 2 stays\n"


def test_retrain_makes_a_model_where_there_is_none():
    assert succeed("retrain", "jobs.jsonl", "--model", "a/b").stdout.startswith("a/b: generation 1 with 3 ")
    assert ids("a/b") == ["cook", "nurse", "welder"]


def test_retrain_removes_and_expires_without_a_source():
    result = succeed(
        "retrain",
        "--model",
        "model",
        "--remove",
        "nurse",
        "--remove",
        "typo",
        "--expire-before",
        "2026-01-01",
    )
    assert "3 → 1: 2 removed" in result.stdout
    assert "no posting has the id 'typo'" in result.stderr
    assert ids() == ["cook"]
    result = succeed("retrain", "--model", "model", "--remove", "typo")
    assert "nothing changed" in result.stdout
    assert "'typo'" in result.stderr


def test_retrain_reads_standard_input():
    succeed("retrain", "-", "--model", "model", stdin=Path("new.jsonl").read_bytes())
    assert len(ids()) == 4


def test_a_complete_source_replaces_all():
    assert (
        "1 added, 1 changed, 2 removed"
        in succeed("retrain", "new.jsonl", "--model", "model", "--complete").stdout
    )
    assert ids() == ["cook", "driver"]


def test_a_folder_without_postings_changes_nothing_and_is_told():
    result = succeed("retrain", "empty", "--model", "model")
    assert result.stdout == "model: nothing changed, generation 1 stays\n"


REFUSED = {
    "broken, complete": ("broken.jsonl --complete", "1 posting was rejected"),
    "empty, complete": ("empty.jsonl --complete", "would remove all 3"),
    "nothing left": ("--expire-before 2027-01-01 --remove nurse", "none of 3 postings would be left"),
    "drift": ("--remove nurse --probe cvs --max-drift 0.1", "drift is 0."),
    "quality": (
        "--remove nurse --judgements cvs/judged.json --min-quality 0.9",
        "quality cannot be measured",
    ),
}


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize(("arguments", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_exits_with_1_says_why_and_leaves_the_model(home, arguments, reason, as_json):
    before = unlocked()
    options = ["--json"] if as_json else []
    result = run("retrain", *arguments.split(), "--model", "model", "--report", "drift.html", *options)
    assert result.exit_code == 1
    page = Path("drift.html").read_text(encoding="utf-8")
    Path("drift.html").unlink()
    assert unlocked() == before
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Error: not published: ")
    assert reason in last
    assert "Refused: nothing was published." in page
    if as_json:
        record = json.loads(result.stdout)
        assert record["generation"] is None
        assert reason in record["refused"][0]
    else:
        assert result.stdout.startswith("model: refused, generation 1 stays\n")
        assert "removed" in result.stdout
        assert reason not in result.stdout  # once is enough


def test_force_trusts_the_source_and_not_the_gate():
    assert run("retrain", "broken.jsonl", "--complete", "--model", "model", "--force").exit_code == 0
    assert ids() == ["driver"]
    gate = ["--probe", "cvs/ben.md", "--max-drift", "0.1"]
    result = run("retrain", "jobs.jsonl", "--complete", "--model", "model", "--force", *gate)
    assert result.exit_code == 1
    assert ids() == ["driver"]


def test_rejected_postings_are_told_with_file_and_line_also_when_that_is_the_end():
    result = succeed("retrain", "broken.jsonl", "--model", "model")
    assert "broken.jsonl:2: " in result.stderr
    assert "rejected" not in result.stdout
    Path("only.jsonl").write_text("{not json\n")
    result = run("retrain", "only.jsonl", "--model", "model")
    assert result.exit_code == 1
    assert "only.jsonl:1: " in result.stderr
    assert result.stdout == "model: refused, generation 2 stays\n"
    result = run("retrain", "only.jsonl", "--model", "none")
    assert_clean_failure(result, 1)
    assert "only.jsonl:1: " in result.stderr
    assert not Path("none").exists()


def test_strict_retraining_stops_at_the_first_bad_posting(home):
    before = unlocked()
    assert_clean_failure(run("retrain", "broken.jsonl", "--strict", "--model", "model"), 1)
    assert unlocked() == before


def test_json_is_one_object_with_the_whole_report():
    record = json.loads(
        succeed("retrain", "new.jsonl", "--model", "model", "--probe", "cvs", "--json").stdout
    )
    assert (record["model"], record["generation"], record["parent"], record["refused"]) == ("model", 2, 1, [])
    assert [probe["label"] for probe in record["report"]["probes"]] == ["anna.txt", "ben.md"]
    assert record["report"]["changes"]["changed"]["ids"] == ["cook"]
    record = json.loads(succeed("retrain", "new.jsonl", "--model", "model", "--json").stdout)
    assert (record["generation"], record["parent"]) == (None, 2)


def test_probes_are_named_by_their_file_or_by_the_path_where_names_clash():
    Path("more").mkdir()
    Path("more/ben.md").write_text("Welder")
    options = ["--probe", "cvs", "--probe", "more/ben.md", "--probe", "cvs/ben.md"]
    record = json.loads(succeed("retrain", "new.jsonl", "--model", "model", "--json", *options).stdout)
    labels = [probe["label"] for probe in record["report"]["probes"]]
    assert labels == ["anna.txt", "cvs/ben.md", "more/ben.md"]


def test_no_text_of_a_cv_gets_out(home):
    options = ["--probe", "cvs", "--report", "drift.html", "--judgements", "cvs/judged.json"]
    result = succeed("retrain", "new.jsonl", "--model", "model", *options)
    page = Path("drift.html").read_text(encoding="utf-8")
    assert "Beispiel" not in result.stdout + result.stderr + page
    assert all(b"Beispiel" not in data for path, data in snapshot("model").items())


def test_a_dry_run_writes_no_model():
    before = snapshot(".")
    result = succeed("retrain", "new.jsonl", "--model", "model", "--dry-run")
    assert result.stdout.startswith("model: a dry run, generation 1 stays\n")
    assert "1 added, 1 changed" in result.stdout
    assert succeed("retrain", "new.jsonl", "--model", "none", "--dry-run").stdout.startswith(
        "none: a dry run, no model"
    )
    assert snapshot(".") == before


def test_old_generations_are_deleted_and_those_in_use_named():
    reader = Matcher.open("model")
    succeed("retrain", "new.jsonl", "--model", "model")
    result = succeed("retrain", "--remove", "cook", "--model", "model", "--keep", "1")
    assert "deleted: generation 2\n" in result.stdout
    assert "still read by somebody, deleted later: generation 1\n" in result.stdout
    assert len(reader) == 3


def test_hostile_postings_do_not_reach_the_terminal_or_the_page_raw():
    text = "\x1b[31mred\x1b[2J\u202egnp\x9b31m\r<script>alert(1)</script>"
    hostile = [
        {"id": f"{number}", "title": f"Nurse {text}", "hashtags": [text, "care"], "body": f"nurse {text}"}
        for number in range(3)
    ]
    write_lines(Path("hostile.jsonl"), hostile)
    options = ["--model", "model", "--probe", "cvs", "--report", "drift.html", "--remove", text]
    result = succeed("retrain", "hostile.jsonl", *options, color=True)
    assert steering(result.stdout + result.stderr) == []
    page = Path("drift.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert steering(page) == []


# --- the report -----------------------------------------------------------------------------------


def test_the_report_is_a_page_that_names_the_generation():
    succeed("retrain", "new.jsonl", "--model", "model", "--report", "drift.html", "--probe", "cvs")
    page = Path("drift.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "model: generation 2 with 4 postings" in page
    succeed("retrain", "new.jsonl", "--model", "model", "--report", "drift.html")
    assert "nothing changed" in Path("drift.html").read_text(encoding="utf-8")
    assert list(Path().glob(".drift*")) == []


@pytest.mark.parametrize("place", ["link.html", "dangling.html", "cvs", "none/drift.html", "/dev/null", ""])
def test_a_report_goes_to_a_file_of_its_own_or_nothing_is_done(place):
    Path("target.html").write_text("mine")
    Path("link.html").symlink_to("target.html")
    Path("dangling.html").symlink_to("nowhere.html")
    before = snapshot(".")
    assert_clean_failure(run("retrain", "new.jsonl", "--model", "model", "--report", place), 2)
    assert snapshot(".") == before
    assert not Path("nowhere.html").exists()
    assert Path("/dev/null").is_char_device() or os.name == "nt"


def test_a_link_that_appears_in_the_meantime_is_not_followed(monkeypatch):
    import matcher.commands.training as training

    Path("target.html").write_text("mine")
    write = training.write_page

    def write_late(path, page):
        path.symlink_to("target.html")
        write(path, page)

    monkeypatch.setattr(training, "write_page", write_late)
    result = run("retrain", "new.jsonl", "--model", "model", "--report", "drift.html")
    assert result.exit_code == 1
    assert "drift.html: the report cannot be written" in result.stderr
    assert "generation 2" in result.stdout  # published all the same, and told
    assert Path("target.html").read_text() == "mine"


def test_a_full_disk_under_the_report_keeps_the_old_page(monkeypatch):
    Path("drift.html").write_text("yesterday")
    replaced = []

    def fail(self, target):
        replaced.append(target)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    monkeypatch.setattr("matcher.commands.training.retrain_model", lambda *_, **__: retrained())
    result = run("retrain", "new.jsonl", "--model", "model", "--report", "drift.html")
    assert result.exit_code == 1
    assert "drift.html: the report cannot be written (No space left on device)" in result.stderr
    assert replaced
    assert Path("drift.html").read_text() == "yesterday"
    assert list(Path().glob(".drift*")) == []


def retrained():
    from matcher.changes import Changes
    from matcher.drift.report import DriftReport
    from matcher.retraining import Retraining

    return Retraining(2, 1, Changes(), DriftReport())


# --- wrong use ------------------------------------------------------------------------------------

WRONG = [
    ("retrain --model model", 2),
    ("retrain new.jsonl", 2),
    ("retrain missing --model model", 1),
    ("retrain jobs.txt --model model", 1),
    ("retrain new.jsonl --model jobs.jsonl", 2),
    ("retrain new.jsonl --model jobs.jsonl/below", 1),
    ("retrain empty --model none", 1),
    ("retrain empty.jsonl --model none", 1),
    ("retrain - --model model", 1),
    ("retrain --complete --remove cook --model model", 2),
    ("retrain new.jsonl --model model --keep 0", 2),
    ("retrain new.jsonl --model model --keep many", 2),
    ("retrain new.jsonl --model model --expire-before yesterday", 2),
    ("retrain new.jsonl --model model --expire-before 2026-02-30", 2),
    ("retrain new.jsonl --model model --max-drift 0.1", 2),
    ("retrain new.jsonl --model model --max-drift 1.5 --probe cvs", 2),
    ("retrain new.jsonl --model model --max-drift -0.1 --probe cvs", 2),
    ("retrain new.jsonl --model model --max-drift nan --probe cvs", 2),
    ("retrain new.jsonl --model model --min-quality 0.1", 2),
    ("retrain new.jsonl --model model --min-quality nan --judgements cvs/judged.json", 2),
    ("retrain new.jsonl --model model --probe missing.txt", 1),
    ("retrain new.jsonl --model model --probe empty", 1),
    ("retrain new.jsonl --model model --probe cvs/notes.json", 1),
    ("retrain new.jsonl --model model --judgements missing.json", 1),
    ("retrain new.jsonl --model model --judgements cvs/notes.json", 1),
    ("retrain new.jsonl --model model --key-file missing", 2),
    ("retrain new.jsonl --model model --key-file cvs", 2),
    ("retrain new.jsonl --model model --key-file empty.jsonl", 2),
    ("retrain new.jsonl --model model --key-file key", 1),  # it is not signed
    ("rank cvs/ben.md --model model --key-file key", 1),
    ("rank cvs/ben.md --postings jobs.jsonl --key-file key", 2),
    ("explain cvs/ben.md cook --model model --key-file key", 1),
    ("info --model model --key-file key", 1),
    ("compact --model model --key-file key", 1),
    ("rollback --model model --to 1 --key-file key", 1),
    ("rollback --model model", 1),
    ("rollback --model model --to 7", 1),
    ("rollback --model model --to 0", 2),
    ("rollback --model missing", 1),
    ("rollback", 2),
    ("compact", 2),
    ("compact --model missing", 1),
    ("compact --model empty", 1),
    ("history --model missing", 1),
    ("history --model empty", 1),
    ("history", 2),
    ("verify", 2),
    ("verify --model missing", 1),
    ("verify --model empty", 1),
]


@pytest.mark.parametrize(("arguments", "code"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_use_gets_one_clear_message_and_changes_nothing(arguments, code):
    before = unlocked()
    assert_clean_failure(run(*arguments.split(), stdin=b""), code)
    assert unlocked() == before
    assert not Path("missing").exists()
    assert not Path("none").exists()


@pytest.mark.parametrize("option", ["--model", "--probe", "--judgements", "--report", "--key-file"])
def test_an_empty_path_such_as_an_unset_variable_is_wrong_use(option):
    before = snapshot(".")
    model = [] if option == "--model" else ["--model", "model"]
    assert_clean_failure(run("retrain", "new.jsonl", *model, option, ""), 2)
    assert snapshot(".") == before


# --- keys -----------------------------------------------------------------------------------------


def test_a_key_signs_every_generation_and_every_command_asks_for_it():
    succeed("train", "jobs.jsonl", "--model", "signed", "--key-file", "key")
    succeed("retrain", "new.jsonl", "--model", "signed", "--key-file", "key")
    assert ids("signed", key=KEY.encode()) == ["cook", "driver", "nurse", "welder"]
    for arguments in ("rank cvs/ben.md", "explain cvs/ben.md cook", "info", "verify --all"):
        succeed(*arguments.split(), "--model", "signed", "--key-file", "key")
        result = run(*arguments.split(), "--model", "signed", "--key-file", "other-key")
        assert result.exit_code == 1
        assert "not made with this key" in result.stderr
    assert_clean_failure(run("rollback", "--model", "signed", "--key-file", "other-key"), 1)
    succeed("rollback", "--model", "signed", "--key-file", "key")
    succeed("compact", "--model", "signed", "--key-file", "key")
    assert "is sound" in succeed("verify", "--model", "signed", "--all", "--key-file", "key").stdout


# --- history, rollback, verify, compact -----------------------------------------------------------


def test_history_lists_generations_with_what_they_changed():
    succeed("retrain", "new.jsonl", "--model", "model", "--probe", "cvs", "--judgements", "cvs/judged.json")
    succeed("rollback", "--model", "model")
    shown = succeed("history", "--model", "model").stdout
    assert re.search(r"→ 1 .* 3 ", shown)
    assert re.search(r"\b2 .* 4 +\+1 ~1 −0 +[\d.]+ +1\.000 ", shown)
    first, second = json.loads(succeed("history", "--model", "model", "--json").stdout)
    assert (first["generation"], first["current"], first["changes"]) == (1, True, None)
    assert second["changes"] == {"added": 1, "changed": 1, "removed": 0, "unchanged": 0, "rejected": 0}
    assert (second["postings"], second["parent"], second["current"], second["quality"]) == (4, 1, False, 1.0)
    published = datetime.fromisoformat(second["published"])
    assert abs((datetime.now(UTC) - published).total_seconds()) < 600


@pytest.mark.parametrize(
    "note",
    [
        "text",
        {"changes": [1]},
        {"changes": {"added": -1}},
        {"changes": {"added": True}, "drift": "much", "quality": 7, "published": 5},
        {"drift": True, "quality": [], "published": "soon\x1b[31m"},
        {"published": "0001-01-01T00:00:00+23:59", "drift": 10**400},
    ],
    ids=str,
)
def test_history_believes_no_note_that_makes_no_sense(note):
    stored = read_model("model")
    write_model("model", stored.content | {"note": note}, stored.files)
    result = succeed("history", "--model", "model")
    assert steering(result.stdout) == []
    record = json.loads(succeed("history", "--model", "model", "--json").stdout)[-1]
    assert (record["changes"], record["drift"], record["quality"]) == (None, None, None)
    assert datetime.fromisoformat(record["published"]).year > 2000


def test_history_tells_which_generation_cannot_be_read():
    succeed("retrain", "new.jsonl", "--model", "model")
    Path("model/gen-00000001/manifest.json").write_text("damaged")
    table, problem = succeed("history", "--model", "model").stdout.split("generation 1 cannot be read: ")
    assert problem.startswith("model/gen-00000001/manifest.json: not valid JSON")
    assert re.search(r"→ 2 .* 4 ", table.splitlines()[-1])
    first, second = json.loads(succeed("history", "--model", "model", "--json").stdout)
    assert "not valid JSON" in first["problem"]
    assert second["problem"] is None


def test_rollback_goes_back_and_forth():
    succeed("retrain", "new.jsonl", "--model", "model")
    assert succeed("rollback", "--model", "model").stdout == "model: generation 1 is current again\n"
    assert len(ids()) == 3
    succeed("rollback", "--model", "model", "--to", "2")
    assert len(ids()) == 4


def test_rollback_refuses_a_damaged_generation():
    succeed("retrain", "new.jsonl", "--model", "model")
    Path("model/gen-00000001/text.vocabulary.txt").write_bytes(b"damaged")
    assert_clean_failure(run("rollback", "--model", "model"), 1)
    assert len(ids()) == 4


def test_verify_says_what_is_sound():
    succeed("retrain", "new.jsonl", "--model", "model")
    assert re.fullmatch(
        r"model: generation 2 is sound: 4 postings, \d+ files, [\d,]+ bytes\n",
        succeed("verify", "--model", "model").stdout,
    )
    assert len(succeed("verify", "--model", "model", "--all").stdout.splitlines()) == 2
    records = json.loads(succeed("verify", "--model", "model", "--all", "--json").stdout)
    assert [(record["generation"], record["is_current"], record["problems"]) for record in records] == [
        (1, False, []),
        (2, True, []),
    ]


def test_verify_tells_every_problem_on_a_line_and_exits_with_1():
    succeed("retrain", "new.jsonl", "--model", "model")
    succeed("retrain", "--remove", "cook", "--model", "model")
    Path("model/gen-00000001/text.vocabulary.txt").write_bytes(b"damaged")
    Path("model/gen-00000002/manifest.json").write_text("{}")
    result = run("verify", "--model", "model", "--all")
    assert result.exit_code == 1
    assert result.stdout.startswith("model: generation 3 is sound")
    first, second = result.stderr.splitlines()
    assert first.startswith("Error: model/gen-00000001/text.vocabulary.txt: ")
    assert second.startswith("Error: model/gen-00000002/manifest.json: ")
    assert run("verify", "--model", "model").exit_code == 0
    Path("model/CURRENT").write_text("damaged")
    result = run("verify", "--model", "model", "--json")
    assert result.exit_code == 1
    [record] = json.loads(result.stdout)
    assert "CURRENT" in record["problems"][0]


def other_record(files):
    records = files["segment0.postings.records.txt"]
    records[records.tobytes().index(b'{"')] = ord(" ")


def other_bytes(files):
    records = files["segment0.postings.records.txt"]
    records[records.tobytes().index(b"Nurse")] = 0xFF


def other_date(files):
    files["segment0.postings.posted"][0] += 1


def other_rows(files):
    columns, starts = (files[f"segment0.text.by_term.{name}"] for name in ("columns", "starts"))
    alone = starts[:-1][starts[1:] - starts[:-1] == 1][0]  # of a term that one posting has
    columns[alone] = (columns[alone] + 1) % 3


def other_norms(files):
    files["segment0.hashtags.inverse_norms"][files["segment0.hashtags.inverse_norms"] > 0] *= 1.001


@pytest.mark.parametrize(
    ("lie", "told"),
    [
        (other_record, "segment0.postings.records.txt:1: not a posting record"),
        (other_bytes, "segment0.postings.records.txt:2: "),
        (other_date, "segment0.postings.records.txt:1: what filters read differs"),
        (other_rows, "segment0.text: the counts by term are not those by posting"),
        (other_norms, "segment0.hashtags.inverse_norms: not the norms"),
    ],
)
def test_verify_finds_what_loading_lets_pass(lie, told):
    """Hashes are right in each of these: somebody wrote the manifest anew."""
    stored = read_model("model")
    files = {name: array.copy() for name, array in stored.files.items()}
    write_model("lying", stored.content, files)
    succeed("verify", "--model", "lying")
    lie(files)
    write_model("lying", stored.content, files)
    result = run("verify", "--model", "lying")
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: lying: generation 2: {told}")


def test_verify_does_not_list_problems_without_end():
    jobs = [{"id": f"{number:03}", "title": "Nurse"} for number in range(150)]
    write_lines(Path("many.jsonl"), jobs)
    succeed("train", "many.jsonl", "--model", "many")
    stored = read_model("many")
    records = stored.files["segment0.postings.records.txt"].copy()
    records[records == ord("{")] = ord("[")
    write_model("many", stored.content, {**stored.files, "segment0.postings.records.txt": records})
    lines = run("verify", "--model", "many").stderr.splitlines()
    assert len(lines) == 101
    assert lines[-1] == "Error: ... and more"


def test_compact_leaves_no_text_of_what_was_removed(home):
    write_lines(Path("secret.jsonl"), [{"id": "secret", "title": "Zyxwvut", "body": "Zyxwvut qwertz"}])
    succeed("retrain", "secret.jsonl", "--model", "model")
    succeed("retrain", "--remove", "secret", "--model", "model")
    assert any(b"Zyxwvut" in data for data in snapshot("model").values())
    assert succeed("compact", "--model", "model").stdout == "model: generation 4 with 3 postings\n"
    assert not any(b"yxwvut" in data for data in snapshot("model").values())
    assert len(json.loads(succeed("history", "--model", "model", "--json").stdout)) == 1


def test_compact_names_generations_that_are_still_read():
    reader = Matcher.open("model")
    result = succeed("compact", "--model", "model")
    assert "still read by somebody: generation 1" in result.stderr
    assert len(reader) == 3


def test_info_tells_of_deleted_postings_and_generations():
    succeed("retrain", "--remove", "cook", "--model", "model")
    shown = succeed("info", "--model", "model").stdout
    assert re.search(r"generation +2, 2 on disk", shown)
    assert "1 deleted posting until 'matcher compact'" in shown
    record = json.loads(succeed("info", "--model", "model", "--json").stdout)
    assert (record["generations"], record["deleted"], record["segments"], record["fitted"]) == (2, 1, 1, True)


# --- one writer, interrupts -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    ["retrain new.jsonl", "train jobs.jsonl", "rollback --to 1", "compact"],
)
def test_a_second_writer_is_told_who_writes(arguments):
    before = unlocked()
    with lock_model("model"):
        result = process(*arguments.split(), "--model", "model")
    assert result.returncode == 1
    assert re.fullmatch(
        rf"Error: .*\bmodel: being written by process {os.getpid()} since .*: try again when it is done\n",
        result.stderr.decode(),
    )
    assert unlocked() == before


STAGES = {
    "opening": "retraining:Matcher.load",
    "learning": "retraining:Matcher.refit",
    "measuring": "retraining:measure_drift",
    "writing": "store.disk:os.fsync",
    "switching": "store.publishing:replace_pointer",
    "done": "retraining:collect",
}


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("model", ["model", "none"])
def test_an_interrupt_is_one_line_and_leaves_a_model_that_works(stage, model):
    """A real signal, sent when the command reaches a stage; in a thread, too, that writes files."""
    module, _, rest = stage.partition(":")
    code = f"""
import os, signal, sys
import matcher.{module} as module
from matcher.cli import main
*path, name = {rest.split(".")!r}
owner = module
for part in path:
    owner = getattr(owner, part)
wrapped = getattr(owner, name)
def send(*arguments, **options):
    os.kill(os.getpid(), signal.SIGINT)
    return wrapped(*arguments, **options)
setattr(owner, name, send)
main(["retrain", "new.jsonl", "--model", {model!r}], prog_name="matcher")
"""
    before = unlocked(".")
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, timeout=60, env=ENVIRONMENT
    )
    assert (result.returncode, result.stderr) == (130, b"Interrupted.\n")
    assert result.stdout == b""
    if stage == "retraining:collect":
        assert "driver" in ids(model)  # it was published already
    else:
        assert unlocked(".") == before
        assert not Path("none").exists()
    if Path(model).exists():
        lock_model(model).release()
    succeed("retrain", "new.jsonl", "--model", model)
    assert [file.name for file in Path(model).glob(".*")] == [".lock"]
    succeed("verify", "--model", model, "--all")


@pytest.mark.parametrize("command_name", ["train", "retrain"])
@pytest.mark.parametrize("there", [True, False])
def test_a_model_that_cannot_be_written_says_what_stays(command_name, there, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("matcher.store.publishing.replace_pointer", full)
    model = "model" if there else "none"
    result = run(command_name, "new.jsonl", "--model", model)
    assert_clean_failure(result, 1)
    stays = "the model there is unchanged" if there else "no model was written"
    assert result.stderr.splitlines()[-1] == f"Error: {model}: No space left on device; {stays}"
    result = run(command_name, "new.jsonl", "--model", "new.jsonl/model")  # a file is no folder
    assert result.stderr.splitlines()[-1].endswith("; no model was written")


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_an_interrupt_while_reading_standard_input_leaves_the_old_model():
    before = unlocked()
    line = json.dumps({"title": "Nurse", "body": "ward " * 200}).encode() + b"\n"
    with subprocess.Popen(
        command("retrain", "-", "--model", "model", "--complete"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as running:
        running.stdin.write(line * 1000)  # more than a pipe holds: when this returns, reading has begun
        running.stdin.flush()
        running.send_signal(signal.SIGINT)
        out, errors = running.communicate(timeout=60)
    assert (running.returncode, out, errors) == (130, b"", b"Interrupted.\n")
    assert unlocked() == before
    lock_model("model").release()


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_interrupts_at_any_moment_leave_the_old_model_or_the_new_one():
    jobs = ({"id": f"{number:04}", "title": f"Nurse {number}", "body": "ward " * 40} for number in range(400))
    write_lines(Path("many.jsonl"), jobs)
    for delay in (0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3):
        Path("model/.lock").write_bytes(b"")
        with subprocess.Popen(
            command("retrain", "many.jsonl", "--model", "model", "--complete"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
        ) as running:
            while running.poll() is None and not Path("model/.lock").read_bytes():
                time.sleep(0.002)  # from here on it holds the lock
            time.sleep(delay)
            running.send_signal(signal.SIGINT)
            out, errors = running.communicate(timeout=60)
        # Python ends by the signal itself where it was importing or ending; shells say 130 then, too.
        assert running.returncode in (0, 130, -signal.SIGINT)
        if b": generation " in out:  # it had said all there is to say
            # Python ending says so itself, in words of its own.
            assert errors in (b"", b"Interrupted.\n") or errors.startswith(b"Exception ignored in")
            assert len(ids()) == 400
        else:
            assert errors == b"Interrupted.\n"
        assert len(ids()) in (3, 400)
        lock_model("model").release()
        if len(ids()) == 400:
            succeed("retrain", "jobs.jsonl", "--model", "model", "--complete", "--force")
    succeed("verify", "--model", "model", "--all")


# --- help -----------------------------------------------------------------------------------------


def test_the_help_lists_every_command_once_under_a_heading():
    shown = succeed("--help").stdout
    headings = re.findall(r"^(\w[\w ]*):\n((?:  .*\n?)+)", shown, re.MULTILINE)
    listed = [
        line.split()[0] for title, block in headings if title != "Options" for line in block.splitlines()
    ]
    assert sorted(listed) == sorted(main.commands)
    assert len(headings) == 5


@pytest.mark.parametrize("name", main.commands)
def test_every_command_shows_an_example_and_is_in_the_documentation(name):
    assert re.search(r"Examples?: matcher " + name, main.commands[name].help)
    root = Path(__file__).parent.parent
    documents = [root / "README.md", root / "docs" / "how-it-works.md"]
    assert any(f"matcher {name}" in document.read_text(encoding="utf-8") for document in documents)
