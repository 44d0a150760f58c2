"""Hold what a notebook measures against the ledger of claims, data/claims.csv, and record it.

claims.start("04_sft", setup.profile, SEED)   # once, in the set-up cell: a new run, a new file
claim("lora_share", 1.4)                      # prints, records; in per cent where the unit is %
"""

import datetime
import json
import math
import os
from pathlib import Path
from typing import NamedTuple

from helpers.env import PROFILES
from helpers.files import CourseError, atomic_file, root, say
from helpers.interval import UNITS, Interval
from helpers.jsonl import read_jsonl
from helpers.ledger import VERDICTS, Claim, ledger, shown

__all__ = ["VERDICTS", "Claim", "claim", "ledger", "results", "start"]


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
