"""Places: the cities, regions and countries that the text of a location names, and whether it says remote.

Only what the text says is read: no country is guessed from a city.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from matcher.countries import AREAS, COUNTRIES, COUNTRY_CODES, REGION_CODES, REGIONS, fold_name

__all__: Final = ["Place", "is_remote", "parse_places"]

LONGEST_LOCATION: Final = 1_000
MOST_PLACES: Final = 50

_REMOTE: Final = re.compile(
    r"\b(?:100 ?% |fully |full |voll )?(?:remote(?: work(?:ing)?)?|anywhere|wfh|work(?:ing)? from home"
    r"|home[ -]?based(?! treatment| team| care| support)|home[ -]?office|telecommut\w*|telework\w*|telearbeit"
    r"|ortsunabhängig)\b",
    re.IGNORECASE,
)
_NOT_REMOTE: Final = re.compile(
    r"\b(?:no|not|non|kein|keine|nicht|without|ohne|partly|partially|teilweise|hybrid)[ -]+(?:\w+[ -]+)?"
    r"(?:remote|home[ -]?office|work(?:ing)? from home)\b"
    r"|\b(?:remote|home[ -]?office)(?: work)?:?[ -]+(?:is[ -]+)?(?:not?|nein|nicht|hybrid)\b",
    re.IGNORECASE,
)
_SOMETIMES: Final = re.compile(
    r"(?<!% )(?<!%)(?<!voll )(?<!full )(?<!fully )\b(?:home[ -]?office|telearbeit)[ -]+(?:ist[ -]+|is[ -]+)?"
    r"(?:(?:teilweise|tageweise|anteilig|partly)[ -]+)?(?:möglich|possible)\b",
    re.IGNORECASE,
)
"""What German adverts say of some days at home."""
_EVERYWHERE: Final = re.compile(
    r"\b(?:bundesweit|landesweit|nation[ -]?wide|country[ -]?wide)\b", re.IGNORECASE
)
"""No place, and no country either: whose is not said."""
_PRESENCE: Final = re.compile(
    r"\b(?:headquarters|hq|hybrid|on[ -]?site|in[ -]person|in[ -]office|vor ort|präsenz|office[ -]based)\b.*",
    re.IGNORECASE,
)
_FILLER: Final = re.compile(
    r"\b(?:only|nur|based|within|innerhalb(?: von)?|from|in|aus|across|candidates|residents|locations?|area"
    r"|time ?zones?|(?:central|eastern|pacific|mountain) time|möglich|possible|the|der|oder|or)\b"
    r"|[:.*]+(?=\s|$)",
    re.IGNORECASE,
)
_ALTERNATIVES: Final = re.compile(
    r"\s*[;|•·\n]\s*|\s+/\s*|\s*/\s+|(?<=\w\w)/(?=\w\w)|,?\s+(?:or|oder|OR|ODER)\s+"
)
_SEGMENTS: Final = re.compile(r"\s*[,–—]\s*|\s+-+\s+|\s+-(?=\S)|(?<=\S)-\s+")
_GROUP: Final = re.compile(r"[(\[]([^()\[\]]*)[)\]]")
_AND: Final = re.compile(r"\s*(?:&|\+|,|\band\b|\bund\b)\s*")
_POSTCODE: Final = re.compile(
    r"^(?:[A-Z]{1,3}[ -])?\d{4,5}\s+(?=\D+$)|\s+\d{5}(?:-\d{4})?$|\s+[A-Z]{1,2}\d[A-Z\d]?\s+\d[A-Z]{2}$"
    r"|\s+[A-Z]\d[A-Z]\s?\d[A-Z]\d$"
)
_POSTCODE_ALONE: Final = re.compile(r"\d{4,6}(?:-\d{4})?|[A-Z]{1,2}\d[A-Z\d]?\s*\d[A-Z]{2}")
_RIVERS: Final = frozenset(
    "main saale oder donau rhein neckar ruhr lahn isar inn elbe weinstraße spree havel mosel mur drau".split()
)
"""Second halves of names such as Frankfurt/Main: no alternative."""

_LAST_WORD: Final = re.compile(
    r"^(?P<rest>.*\S)\s+(?P<country>UK|USA|U\.S\.(?:A\.)?|U\.K\.|United Kingdom|United States|Germany"
    r"|Deutschland|Austria|Österreich|Switzerland|Schweiz|France)$"
)
_CANTON: Final = re.compile(r"^(?P<rest>.*\S)\s+(?P<canton>[A-Z]{2})$")
_CANTON_NAME: Final = re.compile(r"(?:Kanton|Canton(?: of| de)?)\s+(.+)", re.IGNORECASE)
_COUNTY: Final = re.compile(r"(?:Co\.?|County|Landkreis|Kreis|Region)\s+\S|.*\S\s+County$")
_REGION_OF: Final = re.compile(r"(?P<country>[A-Z]{2})-(?P<region>[A-Z]{2,4})")
_STREET: Final = re.compile(
    r".*\b(?:Street|St|Avenue|Ave|Road|Rd|Blvd|Boulevard|Drive|Dr|Way|Parkway|Pkwy"
    r"|Highway|Lane|Floor|Suite|Ste)\b[ .\d]*$"
    r"|.*(?:straße|strasse|str\.|gasse|allee) ?\d+\w?$"
)
_CITIES_TOO: Final = frozenset(
    "new york|washington|quebec|berlin|bremen|hamburg|salzburg|wien|vienna|bern|fribourg|freiburg|geneve|genf"
    "|geneva|luzern|lucerne|neuchatel|neuenburg|schaffhausen|solothurn|st gallen|schwyz|zug|zurich|glarus"
    "|victoria|wallis|brandenburg|jura".split("|")
)
"""Parts of countries that a city has given its name to, folded: alone they are the city."""

_OPEN_CODES: Final = frozenset(("PE", "SK", "NL"))
"""Provinces of Canada that could as well be a country."""


@dataclass(frozen=True, slots=True)
class Place:
    """One place of a location. Immutable.

    Parameters
    ----------
    city, region : str
        As the text writes them, empty where it names none.
    country : str
        ISO 3166-1 alpha-2 code, empty where the text names none.
    remote : bool
        Whether the work can be done from anywhere in it.

    Examples
    --------
    >>> Place("Bern", country="CH")
    Place(city='Bern', region='', country='CH', remote=False)
    """

    city: str = ""
    region: str = ""
    country: str = ""
    remote: bool = False


def is_remote(location: str) -> bool:
    """Return whether a location says that the work can be done from anywhere.

    Examples
    --------
    >>> is_remote("Berlin or remote"), is_remote("Bern (no remote)"), is_remote("Bern (hybrid)")
    (True, False, False)
    """
    location = _SOMETIMES.sub(" ", " ".join(location.split()))
    return bool(_REMOTE.search(location)) and not _NOT_REMOTE.search(location)


def parse_places(location: str) -> tuple[Place, ...]:
    """Return the places that a location names, in its order.

    Alternatives are separated by ``/``, ``;``, ``|``, "or" and "oder", the parts of a place by commas and
    dashes. A part that is neither country, region nor remote is the city, as the text writes it.

    - A region says its country ("Bavaria"); a city never does.
    - Two capitals after a city are a state of the United States or a province of Canada when they could be
      ("Columbus, IN" is Indiana, "San Jose, CA" California), else a country. ``DE`` and ``NL`` are always
      countries; ``PE`` and ``SK`` stay open.
    - Behind a region they are the country: "Bengaluru, KA, IN", "Toronto, Ontario, CA".
    - Two cities that have given their name to a part of a country are two places ("Berlin, Hamburg").
    - "Homeoffice möglich" promises some days at home, and is not remote.
    - "bundesweit" and "nationwide" are no place; "deutschlandweit" is Germany.
    - Two capitals alone are a country; when they could be such a state too, it stays open, but for ``DE``
      and ``NL``.
    - "Georgia" alone, or after a city, stays open.

    Parameters
    ----------
    location : str

    Returns
    -------
    tuple of Place
        Empty when the location is; at most `MOST_PLACES`.

    Examples
    --------
    >>> parse_places("San Francisco, CA")
    (Place(city='San Francisco', region='CA', country='US', remote=False),)
    >>> [(place.city, place.country, place.remote) for place in parse_places("Berlin, DE or remote (EU)")]
    [('Berlin', 'DE', False), ('', '', True)]
    """
    return _parse(location[:LONGEST_LOCATION], is_remote(location))


@lru_cache(maxsize=4096)  # of short texts only: boards repeat their locations
def _parse(location: str, anywhere: bool) -> tuple[Place, ...]:
    text = " ".join(html.unescape(location).split())
    if not text and not anywhere:
        return ()
    places: list[Place] = []
    alternatives = _split_alternatives(text)
    for alternative in alternatives[:MOST_PLACES]:
        remote = anywhere and is_remote(alternative)
        if not remote and places and places[-1].remote and not places[-1].city:
            found = _read(alternative)  # "Remote, UK or Ireland"
            places += [replace(place, remote=not place.city) for place in found]
        else:
            places += [replace(place, remote=remote) for place in _read(alternative) or [Place()][:remote]]
    places = _spread_countries(places)
    if anywhere and not any(place.remote for place in places):
        places = [replace(place, remote=True) for place in places] or [Place(remote=True)]
    return tuple(dict.fromkeys(places))[:MOST_PLACES]


def _split_alternatives(text: str) -> list[str]:
    """Split where no parenthesis is open: "Basel, CH or remote (DE/AT)" has two."""
    pieces: list[str] = []
    start = 0
    for match in _ALTERNATIVES.finditer(text):
        before = text[start : match.start()]
        if before.count("(") > before.count(")") or not before:
            continue
        if "/" in match[0] and text[match.end() :].split(" ", 1)[0].rstrip(",").casefold() in _RIVERS:
            continue
        pieces.append(before)
        start = match.end()
    return [piece for piece in (*pieces, text[start:]) if piece.strip()]


def _read(alternative: str) -> list[Place]:
    """Return the place of one alternative; several when it ends in several countries."""

    def take(match: re.Match[str]) -> str:
        content = _strip_words(match[1])
        if content and not _is_known(content):
            return match[0]  # a part of the name: "Münster (Westf.)"
        return f", {content}," if content else " "

    parts = _split_segments(_GROUP.sub(take, alternative))
    if len(parts) > 2 and parts[0][0].isdigit() and _is_american(_strip_words(parts[-1])):
        del parts[0]  # a house number
    segments = [part for part in map(_strip_words, parts) if part]
    if len(segments) > 1:
        segments = [part for part in segments[:-1] if not _STREET.match(part)] + segments[-1:]
    code = _REGION_OF.fullmatch(segments[-1]) if segments else None
    if code and code["country"] in REGION_CODES.get(code["region"], ()):  # "US-CA"
        segments[-1:] = [code["region"], code["country"]]
    if not segments:
        return []
    countries = _countries_of(segments[-1])
    if len(countries) > 1:
        rest = _place(segments[:-1]) if len(segments) > 1 else Place()
        return [replace(rest, country=country) for country in countries]
    regions = [REGIONS.get(fold_name(part), ()) for part in segments]
    if len(segments) > 1 and all(owners == ("GB",) for owners in regions):  # "England, Wales"
        return [Place(region=part, country="GB") for part in segments]
    names = [*map(fold_name, segments)]
    if len(names) > 1 and {*names[:2]} <= _CITIES_TOO and len({*names}) == len(names):  # "Berlin, Hamburg"
        country = _country(segments[-1])
        return [replace(_place([part]), country=country) for part in segments[: -1 if country else None]]
    return [_place(segments)]


def _is_american(part: str) -> bool:
    return (_country(part) or _region(part, "")) == "US"


def _split_segments(text: str) -> list[str]:
    parts = [" ".join(part.split()) for part in _SEGMENTS.split(text)]
    parts = [part for part in parts if part]
    last = _LAST_WORD.match(parts[-1]) if parts else None
    if last and not _is_known(parts[-1]):  # "London UK", but not "Northern Ireland"
        parts[-1:] = [last["rest"], last["country"]]
    return parts


def _strip_words(part: str) -> str:
    """Take out what says how the work is done, and then little words: "remote within the UK" -> "UK"."""
    part = " ".join(part.split())
    plain = _EVERYWHERE.sub(" ", _NOT_REMOTE.sub(" ", _SOMETIMES.sub(" ", part)))
    plain = _PRESENCE.sub(" ", _REMOTE.sub(" ", plain))
    filled = _tidy(_FILLER.sub(" ", plain))
    if plain != part or (not _is_known(part) and _is_known(filled)):
        plain = filled
    plain = _tidy(plain)
    if _STREET.match(plain):
        return plain
    return "" if _POSTCODE_ALONE.fullmatch(plain) else _POSTCODE.sub("", plain).strip()


def _tidy(text: str) -> str:
    return re.sub(r"(?<=[a-z]{3})\.$", "", " ".join(text.split()).strip(" -,:"))


def _countries_of(part: str) -> list[str]:
    found = [_country(name) for name in re.split(r"\s*/\s*", part)]
    if not all(found):
        found = [_country(name) for name in _AND.split(part) if name]
    return found if all(found) else []


def _country(part: str) -> str:
    name = fold_name(part)
    if name in COUNTRIES:
        return COUNTRIES[name]
    code = part.replace(".", "")
    if len(code) != 2 or not code.isupper() or code not in COUNTRY_CODES:
        return ""
    return "" if _could_be_both(code) else code


def _could_be_both(code: str) -> bool:
    """Return whether capitals are a country and a state or province, and neither by far the likelier."""
    owners = REGION_CODES.get(code, ())
    return code in COUNTRY_CODES and code not in ("DE", "NL") and ("US" in owners or "CA" in owners)


def _region(part: str, country: str) -> str:
    """Return the country a part of it belongs to, or an empty text; `country` is that of the text, if any."""
    named = _CANTON_NAME.fullmatch(part)
    if named:
        return "CH"
    owners = REGIONS.get(fold_name(part)) or (REGION_CODES.get(part) if part.isupper() else None) or ()
    if country:
        return country if country in owners else ""
    if part.isupper() and fold_name(part) not in REGIONS:
        owners = () if part in _OPEN_CODES else tuple(owner for owner in owners if owner in _CODED)
        if part in COUNTRY_CODES:
            owners = tuple(owner for owner in owners if owner != "CH")
    return owners[0] if len(owners) == 1 or (owners and owners[0] == "US") else ""


_DIVIDED: Final = frozenset(owner for owners in REGION_CODES.values() for owner in owners)
"""Countries whose parts are known."""

_CODED: Final = ("US", "CA", "CH")
"""Countries whose parts are written as capitals without the country."""


def _is_known(part: str) -> bool:
    name = fold_name(part)
    return bool(
        name in AREAS
        or _countries_of(part)
        or name in REGIONS
        or _region(part, "")
        or (part.isupper() and part in REGION_CODES)
        or _COUNTY.match(part)
    )


def _country_after_region(segments: list[str]) -> str:
    """Return the country that capitals behind its region are: "Bengaluru, KA, IN", "Toronto, ON, CA"."""
    if len(segments) < 3 or segments[-1] not in COUNTRY_CODES:
        return ""
    code, region = segments[-1], segments[-2]
    if code in REGIONS.get(fold_name(region), ()):
        return code
    if code in _DIVIDED:
        return code if code in REGION_CODES.get(region, ()) else ""
    return code if re.fullmatch("[A-Z]{2,3}", region) else ""


def _place(segments: list[str]) -> Place:
    country = _country(segments[-1]) or _country_after_region(segments)
    parts = segments[:-1] if country else list(segments)
    if len(parts) > 1 and not country and fold_name(parts[0]) not in REGIONS:
        first = _country(parts[0]) if len(parts[0]) > 2 else ""
        if first:  # "Germany - Berlin"
            country, parts = first, parts[1:]
    region = ""
    if len(segments) == 1 and _could_be_both(segments[0]):
        return Place(region=segments[0])
    if parts and not (len(parts) == 1 and fold_name(parts[0]) in _CITIES_TOO):
        owner = _region(parts[-1], country)
        if owner or fold_name(parts[-1]) in AREAS or (len(parts) > 1 and _is_open(parts[-1])):
            region, country = parts.pop(), country or owner
    if parts and not region:
        canton = _CANTON.match(parts[-1])
        if canton and _region(canton["canton"], country) == "CH":
            region, country, parts[-1] = canton["canton"], "CH", canton["rest"]
    if len(parts) > 1:  # what stands between the city and the end
        region = ", ".join([*parts[1:], *([region] if region else [])])
    return Place(parts[0] if parts else "", region, country)


def _is_open(part: str) -> bool:
    """Return whether a part is no city though its country stays open: "Mallow, Co. Cork"."""
    return bool(part in REGION_CODES or _COUNTY.match(part))


def _spread_countries(places: list[Place]) -> list[Place]:
    """Give a bare city the country that the next one names: "Dundalk / Dublin, Ireland"."""
    for row in range(len(places) - 2, -1, -1):
        place, following = places[row], places[row + 1]
        is_bare = place.city and not place.country and not place.region and not place.remote
        if is_bare and following.city and following.country:
            places[row] = replace(place, country=following.country)
    return places
