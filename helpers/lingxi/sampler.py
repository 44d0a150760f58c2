"""Lingxi's code dealt out: which article comes up, beside which others, with which plate."""

import random
from collections.abc import Iterator

from helpers.data.jsonl import Row
from helpers.lingxi.shapes import EN, ZH

LANGS = (EN, ZH)
ASKS = ("fine", "fine", "points", "office", "article")  # fines are asked for most
PLATES = {"train": (0, 2500), "eval": (2500, 5000), "preferences": (5000, 7000),
          "dirty": (7000, 10000)}  # fmt: skip
PLAN = {  # train rows of each language and kind: (with articles in the prompt, without)
    "notice": (120, 120), "question": (40, 40), "followup": (10, 10), "clarify": (10, 10),
    "refused_notice": (28, 0), "refused_question": (12, 0),
}  # fmt: skip


def stream(seed: int, name: str) -> random.Random:
    """Return the random numbers of one file, so that no file moves when another changes."""
    return random.Random(f"lingxi/{seed}/{name}")


class Sampler:
    """Lingxi's code and what is dealt out of it: articles, offences without a rule, plates."""

    def __init__(self, code: list[Row], possible: list[tuple[str, str]], rng: random.Random):
        """Share out plates and offences without an article, so that no two files meet in them."""
        self.code = code
        self.seen = [a for a in code if a["split"] == "seen"]
        self.unseen = [a for a in code if a["split"] == "unseen"]
        have = {(a["act"], a["place"]) for a in code}
        free = [pair for pair in possible if pair not in have]
        rng.shuffle(free)
        self.free = {"train": offences(free[: len(free) // 2], "seen"),
                     "eval": offences(free[len(free) // 2 :], "unseen")}  # fmt: skip
        numbers = rng.sample(range(10_000), 10_000)
        self._plates = {name: [f"LX{n:04d}" for n in numbers[a:b]]
                        for name, (a, b) in PLATES.items()}  # fmt: skip

    def plates(self, file: str) -> Iterator[str]:
        """Return the plates of one file, each of which turns up once."""
        return iter(self._plates[file])


def offences(pairs: list[tuple[str, str]], split: str) -> list[Row]:
    """Return offences that no article covers, in the shape of an article without its facts."""
    return [{"act": act, "place": place, "split": split} for act, place in pairs]


def near(a: Row, b: Row) -> bool:
    """Tell whether two offences share the act or the place, but not both."""
    return (a["act"] == b["act"]) != (a["place"] == b["place"])


def distractors(rng: random.Random, target: Row, pool: list[Row], k: int) -> list[Row]:
    """Return k other articles; more than half of them share the target's act or place."""
    pool = [a for a in pool if (a["act"], a["place"]) != (target["act"], target["place"])]
    out: list[Row] = []
    while len(out) < k:
        close = [a for a in pool if near(a, target) and a not in out]
        far = [a for a in pool if a not in out]
        out.append(rng.choice(close if close and rng.random() < 0.5 else far))
    return out


def context(rng: random.Random, target: Row, pool: list[Row], k: int) -> list[Row]:
    """Return k articles among which the target stands at a random place."""
    out = [*distractors(rng, target, pool, k - 1), target]
    rng.shuffle(out)
    return out


def reshuffled(rng: random.Random, rows: list[Row]) -> Iterator[Row]:
    """Yield rows without end, shuffled anew each round, so that all occur about equally often."""
    while True:
        yield from rng.sample(rows, len(rows))
