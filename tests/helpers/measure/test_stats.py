"""Intervals and paired tests against published values and against what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.base import CourseError
from helpers.measure import stats
from helpers.measure.stats import Interval

counts = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
marks = st.lists(st.booleans(), min_size=1, max_size=60)
pairs = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


# Newcombe 1998, Statistics in Medicine 17:857, table I, method 3 (Wilson, no correction)
@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_the_published_intervals(successes, n, low, high):
    interval = stats.wilson(successes, n)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=6e-5)
    assert interval.value == successes / n
    assert interval.n == n


@given(counts)
def test_wilson_holds_its_share_and_mirrors(pair):
    successes, n = pair
    interval, mirror = stats.wilson(successes, n), stats.wilson(n - successes, n)
    assert -1e-12 <= interval.low <= interval.value + 1e-12
    assert interval.value - 1e-12 <= interval.high <= 1 + 1e-12
    assert interval.high - interval.low > 0
    assert interval.low == pytest.approx(1 - mirror.high, abs=1e-9)


@given(counts)
def test_wilson_narrows_with_more_items_and_less_confidence(pair):
    successes, n = pair
    wide, more, less = (
        stats.wilson(successes, n),
        stats.wilson(4 * successes, 4 * n),
        stats.wilson(successes, n, level=0.8),
    )
    assert more.high - more.low < wide.high - wide.low
    assert wide.low <= less.low <= less.high <= wide.high


@pytest.mark.parametrize(("successes", "n"), [(0, 0), (5, 4), (-1, 4)])
def test_wilson_refuses_what_is_no_share(successes, n):
    with pytest.raises(CourseError, match=r"is no share.*不是有效的比例"):
        stats.wilson(successes, n)


@given(marks)
def test_share_counts_the_true_marks(values):
    assert stats.share(values) == stats.wilson(sum(values), len(values))


# Student's sleep data (Student 1908): t.test(paired = TRUE) in R gives 1.58, 0.7001142, 2.4598858
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_mean_interval_gives_students_sleep():
    interval = stats.mean_interval(np.subtract(SLEEP_2, SLEEP_1), unit="h")
    assert interval[:4] == pytest.approx((1.58, 0.7001142, 2.4598858, 10), abs=1e-6)
    assert str(interval) == "1.6 h [0.7, 2.5], n = 10"


def test_mean_interval_refuses_one_value_and_nan():
    with pytest.raises(CourseError, match=r"needs 2 values.*至少需要 2 个值"):
        stats.mean_interval([1.0])
    with pytest.raises(CourseError, match="nan"):
        stats.mean_interval([1.0, float("nan")])


def hybrid_score(first, second):
    """Return Newcombe's interval for unpaired shares (1998, Stat. Med. 17:873, method 10)."""
    low = np.hypot(first.value - first.low, second.high - second.value)
    high = np.hypot(first.high - first.value, second.value - second.low)
    return first.value - second.value - low, first.value - second.value + high


def test_difference_of_uncorrelated_shares_is_newcombes_hybrid_score():
    published = hybrid_score(stats.wilson(56, 70), stats.wilson(48, 80))
    assert published == pytest.approx((0.0524, 0.3339), abs=6e-5)
    a = [True, True, True, False, False] * 5
    b = [True] * 20 + [False] * 5  # crossed with a: both * neither = only_a * only_b, phi = 0
    interval = stats.share_difference(a, b)
    assert interval[1:3] == pytest.approx(hybrid_score(stats.share(b), stats.share(a)))


@pytest.mark.parametrize(
    ("both", "only_a", "only_b", "neither", "phi"),
    [
        # agreeing items: (30 * 15 - 5 * 10 - 60 / 2) / sqrt(35 * 25 * 40 * 20), corrected by n / 2
        (30, 5, 10, 15, 370 / 700_000**0.5),
        # weakly agreeing: the correction would pass zero, so zero
        (15, 14, 15, 15, 0.0),
        # disagreeing: (5 * 10 - 20 * 25) / sqrt(25 * 35 * 30 * 30), not corrected
        (5, 20, 25, 10, -450 / 787_500**0.5),
    ],
)
def test_difference_of_shares_corrects_the_correlation(both, only_a, only_b, neither, phi):
    a = [True] * (both + only_a) + [False] * (only_b + neither)
    b = [True] * both + [False] * only_a + [True] * only_b + [False] * neither
    first, second = stats.share(b), stats.share(a)
    x, y = first.value - first.low, second.high - second.value
    u, v = first.high - first.value, second.value - second.low
    interval = stats.share_difference(a, b)
    below = (x * x - 2 * phi * x * y + y * y) ** 0.5
    above = (u * u - 2 * phi * u * v + v * v) ** 0.5
    assert interval.value - interval.low == pytest.approx(below)
    assert interval.high - interval.value == pytest.approx(above)


def test_difference_of_shares_narrows_when_the_same_items_are_right():
    a, b = [True] * 60 + [False] * 40, [True] * 70 + [False] * 30
    loose = hybrid_score(stats.share(b), stats.share(a))
    interval = stats.share_difference(a, b)
    assert interval.high - interval.low < 0.7 * (loose[1] - loose[0])


@given(pairs)
def test_difference_of_shares_holds_the_value_and_turns_with_its_sides(rows):
    a, b = zip(*rows, strict=True)
    interval, back = stats.share_difference(a, b), stats.share_difference(b, a)
    assert interval.value == pytest.approx(np.mean(b) - np.mean(a))
    assert -1 - 1e-9 <= interval.low <= interval.value <= interval.high <= 1 + 1e-9
    assert (interval.low, interval.high) == pytest.approx((-back.high, -back.low))


def test_difference_of_shares_keeps_a_width_when_every_item_changes():
    interval = stats.share_difference([False] * 40, [True] * 40)
    assert interval.value == 1
    assert 0.8 < interval.low < 0.95


def test_difference_of_shares_covers_the_truth():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(400):
        a = rng.random(60) < 0.6
        b = np.where(rng.random(60) < 0.5, a, rng.random(60) < 0.9)  # correlated; share 0.75
        interval = stats.share_difference(a, b)
        hits += interval.low <= 0.15 <= interval.high
    assert 0.92 <= hits / 400 <= 0.99


def test_bootstrap_agrees_with_students_t_on_paired_data():
    rng = np.random.default_rng(1)
    a = rng.normal(0, 3, 200)
    b = a + rng.normal(0.5, 1, 200)
    interval, exact = stats.bootstrap_difference(a, b), stats.mean_interval(b - a)
    assert interval.value == pytest.approx(exact.value)
    assert interval[1:3] == pytest.approx(exact[1:3], abs=0.03)


def test_bootstrap_unpaired_ignores_the_pairing():
    rng = np.random.default_rng(2)
    a = rng.normal(0, 3, 200)
    b = a + rng.normal(0.5, 0.1, 200)
    paired = stats.bootstrap_difference(a, b)
    unpaired = stats.bootstrap_difference(a, b[:150], paired=False)
    assert unpaired.high - unpaired.low > 10 * (paired.high - paired.low)
    assert unpaired.n == 150


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60))
def test_bootstrap_repeats_itself_and_stays_inside_what_is_possible(rows):
    a, b = zip(*rows, strict=True)
    interval = stats.bootstrap_difference(a, b, resamples=200)
    assert interval == stats.bootstrap_difference(a, b, resamples=200)
    assert -1 <= interval.low <= interval.high <= 1


# by hand: only the items that differ count, P = 2 * P(Bin(n, 1/2) <= smaller), at most 1
@pytest.mark.parametrize(
    ("only_a", "only_b", "p"),
    [(6, 1, 2 * 8 / 2**7), (0, 5, 2 / 2**5), (3, 3, 1.0), (0, 0, 1.0), (2, 8, 2 * 56 / 2**10)],
)
def test_mcnemar_is_exact(only_a, only_b, p):
    a = [True] * only_a + [False] * only_b + [True, False] * 10
    b = [False] * only_a + [True] * only_b + [True, False] * 10
    assert stats.mcnemar(a, b) == (only_a, only_b, pytest.approx(p))


@pytest.mark.parametrize(
    "compare", [stats.mcnemar, stats.share_difference, stats.bootstrap_difference]
)
def test_a_paired_comparison_refuses_unequal_lengths_and_nothing(compare):
    with pytest.raises(CourseError, match=r"3 against 2 items.*3 项对 2 项"):
        compare([1, 0, 1], [1, 0])
    with pytest.raises(CourseError, match="空列表"):
        compare([], [])


def test_bootstrap_refuses_one_item():
    with pytest.raises(CourseError, match=r"needs 2 values.*至少需要 2 个值"):
        stats.bootstrap_difference([1], [0])
    with pytest.raises(CourseError, match=r"needs 2 values.*至少需要 2 个值"):
        stats.bootstrap_difference([1, 2], [0], paired=False)


@pytest.mark.parametrize(
    ("interval", "text"),
    [
        (Interval(0.93, 0.881, 0.964, 120), "93 % [88, 96], n = 120"),
        (Interval(1.0, 0.958, 1.0, 1200), "100 % [96, 100], n = 1,200"),
        (Interval(0.012, 0.0104, 0.0138, 9000), "1.20 % [1.04, 1.38], n = 9,000"),
        (Interval(0.12, 0.05, 0.19, 50, "points"), "+12 pp [5, 19], n = 50"),
        (Interval(-0.001, -0.05, 0.04, 50, "points"), "+0 pp [-5, 4], n = 50"),
        (Interval(1.534, 1.521, 1.547, 5, ""), "1.534 [1.521, 1.547], n = 5"),
        (Interval(3210.0, 3100.0, 3320.0, 5, "tokens/s"), "3210 tokens/s [3100, 3320], n = 5"),
        (Interval(0.0, 0.0, 0.0, 3, ""), "0 [0, 0], n = 3"),
    ],
)
def test_an_interval_prints_as_many_digits_as_it_is_sure_of(interval, text):
    assert str(interval) == text


def test_a_paired_test_prints_its_counts():
    assert str(stats.PairedTest(12, 3, 0.0352)) == "12 : 3, p = 0.035"
    assert str(stats.PairedTest(60, 3, 1e-9)) == "60 : 3, p < 0.001"
