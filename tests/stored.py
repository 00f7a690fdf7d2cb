"""Two small models, what lies in their folders, and how to change it so that every hash still fits."""

import hashlib
import io
import json

import numpy as np

from matcher.store import read_model, write_model

OLD = {"numbers": np.arange(5), "some.words.txt": np.frombuffer(b"old\nwords\n", np.uint8)}
NEW = {"numbers": np.arange(9), "some.words.txt": np.frombuffer(b"new\n", np.uint8), "more": np.ones(2)}
FILES = ["numbers.npy", "some.words.txt", "manifest.json", "CURRENT"]
KEY = b"a key of more than sixteen bytes"


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


def npy(array, **options):
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()
