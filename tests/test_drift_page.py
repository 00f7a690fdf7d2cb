"""The page of a drift report: one file, nothing active in it, whatever postings, terms and labels hold."""

import base64
import hashlib
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, OptionError, Posting
from matcher.changes import Changes
from matcher.drift import Gate, measure_drift
from matcher.drift.report import DriftReport, JudgedDrift, ProbeDrift
from matcher.drift.term_changes import BlockDrift, IdfShift, PostingName, Reweighed, TermChange
from matcher.evaluate import JudgedCV
from matcher.pages.drift_page import render_page
from matcher.pages.markup import Markup, escape, fit, join, show, tag
from matcher.pages.plots import Dots, draw_bars, draw_diverging, draw_dots, draw_histogram, number
from matcher.sources import Rejected

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
HOSTILE = {
    "script": "<script>alert(1)</script>",
    "quotes": '" onload="alert(1)" \'',
    "link": "javascript:alert(1)",
    "way out": "--></title></style></desc></svg></table><img src=x onerror=alert(1)>",
    "entity": "&lt;script&gt; &#0; &amp",
    "directions": f"a{BIDI}b",
    "NUL and others": "a\x00b\x1b[2Jc\x9bd\x7f\x08",
    "surrogate": "a\ud800b",
    "lines": "a\n\r\u2028\u2029\tb",
    "long": "<" * 50_000,
    "wide": "調理師" * 40,
    "blank": " \u202e ",
}
ELEMENTS = set(
    "html head meta title style body main h1 h2 h3 section div p span strong small bdi dl dt dd ul li table "
    "caption thead tbody tr th td figure figcaption details summary svg desc g rect line circle text".split()
)
ATTRIBUTES = set(
    "class id role lang charset name content http-equiv scope tabindex aria-label aria-labelledby viewbox "
    "x y x1 x2 y1 y2 cx cy r width height text-anchor".split()
)
EMPTY = {"meta", "rect", "line", "circle"}


class Reader(HTMLParser):
    """Reads a page as a browser does, and remembers what is in it."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.attributes, self.text, self.style = [], [], [], [], ""
        self.values = {}

    def handle_starttag(self, name, attributes):
        self.elements.append(name)
        self.attributes += [(name, key, value) for key, value in attributes]
        if name not in EMPTY:
            self.open.append(name)

    def handle_startendtag(self, name, attributes):
        self.handle_starttag(name, attributes)

    def handle_endtag(self, name):
        assert self.open, f"</{name}> closes nothing"
        assert self.open.pop() == name

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            self.style += data
        else:
            self.text.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"comment {data!r}")

    def handle_pi(self, data):
        raise AssertionError(f"instruction {data!r}")


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def check(page):
    """Assert that a page is whole, in UTF-8, and has nothing active and nothing from elsewhere in it."""
    page.encode("utf-8")
    reader = read(page)
    assert set(reader.elements) <= ELEMENTS
    assert {key for _, key, _ in reader.attributes} <= ATTRIBUTES
    assert page.count("<style>") == 1
    assert not re.search(r"@import|url\(|expression|//", reader.style)
    assert not [
        c for c in page if c != "\n" and (unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or c in BIDI)
    ]
    ids = [value for _, key, value in reader.attributes if key == "id"]
    assert len(ids) == len(set(ids))
    for _, key, value in reader.attributes:
        if key == "aria-labelledby":
            assert set(value.split()) <= set(ids)
    return reader


def hostile_report(text):
    name = PostingName(text, text)
    change = TermChange(text, 1, 9, 12.0, (name,) * 3)
    block = BlockDrift(
        text,
        10,
        20,
        3,
        3,
        1,
        1,
        1,
        1,
        (change,),
        (change,),
        (change,),
        (TermChange(text, 9, 1, -12.0, (name,)),),
        IdfShift(2, 0.1, 0.2, (Reweighed(text, 1.0, 1.2),), (-1.0, 0.0, 1.0), (0, 2)),
    )
    return DriftReport(
        postings_before=10,
        postings_after=20,
        changes=Changes((text,), (text,), (text,), (text,), (text,)),
        names=dict.fromkeys(("added", "changed", "removed"), (name,)),
        blocks=(block, block),
        probes=(ProbeDrift(text, 0.5, (name,) * 5, (name,)), ProbeDrift("ok.md", None)),
        judged=(JudgedDrift(text, 0.5, 0.25), JudgedDrift(text, None, None)),
        rejected=(Rejected(text, 3, text),),
        rejected_count=5,
    )


GATES = [None, Gate(), Gate(0.6, 0.2), Gate(0.25, 0.5)]


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("gate", GATES)
def test_hostile_text_stays_text(case, gate):
    text = HOSTILE[case]
    reader = check(render_page(hostile_report(text), title=text, gate=gate))
    assert reader.elements.count("svg") == 1 + 1 + 1 + 2 * 2
    if case in ("script", "link", "quotes"):
        assert reader.text.count(text) >= 10  # shown, not dropped
    assert len("".join(reader.text)) < 30_000


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(), max_size=30))
def test_any_text_stays_text(text):
    check(render_page(hostile_report(text), title=text, gate=Gate(0.25)))


def test_the_policy_allows_the_style_sheet_and_nothing_else():
    reader = check(render_page(hostile_report("x")))
    [policy] = [value for name, key, value in reader.attributes if value.startswith("default-src")]
    digest = base64.b64encode(hashlib.sha256(reader.style.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    [index] = [place for place, name in enumerate(reader.elements) if name == "style"]
    assert ("meta", "http-equiv", "Content-Security-Policy") in reader.attributes
    assert reader.elements[:index].count("meta") >= 2  # the policy comes before what it governs
    assert "prefers-color-scheme: dark" in reader.style
    assert "@media print" in reader.style
    assert ("meta", "content", "width=device-width, initial-scale=1") in reader.attributes


def test_every_plot_has_title_description_and_a_table_beside_it():
    page = render_page(hostile_report("x"), gate=Gate(0.25, 0.5))
    reader = check(page)
    plots = re.findall(r"<svg .*?</svg>", page)
    assert len(plots) == 7
    for plot in plots:
        title, desc = re.search(r"<title id=.*?>(.+?)</title><desc id=.*?>(.+?)</desc>", plot).groups()
        assert len(title) > 5
        assert len(desc) > 10
        assert 'role="img"' in plot
    for part in page.split('<div class="pair">')[1:]:
        assert part.index("<svg") < part.index("<table")
    assert reader.elements.count("caption") == reader.elements.count("table")
    assert all(value in ("col", "row") for _, key, value in reader.attributes if key == "scope")
    assert ("html", "lang", "en") in reader.attributes


def test_empty_sections_say_so():
    reader = check(render_page(DriftReport()))
    text = " ".join(reader.text)
    for said in (
        "No probe CVs were given",
        "No judged CVs were given",
        "Every posting could be read",
        "none before",
    ):
        assert said in text
    first = measure_drift(
        Matcher.fit([]),
        Matcher.fit([Posting(id="1", title="Cook")]),
        changes=Changes(("1",)),
        probes={"a": "cook"},
    )
    text = " ".join(check(render_page(first, gate=Gate(max_drift=0.0))).text)
    for said in (
        "There were no postings before",
        "There is nothing to compare with",
        "The gate lets it pass",
        "No term was there both before and now",
        "0 terms in 0 postings before, 1 in 1 now",
    ):
        assert said in text
    same = Matcher.fit([Posting(id="1", title="Cook", hashtags=["bread"])])
    text = " ".join(
        check(render_page(measure_drift(same, same, changes=Changes(), probes={"a": "zzyzx"}))).text
    )
    for said in ("No probe CV finds a posting", "None of 1 weights changed", "No term came or went"):
        assert said in text


def test_a_refusal_for_other_reasons_than_the_gates_is_shown():
    page = render_page(DriftReport(), reasons=["3 postings were rejected <b>"])
    assert "3 postings were rejected &lt;b&gt;" in page
    text = " ".join(check(page).text)
    assert "Refused: nothing was published." in text
    assert "lets it pass" not in text
    assert "Refused" not in " ".join(check(render_page(DriftReport(), reasons=[])).text)
    lenient = Gate(min_quality=0.0)
    passed = DriftReport(judged=(JudgedDrift("a", None, 1.0),))
    assert "lets it pass" in " ".join(check(render_page(passed, gate=lenient, reasons=[])).text)


def test_the_page_shows_what_the_report_says():
    report = hostile_report("bread")
    text = " ".join(check(render_page(report, title="Jobs, generation 7", gate=Gate(0.25, 0.5))).text)
    for said in (
        "Jobs, generation 7",
        "The gate refuses to publish.",
        "drift is 0.5, more than the 0.25 allowed",
        "quality is 0.25, less than the 0.5 wanted",
        "gate 0.75",
        "gate 0.5",
        "mean 0.50",
        "mean 0.25",
        "+12.0",
        "−12.0",
        "45.00 %",
        "10.00 %",
        "Postings that could not be read: 1 of 5",
        "≤ −1.00",
        "≥ 1.00",
        "+0.200",
        "−0.250",
    ):
        assert said in text, said
    assert "0.28" in " ".join(
        check(render_page(DriftReport(postings_before=1, probes=(ProbeDrift("a", 0.72),)))).text
    )


def test_a_gate_without_what_it_measures_is_refused():
    with pytest.raises(OptionError, match="probe CVs"):
        render_page(DriftReport(), gate=Gate(max_drift=0.1))


def test_nothing_of_a_cv_gets_into_the_page(tmp_path):
    text = "Zebediah Quillfeather\nzq@quill.example\n\nCook and xylophonist\n"
    path = Path(tmp_path, "cv-7.txt")
    path.write_text(text)
    board = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
    report = measure_drift(
        Matcher.fit(board),
        Matcher.fit(board[:1]),
        changes=Changes(removed=("2",)),
        probes={"cv-7.txt": text},
        judgements=[JudgedCV("cv-7.txt", path, {"1": 1})],
    )
    page = render_page(report, gate=Gate(0.0, 1.0)).casefold()
    assert "cv-7.txt" in page
    assert not [
        word for word in ("zebediah", "quill", "xylophonist", str(tmp_path).casefold()) if word in page
    ]


def test_long_lists_are_cut_and_say_so():
    names = tuple(PostingName(f"id-{number}", f"title {number}") for number in range(10))
    report = DriftReport(
        postings_before=5,
        probes=tuple(ProbeDrift(f"cv-{number:03}.md", number / 200, names, ()) for number in range(150)),
        rejected=tuple(Rejected("a.jsonl", number, "no title") for number in range(300)),
        rejected_count=9_999,
    )
    reader = check(render_page(report))
    text = " ".join(reader.text)
    assert "Probe CVs, most changed first: 100 of 150" in text
    assert "cv-099.md" in text
    assert "cv-100.md" not in text
    assert "Postings that could not be read: 100 of 9,999" in text
    assert reader.elements.count("details") == 100
    assert "8 more" in text


def test_markup_escapes_all_but_itself():
    assert tag("p", "<b>", Markup("<i>x</i>")) == "<p>&lt;b&gt;<i>x</i></p>"
    assert tag("p", tag("b", "&")) == "<p><b>&amp;</b></p>"
    # What is made of markup by other means counts as text again: escaped twice at worst, never not at all.
    assert tag("p", tag("b", "x") + "<i>") == "<p>&lt;b&gt;x&lt;/b&gt;&lt;i&gt;</p>"
    assert tag("p", class_='"><script>') == '<p class="&quot;&gt;&lt;script&gt;"></p>'
    assert tag("line", x1=-0.0, y1=1e-9, x2=1234567.0) == '<line x1="0" y1="0" x2="1.23457e+06"/>'
    assert join(["<", Markup("<br>")], ">") == "&lt;&gt;<br>"
    assert escape("'") == "&#x27;"


@given(st.text(max_size=40), st.integers(2, 12))
def test_cut_text_fits(text, columns):
    cut = fit(text, columns)
    width = sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in cut
    )
    assert width <= max(columns, len("(empty)"))
    assert len(read(show(text, columns)).text[0]) <= max(columns, len("(empty)"))


@given(st.lists(st.floats(-1e6, 1e6), max_size=8))
def test_diverging_bars_stay_in_the_picture(values):
    plot = draw_diverging("k", "title", [("label", value) for value in values])
    for x, width in re.findall(r'<rect x="([\d.e+-]+)" y="[\d.]+" width="([\d.]+)"', plot):
        assert float(x) >= 0
        assert float(x) + float(width) <= 420
    assert plot.count('class="up"') == sum(value >= 0 for value in values)


@given(st.lists(st.integers(0, 10**9), max_size=6))
def test_bars_stay_in_the_picture_and_none_that_counts_is_invisible(counts):
    plot = draw_bars("k", "title", [("label", count, "up") for count in counts])
    widths = [float(width) for width in re.findall(r'width="([\d.]+)"', plot)]
    assert len(widths) == len(counts)
    for count, width in zip(counts, widths, strict=True):
        assert (width == 0) == (count == 0)
        assert width <= 420 - 150


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=21), st.floats(0.01, 20))
def test_a_histogram_draws_every_bin_that_holds_something(counts, end):
    size = len(counts)
    edges = [end * (2 * place / size - 1) for place in range(size + 1)]
    plot = draw_histogram("k", "title", edges, counts, axis="shift", unit="terms")
    assert plot.count("<rect") == sum(count > 0 for count in counts)
    heights = [float(height) for height in re.findall(r'height="([\d.]+)" class', plot)]
    assert all(0 < height <= 166 for height in heights)


unit = st.none() | st.floats(0, 1)


@given(st.lists(st.tuples(unit, unit), max_size=5), unit, unit, st.booleans())
def test_dots_stand_where_their_values_are(pairs, mean, bound, paired):
    rows = [Dots("label", before if paired else None, now) for before, now in pairs]
    plot = draw_dots("k", "title", rows, axis="overlap", mean=mean, bound=bound, paired=paired)
    places = [float(x) for x in re.findall(r'<circle cx="([\d.]+)"', plot)]
    values = [value for row in rows for value in (row.before, row.now) if value is not None]
    assert places == pytest.approx([150 + 224 * value for value in values], abs=0.011)
    assert ("gate" in plot) == (bound is not None)
    if bound is not None:
        [x] = re.findall(r'<line x1="([\d.]+)"[^>]*class="bound"', plot)
        assert float(x) == pytest.approx(150 + 224 * bound, abs=0.011)


def test_numbers_have_a_true_minus_and_no_negative_zero():
    assert [number(value, 1, sign=True) for value in (-0.04, 0.04, 1234.56, -2)] == [
        "0.0",
        "0.0",
        "+1,234.6",
        "−2.0",
    ]


def test_the_same_report_gives_the_same_page():
    board = [Posting(id=str(number), title=f"Cook {number}", hashtags=["bread"]) for number in range(9)]
    pages = {
        render_page(
            measure_drift(
                Matcher.fit(order(board[:6])),
                Matcher.fit(order(board)),
                changes=Changes(("6", "7", "8")),
                probes={"a.md": "cook"},
            )
        )
        for order in (list, reversed)
    }
    assert len(pages) == 1
    json.dumps(pages.pop())
