"""Names of files for postings: safe on every file system, the same for the same id."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

__all__: Final = ["file_name"]

LONGEST_STEM: Final = 60
_HASH_LENGTH: Final = 16
_OTHER: Final = re.compile(r"[^a-z0-9]+")
_SCHEME: Final = re.compile(r"[a-z]+://(?:www\.)?", re.IGNORECASE)


def file_name(posting_id: str, suffix: str) -> str:
    """Return the name of a posting's file.

    It is the readable part of the id (small ASCII letters, digits and hyphens, the end of it when it is long)
    and 16 hexadecimal digits of its SHA-256. So no id leads out of the folder, names a device of Windows, is
    hidden or differs from another by case alone; and which name an id gets does not depend on other ids.

    Examples
    --------
    >>> file_name("https://jobs.beck.example/Köchin", ".md")
    'jobs-beck-example-kochin-b619fa5d49a3cb57.md'
    >>> file_name("../../etc/passwd", ".md")
    'etc-passwd-3754d6cb3a38e118.md'
    """
    plain = unicodedata.normalize("NFKD", _SCHEME.sub("", posting_id)).casefold()
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    stem = _OTHER.sub("-", plain).strip("-")[-LONGEST_STEM:].strip("-")
    digest = hashlib.sha256(posting_id.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_LENGTH]
    return f"{stem or 'posting'}-{digest}{suffix}"
