"""The road: every lesson stands on it, the one asked for is marked, labels keep apart."""

import pytest

from helpers.base import CourseError
from helpers.lessons import roadmap
from helpers.lessons.roadmap import COMING, PLACES, layout, lessons, opening, road


def test_every_lesson_can_be_reached_from_the_first():
    _, steps = layout(list(PLACES))
    reached = {"00"}
    for start, end in steps:
        assert start in reached, "a step begins where none has led"
        reached.add(end)
    assert reached == set(PLACES)


def test_every_planned_lesson_is_written_or_announced():
    assert set(PLACES) <= set(lessons())
    assert set(COMING) <= set(PLACES)


def write(folder, name: str, title: str, promise: str) -> None:
    """Write the first two cells of a lesson."""
    lines = ["# %% [markdown]", f"# # {title}", "#", "# [![a badge]](x)", "#", f"# {promise}"]
    text = "\n".join([*lines, "", "# %%", "x = 1", ""])
    (folder / name).write_text(text, encoding="utf-8")


def test_a_written_lesson_speaks_for_itself(tmp_path):
    write(tmp_path, "06_rlhf_dpo.py", "06. Taste ｜ 品味", "You choose. ｜ 你来选。")
    write(tmp_path, "91_toy.py", "91. Toy ｜ 玩具", "You play. ｜ 你来玩。")
    found = lessons(tmp_path)
    assert list(found) == [*COMING, "91"]
    assert found["06"].title == "Taste ｜ 品味" != COMING["06"][0]
    assert found["91"].promise == "You play. ｜ 你来玩。"
    assert found["07"].title == COMING["07"][0] and found["07"].source is None


@pytest.mark.parametrize(
    ("title", "promise"),
    [
        ("91. Toy", "You play. ｜ 你来玩。"),
        ("19. Toy ｜ 玩具", "You play. ｜ 你来玩。"),
        ("91. Toy ｜ 玩具", "You play."),
    ],
)
def test_a_lesson_without_title_or_promise_is_named(tmp_path, title, promise):
    write(tmp_path, "91_toy.py", title, promise)
    with pytest.raises(CourseError, match=r"91_toy\.py:1: .*“# 91\. Title.* ｜ .*开头"):
        opening(tmp_path / "91_toy.py")


@pytest.mark.parametrize("more", [{}, {"91": roadmap.Lesson("A toy ｜ 玩具课", "…")}])
def test_the_lesson_asked_for_is_marked_and_no_label_lies_on_another(monkeypatch, more):
    stops = lessons() | more
    monkeypatch.setattr(roadmap, "lessons", lambda: stops)
    fig = road("04")
    boxes = {text.get_text()[:2]: text for text in fig.axes[0].texts if text.get_bbox_patch()}
    assert set(boxes) == set(stops)
    widths = {number: text.get_bbox_patch().get_linewidth() for number, text in boxes.items()}
    assert [number for number, width in widths.items() if width > 1] == ["04"]
    assert "04" in fig.axes[0].get_title()
    fig.canvas.draw()
    placed = [t.get_window_extent() for t in fig.axes[0].texts if t.get_text()]
    assert len(placed) > len(boxes), "the stages stand below"
    assert not any(a.overlaps(b) for i, a in enumerate(placed) for b in placed[:i])
    assert len(roadmap.layout(list(stops))[1]) == len(stops) + 1, "every way is drawn"


def test_an_unknown_lesson_is_named():
    with pytest.raises(CourseError, match="10"):
        road("10")
