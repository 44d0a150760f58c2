"""Figures: drawn with the font that ships, small, true to their numbers, readable in grey."""

import io
import re
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from helpers.base import CourseError, root
from helpers.measure.stats import Interval, wilson
from helpers.show import plots, style

matplotlib.use("Agg")
BEFORE, AFTER = "before ｜ 训练前", "after ｜ 训练后"
TWO_GROUPS = {
    "form ｜ 形式": {BEFORE: wilson(0, 120), AFTER: wilson(118, 120)},
    "facts ｜ 事实": {BEFORE: wilson(5, 120), AFTER: wilson(9, 120)},
}


def png(fig) -> bytes:
    """Return the figure as a notebook saves it."""
    fig.canvas.draw()
    file = io.BytesIO()
    fig.savefig(file, format="png", bbox_inches="tight")
    return file.getvalue()


def characters_of_font() -> set[str]:
    return {chr(code) for code in matplotlib.ft2font.FT2Font(str(style.FONT)).get_charmap()}


def noisy(seed: int) -> tuple[np.ndarray, np.ndarray]:
    steps = np.arange(120)
    return steps, 3 * np.exp(-steps / 30) + np.random.default_rng(seed).normal(0.4, 0.05, 120)


FIGURES = {
    "bars": lambda: plots.bars(
        TWO_GROUPS, "Form and facts ｜ 形式与事实", line=(0.12, "chance ｜ 随机猜测")
    ),
    "curves": lambda: plots.curves(
        {f"rate {i} ｜ 学习率 {i}": noisy(i) for i in range(3)},
        "Loss by learning rate ｜ 不同学习率下的损失",
        "step ｜ 步",
        "loss ｜ 损失",
    ),
    "stacked": lambda: plots.stacked(
        {
            "LoRA": {"weights ｜ 权重": 14.2, "crumbs ｜ 零头": 0.1},
            "QLoRA": {"weights ｜ 权重": 5.1},
        },
        "What fills the memory ｜ 显存里有什么",
        "GiB",
        line=(14.6, "T4"),
    ),
    "grid": lambda: plots.grid(
        [[wilson(5, 9), 0.2, 1], [0, -0.3, 0.5]],
        ["full fine-tuning ｜ 全量微调", "replay ｜ 回放"],
        ["sums ｜ 加法", "copy ｜ 抄写", "lists ｜ 列表"],
        "What is forgotten ｜ 遗忘了什么（％）",
    ),
}


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_without_a_missing_glyph_and_stays_under_60_kb(name):
    data = png(FIGURES[name]())
    assert data.startswith(b"\x89PNG")
    assert len(data) < 60_000


def test_a_missing_glyph_is_an_error_here():
    fig, ax = style.figure()
    ax.set_title("ༀ")  # Tibetan: in neither font
    with pytest.raises(UserWarning, match="Glyph"):
        png(fig)


def test_chinese_comes_from_the_font_that_ships():
    """Without it the same title must fail, so no font of this machine stands in."""
    fig, ax = style.figure()
    ax.set_title("损失")
    png(fig)
    with matplotlib.rc_context({"font.family": ["DejaVu Sans"]}):
        fig, ax = matplotlib.pyplot.subplots()
        matplotlib.pyplot.close(fig)
        ax.set_title("损失")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            png(fig)
    assert any("Glyph" in str(warning.message) for warning in caught)


def test_the_font_holds_ascii_and_gb2312_level_1_and_what_the_course_draws():
    font = characters_of_font()
    rows = (bytes((row, cell)) for row in range(0xB0, 0xD8) for cell in range(0xA1, 0xFF))
    level1 = set("".join(row.decode("gb2312", "ignore") for row in rows))
    assert len(level1) == 3755
    assert (
        level1 | {chr(code) for code in range(0x20, 0x7F)} | set("，。：；、（）【】｜￥熵") <= font
    )
    drawn = "".join(path.read_text("utf-8") for path in (root() / "helpers").rglob("*.py"))
    world = root() / "data" / "lingxi" / "code.jsonl"
    drawn += world.read_text("utf-8") if world.is_file() else ""
    missing = set(re.findall(r"[\u4e00-\u9fff]", drawn)) - font
    assert not missing, f"add {''.join(sorted(missing))} to EXTRA in tools/make_font.py"


def test_the_font_carries_its_own_name_and_its_licence():
    font = matplotlib.ft2font.FT2Font(str(style.FONT))
    assert (font.family_name, font.num_faces) == (style.FAMILY, 1)
    assert "SIL OPEN FONT LICENSE" in (style.FONT.parent / "OFL.txt").read_text("utf-8")


def test_a_missing_font_is_a_clear_error(monkeypatch):
    monkeypatch.setattr(style, "FONT", Path("nowhere/font.otf"))
    with pytest.raises(CourseError, match=r"font.otf: the font .* ｜ 缺少绘图用的字体"):
        style.style()


def grey(colour: str) -> float:
    return float(np.dot(to_rgb(colour), (0.299, 0.587, 0.114)))


def test_areas_differ_in_grey_and_lines_by_more_than_colour():
    shades = sorted(map(grey, style.COLOURS))
    assert min(np.diff(shades)) > 0.1
    assert max(map(grey, style.LINES)) < 0.7  # seen on white paper
    assert len(set(style.MARKERS)) == len(set(style.DASHES)) == len(style.LINES) == 5


def test_bars_stand_as_high_as_their_values_with_their_intervals():
    fig = FIGURES["bars"]()
    ax = fig.axes[0]
    heights = [patch.get_height() for patch in ax.patches]
    assert heights == pytest.approx([0, 100 * 5 / 120, 100 * 118 / 120, 100 * 9 / 120])
    segments = [path for bars in ax.collections for path in bars.get_segments()]
    ends = [(segment[0][1], segment[1][1]) for segment in segments]
    wanted = [100 * end for group in TWO_GROUPS.values() for i in group.values() for end in i[1:3]]
    assert sorted(np.ravel(ends)) == pytest.approx(sorted(wanted), abs=1e-9)
    assert [text.get_text() for text in ax.texts] == ["0", "4", "98", "8"]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["form\n形式", "facts\n事实"]
    legend = [text.get_text() for text in fig.legends[0].get_texts()]
    assert legend == [BEFORE, AFTER, "chance ｜ 随机猜测"]
    assert len({patch.get_hatch() for patch in ax.patches}) == 2


def test_bars_take_plain_numbers_in_their_own_unit():
    speed = {"ours ｜ 本课": 3200.0, "loop ｜ 循环": Interval(6400, 6200, 6600, 5, "tokens/s")}
    ax = plots.bars(speed, "Speed ｜ 速度", unit="tokens/s").axes[0]
    assert [patch.get_height() for patch in ax.patches] == [3200, 6400]
    assert [text.get_text() for text in ax.texts] == ["3,200", "6,400"]
    assert ax.get_ylabel() == "tokens/s"
    assert ax.get_ylim()[1] > 6600


def test_curves_draw_their_points_or_their_running_mean():
    ax = plots.curves({"a": ([1, 2, 4], [0.1, 0.2, 0.6])}, "t", "x", "y", logx=True).axes[0]
    assert ax.lines[0].get_ydata() == pytest.approx([0.1, 0.2, 0.6])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2", "4"]
    ax = plots.curves({"a": ([1, 2, 4], [1, 2, 6])}, "t", "x", "y", smooth=2).axes[0]
    assert ax.lines[0].get_ydata() == pytest.approx([1.5, 4])
    assert list(ax.lines[0].get_xdata()) == [2, 4]


def test_grid_writes_each_number_in_ink_that_shows_on_its_shade():
    ax = plots.grid([[0.0, 1.0]], ["a"], ["b", "c"], "t").axes[0]
    assert [(t.get_text(), t.get_color()) for t in ax.texts] == [("0", "white"), ("100", "black")]


def test_two_figures_share_one_picture():
    fig, axes = style.figure(columns=2)
    assert plots.bars({"a ｜ 甲": {"x": 0.5}}, "left ｜ 左", ax=axes[0]) is fig
    assert plots.curves({"b ｜ 乙": ([1], [2])}, "right ｜ 右", "x", "y", ax=axes[1]) is fig
    assert [ax.get_title() for ax in fig.axes] == ["left ｜ 左", "right ｜ 右"]
    assert not matplotlib.pyplot.get_fignums()  # pyplot would show it a second time


@pytest.mark.parametrize(
    ("label", "room", "text"),
    [
        ("a ｜ 甲", 0, "a\n甲"),
        ("a ｜ 甲", 6, "a\n甲"),
        ("a ｜ 甲", 7, "a ｜ 甲"),
        ("plain", 0, "plain"),
    ],
)
def test_labels_break_where_room_is_short(label, room, text):
    assert style.two_lines(label, room) == text


WORDS = {"en": "Two bars: 3 < 4.", "zh": "两根柱子：3 比 4 小。"}
ALT = " ｜ ".join(WORDS.values())
DESCRIBED = {
    "bars": lambda: plots.bars({"a ｜ 甲": 0.5}, "t ｜ 题", alt=ALT),
    "curves": lambda: plots.curves({"a ｜ 甲": ([1, 2], [1, 2])}, "t", "x", "y", alt=ALT),
    "grid": lambda: plots.grid([[0.5]], ["a ｜ 甲"], ["b ｜ 乙"], "t ｜ 题", alt=ALT),
    "own": lambda: style.figure(alt=ALT)[0],
}


@pytest.mark.parametrize("name", DESCRIBED)
def test_a_notebook_keeps_the_words_of_a_figure_with_it_and_under_it(name, monkeypatch):
    """Shown as IPython shows the last value of a cell, through its own formatter."""
    from IPython.core.formatters import DisplayFormatter

    shown = []
    display = lambda data, raw, metadata=None: shown.append((data, metadata))  # noqa: E731
    monkeypatch.setattr("IPython.display.display", display)
    assert DisplayFormatter().format(DESCRIBED[name]()) == ({}, {}), "it displays itself"
    (picture, metadata), (under, _) = shown
    assert picture["image/png"].startswith("iVBOR")
    assert metadata["image/png"]["alt"] == picture["text/plain"] == ALT
    assert "<details>" in under["text/html"]
    assert "Two bars: 3 &lt; 4.<br>两根柱子" in under["text/html"]


@pytest.mark.parametrize("alt", ["Two bars.", "Two bars. ｜ ", " ｜ 两根柱子"])
def test_words_in_one_language_are_refused(alt):
    with pytest.raises(CourseError, match="two languages"):
        style.figure(alt=alt)


def test_stacked_bars_add_up_and_small_parts_are_drawn_together():
    values = {"a": {"x": 90.0, "y": 9.0, "z": 0.5, "w": 0.5}, "b": {"y": 40.0}}
    ax = plots.stacked(values, "sum ｜ 合计", "GiB").axes[0]
    ends = {}
    for bar in ax.patches:
        ends[bar.get_y()] = max(ends.get(bar.get_y(), 0), bar.get_x() + bar.get_width())
    assert sorted(ends.values()) == pytest.approx([40, 100])
    assert [text.get_text() for text in ax.texts] == ["100", "40"]
    names = ax.get_legend_handles_labels()[1]
    assert names == ["x", "y", "the rest ｜ 其余"]
