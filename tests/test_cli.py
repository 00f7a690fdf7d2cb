"""The command line: results on standard output, one clear line on every wrong use, never a traceback."""

import contextlib
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import click
import pytest

import matcher
from matcher import Matcher, read_cv, read_postings
from matcher.cli import main
from matcher.filters import FILTERS
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

KEYS = ["rank", "id", "score", "title", "company", "location", "url", "contributions"]
CV = "# Anna Beispiel\n\nNurse with ten years on a ward. Bakes bread, cooks for residents in Zürich.\n"
JOBS = [
    {
        "id": "cook",
        "title": "Cook – Köchin",
        "companyName": "Beck",
        "location": "Bern",
        "hashtags": ["bread", "kitchen"],
        "jobType": "fulltime",
        "timestamp": 1772323200000,
        "body": "Bake bread, cook soup",
        "url": "https://beck.example/cook",
    },
    {
        "id": "nurse",
        "title": "Nurse on a ward",
        "companyName": "Clinic Cork",
        "location": "Cork or remote",
        "hashtags": ["care", "ward"],
        "jobType": "part-time",
        "timestamp": 1760000000000,
        "body": "Care for patients on our ward",
        "featured": 1,
    },
    {
        "id": "night",
        "title": "Night nurse",
        "location": "Zürich",
        "hashtags": ["care"],
        "body": "Nurse and cook",
    },
    {"id": "welder", "title": "Welder", "location": "Bern", "body": "MAG and TIG"},
]
MARKDOWN = """---
title: Baker in Cork
id: baker
hashtags: "#bread"
---
Bake bread at night.
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a CV, postings in two formats, and a model of the first."""
    home = tmp_path_factory.mktemp("home")
    (home / "cv.md").write_text(CV, encoding="utf-8")
    (home / "jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in JOBS), encoding="utf-8")
    (home / "folder").mkdir()
    (home / "folder" / "baker.md").write_text(MARKDOWN, encoding="utf-8")
    (home / "empty").mkdir()
    (home / "empty.txt").write_text(" \n")
    (home / "empty.jsonl").write_text("")
    (home / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (home / "cv.pdf").write_bytes(b"%PDF-1.7")
    (home / "broken.jsonl").write_text("{not json\n")
    Matcher.fit(read_postings(home / "jobs.jsonl")).save(home / "model")
    return home


@pytest.fixture(autouse=True)
def at_home(home, monkeypatch):
    monkeypatch.chdir(home)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


def rank(*arguments, **options):
    """Run ``rank --json`` and return the array, which must be all there is on standard output."""
    out = succeed("rank", *arguments, "--json", **options).stdout
    found = json.loads(out, parse_constant=pytest.fail)
    assert isinstance(found, list)
    return found


# --- train ----------------------------------------------------------------------------------------


def test_train_writes_a_model_and_says_so_in_one_line(tmp_path):
    result = succeed("train", "jobs.jsonl", "--model", tmp_path / "new" / "model")
    assert result.stdout == f"{tmp_path / 'new' / 'model'}: generation 1 with 4 postings\n"
    assert len(Matcher.load(tmp_path / "new" / "model")) == 4
    assert "generation 2" in succeed("train", "jobs.jsonl", "--model", tmp_path / "new" / "model").stdout


def test_train_reads_several_sources_of_several_formats(tmp_path):
    succeed("train", "jobs.jsonl", "folder", "--model", tmp_path)
    assert [posting.id for posting in Matcher.load(tmp_path).postings] == sorted(
        [job["id"] for job in JOBS] + ["baker"]
    )


@pytest.mark.parametrize(
    ("stdin", "ids"), [("".join(json.dumps(job) + "\n" for job in JOBS), 4), (MARKDOWN, 1)]
)
def test_train_reads_standard_input_in_either_format(tmp_path, stdin, ids):
    succeed("train", "-", "--model", tmp_path, stdin=stdin)
    assert len(Matcher.load(tmp_path)) == ids


def test_what_was_rejected_is_told_on_standard_error_with_file_and_line(tmp_path):
    bad = tmp_path / "jobs.jsonl"
    bad.write_text(json.dumps(JOBS[0]) + "\n{broken\n")
    result = succeed("train", bad, "--model", tmp_path / "model")
    assert "1 rejected" in result.stderr
    assert f"{bad.as_posix()}:2: " in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_thousands_of_rejections_do_not_flood_the_terminal(tmp_path):
    (tmp_path / "jobs.jsonl").write_text(json.dumps(JOBS[0]) + "\n" + "{broken\n" * 3000)
    result = succeed("train", tmp_path / "jobs.jsonl", "--model", tmp_path / "model")
    assert "2,990 more" in result.stderr
    assert len(result.stderr.splitlines()) < 20


def test_strict_training_stops_at_the_first_bad_posting_and_keeps_the_old_model(tmp_path):
    succeed("train", "jobs.jsonl", "--model", tmp_path)
    before = snapshot(tmp_path)
    assert_clean_failure(run("train", "jobs.jsonl", "broken.jsonl", "--strict", "--model", tmp_path), 1)
    assert snapshot(tmp_path) == before


def test_two_postings_with_one_id_are_told(tmp_path):
    (tmp_path / "a.jsonl").write_text(
        json.dumps(JOBS[0]) + "\n" + json.dumps(JOBS[0] | {"title": "Chef"}) + "\n"
    )
    assert "cook" in succeed("train", tmp_path / "a.jsonl", "--model", tmp_path / "m").stderr
    assert_clean_failure(run("train", tmp_path / "a.jsonl", "--strict", "--model", tmp_path / "m"), 1)


# --- rank -----------------------------------------------------------------------------------------


def test_json_is_one_array_with_the_documented_keys_and_contributions_that_sum_to_the_score():
    found = rank("cv.md", "--model", "model", "--boost", "featured=0.1", "--boost", "freshness=0.05")
    assert [entry["rank"] for entry in found] == [1, 2, 3, 4]
    assert [entry["score"] for entry in found] == sorted((entry["score"] for entry in found), reverse=True)
    for entry in found:
        assert list(entry) == KEYS
        assert all(list(part) == ["block", "feature", "value"] for part in entry["contributions"])
        total = math.fsum(part["value"] for part in entry["contributions"])
        assert total == pytest.approx(entry["score"], abs=1e-9)
    assert {part["block"] for entry in found for part in entry["contributions"]} == {
        "text",
        "hashtags",
        "title",
        "semantic",
        "featured",
        "freshness",
    }


def test_the_command_ranks_like_the_library():
    expected = Matcher.load("model").recommend(read_cv("cv.md"), 3)
    assert rank("cv.md", "--model", "model", "-k", 3) == [entry.to_record() for entry in expected]


def test_a_model_and_the_postings_it_was_made_of_rank_alike():
    assert rank("cv.md", "--postings", "jobs.jsonl") == rank("cv.md", "--model", "model")


def test_several_sources_follow_one_option_or_repeat_it():
    once = rank("cv.md", "--postings", "jobs.jsonl", "folder", "-k", 9)
    assert sorted(entry["id"] for entry in once) == ["baker", "cook", "night", "nurse", "welder"]
    assert rank("cv.md", "--postings", "folder", "--postings", "jobs.jsonl", "-k", 9) == once
    assert rank("-k", 9, "--postings", "folder", "cv.md", "jobs.jsonl") == once


def test_the_cv_can_come_from_standard_input():
    (Path("plain.txt")).write_text("Nurse on a ward, Zürich", encoding="utf-8")
    expected = rank("plain.txt", "--model", "model")
    assert rank("-", "--model", "model", stdin="Nurse on a ward, Zürich".encode()) == expected
    assert rank("-", "--postings", "jobs.jsonl", stdin="Nurse on a ward, Zürich".encode()) == expected


@pytest.mark.parametrize("source", ["jobs.jsonl", "folder/baker.md"])
def test_postings_can_come_from_standard_input(source):
    stdin = Path(source).read_bytes()
    assert rank("cv.md", "--postings", "-", stdin=stdin) == rank("cv.md", "--postings", source)


def test_standard_input_can_be_one_source_of_several():
    found = rank("cv.md", "--postings", "-", "folder", stdin=Path("jobs.jsonl").read_bytes())
    assert len(found) == 5


FILTER_OPTIONS = [
    (["--location", "bern"], {"cook", "welder"}),
    (["--location", "bern", "--location", "ZURICH"], {"cook", "welder", "night"}),
    (["--remote"], {"nurse"}),
    (["--no-remote"], {"cook", "night", "welder"}),
    (["--job-type", "full time"], {"cook"}),
    (["--job-type", "parttime", "--job-type", "fulltime"], {"cook", "nurse"}),
    (["--company", "clinic"], {"nurse"}),
    (["--posted-since", "2026-03-01"], {"cook"}),
    (["--posted-since", "2025-01-01"], {"cook", "nurse"}),
    (["--hashtags-any", "bread", "--hashtags-any", "#ward"], {"cook", "nurse"}),
    (["--hashtags-all", "care", "--hashtags-all", "Ward"], {"nurse"}),
    (["--hashtags-none", "care"], {"cook", "welder"}),
    (["--location", "bern", "--hashtags-none", "bread"], {"welder"}),
    (["--location", "nowhere"], set()),
]


@pytest.mark.parametrize(
    ("options", "ids"), FILTER_OPTIONS, ids=[" ".join(case[0]) for case in FILTER_OPTIONS]
)
def test_filters_are_options_and_apply_before_top_k(options, ids):
    found = rank("cv.md", "--model", "model", *options)
    assert {entry["id"] for entry in found} == ids
    assert [entry["rank"] for entry in found] == list(range(1, len(ids) + 1))
    assert rank("cv.md", "--model", "model", "-k", 1, *options) == found[:1]


def test_every_filter_of_the_library_has_an_option():
    options = {name for parameter in main.commands["rank"].params for name in parameter.opts}
    assert {"--" + name.replace("_", "-") for name in FILTERS} <= options


def test_what_filters_removed_is_told_on_standard_error():
    assert (
        "location: 2 " in succeed("rank", "cv.md", "--model", "model", "--location", "bern", "--json").stderr
    )


def test_a_ranking_that_says_nothing_tells_why_and_prints_an_empty_array():
    result = succeed("rank", "cv.md", "--model", "model", "--location", "nowhere", "--json")
    assert json.loads(result.stdout) == []
    assert "note: " in result.stderr
    result = succeed("rank", "-", "--model", "model", "--json", stdin="xylophone")
    assert {entry["score"] for entry in json.loads(result.stdout)} == {0}
    assert "note: " in result.stderr


def test_the_table_shows_titles_links_and_reasons():
    out = succeed("rank", "cv.md", "--model", "model").stdout
    for text in ("Cook – Köchin", "Beck", "Bern", "https://beck.example/cook", "nurse"):
        assert text in out


def test_ranking_writes_no_file_and_prints_no_cv(home):
    before = snapshot(home)
    for options in (["--model", "model"], ["--postings", "jobs.jsonl"], ["--model", "model", "--json"]):
        result = succeed("rank", "cv.md", *options)
        assert "Beispiel" not in result.stdout + result.stderr
    assert snapshot(home) == before


def test_the_default_model_is_models_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cv.md").write_text(CV, encoding="utf-8")
    result = run("rank", "cv.md")
    assert_clean_failure(result, 2)
    assert "--model" in result.stderr
    Matcher.fit([]).save("models/demo")
    assert rank("cv.md") == []


# --- explain, info --------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", [["--model", "model"], ["--postings", "jobs.jsonl"]])
def test_explain_gives_the_record_that_rank_gives(origin):
    for entry in rank("cv.md", *origin, "--boost", "featured=0.2"):
        result = succeed("explain", "cv.md", entry["id"], *origin, "--boost", "featured=0.2", "--json")
        assert json.loads(result.stdout) == entry


def test_explain_lists_every_contribution():
    entry = rank("cv.md", "--model", "model")[0]
    out = succeed("explain", "cv.md", entry["id"], "--model", "model").stdout
    assert entry["title"] in out
    assert "rank 1 of 4" in out
    assert f"{entry['score']:.4f}" in out
    assert all(part["feature"] in out for part in entry["contributions"])


def test_explain_works_for_a_posting_without_anything_in_common():
    out = succeed("explain", "cv.md", "welder", "--model", "model").stdout
    assert "score 0.0000" in out


def test_explain_reads_the_cv_from_standard_input():
    out = succeed("explain", "-", "nurse", "--model", "model", "--json", stdin=CV).stdout
    assert json.loads(out)["id"] == "nurse"


def test_info_tells_what_a_model_holds():
    result = succeed("info", "--model", "model")
    assert re.search(r"postings\s+4\b", result.stdout)
    described = json.loads(succeed("info", "--model", "model", "--json").stdout)
    assert described["postings"] == 4
    assert described["generation"] == 1
    assert described["posted"] == ["2025-10-09", "2026-03-01"]
    assert [block["name"] for block in described["blocks"]] == ["text", "hashtags", "title", "semantic"]


def test_info_without_a_model_offers_only_options_that_it_has(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("info")
    assert_clean_failure(result, 2)
    assert "--model" in result.stderr
    assert "--postings" not in result.stderr


# --- wrong use ------------------------------------------------------------------------------------

WRONG = [
    ("rank cv.md --model model --postings jobs.jsonl", 2),
    ("rank cv.md --model model extra", 2),
    ("rank cv.md --model model -k 0", 2),
    ("rank cv.md --model model -k -1", 2),
    ("rank cv.md --model model -k many", 2),
    ("rank cv.md --model model -k 1.5", 2),
    ("rank cv.md --model model --posted-since yesterday", 2),
    ("rank cv.md --model model --posted-since 2026-13-01", 2),
    ("rank cv.md --model model --posted-since 2026-02-30", 2),
    ("rank cv.md --model model --posted-since 0001-01-01T00:00+23:59", 2),
    ("rank cv.md --model model --posted-since 9999-12-31T23:59-23:59", 2),
    ("rank cv.md --model model --location ???", 2),
    ("rank cv.md --model model --hashtags-any #", 2),
    ("rank cv.md --model model --unknown", 2),
    ("rank cv.md --model model --boost nonsense=1", 2),
    ("rank cv.md --model model --boost featured=much", 2),
    ("rank cv.md --model model --boost featured=-1", 2),
    ("rank cv.md --model model --boost featured=nan", 2),
    ("rank cv.md --model model --boost featured=inf", 2),
    ("rank cv.md --model model --boost featured=0", 2),
    ("rank cv.md --model model --boost featured --boost featured", 2),
    ("rank cv.md --model", 2),
    ("rank --model model", 2),
    ("rank", 2),
    ("rank missing.md --model model", 1),
    ("rank empty.txt --model model", 1),
    ("rank binary.txt --model model", 1),
    ("rank cv.pdf --model model", 1),
    ("rank . --model model", 1),
    ("rank cv.md --model missing", 1),
    ("rank cv.md --model empty", 1),
    ("rank cv.md --model cv.md", 2),
    ("rank cv.md --postings missing", 1),
    ("rank cv.md --postings empty", 1),
    ("rank cv.md --postings empty.jsonl", 1),
    ("rank cv.md --postings broken.jsonl", 1),
    ("rank cv.md --postings cv.pdf", 1),
    ("rank cv.md --postings jobs.jsonl missing", 1),
    ("rank - --postings -", 2),
    ("rank - --model model", 1),  # standard input is empty
    ("rank cv.md --postings -", 1),
    ("explain cv.md unknown --model model", 1),
    ("explain cv.md --model model", 2),
    ("explain missing.md nurse --model model", 1),
    ("explain cv.md nurse --model model --postings jobs.jsonl", 2),
    ("explain - nurse --postings -", 2),
    ("info --model missing", 1),
    ("info --model empty", 1),
    ("info --model jobs.jsonl", 2),
    ("info extra", 2),
    ("train --model new", 2),
    ("train jobs.jsonl", 2),
    ("train missing --model new", 1),
    ("train empty --model new", 1),
    ("train empty.jsonl --model new", 1),
    ("train broken.jsonl --model new", 1),
    ("train - --model new", 1),
    ("train - - --model new", 1),
    ("train jobs.jsonl --model cv.md", 2),
    ("train jobs.jsonl --model cv.md/below", 1),
    ("unknown", 2),
    ("--unknown", 2),
]


@pytest.mark.parametrize(("arguments", "code"), WRONG, ids=[case[0] for case in WRONG])
def test_wrong_use_gets_one_clear_message(home, arguments, code):
    before = snapshot(home)
    assert_clean_failure(run(*arguments.split(), stdin=b""), code)
    assert snapshot(home) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "jobs.jsonl", "--model", ""],
        ["train", "", "--model", "new"],
        ["rank", "cv.md", "--model", ""],
        ["rank", "cv.md", "--postings", ""],
        ["rank", "", "--model", "model"],
        ["info", "--model", ""],
    ],
    ids=" ".join,
)
def test_an_empty_path_such_as_an_unset_variable_is_wrong_use_and_not_this_folder(
    home, tmp_path, monkeypatch, arguments
):
    shutil.copytree(home, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    result = run(*arguments)
    assert snapshot(tmp_path / "copy") == snapshot(home)
    assert result.exit_code in (1, 2)
    assert_clean_failure(result, result.exit_code)
    assert "no posting could be read" not in result.stderr  # it did not look for any


@pytest.mark.parametrize("boosts", [["featured=1e308", "freshness=1e308"], ["featured=1e308"]])
def test_boosts_of_any_size_are_refused_or_rank_right(boosts):
    options = [part for boost in boosts for part in ("--boost", boost)]
    result = run("rank", "cv.md", "--model", "model", "--json", *options)
    if result.exit_code == 2:
        return
    assert result.exception is None
    found = json.loads(result.stdout, parse_constant=pytest.fail)
    scores = {entry["id"]: entry["score"] for entry in found}
    assert scores["nurse"] > scores["welder"]


@pytest.mark.parametrize(
    "damage", ["CURRENT", "gen-00000001/manifest.json", "gen-00000001/text.vocabulary.txt"]
)
@pytest.mark.parametrize("name", ["rank cv.md", "explain cv.md nurse", "info"])
def test_a_damaged_model_is_a_clear_error(tmp_path, damage, name):
    Matcher.fit(read_postings("jobs.jsonl")).save(tmp_path)
    (tmp_path / damage).write_bytes(b"damaged")
    result = run(*name.split(), "--model", tmp_path)
    assert_clean_failure(result, 1)
    assert str(tmp_path) in result.stderr


def test_a_full_disk_while_training_is_a_clear_error(tmp_path, monkeypatch):
    succeed("train", "jobs.jsonl", "--model", tmp_path)
    before = snapshot(tmp_path)

    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        result = run("train", "jobs.jsonl", "--model", tmp_path)
    assert_clean_failure(result, 1)
    assert "No space left on device" in result.stderr
    assert snapshot(tmp_path) == before


# --- help -----------------------------------------------------------------------------------------


def test_every_command_and_option_has_help():
    without = []
    for name, item in {"matcher": main, **main.commands}.items():
        if not (item.help or "").strip():
            without.append(name)
        # click keeps the help option that the first context asks for
        context = click.Context(item, **main.context_settings)
        for parameter in item.get_params(context):
            if isinstance(parameter, click.Option) and not (parameter.help or "").strip():
                without.append(f"{name} {parameter.opts[0]}")
    assert without == []
    assert set(main.commands) >= {"train", "rank", "explain", "info"}


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("name", [(), *((name,) for name in main.commands)])
def test_help_is_printed_and_names_every_option(name, flag):
    out = succeed(*name, flag).stdout
    assert out.startswith("Usage: ")
    item = main.commands[name[0]] if name else main
    for parameter in item.params:
        if isinstance(parameter, click.Option):
            assert all(option in out for option in parameter.opts + parameter.secondary_opts)


def test_examples_in_the_help_stay_on_lines_of_their_own():
    for name, item in main.commands.items():
        examples = [line for line in (item.help or "").splitlines() if f"matcher {name}" in line]
        out = succeed(name, "--help").stdout
        for line in examples:
            assert line.split("matcher", 1)[1].strip() in out


def test_the_version_is_the_packages():
    assert matcher.__version__ in succeed("--version").stdout


# --- hostile postings and terminals ---------------------------------------------------------------

HOSTILE = {
    "escape": "\x1b[31mred\x1b[2J\x1b]0;owned\x07",
    "8-bit control": "\x9b31mred\x9d0;owned\x9c",
    "right to left": "\u202egnp.exe\u2066\u2069\u061c\u200f",
    "carriage return": "safe\rEVIL\x08\x7f",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_hostile_postings_do_not_reach_the_terminal_raw(tmp_path, text, options):
    job = {
        "id": "x",
        "title": f"Nurse {text}",
        "companyName": text,
        "location": text,
        "hashtags": [text, "care"],
    }
    job |= {
        "url": f"https://x.example/{text}",
        "body": f"nurse {text} nurse{text}",
        "jobType": text,
        "extra": text,
    }
    (tmp_path / "jobs.jsonl").write_text(json.dumps(job) + "\n")
    cv = f"nurse {text} nurse{text}"
    for arguments in (["rank", "-"], ["explain", "-", "x"]):
        result = succeed(*arguments, "--postings", tmp_path / "jobs.jsonl", *options, stdin=cv, color=True)
        assert steering(result.stdout) == []
        assert steering(result.stderr) == []
    result = succeed("train", tmp_path / "jobs.jsonl", "--model", tmp_path / "model", color=True)
    assert steering(result.stdout + result.stderr) == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_json_still_holds_every_character_of_a_title(tmp_path, text):
    (tmp_path / "jobs.jsonl").write_text(json.dumps({"id": "x", "title": f"Nurse {text}é東"}) + "\n")
    [posting] = read_postings(tmp_path / "jobs.jsonl")
    [entry] = rank("cv.md", "--postings", tmp_path / "jobs.jsonl")
    assert entry["title"] == posting.title
    assert "é東" in posting.title


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[/]", "[link=https://evil.example]x[/link]", ":smile:"])
def test_what_looks_like_markup_is_shown_as_written(tmp_path, text):
    (tmp_path / "jobs.jsonl").write_text(json.dumps({"id": text, "title": f"Nurse {text}"}) + "\n")
    assert text in succeed("rank", "cv.md", "--postings", tmp_path / "jobs.jsonl").stdout
    assert text in succeed("explain", "cv.md", text, "--postings", tmp_path / "jobs.jsonl").stdout


@pytest.mark.parametrize("text", [HOSTILE["escape"], HOSTILE["right to left"], "a\rb"])
def test_names_of_files_and_values_in_messages_do_not_reach_the_terminal_raw(tmp_path, text):
    name = text.replace("/", "")
    (tmp_path / f"{name}.md").write_text("---\ntitle: [\n---\n")
    (tmp_path / "twice.jsonl").write_text(json.dumps({"id": "a", "title": "x"})[:-1] + f', "{name}": 1}}\n')
    (tmp_path / "jobs.jsonl").write_text(json.dumps(JOBS[0]) + "\n")
    results = [
        succeed("rank", "cv.md", "--postings", tmp_path, color=True),
        run("rank", f"{name}.txt", "--model", "model", color=True),
        run("rank", "cv.md", "--model", name, color=True),
        run("rank", "cv.md", "--postings", name, color=True),
        run("explain", "cv.md", name, "--model", "model", color=True),
        run("rank", "cv.md", "--model", "model", "--boost", name, color=True),
        run("rank", "cv.md", "--model", "model", "--posted-since", name, color=True),
        run("train", tmp_path / f"{name}.md", "--strict", "--model", "new", color=True),
    ]
    assert [steering(result.stdout + result.stderr) for result in results] == [[]] * len(results)


@pytest.mark.parametrize(
    ("encoding", "arguments"),
    [
        ("ascii", "rank cv.md"),
        ("ascii", "explain cv.md cook"),
        ("ascii", "info"),
        ("latin-1", "explain cv.md cook"),
    ],
)
def test_a_character_that_the_terminal_cannot_show_becomes_a_question_mark(encoding, arguments):
    result = process(*arguments.split(), "--model", "model", env={"PYTHONIOENCODING": encoding})
    assert result.returncode == 0
    assert result.stderr in (b"", b"note: no other posting has anything in common with the CV\n")
    shown = result.stdout.decode(encoding)
    if "cv.md" in arguments:
        assert "Cook – Köchin".encode(encoding, "replace").decode(encoding) in shown


def test_json_loses_nothing_on_a_terminal_that_shows_ascii_only():
    out = process(
        "rank", "cv.md", "--model", "model", "--json", env={"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    ).stdout
    assert "Cook – Köchin" in [entry["title"] for entry in json.loads(out.decode("ascii"))]


def test_a_message_that_the_terminal_cannot_show_is_no_traceback():
    result = process("rank", "fehlt-ü東.md", "--model", "model", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 1
    assert b"Error: " in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_file_name_that_is_not_unicode_is_no_traceback():
    result = subprocess.run(
        [*command("rank"), b"\xff\xfe.md", b"--model", b"model"],
        check=False,
        capture_output=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert result.returncode == 1
    assert b"Error: " in result.stderr
    assert b"Traceback" not in result.stderr


# --- the process ----------------------------------------------------------------------------------


def test_python_m_matcher_is_the_command(home):
    result = process("rank", "cv.md", "--model", "model", "--json", "-k", 2)
    assert (result.returncode, result.stderr) == (0, b"")
    assert json.loads(result.stdout) == rank("cv.md", "--model", "model", "-k", 2)
    result = process("rank")
    assert result.returncode == 2
    assert result.stderr.startswith(b"Usage: matcher rank ")


def test_hash_seed_and_order_of_sources_change_no_byte():
    outs = {
        process("rank", "cv.md", "--postings", *sources, "--json", env={"PYTHONHASHSEED": seed}).stdout
        for seed, sources in (("0", ["jobs.jsonl", "folder"]), ("1", ["folder", "jobs.jsonl"]))
    }
    assert len(outs) == 1
    assert len(json.loads(outs.pop())) == 5


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "model"
    jobs = ({"id": f"{number:04}", "title": f"Nurse {number} " + "long " * 40} for number in range(600))
    source = path.with_name("jobs.jsonl")
    source.write_text("".join(json.dumps(job) + "\n" for job in jobs))
    Matcher.fit(read_postings(source)).save(path)
    return path


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
@pytest.mark.parametrize("wanted", [10, 0])
def test_a_reader_that_goes_away_causes_no_traceback(many, options, wanted):
    with subprocess.Popen(
        command("rank", "cv.md", "--model", many, "-k", 600, *options),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as running:
        assert len(running.stdout.read(wanted)) == wanted
        running.stdout.close()
        errors = running.stderr.read()
        running.wait(60)
    assert errors == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "arguments", ["rank cv.md --model model", "rank cv.md --model model --json", "info --model model"]
)
def test_a_full_disk_under_the_output_is_a_clear_error(arguments):
    with Path("/dev/full").open("wb") as full:
        result = subprocess.run(
            command(*arguments.split()),
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            env=ENVIRONMENT,
        )
    assert result.returncode == 1
    assert b"Traceback" not in result.stderr
    assert b"No space left on device" in result.stderr


@pytest.mark.skipif(os.name == "nt", reason="closes descriptors with a shell")
@pytest.mark.parametrize(
    ("arguments", "closed", "codes"),
    [
        ("rank - --model model", "<&-", {1, 2}),
        ("rank cv.md --postings -", "<&-", {1, 2}),
        ("train - --model new", "<&-", {1, 2}),
        ("rank cv.md --model model", "<&-", {0}),
        ("rank cv.md --postings jobs.jsonl broken.jsonl --location Bern --json", "2>&-", {0}),
        ("rank missing.md --model model", "2>&-", {1}),
        ("rank cv.md --model model", ">&-", {0, 1}),
        ("rank cv.md --model model --json", ">&-", {0, 1}),
        ("info --model model", ">&-", {0, 1}),
    ],
)
def test_a_closed_stream_causes_no_traceback(arguments, closed, codes):
    result = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *command(*arguments.split())],
        check=False,
        capture_output=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert b"Traceback" not in result.stderr
    assert result.returncode in codes
    if result.returncode == 0 and "--json" in arguments and closed == "2>&-":
        assert isinstance(json.loads(result.stdout), list)


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
def test_an_interrupt_during_training_ends_without_traceback_and_keeps_the_old_model(tmp_path):
    succeed("train", "jobs.jsonl", "--model", tmp_path)
    before = snapshot(tmp_path)
    line = json.dumps({"title": "Nurse", "body": "ward " * 200}).encode() + b"\n"
    with subprocess.Popen(
        command("train", "-", "--model", tmp_path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    ) as running:
        running.stdin.write(line * 1000)  # more than a pipe holds: when this returns, reading has begun
        running.stdin.flush()
        running.send_signal(signal.SIGINT)
        running.wait(60)
        out, errors = running.stdout.read(), running.stderr.read()
        with contextlib.suppress(BrokenPipeError):
            running.stdin.close()
    assert running.returncode not in (0, None)
    assert b"Traceback" not in errors
    assert out == b""
    assert snapshot(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="sends SIGINT")
@pytest.mark.parametrize("module", ["click", "numpy"])
def test_an_interrupt_while_modules_are_loaded_is_one_line(module, tmp_path):
    """A real signal, sent by a module of that name that is found first."""
    stub = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise ImportError\n"
    (tmp_path / f"{module}.py").write_text(stub)
    path = os.pathsep.join([str(tmp_path), ENVIRONMENT["PYTHONPATH"]])
    result = process("train", "jobs.jsonl", "--model", tmp_path / "m", env={"PYTHONPATH": path})
    assert (result.returncode, result.stdout, result.stderr) == (130, b"", b"Interrupted.\n")
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("name", ["rank", "explain", "evaluate"])
def test_the_usage_says_that_sources_need_their_option(name):
    usage = " ".join(succeed(name, "--help").stdout.partition("\n\n")[0].split())
    assert usage.endswith("[--postings SOURCE...]")


@pytest.mark.parametrize("model", [["--model", "models/demo"], []])
@pytest.mark.parametrize(
    "arguments", [["rank", "cv.txt"], ["explain", "cv.txt", "1"], ["evaluate", "--judgements", "j.json"]]
)
def test_a_column_of_a_model_is_wrong_use(arguments, model):
    result = run(*arguments, *model, "--column", "Stelle=title")
    assert_clean_failure(result, 2)
    assert "--column is for postings from files (--postings)" in result.stderr


def test_one_posting_is_singular(tmp_path):
    twice = tmp_path / "twice.jsonl"
    twice.write_text('{"id": "1", "title": "Cook", "body": "Bake."}\n' * 2)
    result = succeed("train", twice, "--model", tmp_path / "m")
    assert result.stdout.endswith("generation 1 with 1 posting\n")
    assert "1 posting came again" in result.stderr
    cv = tmp_path / "cv.txt"
    cv.write_text("Cook, who bakes")
    removed = succeed("rank", cv, "--model", tmp_path / "m", "--company", "Other")
    assert "filter company: 1 posting removed" in removed.stderr
    assert "rank 1 of 1 posting, score" in succeed("explain", cv, "1", "--model", tmp_path / "m").stdout


def test_the_module_of_the_command_can_be_run():
    result = subprocess.run(
        [sys.executable, "-m", "matcher.cli", "--version"],
        check=False,
        capture_output=True,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert result.returncode == 0
    assert result.stdout.startswith(b"matcher, version ")


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_progress_on_a_terminal_goes_to_standard_error_only(tmp_path):
    controller, terminal = os.openpty()
    shown = []

    def listen():
        with contextlib.suppress(OSError):
            while data := os.read(controller, 4096):
                shown.append(data)

    listener = threading.Thread(target=listen)
    listener.start()
    result = subprocess.run(
        command("train", "jobs.jsonl", "--model", tmp_path / "m"),
        check=False,
        stdout=subprocess.PIPE,
        stderr=terminal,
        timeout=60,
        env=ENVIRONMENT | {"TERM": "xterm"},
    )
    os.close(terminal)
    listener.join(10)
    os.close(controller)
    assert result.returncode == 0
    assert result.stdout.decode() == f"{tmp_path / 'm'}: generation 1 with 4 postings\n"
    assert b"4 postings read" in b"".join(shown)
    assert b"Traceback" not in b"".join(shown)
