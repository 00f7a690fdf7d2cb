"""Boards, schema.org, feeds: every field lands where it belongs, unknown ones stay, memory stays small."""

import gzip
import io
import json
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Posting, PostingError, read_postings
from matcher.pay import Pay
from matcher.sources import SOURCES
from matcher.sources.entry import RawPosting
from matcher.sources.json_documents import read_json_documents
from matcher.sources.json_scanner import JsonScanner

GREENHOUSE = {
    "jobs": [
        {
            "id": 4011,
            "internal_job_id": 9,
            "title": "Pastry Cook",
            "absolute_url": "https://boards.example/beck/jobs/4011",
            "location": {"name": "Cork, Ireland"},
            "content": "&lt;p&gt;Bake &amp;amp; decorate.&lt;/p&gt;"
            "&lt;ul&gt;&lt;li&gt;Early shift&lt;/li&gt;&lt;/ul&gt;",
            "updated_at": "2026-03-02T09:00:00-05:00",
            "first_published": "2026-03-01T09:00:00-05:00",
            "company_name": "Beck",
            "departments": [{"id": 1, "name": "Kitchen"}],
            "metadata": [{"name": "Level", "value": "2"}],
        }
    ],
    "meta": {"total": 1},
}
LEVER = [
    {
        "id": "5f0c",
        "text": "Ward Nurse",
        "categories": {
            "commitment": "Part-time",
            "department": "Care",
            "location": "Bern",
            "team": "Ward 3",
            "allLocations": ["Bern", "Basel"],
        },
        "descriptionPlain": "You care.",
        "description": "<div>You care.</div>",
        "lists": [{"text": "You bring", "content": "<li>Calm</li><li>A licence</li>"}],
        "additionalPlain": "Write to us.",
        "hostedUrl": "https://jobs.example/stift/5f0c",
        "applyUrl": "https://jobs.example/stift/5f0c/apply",
        "createdAt": 1772323200000,
        "workplaceType": "on-site",
        "salaryRange": {"min": 70000, "max": 80000, "currency": "CHF", "interval": "per-year-salary"},
        "country": "CH",
    }
]
ASHBY = {
    "apiVersion": "1",
    "jobs": [
        {
            "id": "a1",
            "title": "Data Engineer",
            "location": "Houston, TX",
            "secondaryLocations": [{"location": "San Francisco"}],
            "department": "Data",
            "team": "Platform",
            "isRemote": True,
            "workplaceType": "Remote",
            "descriptionHtml": "<p>Pipelines.</p>",
            "descriptionPlain": "Pipelines.",
            "publishedAt": "2026-03-01T00:00:00.000+00:00",
            "employmentType": "FullTime",
            "jobUrl": "https://jobs.example/a1",
            "applyUrl": "https://jobs.example/a1/apply",
            "compensation": {
                "summaryComponents": [
                    {
                        "compensationType": "Salary",
                        "interval": "1 YEAR",
                        "currencyCode": "USD",
                        "minValue": 100000,
                        "maxValue": 150000,
                    }
                ]
            },
        }
    ],
}
WORKABLE = {
    "name": "Beck",
    "description": "We bake.",
    "jobs": [
        {
            "title": "Baker",
            "shortcode": "B4K3",
            "employment_type": "Full-time",
            "telecommuting": False,
            "department": "Bakery",
            "url": "https://apply.example/j/B4K3",
            "application_url": "https://apply.example/j/B4K3/apply",
            "published_on": "2026-03-01",
            "created_at": "2026-02-01",
            "country": "Germany",
            "city": "Münster",
            "state": "Nordrhein-Westfalen",
            "description": "<p>Bread.</p>",
            "requirements": "<ul><li>Early bird</li></ul>",
        }
    ],
}
JOB_POSTING = {
    "@context": "https://schema.org/",
    "@type": "JobPosting",
    "title": "Carer",
    "description": "<p>Care.</p><script>alert(1)</script>",
    "identifier": {"@type": "PropertyValue", "name": "Stift", "value": "R-17"},
    "datePosted": "2026-03-01",
    "validThrough": "2026-04-01T00:00",
    "employmentType": ["FULL_TIME", "CONTRACTOR"],
    "hiringOrganization": {"@type": "Organization", "name": "Stift", "sameAs": "https://stift.example"},
    "jobLocation": [
        {
            "@type": "Place",
            "address": {
                "@type": "PostalAddress",
                "addressLocality": "Cork",
                "addressCountry": {"name": "IE"},
            },
        },
        {"@type": "Place", "address": "Bern, CH"},
    ],
    "jobLocationType": "TELECOMMUTE",
    "applicantLocationRequirements": {"@type": "Country", "name": "Ireland"},
    "baseSalary": {
        "@type": "MonetaryAmount",
        "currency": "EUR",
        "value": {"@type": "QuantitativeValue", "minValue": 20, "maxValue": 25, "unitText": "HOUR"},
    },
    "skills": ["Nursing", "First aid"],
    "directApply": True,
    "industry": "Care",
}


def read(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    reader = read_postings(io.BytesIO(data))
    postings = list(reader)
    assert reader.report.rejected == []
    return postings


def test_greenhouse():
    (posting,) = read(GREENHOUSE)
    assert posting == Posting(
        id="greenhouse:4011",
        title="Pastry Cook",
        company="Beck",
        location="Cork, Ireland",
        posted=datetime(2026, 3, 1, 14, tzinfo=UTC),
        body="Bake & decorate.\nEarly shift",
        url="https://boards.example/beck/jobs/4011",
        extra={
            "internal_job_id": 9,
            "updated_at": "2026-03-02T09:00:00-05:00",
            "departments": [{"id": 1, "name": "Kitchen"}],
            "metadata": [{"name": "Level", "value": "2"}],
        },
    )


def test_lever():
    (posting,) = read(LEVER)
    assert posting == Posting(
        id="lever:5f0c",
        title="Ward Nurse",
        location="Bern; Basel",
        job_type="Part-time",
        posted=datetime(2026, 3, 1, tzinfo=UTC),
        body="You care.\n\nYou bring\nCalm\nA licence\n\nWrite to us.",
        url="https://jobs.example/stift/5f0c",
        apply_url="https://jobs.example/stift/5f0c/apply",
        pay=Pay(70_000, 80_000, "CHF", "year"),
        extra={"categories": LEVER[0]["categories"], "workplaceType": "on-site", "country": "CH"},
    )


def test_ashby():
    (posting,) = read(ASHBY)
    job = ASHBY["jobs"][0]
    assert posting == Posting(
        id="ashby:a1",
        title="Data Engineer",
        location="Houston, TX (remote); San Francisco (remote)",
        job_type="FullTime",
        posted=datetime(2026, 3, 1, tzinfo=UTC),
        body="Pipelines.",
        url="https://jobs.example/a1",
        apply_url="https://jobs.example/a1/apply",
        pay=Pay(100_000, 150_000, "USD", "year"),
        extra={
            key: job[key]
            for key in (
                "secondaryLocations",
                "department",
                "team",
                "isRemote",
                "workplaceType",
                "compensation",
            )
        },
    )
    assert posting.remote


def test_workable():
    (posting,) = read(WORKABLE)
    assert posting == Posting(
        id="workable:B4K3",
        title="Baker",
        company="Beck",
        location="Münster, Nordrhein-Westfalen, Germany",
        job_type="Full-time",
        posted=datetime(2026, 3, 1, tzinfo=UTC),
        body="Bread.\n\nEarly bird",
        url="https://apply.example/j/B4K3",
        apply_url="https://apply.example/j/B4K3/apply",
        extra={"telecommuting": False, "department": "Bakery"},
    )


def test_workable_by_its_interface():
    job = {
        "shortcode": "B4",
        "title": "Baker",
        "id": "9f",
        "location": {"city": "Cork", "country": "Ireland"},
    }
    (posting,) = read({"results": [job | {"remote": True, "workplace": "remote", "type": "full"}]})
    assert (posting.location, posting.job_type, posting.remote) == ("Cork, Ireland (remote)", "full", True)
    assert posting.extra == {"remote": True, "workableId": "9f"}


def test_schema_org():
    for value in (JOB_POSTING, [JOB_POSTING], {"@graph": [{"@type": "WebPage"}, JOB_POSTING]}):
        (posting,) = read(value)
        assert posting == Posting(
            id="Stift:R-17",
            title="Carer",
            company="Stift",
            location="Cork, IE (remote); Bern, CH (remote)",
            hashtags=("nursing", "firstaid"),
            job_type="FULL_TIME, CONTRACTOR",
            posted=datetime(2026, 3, 1, tzinfo=UTC),
            valid_through=datetime(2026, 4, 1, tzinfo=UTC),
            body="Care.",
            company_website="https://stift.example",
            pay=Pay(20, 25, "EUR", "hour"),
            extra={
                key: JOB_POSTING[key]
                for key in (
                    *(
                        "hiringOrganization",
                        "jobLocation",
                        "jobLocationType",
                        "applicantLocationRequirements",
                    ),
                    *("baseSalary", "skills", "directApply", "industry"),
                )
            },
        )


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"identifier": "7"}, "7"),
        ({"identifier": 7, "hiringOrganization": "Beck"}, "Beck:7"),
        ({"identifier": {"value": "7", "name": "Stift"}, "hiringOrganization": "Beck"}, "Stift:7"),
        ({"@id": "urn:7", "url": "https://example.org/7"}, "urn:7"),
        ({"url": "https://example.org/7"}, "https://example.org/7"),
        ({"identifier": {"value": True}}, "stream:1"),
    ],
)
def test_the_id_of_a_job_posting(fields, wanted):
    (posting,) = read({"@type": "JobPosting", "title": "A"} | fields)
    assert posting.id == wanted


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({"jobLocation": "Cork"}, "Cork"),
        ({"jobLocation": {"name": "Cork"}}, "Cork"),
        ({"jobLocation": {"addressLocality": "Cork", "addressRegion": "Munster"}}, "Cork, Munster"),
        ({"jobLocation": [{"address": {"addressLocality": "Cork"}}] * 2}, "Cork"),
        ({"jobLocationType": "TELECOMMUTE"}, "remote"),
        (
            {"jobLocationType": "TELECOMMUTE", "applicantLocationRequirements": {"name": "USA"}},
            "USA (remote)",
        ),
        ({"jobLocation": 5}, ""),
    ],
)
def test_the_place_of_a_job_posting(fields, wanted):
    (posting,) = read({"@type": "JobPosting", "title": "A"} | fields)
    assert posting.location == wanted


def test_a_feed_gives_all_it_says():
    feed = b"""<?xml version="1.0"?><rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/">
    <channel><title>Jobs</title><item><title>Cook &amp; baker</title><link>https://example.org/1</link>
    <guid isPermaLink="false">job-1</guid><pubDate>Sun, 01 Mar 2026 09:00:00 +0100</pubDate>
    <category>Kitchen</category><category>Night shift</category><description>Short.</description>
    <content:encoded><![CDATA[<p>Bake.</p><p>Clean.</p>]]></content:encoded><region>Munster</region>
    <shift>late</shift></item></channel></rss>"""
    (posting,) = read(feed)
    assert posting == Posting(
        id="job-1",
        title="Cook & baker",
        location="Munster",
        hashtags=("kitchen", "nightshift"),
        posted=datetime(2026, 3, 1, 8, tzinfo=UTC),
        summary="Short.",
        body="Bake.\nClean.",
        url="https://example.org/1",
        extra={"shift": "late"},
    )


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.just("<p>x"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "value", "address", "url", "text", "content", "@type"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([GREENHOUSE["jobs"][0], LEVER[0], ASHBY["jobs"][0], WORKABLE["jobs"][0], JOB_POSTING]),
    st.data(),
)
def test_whatever_a_field_holds_only_postings_and_reasons_come_out(job, data):
    changed = {
        key: data.draw(JUNK) if data.draw(st.integers(0, 3)) == 0 else value for key, value in job.items()
    }
    reader = read_postings(io.BytesIO(json.dumps([changed, {"title": "next"}]).encode()))
    titles = [posting.title for posting in reader]
    assert titles[-1] == "next"
    assert len(titles) + reader.report.rejected_count == 2


PIECES = st.sampled_from(
    [
        *'{}[]",:\\\n ;\t&\0é\ufeff1',
        *('"title"', '"jobs"', '"a"', "null", '{"title": "A"}', "title,body\n", "JobPosting"),
        *("<item>", "</item>", "<title>", "</title>", "<!--", "-->", "<![CDATA["),
        *("<script type='application/ld+json'>", "</script>"),
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join), st.sampled_from(sorted(SOURCES)))
def test_no_text_stops_a_format(text, name):
    for entry in SOURCES[name].read(io.BytesIO(text.encode()), "x"):
        assert isinstance(entry, (RawPosting, PostingError))
        assert entry.line >= 1


class _Few(io.BytesIO):
    """A stream that gives a few bytes at a time, as pipes do."""

    def read1(self, size=-1):
        return self.read(min(size, 7) if size and size > 0 else 7)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.dictionaries(st.text(max_size=4), JUNK, max_size=3), max_size=5),
    st.sampled_from([None, 0, 2]),
)
def test_the_scanner_finds_what_json_finds(records, indent):
    data = json.dumps(records, indent=indent, ensure_ascii=False).encode("utf-8", "replace")
    for stream in (io.BytesIO(data), _Few(data)):
        scanner = JsonScanner(stream)
        assert scanner.next_sign() == b"["
        value = scanner.take_value()
        assert (value.is_whole, json.loads(value.data)) == (True, json.loads(data))
        assert scanner.next_sign() == b""
        assert scanner.line == data.count(b"\n") + 1


def test_postings_of_a_document_in_small_pieces_have_the_lines_they_start_at():
    data = b'{"jobs": [\n{"title": "A"},\n{"title":\n"B"},\n{"title": }\n]}'
    found = [(entry.line, isinstance(entry, RawPosting)) for entry in read_json_documents(_Few(data), "x")]
    assert found == [(2, True), (3, True), (5, False)]


class _Endless(io.RawIOBase):
    """A file that goes on for a given number of bytes, in a shape given, without lying in memory."""

    def __init__(self, head, part, tail, count):
        self._pieces = iter([head, *[part] * count, tail])
        self._ready = b""

    def readable(self):
        return True

    def readinto(self, buffer):
        while not self._ready:
            try:
                self._ready = next(self._pieces)
            except StopIteration:
                return 0
        data, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


@pytest.mark.parametrize(
    ("head", "part", "tail"),
    [
        (b'[{"title": "A"}', b',\n{"title": "Cook", "body": "' + b"x" * 2_000 + b'"}', b"]"),
        (b"title,body\n", b"Cook," + b"x" * 2_000 + b"\n", b"A,\n"),
        (
            b"<rss>",
            b"<item><title>Cook</title><description>" + b"x" * 2_000 + b"</description></item>",
            b"</rss>",
        ),
    ],
    ids=["json", "csv", "feed"],
)
def test_memory_does_not_grow_with_the_number_of_postings(head, part, tail):
    def peak(count):
        reader = read_postings(io.BufferedReader(_Endless(head, part, tail, count)))
        tracemalloc.start()
        number = sum(1 for _ in reader)
        memory = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert number >= count
        assert reader.report.rejected == []
        return memory

    peak(20)  # what is imported and compiled once
    small, large = peak(500), peak(4_000)
    assert large < small + 300_000
    assert large < 4_000_000


def test_a_folder_of_all_formats(tmp_path):
    (tmp_path / "a.md").write_text("---\ntitle: markdown\n---\n")
    (tmp_path / "b.jsonl").write_text('{"title": "lines"}\n')
    (tmp_path / "c.json").write_text(json.dumps(GREENHOUSE))
    (tmp_path / "d.csv.gz").write_bytes(gzip.compress(b"title\ntable\n"))
    (tmp_path / "e.rss").write_text("<rss><item><title>feed</title></item></rss>")
    page = json.dumps(JOB_POSTING).replace("</", r"<\/")
    (tmp_path / "f.html").write_text(f'<script type="application/ld+json">{page}</script>', encoding="utf-8")
    (tmp_path / "package.json").write_text('{"name": "app"}')
    (tmp_path / "pom.xml").write_text("<project/>")
    (tmp_path / "notes.txt").write_text("x")
    reader = read_postings(tmp_path)
    assert [posting.title for posting in reader] == [
        "markdown",
        "lines",
        "Pastry Cook",
        "table",
        "feed",
        "Carer",
    ]
    assert reader.report.summary() == "6 postings read, 3 other files ignored (.json, .txt, .xml)"


@pytest.mark.parametrize(
    "data",
    [
        b"title,company\nCook,Beck\n",
        b"sep=;\ntitle;company\nCook;Beck\n",
        b"<?xml version='1.0'?>\n<rss><item><title>Cook</title></item></rss>",
        b'<html>\n<script type="application/ld+json">{"@type": "JobPosting", "title": "Cook"}</script>',
        b'[\n{"title": "Cook"}]',
        b'{\n"title": "Cook"}',
        b'{"jobs": [{"title": "Cook"}]}',
        '[{"title": "Cook"}]'.encode("utf-16"),
        gzip.compress(b'{"title": "Cook"}\n'),
        gzip.compress(b"title,company\nCook,Beck\n"),
    ],
    ids=range(10),
)
def test_a_stream_is_known_by_its_content(data):
    assert [posting.title for posting in read(data)] == ["Cook"]
