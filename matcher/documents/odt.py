"""ODT (OpenDocument text, as LibreOffice saves it) -> text, without a library: a zip archive of XML.

Headers and footers are read; deleted text of tracked changes, comments and hidden text are not.
"""

from __future__ import annotations

from typing import Final

from matcher.documents.layout import require_words, spell_out
from matcher.documents.office_xml import Paragraphs
from matcher.documents.zipped import Archive
from matcher.errors import ProfileError

__all__: Final = ["read_odt"]


def read_odt(data: bytes) -> str:
    """Return what an ODT document shows, a paragraph a line.

    Raises
    ------
    ProfileError
        When it is damaged, protected, beyond a limit, or holds no words.

    Examples
    --------
    >>> read_odt(b"PK")
    Traceback (most recent call last):
    matcher.errors.ProfileError: is damaged: it is no zip archive
    """
    archive = Archive(data)
    if "META-INF/manifest.xml" in archive:
        manifest = _Manifest()
        manifest.parse(archive.chunks("META-INF/manifest.xml"), "META-INF/manifest.xml")
        if manifest.encrypted:
            raise ProfileError("is protected by a password: save it without one")
    if "content.xml" not in archive:
        raise ProfileError("is damaged: it has no content.xml")
    body = _Body()
    if "styles.xml" in archive:
        body.parse(archive.chunks("styles.xml"), "styles.xml")
    margins, body.lines = list(dict.fromkeys(body.lines)), []
    body.parse(archive.chunks("content.xml"), "content.xml")
    return require_words(spell_out("\n".join(margins + body.lines).replace("\xad", "")))


class _Manifest(Paragraphs):
    encrypted = False

    def opened(self, name: str, _attributes: dict[str, str]) -> None:
        self.encrypted = self.encrypted or name == "encryption-data"


class _Body(Paragraphs):
    _left_out = frozenset(
        {"tracked-changes", "annotation", "hidden-text", "title", "desc", "placeholder", "ruby-text"}
        | {"page-number", "page-count", "binary-data", "math", "object", "script", "event-listeners"}
    )

    def __init__(self) -> None:
        super().__init__()
        self._style = ""
        self._hidden_styles: set[str] = set()

    def opened(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._left_out:
            self.hide()
            return
        if name == "style":
            self._style = attributes.get("name", "")
        elif name == "text-properties" and attributes.get("display") == "none":
            self._hidden_styles.add(self._style)
        if name in {"p", "h"}:
            self.begin()
        if (name in {"p", "h", "span"} and attributes.get("style-name") in self._hidden_styles) or (
            attributes.get("is-hidden") == "true"
            or (name == "section" and attributes.get("display") == "none")
        ):
            self.hide()
        elif name == "s":
            self.write(" ")
        elif name in {"tab", "line-break"}:
            self.write("\n" if name == "line-break" else " ")
