"""The checks of notebook 04: right answers pass, the wrong ones that people give have their hint."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from helpers.lessons import nb04

X = -100
RIGHT = {"A": 3, "B": 2, "C": 5, "D": 4, "E": 1}
CAUSES = {"A": "labels not shifted", "B": "rate too low", "C": "rate too high"}
LOG = {
    "A": "a few answers",
    "B": "loss on general rows",
    "C": "training loss",
    "D": "loss on unseen articles",
}
LOSSES = {0.0: 4.5, 1e-5: 4.4, 1e-4: 3.2, 2e-3: 1.2, 1e-2: 1.9, 3e-2: 6.0, 10.0: math.nan}


def steps(n, batch, accumulation, epochs):
    """Count optimizer steps rightly."""
    return epochs * -(-(-(-n // batch)) // accumulation)


# --- losses: the right one, and slips -------------------------------------------------------------


def shifted(logits, target, **options):
    """Return the loss as it should be."""
    return cross_entropy(logits[:, :-1].flatten(0, 1), target[:, 1:].flatten(), **options)


def by_hand(logits, target):
    """Return the same without cross_entropy."""
    spread = logits[:, :-1].log_softmax(-1)
    now = target[:, 1:]
    picked = spread.gather(-1, now.clamp(min=0)[..., None])[..., 0]
    return -picked[now != X].mean()


def gathers_the_mask(logits, target):
    """Take -100 for the id of a token."""
    return -logits[:, :-1].log_softmax(-1).gather(-1, target[:, 1:, None]).mean()


def over_all(logits, target):
    """Divide by prompt and padding too."""
    return shifted(logits, target, reduction="sum") / target[:, 1:].numel()


def rows_first(logits, target):
    """Take the mean of the rows' means."""
    rows = zip(logits, target, strict=True)
    return torch.stack([cross_entropy(x[:-1], y[1:]) for x, y in rows]).mean()


# --- loops: the right one, and slips --------------------------------------------------------------


def loop(order, number=True, only=None):
    """Return a loop that makes its calls in an order, such as "backward step zero"."""

    def train(model, batches, optimizer, loss_of):
        losses = []
        for ids, target in batches[:only]:
            loss = loss_of(model(ids).logits, target)
            calls = {"backward": loss.backward, "step": optimizer.step}
            calls["zero"] = optimizer.zero_grad
            for name in order.split():
                calls[name]()
            losses.append(loss.item() if number else loss)
        return losses

    return train


def one(labels, outputs, targets, order="backward step zero"):
    """Return a step with labels of a kind and slices of outputs and targets."""

    def step(model, optimizer, ids, mask):
        target, logits = labels(ids, mask), model(ids).logits
        loss = cross_entropy(logits[:, outputs].flatten(0, 1), target[:, targets].flatten())
        calls = {"backward": loss.backward, "step": optimizer.step, "zero": optimizer.zero_grad}
        for name in order.split():
            calls[name]()
        return loss.item()

    return step


def masked(ids, mask):
    """Return the right labels."""
    return ids.where(mask.bool(), X)


def zeros(ids, mask):
    """Return labels that are 0 where they should be masked."""
    return ids * mask


EARLY, LATE = slice(None, -1), slice(1, None)


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    """Let the check of the rate read losses from a table; tests/lessons/test_stubs.py trains."""
    monkeypatch.setattr(nb04, "loss_at", LOSSES.__getitem__)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (nb04.labels, lambda ids, mask: [i if m else X for i, m in zip(ids, mask, strict=True)]),
        (nb04.shifted_loss, shifted),
        (nb04.shifted_loss, by_hand),
        (nb04.train, loop("backward step zero")),
        (nb04.train, loop("zero backward step")),
        (nb04.optimizer_steps, steps),
        (nb04.rate, 2e-3),
        (nb04.diagnosis, RIGHT),
        (nb04.one_step, one(masked, EARLY, LATE)),
        (nb04.one_step, one(masked, EARLY, LATE, "zero backward step")),
        (nb04.causes, CAUSES),
        (nb04.log, LOG),
    ],
)
def test_right_answers_pass(check, answer):
    result = check(answer)
    assert result.ok is True, result


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (nb04.labels, lambda ids, mask: [m if m else X for m in mask], "not the mask's 1"),
        (nb04.labels, lambda ids, mask: [i * m for i, m in zip(ids, mask, strict=True)], "-100 only"),
        (nb04.labels, lambda ids, mask: [X if m else i for i, m in zip(ids, mask, strict=True)],
         "turned round"),
        (nb04.labels, lambda ids, mask: [X, X, 7, 8, X], "end token"),
        (nb04.labels, lambda ids, mask: [7, 8, 2], "each of the 5"),
        (nb04.labels, lambda ids, mask: [X, X, X, 7, 2], "no shift"),
        (nb04.shifted_loss, lambda x, y: cross_entropy(x.flatten(0, 1), y.flatten()), "no shift"),
        (nb04.shifted_loss, lambda x, y: cross_entropy(x[:, 1:].flatten(0, 1), y[:, :-1].flatten()),
         "wrong way"),
        (nb04.shifted_loss, lambda x, y: shifted(x, y.clamp(min=0)), "mask is forgotten"),
        (nb04.shifted_loss, gathers_the_mask, "mask is forgotten"),
        (nb04.shifted_loss, over_all, "prompt and padding too"),
        (nb04.shifted_loss, rows_first, "mean of the rows' means"),
        (nb04.shifted_loss, lambda x, y: shifted(x, y, reduction="sum"), "that is the sum"),
        (nb04.shifted_loss, lambda x, y: -shifted(x, y), "the sign"),
        (nb04.shifted_loss, lambda x, y: shifted(x, y).item(), "the tensor itself"),
        (nb04.shifted_loss, lambda x, y: 2 * shifted(x, y), "transformers' own loss"),
        (nb04.shifted_loss, lambda x, y: cross_entropy(x, y), "your code stopped"),
        (nb04.train, loop("backward step"), "not zeroed"),
        (nb04.train, loop("backward zero step"), "did not move"),
        (nb04.train, loop("backward"), "did not move"),
        (nb04.train, loop("step zero backward"), "comes before `backward`"),
        (nb04.train, loop("backward step zero", number=False), "a number"),
        (nb04.train, loop("backward step zero", only=1), "one loss for each batch"),
        (nb04.train, loop("backward step step zero"), "one step a batch"),
        (nb04.optimizer_steps, lambda n, b, a, e: e * -(-n // b), "accumulated"),
        (nb04.optimizer_steps, lambda n, b, a, e: -(-n // (b * a)), "one epoch"),
        (nb04.optimizer_steps, lambda n, b, a, e: e * (n // (b * a)), "13 batches"),
        (nb04.optimizer_steps, lambda n, b, a, e: e * (-(-n // b) // a), "last step"),
        (nb04.rate, "2e-3", "above zero"),
        (nb04.rate, 10.0, "not a number"),
        (nb04.rate, 3e-2, "too high: the loss on unseen articles rises"),
        (nb04.rate, 1e-2, "a little too high"),
        (nb04.rate, 1e-4, "too low"),
        (nb04.rate, 1e-5, "too low"),
        (nb04.diagnosis, [1, 2, 3, 4, 5], "a dict"),
        (nb04.diagnosis, {"A": 1}, "A to E"),
        (nb04.diagnosis, {"A": 1, "B": 2, "C": 3, "D": 4, "E": 5}, "another format"),
        (nb04.diagnosis, RIGHT | {"B": 1}, "end token never counted"),
        (nb04.diagnosis, RIGHT | {"C": 6}, "more tokens count"),
        (nb04.diagnosis, RIGHT | {"D": 1}, "too long"),
        (nb04.diagnosis, RIGHT | {"E": 4}, "no label"),
        (nb04.one_step, one(zeros, LATE, EARLY, "backward zero step"), "do not move"),
        (nb04.one_step, one(masked, LATE, EARLY), "wrong way"),
        (nb04.one_step, one(zeros, EARLY, LATE), "label 0"),
        (nb04.one_step, one(zeros, LATE, EARLY), "two faults are left"),
        (nb04.one_step, one(masked, EARLY, LATE, "backward step"), "never zeroed"),
        (nb04.one_step, one(masked, slice(None), slice(None)), "no shift"),
        (nb04.one_step, one(masked, EARLY, LATE, "backward step step zero"), "not the healthy ones"),
        (nb04.causes, "rate too high", "a dict"),
        (nb04.causes, {"A": "rate too high"}, "A, B and C"),
        (nb04.causes, CAUSES | {"A": "magic"}, "from the list"),
        (nb04.causes, CAUSES | {"A": "prompt not masked"}, "too easy"),
        (nb04.causes, CAUSES | {"B": "rate too high"}, "hardly leaves"),
        (nb04.causes, CAUSES | {"C": "prompt not masked"}, "jumps up"),
        (nb04.log, "training loss", "a dict"),
        (nb04.log, {"A": "training loss"}, "A to D"),
        (nb04.log, LOG | {"A": "GPU temperature"}, "one of the four"),
        (nb04.log, LOG | {"A": "training loss"}, "no loss reads"),
        (nb04.log, LOG | {"B": "loss on unseen articles"}, "sums and translations"),
        (nb04.log, LOG | {"C": "a few answers"}, "at once"),
        (nb04.log, LOG | {"D": "training loss"}, "not trained on"),
    ],
)  # fmt: skip
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


@pytest.mark.parametrize("check", [nb04.rate, nb04.diagnosis, nb04.causes, nb04.log])
def test_untouched_answers_wait(check):
    assert check(...).ok is None
