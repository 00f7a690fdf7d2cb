"""Signatures of manifests: proof that a model that travelled is what was trained.

A manifest holds the SHA-256 of every file, so that signing it signs them all. A signature does not say that
the generation is the newest: whoever can write the directory can put back an older one that was signed.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path
from typing import Final

from matcher.errors import ModelSignatureError, OptionError
from matcher.store.disk import read_small

__all__: Final = ["check_key", "check_signature", "sign"]

_SHORTEST_KEY: Final = 16
_SIGNED: Final = b"matcher-model-manifest\0"
_LONGEST: Final = 1 << 10


def check_key(key: bytes | None) -> None:
    """Raise unless a key can be used to sign.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> check_key(b"secret")
    Traceback (most recent call last):
    matcher.errors.OptionError: a key must be bytes, at least 16: make one with secrets.token_bytes(32)
    """
    if key is not None and (not isinstance(key, bytes) or len(key) < _SHORTEST_KEY):
        raise OptionError(
            f"a key must be bytes, at least {_SHORTEST_KEY}: make one with secrets.token_bytes(32)"
        )


def sign(key: bytes, manifest: bytes) -> bytes:
    """Return the signature of a manifest, which through its hashes vouches for every file.

    Examples
    --------
    >>> sign(bytes(16), b"{}")[:16]
    b'906fa0f1d4a7bbfa'
    """
    return hmac.new(key, _SIGNED + manifest, hashlib.sha256).hexdigest().encode()


def check_signature(key: bytes, manifest: bytes, path: Path) -> None:
    """Raise unless the file at `path` is the signature of a manifest.

    Raises
    ------
    ModelSignatureError
        When it is missing, malformed, or by another key.

    Examples
    --------
    >>> check_signature(bytes(16), b"{}", Path("no/such/signature"))
    Traceback (most recent call last):
    matcher.errors.ModelSignatureError: no/such/signature: missing: the model was not signed; ...
    """
    try:
        found = read_small(path, _LONGEST)
    except FileNotFoundError:
        raise ModelSignatureError(
            f"{path}: missing: the model was not signed; sign it there, or read it without a key"
        ) from None
    if not hmac.compare_digest(found, sign(key, manifest)):
        raise ModelSignatureError(
            f"{path}: not made with this key, or the manifest was changed: use the key it was signed with, "
            "or fetch the model again"
        )
