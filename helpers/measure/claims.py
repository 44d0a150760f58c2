"""Hold what a notebook measures against the ledger of claims, data/claims.csv, and record it.

claims.start("04_sft", setup.profile, SEED)   # once, in the set-up cell: a new run, a new file
claim("lora_share", 1.4)                      # prints, records; in per cent where the unit is %
"""

import csv
import datetime
import json
import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, atomic_file, root, say
from helpers.data.jsonl import read_jsonl
from helpers.env import PROFILES
from helpers.measure.stats import UNITS, Interval

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


class Run(NamedTuple):
    """The run of a notebook that claims are measured in."""

    notebook: str
    profile: str
    seed: int | None
    path: Path


RUN: list[Run] = []  # the current run, or empty before start()


def start(notebook: str, profile: str, seed: int | None = None) -> None:
    """Begin a run: forget what an earlier run of this notebook recorded.

    `notebook` is its file's name ("04_sft"), `profile` the one that was resolved.
    Raises CourseError for an unknown profile.
    """
    if profile not in PROFILES:
        raise CourseError(
            en=f"unknown profile {profile!r}: pass resolve(PROFILE).profile",
            zh=f"未知的档位 {profile!r}：请传入 resolve(PROFILE).profile",
        )
    path = root() / "build" / "results" / f"{notebook}.jsonl"
    path.unlink(missing_ok=True)
    RUN[:] = [Run(notebook, profile, seed, path)]


def claim(claim_id: str, value: float | Interval, n: int | None = None) -> None:
    """Print a claim with the measured value, its expected range and verdict, and record it.

    `value` is in the ledger's unit; an Interval is brought to it (a share to %). The range binds
    on the profile tiny alone. STRICT=1 raises AssertionError out of range. Raises CourseError for
    an unknown id, a claim of another notebook, a value that is no number, and before start().
    """
    run, entry = _current(claim_id), ledger().get(claim_id)
    if entry is None:
        raise CourseError(
            en=f"no claim {claim_id!r}: add a row for it, or correct the id",
            zh=f"没有编号为 {claim_id!r} 的论断：请添加一行，或改正编号",
            where="data/claims.csv",
        )
    if entry.notebook[:2] != run.notebook[:2]:
        raise CourseError(
            en=f"claim {claim_id} belongs to notebook {entry.notebook}, this is {run.notebook}",
            zh=f"论断 {claim_id} 属于 {entry.notebook}，而这里是 {run.notebook}",
            where=f"data/claims.csv:{entry.line}",
        )
    number, measured = _number(value, entry, n)
    ok = entry.holds(number) if run.profile == "tiny" else None
    n = value.n if isinstance(value, Interval) else n
    _record(run, entry, number, n, ok)
    _tell(entry, measured, ok, run.profile)
    if ok is False and os.environ.get("STRICT") == "1":
        raise AssertionError(f"{claim_id}: {measured}, expected {entry.expected()[0]}")


def results(notebook: str) -> dict[str, dict]:
    """Return what the newest run of a notebook recorded: id -> record; {} if there was none."""
    path = root() / "build" / "results" / f"{notebook}.jsonl"
    return {row["id"]: row for row in read_jsonl(path)} if path.is_file() else {}


def _current(claim_id: str) -> Run:
    """Return the current run; raise CourseError before start()."""
    if not RUN:
        raise CourseError(
            en=f"claim {claim_id} before the set-up cell: run claims.start(…) first",
            zh=f"论断 {claim_id} 出现在准备单元格之前：请先运行 claims.start(…)",
        )
    return RUN[0]


def _number(value: float | Interval, entry: Claim, n: int | None) -> tuple[float, str]:
    """Return a value in the ledger's unit, and in words; raise CourseError if it is no number."""
    try:
        if isinstance(value, Interval):
            factor, sign = UNITS.get(value.unit, (1, value.unit))
            if sign.strip() != entry.unit:
                raise ValueError(f"{sign.strip()!r}, ledger {entry.unit!r}")
            return factor * value.value, str(value)
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(number)
    except (TypeError, ValueError) as error:
        raise CourseError(
            en=f"claim {entry.id}: not a number in the ledger's unit ({error})",
            zh=f"论断 {entry.id}：不是以清单所列单位表示的数值（{error}）",
            where=f"data/claims.csv:{entry.line}",
        ) from error
    return number, shown(number, entry.unit) + (f", n = {n:,}" if n else "")


def _record(run: Run, entry: Claim, value: float, n: int | None, ok: bool | None) -> None:
    """Write the record of a claim; a cell run again replaces its own."""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    row = {"id": entry.id, "value": value, "n": n, "low": entry.low, "high": entry.high, "ok": ok}
    row |= {"notebook": run.notebook, "profile": run.profile, "seed": run.seed, "time": now}
    rows = (results(run.notebook) | {entry.id: row}).values()
    with atomic_file(run.path) as new:
        new.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def _tell(entry: Claim, measured: str, ok: bool | None, profile: str) -> None:
    """Print a claim and what became of it, in both languages."""
    say(f"▸ {entry.en}", entry.zh)
    low, high = entry.expected()
    found = entry.in_chinese(measured)
    say(f"  measured {measured}, expected {low}", f"实测 {found}，预期{high}")
    verdict = entry.verdict, VERDICTS[entry.verdict]
    if profile != "tiny":
        say(f"  — the range is for the profile tiny, not {profile}", "此范围只针对 tiny 档位")
    elif ok is None:
        say(f"  — recorded; the claim: {verdict[0]}", f"已记录；此论断：{verdict[1]}")
    else:
        en, zh = ("✅ in range", "在预期范围内") if ok else ("⚠️ out of range", "超出预期范围")
        say(f"  {en}; the claim: {verdict[0]}", f"{zh}；此论断：{verdict[1]}")
