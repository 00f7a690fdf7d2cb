"""Postings: hashtags have one normal form, records are exact, wrong types are refused."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Posting, PostingError
from matcher.hashtags import normalise_hashtag, split_hashtags
from matcher.pay import Pay
from matcher.posting import RECORD_NAMES

PROPERTY = settings(max_examples=150, deadline=None)

plain = st.text(max_size=30)  # Hypothesis never draws lone surrogates for text()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(plain, inner, max_size=3),
    max_leaves=6,
)
moments = st.datetimes(
    min_value=datetime(1900, 1, 1),
    max_value=datetime(2200, 1, 1),
    timezones=st.none() | st.integers(-840, 840).map(lambda m: timezone(timedelta(minutes=m))),
)
postings = st.builds(
    Posting,
    id=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip()),
    **dict.fromkeys(
        ("title", "company", "location", "job_type", "summary", "summary_backup", "body", "url"), plain
    ),
    **dict.fromkeys(("apply_url", "host", "company_website", "logo_url"), plain),
    hashtags=st.lists(plain, max_size=5),
    posted=st.none() | moments,
    valid_through=st.none() | moments,
    pay=st.none() | st.builds(Pay, st.floats(1, 1e9), currency=st.sampled_from(["", "EUR", "$"])),
    featured=st.integers(-(10**6), 10**12),
    extra=st.dictionaries(
        plain.filter(lambda key: key not in RECORD_NAMES.values()), json_values, max_size=4
    ),
)


@PROPERTY
@given(postings)
def test_a_record_through_json_text_gives_the_same_posting(posting):
    record = json.loads(json.dumps(posting.to_record()))
    again = Posting.from_record(record)
    assert again == posting
    assert hash(again) == hash(posting)
    assert again.to_record() == posting.to_record()


@PROPERTY
@given(moments)
def test_a_moment_is_kept_to_the_millisecond_in_utc(moment):
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    posted = Posting(id="1", posted=moment).posted
    assert posted.tzinfo is UTC
    assert timedelta(0) <= aware - posted < timedelta(milliseconds=1)


def test_the_epoch_is_a_date_and_not_a_missing_one():
    posting = Posting(id="1", posted=datetime(1970, 1, 1, tzinfo=UTC))
    assert posting.to_record() == {"id": "1", "timestamp": 0}
    assert Posting.from_record({"id": "1", "timestamp": 0}).posted == datetime(1970, 1, 1, tzinfo=UTC)
    assert Posting.from_record({"id": "1", "timestamp": None}).posted is None


def test_every_known_field_has_its_own_name_in_a_record():
    names = [item for item in Posting.__dataclass_fields__ if item != "extra"]
    assert sorted(RECORD_NAMES) == sorted(names)
    assert len(set(RECORD_NAMES.values())) == len(RECORD_NAMES)


# --- refusals ---


@pytest.mark.parametrize(
    "posting_id", ["", " ", "\t", "a\nb", "a\0b", "a\u2028b", "a\ud800", "\u200b", None, 7, b"a", ["a"]]
)
def test_an_id_that_cannot_be_an_id_is_refused(posting_id):
    with pytest.raises(PostingError, match="id"):
        Posting(id=posting_id)


@pytest.mark.parametrize("name", [name for name in RECORD_NAMES if name not in ("hashtags",)])
@pytest.mark.parametrize("value", [b"bytes", 1.5, ["a"], {"a": 1}, object()])
def test_a_field_of_the_wrong_type_is_refused(name, value):
    with pytest.raises(PostingError):
        Posting(**{"id": "1", name: value})


@pytest.mark.parametrize("value", [None, 5, [1], [None], [["a"]], True])
def test_hashtags_of_the_wrong_type_are_refused(value):
    with pytest.raises(PostingError):
        Posting(id="1", hashtags=value)


@pytest.mark.parametrize("value", [None, 5, "text", [1]])
def test_extra_that_is_no_mapping_is_refused(value):
    with pytest.raises(PostingError):
        Posting(id="1", extra=value)


@pytest.mark.parametrize("key", RECORD_NAMES.values())
def test_extra_never_hides_a_known_field(key):
    with pytest.raises(PostingError, match=key):
        Posting(id="1", extra={key: "x"})


@pytest.mark.parametrize(
    "moment",
    [
        datetime.max.replace(tzinfo=timezone(-timedelta(hours=5))),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=5))),
    ],
)
def test_a_moment_that_utc_cannot_hold_is_refused(moment):
    with pytest.raises(PostingError):
        Posting(id="1", posted=moment)


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"title": "no id"},
        {"id": None},
        {"id": 1},
        {"id": "1", "title": None},
        {"id": "1", "hashtags": None},
        {"id": "1", "hashtags": [1]},
        {"id": "1", "timestamp": "2020-01-01"},
        {"id": "1", "timestamp": 1.5},
        {"id": "1", "timestamp": True},
        {"id": "1", "timestamp": 10**30},
        {"id": "1", "timestamp": -(10**30)},
        {"id": "1", "featured": True},
        {"id": "1", "featured": "1"},
    ],
)
def test_a_record_that_to_record_never_wrote_is_refused(record):
    with pytest.raises(PostingError):
        Posting.from_record(record)


def test_a_posting_does_not_change_when_the_mapping_it_was_given_does():
    extra = {"salary": "45k"}
    posting = Posting(id="1", extra=extra)
    extra["id"] = "2"
    assert posting.to_record() == {"id": "1", "salary": "45k"}


def test_a_posting_cannot_be_changed():
    with pytest.raises(AttributeError):
        Posting(id="1").title = "x"


# --- hashtags ---


@PROPERTY
@given(st.text(max_size=20))
def test_the_normal_form_of_a_hashtag_is_its_own_normal_form(tag):
    once = normalise_hashtag(tag)
    assert normalise_hashtag(once) == once
    assert once == normalise_hashtag("#" + tag) == normalise_hashtag(f"  {tag} ")
    assert not any(char.isspace() or char.isupper() for char in once)


@PROPERTY
@given(
    st.lists(st.text(st.characters(categories=["Ll", "Nd"], max_codepoint=0x24F), min_size=1), max_size=6),
    st.sampled_from(["#{}", "# {}", "{}"]),
    st.sampled_from([",", ", ", " , ", ";", "|", "\n"]),
)
def test_every_separator_gives_the_same_hashtags(words, form, separator):
    wanted = list(dict.fromkeys(map(normalise_hashtag, words)))
    assert split_hashtags(separator.join(form.format(word) for word in words)) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("#A,#a,# b", ["a", "b"]),
        ("#a #b", ["a", "b"]),
        ("#a#b", ["a", "b"]),
        ("\t#a\n#b ", ["a", "b"]),
        ("a b", ["a", "b"]),
        ("＃ＡＢ ＃c", ["ab", "c"]),
        ("#machine learning #deep learning", ["machinelearning", "deeplearning"]),
        ("##a", ["a"]),
        ("", []),
        (" , ;#, # ", []),
        ("#🚀", []),
        ("#C# #F#", ["c#", "f#"]),
        ("C++, C#, .NET, Node.js", ["c++", "c#", "dotnet", "nodejs"]),
        ("c# java", ["c#", "java"]),
        ("java c#", ["java", "c#"]),
        ("java c++ c# sql", ["java", "c++", "c#", "sql"]),
        ("#e\u0301 #\u00e9 #É", ["é"]),
        ("#日本語", ["日本語"]),
        ("#ß #SS", ["ß", "ss"]),
    ],
)
def test_a_line_of_hashtags_is_split_as_it_was_meant(text, wanted):
    assert split_hashtags(text) == wanted


@pytest.mark.parametrize("tag", ["हिन्दी", "ภาษาไทย", "தமிழ்"])
def test_a_hashtag_keeps_the_vowel_signs_of_its_script(tag):
    assert normalise_hashtag(f"#{tag}") == tag


def test_an_item_of_a_list_that_holds_several_hashtags_is_split_too():
    assert Posting(id="1", hashtags=["#a #b", "#c"]).hashtags == ("a", "b", "c")


def test_hashtags_may_be_given_as_text_or_as_any_iterable():
    given_as = ["#a,#B", ["a", "#b"], ("A", "b", "a"), iter(["a", "b"])]
    assert {Posting(id="1", hashtags=tags).hashtags for tags in given_as} == {("a", "b")}


# --- remote ---


@pytest.mark.parametrize(
    ("location", "remote"),
    [
        ("Remote", True),
        ("REMOTE (EU)", True),
        ("Berlin or remote", True),
        ("Anywhere", True),
        ("Home-Office", True),
        ("Homeoffice möglich", False),
        ("100 % Homeoffice möglich", True),
        ("ortsunabhängig", True),
        ("", False),
        ("Berlin", False),
        ("Bern (no remote)", False),
        ("kein Homeoffice", False),
        ("not fully remote", False),
        ("Remoteville", False),
    ],
)
def test_remote_is_read_from_the_location(location, remote):
    assert Posting(id="1", location=location).remote is remote
