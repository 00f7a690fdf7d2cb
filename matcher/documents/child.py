"""What runs in the child process: limits first, then one reader, then its answer.

The answer is one byte, ``+`` or ``-``, and the text or the reason in UTF-8.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Final

from matcher.documents import READERS
from matcher.errors import ProfileError

__all__: Final = ["answer", "main"]

_FORBIDDEN: Final = (
    "socket.",
    "subprocess.",
    "os.",
    "shutil.",
    "ctypes.",
    "urllib.",
    "ftplib.",
    "http.",
    "pty.",
)
_HARMLESS: Final = frozenset({"os.listdir", "os.scandir"})
"""Raised by imports."""
_WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC


def main(key: str, memory: str, seconds: str, text: str) -> None:  # pragma: no cover  # in the child process
    """Read a document from standard input and answer on standard output.

    Parameters
    ----------
    key : str
        Of a row of `READERS`.
    memory, seconds, text : str
        Whole numbers: the limits that the parent gave.
    """
    limit_resources(int(memory), int(seconds))
    sys.addaudithook(refuse)
    found = answer(key, sys.stdin.buffer.read(), int(memory), int(text))
    sys.stdout.buffer.write(found)
    sys.stdout.buffer.flush()


def answer(key: str, data: bytes, memory: int, text: int) -> bytes:
    """Return what the parent is told: text, or why there is none. Nothing of the document is in a reason.

    Examples
    --------
    >>> answer("plain", b"Nurse", 1 << 28, 100), answer("plain", b"Nurse", 1 << 28, 3)
    (b'+Nurse', b'-holds more than 3 bytes of text: is this a CV?')
    """
    try:
        found = READERS[key].read(data).encode("utf-8", "replace")
        if len(found) > text:
            raise ProfileError(f"holds more than {text:,} bytes of text: is this a CV?")
    except ProfileError as error:
        return b"-" + str(error).encode("utf-8", "replace")
    except MemoryError:
        del data
        return b"-needs more than %d MB of memory: print it to PDF again" % (memory >> 20)
    except RecursionError:
        return b"-is nested too deeply: print it to PDF again"
    except Exception as error:  # noqa: BLE001  # whatever a parser raises: its message may quote the document
        package = READERS[key].package
        if isinstance(error, ImportError) and package:
            return f"-the package {package} cannot be loaded: pip install 'pypdf>=7'".encode()
        return f"-is damaged, or no {READERS[key].name} file that can be read: print it to PDF again".encode()
    return b"+" + found


def limit_resources(memory: int, seconds: int) -> None:  # pragma: no cover  # in the child process
    """Lower what this process may use, as far as the system knows such limits.

    Parameters
    ----------
    memory : int
        Bytes of address space.
    seconds : int
        Of processor time.
    """
    try:
        import resource
    except ImportError:  # Windows: the clock of the parent alone
        return
    for name, value in (
        ("RLIMIT_AS", memory),
        ("RLIMIT_CPU", seconds),
        ("RLIMIT_FSIZE", 0),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 64),
    ):
        limit = getattr(resource, name, None)
        if limit is None:
            continue
        with suppress(ValueError, OSError):  # macOS knows some of them by name only
            hard = resource.getrlimit(limit)[1]
            lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(limit, (lowered, lowered))


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: stop what no reader of a document has to do.

    Raises
    ------
    PermissionError
        When a process, a socket or a file for writing is asked for.

    Examples
    --------
    >>> refuse("open", ("a.py", "rb", 0))
    >>> refuse("open", ("a.txt", "w", 0))
    Traceback (most recent call last):
    PermissionError: open
    >>> refuse("socket.connect", ())
    Traceback (most recent call last):
    PermissionError: socket.connect
    """
    if event == "open":
        mode, flags = arguments[1], arguments[2]
        writes = any(sign in mode for sign in "wax+") if isinstance(mode, str) else False
        if writes or (isinstance(flags, int) and flags & _WRITING):
            raise PermissionError(event)
    elif event.startswith(_FORBIDDEN) and event not in _HARMLESS:
        raise PermissionError(event)
