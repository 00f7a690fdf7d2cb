"""PDF -> text, by `pypdf`, in pure Python: pictures, scripts and attachments are not looked at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from matcher.documents.layout import join_pages, require_words, unreadable_share
from matcher.errors import ProfileError

if TYPE_CHECKING:
    from pypdf import PdfReader

__all__: Final = ["MOST_PAGES", "read_pdf"]

MOST_PAGES: Final = 200
"""Long academic CVs have a hundred."""

MOST_UNREADABLE: Final = 0.1
"""Share of characters that are none. Icons and bullets of private fonts make up 1 or 2 %."""

_LIMITS: Final[Mapping[str, Any]] = {
    "zlib_maximum_output_length": 16 << 20,
    "lzw_maximum_output_length": 16 << 20,
    "run_length_maximum_output_length": 16 << 20,
    "array_based_stream_maximum_output_length": 16 << 20,
    "stream_decoding_work_maximum_length": 64 << 20,
    "stream_parsing_work_maximum_count": 60_000,
    "xform_maximum_invocations_per_extraction": 500,
}
"""For one stream or page; pypdf's own limits are for books and plans.
A page of dense text has 10,000 operands and operators."""

_MOST_TEXT: Final = 8 << 20
# What viewers that cannot show a dynamic form or a portfolio show instead.
_STAND_IN: Final = re.compile(
    r"\s*(?:please wait\.{3}|.{0,200}?\bPDF portfolio\b)", re.IGNORECASE | re.DOTALL
)


def read_pdf(data: bytes) -> str:
    """Return the text of a PDF's pages, in the order in which it was written.

    Raises
    ------
    ProfileError
        When it is encrypted, damaged or beyond a limit, has no text layer or too many pages, or its fonts do
        not say which letters they draw.

    Examples
    --------
    >>> import pypdf
    >>> writer, written = pypdf.PdfWriter(), BytesIO()
    >>> _ = writer.add_blank_page(100, 100), writer.write(written)
    >>> read_pdf(written.getvalue())
    Traceback (most recent call last):
    matcher.errors.ProfileError: has no text layer ...
    """
    import pypdf
    from pypdf.errors import DependencyError, LimitReachedError

    try:
        with pypdf.apply_configuration(**_LIMITS):
            return _text(pypdf.PdfReader(BytesIO(data)))
    except LimitReachedError:
        raise ProfileError("has a part that is far too large: is this a CV?") from None
    except DependencyError:
        raise ProfileError(
            "is encrypted (AES): pip install cryptography, or save it without protection, then try again"
        ) from None


def _text(reader: PdfReader) -> str:
    if reader.is_encrypted:
        _open(reader)
    count = len(reader.pages)
    if count > MOST_PAGES:
        raise ProfileError(f"has {count:,} pages: is this a CV?")
    pages = []
    length = 0
    for page in reader.pages:
        pages.append(page.extract_text())
        length += len(pages[-1])
        if length > _MOST_TEXT:
            raise ProfileError("holds too much text: is this a CV?")
    pages += _filled_in(reader)
    if unreadable_share("".join(pages)) > MOST_UNREADABLE:
        raise ProfileError(
            "does not say which letters its fonts draw: export it again from where it was made, or run OCR"
        )
    try:
        text = require_words(join_pages(pages))
    except ProfileError:
        raise ProfileError(
            "has no text layer (is it a scan?): run OCR over it, for example ocrmypdf, or save the CV as text"
        ) from None
    if len(text) < 2_000 and _STAND_IN.match(text):
        raise ProfileError("is a form or portfolio that only Adobe's programs show: print it to PDF there")
    return text


def _filled_in(reader: PdfReader) -> list[str]:
    """Return what was written into the fields of a form, which no page holds, as a page of its own."""
    if "/AcroForm" not in reader.root_object:
        return []
    values = (reader.get_form_text_fields() or {}).values()
    return ["\n".join(value for value in values if isinstance(value, str) and value.strip())]


def _open(reader: PdfReader) -> None:
    """Try the empty password, with which everybody may read a file that is only protected from changes."""
    try:
        opened = bool(reader.decrypt(""))
    except NotImplementedError:
        raise ProfileError("is encrypted in an unusual way: save it without protection") from None
    if not opened:
        raise ProfileError("is encrypted: save it without a password")
