"""One writer at a time, whoever is killed; and generations that readers hold."""

import copy
import errno
import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from matcher.errors import ModelDamagedError, ModelLockedError, ModelWriteError, OptionError
from matcher.store import locks, read_model, write_model
from matcher.store import reading as store
from matcher.store.generations import collect, rollback
from matcher.store.locks import Hold, hold_alone, hold_shared, lock_model
from matcher.store.pointer import read_pointer

FILES = {"numbers": np.arange(5)}

fcntl = pytest.importorskip("fcntl")


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def process(code, *arguments):
    """Start Python with some code; it says "ready" when it has come so far."""
    started = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout.readline() == "ready\n"
    return started


def kill(started):
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    started.stdin.close()
    started.stdout.close()


HOLDER = """
import sys
from matcher.store.locks import lock_model
with lock_model(sys.argv[1]):
    print("ready", flush=True)
    sys.stdin.read()
"""

READER = """
import sys
from matcher.store.pointer import read_pointer
from matcher.store import read_model
model = read_model(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(model.generation, model.files["numbers"].tolist(), flush=True)
"""


# --- one writer -------------------------------------------------------------------------------------


def test_a_second_writer_is_refused_at_once_and_told_by_whom(tmp_path):
    with lock_model(tmp_path), pytest.raises(ModelLockedError) as caught:
        lock_model(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert f"process {os.getpid()} since 20" in str(caught.value)
    assert "try again" in str(caught.value)


@pytest.mark.parametrize(
    "act",
    [
        lambda root: write_model(root, {}, FILES),
        lambda root: collect(root, 1),
        lambda root: rollback(root, 1),
        lock_model,
    ],
    ids=["write", "collect", "rollback", "lock"],
)
def test_nothing_is_changed_while_another_process_writes(tmp_path, act):
    for _ in range(3):
        write_model(tmp_path, {}, FILES)
    before = names(tmp_path), (tmp_path / "CURRENT").read_bytes()
    holder = process(HOLDER, tmp_path)
    try:
        with pytest.raises(ModelLockedError, match=f"process {holder.pid} since"):
            act(tmp_path)
        assert (names(tmp_path), (tmp_path / "CURRENT").read_bytes()) == before
        assert read_model(tmp_path).generation == 3  # reading goes on
    finally:
        holder.communicate("")
    assert holder.returncode == 0
    act(tmp_path)


def test_two_threads_exclude_each_other_as_well(tmp_path):
    results = []

    def write():
        try:
            results.append(write_model(tmp_path, {}, FILES))
        except ModelLockedError as error:
            results.append(error)

    with lock_model(tmp_path):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert isinstance(results[0], ModelLockedError)
    write()
    assert results[1].generation == 1


def test_a_killed_holder_locks_nobody_out(tmp_path):
    holder = process(HOLDER, tmp_path)
    with pytest.raises(ModelLockedError):
        lock_model(tmp_path)
    kill(holder)
    assert (tmp_path / ".lock").read_bytes().startswith(f"process {holder.pid} ".encode())
    with lock_model(tmp_path), pytest.raises(ModelLockedError, match=f"process {os.getpid()} "):
        lock_model(tmp_path)


def test_a_lock_ends_with_its_block_its_release_or_its_object(tmp_path):
    with pytest.raises(KeyError), lock_model(tmp_path) as lock:  # noqa: PT012
        assert lock.held
        raise KeyError
    assert not lock.held
    lock = lock_model(tmp_path)
    lock.release()
    lock.release()
    lock = lock_model(tmp_path)
    del lock
    gc.collect()
    with lock_model(tmp_path):
        pass


def test_releasing_twice_does_not_give_up_the_lock_of_another(tmp_path):
    first = lock_model(tmp_path)
    first.release()
    with lock_model(tmp_path):
        first.release()
        with pytest.raises(ModelLockedError):
            lock_model(tmp_path)


def test_the_lock_file_stays_the_same(tmp_path):
    with lock_model(tmp_path):
        inode = (tmp_path / ".lock").stat().st_ino
    with lock_model(tmp_path):
        assert (tmp_path / ".lock").stat().st_ino == inode
    assert (tmp_path / ".lock").read_bytes() == b""


def test_different_models_have_different_locks(tmp_path):
    with lock_model(tmp_path / "a"), lock_model(tmp_path / "b"):
        pass


FORKER = """
import os, sys
from matcher.errors import ModelLockedError, OptionError
from matcher.store.locks import lock_model
from matcher.store import write_model

root, ends, told = sys.argv[1], os.pipe(), os.pipe()
lock = lock_model(root)
child = os.fork()
if child == 0:
    os.close(ends[1])
    assert not lock.held
    try:
        write_model(root, {}, {}, lock=lock)
    except OptionError:
        pass
    else:
        os._exit(2)
    lock.release()
    try:
        lock_model(root)
    except ModelLockedError:
        pass
    else:
        os._exit(3)
    os.write(told[1], b"x")
    os.read(ends[0], 1)  # until the parent is gone
    os._exit(0)
assert lock.held
os.close(told[1])
os.read(told[0], 1)
print("ready", flush=True)
if sys.stdin.readline() == "wait\\n":
    os.close(ends[1])
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), lock.held, flush=True)
sys.stdin.read()
"""


def test_a_forked_child_neither_keeps_the_lock_nor_gives_it_up(tmp_path):
    parent = process(FORKER, tmp_path)
    output, _ = parent.communicate("wait\n")
    assert output == "0 True\n"
    lock_model(tmp_path).release()


def test_a_forked_child_that_outlives_its_killed_parent_locks_nobody_out(tmp_path):
    parent = process(FORKER, tmp_path)
    kill(parent)
    lock_model(tmp_path).release()


# --- a lock given to those who write ----------------------------------------------------------------


def test_a_lock_that_is_given_is_used_and_kept(tmp_path):
    with lock_model(tmp_path) as lock:
        for _ in range(3):
            write_model(tmp_path, {}, FILES, lock=lock)
        assert collect(tmp_path, 1, lock=lock).removed == [1, 2]
        with pytest.raises(ModelLockedError):
            write_model(tmp_path, {}, FILES)
        assert lock.held


def test_a_lock_of_the_same_model_by_another_path_will_do(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    with lock_model("link") as lock:
        assert write_model(tmp_path / "model", {}, FILES, lock=lock).generation == 1


@pytest.mark.parametrize("place", ["other", "missing", "a\0b"])
def test_a_lock_of_another_model_is_a_wrong_option(tmp_path, place):
    (tmp_path / "other").mkdir()
    with lock_model(tmp_path / "model") as lock, pytest.raises(OptionError, match="lock"):
        write_model(tmp_path / place, {}, FILES, lock=lock)
    assert names(tmp_path / "other") == []


def test_a_released_lock_is_a_wrong_option(tmp_path):
    with lock_model(tmp_path) as lock:
        write_model(tmp_path, {}, FILES, lock=lock)
    with pytest.raises(OptionError, match="released"):
        write_model(tmp_path, {}, FILES, lock=lock)
    with pytest.raises(OptionError, match="released"):
        collect(tmp_path, 1, lock=lock)


# --- places where locking is hard -------------------------------------------------------------------


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS], ids=errno.errorcode.get)
def test_a_file_system_without_locks_is_a_write_error_that_says_so(tmp_path, monkeypatch, code):
    write_model(tmp_path, {}, FILES)
    write_model(tmp_path, {}, FILES)

    def flock(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(ModelWriteError, match="cannot lock files") as caught:
        write_model(tmp_path, {}, FILES)
    assert type(caught.value) is ModelWriteError
    assert read_model(tmp_path).generation == 2  # reading goes on without


def test_without_locks_nothing_is_deleted(tmp_path, monkeypatch):
    write_model(tmp_path, {}, FILES)
    write_model(tmp_path, {}, FILES)
    real = fcntl.flock

    def flock(descriptor, operation):
        if not Path(f"/proc/self/fd/{descriptor}").readlink().name == ".lock":
            raise OSError(errno.ENOLCK, "No locks available")
        real(descriptor, operation)

    if not Path("/proc/self/fd").exists():
        pytest.skip("no list of open files here")
    with monkeypatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        assert collect(tmp_path, 1) == ([], [1])
    assert collect(tmp_path, 1) == ([1], [])


@pytest.mark.parametrize("kind", ["folder", "link", "pipe"])
def test_what_is_no_lock_file_is_a_write_error(tmp_path, kind):
    (tmp_path / "elsewhere").write_text("mine")
    root = tmp_path / "model"
    root.mkdir()
    if kind == "folder":
        (root / ".lock").mkdir()
    elif kind == "link":
        (root / ".lock").symlink_to(tmp_path / "elsewhere")
    else:
        os.mkfifo(root / ".lock")
    with pytest.raises(ModelWriteError, match=r"\.lock: not a regular file"):
        write_model(root, {}, FILES)
    assert (tmp_path / "elsewhere").read_text() == "mine"
    assert names(root) == [".lock"]


@pytest.mark.parametrize("place", ["file", "file/below", "a\0b", "x" * 300])
def test_an_impossible_place_is_a_write_error(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelWriteError):
        lock_model(f"{tmp_path}/{place}")


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1b[31m", b"process 1 since yesterday", b"process " + b"9" * 40, b"\xff" * 4096, b"process -1"],
)
def test_what_the_lock_file_says_is_not_trusted(tmp_path, content):
    with lock_model(tmp_path):
        (tmp_path / ".lock").write_bytes(content)
        with pytest.raises(ModelLockedError, match="being written by another process: try"):
            lock_model(tmp_path)


def test_a_full_disk_does_not_keep_the_lock_from_being_taken(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with lock_model(tmp_path), pytest.raises(ModelLockedError, match="another process"):
            lock_model(tmp_path)
    lock_model(tmp_path).release()


def test_a_lock_file_deleted_in_the_wrong_moment_is_made_anew(tmp_path, monkeypatch):
    real, calls = locks._lock, []

    def late(descriptor, root):
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / ".lock").unlink()
        real(descriptor, root)

    with monkeypatch.context() as patch:
        patch.setattr(locks, "_lock", late)
        lock = lock_model(tmp_path)
    assert len(calls) == 2
    with lock, pytest.raises(ModelLockedError):
        lock_model(tmp_path)


def test_a_lock_file_that_somebody_keeps_deleting_is_a_write_error(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "_lock", lambda descriptor, root: (root / ".lock").unlink())
    with pytest.raises(ModelWriteError, match="keeps deleting"):
        lock_model(tmp_path)


# --- readers hold what they have open -----------------------------------------------------------------


def test_holds_are_shared_by_readers_and_exclude_who_deletes(tmp_path):
    path = tmp_path / "file"
    path.write_text("")
    first, second, third = (os.open(path, os.O_RDWR) for _ in range(3))
    assert hold_shared(first)
    assert hold_shared(second)
    assert not hold_alone(third)
    Hold(first).close()
    assert not hold_alone(third)
    Hold(second).close()
    assert hold_alone(third)
    with path.open() as file:
        assert not hold_shared(file.fileno())
    os.close(third)


def test_a_hold_is_closed_once(tmp_path):
    (tmp_path / "file").write_text("")
    hold = Hold(os.open(tmp_path / "file", os.O_RDONLY))
    hold.close()
    with (tmp_path / "file").open() as file:  # takes the number that has become free
        hold.close()
        assert file.read() == ""


def test_copies_of_a_model_share_its_hold_and_none_is_pickled(tmp_path):
    write_model(tmp_path, {}, FILES)
    model = read_model(tmp_path)
    copies = [copy.copy(model.hold), copy.deepcopy(model.hold)]
    write_model(tmp_path, {}, FILES)
    del copies
    gc.collect()
    assert collect(tmp_path, 1) == ([], [1])
    for unfit in (model, model.hold):
        with pytest.raises(TypeError, match="pickle"):
            pickle.dumps(unfit)
    model.close()
    assert collect(tmp_path, 1) == ([1], [])


@pytest.mark.parametrize("how", ["close", "delete"])
def test_a_reader_keeps_its_generation_until_it_lets_go(tmp_path, how):
    write_model(tmp_path, {}, FILES)
    model = read_model(tmp_path)
    numbers = model.files["numbers"]
    write_model(tmp_path, {}, FILES)
    assert collect(tmp_path, 1) == ([], [1])
    if how == "close":
        model.close()
        model.close()
    else:
        del model
        gc.collect()
    assert collect(tmp_path, 1) == ([1], [])
    assert numbers.tolist() == list(range(5))  # what is mapped stays


def test_a_reader_in_another_process_keeps_its_generation(tmp_path):
    write_model(tmp_path, {}, FILES)
    reader = process(READER, tmp_path)
    assert write_model(tmp_path, {}, {"numbers": np.arange(3)}, keep=1).generation == 2
    assert (tmp_path / "gen-00000001" / "numbers.npy").exists()
    assert read_model(tmp_path, generation=1).files["numbers"].tolist() == list(range(5))
    gc.collect()
    assert collect(tmp_path, 1) == ([], [1])
    output, _ = reader.communicate("\n")
    assert output == "1 [0, 1, 2, 3, 4]\n"
    assert collect(tmp_path, 1) == ([1], [])


def test_a_killed_reader_holds_nothing(tmp_path):
    write_model(tmp_path, {}, FILES)
    reader = process(READER, tmp_path)
    write_model(tmp_path, {}, FILES)
    assert collect(tmp_path, 1) == ([], [1])
    kill(reader)
    assert collect(tmp_path, 1) == ([1], [])


def test_a_reader_that_a_collector_overtakes_reads_what_is_current_then(tmp_path, monkeypatch):
    """Between reading CURRENT and holding the manifest, the generation is replaced and deleted."""
    for act_before in ("hold_shared", "open_regular", "map_arrays"):
        root = tmp_path / act_before
        write_model(root, {"n": 1}, FILES)
        real, done = getattr(store, act_before), []

        def overtaken(*args, real=real, done=done, root=root, **kwargs):
            if not done:
                done.append(write_model(root, {"n": 2}, FILES, keep=1))
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(store, act_before, overtaken)
            model = read_model(root)
        # Once it holds the manifest, the collector has to leave it the generation.
        assert model.content == ({"n": 1} if act_before == "map_arrays" else {"n": 2})
        assert (root / "gen-00000001").exists() == (act_before == "map_arrays")


def test_a_reader_that_is_always_overtaken_gives_up(tmp_path, monkeypatch):
    write_model(tmp_path, {}, {})
    real = store.hold_shared

    def overtaken(descriptor):
        write_model(tmp_path, {}, {}, keep=1)
        return real(descriptor)

    monkeypatch.setattr(store, "hold_shared", overtaken)
    monkeypatch.setattr(store, "_ATTEMPTS", 4)
    with pytest.raises(ModelDamagedError, match="4 times"):
        read_model(tmp_path)
    assert read_pointer(tmp_path).generation == 5


def test_who_holds_a_manifest_alone_without_deleting_it_makes_reading_fail_not_hang(tmp_path):
    write_model(tmp_path, {}, FILES)
    with (tmp_path / "gen-00000001" / "manifest.json").open() as file:
        assert hold_alone(file.fileno())
        with pytest.raises(ModelDamagedError, match=r"manifest\.json"):
            read_model(tmp_path)
    assert read_model(tmp_path).generation == 1
