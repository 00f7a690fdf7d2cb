"""A model directory: atomic writes under every failure, and hostile files that must be refused."""

import contextlib
import errno
import gc
import hashlib
import hmac
import io
import itertools
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import arrays, publishing
from matcher.errors import (
    ModelConflictError,
    ModelDamagedError,
    ModelError,
    ModelLockedError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelSignatureError,
    ModelWriteError,
    OptionError,
)
from matcher.store import read_model, write_model

OLD = {"numbers": np.arange(5), "some.words.txt": np.frombuffer(b"old\nwords\n", np.uint8)}
NEW = {"numbers": np.arange(9), "some.words.txt": np.frombuffer(b"new\n", np.uint8), "more": np.ones(2)}
FILES = ["numbers.npy", "some.words.txt", "manifest.json", "CURRENT"]
KEY = b"a key of more than sixteen bytes"


class Crash(BaseException):
    """The process ends here."""


def save(root, files=None, content=None):
    content = {"note": "old"} if content is None else content
    return write_model(root, content, OLD if files is None else files).generation


def locate(root, name):
    return root / name if name == "CURRENT" else root / "gen-00000001" / name


def snapshot(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def put_manifest(root, manifest):
    """Write a manifest (JSON value or bytes) with a CURRENT that vouches for it."""
    data = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
    (root / "gen-00000001" / "manifest.json").write_bytes(data)
    current = {"generation": 1, "manifest_sha256": hashlib.sha256(data).hexdigest()}
    (root / "CURRENT").write_text(json.dumps(current))


def manifest_of(root):
    return json.loads((root / "gen-00000001" / "manifest.json").read_bytes())


def put_file(root, name, data):
    """Replace a file, with a manifest and a CURRENT that vouch for it."""
    (root / "gen-00000001" / name).write_bytes(data)
    manifest = manifest_of(root)
    manifest["files"][name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    put_manifest(root, manifest)


def assert_is_old(root):
    model = read_model(root)
    assert model.generation == 1
    assert model.content == {"note": "old"}
    assert sorted(model.files) == sorted(OLD)
    for name, array in OLD.items():
        assert np.array_equal(model.files[name], array)


def assert_is_new(root):
    model = read_model(root)
    assert model.content == {"note": "new"}
    assert sorted(model.files) == sorted(NEW)
    for name, array in NEW.items():
        assert np.array_equal(model.files[name], array)


def temporary_names(root):
    return [
        path.name
        for path in root.iterdir()
        if path.name not in ("CURRENT", ".lock") and not path.name.startswith("gen-")
    ]


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


# --- files that an older generation has already -----------------------------------------------------


def inodes(root, generation):
    return {path.name: path.stat().st_ino for path in (root / f"gen-{generation:08d}").iterdir()}


def test_what_was_written_is_told(tmp_path):
    published = write_model(tmp_path, {"note": "old"}, OLD)
    assert published.generation == 1
    assert sorted(published.files) == sorted(OLD)
    for name, file in published.files.items():
        data = locate(tmp_path, name if name.endswith(".txt") else f"{name}.npy").read_bytes()
        assert file.path.read_bytes() == data
        assert file.path.is_absolute()
        assert (file.size, file.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert read_model(tmp_path).stored == published.files


def test_kept_files_are_linked_and_the_rest_is_written(tmp_path):
    first = write_model(tmp_path, {"note": "old"}, OLD)
    files = OLD | {"numbers": np.arange(7)}
    second = write_model(
        tmp_path, {"note": "new"}, files, kept={"some.words.txt": first.files["some.words.txt"]}
    )
    old, new = inodes(tmp_path, 1), inodes(tmp_path, 2)
    assert {name for name in old if old[name] == new[name]} == {"some.words.txt"}
    assert second.files["some.words.txt"].path.parent.name == "gen-00000002"
    model = read_model(tmp_path)
    assert model.content == {"note": "new"}
    for name, array in files.items():
        assert np.array_equal(model.files[name], array)
    assert model.stored == second.files


def test_a_generation_stands_without_those_it_shares_files_with(tmp_path):
    kept = {}
    for _ in range(4):
        kept = write_model(tmp_path, {"note": "old"}, OLD, kept=kept).files
    for name in FILES[:2]:
        assert len({inodes(tmp_path, number)[name] for number in range(1, 5)}) == 1
    for number in range(1, 4):
        shutil.rmtree(tmp_path / f"gen-{number:08d}")
    assert read_model(tmp_path).files["numbers"].tolist() == OLD["numbers"].tolist()


def test_files_that_are_read_can_be_kept_under_other_names(tmp_path):
    save(tmp_path)
    stored = read_model(tmp_path).stored["numbers"]
    write_model(tmp_path, {}, {"renamed": OLD["numbers"]}, kept={"renamed": stored})
    assert read_model(tmp_path).files["renamed"].tolist() == OLD["numbers"].tolist()
    assert inodes(tmp_path, 2)["renamed.npy"] == inodes(tmp_path, 1)["numbers.npy"]


@pytest.mark.parametrize(
    "code", [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOSYS], ids=errno.errorcode.get
)
def test_where_linking_fails_the_array_is_written(tmp_path, monkeypatch, code):
    kept = write_model(tmp_path, {}, OLD).files

    def link(*args, **kwargs):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", link)
    write_model(tmp_path, {"note": "old"}, OLD, kept=kept)
    old, new = inodes(tmp_path, 1), inodes(tmp_path, 2)
    assert not set(old.values()) & set(new.values())
    assert read_model(tmp_path).files["numbers"].tolist() == OLD["numbers"].tolist()


@pytest.mark.parametrize(
    "what", ["gone", "another size", "a link", "a folder", "a pipe", "another kind", "shorter"]
)
def test_what_cannot_be_the_kept_file_is_not_linked(tmp_path, what):
    stored = write_model(tmp_path, {}, OLD).files["numbers"]
    path = stored.path
    if what in ("gone", "a link", "a folder", "a pipe"):
        path.rename(tmp_path / "elsewhere.npy")
    if what == "a link":
        path.symlink_to(tmp_path / "elsewhere.npy")
    elif what == "a folder":
        path.mkdir()
    elif what == "a pipe":
        os.mkfifo(path)
    elif what == "another size":
        path.write_bytes(path.read_bytes() + b"x")
    elif what == "another kind":
        path = path.rename(path.with_suffix(".txt"))
    elif what == "shorter":  # the caller's mistake: the array is another one
        stored = stored._replace(size=stored.size - 8)
        path.write_bytes(path.read_bytes()[:-8])
    write_model(tmp_path, {}, OLD, kept={"numbers": stored._replace(path=path)})
    model = read_model(tmp_path)
    assert model.generation == 2
    assert model.files["numbers"].tolist() == OLD["numbers"].tolist()
    assert model.stored["numbers"].path.lstat().st_nlink == 1


def test_keeping_what_is_not_written_is_a_wrong_option(tmp_path):
    kept = write_model(tmp_path, {}, OLD).files
    with pytest.raises(OptionError, match=r"some\.words\.txt"):
        write_model(tmp_path, {}, {"numbers": OLD["numbers"]}, kept=kept)
    assert read_model(tmp_path).generation == 1


def test_many_files_come_back_from_many_threads(tmp_path):
    names = [f"{first}.{second}" for first in "abcdef" for second in "abcdefgh"]
    files = {name: np.arange(number) for number, name in enumerate(names)}
    write_model(tmp_path, {}, files)
    model = read_model(tmp_path)
    assert sorted(model.files) == sorted(files)
    for name, array in files.items():
        assert np.array_equal(model.files[name], array)


def test_no_thread_runs_on_after_a_failure(tmp_path, monkeypatch):
    names = [f"{first}.{second}" for first in "abcdef" for second in "abcdefgh"]
    real = os.fsync
    calls = itertools.count()

    def fsync(descriptor):
        if next(calls) == 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        time.sleep(0.005)
        real(descriptor)

    before = threading.active_count()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ModelWriteError, match="No space"):
            write_model(tmp_path, {}, {name: np.arange(3) for name in names})
    assert next(calls) < len(names)  # those that waited were not started
    assert threading.active_count() == before
    assert temporary_names(tmp_path) == []


@pytest.mark.parametrize("share", [1, 2, 1000])
def test_a_disk_that_takes_a_part_gets_the_rest(tmp_path, monkeypatch, share):
    class Slow(io.FileIO):
        def write(self, data):
            return super().write(memoryview(data)[: max(1, len(data) // share)])

    def opening(path, mode="r", *args, **kwargs):
        return Slow(path, mode.replace("b", "")) if "x" in mode else real(path, mode, *args, **kwargs)

    real = io.open
    with monkeypatch.context() as patch:
        patch.setattr(io, "open", opening)
        save(tmp_path)
    assert_is_old(tmp_path)


@pytest.mark.parametrize("answer", [0, None])
def test_a_disk_that_takes_nothing_is_a_write_error(tmp_path, monkeypatch, answer):
    class Full(io.FileIO):
        def write(self, data):
            return answer

    def opening(path, mode="r", *args, **kwargs):
        return Full(path, mode.replace("b", "")) if "x" in mode else real(path, mode, *args, **kwargs)

    real = io.open
    save(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(io, "open", opening)
        with pytest.raises(ModelWriteError, match="took nothing"):
            save(tmp_path, NEW)
    assert_is_old(tmp_path)
    assert temporary_names(tmp_path) == []


# --- reading what is open already -------------------------------------------------------------------


def test_arrays_that_are_open_already_are_the_same_objects(tmp_path):
    save(tmp_path, OLD | {"empty": np.zeros(0), "nothing.txt": np.zeros(0, np.uint8)})
    first = read_model(tmp_path)
    save(tmp_path, OLD | {"more": np.ones(2), "empty": np.zeros(0), "nothing.txt": np.zeros(0, np.uint8)})
    second = read_model(tmp_path, previous=first)
    assert second.generation == 2
    assert second.verified
    for name in first.files:
        assert second.files[name] is first.files[name]
        assert second.maps.get(name) is first.maps.get(name)
        assert second.stored[name].path.parent.name == "gen-00000002"
    assert second.files["more"].tolist() == [1, 1]
    second.release()
    assert np.array_equal(second.files["numbers"], OLD["numbers"])


def test_arrays_under_another_name_are_reused_too(tmp_path):
    save(tmp_path)
    first = read_model(tmp_path)
    save(tmp_path, {"renamed": OLD["numbers"], "numbers": np.arange(6)})
    second = read_model(tmp_path, previous=first)
    assert second.files["renamed"] is first.files["numbers"]
    assert second.files["numbers"].tolist() == list(range(6))


def test_what_was_not_verified_is_not_reused_by_who_wants_that(tmp_path):
    save(tmp_path)
    path = locate(tmp_path, "numbers.npy")
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    first = read_model(tmp_path, verify=False)
    assert not first.verified
    with pytest.raises(ModelDamagedError, match="SHA-256"):
        read_model(tmp_path, previous=first)
    again = read_model(tmp_path, verify=False, previous=first)
    assert again.files["numbers"] is first.files["numbers"]
    assert not again.verified


def test_the_bytes_of_an_array_listed_as_text_are_not_the_array(tmp_path):
    save(tmp_path)
    first = read_model(tmp_path)
    data = locate(tmp_path, "numbers.npy").read_bytes()
    save(tmp_path, {"numbers.txt": np.frombuffer(data, np.uint8)})
    assert read_model(tmp_path, previous=first).files["numbers.txt"].tobytes() == data


@pytest.mark.parametrize("damage", ["missing", "cut", "link"])
def test_reused_files_must_be_there_all_the_same(tmp_path, damage):
    save(tmp_path)
    first = read_model(tmp_path)
    path = locate(tmp_path, "numbers.npy")
    if damage == "cut":
        path.write_bytes(b"x")
    else:
        path.rename(tmp_path / "elsewhere")
        if damage == "link":
            path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelDamagedError):
        read_model(tmp_path, previous=first)


@pytest.mark.parametrize("much", [True, False])
def test_two_threads_verify_what_one_does(tmp_path, monkeypatch, much):
    monkeypatch.setattr(arrays, "_WORTH_THREADS", 100 if much else 1 << 30)
    files = {name: np.arange(100 * number) for number, name in enumerate("abcdefgh")}
    write_model(tmp_path, {}, files)
    model = read_model(tmp_path)
    for name, array in files.items():
        assert np.array_equal(model.files[name], array)
    for name in files:
        path = locate(tmp_path, f"{name}.npy")
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(ModelDamagedError, match=f"{name}.npy: SHA-256"):
            read_model(tmp_path)
        path.write_bytes(data)
    assert read_model(tmp_path).verified


def test_a_model_knows_whether_it_is_current(tmp_path):
    save(tmp_path)
    first = read_model(tmp_path)
    assert first.is_current()
    save(tmp_path, NEW)
    second = read_model(tmp_path)
    assert (first.is_current(), second.is_current()) == (False, True)
    named = read_model(tmp_path, generation=1)
    assert not named.is_current()
    assert read_model(tmp_path, generation=2).is_current()
    (tmp_path / "CURRENT").unlink()
    assert not second.is_current()
    os.mkfifo(tmp_path / "CURRENT")
    assert not second.is_current()


def test_a_model_knows_whether_it_is_current_from_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(Path("model"))
    model = read_model("model")
    monkeypatch.chdir("/")
    assert model.is_current()
    assert model.stored["numbers"].path.exists()


def test_a_generation_can_be_named(tmp_path):
    save(tmp_path)
    save(tmp_path, NEW, {"note": "new"})
    assert read_model(tmp_path, generation=1).content == {"note": "old"}
    assert read_model(tmp_path, generation=2).content == {"note": "new"}
    (tmp_path / "CURRENT").unlink()
    assert read_model(tmp_path, generation=1).content == {"note": "old"}
    with pytest.raises(ModelNotFoundError, match="no generation 3"):
        read_model(tmp_path, generation=3)


@pytest.mark.parametrize("generation", [0, -1, True, 1.0, "1", 10**8])
def test_what_is_no_generation_is_a_wrong_option(tmp_path, generation):
    save(tmp_path)
    with pytest.raises(OptionError, match="generation"):
        read_model(tmp_path, generation=generation)


def test_the_manifest_of_the_current_generation_is_compared_when_it_is_named_too(tmp_path):
    save(tmp_path)
    path = locate(tmp_path, "manifest.json")
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(ModelDamagedError, match="CURRENT"):
        read_model(tmp_path, generation=1)


# --- one after the other ----------------------------------------------------------------------------


def test_a_generation_says_which_one_it_followed(tmp_path):
    save(tmp_path)
    save(tmp_path)
    assert [read_model(tmp_path, generation=number).parent for number in (1, 2)] == [0, 1]


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_who_started_from_another_generation_is_told(tmp_path, expected):
    save(tmp_path)
    save(tmp_path)
    before = snapshot(tmp_path)
    with pytest.raises(
        ModelConflictError, match=r"generation 2 .* reload, apply the changes again, and save"
    ):
        write_model(tmp_path, {}, NEW, expected=expected)
    assert snapshot(tmp_path) == before
    assert write_model(tmp_path, {}, NEW, expected=2).generation == 3


def test_the_conflict_names_both_generations(tmp_path):
    save(tmp_path)
    save(tmp_path)
    with pytest.raises(ModelConflictError) as caught:
        write_model(tmp_path, {}, NEW, expected=1)
    assert str(caught.value) == (
        f"{tmp_path}: generation 2 was published since generation 1 was opened: "
        "reload, apply the changes again, and save"
    )


def test_where_nothing_is_expected_nothing_may_be(tmp_path):
    assert write_model(tmp_path, {}, OLD, expected=0).generation == 1
    with pytest.raises(ModelConflictError, match="where no model was"):
        write_model(tmp_path, {}, OLD, expected=0)
    (tmp_path / "CURRENT").unlink()
    with pytest.raises(ModelConflictError, match="no longer current"):
        write_model(tmp_path, {}, OLD, expected=1)


@pytest.mark.parametrize("current", [b"", b"\xff", b'{"generation": 0}'])
def test_training_again_heals_a_damaged_current(tmp_path, current):
    save(tmp_path)
    (tmp_path / "CURRENT").write_bytes(current)
    assert save(tmp_path, NEW, {"note": "new"}) == 2
    assert_is_new(tmp_path)


# --- failures while writing -----------------------------------------------------------------------

STEPS = ["fsync", "rename", "replace", "open", "mkdir", "file"]


@pytest.fixture(params=[1, 8], ids=["one thread", "eight threads"])
def threads(request, monkeypatch):
    """Write few small files as many large ones are written, too."""
    if request.param > 1:
        monkeypatch.setattr(publishing, "_FEW", 0)
    return request.param


def failing(monkeypatch, step, number, error):
    """Make the call `number` (from 0) of one kind fail; return the list of calls made."""
    calls, lock = [], threading.Lock()
    holder, name = (io, "open") if step == "file" else (os, step)
    real = getattr(holder, name)

    def call(*args, **kwargs):
        if step == "mkdir" and Path(args[0]).is_dir():
            return real(*args, **kwargs)  # "exists already" is not a failure to write
        with lock:
            calls.append(args)
            mine = len(calls)
        if mine == number + 1:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(holder, name, call)
    return calls


@pytest.mark.parametrize(
    "code", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT], ids=errno.errorcode.get
)
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("step", STEPS)
def test_a_write_error_at_any_call_leaves_the_old_model_and_no_rubbish(tmp_path, monkeypatch, step, code):
    failures, wrong = 0, []
    for number in range(50):
        root = tmp_path / str(number)
        save(root)
        before = snapshot(root)
        with monkeypatch.context() as patch:
            calls = failing(patch, step, number, OSError(code, os.strerror(code)))
            try:
                save(root, NEW, {"note": "new"})
            except ModelWriteError as error:
                message = str(error)
            else:
                message = ""
        if len(calls) <= number:
            break
        failures += 1
        after = snapshot(root)
        same = all(after.get(name) == data for name, data in before.items())
        told = str(root) in message and os.strerror(code) in message
        if not (told and same and temporary_names(root) == []):
            wrong.append(f"call {number}: message {message!r}, old model untouched: {same}")
            continue
        assert_is_old(root)
    assert failures
    assert wrong == []


@pytest.mark.parametrize("step", STEPS)
def test_a_write_error_in_an_empty_place_leaves_no_model(tmp_path, monkeypatch, step):
    root = tmp_path / "a" / "b"
    with monkeypatch.context() as patch:
        failing(patch, step, 0, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(ModelWriteError, match="No space left on device"):
            save(root)
    with pytest.raises(ModelNotFoundError):
        read_model(root)
    save(root, NEW, {"note": "new"})
    assert_is_new(root)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, MemoryError, Crash])
@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("step", STEPS)
def test_an_interrupt_at_any_call_leaves_the_old_or_the_new_model(tmp_path, monkeypatch, step, error):
    for number in range(50):
        root = tmp_path / str(number)
        save(root)
        with monkeypatch.context() as patch:
            calls = failing(patch, step, number, error())
            with contextlib.suppress(error):
                save(root, NEW, {"note": "new"})
        if len(calls) <= number:
            break
        assert temporary_names(root) == []
        if read_model(root).content == {"note": "old"}:
            assert_is_old(root)
        else:
            assert_is_new(root)
    assert number


@pytest.mark.parametrize("step", STEPS)
def test_a_killed_process_at_any_call_leaves_a_model_that_can_be_read_and_replaced(
    tmp_path, monkeypatch, step
):
    for number in range(50):
        root = tmp_path / str(number)
        save(root)
        with monkeypatch.context() as patch:
            patch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)  # a dead process tidies nothing
            patch.setattr(os, "unlink", lambda *args, **kwargs: None)
            calls = failing(patch, step, number, Crash())
            with contextlib.suppress(Crash):
                save(root, NEW, {"note": "new"})
        if len(calls) <= number:
            break
        if read_model(root).content == {"note": "old"}:
            assert_is_old(root)
        else:
            assert_is_new(root)
        assert save(root, NEW, {"note": "new"}) in (2, 3)
        assert_is_new(root)
    assert number


@pytest.mark.usefixtures("threads")
def test_everything_is_durable_before_its_name_is(tmp_path, monkeypatch):
    save(tmp_path)
    events = []
    real_fsync, real_rename, real_replace = os.fsync, os.rename, os.replace

    def fsync(descriptor):
        real_fsync(descriptor)
        events.append(("durable", os.fstat(descriptor).st_ino))

    def rename(source, target, **kwargs):
        events.append(("named", Path(target).name))
        real_rename(source, target, **kwargs)

    def replace(source, target, **kwargs):
        events.append(("named", Path(target).name))
        real_replace(source, target, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "rename", rename)
        patch.setattr(os, "replace", replace)
        save(tmp_path, NEW, {"note": "new"})
    folder = tmp_path / "gen-00000002"
    published, switched = (events.index(("named", name)) for name in ("gen-00000002", "CURRENT"))
    inside = {path.stat().st_ino for path in [folder, *folder.iterdir()]}
    assert inside <= {inode for kind, inode in events[:published] if kind == "durable"}
    between = {inode for kind, inode in events[published:switched] if kind == "durable"}
    assert {tmp_path.stat().st_ino, (tmp_path / "CURRENT").stat().st_ino} <= between
    assert ("durable", tmp_path.stat().st_ino) in events[switched:]


def test_a_file_size_limit_is_a_write_error(tmp_path):
    resource = pytest.importorskip("resource")
    save(tmp_path)
    before = snapshot(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    try:
        with pytest.raises(ModelWriteError, match="unchanged"):
            save(tmp_path, {"numbers": np.zeros(1 << 18)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert snapshot(tmp_path) == before
    assert temporary_names(tmp_path) == []


@pytest.mark.parametrize("place", ["file", "file/below", "link", "a\0b", "x" * 300])
def test_an_impossible_place_is_a_write_error(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere" / "at" / "all")
    with pytest.raises(ModelWriteError):
        save(f"{tmp_path}/{place}")
    assert (tmp_path / "file").read_text() == "mine"


def test_of_writers_at_once_one_writes_and_readers_never_fail(tmp_path):
    save(tmp_path)
    taken, refused, failures, done = [], [], [], threading.Event()

    def write():
        try:
            for _ in range(10):
                try:
                    taken.append(save(tmp_path, NEW, {"note": "new"}))
                except ModelLockedError as error:
                    refused.append(str(error))
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    def read():
        while not done.is_set():
            try:
                read_model(tmp_path)
            except Exception as error:  # noqa: BLE001
                failures.append(error)

    writers, reader = [threading.Thread(target=write) for _ in range(4)], threading.Thread(target=read)
    for thread in [reader, *writers]:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join()
    assert failures == []
    assert len(taken) + len(refused) == 40
    assert sorted(taken) == list(range(2, len(taken) + 2))  # none is lost, none is written over
    assert sorted(path.name for path in tmp_path.glob("gen-*")) == [
        f"gen-{number:08d}" for number in range(1, len(taken) + 2)
    ]
    assert temporary_names(tmp_path) == []
    assert_is_new(tmp_path)


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


# --- signatures -----------------------------------------------------------------------------------


def test_a_signed_model_is_read_with_its_key_and_without_one(tmp_path):
    write_model(tmp_path, {"note": "old"}, OLD, key=KEY)
    assert read_model(tmp_path, key=KEY).content == {"note": "old"}
    assert_is_old(tmp_path)


def test_the_signature_is_that_of_the_standard_library(tmp_path):
    write_model(tmp_path, {}, OLD, key=KEY)
    manifest = locate(tmp_path, "manifest.json").read_bytes()
    expected = hmac.digest(KEY, b"matcher-model-manifest\0" + manifest, "sha256").hex()
    assert locate(tmp_path, "signature").read_text() == expected


@pytest.mark.parametrize("key", [b"k" * 15 + b"x", KEY + b"\0x", bytes(16)])
def test_another_key_is_refused(tmp_path, key):
    write_model(tmp_path, {}, OLD, key=KEY)
    with pytest.raises(ModelSignatureError, match="key"):
        read_model(tmp_path, key=key)


def test_an_unsigned_model_is_refused_with_a_key(tmp_path):
    save(tmp_path)
    with pytest.raises(ModelSignatureError, match="not signed"):
        read_model(tmp_path, key=KEY)


@pytest.mark.parametrize(
    "signature",
    [b"", b"0" * 64, b"\xff" * 64, "upper", "newline", "cut", "longer", b"x" * (1 << 20)],
    ids=lambda value: repr(value)[:20],
)
def test_another_signature_is_refused(tmp_path, signature):
    write_model(tmp_path, {}, OLD, key=KEY)
    path = locate(tmp_path, "signature")
    right = path.read_bytes()
    changed = {
        "upper": right.upper(),
        "newline": right + b"\n",
        "cut": right[:-1],
        "longer": right + right,
    }
    path.write_bytes(changed.get(signature, signature) if isinstance(signature, str) else signature)
    with pytest.raises(ModelDamagedError):
        read_model(tmp_path, key=KEY)
    path.write_bytes(right)
    assert read_model(tmp_path, key=KEY).generation == 1


def test_whoever_changes_a_signed_model_and_every_hash_is_noticed(tmp_path):
    write_model(tmp_path, {"note": "old"}, OLD, key=KEY)
    put_file(tmp_path, "numbers.npy", npy(np.arange(6)))
    assert len(read_model(tmp_path).files["numbers"]) == 6  # without a key, nothing tells
    with pytest.raises(ModelSignatureError):
        read_model(tmp_path, key=KEY)


def test_a_signature_of_another_manifest_does_not_fit(tmp_path):
    write_model(tmp_path, {"note": "old"}, OLD, key=KEY)
    write_model(tmp_path, {"note": "new"}, NEW, key=KEY)
    shutil.copy(tmp_path / "gen-00000001" / "signature", tmp_path / "gen-00000002" / "signature")
    with pytest.raises(ModelSignatureError):
        read_model(tmp_path, key=KEY)


@pytest.mark.parametrize("key", ["text of sixteen or more", b"fifteen bytes..", b"", bytearray(32), 7])
def test_an_unfit_key_is_a_wrong_option(tmp_path, key):
    save(tmp_path)
    with pytest.raises(OptionError, match="key"):
        read_model(tmp_path, key=key)
    with pytest.raises(OptionError, match="key"):
        write_model(tmp_path, {}, NEW, key=key)
    assert_is_old(tmp_path)


def test_a_key_without_verifying_is_a_wrong_option(tmp_path):
    write_model(tmp_path, {}, OLD, key=KEY)
    with pytest.raises(OptionError, match="verify"):
        read_model(tmp_path, key=KEY, verify=False)


# --- hostile arrays, with hashes that vouch for them ----------------------------------------------


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


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
