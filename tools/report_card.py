"""Xiaoxi's report card: what the tiny base model can do on worlds that it never saw.

An answer counts only if it is exact. Greedy decoding gives exactly the expected answer if and only
if, with that answer as input, the most probable token at each of its positions is the right one: so
one forward pass marks a whole answer.
"""

import random
from typing import Any

from tools import school

Item = tuple[list[school.Turn], str]  # a chat whose last answer is marked, and its language


def items(kind: str, lang: str, n: int, seed: int = 0) -> list[Item]:
    """Return n held-out items of one kind: read1, read3, read8, forms, terms, sums, unknown."""
    rng = random.Random(f"report-{kind}-{lang}-{seed}")
    every = {
        "read1": lambda: school.reading(rng, lang, 1, turns=1),
        "read3": lambda: school.reading(rng, lang, 3, turns=1),
        "read8": lambda: school.reading(rng, lang, 8, turns=1),
        "unknown": lambda: school.reading(rng, lang, 3, unknown=1.0, turns=1),
        "forms": lambda: school.forms(rng, lang, 3, turns=2, held_out=True),
        "terms": lambda: school.translation(rng, lang, 1),
        "sums": lambda: school.sums(rng, lang, 1, held_out=True),
    }
    return [(every[kind](), lang) for _ in range(n)]


def encode(tokenizer: Any, turns: list[school.Turn]) -> tuple[list[int], int]:
    """Return a chat's token ids and where its last answer begins."""
    text = ""
    for ask, reply in turns[:-1]:
        text += f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n{reply}<|im_end|>\n"
    text += f"<|im_start|>user\n{turns[-1][0]}<|im_end|>\n<|im_start|>assistant\n"
    prompt = tokenizer.encode(text, add_special_tokens=False)
    answer = tokenizer.encode(f"{turns[-1][1]}<|im_end|>", add_special_tokens=False)
    ids = [getattr(x, "ids", x) for x in (prompt, answer)]
    return ids[0] + ids[1], len(ids[0])


def exact(model: Any, tokenizer: Any, asked: list[Item], size: int = 32) -> list[bool]:
    """Return, for each item, whether greedy decoding gives its last answer exactly."""
    import torch

    rows = [encode(tokenizer, turns) for turns, _ in asked]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    right = [False] * len(rows)
    model.eval()
    for at in range(0, len(order), size):
        part = order[at : at + size]
        longest = max(len(rows[i][0]) for i in part)
        ids = torch.zeros(len(part), longest, dtype=torch.long)
        for j, i in enumerate(part):
            ids[j, : len(rows[i][0])] = torch.tensor(rows[i][0])
        with torch.no_grad():
            best = model(input_ids=ids).logits.argmax(-1)  # (rows, tokens)
        for j, i in enumerate(part):
            end, start = len(rows[i][0]), rows[i][1]
            right[i] = bool((best[j, start - 1 : end - 1] == ids[j, start:end]).all())
    return right


KINDS = ("read1", "read3", "read8", "unknown", "forms", "terms", "sums")


def probe(model: Any, tokenizer: Any, n: int = 32) -> str:
    """Return one line of marks from few items, to watch a run by: per kind, English/Chinese."""
    marks = []
    for kind in KINDS:
        pair = [sum(exact(model, tokenizer, items(kind, g, n))) / n for g in ("en", "zh")]
        marks.append(f"{kind} {pair[0]:.2f}/{pair[1]:.2f}")
    model.train()
    return "  ".join(marks)
