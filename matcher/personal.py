"""What a CV says about the person rather than the work, taken out before it is ranked.

Swapping a name, a pronoun, an e-mail address, a phone number, a birth date, a photo line, a marital status
or a nationality must change no recommendation. E-mail addresses, links, numbers, pronouns and month names
never become features (`matcher.analyzer`); this module removes the lines and phrases that hold the rest.

The rules are cautious: a name is looked for only at the top of a text that has an e-mail address or phone
number there, and a family name that stands alone later stays, because *Baker* and *Koch* are occupations.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import islice, pairwise
from typing import Final

from matcher.profile import Profile

__all__: Final = ["remove_personal_data"]

HEADER_LINES: Final = 14
NAME_LINES: Final = 3
FEWEST_LINES: Final = 5
LONGEST_NAME: Final = 6
"""Words of a name at most; more of them are a sentence."""

# Labels that name work as often as a person (mobile, mail, children, religion) are missing on purpose:
# numbers and addresses never become features anyway.
_LABEL: Final = (
    r"(?:(?:full|first|last|family|given|preferred|middle)[ ]name|names?|surname|pronouns"
    r"|(?:date|place)[ ]of[ ]birth|birth[ ]?date|birthday|birthplace|born|d\.?o\.?b\.?|age|gender|sex"
    r"|nationality|nationalities|citizenship|(?:marital|civil|family)[ ]status|religious[ ]affiliation"
    r"|vorname|nachname|vor-[ ]und[ ]nachname|familienname|geburtsname|rufname|pronomen"
    r"|geburts(?:datum|ort|tag)|geboren|geb\.?|jahrgang|alter|geschlecht"
    r"|staatsangehörigkeit|staatsbürgerschaft|nationalität|zivilstand|familienstand"
    r"|konfession|religionszugehörigkeit)"
)
_LABELLED: Final = re.compile(
    rf"^\W*{_LABEL}(?:\s*(?:[:：|=]|\t|\s-\s)|\s+(?=\d|am\b|in\b|on\b)).*$", re.IGNORECASE
)
_CELL_LABEL: Final = re.compile(rf"^\W*{_LABEL}\W*$", re.IGNORECASE)
_PHOTO_WORD: Final = r"(?:photo(?:graph)?|picture|(?:bewerbungs)?foto|lichtbild)\b"
_PHOTO: Final = re.compile(
    rf"^\W*{_PHOTO_WORD}\W*"
    r"(?:attached|enclosed|included|available|on request|see|yes|no|here"
    r"|beigefügt|anbei|liegt bei|siehe|ja|nein)?\b"
    r"[^.,;]{0,30}$",
    re.IGNORECASE,
)
_STATUS_WORD: Final = (
    r"(?:married|single|divorced|widowed|engaged|in a (?:civil )?partnership|verheiratet|ledig|geschieden"
    r"|verwitwet|verlobt|alleinerziehend)\b"
)
_STATUS: Final = re.compile(
    rf"^\W*{_STATUS_WORD}(?:\W*$|.{{0,50}}\b(?:child(?:ren)?|kids?|sons?|daughters?|kind(?:er)?"
    r"|s[oö]hne?|t[oö]chter)\b.{0,30}$)",
    re.IGNORECASE,
)
# The first words of what the rules above match.
_OPENING_WORDS: Final = """
    full first last family given preferred middle name names surname pronouns date place birth birthdate
    birthday birthplace born d do dob age gender sex nationality nationalities citizenship marital civil
    religious
    vorname nachname vor familienname geburtsname rufname pronomen geburtsdatum geburtsort geburtstag
    geboren geb jahrgang alter geschlecht staatsangehörigkeit staatsbürgerschaft nationalität zivilstand
    familienstand konfession religionszugehörigkeit
    photo photograph picture foto bewerbungsfoto lichtbild
    married single divorced widowed engaged in verheiratet ledig geschieden verwitwet verlobt alleinerziehend
""".split()
_OTHER_CASES: Final = {"i": "Iıİ", "k": "K\u212a", "s": "Sſ"}


def _opening() -> re.Pattern[str]:
    """Return a pattern of the beginning of those lines that one of the rules may match.

    It runs over the whole text, so it is made for speed: a pattern that starts with a literal sign skips to
    the next one as fast as `str.find` does (hence the line end before the line, and a text searched with one
    in front), and a branch that starts with a set of characters is left without being entered.
    """
    by_letter: dict[str, list[str]] = {}
    for word in _OPENING_WORDS:
        by_letter.setdefault(word[0], []).append(word[1:])
    branches = "|".join(
        f"[{letter}{_OTHER_CASES.get(letter, letter.upper())}](?i:{'|'.join(rests)})"
        for letter, rests in by_letter.items()
    )
    return re.compile(rf"\n[^\w\n]*+(?:{branches})(?!\w)")


_OPENING: Final = _opening()
_CITIZENSHIP_WORDS: Final = ("citizen", "national", "passport", "staatsbürger", "staatsangehörig")
_CITIZENSHIP_BEGINNINGS: Final = (" citizen", " national", " passport", " staats")
_CITIZENSHIP: Final = re.compile(
    r"\b[^\W\d_]+(?:[- ][A-Z][^\W\d_]+)? (?:citizen(?:ship)?|national(?:ity)?|passport(?: holder)?"
    r"|staatsbürger(?:in|schaft)?|staatsangehörige[r]?|staatsangehörigkeit)\b",
    re.IGNORECASE,
)
_CITIZENSHIP_PLACE: Final = re.compile(
    r" (?:citizen|national|passport|staatsbürger|staatsangehörig)", re.IGNORECASE
)
_MAIL: Final = re.compile(r"@(?<=[\w.+-]@)[\w-]+\.\w")
_PHONE: Final = re.compile(r"[+0](?:(?<=\+)|(?<=\b0))[\d()/ .-]{6,}\d")
_TITLE: Final = re.compile(
    r"^\W*(?:curriculum vitae|lebenslauf|cv|r[ée]sum[ée]|persönliche daten|personal (?:data|details))\b\W*",
    re.I,
)
_PARTICLES: Final = frozenset(
    "van von vom zu zur der den de del della di da dos la le el al bin ibn y ten ter af".split()
)
_NAME_WORD: Final = r"[^\W\d_a-zß][^\W\d_]*(?:['’.-][^\W\d_]+)*\.?"
_NAME: Final = re.compile(
    rf"^{_NAME_WORD}(?:\s+(?:{_NAME_WORD}|{'|'.join(sorted(_PARTICLES))})){{0,4}}\s+{_NAME_WORD}$"
)
_NAME_END: Final = re.compile(r"[,|·•(\t]|\s[-–—/]\s|\s{3,}")
_LOCAL_PART: Final = re.compile(r"[\w.+-]+")
_DOMAIN: Final = re.compile(r"[\w-]+\.\w")
_SPACE: Final = re.compile(r"\s+")
_WORD_CHARACTER: Final = re.compile(r"\w")
# Up to here, but for these letters, one letter matches another regardless of case just when both are the same
# in lower case: the dotless and the dotted i, the long s, the micro sign.
_LAST_SIMPLE_LETTER: Final = "\u017f"
_ODD_CASES: Final = "ıİſµ"
_LABELLED_NAME: Final = re.compile(r"\n[^\w\n]*+(?:full )?name[^\S\n]*[:|\t][^\S\n]*(.+)", re.IGNORECASE)


def remove_personal_data(profile: Profile) -> Profile:
    """Return the profile without what must not change a recommendation.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    Profile
        `profile` itself when nothing personal was found.

    Examples
    --------
    >>> lines = ["Jo Baker", "jo@mail.example", "Nationality: Irish", "Chef", "Jo Baker cooks.", "Bakes"]
    >>> remove_personal_data(Profile("\\n".join(lines))).text.split("\\n")
    ['', 'jo@mail.example', '', 'Chef', ' cooks.', 'Bakes']
    """
    text = _without_labels(profile.text)
    lowered = text.lower()
    if _may_have_citizenship(text, lowered):
        text = _without_citizenship(text)
        lowered = text.lower()
    text = _without_name(text, lowered, _find_name(profile.text))
    return profile if text == profile.text else Profile(text)


def _without_labels(text: str) -> str:
    lines = "\n" + text
    kept = []
    done = 0
    for opening in _OPENING.finditer(lines):
        start = opening.start() + 1
        if start < done:  # a value below its label is no label itself
            continue
        end = _line_end(lines, start)
        line = lines[start:end]
        if _CELL_LABEL.match(line):
            # In a table that became text, the value stands on the line after its label.
            kept.append(lines[done:start] + lines[end : end + 1])
            done = _line_end(lines, end + 1)
        elif any(rule.match(line) for rule in (_LABELLED, _STATUS, _PHOTO)):
            kept.append(lines[done:start])
            done = end
    return "".join([*kept, lines[done:]])[1:] if kept else text


def _may_have_citizenship(text: str, lowered: str) -> bool:
    words = _CITIZENSHIP_WORDS if _has_odd_cases(text) else _CITIZENSHIP_BEGINNINGS
    return any(word in lowered for word in words)


def _has_odd_cases(text: str) -> bool:
    """Return whether letters match others in the text regardless of case though not equal in lower case."""
    return any(char in text for char in _ODD_CASES)


def _without_citizenship(text: str) -> str:
    kept = []
    done = 0
    for place in _CITIZENSHIP_PLACE.finditer(text):
        # At most two words stand before and three behind, with single spaces between them.
        start = stop = place.start()
        for _ in range(2):
            start = max(text.rfind(" ", done, start), done)
        for _ in range(4):
            stop = text.find(" ", stop + 1) % (len(text) + 1)  # -1 becomes the end
        found = _CITIZENSHIP.search(text, start, stop)
        if found and found.start() <= place.start():
            kept += [text[done : found.start()], " "]
            done = found.end()
    return "".join([*kept, text[done:]])


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _find_name(text: str) -> list[str]:
    header = list(islice((line for line in text.split("\n") if line.strip()), HEADER_LINES))
    if len(header) < FEWEST_LINES:
        return []
    top = "\n".join(header)
    contacts = [found.start() for found in (_MAIL.search(top), _PHONE.search(top)) if found]
    if not contacts:
        return []
    labelled = _LABELLED_NAME.search("\n" + top)
    if labelled:
        return _read_labelled(labelled[1])
    candidates = []
    for line in header[: min(top.count("\n", 0, min(contacts)) + 1, NAME_LINES)]:
        title = _TITLE.match(line)
        untitled = line[title.end() :] if title else line
        candidate = _NAME_END.split(untitled.strip(" *#_\t"), 1)[0].strip()
        if _NAME.match(candidate):
            candidates.append(candidate.split())
    if len(candidates) > 1:
        # "Staff Nurse" above "Anna Smith" looks like a name too: the address tells them apart.
        addresses = _plain(" ".join(_local_parts(top)))
        named = [words for words in candidates if any(len(w) > 2 and _plain(w) in addresses for w in words)]
        candidates = named or candidates
    return candidates[0] if candidates else []


def _read_labelled(written: str) -> list[str]:
    """Return the name that stands behind a label, given name first; what follows it is no part of it."""
    first, *others = (part.split() for part in _NAME_END.split(written.strip()))
    if len(first) == 1 and others and 1 <= len(others[0]) <= 2 and "," in written:  # "Smith, Anna"
        first = others[0] + first
    return first if len(first) <= LONGEST_NAME else []


def _local_parts(text: str) -> Iterator[str]:
    """Yield what stands before the @ of each address, found from the @ backwards: in linear time."""
    addressed = 0
    for before, after in pairwise(text.split("@")):
        domain = _DOMAIN.match(after)
        local_part = _LOCAL_PART.match(before[addressed:][::-1]) if domain else None
        if local_part:
            yield local_part[0][::-1]
        addressed = domain.end() if domain and local_part else 0


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _without_name(text: str, lowered: str, name: list[str]) -> str:
    if not name:
        return text
    text = _without_full_name(text, lowered, name)
    for given in name[:-1]:
        forms = {given.capitalize(), given.upper(), given}
        if given not in _PARTICLES and any(form in text for form in forms):
            text = re.sub(rf"(?<!\w)(?:{'|'.join(map(re.escape, forms))})(?!\w)", "", text)
    return text


def _without_full_name(text: str, lowered: str, name: list[str]) -> str:
    letters = "".join(name)
    if max(letters) > _LAST_SIMPLE_LETTER or _has_odd_cases(letters) or _has_odd_cases(text):
        full = r"\s+".join(map(re.escape, name))
        return re.sub(rf"(?<!\w){full}(?!\w)", "", text, flags=re.IGNORECASE)
    # The same without a pattern to compile for each CV, which takes longer than all the rest.
    words = [word.lower() for word in name]
    kept = []
    done = 0
    start = lowered.find(words[0])
    while start >= 0:
        inside_word = start > 0 and _WORD_CHARACTER.match(text, start - 1)
        end = 0 if inside_word else _end_of_words(lowered, words, start)
        if end:
            kept.append(text[done:start])
            done = end
        start = lowered.find(words[0], end or start + 1)
    return "".join([*kept, text[done:]])


def _end_of_words(text: str, words: list[str], start: int) -> int:
    """Return where the words end that start there, with white space between; 0 if they do not."""
    end = start
    for number, word in enumerate(words):
        space = _SPACE.match(text, end) if number else None
        if number and not space:
            return 0
        end = space.end() if space else end
        if not text.startswith(word, end):
            return 0
        end += len(word)
    return 0 if _WORD_CHARACTER.match(text, end) else end
