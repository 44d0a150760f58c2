"""What claims gave with several random seeds: data/claims_seeds.json, and which of it is stale.

The file holds, for the profile tiny alone: `base`, the model and data that the values were measured
with; for each lesson and seed the hash of the code (tools/ledger/code.py) that measured them; the
number of items behind a claim, where it is a share; and the values, by claim and seed. A value is
stale when its lesson has other code now, or when no code stands beside it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, atomic_file, say
from helpers.measure.ledger import Claim
from helpers.measure.sweeps import fingerprint

PROFILE = "tiny"  # the only one whose values are kept
NO_SEED = {"data_clean_minutes", "data_clean_memory"}  # read from data/sweeps/cleaning.json
ENOUGH = 5  # seeds that a usual range comes from
NAME = "claims_seeds.json"


class Seeds(NamedTuple):
    """What several seeds gave."""

    values: dict[str, dict[str, float]]  # claim -> seed -> value
    code: dict[str, dict[str, str]]  # lesson -> seed -> hash of its code
    n: dict[str, int]  # claim -> items


def read(root: Path, path: Path | None = None) -> Seeds:
    """Read the values, those of the present model and data; of another model or data: none.

    Raises CourseError for a file of another profile and for one that is no such file.
    """
    path = path or root / "data" / NAME
    if not path.is_file():
        return Seeds({}, {}, {})
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        base, profile = told["base"], told["profile"]
        found = Seeds(told["values"], told["code"], told["n"])
    except (ValueError, KeyError, TypeError) as error:
        raise CourseError(
            en=f"not a file of values by seed ({type(error).__name__}: {error})",
            zh=f"不是按种子记录数值的文件（{type(error).__name__}：{error}）",
            where=str(path),
        ) from error
    if profile != PROFILE:
        raise CourseError(
            en=f"values of the profile {profile}: only those of {PROFILE} are kept",
            zh=f"这是 {profile} 档位的数值：只收 {PROFILE} 档位的",
            where=str(path),
        )
    if base != fingerprint():
        say(
            f"⚠️ {path.name}: all values are stale, they are of another model or other data",
            f"⚠️ {path.name}：数值全部过期，它们属于别的模型或别的数据",
        )
        return Seeds({}, {}, {})
    return found


def awaited(root: Path, claims: Iterable[Claim]) -> set[str]:
    """Return the claims with a range that fewer than ENOUGH seeds stand behind: it is provisional.

    Values that are read from one recorded measurement, the same for each seed, are not awaited.
    """
    values = read(root).values
    return {
        claim.id
        for claim in claims
        if claim.bounded and claim.id not in NO_SEED and len(values.get(claim.id, ())) < ENOUGH
    }


def keep(root: Path, found: Seeds, order: Iterable[str]) -> None:
    """Write the values, one claim a line, in the order of the ledger; others are dropped."""

    def lines(of: dict[str, dict], names: Iterable[str]) -> str:
        rows = ((name, dict(sorted(of[name].items()))) for name in names if name in of)
        return ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in rows)

    order = list(order)
    n = json.dumps({name: found.n[name] for name in order if name in found.n})
    text = (
        f'{{"base": "{fingerprint()}", "profile": "{PROFILE}", "code": {{\n'
        f'{lines(found.code, sorted(found.code))}\n}}, "n": {n},\n'
        f'"values": {{\n{lines(found.values, order)}\n}}}}\n'
    )
    with atomic_file(root / "data" / NAME) as new:
        new.write_text(text, encoding="utf-8")


def join(mine: Seeds, other: Seeds, lessons: dict[str, str], now: dict[str, str]) -> None:
    """Take in what another clone measured; `lessons`: claim -> lesson, `now`: lesson -> hash.

    Where both know a seed, the other's value is taken only if it was measured with the present
    code and this one was not: else it may be a copy of what stood here before.
    """
    for name, by_seed in other.values.items():
        lesson, ours = lessons.get(name, ""), mine.values.setdefault(name, {})
        theirs_made, ours_made = other.code.get(lesson, {}), mine.code.get(lesson, {})
        for seed, value in by_seed.items():
            if seed not in ours or theirs_made.get(seed) == now.get(lesson) != ours_made.get(seed):
                ours[seed] = value
    for lesson, by_seed in other.code.items():
        present = {seed: code for seed, code in by_seed.items() if code == now.get(lesson)}
        mine.code[lesson] = by_seed | mine.code.get(lesson, {}) | present
    mine.n.update({name: n for name, n in other.n.items() if name not in mine.n})


def stale(found: Seeds, claims: Iterable[Claim], now: dict[str, str]) -> dict[str, dict[str, list]]:
    """Name the stale values: lesson -> seed -> claims. `now`: lesson -> hash of its code."""
    named: dict[str, dict[str, list]] = {}
    for claim in claims:
        made = found.code.get(claim.notebook, {})
        for seed in sorted(found.values.get(claim.id, {})):
            if made.get(seed) is None or made[seed] != now.get(claim.notebook):
                named.setdefault(claim.notebook, {}).setdefault(seed, []).append(claim.id)
    return named


def tell_stale(found: Seeds, claims: list[Claim], now: dict[str, str]) -> int:
    """Say which values are stale: lessons, seeds, claims; return how many."""
    count = 0
    for lesson, by_seed in stale(found, claims, now).items():
        groups: dict[tuple, list] = {}  # seeds that lack the same claims are told together
        for seed, ids in by_seed.items():
            groups.setdefault(tuple(ids), []).append(seed)
        for ids, seeds in groups.items():
            count += len(ids) * len(seeds)
            said = ", ".join(seeds)
            say(
                f"⚠️ {lesson}: stale with seeds {said}: {', '.join(ids)}",
                f"种子 {said} 的数值已过期，共 {len(ids)} 条论断",
            )
    if count:
        say(
            f"⚠️ {count} stale values; measure them anew: python -m tools.ledger seeds --stale",
            f"{count} 个数值已过期；重新测量：python -m tools.ledger seeds --stale",
        )
    return count
