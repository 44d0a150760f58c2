"""GGUF files become folders that train; what is no such file is named."""

import numpy as np
import pytest
import torch

from helpers.base import CourseError
from helpers.env import SMOLLM2
from helpers.model import export
from helpers.model import gguf as module
from helpers.model.hub import find_model
from helpers.model.load import load
from helpers.model.loss import encode
from tests.toys import random_qwen2, toy_tokenizer

TALK = [{"role": "user", "content": "罚多少？"}, {"role": "assistant", "content": "200 元"}]


@pytest.fixture(autouse=True)
def course(monkeypatch, tmp_path):
    """Let build/ lie elsewhere."""
    monkeypatch.setattr(module, "root", lambda: tmp_path)
    return tmp_path


def write_gguf(path, model, tokenizer, template=None, architecture="qwen2"):
    """Write a model as GGUF in float32, with another template if one is given."""
    given, tokenizer.chat_template = tokenizer.chat_template, template or tokenizer.chat_template
    try:
        return export.write_gguf(model, tokenizer, path, "F32", architecture)
    finally:
        tokenizer.chat_template = given


@pytest.fixture(scope="module")
def original():
    tokenizer = toy_tokenizer()
    return random_qwen2(tokenizer), tokenizer


def test_a_gguf_file_is_loaded_like_a_folder_and_trains(original, tmp_path):
    model, tokenizer = original
    path = write_gguf(tmp_path / "toy.gguf", model, tokenizer)
    again, words = load(path)
    ids = torch.tensor([words("罚款是多少元")["input_ids"]])
    assert ids.tolist() == [tokenizer("罚款是多少元")["input_ids"]]
    with torch.no_grad():
        np.testing.assert_allclose(again(ids).logits, model(ids).logits, atol=1e-4)
    again(ids, labels=ids).loss.backward()
    assert all(p.dtype == torch.float32 for p in again.parameters())


def test_it_is_dequantised_once_and_another_file_of_that_name_anew(original, tmp_path, monkeypatch):
    path = write_gguf(tmp_path / "toy.gguf", *original)
    first = find_model(path)
    monkeypatch.setattr(module, "_convert", None)  # a second time it would raise
    assert find_model(str(path)) == first
    other = tmp_path / "other"
    other.mkdir()
    again = write_gguf(other / "toy.gguf", random_qwen2(original[1], seed=1), original[1])
    with pytest.raises(TypeError):
        find_model(again)


@pytest.mark.parametrize(
    ("content", "word"),
    [(b"PK\x03\x04", "no GGUF file"), (b"", "no GGUF file"), (b"GGUF\x03", "can't read")],
)
def test_what_is_no_gguf_is_named_and_nothing_is_left(tmp_path, content, word):
    path = tmp_path / "a.gguf"
    path.write_bytes(content)
    with pytest.raises(CourseError, match=word) as caught:
        find_model(path)
    assert str(path) in str(caught.value)
    assert not list((tmp_path / "build").rglob("config.json"))


def test_a_file_that_is_cut_off_is_named(original, tmp_path):
    path = write_gguf(tmp_path / "toy.gguf", *original)
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(CourseError, match="is it whole"):
        find_model(path)


def test_an_unknown_architecture_is_named(original, tmp_path):
    path = write_gguf(tmp_path / "toy.gguf", *original, architecture="spaceship")
    with pytest.raises(CourseError, match="known architecture"):
        find_model(path)


def test_small_without_its_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CourseError, match="make small"):
        find_model(SMOLLM2)


SMOLLM2_TEMPLATE = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are helpful<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def test_a_chatml_template_without_markers_gets_them_and_writes_the_same(original, tmp_path):
    path = write_gguf(tmp_path / "toy.gguf", *original, template=SMOLLM2_TEMPLATE)
    _, words = load(path)
    assert "generation" in words.chat_template
    ids, mask = encode(words, TALK)
    assert words.decode([i for i, m in zip(ids, mask, strict=True) if m]) == "200 元<|im_end|>"
    text = words.decode(ids)
    assert text.startswith("<|im_start|>system\nYou are helpful<|im_end|>\n<|im_start|>user\n")


def test_a_template_that_is_not_chatml_stays_as_it_is(original, tmp_path):
    other = SMOLLM2_TEMPLATE.replace("+ message['content'] +", "+ message['content'] | upper +")
    path = write_gguf(tmp_path / "toy.gguf", *original, template=other)
    assert load(path)[1].chat_template == other
