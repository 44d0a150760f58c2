"""The plain training loop of lesson 04, for lessons that train many times: fast on a CPU."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from helpers.base import CourseError
from helpers.model.loss import encode

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Encoded = tuple[list[int], list[int]]  # token ids, and the loss mask


def batches(
    rows: Sequence[Encoded], size: int, pad: int, rng: "torch.Generator"
) -> Iterator[tuple["torch.Tensor", "torch.Tensor"]]:
    """Yield (ids, labels), each (batch, tokens): rows of like length together, in random order."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rows = sorted(rows, key=lambda row: len(row[0]))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    for n in torch.randperm(len(groups), generator=rng).tolist():
        ids = [torch.tensor(row) for row, _ in groups[n]]
        masks = [torch.tensor(mask).bool() for _, mask in groups[n]]
        labels = [row.where(mask, -100) for row, mask in zip(ids, masks, strict=True)]
        yield (
            pad_sequence(ids, batch_first=True, padding_value=pad),
            pad_sequence(labels, batch_first=True, padding_value=-100),
        )


def parts(
    ids: "torch.Tensor", labels: "torch.Tensor", size: int | None
) -> Iterator[tuple["torch.Tensor", "torch.Tensor", float]]:
    """Yield (ids, labels, share of the batch's labels) of at most `size` rows each, None for all.

    The losses of the parts, each times its share, add up to the mean loss of the whole batch.
    """
    total = int((labels[:, 1:] != -100).sum())
    for start in range(0, len(ids), size or len(ids)):
        rows = slice(start, start + (size or len(ids)))
        yield ids[rows], labels[rows], int((labels[rows, 1:] != -100).sum()) / total


def label_loss(model: "PreTrainedModel", ids: "torch.Tensor", labels: "torch.Tensor"):
    """Return the mean loss in nats, with logits only where a label is; ids, labels (batch, tokens).

    Prompt and prefix tuning put tokens of their own before the row, so they take the long way.
    """
    import torch.nn.functional as F

    if getattr(getattr(model, "active_peft_config", None), "is_prompt_learning", False):
        return model(input_ids=ids, labels=labels, attention_mask=ids.new_ones(ids.shape)).loss
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = core.model(ids, use_cache=False).last_hidden_state[:, :-1]  # (batch, tokens - 1, emb)
    counts = labels[:, 1:] != -100
    logits = core.lm_head(hidden[counts])  # (labels, vocabulary)
    return F.cross_entropy(logits.float(), labels[:, 1:][counts])


def score_labels_only() -> None:
    """Make TRL compute logits only where a label is on a CPU, too; the losses stay the same.

    TRL 1.16 does so where Triton runs and else scores every position, prompt and padding too
    (`compact` in trl/trainer/utils.py), which on a CPU takes as long as all the rest of a step.
    tools/measure/bench.py measures it. With a TRL that has no such switch, nothing changes.
    """
    from trl.trainer import utils

    if hasattr(utils, "_use_triton"):
        utils._use_triton = lambda device: True


def fit(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    rows: Sequence[dict[str, Any]],
    *,
    lr: float,
    num_epochs: float,
    batch_size: int = 16,
    seed: int = 0,
    device: str = "cpu",
    rows_at_once: int | None = None,
    on_step: Callable[[int, float], None] | None = None,
) -> list[float]:
    """Train the weights that want a gradient on rows of `messages`; return the loss of each step.

    AdamW, gradients clipped at 1, the rate falling linearly to 0, right padding. `num_epochs` may
    be a fraction. `rows_at_once` sends a batch through the model in parts, to save memory: their
    gradients add up to the batch's, each label counting once. `on_step(step, loss)` is called
    after each step. Raises CourseError when nothing is trainable, or no row has an answer to learn
    from.
    """
    import torch

    weights = [p for p in model.parameters() if p.requires_grad]
    made = [encode(tokenizer, row["messages"]) for row in rows]
    made = [(list(ids), list(mask)) for ids, mask in made if any(mask)]
    if not weights or not made:
        raise CourseError(
            en="nothing to train: no weight wants a gradient, or no row has an answer",
            zh="没有可训练的内容：没有需要梯度的权重，或者没有一行带答案",
        )
    rng, losses = torch.Generator().manual_seed(seed), []
    steps = max(1, round(num_epochs * -(-len(made) // batch_size)))
    optimizer = torch.optim.AdamW(weights, lr=lr, fused=True)
    model.train()
    while len(losses) < steps:
        for ids, labels in batches(made, batch_size, tokenizer.pad_token_id, rng):
            loss = 0.0
            for some, wanted, share in parts(ids.to(device), labels.to(device), rows_at_once):
                part = label_loss(model, some, wanted) * share
                part.backward()
                loss += part.item()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimizer.param_groups[0]["lr"] = lr * (1 - len(losses) / steps)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss)
            if on_step:
                on_step(len(losses), losses[-1])
            if len(losses) == steps:
                break
    model.eval()
    return losses
