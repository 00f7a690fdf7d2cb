"""Hostile and careless files of every format but Markdown: each is kept, repaired or rejected by its line."""

import gzip
import json
import zlib
from pathlib import Path

import pytest

from matcher import SourceError, read_postings

CASES = json.loads((Path(__file__).parent / "cases" / "sources.json").read_text(encoding="utf-8"))


def pack(data, how):
    """Compress as real exports are, or as they arrive."""
    if how == "whole":
        maker = zlib.compressobj(6, wbits=31)
        pieces = [maker.compress(data[start : start + (1 << 22)]) for start in range(0, len(data), 1 << 22)]
        return b"".join([*pieces, maker.flush()])
    packed = gzip.compress(data)
    if how == "twice":
        return packed + packed
    if how == "padded":
        return packed + b"\0" * 1_000
    if how == "cut":
        return packed[:-6]
    assert how == "damaged"
    return packed[:15] + b"\xff\xff\xff" + packed[18:]


def content(case):
    pieces = (piece if isinstance(piece, str) else piece[0] * piece[1] for piece in case["pieces"])
    data = "".join(pieces).encode(case.get("encoding", "utf-8"))
    for how in case.get("gzip", ()):
        data = pack(data, how)
    return data


def check(case, postings, report):
    if case["titles"] is not None:
        assert [posting.title for posting in postings] == case["titles"]
    if case["rejected"] is not None:
        assert [rejected.line for rejected in report.rejected] == case["rejected"], report.rejected
    reasons = " | ".join(rejected.reason for rejected in report.rejected)
    assert case["reason"] in reasons
    assert len(reasons) < 3_000 * max(1, len(report.rejected))
    assert report.changed_count == case["changed"], report.changes
    assert postings or report.rejected or case["rejected"] == [], "lost silently"


@pytest.mark.parametrize("case", CASES, ids=[case["label"] for case in CASES])
def test_each_file_has_its_wanted_outcome(case, tmp_path):
    path = tmp_path / case["file"]
    path.write_bytes(content(case))
    if case.get("ignored"):
        reader = read_postings(tmp_path)
        assert list(reader) == []
        assert reader.report.rejected == []
        assert reader.report.ignored.total() == 1
        if case["titles"] is None:
            with pytest.raises(SourceError, match="not a known format"):
                read_postings(path)
            return
    reader = read_postings(path)
    check(case, list(reader), reader.report)
    if not case.get("ignored") and case.get("folder", True):
        reader = read_postings(tmp_path)
        check(case, list(reader), reader.report)


def test_labels_are_unique():
    labels = [case["label"] for case in CASES]
    assert len(set(labels)) == len(labels)
    assert {case["family"] for case in CASES} == {"synthetic", "wild", "negative"}
