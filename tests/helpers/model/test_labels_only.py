"""TRL's head on a CPU: logits where labels are, and the same losses and gradients."""

import pytest
import torch
from trl.trainer import utils

from helpers.model.load import load
from helpers.model.train import score_labels_only


def losses(model, ids, labels):
    """Return TRL's loss, how many positions its head scored, and one gradient."""
    scored, apply = [], utils._ChunkedLogProbFunction.apply
    with pytest.MonkeyPatch.context() as patch:
        spy = lambda hidden, *rest: scored.append(len(hidden)) or apply(hidden, *rest)  # noqa: E731
        patch.setattr(utils._ChunkedLogProbFunction, "apply", spy)
        loss = model(input_ids=ids, labels=labels, fused_lm_head=True).loss
    model.zero_grad()
    loss.backward()
    return loss.item(), scored, model.model.layers[0].mlp.up_proj.weight.grad.clone()


def test_labels_alone_are_scored_and_losses_stay(monkeypatch):
    monkeypatch.setattr(utils, "_use_triton", utils._use_triton)  # put back at the end
    model, _ = load("data/models/xiaoxi")
    utils.add_fused_lm_head(model, outputs=("log_probs", "entropy", "is_top1"))
    ids = torch.arange(3, 43).view(2, 20)
    labels = ids.clone()
    labels[:, :15] = -100
    before = losses(model, ids, labels)
    score_labels_only()
    after = losses(model, ids, labels)
    assert before[1] == [2 * 19], "TRL scores every position here: the switch would change nothing"
    assert after[1] == [2 * 5]
    assert after[0] == pytest.approx(before[0], abs=1e-5)
    assert torch.allclose(after[2], before[2], atol=1e-5)
