"""Recorded runs, data/sweeps/GRID.jsonl: one real training a line (tools/measure/sweep.py)."""

import hashlib
import json
import os
from collections.abc import Sequence
from typing import Any

from helpers.base import CourseError, root
from helpers.data.jsonl import Row, read_jsonl
from helpers.env import XIAOXI
from helpers.measure.stats import Interval

ONE_SEED = "SWEEP_SEED"  # of the environment
# the rows that a run trains on or is tested on, by file: those with this value in this field
USED = {"train": ("task", "notice"), "eval": ("task", "notice"), "general": ("use", "measure")}

# what a run was asked to do, `base` being `fingerprint()`: the same settings give the same run
SETTINGS = (
    "base", "method", "targets", "r", "alpha", "dropout", "lr", "rows", "epochs", "seed",
)  # fmt: skip
# what it measured, with its unit; "share" is 0 to 1
MEASURES = {
    "loss": "nats",  # held-out incidents under articles that were trained on, three in the prompt
    "loss_train": "nats",  # the mean of the last ten steps
    "form": "share",  # incidents under unseen articles, three in the prompt
    "term": "share",
    "facts": "share",
    "all": "share",
    "form_closed": "share",  # the same incidents without articles
    "term_closed": "share",
    "facts_closed": "share",
    "general": "share",  # questions of primary school still answered exactly
    "forgetting": "share",  # the base model's `general` minus this one
    "trainable": "",  # weights
    "total": "",
    "seconds": "s",  # of training alone
    "memory": "MB",  # how far the process's memory rose while it trained
    "state": "MB",  # gradients and AdamW's two moments of what is trained, by count
}
NAMES = {
    "loss": "loss ｜ 损失",
    "all": "all right ｜ 全对",
    "form": "form ｜ 格式",
    "facts": "facts ｜ 法条四项",
    "general": "general skills ｜ 通用能力",
    "forgetting": "forgotten ｜ 遗忘",
    "seconds": "seconds ｜ 秒",
}


def fingerprint() -> str:
    """Return eight hex digits that name Xiaoxi's weights and the rows that runs use, as they are.

    Runs train and are tested on notices, and are asked the general questions that measure what was
    forgotten: no other row counts.
    """
    seen = hashlib.sha256()
    for name in ("model.safetensors", "tokenizer.json"):
        seen.update((root() / XIAOXI / name).read_bytes())
    for name, (field, value) in USED.items():
        for row in read_jsonl(root() / "data" / "lingxi" / f"{name}.jsonl"):
            if row[field] == value:
                seen.update(json.dumps(row, ensure_ascii=False, sort_keys=True).encode())
    return seen.hexdigest()[:8]


def read(grid: str) -> list[Row]:
    """Return the runs of a grid, such as "rate"; raise CourseError when none is recorded.

    Where the environment names one seed (tools/ledger/measure.py does), only the runs of that seed.
    """
    path = root() / "data" / "sweeps" / f"{grid}.jsonl"
    rows = read_jsonl(path) if path.is_file() else []
    if seed := os.environ.get(ONE_SEED):
        rows = [row for row in rows if str(row["seed"]) == seed]
    if not rows:
        raise CourseError(
            en=f"no recorded runs: python -m tools.measure.sweep --grid {grid}",
            zh=f"还没有记录：请运行 python -m tools.measure.sweep --grid {grid}",
            where=f"data/sweeps/{grid}.jsonl",
        )
    return rows


def key(row: Row) -> tuple:
    """Return what identifies a run: its settings, base model and data included."""
    return tuple(row[name] for name in SETTINGS)


def by(rows: Sequence[Row], field: str, measure: str) -> dict[Any, Interval]:
    """Group runs by a setting, in its order; return the mean and the range over the seeds.

    The Interval reaches from the worst run to the best: with three seeds, that says more than a
    confidence interval. Settings that are text keep the order of the file.
    """
    unit = {"share": "share", "": ""}.get(MEASURES[measure], MEASURES[measure])
    values = list(dict.fromkeys(row[field] for row in rows))
    if not any(isinstance(value, str) for value in values):
        values.sort()
    groups = {v: [row[measure] for row in rows if row[field] == v] for v in values}
    return {
        v: Interval(sum(group) / len(group), min(group), max(group), len(group), unit)
        for v, group in groups.items()
    }


def best(rows: Sequence[Row], field: str = "lr", measure: str = "loss") -> Any:
    """Return the value of a setting whose runs have the lowest mean of a measure."""
    means = by(rows, field, measure)
    return min(means, key=lambda value: means[value].value)
