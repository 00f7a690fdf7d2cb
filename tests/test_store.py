"""A model directory: what is written comes back; damaged and hostile files are refused."""

import contextlib
import gc
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.errors import (
    ModelDamagedError,
    ModelError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelWriteError,
)
from matcher.store import read_model, write_model
from tests.stored import (
    FILES,
    KEY,
    NEW,
    OLD,
    assert_is_new,
    assert_is_old,
    locate,
    manifest_of,
    npy,
    put_file,
    put_manifest,
    save,
    snapshot,
    temporary_names,
)

# --- what is written comes back -------------------------------------------------------------------


@given(
    st.dictionaries(
        st.sampled_from(["a", "b.c", "long_name.d", "text.by_term.columns"]),
        st.tuples(
            st.sampled_from(["u1", "u2", "u4", "i4", "i8", "f4", "f8"]),
            st.lists(st.integers(0, 200), max_size=8),
        ),
    ),
    st.dictionaries(st.text("ab\n\u00fc\u2028", max_size=3), st.none() | st.integers() | st.text(max_size=3)),
)
@settings(max_examples=40, deadline=None)
def test_arrays_and_content_come_back_as_written(tmp_path_factory, arrays, content):
    root = tmp_path_factory.mktemp("model")
    files = {name: np.array(values, dtype) for name, (dtype, values) in arrays.items()}
    try:
        write_model(root, content, files)
    except (ModelWriteError, ValueError):  # lone surrogates are not UTF-8: refused, never half written
        assert not (root / "CURRENT").exists()
        return
    model = read_model(root)
    assert model.content == content
    assert sorted(model.files) == sorted(files)
    for name, array in files.items():
        assert model.files[name].dtype == array.dtype
        assert model.files[name].tobytes() == array.tobytes()


def test_text_comes_back_byte_for_byte_and_may_be_empty(tmp_path):
    texts = {"empty.txt": b"", "crlf.txt": b"a\r\nb\x00\xff\n"}
    save(tmp_path, {name: np.frombuffer(data, np.uint8) for name, data in texts.items()})
    assert {name: array.tobytes() for name, array in read_model(tmp_path).files.items()} == texts


def test_what_is_read_cannot_be_written_to(tmp_path):
    save(tmp_path)
    for array in read_model(tmp_path).files.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_the_size_is_that_of_the_files(tmp_path):
    save(tmp_path)
    assert read_model(tmp_path).bytes == sum(locate(tmp_path, name).stat().st_size for name in FILES[:2])


def test_a_second_save_makes_generation_2_and_touches_nothing_of_generation_1(tmp_path):
    save(tmp_path)
    before = snapshot(tmp_path)
    opened = read_model(tmp_path)
    assert save(tmp_path, NEW, {"note": "new"}) == 2
    assert_is_new(tmp_path)
    after = snapshot(tmp_path)
    assert {name: after[name] for name in before if name != "CURRENT"} == {
        name: data for name, data in before.items() if name != "CURRENT"
    }
    assert np.array_equal(opened.files["numbers"], OLD["numbers"])  # a reader keeps what it opened
    (tmp_path / "CURRENT").write_bytes(before["CURRENT"])
    assert_is_old(tmp_path)


def test_the_same_content_gives_the_same_bytes(tmp_path):
    save(tmp_path)
    write_model(tmp_path, {"note": "old"}, dict(reversed(OLD.items())))
    first, second = (snapshot(tmp_path / f"gen-0000000{number}") for number in (1, 2))
    assert second.pop("manifest.json") == first.pop("manifest.json").replace(b'"parent": 0', b'"parent": 1')
    assert first == second


def test_a_generation_without_current_is_not_overwritten(tmp_path):
    (tmp_path / "gen-00000041").mkdir()
    (tmp_path / "gen-00000041" / "precious").write_text("mine")
    assert save(tmp_path) == 42
    assert (tmp_path / "gen-00000041" / "precious").read_text() == "mine"


def test_running_out_of_generations_never_loses_the_model(tmp_path):
    save(tmp_path)
    (tmp_path / "gen-99999999").mkdir()
    with contextlib.suppress(ModelWriteError):
        save(tmp_path, NEW, {"note": "new"})
        assert_is_new(tmp_path)
        return
    assert_is_old(tmp_path)


@pytest.mark.parametrize(
    ("content", "files"),
    [
        ({}, {"bm25.starts": np.arange(3)}),
        ({}, {"Upper": np.arange(3)}),
        ({}, {"../outside": np.arange(3)}),
        ({}, {"objects": np.array([None, "x"], object)}),
        ({}, {"table": np.zeros((2, 3))}),
        ({"note": "x" * (1 << 20)}, {}),
        ({"note": float("nan")}, {}),
        ({"note": "\ud800"}, {}),
    ],
    ids=[
        "digit in name",
        "upper case",
        "parent folder",
        "objects",
        "two dimensions",
        "huge",
        "nan",
        "surrogate",
    ],
)
def test_what_could_not_be_read_back_is_not_written(tmp_path, content, files):
    root = tmp_path / "model"
    save(root)
    try:
        write_model(root, content, files)
    except (ModelWriteError, ValueError, TypeError):
        assert_is_old(root)
        assert temporary_names(root) == []
    else:
        assert sorted(read_model(root).files) == sorted(files)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


# --- damage ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "damage",
    ["deleted", "emptied", "cut", "grown", "folder", "fifo", "link", "dangling link", "link to zero"],
)
def test_a_file_of_the_wrong_kind_or_size_is_refused(tmp_path, name, damage, verify):
    root = tmp_path / "model"
    save(root)
    path = locate(root, name)
    data = path.read_bytes()
    path.unlink()
    if damage == "emptied":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(data[:-2])
    elif damage == "grown":
        path.write_bytes(data + b"x")
    elif damage == "folder":
        path.mkdir()
    elif damage == "fifo":
        os.mkfifo(path)
    elif damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    elif damage == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif damage == "link to zero":
        path.symlink_to("/dev/null")
    with fed(path, data), pytest.raises(ModelError):
        read_model(root, verify=verify)


@contextlib.contextmanager
def fed(path, data):
    """Give whoever waits for a FIFO what they wait for: waiting then fails a test instead of hanging it."""
    done = threading.Event()

    def feed():
        while not done.wait(0.001):
            with contextlib.suppress(OSError):
                descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
                os.write(descriptor, data)
                os.close(descriptor)

    thread = threading.Thread(target=feed)
    if path.is_fifo():
        thread.start()
    try:
        yield
    finally:
        done.set()
        if thread.is_alive():
            thread.join()


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_anywhere_is_noticed(tmp_path, name):
    save(tmp_path)
    path = locate(tmp_path, name)
    data = path.read_bytes()
    for position in range(len(data)):
        path.write_bytes(data[:position] + bytes([data[position] ^ 1]) + data[position + 1 :])
        try:
            model = read_model(tmp_path)
        except ModelError:
            continue
        # Only white space in CURRENT can change without changing what it says.
        assert name == "CURRENT", position
        assert json.loads(path.read_bytes()) == json.loads(data)
        assert model.generation == 1
    path.write_bytes(data)
    assert_is_old(tmp_path)


def test_a_generation_that_is_gone_is_damage_not_absence(tmp_path):
    save(tmp_path)
    (tmp_path / "gen-00000001").rename(tmp_path / "gen-00000007")
    with pytest.raises(ModelDamagedError, match="gen-00000001"):
        read_model(tmp_path)


@pytest.mark.parametrize("place", ["nothing", "empty", "file", "file/below", "a\0b", "x" * 300])
def test_where_there_is_no_model_the_error_says_how_to_make_one(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelError) as caught:
        read_model(f"{tmp_path}/{place}")
    if place in ("nothing", "empty"):
        assert type(caught.value) is ModelNotFoundError
        assert "matcher train" in str(caught.value)


@pytest.mark.parametrize(
    "current",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b'"gen-00000001"',
        b"{}",
        b'{"generation": 1}',
        b'{"generation": "1", "manifest_sha256": "x"}',
        b'{"generation": true, "manifest_sha256": "x"}',
        b'{"generation": 1.0, "manifest_sha256": "x"}',
        b'{"generation": -1, "manifest_sha256": "x"}',
        b'{"generation": 1e400, "manifest_sha256": "x"}',
        b'{"generation": 1, "manifest_sha256": ["x"]}',
        b'{"generation": "../../gen-00000001", "manifest_sha256": "x"}',
        b'{"generation": ' + b"9" * 5000 + b"}",
        b'{"generation": 1, "generation": 1, "manifest_sha256": "' + b"0" * 64 + b'"}',
        b'{"generation": 1, "manifest_sha256": "' + b"0" * 64 + b'", "more": 1}',
        b'{"generation": 2, "manifest_sha256": "' + b"0" * 64 + b'", "last": 1}',
        b'{"generation": 1, "manifest_sha256": "' + b"0" * 64 + b'", "last": true}',
        b'{"generation": 1, "manifest_sha256": "' + b"0" * 64 + b'", "last": NaN}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b" " * (2 << 20),
    ],
    ids=lambda data: repr(data[:48]),
)
def test_a_hostile_current_is_refused(tmp_path, current):
    save(tmp_path)
    (tmp_path / "CURRENT").write_bytes(current)
    with pytest.raises(ModelDamagedError):
        read_model(tmp_path)


@pytest.mark.parametrize("schema", [1, True, 2.0, 0, -1, 99, "1", None, [1], 1.5, {}])
def test_another_schema_is_refused_with_advice(tmp_path, schema):
    save(tmp_path)
    put_manifest(tmp_path, manifest_of(tmp_path) | {"schema": schema})
    with pytest.raises(ModelSchemaError, match=r"train the model again|install"):
        read_model(tmp_path)


def test_another_format_is_refused(tmp_path):
    save(tmp_path)
    put_manifest(tmp_path, manifest_of(tmp_path) | {"format": "something-else"})
    with pytest.raises(ModelSchemaError):
        read_model(tmp_path)


ENTRY = {"size": 168, "sha256": "0" * 64}


@pytest.mark.parametrize(
    "change",
    [
        {"files": None},
        {"files": []},
        {"files": "numbers.npy"},
        {"files": 1},
        {"files": {"numbers.npy": None}},
        {"files": {"numbers.npy": []}},
        {"files": {"numbers.npy": "x"}},
        {"files": {"numbers.npy": {}}},
        {"files": {"numbers.npy": ENTRY | {"sha256": 1}}},
        {"files": {"numbers.npy": ENTRY | {"sha256": None}}},
        {"files": {"numbers.npy": ENTRY | {"sha256": "0" * 65}}},
        {"files": {"numbers.npy": ENTRY | {"size": None}}},
        {"files": {"numbers.npy": ENTRY | {"size": -1}}},
        {"files": {"numbers.npy": ENTRY | {"size": float("inf")}}},
        {"files": {"../gen-00000001/numbers.npy": ENTRY}},
        {"files": {"/etc/passwd": ENTRY}},
        {"files": {"/etc/hostname.txt": ENTRY}},
        {"files": {"": ENTRY}},
        {"files": {"numbers.npy\n": ENTRY}},
        {"files": {"numbers.npy\0": ENTRY}},
        {"files": {"numbers.pkl": ENTRY}},
        {"files": {"manifest.json": ENTRY}},
        {"files": {"\ud800.npy": ENTRY}},
        {"files": {"x" * 5000 + ".npy": ENTRY}},
        {"files": {"numbers.npy": ENTRY | {"size": True}}},
        {"files": {"numbers.npy": ENTRY | {"size": 168.0}}},
        {"files": {"numbers.npy": ENTRY | {"size": 1 << 70}}},
        {"files": {"numbers.npy": ENTRY | {"size": "168"}}},
        {"files": {"numbers.npy": ENTRY | {"more": 1}}},
        {"files": {"numbers.npy": ENTRY | {"sha256": "0" * 63 + "A"}}},
        {"files": {"numbers.npy": ENTRY | {"sha256": "0" * 64 + "\n"}}},
        {"content": None},
        {"content": []},
        {"content": "x"},
        {"parent": None},
        {"parent": True},
        {"parent": -1},
        {"parent": 0.0},
        {"parent": "0"},
        {"parent": [0]},
        {"parent": 10**8},
        {"unknown": 1},
        {"Files": {}},
    ],
    ids=lambda change: repr(change)[:60],
)
def test_a_hostile_manifest_is_refused(tmp_path, change):
    save(tmp_path)
    put_manifest(tmp_path, manifest_of(tmp_path) | change)
    for verify in (True, False):
        with pytest.raises(ModelDamagedError):
            read_model(tmp_path, verify=verify)


@pytest.mark.parametrize("key", ["files", "content", "format", "schema", "parent"])
def test_a_manifest_without_one_of_its_keys_is_refused(tmp_path, key):
    save(tmp_path)
    manifest = manifest_of(tmp_path)
    del manifest[key]
    put_manifest(tmp_path, manifest)
    with pytest.raises(ModelError):
        read_model(tmp_path)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"\xff", b"[" * 100_000, b"{" + b" " * (2 << 20) + b"}", b'{"schema": 1} {}'],
    ids=lambda data: repr(data[:20]),
)
def test_a_manifest_that_is_not_an_object_is_refused(tmp_path, data):
    save(tmp_path)
    put_manifest(tmp_path, data)
    with pytest.raises(ModelError):
        read_model(tmp_path)


@pytest.mark.parametrize(
    ("found", "twice"),
    [
        (b'"parent": 0', b'"parent": 0, "parent": 0'),
        (b'"note": "old"', b'"note": "new", "note": "old"'),
        (b'"note": "old"', b'"note": "old", "n\\u006fte": "old"'),
        (b'"size": 168', b'"size": 1, "size": 168'),
        (b'"files": {', b'"files": {}, "files": {'),
    ],
)
def test_a_manifest_that_says_something_twice_is_refused(tmp_path, found, twice):
    save(tmp_path)
    data = (tmp_path / "gen-00000001" / "manifest.json").read_bytes()
    assert data.count(found) == 1
    put_manifest(tmp_path, data)
    assert_is_old(tmp_path)
    put_manifest(tmp_path, data.replace(found, twice))
    with pytest.raises(ModelDamagedError, match="twice"):
        read_model(tmp_path)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_manifest_with_what_is_no_number_is_refused(tmp_path, number):
    save(tmp_path)
    data = (tmp_path / "gen-00000001" / "manifest.json").read_bytes()
    put_manifest(tmp_path, data.replace(b'"old"', number))
    with pytest.raises(ModelDamagedError, match="number"):
        read_model(tmp_path)


@pytest.mark.parametrize("verify", [True, False])
def test_a_link_in_place_of_a_generation_is_refused(tmp_path, verify):
    save(tmp_path / "model")
    (tmp_path / "model" / "gen-00000001").rename(tmp_path / "elsewhere")
    (tmp_path / "model" / "gen-00000001").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelDamagedError, match="not a folder"):
        read_model(tmp_path / "model", verify=verify)


@pytest.mark.parametrize("name", ["CURRENT", "manifest.json", "numbers.npy", "signature"])
def test_reading_never_waits_for_a_pipe(tmp_path, name):
    write_model(tmp_path, {}, OLD, key=KEY)
    path = locate(tmp_path, name)
    path.unlink()
    os.mkfifo(path)
    # In a process of its own, so that waiting fails a test instead of hanging it; nobody feeds the pipe.
    code = f"from matcher.store import read_model; read_model({str(tmp_path)!r}, key={KEY!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, text=True, timeout=30
    )
    assert "ModelDamagedError" in done.stderr


@pytest.mark.parametrize("damage", ["missing", "cut", "another header", "altered"])
def test_refusing_leaves_no_file_open(tmp_path, damage):
    listing = Path("/proc/self/fd")
    if not listing.exists():
        pytest.skip("no list of open files here")
    save(tmp_path)
    path = locate(tmp_path, "numbers.npy")
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "altered":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    else:
        put_file(tmp_path, "numbers.npy", b"x" * 100)
    gc.collect()
    before = len(list(listing.iterdir()))
    for _ in range(5):
        with pytest.raises(ModelDamagedError):
            read_model(tmp_path)
    gc.collect()
    assert len(list(listing.iterdir())) <= before


# --- hostile arrays, with hashes that vouch for them ----------------------------------------------


def npz(array):
    buffer = io.BytesIO()
    np.savez(buffer, numbers=array)
    return buffer.getvalue()


def header(text, version=(1, 0), data=b""):
    size = len(text).to_bytes(2 if version[0] == 1 else 4, "little")
    return b"\x93NUMPY" + bytes(version) + size + text.encode("latin-1") + data


def described(descr="'<f8'", order="False", shape="(3,)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}".ljust(117) + "\n"


HOSTILE = {
    "empty": b"",
    "magic only": b"\x93NUMPY",
    "not numpy": b"hello world\n" * 20,
    "version 9": header(described(), (9, 0), bytes(24)),
    "object array": npy(np.array([1, None, "x"], object), allow_pickle=True),
    "structured with object": npy(np.zeros(2, [("a", "O")]), allow_pickle=True),
    "pickle": pickle.dumps([1, 2, 3]),
    "archive": npz(np.arange(5)),
    "archive of objects": npz(np.array([None], object)),
    "empty archive": b"PK\x05\x06" + bytes(18),
    "broken archive": b"PK\x03\x04" + bytes(30),
    "shorter than its shape": npy(np.zeros(100))[:-8],
    "huge shape": header(described(shape="(4611686018427387904,)")),
    "overflowing shape": header(described(shape="(4294967296, 4294967296)")),
    "shape beyond 64 bits": header(described(shape="(1180591620717411303424,)")),
    "negative shape": header(described(shape="(-3,)"), data=bytes(24)),
    "shape of floats": header(described(shape="(3.0,)"), data=bytes(24)),
    "shape of text": header(described(shape="'3'"), data=bytes(24)),
    "python 2 shape": header(described(shape="(3L,)"), data=bytes(24)),
    "order of text": header(described(order="'no'"), data=bytes(24)),
    "empty dtype tuple": header(described(descr="()"), data=bytes(24)),
    "short dtype tuple": header(described(descr="('<f8',)"), data=bytes(24)),
    "dtype number": header(described(descr="[1]"), data=bytes(24)),
    "dtype of negative shape": header(described(descr="[('a', '<f8', (3, -3))]"), data=bytes(24)),
    "unknown dtype": header(described(descr="'<q9'"), data=bytes(24)),
    "dtype by a deprecated name": header(described(descr="'|a8'"), data=bytes(24)),
    "header is a set": header("{'descr', 'fortran_order', 'shape'}".ljust(118)),
    "header with an unhashable key": header("{['descr']: 1}".ljust(118)),
    "header with a call": header("__import__('os').system('true')".ljust(118)),
    "header with wrong keys": header("{'a': 1}".ljust(118)),
    "header not closed": header("(" * 9000),
    "header of 9,000 signs": header("-" * 8999 + "1"),
    "header of 4 GB announced": b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 100,
    "header of 100,000 brackets": header("[" * 100_000, (2, 0)),
    "data not aligned": header(described()[:-2] + "\n", data=bytes(24)),
    "NUL in the header": header("{'descr': '\0'}".ljust(118)),
}


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_array_file_is_refused(tmp_path, data, verify):
    save(tmp_path)
    put_file(tmp_path, "numbers.npy", data)
    with pytest.raises(ModelDamagedError):
        read_model(tmp_path, verify=verify)


class Payload:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_a_model_is_not_executed(tmp_path):
    root, witness = tmp_path / "model", tmp_path / "executed"
    payload = np.array([Payload(witness)], object)
    for data in (
        npy(payload, allow_pickle=True),
        npz(payload),
        pickle.dumps(Payload(witness)),
        npy(payload, allow_pickle=True)[:-1] + b"..",
    ):
        shutil.rmtree(root, ignore_errors=True)
        save(root)
        put_file(root, "numbers.npy", data)
        with pytest.raises(ModelDamagedError):
            read_model(root, verify=False)
        assert not witness.exists()
    pickle.loads(pickle.dumps(Payload(witness)))
    assert witness.exists()  # the payload works: it was the reader that did not run it


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_any_bytes_for_an_array_are_read_or_refused(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("model")
    save(root)
    honest = locate(root, "numbers.npy").read_bytes()
    start = data.draw(st.integers(0, len(honest)))
    stop = data.draw(st.integers(start, min(start + 12, len(honest))))
    inside = data.draw(st.binary(max_size=6) | st.text("0123456789(),[]{}'<>fiuOVMmScL-:e \n", max_size=8))
    inside = inside.encode() if isinstance(inside, str) else inside
    put_file(root, "numbers.npy", honest[:start] + inside + honest[stop:])
    try:
        numbers = read_model(root, verify=False).files["numbers"]
    except ModelError:
        return
    assert isinstance(numbers, np.ndarray)
    assert not numbers.dtype.hasobject
