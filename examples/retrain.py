"""Retrains a model on new postings: what came in replaces what it knew under the same id.

    python examples/retrain.py models/jobs new_postings/ more.jsonl

Vocabularies, document frequencies and weights are learned afresh from all postings, and a new generation
of the model is published in one step: services that have the old one open keep it until they load again.
"""

import argparse
import sys

from matcher import Matcher, MatcherError, ModelNotFoundError, read_postings


def main() -> None:
    """Merge, fit, save, and say what changed."""
    parser = argparse.ArgumentParser(description="Retrain a model on new postings.")
    parser.add_argument("model", help="model directory; made when it does not exist")
    parser.add_argument("sources", nargs="+", help="folders or files with new postings")
    arguments = parser.parse_args()
    try:
        try:
            known = {posting.id: posting for posting in Matcher.load(arguments.model).postings}
        except ModelNotFoundError:
            known = {}
        reader = read_postings(*arguments.sources)
        new = {posting.id: posting for posting in reader}
        for rejected in reader.report.rejected:
            print(f"rejected {rejected}")
        if not known | new:
            sys.exit("Sorry: there is no posting to learn from")
        matcher = Matcher.fit((known | new).values())
        generation = matcher.save(arguments.model)
    except MatcherError as error:
        sys.exit(f"Sorry: {error}")
    changed = sum(1 for key in known.keys() & new.keys() if known[key] != new[key])
    print(f"{arguments.model}: generation {generation} with {len(matcher):,} postings")
    added, rejected = len(new.keys() - known.keys()), reader.report.rejected_count
    print(f"{added:,} added, {changed:,} changed, {rejected:,} rejected")


if __name__ == "__main__":
    main()
