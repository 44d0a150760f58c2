"""Record what a number format does to the loss of a real model: data/sweeps/formats.jsonl.

    python -m tools.measure.formats --list     # the settings, those recorded ticked
    python -m tools.measure.formats            # measure the others; call again to go on

The model is SmolLM2-135M-Instruct out of a GGUF file in Q4_1, turned back to float32: each format
here rounds a second time. The text is the English prose of lessons
00 to 04 of this course, cut into pieces of `LENGTH` tokens, each read on its own: text that the
model cannot have seen. A line holds the mean loss of each piece, so that formats can be compared
piece by piece, and the error: the root mean square over all weights that are rounded, over theirs.
"""

import argparse
import hashlib
import re
import sys
import time
from typing import Any

from helpers.base import CourseError, root
from helpers.data.jsonl import Row, read_jsonl
from helpers.env import threads
from helpers.lessons.levels import FORMATS, linear_weights, round_model, rounded
from tools.measure.sweep import append

FILE = root() / "data" / "sweeps" / "formats.jsonl"
LENGTH, PIECES, BATCH = 256, 32, 4
SETTINGS: list[tuple[str, int]] = [
    ("float32", 0),
    *((form, 64) for form in FORMATS),
    ("nf4", 1024),
    ("int4", 1024),
]


def prose() -> str:
    """Return the English text of lessons 00 to 04, without code, tables and links."""
    cells = []
    for path in sorted((root() / "notebooks" / "src").glob("0[0-4]_*.py")):
        found = re.findall(
            r'^# %% \[markdown\] lang="en".*?\n((?:#.*\n)+)', path.read_text(encoding="utf-8"), re.M
        )
        cells += [re.sub(r"^# ?", "", text, flags=re.M) for text in found]
    whole = [text for text in cells if "|" not in text and "```" not in text]
    return re.sub(r"\]\([^)]*\)", "]", "\n".join(whole))


def pieces(tokenizer: Any) -> Any:
    """Return the tokens of the text, as many pieces as are read: (PIECES, LENGTH)."""
    import torch

    ids = tokenizer(prose(), return_tensors="pt").input_ids[0]
    step = len(ids) // PIECES  # spread over all lessons
    return torch.stack([ids[i * step : i * step + LENGTH] for i in range(PIECES)])


def losses(model: Any, ids: Any) -> list[float]:
    """Return the mean loss of each piece, in nats per token."""
    import torch

    found: list[float] = []
    for part in ids.split(BATCH):
        with torch.inference_mode():
            logits = model(input_ids=part).logits[:, :-1].float()
            each = torch.nn.functional.cross_entropy(
                logits.transpose(1, 2), part[:, 1:], reduction="none"
            )
        found += [round(x, 5) for x in each.mean(1).tolist()]
    return found


def error_of(model: Any, form: str, block: int) -> float:
    """Return the relative error of rounding all linear layers of a model."""
    wrong, whole = 0.0, 0.0
    for weight in linear_weights(model).values():
        wrong += (rounded(weight, form, block) - weight).square().sum().item()
        whole += weight.square().sum().item()
    return (wrong / whole) ** 0.5


def measure(form: str, block: int, rows: list[Row]) -> Row:
    """Return the line of one setting; raises CourseError if `rows` are of another text."""
    from helpers.env import resolve
    from helpers.model.load import load

    started = time.perf_counter()
    model, tokenizer = load(resolve("small"))
    ids = pieces(tokenizer)
    text = hashlib.sha256(ids.numpy().tobytes()).hexdigest()[:8]
    if any(row["text"] != text for row in rows):
        raise CourseError(
            en="the prose of the lessons has changed since: delete the file and measure anew",
            zh="课程正文已经变了：请删除这个文件，全部重测",
            where=str(FILE.relative_to(root())),
        )
    error = error_of(model, form, block) if block else 0.0
    found = losses(round_model(model, form, block) if block else model, ids)
    return {
        "model": "SmolLM2-135M-Instruct",
        "format": form,
        "block": block,
        "pieces": PIECES,
        "length": LENGTH,
        "text": text,
        "error": round(error, 5),
        "loss": round(sum(found) / len(found), 5),
        "losses": found,
        "seconds": round(time.perf_counter() - started, 1),
    }


def main(argv: list[str] | None = None) -> int:
    """Measure the settings that are not recorded yet."""
    parser = argparse.ArgumentParser(prog="python -m tools.measure.formats")
    parser.add_argument("--list", action="store_true", help="the settings ｜ 列出设置")
    asked = parser.parse_args(argv)
    rows = read_jsonl(FILE) if FILE.is_file() else []
    done = {(row["format"], row["block"]) for row in rows}
    try:
        for form, block in SETTINGS:
            if asked.list or (form, block) in done:
                print("✓" if (form, block) in done else "·", form, block)
                continue
            threads()
            made = measure(form, block, rows)
            append(FILE, made)
            rows.append(made)
            print("+", form, block, made["loss"], flush=True)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
