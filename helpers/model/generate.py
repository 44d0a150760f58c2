"""Let a model answer many prompts: greedy, in batches, in the order they came."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from helpers.base import CourseError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Messages = list[dict[str, str]]


def chat_prompt(tokenizer: "PreTrainedTokenizerBase", messages: Messages) -> str:
    """Return the text of a conversation up to where the assistant is to speak.

    Raises CourseError when the tokenizer has no chat template, or the assistant spoke last.
    """
    if not tokenizer.chat_template:
        raise CourseError(
            en="the tokenizer has no chat template: take a model that ends in -Instruct or -Chat",
            zh="分词器没有对话模板：请选用名字以 -Instruct 或 -Chat 结尾的模型",
            where=tokenizer.name_or_path or None,
        )
    if not messages or messages[-1]["role"] == "assistant":
        raise CourseError(
            en="a prompt must end with the user's message: leave the assistant's answer out",
            zh="提示必须以用户的消息结尾：请去掉助手的回答",
        )
    # Qwen3 would think aloud first; other templates do not know the word and ignore it
    return tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )


def generate(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[str] | Sequence[Messages],
    *,
    max_new_tokens: int = 64,
    batch_size: int = 32,
) -> list[str]:
    """Answer each prompt greedily, up to the end token or `max_new_tokens`; answers in input order.

    A prompt is a text that goes in as it is, or a list of messages. Prompts of like length share a
    batch, padded on the left. Raises CourseError for an empty prompt.
    """
    texts = [p if isinstance(p, str) else chat_prompt(tokenizer, p) for p in prompts]
    if not texts:
        return []
    # no special tokens: the chat template has written them (a second BOS would hurt)
    rows = tokenizer(texts, add_special_tokens=False)["input_ids"]
    if not all(rows):
        raise CourseError(
            en=f"prompt {rows.index([])} is empty: give it at least one token",
            zh=f"第 {rows.index([])} 条提示是空的：至少要有一个词元",
        )
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
    answers = [""] * len(rows)
    with answering(model):
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            new = answer_batch(model, tokenizer, [rows[i] for i in batch], max_new_tokens)
            for i, answer in zip(batch, new, strict=True):
                answers[i] = answer
    return answers


def answer_batch(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: list[list[int]],
    max_new_tokens: int,
) -> list[str]:
    """Answer one batch of token rows; the settings that a model ships with are overruled."""
    ids, mask = pad_left(rows, tokenizer.pad_token_id)  # (batch, tokens)
    ends = end_tokens(model, tokenizer)
    output = model.generate(
        input_ids=ids.to(model.device),
        attention_mask=mask.to(model.device),
        max_new_tokens=max_new_tokens,
        eos_token_id=ends,
        pad_token_id=tokenizer.pad_token_id,
        use_cache=True,
        do_sample=False,
        num_beams=1,
        # Qwen's files set these four; they would warn, or bend a greedy answer
        temperature=1.0,
        top_p=1.0,
        top_k=50,
        repetition_penalty=1.0,
    )
    new = [until_end(row, ends) for row in output[:, ids.shape[1] :].tolist()]
    return tokenizer.batch_decode(new, skip_special_tokens=True)


def pad_left(rows: list[list[int]], pad: int) -> tuple["torch.Tensor", "torch.Tensor"]:
    """Return token ids and attention mask, both (batch, longest), padded on the left."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    ids = [torch.tensor(row) for row in rows]
    options = {"batch_first": True, "padding_side": "left"}
    mask = pad_sequence([torch.ones_like(row) for row in ids], **options)
    return pad_sequence(ids, padding_value=pad, **options), mask


def end_tokens(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Return the ids at which an answer ends: the tokenizer's and those of the model's settings."""
    own = model.generation_config.eos_token_id
    own = [own] if isinstance(own, int) else list(own or [])
    return sorted({tokenizer.eos_token_id, *own} - {None})


def until_end(row: list[int], ends: list[int]) -> list[int]:
    """Return the tokens before the first end token."""
    return row[: next((i for i, token in enumerate(row) if token in ends), len(row))]


@contextlib.contextmanager
def answering(model: "PreTrainedModel") -> Iterator[None]:
    """Switch dropout off for a while (`generate` itself records no gradients)."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
