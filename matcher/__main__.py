"""The command `matcher` and ``python -m matcher``: Ctrl-C is minded while modules load, too."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final, NoReturn

__all__: Final = ["main"]


def main() -> None:
    """Load what the command needs, and run it."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        # An exception amid the import of a compiled module can end in anything; nothing is open yet.
        signal.signal(signal.SIGINT, _leave)
    from matcher.cli import main as run

    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, before)
    run(prog_name="matcher")


def _leave(number: int, frame: Any) -> NoReturn:
    if sys.stderr is not None:
        os.write(2, b"Interrupted.\n")
    os._exit(130)


if __name__ == "__main__":
    main()
