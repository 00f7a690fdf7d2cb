"""What happened to postings when a matcher was given news of them."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__: Final = ["Changes"]


class Changes(NamedTuple):
    """Ids of postings, by what happened to them; each in ascending order.

    Attributes
    ----------
    added : tuple of str
        Not held before.
    changed : tuple of str
        Held before with other contents, now replaced.
    removed : tuple of str
    unchanged : tuple of str
        Given again, and the same to the last byte: nothing was done.
    unknown : tuple of str
        Asked to be updated or removed, but not held.

    Examples
    --------
    >>> Changes(added=("1", "2")) | Changes(removed=("1",))
    Changes(added=('1', '2'), changed=(), removed=('1',), unchanged=(), unknown=())
    """

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __or__(self, other: Changes) -> Changes:
        return Changes(*(tuple(sorted({*a, *b})) for a, b in zip(self, other, strict=True)))

    def __bool__(self) -> bool:
        """Whether anything is different now."""
        return bool(self.added or self.changed or self.removed)
