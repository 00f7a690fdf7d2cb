"""Ranks the postings of a snapshot for profiles, and explains."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.boosts import BOOSTS, Boost
from matcher.catalogue import Catalogue
from matcher.engines import EngineChoice
from matcher.errors import OptionError, UnknownPostingError
from matcher.explaining import describe_hits, describe_ranking
from matcher.filters import select_postings
from matcher.held import HeldPostings
from matcher.learning import BlockFeatures
from matcher.parts import Part
from matcher.personal import remove_personal_data
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.queries import BlockQuery
from matcher.recommendation import Recommendation, Recommendations
from matcher.snapshot import Snapshot

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__: Final = ["Progress", "Recommender", "build_engines", "check_at_least_1"]

BATCH: Final = 64
"""Profiles that pass over the postings together."""

Progress = Callable[[str, int, int], None]
"""Called with a stage, how many of it are done, and how many there are (0 when not known)."""


class Recommender:
    """Ranks the postings of a snapshot; `matcher.Matcher` is one that can be fitted, changed and stored.

    Parameters
    ----------
    snapshot : Snapshot
    engine : {"base", "fast"}, optional
        Who finds candidates; see `engine`.

    Examples
    --------
    >>> len(Recommender(Snapshot((), ())).recommend("Cook"))
    0
    """

    def __init__(self, snapshot: Snapshot, engine: str | None = None) -> None:
        self._snapshot = snapshot
        self._engines = EngineChoice(engine)
        if engine is not None:
            build_engines(snapshot, engine)

    def recommend(
        self,
        profile: Profile | str,
        k: int = 10,
        *,
        filters: Mapping[str, Any] | None = None,
        boosts: Sequence[Boost] = (),
    ) -> Recommendations:
        """Return the `k` postings nearest to a profile: exact, best first, ties by posting id.

        Parameters
        ----------
        profile : Profile or str
            A CV's text.
        k : int
            At least 1. When fewer postings pass the filters, all of them come back.
        filters : mapping, optional
            Vetoes by name, applied before the best are chosen; see `matcher.filters.FILTERS`. Values of
            None are ignored.
        boosts : sequence of Boost, optional
            `matcher.boosts.Featured`, `matcher.boosts.Freshness`; none by default.

        Returns
        -------
        Recommendations
            Postings that have nothing in common with the profile come last, with a score of 0; when that
            is all there is, `notice` says why.

        Raises
        ------
        OptionError, FilterError
            When an argument makes no sense.

        Examples
        --------
        >>> from matcher import Matcher
        >>> cook = Posting(id="1", title="Cook", location="Bern")
        >>> matcher = Matcher.fit([cook, Posting(id="2", title="Cook")])
        >>> ranking = matcher.recommend("cook", filters={"location": "Bern"})
        >>> [recommendation.posting.id for recommendation in ranking], ranking.removed
        (['1'], {'location': 1})
        >>> matcher.recommend("").notice
        'the profile is empty: every score is 0'
        """
        return self.recommend_many([profile], k, filters=filters, boosts=boosts)[0]

    def recommend_many(
        self,
        profiles: Iterable[Profile | str],
        k: int = 10,
        *,
        filters: Mapping[str, Any] | None = None,
        boosts: Sequence[Boost] = (),
        threads: int = 1,
        progress: Progress | None = None,
    ) -> list[Recommendations]:
        """Return `recommend` of each profile, faster than one call after the other.

        Up to `BATCH` profiles are read and looked up together, and with the fast engine the postings pass
        through the processor's caches once for all of them. Memory besides the result (some 80 KB a profile)
        does not grow with the number of profiles: a thread needs about 2 MB with the fast engine, and with
        the base engine (also used for more than 1,000 recommendations, and where many scores tie) some 40
        bytes a posting and 30 bytes an entry of the profile's term lists.

        Parameters
        ----------
        profiles : iterable of Profile or str
        k, filters, boosts
            As in `recommend`; the same for all profiles.
        threads : int
            At least 1. The result does not depend on it.
        progress : callable, optional
            Called with ``(stage, done, total)``.

        Returns
        -------
        list of Recommendations
            In the order of the profiles.

        Examples
        --------
        >>> from matcher import Matcher
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
        >>> [ranking[0].posting.title for ranking in matcher.recommend_many(["nurse", "cook"], k=1)]
        ['Nurse', 'Cook']
        """
        check_at_least_1("k", k)
        check_at_least_1("threads", threads)
        listed = [_as_profile(profile) for profile in profiles]
        if isinstance(filters, Mapping):
            filters = {name: value for name, value in filters.items() if value is not None}
        snapshot = self._snapshot
        masks, removed, considered = _select(snapshot, {} if filters is None else filters)
        boosts = _settle(_order_boosts(boosts), snapshot)
        lifts = _lift(snapshot, boosts)
        engine = self._engines.choose(len(listed), len(snapshot), lambda name: build_engines(snapshot, name))
        found: list[Recommendations] = []

        def rank_batch(batch: Sequence[Profile]) -> list[Recommendations]:
            queries = self._queries(snapshot, batch)
            rankings = snapshot.search_many(queries, int(k), engine, masks, lifts)
            read = cache(_read)  # the same postings are recommended to many
            ranked = []
            for profile, query, hits in zip(batch, queries, rankings, strict=True):
                items = describe_hits(
                    hits,
                    range(1, len(hits) + 1),
                    snapshot.blocks,
                    query,
                    boosts,
                    lambda hit: read(hit.part, hit.row),
                )
                notice = describe_ranking(profile, query, items, considered, len(snapshot))
                ranked.append(Recommendations(items, considered, removed, notice))
            return ranked

        size = max(1, min(BATCH, -(-len(listed) // int(threads))))
        batches = [listed[start : start + size] for start in range(0, len(listed), size)]
        with _make_pool(threads if len(batches) > 1 else 1) as pool:
            for batch in pool.map(rank_batch, batches) if pool else map(rank_batch, batches):
                found += batch
                if progress is not None:
                    progress("ranking", len(found), len(listed))
        return found

    def explain(
        self, profile: Profile | str, posting_id: str, *, boosts: Sequence[Boost] = ()
    ) -> Recommendation:
        """Return one posting's score, rank among all postings, and contributions.

        Parameters
        ----------
        profile : Profile or str
        posting_id : str
        boosts : sequence of Boost, optional
            Those given to `recommend`.

        Raises
        ------
        UnknownPostingError
            When no posting has this id.

        Examples
        --------
        >>> from matcher import Matcher
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
        >>> explained = matcher.explain("Nurse in Bern", "2")
        >>> [(part.block, part.feature) for part in explained.contributions]
        [('semantic', 'nurse'), ('text', 'nurse'), ('title', 'nurse')]
        """
        snapshot = self._snapshot
        place = snapshot.find([posting_id])[0] if isinstance(posting_id, str) else None
        if place is None:
            raise UnknownPostingError(f"no posting has the id {posting_id!r}")
        boosts = _settle(_order_boosts(boosts), snapshot)
        query = self._queries(snapshot, [_as_profile(profile)])[0]
        rank, hit = snapshot.rank_of(query, *place, _lift(snapshot, boosts))
        return describe_hits(
            [hit], [rank], snapshot.blocks, query, boosts, lambda hit: _read(hit.part, hit.row)
        )[0]

    @property
    def postings(self) -> HeldPostings:
        """The postings held now, in ascending order of id.

        Examples
        --------
        >>> from matcher import Matcher
        >>> [posting.id for posting in Matcher.fit([Posting(id="2"), Posting(id="1")]).postings]
        ['1', '2']
        """
        return HeldPostings(self._snapshot.parts)

    def postings_with(self, block: str, term: str, limit: int = 3) -> list[Posting]:
        """Return postings that hold a term, at most `limit`, in ascending order of id.

        Parameters
        ----------
        block : str
            The name of a feature block, such as ``text`` or ``hashtags``.
        term : str
            As it stands in the block's vocabulary.
        limit : int

        Raises
        ------
        OptionError
            When there is no such block.

        Examples
        --------
        >>> from matcher import Matcher
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
        >>> [posting.id for posting in matcher.postings_with("text", "nurse")]
        ['2']
        """
        snapshot = self._snapshot
        names = [known.name for known in snapshot.blocks]
        if block not in names:
            raise OptionError(f"unknown block {block!r}: use one of {', '.join(names)}")
        return snapshot.postings_with(names.index(block), term, limit)

    @property
    def features(self) -> tuple[BlockFeatures, ...]:
        """What each feature block learned at the last fit.

        Examples
        --------
        >>> from matcher import Matcher
        >>> [len(fitted.vocabulary) for fitted in Matcher.fit([Posting(id="1", title="Cook")]).features]
        [1, 0, 1, 0]
        """
        return self._snapshot.features

    @property
    def is_fitted(self) -> bool:
        """Whether the weights are those of the postings held; `refit` makes it so.

        Examples
        --------
        >>> from matcher import Matcher
        >>> Matcher.fit([Posting(id="1")]).is_fitted
        True
        """
        return self._snapshot.is_fitted

    @property
    def engine(self) -> str:
        """The engine in use: ``base`` (numpy alone) or ``fast``.

        Unless one was asked for, ``fast`` takes over from the third profile on when the extra ``[fast]`` is
        installed and there are 2,000 postings or more; `fit` uses compiled code from 10,000 postings on.
        Compiling takes seconds once, loading compiled code a fraction.

        Examples
        --------
        >>> from matcher import Matcher
        >>> Matcher.fit([], engine="base").engine
        'base'
        """
        return self._engines.name

    def __len__(self) -> int:
        return len(self._snapshot)

    def __repr__(self) -> str:
        dense = [fitted for fitted in self.features if fitted.centre is not None]
        sizes = [f"{len(one.vocabulary):,} {one.block.name}" for one in self.features if one.centre is None]
        said = [f"{len(self):,} posting{'' if len(self) == 1 else 's'}"]
        if sizes:
            listed = [", ".join(sizes[:-1]), sizes[-1]] if sizes[1:] else sizes
            said.append(f"{' and '.join(listed)} features")
        said += [f"vectors of {len(one.centre)} numbers" for one in dense if one.centre is not None]
        return f"<{type(self).__name__}: {', '.join(said)}>"

    def _queries(self, snapshot: Snapshot, profiles: Sequence[Profile]) -> list[tuple[BlockQuery, ...]]:
        profiles = [remove_personal_data(profile) for profile in profiles]
        tokens = self._engines.split([profile.text for profile in profiles])
        blocks = [fitted.queries(profiles, tokens) for fitted in snapshot.features]
        return list(zip(*blocks, strict=True)) if blocks else [()] * len(profiles)


def build_engines(snapshot: Snapshot, engine: str) -> None:
    """Make an engine ready for every part.

    Examples
    --------
    >>> build_engines(Snapshot((), ()), "base")
    """
    for part in snapshot.parts:
        part.engine(engine)


def _select(
    snapshot: Snapshot, filters: Mapping[str, Any]
) -> tuple[Sequence[NDArray[np.bool_] | None], dict[str, int], int]:
    """Return which rows of each part pass all filters, what each filter removes, and how many pass."""
    if isinstance(filters, Mapping) and not filters:
        return [None] * len(snapshot.parts), {}, len(snapshot)
    _, removed = select_postings(Catalogue.from_postings([]), filters)  # checks the values
    masks = []
    for part in snapshot.parts:
        mask, alone = select_postings(part.segment.catalogue, filters, part.held)
        masks.append(mask)
        removed = {name: removed[name] + count for name, count in alone.items()}
    return masks, removed, sum(int(np.count_nonzero(mask)) for mask in masks)


def _lift(snapshot: Snapshot, boosts: Sequence[Boost]) -> list[list[NDArray[np.float64]]]:
    return [[boost.values(part.segment.catalogue) for boost in boosts] for part in snapshot.parts]


def _make_pool(threads: int) -> AbstractContextManager[Executor | None]:
    if threads == 1:
        return nullcontext()
    from concurrent.futures import ThreadPoolExecutor  # one CV in a new process does without

    return ThreadPoolExecutor(threads)


def _as_profile(profile: Profile | str) -> Profile:
    return profile if isinstance(profile, Profile) else Profile(profile)


def _order_boosts(boosts: Sequence[Boost]) -> list[Boost]:
    if not isinstance(boosts, Sequence):
        raise OptionError(f"expected a list of boosts, got {boosts!r}")
    for boost in boosts:
        if not isinstance(boost, Boost) or type(boost) is not BOOSTS.get(boost.name):
            raise OptionError(f"not a boost: {boost!r}; use one of {', '.join(BOOSTS)} from matcher.boosts")
    if len({boost.name for boost in boosts}) < len(boosts):
        raise OptionError("each boost can be given only once")
    return sorted(boosts, key=lambda boost: list(BOOSTS).index(boost.name))


def _settle(boosts: Sequence[Boost], snapshot: Snapshot) -> list[Boost]:
    return [boost.settle(snapshot.newest) for boost in boosts]


def _read(part: Part, row: int) -> Posting:
    return part.segment.catalogue[row]


def check_at_least_1(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is a whole number of at least 1.

    Examples
    --------
    >>> check_at_least_1("k", 0)
    Traceback (most recent call last):
    matcher.errors.OptionError: k must be a whole number of at least 1, got 0
    """
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f"{name} must be a whole number of at least 1, got {value!r}")
