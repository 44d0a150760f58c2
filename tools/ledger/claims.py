"""Print the ledger of claims with the last measured values, and write the README's tables.

`--seeds 0 1 2 3 4` runs the lessons once with each seed and prints the least and the greatest
value of each claim, for an author who sets a range. The values are kept in data/claims_seeds.json
and join those that stand there, so that seeds can be run in parts; those of another model or other
data are dropped, those of other code than the lesson has now are told. Of the recorded runs in
data/sweeps/ a seed takes its own alone; the readings of data/sweeps/cleaning.json have no seed.
`--merge FILE ...` takes in values that were measured in another clone.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import sys
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, atomic_file, say
from helpers.measure.claims import VERDICTS, Claim, shown
from helpers.measure.sweeps import ONE_SEED, fingerprint
from tools.nbkit import report
from tools.nbkit.path import put_path
from tools.nbkit.run import read_results, run_one
from tools.nbkit.source import build, code_hash, notebook_path, read_notebook, read_source, sources

ROOT = Path(__file__).resolve().parents[2]
START, END = "<!-- claims:start -->", "<!-- claims:end -->"


def last_values(root: Path) -> dict[str, float]:
    """Collect the values that the last runs on this machine recorded."""
    files = sorted((root / "build" / "results").glob("*.jsonl"))
    return {row["id"]: row["value"] for f in files for row in read_results(f)}


def committed(root: Path) -> dict[str, dict]:
    """Collect what made the committed outputs, by lesson number: values, minutes, memory."""
    notebooks = {p.stem[:2]: read_notebook(notebook_path(p)) for p in sources(root)}
    return {
        n: nb.metadata["course"] for n, nb in notebooks.items() if nb and "course" in nb.metadata
    }


def print_ledger(claims: list[Claim], values: dict[str, float]) -> None:
    """Print each claim with its range and its last value."""
    for c in claims:
        value = values.get(c.id)
        found = "not measured yet ｜ 尚未测量" if value is None else shown(value, c.unit)
        print(f"{report.mark(c, value)} {c.notebook[:2]} {c.id}: {found} ({report.bounds(c)})")
        print(f"   {c.en} ｜ {c.zh}")
        print(f"   {c.source}: {c.verdict} ｜ {VERDICTS[c.verdict]}")


def readme(text: str, claims: list[Claim], made: dict[str, dict]) -> str:
    """Put the table of claims into the README's text; values are those of the committed runs."""
    if text.count(START) != 1 or text.count(END) != 1:
        raise CourseError(
            en=f"the markers {START} and {END} must stand there once each",
            zh=f"标记 {START} 和 {END} 应各出现一次",
            where="README.md",
        )
    values = {k: v for facts in made.values() for k, v in facts["claims"].items()}
    table = "\n".join(report.claim_table(claims, values))
    before, rest = text.split(START)
    return f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"


def picture(root: Path) -> bytes | None:
    """Return the README's picture: the figure of lesson 04 that sets before beside after."""
    for path in sources(root, ["04"]):
        for cell in (read_notebook(notebook_path(path)) or {"cells": []})["cells"]:
            for output in cell.get("outputs", []) if "after, no article" in cell["source"] else []:
                if drawn := output.get("data", {}).get("image/png"):
                    return base64.b64decode(drawn)
    return None


def try_seeds(root: Path, names: list[str], seeds: list[int]) -> int:
    """Run lessons with several seeds; print each claim's least and greatest value so far."""
    found = known(root)
    for path in sources(root, names):
        code = lesson_code(path)
        for seed in map(str, seeds):
            os.environ[ONE_SEED] = seed
            try:
                run = run_one(path, root / "build" / "seeds" / seed, seed=int(seed))
            finally:
                del os.environ[ONE_SEED]
            if not run.ok:
                raise CourseError(en=run.error, zh=f"种子 {seed} 运行失败", where=path.stem)
            for row in run.claims:
                found.values.setdefault(row["id"], {})[seed] = float(f"{row['value']:.5g}")
            found.code.setdefault(path.stem, {})[seed] = code
            keep(root, found)
            say(f"{path.stem}, seed {seed}: done", f"{path.stem}，种子 {seed}：完成")
    return spread(root, names, found)


class Seeds(NamedTuple):
    """What several seeds gave: claim -> seed -> value, and lesson -> seed -> hash of its code."""

    values: dict[str, dict[str, float]]
    code: dict[str, dict[str, str]]

    def join(self, other: Seeds, lessons: dict[str, str], now: dict[str, str]) -> None:
        """Take in what another clone measured; `lessons`: claim -> lesson, `now`: lesson -> hash.

        Where both know a seed, the other's value is taken only if it was measured with the present
        code and this one was not: else it may be a copy of what stood here before.
        """
        for name, by_seed in other.values.items():
            lesson, mine = lessons.get(name, ""), self.values.setdefault(name, {})
            theirs, ours = other.code.get(lesson, {}), self.code.get(lesson, {})
            for seed, value in by_seed.items():
                if seed not in mine or theirs.get(seed) == now.get(lesson) != ours.get(seed):
                    mine[seed] = value
        for lesson, by_seed in other.code.items():
            present = {seed: code for seed, code in by_seed.items() if code == now.get(lesson)}
            self.code[lesson] = by_seed | self.code.get(lesson, {}) | present


def lesson_code(path: Path) -> str:
    """Return the hash of a lesson's code, as its outputs carry it."""
    return code_hash(build(read_source(path)))


def known(root: Path, path: Path | None = None) -> Seeds:
    """Read the values by claim and seed, those of the present model and data."""
    path = path or root / "data" / "claims_seeds.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if told.get("base") != fingerprint():
        return Seeds({}, {})
    return Seeds(told["values"], told.get("code", {}))


def keep(root: Path, found: Seeds) -> None:
    """Write the values, one claim a line, in the ledger's order."""
    order = [claim.id for claim in report.claims_of(root)]

    def lines(of: dict[str, dict], names: list[str]) -> str:
        return ",\n".join(
            f"{json.dumps(name)}: {json.dumps(dict(sorted(of[name].items())))}" for name in names
        )

    values = lines(found.values, [name for name in order if name in found.values])
    code = lines(found.code, sorted(found.code))
    text = f'{{"base": "{fingerprint()}", "code": {{\n{code}\n}}, "values": {{\n{values}\n}}}}\n'
    with atomic_file(root / "data" / "claims_seeds.json") as new:
        new.write_text(text, encoding="utf-8")


def tell_stale(root: Path, names: list[str], found: Seeds) -> None:
    """Say which seeds were measured with other code than a lesson has now."""
    for path in sources(root, names):
        code, made = lesson_code(path), found.code.get(path.stem, {})
        old = ", ".join(seed for seed in sorted(made) if made[seed] != code)
        if old:
            say(
                f"⚠️ {path.stem}: seeds {old} were measured with other code; "
                "if results can have changed: python -m tools.ledger.claims "
                f"{path.stem[:2]} --seeds …",
                f"⚠️ {path.stem}：种子 {old} 是用别的版本的代码测的；如果结果可能变了，请重测",
            )


def spread(root: Path, names: list[str], found: Seeds) -> int:
    """Print the least and the greatest value of each claim; return 1 if one is out of range."""
    bad = 0
    for claim in report.claims_of(root, names or None):
        if claim.id not in found.values:
            continue
        values = list(found.values[claim.id].values())
        good = all(claim.holds(v) is not False for v in values)
        bad += not good
        low, high = (shown(f(values), claim.unit) for f in (min, max))
        seen = f"{low} … {high} (n = {len(values)})"
        print(f"{'✅' if good else '❌'} {claim.id}: {seen}, {report.bounds(claim)}")
    tell_stale(root, names, found)
    return int(bad > 0)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="lessons, all if none ｜ 课程号")
    parser.add_argument("--seeds", nargs="+", type=int, help="run with these ｜ 用这些种子运行")
    parser.add_argument("--merge", nargs="+", type=Path, help="take in these ｜ 并入这些文件")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    root = args.root.resolve()
    try:
        if args.merge:
            found = known(root)
            lessons = {claim.id: claim.notebook for claim in report.claims_of(root)}
            now = {path.stem: lesson_code(path) for path in sources(root)}
            for path in args.merge:
                found.join(known(root, path), lessons, now)
            keep(root, found)
            return spread(root, args.names, found)
        if args.seeds:
            return try_seeds(root, args.names, args.seeds)
        print_ledger(report.claims_of(root, args.names or None), last_values(root))
        tell_stale(root, args.names, known(root))
        page, made = root / "README.md", committed(root)
        text = put_path(page.read_text(encoding="utf-8"), root, made)
        page.write_text(readme(text, report.claims_of(root), made), encoding="utf-8")
        if drawn := picture(root):
            (root / "notebooks" / "img" / "result.png").write_bytes(drawn)
        say("README.md: tables and picture written", "README.md：表格和插图已更新")
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
