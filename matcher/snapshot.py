"""All that a matcher holds at one moment: segments, which of their postings count, and what was learned.

A snapshot never changes. News of postings make another one, which shares what stayed the same, so a call
that began with one ends with it, whatever other threads do to the matcher.

Weights belong to the snapshot and are those of its last fit: a posting added since is scored by them, and
terms that no posting had before do not count yet. `Snapshot.refit` learns them anew. It reads the stored
counts instead of the texts, and the result is, bit for bit, that of counting everything afresh: frequencies
are integers, and each norm is summed over the same terms in the same order.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.base import Engine, Query
from matcher.catalogue import NO_DATE
from matcher.counts import BlockIndex, invert_norms
from matcher.engines import make_engine
from matcher.errors import ModelDamagedError
from matcher.features import FeatureBlock
from matcher.index import Index, Ranking
from matcher.learning import BlockFeatures, BlockQuery
from matcher.merging import MISSING, insert_terms, merge_segments
from matcher.posting import Posting
from matcher.segments import Segment
from matcher.strings import StringTable

__all__: Final = ["Hit", "Part", "Snapshot"]

_NO_ROWS: Final = np.zeros(0, np.int64)


class Hit(NamedTuple):
    """One posting of a ranking, and what its score is the sum of.

    Attributes
    ----------
    part : Part
        Where it is held.
    row : int
        Its row there.
    score : float
    blocks, features, values : ndarray
        Contributions, in canonical order; features are positions in the vocabulary of the part's segment.
        See `matcher.index.Contributions`.
    """

    part: Part
    row: int
    score: float
    blocks: NDArray[np.int64]
    features: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def id(self) -> str:
        """The posting's id."""
        return self.part.segment.catalogue.ids[self.row]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One segment, as the postings that are held of it are ranked.

    Parameters
    ----------
    segment : Segment
    places : tuple of ndarray of int32
        For each block, where the segment's terms are in the learned vocabulary, or `matcher.merging.MISSING`.
    deleted : ndarray of int64
        Rows that are held no more, ascending.
    index : Index
        The segment's counts with the weights of the last fit.
    """

    segment: Segment
    places: tuple[NDArray[np.int32], ...]
    deleted: NDArray[np.int64]
    index: Index
    _engines: dict[str, Engine] = field(default_factory=dict)
    _inverse: dict[int, NDArray[np.int32] | None] = field(default_factory=dict)

    @classmethod
    def from_segment(
        cls,
        segment: Segment,
        features: Sequence[BlockFeatures],
        places: Sequence[NDArray[np.int32]],
        deleted: NDArray[np.int64] = _NO_ROWS,
        *,
        inverse_norms: Sequence[NDArray[np.float64]] | None = None,
        compiled: bool = False,
    ) -> Part:
        """Return a segment under what was learned; norms are computed unless they are known."""
        blocks = []
        for number, (counted, fitted, place) in enumerate(zip(segment.blocks, features, places, strict=True)):
            if inverse_norms is not None:
                inverse = inverse_norms[number]
            else:
                weights = np.append(fitted.term_weights, 0.0)[place]  # what is missing weighs nothing
                inverse = invert_norms(counted.counts.by_posting, weights, compiled=compiled)
            blocks.append(BlockIndex(float(fitted.block.weight), *counted.counts, inverse))
        return cls(segment, tuple(places), deleted, Index(tuple(blocks), segment.rows))

    @property
    def size(self) -> int:
        """Number of postings held."""
        return self.segment.rows - len(self.deleted)

    @property
    def held(self) -> NDArray[np.bool_] | None:
        """Which rows are held, shape (rows,); None for all."""
        if not len(self.deleted):
            return None
        mask = np.ones(self.segment.rows, np.bool_)
        mask[self.deleted] = False
        return mask

    @property
    def kept(self) -> NDArray[np.int64]:
        """The rows that are held, ascending."""
        mask = self.held
        return np.arange(self.segment.rows) if mask is None else np.flatnonzero(mask)

    def find(self, lines: Sequence[bytes], *, compiled: bool = False) -> NDArray[np.int64]:
        """Return the row of each posting id (UTF-8), -1 for those not held."""
        rows = self.segment.catalogue.ids.find_lines(lines, compiled=compiled)
        if len(self.deleted):
            rows[np.isin(rows, self.deleted)] = -1
        return rows

    def without(self, rows: NDArray[np.int64]) -> Part:
        """Return the part with more rows deleted."""
        if not len(rows):
            return self
        return replace(self, deleted=np.union1d(self.deleted, rows))

    def engine(self, name: str) -> Engine:
        """Return the engine of this name over the part, made when it is first asked for.

        What an engine makes of counts alone is kept with the segment and used again under other weights.
        """
        engine = self._engines.get(name)
        if engine is None:
            like = self.segment.engines.get(name)
            if like is None:
                engine = make_engine(name, self.index.blocks, self.index.rows)
            else:
                engine = like.with_norms(self.index.blocks)
            self.segment.engines[name] = self._engines[name] = engine
        return engine

    def localise(self, blocks: Sequence[BlockQuery]) -> tuple[BlockQuery, ...]:
        """Return a query in the terms of the segment."""
        return tuple(self._localise(number, block) for number, block in enumerate(blocks))

    def _localise(self, number: int, query: BlockQuery) -> BlockQuery:
        if number not in self._inverse:  # two threads at once compute the same
            place = self.places[number]
            size = int(place.max(initial=-1)) + 1
            inverse: NDArray[np.int32] | None = None
            # Places ascend: when none is missing or skipped, they are the positions themselves.
            if size != len(place) or (place < 0).any():
                inverse = np.full(size, MISSING, np.int32)
                inverse[place[place >= 0]] = np.flatnonzero(place >= 0)
            self._inverse[number] = inverse
        inverse = self._inverse[number]
        within = query.features < (len(self.places[number]) if inverse is None else len(inverse))
        features, weights = query.features, query.weights
        if not within.all():
            features, weights = features[within], weights[within]
        if inverse is not None:
            features = inverse[features]
            features, weights = features[features >= 0], weights[features >= 0]
        return BlockQuery(features, weights, query.asked)


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
    >>> from matcher.posting import Posting
    >>> empty = Snapshot.empty(default_blocks())
    >>> segment = Segment.from_postings([Posting(id="1", title="Cook")], default_blocks())
    >>> snapshot = empty.with_segment(segment).refit()
    >>> len(snapshot), list(snapshot.features[0].vocabulary)
    (1, ['cook'])
    """

    features: tuple[BlockFeatures, ...]
    parts: tuple[Part, ...]
    is_fitted: bool = True

    @classmethod
    def empty(cls, blocks: Iterable[FeatureBlock]) -> Snapshot:
        """Return a snapshot without postings."""
        nothing = StringTable.from_strings([])
        return cls(tuple(BlockFeatures.learn(block, nothing, _NO_ROWS, 0) for block in blocks), ())

    @property
    def blocks(self) -> list[FeatureBlock]:
        """The feature blocks, in canonical order."""
        return [fitted.block for fitted in self.features]

    def __len__(self) -> int:
        return sum(part.size for part in self.parts)

    def find(self, ids: Sequence[str], *, compiled: bool = False) -> list[tuple[Part, int] | None]:
        """Return the part and row of each posting id, None for those not held."""
        lines = [posting_id.encode("utf-8", "surrogatepass") for posting_id in ids]
        found: list[tuple[Part, int] | None] = [None] * len(ids)
        for part in self.parts:
            rows = part.find(lines, compiled=compiled)
            for number in np.flatnonzero(rows >= 0).tolist():
                found[number] = part, int(rows[number])
        return found

    def postings_with(self, number: int, term: str, limit: int) -> list[Posting]:
        """Return at most `limit` postings that hold a term of a block (by number), in ascending order."""
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
        """Return a snapshot that holds the postings of one more segment, scored by the weights there are."""
        places = [
            fitted.vocabulary.find_lines(counted.vocabulary.to_lines(), compiled=compiled).astype(np.int32)
            for fitted, counted in zip(self.features, segment.blocks, strict=True)
        ]
        part = Part.from_segment(segment, self.features, places, compiled=compiled)
        return replace(self, parts=(*self.parts, part), is_fitted=False)

    def without(self, rows: Sequence[tuple[Part, int]]) -> Snapshot:
        """Return a snapshot that does not hold some postings any more."""
        if not rows:
            return self
        deleted: dict[int, list[int]] = {}
        for part, row in rows:
            deleted.setdefault(id(part), []).append(row)
        parts = [part.without(np.array(deleted.get(id(part), []), np.int64)) for part in self.parts]
        return replace(self, parts=tuple(part for part in parts if part.size), is_fitted=False)

    def refit(self, *, compiled: bool = False) -> Snapshot:
        """Return a snapshot of the same postings with everything learned from them anew.

        Parameters
        ----------
        compiled : bool
            Whether compiled code adds up norms (extra ``[fast]``). The result is the same.
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

    def merge(self, numbers: Sequence[int]) -> Snapshot:
        """Return a snapshot of the same postings with some parts, by number, merged into one.

        The merged segment holds no deleted postings; scores and rankings stay what they are.
        """
        chosen = [self.parts[number] for number in numbers]
        others = [part for number, part in enumerate(self.parts) if number not in set(numbers)]
        return replace(self, parts=(*others, *self._merge(chosen, [part.kept for part in chosen])))

    def split(self, number: int, most: int) -> Snapshot:
        """Return a snapshot in which one part, by number, is cut into parts of at most `most` postings."""
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
        """The date of the newest posting in milliseconds since 1970, None when none is dated."""
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
        """
        found: list[list[list[Hit]]] = [[] for _ in queries]
        for part, mask, boosts in zip(self.parts, masks, lifts, strict=True):
            local = [
                Query(part.localise(query), part.held if mask is None else mask, boosts) for query in queries
            ]
            for hits, ranking in zip(
                found, part.index.search_many(local, k, part.engine(engine)), strict=True
            ):
                hits.append(_to_hits(part, ranking))
        return [_best(hits, k) for hits in found]

    def rank_of(
        self,
        query: Sequence[BlockQuery],
        part: Part,
        row: int,
        lifts: Sequence[Sequence[NDArray[np.float64]]],
    ) -> tuple[int, Hit]:
        """Return the rank (from 1) of one posting among all that are held, and the posting alone."""
        posting_id = part.segment.catalogue.ids[row]
        queries = [
            Query(other.localise(query), other.held, boosts)
            for other, boosts in zip(self.parts, lifts, strict=True)
        ]
        own = next(number for number, other in enumerate(self.parts) if other is part)
        hit = _to_hits(part, part.index.score_row(queries[own], row))[0]
        ahead = 0
        for other, wanted in zip(self.parts, queries, strict=True):
            before = other.segment.catalogue.ids.count_before(posting_id)
            ahead += other.index.count_ahead(wanted, hit.score, before)
        return 1 + ahead, hit


def _to_hits(part: Part, ranking: Ranking) -> list[Hit]:
    table = ranking.contributions
    bounds = np.searchsorted(table.positions, np.arange(len(ranking.rows) + 1)).tolist()
    hits = []
    for position, (row, score) in enumerate(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)):
        entries = slice(bounds[position], bounds[position + 1])
        hits.append(
            Hit(part, row, score, table.blocks[entries], table.features[entries], table.values[entries])
        )
    return hits


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
