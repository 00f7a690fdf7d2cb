"""The command `evaluate` and what it calls: rankings of judged CVs, measured, compared and printed."""

import json
import re
from pathlib import Path

import pytest

from matcher import Matcher, OptionError, read_cv, read_postings
from matcher.boosts import BOOSTS
from matcher.evaluate import bootstrap_interval, ndcg, paired_interval, parse_measure, randomisation_test
from matcher.evaluate import read_judgements as read
from matcher.features import HashtagBlock, TextBlock
from matcher.quality import CVQuality, Quality, measure_quality
from tests.running import assert_clean_failure, process, run, steering, succeed

ROOT = Path(__file__).parent.parent
JUDGEMENTS = ROOT / "examples" / "cvs" / "judgements.json"
DEMO = ROOT / "models" / "demo"
JOBS = [
    {"id": "cook", "title": "Cook", "body": "Bake bread, cook soup"},
    {"id": "chef", "title": "Chef", "body": "Cook for guests, lead the kitchen"},
    {"id": "nurse", "title": "Nurse", "body": "Care for patients on our ward"},
    {"id": "welder", "title": "Welder", "body": "MAG and TIG"},
]
SECRET = "Geheimrat"
CVS = {
    "anna.txt": f"{SECRET} nurse who cares for patients on a ward",
    "ben.md": f"{SECRET} bread, soup, cook",
    "carl.txt": f"{SECRET} cook for guests in a kitchen, welder with TIG",
}
GRADES = {"anna.txt": {"nurse": 2}, "ben.md": {"cook": 2, "chef": 1}, "carl.txt": {"welder": 1, "gone": 2}}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A folder with CVs, judgements in each format, and two models; the second holds no chef and no nurse."""
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    Path("jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in JOBS))
    Path("cvs").mkdir()
    for name, text in CVS.items():
        Path("cvs", name).write_text(text)
    judged = {name: {job: {"grade": g} for job, g in listed.items()} for name, listed in GRADES.items()}
    Path("cvs/judgements.json").write_text(json.dumps({"judgements": judged}))
    for file, key in (("files.qrels", str), ("stems.qrels", lambda name: name.partition(".")[0])):
        Path(file).write_text(
            "".join(
                f"{key(name)} 0 {job} {g}\n" for name, listed in GRADES.items() for job, g in listed.items()
            )
        )
    Path("cvs.tsv").write_text("".join(f"{name}\t{text}\n" for name, text in CVS.items()))
    matcher = Matcher.fit(read_postings("jobs.jsonl"))
    matcher.save("model")
    matcher.remove(["chef", "nurse"])
    matcher.refit()
    matcher.save("less")
    return tmp_path


def evaluate(*arguments, **options):
    return succeed("evaluate", "--judgements", "cvs/judgements.json", *arguments, **options)


def evaluate_json(*arguments):
    return json.loads(evaluate("--json", *arguments).stdout)


# --- the library ----------------------------------------------------------------------------------


def test_the_quality_of_the_demo_is_that_of_the_measures():
    matcher, judged = Matcher.load(DEMO), read(JUDGEMENTS)
    cvs = {cv.name: read_cv(cv.path) for cv in judged}
    measures = [parse_measure("ndcg@10"), parse_measure("map")]
    quality = measure_quality(matcher, cvs, {cv.name: cv.grades for cv in judged}, measures)
    wanted = [
        ndcg([r.posting.id for r in matcher.recommend(cvs[cv.name], 10) if r.score > 0], cv.grades)
        for cv in judged
    ]
    assert [cv.values[0] for cv in quality.cvs] == wanted
    assert quality.means[0].value == pytest.approx(sum(wanted) / 17)
    assert quality.means[0].interval == bootstrap_interval(wanted)
    assert quality.missing == 0
    again = measure_quality(matcher, cvs, {cv.name: cv.grades for cv in judged}, measures, threads=2)
    assert again == quality


def test_rankings_are_as_deep_as_the_deepest_measure(monkeypatch):
    matcher = Matcher.load("model")
    asked = []
    real = Matcher.recommend_many
    monkeypatch.setattr(
        Matcher,
        "recommend_many",
        lambda self, p, k, **o: (asked.append((len(p), k)), real(self, p, k, **o))[1],
    )
    for names, depth in ((["p@1", "ndcg@3"], 3), (["recall@100"], 4), (["p@2", "map"], 4), (["mrr@2"], 2)):
        measure_quality(matcher, CVS, GRADES, map(parse_measure, names))
        assert asked.pop() == (3, depth)
    # Many recommendations are held in memory a part at a time.
    monkeypatch.setattr("matcher.quality._MOST_AT_ONCE", 9)
    whole = []
    quality = measure_quality(
        matcher, CVS, GRADES, [parse_measure("map")], progress=lambda *done: whole.append(done)
    )
    assert asked == [(2, 4), (1, 4)]
    assert whole == [("ranking", 1, 3), ("ranking", 2, 3), ("ranking", 3, 3)]
    assert len(quality.measured) == 3


@pytest.mark.parametrize("boosts", [(), (BOOSTS["featured"](0.05),)], ids=["plain", "boosted"])
def test_deep_rankings_are_measured_the_same_without_reading_them(monkeypatch, boosts):
    matcher, judged = Matcher.load(DEMO), read(JUDGEMENTS)
    cvs = {cv.name: read_cv(cv.path) for cv in judged} | {"driver": "driver"}
    grades = {cv.name: cv.grades for cv in judged} | {"driver": {matcher.postings.ids[0]: 1}}
    measures = list(map(parse_measure, ["map", "mrr", "ndcg@10", "recall@300", "p@5", "rp@20", "map@7"]))
    wanted = measure_quality(matcher, cvs, grades, measures, boosts=boosts)
    monkeypatch.setattr("matcher.quality._DEEPEST", 100)
    monkeypatch.setattr(Matcher, "recommend_many", None)
    assert measure_quality(matcher, cvs, grades, measures, boosts=boosts) == wanted


def test_what_has_nothing_in_common_is_not_recommended():
    # The ranking goes on with scores of 0 in the order of ids: finding there is chance.
    matcher = Matcher.load("model")
    quality = measure_quality(matcher, {"a": "zzyzx"}, {"a": {"cook": 1}}, [parse_measure("mrr")])
    assert quality.cvs == (CVQuality("a", (0.0,), 1, 0),)


def test_postings_that_are_not_held_are_no_part_of_the_ideal():
    matcher = Matcher.load("less")
    quality = measure_quality(matcher, CVS, GRADES, [parse_measure("ndcg@10"), parse_measure("map")])
    assert quality.cvs == (
        CVQuality("anna.txt", (), 0, 1),
        CVQuality("ben.md", (1.0, 1.0), 1, 1),
        CVQuality("carl.txt", (1.0, 1.0), 1, 1),
    )
    assert (quality.missing, quality.postings) == (3, 2)
    assert [mean.value for mean in quality.means] == [1, 1]


def test_a_grade_of_0_alone_measures_nothing():
    quality = measure_quality(
        Matcher.load("model"), CVS, {"ben.md": {"cook": 0}, "anna.txt": {}}, [parse_measure("map")]
    )
    assert quality.means == ()
    assert not quality.measured
    assert quality.compare(quality) == ()
    assert Matcher.fit([]).postings.ids == []
    empty = measure_quality(Matcher.fit([]), CVS, GRADES, [parse_measure("map")])
    assert (empty.means, empty.missing) == ((), 5)


def test_two_matchers_are_compared_by_the_cvs_that_both_were_measured_by():
    measures = (parse_measure("map"),)
    first = Quality(
        measures,
        tuple(
            CVQuality(n, v, len(v), 0) for n, v in [("a", (0.5,)), ("b", (0.75,)), ("c", ()), ("d", (1.0,))]
        ),
        9,
    )
    second = Quality(
        measures,
        tuple(
            CVQuality(n, v, len(v), 0) for n, v in [("d", (0.5,)), ("b", ()), ("a", (0.25,)), ("c", (1.0,))]
        ),
        9,
    )
    [row] = first.compare(second)
    assert (row.first, row.second, row.difference) == (0.75, 0.375, 0.375)
    assert row.interval == paired_interval([0.5, 1], [0.25, 0.5])
    assert row.p == randomisation_test([0.5, 1], [0.25, 0.5]) == 0.5
    with pytest.raises(OptionError, match="same measures"):
        first.compare(Quality((parse_measure("mrr"),), second.cvs, 9))


def test_senseless_calls_are_refused():
    matcher = Matcher.load("model")
    with pytest.raises(OptionError, match="no measure"):
        measure_quality(matcher, CVS, GRADES, [])
    with pytest.raises(OptionError, match=r"grades for the CV 'ben\.md', but no such CV"):
        measure_quality(matcher, {"anna.txt": "x"}, GRADES, [parse_measure("map")])
    with pytest.raises(OptionError, match="must be a whole number of 0 to 10"):
        measure_quality(matcher, CVS, {"ben.md": {"cook": 1, "chef": -1}}, [parse_measure("map")])


# --- the command ----------------------------------------------------------------------------------


def test_the_table_has_means_intervals_and_counts():
    result = evaluate("--model", "model")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert result.stdout.startswith("model: 4 postings, 3 of 3 CVs measured\n")
    assert [line[0] for line in lines[3:]] == ["nDCG@10", "MAP", "MRR", "P@5", "RP@5", "Recall@100"]
    record = evaluate_json("--model", "model")
    for line, mean in zip(lines[3:], record["measures"], strict=True):
        low, high = mean["interval"]
        assert line[1:] == [f"{mean['mean']:.3f}", f"{low:.3f}", "to", f"{high:.3f}", "3"]
    assert result.stderr == "note: model: 1 judgement is about a posting that is not held; left out\n"


def test_json_has_every_value():
    record = evaluate_json("--model", "model", "--measure", "P@1", "--measure", "map", "--measure", "p@1")
    assert (record["model"], record["postings"], record["measured"], record["missing"]) == ("model", 4, 3, 1)
    assert [mean["measure"] for mean in record["measures"]] == ["p@1", "map"]
    assert [cv["name"] for cv in record["cvs"]] == list(GRADES)
    assert record["cvs"][1] == {
        "name": "ben.md", "fitting": 2, "missing": 0, "values": {"p@1": 1.0, "map": 1.0}
    }  # fmt: skip
    values = [cv["values"]["map"] for cv in record["cvs"]]
    assert record["measures"][1]["mean"] == pytest.approx(sum(values) / 3)


def test_cvs_without_a_fitting_posting_are_named():
    result = evaluate("--model", "less", "--per-cv")
    assert "less: 2 postings, 2 of 3 CVs measured" in result.stdout
    assert "note: less: 3 judgements are about postings that are not held; left out" in result.stderr
    assert "note: less: no posting that fits is held for anna.txt; left out" in result.stderr
    assert re.search(r"anna\.txt +0 +1( +–){6}", result.stdout)
    assert re.search(r"ben\.md +1 +1( +[01]\.\d{3}){6}", result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--judgements", "files.qrels", "--cvs", "cvs"),
        ("--judgements", "stems.qrels", "--cvs", "cvs"),
        ("--judgements", "files.qrels", "--queries", "cvs.tsv"),
    ],
    ids=" ".join,
)
def test_qrels_measure_the_same(arguments):
    wanted = evaluate_json("--model", "model")
    found = json.loads(succeed("evaluate", "--json", "--model", "model", *arguments).stdout)
    assert found["measures"] == wanted["measures"]
    assert [cv["values"] for cv in found["cvs"]] == [cv["values"] for cv in wanted["cvs"]]


def test_postings_are_ranked_from_files_as_by_rank():
    wanted = evaluate_json("--model", "model")
    found = evaluate_json("--postings", "jobs.jsonl")
    assert found == wanted | {"model": "jobs.jsonl"}
    Path("more.jsonl").write_text(json.dumps({"id": "gone", "title": "Welder", "body": "TIG"}) + "\n")
    more = evaluate_json("--postings", "jobs.jsonl", "more.jsonl")
    assert (more["model"], more["postings"], more["missing"]) == ("jobs.jsonl, more.jsonl", 5, 0)


def test_boosts_change_what_is_measured():
    jobs = [{"id": "a", "title": "Cook"}, {"id": "b", "title": "Cook", "featured": 1}]
    Path("two.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    Path("two.qrels").write_text("ben 0 b 1\n")
    common = ("evaluate", "--json", "--judgements", "two.qrels", "--cvs", "cvs", "--measure", "mrr")
    plain, lifted = (
        json.loads(succeed(*common, *options, "--postings", "two.jsonl").stdout)["measures"][0]["mean"]
        for options in ([], ["--boost", "featured"])
    )
    assert (plain, lifted) == (0.5, 1)


def test_two_models_are_compared():
    words = [TextBlock(0.7), HashtagBlock(0.3)]
    Matcher.fit(read_postings("jobs.jsonl"), blocks=words).save("words")
    record = evaluate_json("--model", "words", "--against", "less", "--measure", "map")
    assert record["compared"]["cvs"] == 2
    [row] = record["compared"]["measures"]
    first = [cv["values"]["map"] for cv in record["cvs"][1:]]
    second = [cv["values"]["map"] for cv in record["against"]["cvs"][1:]]
    assert record["against"]["cvs"][0]["values"] is None
    assert row["mean"] == pytest.approx(sum(first) / 2)
    assert row["against"] == pytest.approx(sum(second) / 2) == 1
    assert row["difference"] == row["mean"] - row["against"] < 0
    assert row["interval"] == list(paired_interval(first, second))
    assert row["p"] == randomisation_test(first, second)
    result = evaluate("--model", "words", "--against", "less", "--measure", "map", "--per-cv")
    assert "words against less: 2 CVs measured with both" in result.stdout
    assert re.search(rf"MAP +{row['mean']:.3f} +1\.000 +{row['difference']:+.3f} +", result.stdout)
    assert re.search(r"carl\.txt +1 +1 +0\.\d{3} \(-0\.\d{3}\)", result.stdout)
    assert re.search(r"anna\.txt +1 +0 +1\.000 ", result.stdout)
    assert "the two hold different judged postings" in result.stderr


def test_a_model_does_not_differ_from_itself():
    result = evaluate("--model", "model", "--against", "model", "--measure", "ndcg@3")
    assert re.search(r"nDCG@3 .* \+0\.000 +\+0\.000 to \+0\.000 +1\.000", result.stdout)
    assert "different judged" not in result.stderr


def test_a_single_cv_has_no_interval():
    Path("one.qrels").write_text("ben 0 cook 1\n")
    result = succeed("evaluate", "--judgements", "one.qrels", "--cvs", "cvs", "--model", "model",
                     "--against", "less", "--measure", "mrr")  # fmt: skip
    assert re.search(r"MRR +1\.000 +– +1\b", result.stdout)
    assert re.search(r"MRR +1\.000 +1\.000 +\+0\.000 +– +1\.000", result.stdout)


def test_signed_models_need_their_key():
    Path("key").write_text("0123456789abcdef0123456789abcdef")
    Matcher.load("model").save("signed", key=Path("key").read_bytes())
    common = ("evaluate", "--judgements", "cvs/judgements.json", "--model", "signed")
    assert succeed(*common, "--key-file", "key", "--against", "signed").stdout
    assert_clean_failure(run(*common, "--key-file", "key", "--against", "model"), 1)


WRONG = {
    "no judgements": ("--model model", 2, "--judgements"),
    "no such file": ("--judgements none.json --model model", 1, "none.json: no such file"),
    "unknown measure": ("--judgements files.qrels --cvs cvs --measure accuracy", 2, "unknown measure"),
    "no depth": ("--judgements files.qrels --cvs cvs --measure p", 2, "as in p@10"),
    "model and postings": ("--judgements files.qrels --cvs cvs --model m --postings x", 2, "not both"),
    "stray argument": ("--judgements files.qrels --cvs cvs --model model x", 2, "unexpected argument 'x'"),
    "no model": ("--judgements files.qrels --cvs cvs", 2, "say what to rank"),
    "no such model": ("--judgements files.qrels --cvs cvs --model none", 1, "none: no model here"),
    "against none": ("--judgements files.qrels --cvs cvs --model model --against none", 1, "none: no model"),
    "qrels without CVs": ("--judgements files.qrels --model model", 2, "--cvs FOLDER or --queries FILE"),
    "both": ("--judgements files.qrels --cvs cvs --queries cvs.tsv --model model", 2, "not both"),
    "JSON with CVs": ("--judgements cvs/judgements.json --cvs cvs --model model", 2, "for TREC qrels"),
    "CVs elsewhere": ("--judgements files.qrels --cvs . --model model", 1, "qrels: no CV of 'anna.txt'"),
    "no such folder": ("--judgements files.qrels --cvs none --model model", 1, "none: no such folder"),
    "query missing": ("--judgements stems.qrels --queries cvs.tsv --model model", 1, "no CV of 'anna'"),
    "bad line": ("--judgements bad.qrels --cvs cvs --model model", 1, "bad.qrels:1: expected 4 columns"),
    "no CV judged": ("--judgements none-judged.json --model model", 1, "no judged CV here"),
    "nothing held": ("--judgements unheld.qrels --cvs cvs --model model", 1, "nothing to measure"),
    "nothing shared": (
        "--judgements anna.qrels --cvs cvs --model model --against less", 1, "less: nothing to measure"
    ),
    "empty name": ("--judgements files.qrels --cvs= --model model", 2, "is empty"),
    "no CV text": ("--judgements empty.qrels --cvs cvs --model model", 1, "the CV is empty"),
}  # fmt: skip


@pytest.mark.parametrize("as_json", [False, True], ids=["text", "json"])
@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_one_clear_line(case, as_json):
    Path("bad.qrels").write_text("anna.txt nurse 1\n")
    Path("none-judged.json").write_text('{"judgements": {}}')
    Path("unheld.qrels").write_text("anna 0 typo 1\nben 0 cook 0\n")
    Path("anna.qrels").write_text("anna 0 nurse 1\n")
    Path("cvs/void.txt").write_text("")
    Path("empty.qrels").write_text("void 0 nurse 1\n")
    arguments, code, reason = WRONG[case]
    result = run("evaluate", *arguments.split(), *(["--json"] if as_json else []))
    assert_clean_failure(result, code)
    assert reason in result.stderr
    assert SECRET not in result.stderr


def test_models_that_share_no_measured_cv_cannot_be_compared():
    Path("apart.qrels").write_text("anna 0 nurse 1\nben 0 baker 1\n")
    Path("baker.jsonl").write_text(json.dumps({"id": "baker", "title": "Baker", "body": "bread"}) + "\n")
    common = ("evaluate", "--judgements", "apart.qrels", "--cvs", "cvs")
    result = run(*common, "--postings", "baker.jsonl", "--against", "model")
    assert result.exit_code == 1
    assert "Error: nothing to compare: no CV can be measured with both baker.jsonl and model" in result.stderr
    assert result.stdout == ""


def test_no_text_of_a_cv_is_printed():
    for options in ([], ["--json"], ["--per-cv"]):
        result = evaluate("--model", "model", "--against", "less", *options)
        assert SECRET not in result.stdout + result.stderr
        assert "cares" not in result.stdout + result.stderr


def test_names_steer_no_terminal():
    Path("q.qrels").write_bytes("x\x1b[2J\u202e 0 cook 1\nben.md 0 chef\u202e 1\nben.md 0 cook 1\n".encode())
    Path("q.tsv").write_bytes("x\x1b[2J\u202e\tcook\nben.md\tcook\n".encode())
    for options in ([], ["--json"]):
        result = succeed("evaluate", "--judgements", "q.qrels", "--queries", "q.tsv", "--model", "model",
                         "--per-cv", *options)  # fmt: skip
        assert steering(result.stdout + result.stderr) == []
    assert json.loads(result.stdout)["cvs"][0]["name"] == "x\x1b[2J\u202e"


def test_the_same_bytes_in_a_process_of_its_own(home):
    arguments = ("evaluate", "--judgements", "cvs/judgements.json", "--model", "model", "--json")
    first, again = (process(*arguments, cwd=home) for _ in range(2))
    assert first.returncode == 0
    assert first.stdout == again.stdout
    assert json.loads(first.stdout) == evaluate_json("--model", "model")
    narrow = process(*arguments[:-1], cwd=home, env={"PYTHONIOENCODING": "ascii"})
    assert narrow.returncode == 0
    assert b"nDCG@10" in narrow.stdout


def test_help_and_the_default_model_of_the_repository(monkeypatch):
    assert "evaluate" in succeed("--help").stdout
    monkeypatch.chdir(ROOT)
    result = succeed("evaluate", "--judgements", "examples/cvs/judgements.json")
    assert result.stdout.startswith("models/demo: 212 postings, 17 of 17 CVs measured\n")
    [mean] = re.findall(r"nDCG@10 +(\S+)", result.stdout)
    assert float(mean) > 0.9
