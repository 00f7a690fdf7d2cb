"""Measures against their published formulas, trec_eval and scikit-learn; judgements, sound and hostile."""

import json
import math
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from matcher import JudgementError, OptionError, read_cv
from matcher.evaluate import (
    HIGHEST_GRADE,
    LARGEST_FILE,
    MEASURES,
    Measure,
    average_precision,
    ndcg,
    parse_measure,
    precision,
    r_precision,
    rank_biased_overlap,
    read_judgements,
    recall,
    reciprocal_rank,
)

CVS = Path(__file__).parent.parent / "examples" / "cvs"

ids = st.sampled_from("abcdefghijkl")
rankings = st.lists(ids, unique=True, max_size=10)
grade_lists = st.dictionaries(ids, st.integers(0, 4), max_size=12)
persistences = st.sampled_from([0.1, 0.5, 0.9, 0.98])


def equation_32(first, second, p):
    """Return RBO_ext as Webber, Moffat and Zobel print it, in exact arithmetic."""
    shorter, longer = sorted((first, second), key=len)
    s, l, p = len(shorter), len(longer), Fraction(p)  # noqa: E741

    def x(d):
        return len(set(shorter[:d]) & set(longer[:d]))

    total = sum((Fraction(x(d), d) * p**d for d in range(1, l + 1)), Fraction(0))
    total += sum((Fraction(x(s) * (d - s), s * d) * p**d for d in range(s + 1, l + 1)), Fraction(0))
    return (1 - p) / p * total + (Fraction(x(l) - x(s), l) + Fraction(x(s), s)) * p**l


@given(rankings.filter(len), rankings.filter(len), persistences)
def test_the_overlap_is_the_one_of_the_paper(first, second, p):
    assert rank_biased_overlap(first, second, p) == pytest.approx(
        float(equation_32(first, second, p)), abs=1e-14
    )


@given(rankings, rankings, persistences)
def test_the_overlap_is_symmetric_and_within_0_and_1(first, second, p):
    overlap = rank_biased_overlap(first, second, p)
    assert 0 <= overlap <= 1
    assert overlap == rank_biased_overlap(second, first, p)
    assert (overlap == 0) == (not set(first) & set(second) and bool(first or second))


@given(rankings, persistences)
def test_the_overlap_of_a_ranking_with_itself_is_exactly_1(ranking, p):
    assert rank_biased_overlap(ranking, list(ranking), p) == 1


@given(st.permutations("abcdefghij"), st.integers(0, 7))
def test_a_swap_further_up_costs_more(ranking, place):
    def swapped(at):
        return [*ranking[:at], ranking[at + 1], ranking[at], *ranking[at + 2 :]]

    upper, lower = (rank_biased_overlap(ranking, swapped(at)) for at in (place, place + 1))
    assert upper < lower < 1


def test_a_ranking_that_stops_early_is_extrapolated():
    # The shorter one may well go on like the longer one: no penalty for what it does not say.
    assert rank_biased_overlap("abc", "abcdef") == 1
    assert rank_biased_overlap("abc", "abcdef") > rank_biased_overlap("abcxyz", "abcdef")
    assert rank_biased_overlap([], "abc") == 0
    assert rank_biased_overlap([], []) == 1


@pytest.mark.parametrize("p", [0, 1, -0.1, 1.5, math.nan, math.inf, "0.9", None, True])
def test_the_overlap_refuses_a_senseless_p(p):
    with pytest.raises(OptionError, match="p must be above 0 and below 1"):
        rank_biased_overlap(["a"], ["a"], p)


@pytest.mark.parametrize(
    "call", [lambda r: rank_biased_overlap(r, "a"), lambda r: rank_biased_overlap("a", r)]
)
def test_the_overlap_refuses_repeats(call):
    with pytest.raises(OptionError, match="'b' twice"):
        call(["b", "a", "b"])


@given(st.permutations("abcdefghijkl"), grade_lists.filter(lambda g: any(g.values())), st.integers(1, 15))
def test_ndcg_is_that_of_scikit_learn_over_exponential_gains(ranking, grades, k):
    gains = [2 ** grades.get(posting, 0) - 1 for posting in ranking]
    assert ndcg(ranking, grades, k) == pytest.approx(ndcg_score([gains], [-np.arange(12)], k=k), abs=1e-12)


@given(rankings, grade_lists, st.integers(1, 12))
def test_ndcg_is_1_for_the_best_ranking_alone(ranking, grades, k):
    value = ndcg(ranking, grades, k)
    best = sorted([*grades.values(), *[0] * k], reverse=True)[:k]
    found = [grades.get(posting, 0) for posting in [*ranking, *"-" * k][:k]]
    assert 0 <= value <= 1 + 1e-15
    assert math.isclose(value, 1) == (any(best) and found == best)


def test_ndcg_punishes_what_was_left_out():
    grades = {"a": 2, "b": 2}
    assert ndcg(["a"], grades) == pytest.approx(1 / (1 + 1 / math.log2(3)))
    assert ndcg([], grades) == 0
    assert ndcg(["a"], {}) == 0
    assert ndcg(["a"], {"a": 0}) == 0


def test_precision_counts_fitting_postings():
    grades = {"a": 2, "b": 1, "c": 0}
    assert precision(["a", "x", "b", "c"], grades, k=4) == 0.5
    assert precision(["a"], grades, k=4) == 0.25
    assert precision(["c", "a"], grades, k=1) == 0
    assert precision([], {}) == 0


def trec_eval(ranking, grades, k):
    """Return what trec_eval makes of a ranking; it gives no value for an empty one."""
    evaluator = pytrec_eval.RelevanceEvaluator(
        {"q": grades}, {"map", "recip_rank", f"map_cut.{k}", f"P.{k}", f"recall.{k}", f"ndcg_cut.{k}"}
    )
    scores = {posting: float(len(ranking) - place) for place, posting in enumerate(ranking)}
    return evaluator.evaluate({"q": scores}).get("q", {})


@given(rankings.filter(len), grade_lists.filter(lambda g: any(g.values())), st.integers(1, 15))
def test_measures_are_those_of_trec_eval(ranking, grades, k):
    wanted = trec_eval(ranking, grades, k)
    found = {
        "map": average_precision(ranking, grades),
        f"map_cut_{k}": average_precision(ranking, grades, k),
        "recip_rank": reciprocal_rank(ranking, grades),
        f"P_{k}": precision(ranking, grades, k),
        f"recall_{k}": recall(ranking, grades, k),
    }
    assert found == pytest.approx({name: wanted[name] for name in found}, abs=1e-12)
    # RP@k is fitting / min(k, all fitting): the larger one of fitting / k and fitting / all fitting.
    assert r_precision(ranking, grades, k) == pytest.approx(
        max(wanted[f"P_{k}"], wanted[f"recall_{k}"]), abs=1e-12
    )
    cut = trec_eval(ranking[:k], grades, k)
    assert reciprocal_rank(ranking, grades, k) == pytest.approx(cut["recip_rank"], abs=1e-12)
    # Its gain is the grade itself, ours is 2**grade - 1; the two agree where grades are 0 and 1.
    gains = {posting: 2**grade - 1 for posting, grade in grades.items()}
    assert ndcg(ranking, grades, k) == pytest.approx(trec_eval(ranking, gains, k)[f"ndcg_cut_{k}"], abs=1e-12)
    binary = {posting: min(grade, 1) for posting, grade in grades.items()}
    assert ndcg(ranking, binary, k) == pytest.approx(
        trec_eval(ranking, binary, k)[f"ndcg_cut_{k}"], abs=1e-12
    )


K_MEASURES = [ndcg, precision, recall, r_precision, average_precision, reciprocal_rank]


@pytest.mark.parametrize("measure", K_MEASURES)
@given(rankings, grade_lists, st.integers(1, 12))
def test_measures_stay_within_0_and_1(measure, ranking, grades, k):
    value = measure(ranking, grades, k)
    assert 0 <= value <= 1 + 1e-15
    hits = sum(grades.get(posting, 0) > 0 for posting in ranking[:k])
    assert (value == 0) == (hits == 0)
    best = sorted(grades, key=grades.get, reverse=True)
    assert value <= measure(best, grades, k) + 1e-15
    assert measure(ranking, {}, k) == 0


def test_what_was_never_found_lowers_average_precision():
    grades = {"a": 1, "b": 2, "c": 1}
    assert average_precision(["a"], grades) == pytest.approx(1 / 3)
    assert average_precision([], grades) == 0
    assert average_precision("axbyc", grades) == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert average_precision("axbyc", grades, 3) == pytest.approx((1 + 2 / 3) / 3)


@pytest.mark.parametrize("measure", K_MEASURES)
def test_measures_refuse_senseless_arguments(measure):
    depths = (0, -1, 1.5, "10", True, None)
    for k in depths[:5] if measure in (average_precision, reciprocal_rank) else depths:
        with pytest.raises(OptionError, match="k must be a whole number of at least 1"):
            measure(["a"], {"a": 1}, k)
    for grade in (-1, HIGHEST_GRADE + 1, 1.0, "1", True, None):
        with pytest.raises(OptionError, match="the grade of 'a' must be a whole number of 0 to 10"):
            measure(["a"], {"a": grade})
    with pytest.raises(OptionError, match="'a' twice"):
        measure(["a", "a"], {"a": 1})


NAMES = {
    "ndcg@10": ("nDCG@10", ndcg),
    "map": ("MAP", average_precision),
    "map@3": ("MAP@3", average_precision),
    "mrr": ("MRR", reciprocal_rank),
    "p@5": ("P@5", precision),
    "recall@100": ("Recall@100", recall),
    "rp@5": ("RP@5", r_precision),
}


@pytest.mark.parametrize("name", NAMES)
def test_measures_have_names(name):
    title, function = NAMES[name]
    measure = parse_measure(name)
    assert (measure.title, str(measure), MEASURES[measure.name]) == (title, name, function)
    assert parse_measure(f" {title} ") == measure
    ranking, grades = "abcdefgh", {"b": 2, "f": 1, "h": 1, "z": 3}
    _, _, depth = name.partition("@")
    assert measure(ranking, grades) == function(ranking, grades, *([int(depth)] if depth else []))


@pytest.mark.parametrize(
    "name", ["", "ndcg@", "ndcg@0", "p@-1", "p@1.5", "p@1e3", "@5", "p@9999999999", "p@٣"]
)
def test_what_is_no_measure_is_told_how_to_write_one(name):
    with pytest.raises(OptionError, match="such as ndcg@10 or map"):
        parse_measure(name)


def test_unknown_measures_and_missing_depths_are_refused():
    with pytest.raises(OptionError, match="unknown measure 'accuracy': use one of ndcg, map, mrr, p, "):
        parse_measure("accuracy@3")
    for name in set(MEASURES) - {"map", "mrr"}:
        with pytest.raises(OptionError, match=f"needs a depth, as in {name}@10"):
            parse_measure(name)
    with pytest.raises(OptionError, match="such as ndcg@10 or map"):
        parse_measure(None)
    with pytest.raises(OptionError, match="k must be"):
        Measure("p", 0)


def write(folder, content):
    file = folder / "judgements.json"
    text = content if isinstance(content, (str, bytes)) else json.dumps(content)
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return file


def test_judgements_of_the_samples():
    judged = read_judgements(CVS / "judgements.json")
    listed = json.loads((CVS / "judgements.json").read_text(encoding="utf-8"))["judgements"]
    assert [cv.name for cv in judged] == list(listed)
    for cv in judged:
        assert cv.grades == {posting: entry["grade"] for posting, entry in listed[cv.name].items()}
        assert read_cv(cv.path).text


def test_cvs_are_found_beside_the_file_and_below(tmp_path, monkeypatch):
    file = write(tmp_path, {"judgements": {"a.md": {}, "more/b.txt": {"x": {"grade": 0, "why": "no"}}}})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    first, second = read_judgements("../judgements.json")
    assert (first.name, first.grades) == ("a.md", {})
    assert (second.name, second.grades) == ("more/b.txt", {"x": 0})
    assert second.path.resolve() == file.parent / "more" / "b.txt"


def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path):
    content = {"judgements": {"köchin.md": {"ü": {"grade": 1}}}}
    file = write(tmp_path, b"\xef\xbb\xbf" + json.dumps(content).encode())
    [judged] = read_judgements(file)
    assert (judged.name, judged.grades) == ("köchin.md", {"ü": 1})


def one(entry):
    return {"judgements": {"a.md": {"job-1": entry}}}


BAD = {
    "empty": ("", ":1: not JSON"),
    "not JSON": ('{"judgements": {\n"a.md": oops}}', ":2: not JSON"),
    "not UTF-8": (b'{"judgements": {"\xff.md": {}}}', "not UTF-8"),
    "a list": ([], "expected {"),
    "no judgements": ({"judgement": {}}, "expected {"),
    "judgements in a list": ({"judgements": []}, "expected {"),
    "a CV without object": (
        {"judgements": {"a.md": ["job-1"]}},
        "'a.md': expected grades by posting, got a list",
    ),
    "bare grade": (one(2), "'a.md': 'job-1': expected an object with a grade of 0 to 10, got 2"),
    "no grade": (one({"why": "x"}), "'a.md': 'job-1': .* got an object"),
    "negative": (one({"grade": -1}), "'job-1': .* got -1"),
    "too high": (one({"grade": 11}), "'job-1': .* got 11"),
    "fraction": (one({"grade": 1.5}), "'job-1': .* got 1.5"),
    "yes": (one({"grade": True}), "'job-1': .* got true"),
    "text": (one({"grade": "2" * 1000}), "'job-1': .* got \"2{78}…"),
    "not a number": ('{"judgements": {"a.md": {"job-1": {"grade": NaN}}}}', "'job-1': .* got NaN"),
    "thousands of digits": ('{"judgements": {"a.md": {"x": {"grade": %s}}}}' % ("9" * 5000), "json: "),
    "nested": ("[" * 100_000, "nested too deeply"),
    "a CV twice": ('{"judgements": {"a.md": {}, "a.md": {}}}', "'a.md' comes twice"),
    "a posting twice": (
        '{"judgements": {"a.md": {"x": {"grade": 1}, "x": {"grade": 2}}}}',
        "'x' comes twice",
    ),
    "a CV by two names": ({"judgements": {"a.md": {}, "./a.md": {}}}, "'./a.md' is the same file as 'a.md'"),
    "outside": ({"judgements": {"../a.md": {}}}, "'../a.md' is not a file in the folder"),
    "outside by detour": ({"judgements": {"x/../../a.md": {}}}, "is not a file in the folder"),
    "absolute": ({"judgements": {"/etc/passwd": {}}}, "'/etc/passwd' is not a file in the folder"),
    "no name": ({"judgements": {"": {}}}, "'' is not a file in the folder"),
    "the folder": ({"judgements": {".": {}}}, "'.' is not a file in the folder"),
    "NUL": ({"judgements": {"a\0.md": {}}}, r"'a\\x00.md' cannot be a file name"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_file_gets_one_error_that_names_file_and_entry(case, tmp_path):
    content, reason = BAD[case]
    file = write(tmp_path, content)
    with pytest.raises(JudgementError, match=reason) as caught:
        read_judgements(file)
    assert str(caught.value).startswith(str(file))
    assert len(str(caught.value)) < 400 + len(str(file))


def test_what_is_no_file_is_refused_at_once(tmp_path):
    with pytest.raises(JudgementError, match="no such file"):
        read_judgements(tmp_path / "none.json")
    with pytest.raises(JudgementError, match=r"cannot be opened|not a file"):
        read_judgements(tmp_path)
    with pytest.raises(JudgementError, match="cannot be opened"):
        read_judgements("a\0b")
    with pytest.raises(JudgementError, match="expected a path, got int"):
        read_judgements(3)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "fifo")
        with pytest.raises(JudgementError, match="not a file"):
            read_judgements(tmp_path / "fifo")


def test_a_huge_file_is_refused(tmp_path):
    file = tmp_path / "judgements.json"
    with file.open("wb") as opened:
        opened.truncate(LARGEST_FILE + 1)
    with pytest.raises(JudgementError, match="larger than"):
        read_judgements(file)


def test_links_that_lead_out_are_not_followed(tmp_path):
    folder = tmp_path / "cvs"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    try:
        (folder / "a.txt").symlink_to(tmp_path / "secret.txt")
        (folder / "round").symlink_to(folder / "round")
    except OSError:
        pytest.skip("no symbolic links here")
    with pytest.raises(JudgementError, match=r"'a\.txt' is not a file in the folder"):
        read_judgements(write(folder, {"judgements": {"a.txt": {}}}))
    assert "round" in outcome(write(folder, {"judgements": {"round": {}}}))


def outcome(file):
    """Return the names of the CVs, or what the error says."""
    try:
        return ", ".join(cv.name for cv in read_judgements(file))
    except JudgementError as error:
        return str(error)


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.integers() | st.text(max_size=3) | st.floats(),
        lambda inner: (
            st.dictionaries(st.sampled_from(["judgements", "a", "..", "grade"]), inner, max_size=3)
            | st.lists(inner, max_size=2)
        ),
    ).map(lambda value: json.dumps({"judgements": value}).encode())
)
def test_no_other_error_comes_out(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_bytes(content)
    said = outcome(file)
    assert said.startswith(str(file)) or said in ("", "a", "grade", "judgements") or ", " in said
