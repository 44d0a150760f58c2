"""Print the ledger of claims with the last measured values, and write the README's tables.

`--seeds 0 1 2 3 4` runs the lessons once with each seed and prints the least and the greatest
value of each claim, for an author who sets a range. The values are kept in build/seeds/claims.json
and join those that stand there, so that seeds can be run in parts; those of another model, other
data or another state of the lesson are dropped.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.env import CourseError, say
from helpers.ledger import VERDICTS, Claim, shown
from helpers.sweeps import fingerprint
from tools.nbkit import report
from tools.nbkit.run import read_results, run_one
from tools.nbkit.source import code_hash, notebook_path, read_notebook, read_source, sources

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


def try_seeds(root: Path, names: list[str], seeds: list[int], profile: str) -> int:
    """Run lessons with several seeds; print each claim's least and greatest value so far."""
    target = root / "build" / "seeds" / "claims.json"
    found = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    for path in sources(root, names):
        state = f"{fingerprint()}-{code_hash(read_source(path))}"
        for name in [
            n for n, f in found.items() if f["lesson"] == path.stem and f["state"] != state
        ]:
            del found[name]
        for seed in seeds:
            run = run_one(path, root / "build" / "seeds" / str(seed), profile=profile, seed=seed)
            if not run.ok:
                raise CourseError(en=run.error, zh=f"种子 {seed} 运行失败", where=path.stem)
            for row in run.claims:
                new = {"lesson": path.stem, "state": state, "values": {}}
                found.setdefault(row["id"], new)["values"][str(seed)] = row["value"]
            target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
            say(f"{path.stem}, seed {seed}: done", f"{path.stem}，种子 {seed}：完成")
    bad = 0
    for claim in report.claims_of(root, names or None):
        if claim.id not in found:
            continue
        values = list(found[claim.id]["values"].values())
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
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    root = args.root.resolve()
    try:
        if args.seeds:
            return try_seeds(root, args.names, args.seeds, args.profile)
        print_ledger(report.claims_of(root, args.names or None), last_values(root))
        page = root / "README.md"
        page.write_text(
            readme(page.read_text(encoding="utf-8"), report.claims_of(root), committed(root)),
            encoding="utf-8",
        )
        say("README.md: tables written", "README.md：表格已更新")
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
