"""Checks that our rankings by words alone are scikit-learn's over the same words.

python benchmarks/agreement.py CORPUS
"""

import sys
from pathlib import Path

import numpy as np
from corpus import read_cvs, read_records
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.neighbors import NearestNeighbors
from system import K

from matcher import Matcher, Posting
from matcher.analyzer import analyze
from matcher.engines import fast_is_installed
from matcher.features import TextBlock
from matcher.personal import remove_personal_data
from matcher.profile import Profile
from matcher.text import posting_text

POSTINGS, CVS, TOLERANCE = 3_000, 10, 1e-9


def check(corpus: Path) -> str:
    """Return what was compared; raise AssertionError when rankings differ."""
    postings = [Posting.from_record(record) for record in read_records(corpus, POSTINGS)]
    cvs = read_cvs(corpus)[:CVS]
    vectorizer = TfidfVectorizer(analyzer=analyze)
    matrix = vectorizer.fit_transform([posting_text(posting) for posting in postings])
    neighbors = NearestNeighbors(n_neighbors=K, metric="cosine", algorithm="brute").fit(matrix)
    engines = ("base", "fast") if fast_is_installed() else ("base",)
    matchers = [Matcher.fit(postings, blocks=[TextBlock(1.0)], engine=name) for name in engines]
    for cv in cvs:
        words = remove_personal_data(Profile(cv)).text
        distances, rows = neighbors.kneighbors(vectorizer.transform([words]))
        for matcher in matchers:
            compare(matcher, cv, 1 - distances[0], [postings[row].id for row in rows[0]])
    return (
        f"{len(cvs)} CVs against {len(postings):,} of the postings, engines {' and '.join(engines)}: same "
        f"ids and scores (to {TOLERANCE:.0e}) as scikit-learn over the same words"
    )


def compare(matcher: Matcher, cv: str, scores: np.ndarray, ids: list[str]) -> None:
    """Raise when a ranking has other scores, or other ids although no scores tie."""
    ranking = matcher.recommend(cv, K)
    ours = [recommendation.posting.id for recommendation in ranking]
    np.testing.assert_allclose([recommendation.score for recommendation in ranking], scores, atol=TOLERANCE)
    ties = len(set(np.round(scores, 9))) < len(scores)
    assert ties or ours == ids, (ours, ids)


if __name__ == "__main__":
    print(check(Path(sys.argv[1])))
