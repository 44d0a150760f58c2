"""Read and write JSONL: one object a line, and no bad line that goes unnamed."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from helpers.files import CourseError, atomic_file

Row = dict[str, Any]
BOM = b"\xef\xbb\xbf"
REASONS = {  # the reasons that Python's parser gives, for Chinese readers
    "Expecting value": "此处缺少值",
    "Expecting ',' delimiter": "此处缺少逗号",
    "Expecting ':' delimiter": "此处缺少冒号",
    "Expecting property name enclosed in double quotes": "键名要用双引号括起来",
    "Extra data": "对象结束后还有多余的内容",
    "Illegal trailing comma before end of object": "对象末尾多了逗号",
    "Invalid \\escape": "转义写法不对",
    "Invalid control character at": "字符串里有未转义的控制字符",
    "Unterminated string starting at": "字符串没有结束",
}


class Problem(NamedTuple):
    """Say what is wrong with one line of a file, and how to mend it, in both languages."""

    line: int
    en: str
    zh: str
    mend_en: str
    mend_zh: str

    def __str__(self) -> str:
        """Return the whole problem on one line."""
        en = f"line {self.line}: {self.en}. Mend: {self.mend_en}."
        return f"{en} ｜ 第 {self.line} 行：{self.zh}。改法：{self.mend_zh}。"

    def error(self, path: Path | str, more: int = 0) -> CourseError:
        """Turn the problem into an error that points at `path:line`; `more` others follow it."""
        en, zh = f"{self.en}. Mend: {self.mend_en}.", f"{self.zh}。改法：{self.mend_zh}。"
        if more:
            en, zh = f"{en} Bad rows after it: {more}.", f"{zh}后面还有 {more} 行有问题。"
        return CourseError(en=en, zh=zh, where=f"{path}:{self.line}")


def scan_jsonl(path: Path | str) -> Iterator[tuple[int, Row | Problem]]:
    """Yield (line number, row or problem) for each line that is not blank, one line in memory.

    A BOM at the start and CRLF line ends are accepted. Raises CourseError if there is no such file.
    """
    try:
        with open(path, "rb") as file:
            for number, raw in enumerate(file, 1):
                raw = raw.removeprefix(BOM) if number == 1 else raw
                if raw.strip():
                    yield number, parse_line(number, raw)
    except FileNotFoundError as error:
        en = "no such file. Mend: check the path and the folder that you started in."
        zh = "没有这个文件。改法：检查路径，以及当前所在的目录。"
        raise CourseError(en=en, zh=zh, where=str(path)) from error
    except OSError as error:
        en = f"cannot be read ({error.strerror}). Mend: give the path of a file that you may read."
        zh = f"无法读取（{error.strerror}）。改法：给出一个有读取权限的文件的路径。"
        raise CourseError(en=en, zh=zh, where=str(path)) from error


def stream_jsonl(path: Path | str) -> Iterator[Row]:
    """Yield the rows of a JSONL file one by one; raise CourseError at the first bad line."""
    for _, row in scan_jsonl(path):
        if isinstance(row, Problem):
            raise row.error(path)
        yield row


def read_jsonl(path: Path | str) -> list[Row]:
    """Return all rows of a JSONL file; raise CourseError at the first bad line."""
    return list(stream_jsonl(path))


def write_jsonl(path: Path | str, rows: Iterable[Row]) -> None:
    """Write rows as UTF-8 JSONL, whole or not at all: after any failure the old file stands.

    Raises CourseError when the disk is full or the folder may not be written to.
    """
    try:
        with atomic_file(path) as new, open(new, "w", encoding="utf-8", newline="\n") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
    except OSError as error:
        en = f"not saved ({error.strerror}). Mend: choose a folder that you may write to."
        zh = f"没有保存（{error.strerror}）。改法：换一个有写入权限的目录。"
        raise CourseError(en=en, zh=zh, where=str(path)) from error


def parse_line(number: int, raw: bytes) -> Row | Problem:
    """Return the object in one line of bytes, or what is wrong with it."""
    try:
        row = json.loads(raw.decode("utf-8").strip(), parse_constant=_refuse_constant)
        if b"\\u" in raw:  # an escaped half of a surrogate pair would break every tokenizer
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        return _not_utf8(number, raw, error.start)
    except UnicodeEncodeError:
        wrong = (
            "an escape such as \\ud83d is half a character",
            "有单独的 \\ud83d 之类的转义，只是半个字符",
        )
        mend = ("write the character itself, or both halves", "直接写出这个字符，或把两半都写上")
        return Problem(number, *wrong, *mend)
    except (ValueError, RecursionError) as error:
        return malformed(number, raw, error)
    if isinstance(row, str) and row.lstrip().startswith("{"):  # a whole object, escaped once more
        return parse_line(number, row.encode("utf-8"))
    if isinstance(row, dict):
        return row
    kind = type(row).__name__
    wrong = (f"an object is expected, found {kind}", f"这里应是一个对象，实际是 {kind}")
    mend_en = 'write {"messages": [...]} on each line, with no list around it'
    return Problem(number, *wrong, mend_en, '每行写一个 {"messages": [...]}，外面不套列表')


def _not_utf8(number: int, raw: bytes, start: int) -> Problem:
    """Name the byte of a line (counted from 1) that is not UTF-8."""
    at = f"0x{raw[start]:02x}"
    return Problem(
        number,
        f"not UTF-8: byte {start + 1} of the line is {at}",
        f"不是 UTF-8 编码：本行第 {start + 1} 个字节是 {at}",
        "save the file as UTF-8 (Chinese Windows often writes GBK: open it as gb18030)",
        "把文件另存为 UTF-8（中文 Windows 常用 GBK，可先按 gb18030 打开）",
    )


def malformed(number: int, raw: bytes, error: Exception) -> Problem:
    """Say where a line stops being JSON."""
    reason, at = getattr(error, "msg", str(error)), getattr(error, "colno", None)
    mend = "one whole object a line, in double quotes, no comma at the end"
    mend_zh = "每行一个完整的对象，用双引号，末尾不加逗号"
    if number == 1 and raw.lstrip().startswith(b"["):
        mend = "this is a JSON array; write one object a line instead"
        mend_zh = "这是 JSON 数组；请改成每行一个对象"
    en = f"not JSON: {reason}" + (f" (column {at})" if at else "")
    zh = f"不是合法的 JSON：{REASONS.get(reason, reason)}" + (f"（第 {at} 列）" if at else "")
    return Problem(number, en, zh, mend, mend_zh)


def _refuse_constant(name: str) -> None:
    """Refuse NaN and Infinity, which Python reads and other tools do not."""
    raise ValueError(f"{name} is not a JSON value")
