"""Reading a document in a child process that has little memory, little time and nothing else.

The parent hands over bytes and takes back text, through pipes; it parses nothing of a document itself.
The child opens no file for writing and no socket, starts no process, and is killed when its time is up.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matcher.documents import READERS
from matcher.errors import ProfileError

__all__: Final = ["DEFAULT_LIMITS", "Limits", "read_isolated"]


@dataclass(frozen=True)
class Limits:
    """What a child process may use for one document.

    Parameters
    ----------
    seconds : float
        Of wall-clock time; it is killed afterwards.
    processor_seconds : int
        Of processor time (not on Windows).
    memory : int
        Bytes of address space (Linux; elsewhere the time alone limits it).
    text : int
        Bytes of text that it may return.

    Examples
    --------
    >>> DEFAULT_LIMITS.memory >> 20
    192
    """

    seconds: float = 20.0
    processor_seconds: int = 10
    memory: int = 192 << 20
    text: int = 2 << 20


DEFAULT_LIMITS: Final = Limits()
LONGEST_REASON: Final = 1_000
"""Bytes."""

# The package itself is replaced by an empty one: running it would load numpy, which costs more time and
# address space than the rest. Folders come last on the path: nothing in them replaces the standard library.
_START: Final = (
    "import sys, types;"
    "package = types.ModuleType('matcher');"
    "package.__path__ = [sys.argv[1]];"
    "sys.modules['matcher'] = package;"
    "sys.path += sys.argv[6:];"
    "from matcher.documents.child import main;"
    "main(*sys.argv[2:6])"
)
_PACKAGE: Final = str(Path(__file__).resolve().parent.parent)


def read_isolated(key: str, data: bytes, limits: Limits = DEFAULT_LIMITS) -> str:
    """Read a document in a child process and return its text.

    Any thread may call it. An interrupt ends the child, too.

    Parameters
    ----------
    key : str
        Of a row of `matcher.documents.READERS`.
    data : bytes
    limits : Limits

    Returns
    -------
    str

    Raises
    ------
    ProfileError
        When the document holds no text, is damaged, goes beyond a limit, or its format needs a package
        that is not installed.

    Examples
    --------
    >>> read_isolated("docx", b"PK")
    Traceback (most recent call last):
    matcher.errors.ProfileError: is damaged: it is no zip archive
    """
    reader = READERS[key]
    folders = []
    if reader.package:
        found = importlib.util.find_spec(reader.package)
        if found is None or found.origin is None:
            raise ProfileError(
                f"reading {reader.name} needs the package {reader.package}: "
                "pip install 'pypdf>=7', or save the CV as text (.txt)"
            )
        folders.append(str(Path(found.origin).resolve().parent.parent))
    if not sys.executable or getattr(sys, "frozen", False):
        raise ProfileError(
            f"{reader.name} needs a Python interpreter to read it in: save the CV as text (.txt)"
        )
    allowed = [str(number) for number in (limits.memory, limits.processor_seconds, limits.text)]
    # -I: no environment variables, no current folder; -S: no packages but in folders named; -B: no writing.
    command = [
        sys.executable,
        "-I",
        "-S",
        "-B",
        "-X",
        "utf8",
        "-c",
        _START,
        _PACKAGE,
        key,
        *allowed,
        *folders,
    ]
    answer, status, late = _talk(command, data, limits)
    if answer[:1] == b"+" and status == 0:
        return answer[1:].decode("utf-8", "replace")
    if answer[:1] == b"-" and status == 0:
        raise ProfileError(answer[1:].decode("utf-8", "replace"))
    if late or status in _OUT_OF_TIME:
        raise ProfileError(
            f"takes too long to read (over {limits.processor_seconds} s): print it to PDF again"
        )
    raise ProfileError(f"cannot be read: its content broke the {reader.name} parser; print it to PDF again")


_OUT_OF_TIME: Final = (-24, -9)
"""SIGXCPU, and SIGKILL, which follows when the first is ignored."""


def _talk(command: list[str], data: bytes, limits: Limits) -> tuple[bytes, int, bool]:
    """Return what a child answers to the data, its exit status, and whether its time was up."""
    try:
        child = subprocess.Popen(  # noqa: S603  # no shell; nothing of the command comes from the document
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError as error:
        raise ProfileError(f"cannot be read: no child process could be started ({error.strerror})") from None
    late = threading.Event()

    def kill() -> None:
        late.set()
        child.kill()

    timer = threading.Timer(limits.seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        if child.stdin is None or child.stdout is None:  # pragma: no cover  # both were asked for
            raise ProfileError("cannot be read: no pipe to the child process")
        # The child reads everything before it answers, so neither side waits for the other.
        with child.stdout as answers:
            with suppress(OSError), child.stdin as questions:  # a child that died reads no more
                questions.write(data)
            most = 1 + max(limits.text, LONGEST_REASON)
            answer = answers.read(most + 1)
            if len(answer) > most:
                raise ProfileError("cannot be read: it answered with too much text")
        status = child.wait()
    finally:
        timer.cancel()
        child.kill()  # after an interrupt or an error; does nothing when it has ended
        child.wait()
    return answer, status, late.is_set()
