"""Every hostile or careless file of the corpus has its wanted outcome; see tests/corpus_of_files.py."""

import importlib.util
import json
import os
from collections import Counter

import pytest

from matcher.sources import ReadReport
from tests.corpus_of_files import KINDS, Case, Outcome, judge, load_cases, make, prepare, read

CASES = load_cases()


def _parameter(case):
    marks = [pytest.mark.xfail(strict=True)] if case.kind == "known failure" else []
    text = json.dumps(case.files)
    if ('"fifo"' in text and not hasattr(os, "mkfifo")) or ('"link"' in text and os.name == "nt"):
        marks.append(pytest.mark.skip(reason="this system has no such files"))
    if "pdf" in text and importlib.util.find_spec("pypdf") is None:
        marks.append(pytest.mark.skip(reason="pypdf is not installed"))
    return pytest.param(case, id=f"{case.family}: {case.name}", marks=marks)


@pytest.mark.parametrize("case", [_parameter(case) for case in CASES])
def test_each_file_has_its_wanted_outcome(case, tmp_path):
    assert judge(case, read(case, prepare(case, tmp_path))) == []


def test_the_corpus_is_large_and_covers_what_it_should():
    kinds = Counter(case.kind for case in CASES)
    assert len(CASES) >= 500
    assert set(kinds) == set(KINDS)
    assert min(kinds["synthetic"], kinds["wild"], kinds["negative"]) >= 100
    rows = " | ".join(case.row for case in CASES)
    for row in (
        "text decoded with the wrong codec",
        "hashtags unquoted",
        "hashtags as list, comma, space, Unicode, duplicates",
        "strings as written",
        "duplicate keys",
        "BOM, CRLF, no closing fence, list instead of mapping",
        "keys named content, handler, self",
        "unquoted colon, @x, tab",
        "YAML merge-key bomb, 30,000 nested brackets",
        "!!python/object",
        "a FIFO, device, symlink out of the folder, 1 GB file",
        "timestamps of every kind",
        "two postings with one id",
        "unknown fields",
        "coercions are reported",
        "Greenhouse",
        "Lever",
        "Ashby",
        "Workable",
        "XML entities",
        "gz bombs",
        "zip bombs, PDF loops, XML entities",
        "lone surrogates",
        "control characters",
    ):
        assert row in rows
    assert len({(case.family, case.name) for case in CASES}) == len(CASES)


def test_a_case_that_is_not_as_wanted_is_seen():
    posting = next(case for case in CASES if case.family == "json_lines" and case.wanted.get("read") == 2)
    assert judge(posting, Outcome()) != []
    lost = Case("lost", "wild", "x", {"a.md": ""}, {"read": 0})
    assert "lost silently" in judge(lost, Outcome())[0]
    changed = Outcome(report=ReadReport())
    changed.report.add_changes("a.md", 1, ["repaired"])
    assert "changed without need" in judge(Case("x", "negative", "x", {}, {}, holds=0), changed)[0]
    cv = Case("x", "wild", "x", {}, {"text": ["Nurse"], "without": ["<"]}, how="cv")
    assert len(judge(cv, Outcome(text="<p>"))) == 2
    assert judge(cv, Outcome(text="Nurse")) == []
    assert judge(Case("x", "wild", "x", {}, {"error": "empty"}, how="cv"), Outcome(text="Nurse")) != []


def test_expressions_make_what_they_say():
    assert make(["a", {"repeat": "b", "times": 3}, {"numbered": "{n},", "times": 2}]) == b"abbb1,2,"
    assert make({"broken": "ö", "codec": "cp1252", "times": 2}) == "ÃƒÂ¶".encode()
    assert make({"cut": {"text": "ö", "codec": "cp1252"}, "at": 1}) == b"\xf6"
