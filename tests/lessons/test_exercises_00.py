"""Notebook 00: right answers pass; the wrong answers that people give each get their own hint."""

from math import log, log2, log10

import pytest

from helpers.lessons import nb00


def fail(check, answer, hint: str) -> None:
    """Expect ❌ with this hint in English and some Chinese beside it."""
    result = check(answer)
    assert result.ok is False
    assert hint in result.en, result.en
    assert any("\u4e00" <= letter <= "\u9fff" for letter in result.zh), result.zh


def by_second_number(capability):
    if capability is None or capability < (7, 5):
        return "tiny"
    return "gpu" if capability[1] < 5 and capability[0] != 12 else "t4"


def by_text(capability):
    if capability is None:
        return "tiny"
    text = f"{capability[0]}.{capability[1]}"
    return "gpu" if text >= "8.0" else "t4" if text >= "7.5" else "tiny"


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c: "gpu" if c and c >= (8, 0) else "t4", "None means no CUDA GPU"),
        (lambda c: "gpu" if c else "tiny", "only emulates bfloat16"),
        (lambda c: "gpu" if c and c >= (8, 0) else "tiny", 'is the GPU of "t4"'),
        (lambda c: "tiny" if not c else "gpu" if c >= (8, 0) else "t4", "the P100"),
        (
            lambda c: "tiny" if not c or c < (7, 5) else "gpu" if c > (8, 0) else "t4",
            ">= and not >",
        ),
        (by_text, "compare tuples of numbers"),
        (by_second_number, "compare tuples of numbers"),
    ],
)
def test_pick_profile(answer, hint):
    fail(nb00.pick_profile, answer, hint)


def test_pick_profile_without_asking_for_none_first_says_where_it_stopped():
    result = nb00.pick_profile(lambda c: "tiny" if c < (7, 5) else "t4")
    assert result.ok is False and "'<' not supported" in result.en


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda seen: seen[len(seen) - 1 - seen[::-1].index(seen[-1]) + 1], "search in seen[:-1]"),
        (lambda seen: seen[seen.index(seen[-1]) - 1], "k stood before Q"),
        (lambda seen: seen[seen.index(seen[-1])], "Q is the last sign itself"),
        (lambda seen: seen[-2], "x comes before the new Q"),
        (lambda seen: seen[-3], "b calls for c"),
        (
            lambda seen: seen[max(seen[:-1].index(seen[-1]), 1) + 1],
            "the very first sign counts too",
        ),
        (lambda seen: "".join(seen)[seen.index(seen[-1]) + 1], "your code stopped at"),
    ],
)
def test_next_sign(answer, hint):
    fail(nb00.next_sign, answer, hint)


def test_next_sign_that_only_prints_is_told_to_return():
    fail(nb00.next_sign, lambda seen: print(seen[seen.index(seen[-1]) + 1]), "returned nothing")


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n: 1 / n, "that is the probability"),
        (lambda n: log(1 / n), "not below 0"),
        (lambda n: log2(n), "that is bits"),
        (lambda n: log10(n), "base 10"),
        (lambda n: n, "ln 62 = 4.127"),
        (lambda n: 4.127134, "any vocabulary"),
    ],
)
def test_blind_loss(answer, hint):
    fail(nb00.blind_loss, answer, hint)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, bits: n * bits / 1e9, "divide by 8"),
        (lambda n, bits: n * bits / 8, "that is bytes"),
        (lambda n, bits: n * bits / 8 / 2**30, "that is GiB"),
        (lambda n, bits: n / bits * 8 / 1e9 / 2, "the other way round"),
        (lambda n, bits: n * 4 / 1e9, "2 bytes each are 2 GB"),
        (lambda n, bits: n * (bits // 8) / 1e9, "half a byte each"),
    ],
)
def test_weights_gb(answer, hint):
    fail(nb00.weights_gb, answer, hint)
