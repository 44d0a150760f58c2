"""Measure a model: notices, answers, refusals, chance; perplexity; what was forgotten."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from helpers.base import CourseError
from helpers.data.jsonl import Row
from helpers.lingxi import notice
from helpers.lingxi.files import select
from helpers.lingxi.notice import FACTS, refuses, score_notice

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def score_notices(texts: Sequence[str], rows: Sequence[Row]) -> dict[str, list[bool]]:
    """Score notices in order (see `score_notice`): name of the score -> one bool a row."""
    scores = [score_notice(text, row) for text, row in zip(texts, rows, strict=True)]
    return {name: [score[name] for score in scores] for name in scores[0]} if scores else {}


def score_refusals(texts: Sequence[str], rows: Sequence[Row]) -> dict[str, list[bool]]:
    """Tell who refused: "refused_rightly" over the rows that no article covers, "refused_wrongly"
    over those that one does. A model that always refuses has both at 100 %.
    """
    scores = {"refused_rightly": [], "refused_wrongly": []}
    for text, row in zip(texts, rows, strict=True):
        uncovered = row["gold"]["article"] is None
        name = "refused_rightly" if uncovered else "refused_wrongly"
        scores[name].append(refuses(text, row["lang"]))
    return scores


def exact_answers(texts: Sequence[str], rows: Sequence[Row]) -> list[bool]:
    """Tell for each row whether the text is the reference answer, spaces around it aside."""
    return [
        text.strip() == row["messages"][-1]["content"].strip()
        for text, row in zip(texts, rows, strict=True)
    ]


def chance(rows: Sequence[Row], code: Sequence[Row]) -> dict[str, float]:
    """Return, for each fact, the share of `rows` that the commonest value in `code` gets right.

    This is what a model reaches that knows nothing of Lingxi but its most usual numbers. Where
    several values are the commonest, their mean counts; "facts" is all four at once. Rows that no
    article covers are left out.
    """
    covered = [row for row in rows if row["gold"]["article"] is not None]
    hits = dict.fromkeys((*FACTS, "facts"), 0.0)
    for fact in hits:
        for lang in ("en", "zh"):
            asked = [_value(row["gold"], fact) for row in covered if row["lang"] == lang]
            articles = [article | {"office": article[lang]["office"]} for article in code]
            counts = Counter(_value(article, fact) for article in articles)
            best = [value for value, n in counts.items() if n == max(counts.values())]
            hits[fact] += sum(asked.count(value) for value in best) / len(best)
    return {fact: n / len(covered) for fact, n in hits.items()}


def _value(facts: Row, fact: str) -> Any:
    return tuple(facts[name] for name in FACTS) if fact == "facts" else facts[fact]


def forgetting(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Row],
    **options: int,
) -> dict[str, list[bool]]:
    """Ask general questions again; return, for each task, which answers are exact.

    `options` go to `helpers.model.generate.generate`, such as `max_new_tokens`.
    """
    from helpers.model.generate import generate

    texts = generate(model, tokenizer, [row["messages"][:-1] for row in rows], **options)
    tasks: dict[str, list[bool]] = {}
    for row, exact in zip(rows, exact_answers(texts, rows), strict=True):
        tasks.setdefault(row["task"], []).append(exact)
    return tasks


def pick(marks: Sequence[bool], rows: Sequence[Row], **fields: Any) -> list[bool]:
    """Return the marks of the rows with these values in their fields.

    Raises CourseError when no row has them.
    """
    picked = [mark for mark, row in zip(marks, rows, strict=True) if select([row], **fields)]
    if not picked:
        raise CourseError(
            en=f"no row has {fields}: correct the fields",
            zh=f"没有哪一行符合 {fields}：请改正字段",
        )
    return picked


def states(text: str, row: Row) -> bool:
    """Tell whether a text, whatever its form, states the value that `row["ask"]` names."""
    return notice.states(text, row["lang"], row["ask"], row["gold"][row["ask"]])
