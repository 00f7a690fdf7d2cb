"""The version of the library."""

from typing import Final

__all__: Final = ["__version__"]

__version__: Final = "0.1.0"
