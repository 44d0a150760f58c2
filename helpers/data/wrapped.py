"""Rows inside a value: wrapped in an object, by columns, or a bare list of turns."""

from typing import Any

from helpers.data.formats import FORMATS, TALKS, detect_format
from helpers.data.jsonl import Row, Wrong

TURNS = ({"role", "content"}, {"role", "tool_calls"}, {"from", "value"})  # the keys of a turn
DEEPEST = 4  # objects within objects in which rows are looked for


def is_turn(value: Any) -> bool:
    """Tell whether a value is one turn of a conversation."""
    if not isinstance(value, dict) or detect_format(value):
        return False
    return any(keys <= value.keys() for keys in TURNS)


def is_row(value: Any) -> bool:
    """Tell whether a value is a row of a known format, or a list of turns."""
    if isinstance(value, list):
        dicts = all(isinstance(turn, dict) and not detect_format(turn) for turn in value)
        return dicts and any(map(is_turn, value))
    return isinstance(value, dict) and detect_format(value) is not None


def opened(value: Row | list, depth: int = 0) -> tuple[list[str], list[Row | Wrong]]:
    """Return the rows that a value holds, and the keys that lead to their list; itself, if none."""
    if isinstance(value, list) and is_row(value):
        return [], [{"messages": value}]
    if isinstance(value, list) and depth < DEEPEST:
        return [], [row for inner in value for row in opened(inner, depth + 1)[1]]
    if not isinstance(value, dict):
        return [], [no_object(str(value))]
    if depth == DEEPEST:
        return [], [value]
    known = detect_format(value)
    keys = [key for key in value if key in TALKS or not known]
    holding = [key for key in keys if _holds_rows(value[key], alone=len(value) == 1)]
    if len(holding) > 1:
        return [], [_several(holding)]
    if holding:
        return holding, [row for inner in value[holding[0]]
                         for row in opened(inner, depth + 1)[1]]  # fmt: skip
    if known:
        return [], _columns(value, known) or [value]
    talks = [key for key, item in value.items() if isinstance(item, list) and is_row(item)]
    if len(talks) == 1:
        return [], [{"messages" if key == talks[0] else key: v for key, v in value.items()}]
    if talks:
        return [], [{"messages": value[key]} for key in talks]
    inner = {key: item for key, item in value.items() if isinstance(item, dict)}
    if rows := [item for item in inner.values() if is_row(item)]:
        return [], rows
    for key, item in inner.items():
        path, rows = opened(item, depth + 1)
        if path:
            return [key, *path], rows
    return [], [value]


def _holds_rows(value: Any, alone: bool) -> bool:
    """Tell whether a value is a list of rows; of rows of no known format if it stands alone."""
    if not isinstance(value, list) or is_row(value):
        return False
    items = [item for item in value[:20] if isinstance(item, dict | list)]
    inner = [v for item in items if isinstance(item, dict) for v in item.values()]
    known = any(is_row(item) for item in [*items, *(v for v in inner if isinstance(v, dict))])
    speaks = any(isinstance(item, dict) and "role" in item for item in items)
    return known or (alone and bool(items) and not speaks)


def _columns(value: Row, known: str) -> list[Row | Wrong]:
    """Return the rows of an object that holds a table by columns, else nothing."""
    keys = {key for keys in FORMATS[known] for key in keys if key in value}
    table = {key: list(cells.values()) if isinstance(cells, dict) else cells
             for key, cells in value.items()
             if isinstance(cells, list | dict) and not is_turn(cells)}  # fmt: skip
    if not keys:
        return []
    for key in keys:
        cells = table.get(key) or [{}]
        kind = list if key in TALKS else str | int | float | None
        if not all(isinstance(cell, kind) for cell in cells):
            return []
    if len({len(table[key]) for key in keys}) > 1:
        return [("the columns are of different lengths", "各列的长度不同",
                 "write one object for each row", "每行写一个对象")]  # fmt: skip
    count = len(table[min(keys)])
    table = {key: cells for key, cells in table.items() if len(cells) == count}
    return [dict(zip(table, cells, strict=True)) for cells in zip(*table.values(), strict=True)]


def no_object(text: str) -> Wrong:
    """Say that a text is no JSON object, with its first words."""
    lines = [line.strip() for line in text.splitlines() if any(map(str.isalnum, line))]
    shown = lines[0][:40] if lines else text[:40]
    return (f"this is no JSON object: {shown}", f"这不是 JSON 对象：{shown}",
            "write the row as one object, or delete this text",
            "把这一行写成一个对象，或删去这段文字")  # fmt: skip


def _several(keys: list[str]) -> Wrong:
    names = ", ".join(keys)
    return (f"several lists of rows stand here: {names}", f"这里有好几个数据列表：{names}",
            "save the one to be learned in a file of its own",
            "把要学的那一个单独存成一个文件")  # fmt: skip
