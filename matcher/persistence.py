"""A snapshot as the content and files of a model, and back.

::

    text.vocabulary.*, text.document_frequency         what a block learned
    segment0.postings.*, segment0.text.by_posting.*    a segment: the same in every generation that has it
    segment0.deleted, segment0.text.places, ...        what this generation says about it

`matcher.store` puts the files on disk and knows nothing of what they mean.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher import analyzer
from matcher._version import __version__
from matcher.counts import Counts, check_inverse_norms
from matcher.dense import CentredVectors, DenseVectors
from matcher.errors import ModelDamagedError, ModelSchemaError, OptionError
from matcher.features import FeatureBlock, block_from_settings, check_blocks
from matcher.learning import BlockFeatures
from matcher.parts import Part
from matcher.segments import Segment
from matcher.semantic import SemanticBlock
from matcher.snapshot import Snapshot
from matcher.strings import gather

__all__: Final = ["ModelParts", "read_snapshot", "segment_files", "write_snapshot"]

MOST_SEGMENTS: Final = 10_000
MOST_POSTINGS: Final = 1 << 40
_TOLD: Final = {"library", "note", "unicode"}
"""Members of the content that nothing is made of."""


class ModelParts(NamedTuple):
    """A snapshot, ready to be stored.

    Attributes
    ----------
    content : dict
        JSON values for the manifest.
    files : dict of str to ndarray
    owners : dict of str to (Segment, str)
        For each file of a segment, the segment and what the file is called within any.

    Examples
    --------
    >>> ModelParts({}, {}, {}).files
    {}
    """

    content: dict[str, Any]
    files: dict[str, NDArray[np.generic]]
    owners: dict[str, tuple[Segment, str]]


def write_snapshot(snapshot: Snapshot, note: Mapping[str, Any] | None = None) -> ModelParts:
    """Return what of a snapshot is stored.

    Parameters
    ----------
    snapshot : Snapshot
    note : mapping, optional
        JSON values that the manifest keeps beside it.

    Raises
    ------
    ModelDamagedError
        When it could not be read back: it comes from a model whose counts by term are not those by posting.

    Examples
    --------
    >>> from matcher.features import default_blocks
    >>> sorted(write_snapshot(Snapshot.empty(default_blocks())).content)
    ['analyzer', 'blocks', 'is_fitted', 'library', 'postings', 'segments', 'unicode']
    """
    if snapshot.is_fitted:
        try:
            _check_frequencies(snapshot)
        except ModelDamagedError as error:
            raise ModelDamagedError(f"{error}: train the model again") from None
    return _take_apart(snapshot, note)


def _take_apart(snapshot: Snapshot, note: Mapping[str, Any] | None) -> ModelParts:
    files: dict[str, NDArray[np.generic]] = {}
    owners: dict[str, tuple[Segment, str]] = {}
    for fitted in snapshot.features:
        files |= fitted.to_files()
    for number, part in enumerate(snapshot.parts):
        prefix = f"segment{number}"
        stored = part.segment.to_files(prefix, snapshot.blocks)
        owners |= {name: (part.segment, name.removeprefix(prefix)) for name in stored}
        files |= stored
        files[f"{prefix}.deleted"] = part.deleted
        for block, place, index in zip(snapshot.blocks, part.places, part.index.blocks, strict=True):
            if index.dense is not None:
                continue  # dense vectors have no terms, and their norms follow from them
            files[f"{prefix}.{block.name}.inverse_norms"] = index.inverse_norms
            files[f"{prefix}.{block.name}.places"] = place
    content: dict[str, Any] = {
        "analyzer": analyzer.VERSION,
        "blocks": [
            {"postings": fitted.postings, "settings": fitted.block.settings()} for fitted in snapshot.features
        ],
        "is_fitted": snapshot.is_fitted,
        "library": __version__,
        "postings": len(snapshot),
        "segments": len(snapshot.parts),
        "unicode": unicodedata.unidata_version,
    }
    if note is not None:
        content["note"] = dict(note)
    return ModelParts(content, files, owners)


def segment_files(files: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Return the entries of a segment's own files, by what they are called within any segment.

    What a generation says about a segment (deleted rows, places, norms) is not among them.

    Examples
    --------
    >>> segment_files({"segment1.deleted": 0, "segment1.postings.ids.txt": 1, "segment10.x": 2}, 1)
    {'.postings.ids.txt': 1}
    """
    prefix = f"segment{number}."
    return {
        name[len(prefix) - 1 :]: entry
        for name, entry in files.items()
        if name.startswith(prefix) and not name.endswith((".deleted", ".places", ".inverse_norms"))
    }


def read_snapshot(
    content: Mapping[str, Any],
    files: Mapping[str, NDArray[np.generic]],
    known: Callable[[int], Segment | None] = lambda number: None,
    encoder: object = None,
) -> Snapshot:
    """Return the snapshot that `write_snapshot` took apart, after checking everything.

    Parameters
    ----------
    content : mapping
    files : mapping of str to ndarray
    known : callable
        Returns the segment of this number when it was read, and checked, before.
    encoder : object, optional
        What made the dense vectors, when that was an object of the caller's.

    Raises
    ------
    ModelSchemaError
        When the words were made by another analyzer.
    ModelDamagedError
        When anything is malformed, out of range or missing.

    Examples
    --------
    >>> from matcher.features import TextBlock
    >>> content, files, _ = write_snapshot(Snapshot.empty([TextBlock()]))
    >>> len(read_snapshot(content, files))
    0
    """
    try:
        return _read(content, files, known, encoder)
    except KeyError as error:
        raise ModelDamagedError(f"{error} is missing from the model") from None


def _read(
    content: Mapping[str, Any],
    files: Mapping[str, NDArray[np.generic]],
    known: Callable[[int], Segment | None],
    encoder: object,
) -> Snapshot:
    if content["analyzer"] != analyzer.VERSION or type(content["analyzer"]) is not int:
        raise ModelSchemaError(
            f"the model's words were made by analyzer {content['analyzer']!r:.40}, this version has "
            f"{analyzer.VERSION}"
        )
    features = _read_features(content["blocks"], files, encoder)
    blocks = [fitted.block for fitted in features]
    count = content["segments"]
    if type(count) is not int or not 0 <= count <= MOST_SEGMENTS:
        raise ModelDamagedError(f"manifest.json: {count!r:.40} is no number of segments")
    parts = []
    for number in range(count):
        segment = known(number)
        if segment is None or len(segment.blocks) != len(blocks):
            segment = Segment.from_files(files, f"segment{number}", blocks)
        parts.append(_read_part(segment, features, files, f"segment{number}"))
    _check_dimensions(features)
    if type(content["is_fitted"]) is not bool:
        raise ModelDamagedError("manifest.json: is_fitted must be true or false")
    snapshot = Snapshot(tuple(features), tuple(parts), content["is_fitted"])
    if type(content["postings"]) is not int or content["postings"] != len(snapshot):
        raise ModelDamagedError("manifest.json: the number of postings is wrong")
    if snapshot.is_fitted:
        _check_frequencies(snapshot)
    _check_ids(snapshot)
    _check_nothing_else(snapshot, content, files)
    return snapshot


def _read_features(
    entries: Any, files: Mapping[str, NDArray[np.generic]], encoder: object
) -> list[BlockFeatures]:
    if not isinstance(entries, list):
        raise ModelDamagedError("manifest.json: malformed list of blocks")
    features = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry["settings"], dict):
            raise ModelDamagedError("manifest.json: malformed block")
        block: FeatureBlock = block_from_settings(entry["settings"])
        fitted_on = entry["postings"]
        if type(fitted_on) is not int or not 0 <= fitted_on <= MOST_POSTINGS:
            raise ModelDamagedError(
                f"manifest.json: block {block.name!r} was fitted on {fitted_on!r:.40} postings"
            )
        features.append(BlockFeatures.from_files(files, block, fitted_on, encoder))
    blocks = [fitted.block for fitted in features]
    try:
        in_order = check_blocks(blocks)
    except OptionError as error:
        raise ModelDamagedError(f"manifest.json: {error}") from None
    if blocks != in_order:
        raise ModelDamagedError("manifest.json: the blocks are not in their order")
    return features


def _read_part(
    segment: Segment,
    features: list[BlockFeatures],
    files: Mapping[str, NDArray[np.generic]],
    prefix: str,
) -> Part:
    deleted = files[f"{prefix}.deleted"]
    if deleted.dtype != np.int64 or not _ascend(deleted, segment.rows):
        raise ModelDamagedError(f"{prefix}.deleted: expected rows in ascending order")
    if len(deleted) == segment.rows:
        raise ModelDamagedError(f"{prefix}.deleted: no posting is left")
    places: list[NDArray[Any]] = []
    norms: list[NDArray[Any]] = []
    for counted, fitted in zip(segment.blocks, features, strict=True):
        name = f"{prefix}.{fitted.block.name}"
        if counted.dense is not None:
            # Not stored: bounds on scores hold for true norms alone.
            places.append(np.zeros(0, np.int32))
            norms.append(_invert_norms(counted.dense, fitted))
            continue
        place = files[f"{name}.places"]
        terms = len(counted.vocabulary)
        if (
            place.dtype != np.int32
            or place.shape != (terms,)
            or not _are_places(place, len(fitted.vocabulary))
        ):
            raise ModelDamagedError(f"{name}.places: expected {terms} places in ascending order")
        placed = np.flatnonzero(place >= 0)  # type: ignore[operator]
        if not counted.vocabulary.equals_at(placed, fitted.vocabulary, place[placed]):  # type: ignore[arg-type]
            raise ModelDamagedError(f"{name}.places: terms stand for other terms")
        inverse = check_inverse_norms(files[f"{name}.inverse_norms"], name, segment.rows)
        if not _fit(inverse, counted.counts.by_posting, place):
            raise ModelDamagedError(
                f"{name}.inverse_norms: 0 is for postings without data, and for no others"
            )
        places.append(place)
        norms.append(inverse)
    return Part.from_segment(segment, features, places, deleted, inverse_norms=norms)  # type: ignore[arg-type]


def _invert_norms(dense: DenseVectors, fitted: BlockFeatures) -> NDArray[np.float64]:
    size = dense.vectors.shape[1]
    if fitted.centre is None or len(fitted.centre) != size:
        raise ModelDamagedError(f"{fitted.block.name}.centre: expected {size} numbers, as vectors have")
    return CentredVectors(dense.vectors, fitted.centre).invert_norms()


def _check_dimensions(features: list[BlockFeatures]) -> None:
    """Check that profiles will have as many dimensions as the centre, which has those of the vectors held."""
    for fitted in features:
        if not isinstance(fitted.block, SemanticBlock) or fitted.centre is None:
            continue
        encoder, name, wanted = fitted.block.encoder, fitted.block.name, len(fitted.centre)
        if encoder is not None and encoder.dimensions != wanted:
            kind = OptionError if fitted.block.vectors == "encoder" else ModelDamagedError
            raise kind(
                f"{name}.vectors: the model's vectors have {wanted} dimensions, those of profiles would have "
                f"{encoder.dimensions}"
            )


def _ascend(numbers: NDArray[Any], stop: int) -> bool:
    return bool(
        not len(numbers) or (numbers[0] >= 0 and numbers[-1] < stop and np.all(numbers[1:] > numbers[:-1]))
    )


def _are_places(places: NDArray[Any], stop: int) -> bool:
    return bool(np.all(places >= -1)) and _ascend(places[places >= 0], stop)


def _fit(inverse_norms: NDArray[np.float64], counts: Counts, places: NDArray[Any]) -> bool:
    """Return whether norms are 0 where a posting has no terms that count, and nowhere else."""
    odd = np.flatnonzero((inverse_norms == 0) != (counts.starts[1:] == counts.starts[:-1]))
    entries, _ = gather(counts.starts, odd)  # of few postings: those that have none but missing terms
    return not inverse_norms[odd].any() and bool(np.all(places[counts.columns[entries]] < 0))


def _check_frequencies(snapshot: Snapshot) -> None:
    """Check that what was learned is what the segments hold."""
    for number, fitted in enumerate(snapshot.features):
        total = np.zeros(len(fitted.vocabulary) + 1, np.int64)  # the last one collects what is missing
        for part in snapshot.parts:
            np.add.at(total, part.places[number], part.segment.blocks[number].frequencies(part.deleted))
        if (
            fitted.postings != len(snapshot)
            or not np.array_equal(total[:-1], fitted.document_frequency)
            or total[-1]
        ):
            raise ModelDamagedError(f"{fitted.block.name}: document frequencies differ from the postings")


def _check_ids(snapshot: Snapshot) -> None:
    """Check that no two segments hold a posting of the same id."""
    if len(snapshot.parts) < 2:
        return
    tables = [part.segment.catalogue.ids for part in snapshot.parts]
    # Hashes of all ids at once take less room and time than the ids.
    hashed = [
        np.fromiter(map(hash, table.to_lines()), np.int64, len(table))[part.kept]
        for table, part in zip(tables, snapshot.parts, strict=True)
    ]
    hashes = np.sort(np.concatenate(hashed))
    shared = hashes[1:][hashes[1:] == hashes[:-1]]
    if not len(shared):
        return
    likely = [
        line
        for table, part, own in zip(tables, snapshot.parts, hashed, strict=True)
        for line in table.take(part.kept[np.isin(own, shared)])
    ]
    if len(set(likely)) < len(likely):
        raise ModelDamagedError("postings.ids.txt: two segments hold a posting of the same id")


def _check_nothing_else(
    snapshot: Snapshot, content: Mapping[str, Any], files: Mapping[str, NDArray[np.generic]]
) -> None:
    """Check that there is nothing that `write_snapshot` would not write: nobody would look at it."""
    expected = _take_apart(snapshot, {})
    if odd := sorted(files.keys() - expected.files.keys()):
        raise ModelDamagedError(f"{odd[0]:.80}: no part of a model")
    if odd := sorted((content.keys() | {"note"}) ^ expected.content.keys()):
        raise ModelDamagedError(f"manifest.json: {odd[0]!r:.80} is missing or unknown")
    for name, value in content.items():
        known = expected.content[name]
        if type(value) is not type(known) or (name not in _TOLD and value != known):
            raise ModelDamagedError(f"manifest.json: {name!r} is malformed")
