"""What a candidate gave: the text of a CV."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from matcher.errors import ProfileError

__all__: Final = ["Profile"]


@dataclass(frozen=True, slots=True)
class Profile:
    """A candidate's profile.

    Its text never appears in a ``repr``, so that a logged or printed profile gives nothing away.

    Parameters
    ----------
    text : str
        The CV as plain text.

    Raises
    ------
    ProfileError
        When `text` is not a string.

    Examples
    --------
    >>> Profile("Registered nurse, ten years of intensive care")
    Profile(<45 characters>)
    """

    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ProfileError(
                f"a profile needs text, got {type(self.text).__name__}: use read_cv() for files"
            )

    def __repr__(self) -> str:
        return f"Profile(<{len(self.text)} characters>)"
