"""Every exercise of every lesson: its stub waits with ⏳, its published solution passes with ✅."""

import importlib
from pathlib import Path

import pytest

from helpers import exercise
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


@pytest.fixture(autouse=True)
def learner(monkeypatch):
    """Answer as a learner does: no STRICT, nothing remembered."""
    monkeypatch.delenv("STRICT", raising=False)
    monkeypatch.setattr(exercise, "remember", lambda exercise_id: None)


def told(capsys, number: str, answer: str, check: str) -> str:
    """Run an answer and the check below it as the notebook would; return what is printed."""
    name = f"nb{number}"
    space = {name: importlib.import_module(f"helpers.lessons.{name}")}
    exec(answer, space)
    exec(check, space)
    return capsys.readouterr().out


@pytest.mark.parametrize(("number", "stub", "check", "solution"), exercises())
def test_the_stub_waits_and_the_published_solution_passes(capsys, number, stub, check, solution):
    waits = told(capsys, number, stub, check)
    assert waits.startswith(f"⏳ {number}.") and "❌" not in waits, waits
    assert "`...`" in waits.split(" ｜ ")[1] and "`...`" in waits.split(" ｜ ")[2]
    passes = told(capsys, number, solution, check)
    assert passes.startswith(f"✅ {number}.") and passes.count("\n") == 1, passes


def test_every_lesson_has_exercises_here():
    here = {parameters.values[0] for parameters in exercises()}
    assert here == {path.stem[:2] for path in sources(ROOT)} >= {"00", "01", "02", "03", "04"}
