"""Ninety seconds in a terminal: the same incident before and after a live fine-tuning."""

from __future__ import annotations

import argparse
import sys
import time
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.base import CourseError, say
from helpers.data.jsonl import Row
from helpers.platforms import quiet

if TYPE_CHECKING:
    from helpers.measure.stats import Interval

WIDTH = 78  # columns; a Chinese character takes two
ANSWER_LINES = 9  # a notice has eight
INCIDENTS = 24  # held out: their articles are in no training row
STEPS, ROWS_A_STEP, LR = 200, 8, 2e-3  # one epoch; all weights are trained
TESTS = {  # with articles in the prompt, and without; which scores the table shows of each
    "opened": ("three articles in the prompt ｜ 提示里有三条法条", ("form", "facts", "all")),
    "closed": ("no article in the prompt ｜ 提示里没有法条", ("form", "facts")),
}
CONCLUSION = (
    "Training brought the form. The facts come from the articles in the prompt: without "
    "them the model invents an article, a fine and an office, and no line says so. Lessons "
    "01 and 04 measure both, with controls.",
    "训练教会了格式；事实来自提示里的法条。没有法条，模型就把条号、罚款、机关都编出来，"
    "而且看不出是编的。这两点在 01、04 两课里有对照实验。",
)
NAMES = {
    "form": "exact form ｜ 格式",
    "facts": "all four facts ｜ 四项事实",
    "all": "every line right ｜ 全对",
}


def main(argv: list[str] | None = None) -> int:
    """Show the demo; Ctrl-C ends it without a stack trace."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps ｜ 训练步数")
    args = parser.parse_args(argv)
    try:
        show(max(1, args.steps))
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\n❌ stopped; nothing was left behind", "已中断，没有留下任何文件")
        return 130
    return 0


def show(steps: int) -> None:
    """Answer, train, answer again, and print it all."""
    began = time.monotonic()
    say("▶ loading Xiaoxi, the small model of this course …", "正在加载课程自带的小模型“小溪”……")
    quiet()
    from helpers.env import XIAOXI, resolve, set_seed, threads
    from helpers.lessons.minute import examples, held_out
    from helpers.model.generate import generate
    from helpers.model.load import load, parameter_counts
    from helpers.model.train import fit

    threads()
    set_seed(0)
    model, tokenizer = load(resolve("tiny", XIAOXI))
    train_rows = examples(steps * ROWS_A_STEP)
    tests = held_out(INCIDENTS // 2)

    def answer() -> dict[str, list[str]]:
        """Answer every test, greedily."""
        return {
            name: generate(model, tokenizer, [row["messages"][:-1] for row in rows],
                           max_new_tokens=96, batch_size=INCIDENTS)
            for name, rows in tests.items()
        }  # fmt: skip

    before = answer()
    for lang in ("en", "zh"):
        row, text = first(tests["opened"], before["opened"], lang)
        print_incident(row)
        print_answer("before training ｜ 训练前", text)
    print()
    say(f"▶ training all {parameter_counts(model)[0]:,} weights, {steps} steps of {ROWS_A_STEP}",
        f"正在训练全部权重，共 {steps} 步，每步 {ROWS_A_STEP} 行")  # fmt: skip
    fit(model, tokenizer, train_rows, lr=LR, num_epochs=1, batch_size=ROWS_A_STEP,
        on_step=progress(steps))  # fmt: skip
    after = answer()
    for lang in ("en", "zh"):
        row, text = first(tests["opened"], after["opened"], lang)
        print_answer("after training ｜ 训练后", text)
        print_answer("what is right ｜ 标准答案", row["messages"][-1]["content"])
    print_scores(scores(before, tests), scores(after, tests))
    print()
    if steps < STEPS:
        say(
            f"a short run: the effect takes {STEPS} steps", f"这次练得少，效果要 {STEPS} 步才看得出"
        )
    else:
        print_lines("", CONCLUSION)
    seconds = round(time.monotonic() - began)
    say(f"▶ {seconds} s. Next: make lab", f"用时 {seconds} 秒。接下来：make lab")


def first(rows: list[Row], texts: list[str], lang: str) -> tuple[Row, str]:
    """Return the first incident in a language, and what the model wrote on it."""
    return next((r, t) for r, t in zip(rows, texts, strict=True) if r["lang"] == lang)


def progress(steps: int) -> Callable[[int, float], None]:
    """Return what `fit` calls after each step: it draws one line over and over, or ten lines."""
    began, live = time.monotonic(), sys.stdout.isatty()

    def draw(step: int, loss: float) -> None:
        done = step * 30 // steps
        if not (live or step == steps or step % max(1, steps // 10) == 0):
            return
        line = f"  {'█' * done}{'░' * (30 - done)} {step}/{steps}  loss ｜ 损失 {loss:.2f}"
        line = f"{line}  {time.monotonic() - began:.0f} s"
        print(
            f"\r{line}  " if live else line, end="" if live and step < steps else "\n", flush=True
        )

    return draw


def print_incident(row: Row) -> None:
    """Print what the model is asked: the report, and how many articles stand above it."""
    report = row["messages"][0]["content"].split("\n\n")[-1].splitlines()
    heading = {
        "en": "An incident. Above it, in the prompt, stand three articles of Lingxi's code:",
        "zh": "一个事件。提示里，它的上方还有三条灵溪市的法条：",
    }
    print(f"\n{heading[row['lang']]}")
    print_lines("  ", report)


def print_answer(title: str, text: str) -> None:
    """Print an answer under its title, at most as long as a notice is."""
    lines = text.splitlines() or [""]
    print(f"\n  {title}")
    print_lines("  │ ", lines[:ANSWER_LINES] + ["…"] * (len(lines) > ANSWER_LINES))


def print_lines(margin: str, lines: list[str]) -> None:
    """Print lines behind a margin, folded so that they fit into WIDTH columns."""
    for line in lines:
        for part in fold(line, WIDTH - len(margin)):
            print(margin + part)


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def fold(text: str, width: int) -> Iterator[str]:
    """Yield a line in parts of at most `width` columns, broken at spaces or between characters."""
    while columns(text) > width:
        end = next(i for i in range(len(text), 0, -1) if columns(text[:i]) <= width)
        space = text.rfind(" ", 0, end + 1)
        end = space if space > end // 2 else end
        yield text[:end]
        text = text[end:].lstrip()
    yield text


def print_scores(before: dict[tuple, Interval], after: dict[tuple, Interval]) -> None:
    """Print the shares of right answers, before and after, with their intervals."""
    print()
    say(f"right on {INCIDENTS} new incidents, under articles that no example had",
        "新事件上的正确率，法条都没练过")  # fmt: skip
    print_row("", "before ｜ 训练前", "after ｜ 训练后")
    for test, (title, names) in TESTS.items():
        print(title)
        for name in names:
            values = (str(marks[test, name]).split(", n =")[0] for marks in (before, after))
            print_row(f"  {NAMES[name]}", *values)


def print_row(*cells: str) -> None:
    """Print one row of the table: a wide column and two narrow ones."""
    widths = (WIDTH - 36, 18, 18)
    print("".join(c + " " * (w - columns(c)) for c, w in zip(cells, widths, strict=True)).rstrip())


def scores(texts: dict[str, list[str]], tests: dict[str, list[Row]]) -> dict[tuple, Interval]:
    """Return the share of right answers for each test and score of the table."""
    from helpers.lingxi.score import score_notices
    from helpers.measure.stats import share

    marks = {name: score_notices(texts[name], rows) for name, rows in tests.items()}
    return {(test, name): share(marks[test][name])
            for test, (_, names) in TESTS.items() for name in names}  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
