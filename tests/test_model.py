"""A matcher on disk: the same ranking bit for bit, and no damage that gets past loading."""

import hashlib
import io
import itertools
import json
import random
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import matcher
from matcher import Matcher, ModelDamagedError, ModelError, ModelSchemaError, Posting
from matcher.boosts import Featured, Freshness
from matcher.features import HashtagBlock, TextBlock
from matcher.filters import FILTERS
from matcher.report import describe_model

POSTINGS = [
    Posting(
        id="a",
        title="Cook in Bern",
        body="Bake bread, cook soup, bake cakes",
        hashtags=["bread", "kitchen"],
        location="Bern",
        company="Beck",
        job_type="fulltime",
        posted=datetime(2026, 3, 1, tzinfo=UTC),
        url="https://beck.example/cook",
    ),
    Posting(
        id="b",
        title="Nurse on a surgical ward",
        body="Care for patients on our ward",
        hashtags=["care", "ward"],
        location="Cork or remote",
        company="Clinic",
        job_type="parttime",
        featured=3,
    ),
    Posting(
        id="c",
        title="Night nurse",
        body="Nurse and cook for residents",
        hashtags=["care", "kitchen"],
        location="Zürich",
        company="Haus Abend",
        posted=datetime(2026, 1, 1, tzinfo=UTC),
        extra={"salary": "45k", "nested": {"x": [1, None]}},
    ),
    Posting(id="d ü", title="Bäckerin 🍞", body="Brot backen\nfür die Köche", hashtags=["bread"]),
]
CV = "Nurse with ten years on a ward; bakes bread, cooks for residents. Bäckerin aus Zürich."
GENERATION = "gen-00000001"
MANIFEST = f"{GENERATION}/manifest.json"


def snapshot(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def saved_bytes():
    with tempfile.TemporaryDirectory() as folder:
        Matcher.fit(POSTINGS).save(folder)
        return snapshot(Path(folder))


MODEL = saved_bytes()
NAMES = sorted(MODEL)
PARTS = sorted(name.split("/")[1] for name in MODEL if name.endswith((".npy", ".txt")))
ARRAYS = [name for name in PARTS if name.endswith(".npy")]
TEXTS = [name for name in PARTS if name.endswith(".txt")]


def lay_out(root):
    (root / GENERATION).mkdir(parents=True)
    for name, data in MODEL.items():
        (root / name).write_bytes(data)
    return root


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return lay_out(tmp_path_factory.mktemp("shared") / "model")


@pytest.fixture
def damaged(shared):
    """A function that changes files of a model and makes the hashes vouch for them; undone afterwards."""
    yield lambda changed: forge(shared, changed)
    restore(shared)


def forge(root, changed):
    manifest = json.loads(MODEL[MANIFEST])
    for name, data in changed.items():
        replace(root / GENERATION / name, data)
        manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    put_manifest(root, manifest)
    return root


def put_manifest(root, manifest):
    data = json.dumps(manifest).encode()
    replace(root / MANIFEST, data)
    current = {"generation": 1, "manifest_sha256": hashlib.sha256(data).hexdigest()}
    replace(root / "CURRENT", json.dumps(current).encode())


def restore(root):
    for name, data in MODEL.items():
        path = root / name
        if path.is_symlink() or not path.exists() or path.read_bytes() != data:
            replace(path, data)


def replace(path, data):
    path.unlink(missing_ok=True)  # never write into a file that may still be mapped
    path.write_bytes(data)


def array_of(name):
    return np.load(io.BytesIO(MODEL[f"{GENERATION}/{name}"]))


def text_of(name):
    return MODEL[f"{GENERATION}/{name}"]


def npy(array, **options):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asarray(array), **options)
    return buffer.getvalue()


def use(root, *, verify=True):
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
    loaded = Matcher.load(root)
    boosts = [Freshness(0.1), Featured(0.2)] if boosted else []
    assert len(loaded) == len(fitted)
    assert list(loaded.postings) == list(fitted.postings)
    before, after = (which.recommend(cv, k, boosts=boosts) for which in (fitted, loaded))
    assert bits(after) == bits(before)
    assert (after.considered, after.notice) == (before.considered, before.notice)
    assert describe_model(loaded) == describe_model(fitted) | {"generation": 1}


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
    assert (first.generation, second.generation) == (1, 2)
    assert bits(second.recommend(CV)) == bits(first.recommend(CV))
    assert snapshot(tmp_path / GENERATION) == snapshot(tmp_path / "gen-00000002")


def test_the_order_of_the_postings_changes_no_byte_of_the_model(tmp_path):
    shuffled = POSTINGS[:]
    random.Random(4).shuffle(shuffled)
    assert shuffled != POSTINGS
    Matcher.fit(shuffled).save(tmp_path)
    assert snapshot(tmp_path) == MODEL


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
    root = lay_out(tmp_path / "model")
    Matcher.load(root).recommend("Xylophonist Quetzalcoatl nurse")
    assert snapshot(tmp_path / "model") == MODEL
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def in_another_process(script, *arguments):
    source = Path(matcher.__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(source)!r})\n{script}", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_loading_and_ranking_import_no_scikit_learn_and_execute_nothing(tmp_path):
    lay_out(tmp_path)
    script = """
import matcher
events = set()
watched = ("pickle.", "marshal.loads", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "socket.",
           "ctypes.dlopen")
sys.addaudithook(lambda event, arguments: events.add(event) if event.startswith(watched) else None)
loaded = matcher.Matcher.load(sys.argv[1])
ranking = loaded.recommend("nurse and cook")
events.discard("marshal.loads")  # modules imported on the way
print(len(ranking), sorted(events), [name for name in ("sklearn", "scipy", "joblib") if name in sys.modules])
"""
    result = in_another_process(script, str(tmp_path))
    assert result.stderr == ""
    assert result.stdout == "4 [] []\n"


# --- damage that hashes find ----------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("damage", ["deleted", "emptied", "cut", "grown", "flipped", "link", "swapped"])
def test_damage_to_any_file_is_a_model_error(tmp_path, damaged, name, damage):
    root = damaged({})
    restore(root)
    path, data = root / name, MODEL[name]
    path.unlink()
    if damage == "emptied":
        path.write_bytes(b"")
        if not data:
            return
    elif damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "grown":
        path.write_bytes(data + b"\n")
    elif damage == "flipped":
        middle = len(data) // 2
        path.write_bytes(data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :])
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "swapped":
        other = NAMES[(NAMES.index(name) + 1) % len(NAMES)]
        path.write_bytes(MODEL[other])
    if damage == "grown" and name == "CURRENT":
        assert use(root)  # white space after JSON means nothing
        return
    with pytest.raises(ModelError):
        Matcher.load(root)


def test_the_error_names_the_damaged_file(damaged):
    root = damaged({})
    (root / GENERATION / "text.inverse_norms.npy").unlink()
    with pytest.raises(ModelDamagedError, match=r"text\.inverse_norms\.npy"):
        Matcher.load(root)


@pytest.mark.parametrize("name", PARTS)
def test_a_file_that_the_manifest_does_not_list_is_missed(damaged, name):
    root = damaged({})
    manifest = json.loads(MODEL[MANIFEST])
    del manifest["files"][name]
    put_manifest(root, manifest)
    with pytest.raises(ModelDamagedError, match=name.removesuffix(".npy").replace(".", r"\.")):
        Matcher.load(root)


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
    "one longer": lambda array: np.append(array, array[-1:]),
    "one shorter": lambda array: array[:-1],
    "nothing": lambda array: array[:0],
    "one row": lambda array: array.reshape(1, -1),
    "one column": lambda array: array.reshape(-1, 1),
    "a single number": lambda array: array[0],
}


@pytest.mark.parametrize("change", SHAPES_AND_TYPES.values(), ids=SHAPES_AND_TYPES)
@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_of_another_type_or_shape_is_refused_though_its_hash_fits(damaged, name, change):
    honest = array_of(name)
    changed = change(honest)
    if changed is None:  # single bytes have no order
        return
    assert (changed.dtype, changed.shape) != (honest.dtype, honest.shape)
    root = damaged({name: npy(changed, allow_pickle=True)})
    with pytest.raises(ModelDamagedError):
        Matcher.load(root, verify=False)


def put(position, value):
    def change(array):
        array = array.copy()
        array[position] = value
        return array

    return change


VALUES = {
    "starts": {
        "first not 0": put(0, 1),
        "first below 0": put(0, -1),
        "last too large": lambda array: put(-1, array[-1] + 1)(array),
        "last too small": lambda array: put(-1, array[-1] - 1)(array),
        "falling": lambda array: put(1, array[-1] + 5)(array),
        "huge": put(1, 2**62),
        "negative": put(1, -(2**62)),
    },
    "offsets": {
        "first not 0": put(0, 1),
        "last too large": lambda array: put(-1, array[-1] + 1)(array),
        "inside a line": lambda array: put(1, array[1] - 1)(array),
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
    "counts": {"zero": put(0, 0)},
    "document_frequency": {
        "zero": put(0, 0),
        "negative": put(0, -(2**62)),
        "more than there are postings": put(0, len(POSTINGS) + 1),
    },
    "inverse_norms": {
        "nan": put(0, np.nan),
        "infinite": put(0, np.inf),
        "minus infinite": put(-1, -np.inf),
        "negative": put(0, -0.5),
        "so large that scores overflow": lambda array: np.full_like(array, 1.7e308),
    },
}
VALUES["tag_starts"], VALUES["tag_codes"] = VALUES["starts"], VALUES["codes"]
CASES = [
    pytest.param(name, change, id=f"{name}: {label}")
    for name in ARRAYS
    for label, change in VALUES.get(name.split(".")[-2], {}).items()
]


def test_every_array_has_values_to_damage_or_may_hold_any():
    without = {name for name in ARRAYS if name.split(".")[-2] not in VALUES}
    assert without == {"postings.featured.npy", "postings.posted.npy"}


@pytest.mark.parametrize(("name", "change"), CASES)
def test_values_out_of_range_are_refused_though_their_hash_fits(damaged, name, change):
    honest = array_of(name)
    changed = change(honest)
    assert changed.dtype == honest.dtype
    root = damaged({name: npy(changed)})
    with pytest.raises(ModelDamagedError):
        list(Matcher.load(root, verify=False).postings)


@pytest.mark.parametrize("moment", [2**62, -(2**62), 2**63 - 1, -(2**63) + 1, 10**15, -(10**15)])
def test_a_date_outside_the_calendar_is_a_model_error_or_harmless(damaged, moment):
    honest = array_of("postings.posted.npy")
    for position in range(len(honest)):
        root = damaged({"postings.posted.npy": npy(put(position, moment)(honest))})
        try:
            use(root, verify=False)
        except ModelError:
            continue


def offsets_of(data):
    ends = [position + 1 for position, byte in enumerate(data) if byte == ord("\n")]
    return npy(np.array([0, *ends], np.int64))


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
TABLES = [
    pytest.param(name, change, id=f"{name}: {label}")
    for name in TEXTS
    for label, change in (LINES | ({} if "records" in name else SORTED_LINES)).items()
]


@pytest.mark.parametrize(("name", "change"), TABLES)
def test_a_text_that_is_unsorted_or_not_utf8_is_refused_though_its_hash_fits(damaged, name, change):
    lines = text_of(name).split(b"\n")[:-1]
    data = b"".join(line + b"\n" for line in change(lines))
    assert data != text_of(name)
    offsets = name.removesuffix(".txt") + ".offsets.npy"
    root = damaged({name: data, offsets: offsets_of(data)})
    # Records are many and large: each is checked when it is read, before anything of it is used.
    with pytest.raises(ModelDamagedError):
        list(Matcher.load(root, verify=False).postings)


@pytest.mark.parametrize("name", TEXTS)
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
def test_a_text_that_does_not_fit_its_offsets_is_refused_though_its_hash_fits(damaged, name, change):
    root = damaged({name: change(text_of(name))})
    with pytest.raises(ModelDamagedError):
        list(Matcher.load(root, verify=False).postings)


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
    b'{"id": "\\ud800"}',
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: repr(record[:40]))
def test_a_record_that_is_no_posting_is_a_model_error_when_it_is_met(damaged, record):
    data = b"".join(line + b"\n" for line in [record] * len(POSTINGS))
    root = damaged({"postings.records.txt": data, "postings.records.offsets.npy": offsets_of(data)})
    with pytest.raises(ModelDamagedError):
        use(root, verify=False)


def test_a_record_of_another_posting_is_a_model_error(damaged):
    lines = text_of("postings.records.txt").split(b"\n")[:-1]
    data = b"".join(line + b"\n" for line in lines[::-1])
    root = damaged({"postings.records.txt": data, "postings.records.offsets.npy": offsets_of(data)})
    with pytest.raises(ModelDamagedError):
        use(root, verify=False)


def change_content(change):
    manifest = json.loads(MODEL[MANIFEST])
    change(manifest["content"])
    return manifest


def settings_of(**changes):
    return lambda content: content["blocks"][0]["settings"].update(changes)


CONTENTS = {
    "no analyzer": lambda content: content.pop("analyzer"),
    "no postings": lambda content: content.pop("postings"),
    "no blocks": lambda content: content.pop("blocks"),
    "postings too many": lambda content: content.update(postings=5),
    "postings as text": lambda content: content.update(postings="4"),
    "blocks null": lambda content: content.update(blocks=None),
    "blocks as mapping": lambda content: content.update(blocks={"text": {}}),
    "blocks empty": lambda content: content.update(blocks=[]),
    "blocks twice": lambda content: content.update(blocks=content["blocks"] * 2),
    "block null": lambda content: content.update(blocks=[None]),
    "block as list": lambda content: content.update(blocks=[[]]),
    "block without settings": lambda content: content["blocks"][0].pop("settings"),
    "block without postings": lambda content: content["blocks"][0].pop("postings"),
    "settings null": lambda content: content["blocks"][0].update(settings=None),
    "settings empty": lambda content: content["blocks"][0].update(settings={}),
    "unknown block": settings_of(name="__class__"),
    "name as list": settings_of(name=["text"]),
    "unknown setting": settings_of(evil=1),
    "weight null": settings_of(weight=None),
    "weight as text": settings_of(weight="0.7"),
    "weight negative": settings_of(weight=-0.5),
    "weight nan": settings_of(weight=float("nan")),
    "weight infinite": settings_of(weight=float("inf")),
    "weight huge integer": settings_of(weight=10**400),
    "fitted on fewer than occur": lambda content: content["blocks"][0].update(postings=0),
    "fitted on true": lambda content: content["blocks"][0].update(postings=True),
    "fitted on text": lambda content: content["blocks"][0].update(postings="4"),
    "fitted on a fraction": lambda content: content["blocks"][0].update(postings=4.0),
    "fitted on more than a float holds": lambda content: content["blocks"][0].update(postings=10**400),
}


@pytest.mark.parametrize("change", CONTENTS.values(), ids=CONTENTS)
def test_a_manifest_that_describes_no_sound_matcher_is_refused(damaged, change):
    root = damaged({})
    put_manifest(root, change_content(change))
    with pytest.raises(ModelDamagedError):
        Matcher.load(root)


def test_weights_so_large_that_their_sum_overflows_are_refused_or_harmless(damaged):
    def change(content):
        for entry in content["blocks"]:
            entry["settings"]["weight"] = 1.7e308

    root = damaged({})
    put_manifest(root, change_content(change))
    try:
        scores = use(root)
    except ModelDamagedError:
        return
    assert np.all(np.isfinite(scores))


@pytest.mark.parametrize("version", [0, 99, "1", None, [1]])
def test_words_of_another_analyzer_are_refused_with_advice(damaged, version):
    root = damaged({})
    put_manifest(root, change_content(lambda content: content.update(analyzer=version)))
    with pytest.raises(ModelSchemaError, match="train the model again"):
        Matcher.load(root)


def test_a_newer_schema_is_refused_with_advice(damaged):
    root = damaged({})
    manifest = json.loads(MODEL[MANIFEST])
    put_manifest(root, manifest | {"schema": manifest["schema"] + 1})
    with pytest.raises(ModelSchemaError, match="train the model again"):
        Matcher.load(root)


def test_the_order_of_blocks_in_the_manifest_changes_nothing(tmp_path):
    root = lay_out(tmp_path / "reversed")
    put_manifest(root, change_content(lambda content: content["blocks"].reverse()))
    honest = Matcher.load(lay_out(tmp_path / "honest")).recommend(CV)
    try:
        ranking = Matcher.load(root).recommend(CV)
    except ModelDamagedError:
        return
    assert bits(ranking) == bits(honest)


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_no_change_of_bytes_gets_past_loading_as_anything_but_a_model_error(shared, data):
    restore(shared)
    name = data.draw(st.sampled_from(PARTS))
    honest = text_of(name)
    after_header = 128 if name.endswith(".npy") else 0
    start = data.draw(st.integers(after_header, len(honest) - 1) | st.integers(0, len(honest) - 1))
    inside = data.draw(st.binary(min_size=1, max_size=8))
    changed = honest[:start] + inside + honest[start + len(inside) :]
    forge(shared, {name: changed})
    try:
        scores = use(shared, verify=False)
    except ModelError:
        return
    finally:
        restore(shared)
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


def test_all_names_of_files_differ_when_case_is_ignored():
    assert len({name.casefold() for name in NAMES}) == len(NAMES)
    assert all(a != b for a, b in itertools.pairwise(NAMES))
