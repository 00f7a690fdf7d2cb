"""Options that several commands share, and what is read from the files they name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from matcher.boosts import BOOSTS, Boost
from matcher.commands.group import option_name
from matcher.cv import read_cv
from matcher.documents.recognition import ENDINGS as CV_ENDINGS
from matcher.errors import OptionError, ProfileError
from matcher.filters import FILTERS, parse_moment
from matcher.profile import Profile
from matcher.ranker import Matcher
from matcher.sources.names import check_columns
from matcher.store.signatures import check_key
from matcher.terminal import is_terminal, standard_input, write_line

__all__: Final = [
    "DEFAULT_MODEL",
    "choose_sources",
    "column_option",
    "filter_options",
    "find_model",
    "json_option",
    "key_option",
    "load_model",
    "model_option",
    "not_empty",
    "parse_boosts",
    "parse_date",
    "ranking_options",
    "read_key",
    "read_probes",
    "read_profile",
    "written_model_option",
]

DEFAULT_MODEL: Final = "models/demo"
LARGEST_KEY: Final = 1 << 12

_FOLDER: Final = click.Path(file_okay=False)
# Of CVs in a folder; JSON files there are more often judgements.
_CV_ENDINGS: Final = tuple(ending for ending in CV_ENDINGS if ending not in {"", ".json"})
_Command = TypeVar("_Command", bound=Callable[..., Any])


def not_empty(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuse an empty path, such as an unset variable gives: it would mean this folder.

    Examples
    --------
    >>> not_empty(None, None, "models/jobs")
    'models/jobs'
    """
    if value == "" or (isinstance(value, tuple) and "" in value):
        raise click.BadParameter("is empty; an empty path would mean this folder")
    return value


def model_option(command: _Command) -> _Command:
    """Give a command that reads a model the option that names it.

    Examples
    --------
    >>> model_option(click.Command("info")).params[0].opts
    ['--model']
    """
    return click.option(
        "--model", type=_FOLDER, callback=not_empty, help=f"Model directory (default: {DEFAULT_MODEL})."
    )(command)


def written_model_option(command: _Command) -> _Command:
    """Give a command that writes a model the option that names it; there is no default.

    Examples
    --------
    >>> written_model_option(click.Command("train")).params[0].required
    True
    """
    return click.option(
        "--model", required=True, type=_FOLDER, callback=not_empty, help="Model directory to write."
    )(command)


def key_option(command: _Command) -> _Command:
    """Give a command the option that names a file with the key models are signed with.

    Examples
    --------
    >>> key_option(click.Command("info")).params[0].name
    'key'
    """
    return click.option(
        "--key-file",
        "key",
        type=click.Path(),
        callback=_parse_key,
        help="File with the secret that the model is signed with.",
    )(command)


def column_option(command: _Command) -> _Command:
    """Give a command that reads postings the option that says what a column of a table is.

    Examples
    --------
    >>> column_option(click.Command("train")).params[0].name
    'columns'
    """
    return click.option(
        "--column",
        "columns",
        multiple=True,
        metavar="NAME=FIELD",
        callback=_parse_columns,
        help="Read the column NAME as this field, as in 'Stelle=title'.",
    )(command)


def json_option(command: _Command) -> _Command:
    """Give a command the option to print JSON.

    Examples
    --------
    >>> json_option(click.Command("info")).params[0].name
    'as_json'
    """
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, nothing else.")(command)


def ranking_options(command: _Command) -> _Command:
    """Give a command the options that say what to rank, and how.

    Examples
    --------
    >>> [option.name for option in ranking_options(click.Command("rank")).params]
    ['as_json', 'boost', 'key', 'columns', 'postings', 'model']
    """
    options: list[Callable[[Any], Any]] = [
        model_option,
        click.option(
            "--postings",
            multiple=True,
            callback=not_empty,
            metavar="SOURCE...",
            help="Rank these postings instead of a model: folders, files, or - for standard input.",
        ),
        column_option,
        key_option,
        click.option(
            "--boost",
            multiple=True,
            metavar="NAME[=WEIGHT]",
            help=f"Add WEIGHT (default 0.05) to postings for a reason: {', '.join(BOOSTS)}.",
        ),
        json_option,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def filter_options(command: _Command) -> _Command:
    """Give a command an option for every filter of `matcher.filters.FILTERS`.

    Examples
    --------
    >>> len(filter_options(click.Command("rank")).params) == len(FILTERS)
    True
    """
    for row in reversed(list(FILTERS.values())):
        option = option_name(row.name)
        if row.is_flag:
            command = click.option(
                f"{option}/{option.replace('--', '--no-', 1)}", default=None, help=row.description
            )(command)
        else:
            command = click.option(option, multiple=row.takes_many, help=row.description)(command)
    return command


def choose_sources(
    model: str | None,
    postings: tuple[str, ...],
    more: tuple[str, ...],
    key: bytes | None,
    columns: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """Return the sources of postings to rank; none means a model.

    Raises
    ------
    click.UsageError
        When options contradict each other.

    Examples
    --------
    >>> choose_sources(None, ("seeds/",), ("more.jsonl",), None)
    ('seeds/', 'more.jsonl')
    """
    if more and not postings:
        raise click.UsageError(
            f"unexpected argument {more[0]!r}; to rank postings from files, use --postings"
        )
    if model and postings:
        raise click.UsageError("use either --model or --postings, not both")
    if key and postings:
        raise click.UsageError("--key-file is for a model; postings from files are not signed")
    if columns and not postings:
        raise click.UsageError("--column is for postings from files (--postings); a model has read its own")
    return postings + more


def find_model(model: str | None, advice: str) -> str:
    """Return the model that was named, or the one there is without.

    Raises
    ------
    click.UsageError
        When none was named and the default is not there.

    Examples
    --------
    >>> find_model("models/jobs", "say which")
    'models/jobs'
    """
    if model is None and not Path(DEFAULT_MODEL).exists():
        raise click.UsageError(f"{advice} ({DEFAULT_MODEL} is not in this folder)")
    return model or DEFAULT_MODEL


def load_model(
    model: str | None,
    key: bytes | None = None,
    advice: str = "say what to rank: --model DIR or --postings SOURCE...",
) -> Matcher:
    """Open the model that was named, or the default.

    Examples
    --------
    >>> load_model("no/such/model")
    Traceback (most recent call last):
    matcher.errors.ModelNotFoundError: no/such/model: no model here (no file CURRENT)...
    """
    return Matcher.load(find_model(model, advice), key=key)


def parse_boosts(texts: Iterable[str]) -> list[Boost]:
    """Return the boosts that the command line asks for.

    Raises
    ------
    click.UsageError
        When there is none of that name, or the weight is no number.

    Examples
    --------
    >>> [boost.weight for boost in parse_boosts(["featured=0.1"])]
    [0.1]
    """
    boosts: list[Boost] = []
    for text in texts:
        name, _, weight = text.partition("=")
        try:
            boosts.append(BOOSTS[name](float(weight)) if weight else BOOSTS[name]())
        except (KeyError, ValueError) as error:
            if isinstance(error, OptionError):
                raise
            raise click.UsageError(
                f"--boost {text}: expected NAME=WEIGHT with NAME one of {', '.join(BOOSTS)}"
            ) from None
    return boosts


def parse_date(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse what is no date while options are read.

    Examples
    --------
    >>> parse_date(None, None, "2026-03-01")
    '2026-03-01'
    """
    if value is not None:
        try:
            parse_moment(value)
        except OptionError as error:
            raise click.BadParameter(str(error)) from None
    return value


def read_profile(cv: str, sources: Iterable[str]) -> Profile:
    """Read a CV from a file, or from standard input when it is ``-``.

    Raises
    ------
    click.UsageError
        When standard input is to be two things at once.

    Examples
    --------
    >>> read_profile("-", ["-"])
    Traceback (most recent call last):
    click.exceptions.UsageError: standard input can be the CV or the postings, not both
    """
    if cv != "-":
        return read_cv(cv)
    if "-" in sources:
        raise click.UsageError("standard input can be the CV or the postings, not both")
    if is_terminal(sys.stdin):
        write_line("Paste the CV, then press Ctrl-D on an empty line.", error=True)
    return read_cv(standard_input())


def read_probes(paths: Iterable[str]) -> dict[str, Profile]:
    """Read CVs, and the CVs in folders, by the name of their file (by the whole path where two share one).

    Raises
    ------
    ProfileError
        When one cannot be read, or a folder holds none.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "chef.txt").write_text("Chef")
    ...     read_probes([folder])
    {'chef.txt': Profile(<4 characters>)}
    """
    files: dict[Path, None] = {}
    for path in map(Path, paths):
        files |= dict.fromkeys(_list_cvs(path) if path.is_dir() else [path])
    names = [file.name for file in files]
    return {file.name if names.count(file.name) == 1 else file.as_posix(): read_cv(file) for file in files}


def _list_cvs(folder: Path) -> list[Path]:
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        raise ProfileError(f"{folder}: cannot be opened ({error.strerror})") from None
    found = [file for file in files if file.suffix.lower() in _CV_ENDINGS and not file.name.startswith(".")]
    if not found:
        raise ProfileError(f"{folder}: no CV here ({', '.join(_CV_ENDINGS)})")
    return found


def read_key(path: str) -> bytes:
    r"""Read a key from a file; line ends at its end do not count.

    Raises
    ------
    click.BadParameter
        When it cannot be read, or is too short or too long for a key.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "key").write_bytes(b"0123456789abcdef\n")
    ...     read_key(str(Path(folder, "key")))
    b'0123456789abcdef'
    """
    try:
        with Path(path).open("rb") as file:
            key = file.read(LARGEST_KEY + 1)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(key) > LARGEST_KEY:
        raise click.BadParameter(f"{path}: larger than {LARGEST_KEY:,} bytes: is this a key?")
    key = key.rstrip(b"\r\n")
    try:
        check_key(key)
    except OptionError:
        raise click.BadParameter(
            f"{path}: too short for a key, which has 16 bytes or more; make one with: "
            "python -c 'import secrets; print(secrets.token_hex(32))'"
        ) from None
    return key


def _parse_key(ctx: click.Context, parameter: click.Parameter, value: str | None) -> bytes | None:
    return None if value is None else read_key(not_empty(ctx, parameter, value))


def _parse_columns(ctx: click.Context, parameter: click.Parameter, value: tuple[str, ...]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for text in value:
        name, sign, field = text.rpartition("=")
        if not sign or not name:
            raise click.BadParameter(f"{text!r}: expected NAME=FIELD")
        if name in columns:
            raise click.BadParameter(f"the column {name!r} is given twice")
        columns[name] = field
    try:
        return check_columns(columns)
    except OptionError as error:
        raise click.BadParameter(str(error).removeprefix("columns: ")) from None
