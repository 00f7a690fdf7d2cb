"""Speed side by side with named peers: one CV, batches, indexing, process start, memory.

    python benchmarks/speed.py 10000                            sentences from seeds/
    python benchmarks/speed.py 100000 --source FOLDER           sentences from a folder of postings or texts
    python benchmarks/speed.py 100000 --write docs/performance.md

A corpus is generated to disk. Each system indexes it and writes its index, then a process of its own loads
that and answers, so that memory is each system's own. A CV's text goes in and ten ids come out, on both
sides: ours includes taking out personal data and finding the postings' records, a peer's includes its own
tokens. One CV goes to every system before the next one does. Before timing, rankings of the same words are
compared with scikit-learn's. What counts are ratios of medians.

Files go to the folder for temporary files: about 15 GB for 1,000,000 postings (TMPDIR says where), which also
take 19 GB of memory (see `peers.py`) and some hours; `--peers` takes a choice.
"""

import argparse
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any

import cold
import measure
import numpy as np
from corpus import SEEDS, read_about, read_cvs, read_records, write_corpus
from tables import BASE, FAST, section, write_section
from team import Team
from worker import SERVERS

from matcher.analyzer import analyze

OURS = (FAST, BASE)
PEERS = tuple(name for name in SERVERS if name not in OURS)
WORDS_ALONE = ("matcher, words alone", "matcher, words alone, 2 threads")
SPARE_CVS = 5
"""CVs beyond those measured: to warm up with and to choose the quickest way with."""

WARM_UP = 3
LARGEST_FOR_SQLITE = 10_000
PACKAGES = ("numpy", "scipy", "scikit-learn", "numba", "bm25s", "tantivy", "sparse_dot_topn")


def report(message: str) -> None:
    """Say what is going on."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Measure speed beside named peers.")
    parser.add_argument("postings", type=int, nargs="?", default=10_000)
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument("--cvs", type=int, default=60, help="CVs for the one-by-one measurement")
    parser.add_argument("--batch", type=int, default=1_000, help="CVs in a batch; 0 for none")
    parser.add_argument(
        "--peers", nargs="*", default=PEERS, choices=PEERS, metavar="NAME", help="all by default"
    )
    parser.add_argument("--corpus", type=Path, help="file to keep the corpus in, or to take it from")
    parser.add_argument("--json", type=Path, help="file to write all times to")
    parser.add_argument("--write", type=Path, help="document whose section of this size to write")
    return parser.parse_args(arguments)


def find_corpus(arguments: argparse.Namespace, folder: Path) -> Path:
    """Return the corpus: one that is there already, or a new one."""
    path = arguments.corpus or folder / "corpus.jsonl"
    cvs = max(arguments.cvs, arguments.batch) + SPARE_CVS
    if not path.exists():
        report(f"generating {arguments.postings:,} postings and {cvs:,} CVs")
        write_corpus(path, arguments.source, arguments.postings, cvs)
    about = read_about(path)
    if about["postings"] != arguments.postings or about["cvs"] < cvs:
        raise SystemExit(
            f"{path}: holds {about['postings']:,} postings and {about['cvs']:,} CVs; take another file"
        )
    return path


def describe_corpus(path: Path) -> dict[str, Any]:
    """Return how long its texts are."""
    words = [len(record["body"].split()) for record in read_records(path, 1_000)]
    terms = [len(set(analyze(cv))) for cv in read_cvs(path)[:100]]
    return read_about(path) | {"words": float(np.mean(words)), "cv_terms": float(np.mean(terms))}


def describe_machine() -> str:
    """Return what was measured on, and with which versions."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), cpu)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    versions = [
        f"Python {platform.python_version()}",
        *map(_version, PACKAGES),
        f"SQLite {sqlite3.sqlite_version}",
    ]
    return f"{cpu}, {os.cpu_count()} cores, {memory:.0f} GB; {', '.join(versions)}"


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"no {package}"


def check_agreement(corpus: Path) -> str:
    """Run the comparison with scikit-learn in a process of its own; end here when it fails."""
    script = Path(__file__).parent / "agreement.py"
    done = subprocess.run(
        [sys.executable, str(script), str(corpus)], stdout=subprocess.PIPE, encoding="utf-8", check=False
    )
    if done.returncode:
        raise SystemExit("our rankings differ from scikit-learn's: nothing was measured")
    return done.stdout.strip()


def choose_servers(arguments: argparse.Namespace) -> tuple[dict[str, str], dict[str, str]]:
    """Return the servers to measure, each with its builder, and why others are left out."""
    names = [*OURS, *(name for name in PEERS if name in arguments.peers)]
    left_out = {name: "not asked for" for name in PEERS if name not in names}
    if arguments.postings > LARGEST_FOR_SQLITE and "SQLite FTS5" in names:
        names.remove("SQLite FTS5")
        left_out["SQLite FTS5"] = f"about a second a CV at {LARGEST_FOR_SQLITE:,} postings"
        report(f"SQLite FTS5: left out ({left_out['SQLite FTS5']})")
    return {name: SERVERS[name][0] for name in names}, left_out


def measure_servers(
    servers: dict[str, str], corpus: Path, folders: dict[str, Path], arguments: argparse.Namespace
) -> dict[str, Any]:
    """Return everything that is measured with all servers running."""
    spare = range(max(arguments.cvs, arguments.batch), max(arguments.cvs, arguments.batch) + SPARE_CVS)
    with Team("serve", report) as team:
        offers = measure.load(team, servers, corpus, folders, report)
        ways = measure.choose(team, spare, report)
        times, ids = measure.rank_one_by_one(team, offers, range(arguments.cvs), spare[:WARM_UP], report)
        memory = measure.remember(team)
        batch = arguments.batch and measure.rank_batches(team, offers, arguments.batch, times, ids, report)
        return {"ways": ways, "one": times, "memory": memory, "batch": batch or [], "left_out": team.left_out}


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all results."""
    corpus = find_corpus(arguments, folder)
    report("comparing with scikit-learn")
    agreement = check_agreement(corpus)
    servers, left_out = choose_servers(arguments)
    builders = list(dict.fromkeys(["matcher", *WORDS_ALONE, *servers.values()]))
    folders = {name: folder / f"index-{number}" for number, name in enumerate(builders)}
    indexing, failed = measure.index(builders, corpus, arguments.postings, folders, report)
    left_out |= {name: failed[builder] for name, builder in servers.items() if builder in failed}
    served = {name: builder for name, builder in servers.items() if builder in indexing}
    measured = measure_servers(served, corpus, folders, arguments)
    for name, memory in measured["memory"].items():
        memory["disk"] = indexing[servers[name]]["about"]["disk"]
    report("process start to ten recommendations")
    times, stopped = cold.measure({name: folders[name] for name in indexing}, read_cvs(corpus)[0])
    terms = indexing["matcher"]["about"]["terms"] if "matcher" in indexing else 0
    return measured | {
        "postings": arguments.postings,
        "batch_size": arguments.batch,
        "machine": describe_machine(),
        "corpus": describe_corpus(corpus) | {"terms": terms},
        "agreement": agreement,
        "indexing": indexing,
        "cold": times,
        "left_out": left_out | measured["left_out"] | stopped,
    }


def end(number: int, frame: FrameType | None) -> None:
    """Leave through the context managers, which end workers and remove files."""
    sys.exit(f"ended by signal {number}")


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    signal.signal(signal.SIGTERM, end)
    try:
        with TemporaryDirectory(prefix="matcher-speed-") as folder:
            results = run(arguments, Path(folder))
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was written")
    text = section(results)
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(results), encoding="utf-8")
    if arguments.write:
        write_section(arguments.write, arguments.postings, text)


if __name__ == "__main__":
    main()
