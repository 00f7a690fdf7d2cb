"""Clean text to tokens. One definition for postings and profiles.

The rules, in order:

1. Addresses (links, e-mail) and gender markers (``(m/f/d)``, ``m/w/d``, the ``*in`` of ``Entwickler*in``)
   vanish; text is composed (NFC) and lower-cased; soft hyphens vanish, ligatures open.
2. A token is a run of letters and digits. Kept whole are the names that a plain word pattern breaks:
   ``C++``, ``C#``, ``.NET``, ``Node.js``, ``ASP.NET``, ``CI/CD``, ``TCP/IP``.
3. Dropped are numbers, stop words, single characters other than ``c`` and ``r`` (programming languages), and
   anything longer than 64 characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Final

from matcher.hashtags import normalise_hashtag
from matcher.stopwords import STOPWORDS

__all__: Final = [
    "analyze",
    "fold",
    "select_features",
    "select_tags",
    "supported_tags",
    "tag_candidates",
    "tag_parts",
    "tokenize",
]

VERSION: Final = 1
"""Raised whenever the same text would give other tokens, because models hold tokens."""

LONGEST_TOKEN: Final = 64
LONGEST_TAG_IN_WORDS: Final = 4
SHORTEST_SUPPORT: Final = 4
"""Characters of the shortest hashtag that a word supports by holding it."""

# These patterns run over every text. One that starts with a literal sign, or with a choice of signs, skips to
# the next of them much faster than it is tried at each character. So a place is found by the rarest sign of
# what is looked for, and what belongs to it before the sign is looked for from there.
_WWW: Final = re.compile(r"\.(?<=[wW]{3}\.)")
_LINK_SIGN: Final = re.compile(r":(?=//)|\.(?<=[wW]{3}\.)")
_LINK: Final = re.compile(r"(?:https?://|www\.)[^\s<>\"')\]]+", re.IGNORECASE)
_MAIL_NAME: Final = re.compile(r"[\w.+%-]{1,64}")
_MAIL_DOMAIN: Final = re.compile(r"@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_LONGEST_MAIL_NAME: Final = 64
_PATH_SIGN: Final = re.compile(
    r"/(?:(?<=\.(?:de|at|ch|uk|ie|eu|io|me)/)|(?<=\.(?:com|org|dev)/)|(?<=\.info/)|(?<=\.example/))",
    re.IGNORECASE,
)
_PATH_HOST: Final = re.compile(r"\b[\w-]{1,63}(?:\.[\w-]{1,63}){0,4}\Z")
_LONGEST_HOST: Final = 5 * 63 + 4
_PATH_REST: Final = re.compile(r"/[^\s<>\"')\]]+")
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
_LOOSENED: Final = "".join(map(chr, _LIGATURES))
_GENDER: Final = (
    r"(?:[mwfdxhvkia]|gn|div(?:ers|erse)?\.?|nb|all(?:\s+genders?)?|alle(?:\s+geschlechter)?"
    r"|männlich|weiblich|male|female|diverse)"
)
_GENDER_MARKER: Final = re.compile(
    rf"\(\s*{_GENDER}(?:\s?[/|*:,]\s?{_GENDER}){{1,3}}\s*\)"
    r"|\((?:gn|mwd|wmd|mfd|fmd|mfx|all genders?|alle geschlechter)\)"
    r"|/(?<=[mwfdxhv]/)(?<![\w/]..)(?:[mwfdxhv]/[mwfdxhv]|(?<=m/)[wf]|(?<=w/)m|(?<=f/)m)(?![\w/])",
    re.IGNORECASE,
)
# Case matters: the r of "Angestellte/r" is an ending, the R of "Software/R" a language. What stands before an
# ending is checked when one is found: a look-behind would be tried at every sign.
_GENDER_ENDING: Final = re.compile(
    r"[*:_·/(I](?:"
    r"(?:(?<=[*:_·/])|(?<=/)-)(?:in(?:nen)?|IN(?:NEN)?|(?P<flexion>[rns]))(?![\w/])"
    r"|(?<=\()(?:in(?:nen)?|r)\)(?![\w/])"
    r"|(?P<inner>(?<=I)n(?:nen)?)(?!\w)"
    r")"
)


def _drop_ending(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - 4) : match.start()]
    if match["flexion"]:
        is_ending = before[-1:] == "e" and before[-3:].isalpha() and len(before) > 2
    elif match["inner"]:
        is_ending = before[-1:] == "r" and before.isalpha() and len(before) == 4
    else:
        is_ending = before[-3:].isalpha() and len(before) > 2
    return " " if is_ending else match[0]


_WORD: Final = r"[^\W_]"


@cache
def _token_pattern(marks: str) -> re.Pattern[str]:
    """Return the pattern of a token; `marks` is the class of combining marks that may go on inside a word."""
    word = rf"{_WORD}+(?:{marks}+{_WORD}*)*" if marks else rf"{_WORD}+"
    return re.compile(
        rf"(?<!{_WORD})\.net(?!{_WORD})"
        rf"|(?<![\w/])(?:tcp/ip|pl/sql|{_WORD}{{1,2}}/{_WORD}{{1,2}})(?![\w/+#])"
        rf"|{_WORD}\+\+(?!\+)"
        rf"|(?<!{_WORD})[cfj]\#(?!\w)"
        rf"|{word}(?:\.(?:js|net)(?!{_WORD}))?"
    )


@cache
def _mark_class() -> str:
    """Return a character class of all combining marks; they carry the vowels of Indic scripts and Thai."""
    marks = (chr(code) for code in range(0x300, 0x20000) if unicodedata.category(chr(code))[0] == "M")
    return "[" + "".join(map(re.escape, marks)) + "]"


# Blocks without combining marks; text within them is most text, and needs no class of two thousand.
_BEYOND_SIMPLE: Final = re.compile(
    "[^\u0000-\u02ff\u0370-\u0482\u048a-\u0590\u1e00-\u20cf\u2100-\u2cee\U0001f000-\U0001faff]"
)
_LANGUAGE_LETTERS: Final = frozenset("cr")
_SHORT_NAME: Final = re.compile(r"#?\b(?:[A-ZÄÖÜ][A-ZÄÖÜ0-9]?|\d[A-Z]|Go)\b[+#]*")


def fold(text: str) -> str:
    """Return a text without addresses and gender markers, composed and in lower case: rule 1 of the module.

    Examples
    --------
    >>> fold("Ko\u0308ch*in (m/w/d)")
    'köch   '
    """
    if "://" in text or _WWW.search(text):
        text = _blank(text, _links(text))
    if "@" in text:
        text = _blank(text, _mail_addresses(text))
    if "/" in text:
        text = _blank(text, _paths(text))
    if not text.isascii():
        if any(char in text for char in _LOOSENED):
            text = text.translate(_LIGATURES)
        text = unicodedata.normalize("NFC", text)
    if "(" in text or "/" in text:
        text = _blank(text, _gender_markers(text))
    text = _GENDER_ENDING.sub(_drop_ending, text).lower()
    return text if text.isascii() else text.replace("i\u0307", "i")


def _blank(text: str, places: Iterable[tuple[int, int]]) -> str:
    """Return the text with a space for each place, given as start and end, in order."""
    kept = []
    done = 0
    for start, end in places:
        kept.append(text[done:start])
        done = end
    return " ".join([*kept, text[done:]]) if kept else text


def _links(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for sign in _LINK_SIGN.finditer(text):
        if sign.start() < done:
            continue
        for begin in ("https", "http", "www"):
            link = _LINK.match(text, max(done, sign.start() - len(begin)))
            if link:
                yield link.span()
                done = link.end()
                break


def _mail_addresses(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    at = text.find("@")
    while at >= 0:
        domain = _MAIL_DOMAIN.match(text, at)
        if domain:
            name = _MAIL_NAME.match(text[max(done, at - _LONGEST_MAIL_NAME) : at][::-1])
            if name:
                done = domain.end()
                yield at - name.end(), done
        at = text.find("@", max(done, at + 1))


def _paths(text: str) -> Iterator[tuple[int, int]]:
    done = 0
    for sign in _PATH_SIGN.finditer(text):
        slash = sign.start()
        if slash < done:
            continue
        dot = text.rfind(".", 0, slash)
        first = max(done, dot - _LONGEST_HOST)
        host = _PATH_HOST.search(text, max(first, text.rfind("/", first, dot) + 1), dot)
        rest = _PATH_REST.match(text, slash) if host else None
        if host and rest:
            done = rest.end()
            yield host.start(), done


def _gender_markers(text: str) -> Iterator[tuple[int, int]]:
    for marker in _GENDER_MARKER.finditer(text):
        start, end = marker.span()
        yield (start - 1 if text[start] == "/" else start), end


def tokenize(text: str) -> list[str]:
    """Return every token of a text, in order; rules 1 and 2 of the module, before anything is dropped.

    Examples
    --------
    >>> tokenize("C++/C#, .NET & Node.js; CI/CD with R (m/f/d) since 2019")
    ['c++', 'c#', '.net', 'node.js', 'ci/cd', 'with', 'r', 'since', '2019']
    """
    folded = fold(text)
    marks = "" if folded.isascii() or not _BEYOND_SIMPLE.search(folded) else _mark_class()
    return _token_pattern(marks).findall(folded)


def analyze(text: str) -> list[str]:
    """Return the tokens that count as features, in order and with repeats: all rules of the module.

    Examples
    --------
    >>> analyze("Entwickler*in (m/w/d) für Prüfgeräte: C, R und 10 Jahre Erfahrung")
    ['entwickler', 'prüfgeräte', 'c', 'r', 'erfahrung']
    >>> analyze("Mail jo@beck.example or see https://beck.example/jobs")
    ['mail', 'see']
    """
    return select_features(tokenize(text))


def select_features(tokens: Iterable[str]) -> list[str]:
    """Return the tokens that count as features: rule 3 of the module.

    Examples
    --------
    >>> select_features(["c++", "and", "2019", "x"])
    ['c++']
    """
    return [
        token
        for token in tokens
        if token not in STOPWORDS
        and not token.isnumeric()
        and (1 < len(token) <= LONGEST_TOKEN or token in _LANGUAGE_LETTERS)
        and not ("/" in token and token.replace("/", "").isnumeric())
    ]


def tag_parts(tokens: Iterable[str]) -> list[str]:
    """Return tokens as parts of hashtags: each in the normal form of a hashtag.

    Examples
    --------
    >>> tag_parts(["machine", "learning", "node.js", "ci/cd"])
    ['machine', 'learning', 'nodejs', 'cicd']
    """
    return [normalise_hashtag(token) for token in tokens]


def select_tags(tags: Iterable[str], text: str) -> list[str]:
    """Return the hashtags that a text really names, among those its tokens make up.

    Names of one or two letters count only where the text writes them as names (``IT``, ``R``, ``Go``,
    ``#it``), since *it* and *go* are words too.

    Examples
    --------
    >>> select_tags(["it", "sql"], "it was SQL"), select_tags(["it"], "IT support")
    (['sql'], ['it'])
    """
    listed = list(tags)
    if all(len(tag) > 2 for tag in listed):
        return listed
    short = {normalise_hashtag(name) for name in _SHORT_NAME.findall(text)}
    short |= {normalise_hashtag(name) for name in re.findall(r"#\w{1,2}\b", text)}
    return [tag for tag in listed if len(tag) > 2 or tag in short or tag.endswith("#")]


def tag_candidates(text: str) -> set[str]:
    """Return the normal form of every hashtag that a text could be said to contain.

    That is each run of one to four tokens, written together: "machine learning" contains
    ``machinelearning``. See `select_tags` for short names.

    Examples
    --------
    >>> candidates = tag_candidates("Machine learning, C++; it was fun")
    >>> [tag in candidates for tag in ("machinelearning", "c++", "it", "learningc++")]
    [True, True, False, True]
    """
    parts = tag_parts(tokenize(text))
    runs = {
        "".join(parts[start : start + size])
        for size in range(1, LONGEST_TAG_IN_WORDS + 1)
        for start in range(len(parts) - size + 1)
    }
    return set(select_tags(runs, text))


def supported_tags(tags: Iterable[str], text: str) -> list[str]:
    """Return the hashtags, in normal form, that a text supports: it names them, a part or a compound.

    A text names a tag that is among its `tag_candidates`. Tags of four characters or more are supported, too,
    by a word that holds them (*Pflegefachkraft*: ``pflege``), and by a word of five or more that they hold
    (*Kitchen*: ``kitchenjobs``). Stop words support nothing.

    Examples
    --------
    >>> supported_tags(["machinelearning", "css", "it", "nursing"], "Machine learning, and it was fun")
    ['machinelearning']
    >>> supported_tags(["pflege", "kitchenjobs"], "Pflegefachkraft, kitchen")
    ['pflege', 'kitchenjobs']
    """
    tokens = tokenize(text)
    parts = tag_parts(tokens)
    known = set(parts)
    words = {word for word in tag_parts(select_features(tokens)) if len(word) >= SHORTEST_SUPPORT}
    joined = "\n".join(words)
    long = [word for word in words if len(word) > SHORTEST_SUPPORT]

    def is_supported(tag: str) -> bool:
        if tag in known:
            return True
        if len(tag) >= SHORTEST_SUPPORT and (tag in joined or any(word in tag for word in long)):
            return True
        return _is_run(tag, parts)

    return select_tags([tag for tag in tags if is_supported(tag)], text)


def _is_run(tag: str, parts: list[str]) -> bool:
    """Return whether a few parts in a row, written together, are a hashtag."""
    for start, part in enumerate(parts):
        size, run = 1, part
        while (
            size < LONGEST_TAG_IN_WORDS and start + size < len(parts) and run != tag and tag.startswith(run)
        ):
            run += parts[start + size]
            size += 1
        if run == tag:
            return True
    return False
