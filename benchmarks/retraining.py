"""Retraining: postings taken into a model and published, beside what scikit-learn offers.

    python benchmarks/retraining.py 100000                             sentences from seeds/
    python benchmarks/retraining.py 100000 --source FOLDER --write docs/retraining.md

A model of so many postings is trained, saved, and opened again as a service would. Then, round by round,
every system is given the same new postings in memory, publishes what it learned from all of them, synced to
disk, and keeps running. First come rounds of new postings alone, then rounds with replaced and removed ones
among them. Systems take turns in another order every round, each in a process of its own, and the clock runs
there (see `retrainers.py`). A first round warms up and is not counted.

Before the timing, and again after the last round, what ours recommends is compared: from memory and as loaded
from disk, both engines, ids and every bit of the scores, with a `Matcher.fit` of the same postings from
scratch; scikit-learn's ways are compared with its refit.
"""

import argparse
import json
import math
import multiprocessing
import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import retrainers
from corpus import SEEDS, read_about, write_corpus
from memory import folder_size
from retrainers import BASE, BASE_WHOLE, COUNTS, FAST, FAST_WHOLE, FRESH, HASHED, REFIT, TUNED, Stream
from speed import check_agreement, describe_machine, end, report
from tables import table, write_section
from team import Team

SCRIPT = Path(retrainers.__file__)
CVS = 20
"""CVs whose rankings are compared."""

LONG_RUNNING = [FAST, BASE, FAST_WHOLE, BASE_WHOLE, REFIT, TUNED, COUNTS, HASHED]
SYSTEMS = [*LONG_RUNNING, *FRESH]
NEW, MIXED = "new postings", "new, replaced and removed postings"
Results = Mapping[str, Any]


def make_model(corpus: Path, postings: int, size: int, folder: Path) -> None:
    """Train the first model."""
    from matcher import Matcher, Posting
    from matcher.features import HashtagBlock, TextBlock

    # Words and hashtags, which is what the others can learn.
    records = Stream(corpus, postings, size).start()
    held = (Posting.from_record(record) for record in records)
    Matcher.fit(held, blocks=[TextBlock(0.7), HashtagBlock(0.3)], threads=2).save(folder)


def find_corpus(arguments: argparse.Namespace, folder: Path) -> Path:
    """Return the corpus: one that is there already, or a new one."""
    path = arguments.corpus or folder / "corpus.jsonl"
    needed = arguments.postings + arguments.new * (1 + 2 * arguments.rounds)
    if not path.exists():
        report(f"generating {needed:,} postings")
        write_corpus(path, arguments.source, needed, CVS)
    about = read_about(path)
    if about["postings"] < needed or about["cvs"] < CVS:
        raise SystemExit(
            f"{path}: has {about['postings']:,} postings, {needed:,} are needed; take another file"
        )
    return path


class Rounds:
    """Systems running beside each other, and what each round of theirs took."""

    def __init__(self, arguments: argparse.Namespace, corpus: Path, folder: Path, team: Team) -> None:
        self.arguments, self.corpus, self.folder, self.team = arguments, corpus, folder, team
        self.past: list[bool] = []
        self.load: list[float] = []
        self.order = np.random.default_rng(0)
        self.started: dict[str, Any] = {}

    def _start(self, name: str, folder: str, **options: Any) -> dict[str, Any] | None:
        self.team.hire(name)
        size = {"postings": self.arguments.postings, "size": self.arguments.new}
        where = {"corpus": str(self.corpus), "folder": str(self.folder / folder)}
        return self.team.ask(name, "start", **size, **where, past=self.past, **options)

    def start(self, model: Path) -> None:
        """Start everybody; ours open copies of the model."""
        for number, name in enumerate(SYSTEMS):
            if name not in self.arguments.systems:
                self.team.left_out[name] = "not asked for"
                continue
            copy = self.folder / str(number)
            copy.mkdir()
            if name in (FAST, BASE, *FRESH):
                shutil.copytree(model, copy, dirs_exist_ok=True)
            if name not in FRESH:
                report(f"starting: {name}")
                self.started[name] = self._start(name, str(number))

    def run(self, *, mixed: bool) -> dict[str, Any]:
        """Let everybody take in and publish the next round."""
        names = [name for name in SYSTEMS if name not in self.team.left_out]
        answers = {}
        for place in self.order.permutation(len(names)):
            name = names[place]
            answers[name] = self._run_fresh(name, mixed) if name in FRESH else self._run(name, mixed)
            if answers[name]:
                report(f"{name}: {answers[name]['seconds']:.3f} s")
        self.past.append(mixed)
        self.load.append(os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan)
        return {name: answers[name] for name in names if answers[name]}

    def _run(self, name: str, mixed: bool) -> dict[str, Any] | None:
        return self.team.ask(name, "retrain", mixed=mixed)

    def _run_fresh(self, name: str, mixed: bool) -> dict[str, Any] | None:
        """Hire somebody for one round."""
        number = len(LONG_RUNNING) + list(FRESH).index(name)
        opened = self._start(name, str(number))
        answer = self._run(name, mixed) if opened else None
        if answer is None:
            return None
        self.team.dismiss(name)
        answer["steps"] = {"open": opened["seconds"]} | answer["steps"]
        answer["seconds"] += opened["seconds"]
        answer["cpu"] += opened["cpu"]
        return answer

    def compare(self) -> str:
        """Return what agrees; end here when rankings of ours do not agree to the last bit."""
        report("comparing rankings")
        found = {
            (name, loaded): answer["rankings"]
            for name in LONG_RUNNING
            for loaded in ((False, True) if name in (FAST, BASE) else (False,))
            if (answer := self.team.ask(name, "rank", cvs=CVS, loaded=loaded))
        }
        anew = [found[key] for key in ((FAST_WHOLE, False), (BASE_WHOLE, False)) if key in found]
        taken_in = {key: found[key] for key in found if key[0] in (FAST, BASE)}
        if not anew or not taken_in or any(ranking != anew[0] for ranking in [*anew, *taken_in.values()]):
            raise SystemExit(
                "what was taken in is not ranked as after a fit from scratch: nothing is written"
            )
        return (
            f"{CVS} CVs, {' and '.join(dict.fromkeys(name for name, _ in taken_in))}: the same "
            + ("ids and bits of scores as after a fit from scratch, in memory and loaded from disk; ")
            + "; ".join(
                f"{name} against its refit: {_likeness(found[name, False], found[REFIT, False])}"
                for name in (TUNED, COUNTS, HASHED)
                if (name, False) in found and (REFIT, False) in found
            )
        )


def _likeness(rankings: Any, reference: Any) -> str:
    """Return how many rankings have the same ids, and how far scores at the same rank are apart."""
    same = sum([i for i, _ in a] == [i for i, _ in b] for a, b in zip(rankings, reference, strict=True))
    gaps = [
        abs(float.fromhex(x) - float.fromhex(y))
        for a, b in zip(rankings, reference, strict=True)
        for (_, x), (_, y) in zip(a, b, strict=True)
    ]
    return f"{same} of {len(rankings)} with the same ids, scores within {max(gaps):.0e}"


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all results."""
    corpus = find_corpus(arguments, folder)
    report("comparing with scikit-learn")
    agreement = check_agreement(corpus)
    report("training the first model")
    model = folder / "model"
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(make_model, corpus, arguments.postings, arguments.new, model).result()
    full = folder_size(model)
    with Team("retrain", report, SCRIPT) as team:
        rounds = Rounds(arguments, corpus, folder, team)
        rounds.start(model)
        report("warming up")
        cold = rounds.run(mixed=False)
        before = rounds.compare()
        times: dict[str, list[Any]] = {NEW: [], MIXED: []}
        for scenario, taken in times.items():
            for number in range(arguments.rounds):
                report(f"{scenario}: round {number + 1} of {arguments.rounds}")
                taken.append(rounds.run(mixed=scenario == MIXED))
        after = rounds.compare()
        return {
            "postings": arguments.postings,
            "new": arguments.new,
            "rounds": arguments.rounds,
            "corpus": read_about(corpus),
            "machine": describe_machine(),
            "agreement": agreement,
            "compared": [before, after],
            "model_bytes": full,
            "cold": cold,
            "times": times,
            "load": rounds.load,
            "left_out": team.left_out,
        }


def scenario_table(scenario: str, rounds: Sequence[Mapping[str, Any]]) -> str:
    """Medians of a scenario, with ratios of medians and what each step takes."""
    names = [name for name in SYSTEMS if any(name in one for one in rounds)]
    taken = {name: [one[name] for one in rounds if name in one] for name in names}
    medians = {name: float(np.median([one["seconds"] for one in taken[name]])) for name in names}

    def middle(name: str, key: str) -> float:
        return float(np.median([one[key] for one in taken[name]]))

    rows = []
    for name in names:
        steps = {
            step: np.median([one["steps"].get(step, 0.0) for one in taken[name]])
            for step in taken[name][0]["steps"]
        }
        rows.append(
            [
                name,
                f"{medians[name]:.3f}",
                f"{min(one['seconds'] for one in taken[name]):.3f}",
                f"{max(one['seconds'] for one in taken[name]):.3f}",
                f"{middle(name, 'cpu'):.3f}",
                *(f"{medians[name] / medians[own]:.1f}x" if own in medians else "" for own in (FAST, BASE)),
                f"{middle(name, 'written') / 1e6:,.1f}",
                f"{middle(name, 'first') * 1e3:.0f}",
                ", ".join(f"{step} {value * 1e3:,.0f}" for step, value in steps.items()),
            ]
        )
    headings = [f"{scenario}, published", "median s", "least", "most", "CPU s"]
    headings += ["[fast] is faster by", "base is faster by", "MB written", "first CV after, ms", "steps, ms"]
    return table(headings, rows)


def wanted_table(results: Results) -> str:
    """The figures wanted, and those reached."""
    rows = [
        [
            f"{scenario}, {name}",
            f"{wanted}x",
            *(_ratios(rounds, name, peer) for peer in (REFIT, TUNED, COUNTS, HASHED)),
        ]
        for scenario, rounds in results["times"].items()
        for name, wanted in ((FAST, 100), (BASE, 20))
    ]
    headings = ["faster by: ratio of medians (in the worst round; of CPU time)", "wanted against a refit"]
    return table([*headings, *(f"against {peer}" for peer in (REFIT, TUNED, COUNTS, HASHED))], rows)


def _ratios(rounds: Sequence[Mapping[str, Any]], name: str, peer: str) -> str:
    both = [(one[peer], one[name]) for one in rounds if peer in one and name in one]
    if not both:
        return "not measured"
    seconds, cpu = (np.array([[one[key] for one in pair] for pair in both]) for key in ("seconds", "cpu"))
    medians = np.median(seconds, axis=0), np.median(cpu, axis=0)
    wall, used = (theirs / ours for theirs, ours in medians)
    return f"{wall:.1f}x ({(seconds[:, 0] / seconds[:, 1]).min():.1f}x; {used:.1f}x)"


def section(results: Results) -> str:
    """Return everything about one size."""
    options = f" --new {results['new']} --rounds {results['rounds']}"
    options += "" if results["corpus"]["seeds"] else " --source FOLDER"
    busy = f"load average {min(results['load']):.1f} to {max(results['load']):.1f}"
    cold = "; ".join(f"{name} {one['seconds']:.3f} s" for name, one in results["cold"].items())
    without = [f"{name} ({reason})" for name, reason in results["left_out"].items()]
    return "\n\n".join(
        [
            f"## {results['new']:,} postings into {results['postings']:,}",
            f"`python benchmarks/retraining.py {results['postings']}{options} --write docs/retraining.md`. "
            f"{results['machine']}. Medians of {results['rounds']} rounds, taking turns; {busy}. A model of "
            f"all postings takes {results['model_bytes'] / 1e6:,.0f} MB on disk.",
            f"Compared first: {results['agreement']}. After the first round: {results['compared'][0]}. After "
            f"the last round: {results['compared'][1]}.",
            wanted_table(results),
            *(scenario_table(scenario, rounds) for scenario, rounds in results["times"].items()),
            f"The round that warmed up, not counted above: {cold}.",
            "A refit without syncing is the refit less its step *sync*. *MB written* are files that were not "
            "there before; files linked from an older generation are not written. *Fresh process* rows "
            "include opening the model, verified, but not the start of Python and imports. "
            f"Left out: {'; '.join(without) or 'nothing'}. Not measured: reading postings from files, other "
            "machines, disks whose sync is slower.",
        ]
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description="Measure retraining beside scikit-learn.")
    parser.add_argument("postings", type=int, nargs="?", default=100_000)
    parser.add_argument("--new", type=int, default=1_000, help="postings of a round")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each of two scenarios")
    parser.add_argument("--source", type=Path, default=SEEDS, help="folder to take sentences from")
    parser.add_argument(
        "--systems", nargs="*", default=SYSTEMS, choices=SYSTEMS, metavar="NAME", help="all by default"
    )
    parser.add_argument("--corpus", type=Path, help="file to keep the corpus in, or to take it from")
    parser.add_argument("--json", type=Path, help="file to write all times to")
    parser.add_argument("--write", type=Path, help="document whose section of this size to write")
    return parser.parse_args(arguments)


def main() -> None:
    """Measure, print, write."""
    arguments = parse()
    signal.signal(signal.SIGTERM, end)
    try:
        with TemporaryDirectory(prefix="matcher-retraining-") as folder:
            results = run(arguments, Path(folder))
    except KeyboardInterrupt:
        sys.exit("interrupted: nothing was written")
    text = section(results)
    print(text)
    if arguments.json:
        arguments.json.write_text(json.dumps(results), encoding="utf-8")
    if arguments.write:
        if not arguments.write.exists():
            arguments.write.write_text("# Retraining\n", encoding="utf-8")
        write_section(arguments.write, arguments.postings, text)


if __name__ == "__main__":
    main()
