"""Each number of a lesson comes from data/sizes.csv, by profile; a bad table is named."""

import copy
import re

import pytest

from helpers.base import CourseError, root
from helpers.env import PROFILES, SMOLLM2, XIAOXI, Setup
from helpers.lessons import sizes
from helpers.measure import minutes
from tools.nbkit.source import code_text, sources

HEADER = ",".join(sizes.COLUMNS)
GOOD = "04,test,incidents tested,测试的事件,8,120,40,60,60"
MORE = "04,lr,learning rate,学习率,2e-3,2e-3,3e-4,2e-5,2e-5"
LISTS = "04,rates,rates tried,试的学习率,1e-2 1,2e-5 1 3,,,7"


def setup(profile: str, model: str | None = None) -> Setup:
    """Return a setup of a profile, on any device."""
    return Setup(profile, model or PROFILES[profile], "cpu", "float32", "", "")


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Return a function that writes a table of sizes for the course to read."""
    monkeypatch.setattr(sizes, "root", lambda: tmp_path)
    (tmp_path / "data").mkdir()

    def write(*lines: str) -> None:
        (tmp_path / "data" / "sizes.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    return write


def test_a_profile_has_its_column(table):
    table(HEADER, GOOD, MORE, LISTS)
    found = {profile: sizes.of("04", setup(profile)) for profile in PROFILES}
    assert {p: s.test for p, s in found.items()} == {
        "smoke": 8, "tiny": 120, "small": 40, "t4": 60, "gpu": 60,
    }  # fmt: skip
    assert found["small"].lr == 3e-4
    assert type(found["tiny"].test) is int
    assert found["tiny"].rates == [2e-5, 1, 3]
    assert found["small"].rates is None
    assert found["gpu"].rates == 7


@pytest.mark.parametrize(
    ("profile", "model", "column"),
    [
        ("tiny", SMOLLM2, "small"),
        ("tiny", "owner/other", "small"),
        ("tiny", str(root() / XIAOXI), "tiny"),  # the same folder, in full
        ("smoke", SMOLLM2, "smoke"),
        ("t4", SMOLLM2, "t4"),
        ("small", XIAOXI, "small"),
    ],
)
def test_another_model_under_tiny_takes_the_sizes_of_small(profile, model, column):
    assert sizes.column(setup(profile, model)) == column


def test_the_environment_may_ask_for_another_column(monkeypatch):
    monkeypatch.setenv(sizes.SIZES, "smoke")
    assert sizes.column(setup("t4", SMOLLM2)) == "smoke"
    monkeypatch.setenv(sizes.SIZES, "")
    assert sizes.column(setup("t4", SMOLLM2)) == "t4"
    monkeypatch.setenv(sizes.SIZES, "huge")
    with pytest.raises(CourseError, match="SIZES=huge"):
        sizes.column(setup("t4"))


def test_an_unknown_lesson_is_named_in_both_languages(table):
    table(HEADER, GOOD)
    with pytest.raises(CourseError, match=r"'05'.*take one of 04") as caught:
        sizes.of("05", setup("tiny"))
    assert "'05'" in caught.value.zh


def test_an_unknown_name_tells_which_there_are(table):
    table(HEADER, GOOD, MORE)
    size = sizes.of("04", setup("tiny"))
    with pytest.raises(AttributeError, match=r"'tests': add a row .* test, lr ｜ "):
        _ = size.tests
    assert not hasattr(size, "tests")
    assert copy.copy(size).test == 120


def test_the_card_shows_every_number_as_it_stands_now(table, capsys, monkeypatch):
    table(HEADER, GOOD, MORE, LISTS)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda one: shown.append(one.data))
    size = sizes.of("04", setup("small"))
    size.test = 4000
    assert size.show() is None
    assert shown[0].splitlines()[2:] == [
        "| incidents tested ｜ 测试的事件 | 4,000 |",
        "| learning rate ｜ 学习率 | 0.0003 |",
        "| rates tried ｜ 试的学习率 | all ｜ 全部 |",
        "| the whole lesson took ｜ 整课实测 | not measured yet ｜ 尚未实测 |",
    ]
    sizes.of("04", setup("smoke")).show()
    assert "| 0.01, 1 |" in shown[1] and "a trial of a few steps" in shown[1]


def test_the_card_tells_minutes_that_were_measured_of_this_model_alone(table, tmp_path):
    table(HEADER, GOOD)
    assert sizes.taken("04", setup("small")) == ("not measured yet", "尚未实测")
    minutes.record(
        tmp_path, "04", "small", minutes.Minutes(12.34, 1.94, "2 CPU cores", "2026-12-01")
    )
    for found in (setup("small"), setup("tiny", SMOLLM2)):
        assert sizes.taken("04", found) == (
            "12.3 min, 1.9 GB (2 CPU cores, 2026-12-01)",
            "12.3 分钟，1.9 GB（2 个 CPU 核，2026-12-01）",
        )
    assert sizes.taken("04", setup("small", "owner/other"))[0] == "not measured with this model"
    assert sizes.taken("04", setup("tiny"))[0] == "not measured yet"
    assert sizes.taken("03", setup("small"))[0] == "not measured yet"


@pytest.mark.parametrize(
    ("lines", "place", "word"),
    [
        ([HEADER.replace("small,", ""), GOOD], ":1", "header"),
        ([HEADER, GOOD, GOOD + ",9"], ":3", "9 cells"),
        ([HEADER, GOOD.replace(",60", "", 1)], ":2", "9 cells"),
        ([HEADER, GOOD, GOOD], ":3", "test stands twice"),
        ([HEADER, GOOD.replace("120", "many")], ":2", "tiny: 'many' is no number"),
        ([HEADER, GOOD.replace("test,", "n-test,", 1)], ":2", "'n-test'"),
        ([HEADER, GOOD.replace("test,", "show,", 1)], ":2", "'show'"),
        ([HEADER, GOOD.replace("测试的事件", "")], ":2", "zh is empty"),
    ],
)
def test_a_bad_row_is_named_with_its_line(table, lines, place, word):
    table(*lines)
    with pytest.raises(CourseError, match=word) as caught:
        sizes.of("04", setup("tiny"))
    assert caught.value.where == f"data/sizes.csv{place}"


def test_a_missing_table_is_named(table):
    with pytest.raises(CourseError, match="cannot be read"):
        sizes.of("04", setup("tiny"))


def test_the_courses_own_table_is_in_both_languages():
    for rows in sizes.read(root() / sizes.TABLE).values():
        for row in rows:
            assert re.search("[\u4e00-\u9fff]", row.zh), row.name
            assert not re.search("[\u4e00-\u9fff]", row.en), row.name


@pytest.mark.parametrize("path", sources(root()), ids=lambda path: path.stem)
def test_a_lesson_uses_its_sizes_and_no_others(path):
    code, rows = code_text(path), sizes.read(root() / sizes.TABLE).get(path.name[:2], [])
    if "sizes.of(" in code:
        assert f'sizes.of("{path.name[:2]}", ' in code
        assert set(re.findall(r"\bsize\.(\w+)", code)) - {"show"} == {row.name for row in rows}
