"""What settings of the default blocks add, alone and combined, and what wrong hashtags cost.

    python -m benchmarks.block_options ../shared/data     the judged sets, and the judged CVs of this project
    python -m benchmarks.block_options ../shared/data --table settings --write docs/quality.md

Three tables: `settings` of the blocks title and semantic, `options` of text and hashtags, and `noise`, wrong
hashtags planted on postings. Gains are mean differences to the library's default, with a 95 % paired
bootstrap interval over queries.
"""

import argparse
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np

from benchmarks.judged_cvs import CVS, by_matcher, measure, read_seeds
from benchmarks.quality import (
    DEEPEST,
    TASKS,
    default_without,
    format_gain,
    measure_rankings,
    parts_of,
    show_section,
    values_in,
)
from benchmarks.quality import by_matcher as rank_task
from benchmarks.tables import table
from matcher import Matcher, Posting, read_cv
from matcher.analyzer import tag_candidates
from matcher.evaluate import JudgedCV, read_judgements
from matcher.features import FeatureBlock, HashtagBlock, TextBlock, default_blocks
from matcher.word_vectors import WordVectors

Options = Mapping[str, float]

WORDS: Mapping[str, Options] = {
    "fold": {"fold": True},
    "saturation 1.2": {"saturation": 1.2},
    "saturation 4": {"saturation": 4},
    "saturation 4, length 0.75": {"saturation": 4, "length": 0.75},
    "profile_saturation 2": {"profile_saturation": 2},
    "profile_saturation 8": {"profile_saturation": 8},
    "boilerplate 0.5": {"boilerplate": 0.5},
    "boilerplate 0.9": {"boilerplate": 0.9},
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

SETS = ("job_titles", "skills", "job_views", "cvs")
CHOSEN_ON = {"job_titles": "development", "skills": "house", "cvs": ""}
"""Parts of the sets that choices were made on, beside the judged CVs."""

PLANTED = (("any", 0), ("any", 3), ("asked", 2), ("asked", 5))
"""Whose tags are planted, and how many on each posting: any posting's, or those that the judged CVs name."""
SEEDS = range(5)

Board = Callable[[Sequence[FeatureBlock]], dict[str, np.ndarray]]
"""From blocks to a measure of each query, by what a heading says."""


def blocks_with(options: Options) -> list[FeatureBlock]:
    """Return the default blocks with some options of text and hashtags."""
    tags = {name: value for name, value in options.items() if name in HashtagBlock.OFF}
    words = {name: value for name, value in options.items() if name not in tags}
    changed = [TextBlock(**words), HashtagBlock(**tags)]  # type: ignore[arg-type]
    return [*changed, *default_without("text", "hashtags")]


def default_but(name: str, **settings: float | str) -> list[FeatureBlock]:
    """Return the default blocks, one of them with other settings."""
    return [
        dataclasses.replace(block, **settings) if block.name == name else block  # type: ignore[type-var]
        for block in default_blocks()
    ]


@contextmanager
def mean_kept() -> Iterator[None]:
    """Compare vectors as they are, not less the mean of the postings."""
    with patch("matcher.snapshot.learn_centre", lambda sums, *_: np.zeros(len(sums), np.int32)):
        yield


@contextmanager
def table_of(dimensions: int, largest: int) -> Iterator[None]:
    """Take the first dimensions of the shipped table, in whole numbers up to `largest`."""
    whole = WordVectors.shipped()
    vectors = whole.vectors[:, :dimensions].astype(np.float64)
    coarse = np.rint(vectors * (largest / np.abs(vectors).max())).astype(np.int64)
    smaller = WordVectors.from_arrays(whole.words, coarse)
    with patch.object(WordVectors, "shipped", lambda: smaller):
        yield


@contextmanager
def as_it_is() -> Iterator[None]:
    """Change nothing."""
    yield


SETTINGS = {
    **{
        f"{name} weighs {weight:g}": (as_it_is, default_but(name, weight=weight))
        for name, weights in (("semantic", (1.0, 5.0, 10.0)), ("title", (0.1, 2.0)))
        for weight in weights
    },
    "semantic fades at 10 words": (as_it_is, default_but("semantic", fading=10.0)),
    "semantic fades at 100 words": (as_it_is, default_but("semantic", fading=100.0)),
    "semantic does not fade": (as_it_is, default_but("semantic", fading=1e6)),
    "title does not fade": (as_it_is, default_but("title", fading=1e6)),
    "title by whole words": (as_it_is, default_but("title", least=1.0)),
    "the mean of the postings left in": (mean_kept, default_blocks()),
    "vectors learned from the postings": (as_it_is, default_but("semantic", vectors="postings")),
    "128 of 256 dimensions": (partial(table_of, 128, 127), default_blocks()),
    "4 bits a number": (partial(table_of, 256, 7), default_blocks()),
}
"""What is changed while measuring, and the blocks."""


def board_of(name: str, source: Path, only: str = "") -> Board:
    """Return the board of a judged set, a heading for each part of its queries that is asked for."""
    task = TASKS[name](source)
    parts = [only] if only else [part for part in parts_of(task) if part] or [""]
    if only:
        queries = {key: query for key, query in task.queries.items() if query.part == only}
        task = dataclasses.replace(task, queries=queries)
    first = task.measures[0]
    task = dataclasses.replace(task, measures=(first,))
    _, cut, depth = first.partition("@")

    def measure_blocks(blocks: Sequence[FeatureBlock]) -> dict[str, np.ndarray]:
        rankings = rank_task(task, blocks, deepest=int(depth) if cut else DEEPEST)
        values = measure_rankings(task, rankings)
        return {
            f"{name}{', ' * bool(part)}{part}: {first}": values_in(task, values, first, part)
            for part in parts
        }

    return measure_blocks


def own_board(postings: Sequence[Posting], judged: Sequence[JudgedCV]) -> Board:
    """Return the board of the judged CVs."""
    return lambda blocks: {"judged CVs: nDCG@10": judged_by(postings, judged, blocks)}


def measure_all(boards: Sequence[Board], blocks: Sequence[FeatureBlock]) -> dict[str, np.ndarray]:
    """Return what all boards measure."""
    return {heading: values for board in boards for heading, values in board(blocks).items()}


def measure_settings(boards: Sequence[Board]) -> str:
    """Return the table of other settings of title and semantic: means of the default, then gains."""
    default = measure_all(boards, default_blocks())
    rows = [["the default", *(f"{values.mean():.3f}" for values in default.values())]]
    for name, (changing, blocks) in SETTINGS.items():
        with changing():
            values = measure_all(boards, blocks)
        rows.append([name, *(format_gain(values[heading], default[heading]) for heading in default)])
    return table(["setting", *default], rows)


def measure_options(boards: Sequence[Board], own: Board) -> str:
    """Return the table of options of text and hashtags, those of `FIELDS` on the judged CVs alone."""
    default = measure_all([*boards, own], default_blocks())
    rows = [["the default", *(f"{values.mean():.3f}" for values in default.values())]]
    for name, options in (WORDS | FIELDS).items():
        values = measure_all([*boards, own] if name in WORDS else [own], blocks_with(options))
        gains = [
            format_gain(values[heading], theirs) if heading in values else ""
            for heading, theirs in default.items()
        ]
        rows.append([name, *gains])
    return table(["options", *default], rows)


def judged_by(
    postings: Sequence[Posting], judged: Sequence[JudgedCV], blocks: Sequence[FeatureBlock]
) -> np.ndarray:
    """Return nDCG@10 of each judged CV."""
    return measure(by_matcher(Matcher.fit(postings, blocks=blocks)), judged)[:, 0]


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
                [judged_by(board, judged, blocks_with({"unsupported": share})) for board in boards], axis=0
            )
            for share in shares
        }
        row = [f"{count} of {whose}", f"{values[1.0].mean():.3f}"]
        for share in shares[1:]:
            row += [f"{values[share].mean():.3f}", format_gain(values[share], values[1.0])]
        rows.append(row)
    headings = ["wrong tags a posting", "unsupported 1"]
    for share in shares[1:]:
        headings += [f"{share:g}", "gain"]
    return table(headings, rows)


def main() -> None:
    """Measure and print, or write, tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="folder with job_titles, skills, job_views, cvs, postings")
    parser.add_argument("--table", action="append", choices=["settings", "options", "noise"])
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="replace the sections in it")
    options = parser.parse_args()
    asked = options.table or ["settings", "options", "noise"]
    postings, judged = read_seeds(), read_judgements(CVS / "judgements.json")
    own = own_board(postings, judged)
    if "settings" in asked:
        boards = [*(board_of(name, options.source) for name in SETS), own]
        show_section(options.write, "settings", measure_settings(boards))
    if "options" in asked:
        boards = [board_of(name, options.source, part) for name, part in CHOSEN_ON.items()]
        show_section(options.write, "options", measure_options(boards, own))
    if "noise" in asked:
        show_section(options.write, "noise", measure_noise(postings, judged))


if __name__ == "__main__":
    main()
