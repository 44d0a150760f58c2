"""Every lesson runs: as it is under smoke, and solved in full, every check and claim held.

Lessons run side by side, as with `make run JOBS=2`: all of one kind by one command.
"""

import json
import subprocess
import sys
from pathlib import Path
from shutil import rmtree

import pytest

from helpers.env import cores
from tools.nbkit.source import code_text, sources

ROOT = Path(__file__).resolve().parents[2]
CODE = {p.stem: code_text(p) for p in sources(ROOT)}
LESSONS = list(CODE)
TAKES_DATA = [name for name, code in CODE.items() if "\nDATA =" in code]
ADAPTER = ROOT / "build" / "adapters" / "smoke" / "own"
JOBS = min(cores(), 4)  # a lesson takes up to 1.5 GB

pytestmark = pytest.mark.notebooks


@pytest.fixture(scope="module")
def commands():
    """Return what each kind of run gave: the kind -> the report of its lessons."""
    return {}


@pytest.fixture
def run(request, commands, offline_env, capfd):
    """Return a function that runs a test's lesson, with those of its siblings that are asked for.

    It runs them as a user does, but offline, and shows the progress; it returns the lesson's line
    of the report.
    """
    kind, asked = request.node.originalname, request.session.items

    def run_all(name: str, *options: str) -> dict:
        if kind not in commands:
            names = [i.callspec.params["name"] for i in asked if i.originalname == kind]
            rmtree(ROOT / "build" / "test" / kind, ignore_errors=True)
            command = [sys.executable, "tools/nb.py", "run", *names, *options]
            command += ["--jobs", str(JOBS), "--out", f"build/test/{kind}/notebooks"]
            with capfd.disabled():
                print(flush=True)
                subprocess.run(command, cwd=ROOT, env=offline_env, timeout=5000)
            report = ROOT / "build" / "test" / kind / "report.json"
            commands[kind] = json.loads(report.read_text(encoding="utf-8"))
        return commands[kind][name]

    return run_all


def test_there_are_lessons_and_some_take_your_own_data():
    assert LESSONS and TAKES_DATA


@pytest.mark.parametrize("name", LESSONS)
def test_smoke_unsolved_finishes(name, run):
    assert run(name, "--profile", "smoke")["ok"]


OWN = """\
{"instruction": "Name the city", "input": "", "output": "Lingxi"}
{"instruction": "no answer", "output": ""}
{"conversations": [{"from": "human", "value": "城市叫什么？"}, {"from": "gpt", "value": "灵溪"}]}
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Write a file of a learner's own; an adapter of an earlier run would prove nothing."""
    rmtree(ADAPTER, ignore_errors=True)
    path = tmp_path_factory.mktemp("own") / "own.jsonl"
    path.write_text(OWN, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", TAKES_DATA)
def test_your_own_data_is_checked_and_trained_on(name, run, own):
    ran = run(name, "--profile", "smoke", "--data", str(own))
    assert ran["ok"]
    text = (ROOT / ran["notebook"]).read_text(encoding="utf-8")
    assert "2 rows kept" in text
    assert "line 2: " in text, "the bad row is named"
    if "save_adapter(" in CODE[name]:
        assert (ADAPTER / "adapter_config.json").is_file()


@pytest.mark.parametrize("name", LESSONS)
def test_solved_in_full_every_check_and_claim_holds(name, run):
    assert run(name, "--solved", "--strict")["ok"]
