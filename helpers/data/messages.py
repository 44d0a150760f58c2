"""Check rows of messages; every bad line is named with its reason and its mend."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.data.jsonl import Problem, Row, scan_jsonl

# the keys that tell a format; notebook 03 converts the others to messages
FORMATS = {
    "messages": ("messages",),
    "sharegpt": ("conversations",),
    "preference": ("chosen", "rejected"),
    "prompt_completion": ("prompt", "completion"),
    "alpaca": ("instruction", "output"),
}
ROLES = ("system", "user", "assistant")
Wrong = tuple[str, str, str, str]  # reason in English and Chinese, mend in English and Chinese


def detect_format(row: Row) -> str | None:
    """Return the name of the format that the row's keys tell (see FORMATS), or None."""
    return next((name for name, keys in FORMATS.items() if set(keys) <= row.keys()), None)


def check_file(path: Path | str) -> tuple[list[Row], list[Problem]]:
    """Return the good rows of a JSONL file of messages, and a problem for every bad line."""
    return _check(scan_jsonl(path))


def check_messages(rows: Iterable[Row]) -> tuple[list[Row], list[Problem]]:
    """Return the good rows, and a problem for every bad one; rows count from 1."""
    return _check(enumerate(rows, 1))


def require_messages(rows: Iterable[Row], path: Path | str = "rows") -> list[Row]:
    """Return the rows if all are good, else raise CourseError at the first bad one."""
    good, problems = check_messages(rows)
    if problems:
        raise problems[0].error(path, more=len(problems) - 1)
    return good


def _check(numbered: Iterable[tuple[int, Row | Problem]]) -> tuple[list[Row], list[Problem]]:
    good, problems = [], []
    for number, row in numbered:
        if isinstance(row, Problem):
            problems.append(row)
        elif wrong := _wrong_row(row):
            problems.append(Problem(number, *wrong))
        else:
            good.append(row)
    return good, problems


def _wrong_row(row: Any) -> Wrong | None:
    """Return the first thing wrong with a row, or None."""
    row = row if isinstance(row, dict) else {}
    messages, found = row.get("messages"), detect_format(row)
    if isinstance(messages, list) and messages:
        broken = (_wrong_message(n, message) for n, message in enumerate(messages, 1))
        return next(filter(None, broken), None) or _wrong_order([m["role"] for m in messages])
    if found not in (None, "messages"):
        return (f"this row is in the {found} format", f"这一行是 {found} 格式",
                "convert it to messages (notebook 03 shows how)",
                "先转换成 messages 格式（做法见 03 号 notebook）")  # fmt: skip
    shape = (
        '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}'
    )
    return ('no list of messages under "messages"', '"messages" 下没有消息列表',
            f"write {shape}", f"写成 {shape}")  # fmt: skip


def _wrong_message(n: int, message: Any) -> Wrong | None:
    """Return what is wrong with the n-th message of a row, or None."""
    message = message if isinstance(message, dict) else {}
    role, content = message.get("role"), message.get("content")
    if role == "tool" or message.get("tool_calls"):
        return (f"message {n} calls or answers a tool, which this course does not support",
                f"第 {n} 条消息涉及工具调用，本课程不支持",
                "leave the row out, or write the call as plain text",
                "去掉这一行，或把调用写成普通文本")  # fmt: skip
    for key in ("role", "content"):
        if key not in message:
            return (f'message {n} has no "{key}"', f'第 {n} 条消息缺少 "{key}"',
                    'give each message a "role" and a "content"',
                    '每条消息都要有 "role" 和 "content"')  # fmt: skip
    if role not in ROLES:
        return (f"message {n} has the unknown role {role!r}",
                f"第 {n} 条消息的角色 {role!r} 不在约定之内",
                f"use one of {', '.join(ROLES)}",
                f"只用 {'、'.join(ROLES)} 这三种角色")  # fmt: skip
    if not isinstance(content, str):
        kind = type(content).__name__
        return (f"the content of message {n} is {kind}, not text",
                f"第 {n} 条消息的内容是 {kind}，不是文本",
                "write the content as one string", "把内容写成一个字符串")  # fmt: skip
    if not content.strip() and role != "system":
        en, zh = ("answer", "回答") if role == "assistant" else ("question", "提问")
        return (f"message {n} is an empty {en}", f"第 {n} 条消息是空的{zh}",
                f"write the {en}, or leave the row out", f"补上{zh}，或去掉这一行")  # fmt: skip
    return None


def _wrong_order(roles: list[str]) -> Wrong | None:
    """Return what is wrong unless roles run (system,) user, assistant, user, assistant …"""
    turns = roles[1:] if roles[0] == "system" else roles
    if turns and turns == ["user", "assistant"] * (len(turns) // 2):
        return None
    order = " → ".join(roles)
    return (f"wrong order of roles: {order}", f"角色顺序不对：{order}",
            "a system message at most once and first, then user and assistant in turn, "
            "the assistant last",
            "开头最多一条 system，然后 user 与 assistant 交替，以 assistant 结尾")  # fmt: skip
