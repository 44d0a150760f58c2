"""Run every lesson on this machine's GPU as a T4 would (float16, 14.56 GiB), and as it is itself.

The model is SmolLM2-135M-Instruct, which needs no model hub (`make small`); each lesson runs in a
process of its own. One table tells what passed, and build/gpu_check.json keeps it. Without a GPU
the lessons run on the CPU, under t4, in float32 and at the sizes of smoke: that finds code which
fails with another model than Xiaoxi, and nothing that only a GPU can show.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.base import CourseError, atomic_file, root, say
from helpers.env import AS_T4, SMOLLM2, T4_GIB, gpu_capability, resolve
from helpers.lessons.sizes import SIZES
from helpers.model.gguf import dequantised, small_model
from tools.nbkit import source as src
from tools.nbkit.run import Run, run_one, versions
from tools.process import apart

PROFILES = ("t4", "gpu")
KEPT = Path("build") / "gpu_check.json"


class Speed(NamedTuple):
    """What a card's data sheet promises: dense fp16 on tensor cores, and memory bandwidth."""

    tflops: float
    gb_s: float


# NVIDIA's data sheets, by a word of the name that torch gives; the longer ones first
CARDS = {
    "H200": Speed(990, 4800),
    "H100 PCIe": Speed(756, 2000),
    "H100": Speed(990, 3350),
    "A100-SXM4-80GB": Speed(312, 2039),
    "A100 80GB PCIe": Speed(312, 1935),
    "A100": Speed(312, 1555),
    "L40S": Speed(362, 864),
    "L4": Speed(121, 300),
    "A10": Speed(125, 600),
    "V100": Speed(125, 900),
    "T4": (T4 := Speed(65, 320)),
}


class Card(NamedTuple):
    """The GPU that was found."""

    name: str
    gib: float


class Row(NamedTuple):
    """One lesson under one profile."""

    lesson: str
    profile: str
    dtype: str
    minutes: float
    gpu_gb: float
    ok: bool
    error: str  # the last line of what went wrong
    t4_minutes: float | None  # an estimate; None without one


def find_card() -> Card | None:
    """Return the GPU that the lessons would use, or None; called in a process of its own."""
    import torch

    if gpu_capability() is None or resolve("auto").device != "cuda":
        return None
    found = torch.cuda.get_device_properties(0)
    return Card(found.name, found.total_memory / 2**30)


def speed_of(name: str) -> Speed | None:
    """Return the speed of the card with this name, or None for one that the table lacks."""
    known = (speed for part, speed in CARDS.items() if re.search(rf"\b{part}\b", name))
    return next(known, None)


def times_a_t4(speed: Speed) -> float:
    """Return how many times as long a T4 may take as a card of this speed.

    The larger of two ratios: fp16 on tensor cores, and memory bandwidth. An estimate: a small
    model keeps a fast card waiting for the CPU, and then a T4 loses less.
    """
    return max(speed.tflops / T4.tflops, speed.gb_s / T4.gb_s)


@contextlib.contextmanager
def asked(**values: str) -> Iterator[None]:
    """Set variables of the environment inside the block; then all is as it was."""
    before = {name: os.environ.get(name) for name in values}
    os.environ |= values
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


def check(sources: list[Path], profile: str, card: Card | None, out: Path) -> list[Row]:
    """Run lessons under one profile, as a T4 where it is t4's; return a row for each."""
    wanted = {} if card else {SIZES: "smoke"}
    wanted |= {AS_T4: "1"} if card and profile == "t4" else {}
    rows = []
    with asked(**wanted):
        dtype = apart(resolve, profile).dtype
        for path in sources:
            run = run_one(path, out, profile=profile, model=SMOLLM2)
            rows.append(row(run, dtype, card))
            print(line(rows[-1]), flush=True)
    return rows


def row(run: Run, dtype: str, card: Card | None) -> Row:
    """Return the row of a run; what a T4 would take is estimated of runs under t4."""
    speed = speed_of(card.name) if card and run.profile == "t4" else None
    last = (run.error.strip().splitlines() or [""])[-1]
    estimate = run.minutes * times_a_t4(speed) if speed else None
    where = run.name, run.profile, dtype
    return Row(*where, run.minutes, run.gpu_gb, run.ok, last, estimate)


def line(one: Row) -> str:
    """Write a row for the terminal."""
    estimate = "–" if one.t4_minutes is None else f"{one.t4_minutes:.1f}"
    mark = "✅" if one.ok else "❌"
    return (
        f"{mark} {one.lesson:24} {one.profile:5} {one.dtype:9} {one.minutes:8.1f} "
        f"{one.gpu_gb:8.2f} {estimate:>8}  {one.error or 'passed ｜ 通过'}"
    )


def tell(rows: list[Row], card: Card | None) -> None:
    """Print the table and what its last figures mean."""
    heads = "lesson ｜ 课", "", "dtype", "min ｜ 分", "GPU, GB", "T4, min"
    print("\n   {:22} {:5} {:9} {:>7} {:>8} {:>8}".format(*heads))
    for one in rows:
        print(line(one))
    speed = card and speed_of(card.name)
    if speed:
        times = times_a_t4(speed)
        say(
            f"T4, min: an estimate, minutes × {times:.1f}, the larger of two ratios in NVIDIA's "
            f"data sheets: fp16 {speed.tflops:g} / 65 TFLOPS, memory {speed.gb_s:g} / 320 GB/s",
            f"T4, min：估计值，等于用时 × {times:.1f}，即 NVIDIA 资料里两个比值中较大的一个："
            f"fp16 为 {speed.tflops:g} / 65 TFLOPS，显存带宽为 {speed.gb_s:g} / 320 GB/s",
        )
    elif card:
        say(
            f"no estimate for a T4: the speed of {card.name} stands in no table of this tool",
            f"没有 T4 的估计值：这个工具里没有 {card.name} 的速度",
        )


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    top = argparse.ArgumentParser(description=__doc__)
    top.add_argument("names", nargs="*", metavar="NN", help="lessons, all if none ｜ 课程号")
    top.add_argument("--only", choices=PROFILES, help="one profile ｜ 只查一个档位")
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the check; the exit status is 0 only where every lesson passed."""
    args = parser().parse_args(argv)
    profiles = [args.only] if args.only else list(PROFILES)
    try:
        small_model()  # raises where it is not installed
        sources, card = src.sources(root(), args.names), apart(find_card)
        apart(dequantised, small_model())  # its seconds are no lesson's
        if card:
            t4 = f"t4: AS_T4=1, {T4_GIB} GiB"
            say(f"▶ {card.name}, {card.gib:.1f} GiB; {t4}", f"{card.name}，{t4}")
        else:
            profiles = profiles[:1]
            say(
                "⚠️ no GPU that the course can use: the lessons run on the CPU, in float32, a few "
                "steps each. Neither float16 nor a GPU's memory is tried",
                "⚠️ 没有可用的 GPU：课程在 CPU 上以 float32 运行，每课只走几步；"
                "float16 和显存都没有检验",
            )
        out, rows = root() / "build" / "gpu_check", []
        for profile in profiles:
            rows += check(sources, profile, card, out)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("❌ stopped", "已中断")
        return 130
    tell(rows, card)
    kept = {"date": time.strftime("%Y-%m-%d", time.gmtime()), "versions": versions()}
    kept |= {"card": card and card._asdict(), "rows": [one._asdict() for one in rows]}
    with atomic_file(root() / KEPT) as new:
        new.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    say(f"kept: {KEPT.as_posix()}", f"已保存：{KEPT.as_posix()}")
    return 0 if rows and all(one.ok for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
