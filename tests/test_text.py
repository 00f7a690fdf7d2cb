"""Bytes and markup to clean text: repair mends what is broken and leaves twelve languages and more alone."""

import json
import re
import time
from html import escape
from pathlib import Path

import pytest
from cmarkgfm import cmark
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from matcher import Posting, PostingError, read_postings
from matcher.text import _is_plain, decode, markdown_to_text, posting_text, repair

CASES = json.loads((Path(__file__).parent / "cases" / "repair.json").read_text(encoding="utf-8"))
SEEDS = Path(__file__).resolve().parents[2] / "shared" / "seeds"
PROPERTY = settings(max_examples=150, deadline=None)


@pytest.mark.parametrize("case", CASES, ids=[f"{case['kind']}: {case['label']}" for case in CASES])
def test_repair(case):
    assert repair(case["input"]) == case["wanted"]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['kind']}: {case['label']}" for case in CASES])
def test_repairing_twice_is_repairing_once(case):
    once = repair(case["input"])
    assert repair(once) == once


def test_the_cases_are_of_every_kind_and_of_twelve_languages():
    languages = {case["label"][:2] for case in CASES if case["kind"] == "negative"}
    assert {case["kind"] for case in CASES} == {"synthetic", "wild", "negative"}
    assert len(languages) >= 12
    assert all(case["input"] == case["wanted"] for case in CASES if case["kind"] == "negative")
    assert all(case["input"] != case["wanted"] for case in CASES if case["kind"] != "negative")


@PROPERTY
@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_is_never_changed(text):
    assert repair(text) == text


PHRASES = st.lists(
    st.builds(
        "{1}{0}{2}".format,
        st.from_regex(r"[a-z]{1,3}[äöüßéèñçàøåœ][a-z]{1,4}", fullmatch=True),
        st.sampled_from(["", "“", "„", "– ", "• ", "("]),
        st.sampled_from(["", "”", "“", "…", "’s", " – 5 €", ",", ")", "\u00a0"]),
    ),
    min_size=1,
    max_size=6,
).map(" ".join)


@PROPERTY
@given(PHRASES, st.sampled_from(["mac_roman", "latin-1"]))
def test_words_read_with_a_wrong_codec_come_back_and_read_rightly_stay(text, codec):
    assert repair(text.encode("utf-8").decode(codec)) == text
    assert repair(text) == text
    assert repair(f"{text} {text.encode('utf-8').decode(codec)}") == f"{text} {text}"


@PROPERTY
@given(st.text(st.sampled_from("aäöüÄÖÜß ‚‘„“”’–…»«éàçñ√ƒ€™ÃÂåÅ\n\u00a0\uf8ff\x80\x9d")))
def test_repair_never_adds_lines_or_letters(text):
    repaired = repair(text)
    assert repaired.count("\n") == text.count("\n")
    assert len(repaired) <= len(text)


def test_one_broken_line_does_not_change_the_others():
    clean = "“Ärzte” und „Übung“ für 5 €, ‚einfach‘"
    assert repair(f"{clean}\nWhat‚Äôs up\n{clean}") == f"{clean}\nWhat’s up\n{clean}"


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the seed postings are not in ../shared/seeds")
def test_the_seed_postings_come_out_repaired():
    reader = read_postings(SEEDS)
    postings = {posting.title.split(" (")[0]: posting for posting in reader}
    assert sorted(postings) == ["Partner Success Manager", "Sr. Sales Operations Manager"]
    assert (reader.report.rejected_count, reader.report.changed_count) == (0, 2)
    for posting in postings.values():
        text = json.dumps(posting.to_record(), ensure_ascii=False)
        for broken in ("‚Ä", "\uf8ff", "Ô∏", "¬", "üè", "ü", "‚ö"):
            assert broken not in text
        for wanted in (
            "🏆",
            "What’s the opportunity?",
            "⚠️",
            "organization that’s changing",
            "yours – whatever",
        ):
            assert wanted in text
        assert "## 🕵🏼\u200d♀️ What you’ll be doing?" in posting.body
        assert "## 🙋🏽\u200d♀️ What you’ll need" in posting.body
        assert posting.posted.isoformat() == "2020-12-07T00:00:00+00:00"
        assert "windows" in posting.hashtags
    assert "partner’s, as well as cargo.one’s, success.\u00a0" in postings["Partner Success Manager"].body


# --- decode ---


@PROPERTY
@given(st.text().filter(lambda text: "\0" not in text and not text.startswith("\ufeff")))
def test_utf_8_and_utf_16_are_read_alike(text):
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")
    for codec in ("utf-8-sig", "utf-16"):
        assert decode(text.encode(codec)).text == wanted


@PROPERTY
@given(st.binary())
def test_any_bytes_are_text_or_refused(data):
    try:
        text, encoding = decode(data)
    except PostingError:
        return
    assert "\r" not in text
    assert "\0" not in text
    assert encoding in ("utf-8", "utf-16", "windows-1252")
    assert text.encode("utf-8").decode("utf-8") == text


@pytest.mark.parametrize("data", [b"%PDF-1.7\n\x00\x01", b"PK\x03\x04\x00", "Köchin".encode("utf-32")])
def test_what_is_not_text_is_refused(data):
    with pytest.raises(PostingError, match="not text"):
        decode(data)


# --- markup ---


@pytest.mark.parametrize(
    ("markdown", "wanted"),
    [
        ("", ""),
        ("  plain   sentence \n\n\n more ", "plain sentence\nmore"),
        ("C#, C++, .NET and R&D for <3 people", "C#, C++, .NET and R&D for <3 people"),
        ("# Title\n\ntext", "Title\ntext"),
        ("Title\n=====\ntext", "Title\ntext"),
        ("* a\n  * b\n+ c\n1. d", "a\nb\nc\nd"),
        ("[here](https://a.example/secret?x=1) and ![](b.png)", "here and"),
        ("[ref][1]\n\n[1]: https://a.example", "ref"),
        ("~~old~~ **new** _slanted_ `C#` \\*star\\*", "old new slanted C# *star*"),
        ("|a|b|\n|-|-|\n|C++|C#|", "a\nb\nC++\nC#"),
        ("```\ncode x\n```", "code x"),
        ("&amp; &lt;b&gt; &#8364;&nbsp;5", "& <b> € 5"),
        ("<p>a</p><p>b</p>c<br>d", "a\nb\nc\nd"),
        ("<ul><li>a<li>b</ul><table><tr><td>c</td><td>d</td></tr></table>", "a\nb\nc\nd"),
        ("in<b>ner</b>most", "innermost"),
        ("a<!-- <b>x</b> -->b", "ab"),
        ("<script>alert(1)</script>x<style>p{}</style>", "x"),
        ("<SCRIPT >alert(1)</SCRIPT >x", "x"),
        ("x<template>t</template><noscript>n</noscript><iframe>i</iframe><svg><text>s</text></svg>", "x"),
        ("<img src=x onerror=alert(1)>z", "z"),
        ("<a href='javascript:alert(1)'>y", "y"),
    ],
)
def test_markdown_becomes_what_a_reader_sees(markdown, wanted):
    assert markdown_to_text(markdown) == wanted


@PROPERTY
@given(st.lists(st.text(st.sampled_from("abc äö€.,C"), min_size=1).filter(str.strip), min_size=1, max_size=4))
def test_paragraphs_written_as_markdown_or_html_read_the_same(paragraphs):
    tidy = [" ".join(paragraph.split()) for paragraph in paragraphs]
    html = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in tidy)
    assert markdown_to_text("\n\n".join(tidy)) == markdown_to_text(html) == "\n".join(tidy)


@PROPERTY
@given(st.text(st.sampled_from("ab \n*_`#[]()<>/\\&;!|-=+~1.\"'pbdivtable\t"), max_size=80))
def test_any_markup_gives_tidy_text(markup):
    text = markdown_to_text(markup)
    assert text == text.strip()
    assert "  " not in text
    assert "\n\n" not in text


@pytest.mark.parametrize(
    "markup",
    [
        "<b>" * 20_000,
        "<div>" * 20_000,
        "<b></i>" * 20_000,
        "</b><b>" * 20_000 + "<b>" * 20_000,
        ">" * 20_000 + " x",
        "<a><div></a>" * 20_000,
    ],
    ids=["b", "div", "mismatched ends", "ends first", "quotes", "crossed"],
)
def test_markup_nested_too_deep_is_refused(markup):
    with pytest.raises(PostingError, match="nested"):
        markdown_to_text(markup)


@pytest.mark.parametrize(
    "markup", ["[" * 50_000, "![[" * 20_000, "*a" * 50_000, "<a " * 50_000, "[a](b" * 10_000, "<!--" * 50_000]
)
def test_unfinished_markup_is_read(markup):
    assert isinstance(markdown_to_text(markup), str)


@pytest.mark.parametrize(
    "text", ["Kund*innen und Köch*innen", "Köch*in *oder* Bäcker*in", "- Köch*in & Koch*in"]
)
def test_gender_stars_are_no_emphasis(text: str):
    converted = markdown_to_text(text)
    assert converted.count("*in") == text.count("*in")
    assert "*oder" not in converted


def test_many_flat_paragraphs_are_read():
    assert markdown_to_text("<p>x</p>" * 10_000).count("x") == 10_000


def test_the_text_of_a_posting_is_its_title_summary_and_body():
    posting = Posting(
        id="1", title="T*t*", summary="S", body="# B", company="no", location="no", hashtags=["no"]
    )
    assert posting_text(posting) == "T*t*\nS\nB\n"
    assert posting_text(Posting(id="1", body=" bread  and\n\n cake")) == " bread  and\n\n cake"
    assert posting_text(Posting(id="1")) == ""


def test_half_an_emoji_in_a_body_is_a_posting_error_or_is_read():
    try:
        text = posting_text(Posting(id="1", body="\ud83d *cook*"))
    except PostingError:
        return
    assert "cook" in text


# --- the whole conversion for each text with a sign of markup: the module gets the same in less time ---

SIGN = re.compile(r"[<&*_`#\[\]\\>~|]|^\s*(?:[-+=]|\d+[.)])", re.MULTILINE)
BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|li|ul|ol|dl|dt|dd|tr|td|th|table|h[1-6]|hr|section|article|header|footer|blockquote|pre)\b",
    re.IGNORECASE,
)


def tidy_slowly(text):
    return re.sub(r" ?\n[ \n]*", "\n", re.sub(r"[^\S\n]+", " ", text)).strip()


def convert_slowly(markdown):
    markdown = re.sub(r"(?<=[^\W\d_])\*(?=in(?:nen)?\b)", r"\\*", markdown)
    markdown = markdown.encode("utf-8", "replace").decode("utf-8")
    html = cmark.markdown_to_html_with_extensions(
        markdown, options=cmark.Options.CMARK_OPT_UNSAFE, extensions=["table", "strikethrough"]
    )
    tree = LexborHTMLParser(BLOCK_TAG.sub(r"\n\g<0>", html))
    tree.strip_tags(["script", "style", "template", "noscript", "head", "iframe", "svg"])
    return tidy_slowly(tree.body.text() if tree.body else "")


def markdown_to_text_slowly(markdown):
    return convert_slowly(markdown) if SIGN.search(markdown) else tidy_slowly(markdown)


SIGNS = st.sampled_from("<&*_`#[]\\>~|-+=:.();!\"'/@ \t\n\n\n  1a9éß")
MARKS = st.sampled_from(
    [
        *("&amp;", "&#39;", "&copy", "&copy;", "&#13;", "&#0;", "&lt;b&gt;", "&#x1F;", "R&D", "&;", "AT&T;"),
        *(
            "<b>",
            "</b>",
            "<3",
            "<3@x.de>",
            "<https://a.example>",
            "<!--",
            "<br>",
            "<script>",
            "< 5",
            "a > b",
            "->",
        ),
        *("[a]: b", "[a](b)", "](", "]:", "][", "[see below]", "![x](y)", "[a]"),
        *(
            "1. ",
            "2) ",
            "10.",
            "- ",
            "* ",
            "+ ",
            "-5",
            "+49",
            "1.5",
            "## ",
            "#",
            "C#",
            "    ",
            "> ",
            "---",
            "===",
            "- - -",
        ),
        *("|-|", "| a | b |", "|---|---|", "a | b", ":-", ":-:", "-|-", "--", "|"),
        *(
            "```",
            "~~~",
            "~~",
            "~5",
            " ~",
            "**",
            "__",
            "*",
            "_",
            "snake_case",
            "Köch*in",
            "a*b",
            " * ",
            " _ ",
            "`",
            "x`y",
        ),
        *("\\", "\\\n", "\\*", "\\a", "  \n", "\n\n", "\n", " ", "word", "\t", "…", "•", "1", "é"),
        *(
            "\r",
            "\r\n",
            "\x0b",
            "\x0c",
            "\0",
            "\ufeff",
            "\u00a0",
            "\u2028",
            "\x85",
            "\x1c",
            "\ud83d",
            "\u3000",
        ),
    ]
)
MARKED = st.one_of(
    st.lists(st.one_of(MARKS, SIGNS), max_size=10),
    st.lists(MARKS, min_size=1, max_size=5).flatmap(
        lambda marks: st.lists(st.sampled_from(marks), max_size=10)
    ),
    st.lists(st.one_of(SIGNS, st.characters()), max_size=10),
).map("".join)


@settings(max_examples=2_000, deadline=None)
@given(MARKED)
@example("R&D, C# and R&amp;D")
@example("a | b\n-|-\nc | d")
@example("<\ud83d b")
@example("x <3@a.de> y")
@example("a*b* and a_b_ and ~a~ and `a` and ~~a~~ b")
@example("[a] b\n\n[a]: c\nd\\\ne")
def test_any_markdown_becomes_what_the_whole_conversion_gives(markdown):
    assert markdown_to_text(markdown) == markdown_to_text_slowly(markdown)


@settings(max_examples=1_000, deadline=None)
@given(MARKED)
def test_what_is_taken_for_plain_is_not_changed_by_conversion(markdown):
    if _is_plain(markdown) and SIGN.search(markdown):
        assert tidy_slowly(markdown) == convert_slowly(markdown)


@pytest.mark.parametrize(
    "sentence",
    [
        "R&D, C# and F#, 5 > 3, x < 4, <3",
        "state-of-the-art [see below] a|b",
        "snake_case of jo_doe@mail.example",
        "10*10 metres, about ~50 people and ~60 more",
        "-5 degrees\n+49 30 1234\n1.5 years\n-> apply",
        "C:\\Users and AC\\DC",
        "a `quotation",
        "Entwickler*in & Leitung",
    ],
)
def test_plain_sentences_with_signs_are_not_converted(sentence):
    assert _is_plain(sentence)
    assert markdown_to_text(sentence) == sentence == convert_slowly(sentence)


def test_each_seed_becomes_what_the_whole_conversion_gives():
    for path in sorted((Path(__file__).parents[1] / "seeds").glob("*.md")):
        body = path.read_text(encoding="utf-8").split("---", 2)[-1]
        assert markdown_to_text(body) == markdown_to_text_slowly(body)


@pytest.mark.parametrize("markdown", [">" * 2_400 + " x", "*a **b " * 700 + "c** d*" * 700, "- " * 300 + "x"])
def test_deep_markdown_becomes_what_the_whole_conversion_gives(markdown):
    assert markdown_to_text(markdown) == markdown_to_text_slowly(markdown)


@pytest.mark.parametrize(
    "piece", [*"<&*_`#[]\\>~|a\n1 \t", "&a", "<a@", "\n ", "\n-", "a_", "~ ", "`a", "](", "]:"]
)
def test_judging_signs_takes_time_in_proportion_to_the_text(piece):
    start = time.perf_counter()
    _is_plain("x" + piece * (1_000_000 // len(piece)))
    assert time.perf_counter() - start < 5
