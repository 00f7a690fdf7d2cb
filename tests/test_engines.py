"""Engines find the same rows and the same bits; batches and threads change nothing."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, OptionError, Posting, Profile
from matcher.base import Query
from matcher.boosts import Featured, Freshness
from matcher.counts import BlockIndex, Counts
from matcher.engines import ENGINES, EngineChoice, make_engine
from matcher.index import Index
from matcher.learning import BlockQuery
from matcher.ranker import BATCH

WORDS = [
    "cook",
    "nurse",
    "ward",
    "bread",
    "night",
    "night",
    "shift",
    "shift",
    "shift",
    "köchin",
    "c++",
    "sql",
]
TAGS = ["care", "kitchen", "nights", "sql"]


def bits(ranking: Any) -> list[tuple[str, str]]:
    return [(entry.posting.id, entry.score.hex()) for entry in ranking]


def board(seed: int, size: int) -> list[Posting]:
    """Return postings with ties, duplicates under other ids, missing tags and large counts."""
    rng = np.random.default_rng(seed)
    bodies = [" ".join(rng.choice(WORDS, rng.integers(0, 30))) for _ in range(max(1, size // 3))]
    bodies[0] += " shift" * 40
    return [
        Posting(
            id=f"{number:05d}",
            title="Job",
            body=bodies[int(rng.integers(len(bodies)))],
            hashtags=tuple(rng.choice(TAGS, rng.integers(0, 3))),
            featured=int(rng.integers(0, 2)),
        )
        for number in rng.permutation(size).tolist()
    ]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60), st.integers(1, 12), st.booleans(), st.booleans())
def test_every_engine_gives_the_same_bits(
    seed: int, size: int, k: int, filtered: bool, boosted: bool
) -> None:
    postings = board(seed, size)
    profile = " ".join(np.random.default_rng(seed).choice(WORDS, 9))
    options: dict[str, Any] = {"filters": {"hashtags_none": ["care"]}} if filtered else {}
    options |= {"boosts": [Featured(0.01)]} if boosted else {}
    rankings = [bits(Matcher.fit(postings, engine=name).recommend(profile, k, **options)) for name in ENGINES]
    assert all(ranking == rankings[0] for ranking in rankings)


def random_index(seed: int, rows: int, terms: int) -> tuple[Index, list[BlockQuery]]:
    """Return an index whose rows are drawn from few patterns, so that many scores tie or nearly tie."""
    rng = np.random.default_rng(seed)
    patterns = rng.poisson(rng.choice([0.02, 0.3, 3.0, 30.0], terms), (max(1, rows // 4), terms))
    blocks, queries = [], []
    for weight in (0.7, 0.3):
        dense = patterns[rng.integers(len(patterns), size=rows)] * (rng.random((rows, 1)) < 0.9)
        starts = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
        columns = np.nonzero(dense)[1].astype(np.int32)
        counts = Counts(starts, columns, dense[dense > 0].astype(np.uint16))
        blocks.append(BlockIndex.from_counts(weight, counts, rng.uniform(1, 9, terms)))
        chosen = np.flatnonzero(rng.random(terms) < 0.6).astype(np.int32)
        queries.append(BlockQuery(chosen, rng.uniform(0.01, 2, len(chosen))))
    return Index(tuple(blocks), rows), queries


@pytest.mark.parametrize("start", range(0, 10_000, 1_000))
def test_ten_thousand_random_searches_agree(start: int) -> None:
    index, rows = None, 0
    for seed in range(start, start + 1_000):
        rng = np.random.default_rng(seed)
        if seed % 20 == 0 or index is None:
            rows = int(rng.integers(1, 90))
            index, _ = random_index(seed, rows, 24)
            engines = [make_engine(name, index.blocks, rows) for name in ENGINES]
        queries = [
            BlockQuery(np.flatnonzero(rng.random(24) < 0.5).astype(np.int32), np.zeros(0)) for _ in range(2)
        ]
        queries = [part._replace(weights=rng.uniform(0.01, 2, len(part.features))) for part in queries]
        mask = rng.random(rows) < 0.5 if seed % 3 == 0 else None
        first, *others = (index.search(Query(queries, mask), 4, e) for e in engines)
        for other in others:
            assert other.rows.tolist() == first.rows.tolist()
            assert [score.hex() for score in other.scores.tolist()] == [
                s.hex() for s in first.scores.tolist()
            ]


def test_many_equal_scores_are_widened_until_certain() -> None:
    postings = [Posting(id=f"{number:05d}", title="Nurse") for number in range(3_000)]
    for name in ENGINES:
        ranking = Matcher.fit(postings, engine=name).recommend("nurse", k=5)
        assert [entry.posting.id for entry in ranking] == [f"{number:05d}" for number in range(5)]


def test_counts_that_are_added_in_pieces_do_not_mislead() -> None:
    """A count of hundreds of thousands takes thousands of roundings in float32; the bound must know."""
    rows = 1_582
    dense = np.zeros((rows, 2), np.int64)
    dense[7, 0] = 344_250
    dense[:7, 0] = 255
    dense[:7, 1] = [4, 5, 6, 7, 8, 8, 8]
    dense[8:, 1] = 1
    starts = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    counts = Counts(starts, np.nonzero(dense)[1].astype(np.int32), dense[dense > 0].astype(np.uint32))
    block = BlockIndex.from_counts(1.0, counts, np.array([6.2, 1.0]))
    index, query = Index((block,), rows), Query([BlockQuery(np.array([0], np.int32), np.array([0.1613]))])
    for name in ENGINES:
        assert index.search(query, 1, make_engine(name, index.blocks, rows)).rows.tolist() == [7], name


def test_a_fast_engine_that_cannot_be_built_leaves_the_base_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(blocks: Any, rows: int) -> Any:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setitem(ENGINES, "fast", fail)  # type: ignore[arg-type]
    matcher = Matcher.fit([Posting(id=str(number), title="Cook") for number in range(2_100)])
    assert [matcher.recommend("cook", k=1)[0].posting.id for _ in range(5)] == ["0"] * 5
    assert matcher.engine == "base"


def test_a_batch_is_shared_out_to_all_threads() -> None:
    matcher = Matcher.fit(board(3, 300), engine="base")
    seen: list[int] = []
    matcher.recommend_many(["cook"] * 8, threads=4, progress=lambda stage, done, total: seen.append(done))
    assert seen == [2, 4, 6, 8]


def test_old_postings_keep_the_fast_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    postings = [*board(2, 50), Posting(id="old", title="cook", posted=datetime(2015, 1, 1, tzinfo=UTC))]
    postings.append(Posting(id="new", title="cook", posted=datetime(2026, 1, 1, tzinfo=UTC)))
    matcher = Matcher.fit(postings, engine="fast")
    plain = Matcher.fit(postings, engine="base").recommend("cook", boosts=[Freshness()])
    monkeypatch.setattr("matcher.base.BaseEngine.propose_many", None)
    assert bits(matcher.recommend("cook", boosts=[Freshness()])) == bits(plain)


def test_scores_below_the_normal_numbers_end_the_search() -> None:
    postings = [Posting(id=str(number), title="x", featured=1) for number in range(5)]
    for name in ENGINES:
        ranking = Matcher.fit(postings, engine=name).recommend("zzz", k=2, boosts=[Featured(1e-310)])
        assert [entry.posting.id for entry in ranking] == ["0", "1"]


def test_a_posting_with_nothing_in_common_is_ranked_by_id() -> None:
    matcher = Matcher.fit(
        [Posting(id=str(number), title="Cook" if number == 3 else "Nurse") for number in range(6)]
    )
    assert [matcher.explain("cook", str(number)).rank for number in range(6)] == [2, 3, 4, 1, 5, 6]


def test_several_blocks_of_postings() -> None:
    """More postings than fit 16 bits, so that rows of a later block are found too."""
    rows = 70_000
    rng = np.random.default_rng(0)
    counts = Counts(
        np.arange(0, 2 * rows + 1, 2, dtype=np.int64),
        np.tile(np.array([0, 1], np.int32), rows),
        rng.integers(1, 300, 2 * rows).astype(np.uint16),
    )
    block = BlockIndex.from_counts(1.0, counts, np.array([1.0, 2.0]))
    index = Index((block,), rows)
    query = Query([BlockQuery(np.array([0, 1], np.int32), np.array([0.3, 0.1]))])
    results = [index.search(query, 200, make_engine(name, index.blocks, rows)) for name in ENGINES]
    assert results[0].rows.max() > 1 << 16
    for result in results[1:]:
        assert result.rows.tolist() == results[0].rows.tolist()
        assert result.scores.tolist() == results[0].scores.tolist()


@pytest.mark.parametrize("name", list(ENGINES))
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_batch_equals_one_call_after_the_other(name: str, threads: int) -> None:
    matcher = Matcher.fit(board(3, 300), engine=name)
    profiles = [" ".join(np.random.default_rng(seed).choice(WORDS, 7)) for seed in range(2 * BATCH + 3)]
    options: dict[str, Any] = {
        "k": 7,
        "filters": {"hashtags_none": ["sql"]},
        "boosts": [Featured(0.02), Freshness()],
    }
    seen: list[tuple[str, int, int]] = []
    batch = matcher.recommend_many(
        profiles, threads=threads, progress=lambda *arguments: seen.append(arguments), **options
    )
    assert [bits(ranking) for ranking in batch] == [
        bits(matcher.recommend(text, **options)) for text in profiles
    ]
    assert seen[-1] == ("ranking", len(profiles), len(profiles))


def test_a_batch_takes_profiles_and_may_be_empty() -> None:
    matcher = Matcher.fit([Posting(id="1", title="Cook")])
    assert matcher.recommend_many([]) == []
    assert matcher.recommend_many(iter([Profile("cook")]))[0][0].posting.id == "1"


@pytest.mark.parametrize("options", [{"threads": 0}, {"threads": True}, {"threads": 1.5}, {"k": 0}])
def test_a_batch_refuses_senseless_arguments(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        Matcher.fit([]).recommend_many(["cook"], **options)


@pytest.mark.parametrize("name", list(ENGINES))
def test_threads_share_a_matcher(name: str) -> None:
    matcher = Matcher.fit(board(5, 400), engine=name)
    profiles = [" ".join(np.random.default_rng(seed).choice(WORDS, 7)) for seed in range(40)]
    alone = [bits(matcher.recommend(text)) for text in profiles]
    barrier = threading.Barrier(4)

    def work(_: int) -> list[Any]:
        barrier.wait()
        return [bits(matcher.recommend(text)) for text in profiles]

    with ThreadPoolExecutor(4) as pool:
        assert all(result == alone for result in pool.map(work, range(4)))


def test_the_fast_engine_is_chosen_where_it_pays() -> None:
    index, _ = random_index(1, EngineChoice.FEWEST_ROWS, 24)
    choice = EngineChoice(index.blocks, index.rows, None)
    names = [choice.choose(1).name for _ in range(4)]
    assert names == ["base", "base", "fast", "fast"]
    assert EngineChoice(index.blocks, index.rows, None).choose(50).name == "fast"
    assert EngineChoice(index.blocks, index.rows, "base").choose(50).name == "base"
    assert EngineChoice((), 0, None).choose(50).name == "base"


@pytest.mark.parametrize("name", ["warp", "", "Base"])
def test_an_unknown_engine_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="use one of base, fast"):
        Matcher.fit([], engine=name)


def test_without_numba_the_base_engine_works_and_the_fast_one_says_what_to_install() -> None:
    code = """
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "numba" else find(name, package)
sys.modules["numba"] = None
from matcher import Matcher, OptionError, Posting
matcher = Matcher.fit([Posting(id=str(n), title="Cook") for n in range(2500)])
print([matcher.recommend("cook", k=1)[0].posting.id for _ in range(4)], matcher.engine)
try:
    Matcher.fit([], engine="fast")
except OptionError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [
        "['0', '0', '0', '0'] base",
        "engine 'fast' needs numba: pip install 'matcher[fast]' "
        "(import of numba halted; None in sys.modules)",
    ]
