"""Hold what a notebook measures against the ledger of claims, data/claims.csv, and record it.

claims.start("04_sft", setup.profile, SEED)   # once, in the set-up cell: a new run, a new file
claim("lora_share", 1.4)                      # prints, records; in per cent where the unit is %
claims.table({"lora_share": 1.4, "lora_facts": share(marks)})   # several of one cell, compact
"""

import datetime
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, atomic_file, root, say
from helpers.data.jsonl import read_jsonl
from helpers.env import PROFILES
from helpers.measure.ledger import Claim, ledger, shown
from helpers.measure.stats import UNITS, Interval

NOT_ALONE = "NOT_ALONE"  # of the environment: "1" where other work runs beside this


class Run(NamedTuple):
    """The run of a notebook that claims are measured in."""

    notebook: str
    profile: str
    seed: int | None
    path: Path


RUN: list[Run] = []  # the current run, or empty before start()


class Measured(NamedTuple):
    """A claim with the value that a run gave."""

    claim: Claim
    value: float
    n: int | None
    text: str  # the value as people read it
    ok: bool | None  # in the usual range; None where it is not judged
    why: tuple[str, str] | None  # why it is not judged

    @property
    def marked(self) -> str:
        """Return the value, with ⚠️ if out of range; no ✅, which would seem to be the verdict."""
        return f"⚠️ {self.text}" if self.ok is False else self.text

    def told(self) -> tuple[str, str]:
        """Say what was measured and what it means, in English and Chinese."""
        en, zh = self.claim.usual()
        text_zh = self.claim.in_chinese(self.text)
        verdict, verdict_zh = self.claim.concluded()
        if self.ok is None:
            why, why_zh = self.why
            rest, rest_zh = f"{why}. Verdict: {verdict}", f"{why_zh}。结论：{verdict_zh}"
        elif self.ok:
            rest = f"in the usual range ({en}). Verdict: {verdict}"
            rest_zh = f"在通常范围（{zh}）内。结论：{verdict_zh}"
        else:  # the verdict rests on other values than this one
            rest = f"outside the usual range ({en}): the ledger's verdict does not cover this run"
            rest_zh = f"超出通常范围（{zh}），清单里的结论不适用于这次运行"
        return f"{self.marked}, {rest}", f"{text_zh}，{rest_zh}"


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
    """Print a claim with its measured value, usual range and verdict, and record it.

    `value` is in the ledger's unit; an Interval is brought to it (a share to %). The range binds
    on the profile tiny alone, and a timing only where no other work runs beside it (NOT_ALONE=1
    in the environment says so). STRICT=1 raises AssertionError out of range. Raises CourseError
    for an unknown id, a claim of another notebook, a value that is no number, and before start().
    """
    found = measure(claim_id, value, n)
    say(f"▸ {found.claim.en}", found.claim.zh)
    en, zh = found.told()
    say(f"  {en}", zh)
    _be_strict([found])


def table(values: Mapping[str, float | Interval]):
    """Record several claims as `claim` does; return them as one Markdown table, a claim a row."""
    from IPython.display import Markdown

    found = [measure(claim_id, value) for claim_id, value in values.items()]
    lines = [
        "| claim ｜ 论断 | measured ｜ 实测 | usual range ｜ 通常范围 | verdict ｜ 结论 |",
        "|---|---|---|---|",
    ]
    for m in found:
        cells = f"{m.claim.en}<br>{m.claim.zh}", m.marked, _or_why(m), _verdict(m)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    _be_strict(found)
    return Markdown("\n".join(lines))


def measure(claim_id: str, value: float | Interval, n: int | None = None) -> Measured:
    """Hold a value against the ledger and record it, without a word; raises as `claim` does."""
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
    number, text = _number(value, entry, n)
    why = _not_judged(entry, run)
    found = Measured(
        claim=entry,
        value=number,
        n=value.n if isinstance(value, Interval) else n,
        text=text,
        ok=None if why else entry.holds(number),
        why=why,
    )
    _record(run, found)
    return found


def results(notebook: str) -> dict[str, dict]:
    """Return what the newest run of a notebook recorded: id -> record; {} if there was none."""
    path = root() / "build" / "results" / f"{notebook}.jsonl"
    return {row["id"]: row for row in read_jsonl(path)} if path.is_file() else {}


def alone() -> bool:
    """Tell whether the environment leaves the machine to this run (NOT_ALONE is not 1)."""
    return os.environ.get(NOT_ALONE) != "1"


def _current(claim_id: str) -> Run:
    """Return the current run; raise CourseError before start()."""
    if not RUN:
        raise CourseError(
            en=f"claim {claim_id} before the set-up cell: run claims.start(…) first",
            zh=f"论断 {claim_id} 出现在准备单元格之前：请先运行 claims.start(…)",
        )
    return RUN[0]


def _not_judged(entry: Claim, run: Run) -> tuple[str, str] | None:
    """Say why a value is recorded only, not held against the range; None if it is judged."""
    if run.profile != "tiny":
        en = f"recorded only: the usual range is for the profile tiny, not {run.profile}"
        return en, f"只作记录：通常范围只针对 tiny 档位，而这里是 {run.profile}"
    if not entry.bounded:
        return "recorded only: the ledger gives no range", "只作记录：清单没有给出范围"
    if entry.timing and not alone():
        en = "recorded only: other work runs beside this, and a timing is judged alone"
        return en, "只作记录：同时还有别的任务在跑，计时要单独运行才评判"
    return None


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


def _record(run: Run, found: Measured) -> None:
    """Write the record of a claim; a cell run again replaces its own."""
    entry = found.claim
    row = {"id": entry.id, "value": found.value, "n": found.n}
    row |= {"low": entry.low, "high": entry.high, "ok": found.ok}
    row |= {"timing": entry.timing, "alone": alone()}
    row |= {"notebook": run.notebook, "profile": run.profile, "seed": run.seed}
    row["time"] = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    rows = (results(run.notebook) | {entry.id: row}).values()
    with atomic_file(run.path) as new:
        new.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")


def _or_why(found: Measured) -> str:
    """Return the usual range, or why the value is not held against it, for a table's cell."""
    return "<br>".join(found.claim.usual() if found.why is None else found.why)


def _verdict(found: Measured) -> str:
    """Return the verdict with its scope for a table's cell; none for a value out of range."""
    if found.ok is False:
        return "does not cover this run<br>不适用于这次运行"
    return "<br>".join(found.claim.concluded())


def _be_strict(found: list[Measured]) -> None:
    """Raise AssertionError under STRICT=1 for the values that are out of range."""
    bad = [m for m in found if m.ok is False]
    if bad and os.environ.get("STRICT") == "1":
        said = (f"{m.claim.id}: {m.text}, usual range {m.claim.usual()[0]}" for m in bad)
        raise AssertionError("; ".join(said))
