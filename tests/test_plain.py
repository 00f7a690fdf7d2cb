"""The one pass over plain fields equals the long way, in every detail."""

import dataclasses
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.errors import PostingError
from matcher.hashtags import normalise_hashtags, split_hashtags, written_hashtags
from matcher.posting import RECORD_NAMES, Posting, posting_of_checked
from matcher.sources.entry import RawPosting
from matcher.sources.fields import build_any_posting, build_posting
from matcher.sources.plain import plain_posting

NAMES = [
    *RECORD_NAMES.values(),
    "company",
    "posted",
    "date",
    "description",
    "salary",
    "baseSalary",
    "reference",
    "exactFields",
]
TEXTS = st.sampled_from(
    [
        "",
        " ",
        "Cook",
        " Köchin\n",
        "a\x00",
        "\ud800",
        "x" * 2_001,
        "\x85",
        "#Bread,#Night Shift",
        "a;b,c",
        "C#,C++",
        "45.000 €",
        "€45k - 55k",
        "12 hours",
        "negotiable",
        "20201207",
        "1772323200000",
        "1772323200001.5",
        "7258118400000",
        "0000000000123",
        "2020-12-07T01:00+01:00",
        "soon",
        "٣",
        "12",
        "1234567890",
        "-1",
        "1_0",
    ]
) | st.text(max_size=12)
PAYS = st.dictionaries(
    st.sampled_from(["minimum", "maximum", "currency", "period", "min"]),
    st.sampled_from([1, 12.5, 45_000, -1, 0, "EUR", "€", "year", "", None, "12"]),
    max_size=4,
)
VALUES = st.one_of(
    TEXTS,
    st.lists(TEXTS, max_size=4),
    st.lists(st.one_of(TEXTS, st.integers(), st.just(b"Cook"), st.just([])), max_size=3),
    PAYS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**11 - 5, 10**13),
    st.floats(),
    st.just(b"Cook"),
)
FIELDS = st.one_of(
    st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6),
    st.dictionaries(st.sampled_from(NAMES), TEXTS, max_size=9),
).map(lambda fields: {"title": "Cook"} | fields)


def outcome(build, raw):
    try:
        posting, changes = build(raw)
    except PostingError as error:
        return repr(error)
    return [repr(getattr(posting, item.name)) for item in dataclasses.fields(posting)], changes


@settings(deadline=None)
@given(FIELDS, TEXTS)
def test_equals_the_long_way(fields, default_id):
    raw = RawPosting(fields, 3, default_id, ["a change"])
    before = repr(fields)
    assert outcome(build_posting, raw) == outcome(build_any_posting, raw)
    assert repr(fields) == before


def test_takes_what_sources_write():
    posting = Posting(
        id="1", title="Cook", hashtags=["a", "b"], extra={"reference": "7"}, body="x", featured=2
    )
    for fields in (posting.to_record(), json.loads(json.dumps(posting.to_record()))):
        assert plain_posting(fields, "x") == posting
    written = {
        "title": "Cook",
        "hashtags": "#a,#b",
        "timestamp": "1772323200000",
        "featured": "2",
        "salary": "£30k",
    }
    found = plain_posting(written, "a.md")
    assert found is not None
    assert (found.id, found.hashtags, found.featured) == ("a.md", ("a", "b"), 2)
    assert found.pay is not None


@settings(deadline=None)
@given(st.text(alphabet="aB#＃,;| \n-.+ß\u0301１", max_size=30) | TEXTS)
def test_remembered_hashtags_are_those_of_the_long_way(text):
    assert written_hashtags(text) == tuple(normalise_hashtags(split_hashtags(text)))
    assert written_hashtags(text) == Posting(id="1", hashtags=split_hashtags(text)).hashtags


def test_a_posting_of_checked_values_is_a_posting():
    posting = Posting(id="1", title="Cook", extra={"a": "b"})
    made = posting_of_checked(*(getattr(posting, item.name) for item in dataclasses.fields(posting)))
    assert type(made) is Posting
    assert made == posting
    assert hash(made) == hash(posting)
    assert dataclasses.replace(made, title="Chef").title == "Chef"
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.title = "Chef"
