"""Recorded peaks beside the formula's, and the picture of a step."""

import matplotlib
import pytest

from helpers.base import CourseError
from helpers.lessons import peaks
from helpers.lessons.step_view import step_view
from helpers.model.memory import MOMENTS
from helpers.model.setting import CARDS, MODELS

matplotlib.use("Agg")


def test_each_source_is_there_and_the_formula_comes_close():
    held = peaks.recorded()
    assert {source: len(pairs) for source, pairs in held.items()} == {
        "plain": 76, "trl": 8, "trl_step": 8, "simulated": len(held["simulated"]), "cpu": 10,
    }  # fmt: skip
    for source, pairs in held.items():
        mean, worst = peaks.errors(pairs)
        assert mean <= (6 if source == "trl" else 3), f"{source}: {mean:.1f} % on average"
        assert worst <= 10, f"{source}: {worst:.1f} % at worst"


def test_the_error_is_a_share_of_what_was_measured():
    pair = peaks.Pair({}, measured=200, predicted=190)
    assert pair.error == pytest.approx(-0.05)
    assert peaks.errors([pair, pair._replace(predicted=220)]) == pytest.approx((7.5, 10))


@pytest.mark.parametrize(
    ("logits", "word"), [("all", "tight"), ("tiles", "T4: fits"), ("labels", "backward")]
)
def test_a_step_is_drawn_with_its_verdict(logits, word):
    figure = step_view("Qwen2.5-7B", "qlora", 4, 1024, True, logits, "T4")
    assert word in figure.alt
    assert len(figure.axes[0].get_yticks()) == len(MOMENTS)


def test_what_does_not_fit_says_what_to_turn_first():
    title = step_view("Qwen2.5-7B", "qlora", 8, 2048, False, "tiles", "T4").axes[0].get_title()
    assert "does not fit" in title
    assert "turn first: gradient checkpointing" in title
    assert "先调：开梯度检查点" in title


@pytest.mark.parametrize("card", CARDS)
def test_every_card_and_model_can_be_chosen(card):
    for model in MODELS:
        assert step_view(model, "full_bf16", 1, 256, True, "tiles", card).alt


def test_an_unknown_card_is_named():
    with pytest.raises(CourseError, match="unknown card"):
        step_view("Qwen2.5-7B", "qlora", 1, 256, True, "tiles", "Voodoo 2")
