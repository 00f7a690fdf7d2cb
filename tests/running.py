"""Running the command `matcher`, in this process or in one of its own; shared by the test files."""

import inspect
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

from click.testing import CliRunner

import matcher
from matcher.cli import main

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name not in ("FORCE_COLOR", "NO_COLOR", "COLUMNS", "PYTHONIOENCODING", "TTY_COMPATIBLE", "PYTHONUTF8")
} | {"PYTHONPATH": str(Path(matcher.__file__).parents[1])}


def run(*arguments, stdin=None, color=False):
    options = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**options).invoke(main, [str(part) for part in arguments], input=stdin, color=color)


def succeed(*arguments, **options):
    result = run(*arguments, **options)
    assert result.exit_code == 0, result.stderr
    assert result.exception is None
    return result


def assert_clean_failure(result, code):
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    assert result.exit_code == code, result.stderr
    assert result.stdout == ""
    assert "Error: " in result.stderr
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 6


def command(*arguments):
    return [sys.executable, "-m", "matcher", *map(str, arguments)]


def process(*arguments, stdin=b"", env=None, **options):
    return subprocess.run(
        command(*arguments),
        check=False,
        capture_output=True,
        input=stdin,
        timeout=60,
        env=ENVIRONMENT | (env or {}),
        **options,
    )


def snapshot(root):
    return {path.relative_to(root): path.read_bytes() for path in Path(root).rglob("*") if path.is_file()}


def steering(text):
    """Return the characters that a terminal obeys instead of showing."""
    return [char for char in text if char != "\n" and (unicodedata.category(char) == "Cc" or char in BIDI)]
