"""Hostile models: refused or harmless, whatever they hold. (benchmarks/hostile.py judges thousands more.)"""

import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import matcher
from matcher import Matcher, ModelDamagedError, ModelError, Posting
from matcher.errors import ModelSignatureError, OptionError
from matcher.verification import verify_model
from tests import batches
from tests.batches import judge_apart, make_mutants, tally
from tests.hostile_models import CV, LATER, POSTINGS, Forge, fit_renewed, fit_stale, make_model, replace
from tests.judging import BAD, REFUSED, bits
from tests.lies import WITNESS, drop_block, payloads, shuffle_order

SEED = 5
KEY = b"a key of more than sixteen bytes"


# --- mutants ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "count"), [("renewed", 80), ("stale", 70), ("plain", 60), ("empty", 30)])
def test_every_mutant_of_a_model_is_refused_or_harmless(name, count):
    judged = list(judge_apart(name, SEED, 300, range(count)))
    assert [one for one in judged if one.outcome == BAD] == []
    assert len(judged) == count
    counted = tally(judged)
    assert sum(outcomes[REFUSED] for outcomes in counted.values()) > count / 2
    assert len(counted) > 15 or name == "empty"


def find_mutants(name, words):
    return [
        number
        for number, mutant in enumerate(make_mutants(name, SEED, 0))
        if words in f"{mutant.kind} {mutant.label}"
    ]


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ("matcher.counts:_holds_entries", "one value segment0.text.by_term.columns[0]"),
        ("matcher.persistence:_fit", "segment1.text norms zero"),
    ],
)
def test_the_judge_notices_when_a_check_is_missing(check, words):
    numbers = find_mutants("stale", words)[:20]
    assert BAD in {one.outcome for one in judge_apart("stale", SEED, 0, numbers, [check])}
    assert BAD not in {one.outcome for one in judge_apart("stale", SEED, 0, numbers)}


def test_a_mutant_that_ends_the_process_or_never_ends_is_named_and_the_rest_are_judged(monkeypatch):
    monkeypatch.setattr(batches, "PATIENCE", 3)
    late, other = find_mutants("plain", "is_fitted = 2")[0], find_mutants("plain", "array: type")[0]
    for suffix, reason in (("!", "ended by signal 6"), ("~", "it never ended")):
        check = "tests.judging:use" + suffix
        harmless = find_mutants("plain", "lies is_fitted False")[0]
        judged = list(judge_apart("plain", SEED, 0, [other, harmless, late], [check]))
        assert [one.number for one in judged] == [other, harmless, late]
        assert [one.outcome for one in judged] == [REFUSED, BAD, REFUSED]
        assert reason in judged[1].reason


# --- what a model can lie about ---------------------------------------------------------------------


@pytest.fixture
def stale(tmp_path):
    return Forge(tmp_path / "model", make_model("stale"))


def test_two_orders_of_different_matrices_mislead_a_ranking_and_nothing_else(stale, tmp_path):
    draft = stale.model.draft()
    shuffle_order("segment0", "text", "by_term", "first rows", 1, draft)
    stale.lay_out(draft)
    loaded = Matcher.load(stale.root)
    for found in loaded.recommend(CV, 20):
        assert np.isfinite(found.score)
        assert found.score >= 0
        assert sum(part.value for part in found.contributions) == pytest.approx(found.score)
    before = bits(loaded.recommend(CV))
    with pytest.raises(
        ModelDamagedError, match="the counts by term are not those by posting: train the model again"
    ):
        loaded.refit()
    assert bits(loaded.recommend(CV)) == before
    assert any(
        "the counts by term are not those by posting" in problem
        for problem in verify_model(stale.root)[0].problems
    )


def test_what_could_not_be_read_back_is_not_published(tmp_path):
    forge = Forge(tmp_path / "model", make_model("renewed"))
    draft = forge.model.draft()
    columns = draft.array("segment0.hashtags.by_posting.columns")
    columns[-1] += 1  # one posting has another tag, which by_term does not know
    draft.put("segment0.hashtags.by_posting.columns", columns)
    forge.lay_out(draft)
    loaded = Matcher.load(forge.root)
    with pytest.raises(ModelDamagedError, match="train the model again"):
        loaded.compact()  # the merged segment has the frequencies of one order, the block those of the other
    assert Matcher.load(forge.root).generation == 2
    assert not (forge.root / "gen-00000003").exists()


def test_a_service_goes_on_to_a_generation_only_if_it_would_load_it(stale):
    service = Matcher.load(stale.root, generation=1)
    expected = bits(service.recommend(CV))
    for with_files in (True, False):  # the files of its segments may be the ones that are open
        draft = stale.model.draft()
        drop_block("hashtags", with_files, draft)
        stale.lay_out(draft)
        for block in Matcher.load(stale.root).features if with_files else ():
            assert block.block.name != "hashtags"
        if not with_files:
            with pytest.raises(ModelDamagedError):
                Matcher.load(stale.root)
            with pytest.raises(ModelDamagedError):
                service.reload_if_changed()
            assert bits(service.recommend(CV)) == expected
    stale.lay_out(stale.model.draft())
    assert service.reload_if_changed()
    assert bits(service.recommend(CV)) == expected


def test_records_are_checked_when_they_are_read_and_the_others_go_on(stale):
    draft = stale.model.draft()
    records = draft.lines("segment0.postings.records")
    records[0] = b'{"id": "a", "title": NaN}'
    draft.put_lines("segment0.postings.records", records)
    stale.lay_out(draft)
    loaded = Matcher.load(stale.root)
    with pytest.raises(ModelDamagedError, match=r"postings.records.txt:1"):
        loaded.recommend("cook in bern bakes cakes", 1)
    assert loaded.recommend("sql", 1)[0].posting.id == "f"
    loaded.remove(["a"])
    assert len(loaded.recommend(CV, 20)) == len(loaded)


# --- nothing is executed, nothing else is opened ----------------------------------------------------

_SCRIPT = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
tasks = json.loads(sys.argv[2])
from matcher import Matcher, MatcherError
from matcher.boosts import Featured, Freshness
from matcher.filters import FILTERS

events = []
recording = False

def watch(event, arguments):
    if recording:
        events.append([event, [argument if isinstance(argument, (str, int, type(None))) else
                               argument.decode("utf-8", "replace") if isinstance(argument, bytes) else
                               repr(argument)[:80] for argument in arguments]])

def work(path):
    loaded = Matcher.load(path, engine=tasks["engine"])
    for filters in [{}] + [{name: row.example} for name, row in FILTERS.items()]:
        loaded.recommend("nurse and cook, bread", filters=filters, boosts=[Featured(), Freshness()])
    loaded.explain("nurse", loaded.postings.ids[0])
    loaded.recommend_many(["nurse", "cook"] * 3, threads=2)
    loaded.postings_with("text", "nurse")

def reload(path):
    service = Matcher.load(path, generation=1, engine=tasks["engine"])
    service.reload_if_changed()
    service.recommend("nurse and cook")

def refused(call, path):
    try:
        call(path)
    except MatcherError:
        return True
    return False

for path in tasks["first"]:  # imports what it needs, and compiles
    work(path), reload(path), refused(work, "no/such/model")
modules = set(sys.modules)
sys.addaudithook(watch)
recording = True
for path in tasks["sound"]:
    work(path)
    reload(path)
accepted = [path for path in tasks["hostile"] for call in (work, reload) if not refused(call, path)]
recording = False
print(json.dumps({"events": events, "accepted": accepted, "modules": sorted(set(sys.modules) - modules)}))
"""

HARMLESS_EVENTS = {
    *("open", "os.listdir", "os.scandir", "mmap.__new__", "fcntl.flock", "msvcrt.locking"),
    *("_thread.start_new_thread", "_thread.start_joinable_thread"),
    *("builtins.id", "object.__getattr__", "sys._getframe", "time.sleep"),
}
"""None of these imports, executes, unpickles, starts a process, talks to anybody, or changes a file."""


def watch(tmp_path, engine, *, first, sound, hostile=()):
    tasks = {"engine": engine, "first": first, "sound": sound, "hostile": list(hostile)}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _SCRIPT,
            str(Path(matcher.__file__).parents[1]),
            json.dumps(tasks, default=str),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=tmp_path,
    )
    assert done.stderr == ""
    return json.loads(done.stdout)


def assert_harmless(result, root):
    assert result["modules"] == []
    assert {event for event, _ in result["events"]} <= HARMLESS_EVENTS
    opened = [arguments for event, arguments in result["events"] if event == "open"]
    assert opened
    for path, _, flags in opened:
        assert Path(os.path.normpath(path)).is_relative_to(root)
        assert ".." not in Path(path).parts
        assert not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)


@pytest.mark.parametrize("engine", [None, "fast"])
def test_opening_and_ranking_imports_executes_and_writes_nothing_and_opens_nothing_else(tmp_path, engine):
    roots = []
    for name in ("first", "second"):
        changed = fit_renewed()
        changed.save(tmp_path / name)
        changed.add([Posting(id="new", title="Nurse", hashtags=["new"])])
        changed.save(tmp_path / name)
        roots.append(tmp_path / name)
    result = watch(tmp_path, engine, first=roots[:1], sound=roots[1:])
    assert_harmless(result, roots[1])


def test_what_is_watched_for_would_be_seen(tmp_path):
    fit_renewed().save(tmp_path / "model")
    fit_renewed().save(tmp_path / "model")
    result = watch(tmp_path, None, first=[], sound=[tmp_path / "model"])
    assert {"import", "exec", "marshal.loads"} <= {event for event, _ in result["events"]}
    assert result["modules"]


def hostile_directories(tmp_path):
    """Return model directories that hold pickles, or lead out of the model in every way we could think of."""
    witness = tmp_path / WITNESS
    model = make_model("renewed")
    outside = tmp_path / "outside"
    outside.mkdir()
    data = model.files["segment0.text.places.npy"]
    (outside / "places.npy").write_bytes(data)
    made = []

    def make(change=None):
        forge = Forge(tmp_path / f"hostile{len(made)}", model)
        draft = model.draft()
        if change:
            change(draft)
        forge.lay_out(draft)
        made.append(forge.root)
        return forge

    for payload in payloads(str(witness)).values():
        for name in (
            "segment0.text.places.npy",
            "text.vocabulary.txt",
            "more.npy",
            "segment0.postings.records.txt",
        ):
            if name != "segment0.postings.records.txt":
                make(lambda draft, name=name, payload=payload: draft.files.__setitem__(name, payload))
        replace(make().folder / "manifest.json", payload)
        replace(make().root / "CURRENT", payload)
    entry = {"size": len(data), "sha256": "0" * 64}
    for name in (
        *("../outside/places.npy", "../../outside/places.npy", str(outside / "places.npy"), "/etc/passwd"),
        *("x/../places.npy", "..", ".", "gen-00000001", "os.system.npy/", "antigravity.py", "__main__.py"),
    ):
        make(
            lambda draft, name=name: draft.changes.append(
                lambda record: record["files"].__setitem__(name, entry)
            )
        )
    for name in ("segment0.text.places.npy", "text.vocabulary.txt", "manifest.json"):
        folder = make().folder
        (folder / name).unlink()
        (folder / name).symlink_to(outside / "places.npy")
    root = make().root
    shutil.move(root / "gen-00000002", outside / "generation")
    (root / "gen-00000002").symlink_to(outside / "generation")
    if hasattr(os, "mkfifo"):
        folder = make().folder
        (folder / "text.vocabulary.txt").unlink()
        os.mkfifo(folder / "text.vocabulary.txt")
    for settings in (
        {"name": "os.system"},
        {"name": "antigravity", "weight": 1.0},
        {"name": "__import__('os')"},
    ):
        make(lambda draft, settings=settings: draft.content["blocks"][0].update(settings=settings))
    return made, witness


def test_pickles_and_ways_out_of_a_model_are_refused_and_lead_nowhere(tmp_path):
    made, witness = hostile_directories(tmp_path)
    sound = tmp_path / "sound"
    for _ in range(2):
        fit_renewed().save(sound)
    result = watch(tmp_path, None, first=[sound], sound=[], hostile=made)
    assert result["accepted"] == []
    assert not witness.exists()
    assert result["modules"] == []
    assert {event for event, _ in result["events"]} <= HARMLESS_EVENTS
    opened = [
        Path(os.path.normpath(arguments[0])) for event, arguments in result["events"] if event == "open"
    ]
    assert all(any(path.is_relative_to(root) for root in made) for path in opened)
    assert {root.name for root in made} == {path.relative_to(tmp_path).parts[0] for path in opened}
    pickle.loads(payloads(str(witness))["pickle"])
    assert witness.exists()  # the payload works: it was the reader that did not run it


def test_records_that_hold_a_pickle_are_refused_when_they_are_read(stale, tmp_path):
    witness = tmp_path / WITNESS
    for payload in payloads(str(witness)).values():
        draft = stale.model.draft()
        rows = len(draft.lines("segment0.postings.records"))
        draft.put_lines("segment0.postings.records", [payload.replace(b"\n", b" ")] * rows)
        stale.lay_out(draft)
        with pytest.raises(ModelDamagedError):
            list(Matcher.load(stale.root).postings)
    assert not witness.exists()


# --- signatures -------------------------------------------------------------------------------------


def sign_twice(root):
    """Publish two generations with a key; return the matcher that has the second one open."""
    first = Matcher.fit(POSTINGS)
    first.save(root, key=KEY)
    first.add(LATER)
    first.refit()
    first.save(root, key=KEY)
    return first


def test_a_signed_model_ranks_the_same_with_its_key_and_without_one(tmp_path):
    signed = sign_twice(tmp_path)
    for key in (KEY, None):
        assert bits(Matcher.load(tmp_path, key=key).recommend(CV)) == bits(signed.recommend(CV))
    assert len(Matcher.load(tmp_path, key=KEY, generation=1)) == len(POSTINGS)


@pytest.mark.parametrize("key", [KEY[:-1] + b"x", KEY + b"x", KEY.upper(), bytes(32)])
def test_another_key_is_refused(tmp_path, key):
    sign_twice(tmp_path)
    for generation in (None, 1, 2):
        with pytest.raises(ModelSignatureError, match="key"):
            Matcher.load(tmp_path, key=key, generation=generation)


@pytest.mark.parametrize("key", ["text of sixteen or more", b"too short", b"", 7])
def test_an_unfit_key_is_a_wrong_option_and_nothing_is_written(tmp_path, key):
    with pytest.raises(OptionError, match="key"):
        Matcher.fit(POSTINGS).save(tmp_path / "model", key=key)
    assert not (tmp_path / "model" / "CURRENT").exists()
    sign_twice(tmp_path / "signed")
    with pytest.raises(OptionError, match="key"):
        Matcher.load(tmp_path / "signed", key=key)


def test_a_key_needs_hashes_that_are_compared(tmp_path):
    sign_twice(tmp_path)
    with pytest.raises(OptionError, match="verify"):
        Matcher.load(tmp_path, key=KEY, verify=False)


def test_an_unsigned_model_is_refused_with_a_key(tmp_path):
    Matcher.fit(POSTINGS).save(tmp_path)
    with pytest.raises(ModelSignatureError, match="not signed"):
        Matcher.load(tmp_path, key=KEY)


def test_whoever_changes_a_signed_model_is_noticed_even_when_every_hash_fits(tmp_path):
    forge = Forge(tmp_path / "model", make_model("renewed"))
    other = tmp_path / "other"
    fit_renewed().save(other, key=KEY)
    signature = (other / "gen-00000001" / "signature").read_bytes()
    (forge.folder / "signature").write_bytes(signature)
    with pytest.raises(
        ModelSignatureError
    ):  # of the same model, but another generation: its parent is another
        Matcher.load(forge.root, key=KEY)
    honest = (other / "gen-00000001" / "manifest.json").read_bytes()
    for change in (
        lambda content: content.update(note={"x": 1}),
        lambda content: content["blocks"][0]["settings"].update(weight=0.1),
        lambda content: content.update(library="0.0.0"),
    ):
        record = json.loads(honest)
        change(record["content"])
        lay_out_manifest(other, json.dumps(record).encode())
        assert Matcher.load(other)  # without a key, nothing tells
        with pytest.raises(ModelSignatureError):
            Matcher.load(other, key=KEY)
    lay_out_manifest(other, honest + b"\n")  # means the same, but is not what was signed
    with pytest.raises(ModelSignatureError):
        Matcher.load(other, key=KEY)
    lay_out_manifest(other, honest)
    assert Matcher.load(other, key=KEY)


def lay_out_manifest(root, data):
    replace(root / "gen-00000001" / "manifest.json", data)
    pointer = {"generation": 1, "manifest_sha256": hashlib.sha256(data).hexdigest()}
    replace(root / "CURRENT", json.dumps(pointer).encode())


def test_a_signed_file_that_was_changed_is_noticed(tmp_path):
    sign_twice(tmp_path)
    path = tmp_path / "gen-00000002" / "segment1.text.inverse_norms.npy"
    data = path.read_bytes()
    replace(path, data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(ModelDamagedError, match="SHA-256"):
        Matcher.load(tmp_path, key=KEY)


def test_the_signature_of_another_generation_does_not_fit(tmp_path):
    sign_twice(tmp_path)
    first, second = (tmp_path / f"gen-0000000{number}" / "signature" for number in (1, 2))
    signatures = first.read_bytes(), second.read_bytes()
    for path, data in ((second, signatures[0]), (first, signatures[1])):
        replace(path, data)
    for generation in (None, 1, 2):
        with pytest.raises(ModelSignatureError):
            Matcher.load(tmp_path, key=KEY, generation=generation)
    second.unlink()
    with pytest.raises(ModelSignatureError, match="missing"):
        Matcher.load(tmp_path, key=KEY)


def test_a_signature_does_not_say_that_a_generation_is_the_newest(tmp_path):
    # Whoever can write the directory can go back to what was signed before; docs/how-it-works.md says so.
    sign_twice(tmp_path)
    shutil.rmtree(tmp_path / "gen-00000002")
    shutil.copytree(tmp_path / "gen-00000001", tmp_path / "gen-00000002")
    data = (tmp_path / "gen-00000002" / "manifest.json").read_bytes()
    lay_out_manifest(tmp_path, data)
    pointer = json.loads((tmp_path / "CURRENT").read_bytes()) | {"generation": 2}
    replace(tmp_path / "CURRENT", json.dumps(pointer).encode())
    assert len(Matcher.load(tmp_path, key=KEY)) == len(POSTINGS)


def test_a_service_with_a_key_stays_where_it_is_when_the_next_generation_is_not_signed_with_it(tmp_path):
    signed = sign_twice(tmp_path)
    service = Matcher.open(tmp_path, key=KEY)
    expected = bits(service.recommend(CV))
    for key in (None, KEY + b"x"):
        Matcher.fit(POSTINGS).save(tmp_path, key=key)
        with pytest.raises(ModelSignatureError):
            service.reload_if_changed()
        assert bits(service.recommend(CV)) == expected
        assert service.generation == 2
    Matcher.fit(POSTINGS).save(tmp_path, key=KEY)
    assert service.reload_if_changed()
    assert len(service) == len(POSTINGS) < len(signed)


def test_compacting_signs_with_the_key_that_the_model_was_opened_with(tmp_path):
    sign_twice(tmp_path)
    opened = Matcher.open(tmp_path, key=KEY)
    opened.remove(["a"])
    generation = opened.compact().generation
    assert Matcher.load(tmp_path, key=KEY).generation == generation == 3
    with pytest.raises(ModelError):
        Matcher.load(tmp_path, key=KEY + b"x")


def test_a_stale_matcher_is_signed_like_any_other(tmp_path):
    fit_stale().save(tmp_path, key=KEY)
    assert not Matcher.load(tmp_path, key=KEY).is_fitted
