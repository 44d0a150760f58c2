"""The checks of notebook 02: right answers pass, the wrong ones that people give have their hint."""

from itertools import accumulate

import pytest

from helpers.lessons import nb02

RIGHT = {"A": 1, "B": 4, "C": 2, "D": 3}


def rank(values, part):
    """Find the smallest rank that holds a part of the squares."""
    held = accumulate(v * v for v in values)
    goal = part * sum(v * v for v in values) - 1e-12
    return next(i for i, h in enumerate(held, 1) if h >= goal)


def rank_strict(values, part):
    """Ask for more than the part."""
    held = accumulate(v * v for v in values)
    goal = part * sum(v * v for v in values) + 1e-12
    return next((i for i, h in enumerate(held, 1) if h > goal), len(values))


def alpha(alpha, r, new_r, rslora=False):
    """Keep the scale."""
    return alpha * (new_r / r) ** (0.5 if rslora else 1)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (nb02.rank_for, rank),
        (nb02.new_alpha, alpha),
        (nb02.causes, RIGHT),
    ],
)
def test_right_answers_pass(check, answer):
    assert check(answer).ok is True


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (nb02.rank_for, lambda s, p: sum(v * v for v in s[:2]) / sum(v * v for v in s), "a share"),
        (nb02.rank_for, lambda s, p: next(i for i, h in enumerate(accumulate(s), 1) if h >= p * sum(s)), "squares"),
        (nb02.rank_for, lambda s, p: rank(s, p) - 1, "off by one"),
        (nb02.rank_for, lambda s, p: 4, "add squares"),
        (nb02.rank_for, rank_strict, "exactly 60 %"),
        (nb02.rank_for, lambda s, p: min(rank(s, p), 2), "all four"),
        (nb02.rank_for, lambda s, p: len(s) if p == 1 else rank(s, p), "zeros hold nothing"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha, "alpha kept"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha * r / new_r, "turned round"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha * (new_r / r) ** 0.5, "rsLoRA's"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha + new_r, "alpha / 64"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha * new_r / r, "√r, not by r"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: 1 if rslora else alpha * new_r / r, "√32"),
        (nb02.new_alpha, lambda a, r, n, rslora=False: a * max(1, (n / r) ** (0.5 if rslora else 1)), "downwards"),
        (nb02.causes, [1, 4, 2, 3], "a dict"),
        (nb02.causes, {"A": 1}, "A to D"),
        (nb02.causes, RIGHT | {"A": 4}, "both gradients"),
        (nb02.causes, RIGHT | {"B": 2}, "whose rate"),
        (nb02.causes, RIGHT | {"C": 4}, "alpha / r"),
        (nb02.causes, RIGHT | {"D": 1}, "happened between"),
    ],
)  # fmt: skip
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


@pytest.mark.parametrize("check", [nb02.causes, nb02.rank_for])
def test_untouched_answers_wait(check):
    assert check(...).ok is None
