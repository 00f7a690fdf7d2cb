"""Small models to damage, and drafts of damaged ones whose hashes vouch for them.

Shared by tests/test_model.py, tests/test_hostile.py (seconds) and benchmarks/hostile.py (minutes).
"""

from __future__ import annotations

import copy
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from matcher import Matcher, Posting
from matcher.features import HashtagBlock, TextBlock
from matcher.semantic import SemanticBlock

CV = "Nurse with ten years on a ward; bakes bread, cooks for residents. Bäckerin aus Zürich. SQL, C++."

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
MORE = [
    Posting(
        id="e",
        title="Zither teacher",
        body="Zithers and dulcimers " + "zither " * 300,  # a count of more than eight bits
        hashtags=["zither", "music"],
        location="Bern",
        posted=datetime(2025, 6, 1, tzinfo=UTC),
    ),
    Posting(id="f", title="SQL developer", body="SQL and C++ on a ward", hashtags=["sql"], company="Beck"),
    Posting(id="h", title="Porter on a ward"),
]
LATER = [
    Posting(id="b", title="Ward nurse, nights", body="Care for residents", hashtags=["care", "nights"]),
    Posting(
        id="b2",
        title="Xylophone cook",
        body="Cook and play the xylophone",
        hashtags=["xylophone", "bread"],
        location="Remote",
        company="Oper",
        job_type="fulltime",
        posted=datetime(2026, 5, 1, tzinfo=UTC),
        featured=1,
    ),
    Posting(id="g", title="Midwife, nights", body="Nurse of the young; ward work", hashtags=["care", "ward"]),
    Posting(id="z", title="Baker of bread", body="Bread, bread, cakes", hashtags=["bread", "bakery"]),
]


@dataclass
class Draft:
    """A generation that somebody makes up: files, and what is done to the manifest after it was written.

    Parameters
    ----------
    files : dict of str to bytes
        By file name.
    content : dict
        The manifest's.
    changes : list of callable
        Applied to the manifest as a record, after the files' hashes are in it.
    texts : list of callable
        Applied to the manifest as bytes, at last.
    pointer_changes, pointer_texts : list of callable
        The same for CURRENT.
    """

    files: dict[str, bytes]
    content: dict[str, Any]
    changes: list[Callable[[dict[str, Any]], Any]] = field(default_factory=list)
    texts: list[Callable[[bytes], bytes]] = field(default_factory=list)
    pointer_changes: list[Callable[[dict[str, Any]], Any]] = field(default_factory=list)
    pointer_texts: list[Callable[[bytes], bytes]] = field(default_factory=list)

    def array(self, name: str) -> np.ndarray:
        """Return what a ``.npy`` file holds, as a copy."""
        return np.load(io.BytesIO(self.files[f"{name}.npy"]))

    def put(self, name: str, array: Any) -> None:
        self.files[f"{name}.npy"] = npy(array)

    def lines(self, name: str) -> list[bytes]:
        return self.files[f"{name}.txt"].split(b"\n")[:-1]

    def put_lines(self, name: str, lines: list[bytes]) -> None:
        """Put a table of strings whose offsets fit."""
        self.files[f"{name}.txt"] = b"".join(line + b"\n" for line in lines)
        self.put(f"{name}.offsets", np.cumsum([0, *(len(line) + 1 for line in lines)], dtype=np.int64))

    def manifest(self) -> bytes:
        files = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in sorted(self.files.items())
        }
        record = {
            "format": "matcher-model",
            "schema": 2,
            "parent": 1,
            "content": copy.deepcopy(self.content),
            "files": files,
        }
        return _render(record, self.changes, self.texts)

    def pointer(self, manifest: bytes) -> bytes:
        """Return a CURRENT that vouches for a manifest."""
        record = {"generation": 2, "manifest_sha256": hashlib.sha256(manifest).hexdigest()}
        return _render(record, self.pointer_changes, self.pointer_texts)


def _render(
    record: dict[str, Any],
    changes: list[Callable[[dict[str, Any]], Any]],
    texts: list[Callable[[bytes], bytes]],
) -> bytes:
    for change in changes:
        change(record)
    data = json.dumps(record, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    for change_text in texts:
        data = change_text(data)
    return data


@dataclass(frozen=True)
class Model:
    """An honest model: its files and the content of its manifest, to draft others from."""

    name: str
    files: Mapping[str, bytes]
    content: Mapping[str, Any]

    def draft(self) -> Draft:
        return Draft(dict(self.files), copy.deepcopy(dict(self.content)))

    @property
    def arrays(self) -> list[str]:
        """Names of arrays, without ``.npy``."""
        return sorted(name.removesuffix(".npy") for name in self.files if name.endswith(".npy"))

    @property
    def tables(self) -> list[str]:
        """Names of tables of strings, without ``.txt``."""
        return sorted(name.removesuffix(".txt") for name in self.files if name.endswith(".txt"))


def npy(array: Any, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.asanyarray(array), **options)
    return buffer.getvalue()


def fit_plain() -> Matcher:
    return Matcher.fit(POSTINGS)


def fit_stale() -> Matcher:
    """Two segments with deleted rows each, and words that only some of them have learned."""
    matcher = Matcher.fit(POSTINGS + MORE)
    matcher.add(LATER)
    matcher.remove(["e", "z"])
    return matcher


def fit_renewed() -> Matcher:
    """The same, fitted: the words of deleted postings are missing in the vocabularies."""
    matcher = fit_stale()
    matcher.refit()
    return matcher


def fit_semantic() -> Matcher:
    """Two segments with dense vectors, and the table of words that they were made with."""
    blocks = [TextBlock(), HashtagBlock(), SemanticBlock(vectors="postings")]
    matcher = Matcher.fit(POSTINGS + MORE, blocks=blocks)
    matcher.add(LATER)
    matcher.remove(["e", "z"])
    matcher.refit()
    return matcher


FITS: dict[str, Callable[[], Matcher]] = {
    "plain": fit_plain,
    "renewed": fit_renewed,
    "stale": fit_stale,
    "semantic": fit_semantic,
    "empty": lambda: Matcher.fit([]),
}


@cache
def make_model(name: str) -> Model:
    """Return a model by its name in `FITS`."""
    with tempfile.TemporaryDirectory() as folder:
        FITS[name]().save(folder)
        generation = Path(folder, "gen-00000001")
        files = {path.name: path.read_bytes() for path in generation.iterdir()}
    content = json.loads(files.pop("manifest.json"))["content"]
    return Model(name, files, content)


class Forge:
    """A model directory whose generation 1 is honest, and whose current generation 2 is a draft.

    Files are replaced, never written into: they may be mapped.
    """

    def __init__(self, root: Path, model: Model) -> None:
        self.root, self.model = root, model
        self.folder = root / "gen-00000002"
        self.folder.mkdir(parents=True)
        honest = root / "gen-00000001"
        honest.mkdir()
        for name, data in model.files.items():
            (honest / name).write_bytes(data)
            os.link(honest / name, self.folder / name)
        draft = model.draft()
        (honest / "manifest.json").write_bytes(draft.manifest())
        self._changed: set[str] = set()
        self.lay_out(draft)

    def lay_out(self, draft: Draft) -> None:
        """Put a draft in place of the one before."""
        for name in self._changed - draft.files.keys():
            if name not in self.model.files:
                (self.folder / name).unlink(missing_ok=True)
        for name in self._changed & self.model.files.keys():
            (self.folder / name).unlink(missing_ok=True)
            os.link(self.root / "gen-00000001" / name, self.folder / name)
        self._changed = {name for name in self.model.files if name not in draft.files}
        for name in self._changed:
            (self.folder / name).unlink()
        for name, data in draft.files.items():
            if self.model.files.get(name) is not data:
                self._changed.add(name)
                replace(self.folder / name, data)
        manifest = draft.manifest()
        replace(self.folder / "manifest.json", manifest)
        replace(self.root / "CURRENT", draft.pointer(manifest))


def replace(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    path.write_bytes(data)
