"""A week in the life of a job board: postings arrive, are edited and expire, and the model keeps up.

    python examples/retrain.py                       in a temporary folder
    python examples/retrain.py --model models/board  where you say

Each day is one call of `retrain`, which is what `matcher retrain` does. A service that was opened on the
first day follows without a restart.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from textwrap import shorten

from matcher import Matcher, MatcherError, Posting, read_cv, read_postings
from matcher.drift import Gate
from matcher.generation_report import render_generations
from matcher.pages.drift_page import render_page
from matcher.retraining import Retraining, retrain
from matcher.store.generations import history, rollback
from matcher.terminal import make_console

ROOT = Path(__file__).parent.parent
CVS = ROOT / "examples" / "cvs"
PROBES = {path.name: read_cv(path) for path in sorted(CVS.glob("*-*.*"))}
CV = PROBES["chef-tomasz.md"]
GATE = Gate(max_drift=0.15)  # recommendations may change so much in a day
WEEK = [  # the day, the date of the newest posting to arrive, and from which date on postings stay
    ("Monday", "2026-10-08", "2026-03-09"),
    ("Tuesday", "2026-10-15", "2026-03-16"),
    ("Wednesday", "2026-10-21", "2026-03-24"),
    ("Thursday", "2026-10-28", "2026-04-01"),
    ("Friday", "2026-11-04", "2026-04-09"),
    ("Saturday", "2026-11-11", "2026-04-17"),
]


def dated(posting: Posting, after: str, until: str) -> bool:
    """Whether a posting is dated after one day and until another."""
    return posting.posted is not None and after < posting.posted.date().isoformat() <= until


def short(title: str) -> str:
    """Return the first words of a title."""
    return shorten(title, 34, placeholder=" ...")


def tell(day: str, result: Retraining, folder: Path) -> None:
    """Print a day's news, and what they did to recommendations; write its report as a page."""
    report, changes = result.report, result.changes
    outcome = f"generation {result.generation}" if result.generation else "REFUSED"
    counts = f"{len(changes.added)} new, {len(changes.changed)} edited, {len(changes.removed)} gone"
    print(f"\n{day}: {outcome}, {report.postings_before} -> {report.postings_after} postings: {counts}")
    if report.drift is not None:
        probes = [probe for probe in report.probes if probe.overlap is not None]
        lowest = min(probes, key=lambda probe: (probe.overlap, probe.label))
        moves = [f"+ {short(name.title)}" for name in lowest.entered[:1]]
        moves += [f"- {short(name.title)}" for name in lowest.left[:1]]
        print(f"  drift {report.drift:.3f}, most for {lowest.label}: {', '.join(moves) or 'order only'}")
    for reason in result.refused:
        print(f"  {reason}")
    page = render_page(report, title=f"{day}: {outcome}", gate=GATE, reasons=result.refused)
    (folder / f"{day.lower().replace(',', '').replace(' ', '-')}.html").write_text(page, encoding="utf-8")


def serve(service: Matcher) -> None:
    """Do what a request to a running service does: follow the model, then recommend."""
    service.reload_if_changed()  # cheap enough for every request
    print("  the service:", " | ".join(short(hit.posting.title) for hit in service.recommend(CV, k=3)))


def live(model: Path, folder: Path) -> None:
    """Live through the week."""
    everything = list(read_postings(ROOT / "seeds"))
    opening = [posting for posting in everything if dated(posting, "2026-03-01", "2026-09-30")]
    tell("Opening day", retrain(model, opening, probes=PROBES, gate=GATE), folder)
    service = Matcher.open(model)  # stays open, as in a running program
    serve(service)
    before = "2026-09-30"
    for number, (day, newest, oldest) in enumerate(WEEK):
        if day == "Thursday":
            broken = [replace(posting, summary="", body="") for posting in service.postings]
            tell(
                "Thursday, an export without texts", retrain(model, broken, probes=PROBES, gate=GATE), folder
            )
            serve(service)
        arrived = [posting for posting in everything if dated(posting, before, newest)]
        edited = [
            replace(posting, body=f"{posting.body}\n\nNow with {30 + number} days of holiday.")
            for posting in list(service.postings)[number::40]
        ]
        news = arrived + edited
        tell(day, retrain(model, news, expire_before=oldest, probes=PROBES, gate=GATE), folder)
        serve(service)
        before = newest
    chefs = [posting.id for posting in service.postings if "chef" in posting.title.casefold()]
    tell("Sunday, a mistake without a gate", retrain(model, [], remove=chefs, probes=PROBES), folder)
    serve(service)
    print(f"  rolled back to generation {rollback(model)}")
    serve(service)
    print()
    make_console().print(render_generations(history(model)))


def main() -> None:
    """Choose a folder, and live through the week there."""
    parser = argparse.ArgumentParser(description="A week in the life of a job board.")
    parser.add_argument("--model", type=Path, help="a new model directory (default: in a temporary folder)")
    model = parser.parse_args().model or Path(tempfile.mkdtemp(prefix="matcher-")) / "board"
    if model.exists():
        sys.exit(f"Sorry: {model} exists; the week begins with a new model")
    folder = model.with_name(f"{model.name}-reports")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        live(model, folder)
    except (MatcherError, OSError) as error:
        sys.exit(f"Sorry: {error}")
    print(f"Every retraining left a report in {folder}")


if __name__ == "__main__":
    main()
