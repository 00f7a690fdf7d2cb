"""A process for one system: takes commands as JSON lines, answers each with a JSON line.

    python benchmarks/worker.py build NAME          commands: read, build, save
    python benchmarks/worker.py serve NAME          commands: load, choose, call, batch, memory

Clocks run here, around the call alone, so that the pipes cost nothing. The coordinator is `speed.py`.
"""

import gc
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import ours
import peers
from corpus import read_cvs
from memory import array_sizes, folder_size, process_memory, release_mapped, resident_files
from system import Builder, Server

BUILDERS: Mapping[str, Callable[[], Builder]] = {
    "matcher": ours.MatcherBuilder,
    "matcher, words alone": ours.TextOnlyBuilder,
    "matcher, words alone, 2 threads": ours.TextOnlyInThreads,
    "TfidfVectorizer": peers.TfidfBuilder,
    "bm25s": peers.Bm25sBuilder,
    "tantivy": peers.TantivyBuilder,
    "SQLite FTS5": peers.SqliteBuilder,
}

SERVERS: Mapping[str, tuple[str, Callable[[Path], Server]]] = {
    "matcher [fast]": ("matcher", ours.serve_fast),
    "matcher base": ("matcher", ours.serve_base),
    "NearestNeighbors": ("TfidfVectorizer", peers.serve_nearest_neighbors),
    "X @ q": ("TfidfVectorizer", peers.serve_matrix_product),
    "q @ X.T": ("TfidfVectorizer", peers.serve_transposed_product),
    "sparse_dot_topn": ("TfidfVectorizer", peers.serve_sparse_dot_topn),
    "bm25s numba": ("bm25s", partial(peers.serve_bm25s, "numba")),
    "bm25s numpy": ("bm25s", partial(peers.serve_bm25s, "numpy")),
    "tantivy": ("tantivy", peers.serve_tantivy),
    "SQLite FTS5": ("SQLite FTS5", peers.serve_sqlite),
}
"""Each server with the builder whose files it loads."""

WARM_UP = 200
"""Postings indexed before timing, so that imports and compiled code are there."""


class BuildWorker:
    """Indexes texts, as often as asked."""

    def __init__(self, name: str) -> None:
        self.builder = BUILDERS[name]()

    def read(self, corpus: str, folder: str) -> dict[str, Any]:
        """Index a few postings for a start, then bring all of them into memory."""
        self.folder = Path(folder)
        self.builder.read(Path(corpus), WARM_UP)
        self.build()
        self.builder.read(Path(corpus))
        return {}

    def build(self) -> dict[str, Any]:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        start, cpu = time.perf_counter(), time.process_time()
        self.builder.build(self.folder)
        return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}

    def save(self) -> dict[str, Any]:
        about = self.builder.save(self.folder)
        return {"disk": folder_size(self.folder), "peak": process_memory().get("VmHWM")} | about


class ServeWorker:
    """Ranks CVs, which are named by their number in the corpus."""

    def __init__(self, name: str) -> None:
        self.make = SERVERS[name][1]

    def load(self, corpus: str, folder: str) -> dict[str, Any]:
        """Open the index, and return the labels of calls, and of batches with their ways."""
        self.cvs, self.folder = read_cvs(Path(corpus)), Path(folder)
        self.empty = process_memory()
        self.server = self.make(Path(folder))
        self.loaded = process_memory()
        release_mapped(self.server.arrays())
        self.calls = {label: dict(ways) for label, ways in self.server.calls.items()}
        batches = {label: list(ways) for label, ways in self.server.batches.items()}
        return {"calls": list(self.calls), "batches": batches}

    def choose(self, cvs: Sequence[int]) -> dict[str, Any]:
        """Try the ways of each call, keep the quickest, and return their median seconds."""
        tried = {}
        for label, ways in self.calls.items():
            if len(ways) > 1:
                tried[label] = {way: self._try(label, search, cvs) for way, search in ways.items()}
                best = min(ways, key=tried[label].__getitem__)
                self.calls[label] = {best: ways[best]}
        return tried

    def _try(self, label: str, search: Callable[[Any], Any], cvs: Sequence[int]) -> float:
        seconds = [self._time(label, search, cv)["seconds"] for cv in cvs]
        return float(np.median(seconds[1:]))

    def call(self, label: str, cv: int) -> dict[str, Any]:
        [search] = self.calls[label].values()
        return self._time(label, search, cv)

    def _time(self, label: str, search: Callable[[Any], Any], cv: int) -> dict[str, Any]:
        prepare = self.server.prepare.get(label, str)
        argument = prepare(self.cvs[cv])
        gc.disable()
        start = time.perf_counter()
        ids = search(argument)
        seconds = time.perf_counter() - start
        gc.enable()
        return {"seconds": seconds, "ids": ids}

    def batch(self, label: str, way: str, count: int, sample: int) -> dict[str, Any]:
        """Rank the first `count` CVs together, and return the ids of the first few."""
        search_many = self.server.batches[label][way]
        start, cpu = time.perf_counter(), time.process_time()
        found = search_many(self.cvs[:count])
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {"seconds": seconds, "cpu": cpu, "ids": found[:sample]}

    def memory(self) -> dict[str, Any]:
        gc.collect()
        return {
            "empty": self.empty,
            "loaded": self.loaded,
            "ranking": process_memory(),
            "files": resident_files(self.folder),
            "arrays": array_sizes(self.server.arrays()),
        }


def answer_commands(make: Callable[[], Any]) -> None:
    """Answer commands until there are no more, each with a method of what `make` returns."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what packages print must not look like an answer
    worker = make()
    for line in sys.stdin:
        command, arguments = json.loads(line)
        try:
            answer = getattr(worker, command)(**arguments)
        except Exception as error:  # noqa: BLE001 - the coordinator reports it and leaves the system out
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def main() -> None:
    """Build or serve."""
    kind, name = sys.argv[1:]
    answer_commands(lambda: (BuildWorker if kind == "build" else ServeWorker)(name))


if __name__ == "__main__":
    main()
