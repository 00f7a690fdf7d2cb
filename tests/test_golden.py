"""The judged sample CVs: fitting postings come first."""

import json
from pathlib import Path

import pytest

from matcher import Matcher, read_cv

ROOT = Path(__file__).parent.parent
CVS = ROOT / "examples" / "cvs"
JUDGEMENTS = json.loads((CVS / "judgements.json").read_text(encoding="utf-8"))["judgements"]


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.load(ROOT / "models" / "demo")


def test_every_sample_cv_is_judged_and_every_judgement_names_a_posting(matcher: Matcher) -> None:
    assert set(JUDGEMENTS) == {path.name for path in CVS.iterdir()} - {"judgements.json"}
    assert len(JUDGEMENTS) >= 12
    known = set(matcher.postings.ids)
    for grades in JUDGEMENTS.values():
        assert grades.keys() <= known
        assert {entry["grade"] for entry in grades.values()} <= {1, 2}


def test_fitting_postings_come_first(matcher: Matcher) -> None:
    print(f"\n{'CV':32} first three (2 fits well, 1 fits, 0 does not)")
    first_fits, enough_fit = 0, 0
    for name, grades in JUDGEMENTS.items():
        ranking = matcher.recommend(read_cv(CVS / name), k=3)
        found = [grades.get(recommendation.posting.id, {"grade": 0})["grade"] for recommendation in ranking]
        titles = " | ".join(recommendation.posting.title[:34] for recommendation in ranking)
        print(f"{name:32} {found} {titles}")
        first_fits += found[0] > 0
        enough_fit += sum(grade > 0 for grade in found) >= 2
    assert enough_fit == len(JUDGEMENTS)
    assert first_fits >= len(JUDGEMENTS) * 11 / 12
