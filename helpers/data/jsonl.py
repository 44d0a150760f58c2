"""Read and write JSONL: one object a line, and no bad line that goes unnamed."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from helpers.base import CourseError, atomic_file

Row = dict[str, Any]
BOM = b"\xef\xbb\xbf"
MEND_UTF8 = ("save the file as UTF-8 (Chinese Windows often writes GBK: open it as gb18030)",
             "把文件另存为 UTF-8（中文 Windows 常用 GBK，可先按 gb18030 打开）")  # fmt: skip
REASONS = {  # the reasons that Python's parser gives, for Chinese readers
    "Expecting value": "此处缺少值", "Extra data": "对象结束后还有多余的内容",
    "Expecting ',' delimiter": "此处缺少逗号", "Expecting ':' delimiter": "此处缺少冒号",
    "Expecting property name enclosed in double quotes": "键名要用双引号括起来",
    "Illegal trailing comma before end of array": "数组末尾多了逗号",
    "Illegal trailing comma before end of object": "对象末尾多了逗号",
    "Invalid control character at": "字符串里有未转义的控制字符",
    "Invalid \\uXXXX escape": "\\u 后面要有四位十六进制数字", "Invalid \\escape": "转义写法不对",
    "Unterminated string starting at": "字符串没有结束",
    "nested too deeply": "嵌套太深", "an integer is too long": "整数太长",
}  # fmt: skip


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
    except OSError as error:
        en = f"cannot be read ({error.strerror}). Mend: give the path of a file that you may read."
        zh = f"无法读取（系统错误 {error.errno}）。改法：给出一个有读取权限的文件的路径。"
        if isinstance(error, FileNotFoundError):
            en = "no such file. Mend: check the path and the folder that you started in."
            zh = "没有这个文件。改法：检查路径，以及当前所在的目录。"
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
        zh = f"没有保存（系统错误 {error.errno}）。改法：换一个有写入权限的目录。"
        raise CourseError(en=en, zh=zh, where=str(path)) from error


def parse_line(number: int, raw: bytes) -> Row | Problem:
    """Return the object in one line of bytes, or what is wrong with it."""
    try:
        text = raw.decode("utf-8").rstrip()
        text = text.lstrip().rjust(len(text))  # what stands before the object counts as columns
        row = json.loads(text, parse_constant=_finite, parse_float=_finite)
        if b"\\u" in raw:  # an escaped half of a surrogate pair would break every tokenizer
            json.dumps(row, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        at, byte = error.start + 1, f"{raw[error.start]:#04x}"
        en, zh = f"byte {at} of the line is {byte}", f"本行第 {at} 个字节是 {byte}"
        return Problem(number, f"not UTF-8: {en}", f"不是 UTF-8 编码：{zh}", *MEND_UTF8)
    except UnicodeEncodeError:
        return Problem(number, "an escape such as \\ud83d is half a character",
                       "有单独的 \\ud83d 之类的转义，只是半个字符",
                       "write the character itself, or both halves",
                       "直接写出这个字符，或把两半都写上")  # fmt: skip
    except (ValueError, RecursionError) as error:
        return malformed(number, raw, error)
    if isinstance(row, str) and row.lstrip().startswith("{"):  # a whole object, escaped once more
        return parse_line(number, row.encode("utf-8"))
    if isinstance(row, dict):
        return row
    kind = type(row).__name__
    return Problem(number, f"an object is expected, found {kind}", f"应是一个对象，实际是 {kind}",
                   'write {"messages": [...]} on each line, with no list around it',
                   '每行写一个 {"messages": [...]}，外面不套列表')  # fmt: skip


def malformed(number: int, raw: bytes, error: Exception, column: int | None = None) -> Problem:
    """Say where a line stops being JSON; the error counts the columns unless one is given."""
    if len(error.args) == 4:  # from `_finite`
        return Problem(number, *error.args)
    other = "nested too deeply" if isinstance(error, RecursionError) else "an integer is too long"
    reason, at = getattr(error, "msg", other), column or getattr(error, "colno", None)
    mend = "one whole object a line, in double quotes, no comma at the end"
    mend_zh = "每行一个完整的对象，用双引号，末尾不加逗号"
    if number == 1 and raw.lstrip().startswith(b"["):
        mend = "this is a JSON array; write one object a line instead"
        mend_zh = "这是 JSON 数组；请改成每行一个对象"
    en = f"not JSON: {reason}" + (f" (column {at})" if at else "")
    zh = REASONS.get(reason, "写法不符合 JSON 的规定") + (f"（第 {at} 列）" if at else "")
    return Problem(number, en, f"不是合法的 JSON：{zh}", mend, mend_zh)


def _finite(number: str) -> float:
    """Refuse NaN, Infinity and 1e999, which Python reads and other tools do not."""
    if math.isfinite(value := float(number)):
        return value
    raise ValueError(f"{number:.20} is not a JSON value", f"{number:.20} 不是合法的 JSON 数值",
                     "write null, or the value as text", "改成 null，或加引号写成文本")  # fmt: skip
