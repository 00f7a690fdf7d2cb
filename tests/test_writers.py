"""Writing postings: what is written reads back as exactly the same posting."""

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from matcher import Posting, PostingError
from matcher.pay import Pay
from matcher.posting import RECORD_NAMES
from matcher.sources import read_postings
from matcher.sources.exact import EXACT_FIELD, ExactFields, exact_fields, parse_exact_fields
from matcher.sources.writers import WRITERS

PROPERTY = settings(max_examples=200, deadline=None)

PIECES = [
    "---",
    "\n",
    "\n---\ntitle: x\n---\n",
    "#",
    "# a",
    " #b",
    ": ",
    "- ",
    "'",
    '"',
    "\\",
    "\t",
    " ",
    "Ã¤",
    "Š",
    "‚Äô",
]
PIECES += [
    "title: y",
    "{",
    "[a]",
    "&x",
    "*x",
    "!!python",
    "null",
    "~",
    "\r\n",
    "\u2028",
    "\ufeff",
    "😀",
    "é",
    "\0",
    "...",
]
PIECES += ["<p>", "&amp;", "010", "2020-01-01", "¥", "\x85", "\ue000"]
wild = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=6).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | wild,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(wild, inner, max_size=3),
    max_leaves=6,
)
amounts = st.floats(0.001, 1e12) | st.integers(1, 10**6)
pays = st.builds(
    lambda limits, currency, period: Pay(*limits, currency, period),
    st.tuples(amounts, st.none())
    | st.tuples(st.none(), amounts)
    | st.lists(amounts, min_size=2, max_size=2).map(sorted),
    st.sampled_from(["", "EUR", "$", "kr", "£"]) | st.text(max_size=5).filter(str.isprintable),
    st.sampled_from(["", "hour", "Year", "shift"]) | st.text(max_size=5).filter(str.isprintable),
)
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
OTHERS = ["company", "date", "description"]
names = wild | st.sampled_from(
    ["salary", "baseSalary", "payAsWritten", "remote", EXACT_FIELD, "content", "handler", *OTHERS]
)
postings = st.builds(
    Posting,
    id=st.text(min_size=1, max_size=20).filter(lambda text: text.isprintable() and text.strip()),
    **{
        name: wild
        for name in RECORD_NAMES
        if name not in ("id", "hashtags", "posted", "valid_through", "pay", "featured")
    },
    hashtags=st.lists(wild, max_size=5),
    posted=st.none() | moments,
    valid_through=st.none() | moments,
    pay=st.none() | pays,
    featured=st.integers(-(10**6), 10**30),
    extra=st.dictionaries(
        names.filter(lambda key: key not in RECORD_NAMES.values()), json_values, max_size=4
    ),
)


def read_back(data, name):
    reader = read_postings(io.BytesIO(data))
    found = list(reader)
    assert reader.report.rejected == []
    return found


def as_json(posting):
    return json.dumps(posting.to_record(), sort_keys=True)


@pytest.mark.parametrize("name", WRITERS)
@PROPERTY
@given(posting=postings)
@example(posting=Posting(id="1"))
@example(posting=Posting(id=" 1 ", extra={"salary": "45k"}))
@example(posting=Posting(id="1", extra={EXACT_FIELD: '{"set": {}}'}))
@example(
    posting=Posting(id="1", title="x", extra={"a": None, "b": {}, "c": [], "d": "", "e": 1.0, "f": True})
)
@example(posting=Posting(id="1", pay=Pay(12.125, 45.001)))
@example(posting=Posting(id="1", posted=datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)))
def test_what_is_written_reads_back_as_the_same_posting(name, posting, tmp_path_factory):
    data = WRITERS[name].write(posting)
    assert WRITERS[name].write(posting) == data
    assert data.endswith(b"\n")
    path = tmp_path_factory.mktemp("written") / f"one{WRITERS[name].suffix}"
    path.write_bytes(data)
    reader = read_postings(path, strict=True)
    (again,) = reader
    assert again == posting
    assert as_json(again) == as_json(posting)
    assert hash(again) == hash(posting)


@pytest.mark.parametrize("name", WRITERS)
@settings(max_examples=40, deadline=None)
@given(several=st.lists(postings, min_size=1, max_size=4))
def test_what_is_written_can_follow_each_other(name, several, tmp_path_factory):
    path = tmp_path_factory.mktemp("written") / f"all{WRITERS[name].suffix}"
    path.write_bytes(b"".join(map(WRITERS[name].write, several)))
    assert list(map(as_json, read_postings(path))) == list(map(as_json, several))


@pytest.mark.parametrize("name", WRITERS)
def test_an_ordinary_posting_is_written_the_plain_way(name):
    posting = Posting(
        id="job-1",
        title="Cook: early shift #1",
        location="NO",
        hashtags=["c#", "sql"],
        posted=datetime(2026, 3, 1, tzinfo=UTC),
        valid_through=datetime(2027, 3, 1, tzinfo=UTC),
        pay=Pay(12.125, 45_000, "EUR", "hour"),
        body="# Bake\n\n---\n\nBread & “more”.",
        extra={"remote": "no", "nested": {"a": ["1", "off"]}},
    )
    text = WRITERS[name].write(posting).decode()
    assert EXACT_FIELD not in text
    assert "Bread & “more”." in text


@pytest.mark.parametrize(
    "extra",
    [
        {"meta": [[1, 2], {"b": {"c": "1"}}]},
        {"meta": {"a": {"b": {"c": {}}}}, "offices": [{"location": {"name": "Bern"}}]},
        {"meta": ["x"] * 3_000},
        {"meta": {str(number): [] for number in range(1_500)}},
        {"m" * 2_000: "x", "meta": ["y"]},
    ],
)
def test_one_field_that_front_matter_cannot_hold_leaves_the_others_readable(extra):
    posting = Posting(
        id="1",
        title="Cook",
        location="Bern",
        hashtags=["sql"],
        body="Bake.\n\nAll.",
        extra={"team": "K"} | extra,
    )
    text = WRITERS["markdown"].write(posting).decode()
    assert read_back(text.encode(), "markdown") == [posting]
    for line in ('id: "1"', 'title: "Cook"', 'location: "Bern"', 'hashtags: ["sql"]', "Bake."):
        assert line in text.split("\n")


def test_only_the_field_of_a_board_that_is_nested_too_deep_is_written_exactly():
    nested = {"a": {"b": {"c": {"d": "1"}}}}
    posting = Posting(
        id="1", title="Cook", extra={"team": "K", "meta": nested, "office": {"id": "3"}}, body="Bake."
    )
    text = WRITERS["markdown"].write(posting).decode()
    exact = parse_exact_fields(next(read_front_matter_values(text, EXACT_FIELD)))
    assert exact == ExactFields({"meta": nested}, ())
    assert 'team: "K"' in text.split("\n")


def read_front_matter_values(text, name):
    for line in text.split("\n"):
        if line.startswith(f"{name}: "):
            yield json.loads(line.removeprefix(f"{name}: "))


@pytest.mark.parametrize("name", WRITERS)
def test_a_body_that_looks_like_another_posting_stays_a_body(name):
    posting = Posting(id="1", title="Cook", body="Bake.\n\n---\ntitle: Nurse\n---\nCare.")
    text = WRITERS[name].write(posting).decode()
    assert read_back(text.encode(), name) == [posting]
    assert ("title: Nurse" in text.split("\n")) is False


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    "extra", [{"a": float("nan")}, {"a": (1,)}, {"a": {1: 2}}, {"a": object()}, {"a": "\ud800"}, {"a": b"x"}]
)
def test_what_is_no_json_is_refused(name, extra):
    with pytest.raises(PostingError, match="JSON"):
        WRITERS[name].write(Posting(id="1", title="x", extra=extra))


@pytest.mark.parametrize("name", WRITERS)
def test_what_could_not_be_read_is_refused(name):
    nested = []
    for _ in range(30):
        nested = [nested]
    for posting in (
        Posting(id="1", body="x" * (1 << 20)),
        Posting(id="1" * 2_001),
        Posting(id="1", title="x", extra={"a": nested}),
    ):
        with pytest.raises(PostingError, match="larger or nested deeper"):
            WRITERS[name].write(posting)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yes",
        "{}",
        "[]",
        '{"set": []}',
        '{"set": {}, "drop": [1]}',
        '{"set": {}, "more": 1}',
        '{"set": {}',
        5,
        None,
        '{"set": {"a": NaN}}',
        '{"set": {"a": 1, "a": 2}}',
        '{"set": {"a": "\\ud800"}}',
        '{"set": ' + "[" * 10_000,
    ],
)
def test_another_field_of_that_name_is_an_unknown_field(value):
    assert parse_exact_fields(value) is None
    data = json.dumps({"title": "Cook", "id": "1", EXACT_FIELD: value}).encode() + b"\n"
    (posting,) = read_back(data, "jsonl")
    assert posting.extra == {EXACT_FIELD: value}


@pytest.mark.parametrize(
    "value",
    [
        {"id": ""},
        {"id": 5},
        {"title": 5},
        {"timestamp": "x"},
        {"hashtags": [1]},
        {"a": [[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]},
    ],
)
def test_exact_fields_that_make_no_posting_are_rejected_and_reading_goes_on(value):
    bad = json.dumps({"title": "Cook", "id": "1", EXACT_FIELD: json.dumps({"set": value})})
    reader = read_postings(io.BytesIO(f'{bad}\n{{"title": "Nurse", "id": "2"}}\n'.encode()))
    assert [posting.title for posting in reader] == ["Nurse"]
    assert [rejected.line for rejected in reader.report.rejected] == [1]


@PROPERTY
@given(postings, postings)
def test_exact_fields_make_any_posting_of_any_other(wanted, read):
    exact = exact_fields(wanted, read)
    assert as_json(exact.apply(read)) == as_json(wanted)
    assert parse_exact_fields(exact.to_text()) == exact
    assert exact_fields(wanted, wanted) == ExactFields({}, ())
