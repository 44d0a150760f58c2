"""Notebook 00: right answers pass; the wrong answers that people give each get their own hint."""

from math import log, log2, log10

import pytest
import torch

from helpers.env import XIAOXI
from helpers.lessons import nb00
from helpers.model.load import load


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


@pytest.fixture(scope="module")
def xiaoxi():
    return load(XIAOXI)


def tokens_of(tokenizer, text):
    return tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda t, text: len(tokens_of(t, text)) / len(text), "turn the fraction round"),
        (lambda t, text: len(text) / len(t(text)), "you counted its keys"),
        (lambda t, text: len(text.split()) / len(tokens_of(t, text)), "you counted words"),
        (lambda t, text: len(text) / len(text.split()), "characters per word"),
        (lambda t, text: len(tokens_of(t, text)), "the number of tokens"),
        (lambda t, text: len(text) // len(tokens_of(t, text)), "do not round"),
        (lambda t, text: len(text.encode()) / len(tokens_of(t, text)), "you counted bytes"),
        (lambda t, text: 1.0, "characters in"),
    ],
)
def test_characters_per_token(answer, hint, xiaoxi):
    result = nb00.characters_per_token(answer, xiaoxi[1])
    assert result.ok is False and hint in result.en and result.zh, result


def loop(
    where=-1, append=True, with_prompt=False, with_end=False, first_end=False, shape=1, draw=False
):
    """Return the loop, right or with one slip."""

    def greedy(model, ids, ends, max_new_tokens):
        new = []
        for _ in range(max_new_tokens):
            shown = ids + new if append else ids
            logits = model(torch.tensor([shown] if shape else shown, device=model.device)).logits
            row = logits[0, where].float()
            token = int(row.softmax(-1).multinomial(1) if draw else row.argmax())
            if token in (ends[:1] if first_end else ends):
                return (ids if with_prompt else []) + new + [token] * with_end
            new.append(token)
        return (ids if with_prompt else []) + new

    return greedy


def in_place(model, ids, ends, max_new_tokens):
    start = len(ids)
    while len(ids) < start + max_new_tokens:
        token = model(torch.tensor([ids], device=model.device)).logits[0, -1].argmax().item()
        if token in ends:
            break
        ids.append(token)
    return ids[start:]


def endless(model, ids, ends, max_new_tokens):
    new = []
    while not new or new[-1] not in ends:
        new.append(model(torch.tensor([ids + new])).logits[0, -1].argmax().item())
    return new[:-1]


def total_length(model, ids, ends, max_new_tokens):
    return loop()(model, ids, ends, max_new_tokens - len(ids) if not ends else max_new_tokens)


def deaf_to_the_question(model, ids, ends, max_new_tokens):
    """Right on the model that counts, whose answer hangs on the last token alone."""
    return loop()(model, ids[-1:], ends, max_new_tokens)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (endless, "your loop never ends"),
        (loop(shape=0), "the model takes a batch"),
        (in_place, "you changed the list"),
        (loop(with_prompt=True), "without the prompt"),
        (loop(draw=True), "two runs differ"),
        (loop(where=0), "at the first token"),
        (loop(append=False), "the same token again and again"),
        (loop(with_end=True), "no part of the answer"),
        (lambda model, ids, ends, n: loop()(model, ids, [], n), "no part of the answer"),
        (lambda model, ids, ends, n: [4, 5], "counts on to 8"),
        (total_length, "3 new tokens, yours 1"),
        (loop(first_end=True), "several end tokens"),
        (deaf_to_the_question, "model.generate answers"),
        (lambda model, ids, ends, n: model.nothing, "your code stopped at"),
    ],
)
def test_greedy(answer, hint, xiaoxi):
    torch.manual_seed(0)
    result = nb00.greedy(answer, *xiaoxi)
    assert result.ok is False and hint in result.en and result.zh, result


def test_greedy_right_answers_pass(xiaoxi):
    assert nb00.greedy(loop(), *xiaoxi).ok is True


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (list("ABCE"), "tomorrow's plate"),
        (list("BCDE"), "where should the fine come from"),
        (list("BCEF"), "fixed before the change"),
        (list("CE"), "B: its schoolbooks"),
        (list("BE"), "C: its school practised"),
        (["B", "C"], "E: its school told it"),
        (["B", "G"], "letters from A to F"),
    ],
)
def test_closed_book(answer, hint):
    fail(nb00.closed_book, answer, hint)


@pytest.mark.parametrize("answer", [list("BCE"), ["e", "b", "c"], ("E", "C", "B")])
def test_closed_book_right_answers_pass(answer):
    assert nb00.closed_book(answer).ok is True


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, trained: 4 * n / 1e9, "the weights alone"),
        (lambda n, trained: (4 * n + 4 * trained) / 1e9, "weight and gradient alone"),
        (lambda n, trained: (4 * n + 8 * trained) / 1e9, "there are four"),
        (lambda n, trained: 4 * n + 12 * trained, "that is bytes"),
        (lambda n, trained: 2 * n / 1e9, "24 GB"),
        (lambda n, trained: 16 * n / 1e9, "need no gradient"),
        (lambda n, trained: 16 * trained / 1e9, "must be in memory too"),
        (lambda n, trained: (2 * (n - trained) + 16 * trained) / 1e9, "6.12 GB"),
    ],
)
def test_training_gb(answer, hint):
    fail(nb00.training_gb, answer, hint)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (nb00.weights_gb, lambda n, bits: n * bits / 8 / 1e9),
        (nb00.training_gb, lambda n, trained: (4 * n + 12 * trained) / 1e9),
        (nb00.next_sign, lambda seen: seen[seen[:-1].index(seen[-1]) + 1]),
        (nb00.blind_loss, log),
    ],
)
def test_right_answers_pass(check, answer):
    assert check(answer).ok is True


def test_characters_per_token_right_answer_passes(xiaoxi):
    right = lambda t, text: len(text) / len(tokens_of(t, text))  # noqa: E731
    assert nb00.characters_per_token(right, xiaoxi[1]).ok is True
