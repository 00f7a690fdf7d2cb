"""What a terminal gets to see: tables of rankings, explanations and models, without steering characters."""

import io
import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from matcher import Contribution, Matcher, Posting, Recommendation
from matcher.changes import Changes
from matcher.drift.report import DriftReport, JudgedDrift, ProbeDrift
from matcher.drift.term_changes import BlockDrift, PostingName, TermChange
from matcher.features import HashtagBlock, TextBlock, TitleBlock
from matcher.report import (
    describe_model,
    printable,
    render_drift,
    render_explanation,
    render_model,
    render_recommendations,
)
from matcher.semantic import SemanticBlock
from matcher.sources import Rejected
from matcher.word_vectors import WordVectors

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
STYLE = re.compile(r"\x1b\[[0-9;]*m")
HOSTILE = {
    "colour": "\x1b[31mred\x1b[0m",
    "clear the screen": "\x1b[2J\x1b[H",
    "window title": "\x1b]0;owned\x07",
    "hyperlink": "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "8-bit control": "\x9b31mred\x9d0;owned\x9c",
    "carriage return": "safe\rEVIL",
    "backspace": "safe\x08\x08\x08\x08EVIL",
    "bell and NUL": "a\x07b\x00c\x7fd",
    "vertical moves": "a\x0bb\x0cc\x85d",
    "line separators": "a\u2028b\u2029c",
    "right to left": "\u202egnp.exe",
    "isolates": "\u2066\u2067x\u2069",
    "arabic letter mark": "\u061cx",
    "surrogate": "a\ud800b",
    "several lines": "one\ntwo\r\n\tthree",
}
MARKUP = [
    "[bold]x[/bold]",
    "[/]",
    "[/nothing]",
    "[link=https://evil.example]x[/link]",
    "[red",
    "\\[x]",
    ":smile:",
]


def draw(table, *, width=100, terminal=False):
    out = io.StringIO()
    Console(
        file=out, width=width, force_terminal=terminal, color_system="standard" if terminal else None
    ).print(table)
    return out.getvalue()


def recommend(score=0.5, contributions=(), **fields):
    return Recommendation(1, score, Posting(**{"id": "1"} | fields), tuple(contributions))


def steering(text):
    """Return the characters of text that a terminal obeys instead of showing."""
    return [
        char
        for char in text
        if char != "\n" and (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in BIDI)
    ]


@pytest.mark.parametrize("field", ["title", "company", "location", "url"])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_field_of_a_posting_steers_the_terminal(field, text):
    table = render_recommendations([recommend(**{"title": "Cook", field: text})])
    assert steering(draw(table)) == []
    assert steering(STYLE.sub("", draw(table, terminal=True))) == []


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_feature_steers_the_terminal(text):
    recommendation = recommend(0.5, [Contribution("text", text, 0.5)], title=text)
    for table in (render_explanation(recommendation), render_recommendations([recommendation])):
        assert steering(draw(table)) == []
        assert steering(STYLE.sub("", draw(table, terminal=True))) == []


def test_a_colour_in_a_title_adds_no_escape_to_those_of_the_table():
    plain, hostile = (
        draw(render_recommendations([recommend(title=title)]), terminal=True)
        for title in ("[31mred[0m", "\x1b[31mred\x1b[0m")
    )
    assert hostile == plain


@pytest.mark.parametrize("text", MARKUP)
@pytest.mark.parametrize("field", ["title", "company", "location", "url"])
def test_what_looks_like_markup_is_shown_as_written(field, text):
    assert text in draw(render_recommendations([recommend(**{field: text})]))


@pytest.mark.parametrize("text", MARKUP)
def test_a_feature_that_looks_like_markup_is_shown_as_written(text):
    recommendation = recommend(0.5, [Contribution("text", text, 0.5)])
    assert text in draw(render_explanation(recommendation))
    assert text in draw(render_recommendations([recommendation]))


@pytest.mark.parametrize("text", [*MARKUP, *HOSTILE.values()])
def test_the_path_of_a_model_is_shown_as_written_and_steers_nothing(text):
    out = draw(render_model(Matcher.fit([]), text))
    assert steering(out) == []
    if text in MARKUP:
        assert text in out


@given(st.text())
@settings(max_examples=100, deadline=None)
def test_printable_drops_what_steers_and_keeps_every_other_character(text):
    shown = printable(text)
    assert steering(shown) == []
    assert "\n" not in shown
    harmless = [char for char in text if not steering(char) and not char.isspace()]
    assert [char for char in shown if not char.isspace()] == harmless
    assert printable(shown) == shown


@pytest.mark.parametrize(
    "text", ["Köchin – 東京 ☕", "e\u0301cole", "👩\u200d🍳 chef", "C++ & .NET <b>", "שלום", "مرحبا"]
)
def test_printable_leaves_honest_text_alone(text):
    assert printable(text) == text


def test_words_on_two_lines_stay_apart():
    assert printable("Cook\nBern").split() == ["Cook", "Bern"]
    assert printable("Cook\r\nBern").split() == ["Cook", "Bern"]
    assert printable("Cook\tBern").split() == ["Cook", "Bern"]


def test_the_table_shows_rank_score_title_company_place_link_and_three_reasons():
    parts = [Contribution("text", word, 0.1) for word in ("alpha", "beta", "gamma", "delta")]
    out = draw(
        render_recommendations(
            [
                recommend(
                    0.4321, parts, title="Cook", company="Beck", location="Bern", url="https://beck.example/1"
                )
            ]
        )
    )
    for text in ("1", "0.432", "Cook", "Beck", "Bern", "https://beck.example/1", "alpha, beta, gamma"):
        assert text in out
    assert "delta" not in out


def test_a_posting_without_title_is_shown_by_its_id():
    assert "job-17" in draw(render_recommendations([recommend(id="job-17")]))


@pytest.mark.parametrize("width", [1, 10, 20, 40, 79, 300])
def test_no_width_breaks_a_table(width):
    recommendation = recommend(
        0.5,
        [Contribution("text", "w" * 90, 0.5)],
        title="Long title " * 20,
        url="https://x.example/" + "y" * 200,
    )
    for table in (render_recommendations([recommendation]), render_explanation(recommendation)):
        assert all(len(line) <= width for line in draw(table, width=width).splitlines())


def test_a_long_title_and_link_lose_no_character():
    url = "https://jobs.example/" + "abcdefghij" * 30
    out = draw(render_recommendations([recommend(title="T", url=url)]), width=60)
    assert url in re.sub(r"\s", "", out)


@pytest.mark.parametrize("score", [0.0, 5e-324, 1e-12, 1.0, 1e300])
def test_every_score_can_be_explained(score):
    parts = [Contribution("text", "cook", score)] if score else []
    out = draw(render_explanation(recommend(score, parts)))
    assert out.splitlines()[-1].split()[0] == "score"


def test_an_explanation_lists_every_contribution_with_shares_that_sum_to_the_whole():
    parts = [
        Contribution("text", f"word{number}", value) for number, value in enumerate((0.3, 0.15, 0.04, 0.01))
    ]
    out = draw(render_explanation(recommend(0.5, parts)))
    assert all(part.feature in out for part in parts)
    shares = [float(share) for share in re.findall(r"([\d.]+)%", out)]
    assert shares == [60.0, 30.0, 8.0, 2.0]
    bars = [line.count("█") for line in out.splitlines() if "word" in line]
    assert bars == sorted(bars, reverse=True)
    assert min(bars) >= 1


def test_describe_model_counts_what_is_in_it():
    postings = [
        Posting(
            id="1", title="Cook", company="Beck", location="Bern", posted=datetime(2026, 3, 1, tzinfo=UTC)
        ),
        Posting(
            id="2", title="Nurse", company="Beck", hashtags=["care"], posted=datetime(2025, 1, 9, tzinfo=UTC)
        ),
        Posting(id="3", body="cook"),
    ]
    blocks = [TextBlock(0.7), HashtagBlock(0.3), TitleBlock(0.2), SemanticBlock(2.0)]
    assert describe_model(Matcher.fit(postings, blocks=blocks)) == {
        "generation": 0,
        "postings": 3,
        "fitted": True,
        "segments": 1,
        "deleted": 0,
        "companies": 1,
        "locations": 1,
        "posted": ["2025-01-09", "2026-03-01"],
        "blocks": [
            {"name": "text", "weight": 0.7, "features": 2, "dimensions": 0},
            {"name": "hashtags", "weight": 0.3, "features": 1, "dimensions": 0},
            {"name": "title", "weight": 0.2, "features": 2, "dimensions": 0},
            {
                "name": "semantic",
                "weight": 2.0,
                "features": 0,
                "dimensions": WordVectors.shipped().dimensions,
            },
        ],
    }


def test_a_model_that_needs_a_refit_or_compaction_says_so():
    matcher = Matcher.fit([Posting(id=str(number), title="Cook") for number in range(4)])
    plain = draw(render_model(matcher, "models/jobs"))
    assert "on disk" not in plain
    assert "retrain" not in plain
    matcher.remove(["1"])
    matcher.add([Posting(id="9", title="Nurse")])
    described = describe_model(matcher)
    assert (described["fitted"], described["segments"], described["deleted"]) == (False, 2, 1)
    shown = draw(render_model(matcher, "models/jobs", 3))
    assert re.search(r"generation +0, 3 on disk", shown)
    assert re.search(r"segments +2, 1 deleted posting until 'matcher compact'", shown)
    assert "'matcher retrain' learns them anew" in shown


@pytest.mark.parametrize("year", [1, 9999])
def test_describe_model_copes_with_dates_at_the_ends_of_the_calendar(year):
    matcher = Matcher.fit([Posting(id="1", title="Cook", posted=datetime(year, 6, 1, tzinfo=UTC))])
    assert describe_model(matcher)["posted"] == [f"{year:04}-06-01"] * 2


def drift_report(text="bread", name="text"):
    posting = PostingName(text, text)
    rising = [TermChange(f"{text}{number}", 10, 20 + number, 12.0, (posting,)) for number in range(7)]
    block = BlockDrift(
        name,
        100,
        200,
        30,
        40,
        12,
        3,
        7,
        1,
        new=(TermChange(text, 0, 9, 15.0, (posting,)),),
        rising=tuple(rising),
        dying=(TermChange(f"less{text}", 50, 20, -30.0),),
    )
    return DriftReport(
        postings_before=100,
        postings_after=200,
        changes=Changes(("a", "b"), ("c",), (), ("d",), ()),
        blocks=(block,),
        probes=(
            ProbeDrift("ok.md", 0.75),
            ProbeDrift(text, 0.25, (posting,) * 3, (posting,)),
            ProbeDrift("x", None),
        ),
        judged=(JudgedDrift("ok.md", 0.5, 0.75), JudgedDrift(text, 1.0, 0.5), JudgedDrift("x", None, None)),
        rejected=tuple(Rejected(f"{text}{number}.md", number, text) for number in range(1, 6)),
        rejected_count=9,
    )


def test_a_drift_report_is_summed_up():
    drawn = draw(render_drift(drift_report(), ["drift is too much"]), width=200)
    lines = [" ".join(line.split()) for line in drawn.splitlines()]
    assert lines == [
        "postings 100 → 200: 2 added, 1 changed, 1 unchanged",
        "text: new 12: bread (9), ...",
        "text: rising 7: bread0 (10.00% → 10.00%), bread1 (10.00% → 10.50%), bread2 (10.00% → 11.00%), "
        "bread3 (10.00% → 11.50%), bread4 (10.00% → 12.00%), ...",
        "text: dying 1: lessbread (50.00% → 10.00%)",
        "drift 0.500, mean overlap 0.500 of 2 probe CVs; lowest 0.250: bread (3 entered, 1 left)",
        "quality nDCG@10 0.750 → 0.625 of 2 judged CVs; largest loss 0.500: bread",
        "rejected 9",
        "bread1.md:1: bread",
        "bread2.md:2: bread",
        "bread3.md:3: bread",
        "and 6 more",
        "gate refused",
        "drift is too much",
    ]


def test_a_drift_report_says_what_was_not_measured():
    def said(report, *reasons):
        return " ".join(draw(render_drift(report, *reasons), width=200).split())

    assert said(DriftReport()) == (
        "postings 0 → 0: no changes drift not measured: no probe CVs quality not measured: no judged CVs"
    )
    first = DriftReport(
        postings_after=1, probes=(ProbeDrift("a.md", None),), judged=(JudgedDrift("a", None, 0.5),)
    )
    assert "drift not measured: there were no postings before" in said(first)
    assert "quality nDCG@10 0.500 of 1 judged CV" in said(first)
    assert said(first, []).endswith("gate passed")
    assert "gate" not in said(first)
    lost = DriftReport(
        postings_before=1, probes=(ProbeDrift("a.md", None),), judged=(JudgedDrift("a", 0.5, None),)
    )
    assert "drift not measured: no probe CV finds a posting" in said(lost)
    assert "quality not measured: no posting that fits a judged CV is held" in said(lost)
    better = DriftReport(judged=(JudgedDrift("a", 0.5, 0.75),))
    assert "loss" not in said(better)


@pytest.mark.parametrize("text", [*HOSTILE.values(), *MARKUP])
def test_a_drift_report_cannot_steer_the_terminal(text):
    report = drift_report(text, name=text)
    for terminal in (False, True):
        drawn = STYLE.sub("", draw(render_drift(report, [text]), width=400, terminal=terminal))
        assert steering(drawn) == []
    plain = draw(render_drift(report, [text]), width=400)
    assert printable(text).strip() in plain


def test_a_drift_report_stays_short_whatever_it_holds():
    drawn = draw(render_drift(drift_report("x" * 10_000, name="y" * 1_000), ["z" * 10_000]), width=100)
    assert len(drawn.splitlines()) < 50
