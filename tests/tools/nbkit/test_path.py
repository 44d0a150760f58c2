"""The README's table of lessons: written ones speak for themselves, the others are announced."""

import pytest

from helpers.base import CourseError
from tools.nbkit.path import END, START, put_path

PAGE = f"above\n{START}\n| stale |\n{END}\nbelow\n"


def test_a_lesson_stands_in_the_table_with_its_promise_and_its_minutes(toy):
    page = put_path(PAGE, toy.root, {"90": {"minutes": 1.26}})
    link = "[90 A toy ｜ 玩具课](notebooks/90_toy.ipynb)"
    said = "You add two numbers.<br>你来把两个数相加。"
    assert f"| {link} | {said} | ready, 1.3 min ｜ 可学，1.3 分钟 |" in page
    assert page.startswith("above\n") and page.endswith(f"{END}\nbelow\n") and "stale" not in page
    assert put_path(page, toy.root, {"90": {"minutes": 1.26}}) == page
    assert "相加。 | ready ｜ 可学 |" in put_path(PAGE, toy.root, {}), "not run yet"


def test_lessons_to_come_are_announced_before_it(toy):
    lines = put_path(PAGE, toy.root, {}).splitlines()
    (coming,) = [i for i, line in enumerate(lines) if line.startswith("| 09 ")]
    assert lines[coming].endswith("| coming ｜ 即将推出 |") and "](" not in lines[coming]
    assert "90 A toy" in lines[coming + 1]


def test_a_page_without_markers_is_named(toy):
    with pytest.raises(CourseError, match=r"README\.md: the markers .* ｜ 标记"):
        put_path("nothing", toy.root, {})
