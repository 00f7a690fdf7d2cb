"""Writing a generation: files kept from older ones, one after the other, and every failure on the way."""

import contextlib
import errno
import hashlib
import io
import itertools
import os
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from matcher.errors import (
    ModelConflictError,
    ModelLockedError,
    ModelNotFoundError,
    ModelWriteError,
    OptionError,
)
from matcher.store import publishing, read_model, write_model
from tests.stored import (
    FILES,
    NEW,
    OLD,
    assert_is_new,
    assert_is_old,
    locate,
    save,
    snapshot,
    temporary_names,
)


class Crash(BaseException):
    """The process ends here."""


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
