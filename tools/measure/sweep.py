"""Train many times with recorded settings: data/sweeps/GRID.jsonl, one real run a line.

    python -m tools.measure.sweep --list                 # the grids, how many runs each has
    python -m tools.measure.sweep --grid rate rank zoo   # in this order; seed 0 of all, then 1 …
    python -m tools.measure.sweep --grid rate --minutes 30 # stop in time; the next call goes on
    python -m tools.measure.sweep --grid rate --part 1/2 --out build/sweeps # half a grid
    python -m tools.measure.sweep --grid rate --merge OTHER.jsonl ...  # take in others

Kill it when you like: a run that is written is whole, and a run that is known, from whichever
grid, is not made again. Runs of another base model or other data, or outside their grid, are
dropped: after `make model` or `make world` all have to be made anew. Each run has a process of its
own, so that its memory is its own. Seconds belong to a machine: compare them within one, when it
is quiet. See helpers/measure/sweeps.py for what is recorded.
"""

import argparse
import json
import math
import re
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

from helpers.base import CourseError, root, say
from helpers.data.jsonl import Problem, Row, scan_jsonl, write_jsonl
from helpers.env import resolve, set_seed, threads
from helpers.lingxi.files import select, world
from helpers.measure import sweeps
from helpers.platforms import quiet, short_spin
from tools.process import apart

FOLDER = root() / "data" / "sweeps"
N_TEST, N_VALID, NEW = 60, 60, 96  # incidents to test on, to validate on; tokens of an answer

SHAPE = {"targets": "all-linear", "r": 8, "alpha": 16, "dropout": 0.0, "rows": 320, "epochs": 2}
# the best of grid "zoo_rates", by the loss on held-out incidents under articles trained on; of two
# within a hundredth of a nat the lower rate (prefix tuning might still gain above the highest)
BEST = {
    "full": 3e-3, "lora": 1e-2, "rslora": 1e-2, "dora": 1e-2, "qlora": 3e-2, "adapter": 1e-2,
    "prefix": 1.0, "ia3": 3e-1, "prompt": 3e-2,
}  # fmt: skip
SIZES = {"full": 0, "ia3": 0, "prefix": 16, "prompt": 16, "adapter": 32}  # others: r = 8
SCALED = ("lora", "rslora", "dora", "qlora")  # the methods that have an alpha
RATES = (1e-5, 5e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
TRIED = {"full": (1e-3, 3e-3, 1e-2), "prompt": (1e-2, 3e-2, 1e-1, 3e-1)}
TRIED |= dict.fromkeys(("prefix", "ia3"), (3e-2, 1e-1, 3e-1, 1.0))  # others: 3e-3, 1e-2, 3e-2
QUIET = round(16 / math.sqrt(8), 4)  # rsLoRA's alpha that is as loud at r = 8 as LoRA's 16
KINDS = ("F16", "Q8_0", "Q4_0")
NOTES_OWN = {"targets": "qv", "alpha": 32, "dropout": 0.1}  # the configuration in the course notes


def config(method: str, lr: float | None = None, **changes: Any) -> Row:
    """Return the settings of a run, all but base and seed."""
    made = {"method": method, **SHAPE, "lr": lr or BEST[method]}
    made["r"] = SIZES.get(method, made["r"])
    if method not in SCALED:
        made |= {"alpha": 0, "targets": "all-linear"}
    return made | changes


def zoo_rates() -> list[Row]:
    """Return each method at three or four rates, for seed 0: where does it learn best?"""
    return [config(m, lr) for m in BEST for lr in TRIED.get(m, (3e-3, 1e-2, 3e-2))]


GRIDS: dict[str, list[Row]] = {
    "rate": [config(m, lr) for lr in RATES for m in ("lora", "full")],
    "rank": [config("lora", lr, r=r) for r in (8, 1, 64, 2, 16, 4, 32) for lr in RATES[-3:]],
    "where": [
        config("lora", r=2, alpha=4),
        config("lora", targets="qv"),
        config("lora", lr=5e-5, **NOTES_OWN),
        config("lora", targets="mlp", r=4, alpha=8),
        config("lora", targets="attention"),
    ],
    "zoo": [config(method) for method in BEST],
    "scale": [config("rslora", BEST["lora"], r=r, alpha=QUIET) for r in (64, 1, 8)]
    + [config("lora", alpha=alpha) for alpha in (4, 64, 256)],
    # the LoRA family at one rate and one scale, 2: another rank, another kind, and nothing else
    "fair": [config("lora", BEST["lora"], r=r, alpha=2 * r) for r in (8, 1, 64, 4, 16, 2)]
    + [config("rslora", BEST["lora"], alpha=QUIET)]
    + [config(method, BEST["lora"]) for method in ("qlora", "dora")],
    # between the points of the other grids: what is learned against what is forgotten
    "forget": [
        config("full", 2e-3),
        config("lora", BEST["lora"], alpha=32),
        config("lora", 3e-3, r=64, alpha=128),
    ],
    # grid "fair"'s LoRA of rank 8, from weights that were stored in a GGUF file of this kind
    "start": [config("lora", BEST["lora"]) | {"method": f"lora@{kind}"} for kind in KINDS],
    "zoo_rates": zoo_rates(),
}
SEEDS = dict.fromkeys(GRIDS, tuple(range(5))) | {"zoo_rates": (0,)}  # `--seeds` takes others


# --- one run ------------------------------------------------------------------------------------


def measure(settings: Row, base_general: float | None) -> Row:
    """Train and test once; return the run's line. Imports stand here: it runs in a child."""
    from helpers.model.gguf import dequantised
    from helpers.model.load import load, parameter_counts
    from helpers.model.methods import adapt
    from helpers.model.train import fit

    quiet()
    cores = threads()
    # PEFT says so for soft prompts at each generation; `answer` gives it rows of one length
    warnings.filterwarnings("ignore", message="Position ids are not supported")
    set_seed(settings["seed"])
    setup = resolve("tiny")
    method, _, kind = settings["method"].partition("@")
    if kind:
        setup = setup._replace(model=str(dequantised(stored(setup, kind))))
    model, tokenizer = load(setup, four_bit=method == "qlora")
    shape = {name: settings[name] for name in ("r", "alpha", "targets", "dropout")}
    model = adapt(model, method, **shape)
    trainable, total = parameter_counts(model)
    rows = select(world("train"), task="notice")[: settings["rows"]]
    started = time.perf_counter()
    with Memory() as memory:
        losses = fit(
            model, tokenizer, rows, lr=settings["lr"], num_epochs=settings["epochs"],
            seed=settings["seed"],
        )  # fmt: skip
    made = settings | {"trainable": trainable, "total": total}
    made |= {"seconds": round(time.perf_counter() - started, 2), "memory": round(memory.rise, 1)}
    made["state"] = round(3 * 4 * trainable / 1e6, 3)  # gradient and two moments, in float32
    made["loss_train"] = finite(sum(losses[-10:]) / len(losses[-10:]))
    made |= marks(model, tokenizer, single=method == "prompt")
    if base_general is not None:
        made["forgetting"] = round(base_general - made["general"], 4)
    return made | {"n": N_TEST, "cores": cores}


def stored(setup, kind: str) -> Path:
    """Return Xiaoxi as a GGUF file of a kind, written where there is none yet."""
    from helpers.model.export import write_gguf
    from helpers.model.load import load

    file = root() / "build" / "sweeps" / f"xiaoxi-{kind}.gguf"
    if not file.is_file():
        write_gguf(*load(setup), file, kind)
    return file


def marks(model, tokenizer, single: bool = False) -> Row:
    """Return what a model makes of the held-out incidents and of primary school."""
    from helpers.lingxi.score import exact_answers, score_notices

    unseen = select(world("eval"), task="notice", split="unseen")
    closed = select(unseen, context=False)[:N_TEST]
    three = {row["id"][:9]: row for row in unseen if len(row["context"]) == 3}
    opened = [three[row["id"][:9]] for row in closed]
    seen = select(world("eval"), task="notice", split="seen", context=True)
    seen = [row for row in seen if len(row["context"]) == 3][:N_VALID]
    general = select(world("general"), use="measure")
    found: Row = {"loss": finite(held_loss(model, tokenizer, seen))}
    scores = score_notices(answer(model, tokenizer, opened, single), opened)
    found |= {name: mean(scores[name]) for name in ("form", "term", "facts", "all")}
    scores = score_notices(answer(model, tokenizer, closed, single), closed)
    found |= {f"{name}_closed": mean(scores[name]) for name in ("form", "term", "facts")}
    right = exact_answers(answer(model, tokenizer, general, single, 48), general)
    return found | {"general": mean(right)}


def finite(loss: float) -> float:
    """Return a loss, rounded for the file; 99 for one that is not a number, which JSON has not."""
    return round(loss, 4) if math.isfinite(loss) else 99.0


def mean(values: list[bool]) -> float:
    """Return a share, rounded for the file."""
    return round(sum(values) / len(values), 4)


def answer(model, tokenizer, rows: list[Row], single: bool, new: int = NEW) -> list[str]:
    """Let a model answer the last question of each row.

    `single`: only rows of one length share a batch. PEFT puts a soft prompt before the padding,
    so that in a padded batch it would stand further from the text than it did in training.
    """
    from helpers.model.generate import chat_prompt, generate

    prompts = [chat_prompt(tokenizer, row["messages"][:-1]) for row in rows]
    groups: dict[int, list[int]] = {}
    for i, prompt in enumerate(prompts):
        groups.setdefault(len(tokenizer(prompt)["input_ids"]) if single else 0, []).append(i)
    texts = [""] * len(rows)
    for group in groups.values():
        batch = [prompts[i] for i in group]
        new_texts = generate(model, tokenizer, batch, max_new_tokens=new, batch_size=40)
        for i, text in zip(group, new_texts, strict=True):
            texts[i] = text
    return texts


def held_loss(model, tokenizer, rows: list[Row]) -> float:
    """Return the mean loss of the answers' tokens, in nats, by the way that training takes."""
    import torch

    from helpers.model.loss import encode
    from helpers.model.train import batches, label_loss

    made = [encode(tokenizer, row["messages"]) for row in rows]
    rng, total, count = torch.Generator(), 0.0, 0
    model.eval()
    with torch.no_grad():
        for ids, labels in batches(made, 16, tokenizer.pad_token_id, rng):
            n = int((labels[:, 1:] != -100).sum())
            total += n * label_loss(model, ids, labels).item()
            count += n
    return total / count


class Memory:
    """Watch this process: `rise` is how far its memory went above the start, in MB (1e6 bytes)."""

    def __enter__(self) -> "Memory":
        import psutil

        self.process, self.done = psutil.Process(), threading.Event()
        self.start = self.top = self.process.memory_info().rss
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()
        return self

    def _watch(self) -> None:
        while not self.done.wait(0.02):
            self.top = max(self.top, self.process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()
        self.rise = (self.top - self.start) / 1e6


# --- many runs ----------------------------------------------------------------------------------


def school() -> float:
    """Return the share of primary school's questions that the base model answers exactly."""
    from helpers.model.load import load

    threads()
    model, tokenizer = load(resolve("tiny"))
    from helpers.lingxi.score import exact_answers

    rows = select(world("general"), use="measure")
    return mean(exact_answers(answer(model, tokenizer, rows, False, 48), rows))


def recorded(path: Path) -> list[Row]:
    """Return the runs in a file; a line that a kill cut off is left out, and said."""
    rows = []
    for _, row in scan_jsonl(path) if path.is_file() else ():
        if isinstance(row, Problem):
            say(f"{path.name}: left out: {row.en}", f"{path.name}：已略去：{row.zh}")
        else:
            rows.append(row)
    return rows


def belongs(row: Row, grid: str, base: str) -> bool:
    """Tell whether a run is one of a grid's, whatever its seed, on this base model, and whole."""
    if row.get("base") != base or not set(sweeps.SETTINGS) | set(sweeps.MEASURES) <= row.keys():
        return False
    bare = {name: row[name] for name in sweeps.SETTINGS if name not in ("base", "seed")}
    return bare in GRIDS[grid]


def tidy(grid: str, folder: Path, others: list[Path], base: str) -> list[Row]:
    """Rewrite a grid's file with the runs that belong to it, each once; return them.

    `others` are files to take in; of two lines for one run the one that stood there first stays.
    """
    path = folder / f"{grid}.jsonl"
    rows = [row for p in [path, *others] for row in recorded(p)]
    kept: dict[tuple, Row] = {}
    for row in rows:
        if belongs(row, grid, base):
            kept.setdefault(sweeps.key(row), row)
    if path.is_file() or kept:
        write_jsonl(path, kept.values())
    if len(rows) > len(kept):
        n = len(rows) - len(kept)
        say(
            f"{grid}: {n} runs dropped (twice there, of another model, or not of the grid)",
            f"{grid}：去掉 {n} 条（重复、属于别的模型，或不在网格内）",
        )
    return list(kept.values())


def wanted(grids: list[str], seeds: list[int] | None, base: str) -> list[tuple[str, Row]]:
    """Return (grid, settings) of all runs, the first seed of each grid before any second one."""
    order = []
    for grid in grids:
        for i, seed in enumerate(seeds or SEEDS[grid]):
            order += [(i, grid, {"base": base, **c, "seed": seed}) for c in GRIDS[grid]]
    order.sort(key=lambda run: run[0])  # a stable sort: grids and settings keep their order
    return [(grid, settings) for _, grid, settings in order]


def run(grids: list[str], folder: Path, seeds, minutes: float, part: tuple[int, int]) -> int:
    """Make the runs that are not known yet; return how many failed."""
    base = sweeps.fingerprint()
    known = {}
    for grid in GRIDS:
        here = tidy(grid, folder, [], base) if grid in grids else recorded(folder / f"{grid}.jsonl")
        known |= {sweeps.key(row): row for row in here if belongs(row, grid, base)}
    done = {g: {sweeps.key(row) for row in recorded(folder / f"{g}.jsonl")} for g in grids}
    todo = [(g, s) for g, s in wanted(grids, seeds, base) if sweeps.key(s) not in done[g]]
    todo = todo[part[0] - 1 :: part[1]]
    say(f"{len(todo)} runs to make, base {base}", f"要跑 {len(todo)} 次，基座 {base}")
    end, general, failed = time.monotonic() + 60 * minutes, None, 0
    for n, (grid, settings) in enumerate(todo, 1):
        row = known.get(sweeps.key(settings))
        if row is None:
            if time.monotonic() > end:
                say("time is up; call again to go on", "时间到；再次运行会接着跑")
                break
            try:
                general = apart(school, fork=True) if general is None else general
                row = apart(measure, settings, general, fork=True)
            except CourseError as error:
                print(f"❌ {grid} {settings}: {error}", flush=True)
                failed += 1
                continue
        known[sweeps.key(settings)] = row
        append(folder / f"{grid}.jsonl", row)
        print(f"{n}/{len(todo)} {grid} {told(row)}", flush=True)
    return failed


def append(path: Path, row: Row) -> None:
    """Write one line at the end of a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")


def told(row: Row) -> str:
    """Return a run in one line."""
    return (
        f"{row['method']} r {row['r']} alpha {row['alpha']:g} {row['targets']} lr {row['lr']:g} "
        f"seed {row['seed']}: loss {row['loss']:.3f}, form {row['form']:.2f}, "
        f"all {row['all']:.2f}, "
        f"general {row['general']:.2f}, {row['seconds']:.0f} s, {row['memory']:.0f} MB"
    )


def listing(folder: Path) -> None:
    """Print the grids, with how many of their runs are recorded for this base model."""
    base = sweeps.fingerprint()
    for grid, configs in GRIDS.items():
        n = len(configs) * len(SEEDS[grid])
        rows = [r for r in recorded(folder / f"{grid}.jsonl") if belongs(r, grid, base)]
        print(f"{grid:10} {len(rows):3} / {n:3}")


def part(text: str) -> tuple[int, int]:
    """Read "i/n", the i-th of n parts. Raises argparse's error unless 1 <= i <= n."""
    found = re.fullmatch("([0-9]+)/([0-9]+)", text)
    i, n = map(int, found.groups()) if found else (0, 0)
    if not 1 <= i <= n:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no part: write i/n with i from 1 to n, such as 1/2 and 2/2 ｜ "
            f"{text!r} 不是有效的份：请写 i/n，i 取 1 到 n，例如 1/2 和 2/2"
        )
    return i, n


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", nargs="+", choices=list(GRIDS), help="grids, in order ｜ 网格")
    parser.add_argument("--seeds", nargs="+", type=int, help="other seeds ｜ 另选随机种子")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then ｜ 限时")
    parser.add_argument(
        "--part", type=part, default=(1, 1), help="i/n: each n-th run ｜ 只跑第 i 份"
    )
    parser.add_argument("--merge", nargs="+", type=Path, help="files to take in ｜ 并入的文件")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the files ｜ 输出目录")
    parser.add_argument("--list", action="store_true", help="what there is ｜ 列出进度")
    args = parser.parse_args(argv)
    try:
        if args.list or not args.grid:
            listing(args.out)
            return 0
        if args.merge:
            for grid in args.grid:
                rows = tidy(grid, args.out, args.merge, sweeps.fingerprint())
                say(f"{grid}: {len(rows)} runs", f"{grid}：共 {len(rows)} 条")
            return 0
        quiet()
        short_spin()
        import peft  # noqa: F401 - once here, so that each fork has it
        import transformers  # noqa: F401

        return int(run(args.grid, args.out, args.seeds, args.minutes, args.part) > 0)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
