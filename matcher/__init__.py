"""Recommends job postings to people.

A candidate's profile text (usually a pasted CV) goes in, the nearest postings come out, ranked, filtered
and explained::

    from matcher import Matcher, read_postings

    matcher = Matcher.fit(read_postings("seeds/"))
    for recommendation in matcher.recommend(cv_text, k=10):
        print(recommendation.rank, recommendation.posting.title, recommendation.why(3))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from matcher._version import __version__
from matcher.errors import (
    DuplicatePostingError,
    FilterError,
    JudgementError,
    MatcherError,
    ModelConflictError,
    ModelDamagedError,
    ModelError,
    ModelLockedError,
    ModelNotFoundError,
    ModelSchemaError,
    ModelSignatureError,
    ModelWriteError,
    OptionError,
    PostingError,
    ProfileError,
    SourceError,
    UnknownPostingError,
)

if TYPE_CHECKING:
    from matcher.cv import read_cv
    from matcher.posting import Posting
    from matcher.profile import Profile
    from matcher.ranker import Matcher
    from matcher.recommendation import Contribution, Recommendation, Recommendations
    from matcher.sources import read_postings

__all__: Final = [
    "Contribution",
    "DuplicatePostingError",
    "FilterError",
    "JudgementError",
    "Matcher",
    "MatcherError",
    "ModelConflictError",
    "ModelDamagedError",
    "ModelError",
    "ModelLockedError",
    "ModelNotFoundError",
    "ModelSchemaError",
    "ModelSignatureError",
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


_MODULES: Final = {
    "Contribution": "matcher.recommendation",
    "Matcher": "matcher.ranker",
    "Posting": "matcher.posting",
    "Profile": "matcher.profile",
    "Recommendation": "matcher.recommendation",
    "Recommendations": "matcher.recommendation",
    "read_cv": "matcher.cv",
    "read_postings": "matcher.sources",
}


def __getattr__(name: str) -> Any:
    # Ranking needs no readers of files, and the command must be there before numpy is, to mind Ctrl-C.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_MODULES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
