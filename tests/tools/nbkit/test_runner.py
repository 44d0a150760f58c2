"""The runner itself, on the toy course: kernels start here, so it stands with the notebooks."""

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.base import CourseError
from helpers.env import cores
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
    assert not toy.problems(draft=False)
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


# --- side by side


def second(toy, name: str, code: str, tagged: str = "") -> None:
    """Add a lesson beside the toy that runs some code, and after it a cell with a tag."""
    text = toy.source.read_text(encoding="utf-8").split("# %%\nx, y = 2, 3")[0]
    text = text.replace("# 90. ", f"# {name[:2]}. ") + f"# %%\n{code}\n" + tagged
    toy.source.with_name(f"{name}.py").write_text(text, encoding="utf-8")


def test_lessons_side_by_side_have_their_share_and_one_report_in_order(toy):
    show = "import os\n\nprint(os.environ['OMP_NUM_THREADS'], os.environ['GOMP_SPINCOUNT'])"
    for name in ("91_second", "92_third"):
        second(toy, name, show)
    done = nb_py(toy, "run", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    ran = src.read_notebook(toy.root / "build" / "notebooks" / "91_second.ipynb")
    share = str(max(1, cores() // 2))
    assert ran.cells[-1].outputs[0].text.split() == [share, os.environ["GOMP_SPINCOUNT"]]
    report = (toy.root / "build" / "report.md").read_text(encoding="utf-8")
    places = [report.index(f"✅ {n}") for n in ("90_toy", "91_second", "92_third")]
    assert places == sorted(places)
    assert done.stdout.count("✅ ") == 3 and "3 lessons in" in done.stdout


def test_a_timed_cell_has_the_machine_alone(toy):
    stamps = """
import time
(ROOT / "build").mkdir(exist_ok=True)
with open(ROOT / "build" / "stamps", "w") as file:
    for _ in range(300):
        print(time.monotonic(), file=file, flush=True)
        time.sleep(0.02)
"""
    waits = """
import time
while not (ROOT / "build" / "stamps").exists():
    time.sleep(0.02)
time.sleep(0.5)
"""
    timed = """
# %% tags=["timing"]
began = time.monotonic()
time.sleep(3)
(ROOT / "build" / "timed").write_text(f"{began} {time.monotonic()}")
"""
    second(toy, "91_stamps", stamps)
    second(toy, "92_timed", waits, timed)
    done = nb_py(toy, "run", "91", "92", "--jobs", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "⏱ 92, cell" in done.stdout and "其他课暂停" in done.stdout
    began, ended = map(float, (toy.root / "build" / "timed").read_text().split())
    seen = [float(line) for line in (toy.root / "build" / "stamps").read_text().split()]
    assert len(seen) == 300 and seen[0] < began and ended < seen[-1], "it went on before and after"
    assert not [at for at in seen if began < at < ended]
    told = done.stdout[done.stdout.index("✅ 91_stamps") :]
    slowest = float(re.search(r"([\d.]+) s  cell", told)[1])
    assert slowest < seen[-1] - seen[0] - 2, "its rest is not counted"


def test_a_lesson_whose_process_is_killed_is_told_and_the_others_finish(toy):
    second(toy, "91_killer", "import os\nimport signal\n\nos.kill(os.getppid(), signal.SIGKILL)")
    done = nb_py(toy, "run", "--jobs", "2")
    assert done.returncode == 1
    assert "✅ 90_toy" in done.stdout and "❌ 91_killer" in done.stdout
    assert "the process was killed" in done.stdout and "进程被终止" in done.stdout


def test_outputs_are_kept_of_lessons_that_ran_alone_only(toy):
    done = nb_py(toy, "run", "--jobs", "2", "--commit")
    assert done.returncode == 1 and "one by one" in done.stderr and "逐课" in done.stderr


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_a_number_of_jobs_that_is_none_is_refused(toy, text):
    done = nb_py(toy, "run", f"--jobs={text}")
    assert done.returncode == 2 and "write 1 or more" in done.stderr


# --- minutes and memory ---------------------------------------------------------------------------

CARD = """\
class cuda:
    asked = [3_000_000_000, 1_000_000_000]  # the second time torch's count began anew

    def is_initialized():
        return True

    def max_memory_allocated():
        return cuda.asked.pop(0) if len(cuda.asked) > 1 else cuda.asked[0]
"""


def recorded(toy) -> list[dict]:
    """Return the rows of the toy's data/minutes.csv."""
    with (toy.root / "data" / "minutes.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_under_a_gpu_profile_notes_the_cards_peak_and_leaks_no_name(toy, monkeypatch):
    (toy.root / "torch.py").write_text(CARD)  # in the place of the real one, in the kernel alone
    code = "import torch\n\n# %%\nprint('note' in globals(), 'sys' in globals())\n\n# %%\n1 / 0"
    second(toy, "91_card", code)
    monkeypatch.setenv("PYTHONPATH", str(toy.root))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    done = nb_py(toy, "run", "91", "--profile", "t4")
    assert done.returncode == 1 and "ZeroDivisionError" in done.stdout
    ran = src.read_notebook(toy.root / "build" / "notebooks" / "91_card.t4.ipynb")
    told = [o.text for c in ran.cells for o in c.get("outputs", ()) if o.output_type == "stream"]
    assert "False False\n" in told
    report = (toy.root / "build" / "report.md").read_text(encoding="utf-8")
    assert "GPU 3.00 GB" in report, "though a cell failed"
    assert nb_py(toy, "run", "91", "--profile", "tiny").returncode == 1
    assert "GPU" not in (toy.root / "build" / "report.md").read_text(encoding="utf-8")


def test_record_keeps_minutes_and_memory_of_each_profile(toy):
    assert nb_py(toy, "run", "--profile", "small", "--record").returncode == 0
    assert nb_py(toy, "run", "--record").returncode == 0
    small, tiny = sorted(recorded(toy), key=lambda row: row["profile"])
    assert (small["lesson"], small["profile"], tiny["profile"]) == ("90", "small", "tiny")
    assert float(small["minutes"]) > 0 and float(small["peak_gb"]) > 0.01
    assert re.fullmatch(r"\d+ CPU cores?", small["machine"])
    second(toy, "91_broken", "1 / 0")
    assert nb_py(toy, "run", "--record").returncode == 1
    assert {row["lesson"] for row in recorded(toy)} == {"90"}, "only what ran to its end"


@pytest.mark.parametrize(
    "odd", [["--solved"], ["--profile", "smoke"], ["--model", "x"], ["--jobs", "2"]]
)
def test_what_says_nothing_about_a_learners_minutes_is_not_recorded(toy, odd):
    done = nb_py(toy, "run", "--record", *odd)
    assert done.returncode == 1 and odd[0] in done.stderr
    assert not (toy.root / "build").exists(), "nothing ran"


def test_another_model_is_a_parameter(toy):
    toy.edit('print(f"{PROFILE}, {SEED}', 'print(f"{MODEL}, {PROFILE}, {SEED}')
    assert nb_py(toy, "run", "--model", "owner/other", "--profile", "smoke").returncode == 0
    ran = src.read_notebook(toy.root / "build" / "notebooks" / "90_toy.smoke.ipynb")
    assert "owner/other, smoke, 0: 5" in str(ran.cells)
