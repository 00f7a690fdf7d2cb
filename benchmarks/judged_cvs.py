"""How well the judged sample CVs are ranked, what each block of the score adds, and in which language.

    python -m benchmarks.judged_cvs
    python -m benchmarks.judged_cvs --write docs/quality.md

Prints nDCG@10 (graded), how many of the first three fit, and how often the first one fits; beside each
variant the mean difference in nDCG@10 to plain TF-IDF over words, and to the library's default, with a 95 %
paired bootstrap interval. The CVs and judgements are few and were made for the project: they show gross
mistakes, not fine tuning.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.quality import default_without, format_gain, format_mean, show_section
from benchmarks.tables import table
from matcher import Matcher, Posting, Profile, read_cv, read_postings
from matcher.evaluate import JudgedCV, ndcg, precision, read_judgements, reciprocal_rank
from matcher.features import HashtagBlock, TextBlock, TitleBlock, default_blocks
from matcher.semantic import SemanticBlock
from matcher.text import posting_text

ROOT = Path(__file__).parent.parent
CVS = ROOT / "examples" / "cvs"

Scorer = Callable[[Profile], dict[str, float]]

BASELINE, DEFAULT = "scikit-learn, words", "matcher, default"


def by_matcher(matcher: Matcher, *, missing_counts_as_zero: bool = False) -> Scorer:
    """Score with the library; optionally undo the division by the weights that have data.

    That is for text and hashtags alone, whose weights sum to 1.
    """

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


def rank(scorer: Scorer, profile: Profile) -> list[str]:
    """Return all ids, best first; ties break by id."""
    scores = scorer(profile)
    return sorted(scores, key=lambda posting_id: (-scores[posting_id], posting_id))


def measure(scorer: Scorer, judged: Sequence[JudgedCV]) -> np.ndarray:
    """Return nDCG@10, fitting among the first three, and whether the first fits, a row for each CV."""
    rows = []
    for cv in judged:
        ids = rank(scorer, read_cv(cv.path))
        fitting = 3 * precision(ids, cv.grades, k=3)
        rows.append((ndcg(ids, cv.grades, k=10), fitting, precision(ids, cv.grades, k=1)))
    return np.array(rows, float)


def make_variants(postings: Sequence[Posting]) -> dict[str, Scorer]:
    """Return scikit-learn, each block alone, the default and the default less some, by name."""
    blocks = {
        "matcher, text alone": [TextBlock(1.0)],
        "matcher, hashtags alone": [HashtagBlock(1.0)],
        "matcher, title alone": [TitleBlock(1.0)],
        "matcher, semantic alone": [SemanticBlock(1.0)],
        "matcher, without title and semantic": default_without("title", "semantic"),
        "matcher, without semantic": default_without("semantic"),
        "matcher, without title": default_without("title"),
        "matcher, without hashtags": default_without("hashtags"),
        DEFAULT: list(default_blocks()),
    }
    fitted = {name: by_matcher(Matcher.fit(postings, blocks=chosen)) for name, chosen in blocks.items()}
    return {BASELINE: by_scikit_learn(postings)} | fitted


def make_hashtag_variants(postings: Sequence[Posting]) -> dict[str, Scorer]:
    """Return words and hashtags in several shares, by name, and what a missing block may count."""
    # Every other posting loses its tags.
    half = [
        posting if number % 2 else Posting.from_record(posting.to_record() | {"hashtags": []})
        for number, posting in enumerate(postings)
    ]
    variants = {BASELINE: by_scikit_learn(postings)}
    for share in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 1.0):
        blocks = (TextBlock(1 - share), HashtagBlock(share))
        variants[f"hashtags weigh {share:g}"] = by_matcher(Matcher.fit(postings, blocks=blocks))
    plain = (TextBlock(0.7), HashtagBlock(0.3, idf=False))
    variants["hashtags 0.3, plain one-hots"] = by_matcher(Matcher.fit(postings, blocks=plain))
    untagged = Matcher.fit(half, blocks=(TextBlock(0.7), HashtagBlock(0.3)))
    name = "every other posting without tags"
    variants[f"{name}: renormalised"] = by_matcher(untagged)
    variants[f"{name}: missing = 0"] = by_matcher(untagged, missing_counts_as_zero=True)
    return variants


def measure_variants(variants: Mapping[str, Scorer], judged: Sequence[JudgedCV]) -> str:
    """Return the table of the judged CVs."""
    measured = {name: measure(scorer, judged) for name, scorer in variants.items()}
    references = [name for name in (BASELINE, DEFAULT) if name in measured]
    rows = []
    for name, values in measured.items():
        first = f"{int(values[:, 2].sum())}/{len(values)}"
        gains = [
            "-" if name == reference else format_gain(values[:, 0], measured[reference][:, 0])
            for reference in references
        ]
        rows.append([name, format_mean(values[:, 0]), f"{values[:, 1].mean():.2f}", first, *gains])
    headings = ["variant", "nDCG@10", "fit of 3", "first fits"]
    return table([*headings, *(f"nDCG@10, gain over {name}" for name in references)], rows)


def is_german(text: str) -> bool:
    """Tell German from English, by the commonest word of each."""
    words = text.lower().split()
    return words.count("und") > words.count("and")


def shorten(title: str) -> str:
    """Return what somebody would type of a title: without brackets, and what follows a comma or dash.

    >>> shorten("Van Driver (m/f/d), two-person delivery")
    'Van Driver'
    """
    return re.sub(r"\(.*?\)|[–,/|-].*$", "", title).strip() or title


def measure_languages(postings: Sequence[Posting], judged: Sequence[JudgedCV]) -> str:
    """Return the table of English and German: the judged CVs, and the project's titles as queries.

    A title asks for the posting that it stands over, among all postings without their titles.
    """
    untitled = [Posting.from_record(posting.to_record() | {"title": ""}) for posting in postings]
    titled = [posting for posting in postings if posting.title]
    cvs, titles, named = [], [], []
    weak = [*default_without("semantic"), SemanticBlock(1.0)]
    for blocks in (default_without("title", "semantic"), weak, default_blocks()):
        cvs.append(measure(by_matcher(Matcher.fit(postings, blocks=blocks)), judged)[:, 0])
        scorer = by_matcher(Matcher.fit(untitled, blocks=blocks))
        asked = [(rank(scorer, Profile(posting.title)), {posting.id: 1}) for posting in titled]
        titles.append(np.array([reciprocal_rank(ids, grades) for ids, grades in asked]))
        scorer = by_matcher(Matcher.fit(postings, blocks=blocks))
        asked = [(rank(scorer, Profile(shorten(posting.title))), {posting.id: 1}) for posting in titled]
        named.append(np.array([reciprocal_rank(ids, grades) for ids, grades in asked]))
    measured = {
        "judged CVs, nDCG@10": ([is_german(read_cv(cv.path).text) for cv in judged], cvs),
        "titles -> their own postings without titles, MRR": (
            [is_german(posting.body) for posting in titled],
            titles,
        ),
        "shortened titles -> their own postings, MRR": (
            [is_german(posting.body) for posting in titled],
            named,
        ),
    }
    rows = []
    for what, (german, values) in measured.items():
        for language, some in (("English", ~np.array(german)), ("German", np.array(german))):
            before, less, after = (one[some] for one in values)
            means = [f"{one.mean():.3f}" for one in (before, less, after)]
            rows.append([f"{language} {what}", f"{some.sum()}", *means, format_gain(after, before)])
    headings = ["without title and semantic", "semantic weighs 1", "default", "gain of the default"]
    return table(["queries and measure", "queries", *headings], rows)


def read_seeds() -> list[Posting]:
    """Return the project's postings, whose ids are paths within the project when they have no other."""
    return [_relative(posting) for posting in read_postings(ROOT / "seeds")]


def main() -> None:
    """Measure every variant and print, or write, the tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="replace the sections in it")
    options = parser.parse_args()
    postings, judged = read_seeds(), read_judgements(CVS / "judgements.json")
    sizes = f"{len(judged)} judged CVs, {len(postings)} postings"
    show_section(options.write, "judged", f"{sizes}\n\n{measure_variants(make_variants(postings), judged)}")
    show_section(options.write, "hashtags", measure_variants(make_hashtag_variants(postings), judged))
    show_section(options.write, "languages", measure_languages(postings, judged))


def _relative(posting: Posting) -> Posting:
    root = f"{ROOT.as_posix()}/"
    if not posting.id.startswith(root):
        return posting
    return Posting.from_record(posting.to_record() | {"id": posting.id.removeprefix(root)})


if __name__ == "__main__":
    main()
