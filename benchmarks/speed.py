"""Speed side by side with named peers, in one run, interleaved.

    python benchmarks/speed.py 10000                        sentences from seeds/
    python benchmarks/speed.py 100000 --source FOLDER       sentences from a folder of postings or texts

A CV's text goes in and ten recommendations come out, on both sides: ours includes taking out personal data
and finding the postings' records, a peer's includes its own tokens. Before timing, rankings of the same words
are compared with scikit-learn's. What is printed are medians of interleaved calls and ratios of medians.
"""

import argparse
import gc
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from corpus import Corpus
from peers import make_peers
from rich.console import Console
from rich.table import Table

from matcher import Matcher, Posting
from matcher.analyzer import analyze
from matcher.base import Query
from matcher.engines import make_engine
from matcher.features import TextBlock
from matcher.personal import remove_personal_data
from matcher.profile import Profile
from matcher.text import posting_text

SEEDS = Path(__file__).parent.parent / "seeds"


def interleave(tasks: dict[str, Callable[[str], object]], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the seconds of each task for each text, one task after the other for every text."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for text in texts[:3]:
        for task in tasks.values():
            task(text)
    gc.disable()
    for text in texts:
        for name, task in tasks.items():
            start = time.perf_counter()
            task(text)
            times[name].append(time.perf_counter() - start)
    gc.enable()
    return {name: np.array(values) for name, values in times.items()}


def check_agreement(postings: Sequence[Posting], cvs: Sequence[str]) -> str:
    """Compare our ranking by words alone with scikit-learn's over the same words; raise when they differ."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    vectorizer = TfidfVectorizer(analyzer=analyze)
    matrix = vectorizer.fit_transform([posting_text(posting) for posting in postings])
    neighbors = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute").fit(matrix)
    matchers = [Matcher.fit(postings, blocks=[TextBlock(1.0)], engine=name) for name in ("base", "fast")]
    for cv in cvs:
        distances, rows = neighbors.kneighbors(vectorizer.transform([remove_personal_data(Profile(cv)).text]))
        for matcher in matchers:
            ranking = matcher.recommend(cv)
            scores = np.array([recommendation.score for recommendation in ranking])
            np.testing.assert_allclose(scores, 1 - distances[0], atol=1e-9)
            ours = [recommendation.posting.id for recommendation in ranking]
            theirs = [postings[row].id for row in rows[0]]
            assert ours == theirs or len(set(np.round(scores, 9))) < 10, (ours, theirs)
    return f"checked: {len(cvs)} CVs, {len(postings):,} postings, same ids and scores (1e-9) as scikit-learn"


def cold_start(model: Path, cv: str) -> dict[str, tuple[float, float]]:
    """Return seconds on the clock and of CPU from process start to ten recommendations."""
    code = f"""
import sys, resource
from matcher import Matcher
ranking = Matcher.load({str(model)!r}, verify=%s).recommend(sys.stdin.read())
used = resource.getrusage(resource.RUSAGE_SELF)
print(len(ranking), used.ru_utime + used.ru_stime)
"""
    results = {}
    for name, verify in (("verified", True), ("verify=False", False)):
        clock, cpu = [], []
        for _ in range(5):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", code % verify], input=cv, capture_output=True, text=True, check=True
            )
            clock.append(time.perf_counter() - start)
            cpu.append(float(done.stdout.split()[1]))
        results[name] = float(np.median(clock)), float(np.median(cpu))
    return results


def cold_start_of_scikit_learn(texts: Sequence[str], cv: str) -> tuple[float, float]:
    """Return the same for a vectorizer and neighbours kept with joblib."""
    import joblib
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.neighbors import NearestNeighbors

    vectorizer = TfidfVectorizer(dtype=np.float32)
    neighbors = NearestNeighbors(n_neighbors=10, metric="cosine", algorithm="brute")
    neighbors.fit(vectorizer.fit_transform(texts))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.joblib"
        joblib.dump((vectorizer, neighbors), path)
        code = f"""
import sys, resource, joblib
vectorizer, neighbors = joblib.load({str(path)!r})
neighbors.kneighbors(vectorizer.transform([sys.stdin.read()]))
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime)
"""
        clock, cpu = [], []
        for _ in range(3):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-c", code], input=cv, capture_output=True, text=True, check=True
            )
            clock.append(time.perf_counter() - start)
            cpu.append(float(done.stdout))
    return float(np.median(clock)), float(np.median(cpu))


def describe_machine() -> str:
    """Return what was measured on."""
    names = ("numpy", "scikit-learn", "numba", "bm25s", "tantivy", "sparse_dot_topn")
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    return f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def main() -> None:
    """Build the corpus, check, measure, print."""
    parser = argparse.ArgumentParser(description="Measure speed beside named peers.")
    parser.add_argument("postings", type=int, nargs="?", default=10_000)
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument("--cvs", type=int, default=60, help="CVs for the one-by-one measurement")
    parser.add_argument("--batch", type=int, default=1_000, help="CVs in a batch")
    parser.add_argument("--peers", nargs="*", default=[], help="names of peers; all by default")
    arguments = parser.parse_args()
    console = Console(width=110, highlight=False)
    console.print(describe_machine())
    corpus = Corpus(arguments.source)
    postings = list(corpus.postings(arguments.postings))
    texts = [posting_text(posting) for posting in postings]
    cvs = corpus.cvs(max(arguments.cvs, arguments.batch) + 3)
    words = np.mean([len(text.split()) for text in texts[:1000]])
    distinct = np.mean([len(set(analyze(cv))) for cv in cvs[:100]])
    console.print(
        f"{len(postings):,} postings of {words:.0f} words, CVs of {distinct:.0f} distinct terms; from "
        f"{len(corpus.documents):,} documents"
    )
    console.print(check_agreement(postings[:3_000], cvs[:10]))

    start = time.perf_counter()
    matcher = Matcher.fit(postings)
    ours_seconds = time.perf_counter() - start
    start = time.perf_counter()
    peers = make_peers(texts, arguments.peers)
    console.print(
        f"indexing ours {ours_seconds:.1f} s, all peers together {time.perf_counter() - start:.1f} s"
    )

    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model"
        matcher.save(model)
        del matcher
        base = Matcher.load(model, engine="base")
        fast = Matcher.load(model, engine="fast")
        rare = min((tag for tag in fast.postings.tags), key=lambda tag: abs(_share(fast, tag) - 0.01))
        tasks: dict[str, Callable[[str], object]] = {
            "matcher \\[fast]": fast.recommend,
            "matcher base": base.recommend,
            f"matcher \\[fast], filter keeps {_share(fast, rare):.1%}": lambda text: fast.recommend(
                text, filters={"hashtags_any": [rare]}
            ),
            "matcher \\[fast], all explained": lambda text: [r.contributions for r in fast.recommend(text)],
        }
        times = interleave(tasks | peers, cvs[: arguments.cvs])
        queries = {cv: Query(fast._queries(Profile(cv))) for cv in cvs[: arguments.cvs]}
        engines = {name: make_engine(name, fast._index.blocks, len(fast)) for name in ("base", "fast")}
        scans = interleave(
            {
                f"  scan alone, {name}": lambda text, engine=engine: fast._index.search(
                    queries[text], 10, engine
                )
                for name, engine in engines.items()
            },
            cvs[: arguments.cvs],
        )
        _print_one(console, times | scans)
        _print_batch(console, fast, base, peers, cvs[: arguments.batch], times)
        _print_cold(console, model, texts, cvs[0])
        layout = engines["fast"]._layout  # type: ignore[attr-defined]
        size = sum(array.nbytes for array in layout[:5]) / len(fast)
        console.print(f"layout of the fast engine: {size:.0f} bytes a posting")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    console.print(f"(peak memory of this run with all peers: {peak / 1e6:.1f} GB)")


def _share(matcher: Matcher, tag: str) -> float:
    catalogue = matcher.postings
    return float(np.count_nonzero(catalogue.tag_codes == catalogue.tags.find(tag)) / max(1, len(catalogue)))


def _print_one(console: Console, times: dict[str, np.ndarray]) -> None:
    table = Table(title="one CV: text in, ten recommendations out")
    for heading in ("", "median ms", "p99 ms", "\\[fast] is faster by", "base is faster by"):
        table.add_column(heading, justify="left" if not heading else "right")
    fast, base = np.median(times["matcher \\[fast]"]), np.median(times["matcher base"])
    for name, values in times.items():
        middle = np.median(values)
        table.add_row(
            name,
            f"{middle * 1e3:.2f}",
            f"{np.percentile(values, 99) * 1e3:.2f}",
            f"{middle / fast:.1f}x",
            f"{middle / base:.1f}x",
        )
    console.print(table)


def _print_batch(
    console: Console,
    fast: Matcher,
    base: Matcher,
    peers: dict[str, Callable[[str], object]],
    cvs: Sequence[str],
    times: dict[str, np.ndarray],
) -> None:
    table = Table(title=f"{len(cvs):,} CVs in a batch")
    for heading in ("", "seconds", "CVs a second"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, matcher, threads in (("matcher \\[fast]", fast, 1), ("matcher \\[fast], 2 threads", fast, 2)):
        start = time.perf_counter()
        matcher.recommend_many(cvs, threads=threads)
        seconds = time.perf_counter() - start
        table.add_row(name, f"{seconds:.2f}", f"{len(cvs) / seconds:,.0f}")
    for name in peers:
        seconds = float(np.median(times[name])) * len(cvs)
        table.add_row(f"{name} (one by one, extrapolated)", f"{seconds:.2f}", f"{len(cvs) / seconds:,.0f}")
    console.print(table)


def _print_cold(console: Console, model: Path, texts: Sequence[str], cv: str) -> None:
    table = Table(title="process start to ten recommendations, model on disk")
    for heading in ("", "seconds", "CPU seconds"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, (clock, cpu) in cold_start(model, cv).items():
        table.add_row(f"matcher, {name}", f"{clock:.2f}", f"{cpu:.2f}")
    clock, cpu = cold_start_of_scikit_learn(texts, cv)
    table.add_row("scikit-learn + joblib", f"{clock:.2f}", f"{cpu:.2f}")
    console.print(table)


if __name__ == "__main__":
    main()
