"""From news of postings to the next generation of a model: read, compare, measure, and publish or refuse."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from matcher.changes import Changes
from matcher.drift import Gate, measure_drift
from matcher.drift.report import DriftReport
from matcher.errors import ModelDamagedError, ModelNotFoundError, ModelWriteError, OptionError
from matcher.evaluate import JudgedCV
from matcher.filters import parse_moment
from matcher.posting import Posting, from_milliseconds
from matcher.profile import Profile
from matcher.ranker import Matcher
from matcher.recommender import Progress
from matcher.store import WriteLock, lock_model
from matcher.store.collection import Collected, check_keep, collect
from matcher.store.manifest import generations
from matcher.updates import collect_postings

if TYPE_CHECKING:
    from matcher.sources import Rejected

__all__: Final = ["Retraining", "retrain"]

MOST_VANISHED: Final = 0.5
"""Share of the postings that may go at once because they expired or a complete source lacks them: a date in
the wrong year, or an export that was cut off between two lines, looks like no error."""

FEW: Final = 10
"""With fewer postings than these, any share may go."""


@dataclass(frozen=True, slots=True)
class Retraining:
    """What came of a retraining.

    Parameters
    ----------
    generation : int or None
        The one that was published; None when nothing changed, when it was refused, and after a dry run.
    parent : int
        The generation it started from, 0 for none.
    changes : Changes
        What is (or would be) different from that.
    report : DriftReport
    refused : tuple of str
        Why nothing was published, one reason each; empty unless it was refused.
    left_out : tuple of str
        Ids of postings that were given and not taken in: to be removed, or dated too early.
    replaced : tuple of str
        Ids that were given more than once, with different contents; the last one counts.
    deleted, in_use : tuple of int
        Older generations that were deleted, and those that were to be, but somebody reads them.

    Examples
    --------
    >>> Retraining(2, 1, Changes(added=("job-1",)), DriftReport()).changes.added
    ('job-1',)
    """

    generation: int | None
    parent: int
    changes: Changes
    report: DriftReport
    refused: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    deleted: tuple[int, ...] = ()
    in_use: tuple[int, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values.

        Examples
        --------
        >>> Retraining(2, 1, Changes(added=("1",)), DriftReport()).to_record()["generation"]
        2
        """
        return {
            "generation": self.generation,
            "parent": self.parent,
            "refused": list(self.refused),
            "left_out": list(self.left_out),
            "replaced": list(self.replaced),
            "deleted": list(self.deleted),
            "in_use": list(self.in_use),
            "report": self.report.to_record(),
        }


def retrain(
    path: str | os.PathLike[str],
    postings: Iterable[Posting],
    *,
    remove: Iterable[str] = (),
    expire_before: datetime | date | str | None = None,
    complete: bool = False,
    force: bool = False,
    keep: int | None = 5,
    probes: Mapping[str, Profile | str] | None = None,
    judgements: Sequence[JudgedCV] = (),
    gate: Gate | None = None,
    rejected: Sequence[Rejected] | None = None,
    key: bytes | None = None,
    engine: str | None = None,
    threads: int = 1,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Retraining:
    """Take news of postings into the model at `path`, and publish the result as its next generation.

    From opening the model to publishing, nobody else can write it. Until the last step the old generation
    serves, and it still does after an error or an interrupt at any point. Postings that are the same to the
    last byte cost no more than reading them, and when nothing changed, nothing is published.

    Parameters
    ----------
    path : path-like
        The model directory; a new model when there is none.
    postings : iterable of Posting
        New and changed ones; those that are held already may be among them. Of several with one id the last
        wins.
    remove : iterable of str
        Ids to hold no more, whether they are among the postings or not.
    expire_before : datetime, date or str, optional
        Postings dated earlier are removed, and not taken in.
    complete : bool
        The postings are all there are: those that are not among them are removed. Refused when one could not
        be read, or none was, because a broken file must not empty a board.
    force : bool
        Publish even so, and even when more than half of the postings go that `remove` does not name, or none
        is left. The gate is asked all the same.
    keep : int, optional
        Generations to keep, the new one included; all for None. Those that somebody reads stay.
    probes : mapping of str to Profile or str, optional
        CVs by label, whose recommendations before and after are compared.
    judgements : sequence of JudgedCV
        CVs that quality is measured by.
    gate : Gate, optional
        What must hold for the result to be published.
    rejected : sequence of Rejected, optional
        Postings that could not be read; looked at when all were. Unless given, a reader's own account counts.
    key : bytes, optional
        Require that the model is signed with this secret, and sign the new generation.
    engine : {"base", "fast"}, optional
    threads : int
    progress : callable, optional
        As in `Matcher.fit`.
    dry_run : bool
        Write nothing; neither needs nor takes the right to write.

    Returns
    -------
    Retraining

    Raises
    ------
    ModelLockedError
        When somebody else is writing the model.
    ModelNotFoundError
        When there is no model and no posting to make one of.
    ModelError
        When the model cannot be opened or written. One of another schema or analyzer must be trained again.
    OptionError
        When an argument makes no sense, such as a gate on drift without probes.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     first = retrain(folder, [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
    ...     second = retrain(folder, [Posting(id="1", title="Sous chef")], remove=["2"])
    >>> first.generation, second.generation, second.changes.changed, second.changes.removed
    (1, 2, ('1',), ('2',))
    """
    if keep is not None:
        check_keep(keep)
    gate = gate or Gate()
    if gate.max_drift is not None and not probes:
        raise OptionError("max_drift needs probe CVs to compare recommendations for, and none was given")
    if gate.min_quality is not None and not judgements:
        raise OptionError("min_quality needs judged CVs to measure quality by, and none was given")
    root = Path(path)
    moment = None if expire_before is None else parse_moment(expire_before)
    unwanted = {remove} if isinstance(remove, str) else set(remove)
    for posting_id in unwanted:
        if not isinstance(posting_id, str):
            raise OptionError(f"remove: expected ids of postings, got {posting_id!r}")

    def run(lock: WriteLock | None) -> Retraining:
        matcher = _open_model(root, engine, key)
        before = matcher.snapshot()
        given, replaced = collect_postings(_reporting(postings, progress))
        listed, count = _account(postings, rejected)
        changes, left_out = _apply(
            matcher, given, unwanted, moment, complete=complete, threads=threads, progress=progress
        )
        if not len(before) and not len(matcher) and not matcher.generation:
            raise ModelNotFoundError(f"{root}: no model here, and no posting was read to make one of")
        matcher.refit()
        report = measure_drift(
            before,
            matcher,
            changes=changes,
            probes=probes,
            judgements=judgements,
            rejected=listed,
            rejected_count=count,
        )
        is_changed = bool(changes) or not before.is_fitted
        refused = []
        if not force:
            vanished = len({*changes.removed} - unwanted)
            refused = _doubt(len(before), len(matcher), vanished, len(given), count, complete=complete)
        if is_changed:
            refused += gate.check(report)
        parent = before.generation
        del before  # as long as it has its generation open, that cannot be deleted
        generation, collected = None, Collected([], [])
        if lock and is_changed and not refused:
            generation = matcher.save(root, key=key, note=_note(report), lock=lock)
            if keep is not None:
                with suppress(ModelWriteError):  # it is published, whatever becomes of the old ones
                    collected = collect(root, keep, lock=lock)
        return Retraining(
            generation,
            parent,
            changes,
            report,
            tuple(refused),
            left_out,
            replaced,
            tuple(collected.removed),
            tuple(collected.in_use),
        )

    return run(None) if dry_run else _run_locked(root, run)


def _run_locked(root: Path, run: Callable[[WriteLock], Retraining]) -> Retraining:
    """Run under the write lock; when that leaves no model where none was, leave nothing else there."""
    try:
        missing = [folder for folder in (root, *root.parents) if not folder.exists()]
        lock_file = root / ".lock"
        is_new = not lock_file.exists()
    except (OSError, ValueError):  # locking says what is wrong with the path
        missing, is_new = [], False
    try:
        with lock_model(root) as lock:
            try:
                return run(lock)
            finally:
                if is_new and not (root / "CURRENT").exists():
                    with suppress(OSError):
                        lock_file.unlink()
    finally:
        with suppress(OSError, ValueError):  # what holds something stays
            for folder in missing:
                folder.rmdir()


def _open_model(root: Path, engine: str | None, key: bytes | None) -> Matcher:
    try:
        return Matcher.load(root, engine=engine, key=key)
    except ModelNotFoundError:
        # Without CURRENT, a model of the new postings alone must not take the place of what was there.
        if root.is_dir() and (numbers := generations(root)):
            raise ModelDamagedError(
                f"{root}: CURRENT is missing, but generations are here; choose one with "
                f"'matcher rollback --to {numbers[-1]}'"
            ) from None
    return Matcher.fit([], engine=engine)


def _reporting(postings: Iterable[Posting], progress: Progress | None) -> Iterator[Posting]:
    for number, posting in enumerate(postings, 1):
        if progress is not None and number % 100 == 0:
            progress("reading postings", number, 0)
        yield posting


def _account(
    postings: Iterable[Posting], rejected: Sequence[Rejected] | None
) -> tuple[Sequence[Rejected], int]:
    """Return the postings that could not be read, and how many there were."""
    from matcher.sources import PostingReader

    if rejected is not None:
        return rejected, len(rejected)
    if isinstance(postings, PostingReader):
        return postings.report.rejected, postings.report.rejected_count
    return (), 0


def _apply(
    matcher: Matcher,
    given: Mapping[str, Posting],
    unwanted: set[str],
    moment: int | None,
    *,
    complete: bool,
    threads: int,
    progress: Progress | None,
) -> tuple[Changes, tuple[str, ...]]:
    """Bring a matcher up to date; return what changed, and the ids of those given that were not taken in."""
    left_out = {
        posting.id for posting in given.values() if posting.id in unwanted or _is_before(posting, moment)
    }
    held = set(matcher.postings.ids) if complete or left_out else set()
    changes = matcher.add(
        (posting for posting in given.values() if posting.id not in left_out),
        threads=threads,
        progress=progress,
    )
    gone = unwanted | (left_out & held)
    if complete:
        gone |= held - given.keys()
    changes |= matcher.remove(gone - (left_out - held))
    if moment is not None:
        changes |= matcher.expire(from_milliseconds(moment))
    return changes, tuple(sorted(left_out))


def _is_before(posting: Posting, moment: int | None) -> bool:
    posted = posting.posted_milliseconds
    return moment is not None and posted is not None and posted < moment


def _doubt(before: int, after: int, vanished: int, given: int, rejected: int, *, complete: bool) -> list[str]:
    """Return why what was given looks like a mistake, if it does; `vanished` went without being named."""
    if rejected and not given:
        return [f"no posting could be read ({rejected:,} rejected): mend the source"]
    if complete and rejected:
        count = f"{rejected:,} posting{' was' if rejected == 1 else 's were'} rejected"
        return [f"{count}, and what a complete source lacks is removed: mend it, or use force"]
    if complete and before and not given:
        return [
            f"no posting was read; a complete source would remove all {before:,}: use force if that is right"
        ]
    if before >= FEW and vanished > MOST_VANISHED * before:
        share = f"{vanished:,} of {before:,} postings would be removed"
        return [f"{share}, more than half: use force if that is right"]
    if before and not after:
        return [f"none of {before:,} postings would be left: use force if that is right"]
    return []


def _note(report: DriftReport) -> dict[str, Any]:
    """Return what the manifest says about a retraining: numbers only, no text and no ids."""
    counts = {kind: len(ids) for kind, ids in report.changes._asdict().items() if kind != "unknown"}
    return {
        "changes": counts | {"rejected": report.rejected_count},
        "published": datetime.now(UTC).isoformat(timespec="seconds"),
        "drift": report.drift,
        "quality": report.quality_after,
    }
