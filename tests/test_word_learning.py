"""Word vectors learned from postings: like words, and inputs with next to nothing in them."""

import numpy as np
import pytest

from matcher import word_learning
from matcher.analyzer import analyze
from matcher.counts import Counts
from matcher.features import smooth_idf
from matcher.strings import StringTable
from matcher.word_learning import learn_word_vectors
from matcher.word_vectors import WordVectors


def counted(texts: list[str]) -> tuple[Counts, StringTable, np.ndarray]:
    split = [analyze(text) for text in texts]
    vocabulary = sorted({word for words in split for word in words})
    columns, counts, starts = [], [], [0]
    for words in split:
        distinct = sorted(set(words))
        columns += [vocabulary.index(word) for word in distinct]
        counts += [words.count(word) for word in distinct]
        starts.append(len(columns))
    by_posting = Counts(np.array(starts), np.array(columns, np.int32), np.array(counts, np.uint8))
    frequency = np.bincount(by_posting.columns, minlength=len(vocabulary))
    return by_posting, StringTable.from_strings(vocabulary), smooth_idf(frequency, len(texts))


TEXTS = [
    *["nurse ward patients", "nurse ward", "carer ward patients", "carer patients residents"],
    *["python developer sql", "python engineer sql", "java developer sql", "java engineer python"],
] * 2


def cosine(table: WordVectors, one: str, other: str) -> float:
    vectors = table.vectors[[table.words.find(one), table.words.find(other)]].astype(float)
    return float(vectors[0] @ vectors[1] / np.prod(np.linalg.norm(vectors, axis=1)))


def test_words_of_like_postings_are_alike():
    table = learn_word_vectors(*counted(TEXTS), dimensions=2)
    assert cosine(table, "nurse", "carer") > 0.8  # no posting holds both
    assert cosine(table, "nurse", "python") < 0.2


def test_a_rare_word_has_a_longer_vector_than_a_frequent_one():
    table = learn_word_vectors(*counted(TEXTS), dimensions=4)
    lengths = np.linalg.norm(table.vectors.astype(float), axis=1)
    by_word = dict(zip(table.words, lengths, strict=True))
    assert by_word["residents"] > 1.1 * by_word["sql"]


def test_the_same_postings_give_the_same_bits():
    assert learn_word_vectors(*counted(TEXTS)).identity == learn_word_vectors(*counted(TEXTS)).identity


def test_a_posting_counts_as_much_as_another_however_long_it_is():
    short, long = ([*TEXTS, "welder steel", "welder steel " * times] for times in (1, 60))
    assert learn_word_vectors(*counted(long)).identity == learn_word_vectors(*counted(short)).identity


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], []),
        (["nurse"], []),
        (["nurse", "cook"], []),
        (["nurse", "nurse"], ["nurse"]),
        (["", "", "the"], []),
        (["nurse ward", "nurse", "ward ward"], ["nurse", "ward"]),
    ],
)
def test_next_to_nothing_gives_a_small_table(texts, words):
    table = learn_word_vectors(*counted(texts))
    assert list(table.words) == words
    assert 1 <= table.dimensions <= max(1, len(words))
    assert WordVectors.from_files(table.to_files("x"), "x").identity == table.identity


def test_words_of_one_posting_only_are_left_out():
    table = learn_word_vectors(*counted([*TEXTS, "nurse plumber"]))
    assert "plumber" not in list(table.words)
    assert "nurse" in list(table.words)


def test_only_the_most_frequent_words_are_kept(monkeypatch):
    monkeypatch.setattr(word_learning, "MOST_WORDS", 3)
    assert list(learn_word_vectors(*counted(TEXTS)).words) == ["patients", "python", "sql"]


def test_of_many_postings_an_even_sample_is_taken(monkeypatch):
    texts = ["nurse ward", "python sql"] * 8
    monkeypatch.setattr(word_learning, "MOST_ENTRIES", len(counted(texts)[0].columns) // 2)
    assert list(learn_word_vectors(*counted(texts)).words) == ["nurse", "ward"]
