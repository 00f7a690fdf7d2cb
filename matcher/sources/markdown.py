"""Markdown with YAML front matter: one posting a file, or several one after the other in a stream.

`python-frontmatter` reads the file; the handler given to it goes through YAML *events* and keeps every
value as the string that was written (``location: NO`` is Norway, not False). Anchors, aliases, tags,
duplicate keys, deep nesting and large front matter are refused before anything is expanded.
"""

from __future__ import annotations

import codecs
import io
import re
import reprlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO, Final

import frontmatter
import yaml
from frontmatter.default_handlers import BaseHandler

from matcher.errors import PostingError
from matcher.posting import RECORD_NAMES
from matcher.sources.entry import LARGEST_POSTING, RawPosting
from matcher.text import decode, repair

__all__: Final = ["StrictHandler", "read_markdown", "split_stream"]

LARGEST_FRONT_MATTER: Final = 1 << 16
MOST_NODES: Final = 2_000
DEEPEST_NESTING: Final = 3

_SEPARATOR: Final = re.compile("[\x85\u2028\u2029]")
_FENCE: Final = re.compile(r"(?:---|\.\.\.)[ \t]*\Z")
_END: Final = re.compile(r"\n(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_FIELD: Final = re.compile(r"""([ \t]*(?:"[^"]*"|'[^']*'|[A-Za-z_][\w -]*?)[ \t]*:)([ \t]+|$)(.*)$""")
_UNQUOTED_HASH: Final = re.compile(r"""^(?![\w-]++:[ \t]++["'])[^\n#]*+#""", re.MULTILINE)
_ITEM: Final = re.compile(r"([ \t]*-)([ \t]+)(#\S.*)$")
_CUT_OFF: Final = re.compile(r"(?:^|[\s\[,])#\S|\s#$")
_STARTS_FRONT_MATTER: Final = re.compile(rb"---[ \t]*\r?\n\Z")
_STARTS_KEY: Final = re.compile(rb"[A-Za-z_][\w-]*[ \t]*:")
_STARTS_KNOWN_KEY: Final = re.compile(
    rb"(?:" + b"|".join(re.escape(key.encode()) for key in RECORD_NAMES.values()) + rb")[ \t]*:"
)
_MAY_START: Final = re.compile(rb"\n---[ \t]*+\r?\n[A-Za-z_\xef]")
_USUAL: Final = 1 << 16
_BOM: Final = b"\xef\xbb\xbf"
# What no text on one line of YAML holds: control characters, line ends of Unicode, halves of characters.
_NEVER: Final = "\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\ufeff\\ufffe\\uffff"
# A field on one line whose value can be nothing but the text that stands there; the last group is all else.
_PLAIN_FIELD: Final = re.compile(
    r"([A-Za-z_][A-Za-z0-9_-]{0,99}):(?: ++(?:"
    rf'"([^"\\{_NEVER}]*+)"'
    rf"|'([^'{_NEVER}]*+)'"
    rf"|([^\W_][^:#{_NEVER}]*+(?::(?![ \n])[^:#{_NEVER}]++)*+)"
    r")?+)?+ *+(?:\n|\Z)|([\s\S]+)"
)
_NULLS: Final = ("~", "null", "Null", "NULL")
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class StrictHandler(BaseHandler):
    """A handler for `frontmatter.parse` that keeps strings and refuses what postings do not need.

    Parameters
    ----------
    first_line : int
        Line of the text's first character in its file, for error messages.

    Examples
    --------
    >>> frontmatter.parse("---\\nlocation: NO\\nhashtags: #a #b\\n---\\nText", handler=StrictHandler())
    ({'location': 'NO', 'hashtags': '#a #b'}, 'Text')
    >>> frontmatter.parse("---\\ntitle: a: b\\n---\\n", handler=StrictHandler())
    Traceback (most recent call last):
    matcher.errors.PostingError: 2: front matter is not valid YAML (mapping values are not allowed ...
    """

    FM_BOUNDARY = re.compile(r"\A---[ \t]*$", re.MULTILINE)

    def __init__(self, first_line: int = 1) -> None:
        super().__init__()
        self.first_line = first_line
        self.changes: list[str] = []

    def split(self, text: str) -> tuple[str, str]:
        """Split text at the two fences; refuse text without front matter or without its end.

        Examples
        --------
        >>> StrictHandler().split("---\\ntitle: Cook\\n---\\nText")
        ('title: Cook', 'Text')
        """
        first = text.partition("\n")[0]
        if first.rstrip() != "---":
            raise PostingError("no front matter: start the file with a line '---'", line=self.first_line)
        start = len(first) + 1
        end = _END.search(text, start - 1)
        if end is None or start > len(text):
            raise PostingError(
                "the front matter is not closed: end it with a line '---'", line=self.first_line
            )
        return text[start : max(end.start(), start)], text[end.end() + 1 :]

    def load(self, fm: str) -> dict[str, Any]:
        """Parse front matter into strings, lists and mappings of strings.

        Raises
        ------
        PostingError
            With the line, when it is not valid or holds what is refused.

        Examples
        --------
        >>> StrictHandler().load("title: 2020-01-01\\nskills: [C, 010]")
        {'title': '2020-01-01', 'skills': ['C', '010']}
        """
        if len(fm) > LARGEST_FRONT_MATTER:
            raise PostingError(
                f"front matter of {len(fm):,} characters: at most {LARGEST_FRONT_MATTER:,} are read",
                line=self.first_line,
            )
        if not fm.isascii() and _SEPARATOR.search(fm):
            # YAML takes them for line ends, nobody else does: what was pasted would end in the middle.
            fm = _SEPARATOR.sub(" ", fm)
            self.changes.append("line separators (U+2028, U+2029, U+0085) in front matter read as spaces")
        if (plain := _plain_fields(fm)) is not None:
            return plain
        quoted = _quote_comments(fm) if _UNQUOTED_HASH.search(fm) else fm
        if quoted != fm:
            self.changes.append("text after an unquoted # is a comment in YAML: read as text")
        try:
            return self._build(quoted)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "unreadable"
            raise self._refuse(
                f"front matter is not valid YAML ({problem}): put the value in quotes", mark
            ) from None

    def _refuse(self, reason: str, mark: Any) -> PostingError:
        return PostingError(reason, line=self.first_line + 1 + (mark.line if mark is not None else 0))

    def _build(self, fm: str) -> dict[str, Any]:
        root: Any = None
        stack: list[_Container] = []
        for number, event in enumerate(_events(fm)):
            if (  # nearly all events
                type(event) is yaml.ScalarEvent
                and stack
                and event.tag is event.anchor is None
                and number <= MOST_NODES
            ):
                value: Any = event.value if event.style or event.value not in _NULLS else ""
                if reason := stack[-1].add(value):
                    raise self._refuse(reason, event.start_mark)
                continue
            if isinstance(event, yaml.CollectionEndEvent):
                stack.pop()
                continue
            reason = _refusal(event, number, root, len(stack))
            if not reason and isinstance(event, yaml.NodeEvent):
                value = _value(event)
                if stack:
                    reason = stack[-1].add(value)
                else:
                    root = value
                if not isinstance(value, str):
                    stack.append(_Container(value))
            if reason:
                raise self._refuse(reason, event.start_mark)
        if root is None or root == "":
            return {}
        if not isinstance(root, dict):
            raise self._refuse("front matter must be fields with values ('title: Cook')", None)
        return root


def _plain_fields(fm: str) -> dict[str, Any] | None:
    """Return the fields of front matter that is nothing but plain lines, as YAML would; else None."""
    found = _PLAIN_FIELD.findall(fm)
    if not found or len(found) > MOST_NODES // 2 - 2 or found[-1][4]:
        return None
    fields = {
        key: double or single or ("" if plain in _NULLS else plain.rstrip(" "))
        for key, double, single, plain, _ in found
    }
    # A repeated field is an error, and one without a name too.
    return fields if len(fields) == len(found) and fields.keys().isdisjoint(_NULLS) else None


def _events(fm: str) -> Iterator[Any]:
    parser = _LOADER(fm)
    try:
        while parser.check_event():
            yield parser.get_event()
    finally:
        parser.dispose()


def _refusal(event: yaml.Event, number: int, root: Any, depth: int) -> str:
    """Return why a YAML event is not accepted, or an empty string."""
    if number > MOST_NODES:
        return f"front matter of more than {MOST_NODES:,} nodes"
    if isinstance(event, yaml.DocumentStartEvent) and root is not None:
        return "front matter of more than one YAML document"
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
        return "YAML anchors and aliases are not read: write the value out"
    tag = getattr(event, "tag", None)
    if tag not in (None, "!"):
        return f"the YAML tag {tag!r} is not read: write plain text"
    if isinstance(event, yaml.CollectionStartEvent) and depth >= DEEPEST_NESTING:
        return f"front matter is nested more than {DEEPEST_NESTING} levels deep"
    return ""


def _value(event: yaml.NodeEvent) -> str | list[Any] | dict[str, Any]:
    if isinstance(event, yaml.MappingStartEvent):
        return {}
    if isinstance(event, yaml.SequenceStartEvent):
        return []
    assert isinstance(event, yaml.ScalarEvent)  # noqa: S101 - aliases were refused
    # A plain null is an empty field; everything else is what was written.
    # (The parser in C reports the plain style as "", the one in Python as None.)
    return "" if not event.style and event.value in _NULLS else str(event.value)


class _Container:
    """A list or mapping being filled; a mapping remembers the key that waits for its value."""

    __slots__ = ("key", "value")

    def __init__(self, value: list[Any] | dict[str, Any]) -> None:
        self.value = value
        self.key: str | None = None

    def add(self, child: Any) -> str:
        """Add a child; return what is wrong with it, or an empty string."""
        if isinstance(self.value, list):
            self.value.append(child)
        elif self.key is not None:
            self.value[self.key], self.key = child, None
        elif not isinstance(child, str):
            return "a field's name must be text"
        elif child in self.value:
            return f"the field {reprlib.repr(child)} comes twice: remove one"
        else:
            self.key = child
        return ""


def _quote_comments(fm: str) -> str:
    """Put quotes around values that YAML would cut off at a ``#``, such as ``hashtags: #a #b``.

    Only a ``#`` with something right behind it is taken for text; ``# remark`` stays a comment (after
    ``hashtags:`` nothing does).
    """
    lines = []
    opened = ""  # the field whose value may stand on the next lines
    block = -1  # indentation of the field whose block of text (| or >) is being passed over
    for line in fm.split("\n"):
        indentation = len(line) - len(line.lstrip())
        if block >= 0 and (indentation > block or not line.strip()):
            lines.append(line)
            continue
        block = -1
        field, item = _FIELD.match(line), _ITEM.match(line)
        quoted = line
        if field:
            opened, value = field[1].strip(" \t:\"'"), field[3]
            if value[:1] in ("|", ">"):
                block = indentation
            elif _is_cut_off(value, opened):
                quoted = f"{field[1]} {_quote(value)}"
        elif item:
            quoted = item[1] + item[2] + _quote(item[3])
        elif opened == "hashtags" and indentation and line.strip().startswith("#"):
            quoted = line[:indentation] + _quote(line.strip())
        lines.append(quoted)
    return "\n".join(lines)


def _is_cut_off(value: str, name: str) -> bool:
    if name == "hashtags" and value[:1] == "#":
        return True
    if name == "hashtags" and value[:1] == "[":
        return bool(_CUT_OFF.search(value)) and not re.search(r"""['"]""", value)
    return value[:1] not in ('"', "'", "[", "{", "&", "*", "!") and bool(_CUT_OFF.search(value))


def _quote(value: str) -> str:
    return "'" + value.rstrip().replace("'", "''") + "'"


def read_markdown(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    """Yield the posting of a Markdown file, or the postings when several follow each other.

    Parameters
    ----------
    stream : binary file
    name : str
        Path of the file, the posting's id when it has no other.

    Yields
    ------
    RawPosting or PostingError
        An error stands for a posting that cannot be read.

    Examples
    --------
    >>> import io
    >>> next(read_markdown(io.BytesIO(b"---\\ntitle: Cook\\n---\\nBake."), "cook.md")).fields
    {'title': 'Cook', 'body': 'Bake.'}
    """
    data = stream.read(_USUAL)  # a buffer as large as the limit costs more than the rest of the reading
    if len(data) == _USUAL:
        data += stream.read(LARGEST_POSTING + 1 - _USUAL)
    if len(data) > LARGEST_POSTING or data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        yield _parse(data, name, 1)
        return
    if data.startswith(b"---") and not _MAY_START.search(data) and not _holds_mark(data):  # as most files are
        yield _parse(data, name, 1)
        return
    entries = list(split_stream(io.BytesIO(data), name)) or [_parse(data, name, 1)]
    first = entries[0]
    if isinstance(first, RawPosting):
        entries[0] = replace(first, default_id=name)
    yield from entries


def _holds_mark(data: bytes) -> bool:
    return b"\xef" in data and _BOM in data  # looking for one byte takes next to no time


def split_stream(stream: BinaryIO, name: str) -> Iterator[RawPosting | PostingError]:
    """Yield the postings of a stream in which several Markdown files follow each other.

    A posting starts at a line ``---`` when the next line holds a field that postings have (``title: ...``),
    or any field when a blank line stands before. Ids default to the name and the line.

    Examples
    --------
    >>> import io
    >>> two = b"---\\ntitle: Cook\\n---\\nBake.\\n\\n---\\n\\nMore.\\n\\n---\\ntitle: Nurse\\n---\\nCare.\\n"
    >>> [(raw.fields["title"], raw.line) for raw in split_stream(io.BytesIO(two), "stdin")]
    [('Cook', 1), ('Nurse', 10)]
    """
    lines: list[bytes] = []
    size, first, fences = 0, 1, 0
    after_blank = True
    for number, line, following in _with_following(stream):
        starts = (
            fences != 1
            and bool(_STARTS_FRONT_MATTER.match(line))
            and bool(_STARTS_KNOWN_KEY.match(following) or (after_blank and _STARTS_KEY.match(following)))
        )
        if starts:
            if any(part.strip() for part in lines):
                yield _parse(b"".join(lines), f"{name}:{first}", first)
            lines, size, first, fences = [], 0, number, 0
        if fences < 2 and _FENCE.match(line.decode("latin-1").rstrip("\r\n")):
            fences += 1
        after_blank = not line.strip()
        size += len(line)
        if size <= LARGEST_POSTING + 1:  # enough to be refused as too large
            lines.append(line)
    if any(part.strip() for part in lines):
        yield _parse(b"".join(lines) + b" " * (size > LARGEST_POSTING), f"{name}:{first}", first)


def _with_following(stream: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    line, number = stream.readline(LARGEST_POSTING + 1).removeprefix(_BOM), 1
    while line:
        following = stream.readline(LARGEST_POSTING + 1)
        if following.startswith(_BOM + b"---"):  # files with byte order marks, one after the other
            following = following.removeprefix(_BOM)
        yield number, line, following
        line, number = following, number + 1


def _parse(data: bytes, name: str, line: int) -> RawPosting | PostingError:
    try:
        if len(data) > LARGEST_POSTING:
            raise PostingError(f"larger than {LARGEST_POSTING:,} bytes: not a posting", line=line)
        decoded = decode(data)
        text = repair(decoded.text)
        changes = [] if decoded.encoding == "utf-8" else [f"not UTF-8: read as {decoded.encoding}"]
        if text != decoded.text:
            changes.append("wrongly decoded characters repaired")
        body_start = len(text) - len(text.lstrip())
        handler = StrictHandler(line + text.count("\n", 0, body_start))
        fields, body = frontmatter.parse(text, handler=handler)
        if "body" in fields:
            raise PostingError(
                "the front matter has a field 'body': the body is the text below it", line=line
            )
    except PostingError as error:
        return error if error.line else PostingError(error.reason, line=line)
    return RawPosting(fields | ({"body": body} if body else {}), line, name, changes + handler.changes)
