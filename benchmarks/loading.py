"""How long opening a model takes: ours, verified or not, beside `joblib.load` and `numpy.load`.

    python benchmarks/loading.py                                    20 million entries, sentences from seeds/
    python benchmarks/loading.py 20000000 --source FOLDER --write docs/retraining.md

A model with so many words in its matrix (by posting; it is kept by term, too) is fitted on generated
postings and saved. The same matrices are written by joblib and by numpy: exactly our arrays, with the same
types. Beside that stands what scikit-learn's users keep: a fitted `TfidfVectorizer` and its matrix of floats.

Every load runs in a process of its own, over files that are in the disk's cache; systems take turns. The
clock starts after the imports; the totals of the processes are reported beside. What was loaded is then read
once, to the last entry, which shows that all hold the same, and what mapping has put off.
"""

import argparse
import json
import math
import multiprocessing
import os
import re
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from corpus import SEEDS, read_about, read_records, write_corpus
from memory import folder_size
from speed import describe_machine, report
from tables import table, write_section

TRIAL = 3_000
"""Postings fitted to learn how many entries one has."""

SPARE = 1.02
"""How many more postings are made than the trial says."""

_MATRIX = re.compile(r"(?P<matrix>.*\.by_(?:posting|term))\.(?P<part>starts|columns|counts)\.npy")

PRELUDE = """
import gc, json, os, sys, time
import numpy as np
{imports}
folder = sys.argv[1]
gc.collect()
start, cpu = time.perf_counter(), time.process_time()
loaded = {load}
seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
start = time.perf_counter()
matrices = {matrices}
entries = sum(len(columns) for columns, _ in matrices)
total = sum(int(a.sum(dtype="i8")) + float(b.sum(dtype="f8")) for a, b in matrices)
answer = {{"seconds": seconds, "cpu": cpu, "read": time.perf_counter() - start}}
print(json.dumps(answer | {{"entries": entries, "sum": total}}))
"""

OURS = {
    "imports": "from matcher import Matcher\nfrom loading import columns_and_counts",
    "matrices": "columns_and_counts(loaded)",
}
JOBLIB = {
    "imports": "import joblib, scipy.sparse, sklearn.feature_extraction.text",
    "matrices": "[(matrix.indices, matrix.data) for matrix in loaded[0]]",
}
NUMPY = {
    "imports": "",
    "matrices": "[(loaded[n[:-6] + 'columns'], loaded[n]) for n in loaded if n.endswith('counts')]",
}
NUMPY_LOAD = "{{n[:-4]: np.load(os.path.join(folder, n), mmap_mode={mode!r}) for n in os.listdir(folder)}}"


class Loading(NamedTuple):
    """One way of loading: the code, the folder under the one of all models, and what it makes sure of."""

    code: str
    folder: str
    verifies: str


def _joblib(file: str, mode: str | None) -> str:
    return PRELUDE.format(load=f"joblib.load(folder + '/{file}', mmap_mode={mode!r})", **JOBLIB)


NOTHING = "nothing; it can run code (pickle)"
LOADINGS: Mapping[str, Loading] = {
    "matcher, verified": Loading(
        PRELUDE.format(load="Matcher.load(folder)", **OURS),
        "model",
        "SHA-256, types, sizes, ranges, order",
    ),
    "matcher, verify=False": Loading(
        PRELUDE.format(load="Matcher.load(folder, verify=False)", **OURS),
        "model",
        "types, sizes, ranges, order",
    ),
    "joblib, same matrices": Loading(_joblib("matrices.joblib", None), "joblib", NOTHING),
    "joblib, same matrices, mapped": Loading(_joblib("matrices.joblib", "r"), "joblib", NOTHING),
    "joblib, same matrices and records": Loading(_joblib("records.joblib", None), "joblib", NOTHING),
    "joblib, TF-IDF and vectorizer": Loading(_joblib("tfidf.joblib", None), "joblib", NOTHING),
    "joblib, TF-IDF and vectorizer, mapped": Loading(_joblib("tfidf.joblib", "r"), "joblib", NOTHING),
    "numpy, same matrices": Loading(
        PRELUDE.format(load=NUMPY_LOAD.format(mode=None), **NUMPY), "numpy", "headers and sizes"
    ),
    "numpy, same matrices, mapped": Loading(
        PRELUDE.format(load=NUMPY_LOAD.format(mode="r"), **NUMPY), "numpy", "headers and sizes"
    ),
}
REFERENCE = "matcher, verified"
SAME = [name for name in LOADINGS if "TF-IDF" not in name]
"""Those that load the same entries, so that their sums must agree."""


def columns_and_counts(matcher: Any) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the columns and counts of every matrix of a matcher, wherever it keeps them."""
    from memory import find_arrays

    found: dict[str, dict[str, np.ndarray]] = {}
    seen = set()
    # What it ranks with, and not the table of files, in which the same arrays have other names.
    for name, array in find_arrays(matcher._snapshot, "matcher"):
        owner, _, part = name.rpartition(".")
        address = array.__array_interface__["data"][0]
        is_matrix = owner.endswith((".by_posting", ".by_term")) and part in ("columns", "counts")
        if is_matrix and len(array) and address not in seen:
            seen.add(address)
            found.setdefault(owner, {})[part] = array
    return [(parts["columns"], parts["counts"]) for parts in found.values()]


def stored_matrices(model: Path) -> dict[str, dict[str, np.ndarray]]:
    """Return the arrays of every matrix of a model on disk, mapped: columns, counts and starts by name."""
    generation = json.loads((model / "CURRENT").read_bytes())["generation"]
    matrices: dict[str, dict[str, np.ndarray]] = {}
    for path in sorted((model / f"gen-{generation:08d}").iterdir()):
        if match := _MATRIX.fullmatch(path.name):
            matrices.setdefault(match["matrix"], {})[match["part"]] = np.load(path, mmap_mode="r")
    return matrices


def make_model(corpus: Path, count: int, folder: Path) -> int:
    """Fit a model on `count` postings, save it, and return how many words its matrix holds by posting."""
    from matcher import Matcher, Posting
    from matcher.features import HashtagBlock, TextBlock

    postings = [Posting.from_record(record) for record in read_records(corpus, count)]
    Matcher.fit(postings, blocks=[TextBlock(0.7), HashtagBlock(0.3)], threads=2).save(folder)
    return sum(
        len(parts["counts"])
        for name, parts in stored_matrices(folder).items()
        if name.endswith("text.by_posting")
    )


def make_copies(model: Path, folder: Path) -> None:
    """Write the matrices of a model with numpy and with joblib, and with the postings' records beside."""
    import joblib
    from scipy.sparse import csr_matrix

    arrays = stored_matrices(model)
    matrices = []
    for name, parts in arrays.items():
        block, _, order = name.rpartition(".")
        transposed = arrays[f"{block}.by_term" if order == "by_posting" else f"{block}.by_posting"]
        shape = len(parts["starts"]) - 1, len(transposed["starts"]) - 1
        plain = (np.array(parts[part]) for part in ("counts", "columns", "starts"))
        matrices.append(csr_matrix(tuple(plain), shape=shape))
        for part, array in parts.items():
            np.save(folder / "numpy" / f"{name}.{part}.npy", array)
    joblib.dump((matrices,), folder / "joblib" / "matrices.joblib")
    [records] = model.glob("gen-*/*postings.records.txt")
    texts = np.fromfile(records, np.uint8)
    joblib.dump((matrices, texts), folder / "joblib" / "records.joblib")


def make_tfidf(corpus: Path, count: int, folder: Path) -> tuple[int, str]:
    """Fit `TfidfVectorizer` as it comes, write it with its matrix; return its entries and their type."""
    import joblib
    from peers import TextBuilder
    from sklearn.feature_extraction.text import TfidfVectorizer

    builder = TextBuilder()
    builder.read(corpus, count)
    vectorizer = TfidfVectorizer()
    matrix = vectorizer.fit_transform(builder.texts)
    joblib.dump(([matrix], vectorizer), folder / "joblib" / "tfidf.joblib")
    return matrix.nnz, str(matrix.dtype)


def alone(function: Any, *arguments: Any) -> Any:
    """Call a function in a process of its own, which gives its memory back."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def prepare(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Make everything that will be loaded; return what is worth knowing about it."""
    corpus = arguments.corpus or folder / "corpus.jsonl"
    if not corpus.exists():
        report("generating postings for a trial")
        write_corpus(corpus, arguments.source, TRIAL, 0)
        each = alone(make_model, corpus, TRIAL, folder / "trial") / TRIAL
        count = math.ceil(arguments.entries / each * SPARE)
        report(f"generating {count:,} postings")
        write_corpus(corpus, arguments.source, count, 0)
    about = read_about(corpus)
    for name in ("joblib", "numpy"):
        (folder / name).mkdir()
    report(f"fitting {about['postings']:,} postings")
    entries = alone(make_model, corpus, about["postings"], folder / "model")
    if entries < arguments.entries:
        raise SystemExit(f"{corpus}: its words make {entries:,} entries only; take another file")
    report("writing copies with joblib and numpy")
    alone(make_copies, folder / "model", folder)
    report("fitting TfidfVectorizer")
    floats, dtype = alone(make_tfidf, corpus, about["postings"], folder)
    os.sync()  # what is still to be written must not disturb
    disk = {name: folder_size(folder / name) for name in ("model", "numpy")}
    disk |= {path.name: path.stat().st_size for path in (folder / "joblib").iterdir()}
    [records] = (folder / "model").glob("gen-*/*postings.records.txt")
    return about | {
        "entries": entries,
        "tfidf": [floats, dtype],
        "disk": disk,
        "records": records.stat().st_size,
    }


def run(loading: Loading, folder: Path) -> dict[str, float]:
    """Load once in a fresh process; return its own times and the totals of the process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", loading.code, str(folder / loading.folder)],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=Path(__file__).parent,  # where the programs find `loading`
    )
    total = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"loading failed: {done.stderr.strip()[-500:]}")
    process = {
        "total": total,
        "total_cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }
    return json.loads(done.stdout) | process


def measure(folder: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Let all load in turn, in another order every round; the first round warms the disk's cache."""
    order = np.random.default_rng(0)
    results: dict[str, list[dict[str, float]]] = {name: [] for name in LOADINGS}
    sums: dict[tuple[float, float], str] = {}
    for number in range(rounds + 1):
        report(f"loading, round {number} of {rounds}")
        for place in order.permutation(len(LOADINGS)):
            name = list(LOADINGS)[place]
            result = run(LOADINGS[name], folder)
            if name in SAME:
                sums.setdefault((result["entries"], result["sum"]), name)
            if len(sums) > 1:
                raise SystemExit(f"not all loaded the same matrices: {sums}")
            if number:
                results[name].append(result)
    return results


def loading_table(results: Mapping[str, Any]) -> str:
    """Medians, spread, and how often the verified load was the faster one of the same round."""
    reference = np.array([one["seconds"] for one in results["times"][REFERENCE]])
    rows = []
    for name, times in results["times"].items():
        columns = {key: np.array([one[key] for one in times]) for key in times[0]}
        seconds = columns["seconds"] * 1e3
        won = int(np.count_nonzero(columns["seconds"] > reference))
        rows.append(
            [
                name,
                f"{np.median(seconds):.1f}",
                f"{seconds.min():.1f}",
                f"{seconds.max():.1f}",
                f"{np.median(columns['cpu']) * 1e3:.1f}",
                f"{np.median(columns['seconds']) / np.median(reference):.2f}x",
                "" if name == REFERENCE else f"{won} of {len(times)}",
                f"{np.median(columns['read']) * 1e3:.1f}",
                f"{np.median(columns['total']):.2f}",
                LOADINGS[name].verifies,
            ]
        )
    headings = ["loading, warm, ms", "median", "least", "most", "CPU", "matcher, verified, is faster by"]
    headings += ["verified was faster in", "then reading all", "whole process, s", "what is made sure of"]
    return table(headings, rows)


def section(results: Mapping[str, Any]) -> str:
    """Return everything as Markdown."""
    about, disk = results["about"], results["about"]["disk"]
    source = "" if about["seeds"] else " --source FOLDER"
    floats, dtype = about["tfidf"]
    return "\n\n".join(
        [
            f"## Loading {results['asked']:,} entries",
            f"`python benchmarks/loading.py {results['asked']}{source} --write docs/retraining.md`. "
            f"{results['machine']}. {about['postings']:,} postings with {about['entries']:,} entries of "
            f"words by posting, kept by term as well; the model takes {disk['model'] / 1e6:,.0f} MB, "
            f"of these {about['records'] / 1e6:,.0f} are the postings' records, the matrices alone "
            f"{disk['numpy'] / 1e6:,.0f} MB as .npy and {disk['matrices.joblib'] / 1e6:,.0f} as joblib "
            f"writes them. `TfidfVectorizer` as it comes makes {floats:,} entries of {dtype} "
            f"({disk['tfidf.joblib'] / 1e6:,.0f} MB with its vocabulary), in one order. Medians of "
            f"{results['rounds']} rounds, taking turns, each load in a process of its own; load "
            f"average {results['load']:.1f} at the end.",
            loading_table(results),
            "The row to compare with is *joblib, same matrices*: it reads no records, which the model holds "
            "as well. *joblib, same matrices and records* reads them, too, as one array of bytes. What is "
            "mapped is read when it is used: see *then reading all* (sums of all columns and counts). "
            "Neither `joblib.load` nor `numpy.load` notices changed bytes.",
        ]
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Measure how long opening a model takes.")
    parser.add_argument("entries", type=int, nargs="?", default=20_000_000)
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--corpus", type=Path, help="file of postings to take, or to keep them in")
    parser.add_argument("--json", type=Path, help="file to write all times to")
    parser.add_argument("--write", type=Path, help="document whose section of this size to write")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    with TemporaryDirectory(prefix="matcher-loading-") as name:
        about = prepare(arguments, Path(name))
        times = measure(Path(name), arguments.rounds)
        busy = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    results = {
        "load": busy,
        "asked": arguments.entries,
        "rounds": arguments.rounds,
        "machine": describe_machine(),
        "about": about,
        "times": times,
    }
    text = section(results)
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(results), encoding="utf-8")
    if arguments.write:
        if not arguments.write.exists():
            arguments.write.write_text("# Retraining\n", encoding="utf-8")
        write_section(arguments.write, arguments.entries, text)


if __name__ == "__main__":
    main()
