"""How often tuning finds weights: on judgements that mean nothing, and on those of another taste.

    python -m benchmarks.tuning [BOARDS]        60 made postings a board, 100 boards by default

Postings, CVs and judgements are made (tests/judged_boards.py): words and hashtags have nothing to do with
each other. A taste is a set of weights; who has it judges the six postings that these rank first. Half noise
means that every other CV is judged by lot.
"""

import sys
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.tables import table
from matcher import Matcher
from matcher.tuning import tune
from tests.judged_boards import fit, judge_by, make_board, make_cvs, make_noise

Grades = Mapping[str, Mapping[str, int]]


def by_lot(seed: int, matcher: Matcher, cvs: Mapping[str, str]) -> Grades:
    return make_noise(seed, cvs, make_board(seed))


def by_taste(text: float, *, noise: bool = False) -> Callable[[int, Matcher, Mapping[str, str]], Grades]:
    def judge(seed: int, matcher: Matcher, cvs: Mapping[str, str]) -> Grades:
        grades = judge_by(matcher, {"text": text, "hashtags": 1 - text}, cvs)
        lots = by_lot(seed, matcher, cvs) if noise else {}
        return {name: lots[name] if noise and number % 2 else grades[name] for number, name in enumerate(cvs)}

    return judge


JUDGES = {
    "by lot": by_lot,
    "text 0.6, half noise": by_taste(0.6, noise=True),
    "text 0.5, half noise": by_taste(0.5, noise=True),
    "text 0.6": by_taste(0.6),
    "text 0.7 (the default)": by_taste(0.7),
}


def main() -> None:
    boards = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    rows = []
    for name, judge in JUDGES.items():
        for count in (20, 40):
            found = []
            for seed in range(1_000, 1_000 + boards):
                matcher, cvs = fit(make_board(seed), engine="base"), make_cvs(seed, count)
                found.append(tune(matcher, cvs, judge(seed, matcher, cvs)))
            better = sum(tuning.is_better for tuning in found)
            gain, claimed = (np.mean([getattr(one, what) for one in found]) for what in ("gain", "claimed"))
            rows.append([name, f"{count}", f"{better / boards:.1%}", f"{gain:+.4f}", f"{claimed:+.4f}"])
    print(table(["judged", "CVs", "weights changed", "gain, CVs left out", "gain, in sample"], rows))


if __name__ == "__main__":
    main()
