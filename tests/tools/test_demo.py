"""The demo: held-out incidents, before and after, within a terminal's width, clean on Ctrl-C."""

import sys

import pytest

from tools import demo


@pytest.mark.slow
def test_a_short_demo_shows_both_languages_before_and_after_and_warns_of_nothing(
    capsys, monkeypatch
):
    monkeypatch.setattr(demo, "INCIDENTS", 2)
    assert demo.main(["--steps", "2"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for words in ("before training ｜ 训练前", "after training ｜ 训练后", "what is right"):
        assert out.count(words) == 2  # one in English, one in Chinese
    assert "[LINGXI TRAFFIC NOTICE]" in out and "【灵溪市交通违法处理通知书】" in out
    assert "2/2" in out and "a short run" in out
    table = out.split("before ｜ 训练前")[-1]
    assert table.count("[") == 2 * sum(len(names) for _, names in demo.TESTS.values())
    said = [line for line in out.splitlines() if " ｜ " not in line]  # say() is for wide windows
    assert max(map(demo.columns, said)) <= demo.WIDTH


def test_ctrl_c_ends_it_without_a_stack_trace(capsys, monkeypatch):
    def interrupted(steps):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "show", interrupted)
    assert demo.main([]) == 130
    out, err = capsys.readouterr()
    assert "❌ stopped" in out and err == ""


@pytest.mark.parametrize("text", ["word " * 40, "字" * 100, "a字" * 50, "x" * 200, "", "短"])
def test_long_lines_are_folded_to_the_width_and_lose_nothing(text):
    parts = list(demo.fold(text, 30))
    assert all(demo.columns(part) <= 30 for part in parts)
    assert "".join(parts).replace(" ", "") == text.replace(" ", "")


def test_progress_is_one_line_on_a_terminal_and_ten_in_a_file(capsys, monkeypatch):
    for live, lines in ((True, 1), (False, 10)):
        monkeypatch.setattr(sys.stdout, "isatty", lambda live=live: live)
        draw = demo.progress(50)
        for step in range(1, 51):
            draw(step, 0.5)
        out = capsys.readouterr().out
        assert out.count("\n") == lines
        assert ("\r" in out) == live
