"""Every exercise of every lesson: its stub waits with ⏳, its published solution passes with ✅."""

import importlib
import re
from pathlib import Path

import pytest
import torch
from torch import nn

from tools.nbkit.exercises import solution_of
from tools.nbkit.source import read_source, sources, tags

ROOT = Path(__file__).resolve().parents[2]


def exercises():
    """Yield (lesson's number, stub, check, solution) of each exercise, as the lesson has them."""
    for path in sources(ROOT):
        nb = read_source(path)
        for i, cell in enumerate(nb.cells):
            if "exercise" in tags(cell):
                codes = cell.source, nb.cells[i + 1].source, solution_of(nb, i)
                yield pytest.param(path.stem[:2], *codes, id=nb.cells[i + 1].source.split("(")[0])


def told(capsys, number: str, answer: str, check: str) -> str:
    """Run an answer and the check below it as the notebook would; return what is printed."""
    name = f"nb{number}"
    space = {"nn": nn, "torch": torch, name: importlib.import_module(f"helpers.lessons.{name}")}
    exec(answer, space)
    exec(check, space)
    return capsys.readouterr().out


@pytest.mark.parametrize(("number", "stub", "check", "solution"), exercises())
def test_the_stub_waits_and_the_published_solution_passes(capsys, number, stub, check, solution):
    bound = re.match(r"(?:def |class )?(\w+)", stub)[1]
    assert check == f"nb{number}.{bound}({bound})", "the check has the name of its exercise"
    waits = told(capsys, number, stub, check)
    assert waits.startswith(f"⏳ {number}.") and "❌" not in waits, waits
    assert "`...`" in waits.split(" ｜ ")[1] and "`...`" in waits.split(" ｜ ")[2]
    passes = told(capsys, number, solution, check)
    assert passes.startswith(f"✅ {number}.") and passes.count("\n") == 1, passes


def test_every_lesson_has_exercises_with_right_and_wrong_answers():
    numbers = {path.stem[:2] for path in sources(ROOT)}
    assert {parameters.values[0] for parameters in exercises()} == numbers
    tried = {path.stem[-2:] for path in Path(__file__).parent.glob("test_exercises_[0-9][0-9].py")}
    assert tried == numbers
