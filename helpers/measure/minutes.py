"""How long lessons took, and how much memory: data/minutes.csv, written by `nb.py run --record`."""

import csv
import re
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError, atomic_file
from helpers.env import PROFILES, thread_count

TABLE = Path("data") / "minutes.csv"
CORES = re.compile(r"(\d+) CPU cores?")


class Minutes(NamedTuple):
    """One run of a whole lesson under one profile, with the profile's own model and sizes."""

    minutes: float
    peak_gb: float  # the GPU's memory where one was used, else the kernel's (1e9 bytes)
    machine: str  # "2 CPU cores", or the GPU's name
    date: str  # 2026-11-30

    def told(self) -> tuple[str, str]:
        """Say it in English and Chinese."""
        en = f"{self.minutes:.1f} min, {self.peak_gb:.1f} GB ({self.machine}, {self.date})"
        machine = CORES.sub(r"\1 个 CPU 核", self.machine)
        zh = f"{self.minutes:.1f} 分钟，{self.peak_gb:.1f} GB（{machine}，{self.date}）"
        return en, zh


COLUMNS = ("lesson", "profile", *Minutes._fields)


def read(course: Path) -> dict[tuple[str, str], Minutes]:
    """Return what was measured in the course of a folder: (lesson, profile) -> its newest run.

    {} without the file. Raises CourseError with file and line at the first row that is not whole.
    """
    path, where = course / TABLE, TABLE.as_posix()
    if not path.is_file():
        return {}
    found: dict[tuple[str, str], Minutes] = {}
    reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True)
    for row in reader:
        try:
            cells = {name: row[name].strip() for name in COLUMNS}
            key = cells["lesson"], cells["profile"]
            if cells["profile"] not in PROFILES or len(row) != len(COLUMNS) or key in found:
                raise ValueError(", ".join(key))
            minutes, peak = float(cells["minutes"]), float(cells["peak_gb"])
            found[key] = Minutes(minutes, peak, cells["machine"], cells["date"])
        except (KeyError, ValueError, AttributeError) as error:
            raise CourseError(
                en=f"this row is not whole, or stands twice: {error}",
                zh=f"这一行不完整，或者重复了：{error}",
                where=f"{where}:{reader.line_num}",
            ) from error
    return found


def record(course: Path, lesson: str, profile: str, measured: Minutes) -> None:
    """Write a run into the course's file, in the place of an earlier one of this profile."""
    found = read(course) | {(lesson, profile): measured}
    order = list(PROFILES)
    rows = sorted(found.items(), key=lambda item: (item[0][0], order.index(item[0][1])))
    with (
        atomic_file(course / TABLE) as new,
        new.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*key, *one] for key, one in rows)


def machine(device: str) -> str:
    """Name what a run computes on: the GPU ("cuda"), or so many cores of the CPU."""
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name(0)
    count = thread_count()
    return f"{count} CPU core{'s' * (count > 1)}"
