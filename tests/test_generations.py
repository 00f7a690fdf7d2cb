"""The generations of a model: history, going back, deleting."""

import errno
import gc
import json
import os
import shutil
from datetime import UTC, datetime

import numpy as np
import pytest

from matcher.errors import (
    ModelDamagedError,
    ModelError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelSignatureError,
    ModelWriteError,
    OptionError,
)
from matcher.store import read_model, write_model
from matcher.store.generations import collect, history, rollback
from matcher.store.locks import lock_model
from matcher.store.pointer import read_pointer

KEY = b"a key of more than sixteen bytes"


def files(number):
    return {"numbers": np.full(7, number), "always.txt": np.frombuffer(b"the same", np.uint8)}


def publish(root, times=1, **options):
    """Write generations whose content says their number."""
    for _ in range(times):
        found = numbers(root) if root.exists() else []
        last = read_pointer(root).last if (root / "CURRENT").exists() else 0
        number = max([*found, last], default=0) + 1
        assert write_model(root, {"number": number}, files(number), **options).generation == number
    return number


def numbers(root):
    return sorted(int(path.name.removeprefix("gen-")) for path in root.glob("gen-*"))


def hidden(root):
    return sorted(path.name for path in root.glob(".*") if path.name != ".lock")


def assert_current(root, number, **options):
    model = read_model(root, **options)
    assert model.generation == number
    assert model.content == {"number": number}
    assert model.files["numbers"].tolist() == [number] * 7


def orphan(root):
    """Leave what a writer leaves that is killed between its generation and CURRENT."""
    before = (root / "CURRENT").read_bytes()
    publish(root)
    (root / "CURRENT").write_bytes(before)


# --- history ----------------------------------------------------------------------------------------


def test_history_tells_what_there_is(tmp_path):
    start = datetime.now(UTC)
    publish(tmp_path, 3)
    rollback(tmp_path, 2)
    publish(tmp_path)
    found = history(tmp_path)
    assert [generation.number for generation in found] == [1, 2, 3, 4]
    assert [generation.is_current for generation in found] == [False, False, False, True]
    assert [generation.parent for generation in found] == [0, 1, 2, 2]
    assert [generation.content for generation in found] == [{"number": number} for number in (1, 2, 3, 4)]
    assert [generation.problem for generation in found] == [""] * 4
    for generation in found:
        assert generation.bytes == read_model(tmp_path, generation=generation.number).bytes
        assert start.timestamp() - 1 < generation.published.timestamp() < datetime.now(UTC).timestamp() + 1
        assert generation.published.tzinfo is UTC


@pytest.mark.parametrize("place", ["nothing", "empty", "file", "file/below", "a\0b"])
def test_history_of_no_model(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelNotFoundError, match="matcher train"):
        history(f"{tmp_path}/{place}")


def test_history_names_what_is_wrong_and_goes_on(tmp_path):
    publish(tmp_path, 6)
    manifests = {number: tmp_path / f"gen-{number:08d}" / "manifest.json" for number in range(1, 7)}
    manifests[1].unlink()
    manifests[2].write_bytes(b"[")
    manifests[3].write_bytes(json.dumps(json.loads(manifests[3].read_bytes()) | {"schema": 99}).encode())
    manifests[4].write_bytes(b"{}")
    manifests[6].write_bytes(manifests[6].read_bytes() + b" ")
    (tmp_path / "gen-00000007").write_text("a file")
    (tmp_path / "gen-00000008").mkdir()
    (tmp_path / "gen-9").mkdir()
    found = {generation.number: generation for generation in history(tmp_path)}
    assert sorted(found) == [1, 2, 3, 4, 5, 6, 7, 8]
    for number, reason in [
        (1, "No such file"),
        (2, "not valid JSON"),
        (3, "schema 99"),
        (4, "not a model of this library"),
        (6, "differs from CURRENT"),
        (7, "manifest.json"),
        (8, "No such file"),
    ]:
        assert reason in found[number].problem
        assert f"gen-{number:08d}" in found[number].problem
        assert found[number].published.tzinfo is UTC
    assert found[5].problem == ""
    assert found[5].content == {"number": 5}


@pytest.mark.parametrize("current", [None, b"", b"{}", b"\xff"])
def test_history_without_a_current_generation(tmp_path, current):
    publish(tmp_path, 2)
    (tmp_path / "CURRENT").unlink()
    if current is not None:
        (tmp_path / "CURRENT").write_bytes(current)
    assert [generation.is_current for generation in history(tmp_path)] == [False, False]


def test_history_passes_over_what_is_collected_in_the_meantime(tmp_path, monkeypatch):
    publish(tmp_path, 3)
    from matcher.store import generations

    real = generations.generations
    monkeypatch.setattr(generations, "generations", lambda root: (real(root), collect(root, 1))[0])
    assert [generation.number for generation in history(tmp_path)] == [3]


# --- rollback ---------------------------------------------------------------------------------------


def test_going_back_goes_to_the_parent(tmp_path):
    publish(tmp_path, 3)
    assert rollback(tmp_path) == 2
    assert_current(tmp_path, 2)
    assert rollback(tmp_path) == 1
    assert_current(tmp_path, 1)
    before = (tmp_path / "CURRENT").read_bytes()
    with pytest.raises(ModelNotFoundError, match="no generation before 1"):
        rollback(tmp_path)
    assert (tmp_path / "CURRENT").read_bytes() == before
    assert rollback(tmp_path, 3) == 3
    assert_current(tmp_path, 3)
    assert numbers(tmp_path) == [1, 2, 3]


def test_after_going_back_the_next_one_is_new_and_follows_what_was_current(tmp_path):
    publish(tmp_path, 3)
    rollback(tmp_path, 1)
    assert publish(tmp_path) == 4
    assert read_model(tmp_path).parent == 1
    assert rollback(tmp_path) == 1  # and not to 3, which was gone back from
    assert_current(tmp_path, 1)


def test_no_number_is_given_twice(tmp_path):
    publish(tmp_path, 3)
    third = read_model(tmp_path)
    rollback(tmp_path, 1)
    third.close()
    assert collect(tmp_path, 1).removed == [2, 3]
    assert publish(tmp_path) == 4
    assert not third.is_current()
    with pytest.raises(ModelWriteError, match="generation 4 was published since generation 3"):
        write_model(tmp_path, {}, {}, expected=3)


def test_going_back_past_what_was_deleted(tmp_path):
    publish(tmp_path, 4)
    shutil.rmtree(tmp_path / "gen-00000003")
    (tmp_path / "gen-00000002" / "manifest.json").write_bytes(b"{}")  # not of this library
    assert rollback(tmp_path) == 1
    assert_current(tmp_path, 1)


def test_a_parent_in_the_future_is_not_gone_back_to(tmp_path):
    publish(tmp_path, 3)
    manifest = tmp_path / "gen-00000002" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"parent": 1', b'"parent": 3'))
    rollback(tmp_path, 2)
    assert rollback(tmp_path) == 1


@pytest.mark.parametrize("name", ["numbers.npy", "manifest.json", "always.txt"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_generation_is_not_gone_back_to(tmp_path, name, damage):
    publish(tmp_path, 2)
    path = tmp_path / "gen-00000001" / name
    data = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif damage == "cut":
        path.write_bytes(data[:-1])
    before = (tmp_path / "CURRENT").read_bytes()
    for generation in (1, None):
        with pytest.raises(ModelDamagedError, match=name):
            rollback(tmp_path, generation)
        assert (tmp_path / "CURRENT").read_bytes() == before
    assert_current(tmp_path, 2)


def test_going_back_to_what_is_not_there(tmp_path):
    publish(tmp_path, 2)
    with pytest.raises(ModelNotFoundError, match="no generation 7"):
        rollback(tmp_path, 7)
    (tmp_path / "gen-00000007").mkdir()
    with pytest.raises(ModelDamagedError):
        rollback(tmp_path, 7)
    (tmp_path / "gen-00000007" / "manifest.json").write_bytes(b'{"format": "other"}')
    with pytest.raises(ModelSchemaError):
        rollback(tmp_path, 7)
    assert_current(tmp_path, 2)


@pytest.mark.parametrize("generation", [0, -1, True, "1", 1.0])
def test_going_back_to_what_is_no_number(tmp_path, generation):
    publish(tmp_path, 2)
    with pytest.raises(OptionError, match="generation"):
        rollback(tmp_path, generation)
    assert_current(tmp_path, 2)


@pytest.mark.parametrize("place", ["nothing", "empty", "file", "a\0b"])
def test_going_back_where_no_model_is(tmp_path, place):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelNotFoundError, match="matcher train"):
        rollback(f"{tmp_path}/{place}")
    assert not (tmp_path / "nothing").exists()


@pytest.mark.parametrize("current", [None, b"", b"{}"])
def test_a_named_generation_heals_a_lost_current(tmp_path, current):
    publish(tmp_path, 3)
    (tmp_path / "CURRENT").unlink()
    if current is not None:
        (tmp_path / "CURRENT").write_bytes(current)
    with pytest.raises(ModelError, match="CURRENT"):
        rollback(tmp_path)
    assert rollback(tmp_path, 2) == 2
    assert_current(tmp_path, 2)
    assert publish(tmp_path) == 4


def test_going_back_checks_signatures(tmp_path):
    publish(tmp_path)
    publish(tmp_path, key=KEY)
    publish(tmp_path, key=KEY)
    assert rollback(tmp_path, key=KEY) == 2
    with pytest.raises(ModelSignatureError):
        rollback(tmp_path, key=KEY)
    with pytest.raises(ModelSignatureError):
        rollback(tmp_path, 3, key=KEY[::-1])
    with pytest.raises(OptionError, match="key"):
        rollback(tmp_path, 3, key=b"short")
    assert_current(tmp_path, 2, key=KEY)
    assert rollback(tmp_path) == 1


@pytest.mark.parametrize("step", ["fsync", "replace", "open", "flock"])
def test_a_write_error_while_going_back_leaves_what_was_current(tmp_path, monkeypatch, step):
    fcntl = pytest.importorskip("fcntl")
    publish(tmp_path, 2)
    before = (tmp_path / "CURRENT").read_bytes()
    holder = fcntl if step == "flock" else os
    real, number, failures = getattr(holder, step), 0, 0
    while True:
        calls = []

        def call(*args, calls=calls, number=number, **kwargs):
            calls.append(args)
            if len(calls) == number + 1:
                raise OSError(errno.EIO, "Input/output error")
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(holder, step, call)
            try:
                rollback(tmp_path)
            except ModelError:
                failures += 1
            else:
                if len(calls) <= number:
                    break
                rollback(tmp_path, 2)  # this call was not needed
        assert (tmp_path / "CURRENT").read_bytes() == before
        assert_current(tmp_path, 2)
        assert hidden(tmp_path) == []
        number += 1
    assert failures
    assert_current(tmp_path, 1)


# --- collect ----------------------------------------------------------------------------------------


def test_the_current_one_and_the_newest_stay(tmp_path):
    publish(tmp_path, 5)
    assert collect(tmp_path, 3) == ([1, 2], [])
    assert collect(tmp_path, 3) == ([], [])
    assert numbers(tmp_path) == [3, 4, 5]
    assert collect(tmp_path, 1) == ([3, 4], [])
    assert_current(tmp_path, 5)
    assert hidden(tmp_path) == []


def test_the_current_one_stays_when_it_is_the_oldest(tmp_path):
    publish(tmp_path, 4)
    rollback(tmp_path, 1)
    assert collect(tmp_path, 2) == ([2, 3], [])
    assert numbers(tmp_path) == [1, 4]
    assert_current(tmp_path, 1)


def test_shared_files_outlive_the_generations_that_are_deleted(tmp_path):
    kept = write_model(tmp_path, {"number": 1}, files(1)).files
    for number in range(2, 6):
        kept = {"always.txt": kept["always.txt"]}
        kept = write_model(tmp_path, {"number": number}, files(number), kept=kept, keep=2).files
    assert numbers(tmp_path) == [4, 5]
    assert_current(tmp_path, 5)
    assert kept["always.txt"].path.stat().st_nlink == 2


@pytest.mark.parametrize("keep", [0, -1, True, 1.0, "1", None])
def test_what_cannot_be_kept_is_a_wrong_option(tmp_path, keep):
    publish(tmp_path, 2)
    with pytest.raises(OptionError, match="keep"):
        collect(tmp_path, keep)
    if keep is not None:
        with pytest.raises(OptionError, match="keep"):
            write_model(tmp_path, {}, {}, keep=keep)
    assert numbers(tmp_path) == [1, 2]


def test_what_is_not_of_this_library_is_left_alone(tmp_path):
    publish(tmp_path, 2)
    (tmp_path / "elsewhere").mkdir()
    shutil.copytree(tmp_path / "gen-00000001", tmp_path / "elsewhere" / "generation")
    for number, act in {
        3: lambda folder: folder.mkdir(),
        4: lambda folder: folder.write_text("a file"),
        5: lambda folder: (folder.mkdir(), (folder / "manifest.json").write_text('{"format": "other"}')),
        6: lambda folder: (folder.mkdir(), (folder / "manifest.json").write_text("mine")),
        7: lambda folder: (folder.mkdir(), (folder / "manifest.json").mkdir()),
        8: lambda folder: (folder.mkdir(), os.mkfifo(folder / "manifest.json")),
        9: lambda folder: (
            folder.mkdir(),
            (folder / "manifest.json").symlink_to(tmp_path / "gen-00000002" / "manifest.json"),
        ),
        10: lambda folder: folder.symlink_to(tmp_path / "elsewhere" / "generation"),
    }.items():
        act(tmp_path / f"gen-{number:08d}")
    (tmp_path / "gen-11").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    assert collect(tmp_path, 1) == ([1], [])
    after = sorted(path.name for path in tmp_path.rglob("*"))
    gone = sorted(before)
    for name in after:
        gone.remove(name)
    assert gone == ["always.txt", "gen-00000001", "manifest.json", "numbers.npy"]
    assert_current(tmp_path, 2)


def test_generations_of_another_version_are_deleted_too(tmp_path):
    publish(tmp_path, 2)
    manifest = tmp_path / "gen-00000001" / "manifest.json"
    manifest.write_text('{"format": "matcher-model", "schema": 1, "content": {}, "files": {}}')
    assert collect(tmp_path, 1) == ([1], [])


@pytest.mark.parametrize("current", [None, b"", b"{}"])
def test_without_knowing_what_is_current_nothing_is_deleted(tmp_path, current):
    publish(tmp_path, 3)
    (tmp_path / "CURRENT").unlink()
    if current is not None:
        (tmp_path / "CURRENT").write_bytes(current)
    with pytest.raises(ModelError, match="CURRENT"):
        collect(tmp_path, 1)
    assert numbers(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("keep", [3, 4, 5, 6, 99])
def test_nothing_is_deleted_when_there_are_no_more_than_to_keep(tmp_path, keep):
    publish(tmp_path, 3)
    assert collect(tmp_path, keep) == ([], [])
    assert numbers(tmp_path) == [1, 2, 3]
    publish(tmp_path, keep=keep + 1)
    assert numbers(tmp_path) == [1, 2, 3, 4]


@pytest.mark.parametrize("place", ["nothing", "file", "a\0b"])
def test_collecting_where_no_model_is(tmp_path, place):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ModelNotFoundError):
        collect(f"{tmp_path}/{place}", 1)
    assert not (tmp_path / "nothing").exists()


def test_what_is_current_is_durable_before_anything_is_deleted(tmp_path, monkeypatch):
    publish(tmp_path, 3)
    real, events = os.fsync, []

    def fsync(descriptor):
        real(descriptor)
        events.append(("synced", os.fstat(descriptor).st_ino, tuple(numbers(tmp_path))))

    def unlink(path, *args, **kwargs):
        events.append(("deleted", os.fspath(path)))
        return real_unlink(path, *args, **kwargs)

    real_unlink = os.unlink
    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "unlink", unlink)
    collect(tmp_path, 1)
    root = tmp_path.stat().st_ino
    first_deleted = next(place for place, event in enumerate(events) if event[0] == "deleted")
    # First CURRENT, then the new names of what is to go: a crash shows a generation whole or not at all.
    assert events[:first_deleted] == [("synced", root, (1, 2, 3)), ("synced", root, (3,))]


def test_nothing_is_deleted_when_what_is_current_cannot_be_made_durable(tmp_path, monkeypatch):
    publish(tmp_path, 3)

    def fsync(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        with pytest.raises(ModelWriteError, match="no generation was deleted"):
            collect(tmp_path, 1)
    assert numbers(tmp_path) == [1, 2, 3]
    assert collect(tmp_path, 1) == ([1, 2], [])


@pytest.mark.parametrize("step", ["rename", "unlink", "rmdir", "fsync"])
def test_failing_to_delete_is_no_failure_to_publish(tmp_path, monkeypatch, step):
    publish(tmp_path, 3)
    real, calls = getattr(os, step), []

    def call(*args, **kwargs):
        name = os.fspath(args[0]) if not isinstance(args[0], int) else ""
        collecting = "gen-0000000" in name or ".old-" in name or kwargs.get("dir_fd") is not None
        collecting = collecting and ".tmp-" not in name
        if step == "fsync":
            collecting = (tmp_path / "CURRENT").read_bytes().startswith(b'{\n "generation": 4')
            calls.append(collecting)
            collecting = collecting and calls.count(True) > 1  # the first is that of publishing
        if collecting:
            raise OSError(errno.EIO, "Input/output error")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(os, step, call)
        assert publish(tmp_path, keep=1) == 4
    assert_current(tmp_path, 4)
    for generation in history(tmp_path):
        assert_current_if_named(tmp_path, generation.number)
    collect(tmp_path, 1)
    assert numbers(tmp_path) == [4]
    assert hidden(tmp_path) == []


def assert_current_if_named(root, number):
    assert read_model(root, generation=number).files["numbers"].tolist() == [number] * 7


def test_what_could_not_be_deleted_is_not_said_to_be_removed(tmp_path, monkeypatch):
    publish(tmp_path, 3)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", lambda *args, **kwargs: None)
        patch.setattr(shutil, "rmtree", lambda *args, **kwargs: None)
        assert collect(tmp_path, 1) == ([], [1, 2])
    assert numbers(tmp_path) == [3]
    assert len(hidden(tmp_path)) == 2
    assert collect(tmp_path, 1) == ([], [])
    assert hidden(tmp_path) == []


def test_a_generation_in_use_stays_and_the_others_go(tmp_path):
    publish(tmp_path, 4)
    model = read_model(tmp_path, generation=2)
    assert collect(tmp_path, 1) == ([1, 3], [2])
    assert publish(tmp_path, keep=1) == 5
    assert numbers(tmp_path) == [2, 5]
    assert model.files["numbers"].tolist() == [2] * 7
    del model
    gc.collect()
    assert collect(tmp_path, 1) == ([2], [])


# --- what killed writers leave ------------------------------------------------------------------------


def leftovers(root):
    for name in [".tmp-12-0123abcd", ".old-00000001-12-0123abcd"]:
        (root / name).mkdir()
        (root / name / "numbers.npy").write_text("half")
    (root / ".current-12-0123abcd").write_text("half")


@pytest.mark.parametrize("how", ["write", "write with a lock", "collect"])
def test_the_next_one_sweeps(tmp_path, how):
    publish(tmp_path)
    leftovers(tmp_path)
    assert len(hidden(tmp_path)) == 3
    if how == "write":
        publish(tmp_path)
    elif how == "collect":
        collect(tmp_path, 5)
    else:
        with lock_model(tmp_path) as lock:
            publish(tmp_path, lock=lock)
    assert hidden(tmp_path) == []
    assert_current(tmp_path, numbers(tmp_path)[-1])


def test_only_what_writers_leave_is_swept(tmp_path):
    publish(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    mine = [
        ".tmp",
        ".tmp-mine",
        ".current-backup",
        ".old-models",
        ".tmp-12-0123abcde",
        ".old-1-12-0123abcd",
    ]
    for name in mine:
        (tmp_path / name).write_text("mine")
    (tmp_path / ".tmp-12-0123abcd").symlink_to(tmp_path / "mine")
    publish(tmp_path)
    assert (tmp_path / "mine" / "file").read_text() == "mine"
    assert hidden(tmp_path) == sorted(mine)


def test_nothing_is_swept_while_another_one_writes(tmp_path):
    publish(tmp_path)
    with lock_model(tmp_path):
        leftovers(tmp_path)
        with pytest.raises(ModelWriteError):
            publish(tmp_path)
        read_model(tmp_path)
        assert len(hidden(tmp_path)) == 3


def test_what_never_was_current_goes_with_the_next_writer(tmp_path):
    publish(tmp_path, 2)
    orphan(tmp_path)
    assert numbers(tmp_path) == [1, 2, 3]
    assert_current(tmp_path, 2)
    assert publish(tmp_path) == 4
    assert numbers(tmp_path) == [1, 2, 4]  # going back must not lead to what nobody ever used
    orphan(tmp_path)
    assert collect(tmp_path, 5) == ([5], [])
    assert rollback(tmp_path) == 2


def test_what_is_newer_than_the_current_one_stays_when_it_was_current(tmp_path):
    publish(tmp_path, 3)
    rollback(tmp_path, 1)
    assert publish(tmp_path) == 4
    rollback(tmp_path, 1)
    assert collect(tmp_path, 4) == ([], [])
    assert numbers(tmp_path) == [1, 2, 3, 4]


def test_what_never_was_current_stays_while_somebody_reads_it(tmp_path):
    publish(tmp_path, 2)
    orphan(tmp_path)
    model = read_model(tmp_path, generation=3)
    assert publish(tmp_path) == 4
    assert numbers(tmp_path) == [1, 2, 3, 4]
    assert model.files["numbers"].tolist() == [3] * 7


def test_without_a_current_generation_no_other_is_taken_for_abandoned(tmp_path):
    publish(tmp_path, 3)
    (tmp_path / "CURRENT").unlink()
    assert publish(tmp_path) == 4
    assert numbers(tmp_path) == [1, 2, 3, 4]
