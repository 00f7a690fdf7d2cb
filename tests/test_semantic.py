"""The block `semantic` in a matcher: the same model by every way, explained, stored, and damaged."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import matcher as package
from matcher import Matcher, ModelDamagedError, ModelSchemaError, OptionError, Posting, Profile
from matcher.dense import FINE, LARGEST, length_of_postings, quantise_profiles
from matcher.encoding import WordEncoder
from matcher.errors import ModelError
from matcher.features import HashtagBlock, TextBlock
from matcher.recommendation import Contribution, Recommendation
from matcher.semantic import MOST_PAIRS, OTHER_WORDS, SemanticBlock, encoder_of
from matcher.titles import TitleBlock
from matcher.tokens import split_in_python
from matcher.verification import verify_model
from matcher.word_vectors import WordVectors
from tests.batches import judge_apart, make_mutants, tally
from tests.hostile_models import CV, FITS, MORE, POSTINGS, Draft, Forge, Model, make_model
from tests.judging import BAD, REFUSED, SAME
from tests.lies import agree, mutants_of_lies
from tests.likeness import bits
from tests.running import ENVIRONMENT, assert_clean_failure, run, succeed

Change = Callable[[Draft], Any]
WORDS = list(WordVectors.shipped().words)
LONG = " ".join(WORDS[::97])
SHORT = "nurse on a ward"


def blocks(**options: Any) -> list[Any]:
    return [TextBlock(), HashtagBlock(), TitleBlock(), SemanticBlock(**options)]


def make_postings(seed: int, count: int) -> list[Posting]:
    """Return postings of known and unknown words: some alike, some empty, some of one word."""
    rng = np.random.default_rng(seed)
    common = [WORDS[place] for place in rng.integers(len(WORDS), size=60).tolist()] + ["zzyzx", "qqq"]
    bodies = [" ".join(rng.choice(common, size)) for size in rng.integers(0, 25, count // 2 + 1).tolist()]
    return [
        Posting(
            id=f"{number:05d}",
            title=" ".join(rng.choice(common, rng.integers(0, 4))),
            body=bodies[int(rng.integers(len(bodies)))],
            hashtags=tuple(rng.choice(common, rng.integers(0, 2))),
        )
        for number in rng.permutation(count).tolist()
    ]


def vectors_of(matcher: Matcher) -> dict[str, bytes]:
    """Return every posting's vector by id."""
    number = [fitted.block.name for fitted in matcher.features].index("semantic")
    found: dict[str, bytes] = {}
    for part in matcher._snapshot.parts:
        dense = part.segment.blocks[number].dense
        assert dense is not None
        for row in part.kept.tolist():
            found[part.segment.catalogue.ids[row]] = dense.vectors[row].tobytes()
    return found


def centre_of(matcher: Matcher) -> np.ndarray:
    [fitted] = [fitted for fitted in matcher.features if isinstance(fitted.block, SemanticBlock)]
    assert fitted.centre is not None
    assert fitted.centre.dtype == np.int32
    return fitted.centre


def plain_centre(matcher: Matcher) -> list[int]:
    """Return the mean of the vectors held, what is expected counted for a thousand postings."""
    rows = [np.frombuffer(row, np.int8).tolist() for row in vectors_of(matcher).values()]
    [block] = [f.block for f in matcher.features if isinstance(f.block, SemanticBlock)]
    size, known = len(rows[0]), sum(map(any, rows))
    expected = [0.0] * size if block.vectors == "encoder" else encoder_of(block).expected.tolist()
    sums = [sum(column) for column in zip(*rows, strict=True)]
    prior = [1000 * length_of_postings(size) * one for one in expected]
    return [round(256 * (one + other) / (known + 1000)) for one, other in zip(sums, prior, strict=True)]


def plain_cosines(matcher: Matcher, profile: str) -> dict[str, float]:
    """Return by id the cosine of what sets a profile and each posting apart from the mean; 0 for less."""
    [block] = [f.block for f in matcher.features if isinstance(f.block, SemanticBlock)]
    [encoded] = encoder_of(block).encode_profiles([profile], split_in_python([profile]))
    centre, found = centre_of(matcher).tolist(), {}
    mean = [one / (FINE * length_of_postings(len(centre))) for one in centre]
    ours = [one - other for one, other in zip(encoded.direction.tolist(), mean, strict=True)]
    for posting, row in vectors_of(matcher).items():
        numbers = np.frombuffer(row, np.int8).tolist()
        theirs = [256 * one - other for one, other in zip(numbers, centre, strict=True)]
        product = math.fsum(one * other for one, other in zip(ours, theirs, strict=True))
        known = any(numbers) and any(encoded.direction)
        found[posting] = max(0.0, product / math.hypot(*ours) / math.hypot(*theirs)) if known else 0.0
    return found


def state(matcher: Matcher, *, profiles: Sequence[str] = (SHORT, LONG, "", "zzyzx")) -> Any:
    """Return what two matchers must agree on to the last bit."""
    rankings = matcher.recommend_many(profiles, 12)
    return vectors_of(matcher), centre_of(matcher).tobytes(), [bits(ranking) for ranking in rankings]


class Letters:
    """An encoder of the caller's: how often some letters are in a text."""

    identity = "letters"

    def __init__(self, letters: str = "aeinorstlc") -> None:
        self.letters = letters

    def encode(self, texts: Sequence[str]) -> Any:
        return np.array([[text.count(letter) for letter in self.letters] for text in texts], float)


class Others(Letters):
    identity = "others"


def options_of(source: str) -> dict[str, Any]:
    return {"encoder": Letters()} if source == "encoder" else {"vectors": source}


each_source = pytest.mark.parametrize("source", ["shipped", "postings", "encoder"])


# --- the same by every way ----------------------------------------------------------------------------


def test_fitting_adding_merging_compacting_and_loading_end_at_the_same_bits(tmp_path: Path) -> None:
    postings = make_postings(1, 120)
    expected = state(Matcher.fit(postings, blocks=blocks()))
    added = Matcher.fit(postings[:50], blocks=blocks())
    for first in range(50, 120, 10):
        added.add([Posting(id=f"gone{first}", title="nurse"), *postings[first : first + 10]])
    added.remove([posting for posting in added.postings.ids if posting.startswith("gone")])
    added.update([dataclasses.replace(postings[0], title="pilot")])
    added.add(postings[:1])
    added.refit()
    assert len(added._snapshot.parts) > 1
    assert state(added) == expected
    merged = Matcher(added._snapshot.merge(range(len(added._snapshot.parts))))
    assert len(merged._snapshot.parts) == 1
    assert state(merged) == expected
    added.save(tmp_path / "parts")
    assert state(Matcher.load(tmp_path / "parts")) == expected
    loaded = Matcher.load(tmp_path / "parts")
    assert loaded.compact().generation == 2
    assert state(loaded) == state(Matcher.load(tmp_path / "parts")) == expected
    Matcher.fit(postings, blocks=blocks()).save(tmp_path / "fitted")
    assert files_of(tmp_path / "fitted", 1) == files_of(tmp_path / "parts", 2)
    assert files_of(tmp_path / "fitted", 1).keys() >= {"semantic.centre.npy", "segment0.semantic.vectors.npy"}


def files_of(model: Path, generation: int) -> dict[str, bytes]:
    folder = model / f"gen-{generation:08d}"
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


@each_source
def test_order_threads_and_compiled_code_change_nothing(source: str) -> None:
    postings = make_postings(2, 90)
    expected = state(Matcher.fit(postings, blocks=blocks(**options_of(source)), engine="base"))
    for options in ({"engine": "base"}, {"engine": "fast"}, {"engine": "fast", "threads": 3}):
        mixed = [postings[place] for place in np.random.default_rng(3).permutation(90).tolist()]
        assert state(Matcher.fit(mixed, blocks=blocks(**options_of(source)), **options)) == expected


@pytest.mark.parametrize(
    "others",
    [
        [],
        [HashtagBlock()],
        [TextBlock(fold=True)],
        [TextBlock(title_weight=3), HashtagBlock()],
        [TextBlock(saturation=1.2, length=0.5)],
        [TextBlock(boilerplate=0.5), TitleBlock()],
        [TextBlock(weight=0.0)],
    ],
)
def test_vectors_of_postings_do_not_depend_on_the_other_blocks(others: list[Any]) -> None:
    postings = [*make_postings(11, 40), *POSTINGS, *MORE, Posting(id="many", body="nurse " * 400 + "nurses")]
    expected = vectors_of(Matcher.fit(postings, blocks=[TextBlock(), SemanticBlock()]))
    assert len(set(expected.values())) > 20
    for engine in ("base", "fast"):
        fitted = Matcher.fit(postings[:30], blocks=[*others, SemanticBlock()], engine=engine)
        fitted.add(postings[30:])
        assert vectors_of(fitted) == expected


_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from matcher import Matcher
from matcher.features import HashtagBlock, TextBlock
from matcher.semantic import SemanticBlock
from tests.test_semantic import LONG, SHORT, make_postings, state
import hashlib
matcher = Matcher.fit(make_postings(4, 60), blocks=[TextBlock(), SemanticBlock(vectors="postings")])
print(hashlib.sha256(repr(state(matcher)).encode()).hexdigest())
"""


def test_the_seed_of_hashes_changes_nothing() -> None:
    root = str(Path(package.__file__).parents[1])
    printed = {
        subprocess.run(
            [sys.executable, "-c", _SCRIPT, root],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env=ENVIRONMENT | {"PYTHONHASHSEED": seed, "OPENBLAS_NUM_THREADS": seed},
        ).stdout
        for seed in ("1",)
    }
    matcher = Matcher.fit(make_postings(4, 60), blocks=[TextBlock(), SemanticBlock(vectors="postings")])
    assert printed == {hashlib.sha256(repr(state(matcher)).encode()).hexdigest() + "\n"}


@each_source
def test_engines_agree_on_boards_of_texts(source: str) -> None:
    postings = make_postings(5, 400)
    postings += [dataclasses.replace(posting, id="x" + posting.id) for posting in postings[:50]]
    matchers = [
        Matcher.fit(postings, blocks=blocks(**options_of(source)), engine=name) for name in ("base", "fast")
    ]
    rng = np.random.default_rng(6)
    profiles = [
        " ".join(WORDS[place] for place in rng.integers(len(WORDS), size=size).tolist())
        for size in (1, 2, 5, 40, 300)
    ]
    profiles += [postings[7].body, postings[8].body, "", "zzyzx qqq"]
    for k in (1, 5, 450, 999):
        base, fast = (
            [
                [(one.posting.id, one.score.hex()) for one in ranking]
                for ranking in some.recommend_many(profiles, k)
            ]
            for some in matchers
        )
        assert base == fast
    assert {len(ranking) for ranking in base} == {450}


# --- the centre ---------------------------------------------------------------------------------------


@each_source
def test_the_centre_is_the_mean_of_the_postings_held_and_learned_anew_by_fits_alone(
    source: str, tmp_path: Path
) -> None:
    postings = make_postings(12, 80)
    matcher = Matcher.fit(postings[:60], blocks=blocks(**options_of(source)))
    before = centre_of(matcher).tobytes()
    assert centre_of(matcher).tolist() == plain_centre(matcher)
    matcher.add([*postings[60:], Posting(id="gone", title=" ".join(WORDS[:300]))])
    matcher.remove([posting.id for posting in postings[:9]])
    assert centre_of(matcher).tobytes() == before
    assert centre_of(matcher).tolist() != plain_centre(matcher)
    matcher.save(tmp_path)  # news are measured by what was learned before them, and that is no damage
    [found] = verify_model(tmp_path)
    assert found.problems == ()
    matcher.refit()
    assert centre_of(matcher).tobytes() != before
    assert centre_of(matcher).tolist() == plain_centre(matcher)
    matcher.remove(["gone"])
    matcher.refit()
    assert centre_of(matcher).tolist() == plain_centre(matcher)
    if source != "postings":  # else the table is the one that the first postings made
        whole = Matcher.fit(postings[9:], blocks=blocks(**options_of(source)))
        assert centre_of(whole).tobytes() == centre_of(matcher).tobytes()
        assert state(whole) == state(matcher)


@each_source
@pytest.mark.parametrize("engine", ["base", "fast"])
def test_scores_are_cosines_of_what_sets_texts_apart_from_the_mean(source: str, engine: str) -> None:
    postings = make_postings(13, 70)
    matcher = Matcher.fit(postings[:50], blocks=[SemanticBlock(**options_of(source))], engine=engine)
    alike = 0
    for renewed in (False, True):
        if renewed:
            matcher.add(postings[50:])
            matcher.refit()
        for profile in (SHORT, LONG, postings[3].body, postings[60].body, "zzyzx", WORDS[9]):
            expected = plain_cosines(matcher, profile)
            found = {one.posting.id: one.score for one in matcher.recommend(profile, 99)}
            assert len(found) == len(matcher)
            known = encoder_of(matcher.features[0].block).encode_profiles(  # type: ignore[arg-type]
                [profile], split_in_python([profile])
            )[0]
            weighed = matcher.features[0].block.share(known) > 0  # type: ignore[attr-defined]
            for posting, score in found.items():
                # A profile's numbers are rounded to one in 65,000.
                assert score == pytest.approx(expected[posting] if weighed else 0.0, abs=2e-4)
                alike += score > 0.1
    assert alike > 20


@pytest.mark.parametrize("engine", ["base", "fast"])
def test_postings_that_are_the_mean_have_no_data(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where an agency posts one advert 50,000 times: nothing sets it apart, so its other blocks count."""
    monkeypatch.setattr("matcher.dense.PRIOR_POSTINGS", 1e-9)
    postings = [Posting(id=f"{number:02d}", title="Registered nurse") for number in range(20)]
    both = Matcher.fit(postings, blocks=[TextBlock(), SemanticBlock()], engine=engine)
    alone = Matcher.fit(postings, blocks=[TextBlock()], engine=engine)
    assert [len(part.index.blocks[1].inverse_norms.nonzero()[0]) for part in both._snapshot.parts] == [0]
    for profile in ("registered nurse", "midwife", "nurse and pilot"):
        assert bits(both.recommend(profile, 30)) == bits(alone.recommend(profile, 30))
    both.add([Posting(id="x", title="Software developer")])
    scores = {one.posting.id: one.score for one in both.recommend("software", 30)}
    assert scores["x"] > 0
    assert {score for posting, score in scores.items() if posting != "x"} == {0.0}


def test_a_few_postings_do_not_decide_what_all_texts_share() -> None:
    """A thousand texts' worth is expected: of three postings alike, each still points somewhere."""
    matcher = Matcher.fit([Posting(id=n, title="Registered nurse") for n in "123"], blocks=[SemanticBlock()])
    expected = WordVectors.shipped().vectors.sum(axis=0, dtype=np.int64)
    learned = centre_of(matcher) / FINE / length_of_postings(256)
    cosine = learned @ expected / np.linalg.norm(learned) / np.linalg.norm(expected)
    assert cosine > 0.999
    assert np.linalg.norm(learned) == pytest.approx(0.4, abs=0.01)
    assert matcher.recommend("midwife")[0].score > 0.3


def test_queries_leave_the_mean_out() -> None:
    matcher = Matcher.fit(make_postings(14, 40), blocks=[SemanticBlock()])
    [fitted] = matcher.features
    tokens = split_in_python([SHORT, ""])
    some, nothing = fitted.queries([Profile(SHORT), Profile("")], tokens)
    [encoded, _] = encoder_of(SemanticBlock()).encode_profiles([SHORT, ""], tokens)
    mean = centre_of(matcher) / (FINE * length_of_postings(256))
    assert np.array_equal(some.centre, mean)
    assert some.vector is not None
    assert np.array_equal(some.vector, quantise_profiles((encoded.direction - mean)[None])[0])
    assert nothing.vector is None


# --- stored and opened again --------------------------------------------------------------------------


@each_source
def test_a_model_ranks_on_after_saving_loading_and_adding(source: str, tmp_path: Path) -> None:
    postings = make_postings(7, 60)
    fitted = Matcher.fit(postings[:40], blocks=blocks(**options_of(source)))
    fitted.save(tmp_path)
    given = {"encoder": Letters()} if source == "encoder" else {}
    loaded, service = Matcher.load(tmp_path, **given), Matcher.open(tmp_path, **given)
    expected = state(fitted)
    assert state(loaded) == state(service) == expected
    assert state(Matcher.load(tmp_path, engine="fast", **given)) == expected
    assert loaded.explain(SHORT, postings[0].id) == fitted.explain(SHORT, postings[0].id)
    for changed in (fitted, loaded):
        changed.add(postings[40:])
        changed.remove([postings[1].id])
        changed.refit()
    assert state(loaded) == state(fitted) != expected
    loaded.save(tmp_path)
    assert state(service) == expected
    assert service.reload_if_changed()
    assert state(service) == state(loaded)
    service.add([Posting(id="new", title="nurse")])
    assert "new" in vectors_of(service)


def test_a_model_of_an_encoder_needs_it_and_says_so(tmp_path: Path) -> None:
    Matcher.fit(POSTINGS, blocks=blocks(encoder=Letters())).save(tmp_path)
    bare = Matcher.load(tmp_path)
    for call in (
        lambda: bare.recommend(CV),
        lambda: bare.explain(CV, "a"),
        lambda: bare.add([Posting(id="new", title="Cook")]),
    ):
        with pytest.raises(OptionError, match=r"made by letters: give it to Matcher\.load, encoder="):
            call()
    assert len(bare) == len(POSTINGS)
    bare.remove(["a"])
    bare.compact()  # needs no encoder
    assert len(Matcher.load(tmp_path, encoder=Letters()).recommend(CV)) == len(POSTINGS) - 1
    with pytest.raises(OptionError, match="made by the encoder letters, not by others"):
        Matcher.load(tmp_path, encoder=Others())
    with pytest.raises(OptionError, match="needs a method encode"):
        Matcher.load(tmp_path, encoder="letters".__len__)
    for engine in ("base", "fast"):
        with pytest.raises(OptionError, match="vectors have 10 dimensions, those of profiles would have 3"):
            Matcher.load(tmp_path, encoder=Letters("abc"), engine=engine)


def test_a_service_goes_on_when_the_next_generation_needs_another_encoder(tmp_path: Path) -> None:
    Matcher.fit(POSTINGS, blocks=blocks(encoder=Letters())).save(tmp_path)
    service = Matcher.open(tmp_path, encoder=Letters())
    expected = bits(service.recommend(CV))
    Matcher.fit(POSTINGS, blocks=blocks(encoder=Others())).save(tmp_path)
    with pytest.raises(OptionError, match="letters"):
        service.reload_if_changed()
    assert bits(service.recommend(CV)) == expected
    Matcher.fit(MORE, blocks=blocks()).save(tmp_path)
    assert service.reload_if_changed()
    assert len(service.recommend(CV)) == len(MORE)


def test_a_table_of_ones_own_is_an_encoder_to_give_again(tmp_path: Path) -> None:
    table = WordVectors.from_arrays(["cook", "nurse", "ward"], [[9, 0], [0, 9], [1, 9]])
    fitted = Matcher.fit(POSTINGS, blocks=blocks(encoder=WordEncoder.from_table(table)))
    fitted.save(tmp_path)
    assert state(Matcher.load(tmp_path, encoder=WordEncoder.from_table(table))) == state(fitted)
    with pytest.raises(OptionError, match=r"give it to Matcher\.load"):
        Matcher.load(tmp_path).recommend(CV)


def test_commands_of_a_model_whose_encoder_is_not_at_hand_say_so_in_one_line(tmp_path: Path) -> None:
    model, cv, news = tmp_path / "model", tmp_path / "cv.txt", tmp_path / "news.jsonl"
    cv.write_text(CV, encoding="utf-8")
    news.write_text(json.dumps({"id": "new", "title": "Cook", "body": "Bake bread"}) + "\n", encoding="utf-8")
    Matcher.fit(POSTINGS, blocks=blocks(encoder=Letters())).save(model)
    for arguments in (
        ("rank", cv, "--model", model),
        ("explain", cv, "a", "--model", model),
        ("retrain", news, "--model", model),
    ):
        result = run(*arguments)
        assert_clean_failure(result, 2)
        assert "made by letters: give it to Matcher.load" in " ".join(result.stderr.split())
    succeed("verify", "--model", model)
    succeed("info", "--model", model)
    succeed("compact", "--model", model)
    assert Matcher.load(model).generation == 2


@pytest.mark.parametrize("source", ["shipped", "postings"])
def test_commands_work_on_a_model_of_word_vectors(source: str, tmp_path: Path) -> None:
    model, cv, news = tmp_path / "model", tmp_path / "cv.txt", tmp_path / "news.jsonl"
    cv.write_text("Midwife and nurse on a ward", encoding="utf-8")
    news.write_text(json.dumps({"id": "new", "title": "Nurse", "body": "Ward"}) + "\n", encoding="utf-8")
    Matcher.fit(POSTINGS + MORE, blocks=blocks(vectors=source)).save(model)
    succeed("retrain", news, "--model", model, "--probe", cv)
    ranked = json.loads(succeed("rank", cv, "--model", model, "--json").stdout)
    assert "new" in [one["id"] for one in ranked[:3]]
    parts = [part for part in ranked[0]["contributions"] if part["block"] == "semantic"]
    assert parts
    assert "semantic" in succeed("explain", cv, ranked[0]["id"], "--model", model).stdout
    for command in ("verify", "compact", "verify", "info", "history"):
        succeed(command, "--model", model)
    assert json.loads(succeed("rank", cv, "--model", model, "--json").stdout) == ranked


# --- contributions ------------------------------------------------------------------------------------


@each_source
def test_contributions_add_up_whether_ranked_or_explained(source: str) -> None:
    postings = make_postings(8, 60)
    matcher = Matcher.fit(postings, blocks=blocks(**options_of(source)))
    named = 0
    for profile in (SHORT, LONG, postings[3].body, " ".join(WORDS[5:45])):
        ranking = matcher.recommend(profile, 60)
        for found in ranking:
            assert math.fsum(part.value for part in found.contributions) == pytest.approx(
                found.score, abs=1e-12
            )
            parts = [part for part in found.contributions if part.block == "semantic"]
            assert len(parts) <= MOST_PAIRS + 1
            total = math.fsum(part.value for part in parts)
            assert not parts or total > 0
            assert all(abs(part.value) <= 50 * total for part in parts)
            named += sum(" ~ " in part.feature for part in parts)
            listed = [part.value for part in found.contributions]
            assert listed == sorted(listed, reverse=True)
        for found in ranking[::10]:
            explained = matcher.explain(profile, found.posting.id)
            assert explained == found
            for limit in (1, 3):
                best = matcher.recommend(profile, 60)[found.rank - 1].explanation
                assert callable(best)
                assert best(limit) == found.contributions[:limit]
    assert named > 60


def pairs_of(matcher: Matcher, profile: Profile | str, posting: str) -> dict[str, float]:
    parts = matcher.explain(profile, posting).contributions
    return {part.feature: part.value for part in parts if part.block == "semantic"}


def test_pairs_are_named_ten_at_most_and_the_rest_is_one() -> None:
    matcher = Matcher.fit(
        [Posting(id="1", title="Registered nurse", body="Care for patients on the ward"), Posting(id="2")],
        blocks=[SemanticBlock()],
    )
    few = pairs_of(matcher, "midwife, nurse", "1")
    assert set(few) == {"midwife ~ nurse", "nurse"}
    many = pairs_of(matcher, "midwife doctor surgeon hospital clinic patient health care elderly home "
                    "therapy surgery nurse", "1")  # fmt: skip
    assert len(many) == MOST_PAIRS + 1
    assert OTHER_WORDS in many
    assert "nurse" in many
    assert pairs_of(matcher, "midwife", "2") == {}


def test_what_rounding_decides_is_not_blown_up() -> None:
    """Words that cancel out but for a rounding are no reasons, however large they are beside the sum."""
    table = WordVectors.from_arrays(
        ["east", "far", "north", "south", "west"],
        [[100, 0, 0], [0, 0, 100], [0, 100, 0], [0, -100, 0], [-100, 0, -100]],
    )
    encoder = WordEncoder.from_table(table)
    posting = Posting(id="1", title="far " * 2**17 + " east west west")
    block = SemanticBlock(encoder=encoder)
    matcher = Matcher.fit([posting], blocks=[block])
    for profile in ("east north", "north south east", "east west north", "south east west far"):
        [found] = matcher.recommend(profile)
        for part in found.contributions:
            assert abs(part.value) <= 50 * found.score
        assert math.fsum(part.value for part in found.contributions) == pytest.approx(found.score, abs=1e-12)


def test_a_large_part_of_a_small_sum_is_among_the_first_reasons() -> None:
    table = WordVectors.from_arrays(["east", "west"], [[100, 0], [-90, 0]])
    shared = "qa qb qc qd qe qf qg qh qi qj qk"
    matcher = Matcher.fit(
        [Posting(id="1", title=f"east {shared}"), Posting(id="2", title="else")],
        blocks=[TextBlock(), SemanticBlock(weight=2.4, encoder=WordEncoder.from_table(table))],
    )
    found = matcher.recommend(f"east west {shared}", 1)[0]
    assert callable(found.explanation)
    few = found.explanation(3)
    assert few[0][:2] == ("semantic", "east")
    assert few == found.contributions[:3]


PERSON = """Anna Nightingale
anna.nightingale@nurse-mail.example
+41 79 555 12 34
Date of birth: 3 May 1988
Nationality: Swiss

Midwife with ten years in a hospital, care for patients at night.
"""
OTHER_PERSON = """Baker Pilot
baker.pilot@welding-school.example
+44 20 7946 0000
Date of birth: 9 October 1971
Nationality: Danish

Midwife with ten years in a hospital, care for patients at night.
"""


@each_source
def test_personal_data_is_no_reason_and_changes_nothing(source: str) -> None:
    persons = " ".join((PERSON + OTHER_PERSON).split())
    postings = [*make_postings(9, 30), Posting(id="p", title="Midwife", body=persons), *POSTINGS]
    postings += [dataclasses.replace(posting, id=posting.id + "2") for posting in postings]
    matcher = Matcher.fit(postings, blocks=blocks(**options_of(source)))
    rankings = [matcher.recommend(profile, 99) for profile in (PERSON, OTHER_PERSON)]
    assert bits(rankings[0]) == bits(rankings[1])
    private = {
        "anna",
        "nightingale",
        "baker",
        "pilot",
        "mail",
        "welding",
        "swiss",
        "danish",
        "1988",
        "5551234",
    }
    named = 0
    for found in rankings[0]:
        for part in found.contributions:
            if part.block == "semantic":
                named += 1
                own = [pair.split(" ~ ")[0] for pair in part.feature.split(", ")]
                assert private.isdisjoint(own)
    assert named > 10


# --- damage -------------------------------------------------------------------------------------------


def put_vectors(change: Callable[[np.ndarray], np.ndarray], segment: int = 0) -> Change:
    name = f"segment{segment}.semantic.vectors"
    return lambda draft: draft.put(name, change(draft.array(name)))


def put_table(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda draft: draft.put(f"semantic.{name}", change(draft.array(f"semantic.{name}")))


def put_centre(change: Callable[[np.ndarray], np.ndarray]) -> Change:
    return lambda draft: draft.put("semantic.centre", change(draft.array("semantic.centre")))


def one_number(value: int) -> Change:
    return put_centre(lambda old: np.where(np.arange(len(old)) == 1, value, old).astype(np.int32))


MOST = FINE * LARGEST


def set_setting(name: str, value: Any) -> Change:
    return lambda draft: draft.content["blocks"][-1]["settings"].__setitem__(name, value)


def drop(name: str) -> Change:
    return lambda draft: draft.files.pop(name)


def replace_table(draft: Draft) -> None:
    """Put a sound table of other dimensions in place of the model's, and its identity into the manifest."""
    words = draft.lines("semantic.words")
    table = WordVectors.from_arrays([word.decode() for word in words], np.ones((len(words), 300), np.int8))
    for name, array in table.to_files("semantic").items():
        if not name.endswith(".txt"):
            draft.put(name, array)
    set_setting("identity", table.identity)(draft)


def other_dimensions(draft: Draft) -> None:
    """Give the second segment half as many numbers a posting."""
    name = "segment1.semantic.vectors"
    size = len(draft.array("segment0.semantic.vectors")) // len(draft.array("segment0.postings.posted"))
    rows = draft.array(name).reshape(-1, size)
    draft.put(name, rows[:, : size // 2].reshape(-1))


def all_other_dimensions(draft: Draft) -> None:
    """Give every segment fewer numbers a posting than profiles have."""
    for segment in ("segment0", "segment1"):
        name, rows = f"{segment}.semantic.vectors", len(draft.array(f"{segment}.postings.posted"))
        draft.put(name, np.ascontiguousarray(draft.array(name).reshape(rows, -1)[:, :1]).reshape(-1))


DAMAGE: dict[str, Change] = {
    "a number too few": put_vectors(lambda old: old[:-1]),
    "a row too few": put_vectors(lambda old: old[: len(old) // 4 * 3]),
    "no numbers": put_vectors(lambda old: old[:0]),
    "a number too many": put_vectors(lambda old: np.append(old, np.uint8(1))),
    "-128": put_vectors(lambda old: np.where(np.arange(len(old)) == 3, 128, old).astype(np.uint8)),
    "another type": put_vectors(lambda old: old.view(np.int8)),
    "floats": put_vectors(lambda old: old.astype(np.float64)),
    "other dimensions in the second segment": other_dimensions,
    "twice the dimensions in the second segment": put_vectors(lambda old: np.tile(old, 2), 1),
    "other dimensions everywhere": all_other_dimensions,
    "no vectors": drop("segment0.semantic.vectors.npy"),
    "vectors in the second segment alone": drop("segment1.semantic.vectors.npy"),
    "a table of other dimensions": replace_table,
    "another identity": set_setting("identity", "0" * 64),
    "no identity": set_setting("identity", ""),
    "no table": drop("semantic.vectors.npy"),
    "no words": drop("semantic.words.txt"),
    "another number in the table": put_table("vectors", lambda old: np.append(old[:-1], old[-1] ^ 1)),
    "a table cut off": put_table("vectors", lambda old: old[:-1]),
    "words cut off": put_table("words.offsets", lambda old: old[:-1]),
    "another shape": put_table("shape", lambda old: old[::-1].copy()),
    "phrases of two words": put_table("shape", lambda old: np.append(old[:2], 2)),
    "the shipped table": set_setting("vectors", "shipped"),
    "an encoder": set_setting("vectors", "encoder"),
    "a source nobody knows": set_setting("vectors", "pickle"),
    "fading of 0": set_setting("fading", 0.0),
    "fading that is no number": set_setting("fading", "20"),
    "an identity that is no text": set_setting("identity", 7),
    "a setting too many": set_setting("encoder", "os.system"),
    "no centre": drop("semantic.centre.npy"),
    "a centre cut off": put_centre(lambda old: old[:-1]),
    "a centre of one number": put_centre(lambda old: old[:1]),
    "a centre without numbers": put_centre(lambda old: old[:0]),
    "a centre of a number too many": put_centre(lambda old: np.append(old, np.int32(0))),
    "a centre of 4,097 numbers": put_centre(lambda old: np.zeros(4097, np.int32)),
    "a centre of wider numbers": put_centre(lambda old: old.astype(np.int64)),
    "a centre of narrower numbers": put_centre(lambda old: old.astype(np.int16)),
    "a centre of unsigned numbers": put_centre(lambda old: old.view(np.uint32)),
    "a centre of floats": put_centre(lambda old: old.astype(np.float32)),
    "a centre with two axes": put_centre(lambda old: old.reshape(1, -1)),
    "a centre without axes": put_centre(lambda old: old[:1].reshape(())),
    "a centre too far out": one_number(MOST + 1),
    "a centre too far out below": one_number(-MOST - 1),
    "a centre as far out as a number goes": one_number(-(2**31)),
    "a centre of a segment": lambda draft: draft.put("segment0.semantic.centre", np.zeros(4, np.int32)),
    "a centre of terms": lambda draft: draft.put("text.centre", np.zeros(4, np.int32)),
    "norms": lambda draft: draft.put("segment0.semantic.inverse_norms", np.ones(4)),
    "places": lambda draft: draft.put("segment0.semantic.places", np.zeros(0, np.int32)),
    "words of a segment": lambda draft: draft.put_lines("segment0.semantic.vocabulary", [b"a"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def forge(tmp_path_factory: pytest.TempPathFactory) -> Forge:
    return Forge(tmp_path_factory.mktemp("semantic") / "model", make_model("semantic"))


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_refused_and_a_service_goes_on(name: str, forge: Forge) -> None:
    service = Matcher.open(forge.root, generation=1)
    expected = bits(service.recommend(CV))
    draft = forge.model.draft()
    DAMAGE[name](draft)
    forge.lay_out(draft)
    refused = (ModelDamagedError, ModelSchemaError)
    for engine in ("base", "fast"):
        with pytest.raises(refused):
            Matcher.load(forge.root, engine=engine)
    with pytest.raises(refused):
        service.reload_if_changed()
    assert bits(service.recommend(CV)) == expected
    [found] = verify_model(forge.root)
    assert found.problems
    forge.lay_out(forge.model.draft())
    assert service.reload_if_changed()


def test_other_vectors_of_the_same_kind_mislead_and_nothing_else(forge: Forge) -> None:
    draft = forge.model.draft()
    put_vectors(lambda old: np.roll(old, 1))(draft)
    forge.lay_out(draft)
    for found in Matcher.load(forge.root).recommend(CV, 20):
        assert 0 <= found.score <= 1 + 1e-9
        assert math.fsum(part.value for part in found.contributions) == pytest.approx(found.score, abs=1e-12)
    forge.lay_out(forge.model.draft())


CENTRES: dict[str, Change] = {
    "one off by one": put_centre(lambda old: old + (np.arange(len(old)) == 0).astype(np.int32)),
    "nothing": put_centre(np.zeros_like),
    "the other way round": put_centre(np.negative),
    "as far out as may be": put_centre(lambda old: np.full_like(old, MOST)),
    "as far out as may be below": put_centre(lambda old: np.full_like(old, -MOST)),
    "a posting": lambda draft: draft.put(
        "semantic.centre",
        FINE
        * draft.array("segment0.semantic.vectors")
        .view(np.int8)[: len(draft.array("semantic.centre"))]
        .astype(np.int32),
    ),
}


@pytest.mark.parametrize("name", CENTRES)
def test_another_centre_misleads_and_is_noticed_by_those_who_look(name: str, forge: Forge) -> None:
    draft = forge.model.draft()
    CENTRES[name](draft)
    forge.lay_out(draft)
    for engine in ("base", "fast"):
        loaded = Matcher.load(forge.root, engine=engine)
        for profile in (CV, SHORT, "bread"):
            for found in loaded.recommend(profile, 20):
                assert 0 <= found.score <= 1 + 1e-9
                total = math.fsum(part.value for part in found.contributions)
                assert total == pytest.approx(found.score, abs=1e-12)
    base, fast = (Matcher.load(forge.root, engine=engine) for engine in ("base", "fast"))
    assert [bits(one) for one in base.recommend_many([CV, SHORT, "bread"], 3)] == [
        bits(one) for one in fast.recommend_many([CV, SHORT, "bread"], 3)
    ]
    [found] = verify_model(forge.root)
    [problem] = found.problems
    assert problem.endswith("generation 2: semantic.centre: not the mean of the postings' vectors")
    renewed = Matcher.load(forge.root)
    renewed.remove(["a"])
    renewed.refit()  # learns it anew
    assert centre_of(renewed).tolist() == plain_centre(renewed)
    forge.lay_out(forge.model.draft())
    [found] = verify_model(forge.root)
    assert found.problems == ()


@pytest.mark.parametrize("source", ["shipped", "postings", "encoder"])
@pytest.mark.parametrize("size", ["fewer", "more"])
def test_a_centre_of_other_dimensions_is_refused_though_there_are_no_postings(
    source: str, size: str, tmp_path: Path
) -> None:
    Matcher.fit([], blocks=blocks(**options_of(source))).save(tmp_path / "honest")
    folder = tmp_path / "honest" / "gen-00000001"
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    content = json.loads(files.pop("manifest.json"))["content"]
    forge = Forge(tmp_path / "model", Model("none", files, content))
    draft = forge.model.draft()
    old = draft.array("semantic.centre")
    draft.put("semantic.centre", old[: len(old) // 2] if size == "fewer" else np.tile(old, 2))
    forge.lay_out(draft)
    given = {"encoder": Letters()} if source == "encoder" else {}
    with pytest.raises(ModelDamagedError if source != "encoder" else (ModelDamagedError, OptionError)):
        Matcher.load(forge.root, **given)
    forge.lay_out(forge.model.draft())
    assert len(Matcher.load(forge.root, **given)) == 0


def test_another_table_of_the_library_is_another_version(tmp_path: Path) -> None:
    Matcher.fit(POSTINGS, blocks=blocks()).save(tmp_path)
    path = tmp_path / "gen-00000001" / "manifest.json"
    record = json.loads(path.read_bytes())
    record["content"]["blocks"][-1]["settings"]["identity"] = "ab" * 32
    data = json.dumps(record).encode()
    path.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (tmp_path / "CURRENT").write_text(json.dumps({"generation": 1, "manifest_sha256": digest}))
    with pytest.raises(
        ModelSchemaError, match=r"abababababab, this library has .{12}; train the model again"
    ):
        Matcher.load(tmp_path)
    [found] = verify_model(tmp_path)
    assert "word vectors" in found.problems[0]
    assert issubclass(ModelSchemaError, ModelError)


@pytest.mark.parametrize("name", [name for name in FITS if name != "stale"])
def test_who_lies_consistently_knows_what_agrees(name: str) -> None:
    draft = make_model(name).draft()
    agree(draft)
    assert draft.content == make_model(name).content
    for array in make_model(name).arrays:
        assert np.array_equal(draft.array(array), make_model(name).draft().array(array))
    for mutant in mutants_of_lies(make_model(name), random.Random(1)):
        if "vectors" in mutant.label or "centre" in mutant.label or "weights" in mutant.label:
            mutant.change(make_model(name).draft())  # a lie that cannot be told would be judged as none


def find_lies(name: str, words: str) -> list[int]:
    return [
        number
        for number, mutant in enumerate(make_mutants(name, 5, 0))
        if mutant.kind == "lies" and re.search(words, mutant.label)
    ]


@pytest.mark.parametrize(
    ("name", "words", "count"),
    [
        ("semantic", r"^centre \w+ ?\w* ?\w* ?\w*$|^segment0 vectors", 6),
        ("renewed", r"^centre (0|3|60) from segment[01]:[01]$", 2),
    ],
)
def test_lies_about_vectors_are_refused_or_harmless(name: str, words: str, count: int) -> None:
    chosen = find_lies(name, words)[:count]
    assert len(chosen) == count
    judged = list(judge_apart(name, 5, 0, chosen))
    assert [one for one in judged if one.outcome == BAD] == []
    assert SAME not in {one.outcome for one in judged}


def test_the_judge_notices_when_nobody_checks_the_centre() -> None:
    chosen = find_lies("renewed", "^centre as large as a number$")
    assert len(chosen) == 1
    for checks, outcome in ((["matcher.learning:_is_centre"], BAD), ([], REFUSED)):
        assert [one.outcome for one in judge_apart("renewed", 5, 0, chosen, checks)] == [outcome]


def test_every_mutant_of_a_model_with_vectors_is_refused_or_harmless() -> None:
    judged = list(judge_apart("semantic", 5, 100, range(12)))
    assert [one for one in judged if one.outcome == BAD] == []
    assert len(judged) == 12
    assert sum(outcomes[REFUSED] for outcomes in tally(judged).values()) > 6


def test_a_block_without_an_encoder_says_what_it_needs() -> None:
    with pytest.raises(OptionError, match="needs an encoder"):
        Matcher.fit(POSTINGS, blocks=[SemanticBlock(vectors="encoder")])
    with pytest.raises(OptionError, match=r"give it to Matcher\.load"):
        encoder_of(SemanticBlock(vectors="postings", identity="x"))
    with pytest.raises(OptionError, match="one of shipped, postings, encoder"):
        Matcher.fit(POSTINGS, blocks=[SemanticBlock(vectors="internet")])


@each_source
def test_no_postings_at_all_are_stored_and_loaded(source: str, tmp_path: Path) -> None:
    Matcher.fit([], blocks=blocks(**options_of(source))).save(tmp_path)
    given = {"encoder": Letters()} if source == "encoder" else {}
    loaded = Matcher.load(tmp_path, **given)
    assert len(loaded.recommend(CV)) == 0
    loaded.add(POSTINGS)
    loaded.refit()
    assert len(loaded.recommend(CV)) == len(POSTINGS)
    loaded.save(tmp_path)
    assert state(Matcher.load(tmp_path, **given)) == state(loaded)


def test_a_remainder_of_other_words_is_no_reason() -> None:
    parts = (
        Contribution("semantic", OTHER_WORDS, 0.5),
        Contribution("semantic", "nurse ~ midwife", 0.3),
        Contribution("text", "ward", 0.1),
    )
    assert Recommendation(1, 0.9, Posting(id="1"), parts).why(2) == "nurse ~ midwife, ward"


def test_an_encoder_is_refused_where_a_table_made_the_vectors(tmp_path: Path) -> None:
    Matcher.fit(POSTINGS).save(tmp_path)
    with pytest.raises(OptionError, match="were not made by an encoder"):
        Matcher.load(tmp_path, encoder=Letters())
