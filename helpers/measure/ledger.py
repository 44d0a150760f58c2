"""Read the ledger of claims, data/claims.csv: statements, their usual ranges and verdicts.

Two different things stand in it. The usual range (`low`, `high`) is what this measurement gives
here, over several random seeds: a band that tells a broken lesson from a healthy one. The verdict
says what the evidence makes of the statement, and `scope` on what it was tested.
"""

import csv
import functools
import math
import re
from pathlib import Path
from typing import NamedTuple, NoReturn

from helpers.base import CourseError, root

COLUMNS = (
    "id", "notebook", "statement_en", "statement_zh", "source", "unit", "low", "high",
    "verdict", "scope", "timing",
)  # fmt: skip
NEEDED = ("id", "notebook", "statement_en", "statement_zh", "source", "scope")
NOT_TESTABLE = "not testable here"
VERDICTS = {
    "supported": "支持",
    "supported in part": "部分支持",
    "contradicted": "不成立",
    "not shown": "未能证明",  # the interval holds no effect, or the comparison is not a fair one
    NOT_TESTABLE: "此处无法检验",
}

UNITS_ZH = {  # units that are words in English; others (%, GB, nats) stand in both languages
    "pp": "个百分点", "steps": "步", "times": "倍", "s": "秒", "ms": "毫秒", "min": "分钟",
}  # fmt: skip


class Claim(NamedTuple):
    """One row of the ledger. `low` and `high` bound the value on the profile tiny, in `unit`."""

    id: str
    notebook: str
    en: str
    zh: str
    source: str
    unit: str
    low: float | None
    high: float | None
    verdict: str
    scope: tuple[str, str]  # English, Chinese: what it was tested on
    timing: bool  # the value depends on how busy the machine is
    line: int

    @property
    def bounded(self) -> bool:
        """Tell whether the ledger gives a range: then the lesson must measure the claim."""
        return self.low is not None or self.high is not None

    def holds(self, value: float) -> bool | None:
        """Tell whether a value is in the usual range; None where the ledger gives none."""
        if not self.bounded:
            return None
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def usual(self) -> tuple[str, str]:
        """Return the usual range in English and Chinese."""
        low, high = (None if x is None else shown(x, self.unit) for x in (self.low, self.high))
        if low and high:
            once = shown(self.low, "") if self.unit in UNITS_ZH else low  # a word stands once
            en, zh = f"{low} to {high}", f"{once} 至 {high}"
        elif low or high:
            en = f"at least {low}" if low else f"at most {high}"
            zh = f"至少 {low}" if low else f"至多 {high}"
        else:
            return "no range", "不设范围"
        return en, self.in_chinese(zh)

    def in_chinese(self, measured: str) -> str:
        """Return a measured value or a range with its unit and its comma in Chinese."""
        measured = measured.replace(", n = ", "，n = ")
        word = UNITS_ZH.get(self.unit)
        return re.sub(rf" {self.unit}\b", f" {word}", measured) if word else measured

    def concluded(self) -> tuple[str, str]:
        """Return the verdict with its scope, in English and Chinese."""
        (en, zh), word = self.scope, VERDICTS[self.verdict]
        return f"{self.verdict} ({en})", f"{word}（{zh}）"


def ledger(path: Path | None = None) -> dict[str, Claim]:
    """Return the claims by id; raise CourseError with file and line at the first bad row."""
    path = path or root() / "data" / "claims.csv"
    where = str(path.relative_to(root()) if path.is_relative_to(root()) else path)
    try:
        stat = path.stat()
        return dict(_read(path, where, stat.st_mtime_ns, stat.st_size))
    except OSError as error:
        _bad(where, f"cannot be read ({error.strerror})", f"无法读取（{error.strerror}）")


def shown(value: float, unit: str) -> str:
    """Return a number as people read it, three digits or so, with its unit."""
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


@functools.lru_cache(maxsize=8)
def _read(path: Path, where: str, _changed: int, _size: int) -> dict[str, Claim]:
    """Read the file; once for each state of it, which time of change and size tell."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        _bad(f"{where}:{line}", "not UTF-8: save the file as UTF-8", "不是 UTF-8：请另存为 UTF-8")
    reader = csv.DictReader(text.splitlines(keepends=True), strict=True)
    claims: dict[str, Claim] = {}
    try:
        if tuple(reader.fieldnames or ()) != COLUMNS:
            names = ", ".join(COLUMNS)
            _bad(f"{where}:1", f"the header must be {names}", f"表头应为 {names}")
        for row in reader:
            claim = _claim(row, reader.line_num, f"{where}:{reader.line_num}")
            if claim.id in claims:
                twice = f"id {claim.id} stands twice", f"编号 {claim.id} 重复"
                _bad(f"{where}:{reader.line_num}", *twice)
            claims[claim.id] = claim
    except csv.Error as error:  # the last good row's number: an open quote may swallow the rest
        _bad(f"{where}:{reader.line_num + 1}", f"no CSV: {error}", f"CSV 格式有误：{error}")
    return claims


def _claim(row: dict, line: int, where: str) -> Claim:
    """Return one row as a claim; raise CourseError if it is not whole."""
    if None in row or None in row.values():  # how DictReader tells of cells too many, too few
        n = len(COLUMNS)
        _bad(where, f"there must be {n} cells in a row", f"每行应有 {n} 格")
    cells = {name: cell.strip() for name, cell in row.items()}
    for name in NEEDED:
        if not cells[name]:
            _bad(where, f"{name} is empty", f"{name} 为空")
    if cells["verdict"] not in VERDICTS:
        names = ", ".join(VERDICTS)
        _bad(where, f"the verdict must be one of: {names}", f"verdict 只能是：{names}")
    scope = tuple(part.strip() for part in cells["scope"].split("｜"))
    if len(scope) != 2 or not all(scope):
        _bad(where, "scope must be: English ｜ Chinese", "scope 应写成“英文 ｜ 中文”")
    if cells["timing"] not in ("", "yes"):
        _bad(where, "timing must be yes or empty", "timing 只能填 yes 或留空")
    low, high = (_bound(cells[name], name, where) for name in ("low", "high"))
    if low is not None and high is not None and low > high:
        _bad(where, f"low {low:g} is above high {high:g}", f"low {low:g} 大于 high {high:g}")
    if low is None and high is None and cells["verdict"] != NOT_TESTABLE:
        _bad(where, "low or high must be given", "low 和 high 至少填一个")
    texts = (cells[name] for name in COLUMNS[:6])
    return Claim(*texts, low, high, cells["verdict"], scope, cells["timing"] == "yes", line)


def _bound(text: str, name: str, where: str) -> float | None:
    """Return a bound; an empty cell leaves that side open."""
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        _bad(where, f"{name} {text!r} is not a number", f"{name} {text!r} 不是数字")
    return number


def _bad(where: str, en: str, zh: str) -> NoReturn:
    raise CourseError(en=en, zh=zh, where=where)
