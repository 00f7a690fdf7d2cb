"""Corpora of any size for benchmarks: real sentences recombined within a topic, heavy-tailed.

Sentences come from a folder: Markdown postings, or ``.jsonl``, ``.csv``, ``.txt`` files (also ``.gz``) whose
long fields are taken as text. Documents are grouped into topics by their words; a new posting takes 35 % of
its sentences from one document, 45 % from its topic and 20 % from anywhere, until its length is reached
(log-normal around 350 words). About 1 % of the words are replaced by invented ones drawn from an open,
heavy-tailed set, so that the vocabulary grows with the corpus as real ones do (names, misspellings).
"""

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from matcher import Posting, read_postings
from matcher.text import markdown_to_text, repair

TOPICS = 40
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
    """Draws postings and CVs from the documents of a folder. The same seed gives the same ones."""

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
        self.words = np.array([len(sentence.split()) for sentence in self.sentences])
        ends = np.cumsum([len(sentences) for sentences, _ in self.documents])
        self.own = [np.arange(end - len(doc[0]), end) for end, doc in zip(ends, self.documents, strict=True)]
        self.by_topic = [
            np.concatenate([self.own[d] for d in np.flatnonzero(self.topic == t)] or [self.own[0]])
            for t in range(topics)
        ]
        tags = {tag for _, document_tags in self.documents for tag in document_tags}
        self.tags = sorted(tags) or [f"tag{number}" for number in range(800)]
        shares = 1 / np.arange(1, len(self.tags) + 1)
        self.tag_shares = shares / shares.sum()

    def _text(self, rng: np.random.Generator, document: int, words: int, invented: float) -> str:
        own, topic = self.own[document], self.by_topic[self.topic[document]]
        count = words // 8 + 8
        kind, place = rng.random(count), rng.random(count)
        chosen = np.where(
            kind < 0.35,
            own[(place * len(own)).astype(int)],
            np.where(
                kind < 0.8, topic[(place * len(topic)).astype(int)], (place * len(self.sentences)).astype(int)
            ),
        )
        chosen = np.array(list(dict.fromkeys(chosen.tolist())))
        stop = int(np.searchsorted(np.cumsum(self.words[chosen]), words)) + 1
        parts = [self.sentences[index] for index in chosen[:stop]]
        for value in (1 - rng.random(rng.poisson(words * invented))) ** (-1 / 0.35):
            parts.insert(int(rng.integers(0, len(parts) + 1)), _invent(min(value, 2e9)))
        return " ".join(parts)

    def postings(self, count: int, seed: int = 1) -> Iterator[Posting]:
        """Yield `count` postings of about 350 words, with 3 to 8 hashtags."""
        rng = np.random.default_rng(seed)
        for number in range(count):
            document = int(rng.integers(len(self.documents)))
            words = int(np.clip(rng.lognormal(np.log(330), 0.45), 60, 1500))
            offset = int(self.topic[document]) * 7 if rng.random() < 0.7 else 0
            drawn = rng.choice(len(self.tags), int(rng.integers(3, 9)), p=self.tag_shares)
            tags = [self.tags[(int(tag) + offset) % len(self.tags)] for tag in drawn]
            text = self._text(rng, document, words, 0.012)
            yield Posting(
                id=f"posting-{number:07d}",
                title=text[:60],
                body=text.replace("\n", " "),
                hashtags=tuple(tags),
            )

    def cvs(self, count: int, distinct_terms: int = 325, seed: int = 7) -> list[str]:
        """Return `count` CVs with about `distinct_terms` different words that count."""
        from matcher.analyzer import analyze

        rng = np.random.default_rng(seed)
        drawn = []
        for _ in range(count):
            document = int(rng.integers(len(self.documents)))
            words, text = distinct_terms, ""
            while len(set(analyze(text))) < distinct_terms and words < 40 * distinct_terms:
                words = int(words * 1.15)
                text = self._text(rng, document, words, 0.002)
            drawn.append(text)
        return drawn


def _invent(value: float) -> str:
    consonants, vowels = "bcdfghklmnprstvz", "aeiou"
    number, word = int(value), ""
    while True:
        word += consonants[number % 16] + vowels[number // 16 % 5]
        number //= 80
        if not number:
            return word + "x" if len(word) < 4 else word
