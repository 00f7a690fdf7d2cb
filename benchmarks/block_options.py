"""What each option of the text and hashtag blocks adds, alone and combined, and what wrong hashtags cost.

    python -m benchmarks.block_options ../shared/data     the judged sets of benchmarks/quality.py
    python -m benchmarks.block_options --judged           the judged CVs of this project
    python -m benchmarks.block_options --noise            the same, with wrong hashtags planted

Only parts of the sets that choices may be made on are measured. Gains are mean differences to the blocks with
all options off, with a 95 % paired bootstrap interval over queries.
"""

import argparse
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.judged_cvs import CVS, ROOT, _relative, by_matcher, measure
from benchmarks.quality import SEED, TASKS
from benchmarks.quality import by_matcher as rank_task
from benchmarks.tables import table
from matcher import Matcher, Posting, read_cv, read_postings
from matcher.analyzer import tag_candidates
from matcher.evaluate import JudgedCV, paired_interval, parse_measure, read_judgements
from matcher.features import HashtagBlock, TextBlock

Options = Mapping[str, float]

WORDS: Mapping[str, Options] = {
    "off": {},
    "fold": {"fold": True},
    "saturation 1.2": {"saturation": 1.2},
    "saturation 4": {"saturation": 4},
    "saturation 8": {"saturation": 8},
    "saturation 4, length 0.75": {"saturation": 4, "length": 0.75},
    "profile_saturation 2": {"profile_saturation": 2},
    "profile_saturation 8": {"profile_saturation": 8},
    "profile_saturation 32": {"profile_saturation": 32},
    "boilerplate 0.5": {"boilerplate": 0.5},
    "boilerplate 0.9": {"boilerplate": 0.9},
    "fold, profile_saturation 8": {"fold": True, "profile_saturation": 8},
    "fold, boilerplate 0.5": {"fold": True, "boilerplate": 0.5},
    "saturation 4, profile_saturation 4": {"saturation": 4, "profile_saturation": 4},
    "fold, saturation 8, profile_saturation 8, boilerplate 0.5": {
        "fold": True,
        "saturation": 8,
        "profile_saturation": 8,
        "boilerplate": 0.5,
    },
}
"""Options of words, which every set has."""

FIELDS: Mapping[str, Options] = {
    "title_weight 2": {"title_weight": 2},
    "title_weight 3": {"title_weight": 3},
    "title_weight 5": {"title_weight": 5},
    "title_weight 10": {"title_weight": 10},
    "summary_weight 2": {"summary_weight": 2},
    "summary_weight 3": {"summary_weight": 3},
    "title_weight 3, summary_weight 2": {"title_weight": 3, "summary_weight": 2},
    "unsupported 0.5": {"unsupported": 0.5},
    "unsupported 0.2": {"unsupported": 0.2},
    "unsupported 0": {"unsupported": 0.0},
    "title_weight 3, fold": {"title_weight": 3, "fold": True},
    "title_weight 3, unsupported 0.5": {"title_weight": 3, "unsupported": 0.5},
    "title_weight 3, fold, unsupported 0.5, boilerplate 0.5": {
        "title_weight": 3,
        "fold": True,
        "unsupported": 0.5,
        "boilerplate": 0.5,
    },
}
"""Options of what only the judged CVs of this project have: titles beside bodies, summaries, hashtags."""

PARTS = {"job_titles": "development", "skills": "house", "cvs": ""}
PLANTED = (("any", 0), ("any", 1), ("any", 2), ("any", 3), ("asked", 2), ("asked", 5))
"""Whose tags are planted, and how many on each posting: any posting's, or those that the judged CVs name."""
SEEDS = range(5)


def blocks_with(options: Options) -> tuple[TextBlock, HashtagBlock]:
    """Return the two blocks in their usual shares with some options."""
    tags = {name: value for name, value in options.items() if name in HashtagBlock.OFF}
    words = {name: value for name, value in options.items() if name not in tags}
    return TextBlock(0.7, **words), HashtagBlock(0.3, **tags)  # type: ignore[arg-type]


def gain_of(values: np.ndarray, baseline: np.ndarray) -> str:
    """Return a mean difference with its interval."""
    low, high = paired_interval(values, baseline, seed=SEED)
    return f"{(values - baseline).mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def measure_sets(source: Path) -> str:
    """Return the table of the judged sets."""
    columns: dict[str, dict[str, np.ndarray]] = {}
    headings = ["options of the blocks"]
    for name, part in PARTS.items():
        task = TASKS[name](source)
        queries = {key: query for key, query in task.queries.items() if query.part == part}
        task = dataclasses.replace(task, queries=queries)
        what = parse_measure(task.measures[0])
        headings += [f"{name}{', ' * bool(part)}{part}: {task.measures[0]}", "gain"]
        columns[name] = {}
        for system, options in WORDS.items():
            found = rank_task(task, blocks_with(options))
            columns[name][system] = np.array(
                [what(found[key], dict.fromkeys(query.fitting, 1)) for key, query in queries.items()]
            )
    rows = []
    for system in WORDS:
        row = [system]
        for measured in columns.values():
            row += [f"{measured[system].mean():.3f}", gain_of(measured[system], measured["off"])]
        rows.append(row)
    return table(headings, rows)


def judged_by(postings: Sequence[Posting], judged: Sequence[JudgedCV], options: Options) -> np.ndarray:
    """Return nDCG@10, fitting among the first three, and whether the first fits, a row for each CV."""
    return measure(by_matcher(Matcher.fit(postings, blocks=blocks_with(options))), judged)


def measure_judged(postings: Sequence[Posting], judged: Sequence[JudgedCV]) -> str:
    """Return the table of the judged CVs."""
    rows = []
    baseline = judged_by(postings, judged, {})
    for system, options in (WORDS | FIELDS).items():
        values = judged_by(postings, judged, options)
        first = f"{int(values[:, 2].sum())}/{len(values)}"
        gain = gain_of(values[:, 0], baseline[:, 0])
        rows.append([system, f"{values[:, 0].mean():.3f}", f"{values[:, 1].mean():.2f}", first, gain])
    return table(["options of the blocks", "nDCG@10", "fit of 3", "first fits", "gain"], rows)


def plant(postings: Sequence[Posting], tags: Sequence[str], count: int, seed: int) -> list[Posting]:
    """Return postings with a few hashtags more, drawn from others."""
    rng = np.random.default_rng(seed)
    planted = []
    for posting in postings:
        foreign = [tag for tag in tags if tag not in posting.hashtags]
        drawn = [foreign[i] for i in rng.choice(len(foreign), count, replace=False)] if count else []
        planted.append(Posting.from_record(posting.to_record() | {"hashtags": [*posting.hashtags, *drawn]}))
    return planted


def measure_noise(postings: Sequence[Posting], judged: Sequence[JudgedCV]) -> str:
    """Return the table of wrong hashtags: means over seeds, intervals over CVs."""
    shares = (1.0, 0.5, 0.2, 0.0)
    rows = []
    tags = [tag for posting in postings for tag in posting.hashtags]
    named = set().union(*(tag_candidates(read_cv(cv.path).text) for cv in judged))
    drawn_from = {"any": tags, "asked": sorted(named.intersection(tags))}
    for whose, count in PLANTED:
        boards = [plant(postings, drawn_from[whose], count, seed) for seed in (SEEDS if count else [0])]
        values = {
            share: np.mean(
                [judged_by(board, judged, {"unsupported": share})[:, 0] for board in boards], axis=0
            )
            for share in shares
        }
        row = [f"{count} of {whose}", f"{values[1.0].mean():.3f}"]
        for share in shares[1:]:
            row += [f"{values[share].mean():.3f}", gain_of(values[share], values[1.0])]
        rows.append(row)
    headings = ["wrong tags a posting", "unsupported 1"]
    for share in shares[1:]:
        headings += [f"{share:g}", "gain"]
    return table(headings, rows)


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, nargs="?", help="folder with job_titles, skills, cvs, postings")
    parser.add_argument("--judged", action="store_true")
    parser.add_argument("--noise", action="store_true")
    options = parser.parse_args()
    if options.source:
        print(measure_sets(options.source), flush=True)
    postings = [_relative(posting) for posting in read_postings(ROOT / "seeds")]
    judged = read_judgements(CVS / "judgements.json")
    if options.judged:
        print(measure_judged(postings, judged), flush=True)
    if options.noise:
        print(measure_noise(postings, judged), flush=True)


if __name__ == "__main__":
    main()
