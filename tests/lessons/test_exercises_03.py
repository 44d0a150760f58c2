"""The checks of notebook 03: right answers pass, the wrong ones that people give have their hint."""

import pytest

from helpers.lessons import nb03

ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


def messages(row, roles=ROLES, value="value"):
    """Convert a ShareGPT row, rightly or with a slip."""
    return [{"role": roles[t["from"]], "content": t[value]} for t in row["conversations"]]


def pieces(text, size):
    return {text[i : i + size] for i in range(len(text) - size + 1)}


def alike(a, b, size):
    return len(pieces(a, size) & pieces(b, size)) / len(pieces(a, size) | pieces(b, size))


def marks(found, true):
    both = sum(f and t for f, t in zip(found, true, strict=True))
    return both / sum(found), both / sum(true)


def split(rows, held):
    test = [row for row in rows if row["article"] in held]
    return [row for row in rows if not held & {row["article"], *row["context"]}], test


def by(rows, good):
    """Split by a test of one row."""
    return [row for row in rows if good(row)], [row for row in rows if not good(row)]


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (nb03.from_sharegpt, messages),
        (nb03.alike, alike),
        (nb03.precision_recall, marks),
        (nb03.split_by_article, split),
    ],
)
def test_right_answers_pass(check, answer):
    assert check(answer).ok is True


def blocks(text, size):
    """Cut without overlap, as people do first."""
    return {text[i : i + size] for i in range(0, len(text), size)}


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (nb03.from_sharegpt, lambda row: {"messages": messages(row)}, "the list itself"),
        (nb03.from_sharegpt, lambda row: messages(row)[1:], "each turn"),
        (nb03.from_sharegpt, lambda row: row["conversations"], "two keys"),
        (nb03.from_sharegpt, lambda row: messages(row, {n: n for n in ROLES}), '"user"'),
        (nb03.from_sharegpt, lambda row: messages(row, ROLES | {"gpt": "gpt"}), '"assistant"'),
        (nb03.from_sharegpt, lambda row: messages(row, ROLES | {"system": "user"}), "keeps its role"),
        (nb03.from_sharegpt, lambda row: messages(row, ROLES | {"gpt": "user"}), "in order"),
        (nb03.from_sharegpt, lambda row: messages(row, value="from"), "content is"),
        (nb03.alike, lambda a, b, size: len(set(a) & set(b)) / len(set(a + b)), "into letters"),
        (nb03.alike, lambda a, b, size: len(pieces(a, size) & pieces(b, size)) / len(pieces(a, size)), "by the union"),
        (nb03.alike, lambda a, b, size: len(pieces(a, size) & pieces(b, size)), "a share"),
        (nb03.alike, lambda a, b, size: len(blocks(a, size) & blocks(b, size)) / len(blocks(a, size) | blocks(b, size)), "overlap"),
        (nb03.alike, lambda a, b, size: 0.9, "3 pieces in common"),
        (nb03.precision_recall, lambda found, true: 0.25, "two numbers"),
        (nb03.precision_recall, lambda found, true: marks(true, found), "other way round"),
        (nb03.precision_recall,
         lambda found, true: (sum(f == t for f, t in zip(found, true, strict=True)) / 10, 0.5), "accuracy"),
        (nb03.precision_recall, lambda found, true: (1.0, 0.5), "1 of the 4"),
        (nb03.precision_recall, lambda found, true: (0.25, 1.0), "1 of the 2"),
        (nb03.split_by_article, lambda rows, held: [rows[0]], "two lists"),
        (nb03.split_by_article, lambda rows, held: by(rows, lambda row: row["article"] in held), "turned round"),
        (nb03.split_by_article, lambda rows, held: (rows[:6], rows[6:]), "about a held article"),
        (nb03.split_by_article, lambda rows, held: by(rows, lambda row: row["article"] not in held),
         "shows a held article"),
        (nb03.split_by_article,
         lambda rows, held: by(rows, lambda row: not row["article"] or not held & {row["article"], *row["context"]}),
         "a refusal"),
        (nb03.split_by_article,
         lambda rows, held: by(rows, lambda row: not held & {row["article"], *row["context"]}), "test rows are"),
        (nb03.split_by_article,
         lambda rows, held: (
             [row for row in split(rows, held)[0] if row["article"]], split(rows, held)[1]), "refusals too"),
    ],
)  # fmt: skip
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


@pytest.mark.parametrize("check", [nb03.from_sharegpt, nb03.split_by_article])
def test_untouched_answers_wait(check):
    assert check(...).ok is None
