"""The library inside another program: open the model once, answer many requests, from any thread."""

import json
from contextlib import suppress
from pathlib import Path

from matcher import Matcher, ModelError

MATCHER = Matcher.open(Path(__file__).parent.parent / "models" / "demo")


def nearest_jobs(cv_text: str, *, remote: bool | None = None) -> str:
    """Return the three nearest jobs as JSON, as an endpoint of your service might."""
    with suppress(ModelError):  # a generation that cannot be used: the one that is open serves on
        MATCHER.reload_if_changed()
    ranking = MATCHER.recommend(cv_text, k=3, filters={"remote": remote})
    return json.dumps(
        [{"title": r.posting.title, "score": round(r.score, 3), "why": r.why()} for r in ranking]
    )


if __name__ == "__main__":
    print(nearest_jobs("Backend developer: Python, PostgreSQL, CI/CD", remote=True))
