"""Find the rows in JSON of any shape: lines, arrays, glued, indented, wrapped; broken in places.

`json.JSONDecoder.raw_decode` reads each object where it begins, on whatever lines it stands, out of
a window on the file: memory stays constant. After a broken one, reading goes on at the next place
where a row begins. What stands between rows (commas, brackets, a BOM, a text) is passed over.
"""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NamedTuple, TextIO

from helpers.data.formats import FORMATS
from helpers.data.jsonl import MEND_UTF8, MENDS, Decoder, Problem, Row, Wrong, malformed
from helpers.data.wrapped import is_row, is_turn, no_object, opened

CHUNK = 1 << 18  # characters read at once, or as many as are held, if more
LONGEST = 1 << 24  # characters of one object; a bracket that never closes must not fill memory
TAIL = 64  # an error so near the end of what was read may come from the cut
BLANK = r"\s\ufeff\u200b-\u200f\u2060\x00"  # a BOM and characters of no width count as blanks
BETWEEN = re.compile(rf"[{BLANK},;\]}}]*")  # what stands between rows
BEGINS = re.compile(rf'\[(?=[{BLANK}]*\{{)|\{{|"(?=[\[{{])')  # what a row may begin with
OUTSET = re.compile(rf"[{BLANK},\[\]]*")  # what may stand before a row on its line
TURN_KEYS = ("role", "from", "content", "value", "type", "text")
# the beginning of an object, even of a broken one, but of a turn
QUOTED_KEY = re.compile(rf"\{{\s*[\"'“](?!(?:{'|'.join(TURN_KEYS)})\b)")
METADATA = re.compile(r'"([^"\n]*)"\s*:')  # stands beside the rows of a wrapper
WRAPPER = re.compile(r'"[^"\n]*"\s*:\s*\[\s*\Z')  # stands before the first of them
NESTED = re.compile(r"[\"']\s*:?\s*\Z")  # stands before a value inside an object
COLON = re.compile(r":\s*\Z")
BAD_BYTE = re.compile("[\udc80-\udcff]")  # how Python keeps bytes that are not UTF-8
ROW_KEYS = {key for groups in FORMATS.values() for keys in groups for key in keys} | {"history"}


class Found(NamedTuple):
    """A row and where it stands: its line in a text, its number, its file in an archive."""

    row: Row
    line: int | None
    number: int
    part: str | None = None


class Notice(NamedTuple):
    """Something that a reader should know of a file, in both languages."""

    en: str
    zh: str


Item = Found | Problem | Notice


class Window:
    """What is read of a text and not used up, and the place reached in it, with line and column."""

    def __init__(self, file: TextIO) -> None:
        self.file, self.text, self.at = file, "", 0
        self.line, self.column, self.passed = 1, 1, 0
        self.decoder = Decoder()

    def more(self) -> bool:
        """Read on, and forget what stands before the place; tell whether there was more."""
        held = len(self.text) - self.at
        new = self.file.read(max(CHUNK, held)) if held < LONGEST else ""
        if new:
            self.text, self.at = self.text[self.at :] + new, 0
        return bool(new)

    def where(self, ahead: int) -> tuple[int, int]:
        """Return line and column, both from 1, of a place so many characters ahead."""
        at, end = self.at, self.at + ahead
        lines, last = self.text.count("\n", at, end), self.text.rfind("\n", at, end)
        return self.line + lines, end - last if lines else self.column + ahead

    def go(self, ahead: int) -> None:
        """Go on by so many characters."""
        (self.line, self.column), self.at = self.where(ahead), self.at + ahead
        self.passed += ahead

    def peek(self) -> str:
        """Return what stands next, enough to show or to tell a key by."""
        while len(self.text) - self.at < 200 and self.more():
            pass
        return self.text[self.at : self.at + 200]

    def to_begin(self) -> bool:
        """Go on to what follows commas, brackets and blanks; tell whether anything does."""
        while True:
            self.go(BETWEEN.match(self.text, self.at).end() - self.at)
            if self.at < len(self.text):
                if self.text[self.at] != "[" or self.turns_follow():
                    return True
                self.go(1)
            elif not self.more():
                return False

    def turns_follow(self) -> bool:
        """Tell whether the bracket at this place opens a conversation, not a list of rows."""
        found = re.compile(rf"\[[{BLANK}]*(?=\{{)").match(self.text, self.at)
        if not found:
            return False
        try:
            return is_turn(self.decode(found.end() - self.at)[0])
        except (ValueError, RecursionError):
            return False

    def decode(self, ahead: int = 0) -> tuple[Any, int, Wrong | None]:
        """Return the value so many characters ahead, how far on it ends, what is wrong inside it.

        Reads on as far as that takes. Raises ValueError or RecursionError where it is no JSON.
        """
        while True:
            try:
                value, end, wrong = self.decoder.read(self.text, self.at + ahead)
                return value, end - self.at, wrong
            except (ValueError, RecursionError) as error:
                at, reason = getattr(error, "pos", 0), getattr(error, "msg", "")
                cut = at > len(self.text) - TAIL or reason.startswith("Unterminated")
                if not cut or not self.more():
                    raise

    def to_next_row(self, deepest: float = math.inf, known: bool = False) -> str:
        """Go on to the next place where a row begins; return what stands before it ("": the end).

        That is an object of a known format, or a list of turns; unless `known`, also any object
        but a turn, even a broken one, that begins its line no deeper than column `deepest`.
        """
        ahead = 1
        while True:
            if ahead > LONGEST // 2:  # keep the window small: start anew on this line
                kept = self.text.rfind("\n", self.at, self.at + ahead) + 1
                step = kept - self.at if kept else ahead - 1000
                self.go(step)
                ahead -= step
            found = BEGINS.search(self.text, self.at + ahead)
            if not found:
                ahead = max(ahead, len(self.text) - self.at - TAIL)
                if self.more():
                    continue
                self.go(len(self.text) - self.at)
                return ""
            ahead, before = found.start() - self.at, self._before(found.start())
            line = before[before.rfind("\n") + 1 :]
            begins = self._begins_line(before) and OUTSET.fullmatch(line)
            free = begins and not known and len(line) < deepest
            try:
                value, end, _ = self.decode(ahead)
                text = isinstance(value, str) and begins
                value = _unescaped(value) if text else value
            except (ValueError, RecursionError):
                if free and QUOTED_KEY.match(self.text, self.at + ahead):
                    break
                ahead += 1
                continue
            value_of_key = NESTED.search(before) or (deepest < math.inf and COLON.search(before))
            nested = value_of_key and not begins
            part = is_turn(value) or (isinstance(value, dict) and value.keys() <= set(TURN_KEYS))
            row = is_row(value) or (free and isinstance(value, dict) and not part)
            if (row and not nested) or (text and isinstance(value, list)):
                break
            ahead = end if part else ahead + 1
        self.go(ahead)
        return before or "\n"

    def _before(self, at: int) -> str:
        return self.text[max(self.at, at - 1000) : at]

    def _begins_line(self, before: str) -> bool:
        """Tell whether the start of the line is in sight."""
        return "\n" in before or (self.column == 1 and len(before) < 1000)


def find_rows(file: TextIO) -> Iterator[Item]:
    """Yield the rows of an open text with their places, and problems and notices between them.

    Line ends must come as "\\n", and bytes that cannot be read as surrogates.
    """
    window, number, wrapped = Window(file), 0, False
    while window.to_begin():
        line, first = window.line, window.text[window.at]
        try:
            value, end, wrong = window.decode()
        except (ValueError, RecursionError) as error:
            value = error
        value = _unescaped(value)
        if isinstance(value, Exception) and first in "{[":
            problem = _step_over(window, value)
            wrapped = wrapped or problem is None
            number += problem is not None
            yield problem._replace(row=number) if problem else WRAPPED
        elif isinstance(value, Exception) or not isinstance(value, dict | list):
            shown = window.peek()
            key = METADATA.match(shown)
            before = window.to_next_row(known=bool(key))  # the inside of an object without a head
            beside = wrapped and key and key[1] not in {*ROW_KEYS, *TURN_KEYS}
            beside = beside and (not before or before.rstrip().endswith("["))
            shown = shown[: len(before) or None]
            if not beside and any(map(str.isalnum, shown)):
                yield Problem(line, *no_object(shown))
        else:
            path, rows = opened(value)
            if path and first != '"' and _step_in(window, path):
                wrapped = True
                yield WRAPPED
                continue
            if isinstance(value, dict) and rows and rows[0] is not value:
                yield WRAPPED
            spoilt = _spoilt(window, end, wrong)
            window.go(end)
            for row in [spoilt] if spoilt else rows:
                number += 1
                yield (Found(row, line, number) if isinstance(row, dict)
                       else row._replace(row=number) if isinstance(row, Problem)
                       else Problem(line, *row, number))  # fmt: skip


WRAPPED = Notice("the rows stand inside an object, and are read from there",
                 "数据行包在一个对象里，已从中读取")  # fmt: skip


def _unescaped(value: Any) -> Any:
    """Return the object that a text is, escaped once more; else the value."""
    if not isinstance(value, str) or value.lstrip()[:1] not in ("{", "["):
        return value
    try:
        told, _, wrong = Decoder().read(value.strip())
        return value if wrong else told
    except (ValueError, RecursionError):
        return value


def _step_in(window: Window, path: list[str]) -> bool:
    """Go to the list under these keys of the object that begins here; tell whether it is found."""
    at = window.at
    for key in path:
        written = re.escape(json.dumps(key, ensure_ascii=False))
        found = re.compile(rf"{written}\s*:\s*").search(window.text, at)
        if not found:
            return False
        at = found.end()
    window.go(at - window.at)
    return True


def _step_over(window: Window, error: Exception) -> Problem | None:
    """Go on to the next row after a broken object; return what is wrong, None if it only wraps."""
    at = getattr(error, "pos", window.at)
    read, broken = window.text[window.at : at], window.passed + at - window.at
    if "\n" in read[len(read.rstrip()) :] and window.text[at : at + 1] in '"{[':
        # what is missing is missing at the end of an earlier line
        read = read.rstrip()
    line, column = window.where(len(read))
    follows = window.text[at : at + 6] if len(read) == at - window.at else " "
    wrong = malformed(error, column, read[-20:], follows)
    endless = len(window.text) - window.at >= LONGEST
    if endless:
        wrong = (f"an object is longer than {LONGEST:,} characters, or a bracket never closes",
                 f"有一个对象超过 {LONGEST:,} 个字符，或括号没有闭合",
                 "close it; leave out what is longer", "补上括号；过长的去掉")  # fmt: skip
        line = window.line
    before = window.to_next_row(window.column)
    wraps = WRAPPER.search(before) and not any(f'"{key}"' in before for key in ROW_KEYS)
    if wraps and (endless or window.passed < broken):
        return None
    if before and window.passed <= broken:  # the next row began before this one was whole
        line = window.line - before[len(before.rstrip()) :].count("\n")
        wrong = ("not JSON: the object breaks off", "不是合法的 JSON：对象没有写完", *MENDS[-1][1:])
    if window.line > line + 1 and before:
        wrong = (f"{wrong[0]}; passed over, up to line {window.line}",
                 f"{wrong[1]}；已跳过，从第 {window.line} 行接着读", *wrong[2:])  # fmt: skip
    return Problem(line, *wrong)


def _spoilt(window: Window, end: int, wrong: Wrong | None) -> Problem | None:
    """Return what spoils a whole object, if anything: a byte that is not UTF-8, a key twice."""
    bad = BAD_BYTE.search(window.text, window.at, window.at + end)
    if not bad:
        return Problem(window.line, *wrong) if wrong else None
    line, column = window.where(bad.start() - window.at)
    en, zh = f"not UTF-8 (column {column})", f"不是 UTF-8 编码（第 {column} 列）"
    return Problem(line, en, zh, *MEND_UTF8)
