"""The XML of word processors -> paragraphs, in one pass, without a tree.

expat with document type declarations refused, so there are no entities to expand and nothing to fetch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from xml.parsers import expat

from matcher.errors import ProfileError

__all__: Final = ["LARGEST_TAG", "MAXIMUM_DEPTH", "MOST_TEXT", "Paragraphs"]

LARGEST_TAG: Final = 2 << 20
"""Bytes. Word keeps drawings in attributes, some of them large."""

MOST_TEXT: Final = 1 << 20
"""Characters. A CV has a few thousand."""

MAXIMUM_DEPTH: Final = 1_000
"""A text box in a table in a table has 60."""

_NO_MEMORY: Final = expat.errors.codes[expat.errors.XML_ERROR_NO_MEMORY]


class Paragraphs:
    """Collects the lines of a document; a child class says what its elements mean.

    ``opened`` is called for each element, with its local name and attributes by local name. It calls
    `write`, `begin` (of a paragraph) and `hide` (an element with all that is in it).

    Examples
    --------
    >>> class Lines(Paragraphs):
    ...     holding = frozenset({"p"})
    ...     def opened(self, name, attributes):
    ...         if name == "p":
    ...             self.begin()
    >>> lines = Lines()
    >>> lines.parse([b"<a><p>Nu", b"rse</p><b>x</b><p>Cook</p></a>"], "a.xml")
    >>> lines.lines
    ['Nurse', 'Cook']
    """

    holding: frozenset[str] = frozenset()
    """Elements whose character data is text; all within a paragraph when there are none."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.path: list[str] = []
        self._open: list[tuple[int, list[str]]] = []
        self._written = 0
        self._hidden = 0  # depth of the outermost hidden element, 0 when there is none

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        """Handle the beginning of an element.

        Examples
        --------
        >>> Paragraphs().opened("p", {})
        """

    def write(self, text: str) -> None:
        """Add text to the paragraph that is open.

        Raises
        ------
        ProfileError
            When there is more of it than a CV has.

        Examples
        --------
        >>> Paragraphs().write("in no paragraph, so not kept")
        """
        if self._open and not self._hidden:
            self._written += len(text)
            if self._written > MOST_TEXT:
                raise ProfileError(f"holds more than {MOST_TEXT:,} characters of text: is this a CV?")
            self._open[-1][1].append(text)

    def begin(self) -> None:
        """Make the current element a paragraph; one inside another gets a line of its own.

        Examples
        --------
        >>> Paragraphs().begin()
        """
        self._open.append((len(self.path), []))

    def hide(self, depth: int | None = None) -> None:
        """Leave out an open element with all that is in it: the current one, or the one of a depth.

        Examples
        --------
        >>> class Lines(Paragraphs):
        ...     def opened(self, name, attributes):
        ...         self.begin() if name == "p" else self.hide()
        >>> lines = Lines()
        >>> lines.parse([b"<p>Nurse<del>Cook</del></p>"], "a.xml")
        >>> lines.lines
        ['Nurse']
        """
        depth = len(self.path) if depth is None else depth
        if not self._hidden or depth < self._hidden:
            self._hidden = depth

    def parse(self, chunks: Iterable[bytes], name: str) -> None:
        """Read one part.

        Raises
        ------
        ProfileError
            When it is not well-formed, has a document type declaration, or is nested too deeply.

        Examples
        --------
        >>> Paragraphs().parse([b"<a>"], "a.xml")
        Traceback (most recent call last):
        matcher.errors.ProfileError: is damaged: a.xml is not well-formed XML
        """
        self.path, self._open, self._hidden = [], [], 0
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        parser.StartDoctypeDeclHandler = _refuse_doctype
        given = 0
        try:
            for chunk in chunks:
                parser.Parse(chunk, False)
                given += len(chunk)
                # Older versions of expat read an unfinished tag again from its beginning with each chunk.
                if given - parser.CurrentByteIndex > LARGEST_TAG:
                    raise ProfileError(f"is damaged: a tag of {name} has no end")
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            if error.code == _NO_MEMORY:
                raise MemoryError from None
            raise ProfileError(f"is damaged: {name} is not well-formed XML") from None

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self.path) >= MAXIMUM_DEPTH:
            raise ProfileError(f"is nested more than {MAXIMUM_DEPTH:,} levels deep: print it to PDF")
        name = name.rpartition(" ")[2]
        self.path.append(name)
        if not self._hidden:
            self.opened(name, {key.rpartition(" ")[2]: value for key, value in attributes.items()})

    def _end(self, name: str) -> None:
        depth = len(self.path)
        if self._open and self._open[-1][0] == depth:
            text = "".join(self._open.pop()[1])
            self.lines += [line for line in (" ".join(part.split()) for part in text.split("\n")) if line]
        if self._hidden == depth:
            self._hidden = 0
        self.path.pop()

    def _data(self, text: str) -> None:
        if not self.holding or self.path[-1] in self.holding:
            self.write(text.replace("\n", " "))


def _refuse_doctype(*_: object) -> None:
    raise ProfileError("holds a document type declaration, which no word processor writes: print it to PDF")
