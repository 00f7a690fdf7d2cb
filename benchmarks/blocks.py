"""What each feature block costs: one CV against many postings, and room on disk.

    python benchmarks/blocks.py 100000 --source FOLDER

Matchers with more and more blocks rank the same CVs in turn, so that noise meets all of them alike. Printed are
medians, and ratios to text and hashtags: the median over CVs of the ratio in the same round. Before anything is
timed, both engines must agree on every matcher to the last bit. Not measured: several CVs at once, and the time
until the first CV (`benchmarks/speed.py` measures both).
"""

import argparse
import gc
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from corpus import SEEDS, read_cvs, read_records, write_corpus
from tables import table

from matcher import Matcher, Posting
from matcher.features import FeatureBlock, default_blocks

SHORT = 8
"""Words of the short profiles."""

KINDS: Mapping[str, tuple[str, ...]] = {
    "text and hashtags": ("text", "hashtags"),
    "and title": ("text", "hashtags", "title"),
    "and semantic": ("text", "hashtags", "semantic"),
    "all blocks": ("text", "hashtags", "title", "semantic"),
}
BASELINE = next(iter(KINDS))


def choose_blocks(names: Sequence[str]) -> list[FeatureBlock]:
    """Return the default blocks of these names."""
    from matcher.features import BLOCKS

    known = {block.name: block for block in default_blocks()}
    return [known.get(name) or BLOCKS[name]() for name in names]


def time_rounds(
    matchers: Mapping[str, Matcher], profiles: Sequence[str], rounds: int
) -> dict[str, list[float]]:
    """Return milliseconds of each matcher for each profile: the median of some rounds in turn."""
    times: dict[str, list[float]] = {name: [] for name in matchers}
    for name, matcher in matchers.items():
        for profile in profiles[:20]:
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


def describe(times: Mapping[str, Sequence[float]]) -> list[tuple[str, str]]:
    """Return the median, and the median ratio to the baseline, of each."""
    return [
        (f"{median(some):.2f}", f"{median(a / b for a, b in zip(some, times[BASELINE], strict=True)):.2f}x")
        for some in times.values()
    ]


def main() -> None:
    """Fit, compare, time and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("postings", type=int)
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument("--corpus", type=Path, help="file to keep the corpus in, or to take it from")
    parser.add_argument("--cvs", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.corpus or Path(folder, "corpus.jsonl")
        if not path.exists():
            write_corpus(path, options.source, options.postings, options.cvs)
        postings = [Posting.from_record(record) for record in read_records(path, options.postings)]
        cvs = read_cvs(path)[: options.cvs]
        short = [" ".join(cv.split()[:SHORT]) for cv in cvs]
        rows = {name: [name] for name in KINDS}
        for engine in ("fast", "base"):
            matchers = {}
            for name, blocks in KINDS.items():
                begun = time.perf_counter()
                matchers[name] = Matcher.fit(
                    postings, blocks=choose_blocks(blocks), engine=engine if engine == "fast" else None
                )
                took = time.perf_counter() - begun
                if engine == "fast":
                    stored = Path(folder, name.replace(" ", "-"))
                    matchers[name].save(stored)
                    size = sum(file.stat().st_size for file in stored.rglob("*") if file.is_file())
                    rows[name] += [f"{size / 2**20:.0f}", f"{took:.0f}"]
                else:
                    matchers[name] = Matcher.load(Path(folder, name.replace(" ", "-")), engine="base")
                gc.collect()
            if engine == "base":
                for name, matcher in matchers.items():
                    other = Matcher.load(Path(folder, name.replace(" ", "-")), engine="fast")
                    for profile in (*cvs[:5], *short[:5]):
                        if matcher.recommend(profile) != other.recommend(profile):
                            raise SystemExit(f"{name}: the engines disagree")
            for profiles in (cvs, short):
                for name, cells in zip(KINDS, describe(time_rounds(matchers, profiles, options.rounds)), strict=True):
                    rows[name] += cells
    headings = ["blocks", "model, MB", "fit, s"]
    for engine in ("fast", "base"):
        for kind in ("CV", "short profile"):
            headings += [f"{engine}, {kind}, ms", "ratio"]
    words = len(set(cvs[0].split()))
    print(f"{len(postings):,} postings; {len(cvs)} CVs (the first of {words} different words), {SHORT} words each\n")
    print(table(headings, list(rows.values())))


if __name__ == "__main__":
    main()
