"""Nine ways to fine-tune: what each frees and leaves alone; the layers that notebook 02 writes."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn

from helpers.base import CourseError
from helpers.model.load import parameter_counts
from helpers.model.methods import METHODS, adapt, bottleneck
from tests.toys import random_qwen2, toy_tokenizer
from tools.nbkit.source import read_source

LESSON = Path(__file__).resolve().parents[3] / "notebooks" / "src" / "02_lora_math.py"
DEFINES = ("class LoRALinear(", "def wrap(", "class Bottleneck(")
NEW = ("full", "lora", "rslora", "dora", "adapter", "prefix", "ia3", "prompt")


@pytest.fixture(scope="module")
def tokenizer():
    return toy_tokenizer()


@pytest.fixture
def model(tokenizer):
    return random_qwen2(tokenizer)


@pytest.fixture(scope="module")
def lesson():
    """Run the cells of notebook 02 that define layers; return what they define."""
    names: dict = {"nn": nn, "torch": torch, "copy": __import__("copy")}
    for cell in read_source(LESSON).cells:
        if cell.cell_type == "code" and any(mark in cell.source for mark in DEFINES):
            exec(cell.source.split("\nbottled = ")[0], names)
    return names


def logits(model):
    with torch.no_grad():
        return model(torch.arange(12)[None]).logits


# --- every method


@pytest.mark.parametrize("method", NEW)
def test_a_step_moves_what_is_trained_and_nothing_else(model, method):
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    adapted = adapt(model, method, r=4)
    weights = [p for p in adapted.parameters() if p.requires_grad]
    old = [p.detach().clone() for p in weights]
    for _ in range(2):  # the first step moves B alone, the second A too
        adapted(input_ids=torch.arange(12)[None], labels=torch.arange(12)[None]).loss.backward()
        torch.optim.SGD(weights, lr=1.0).step()
    assert all(not torch.equal(a, b) for a, b in zip(old, weights, strict=True))
    if method != "full":
        after = {name.replace(".base_layer", ""): p for name, p in adapted.named_parameters()}
        for name, value in before.items():
            kept = [p for n, p in after.items() if n.replace(".linear", "").endswith(name)]
            assert len(kept) == 1 and torch.equal(kept[0], value), name


@pytest.mark.parametrize("method", ["lora", "rslora", "dora", "adapter", "ia3"])
def test_before_the_first_step_nothing_has_changed(model, method):
    before = logits(model)
    assert torch.allclose(logits(adapt(model, method)), before, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "weights"),
    [
        ("lora", 2 * 4 * (4 * (64 + 64) + 3 * (64 + 128))),
        ("rslora", 2 * 4 * (4 * (64 + 64) + 3 * (64 + 128))),
        ("dora", 2 * (4 * (4 * (64 + 64) + 3 * (64 + 128)) + 5 * 64 + 2 * 128)),
        ("adapter", 2 * 2 * (2 * 64 * 4 + 64 + 4)),
        ("prefix", 4 * 2 * 2 * 64),
        ("ia3", 2 * (64 + 64 + 128)),
        ("prompt", 4 * 64),
    ],
)
def test_trained_weights_are_as_many_as_the_formula_says(model, method, weights):
    assert parameter_counts(adapt(model, method, r=4))[0] == weights


def test_full_fine_tuning_frees_everything(model):
    trained, total = parameter_counts(adapt(model.requires_grad_(False), "full"))
    assert trained == total > 0


def test_methods_are_told_in_two_languages_but_for_abbreviations():
    assert set(METHODS) == {*NEW, "qlora"}
    untranslated = {key for key, name in METHODS.items() if "｜" not in name}
    assert untranslated == {"lora", "rslora", "dora", "qlora", "ia3"}


def test_scales_differ_as_the_papers_say(model):
    def scaling(method):
        tuned = adapt(random_qwen2(toy_tokenizer()), method, r=4, alpha=16)
        return tuned.base_model.model.model.layers[0].mlp.up_proj.scaling["default"]

    assert (scaling("lora"), scaling("rslora")) == (4, 8)


@pytest.mark.parametrize("options", [{"method": "lorra"}, {"method": "lora", "targets": "all"}])
def test_an_unknown_name_is_told_with_the_known_ones(model, options):
    with pytest.raises(CourseError, match=r"rslora.*all-linear.* ｜ .*请从"):
        adapt(model, **options)


def test_qlora_wants_four_bits(model):
    with pytest.raises(CourseError, match="four_bit=True"):
        adapt(model, "qlora")


# --- the layers that notebook 02 writes by hand


def test_the_lessons_lora_is_pefts(model, lesson):
    lora = LoraConfig(r=4, lora_alpha=12, target_modules="all-linear", task_type="CAUSAL_LM")
    theirs = get_peft_model(random_qwen2(toy_tokenizer()), lora).double()
    ours = lesson["wrap"](model, r=4, alpha=12).double()
    pairs = [[p for p in m.parameters() if p.requires_grad] for m in (ours, theirs)]
    with torch.no_grad():
        for mine, other in zip(*pairs, strict=True):
            other.copy_(mine.normal_(std=0.1))
    for m in (ours, theirs):
        m(input_ids=torch.arange(12)[None], labels=torch.arange(12)[None]).loss.backward()
    assert (logits(ours) - logits(theirs)).abs().max() < 1e-6
    for mine, other in zip(*pairs, strict=True):
        assert (mine.grad - other.grad).abs().max() < 1e-6
    before = logits(ours)
    for name, layer in list(ours.named_modules()):
        if isinstance(layer, lesson["LoRALinear"]):
            ours.set_submodule(name, layer.merged())
    assert not any(isinstance(m, lesson["LoRALinear"]) for m in ours.modules())
    assert (logits(ours) - before).abs().max() < 1e-5


def test_the_lessons_bottleneck_is_the_sweeps(lesson):
    linear = nn.Linear(8, 6)
    ours, theirs = lesson["Bottleneck"](linear, 3), bottleneck(linear, 3)
    for p in ours.parameters():
        nn.init.normal_(p)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(2, 8)
    assert torch.equal(ours(x), theirs(x))
    assert not torch.allclose(ours(x), linear(x))
