"""What the optional part of lesson 00 needs and does not teach: heads that look back, and maps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def look_back(model: "PreTrainedModel", pairs: int = 6, strength: float = 60.0) -> None:
    """Turn the first head of a Qwen2's first layer to the token before, in place.

    RoPE turns queries and keys by an angle for each position (Su et al. 2021, arXiv:2104.09864,
    section 3.2); biases of queries and keys that undo one position let the head prefer the token
    before. `pairs` of its dimensions are used; `strength` is the logit that they add at most.
    """
    import torch

    attention = model.model.layers[0].self_attn
    half, size = attention.head_dim // 2, (strength / pairs) ** 0.5
    angle = 10_000.0 ** (-torch.arange(pairs) / half)
    with torch.no_grad():
        attention.q_proj.bias[:pairs] = size
        attention.k_proj.bias[:pairs] = size * torch.cos(angle)
        attention.k_proj.bias[half : half + pairs] = size * torch.sin(angle)


def attention(model: "PreTrainedModel", ids: Sequence[int]) -> list["torch.Tensor"]:
    """Return what each head looks at in one row: for each layer (heads, tokens, tokens).

    Row i of a head holds the shares that token i gives to the tokens up to itself.
    """
    import torch

    kind = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the fast kinds do not keep these shares
    with torch.no_grad():
        layers = model(torch.tensor([list(ids)]), output_attentions=True).attentions
    model.set_attn_implementation(kind)
    return [layer[0] for layer in layers]


def looking_at(head: "torch.Tensor", targets: dict[int, int]) -> float:
    """Return the mean share that one head (tokens, tokens) gives to `targets`: token -> token."""
    return float(sum(head[i, j] for i, j in targets.items()) / len(targets))


def one_before(ids: Sequence[int]) -> dict[int, int]:
    """Return for each token but the first the place of the token before it."""
    return {i: i - 1 for i in range(1, len(ids))}


def after_the_same(ids: Sequence[int]) -> dict[int, int]:
    """Return for each token that came before the place right after its first coming."""
    first = {token: i for i, token in reversed(list(enumerate(ids)))}
    return {i: first[token] + 1 for i, token in enumerate(ids) if first[token] < i}


def attention_map(model: "PreTrainedModel", ids: Sequence[int], names: Sequence[str]):
    """Return a Figure of two heads: of layer 1 the one that looks most at the token before, of the
    last layer the one that looks most at what followed the same token earlier.

    `names` are the tokens as text. The shares stand in the titles.
    """
    from helpers.show.style import describe, figure

    layers = attention(model, ids)
    wanted = (
        (layers[0], one_before(ids), 1, ("to the sign before", "给前一个符号")),
        (layers[-1], after_the_same(ids), len(layers),
         ("where a sign comes again, to what followed it", "符号再次出现时，给上次紧随其后的符号")),
    )  # fmt: skip
    fig, axes = figure(columns=2, width=9.6, height=5.0)
    shares = []
    for ax, (heads, targets, layer, (en, zh)) in zip(axes, wanted, strict=True):
        best = max(heads, key=lambda head: looking_at(head, targets))
        shares.append(100 * looking_at(best, targets))
        ax.imshow(best, cmap="Blues", vmin=0, vmax=1)
        n, share = len(heads), f"{shares[-1]:.0f} %"
        which = f"layer {layer}, one head of {n} ｜ 第 {layer} 层，{n} 个头里的一个"
        ax.set_title(f"{which}\nattention {en}: {share}\n{zh}的注意力：{share}", size=9)
        ax.set_xticks(range(len(names)), names, size=6)
        ax.set_yticks(range(len(names)), names, size=6)
        ax.set_xlabel("looks at ｜ 看的是")
        ax.grid(visible=False)
    axes[0].set_ylabel("at this sign ｜ 在这个符号处")
    return describe(
        fig,
        f"Two maps of attention over one row of {len(ids)} signs; dark is much attention. A head "
        f"chosen from layer 1 gives {shares[0]:.0f} % of its attention to the sign before; one "
        f"chosen from layer {len(layers)}, at signs that came before, gives {shares[1]:.0f} % to "
        f"what followed them. ｜ 同一行 {len(ids)} 个符号的两张注意力图，颜色越深，注意力越多。"
        f"从第 1 层挑出的一个头把 {shares[0]:.0f} % 的注意力给了前一个符号；从第 {len(layers)} 层"
        f"挑出的一个头遇到出现过的符号时，把 {shares[1]:.0f} % 的注意力给了它上次后面的那个符号。",
    )
