"""The command `tune`: what it prints, what it writes, and what it never does."""

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from matcher import Matcher
from matcher.evaluate import EVENTS
from matcher.store.generations import history
from matcher.tuning import tune as tune_weights
from tests.judged_boards import fit, judge_by, make_board, make_cvs, make_noise
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

GOLDEN = Path(__file__).parent / "cases" / "tuning.json"
BOARD = make_board(0)
CVS = make_cvs(0)
SECRET = "Geheimrat"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with CVs and judgements: some that only hashtags explain, and some that mean nothing."""
    home = tmp_path_factory.mktemp("made")
    matcher = fit(BOARD)
    (home / "cvs").mkdir()
    for name, text in CVS.items():
        (home / "cvs" / f"{name}.txt").write_text(f"{text} {SECRET}\n")
    (home / "cvs.tsv").write_text("".join(f"{name}\t{text} {SECRET}\n" for name, text in CVS.items()))
    planted = judge_by(matcher, {"text": 0, "hashtags": 1}, CVS)
    for name, grades in (("planted", planted), ("noise", make_noise(0, CVS, BOARD))):
        (home / f"{name}.qrels").write_text(
            "".join(f"{cv} 0 {job} {g}\n" for cv, listed in grades.items() for job, g in listed.items())
        )
    judged = {f"{cv}.txt": {job: {"grade": g} for job, g in listed.items()} for cv, listed in planted.items()}
    (home / "cvs" / "judgements.json").write_text(json.dumps({"judgements": judged}))
    event = {grade: name for name, grade in EVENTS.items()}
    log = [
        {"profile": cv, "posting": job, "event": event[g]}
        for cv, listed in planted.items()
        for job, g in listed.items()
    ]
    (home / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
    (home / "log.csv").write_text(
        "profile,posting,event\n" + "".join(",".join(entry.values()) + "\n" for entry in log)
    )
    texts = [{"text": f"{CVS[entry['profile']]} {SECRET}", **entry} for entry in log]
    for entry in texts:
        del entry["profile"]
    (home / "texts.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in texts))
    return home


@pytest.fixture(autouse=True)
def at_home(made, tmp_path, monkeypatch):
    """A folder with the same files, of which the model can be written."""
    for path in made.iterdir():
        (tmp_path / path.name).symlink_to(path)
    fit(BOARD).save(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


PLANTED = ("--judgements", "planted.qrels", "--queries", "cvs.tsv")
NOISE = ("--judgements", "noise.qrels", "--queries", "cvs.tsv")


def tune(*arguments, **options):
    return succeed("tune", "--model", "model", *arguments, **options)


def tune_json(*arguments):
    return json.loads(tune(*arguments, "--json").stdout, parse_constant=pytest.fail)


def rounded(value):
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


# --- what it prints -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["planted", "noise"])
def test_json_is_what_it_was(name):
    """To renew: write `found` to the file, and look at what changed."""
    found = tune_json("--judgements", f"{name}.qrels", "--queries", "cvs.tsv")
    assert rounded(found) == json.loads(GOLDEN.read_text(encoding="utf-8"))[name]


def read_planted():
    """Return CVs and the grades that only hashtags explain, as the files have them."""
    grades = {}
    for line in Path("planted.qrels").read_text().splitlines():
        cv, _, job, grade = line.split()
        grades.setdefault(cv, {})[job] = int(grade)
    return {name: f"{text} {SECRET}" for name, text in CVS.items()}, grades


def test_json_is_what_the_library_says():
    options = {"measure": "map@5", "folds": 4, "seed": 3}
    wanted = tune_weights(Matcher.load("model"), *read_planted(), **options).to_record()
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    assert tune_json(*PLANTED, *arguments) == {"model": "model", "generation": None} | wanted


def test_the_tables_say_what_the_json_says():
    record, out = tune_json(*PLANTED), tune(*PLANTED).stdout
    rows = [line.split() for line in out.splitlines()]
    assert out.startswith(f"model: 60 postings, {record['candidates']} weights tried on 40 CVs\n")
    chosen = [row for row in rows if "of" in row and row[-1].startswith(("+", "-"))]
    assert sum(int(row[0]) for row in chosen) == len(record["folds"]) == 50
    assert {row[2] for row in chosen} == {"50"}
    listed = {
        (f"{fold['weights']['text']:g}", f"{fold['weights']['hashtags']:g}") for fold in record["folds"]
    }
    assert {tuple(row[3:5]) for row in chosen} == listed
    [row] = [row for row in rows if row and row[0] == "nDCG@10"]
    low, high = record["interval"]
    assert row[1:] == [
        f"{record['default_mean']:.3f}", f"{record['tuned_mean']:.3f}", f"{record['gain']:+.3f}",
        f"{low:+.3f}", "to", f"{high:+.3f}", "<0.001", f"{record['claimed']:+.3f}",
    ]  # fmt: skip
    text, hashtags = (f"{record['chosen'][name]:g}" for name in ("text", "hashtags"))
    assert out.endswith(
        f"better: text {text}, hashtags {hashtags} instead of text 0.7, hashtags 0.3: "
        "CVs left out of the choice are ranked better\n"
        "nothing was written; --write publishes these weights\n"
    )


@pytest.mark.parametrize("options", [[], ["--json"], ["--write"], ["--write", "--json"]])
def test_no_text_of_a_cv_is_printed_or_written(options):
    for given in (PLANTED, NOISE, ("--likes", "texts.jsonl")):
        result = tune(*given, *options)
        shown = result.stdout + result.stderr
        assert SECRET not in shown
        assert not re.search(r"\b(word|tag)\d", shown)
    for data in snapshot("model").values():
        assert SECRET.encode() not in data
        assert b"geheimrat" not in data


def test_the_same_bytes_in_a_process_of_its_own(tmp_path):
    arguments = ("tune", "--model", "model", *PLANTED, "--json")
    results = [process(*arguments, cwd=tmp_path, env={"PYTHONHASHSEED": seed}) for seed in "12"]
    assert results[0].returncode == 0
    assert results[0].stderr == b""
    assert results[0].stdout == results[1].stdout
    lines = Path("planted.qrels").read_text().splitlines(keepends=True)
    Path("reversed.qrels").write_text("".join(lines[::-1]))
    rows = Path("cvs.tsv").read_text().splitlines(keepends=True)
    Path("reversed.tsv").write_text("".join(rows[::-1]))
    again = tune("--judgements", "reversed.qrels", "--queries", "reversed.tsv", "--json")
    assert json.loads(again.stdout) == json.loads(results[0].stdout)
    narrow = process(*arguments[:-1], cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert narrow.returncode == 0
    assert b"nDCG@10" in narrow.stdout


# --- what it writes -------------------------------------------------------------------------------


def test_without_write_nothing_changes():
    before = snapshot("model")
    for given in (PLANTED, NOISE):
        tune(*given)
        tune_json(*given)
    assert snapshot("model") == before


def test_better_weights_are_published():
    record = tune_json(*PLANTED, "--write")
    assert (record["generation"], record["is_better"]) == (2, True)
    assert [entry.number for entry in history("model")] == [1, 2]
    published = Matcher.load("model")
    assert {f.block.name: f.block.weight for f in published.features} == record["chosen"]
    note = history("model")[-1].content["note"]["tuned"]
    assert note["interval"] == record["interval"]
    assert "folds" not in note
    succeed("verify", "--model", "model")
    assert "→ 2" in succeed("history", "--model", "model").stdout
    # Tuned again, there is nothing to gain.
    out = tune(*PLANTED, "--write").stdout
    assert "\nkeep text " in out
    assert len(history("model")) == 2
    succeed("rollback", "--model", "model")
    assert {f.block.name: f.block.weight for f in Matcher.load("model").features} == record["default"]


def test_the_published_weights_are_named():
    out = tune(*PLANTED, "--write").stdout
    assert re.search(
        r"^generation 2: text \S+, hashtags \S+ instead of text 0\.7, hashtags 0\.3: ", out, re.MULTILINE
    )
    assert "nothing was written" not in out


def test_noise_keeps_the_weights_and_writes_nothing():
    before = snapshot("model")
    result = tune(*NOISE, "--write")
    assert snapshot("model") == before
    assert "\nkeep text 0.7, hashtags 0.3: " in result.stdout
    assert tune_json(*NOISE, "--write")["generation"] is None
    assert snapshot("model") == before


def test_a_signed_model_stays_signed():
    Path("key").write_text("0123456789abcdef0123456789abcdef")
    fit(BOARD).save("signed", key=Path("key").read_bytes())
    common = ("tune", "--model", "signed", *PLANTED, "--write")
    result = succeed(*common, "--key-file", "key")
    assert "generation 2: " in result.stdout
    assert Matcher.load("signed", key=Path("key").read_bytes()).generation == 2
    Path("other").write_text("another key of a fair size")
    assert_clean_failure(run(*common, "--key-file", "other"), 1)


def test_somebody_else_publishing_meanwhile_is_no_lost_update(monkeypatch):
    def meanwhile(*arguments, **options):
        Matcher.load("model").save("model")
        return tune_weights(*arguments, **options)

    monkeypatch.setattr("matcher.commands.tuning.tune_weights", meanwhile)
    result = run("tune", "--model", "model", *PLANTED, "--write")
    assert_clean_failure(result, 1)
    assert "generation 2 was published" in result.stderr
    assert [entry.number for entry in history("model")] == [1, 2]


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_an_interrupt_is_one_line_and_changes_nothing(tmp_path):
    before = snapshot("model")
    (tmp_path / "sitecustomize.py").write_text(
        "import matcher.tuning, os, signal\n"
        "inner = matcher.tuning.measure_quality\n"
        "def interrupted(*arguments, **options):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    return inner(*arguments, **options)\n"
        "matcher.tuning.measure_quality = interrupted\n"
    )
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    result = subprocess.run(
        command("tune", "--model", "model", *PLANTED, "--write"),
        check=False,
        capture_output=True,
        timeout=60,
        env=ENVIRONMENT | {"PYTHONPATH": path},
    )
    assert (result.returncode, result.stdout) == (128 + signal.SIGINT, b"")
    assert result.stderr == b"Interrupted.\n"
    assert snapshot("model") == before


# --- judgements and likes -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--judgements", "planted.qrels", "--cvs", "cvs"),
        ("--judgements", "cvs/judgements.json"),
        ("--likes", "log.jsonl", "--queries", "cvs.tsv"),
        ("--likes", "log.csv", "--cvs", "cvs"),
        ("--likes", "texts.jsonl"),
        ("--judgements", "planted.qrels", "--likes", "log.csv", "--cvs", "cvs"),
        ("--judgements", "cvs/judgements.json", "--likes", "log.jsonl", "--cvs", "cvs"),
    ],
    ids=" ".join,
)
def test_every_way_of_judging_is_read(arguments):
    record = tune_json(*arguments)
    wanted = tune_json(*PLANTED)
    assert record["is_better"]
    # Grades 1 and 2 are views and likes; CVs under other names fall into other folds.
    assert record["default_mean"] == pytest.approx(wanted["default_mean"])
    assert record["claimed"] == pytest.approx(wanted["claimed"])
    assert (record["cvs"], record["missing"]) == (40, 0)


def test_judgements_count_where_both_say_something():
    cvs, grades = read_planted()
    best = max(grades["cv02"], key=grades["cv02"].get)
    other = next(one.id for one in BOARD if one.id not in grades["cv00"])
    log = [
        {"profile": "cv00", "posting": other, "event": "applied"},
        {"profile": "cv02", "posting": best, "event": "disliked"},
        {"profile": "cv03", "text": "another text", "posting": other, "event": "disliked"},
        {"profile": "new", "text": "tag1 tag2 word3", "posting": "p001", "event": "liked"},
    ]
    Path("few.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in log))
    grades["cv00"][other] = 3
    grades["new"] = {"p001": 2}
    wanted = tune_weights(Matcher.load("model"), cvs | {"new": "tag1 tag2 word3"}, grades).to_record()
    assert tune_json(*PLANTED, "--likes", "few.jsonl") == {"model": "model", "generation": None} | wanted
    assert wanted["cvs"] == 41


def test_lines_that_make_no_sense_are_told_with_their_number():
    bad = f'{{"profile": "cv00", "posting": "p000", "event": "{SECRET}"}}\n'
    Path("bad.jsonl").write_text(Path("log.jsonl").read_text() + bad * 12)
    count = len(Path("log.jsonl").read_text().splitlines())
    result = tune("--likes", "bad.jsonl", "--queries", "cvs.tsv")
    lines = result.stderr.splitlines()
    assert lines[0] == f"  rejected bad.jsonl:{count + 1}: another event: use one of {', '.join(EVENTS)}"
    assert lines[10:] == [f"{count} events read, 12 rejected"]
    assert SECRET not in result.stderr


def test_what_is_not_held_is_told():
    extra = "cv00 0 gone-1 2\nother 0 gone-2 1\ncv01 0 gone-1 1\n"
    Path("more.qrels").write_text(Path("planted.qrels").read_text() + extra)
    Path("more.tsv").write_text(Path("cvs.tsv").read_text() + "other\tword1\n")
    result = tune("--judgements", "more.qrels", "--queries", "more.tsv")
    assert result.stderr == (
        "note: judgements about postings that are not held: 3; left out\n"
        "note: CVs for which no posting that fits is held: 1; left out\n"
    )
    assert "weights tried on 40 CVs" in result.stdout


# --- wrong use ------------------------------------------------------------------------------------

WRONG = {
    "nothing to tune by": ("--model model", 2, "give --judgements, --likes or both"),
    "write where": ("--likes texts.jsonl --write", 2, "--write needs to be told which model"),
    "no model": ("--likes texts.jsonl", 2, "say which model to tune"),
    "no such model": ("--model none --likes texts.jsonl", 1, "none: no model here"),
    "no such file": ("--model model --likes none.jsonl", 1, "none.jsonl: no such file"),
    "no such judgements": ("--model model --judgements none.qrels", 1, "none.qrels: no such file"),
    "qrels without CVs": ("--model model --judgements planted.qrels", 2, "--cvs FOLDER or --queries FILE"),
    "likes without CVs": ("--model model --likes log.jsonl", 2, "--cvs FOLDER or --queries FILE"),
    "both": ("--model model --likes log.jsonl --cvs cvs --queries cvs.tsv", 2, "not both"),
    "no CV": ("--model model --likes log.jsonl --cvs .", 1, "log.jsonl: no CV of 'cv00'"),
    "query missing": ("--model model --likes log.jsonl --queries one.tsv", 1, "one.tsv: no CV of 'cv01'"),
    "too few": (
        "--model model --judgements few.qrels --queries cvs.tsv", 1,
        "too few to tune by: 2 of 2 judged CVs are distinct",
    ),
    "no measure": ("--model model --likes texts.jsonl --measure accuracy", 2, "unknown measure"),
    "no depth": ("--model model --likes texts.jsonl --measure p", 2, "as in p@10"),
    "one fold": ("--model model --likes texts.jsonl --folds 1", 2, "2<=x<=20"),
    "a negative seed": ("--model model --likes texts.jsonl --seed -1", 2, "x>=0"),
    "empty name": ("--model model --likes=", 2, "is empty"),
    "no events": ("--model model --likes empty.jsonl", 1, "empty.jsonl: no events here"),
    "not a log": ("--model model --likes cvs.tsv", 1, "cvs.tsv:1: expected JSON Lines, or CSV"),
}  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_clear_line(case, as_json):
    Path("one.tsv").write_text("cv00\tword1\n")
    Path("few.qrels").write_text("cv00 0 p000 1\ncv01 0 p001 2\n")
    Path("empty.jsonl").write_text("")
    arguments, code, reason = WRONG[case]
    result = run("tune", *arguments.split(), *(["--json"] if as_json else []))
    assert_clean_failure(result, code)
    assert reason in result.stderr
    assert SECRET not in result.stderr


def test_names_steer_no_terminal():
    Path("log\x1b[2J.jsonl").write_text(Path("texts.jsonl").read_text() + "{}\n")
    result = tune("--likes", "log\x1b[2J.jsonl")
    assert steering(result.stdout + result.stderr) == []
    assert "rejected log[2J.jsonl:" in result.stderr


def test_the_help_names_the_command_and_its_examples():
    assert "tune" in succeed("--help").stdout
    assert succeed("tune", "--help").stdout.count("matcher tune --model models/jobs") == 2
