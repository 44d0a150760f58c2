"""Let a kernel without a GPU take a GPU's branches; imported before a lesson's first cell.

AS_GPU names a JSON file: the compute `capability` to pretend (null: there is no GPU), the folders
that stand for the profiles' `models`, and the `log` to which each load of a model is written.
"""

import json
import os
from pathlib import Path

import torch
from accelerate import Accelerator
from transformers import training_args

from helpers import env
from helpers.model import generate
from helpers.model import load as models

ASKED = json.loads(Path(os.environ["AS_GPU"]).read_text(encoding="utf-8"))
MOST_TOKENS = 8  # of an answer: a random model never ends one


def on_the_cpu(profile: str, capability: tuple[int, int] | None) -> tuple[str, str, str, str]:
    """Choose as on the GPU, but stay on the CPU."""
    return "cpu", *choose_dtype(profile, capability)[1:]


def logged_load(setup, *, dtype: str | None = None, **options):
    """Load a model and note which and how."""
    loaded = load(setup, dtype=dtype, **options)
    if isinstance(setup, env.Setup):
        with Path(ASKED["log"]).open("a", encoding="utf-8") as log:
            log.write(json.dumps([Path(setup.model).name, dtype or setup.dtype]) + "\n")
    return loaded


def short_answers(model, tokenizer, rows, max_new_tokens: int) -> list[str]:
    """Answer a batch in few tokens."""
    return answer_batch(model, tokenizer, rows, min(max_new_tokens, MOST_TOKENS))


def checked_group(self, group: dict) -> None:
    """Refuse half-precision weights: under fp16 AdamW's eps is 0 and makes them nan.

    SGD has no such term; with it 05 shows what the scaler says to half-precision weights.
    """
    weights = group["params"]
    halves = {w.dtype for w in ([weights] if torch.is_tensor(weights) else weights)}
    if halves - {torch.float32} and not isinstance(self, torch.optim.SGD):
        raise AssertionError(f"an optimizer was given {halves}; weights are trained in float32")
    add_group(self, group)


def scaled(self, *args, **options) -> None:
    """Set up Accelerate; scale losses under fp16, and score only labels, as it does on a GPU."""
    from helpers.model.train import score_labels_only

    set_up(self, *args, **options)
    score_labels_only()
    if self.mixed_precision == "fp16":
        self.native_amp, self.scaler = True, torch.amp.GradScaler("cpu")


choose_dtype, load, answer_batch = env.choose_dtype, models.load, generate.answer_batch
add_group, set_up = torch.optim.Optimizer.add_param_group, Accelerator.__init__

env.gpu_capability = lambda: ASKED["capability"] and tuple(ASKED["capability"])
env.choose_dtype = on_the_cpu
env.PROFILES.update(ASKED["models"])
env.Setup.smoke = True
env.Setup.use_cpu = property(lambda setup: setup.profile not in ("t4", "gpu"))
models.load, generate.answer_batch = logged_load, short_answers
torch.optim.Optimizer.add_param_group, Accelerator.__init__ = checked_group, scaled
training_args.is_torch_bf16_gpu_available = lambda: True
