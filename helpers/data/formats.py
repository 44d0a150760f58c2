"""The shapes that a row comes in (Alpaca, ShareGPT, pairs, messages), made into messages and back.

A row keeps its other fields. What goes to another format and back again is the same conversation,
or is refused. Preference pairs go one way only: a conversation has one answer.
"""

import re
from typing import Any

from helpers.base import CourseError
from helpers.data.jsonl import Decoder, Row, Wrong
from helpers.data.messages import require_messages

Messages = list[dict[str, Any]]
TALKS = ("messages", "conversations", "conversation")  # the keys of a whole conversation
QUESTIONS = ("prompt", "question", "query", "input")
ANSWERS = ("completion", "response", "answer", "output")
FORMATS = {  # the keys that tell a format: one of each group
    "messages": (("messages",),),
    "sharegpt": (TALKS[1:],),
    "preference": (("chosen",), ("rejected",)),
    "alpaca": (("instruction",), ("output", "response")),
    "prompt_completion": (QUESTIONS, ANSWERS),
}
SYSTEMS = ("system", "system_prompt", "system_message")
SPEAKERS = {  # who speaks, as files name them
    "human": "user", "user": "user", "prompter": "user", "gpt": "assistant", "ai": "assistant",
    "assistant": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "system": "system", "developer": "system", "tool": "tool", "function": "tool",
    "function_call": "tool", "function_response": "tool", "observation": "tool",
}  # fmt: skip
NAMES = {"user": "human", "assistant": "gpt", "system": "system"}
FLAGS = ("weight", "loss", "train")  # each says in some files whether an answer is learned
TRANSCRIPT = re.compile(r"\n\n(Human|Assistant):")  # Anthropic's HH-RLHF


class Refused(Exception):
    """A row that does not keep to its format; the arguments are those of a `Wrong`."""


def detect_format(row: Row) -> str | None:
    """Return the name of the format that the row's keys tell (see FORMATS), or None.

    In merged data sets a row has the keys of several: the one whose keys are filled counts.
    """
    row = _openai_pair(row)

    def filled(name: str) -> float:
        groups = FORMATS[name]
        return sum(any(not _empty(row.get(key)) for key in keys) for keys in groups) / len(groups)

    told = [name for name, groups in FORMATS.items()
            if not any(row.keys().isdisjoint(keys) for keys in groups)]  # fmt: skip
    if "preference" in told and len(told) > 1 and filled("preference") == 1:
        return "preference"
    return max(told, key=filled) if len(told) > 1 else next(iter(told), None)


def to_messages(row: Row) -> Row:
    """Return the row with its conversation under "messages", whatever format it came in.

    An answer that is not to be learned (weight 0, loss or train false) gets "train": False.
    Raises CourseError when its keys tell no format, or it does not keep to the one they tell.
    """
    found, _ = read_messages(row)
    if isinstance(found, tuple):
        raise _error(*found)
    return found


def read_messages(row: Row) -> tuple[Row | Wrong, set[tuple[str, str]]]:
    """Return the row as messages, or what is wrong with it; and what a reader should know of it."""
    notices: set[tuple[str, str]] = set()
    row = _openai_pair(row)
    try:
        talk, used = _conversation(row, notices)
    except Refused as refused:
        return refused.args, notices
    system = next((key for key in SYSTEMS if not _blank(row.get(key))), None)
    if system and talk and talk[0].get("role") != "system":
        talk.insert(0, {"role": "system", "content": _text(row[system], notices)})
    elif system and talk and talk[0]["content"] != row[system]:
        return _two_systems(system), notices
    rest = {key: value for key, value in row.items() if key not in {*used, *SYSTEMS}}
    if "messages" in rest and not _empty(rest.pop("messages")):
        return _clash(["messages"]), notices
    if not _empty(row.get("tools")):
        notices.add(("the tools offered in a row are not shown to the model",
                     "行里列出的工具（tools）不会给模型看"))  # fmt: skip
    if type(row.get("label")) is int and row["label"] == 0:
        notices.add(("a label of 0 is not read as KTO's false: write false for a bad answer",
                     "label 为 0 不当作 KTO 的 false：坏回答请写 false"))  # fmt: skip
    return {"messages": talk} | rest, notices


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
    if isinstance(data, str) and not data.strip():
        made["input"] = data
    elif isinstance(data, str) and f"\n{asked}".endswith(f"\n{data}"):
        made |= {"instruction": asked[: -len(data)].removesuffix("\n"), "input": data}
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


def _conversation(row: Row, notices: set) -> tuple[Messages, set[str]]:
    """Return the turns of a row of any format, and the keys that held them. Raises Refused."""
    name = detect_format(row)
    if name is None:
        raise Refused(*_no_format(row))
    if name in ("messages", "sharegpt"):
        key = _filled(row, TALKS if name == "messages" else TALKS[1:])
        return _turns(row[key], key, notices), {key}
    if name == "alpaca":
        asked, used = _prompt(row, ("instruction",), notices)
        answer = _filled(row, ("output", "response"))
        return [*asked, *_reply(row[answer], answer, notices)], {*used, answer}
    if name == "prompt_completion":
        asked, used = _prompt(row, QUESTIONS, notices)
        answer = _filled(row, ANSWERS)
        return [*asked, *_reply(row[answer], answer, notices)], {*used, answer}
    asked, used = _prompt(row, (*TALKS, "instruction", *QUESTIONS), notices)
    told = _reply(row["chosen"], "chosen", notices)
    whole = any(turn["role"] != "assistant" for turn in told)  # chosen begins with the prompt
    said = [turn["content"] for turn in told]
    if whole and not all(turn["content"] in said for turn in asked):
        raise Refused("chosen is a whole conversation, but not one that begins with the prompt",
                      "chosen 是一段完整的对话，却不是以 prompt 开头的",
                      "write the answer alone under chosen, or the same prompt in both",
                      "chosen 里只写回答，或让两处的 prompt 一致")  # fmt: skip
    return told if whole else asked + told, {*used, "chosen"}


def _openai_pair(row: Row) -> Row:
    """Return a preference pair as OpenAI writes it under the names of the others."""
    if not isinstance(row.get("input"), dict) or "preferred_output" not in row:
        return row
    names = {"preferred_output": "chosen", "non_preferred_output": "rejected"}
    return row["input"] | {names.get(key, key): v for key, v in row.items() if key != "input"}


def _prompt(row: Row, keys: tuple[str, ...], notices: set) -> tuple[Messages, set[str]]:
    """Return the turns before the answer: earlier ones, then the question with its input."""
    if row.keys().isdisjoint(keys):
        return [], set()
    key = _filled(row, keys)
    used, turns = {key}, []
    if key in TALKS or isinstance(_decoded(row[key]), list | dict):
        return _turns(row[key], key, notices), used
    asked, history, context = row[key], row.get("history"), row.get("context")
    data = None if key == "input" else row.get("input")
    data = context if _empty(data) and isinstance(context, str) else data
    if data is not None and not isinstance(data, str | int | float):
        raise Refused(*_shape('"input"', '"…"'))
    if history:
        used.add("history")
        pairs = history if isinstance(history, list) else [history]
        if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            raise Refused(*_shape('"history"', '[["question", "answer"], …]'))
        turns = [_turn(role, text, notices) for pair in pairs
                 for role, text in zip(("user", "assistant"), pair, strict=True)]  # fmt: skip
    parts = [part for part in (asked, data) if not _blank(part)]
    if len(parts) == 2:
        asked = f"{asked}\n{data}"
    elif parts:
        asked = parts[0]
    return [*turns, _turn("user", asked, notices)], used


def _reply(value: Any, key: str, notices: set) -> Messages:
    """Return an answer as turns: a text, one message, a list of them, or a transcript."""
    if isinstance(value, str) and TRANSCRIPT.match(value):
        _, *pieces = TRANSCRIPT.split(value)
        return [_turn(SPEAKERS[who.lower()], text.strip(), notices)
                for who, text in zip(pieces[::2], pieces[1::2], strict=True)]  # fmt: skip
    if isinstance(_decoded(value), list | dict):
        return _turns(value, key, notices)
    return [_turn("assistant", value, notices)]


def _turns(value: Any, key: str, notices: set) -> Messages:
    """Return a list of turns with role and content, whatever names they had. Raises Refused."""
    value = _decoded(value)
    value = [value] if isinstance(value, dict) else value
    shape = '[{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]'
    if key in TALKS[1:]:
        shape = '[{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]'
    if isinstance(value, str) and re.match(r"\s*\[\s*\{\s*'", value):
        raise Refused(f'"{key}" holds a list as Python prints it',
                      f'"{key}" 里是 Python 打印的列表',
                      "write it with json.dumps", "请用 json.dumps 写成 JSON")  # fmt: skip
    if not isinstance(value, list) or not value:
        raise Refused(f'no list of messages under "{key}"', f'"{key}" 下没有消息列表',
                      f'write "{key}": {shape}', f'写成 "{key}": {shape}')  # fmt: skip
    if not all(isinstance(turn, dict) for turn in value):
        raise Refused(*_shape(f'"{key}"', shape))
    read = []
    for turn in value:
        who, text = _either(turn, "role", "from"), _either(turn, "content", "value")
        if who is None:
            name = "from" if key in TALKS[1:] else "role"
            raise Refused(f'message {len(read) + 1} has no "{name}"',
                          f'第 {len(read) + 1} 条消息缺少 "{name}"',
                          f"write {shape}", f"写成 {shape}")  # fmt: skip
        role = SPEAKERS.get(who.strip().lower(), who) if isinstance(who, str) else who
        rest = _rest(turn, "role", "from", "content", "value")
        read.append(_turn(role, text, notices, rest))
    return read


def _either(turn: Row, first: str, second: str) -> Any:
    return turn[first] if turn.get(first) is not None else turn.get(second)


def _turn(role: Any, content: Any, notices: set, rest: Row | None = None) -> dict[str, Any]:
    """Return one turn; of flags that say whether an answer is learned, one "train": False stays."""
    made = {"role": role, "content": _text(content, notices)}
    made |= {key: value for key, value in (rest or {}).items() if value is not None}
    if role != "assistant":
        return made
    flags = [value for key in FLAGS if (value := made.pop(key, None)) is not None]
    if any(_no(value) for value in flags):
        made["train"] = False
    elif any(type(value) is float and value != 1 for value in flags):
        notices.add(("a weight between 0 and 1 counts as 1: the answer is learned in full",
                     "介于 0 和 1 之间的权重按 1 处理：该回答会完整学习"))  # fmt: skip
    if not _empty(made.get("reasoning_content")):
        notices.add(("reasoning_content is kept, but not trained on",
                     "reasoning_content 会保留，但不参与训练"))  # fmt: skip
    return made


def _text(content: Any, notices: set) -> Any:
    """Return a content as text where that is sure: text parts joined, a number as it is written."""
    if isinstance(content, int | float) and not isinstance(content, bool):
        notices.add(("a number is read as text", "数字按文本读取"))
        return str(content)
    if isinstance(content, list) and content:
        parts = [part.get("text") if isinstance(part, dict)
                 and str(part.get("type", "text")).endswith("text") else part
                 for part in content]  # fmt: skip
        return "\n".join(parts) if all(isinstance(part, str) for part in parts) else content
    return content


def _decoded(value: Any) -> Any:
    """Return what a text holds if it is JSON of messages, as in a cell of a table."""
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            told, _, _ = Decoder().read(value.strip())
        except (ValueError, RecursionError):
            return value
        first = told[0] if isinstance(told, list) and told else told
        return told if isinstance(first, dict) and {"role", "from"} & first.keys() else value
    return value


def _filled(row: Row, keys: tuple[str, ...]) -> str:
    """Return the first of these keys that holds something, else the first that is there."""
    there = [key for key in keys if key in row]
    return next((key for key in there if not _empty(row[key])), there[0])


def _empty(value: Any) -> bool:
    return value is None or (isinstance(value, str | list | dict) and len(value) == 0)


def _blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _no(value: Any) -> bool:
    """Tell whether a flag says no: false, 0, "false"."""
    return value in (False, 0) or str(value).strip().lower() in ("false", "no", "0", "0.0")


def _rest(fields: Row, *used: str) -> Row:
    return {key: value for key, value in fields.items() if key not in used}


def _joined(made: Row, row: Row) -> Row:
    """Return the new fields and the row's others; refuse if the way back leads elsewhere."""
    rest = _rest(row, "messages", *({"input"} & made.keys()))
    if made.keys() & rest.keys() or read_messages(made | rest)[0] != row:
        raise _error(*_clash(list(rest)))
    return made | rest


def _no_format(row: Row) -> Wrong:
    keys = ", ".join(map(str, row)) or "–"
    mends = ("name them as Alpaca, ShareGPT, prompt–completion or messages do",
             "按 Alpaca、ShareGPT、prompt–completion 或 messages 的写法命名")  # fmt: skip
    if "text" in row:
        mends = ("plain text has no question and no answer: write it as a question and its answer",
                 "纯文本里没有提问和回答，请改写成一问一答")  # fmt: skip
    if "role" in row or "from" in row:
        mends = ("this is one turn alone: put the turns of a conversation into one list",
                 "这只是一轮发言；请把同一段对话的各轮放进一个列表")  # fmt: skip
    return (f"the keys tell no known format: {keys}", f"从键名看不出是哪种格式：{keys}", *mends)


def _two_systems(key: str) -> Wrong:
    return (f'the system text under "{key}" is not the one in the conversation',
            f'"{key}" 里的系统提示与对话里的不一致',
            "keep one of the two", "两者只留一个")  # fmt: skip


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
