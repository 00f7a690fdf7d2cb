"""Tables of word vectors: found words, round trips, and folders that lie."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import word_vectors
from matcher.analyzer import analyze
from matcher.errors import (
    ModelDamagedError,
    ModelError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelWriteError,
    OptionError,
)
from matcher.tokens import split_compiled, split_in_python
from matcher.word_vectors import WordVectors, quantise

ROOT = Path(__file__).parent.parent
WORDS = sorted(
    ["c++", "nurse", "registered", "registerednurse", "nursenurse", "köchin", "sql", "sqlnursesql"]
)
VECTORS = np.arange(len(WORDS) * 3).reshape(-1, 3) - 12
TABLE = WordVectors.from_arrays(WORDS, VECTORS, longest=3)
SPLITTERS = {"python": split_in_python, "compiled": split_compiled}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    TABLE.write(tmp_path / "words", source="made up", licence="none needed")
    return tmp_path / "words"


def plain_find(table: WordVectors, texts: list[str]) -> list[tuple[str, int]]:
    """What `find` returns, by a dictionary and string concatenation."""
    known, found = set(table.words), []
    for owner, text in enumerate(texts):
        tokens = analyze(text)
        for start in range(len(tokens)):
            for size in range(1, table.longest + 1):
                run = "".join(tokens[start : start + size])
                if start + size <= len(tokens) and run in known:
                    found.append((run, owner))
    return found


some_texts = st.lists(
    st.lists(
        st.sampled_from(["nurse", "registered", "Köchin", "SQL", "C++", "the", "2019", "cook", "ß"]),
        max_size=9,
    ).map(" ".join),
    max_size=4,
)


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("longest", [1, 2, 3])
@settings(deadline=None, max_examples=60)
@given(texts=some_texts)
def test_words_and_phrases_are_found_as_a_plain_search_finds_them(splitter, longest, texts):
    table = WordVectors.from_arrays(WORDS, VECTORS, longest=longest)
    found = table.find(SPLITTERS[splitter](texts))
    assert found.positions.dtype == found.owners.dtype == np.int64
    named = [table.words[place] for place in found.positions.tolist()]
    assert list(zip(named, found.owners.tolist(), strict=True)) == plain_find(table, texts)


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_repeats_count_stop_words_join_and_texts_do_not(splitter):
    found = TABLE.find(SPLITTERS[splitter](["nurse nurse", "registered", "nurse", "registered and nurse"]))
    named = [(TABLE.words[place], owner) for place, owner in zip(*map(np.ndarray.tolist, found), strict=True)]
    assert named == [
        *[("nurse", 0), ("nursenurse", 0), ("nurse", 0)],
        *[("registered", 1), ("nurse", 2)],
        *[("registered", 3), ("registerednurse", 3), ("nurse", 3)],
    ]


def test_a_table_without_words_finds_nothing():
    empty = WordVectors.from_arrays([], np.zeros((0, 4)), longest=2)
    assert empty.dimensions == 4
    assert len(empty.find(split_in_python(["nurse on a ward"])).positions) == 0


def test_what_is_written_is_read_again(folder):
    read = WordVectors.load(folder)
    assert list(read.words) == WORDS
    assert np.array_equal(read.vectors, VECTORS)
    assert (read.identity, read.longest, read.dimensions) == (TABLE.identity, 3, 3)
    assert read.vectors.dtype == np.int8
    assert not read.vectors.flags.writeable
    assert isinstance(read.vectors.base, np.ndarray)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert (manifest["source"], manifest["licence"]) == ("made up", "none needed")
    vectors = np.load(folder / "vectors.npy", allow_pickle=False, mmap_mode="r")
    assert np.array_equal(vectors, VECTORS)


def test_an_empty_table_is_written_and_read(tmp_path):
    WordVectors.from_arrays([], np.zeros((0, 5), np.int8)).write(tmp_path / "none")
    assert WordVectors.load(tmp_path / "none").vectors.shape == (0, 5)


def test_the_same_table_is_written_as_the_same_bytes(tmp_path):
    for name in ("one", "other"):
        WordVectors.from_arrays(WORDS, VECTORS.astype(np.int64)).write(tmp_path / name)
    for name in ("words.txt", "vectors.npy", "manifest.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize(
    "other",
    [
        WordVectors.from_arrays(WORDS, VECTORS, longest=2),
        WordVectors.from_arrays(WORDS, VECTORS + 1, longest=3),
        WordVectors.from_arrays(sorted([*WORDS[:-1], "x"]), VECTORS, longest=3),
        WordVectors.from_arrays(WORDS, VECTORS.reshape(8, 3)[:, :2], longest=3),
    ],
)
def test_another_table_has_another_identity(other):
    assert other.identity != TABLE.identity
    assert len(other.identity) == 64


def test_nothing_is_written_over_what_is_there(folder):
    before = (folder / "vectors.npy").read_bytes()
    with pytest.raises(ModelWriteError, match="already there"):
        WordVectors.from_arrays(["a"], [[1]]).write(folder)
    assert (folder / "vectors.npy").read_bytes() == before
    assert [path.name for path in folder.parent.iterdir()] == ["words"]


def test_a_folder_that_cannot_be_made_is_one_error(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ModelWriteError, match="no word vectors written"):
        TABLE.write(tmp_path / "file" / "words")
    with pytest.raises(ModelWriteError):
        TABLE.write(tmp_path / "file")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


# --- folders that lie ---------------------------------------------------------------------------------


def change_manifest(folder: Path, **changes: object) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(manifest), encoding="utf-8")


def replace_file(folder: Path, name: str, data: bytes) -> None:
    """Replace a file so that size and SHA-256 of the manifest vouch for it."""
    (folder / name).write_bytes(data)
    files = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    change_manifest(folder, files=files)


@pytest.mark.parametrize("name", ["words.txt", "vectors.npy"])
def test_a_changed_byte_is_noticed_and_the_file_named(folder, name):
    data = bytearray((folder / name).read_bytes())
    data[-1] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(ModelDamagedError, match=f"{name}: size or SHA-256"):
        WordVectors.load(folder)


@pytest.mark.parametrize("name", ["words.txt", "vectors.npy"])
def test_a_file_cut_off_is_noticed(folder, name):
    (folder / name).write_bytes((folder / name).read_bytes()[:-1])
    with pytest.raises(ModelDamagedError, match=name):
        WordVectors.load(folder)


@pytest.mark.parametrize("name", ["words.txt", "vectors.npy", "manifest.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelNotFoundError, match=name):
        WordVectors.load(folder)


@pytest.mark.parametrize("name", ["words.txt", "vectors.npy", "manifest.json"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_only_regular_files_are_opened(folder, name, kind):
    path = folder / name
    path.rename(folder / "elsewhere")
    if kind == "link":
        path.symlink_to("elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(ModelDamagedError, match=name):
        WordVectors.load(folder)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 60_000,
        '{"schema": 1}',
        "\ufeff{}",
        '{"schema": "1"}',
        " " * (1 << 16) + "{}",
    ],
)
def test_a_manifest_that_is_none_is_refused(folder, text):
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(ModelDamagedError, match=r"manifest\.json"):
        WordVectors.load(folder)


def test_another_schema_says_so(folder):
    change_manifest(folder, schema=2)
    with pytest.raises(ModelSchemaError, match="schema 2"):
        WordVectors.load(folder)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("words", value) for value in (7, 9, -1, 8.0, True, None, "8", 10**30)],
        *[("dimensions", value) for value in (0, 2, 4, -3, 3.0, 5000)],
        *[("longest", value) for value in (0, 2, 9, "3")],
        *[("identity", value) for value in ("", None, "0" * 64)],
        *[("files", value) for value in ({}, [], None, {"words.txt": {}, "vectors.npy": {}})],
        ("files", {"words.txt": {"size": 1, "sha256": ""}, "../vectors.npy": {"size": 1, "sha256": ""}}),
        ("files", {"words.txt": None, "vectors.npy": None}),
    ],
)
def test_a_manifest_that_lies_is_refused(folder, name, value):
    change_manifest(folder, **{name: value})
    with pytest.raises(ModelDamagedError):
        WordVectors.load(folder)


@pytest.mark.parametrize("name", ["schema", "words", "dimensions", "longest", "identity", "files"])
def test_an_entry_that_is_missing_is_refused(folder, name):
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    del manifest[name]
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(ModelDamagedError):
        WordVectors.load(folder)


@pytest.mark.parametrize(
    "lines",
    [
        b"\n".join(sorted(word.encode() for word in WORDS)),  # the last line does not end
        b"".join(word.encode() + b"\n" for word in reversed(WORDS)),
        b"a\n" * 8,
        b"\xff\n" + b"".join(b"%d\n" % number for number in range(7)),
        b"a\n",
        b"",
    ],
)
def test_words_that_could_not_be_found_are_refused_though_hashes_fit(folder, lines):
    replace_file(folder, "words.txt", lines)
    with pytest.raises(ModelDamagedError, match="words"):
        WordVectors.load(folder)


def npy(array: np.ndarray, *, pickled: bool = False) -> bytes:
    import io

    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=pickled)
    return buffer.getvalue()


class Trap:
    def __reduce__(self):
        return (os.mkdir, ("sprung",))


@pytest.mark.parametrize(
    "data",
    [
        npy(VECTORS.astype(np.uint8)),
        npy(VECTORS.astype(np.int16)),
        npy(np.asfortranarray(VECTORS.astype(np.int8))),
        npy(VECTORS.astype(np.int8).reshape(-1)),
        npy(VECTORS.astype(np.int8).reshape(4, 6)),
        npy(VECTORS.astype(np.int8)) + b"\0",
        npy(VECTORS.astype(np.int8))[:-1],
        npy(VECTORS.astype(np.int8)).replace(b"(8, 3)", b"(3, 8)"),
        npy(VECTORS.astype(np.int8)).replace(b"\x93NUMPY\x01\x00v", b"\x93NUMPY\x01\x00w"),
        npy(np.array([[Trap()] * 3] * 8, object), pickled=True),
        b"",
        b"\x80\x04.",
    ],
)
def test_vectors_of_another_kind_are_refused_though_hashes_fit(folder, data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    replace_file(folder, "vectors.npy", data)
    with pytest.raises(ModelDamagedError, match="vectors"):
        WordVectors.load(folder)
    assert not (tmp_path / "sprung").exists()


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_any_changed_byte_is_refused_or_harmless(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mutant") / "words"
    TABLE.write(folder)
    path = folder / data.draw(st.sampled_from(["words.txt", "vectors.npy", "manifest.json"]))
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        read = WordVectors.load(folder)
    except ModelError:
        return
    assert read.identity == TABLE.identity
    assert np.array_equal(read.vectors, TABLE.vectors)


# --- inside a model -----------------------------------------------------------------------------------


def test_a_table_in_a_model_comes_back():
    files = TABLE.to_files("semantic")
    assert all(array.ndim == 1 for array in files.values())
    read = WordVectors.from_files(files, "semantic")
    assert (list(read.words), read.identity, read.longest) == (WORDS, TABLE.identity, 3)
    assert np.array_equal(read.vectors, VECTORS)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("shape", np.array([8, 3])),
        ("shape", np.array([8, 3, 3], np.int32)),
        ("shape", np.array([8, 0, 3])),
        ("shape", np.array([8, 3, 0])),
        ("shape", np.array([8, 3, 9])),
        ("shape", np.array([4, 6, 3])),
        ("shape", np.array([8, 3 - 2**32, 3])),
        ("vectors", np.zeros(24, np.int8)),
        ("vectors", np.zeros(23, np.uint8)),
        ("vectors", np.zeros((8, 3), np.uint8)),
        ("words.txt", np.frombuffer(b"b\na\n" * 4, np.uint8)),
        ("words.offsets", np.array([0, 1])),
    ],
)
def test_arrays_of_a_model_that_do_not_fit_are_refused(name, array):
    files = TABLE.to_files("semantic") | {f"semantic.{name}": array}
    with pytest.raises(ModelDamagedError, match="semantic"):
        WordVectors.from_files(files, "semantic")


# --- making and shipping ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "vectors", "longest"),
    [
        (["b", "a"], [[1], [2]], 1),
        (["a", "a"], [[1], [2]], 1),
        (["a"], [[1], [2]], 1),
        (["a"], [1], 1),
        (["a"], np.zeros((1, 0), np.int8), 1),
        (["a"], np.zeros((1, 5000), np.int8), 1),
        (["a"], [[128]], 1),
        (["a"], [[-129]], 1),
        (["a"], [[0.5]], 1),
        (["a"], [[1]], 0),
        (["a"], [[1]], 9),
    ],
)
def test_arguments_that_make_no_table_are_refused(words, vectors, longest):
    with pytest.raises(OptionError):
        WordVectors.from_arrays(words, vectors, longest=longest)


def test_a_table_does_not_change_with_the_array_it_was_made_from():
    vectors = np.ones((1, 2), np.int8)
    table = WordVectors.from_arrays(["a"], vectors)
    vectors[:] = 5
    assert table.vectors.tolist() == [[1, 1]]
    with pytest.raises(ValueError, match="read-only"):
        table.vectors[0, 0] = 3


def test_quantising_keeps_the_largest_and_the_sign():
    assert quantise(np.array([[2.0, -4.0, 0.0]])).tolist() == [[64, -127, 0]]
    assert quantise(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]
    assert quantise(np.zeros((0, 2))).shape == (0, 2)


def test_without_a_shipped_table_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(word_vectors, "_SHIPPED", (tmp_path / "no", tmp_path / "neither"))
    word_vectors._load_shipped.cache_clear()
    try:
        with pytest.raises(OptionError, match="install it again"):
            WordVectors.shipped()
        TABLE.write(tmp_path / "neither")
        assert WordVectors.shipped().identity == TABLE.identity
    finally:
        word_vectors._load_shipped.cache_clear()


def test_the_shipped_table_is_small_and_knows_the_trades():
    table = WordVectors.shipped()
    folder = ROOT / "models" / "words"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 16 << 20
    assert json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["licence"]

    def likeness(one: str, other: str) -> float:
        found = table.find(split_in_python([one, other]))
        sums = np.zeros((2, table.dimensions))
        np.add.at(sums, found.owners, table.vectors[found.positions])
        return float(sums[0] @ sums[1] / np.prod(np.linalg.norm(sums, axis=1)))

    for one, like, unlike in [
        ("software developer", "programmer", "nurse"),
        ("physician", "doctor", "accountant"),
        ("attorney", "lawyer", "welder"),
        ("truck driver", "lorry driver", "teacher"),
    ]:
        assert likeness(one, like) > likeness(one, unlike) + 0.2


def test_importing_is_cheap():
    heavy = ["sklearn", "scipy", "numba", "joblib"]
    code = (
        "import sys; from matcher.word_vectors import WordVectors; import matcher.word_learning; "
        f"WordVectors.shipped(); print([name for name in {heavy} if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout == "[]\n"
