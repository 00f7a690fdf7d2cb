"""Matchers that change while they serve: threads, other processes, deleted text, lost updates, memory."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import (
    Matcher,
    ModelConflictError,
    ModelDamagedError,
    ModelError,
    ModelLockedError,
    ModelSignatureError,
    ModelWriteError,
    OptionError,
    Posting,
    ranker,
    updates,
)
from matcher.features import FeatureBlock
from matcher.store import lock_model, read_model
from matcher.store.collection import collect
from matcher.store.generations import history, rollback
from tests.likeness import PROFILES, assert_alike, bits
from tests.strategies import TAGS, WORDS, block_lists, boards, full_boards


def posting(number: int, **fields: Any) -> Posting:
    words = [WORDS[(number * step + step) % len(WORDS)] for step in (1, 2, 3, 5)]
    posted = None if number % 4 == 0 else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    given_ = {"title": words[0], "body": " ".join(words), "hashtags": [TAGS[number % len(TAGS)]]}
    return Posting(**{"id": f"p{number:03d}", "posted": posted, **given_, **fields})


def generations(folder: Path) -> list[int]:
    return [entry.number for entry in history(folder)]


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """No power is cut here: what is written need not reach the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@contextmanager
def merging_often() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(updates, "MOST_PARTS", 2)
        patch.setattr(updates, "MOST_MERGED", 6)
        patch.setattr(updates, "MOST_DELETED", 0.3)
        yield


# --- learning anew --------------------------------------------------------------------------------


@given(boards, st.lists(full_boards, max_size=4), block_lists, st.data())
@settings(deadline=None, max_examples=10)
def test_learning_anew_equals_a_fit_from_scratch(
    board: list[Posting], lots: list[list[Posting]], blocks: list[FeatureBlock] | None, data: st.DataObject
) -> None:
    held = {one.id: one for one in board}
    engine = data.draw(st.sampled_from(["base", "fast", None]))
    with merging_often():
        matcher = Matcher.fit(board, blocks=blocks, engine=engine)
        for lot in lots:
            matcher.add(lot)
            held |= {one.id: one for one in lot}
            gone = data.draw(st.lists(st.sampled_from(sorted(held)), max_size=3))
            matcher.remove(gone)
            held = {name: one for name, one in held.items() if name not in gone}
        matcher.refit()
        expected = Matcher.fit(held.values(), blocks=blocks, engine="base")
        assert_alike(matcher, expected, sizes=(2, 50), explained=1)
        matcher.compact()
        assert_alike(matcher, expected, profiles=PROFILES[:1], sizes=(50,), explained=1)


@pytest.mark.parametrize("engine", ["base", "fast"])
def test_the_fast_engine_and_frequent_terms_learn_anew_too(engine: str) -> None:
    """Enough postings for the engines to use what they built under the weights before."""
    numbers = range(2_400)
    matcher = Matcher.fit(map(posting, numbers), engine=engine)
    profiles = [" ".join(WORDS[first : first + 9]) for first in range(20)]
    for step in range(3):
        matcher.recommend_many(profiles)  # now everything is built
        matcher.remove(posting(number).id for number in numbers[step::50])
        matcher.add(posting(number, title="sous chef", body=f"sauce {number}") for number in numbers[::97])
        matcher.refit()
    expected = Matcher.fit(matcher.postings, engine="base")
    assert len(matcher._snapshot.parts) > 1
    assert_alike(matcher, expected, profiles=profiles, sizes=(1, 10), explained=2)


def test_new_postings_show_at_once_and_removed_ones_never() -> None:
    matcher = Matcher.fit(map(posting, range(8)))
    ranking = matcher.recommend("cook")
    matcher.add([posting(20, title="cook", body="cook", hashtags=["cook"])])
    assert matcher.recommend("cook")[0].posting.id == "p020"
    assert matcher.explain("cook", "p020").rank == 1
    matcher.update([posting(20, title="lorry")])
    assert matcher.postings[matcher.postings.row("p020")].title == "lorry"
    matcher.remove(["p020"])
    assert bits(matcher.recommend("cook")) == bits(ranking)
    assert not matcher.is_fitted  # nobody compared what was learned


def test_an_empty_matcher_grows() -> None:
    matcher = Matcher.fit([])
    matcher.add([posting(1), posting(2)])
    # No word counts that was not there at the last fit; vectors come from a table.
    found = matcher.recommend("cook nurse", 9)
    assert {part.block for one in found for part in one.contributions} == {"semantic"}
    matcher.refit()
    assert_alike(matcher, Matcher.fit([posting(1), posting(2)]))
    matcher.remove(["p001", "p002"])
    assert matcher.recommend("cook").notice == "there are no postings to rank"
    matcher.refit()
    assert_alike(matcher, Matcher.fit([]))
    assert matcher.compact() == (0, ())


@pytest.mark.parametrize("k", [8, 9, 10**6, 10**30])
@pytest.mark.parametrize("engine", ["base", "fast"])
def test_asking_for_more_than_there_are_gives_all(engine: str, k: int) -> None:
    matcher = Matcher.fit(map(posting, range(6)), engine=engine)
    matcher.add(map(posting, range(4, 10)))
    matcher.remove(["p001", "p005"])
    assert sorted(found.posting.id for found in matcher.recommend("cook", k)) == matcher.postings.ids
    assert len(matcher.postings) == 8


# --- copies ---------------------------------------------------------------------------------------


def test_a_copy_and_its_original_go_their_own_ways(tmp_path: Path) -> None:
    matcher = Matcher.fit(map(posting, range(6)))
    matcher.save(tmp_path)
    copied = matcher.snapshot()
    matcher.remove(["p001"])
    copied.add([posting(9)])
    copied.compact()
    assert (len(matcher), len(copied)) == (5, 7)
    assert copied.generation == 1
    assert generations(tmp_path) == [1]
    with pytest.raises(OptionError, match="belongs to no model directory"):
        copied.reload_if_changed()
    assert_alike(copied, Matcher.fit([*map(posting, range(6)), posting(9)]))


def test_a_copy_holds_the_generation_it_was_made_of(tmp_path: Path) -> None:
    matcher = Matcher.fit(map(posting, range(6)))
    matcher.save(tmp_path)
    copied = matcher.snapshot()
    matcher.add([posting(9)])
    assert matcher.save(tmp_path, keep=1) == 2
    assert generations(tmp_path) == [1, 2]
    matcher.remove(["p009"])
    assert matcher.compact() == (3, (1,))
    del copied
    matcher.save(tmp_path, keep=1)
    assert generations(tmp_path) == [4]


# --- lost updates ---------------------------------------------------------------------------------


def test_a_stale_matcher_cannot_undo_what_others_saved(tmp_path: Path) -> None:
    first = Matcher.fit(map(posting, range(4)))
    first.save(tmp_path)
    second = Matcher.open(tmp_path)
    first.add([posting(7)])
    first.save(tmp_path)
    second.remove(["p001"])
    for call in (lambda: second.save(tmp_path), second.compact):
        with pytest.raises(ModelConflictError, match="generation 2 was published since generation 1"):
            call()
    with pytest.raises(ModelConflictError, match="changes that were not saved"):
        second.reload_if_changed()
    assert generations(tmp_path) == [1, 2]
    assert "p001" in Matcher.load(tmp_path).postings.ids
    third = Matcher.open(tmp_path)
    third.remove(["p001"])
    assert third.save(tmp_path) == 3
    assert first.reload_if_changed()
    assert first.postings.ids == ["p000", "p002", "p003", "p007"]


def test_a_model_that_took_the_place_of_another_is_not_overwritten(tmp_path: Path) -> None:
    """Generations of two models can have one number, and files of one name and size."""
    path = tmp_path / "model"
    Matcher.fit([posting(number, title="aaa bbb") for number in range(4)]).save(path)
    service = Matcher.open(path)
    service.add([posting(9)])
    shutil.rmtree(path)
    other = Matcher.fit([posting(number, title="ccc ddd") for number in range(4)])
    other.save(path)
    for call in (lambda: service.save(path), service.compact):
        with pytest.raises(ModelConflictError, match="another model took the place"):
            call()
    assert_alike(Matcher.load(path), other)


def test_nothing_is_linked_from_a_folder_that_was_replaced(tmp_path: Path) -> None:
    path, elsewhere = tmp_path / "model", tmp_path / "elsewhere"
    Matcher.fit([posting(number, title="aaa bbb") for number in range(4)]).save(path)
    service = Matcher.open(path)
    shutil.rmtree(path)
    Matcher.fit([posting(number, title="ccc ddd") for number in range(4)]).save(path)
    service.save(elsewhere)
    assert_alike(Matcher.load(elsewhere), service)
    assert {found.title for found in Matcher.load(elsewhere).postings} == {"aaa bbb"}


def test_a_link_that_leads_to_another_model_is_followed_only_by_reloading(tmp_path: Path) -> None:
    for name, title in (("blue", "aaa"), ("green", "bbb")):
        Matcher.fit([posting(1, title=title)]).save(tmp_path / name)
    link = tmp_path / "live"
    link.symlink_to("blue", target_is_directory=True)
    service = Matcher.open(link)
    link.unlink()
    link.symlink_to("green", target_is_directory=True)
    with pytest.raises(ModelConflictError, match="another model took the place"):
        service.save(link)
    assert service.reload_if_changed()
    assert service.postings[0].title == "bbb"
    service.add([posting(2)])
    assert service.save(link) == 2
    assert Matcher.load(tmp_path / "green").generation == 2


def test_a_matcher_stays_with_its_folder_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "a")
    matcher = Matcher.fit([posting(1)])
    matcher.save("model")
    service = Matcher.open("model")
    matcher.add([posting(2)])
    matcher.save("model")
    monkeypatch.chdir(tmp_path / "b")
    assert service.reload_if_changed()
    assert service.postings.ids == ["p001", "p002"]
    service.remove(["p001"])
    assert service.compact() == (3, (2,))  # the other one has it open
    assert not (tmp_path / "b" / "model").exists()


def test_going_back_is_followed_and_can_be_gone_on_from(tmp_path: Path) -> None:
    matcher = Matcher.fit([posting(1)])
    matcher.save(tmp_path)
    behind = Matcher.open(tmp_path)
    matcher.add([posting(2)])
    matcher.save(tmp_path)
    service = Matcher.open(tmp_path)
    assert rollback(tmp_path) == 1
    assert service.reload_if_changed()
    assert (service.generation, service.postings.ids) == (1, ["p001"])
    behind.add([posting(3)])
    assert behind.save(tmp_path) == 3
    with pytest.raises(ModelConflictError, match="generation 3 was published since generation 2"):
        matcher.save(tmp_path)
    assert matcher.reload_if_changed()
    assert matcher.postings.ids == ["p001", "p003"]


def test_what_is_saved_elsewhere_belongs_there(tmp_path: Path) -> None:
    matcher = Matcher.fit([posting(1)])
    matcher.save(tmp_path / "a")
    matcher.save(tmp_path / "b")
    other = Matcher.open(tmp_path / "a")
    other.add([posting(2)])
    other.save(tmp_path / "a")
    assert not matcher.reload_if_changed()
    with pytest.raises(ModelLockedError), lock_model(tmp_path / "b"):
        matcher.compact()
    assert matcher.compact().generation == 2
    assert generations(tmp_path / "a") == [1, 2]


def test_saving_succeeds_when_nothing_can_be_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = Matcher.fit([posting(1)])
    matcher.save(tmp_path)

    def fail(*args: Any, **options: Any) -> None:
        raise ModelWriteError("no generation was deleted")

    monkeypatch.setattr(ranker, "collect", fail)
    matcher.add([posting(2)])
    assert matcher.save(tmp_path, keep=1) == 2
    with pytest.raises(ModelWriteError, match="no generation was deleted"):  # here, deleting is the point
        matcher.compact()
    assert (matcher.generation, generations(tmp_path)) == (3, [1, 2, 3])
    monkeypatch.undo()
    assert matcher.save(tmp_path, keep=1) == 4
    assert generations(tmp_path) == [4]


def test_saving_again_works_after_what_was_saved_could_not_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matcher = Matcher.fit([posting(1)])
    matcher.save(tmp_path)
    matcher.add([posting(2)])

    def fail(*args: Any) -> None:
        raise ModelDamagedError("too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(ranker.store, "open_published", fail)
        with pytest.raises(ModelDamagedError, match="too many open files"):
            matcher.save(tmp_path)
    assert Matcher.load(tmp_path).postings.ids == ["p001", "p002"]
    matcher.add([posting(3)])
    assert matcher.save(tmp_path) == 3
    assert_alike(Matcher.load(tmp_path), matcher)


# --- files ----------------------------------------------------------------------------------------


def links(folder: Path, name: str) -> int:
    """Return how many generations share a file of the current one."""
    return read_model(folder).stored[name].path.stat().st_nlink


def test_segments_are_linked_not_written_again(tmp_path: Path) -> None:
    matcher = Matcher.fit(map(posting, range(6)))
    matcher.save(tmp_path)
    matcher.add([posting(9)])
    matcher.refit()
    matcher.save(tmp_path)
    other = Matcher.open(tmp_path)
    other.remove(["p003"])
    other.refit()
    other.save(tmp_path)
    own = [
        f"{part}.{name}" for part in ("postings.records", "text.vocabulary") for name in ("txt", "offsets")
    ]
    for name in [*own, "text.by_posting.starts", "text.by_term.counts", "hashtags.by_term.columns"]:
        assert (links(tmp_path, f"segment0.{name}"), links(tmp_path, f"segment1.{name}")) == (3, 2)
    for name in ("text.document_frequency", "segment0.deleted", "segment0.text.inverse_norms"):
        assert links(tmp_path, name) == 1
    assert_alike(Matcher.load(tmp_path), Matcher.fit(other.postings))


def test_reloading_reads_only_what_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    matcher = Matcher.fit(map(posting, range(6)))
    matcher.save(tmp_path)
    service = Matcher.open(tmp_path, engine="fast")
    before = service._snapshot.parts[0]
    layout = before.engine("fast")._layout  # type: ignore[attr-defined]
    matcher.add([posting(9)])
    matcher.refit()
    matcher.save(tmp_path)
    assert service.reload_if_changed()
    after = service._snapshot.parts[0]
    assert after.segment is before.segment
    assert after.engine("fast")._layout is layout  # type: ignore[attr-defined]
    assert_alike(service, matcher)


@pytest.mark.parametrize("verify", [True, False])
def test_a_generation_that_cannot_be_used_leaves_the_one_before(tmp_path: Path, verify: bool) -> None:
    matcher = Matcher.fit(map(posting, range(6)))
    matcher.save(tmp_path)
    service = Matcher.open(tmp_path, verify=verify)
    ranking = bits(service.recommend("cook"))
    matcher.add([posting(9)])
    matcher.save(tmp_path)
    file = read_model(tmp_path).stored["segment1.postings.ids.txt"].path
    whole = file.read_bytes()
    file.unlink()
    for _ in range(2):
        with pytest.raises(ModelDamagedError, match=r"segment1\.postings\.ids\.txt"):
            service.reload_if_changed()
        assert bits(service.recommend("cook")) == ranking
        assert service.generation == 1
    file.write_bytes(whole)
    assert service.reload_if_changed()
    assert service.generation == 2


# --- deleted text ---------------------------------------------------------------------------------

FIELDS = ["title", "body", "summary", "company", "location", "job_type", "url", "host", "summary_backup"]


def secret(number: int) -> Posting:
    """A posting with a word of its own in every field."""
    words = {name: f"secret{number}{name.replace('_', '')}" for name in FIELDS}
    tag, extra = f"secret{number}tag", {f"secret{number}key": f"secret{number}value"}
    return Posting(id=f"secret{number}id", hashtags=[tag, "cook"], extra=extra, **words)


def names_on_disk(folder: Path) -> set[int]:
    """Return the numbers of the secrets that any byte below a folder still tells."""
    found = set()
    for path in folder.rglob("*"):
        texts = [str(path.name).encode(), path.read_bytes() if path.is_file() else b""]
        found |= {number for number in range(10) if any(b"secret%d" % number in text for text in texts)}
    return found


STEPS: dict[str, Callable[[Matcher, Path], Any]] = {
    "refit": lambda matcher, path: matcher.refit(),
    "save": lambda matcher, path: matcher.save(path),
    "keep": lambda matcher, path: matcher.save(path, keep=1),
    "add": lambda matcher, path: matcher.add([posting(50)]),
    "reload": lambda matcher, path: matcher.reload_if_changed(),
}
ORDERS = [("refit", "save"), ("save", "refit"), ("keep", "add", "keep"), tuple(STEPS), tuple(STEPS)[::-1]]


@pytest.mark.parametrize("steps", [(), ("save",), *ORDERS], ids="-".join)
def test_deleted_text_is_gone_from_the_disk_after_compacting(tmp_path: Path, steps: tuple[str, ...]) -> None:
    matcher = Matcher.fit([*map(secret, range(4)), *map(posting, range(8))])
    matcher.save(tmp_path)
    matcher.add([secret(4), secret(5)])
    matcher.save(tmp_path)
    assert names_on_disk(tmp_path) == set(range(6))
    gone = {1, 3, 4}
    matcher.remove(secret(number).id for number in gone)
    for step in steps:
        STEPS[step](matcher, tmp_path)
    assert names_on_disk(tmp_path) >= {0, 2, 5}
    assert not matcher.compact().in_use
    assert names_on_disk(tmp_path) == {0, 2, 5}
    loaded = Matcher.load(tmp_path)
    assert_alike(loaded, Matcher.fit(loaded.postings), profiles=PROFILES[:1], calls=[{}], explained=1)


def test_text_that_was_replaced_or_expired_is_gone_too(tmp_path: Path) -> None:
    matcher = Matcher.fit([*map(secret, range(2)), *map(posting, range(8))])
    matcher.save(tmp_path)
    matcher.update([Posting(id="secret0id", title="cook")])  # the id stays
    matcher.add([Posting(id="x", title="secret7", posted=datetime(2020, 1, 1))])
    matcher.save(tmp_path)
    matcher.expire("2021-01-01")
    matcher.compact()
    words = [b"secret0title", b"secret0tag", b"secret0value", b"secret7"]
    contents = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert [word for word in words if word in contents] == []
    assert names_on_disk(tmp_path) == {0, 1}


def test_large_segments_lose_deleted_text_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "MOST_MERGED", 3)
    matcher = Matcher.fit([*map(secret, range(9)), posting(1)])
    matcher.save(tmp_path)
    matcher.remove([secret(number).id for number in (0, 8)])
    matcher.compact()
    assert names_on_disk(tmp_path) == set(range(1, 8))
    assert max(part.size for part in matcher._snapshot.parts) == 3
    matcher.remove(matcher.postings.ids)
    matcher.compact()
    assert names_on_disk(tmp_path) == set()


READER = """
import sys
from matcher import Matcher
matcher = Matcher.load(sys.argv[1])
print(matcher.generation, flush=True)
sys.stdin.readline()
print(len(matcher.recommend("cook", 99)), matcher.postings[0].title, flush=True)
"""


@pytest.mark.parametrize("last", ["save", "collect"])
def test_what_a_reader_has_open_is_named_and_goes_when_it_is_done(tmp_path: Path, last: str) -> None:
    matcher = Matcher.fit([secret(0), *map(posting, range(4))])
    matcher.save(tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdin
        assert reader.stdout
        assert reader.stdout.readline() == "1\n"
        matcher.remove(["secret0id"])
        assert matcher.compact() == (2, (1,))
        assert names_on_disk(tmp_path) == {0}
        assert matcher.save(tmp_path, keep=1) == 3
        assert generations(tmp_path) == [1, 3]
        print(file=reader.stdin, flush=True)
        assert reader.stdout.readline() == "5 \n".replace(" ", f" {posting(0).title}", 1)
        reader.wait(30)
    if last == "save":
        matcher.save(tmp_path, keep=1)
    else:
        assert collect(tmp_path, 1).removed == [1]
    assert names_on_disk(tmp_path) == set()


WRITER = """
import os, signal, sys
from matcher import Matcher, Posting
from matcher.store import publishing
matcher = Matcher.load(sys.argv[1])
matcher.add([Posting(id="secret9id", title="secret9")])
def die(*args): os.kill(os.getpid(), signal.SIGKILL)
publishing.render_manifest = die
matcher.save(sys.argv[1])
"""


def test_what_a_killed_writer_left_is_gone_with_the_next_save(tmp_path: Path) -> None:
    Matcher.fit(map(posting, range(4))).save(tmp_path)
    killed = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], check=False)
    assert killed.returncode == -9
    assert names_on_disk(tmp_path) == {9}
    assert len(list(tmp_path.glob(".tmp-*"))) == 1
    matcher = Matcher.open(tmp_path)
    assert len(matcher) == 4
    matcher.compact()
    assert names_on_disk(tmp_path) == set()
    assert not list(tmp_path.glob(".tmp-*"))


# --- memory ---------------------------------------------------------------------------------------


def test_segments_and_weights_nobody_needs_are_freed(tmp_path: Path) -> None:
    matcher = Matcher.fit(map(posting, range(9)), engine="fast")
    matcher.save(tmp_path)
    service = Matcher.open(tmp_path, engine="fast")
    gone: list[weakref.ref[Any]] = []
    gc.collect()
    gc.disable()  # freed at once, not some day
    try:
        for step in range(8):
            for one in (matcher, service):
                one.recommend("cook")
                gone += [weakref.ref(part.segment) for part in one._snapshot.parts]
                gone += [weakref.ref(part.index.blocks[0].inverse_norms) for part in one._snapshot.parts]
            matcher.add([posting(20 + step), posting(step % 9, title=f"chef {step}")])
            matcher.refit()
            matcher.save(tmp_path, keep=1)
            service.reload_if_changed()
        for one in (matcher, service):
            one.recommend("cook")  # engines under the new weights take the place of those before
        alive = {id(found) for ref in gone if (found := ref()) is not None}
        used = {id(part.segment) for one in (matcher, service) for part in one._snapshot.parts}
        assert alive <= used
        assert len(matcher._files) == len(matcher._snapshot.parts)
        assert len(service._files) == len(service._snapshot.parts)
    finally:
        gc.enable()
    assert generations(tmp_path) == [8, 9]  # `service` had 8 open when 9 was saved


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="descriptors cannot be counted here")
def test_descriptors_stay_few(tmp_path: Path) -> None:
    """A process may have 1,024 of them, on some systems 256."""
    matcher = Matcher.fit(map(posting, range(9)))
    matcher.save(tmp_path)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    service = Matcher.open(tmp_path)
    for step in range(updates.MOST_PARTS - 1):
        matcher.add([posting(20 + step)])
        matcher.save(tmp_path, keep=1)
        assert service.reload_if_changed()
    assert len(service._snapshot.parts) == updates.MOST_PARTS
    assert len(os.listdir("/proc/self/fd")) <= before + 1  # noqa: PTH208


def test_large_files_are_mapped(tmp_path: Path) -> None:
    matcher = Matcher.fit([posting(1, body="cook " * 20_000), posting(2)])
    matcher.save(tmp_path)
    assert [*read_model(tmp_path).maps] == ["segment0.postings.records.txt"]
    assert_alike(Matcher.load(tmp_path), matcher, profiles=PROFILES[:1], calls=[{}])


KEEPER = """
import os, sys
from matcher import Matcher
os.kept = Matcher.load(sys.argv[1]), Matcher.load(sys.argv[1]).snapshot()  # until modules are taken apart
"""


def test_a_matcher_that_lives_to_the_end_leaves_in_silence(tmp_path: Path) -> None:
    Matcher.fit([posting(1)]).save(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", KEEPER, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("", "")


# --- threads --------------------------------------------------------------------------------------


def run_together(*works: Callable[[], None]) -> None:
    """Run functions in a thread each and raise what one of them raises."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with ThreadPoolExecutor(len(works)) as pool:
            for future in [pool.submit(work) for work in works]:
                future.result()
    finally:
        sys.setswitchinterval(interval)


def answer(matcher: Matcher) -> tuple[Any, ...]:
    """Return everything of one call that may show a mixture."""
    ranking = matcher.recommend("cook nurse python", 99, filters={"hashtags_none": ["sql"]})
    return (
        tuple(map(str, bits(ranking))),
        ranking.considered,
        ranking.removed["hashtags_none"],
        ranking.notice,
    )


@pytest.mark.parametrize("engine", ["base", "fast"])
def test_every_answer_is_of_one_state(engine: str) -> None:
    with merging_often():
        matcher = Matcher.fit(map(posting, range(12)), engine=engine)
        answers = {answer(matcher)}
        done = threading.Event()
        seen: list[set[Any]] = [set(), set(), set()]

        def change() -> None:
            try:
                for step in range(10):
                    calls: list[Callable[[], Any]] = [
                        lambda step=step: matcher.add(map(posting, range(step, step + 5))),
                        lambda step=step: matcher.remove([f"p{step:03d}", f"p{step + 3:03d}"]),
                        matcher.refit,
                        lambda step=step: matcher.update([posting(step + 1, title=f"cook {step}")]),
                        matcher.compact,
                    ]
                    for call in calls:
                        call()
                        answers.add(answer(matcher))
            finally:
                done.set()

        def read(found: set[Any]) -> None:
            while not done.is_set():
                found.add(answer(matcher))
                for posting_id in matcher.snapshot().postings.ids[:1]:
                    assert len(matcher.postings_with("text", "cook")) <= 3
                    assert posting_id

        run_together(change, *(lambda found=found: read(found) for found in seen))  # type: ignore[misc]
    assert set().union(*seen) <= answers
    assert len(set().union(*seen)) > 3


def test_every_thread_that_reloads_sees_whole_generations(tmp_path: Path) -> None:
    writer = Matcher.fit(map(posting, range(12)))
    writer.save(tmp_path)
    answers = {1: answer(writer)}
    service = Matcher.open(tmp_path)
    done = threading.Event()
    seen: list[set[Any]] = [set(), set(), set()]

    def publish() -> None:
        try:
            for step in range(8):
                writer.add(map(posting, range(20 + step, 23 + step)))
                writer.remove([f"p{step:03d}"])
                writer.refit()
                answers[2 + step] = answer(writer)
                writer.save(tmp_path, keep=2)
        finally:
            done.set()

    def read(found: set[Any]) -> None:
        while not done.is_set():
            service.reload_if_changed()
            found.add(answer(service))

    run_together(publish, *(lambda found=found: read(found) for found in seen))  # type: ignore[misc]
    assert set().union(*seen) <= set(answers.values())
    service.reload_if_changed()
    assert answer(service) == answers[service.generation] == answers[9]


def test_no_change_of_several_threads_is_lost() -> None:
    matcher = Matcher.fit([])

    def work(first: int) -> Callable[[], None]:
        def run() -> None:
            for number in range(first, 60, 3):
                matcher.add([posting(number)])
                matcher.refit()
                if number % 2:
                    matcher.remove([posting(number).id])

        return run

    run_together(*map(work, range(3)))
    assert matcher.postings.ids == [f"p{number:03d}" for number in range(0, 60, 2)]
    matcher.refit()
    assert_alike(matcher, Matcher.fit(matcher.postings), calls=[{}], explained=0)


def test_saving_and_adding_at_once_loses_nothing(tmp_path: Path) -> None:
    matcher = Matcher.fit([])
    matcher.save(tmp_path)

    def add() -> None:
        for number in range(30):
            matcher.add([posting(number)])

    def save() -> None:
        for _ in range(8):
            matcher.save(tmp_path, keep=2)

    run_together(add, save)
    matcher.save(tmp_path)
    assert Matcher.load(tmp_path).postings.ids == [f"p{number:03d}" for number in range(30)]


@pytest.mark.parametrize("call", [lambda m, path: m.save(path), lambda m, path: m.compact()])
def test_a_second_writer_gets_an_error_and_changes_nothing(
    tmp_path: Path, call: Callable[[Matcher, Path], Any]
) -> None:
    matcher = Matcher.fit(map(posting, range(4)))
    matcher.save(tmp_path)
    matcher.remove(["p001"])
    with lock_model(tmp_path), pytest.raises(ModelLockedError, match=f"process {os.getpid()}"):
        call(matcher, tmp_path)
    assert generations(tmp_path) == [1]
    call(matcher, tmp_path)
    assert Matcher.load(tmp_path).postings.ids == ["p000", "p002", "p003"]


def test_errors_of_models_are_of_one_family() -> None:
    assert issubclass(ModelConflictError, ModelError)


def test_a_signed_model_stays_signed_when_it_is_saved_again(tmp_path):
    key = b"sixteen bytes or more"
    Matcher.fit([Posting(id="1", title="Cook")]).save(tmp_path / "model", key=key)
    matcher = Matcher.load(tmp_path / "model", key=key)
    matcher.add([Posting(id="2", title="Nurse")])
    matcher.save(tmp_path / "model")
    assert len(Matcher.load(tmp_path / "model", key=key)) == 2
    matcher.save(tmp_path / "elsewhere")
    with pytest.raises(ModelSignatureError):
        Matcher.load(tmp_path / "elsewhere", key=key)
