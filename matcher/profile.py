"""What a candidate gave: the text of a CV."""

from __future__ import annotations

from collections.abc import Callable
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
    _tokens: list[str] | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise ProfileError(
                f"a profile needs text, got {type(self.text).__name__}: use read_cv() for files"
            )

    def remember(self, tokenize: Callable[[str], list[str]]) -> list[str]:
        """Return ``tokenize(text)``, computed once: every feature block needs it.

        What is remembered lives and dies with the profile.

        Examples
        --------
        >>> profile = Profile("a b")
        >>> profile.remember(str.split) is profile.remember(str.split)
        True
        """
        if self._tokens is None:
            object.__setattr__(self, "_tokens", tokenize(self.text))
        assert self._tokens is not None  # noqa: S101 - set above
        return self._tokens

    def __repr__(self) -> str:
        return f"Profile(<{len(self.text)} characters>)"
