"""Number formats of few bits: round blocks of weights to the levels that a format has."""

from typing import TYPE_CHECKING

from helpers.base import CourseError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

FORMATS = ("nf4", "fp4", "int4", "int8")
TINY = 1e-38  # a block of zeros is divided by this, not by 0


def levels(form: str) -> "torch.Tensor":
    """Return a format's levels between -1 and 1, ascending: (16,), and (15,) or (255,) for ints.

    int4 and int8 are symmetric: the lowest code is left out, so that zero is a level. nf4 and fp4
    are those of bitsandbytes. Raises CourseError for an unknown format.
    """
    import torch

    if form not in FORMATS:
        raise CourseError(
            en=f"unknown format {form!r}: choose from {', '.join(FORMATS)}",
            zh=f"未知的格式 {form!r}：请从 {'、'.join(FORMATS)} 中选",
        )
    if form.startswith("int"):
        top = 2 ** (int(form[3:]) - 1) - 1
        return torch.arange(-top, top + 1) / top
    from bitsandbytes.functional import get_4bit_type

    return get_4bit_type(form, device="cpu").unique()  # ascending; fp4 has 0 and -0


def encode(weights: "torch.Tensor", grid: "torch.Tensor", block: int = 64):
    """Return each weight's code, flat, and the absmax of each block, as bitsandbytes does.

    Blocks follow the order in memory; the last may be short. A weight halfway between two levels
    takes the lower one.
    """
    import torch

    flat = weights.detach().float().reshape(-1)
    rows = torch.nn.functional.pad(flat, (0, -len(flat) % block)).view(-1, block)
    absmax = rows.abs().amax(1)
    scaled = rows * (1 / absmax.clamp(min=TINY)).unsqueeze(1)
    codes = torch.bucketize(scaled, (grid[1:] + grid[:-1]) / 2)
    return codes.reshape(-1)[: len(flat)], absmax


def rounded(weights: "torch.Tensor", form: str, block: int = 64) -> "torch.Tensor":
    """Return the weights as the format gives them back, in their shape and dtype."""
    import torch

    grid = levels(form)
    codes, absmax = encode(weights, grid, block)
    back = grid[codes] * absmax.repeat_interleave(block)[: len(codes)]
    return back.view(weights.shape).to(weights.dtype).to(torch.device(weights.device))


def linear_weights(model: "PreTrainedModel") -> dict[str, "torch.Tensor"]:
    """Return the weights that 4-bit loading would round: linear layers, the output layer aside."""
    import torch

    head = model.get_output_embeddings()
    return {
        name: layer.weight.data
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear) and layer is not head
    }


def round_model(model: "PreTrainedModel", form: str, block: int = 64) -> "PreTrainedModel":
    """Round the linear layers of a model in place; return it."""
    for weight in linear_weights(model).values():
        weight.copy_(rounded(weight, form, block))
    return model


def small_layers() -> list["torch.Tensor"]:
    """Return three linear layers of SmolLM2, of three kinds; none where it is not installed."""
    from helpers.model.gguf import small_model

    try:
        file = small_model()
    except CourseError:
        return []

    import torch
    from gguf import GGUFReader
    from gguf.quants import dequantize

    wanted = ("blk.0.attn_q.weight", "blk.14.ffn_up.weight", "blk.29.ffn_down.weight")
    found = [tensor for tensor in GGUFReader(file).tensors if tensor.name in wanted]
    return [torch.from_numpy(dequantize(t.data, t.tensor_type).copy()) for t in found]
