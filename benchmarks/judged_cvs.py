"""How well the judged sample CVs are ranked, and what each choice of the score adds.

    python benchmarks/judged_cvs.py

Prints nDCG@10 (graded), how many of the first three fit, and how often the first one fits; beside each
variant the mean difference in nDCG@10 to plain TF-IDF over words, with a 95 % paired bootstrap interval.
The CVs and judgements are few and were made for the project: they show gross mistakes, not fine tuning.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from sklearn.feature_extraction.text import TfidfVectorizer

from matcher import Matcher, Posting, Profile, read_cv, read_postings
from matcher.evaluate import JudgedCV, ndcg, paired_interval, precision, read_judgements
from matcher.features import HashtagBlock, TextBlock, TitleBlock
from matcher.text import posting_text

ROOT = Path(__file__).parent.parent
CVS = ROOT / "examples" / "cvs"

Scorer = Callable[[Profile], dict[str, float]]


def by_matcher(matcher: Matcher, *, missing_counts_as_zero: bool = False) -> Scorer:
    """Score with the library; optionally undo the division by the weights that have data."""

    def score(profile: Profile) -> dict[str, float]:
        scores = {}
        for recommendation in matcher.recommend(profile, k=len(matcher)):
            share = 1.0
            if missing_counts_as_zero and not recommendation.posting.hashtags:
                share = matcher.features[0].block.weight
            scores[recommendation.posting.id] = recommendation.score * share
        return scores

    return score


def by_scikit_learn(postings: Sequence[Posting]) -> Scorer:
    """Score with scikit-learn's defaults: its own words, cosine of TF-IDF."""
    vectorizer = TfidfVectorizer()
    matrix = vectorizer.fit_transform([posting_text(posting) for posting in postings])

    def score(profile: Profile) -> dict[str, float]:
        values = (matrix @ vectorizer.transform([profile.text]).T).toarray().ravel()
        return {posting.id: value for posting, value in zip(postings, values, strict=True)}

    return score


def measure(scorer: Scorer, judged: Sequence[JudgedCV]) -> np.ndarray:
    """Return nDCG@10, fitting among the first three, and whether the first fits, a row for each CV."""
    rows = []
    for cv in judged:
        scores = scorer(read_cv(cv.path))
        ids = sorted(scores, key=lambda posting_id: (-scores[posting_id], posting_id))
        fitting = 3 * precision(ids, cv.grades, k=3)
        rows.append((ndcg(ids, cv.grades, k=10), fitting, precision(ids, cv.grades, k=1)))
    return np.array(rows, float)


def main() -> None:
    """Measure every variant and print the table."""
    postings = list(read_postings(ROOT / "seeds"))
    judged = read_judgements(CVS / "judgements.json")
    # Ids of postings without id and url are paths as given on the command line.
    postings = [_relative(posting) for posting in postings]
    half = [
        posting if number % 2 else Posting.from_record(posting.to_record() | {"hashtags": []})
        for number, posting in enumerate(postings)
    ]
    tagged, untagged = Matcher.fit(postings), Matcher.fit(half)
    variants: dict[str, Scorer] = {"scikit-learn TfidfVectorizer()": by_scikit_learn(postings)}
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0):
        blocks = (TextBlock(1 - share), HashtagBlock(share))
        name = f"hashtags weigh {share:g}" + (" (default)" if share == 0.3 else "")
        variants[name] = by_matcher(Matcher.fit(postings, blocks=blocks))
    for weight in (0.1, 0.2, 0.4):
        blocks = (TextBlock(0.7), HashtagBlock(0.3), TitleBlock(weight))
        variants[f"hashtags 0.3, titles {weight:g}"] = by_matcher(Matcher.fit(postings, blocks=blocks))
    variants["titles alone"] = by_matcher(Matcher.fit(postings, blocks=(TitleBlock(),)))
    variants["hashtags 0.3, plain one-hots"] = by_matcher(
        Matcher.fit(postings, blocks=(TextBlock(0.7), HashtagBlock(0.3, idf=False)))
    )
    variants["every other posting without tags: renormalised"] = by_matcher(untagged)
    variants["every other posting without tags: missing = 0"] = by_matcher(
        untagged, missing_counts_as_zero=True
    )
    assert by_matcher(tagged)(Profile("nurse")) == variants["hashtags weigh 0.3 (default)"](Profile("nurse"))
    table = Table(title=f"{len(judged)} judged CVs, {len(postings)} postings")
    for heading in ("variant", "nDCG@10", "fit of 3", "first fits", "nDCG@10 gain over scikit-learn"):
        table.add_column(heading, justify="left" if heading == "variant" else "right")
    baseline = None
    for name, scorer in variants.items():
        rows = measure(scorer, judged)
        baseline = rows[:, 0] if baseline is None else baseline
        low, high = paired_interval(rows[:, 0], baseline)
        gain = f"{(rows[:, 0] - baseline).mean():+.3f} [{low:+.3f}, {high:+.3f}]"
        first = f"{int(rows[:, 2].sum())}/{len(rows)}"
        table.add_row(name, f"{rows[:, 0].mean():.3f}", f"{rows[:, 1].mean():.2f}", first, gain)
    Console(width=120).print(table)


def _relative(posting: Posting) -> Posting:
    root = f"{ROOT.as_posix()}/"
    if not posting.id.startswith(root):
        return posting
    return Posting.from_record(posting.to_record() | {"id": posting.id.removeprefix(root)})


if __name__ == "__main__":
    main()
