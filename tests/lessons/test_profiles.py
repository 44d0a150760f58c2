"""Every lesson runs under small, t4 (float16) and gpu (bfloat16), on the CPU, at smoke's sizes.

Under small it stands without a GPU, and in English alone. The models are random, narrow Qwen2s,
one for each profile; their tokenizer is Qwen2.5's, cut down to the tokens of the course's texts:
with all 151,936 rows one step in float16 takes ten seconds. What a CPU cannot do, as_gpu.py does
in its place, in the lesson's kernel alone:

- the compute capability is pretended; the device stays "cpu", but `use_cpu` is False;
- Accelerate gets the GradScaler and the fp16 autocast that it keeps for GPUs, Transformers
  believes that bfloat16 is there, and TRL scores the labels alone, as where Triton runs;
- `smoke` is True, and answers end after a few tokens;
- an optimizer that is given half-precision weights raises: on a T4 they become nan.

Not reached: a GPU's kernels and memory, and tensors that were left on another device.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers.lingxi.files import WORLD, world
from tests.toys import qwen_tokenizer, random_qwen2
from tools.nbkit.source import code_text, sources

ROOT = Path(__file__).resolve().parents[2]
CODE = {p.stem: code_text(p) for p in sources(ROOT)}
CAPABILITY = {"small": None, "t4": (7, 5), "gpu": (8, 0)}
OWN = {"small": ("small", "float32"), "t4": ("t4", "float16"), "gpu": ("gpu", "bfloat16")}
# all weights are trained: too much for gpu's own model, of 7B
WHOLE = {"small": OWN["small"], "t4": ("t4", "float32"), "gpu": ("t4", "float32")}
XIAOXI = ("xiaoxi", "float32")
SPARE_ROWS = 271  # of the embedding: Qwen2.5-0.5B has 151,936 for 151,665 tokens

pytestmark = pytest.mark.notebooks


def texts(value: object) -> list[str]:
    """List the strings in rows of data."""
    if isinstance(value, str):
        return [value]
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for part in parts for text in texts(part)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Make a folder with a model for each profile."""
    folder = tmp_path_factory.mktemp("models")
    lines = texts([world(name) for name in WORLD])
    tokenizer, whole = qwen_tokenizer(lines), qwen_tokenizer()
    assert all(tokenizer.tokenize(line) == whole.tokenize(line) for line in lines[::500])
    rows = len(tokenizer) + SPARE_ROWS
    for seed, name in enumerate(CAPABILITY):
        model = random_qwen2(tokenizer, vocab_size=rows, seed=seed, hidden=32, kv_heads=2)
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def courses(tmp_path_factory):
    """Copy the course for each profile: a learner's own adapters and results stay whole."""
    folder = tmp_path_factory.mktemp("courses")
    ignored = shutil.ignore_patterns("__pycache__", "*.ipynb")
    for profile in CAPABILITY:
        for name in ("helpers", "notebooks", "data"):
            shutil.copytree(ROOT / name, folder / profile / name, ignore=ignored)
        shutil.copy(ROOT / "requirements.txt", folder / profile)
    return folder


class Run(NamedTuple):
    """What became of a lesson's run."""

    ok: bool
    output: str
    loads: set[tuple[str, str]]  # (model, dtype)


def run(name: str, course: Path, models: Path, folder: Path) -> Run:
    """Run a lesson in a copy of the course named for the profile; its kernel imports as_gpu.py."""
    startup, log, asked = (folder / x for x in ("profile_default/startup", "loads", "asked.json"))
    startup.mkdir(parents=True)
    (startup / "first.py").write_text("import as_gpu\n", encoding="utf-8")
    wanted = {"capability": CAPABILITY[course.name], "log": str(log)}
    wanted["models"] = {profile: str(models / profile) for profile in CAPABILITY}
    asked.write_text(json.dumps(wanted), encoding="utf-8")
    log.touch()
    paths = ROOT / "tests" / "offline", Path(__file__).parent, course
    env = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
    env |= {"IPYTHONDIR": str(folder), "AS_GPU": str(asked)}
    command = [sys.executable, "tools/nb.py", "--root", str(course), "run", name]
    done = subprocess.run(
        [*command, "--profile", course.name], cwd=ROOT, env=os.environ | env, timeout=1800,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8",
    )  # fmt: skip
    lines = log.read_text(encoding="utf-8").splitlines()
    return Run(not done.returncode, done.stdout, {tuple(json.loads(line)) for line in lines})


@pytest.fixture(scope="module")
def runs(request, courses, models, tmp_path_factory):
    """Start the runs that tests ask for, two at a time: each keeps one core busy."""
    mine = [item.callspec.params for item in request.session.items if item.path == request.path]
    asked = [(one["name"], one["profile"]) for one in mine]
    pool = ThreadPoolExecutor(2)
    yield {
        (name, profile): pool.submit(
            run, name, courses / profile, models, tmp_path_factory.mktemp("run")
        )
        for name, profile in asked
    }
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("profile", CAPABILITY)
@pytest.mark.parametrize("name", CODE)
def test_lesson_runs_under(name, profile, runs, courses):
    done = runs[name, profile].result()
    assert done.ok, done.output
    said = CODE[name]  # what a lesson says is what it loads
    own, whole = OWN[profile], WHOLE[profile]
    stored = {one for one in done.loads if one[0].startswith("xiaoxi-")}  # from a GGUF file
    assert done.loads - stored <= {own, whole, XIAOXI}
    assert bool(stored) == ("write_gguf(" in said)
    assert bool(done.loads) == bool(re.search(r"\bload\(", said))
    assert own == whole or (whole in done.loads) == ('dtype="float32"' in said)
    assert (XIAOXI in done.loads) == ('resolve("tiny")' in said)
    if "save_steps=" in said and "fp16=setup.fp16" in said:  # do its checkpoints scale losses?
        scaled = any((courses / profile / "build" / "runs").glob("*/checkpoint-*/scaler.pt"))
        assert scaled == (profile == "t4")
