"""Propose the usual range of a claim from what five seeds or more gave, by one rule.

The rule. The range is the 95 % prediction interval for one further run: mean ± t · s · √(1 + 1/k),
with Student's t for k - 1 degrees of freedom and s the standard deviation of the k seeds' values
(Hahn and Meeker, Statistical Intervals, section 3.1). What lies either side of the mean is never
less than what another machine may change though every seed agrees: two items of n for a share,
1 % of the mean for everything else. A claim that is bounded on one side today keeps that side
alone. Bounds are rounded outward and kept to what the unit can hold (0 to 100 %, ±100 pp, no
negative seconds, gigabytes, steps or ratios).

Three exceptions. A timing depends on the machine more than on the seed: its range begins three
times below the least value and ends three times above the greatest. A claim whose bounds are one
and the same number is exact, and stays. Where all values are rounding errors (below 1e-4, in a
unit without items), the bound is a tolerance of arithmetic, and stays.
"""

from __future__ import annotations

import csv
import io
import math
import statistics
from pathlib import Path
from typing import NamedTuple

from helpers.base import atomic_file, say
from helpers.measure.ledger import COLUMNS, VERDICTS, Claim
from helpers.measure.stats import mean_interval
from tools.ledger.seeds import Seeds
from tools.nbkit import report

LEVEL = 0.95
LEAST_SEEDS = 5
ITEMS, PART = 2, 0.01  # the least margin: items of n, or a part of the mean
OTHER_MACHINE = 3  # times faster or slower
SHARES = ("%", "pp")
ROUNDING = 1e-4
LIMITS = {"%": (0, 100), "pp": (-100, 100)} | dict.fromkeys(
    ("s", "ms", "min", "GB", "steps", "times"), (0, math.inf)
)
RULE = (
    "rule: 95 % prediction interval of one further run (t, from the seeds), two items of n or 1 % "
    "of the mean at least, rounded outward; timings: three times either way",
    "规则：按各种子的数值，取再运行一次的 95 % 预测区间（t 分布），"
    "两侧至少各留 n 中的两项或均值的 1 %，向外取整；计时类上下各放宽三倍",
)


class Proposal(NamedTuple):
    """A claim with the range that the rule gives, and how today's compares with it."""

    claim: Claim
    low: float | None
    high: float | None
    mean: float
    k: int  # seeds

    @property
    def times(self) -> float:
        """Return how many times as far from the mean today's bound lies as the rule's."""
        ratios = [
            abs(old - self.mean) / abs(new - self.mean)
            for old, new in ((self.claim.low, self.low), (self.claim.high, self.high))
            if old is not None and new is not None and new != self.mean
        ]
        return max(ratios, key=lambda r: abs(math.log(r or 1e-9)), default=1.0)

    @property
    def no_effect(self) -> bool:
        """Tell whether the range holds zero where it should not: a difference, or a lost sign."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        lost = self.claim.low is not None and self.claim.low > 0 >= low
        return lost or (self.claim.unit == "pp" and low <= 0 <= high)


def propose(claim: Claim, values: list[float], n: int | None = None) -> Proposal | None:
    """Return the range that the rule gives; None with too few seeds, or for a claim without one."""
    if len(values) < LEAST_SEEDS or not claim.bounded:
        return None
    k, mean = len(values), statistics.fmean(values)
    if claim.timing:
        low, high = min(values) / OTHER_MACHINE, max(values) * OTHER_MACHINE
    elif claim.low == claim.high or (not n and max(map(abs, values)) < ROUNDING):
        return Proposal(claim, claim.low, claim.high, mean, k)
    else:
        share = n and claim.unit in SHARES
        least = 100 * ITEMS / n if share else PART * abs(mean)
        margin = max(_factor(k) * statistics.stdev(values), least)
        low, high = mean - margin, mean + margin
    least, most = LIMITS.get(claim.unit, (-math.inf, math.inf))
    low = None if claim.low is None else max(least, _outward(low, mean))
    high = None if claim.high is None else min(most, _outward(high, mean))
    return Proposal(claim, low, high, mean, k)


def _factor(k: int) -> float:
    """Return what the standard deviation of k values is multiplied by."""
    from scipy.stats import t

    return float(t.ppf((1 + LEVEL) / 2, k - 1)) * math.sqrt(1 + 1 / k)


def _outward(bound: float, mean: float) -> float:
    """Round a bound away from the mean, to about a tenth of how far it lies from it."""
    step = 10.0 ** math.floor(math.log10(abs(bound - mean) / 5))
    way = math.ceil if bound > mean else math.floor
    return float(f"{way(round(bound / step, 6)) * step:.6g}")  # 89.1 / 0.1 is 890.9999


def tell(root: Path, names: list[str], found: Seeds, stale: set[str]) -> list[Proposal]:
    """Print the rule, and today's range against the proposed one; return what may be written.

    A claim whose id is in `stale` is shown, and not returned.
    """
    say(*RULE)
    ready = []
    for claim in report.claims_of(root, names or None):
        values = list(found.values.get(claim.id, {}).values())
        new = propose(claim, values, found.n.get(claim.id))
        if new is None:
            if claim.bounded:
                say(
                    f"▫️ {claim.id}: {len(values)} seeds, the rule needs {LEAST_SEEDS}",
                    f"{len(values)} 个种子，规则需要 {LEAST_SEEDS} 个",
                )
            continue
        proposed = claim._replace(low=new.low, high=new.high)
        same = (new.low, new.high) == (claim.low, claim.high)
        line = f"{'＝' if same else '→'} {claim.id}: {report.bounds(claim)}"
        if not same:
            line += f" → {report.bounds(proposed)} (×{new.times:.2g})"
        print(line)
        if new.no_effect and claim.verdict.startswith("supported"):
            over = mean_interval(values, unit=claim.unit)
            say(
                f"   ⚠️ the range holds zero, the verdict is {claim.verdict}; mean of seeds {over}",
                f"范围含零，结论却是“{VERDICTS[claim.verdict]}”；各种子的均值 {over}",
            )
        if claim.id in stale:
            say("   ⚠️ from stale values: not written", "数值已过期，不写入")
        elif not same:
            ready.append(new)
    return ready


def write(root: Path, proposals: list[Proposal]) -> None:
    """Write the proposed bounds into the ledger; every other cell stays as it is."""
    path = root / "data" / "claims.csv"
    new = {p.claim.id: p for p in proposals}
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    with path.open(encoding="utf-8-sig", newline="") as old:
        for row in csv.DictReader(old):
            if (p := new.get(row["id"])) is not None:
                row |= {"low": _text(p.low), "high": _text(p.high)}
            writer.writerow(row)
    with atomic_file(path) as file:
        file.write_text(out.getvalue(), encoding="utf-8")
    say(f"data/claims.csv: {len(new)} ranges written", f"data/claims.csv：写入 {len(new)} 个范围")


def _text(bound: float | None) -> str:
    """Return a bound as the ledger's file holds it."""
    return "" if bound is None else f"{bound:.10g}"
