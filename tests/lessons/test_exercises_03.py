"""The checks of notebook 03: right answers pass, the wrong ones that people give have their hint."""

import unicodedata
from collections import Counter

import pytest
import torch

from helpers.lessons import nb03

ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


def messages(row, roles=ROLES, value="value"):
    """Convert a ShareGPT row, rightly or with a slip."""
    return [{"role": roles[t["from"]], "content": t[value]} for t in row["conversations"]]


def pieces(text, size):
    return {text[i : i + size] for i in range(len(text) - size + 1)}


def mask_of(
    ids, header, end, *, with_end=True, with_break=False, with_header=False, only=None, whole=True
):
    """Return the loss mask of a conversation, rightly or with a slip."""
    mask, n, answers = [0] * len(ids), 0, 0
    while n < len(ids):
        if ids[n : n + len(header)] != header:
            n += 1
            continue
        start = n + len(header)
        stop = next((i for i in range(start, len(ids)) if ids[i] == end), None)
        last = len(ids) if stop is None else stop + with_end + with_break
        if only in (None, answers) and (whole or stop is not None):
            span = range(n if with_header else start, last)
            mask = [int(m or i in span) for i, m in enumerate(mask)]
        answers, n = answers + 1, last
    return mask


def slip(**options):
    return lambda ids, header, end: mask_of(ids, header, end, **options)


def early(ids, header, end):
    return [*mask_of(ids, header, end)[1:], 0]


def never_closes(ids, header, end):
    """Count everything after the first header."""
    start = next(i for i in range(len(ids)) if ids[i : i + len(header)] == header) + len(header)
    return [int(i >= start) for i in range(len(ids))]


def by_one_token(ids, header, end):
    """Begin after the second token of the header, wherever it stands."""
    mask, inside = [], False
    for token in ids:
        mask.append(int(inside))
        inside = token == header[1] or (inside and token != end)
    return mask


def lost(masks, limit):
    """Return the numbers of the rows that lose a part, and of those that lose all."""
    gone = [n for n, mask in enumerate(masks) if any(mask[limit:])]
    return [n for n in gone if any(masks[n][:limit])], [
        n for n in gone if not any(masks[n][:limit])
    ]


def lost_front(masks, limit):
    """Take the last tokens for those that stay."""
    gone = [n for n, mask in enumerate(masks) if any(mask[:-limit])]
    return [n for n in gone if any(masks[n][-limit:])], [
        n for n in gone if not any(masks[n][-limit:])
    ]


def longer(masks, limit, least=1):
    """Take every long row for one that loses something."""
    _, everything = lost(masks, limit)
    long = [n for n, mask in enumerate(masks) if len(mask) >= limit + least]
    return [n for n in long if n not in everything], everything


def same(text):
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def doubles(texts, normal=same):
    seen = {}
    return [seen.setdefault(normal(text), n) != n for n, text in enumerate(texts)]


USABLE = dict.fromkeys("BEG", True) | dict.fromkeys("ACDFH", False)


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
        (nb03.loss_mask, mask_of),
        (nb03.loss_mask, lambda ids, header, end: torch.tensor(mask_of(ids, header, end))),
        (nb03.cut_off, lost),
        (nb03.usable, USABLE),
        (nb03.copies, doubles),
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
        (nb03.loss_mask, lambda ids, header, end: mask_of(ids, header, end)[1:], "for each token"),
        (nb03.loss_mask, lambda ids, header, end: [i if m else -100 for i, m in zip(ids, mask_of(ids, header, end), strict=True)], "else 0"),
        (nb03.loss_mask, lambda ids, header, end: [0] * len(ids), "nothing counts"),
        (nb03.loss_mask, lambda ids, header, end: [1] * len(ids), "everything counts"),
        (nb03.loss_mask, slip(with_end=False), "end token is missing"),
        (nb03.loss_mask, slip(with_break=True), "line break"),
        (nb03.loss_mask, early, "one token early"),
        (nb03.loss_mask, slip(only=0), "two answers"),
        (nb03.loss_mask, slip(only=1), "two answers"),
        (nb03.loss_mask, never_closes, "an answer ends"),
        (nb03.loss_mask, by_one_token, "the whole header"),
        (nb03.loss_mask, slip(with_header=True), "not the answer"),
        (nb03.loss_mask, lambda ids, header, end: [int(i in (14, 15)) for i in range(len(ids))], "of the toy"),
        (nb03.loss_mask, slip(whole=False), "break off"),
        (nb03.loss_mask, lambda ids, header, end: mask_of(ids, header, end) if len(ids) < 32 else [0] * len(ids), "encode on row"),
        (nb03.cut_off, lambda masks, limit: lost(masks, limit)[0], "two lists"),
        (nb03.cut_off, lambda masks, limit: [[masks[n] for n in rows] for rows in lost(masks, limit)], "rows' numbers"),
        (nb03.cut_off, lambda masks, limit: [[n + 1 for n in rows] for rows in lost(masks, limit)], "from 0"),
        (nb03.cut_off, lambda masks, limit: lost(masks, limit)[::-1], "turned round"),
        (nb03.cut_off, lambda masks, limit: longer(masks, limit, 0), "of just"),
        (nb03.cut_off, lost_front, "the end goes"),
        (nb03.cut_off, longer, "row 3"),
        (nb03.cut_off, lambda masks, limit: ([n for rows in lost(masks, limit) for n in rows], lost(masks, limit)[1]), "all is not in the first"),
        (nb03.cut_off, lambda masks, limit: ([], []), "here row 2"),
        (nb03.cut_off, lambda masks, limit: lost(masks, 4), "a fixed number"),
        (nb03.usable, dict.fromkeys("ABC", True), "from A to H"),
        (nb03.usable, dict.fromkeys("ABCDEFGH", "yes"), "True or False"),
        (nb03.usable, {letter: not told for letter, told in USABLE.items()}, "turned round"),
        *((nb03.usable, USABLE | {letter: not USABLE[letter]}, f"{letter}: ") for letter in USABLE),
        (nb03.copies, lambda texts: list(dict.fromkeys(map(same, texts))), "one bool for each"),
        (nb03.copies, lambda texts: [Counter(map(same, texts))[same(t)] > 1 for t in texts], "first of its kind"),
        (nb03.copies, lambda texts: [False] * len(texts), "third text"),
        (nb03.copies, lambda texts: [n > 0 for n in range(len(texts))], "second text"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: " ".join(unicodedata.normalize("NFKC", text).split())), "capitals"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: unicodedata.normalize("NFKC", text).casefold()), "each run"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: " ".join(text.casefold().split())), "NFKC"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: "".join(c for c in same(text) if not c.isdigit())), "digits"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: "".join(c for c in same(text) if c.isalnum() or c == " ")), "punctuation"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: same(text).replace(" ", "")), "between words"),
        (nb03.copies, lambda texts: doubles(texts, lambda text: sorted(same(text).replace(",", " ,").split()).__repr__()), "order"),
        (nb03.copies, lambda texts: doubles(texts) if len(texts) < 4 else [False] * 4, "all earlier"),
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


@pytest.mark.parametrize("check", [nb03.from_sharegpt, nb03.loss_mask, nb03.split_by_article])
def test_untouched_answers_wait(check):
    assert check(...).ok is None


def test_a_letter_left_open_waits():
    assert nb03.usable(USABLE | {"C": ...}).ok is None
