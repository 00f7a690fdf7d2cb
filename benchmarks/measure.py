"""What is measured, in the coordinator's process: every function asks workers and returns plain values."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from team import Team

Report = Callable[[str], None]

ROUNDS = 3
"""Times that a small corpus is indexed by each builder, taking turns."""

INTERLEAVED = 10_000
"""Postings up to which builders take turns; beyond, one at a time fits into memory."""

LONG = 180.0
"""Seconds from which a batch is cut to a tenth."""

TRIAL = 60.0
"""Seconds that trying one way of a batch should take at most."""


def index(
    builders: Sequence[str], corpus: Path, postings: int, folders: Mapping[str, Path], report: Report
) -> tuple[dict[str, Any], dict[str, str]]:
    """Have every builder index the corpus into its folder; return its figures, and why builders are out."""
    turns = [list(builders)] if postings <= INTERLEAVED else [[name] for name in builders]
    figures: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    for names in turns:
        with Team("build", report) as team:
            for name in names:
                team.hire(name)
                team.ask(name, "read", corpus=str(corpus), folder=str(folders[name]))
            for _ in range(ROUNDS if len(turns) == 1 else 1):
                for name in team.names:
                    report(f"indexing: {name}")
                    figures.setdefault(name, []).append(team.ask(name, "build"))
            for name in team.names:
                about = team.ask(name, "save")
                figures[name] = {"rounds": figures[name], "about": about}
            left_out |= team.left_out
    return {name: values for name, values in figures.items() if name not in left_out}, left_out


def load(
    team: Team, servers: Mapping[str, str], corpus: Path, folders: Mapping[str, Path], report: Report
) -> dict[str, dict[str, Any]]:
    """Start the servers (each with its builder) and return the labels that each one offers."""
    offers = {}
    for name, builder in servers.items():
        report(f"loading: {name}")
        team.hire(name)
        offer = team.ask(name, "load", corpus=str(corpus), folder=str(folders[builder]))
        if offer is not None:
            offers[name] = offer
    return offers


def choose(team: Team, cvs: Sequence[int], report: Report) -> dict[str, Any]:
    """Let every server find its quickest way to answer one CV; return what each way took."""
    tried = {}
    for name in team.names:
        report(f"choosing the quickest way: {name}")
        tried[name] = team.ask(name, "choose", cvs=list(cvs))
    return {name: ways for name, ways in tried.items() if ways}


def rank_one_by_one(
    team: Team, offers: Mapping[str, Any], cvs: Sequence[int], warm_up: Sequence[int], report: Report
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return seconds, and ids, of every call for every CV: each CV goes to all systems before the next."""
    calls = [(name, label) for name, offer in offers.items() for label in offer["calls"]]
    order = np.random.default_rng(0)  # nobody profits from always following the same one
    seconds: dict[str, Any] = {name: {} for name in offers}
    ids: dict[str, Any] = {name: {} for name in offers}
    for number, cv in enumerate([*warm_up, *cvs]):
        if number % 10 == 0:
            report(f"ranking CV {number} of {len(warm_up) + len(cvs)}")
        for place in order.permutation(len(calls)):
            name, label = calls[place]
            answer = team.ask(name, "call", label=label, cv=cv)
            if answer is not None and number >= len(warm_up):
                seconds[name].setdefault(label, []).append(answer["seconds"])
                ids[name].setdefault(label, []).append(answer["ids"])
    return {name: seconds[name] for name in team.names}, ids


def rank_batches(
    team: Team,
    offers: Mapping[str, Any],
    count: int,
    seconds: Mapping[str, Any],
    ids: Mapping[str, Any],
    report: Report,
) -> list[dict[str, Any]]:
    """Return a row for each batch of each system, ranked in the quickest of its ways."""
    rows = []
    for name in team.names:
        for label, ways in offers[name]["batches"].items():
            report(f"batch: {name} {label}")
            row = _rank_batch(team, name, label, ways, count, float(np.median(seconds[name][""])))
            if row is not None:
                found = row.pop("ids")
                single = ids[name][""][: len(found)]
                same = sum(a == b for a, b in zip(found, single, strict=False))
                rows.append(row | {"name": name, "label": label, "same": same, "compared": len(single)})
    return rows


def _rank_batch(
    team: Team, name: str, label: str, ways: Sequence[str], count: int, single: float
) -> dict[str, Any] | None:
    """Try each way with a few CVs, then rank all of them, or a tenth when that would take too long."""
    few = int(min(max(2, count // 10), max(2, TRIAL / single)))
    for way in ways:  # compiles what only batches use
        team.ask(name, "batch", label=label, way=way, count=2, sample=0)
    tried = {ways[0]: single} if len(ways) == 1 else {}
    for way in ways if not tried else ():
        answer = team.ask(name, "batch", label=label, way=way, count=few, sample=0)
        if answer is None:
            return None
        tried[way] = answer["seconds"] / few
    best = min(tried, key=tried.__getitem__)
    ranked = count if tried[best] * count <= LONG else max(2, count // 10)
    answer = team.ask(name, "batch", label=label, way=best, count=ranked, sample=60)
    return None if answer is None else answer | {"way": best, "tried": tried, "cvs": ranked}


def remember(team: Team) -> dict[str, Any]:
    """Return the memory of every server."""
    memory = {name: team.ask(name, "memory") for name in team.names}
    return {name: values for name, values in memory.items() if values is not None}
