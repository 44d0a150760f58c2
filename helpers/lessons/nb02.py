"""The checks of notebook 02; each wrong answer that people give has a hint of its own."""

import copy
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from helpers.exercise import Untried, exercise, is_stub, near

if TYPE_CHECKING:
    import torch

R, ALPHA = 4, 12  # of the layer that `MyLoRA` is checked on
SHAPES = (
    "the shapes do not fit: x is (…, in), A is (r, in), B is (out, r), so x first meets A",
    "形状对不上：x 是 (…, in)，A 是 (r, in)，B 是 (out, r)，所以 x 先乘 A",
)
QWEN_7B = {  # data/models/qwen2.5.json
    "hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
    "num_attention_heads": 28, "num_key_value_heads": 4,
}  # fmt: skip
Hints = Iterator[tuple[Any, str, str]]


@exercise("02.1", "LoRA, written by you", "自己写 LoRA")
def MyLoRA(answer):
    yield isinstance(answer, type), "a class is asked for", "要的是一个类"
    if is_stub(answer.forward):
        raise Untried
    yield from _forward(answer)
    yield from _gradients(answer)
    yield from _dropout(answer)
    if is_stub(answer.merged):
        raise Untried
    yield from _merged(answer)
    layer, theirs, x = _both(answer, 6, 10)
    yield near(_run(layer, x), theirs(x)), *SHAPES
    yield near(_run(layer.merged(), x), theirs(x)), *SHAPES


def _both(answer: type, n_in: int, n_out: int, dropout: float = 0.0):
    """Return the learner's layer, PEFT's with the same weights, and an input (5, n_in), float64."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch import nn

    draw = torch.Generator().manual_seed(0)
    base = nn.Linear(n_in, n_out).double()
    config = LoraConfig(r=R, lora_alpha=ALPHA, target_modules=["0"], lora_dropout=dropout)
    theirs = get_peft_model(nn.Sequential(copy.deepcopy(base)).double(), config).double()
    mine = answer(base, R, ALPHA, dropout).double()
    wrapped = theirs.base_model.model[0]
    with torch.no_grad():
        for own, other in ((mine.A, wrapped.lora_A.default), (mine.B, wrapped.lora_B.default)):
            own.copy_(torch.randn(own.shape, generator=draw, dtype=torch.double))
            other.weight.copy_(own)
    return mine, theirs, torch.randn(5, n_in, generator=draw, dtype=torch.double)


def _run(layer: Any, x: "torch.Tensor") -> "torch.Tensor | None":
    """Return what a layer makes of x, or None where its shapes do not fit."""
    try:
        return layer(x)
    except RuntimeError:
        return None


def _forward(answer: type) -> Hints:
    """Hold the outputs against PEFT's; in a square layer with r = n every slip has a shape."""
    layer, theirs, x = _both(answer, R, R)
    got, wanted = _run(layer, x), theirs(x)
    yield (
        got is not None,
        "your forward returned nothing, or its shapes do not fit: A is (r, in), B is (out, r)",
        "forward 没有返回值，或形状对不上：A 是 (r, in)，B 是 (out, r)",
    )
    A, B, plain, scale = layer.A, layer.B, layer.base(x), ALPHA / R
    side = x @ A.T @ B.T
    slips = [
        (
            plain + side,
            "the scale is forgotten: α / r times the side path",
            "漏了缩放：支路要乘 α / r",
        ),
        (
            plain + ALPHA * side,
            "α alone is not the scale: divide it by r",
            "只乘 α 还不是缩放系数：要除以 r",
        ),
        (
            scale * side,
            "only the side path: the base's output is missing",
            "只有支路：少了原来那一层的输出",
        ),
        (
            plain + scale * (x @ B.T @ A.T),
            "A and B are swapped: x meets A first, then B",
            "A 和 B 换了位置：x 先乘 A，再乘 B",
        ),
        (
            plain + scale * (x @ B @ A),
            "x @ (B @ A) lacks the transpose: a linear layer computes x @ W.T",
            "x @ (B @ A) 少了转置：线性层算的是 x @ W.T",
        ),
        (
            plain + scale * (x @ A @ B),
            "neither is transposed: x @ A.T is r wide, and @ B.T is as wide as the output",
            "两个都没有转置：x @ A.T 宽为 r，再 @ B.T 才是输出的宽度",
        ),
        (
            scale * (plain + side),
            "the base is scaled too: α / r belongs to the side path alone",
            "连基座也缩放了：α / r 只乘支路",
        ),
    ]
    for value, en, zh in slips:
        yield not near(got, value), en, zh
    yield (
        near(got, wanted),
        "not yet PEFT's outputs: base(x) + α / r · x Aᵀ Bᵀ",
        "与 PEFT 的输出还不一致：base(x) + α / r · x Aᵀ Bᵀ",
    )


def _gradients(answer: type) -> Hints:
    """Hold the gradients against PEFT's."""
    layer, theirs, x = _both(answer, 6, 10)
    mine, other = (x.clone().requires_grad_() for _ in range(2))
    out = _run(layer, mine)
    yield out is not None, *SHAPES
    (out**2).sum().backward()
    (theirs(other) ** 2).sum().backward()
    yield (
        not any(p.requires_grad for p in layer.base.parameters()),
        "the base is not frozen: its weights still want a gradient (requires_grad_)",
        "基座没有冻结：它的权重还在要梯度（requires_grad_）",
    )
    yield (
        layer.A.grad is not None and layer.B.grad is not None,
        "no gradient reaches A and B: no .data, .detach() or no_grad in forward",
        "A 和 B 收不到梯度：forward 里不要用 .data、.detach() 或 no_grad",
    )
    yield (
        near(mine.grad, other.grad),
        "the gradient stops at the base: freeze its weights, but let the gradient through to x",
        "梯度在基座处断了：冻结的是它的权重，梯度仍要传到 x",
    )
    wrapped = theirs.base_model.model[0]
    yield (
        near(layer.A.grad, wrapped.lora_A.default.weight.grad)
        and near(layer.B.grad, wrapped.lora_B.default.weight.grad),
        "outputs right, gradients not PEFT's: is a part of forward detached?",
        "输出对，梯度与 PEFT 的不同：forward 里有哪部分被 detach 了吗？",
    )


def _dropout(answer: type) -> Hints:
    """Let both drop the same inputs: dropout stands before A, on the side path alone."""
    import torch
    from torch import nn

    class Half(nn.Module):
        """A dropout of 0.5 whose draw is known: every second number."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * x * (torch.arange(x.shape[-1]) % 2) if self.training else x

    layer, theirs, x = _both(answer, 6, 6, dropout=0.5)
    layer.dropout, theirs.base_model.model[0].lora_dropout["default"] = Half(), Half()
    got, side = layer.train()(x), ALPHA / R * (x @ layer.A.T @ layer.B.T)
    drop, base = layer.dropout, layer.base
    slips = [
        (
            base(x) + side,
            "dropout is not used: self.dropout(x)",
            "没有用上 dropout：self.dropout(x)",
        ),
        (
            base(drop(x)) + ALPHA / R * (drop(x) @ layer.A.T @ layer.B.T),
            "dropout hits the base too: its input stays whole",
            "dropout 连基座也打到了：基座的输入要保持完整",
        ),
        (
            drop(base(x) + side),
            "dropout stands on the output: it belongs on the side path's input",
            "dropout 加在了输出上：应该加在支路的输入上",
        ),
    ]
    for value, en, zh in slips:
        yield not near(got, value), en, zh
    yield (
        near(got, theirs.train()(x)),
        "dropout belongs on the side path's input, before A",
        "dropout 应加在支路的输入上，在 A 之前",
    )


def _merged(answer: type) -> Hints:
    """Hold the merged layer against the unmerged one."""
    from torch import nn

    layer, theirs, x = _both(answer, R, R)
    before = layer.base.weight.detach().clone()
    made = layer.merged()
    yield isinstance(made, nn.Linear), "merged returns an nn.Linear", "merged 要返回一个 nn.Linear"
    yield (
        near(layer.base.weight, before),
        "merged changed the base itself: work on a copy, or a second call merges twice",
        "merged 改动了基座本身：要在副本上改，否则再调用一次就合并了两次",
    )
    A, B = layer.A, layer.B
    slips = [
        (
            before,
            "the merged layer is the base as it was: add scale · B @ A",
            "合并后还是原来的基座：要加上 缩放系数 · B @ A",
        ),
        (before + B @ A, "merged without its scale α / r", "合并时漏了缩放系数 α / r"),
        (
            before + ALPHA / R * (A @ B),
            "merged on the wrong side: A @ B is r × r; the change is B @ A",
            "左右乘反了：A @ B 是 r × r；改动是 B @ A",
        ),
        (
            before + ALPHA / R * (B @ A).T,
            "merged transposed: a weight is (out, in), as B @ A is",
            "合并时多了转置：权重是 (out, in)，B @ A 正好也是",
        ),
    ]
    for value, en, zh in slips:
        yield not near(made.weight, value), en, zh
    yield near(made.bias, layer.base.bias), "the bias is lost", "偏置丢了"
    yield (
        near(made(x), theirs(x)),
        "the merged layer answers otherwise: W + α / r · B @ A",
        "合并后的层输出不同：W + α / r · B @ A",
    )


@exercise("02.2", "Count before you train", "先数一数")
def lora_weights(answer):
    both = ["q_proj", "v_proj"]
    got, right = answer(QWEN_7B, 8, both), 2_523_136
    yield (
        got != 28 * 8 * 4 * 3584,
        "v_proj is narrower: in Qwen2.5 four key-value heads serve 28 heads",
        "v_proj 更窄：Qwen2.5 里 28 个头共用 4 组键和值",
    )
    yield got != right / 28, "that is one block of 28", "这只是 28 块中的一块"
    yield got != right / 8, "that is rank 1: multiply by r", "这是秩 1 的：还要乘 r"
    yield (
        got != 28 * (3584 * 3584 + 3584 * 512),
        "those are the layers' own weights: LoRA adds r (n_in + n_out)",
        "这是这些层自己的权重数：LoRA 加的是 r (n_in + n_out)",
    )
    yield (
        got == right,
        "28 blocks × 8 × ((3584 + 3584) + (3584 + 512))",
        "28 块 × 8 × ((3584 + 3584) + (3584 + 512))",
    )
    yield (
        answer(QWEN_7B, 8, ["o_proj"]) == 28 * 8 * 2 * 3584,
        "o_proj maps the width to itself",
        "o_proj 的输入、输出都是模型宽度",
    )
    yield (
        answer(QWEN_7B, 16, ["k_proj"]) == 28 * 16 * (3584 + 512),
        "k_proj is as narrow as v_proj",
        "k_proj 和 v_proj 一样窄",
    )
    yield (
        answer(QWEN_7B, 16, ["gate_proj", "up_proj", "down_proj"]) == 28 * 16 * 3 * (3584 + 18944),
        "the MLP's three layers lie between 3584 and 18944",
        "MLP 的三层都在 3584 和 18944 之间",
    )


STARTS = {
    "A": (
        3,
        "B is not zero, so B A is not zero: the model answers differently before it has learned",
        "B 不为零，BA 也就不为零：还没学，模型的回答就变了",
    ),
    "B": (
        1,
        "the gradient of A is α / r · Bᵀ G, and B is zero",
        "A 的梯度是 α / r · Bᵀ G，而 B 是零",
    ),
    "C": (
        4,
        "with the adapter off nothing is added: A and B no longer matter",
        "适配器一关，什么也不加：A 和 B 不再起作用",
    ),
    "D": (
        2,
        "B A is added times α / r: four times the α, four times the change at the start",
        "BA 要乘 α / r：α 是四倍，起点的改动也是四倍",
    ),
}


@exercise("02.3", "Before the first step", "第一步之前")
def outcomes(answer):
    yield from _matched(answer, STARTS)


@exercise("02.4", "As loud at another rank", "换了秩，一样响")
def new_alpha(answer):
    got = answer(16, 8, 64)
    yield (
        got != 16,
        "alpha kept: alpha / r falls from 2 to 0.25",
        "alpha 没变：alpha / r 从 2 掉到 0.25",
    )
    yield (
        not near(got, 2),
        "turned round: a larger rank is divided by more, so alpha must grow",
        "反了：秩越大除得越多，alpha 要变大",
    )
    yield (
        not near(got, 16 * 8**0.5),
        "that is rsLoRA's; LoRA divides by r itself",
        "这是 rsLoRA 的；LoRA 除以的是 r 本身",
    )
    yield near(got, 128), "16 / 8 = 2 = alpha / 64", "16 / 8 = 2 = alpha / 64"
    got = answer(16, 8, 32, rslora=True)
    yield not near(got, 64), "rsLoRA divides by √r, not by r", "rsLoRA 除以 √r，不是 r"
    yield near(got, 32), "16 / √8 = alpha / √32", "16 / √8 = alpha / √32"
    yield near(answer(32, 16, 4), 8), "it must work downwards too", "秩变小时也要对"


@exercise("02.5", "The rank that is enough", "够用的秩")
def rank_for(answer):
    values = [3.0, 2.0, 1.0, 1.0]  # squares 9, 4, 1, 1 of 15
    got = answer(values, 0.8)
    yield (
        not (isinstance(got, float) and 0 < got <= 1),
        "that is a share; a rank is asked for: 1, 2, …",
        "这是占比；要的是秩：1、2、……",
    )
    yield (
        got != 3,
        "squares: 9 + 4 of 15 are 87 %; the values themselves only come to 5 of 7",
        "要用平方：9 + 4 占 15 的 87 %；直接用奇异值则只有 5/7",
    )
    yield (
        got != 1,
        "off by one: the first value alone is rank 1 and holds 60 %",
        "差了一：只留第一个就是秩 1，占 60 %",
    )
    yield got == 2, "add squares until they reach the part", "累加平方，直到达到要求的占比"
    yield (
        answer(values, 9 / 15) == 1,
        "at least `part`: exactly 60 % is enough, rank 1 (>= and not >)",
        "至少 `part`：正好 60 % 就够，秩为 1（用 >=，不是 >）",
    )
    yield answer(values, 1.0) == 4, "all of it takes all four", "全部留住，需要全部四个"
    yield answer([5.0, 0.0, 0.0], 1.0) == 1, "zeros hold nothing", "零什么也不占"


RUNS = [
    {"lr": lr, "seed": seed, "all": right, "forgetting": lost}
    for lr, marks in {
        1e-4: ((0.0, 0.0), (0.0, 0.0)),
        1e-3: ((0.5, 0.125), (0.625, 0.25)),
        3e-3: ((0.75, 0.75), (0.75, 0.875)),
        1e-2: ((0.6875, 0.25), (0.25, 0.375)),
    }.items()
    for seed, (right, lost) in enumerate(marks)
]


@exercise("02.6", "A rate within a limit", "有上限的学习率")
def pick(answer):
    got = answer(RUNS, 0.5)
    yield (
        got != 3e-3,
        "that one forgets 0.81 on average: the limit is 0.5",
        "它平均忘了 0.81：上限是 0.5",
    )
    yield (
        got != 1e-2,
        "that is the luckiest run; its other seed got 0.25: take the mean over the seeds",
        "这是运气最好的一次，换个种子只有 0.25：要取各种子的平均",
    )
    yield (
        got != 1e-4,
        "that forgets least, and learns nothing: among those within the limit take the best score",
        "它忘得最少，可什么也没学会：在不超上限的里面取成绩最好的",
    )
    yield (
        not near(got, 0.5625),
        "that is the score; the rate is asked for",
        "这是成绩；要的是学习率",
    )
    yield got == 1e-3, "mean scores: 0, 0.56, 0.75, 0.47", "平均成绩：0、0.56、0.75、0.47"
    yield (
        answer(RUNS, 0.1875) == 1e-3,
        "at most the limit, on average: exactly 0.1875 is allowed, a single run may lie above",
        "平均不超过上限：正好 0.1875 也行，单次可以更高",
    )
    yield answer(RUNS, 0.9) == 3e-3, "with room for it, the best score", "上限够宽时取成绩最好的"


CAUSES = {
    "A": (
        1,
        "no gradient at all: which start makes both gradients zero?",
        "完全没有梯度：哪种起点让两个梯度都为零？",
    ),
    "B": (
        4,
        "slow, and the settings were copied: whose rate was it?",
        "太慢，设置又是抄来的：原来用的是谁的学习率？",
    ),
    "C": (
        2,
        "rsLoRA at rank 8 adds no rank: it makes alpha / r larger; so what was too low?",
        "秩 8 的 rsLoRA 没有增加秩，只是让 alpha / r 变大了：可见是什么太低？",
    ),
    "D": (
        3,
        "the weights that serve are not those that were trained: what happened between?",
        "上线的权重和训练的不一样：中间发生了什么？",
    ),
}


@exercise("02.7", "Four colleagues", "四位同事")
def causes(answer):
    yield from _matched(answer, CAUSES)


def _matched(answer: Any, key: dict[str, tuple[int, str, str]]) -> Hints:
    """Check a dict of letters and numbers; each letter has a hint of its own."""
    yield isinstance(answer, dict), 'a dict: {"A": 1, ...}', '要写成字典：{"A": 1, ...}'
    yield set(answer) == set(key), "name all of A to D", "A 到 D 都要写"
    for letter, (number, en, zh) in key.items():
        yield answer[letter] == number, f"{letter}: {en}", f"{letter}：{zh}"
