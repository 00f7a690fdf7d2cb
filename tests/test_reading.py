"""Opening a model again, naming a generation, and asking for a signature."""

import hmac
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from matcher.errors import (
    ModelDamagedError,
    ModelNotFoundError,
    ModelSignatureError,
    OptionError,
)
from matcher.store import arrays, read_model, write_model
from tests.stored import KEY, NEW, OLD, assert_is_old, locate, npy, put_file, save

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
