"""Build, run and check the notebooks. `python tools/nb.py --help` lists the commands."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.base import CourseError, say
from tools.nbkit import source as src

ROOT = Path(__file__).resolve().parents[1]


def build_command(args: argparse.Namespace) -> int:
    """Build notebooks from their sources."""
    for path in src.sources(args.root, args.names):
        target = src.notebook_path(path)
        nb = src.build(src.read_source(path), src.read_notebook(target))
        target.write_text(src.to_text(nb), encoding="utf-8")
        kept = "course" in nb.metadata
        say(
            f"built {target.name} ({'outputs kept' if kept else 'no outputs'})",
            f"已构建 {target.name}（{'保留输出' if kept else '没有输出'}）",
        )
    return 0


def new_command(args: argparse.Namespace) -> int:
    """Make all that a new lesson needs, and tell what to do next."""
    from tools.nbkit.new import new

    made = new(args.root, args.number, args.slug, args.title)
    for path in made:
        print(f"  {path.relative_to(args.root).as_posix()}")
    say(
        f"✅ lesson {args.number} is made: replace each TODO and each 待写, then",
        f"第 {args.number} 课已建好：请替换每处 TODO 和“待写”，然后执行",
    )
    n = args.number
    print(f"  python tools/nb.py check {n} --fix-hashes && python tools/nb.py check {n} --draft")
    print(f"  python tools/nb.py run {n} --profile smoke")
    say("the rest of the way: CONTRIBUTING.md", "接下来怎么做：见 CONTRIBUTING.md")
    return 0


def badges_command(args: argparse.Namespace) -> int:
    """Write the course's address wherever it belongs, or tell it."""
    from tools.nbkit import address

    changed = address.stamp(args.root, args.address) if args.address else []
    for path in changed:
        print(f"  {path.relative_to(args.root).as_posix()}")
    told = address.read(args.root)
    if told:
        say(f"✅ the course's address is {told}", f"课程的网址是 {told}")
    else:
        say(
            "no address is set, so there are no badges: make badges ADDRESS=https://github.com/…",
            "还没有设置网址，所以没有徽章：make badges ADDRESS=https://github.com/…",
        )
    return 0


def run_command(args: argparse.Namespace) -> int:
    """Run notebooks headless, report, and with --commit write the outputs back."""
    from tools.nbkit.report import write_report
    from tools.nbkit.run import run_all

    if args.commit and args.jobs > 1:
        raise CourseError(
            en="lessons whose outputs are kept run one by one: leave --jobs or --commit out",
            zh="要写回输出的课程须逐课运行：请去掉 --jobs 或 --commit",
        )
    if args.record:
        refuse_to_record(args)
    sources, began = src.sources(args.root, args.names), time.monotonic()
    if not sources:
        raise CourseError(
            en="there is nothing to run", zh="没有可运行的课程", where="notebooks/src"
        )
    runs = run_all(
        sources, args.root / args.out, jobs=args.jobs, ended=report_run, profile=args.profile,
        solved=args.solved, strict=args.strict, seed=args.seed, data=args.data, model=args.model,
    )  # fmt: skip
    minutes = (time.monotonic() - began) / 60
    say(f"{len(runs)} lessons in {minutes:.1f} min", f"{len(runs)} 课共用 {minutes:.1f} 分钟")
    bad = {
        r.name
        for r in runs
        if not r.ok or (args.strict and (unmeasured(args.root, r) or r.bad_claims))
    }
    report = args.root / Path(args.out).parent / "report.md"
    write_report(args.root, report, runs)
    lines = {
        r.name: {
            "ok": r.name not in bad,
            "profile": r.profile,
            "minutes": round(r.minutes, 2),
            "peak_gb": round(r.peak_gb, 2),
            "gpu_gb": round(r.gpu_gb, 2),
            "error": r.error,
            "notebook": os.path.relpath(r.path, args.root),
        }
        for r in runs
    }
    report.with_suffix(".json").write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
    if args.record or args.commit:
        record(args, [run for run in runs if run.name not in bad])
    return 1 if bad else commit_command(args) if args.commit else 0


def refuse_to_record(args: argparse.Namespace) -> None:
    """Raise CourseError where a run would not say how long a profile takes a learner."""
    odd = {"--jobs": args.jobs > 1, "--solved": args.solved, "--data": args.data}
    odd |= {"--model": args.model, "--profile smoke": args.profile == "smoke"}
    if found := [option for option, given in odd.items() if given]:
        names = ", ".join(found)
        raise CourseError(
            en=f"minutes are recorded of plain runs, one by one: leave out {names} or --record",
            zh=f"只记录逐课、原样运行的用时：请去掉 {names} 或 --record",
        )


def record(args: argparse.Namespace, runs: list) -> None:
    """Write minutes and peak memory of these runs into data/minutes.csv."""
    from helpers.env import resolve
    from helpers.measure import minutes

    setup, today = resolve(args.profile), time.strftime("%Y-%m-%d", time.gmtime())
    here = minutes.machine(setup.device)
    for run in runs:
        peak = round(run.gpu_gb or run.peak_gb, 2)
        measured = minutes.Minutes(round(run.minutes, 2), peak, here, today)
        minutes.record(args.root, run.name[:2], setup.profile, measured)
        en, zh = measured.told()
        say(f"recorded: {run.name[:2]}, {setup.profile}: {en}", f"已记录：{zh}")


def unmeasured(root: Path, run) -> list[str]:
    """List, and print, the claims of a lesson that its run should have measured and did not."""
    from tools.nbkit.report import claims_of

    wanted = [c.id for c in claims_of(root, [run.name]) if c.bounded]
    missing = sorted(set(wanted) - {c["id"] for c in run.claims})
    if missing:
        say(
            f"❌ {run.name}: claims not measured: {', '.join(missing)}",
            f"没有实测的论断：{', '.join(missing)}",
        )
    return missing


def commit_command(args: argparse.Namespace) -> int:
    """Write the outputs of the last complete run into the committed notebooks."""
    from tools.nbkit.outputs import commit

    for path in src.sources(args.root, args.names):
        target = commit(path, args.root / args.out / f"{path.stem}.ipynb")
        size = target.stat().st_size // 1000
        say(f"outputs written: {target.name}, {size} KB", f"已写入输出：{target.name}，{size} KB")
    return 0


def check_command(args: argparse.Namespace) -> int:
    """Check the lessons, or accept Chinese cells that were looked at."""
    from tools.nbkit.check import check, fix_hashes

    if args.fix_hashes:
        if not args.names:
            raise CourseError(
                en="name the lessons whose Chinese you looked at: check NN --fix-hashes",
                zh="请写明核对过中文的课程：check NN --fix-hashes",
            )
        for path in src.sources(args.root, args.names):
            cells = ", ".join(map(str, fix_hashes(path))) or "–"
            say(f"{path.name}: accepted cells {cells}", f"{path.name}：已接受的单元格 {cells}")
        return 0
    found = check(args.root, args.names, draft=args.draft)
    for line in found:
        print(line)
    count = len(src.sources(args.root, args.names))
    if found:
        say(f"❌ {len(found)} problems in {count} lessons", f"{count} 课中有 {len(found)} 个问题")
    else:
        say(f"✅ {count} lessons checked", f"{count} 课检查通过")
    return int(bool(found))


def pull_command(args: argparse.Namespace) -> int:
    """Take edits made in Jupyter back into the sources."""
    from tools.nbkit.languages import pull

    for path in src.sources(args.root, args.names):
        if pull(path):
            say(f"{path.name}: pulled", f"{path.name}：已取回")
        else:
            say(f"{path.name}: unchanged", f"{path.name}：没有改动")
    return 0


def language_command(args: argparse.Namespace) -> int:
    """Write lessons in one language."""
    from tools.nbkit.languages import write_one_language

    for path in src.sources(args.root, args.names):
        written = write_one_language(path, args.lang, args.root / args.out)
        say(f"written: {written}", f"已写出：{written}")
    return 0


def report_run(run) -> None:
    """Print the outcome of one run."""
    from tools.nbkit.outputs import undescribed

    mark = "✅" if run.ok else "❌"
    judged = [c for c in run.claims if c["ok"] is not None]
    claims = f"{len(judged) - len(run.bad_claims)}/{len(judged)}"
    say(
        f"{mark} {run.name}: {run.minutes:.1f} min, {run.peak_gb:.2f} GB, claims in range {claims}",
        f"{run.minutes:.1f} 分钟，内存峰值 {run.peak_gb:.2f} GB，论断在范围内 {claims}",
    )
    for seconds, number, line in run.slowest:
        if seconds >= 5:
            print(f"    {seconds:6.1f} s  cell {number}: {line}")
    if bare := ", ".join(map(str, undescribed(src.read_notebook(run.path)))):
        say(f"    ⚠️ figures without alt text: cells {bare}", f"图没有文字说明：单元格 {bare}")
    for bad in run.bad_claims:
        print(f"    ❌ {bad['id']}: {bad['value']} ({bad['low']} … {bad['high']})")
    if run.error:
        print(f"    {run.error}\n    {run.path}", flush=True)


def jobs(text: str) -> int:
    """Read a number of jobs. Raises argparse's error unless it is 1 or more."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of jobs: write 1 or more ｜ "
            f"{text!r} 不是有效的并行数：请写 1 以上的整数"
        )
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("--root", type=Path, default=ROOT, help="the course's folder ｜ 课程目录")
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, function, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(function=function)
        sub.add_argument("names", nargs="*", metavar="NN", help="lessons, all if none ｜ 课程号")
        return sub

    new = commands.add_parser("new", help="make a new lesson ｜ 新建一课")
    new.set_defaults(function=new_command)
    new.add_argument("number", metavar="NN", help="two digits ｜ 两位数字")
    new.add_argument("slug", metavar="NAME", help="for its files, such as qlora ｜ 文件名")
    new.add_argument("--title", default="", help='"English ｜ 中文"')
    add("build", build_command, "source → notebook ｜ 由源文件构建 notebook")
    run = add("run", run_command, "run headless ｜ 无界面运行")
    run.add_argument("--profile", default="tiny", help="tiny, small, t4, gpu, smoke, auto ｜ 档位")
    solved = run.add_mutually_exclusive_group()
    solved.add_argument("--solved", action="store_true", help="solve exercises ｜ 代入参考答案")
    solved.add_argument("--unsolved", dest="solved", action="store_false", help="as is ｜ 保持原样")
    run.add_argument("--strict", action="store_true", help="checks and claims raise ｜ 严格")
    run.add_argument("--seed", type=int, help="parameter SEED ｜ 随机种子")
    run.add_argument("--data", type=Path, help="parameter DATA: your own file ｜ 你自己的数据文件")
    run.add_argument("--model", help="parameter MODEL: another model ｜ 换用别的模型")
    run.add_argument("--jobs", type=jobs, default=1, help="so many side by side ｜ 几课并行")
    run.add_argument("--commit", action="store_true", help="then write outputs back ｜ 写回输出")
    run.add_argument("--record", action="store_true", help="keep minutes, memory ｜ 记录用时和内存")
    run.add_argument("--out", default="build/notebooks", help="where to leave them ｜ 输出目录")
    commit = add("commit-outputs", commit_command, "outputs of the last run ｜ 写回最近一次的输出")
    commit.add_argument("--out", default="build/notebooks", help="where they are ｜ 所在目录")
    check = add("check", check_command, "hold lessons to the rules ｜ 检查课程")
    check.add_argument("--draft", action="store_true", help="without outputs ｜ 不查输出")
    check.add_argument("--fix-hashes", action="store_true", help="accept the Chinese ｜ 接受中文")
    badges = commands.add_parser("badges", help="set the course's address ｜ 设置课程的网址")
    badges.set_defaults(function=badges_command)
    badges.add_argument("--address", help="https://github.com/OWNER/NAME, or none ｜ 或 none")
    add("pull", pull_command, "notebook → source ｜ 把 notebook 里的修改取回源文件")
    language = add("one-language", language_command, "a copy in one language ｜ 单语副本")
    language.add_argument("--lang", choices=["en", "zh"], required=True)
    language.add_argument("--out", default="build/one-language", help="where to ｜ 输出目录")
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
    except KeyboardInterrupt:
        say("❌ stopped", "已中断")
        return 130


if __name__ == "__main__":
    sys.exit(main())
