"""Resume a training run from its last whole checkpoint: a kill can leave the newest one half."""

import json
import re
import zipfile
from pathlib import Path

from helpers.base import say

OPTIMIZER, STATE = "optimizer.pt", "trainer_state.json"
WEIGHTS = (
    "model.safetensors",
    "adapter_model.safetensors",
    "pytorch_model.bin",
    "adapter_model.bin",
)


def last_whole_checkpoint(folder: Path | str) -> Path | None:
    """Return the newest checkpoint-<step> in a folder from which a run can go on; None: begin anew.

    Says which newer ones it passed over, and why: a file is missing, or breaks off.
    """
    found = [(int(name[1]), path) for path in Path(folder).glob("checkpoint-*")
             if (name := re.fullmatch(r"checkpoint-(\d+)", path.name))]  # fmt: skip
    for _, path in sorted(found, reverse=True):
        broken = _broken(path)
        if broken is None:
            return path
        say(f"{path.name} is passed over: {broken[0]}", f"跳过 {path.name}：{broken[1]}")
    return None


def _broken(path: Path) -> tuple[str, str] | None:
    """Return what keeps a run from going on from this checkpoint, in both languages, or None."""
    names = [name for name in (*WEIGHTS, *(f"{name}.index.json" for name in WEIGHTS))
             if (path / name).is_file()]  # fmt: skip
    if not names:
        return "it has no weights", "缺少权重文件"
    names += [OPTIMIZER, "scheduler.pt", STATE, *(rng.name for rng in path.glob("rng_state*.pth"))]
    for name in names:
        if not (path / name).is_file():
            return f"{name} is missing", f"缺少 {name}"
        try:
            names += _whole(path / name)
        except Exception:  # whatever a library says of half a file
            return f"{name} breaks off", f"{name} 不完整"
    return None


def _whole(path: Path) -> list[str]:
    """Raise if a file breaks off; return the names of the files that it points to."""
    if path.suffix == ".json":
        told = json.loads(path.read_text("utf-8"))
        return sorted(set(told.get("weight_map", {}).values()))
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with safe_open(path, "np"):  # holds the header against the length of the file
            return []
    with zipfile.ZipFile(path) as archive:  # torch.save writes a zip, with a checksum of each part
        if archive.testzip():
            raise zipfile.BadZipFile
    return []
