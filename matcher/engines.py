"""The table of engines, and the choice between them.

To add an engine, write a class with the methods of `matcher.base.Engine` and add a row to `ENGINES`.
"""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

import numpy as np

from matcher.base import BaseEngine, Engine, Query
from matcher.counts import BlockIndex
from matcher.errors import OptionError
from matcher.queries import BlockQuery
from matcher.spelling import Spelling, keep_nearest
from matcher.strings import StringTable
from matcher.tokens import Splitter, split_compiled, split_in_python

__all__: Final = ["ENGINES", "EngineChoice", "compiles", "fast_is_installed", "make_engine"]

FEWEST_TO_COMPILE: Final = 10_000
"""Fewer texts are counted in three seconds, too few to compile for (eight seconds, once) or to load (one)."""


def _make_fast(blocks: Sequence[BlockIndex], rows: int) -> Engine:
    try:
        from matcher.fast import FastEngine
        from matcher.kernels import sum_rows
    except ImportError as error:
        raise OptionError(f"engine 'fast' needs numba: pip install 'numba>=0.60' ({error})") from error
    engine = FastEngine(blocks, rows)
    # Everything is compiled, or fails to be, before anybody relies on it.
    split_compiled(["C++"]).find_features(StringTable.from_strings([]))
    keep_nearest(
        Spelling(StringTable.from_strings(["c"])).find(["c"], 1.0, compiled=True), [0], 1, compiled=True
    )
    nothing = np.zeros(0, np.float32)
    for block in blocks[1:]:
        sum_rows(*block.by_posting, nothing, nothing, 0, 0, nothing)
    terms = [min(1, len(block.by_term.starts) - 1) for block in blocks]
    engine.propose(Query([BlockQuery(np.arange(n, dtype=np.int32), np.ones(n)) for n in terms]), 1)
    return engine


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
    name : str or None
        The engine asked for.

    Examples
    --------
    >>> EngineChoice(None).choose(1, 100, lambda name: None)
    'base'
    """

    PROFILES_BEFORE_FAST: Final = 2
    FEWEST_ROWS: Final = 2_000

    def __init__(self, name: str | None) -> None:
        if name is not None:
            make_engine(name, (), 0)
        self.name = name or "base"
        self._lock = threading.Lock()
        self._profiles = 0
        self._decided = name is not None

    @property
    def split(self) -> Splitter:
        """How the engine in use splits texts into tokens: compiled or not, they are the same.

        Examples
        --------
        >>> list(EngineChoice(None).split(["C++"]).strings)
        ['c++']
        """
        return split_compiled if self.name == "fast" else split_in_python

    def choose(self, profiles: int, rows: int, build: Callable[[str], None]) -> str:
        """Return the name of the engine for a call that ranks `rows` postings for so many profiles.

        The call that makes the fast engine pay builds it; calls in other threads use the base engine until
        it is ready. Where it cannot be built (a numba that does not fit, no place for compiled code), the
        base engine stays: nobody asked for the fast one, and the results are the same.

        Parameters
        ----------
        profiles, rows : int
        build : callable
            Makes the engine of a name ready; may fail.

        Examples
        --------
        >>> EngineChoice("base").choose(1, 100, print)
        'base'
        """
        with self._lock:
            self._profiles += profiles
            pays = self._profiles > self.PROFILES_BEFORE_FAST and rows >= self.FEWEST_ROWS
            tries = pays and not self._decided and fast_is_installed()
            self._decided |= tries
        if tries:
            with suppress(Exception):
                build("fast")
                self.name = "fast"
        return self.name


def compiles(name: str | None, texts: int) -> bool:
    """Return whether compiled code should count so many texts, for the engine asked for.

    Raises
    ------
    OptionError
        When the engine is unknown or its package is not installed.

    Examples
    --------
    >>> compiles("base", 1_000_000), compiles(None, 3)
    (False, False)
    """
    if name is not None:
        make_engine(name, (), 0)
        return name == "fast"
    if texts < FEWEST_TO_COMPILE or not fast_is_installed():
        return False
    with suppress(Exception):  # a numba that does not fit: nobody asked for it, and the counts are the same
        make_engine("fast", (), 0)
        return True
    return False


def fast_is_installed() -> bool:
    """Return whether the extra ``[fast]`` is installed, without importing it.

    Examples
    --------
    >>> fast_is_installed() in (True, False)
    True
    """
    return importlib.util.find_spec("numba") is not None
