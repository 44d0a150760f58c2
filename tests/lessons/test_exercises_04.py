"""The checks of notebook 04: right answers pass, the wrong ones that people give have their hint."""

import pytest

from helpers.lessons import nb04

X = -100
RIGHT = {"A": 4, "B": 3, "C": 5, "D": 1, "E": 2}


def steps(n, batch, accumulation, epochs):
    """Count optimizer steps rightly."""
    return epochs * -(-(-(-n // batch)) // accumulation)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (nb04.labels, lambda ids, mask: [i if m else X for i, m in zip(ids, mask, strict=True)]),
        (nb04.optimizer_steps, steps),
        (nb04.diagnosis, RIGHT),
        (nb04.remedy, "the article in the prompt"),
    ],
)
def test_right_answers_pass(check, answer):
    assert check(answer).ok is True


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (nb04.labels, lambda ids, mask: [m if m else X for m in mask], "not the mask's 1"),
        (nb04.labels, lambda ids, mask: [i * m for i, m in zip(ids, mask, strict=True)], "-100 only"),
        (nb04.labels, lambda ids, mask: [X if m else i for i, m in zip(ids, mask, strict=True)],
         "turned round"),
        (nb04.labels, lambda ids, mask: [X, X, 7, 8, X], "end token"),
        (nb04.labels, lambda ids, mask: [7, 8, 2], "each of the 5"),
        (nb04.labels, lambda ids, mask: [X, X, X, 7, 2], "no shift"),
        (nb04.optimizer_steps, lambda n, b, a, e: e * -(-n // b), "accumulated"),
        (nb04.optimizer_steps, lambda n, b, a, e: -(-n // (b * a)), "one epoch"),
        (nb04.optimizer_steps, lambda n, b, a, e: e * (n // (b * a)), "13 batches"),
        (nb04.optimizer_steps, lambda n, b, a, e: e * (-(-n // b) // a), "last step"),
        (nb04.diagnosis, [1, 2, 3, 4, 5], "a dict"),
        (nb04.diagnosis, {"A": 1}, "A to E"),
        (nb04.diagnosis, {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5}, "too long"),
        (nb04.diagnosis, RIGHT | {"A": 1}, "too long"),
        (nb04.diagnosis, RIGHT | {"B": 6}, "another format"),
        (nb04.diagnosis, RIGHT | {"C": 6}, "more tokens count"),
        (nb04.diagnosis, RIGHT | {"D": 4}, "no label"),
        (nb04.diagnosis, RIGHT | {"E": 1}, "end token never counted"),
        (nb04.remedy, "more epochs", "no unseen one's"),
        (nb04.remedy, "a larger rank", "never shown"),
        (nb04.remedy, "a lower rate", "how fast"),
        (nb04.remedy, "RAG", "copy one"),
    ],
)  # fmt: skip
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


@pytest.mark.parametrize("check", [nb04.diagnosis, nb04.remedy])
def test_untouched_answers_wait(check):
    assert check(...).ok is None
