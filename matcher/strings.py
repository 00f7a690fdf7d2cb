"""Many strings as two arrays: one UTF-8 blob, one line a string, and where each line starts.

That is how vocabularies, posting ids and column values lie on disk (a text file that any editor
opens, plus offsets) and in memory (mapped, never copied). One string is found by bisection, many at once
by hashes that are made when they are first needed; there is no dictionary of all strings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, overload

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError

__all__: Final = ["StringTable"]


class StringTable(Sequence[str]):
    """An immutable sequence of strings without line breaks, stored as UTF-8 lines.

    Parameters
    ----------
    lines : ndarray of uint8
        The strings, each followed by one ``\\n``.
    offsets : ndarray of int64, shape (n + 1,)
        Where each line starts; the last entry is the size of `lines`.

    Examples
    --------
    >>> table = StringTable.from_strings(["c++", "köchin", "nurse"])
    >>> len(table), table[1], table.find("nurse"), table.find("cook")
    (3, 'köchin', 2, -1)
    """

    __slots__ = ("_hashed", "lines", "offsets")

    def __init__(self, lines: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self.lines = lines
        self.offsets = offsets
        self._hashed: tuple[NDArray[np.uint64], NDArray[np.int32]] | None = None

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> StringTable:
        """Return a table of `strings`, in their order.

        Line breaks become spaces, characters that UTF-8 cannot hold become ``?``.

        Examples
        --------
        >>> list(StringTable.from_strings(["a\\nb", ""]))
        ['a b', '']
        """
        encoded = [text.replace("\n", " ").encode("utf-8", errors="replace") + b"\n" for text in strings]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(line) for line in encoded], out=offsets[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), offsets)

    @classmethod
    def from_files(cls, files: Mapping[str, NDArray[np.generic]], name: str, *, unique: bool) -> StringTable:
        """Return the table that `to_files` wrote under `name`, after checking that it is sound.

        Parameters
        ----------
        files : mapping of str to ndarray
            Files of a model by name.
        name : str
            The prefix given to `to_files`.
        unique : bool
            Whether the strings must be sorted without repeats, as `find` needs them.

        Raises
        ------
        ModelDamagedError
            When offsets and lines do not fit together, or the order is wrong.

        Examples
        --------
        >>> files = StringTable.from_strings(["b", "a"]).to_files("x")
        >>> StringTable.from_files(files, "x", unique=True)
        Traceback (most recent call last):
        matcher.errors.ModelDamagedError: x.txt: lines are not sorted or not unique
        """
        lines, offsets = files[f"{name}.txt"], files[f"{name}.offsets"]
        if lines.dtype != np.uint8 or offsets.dtype != np.int64 or lines.ndim != 1 or offsets.ndim != 1:
            raise ModelDamagedError(f"{name}: unexpected array types")
        table = cls(lines, offsets)  # type: ignore[arg-type]
        if not table._has_lines():
            raise ModelDamagedError(f"{name}.offsets: offsets do not match the lines of {name}.txt")
        if unique:
            # Tables to search are small. The text of a large one is checked line by line, when it is read.
            try:
                lines.tobytes().decode("utf-8")
            except UnicodeDecodeError:
                raise ModelDamagedError(f"{name}.txt: not UTF-8") from None
            if not table._is_sorted():
                raise ModelDamagedError(f"{name}.txt: lines are not sorted or not unique")
        return table

    def to_files(self, name: str) -> dict[str, NDArray[np.generic]]:
        """Return the two arrays under the file names ``NAME.txt`` and ``NAME.offsets``.

        Examples
        --------
        >>> sorted(StringTable.from_strings(["a"]).to_files("ids"))
        ['ids.offsets', 'ids.txt']
        """
        return {f"{name}.txt": self.lines, f"{name}.offsets": self.offsets}

    def _has_lines(self) -> bool:
        """Return whether every line, and nothing else, ends where the offsets say."""
        if not len(self.offsets) or self.offsets[0] != 0 or self.offsets[-1] != len(self.lines):
            return False
        if np.any(np.diff(self.offsets) < 1) or np.any(self.lines[self.offsets[1:] - 1] != _NEWLINE):
            return False
        parts = (self.lines[start : start + _BYTES] for start in range(0, len(self.lines), _BYTES))
        return sum(int(np.count_nonzero(part == _NEWLINE)) for part in parts) == len(self)

    def _is_sorted(self) -> bool:
        lines = self.lines.tobytes().split(b"\n")[:-1]
        return all(a < b for a, b in pairwise(lines))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        try:
            return self._line(index % len(self)).decode("utf-8")
        except UnicodeDecodeError:
            raise ModelDamagedError(f"line {index + 1} of a table of strings is not UTF-8") from None

    def _line(self, index: int) -> bytes:
        return self.lines[self.offsets[index] : self.offsets[index + 1] - 1].tobytes()

    def find(self, text: str) -> int:
        """Return the position of `text` in a sorted table, or -1.

        UTF-8 sorts like the code points it encodes, so bytes are compared as they lie.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).find("b")
        1
        """
        try:
            wanted = text.encode("utf-8")
        except UnicodeEncodeError:  # a lone surrogate: no table holds one
            return -1
        position = bisect_left(range(len(self)), wanted, key=self._line)
        return position if position < len(self) and self._line(position) == wanted else -1

    def find_many(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return `find` of each text, all at once.

        A 64-bit hash of every line narrows each text down to one line at most (lines that share a hash are
        bisected); then bytes are compared.

        Returns
        -------
        ndarray of int64, shape (texts,)
            Positions, -1 where a text is missing.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).find_many(["b", "x", "a"])
        array([ 1, -1,  0])
        """
        data, offsets = _encode(texts)
        wanted = hash_lines(data, offsets)
        hashes, order = self._hashes()
        found = np.full(len(wanted), -1, np.int64)
        if not len(hashes) or not len(wanted):
            return found
        first = np.minimum(np.searchsorted(hashes, wanted), len(hashes) - 1)
        alone = first + 1 == np.searchsorted(hashes, wanted, side="right")
        hits = np.flatnonzero((hashes[first] == wanted) & alone)
        hits = hits[self._equal(order[first[hits]], data, offsets, hits)]
        found[hits] = order[first[hits]]
        several = np.flatnonzero((hashes[first] == wanted) & ~alone)
        found[several] = self._find_hashed(wanted[several], lambda number: texts[several[number]])
        return found

    def _equal(
        self,
        positions: NDArray[np.int32],
        data: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        texts: NDArray[np.int64],
    ) -> NDArray[np.bool_]:
        """Return which lines equal their texts, byte for byte."""
        begins, lengths = self.offsets[positions], offsets[texts + 1] - offsets[texts]
        equal: NDArray[np.bool_] = self.offsets[positions + 1] - 1 - begins == lengths
        compared = np.flatnonzero(equal & (lengths > 0))
        if len(compared):
            starts = np.cumsum(lengths[compared]) - lengths[compared]
            within = np.arange(int(lengths[compared].sum())) - np.repeat(starts, lengths[compared])
            ours = self.lines[within + np.repeat(begins[compared], lengths[compared])]
            theirs = data[within + np.repeat(offsets[texts[compared]], lengths[compared])]
            equal[compared] = np.logical_and.reduceat(ours == theirs, starts)
        return equal

    def find_runs(self, texts: Sequence[str], longest: int) -> NDArray[np.int64]:
        """Return the positions of all lines that are 1 to `longest` neighbouring texts written together.

        The hash of a run follows from the hashes of its parts, so no run is ever written out unless the table
        seems to hold it.

        Returns
        -------
        ndarray of int64
            Ascending, without repeats.

        Examples
        --------
        >>> StringTable.from_strings(["ab", "c"]).find_runs(["a", "b", "c"], 2)
        array([0, 1])
        """
        data, offsets = _encode(texts)
        single = hash_lines(data, offsets)
        shifts = _powers(int(np.diff(offsets).max(initial=0)) + 1)[np.diff(offsets)]
        found = []
        run = single
        for size in range(1, longest + 1):
            if size > 1:
                run = run[: len(single) - size + 1] * shifts[size - 1 :] + single[size - 1 :]
            positions = self._find_hashed(run, lambda start, size=size: "".join(texts[start : start + size]))  # type: ignore[misc]
            found.append(positions[positions >= 0])
        return np.unique(np.concatenate(found)) if found else np.zeros(0, np.int64)

    def _find_hashed(self, wanted: NDArray[np.uint64], text: Callable[[int], str]) -> NDArray[np.int64]:
        """Return the positions of texts with these hashes; ``text(i)`` is asked only for likely ones."""
        hashes, order = self._hashes()
        found = np.full(len(wanted), -1, np.int64)
        if not len(hashes) or not len(wanted):
            return found
        first = np.searchsorted(hashes, wanted)
        hits = np.flatnonzero(hashes[np.minimum(first, len(hashes) - 1)] == wanted)
        last = np.searchsorted(hashes, wanted[hits], side="right")
        for hit, low, high in zip(hits.tolist(), first[hits].tolist(), last.tolist(), strict=True):
            encoded = text(hit).encode("utf-8", "surrogatepass")
            positions = order[low:high].tolist()
            # The order is stable, so lines that share a hash ascend.
            place = bisect_left(positions, encoded, key=self._line) if high - low > 1 else 0
            if place < len(positions) and self._line(positions[place]) == encoded:
                found[hit] = positions[place]
        return found

    def _hashes(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """Return the hash of every line, ascending, and the positions in that order."""
        if self._hashed is None:
            hashes = hash_lines(self.lines, self.offsets, terminated=True)
            order = np.argsort(hashes, kind="stable").astype(np.int32)
            self._hashed = hashes[order], order
        return self._hashed


def _encode(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    joined = "".join(texts)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    if not joined.isascii():
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        lengths = np.fromiter(map(len, encoded), np.int64, len(texts))
    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return np.frombuffer(joined.encode("utf-8", "surrogatepass"), np.uint8), offsets


def hash_lines(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], *, terminated: bool = False
) -> NDArray[np.uint64]:
    """Return a polynomial hash of each string, modulo 2**64.

    That is the sum of ``(byte + 1) * BASE**(number of bytes behind it)`` over its bytes. Such hashes can be
    joined: ``hash(a + b) == hash(a) * BASE**len(b) + hash(b)`` (Karp and Rabin, Efficient randomized
    pattern-matching algorithms, 1987). They are easy to make collide on purpose; callers compare bytes.

    Parameters
    ----------
    data : ndarray of uint8
    offsets : ndarray of int64, shape (strings + 1,)
    terminated : bool
        Whether one more byte follows each string, to be left out.

    Examples
    --------
    >>> hashes = hash_lines(*_encode(["ab", "a", "b"]))
    >>> hashes[1:2] * BASE + hashes[2:3] == hashes[:1]
    array([ True])
    """
    hashes = np.zeros(len(offsets) - 1, np.uint64)
    for start in range(0, len(hashes), _CHUNK):
        part = offsets[start : start + _CHUNK + 1]
        lengths = np.diff(part)
        values = data[part[0] : part[-1]].astype(np.uint64) + np.uint64(1)
        behind = np.repeat(part[1:], lengths) - 1 - np.arange(part[0], part[-1]) - int(terminated)
        values *= _powers(int(lengths.max(initial=0)) + 1)[behind]
        if terminated:
            values[part[1:] - 1 - part[0]] = 0
        filled = np.flatnonzero(lengths)
        if len(filled):
            hashes[start + filled] = np.add.reduceat(values, (part[:-1] - part[0])[filled])
    return hashes


def _powers(count: int) -> NDArray[np.uint64]:
    powers = np.full(count, BASE, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


BASE: Final = np.uint64(0x9E3779B97F4A7C15)
_CHUNK: Final = 1 << 15
_BYTES: Final = 1 << 22
_NEWLINE: Final = ord("\n")
