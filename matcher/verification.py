"""Checks of a model that go further than opening it: all that is written there, also what is rarely read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.catalogue import NO_DATE, Catalogue
from matcher.counts import Counts, invert_norms
from matcher.errors import ModelDamagedError, ModelError
from matcher.parts import Part
from matcher.persistence import read_snapshot
from matcher.posting import Posting
from matcher.snapshot import Snapshot
from matcher.store import StoredModel, read_model
from matcher.store.generations import history

__all__: Final = ["Verified", "verify_model"]

MOST_PROBLEMS: Final = 100
"""Listed of one generation; a file of nonsense has one a posting."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What checking a generation came to.

    Parameters
    ----------
    generation : int
        0 when it cannot be told which one is current.
    is_current : bool
    postings, files, bytes : int
        What it holds; 0 when it cannot be opened.
    problems : tuple of str
        What is wrong, one each; empty when all is sound.

    Examples
    --------
    >>> Verified(1, True, 212, 48, 1_000_000).to_record()["problems"]
    []
    """

    generation: int
    is_current: bool
    postings: int = 0
    files: int = 0
    bytes: int = 0
    problems: tuple[str, ...] = ()

    def to_record(self) -> dict[str, Any]:
        """Return it as JSON values.

        Examples
        --------
        >>> Verified(1, True, problems=("CURRENT: missing",)).to_record()["generation"]
        1
        """
        names = "generation", "is_current", "postings", "files", "bytes"
        return {name: getattr(self, name) for name in names} | {"problems": list(self.problems)}


def verify_model(
    path: str | os.PathLike[str], *, every: bool = False, key: bytes | None = None
) -> list[Verified]:
    """Check a model: schema, hashes, ranges, every record of a posting, and that all of it agrees.

    Loading checks what could crash it or mix it up. This also decodes every record, and compares what is
    stored twice, or follows from other numbers: the columns that filters read with the records, the counts
    by term with those by posting, the norms with counts and weights. Texts are not counted anew.

    Parameters
    ----------
    path : path-like
        The model directory.
    every : bool
        Check all generations, not only the current one.
    key : bytes, optional
        Require that they are signed with it.

    Returns
    -------
    list of Verified
        Ascending.

    Raises
    ------
    ModelNotFoundError
        When there is no model.

    Examples
    --------
    >>> import tempfile
    >>> from matcher import Matcher
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Matcher.fit([Posting(id="1", title="Cook")]).save(folder)
    ...     [found] = verify_model(folder)
    >>> found.generation, found.postings, found.problems
    (1, 1, ())
    """
    root = Path(path)
    known = history(root)
    current = [generation.number for generation in known if generation.is_current]
    found = [
        _verify(root, generation.number, key, is_current=generation.is_current)
        for generation in known
        if every or generation.is_current
    ]
    return found if current else [_verify(root, 0, key, is_current=True), *found]


def _verify(root: Path, number: int, key: bytes | None, *, is_current: bool) -> Verified:
    try:
        # The current one is opened as readers do, so that CURRENT is checked along with it.
        stored = read_model(root, key=key, generation=None if is_current else number)
    except ModelError as error:
        return Verified(number, is_current, problems=(str(error),))
    try:
        problems: list[str] = []
        for problem in _find_problems(stored):
            if len(problems) == MOST_PROBLEMS:
                problems.append("... and more")
                break
            problems.append(f"{root}: generation {stored.generation}: {problem}")
        postings = stored.content.get("postings")
        return Verified(
            stored.generation,
            is_current,
            postings if type(postings) is int else 0,
            len(stored.files),
            stored.bytes,
            tuple(problems),
        )
    finally:
        stored.close()


def _find_problems(stored: StoredModel) -> Iterator[str]:
    try:
        snapshot = read_snapshot(stored.content, stored.files)
    except ModelError as error:
        yield str(error)
        return
    for number, fitted in enumerate(snapshot.features):
        learned = snapshot.learn_centre(number) if snapshot.is_fitted else None
        if learned is not None and not np.array_equal(learned, fitted.centre):  # type: ignore[arg-type]
            yield f"{fitted.block.name}.centre: not the mean of the postings' vectors"
    for number, part in enumerate(snapshot.parts):
        yield from (f"segment{number}.{problem}" for problem in _check_records(part.segment.catalogue))
        yield from (f"segment{number}.{problem}" for problem in _check_counts(snapshot, part))


def _check_records(catalogue: Catalogue) -> Iterator[str]:
    for row in range(len(catalogue)):
        try:
            posting = catalogue[row]
        except ModelDamagedError as error:
            place = f"postings.records.txt:{row + 1}: "
            yield place + str(error).removeprefix(place)
            continue
        if not _fits(catalogue, row, posting):
            yield f"postings.records.txt:{row + 1}: what filters read differs from the record"


def _fits(catalogue: Catalogue, row: int, posting: Posting) -> bool:
    """Return whether the columns say what the record of a posting says."""
    columns = (catalogue.locations, catalogue.companies, catalogue.job_types)
    written = [column.values[int(column.codes[row])] for column in columns]
    tags = catalogue.tag_codes[catalogue.tag_starts[row] : catalogue.tag_starts[row + 1]]
    posted = posting.posted_milliseconds
    return (
        written == [" ".join(text.split()) for text in (posting.location, posting.company, posting.job_type)]
        and catalogue.tags.take(tags) == sorted(posting.hashtags)
        and catalogue.posted[row] == (NO_DATE if posted is None else posted)
        and catalogue.featured[row] == max(0, min(posting.featured, 2**62))
    )


def _check_counts(snapshot: Snapshot, part: Part) -> Iterator[str]:
    for number, fitted in enumerate(snapshot.features):
        counted, name = part.segment.blocks[number], fitted.block.name
        by_posting, by_term = counted.counts
        if counted.dense is not None:
            continue  # its norms were computed when the model was opened
        if not _equal(by_posting.transpose(len(counted.vocabulary)), by_term):
            yield f"{name}: the counts by term are not those by posting"
        weights = np.append(fitted.term_weights, 0.0)[part.places[number]]  # what is missing weighs nothing
        # Logarithms differ in the last bit between machines.
        norms = invert_norms(by_posting, weights)
        if not np.allclose(norms, part.index.blocks[number].inverse_norms, rtol=1e-9, atol=0):
            yield f"{name}.inverse_norms: not the norms of these counts and weights"


def _equal(first: Counts, second: Counts) -> bool:
    return (
        np.array_equal(first.starts, second.starts)
        and np.array_equal(first.columns, second.columns)
        and np.array_equal(first.counts, second.counts)
    )
