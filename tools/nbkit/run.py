"""Headless runs of the notebooks with papermill: time and memory measured, progress shown.

Lessons can run side by side, each in a process of its own and with its share of the cores. A cell
tagged `timing` then has the machine alone: the kernels of the other lessons rest (see gate.py).
Its seconds are those of the lesson's share, so of fewer threads than when it runs by itself.
A lesson's minutes, and those of its cells, leave out the time that its kernel rested; the seconds
that a cell without the tag measures by itself do not.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from nbformat import NotebookNode

from helpers.base import CourseError, say
from helpers.env import SMOLLM2, cores
from helpers.platforms import short_spin
from tools.nbkit.exercises import solve
from tools.nbkit.gate import Gate, end_resting, open_gate
from tools.nbkit.source import (
    build,
    code_hash,
    notebook_path,
    read_notebook,
    read_source,
    tags,
    to_text,
)
from tools.process import apart

GB = 1e9
HEARTBEAT = 30.0  # seconds between signs of life in a long cell
CELL_LIMIT = 1800  # seconds: a cell that takes longer hangs
# encrypted where the kernel can: unencrypted, it warns at each start
KERNEL = {"KernelManager": {"transport_encryption": "auto"}}
OFFLINE = ("tiny", "smoke", "small")  # their models are on this machine
PEAK = Path(__file__).with_name("peak.py")  # what a kernel that may use a GPU starts with


class Run(NamedTuple):
    """What a run of one notebook was and measured."""

    name: str
    profile: str
    solved: bool
    ok: bool
    minutes: float
    peak_gb: float
    cells: int
    slowest: list[tuple[float, int, str]]  # seconds, cell number, its first line
    error: str
    claims: list[dict[str, Any]]
    path: Path
    gpu_gb: float = 0.0  # most that torch held of the GPU's memory

    @property
    def bad_claims(self) -> list[dict[str, Any]]:
        """List the claims that this run measured out of range."""
        return [c for c in self.claims if c["ok"] is False]  # None: not judged (other profile)


def run_all(
    sources: list[Path], out: Path, *, jobs: int = 1, ended: Callable[[Run], None], **options: Any
) -> list[Run]:
    """Run the notebooks of some sources, `jobs` at a time; return the runs in the lessons' order.

    `ended` is called with each run as it ends; `options` are those of `run_one`. With several
    jobs the longest lessons begin first. Raises CourseError for several jobs on Windows.
    """
    jobs = min(jobs, len(sources))
    if jobs <= 1:
        runs = []
        for source in sources:
            runs.append(run_one(source, out, **options))
            ended(runs[-1])
        return runs
    folder = out / ".gate"
    open_gate(folder)
    # a smoke run's seconds say nothing, so nobody rests for them
    gate = None if options.get("profile") == "smoke" else folder
    options |= {"jobs": jobs, "gate": gate}
    longest_first = sorted(sources, key=usual_minutes, reverse=True)
    runs = {}
    with ThreadPoolExecutor(jobs) as pool:
        try:
            waiting = [pool.submit(_run_apart, source, out, options) for source in longest_first]
            for done in as_completed(waiting):
                runs[done.result().name] = done.result()
                ended(done.result())
        finally:
            pool.shutdown(cancel_futures=True)
            end_resting(folder)
    return [runs[source.stem] for source in sources]


def usual_minutes(source: Path) -> float:
    """Return how long a lesson took when its committed outputs were made; if unknown, for ever."""
    nb = read_notebook(notebook_path(source))
    return (nb or {}).get("metadata", {}).get("course", {}).get("minutes", float("inf"))


def _run_apart(source: Path, out: Path, options: dict[str, Any]) -> Run:
    """Run a notebook from a process of its own; tell, and do not raise, if that fails."""
    began = time.monotonic()
    try:
        return apart(_run_with, source, out, options)
    except CourseError as error:
        minutes, path = (time.monotonic() - began) / 60, out / f"{source.stem}.ipynb"
        facts = options["profile"], options["solved"], False, minutes, 0.0, 0, [], str(error), []
        return Run(source.stem, *facts, path)


def _run_with(source: Path, out: Path, options: dict[str, Any]) -> Run:
    return run_one(source, out, **options)


def run_one(
    source: Path, out: Path, *, profile: str = "tiny", solved: bool = False,
    strict: bool = False, seed: int | None = None, data: Path | None = None,
    model: str | None = None, jobs: int = 1, gate: Path | None = None,
) -> Run:  # fmt: skip
    """Run the notebook of one source and leave it, executed, in `out`; a failing cell is told.

    `seed`, `data` and `model` are the lesson's parameters SEED, DATA and MODEL. `jobs` lessons
    share the cores; `gate` is the folder through which they give way to timings.
    """
    root, name = source.parents[2], source.stem
    more = {"SEED": seed, "DATA": None if data is None else str(data.resolve()), "MODEL": model}
    more = {name: value for name, value in more.items() if value is not None}
    nb = prepare(source, solved, more)
    path = out / f"{name}{'' if profile == 'tiny' else '.' + profile}{'.solved' * solved}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(nb), encoding="utf-8")
    results = root / "build" / "results" / f"{name}.jsonl"
    results.unlink(missing_ok=True)
    parameters = {"PROFILE": profile} | more
    watching = Watch(name, len(nb.cells), gate)
    on_gpu = profile not in OFFLINE or profile == "small"
    offline = model == SMOLLM2 or (profile in OFFLINE and model is None)
    with environment(offline, strict, jobs), gpu_peak(out, on_gpu) as peak, watching as watch:
        error = _execute(path, root / "notebooks", parameters, watch, CELL_LIMIT * jobs)
    claims = read_results(results)
    values = {c["id"]: c["value"] for c in claims}
    _stamp(path, nb, watch, profile=profile, solved=solved, complete=not error, claims=values)
    return Run(
        name, profile, solved, not error, watch.seconds / 60, watch.peak / GB, len(nb.cells),
        sorted(watch.times, reverse=True)[:3], error, claims, path, peak() / GB,
    )  # fmt: skip


def prepare(source: Path, solved: bool, parameters: dict[str, Any]) -> NotebookNode:
    """Build what will run; raise CourseError where a parameter has no cell to stand in."""
    nb = build(read_source(source))
    cell = next((c for c in nb.cells if "parameters" in tags(c)), None)
    for wanted in ("PROFILE", *parameters):
        if cell is None or f"{wanted} =" not in cell.source:
            raise CourseError(
                en=f'no parameter {wanted}: put "{wanted} = …" into the cell tags=["parameters"]',
                zh=f'没有参数 {wanted}：请在 tags=["parameters"] 的单元格里写上“{wanted} = …”',
                where=f"notebooks/src/{source.name}",
            )
    return solve(nb, f"notebooks/src/{source.name}") if solved else nb


def _execute(path: Path, folder: Path, parameters: dict[str, Any], watch: Watch, limit: int) -> str:
    """Execute in place; return "" or what went wrong, in a few lines."""
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    try:
        papermill.execute_notebook(
            str(path), str(path), parameters=parameters, kernel_name="python3", cwd=str(folder),
            config=Config(KERNEL), progress_bar=False, start_timeout=120,
            execution_timeout=limit,
            on_cell_start=watch.cell_start, on_cell_executed=watch.cell_end,
        )  # fmt: skip
    except PapermillExecutionError as error:
        line = (error.source.strip().splitlines() or [""])[0]
        return f"cell {watch.number} ({line}): {error.ename}: {error.evalue}"
    except Exception as error:  # a kernel that died, a cell that hung: told, not raised
        return f"cell {watch.number}: {type(error).__name__}: {error}"
    return ""


@contextlib.contextmanager
def environment(offline: bool, strict: bool, jobs: int = 1) -> Iterator[None]:
    """Set what the kernel inherits: offline for models that are here, STRICT for strict checks.

    Of several jobs each has its share of the cores, unless OMP_NUM_THREADS says how many.
    """
    short_spin()
    wanted = {
        "HF_HUB_OFFLINE": "1" if offline else None,
        "STRICT": "1" if strict else None,
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "PYTHONHASHSEED": "0",
    }
    if jobs > 1:
        share = str(max(1, cores() // jobs))
        wanted["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS") or share
    before = {k: os.environ.get(k) for k in wanted}
    _set_environment(wanted)
    try:
        yield
    finally:
        _set_environment(before)


@contextlib.contextmanager
def gpu_peak(out: Path, on_gpu: bool) -> Iterator[Callable[[], int]]:
    """Let kernels note their peak of GPU memory; yield a function that returns it, in bytes.

    IPython runs peak.py as a kernel starts; a folder for IPython that is set already is kept, and
    then nothing is noted.
    """
    noted = out / ".gpu_peak"
    noted.unlink(missing_ok=True)
    if not on_gpu or "IPYTHONDIR" in os.environ:
        yield lambda: 0
        return
    startup = out / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    # with names of its own: none of them may stand in for an import that a lesson forgot
    begin = f'exec(open({str(PEAK)!r}, encoding="utf-8").read(), {{"__name__": "__main__"}})\n'
    (startup / "peak.py").write_text(begin, encoding="utf-8")
    _set_environment({"IPYTHONDIR": str(startup.parents[1]), "GPU_PEAK": str(noted.resolve())})
    try:
        yield lambda: int(noted.read_text()) if noted.exists() else 0
    finally:
        _set_environment({"IPYTHONDIR": None, "GPU_PEAK": None})


def _set_environment(values: dict[str, str | None]) -> None:
    for key, value in values.items():
        if value is None:
            os.environ.pop(key, None)
        else:
            os.environ[key] = value


class Watch:
    """Times the cells of a run, samples the memory of the kernel's processes, shows progress."""

    def __init__(self, name: str, cells: int, gate: Path | None = None) -> None:
        self.name, self.cells = name, cells
        self.number, self.peak, self.seconds = 0, 0, 0.0
        self.times: list[tuple[float, int, str]] = []
        self._injected = False  # papermill's cell of parameters is not counted
        self._stop = threading.Event()
        self._gate = gate and Gate(gate, name)

    def __enter__(self) -> Watch:
        """Start the clock and the sampler."""
        say(f"▶ {self.name}: {self.cells} cells", f"{self.cells} 个单元格")
        sys.stdout.flush()
        self._spoke = time.monotonic()
        self._began = self._cell_began = self._now()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop both."""
        self.seconds = self._now() - self._began
        self._stop.set()
        self._thread.join()
        if self._gate:
            self._gate.close()

    def cell_start(self, cell: NotebookNode, cell_index: int) -> None:
        """Note that a cell began (called by nbclient); a timed one waits until others rest."""
        self._injected |= "injected-parameters" in tags(cell)
        self.number = cell_index + 1 - self._injected
        if self._gate and "timing" in tags(cell):
            self._gate.enter()
            number = f"{self.name[:2]}, cell {self.number}"
            say(f"  ⏱ {number}: timed, other lessons rest", "计时，其他课暂停")
            sys.stdout.flush()
        self._cell_began = self._now()

    def cell_end(self, cell: NotebookNode, cell_index: int, execute_reply: object) -> None:
        """Note that a cell ended (called by nbclient)."""
        seconds = self._now() - self._cell_began
        if self._gate:
            self._gate.leave()
        first = (cell.source.strip().splitlines() or [""])[0]
        self.times.append((seconds, self.number, first[:60]))

    def _now(self) -> float:
        """Return the seconds of a clock that stands still while the kernel rests."""
        return time.monotonic() - (self._gate.rested if self._gate else 0)

    def _sample(self) -> None:
        while not self._stop.wait(0.2):
            self.peak = max(self.peak, _children_memory())
            if self._gate:
                self._gate.look()
            if time.monotonic() - self._spoke >= HEARTBEAT:
                self._speak()

    def _speak(self) -> None:
        self._spoke = time.monotonic()
        minutes = (self._now() - self._began) / 60
        at = f"{self.number}/{self.cells} · {minutes:.1f} min · {self.peak / GB:.2f} GB"
        print(f"  … {self.name[:2]} · {at}", flush=True)


def _children_memory() -> int:
    """Sum the resident bytes of this process's children: the kernel and what it started."""
    import psutil

    total = 0
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += child.memory_info().rss
    return total


def _stamp(path: Path, nb: NotebookNode, watch: Watch, **facts: Any) -> None:
    """Write into an executed notebook's metadata what made it: code, date, versions, minutes."""
    executed = read_notebook(path)
    executed.metadata["course"] = {
        "code_hash": code_hash(nb),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "minutes": round(watch.seconds / 60, 2),
        "peak_gb": round(watch.peak / GB, 2),
        "versions": versions(),
        **facts,
    }
    path.write_text(to_text(executed), encoding="utf-8")


def versions() -> dict[str, str]:
    """List the versions of Python and of the packages that results depend on."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": ".".join(map(str, sys.version_info[:3]))}
    for package in ("torch", "transformers", "trl", "peft", "datasets", "numpy"):
        with contextlib.suppress(PackageNotFoundError):
            found[package] = version(package).split("+")[0]
    return found


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read what a run recorded with `claim(…)`: one JSON a line."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
