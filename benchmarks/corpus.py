"""Corpora of any size for benchmarks: real sentences recombined within a topic, heavy-tailed.

    python benchmarks/corpus.py FILE 1000000 --source FOLDER        writes FILE and FILE.cvs

Sentences come from a folder: Markdown postings, or ``.jsonl``, ``.csv``, ``.txt`` files (also ``.gz``) whose
long fields are taken as text. Documents are grouped into topics by their words; a new posting takes 35 % of
its sentences from one document, 45 % from its topic and 20 % from anywhere, until its length is reached
(log-normal around 350 words). About 1 % of the words are replaced by invented ones drawn from an open,
heavy-tailed set, so that the vocabulary grows with the corpus as real ones do (names, misspellings).

A corpus on disk is two files: posting records as JSON Lines, written and read one at a time, and beside it
the CVs, after a line that says what the corpus is.
"""

import argparse
import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from matcher import read_postings
from matcher.text import markdown_to_text, repair

SEEDS = Path(__file__).parent.parent / "seeds"
TOPICS = 40
CHUNK = 1_000
"""Postings whose random numbers are drawn together; another size gives another corpus."""

SHORTEST_TEXT = 200
_SENTENCE = re.compile(r"(?<=[.!?;:])\s+|\n+|\s•\s")


def read_documents(folder: Path) -> list[tuple[list[str], list[str]]]:
    """Return the documents of a folder, each as its sentences and its hashtags."""
    documents = []
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".md":
            documents += [
                (posting.title + ".\n" + markdown_to_text(posting.body), list(posting.hashtags))
                for posting in read_postings(path)
            ]
        elif path.name.removesuffix(".gz").endswith((".jsonl", ".csv", ".txt")):
            documents += [(text, []) for text in _long_texts(path)]
    split = [
        ([part.strip() for part in _SENTENCE.split(text) if len(part.split()) > 2], t)
        for text, t in documents
    ]
    return [(sentences, tags) for sentences, tags in split if len(sentences) > 3]


def _long_texts(path: Path) -> Iterator[str]:
    opener = gzip.open if path.suffix == ".gz" else open
    kind = path.name.removesuffix(".gz").rsplit(".", 1)[-1]
    csv.field_size_limit(sys.maxsize)
    with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as file:
        if kind == "txt":
            yield file.read()
            return
        rows = map(json.loads, file) if kind == "jsonl" else csv.DictReader(file)
        for row in rows:
            text = "\n".join(v for v in row.values() if isinstance(v, str) and len(v) >= SHORTEST_TEXT)
            if text:
                yield repair(text)


class Corpus:
    """Draws posting records and CVs from the documents of a folder. The same seed gives the same ones."""

    def __init__(self, folder: Path) -> None:
        from sklearn.cluster import MiniBatchKMeans
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer

        self.documents = read_documents(folder)
        if not self.documents:
            raise SystemExit(f"{folder}: no text to draw from")
        texts = [" ".join(sentences) for sentences, _ in self.documents]
        matrix = TfidfVectorizer(max_df=0.3).fit_transform(texts)
        reduced = TruncatedSVD(min(50, matrix.shape[0] - 1), random_state=0).fit_transform(matrix)
        topics = min(TOPICS, len(texts) // 4 + 1)
        self.topic = MiniBatchKMeans(topics, random_state=0, n_init=3).fit_predict(reduced)
        self.sentences = [sentence for sentences, _ in self.documents for sentence in sentences]
        self.words = [len(sentence.split()) for sentence in self.sentences]
        self.sizes = np.array([len(sentences) for sentences, _ in self.documents])
        self.starts = np.cumsum(self.sizes) - self.sizes
        topic_of_sentence = np.repeat(self.topic, self.sizes)
        self.by_topic = np.argsort(topic_of_sentence, kind="stable")
        self.topic_sizes = np.bincount(topic_of_sentence, minlength=topics)
        self.topic_starts = np.cumsum(self.topic_sizes) - self.topic_sizes
        tags = {tag for _, document_tags in self.documents for tag in document_tags}
        self.tags = sorted(tags) or [f"tag{number}" for number in range(800)]
        shares = 1 / np.arange(1, len(self.tags) + 1)
        self.tag_shares = shares / shares.sum()

    def _choose(self, rng: np.random.Generator, documents: np.ndarray, counts: np.ndarray) -> list[list[int]]:
        """Return as many sentences as `counts` says for each document: of its own, its topic's, any."""
        kind, place = rng.random((2, int(counts.sum())))
        document = np.repeat(documents, counts)
        topic = self.topic[document]
        own = self.starts[document] + (place * self.sizes[document]).astype(int)
        related = self.by_topic[self.topic_starts[topic] + (place * self.topic_sizes[topic]).astype(int)]
        anywhere = (place * len(self.sentences)).astype(int)
        chosen = np.where(kind < 0.35, own, np.where(kind < 0.8, related, anywhere)).tolist()
        ends = np.cumsum(counts).tolist()
        return [chosen[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True)]

    def _texts(
        self, rng: np.random.Generator, documents: np.ndarray, words: np.ndarray, invented: float
    ) -> list[str]:
        """Return a text for each document, with at least so many words where its sentences suffice."""
        chosen = self._choose(rng, documents, words // 8 + 8)
        made_up = rng.poisson(words * invented)
        values = np.minimum((1 - rng.random(int(made_up.sum()))) ** (-1 / 0.35), 2e9).tolist()
        places = rng.random(len(values)).tolist()
        texts = []
        for sentences, least, count in zip(chosen, words.tolist(), made_up.tolist(), strict=True):
            parts = self._first_sentences(sentences, least)
            for _ in range(count):
                parts.insert(int(places.pop() * (len(parts) + 1)), _invent(values.pop()))
            texts.append(" ".join(parts))
        return texts

    def _first_sentences(self, sentences: Sequence[int], words: int) -> list[str]:
        """Return sentences without repeats until there are enough words."""
        parts, total = [], 0
        for sentence in dict.fromkeys(sentences):
            parts.append(self.sentences[sentence])
            total += self.words[sentence]
            if total >= words:
                break
        return parts

    def _tags(self, rng: np.random.Generator, documents: np.ndarray) -> list[list[str]]:
        """Return 3 to 8 hashtags a document, 70 % of the documents preferring those of their topic."""
        counts = rng.integers(3, 9, len(documents))
        offsets = np.where(rng.random(len(documents)) < 0.7, self.topic[documents] * 7, 0)
        drawn = rng.choice(len(self.tags), int(counts.sum()), p=self.tag_shares)
        tags = [self.tags[tag] for tag in (drawn + np.repeat(offsets, counts)) % len(self.tags)]
        ends = np.cumsum(counts).tolist()
        return [
            list(dict.fromkeys(tags[end - count : end]))
            for end, count in zip(ends, counts.tolist(), strict=True)
        ]

    def records(self, count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
        """Yield the records of `count` postings of about 350 words, with up to 8 hashtags."""
        rng = np.random.default_rng(seed)
        for first in range(0, count, CHUNK):
            documents = rng.integers(len(self.documents), size=CHUNK)
            words = np.clip(rng.lognormal(np.log(330), 0.45, CHUNK), 60, 1500).astype(int)
            texts = self._texts(rng, documents, words, 0.012)
            tags = self._tags(rng, documents)
            for number in range(first, min(first + CHUNK, count)):
                text = texts[number - first].replace("\n", " ")
                yield {
                    "id": f"posting-{number:07d}",
                    "title": text[:60],
                    "hashtags": tags[number - first],
                    "body": text,
                }

    def cvs(self, count: int, distinct_terms: int = 325, seed: int = 7) -> Iterator[str]:
        """Yield `count` CVs with about `distinct_terms` different words that count."""
        from matcher.analyzer import analyze

        rng = np.random.default_rng(seed)
        for _ in range(count):
            document = rng.integers(len(self.documents), size=1)
            words, text = distinct_terms, ""
            while len(set(analyze(text))) < distinct_terms and words < 40 * distinct_terms:
                words = int(words * 1.15)
                [text] = self._texts(rng, document, np.array([words]), 0.002)
            yield text


def _invent(value: float) -> str:
    consonants, vowels = "bcdfghklmnprstvz", "aeiou"
    number, word = int(value), ""
    while True:
        word += consonants[number % 16] + vowels[number // 16 % 5]
        number //= 80
        if not number:
            return word + "x" if len(word) < 4 else word


def cvs_file(corpus: Path) -> Path:
    """Return where the CVs of a corpus lie."""
    return corpus.with_name(corpus.name + ".cvs")


def write_corpus(path: Path, source: Path, postings: int, cvs: int) -> None:
    """Write a corpus drawn from `source`; half a file never stays behind."""
    corpus = Corpus(source)
    about = {"postings": postings, "cvs": cvs, "documents": len(corpus.documents), "seeds": source == SEEDS}
    _write_lines(cvs_file(path), iter([about, *corpus.cvs(cvs)]))
    _write_lines(path, corpus.records(postings))


def _write_lines(path: Path, values: Iterator[Any]) -> None:
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as file:
            for value in values:
                file.write(json.dumps(value, ensure_ascii=False) + "\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read_about(path: Path) -> dict[str, Any]:
    """Return the numbers of postings, CVs and documents of a corpus on disk."""
    with cvs_file(path).open(encoding="utf-8") as file:
        return json.loads(next(file))


def read_cvs(path: Path) -> list[str]:
    """Return the CVs of a corpus on disk."""
    with cvs_file(path).open(encoding="utf-8") as file:
        return [json.loads(line) for line in islice(file, 1, None)]


def read_records(path: Path, count: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield the records of a corpus on disk, or the first `count` of them."""
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, islice(file, count))


def main() -> None:
    """Write a corpus."""
    parser = argparse.ArgumentParser(description="Write a corpus for benchmarks.")
    parser.add_argument("file", type=Path)
    parser.add_argument("postings", type=int)
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument("--cvs", type=int, default=1_003)
    arguments = parser.parse_args()
    write_corpus(arguments.file, arguments.source, arguments.postings, arguments.cvs)


if __name__ == "__main__":
    main()
