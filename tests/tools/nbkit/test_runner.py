"""The runner itself, on the toy course: kernels start here, so it stands with the notebooks."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.base import CourseError
from tools.nbkit import source as src
from tools.nbkit.outputs import commit

ROOT = Path(__file__).resolve().parents[3]


def nb_py(toy, *args: str) -> subprocess.CompletedProcess:
    """Run tools/nb.py as a user does: a run opens sockets to its own kernel, so not in here."""
    command = [sys.executable, str(ROOT / "tools" / "nb.py"), "--root", str(toy.root), *args]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=300)


def test_run_of_nothing_fails(toy):
    toy.source.unlink()
    done = nb_py(toy, "run")
    assert done.returncode == 1
    assert "there is nothing to run" in done.stderr


def test_run_needs_the_parameter(toy):
    toy.edit("SEED = 0\n", "")
    toy.edit("{SEED}", "0")
    done = nb_py(toy, "run", "--seed", "1")
    assert done.returncode == 1
    assert "90_toy.py: no parameter SEED" in done.stderr and "没有参数" in done.stderr


def test_run_unsolved_commit_and_check(toy):
    toy.build()
    done = nb_py(toy, "run", "90", "--commit")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "▶ 90_toy: 13 cells" in done.stdout
    assert "WARNING" not in done.stderr
    nb = src.read_notebook(toy.notebook)
    facts = nb.metadata["course"]
    assert facts["claims"] == {"toy_sum": 5}
    assert facts["peak_gb"] > 0.01
    assert {"date", "minutes", "versions"} <= set(facts)
    assert len(nb.cells) == 13, "papermill's cell of parameters stays out"
    assert all("papermill" not in c.metadata for c in nb.cells)
    assert nb.cells[6].outputs[0].text == "tiny, 0: 5\n"
    found = toy.problems(draft=False)
    assert len(found) == 1 and "a lesson has 40 to 70" in found[0], found
    report = (toy.root / "build" / "report.md").read_text(encoding="utf-8")
    assert "| ✅ 90_toy | tiny |" in report
    toy.edit("x, y = 2, 3", "x, y = 2, 4")
    with pytest.raises(CourseError, match="its code changed after the run"):
        commit(toy.source, toy.root / "build" / "notebooks" / "90_toy.ipynb")


def test_strict_runs_fail_unsolved_and_pass_solved(toy):
    failed = nb_py(toy, "run", "--strict")
    assert failed.returncode == 1
    assert "cell 11" in failed.stdout and "AssertionError: add(2, 3) is 5" in failed.stdout
    solved = nb_py(toy, "run", "--strict", "--solved", "--profile", "smoke", "--seed", "3")
    assert solved.returncode == 0, solved.stdout + solved.stderr
    ran = src.read_notebook(toy.root / "build" / "notebooks" / "90_toy.smoke.solved.ipynb")
    assert "smoke, 3: 5" in str(ran.cells)
    with pytest.raises(CourseError, match="no complete run"):
        commit(toy.source, toy.root / "build" / "notebooks" / "90_toy.ipynb")


def test_strict_run_fails_when_a_claim_is_out_of_range(toy):
    toy.edit('"ok": x + y == 5', '"ok": False')
    assert nb_py(toy, "run", "--solved").returncode == 0
    assert nb_py(toy, "run", "--solved", "--strict").returncode == 1


def test_strict_run_fails_when_a_claim_was_not_measured(toy):
    with (toy.root / "data" / "claims.csv").open("a", encoding="utf-8") as ledger:
        rest = "s,,0,1,supported,here ｜ 此处,\n"
        ledger.write(f"lost,90_toy,b,乙,{rest}elsewhere,91_other,c,丙,{rest}")
    done = nb_py(toy, "run", "--solved", "--strict")
    assert done.returncode == 1
    assert "claims not measured: lost ｜" in done.stdout
    assert "elsewhere" not in done.stdout
