"""Repair of text that was decoded with the wrong codec; clean text stays as it is, and costs one search.

"What's" saved as UTF-8 and read as Mac Roman is "What‚Äôs": each byte of a UTF-8 sequence became one
character outside ASCII. A table of the codecs seen in the wild turns such sequences back. Only leads whose
result is Latin text, punctuation, a symbol or an emoji are looked for: longer ranges would catch clean
text (an opening quote before an umlaut is a valid two-byte sequence in Mac Roman).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

__all__: Final = ["is_suspicious", "may_be_suspicious", "repair"]

_LEADS: Final = {2: range(0xC2, 0xC6), 3: (0xE2, 0xEF), 4: (0xF0,)}
_ALL_LEADS: Final = {2: range(0xC2, 0xE0), 3: range(0xE0, 0xF0), 4: range(0xF0, 0xF5)}
_CONTINUATION: Final = range(0x80, 0xC0)
_MOST_TIMES: Final = 3
"""How often text can have been broken by the same codec."""


def _characters(codec: str) -> str:
    """Return the character of each byte; one that the codec lacks is read as the control character."""
    read = (bytes([value]).decode(codec, "replace") for value in range(256))
    return "".join(chr(value) if char == "\ufffd" else char for value, char in enumerate(read))


_TABLES: Final = {codec: _characters(codec) for codec in ("mac_roman", "cp1252", "latin-1")}
_BYTES: Final[Mapping[str, dict[int, int]]] = {
    codec: {ord(char): value for value, char in enumerate(table)} for codec, table in _TABLES.items()
}


def _class(characters: Iterable[str]) -> str:
    return "[" + "".join(map(re.escape, sorted(set(characters)))) + "]"


def _sequences(table: str, leads_by_length: Mapping[int, Iterable[int]]) -> str:
    following = _class(table[value] for value in _CONTINUATION)
    return "|".join(
        f"{_class(table[value] for value in leads)}{following}{{{length - 1}}}"
        for length, leads in leads_by_length.items()
    )


def _romanian(table: str) -> str:
    """Return the sequences of ș and ț, whose lead in Mac Roman is a quotation mark."""
    return (
        f"|{table[0xC8]}{_class(table[value] for value in range(0x98, 0x9C))}" if table[0xC8] == "È" else ""
    )


_BROKEN: Final = {
    codec: re.compile(_sequences(table, _LEADS) + _romanian(table)) for codec, table in _TABLES.items()
}


def _suspicion() -> re.Pattern[str]:
    """Return what all broken text matches and next to no clean text does.

    It begins with one range of characters, which a search runs through fastest.
    """
    controls = [chr(value) for value in range(0x80, 0xA0) if value != 0x85]
    box_drawing = [chr(value) for value in range(0x2550, 0x256D)] + ["├", "┬", "Γ"]
    parts = [
        _class(controls),
        *(broken.pattern for broken in _BROKEN.values()),
        # Text in other scripts comes in runs; a single pair is more often a letter and a quotation mark.
        f"(?:{_sequences(_TABLES['cp1252'], _ALL_LEADS)}){{2}}",
        _sequences(_characters("cp1250"), {2: range(0xC3, 0xC6), 3: (0xE2,)}),
        f"(?:{_sequences(_characters('cp1251'), {2: (0xD0, 0xD1)})}){{2}}",
        f"{_class(box_drawing)}[^\\x00-\\x7f\\u2500-\\u257f]",
        "â€\ufffd",
    ]
    return re.compile("(?:" + "|".join(parts) + ")")


_SUSPICIOUS: Final = _suspicion()
# Every suspicious sequence is a run of characters outside ASCII: rare in Latin script, and found fast.
_PAIR: Final = re.compile("[^\\x00-\\x7f][^\\x00-\\x7f]")
_RUN: Final = re.compile("[^\\x00-\\x7f]+")
_ASCII: Final = bytes(range(0x80))
_CONTROL: Final = re.compile("[\\x80-\\x84\\x86-\\x9f]")

# Closing signs are continuation bytes in Windows-1252: "GÅ PÅ”" and "TVÅ" before a no-break space are clean.
_CLOSING: Final = frozenset("”“’‘…«»–—‹›\xa0")
# The last letter of a word in capitals, and what stands after it.
_CAPITAL: Final = r"(?P<capital>(?<=[A-ZÀ-ÖØ-ÞĀ-ſ])[À-ÖØ-Þ](?:[ \xa0]|[”“’‘…«»–—‹›™](?![^\W\d_])))"
_DOUBTFUL: Final = re.compile(f"{_CAPITAL}|{_BROKEN['cp1252'].pattern}")
_POETIC: Final = range(
    0x200, 0x218
)  # letters of verse and phonetics: a quotation mark and a letter were meant
# A letter of another script within a word: two signs were meant, as in "€ÅRE".
_MIXED_SCRIPTS: Final = re.compile(
    "[A-Za-zÀ-ɏ][\u0370-\u1dff\u2c00-\ud7ff]|[\u0370-\u1dff\u2c00-\ud7ff][A-Za-zÀ-ɏ]"
)
_SYMBOL_FONT: Final = range(0xF000, 0xF100)  # where Word keeps the bullets of Symbol and Wingdings


def _is_plausible(text: str) -> bool:
    return all(
        unicodedata.category(char) not in ("Cc", "Cn", "Co", "Cs", "Zl", "Zp") and ord(char) not in _POETIC
        for char in text
    )


def _may_be_clean(match: re.Match[str]) -> bool:
    """Return whether an upper-case letter and the sign after it are more likely what was meant."""
    lead, sign = match[0][0], match[0][1:]
    if sign not in _CLOSING or lead not in "ÃÄÅÈ":
        return False
    before = match.string[match.start() - 1 : match.start()]
    if sign == "\xa0":
        return before.isupper() or (lead != "Ã" and not before.isalpha())
    after = match.string[match.end() : match.end() + 1]
    if sign in "–—" and after.isupper() and not before.isalpha():  # "from Ä–Ö"
        return True
    return not after.isalpha() and (before.isupper() or not before.isalpha())


class _Line:
    """Whether the line of a match holds a broken sequence that cannot be meant; looked for once a line."""

    def __init__(self) -> None:
        self._end = -1
        self._is_certain = False

    def is_certain(self, match: re.Match[str]) -> bool:
        """Return it for the line of a match; matches come one after the other."""
        if match.start() >= self._end:
            start = match.string.rfind("\n", 0, match.start()) + 1
            end = match.string.find("\n", match.end())
            self._end = len(match.string) if end < 0 else end
            others = match.re.finditer(match.string, start, self._end)
            self._is_certain = any(not _may_be_clean(other) for other in others)
        return self._is_certain


@lru_cache(maxsize=4096)
def _turn_back(codec: str, sequence: str) -> str:
    """Return the character that a sequence was, or the sequence when it was none."""
    try:
        fixed = sequence.translate(_BYTES[codec]).encode("latin-1").decode("utf-8")
    except UnicodeError:
        return sequence
    if codec == "mac_roman" and (fixed in "\u2000\u200a" or (sequence[0] == "‚" and sequence[1] in "æøÆØé")):
        return sequence  # a word in low quotation marks: "‚Äänekoski‘", "‚æøå‘", "‚één‘"
    if ord(fixed[0]) in _SYMBOL_FONT:
        return "•"
    return fixed if _is_plausible(fixed) else sequence


def _undo(codec: str) -> Callable[[re.Match[str]], str]:
    line = _Line()

    def replace(match: re.Match[str]) -> str:
        if _may_be_clean(match) and not (match[0][0] == "Ã" and line.is_certain(match)):
            return match[0]
        if match[0][0] == "ƒ" and match.string[match.start() - 1 : match.start()] == "Ã":
            return match[0]  # what Windows-1252 leaves when it breaks a text twice, and not Mac Roman
        return _turn_back(codec, match[0])

    return replace


def is_suspicious(text: str) -> bool:
    """Return whether a text is worth repairing; no part of one that is not would be changed by `repair`.

    Examples
    --------
    >>> is_suspicious("schÃ¶n"), is_suspicious("„schön“")
    (True, False)
    """
    if text.isascii():
        return False
    data = text.encode("utf-8", "surrogatepass")
    if not may_be_suspicious(data):
        return False
    if b"\xc2" in data and _CONTROL.search(text):
        return True
    pair = _PAIR.search(text)
    while pair:
        run = _RUN.match(text, pair.start())
        assert run is not None  # noqa: S101 - a pair is the beginning of one
        if _SUSPICIOUS.search(run[0]):
            return True
        pair = _PAIR.search(text, run.end())
    return False


def may_be_suspicious(data: bytes) -> bool:
    """Return whether the characters outside ASCII, put side by side, hold a suspicious sequence.

    When these few do not, then neither does the text: all such sequences stand outside ASCII.

    Parameters
    ----------
    data : bytes
        UTF-8.

    Examples
    --------
    >>> [may_be_suspicious(text.encode()) for text in ("schÃ¶n", "Ã and ¶", "„schön“")]
    [True, True, False]
    """
    others = data.translate(None, _ASCII).decode("utf-8", "surrogatepass")
    return _SUSPICIOUS.search(others) is not None


def repair(text: str) -> str:
    """Undo decoding with the wrong codec where the text shows it; leave clean text alone.

    First the sequences that Mac Roman, Windows-1252 and Latin-1 leave behind are turned back one by
    one, so that a line mixing good and broken characters comes out right. What still looks broken goes
    to `ftfy`, line by line, with its cosmetic changes off (quotes stay curly, entities stay entities).

    Parameters
    ----------
    text : str

    Returns
    -------
    str

    Examples
    --------
    >>> repair("What‚Äôs the opportunity?"), repair("für Köche – schÃ¶n")
    ('What’s the opportunity?', 'für Köche – schön')
    >>> repair("“Ärzte” und „Übung“ für 5 €")
    '“Ärzte” und „Übung“ für 5 €'
    """
    if not is_suspicious(text):
        return text
    text = text.replace("â€\ufffd", "”")  # the one sign in use whose last byte Windows-1252 lacks
    # What one codec leaves behind can hold a sequence of another: the one that explains more goes first.
    found = {codec: sum(map(len, broken.findall(text))) for codec, broken in _BROKEN.items()}
    for codec in sorted(_BROKEN, key=lambda codec: -found[codec]):
        broken = _BROKEN[codec]
        for _ in range(_MOST_TIMES):
            before = text
            text = broken.sub(_undo(codec), text)
            if text == before:
                break
    if not is_suspicious(text) or not _looks_broken(text):
        return text
    return "\n".join(map(_repair_line, text.split("\n")))


def _looks_broken(text: str) -> bool:
    from ftfy.badness import is_bad

    return is_bad(text)


def _repair_line(line: str) -> str:
    if not is_suspicious(line) or not _looks_broken(line):
        return line
    kept = [match for match in _DOUBTFUL.finditer(line) if match["capital"] or _may_be_clean(match)]
    starts = [0, *(match.end() for match in kept)]
    ends = [*(match.start() for match in kept), len(line)]
    parts = [_repair_part(line[start:end]) for start, end in zip(starts, ends, strict=True)]
    return "".join(part + match[0] for part, match in zip(parts, kept, strict=False)) + parts[-1]


def _repair_part(part: str) -> str:
    if part.isascii() or not _looks_broken(part):
        return part
    import ftfy

    config = ftfy.TextFixerConfig(
        unescape_html=False,
        uncurl_quotes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        fix_line_breaks=False,
        normalization=None,
        explain=False,
    )
    fixed = ftfy.fix_encoding(part, config)
    return fixed if _is_plausible(fixed) and not _MIXED_SCRIPTS.search(fixed) else part
