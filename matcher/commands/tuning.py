"""The command that chooses weights of feature blocks by judged CVs: `tune`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import click

from matcher.commands.evaluating import read_judged
from matcher.commands.group import ClearCommand
from matcher.commands.options import find_model, json_option, key_option, model_option, not_empty
from matcher.commands.output import MOST_SHOWN, print_json, show_progress
from matcher.cv import read_cv
from matcher.errors import JudgementError, OptionError
from matcher.evaluate import Measure, find_cvs, parse_measure, read_events, read_queries
from matcher.evaluate.qrels import is_json
from matcher.profile import Profile
from matcher.ranker import Matcher
from matcher.terminal import count_postings, make_console, printable, write_line
from matcher.text import repair
from matcher.tuning import FEWEST_CVS, Tuning
from matcher.tuning import tune as tune_weights

__all__: Final = ["tune"]


def _parse_measure(ctx: click.Context, parameter: click.Parameter, value: str) -> Measure:
    try:
        return parse_measure(value)
    except OptionError as error:
        raise click.BadParameter(str(error)) from None


@click.command(cls=ClearCommand, short_help="Choose weights of words, hashtags, ... by judged CVs.")
@model_option
@click.option(
    "--judgements",
    metavar="FILE",
    callback=not_empty,
    help="Which postings fit which CV: JSON, or TREC qrels (query 0 posting grade).",
)
@click.option(
    "--likes",
    metavar="FILE",
    callback=not_empty,
    help="Who applied, liked, viewed or disliked: JSON Lines or CSV with profile (or text), posting, event.",
)
@click.option(
    "--cvs",
    metavar="FOLDER",
    callback=not_empty,
    help="The CVs of qrels and likes: files named as the queries or profiles.",
)
@click.option(
    "--queries",
    metavar="FILE",
    callback=not_empty,
    help="The CVs of qrels and likes: lines of name, tab, text.",
)
@click.option(
    "--measure",
    default="ndcg@10",
    show_default=True,
    metavar="NAME[@K]",
    callback=_parse_measure,
    help="What is to become better; see evaluate.",
)
@click.option(
    "--folds",
    type=click.IntRange(2, FEWEST_CVS),
    default=5,
    show_default=True,
    metavar="N",
    help="Parts of the CVs; each is left out once, and ranked by what the others chose; ten times over.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    metavar="N",
    help="Which CVs are left out together, and what the bootstrap draws.",
)
@click.option("--write", is_flag=True, help="Publish the tuned weights as the next generation, if better.")
@json_option
@key_option
def tune(
    model: str | None,
    judgements: str | None,
    likes: str | None,
    cvs: str | None,
    queries: str | None,
    measure: Measure,
    folds: int,
    seed: int,
    write: bool,
    as_json: bool,
    key: bytes | None,
) -> None:
    """Choose how much each feature block weighs by judged CVs, and say whether that is better for others.

    CVs take turns at being left out and are ranked by weights that the others chose. Only when these are
    ranked better by more than chance are the tuned weights recommended, and with --write published. In
    every other case the model keeps its weights, and the exit status is 0 as well.

    \b
    Examples: matcher tune --model models/jobs --judgements fit.qrels --cvs cvs/
              matcher tune --model models/jobs --likes log.jsonl --queries cvs.tsv --write
    """
    if judgements is None and likes is None:
        raise click.UsageError("nothing to tune by: give --judgements, --likes or both")
    if write and model is None:
        raise click.UsageError("--write needs to be told which model: --model DIR")
    folder = find_model(model, "say which model to tune: --model DIR")
    profiles, grades = _read_all(judgements, likes, cvs, queries)
    matcher = Matcher.load(folder, key=key)
    with show_progress() as progress:
        tuning = tune_weights(
            matcher, profiles, grades, measure=measure, folds=folds, seed=seed, threads=2, progress=progress
        )
    _print_left_out(tuning)
    generation = None
    if write and tuning.is_better:
        note = {"tuned": {name: value for name, value in tuning.to_record().items() if name != "folds"}}
        generation = matcher.with_weights(tuning.weights).save(folder, note=note)
    if as_json:
        print_json({"model": folder, "generation": generation} | tuning.to_record())
        return
    _show(tuning, folder, matcher, generation)


def _read_all(
    judgements: str | None, likes: str | None, folder: str | None, queries: str | None
) -> tuple[dict[str, Profile], dict[str, Mapping[str, int]]]:
    """Return CVs and grades of judgements and likes; the judgements count where both say something."""
    if folder is not None and queries is not None:
        raise click.UsageError("use either --cvs or --queries, not both")
    profiles: dict[str, Profile] = {}
    grades: dict[str, Mapping[str, int]] = {}
    if judgements is not None:
        if likes is not None and is_json(judgements):
            # CVs judged in JSON lie beside it; the options are for those of the likes.
            profiles, judged = read_judged(judgements, None, None)
        else:
            profiles, judged = read_judged(judgements, folder, queries)
        grades = dict(judged)
    if likes is not None:
        more, liked = _read_likes(likes, folder, queries, profiles)
        profiles |= more
        grades |= {name: {**listed, **grades.get(name, {})} for name, listed in liked.items()}
    return profiles, grades


def _read_likes(
    likes: str, folder: str | None, queries: str | None, known: Mapping[str, Profile]
) -> tuple[dict[str, Profile], dict[str, dict[str, int]]]:
    """Return the profiles of a log that are not known, and what all its events come to."""
    events = read_events(likes)
    for rejected in events.rejected[:MOST_SHOWN]:
        write_line(printable(f"  rejected {likes}:{rejected}"), error=True)
    if count := len(events.rejected):
        write_line(f"{events.read:,} events read, {count:,} rejected", error=True)
    own = {name: text for name, text in events.texts.items() if name not in known}
    profiles = {name: Profile(repair(text)) for name, text in own.items()}
    unknown = [name for name in events.grades if name not in known and name not in profiles]
    if unknown and folder is not None:
        profiles |= {name: read_cv(path) for name, path in find_cvs(unknown, folder, likes).items()}
    elif unknown and queries is not None:
        listed = read_queries(queries)
        if missing := [name for name in unknown if name not in listed]:
            raise JudgementError(f"{queries}: no CV of {missing[0]!r}, which {likes} names")
        profiles |= {name: Profile(repair(listed[name])) for name in unknown}
    elif unknown:
        raise click.UsageError(
            f"the CV of {unknown[0]!r} and the like are elsewhere: say where with --cvs FOLDER or "
            "--queries FILE, or give texts in the log"
        )
    return profiles, events.grades


def _print_left_out(tuning: Tuning) -> None:
    if tuning.missing:
        _note(f"judgements about postings that are not held: {tuning.missing:,}; left out")
    if tuning.left_out:
        _note(f"CVs for which no posting that fits is held: {tuning.left_out:,}; left out")


def _note(text: str) -> None:
    write_line(f"note: {text}", error=True)


def _show(tuning: Tuning, model: str, matcher: Matcher, generation: int | None) -> None:
    from matcher.tuning_report import describe_weights, render_choices, render_tuning

    tried = f"{tuning.candidates:,} weights tried on {tuning.cvs:,} CVs"
    write_line(printable(f"{model}: {count_postings(len(matcher))}, {tried}"))
    console = make_console()
    for part in (render_choices(tuning), render_tuning(tuning)):
        console.print(part)
        write_line("")
    default, chosen = describe_weights(tuning.default), describe_weights(tuning.chosen)
    if not tuning.is_better:
        write_line(f"keep {default}: {tuning.reason}")
    elif generation is None:
        write_line(f"better: {chosen} instead of {default}: {tuning.reason}")
        write_line("nothing was written; --write publishes these weights")
    else:
        write_line(f"generation {generation}: {chosen} instead of {default}: {tuning.reason}")
