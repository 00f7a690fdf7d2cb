"""How numbers, currencies and periods of pay are written, in English, German and Swiss use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from matcher.errors import PostingError

__all__: Final = [
    "CURRENCY_PATTERN",
    "NUMBER_PATTERN",
    "PERIOD_PATTERNS",
    "currency_name",
    "find_period",
    "leading_period",
    "period_name",
    "read_number",
    "write_number",
]

_SIGNS: Final[Mapping[str, str]] = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₪": "ILS", "₩": "KRW", "₴": "UAH",
    "₦": "NGN", "₱": "PHP", "₫": "VND", "US$": "USD", "C$": "CAD", "CA$": "CAD", "CAD$": "CAD", "A$": "AUD",
    "AU$": "AUD", "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "R$": "BRL", "MX$": "MXN", "SFR.": "CHF",
    "SFR": "CHF", "FR.": "CHF", "ZŁ": "PLN", "KČ": "CZK", "EURO": "EUR", "EUROS": "EUR", "$US": "USD",
    "FT": "HUF", "LEI": "RON", "$": "$", "¥": "¥", "KR": "kr", "KR.": "kr",
}  # fmt: skip
"""How people write a currency, in capitals -> its ISO 4217 code; signs that several share stay signs."""

_CODES: Final = frozenset(
    "AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP GHS HKD HUF IDR ILS INR ISK JPY KES KRW MAD "
    "MXN MYR NGN NOK NZD PEN PHP PKR PLN QAR RON RSD RUB SAR SEK SGD THB TRY TWD UAH USD UYU VND ZAR".split()
)
"""ISO 4217 codes that are looked for in text; a field of its own may hold any code."""

_UNITS: Final[Mapping[str, str]] = {
    "hour": r"hours?|hrs?|h|std\.?|stunden?",
    "day": r"days?|tage?",
    "week": r"weeks?|wk|wochen?",
    "month": r"months?|mth|mo|monate?",
    "year": r"years?|yrs?|annum|jahre?",
}
"""What stands after "per", "a" or "/"."""

_ALONE: Final[Mapping[str, str]] = {
    "hour": r"hourly|stündlich|stundenlohn|p\.\s?h\.?|ph",
    "day": r"daily|täglich|tagessatz|day rate|p\.\s?d\.?",
    "week": r"weekly|wöchentlich|wochenlohn|p\.\s?w\.?|pw",
    "month": r"monthly|monatlich|monatsgehalt|monatslohn|mtl\.?|p\.\s?m\.?|pcm",
    "year": r"yearly|annual|annually|jährlich|jahresgehalt|p\.\s?a\.?|pa",
}
"""What names a period without such a word."""

_BETWEEN: Final = r"(?:[\s,;:()*.+]|gross|net|brutto|netto|salary|wage|gehalt|ote|fte)*"
_AFTER: Final = {
    name: re.compile(
        rf"{_BETWEEN}(?:(?:/|\b(?:per|pro|an?|each|je|im|in der|die|der)\b)\s*(?:{units})"
        rf"|\b(?:{_ALONE[name]}))(?![^\W_])",
        re.IGNORECASE,
    )
    for name, units in _UNITS.items()
}
_ANYWHERE: Final = {
    name: re.compile(
        rf"(?:(?:/|\b(?:per|pro)\b)\s*(?:{units})|(?<![^\W_])(?:{_ALONE[name]}))(?![^\W_])", re.IGNORECASE
    )
    for name, units in _UNITS.items()
}
_NAMED: Final = {
    name: re.compile(
        rf"(?:(?:per|pro|an?|je|im|/)[\s-]*)?(?:{units}|{_ALONE[name]})(?:[\s-]+(?:salary|wage|rate))?\Z",
        re.IGNORECASE,
    )
    for name, units in _UNITS.items()
}

CURRENCY_PATTERN: Final = (
    r"(?:US\$|CA\$|CAD\$|AU\$|NZ\$|HK\$|MX\$|[CASR]\$|\$US|[€£$¥₹₽₺₪₩₴₦₱₫]"
    r"|(?<![^\W\d_])(?:SFr\.?|Fr\.|zł|Kč|kr\.?|Ft|lei|euros?|" + "|".join(sorted(_CODES)) + r")(?![^\W\d_]))"
)
"""A sign or code of a currency; matched without regard to case."""

NUMBER_PATTERN: Final = r"\d+(?:[.,'’  ]\d+)*(?:[.,](?:-|–|—)+)?"
"""A number as `read_number` takes it; what ``12,-`` ends in belongs to it."""

PERIOD_PATTERNS: Final = (*_AFTER.values(), *_ANYWHERE.values())
"""All that names a period, after an amount or anywhere."""


def find_period(before: str, after: str) -> str:
    """Return the period that the text around an amount names: what follows it at once, else the only one.

    Examples
    --------
    >>> find_period("", " gross per month, 40 hours per week"), find_period("Stundenlohn ", "")
    ('month', 'hour')
    """
    if name := leading_period(after)[0]:
        return name
    found = [name for name, pattern in _ANYWHERE.items() if pattern.search(before)]
    if not found:
        found = [name for name, pattern in _ANYWHERE.items() if pattern.search(after)]
    return found[0] if len(found) == 1 else ""


def leading_period(text: str) -> tuple[str, int]:
    """Return the period that a text starts with, or an empty text, and where what names it ends.

    Examples
    --------
    >>> leading_period("/year - "), leading_period(" - ")
    (('year', 5), ('', 0))
    """
    found = ((name, pattern.match(text)) for name, pattern in _AFTER.items())
    return next(((name, match.end()) for name, match in found if match), ("", 0))


def read_number(text: str) -> float:
    """Return the number that a text is in English, German or Swiss writing.

    Three digits after the only sign are thousands.

    Raises
    ------
    PostingError
        When it is none, or could be two.

    Examples
    --------
    >>> [read_number(text) for text in ("45.000", "1,234.50", "1.234,50", "12.5", "80'000", "12,-")]
    [45000.0, 1234.5, 1234.5, 12.5, 80000.0, 12.0]
    """
    text = re.sub(r"[.,][-–—]+\Z", "", text.strip())
    text = re.sub(r"['’\u00a0\u202f ](?=\d{3}(?!\d))", "", text)
    parts, signs = re.split(r"[.,]", text), re.findall(r"[.,]", text)
    if not all(part.isascii() and part.isdigit() for part in parts) or re.match("0[0-9]", text):
        raise PostingError("not a number")
    whole, decimals = parts[:-1], parts[-1]
    grouped = 1 <= len(parts[0]) <= 3 and parts[0] != "0" and all(len(part) == 3 for part in parts[1:])
    if not signs or (grouped and len(set(signs)) == 1):
        return float("".join(parts))
    is_clear = len(signs) == 1 or (signs[-1] not in signs[:-1] and len(set(signs)) == 2)
    if not is_clear or not all(len(part) == 3 for part in whole[1:]):
        raise PostingError("not a number")
    return float(f"{''.join(whole)}.{decimals}")


def write_number(number: float) -> str:
    """Return a number as text that `parse_pay` reads as exactly that number.

    Three decimals would look like thousands, so they become four.

    Examples
    --------
    >>> write_number(45000.0), write_number(12.125)
    ('45000', '12.1250')
    """
    text = f"{Decimal(repr(number)):f}"
    whole, _, decimals = text.partition(".")
    decimals = decimals.rstrip("0")
    return f"{whole}.{decimals}{'0' * (len(decimals) == 3)}" if decimals else whole


def currency_name(name: str) -> str:
    """Return the ISO 4217 code of a currency, or what was written where that is not certain.

    Examples
    --------
    >>> [currency_name(name) for name in ("€", "gbp", "C$", "$", "Kr.", "pesos")]
    ['EUR', 'GBP', 'CAD', '$', 'kr', 'pesos']
    """
    name = name.strip()
    upper = name.upper()
    if upper in _SIGNS:
        return _SIGNS[upper]
    return upper if len(upper) == 3 and upper.isascii() and upper.isalpha() else name


def period_name(name: str) -> str:
    """Return hour, day, week, month or year when a name stands for one, else the name.

    Examples
    --------
    >>> [period_name(name) for name in ("HOUR", "per annum", "pro Monat", "per-year-salary", "shift")]
    ['hour', 'year', 'month', 'year', 'shift']
    """
    name = name.strip()
    return next((period for period, pattern in _NAMED.items() if pattern.match(name)), name)
