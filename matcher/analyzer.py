"""Clean text to tokens. One definition for postings and profiles.

The rules, in order:

1. Addresses (links, e-mail) and gender markers (``(m/f/d)``, ``m/w/d``, the ``*in`` of
   ``Entwickler*in``) vanish; text is composed (NFC) and lower-cased; soft hyphens vanish, ligatures open.
2. A token is a run of letters and digits. Kept whole are the names that a plain word pattern breaks:
   ``C++``, ``C#``, ``.NET``, ``Node.js``, ``ASP.NET``, ``CI/CD``, ``TCP/IP``.
3. Dropped are numbers, stop words, single characters other than ``c`` and ``r`` (programming
   languages), and anything longer than 64 characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Final

from matcher.posting import normalise_hashtag
from matcher.stopwords import STOPWORDS

__all__: Final = ["analyze", "tag_candidates", "tokenize"]

VERSION: Final = 1
"""Raised whenever the same text would give other tokens, because models hold tokens."""

LONGEST_TOKEN: Final = 64
LONGEST_TAG_IN_WORDS: Final = 4

_ADDRESS: Final = re.compile(
    r"(?:https?://|www\.)[^\s<>\"')\]]+"
    r"|\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\.(?:com|org|de|at|ch|uk|ie|eu|io|dev|me|info|example)/[^\s<>\"')\]]+"
    r"|[\w.+%-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}",
    re.IGNORECASE,
)
_LIGATURES: Final = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\u00ad": None,
        "\u200b": None,
    }
)
_GENDER_LETTER: Final = r"(?:[mwfdxhvkia]|gn|div(?:ers)?|nb|all(?:\s+genders?)?|alle(?:\s+geschlechter)?)"
_GENDER_MARKER: Final = re.compile(
    rf"\(\s*{_GENDER_LETTER}(?:\s?[/|*:,]\s?{_GENDER_LETTER}){{1,3}}\s*\)"
    r"|\((?:gn|all genders?|alle geschlechter)\)"
    r"|(?<![\w/])(?:[mwfdxhv]/[mwfdxhv]/[mwfdxhv]|m/w|w/m|m/f|f/m)(?![\w/])"
    r"|(?<=[^\W\d_]{3})(?:[*:_·]|/-?)(?:in(?:nen)?|r|n|e|s)(?![\w/])"
    r"|(?<=[^\W\d_]{3})\((?:in(?:nen)?|r)\)"
)
_WORD: Final = r"[^\W_]"
_TOKEN: Final = re.compile(
    rf"(?<!{_WORD})\.net(?!{_WORD})"
    rf"|{_WORD}+\.(?:js|net)(?!{_WORD})"
    rf"|(?<![\w/])(?:tcp/ip|pl/sql|{_WORD}{{1,2}}/{_WORD}{{1,2}})(?![\w/+#])"
    rf"|{_WORD}\+\+(?!\+)"
    rf"|(?<!{_WORD})[cfj]\#(?!\w)"
    rf"|{_WORD}+"
)
_LANGUAGE_LETTERS: Final = frozenset("cr")
_SHORT_NAME: Final = re.compile(r"#?\b(?:[A-ZÄÖÜ][A-ZÄÖÜ0-9]?|Go)\b[+#]*")


def _fold(text: str) -> str:
    if "://" in text or "@" in text or "www." in text or "WWW." in text:
        text = _ADDRESS.sub(" ", text)
    if not text.isascii():
        text = unicodedata.normalize("NFC", text.translate(_LIGATURES))
        text = text.lower().replace("i\u0307", "i")
    else:
        text = text.lower()
    return _GENDER_MARKER.sub(" ", text)


def tokenize(text: str) -> list[str]:
    """Return every token of a text, in order; rules 1 and 2 of the module, before anything is dropped.

    Examples
    --------
    >>> tokenize("C++/C#, .NET & Node.js; CI/CD with R (m/f/d) since 2019")
    ['c++', 'c#', '.net', 'node.js', 'ci/cd', 'with', 'r', 'since', '2019']
    """
    return _TOKEN.findall(_fold(text))


def analyze(text: str) -> list[str]:
    """Return the tokens that count as features, in order and with repeats: all rules of the module.

    Examples
    --------
    >>> analyze("Entwickler*in (m/w/d) für Prüfgeräte: C, R und 10 Jahre Erfahrung")
    ['entwickler', 'prüfgeräte', 'c', 'r', 'jahre', 'erfahrung']
    >>> analyze("Mail jo@beck.example or see https://beck.example/jobs")
    ['mail', 'see']
    """
    return [token for token in tokenize(text) if _is_feature(token)]


def _is_feature(token: str) -> bool:
    if len(token) == 1:
        return token in _LANGUAGE_LETTERS
    return (
        token not in STOPWORDS
        and len(token) <= LONGEST_TOKEN
        and not token.isnumeric()
        and not _is_fraction(token)
    )


def _is_fraction(token: str) -> bool:
    return "/" in token and token.replace("/", "").isnumeric()


def tag_candidates(text: str) -> set[str]:
    """Return the normal form of every hashtag that a text could be said to contain.

    That is each run of one to four tokens, written together: "machine learning" contains
    ``machinelearning``. Names of one or two letters count only where the text writes them as names
    (``IT``, ``R``, ``Go``, ``#it``), since *it* and *go* are words too.

    Examples
    --------
    >>> candidates = tag_candidates("Machine learning, C++; it was fun")
    >>> [tag in candidates for tag in ("machinelearning", "c++", "it", "learningc++")]
    [True, True, False, True]
    """
    tokens = [normalise_hashtag(token) for token in tokenize(text)]
    short = {normalise_hashtag(name) for name in _SHORT_NAME.findall(text)}
    short |= {normalise_hashtag(name) for name in re.findall(r"#\w{1,2}\b", text)}
    return {tag for tag in _joined(tokens) if len(tag) > 2 or tag in short}


def _joined(tokens: Sequence[str]) -> Iterator[str]:
    for start in range(len(tokens)):
        joined = ""
        for token in tokens[start : start + LONGEST_TAG_IN_WORDS]:
            joined += token
            yield joined
