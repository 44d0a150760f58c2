"""What a model thinks of the right answers: the loss on their tokens, and nothing else."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    tokenizer: "PreTrainedTokenizerBase", messages: list[dict[str, str]]
) -> tuple[list[int], list[int]]:
    """Return a conversation's token ids, and 1 for each token that the assistant writes, else 0.

    The end token of an answer counts: the model must learn to stop. Without `{% generation %}`
    in its template, the last answer alone counts: what follows the rendered prompt.
    """
    options = {"return_dict": True, "tokenize": True}
    if marks_answers(tokenizer.chat_template):
        both = tokenizer.apply_chat_template(messages, return_assistant_tokens_mask=True, **options)
        return both["input_ids"], both["assistant_masks"]
    ids = tokenizer.apply_chat_template(messages, **options)["input_ids"]
    prompt = tokenizer.apply_chat_template(messages[:-1], add_generation_prompt=True, **options)
    return ids, [int(n >= len(prompt["input_ids"])) for n in range(len(ids))]
