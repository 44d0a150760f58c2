"""The files of Lingxi, data/lingxi/*.jsonl: read them, and pick rows."""

from collections.abc import Iterable
from typing import Any

from helpers.base import CourseError, root
from helpers.data.jsonl import Row, read_jsonl

WORLD = ("code", "amendment", "train", "eval", "preferences", "general", "dirty")


def world(name: str, langs: Iterable[str] | None = None) -> list[Row]:
    """Return the rows of one file of Lingxi, such as "train", "eval" or "code".

    `langs` keeps the rows in these languages, such as `setup.langs`. An article of "code" or
    "amendment" is one row in both languages, and always kept.
    Raises CourseError for an unknown name, and where the file is missing.
    """
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
    rows = read_jsonl(path)
    if langs is None:
        return rows
    langs = set(langs)
    return [row for row in rows if "lang" not in row or row["lang"] in langs]


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
