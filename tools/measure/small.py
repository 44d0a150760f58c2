"""Train a real model many times: data/sweeps/small.jsonl, one run of SmolLM2-135M a line.

    python -m tools.measure.small --list               # the runs, those recorded ticked
    python -m tools.measure.small --minutes 60         # the most telling first; call again to go on
    python -m tools.measure.small --part 1/2           # half of them, in a process beside the other
    python -m tools.measure.small --rescore            # the kept answers marked anew, no training

English alone, since SmolLM2 hardly knows Chinese. Kill it when you like: a run that is written is
whole. A run on two CPU cores takes some twenty minutes, on a data-centre GPU under one. The texts
that a run answered lie in build/small/answers, so that a change of the scorer needs no new run.
"""

import argparse
import hashlib
import json
import math
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

from helpers.base import CourseError, atomic_file, root, say
from helpers.data.jsonl import Row, read_jsonl, write_jsonl
from helpers.env import Setup, resolve, set_seed, threads
from helpers.lingxi.files import select, world
from helpers.model.gguf import SMOLLM2
from helpers.platforms import quiet, short_spin
from tools.measure.sweep import append, finite, mean, part, recorded
from tools.process import apart

FILE = root() / "data" / "sweeps" / "small.jsonl"
QUESTIONS = root() / "data" / "sweeps" / "general_en.jsonl"
KEPT = root() / "build" / "small"
N_TEST, NEW, NEW_GENERAL = 40, 96, 24  # incidents to test on; tokens of a notice and of an answer

# what a run is asked to do; `replay` counts general rows that the base model answered itself
SHAPE = {
    "method": "lora", "targets": "all-linear", "r": 8, "alpha": 16, "lr": 3e-3, "rows": 240,
    "epochs": 3, "replay": 0, "shots": 0, "seed": 0,
}  # fmt: skip
NONE = {"method": "none", "targets": "", "r": 0, "alpha": 0, "lr": 0.0, "rows": 0, "epochs": 0}
FULL = {"method": "full", "targets": "", "r": 0, "alpha": 0}

# the runs of one seed, the most telling first
RUNS: list[dict[str, Any]] = [
    {"lr": 3e-3},
    {**FULL, "lr": 3e-4},
    {"lr": 3e-3, "replay": 50},
    {**FULL, "lr": 3e-4, "replay": 50},
    {"method": "qlora", "lr": 3e-3},
    {"lr": 3e-3, "r": 1, "alpha": 2},
    {"lr": 3e-3, "targets": "qv"},
    {**FULL, "lr": 1e-4},
    {"lr": 1e-3},
    {**FULL, "lr": 1e-4, "replay": 50},
    {"lr": 3e-3, "replay": 200},
    {**FULL, "lr": 3e-4, "replay": 200},
    {"lr": 3e-3, "r": 64, "alpha": 128},
    {"lr": 1e-3, "r": 64, "alpha": 128},
    {"lr": 1e-2, "targets": "qv"},
    {"lr": 1e-2, "r": 1, "alpha": 2},
    {"lr": 1e-2},
    {"lr": 3e-4},
    {**FULL, "lr": 3e-5},
    {**FULL, "lr": 1e-3},
    {"method": "qlora", "lr": 1e-3},
    {"method": "qlora", "lr": 1e-2},
    {**FULL, "lr": 1e-4, "epochs": 20},
    {**FULL, "lr": 3e-4, "epochs": 20},
]
SEEDS = (0, 1, 2)

# what the base model is asked for replay: no question of the test is among them
REPLAY = (
    "Write one sentence about {}.",
    "What is {} used for?",
    "Why do people like {}?",
    "Give one tip about {}.",
    "Write a short poem about {}.",
    "Describe {} to a child.",
    "Name two things that go well with {}.",
    "Write the first sentence of a story about {}.",
)
TOPICS = (
    "a bicycle", "a garden", "music", "a library", "rain", "a kitchen", "a train journey", "bread",
    "a mirror", "winter", "a bridge", "football", "a wooden chair", "the moon", "coffee", "a river",
    "an old clock", "a market", "painting", "a candle", "a school trip", "salt", "a lighthouse",
    "chess", "a warm coat", "photography", "a busy street", "tea", "a violin", "mountain walking",
)  # fmt: skip


def wanted(seeds: tuple[int, ...] = SEEDS) -> list[Row]:
    """Return the settings of all runs, prompting first, then the first seed before the others."""
    prompting = [
        SHAPE | NONE | {"shots": shots, "seed": seed} for shots in (2, 1) for seed in seeds
    ]
    trained = [SHAPE | run | {"seed": seed} for seed in seeds for run in RUNS]
    return [SHAPE | NONE, *prompting, *trained]


def key(row: Row) -> str:
    """Return eight hex digits that name a run's settings."""
    text = json.dumps([row[name] for name in SHAPE])
    return hashlib.sha256(text.encode()).hexdigest()[:8]


# --- one run ------------------------------------------------------------------------------------


def setup() -> Setup:
    """Return where the model runs: a GPU in float32 without TF32, else the CPU."""
    import torch

    made = resolve("tiny", SMOLLM2)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    return made._replace(device="cuda") if torch.cuda.is_available() else made


def questions() -> dict[str, list[Row]]:
    """Return the rows that a model is asked, by the name of the group."""
    rows = select(world("eval"), task="notice", lang="en")
    unseen, seen = select(rows, split="unseen"), select(rows, split="seen")
    closed = select(unseen, context=False)[:N_TEST]
    three = {row["id"][:9]: row for row in unseen if len(row["context"]) == 3}
    return {
        "open": [three[row["id"][:9]] for row in closed],
        "closed": closed,
        "seen_closed": select(seen, context=False)[:N_TEST],
        "general": read_jsonl(QUESTIONS),
    }


def with_shots(row: Row, number: int, seed: int) -> list[Row]:
    """Return a row's messages up to the question, `number` solved examples of its kind before."""
    same = select(world("train"), task="notice", lang="en", context=bool(row["context"]))
    shown = random.Random(seed).sample(same, number)
    return [message for example in shown for message in example["messages"]] + row["messages"][:-1]


def answers(model, tokenizer, settings: Row) -> dict[str, list[str]]:
    """Return what a model says to all questions, by the name of the group."""
    from helpers.model.generate import generate

    found = {}
    for name, rows in questions().items():
        if name == "general":
            prompts, new = [row["messages"] for row in rows], NEW_GENERAL
        else:
            prompts = [with_shots(row, settings["shots"], settings["seed"]) for row in rows]
            new = NEW
        options = {"max_new_tokens": new, "batch_size": 20 if settings["shots"] else 40}
        found[name] = generate(model, tokenizer, prompts, **options)
    return found


def base_says(name: str, prompts: list[list[Row]], new: int) -> list[str]:
    """Return what the base model answers to prompts; asked once, then kept under the name."""
    path = KEPT / f"{name}.json"
    if not path.is_file():
        from helpers.model.generate import generate
        from helpers.model.load import load

        texts = generate(*load(setup()), prompts, max_new_tokens=new, batch_size=40)
        with atomic_file(path) as new_file:
            new_file.write_text(json.dumps(texts, ensure_ascii=False), encoding="utf-8")
    return json.loads(path.read_text(encoding="utf-8"))


def replay_rows(number: int) -> list[Row]:
    """Return rows of the old kind: questions that the base model has answered itself."""
    asked = [form.format(topic) for topic in TOPICS for form in REPLAY]
    random.Random(0).shuffle(asked)
    prompts = [[{"role": "user", "content": text}] for text in asked[:200]]
    texts = base_says("replay", prompts, 48)
    return [
        {"messages": [*prompt, {"role": "assistant", "content": text}]}
        for prompt, text in zip(prompts[:number], texts, strict=False)
    ]


def measure(settings: Row) -> Row:
    """Train once, if the method trains, and answer; keep the answers and return the run's line."""
    import torch

    from helpers.model.load import load, parameter_counts
    from helpers.model.methods import adapt
    from helpers.model.train import fit

    quiet()
    cores, place = threads(), setup()
    replay = replay_rows(settings["replay"]) if settings["replay"] else []
    set_seed(settings["seed"])
    model, tokenizer = load(place, four_bit=settings["method"] == "qlora")
    total = parameter_counts(model)[1]
    made: Row = {"trainable": 0, "total": total, "loss": None}
    started = time.perf_counter()
    if settings["method"] != "none":
        shape = {name: settings[name] for name in ("r", "alpha")}
        targets = settings["targets"] or "all-linear"
        model = adapt(model, settings["method"], targets=targets, **shape)
        made["trainable"] = parameter_counts(model)[0]
        rows = select(world("train"), task="notice", lang="en")[: settings["rows"]]
        losses = fit(
            model, tokenizer, rows + replay, lr=settings["lr"], num_epochs=settings["epochs"],
            seed=settings["seed"], device=place.device,
            rows_at_once=4 if place.use_cpu else None, on_step=tell,
        )  # fmt: skip
        made["loss"] = finite(sum(losses[-10:]) / len(losses[-10:]))
    made["train_seconds"] = round(time.perf_counter() - started, 1)
    started = time.perf_counter()
    texts = answers(model, tokenizer, settings)
    made["answer_seconds"] = round(time.perf_counter() - started, 1)
    name = torch.cuda.get_device_name() if not place.use_cpu else f"CPU, {cores} threads"
    made |= {"model": f"{SMOLLM2} (Q4_1, dequantised)", "device": name, "dtype": "float32"}
    keep(settings, made, texts)
    return settings | made | marks(texts)


def tell(step: int, loss: float) -> None:
    """Print the loss of each fifth step: a run on a CPU takes long."""
    if step % 5 == 0:
        print(f"    step {step}: loss {loss:.3f}", flush=True)


def keep(settings: Row, made: Row, texts: dict[str, list[str]]) -> None:
    """Keep a run's answers, so that they can be marked anew."""
    path = KEPT / "answers" / f"{key(settings)}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"settings": settings, "made": made, "texts": texts}, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")


# --- marks --------------------------------------------------------------------------------------


def marks(texts: dict[str, list[str]]) -> Row:
    """Return the marks of a run's answers: shares, each over the rows of its group."""
    from helpers.lingxi.score import score_notices

    rows, found = questions(), {}
    for group in ("open", "closed", "seen_closed"):
        scores = score_notices(texts[group], rows[group])
        for name in ("form", "term", "plate", "facts", "all"):
            found[f"{name}_{group}"] = mean(scores[name])
    found["n"], found["n_seen"] = len(rows["open"]), len(rows["seen_closed"])
    known = [states_answer(t, r) for t, r in zip(texts["general"], rows["general"], strict=True)]
    found["general"], found["n_general"] = mean(known), len(known)
    before = base_knows()
    if before is not None:
        kept = [now for now, was in zip(known, before, strict=True) if was]
        found["forgotten"], found["n_known"] = round(1 - mean(kept), 4), len(kept)
    notices = [text.lstrip().startswith("[LINGXI") for text in texts["general"]]
    found["notices_for_questions"] = mean(notices)
    return found


def states_answer(text: str, row: Row) -> bool:
    """Tell whether an answer names one of the accepted ones as a word."""
    return any(re.search(rf"(?<!\w){re.escape(a)}(?!\w)", text, re.I) for a in row["answers"])


def base_knows() -> list[bool] | None:
    """Return which general questions the base model answers rightly, None before it was asked."""
    path = KEPT / "base_general.json"
    if not path.is_file():
        return None
    texts = json.loads(path.read_text(encoding="utf-8"))
    return [states_answer(t, r) for t, r in zip(texts, read_jsonl(QUESTIONS), strict=True)]


def ask_base() -> None:
    """Let the base model answer the general questions: what a run forgot is counted on them."""
    prompts = [row["messages"] for row in read_jsonl(QUESTIONS)]
    base_says("base_general", prompts, NEW_GENERAL)


# --- many runs ----------------------------------------------------------------------------------


def run(seeds: tuple[int, ...], minutes: float, share: tuple[int, int], file: Path) -> int:
    """Make the runs that are not recorded yet; return how many failed."""
    done = {key(row) for row in recorded(file)}
    todo = [row for row in wanted(seeds) if key(row) not in done][share[0] - 1 :: share[1]]
    say(f"{len(todo)} runs to make", f"要跑 {len(todo)} 次")
    if todo:
        ask_base()
    end, failed = time.monotonic() + 60 * minutes, 0
    for n, settings in enumerate(todo, 1):
        if time.monotonic() > end:
            say("time is up; call again to go on", "时间到；再次运行会接着跑")
            break
        try:
            row = apart(measure, settings, fork=True)
        except CourseError as error:
            print(f"❌ {settings}: {error}", flush=True)
            failed += 1
            continue
        append(file, row)
        print(f"{n}/{len(todo)} {told(row)}", flush=True)
    return failed


def told(row: Row) -> str:
    """Return a run in one line."""
    return (
        f"{row['method']} r {row['r']} {row['targets']} lr {row['lr']:g} epochs {row['epochs']} "
        f"replay {row['replay']} shots {row['shots']} seed {row['seed']}: "
        f"form {row['form_open']:.2f}, facts {row['facts_open']:.2f}, all {row['all_open']:.2f}, "
        f"general {row['general']:.2f}, forgotten {row.get('forgotten')}, "
        f"{row['train_seconds']:.0f} + {row['answer_seconds']:.0f} s, {row['device']}"
    )


def rescore(file: Path) -> None:
    """Mark the kept answers anew and write the file again, in the order of `wanted`."""
    old = {key(row): row for row in recorded(file)}
    for path in sorted((KEPT / "answers").glob("*.json")):
        kept = json.loads(path.read_text(encoding="utf-8"))
        old[path.stem] = kept["settings"] | kept["made"] | marks(kept["texts"])
    order = [key(row) for row in wanted()]
    rows = sorted(old.items(), key=lambda item: order.index(item[0]) if item[0] in order else 999)
    write_jsonl(file, [row for _, row in rows])
    say(f"{len(rows)} runs", f"共 {len(rows)} 条")


def main(argv: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--list", action="store_true", help="what there is ｜ 列出进度")
    parser.add_argument("--rescore", action="store_true", help="mark anew ｜ 重新评分")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, help="seeds ｜ 随机种子")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop then ｜ 限时")
    parser.add_argument(
        "--part", type=part, default=(1, 1), help="i/n: each n-th run ｜ 只跑第 i 份"
    )
    parser.add_argument("--out", type=Path, default=FILE, help="the file ｜ 输出文件")
    args = parser.parse_args(argv)
    try:
        if args.list:
            done = {key(row) for row in recorded(args.out)}
            for row in wanted(tuple(args.seeds)):
                print("✅" if key(row) in done else "·", *(f"{k}={v}" for k, v in row.items()))
            return 0
        if args.rescore:
            rescore(args.out)
            return 0
        quiet()
        short_spin()
        import peft  # noqa: F401 - once here, so that each fork has it
        import transformers  # noqa: F401

        return int(run(tuple(args.seeds), args.minutes, args.part, args.out) > 0)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
