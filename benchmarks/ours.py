"""The library itself as a system: fitted and saved by one process, loaded and mapped by another."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from corpus import read_records
from memory import find_arrays
from system import Ids, K, Server

from matcher import Matcher, Posting, Profile
from matcher.base import Query
from matcher.counts import BlockIndex
from matcher.engines import fast_is_installed
from matcher.features import HashtagBlock, TextBlock
from matcher.learning import fit_block

WORDS_AND_TAGS = (TextBlock(0.7), HashtagBlock(0.3))
"""What the peers can be compared with; `blocks.py` measures what the other blocks cost."""


class MatcherBuilder:
    """`Matcher.fit` in two threads, and `Matcher.save`."""

    def read(self, corpus: Path, count: int | None = None) -> None:
        self.postings = [Posting.from_record(record) for record in read_records(corpus, count)]

    def build(self, folder: Path) -> None:
        self.matcher = Matcher.fit(self.postings, blocks=WORDS_AND_TAGS, threads=2, engine="fast")

    def save(self, folder: Path) -> dict[str, Any]:
        self.matcher.save(folder)
        return {"terms": len(self.matcher.features[0].vocabulary)}


class TextOnlyBuilder(MatcherBuilder):
    """Only what `TfidfVectorizer` does: from texts to counts, weights and norms, in both orders."""

    threads = 1

    def build(self, folder: Path) -> None:
        self.index = index_texts(self.postings, self.threads)

    def save(self, folder: Path) -> dict[str, Any]:
        return {}


class TextOnlyInThreads(TextOnlyBuilder):
    """The same in two threads."""

    threads = 2


def index_texts(postings: Sequence[Posting], threads: int) -> BlockIndex:
    """Return the index of the words alone."""
    return fit_block(TextBlock(), postings, compiled=fast_is_installed(), threads=threads)[1]


def serve_fast(folder: Path) -> Server:
    """Return the fast engine over a saved model, with the calls that only it is measured with."""
    matcher = Matcher.load(folder, engine="fast")
    tag, share = rare_tag(matcher)
    calls = {
        "": partial(recommend, matcher),
        f"filter keeps {share:.1%}": partial(recommend, matcher, filters={"hashtags_any": [tag]}),
        "reasons of all ten": partial(recommend_and_explain, matcher),
        "all contributions of all ten": partial(recommend_and_list, matcher),
    }
    return _serve(matcher, calls)


def serve_base(folder: Path) -> Server:
    """Return the base engine over a saved model."""
    matcher = Matcher.load(folder, engine="base")
    return _serve(matcher, {"": partial(recommend, matcher)})


def _serve(matcher: Matcher, calls: Mapping[str, Any]) -> Server:
    calls = {label: {"": call} for label, call in calls.items()}
    calls["scan alone"] = {"": partial(scan, matcher)}
    batches = {
        f"{threads} thread{'s' * (threads > 1)}": {"": partial(recommend_many, matcher, threads=threads)}
        for threads in (1, 2)
    }
    return Server(calls, batches, partial(ranking_arrays, matcher), {"scan alone": partial(query, matcher)})


def recommend(matcher: Matcher, text: str, **options: Any) -> Ids:
    return [recommendation.posting.id for recommendation in matcher.recommend(text, K, **options)]


def recommend_and_explain(matcher: Matcher, text: str) -> Ids:
    ranking = matcher.recommend(text, K)
    assert all(recommendation.why() for recommendation in ranking)
    return [recommendation.posting.id for recommendation in ranking]


def recommend_and_list(matcher: Matcher, text: str) -> Ids:
    ranking = matcher.recommend(text, K)
    assert all(recommendation.contributions for recommendation in ranking)
    return [recommendation.posting.id for recommendation in ranking]


def recommend_many(matcher: Matcher, texts: Sequence[str], threads: int) -> list[Ids]:
    rankings = matcher.recommend_many(texts, K, threads=threads)
    return [[recommendation.posting.id for recommendation in ranking] for ranking in rankings]


def query(matcher: Matcher, text: str) -> Query:
    """Return a CV as the index wants it, for the scan alone."""
    return Query(matcher._queries([Profile(text)])[0])


def scan(matcher: Matcher, prepared: Query) -> Ids:
    """Propose, rescore and certify, without reading text before and decoding postings after."""
    part = matcher._snapshot.parts[0]
    return part.index.search(prepared, K, part.engine(matcher.engine)).rows.tolist()


def rare_tag(matcher: Matcher) -> tuple[str, float]:
    """Return the hashtag that comes nearest to 1 % of the postings, and its share."""
    catalogue = matcher.postings
    shares = np.bincount(catalogue.tag_codes, minlength=len(catalogue.tags)) / max(1, len(catalogue))
    code = int(np.argmin(np.abs(shares - 0.01)))
    return catalogue.tags[code], float(shares[code])


def ranking_arrays(matcher: Matcher) -> dict[str, np.ndarray]:
    """Return every array of a matcher; those of the postings' records and columns start with `postings`."""
    parts = {
        "features": matcher.features,
        "index": matcher._snapshot.parts[0].index,
        "engine": matcher._snapshot.parts[0].engine(matcher.engine),
        "postings": matcher.postings,
    }
    return {name: array for part, value in parts.items() for name, array in find_arrays(value, part)}
