"""The decision tree: every way through it, its mend, and a figure that shows the way."""

from itertools import product

import pytest

from helpers.base import CourseError
from helpers.lessons import tree
from helpers.lessons.tree import NODES, Advice, Question

QUESTIONS = [name for name, node in NODES.items() if isinstance(node, Question)]
EVERY = [dict(zip(QUESTIONS, flags, strict=True)) for flags in product((True, False), repeat=5)]


@pytest.mark.parametrize(
    ("answers", "leaf"),
    [
        ({"knowledge": True, "changing": True}, "rag"),
        ({"knowledge": True, "changing": False, "huge": True}, "tune_facts"),
        ({"knowledge": True, "changing": False, "huge": False}, "rag"),
        ({"knowledge": False, "style": True, "prompt_fixes": True}, "prompt"),
        ({"knowledge": False, "style": True, "prompt_fixes": False}, "tune_style"),
        ({"knowledge": False, "style": False}, "open"),
    ],
)
def test_every_way_of_the_seeds(answers, leaf):
    assert tree.walk(answers)[-1] == leaf
    assert tree.advice(tree.walk(answers)) == [NODES[leaf]]


def test_every_node_is_reached_and_has_a_place_and_two_languages():
    reached = {name for answers in EVERY for name in tree.walk(answers)}
    assert reached == set(NODES) == set(tree.PLACES)
    assert all(any("\u4e00" <= x <= "\u9fff" for x in node.zh) for node in NODES.values())
    assert len(set(tree.PLACES.values())) == len(NODES)


def test_the_mended_tree_always_asks_about_style_and_adds_up():
    for answers in EVERY:
        path = tree.walk(answers, mended=True)
        found = tree.advice(path)
        assert "style" in path
        assert len(found) == 1 + (answers["knowledge"] and answers["style"])
        assert set(tree.advice(tree.walk(answers))) <= set(found)
    both = {"knowledge": True, "changing": True, "style": True, "prompt_fixes": False}
    path = tree.walk(both, mended=True)
    assert tree.advice(path) == [NODES["rag"], NODES["tune_style"]]


@pytest.mark.parametrize("answers", [{}, {"knowledge": True}, {"knowledge": False, "style": True}])
def test_a_question_without_an_answer_is_named(answers):
    with pytest.raises(CourseError, match="no answer to") as error:
        tree.walk(answers)
    assert "没有回答" in error.value.zh


@pytest.mark.parametrize("mended", [False, True])
def test_the_figure_shows_all_nodes_and_marks_the_way(mended):
    answers = {"knowledge": True, "changing": True, "style": True, "prompt_fixes": False}
    path = tree.walk(answers, mended)
    ax = tree.draw(path, mended).axes[0]
    boxes = {text.get_text(): text.get_bbox_patch() for text in ax.texts if text.get_bbox_patch()}
    for name, node in NODES.items():
        width = boxes[f"{node.en}\n{node.zh}"].get_linewidth()
        assert (width > 2) == (name in path), name
    title = ax.get_title()
    assert all(leaf.why_en in title and leaf.why_zh in title for leaf in tree.advice(path))
    assert ("then ask this too" in str([t.get_text() for t in ax.texts])) == mended


def test_the_tree_without_a_way_marks_nothing_and_draws_without_missing_letters(tmp_path):
    figure = tree.draw()
    figure.savefig(tmp_path / "tree.png")  # a glyph that lacks would be a warning, so an error
    boxes = [t.get_bbox_patch() for t in figure.axes[0].texts if t.get_bbox_patch()]
    assert all(box.get_linewidth() <= 1 for box in boxes)
    assert sum(isinstance(node, Advice) for node in NODES.values()) == 5
