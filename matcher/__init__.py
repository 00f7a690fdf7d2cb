"""Recommends job postings to people.

A candidate's profile text (usually a pasted CV) goes in, the nearest postings come out, ranked, filtered
and explained::

    from matcher import Matcher, read_postings

    matcher = Matcher.fit(read_postings("seeds/"))
    for recommendation in matcher.recommend(cv_text, k=10):
        print(recommendation.rank, recommendation.posting.title, recommendation.why(3))
"""

from typing import Final

from matcher._version import __version__
from matcher.cv import read_cv
from matcher.errors import (
    DuplicatePostingError,
    FilterError,
    MatcherError,
    ModelDamagedError,
    ModelError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelWriteError,
    OptionError,
    PostingError,
    ProfileError,
    SourceError,
    UnknownPostingError,
)
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.ranker import Matcher
from matcher.recommendation import Contribution, Recommendation, Recommendations
from matcher.sources import read_postings

__all__: Final = [
    "Contribution",
    "DuplicatePostingError",
    "FilterError",
    "Matcher",
    "MatcherError",
    "ModelDamagedError",
    "ModelError",
    "ModelNotFoundError",
    "ModelSchemaError",
    "ModelWriteError",
    "OptionError",
    "Posting",
    "PostingError",
    "Profile",
    "ProfileError",
    "Recommendation",
    "Recommendations",
    "SourceError",
    "UnknownPostingError",
    "__version__",
    "read_cv",
    "read_postings",
]
