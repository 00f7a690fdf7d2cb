"""A drift report as one HTML file: no script, nothing from elsewhere, the same in every browser and on paper.

Titles and terms come from postings that anybody may have written: `matcher.pages.markup` escapes all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matcher.drift import Gate
from matcher.drift.report import DriftReport, JudgedDrift, ProbeDrift
from matcher.drift.term_changes import BlockDrift, PostingName, TermChange
from matcher.drift.term_drift import LEAST_G2, LEAST_POSTINGS
from matcher.pages.markup import Markup, cut, join, show, tag
from matcher.pages.page import assemble, figure, fold, pair, section, table
from matcher.pages.plots import Dots, draw_bars, draw_diverging, draw_dots, draw_histogram, number

__all__: Final = ["render_page"]

_PLOTTED: Final = 12
"""Rising and dying terms in a plot, each."""

_AT_ONCE: Final = 2
"""Postings that entered or left a ranking, shown without a click."""

_MOST_ROWS: Final = 100
"""Of a plot or table; what is left out is counted."""


def render_page(
    report: DriftReport,
    *,
    title: str = "What this retraining changed",
    gate: Gate | None = None,
    reasons: Sequence[str] | None = None,
) -> str:
    """Return a report as a page of HTML that needs nothing beside it.

    Parameters
    ----------
    report : DriftReport
    title : str
    gate : Gate, optional
        Then the page says whether the report keeps its bounds, and the plots show them.
    reasons : sequence of str, optional
        Why it was refused, where more than the gate had a say; unless given, the gate is asked.

    Returns
    -------
    str
        To be written as UTF-8. Holds no script and no address that anything is fetched from; readable on a
        telephone, on paper, in dark mode and to a screen reader.

    Raises
    ------
    OptionError
        When the gate asks for what was not measured; see `Gate.check`.

    Examples
    --------
    >>> page = render_page(DriftReport(postings_after=3), title="Jobs <today>")
    >>> page.startswith("<!DOCTYPE html>"), "Jobs &lt;today&gt;" in page
    (True, True)
    """
    return assemble(
        title,
        _verdict(report, gate, reasons),
        _facts(report),
        _postings(report),
        _rankings(report, gate),
        _quality(report, gate),
        *(_block(place, block) for place, block in enumerate(report.blocks)),
        _rejected(report),
        _notes(report),
    )


def _verdict(report: DriftReport, gate: Gate | None, reasons: Sequence[str] | None) -> Markup:
    refusal = "The gate refuses to publish." if reasons is None else "Refused: nothing was published."
    if reasons is None:
        reasons = gate.check(report) if gate is not None else []
    if not reasons and (gate is None or gate == Gate()):
        return Markup("")
    if not reasons:
        return tag("div", tag("p", tag("strong", "The gate lets it pass.")), class_="verdict", role="status")
    said = tag("p", tag("strong", refusal))
    return tag("div", said, *(tag("p", show(r, 400)) for r in reasons), class_="verdict no", role="status")


def _fact(name: str, value: str, note: str = "") -> Markup:
    return tag("div", tag("dt", name), tag("dd", value, tag("small", note) if note else ""))


def _facts(report: DriftReport) -> Markup:
    changes = report.changes
    facts = [
        _fact(
            "Postings",
            f"{report.postings_after:,}",
            f"{report.postings_before:,} before" if report.postings_before else "none before",
        ),
        _fact(
            "Changes",
            f"{sum(map(len, (changes.added, changes.changed, changes.removed))):,}",
            f"{len(changes.added):,} added, {len(changes.changed):,} changed, "
            f"{len(changes.removed):,} removed",
        ),
        _fact("Drift", _or_dash(report.drift), "1 − mean overlap of the probes' rankings"),
        _fact(f"Quality (nDCG@{report.k})", _or_dash(report.quality_after, 3), _was(report.quality_before)),
        _fact("Rejected", f"{report.rejected_count:,}", "postings that could not be read"),
    ]
    return tag("dl", *facts, class_="facts")


def _was(quality: float | None) -> str:
    return "not measured before" if quality is None else f"{number(quality, 3)} before"


def _or_dash(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else number(value, digits)


def _of(shown: int, count: int) -> str:
    return f"all {count:,}" if shown >= count else f"{shown:,} of {count:,}"


def _name(name: PostingName) -> Markup:
    return join([show(name.title or name.id), tag("small", show(name.id))])


def _postings(report: DriftReport) -> Markup:
    changes = report.changes
    counts = {kind: len(ids) for kind, ids in changes._asdict().items()}
    rows = [
        ("added", counts["added"], "up"),
        ("changed", counts["changed"], "even"),
        ("removed", counts["removed"], "down"),
        ("rejected", report.rejected_count, "even"),
    ]
    meaning = {
        "added": "not held before",
        "changed": "same id, other contents",
        "removed": "withdrawn or expired",
        "unchanged": "given again, the same",
        "unknown": "to be updated or removed, but not held",
    }
    listing = table(
        "Postings by what happened to them",
        ("Postings", "Number", "Meaning"),
        [(kind, f"{counts[kind]:,}", meaning[kind]) for kind in meaning],
        numbers=(1,),
    )
    drawn = figure(
        draw_bars("plot-changes", "Postings by what happened to them", rows), "Number of postings."
    )
    lists = [
        fold(
            f"{kind.capitalize()}: {_of(len(report.names[kind]), counts[kind])}",
            tag("ul", *(tag("li", _name(name)) for name in report.names[kind])),
        )
        for kind in ("added", "changed", "removed")
        if report.names.get(kind)
    ]
    return section("Postings", pair(drawn, listing), tag("div", *lists, class_="lists") if lists else "")


def _rankings(report: DriftReport, gate: Gate | None) -> Markup:
    heading = "Recommendations"
    if not report.probes:
        return section(
            heading, tag("p", "No probe CVs were given, so drift was not measured.", class_="muted")
        )

    def strongest_first(probe: ProbeDrift) -> tuple[bool, float, str]:
        return probe.overlap is None, probe.overlap or 0.0, probe.label

    probes = sorted(report.probes, key=strongest_first)
    bound = None if gate is None or gate.max_drift is None else 1.0 - gate.max_drift
    plot = draw_dots(
        "plot-overlap",
        f"Rank-biased overlap of the best {report.k} postings, before and after",
        [Dots(probe.label, None, probe.overlap) for probe in probes[:_MOST_ROWS]],
        axis="overlap",
        mean=report.overlap,
        bound=bound,
    )
    caption = f"Rank-biased overlap of the best {report.k}: 1 means the same postings in the same order."
    if bound is not None:
        caption += " The mean must not lie in the shaded part."
    listing = table(
        f"Probe CVs, most changed first: {_of(min(_MOST_ROWS, len(probes)), len(probes))}",
        ("CV", "Overlap", "Entered (+) and left (−)"),
        [(show(probe.label), _or_dash(probe.overlap), _moves(probe)) for probe in probes[:_MOST_ROWS]],
        numbers=(1,),
    )
    if report.overlap is None:
        reason = (
            "No probe CV finds a posting." if report.postings_before else "There were no postings before."
        )
        return section(
            heading, tag("p", f"{reason} There is nothing to compare with.", class_="muted"), listing
        )
    return section(heading, pair(figure(plot, caption), listing))


def _moves(probe: ProbeDrift) -> Markup:
    moves = [
        [tag("li", f"{sign} ", show(name.title or name.id, 80)) for name in names]
        for sign, names in (("+", probe.entered), ("−", probe.left))
    ]
    first = [item for items in moves for item in items[:_AT_ONCE]]
    rest = [item for items in moves for item in items[_AT_ONCE:]]
    if not first:
        return tag("span", "–", class_="muted")
    return join([tag("ul", *first), fold(f"{len(rest):,} more", tag("ul", *rest)) if rest else ""])


def _quality(report: DriftReport, gate: Gate | None) -> Markup:
    heading = "Quality on judged CVs"
    if not report.judged:
        return section(
            heading, tag("p", "No judged CVs were given, so quality was not measured.", class_="muted")
        )

    def largest_loss_first(judged: JudgedDrift) -> tuple[bool, float, str]:
        if judged.after is None:
            return True, 0.0, judged.label
        return False, judged.after - (judged.after if judged.before is None else judged.before), judged.label

    listed = sorted(report.judged, key=largest_loss_first)
    title = f"nDCG@{report.k} of each judged CV, before (ring) and after (dot)"
    plot = draw_dots(
        "plot-quality",
        title,
        [Dots(judged.label, judged.before, judged.after) for judged in listed[:_MOST_ROWS]],
        axis=f"nDCG@{report.k}",
        mean=report.quality_after,
        bound=None if gate is None else gate.min_quality,
        paired=True,
    )
    listing = table(
        f"Judged CVs, largest loss first: {_of(min(_MOST_ROWS, len(listed)), len(listed))}",
        ("CV", "Before", "After", "Change"),
        [
            (
                show(judged.label),
                _or_dash(judged.before, 3),
                _or_dash(judged.after, 3),
                "–"
                if judged.before is None or judged.after is None
                else number(judged.after - judged.before, 3, sign=True),
            )
            for judged in listed[:_MOST_ROWS]
        ],
        numbers=(1, 2, 3),
    )
    caption = f"{title}. Judged postings that are no longer held are left out of account."
    return section(heading, pair(figure(plot, caption), listing))


def _block(place: int, block: BlockDrift) -> Markup:
    vocabulary = (
        f"{block.vocabulary_before:,} terms in {block.postings_before:,} postings before, "
        f"{block.vocabulary_after:,} in {block.postings_after:,} now: {block.new_count:,} new, "
        f"{block.gone_count:,} gone, {block.rising_count:,} rising, {block.dying_count:,} dying."
    )
    return section(
        f"Terms of the block “{cut(block.name, 40)}”",
        tag("p", vocabulary),
        _rising_and_dying(place, block),
        _new_and_gone(block),
        _weights(place, block),
    )


def _share(count: int, postings: int) -> Markup:
    share = f"{100 * count / postings:.2f} %" if postings else "–"
    return join([share, tag("small", f"{count:,}")])


def _term(change: TermChange) -> Markup:
    # Evidence may repeat a title: adverts of one company often share theirs.
    titles = dict.fromkeys(name.title or name.id for name in change.evidence)
    evidence = tag("small", join([show(title, 70) for title in titles], " · ")) if titles else ""
    return join([show(change.term, 80), evidence])


def _rising_and_dying(place: int, block: BlockDrift) -> Markup:
    heading = tag("h3", "Rising and dying")
    changes = [*block.rising, *block.dying]
    if not changes:
        known = block.postings_before and block.postings_after
        said = (
            "No term's share of the postings changed much." if known else "There is nothing to compare with."
        )
        return join([heading, tag("p", said, class_="muted")])
    plotted = [*block.rising[:_PLOTTED], *reversed(block.dying[:_PLOTTED])]
    plot = draw_diverging(
        f"plot-terms-{place}",
        f"G2 of rising and dying terms of {cut(block.name, 40)}",
        [(c.term, c.g2) for c in plotted],
    )
    caption = "G2 of the change, to the right for rising terms, to the left for dying ones."
    if len(plotted) < block.rising_count + block.dying_count:
        caption += f" The strongest {_PLOTTED} of each at most."
    listing = table(
        f"Rising ({_of(len(block.rising), block.rising_count)}) and dying "
        f"({_of(len(block.dying), block.dying_count)}), with postings that hold them",
        ("Term", "Before", "Now", "G2"),
        [
            (
                _term(change),
                _share(change.before, block.postings_before),
                _share(change.after, block.postings_after),
                number(change.g2, 1, sign=True),
            )
            for change in changes
        ],
        numbers=(1, 2, 3),
    )
    return join([heading, pair(figure(plot, caption), listing)])


def _new_and_gone(block: BlockDrift) -> Markup:
    if not block.new and not block.gone:
        return join([tag("h3", "New and gone"), tag("p", "No term came or went.", class_="muted")])
    tables = [
        table(
            f"{kind}: {_of(len(changes), count)}",
            (
                "Term, with postings that hold it" if kind == "New" else "Term, with postings that held it",
                "Postings",
            ),
            [(_term(change), f"{max(change.before, change.after):,}") for change in changes],
            numbers=(1,),
        )
        for kind, changes, count in (
            ("New", block.new, block.new_count),
            ("Gone", block.gone, block.gone_count),
        )
        if changes
    ]
    return join([tag("h3", "New and gone"), tag("div", *tables, class_="lists")])


def _weights(place: int, block: BlockDrift) -> Markup:
    heading, idf = tag("h3", "Shift of weights (idf)"), block.idf
    if not idf.terms or idf.mean is None or idf.mean_absolute is None:
        return join([heading, tag("p", "No term was there both before and now.", class_="muted")])
    if not idf.largest:
        return join([heading, tag("p", f"None of {idf.terms:,} weights changed.", class_="muted")])
    plot = draw_histogram(
        f"plot-weights-{place}",
        f"Shift of the weights of {cut(block.name, 40)}",
        idf.edges,
        idf.counts,
        axis="weight now − weight before (right of 0: rarer now)",
        unit="terms",
    )
    caption = (
        f"Shifts of {idf.terms:,} weights; mean {number(idf.mean, 4, sign=True)}, mean "
        f"size {number(idf.mean_absolute, 4)}. Heights grow with the square root of the number of terms; the "
        "outer bars also hold what lies beyond."
    )
    listing = table(
        "Largest shifts of weights",
        ("Term", "Before", "Now", "Shift"),
        [
            (
                show(entry.term, 80),
                number(entry.before, 3),
                number(entry.after, 3),
                number(entry.shift, 3, sign=True),
            )
            for entry in idf.largest
        ],
        numbers=(1, 2, 3),
    )
    return join([heading, pair(figure(plot, caption), listing)])


def _rejected(report: DriftReport) -> Markup:
    if not report.rejected_count:
        return section("Rejected", tag("p", "Every posting could be read.", class_="muted"))
    listed = report.rejected[:_MOST_ROWS]
    listing = table(
        f"Postings that could not be read: {_of(len(listed), report.rejected_count)}",
        ("File", "Line", "Reason"),
        [(show(entry.path, 200), f"{entry.line}", show(entry.reason, 300)) for entry in listed],
        numbers=(1,),
    )
    return section("Rejected", listing)


def _notes(report: DriftReport) -> Markup:
    notes = [
        "Overlap is the rank-biased overlap (Webber, Moffat, Zobel 2010, p = 0.9) of the best "
        f"{report.k} postings of a CV; drift is 1 minus its mean. Postings that share nothing with the CV do "
        "not count.",
        "G2 is the log-likelihood ratio (Dunning 1993) of a term's share of the postings, below 0 where it "
        f"fell. Terms are listed as rising or dying from {LEAST_G2} on (p < 0.001 for a single term and "
        f"independent samples) and in {LEAST_POSTINGS} postings or more. Most postings are in both samples "
        "and many terms are compared: read it as strength, not as proof.",
        f"nDCG@{report.k} counts gains 2^grade − 1, discounted by log2(rank + 1), against the best ranking "
        "of the judged postings that are held.",
        "CVs appear by their labels only. Nothing of their text is in this page.",
    ]
    return section("How to read this", *(tag("p", note) for note in notes))
