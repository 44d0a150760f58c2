"""Write a row of one format in another: Alpaca, ShareGPT, prompt–completion, messages.

A row keeps its other fields, and nothing is lost: what goes to another format and back again is the
same conversation, or is refused. Preference pairs go one way only: a conversation has one answer.
"""

from typing import Any

from helpers.base import CourseError
from helpers.data.jsonl import Row
from helpers.data.messages import Wrong, detect_format, require_messages

SPEAKERS = {  # who speaks, as ShareGPT files name them
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
    "chatgpt": "assistant", "bot": "assistant", "system": "system", "tool": "tool",
    "function_call": "tool", "observation": "tool", "function_response": "tool",
}  # fmt: skip
NAMES = {"user": "human", "assistant": "gpt", "system": "system"}
Messages = list[dict[str, Any]]
Read = tuple[Messages | Wrong, set[str]]  # the conversation, the fields that held it


def to_messages(row: Row) -> Row:
    """Return the row with its conversation under "messages", whatever format it came in.

    Raises CourseError when its keys tell no format, or it does not keep to the one they tell.
    """
    found = read_messages(row)
    if isinstance(found, tuple):
        raise _error(*found)
    return found


def read_messages(row: Row) -> Row | Wrong:
    """Return the row as messages, or what is wrong with it: reason and mend, in two languages."""
    name = detect_format(row)
    if name == "messages":
        return row
    if name is None:
        keys = ", ".join(map(str, row)) or "–"
        return (f"the keys tell no known format: {keys}", f"从键名看不出是哪种格式：{keys}",
                "name them as Alpaca, ShareGPT, prompt–completion or messages do",
                "按 Alpaca、ShareGPT、prompt–completion 或 messages 的写法命名")  # fmt: skip
    found, used = {"alpaca": _alpaca, "sharegpt": _sharegpt}.get(name, _pair)(row)
    rest = {key: value for key, value in row.items() if key not in used}
    if not isinstance(found, list):
        return found
    return _clash(["messages"]) if "messages" in rest else {"messages": found} | rest


def to_alpaca(row: Row) -> Row:
    """Return the row as Alpaca: instruction, input, output; a system text; turns before: "history".

    A row that came from Alpaca kept its "input", which tells where to cut the question in two.
    Raises CourseError when the row is not good, or something in it has no place in Alpaca.
    """
    row = require_messages([to_messages(row)])[0]
    turns, made = list(row["messages"]), {}
    if turns[0]["role"] == "system":
        made["system"] = turns.pop(0)["content"]
    *earlier, asked, answered = (turn["content"] for turn in turns)
    made |= {"instruction": asked, "output": answered}
    data = row.get("input")
    if isinstance(data, str) and asked.endswith(f"\n{data}" if data else ""):
        made |= {"instruction": asked[: len(asked) - len(data) - bool(data)], "input": data}
    if earlier:
        made["history"] = [earlier[i : i + 2] for i in range(0, len(earlier), 2)]
    return _joined(made, row)


def to_sharegpt(row: Row) -> Row:
    """Return the row as ShareGPT: "conversations" of {"from", "value"}. Raises CourseError."""
    row = require_messages([to_messages(row)])[0]
    said = [{"from": NAMES[turn["role"]], "value": turn["content"]}
            | _rest(turn, "role", "content") for turn in row["messages"]]  # fmt: skip
    return _joined({"conversations": said}, row)


def to_prompt_completion(row: Row) -> Row:
    """Return the row as TRL's prompt (all but the last answer) and completion."""
    row = require_messages([to_messages(row)])[0]
    return _joined({"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}, row)


def _alpaca(row: Row) -> Read:
    """Read instruction and input as one question, the output as its answer."""
    asked, data, history = row["instruction"], row.get("input") or "", row.get("history") or []
    turns = [] if row.get("system") is None else [("system", row["system"])]  # null: there is none
    used = {"instruction", "output", *dict(turns)} | ({"history"} if history else set())
    if not isinstance(data, str) or (data and not isinstance(asked, str)):
        return _shape('"input"', '"…"'), used
    history = history if isinstance(history, list) else [history]
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in history):
        return _shape('"history"', '[["question", "answer"], …]'), used
    turns += [turn for asked, told in history for turn in (("user", asked), ("assistant", told))]
    turns += [("user", f"{asked}\n{data}" if data else asked), ("assistant", row["output"])]
    return [{"role": role, "content": text} for role, text in turns], used


def _sharegpt(row: Row) -> Read:
    """Read turns of {"from", "value"}, or of {"role", "content"} as some files have them."""
    turns, used, read = row["conversations"], {"conversations"}, []
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        return _shape('"conversations"', '[{"from": "human", "value": "…"}, …]'), used
    for turn in turns:
        who, text = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
        role = SPEAKERS.get(who, who) if isinstance(who, str) else who
        rest = _rest(turn, "from", "value", "role", "content")
        read.append({"role": role, "content": text} | rest)
    if row.get("system") and [turn["role"] for turn in read[:1]] != ["system"]:
        read, used = [{"role": "system", "content": row["system"]}, *read], used | {"system"}
    return read, used


def _pair(row: Row) -> Read:
    """Read a prompt and its completion (of two answers the chosen), texts or lists of messages."""
    answer = "chosen" if detect_format(row) == "preference" else "completion"
    read: Messages = []
    for key, role in (("prompt", "user"), (answer, "assistant")):
        part = row.get(key, [])
        read += part if isinstance(part, list) else [{"role": role, "content": part}]
    return read, {"prompt", answer}


def _rest(fields: Row, *used: str) -> Row:
    return {key: value for key, value in fields.items() if key not in used}


def _joined(made: Row, row: Row) -> Row:
    """Return the new fields and the row's others; refuse if the way back leads elsewhere."""
    rest = _rest(row, "messages", *({"input"} & made.keys()))
    if made.keys() & rest.keys() or read_messages(made | rest) != row:
        raise _error(*_clash(list(rest)))
    return made | rest


def _clash(fields: list[str]) -> Wrong:
    names = ", ".join(fields) or "messages"
    return (f"something beside the conversation would be lost or read as part of it: {names}",
            f"对话之外的字段会丢失，或被当成对话的一部分：{names}",
            "rename or drop that field first", "请先改名或删去那个字段")  # fmt: skip


def _shape(name: str, shape: str) -> Wrong:
    return (f"{name} is not of the shape {shape}", f"{name} 的形式不是 {shape}",
            f"write {shape}", f"写成 {shape}")  # fmt: skip


def _error(en: str, zh: str, mend_en: str, mend_zh: str) -> CourseError:
    return CourseError(en=f"{en}. Mend: {mend_en}.", zh=f"{zh}。改法：{mend_zh}。")
