"""Work in a process of its own: results come back, errors and deaths are told."""

import os
import signal

import pytest

from helpers.base import CourseError
from tools.process import apart


def pid_and(number: int) -> tuple[int, int]:
    return os.getpid(), number + 1


def fail(what: str) -> None:
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    raise CourseError("bad row", "坏行") if what == "told" else ValueError("no number")


def test_it_runs_in_another_process_and_the_result_comes_back():
    child, number = apart(pid_and, 1)
    assert child != os.getpid() and number == 2
    assert apart(pid_and, 2)[0] != child, "each call has a process of its own"


@pytest.mark.parametrize(
    ("what", "en", "zh"),
    [
        ("killed", "out of memory?", "内存不足"),
        ("told", "bad row", "坏行"),
        ("raised", "ValueError: no number", "ValueError: no number"),
    ],
)
def test_what_goes_wrong_there_is_told_here(what, en, zh):
    with pytest.raises(CourseError) as caught:
        apart(fail, what)
    assert en in caught.value.en and zh in caught.value.zh
