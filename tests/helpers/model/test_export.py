"""Models written as GGUF: what is read back is what was written, rounded as the format says."""

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize

from helpers.base import CourseError
from helpers.model import gguf as module
from helpers.model.export import KINDS, write_gguf
from helpers.model.load import load
from tests.toys import random_qwen2, toy_tokenizer


@pytest.fixture(scope="module")
def toy():
    tokenizer = toy_tokenizer()
    return random_qwen2(tokenizer), tokenizer


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_are_rounded_and_the_rest_is_exact(toy, tmp_path, kind):
    model, tokenizer = toy
    reader = GGUFReader(write_gguf(model, tokenizer, tmp_path / "toy.gguf", kind))
    found = {tensor.name: tensor for tensor in reader.tensors}
    up = model.model.layers[0].mlp.up_proj.weight.detach().numpy()
    stored = found["blk.0.ffn_up.weight"]
    assert stored.tensor_type == GGMLQuantizationType[kind]
    error = np.abs(dequantize(stored.data, stored.tensor_type) - up).max() / np.abs(up).max()
    assert error <= {"F32": 0, "F16": 1e-3, "Q8_0": 6e-3, "Q5_0": 0.07}.get(kind, 0.14)
    norm = model.model.norm.weight.detach().numpy()
    assert np.array_equal(found["output_norm.weight"].data, norm)
    assert "output.weight" not in found  # tied


@pytest.mark.parametrize("kind", ["F16", "Q4_0"])
def test_transformers_reads_it_back(toy, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(module, "root", lambda: tmp_path)
    model, tokenizer = toy
    again, words = load(write_gguf(model, tokenizer, tmp_path / "toy.gguf", kind))
    ids = torch.tensor([words("罚款是多少元")["input_ids"]])
    with torch.no_grad():
        off = (again(ids).logits - model(ids).logits).abs().max().item()
    assert 0 < off < 0.01 if kind == "F16" else 0.01 < off < 2


def test_an_unknown_kind_is_named_and_nothing_is_left(toy, tmp_path):
    with pytest.raises(CourseError, match="Q4_0"):
        write_gguf(*toy, tmp_path / "toy.gguf", "Q3_K_M")
    assert not list(tmp_path.iterdir())
