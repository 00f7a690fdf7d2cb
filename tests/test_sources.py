"""Reading postings: good ones are yielded, bad ones are named with their line, nothing is lost silently."""

import io
import json
import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import DuplicatePostingError, Posting, PostingError, SourceError, read_postings
from matcher.sources import SOURCES

CASES = json.loads((Path(__file__).parent / "cases" / "front_matter.json").read_text(encoding="utf-8"))
PROPERTY = settings(max_examples=120, deadline=None)


def markdown(title="Cook", body="Bake.", **fields):
    front = "".join(f"{key}: {json.dumps(value)}\n" for key, value in ({"title": title} | fields).items())
    return f"---\n{front}---\n{body}\n"


def read(origin):
    """Read everything; give the postings and the report."""
    reader = read_postings(
        io.BytesIO(origin.encode() if isinstance(origin, str) else origin)
        if isinstance(origin, str | bytes)
        else origin
    )
    return list(reader), reader.report


def read_file(folder, data, name="case.md"):
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return read(path)


# --- front matter ---


@pytest.mark.parametrize("case", CASES, ids=[case["label"] for case in CASES])
def test_front_matter(case, tmp_path):
    postings, report = read_file(tmp_path, case["input"].encode(case.get("encoding", "utf-8")))
    if case["outcome"] == "rejected":
        assert postings == []
        (rejected,) = report.rejected
        assert rejected.path == (tmp_path / "case.md").as_posix()
        assert rejected.reason
        assert rejected.line == case["line"] if case["line"] else rejected.line >= 1
    else:
        assert report.rejected == []
        (posting,) = postings
        record = posting.to_record()
        assert record.pop("id") == (tmp_path / "case.md").as_posix()
        assert record == case["fields"]
        assert report.changed_count == case["reported"], report.changes


@pytest.mark.parametrize(
    "case", [case for case in CASES if case["outcome"] == "rejected"], ids=lambda c: c["label"]
)
def test_strict_reading_raises_what_lenient_reading_counts(case, tmp_path):
    (tmp_path / "case.md").write_bytes(case["input"].encode(case.get("encoding", "utf-8")))
    with pytest.raises(PostingError) as caught:
        list(read_postings(tmp_path / "case.md", strict=True))
    _, report = read(tmp_path / "case.md")
    assert str(caught.value) == str(report.rejected[0])


def _alias_bomb(levels):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def _merge_bomb(levels):
    lines = ["a0: &a0 {k: v}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    "front",
    [
        _alias_bomb(9),
        _merge_bomb(9),
        "x: " + "[" * 30_000,
        "[" * 30_000,
        "x: " + "{a: " * 15_000,
        "x: " + "[" * 30_000 + "]" * 30_000,
        "\n".join(" " * depth + "a:" for depth in range(300)),
        "x:\n" + "- " * 30_000,
        "? " * 30_000,
        "x: &a [*a]",
        "x: '" + "a" * 70_000 + "'",
        "\n".join(f"k{n}: v" for n in range(5_000)),
        "x: [" + "a," * 30_000 + "]",
        "x: !!binary aGVsbG8=",
    ],
    ids=lambda front: front[:20],
)
def test_a_yaml_bomb_is_rejected_at_once(front, tmp_path):
    postings, report = read_file(tmp_path, f"---\ntitle: Cook\n{front}\n---\nBody")
    assert postings == []
    assert report.rejected_count == 1
    assert report.rejected[0].line >= 1
    assert len(report.rejected[0].reason) < 500


@PROPERTY
@given(
    st.dictionaries(
        st.sampled_from(["title", "location", "salary", "companyName", "self", "content"]),
        st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    )
)
def test_quoted_strings_come_back_as_written(fields):
    (posting,), report = read(
        markdown(**{"title": "Cook"} | {f"x{key}": value for key, value in fields.items()})
    )
    assert dict(posting.extra) == {f"x{key}": value for key, value in fields.items()}
    assert report.changed_count == 0


@PROPERTY
@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9 .,/+_-]{0,20}[A-Za-z0-9]", fullmatch=True))
def test_plain_words_and_numbers_come_back_as_written(value):
    wanted = "" if value in ("null", "Null", "NULL") else value
    (posting,), _ = read(f"---\nlocation: {value}\nother: [{value.replace(',', '')}]\n---\nBody")
    assert posting.location == wanted
    assert posting.extra["other"] in ([value.replace(",", "")], [wanted])


FRAGMENTS = st.sampled_from(
    [
        *(
            "---",
            "...",
            "\n",
            "\r\n",
            "title: x",
            "hashtags: #a #b",
            ": ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            '"',
            "'",
        ),
        *("&a ", "*a", "<<: ", "!!int ", "? ", "|\n", "\t", "#", "@", "`", "%", "\ufeff", "\u2028", "\x85"),
        *("‚Äô", "\0", '{"title": 1}', "timestamp: 1e400", "featured: 1e400", "id: ' '", "NaN", '"\\ud800"'),
    ]
)


@PROPERTY
@given(st.lists(FRAGMENTS, max_size=25).map("".join), st.sampled_from(["plain", "fenced"]))
def test_no_text_stops_the_reading(text, kind):
    data = (f"---\n{text}\n---\nBody" if kind == "fenced" else text).encode()
    for source in SOURCES.values():
        for entries in (
            source.read(io.BytesIO(data), "x"),
            (source.read_stream or source.read)(io.BytesIO(data), "x"),
        ):
            list(entries)
    try:
        postings, report = read(data)
    except SourceError:
        assert not data.strip(b" \t\r\n\xef\xbb\xbf")
        return
    assert len(postings) == report.read
    assert [Posting.from_record(posting.to_record()) for posting in postings] == postings
    json.dumps([posting.to_record() for posting in postings], allow_nan=False)


@PROPERTY
@given(st.binary(max_size=120))
def test_no_bytes_stop_the_reading(data):
    for start in (b"---\n", b"{", b""):
        try:
            read(start + data)
        except SourceError:
            assert not start


# --- what a coercion loses ---


def _values(posting):
    return json.dumps(posting.to_record(), ensure_ascii=False)


def test_a_value_that_cannot_be_read_is_kept_and_hides_no_other_field():
    (posting,), report = read('{"title": "Cook", "timestamp": "soon", "timestampAsWritten": "mine"}')
    assert posting.posted is None
    assert report.changed_count == 1
    assert "soon" in _values(posting)
    assert "mine" in _values(posting)


def test_fields_that_become_one_by_repair_are_not_lost_silently():
    postings, report = read('{"title": "Cook", "Ã¤": "first", "ä": "second"}')
    assert report.rejected_count == 1 or (
        "first" in _values(postings[0]) and "second" in _values(postings[0])
    )


@pytest.mark.parametrize("value", [1.5, True, "yes", [], {"a": 1}])
def test_a_featured_value_that_is_no_whole_number_is_reported(value):
    postings, report = read(json.dumps({"title": "Cook", "featured": value}))
    assert report.changed_count + report.rejected_count == 1
    assert all(isinstance(posting.featured, int) for posting in postings)


@pytest.mark.parametrize("value", [5, 0, False, 1.5])
def test_a_title_that_is_no_text_is_reported(value):
    (posting,), report = read(json.dumps({"title": value}))
    assert posting.title == str(value)
    assert report.changed_count == 1


@pytest.mark.parametrize(
    "line",
    [
        json.dumps({"title": "Cook", "timestamp": "x" * 500_000}),
        json.dumps({"title": "Cook", "featured": "9" * 500_000}),
        json.dumps({"title": "Cook", "hashtags": {"x": "x" * 500_000}}),
        json.dumps({"title": "Cook", "id": "\n" + "x" * 1_500 + "\n" + "y" * 300}),
        '{"' + "k" * 300_000 + '": 1, "' + "k" * 300_000 + '": 2}',
    ],
    ids=["timestamp", "featured", "hashtags", "id", "name"],
)
def test_a_report_does_not_repeat_a_huge_value(line):
    _, report = read(line)
    told = [str(entry) for entry in report.rejected + report.changes]
    assert told
    assert max(map(len, told)) < 3_000


# --- JSON Lines ---


def test_broken_lines_are_rejected_one_by_one():
    lines = [
        b'{"title": "first"}',
        b"{bad",
        b"",
        b"[1]",
        b'"text"',
        b"\x00",
        b'{"title": "a",}',
        b"{'title': 'a'}",
        b'{"title": "a"} {"title": "b"}',
        b'{"title": "K\xf6chin"}',
        b"null",
        b'{"title": "last"}',
    ]
    postings, report = read(b"\n".join(lines))
    assert [posting.title for posting in postings] == ["first", "Köchin", "last"]
    assert [posting.id for posting in postings] == ["stream:1", "stream:10", "stream:12"]
    assert [rejected.line for rejected in report.rejected] == [2, 4, 5, 6, 7, 8, 9, 11]
    assert [change.line for change in report.changes] == [10]


@pytest.mark.parametrize(
    "line",
    [
        '{"title": NaN}',
        '{"title": "a", "x": NaN}',
        '{"title": "a", "x": [Infinity]}',
        '{"title": "a", "x": -Infinity}',
        '{"title": "a", "x": 1e999}',
        '{"title": "a", "x": -1e999}',
        '{"title": "a", "title": "b"}',
        '{"title": "a", "x": {"y": 1, "y": 1}}',
        '{"title": "a", "x": ' + "9" * 5_000 + "}",
        '{"title": "a", "x": ' + "[" * 100 + "]" * 100 + "}",
        '{"title": "a", "x": ' + "[" * 30_000 + "]" * 30_000 + "}",
        '{"title": "a", "x": ' + "[" * 100_000,
        '{"title": "a", "x": ' + '{"a":' * 30_000 + "1" + "}" * 30_000 + "}",
        '{"title": "a", "id": "x\\u0000"}',
        '{"title": ["a"]}',
        '{"title": "a", "hashtags": 5}',
        '{"title": "a", "hashtags": [null]}',
        '{"title": " "}',
        '{"titel": "a"}',
        '{"title": "a", "id": "' + "x" * 2_001 + '"}',
    ],
    ids=lambda line: line[:36],
)
def test_a_hostile_line_is_rejected_and_the_next_one_read(line):
    postings, report = read(f'{line}\n{{"title": "next"}}\n')
    assert [posting.title for posting in postings] == ["next"]
    assert [rejected.line for rejected in report.rejected] == [1]


def test_a_line_that_is_too_long_is_rejected_and_the_next_one_read():
    postings, report = read('{"title": "' + "x" * (3 << 20) + '"}\n{"title": "next"}')
    assert [(posting.title, posting.id) for posting in postings] == [("next", "stream:2")]
    assert [rejected.line for rejected in report.rejected] == [1]


def test_half_an_emoji_becomes_a_sign_that_files_can_hold_and_a_whole_one_stays():
    (half, whole), report = read(
        '{"title": "a\\ud83d", "x\\ud83d": ["\\ude80"]}\n{"title": "\\ud83d\\ude80"}'
    )
    assert _values(half).encode("utf-8")
    assert whole.title == "🚀"
    assert [change.line for change in report.changes] == [1]


def test_a_byte_order_mark_and_crlf_do_not_show_in_json_lines():
    postings, report = read(b'\xef\xbb\xbf{"title":"a"}\r\n\r\n{"title":"b"}\r\n')
    assert [(posting.title, posting.id) for posting in postings] == [("a", "stream:1"), ("b", "stream:3")]
    assert report.changed_count == 0


def test_fields_with_the_names_of_python_things_are_read():
    fields = {
        "self": 1,
        "handler": 2,
        "content": "c",
        "__class__": "x",
        "extra": {"a": None},
        "posted": "p",
        "": 0,
    }
    (posting,), _ = read(json.dumps({"title": "a"} | fields))
    assert dict(posting.extra) == fields


def test_json_keeps_what_yaml_would_change():
    fields = {"a": None, "b": True, "c": -0.5, "d": 12345678901234567890, "e": [1, {"f": "NO"}]}
    (posting,), _ = read(json.dumps({"title": "a"} | fields))
    assert dict(posting.extra) == fields


@pytest.mark.parametrize("tags", [["#A", "a", "# b"], ["#a #b"], ["a,b"], "#a #b", "a;b"])
def test_hashtags_in_json_have_the_normal_form_too(tags):
    (posting,), _ = read(json.dumps({"title": "x", "hashtags": tags}))
    assert posting.hashtags == ("a", "b")


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1607299200, "2020-12-07T00:00:00"),
        (1607299200.5, "2020-12-07T00:00:00.500"),
        (1607299200000, "2020-12-07T00:00:00"),
        ("1607299200000", "2020-12-07T00:00:00"),
        ("2020-12-07T01:00:00+01:00", "2020-12-07T00:00:00"),
        ("2100-01-01", "2100-01-01"),
        (0, "1970-01-01"),
        (None, None),
        ("", None),
        ("soon", None),
        (True, None),
        (-1, None),
        (1e300, None),
        (10**400, None),
        ({"$date": 1}, None),
    ],
)
def test_a_timestamp_is_utc_or_none(value, wanted):
    (posting,), _ = read(json.dumps({"title": "x", "timestamp": value}))
    assert posting.posted == (wanted and datetime.fromisoformat(wanted).replace(tzinfo=UTC))


words = st.text(st.sampled_from("abc XYZ.,-#+/:'\"\\{}[]"), max_size=15).map(str.strip)
clean_postings = st.builds(
    Posting,
    id=st.from_regex(r"[a-z0-9/._-]{1,12}", fullmatch=True),
    title=st.from_regex(r"[A-Za-z]{1,9}( [A-Za-z#+]{1,5})?", fullmatch=True),
    **dict.fromkeys(("company", "location", "summary", "body", "url", "host", "job_type"), words),
    hashtags=st.lists(st.from_regex(r"[a-z]{2,8}", fullmatch=True), max_size=4),
    posted=st.none() | st.datetimes(min_value=datetime(1980, 1, 1), max_value=datetime(2199, 1, 1)),
    featured=st.integers(0, 99),
    extra=st.dictionaries(st.from_regex(r"x[a-z]{1,5}", fullmatch=True), words | st.integers() | st.none()),
)


@PROPERTY
@given(st.lists(clean_postings, min_size=1, max_size=4))
def test_records_written_as_json_lines_are_read_back_as_the_same_postings(postings):
    postings_read, report = read("\n".join(json.dumps(posting.to_record()) for posting in postings))
    assert postings_read == postings
    assert (report.rejected_count, report.changed_count) == (0, 0)


# --- ids ---


def test_two_postings_with_one_id_are_refused_when_strict_and_both_yielded_when_not(tmp_path):
    (tmp_path / "a.md").write_text(markdown("first", id="7"))
    (tmp_path / "b.jsonl").write_text('{"title": "other"}\n{"id": 7, "title": "second"}\n')
    postings, _ = read(tmp_path)
    assert [(posting.id, posting.title) for posting in postings if posting.id == "7"] == [
        ("7", "first"),
        ("7", "second"),
    ]
    with pytest.raises(DuplicatePostingError) as caught:
        list(read_postings(tmp_path, strict=True))
    assert caught.value.path == (tmp_path / "b.jsonl").as_posix()
    assert caught.value.line == 2
    assert f"{(tmp_path / 'a.md').as_posix()}:1" in str(caught.value)


def test_one_file_given_twice_is_a_duplicate_when_strict(tmp_path):
    (tmp_path / "a.md").write_text(markdown())
    with pytest.raises(DuplicatePostingError):
        list(read_postings(tmp_path, tmp_path / "a.md", strict=True))


def test_the_id_is_the_field_then_the_url_then_the_place(tmp_path):
    both, url, neither = (markdown(id=" 1 ", url="u"), markdown(url="u"), markdown(id=" ", url=""))
    assert [read_file(tmp_path, text)[0][0].id for text in (both, url)] == ["1", "u"]
    assert read_file(tmp_path, neither)[0][0].id == (tmp_path / "case.md").as_posix()


# --- streams ---


def test_several_markdown_postings_in_one_stream():
    stream = (
        markdown("A", "Bake.\n\n---\n\nMore.")
        + "\n"
        + markdown("B")
        + "\n---\ntitle: [\n---\nx\n\n"
        + markdown("C")
    )
    postings, report = read(stream)
    assert [posting.title for posting in postings] == ["A", "B", "C"]
    assert postings[0].body == "Bake.\n\n---\n\nMore."
    starts = [number for number, line in enumerate(stream.splitlines(), 1) if line.startswith("title: ")]
    assert [int(posting.id.split(":")[1]) for posting in postings] == [
        starts[0] - 1,
        starts[1] - 1,
        starts[3] - 1,
    ]
    assert starts[2] <= report.rejected[0].line <= starts[2] + 1


def test_a_stream_with_byte_order_mark_and_crlf():
    stream = b"\xef\xbb\xbf" + (markdown("A") + "\n" + markdown("B")).replace("\n", "\r\n").encode()
    assert [(posting.title, posting.body) for posting in read(stream)[0]] == [("A", "Bake."), ("B", "Bake.")]


def test_a_posting_too_large_does_not_hide_the_next_one():
    postings, report = read(markdown("A", "x\n" * (1 << 20)) + "\n" + markdown("B"))
    assert [posting.title for posting in postings] == ["B"]
    assert [rejected.line for rejected in report.rejected] == [1]


class _Drip(io.RawIOBase):
    """A raw stream, such as a socket, that gives three bytes at a time."""

    def __init__(self, data):
        self._rest = data

    def readable(self):
        return True

    def readinto(self, buffer):
        count = min(3, len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


@pytest.mark.parametrize("text", [markdown("A") + "\n" + markdown("B"), '{"title": "A"}\n{"title": "B"}'])
def test_every_kind_of_stream_gives_the_same_postings(text, tmp_path):
    (tmp_path / "file").write_text(text)
    wanted = [posting.to_record() | {"id": ""} for posting in read(text)[0]]
    assert [record["title"] for record in wanted] == ["A", "B"]
    with (tmp_path / "file").open("rb") as binary, (tmp_path / "file").open(encoding="utf-8") as opened:
        for stream in (
            io.StringIO(text),
            _Drip(text.encode()),
            io.BytesIO(b"\n \n" + text.encode()),
            binary,
            opened,
        ):
            assert [posting.to_record() | {"id": ""} for posting in read(stream)[0]] == wanted


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", b"\xef\xbb\xbf"])
def test_an_empty_stream_is_a_source_error(data):
    with pytest.raises(SourceError, match="nothing to read"):
        read(data)


# --- files and folders ---


def test_a_folder_is_read_with_the_folders_below_it_and_accounts_for_the_rest(tmp_path):
    for name in (
        "b.md",
        "a.markdown",
        "sub/deep/c.MD",
        "sub/d.ndjson",
        ".hidden.md",
        ".git/e.md",
        "x.png",
        "noending",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('{"title": "d"}\n' if name.endswith("json") else markdown(path.stem))
    postings, report = read(tmp_path)
    assert [posting.title for posting in postings] == ["a", "b", "d", "c"]
    assert report.ignored == {".png": 1, "noending": 1}
    assert report.read == 4
    assert [posting.title for posting in read_postings(str(tmp_path))] == ["a", "b", "d", "c"]


def test_special_files_are_rejected_and_the_good_one_is_read(tmp_path):
    outside = tmp_path / "secret.md"
    outside.write_text(markdown("secret"))
    folder = tmp_path / "postings"
    (folder / "folder.md").mkdir(parents=True)
    os.mkfifo(folder / "fifo.md")
    os.mkfifo(folder / "fifo.jsonl")
    for name, target in {
        "out.md": outside,
        "relative.md": "../secret.md",
        "passwd.md": "/etc/passwd",
        "device.md": "/dev/zero",
        "gone.md": "nowhere.md",
        "good_link.md": "good.md",
    }.items():
        (folder / name).symlink_to(target)
    (folder / "out_folder").symlink_to("/etc")
    (folder / "back").symlink_to(".")
    (folder / "good.md").write_text(markdown("good"))
    postings, report = read(folder)
    assert [posting.title for posting in postings] == ["good", "good"]
    assert sorted(Path(rejected.path).name for rejected in report.rejected) == [
        *("device.md", "fifo.jsonl", "fifo.md", "gone.md", "out.md", "passwd.md", "relative.md")
    ]


def test_a_fifo_given_by_name_is_rejected_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "fifo.md")
    postings, report = read(tmp_path / "fifo.md")
    assert (postings, report.rejected_count) == ([], 1)


def test_a_link_to_itself_is_rejected_and_the_others_are_read(tmp_path):
    (tmp_path / "a.md").symlink_to("a.md")
    (tmp_path / "b.md").write_text(markdown())
    postings, report = read(tmp_path)
    assert [posting.title for posting in postings] == ["Cook"]
    assert [Path(rejected.path).name for rejected in report.rejected] == ["a.md"]


def test_a_file_of_a_gigabyte_is_rejected_in_bounded_memory(tmp_path):
    with (tmp_path / "a.md").open("wb") as file:
        file.truncate(1 << 30)
    with (tmp_path / "b.jsonl").open("wb") as file:
        file.truncate(1 << 26)
    tracemalloc.start()
    try:
        postings, report = read(tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (postings, report.rejected_count) == ([], 2)
    assert peak < 32 << 20


def test_a_file_name_that_is_no_utf_8_can_be_told(tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.md"
    try:
        Path(os.fsdecode(name)).write_text(markdown())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    postings, report = read(tmp_path)
    assert len(postings) + report.rejected_count == 1
    for told in [*map(str, report.rejected), *(posting.id for posting in postings)]:
        assert told.encode("utf-8")


@pytest.mark.parametrize(
    "origin",
    ["no/such/folder", "x.md", "/dev/zero", "a\0b.md", "x" * 5_000 + ".md", None, 5, ["a"], b"---"],
    ids=lambda origin: repr(origin)[:30],
)
def test_a_source_that_cannot_be_opened_is_one_typed_error(origin):
    with pytest.raises(SourceError):
        read_postings(origin)


def test_a_file_of_an_unknown_format_names_the_known_ones(tmp_path):
    (tmp_path / "a.txt").write_text("title\nCook\n")
    with pytest.raises(SourceError, match=r"\.md.*\.jsonl"):
        read_postings(tmp_path / "a.txt")


def test_no_origin_and_an_empty_folder_give_no_posting(tmp_path):
    assert list(read_postings()) == []
    assert list(read_postings(tmp_path)) == []


def test_the_report_counts_everything_and_keeps_a_thousand():
    reader = read_postings(io.BytesIO(b'{"title": "good"}\n' + b"{bad\n" * 1_500 + b'{"title": 5}\n' * 1_500))
    assert sum(1 for _ in reader) == 1_501
    report = reader.report
    assert (report.read, report.rejected_count, report.changed_count) == (1_501, 1_500, 1_500)
    assert (len(report.rejected), len(report.changes)) == (1_000, 1_000)
    assert "1,501 postings read" in report.summary()
    assert "1,500 rejected" in report.summary()


def test_postings_are_passed_on_before_the_stream_ends():
    reader = read_postings(io.BytesIO(b'{"title": "first"}\n{bad\n{"title": "second"}\n'))
    assert next(reader).title == "first"
    assert reader.report.rejected_count == 0
    assert next(reader).title == "second"
    assert reader.report.rejected_count == 1


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_every_source_gives_lines_and_errors_the_same_way(source):
    good = {
        "markdown": markdown(),
        "json lines": '{"title": "Cook"}',
        "json": '[{"title": "Cook"}]',
        "csv": "title\nCook\n",
        "feed": "<rss><item><title>Cook</title></item></rss>",
        "html": '<script type="application/ld+json">{"@type": "JobPosting", "title": "Cook"}</script>',
    }[source.name].encode()
    for reading in (source.read, source.read_stream or source.read):
        (entry,) = reading(io.BytesIO(good), "name")
        assert (entry.fields["title"], entry.line, entry.changes) == ("Cook", 1 + (source.name == "csv"), [])
        assert entry.default_id.startswith("name")
        (error,) = reading(io.BytesIO(b"\x00"), "name")
        assert isinstance(error, PostingError)
        assert error.line == 1


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [
        ("a.json", '[{"title":"A"},{"title":"B"},{"title":"C"}]', ["a.json:1", "a.json:1#2", "a.json:1#3"]),
        ("a.json", '[{"title":"A"},{"title":},{"title":"C"}]', ["a.json:1", "a.json:1#3"]),
        ("a.json", '[,{"title":"A"},\n{"title":"B"}]', ["a.json:1", "a.json:2"]),
        ("a.json", '{"title":"A"} {"title":"B"}', ["a.json:1", "a.json:1#2"]),
        (
            "a.json",
            '{"@graph":[{"@type":"JobPosting","title":"A"},{"@type":"JobPosting","title":"B"}]}',
            ["a.json:1", "a.json:1#2"],
        ),
        ("a.xml", "<a><job><title>A</title></job><job><title>B</title></job></a>", ["a.xml:1", "a.xml:1#2"]),
        (
            "a.html",
            '<script type="application/ld+json">{"@type":"JobPosting","title":"A"}</script>' * 2,
            ["a.html:1", "a.html:1#2"],
        ),
    ],
)
def test_postings_of_one_line_have_ids_of_their_own(tmp_path, name, content, ids):
    (tmp_path / name).write_text(content)
    found = [posting.id.removeprefix(f"{tmp_path}{os.sep}") for posting in read_postings(tmp_path / name)]
    assert found == ids
