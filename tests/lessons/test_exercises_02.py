"""The checks of notebook 02: right answers pass, the wrong ones that people give have their hint."""

import copy
from collections import defaultdict
from itertools import accumulate

import pytest
import torch
from torch import nn

from helpers.lessons import nb02

RIGHT = {"A": 1, "B": 4, "C": 2, "D": 3}
STARTS = {"A": 3, "B": 1, "C": 4, "D": 2}


class LoRA(nn.Module):
    """The right layer; each wrong one below changes one thing."""

    def __init__(self, base, r, alpha, dropout=0.0):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.dropout = nn.Dropout(dropout)
        self.A = nn.Parameter(torch.rand(r, base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, r))
        self.alpha, self.r, self.scale = alpha, r, alpha / r

    def side(self, x):
        """Return what the side path adds."""
        return self.scale * (self.dropout(x) @ self.A.T @ self.B.T)

    def forward(self, x):
        return self.base(x) + self.side(x)

    def change(self):
        """Return what merging adds to the weight."""
        return self.scale * self.B.data @ self.A.data

    def merged(self):
        layer = copy.deepcopy(self.base)
        layer.weight.data += self.change()
        return layer


class Thawed(LoRA):
    """Forget to freeze the base."""

    def __init__(self, *args):
        super().__init__(*args)
        self.base.requires_grad_(True)


class Stub(LoRA):
    """Write nothing."""

    def forward(self, x): ...  # fmt: skip

    def merged(self): ...  # fmt: skip


class InPlace(LoRA):
    """Merge into the base itself."""

    def merged(self):
        self.base.weight.data += self.change()
        return self.base


class NoBias(LoRA):
    """Make the merged layer without its bias."""

    def merged(self):
        layer = nn.Linear(self.base.in_features, self.base.out_features, bias=True).double()
        layer.weight.data = self.base.weight.data + self.change()
        return layer


def forward(change):
    """Return the right layer with another forward."""
    return type("Changed", (LoRA,), {"forward": lambda self, x: change(self, x)})


def merged(change):
    """Return the right layer that merges another change."""
    return type("Changed", (LoRA,), {"change": lambda self: change(self)})


def cut_at_base(self, x):
    """Stop the gradient in the base."""
    with torch.no_grad():
        plain = self.base(x)
    return plain + self.side(x)


def weights(config, r, targets, kv=None, layers=None):
    """Count LoRA's weights."""
    d, h = config["hidden_size"], config["intermediate_size"]
    kv = kv or d * config["num_key_value_heads"] // config["num_attention_heads"]
    out = dict.fromkeys(("q_proj", "o_proj"), d) | dict.fromkeys(("k_proj", "v_proj"), kv)
    out |= dict.fromkeys(("gate_proj", "up_proj", "down_proj"), h)
    return (layers or config["num_hidden_layers"]) * r * sum(d + out[name] for name in targets)


def pick(runs, limit, mean=lambda values: sum(values) / len(values), allowed=None):
    """Choose the rate by the means over the seeds."""
    groups = defaultdict(list)
    for run in runs:
        groups[run["lr"]].append(run)
    allowed = allowed or (lambda lost: sum(lost) / len(lost) <= limit)
    kept = {lr: g for lr, g in groups.items() if allowed([run["forgetting"] for run in g])}
    return max(kept, key=lambda lr: mean([run["all"] for run in kept[lr]]))


def rank(values, part):
    """Find the smallest rank that holds a part of the squares."""
    held = accumulate(v * v for v in values)
    goal = part * sum(v * v for v in values) - 1e-12
    return next(i for i, h in enumerate(held, 1) if h >= goal)


def rank_strict(values, part):
    """Ask for more than the part."""
    held = accumulate(v * v for v in values)
    goal = part * sum(v * v for v in values) + 1e-12
    return next((i for i, h in enumerate(held, 1) if h > goal), len(values))


def alpha(alpha, r, new_r, rslora=False):
    """Keep the scale."""
    return alpha * (new_r / r) ** (0.5 if rslora else 1)


@pytest.mark.parametrize(
    ("check", "answer"),
    [
        (nb02.rank_for, rank),
        (nb02.new_alpha, alpha),
        (nb02.causes, RIGHT),
        (nb02.MyLoRA, LoRA),
        (nb02.lora_weights, weights),
        (nb02.outcomes, STARTS),
        (nb02.pick, pick),
    ],
)
def test_right_answers_pass(check, answer):
    assert check(answer).ok is True


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (nb02.rank_for, lambda s, p: sum(v * v for v in s[:2]) / sum(v * v for v in s), "a share"),
        (nb02.rank_for, lambda s, p: next(i for i, h in enumerate(accumulate(s), 1) if h >= p * sum(s)), "squares"),
        (nb02.rank_for, lambda s, p: rank(s, p) - 1, "off by one"),
        (nb02.rank_for, lambda s, p: 4, "add squares"),
        (nb02.rank_for, rank_strict, "exactly 60 %"),
        (nb02.rank_for, lambda s, p: min(rank(s, p), 2), "all four"),
        (nb02.rank_for, lambda s, p: len(s) if p == 1 else rank(s, p), "zeros hold nothing"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha, "alpha kept"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha * r / new_r, "turned round"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha * (new_r / r) ** 0.5, "rsLoRA's"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha + new_r, "alpha / 64"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: alpha * new_r / r, "√r, not by r"),
        (nb02.new_alpha, lambda alpha, r, new_r, rslora=False: 1 if rslora else alpha * new_r / r, "√32"),
        (nb02.new_alpha, lambda a, r, n, rslora=False: a * max(1, (n / r) ** (0.5 if rslora else 1)), "downwards"),
        (nb02.MyLoRA, lambda base, r, alpha: base, "a class"),
        (nb02.MyLoRA, forward(lambda s, x: None), "returned nothing"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + x @ s.A @ s.B.T @ s.B.T[:1]), "do not fit"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.dropout(x) @ s.A.T @ s.B.T), "scale is forgotten"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.alpha * (x @ s.A.T @ s.B.T)), "divide it by r"),
        (nb02.MyLoRA, forward(lambda s, x: s.side(x)), "only the side path"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.scale * (x @ s.B.T @ s.A.T)), "swapped"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.scale * (x @ (s.B @ s.A))), "lacks the transpose"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.scale * (x @ s.A @ s.B)), "neither is transposed"),
        (nb02.MyLoRA, forward(lambda s, x: s.scale * (s.base(x) + x @ s.A.T @ s.B.T)), "base is scaled too"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) - s.side(x)), "not yet PEFT's"),
        (nb02.MyLoRA, Thawed, "not frozen"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.side(x).detach()), "no gradient reaches"),
        (nb02.MyLoRA, forward(cut_at_base), "stops at the base"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.scale * (s.dropout(x) @ s.A.T) @ s.B.T.detach() + 0 * s.B.sum()), "not PEFT's"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.scale * (x @ s.A.T @ s.B.T)), "not used"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(s.dropout(x)) + s.side(x)), "hits the base too"),
        (nb02.MyLoRA, forward(lambda s, x: s.dropout(s.base(x) + s.scale * (x @ s.A.T @ s.B.T))), "on the output"),
        (nb02.MyLoRA, forward(lambda s, x: s.base(x) + s.dropout(s.scale * (x @ s.A.T @ s.B.T))), "before A"),
        (nb02.MyLoRA, type("Changed", (LoRA,), {"merged": lambda self: self.change()}), "an nn.Linear"),
        (nb02.MyLoRA, InPlace, "merges twice"),
        (nb02.MyLoRA, merged(lambda s: 0 * s.base.weight.data), "as it was"),
        (nb02.MyLoRA, merged(lambda s: s.B.data @ s.A.data), "without its scale"),
        (nb02.MyLoRA, merged(lambda s: s.scale * s.A.data @ s.B.data), "wrong side"),
        (nb02.MyLoRA, merged(lambda s: s.scale * (s.B.data @ s.A.data).T), "transposed"),
        (nb02.MyLoRA, NoBias, "bias is lost"),
        (nb02.MyLoRA, merged(lambda s: s.alpha * s.B.data @ s.A.data), "answers otherwise"),
        (nb02.lora_weights, lambda c, r, t: weights(c, r, t, kv=c["hidden_size"]), "narrower"),
        (nb02.lora_weights, lambda c, r, t: weights(c, r, t, layers=1), "one block"),
        (nb02.lora_weights, lambda c, r, t: weights(c, 1, t), "multiply by r"),
        (nb02.lora_weights, lambda c, r, t: 28 * (3584 * 3584 + 3584 * 512), "own weights"),
        (nb02.lora_weights, lambda c, r, t: 0, "28 blocks"),
        (nb02.lora_weights, lambda c, r, t: weights(c, r, ["q_proj", "v_proj"]), "to itself"),
        (nb02.lora_weights, lambda c, r, t: weights(c, r, t) if "k_proj" not in t else 0, "as narrow"),
        (nb02.lora_weights, lambda c, r, t: weights(c, r, t) if "up_proj" not in t else 0, "MLP"),
        (nb02.pick, lambda runs, limit: pick(runs, 9), "that one forgets 0.81"),
        (nb02.pick, lambda runs, limit: pick(runs, limit, mean=max), "luckiest"),
        (nb02.pick, lambda runs, limit: 1e-4, "learns nothing"),
        (nb02.pick, lambda runs, limit: 0.5625, "that is the score"),
        (nb02.pick, lambda runs, limit: 3, "mean scores"),
        (nb02.pick, lambda runs, limit: pick(runs, limit, allowed=lambda lost: max(lost) <= limit), "single run"),
        (nb02.pick, lambda runs, limit: 1e-3, "with room"),
        (nb02.outcomes, STARTS | {"A": 1}, "before it has learned"),
        (nb02.outcomes, STARTS | {"B": 3}, "gradient of A"),
        (nb02.outcomes, STARTS | {"C": 3}, "adapter off"),
        (nb02.outcomes, STARTS | {"D": 3}, "four times"),
        (nb02.causes, [1, 4, 2, 3], "a dict"),
        (nb02.causes, {"A": 1}, "A to D"),
        (nb02.causes, RIGHT | {"A": 4}, "both gradients"),
        (nb02.causes, RIGHT | {"B": 2}, "whose rate"),
        (nb02.causes, RIGHT | {"C": 4}, "alpha / r"),
        (nb02.causes, RIGHT | {"D": 1}, "happened between"),
    ],
)  # fmt: skip
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


@pytest.mark.parametrize("check", [nb02.causes, nb02.rank_for, nb02.outcomes, nb02.pick])
def test_untouched_answers_wait(check):
    assert check(...).ok is None


def test_my_lora_waits_until_both_methods_are_written():
    assert nb02.MyLoRA(Stub).ok is None
    half = nb02.MyLoRA(type("Half", (LoRA,), {"merged": Stub.merged}))
    assert half.ok is None
    wrong = nb02.MyLoRA(type("Half", (Stub,), {"forward": lambda s, x: s.base(x)}))
    assert wrong.ok is False
