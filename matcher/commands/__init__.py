"""The commands of `matcher`, one module for each kind; `matcher.cli` puts them together."""

from typing import Final

__all__: Final[list[str]] = []
