"""How commands behave: grouped help, every error one line on standard error, Ctrl-C too."""

from __future__ import annotations

import errno
import re
from typing import Any, Final, NoReturn

import click

from matcher.errors import FilterError, MatcherError, OptionError
from matcher.terminal import printable, write_line

__all__: Final = ["INTERRUPTED", "ClearCommand", "ClearGroup", "option_name"]

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 and the number of the signal, as shells have it."""


class ClearCommand(click.Command):
    """A command whose errors are one line on standard error that says what to do.

    Examples
    --------
    >>> ClearCommand("rank", help="Rank postings for a CV.").get_short_help_str()
    'Rank postings for a CV.'
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; see `click.Command.invoke`.

        Examples
        --------
        >>> command = ClearCommand("add", params=[click.Argument(["a"])], callback=lambda a: a)
        >>> command.invoke(command.make_context("add", ["1"]))
        '1'
        """
        try:
            return super().invoke(ctx)
        except FilterError as error:
            _fail(ctx, re.sub(r"^filter (\w+)", lambda name: option_name(name[1]), str(error)), 2)
        except OptionError as error:
            _fail(ctx, str(error), 2)
        except MatcherError as error:
            _fail(ctx, str(error), 1)
        except click.ClickException as error:
            _fail(ctx, error.format_message(), error.exit_code)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has read enough
                raise
            _fail(ctx, f"cannot write the output ({error.strerror or error})", 1)


class ClearGroup(click.Group):
    """A group whose help lists commands by what they are for; shows click's own errors safely, too.

    Examples
    --------
    >>> group = ClearGroup("matcher")
    >>> group.add_section("Rank", ClearCommand("rank", help="Rank postings for a CV."))
    >>> print(group.get_help(click.Context(group)).splitlines()[-2])
    Rank:
    """

    command_class = ClearCommand

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._sections: dict[str, list[str]] = {}

    def add_section(self, title: str, *commands: click.Command) -> None:
        """Add commands under a heading of the help.

        Examples
        --------
        >>> group = ClearGroup("matcher")
        >>> group.add_section("Rank", ClearCommand("rank"), ClearCommand("explain"))
        >>> list(group.commands)
        ['rank', 'explain']
        """
        for command in commands:
            self.add_command(command)
        self._sections[title] = [str(command.name) for command in commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings; see `click.Group.format_commands`.

        Examples
        --------
        >>> formatter = click.HelpFormatter()
        >>> ClearGroup("matcher").format_commands(click.Context(ClearGroup("matcher")), formatter)
        >>> formatter.getvalue()
        ''
        """
        width = max((len(name) for name in self.commands), default=0)
        for title, names in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(name.ljust(width), self.commands[name].get_short_help_str(100)) for name in names]
                )

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was asked for; see `click.Group.invoke`.

        Examples
        --------
        >>> group = ClearGroup("matcher")
        >>> group.add_section("Rank", ClearCommand("rank", callback=lambda: print("ranked")))
        >>> group.main(["rank"], standalone_mode=False)
        ranked
        """
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            _fail(getattr(error, "ctx", None) or ctx, error.format_message(), error.exit_code)
        except KeyboardInterrupt:
            write_line("Interrupted.", error=True)
            ctx.exit(INTERRUPTED)


def option_name(name: str) -> str:
    """Return how an option is written on the command line.

    Examples
    --------
    >>> option_name("posted_since")
    '--posted-since'
    """
    return "--" + name.replace("_", "-")


def _fail(ctx: click.Context, message: str, code: int) -> NoReturn:
    if code == 2:  # wrong use
        write_line(f"{ctx.get_usage()}\nTry '{ctx.command_path} --help' for help.\n", error=True)
    write_line(printable(f"Error: {message}"), error=True)
    ctx.exit(code)
