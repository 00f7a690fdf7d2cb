"""Made postings, CVs and judgements, for tests and measurements of tuning."""

import random

from matcher import Matcher, Posting
from matcher.features import HashtagBlock, TextBlock


def fit(board, **options):
    """Fit words and hashtags, whatever other blocks there are."""
    return Matcher.fit(board, blocks=[TextBlock(0.7), HashtagBlock(0.3)], **options)


def make_board(seed, postings=60, words=20, tags=12):
    """Postings whose hashtags and words have nothing to do with each other."""
    draw = random.Random(seed)
    return [
        Posting(
            id=f"p{number:03}",
            body=" ".join(f"word{draw.randrange(words)}" for _ in range(8)),
            hashtags=[f"tag{draw.randrange(tags)}" for _ in range(3)],
        )
        for number in range(postings)
    ]


def make_cvs(seed, count=40, words=20, tags=12):
    """CVs that hold some of the words, and the names of some of the hashtags."""
    draw = random.Random(seed + 1000)
    return {
        f"cv{number:02}": " ".join(
            [f"word{draw.randrange(words)}" for _ in range(6)]
            + [f"tag{draw.randrange(tags)}" for _ in range(4)]
        )
        for number in range(count)
    }


def make_noise(seed, cvs, board, fitting=6):
    """Judge by lot."""
    draw = random.Random(seed + 2000)
    return {name: {one.id: draw.choice([1, 2]) for one in draw.sample(board, fitting)} for name in cvs}


def judge_by(matcher, weights, cvs):
    """Judge as somebody would whose taste is that of other weights."""
    taste = matcher.with_weights(weights)
    return {
        name: {
            found.posting.id: 2 if found.rank < 3 else 1 for found in taste.recommend(cv, 6) if found.score
        }
        for name, cv in cvs.items()
    }
