"""What the options of feature blocks may be, and which of them a model mentions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from matcher.errors import OptionError

__all__: Final = ["RANGES", "Range", "check_options", "leave_out"]


@dataclass(frozen=True, slots=True)
class Range:
    """Values of one type from `least` to `most`; `off` is allowed besides.

    Examples
    --------
    >>> str(Range(0.1, 1000, off=0.0)), Range(0.1, 1000, off=0.0).holds(0.0), Range(0, 20, int).holds(2.0)
    ('0 or a number from 0.1 to 1000', True, False)
    """

    least: float
    most: float
    kind: type = float
    off: float | None = None

    def holds(self, value: object) -> bool:
        """Return whether an option may have a value.

        Examples
        --------
        >>> Range(0, 1).holds(0.5), Range(0, 1).holds(float("nan"))
        (True, False)
        """
        if type(value) is not self.kind:
            return False
        return value == self.off or self.least <= value <= self.most  # type: ignore[operator]

    def __str__(self) -> str:
        if self.kind is bool:
            return "True or False"
        number = "a whole number" if self.kind is int else "a number"
        off = "" if self.off is None else f"{self.off:g} or "
        return f"{off}{number} from {self.least:g} to {self.most:g}"


RANGES: Final[Mapping[str, Range]] = {
    "title_weight": Range(0, 20, int),
    "summary_weight": Range(0, 20, int),
    "fold": Range(0, 1, bool),
    "saturation": Range(0.1, 10, off=0.0),
    "length": Range(0, 1),
    "profile_saturation": Range(0.1, 1000, off=0.0),
    "boilerplate": Range(0, 0.99),
    "unsupported": Range(0, 1),
}
"""What each option may be, by name."""


def check_options(name: str, options: Mapping[str, Any]) -> None:
    """Raise `OptionError` unless the options of the block `name` are in their ranges and go together.

    Examples
    --------
    >>> check_options("text", {"fold": "yes"})
    Traceback (most recent call last):
    matcher.errors.OptionError: fold of block 'text' must be True or False, got 'yes'
    """
    for option, value in options.items():
        if not RANGES[option].holds(value):
            raise OptionError(f"{option} of block {name!r} must be {RANGES[option]}, got {value!r}")
    if options.get("length") and not options.get("saturation"):
        raise OptionError(f"length of block {name!r} needs a saturation above 0, got {options['length']!r}")


def leave_out(off: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings without the options that are off; `off` says what that means for each.

    Examples
    --------
    >>> leave_out({"fold": False}, {"weight": 0.7, "fold": False}), leave_out({"fold": False}, {"fold": True})
    ({'weight': 0.7}, {'fold': True})
    """
    return {name: value for name, value in settings.items() if name not in off or value != off[name]}
