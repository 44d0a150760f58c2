"""Every lesson runs: as it is under smoke, and solved in full, every check and claim held."""

import subprocess
import sys
from pathlib import Path
from shutil import rmtree

import pytest

from tools.nbkit.source import code_text, sources

ROOT = Path(__file__).resolve().parents[2]
CODE = {p.stem: code_text(p) for p in sources(ROOT)}
LESSONS = list(CODE)
TAKES_DATA = [name for name, code in CODE.items() if "\nDATA =" in code]

pytestmark = pytest.mark.notebooks


def run(name: str, env: dict[str, str], capfd: pytest.CaptureFixture, *options: str) -> int:
    """Run a lesson as a user does, offline, its progress shown; return the exit code."""
    kind = "own" if "--data" in options else "-".join(options).strip("-")
    out = f"build/test/{kind}/notebooks"
    command = [sys.executable, "tools/nb.py", "run", name, *options, "--out", out]
    with capfd.disabled():
        print(flush=True)
        return subprocess.run(command, cwd=ROOT, env=env, timeout=2700).returncode


def test_there_are_lessons_and_some_take_your_own_data():
    assert LESSONS and TAKES_DATA


@pytest.mark.parametrize("name", LESSONS)
def test_smoke_unsolved_finishes(name, offline_env, capfd):
    assert run(name, offline_env, capfd, "--profile", "smoke") == 0


OWN = """\
{"instruction": "Name the city", "input": "", "output": "Lingxi"}
{"instruction": "no answer", "output": ""}
{"conversations": [{"from": "human", "value": "城市叫什么？"}, {"from": "gpt", "value": "灵溪"}]}
"""


@pytest.mark.parametrize("name", TAKES_DATA)
def test_your_own_data_is_checked_and_trained_on(name, offline_env, capfd, tmp_path):
    adapter = ROOT / "build" / "adapters" / "smoke" / "own"
    rmtree(adapter, ignore_errors=True)  # one of an earlier run would prove nothing
    (tmp_path / "own.jsonl").write_text(OWN, encoding="utf-8")
    options = "--profile", "smoke", "--data", str(tmp_path / "own.jsonl")
    assert run(name, offline_env, capfd, *options) == 0
    ran = (ROOT / "build" / "test" / "own" / "notebooks" / f"{name}.smoke.ipynb").read_text("utf-8")
    assert "2 rows kept" in ran
    assert "line 2: " in ran, "the bad row is named"
    if "save_adapter(" in CODE[name]:
        assert (adapter / "adapter_config.json").is_file()


@pytest.mark.parametrize("name", LESSONS)
def test_solved_in_full_every_check_and_claim_holds(name, offline_env, capfd):
    assert run(name, offline_env, capfd, "--solved", "--strict") == 0
