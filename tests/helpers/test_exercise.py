"""Exercises: right, wrong, broken and untouched answers each get their own mark and hint."""

import json
import os

import numpy as np
import pytest

from helpers import exercise as module
from helpers.base import CourseError
from helpers.exercise import exercise, near


@pytest.fixture(autouse=True)
def own_world(monkeypatch, tmp_path):
    """Give each test its own exercises and its own progress file, without STRICT."""
    monkeypatch.setattr(module, "EXERCISES", {})
    monkeypatch.setattr(module, "SESSION", set())
    monkeypatch.setattr(module, "progress_path", lambda: tmp_path / "build" / "module.json")
    monkeypatch.setattr(module, "_load_all", lambda: None)
    monkeypatch.delenv("STRICT", raising=False)


@pytest.fixture
def mask_check():
    @exercise("04.2", "The loss mask", "损失掩码")
    def loss_mask(mask):
        yield len(mask) == 4, f"4 tokens, not {len(mask)}", f"应有 4 个词元，不是 {len(mask)} 个"
        yield not any(mask[:2]), "the question is not trained on", "问题部分不参与训练"
        yield all(mask[2:]), "the answer is trained on", "回答部分要参与训练"

    return loss_mask


@pytest.fixture
def double_check():
    @exercise("04.3", "Doubling", "加倍")
    def double(function):
        yield function(2) == 4, f"2 doubled is 4, not {function(2)}", "2 加倍得 4"
        yield function(0) == 0, "0 stays 0", "0 加倍仍是 0"

    return double


def test_a_right_answer_passes(mask_check, capsys):
    assert mask_check([0, 0, 1, 1]).ok is True
    assert capsys.readouterr().out == "✅ 04.2 The loss mask ｜ 损失掩码\n"


@pytest.mark.parametrize(
    ("answer", "en", "zh"),
    [
        ([0, 1], "4 tokens, not 2", "应有 4 个词元，不是 2 个"),
        ([1, 1, 1, 1], "the question is not trained on", "问题部分不参与训练"),
        ([0, 0, 0, 0], "the answer is trained on", "回答部分要参与训练"),
    ],
)
def test_each_wrong_answer_gets_its_own_hint_in_both_languages(mask_check, capsys, answer, en, zh):
    assert mask_check(answer) == ("04.2", False, en, zh)
    assert capsys.readouterr().out.splitlines() == [
        "❌ 04.2 The loss mask ｜ 损失掩码",
        f"   {en} ｜ {zh}",
    ]


@pytest.mark.parametrize("answer", [..., None, [0, 0, ..., 1], (...,), {"r": ...}])
def test_an_untouched_value_waits(mask_check, capsys, answer):
    assert mask_check(answer).ok is None
    out = capsys.readouterr().out
    assert out.startswith("⏳ 04.2") and "not tried yet" in out and "还没有作答" in out


def stub_dots(x): ...


def stub_docstring(x):
    """Double x."""
    ...  # noqa: PIE790


def stub_pass(x):
    pass


def stub_return(x):
    return ...


def stub_variable(x):
    result = ...
    return result  # noqa: RET504


def stub_half_done(x):
    factor = ...
    return x * factor


@pytest.mark.parametrize(
    "stub",
    [
        stub_dots,
        stub_docstring,
        stub_pass,
        stub_return,
        stub_variable,
        stub_half_done,
        lambda x: ...,
    ],
)
def test_an_untouched_function_waits(double_check, stub):
    assert double_check(stub).ok is None


def test_a_right_function_passes_though_it_uses_dots(double_check):
    assert double_check(lambda x: 2 * np.array([x])[..., 0]).ok is True


def test_a_wrong_function_gets_the_hint(double_check):
    assert double_check(lambda x: x + 1).en == "2 doubled is 4, not 3"
    assert double_check(lambda x: x + 2).en == "0 stays 0"


def test_a_forgotten_return_is_named(double_check):
    def silent(x):
        x * 2

    result = double_check(silent)
    assert result.ok is False
    assert "returned nothing" in result.en and "没有返回值" in result.zh


def test_none_is_a_right_result_where_the_check_wants_it():
    @exercise("04.4", "Parsing", "解析")
    def parse(function):
        yield function("bad") is None, "bad text gives None", "无效文本应返回 None"
        yield function("7") == 7, "7 is 7", "7 就是 7"

    assert parse(lambda text: int(text) if text.isdigit() else None).ok is True
    assert parse(lambda text: 0).en == "bad text gives None"


def test_an_error_in_the_learners_code_becomes_a_hint_with_its_line(double_check):
    def broken(x):
        scale = x // 0
        return scale + x

    result = double_check(broken)
    assert result.ok is False
    assert result.en.startswith("your code stopped at `scale = x // 0`: ZeroDivisionError")
    assert "你的代码停在 `scale = x // 0`" in result.zh


def test_a_course_error_keeps_each_language_apart(double_check):
    def careful(x):
        raise CourseError(en="no such file", zh="没有这个文件")

    result = double_check(careful)
    assert result.en.endswith(": no such file") and result.zh.endswith("：没有这个文件")


def leave(x):
    raise SystemExit(1)


def descend(x):
    return descend(x + 1)


@pytest.mark.parametrize("answer", [leave, descend, 7, "text", [1], object()])
def test_nothing_that_a_learner_gives_raises(mask_check, double_check, answer):
    assert double_check(answer).ok is False
    assert mask_check(answer).ok is False


def test_an_answer_of_the_wrong_kind_is_called_so(mask_check):
    result = mask_check(7)
    assert "cannot be checked" in result.en and "类型" in result.zh


def test_strict_raises_for_anything_but_right(mask_check, double_check, monkeypatch):
    monkeypatch.setenv("STRICT", "1")
    assert mask_check([0, 0, 1, 1]).ok
    for answer in ([1, 1, 1, 1], ..., 7):
        with pytest.raises(AssertionError, match=r"04.2 The loss mask: .+ ｜ .+"):
            mask_check(answer)
    with pytest.raises(AssertionError):
        double_check(stub_dots)


def test_a_notebook_does_not_show_the_result_a_second_time(mask_check, capsys):
    result = mask_check([0, 0, 1, 1])
    capsys.readouterr()
    from IPython.core.interactiveshell import InteractiveShell

    assert InteractiveShell.instance().display_formatter.format(result) == ({}, {})


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ([1, 2], True),
        ((1.00001, 2), True),
        (np.array([1, 2.0]), True),
        ([1.1, 2], False),
        ([[1, 2]], False),
        ([1], False),
        ("ab", False),
        (None, False),
        ([1, [2]], False),
    ],
)
def test_near_compares_shape_and_value_and_never_raises(answer, same):
    assert near(answer, [1, 2]) is same


def test_near_takes_tensors_that_need_gradients():
    torch = pytest.importorskip("torch")
    assert near(torch.tensor([1.0, 2.0], requires_grad=True), [1, 2])
    assert near(3, torch.tensor(3))


# --- progress ---


def sit(monkeypatch, there: bool) -> None:
    monkeypatch.setattr(module, "attended", lambda: there)


def test_progress_is_kept_between_sessions_where_a_person_sits(
    mask_check, double_check, monkeypatch, capsys
):
    sit(monkeypatch, True)
    mask_check([0, 0, 1, 1])
    double_check(stub_dots)
    assert json.loads(module.progress_path().read_text("utf-8")) == ["04.2"]
    monkeypatch.setattr(module, "SESSION", set())  # a new kernel
    capsys.readouterr()
    module.progress("04")
    assert capsys.readouterr().out == (
        "04: 1/2 exercises passed ｜ 通过 1/2 道练习   ✅ 04.2 ⏳ 04.3\n"
    )
    double_check(lambda x: 2 * x)
    assert json.loads(module.progress_path().read_text("utf-8")) == ["04.2", "04.3"]


def test_progress_counts_every_notebook_and_the_whole(mask_check, capsys):
    exercise("00.1", "First", "第一题")(lambda answer: iter([(True, "", "")]))("x")
    capsys.readouterr()
    module.progress()
    assert [line.split(" ｜ ")[0] for line in capsys.readouterr().out.splitlines()] == [
        "00: 1/1 exercises passed",
        "04: 0/1 exercises passed",
        "all: 1/2 exercises passed",
    ]


def test_a_program_that_runs_the_notebook_leaves_no_trace_and_sees_none(
    mask_check, monkeypatch, capsys
):
    module.progress_path().parent.mkdir()
    module.progress_path().write_text('["04.2"]', encoding="utf-8")
    sit(monkeypatch, False)
    module.progress("04")
    assert "04: 0/1" in capsys.readouterr().out
    mask_check([0, 0, 1, 1])
    module.progress("04")
    assert "04: 1/1" in capsys.readouterr().out
    assert module.progress_path().read_text("utf-8") == '["04.2"]'


@pytest.mark.parametrize("text", ["", "{broken", "7", '{"a": 1}', "[[1]]"])
def test_a_broken_progress_file_is_written_again(mask_check, monkeypatch, text):
    sit(monkeypatch, True)
    module.progress_path().parent.mkdir()
    module.progress_path().write_text(text, encoding="utf-8")
    assert mask_check([0, 0, 1, 1]).ok
    assert "04.2" in json.loads(module.progress_path().read_text("utf-8"))


def test_progress_that_cannot_be_saved_is_told_and_costs_nothing_else(
    mask_check, monkeypatch, capsys
):
    sit(monkeypatch, True)

    def full(*args):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "replace", full)
    assert mask_check([0, 0, 1, 1]).ok
    assert "进度未能保存" in capsys.readouterr().out


def test_the_package_of_exercises_is_found(monkeypatch):
    monkeypatch.undo()
    module._load_all()  # imports every module there is; a broken one would raise
    assert all(len(title) == 2 and all(title) for title in module.EXERCISES.values())
