"""Many strings as two arrays: one UTF-8 blob, one line a string, and where each line starts.

That is how vocabularies, posting ids and column values lie on disk (a text file that any editor
opens, plus offsets) and in memory (mapped, never copied). Sorted tables are searched by bisection:
opening one with a million terms costs nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, overload
from zlib import crc32

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

    __slots__ = ("_checksums", "lines", "offsets")

    def __init__(self, lines: NDArray[np.uint8], offsets: NDArray[np.int64]) -> None:
        self.lines = lines
        self.offsets = offsets
        self._checksums: tuple[NDArray[np.uint32], NDArray[np.int32]] | None = None

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
        ends = np.flatnonzero(lines == ord("\n"))
        if (
            len(offsets) != len(ends) + 1
            or offsets[0] != 0
            or not np.array_equal(offsets[1:], ends + 1)
            or offsets[-1] != len(lines)
        ):
            raise ModelDamagedError(f"{name}.offsets: offsets do not match the lines of {name}.txt")
        table = cls(lines, offsets)  # type: ignore[arg-type]
        try:
            lines.tobytes().decode("utf-8")
        except UnicodeDecodeError:
            raise ModelDamagedError(f"{name}.txt: not UTF-8") from None
        if unique and not table._is_sorted():
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
        return self._line(index % len(self)).decode("utf-8")

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

        A checksum of every line (kept with the table) narrows each text down to the lines that share it,
        nearly always one or none; those are compared byte by byte. Lines that share a checksum are in
        order among themselves, so a table made to collide is bisected like any other.

        Returns
        -------
        ndarray of int64, shape (texts,)
            Positions, -1 where a text is missing.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).find_many(["b", "x", "a"])
        array([ 1, -1,  0])
        """
        sums, order = self.checksums
        encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
        wanted = np.fromiter(map(crc32, encoded), np.uint32, len(encoded))
        found = np.full(len(encoded), -1, np.int64)
        if not len(sums):
            return found
        first = np.searchsorted(sums, wanted)
        hits = np.flatnonzero(sums[np.minimum(first, len(sums) - 1)] == wanted)
        last = np.searchsorted(sums, wanted[hits], side="right")
        for hit, low, high in zip(hits.tolist(), first[hits].tolist(), last.tolist(), strict=True):
            positions = order[low:high].tolist()
            place = bisect_left(positions, encoded[hit], key=self._line) if high - low > 1 else 0
            if place < len(positions) and self._line(positions[place]) == encoded[hit]:
                found[hit] = positions[place]
        return found

    @property
    def checksums(self) -> tuple[NDArray[np.uint32], NDArray[np.int32]]:
        """The CRC-32 of every line, ascending, and the positions in that order.

        Examples
        --------
        >>> StringTable.from_strings(["a", "b"]).checksums[1]
        array([1, 0], dtype=int32)
        """
        if self._checksums is None:
            data, ends = self.lines.tobytes(), self.offsets.tolist()
            sums = np.fromiter(
                (crc32(data[start : end - 1]) for start, end in pairwise(ends)), np.uint32, len(self)
            )
            order = np.argsort(sums, kind="stable").astype(np.int32)
            self._checksums = sums[order], order
        return self._checksums
