"""What each feature block costs: one CV against many postings, and room on disk.

    python benchmarks/blocks.py 100000 --source FOLDER --write docs/performance.md

Matchers with more and more blocks rank the same CVs in turn, so that noise meets all of them alike. Printed
are medians, and ratios to text and hashtags: the median over CVs of the ratio in the same rounds. Before
anything is timed, both engines must agree on every matcher to the last bit. Not measured: several CVs at
once, and the time until the first CV (`benchmarks/speed.py` measures both, for text and hashtags).
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parent.parent))

from corpus import SEEDS, read_cvs, read_records, write_corpus
from tables import table

from benchmarks.quality import write_section
from matcher import Matcher, Posting
from matcher.features import default_blocks

SHORT = 8
"""Words of the short profiles."""

WARM = 20
"""Profiles that are ranked before anything is timed: engines that pay later are there by then."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "text and hashtags": ("text", "hashtags"),
    "and title": ("text", "hashtags", "title"),
    "and semantic": ("text", "hashtags", "semantic"),
    "all blocks": ("text", "hashtags", "title", "semantic"),
}
BASELINE = next(iter(KINDS))


def train(postings: Sequence[Posting], folder: Path) -> dict[str, list[str]]:
    """Fit and save a model of each kind; return its size and how long the fit took, for the table."""
    cells = {}
    for name, kinds in KINDS.items():
        blocks = [block for block in default_blocks() if block.name in kinds]
        begun = time.perf_counter()
        matcher = Matcher.fit(postings, blocks=blocks, engine="fast", threads=2)
        took = time.perf_counter() - begun
        matcher.save(folder / name)
        size = sum(file.stat().st_size for file in (folder / name).rglob("*") if file.is_file())
        cells[name] = [name, f"{size / 2**20:.0f}", f"{took:.0f}"]
    return cells


def check_agreement(folder: Path, profiles: Sequence[str]) -> None:
    """Exit unless both engines rank every profile alike, whatever the blocks."""
    for name in KINDS:
        fast, base = (Matcher.load(folder / name, engine=engine) for engine in ("fast", "base"))
        if any(fast.recommend(profile) != base.recommend(profile) for profile in profiles):
            raise SystemExit(f"{name}: the engines disagree")


def time_rounds(
    matchers: Mapping[str, Matcher], profiles: Sequence[str], rounds: int
) -> dict[str, list[float]]:
    """Return milliseconds of each matcher for each profile: the median of some rounds in turn."""
    times: dict[str, list[float]] = {name: [] for name in matchers}
    for matcher in matchers.values():
        for profile in profiles[:WARM]:
            matcher.recommend(profile)
    for profile in profiles:
        own: dict[str, list[float]] = {name: [] for name in matchers}
        for _ in range(rounds):
            for name, matcher in matchers.items():
                begun = time.perf_counter()
                matcher.recommend(profile)
                own[name].append(1e3 * (time.perf_counter() - begun))
        for name, some in own.items():
            times[name].append(median(some))
    return times


def describe(times: Mapping[str, Sequence[float]]) -> dict[str, list[str]]:
    """Return the median, and the median ratio to the baseline, of each."""
    return {
        name: [
            f"{median(some):.2f}",
            f"{median(own / other for own, other in zip(some, times[BASELINE], strict=True)):.2f}x",
        ]
        for name, some in times.items()
    }


def main() -> None:
    """Fit, compare, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("postings", type=int)
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument("--corpus", type=Path, help="file to keep the corpus in, or to take it from")
    parser.add_argument("--cvs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT", help="replace the section `blocks` in it")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = options.corpus or folder / "corpus.jsonl"
        if not path.exists():
            write_corpus(path, options.source, options.postings, options.cvs)
        postings = [Posting.from_record(record) for record in read_records(path, options.postings)]
        cvs = read_cvs(path)[: options.cvs]
        short = [" ".join(cv.split()[:SHORT]) for cv in cvs]
        rows = train(postings, folder)
        check_agreement(folder, [*cvs[:5], *short[:5]])
        headings = ["blocks", "model, MB", "fit, s"]
        for engine in ("fast", "base"):
            matchers = {kind: Matcher.load(folder / kind, engine=engine) for kind in KINDS}
            for label, profiles in (("CV", cvs), ("short", short)):
                headings += [f"{engine}, {label}, ms", "ratio"]
                for kind, cells in describe(time_rounds(matchers, profiles, options.rounds)).items():
                    rows[kind] += cells
    about = f"{len(postings):,} postings; {len(cvs)} CVs, and {SHORT} words of each\n\n"
    print(about + table(headings, list(rows.values())))
    if options.write:
        write_section(options.write, "blocks", about + table(headings, list(rows.values())))


if __name__ == "__main__":
    main()
