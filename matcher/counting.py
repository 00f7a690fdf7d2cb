"""Counts of terms in many documents, and the vocabulary they make up.

A document is a text, whose tokens that count are its terms, or a list of terms. Without numba, terms are
counted by Python's own dictionaries; with it, texts are split and counted by compiled passes. The result is
the same.
"""

from __future__ import annotations

from array import array
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from matcher.analyzer import select_features, tokenize
from matcher.counts import Counts, narrow_counts
from matcher.strings import StringTable
from matcher.term_counts import TermCounts
from matcher.tokens import Tokens, split_compiled
from matcher.variants import fold_variants

__all__: Final = ["Counted", "count_documents"]

CHUNK: Final = 64
"""Documents that are counted together: their tokens stay in the second-level cache until then."""

_FIRST_TERMS: Final = 1 << 16
"""Room for terms to begin with: enough for a few thousand documents, which are counted again and again."""

_AS_THEY_ARE: Final = TermCounts()

_T = TypeVar("_T")
_R = TypeVar("_R")


class Counted(NamedTuple):
    """Terms and how often each document has them. See `count_documents`.

    Attributes
    ----------
    vocabulary : StringTable
        Sorted, unique.
    by_document : Counts
        Shape (documents, terms).
    by_term : Counts
        The same, transposed.

    Examples
    --------
    >>> count_documents([["b", "a"], ["a"]], list).by_term.starts
    array([0, 2, 3])
    """

    vocabulary: StringTable
    by_document: Counts
    by_term: Counts


class _Numbers(dict[str, int]):
    """Numbers of tokens in the order they are met; -1 for those that are no features."""

    def __init__(self) -> None:
        self.terms: dict[str, int] = {}

    def __missing__(self, token: str) -> int:
        number = self.terms.setdefault(token, len(self.terms)) if select_features([token]) else -1
        self[token] = number
        return number


def count_documents(
    documents: Iterable[_T],
    read: Callable[[_T], str | Sequence[str]],
    how: TermCounts = _AS_THEY_ARE,
    *,
    compiled: bool = False,
    threads: int = 1,
) -> Counted:
    """Count the terms of documents: features of texts, or terms as they are listed.

    Parameters
    ----------
    documents : iterable
    read : callable
        Returns a document's text, or its terms; either for all documents.
    how : TermCounts
        Which words are one term, and how much repeats count.
    compiled : bool
        Split and count texts with compiled code (extra ``[fast]``). The result is the same.
    threads : int
        At least 1. When compiled, texts are read, split and counted in all of them.

    Examples
    --------
    >>> counted = count_documents(["Cook and cook", "Nurse"], str)
    >>> list(counted.vocabulary), counted.by_document.counts
    (['cook', 'nurse'], array([2, 1], dtype=uint8))
    """
    iterator = iter(documents)
    first = list(islice(iterator, 1))
    documents = chain(first, iterator)
    if compiled and first and isinstance(read(first[0]), str):
        terms, counts = _count_compiled(documents, read, threads)  # type: ignore[arg-type]
    else:
        terms, counts = _count_in_python(map(read, documents))
    return _assemble(terms, counts, how)


def _count_in_python(documents: Iterable[str | Sequence[str]]) -> tuple[list[str], Counts]:
    numbers = _Numbers()
    terms, counts, ends = array("i"), array("I"), array("q", [0])
    for document in documents:
        if isinstance(document, str):
            counted = Counter(tokenize(document))
            terms.extend(map(numbers.__getitem__, counted))
        else:
            counted = Counter(document)
            terms.extend([numbers.terms.setdefault(term, len(numbers.terms)) for term in counted])
        counts.extend(counted.values())
        ends.append(len(terms))
    columns, values = np.array(terms, np.int32), np.array(counts, np.uint32)
    kept = columns >= 0
    starts = np.concatenate([[0], np.cumsum(kept)])[np.array(ends)]
    return list(numbers.terms), Counts(starts, columns[kept], narrow_counts(values[kept]))


class _Part(NamedTuple):
    """Entries of a few documents: numbers of terms, counts, and how many entries each document has."""

    terms: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger]
    lengths: NDArray[np.int64]


def _count_compiled(
    documents: Iterable[_T], read: Callable[[_T], str], threads: int
) -> tuple[list[str], Counts]:
    counters = [_CompiledCounter() for _ in range(threads)]
    free = deque(range(threads))
    parts: list[tuple[int, _Part]] = []

    def count(chunk: list[_T]) -> tuple[int, _Part]:
        number = free.popleft()
        try:
            return number, counters[number].count(split_compiled([read(document) for document in chunk]))
        finally:
            free.append(number)

    parts.extend(_map_ahead(count, _chunks(documents), threads))
    # Every counter numbered the terms it met in its own order; the first one's numbers hold for all.
    known = {term: number for number, term in enumerate(counters[0].vocabulary())}
    numbers = [np.arange(len(known), dtype=np.int32)] + [
        np.array([known.setdefault(term, len(known)) for term in counter.vocabulary()], np.int32)
        for counter in counters[1:]
    ]
    columns = [numbers[counter][part.terms] for counter, part in parts]
    counts = [part.counts for _, part in parts]
    starts = np.cumsum(np.concatenate([[0], *(part.lengths for _, part in parts)]))
    return list(known), Counts(starts, np.concatenate(columns), np.concatenate(counts))


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, CHUNK)):
        yield chunk


def _map_ahead(function: Callable[[_T], _R], items: Iterable[_T], threads: int) -> Iterator[_R]:
    """Yield ``function(item)`` in order, computed in threads that are at most a few items ahead."""
    if threads == 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[_R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class _CompiledCounter:
    """Terms met so far, with room for more. One thread at a time may use it."""

    def __init__(self) -> None:
        self.sizes = np.zeros(2, np.int64)
        self.slots = np.full(4 * _FIRST_TERMS, -1, np.int32)
        self.hashes = np.empty(_FIRST_TERMS, np.uint64)
        self.lines = np.empty(16 * _FIRST_TERMS, np.uint8)
        self.starts = np.zeros(_FIRST_TERMS + 1, np.int64)
        self.seen = np.empty((_FIRST_TERMS, 2), np.int64)
        self.documents = 0

    def count(self, tokens: Tokens) -> _Part:
        """Return the entries of a few texts."""
        from matcher.scanner import FEATURE, count_tokens

        strings, total = tokens.strings, len(tokens.strings)
        self._make_room(total, len(strings.data) + total)
        terms, counts = np.empty(total, np.int32), np.empty(total, np.uint32)
        ends = np.empty(len(tokens.bounds) - 1, np.int64)
        known = self.sizes, self.slots, self.hashes, self.lines, self.starts, self.seen
        flags = tokens.is_feature.view(np.uint8) * FEATURE
        entries = count_tokens(
            strings.data,
            strings.offsets,
            strings.hashes,
            flags,
            tokens.bounds,
            self.documents + 1,
            *known,
            terms,
            counts,
            ends,
        )
        self.documents += len(ends)
        return _Part(terms[:entries].copy(), narrow_counts(counts[:entries]), np.diff(ends, prepend=0))

    def _make_room(self, terms: int, size: int) -> None:
        from matcher.scanner import fill_slots

        known, used = self.sizes.tolist()
        if used + size > len(self.lines):
            self.lines = np.concatenate([self.lines[:used], np.empty(used + size, np.uint8)])
        if known + terms > len(self.hashes):
            more = known + terms
            self.hashes = np.concatenate([self.hashes[:known], np.empty(more, np.uint64)])
            self.starts = np.concatenate([self.starts[: known + 1], np.empty(more, np.int64)])
            self.seen = np.concatenate([self.seen[:known], np.empty((more, 2), np.int64)])
        if 2 * (known + terms) > len(self.slots):
            self.slots = np.empty(1 << (4 * (known + terms)).bit_length(), np.int32)
            fill_slots(self.hashes, known, self.slots)

    def vocabulary(self) -> list[str]:
        """Return the terms in the order of their numbers."""
        return self.lines[: self.sizes[1]].tobytes().decode("utf-8").split("\n")[:-1]


def _assemble(terms: list[str], counts: Counts, how: TermCounts) -> Counted:
    """Return counts whose columns are in the order of `terms`, with sorted terms, counted as asked for."""
    if how.fold:
        known: dict[str, int] = {}
        numbers = [known.setdefault(fold_variants(term), len(known)) for term in terms]
        terms, counts = list(known), counts._replace(columns=np.array(numbers, np.int32)[counts.columns])
    order = sorted(range(len(terms)), key=terms.__getitem__)
    places = np.empty(len(terms), np.int32)
    places[order] = np.arange(len(terms), dtype=np.int32)
    by_term = Counts(counts.starts, places[counts.columns], counts.counts).transpose(len(terms))
    # Twice transposed: columns ascend in every row.
    by_document = by_term.transpose(len(counts.starts) - 1)
    if how.fold or how.saturation:
        by_document = _add_up_repeats(by_document)
        stored = how.stored(by_document.counts, by_document.starts)
        by_document = by_document._replace(counts=narrow_counts(stored))
        by_term = by_document.transpose(len(terms))
    return Counted(StringTable.from_strings([terms[number] for number in order]), by_document, by_term)


def _add_up_repeats(counts: Counts) -> Counts:
    """Return counts in which each row has a column once; entries that became one stand side by side."""
    is_first = np.ones(len(counts.columns), np.bool_)
    is_first[1:] = counts.columns[1:] != counts.columns[:-1]
    is_first[counts.starts[:-1][np.diff(counts.starts) > 0]] = True
    firsts = np.flatnonzero(is_first)
    if len(firsts) == len(is_first):
        return counts
    sums = np.add.reduceat(counts.counts, firsts, dtype=np.uint32)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(is_first)])[counts.starts]
    return Counts(starts, counts.columns[firsts], narrow_counts(sums))
