"""What pages do to a text, undone: hyphens at line ends, ligatures, repeated headers, page numbers."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Final

from matcher.errors import ProfileError

__all__: Final = ["join_pages", "require_words", "spell_out", "unreadable_share"]

_LIGATURES: Final = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\xa0": " ",
        "\u200b": None,
    }
)
# Arial, Times and their free twins name two ligatures by private characters; on their own these are icons.
_PRIVATE_LIGATURE: Final = re.compile(r"(?<=[^\W\d_])[\uf001\uf002]|[\uf001\uf002](?=[^\W\d_])")
# Fonts of TeX draw an accent and then its letter: "K¨ochin", "Mu¨ller" comes apart as "Mu ¨ller" never does.
_ACCENT: Final = re.compile(r"([¨´ˆ˜]) ?([A-Za-zı])")
_COMBINING: Final = {"¨": "\u0308", "´": "\u0301", "ˆ": "\u0302", "˜": "\u0303"}
# Bullets and the private characters that icon fonts draw with.
_BULLET: Final = re.compile(r"^[ \t]*[•‣▪▫◦●○■□◆◇➢➤►▶✓✔❖·∙][ \t]*", re.MULTILINE)
_PRIVATE: Final = re.compile("[\ue000-\uf8ff]")
_PAGE_NUMBER: Final = re.compile(
    r"[-–—|\s]*(?:page|seite|pagina|página|strona|p\.|s\.)?\s*\d{1,3}\s*(?:(?:/|\||of|von|de|di|van|z)\s*\d{1,3})?[-–—|\s]*",
    re.IGNORECASE,
)
_SPACED: Final = re.compile(r"\w(?: {1,3}\w){4,}")
_HYPHENATED: Final = re.compile(r"([^\W\d_]+)(-|\xad)\n[ \t]*([^\W_]+)")
_SUSPENDED: Final = frozenset("and or und oder bzw sowie et ou y o e en of".split())
"""After these a hyphen stands for a part of a word left out: "Projekt- und Teamleitung"."""
_HYPHEN_STAYS: Final = frozenset(
    "full part long short self well non pre post multi cross high low front back hands first top day end "
    "real state decision problem award project data customer business year team user client co ex in on "
    "off follow start set up check".split()
)
"""First parts of English compounds that keep their hyphen."""
_STAMP: Final = re.compile(r"scanned (?:by|with|using) .{1,40}", re.IGNORECASE)
_WORD: Final = re.compile(r"[^\W\d_]{2,}")
_MARGIN: Final = 2
"""Lines at the top and at the bottom of a page that may be a header or footer."""
FEWEST_WORDS: Final = 3
"""A document with fewer is no CV, but a scan, a picture or an empty form."""


def join_pages(pages: Sequence[str]) -> str:
    """Return the text of pages as one text.

    Parameters
    ----------
    pages : sequence of str
        As they were extracted, a line of the page a line.

    Returns
    -------
    str

    Examples
    --------
    >>> print(join_pages(["Jo Doe\\n• Kranken-\\npﬂege\\nPage 1 of 2", "Jo Doe\\nfull-\\ntime\\n2"]))
    Jo Doe
    Krankenpflege
    full-time
    """
    lines = [[line.strip() for line in page.split("\n") if line.strip()] for page in pages]
    text = "\n".join("\n".join(page) for page in _without_margins(lines))
    text = spell_out(text)
    text = _ACCENT.sub(lambda match: match[2].replace("ı", "i") + _COMBINING[match[1]], text)
    text = _PRIVATE.sub("", _BULLET.sub("", unicodedata.normalize("NFC", text)))
    text = "\n".join(_unspaced(line) for line in text.split("\n"))
    text = _unhyphenated(text).replace("\xad", "")
    return "\n".join(line for line in (" ".join(line.split()) for line in text.split("\n")) if line)


def spell_out(text: str) -> str:
    """Return the text with letters for ligatures, and accents on their letters.

    Examples
    --------
    >>> spell_out("of\\ufb01ce, u\\u0308ber")
    'office, über'
    """
    text = text.translate(_LIGATURES)
    text = _PRIVATE_LIGATURE.sub(lambda match: "fi" if match[0] == "\uf001" else "fl", text)
    return unicodedata.normalize("NFC", text)


def _without_margins(pages: list[list[str]]) -> list[list[str]]:
    """Take page numbers away, and each header or footer from every page but the first that has it."""
    pages = [_without_number(page) for page in pages]
    margins = Counter(
        key for page in pages for key in {_key(line) for line in page[:_MARGIN] + page[-_MARGIN:]}
    )
    repeated = {key for key, count in margins.items() if count >= 2 and count >= 0.6 * len(pages)}
    seen: set[str] = set()
    kept = []
    for page in pages:
        last = len(page) - _MARGIN
        lines = []
        for place, line in enumerate(page):
            key = _key(line)
            if key in repeated and (place < _MARGIN or place >= last):
                if key in seen:
                    continue
                seen.add(key)
            lines.append(line)
        kept.append(lines)
    return kept


def _without_number(page: list[str]) -> list[str]:
    if page and _PAGE_NUMBER.fullmatch(page[-1]):
        page = page[:-1]
    if page and _PAGE_NUMBER.fullmatch(page[0]):
        page = page[1:]
    return page


def _key(line: str) -> str:
    return re.sub(r"\d+", "#", line)


def _unspaced(line: str) -> str:
    """Put letter-spaced headings together: "E X P E R I E N C E"."""
    if not _SPACED.fullmatch(line) or not line.replace(" ", "").isalpha():
        return line
    gap = r" {2,}" if "  " in line else r"\Z(?!\Z)"
    return " ".join(word.replace(" ", "") for word in re.split(gap, line))


def _unhyphenated(text: str) -> str:
    whole = set(re.findall(r"[^\W\d_]+(?:-[^\W_]+)*", text.lower()))

    def join(match: re.Match[str]) -> str:
        first, hyphen, second = match.groups()
        if hyphen == "\xad":
            return first + second
        if second.lower() in _SUSPENDED:
            return f"{first}- {second}"
        lower = f"{first}-{second}".lower()
        if lower in whole:  # elsewhere the document writes it on one line
            return f"{first}-{second}"
        if lower.replace("-", "") in whole:
            return first + second
        if not second[0].islower() or not first[-1].islower() or first.lower() in _HYPHEN_STAYS:
            return f"{first}-{second}"
        return first + second

    return _HYPHENATED.sub(join, text)


def unreadable_share(text: str) -> float:
    """Return the share of characters that no text holds, from 0 to 1.

    Fonts that do not say which letters their shapes stand for leave control characters, replacement
    characters and private ones.

    Examples
    --------
    >>> unreadable_share("Nurse"), unreadable_share("\\x03\\ufffdab")
    (0.0, 0.5)
    """
    shown = [sign for sign in text if not sign.isspace()]
    if not shown:
        return 0.0
    wrong = sum(sign == "\ufffd" or unicodedata.category(sign) in {"Cc", "Cn", "Co", "Cs"} for sign in shown)
    return wrong / len(shown)


def require_words(text: str) -> str:
    """Return the text, when it holds words.

    Raises
    ------
    ProfileError
        When it has fewer than three words of two letters.

    Examples
    --------
    >>> require_words("Nurse and cook")
    'Nurse and cook'
    >>> require_words("1 / 2")
    Traceback (most recent call last):
    matcher.errors.ProfileError: holds no text: is the CV a picture in it? Run OCR over it, or save it as text
    """
    if len(_WORD.findall(_STAMP.sub("", text))) < FEWEST_WORDS:
        raise ProfileError("holds no text: is the CV a picture in it? Run OCR over it, or save it as text")
    return text
