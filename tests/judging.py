"""What becomes of a hostile model: refused when it is loaded, refused when it is read, or harmless.

Harmless means: nothing is raised, every score is finite, at least 0, and the sum of its contributions,
rankings are in order, and what is saved can be loaded and ranks the same. Refused when it is read means that
one or the other of these raises `ModelDamagedError`. Of what is harmless, `matcher verify` notices a part.
"""

from __future__ import annotations

import io
import itertools
import math
import shutil
import traceback
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console

from matcher import Matcher, Posting
from matcher.boosts import Featured, Freshness
from matcher.engines import fast_is_installed
from matcher.errors import ModelDamagedError, ModelError
from matcher.filters import FILTERS
from matcher.generation_report import render_generations
from matcher.report import render_explanation, render_model, render_recommendations
from matcher.store.generations import history
from matcher.verification import verify_model
from tests.hostile_models import CV, LATER, POSTINGS, Forge, Model
from tests.mutants import Mutant

REFUSED, ON_USE, NOTICED, HARMLESS, BAD = "refused", "refused on use", "noticed", "harmless", "BAD"
SAME = "no change"

FILTERED = [{name: row.example} for name, row in FILTERS.items()] + [
    {"location": ["Bern", "Zürich"], "hashtags_none": ["kitchen"]},
    {"hashtags_any": ["care", "bread"], "posted_since": "2025-01-01"},
    {"hashtags_all": ["care", "ward"]},
    {"remote": False, "company": ["Clinic"]},
    {"job_type": ["parttime"]},
]
PROFILES = [CV, "", "sql", "Cook and baker: bread, cakes", "Xylophone nurse, nights", "zither"]


class Verdict(NamedTuple):
    outcome: str
    reason: str = ""


class WrongError(AssertionError):
    """A model behaves as none may."""


def check(holds: Any, what: str) -> None:
    if not holds:
        raise WrongError(what)


def bits(ranking: Any) -> list[Any]:
    return [
        (
            found.rank,
            found.posting.id,
            found.score.hex(),
            [(*part[:2], part.value.hex()) for part in found.contributions],
        )
        for found in ranking
    ]


def check_ranking(matcher: Matcher, ranking: Any, k: int, *, honest: bool) -> None:
    held = set(matcher.postings.ids)
    check(len(ranking) == min(k, ranking.considered), "a ranking of another length")
    check(0 <= ranking.considered <= len(matcher), "more postings considered than there are")
    check(
        all(0 <= count <= len(matcher) for count in ranking.removed.values()), "more removed than there are"
    )
    ids = [found.posting.id for found in ranking]
    check(len(set(ids)) == len(ids) and held.issuperset(ids), "a posting twice, or one that is not held")
    for found in ranking:
        check(math.isfinite(found.score) and found.score >= 0, f"a score of {found.score}")
        values = [part.value for part in found.contributions]
        check(all(map(math.isfinite, values)), "a contribution that is no number")
        check(
            all(part.value > 0 or part.block == "semantic" for part in found.contributions),
            "a contribution of nothing",
        )
        check(
            math.isclose(math.fsum(values), found.score, rel_tol=1e-9, abs_tol=1e-300),
            "contributions do not sum up",
        )
        found.why(3)
    for first, second in itertools.pairwise(ranking):
        check(first.score >= second.score, "a ranking out of order")
        # Who lies about the order of a matrix may be ranked in any.
        tied = first.score == second.score and honest
        check(
            not tied or first.posting.id < second.posting.id,
            "a tie that breaks by something else than the id",
        )


def show(renderable: Any) -> None:
    """Show a table where nobody sees it; nothing in it may steer a terminal."""
    console = Console(file=io.StringIO(), width=110)
    console.print(renderable)
    text = console.file.getvalue().replace("\n", "")
    check(
        not any(unicodedata.category(char) in ("Cc", "Cs") for char in text),
        "a character that steers a terminal",
    )
    text.encode()


def orders_agree(matcher: Matcher) -> bool:
    """Return whether the counts by posting and by term of all segments are the same ones."""
    for part in matcher._snapshot.parts:
        for block in part.segment.blocks:
            dense = []
            for counts in block.counts:
                shape = len(block.counts.by_posting.starts) - 1, len(block.vocabulary)
                shape = shape if counts is block.counts.by_posting else shape[::-1]
                table = np.zeros(shape, np.int64)
                table[np.repeat(np.arange(shape[0]), np.diff(counts.starts)), counts.columns] = counts.counts
                dense.append(table)
            if not np.array_equal(dense[0], dense[1].T):
                return False
    return True


def uses(matcher: Matcher, room: Path) -> Iterator[Callable[[], Any]]:
    """Return everything that can be done with a matcher; each may meet a record that is damaged."""
    honest = orders_agree(matcher)
    boosts = [Featured(0.1), Freshness(0.2, half_life_days=90)]

    def rank(matcher: Matcher, cv: str = CV, k: int = 20, honest: bool = honest, **options: Any) -> Any:
        ranking = matcher.recommend(cv, k, **options)
        check_ranking(matcher, ranking, k, honest=honest)
        return ranking

    def explain() -> None:
        ranking = rank(matcher, boosts=boosts)
        for found in ranking:
            explained = matcher.explain(CV, found.posting.id, boosts=boosts)
            check(explained.score == found.score or not honest, "another score when explained")
            check(1 <= explained.rank <= len(matcher) + 1, "a rank out of range")
            check(explained.rank == found.rank or not honest, "another rank when explained")
            render_explanation(explained)
        for found in ranking[:2]:
            show(render_explanation(matcher.explain(CV, found.posting.id)))
        show(render_recommendations(ranking))

    def read() -> None:
        postings = list(matcher.postings)
        check([posting.id for posting in postings] == matcher.postings.ids, "postings out of order")
        check(len(postings) == len(matcher), "another number of postings")
        show(render_model(matcher, "model"))
        repr(matcher)

    def find() -> None:
        for fitted in matcher.features:
            for term in fitted.vocabulary:
                for posting in matcher.postings_with(fitted.block.name, term):
                    check(posting.id in matcher.postings.ids, "a posting that is not held")

    def engines() -> None:
        names = ("base", "fast") if fast_is_installed() else ("base",)
        others = [Matcher(matcher._snapshot, name) for name in names]
        for filters in ({}, {"hashtags_any": ["care", "bread"]}):
            for k in (1, 3):
                found = [other.recommend_many(PROFILES, k, filters=filters) for other in others]
                for ranking in itertools.chain(*found):
                    check_ranking(matcher, ranking, k, honest=honest)
                same = all(
                    [bits(ranking) for ranking in some] == [bits(ranking) for ranking in found[0]]
                    for some in found
                )
                check(same or not honest, "engines that disagree")
        for many in matcher.recommend_many(PROFILES * 3, 2, threads=2):
            check_ranking(matcher, many, 2, honest=honest)

    def add() -> Matcher:
        changed = matcher.snapshot()
        changed.add(
            [*LATER, Posting(id="new", title="Nurse of zithers", hashtags=["zither", "new"]), POSTINGS[0]]
        )
        rank(changed)
        check("new" in changed.postings.ids, "a posting that was not added")
        return changed

    def remove() -> None:
        changed = add()
        gone = matcher.postings.ids[::2]
        changed.remove(gone)
        check(not set(gone) & set(changed.postings.ids), "a posting that was not removed")
        rank(changed)
        changed.expire("2026-02-01")
        rank(changed)

    def refit() -> None:
        changed = add()
        changed.refit()
        check(changed.is_fitted, "not fitted")
        rank(changed, boosts=boosts)
        changed.remove(changed.postings.ids[:1])
        changed.refit()
        rank(changed)

    def compact() -> None:
        changed = add()
        changed.remove(matcher.postings.ids[:1])
        ids = changed.postings.ids
        changed.compact()
        check(changed.postings.ids == ids, "other postings after compacting")
        rank(changed)
        saved(changed, room / "compacted")

    def saved(matcher: Matcher, path: Path) -> None:
        shutil.rmtree(path, ignore_errors=True)
        expected = bits(rank(matcher, honest=False))
        matcher.save(path)
        loaded = Matcher.load(path)
        check(bits(rank(loaded, honest=False)) == expected, "another ranking after saving")

    yield lambda: rank(matcher)
    yield lambda: [rank(matcher, cv, 2) for cv in PROFILES]
    for filters in FILTERED:
        yield lambda filters=filters: rank(matcher, filters=filters)
    yield lambda: [rank(matcher, boosts=some) for some in (boosts, boosts[:1], boosts[1:])]
    yield from (explain, read, find, engines, add, remove, refit, compact)
    yield lambda: saved(matcher.snapshot(), room / "saved")


class Court:
    """Judges mutants of one model, one after the other.

    Parameters
    ----------
    model : Model
    room : Path
        A folder for what is written on the way.
    """

    def __init__(self, model: Model, room: Path) -> None:
        self.model, self.room = model, room
        self.forge = Forge(room / "model", model)
        self._service: Matcher | None = None
        self._expected: list[Any] = []

    def judge(self, mutant: Mutant) -> Verdict:
        """Return what becomes of a mutant."""
        draft = self.model.draft()
        honest = draft.manifest(), draft.pointer(draft.manifest())
        try:
            mutant.change(draft)
            changed = draft.manifest(), draft.pointer(draft.manifest())
        except (LookupError, ValueError, TypeError, ArithmeticError, AttributeError):
            return Verdict(
                SAME
            )  # two changes that exclude each other, or a value that the type does not hold
        if changed == honest:
            return Verdict(SAME)
        self.forge.lay_out(draft)
        return self.load()

    def load(self) -> Verdict:
        """Load the current generation, use it, and let a service go on to it."""
        verdict = None
        try:
            matcher = Matcher.load(self.forge.root)
        except ModelError as error:
            verdict = Verdict(REFUSED, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
            return Verdict(BAD, f"load: {describe(error)}")
        wrong = self._reload(loads=verdict is None)
        if wrong:
            return Verdict(BAD, f"reload: {wrong}")
        try:
            show(render_generations(history(self.forge.root)))
            [found] = verify_model(self.forge.root)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
            return Verdict(BAD, f"verify: {describe(error)}")
        if verdict is not None:
            return verdict if found.problems else Verdict(BAD, "verify: what loading refuses is sound")
        verdict = use(matcher, self.room)
        if verdict.outcome == HARMLESS and found.problems:
            return Verdict(NOTICED, found.problems[0])
        if verdict.outcome == ON_USE and not found.problems:
            return Verdict(BAD, f"verify: sound, but {verdict.reason}")
        return verdict

    def _reload(self, *, loads: bool) -> str:
        """Let a service that has the honest generation open go on: it must do as loading did."""
        if self._service is None:
            self._service = Matcher.load(self.forge.root, generation=1)
            self._expected = bits(self._service.recommend(CV, 3))
        service = self._service
        try:
            service.reload_if_changed()
        except ModelError as error:
            if loads:
                return f"refused what loading accepts: {error}"
            if service.generation != 1 or bits(service.recommend(CV, 3)) != self._expected:
                return "another ranking after refusing"
            return ""
        except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
            return describe(error)
        self._service = None
        return "" if loads else "accepted what loading refuses"


def use(matcher: Matcher, room: Path) -> Verdict:
    """Do everything that can be done with a matcher."""
    refusal = ""
    steps = uses(matcher, room)
    while True:
        try:
            if (step := next(steps, None)) is None:
                break
            step()
        except ModelDamagedError as error:
            refusal = refusal or str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
            return Verdict(BAD, f"use: {describe(error)}")
    return Verdict(ON_USE, refusal) if refusal else Verdict(HARMLESS)


def describe(error: BaseException) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error!s:.200} ({Path(place.filename).name}:{place.lineno})"
