"""A matcher on disk: the same ranking bit for bit, and no damage that gets past loading."""

import itertools
import json
import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matcher
from matcher import Matcher, ModelDamagedError, ModelError, ModelSchemaError, Posting
from matcher.boosts import Featured, Freshness
from matcher.counts import LARGEST_COUNT, LARGEST_INVERSE_NORM, LEAST_INVERSE_NORM
from matcher.dense import FINE, LARGEST
from matcher.features import HashtagBlock, TextBlock
from matcher.filters import FILTERS
from matcher.report import describe_model
from matcher.verification import verify_model
from tests.hostile_models import CV, POSTINGS, Forge, make_model, npy, replace
from tests.lies import forget

MODELS = ["plain", "renewed", "stale"]
"""One segment; two with deleted rows and words that are missing here and there; the same, not fitted."""


def snapshot(root):
    """Return what a model directory holds; the lock is no part of the model."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


@pytest.fixture(scope="module")
def forges(tmp_path_factory):
    return {name: Forge(tmp_path_factory.mktemp(name) / "model", make_model(name)) for name in MODELS}


@pytest.fixture(params=MODELS)
def forge(request, forges):
    """A model directory whose current generation can be replaced by a draft."""
    return forges[request.param]


@pytest.fixture(params=MODELS[:2])
def fitted(request, forges):
    return forges[request.param]


def load(root):
    return Matcher.load(root, verify=False)


def outcome(forge, draft, use=load):
    """Return what becomes of a draft whose hashes fit: the error, or None when it is accepted."""
    forge.lay_out(draft)
    try:
        use(forge.root)
    except ModelDamagedError as error:
        return error
    return None


def use(root, *, verify=False):
    """Load a model and touch everything in it; return all scores."""
    loaded = Matcher.load(root, verify=verify)
    rankings = [loaded.recommend(CV, 10), loaded.recommend(CV, 10, boosts=[Freshness(), Featured()])]
    rankings += [loaded.recommend(CV, 10, filters={name: row.example}) for name, row in FILTERS.items()]
    describe_model(loaded)
    assert len(list(loaded.postings)) == len(loaded)
    for ranking in rankings:
        for recommendation in ranking:
            loaded.explain(CV, loaded.postings.ids[0])
            parts = sum(part.value for part in recommendation.contributions)
            assert recommendation.score == pytest.approx(parts, rel=1e-9, abs=1e-12)
    return [recommendation.score for ranking in rankings for recommendation in ranking]


def read(root):
    """Load a model and decode every posting: each record is checked when it is read, before it is used."""
    return list(Matcher.load(root, verify=False).postings)


# --- the round trip -------------------------------------------------------------------------------

words = st.sampled_from("cook nurse bread ward köchin c++ .net sql night 東京 école baker".split())
texts = st.lists(words, max_size=8).map(" ".join) | st.text(max_size=12)
postings = st.lists(
    st.builds(
        Posting,
        id=st.text("abcü𝔸.-/ ", min_size=1, max_size=4).filter(str.strip),
        title=texts,
        body=texts,
        location=texts,
        company=texts,
        job_type=texts,
        hashtags=st.lists(words | st.text(max_size=5), max_size=4).map(tuple),
        posted=st.none() | st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)),
        featured=st.integers(-3, 2**70),
        extra=st.dictionaries(st.sampled_from(["x", "self", "content"]), st.none() | st.text(max_size=4)),
    ),
    max_size=8,
)


def bits(ranking):
    return [
        (
            entry.rank,
            entry.posting,
            entry.score.hex(),
            [(*part[:2], part.value.hex()) for part in entry.contributions],
        )
        for entry in ranking
    ]


@given(postings, texts, st.integers(1, 9), st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_saved_matcher_ranks_the_same_bit_for_bit(tmp_path_factory, postings, cv, k, boosted):
    root = tmp_path_factory.mktemp("model")
    fitted = Matcher.fit(postings)
    fitted.save(root)
    assert_same(fitted, Matcher.load(root), cv, k, boosted)
    assert verify_model(root)[0].problems == ()


@given(postings, st.lists(postings, min_size=1, max_size=3), texts, st.data())
@settings(max_examples=15, deadline=None)
def test_a_changed_matcher_ranks_the_same_bit_for_bit_fitted_or_not(
    tmp_path_factory, postings, lots, cv, data
):
    root = tmp_path_factory.mktemp("model")
    changed = Matcher.fit(postings)
    for lot in lots:
        changed.add(lot)
        if changed.postings.ids:
            changed.remove(data.draw(st.lists(st.sampled_from(changed.postings.ids), max_size=2)))
        if data.draw(st.booleans()):
            changed.refit()
        changed.save(root)
        assert_same(changed, Matcher.load(root), cv, 9, data.draw(st.booleans()))
        assert verify_model(root)[0].problems == ()


def assert_same(fitted, loaded, cv, k, boosted):
    boosts = [Freshness(0.1), Featured(0.2)] if boosted else []
    assert (len(loaded), loaded.is_fitted) == (len(fitted), fitted.is_fitted)
    assert list(loaded.postings) == list(fitted.postings)
    before, after = (which.recommend(cv, k, boosts=boosts) for which in (fitted, loaded))
    assert bits(after) == bits(before)
    assert (after.considered, after.notice) == (before.considered, before.notice)
    assert describe_model(loaded) == describe_model(fitted) | {"generation": loaded.generation}


@pytest.mark.parametrize(
    "text", ["New  York", " Bern", "Cork\n", "Genève\xa0CH", "\u2028", "\ud800", "x\x00y"]
)
def test_what_filters_read_in_a_normal_form_is_sound_all_the_same(tmp_path, text):
    Matcher.fit([Posting(id="1", location=text, company=text, job_type=text)]).save(tmp_path)
    assert verify_model(tmp_path)[0].problems == ()


def test_postings_come_back_as_they_went_in(tmp_path):
    Matcher.fit(POSTINGS).save(tmp_path)
    assert list(Matcher.load(tmp_path).postings) == sorted(POSTINGS, key=lambda posting: posting.id)


@pytest.mark.parametrize("filters", [{name: row.example} for name, row in FILTERS.items()], ids=list(FILTERS))
def test_filters_remove_the_same_postings_after_loading(tmp_path, filters):
    fitted = Matcher.fit(POSTINGS)
    fitted.save(tmp_path)
    before, after = (which.recommend(CV, 9, filters=filters) for which in (fitted, Matcher.load(tmp_path)))
    assert bits(after) == bits(before)
    assert after.removed == before.removed


def test_block_weights_come_back(tmp_path):
    blocks = [HashtagBlock(weight=0.1), TextBlock(weight=0.7000000000000001)]
    fitted = Matcher.fit(POSTINGS, blocks=blocks)
    fitted.save(tmp_path)
    loaded = Matcher.load(tmp_path)
    assert [entry.block for entry in loaded.features] == [entry.block for entry in fitted.features]
    assert bits(loaded.recommend(CV)) == bits(fitted.recommend(CV))


@pytest.mark.parametrize(
    "blocks",
    [[TextBlock(weight=1)], [HashtagBlock(weight=np.float64(0.5))], [TextBlock(weight=np.float32(0.5))]],
    ids=["int", "float64", "float32"],
)
def test_whatever_weight_fit_accepts_can_be_saved_and_loaded(tmp_path, blocks):
    fitted = Matcher.fit(POSTINGS, blocks=blocks)
    fitted.save(tmp_path)
    assert bits(Matcher.load(tmp_path).recommend(CV)) == bits(fitted.recommend(CV))


def test_no_postings_at_all_can_be_saved_and_loaded(tmp_path):
    Matcher.fit([]).save(tmp_path)
    assert len(Matcher.load(tmp_path).recommend(CV)) == 0


def test_a_loaded_matcher_can_be_saved_again_even_over_itself(tmp_path):
    Matcher.fit(POSTINGS).save(tmp_path)
    first = Matcher.load(tmp_path)
    assert first.save(tmp_path) == 2
    second = Matcher.load(tmp_path)
    assert (first.generation, second.generation) == (2, 2)
    assert bits(second.recommend(CV)) == bits(first.recommend(CV))
    older, newer = (snapshot(tmp_path / f"gen-0000000{number}") for number in (1, 2))
    manifests = [json.loads(files.pop("manifest.json")) for files in (older, newer)]
    assert [manifest.pop("parent") for manifest in manifests] == [0, 1]
    assert manifests[0] == manifests[1]
    assert older == newer


def test_the_order_of_the_postings_changes_no_byte_of_the_model(tmp_path):
    shuffled = POSTINGS[:]
    random.Random(4).shuffle(shuffled)
    assert shuffled != POSTINGS
    for name, some in (("shuffled", shuffled), ("sorted", POSTINGS)):
        Matcher.fit(some).save(tmp_path / name)
    assert snapshot(tmp_path / "shuffled") == snapshot(tmp_path / "sorted")


def test_a_second_save_leaves_generation_1_loadable_and_its_readers_undisturbed(tmp_path):
    Matcher.fit(POSTINGS).save(tmp_path)
    reader = Matcher.load(tmp_path)
    expected = bits(reader.recommend(CV))
    current = (tmp_path / "CURRENT").read_bytes()
    assert Matcher.fit(POSTINGS[:1]).save(tmp_path) == 2
    assert bits(reader.recommend(CV)) == expected
    assert len(Matcher.load(tmp_path)) == 1
    (tmp_path / "CURRENT").write_bytes(current)
    assert bits(Matcher.load(tmp_path).recommend(CV)) == expected


def test_the_cv_is_not_in_the_model_and_ranking_writes_nothing(tmp_path):
    Matcher.fit(POSTINGS).save(tmp_path / "model")
    before = snapshot(tmp_path / "model")
    Matcher.load(tmp_path / "model").recommend("Xylophonist Quetzalcoatl nurse")
    assert snapshot(tmp_path / "model") == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_loading_and_ranking_import_no_scikit_learn(tmp_path):
    Matcher.fit(POSTINGS).save(tmp_path)
    source = Path(matcher.__file__).parents[1]
    script = f"""
import sys
sys.path.insert(0, {str(source)!r})
from matcher import Matcher
ranking = Matcher.load(sys.argv[1]).recommend("nurse and cook")
print(len(ranking), [name for name in ("sklearn", "scipy", "joblib") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.stderr == ""
    assert result.stdout == "4 []\n"


# --- damage that hashes find ----------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut", "grown", "flipped", "link", "swapped"])
def test_damage_to_any_file_is_a_model_error(tmp_path, forge, damage):
    forge.lay_out(forge.model.draft())
    paths = [forge.root / "CURRENT", *sorted(path for path in forge.folder.iterdir())]
    assert len(paths) == len(forge.model.files) + 2
    survived = []
    for number, path in enumerate(paths):
        data = path.read_bytes()
        path.unlink()
        if damage == "emptied":
            path.write_bytes(b"")
        elif damage == "cut":
            path.write_bytes(data[: len(data) // 2])
        elif damage == "grown":
            path.write_bytes(data + b"\n")
        elif damage == "flipped":
            middle = len(data) // 2
            path.write_bytes(data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])
        elif damage == "link":
            (tmp_path / f"elsewhere{number}").write_bytes(data)
            path.symlink_to(tmp_path / f"elsewhere{number}")
        elif damage == "swapped":
            path.write_bytes(paths[number - 1].read_bytes())
        unchanged = not path.is_symlink() and path.exists() and path.read_bytes() == data
        try:
            Matcher.load(forge.root)
            survived += [] if unchanged else [path.name]
        except ModelError:
            assert not unchanged
        replace(path, data)
    # White space after JSON means nothing.
    assert survived == (["CURRENT"] if damage == "grown" else [])
    assert use(forge.root, verify=True)


def test_the_error_names_the_damaged_file(forge):
    forge.lay_out(forge.model.draft())
    name = "segment0.text.inverse_norms.npy"
    data = (forge.folder / name).read_bytes()
    (forge.folder / name).unlink()
    with pytest.raises(ModelDamagedError, match=r"segment0\.text\.inverse_norms\.npy"):
        Matcher.load(forge.root)
    replace(forge.folder / name, data)


def test_a_file_that_the_manifest_does_not_list_is_missed(forge):
    for name in forge.model.files:
        draft = forge.model.draft()
        draft.changes.append(lambda record, name=name: record["files"].pop(name))
        error = outcome(forge, draft)
        assert name.removesuffix(".npy") in str(error)


@pytest.mark.parametrize("name", ["more.npy", "segment7.deleted.npy", "segment0.text.more.npy", "evil.txt"])
def test_a_file_that_nothing_is_made_of_is_refused(forge, name):
    draft = forge.model.draft()
    draft.files[name] = npy(np.arange(3))
    assert name.removesuffix(".npy") in str(outcome(forge, draft))


# --- damage that hashes vouch for -----------------------------------------------------------------


def of_another_type(array):
    return array.astype({"f": np.float32, "i": np.uint64, "u": np.int16}[array.dtype.kind])


def structured(array):
    return array.view([("field", array.dtype)])


SHAPES_AND_TYPES = {
    "another type": of_another_type,
    "half the width": lambda array: array.astype(np.int16),
    "swapped bytes": lambda array: (
        array.astype(array.dtype.newbyteorder(">")) if array.itemsize > 1 else None
    ),
    "complex": lambda array: array.astype(complex),
    "dates": lambda array: array.astype("M8[ms]"),
    "text": lambda array: array.astype(str),
    "booleans": lambda array: array.astype(bool),
    "structured": structured,
    "objects": lambda array: array.astype(object),
    "one longer": lambda array: np.append(array, array[-1:]) if len(array) else None,
    "one shorter": lambda array: array[:-1] if len(array) else None,
    "nothing": lambda array: array[:0] if len(array) else None,
    "one row": lambda array: array.reshape(1, -1),
    "one column": lambda array: array.reshape(-1, 1),
    "a single number": lambda array: array[0] if len(array) else None,
}


@pytest.mark.parametrize("change", SHAPES_AND_TYPES.values(), ids=SHAPES_AND_TYPES)
def test_an_array_of_another_type_or_shape_is_refused_though_its_hash_fits(fitted, change):
    refused, accepted = [], []
    for name in fitted.model.arrays:
        draft = fitted.model.draft()
        honest = draft.array(name)
        changed = change(honest)
        if changed is None:  # single bytes have no order, and empty arrays nothing to leave out
            continue
        assert (changed.dtype, changed.shape) != (honest.dtype, honest.shape)
        draft.files[f"{name}.npy"] = npy(changed, allow_pickle=True)
        (refused if outcome(fitted, draft) else accepted).append(name)
    assert accepted == []
    assert len(refused) > len(fitted.model.arrays) / 2


def put(position, value):
    def change(array):
        array = array.copy()
        array[position] = value
        return array

    return change


def put_next(position, step):
    """Change a number by a step."""

    def change(array):
        array = array.copy()
        array[position] += array.dtype.type(step)
        return array

    return change


def if_several(change):
    return lambda array: change(array) if len(array) > 1 else None


VALUES = {
    "starts": {
        "first not 0": put(0, 1),
        "first below 0": put(0, -1),
        "last too large": put_next(-1, 1),
        "last too small": put_next(-1, -1),
        "falling": lambda array: put(1, array[-1] + 5)(array),
        "huge": put(1, 2**62),
        "negative": put(1, -(2**62)),
    },
    "offsets": {
        "first not 0": put(0, 1),
        "last too large": put_next(-1, 1),
        "inside a line": put_next(1, -1),
        "huge": put(1, 2**62),
        "negative": put(1, -1),
    },
    "columns": {
        "below 0": put(0, -1),
        "lowest": put(0, -(2**31)),
        "highest": put(-1, 2**31 - 1),
        "beyond the last": put(-1, 1000),
        "repeated": np.zeros_like,
        "falling": lambda array: np.sort(array)[::-1],
    },
    "codes": {"below 0": put(0, -1), "lowest": put(0, -(2**31)), "beyond the last": put(-1, 1000)},
    "counts": {
        "zero": put(0, 0),
        "another total": put_next(0, 1),
        "more than any posting has": lambda array: put(0, LARGEST_COUNT + 1)(array.astype(np.uint32)),
    },
    "document_frequency": {
        "zero": put(0, 0),
        "negative": put(0, -(2**62)),
        "more than there are postings": put(0, 10),
        "highest": put(-1, 2**63 - 1),
    },
    "inverse_norms": {
        "nan": put(0, np.nan),
        "infinite": put(0, np.inf),
        "minus infinite": put(-1, -np.inf),
        "negative": put(0, -0.5),
        "so large that scores overflow": lambda array: np.full_like(array, 1.7e308),
        "above the largest": put(0, np.nextafter(LARGEST_INVERSE_NORM, np.inf)),
        "below the least": put(0, np.nextafter(LEAST_INVERSE_NORM, 0)),
        "none at all": np.zeros_like,
        "where nothing has data": lambda array: (
            put(6, 1.0)(array) if len(array) == 7 and not array[6] else None
        ),
    },
    "deleted": {
        "below 0": put(0, -1),
        "lowest": put(0, -(2**63)),
        "beyond the last": put(-1, 7),
        "highest": put(-1, 2**63 - 1),
        "repeated": lambda array: np.append(array, array[-1:]),
        "falling": if_several(lambda array: array[::-1]),
        "all": lambda array: np.arange(7 if array[0] == 1 else 4),
        "one less": lambda array: array[1:],
        "one more": lambda array: np.arange(len(array) + 1),
    },
    "places": {
        "below what stands for missing": put(0, -2),
        "lowest": put(0, -(2**31)),
        "beyond the last": put(-1, 1000),
        "highest": put(-1, 2**31 - 1),
        "repeated": lambda array: put(-1, array.max())(put(-2, array.max())(array)),
        "falling": lambda array: array[::-1],
        "another term's": lambda array: np.roll(array, 1),
        "the next term's": lambda array: np.where(array >= 0, array + 1, -1).astype(np.int32),
        "all the first": np.zeros_like,
    },
    "vectors": {"below -127": put(0, 128), "below -127 at the end": put(-1, 128)},
    "centre": {
        "beyond the largest": put(0, LARGEST * FINE + 1),
        "beyond the least": put(-1, -LARGEST * FINE - 1),
        "highest": put(-1, 2**31 - 1),
        "lowest": put(0, -(2**31)),
    },
    "posted": {
        "after the calendar": put(0, 253_402_300_800_000),
        "before the calendar": put(0, -62_135_596_800_001),
        "highest": put(0, 2**63 - 1),
        "nearly no date": put(0, -(2**63) + 1),
    },
}
VALUES["tag_starts"], VALUES["tag_codes"] = VALUES["starts"], VALUES["codes"]
FITTED = {
    "document_frequency": {
        "one more": put_next(0, 1),
        "one less": put_next(-1, -1),
        "rotated": lambda array: np.roll(array, 1),
    },
    "places": {"missing though they were learned": lambda array: np.full_like(array, -1)},
}
"""What is refused only when the weights must be those of the postings held."""


@pytest.mark.parametrize("name", MODELS)
def test_every_array_has_values_to_damage_or_may_hold_any(name):
    kinds = {array.split(".")[-1] for array in make_model(name).arrays}
    assert kinds - VALUES.keys() == {"featured", "known"}
    assert kinds >= VALUES.keys()


@pytest.mark.parametrize("kind", VALUES)
def test_values_out_of_range_are_refused_though_their_hash_fits(forge, kind):
    changes = VALUES[kind] | (FITTED.get(kind, {}) if forge.model.content["is_fitted"] else {})
    arrays = [name for name in forge.model.arrays if name.split(".")[-1] == kind]
    assert arrays
    refused, accepted = set(), []
    for name, (label, change) in itertools.product(arrays, changes.items()):
        draft = forge.model.draft()
        honest = draft.array(name)
        changed = change(honest) if len(honest) else None
        if changed is None or np.array_equal(changed, honest, equal_nan=kind == "inverse_norms"):
            continue
        draft.put(name, changed)
        if outcome(forge, draft, read if ".records." in name else load):
            refused.add(label)
        else:
            accepted.append(f"{name} {label}")
    assert accepted == []
    if forge.model.name != "plain":  # where nothing is deleted, and every posting has data
        assert refused == changes.keys()


def test_any_number_may_say_that_a_posting_is_featured(fitted):
    for number in (-1, 2**63 - 1, -(2**63)):
        draft = fitted.model.draft()
        draft.put(
            "segment0.postings.featured", np.full(len(draft.array("segment0.postings.featured")), number)
        )
        fitted.lay_out(draft)
        assert use(fitted.root)


# --- tables of strings ------------------------------------------------------------------------------

LINES = {
    "not UTF-8": lambda lines: [b"\xff" + lines[0], *lines[1:]],
    "half a character": lambda lines: [*lines[:-1], lines[-1] + b"\xc3"],
    "a surrogate": lambda lines: [*lines[:-1], lines[-1] + b"\xed\xa0\x80"],
}
SORTED_LINES = {
    "reversed": lambda lines: lines[::-1],
    "repeated": lambda lines: [lines[0], lines[0], *lines[2:]],
    "first out of place": lambda lines: [b"~~~", *lines[1:]],
}


@pytest.mark.parametrize("label", [*LINES, *SORTED_LINES])
def test_a_text_that_is_unsorted_or_not_utf8_is_refused_though_its_hash_fits(forge, label):
    accepted = []
    for name in forge.model.tables:
        if name.endswith(".records") and label in SORTED_LINES:
            continue
        draft = forge.model.draft()
        draft.put_lines(name, (LINES | SORTED_LINES)[label](draft.lines(name)))
        assert draft.files[f"{name}.txt"] != forge.model.files[f"{name}.txt"]
        # Records are many and large: each is checked when it is read, before anything of it is used.
        if not outcome(forge, draft, read):
            accepted.append(name)
    deleted = [f"segment{number}.postings.records" for number in range(2) if forge.model.name != "plain"]
    # Of the second segment, the last posting is deleted: nobody reads its record.
    assert accepted == (deleted[1:] if label in ("half a character", "a surrogate") else [])


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data + b"\n",
        lambda data: data.replace(b"\n", b" "),
        lambda data: b"\n" + data,
    ],
    ids=["empty", "no last line break", "rest", "empty line", "one line", "line in front"],
)
def test_a_text_that_does_not_fit_its_offsets_is_refused_though_its_hash_fits(forge, change):
    accepted = []
    for name in forge.model.tables:
        draft = forge.model.draft()
        draft.files[f"{name}.txt"] = change(draft.files[f"{name}.txt"])
        if not outcome(forge, draft, read):
            accepted.append(name)
    assert accepted == []


RECORDS = [
    b"",
    b"null",
    b"1",
    b"[]",
    b"{}",
    b'"a"',
    b"not json",
    b'{"id": 1}',
    b'{"id": ""}',
    b'{"id": "a", "title": 1}',
    b'{"id": "a", "hashtags": 5}',
    b'{"id": "a", "hashtags": [5]}',
    b'{"id": "a", "hashtags": [["x"]]}',
    b'{"id": "a", "featured": "x"}',
    b'{"id": "a", "timestamp": "x"}',
    b'{"id": "a", "timestamp": 1e400}',
    b'{"id": "a", "timestamp": 1' + b"0" * 30 + b"}",
    b'{"id": "a", "x": ' + b"9" * 5000 + b"}",
    b'{"id": "a", "x": ' + b"[" * 100_000 + b"}",
    b'{"id": "a", "x": NaN}',
    b'{"id": "a", "x": [-Infinity]}',
    b'{"id": "\\ud800"}',
    b'{"id": "a"} {"id": "a"}',
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: repr(record[:40]))
def test_a_record_that_is_no_posting_is_a_model_error_when_it_is_met(forge, record):
    draft = forge.model.draft()
    rows = len(draft.lines("segment0.postings.records"))
    draft.put_lines("segment0.postings.records", [record] * rows)
    assert outcome(forge, draft) is None
    assert "postings.records.txt:1: not a posting record" in str(outcome(forge, draft, read))
    assert outcome(forge, draft, use)


def test_a_record_of_another_posting_is_a_model_error(forge):
    draft = forge.model.draft()
    draft.put_lines("segment0.postings.records", draft.lines("segment0.postings.records")[::-1])
    assert "the record is of" in str(outcome(forge, draft, use))


# --- what the manifest says -------------------------------------------------------------------------


def settings_of(**changes):
    return lambda content: content["blocks"][0]["settings"].update(changes)


CONTENTS = {
    "no analyzer": lambda content: content.pop("analyzer"),
    "no postings": lambda content: content.pop("postings"),
    "no blocks": lambda content: content.pop("blocks"),
    "no segments": lambda content: content.pop("segments"),
    "no is_fitted": lambda content: content.pop("is_fitted"),
    "no library": lambda content: content.pop("library"),
    "no Unicode": lambda content: content.pop("unicode"),
    "something unknown": lambda content: content.update(unknown=1),
    "library as number": lambda content: content.update(library=1),
    "Unicode null": lambda content: content.update(unicode=None),
    "note as text": lambda content: content.update(note="text"),
    "note null": lambda content: content.update(note=None),
    "postings too many": lambda content: content.update(postings=content["postings"] + 1),
    "postings as text": lambda content: content.update(postings=str(content["postings"])),
    "postings as fraction": lambda content: content.update(postings=float(content["postings"])),
    "segments too many": lambda content: content.update(segments=content["segments"] + 1),
    "segments too few": lambda content: content.update(segments=content["segments"] - 1),
    "no segment at all": lambda content: content.update(segments=0, postings=0),
    "segments below 0": lambda content: content.update(segments=-1),
    "segments beyond counting": lambda content: content.update(segments=10**400),
    "segments true": lambda content: content.update(segments=True),
    "segments as text": lambda content: content.update(segments="1"),
    "segments null": lambda content: content.update(segments=None),
    "segments as list": lambda content: content.update(segments=[1]),
    "is_fitted as number": lambda content: content.update(is_fitted=1),
    "is_fitted as text": lambda content: content.update(is_fitted="true"),
    "is_fitted null": lambda content: content.update(is_fitted=None),
    "blocks null": lambda content: content.update(blocks=None),
    "blocks as mapping": lambda content: content.update(blocks={"text": {}}),
    "blocks empty": lambda content: content.update(blocks=[]),
    "blocks twice": lambda content: content.update(blocks=content["blocks"] * 2),
    "blocks in another order": lambda content: content["blocks"].reverse(),
    "one block too few": lambda content: content["blocks"].pop(),
    "block null": lambda content: content.update(blocks=[None]),
    "block as list": lambda content: content.update(blocks=[[]]),
    "block without settings": lambda content: content["blocks"][0].pop("settings"),
    "block without postings": lambda content: content["blocks"][0].pop("postings"),
    "block with more": lambda content: content["blocks"][0].update(more=1),
    "settings null": lambda content: content["blocks"][0].update(settings=None),
    "settings empty": lambda content: content["blocks"][0].update(settings={}),
    "unknown block": settings_of(name="__class__"),
    "name as list": settings_of(name=["text"]),
    "unknown setting": settings_of(evil=1),
    "weight null": settings_of(weight=None),
    "weight true": settings_of(weight=True),
    "weight as text": settings_of(weight="0.7"),
    "weight negative": settings_of(weight=-0.5),
    "weight nan": settings_of(weight=float("nan")),
    "weight infinite": settings_of(weight=float("inf")),
    "weight beyond a float": settings_of(weight=10**400),
    "weight too large": settings_of(weight=1.7e308),
    "fitted on fewer than occur": lambda content: content["blocks"][0].update(postings=0),
    "fitted on true": lambda content: content["blocks"][0].update(postings=True),
    "fitted on text": lambda content: content["blocks"][0].update(postings="4"),
    "fitted on a fraction": lambda content: content["blocks"][0].update(postings=4.0),
    "fitted on more than a float holds": lambda content: content["blocks"][0].update(postings=10**400),
}


@pytest.mark.parametrize("label", CONTENTS)
def test_a_manifest_that_describes_no_sound_matcher_is_refused(forge, label):
    draft = forge.model.draft()
    CONTENTS[label](draft.content)
    assert outcome(forge, draft, Matcher.load)


@pytest.mark.parametrize("label", ["fitted", "not fitted on these"])
def test_weights_of_other_postings_are_refused_where_they_must_not_be(forges, label):
    if label == "fitted":
        draft = forges["stale"].model.draft()
        draft.content["is_fitted"] = True
        assert "differ from the postings" in str(outcome(forges["stale"], draft))
        return
    draft = forges["renewed"].model.draft()
    draft.content["blocks"][0]["postings"] += 1
    assert "differ from the postings" in str(outcome(forges["renewed"], draft))


def test_a_word_that_was_not_learned_is_refused_where_all_must_be(fitted):
    for block in ("text", "hashtags", "title"):
        draft = fitted.model.draft()
        forget(block, 2, draft, fitted=True)
        assert "differ from the postings" in str(outcome(fitted, draft))


def test_a_note_may_be_any_object(forge):
    for note in ({}, {"x": None}, {"a": [1, 2.5, {"b": "\u2028"}]}, {"\x1b[2J": "\x1b[2J"}):
        draft = forge.model.draft()
        draft.content["note"] = note
        forge.lay_out(draft)
        assert use(forge.root)


@pytest.mark.parametrize("version", [0, 99, "1", None, [1], True, 1.0])
def test_words_of_another_analyzer_are_refused_with_advice(forge, version):
    draft = forge.model.draft()
    draft.content["analyzer"] = version
    forge.lay_out(draft)
    with pytest.raises(ModelSchemaError, match="train the model again"):
        Matcher.load(forge.root)


def test_a_newer_schema_is_refused_with_advice(forge):
    draft = forge.model.draft()
    draft.changes.append(lambda record: record.update(schema=record["schema"] + 1))
    forge.lay_out(draft)
    with pytest.raises(ModelSchemaError, match="train the model again"):
        Matcher.load(forge.root)


# --- segments together ------------------------------------------------------------------------------


def test_two_segments_with_a_posting_of_the_same_id_are_refused(forges):
    forge = forges["stale"]
    for segment, row, name in (("segment1", 0, b"a"), ("segment1", 2, b"c"), ("segment0", 1, b"b")):
        draft = forge.model.draft()
        if segment == "segment0":  # the posting that the second segment replaces is held again
            draft.put("segment0.deleted", np.array([4]))
            draft.content["postings"] += 1
        else:
            ids = draft.lines("segment1.postings.ids")
            ids[row] = name
            draft.put_lines("segment1.postings.ids", sorted(ids))
        assert "two segments hold a posting of the same id" in str(outcome(forge, draft))


def test_a_segment_of_another_model_is_refused(forges):
    other = make_model("plain").files
    for name, forge in forges.items():
        if name == "plain":
            continue
        for number in range(2):
            draft = forge.model.draft()
            for file, data in other.items():
                if file.startswith("segment0."):
                    draft.files[file.replace("segment0", f"segment{number}")] = data
            assert outcome(forge, draft), f"segment{number} of {name}"


def test_a_segment_without_postings_is_refused(forges):
    forge = forges["stale"]
    draft = forge.model.draft()
    draft.put("segment1.deleted", np.arange(4))
    draft.content["postings"] = 4
    assert "no posting is left" in str(outcome(forge, draft))


# --- anything ---------------------------------------------------------------------------------------


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_no_change_of_bytes_gets_past_loading_as_anything_but_a_model_error(forges, data):
    forge = forges[data.draw(st.sampled_from(MODELS))]
    draft = forge.model.draft()
    name = data.draw(st.sampled_from(sorted(draft.files)))
    honest = draft.files[name]
    after_header = min(128 if name.endswith(".npy") else 0, len(honest) - 1)
    start = data.draw(st.integers(after_header, len(honest) - 1) | st.integers(0, len(honest) - 1))
    inside = data.draw(st.binary(min_size=1, max_size=8))
    draft.files[name] = honest[:start] + inside + honest[start + len(inside) :]
    forge.lay_out(draft)
    try:
        scores = use(forge.root)
    except ModelError:
        return
    assert np.all(np.isfinite(scores))
    assert np.all(np.asarray(scores) >= 0)


def test_dates_of_every_year_survive(tmp_path):
    dates = [datetime(year, 6, 1, tzinfo=UTC) for year in (1, 1969, 1970, 2026, 9999)]
    dates += [datetime(1970, 1, 1, tzinfo=UTC), datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)]
    dates += [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC) + timedelta(hours=23)]
    postings = [Posting(id=str(number), posted=date) for number, date in enumerate(dates)]
    Matcher.fit(postings).save(tmp_path)
    assert [posting.posted for posting in Matcher.load(tmp_path).postings] == dates
    assert len(describe_model(Matcher.load(tmp_path))["posted"]) == 2


@pytest.mark.parametrize("name", MODELS)
def test_all_names_of_files_differ_when_case_is_ignored(name):
    names = [*make_model(name).files, "manifest.json", "signature"]
    assert len({file.casefold() for file in names}) == len(names)
