"""What an answer costs: tokens of the prompt, seconds."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from helpers.model.generate import Messages, chat_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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
