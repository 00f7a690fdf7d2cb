"""The judged sample CVs: fitting postings come first."""

from pathlib import Path

import pytest

from matcher import Matcher, read_cv
from matcher.evaluate import precision, read_judgements

ROOT = Path(__file__).parent.parent
CVS = ROOT / "examples" / "cvs"
JUDGED = read_judgements(CVS / "judgements.json")


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher.load(ROOT / "models" / "demo")


def test_every_sample_cv_is_judged_and_every_judgement_names_a_posting(matcher: Matcher) -> None:
    assert {cv.name for cv in JUDGED} == {path.name for path in CVS.iterdir()} - {"judgements.json"}
    assert len(JUDGED) >= 12
    known = set(matcher.postings.ids)
    for cv in JUDGED:
        assert cv.grades.keys() <= known
        assert set(cv.grades.values()) <= {1, 2}


def test_fitting_postings_come_first(matcher: Matcher) -> None:
    print(f"\n{'CV':32} first three (2 fits well, 1 fits, 0 does not)")
    first_fits, enough_fit = 0, 0
    for cv in JUDGED:
        ranking = matcher.recommend(read_cv(cv.path), k=3)
        ids = [recommendation.posting.id for recommendation in ranking]
        titles = " | ".join(recommendation.posting.title[:34] for recommendation in ranking)
        print(f"{cv.name:32} {[cv.grades.get(posting_id, 0) for posting_id in ids]} {titles}")
        first_fits += precision(ids, cv.grades, k=1) == 1
        enough_fit += precision(ids, cv.grades, k=3) >= 2 / 3
    assert enough_fit == len(JUDGED)
    assert first_fits >= len(JUDGED) * 11 / 12
