"""What a model thinks of the right answers: the loss on their tokens, and nothing else."""

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from helpers.base import CourseError
from helpers.data.jsonl import Row
from helpers.model.template import marks_answers

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def perplexity(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Row],
    batch_size: int = 16,
) -> float:
    """Return exp(-(1/N) Σ ln p(token | all before it)) over the N tokens of the answers alone.

    1 is certainty; the size of the vocabulary is a blind guess.
    """
    losses = answer_losses(model, tokenizer, rows, batch_size)
    return math.exp(sum(loss for loss, _ in losses) / sum(tokens for _, tokens in losses))


def answer_losses(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[Row],
    batch_size: int = 16,
) -> list[tuple[float, int]]:
    """Return, for each row, the summed loss of its answers' tokens in nats, and their number."""
    import torch

    encoded = [encode(tokenizer, row["messages"]) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: len(encoded[i][0]), reverse=True)
    results = [(0.0, 0)] * len(rows)
    training = model.training
    model.eval()
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        with torch.inference_mode():
            losses = _batch_losses(model, tokenizer.pad_token_id, [encoded[i] for i in batch])
        for i, loss in zip(batch, losses, strict=True):
            results[i] = (loss, sum(encoded[i][1]))
    model.train(training)
    return results


def _batch_losses(model: "PreTrainedModel", pad: int, encoded: list) -> list[float]:
    """Return the summed loss of each row, with logits only at columns that some answer needs."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rows = [torch.tensor(row) for row, _ in encoded]
    ids = pad_sequence(rows, batch_first=True, padding_value=pad)  # (batch, tokens)
    seen = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    counts = pad_sequence([torch.tensor(mask).bool() for _, mask in encoded], batch_first=True)
    ids, seen, counts = (x.to(model.device) for x in (ids, seen, counts))
    columns = counts[:, 1:].any(0).nonzero().squeeze(1)  # the logits that predict the next column
    logits = model(input_ids=ids, attention_mask=seen, logits_to_keep=columns).logits
    targets, counts = ids[:, columns + 1], counts[:, columns + 1]  # (batch, columns)
    losses = torch.zeros(counts.shape, device=ids.device)
    losses[counts] = torch.nn.functional.cross_entropy(
        logits[counts].float(), targets[counts], reduction="none"
    )
    return losses.sum(1).tolist()


def encode(
    tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, Any]]
) -> tuple[list[int], list[int]]:
    """Return a conversation's token ids, and 1 for each token that the assistant learns, else 0.

    The end token of an answer counts: the model must learn to stop. An answer with "train": False
    does not count. Without `{% generation %}` in its template, the last answer that is learned
    alone counts: what follows the rendered prompt. Raises CourseError when the template does not
    let the answers be told apart.
    """
    options = {"return_dict": True, "tokenize": True}
    learned = [m.get("train") is not False for m in messages if m["role"] == "assistant"]
    if marks_answers(tokenizer.chat_template):
        both = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, **options)
        return both["input_ids"], _without(both["assistant_masks"], learned)
    while any(learned) and messages[-1].get("train") is False:  # nothing after it is learned
        messages = messages[:-2]
    ids = tokenizer.apply_chat_template(messages, **options)["input_ids"]
    start = _prompt_length(tokenizer, messages, ids) if any(learned) else len(ids)
    return ids, [int(n >= start) for n in range(len(ids))]


def _without(mask: list[int], learned: list[bool]) -> list[int]:
    """Return the mask with the answers that are not learned set to 0; each is one stretch of 1s."""
    if all(learned):
        return mask
    stretches = [[count, len(list(same))] for count, same in groupby(mask)]
    answers = [stretch for stretch in stretches if stretch[0]]
    if len(answers) != len(learned):
        raise CourseError(
            en="the template does not mark each answer apart, so that one of them cannot be left "
            "unlearned. Mend: leave such rows out, or put {% generation %} around each answer.",
            zh="对话模板没有把每条回答分开标出，无法只屏蔽其中一条。改法：去掉这样的行，"
            "或在模板里用 {% generation %} 圈住每条回答。",
        )
    for stretch, keep in zip(answers, learned, strict=True):
        stretch[0] = int(keep)
    return [count for count, length in stretches for _ in range(length)]


def _prompt_length(
    tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, Any]], ids: list[int]
) -> int:
    """Return how many of the tokens belong to the prompt of the last answer."""
    options = {"add_generation_prompt": True, "tokenize": False}
    whole = tokenizer.apply_chat_template(messages, tokenize=False)
    asked = tokenizer.apply_chat_template(messages[:-1], **options)
    if not whole.startswith(asked):
        raise CourseError(
            en="the prompt that the template makes for generation is no beginning of its training "
            f"text: it ends on {asked[-40:]!r}. Mend: put {{% generation %}} around the answers in "
            "the template, or make the two agree.",
            zh=f"对话模板在生成时用的提示（结尾是 {asked[-40:]!r}）不是训练文本的开头。"
            "改法：在模板里用 {% generation %} 圈住回答，或让两者一致。",
        )
    prompt = tokenizer(asked, add_special_tokens=False)["input_ids"]
    # where a token spans the border, it belongs to the answer
    return next((n for n, (a, b) in enumerate(zip(ids, prompt, strict=False)) if a != b),
                min(len(ids), len(prompt)))  # fmt: skip
