"""All that a matcher holds at one moment: segments, which of their postings count, and what was learned.

A snapshot never changes. News of postings make another one, which shares what stayed the same, so a call
that began with one ends with it, whatever other threads do to the matcher.

Weights belong to the snapshot and are those of its last fit: a posting added since is scored by them, and
terms that no posting had before do not count yet. `Snapshot.refit` learns them anew. It reads the stored
counts instead of the texts, and the result is, bit for bit, that of counting everything afresh: frequencies
are integers, and each norm is summed over the same terms in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.base import Query
from matcher.catalogue import NO_DATE
from matcher.dense import learn_centre
from matcher.errors import ModelDamagedError, OptionError
from matcher.features import FeatureBlock, check_blocks
from matcher.learning import BlockFeatures
from matcher.merging import MISSING, insert_terms, merge_segments
from matcher.parts import Hit, Part, to_hits
from matcher.posting import Posting
from matcher.queries import BlockQuery
from matcher.segments import Segment
from matcher.semantic import SemanticBlock, encoder_of
from matcher.strings import StringTable

__all__: Final = ["Snapshot"]

_NO_ROWS: Final = np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All postings that are held, and what was learned from those that were held at the last fit.

    Parameters
    ----------
    features : tuple of BlockFeatures
    parts : tuple of Part
    is_fitted : bool
        Whether the weights are those of the postings held.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> snapshot = Snapshot.fit([Posting(id="1", title="Cook")], default_blocks())
    >>> len(snapshot), list(snapshot.features[0].vocabulary)
    (1, ['cook'])
    """

    features: tuple[BlockFeatures, ...]
    parts: tuple[Part, ...]
    is_fitted: bool = True

    @classmethod
    def empty(cls, blocks: Iterable[FeatureBlock]) -> Snapshot:
        """Return a snapshot without postings.

        Examples
        --------
        >>> len(Snapshot.empty([]))
        0
        """
        nothing = StringTable.from_strings([])
        return cls(
            tuple(
                BlockFeatures.learn_dense(block, 0)
                if isinstance(block, SemanticBlock)
                else BlockFeatures.learn(block, nothing, _NO_ROWS, 0)
                for block in blocks
            ),
            (),
        )

    @classmethod
    def fit(
        cls,
        postings: Sequence[Posting],
        blocks: Sequence[FeatureBlock],
        *,
        compiled: bool = False,
        threads: int = 1,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Snapshot:
        """Return a snapshot of postings, of distinct ids and in ascending order of id, and learn from them.

        Parameters are those of `matcher.segments.Segment.from_postings`.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> len(Snapshot.fit([Posting(id="1"), Posting(id="2")], default_blocks()))
        2
        """
        segment = Segment.from_postings(
            postings, blocks, compiled=compiled, threads=threads, progress=progress
        )
        empty = cls.empty(blocks)
        return empty.with_segment(segment).refit(compiled=compiled) if segment.rows else empty

    @property
    def blocks(self) -> list[FeatureBlock]:
        """The feature blocks, in canonical order.

        Examples
        --------
        >>> Snapshot.empty([]).blocks
        []
        """
        return [fitted.block for fitted in self.features]

    def __len__(self) -> int:
        return sum(part.size for part in self.parts)

    def find(self, ids: Sequence[str], *, compiled: bool = False) -> list[tuple[Part, int] | None]:
        """Return the part and row of each posting id, None for those not held.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, default_blocks())
        >>> [place and place[1] for place in snapshot.find(["2", "x"])]
        [1, None]
        """
        lines = [posting_id.encode("utf-8", "surrogatepass") for posting_id in ids]
        found: list[tuple[Part, int] | None] = [None] * len(ids)
        for part in self.parts:
            rows = part.find(lines, compiled=compiled)
            for number in np.flatnonzero(rows >= 0).tolist():
                found[number] = part, int(rows[number])
        return found

    def postings_with(self, number: int, term: str, limit: int) -> list[Posting]:
        """Return at most `limit` postings that hold a term of a block (by number), in ascending order.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, default_blocks())
        >>> [posting.id for posting in snapshot.postings_with(0, "nurse", 3)]
        ['2']
        """
        found = []
        for part in self.parts:
            counted = part.segment.blocks[number]
            position = counted.vocabulary.find(term)
            if position < 0:
                continue
            starts, columns, _ = counted.counts.by_term
            rows = columns[starts[position] : starts[position + 1]]
            rows = rows[~np.isin(rows, part.deleted)] if len(part.deleted) else rows
            found += [part.segment.catalogue[row] for row in rows[: max(0, limit)].tolist()]
        return sorted(found, key=lambda posting: posting.id)[: max(0, limit)]

    def with_segment(self, segment: Segment, *, compiled: bool = False) -> Snapshot:
        """Return a snapshot that holds the postings of one more segment, scored by the weights there are.

        Examples
        --------
        >>> snapshot = Snapshot.empty([]).with_segment(Segment.from_postings([Posting(id="1")], []))
        >>> len(snapshot), snapshot.is_fitted
        (1, False)
        """
        places = [
            fitted.vocabulary.find_lines(counted.vocabulary.to_lines(), compiled=compiled).astype(np.int32)
            for fitted, counted in zip(self.features, segment.blocks, strict=True)
        ]
        part = Part.from_segment(segment, self.features, places, compiled=compiled)
        return replace(self, parts=(*self.parts, part), is_fitted=False)

    def without(self, rows: Sequence[tuple[Part, int]]) -> Snapshot:
        """Return a snapshot that does not hold some postings any more.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, default_blocks())
        >>> len(snapshot.without([snapshot.find(["2"])[0]]))
        1
        """
        if not rows:
            return self
        deleted: dict[int, list[int]] = {}
        for part, row in rows:
            deleted.setdefault(id(part), []).append(row)
        parts = [part.without(np.array(deleted.get(id(part), []), np.int64)) for part in self.parts]
        return replace(self, parts=tuple(part for part in parts if part.size), is_fitted=False)

    def with_weights(self, weights: Mapping[str, float]) -> Snapshot:
        """Return a snapshot of the same postings with other weights of some blocks, by name.

        Nothing is counted or learned anew: norms do not depend on the weights of blocks.

        Raises
        ------
        OptionError
            When there is no such block, a weight is out of range, or all are 0.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> snapshot = Snapshot.fit([Posting(id="1", title="Cook")], default_blocks())
        >>> [block.weight for block in snapshot.with_weights({"hashtags": 0.1}).blocks]
        [0.7, 0.1, 0.5, 2.0]
        """
        if not isinstance(weights, Mapping):
            raise OptionError(f"expected weights by name of the block, got {weights!r}")
        names = [block.name for block in self.blocks]
        for name in weights:
            if name not in names:
                raise OptionError(f"unknown block {name!r}: use one of {', '.join(names)}")
        held: list[Any] = self.blocks  # the protocol does not say that they are dataclasses
        changed = [replace(block, weight=weights.get(block.name, block.weight)) for block in held]
        blocks = check_blocks(changed)
        return replace(
            self,
            features=tuple(replace(f, block=block) for f, block in zip(self.features, blocks, strict=True)),
            parts=tuple(part.with_weights([block.weight for block in blocks]) for part in self.parts),
        )

    def refit(self, *, compiled: bool = False) -> Snapshot:
        """Return a snapshot of the same postings with everything learned from them anew.

        Parameters
        ----------
        compiled : bool
            Whether compiled code adds up norms (extra ``[fast]``). The result is the same.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> segment = Segment.from_postings([Posting(id="1", title="Cook")], default_blocks())
        >>> [*Snapshot.empty(default_blocks()).with_segment(segment).refit().features[0].vocabulary]
        ['cook']
        """
        if self.is_fitted:
            return self
        features, placed = [], []
        for number in range(len(self.features)):
            fitted, places = self._learn(number)
            features.append(fitted)
            placed.append(places)
        parts = [
            Part.from_segment(part.segment, features, places, part.deleted, compiled=compiled)
            for part, *places in zip(self.parts, *placed, strict=True)
        ]
        return Snapshot(tuple(features), tuple(parts))

    def _learn(self, number: int) -> tuple[BlockFeatures, list[NDArray[np.int32]]]:
        """Return what one block learns from the postings held, and where each segment's terms are in it."""
        block = self.features[number].block
        counted = [part.segment.blocks[number] for part in self.parts]
        if isinstance(block, SemanticBlock):
            nothing = [part.places[number] for part in self.parts]
            return BlockFeatures.learn_dense(block, len(self), self.learn_centre(number)), nothing
        frequencies = [one.frequencies(part.deleted) for one, part in zip(counted, self.parts, strict=True)]
        # Comparing all entries would take longer than everything else that loading checks.
        if any(
            np.any((frequency < 0) | (frequency > part.size))
            for frequency, part in zip(frequencies, self.parts, strict=True)
        ):
            raise ModelDamagedError("the counts by term are not those by posting: train the model again")
        places = [part.places[number] for part in self.parts]
        unknown = [
            np.flatnonzero((place == MISSING) & (frequency > 0))
            for place, frequency in zip(places, frequencies, strict=True)
        ]
        lines = [one.vocabulary.select(some).to_lines() for one, some in zip(counted, unknown, strict=True)]
        terms = {line for part in lines for line in part}
        vocabulary, moved, positions = insert_terms(self.features[number].vocabulary, terms)
        moved = np.append(moved, np.int32(MISSING))  # what was missing stays so
        places = [moved[place] for place in places]
        for place, some, part in zip(places, unknown, lines, strict=True):
            place[some] = [positions[line] for line in part]
        total = np.zeros(len(vocabulary) + 1, np.int64)  # the last one collects what is missing
        for place, frequency in zip(places, frequencies, strict=True):
            np.add.at(total, place, frequency)
        total = total[:-1]
        if not total.all():  # terms of postings that are held no more
            moved = np.where(total > 0, np.cumsum(total > 0) - 1, MISSING).astype(np.int32)
            moved = np.append(moved, np.int32(MISSING))
            vocabulary, total = vocabulary.select(np.flatnonzero(total)), total[total > 0]
            places = [moved[place] for place in places]
        return BlockFeatures.learn(block, vocabulary, total, len(self)), places

    def learn_centre(self, number: int) -> NDArray[np.int32] | None:
        """Return the mean of a block's dense vectors of the postings held; None when there are none.

        Examples
        --------
        >>> Snapshot.empty([SemanticBlock()]).learn_centre(0) is None
        True
        """
        block, total, known = self.features[number].block, None, 0
        for part in self.parts:
            dense = part.segment.blocks[number].dense
            if dense is not None and part.size:
                own, count = dense.add_up()
                gone, lost = dense.add_up(part.deleted)
                total = own - gone if total is None else total + own - gone
                known += count - lost
        if total is None or not isinstance(block, SemanticBlock):
            return None
        # Of a caller's encoder, which may not be at hand, nothing is expected.
        expected = np.zeros(len(total)) if block.vectors == "encoder" else encoder_of(block).expected
        return learn_centre(total, known, expected)

    def merge(self, numbers: Sequence[int]) -> Snapshot:
        """Return a snapshot of the same postings with some parts, by number, merged into one.

        The merged segment holds no deleted postings; scores and rankings stay what they are.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, default_blocks())
        >>> merged = snapshot.without([snapshot.find(["2"])[0]]).merge([0])
        >>> [part.segment.rows for part in merged.parts]
        [1]
        """
        chosen = [self.parts[number] for number in numbers]
        others = [part for number, part in enumerate(self.parts) if number not in set(numbers)]
        return replace(self, parts=(*others, *self._merge(chosen, [part.kept for part in chosen])))

    def split(self, number: int, most: int) -> Snapshot:
        """Return a snapshot in which one part, by number, is cut into parts of at most `most` postings.

        Examples
        --------
        >>> from matcher.features import default_blocks
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, default_blocks())
        >>> [part.size for part in snapshot.split(0, 1).parts]
        [1, 1]
        """
        part = self.parts[number]
        pieces = np.split(part.kept, range(most, part.size, most))
        parts = [piece for rows in pieces for piece in self._merge([part], [rows])]
        others = [part for other, part in enumerate(self.parts) if other != number]
        return replace(self, parts=(*others, *parts))

    def _merge(self, parts: Sequence[Part], kept: Sequence[NDArray[np.int64]]) -> list[Part]:
        if not sum(len(rows) for rows in kept):
            return []
        merged, rows, moved = merge_segments([part.segment for part in parts], kept)
        places, norms = [], []
        for number, counted in enumerate(merged.blocks):
            place = np.full(len(counted.vocabulary), MISSING, np.int32)
            inverse = np.zeros(merged.rows)
            for part, old, new, terms in zip(parts, kept, rows, moved, strict=True):
                # A term that only deleted postings of a part have may be missing there and known elsewhere.
                stays = (terms[number] >= 0) & (part.places[number] >= 0)
                place[terms[number][stays]] = part.places[number][stays]
                inverse[new] = part.index.blocks[number].inverse_norms[old]
            places.append(place)
            norms.append(inverse)
        return [Part.from_segment(merged, self.features, places, inverse_norms=norms)]

    @property
    def newest(self) -> int | None:
        """The date of the newest posting in milliseconds since 1970, None when none is dated.

        Examples
        --------
        >>> Snapshot.empty([]).newest is None
        True
        """
        dates = [part.segment.catalogue.posted[part.kept] for part in self.parts]
        newest = max((int(some.max(initial=NO_DATE)) for some in dates), default=NO_DATE)
        return None if newest == NO_DATE else newest

    def search_many(
        self,
        queries: Sequence[Sequence[BlockQuery]],
        k: int,
        engine: str,
        masks: Sequence[NDArray[np.bool_] | None],
        lifts: Sequence[Sequence[NDArray[np.float64]]],
    ) -> list[list[Hit]]:
        """Return the exact `k` best postings for each query: by score, then by id.

        Parameters
        ----------
        queries : sequence of sequence of BlockQuery
            In the terms of the learned vocabularies.
        k : int
            At least 1.
        engine : str
            Who proposes; see `matcher.engines.ENGINES`. The answer is the same.
        masks : sequence of ndarray of bool, or None
            For each part, which rows may be returned; those held for None.
        lifts : sequence of sequence of ndarray of float64
            For each part, what each boost adds to each row.

        Examples
        --------
        >>> from matcher.features import HashtagBlock, TextBlock
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, [TextBlock(), HashtagBlock()])
        >>> nothing = BlockQuery(_NO_ROWS.astype(np.int32), np.zeros(0))
        >>> [hit.id for hit in snapshot.search_many([[nothing, nothing]], 1, "base", [None], [[]])[0]]
        ['1']
        """
        found: list[list[list[Hit]]] = [[] for _ in queries]
        for part, mask, boosts in zip(self.parts, masks, lifts, strict=True):
            allowed = part.held if mask is None else mask
            local = [Query(part.localise(query), allowed, boosts) for query in queries]
            rankings = part.index.search_many(local, k, part.engine(engine))
            for hits, ranking in zip(found, rankings, strict=True):
                hits.append(to_hits(part, ranking))
        return [_best(hits, k) for hits in found]

    def rank_of(
        self,
        query: Sequence[BlockQuery],
        part: Part,
        row: int,
        lifts: Sequence[Sequence[NDArray[np.float64]]],
    ) -> tuple[int, Hit]:
        """Return the rank (from 1) of one posting among all that are held, and the posting alone.

        Examples
        --------
        >>> from matcher.features import HashtagBlock, TextBlock
        >>> postings = [Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")]
        >>> snapshot = Snapshot.fit(postings, [TextBlock(), HashtagBlock()])
        >>> nothing = BlockQuery(_NO_ROWS.astype(np.int32), np.zeros(0))
        >>> rank, hit = snapshot.rank_of([nothing, nothing], *snapshot.find(["2"])[0], [[]])
        >>> rank, hit.score
        (2, 0.0)
        """
        posting_id = part.segment.catalogue.ids[row]
        queries = [
            Query(other.localise(query), other.held, boosts)
            for other, boosts in zip(self.parts, lifts, strict=True)
        ]
        own = next(number for number, other in enumerate(self.parts) if other is part)
        hit = to_hits(part, part.index.score_row(queries[own], row))[0]
        ahead = 0
        for other, wanted in zip(self.parts, queries, strict=True):
            before = other.segment.catalogue.ids.count_before(posting_id)
            ahead += other.index.count_ahead(wanted, hit.score, before)
        return 1 + ahead, hit


def _best(rankings: list[list[Hit]], k: int) -> list[Hit]:
    """Return the best of several exact rankings."""
    if len(rankings) == 1:
        return rankings[0]
    hits = [hit for ranking in rankings for hit in ranking]
    if len(hits) > k:  # ids are read only of those that can be among the best
        least = sorted((hit.score for hit in hits), reverse=True)[k - 1]
        hits = [hit for hit in hits if hit.score >= least]
    return sorted(hits, key=_order)[:k]


def _order(hit: Hit) -> tuple[float, Any]:
    return -hit.score, hit.id
