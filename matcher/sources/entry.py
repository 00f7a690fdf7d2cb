"""What a source yields before it is a posting, and the limits every source keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__: Final = ["LARGEST_POSTING", "RawPosting"]

LARGEST_POSTING: Final = 1 << 20
"""Bytes. An advert is a few thousand; what is larger than this is something else."""


@dataclass(slots=True)
class RawPosting:
    """The fields of one posting as the source wrote them, text already decoded and repaired.

    Parameters
    ----------
    fields : mapping
        By the names of `matcher.posting.RECORD_NAMES`, and unknown ones beside them.
    line : int
        Where it starts in its file, from 1.
    default_id : str
        Its id when it has neither ``id`` nor ``url``.
    changes : list of str
        What was repaired or read in another way than written.

    Examples
    --------
    >>> RawPosting({"title": "Cook"}, 1, "jobs/cook.md").changes
    []
    """

    fields: Mapping[str, Any]
    line: int
    default_id: str
    changes: list[str] = field(default_factory=list)
