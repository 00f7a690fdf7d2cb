"""Bootstrap intervals and the paired randomisation test against SciPy, closed forms and all sign flips."""

import inspect
import itertools
import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from matcher import OptionError
from matcher.evaluate import bootstrap_interval, paired_interval, randomisation_test
from matcher.evaluate.intervals import MOST_EXACT

SEED_NAME = "rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state"
eighths = st.lists(st.integers(-8, 8).map(lambda n: n / 8), min_size=1, max_size=8)


@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.parametrize("size", [5, 17, 200])
def test_the_interval_is_that_of_scipy(size, confidence):
    values = np.random.default_rng(size).beta(5, 2, size)
    wanted = stats.bootstrap(
        (values,),
        np.mean,
        method="percentile",
        confidence_level=confidence,
        n_resamples=10_000,
        **{SEED_NAME: np.random.default_rng(1)},
    ).confidence_interval
    # Both are of 10,000 drawings; the ends of such an interval vary by some hundredths of its width.
    near = 0.1 * (wanted.high - wanted.low)
    assert bootstrap_interval(values, confidence=confidence) == pytest.approx(tuple(wanted), abs=near)


def test_the_interval_holds_the_mean_as_often_as_it_says():
    random = np.random.default_rng(7)
    samples = random.beta(5, 2, (400, 50))
    held = [low <= 5 / 7 <= high for low, high in (bootstrap_interval(s, resamples=500) for s in samples)]
    assert 0.91 <= np.mean(held) <= 0.98


def test_intervals_are_the_same_every_time_and_differ_by_seed():
    values = np.linspace(0, 1, 17) ** 2
    assert bootstrap_interval(values) == bootstrap_interval(list(values), seed=0)
    assert bootstrap_interval(values) != bootstrap_interval(values, seed=1)
    wide, narrow = bootstrap_interval(values, confidence=0.99), bootstrap_interval(values, confidence=0.8)
    assert wide.low < narrow.low < values.mean() < narrow.high < wide.high


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.integers(1, 50))
def test_intervals_lie_among_the_values(values, resamples):
    low, high = bootstrap_interval(values, resamples=resamples)
    assert min(values) - 1e-12 <= low <= high <= max(values) + 1e-12


def test_paired_intervals_are_of_differences_query_by_query():
    random = np.random.default_rng(3)
    second = random.uniform(0, 0.8, 40)
    first = second + 0.1 + random.uniform(-0.01, 0.01, 40)
    low, high = paired_interval(first, second)
    assert (low, high) == bootstrap_interval(first - second)
    assert 0.09 < low < high < 0.11
    # As if unpaired, the spread of the queries would hide the difference.
    assert bootstrap_interval(first).low < bootstrap_interval(second).high
    assert paired_interval(second, first) == pytest.approx((-high, -low), abs=1e-3)


def test_many_queries_take_bounded_memory():
    values = np.random.default_rng(0).uniform(size=20_000)
    tracemalloc.start()
    bootstrap_interval(values, resamples=1_000)
    randomisation_test(values, values[::-1], resamples=1_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80 << 20  # all drawings at once would be 160 MB of indices and 160 MB of values


def all_flips(differences):
    """Return the exact p-value as the definition has it, in exact arithmetic."""
    exact = [Fraction(difference) for difference in differences]
    found = abs(sum(exact))
    sums = [
        abs(sum(sign * d for sign, d in zip(signs, exact, strict=True)))
        for signs in itertools.product((1, -1), repeat=len(exact))
    ]
    return sum(total >= found for total in sums) / len(sums)


@given(eighths)
def test_the_test_tries_all_sign_flips(differences):
    zeros = [0] * len(differences)
    p = randomisation_test(differences, zeros)
    assert p == all_flips(differences)
    assert p == randomisation_test(zeros, differences)
    # Differences are compared as sums, whatever rounding does to tenths.
    tenths = [difference * 0.1 for difference in differences]
    assert randomisation_test(tenths, zeros) == p


@pytest.mark.parametrize("size", [3, 8, 12])
def test_the_test_is_that_of_scipy(size):
    differences = np.random.default_rng(size).normal(0.3, 1, size)
    wanted = stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=True
    )
    assert randomisation_test(differences, np.zeros(size)) == pytest.approx(wanted.pvalue, abs=1e-12)


def sign_test(wins, size):
    """Return the p-value when all differences are of one size: the binomial distribution."""
    lost = min(wins, size - wins)
    return min(1.0, 2 * sum(math.comb(size, count) for count in range(lost + 1)) / 2**size)


@pytest.mark.parametrize(("wins", "size"), [(15, 17), (9, 20), (20, 20)])
def test_up_to_20_differences_are_tested_exactly(wins, size):
    differences = [0.1] * wins + [-0.1] * (size - wins) + [0.0] * 50
    assert size <= MOST_EXACT
    assert randomisation_test(differences, np.zeros(size + 50), resamples=1) == sign_test(wins, size)


@pytest.mark.parametrize(("wins", "size"), [(18, 25), (30, 40), (61, 100), (50, 101)])
def test_more_differences_are_tested_by_drawing(wins, size):
    differences = [0.1] * wins + [-0.1] * (size - wins)
    p = randomisation_test(differences, np.zeros(size))
    wanted = sign_test(wins, size)
    assert p == pytest.approx(wanted, abs=4 * math.sqrt(wanted / 100_000) + 1e-5)
    assert p == randomisation_test(differences, np.zeros(size))


def test_p_is_never_0_and_1_without_a_difference():
    assert randomisation_test(np.ones(60), np.zeros(60), resamples=999) == 1 / 1000
    assert randomisation_test([0.5], [0.25]) == 1
    assert randomisation_test([0.5, 0.1], [0.5, 0.1]) == 1


def test_it_is_as_often_wrong_as_it_says():
    sizes = 2.0 ** np.arange(8) / 256  # no two sums are equal
    p = np.array(
        [randomisation_test(sizes * signs, sizes * 0) for signs in itertools.product((1, -1), repeat=8)]
    )
    for level in (0.01, 0.05, 0.2, 0.5):
        assert level - 2 / 256 <= np.mean(p <= level) <= level


BAD_VALUES = [[], [[0.5, 0.5]], 0.5, ["a", "b"], [0.5, math.nan], [0.5, math.inf], None]


@pytest.mark.parametrize("values", BAD_VALUES, ids=str)
def test_senseless_values_are_refused(values):
    for call in (
        lambda: bootstrap_interval(values),
        lambda: paired_interval(values, [0.5, 0.5]),
        lambda: randomisation_test([0.5, 0.5], values),
    ):
        with pytest.raises(OptionError, match="values"):
            call()


def test_senseless_options_are_refused():
    with pytest.raises(OptionError, match=r"at least 2, got the shape \(1,\)"):
        bootstrap_interval([0.5])
    with pytest.raises(OptionError, match="got 2 and 3"):
        paired_interval([1, 2], [1, 2, 3])
    for confidence in (0, 1, -1, 95, math.nan, "0.95", True):
        with pytest.raises(OptionError, match="confidence must be above 0 and below 1"):
            bootstrap_interval([0, 1], confidence=confidence)
    for name, wrong in (("resamples", 0), ("resamples", 1.5), ("seed", -1), ("seed", True)):
        for call in (
            lambda **o: bootstrap_interval([0, 1], **o),
            lambda **o: randomisation_test([1], [0], **o),
        ):
            with pytest.raises(OptionError, match=f"{name} must be a whole number"):
                call(**{name: wrong})
