"""The README's table of lessons: titles and promises are the lessons', minutes the runs'."""

from __future__ import annotations

from pathlib import Path

from helpers.base import CourseError
from helpers.lessons.roadmap import BAR, Lesson, lessons

START, END = "<!-- path:start -->", "<!-- path:end -->"
HEADER = [
    "| lesson ｜ 课程 | what you do there ｜ 你会做什么 "
    "| ready? minutes on two CPU cores ｜ 状态，双核 CPU 用时 |",
    "|---|---|---|",
]


def put_path(text: str, root: Path, made: dict[str, dict]) -> str:
    """Put the table of lessons into the README's text; `made` holds each committed run's facts."""
    found = lessons(root / "notebooks" / "src")
    rows = [row(number, lesson, made.get(number)) for number, lesson in found.items()]
    return put_between(text, START, END, [*HEADER, *rows])


def put_between(text: str, start: str, end: str, lines: list[str]) -> str:
    """Put lines between two markers of the README; raise CourseError where they are missing."""
    if text.count(start) != 1 or text.count(end) != 1:
        raise CourseError(
            en=f"the markers {start} and {end} must stand there once each",
            zh=f"标记 {start} 和 {end} 应各出现一次",
            where="README.md",
        )
    before, rest = text.split(start)
    return "\n".join([before + start, *lines, end + rest.split(end)[1]])


def row(number: str, lesson: Lesson, facts: dict | None) -> str:
    """Write the row of one lesson; what is not written yet is announced."""
    name, state = f"{number} {lesson.title}", "coming ｜ 即将推出"
    if lesson.source:
        name = f"[{name}](notebooks/{lesson.source.stem}.ipynb)"
        state = "ready ｜ 可学"
        if facts:
            minutes = f"{facts['minutes']:.1f}"
            state = f"ready, {minutes} min ｜ 可学，{minutes} 分钟"
    return f"| {name} | {lesson.promise.replace(BAR, '<br>')} | {state} |"
