"""Solved notebooks: each exercise stub replaced by the solution that the lesson publishes."""

from __future__ import annotations

import re

import nbformat
from nbformat import NotebookNode

from helpers.base import CourseError
from tools.nbkit.source import tags

FENCE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def solution_of(nb: NotebookNode, index: int) -> str | None:
    """Return the published solution of the exercise at `index`: exercise, check, solution."""
    following = nb.cells[index + 1 : index + 3]
    if len(following) < 2 or "check" not in tags(following[0]):
        return None
    if "solution" not in tags(following[1]):
        return None
    fence = FENCE.search(following[1].source)
    return fence.group(1).rstrip("\n") if fence else None


def solve(nb: NotebookNode, name: str) -> NotebookNode:
    """Copy a notebook with every exercise solved.

    Raises CourseError where an exercise has no published solution.
    """
    solved = nbformat.from_dict(nb)
    for i, cell in enumerate(nb.cells):
        if "exercise" not in tags(cell):
            continue
        answer = solution_of(nb, i)
        if answer is None:
            raise CourseError(
                en='no solution: after the exercise come the cell tags=["check"], then a markdown '
                'cell tags=["solution"] with a ```python block',
                zh='缺少参考答案：练习之后应依次是 tags=["check"] 的单元格，和 tags=["solution"]、'
                "带 ```python 代码块的 markdown 单元格",
                where=f"{name}: cell {i + 1}",
            )
        solved.cells[i].source = answer
    return solved
