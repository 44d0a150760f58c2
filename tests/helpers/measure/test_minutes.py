"""Minutes and memory are kept by lesson and profile; a row that is not whole is named."""

import pytest
import torch

from helpers.base import CourseError, root
from helpers.env import PROFILES
from helpers.measure import minutes
from helpers.measure.minutes import Minutes
from tools.nbkit.source import sources

CPU = Minutes(12.3, 1.94, "2 CPU cores", "2026-12-01")
CARD = Minutes(3.0, 2.5, "Tesla T4", "2026-12-02")


@pytest.fixture
def course(tmp_path):
    """Return a course's folder without measured minutes."""
    (tmp_path / "data").mkdir()
    return tmp_path


def test_a_newer_run_takes_the_place_of_the_old_one_in_the_profiles_order(course):
    assert minutes.read(course) == {}
    for lesson, profile, one in (
        ("01", "t4", CARD), ("00", "small", CPU), ("01", "small", CPU),
        ("01", "t4", CARD._replace(minutes=4.0)),
    ):  # fmt: skip
        minutes.record(course, lesson, profile, one)
    found = minutes.read(course)
    assert list(found) == [("00", "small"), ("01", "small"), ("01", "t4")]
    assert found["01", "t4"] == CARD._replace(minutes=4.0)
    assert found["00", "small"] == CPU


def test_it_is_said_in_both_languages():
    assert CPU.told()[1] == "12.3 分钟，1.9 GB（2 个 CPU 核，2026-12-01）"
    assert CARD.told() == (
        "3.0 min, 2.5 GB (Tesla T4, 2026-12-02)",
        "3.0 分钟，2.5 GB（Tesla T4，2026-12-02）",
    )


@pytest.mark.parametrize(
    "bad",
    ["00,small,long,1,x,2026-12-01", "00,huge,1,1,x,2026-12-01", "00,small,1,1,x",
     "00,tiny,1,1,x,2026-12-01", "00,small,1,1,x,2026-12-01,y"],
)  # fmt: skip
def test_a_bad_row_is_named_with_its_line(course, bad):
    minutes.record(course, "00", "tiny", CPU)
    with (course / minutes.TABLE).open("a", encoding="utf-8") as file:
        file.write(bad + "\n")
    with pytest.raises(CourseError) as caught:
        minutes.read(course)
    assert caught.value.where == "data/minutes.csv:3"


def test_the_machine_is_the_card_or_the_cores_in_use(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert minutes.machine("cpu") == "2 CPU cores"
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert minutes.machine("cpu") == "1 CPU core"
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    assert minutes.machine("cuda") == "Tesla T4"


def test_the_courses_own_minutes_are_of_lessons_that_exist():
    lessons = {path.name[:2] for path in sources(root())}
    found = minutes.read(root())
    assert {lesson for lesson, _ in found} <= lessons
    assert not [profile for _, profile in found if profile not in PROFILES or profile == "smoke"]
    assert {lesson for lesson, profile in found if profile == "tiny"} == lessons
