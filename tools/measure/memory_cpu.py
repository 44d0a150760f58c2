"""Measure the memory of real training steps on this CPU: data/sweeps/memory_cpu.jsonl.

    python -m tools.measure.memory_cpu --list    # the settings, those recorded ticked
    python -m tools.measure.memory_cpu           # measure the others; call again to go on

Each setting has a fresh process. It trains a small model first, so that libraries and threads are
there; then it builds the model of the setting with random weights and takes two steps, float32,
fused AdamW. `peak` is how far the process's memory (VmHWM of Linux) rose above where it stood
before the model: tensors, and what kernels take inside. glibc keeps freed pieces for later; with
MALLOC_MMAP_THRESHOLD_ each tensor has its own pages, which go back at once. Without it the same
steps take more.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from helpers.base import CourseError, root
from helpers.data.jsonl import Row, read_jsonl
from helpers.model.setting import METHODS, Setting, Shape, read
from tools.measure.memory import config_of
from tools.measure.sweep import append

FILE = root() / "data" / "sweeps" / "memory_cpu.jsonl"
SMALL = {"model": "SmolLM2-135M", "flash": True, "logits": "all"}
HALF = {"model": "Qwen2.5-0.5B", "flash": True, "logits": "all"}
SETTINGS: list[Row] = [
    {**SMALL, "method": "full_fp32", "batch": 2, "length": 256, "checkpointing": False},
    {**SMALL, "method": "full_fp32", "batch": 4, "length": 512, "checkpointing": False},
    {**SMALL, "method": "full_fp32", "batch": 4, "length": 512, "checkpointing": True},
    {**SMALL, "method": "lora_fp32", "batch": 2, "length": 256, "checkpointing": False},
    {**SMALL, "method": "lora_fp32", "batch": 4, "length": 512, "checkpointing": False},
    {**SMALL, "method": "lora_fp32", "batch": 4, "length": 512, "checkpointing": True},
    {**HALF, "method": "lora_fp32", "batch": 1, "length": 256, "checkpointing": False},
    {**HALF, "method": "lora_fp32", "batch": 2, "length": 512, "checkpointing": True},
    {**HALF, "method": "full_fp32", "batch": 1, "length": 256, "checkpointing": False},
    {**HALF, "method": "full_fp32", "batch": 1, "length": 512, "checkpointing": True},
]
TINY = Shape(64, 128, 1, 2, 1, 32, 100)


def two_steps(shape: Shape, setting: Setting) -> None:
    """Build a model with random weights and train it for two steps on random tokens."""
    import peft
    import torch
    import transformers

    method = METHODS[setting.method]
    model = transformers.AutoModelForCausalLM.from_config(
        config_of(shape), dtype=torch.float32, attn_implementation="sdpa"
    )
    if method.adapters:
        lora = peft.LoraConfig(r=setting.rank, target_modules="all-linear")
        model = peft.get_peft_model(model, lora)
    if setting.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if method.adapters:
            model.enable_input_require_grads()
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, fused=True)
    for _ in range(2):
        ids = torch.randint(0, shape.vocab, (setting.batch, setting.length))
        model(input_ids=ids, labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def memory(key: str) -> int:
    """Return a number of bytes that Linux keeps for this process: VmRSS now, VmHWM at most."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))


def measure(row: Row) -> int:
    """Return how far this process's memory rises at most over a model and two steps, in bytes."""
    import gc

    from helpers.env import threads

    threads()
    shape, setting = read(row)
    two_steps(TINY, setting._replace(batch=2, length=16))
    gc.collect()
    before = memory("VmRSS")
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the most starts anew
    two_steps(shape, setting)
    return memory("VmHWM") - before


def apart(row: Row) -> int:
    """Measure in a process of its own."""
    command = [sys.executable, "-m", "tools.measure.memory_cpu", "--one", json.dumps(row)]
    env = {**os.environ, "MALLOC_MMAP_THRESHOLD_": "65536", "PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=root(), env=env, capture_output=True, text=True)
    if done.returncode:
        raise CourseError(
            en=f"the measurement failed: {done.stderr[-400:]}",
            zh=f"测量失败：{done.stderr[-400:]}",
            where=json.dumps(row),
        )
    return int(done.stdout.split()[-1])


def main(argv: list[str] | None = None) -> int:
    """Measure the settings that are not recorded yet."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure.memory_cpu")
    parser.add_argument("--list", action="store_true", help="the settings ｜ 列出设置")
    parser.add_argument("--one", type=json.loads, help="a setting; prints its bytes ｜ 只测一个")
    asked = parser.parse_args(argv)
    try:
        if asked.one:
            print(measure(asked.one))
            return 0
        done: list[Any] = [read(row) for row in read_jsonl(FILE)] if FILE.is_file() else []
        for row in SETTINGS:
            known = read(row) in done
            if asked.list or known:
                print("✓" if known else "·", json.dumps(row))
                continue
            started = time.time()
            append(FILE, row | {"peak": apart(row)})
            print("+", json.dumps(row), f"{time.time() - started:.0f} s", flush=True)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
