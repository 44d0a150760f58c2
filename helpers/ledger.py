"""The ledger of claims, data/claims.csv: read whole, with every bad row named."""

import csv
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.files import CourseError, root

COLUMNS = (
    "id",
    "notebook",
    "statement_en",
    "statement_zh",
    "source",
    "unit",
    "low",
    "high",
    "verdict",
)
VERDICTS = {
    "holds": "成立",
    "holds in part": "部分成立",
    "does not hold": "不成立",
    "not shown here": "此处看不出",  # the range holds zero: no effect, or too few runs to see it
    "not testable here": "此处无法检验",
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
    line: int

    def holds(self, value: float) -> bool | None:
        """Tell whether a value is in range; None where the ledger gives no range."""
        if self.low is None and self.high is None:
            return None
        above = self.low is None or value >= self.low
        return above and (self.high is None or value <= self.high)

    def expected(self) -> tuple[str, str]:
        """Return the expected range in English and Chinese."""
        low, high = (None if x is None else shown(x, self.unit) for x in (self.low, self.high))
        if low and high:
            once = shown(self.low, "") if self.unit in UNITS_ZH else low  # a word stands once
            en, zh = f"{low} to {high}", f" {once} 至 {high}"
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


def ledger(path: Path | None = None) -> dict[str, Claim]:
    """Return the claims by id; raise CourseError with file and line at the first bad row."""
    path = path or root() / "data" / "claims.csv"
    where = path.relative_to(root()) if path.is_relative_to(root()) else path
    claims: dict[str, Claim] = {}
    for line, row in _rows(path, str(where)):
        claim = _claim(row, line, f"{where}:{line}")
        if claim.id in claims:
            _bad(f"{where}:{line}", f"id {claim.id} stands twice", f"编号 {claim.id} 重复")
        claims[claim.id] = claim
    return claims


def shown(value: float, unit: str) -> str:
    """Return a number as people read it, three digits or so, with its unit."""
    number = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{number} {unit}".rstrip()


def _rows(path: Path, where: str) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each row after the header, which must be COLUMNS."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        _bad(f"{where}:{line}", "not UTF-8: save the file as UTF-8", "不是 UTF-8：请另存为 UTF-8")
    except OSError as error:
        _bad(where, f"cannot be read ({error.strerror})", f"无法读取（{error.strerror}）")
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        if tuple(next(reader, ())) != COLUMNS:
            names = ", ".join(COLUMNS)
            _bad(f"{where}:1", f"the header must be {names}", f"表头应为 {names}")
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        _bad(f"{where}:{reader.line_num}", f"no CSV: {error}", f"CSV 格式有误：{error}")


def _claim(row: list[str], line: int, where: str) -> Claim:
    """Return one row as a claim; raise CourseError if it is not whole."""
    if len(row) != len(COLUMNS):
        counts = len(row), len(COLUMNS)
        _bad(where, "{} cells, not {}".format(*counts), "有 {} 格，应为 {} 格".format(*counts))
    cells = dict(zip(COLUMNS, map(str.strip, row), strict=True))
    for name in ("id", "notebook", "statement_en", "statement_zh", "source"):
        if not cells[name]:
            _bad(where, f"{name} is empty", f"{name} 为空")
    if cells["verdict"] not in VERDICTS:
        names = ", ".join(VERDICTS)
        _bad(where, f"the verdict must be one of: {names}", f"verdict 只能是：{names}")
    low, high = (_bound(cells[name], name, where) for name in ("low", "high"))
    if low is not None and high is not None and low > high:
        _bad(where, f"low {low:g} is above high {high:g}", f"low {low:g} 大于 high {high:g}")
    if low is None and high is None and cells["verdict"] != "not testable here":
        _bad(where, "low or high must be given", "low 和 high 至少填一个")
    *texts, _, _, verdict = cells.values()
    return Claim(*texts, low, high, verdict, line)


def _bound(text: str, name: str, where: str) -> float | None:
    """Return a bound; an empty cell leaves that side open."""
    try:
        number = float(text) if text else None
    except ValueError:
        number = math.nan
    if number is not None and not math.isfinite(number):
        _bad(where, f"{name} {text!r} is not a number", f"{name} {text!r} 不是数字")
    return number


def _bad(where: str, en: str, zh: str) -> None:
    raise CourseError(en=en, zh=zh, where=where)
