"""Documents that people keep CVs in -> text; one file a format, one table `READERS`.

PDF, DOCX and ODT are parsed in a child process with limits (`matcher.documents.isolation`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

__all__: Final = ["READERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """How one format is read.

    Parameters
    ----------
    name : str
        What people call the format.
    endings : tuple of str
        Endings of such files, in lower case, with the dot; the first one is the usual one.
    read : callable
        ``(bytes) -> str``. Raises `ProfileError` with a reason that does not name the file.
    isolated : bool
        Whether it runs in a child process, because the format is compressed or its parser is complex.
    package : str
        What must be installed for it, beside `matcher` itself.

    Examples
    --------
    >>> READERS["docx"].name, READERS["docx"].endings, READERS["docx"].isolated
    ('DOCX', ('.docx', '.docm', '.dotx'), True)
    """

    name: str
    endings: tuple[str, ...]
    read: Callable[[bytes], str]
    isolated: bool = False
    package: str = ""


# The modules are imported where they are needed: the child process loads one of them and nothing else.


def _read_plain(data: bytes) -> str:
    from matcher.documents.written import read_plain

    return read_plain(data)


def _read_markdown(data: bytes) -> str:
    from matcher.documents.written import read_markdown

    return read_markdown(data)


def _read_html(data: bytes) -> str:
    from matcher.documents.written import read_html

    return read_html(data)


def _read_json_resume(data: bytes) -> str:
    from matcher.documents.json_resume import read_json_resume

    return read_json_resume(data)


def _read_pdf(data: bytes) -> str:
    from matcher.documents.pdf import read_pdf

    return read_pdf(data)


def _read_docx(data: bytes) -> str:
    from matcher.documents.docx import read_docx

    return read_docx(data)


def _read_odt(data: bytes) -> str:
    from matcher.documents.odt import read_odt

    return read_odt(data)


READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "plain": Reader("plain text", (".txt", ".text", ""), _read_plain),
        "markdown": Reader("Markdown", (".md", ".markdown"), _read_markdown),
        "html": Reader("HTML", (".html", ".htm", ".xhtml"), _read_html),
        "json": Reader("JSON Resume", (".json",), _read_json_resume),
        "pdf": Reader("PDF", (".pdf",), _read_pdf, isolated=True, package="pypdf"),
        "docx": Reader("DOCX", (".docx", ".docm", ".dotx"), _read_docx, isolated=True),
        "odt": Reader("ODT", (".odt", ".ott"), _read_odt, isolated=True),
    }
)
"""Every format a CV is read from."""
