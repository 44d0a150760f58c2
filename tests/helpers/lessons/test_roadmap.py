"""The road: every lesson stands on it, the one asked for is marked, labels keep apart."""

import pytest

from helpers.base import CourseError
from helpers.lessons.roadmap import LESSONS, STEPS, road


def test_every_lesson_can_be_reached_from_the_first():
    steps = [tuple(step.split("-")) for step in STEPS.split()]
    reached = {"00"}
    for start, end in steps:
        assert start in reached, "a step begins where none has led"
        reached.add(end)
    assert reached == set(LESSONS) == {f"{n:02d}" for n in range(10)}


def test_the_lesson_asked_for_is_marked_and_no_label_lies_on_another():
    fig = road("04")
    boxes = {text.get_text()[:2]: text for text in fig.axes[0].texts if text.get_bbox_patch()}
    assert set(boxes) == set(LESSONS)
    widths = {number: text.get_bbox_patch().get_linewidth() for number, text in boxes.items()}
    assert [number for number, width in widths.items() if width > 1] == ["04"]
    assert "04" in fig.axes[0].get_title()
    fig.canvas.draw()
    placed = [text.get_window_extent() for text in fig.axes[0].texts if text.get_text()]
    assert len(placed) > len(boxes), "the stages stand below"
    assert not any(a.overlaps(b) for i, a in enumerate(placed) for b in placed[:i])


def test_an_unknown_lesson_is_named():
    with pytest.raises(CourseError, match="10"):
        road("10")
