"""Hashtags: the one normal form of a tag, and the tags that people write in one line."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from itertools import chain
from typing import Final

__all__: Final = [
    "listed_hashtags",
    "normalise_hashtag",
    "normalise_hashtags",
    "split_hashtags",
    "written_hashtags",
]

_LONGEST_KNOWN: Final = 64
_MOST_KNOWN: Final = 1 << 14
_TAG_SEPARATORS: Final = re.compile(r"[\s\-_./·&,;:'’!?()\[\]\"“”„]+")
_TAG_START: Final = re.compile(r"(?:^|(?<=[\s,;|]))[#＃]+|(?<=\w)[#＃](?=\w)")
_SEVERAL_TAGS: Final = re.compile(r"[,;|\n]|[^\s,;|#]\s*[#＃]\w")


def normalise_hashtag(tag: str) -> str:
    """Return the one normal form of a hashtag: no ``#``, lower case, no separators.

    Unicode compatibility forms are folded (NFKC); spaces, hyphens, underscores, dots and slashes
    vanish; ``+`` and a ``#`` after a single letter stay, because they tell languages apart.

    Parameters
    ----------
    tag : str
        A hashtag as somebody wrote it, with or without ``#``.

    Returns
    -------
    str
        The normal form, empty when nothing is left.

    Examples
    --------
    >>> [normalise_hashtag(tag) for tag in ("#MachineLearning", "machine learning", "Machine-Learning")]
    ['machinelearning', 'machinelearning', 'machinelearning']
    >>> [normalise_hashtag(tag) for tag in ("#C++", "C#", ".NET", "Node.js", "CI/CD", "#Übersetzung", "# ")]
    ['c++', 'c#', 'dotnet', 'nodejs', 'cicd', 'übersetzung', '']
    """
    if tag.isascii() and tag.isalnum():  # most tags by far
        return tag.lower()
    text = unicodedata.normalize("NFKC", tag).strip().lstrip("#").strip().lower()
    if text == ".net" or text.startswith(".net "):
        text = "dot" + text[1:]
    text = _TAG_SEPARATORS.sub("", text)
    kept = "".join(
        char for char in text if char.isalnum() or char == "+" or unicodedata.category(char)[0] == "M"
    )
    kept = unicodedata.normalize("NFC", kept)
    if not any(char.isalnum() for char in kept):
        return ""
    return kept + "#" if len(kept) == 1 and text.endswith("#") else kept  # c#, f#


def split_hashtags(text: str) -> list[str]:
    """Split one written line of hashtags into normal forms, first occurrence first, no repeats.

    Commas and semicolons separate when there are any; else a ``#`` that starts a word; else spaces.

    Parameters
    ----------
    text : str
        For example ``"#sales,#B2B"``, ``"#a #b"``, ``"sales marketing"``.

    Returns
    -------
    list of str

    Examples
    --------
    >>> split_hashtags("#A,#a,# b , #Machine Learning,,")
    ['a', 'b', 'machinelearning']
    >>> split_hashtags("#care #nights#weekend"), split_hashtags("sales marketing"), split_hashtags("C#, Java")
    (['care', 'nights', 'weekend'], ['sales', 'marketing'], ['c#', 'java'])
    """
    parts = re.split(r"[,;|\n]", text)
    if len(parts) == 1:
        parts = _TAG_START.split(text)
    else:
        parts = [piece for part in parts for piece in _TAG_START.split(part)]
    if not _TAG_START.search(text) and not re.search(r"[,;|\n]", text):
        parts = text.split()
    return _unique(normalise_hashtag(part) for part in parts)


def listed_hashtags(tags: list[str]) -> tuple[str, ...]:
    """Return what `normalise_hashtags` does, as a tuple; remembered, so parts of CVs do not belong here.

    Raises
    ------
    AttributeError, TypeError
        When one of them is no text.

    Examples
    --------
    >>> listed_hashtags(["sql", "Night Shift", "SQL"])
    ('sql', 'nightshift')
    """
    found = dict.fromkeys(chain.from_iterable(map(_KNOWN_TAGS.__getitem__, tags)))
    if "" in found:
        del found[""]
    return tuple(found)


def normalise_hashtags(tags: Iterable[str]) -> list[str]:
    """Return the normal forms of hashtags given one by one, without repeats; an item may hold several.

    Examples
    --------
    >>> normalise_hashtags(["Machine Learning", "#a #b", "c,d", "C#"])
    ['machinelearning', 'a', 'b', 'c', 'd', 'c#']
    """
    return list(listed_hashtags(list(tags)))


def written_hashtags(text: str) -> tuple[str, ...]:
    """Return the hashtags of a line of an advert: `split_hashtags`, then `normalise_hashtags`, remembered.

    Parts of CVs do not belong here: what was met once stays in memory.

    Examples
    --------
    >>> written_hashtags("#Bread,#Night Shift"), written_hashtags("#a #b")
    (('bread', 'nightshift'), ('a', 'b'))
    """
    if "," not in text or ";" in text or "|" in text or "\n" in text:
        return tuple(normalise_hashtags(split_hashtags(text)))
    return tuple(dict.fromkeys(chain.from_iterable(map(_KNOWN_PARTS.__getitem__, text.split(",")))))


def _forms_of_part(part: str) -> tuple[str, ...]:
    """Return what `split_hashtags` and `normalise_hashtags` make of what stands between two commas."""
    return tuple(normalise_hashtags(_unique(map(normalise_hashtag, _TAG_START.split(part)))))


def _normal_forms(tag: str) -> tuple[str, ...]:
    if tag.isalnum() or not _SEVERAL_TAGS.search(tag):
        return (normalise_hashtag(tag),)
    return tuple(split_hashtags(tag))


class _Known(dict[str, tuple[str, ...]]):
    """Hashtags that were met before, as most are, and their normal forms; it is emptied when it is full."""

    def __init__(self, forms: Callable[[str], tuple[str, ...]]) -> None:
        super().__init__()
        self._forms = forms

    def __missing__(self, tag: str) -> tuple[str, ...]:
        if not isinstance(tag, str):
            raise TypeError(f"a hashtag is text, got {tag!r}")
        forms = (tag.lower(),) if tag.isascii() and tag.isalnum() else self._forms(tag)
        if len(tag) <= _LONGEST_KNOWN:
            if len(self) >= _MOST_KNOWN:
                self.clear()
            self[tag] = forms
        return forms


_KNOWN_TAGS: Final = _Known(_normal_forms)
_KNOWN_PARTS: Final = _Known(_forms_of_part)


def _unique(tags: Iterable[str]) -> list[str]:
    return [tag for tag in dict.fromkeys(tags) if tag]
