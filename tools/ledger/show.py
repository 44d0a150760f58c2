"""Print the ledger with the values that the last runs on this machine gave."""

from __future__ import annotations

from pathlib import Path

from helpers.measure import carry
from helpers.measure.ledger import Claim, shown
from tools.nbkit import report
from tools.nbkit.run import read_results


def last_values(root: Path) -> dict[str, float]:
    """Collect the values that the last runs on this machine recorded."""
    files = sorted((root / "build" / "results").glob("*.jsonl"))
    return {row["id"]: row["value"] for f in files for row in read_results(f)}


def print_ledger(claims: list[Claim], values: dict[str, float]) -> None:
    """Print each claim with its last value, its usual range, and its verdict with the scope."""
    real = {item.id: item for item in carry.carried()}
    for c in claims:
        value = values.get(c.id)
        found = "not measured yet ｜ 尚未测量" if value is None else shown(value, c.unit)
        print(f"{report.mark(c, value)} {c.notebook[:2]} {c.id}: {found} ({report.bounds(c)})")
        print(f"   {c.en} ｜ {c.zh}")
        print(f"   {c.source}: {' ｜ '.join(c.concluded())}")
        if c.id in real:
            item, word = real[c.id], carry.WORDS[real[c.id].carries]
            texts = ", ".join(
                f"{name}: {text}"
                for name, text in zip(carry.FILES.values(), item.texts(), strict=True)
            )
            print(f"   ↳ {texts}: {item.carries} ({item.why[0]}) ｜ {word}（{item.why[1]}）")
