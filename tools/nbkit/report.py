"""The report of a run: minutes, peak memory and claims, in both languages."""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from pathlib import Path

from helpers.base import say
from helpers.measure.ledger import Claim, ledger, shown
from tools.nbkit.run import Run, versions


def claims_of(root: Path, names: list[str] | None = None) -> list[Claim]:
    """List the ledger's claims, all or those of some lessons (by the number a name begins with)."""
    numbers = None if names is None else {n[:2].zfill(2) for n in names}
    claims = ledger(root / "data" / "claims.csv").values()
    return [c for c in claims if numbers is None or c.notebook[:2].zfill(2) in numbers]


def write_report(root: Path, path: Path, runs: list[Run]) -> None:
    """Write the report of some runs (build/report.md), and say where it is."""
    text = "\n".join(
        [
            "# Report of the run ｜ 运行报告",
            "",
            f"{time.strftime('%Y-%m-%d')} · "
            + ", ".join(f"{k} {v}" for k, v in versions().items()),
            "",
            "## Notebooks",
            "",
            *_notebook_table(runs),
            "",
            "## Claims ｜ 论断",
            "",
            *claim_table(
                claims_of(root, [r.name for r in runs]),
                {c["id"]: c["value"] for r in runs for c in r.claims},
            ),
            "",
        ]
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    name = os.path.relpath(path, root)
    say(f"report: {name}", f"报告：{name}")


def _notebook_table(runs: list[Run]) -> list[str]:
    rows = [
        "| notebook | profile ｜ 档位 | minutes ｜ 分钟 | peak memory ｜ 内存峰值 "
        "| slowest cell ｜ 最慢的单元格 |",
        "|---|---|---|---|---|",
    ]
    for r in runs:
        mark = "✅" if r.ok else "❌"
        solved = " · solved ｜ 已解" if r.solved else ""
        slow = f"{r.slowest[0][0]:.0f} s, cell {r.slowest[0][1]}" if r.slowest else ""
        what = f"{mark} {r.name} | {r.profile}{solved}"
        gpu = f", GPU {r.gpu_gb:.2f} GB" if r.gpu_gb else ""
        rows.append(f"| {what} | {r.minutes:.1f} | {r.peak_gb:.2f} GB{gpu} | {slow} |")
        if r.error:
            rows.append(f"| | {_cell(r.error)} | | | |")
    total = sum(r.minutes for r in runs)
    peak = max((r.peak_gb for r in runs), default=0)
    return [*rows, f"| **total ｜ 合计** | | **{total:.1f}** | **{peak:.2f} GB** | |"]


def claim_table(
    claims: list[Claim], values: dict[str, float], provisional: Collection[str] = ()
) -> list[str]:
    """Hold measured values against the ledger: one row of markdown for each claim.

    Only a value out of range is marked, ❌: a ✅ would seem to be the verdict. The range of a
    `provisional` claim, by id, is marked *.
    """
    rows = [
        "| claim ｜ 论断 | lesson ｜ 课 | measured ｜ 实测 | usual range ｜ 通常范围 "
        "| verdict ｜ 结论 |",
        "|---|---|---|---|---|",
    ]
    for c in claims:
        said, verdict = _cell(f"{c.en}<br>{c.zh}"), _cell("<br>".join(c.concluded()))
        measured = shown(values[c.id], c.unit) if c.id in values else "—"
        if c.id in values and c.holds(values[c.id]) is False:
            measured = f"❌ {measured}"
        usual = bounds(c) + (" \\*" if c.id in provisional else "")
        rows.append(f"| {said} | {c.notebook[:2]} | {measured} | {usual} | {verdict} |")
    return rows


def mark(claim: Claim, value: float | None) -> str:
    """Return ✅ or ❌ for a value, ⏳ without one, ▫️ where the ledger gives no range."""
    return "⏳" if value is None else {True: "✅", False: "❌", None: "▫️"}[claim.holds(value)]


def bounds(claim: Claim) -> str:
    """Show a claim's range in signs that need no translation."""
    low, high = (None if x is None else shown(x, claim.unit) for x in (claim.low, claim.high))
    if low and high:
        return f"{low} … {high}"
    return f"≥ {low}" if low else f"≤ {high}" if high else "—"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
