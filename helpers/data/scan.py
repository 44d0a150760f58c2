"""Read objects out of a file as people have them: JSONL, a JSON array, objects over many lines.

One object is in memory at a time, whatever the file's size. A bad one is named and stepped over.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from helpers.data.jsonl import Problem, Row, malformed, parse_line, scan_jsonl

HEAD = 1 << 16  # characters that tell JSONL from objects over several lines
CHUNK = 1 << 18  # characters read at once, or as many as are held, if more
LONGEST = 1 << 26  # characters of one object; a bracket that never closes must not fill memory
TAIL = 200  # a start or an error so near the end of what was read may come from the cut
TEXT = {"encoding": "utf-8-sig", "errors": "surrogateescape"}  # keeps bytes that are not UTF-8
BETWEEN = re.compile(r"[\s,\[\]]*")  # what stands between the objects of an array
# a line begins, or after a comma an object, unless its first key makes it a turn of a conversation
START = re.compile(r'\n[ \t]*(?=[][{}",])|,[ \t]*(?=\{\s*"(?!(?:role|content|from|value)"))')
DECODER = json.JSONDecoder(parse_int=str, parse_float=str)  # finds ends; `parse_line` reads


def scan_rows(path: Path | str) -> Iterator[tuple[int, Row | Problem]]:
    """Yield (line number, row or problem) for each object of a file, in JSONL or in an array.

    Accepts a BOM, CRLF, objects over several lines, and lines where a whole object stands as a
    string, escaped once more. Raises CourseError if there is no such file.
    """
    if not _spans_lines(path):
        yield from scan_jsonl(path)
        return
    with open(path, **TEXT) as file:
        yield from _objects(_Window(file))


def _spans_lines(path: Path | str) -> bool:
    """Tell whether a file begins with an array, or with an object that its line does not end."""
    head = ""
    with suppress(OSError), open(path, **TEXT) as file:  # scan_jsonl says why it cannot be read
        head = file.read(HEAD)
    text = head.strip()
    if not text.startswith("{"):
        return text.startswith("[")
    try:
        return "\n" in text[: DECODER.raw_decode(text)[1]]
    except (ValueError, RecursionError) as error:
        cut = len(head) == HEAD and _cut(error, text)  # else broken: does one follow it?
        return "\n" in text and (cut or not re.match(r'.*\n(\s*\n)?"?\{', text))


def _cut(error: Exception, text: str) -> bool:
    """Tell whether an error may only come from the end of what was read."""
    return getattr(error, "pos", 0) > len(text) - TAIL or "Unterminated" in str(error)


class _Window:
    """What is read of a file and not used up, and the place reached in it, with line and column."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0
        self.line, self.column = 1, 1
        self.indent, self.deepest = 0, 0  # of this line; of those on which objects began

    def read_on(self) -> bool:
        """Read more, and forget what stands before the place; tell whether there was more."""
        held = len(self.text) - self.at
        if more := self.file.read(max(CHUNK, held)) if held < LONGEST else "":
            self.text, self.at = self.text[self.at :] + more, 0
        return bool(more)

    def where(self, at: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a place further on in the text."""
        lines, last = self.text.count("\n", self.at, at), self.text.rfind("\n", self.at, at)
        return self.line + lines, at - last if lines else self.column + at - self.at

    def go(self, at: int) -> None:
        """Go on to a place in the text."""
        new = self.text.rfind("\n", self.at, at) + 1  # where its line begins, 0 on the same line
        if new or self.indent == self.column - 1:  # nothing but blanks so far
            blanks = BETWEEN.match(self.text, new or self.at, at)
            self.indent = blanks.end() - blanks.start() + (0 if new else self.indent)
        (self.line, self.column), self.at = self.where(at), at

    def to_object(self) -> bool:
        """Go on to what follows commas, brackets and blanks; tell whether anything does."""
        self.go(BETWEEN.match(self.text, self.at).end())
        while self.at == len(self.text) and self.read_on():
            self.go(BETWEEN.match(self.text, self.at).end())
        self.deepest = max(self.deepest, self.indent)
        return self.at < len(self.text)

    def to_next_row(self) -> None:
        """Go on from a broken object to one on a line no deeper than others, or to the end."""
        row, shallow, more = "{", True, True
        if self.line > 1 and self.indent == self.column - 1:  # nested ones may follow on its line
            row = re.compile(r'(\{\s*"[^"]*")?').match(self.text, self.at)[0]
        while more:
            more = len(self.text) - self.at > TAIL or self.read_on()
            limit = max(self.at, len(self.text) - TAIL * more)
            for found in START.finditer(self.text, self.at):
                if found.start() >= limit:
                    break
                if found[0][0] == "\n":
                    shallow, row = len(found[0]) <= self.deepest + 1, "{"
                if shallow and self.text.startswith(row, found.end()):
                    return self.go(found.end())
            self.go(limit)
        return None


def _objects(window: _Window) -> Iterator[tuple[int, Row | Problem]]:
    """Yield the objects of an open file, with the line that each begins on."""
    while window.to_object():
        end = _end(window)
        if isinstance(end, Exception):
            yield _step_over(window, end)
            continue
        text = window.text[window.at : end]
        row = parse_line(window.line, text.encode("utf-8", "surrogateescape"))
        if isinstance(row, Problem) and (half := re.search("[\udc80-\udcff]", text)):
            line, column = window.where(window.at + half.start())
            en, zh = f"not UTF-8 (column {column})", f"不是 UTF-8 编码（第 {column} 列）"
            row = row._replace(line=line, en=en, zh=zh)
        yield window.line, row
        window.go(end)


def _end(window: _Window) -> int | Exception:
    """Return where the object that begins here ends, or why it is none; read as far as it takes."""
    while True:
        try:
            return DECODER.raw_decode(window.text, window.at)[1]
        except (ValueError, RecursionError) as error:
            if not _cut(error, window.text) or not window.read_on():
                return error


def _step_over(window: _Window, error: Exception) -> tuple[int, Problem]:
    """Go on to the next row after a broken object; say what is wrong, and what is passed over."""
    line, column = window.where(getattr(error, "pos", window.at))
    problem = malformed(line, b"", error, column)
    en, zh = "the rest of the file is passed over", "后面直到文件末尾都跳过"
    window.to_next_row()
    if window.at < len(window.text):
        en = f"passed over, up to line {window.line}, column {window.column}"
        zh = f"已跳过，从第 {window.line} 行第 {window.column} 列接着读"
    return line, problem._replace(en=f"{problem.en}; {en}", zh=f"{problem.zh}；{zh}")
