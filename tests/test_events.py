"""Logs of what people did with postings, read as grades: every line counts, or is named."""

import csv
import json
import os
import random

import pytest

from matcher import JudgementError
from matcher.evaluate import EVENTS, RejectedEvent, read_events

SECRET = "Geheimrat"


def write(folder, text, name="log.jsonl"):
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def lines(*entries):
    return "".join((entry if isinstance(entry, str) else json.dumps(entry)) + "\n" for entry in entries)


def event(profile, posting, name, **more):
    return {"profile": profile, "posting": posting, "event": name, **more}


def test_events_become_grades(tmp_path):
    log = lines(
        event("ben", "cook", "applied", at="2026-03-01"),
        event("anna", "nurse", "Liked", text="Nurse on a ward"),
        "",
        event("anna", "chef", "viewed"),
        event("anna", "cook", " DISLIKED "),
        event("anna", "welder", "viewed", text="Nurse on a ward"),
    )
    events = read_events(write(tmp_path, log))
    assert events.grades == {
        "anna": {"chef": 1, "cook": 0, "nurse": 2, "welder": 1}, "ben": {"cook": 3}
    }  # fmt: skip
    assert [*events.grades] == ["anna", "ben"]
    assert events.texts == {"anna": "Nurse on a ward"}
    assert (events.read, events.rejected) == (5, ())
    assert EVENTS == {"applied": 3, "liked": 2, "viewed": 1, "disliked": 0}


@pytest.mark.parametrize(
    ("names", "grade"),
    [
        ("viewed applied", 3),
        ("applied liked viewed", 3),
        ("viewed viewed", 1),
        ("disliked applied", 0),
        ("applied disliked viewed", 0),
        ("viewed liked", 2),
    ],
)
def test_of_several_events_a_dislike_counts_and_then_the_highest_whatever_the_order(tmp_path, names, grade):
    log = [event("anna", "cook", name) for name in names.split()]
    for order in (log, log[::-1], log[1:] + log[:1]):
        assert read_events(write(tmp_path, lines(*order))).grades == {"anna": {"cook": grade}}


def test_profiles_without_a_name_are_told_apart_by_their_text(tmp_path):
    log = [
        {"text": f"{SECRET} nurse", "posting": "nurse", "event": "liked"},
        {"text": f" {SECRET} nurse\n", "posting": "chef", "event": "viewed"},
        {"text": f"{SECRET} cook", "posting": "cook", "event": "liked"},
    ]
    events = read_events(write(tmp_path, lines(*log)))
    assert sorted(map(len, events.grades.values())) == [1, 2]
    assert sorted(events.texts.values()) == [f"{SECRET} cook", f"{SECRET} nurse"]
    assert events.texts.keys() == events.grades.keys()
    assert SECRET not in "".join(events.grades)
    assert SECRET not in repr(events)
    assert read_events(write(tmp_path, lines(*log[::-1]))) == events


def test_csv_is_the_same(tmp_path):
    log = [
        event("anna", "nurse", "liked", text='She said "hi", twice\nand went'),
        event("anna", "chef, sous", "viewed"),
        event("ben", "cook", "applied"),
    ]
    rows = [
        '\ufeffat,Event,posting , profile,text',
        ',liked,nurse,anna,"She said ""hi"", twice\nand went"',
        ',viewed,"chef, sous",anna,',
        "",
        ' ,applied,cook,ben,""',
    ]  # fmt: skip
    wanted = read_events(write(tmp_path, lines(*log)))
    for end in ("\n", "\r\n"):
        for name in ("log.csv", "log.txt", "log"):
            found = read_events(write(tmp_path, end.join(rows), name))
            assert found.grades == wanted.grades
            assert {text.replace("\r\n", "\n") for text in found.texts.values()} == {*wanted.texts.values()}


BAD = {
    "{not json": "not JSON: write one object a line",
    "[1, 2]": "expected an object",
    "[" * 100_000: "not JSON: write one object a line",
    '{"n": ' + "9" * 5_000 + "}": "not JSON: write one object a line",
    '{"profile": "anna", "event": "liked"}': "no posting: give its id",
    '{"profile": "anna", "posting": "  ", "event": "liked"}': "no posting: give its id",
    '{"profile": "anna", "posting": 7, "event": "liked"}': "posting is no text: write it between quotes",
    '{"profile": ["anna"], "posting": "a", "event": "liked"}': "profile is no text: write it between quotes",
    '{"posting": "a", "event": "liked"}': "no profile: give its name, or its text",
    '{"profile": "anna", "posting": "a"}': "no event: use one of applied, liked, viewed, disliked",
    '{"profile": "anna", "posting": "a", "event": "Geheimrat Anna"}':
        "another event: use one of applied, liked, viewed, disliked",
}  # fmt: skip


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:40])
def test_a_line_that_makes_no_sense_is_counted_with_its_number(tmp_path, line):
    good = event("anna", "nurse", "liked")
    path = write(tmp_path, lines(good, "", line, good))
    events = read_events(path)
    assert events.rejected == (RejectedEvent(3, BAD[line]),)
    assert events.read == 2
    with pytest.raises(JudgementError) as caught:
        read_events(path, strict=True)
    assert str(caught.value) == f"{path}:3: {BAD[line]}"
    with pytest.raises(JudgementError, match="no events here: 2 rejected, the first at line 1: no posting"):
        read_events(write(tmp_path, lines("{}", line)))


@pytest.mark.parametrize("limit", [131_072, 1 << 24])
def test_rows_of_csv_that_make_no_sense_are_counted_with_their_lines(tmp_path, limit):
    csv.field_size_limit(limit)  # others in this process may have raised it
    text = 'profile,posting,event\n"anna",nurse,liked\nanna,nurse\n"b\nc",cook,seen\nben,cook,liked\n'
    assert read_events(write(tmp_path, text, "log.csv")).rejected == (
        RejectedEvent(3, "expected 3 columns, got 2"),
        RejectedEvent(4, "another event: use one of applied, liked, viewed, disliked"),
    )
    for end in ('"ben,cook,liked\n', f'ben,"{"x" * 200_000}",liked\n', 'ben,"co"ok,liked\n'):
        events = read_events(write(tmp_path, text + end + "carl,cook,liked\n", "log.csv"))
        assert events.read == 2
        assert events.rejected[-1].line == 7
        assert events.rejected[-1].reason.startswith("not CSV from here on")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no events here"),
        (b"\n \n", "no events here"),
        (b"profile,posting,event\n", "no events here"),
        (
            b"anna,nurse,liked\n",
            "1: expected JSON Lines, or CSV headed profile \\(or text\\), posting, event",
        ),
        (b"\nprofile,posting\nanna,nurse\n", "2: expected JSON Lines, or CSV headed"),
        (b"posting,event\nnurse,liked\n", "1: expected JSON Lines, or CSV headed"),
        (b"\xff\xfe{", "not UTF-8"),
        (
            lines(
                event("anna", "a", "liked", text=f"{SECRET} 1"), event("anna", "b", "liked", text="2")
            ).encode(),
            "log:2: this profile has another text in a line before",
        ),
    ],
)
def test_what_cannot_be_read_at_all_is_an_error(tmp_path, content, reason):
    with pytest.raises(JudgementError, match=reason) as caught:
        read_events(write(tmp_path, content, "log"))
    assert str(tmp_path / "log") in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_is_no_file_is_an_error(tmp_path):
    with pytest.raises(JudgementError, match="no such file"):
        read_events(tmp_path / "none.jsonl")
    with pytest.raises(JudgementError, match="not a file"):
        read_events(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(JudgementError, match="not a file"):
            read_events(tmp_path / "fifo")


def test_the_order_of_lines_changes_nothing(tmp_path):
    draw = random.Random(3)
    log = [
        event(f"p{draw.randrange(4)}", f"job{draw.randrange(5)}", draw.choice([*EVENTS])) for _ in range(80)
    ]
    wanted = read_events(write(tmp_path, lines(*log)))
    for _ in range(5):
        draw.shuffle(log)
        found = read_events(write(tmp_path, lines(*log)))
        assert json.dumps(found.grades) == json.dumps(wanted.grades)
