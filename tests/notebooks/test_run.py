"""Every lesson runs: as it is under smoke, and solved in full, every check and claim held."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools.nbkit.source import sources

ROOT = Path(__file__).resolve().parents[2]
LESSONS = [p.stem for p in sources(ROOT)]

pytestmark = pytest.mark.notebooks


def run(name: str, env: dict[str, str], capfd: pytest.CaptureFixture, *options: str) -> int:
    """Run a lesson as a user does, offline, its progress shown; return the exit code."""
    out = f"build/test/{'-'.join(options).strip('-')}/notebooks"
    command = [sys.executable, "tools/nb.py", "run", name, *options, "--out", out]
    with capfd.disabled():
        print(flush=True)
        return subprocess.run(command, cwd=ROOT, env=env, timeout=2700).returncode


def test_there_are_lessons():
    assert {"00", "04"} <= {name[:2] for name in LESSONS}


@pytest.mark.parametrize("name", LESSONS)
def test_smoke_unsolved_finishes(name, offline_env, capfd):
    assert run(name, offline_env, capfd, "--profile", "smoke") == 0


@pytest.mark.parametrize("name", LESSONS)
def test_solved_in_full_every_check_and_claim_holds(name, offline_env, capfd):
    assert run(name, offline_env, capfd, "--solved", "--strict") == 0
