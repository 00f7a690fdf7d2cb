"""Bytes and markup to clean text: decoding, Markdown and HTML to text.

Pure functions. `matcher.analyzer` goes on from clean text to tokens.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from matcher.errors import PostingError
from matcher.mojibake import repair
from matcher.posting import Posting

__all__: Final = ["Decoded", "decode", "html_to_text", "markdown_to_text", "posting_text", "repair"]

MAXIMUM_TAGS: Final = 5_000
MAXIMUM_DEPTH: Final = 500
"""Markup with more tags than the first is measured, and refused beyond the second depth: building a
tree of n nested elements costs time quadratic in n (40,000 take two seconds, 200,000 over a minute)."""


class Decoded(NamedTuple):
    """Text and the encoding it was read with."""

    text: str
    encoding: str


def decode(data: bytes) -> Decoded:
    """Decode the bytes of a file: UTF-8, UTF-16 with a byte order mark, else Windows-1252.

    Line ends become ``\\n`` and a byte order mark vanishes.

    Raises
    ------
    PostingError
        When the bytes are no text (they hold a NUL).

    Examples
    --------
    >>> decode("Köchin\\r\\n".encode("utf-8-sig"))
    Decoded(text='Köchin\\n', encoding='utf-8')
    >>> decode("Köchin".encode("cp1252"))
    Decoded(text='Köchin', encoding='windows-1252')
    """
    if b"\0" not in data and b"\r" not in data and not data.startswith(codecs.BOM_UTF8):
        try:
            return Decoded(data.decode(), "utf-8")
        except UnicodeDecodeError:
            pass
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text, encoding = data.decode("utf-16", errors="replace"), "utf-16"
    else:
        try:
            text, encoding = data.decode("utf-8-sig"), "utf-8"
        except UnicodeDecodeError:
            # Five bytes have no character in Windows-1252; they become U+FFFD rather than stop the reading.
            text, encoding = data.decode("cp1252", errors="replace"), "windows-1252"
    if "\0" in text:
        raise PostingError("this is not text (it contains a NUL byte): export it as UTF-8 text")
    return Decoded(text.replace("\r\n", "\n").replace("\r", "\n"), encoding)


# --- markup ---------------------------------------------------------------------------------------

# A text with none of these signs and no such line holds no markup.
_SIGNS: Final = "<&*_`#[]\\>~|"
_LINE_SIGN: Final = re.compile(r"\n[^\S\n]*+(?:[-+=]|\d+[.)])")
# Most texts with some of them hold none either. First the beginning of a heading, a list item, a quotation, a
# table, a rule or a code block, and of some lines that are nothing of the kind.
_BLOCK: Final = re.compile(r"\n[^\S\n]*+(?:[#>|:=~_`*]|[-+](?:[-+:|\s]|\Z)|\d+[.)](?:\s|\Z))")
# Then where a sign may mean something within a line; the other signs do so only at the beginning of one.
_IN_LINE: Final = {
    "<": re.compile(r"<(?:[a-zA-Z/!?]|[^\s<>]*@)"),
    "&": re.compile(r"&#?\w+;"),
    "*": re.compile(r"\*[^*]*\*|^(?: {0,3}\t| {4}).*[^\W\d_]\*in", re.MULTILINE),
    "_": re.compile(r"_(?:(?<!\w_)|(?!\w))"),  # within a word it never begins or ends emphasis
    "`": re.compile(r"`[^`]*`"),
    "]": re.compile(r"\][(:]"),
    "\\": re.compile(r"\\(?![^\W_]| )"),
    "~": re.compile(r"~(?<![ \n]~)"),  # after a space it never ends what is struck out
}
# Two of them in a paragraph would become emphasis: "Kund*innen und Köch*innen".
_GENDER_STAR: Final = re.compile(r"(?<=[^\W\d_])\*(?=in(?:nen)?\b)")
_RAW_HTML: Final = re.compile(r"<[a-zA-Z/!?]")
_ANY_TAG: Final = re.compile(r"<[^>]*>")
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_VOID_TAGS: Final = frozenset("area base br col embed hr img input link meta source track wbr".split())
# Elements that no closing tag reaches across: of any element, and of one that is not special itself.
_SCOPES: Final = frozenset(
    "table caption td th template object marquee applet select button svg math".split()
)
_SPECIAL: Final = _SCOPES | frozenset(
    "address article aside blockquote body center colgroup dd details dialog dir div dl dt fieldset"
    " figcaption figure footer form frameset h1 h2 h3 h4 h5 h6 head header hgroup html iframe li listing"
    " main menu nav noembed noframes noscript ol p plaintext pre script search section style summary tbody"
    " textarea tfoot thead title tr ul xmp".split()
)
_ROWS_AND_CELLS: Final = frozenset("caption tbody td tfoot th thead tr".split())  # ignored outside of tables
# What a new element ends, so that these are nested no deeper than what they stand in.
_ENDED_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "p": ("p",), "li": ("li", "p"), "dt": ("dt", "dd", "p"), "dd": ("dt", "dd", "p"),
    "td": ("td", "th", "p"), "th": ("td", "th", "p"), "tr": ("tr", "td", "th", "p"),
}  # fmt: skip
_BLOCK_TAG: Final = re.compile(
    r"</?(?:p|div|br|li|[uod]l|d[td]|t[rdh]|table|caption|h[1-6r]|section|article|header|footer|main|nav|aside|menu"
    r"|blockquote|pre|address|center|details|summary|dialog|fieldset|legend|form|fig(?:ure|caption)|option)\b",
    re.IGNORECASE,
)
# Unclosed, these are opened again in every block that follows: n tags would become n times n elements.
_FORMATTING: Final = re.compile(
    r"<(/?)(?:a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?=[\s/>])", re.IGNORECASE
)
_INVISIBLE: Final = (
    "script", "style", "template", "noscript", "head", "iframe", "svg", "datalist", "object",
)  # fmt: skip
_MAY_HIDE: Final = re.compile(r"\bhidden\b|\bdisplay\b", re.IGNORECASE)
_HIDING: Final = re.compile(r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*hidden)\b", re.IGNORECASE)
_PREFORMATTED: Final = re.compile(r"(?=</?pre\b)", re.IGNORECASE)
# Each attribute is compared with all before it. No element has so many; those of this one mean nothing.
_MANY_ATTRIBUTES: Final = re.compile(
    r"""(</?[a-zA-Z][^\s/>]*+)(?:[\s/"']++[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>"']*+))?+){100,}+"""
)


def markdown_to_text(markdown: str) -> str:
    """Return what a reader sees of a Markdown text: no syntax, no tags, no link targets.

    GitHub-flavoured Markdown through `cmarkgfm`, HTML (also HTML inside the Markdown) through
    `selectolax`. Scripts, styles and comments vanish. One block a line.

    Raises
    ------
    PostingError
        When elements are nested deeper than `MAXIMUM_DEPTH`.

    Examples
    --------
    >>> print(markdown_to_text("## You will\\n\\n* run **C++** [jobs](https://a.example)\\n* <b>fix</b> it"))
    You will
    run C++ jobs
    fix it
    """
    return _tidy(markdown if _is_plain(markdown) else _convert(markdown))


def html_to_text(html: str) -> str:
    """Return what a reader sees of an HTML page or fragment, one block a line.

    Through `selectolax`. Scripts, styles, templates, comments and hidden elements vanish, entities are
    decoded, a line end within a paragraph is a space.

    Raises
    ------
    PostingError
        When elements are nested deeper than `MAXIMUM_DEPTH`.

    Examples
    --------
    >>> print(html_to_text("<h2>You will</h2><p hidden>No</p><ul><li>fix\\n<b>C&#43;&#43;</b><li>bake</ul>"))
    You will
    fix C++
    bake
    """
    if "\n" in html or "\r" in html:
        html = "".join(
            part if part[:4].lower() == "<pre" else part.replace("\r", " ").replace("\n", " ")
            for part in _PREFORMATTED.split(html)
        )
    return _tidy(_html_to_text(html.encode("utf-8", "replace").decode("utf-8")))


def _convert(markdown: str) -> str:
    from cmarkgfm import cmark

    markdown = _GENDER_STAR.sub(r"\\\g<0>", markdown)
    markdown = markdown.encode("utf-8", "replace").decode("utf-8")  # lone surrogates are no characters
    html = cmark.markdown_to_html_with_extensions(
        markdown, options=cmark.Options.CMARK_OPT_UNSAFE, extensions=["table", "strikethrough"]
    )
    if _RAW_HTML.search(markdown) or "\r" in html or html.count("<") > MAXIMUM_TAGS:
        return _html_to_text(html)
    # All tags are those of cmark: blocks stand on lines of their own, and only four characters are escaped.
    text = _ANY_TAG.sub("", html)
    if "&" in text:
        text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    return text


def _is_plain(markdown: str) -> bool:
    """Return whether conversion would leave the text as it is, but for white space; False when in doubt."""
    lines = "\n" + markdown
    signs = [sign for sign in _SIGNS if sign in markdown]
    if not signs and not _LINE_SIGN.search(lines):
        return True
    if _BLOCK.search(lines) or any(sign in _IN_LINE and _IN_LINE[sign].search(markdown) for sign in signs):
        return False
    if "\r" in markdown or "\0" in markdown or markdown.startswith("\ufeff"):
        return False
    try:
        markdown.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _html_to_text(html: str) -> str:
    if html.count("<") > MAXIMUM_TAGS and _exceeds_depth(html):
        raise PostingError(f"markup is nested more than {MAXIMUM_DEPTH} levels deep: flatten it")
    from selectolax.lexbor import LexborHTMLParser

    html = _MANY_ATTRIBUTES.sub(r"\1 ", html)
    tree = LexborHTMLParser(_FORMATTING.sub(r"<\1span", _BLOCK_TAG.sub(r"\n\g<0>", html)))
    tree.strip_tags(list(_INVISIBLE))
    if _MAY_HIDE.search(html):
        # From the last to the first: what stands within another one goes before it.
        for node in reversed(tree.css("[hidden]")):
            node.decompose()
        for node in reversed(tree.css("[style]")):
            if _HIDING.search(node.attributes["style"] or ""):
                node.decompose()
    return tree.body.text() if tree.body else ""


def _exceeds_depth(html: str) -> bool:
    """Return whether the tree becomes too deep; in doubt an element counts as open for longer than it is."""
    stack: list[str] = []
    for closing, name in _tags(html):
        if name in _ROWS_AND_CELLS and "table" not in stack:
            continue
        if closing:
            if name in stack:
                _close(stack, name)
        elif name not in _VOID_TAGS:
            _close_implied(stack, name)
            stack.append(name)
            if len(stack) > MAXIMUM_DEPTH:
                return True
    return False


def _close(stack: list[str], name: str) -> None:
    """Close the innermost element of a name and all within, unless one of them does not let it be closed."""
    barriers = _SCOPES if name in _SPECIAL else _SPECIAL
    for position in range(len(stack) - 1, -1, -1):
        if stack[position] == name:
            del stack[position:]
        elif stack[position] not in barriers:
            continue
        return


def _close_implied(stack: list[str], name: str) -> None:
    """Close what the beginning of an element ends."""
    ended = _ENDED_BY.get(name, ())
    position = len(stack)
    while ended and position and (stack[position - 1] in ended or stack[position - 1] not in _SPECIAL):
        position -= 1
        if stack[position] in ended:
            del stack[position:]


def _tags(html: str) -> Iterator[tuple[str, str]]:
    return ((match[1], match[2].lower()) for match in _TAG.finditer(html))


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


def posting_text(posting: Posting, *, titles: int = 1, summaries: int = 1) -> str:
    """Return the text of a posting that its words are counted in: title, summary and body without markup.

    White space is left as it is.

    Parameters
    ----------
    posting : Posting
    titles, summaries : int
        How often title and summary are repeated; at least 0.

    Examples
    --------
    >>> posting_text(Posting(id="1", title="Cook", summary="Early shifts", body="Bake **bread**."))
    'Cook\\nEarly shifts\\nBake bread.\\n'
    >>> posting_text(Posting(id="1", title="Cook", summary="Early shifts"), titles=2, summaries=0)
    'Cook\\nCook'
    """
    body = posting.body if _is_plain(posting.body) else _convert(posting.body)
    parts = (*(posting.title,) * titles, *(posting.summary,) * summaries, body)
    return "\n".join(part for part in parts if part)
