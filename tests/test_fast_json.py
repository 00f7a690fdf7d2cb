"""JSON Lines decoded in blocks are what the strict decoder makes of each line."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.sources import fast_json, json_lines
from matcher.sources.entry import RawPosting
from matcher.sources.json_lines import read_json_lines

pytestmark = pytest.mark.skipif(not fast_json.IS_FAST, reason="msgspec is not installed")

TEXTS = st.text(alphabet='aä":\\/ \n#ÃÂ¼„“â€™\x81\x85\u2028😀:[{}', max_size=8) | st.text(max_size=6)
LEAVES = st.one_of(
    TEXTS, st.none(), st.booleans(), st.integers(), st.floats(), st.integers(10**15, 10**40), st.just(-0.0)
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["title", "a", "a", "\u00e4", "Ã¤", 'x":', "pay", ""])
OBJECTS = st.lists(st.tuples(NAMES, VALUES), max_size=5)


def written(pairs, escape, spaces):
    """Return an object as JSON that may hold a name twice."""
    colon, comma = spaces
    parts = [
        json.dumps(name, ensure_ascii=escape) + colon + json.dumps(value, ensure_ascii=escape)
        for name, value in pairs
    ]
    return ("{" + comma.join(parts) + "}").encode("utf-8", "surrogatepass")


SPACES = st.sampled_from([(":", ","), (": ", ", "), (" : ", " , "), ("\t:\r", ",\t"), ("  :", ",")])
PIECES = st.sampled_from(
    [
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b'"',
        b"\\",
        b"\\u00e4",
        b"\\u003a",
        b"\\ud83d",
        b"\\ude00",
        b" ",
        b"\t",
        b"\r",
        b'"a"',
        b'"a":',
        b'"a" :',
        b'"\\u0061":',
        b"1",
        b"-0",
        b"1e400",
        b"1e5",
        b"NaN",
        b"null",
        b"\xc3\x83\xc2\xb6",
        b"\xc3",
        b"\xff",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\x01",
        b"\xc2\x81",
        b"\xed\xa0\x80",
        b'"x"',
        b'"y": "z"',
    ]
)
LINES = st.one_of(
    st.builds(written, OBJECTS, st.booleans(), SPACES),
    st.builds(written, OBJECTS, st.booleans(), SPACES),
    st.lists(PIECES, max_size=8).map(b"".join),
    st.lists(PIECES, max_size=6).map(lambda pieces: b"{" + b"".join(pieces) + b"}"),
    st.sampled_from([b"", b" ", b"[]", b"1", b'"text"', b"{}", b'{"title": "Cook"}', b'\xff\xfe{\x00"\x00']),
    st.binary(max_size=6).map(lambda data: data.replace(b"\n", b"")),
)
FILES = st.tuples(st.lists(LINES, max_size=6), st.sampled_from([b"\n", b"\r\n"]), st.booleans()).map(
    lambda made: made[1].join(made[0]) + made[1] * made[2]
)


def outcome(data, *, fast, block=1 << 17):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_lines, "IS_FAST", fast)
        patch.setattr(json_lines, "_BLOCK", block)
        entries = list(read_json_lines(io.BytesIO(data), "jobs.jsonl"))
    return [
        (repr(entry.fields), entry.line, entry.default_id, entry.changes)
        if isinstance(entry, RawPosting)
        else (entry.reason, entry.line)
        for entry in entries
    ]


@settings(max_examples=500, deadline=None)
@given(FILES, st.sampled_from([1, 7, 50, 1 << 17]))
@example(b'{"a":1,"a":2}\n', 99)
@example(b'{"a":1,"\\u0061":2}\n', 99)
@example(b'{"a" :1,"a"\t:2,"b":"\\":"}\n', 99)
@example(b'{"a":{"b":1,"b":1},"c":":"}\n', 99)
@example(b'{"a":"\\u003a","a":" :"}\n', 99)
@example(b'{"a":"x\\": y","a":1}\n', 99)
@example(b'{"a":1}{"b":2}\n{"c":3}\n', 99)
@example(b'{"a":\n1}\n{"c":3}\n', 99)
@example('{"a":"Sch\u00c3\u00b6n","b":"\u00c3"}\n{"c":"\u0081"}'.encode(), 99)
@example(b'{"a":"Sch\\u00c3\\u00b6n","Sch\\u00f6n":1}\n', 99)
@example(b'{"\\u00c3\\u00b6":1,"\\u00f6":1}\n', 99)
@example(b'{"a":12345678901234567890123456789,"b":-0,"c":-0.0,"d":1e400}\n{"c":1e22}\n{"c":0.1e-400}', 99)
def test_equals_the_strict_decoder(data, block):
    assert outcome(data, fast=True, block=block) == outcome(data, fast=False)


@settings(max_examples=300, deadline=None)
@given(
    st.floats(allow_nan=False, allow_infinity=False) | st.floats(0, 1e6),
    st.sampled_from(["r", ".17e", ".3f", "g"]),
)
def test_numbers_are_read_alike(number, form):
    text = repr(number) if form == "r" else format(number, form)
    data = f'{{"a":{text}}}'.encode()
    assert outcome(data, fast=True) == outcome(data, fast=False)


@pytest.mark.parametrize("depth", [1, 8, 90, 150, 250, 600, 900, 1_000, 5_000])
@pytest.mark.parametrize(("opens", "closes"), [("[", "]"), ('{"a":', "}")])
def test_depth_is_refused_alike(depth, opens, closes):
    data = ('{"title":"Cook"}\n{"x":' + opens * depth + "1" + closes * depth + "}\n").encode()
    assert outcome(data, fast=True) == outcome(data, fast=False)


@pytest.mark.parametrize("longest", [10, 18, 19, 40])
@pytest.mark.parametrize("block", [1, 16, 1_000])
def test_long_and_blank_lines_are_refused_alike(longest, block, monkeypatch):
    monkeypatch.setattr(json_lines, "LARGEST_POSTING", longest)
    monkeypatch.setattr(json_lines, "LONGEST_LINE", 60)
    monkeypatch.setattr(json_lines, "MOST_BLANK", 3)
    for body in (
        b'{"title": "Cook"}',
        b'{"title": "Cook %s"}' % (b"x" * 30),
        b"x" * 61,
        b"x" * 70,
        b"\n" * 4,
        b"\n" * 5,
    ):
        for end in (b"", b"\n", b'\n{"a": 1}\n{"b": 2}', b'\n{"a": 1}\n\n\n{"b": 2}\n'):
            data = b'{"a": 0}\n' + body + end
            assert outcome(data, fast=True, block=block) == outcome(data, fast=False)


def test_a_damaged_end_loses_no_line_before_it():
    class Damaged(io.BytesIO):
        def read1(self, size=-1):
            data = super().read1(size)
            if not data:
                raise OSError("damaged")
            return data

    entries = read_json_lines(Damaged(b'{"a": 1}\n{"b": 2}\n{"c"'), "jobs.jsonl")
    assert [next(entries).fields for _ in range(2)] == [{"a": 1}, {"b": 2}]
    with pytest.raises(OSError, match="damaged"):
        next(entries)


def test_equals_the_strict_decoder_on_the_corpus():
    texts = []

    def collect(value):
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list | dict):
            for child in value.values() if isinstance(value, dict) else value:
                collect(child)

    for path in sorted((Path(__file__).parent / "cases").rglob("*.json")):
        collect(json.loads(path.read_text(encoding="utf-8")))
    assert sum('"' in text for text in texts) > 100
    for text in texts:
        data = text.encode("utf-8", "surrogatepass")
        assert outcome(data, fast=True) == outcome(data, fast=False)


def test_most_lines_do_not_need_the_strict_decoder(monkeypatch):
    monkeypatch.setattr(json_lines, "parse_object", None)
    lines = [
        {"title": "Köchin – „gut“", "pay": {"minimum": 1}, "tags": ["a", "b"], "note": 'He said "x": no'}
    ] * 3
    for spaced in (None, (",", ":")):
        data = "\n".join(
            json.dumps(line, ensure_ascii=spaced is None, separators=spaced) for line in lines[:2]
        )
        data = data.replace(': no"', 'no"').encode()
        assert len(list(read_json_lines(io.BytesIO(data), "a"))) == 2
