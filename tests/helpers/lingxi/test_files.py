"""The files of Lingxi are read, and rows are chosen by their fields."""

import pytest

from helpers.base import CourseError
from helpers.data.jsonl import write_jsonl
from helpers.lingxi import files

GOOD = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


def test_world_names_the_command_that_makes_it(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "root", lambda: tmp_path)
    with pytest.raises(CourseError, match="make world") as caught:
        files.world("train")
    assert "train.jsonl" in str(caught.value)
    (tmp_path / "data" / "lingxi").mkdir(parents=True)
    write_jsonl(tmp_path / "data" / "lingxi" / "train.jsonl", [GOOD])
    assert files.world("train") == [GOOD]
    with pytest.raises(CourseError, match="choose one of code, amendment"):
        files.world("../secret")


def test_world_keeps_the_languages_asked_for_and_whole_articles():
    both = files.world("eval")
    english = files.world("eval", langs=("en",))
    assert english == files.select(both, lang="en") and 0 < len(english) < len(both)
    assert files.world("eval", langs=("en", "zh")) == both
    assert files.world("code", langs=("en",)) == files.world("code"), "one row has both languages"
    assert files.world("general", langs=()) == []


def test_select_by_field_and_context():
    rows = [
        {"task": "notice", "lang": "en", "context": []},
        {"task": "notice", "lang": "zh", "context": ["A012"]},
        {"task": "question", "lang": "zh", "context": ["A001"]},
    ]
    assert files.select(rows, task="notice") == rows[:2]
    assert files.select(rows, lang="zh", context=True) == rows[1:]
    assert files.select(rows, context=False) == rows[:1]
    assert files.select(rows, split="seen") == []
