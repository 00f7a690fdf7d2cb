"""From process start to ten recommendations: fresh processes over files that are in the disk's cache.

scikit-learn is measured as `NearestNeighbors` and as the quicker ``X @ q`` with a dense q, each with the
matrix read and mapped (``mmap_mode="r"``): importing it takes most of the time, 1.1 of 1.1 to 1.5 seconds at
30,000 postings. bm25s uses its numpy backend: the numba one compiles for seconds in every process.
"""

import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

TIMES = 5

OURS = """
import sys
from matcher import Matcher
matcher = Matcher.load(sys.argv[1], verify={verify})
print(len(matcher.recommend(sys.stdin.read())))
"""

NEIGHBORS = """
import sys, joblib
vectorizer, neighbors = joblib.load(sys.argv[1] + "/neighbors.joblib", mmap_mode={mode!r})
print(len(neighbors.kneighbors(vectorizer.transform([sys.stdin.read()]), return_distance=False)[0]))
"""

PRODUCT = """
import sys, joblib, numpy
vectorizer, matrix = joblib.load(sys.argv[1] + "/by_posting.joblib", mmap_mode={mode!r})
scores = matrix @ vectorizer.transform([sys.stdin.read()]).toarray().ravel()
best = numpy.argpartition(scores, -10)[-10:]
print(len(best[numpy.argsort(-scores[best])]))
"""

BM25S = """
import sys, bm25s
retriever = bm25s.BM25.load(sys.argv[1], mmap=True)
tokens = bm25s.tokenize([sys.stdin.read()], stopwords="en", show_progress=False)
print(len(retriever.retrieve(tokens, k=10, show_progress=False).documents[0]))
"""

TANTIVY = """
import re, sys, tantivy
index = tantivy.Index.open(sys.argv[1])
words = dict.fromkeys(re.findall(r"\\w+", sys.stdin.read().lower()))
term = lambda word: tantivy.Query.term_query(index.schema, "body", word, index_option="freq")
query = tantivy.Query.boolean_query([(tantivy.Occur.Should, term(word)) for word in words])
searcher = index.searcher()
print(len([searcher.doc(address)["row"][0] for _, address in searcher.search(query, 10).hits]))
"""

PROGRAMS = {
    "matcher, verified": ("matcher", OURS.format(verify=True)),
    "matcher, verify=False": ("matcher", OURS.format(verify=False)),
    "scikit-learn + joblib, NearestNeighbors": ("TfidfVectorizer", NEIGHBORS.format(mode=None)),
    "scikit-learn + joblib, NearestNeighbors, mapped": ("TfidfVectorizer", NEIGHBORS.format(mode="r")),
    "scikit-learn + joblib, X @ q": ("TfidfVectorizer", PRODUCT.format(mode=None)),
    "scikit-learn + joblib, X @ q, mapped": ("TfidfVectorizer", PRODUCT.format(mode="r")),
    "bm25s numpy, mapped": ("bm25s", BM25S),
    "tantivy": ("tantivy", TANTIVY),
}
"""Each program with the builder whose files it loads."""


def run(code: str, folder: Path, cv: str) -> tuple[float, float]:
    """Return seconds on the clock and of CPU that a program takes, from start to end of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)], input=cv, capture_output=True, encoding="utf-8", check=True
    )
    seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert int(done.stdout) == 10, done.stdout
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(
    folders: Mapping[str, Path], cv: str
) -> tuple[dict[str, list[tuple[float, float]]], dict[str, str]]:
    """Return seconds and CPU seconds of each program, one after the other, and why programs failed."""
    programs = {name: entry for name, entry in PROGRAMS.items() if entry[0] in folders}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    failed = {}
    for number in range(TIMES + 1):
        for name, (builder, code) in programs.items():
            if name in failed:
                continue
            try:
                used = run(code, folders[builder], cv)
            except subprocess.CalledProcessError as error:
                failed[name] = error.stderr.strip().splitlines()[-1]
                continue
            if number:  # the first brings files into the disk's cache
                times[name].append(used)
    return {name: used for name, used in times.items() if used}, failed
