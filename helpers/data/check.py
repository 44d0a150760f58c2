"""Your own data: a file in any format, checked; every bad line named, the good ones kept."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from helpers.base import CourseError, atomic_file, root
from helpers.data.formats import read_messages
from helpers.data.jsonl import Problem, Row, stream_jsonl, write_jsonl
from helpers.data.messages import check_messages, detect_format
from helpers.data.scan import scan_rows

if TYPE_CHECKING:
    from datasets import Dataset

# \u4f60 as six letters: Chinese or Japanese that was escaped twice (in Latin text it may be meant)
TWICE = re.compile(r"\\u[3-9a-fA-F][0-9a-fA-F]{3}")
SHOWN = 20  # problems that a report keeps in memory and prints


class Report(NamedTuple):
    """What became of a file: rows kept and left out, where they are, the first problems."""

    good: int
    bad: int
    formats: dict[str, int]
    rows: Path
    problems: Path
    first: list[Problem]

    def __str__(self) -> str:
        """Return the report for people, in both languages."""
        named = ", ".join(f"{name} {count:,}" for name, count in self.formats.items()) or "–"
        lines = [f"✅ {self.good:,} rows kept ｜ 保留 {self.good:,} 行（{named}）"]
        lines += [f"❌ {self.bad:,} rows left out ｜ 去掉 {self.bad:,} 行"] if self.bad else []
        lines += [f"   {problem}" for problem in self.first]
        if self.bad > len(self.first):
            lines.append(f"   … all of them ｜ 全部问题：{self.problems.name}")
        return "\n".join(lines)


def stream_own(path: Path | str) -> Iterator[tuple[int, Row | Problem]]:
    """Yield (line number, row of messages or problem) for each row of a file in any format.

    Memory stays constant, whatever the file's size. Raises CourseError if there is no such file.
    """
    for number, row in scan_rows(path):
        yield number, row if isinstance(row, Problem) else checked(number, row)


def checked(number: int, row: Row) -> Row | Problem:
    """Return a row of any format as messages, or the first thing that is wrong with it."""
    found = read_messages(row)
    if isinstance(found, tuple):
        return Problem(number, *found)
    good, problems = check_messages([found])
    if problems:
        return problems[0]._replace(line=number)
    if any(TWICE.search(message["content"]) for message in found["messages"]):
        return Problem(
            number,
            "a text holds escapes as letters, such as \\u4f60: it was escaped twice",
            "文本里有 \\u4f60 这样的字样：转义了两次",
            "write the file with ensure_ascii=False, once",
            "写文件时用 ensure_ascii=False，只编码一次",
        )
    return good[0]


def own_rows(path: Path | str, limit: int | None = None) -> tuple[list[Row], list[Problem]]:
    """Return the good rows of your file, as messages, and a problem for every bad one.

    `limit` stops after so many good rows. All is held in memory: for a large file, `own_file`.
    """
    rows: list[Row] = []
    problems: list[Problem] = []
    for _, row in stream_own(path):
        (problems if isinstance(row, Problem) else rows).append(row)
        if limit is not None and len(rows) >= limit:
            break
    return rows, problems


def own_file(path: Path | str, folder: Path | str | None = None) -> Report:
    """Check a file of any size; write the good rows to a folder as messages, the problems as text.

    The folder is build/own/<the file's name> unless given. Raises CourseError if there is no such
    file, no good row in it (rows of an earlier run then stand), or no place to write to.
    """
    folder = Path(folder) if folder else root() / "build" / "own" / Path(path).stem
    numbered = scan_rows(path)
    head = list(islice(numbered, 1))  # if it cannot be read, this raises before a folder is made
    formats, first, bad = Counter(), [], 0
    rows, report = folder / "rows.jsonl", folder / "problems.txt"

    def done() -> Report:
        return Report(formats.total(), bad, dict(formats), rows, report, first)

    def good() -> Iterator[Row]:
        nonlocal bad
        with atomic_file(report) as new, open(new, "w", encoding="utf-8", newline="\n") as file:
            for number, row in chain(head, numbered):
                found = row if isinstance(row, Problem) else checked(number, row)
                if not isinstance(found, Problem):
                    formats[detect_format(row)] += 1
                    yield found
                    continue
                bad += 1
                first.extend([found] if len(first) < SHOWN else [])
                file.write(f"{found}\n")
        if not formats:  # an error here, and write_jsonl leaves the old rows whole
            print(done())
            raise _no_row(path)

    write_jsonl(rows, good())
    return done()


def _no_row(path: Path | str) -> CourseError:
    return CourseError(
        en="no row of this file can be trained on. Mend: see the first problems above.",
        zh="这个文件里没有一行可以训练。改法：见上面列出的问题。",
        where=str(path),
    )


def to_dataset(rows: Iterable[Row]):
    """Return a `datasets.Dataset` with the one column `messages`, as TRL takes it."""
    from datasets import Dataset

    # the other fields are of mixed types, which Arrow refuses
    return Dataset.from_list([{"messages": row["messages"]} for row in rows])


def own_dataset(path: Path | str) -> tuple["Dataset", Report]:
    """Check a file of your own; return its good rows, as TRL takes them, and the report.

    Rows are read from the disk as they are needed: memory stays constant. Raises CourseError if
    there is no such file, or no good row in it.
    """
    from datasets import Dataset

    report = own_file(path)
    made = {"path": str(report.rows), "when": report.rows.stat().st_mtime_ns}  # made anew: no cache
    return Dataset.from_generator(_messages_alone, gen_kwargs=made), report


def _messages_alone(path: str, when: int):
    """Yield the messages of each row of a file, and no other field."""
    for row in stream_jsonl(path):
        yield {"messages": [{key: m[key] for key in ("role", "content")} for m in row["messages"]]}
