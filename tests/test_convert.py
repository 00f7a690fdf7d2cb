"""`matcher convert`: the same postings in another format, and nobody's file overwritten or half written."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Posting, read_postings
from matcher.sources.file_names import file_name
from matcher.sources.writers import WRITERS
from tests.running import ENVIRONMENT, assert_clean_failure, process, run, snapshot, succeed

JOBS = [
    Posting(id="https://beck.example/1", title="Cook", location="Bern", body="Bake.", hashtags=["bread"]),
    Posting(
        id="../../etc/passwd", title=" Nurse", body="---\ntitle: x\n---\nCare.\n", extra={"a": [1, None]}
    ),
    Posting(id="CON", title="Driver", summary="# first\tline", extra={"salary": "45k"}),
]


def records(*paths):
    return sorted(
        json.dumps(posting.to_record(), sort_keys=True) for posting in read_postings(*paths, strict=True)
    )


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(b"".join(map(WRITERS["jsonl"].write, JOBS)))
    return path


def test_postings_come_through_both_formats_unchanged(source, tmp_path):
    folder, again = tmp_path / "made" / "postings", tmp_path / "again.jsonl"
    result = succeed("convert", source, "--to", "markdown", "--output", folder)
    assert result.stdout == "3 postings written\n"
    assert len(list(folder.iterdir())) == 3
    assert all(path.suffix == ".md" and path.name.isascii() for path in folder.iterdir())
    assert records(folder) == records(source)
    succeed("convert", folder, "--to", "jsonl", "--output", again)
    assert records(again) == records(source)
    assert sorted(again.read_bytes().splitlines()) == sorted(source.read_bytes().splitlines())


@pytest.mark.parametrize("to", WRITERS)
def test_seeds_come_through_unchanged(to, tmp_path):
    output = tmp_path / "out.jsonl" if to == "jsonl" else tmp_path / "out"
    succeed("convert", "seeds", "--to", to, "--output", output)
    assert records(output) == records("seeds")
    assert len(records(output)) == 212


@pytest.mark.parametrize("to", WRITERS)
def test_standard_output_and_input_carry_postings_only(to, source):
    first = process("convert", source, "--to", to)
    assert first.returncode == 0
    assert b"3 postings written" in first.stderr
    again = process("convert", "-", "--to", "jsonl", stdin=first.stdout)
    assert sorted(again.stdout.splitlines()) == sorted(source.read_bytes().splitlines())


@pytest.mark.parametrize("to", WRITERS)
def test_a_dash_is_standard_output(to, source):
    named = process("convert", source, "--to", to, "--output", "-", cwd=source.parent)
    assert named.returncode == 0
    assert named.stdout == process("convert", source, "--to", to).stdout != b""
    assert [path.name for path in source.parent.iterdir()] == ["jobs.jsonl"]


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("to", WRITERS)
def test_a_signal_leaves_whole_files_only_and_says_how_many(to, number, status, source, tmp_path):
    """A real signal, sent while the third file is being written."""
    output = tmp_path / "out"
    code = f"""
import os
import matcher.commands.converting as module
from matcher.cli import main
write = module._replacing
from contextlib import contextmanager
count = 0
@contextmanager
def replacing(path):
    global count
    with write(path) as file:
        yield file
        count += 1
        if count == {3 if to == "markdown" else 1}:
            os.kill(os.getpid(), {int(number)})
module._replacing = replacing
main(["convert", {str(source)!r}, "--to", {to!r}, "--output", {str(output)!r}], prog_name="matcher")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, timeout=60, env=ENVIRONMENT
    )
    assert result.returncode == status
    assert result.stdout == b""
    assert b"Traceback" not in result.stderr
    left = list(output.iterdir()) if output.exists() else []
    assert list(tmp_path.rglob(".*")) == []
    assert len(left) == (2 if to == "markdown" else 0)
    assert (b"2 postings written" in result.stderr) == (to == "markdown")
    assert (b"--force" in result.stderr) == (to == "markdown")
    succeed("convert", source, "--to", to, "--output", output, "--force")
    assert records(*([output] if to == "markdown" else [io.BytesIO(output.read_bytes())])) == records(source)


def test_nothing_is_overwritten_unless_asked(source, tmp_path):
    file, folder = tmp_path / "there.jsonl", tmp_path / "there"
    file.write_text("mine")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    before = snapshot(tmp_path)
    for to, output in (("jsonl", file), ("markdown", folder), ("markdown", file), ("jsonl", folder)):
        assert_clean_failure(run("convert", source, "--to", to, "--output", output), 2)
    for output in (file, folder):
        wrong = "markdown" if output == file else "jsonl"
        assert_clean_failure(run("convert", source, "--to", wrong, "--output", output, "--force"), 2)
    assert snapshot(tmp_path) == before
    succeed("convert", source, "--to", "jsonl", "--output", file, "--force")
    succeed("convert", source, "--to", "markdown", "--output", folder, "--force")
    assert records(file) == records(source)
    again = succeed("convert", source, "--to", "markdown", "--output", folder, "--force")
    assert again.stdout == "3 postings written\n"
    assert (folder / "mine.txt").read_text() == "mine"
    assert len(list(folder.iterdir())) == 4


def test_a_link_is_replaced_and_never_written_through(source, tmp_path):
    mine, link = tmp_path / "mine", tmp_path / "out.jsonl"
    mine.write_text("mine")
    link.symlink_to(mine)
    assert_clean_failure(run("convert", source, "--to", "jsonl", "--output", link), 2)
    succeed("convert", source, "--to", "jsonl", "--output", link, "--force")
    assert mine.read_text() == "mine"
    assert not link.is_symlink()


def test_a_folder_is_never_read_and_written_at_once(source, tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a.md").write_text("---\ntitle: Cook\n---\n")
    before = snapshot(tmp_path)
    for output in (folder, folder / "inner"):
        assert_clean_failure(run("convert", folder, "--to", "markdown", "--output", output, "--force"), 2)
    assert_clean_failure(run("convert", source, "--to", "jsonl", "--output", source, "--force"), 2)
    assert snapshot(tmp_path) == before


def test_what_cannot_be_read_is_said_and_the_rest_is_written(source, tmp_path):
    with source.open("ab") as file:
        file.write(b'{"title": }\n')
    output = tmp_path / "out.jsonl"
    result = succeed("convert", source, "--to", "jsonl", "--output", output)
    assert "jobs.jsonl:4" in result.stderr
    assert len(records(output)) == 3
    output.unlink()
    assert_clean_failure(run("convert", source, "--to", "jsonl", "--output", output, "--strict"), 1)
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.jsonl"]


def test_of_several_postings_with_one_id_a_folder_keeps_the_last(tmp_path):
    source, folder = tmp_path / "jobs.jsonl", tmp_path / "out"
    source.write_text('{"id": "1", "title": "Cook"}\n{"id": "1", "title": "Chef"}\n')
    assert succeed("convert", source, "--to", "markdown", "--output", folder).stdout == "1 posting written\n"
    assert [posting.title for posting in read_postings(folder)] == ["Chef"]


def test_nothing_to_convert_is_an_error(tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert_clean_failure(run("convert", empty, "--to", "jsonl"), 1)
    assert_clean_failure(run("convert", tmp_path / "missing.md", "--to", "jsonl"), 1)
    assert_clean_failure(run("convert", empty, "--to", "xml"), 2)


@pytest.mark.parametrize("to", WRITERS)
def test_an_error_of_writing_names_the_place(to, source, tmp_path):
    output = source / "inner"  # a file is no folder
    result = run("convert", "seeds", "--to", to, "--output", output)
    assert_clean_failure(result, 1)
    assert result.stderr.splitlines()[-1].startswith(f"Error: {output}: cannot be written (")


def test_a_file_is_kept_when_nothing_could_be_read(tmp_path):
    source, output = tmp_path / "jobs.jsonl", tmp_path / "out.jsonl"
    source.write_text("{")
    output.write_text("mine")
    assert_clean_failure(run("convert", source, "--to", "jsonl", "--output", output, "--force"), 1)
    assert output.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=100), st.text(max_size=100))
def test_a_file_name_is_safe_and_of_one_id_only(first, second):
    name = file_name(first, ".md")
    assert name == Path(name).name == name.lower()
    assert name.isascii()
    assert 0 < len(name) <= 80
    assert name[0] not in ".-"
    assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert (file_name(second, ".md") == name) == (first == second)


@pytest.mark.parametrize(
    "posting_id", ["CON", "nul", "com1.md", "aux", "..", "/", "a" * 2_000, "Ä", "ä", "A", "a", "\u212b"]
)
def test_a_file_name_names_no_device_and_no_other_folder(posting_id):
    stem = file_name(posting_id, ".md").split(".")[0]
    assert stem not in {"con", "prn", "aux", "nul", "com1", "lpt1"}
    assert stem.count("-") >= 1
