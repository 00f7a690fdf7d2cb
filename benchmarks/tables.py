"""Results as Markdown, and their place in a document.

    python benchmarks/tables.py RESULTS.json docs/performance.md       writes a section again

A section lies between ``<!-- 10000 begin -->`` and ``<!-- 10000 end -->``; what is outside stays as it is.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FAST, BASE = "matcher [fast]", "matcher base"
SCAN = "scan alone"
BUILDER_TITLES = {"matcher": "matcher, the whole fit", "tantivy": "tantivy, one thread"}
RECORDS = "postings"
"""What the names of arrays and files start with that keep the postings themselves."""

Results = Mapping[str, Any]


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table, first column to the left, the others to the right."""
    lines = [headings, ["---", *("---:" for _ in headings[1:])], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def title(name: str, label: str) -> str:
    return f"{name}, {label}" if label else name


def times_faster(seconds: float, reference: float | None) -> str:
    return "" if not reference else f"{seconds / reference:.1f}x"


def one_table(results: Results) -> str:
    """One CV: medians and p99 of interleaved calls, and ratios of medians."""
    times = {
        (name, label): np.array(values)
        for name, calls in results["one"].items()
        for label, values in calls.items()
    }
    medians = {key: float(np.median(values)) for key, values in times.items()}
    fast, base = medians.get((FAST, "")), medians.get((BASE, ""))
    ours = [key for key in times if key[0] in (FAST, BASE) and key[1] != SCAN]
    peers = [key for key in times if key[0] not in (FAST, BASE)]
    scans = [key for key in times if key[1] == SCAN]
    rows = [
        [
            title(*key),
            f"{medians[key] * 1e3:.2f}",
            f"{np.percentile(times[key], 99) * 1e3:.2f}",
            times_faster(medians[key], fast),
            times_faster(medians[key], base),
        ]
        for key in sorted(ours, key=lambda key: key[1] != "") + peers + scans
    ]
    count = max((len(values) for values in times.values()), default=0)
    heading = f"one CV (of {count}), text in, ten ids out"
    return table([heading, "median ms", "p99 ms", "[fast] is faster by", "base is faster by"], rows)


def batch_table(results: Results) -> str:
    """Batches, each system in the quickest of its ways."""
    two_threads = [
        row["seconds"] / row["cvs"]
        for row in results["batch"]
        if (row["name"], row["label"]) == (FAST, "2 threads")
    ]
    rows = [
        [
            title(row["name"], row["label"] or row["way"]),
            f"{row['cvs']:,}",
            f"{row['seconds']:.2f}",
            f"{row['cpu']:.2f}",
            f"{row['cvs'] / row['seconds']:,.0f}",
            times_faster(row["seconds"] / row["cvs"], two_threads[0] if two_threads else None),
            f"{row['same']} of {row['compared']}",
        ]
        for row in results["batch"]
    ]
    headings = ["a batch", "CVs", "seconds", "CPU seconds", "CVs a second"]
    return table([*headings, "[fast] with 2 threads is faster by", "same ids as one by one"], rows)


def indexing_table(results: Results) -> str:
    """Indexing: texts in memory to a searchable index."""
    medians = {
        name: [float(np.median([turn[unit] for turn in entry["rounds"]])) for unit in ("seconds", "cpu")]
        for name, entry in results["indexing"].items()
    }
    whole, words = (medians.get(name, [None])[0] for name in ("matcher", "matcher, words alone, 2 threads"))
    peaks = {name: entry["about"].get("peak") for name, entry in results["indexing"].items()}
    rows = [
        [
            BUILDER_TITLES.get(name, name),
            f"{seconds:.2f}",
            f"{cpu:.2f}",
            f"{results['postings'] / seconds:,.0f}",
            times_faster(seconds, whole),
            times_faster(seconds, words),
            f"{peaks[name] / 1e6:,.0f}" if peaks[name] else "",
        ]
        for name, (seconds, cpu) in medians.items()
    ]
    headings = ["indexing, texts in memory", "seconds", "CPU seconds", "postings a second"]
    headings += ["the whole fit is faster by", "words alone, 2 threads, are faster by"]
    return table([*headings, "peak MB with the texts"], rows)


def cold_table(results: Results) -> str:
    """Fresh processes."""
    medians = {name: np.median(times, axis=0).tolist() for name, times in results["cold"].items()}
    verified = medians.get("matcher, verified", [None])[0]
    rows = [
        [name, f"{seconds:.2f}", f"{cpu:.2f}", times_faster(seconds, verified)]
        for name, (seconds, cpu) in medians.items()
    ]
    heading = "process start to ten recommendations, index on disk"
    return table([heading, "seconds", "CPU seconds", "matcher, verified, is faster by"], rows)


def memory_table(results: Results) -> str:
    """Memory of each process after ranking the CVs one by one, and what of it is the index."""
    postings = results["postings"]

    def each(size: int | None) -> str:
        return "" if size is None else f"{size / postings:,.0f}"

    rows = []
    for name, memory in results["memory"].items():
        used = memory["ranking"]
        private, mapped = _array_bytes(memory["arrays"])
        resident = sum(size for file, size in memory["files"].items() if not file.startswith(RECORDS))
        rows.append(
            [
                name,
                *(f"{used[key] / 1e6:,.0f}" if key in used else "" for key in ("VmRSS", "RssAnon")),
                each(private),
                each(mapped if memory["arrays"] else memory["disk"]),
                each(resident),
                each((private or 0) + resident),
            ]
        )
    headings = [
        "memory while ranking",
        "resident MB",
        "of it anonymous MB",
        "index bytes a posting: in memory",
    ]
    return table([*headings, "in mapped files", "of these resident", "index resident"], rows)


def _array_bytes(arrays: Mapping[str, Mapping[str, Any]]) -> tuple[int | None, int]:
    """Return the bytes of the index's anonymous arrays (None when unknown) and of its mapped ones."""
    private = mapped = 0
    for name, entry in arrays.items():
        if entry["mapped"] and not name.startswith(RECORDS):
            mapped += entry["bytes"]
        elif not entry["mapped"]:
            private += entry["bytes"]
    return private if arrays else None, mapped


def ways_text(results: Results) -> str:
    """Which way of each peer was the quickest for one CV, and what the others took."""
    parts = []
    for name, calls in results["ways"].items():
        for ways in calls.values():
            ordered = sorted(ways.items(), key=lambda entry: entry[1])
            parts.append(f"{name}: " + ", ".join(f"{way} {seconds * 1e3:.2f} ms" for way, seconds in ordered))
    return "Ways tried for one CV, the quickest first and measured above: " + "; ".join(parts) + "."


def notes_text(results: Results) -> str:
    """What was left out, cut short or done otherwise at this size."""
    notes = [f"{name} ({reason})" for name, reason in results["left_out"].items()]
    notes += [
        f"{row['name']} in a batch of more than {row['cvs']:,} CVs"
        for row in results["batch"]
        if row["cvs"] < results["batch_size"]
    ]
    indexed = [len(entry["rounds"]) for entry in results["indexing"].values()]
    turns = (
        "taking turns, medians of 3" if max(indexed, default=1) > 1 else "one system after the other, once"
    )
    return f"Indexing ran {turns}. Not measured: {'; '.join(notes) or 'nothing was left out'}."


def section(results: Results) -> str:
    """Return everything about one size."""
    about = results["corpus"]
    source = "" if about["seeds"] else " --source FOLDER"
    lines = [
        f"## {results['postings']:,} postings",
        f"`python benchmarks/speed.py {results['postings']}{source} --write docs/performance.md`. "
        f"{results['machine']}. Postings of {about['words']:.0f} words, CVs of {about['cv_terms']:.0f} "
        f"distinct terms, recombined from {about['documents']:,} documents; {about['terms']:,} terms in the "
        f"index. Compared first: {results['agreement']}.",
        one_table(results),
        ways_text(results) if results["ways"] else "",
        batch_table(results) if results["batch"] else "",
        indexing_table(results),
        cold_table(results),
        memory_table(results),
        notes_text(results),
    ]
    return "\n\n".join(line for line in lines if line)


def write_section(path: Path, postings: int, text: str) -> None:
    """Put a section between its markers; a new one takes its place among them by size."""
    document = path.read_text(encoding="utf-8")
    begin, end = f"<!-- {postings} begin -->", f"<!-- {postings} end -->"
    block = f"{begin}\n{text}\n{end}"
    if begin in document:
        before, rest = document.split(begin, 1)
        document = before + block + rest.split(end, 1)[1]
    else:
        markers = list(re.finditer(r"<!-- (\d+) (begin|end) -->", document))
        smaller = [marker.end() for marker in markers if marker[2] == "end" and int(marker[1]) < postings]
        larger = [marker.start() for marker in markers if marker[2] == "begin" and int(marker[1]) > postings]
        place = max(smaller, default=min(larger, default=len(document)))
        before, after = document[:place].rstrip(), document[place:].lstrip()
        document = f"{before}\n\n{block}\n\n{after}".rstrip() + "\n"
    path.write_text(document, encoding="utf-8")


def main() -> None:
    """Write the section of results that were kept."""
    results = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    write_section(Path(sys.argv[2]), results["postings"], section(results))


if __name__ == "__main__":
    main()
