"""What is wrong with a conversation that a model should learn; every bad one is named."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from helpers.data.jsonl import Problem, Row, Wrong

ROLES = ("system", "user", "assistant")
MEDIA = ("image", "images", "audio", "audios", "video", "videos")
CALLS = ("tool_calls", "function_call")
# what chat templates write between turns; a tokenizer reads it as control, not as text
CONTROL = re.compile(
    r"<\|[A-Za-z][\w-]*\|>|<｜[^｜<>\n]{1,40}｜>|</?(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
)
ESCAPE = re.compile(r"\\u[0-9a-fA-F]{4}")
QUOTED = re.compile(r"(['\"`])(?:\\u[0-9a-fA-F]{4})+\1")  # code that shows an escape
INVISIBLE = "\u115f\u1160\u2800\u3164\uffa0"  # letters by their class, blank on the screen


def check_messages(rows: Iterable[Row]) -> tuple[list[Row], list[Problem]]:
    """Return the good rows, and a problem for every bad one; rows count from 1."""
    good, problems = [], []
    for number, row in enumerate(rows, 1):
        if wrong := wrong_row(row):
            problems.append(Problem(number, *wrong))
        else:
            good.append(row)
    return good, problems


def require_messages(rows: Iterable[Row], path: Path | str = "rows") -> list[Row]:
    """Return the rows if all are good, else raise CourseError at the first bad one."""
    good, problems = check_messages(rows)
    if problems:
        raise problems[0].error(path, more=len(problems) - 1)
    return good


def wrong_row(row: Any) -> Wrong | None:
    """Return the first thing wrong with a row of messages, or None."""
    row = row if isinstance(row, dict) else {}
    messages = row.get("messages")
    if not isinstance(messages, list) or not messages:
        shape = '{"messages": [{"role": "user", "content": "…"}, {"role": "assistant", …}]}'
        return ('no list of messages under "messages"', '"messages" 下没有消息列表',
                f"write {shape}; to_messages converts other formats",
                f"写成 {shape}；其他格式可用 to_messages 转换")  # fmt: skip
    found = (_wrong_message(n, message) for n, message in enumerate(messages, 1))
    return (next(filter(None, found), None) or _wrong_order([m["role"] for m in messages])
            or _wrong_fields(row) or _escaped_twice(messages))  # fmt: skip


def visible(text: str) -> bool:
    """Tell whether a text shows anything: blanks and characters of no width alone do not."""
    return any(
        not c.isspace() and unicodedata.category(c) not in ("Cf", "Cc", "Mn") and c not in INVISIBLE
        for c in text
    )


def _wrong_message(n: int, message: Any) -> Wrong | None:
    """Return what is wrong with the n-th message of a row, or None."""
    message = message if isinstance(message, dict) else {}
    role, content = message.get("role"), message.get("content")
    if role == "tool" or any(message.get(key) for key in CALLS):
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
        return _no_text(n, content)
    if not visible(content) and role != "system":
        en, zh = ("answer", "回答") if role == "assistant" else ("question", "提问")
        return (f"message {n} is an empty {en}", f"第 {n} 条消息是空的{zh}",
                f"write the {en}, or leave the row out", f"补上{zh}，或去掉这一行")  # fmt: skip
    token = CONTROL.search(content)
    if token or (content.rstrip().endswith("</s>") and "<s>" not in content):
        token = token[0] if token else "</s>"
        return (f"message {n} holds {token}, a control token of chat templates",
                f"第 {n} 条消息里有对话模板的控制符 {token}",
                "write each turn as a message of its own; the template adds such tokens",
                "每一轮写成单独的一条消息，控制符由模板添加")  # fmt: skip
    return None


def _no_text(n: int, content: Any) -> Wrong:
    """Say what the content of a message is, if no text: an image, say, or nothing."""
    kind = type(content).__name__
    parts = content if isinstance(content, list) else []
    types = {part.get("type") for part in parts if isinstance(part, dict)} - {"text", None}
    if types:
        kind = ", ".join(sorted(map(str, types)))
        return (f"message {n} holds parts that are no text ({kind}), which this course does not "
                "support", f"第 {n} 条消息含有非文本内容（{kind}），本课程不支持",
                "leave the row out", "去掉这一行")  # fmt: skip
    return (f"the content of message {n} is {kind}, not text",
            f"第 {n} 条消息的内容是 {kind}，不是文本",
            "write the content as one string", "把内容写成一个字符串")  # fmt: skip


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


def _wrong_fields(row: Row) -> Wrong | None:
    """Return what else keeps a row from being learned: media, a bad mark, no answer to learn."""
    media = next((key for key in MEDIA if row.get(key)), None)
    if media:
        return (f'the row needs its "{media}", which this course does not support',
                f'这一行离不开它的 "{media}"，本课程不支持',
                "leave the row out", "去掉这一行")  # fmt: skip
    for key in ("label", "kto_tag"):
        if row.get(key) is False or str(row.get(key)).strip().lower() == "false":
            return (f'"{key}" is false: this is an example of a bad answer',
                    f'"{key}" 为 false：这是坏回答的例子',
                    "leave it out here; KTO learns from such rows",
                    "这里不用它；这种数据是给 KTO 用的")  # fmt: skip
    if all(m.get("train") is False for m in row["messages"] if m["role"] == "assistant"):
        return ("every answer is marked as not to be learned", "每条回答都标明了不参与训练",
                "set weight, loss or train of one answer", "至少让一条回答参与训练")  # fmt: skip
    return None


def _escaped_twice(messages: list[dict[str, Any]]) -> Wrong | None:
    """Name a text that is mostly \\u4f60 in letters; code that shows an escape is none."""
    for text in (message["content"] for message in messages):
        if "\\u" not in text or not text.isascii():
            continue
        bare = QUOTED.sub("", text)
        chinese = [e for e in ESCAPE.findall(bare) if "\u2e80" <= chr(int(e[2:], 16)) <= "\uffee"]
        if len(chinese) > len(re.findall(r"[A-Za-z]+", ESCAPE.sub(" ", bare))):
            return ("a text holds escapes as letters, such as \\u4f60: it was escaped twice",
                    "文本里有 \\u4f60 这样的字样：转义了两次",
                    "write the file with ensure_ascii=False, once",
                    "写文件时用 ensure_ascii=False，只编码一次")  # fmt: skip
    return None
