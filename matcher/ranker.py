"""`Matcher`: learns from postings, ranks them for a profile, explains, takes in news, saves and loads.

The one conductor: features, index, filters, boosts and store know nothing of each other.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from matcher import engines, store
from matcher.changes import Changes
from matcher.errors import (
    ModelConflictError,
    ModelDamagedError,
    ModelError,
    ModelSchemaError,
    OptionError,
)
from matcher.features import FeatureBlock, check_blocks, default_blocks
from matcher.filters import parse_moment
from matcher.learning import prepare_blocks
from matcher.persistence import read_snapshot, segment_files, write_snapshot
from matcher.posting import Posting
from matcher.recommender import Progress, Recommender, build_engines, check_at_least_1
from matcher.segments import Segment
from matcher.semantic import SemanticBlock
from matcher.snapshot import Snapshot
from matcher.store.collection import collect
from matcher.store.disk import read_small
from matcher.store.manifest import LARGEST_MANIFEST, folder_of
from matcher.store.pointer import read_pointer
from matcher.updates import (
    add_postings,
    collect_postings,
    compact_parts,
    expire_postings,
    remove_postings,
)

__all__: Final = ["Compaction", "Matcher"]


class Compaction(NamedTuple):
    """What `Matcher.compact` left behind.

    Attributes
    ----------
    generation : int
        The one that was published; 0 for a matcher that belongs to no model directory.
    in_use : tuple of int
        Older generations that somebody still reads; they keep deleted text until they are collected.

    Examples
    --------
    >>> Compaction(7, (6,)).in_use
    (6,)
    """

    generation: int
    in_use: tuple[int, ...]


class Matcher(Recommender):
    """Ranks postings against a profile. Make one with `fit`, `load` or `open`.

    A matcher may be used by any number of threads at once: each call sees the postings as they are when it
    begins, and news (`add`, `update`, `remove`, `expire`, `refit`, `reload_if_changed`) show from the next
    call on. Other processes open the model themselves: a matcher cannot be pickled.

    Examples
    --------
    >>> matcher = Matcher.fit([
    ...     Posting(id="1", title="Staff Nurse", body="Care for patients on our ward", hashtags=["nursing"]),
    ...     Posting(id="2", title="Pastry Chef", body="Bake bread and cakes in our kitchen"),
    ... ])
    >>> for recommendation in matcher.recommend("Nurse with five years on a surgical ward", k=1):
    ...     print(recommendation.rank, f"{recommendation.score:.3f}", recommendation.posting.title)
    1 0.652 Staff Nurse
    """

    def __init__(self, snapshot: Snapshot, engine: str | None = None) -> None:
        super().__init__(snapshot, engine)
        self._asked = engine
        self._encoder: object = None
        self._replaced: tuple[str, ...] = ()
        self._lock = threading.RLock()  # of those who change the matcher; those who rank do not wait
        self._path: str | None = None
        self._generation = 0
        self._key: bytes | None = None
        self._verify = True
        self._stored: store.StoredModel | None = None
        self._files: WeakKeyDictionary[Segment, dict[str, store.StoredFile]] = WeakKeyDictionary()
        self._is_changed = False

    @classmethod
    def fit(
        cls,
        postings: Iterable[Posting],
        *,
        blocks: Sequence[FeatureBlock] | None = None,
        strict: bool = False,
        engine: str | None = None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> Matcher:
        """Learn vocabularies and weights from postings, and index them.

        The order of the postings does not matter, except that of several with one id the last wins
        (see `replaced`).

        Parameters
        ----------
        postings : iterable of Posting
            Such as ``read_postings("seeds/")``. None at all gives a matcher that recommends nothing.
        blocks : sequence of FeatureBlock, optional
            Feature blocks to use instead of `matcher.features.default_blocks`, at most one of each name.
        strict : bool
            Raise when two postings share an id but differ, instead of letting the last win.
        engine : {"base", "fast"}, optional
            Who counts words and finds candidates; see `engine`. The model and the rankings are the same.
        threads : int
            At least 1. With compiled code, texts are read, split and counted in all of them, each with a
            vocabulary of its own until the end. Reading holds the interpreter's lock: more than two or three
            do not help.
        progress : callable, optional
            Called with ``(stage, done, total)``.

        Returns
        -------
        Matcher

        Raises
        ------
        DuplicatePostingError
            Only when `strict`.
        OptionError
            When a block has a negative weight, or comes twice, or all weights are 0.
        PostingError
            When something other than a `Posting` is among the postings.

        Examples
        --------
        >>> len(Matcher.fit([Posting(id="1", title="Cook"), Posting(id="1", title="Chef")]))
        1
        """
        chosen = check_blocks(default_blocks() if blocks is None else blocks)
        check_at_least_1("threads", threads)
        by_id, replaced = collect_postings(postings, strict=strict)
        compiled = engines.compiles(engine, len(by_id))
        held = list(by_id.values())
        chosen = prepare_blocks(chosen, held, compiled=compiled, threads=threads)
        snapshot = Snapshot.fit(held, chosen, compiled=compiled, threads=threads, progress=progress)
        matcher = cls(snapshot, engine)
        matcher._replaced = replaced
        return matcher

    def add(
        self,
        postings: Iterable[Posting],
        *,
        strict: bool = False,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> Changes:
        """Take in postings; those that are held under the same id are replaced.

        They are ranked from the next call on, by the weights of the last fit: words that no posting had
        before do not count until `refit`. What is the same to the last byte is left alone.

        Parameters
        ----------
        postings : iterable of Posting
            Of several with one id, the last wins.
        strict : bool
            Raise, and change nothing, when a posting is held (or given twice) with other contents.
        threads, progress
            As in `fit`.

        Returns
        -------
        Changes

        Raises
        ------
        DuplicatePostingError
            Only when `strict`.
        PostingError
            When something other than a `Posting` is among the postings. Nothing has changed then.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook")])
        >>> matcher.add([Posting(id="2", title="Cook in Bern"), Posting(id="1", title="Cook")])
        Changes(added=('2',), changed=(), removed=(), unchanged=('1',), unknown=())
        """
        return self._add(postings, strict=strict, only_known=False, threads=threads, progress=progress)

    def update(
        self,
        postings: Iterable[Posting],
        *,
        strict: bool = False,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> Changes:
        """Replace postings that are held; others are left out and reported as unknown.

        Parameters
        ----------
        postings, threads, progress
            As in `add`.
        strict : bool
            Raise, and change nothing, when a posting is not held, or given twice with other contents.

        Returns
        -------
        Changes

        Raises
        ------
        UnknownPostingError, DuplicatePostingError
            Only when `strict`.
        PostingError
            When something other than a `Posting` is among the postings.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook")])
        >>> matcher.update([Posting(id="1", title="Chef"), Posting(id="2", title="Nurse")])
        Changes(added=(), changed=('1',), removed=(), unchanged=(), unknown=('2',))
        """
        return self._add(postings, strict=strict, only_known=True, threads=threads, progress=progress)

    def _add(
        self,
        postings: Iterable[Posting],
        *,
        strict: bool,
        only_known: bool,
        threads: int,
        progress: Progress | None,
    ) -> Changes:
        check_at_least_1("threads", threads)
        by_id, _ = collect_postings(postings, strict=strict)
        with self._lock:
            compiled = self._engines.name == "fast"

            def count(some: Sequence[Posting]) -> Segment:
                counted = compiled or engines.compiles(self._asked, len(some))
                return Segment.from_postings(
                    some, self._snapshot.blocks, compiled=counted, threads=threads, progress=progress
                )

            before = self._snapshot
            snapshot, changes = add_postings(
                before, by_id, count, strict=strict, only_known=only_known, compiled=compiled
            )
            self._change(before, snapshot, changes)
        return changes

    def remove(self, ids: Iterable[str], *, strict: bool = False) -> Changes:
        """Hold some postings no more. They are gone from rankings at once, and from the disk after `compact`.

        Parameters
        ----------
        ids : iterable of str
        strict : bool
            Raise, and remove nothing, when a posting is not held.

        Returns
        -------
        Changes

        Raises
        ------
        UnknownPostingError
            Only when `strict`.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Cook")])
        >>> matcher.remove(["1", "x"]), len(matcher)
        (Changes(added=(), changed=(), removed=('1',), unchanged=(), unknown=('x',)), 1)
        """
        given = [ids] if isinstance(ids, str) else list(ids)
        with self._lock:
            before = self._snapshot
            snapshot, changes = remove_postings(before, given, strict=strict)
            self._change(before, snapshot, changes)
        return changes

    def expire(self, before: datetime | date | str) -> Changes:
        """Remove the postings dated earlier than a moment; those without a date stay.

        Parameters
        ----------
        before : datetime, date or str
            Text in ISO 8601; UTC when it names no zone.

        Returns
        -------
        Changes

        Raises
        ------
        OptionError
            When `before` is no date.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", posted=datetime(2026, 1, 1)), Posting(id="2")])
        >>> matcher.expire("2026-02-01").removed
        ('1',)
        """
        moment = parse_moment(before)
        with self._lock:
            held = self._snapshot
            snapshot, changes = expire_postings(held, moment)
            self._change(held, snapshot, changes)
        return changes

    def refit(self) -> None:
        """Learn vocabularies, frequencies and weights anew from the postings held.

        The result is that of `fit` on these postings, bit for bit, in a fraction of the time: stored counts
        are read, not texts.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook")])
        >>> _ = matcher.add([Posting(id="2", title="Nurse")])
        >>> matcher.refit()
        >>> [*matcher.features[0].vocabulary]
        ['cook', 'nurse']
        """
        with self._lock:
            if not self._snapshot.is_fitted:
                self._snapshot = self._snapshot.refit(compiled=self._engines.name == "fast")
                self._is_changed = True

    def compact(self) -> Compaction:
        """Write what is held without anything that was removed, and learn anew.

        A matcher that belongs to a model directory (it was loaded from there, or saved there last) publishes
        the result as its next generation, and deletes all older ones: they hold the removed text. Those that
        somebody has open stay until they are collected; the result names them.

        Returns
        -------
        Compaction

        Raises
        ------
        ModelWriteError
            As for `save`.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
        >>> _ = matcher.remove(["2"])
        >>> matcher.compact()
        Compaction(generation=0, in_use=())
        """
        with self._lock:
            before = self._snapshot
            self._snapshot = compact_parts(before)
            self._is_changed |= self._snapshot is not before
            if self._path is None:
                return Compaction(0, ())
            path = self._path
            with store.lock_model(path) as lock:
                generation = self._save(path, lock, self._key, None)
                return Compaction(generation, tuple(collect(path, 1, lock=lock).in_use))

    def snapshot(self) -> Matcher:
        """Return a matcher of what is held now; later changes to either do not show in the other.

        Nothing is copied.

        Examples
        --------
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook")])
        >>> before = matcher.snapshot()
        >>> _ = matcher.remove(["1"])
        >>> len(before), len(matcher)
        (1, 0)
        """
        with self._lock:
            copied = Matcher(self._snapshot, self._asked)
            copied._generation = self._generation
            copied._stored = self._stored  # it holds the generation that the arrays are mapped from
        return copied

    def with_weights(self, weights: Mapping[str, float]) -> Matcher:
        """Return a matcher of the same postings whose feature blocks weigh differently.

        It ranks as one that was fitted with these weights, bit for bit, but nothing is counted, learned or
        copied, and it belongs to the same model directory: saved there, it becomes the next generation.
        Later changes to either do not show in the other.

        Parameters
        ----------
        weights : mapping of str to float
            By name of the block; others keep theirs. Only their proportions matter.

        Returns
        -------
        Matcher

        Raises
        ------
        OptionError
            When there is no such block, a weight is negative or out of range, or all are 0.

        Examples
        --------
        >>> cook = Posting(id="1", title="Cook", hashtags=["kitchen"])
        >>> matcher = Matcher.fit([cook, Posting(id="2", title="Kitchen hand", hashtags=["night"])])
        >>> [ranked.posting.id for ranked in matcher.recommend("hand in a kitchen")]
        ['2', '1']
        >>> other = matcher.with_weights({"text": 0.1, "hashtags": 0.9, "semantic": 0.0})
        >>> [ranked.posting.id for ranked in other.recommend("hand in a kitchen")]
        ['1', '2']
        """
        with self._lock:
            other = Matcher(self._snapshot.with_weights(weights), self._asked)
            other._replaced, other._encoder = self._replaced, self._encoder
            other._path, other._generation, other._stored = self._path, self._generation, self._stored
            other._key, other._verify = self._key, self._verify
            other._files = WeakKeyDictionary(self._files)
            other._is_changed = self._is_changed or other._snapshot.blocks != self._snapshot.blocks
        return other

    def _change(self, before: Snapshot, snapshot: Snapshot, changes: Changes) -> None:
        if self._snapshot is not before:  # by this thread: others wait for the lock
            raise OptionError("progress (or a signal handler) must not change the matcher: nothing was done")
        self._snapshot = snapshot
        self._is_changed |= bool(changes)

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        keep: int | None = None,
        key: bytes | None = None,
        note: Mapping[str, Any] | None = None,
        lock: store.WriteLock | None = None,
    ) -> int:
        """Write the matcher as the next generation of the model directory `path`, atomically.

        Segments that an earlier generation of the directory has already are linked, not written again.

        Parameters
        ----------
        path : path-like
        keep : int, optional
            Delete all but so many generations afterwards, oldest first, except those that somebody reads.
            All are kept by default. The model is saved even when nothing can be deleted.
        key : bytes, optional
            Sign the manifest with this secret of at least 16 bytes; see `load`. In its own directory, a
            matcher that was opened or saved with a key signs with that unless another one is given.
        note : mapping, optional
            JSON values to keep in the manifest.
        lock : WriteLock, optional
            Of `matcher.store.lock_model`, when the caller has it already.

        Returns
        -------
        int
            The generation's number.

        Raises
        ------
        ModelLockedError
            When somebody else is writing this model.
        ModelConflictError
            When the matcher comes from this directory, and a generation was published there since: saving
            would undo it. `reload_if_changed` and repeat the changes.
        ModelWriteError
            When it cannot be written; the model that was there still is.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Matcher.fit([Posting(id="1", title="Cook")]).save(folder)
        1
        """
        if keep is not None:
            check_at_least_1("keep", keep)
        with self._lock, nullcontext(lock) if lock else store.lock_model(path) as held:
            generation = self._save(path, held, key, note)
            if keep is not None:
                with suppress(ModelError):
                    collect(path, keep, lock=held)
            return generation

    def _save(
        self,
        path: str | os.PathLike[str],
        lock: store.WriteLock,
        key: bytes | None,
        note: Mapping[str, Any] | None,
    ) -> int:
        is_own = self._path is not None and _is_same(path, self._path)
        if is_own and self._stored is not None:
            _check_same_model(Path(path), self._stored)
        if is_own and key is None:
            key = self._key  # a signed model stays signed
        is_there = self._is_there()
        content, files, owners = write_snapshot(self._snapshot, note)
        kept = {
            name: stored
            for name, (segment, within) in owners.items()
            if is_there and (stored := self._files.get(segment, {}).get(within)) is not None
        }
        expected = self._generation if is_own else None
        published = store.write_model(path, content, files, kept=kept, expected=expected, key=key, lock=lock)
        self._path = os.path.abspath(path)  # noqa: PTH100 - keeps links
        self._key, self._is_changed, self._generation = key, False, published.generation
        self._adopt(store.open_published(path, published, content, files))
        return published.generation

    def _is_there(self) -> bool:
        """Return whether the generation it has open lies where it was; a folder can be replaced."""
        if self._path is None or self._stored is None:
            return False
        manifest = folder_of(Path(self._path), self._stored.generation) / "manifest.json"
        try:
            data = read_small(manifest, LARGEST_MANIFEST)
        except (OSError, ModelDamagedError):
            return False
        return hashlib.sha256(data).hexdigest() == self._stored.manifest_sha256

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        verify: bool = True,
        engine: str | None = None,
        key: bytes | None = None,
        generation: int | None = None,
        encoder: object = None,
    ) -> Matcher:
        """Open a model directory.

        Arrays are memory-mapped. Nothing in the model is executed, and everything is checked first. As long
        as the matcher lives, nobody deletes the generation it has open.

        Parameters
        ----------
        path : path-like
        verify : bool
            Also compare every file with its SHA-256. Without, positions, numbers and sizes are checked, so
            that nothing crashes, but not whether the entries by posting and by term are the same ones.
        engine : {"base", "fast"}, optional
            Who finds candidates; see `engine`. The rankings are the same.
        key : bytes, optional
            The secret the model must be signed with.
        generation : int, optional
            Which one to open; the current one by default.
        encoder : object, optional
            What made the vectors of the block `semantic`, when that was given to `fit`; see
            `matcher.semantic.SemanticBlock`. The model does not hold it.

        Raises
        ------
        ModelError
            When there is no model, or it is damaged, of another version, or signed by somebody else.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Matcher.fit([Posting(id="1", title="Cook")]).save(folder)
        ...     print(Matcher.load(folder))
        <Matcher: 1 posting, 1 text, 0 hashtags and 1 title features, vectors of 256 numbers>
        """
        stored = store.read_model(path, verify=verify, key=key, generation=generation)
        snapshot = _read_stored(stored, path, {}, encoder)
        if encoder is not None and not _takes_encoder(snapshot):
            stored.close()
            raise OptionError(
                f"{path}: the model's vectors were not made by an encoder: open it without one, or train "
                "it with SemanticBlock(encoder=...)"
            )
        matcher = cls(snapshot, engine)
        matcher._encoder = encoder
        matcher._path = os.path.abspath(path)  # noqa: PTH100 - keeps links
        matcher._key, matcher._verify = key, verify
        matcher._adopt(stored)
        stored.release()
        return matcher

    open = load
    """`load`, for those who stay and follow new generations by `reload_if_changed`."""

    def reload_if_changed(self) -> bool:
        """Go on with the current generation of the model directory, if another one was published.

        Cheap enough for every request: when nothing was published, one small file is read. Segments that are
        open already are neither read nor checked again. Calls in other threads end with the generation they
        began with.

        Returns
        -------
        bool
            Whether there is another generation now.

        Raises
        ------
        OptionError
            When the matcher belongs to no model directory.
        ModelConflictError
            When it has changes that were not saved.
        ModelError
            When the new generation cannot be used; the one that was open still is.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Matcher.fit([Posting(id="1", title="Cook")]).save(folder)
        ...     service = Matcher.open(folder)
        ...     before = service.reload_if_changed()
        ...     _ = Matcher.fit([Posting(id="2", title="Nurse")]).save(folder)
        ...     print(before, service.reload_if_changed(), service.postings.ids)
        False True ['2']
        """
        if self._path is None or self._stored is None:
            raise OptionError("this matcher belongs to no model directory: save it, or open one")
        if self._stored.is_current():
            return False
        with self._lock:
            if self._stored.is_current():  # another thread was faster
                return False
            if self._is_changed:
                raise ModelConflictError(
                    f"{self._path}: another generation was published, but this matcher has changes that were "
                    "not saved: open the model again and repeat them"
                )
            stored = store.read_model(self._path, verify=self._verify, key=self._key, previous=self._stored)
            known = {_digests(files): segment for segment, files in self._files.items()}
            snapshot = _read_stored(stored, self._path, known, self._encoder)
            if self._engines.name != "base":
                build_engines(snapshot, self._engines.name)
            self._snapshot = snapshot
            self._adopt(stored)
        return True

    def _adopt(self, stored: store.StoredModel) -> None:
        """Remember where the parts of the snapshot lie."""
        for number, part in enumerate(self._snapshot.parts):
            self._files[part.segment] = segment_files(stored.stored, number)
        # The generation before is given up with the last matcher that has it open (see `snapshot`).
        self._stored, self._generation = stored, stored.generation

    @property
    def replaced(self) -> tuple[str, ...]:
        """Ids that `fit` met with different contents; the last one was kept.

        Examples
        --------
        >>> Matcher.fit([Posting(id="1", title="Cook"), Posting(id="1", title="Chef")]).replaced
        ('1',)
        """
        return self._replaced

    @property
    def generation(self) -> int:
        """The generation it was loaded from or saved as last, 0 when it was fitted.

        Examples
        --------
        >>> Matcher.fit([]).generation
        0
        """
        return self._generation


def _read_stored(
    stored: store.StoredModel,
    path: str | os.PathLike[str],
    known: Mapping[frozenset[tuple[str, str]], Segment],
    encoder: object,
) -> Snapshot:
    """Return the snapshot of a stored model; segments whose files are known are not read again."""

    def find(number: int) -> Segment | None:
        return known.get(_digests(segment_files(stored.stored, number)))

    try:
        return read_snapshot(stored.content, stored.files, find, encoder)
    except OptionError:
        stored.close()
        raise
    except (ModelDamagedError, ModelSchemaError) as error:
        stored.close()
        raise type(error)(f"{path}: {error}; train the model again") from None


def _takes_encoder(snapshot: Snapshot) -> bool:
    blocks = snapshot.blocks
    return any(isinstance(block, SemanticBlock) and block.vectors == "encoder" for block in blocks)


def _digests(files: Mapping[str, store.StoredFile]) -> frozenset[tuple[str, str]]:
    return frozenset((name, file.sha256) for name, file in files.items())


def _check_same_model(root: Path, stored: store.StoredModel) -> None:
    """Raise when CURRENT names another generation of the same number: the folder was replaced by another."""
    try:
        pointer = read_pointer(root)
    except (ModelError, OSError):  # left to `write_model`
        return
    if pointer.generation == stored.generation and pointer.sha256 != stored.manifest_sha256:
        raise ModelConflictError(
            f"{root}: another model took the place of the one that was opened: reload, apply the changes "
            "again, and save"
        )


def _is_same(path: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Return whether two paths lead to the same model directory."""
    try:
        return Path(path).samefile(other)
    except (OSError, ValueError):
        return False
