"""A model directory: named arrays and a manifest, written atomically, checked when read.

::

    MODEL/CURRENT                      which generation, and the SHA-256 of its manifest
    MODEL/gen-00000001/manifest.json   format, versions, settings; size and SHA-256 of each file
    MODEL/gen-00000001/*.npy, *.txt    arrays and text
    MODEL/gen-00000001/signature       of the manifest, when it was written with a key
    MODEL/.lock                        held by the one who writes

A new generation is written beside the old ones under a temporary name, made durable, renamed, and only
then does CURRENT change, by a rename too: a crash at any point leaves the old model or the new one.
Files are never overwritten, so a reader that has them mapped keeps what it opened; files that an older
generation has already are linked. Readers hold the generation they have open, so that it is not deleted.

Nothing here knows of ranking. Reading executes nothing: JSON, text, and ``.npy`` without pickle.
"""

from typing import Final

from matcher.store.collection import Collected, collect
from matcher.store.disk import StoredFile
from matcher.store.locks import WriteLock, lock_model
from matcher.store.manifest import SCHEMA
from matcher.store.publishing import Published, write_model
from matcher.store.reading import StoredModel, open_published, read_model

__all__: Final = [
    "SCHEMA",
    "Collected",
    "Published",
    "StoredFile",
    "StoredModel",
    "WriteLock",
    "collect",
    "lock_model",
    "open_published",
    "read_model",
    "write_model",
]
