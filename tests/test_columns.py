"""The names of columns, given by hand or known, from Python and from the command line."""

import gzip
import io
import json

import pytest
from click.testing import CliRunner

from matcher import OptionError, Posting, read_postings
from matcher.cli import main
from matcher.posting import RECORD_NAMES
from matcher.sources.names import ALIASES, name_fields, names_text
from matcher.sources.writers import write_json_line, write_markdown

TABLE = "Stellenbezeichnung;Firma;Ort\nKöchin;Beck;Cork\nPfleger;Stift;Bern\n"
COLUMNS = {"Stellenbezeichnung": "title", "Firma": "companyName", "Ort": "location"}


def read(data, columns=None):
    reader = read_postings(io.BytesIO(data.encode()), columns=columns)
    return list(reader), reader.report


def test_columns_are_named_by_hand(tmp_path):
    path = tmp_path / "stellen.csv"
    path.write_text(TABLE, encoding="utf-8")
    reader = read_postings(path, columns=COLUMNS)
    assert [(posting.title, posting.company, posting.location) for posting in reader] == [
        ("Köchin", "Beck", "Cork"),
        ("Pfleger", "Stift", "Bern"),
    ]
    assert reader.report.rejected == []


def test_a_table_without_a_known_column_says_how_to_name_one(tmp_path):
    path = tmp_path / "stellen.csv"
    path.write_text(TABLE, encoding="utf-8")
    path.write_text("A,B,C,D,E,F\n1,2,3,4,5,6\n", encoding="utf-8")
    reader = read_postings(path)
    assert list(reader) == []
    (rejected,) = reader.report.rejected
    assert (rejected.line, "--column" in rejected.reason) == (1, True)
    assert "'A', 'B', 'C', 'D', 'E', ..." in rejected.reason


@pytest.mark.parametrize(
    "data",
    [
        '{"Stelle": "Cook", "title": "K-17"}\n',
        '[{"Stelle": "Cook", "title": "K-17"}]',
        "---\nStelle: Cook\ntitle: K-17\n---\n",
        "Stelle,title\nCook,K-17\n",
        "<rss><item><Stelle>Cook</Stelle><title>K-17</title></item></rss>",
    ],
)
def test_a_name_given_by_hand_goes_before_a_known_one_and_loses_nothing(data):
    (posting,), report = read(data, {"Stelle": "title"})
    assert posting.title == "Cook"
    assert posting.extra == {"titleAsWritten": "K-17"}
    assert report.rejected == []


@pytest.mark.parametrize("columns", [{"a": "titel"}, {"a": ""}, {"a": "title", "b": "title"}, {1: "title"}])
def test_wrong_columns_are_a_wrong_option(columns):
    with pytest.raises(OptionError, match="columns: "):
        read_postings(columns=columns)


def test_every_alias_belongs_to_one_field_of_a_posting():
    names = [alias for aliases in ALIASES.values() for alias in aliases.split()]
    assert len(set(names)) == len(names)
    assert {name for name in ALIASES if "/" not in name} <= set(RECORD_NAMES.values())
    for name, aliases in ALIASES.items():
        for alias in aliases.split():
            named = name_fields({alias: "x"})
            if "/" not in name:
                assert named == {name: "x"}, alias


@pytest.mark.parametrize("written", ["Job Title", "job_title", "JOB-TITLE", "jobTitle", "job.title"])
def test_case_and_separators_do_not_matter(written):
    assert name_fields({written: "Cook"}) == {"title": "Cook"}


def test_the_better_name_wins_and_the_other_is_kept():
    assert name_fields({"text": "a", "description": "b"}) == {"text": "a", "body": "b"}
    assert name_fields({"description": "b", "body": "c"}) == {"description": "b", "body": "c"}


def test_parts_become_a_location_and_pay_unless_there_is_one():
    assert name_fields({"city": "Cork", "state": "", "country": "IE"}) == {"location": "Cork, IE"}
    assert name_fields({"location": "Cork", "country": "IE"}) == {"location": "Cork, IE"}
    assert name_fields({"location": "Cork, Ireland", "country": "IE"}) == {
        "location": "Cork, Ireland",
        "country": "IE",
    }
    assert name_fields({"salary_min": "1", "salary_max": "2", "currency": "EUR"}) == {
        "pay": {"minimum": "1", "maximum": "2", "currency": "EUR"}
    }
    assert name_fields({"currency": "EUR"}) == {"currency": "EUR"}


def test_a_first_row_needs_a_title_or_a_text():
    assert names_text(("title", "company")) == 2
    assert names_text(("company", "city")) == 0


def test_a_record_of_ours_is_never_read_by_other_names():
    record = {"title": "A", "body": "b", "description": "c", "date": "d", "city": "Cork"}
    (posting,), _ = read(json.dumps(record) + "\n")
    assert posting.extra == {"description": "c", "date": "d", "city": "Cork"}
    assert posting.location == ""


@pytest.mark.parametrize("option", ["Stelle", "=title", "Stelle=titel", "Stelle=title --column Stelle=body"])
def test_a_wrong_column_option_is_said_in_one_line(option, tmp_path):
    result = CliRunner().invoke(main, ["train", str(tmp_path), "--model", "m", "--column", *option.split()])
    assert result.exit_code == 2
    assert "--column" in result.output


def test_the_commands_take_columns(tmp_path):
    path = tmp_path / "stellen.csv"
    path.write_text(TABLE, encoding="utf-8")
    options = [part for name, field in COLUMNS.items() for part in ("--column", f"{name}={field}")]
    model = str(tmp_path / "model")
    for arguments in (
        ["train", str(path), "--model", model],
        ["retrain", str(path), "--model", model],
        ["convert", str(path), "--to", "jsonl", "--output", str(tmp_path / "out.jsonl")],
    ):
        result = CliRunner().invoke(main, [*arguments, *options])
        assert result.exit_code == 0, result.output
    titles = [json.loads(line)["title"] for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert titles == ["Köchin", "Pfleger"]
    (tmp_path / "cv.txt").write_text("Köchin in Cork", encoding="utf-8")
    ranked = ["rank", str(tmp_path / "cv.txt"), "--postings", str(path), "--json", *options]
    result = CliRunner().invoke(main, ranked)
    assert result.exit_code == 0, result.output
    assert "Köchin" in result.output


@pytest.mark.parametrize(
    "extra",
    [
        {"description": "Bake.", "city": "Cork"},
        {"@type": "JobPosting"},
        {"@graph": [{"@type": "JobPosting", "title": "B"}]},
        {"absolute_url": "https://example.org", "content": "x"},
        {"categories": {"location": "Cork"}, "text": "B"},
        {"jobUrl": "https://example.org", "descriptionPlain": "x"},
        {"shortcode": "A1"},
        {"items": [{"title": "B"}]},
    ],
)
def test_a_posting_with_the_fields_of_a_board_is_written_and_read_back_as_itself(extra):
    posting = Posting(id="1", title="A", extra=extra)
    for write in (write_json_line, write_markdown):
        written = write(posting)
        assert list(read_postings(io.BytesIO(written))) == [posting]


@pytest.mark.parametrize(
    "data",
    [
        '{"title": "Nurse", "company": "Acme", "job_type":"Full-time","posted": "2026-11-01", "body":"care"}',
        '[{"title":"Nurse","employer":"Acme","employmentType":"Full-time","date":"2026-11-01","body":"care"}]',
        "---\ntitle: Nurse\ncompany: Acme\njob_type: Full-time\ndatePosted: 2026-11-01\n---\ncare\n",
        '{"title":"Nurse","companyName":"Acme","employment_type":"Full-time","date_posted":1793491200000,'
        '"description":"<p>care</p>"}',
        "title,company,job_type,posted,body\nNurse,Acme,Full-time,2026-11-01,care\n",
    ],
)
def test_the_names_of_attributes_are_understood_in_every_format(data):
    (posting,), report = read(data)
    assert (posting.title, posting.company, posting.job_type) == ("Nurse", "Acme", "Full-time")
    assert (str(posting.posted), posting.body) == ("2026-11-01 00:00:00+00:00", "care")
    assert posting.extra == {}
    assert report.changes == []


def test_a_name_of_ours_goes_before_another_one():
    data = '{"title": "Cook", "companyName": "Beck", "company": "B", "date": true, "link": {"a": "b"}}'
    (posting,), _ = read(data)
    assert posting.company == "Beck"
    assert posting.extra == {"company": "B", "date": True, "link": {"a": "b"}}


def test_columns_may_be_named_by_attributes():
    (posting,), _ = read("title;Firma\nKoch;Beck\n", {"Firma": "company"})
    assert (posting.title, posting.company) == ("Koch", "Beck")
    with pytest.raises(OptionError, match="twice"):
        read_postings(columns={"a": "company", "b": "companyName"})


@pytest.mark.parametrize("value", ["yes", "True", "1", "remote", True, 1])
def test_a_column_that_says_remote_adds_it_to_the_location(value):
    named = name_fields({"location": "Leeds", "country": "UK", "Remote": value})
    assert named == {"location": "Leeds, UK (remote)", "Remote": value}
    assert name_fields({"is_remote": value})["location"] == "remote"


@pytest.mark.parametrize("value", ["no", "", "0", False, None, "hybrid", {}])
def test_a_column_that_does_not_say_remote_adds_nothing(value):
    assert name_fields({"location": "Leeds", "remote": value})["location"] == "Leeds"


@pytest.mark.parametrize("codec", ["utf-8", "cp1252"])
def test_a_stream_is_known_by_the_columns_that_were_named(codec, tmp_path):
    table = "Tätigkeit;Haus\nKöchin;Beck\n".encode(codec)
    columns = {"Tätigkeit": "title", "Haus": "company"}
    path = tmp_path / "stellen.gz"
    path.write_bytes(gzip.compress(table, mtime=0))
    for origin in (io.BytesIO(table), io.BytesIO(gzip.compress(table, mtime=0)), path):
        (posting,) = read_postings(origin, columns=columns)
        assert (posting.title, posting.company) == ("Köchin", "Beck")


def test_a_file_in_a_folder_is_known_by_the_fields_that_were_named(tmp_path):
    (tmp_path / "a.json").write_text('[{"Aufgabe": "Koch"}]')
    (tmp_path / "b.json").write_text('[{"name": "app"}]')
    reader = read_postings(tmp_path, columns={"Aufgabe": "title"})
    assert [posting.title for posting in reader] == ["Koch"]
    assert reader.report.ignored.total() == 1


def test_headings_in_german_are_known():
    head = "Stellenbezeichnung;Arbeitgeber;Ort;Bundesland;Land;Gehalt;Stellenbeschreibung;Veröffentlicht am"
    row = "Koch;Beck;Aalen;Baden-Württemberg;DE;40.000 € im Jahr;Backen;1.3.2026"
    (posting,), report = read(f"{head};Bewerbungsfrist;Schlagworte\n{row};31.03.2026;Brot\n")
    assert (posting.title, posting.company, posting.body) == ("Koch", "Beck", "Backen")
    assert posting.location == "Aalen, Baden-Württemberg, DE"
    assert (str(posting.posted)[:10], str(posting.valid_through)[:10]) == ("2026-03-01", "2026-03-31")
    assert (posting.hashtags, posting.pay is not None) == (("brot",), True)
    assert report.changes == []
