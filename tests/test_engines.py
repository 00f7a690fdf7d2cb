"""Engines find the same rows and the same bits; batches and threads change nothing."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import Matcher, OptionError, Posting, Profile
from matcher.base import BaseEngine, Query
from matcher.boosts import Featured, Freshness
from matcher.counts import BlockIndex, Counts
from matcher.engines import ENGINES, FEWEST_TO_COMPILE, EngineChoice, compiles, make_engine
from matcher.fast import FastEngine
from matcher.features import TextBlock
from matcher.frequent import FrequentTerms
from matcher.index import Index
from matcher.learning import fit_block
from matcher.queries import BlockQuery
from matcher.recommender import BATCH
from matcher.store import StoredModel

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


class Pruning(BaseEngine):
    """Prunes whatever the corpus and the query, and looks at all rows that are left one by one."""

    PROFILES_BEFORE_BUILDING = FEWEST_ROWS = 0
    FEWEST_ENTRIES = -1
    MOST_WANTED = MOST_LOOKED_AT = 1.0


class PruningInVain(Pruning):
    """Adds up the lists after all, as where too many rows are left."""

    MOST_LOOKED_AT = 0.0


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


class AmongFew(FastEngine):
    """Scores row by row however many a filter leaves."""

    FEW_ALLOWED = 1.0


@pytest.mark.parametrize("start", range(0, 10_000, 1_000))
def test_ten_thousand_random_searches_agree(start: int, monkeypatch: pytest.MonkeyPatch) -> None:
    index, rows = None, 0
    for seed in range(start, start + 1_000):
        rng = np.random.default_rng(seed)
        if seed % 20 == 0 or index is None:
            rows = int(rng.integers(1, 90))
            index, _ = random_index(seed, rows, 24)
            engines = [make_engine(name, index.blocks, rows) for name in ENGINES]
            # Fewer groups than terms, so that their bounds are not exact.
            monkeypatch.setattr("matcher.frequent.GROUPS", int(rng.integers(1, 8)))
            engines += [kind(index.blocks, rows) for kind in (Pruning, PruningInVain, AmongFew)]
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


def weights_of_any_size(rng: np.random.Generator, count: int, largest: float) -> Any:
    """Return weights of up to ``10**largest``, with zeros and repetitions."""
    spread = float(rng.choice([0.0, 1.0, largest]))
    return 10 ** rng.uniform(-spread, spread, count).round(1) * (rng.random(count) < 0.9)


@settings(max_examples=600, deadline=None)
@given(
    st.integers(0, 1 << 32),
    st.integers(1, 70),
    st.integers(1, 7),
    st.sampled_from([Pruning, PruningInVain, AmongFew]),
)
def test_nothing_is_left_out_but_what_the_bound_covers(
    seed: int, rows: int, groups: int, kind: type[BaseEngine | FastEngine]
) -> None:
    rng = np.random.default_rng(seed)
    index, _ = random_index(seed, rows, int(rng.integers(1, 40)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.frequent.GROUPS", groups)
        patch.setattr("matcher.frequent.FREQUENT_SHARE", float(rng.choice([0.0, 0.15, 0.5])))
        patch.setattr("matcher.frequent.MOST_FREQUENT", int(rng.choice([0, 5, 512])))
        engine = kind(index.blocks, rows)
        engine.propose(Query([BlockQuery(np.zeros(0, np.int32), np.zeros(0))] * 2), 1)
    for _ in range(3):
        chosen = [
            np.flatnonzero(rng.random(len(block.by_term.starts) - 1) < rng.choice([0.0, 0.2, 0.9]))
            for block in index.blocks
        ]
        parts = [
            BlockQuery(terms.astype(np.int32), weights_of_any_size(rng, len(terms), 4.0)) for terms in chosen
        ]
        boosts = [
            rng.choice([0.0, 1e-310, 1e-9, 0.02, 1.0, 1e9]) * (rng.random(rows) < 0.5)
            for _ in range(int(rng.integers(0, 3)))
        ]
        mask = rng.random(rows) < rng.choice([0.0, 0.2, 0.9]) if rng.random() < 0.5 else None
        if kind is AmongFew and mask is None:
            mask = np.ones(rows, np.bool_)
        query, k = Query(parts, mask, boosts), int(rng.integers(1, rows + 1))
        scores = index.contributions(parts, np.arange(rows), boosts).scores(rows)
        allowed = np.ones(rows, np.bool_) if mask is None else mask
        proposal = engine.propose(query, k)
        assert allowed[proposal.rows].all()
        missing = allowed.copy()
        missing[proposal.rows] = False
        assert scores[missing].max(initial=0.0) <= proposal.left_out
        order = np.lexsort((np.arange(rows), -scores))
        expected = order[allowed[order]][:k]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("matcher.index.Index._base", None)  # the first proposal suffices
            found = index.search(query, k, engine)
        assert found.rows.tolist() == expected.tolist()
        assert found.scores.tolist() == scores[expected].tolist()


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1 << 32), st.integers(1, 40), st.integers(1, 300))
def test_the_bound_on_frequent_terms_holds_for_any_weights(seed: int, groups: int, terms: int) -> None:
    rng = np.random.default_rng(seed)
    rows = 50
    dense = rng.poisson(rng.choice([0.2, 3.0, 100.0], terms), (rows, terms))
    dense[rng.random(rows) < 0.2] = 0
    starts = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=0))]).astype(np.int64)
    by_term = Counts(starts, np.nonzero(dense.T)[1].astype(np.int32), dense.T[dense.T > 0].astype(np.uint16))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("matcher.frequent.GROUPS", groups)
        frequent = FrequentTerms.from_counts(by_term, rows)
    found = frequent.places >= 0
    assert found.tolist() == ((dense > 0).sum(axis=0) > 0.15 * rows).tolist()
    for size in (1e-310, 1e-150, 1e-30, 1.0, 1e30, 1e150):
        part = BlockQuery(np.arange(terms, dtype=np.int32), size * weights_of_any_size(rng, terms, 100.0))
        exact = dense[:, found].astype(np.float64) @ part.weights[found]
        bound, sums = frequent.bound(part), frequent.sums(np.arange(rows), part)
        np.testing.assert_allclose(sums, exact, rtol=1e-12, atol=1e-320)
        assert (bound >= exact * (1 - 1e-12)).all()
        if found.any():
            assert bound.max() <= 1e4 * max(exact.max(), 1e-300)


def test_terms_with_large_counts_are_not_frequent_but_count() -> None:
    counts = Counts(np.array([0, 3]), np.arange(3, dtype=np.int32), np.array([1, 2, 256], np.uint16))
    assert FrequentTerms.from_counts(counts, 3).places.tolist() == [-1]


def clear_winners(rows: int) -> tuple[Index, Query]:
    """Return an index in which 20 rows have rare terms in common with the query, all have frequent ones."""
    rng = np.random.default_rng(0)
    dense = np.zeros((rows, 60), np.int64)
    dense[:, :40] = rng.integers(0, 3, (rows, 40))
    dense[rng.choice(rows, 20, replace=False), 40:] = rng.integers(1, 4, (20, 20))
    starts = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    counts = Counts(starts, np.nonzero(dense)[1].astype(np.int32), dense[dense > 0].astype(np.uint8))
    block = BlockIndex.from_counts(1.0, counts, np.where(np.arange(60) < 40, 1.0, 6.0))
    return Index((block,), rows), Query([BlockQuery(np.arange(60, dtype=np.int32), np.full(60, 0.1))])


def test_pruning_looks_at_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    index, query = clear_winners(3_000)
    engine = Pruning(index.blocks, index.rows)
    looked_at: list[int] = []
    sums = FrequentTerms.sums
    monkeypatch.setattr(
        FrequentTerms, "sums", lambda self, rows, part: looked_at.append(len(rows)) or sums(self, rows, part)
    )
    assert index.search(query, 3, engine).rows.tolist() == index.search(query, 3).rows.tolist()
    assert sum(looked_at) < 300


def test_frequent_terms_are_built_once_there_are_enough_profiles(monkeypatch: pytest.MonkeyPatch) -> None:
    index, query = clear_winners(4_000)
    built: list[int] = []
    build = FrequentTerms.from_counts
    monkeypatch.setattr(
        FrequentTerms, "from_counts", lambda by_term, rows: built.append(rows) or build(by_term, rows)
    )
    expected = index.search(query, 3)
    engine = BaseEngine(index.blocks, index.rows)
    for _ in range(BaseEngine.PROFILES_BEFORE_BUILDING):
        assert index.search(query, 3, engine).rows.tolist() == expected.rows.tolist()
    assert built == []
    for _ in range(3):
        assert index.search(query, 3, engine).scores.tolist() == expected.scores.tolist()
    assert built == [4_000]
    rankings = index.search_many([query] * 50, 3, BaseEngine(index.blocks, index.rows))
    assert {tuple(ranking.rows.tolist()) for ranking in rankings} == {tuple(expected.rows.tolist())}
    assert built == [4_000, 4_000]
    small, query = clear_winners(200)
    BaseEngine(small.blocks, small.rows).propose_many([query] * 50, 3)
    assert built == [4_000, 4_000]


def test_without_memory_for_frequent_terms_lists_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(by_term: Counts, rows: int) -> FrequentTerms:
        raise MemoryError

    index, query = clear_winners(3_000)
    expected = index.search(query, 3).rows.tolist()
    monkeypatch.setattr(FrequentTerms, "from_counts", fail)
    engine = Pruning(index.blocks, index.rows)
    assert [index.search(query, 3, engine).rows.tolist() for _ in range(2)] == [expected] * 2


def test_threads_prune_while_one_of_them_builds() -> None:
    index, query = clear_winners(3_000)
    engine = Pruning(index.blocks, index.rows)
    expected = index.search(query, 3).scores.tolist()
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: index.search(query, 3, engine).scores.tolist(), range(40)))
    assert results == [expected] * 40


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
    results.append(index.search(query, 200, Pruning(index.blocks, rows)))
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
    built: list[str] = []
    rows = EngineChoice.FEWEST_ROWS
    choice = EngineChoice(None)
    names = [choice.choose(1, rows, built.append) for _ in range(4)]
    assert (names, built) == (["base", "base", "fast", "fast"], ["fast"])
    assert EngineChoice(None).choose(50, rows, built.append) == "fast"
    assert EngineChoice("base").choose(50, rows, built.append) == "base"
    assert EngineChoice(None).choose(50, rows - 1, built.append) == "base"
    assert built == ["fast", "fast"]


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
        "engine 'fast' needs numba: pip install 'numba>=0.60' (import of numba halted; None in sys.modules)",
    ]


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
def test_one_profile_shared_out_to_threads_is_ranked_the_same(threads: int) -> None:
    rows, terms = 300_000, 12  # five blocks, and many ties within and between them
    rng = np.random.default_rng(5)
    patterns = rng.poisson(0.6, (40, terms))
    dense = patterns[rng.integers(40, size=rows)]
    starts = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    counts = Counts(starts, np.nonzero(dense)[1].astype(np.int32), dense[dense > 0].astype(np.uint8))
    index = Index((BlockIndex.from_counts(1.0, counts, rng.uniform(1, 9, terms)),), rows)
    engine = FastEngine(index.blocks, rows)
    engine.threads = threads
    for seed in range(4):
        chosen = np.flatnonzero(np.random.default_rng(seed).random(terms) < 0.6).astype(np.int32)
        query = Query([BlockQuery(chosen, rng.uniform(0.01, 2, len(chosen)))])
        for k in (1, 10, 300):
            for mask in (None, rng.random(rows) < 0.5, rng.random(rows) < 0.015):
                asked = query._replace(mask=mask)
                found, expected = index.search(asked, k, engine), index.search(asked, k)
                assert found.rows.tolist() == expected.rows.tolist()
                assert found.scores.tolist() == expected.scores.tolist()


def test_a_forked_process_ranks_with_threads_of_its_own() -> None:
    code = """
import os, sys
import numpy as np
from matcher.fast import _pool
assert _pool().submit(int, "7").result() == 7
child = os.fork()
if not child:
    os._exit(0 if _pool().submit(int, "7").result(timeout=20) == 7 else 1)
sys.exit(os.waitpid(child, 0)[1])
"""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_whoever_counts_the_words_the_model_on_disk_is_the_same(threads: int, tmp_path: Path) -> None:
    # More postings than are counted together, so that every thread meets words that others met first.
    rng = np.random.default_rng(threads)
    words = [f"{a}{b}" for a in WORDS for b in "abcdefgh"] + [
        "(m/w/d)",
        "jo@beck.example",
        "Köch*in",
        "https://x.y",
    ]
    postings = [
        Posting(id=f"{number:04d}", title="Job", body=" ".join(rng.choice(words, 20)), hashtags=("care",))
        for number in range(700)
    ]
    Matcher.fit(postings, engine="base").save(tmp_path / "base")
    Matcher.fit(reversed(postings), engine="fast", threads=threads).save(tmp_path / "fast")
    manifests = [tmp_path / name / "gen-00000001" / "manifest.json" for name in ("base", "fast")]
    assert manifests[0].read_bytes() == manifests[1].read_bytes()  # they list the hash of every file


def test_compiled_code_counts_from_so_many_texts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not compiles(None, FEWEST_TO_COMPILE - 1)
    assert compiles(None, FEWEST_TO_COMPILE)
    assert compiles("fast", 1)
    assert not compiles("base", FEWEST_TO_COMPILE)
    with pytest.raises(OptionError):
        compiles("warp", 1)
    monkeypatch.setitem(ENGINES, "fast", None)  # a numba that does not fit
    assert not compiles(None, FEWEST_TO_COMPILE)


def test_interrupted_counting_ends_its_threads() -> None:
    def postings() -> Any:
        yield from board(1, 500)
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        fit_block(TextBlock(), postings(), compiled=True, threads=3)
    assert threading.active_count() == before


def test_code_that_cannot_be_compiled_leaves_the_base_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(texts: list[str]) -> None:
        raise RuntimeError("cannot cache function")

    monkeypatch.setattr("matcher.engines.split_compiled", fail)
    choice, profiles = EngineChoice(None), EngineChoice.PROFILES_BEFORE_FAST + 1
    build = partial(make_engine, blocks=(), rows=0)
    assert choice.choose(profiles, EngineChoice.FEWEST_ROWS, build) == "base"
    assert list(choice.split(["C++"]).strings) == ["c++"]
    assert not compiles(None, FEWEST_TO_COMPILE)


def test_pages_that_cannot_be_given_back_are_no_error() -> None:
    class Locked:
        def madvise(self, advice: int) -> None:
            raise OSError(22, "Invalid argument")

    StoredModel(Path(), 1, {}, {}, {}, 0, {"x": Locked()}).release()  # type: ignore[arg-type]
