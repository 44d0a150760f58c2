"""Print the ledger of claims with the last measured values, and write the README's tables.

`--seeds 0 1 2 3 4` runs the lessons once with each seed and prints the least and the greatest
value of each claim, for an author who sets a range. The values are kept in data/claims_seeds.json
and join those that stand there, so that seeds can be run in parts; those of another model or other
data are dropped. `--merge FILE ...` takes in values that were measured in another clone.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.env import CourseError, say
from helpers.files import atomic_file
from helpers.ledger import VERDICTS, Claim, shown
from helpers.sweeps import fingerprint
from tools.nbkit import report
from tools.nbkit.run import read_results, run_one
from tools.nbkit.source import notebook_path, read_notebook, sources

ROOT = Path(__file__).resolve().parents[1]
START, END = "<!-- claims:start -->", "<!-- claims:end -->"
LESSON_ROW = re.compile(r"^(\| \[(\d\d)\b.*\| )[^|]*( \|)$", re.MULTILINE)


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
    """Put the table of claims and the lessons' minutes into the README's text.

    Values and minutes are those of the runs whose outputs are committed.
    """
    if text.count(START) != 1 or text.count(END) != 1:
        raise CourseError(
            en=f"the markers {START} and {END} must stand there once each",
            zh=f"标记 {START} 和 {END} 应各出现一次",
            where="README.md",
        )
    values = {k: v for facts in made.values() for k, v in facts["claims"].items()}
    table = "\n".join(report.claim_table(claims, values))
    before, rest = text.split(START)
    text = f"{before}{START}\n{table}\n{END}{rest.split(END)[1]}"

    def minutes(row: re.Match) -> str:
        facts = made.get(row[2])
        shown = f"{facts['minutes']:.1f}" if facts else "—"
        return row[1] + shown + row[3]

    return LESSON_ROW.sub(minutes, text)


def picture(root: Path) -> bytes | None:
    """Return the README's picture: the figure of lesson 04 that sets before beside after."""
    for path in sources(root, ["04"]):
        for cell in (read_notebook(notebook_path(path)) or {"cells": []})["cells"]:
            for output in cell.get("outputs", []) if "after, no article" in cell["source"] else []:
                if drawn := output.get("data", {}).get("image/png"):
                    return base64.b64decode(drawn)
    return None


def try_seeds(root: Path, names: list[str], seeds: list[int], profile: str) -> int:
    """Run lessons with several seeds; print each claim's least and greatest value so far."""
    base, found = fingerprint(), known(root)
    for path in sources(root, names):
        for seed in seeds:
            run = run_one(path, root / "build" / "seeds" / str(seed), profile=profile, seed=seed)
            if not run.ok:
                raise CourseError(en=run.error, zh=f"种子 {seed} 运行失败", where=path.stem)
            for row in run.claims:
                found.setdefault(row["id"], {})[str(seed)] = float(f"{row['value']:.5g}")
            keep(root, base, found)
            say(f"{path.stem}, seed {seed}: done", f"{path.stem}，种子 {seed}：完成")
    return spread(root, names, found)


def known(root: Path, path: Path | None = None) -> dict[str, dict[str, float]]:
    """Read the values by claim and seed, those of the present model and data."""
    path = path or root / "data" / "claims_seeds.json"
    told = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return told["values"] if told.get("base") == fingerprint() else {}


def keep(root: Path, base: str, found: dict[str, dict[str, float]]) -> None:
    """Write the values, one claim a line, in the ledger's order."""
    order = [claim.id for claim in report.claims_of(root)]
    lines = [
        f"{json.dumps(i)}: {json.dumps(dict(sorted(found[i].items())))}"
        for i in order
        if i in found
    ]
    body = ",\n".join(lines)
    with atomic_file(root / "data" / "claims_seeds.json") as new:
        new.write_text(f'{{"base": "{base}", "values": {{\n{body}\n}}}}\n', encoding="utf-8")


def spread(root: Path, names: list[str], found: dict[str, dict[str, float]]) -> int:
    """Print the least and the greatest value of each claim; return 1 if one is out of range."""
    bad = 0
    for claim in report.claims_of(root, names or None):
        if claim.id not in found:
            continue
        values = list(found[claim.id].values())
        good = all(claim.holds(v) is not False for v in values)
        bad += not good
        low, high = (shown(f(values), claim.unit) for f in (min, max))
        seen = f"{low} … {high} (n = {len(values)})"
        print(f"{'✅' if good else '❌'} {claim.id}: {seen}, {report.bounds(claim)}")
    return int(bad > 0)


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="lessons, all if none ｜ 课程号")
    parser.add_argument("--seeds", nargs="+", type=int, help="run with these ｜ 用这些种子运行")
    parser.add_argument("--merge", nargs="+", type=Path, help="take in these ｜ 并入这些文件")
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    root = args.root.resolve()
    try:
        if args.merge:
            found = known(root)
            for path in args.merge:
                for name, values in known(root, path).items():
                    found[name] = found.get(name, {}) | values
            keep(root, fingerprint(), found)
            return spread(root, args.names, found)
        if args.seeds:
            return try_seeds(root, args.names, args.seeds, args.profile)
        print_ledger(report.claims_of(root, args.names or None), last_values(root))
        page = root / "README.md"
        page.write_text(
            readme(page.read_text(encoding="utf-8"), report.claims_of(root), committed(root)),
            encoding="utf-8",
        )
        if drawn := picture(root):
            (root / "notebooks" / "img" / "result.png").write_bytes(drawn)
        say("README.md: tables and picture written", "README.md：表格和插图已更新")
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
