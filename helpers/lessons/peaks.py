"""Recorded peaks of memory, each beside what the formula gives for its setting."""

from typing import NamedTuple

from helpers.base import root
from helpers.data.jsonl import Row, read_jsonl
from helpers.model.memory import WORKSPACE, peak
from helpers.model.setting import read

SOURCES = {
    "plain": "H200, a plain loop ｜ H200，朴素循环",
    "trl": "H200, SFTTrainer ｜ H200，SFTTrainer",
    "trl_step": "SFTTrainer, from the loaded model on ｜ SFTTrainer，从加载好的模型算起",
    "simulated": "simulation, nothing allocated ｜ 模拟，不分配内存",
    "cpu": "CPU, memory of the process ｜ CPU，进程的内存",
}


class Pair(NamedTuple):
    """A recorded row with its peak and the formula's, in bytes."""

    row: Row
    measured: int
    predicted: int

    @property
    def error(self) -> float:
        """Return how far the formula is off, as a share of the measured peak."""
        return self.predicted / self.measured - 1


def recorded() -> dict[str, list[Pair]]:
    """Return source (a key of SOURCES) -> its recorded peaks with the formula's.

    Left out are the rows of SmolLM2 under SFTTrainer: real text, of lengths that are not recorded.
    "trl_step" takes what the model took once it was loaded from the record, and the rest from the
    formula: nobody knows why SFTTrainer's models took more than their tensors before any step.
    """
    folder = root() / "data" / "sweeps"
    found: dict[str, list[Pair]] = {source: [] for source in SOURCES}
    for row in read_jsonl(folder / "memory_gpu.jsonl"):
        if row["model"] != "SmolLM2-135M" or row["loop"] == "plain":
            whole = {"logits": "all"} if row["loop"] == "plain" else {}
            found[row["loop"]].append(Pair(row, row["peak"], _peak(row, **whole)))
    for pair in found["trl"]:
        terms = peak(*read(pair.row)).terms
        loaded = sum(terms[name] for name in ("weights", "constants", "workspace"))
        step = pair.predicted - loaded + pair.row["loaded"]
        found["trl_step"].append(pair._replace(predicted=step))
    for row in read_jsonl(folder / "memory_simulated.jsonl"):
        found["simulated"].append(Pair(row, row["peak"], _peak(row) - WORKSPACE))
    for row in read_jsonl(folder / "memory_cpu.jsonl"):
        found["cpu"].append(Pair(row, row["peak"], _peak(row) - WORKSPACE))
    return found


def _peak(row: Row, **changes: str) -> int:
    """Return the formula's peak for a row, in bytes."""
    shape, setting = read(row)
    return peak(shape, setting._replace(**changes)).bytes


def errors(pairs: list[Pair]) -> tuple[float, float]:
    """Return the mean and the largest size of the error, in per cent."""
    sizes = [100 * abs(pair.error) for pair in pairs]
    return sum(sizes) / len(sizes), max(sizes)
