"""Number formats: codes equal to bitsandbytes' to the bit, levels, errors."""

import pytest
import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit

from helpers.base import CourseError
from helpers.lessons import levels as formats
from helpers.lessons.levels import FORMATS, encode, levels, rounded
from helpers.model.load import load

NF4 = levels("nf4")


def weights(*shape: int, heavy: bool = False, seed: int = 0) -> torch.Tensor:
    """Draw weights, normal or with heavy tails."""
    torch.manual_seed(seed)
    return torch.distributions.StudentT(3.0).sample(shape) if heavy else torch.randn(shape)


def relative_error(weights: torch.Tensor, form: str, block: int = 64) -> float:
    """Return the root mean square error of rounding, over that of the weights."""
    error = rounded(weights, form, block) - weights
    return float(error.square().mean().sqrt() / weights.square().mean().sqrt())


def unpack(packed: torch.Tensor, count: int) -> torch.Tensor:
    """Return the codes that bitsandbytes packed, two to a byte, the first in the upper half."""
    flat = packed.reshape(-1)
    return torch.stack([flat >> 4, flat & 15], dim=1).reshape(-1)[:count].long()


@pytest.mark.parametrize("seed", range(10))
def test_nf4_is_bitsandbytes_to_the_bit(seed):
    tensor = weights(60 + seed, 64, heavy=seed % 2 == 1, seed=seed) * 10.0 ** (seed - 5)
    packed, state = quantize_4bit(tensor, blocksize=64, quant_type="nf4")
    codes, absmax = encode(tensor, NF4)
    assert torch.equal(codes, unpack(packed, tensor.numel()))
    assert torch.equal(absmax, state.absmax)
    assert torch.equal(rounded(tensor, "nf4"), dequantize_4bit(packed, state))


@pytest.mark.parametrize("block", [32, 128, 4096])
def test_other_blocks_too(block):
    tensor = weights(64, 128)
    packed, state = quantize_4bit(tensor, blocksize=block, quant_type="nf4")
    codes, absmax = encode(tensor, NF4, block)
    assert torch.equal(codes, unpack(packed, tensor.numel()))
    assert torch.equal(absmax, state.absmax)


def test_fp4_gives_back_what_bitsandbytes_does():
    tensor = weights(64, 64)
    packed, state = quantize_4bit(tensor, blocksize=64, quant_type="fp4")
    assert torch.equal(rounded(tensor, "fp4"), dequantize_4bit(packed, state))


def test_a_short_block_and_a_block_of_zeros():
    codes, absmax = encode(torch.cat([torch.zeros(64), torch.ones(36)]), NF4)
    assert len(codes) == 100
    assert absmax.tolist() == [0.0, 1.0]
    assert set(codes[:64].tolist()) == {7}
    assert set(codes[64:].tolist()) == {15}


def test_levels_are_ascending_with_zero_and_one():
    sizes = {"nf4": 16, "fp4": 15, "int4": 15, "int8": 255}
    for form in FORMATS:
        grid = levels(form)
        assert len(grid) == sizes[form]
        assert torch.equal(grid, grid.sort().values)
        assert 0.0 in grid
        assert grid[-1] == 1.0


def test_an_unknown_format_is_named():
    with pytest.raises(CourseError, match="int3"):
        levels("int3")


def test_errors_have_the_order_that_the_lesson_tells():
    normal, heavy = weights(1 << 16), weights(1 << 16, heavy=True)
    at = {form: relative_error(normal, form) for form in FORMATS}
    assert at["int8"] < 0.1 * at["nf4"]
    assert at["nf4"] < at["int4"] < at["fp4"]
    assert relative_error(heavy, "nf4") < relative_error(heavy, "int4")
    assert relative_error(heavy, "nf4") > at["nf4"]
    assert relative_error(heavy, "nf4", 1024) > 1.5 * relative_error(heavy, "nf4")


def test_a_model_is_rounded_but_for_embedding_and_head():
    model, _ = load("data/models/xiaoxi")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    formats.round_model(model, "nf4")
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {f"{name}.weight" for name in formats.linear_weights(model)}
    assert len(moved) == 28
