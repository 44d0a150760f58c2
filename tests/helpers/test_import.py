"""Importing all helpers is quick: what is heavy waits until it is used."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {
    "torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes", "tokenizers",
    "safetensors", "huggingface_hub", "numpy", "scipy", "pandas", "matplotlib", "PIL",
    "ipywidgets", "IPython",
}  # fmt: skip
BOUND = 1.5  # seconds; 0.3 on a quiet machine, more where the neighbours are loud
PROGRAM = """
import importlib, json, pathlib, sys, time
paths = sorted(p for p in pathlib.Path("helpers").rglob("*.py") if p.stem != "__init__")
names = [".".join(p.with_suffix("").parts) for p in paths]
began = time.perf_counter()
for name in names:
    importlib.import_module(name)
spent = time.perf_counter() - began
print(json.dumps({"names": names, "spent": spent, "loaded": sorted(sys.modules)}))
"""


def test_cold_import_of_all_helpers_is_light():
    command = [sys.executable, "-c", PROGRAM]
    tries = []
    for _ in range(3):  # the first may read from a cold disk
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        tries.append(json.loads(done.stdout))
    assert {"helpers.env", "helpers.data.jsonl", "helpers.model.load"} <= set(tries[0]["names"])
    loaded = {m.split(".")[0] for m in tries[0]["loaded"]}
    assert not loaded & HEAVY
    assert min(t["spent"] for t in tries) < BOUND
    assert not done.stdout.startswith(" ") and done.stderr == "", "importing prints nothing"
