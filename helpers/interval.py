"""The interval that every measured number comes with, how it prints, and input checks for it."""

from collections.abc import Sequence
from math import floor, log10
from typing import NamedTuple

from helpers.env import CourseError

UNITS = {"share": (100, " %"), "points": (100, " pp"), "": (1, "")}  # unit -> factor, sign


class Interval(NamedTuple):
    """A measured value with its confidence interval; `n` is the number of items behind it.

    `unit` says how it prints: "share" (0 to 1, as per cent), "points" (a difference of shares, as
    percentage points, pp) or any other unit by its own name.
    """

    value: float
    low: float
    high: float
    n: int
    unit: str = "share"

    def __str__(self) -> str:
        """Return for instance `93 % [88, 96], n = 120`."""
        factor, sign = UNITS.get(self.unit, (1, f" {self.unit}"))
        value, low, high = (factor * x for x in self[:3])
        places = decimals(high - low, largest=max(abs(low), abs(high)))
        plus = "+" if self.unit == "points" else ""
        value, low, high = (round(x, places) + 0.0 for x in (value, low, high))  # + 0.0: no "-0"
        number, ends = f"{plus}.{places}f", f".{places}f"
        return f"{value:{number}}{sign} [{low:{ends}}, {high:{ends}}], n = {self.n:,}"


Number = float | Interval


class PairedTest(NamedTuple):
    """McNemar's test: items that only a, only b got right, and the two-sided p-value."""

    only_a: int
    only_b: int
    p: float

    def __str__(self) -> str:
        """Return for instance `12 : 3, p = 0.035`."""
        p = "p < 0.001" if self.p < 0.001 else f"p = {self.p:.2g}"
        return f"{self.only_a} : {self.only_b}, {p}"


def numbers(values: Sequence[float], least: int = 1):
    """Return values as a float array (n,); raise CourseError if too few or not finite."""
    import numpy as np

    x = np.asarray(values, dtype=float)
    if x.ndim != 1 or not len(x) or not np.isfinite(x).all():
        raise CourseError(
            en="give a list of finite numbers, at least one (a nan or an empty list came)",
            zh="请传入由有限数值组成的非空列表（收到的是空列表或含有 nan）",
        )
    if len(x) < least:
        raise CourseError(
            en=f"an interval needs {least} values or more, here: {len(x)}",
            zh=f"计算区间至少需要 {least} 个值，这里只有 {len(x)} 个",
        )
    return x


def pairs(a: Sequence, b: Sequence, kind: type, least: int = 1):
    """Return a and b as arrays of `kind`; raise CourseError unless they match item by item."""
    a, b = numbers(a, least), numbers(b, least)
    if len(a) != len(b):
        raise CourseError(
            en=f"{len(a)} against {len(b)} items: a paired comparison needs the same items twice",
            zh=f"{len(a)} 项对 {len(b)} 项：配对比较要求两边是同一批样本",
        )
    return a.astype(kind), b.astype(kind)


def decimals(width: float, largest: float) -> int:
    """Return how many decimals make an interval at least four steps of its last digit wide."""
    scale = width / 4 or largest
    return min(max(0, -floor(log10(scale))), 8) if scale else 0


def ends(values: Sequence[Number], unit: str) -> tuple[list[float], list[list[float]]]:
    """Return values in the unit shown, and how far each interval reaches below and above."""
    factor = UNITS.get(unit, (1,))[0]
    middle, below, above = [], [], []
    for value in values:
        known = isinstance(value, Interval)
        middle.append(factor * (value.value if known else float(value)))
        below.append(factor * max(0.0, value.value - value.low) if known else 0.0)
        above.append(factor * max(0.0, value.high - value.value) if known else 0.0)
    return middle, [below, above]
