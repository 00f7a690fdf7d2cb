"""Reports as pages of HTML: escaped by construction, without scripts, in one file."""

from typing import Final

from matcher.pages.drift_page import render_page

__all__: Final = ["render_page"]
