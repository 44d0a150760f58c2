"""How much memory a training step takes: a formula of named terms, none fitted to the peaks.

Some bytes live all the time: weights, constants of the quantisation, adapters, optimizer states.
To these a step adds others at each of its moments. The largest moment is the peak, and its terms
say which tensor makes it. The models are Llama's and Qwen's kind, under transformers 5, PEFT and
bitsandbytes, with LoRA on all linear layers; the bytes are those of PyTorch's
`max_memory_allocated`. What the allocator holds beyond them and the CUDA context come on top.
The tests hold the formula against peaks of an H200 and against a simulation (data/sweeps).
"""

from typing import TYPE_CHECKING, NamedTuple

from helpers.model.setting import CARDS, METHODS, Setting, Shape, check, on_card, shape_of

if TYPE_CHECKING:
    from transformers import PretrainedConfig

GIB = 2**30
# cuBLAS on Hopper, in the forward's and the backward's thread; else less. Read off the H200's
# memory before training, the one constant here that is not derived.
WORKSPACE = 65 * 2**20

TERMS = {  # key: name, and what it is
    "weights": ("weights ｜ 权重", "as they are stored ｜ 按存储的精度"),
    "constants": (
        "quantisation constants ｜ 量化常数",
        "a scale for each 64 weights, itself in 8 bits with double quantisation"
        " ｜ 每 64 个权重一个缩放系数；双重量化时它本身也只占 8 位",
    ),
    "adapters": ("adapters ｜ 适配器", "A and B, in float32 ｜ A 和 B，float32"),
    "states": ("optimizer states ｜ 优化器状态", "two for each trained weight ｜ 可训练权重各两个"),
    "workspace": ("workspace ｜ 工作区", "of cuBLAS, on Hopper ｜ cuBLAS 自用，Hopper 显卡"),
    "gradients": ("gradients ｜ 梯度", "one for each trained weight ｜ 每个可训练权重一个"),
    "activations": (
        "activations ｜ 激活值",
        "kept for backward by every layer; with checkpointing, the layers' inputs alone"
        " ｜ 每层为反向传播留下的张量；开了检查点，就只留每层的输入",
    ),
    "recomputed": (
        "one layer again ｜ 重算的一层",
        "what it keeps, computed anew with checkpointing ｜ 开检查点时，重新算出的一层激活值",
    ),
    "copies": ("16-bit copies ｜ 16 位副本", "of weights, by autocast ｜ 混合精度为权重做的副本"),
    "logits": (
        "logits",
        "a score for each word, and the loss's float32 tensors of that size"
        " ｜ 每个词的得分，以及算损失时同样大小的 float32 张量",
    ),
    "working": (
        "temporary ｜ 临时张量",
        "gradients of activations, a weight turned back to 16 bits"
        " ｜ 激活值的梯度，以及还原成 16 位的一个权重",
    ),
}  # fmt: skip
MOMENTS = {
    "forward": "the end of forward ｜ 前向结束时",
    "loss": "backward of the loss ｜ 损失的反向",
    "head": "backward of the head ｜ 输出层的反向",
    "top layer": "backward of the last layer ｜ 最后一层的反向",
    "first layer": "backward of the first layer ｜ 第一层的反向",
    "embedding": "the end of backward ｜ 反向结束时",
    "step": "the optimizer's step ｜ 优化器更新",
}


class Peak(NamedTuple):
    """The peak in bytes, its moment (a key of MOMENTS), its terms, and the bytes of each moment."""

    bytes: int
    moment: str
    terms: dict[str, int]  # keys of TERMS, largest first
    moments: dict[str, int]


def peak(config: "PretrainedConfig | Shape", setting: Setting) -> Peak:
    """Return the most memory that a training step takes on one GPU, in bytes, and what takes it.

    The first step has no states yet; this is any later one. Raises CourseError for nonsense.
    """
    each = moments(config, setting)
    totals = {name: round(sum(terms.values())) for name, terms in each.items()}
    moment = max(totals, key=lambda name: totals[name])
    terms = sorted(each[moment].items(), key=lambda item: -item[1])
    whole = {name: round(size) for name, size in terms if size}
    return Peak(totals[moment], moment, whole, totals)


def moments(config: "PretrainedConfig | Shape", setting: Setting) -> dict[str, dict[str, float]]:
    """Return the bytes in memory at each moment of a step (MOMENTS), by term (TERMS).

    Raises CourseError for nonsense.
    """
    shape = shape_of(config)
    check(shape, setting)
    always = resident(shape, setting)
    return {name: always | terms for name, terms in _moments(shape, setting).items()}


def weights(shape: Shape) -> dict[str, int]:
    """Return how many weights stand in the linear layers, one table, all tables, and the rest."""
    h, q, kv = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    table = shape.vocab * h
    return {
        "linear": shape.layers * (2 * h * q + 2 * h * kv + 3 * h * shape.mlp),  # q o, k v, MLP
        "table": table,
        "tables": table * (1 if shape.tied else 2),
        "small": shape.layers * (2 * h + (q + 2 * kv) * shape.bias) + h,  # norms and biases
    }


def adapters(shape: Shape, rank: int) -> int:
    """Return LoRA's number of weights: rank × (in + out) for each linear layer."""
    h, q, kv = shape.hidden, shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return rank * shape.layers * (2 * (h + q) + 2 * (h + kv) + 3 * (h + shape.mlp))


def trained(shape: Shape, setting: Setting) -> tuple[int, int]:
    """Return how many weights are trained, and the bytes of each."""
    method, n = METHODS[setting.method], weights(shape)
    if method.adapters:
        return adapters(shape, setting.rank), 4
    return n["linear"] + n["tables"] + n["small"], method.weight


def resident(shape: Shape, setting: Setting) -> dict[str, float]:
    """Return the bytes that live all the time, by term."""
    method, n = METHODS[setting.method], weights(shape)
    count, size = trained(shape, setting)
    # a float32 scale for 64 weights; twice: 8 bits each, with a float32 for 256 of them (the paper)
    scale = (1 + 4 / 256 if setting.double_quant else 4) / 64
    # AdamW's moments have the weights' dtype; in 8 bits, a float32 scale for 256; paged: in RAM
    moment = {"adamw_8bit": 1 + 4 / 256, "paged_adamw_8bit": 0}.get(setting.optimizer, size)
    return {
        "weights": method.weight * (n["tables"] + n["small"])
        + n["linear"] * (0.5 if method.four_bit else method.weight),
        "constants": scale * n["linear"] * method.four_bit,
        "adapters": count * 4 * method.adapters,
        "states": 2 * moment * count,
        "workspace": WORKSPACE,
    }


def flash(shape: Shape, setting: Setting) -> bool:
    """Tell whether attention runs in one kernel, which keeps no (length, length) matrix."""
    if setting.flash is not None:
        return setting.flash
    return METHODS[setting.method].product == 2 or shape.heads == shape.kv_heads


def layer(shape: Shape, setting: Setting) -> dict[str, float]:
    """Return the bytes that one layer keeps for its backward pass, for each token, by part."""
    method = METHODS[setting.method]
    _, _, s, c, e, lora, four_bit, autocast = method
    h, i, q = shape.hidden, shape.mlp, shape.heads * shape.head_dim
    kv = shape.kv_heads * shape.head_dim
    # casts give each product an input of its own: autocast, and PEFT (to float32, and back)
    own = c != s or (lora and autocast and not four_bit)
    parts = {
        "norms": 2 * 4 * h,  # their inputs, in float32
        "norms' outputs": 0 if lora else 2 * s * h,  # for the gradients of their own weights
        "inputs of q k v, gate up": (3 + 2) * c * h if own else 2 * s * h,
        "input of o": c * q if own and lora and not four_bit else 0,  # else attention's output
        "MLP": 3 * e * i + c * i,  # gate's and up's outputs, silu's; the input of down
        "adapters": 7 * c * setting.rank if lora else 0,  # the outputs of A
    }
    if flash(shape, setting):
        parts["attention"] = c * (2 * q + 2 * kv) + 4 * shape.heads  # q, output, k, v; log-sum-exp
    else:  # q, and k and v for each head, in float32; the output; the probabilities
        parts["attention"] = 4 * 3 * q + c * q
        parts["probabilities"] = 4 * shape.heads * setting.length
    return parts


def _moments(shape: Shape, setting: Setting) -> dict[str, dict[str, float]]:
    """Return what each moment of a step adds to the resident bytes, by term."""
    _, w, s, c, e, lora, four_bit, autocast = METHODS[setting.method]
    h, i, n = shape.hidden, shape.mlp, weights(shape)
    tokens, table = setting.batch * setting.length, n["table"]
    count, size = trained(shape, setting)
    parts = layer(shape, setting)
    one = tokens * sum(parts.values())
    last = tokens * (4 * h + (0 if lora else 2 * s * h))  # the last norm's input; the head's
    checkpoints = setting.checkpointing
    kept = shape.layers * (tokens * s * h if checkpoints else one)

    # autocast keeps its copies of weights to the end of forward, what the graph needs even longer
    head = 2 * table * (autocast and w == 4 and setting.logits != "tiles")
    body = 2 * (count if lora else n["linear"]) * autocast
    copies, later = head + body, head + (0 if checkpoints else body)
    again = body / shape.layers if checkpoints else 0

    whole, loss, grad = _logits(shape, setting)
    dequantised = (2 + 4 / 64) * h * i * four_bit  # the largest weight, and its scales
    working = tokens * ((1 if lora else 2) * e * i + s * h) + dequantised
    if lora and not four_bit:
        working = tokens * ((4 + c) * i + 3 * c * h)  # PEFT's float32 copy of down's input, and it
    # attention written out: gradients of probabilities and scores, when the MLP's are gone
    matrix = tokens * (2 * parts.get("probabilities", 0) - parts["MLP"])
    # foreach takes the roots of all second moments at once, fused none
    roots = size * count * (setting.optimizer == "adamw_foreach")
    # two uses of a tied table: their gradients are added into a third, unless one is a fresh cast
    tie = (1 if autocast else 2) * w * table if shape.tied and not lora else 0
    return {
        "forward": {"activations": kept + last, "copies": copies, "logits": whole},
        "loss": {"activations": kept + last, "copies": later, "logits": loss},
        "head": {"activations": kept + last, "copies": later, "logits": grad},
        "top layer": {
            "activations": kept,
            "copies": later + again,
            "gradients": 0 if lora else w * table,
            "recomputed": one if checkpoints else 0,
            "working": max(working, matrix),
        },
        "first layer": {
            "gradients": size * count - (0 if shape.tied or lora else w * table),
            "recomputed": one if checkpoints else 0,
            "activations": 0 if checkpoints else one,
        },
        "embedding": {"gradients": size * count, "working": tie},
        "step": {"gradients": size * count, "working": roots},
    }  # fmt: skip


def _logits(shape: Shape, setting: Setting) -> tuple[float, float, float]:
    """Return the bytes of the logits at the end of forward, in the loss, and in the head."""
    method, h, table = METHODS[setting.method], shape.hidden, shape.vocab * shape.hidden
    tokens, half = setting.batch * setting.length, method.product
    counted = tokens if setting.logits == "all" else setting.labels * tokens
    copied = 0 if setting.logits == "all" else counted * h * method.stream  # the labels' states
    if setting.logits != "tiles":
        each = counted * shape.vocab
        # the logits, in float32 (a cast, if they have 16 bits), and the log-probabilities
        whole = (half + 4 + 4 * (half == 2)) * each
        # log-probabilities, their gradient, and that of the logits in float32
        loss = 12 * each
        # the gradient of the logits, and of the head's weight (autocast: in 16 bits, then in 32)
        grad = half * each + half * table * (not method.adapters)
        if method.autocast and not method.adapters:
            grad = max(grad, 6 * table)
        return whole + copied, loss + copied, grad + copied
    cast = 2 if half < method.weight else 0  # bytes of the tile's inputs where they are cast
    words = min(shape.vocab, 32768)
    tile = min(counted, 4096) * words * half + cast * h * (words + counted)
    weight = 0 if method.adapters else table  # whose gradient is made in float32, then cast
    states = counted * h * 4
    return (
        copied + tile,
        copied + tile + states + 4 * weight,
        copied + states + (4 + (method.weight if method.weight < 4 else 0)) * weight,
    )


class Lever(NamedTuple):
    """Something to turn: its name, the new setting, its peak and what it saves, in bytes."""

    name: str
    setting: Setting
    bytes: int
    saved: int


def what_to_turn(config: "PretrainedConfig | Shape", setting: Setting) -> list[Lever]:
    """Return what can be turned to save memory, each by itself, the most saving first."""
    now = peak(config, setting).bytes
    turns: list[tuple[str, dict[str, object]]] = [
        ("gradient checkpointing ｜ 开梯度检查点", {"checkpointing": True}),
        ("half the batch, twice as often ｜ 批量减半，累积加倍", {"batch": setting.batch // 2}),
        ("rows half as long ｜ 样本长度减半", {"length": setting.length // 2}),
        ("logits at labels alone, in tiles ｜ 只在标签处分块算 logits", {"logits": "tiles"}),
        ("4 bits: QLoRA ｜ 4 比特：QLoRA", {"method": "qlora"}),
    ]
    if not METHODS[setting.method].adapters:
        turns.append(("LoRA", {"method": "lora"}))
        turns.append(("all weights in 16 bits ｜ 全部权重用 16 位", {"method": "full_bf16"}))
    if not setting.optimizer.endswith("8bit"):
        turns.append(("8-bit AdamW ｜ 8 位 AdamW", {"optimizer": "adamw_8bit"}))
    levers = []
    for name, change in turns:
        turned = setting._replace(**change)
        if not turned.batch or not turned.length:
            continue
        after = peak(config, turned).bytes
        if after < now:
            levers.append(Lever(name, turned, after, now - after))
    return sorted(levers, key=lambda lever: -lever.saved)


VERDICTS = {"fits": "fits ｜ 放得下", "tight": "tight ｜ 很紧", "no": "does not fit ｜ 放不下"}


def fit(config: "PretrainedConfig | Shape", setting: Setting, card: str) -> tuple[str, Peak]:
    """Return a key of VERDICTS, and the peak on this card (see CARDS).

    From nine tenths on it is tight: the CUDA context, and pieces that the allocator holds but
    cannot use, come on top of the peak. Raises CourseError for an unknown card.
    """
    needed = peak(config, on_card(setting, card))
    share = needed.bytes / GIB / CARDS[card].gib
    return ("fits" if share < 0.9 else "tight" if share < 1 else "no"), needed
