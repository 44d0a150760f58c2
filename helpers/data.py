"""The data of the course: the world's files and what trainers take; the door to all of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.files import CourseError, root
from helpers.formats import to_alpaca, to_messages, to_prompt_completion, to_sharegpt
from helpers.jsonl import Problem, Row, read_jsonl, scan_jsonl, stream_jsonl, write_jsonl
from helpers.messages import check_file, check_messages, detect_format, require_messages
from helpers.own import Report, own_file, own_rows

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = [
    "WORLD", "Problem", "Report", "Row", "check_file", "check_messages", "detect_format",
    "own_dataset", "own_file", "own_rows", "read_jsonl", "require_messages", "scan_jsonl", "select",
    "stream_jsonl", "to_alpaca", "to_dataset", "to_messages", "to_prompt_completion",
    "to_sharegpt", "world", "write_jsonl",
]  # fmt: skip

WORLD = ("code", "amendment", "train", "eval", "preferences", "general", "dirty")


def world(name: str) -> list[Row]:
    """Return the rows of one file of Lingxi, such as "train", "eval" or "code"."""
    if name not in WORLD:
        known = ", ".join(WORLD)
        raise CourseError(
            en=f"the world has no file {name!r}. Mend: choose one of {known}.",
            zh=f"灵溪的数据里没有 {name!r}。改法：从 {known} 中选一个。",
        )
    path = root() / "data" / "lingxi" / f"{name}.jsonl"
    if not path.exists():
        raise CourseError(
            en="this file of the world is missing. Mend: run `make world`.",
            zh="缺少这个数据文件。改法：运行 `make world`。",
            where=str(path),
        )
    return read_jsonl(path)


def select(rows: Iterable[Row], context: bool | None = None, **fields: Any) -> list[Row]:
    """Return the rows with these values in their fields: `select(rows, task="notice", lang="zh")`.

    `context` True keeps the rows with articles in the prompt, False those without, None both.
    """
    return [
        row
        for row in rows
        if all(row.get(name) == value for name, value in fields.items())
        and (context is None or bool(row.get("context")) == context)
    ]


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
