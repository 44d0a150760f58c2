"""Run lessons with several random seeds and keep what their claims gave.

Of the recorded runs in data/sweeps/ a seed takes its own alone; the readings of
data/sweeps/cleaning.json have no seed.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from helpers.base import CourseError, say
from helpers.measure.ledger import shown
from helpers.measure.sweeps import ONE_SEED
from tools.ledger.code import lesson_hash
from tools.ledger.seeds import PROFILE, Seeds, keep
from tools.nbkit import report
from tools.nbkit.run import Run, run_one
from tools.nbkit.source import read_source, sources


def run_seeds(root: Path, wanted: dict[str, list[str]], found: Seeds) -> None:
    """Run lessons, each with its seeds (`wanted`: lesson -> seeds); keep the values after each run.

    Raises CourseError where a run fails; what was measured before it is kept.
    """
    order = [claim.id for claim in report.claims_of(root)]
    for path in (p for p in sources(root) if p.stem in wanted):
        code = lesson_hash(read_source(path))
        for seed in wanted[path.stem]:
            with one_seed(seed):
                run = run_one(
                    path, root / "build" / "seeds" / seed, profile=PROFILE, seed=int(seed)
                )
            take(run, seed, found)
            found.code.setdefault(path.stem, {})[seed] = code
            keep(root, found, order)
            say(f"{path.stem}, seed {seed}: done", f"{path.stem}，种子 {seed}：完成")


@contextlib.contextmanager
def one_seed(seed: str) -> Iterator[None]:
    """Let the lessons see only the recorded runs of one seed; then all is as it was."""
    before = os.environ.get(ONE_SEED)
    os.environ[ONE_SEED] = seed
    try:
        yield
    finally:
        os.environ.pop(ONE_SEED)
        if before is not None:
            os.environ[ONE_SEED] = before


def take(run: Run, seed: str, found: Seeds) -> None:
    """Take the values of a run; a timing measured beside other work is left out.

    Raises CourseError for a run that failed, and for values of another profile or seed.
    """
    if not run.ok:
        raise CourseError(en=run.error, zh=f"种子 {seed} 运行失败", where=run.name)
    for row in run.claims:
        if row["profile"] != PROFILE or row["seed"] != int(seed):
            raise CourseError(
                en=f"{row['id']}: a value of profile {row['profile']} and seed {row['seed']}, "
                f"wanted {PROFILE} and {seed}; nothing of this run is kept",
                zh=f"{row['id']}：这是 {row['profile']} 档位、种子 {row['seed']} 的数值，"
                f"要的是 {PROFILE} 和 {seed}；这次运行的数值一概不收",
                where=run.name,
            )
    for row in run.claims:
        by_seed = found.values.setdefault(row["id"], {})
        by_seed.pop(seed, None)  # a stale one must not pass for this run's
        if row.get("alone", True) or not row.get("timing"):
            by_seed[seed] = float(f"{row['value']:.5g}")
        if row.get("n"):
            found.n[row["id"]] = row["n"]


def spread(root: Path, names: list[str], found: Seeds) -> int:
    """Print the least and the greatest value of each claim; return how many are out of range."""
    bad = 0
    for claim in report.claims_of(root, names or None):
        values = list(found.values.get(claim.id, {}).values())
        if not values:
            continue
        good = all(claim.holds(v) is not False for v in values)
        bad += not good
        low, high = (shown(f(values), claim.unit) for f in (min, max))
        seen = f"{low} … {high} (n = {len(values)})"
        print(f"{'✅' if good else '❌'} {claim.id}: {seen}, {report.bounds(claim)}")
    return bad
