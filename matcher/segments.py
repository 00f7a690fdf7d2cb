"""A segment: some postings with the counts of their terms, written once and never changed.

A matcher holds its postings in segments: those it was fitted on, and one for each lot that came later. A
segment knows nothing of weights, so learning new ones leaves it as it is, in memory and on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.catalogue import Catalogue
from matcher.counts import BlockCounts, Counts
from matcher.dense import DenseVectors
from matcher.features import FeatureBlock
from matcher.posting import Posting
from matcher.semantic import SemanticBlock, encoder_of
from matcher.strings import StringTable, gather
from matcher.tokens import split_compiled, split_in_python

__all__: Final = ["Segment", "SegmentBlock"]

POSTINGS_AT_ONCE: Final = 256
"""Postings whose texts are encoded together."""


@dataclass(frozen=True, slots=True, eq=False)
class SegmentBlock:
    """One block's terms in the postings of a segment.

    Parameters
    ----------
    vocabulary : StringTable
        Sorted, unique; every term occurs in a posting of the segment.
    counts : BlockCounts
        Columns are positions in `vocabulary`.
    dense : DenseVectors, optional
        The postings' vectors, for a block that has those instead of terms.

    Examples
    --------
    >>> from matcher.features import TextBlock
    >>> segment = Segment.from_postings([Posting(id="1", title="Cook")], [TextBlock()])
    >>> list(segment.blocks[0].vocabulary)
    ['cook']
    """

    vocabulary: StringTable
    counts: BlockCounts
    dense: DenseVectors | None = None

    @classmethod
    def of_vectors(cls, dense: DenseVectors) -> SegmentBlock:
        """Return a block that has vectors and no terms.

        Examples
        --------
        >>> SegmentBlock.of_vectors(DenseVectors.from_rows(np.eye(2))).frequencies(np.array([0]))
        array([], dtype=int64)
        """
        nothing = np.zeros(0, np.int32), np.zeros(0, np.uint8)
        by_posting = Counts(np.zeros(len(dense) + 1, np.int64), *nothing)
        by_term = Counts(np.zeros(1, np.int64), *nothing)
        return cls(StringTable.from_strings([]), BlockCounts(by_posting, by_term), dense)

    def frequencies(self, deleted: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return in how many postings each term occurs, those in rows `deleted` left out; shape (terms,).

        Examples
        --------
        >>> from matcher.features import HashtagBlock
        >>> postings = [Posting(id="1", hashtags=["b", "a"]), Posting(id="2", hashtags=["b"])]
        >>> segment = Segment.from_postings(postings, [HashtagBlock()])
        >>> segment.blocks[0].frequencies(np.array([1]))
        array([1, 1])
        """
        frequencies = np.diff(self.counts.by_term.starts)
        if len(deleted):
            entries, _ = gather(self.counts.by_posting.starts, deleted)
            columns = self.counts.by_posting.columns[entries]
            frequencies -= np.bincount(columns, minlength=len(frequencies))
        return frequencies


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Segment:
    """Postings with the counts of their terms.

    Parameters
    ----------
    catalogue : Catalogue
    blocks : tuple of SegmentBlock
        In the order of the feature blocks.
    engines : dict
        What engines made of the counts, by name of the engine; see `matcher.snapshot`.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> segment = Segment.from_postings([Posting(id="1", title="Cook")], default_blocks())
    >>> segment.rows, list(segment.blocks[0].vocabulary)
    (1, ['cook'])
    """

    catalogue: Catalogue
    blocks: tuple[SegmentBlock, ...]
    engines: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Number of postings, deleted ones included.

        Examples
        --------
        >>> Segment.from_postings([], []).rows
        0
        """
        return len(self.catalogue)

    @classmethod
    def from_postings(
        cls,
        postings: Sequence[Posting],
        blocks: Sequence[FeatureBlock],
        *,
        compiled: bool = False,
        threads: int = 1,
        progress: Callable[[str, int, int], None] | None = None,
    ) -> Segment:
        """Count the terms of postings, all of distinct ids and in ascending order of id.

        Parameters
        ----------
        postings : sequence of Posting
        blocks : sequence of FeatureBlock
        compiled : bool
            Count texts with compiled code (extra ``[fast]``). The result is the same.
        threads : int
            Threads that read, split and count texts, when compiled.
        progress : callable, optional
            Called with ``(stage, done, total)``.

        Examples
        --------
        >>> Segment.from_postings([Posting(id="1"), Posting(id="2")], []).rows
        2
        """
        from matcher.counting import count_documents  # a process that only ranks does without

        counted: list[SegmentBlock] = []
        for block in blocks:
            documents = _reporting(postings, f"counting {block.name}", progress)
            if isinstance(block, SemanticBlock):
                counted.append(_encode(block, documents, compiled=compiled))
                continue
            part = count_documents(
                documents, block.posting_content, block.counting, compiled=compiled, threads=threads
            )
            counted.append(SegmentBlock(part.vocabulary, BlockCounts(part.by_document, part.by_term)))
        return cls(Catalogue.from_postings(postings), tuple(counted))

    @classmethod
    def from_files(
        cls, files: Mapping[str, NDArray[np.generic]], name: str, blocks: Sequence[FeatureBlock]
    ) -> Segment:
        """Return the segment that `to_files` wrote under `name`, after checking it.

        Raises
        ------
        ModelDamagedError
            When a length, position, number or order is wrong.

        Examples
        --------
        >>> files = Segment.from_postings([Posting(id="1")], []).to_files("segment0", [])
        >>> Segment.from_files(files, "segment0", []).rows
        1
        """
        catalogue = Catalogue.from_files(files, f"{name}.postings")
        counted = []
        for block in blocks:
            prefix = f"{name}.{block.name}"
            if isinstance(block, SemanticBlock):
                dense = DenseVectors.from_files(files, prefix, len(catalogue))
                counted.append(SegmentBlock.of_vectors(dense))
                continue
            vocabulary = StringTable.from_files(files, f"{prefix}.vocabulary", unique=True)
            counts = BlockCounts.from_files(files, prefix, len(catalogue), len(vocabulary))
            counted.append(SegmentBlock(vocabulary, counts))
        return cls(catalogue, tuple(counted))

    def to_files(self, name: str, blocks: Sequence[FeatureBlock]) -> dict[str, NDArray[np.generic]]:
        """Return the segment's arrays by file name.

        Examples
        --------
        >>> "segment0.postings.records.txt" in Segment.from_postings([], []).to_files("segment0", [])
        True
        """
        files = self.catalogue.to_files(f"{name}.postings")
        for block, counted in zip(blocks, self.blocks, strict=True):
            prefix = f"{name}.{block.name}"
            if counted.dense is not None:
                files |= counted.dense.to_files(prefix)
            else:
                files |= counted.vocabulary.to_files(f"{prefix}.vocabulary")
                files |= counted.counts.to_files(prefix)
        return files


def _encode(block: SemanticBlock, postings: Iterable[Posting], *, compiled: bool) -> SegmentBlock:
    encoder, split = encoder_of(block), split_compiled if compiled else split_in_python
    vectors, known = [np.zeros((0, encoder.dimensions), np.int8)], [np.zeros(0, np.uint8)]
    iterator = iter(postings)
    while some := list(islice(iterator, POSTINGS_AT_ONCE)):
        texts = [block.posting_content(posting) for posting in some]
        vectors.append(encoder.encode_postings(texts, split))
        known.append(encoder.share_known(texts, split))
    return SegmentBlock.of_vectors(DenseVectors(np.concatenate(vectors), np.concatenate(known)))


def _reporting(
    postings: Sequence[Posting], stage: str, progress: Callable[[str, int, int], None] | None
) -> Any:
    for done, posting in enumerate(postings):
        if progress is not None and done % 100 == 0:
            progress(stage, done, len(postings))
        yield posting
    if progress is not None:
        progress(stage, len(postings), len(postings))
