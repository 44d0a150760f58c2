"""Measure the speed of training here: the trainer's defaults, our settings, a plain loop.

    python -m tools.measure.bench                     # measures all, writes data/sweeps/bench.json
    python -m tools.measure.bench --repeats 5 --rows 800
    python -m tools.measure.bench --clean 1000 10000 100000 1000000   # cleaning alone

Each run is a fresh process, so that peak memory is its own, and the variants take turns, so that
a busy neighbour slows them all alike. Never a timed test: figures belong to a machine.

All variants take batches of 8 rows and the same steps. Their losses are told, for they differ:
after one epoch, batches of like length stand about a tenth above random ones.
Where SFTTrainer's time goes on a CPU (read in TRL 1.16, measured by the variants between):
- `gradient_checkpointing=True` runs every layer's forward twice; there is memory to spare here.
- Random rows are padded to the longest of a batch; rows of like length need less of it.
- The LM head: on a GPU only the positions that have a label are scored; without Triton
  (`_fused_forward`, `compact = False`) every position is, padding too; entropy and the rank of the
  right token are computed for the log, and the backward pass computes all logits again.
  `helpers.model.train.score_labels_only` turns the GPU's way on.
- What is left between `ours` and the loop: the data loader, callbacks, accelerate's wrappers,
  metrics, and the attention mask, which a causal model padded on the right can do without.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from helpers.base import CourseError, root, say
from helpers.env import peak_memory_gb, set_seed, threads
from helpers.platforms import short_spin
from tools.process import apart

# ours: what the notebooks write; each variant is TRL's defaults and these
STEPS = {
    "defaults": {},
    "no_checkpointing": {"gradient_checkpointing": False},
    "by_length": {"gradient_checkpointing": False, "train_sampling_strategy": "group_by_length"},
}
STEPS["ours"] = STEPS["by_length"]
VARIANTS = ("defaults", "no_checkpointing", "by_length", "ours", "loop", "loop_full")
NAMES = {
    "defaults": "TRL's defaults ｜ TRL 默认设置",
    "no_checkpointing": "no gradient checkpointing ｜ 关闭梯度检查点",
    "by_length": "and rows of like length ｜ 再把长度相近的行分到一批",
    "ours": "and scores on labels only: as in the lessons ｜ 再只在标签处打分：课程的做法",
    "loop": "plain loop ｜ 朴素循环",
    "loop_full": "plain loop, all weights ｜ 朴素循环（全参数）",
}
BATCH = 8
LORA = {"r": 8, "lora_alpha": 16, "target_modules": "all-linear", "task_type": "CAUSAL_LM"}
FLAGS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve")


def trainer_run(model, tokenizer, rows, lr, num_epochs, seed, variant):
    """Train with SFTTrainer; return the seconds that `train()` took (clock, processor)."""
    from transformers.utils import logging
    from trl import SFTConfig, SFTTrainer

    from helpers.model.dataset import to_dataset
    from helpers.model.train import score_labels_only

    if variant == "ours":
        score_labels_only()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(
            output_dir=folder,
            bf16=False,  # the default raises on a CPU
            use_cpu=True,
            assistant_only_loss=True,
            learning_rate=lr,
            num_train_epochs=num_epochs,
            per_device_train_batch_size=BATCH,
            seed=seed,
            disable_tqdm=True,
            dataloader_pin_memory=False,  # else a warning on machines without a GPU
            **STEPS[variant],
        )
        trainer = SFTTrainer(
            model=model, args=args, train_dataset=to_dataset(rows), processing_class=tokenizer
        )
        return timed(trainer.train)


def timed(work):
    """Do some work; return the seconds by the clock and by this process's processor time."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - cpu


def one_run(args, variant, seed):
    """Train one variant in this process; return its figures."""
    import torch
    from peft import LoraConfig, get_peft_model

    from helpers.lingxi.files import world
    from helpers.model.loss import answer_losses, encode
    from helpers.model.train import fit

    threads()
    model, tokenizer = open_model(args.model)
    set_seed(seed)
    if variant != "loop_full":
        model = get_peft_model(model, LoraConfig(**LORA))
    rows = world("train")[: args.rows]
    encoded = [encode(tokenizer, row["messages"]) for row in rows]
    lr = args.lr if variant != "loop_full" else args.lr / 4
    before = peak_memory_gb()
    if variant.startswith("loop"):
        options = {"lr": lr, "num_epochs": args.epochs, "batch_size": BATCH, "seed": seed}
        clock, cpu = timed(lambda: fit(model, tokenizer, rows, **options))
    else:
        clock, cpu = trainer_run(model, tokenizer, rows, lr, args.epochs, seed, variant)
    peak = peak_memory_gb()
    tokens = args.epochs * sum(len(ids) for ids, _ in encoded)
    losses = answer_losses(model.eval(), tokenizer, world("eval")[:200])
    return {
        "variant": variant,
        "seed": seed,
        "tokens": tokens,
        "seconds": round(clock, 2),
        "cpu_seconds": round(cpu, 2),
        "tokens_per_s": round(tokens / clock),
        "peak_gb": round(peak, 3),
        "peak_gb_before": round(before, 3),
        "eval_loss": round(sum(x for x, _ in losses) / sum(n for _, n in losses), 5),
        "threads": torch.get_num_threads(),
    }


def open_model(name):
    """Load a model folder, or make a random one of the same shape with the name "toy"."""
    if name != "toy":
        from helpers.model.load import load

        return load(name)
    folder = root() / "build" / "bench-toy"
    if (folder / "tokenizer.json").exists():  # made once: BPE training breaks ties by chance
        return open_model(folder)
    model, tokenizer = make_toy()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model, tokenizer


def make_toy():
    """Make a random Qwen2 of the tiny model's size, and a tokenizer trained on train.jsonl."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    from helpers.lingxi.files import world

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    marks = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    bpe.train_from_iterator(
        (message["content"] for row in world("train") for message in row["messages"]),
        trainers.BpeTrainer(
            vocab_size=2048, special_tokens=marks, initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token=marks[0], eos_token=marks[2]
    )
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}"
        "{% if m.role == 'assistant' %}{% generation %}{{ m.content + '<|im_end|>' }}"
        "{% endgeneration %}{{ '\n' }}{% else %}{{ m.content + '<|im_end|>\n' }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    set_seed(0)
    shape = {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 4}
    config = Qwen2Config(
        vocab_size=2048, num_attention_heads=4, num_key_value_heads=4, tie_word_embeddings=True,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id, **shape,
    )  # fmt: skip
    return Qwen2ForCausalLM(config), tokenizer


# --- the share of the machine that a step reaches -----------------------------------------------


def step_flops(config, batch, length):
    """Return the floating-point operations of one training step of all weights.

    A product of (m, k) by (k, n) takes 2mkn. Per token and layer: the attention's four
    projections, the MLP's three, and 4·length·hidden for scores and values (causal attention
    counted in full, as in PaLM, appendix B). The backward pass takes twice the forward.
    """
    width, layers, mlp = config.hidden_size, config.num_hidden_layers, config.intermediate_size
    heads = config.num_key_value_heads / config.num_attention_heads
    layer = 2 * width * width * (2 + 2 * heads) + 2 * 3 * width * mlp + 4 * length * width
    return 3 * batch * length * (layers * layer + 2 * width * config.vocab_size)


def sgemm_seconds(matrix):
    """Return the seconds of one large float32 product."""
    started = time.perf_counter()
    matrix @ matrix
    return time.perf_counter() - started


def grid_run(args):
    """Time training steps by batch and length, each beside a large product of matrices."""
    import torch

    threads()
    model, _ = open_model(args.model)
    model.train()
    side = 2048
    matrix = torch.randn(side, side)
    sgemm_seconds(matrix)
    cells = []
    for batch in args.batches:
        for length in args.lengths:
            times = [
                (step_seconds(model, batch, length), sgemm_seconds(matrix))
                for _ in range(args.grid_repeats + 1)
            ][1:]  # the first step allocates
            step, product = (statistics.median(column) for column in zip(*times, strict=True))
            rate = step_flops(model.config, batch, length) / step
            machine = 2 * side**3 / product
            cells.append(
                {
                    "batch": batch,
                    "length": length,
                    "tokens_per_s": round(batch * length / step),
                    "gflops": round(rate / 1e9, 1),
                    "sgemm_gflops": round(machine / 1e9, 1),
                    "share": round(rate / machine, 4),
                }
            )
    return {"cells": cells, "sgemm_side": side}


def step_seconds(model, batch, length):
    """Return the seconds of one forward and backward pass with a label on every token."""
    import torch

    ids = torch.randint(model.config.vocab_size, (batch, length))
    started = time.perf_counter()
    logits = model(input_ids=ids, use_cache=False).logits[:, :-1]
    torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten()).backward()
    model.zero_grad()
    return time.perf_counter() - started


# --- cleaning, by the number of rows ------------------------------------------------------------


def clean_run(n, seed):
    """Clean n rows in this process; return the seconds and the memory that it took."""
    from helpers.lingxi.clean import clean
    from helpers.lingxi.files import world
    from helpers.platforms import quiet

    quiet()
    rows = made_rows(n, seed)
    held_out, code, before = world("eval"), world("code"), peak_memory_gb()
    faults_found = []
    clock, cpu = timed(lambda: faults_found.extend(clean(rows, held_out, code)["fault"][:]))
    figures = {"seconds": round(clock, 2), "cpu_seconds": round(cpu, 2)}
    figures |= {"peak_gb": round(peak_memory_gb(), 3), "peak_gb_before": round(before, 3)}
    copies = len(rows) - len({row["id"] for row in rows})
    faults = len(rows) - faults_found.count("")
    return {"rows": len(rows), "copies": copies, "faults": faults, **figures}


def made_rows(n, seed):
    """Make n rows as train.jsonl has them, two in a hundred of which stand there twice."""
    import random

    from helpers.lingxi.files import world
    from helpers.lingxi.rows import make
    from helpers.lingxi.sampler import LANGS, context

    rng, kinds = random.Random(seed), ("notice",) * 6 + ("question",) * 2 + ("followup",)
    seen, rows = [a for a in world("code") if a["split"] == "seen"], []
    for i in range(n):
        article = rng.choice(seen)
        docs = context(rng, article, seen, 3) if rng.random() < 0.6 else []
        row = make(rng, rng.choice(kinds), LANGS[i % 2], article, docs, f"LX{i:06d}")
        rows.append({"id": str(i), **row} if rng.random() > 0.02 or not i else rng.choice(rows))
    return rows


def clean_bench(args):
    """Time the cleaning for each number of rows, each in a fresh process; write and draw it."""
    from helpers.base import atomic_file
    from helpers.show.plots import curves
    from helpers.show.style import style

    runs = []
    for n in args.clean:
        runs.append(apart(clean_run, n, 0))
        seconds, peak = runs[-1]["seconds"], runs[-1]["peak_gb"]
        say(f"{n:,} rows: {seconds} s, {peak} GB", f"{n:,} 行：{seconds} 秒，{peak} GB")
    out = args.out.with_name("cleaning.json")
    with atomic_file(out) as new:
        report = {"machine": machine(), "runs": runs}
        new.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    style()
    counts = [run["rows"] for run in runs]
    drawing = curves(
        {"seconds ｜ 秒": (counts, [run["seconds"] for run in runs])},
        title="Cleaning grows with the rows ｜ 清洗用时随行数增长",
        xlabel="rows ｜ 行数",
        ylabel="seconds ｜ 秒",
        logx=True,
    )
    drawing.axes[0].set_yscale("log")
    path = root() / "build" / "cleaning.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=150)


# --- the whole benchmark ------------------------------------------------------------------------


def machine():
    """Describe the processor and the versions; nothing that names the machine or its user."""
    import psutil

    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    facts = {line.partition(":")[0].strip(): line.partition(":")[2].strip() for line in lines}
    flags = (facts.get("flags") or facts.get("Features") or "").split()
    return {
        "processor": facts.get("model name") or platform.machine(),
        "cores": psutil.cpu_count(logical=False) or os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "flags": [flag for flag in FLAGS if flag in flags],
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "trl", "peft")},
    }


def summarise(runs):
    """Return the medians of each variant, and what the speed goals compare."""
    table = {}
    for variant in dict.fromkeys(run["variant"] for run in runs):
        mine = [run for run in runs if run["variant"] == variant]
        speeds = [run["tokens_per_s"] for run in mine]
        table[variant] = {
            "tokens_per_s": round(statistics.median(speeds)),
            "slowest": min(speeds),
            "fastest": max(speeds),
            "peak_gb": statistics.median(run["peak_gb"] for run in mine),
            "eval_loss": round(statistics.mean(run["eval_loss"] for run in mine), 5),
        }
    if "defaults" in table:
        for row in table.values():
            row["times_defaults"] = round(
                row["tokens_per_s"] / table["defaults"]["tokens_per_s"], 2
            )
            row["loss_against_defaults"] = round(
                row["eval_loss"] / table["defaults"]["eval_loss"] - 1, 4
            )
    return table


def show(table):
    """Print the summary, one line a variant."""
    for variant, row in table.items():
        en, zh = NAMES[variant].split(" ｜ ")
        speed, times = row["tokens_per_s"], row.get("times_defaults", 1)
        memory, loss = f"{row['peak_gb']:.2f} GB", f"{row['eval_loss']:.4f}"
        say(
            f"{en}: {speed} tokens/s, × {times}, {memory}, loss {loss}",
            f"{zh}：每秒 {speed} 个词元，{times} 倍，{memory}，损失 {loss}",
        )


def publish(table, facts, page):
    """Write the table of a benchmark between its markers in a page of markdown."""
    from helpers.base import atomic_file

    start, end = "<!-- bench:start -->", "<!-- bench:end -->"
    head = "| way ｜ 做法 | tokens a second ｜ 每秒词元 | × | GB | loss ｜ 损失 |"
    lines = [f"{facts['processor']}, {facts['cores']} cores, torch {facts['torch']}", "", head]
    lines += ["|---|---|---|---|---|"]
    for variant, row in table.items():
        span = f"{row['tokens_per_s']:,} ({row['slowest']:,} … {row['fastest']:,})"
        memory, loss = f"{row['peak_gb']:.2f}", f"{row['eval_loss']:.3f}"
        cells = NAMES[variant], span, f"{row.get('times_defaults', 1):.2f}", memory, loss
        lines.append("| " + " | ".join(cells) + " |")
    before, rest = page.read_text(encoding="utf-8").split(start)
    text = f"{before}{start}\n" + "\n".join(lines) + f"\n{end}{rest.split(end)[1]}"
    with atomic_file(page) as new:
        new.write_text(text, encoding="utf-8")


def draw(cells, path):
    """Draw the share of the machine's sgemm rate by length, one line for each batch."""
    from helpers.show.plots import curves
    from helpers.show.style import style

    style()
    lines = {}
    for batch in dict.fromkeys(cell["batch"] for cell in cells):
        mine = [cell for cell in cells if cell["batch"] == batch]
        x, y = [cell["length"] for cell in mine], [100 * cell["share"] for cell in mine]
        lines[f"batch {batch} ｜ 批量 {batch}"] = (x, y)
    drawing = curves(
        lines,
        title="What a training step gets out of this CPU ｜ 一步训练用到了 CPU 的几成",
        xlabel="tokens in a row ｜ 每行词元数",
        ylabel="% of the matrix-product rate ｜ 占矩阵乘法速度的 %",
        logx=True,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    drawing.savefig(path, dpi=150)


def parse():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--model", default="data/models/xiaoxi", help='a model folder, or "toy" for a random one')
    add("--rows", type=int, default=400, help="rows of train.jsonl")
    add("--epochs", type=float, default=1)
    add("--lr", type=float, default=2e-3, help="LoRA's learning rate; all weights take a quarter")
    add("--repeats", type=int, default=5)
    add("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    add("--batches", nargs="+", type=int, default=[1, 4, 16, 64])
    add("--lengths", nargs="+", type=int, default=[32, 64, 128, 256, 512])
    add("--grid-repeats", type=int, default=7)
    add("--clean", nargs="+", type=int, help="time the cleaning of so many rows, nothing else")
    add("--out", type=Path, default=root() / "data" / "sweeps" / "bench.json")
    return parser.parse_args()


def main():
    """Run all variants in turn, then the grid; write the figures and the plot."""
    from helpers.base import atomic_file

    args = parse()
    short_spin()
    if args.clean:
        clean_bench(args)
        return
    work = {"rows": args.rows, "epochs": args.epochs, "lr": args.lr}
    runs = []
    for seed in range(args.repeats):
        for variant in args.variants:
            runs.append(apart(one_run, args, variant, seed))
            speed = runs[-1]["tokens_per_s"]
            say(
                f"{seed + 1}/{args.repeats} {variant}: {speed} tokens/s",
                f"{variant}：每秒 {speed} 个词元",
            )
    grid = apart(grid_run, args)
    table = summarise(runs)
    settings = work | {"model": Path(args.model).name, "lora": LORA, "repeats": args.repeats}
    report = {
        "machine": machine(),
        "settings": settings,
        "summary": table,
        "grid": grid,
        "runs": runs,
    }
    with atomic_file(args.out) as new:
        new.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    draw(grid["cells"], root() / "notebooks" / "img" / "bench.png")
    publish(table, report["machine"], root() / "data" / "sweeps" / "README.md")
    show(table)


if __name__ == "__main__":
    try:
        main()
    except CourseError as error:
        sys.exit(f"❌ {error}")
