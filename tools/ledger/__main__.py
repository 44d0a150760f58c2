"""The ledger of claims: print it, write the pages made from it, measure with seeds, set ranges.
论断清单：打印，写出相关页面，用多个种子测量，确定范围。

python -m tools.ledger show 04
    print claims, last values, what is stale ｜ 打印论断、最近的数值，以及哪些已过期
python -m tools.ledger readme
    write the README's tables and data/claims.md ｜ 写 README 的表格和 data/claims.md
python -m tools.ledger seeds 04 --seeds 1 2 3 4
    run the lesson with these, keep the values ｜ 用这些种子运行课程，保存数值
python -m tools.ledger seeds --stale
    run what is stale, and nothing else ｜ 只重测过期的
python -m tools.ledger merge FILE
    take in what was measured in another clone ｜ 并入另一份副本里测得的数值
python -m tools.ledger bounds 04 --write
    propose usual ranges from the values; write them ｜ 根据数值提出通常范围；写入清单
python -m tools.ledger carry 01 --from COMMIT --renamed found=hit_at_k
    keep the values after a mere rename ｜ 只改了名称时沿用数值
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from helpers.base import CourseError, say
from tools.ledger import bounds, code, measure, pages, show
from tools.ledger import seeds as kept
from tools.nbkit import report
from tools.nbkit.source import sources

ROOT = Path(__file__).resolve().parents[2]


def show_command(args: argparse.Namespace) -> int:
    """Print claims with their last values, and name the stale ones."""
    claims = report.claims_of(args.root, args.names or None)
    show.print_ledger(claims, show.last_values(args.root))
    kept.tell_stale(kept.read(args.root), claims, code.lesson_hashes(args.root))
    return 0


def readme_command(args: argparse.Namespace) -> int:
    """Write the README's tables and picture, and data/claims.md."""
    pages.write(args.root)
    return 0


def seeds_command(args: argparse.Namespace) -> int:
    """Run lessons with seeds; without seeds, print what the kept values are."""
    found, lessons = kept.read(args.root), sources(args.root, args.names)
    claims, now = report.claims_of(args.root, args.names or None), code.lesson_hashes(args.root)
    wanted = {path.stem: sorted(map(str, args.seeds)) for path in lessons if args.seeds}
    if args.stale:
        wanted = {name: sorted(by) for name, by in kept.stale(found, claims, now).items()}
        if not wanted:
            say("✅ no value is stale", "没有过期的数值")
    measure.run_seeds(args.root, wanted, found)
    return _spread(args, found)


def merge_command(args: argparse.Namespace) -> int:
    """Take in the values that other clones measured."""
    found, now = kept.read(args.root), code.lesson_hashes(args.root)
    claims = report.claims_of(args.root)
    for path in args.files:
        if not path.is_file():
            raise CourseError(en="no such file", zh="没有这个文件", where=str(path))
        kept.join(found, kept.read(args.root, path), {c.id: c.notebook for c in claims}, now)
    kept.keep(args.root, found, [claim.id for claim in claims])
    args.names = []
    return _spread(args, found)


def bounds_command(args: argparse.Namespace) -> int:
    """Propose usual ranges; with --write, put them into data/claims.csv."""
    found, now = kept.read(args.root), code.lesson_hashes(args.root)
    claims = report.claims_of(args.root)
    old = kept.stale(found, claims, now)
    stale = {name for by_seed in old.values() for ids in by_seed.values() for name in ids}
    ready = bounds.tell(args.root, args.names, found, stale)
    if args.write:
        bounds.write(args.root, ready)
    elif ready:
        say(
            f"{len(ready)} ranges would change; look at them, then add --write",
            f"有 {len(ready)} 个范围会改变；看过之后加上 --write 写入",
        )
    return 0


def carry_command(args: argparse.Namespace) -> int:
    """Take values over a change of nothing but names."""
    found = kept.read(args.root)
    renamed = [(old, new) for old, _, new in (pair.partition("=") for pair in args.renamed)]
    for path in sources(args.root, args.names):
        seeds = code.carry(args.root, path, args.commit, renamed, found)
        said = ", ".join(seeds) or "–"
        say(f"{path.stem}: values carried, seeds {said}", f"{path.stem}：沿用的种子：{said}")
    kept.keep(args.root, found, [claim.id for claim in report.claims_of(args.root)])
    return 0


def _spread(args: argparse.Namespace, found: kept.Seeds) -> int:
    """Print the spread of the values and name the stale; return 1 if one is out of range."""
    bad = measure.spread(args.root, args.names, found)
    claims = report.claims_of(args.root, args.names or None)
    kept.tell_stale(found, claims, code.lesson_hashes(args.root))
    return int(bad > 0)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(
        prog="python -m tools.ledger",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function, text: str, lessons: bool = True) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        if lessons:
            sub.add_argument(
                "names", nargs="*", metavar="NN", help="lessons, all if none ｜ 课程号"
            )
        return sub

    add("show", show_command, "print the ledger ｜ 打印清单")
    add("readme", readme_command, "write README and data/claims.md ｜ 写 README 和论断页", False)
    seeds = add("seeds", seeds_command, "measure with several seeds ｜ 用多个种子测量")
    which = seeds.add_mutually_exclusive_group()
    which.add_argument("--seeds", nargs="+", type=int, help="run with these ｜ 用这些种子运行")
    which.add_argument("--stale", action="store_true", help="run what is stale ｜ 只测过期的")
    merge = add("merge", merge_command, "take in other clones' values ｜ 并入别处的数值", False)
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="such a file ｜ 文件")
    ranges = add("bounds", bounds_command, "propose usual ranges ｜ 提出通常范围")
    ranges.add_argument("--write", action="store_true", help="write them ｜ 写入清单")
    carry = add("carry", carry_command, "after a mere rename ｜ 只改了名称时沿用数值")
    carry.add_argument("--from", dest="commit", required=True, help="the old commit ｜ 旧的提交")
    carry.add_argument(
        "--renamed", nargs="+", default=[], metavar="OLD=NEW", help="names ｜ 改了的名称"
    )
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command; print a CourseError instead of a stack trace."""
    args = parser().parse_args(argv)
    args.root = args.root.resolve()
    try:
        return args.function(args)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
