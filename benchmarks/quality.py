"""How well postings are ranked, on judged sets of other people, beside named peers.

    python -m benchmarks.quality ../shared/data            prints a table a task
    python -m benchmarks.quality ../shared/data --task job_titles --write docs/quality.md

Every task is the same to every system: documents with an id and text, queries with text, and what fits each.
The systems rank all documents of a task (within a group where the task says so); ties break by id. Means come
with a 95 % bootstrap interval over queries, differences to the words of scikit-learn, and to the library's
default, with a paired one.
"""

import argparse
import csv
import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.tables import table
from matcher import Matcher, Posting
from matcher.evaluate import bootstrap_interval, paired_interval, parse_measure
from matcher.features import FeatureBlock, TextBlock, TitleBlock, default_blocks
from matcher.mojibake import repair
from matcher.semantic import SemanticBlock
from matcher.tokens import split_in_python
from matcher.word_vectors import WordVectors

SEED = 0
DEEPEST = 3_000
"""Documents of a ranking that are looked at, those of score 0 among them: all of job_titles."""
FEWEST_IN_STATE = 10
MARKS = "<!-- {name} begin -->", "<!-- {name} end -->"


@dataclass(frozen=True)
class Query:
    """A text, what fits it, and which documents it is ranked among (all when empty)."""

    text: str
    fitting: frozenset[str]
    group: str = ""
    part: str = ""


@dataclass(frozen=True)
class Task:
    """Documents and queries with known answers."""

    about: str
    measures: tuple[str, ...]
    documents: Mapping[str, tuple[str, str]]
    """Title and body by id."""
    queries: Mapping[str, Query]
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)


# --- tasks ------------------------------------------------------------------------------------------


def read_titles(folder: Path) -> Task:
    """Titles against titles, judged by people. Development: queries whose id's SHA-256 is even."""
    documents = {row[0]: (row[1], "") for row in _rows(folder / "corpus_documents.tsv")}
    fitting: dict[str, set[str]] = defaultdict(set)
    for query, _, document, _ in _rows(folder / "annotations.tsv"):
        fitting[query].add(document)
    queries = {
        name: Query(text, frozenset(fitting[name]), part="test" if _is_odd(name) else "development")
        for name, text in _rows(folder / "queries.tsv")
    }
    about = "titles -> titles, judged by people (Zbib et al. 2022)"
    return Task(about, ("map", "ndcg@10"), documents, queries)


def read_misspelt_titles(folder: Path) -> Task:
    """The same with a slip of the pen in each query: a letter left out, or two that changed places."""
    task = read_titles(folder)
    rng = np.random.default_rng(SEED)
    queries = {name: replace(query, text=misspell(query.text, rng)) for name, query in task.queries.items()}
    about = "titles with one slip of the pen each -> titles, as above"
    return replace(task, about=about, queries=queries)


def misspell(text: str, rng: np.random.Generator) -> str:
    """Leave out a letter, or let two neighbours change places, with equal chance; anywhere within a word."""
    within = [
        i
        for i in range(len(text) - 1)
        if text[i].isalpha() and text[i + 1].isalpha() and text[i] != text[i + 1]
    ]
    if not within:
        return text
    i = int(rng.choice(within))
    kept = "" if rng.random() < 0.5 else text[i]
    return text[:i] + text[i + 1] + kept + text[i + 2 :]


def read_skills(folder: Path) -> Task:
    """Sentences of adverts against the labels of a taxonomy of skills."""
    labels = (folder / "skills_en_label.txt").read_text(encoding="utf-8").split("\n")
    documents = {f"{number:05}": (label, "") for number, label in enumerate(labels) if label}
    by_label = {label: number for number, (label, _) in documents.items()}
    queries: dict[str, Query] = {}
    for part in ("tech", "house"):
        fitting: dict[str, set[str]] = defaultdict(set)
        with (folder / f"{part}_validation_annotations.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["label"] in by_label:
                    fitting[row["sentence"]].add(by_label[row["label"]])
        for number, (sentence, labels_of) in enumerate(fitting.items()):
            queries[f"{part}-{number:03}"] = Query(sentence, frozenset(labels_of), part=part)
    about = "sentences -> labels of skills, annotated by people (Decorte et al. 2022, 2023; validation parts)"
    return Task(about, ("rp@5", "mrr"), documents, queries)


def read_views(folder: Path) -> Task:
    """Past job titles against the titles of the adverts that the person looked at, in the same state."""
    past: dict[str, list[str]] = defaultdict(list)
    for row in _records(folder / "Experience.csv.gz"):
        if row["Position.Name"] not in ("", "NA"):
            past[row["Applicant.ID"]].append(row["Position.Name"])
    documents: dict[str, tuple[str, str]] = {}
    groups: dict[str, set[str]] = defaultdict(set)
    viewed: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in _records(folder / "Job_Views.csv.gz"):
        title = row["Position"] if row["Position"] not in ("", "NA") else row["Title"]
        documents[row["Job.ID"]] = (title, "")
        groups[row["State.Code"]].add(row["Job.ID"])
        viewed[row["Applicant.ID"], row["State.Code"]].add(row["Job.ID"])
    queries = {
        f"{person}-{state}": Query(". ".join(past[person]), frozenset(jobs), state)
        for (person, state), jobs in sorted(viewed.items())
        if past.get(person) and len(groups[state]) >= FEWEST_IN_STATE
    }
    about = (
        "past titles -> viewed titles within the state; views, not judgements: place and popularity dominate"
    )
    frozen = {state: frozenset(ids) for state, ids in groups.items()}
    return Task(about, ("ndcg@10", "mrr"), documents, queries, frozen)


OCCUPATIONS = {
    "Data Science": r"data scien|machine learning",
    "Business Analyst": r"business (?:data |intelligence )?analyst",
    "Database": r"database|sql",
    "Python Developer": r"python",
    "ETL Developer": r"\betl\b|data engineer",
    "Hadoop": r"hadoop|big data|spark",
    "Sales": r"\bsales\b|account (?:manager|executive)",
    "HR": r"\bhr\b|human resources|recruit|people analyst",
    "Operations Manager": r"operations? (?:manager|analyst)",
    "PMO": r"project manager|programme manager|\bpmo\b",
    "Health and fitness": r"physio|dieti|nutrition|fitness|health (?:coach|trainer|improvement)",
    "Java Developer": r"\bjava\b|software (?:engineer|developer)",
    "Testing": r"\btest(?:er|ing)?\b|\bqa\b|quality assurance",
}
"""Category of a CV -> what the title of an advert of that occupation holds."""


def read_cvs(folder: Path, postings: Path) -> Task:
    """Whole CVs against whole adverts whose titles are withheld.

    An advert fits a CV when its title, which no system sees, names the occupation of the CV's category. That
    is cheap and coarse: it can show that CVs find their trade by what adverts describe, not which of two data
    scientists' posts suits better, and it misses adverts of the trade under other titles.
    """
    documents: dict[str, tuple[str, str]] = {}
    titles: dict[str, str] = {}
    for name in ("DataAnalyst", "DataScientist"):
        for number, row in enumerate(_records(postings / f"{name}.csv.gz")):
            if row["description"].strip():
                key = f"{name}-{number:04}"
                documents[key], titles[key] = ("", repair(row["description"])), row["title"]
    with gzip.open(postings / "health_jobs.jsonl.gz", "rt", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            key = f"health-{record['id']}"
            documents[key], titles[key] = ("", repair(record["description"])), record["title"]
    queries = {}
    for number, row in enumerate(_records(folder / "cvs.csv.gz")):
        pattern = OCCUPATIONS.get(row["Category"])
        if pattern:
            found = re.compile(pattern, re.IGNORECASE)
            fitting = frozenset(key for key, title in titles.items() if found.search(title))
            queries[f"cv-{number:03}"] = Query(repair(row["Resume"]), fitting)
    about = "CVs -> adverts without titles; an advert fits when its withheld title names the CV's occupation"
    return Task(about, ("ndcg@10", "p@10"), documents, queries)


TASKS: Mapping[str, Callable[[Path], Task]] = {
    "job_titles": lambda source: read_titles(source / "job_titles"),
    "skills": lambda source: read_skills(source / "skills"),
    "job_views": lambda source: read_views(source / "job_views"),
    "cvs": lambda source: read_cvs(source / "cvs", source / "postings"),
    "misspelt": lambda source: read_misspelt_titles(source / "job_titles"),
}

WANTED = (
    ("job_titles", "map", "", 0.50),
    ("job_titles", "ndcg@10", "", 0.66),
    ("skills", "rp@5", "tech", 0.66),
    ("job_views", "ndcg@10", "", 0.10),
)
"""Task, measure and part of its queries (all when empty), and what the default should reach at least."""


def _rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def _records(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(1 << 24)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _is_odd(name: str) -> bool:
    return bool(hashlib.sha256(name.encode()).digest()[-1] % 2)


# --- systems ----------------------------------------------------------------------------------------

Rankings = Mapping[str, Sequence[str]]


def rank_by_scores(task: Task, score: Callable[[Sequence[str]], np.ndarray]) -> Rankings:
    """Rank by a function from texts to scores, shape (texts, documents)."""
    ids = np.array(list(task.documents))
    rankings = {}
    for name, query in task.queries.items():
        values = score([query.text])[0]
        order = np.lexsort((ids, -values))
        allowed = task.groups.get(query.group)
        ranked = [ids[i] for i in order if allowed is None or ids[i] in allowed]
        rankings[name] = ranked[:DEEPEST]
    return rankings


def by_scikit_learn(task: Task, **options: object) -> Rankings:
    """Cosine of TF-IDF, by scikit-learn."""
    vectorizer = TfidfVectorizer(**options)
    matrix = vectorizer.fit_transform(_texts(task))
    return rank_by_scores(task, partial(_cosines, vectorizer, matrix))


def by_bm25(task: Task) -> Rankings:
    """BM25 (k1 1.5, b 0.75), by bm25s with its English stop words."""
    import bm25s

    index = bm25s.BM25()
    index.index(bm25s.tokenize(_texts(task), stopwords="en", show_progress=False), show_progress=False)

    def score(texts: Sequence[str]) -> np.ndarray:
        words = bm25s.tokenize(texts, stopwords="en", return_ids=False, show_progress=False)[0]
        if not words:
            return np.zeros((1, len(task.documents)))
        return index.get_scores(words)[None, :]

    return rank_by_scores(task, score)


def by_matcher(
    task: Task, blocks: Sequence[FeatureBlock] | None = None, *, deepest: int = DEEPEST
) -> Rankings:
    """The library, with its default blocks unless others are given."""
    # Learned from all documents, as the others do; a group is what is left of them.
    postings = [Posting(id=key, title=title, body=body) for key, (title, body) in task.documents.items()]
    fitted = Matcher.fit(postings) if blocks is None else Matcher.fit(postings, blocks=blocks)
    rankings: dict[str, Sequence[str]] = {}
    for group, ids in (task.groups or {"": frozenset(task.documents)}).items():
        asked = {name: query for name, query in task.queries.items() if query.group == group}
        if not asked:
            continue
        matcher = fitted.snapshot()
        matcher.remove([key for key in task.documents if key not in ids])
        found = matcher.recommend_many([query.text for query in asked.values()], k=deepest)
        for name, ranking in zip(asked, found, strict=True):
            rankings[name] = [item.posting.id for item in ranking]
    return rankings


def by_vectors(task: Task, path: Path, *, words: float = 0.0, characters: float = 0.0) -> Rankings:
    """Cosine of summed word vectors, from a table of `benchmarks/build_word_vectors.py`, mixed with TF-IDF.

    Shares are of words and of characters; the vectors have the rest. Nothing is learned from the task but
    the frequencies of words and characters.
    """
    word_vectors = WordVectors.load(path)

    def embed(texts: Sequence[str]) -> np.ndarray:
        found = word_vectors.find(split_in_python(texts))
        rows = np.zeros((len(texts), word_vectors.dimensions))
        np.add.at(rows, found.owners, word_vectors.vectors[found.positions])
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)

    documents = embed(_texts(task))
    mixed: list[tuple[float, Callable[[Sequence[str]], np.ndarray]]] = [
        (1 - words - characters, lambda texts: embed(texts) @ documents.T)
    ]
    for share, options in ((words, {}), (characters, CHARACTERS)):
        if share:
            vectorizer = TfidfVectorizer(**options)
            matrix = vectorizer.fit_transform(_texts(task))
            mixed.append((share, partial(_cosines, vectorizer, matrix)))
    return rank_by_scores(task, lambda texts: sum(share * score(texts) for share, score in mixed))


def _cosines(vectorizer: TfidfVectorizer, matrix: Any, texts: Sequence[str]) -> np.ndarray:
    return (matrix @ vectorizer.transform(texts).T).T.toarray()


CHARACTERS: Mapping[str, Any] = {"analyzer": "char_wb", "ngram_range": (3, 5), "sublinear_tf": True}


def default_without(*names: str) -> list[FeatureBlock]:
    """Return the default blocks but some."""
    return [block for block in default_blocks() if block.name not in names]


SYSTEMS: Mapping[str, Callable[[Task], Rankings]] = {
    "scikit-learn, words": by_scikit_learn,
    "scikit-learn, characters 3-5": partial(by_scikit_learn, **CHARACTERS),
    "BM25 (bm25s)": by_bm25,
    "matcher, text alone": partial(by_matcher, blocks=[TextBlock(1.0)]),
    "matcher, title alone": partial(by_matcher, blocks=[TitleBlock(1.0)]),
    "matcher, semantic alone": partial(by_matcher, blocks=[SemanticBlock(1.0)]),
    "matcher, without title and semantic": partial(by_matcher, blocks=default_without("title", "semantic")),
    "matcher, without semantic": partial(by_matcher, blocks=default_without("semantic")),
    "matcher, without title": partial(by_matcher, blocks=default_without("title")),
    "matcher, default": by_matcher,
}
BASELINE, DEFAULT = next(iter(SYSTEMS)), next(reversed(SYSTEMS))
REFERENCES = {BASELINE: "scikit-learn, words", DEFAULT: "the default"}
"""What differences are to, and how headings name it."""


def _texts(task: Task) -> list[str]:
    return [f"{title}\n{body}" for title, body in task.documents.values()]


# --- tables -----------------------------------------------------------------------------------------


Values = Mapping[str, Mapping[str, float]]
"""By measure, by query."""


def measure_rankings(task: Task, rankings: Rankings) -> Values:
    """Return a task's measures of all queries that something fits."""
    return {
        name: {
            query: parse_measure(name)(rankings[query], dict.fromkeys(asked.fitting, 1))
            for query, asked in task.queries.items()
            if asked.fitting
        }
        for name in task.measures
    }


def parts_of(task: Task) -> list[str]:
    """Return the parts of a task's queries; the empty one, last, is all of them."""
    return [*dict.fromkeys(query.part for query in task.queries.values() if query.part), ""]


def values_in(task: Task, values: Values, measure: str, part: str) -> np.ndarray:
    """Return a measure of the queries in a part."""
    return np.array(
        [value for query, value in values[measure].items() if not part or task.queries[query].part == part]
    )


def format_mean(values: np.ndarray) -> str:
    """Return a mean with its interval."""
    low, high = bootstrap_interval(values, seed=SEED)
    return f"{values.mean():.3f} [{low:.3f}, {high:.3f}]"


def format_gain(values: np.ndarray, baseline: np.ndarray) -> str:
    """Return a mean difference with its paired interval."""
    low, high = paired_interval(values, baseline, seed=SEED)
    return f"{(values - baseline).mean():+.3f} [{low:+.3f}, {high:+.3f}]"


def format_task(task: Task, values: Mapping[str, Values]) -> str:
    """Return a task's table in Markdown: a row a system."""
    parts, first = parts_of(task), task.measures[0]
    columns = [(name, part) for name in task.measures for part in parts]
    references = {name: shown for name, shown in REFERENCES.items() if name in values}
    rows = []
    for system, measured in values.items():
        cells = [format_mean(values_in(task, measured, *column)) for column in columns]
        for reference in references:
            ours, theirs = (values_in(task, one, first, "") for one in (measured, values[reference]))
            cells.append("-" if system == reference else format_gain(ours, theirs))
        rows.append([system, *cells])
    headings = [f"{name}, {part or 'all'}" if len(parts) > 1 else name for name, part in columns]
    gains = [f"{first}, gain over {shown}" for shown in references.values()]
    return table(["system", *headings, *gains], rows)


def format_wanted(measured: Mapping[str, tuple[Task, Values]]) -> str:
    """Return the table of what the default should reach, from its values by task."""
    rows = []
    for name, measure, part, least in WANTED:
        mean = values_in(*measured[name], measure, part).mean()
        rows.append(
            [
                f"{name}, {part or 'all'}: {measure}",
                f"{least:.2f}",
                f"{mean:.3f}",
                "yes" if mean >= least else "no",
            ]
        )
    return table(["set and measure", "wanted, at least", "default", "met"], rows)


def main() -> None:
    """Measure tasks and print, or write, their tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", type=Path, help="folder with job_titles, skills, job_views, cvs, postings")
    parser.add_argument("--task", action="append", choices=list(TASKS))
    parser.add_argument("--system", action="append", choices=list(SYSTEMS))
    parser.add_argument("--vectors", type=Path, metavar="FOLDER", help="word vectors to measure as well")
    parser.add_argument(
        "--write", type=Path, metavar="DOCUMENT", help="replace the sections of the tasks in it"
    )
    options = parser.parse_args()
    systems = {name: SYSTEMS[name] for name in options.system or SYSTEMS}
    if options.vectors:
        alone = partial(by_vectors, path=options.vectors)
        systems["word vectors"] = alone
        systems["word vectors 0.7, words 0.1, characters 0.2"] = partial(alone, words=0.1, characters=0.2)
        systems["word vectors 0.2, words 0.8"] = partial(alone, words=0.8)
    by_default: dict[str, tuple[Task, Values]] = {}
    for name in options.task or TASKS:
        task = TASKS[name](options.source)
        values = {system: measure_rankings(task, rank(task)) for system, rank in systems.items()}
        if DEFAULT in values:
            by_default[name] = task, values[DEFAULT]
        sizes = f"{len(task.queries):,} queries, {len(task.documents):,} documents"
        show_section(options.write, name, f"{task.about}; {sizes}\n\n{format_task(task, values)}")
    if {name for name, *_ in WANTED} <= by_default.keys():
        show_section(options.write, "wanted", format_wanted(by_default))


def show_section(document: Path | None, name: str, content: str) -> None:
    """Print a section, and write it to a document if there is one."""
    print(f"\n{name}\n\n{content}", flush=True)
    if document:
        write_section(document, name, content)


def write_section(document: Path, name: str, content: str) -> None:
    """Replace what stands between the marks of a section."""
    begin, end = (mark.format(name=name) for mark in MARKS)
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise SystemExit(f"{document} has no section {name!r}: add {begin} and {end}")
    document.write_text(f"{before}{begin}\n{content}\n{end}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
