"""Say how sure a measured number is: intervals that print, and paired tests, on scipy."""

from collections.abc import Sequence
from math import floor, log10
from typing import NamedTuple

from helpers.base import CourseError

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


def wilson(successes: int, n: int, level: float = 0.95) -> Interval:
    """Return a share with Wilson's score interval (Wilson 1927, JASA 22:209; Newcombe 1998).

    It stays inside 0 to 1 and has a width even at 0 % and 100 %.
    Raises CourseError unless 0 <= successes <= n and n > 0.
    """
    from scipy.stats import binomtest

    if not 0 <= successes <= n or n == 0:
        raise CourseError(
            en=f"{successes} of {n} is no share: pass how many are right, then how many there are",
            zh=f"{n} 个中有 {successes} 个，不是有效的比例：先传正确的个数，再传总数",
        )
    ends = binomtest(int(successes), int(n)).proportion_ci(level, method="wilson")
    return Interval(successes / n, float(ends.low), float(ends.high), int(n))


def share(marks: Sequence[bool], level: float = 0.95) -> Interval:
    """Return the share of true marks, with Wilson's interval."""
    marks = [bool(mark) for mark in marks]
    return wilson(sum(marks), len(marks), level)


def mean_interval(values: Sequence[float], level: float = 0.95, unit: str = "") -> Interval:
    """Return the mean with Student's t interval (Student 1908, Biometrika 6:1), in `unit`.

    Raises CourseError with fewer than two values, or when one is not finite.
    """
    from scipy.stats import sem, t

    x = numbers(values, least=2)
    low, high = (x.mean() + sem(x) * end for end in t.interval(level, len(x) - 1))
    return Interval(float(x.mean()), float(low), float(high), len(x), unit)


def share_difference(a: Sequence[bool], b: Sequence[bool], level: float = 0.95) -> Interval:
    """Return share(b) - share(a) on the same items, with Newcombe's interval for paired shares.

    Before and after, item by item. Unlike the bootstrap it keeps a width when every item changes.
    Newcombe 1998, Statistics in Medicine 17:2635, method 10. Raises CourseError on unequal lengths.
    """
    from math import sqrt

    a, b = pairs(a, b, bool)
    n = len(a)
    first, second = share(b, level), share(a, level)
    both, neither = int((a & b).sum()), int((~a & ~b).sum())
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    top = both * neither - only_a * only_b
    top = top if top < 0 else max(top - n / 2, 0)
    bottom = sqrt(float(a.sum()) * (~a).sum() * b.sum() * (~b).sum())
    phi = top / bottom if bottom else 0.0

    def distance(x: float, y: float) -> float:
        return sqrt(max(x * x - 2 * phi * x * y + y * y, 0.0))

    value = first.value - second.value
    below = distance(first.value - first.low, second.high - second.value)
    above = distance(first.high - first.value, second.value - second.low)
    return Interval(value, value - below, value + above, n, "points")


def bootstrap_difference(
    a: Sequence[float],
    b: Sequence[float],
    paired: bool = True,
    level: float = 0.95,
    resamples: int = 9999,
    seed: int = 0,
    unit: str = "points",
) -> Interval:
    """Return mean(b) - mean(a) with a percentile bootstrap interval (Efron 1979, Ann. Stat. 7:1).

    `paired`: a[i] and b[i] are the same item and are drawn together. The same seed gives the same
    interval. Width 0 when all items differ alike: for shares near 0 or 100 % take share_difference.
    """
    import numpy as np
    from scipy.stats import bootstrap

    a, b = pairs(a, b, float, 2) if paired else (numbers(a, 2), numbers(b, 2))
    samples = (b - a,) if paired else (a, b)  # a pair is drawn as one item

    def statistic(*drawn: np.ndarray, axis: int = -1) -> np.ndarray:
        return drawn[-1].mean(axis) - (0 if paired else drawn[0].mean(axis))

    ends = bootstrap(
        samples,
        statistic,
        n_resamples=resamples,
        batch=1000,
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    value = float(b.mean() - a.mean())
    return Interval(value, float(ends.low), float(ends.high), min(len(a), len(b)), unit)


def mcnemar(a: Sequence[bool], b: Sequence[bool]) -> PairedTest:
    """Test whether a and b are right equally often on the same items, exactly.

    Only items where they differ count: a fair coin decides each (McNemar 1947, Psychometrika
    12:153). Raises CourseError on unequal lengths.
    """
    from scipy.stats import binomtest

    a, b = pairs(a, b, bool)
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    differ = only_a + only_b
    p = float(binomtest(only_a, differ).pvalue) if differ else 1.0
    return PairedTest(only_a, only_b, p)
