"""Seeds, demo model and example scripts."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from matcher import Matcher, read_postings
from matcher.sources.report import MOST_KEPT
from matcher.store import read_model

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "models" / "demo"
CV = str(ROOT / "examples" / "cvs" / "nurse-aoife.txt")


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], input=text, capture_output=True, encoding="utf-8", cwd=ROOT, check=False
    )


def test_the_demo_model_is_what_the_seeds_give(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)  # ids of postings without url are the path as given
    Matcher.fit(read_postings("seeds")).save(tmp_path / "rebuilt")
    committed, rebuilt = read_model(DEMO), read_model(tmp_path / "rebuilt")
    for model in (committed, rebuilt):
        del model.content["unicode"]  # depends on the Python that trained it
    assert committed.content == rebuilt.content
    assert committed.files.keys() == rebuilt.files.keys()
    for name, array in committed.files.items():
        other = rebuilt.files[name]
        assert array.dtype == other.dtype, name
        if array.dtype.kind == "f":  # logarithms differ in the last bit between machines
            np.testing.assert_allclose(array, other, rtol=1e-12)
        else:
            np.testing.assert_array_equal(array, other)


def test_the_seeds_are_many_and_varied() -> None:
    reader = read_postings(ROOT / "seeds")
    postings = list(reader)
    report = reader.report
    assert len(postings) >= 150
    assert report.rejected_count == 0
    assert not report.ignored
    assert len({posting.id for posting in postings}) == len(postings)
    assert len({posting.company for posting in postings} - {""}) >= 40
    lengths = [len(posting.body.split()) for posting in postings]
    assert min(lengths) < 80
    assert max(lengths) > 500
    german = sum(" und " in posting.body and " the " not in posting.body for posting in postings)
    assert 40 <= german <= len(postings) - 80
    repaired = [change for change in report.changes if "repaired" in change.what]
    assert 4 <= len(repaired) < MOST_KEPT
    assert not any(
        "√" in posting.body or "â€" in posting.body or "\uf8ff" in posting.body for posting in postings
    )


def test_no_two_seeds_share_a_body() -> None:
    bodies = [posting.body for posting in read_postings(ROOT / "seeds")]
    assert len(set(bodies)) == len(bodies)


def test_rank_cv_shows_a_table_for_a_file_and_for_standard_input() -> None:
    from_file = run("examples/rank_cv.py", CV, "-k", "3")
    piped = run("examples/rank_cv.py", "-", "-k", "3", text=Path(CV).read_text(encoding="utf-8"))
    assert from_file.returncode == 0
    assert from_file.stdout == piped.stdout
    for wanted in ("Registered Nurse", "https://", "nurse", "Score"):
        assert wanted in from_file.stdout


@pytest.mark.parametrize(
    ("arguments", "text"), [(["no-such-file.txt"], ""), (["-"], "  \n"), ([CV, "-k", "0"], "")]
)
def test_rank_cv_says_sorry_without_a_traceback(arguments: list[str], text: str) -> None:
    result = run("examples/rank_cv.py", *arguments, text=text)
    assert result.returncode == 1
    assert result.stderr.startswith("Sorry: ")
    assert "Traceback" not in result.stderr


def test_the_service_example_answers_in_json() -> None:
    result = run("examples/in_a_service.py")
    jobs = json.loads(result.stdout)
    assert len(jobs) == 3
    assert "Python" in jobs[0]["title"]
    code = [line for line in (ROOT / "examples" / "in_a_service.py").read_text().splitlines() if line.strip()]
    assert len(code) <= 20


def test_the_retrain_example_lives_through_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run("examples/retrain.py", "--model", str(tmp_path / "one"))
    assert (first.returncode, first.stderr) == (0, "")
    days = first.stdout.split("\n\n")
    assert [day.split(":")[0].split(",")[0].strip() for day in days[:-1]] == [
        *("Opening day", "Monday", "Tuesday", "Wednesday", "Thursday", "Thursday"),
        *("Friday", "Saturday", "Sunday"),
    ]
    served = re.findall(r"the service: (.*)", first.stdout)
    assert len(set(served)) >= 4
    assert served[4] == served[3]  # the broken export reached nobody
    assert "REFUSED" in days[4]
    assert "more than the 0.15 allowed" in days[4]
    assert "rolled back to generation 7" in days[8]
    assert served[-1] == served[-3] != served[-2]
    assert re.search(r"→ 7 ", days[-1])
    pages = sorted((tmp_path / "one-reports").glob("*.html"))
    assert len(pages) == 9
    assert sum("Refused: nothing was published." in page.read_text(encoding="utf-8") for page in pages) == 1
    assert str(tmp_path / "one-reports") in days[-1]
    assert Matcher.load(tmp_path / "one").generation == 7

    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    again = run("examples/retrain.py")
    [model] = (tmp_path / "temporary").glob("*/board")

    def tell(text: str, model: Path) -> str:
        return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "", text).replace(str(model), "")

    assert tell(again.stdout, model) == tell(first.stdout, tmp_path / "one")
    third = run("examples/retrain.py", "--model", str(tmp_path / "one"))
    assert third.returncode == 1
    assert third.stderr.startswith("Sorry: ")


@pytest.mark.skipif(
    not (ROOT.parent / "shared" / "seeds").is_dir(), reason="the original postings are not here"
)
def test_the_original_postings_are_repaired_ranked_and_explained() -> None:
    result = run("-m", "matcher", "rank", CV, "--postings", "../shared/seeds", "--json")
    ranking = json.loads(result.stdout)
    assert [entry["rank"] for entry in ranking] == [1, 2]
    for entry in ranking:
        assert abs(sum(part["value"] for part in entry["contributions"]) - entry["score"]) < 1e-9
    bodies = [posting.body for posting in read_postings(ROOT.parent / "shared" / "seeds")]
    assert all("What’s the opportunity?" in body and "🏆" in body for body in bodies)
    assert not any(broken in body for body in bodies for broken in ("‚Äô", "¬†", "\uf8ff", "üèÜ"))
