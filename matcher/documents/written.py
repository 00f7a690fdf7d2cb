"""CVs that are text as they are: plain text, Markdown, HTML."""

from __future__ import annotations

import codecs
import re
from typing import Final

from matcher.errors import PostingError, ProfileError
from matcher.text import decode, html_to_text, markdown_to_text, repair

__all__: Final = ["read_html", "read_markdown", "read_plain"]

_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.IGNORECASE)
_DECLARATION: Final = re.compile(rb"\s*<\?xml[^>]{0,100}?encoding\s*=\s*[\"']([\w.:-]{1,40})", re.IGNORECASE)
# Encodings of one or more bytes a character in which ASCII is ASCII, so that the declaration can be read.
_DECLARABLE: Final = re.compile(
    r"utf-8|iso8859-\d+|cp12\d\d|cp874|koi8-[rut]|mac-\w+|shift_jis|euc_\w+|gb\w+|big5\w*"
)


def read_plain(data: bytes) -> str:
    """Decode plain text and repair it.

    Raises
    ------
    ProfileError
        When it is not text.

    Examples
    --------
    >>> read_plain("KÃ¶chin".encode())
    'Köchin'
    """
    try:
        return repair(decode(data).text)
    except PostingError as error:
        raise ProfileError(error.reason) from None


def read_markdown(data: bytes) -> str:
    """Decode Markdown and return what a reader sees of it.

    Raises
    ------
    ProfileError
        When it is not text, or nested too deeply.

    Examples
    --------
    >>> read_markdown(b"# Nurse\\n* **C++**")
    'Nurse\\nC++'
    """
    try:
        return markdown_to_text(read_plain(data))
    except PostingError as error:
        raise ProfileError(error.reason) from None


def read_html(data: bytes) -> str:
    """Return what a reader sees of an HTML page, decoded as it declares where it is not UTF-8.

    Raises
    ------
    ProfileError
        When it is not text, or nested too deeply.

    Examples
    --------
    >>> read_html(b"<html><meta charset=iso-8859-2><p>Ksi\\xeagowa<script>x</script>")
    'Księgowa'
    """
    try:
        return html_to_text(repair(_declared(data) or decode(data).text))
    except PostingError as error:
        raise ProfileError(error.reason) from None


def _declared(data: bytes) -> str | None:
    """Decode bytes that are no UTF-8 by the encoding that the page declares; None when it declares none."""
    declared = _CHARSET.search(data[:2048]) or _DECLARATION.match(data[:256])
    if not declared or b"\0" in data:
        return None
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        pass
    else:
        return None
    try:
        codec = codecs.lookup(declared[1].decode("ascii"))
        # What calls itself Latin-1 is Windows-1252 in every browser, and here.
        if codec.name == "iso8859-1" or not _DECLARABLE.fullmatch(codec.name):
            return None
        return codec.decode(data, "replace")[0]
    except (LookupError, UnicodeError):
        return None
