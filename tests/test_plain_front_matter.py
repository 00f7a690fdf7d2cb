"""Front matter of plain lines, read without the YAML parser, is what the parser makes of it."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher.errors import PostingError
from matcher.mojibake import _SUSPICIOUS, is_suspicious
from matcher.sources import markdown
from matcher.sources.files import suffix_of
from matcher.sources.markdown import StrictHandler

PIECES = st.sampled_from(
    [
        "a",
        "Ä",
        "7",
        "key",
        "null",
        "~",
        "Null",
        "---",
        "...",
        "- ",
        "-",
        "? ",
        ": ",
        ":",
        " #",
        "#",
        "\n",
        "\n",
        "\n",
        " ",
        "  ",
        "\t",
        '"',
        "'",
        "\\",
        "\\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "!x ",
        "|",
        ">",
        "%",
        "@",
        "`",
        "\x85",
        "\u2028",
        "\u2029",
        "\ufeff",
        "\x00",
        "\x7f",
        "\x9f",
        "\xa0",
        "\ud800",
        "\ufffe",
        "😀",
        "https://a.example",
    ]
)
VALUES = st.one_of(
    st.lists(PIECES, max_size=6).map("".join),
    st.lists(PIECES, max_size=5).map(lambda parts: '"' + "".join(parts) + '"'),
    st.lists(PIECES, max_size=5).map(lambda parts: "'" + "".join(parts) + "'"),
    st.text(max_size=8),
    st.sampled_from(
        ["1776832200000", "null", "a: b", "a:b", "a:", "x #y", "x#y", "", " ", "a ", "C#", "yes", "[a, b]"]
    ),
)
KEYS = st.sampled_from(
    ["title", "a", "b-c", "hashtags", "null", "Null", "_x", "ä", "a b", "-", "9", "~", "x" * 101]
)
LINES = st.tuples(KEYS, st.sampled_from([":", ": ", ":  ", ":\t"]), VALUES).map("".join)
FRONT_MATTER = st.one_of(
    st.lists(LINES, max_size=5).map("\n".join),
    st.lists(LINES, max_size=4).map(lambda lines: "\n".join(lines) + "\n"),
    st.lists(PIECES, max_size=14).map("".join),
)


def the_long_way(fm, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(markdown, "_plain_fields", lambda fm: None)
        return outcome(fm)


def outcome(fm):
    handler = StrictHandler()
    try:
        return list(handler.load(fm).items()), handler.changes
    except PostingError as error:
        return str(error)
    except UnicodeEncodeError:  # half a character: no file holds one
        return "half a character"


@pytest.fixture(scope="module")
def patch():
    with pytest.MonkeyPatch.context() as context:
        yield context


@settings(max_examples=400, deadline=None)
@given(fm=FRONT_MATTER)
@example(fm="a: x\n\nb: y")
@example(fm="a: b:\nc: d")
@example(fm="a:\n  b")
@example(fm="a: x\n  y\nb: z")
@example(fm="a: 'x'  \nb: \"y\" ")
@example(fm="a: x \xa0\n")
def test_equals_the_parser(fm, patch):
    plain = markdown._plain_fields(fm)
    if plain is not None:
        assert (list(plain.items()), []) == the_long_way(fm, patch)
    assert outcome(fm) == the_long_way(fm, patch)


def test_equals_the_parser_on_every_character(patch):
    for code in [*range(0x3000), *range(0xD7F0, 0xE010), *range(0xFE00, 0x10010), 0x1F600, 0x10FFFF]:
        for shape in ("a: x{}y", 'a: "{}"', "a: '{}'", "a: {}", "a: x{}"):
            fm = shape.format(chr(code))
            plain = markdown._plain_fields(fm)
            if plain is not None:
                assert (list(plain.items()), []) == the_long_way(fm, patch), hex(code)


def test_equals_the_parser_on_the_corpus(patch):
    found = 0
    for path in sorted((Path(__file__).parent / "cases").rglob("*.json")):
        for case in texts_in(json.loads(path.read_text(encoding="utf-8"))):
            for fm in (case, *case.split("---\n")[1:2]):
                found += markdown._plain_fields(fm) is not None
                assert outcome(fm) == the_long_way(fm, patch)
    assert found > 50


def texts_in(value):
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for child in value.values() if isinstance(value, dict) else value:
            yield from texts_in(child)


def test_nearly_all_seeds_need_no_parser():
    read = [
        path.read_text(encoding="utf-8") for path in (Path(__file__).parent.parent / "seeds").glob("*.md")
    ]
    plain = [markdown._plain_fields(text.split("---\n")[1].removesuffix("\n")) for text in read]
    assert sum(fields is not None for fields in plain) > 0.97 * len(read) > 200


@settings(deadline=None)
@given(st.text(alphabet="a.Ä/\\ mM", max_size=12).filter(lambda path: "\0" not in path))
def test_endings_are_those_of_pathlib(path):
    assert suffix_of(path) == Path(path).suffix.lower()


@settings(deadline=None)
@given(st.text(alphabet="aÄ ÃÂ¼„“â€™–\x81\x85‚Äô√Ð°\ud800ðŸ˜", max_size=14))
def test_a_text_that_is_not_searched_through_is_clean(text):
    assert is_suspicious(text) == (_SUSPICIOUS.search(text) is not None)
