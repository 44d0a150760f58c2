"""The course's own files: JSONL, one object a line, and no bad line that goes unnamed."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from helpers.base import CourseError, atomic_file

Row = dict[str, Any]
Wrong = tuple[str, str, str, str]  # what is wrong in English and Chinese, the mend in both
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
    "Unterminated string starting at": "字符串没有结束", "nested too deeply": "嵌套太深",
}  # fmt: skip
# what stands where the parser stopped, and how to mend it; the first that fits counts
MENDS = [
    (r"\t", "write the tab in a text as \\t", "把文本里的制表符写成 \\t"),
    (r"\r?\n", "write the line break in a text as \\n, or close the quotes",
     "把文本里的换行写成 \\n，或补上右引号"),
    (r"'|(None|True|False)\b",
     "this is how Python prints an object; write it with json.dumps, which gives JSON",
     "这是 Python 打印对象的写法；请用 json.dumps 写成 JSON"),
    (r"//|/\*|#", "JSON has no comments: delete them", "JSON 没有注释，请删去"),
    (r"[]}]", "delete the comma before the closing bracket", "删去右括号前多余的逗号"),
    (r"[“”]", 'write straight quotes, "', '改用英文直引号 "'),
    (r"$", "complete the object, or leave it out", "把对象补全，或去掉这一行"),
]  # fmt: skip


class Problem(NamedTuple):
    """Say what is wrong with one row of a file, and how to mend it, in both languages.

    `row` counts the rows of the file from 1; `part` is a file in an archive, or a sheet.
    """

    line: int | None
    en: str
    zh: str
    mend_en: str
    mend_zh: str
    row: int | None = None
    part: str | None = None

    def __str__(self) -> str:
        """Return the whole problem on one line."""
        en, zh = self.place()
        en = f"{en}: {self.en}" if en else self.en
        zh = f"{zh}：{self.zh}" if zh else self.zh
        return f"{en}. Mend: {self.mend_en}. ｜ {zh}。改法：{self.mend_zh}。"

    def place(self) -> tuple[str, str]:
        """Return where the row stands; its number is told where the line does not say it."""
        en, zh = ([self.part], [self.part]) if self.part else ([], [])
        if self.line is not None:
            en, zh = [*en, f"line {self.line}"], [*zh, f"第 {self.line} 行"]
        if self.row is not None and self.row != self.line:
            en, zh = [*en, f"row {self.row}"], [*zh, f"第 {self.row} 条"]
        return ", ".join(en), "，".join(zh)

    def error(self, path: Path | str, more: int = 0) -> CourseError:
        """Turn the problem into an error that points at `path:line`; `more` others follow it."""
        en, zh = f"{self.en}. Mend: {self.mend_en}.", f"{self.zh}。改法：{self.mend_zh}。"
        if more:
            en, zh = f"{en} Bad rows after it: {more}.", f"{zh}后面还有 {more} 行有问题。"
        return CourseError(en=en, zh=zh, where=f"{path}:{self.line}")


class Decoder(json.JSONDecoder):
    """A JSON decoder that also sees what Python reads without a word and no file should hold."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=self._object, parse_constant=self._number,
                         parse_float=self._number, parse_int=self._integer)  # fmt: skip
        self.wrong: Wrong | None = None

    def read(self, text: str, at: int = 0) -> tuple[Any, int, Wrong | None]:
        """Return the value that begins at a place, where it ends, and what is wrong inside it.

        Raises ValueError or RecursionError where the text is no JSON.
        """
        self.wrong = None
        value, end = self.raw_decode(text, at)
        if self.wrong is None and text.find("\\u", at, end) >= 0:
            try:  # half of a surrogate pair would break every tokenizer
                json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass").decode()
            except UnicodeDecodeError:
                self.wrong = ("an escape such as \\ud83d is half a character",
                              "有单独的 \\ud83d 之类的转义，只是半个字符",
                              "write the character itself, or both halves",
                              "直接写出这个字符，或把两半都写上")  # fmt: skip
        return value, end, self.wrong

    def _object(self, pairs: list[tuple[str, Any]]) -> Row:
        made = dict(pairs)
        if len(made) < len(pairs):
            keys = [key for key, _ in pairs]
            key = next(key for key in keys if keys.count(key) > 1)
            self.wrong = (f'the key "{key}" stands twice in one object',
                          f'同一个对象里有两个 "{key}"',
                          "keep one of them, or rename the other",
                          "只留一个，或给另一个改名")  # fmt: skip
        return made

    def _number(self, number: str) -> float | None:
        """Refuse NaN, Infinity and 1e999, which Python reads and other tools do not."""
        if math.isfinite(value := float(number)):
            return value
        self.wrong = (f"{number:.20} is not a JSON value",
                      f"{number:.20} 不是合法的 JSON 数值",
                      "write null, or the value as text",
                      "改成 null，或加引号写成文本")  # fmt: skip
        return None

    def _integer(self, number: str) -> int | None:
        if len(number) < 4300:  # the longest that Python reads
            return int(number)
        self.wrong = ("an integer is too long", "整数太长",
                      "write it as text, in quotes", "加引号写成文本")  # fmt: skip
        return None


def scan_jsonl(path: Path | str) -> Iterator[tuple[int, Row | Problem]]:
    """Yield (line number, row or problem) for each line that is not blank, one line in memory.

    A BOM at the start and CRLF line ends are accepted. Raises CourseError if there is no such file.
    """
    decoder = Decoder()
    try:
        with open(path, "rb") as file:
            for number, raw in enumerate(file, 1):
                raw = raw.removeprefix(BOM) if number == 1 else raw
                if raw.strip():
                    yield number, parse_line(number, raw, decoder)
    except OSError as error:
        raise unreadable(path, error) from error


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


def unreadable(path: Path | str, error: OSError) -> CourseError:
    """Return the error for a file that the system does not open."""
    en = f"cannot be read ({error.strerror}). Mend: give the path of a file that you may read."
    zh = f"无法读取（系统错误 {error.errno}）。改法：给出一个有读取权限的文件的路径。"
    if isinstance(error, FileNotFoundError):
        en = "no such file. Mend: check the path and the folder that you started in."
        zh = "没有这个文件。改法：检查路径，以及当前所在的目录。"
    return CourseError(en=en, zh=zh, where=str(path))


def parse_line(number: int, raw: bytes, decoder: Decoder) -> Row | Problem:
    """Return the object in one line of bytes, or what is wrong with it."""
    try:
        text = raw.decode("utf-8").rstrip()
        row, end, wrong = decoder.read(text, len(text) - len(text.lstrip()))
        if end < len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except UnicodeDecodeError as error:
        at, byte = error.start + 1, f"{raw[error.start]:#04x}"
        en, zh = f"byte {at} of the line is {byte}", f"本行第 {at} 个字节是 {byte}"
        return Problem(number, f"not UTF-8: {en}", f"不是 UTF-8 编码：{zh}", *MEND_UTF8)
    except (ValueError, RecursionError) as error:
        if text.startswith("["):
            return Problem(number, "this is a JSON array", "这是 JSON 数组",
                           "write one object a line instead", "请改成每行一个对象")  # fmt: skip
        at = getattr(error, "pos", 0)
        return Problem(number, *malformed(error, at + 1, text[:at], text[at : at + 6]))
    if wrong:
        return Problem(number, *wrong)
    if isinstance(row, dict):
        return row
    kind = type(row).__name__
    return Problem(number, f"an object is expected, found {kind}", f"应是一个对象，实际是 {kind}",
                   'write {"messages": [...]} on each line, with no list around it',
                   '每行写一个 {"messages": [...]}，外面不套列表')  # fmt: skip


def malformed(error: Exception, column: int | None, read: str, follows: str) -> Wrong:
    """Say where an object stops being JSON, and how to mend it.

    `column` is that of the place in its line, `read` what stands before it, `follows` what after.
    """
    reason, missing = getattr(error, "msg", "nested too deeply"), read.rstrip().endswith(":")
    mends = ("one whole object a line, in double quotes, no comma at the end",
             "每行一个完整的对象，用双引号，末尾不加逗号")  # fmt: skip
    if reason.startswith("Expecting ','"):  # the usual cause: "He said "hello" to me"
        mends = ('put the comma, or write a quote inside a text as \\"',
                 '补上逗号；文本里的引号要写成 \\"')  # fmt: skip
    if reason.startswith("Unterminated"):
        mends = MENDS[-1][1:]
    elif missing and re.match(r"[]},\n]", follows):
        mends = ("write the value that is missing, or null", "补上缺少的值，或写 null")
    elif not reason.startswith(("Extra", "nested", "Invalid \\")):
        mends = next((mend for sign, *mend in MENDS if re.match(sign, follows)), mends)
    en = f"not JSON: {reason}" + (f" (column {column})" if column else "")
    zh = REASONS.get(reason, "写法不符合 JSON 的规定") + (f"（第 {column} 列）" if column else "")
    return (en, f"不是合法的 JSON：{zh}", *mends)
