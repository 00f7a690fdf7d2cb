"""One segment of a snapshot, under the weights of its last fit: what is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.base import Engine
from matcher.counts import BlockIndex, invert_norms
from matcher.dense import CentredVectors
from matcher.engines import make_engine
from matcher.index import Index, Ranking
from matcher.learning import BlockFeatures
from matcher.merging import MISSING
from matcher.queries import BlockQuery
from matcher.segments import Segment

__all__: Final = ["Hit", "Part", "to_hits"]

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

    Examples
    --------
    >>> nothing = np.zeros(0, np.int64)
    >>> Hit(Part.from_segment(Segment.from_postings([], []), [], []), 0, 0.5, nothing, nothing, nothing).score
    0.5
    """

    part: Part
    row: int
    score: float
    blocks: NDArray[np.int64]
    features: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def id(self) -> str:
        """The posting's id.

        Examples
        --------
        >>> from matcher.posting import Posting
        >>> segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], [])
        >>> part = Part.from_segment(segment, [], [], np.array([0]))
        >>> Hit(part, 1, 0.5, _NO_ROWS, _NO_ROWS, np.zeros(0)).id
        'b'
        """
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

    Examples
    --------
    >>> part = Part.from_segment(Segment.from_postings([], []), [], [])
    >>> part.size, part.index.rows
    (0, 0)
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
        """Return a segment under what was learned; norms are computed unless they are known.

        Examples
        --------
        >>> Part.from_segment(Segment.from_postings([], []), [], []).size
        0
        """
        blocks = []
        for number, (counted, fitted, place) in enumerate(zip(segment.blocks, features, places, strict=True)):
            centred, shares = None, None
            if counted.dense is not None and fitted.centre is not None:
                centred = CentredVectors(counted.dense.vectors, fitted.centre)
                shares = counted.dense.shares
            if inverse_norms is not None:
                inverse = inverse_norms[number]
            elif centred is not None:
                inverse = centred.invert_norms()
            else:
                weights = np.append(fitted.term_weights, 0.0)[place]  # what is missing weighs nothing
                inverse = invert_norms(counted.counts.by_posting, weights, compiled=compiled)
            blocks.append(BlockIndex(float(fitted.block.weight), *counted.counts, inverse, centred, shares))
        return cls(segment, tuple(places), deleted, Index(tuple(blocks), segment.rows))

    @property
    def size(self) -> int:
        """Number of postings held.

        Examples
        --------
        >>> from matcher.posting import Posting
        >>> segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], [])
        >>> part = Part.from_segment(segment, [], [], np.array([0]))
        >>> part.size
        1
        """
        return self.segment.rows - len(self.deleted)

    @property
    def held(self) -> NDArray[np.bool_] | None:
        """Which rows are held, shape (rows,); None for all.

        Examples
        --------
        >>> from matcher.posting import Posting
        >>> segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], [])
        >>> part = Part.from_segment(segment, [], [], np.array([0]))
        >>> part.held
        array([False,  True])
        """
        if not len(self.deleted):
            return None
        mask = np.ones(self.segment.rows, np.bool_)
        mask[self.deleted] = False
        return mask

    @property
    def kept(self) -> NDArray[np.int64]:
        """The rows that are held, ascending.

        Examples
        --------
        >>> from matcher.posting import Posting
        >>> segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], [])
        >>> part = Part.from_segment(segment, [], [], np.array([0]))
        >>> part.kept
        array([1])
        """
        mask = self.held
        return np.arange(self.segment.rows) if mask is None else np.flatnonzero(mask)

    def find(self, lines: Sequence[bytes], *, compiled: bool = False) -> NDArray[np.int64]:
        """Return the row of each posting id (UTF-8), -1 for those not held.

        Examples
        --------
        >>> from matcher.posting import Posting
        >>> segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], [])
        >>> part = Part.from_segment(segment, [], [], np.array([0]))
        >>> part.find([b"a", b"b"])
        array([-1,  1])
        """
        rows = self.segment.catalogue.ids.find_lines(lines, compiled=compiled)
        if len(self.deleted):
            rows[np.isin(rows, self.deleted)] = -1
        return rows

    def without(self, rows: NDArray[np.int64]) -> Part:
        """Return the part with more rows deleted.

        Examples
        --------
        >>> from matcher.posting import Posting
        >>> segment = Segment.from_postings([Posting(id="a"), Posting(id="b")], [])
        >>> part = Part.from_segment(segment, [], [], np.array([0]))
        >>> part.without(np.array([1])).deleted
        array([0, 1])
        """
        if not len(rows):
            return self
        return replace(self, deleted=np.union1d(self.deleted, rows))

    def with_weights(self, weights: Sequence[float]) -> Part:
        """Return the part with other weights of its blocks; counts, norms and places are shared.

        Examples
        --------
        >>> Part.from_segment(Segment.from_postings([], []), [], []).with_weights([]).size
        0
        """
        blocks = (replace(block, weight=w) for block, w in zip(self.index.blocks, weights, strict=True))
        return replace(self, index=replace(self.index, blocks=tuple(blocks)), _engines={})

    def engine(self, name: str) -> Engine:
        """Return the engine of this name over the part, made when it is first asked for.

        What an engine makes of counts alone is kept with the segment and used again under other weights.

        Examples
        --------
        >>> Part.from_segment(Segment.from_postings([], []), [], []).engine("base").name
        'base'
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
        """Return a query in the terms of the segment.

        Examples
        --------
        >>> Part.from_segment(Segment.from_postings([], []), [], []).localise([])
        ()
        """
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
        return query._replace(features=features, weights=weights, elsewhere=query.asked)


def to_hits(part: Part, ranking: Ranking) -> list[Hit]:
    """Return the ranking of a part as hits, best first.

    Examples
    --------
    >>> from matcher.base import Query
    >>> part = Part.from_segment(Segment.from_postings([], []), [], [])
    >>> to_hits(part, part.index.search(Query(()), 3))
    []
    """
    table = ranking.contributions
    bounds = np.searchsorted(table.positions, np.arange(len(ranking.rows) + 1)).tolist()
    hits = []
    for position, (row, score) in enumerate(zip(ranking.rows.tolist(), ranking.scores.tolist(), strict=True)):
        entries = slice(bounds[position], bounds[position + 1])
        hits.append(
            Hit(part, row, score, table.blocks[entries], table.features[entries], table.values[entries])
        )
    return hits
