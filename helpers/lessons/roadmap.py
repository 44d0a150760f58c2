"""The road through the lessons: what each is called, what it promises, and the map of them all.

A lesson that is written speaks for itself: its title and promise are read from its first cell.
"""

import re
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, root

BAR = " ｜ "
PLACES = {  # number -> column and row on the map; a lesson that is not planned stands at the end
    "00": (0, 1), "01": (1, 1), "02": (2, 2), "03": (2, 0), "04": (3, 1),
    "05": (4, 2), "06": (4, 0), "07": (5, 1), "08": (6, 2), "09": (6, 0),
}  # fmt: skip
STEPS = "00-01 01-02 01-03 02-04 03-04 04-05 04-06 05-07 06-07 07-08 07-09"
STAGES = {  # column -> what its lessons are for
    0.5: "choose ｜ 选择",
    3: "train ｜ 训练",
    5: "measure ｜ 测量",
    6: "use ｜ 使用",
}
COMING = {  # number -> title and promise of a lesson that is not written yet
    "06": (
        "RLHF and DPO ｜ 人类反馈与偏好对齐",
        "You teach a model to say “no rule here”, with PPO, DPO and GRPO. ｜ "
        "你将用 PPO、DPO 和 GRPO 教模型说“此处无规定”。",
    ),
    "07": (
        "Evaluation ｜ 评估",
        "You learn to tell a real gain from luck. ｜ 你将学会分清真正的进步和运气。",
    ),
    "08": (
        "RAG + fine-tuning ｜ RAG 与微调结合",
        "You take facts from documents and style from training. ｜ "
        "你会让知识来自文档，文风来自训练。",
    ),
    "09": (
        "Ship and scale ｜ 部署与扩展",
        "You merge, quantise and serve a model, and train on two processes. ｜ "
        "你将合并、量化、部署一个模型，并用两个进程训练。",
    ),
}


class Lesson(NamedTuple):
    """A lesson of the road: both texts are "English ｜ 中文"; no `source`, no lesson yet."""

    title: str
    promise: str
    source: Path | None = None


def lessons(folder: Path | None = None) -> dict[str, Lesson]:
    """Return the lessons by number, in order: those of `folder` (notebooks/src) and those to come.

    Raises CourseError where a lesson does not open with its number, title and promise.
    """
    folder = folder or root() / "notebooks" / "src"
    found = {number: Lesson(*texts) for number, texts in COMING.items()}
    found |= {path.stem[:2]: opening(path) for path in folder.glob("[0-9][0-9]_*.py")}
    return dict(sorted(found.items()))


def opening(source: Path) -> Lesson:
    """Read a lesson's title and promise: the first line and the last of its first cell."""
    first = source.read_text(encoding="utf-8").split("\n# %%")[0]
    lines = [line.removeprefix("#").strip() for line in first.splitlines()[1:]]
    title, *_, promise = [line for line in lines if line] or ["", ""]
    found = re.fullmatch(rf"# {source.stem[:2]}\. (.+{BAR}.+)", title)
    if not found or BAR not in promise:
        raise CourseError(
            en=f"the first cell must open with “# {source.stem[:2]}. Title ｜ 标题” and end with "
            "the promise in one line, “What the reader does. ｜ 读者会做什么。”",
            zh=f"第一个单元格应以“# {source.stem[:2]}. Title ｜ 标题”开头，"
            "以一行“What the reader does. ｜ 读者会做什么。”结尾",
            where=f"notebooks/src/{source.name}:1",
        )
    return Lesson(found[1], promise, source)


def road(here: str = "00"):
    """Return a Figure of the lessons and the ways between them, the lesson `here` marked.

    Raises CourseError when there is no such lesson.
    """
    from helpers.show.style import COLOURS, INK, describe, figure

    stops = lessons()
    if here not in stops:
        raise CourseError(
            en=f'no lesson "{here}": choose one of {", ".join(stops)}',
            zh=f"没有“{here}”这一课：请从 {', '.join(stops)} 中选",
        )
    places, steps = layout(list(stops))
    last = max(column for column, _ in places.values())
    fig, ax = figure(width=9.6 + 1.4 * (last - 6), height=3.7)
    for start, end in steps:
        way = {"arrowstyle": "-|>", "color": "#777777", "shrinkA": 32, "shrinkB": 32}
        ax.annotate("", places[end], places[start], arrowprops=way)
    for number, stop in stops.items():
        marked = number == here
        box = {"boxstyle": "round,pad=0.45", "edgecolor": INK, "linewidth": 3 if marked else 1}
        box["facecolor"] = COLOURS[2] if marked else "white"
        box["linestyle"] = "-" if stop.source else "--"
        words = {"ha": "center", "va": "center", "size": 9}
        ax.text(*places[number], f"{number}\n{boxed(stop.title)}", bbox=box, **words)
    for x, stage in STAGES.items():
        ax.text(x, -0.75, stage, ha="center", size=10, color="#555555")
    ax.set(xlim=(-0.6, last + 0.6), ylim=(-0.85, 2.5))
    coming = [number for number, stop in stops.items() if not stop.source]
    dashed = ("; dashed: not written yet", "；虚线：还没写") if coming else ("", "")
    ax.set_title(f"The road; you are at {here}{dashed[0]}{BAR}路线图：你在 {here}{dashed[1]}")
    ax.axis("off")
    names = [[f"{n} {stop.title.split(BAR)[i]}" for n, stop in stops.items()] for i in (0, 1)]
    late = [f" Not written yet: {', '.join(coming)}.", f"还没写：{'、'.join(coming)}。"]
    late = late if coming else ["", ""]
    return describe(
        fig,
        f"A map of the lessons, left to right: {', '.join(names[0])}. You are at {here}.{late[0]}"
        f"{BAR}课程路线图，从左到右：{'、'.join(names[1])}。你在 {here}。{late[1]}",
    )


def layout(numbers: list[str]) -> tuple[dict[str, tuple[int, int]], list[tuple[str, str]]]:
    """Return each lesson's column and row, and the steps; what is not planned comes at the end."""
    places, steps = dict(PLACES), [tuple(step.split("-")) for step in STEPS.split()]
    for number in numbers:
        if number not in places:
            before = max(n for n in places if n < number)
            places[number] = (max(column for column, _ in places.values()) + 1, 1)
            steps.append((before, number))
    return {n: places[n] for n in numbers}, [s for s in steps if set(s) <= set(numbers)]


def boxed(title: str, width: int = 16) -> str:
    """Break a title into short lines, English above Chinese."""
    import textwrap

    lines = [
        x for text in title.split(BAR) for x in textwrap.wrap(text, width, break_on_hyphens=False)
    ]
    return "\n".join(lines)
