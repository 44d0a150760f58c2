"""Put ways of asking to one test: pick marks, judge short answers, count tokens and seconds."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from helpers.data import select
from helpers.files import CourseError
from helpers.generation import Messages, chat_prompt
from helpers.notice import read_field

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]


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
    value, name = row["gold"][row["ask"]], row["ask"]
    return value in text if name == "office" else read_field(text, row["lang"], name) == value


def mean_tokens(tokenizer: "PreTrainedTokenizerBase", prompts: Sequence[Messages]) -> float:
    """Return the mean length of prompts in tokens, the chat template included."""
    texts = [chat_prompt(tokenizer, prompt) for prompt in prompts]
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    return sum(map(len, rows)) / len(rows)


def median_seconds(answer: Callable[[list], Any], prompts: Sequence, n: int = 5) -> float:
    """Return the median seconds of `answer([prompt])`, for n prompts spread over all of them."""
    from statistics import median

    seconds = []
    for prompt in prompts[:: max(1, len(prompts) // n)][:n]:
        started = time.perf_counter()
        answer([prompt])
        seconds.append(time.perf_counter() - started)
    return median(seconds)
