"""Systems that take in postings and publish what they learned: ours, and what scikit-learn offers.

    python benchmarks/retrainers.py retrain NAME        commands: start, retrain, rank (see `worker.py`)

Each is given the same postings in memory, in the same rounds. What counts as published lies on disk, synced,
under a name that appears at once. scikit-learn cannot learn idf from new texts alone (`TfidfVectorizer` has
no `partial_fit`), so a refit reads all texts again. *Tuned* splits texts with one compiled expression, which
makes the same words, and keeps float32.

Two ways around a refit, written by hand as users would, are measured, too. *Counts kept* holds the counts of
all texts in memory, counts the new ones with a `CountVectorizer`, appends their new words to the vocabulary,
and lets `TfidfTransformer` weigh everything again: exact, but words that no posting has any more stay.
*Hashed counts kept* does so with `HashingVectorizer`, which has no vocabulary to extend: words that share a
hash become one, and no word can be named in an explanation. Both publish weights and not the counts, which
would have to be counted again after a restart. None of scikit-learn's keeps records, hashtags or columns for
filters.
"""

import gc
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from corpus import read_cvs
from memory import process_memory
from system import K

KEEP = 3
"""Generations that ours leaves on disk."""

ADDED, UPDATED = 0.6, 0.3
"""Shares of new and replaced postings in a mixed round; the rest of the postings are removed ones."""

Scores = list[tuple[Any, str]]
"""What is recommended and its score, written so that not a bit is lost."""


class News(NamedTuple):
    """Postings of one round: records with their ids."""

    added: list[dict[str, Any]]
    updated: list[dict[str, Any]]
    removed: list[str]


class Stream:
    """The postings to start from, and then those of round after round: the same for every system.

    Ids are scattered, so that new postings belong anywhere between old ones.
    """

    def __init__(self, corpus: Path, postings: int, size: int) -> None:
        self.corpus, self.postings, self.size = corpus, postings, size
        self.held = [scattered_id(number) for number in range(postings)]
        self._next, self._round = postings, 0

    def start(self) -> Iterator[dict[str, Any]]:
        """Yield the records to start from."""
        return self._records(0, self.postings)

    def _records(self, first: int, count: int) -> Iterator[dict[str, Any]]:
        with self.corpus.open(encoding="utf-8") as file:
            for number, line in enumerate(islice(file, first, first + count), first):
                yield json.loads(line) | {"id": scattered_id(number)}

    def news(self, *, mixed: bool) -> News:
        """Return the next round: all new, or with replaced and removed postings among them."""
        added = round(self.size * ADDED) if mixed else self.size
        updated = round(self.size * UPDATED) if mixed else 0
        records = list(self._records(self._next, added + updated))
        if len(records) < added + updated:
            raise ValueError(f"{self.corpus}: too short for another round")
        rng = np.random.default_rng(self._round)
        chosen = rng.choice(len(self.held), self.size - added, replace=False).tolist()
        ids = [self.held[place] for place in chosen]
        changed = [record | {"id": id_} for record, id_ in zip(records[added:], ids, strict=False)]
        gone = set(ids[updated:])
        self.held = [id_ for id_ in self.held if id_ not in gone]
        self.held += [record["id"] for record in records[:added]]
        self._next += added + updated
        self._round += 1
        return News(records[:added], changed, ids[updated:])


def scattered_id(number: int) -> str:
    """Return an id that says nothing of the order postings came in."""
    return "posting-" + hashlib.blake2b(str(number).encode(), digest_size=6).hexdigest()


class Retrainer(Protocol):
    """Takes in postings and publishes, again and again."""

    def start(self, stream: Stream, folder: Path) -> None:
        """Be ready for the first round; `folder` holds a model of ours already."""

    def prepare(self, news: News) -> Any:
        """Return a round as the system takes it; not timed."""

    def retrain(self, news: Any, clock: Callable[[str], Any]) -> None:
        """Take a round in and publish; every step is under the clock."""

    def rank(self, texts: Sequence[str]) -> list[Scores]:
        """Return the ten best for each text."""


class Ours:
    """A model opened from its folder: `add`, `update` and `remove`, `refit`, `save`."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def start(self, stream: Stream, folder: Path) -> None:
        from matcher import Matcher

        self.folder = folder
        self.matcher = Matcher.open(folder, engine=self.engine)

    def prepare(self, news: News) -> Any:
        from matcher import Posting

        added, updated = ([Posting.from_record(record) for record in part] for part in news[:2])
        return added, updated, news.removed

    def retrain(self, news: Any, clock: Callable[[str], Any]) -> None:
        added, updated, removed = news
        with clock("add"):
            changes = self.matcher.add(added)
            if updated:
                changes |= self.matcher.update(updated)
            if removed:
                changes |= self.matcher.remove(removed)
        with clock("refit"):
            self.matcher.refit()
        with clock("save"):
            self.matcher.save(self.folder, keep=KEEP)
        sizes = [len(part) for part in (changes.added, changes.changed, changes.removed)]
        assert sizes == [len(part) for part in news], sizes

    def rank(self, texts: Sequence[str]) -> list[Scores]:
        return rankings(self.matcher, texts)

    def rank_loaded(self, texts: Sequence[str]) -> list[Scores]:
        """Return what a process that opens the folder now would recommend."""
        from matcher import Matcher

        return rankings(Matcher.load(self.folder, engine=self.engine), texts)


def rankings(matcher: Any, texts: Sequence[str]) -> list[Scores]:
    return [[(item.posting.id, item.score.hex()) for item in matcher.recommend(text, K)] for text in texts]


class OursWhole:
    """`Matcher.fit` of all postings, and `save`."""

    def __init__(self, engine: str) -> None:
        self.engine = engine

    def start(self, stream: Stream, folder: Path) -> None:
        from matcher import Posting

        self.folder = folder
        self.postings = {record["id"]: Posting.from_record(record) for record in stream.start()}

    def prepare(self, news: News) -> Any:
        from matcher import Posting

        for record in (*news.added, *news.updated):
            self.postings[record["id"]] = Posting.from_record(record)
        for id_ in news.removed:
            del self.postings[id_]
        return list(self.postings.values())

    def retrain(self, news: Any, clock: Callable[[str], Any]) -> None:
        from matcher import Matcher
        from matcher.features import HashtagBlock, TextBlock

        threads, blocks = 2 if self.engine == "fast" else 1, [TextBlock(0.7), HashtagBlock(0.3)]
        with clock("fit"):
            self.matcher = Matcher.fit(news, blocks=blocks, engine=self.engine, threads=threads)
        with clock("save"):
            self.matcher.save(self.folder, keep=KEEP)

    def rank(self, texts: Sequence[str]) -> list[Scores]:
        return rankings(self.matcher, texts)


class ScikitLearn:
    """Texts by id in memory; what was learned goes to one file by joblib."""

    matrix: Any
    ids: list[str]

    def start(self, stream: Stream, folder: Path) -> None:
        self.file = folder / "published.joblib"
        self.texts = {record["id"]: text_of(record) for record in stream.start()}

    def prepare(self, news: News) -> Any:
        for record in (*news.added, *news.updated):
            self.texts[record["id"]] = text_of(record)
        for id_ in news.removed:
            del self.texts[id_]
        self.ids = list(self.texts)
        return list(self.texts.values())

    def retrain(self, news: Any, clock: Callable[[str], Any]) -> None:
        with clock("fit_transform"):
            self.vectorizer = self.make()
            self.matrix = self.vectorizer.fit_transform(news)
        self.publish((self.vectorizer, self.matrix), clock)

    def make(self) -> Any:
        """Return the vectorizer to fit."""
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer()

    def publish(self, value: Any, clock: Callable[[str], Any]) -> None:
        """Write a value beside the published one, and put it in its place."""
        import joblib

        part = self.file.with_suffix(".part")
        with clock("joblib.dump"):
            joblib.dump(value, part)
        with clock("sync"):
            for path in (part, part.parent):
                descriptor = os.open(path, os.O_RDONLY)
                os.fsync(descriptor)
                os.close(descriptor)
                if path == part:
                    part.replace(self.file)

    def transform(self, texts: Sequence[str]) -> Any:
        return self.vectorizer.transform(texts)

    def rank(self, texts: Sequence[str]) -> list[Scores]:
        scores = (self.matrix @ self.transform(texts).T).toarray().T
        ids = np.array(self.ids)
        best = [np.lexsort((ids, -row))[:K] for row in scores]
        return [
            [(str(ids[place]), float(row[place]).hex()) for place in places]
            for places, row in zip(best, scores, strict=True)
        ]


WORD = re.compile(r"(?u)\b\w\w+\b")


def words_of(text: str) -> list[str]:
    """Return what `TfidfVectorizer` makes of a text by default, without asking at each step what to do."""
    return WORD.findall(text.lower())


class ScikitLearnTuned(ScikitLearn):
    """The same in the quickest settings that we know of."""

    def make(self) -> Any:
        from sklearn.feature_extraction.text import TfidfVectorizer

        return TfidfVectorizer(analyzer=words_of, dtype=np.float32)


class CountsKept(ScikitLearn):
    """Counts of old texts are kept, only the new ones are counted, everything is weighed again."""

    def start(self, stream: Stream, folder: Path) -> None:
        super().start(stream, folder)
        self.ids = list(self.texts)
        self.counts = self.count(list(self.texts.values()))

    def count(self, texts: list[str]) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(analyzer=words_of, dtype=np.int32)
        counts = counter.fit_transform(texts)
        words = sorted(counter.vocabulary_, key=counter.vocabulary_.__getitem__)
        if not hasattr(self, "vocabulary"):
            self.vocabulary: dict[str, int] = {}
        places = [self.vocabulary.setdefault(word, len(self.vocabulary)) for word in words]
        counts.indices = np.array(places, np.int32)[counts.indices]
        counts.resize(counts.shape[0], len(self.vocabulary))
        return counts

    def prepare(self, news: News) -> Any:
        return [text_of(record) for record in (*news.added, *news.updated)], news

    def retrain(self, news: Any, clock: Callable[[str], Any]) -> None:
        from scipy.sparse import vstack
        from sklearn.feature_extraction.text import TfidfTransformer

        texts, (added, updated, removed) = news
        with clock("count"):
            new = self.count(texts)
        with clock("put together"):
            gone = {record["id"] for record in updated} | set(removed)
            if gone:
                kept = [place for place, id_ in enumerate(self.ids) if id_ not in gone]
                self.ids = [self.ids[place] for place in kept]
                self.counts = self.counts[kept]
            self.ids += [record["id"] for record in (*added, *updated)]
            self.counts.resize(self.counts.shape[0], new.shape[1])
            self.counts = vstack([self.counts, new], format="csr")
        with clock("weigh"):
            self.transformer = TfidfTransformer()
            self.matrix = self.transformer.fit_transform(self.counts)
        self.publish(self.learned(), clock)

    def learned(self) -> Any:
        return self.vocabulary, self.transformer, self.matrix

    def transform(self, texts: Sequence[str]) -> Any:
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(analyzer=words_of, vocabulary=self.vocabulary)
        return self.transformer.transform(counter.transform(texts))


class HashedCountsKept(CountsKept):
    """The same without a vocabulary."""

    def count(self, texts: list[str]) -> Any:
        from sklearn.feature_extraction.text import HashingVectorizer

        self.hashing = HashingVectorizer(
            analyzer=words_of, alternate_sign=False, norm=None, dtype=np.float32, n_features=1 << 20
        )
        return self.hashing.transform(texts)

    def learned(self) -> Any:
        return self.hashing, self.transformer, self.matrix

    def transform(self, texts: Sequence[str]) -> Any:
        return self.transformer.transform(self.hashing.transform(texts))


def text_of(record: Mapping[str, Any]) -> str:
    return f"{record['title']}\n{record['body']}"


FAST, BASE = "matcher [fast]", "matcher base"
FAST_WHOLE, BASE_WHOLE = "matcher [fast], everything anew", "matcher base, everything anew"
REFIT, TUNED = "TfidfVectorizer, refit", "TfidfVectorizer, refit, tuned"
COUNTS, HASHED = "scikit-learn by hand, counts kept", "scikit-learn by hand, hashed counts kept"

FRESH = {f"{name}, fresh process": name for name in (FAST, BASE)}
"""Rows of processes that open the model, take in one round, publish, and end."""

RETRAINERS: Mapping[str, Callable[[], Retrainer]] = {
    FAST: lambda: Ours("fast"),
    BASE: lambda: Ours("base"),
    FAST_WHOLE: lambda: OursWhole("fast"),
    BASE_WHOLE: lambda: OursWhole("base"),
    REFIT: ScikitLearn,
    TUNED: ScikitLearnTuned,
    COUNTS: CountsKept,
    HASHED: HashedCountsKept,
}


class RetrainWorker:
    """Runs one system; the clock is here."""

    def __init__(self, name: str) -> None:
        self.retrainer = RETRAINERS[FRESH.get(name, name)]()

    def start(self, corpus: str, postings: int, size: int, folder: str, past: list[bool]) -> dict[str, Any]:
        """Be ready for the round after those of the `past` (mixed or not), which others have seen already."""
        self.folder, self.cvs = Path(folder), read_cvs(Path(corpus))
        self.stream = Stream(Path(corpus), postings, size)
        for mixed in past:
            self.stream.news(mixed=mixed)
        start, cpu = time.perf_counter(), time.process_time()
        self.retrainer.start(self.stream, self.folder)
        return {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}

    def retrain(self, mixed: bool) -> dict[str, Any]:
        """Take in the next round and publish it."""
        news = self.retrainer.prepare(self.stream.news(mixed=mixed))
        before = inodes(self.folder)
        steps: dict[str, float] = {}

        @contextmanager
        def clock(step: str) -> Iterator[None]:
            begin = time.perf_counter()
            yield
            steps[step] = steps.get(step, 0.0) + time.perf_counter() - begin

        gc.collect()
        start, cpu = time.perf_counter(), time.process_time()
        self.retrainer.retrain(news, clock)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        after = inodes(self.folder)
        written = sum(size for inode, size in after.items() if inode not in before)
        start = time.perf_counter()
        self.retrainer.rank(self.cvs[:1])
        first = time.perf_counter() - start
        return {
            "seconds": seconds,
            "cpu": cpu,
            "steps": steps,
            "written": written,
            "first": first,
            "peak": process_memory().get("VmHWM", 0),
        }

    def rank(self, cvs: int, loaded: bool) -> dict[str, Any]:
        """Return rankings of the first CVs, from memory or from what lies on disk."""
        rank = self.retrainer.rank_loaded if loaded else self.retrainer.rank
        return {"rankings": rank(self.cvs[:cvs])}


def inodes(folder: Path) -> dict[int, int]:
    """Return the sizes of all files under a folder by inode: linked ones count once."""
    return {info.st_ino: info.st_size for info in _stats(folder.rglob("*"))}


def _stats(paths: Iterable[Path]) -> list[os.stat_result]:
    return [path.stat() for path in paths if path.is_file()]


if __name__ == "__main__":
    from worker import answer_commands

    answer_commands(lambda: RetrainWorker(sys.argv[2]))
