"""Other weights without counting anew; weights chosen on judged CVs where they help, and only there."""

import json
import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher import JudgementError, Matcher, ModelConflictError, OptionError, Posting, Profile
from matcher.evaluate import paired_interval, parse_measure, randomisation_test
from matcher.features import BLOCKS, TextBlock
from matcher.quality import measure_quality
from matcher.retraining import retrain
from matcher.store.generations import history
from matcher.tuning import FEWEST_CVS, tune
from matcher.weight_search import (
    MOST_ON_GRID,
    candidate_weights,
    choose_candidate,
    deal_folds,
    distance,
)
from tests.judged_boards import fit, judge_by, make_board, make_cvs, make_noise
from tests.likeness import assert_alike, bits
from tests.strategies import TAGS, WORDS, full_boards

NAMES = list(BLOCKS)


@pytest.fixture(scope="module")
def planted():
    """A matcher, CVs, and judgements that only hashtags explain."""
    matcher = fit(make_board(0))
    cvs = make_cvs(0)
    return matcher, cvs, judge_by(matcher, {"text": 0, "hashtags": 1}, cvs)


# --- other weights --------------------------------------------------------------------------------


def with_block_weights(weights):
    return [BLOCKS[name](weight=weight) for name, weight in weights.items()]


some_weights = st.fixed_dictionaries(
    {name: st.sampled_from([0.0, 0.1, 0.3, 1.0, 2.5]) for name in NAMES}
).filter(lambda weights: any(weights.values()))


@given(full_boards, some_weights, some_weights, st.sampled_from(["base", "fast", None]))
@settings(deadline=None, max_examples=15)
def test_other_weights_rank_as_a_fit_with_them(board, before, after, engine):
    matcher = Matcher.fit(board, blocks=with_block_weights(before), engine=engine)
    expected = Matcher.fit(board, blocks=with_block_weights(after), engine="base")
    assert_alike(matcher.with_weights(after), expected, sizes=(2, 50), explained=1)


@pytest.mark.parametrize("engine", ["base", "fast"])
def test_engines_that_are_built_already_take_other_weights(engine):
    board = [
        Posting(
            id=f"p{number:04}",
            title=WORDS[number % len(WORDS)],
            body=" ".join(WORDS[(number * step + step) % len(WORDS)] for step in (1, 2, 3, 5)),
            hashtags=[TAGS[number % len(TAGS)]],
        )
        for number in range(2_400)
    ]
    cvs = [" ".join(WORDS[first : first + 9]) for first in range(18)]
    matcher = Matcher.fit(board, blocks=with_block_weights(dict.fromkeys(NAMES, 0.5)), engine=engine)
    before = list(map(bits, matcher.recommend_many(cvs)))
    zero = matcher.with_weights({"text": 0.0})
    zero.recommend_many(cvs)  # what a block without weight leaves out must not be missing afterwards
    for first, second in (("text", "hashtags"), ("text", NAMES[-1])):
        weights = {**dict.fromkeys(NAMES, 0.0), first: 0.2, second: 0.8}
        expected = Matcher.fit(board, blocks=with_block_weights(weights))
        assert_alike(
            zero.with_weights(weights), expected, profiles=cvs, calls=[{}], sizes=(1, 10), explained=1
        )
    assert list(map(bits, matcher.recommend_many(cvs))) == before


def test_other_weights_of_several_segments_and_after_learning_anew():
    board = make_board(1)
    matcher = Matcher.fit(board[:40])
    matcher.add(board[40:50])
    matcher.remove(["p003"])
    other = matcher.with_weights({"hashtags": 0.6})
    assert not other.is_fitted
    held = [one for one in board[:50] if one.id != "p003"]
    for changed in (other, other.with_weights({"text": 0.7})):
        changed.refit()
        weights = {fitted.block.name: fitted.block.weight for fitted in changed.features}
        assert weights["hashtags"] == 0.6
        assert_alike(changed, Matcher.fit(held, blocks=with_block_weights(weights)), explained=1)


def test_the_two_matchers_go_their_own_ways():
    matcher = Matcher.fit(make_board(2))
    ranking = bits(matcher.recommend("word1 tag1 word2"))
    other = matcher.with_weights({"text": 0.1, "hashtags": 0.9})
    other.remove(["p001"])
    assert (len(matcher), len(other)) == (60, 59)
    matcher.remove(["p002", "p003"])
    assert (len(matcher), len(other)) == (58, 59)
    matcher.add([make_board(2)[number] for number in (2, 3)])
    matcher.refit()
    assert bits(matcher.recommend("word1 tag1 word2")) == ranking


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ({"titel": 1.0}, "unknown block 'titel': use one of text, hashtags"),
        ({"text": -0.5}, "weight of block 'text' must be 0 or a number from 1e-09 to 1e\\+09, got -0.5"),
        ({"text": math.nan}, "got nan"),
        ({"text": "1"}, "got '1'"),
        ({"text": True}, "got True"),
        ({"text": 0, "hashtags": 0}, "at least one feature block needs a weight above 0"),
        ([0.5, 0.5], "expected weights by name"),
    ],
)
def test_senseless_weights_are_refused(weights, reason):
    matcher = fit(make_board(0, 5))
    with pytest.raises(OptionError, match=reason):
        matcher.with_weights(weights)


def test_other_weights_are_published_beside_linked_segments_and_kept_by_retraining(tmp_path):
    Matcher.fit(make_board(0)).save(tmp_path, key=b"0123456789abcdef")
    matcher = Matcher.load(tmp_path, key=b"0123456789abcdef")
    other = matcher.with_weights({"text": 0.25, "hashtags": 0.75})
    assert (matcher.generation, other.generation) == (1, 1)
    assert other.save(tmp_path) == 2
    with pytest.raises(ModelConflictError):
        matcher.save(tmp_path)
    assert_alike(Matcher.load(tmp_path, key=b"0123456789abcdef"), other, explained=1)
    first, second = (tmp_path / f"gen-0000000{number}" for number in (1, 2))
    same = [file.name for file in first.iterdir() if (second / file.name).samefile(file)]
    assert [name for name in same if "text" in name and "counts" in name]
    assert retrain(tmp_path, make_board(9, 70), key=b"0123456789abcdef").generation == 3
    weights = {f.block.name: f.block.weight for f in Matcher.load(tmp_path).features}
    assert (weights["text"], weights["hashtags"]) == (0.25, 0.75)


def test_a_matcher_with_other_weights_has_changes_to_save(tmp_path):
    Matcher.fit(make_board(0, 5)).save(tmp_path)
    matcher = Matcher.load(tmp_path)
    same, other = matcher.with_weights({}), matcher.with_weights({"text": 0.1})
    matcher.with_weights({"text": 0.2}).save(tmp_path)
    with pytest.raises(ModelConflictError, match="has changes that were not saved"):
        other.reload_if_changed()
    assert same.reload_if_changed()
    assert same.features[0].block.weight == 0.2


# --- what is tried, and how it is chosen ----------------------------------------------------------


@pytest.mark.parametrize("blocks", range(2, 9))
def test_the_weights_to_try_share_out_the_same_sum_and_hold_every_block_alone(blocks):
    names = [f"block{number}" for number in range(blocks)]
    default = {name: 0.5 + number for number, name in enumerate(names)}
    total = sum(default.values())
    found = candidate_weights(default, names)
    assert found[0] == default
    assert len(found) <= 1 + MOST_ON_GRID + 4 * blocks
    assert len({tuple(weights.values()) for weights in found}) == len(found)
    for weights in found:
        assert [*weights] == names
        assert min(weights.values()) >= 0
        assert sum(weights.values()) == pytest.approx(total, rel=0.01 * blocks)
    for name in names:
        assert any(weights[name] == pytest.approx(total) for weights in found)
        assert any(
            weights[name] == 0 and all(weights[other] for other in names if other != name)
            for weights in found
        )
    assert candidate_weights(default, names) == found


def test_blocks_without_data_keep_their_weight_and_one_block_leaves_no_choice():
    default = {"a": 0.5, "b": 0.2, "c": 0.3}
    found = candidate_weights(default, ["a", "c"])
    assert {weights["b"] for weights in found} == {0.2}
    assert {"a": 0.8, "b": 0.2, "c": 0.0} in found
    for free in ([], ["a"]):
        assert candidate_weights(default, free) == [default]
    # Blocks that weigh nothing yet are tried, too.
    assert {"a": 0.5, "c": 0.5} in candidate_weights({"a": 0.0, "c": 0.0}, ["a", "c"])


def test_the_distance_is_that_of_the_proportions():
    assert distance({"a": 1, "b": 1}, {"a": 3, "b": 3}) == 0
    assert distance({"a": 1, "b": 0}, {"a": 0, "b": 2}) == 1
    assert distance({"a": 7, "b": 3}, {"a": 0.5, "b": 0.5}) == pytest.approx(0.2)


@pytest.mark.parametrize("folds", [2, 5, 40, 99])
def test_folds_are_as_large_as_each_other_and_ignore_the_order(folds):
    names = [f"cv{number}" for number in range(37)]
    dealt = dict(zip(names, deal_folds(names, folds).tolist(), strict=True))
    sizes = [list(dealt.values()).count(fold) for fold in range(min(folds, 37))]
    assert max(sizes) - min(sizes) <= 1
    assert sum(sizes) == 37
    shuffled = random.Random(1).sample(names, 37)
    assert dict(zip(shuffled, deal_folds(shuffled, folds).tolist(), strict=True)) == dealt
    others = [deal_folds(names, folds, *more).tolist() for more in ((), (1,), (0, 1), (1, 1))]
    assert len({tuple(other) for other in others}) == 4


def test_the_nearest_of_those_that_are_about_the_best_is_chosen():
    default = np.linspace(0.2, 0.8, 12)
    steady, wild = np.full(12, 0.1), np.tile([0.5, -0.3], 6)
    assert choose_candidate(np.array([default, default + steady]), [0, 0.5]) == 1
    assert choose_candidate(np.array([default, default + wild]), [0, 0.5]) == 0  # better by chance
    values = np.array([default, default + steady, default + steady + wild / 50, default + steady])
    assert choose_candidate(values, [0, 0.5, 0.3, 0.4]) == 2
    assert choose_candidate(values, [0, 0.1, 0.3, 0.4]) == 1
    assert choose_candidate(np.array([default]), [0]) == 0


@pytest.mark.parametrize("gain", [0.1, 0.3, 1 / 3, 1.0])
@pytest.mark.parametrize("count", [20, 21, 57])
def test_one_cv_alone_changes_nothing(gain, count):
    # The mean difference is the standard error then, and rounding must not decide.
    better = np.zeros(count)
    better[3] = gain
    assert choose_candidate(np.array([np.zeros(count), better]), [0, 0.5]) == 0


def test_nothing_worse_than_the_default_is_chosen():
    # Uncertain enough to be about the best, and nearer than the best, but below the default.
    best = np.tile([0.9, 0.1], 10) + 0.05
    values = np.array([best - 0.05, np.tile([0.1, 0.9], 10) - 0.02, best])
    assert choose_candidate(values, [0.0, 0.1, 0.2]) == 2


# --- tuning ---------------------------------------------------------------------------------------


def test_what_is_planted_is_found(planted):
    matcher, cvs, grades = planted
    tuning = tune(matcher, cvs, grades)
    assert tuning.is_better
    assert tuning.weights == tuning.chosen
    assert tuning.chosen["hashtags"] > 0.8
    assert tuning.interval.low > 0.1
    assert tuning.p < 0.001
    assert (tuning.cvs, tuning.left_out, tuning.missing) == (40, 0, 0)
    assert [sum(fold.cvs for fold in tuning.folds[first : first + 5]) for first in range(0, 50, 5)] == [
        40
    ] * 10
    assert len(tuning.folds) == 50


@pytest.mark.parametrize("planted_in", ["title", "semantic"])
def test_what_is_planted_in_one_of_the_default_blocks_is_found(planted_in):
    draw = random.Random(0)
    trades = "nurse cook driver baker welder teacher plumber lawyer painter farmer".split()
    board = [
        Posting(
            id=f"p{number:02}",
            title=" ".join(draw.sample(trades, 2)),
            body=" ".join(draw.sample(trades, 4)),
            hashtags=draw.sample(trades, 2),
        )
        for number in range(40)
    ]
    cvs = {f"cv{number:02}": " ".join(draw.sample(trades, 4)) for number in range(FEWEST_CVS)}
    matcher = Matcher.fit(board)
    tuning = tune(matcher, cvs, judge_by(matcher, dict.fromkeys(NAMES, 0) | {planted_in: 1}, cvs))
    assert tuning.is_better
    assert tuning.chosen.keys() == tuning.default.keys() == set(NAMES)
    assert tuning.chosen[planted_in] > 0.8 * math.fsum(tuning.chosen.values())


def test_the_figures_are_those_of_the_measures(planted, monkeypatch):
    matcher, cvs, grades = planted
    monkeypatch.setattr("matcher.tuning.DEALINGS", 2)
    tuning = tune(matcher, cvs, grades, measure="map@5", folds=3, seed=7)
    dealt = [part for dealing in (0, 1) for part in deal_folds(sorted(cvs), 3, 7, dealing) + 3 * dealing]
    measure = parse_measure("map@5")

    def values(weights):
        quality = measure_quality(matcher.with_weights(weights), cvs, grades, [measure])
        return {cv.name: cv.values[0] for cv in quality.cvs}

    before, tuned = values(tuning.default), dict.fromkeys(cvs, 0.0)
    assert len(tuning.folds) == 6
    for number, fold in enumerate(tuning.folds):
        by_fold = values(fold.weights)
        names = [name for name, part in zip(sorted(cvs) * 2, dealt, strict=True) if part == number]
        tuned |= {name: tuned[name] + by_fold[name] / 2 for name in names}
        assert fold.cvs == len(names)
        assert fold.default == pytest.approx(sum(before[name] for name in names) / len(names))
        assert fold.tuned == pytest.approx(sum(by_fold[name] for name in names) / len(names))
    one, other = ([found[name] for name in sorted(cvs)] for found in (tuned, before))
    assert tuning.gain == pytest.approx(np.mean(one) - np.mean(other))
    assert tuning.interval == pytest.approx(paired_interval(one, other, seed=7))
    assert tuning.p == randomisation_test(one, other, seed=7)
    candidates = candidate_weights(tuning.default, [*tuning.default])
    assert tuning.candidates == len(candidates)
    best = max(sum(values(weights).values()) / 40 for weights in candidates)
    assert tuning.claimed == pytest.approx(best - tuning.default_mean)


def test_a_choice_never_sees_the_cvs_it_is_measured_by(planted, monkeypatch):
    """Other judgements of the CVs of a fold change what is measured there, and nothing that was chosen."""
    monkeypatch.setattr("matcher.tuning.DEALINGS", 1)
    matcher, cvs, grades = planted
    before = tune(matcher, cvs, grades)
    out = [name for name, fold in zip(sorted(cvs), deal_folds(sorted(cvs), 5), strict=True) if fold == 2]
    by_words = judge_by(matcher, {"text": 1, "hashtags": 0}, cvs)
    after = tune(matcher, cvs, grades | {name: by_words[name] for name in out})
    assert after.folds[2].weights == before.folds[2].weights
    assert after.folds[2].tuned < before.folds[2].tuned - 0.2


@pytest.fixture(scope="module")
def noise():
    """What tuning on judgements that mean nothing comes to, several times."""
    found = []
    for seed in range(8):
        board, cvs = make_board(seed), make_cvs(seed)
        found.append(tune(fit(board), cvs, make_noise(seed, cvs, board)))
    return found


@pytest.mark.parametrize("seed", range(8))
def test_noise_keeps_the_default(noise, seed):
    assert not noise[seed].is_better
    assert noise[seed].weights == noise[seed].default == {"text": 0.7, "hashtags": 0.3}


def test_noise_claims_more_on_the_cvs_that_chose(noise):
    assert sum(tuning.claimed for tuning in noise) / 8 > 0.005
    assert all(tuning.claimed >= tuning.gain for tuning in noise)
    assert sum(tuning.gain for tuning in noise) < sum(tuning.claimed for tuning in noise) / 3


def test_judgements_by_the_default_keep_the_default():
    matcher, cvs = fit(make_board(5)), make_cvs(5)
    tuning = tune(matcher, cvs, judge_by(matcher, {}, cvs))
    assert not tuning.is_better
    assert tuning.claimed == 0
    assert (tuning.gain, tuning.p) == (0, 1)
    assert tuning.reason == "no other weights are better by more than one standard error"


def test_few_cvs_that_differ_are_not_enough():
    """The bootstrap alone would be fooled: of twenty CVs it draws none of four in 1 % of the cases."""
    matcher = fit(make_board(0))
    tagged = dict(list(make_cvs(0).items())[:4])
    # Without hashtags, weights change nothing.
    cvs = tagged | {name: cv.partition(" tag")[0] for name, cv in list(make_cvs(0).items())[4:FEWEST_CVS]}
    grades = judge_by(matcher, {}, cvs) | judge_by(matcher, {"text": 0, "hashtags": 1}, tagged)
    tuning = tune(matcher, cvs, grades)
    assert tuning.interval.low > 0
    assert tuning.p == 0.125
    assert not tuning.is_better
    assert tuning.reason == "too few CVs left out are ranked differently: chance alone could have done it"


def test_the_order_of_everything_changes_nothing(planted):
    matcher, cvs, grades = planted
    wanted = tune(matcher, cvs, grades)
    draw = random.Random(4)
    names = draw.sample(sorted(cvs), len(cvs))
    shuffled = {name: dict(draw.sample(sorted(grades[name].items()), len(grades[name]))) for name in names}
    again = fit(draw.sample(make_board(0), 60), engine="fast")
    found = tune(again, {name: Profile(cvs[name]) for name in reversed(names)}, shuffled, threads=3)
    assert found == wanted
    assert json.dumps(found.to_record()) == json.dumps(wanted.to_record())


def test_another_seed_deals_other_folds(planted):
    first, second = (tune(*planted, seed=seed) for seed in (0, 1))
    assert [fold.default for fold in first.folds] != [fold.default for fold in second.folds]
    assert first.default_mean == second.default_mean
    assert first.is_better
    assert second.is_better


def test_cvs_of_the_same_text_count_once():
    matcher, cvs = fit(make_board(0)), make_cvs(0, FEWEST_CVS)
    grades = judge_by(matcher, {"text": 0, "hashtags": 1}, cvs)
    wanted = tune(matcher, cvs, grades)
    twice = tune(
        matcher,
        cvs | {f"{name}-again": Profile(text) for name, text in cvs.items()},
        grades | {f"{name}-again": listed for name, listed in grades.items()},
    )
    assert twice == wanted
    few = {name: text for name, text in cvs.items() if name != "cv00"} | {"x": cvs["cv01"]}
    with pytest.raises(JudgementError, match="19 of 20 judged CVs are distinct"):
        tune(matcher, few, {name: grades.get(name, grades["cv01"]) for name in few})


def test_too_few_cvs_are_refused_before_anything_is_tried(planted, monkeypatch):
    matcher, cvs, grades = planted
    few = dict(list(grades.items())[: FEWEST_CVS - 1]) | {"cv39": {"p000": 0}, "cv38": {"gone": 2}}
    done = []
    with pytest.raises(JudgementError, match=r"19 of 21 judged CVs .* takes 20: judge more"):
        tune(matcher, cvs, few, progress=lambda *step: done.append(step))
    assert done == []
    with pytest.raises(JudgementError, match="0 of 0 judged CVs"):
        tune(matcher, cvs, {})


def test_postings_that_are_not_held_are_left_out_and_counted(planted):
    matcher, cvs, grades = planted
    more = {name: {**listed, "gone-1": 2} for name, listed in grades.items()} | {"other": {"gone-2": 1}}
    tuning = tune(matcher, cvs | {"other": "word1"}, more)
    wanted = tune(matcher, cvs, grades)
    assert (tuning.missing, tuning.left_out, tuning.cvs) == (41, 1, 40)
    assert (tuning.folds, tuning.interval) == (wanted.folds, wanted.interval)


def test_with_one_block_there_is_nothing_to_choose():
    cvs = make_cvs(0)
    bare = [Posting(id=one.id, body=one.body) for one in make_board(0)]
    tagless = {name: cv.partition(" tag")[0] for name, cv in cvs.items()}
    for matcher, texts in (
        (Matcher.fit(make_board(0), blocks=[TextBlock()]), cvs),
        (fit(bare), cvs),
        (fit(make_board(0)), tagless),
    ):
        tuning = tune(matcher, texts, {name: {"p001": 1} for name in cvs})
        assert (tuning.candidates, tuning.gain, tuning.claimed) == (1, 0, 0)
        assert "nothing to choose" in tuning.reason
        assert not tuning.is_better


def test_the_matcher_stays_and_progress_is_told(planted):
    matcher, cvs, grades = planted
    before = bits(matcher.recommend(cvs["cv00"]))
    steps = []
    tuning = tune(matcher, cvs, grades, progress=lambda *step: steps.append(step))
    count = tuning.candidates
    assert steps == [("trying weights", number, count) for number in range(1, count + 1)]
    assert bits(matcher.recommend(cvs["cv00"])) == before


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"measure": "accuracy"}, "unknown measure"),
        ({"measure": "p"}, "as in p@10"),
        ({"folds": 1}, "folds must be a whole number of 2 to 20, got 1"),
        ({"folds": 21}, "2 to 20, got 21"),
        ({"folds": 2.0}, "folds must be"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": True}, "seed must be"),
        ({"threads": 0}, "threads must be"),
    ],
)
def test_senseless_options_are_refused(planted, options, reason):
    with pytest.raises(OptionError, match=reason):
        tune(*planted, **options)


def test_grades_without_a_cv_are_refused(planted):
    matcher, cvs, grades = planted
    with pytest.raises(OptionError, match="grades for the CV 'nobody', but no such CV"):
        tune(matcher, cvs, grades | {"nobody": {"p001": 1}})


def test_a_record_is_json_without_any_text(planted):
    matcher, cvs, grades = planted
    record = tune(matcher, cvs, grades).to_record()
    text = json.dumps(record, allow_nan=False)
    assert json.loads(text) == record
    assert not any(word in text for cv in cvs.values() for word in cv.split())
    assert "cv00" not in text


def test_what_was_tuned_stays_when_tuned_again(planted, tmp_path):
    matcher, cvs, grades = planted
    matcher.save(tmp_path)
    Matcher.load(tmp_path).with_weights(tune(matcher, cvs, grades).weights).save(tmp_path)
    again = tune(Matcher.load(tmp_path), cvs, grades)
    assert not again.is_better
    assert again.default["hashtags"] > 0.8
    assert [entry.number for entry in history(tmp_path)] == [1, 2]
