"""Which format a file has: by what it begins with, then by its ending."""

from __future__ import annotations

import codecs
import re
from typing import Final

from matcher.documents import READERS
from matcher.errors import ProfileError

__all__: Final = ["ENDINGS", "recognise"]

ENDINGS: Final = {ending: key for key, reader in READERS.items() for ending in reader.endings}
"""Ending -> key of `READERS`."""

_ADVICE: Final = "save it as PDF, DOCX or text (.txt)"
_PICTURE: Final = "is a picture: run text recognition (OCR) over it and save the result as text or PDF"
# What files of other kinds begin with, and what to do about them.
_OTHERS: Final = (
    (b"{\\rtf", f"is an RTF file: {_ADVICE}"),
    (b"\x89PNG", _PICTURE),
    (b"\xff\xd8\xff", _PICTURE),
    (b"GIF87a", _PICTURE),
    (b"GIF89a", _PICTURE),
    (b"II*\0", _PICTURE),
    (b"MM\0*", _PICTURE),
    (b"%!PS", f"is a PostScript file: {_ADVICE}"),
    (b"\x1f\x8b", "is compressed (gzip): unpack it first"),
    (b"\xfd7zXZ", "is compressed (xz): unpack it first"),
    (b"7z\xbc\xaf", "is an archive (7z): unpack it first"),
    (b"Rar!\x1a", "is an archive (RAR): unpack it first"),
    (b"\x7fELF", "is a program, not a CV"),
)
_OTHER_ENDINGS: Final = {
    **dict.fromkeys((".doc", ".dot", ".rtf", ".pages", ".wpd", ".wps", ".epub", ".ps"), _ADVICE),
    **dict.fromkeys(
        (".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".heic", ".bmp"), "run OCR over it"
    ),
}
_COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ODT: Final = b"mimetypeapplication/vnd.oasis.opendocument."
_HTML: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>\s*)?(?:<!--[^>]{0,2000}-->\s*)?<(?:!doctype\s+html|html)\b",
    re.IGNORECASE,
)
_JSON_RESUME: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"(?:\$schema|basics|work|meta)"\s*:')


def recognise(data: bytes, ending: str) -> str:
    """Return the key of `READERS` for the bytes of a file.

    What the file begins with decides; its ending does where that says nothing.

    Parameters
    ----------
    data : bytes
    ending : str
        In lower case and with the dot; empty when there is none.

    Returns
    -------
    str

    Raises
    ------
    ProfileError
        When the format is not read, with what to do instead.

    Examples
    --------
    >>> recognise(b"%PDF-1.7", ".txt"), recognise(b"# Nurse", ".md"), recognise(b"<!DOCTYPE html>", "")
    ('pdf', 'markdown', 'html')
    >>> recognise(b"{\\\\rtf1 Nurse}", ".doc")
    Traceback (most recent call last):
    matcher.errors.ProfileError: is an RTF file: save it as PDF, DOCX or text (.txt)
    """
    known = ENDINGS.get(ending)
    # Some PDFs have a few stray bytes before their beginning; a text that mentions one does not become one.
    if data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n\0").startswith(b"%PDF-") or (
        known == "pdf" and b"%PDF-" in data[:1024]
    ):
        return "pdf"
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        if data[30 : 30 + len(_ODT)] == _ODT:
            if data[30 + len(_ODT) :].startswith(b"text"):
                return "odt"
            raise ProfileError(f"is an OpenDocument file, but not a text: {_ADVICE}")
        return "docx"
    _refuse_others(data)
    if known is not None and READERS[known].isolated:
        raise ProfileError(f"is not a {READERS[known].name} file, whatever its ending says: {_ADVICE}")
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        data = data[:4096].decode("utf-16", "ignore").encode()
    if _HTML.match(data):
        return "html"
    if known in (None, "plain") and _JSON_RESUME.match(data):
        return "json"
    if known is None:
        advice = _OTHER_ENDINGS.get(ending, _ADVICE)
        raise ProfileError(f"{ending} files are not read: {advice}")
    return known


def _refuse_others(data: bytes) -> None:
    if data.startswith(_COMPOUND):
        if "EncryptedPackage".encode("utf-16-le") in data:
            raise ProfileError("is protected by a password: save it without one")
        raise ProfileError(f"is an old Office file (.doc): {_ADVICE}")
    for beginning, advice in _OTHERS:
        if data.startswith(beginning):
            raise ProfileError(advice)
    if (data[:4] == b"RIFF" and data[8:12] == b"WEBP") or (data[:3] == b"\0\0\0" and data[4:8] == b"ftyp"):
        raise ProfileError(_PICTURE)
