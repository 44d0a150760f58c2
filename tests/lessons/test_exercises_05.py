"""The checks of notebook 05: right answers pass, the wrong ones that people give have their hint."""

import struct

import numpy as np
import pytest
import torch

from helpers.lessons import nb05
from helpers.model.setting import Setting

PLAN = {
    "A": "keep apart",
    "B": "merge dequantised",
    "C": "merge, then quantise",
    "D": "keep apart",
}


# --- the quantiser --------------------------------------------------------------------------------


def quantise(weights, levels, block, *, scale=None, code=None, split=None):
    """Return codes and absmax rightly, or with one step made otherwise."""
    flat = weights.flatten()
    parts = (split or torch.split)(flat, block)
    absmax = torch.stack([(scale or largest)(part) for part in parts])
    each = torch.where(absmax == 0, 1, absmax).repeat_interleave(block)[: len(flat)]
    return (code or nearest)(flat[: len(each)] / each, levels), absmax


def largest(part):
    """Return the largest absolute value."""
    return part.abs().max()


def nearest(scaled, levels):
    """Return the number of the nearest level."""
    return (scaled[:, None] - levels).abs().argmin(1)


def slip(**other):
    """Return the quantiser with one step made otherwise."""
    return lambda weights, levels, block: quantise(weights, levels, block, **other)


def by_bounds(weights, levels, block):
    """Return the same by bounds, and by multiplying, as the library does."""
    parts = torch.nn.functional.pad(weights.flatten(), (0, -weights.numel() % block))
    parts = parts.reshape(-1, block)
    absmax = parts.abs().amax(1)
    scaled = (parts * (1 / absmax.clamp(min=1e-38))[:, None]).flatten()[: weights.numel()]
    return torch.bucketize(scaled, (levels[1:] + levels[:-1]) / 2), absmax


def for_the_whole(weights, levels, block):
    """Take one constant for the whole matrix."""
    flat = weights.flatten()
    return nearest(flat / flat.abs().max(), levels), flat.abs().max()[None]


def by_columns(weights, levels, block):
    """Read the matrix column by column."""
    return quantise(weights.T.contiguous(), levels, block)


def packed(weights, levels, block):
    """Return two codes a byte."""
    codes, absmax = quantise(weights, levels, block)
    return codes[::2] * 16 + codes[1::2], absmax


def values(weights, levels, block):
    """Return levels in place of codes."""
    codes, absmax = quantise(weights, levels, block)
    return levels[codes], absmax


def whole_blocks(weights, levels, block):
    """Leave a last, shorter block out."""
    n = weights.numel() // block * block
    return quantise(weights.flatten()[:n], levels, block)


def careless(weights, levels, block):
    """Divide by zero where a block holds nothing but zeros."""
    absmax = torch.stack([part.abs().max() for part in weights.flatten().split(block)])
    each = absmax.repeat_interleave(block)[: weights.numel()]
    return nearest(weights.flatten() / each, levels), absmax


def always_64(weights, levels, block):
    """Ignore the size of a block."""
    return quantise(weights, levels, 64)


SLIPS = [
    (lambda *given: quantise(*given)[0], "two tensors"),
    (for_the_whole, "one constant for the whole"),
    (by_columns, "row by row"),
    (lambda w, levels, block: quantise(w, levels, 2 * block), "blocks of 64, here"),
    (slip(scale=lambda part: part.max()), "may be a negative one"),
    (slip(scale=lambda part: part[part.abs().argmax()]), "has no sign"),
    (slip(scale=lambda part: part.square().mean().sqrt()), "is not the largest"),
    (packed, "not packed"),
    (values, "whole numbers from 0 to 15"),
    (slip(code=lambda x, levels: ((x + 1) * 7.5).round().long()), "equal steps"),
    (
        slip(code=lambda x, levels: (torch.bucketize(x, levels, right=True) - 1).clamp(0, 15)),
        "rounded down",
    ),
    (slip(code=lambda x, levels: torch.bucketize(x, levels).clamp(0, 15)), "rounded up"),
    (
        lambda w, levels, block: (nearest(w.flatten(), levels), quantise(w, levels, block)[1]),
        "its own",
    ),
    (whole_blocks, "the last block is shorter"),
    (careless, "a block of zeros"),
    (always_64, "not always 64"),
]


@pytest.mark.parametrize("answer", [quantise, by_bounds])
def test_right_quantisers_pass(answer):
    assert nb05.quantise(lambda *given: answer(*given)).ok is True


@pytest.mark.parametrize(("answer", "hint"), SLIPS)
def test_wrong_quantisers_get_their_own_hint(answer, hint):
    result = nb05.quantise(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


# --- settings for a card --------------------------------------------------------------------------


def right_settings(capability):
    """Return what a card wants."""
    new = capability >= (8, 0)
    return {
        "bf16": new,
        "fp16": not new,
        "attention": "sdpa",
        "quant_type": "nf4",
        "compute": "bfloat16" if new else "float16",
        "adapters": "bfloat16" if new else "float32",
    }


def with_torch_types(capability):
    """Return the same with torch's own types."""
    settings = right_settings(capability)
    return settings | {key: getattr(torch, settings[key]) for key in ("compute", "adapters")}


def but(**changes):
    """Return a function that gives the right settings but for some."""
    return lambda capability: right_settings(capability) | changes


def on_t4(**changes):
    """Return a function that is wrong on a T4 alone."""
    return lambda capability: right_settings(capability) | (changes if capability == (7, 5) else {})


def on_new(**changes):
    """Return a function that is wrong on newer cards alone."""
    return lambda capability: right_settings(capability) | (changes if capability >= (8, 0) else {})


def for_a_t4_alone(capability):
    """Return the T4's settings for every card."""
    return right_settings((7, 5))


def by_equality(capability):
    """Take only a T4 for old."""
    return right_settings((7, 5) if capability == (7, 5) else (8, 0))


def by_second_number(capability):
    """Compare the second number alone."""
    return right_settings((7, 5) if capability[1] >= 5 else (8, 0))


# --- bytes ----------------------------------------------------------------------------------------


def gigabytes(linear, others, double):
    """Return the size rightly."""
    constant = (8 + 32 / 256 if double else 32) / 64
    return (linear * (4 + constant) + others * 16) / 8 / 1e9


def step_gigabytes(frozen, trained, frozen_bytes):
    """Return the bytes rightly."""
    return (frozen * frozen_bytes + 16 * trained) / 1e9


def decode(block):
    """Return the weights of a block rightly."""
    constant, minimum = np.frombuffer(block[:4], "<f2").astype("float32")
    return constant * codes_of(block) + minimum


def codes_of(block):
    """Return the 32 codes of a block."""
    pairs = np.frombuffer(block[4:], "uint8")
    return np.concatenate([pairs & 15, pairs >> 4])


def by_struct(block):
    """Return the same in plain Python."""
    constant, minimum = struct.unpack("<ee", block[:4])
    codes = [byte & 15 for byte in block[4:]] + [byte >> 4 for byte in block[4:]]
    return [constant * code + minimum for code in codes]


def side_by_side(block):
    """Take the two codes of a byte for neighbours."""
    constant, minimum = struct.unpack("<ee", block[:4])
    return [constant * c + minimum for byte in block[4:] for c in (byte & 15, byte >> 4)]


def head(block):
    """Return constant and minimum."""
    return struct.unpack("<ee", block[:4])


RIGHT = [
    (nb05.step_gigabytes, step_gigabytes),
    (nb05.decode, decode),
    (nb05.decode, by_struct),
    (nb05.settings_for, right_settings),
    (nb05.settings_for, with_torch_types),
    (nb05.gigabytes, gigabytes),
    (nb05.plan, PLAN),
]


@pytest.mark.parametrize(("check", "answer"), RIGHT)
def test_right_answers_pass(check, answer):
    assert check(answer).ok is True


WRONG = [
    (nb05.step_gigabytes, lambda f, t, b: f * b + 16 * t, "10^9 bytes"),
    (nb05.step_gigabytes, lambda f, t, b: (f * b + 16 * t) / 2**30, "that is GiB"),
    (nb05.step_gigabytes, lambda f, t, b: (f * b + 12 * t) / 1e9, "*two* averages"),
    (nb05.step_gigabytes, lambda f, t, b: (f * b + 8 * t) / 1e9, "8 bytes a weight"),
    (nb05.step_gigabytes, lambda f, t, b: (f * b + 4 * t) / 1e9, "all of 7B: not"),
    (nb05.step_gigabytes, lambda f, t, b: 16 * (f + t) / 1e9, "neither gradient"),
    (nb05.step_gigabytes, lambda f, t, b: (f * b + (8 if f else 16) * t) / 1e9, "in float32"),
    (nb05.step_gigabytes, lambda f, t, b: (4 * f * b + 16 * t) / 1e9, "count once"),
    (nb05.step_gigabytes, lambda f, t, b: (f * int(b) + 16 * t) / 1e9, "may be a fraction"),
    (nb05.decode, lambda block: codes_of(block)[:16], "two codes"),
    (nb05.decode, side_by_side, "side by side"),
    (
        nb05.decode,
        lambda b: head(b)[0] * np.roll(codes_of(b), 16).astype(float) + head(b)[1],
        "*lower* halves come first",
    ),
    (nb05.decode, lambda b: head(b)[0] * (codes_of(b) - 8.0), "no −8"),
    (nb05.decode, lambda b: head(b)[0] * (codes_of(b) - 8.0) + head(b)[1], "nothing is taken"),
    (nb05.decode, lambda b: head(b)[0] * (codes_of(b) + head(b)[1]), "added at the end"),
    (nb05.decode, lambda b: head(b)[1] * codes_of(b) + head(b)[0], "the constant stands first"),
    (nb05.decode, lambda b: codes_of(b), "not the library's numbers"),
    (nb05.settings_for, lambda capability: {"bf16": False}, "with the keys"),
    (nb05.settings_for, but(bf16=True, fp16=False), "only emulates"),
    (nb05.settings_for, on_t4(fp16=False), "fast in float16"),
    (nb05.settings_for, but(attention="flash_attention_2"), "Ampere"),
    (nb05.settings_for, on_new(attention="flash_attention_2"), "Ampere"),
    (nb05.settings_for, but(quant_type="fp4"), "the library's default"),
    (nb05.settings_for, but(compute="float32"), "right but slow"),
    (nb05.settings_for, on_t4(compute=torch.bfloat16), "compute in float16"),
    (nb05.settings_for, on_t4(adapters="float16"), "Attempting to unscale"),
    (nb05.settings_for, on_t4(adapters="bfloat16"), "the scaler can divide"),
    (nb05.settings_for, for_a_t4_alone, "needs no scaler"),
    (nb05.settings_for, on_new(compute="float16"), "in bfloat16 as well"),
    (nb05.settings_for, on_new(adapters="float32"), "adapters for (8, 0)"),
    (nb05.settings_for, by_equality, "for (7, 0)"),
    (nb05.settings_for, by_second_number, "for (7, 0)"),
    (nb05.gigabytes, lambda n, others, d: 8 * gigabytes(n, others, d), "a byte has 8 bits"),
    (nb05.gigabytes, lambda n, others, d: 1e9 * gigabytes(n, others, d), "10^9 bytes"),
    (nb05.gigabytes, lambda n, others, d: gigabytes(n, others, d) * 1e9 / 2**30, "10^9 bytes"),
    (nb05.gigabytes, lambda n, others, d: gigabytes(n + others, 0, d), "only the linear weights"),
    (nb05.gigabytes, lambda n, others, d: (n / 2 + 2 * others) / 1e9, "constants are missing"),
    (
        nb05.gigabytes,
        lambda n, others, d: (n * (4 + (8 if d else 32) / 64) / 8 + 2 * others) / 1e9,
        "share another one",
    ),
    (nb05.gigabytes, lambda n, others, d: gigabytes(n, others, False), "8 bits, not 32"),
    (nb05.gigabytes, lambda n, others, d: gigabytes(n, others, True), "4.5 in all"),
    (nb05.gigabytes, lambda n, others, d: 15.2 / 4, "not 3.800 GB"),
    (nb05.plan, {"A": "keep apart"}, "each of A, B, C, D"),
    (nb05.plan, PLAN | {"A": "merge dequantised"}, "ten bases"),
    (nb05.plan, PLAN | {"B": "merge, then quantise"}, "the same notices"),
    (nb05.plan, PLAN | {"C": "merge dequantised"}, "neither an adapter"),
    (nb05.plan, PLAN | {"D": "merge dequantised"}, "no adapter left"),
]


@pytest.mark.parametrize(("check", "answer", "hint"), WRONG)
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en
    assert result.zh


# --- a 7B model on a T4 ---------------------------------------------------------------------------

FITS = Setting("qlora", 8, 1024)


@pytest.mark.parametrize("length", [1000, 1024])
def test_settings_that_fit_pass(length):
    assert nb05.turned(FITS._replace(length=length)).ok is True


@pytest.mark.parametrize(
    ("setting", "hint"),
    [
        ({"method": "qlora"}, "a Setting"),
        (FITS._replace(method="full_bf16"), '"lora" or "qlora"'),
        (FITS._replace(length=512), "cut off"),
        (FITS._replace(batch=6), "do not divide"),
        (FITS._replace(optimizer="adamw_8bit"), "turn only"),
        (FITS._replace(checkpointing=False), "activations of 28 layers"),
        (FITS._replace(method="lora", batch=1), "the weights alone"),
        (FITS._replace(batch=16), "fewer rows at once"),
        (FITS._replace(batch=4), "8 rows at once fit"),
    ],
)
def test_settings_that_do_not_serve_get_their_own_hint(setting, hint):
    result = nb05.turned(setting)
    assert result.ok is False
    assert hint in result.en
    assert result.zh
