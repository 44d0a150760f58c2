"""A training run that is killed outright, in the middle of a step, goes on as if unbroken."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.base import root

RUN = """
import json, sys
from peft import LoraConfig, get_peft_model
from transformers import TrainerCallback
from trl import SFTConfig, SFTTrainer
from helpers.model.dataset import to_dataset
from helpers.env import set_seed
from helpers.lingxi.files import select, world
from helpers.model.load import load

folder, resume = sys.argv[1], sys.argv[2] == "resume"

class Tell(TrainerCallback):
    def on_log(self, args, state, control, logs=None, **rest):
        if "loss" in logs:
            with open(f"{folder}/losses.jsonl", "a") as file:
                file.write(json.dumps([state.global_step, float(logs["loss"])]) + "\\n")

set_seed(0)
model, tokenizer = load("data/models/xiaoxi")
rows = select(world("train"), task="notice", context=False)[:64]
args = SFTConfig(
    output_dir=folder, max_steps=16, save_steps=4, logging_steps=1, use_cpu=True, bf16=False,
    per_device_train_batch_size=4, gradient_checkpointing=False, learning_rate=1e-2, seed=0,
    assistant_only_loss=True, disable_tqdm=True, report_to="none", dataloader_pin_memory=False,
)
lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
SFTTrainer(
    model=get_peft_model(model, lora), args=args, train_dataset=to_dataset(rows),
    processing_class=tokenizer, callbacks=[Tell()],
).train(resume_from_checkpoint=resume)
"""


def begin(folder: Path, how: str) -> subprocess.Popen:
    """Start a run of 16 steps in a process of its own, with a checkpoint at every fourth."""
    folder.mkdir(exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder), how],
        cwd=root(),
        env=os.environ | {"PYTHONPATH": str(root()), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def losses(folder: Path) -> dict[int, float]:
    """Return the loss of each step so far; of a step taken twice, the later."""
    path = folder / "losses.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(map(json.loads, lines))


def test_a_killed_run_resumes_with_the_same_losses(tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert begin(whole, "new").wait(300) == 0
    run, late = begin(cut, "new"), time.monotonic() + 300
    while max(losses(cut), default=0) < 6 and time.monotonic() < late:
        time.sleep(0.002)
    run.send_signal(signal.SIGKILL)
    assert run.wait(60) == -signal.SIGKILL, "killed before it could finish"
    reached = max(losses(cut))
    assert reached < 16
    assert begin(cut, "resume").wait(300) == 0
    expected, found = losses(whole), losses(cut)
    assert sorted(found) == sorted(expected) == list(range(1, 17))
    assert [found[step] for step in expected] == pytest.approx(list(expected.values()), abs=1e-4)
