"""`Matcher`: learns from postings, ranks them for a profile, explains, saves and loads.

The one conductor: features, index, filters, boosts and store know nothing of each other.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher import analyzer, engines, store
from matcher._version import __version__
from matcher.base import Query
from matcher.boosts import BOOSTS, Boost
from matcher.catalogue import Catalogue
from matcher.counts import BlockIndex
from matcher.engines import EngineChoice
from matcher.errors import (
    DuplicatePostingError,
    ModelDamagedError,
    ModelSchemaError,
    OptionError,
    PostingError,
)
from matcher.features import FeatureBlock, block_from_settings, check_blocks, default_blocks
from matcher.filters import select_postings
from matcher.index import Index, Ranking
from matcher.learning import BlockFeatures, BlockQuery, fit_block
from matcher.personal import remove_personal_data
from matcher.posting import Posting
from matcher.profile import Profile
from matcher.recommendation import Contribution, Recommendation, Recommendations

if TYPE_CHECKING:
    from concurrent.futures import Executor

__all__: Final = ["Matcher"]

BATCH: Final = 64
"""Profiles that pass over the postings together."""

Progress = Callable[[str, int, int], None]
"""Called with a stage, how many of it are done, and how many there are (0 when not known)."""


class Matcher:
    """Ranks postings against a profile. Make one with `fit` or `load`; it does not change afterwards.

    A matcher may be used by any number of threads at once. Other processes load the model themselves: a
    matcher cannot be pickled.

    Examples
    --------
    >>> matcher = Matcher.fit([
    ...     Posting(id="1", title="Staff Nurse", body="Care for patients on our ward", hashtags=["nursing"]),
    ...     Posting(id="2", title="Pastry Chef", body="Bake bread and cakes in our kitchen"),
    ... ])
    >>> for recommendation in matcher.recommend("Nurse with five years on a surgical ward", k=1):
    ...     print(recommendation.rank, f"{recommendation.score:.3f}", recommendation.posting.title)
    1 0.632 Staff Nurse
    """

    def __init__(
        self, catalogue: Catalogue, features: Sequence[BlockFeatures], index: Index, engine: str | None = None
    ) -> None:
        self._catalogue = catalogue
        self._features = tuple(features)
        self._index = index
        self._engines = EngineChoice(index.blocks, index.rows, engine)
        self._replaced: tuple[str, ...] = ()
        self._generation = 0

    @classmethod
    def fit(
        cls,
        postings: Iterable[Posting],
        *,
        blocks: Sequence[FeatureBlock] | None = None,
        strict: bool = False,
        engine: str | None = None,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> Matcher:
        """Learn vocabularies and weights from postings, and index them.

        The order of the postings does not matter, except that of several with one id the last wins
        (see `replaced`).

        Parameters
        ----------
        postings : iterable of Posting
            Such as ``read_postings("seeds/")``. None at all gives a matcher that recommends nothing.
        blocks : sequence of FeatureBlock, optional
            Feature blocks to use instead of `matcher.features.default_blocks`, at most one of each name.
        strict : bool
            Raise when two postings share an id but differ, instead of letting the last win.
        engine : {"base", "fast"}, optional
            Who counts words and finds candidates; see `engine`. The model and the rankings are the same.
        threads : int
            At least 1. With compiled code, texts are read, split and counted in all of them, each with a
            vocabulary of its own until the end. Reading holds the interpreter's lock: more than two or three
            do not help.
        progress : callable, optional
            Called with ``(stage, done, total)``.

        Returns
        -------
        Matcher

        Raises
        ------
        DuplicatePostingError
            Only when `strict`.
        OptionError
            When a block has a negative weight, or comes twice, or all weights are 0.
        PostingError
            When something other than a `Posting` is among the postings.

        Examples
        --------
        >>> len(Matcher.fit([Posting(id="1", title="Cook"), Posting(id="1", title="Chef")]))
        1
        """
        chosen = check_blocks(default_blocks() if blocks is None else blocks)
        _check_at_least_1("threads", threads)
        by_id: dict[str, Posting] = {}
        replaced: dict[str, None] = {}
        for posting in postings:
            if not isinstance(posting, Posting):
                raise PostingError(
                    f"expected a Posting, got {type(posting).__name__}: use read_postings() for files"
                )
            before = by_id.get(posting.id, posting)
            if before != posting:
                if strict:
                    raise DuplicatePostingError(f"two different postings have the id {posting.id!r}")
                replaced[posting.id] = None
            by_id[posting.id] = posting
        ordered = [by_id[posting_id] for posting_id in sorted(by_id)]
        compiled = engines.compiles(engine, len(ordered))
        features, indexes = [], []
        for block in chosen:
            reported = _reporting(ordered, f"counting {block.name}", progress)
            fitted, block_index = fit_block(block, reported, compiled=compiled, threads=threads)
            features.append(fitted)
            indexes.append(block_index)
        matcher = cls(Catalogue.from_postings(ordered), features, Index(tuple(indexes), len(ordered)), engine)
        matcher._replaced = tuple(replaced)
        return matcher

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
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
        >>> [ranking[0].posting.title for ranking in matcher.recommend_many(["nurse", "cook"], k=1)]
        ['Nurse', 'Cook']
        """
        _check_at_least_1("k", k)
        _check_at_least_1("threads", threads)
        listed = [_as_profile(profile) for profile in profiles]
        if isinstance(filters, Mapping):
            filters = {name: value for name, value in filters.items() if value is not None}
        mask, removed = select_postings(self._catalogue, {} if filters is None else filters)
        boosts = _order_boosts(boosts)
        lifts = self._lifts(boosts)
        considered = int(np.count_nonzero(mask))
        engine = self._engines.choose(len(listed))
        found: list[Recommendations] = []

        def rank_batch(batch: Sequence[Profile]) -> list[Recommendations]:
            queries = [Query(blocks, mask if filters else None, lifts) for blocks in self._queries(batch)]
            rankings = self._index.search_many(queries, int(k), engine)
            read = cache(self._catalogue.__getitem__)  # the same postings are recommended to many
            return [
                self._recommendations(profile, query, ranking, boosts, considered, removed, read)
                for profile, query, ranking in zip(batch, queries, rankings, strict=True)
            ]

        size = max(1, min(BATCH, -(-len(listed) // int(threads))))
        batches = [listed[start : start + size] for start in range(0, len(listed), size)]
        with _make_pool(threads if len(batches) > 1 else 1) as pool:
            for batch in pool.map(rank_batch, batches) if pool else map(rank_batch, batches):
                found += batch
                if progress is not None:
                    progress("ranking", len(found), len(listed))
        return found

    def _recommendations(
        self,
        profile: Profile,
        query: Query,
        ranking: Ranking,
        boosts: Sequence[Boost],
        considered: int,
        removed: Mapping[str, int],
        read: Callable[[int], Posting],
    ) -> Recommendations:
        items = self._describe(ranking, range(1, len(ranking.rows) + 1), boosts, read)
        return Recommendations(
            items, considered, removed, self._notice(profile, query.blocks, items, considered)
        )

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
        >>> matcher = Matcher.fit([Posting(id="1", title="Cook"), Posting(id="2", title="Nurse")])
        >>> matcher.explain("Nurse in Bern", "2").contributions
        (Contribution(block='text', feature='nurse', value=1.0),)
        """
        row = self._catalogue.row(posting_id)
        boosts = _order_boosts(boosts)
        query = Query(self._queries([_as_profile(profile)])[0], None, self._lifts(boosts))
        rank, alone = self._index.rank_of(query, row)
        return self._describe(alone, [rank], boosts, self._catalogue.__getitem__)[0]

    def save(self, path: str | os.PathLike[str]) -> int:
        """Write the matcher as the next generation of the model directory `path`, atomically.

        Returns
        -------
        int
            The generation's number.

        Raises
        ------
        ModelWriteError
            When it cannot be written; the model that was there still is.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Matcher.fit([Posting(id="1", title="Cook")]).save(folder)
        1
        """
        files = self._catalogue.to_files()
        settings = []
        for fitted, block_index in zip(self._features, self._index.blocks, strict=True):
            block = fitted.block
            files |= fitted.to_files() | block_index.to_files(block.name)
            settings.append({"postings": fitted.postings, "settings": block.settings()})
        content = {
            "analyzer": analyzer.VERSION,
            "blocks": settings,
            "library": __version__,
            "postings": len(self._catalogue),
            "unicode": unicodedata.unidata_version,
        }
        return store.write_model(path, content, files)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, verify: bool = True, engine: str | None = None) -> Matcher:
        """Open the current generation of a model directory.

        Arrays are memory-mapped. Nothing in the model is executed, and everything is checked first.

        Parameters
        ----------
        path : path-like
        verify : bool
            Also compare every file with its SHA-256. Without, positions, numbers and sizes are checked, so
            that nothing crashes, but not whether the entries by posting and by term are the same ones.
        engine : {"base", "fast"}, optional
            Who finds candidates; see `engine`. The rankings are the same.

        Raises
        ------
        ModelError
            When there is no model, or it is damaged, or of another version.

        Examples
        --------
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Matcher.fit([Posting(id="1", title="Cook")]).save(folder)
        ...     print(Matcher.load(folder))
        <Matcher: 1 posting, 1 text and 0 hashtags features>
        """
        stored = store.read_model(path, verify=verify)
        try:
            matcher = cls._from_stored(stored, engine)
        except KeyError as error:
            raise ModelDamagedError(f"{path}: {error} is missing from the model; train it again") from None
        except ModelDamagedError as error:
            raise type(error)(f"{path}: {error}; train the model again") from None
        stored.release()
        matcher._generation = stored.generation
        return matcher

    @classmethod
    def _from_stored(cls, stored: store.StoredModel, engine: str | None) -> Matcher:
        content = stored.content
        if content["analyzer"] != analyzer.VERSION:
            raise ModelSchemaError(
                f"the model's words were made by analyzer {content['analyzer']!r}, this version has "
                f"{analyzer.VERSION}: train the model again"
            )
        catalogue = Catalogue.from_files(stored.files)
        rows = len(catalogue)
        if content["postings"] != rows or not isinstance(content["blocks"], list):
            raise ModelDamagedError("manifest.json: number of postings or list of blocks is wrong")
        features, indexes = [], []
        for entry in content["blocks"]:
            if not isinstance(entry, dict) or not isinstance(entry["settings"], dict):
                raise ModelDamagedError("manifest.json: malformed block")
            block = block_from_settings(entry["settings"])
            if type(entry["postings"]) is not int or entry["postings"] != rows:
                raise ModelDamagedError(
                    f"manifest.json: block {block.name!r} was not fitted on {rows} postings"
                )
            fitted = BlockFeatures.from_files(stored.files, block, rows)
            size = rows, len(fitted.vocabulary)
            block_index = BlockIndex.from_files(stored.files, block.name, float(block.weight), *size)
            if not np.array_equal(fitted.document_frequency, np.diff(block_index.by_term.starts)):
                raise ModelDamagedError(f"{block.name}: document frequencies differ from the matrix")
            features.append(fitted)
            indexes.append(block_index)
        try:
            check_blocks([fitted.block for fitted in features])
        except OptionError as error:
            raise ModelDamagedError(f"manifest.json: {error}") from None
        return cls(catalogue, features, Index(tuple(indexes), rows), engine)

    @property
    def postings(self) -> Catalogue:
        """The postings, in ascending order of id.

        Examples
        --------
        >>> [posting.id for posting in Matcher.fit([Posting(id="2"), Posting(id="1")]).postings]
        ['1', '2']
        """
        return self._catalogue

    @property
    def features(self) -> tuple[BlockFeatures, ...]:
        """What each feature block learned.

        Examples
        --------
        >>> [len(fitted.vocabulary) for fitted in Matcher.fit([Posting(id="1", title="Cook")]).features]
        [1, 0]
        """
        return self._features

    @property
    def replaced(self) -> tuple[str, ...]:
        """Ids that `fit` met with different contents; the last one was kept.

        Examples
        --------
        >>> Matcher.fit([Posting(id="1", title="Cook"), Posting(id="1", title="Chef")]).replaced
        ('1',)
        """
        return self._replaced

    @property
    def engine(self) -> str:
        """The engine in use: ``base`` (numpy alone) or ``fast``.

        Unless one was asked for, ``fast`` takes over from the third profile on when the extra ``[fast]`` is
        installed and there are 2,000 postings or more; `fit` uses compiled code from 10,000 postings on.
        Compiling takes seconds once, loading compiled code a fraction.

        Examples
        --------
        >>> Matcher.fit([], engine="base").engine
        'base'
        """
        return self._engines.current.name

    @property
    def generation(self) -> int:
        """The generation it was loaded from, 0 when it was fitted.

        Examples
        --------
        >>> Matcher.fit([]).generation
        0
        """
        return self._generation

    def __len__(self) -> int:
        return len(self._catalogue)

    def __repr__(self) -> str:
        sizes = " and ".join(f"{len(fitted.vocabulary):,} {fitted.block.name}" for fitted in self._features)
        return f"<Matcher: {len(self):,} posting{'' if len(self) == 1 else 's'}, {sizes} features>"

    def _queries(self, profiles: Sequence[Profile]) -> list[tuple[BlockQuery, ...]]:
        profiles = [remove_personal_data(profile) for profile in profiles]
        tokens = self._engines.split([profile.text for profile in profiles])
        blocks = [fitted.queries(profiles, tokens) for fitted in self._features]
        return list(zip(*blocks, strict=True)) if blocks else [()] * len(profiles)

    def _lifts(self, boosts: Sequence[Boost]) -> list[NDArray[np.float64]]:
        return [boost.values(self._catalogue) for boost in boosts]

    def _describe(
        self,
        ranking: Ranking,
        ranks: Iterable[int],
        boosts: Sequence[Boost],
        read: Callable[[int], Posting],
    ) -> tuple[Recommendation, ...]:
        table, scores = ranking.contributions, ranking.scores.tolist()
        bounds = np.searchsorted(table.positions, np.arange(len(scores) + 1)).tolist()
        described = []
        for position, (rank, row) in enumerate(zip(ranks, ranking.rows.tolist(), strict=True)):
            posting = read(row)
            entries = slice(bounds[position], bounds[position + 1])
            parts = table.blocks[entries], table.features[entries], table.values[entries]
            explain = partial(self._explain, parts, boosts, posting)
            described.append(Recommendation(rank, scores[position], posting, explain))
        return tuple(described)

    def _explain(
        self, parts: tuple[NDArray[Any], ...], boosts: Sequence[Boost], posting: Posting, limit: int | None
    ) -> tuple[Contribution, ...]:
        """Return the largest contributions, at most `limit`: equal ones by block and feature."""
        blocks, features, values = parts
        names = [*(fitted.block.name for fitted in self._features), *(boost.name for boost in boosts)]
        # Vocabularies are sorted, so positions sort like terms; blocks sort by name.
        places = np.array([sorted(names).index(name) for name in names])
        order = np.lexsort((features, places[blocks], -values))[:limit]
        blocks, features, values = blocks[order], features[order], values[order]
        labels = np.empty(len(values), np.object_)
        for number, fitted in enumerate(self._features):
            mine = np.flatnonzero(blocks == number)
            labels[mine] = [*map(fitted.block.label, fitted.vocabulary.take(features[mine]))]
        for number, boost in enumerate(boosts, len(self._features)):
            labels[blocks == number] = boost.label(posting)
        named = [names[block] for block in blocks.tolist()]
        return tuple(map(Contribution._make, zip(named, labels.tolist(), values.tolist(), strict=True)))

    def _notice(
        self,
        profile: Profile,
        queries: Sequence[BlockQuery],
        items: Sequence[Recommendation],
        considered: int,
    ) -> str:
        if not len(self):
            return "there are no postings to rank"
        if not considered:
            return "the filters leave no posting"
        lifted = items[0].score > 0
        if not profile.text.strip():
            return "the profile is empty: " + ("only boosts count" if lifted else "every score is 0")
        if not any(len(query.features) for query in queries):
            return "the profile shares no word with any posting: " + (
                "only boosts count" if lifted else "every score is 0"
            )
        return (
            "" if lifted else "the profile shares nothing with the postings that are left: every score is 0"
        )


def _make_pool(threads: int) -> AbstractContextManager[Executor | None]:
    if threads == 1:
        return nullcontext()
    from concurrent.futures import ThreadPoolExecutor  # one CV in a new process does without

    return ThreadPoolExecutor(threads)


def _check_at_least_1(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise OptionError(f"{name} must be a whole number of at least 1, got {value!r}")


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


def _reporting(postings: Sequence[Posting], stage: str, progress: Progress | None) -> Iterator[Posting]:
    for done, posting in enumerate(postings):
        if progress is not None and done % 100 == 0:
            progress(stage, done, len(postings))
        yield posting
    if progress is not None:
        progress(stage, len(postings), len(postings))
