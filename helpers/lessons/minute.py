"""The rows of a fine-tuning of one minute: what lesson 00 and `make demo` train on and ask."""

import random
from collections.abc import Sequence

from helpers.data.jsonl import Row
from helpers.lingxi.files import select, world
from helpers.lingxi.rows import make_notice
from helpers.lingxi.sampler import context

LANGS = ("en", "zh")


def examples(count: int, langs: Sequence[str] = LANGS, seed: int = 0) -> list[Row]:
    """Return new notices under the articles that may be practised, the languages by turns.

    One in five has no article in its prompt, the others three, of which one applies.
    """
    rng, practised = random.Random(seed), select(world("code"), split="seen")
    rows = []
    for number in range(count):
        article = rng.choice(practised)
        docs = [] if rng.random() < 0.2 else context(rng, article, practised, 3)
        plate = f"LX{rng.randrange(10_000):04d}"
        rows.append(make_notice(rng, langs[number % len(langs)], article, docs, plate))
    return rows


def held_out(each: int, langs: Sequence[str] = LANGS) -> dict[str, list[Row]]:
    """Return incidents twice: with three articles in the prompt (opened), and with none (closed).

    There are `each` in every language, all under articles that no example had.
    """
    unseen = select(world("eval", langs), task="notice", split="unseen")
    stems = {row["id"][:9]: row for row in unseen if len(row["context"]) == 3}
    bare = [row for row in unseen if not row["context"] and row["id"][:9] in stems]
    closed = [row for lang in langs for row in select(bare, lang=lang)[:each]]
    return {"opened": [stems[row["id"][:9]] for row in closed], "closed": closed}
