"""The table of engines, and the choice between them.

To add an engine, write a class with the methods of `matcher.base.Engine` and add a row to `ENGINES`.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from matcher.base import BaseEngine, Engine
from matcher.counts import BlockIndex
from matcher.errors import OptionError

__all__: Final = ["ENGINES", "EngineChoice", "fast_is_installed", "make_engine"]


def _make_fast(blocks: Sequence[BlockIndex], rows: int) -> Engine:
    try:
        from matcher.fast import FastEngine
    except ImportError as error:
        raise OptionError("engine 'fast' needs numba: pip install 'matcher[fast]'") from error
    return FastEngine(blocks, rows)


ENGINES: Final[Mapping[str, Callable[[Sequence[BlockIndex], int], Engine]]] = {
    "base": BaseEngine,
    "fast": _make_fast,
}
"""Every engine by name."""


def make_engine(name: str, blocks: Sequence[BlockIndex], rows: int) -> Engine:
    """Return an engine over the blocks of an index.

    Raises
    ------
    OptionError
        When the name is unknown or the engine's package is not installed.

    Examples
    --------
    >>> make_engine("base", (), 0).name
    'base'
    >>> make_engine("warp", (), 0)
    Traceback (most recent call last):
    matcher.errors.OptionError: unknown engine 'warp': use one of base, fast
    """
    if name not in ENGINES:
        raise OptionError(f"unknown engine {name!r}: use one of {', '.join(ENGINES)}")
    return ENGINES[name](blocks, rows)


class EngineChoice:
    """Chooses the engine for each call: the one asked for, or the fast one where it pays.

    Parameters
    ----------
    blocks : sequence of BlockIndex
    rows : int
    name : str or None
        The engine asked for.

    Examples
    --------
    >>> EngineChoice((), 0, None).choose(1).name
    'base'
    """

    CALLS_BEFORE_FAST: Final = 2
    FEWEST_ROWS: Final = 2_000

    def __init__(self, blocks: Sequence[BlockIndex], rows: int, name: str | None) -> None:
        self._blocks = blocks
        self._rows = rows
        self._lock = threading.Lock()
        self._calls = 0
        self._fixed = name is not None
        self._engine = make_engine("base" if name is None else name, blocks, rows)

    def choose(self, profiles: int, *, peek: bool = False) -> Engine:
        """Return the engine for a call that ranks so many profiles; `peek` does not count as a call.

        Examples
        --------
        >>> EngineChoice((), 0, "base").choose(1).name
        'base'
        """
        with self._lock:
            calls = self._calls + profiles
            if not peek:
                self._calls = calls
            pays = calls > self.CALLS_BEFORE_FAST and self._rows >= self.FEWEST_ROWS
            if not self._fixed and pays and fast_is_installed():
                self._engine = make_engine("fast", self._blocks, self._rows)
                self._fixed = True
            return self._engine


def fast_is_installed() -> bool:
    """Return whether the extra ``[fast]`` is installed, without importing it.

    Examples
    --------
    >>> fast_is_installed() in (True, False)
    True
    """
    return importlib.util.find_spec("numba") is not None
