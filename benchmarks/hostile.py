"""Hostile models: thousands of changed ones whose hashes all fit, and what became of each.

    python benchmarks/hostile.py                       21,000 mutants of five small models, half an hour
    python benchmarks/hostile.py --mutants 2000        a sample
    python benchmarks/hostile.py --only stale 12 40    some by their numbers, with what became of them
    python benchmarks/hostile.py --blind               each check is switched off in turn: is it missed?

A mutant is refused when it is loaded; or, when a posting's record is damaged or the two orders of a matrix
turn out to be of different ones, refused when that is read; or it is harmless: see tests/judging.py for what
that means. `matcher verify` notices a part of those that are harmless. Mutants are judged in processes of
their own: one that crashes or never ends is BAD, and named. The exit status is 1 when one is.
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tables import table

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.batches import Judged, judge_apart, make_mutants, tally
from tests.hostile_models import FITS
from tests.judging import BAD, HARMLESS, NOTICED, ON_USE, REFUSED, SAME

SEED = 20_261_127
PAIRS = 1_500
SHARES = {"renewed": 0.3, "stale": 0.3, "semantic": 0.2, "plain": 0.15, "empty": 0.05}
"""Of the mutants, by model: most are of those with two segments and deleted rows."""

OUTCOMES = (REFUSED, ON_USE, NOTICED, HARMLESS, BAD)
HEADINGS = ("refused", "refused on use", "harmless, verify notices", "harmless", "BAD")

CHECKS = {
    "matcher.counts:_holds_entries": "columns",
    "matcher.counts:check_starts": "by_posting.starts|by_term.starts",
    "matcher.persistence:check_inverse_norms": "inverse_norms",
    "matcher.catalogue:check_starts": "tag_starts",
    "matcher.catalogue:_within": "codes",
    "matcher.catalogue:_are_dates": "posted",
    "matcher.persistence:_ascend": "deleted|places",
    "matcher.persistence:_are_places": "places",
    "matcher.persistence:_fit": "norms",
    "matcher.persistence:_check_ids": "ids| is ",
    "matcher.learning:_is_centre": "centre",
    "matcher.strings:StringTable._has_offsets": "offsets",
    "matcher.strings:StringTable.equals_at": "places",
}
"""Checks that can be switched off, and which mutants show it. (Others keep rankings right, not safe.)"""


def choose(name: str, count: int) -> list[int]:
    """Return the numbers of all lies, and of as many others as are wanted."""
    mutants = make_mutants(name, SEED, PAIRS)
    lies_first = sorted(range(len(mutants)), key=lambda number: mutants[number].kind != "lies")
    return sorted(lies_first[:count])


def judge(models: Iterable[tuple[str, Sequence[int]]], jobs: int) -> list[tuple[str, Judged]]:
    """Judge mutants of several models, in several processes at once."""
    batches = [
        (name, numbers[first : first + 500])
        for name, numbers in models
        for first in range(0, len(numbers), 500)
    ]
    judged: list[tuple[str, Judged]] = []

    def run(batch: tuple[str, Sequence[int]]) -> None:
        name, numbers = batch
        for one in judge_apart(name, SEED, PAIRS, numbers):
            judged.append((name, one))
            if one.outcome == BAD:
                print(f"BAD: {name} {one.number}: {one.kind}, {one.label}: {one.reason}", flush=True)
        print(f"{len(judged):,} judged", file=sys.stderr, flush=True)

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(run, batches))
    return judged


def rows(judged: Sequence[Judged]) -> list[list[str]]:
    """Return the table of outcomes by kind, with a last row of sums."""
    counted = tally(judged)
    total: Counter[str] = sum(counted.values(), Counter())
    return [
        [kind, f"{sum(outcomes.values()):,}", *(f"{outcomes[outcome]:,}" for outcome in OUTCOMES)]
        for kind, outcomes in [*counted.items(), ("all", total)]
    ]


def find_what_is_missed(jobs: int) -> bool:
    """Switch off one check after the other and say what comes of it; return whether each was missed."""

    def run(item: tuple[str, str]) -> bool:
        check, pattern = item
        mutants = make_mutants("renewed", SEED, 0)
        words = pattern.split("|")
        chosen = [n for n, mutant in enumerate(mutants) if any(word in mutant.label for word in words)]
        for place, one in enumerate(judge_apart("renewed", SEED, 0, chosen[:600], [check]), 1):
            if one.outcome == BAD:
                print(f"{check}: mutant {place}, {one.label}: {one.reason}", flush=True)
                return True
        print(f"{check}: nobody misses it in {len(chosen[:600])} mutants", flush=True)
        return False

    with ThreadPoolExecutor(jobs) as pool:
        return all(list(pool.map(run, CHECKS.items())))


def main() -> None:
    """Judge, and print the table."""
    parser = argparse.ArgumentParser(description="Judge hostile models.")
    parser.add_argument("--mutants", type=int, default=21_000)
    parser.add_argument("--jobs", type=int, default=2, help="processes at once")
    parser.add_argument(
        "--only", nargs="+", metavar=("MODEL", "NUMBER"), help="judge these alone, and say more"
    )
    parser.add_argument("--details", type=Path, help="write a line of JSON for each mutant to this file")
    parser.add_argument("--blind", action="store_true", help="switch off one check after the other")
    options = parser.parse_args()
    if options.blind:
        sys.exit(not find_what_is_missed(options.jobs))
    if options.only:
        name, *numbers = options.only
        for one in judge_apart(name, SEED, PAIRS, [int(number) for number in numbers]):
            print(f"{one.number}: {one.kind}, {one.label}: {one.outcome} {one.reason}")
        return
    started = time.monotonic()
    models = [(name, choose(name, round(options.mutants * SHARES[name]))) for name in FITS]
    judged = judge(models, options.jobs)
    if options.details:
        lines = [json.dumps({"model": name, **one._asdict()}) + "\n" for name, one in sorted(judged)]
        options.details.write_text("".join(lines), encoding="utf-8")
    print(table(["change", "mutants", *HEADINGS], rows([one for _, one in judged])))
    print()
    for name, _ in models:
        *_, last = rows([one for model, one in judged if model == name])
        outcomes = ", ".join(map(" ".join, zip(last[2:], HEADINGS, strict=True)))
        print(f"{name}: {last[1]} mutants, of them {outcomes}")
    none = sum(one.outcome == SAME for _, one in judged)
    print(f"{none:,} more changed nothing. {time.monotonic() - started:,.0f} seconds.")
    sys.exit(any(one.outcome == BAD for _, one in judged))


if __name__ == "__main__":
    main()
