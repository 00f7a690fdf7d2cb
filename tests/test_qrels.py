"""Judgements as TREC writes them, and the CVs of their queries: sound, careless and hostile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher import JudgementError
from matcher.evaluate import find_cvs, read_qrels, read_queries
from matcher.evaluate.qrels import is_json


def qrels(folder, content):
    file = folder / "fit.qrels"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def test_qrels_are_columns_between_white_space(tmp_path):
    text = (
        "\ufeffchef 0 job-1 2\r\n\n  chef\tQ0  job-2   0\nnurse aoife\t0\thttps://x.example/a b\t1\n"
        "chef 0 köchin 010"
    )
    assert read_qrels(qrels(tmp_path, text)) == {
        "chef": {"job-1": 2, "job-2": 0, "köchin": 10},
        "nurse aoife": {"https://x.example/a b": 1},
    }
    assert list(read_qrels(qrels(tmp_path, "b 0 x 1\na 0 x 1"))) == ["b", "a"]


names = st.text("abcö/.:-", min_size=1, max_size=5)


@given(st.dictionaries(names, st.dictionaries(names, st.integers(0, 10), min_size=1, max_size=3), min_size=1))
def test_qrels_read_back_as_written(tmp_path_factory, grades):
    for gap in (" ", "\t", "  \t"):
        lines = [
            gap.join([query, "0", posting, str(grade)])
            for query, listed in grades.items()
            for posting, grade in listed.items()
        ]
        assert read_qrels(qrels(tmp_path_factory.getbasetemp(), "\n".join(lines))) == grades


BAD_QRELS = {
    "empty": ("", ": no judgements here"),
    "blank": ("\n \t\n", ": no judgements here"),
    "three columns": ("chef 0 job-1 2\nchef job-1 2", ":2: expected 4 columns .*, got 3"),
    "five columns": ("chef 0 job-1 2 x", ":1: expected 4 columns .*, got 5"),
    "an empty column": ("chef\t0\t\t2", ":1: expected 4 columns .*, got 3"),
    "a run": ("chef Q0 job-1 1 0.5 tag", ":1: expected 4 columns .*, got 6"),
    "negative": ("chef 0 job-1 -1", ":1: expected a grade of 0 .* to 10, got '-1'"),
    "too high": ("chef 0 job-1 11", ":1: expected a grade .* got '11'"),
    "fraction": ("\n\nchef 0 job-1 1.5", ":3: expected a grade .* got '1.5'"),
    "other digits": ("chef 0 job-1 ٣", ":1: expected a grade"),
    "thousands of digits": (f"chef 0 job-1 {'9' * 5000}", ":1: expected a grade .* got '9{19}…'"),
    "twice": ("chef 0 job-1 2\nchef 1 job-1 2", ":2: 'chef' and 'job-1' come twice"),
    "not UTF-8": (b"chef 0 \xff 2", ": not UTF-8"),
}


@pytest.mark.parametrize("case", BAD_QRELS)
def test_bad_qrels_get_one_error_that_names_file_and_line(case, tmp_path):
    content, reason = BAD_QRELS[case]
    file = qrels(tmp_path, content)
    with pytest.raises(JudgementError, match=reason) as caught:
        read_qrels(file)
    assert str(caught.value).startswith(str(file))
    assert len(str(caught.value)) < 200 + len(str(file))


def test_qrels_that_are_no_file_are_refused(tmp_path):
    for read in (read_qrels, read_queries, is_json):
        with pytest.raises(JudgementError, match="no such file"):
            read(tmp_path / "none")
        with pytest.raises(JudgementError, match=r"cannot be opened|not a file"):
            read(tmp_path)


def test_json_is_told_from_qrels(tmp_path):
    assert is_json(qrels(tmp_path, "").rename(tmp_path / "judgements.json"))
    assert is_json(qrels(tmp_path, ' \n{"judgements": {}}'))
    assert not is_json(qrels(tmp_path, "chef 0 job-1 2"))
    assert not is_json(qrels(tmp_path, ""))


def test_cvs_of_queries_are_files_of_that_name(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("chef.md", "dr.smith.txt", "nurse", "nurse.md", "sub/cook.pdf"):
        (tmp_path / name).write_text("x")
    (tmp_path / "chef").mkdir()  # a folder is no CV
    found = find_cvs(["chef", "dr.smith", "nurse", "nurse.md", "sub/cook"], tmp_path)
    assert {query: path.relative_to(tmp_path).as_posix() for query, path in found.items()} == {
        "chef": "chef.md",
        "dr.smith": "dr.smith.txt",
        "nurse": "nurse",
        "nurse.md": "nurse.md",
        "sub/cook": "sub/cook.pdf",
    }


@pytest.mark.parametrize(
    ("queries", "reason"),
    [
        (["cook"], "fit: no CV of 'cook' in .*: expected a file cook or cook"),
        (["chef"], r"fit: more than one CV of 'chef' in .* \(chef.md, chef.txt\)"),
        (["anna", "anna.md"], "fit: 'anna.md' and 'anna' are the same CV"),
        (["../secret"], r"fit: '\.\./secret' is not a file in the folder"),
        (["/etc/passwd"], "is not a file in the folder"),
        (["a\0"], "cannot be a file name"),
        (["x" * 5000], "cannot be|no CV of"),
    ],
)
def test_cvs_that_are_missing_doubtful_or_elsewhere_are_refused(queries, reason, tmp_path):
    folder = tmp_path / "cvs"
    folder.mkdir()
    for name in ("chef.md", "chef.txt", "anna.md", "../secret.txt"):
        (folder / name).write_text("x")
    with pytest.raises(JudgementError, match=reason):
        find_cvs(queries, folder, "fit")
    with pytest.raises(JudgementError, match="no such folder"):
        find_cvs(queries, tmp_path / "none")


def test_cvs_behind_links_that_lead_out_are_refused(tmp_path):
    folder = tmp_path / "cvs"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    try:
        (folder / "a.txt").symlink_to(tmp_path / "secret.txt")
    except OSError:
        pytest.skip("no symbolic links here")
    for query in ("a", "a.txt"):
        with pytest.raises(JudgementError, match="is not a file in the folder"):
            find_cvs([query], folder)


def test_queries_are_lines_of_name_and_text(tmp_path):
    file = qrels(tmp_path, "\ufeffchef\tChef\tde partie\x0c, pastry\r\n\nnurse aoife\t Nurse\u2028RN \n")
    assert read_queries(file) == {
        "chef": "Chef\tde partie\x0c, pastry",
        "nurse aoife": "Nurse\u2028RN",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ": no queries here"),
        ("a\tcook\nPrivate Person", ":2: expected a query, a tab"),
        ("\tPrivate Person", ":1: the query is empty"),
        ("a\t ", ":1: the text of the CV is empty"),
        ("a\tcook\na\tPrivate Person", ":2: the query 'a' comes twice"),
    ],
)
def test_bad_queries_get_an_error_without_any_text_of_a_cv(text, reason, tmp_path):
    with pytest.raises(JudgementError, match=reason) as caught:
        read_queries(qrels(tmp_path, text))
    assert "Private" not in str(caught.value)


@given(st.binary(max_size=40) | st.text("ab 012\t\n\r\x0c", max_size=30).map(str.encode))
def test_no_other_error_comes_out_of_tables(tmp_path_factory, content):
    file = qrels(tmp_path_factory.getbasetemp(), content)
    for read in (read_qrels, read_queries):
        said = ""
        try:
            assert read(file)
        except JudgementError as error:
            said = str(error)
        assert said.startswith(str(file)) or not said
