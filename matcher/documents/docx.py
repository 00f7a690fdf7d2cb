"""DOCX (Office Open XML, also its strict form) -> text, without a library: a zip archive of XML.

Paragraphs, tables, text boxes, headers, footers, footnotes and SmartArt are read. Deleted text of tracked
changes, comments, hidden text, field codes and placeholders that nobody filled in are not: they are not
what the document shows.
"""

from __future__ import annotations

import posixpath
from typing import Final

from matcher.documents.layout import require_words, spell_out
from matcher.documents.office_xml import Paragraphs
from matcher.documents.zipped import Archive
from matcher.errors import ProfileError

__all__: Final = ["read_docx"]

# What else belongs to the text, by the last part of the relation's name; before it and after it.
_BEFORE: Final = ("header",)
_AFTER: Final = ("footnotes", "endnotes", "diagramData", "footer")
_OTHER_ARCHIVES: Final = (
    ("xl/", "is a spreadsheet: save the CV as PDF, DOCX or text (.txt)"),
    ("ppt/", "is a presentation: save the CV as PDF, DOCX or text (.txt)"),
    ("Index/", "is a Pages file: export the CV as PDF or DOCX"),
    ("Index.zip", "is a Pages file: export the CV as PDF or DOCX"),
    ("META-INF/container.xml", "is an EPUB book: save the CV as PDF, DOCX or text (.txt)"),
)
_FALSE: Final = ("0", "false", "off")


def read_docx(data: bytes) -> str:
    """Return what a DOCX document shows, a paragraph a line.

    Raises
    ------
    ProfileError
        When it is damaged, protected, beyond a limit, another kind of archive, or holds no words.

    Examples
    --------
    >>> read_docx(b"PK")
    Traceback (most recent call last):
    matcher.errors.ProfileError: is damaged: it is no zip archive
    """
    archive = Archive(data)
    main = _main_part(archive)
    related = _Relations.of(archive, main)
    hidden = _Styles()
    for part in related.targets("styles"):
        hidden.parse(archive.chunks(part), part)
    body = _Body(frozenset(hidden.hidden))
    body.parse(archive.chunks(main), main)
    lines = body.lines
    before = _lines_of(archive, [part for kind in _BEFORE for part in related.targets(kind)], hidden.hidden)
    after = _lines_of(archive, [part for kind in _AFTER for part in related.targets(kind)], hidden.hidden)
    return require_words(spell_out("\n".join([*before, *lines, *after]).replace("\xad", "")))


def _lines_of(archive: Archive, parts: list[str], hidden: set[str]) -> list[str]:
    """Return the lines of further parts, each once: first, odd and even pages have headers of their own."""
    body = _Body(frozenset(hidden))
    for part in parts:
        body.parse(archive.chunks(part), part)
    return list(dict.fromkeys(body.lines))


def _main_part(archive: Archive) -> str:
    for part in _Relations.of(archive, "").targets("officeDocument"):
        if part.startswith("word/") or not part.startswith(("xl/", "ppt/")):
            return part
    if "word/document.xml" in archive:
        return "word/document.xml"
    for beginning, reason in _OTHER_ARCHIVES:
        if any(name.startswith(beginning) for name in archive):
            raise ProfileError(reason)
    raise ProfileError("is a zip archive, but no document: unpack it and name the CV in it")


class _Relations(Paragraphs):
    """Which parts a part names, by kind."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self._folder = posixpath.dirname(part)
        self._found: list[tuple[str, str]] = []

    @classmethod
    def of(cls, archive: Archive, part: str) -> _Relations:
        relations = cls(part)
        folder, name = posixpath.split(part)
        listing = posixpath.join(folder, "_rels", f"{name}.rels")
        if listing in archive:
            relations.parse(archive.chunks(listing), listing)
            relations._found = [found for found in relations._found if found[1] in archive]
        return relations

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            target = posixpath.normpath(posixpath.join("/", self._folder, attributes.get("Target", "")))
            self._found.append((attributes.get("Type", "").rpartition("/")[2], target.lstrip("/")))

    def targets(self, kind: str) -> list[str]:
        """Return the parts of a kind that exist, each once, in the order of their names."""
        return sorted({target for found, target in self._found if found == kind})


class _Styles(Paragraphs):
    """Which styles hide their text."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()
        self._style = ""

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name == "style":
            self._style = attributes.get("styleId", "")
        elif name == "vanish" and "style" in self.path and attributes.get("val") not in _FALSE:
            self.hidden.add(self._style)


class _Body(Paragraphs):
    """Text of a document, a header, a footnote or a diagram."""

    holding = frozenset({"t"})
    _left_out = frozenset({"del", "moveFrom", "Fallback", "sectPr", "binData"})
    _signs: Final = {"tab": " ", "ptab": " ", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}

    def __init__(self, hidden: frozenset[str]) -> None:
        super().__init__()
        self._styles = hidden

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name == "p":
            self.begin()
        elif name in self._left_out:
            self.hide()
        elif name in self._signs:
            if self.path[-2:-1] != ["tabs"]:  # there it defines a tab stop
                self.write(self._signs[name])
        elif self.path[-3:-1] == ["r", "rPr"]:
            if (name == "vanish" and attributes.get("val") not in _FALSE) or (
                name == "rStyle" and attributes.get("val") in self._styles
            ):
                self.hide(len(self.path) - 2)
        elif (name == "pStyle" and attributes.get("val") in self._styles) or name == "showingPlcHdr":
            self.hide(len(self.path) - 2)  # the paragraph; the content control that nobody filled in
