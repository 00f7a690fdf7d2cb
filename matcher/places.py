"""Places: the cities, regions and countries that the text of a location names, and whether it says remote.

Only what the text says is read: no country is guessed from a city.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

__all__: Final = ["Place", "is_remote", "parse_places"]

_REMOTE: Final = re.compile(
    r"\b(remote|anywhere|work from home|home[ -]?office|telecommut\w*|telearbeit|ortsunabhängig)\b",
    re.IGNORECASE,
)
_NOT_REMOTE: Final = re.compile(
    r"\b(no|not|non|kein|keine|nicht)[ -]+(\w+[ -]+)?(remote|home[ -]?office)\b", re.I
)


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
    >>> is_remote("Berlin or remote"), is_remote("Bern (no remote)")
    (True, False)
    """
    location = " ".join(location.split())
    return bool(_REMOTE.search(location)) and not _NOT_REMOTE.search(location)


def parse_places(location: str) -> tuple[Place, ...]:
    """Return the places that a location names.

    Examples
    --------
    >>> parse_places("Bern (remote)")
    (Place(city='Bern', region='', country='', remote=True),)
    """
    city = re.sub(r"\(.*?\)", "", location).strip()
    return (Place(city, remote=is_remote(location)),) if location.strip() else ()
