"""Pay: a range of money for a period, from what adverts and job boards write.

Nothing is guessed. A currency that a sign leaves open stays that sign (``$`` is used by twenty
countries), a period that is not named stays empty, and what could mean two things is no pay at all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from matcher.errors import PostingError
from matcher.money import (
    CURRENCY_PATTERN,
    NUMBER_PATTERN,
    PERIOD_PATTERNS,
    currency_name,
    find_period,
    leading_period,
    period_name,
    read_number,
)

__all__: Final = ["LARGEST_PAY", "PERIODS_A_YEAR", "Pay", "is_pay_record", "parse_pay"]

HOURS_A_YEAR: Final = 2_080
"""52 weeks of 40 hours."""
DAYS_A_YEAR: Final = 260
"""52 weeks of 5 days."""
WEEKS_A_YEAR: Final = 52
MONTHS_A_YEAR: Final = 12

PERIODS_A_YEAR: Final[Mapping[str, int]] = {
    "hour": HOURS_A_YEAR,
    "day": DAYS_A_YEAR,
    "week": WEEKS_A_YEAR,
    "month": MONTHS_A_YEAR,
    "year": 1,
}
"""How often each period is paid in a year of full-time work."""

LARGEST_PAY: Final = 1e12
"""What is larger is a mistake: a billion a year in the smallest currency is less."""

_LONGEST_NAME: Final = 40
_LONGEST_TEXT: Final = 500
_SMALLEST_BARE: Final = 1_000

_AMOUNT: Final = re.compile(
    rf"(?P<before>{CURRENCY_PATTERN})?\s*(?<![\w.,])(?P<number>{NUMBER_PATTERN})"
    rf"(?:\s?(?:(?P<thousand>k|tsd\.?|t(?=\s?€)|thousand|tausend)|(?P<lakh>lakhs?|lacs?|lpa))(?![^\W\d_]))?"
    rf"(?:\s?(?P<after>{CURRENCY_PATTERN}))?",
    re.IGNORECASE,
)
_GLUED: Final = re.compile(r"(?<=[\dk])(?=(?:ph|pa|pw|pcm)(?![^\W_]))", re.IGNORECASE)
"""Where "£9.50ph" and "£30kpa" want a space."""
_THOUSAND_EUROS: Final = re.compile(r"(?<=\d)\s?T(?:EUR|€)(?![^\W_])")
_THOUSAND_EUROS_BEFORE: Final = re.compile(r"\bT(?:EUR|€)\s?(\d[\d.,]*(?:\s?[-–]\s?\d[\d.,]*)?)(?![\d.,])")
_PER_ANNUM: Final = re.compile(r"(?<![^\W\d_])LPA\b", re.IGNORECASE)
_LARGER: Final = re.compile(r"\s?(?:mn|mio|mill?|million\w*|bn|billion\w*|crores?|cr)\b", re.IGNORECASE)
"""Multiples that nobody is paid in, or that mean two things."""
_JOINS: Final = re.compile(r"\s*(?:-|–|—|−|~|to|bis(?:\s+zu)?|and|und|until)\s*\Z", re.IGNORECASE)
_AT_MOST: Final = re.compile(
    r"(?:\b(?:up to|bis(?: zu)?|max(?:imum|imal)?\.?|at most|höchstens)|[<≤])\s*\Z", re.IGNORECASE
)
_AT_LEAST: Final = re.compile(
    r"(?:\b(?:from|ab|min(?:imum|destens)?\.?|at least|starting at|starts at|over)|[>≥])\s*\Z", re.IGNORECASE
)
_ON_TOP: Final = r"(?:\w*bonus|allowance|payment|voucher|tronc|\w*prämie|\w*zulage|\w*zuschlag)"
_ON_TOP_BEFORE: Final = re.compile(rf"\b{_ON_TOP}(?: of| up to| von| bis(?: zu)?|:)?\s*\Z", re.IGNORECASE)
_ON_TOP_AFTER: Final = re.compile(
    rf"\s+(?!plus\b|and\b|und\b|inkl|incl|zzgl)(?:[\w-]+\s+)?{_ON_TOP}\b", re.IGNORECASE
)
_PLUS: Final = re.compile(r"\+(?!\s*\S*\d)")
_FILLERS: Final = re.compile(
    r"\b(?:gross|net|brutto|netto|salary|pay|wage|gehalt|lohn|vergütung|from|ab|up to|bis(?: zu)?|between|von"
    r"|zwischen|circa|ca\.?|approx\.?|about|rund|etwa|max\.?|min\.?|at least|mindestens"
    r"|plus|ote|fte|doe|pro rata|depending on experience|je nach (?:erfahrung|qualifikation)|per|pro"
    r"|an?)(?![^\W_])|[\s,;:()*.+/&<>≤≥-]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pay:
    """What a job pays: a range of money for a period. Immutable.

    Parameters
    ----------
    minimum, maximum : float or None
        In whole units of the currency, 0 to `LARGEST_PAY`, at least one above 0; None where it is open.
    currency : str
        ISO 4217 code where that is certain, else what the advert writes (``$``), else empty.
    period : str
        A key of `PERIODS_A_YEAR` where it is one, else what the advert writes, else empty.

    Raises
    ------
    PostingError
        When the numbers make no range, or a name is no short text.

    Examples
    --------
    >>> Pay(45_000, 55_000, "€", "Year")
    Pay(minimum=45000.0, maximum=55000.0, currency='EUR', period='year')
    >>> Pay(12.5, None, "GBP", "hour").yearly
    (26000.0, None)
    >>> Pay(3, 2)
    Traceback (most recent call last):
    matcher.errors.PostingError: pay from 3.0 to 2.0 is no range
    """

    minimum: float | None = None
    maximum: float | None = None
    currency: str = ""
    period: str = ""

    def __post_init__(self) -> None:
        for name in ("minimum", "maximum"):
            value = getattr(self, name)
            if value is None:
                continue
            if (
                isinstance(value, bool)
                or not isinstance(value, (int, float))
                or not 0 <= value <= LARGEST_PAY
            ):
                raise PostingError(f"the {name} of pay must be a number from 0 to 10**12, got {value!r}")
            object.__setattr__(self, name, float(value) + 0.0)  # -0.0 is 0.0
        if not self.minimum and not self.maximum:
            raise PostingError("pay needs an amount above 0")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise PostingError(f"pay from {self.minimum} to {self.maximum} is no range")
        for name, normalise in (("currency", currency_name), ("period", period_name)):
            value = getattr(self, name)
            if not isinstance(value, str) or len(value) > _LONGEST_NAME or not value.isprintable():
                raise PostingError(f"the {name} of pay must be a short text, got {value!r:.80}")
            object.__setattr__(self, name, normalise(value))

    @property
    def yearly(self) -> tuple[float | None, float | None] | None:
        """The range for a year of full-time work, in the same currency; None when the period is not known.

        An hour counts `HOURS_A_YEAR` times, a day `DAYS_A_YEAR`, a week `WEEKS_A_YEAR`, a month
        `MONTHS_A_YEAR`. A year of 13 or 14 months, hours of part-time work and bonuses are not known and
        not added.

        Examples
        --------
        >>> Pay(3_000, 3_500, "EUR", "month").yearly, Pay(45_000).yearly
        ((36000.0, 42000.0), None)
        """
        times = PERIODS_A_YEAR.get(self.period)
        if times is None:
            return None
        return (
            None if self.minimum is None else self.minimum * times,
            None if self.maximum is None else self.maximum * times,
        )

    def to_record(self) -> dict[str, Any]:
        """Return the pay as JSON values; what is open or empty is left out.

        Examples
        --------
        >>> Pay(45_000, None, "EUR", "year").to_record()
        {'minimum': 45000.0, 'currency': 'EUR', 'period': 'year'}
        """
        values = {name: getattr(self, name) for name in _FIELDS}
        return {name: value for name, value in values.items() if value is not None and value != ""}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Pay:
        """Return the pay that `to_record` wrote.

        Raises
        ------
        PostingError
            When it is something else.

        Examples
        --------
        >>> Pay.from_record({"maximum": 60000, "currency": "CHF"})
        Pay(minimum=None, maximum=60000.0, currency='CHF', period='')
        """
        if not is_pay_record(record):
            raise PostingError(f"pay must be an object with {', '.join(_FIELDS)}, got {record!r:.80}")
        return cls(**record)


_PLAIN_NUMBER: Final = re.compile(r"[\d.,'’\s]+")
_FIELDS: Final = ("minimum", "maximum", "currency", "period")


def is_pay_record(value: Any) -> bool:
    """Return whether a value is a mapping with no other names than `Pay.to_record` gives.

    Examples
    --------
    >>> is_pay_record({"minimum": 12.5}), is_pay_record({"min": 12.5}), is_pay_record("12.5")
    (True, False, False)
    """
    return isinstance(value, Mapping) and set(value) <= set(_FIELDS)


def parse_pay(value: Any) -> Pay | None:
    """Return the pay that a text, a number or a mapping stands for, or None when it is not certain.

    Text holds one amount or one range, with a currency or nothing that is not understood; a mapping is one of
    schema.org (``MonetaryAmount``, ``QuantitativeValue``) or has minimum and maximum under their usual names.

    Parameters
    ----------
    value : object
        JSON value.

    Returns
    -------
    Pay or None
        None also for nonsense: a minimum above the maximum, negative numbers, more than `LARGEST_PAY`.

    Examples
    --------
    >>> parse_pay("€45.000 - 55.000 per year")
    Pay(minimum=45000.0, maximum=55000.0, currency='EUR', period='year')
    >>> parse_pay({"currency": "USD", "value": {"minValue": 20, "unitText": "HOUR"}})
    Pay(minimum=20.0, maximum=None, currency='USD', period='hour')
    >>> parse_pay("13. Monatsgehalt"), parse_pay("negotiable"), parse_pay(-5)
    (None, None, None)
    """
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    try:
        if isinstance(value, Mapping):
            return _parse_mapping(value)
        if isinstance(value, str):
            return _parse_text(value)
        return _check_bare(Pay(_amount(value), _amount(value)))
    except PostingError:
        return None


# --- text -----------------------------------------------------------------------------------------


def _parse_text(text: str) -> Pay:
    text = " ".join(text[: _LONGEST_TEXT + 1].split())
    text = _GLUED.sub(" ", _THOUSAND_EUROS_BEFORE.sub(r"€ \1k", _THOUSAND_EUROS.sub("k €", text)))
    amounts = list(_AMOUNT.finditer(text)) if len(text) <= _LONGEST_TEXT else []
    # Numbers without a currency ("40 hours", "30 days off") count only beside one that has it.
    groups = _ranges(text, amounts)
    marked = [group for group in groups if any(map(_currency_of, group)) and not _is_on_top(text, group)]
    candidates = marked or [group for group in groups if not any(map(_currency_of, group))]
    if len(candidates) != 1:
        raise PostingError("expected one amount or one range")
    group = candidates[0]
    before, after = text[: group[0].start()], text[group[-1].end() :]
    _check_surroundings(before, after, is_marked=bool(marked))
    currencies = {currency_name(sign) for sign in map(_currency_of, group) if sign}
    if len(currencies) > 1:
        raise PostingError("two currencies")
    values = _values(group)
    minimum: float | None = values[0]
    maximum: float | None = values[-1]
    if len(values) == 1 and _AT_MOST.search(before):
        minimum = None
    elif len(values) == 1 and (_AT_LEAST.search(before) or _PLUS.match(after)):
        maximum = None
    period = "year" if _PER_ANNUM.search(group[-1][0]) else find_period(before, after)
    pay = Pay(minimum, maximum, min(currencies, default=""), period)
    return pay if any(map(_times, group)) else _check_bare(pay)


def _is_on_top(text: str, group: list[re.Match[str]]) -> bool:
    """Return whether an amount is paid beside the pay: "allowance £2,500", "£4,000 welcome payment"."""
    before, after = text[: group[0].start()], text[group[-1].end() :]
    return bool(_ON_TOP_BEFORE.search(before) or _ON_TOP_AFTER.match(after))


def _check_bare(pay: Pay) -> Pay:
    if not pay.currency and not pay.period and min(pay.minimum or 0, pay.maximum or 0) < _SMALLEST_BARE:
        raise PostingError("a small number that names neither currency nor period")
    return pay


def _check_surroundings(before: str, after: str, *, is_marked: bool) -> None:
    """Refuse amounts that are cut out of something longer: "$1.5M", "-500", "13. Monatsgehalt"."""
    if after[:1].isalpha() or after[:1] == "%" or _LARGER.match(after) or re.search(r"[-–−]\s*\Z", before):
        raise PostingError("a number that is part of something else")
    if not is_marked and (re.match(r"\.\s*[^\W\d_]", after) or not _is_understood(before, after)):
        raise PostingError("a number without a currency among other words")


def _times(amount: re.Match[str]) -> int:
    """Return what an amount is written in multiples of, or 0."""
    return 1_000 if amount["thousand"] else 100_000 if amount["lakh"] else 0


def _values(group: list[re.Match[str]]) -> list[float]:
    times = [*map(_times, group)]
    numbers = [read_number(amount["number"]) for amount in group]
    if numbers[0] < _SMALLEST_BARE:  # "45-55k"
        times[0] = times[0] or times[-1]
    return [number * (factor or 1) for number, factor in zip(numbers, times, strict=True)]


def _currency_of(amount: re.Match[str]) -> str:
    return str(amount["before"] or amount["after"] or "")


def _ranges(text: str, amounts: list[re.Match[str]]) -> list[list[re.Match[str]]]:
    groups: list[list[re.Match[str]]] = []
    for amount in amounts:
        last = groups[-1][-1] if groups else None
        between = text[last.end() : amount.start()] if last is not None else ""
        period, end = leading_period(between)
        if period == leading_period(text[amount.end() :])[0]:  # "$20/hour - $25/hour"
            between = between[end:]
        if last is not None and len(groups[-1]) == 1 and _JOINS.match(between):
            groups[-1].append(amount)
        else:
            groups.append([amount])
    return groups


def _is_understood(before: str, after: str) -> bool:
    for pattern in PERIOD_PATTERNS:
        before, after = pattern.sub(" ", before), pattern.sub(" ", after)
    return not _FILLERS.sub("", before) and not _FILLERS.sub("", after)


# --- mappings -------------------------------------------------------------------------------------

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "minimum": ("minimum", "min", "minValue", "minAmount", "from"),
    "maximum": ("maximum", "max", "maxValue", "maxAmount", "to"),
    "exact": ("value", "amount", "exact"),
    "currency": ("currency", "currencyCode", "currency_type", "salaryCurrency"),
    "period": ("period", "unitText", "interval", "unit", "frequency", "payPeriod", "salaryTimeframe"),
}


def _parse_mapping(value: Mapping[str, Any], outer: Mapping[str, str] | None = None) -> Pay:
    found: dict[str, Any] = dict(outer or {})
    for name, keys in _KEYS.items():
        values = [value[key] for key in keys if value.get(key) not in (None, "")]
        if len(values) > 1:
            raise PostingError(f"two values for the {name}")
        if values:
            found[name] = values[0]
    exact = found.pop("exact", None)
    limits: dict[str, Any] = {
        name: _amount(found.pop(name)) for name in ("minimum", "maximum") if name in found
    }
    if not all(isinstance(name, str) for name in found.values()):
        raise PostingError("currency and period must be text")
    if exact is None:
        return Pay(**limits, **found)
    if limits:
        raise PostingError("both an amount and limits")
    if isinstance(exact, Mapping) and outer is None:
        return _parse_mapping(exact, found)
    if isinstance(exact, str) and not _PLAIN_NUMBER.fullmatch(exact):
        pay = _parse_text(exact)
        return replace(pay, **{name: text for name, text in found.items() if text.strip()})
    amount = _amount(exact)
    return Pay(amount, amount, **found)


def _amount(value: Any) -> float:
    if isinstance(value, str):
        return read_number(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise PostingError("not a number")
    return value
