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
from typing import Final

from matcher.profile import Profile

__all__: Final = ["remove_personal_data"]

HEADER_LINES: Final = 14
NAME_LINES: Final = 3
FEWEST_LINES: Final = 5

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
_PHOTO: Final = re.compile(
    r"^\W*(?:photo(?:graph)?|picture|(?:bewerbungs)?foto|lichtbild)\b\W*"
    r"(?:attached|enclosed|included|available|on request|see|yes|no|here"
    r"|beigefügt|anbei|liegt bei|siehe|ja|nein)?\b"
    r"[^.,;]{0,30}$",
    re.IGNORECASE,
)
_STATUS: Final = re.compile(
    r"^\W*(?:married|single|divorced|widowed|engaged|in a (?:civil )?partnership|verheiratet|ledig|geschieden"
    r"|verwitwet|verlobt|alleinerziehend)\b(?:\W*$|.{0,50}\b(?:child(?:ren)?|kids?|sons?|daughters?|kind(?:er)?"
    r"|s[oö]hne?|t[oö]chter)\b.{0,30}$)",
    re.IGNORECASE,
)
_CITIZENSHIP_WORDS: Final = ("citizen", "national", "passport", "staatsbürger", "staatsangehörig")
_CITIZENSHIP: Final = re.compile(
    r"\b[^\W\d_]+(?:[- ][A-Z][^\W\d_]+)? (?:citizen(?:ship)?|national(?:ity)?|passport(?: holder)?"
    r"|staatsbürger(?:in|schaft)?|staatsangehörige[r]?|staatsangehörigkeit)\b",
    re.IGNORECASE,
)
_CONTACT: Final = re.compile(r"[\w.+-]@[\w-]+\.\w|(?:\+|\(?\b0)[\d()/ .-]{6,}\d")
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
_LOCAL_PART: Final = re.compile(r"([\w.+-]+)@[\w-]+\.\w")
_LABELLED_NAME: Final = re.compile(r"^\W*(?:full )?name\s*[:|\t]\s*(.+)$", re.IGNORECASE)


def remove_personal_data(profile: Profile) -> Profile:
    """Return the profile without what must not change a recommendation.

    Parameters
    ----------
    profile : Profile

    Returns
    -------
    Profile
        Equal to `profile` when nothing personal was found.

    Examples
    --------
    >>> lines = ["Jo Baker", "jo@mail.example", "Nationality: Irish", "Chef", "Jo Baker cooks.", "Bakes"]
    >>> remove_personal_data(Profile("\\n".join(lines))).text.split("\\n")
    ['', 'jo@mail.example', '', 'Chef', ' cooks.', 'Bakes']
    """
    lines = profile.text.split("\n")
    name = _find_name(lines)
    kept = "\n".join(_without_labels(lines))
    lowered = kept.lower()
    if any(word in lowered for word in _CITIZENSHIP_WORDS):
        kept = _CITIZENSHIP.sub(" ", kept)
    return Profile(_without_name(kept, name))


def _without_labels(lines: list[str]) -> Iterator[str]:
    after_label = False
    for line in lines:
        # In a table that became text, the value stands on the line after its label.
        personal = after_label or any(rule.match(line) for rule in (_LABELLED, _STATUS, _PHOTO))
        after_label = bool(line.strip()) and not after_label and bool(_CELL_LABEL.match(line))
        yield "" if personal or after_label else line


def _find_name(lines: list[str]) -> list[str]:
    filled = [line for line in lines if line.strip()]
    header = filled[:HEADER_LINES]
    if len(filled) < FEWEST_LINES or not any(map(_CONTACT.search, header)):
        return []
    for line in header:
        labelled = _LABELLED_NAME.match(line)
        if labelled:
            return labelled[1].split()
    contact = next(number for number, line in enumerate(header) if _CONTACT.search(line))
    candidates = []
    for line in header[: min(contact + 1, NAME_LINES)]:
        candidate = re.split(r"[,|·•(\t]|\s[-–—/]\s|\s{3,}", _TITLE.sub("", line).strip(" *#_\t"))[0].strip()
        if _NAME.match(candidate):
            candidates.append(candidate.split())
    # "Staff Nurse" above "Anna Smith" looks like a name too: the address tells them apart.
    addresses = _plain(" ".join(_LOCAL_PART.findall("\n".join(header))))
    named = [words for words in candidates if any(len(w) > 2 and _plain(w) in addresses for w in words)]
    return (named or candidates or [[]])[0]


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _without_name(text: str, name: list[str]) -> str:
    if not name:
        return text
    full = r"\s+".join(map(re.escape, name))
    text = re.sub(rf"(?<!\w){full}(?!\w)", "", text, flags=re.IGNORECASE)
    for given in name[:-1]:
        if given in _PARTICLES:
            continue
        written = "|".join({re.escape(form) for form in (given.capitalize(), given.upper(), given)})
        text = re.sub(rf"(?<!\w)(?:{written})(?!\w)", "", text)
    return text
