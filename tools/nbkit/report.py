"""The report of a run: minutes, peak memory and claims, in both languages."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

from helpers.env import say
from tools.nbkit.run import Run, versions

VERDICTS = {
    "holds": "成立",
    "holds in part": "部分成立",
    "does not hold": "不成立",
    "not testable here": "此处无法检验",
}


def ledger(root: Path) -> list[dict[str, str]]:
    """Read data/claims.csv; an absent file is an empty ledger."""
    path = root / "data" / "claims.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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
                of_lessons(ledger(root), [r.name for r in runs]),
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
        rows.append(f"| {what} | {r.minutes:.1f} | {r.peak_gb:.2f} GB | {slow} |")
        if r.error:
            rows.append(f"| | {_cell(r.error)} | | | |")
    total = sum(r.minutes for r in runs)
    peak = max((r.peak_gb for r in runs), default=0)
    return [*rows, f"| **total ｜ 合计** | | **{total:.1f}** | **{peak:.2f} GB** | |"]


def claim_table(claims: list[dict[str, str]], values: dict[str, float]) -> list[str]:
    """Hold measured values against the ledger: one row of markdown for each claim."""
    rows = [
        "| claim ｜ 论断 | lesson ｜ 课 | measured ｜ 实测 | expected ｜ 预期 | verdict ｜ 结论 |",
        "|---|---|---|---|---|",
    ]
    for c in claims:
        said = _cell(f"{c['statement_en']}<br>{c['statement_zh']}")
        verdict = f"{c['verdict']} ｜ {VERDICTS.get(c['verdict'], c['verdict'])}"
        unit = f" {c['unit']}" if c["unit"] else ""
        measured = "—"
        if c["id"] in values:
            value = values[c["id"]]
            measured = f"{'✅' if in_range(c, value) else '❌'} {number(value)}{unit}"
        rows.append(f"| {said} | {c['notebook'][:2]} | {measured} | {expected(c)} | {verdict} |")
    return rows


def of_lessons(claims: list[dict[str, str]], names: list[str]) -> list[dict[str, str]]:
    """Pick the claims of some lessons, by the number that a name begins with."""
    numbers = {n[:2] for n in names}
    return [c for c in claims if c["notebook"][:2].zfill(2) in numbers]


def in_range(claim: dict[str, str], value: float) -> bool:
    """Tell whether a value is within the ledger's bounds; an empty bound is open."""
    low, high = (float(claim[k]) if claim[k] else None for k in ("low", "high"))
    return (low is None or value >= low) and (high is None or value <= high)


def expected(claim: dict[str, str]) -> str:
    """Show a claim's range."""
    low, high, unit = claim["low"], claim["high"], f" {claim['unit']}".rstrip()
    if low and high:
        return f"{low} – {high}{unit}"
    return f"≥ {low}{unit}" if low else f"≤ {high}{unit}" if high else "—"


def number(value: float) -> str:
    """Show a measured value with three digits that matter."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
