"""A file of your own, checked: the good rows kept as messages, every bad one named."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, atomic_file, root
from helpers.data.formats import detect_format, read_messages
from helpers.data.jsonl import Problem, Row, write_jsonl
from helpers.data.messages import wrong_row
from helpers.data.objects import Found, Notice
from helpers.data.reader import read_rows

SHOWN = 20  # problems that a report keeps in memory and prints
MASKED = Notice("an answer is marked as not to be learned (weight 0, loss or train false)",
                "有回答标明了不参与训练（weight 为 0，loss 或 train 为 false）")  # fmt: skip


class Report(NamedTuple):
    """What became of a file: rows kept and left out, where they are, the first problems.

    `error` says why nothing was kept, else it is None; `notices` are counted.
    """

    good: int
    bad: int
    formats: dict[str, int]
    rows: Path
    problems: Path
    first: list[Problem]
    notices: dict[Notice, int]
    error: CourseError | None = None

    def __str__(self) -> str:
        """Return the report for people, in both languages."""
        named = ", ".join(f"{name} {count:,}" for name, count in self.formats.items()) or "–"
        lines = [f"✅ {self.good:,} rows kept ｜ 保留 {self.good:,} 行（{named}）"]
        if self.error:
            lines = [f"❌ {self.error}"]
        lines += [f"ℹ️ {notice}" for notice in self.noticed()]
        lines += [f"❌ {self.bad:,} rows left out ｜ 去掉 {self.bad:,} 行"] if self.bad else []
        lines += [f"   {problem}" for problem in self.first]
        if self.bad > len(self.first):
            lines.append(f"   … all of them ｜ 全部问题：{self.problems}")
        return "\n".join(lines)

    def noticed(self) -> list[str]:
        """Return the notices in both languages, with the number of rows where there are several."""
        return [
            f"{notice.en} ({count:,} rows) ｜ {notice.zh}（{count:,} 行）"
            if count > 1
            else f"{notice.en} ｜ {notice.zh}"
            for notice, count in self.notices.items()
        ]


def check_file(path: Path | str, folder: Path | str | None = None, shown: int = SHOWN) -> Report:
    """Check a file of any kind and size; write the good rows as messages, the problems as text.

    They go to rows.jsonl and problems.txt in `folder`: build/own/<the file's name> unless given.
    Where no row is good, the report's `error` says why, and rows of an earlier run stand. Raises
    CourseError when they cannot be saved.
    """
    path = Path(path).expanduser()
    folder = Path(folder) if folder else root() / "build" / "own" / path.stem
    rows, problems = folder / "rows.jsonl", folder / "problems.txt"
    formats, notices, first = Counter(), Counter(), []
    bad = 0

    def done(error: CourseError | None = None) -> Report:
        return Report(formats.total(), bad, dict(formats), rows, problems, first,
                      dict(notices), error)  # fmt: skip

    def good(items: Iterable[Found | Problem | Notice]) -> Iterator[Row]:
        nonlocal bad
        with atomic_file(problems) as new, open(new, "w", encoding="utf-8", newline="\n") as file:
            for item in items:
                if isinstance(item, Notice):
                    notices[item] += 1
                    continue
                found, told = checked(item) if isinstance(item, Found) else (item, set())
                if isinstance(found, Problem):
                    bad += 1
                    first.extend([found] if len(first) < shown else [])
                    file.write(f"{found}\n")
                    continue
                formats[detect_format(item.row) or "preference"] += 1
                notices.update(Notice(*words) for words in told)
                masked = any(message.get("train") is False for message in found["messages"])
                notices.update([MASKED] if masked else [])
                yield found
        if not formats:  # an error here, and write_jsonl leaves the old rows whole
            raise nothing if bad else empty

    nothing = CourseError(
        en="no row of this file can be trained on. Mend: see the first problems.",
        zh="这个文件里没有一行可以训练。改法：见列出的问题。",
        where=str(path),
    )
    empty = CourseError(
        en="there is no row in it. Mend: give a file with rows.",
        zh="里面没有数据。改法：换一个有数据的文件。",
        where=str(path),
    )
    items, head = read_rows(path), []
    try:
        for item in items:  # if it cannot be read, this raises before a folder is made
            head.append(item)
            if not isinstance(item, Notice):
                break
    except CourseError as error:
        return done(error)
    try:
        write_jsonl(rows, good(chain(head, items)))
    except CourseError as error:
        if error not in (nothing, empty):
            raise
        return done(error)
    return done()


def checked(item: Found) -> tuple[Row | Problem, set[tuple[str, str]]]:
    """Return a row of any format as messages, or the first thing wrong with it; and its notices."""
    row, notices = read_messages(item.row)
    wrong = row if isinstance(row, tuple) else wrong_row(row)
    if wrong:
        return Problem(item.line, *wrong, item.number, item.part), set()
    return row, notices
