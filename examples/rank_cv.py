"""Ranks jobs for a pasted CV and shows them as a table.

python examples/rank_cv.py examples/cvs/nurse-aoife.txt     a file
pbpaste | python examples/rank_cv.py -                      standard input
python examples/rank_cv.py                                  paste it at the prompt
"""

import argparse
import sys
from pathlib import Path

from matcher import Matcher, MatcherError, read_cv
from matcher.report import render_recommendations
from matcher.terminal import make_console

DEMO_MODEL = Path(__file__).parent.parent / "models" / "demo"


def main() -> None:
    """Read a CV, rank, print."""
    parser = argparse.ArgumentParser(description="Rank jobs for a pasted CV.")
    parser.add_argument("cv", nargs="?", default="-", help="a file, or - for standard input")
    parser.add_argument("--model", default=DEMO_MODEL, help="model directory (default: the demo model)")
    parser.add_argument("-k", type=int, default=5, help="how many jobs to show (default: 5)")
    arguments = parser.parse_args()
    try:
        if arguments.cv == "-":
            if sys.stdin.isatty():
                print("Paste your CV here, then press Enter and Ctrl-D (Windows: Ctrl-Z, Enter).")
            profile = read_cv(sys.stdin.buffer)
        else:
            profile = read_cv(arguments.cv)
        ranking = Matcher.load(arguments.model).recommend(profile, k=arguments.k)
    except MatcherError as error:
        sys.exit(f"Sorry: {error}")
    except KeyboardInterrupt:
        sys.exit("\nStopped.")
    if ranking.notice:
        print(f"Note: {ranking.notice}.")
    make_console().print(render_recommendations(ranking))


if __name__ == "__main__":
    main()
