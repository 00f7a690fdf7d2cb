"""Many strings as arrays: UTF-8 bytes, one string after the other, and where each starts.

`StringTable` is how vocabularies, posting ids and column values lie on disk (a text file that any editor
opens, plus offsets) and in memory (mapped, never copied). One string is found by bisection, many at once
by hashes that are made when they are first needed; there is no dictionary of all strings. `Strings` are
what is looked up: the tokens of a text.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from matcher.errors import ModelDamagedError

__all__: Final = ["BASE", "Found", "StringTable", "Strings", "gather", "to_offsets"]

_Item = TypeVar("_Item", bound=np.generic)

BASE: Final = np.uint64(int.from_bytes(os.urandom(7), "little") * 8 + 5)
"""Of the hashes; another one in every process, so that nobody can choose words whose hashes collide.
(Strings of a thousand letters can collide for every base: bytes tell them apart, as they do for all.)"""


def to_offsets(lengths: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where each of several pieces of these lengths starts, and where the last one ends.

    Examples
    --------
    >>> to_offsets([2, 0, 3])
    array([0, 2, 2, 5])
    """
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def gather(starts: NDArray[np.int64], rows: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the entries of several rows, one row after the other, and the position in `rows` of each.

    Examples
    --------
    >>> gather(np.array([0, 2, 5]), np.array([1, 0]))
    (array([2, 3, 4, 0, 1]), array([0, 0, 0, 1, 1]))
    """
    begins = starts[rows]
    lengths = starts[rows + 1] - begins
    owners = np.repeat(np.arange(len(rows)), lengths)
    before = np.cumsum(lengths) - lengths
    return np.arange(len(owners)) + (begins - before)[owners], owners


class Strings:
    """Strings to look up, with their hashes.

    Parameters
    ----------
    data : ndarray of uint8
        The strings in UTF-8, one after the other.
    offsets : ndarray of int64, shape (strings + 1,)
        Where each starts; the last entry is the size of `data`.
    hashes : ndarray of uint64, shape (strings,)
        See `hash_strings`.
    compiled : bool
        Whether the strings come from compiled code; then compiled code looks them up, too.

    Examples
    --------
    >>> strings = Strings.from_strings(["a", "köchin"])
    >>> len(strings), strings[1]
    (2, 'köchin')
    """

    __slots__ = ("compiled", "data", "hashes", "offsets")

    def __init__(
        self,
        data: NDArray[np.uint8],
        offsets: NDArray[np.int64],
        hashes: NDArray[np.uint64],
        *,
        compiled: bool = False,
    ) -> None:
        self.compiled = compiled
        self.data = data
        self.offsets = offsets
        self.hashes = hashes

    @classmethod
    def from_strings(cls, strings: Sequence[str]) -> Strings:
        """Return `strings` as arrays.

        Examples
        --------
        >>> Strings.from_strings(["a", "bc"]).offsets
        array([0, 1, 3])
        """
        joined = "".join(strings)
        lengths = np.fromiter(map(len, strings), np.int64, len(strings))
        if not joined.isascii():
            encoded = [text.encode("utf-8", "surrogatepass") for text in strings]
            lengths = np.fromiter(map(len, encoded), np.int64, len(strings))
        offsets = to_offsets(lengths)
        data = np.frombuffer(joined.encode("utf-8", "surrogatepass"), np.uint8)
        return cls(data, offsets, hash_strings(data, offsets))

    @classmethod
    def from_lines(cls, lines: Sequence[bytes], *, compiled: bool = False) -> Strings:
        """Return strings given in UTF-8 as arrays.

        Examples
        --------
        >>> list(Strings.from_lines([b"a", b"bc"]))
        ['a', 'bc']
        """
        data, offsets = np.frombuffer(bytearray().join(lines), np.uint8), to_offsets([*map(len, lines)])
        hashes = hash_compiled(data, offsets) if compiled else hash_strings(data, offsets)
        return cls(data, offsets, hashes, compiled=compiled)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, index: int) -> str:
        return self.bytes_of(index).decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        return (self[index] for index in range(len(self)))

    def bytes_of(self, index: int) -> bytes:
        """Return one string in UTF-8.

        Examples
        --------
        >>> Strings.from_strings(["ö"]).bytes_of(0)
        b'\\xc3\\xb6'
        """
        return self.data[self.offsets[index] : self.offsets[index + 1]].tobytes()

    def take(self, positions: NDArray[np.int64]) -> Strings:
        """Return some of the strings.

        Examples
        --------
        >>> list(Strings.from_strings(["a", "bc", "d"]).take(np.array([2, 1])))
        ['d', 'bc']
        """
        lengths = self.offsets[positions + 1] - self.offsets[positions]
        offsets = to_offsets(lengths)
        shifts = np.repeat(self.offsets[positions] - offsets[:-1], lengths)
        data = self.data[np.arange(offsets[-1]) + shifts]
        return Strings(data, offsets, self.hashes[positions], compiled=self.compiled)

    def replace(self, positions: NDArray[np.int64], strings: Sequence[str]) -> Strings:
        """Return the strings with those at ascending `positions` replaced.

        Examples
        --------
        >>> list(Strings.from_strings(["a", "bc", "d"]).replace(np.array([1]), ["xyz"]))
        ['a', 'xyz', 'd']
        """
        new = Strings.from_strings(strings)
        lengths = np.diff(self.offsets)
        pieces, copied = [], 0
        for number, position in enumerate(positions.tolist()):
            pieces += [self.data[copied : self.offsets[position]].tobytes(), new.bytes_of(number)]
            copied = self.offsets[position + 1]
        pieces.append(self.data[copied:].tobytes())
        lengths[positions] = np.diff(new.offsets)
        offsets = to_offsets(lengths)
        hashes = self.hashes.copy()
        hashes[positions] = new.hashes
        data = np.frombuffer(bytearray().join(pieces), np.uint8)
        return Strings(data, offsets, hashes, compiled=self.compiled)


class Found(NamedTuple):
    """Where strings of several texts were found in a table.

    Attributes
    ----------
    positions : ndarray of int64
    owners : ndarray of int64
        Which text each belongs to, ascending.

    Examples
    --------
    >>> table, strings = StringTable.from_strings(["a"]), Strings.from_strings(["b", "a"])
    >>> table.find_runs(strings, np.array([0, 1, 2]), 1)
    Found(positions=array([0]), owners=array([1]))
    """

    positions: NDArray[np.int64]
    owners: NDArray[np.int64]


class _Hashes(NamedTuple):
    """The hashes of the lines of a table, ascending, and the positions in that order."""

    ascending: NDArray[np.uint64]
    positions: NDArray[np.int32]


class _Slots(NamedTuple):
    """A hash table over the lines of a table, as compiled code reads it, and the hash of each line."""

    slots: NDArray[np.int32]
    hashes: NDArray[np.uint64]


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

    __slots__ = ("__weakref__", "_hashed", "_slots", "lines", "offsets")

    def __init__(self, lines: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        # Read-only, as mapped files are: code is compiled once for both.
        self.lines, self.offsets = lines.view(), offsets.view()
        self.lines.flags.writeable = self.offsets.flags.writeable = False
        self._hashed: _Hashes | None = None
        self._slots: _Slots | None = None

    @classmethod
    def from_strings(cls, strings: Iterable[str]) -> StringTable:
        """Return a table of `strings`, in their order.

        Line breaks become spaces, characters that UTF-8 cannot hold become ``?``.

        Examples
        --------
        >>> list(StringTable.from_strings(["a\\nb", ""]))
        ['a b', '']
        """
        lines, ends = bytearray(), [np.zeros(1, np.int64)]
        iterator = iter(strings)
        while chunk := list(islice(iterator, _JOINED)):  # millions of records pass here: one copy is enough
            joined = "\n".join(chunk)
            if joined.count("\n") >= len(chunk):
                joined = "\n".join([text.replace("\n", " ") for text in chunk])
            data = f"{joined}\n".encode(errors="replace")
            ends.append(np.flatnonzero(np.frombuffer(data, np.uint8) == _NEWLINE) + 1 + len(lines))
            lines += data
        return cls(np.frombuffer(lines, np.uint8), np.concatenate(ends))

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
        if not table._has_offsets() or (unique and not table._has_lines()):
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

    def _has_offsets(self) -> bool:
        """Return whether the offsets delimit lines from the first byte to the last."""
        return bool(
            len(self.offsets)
            and self.offsets[0] == 0
            and self.offsets[-1] == len(self.lines)
            and np.all(self.offsets[1:] > self.offsets[:-1])
        )

    def _has_lines(self) -> bool:
        """Return whether every line, and nothing else, ends where the offsets say."""
        is_end = self.lines == _NEWLINE
        return bool(np.all(is_end[self.offsets[1:] - 1])) and np.count_nonzero(is_end) == len(self)

    def _is_sorted(self) -> bool:
        """Return whether every line is greater than the one before: eight bytes of all lines at a time."""
        data = np.concatenate([self.lines, np.zeros(8, np.uint8)])
        words = np.ndarray(len(self.lines) + 1, ">u8", data, strides=(1,))
        begins, ends = self.offsets[:-1], self.offsets[1:] - 1
        pairs = np.arange(len(self) - 1)  # those whose order is still open, by their first line
        for depth in range(0, _COMPARED, 8):
            (low, low_left), (high, high_left) = (
                _next_word(words, begins[lines] + depth, ends[lines]) for lines in (pairs, pairs + 1)
            )
            # Of two that are equal so far, the one that goes on is greater.
            falls = (low > high) | ((low == high) & (low_left >= high_left) & (high_left < 8))
            if falls.any():
                return False
            pairs = pairs[(low == high) & (low_left == 8) & (high_left == 8)]
            if not len(pairs):
                return True
        return all(self._line(pair) < self._line(pair + 1) for pair in pairs.tolist())

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
        index %= len(self)
        line = self.lines[self.offsets[index] : self.offsets[index + 1]].tobytes()
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            raise ModelDamagedError(f"line {index + 1} of a table of strings is not UTF-8") from None
        if not text.endswith("\n"):
            raise ModelDamagedError(f"line {index + 1} of a table of strings does not end where it should")
        return text[:-1]

    def take(self, positions: NDArray[np.integer]) -> list[str]:
        """Return some of the strings, all at once.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b", "c"]).take(np.array([2, 0]))
        ['c', 'a']
        """
        begins, ends = self.offsets[positions].tolist(), (self.offsets[positions + 1]).tolist()
        lines = self.lines.data
        try:
            return (
                (b"".join([lines[begin:end] for begin, end in zip(begins, ends, strict=True)]))
                .decode("utf-8")
                .split("\n")[:-1]
            )
        except UnicodeDecodeError:
            raise ModelDamagedError("a line of a table of strings is not UTF-8") from None

    @classmethod
    def concatenate(cls, tables: Sequence[StringTable]) -> StringTable:
        """Return the strings of several tables, one table after the other.

        Examples
        --------
        >>> list(StringTable.concatenate([StringTable.from_strings("ab"), StringTable.from_strings("c")]))
        ['a', 'b', 'c']
        """
        lengths = [np.diff(table.offsets) for table in tables]
        lines = [table.lines for table in tables]
        return cls(
            np.concatenate([*lines, np.zeros(0, np.uint8)]),
            to_offsets(np.concatenate([*lengths, np.zeros(0, np.int64)])),
        )

    def select(self, positions: NDArray[np.integer]) -> StringTable:
        """Return a table of some of the strings, in the order of `positions`.

        Examples
        --------
        >>> list(StringTable.from_strings(["a", "b", "c"]).select(np.array([2, 0])))
        ['c', 'a']
        """
        begins, ends = self.offsets[positions], self.offsets[positions + 1]
        # Neighbours are copied together: most of a table is kept as it is.
        is_first, is_last = np.ones((2, len(begins)), np.bool_)
        is_first[1:] = is_last[:-1] = begins[1:] != ends[:-1]
        spans = zip(begins[is_first].tolist(), ends[is_last].tolist(), strict=True)
        lines = self.lines.data
        data = bytearray().join([lines[begin:end] for begin, end in spans])
        return StringTable(np.frombuffer(data, np.uint8), to_offsets(ends - begins))

    def to_lines(self) -> list[bytes]:
        """Return all strings in UTF-8.

        Examples
        --------
        >>> StringTable.from_strings(["a", "ö"]).to_lines()
        [b'a', b'\\xc3\\xb6']
        """
        return self.lines.tobytes().split(b"\n")[:-1]

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

    def equals_at(
        self, positions: NDArray[np.integer], other: StringTable, theirs: NDArray[np.integer]
    ) -> bool:
        """Return whether strings at some positions equal those at some positions of another table.

        Examples
        --------
        >>> table = StringTable.from_strings(["a", "b"])
        >>> table.equals_at(np.array([1]), StringTable.from_strings(["b"]), np.array([0]))
        True
        """
        if self is other or (len(positions) == len(self) == len(other)):
            # Most tables are compared whole.
            return np.array_equal(positions, theirs) and np.array_equal(self.lines, other.lines)
        mine, others = self.select(positions), other.select(theirs)
        return np.array_equal(mine.lines, others.lines)

    def count_before(self, text: str) -> int:
        """Return how many strings of a sorted table sort before `text`.

        Examples
        --------
        >>> StringTable.from_strings(["a", "c"]).count_before("b")
        1
        """
        return bisect_left(range(len(self)), text.encode("utf-8", "surrogatepass"), key=self._line)

    def find_lines(self, lines: Sequence[bytes], *, compiled: bool = False) -> NDArray[np.int64]:
        """Return the position of each string, given in UTF-8, in a sorted table; -1 where it is missing.

        For single lookups, and for tables that change too often for hashes to pay (see `find_many`). Compiled
        code (extra ``[fast]``) makes its hashes so quickly that they always do.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).find_lines([b"b", b"x"])
        array([ 1, -1])
        """
        if compiled:
            return self.find_many(Strings.from_lines(lines, compiled=True))
        if len(lines) * _FEW_OF < len(self):
            places = [bisect_left(range(len(self)), line, key=self._line) for line in lines]
            found = [
                place if place < len(self) and self._line(place) == line else -1
                for place, line in zip(places, lines, strict=True)
            ]
        else:
            known = dict(zip(self.to_lines(), range(len(self)), strict=True))
            found = [known.get(line, -1) for line in lines]
        return np.array(found, np.int64)

    def find_many(self, strings: Strings) -> NDArray[np.int64]:
        """Return `find` of each string, all at once.

        A 64-bit hash of every line narrows each string down to one line at most (lines that share a hash are
        bisected); then bytes are compared.

        Returns
        -------
        ndarray of int64, shape (strings,)
            Positions, -1 where a string is missing.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).find_many(Strings.from_strings(["b", "x", "a"]))
        array([ 1, -1,  0])
        """
        found = np.full(len(strings), -1, np.int64)
        if strings.compiled:
            from matcher.scanner import find_strings

            slots, hashes = self.hash_table()
            looked_up = strings.data, strings.offsets, strings.hashes
            find_strings(*looked_up, slots, hashes, self.lines, self.offsets, found)
            return np.maximum(found, -1)
        hashes, positions = self._sorted_hashes()
        if not len(hashes):
            return found
        first = np.minimum(np.searchsorted(hashes, strings.hashes), len(hashes) - 1)
        hits = np.flatnonzero(hashes[first] == strings.hashes)
        shared = hashes[np.minimum(first[hits] + 1, len(hashes) - 1)] == strings.hashes[hits]
        alone = hits[~shared | (first[hits] + 1 == len(hashes))]
        alone = alone[self._equal(positions[first[alone]], strings, alone)]
        found[alone] = positions[first[alone]]
        several = np.setdiff1d(hits, alone, assume_unique=True)
        if len(several):
            found[several] = self._find_hashed(
                strings.hashes[several], lambda number: strings.bytes_of(several[number])
            )
        return found

    def _equal(
        self, positions: NDArray[np.int32], strings: Strings, chosen: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which lines equal their strings, byte for byte."""
        begins, lengths = self.offsets[positions], strings.offsets[chosen + 1] - strings.offsets[chosen]
        equal: NDArray[np.bool_] = self.offsets[positions + 1] - 1 - begins == lengths
        compared = np.flatnonzero(equal & (lengths > 0))
        if len(compared):
            starts = np.cumsum(lengths[compared]) - lengths[compared]
            within = np.arange(int(lengths[compared].sum())) - np.repeat(starts, lengths[compared])
            ours = self.lines[within + np.repeat(begins[compared], lengths[compared])]
            theirs = strings.data[within + np.repeat(strings.offsets[chosen[compared]], lengths[compared])]
            equal[compared] = np.logical_and.reduceat(ours == theirs, starts)
        return equal

    def find_runs(self, strings: Strings, bounds: NDArray[np.int64], longest: int) -> Found:
        """Return the positions of all lines that are 1 to `longest` neighbouring strings written together.

        The hash of a run follows from the hashes of its parts, so no run is ever written out unless the table
        seems to hold it.

        Parameters
        ----------
        strings : Strings
        bounds : ndarray of int64, shape (texts + 1,)
            Where the strings of each text begin; no run reaches from one text into another.
        longest : int

        Returns
        -------
        Found
            Text after text, ascending and without repeats within each.

        Examples
        --------
        >>> table, strings = StringTable.from_strings(["ab", "c"]), Strings.from_strings(["a", "b", "c"])
        >>> table.find_runs(strings, np.array([0, 2, 3]), 2)
        Found(positions=array([0, 1]), owners=array([0, 1]))
        """
        if strings.compiled:
            from matcher.scanner import find_runs

            slots, hashes = self.hash_table()
            room = np.empty((2, longest * len(strings)), np.int64)
            looked_up = strings.data, strings.offsets, strings.hashes, bounds
            count = find_runs(*looked_up, longest, BASE, slots, hashes, self.lines, self.offsets, *room)
            return self._without_repeats(*room[:, :count])
        texts = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        lengths = np.diff(strings.offsets)
        shifts = _powers(int(lengths.max(initial=0)) + 1)[lengths]
        positions, owners = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        run = strings.hashes
        for size in range(1, longest + 1):
            if size > 1:
                run = run[: len(strings) - size + 1] * shifts[size - 1 :] + strings.hashes[size - 1 :]

            def written(start: int, size: int = size) -> bytes:
                return strings.data[strings.offsets[start] : strings.offsets[start + size]].tobytes()

            found = self._find_hashed(run, written)
            firsts = np.flatnonzero(found >= 0)
            firsts = firsts[texts[firsts] == texts[firsts + size - 1]]
            positions.append(found[firsts])
            owners.append(texts[firsts])
        return self._without_repeats(np.concatenate(positions), np.concatenate(owners))

    def _without_repeats(self, positions: NDArray[np.int64], owners: NDArray[np.int64]) -> Found:
        owners, positions = np.divmod(np.unique(owners * len(self) + positions), max(1, len(self)))
        return Found(positions, owners)

    def _find_hashed(self, wanted: NDArray[np.uint64], text: Callable[[int], bytes]) -> NDArray[np.int64]:
        """Return the positions of strings with these hashes; ``text(i)`` is asked only for likely ones."""
        hashes, order = self._sorted_hashes()
        found = np.full(len(wanted), -1, np.int64)
        if not len(hashes) or not len(wanted):
            return found
        first = np.searchsorted(hashes, wanted)
        hits = np.flatnonzero(hashes[np.minimum(first, len(hashes) - 1)] == wanted)
        last = np.searchsorted(hashes, wanted[hits], side="right")
        for hit, low, high in zip(hits.tolist(), first[hits].tolist(), last.tolist(), strict=True):
            encoded = text(hit)
            positions = order[low:high].tolist()
            # The order is stable, so lines that share a hash ascend.
            place = bisect_left(positions, encoded, key=self._line) if high - low > 1 else 0
            if place < len(positions) and self._line(positions[place]) == encoded:
                found[hit] = positions[place]
        return found

    def hashes(self) -> NDArray[np.uint64]:
        """Return the hash of every line, shape (n,).

        Examples
        --------
        >>> StringTable.from_strings(["a"]).hashes() == Strings.from_strings(["a"]).hashes
        array([ True])
        """
        return hash_strings(self.lines, self.offsets, terminated=True)

    def hash_table(self) -> _Slots:
        """Return the hash table that compiled code looks lines up in, made when it is first asked for.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).hash_table().slots.shape
        (8,)
        """
        if self._slots is None:
            from matcher.scanner import fill_slots

            hashes = hash_compiled(self.lines, self.offsets, terminated=True)
            slots = np.empty(1 << (2 * len(self)).bit_length(), np.int32)
            fill_slots(hashes, len(self), slots)
            self._slots = _Slots(slots, hashes)
        return self._slots

    def _sorted_hashes(self) -> _Hashes:
        if self._hashed is None:
            hashes = self.hashes()
            order = np.argsort(hashes, kind="stable").astype(np.int32)
            self._hashed = _Hashes(hashes[order], order)
        return self._hashed


def hash_strings(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], *, terminated: bool = False
) -> NDArray[np.uint64]:
    """Return a polynomial hash of each string, modulo 2**64.

    That is the sum of ``(byte + 1) * BASE**(number of bytes behind it)`` over its bytes. Such hashes can be
    joined: ``hash(a + b) == hash(a) * BASE**len(b) + hash(b)`` (Karp and Rabin, Efficient randomized
    pattern-matching algorithms, 1987). Different strings can share a hash; callers compare bytes.

    Parameters
    ----------
    data : ndarray of uint8
    offsets : ndarray of int64, shape (strings + 1,)
    terminated : bool
        Whether one more byte follows each string, to be left out.

    Examples
    --------
    >>> whole, first, second = Strings.from_strings(["ab", "a", "b"]).hashes[:, np.newaxis]
    >>> first * BASE + second == whole
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


def _next_word(
    words: NDArray[Any], begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the next eight bytes of lines as a number, and how many of them are theirs; the rest is 0."""
    left = np.clip(ends - begins, 0, 8)
    return words[np.minimum(begins, len(words) - 1)].astype(np.uint64) & _FIRST_BYTES[left], left


def hash_compiled(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], *, terminated: bool = False
) -> NDArray[np.uint64]:
    """Return `hash_strings`, computed by compiled code (extra ``[fast]``).

    Examples
    --------
    >>> strings = Strings.from_strings(["ab", "köchin", ""])
    >>> bool(np.all(hash_compiled(strings.data, strings.offsets) == strings.hashes))
    True
    """
    from matcher.scanner import fill_hashes

    hashes = np.empty(len(offsets) - 1, np.uint64)
    fill_hashes(_read_only(data), _read_only(offsets), int(terminated), BASE, hashes)
    return hashes


def _read_only(array: NDArray[_Item]) -> NDArray[_Item]:
    """Return a view as mapped files are: code is compiled once for both."""
    view = array.view()
    view.flags.writeable = False
    return view


def _powers(count: int) -> NDArray[np.uint64]:
    powers = np.full(count, BASE, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


_CHUNK: Final = 1 << 15
_JOINED: Final = 1 << 10
_COMPARED: Final = 64
"""Bytes of a line that are compared with its neighbour's all at once; few lines share more."""

_FIRST_BYTES: Final = np.array([0, *(((1 << 8 * n) - 1) << (64 - 8 * n) for n in range(1, 9))], np.uint64)
"""Masks that keep the first bytes of eight."""

_FEW_OF: Final = 200
"""Bisecting one string takes as long as reading so many lines."""

_NEWLINE: Final = ord("\n")
