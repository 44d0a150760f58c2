"""Lessons side by side: while one of them measures seconds, the kernels of the others rest."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from pathlib import Path

from helpers.base import CourseError


class Gate:
    """One lesson's way to have the machine alone, for a cell that is timed.

    Two files in `folder` are locked, by locks that the system takes back when a process dies:
    `timing` belongs to the lesson that measures, or waits for the others to rest; `running` is
    shared by the lessons whose kernels run, and belongs to the measuring one alone once they rest.
    """

    def __init__(self, folder: Path, name: str) -> None:
        names = "timing", "timing", "running"
        files = [os.open(folder / f"{n}.lock", os.O_CREAT | os.O_RDWR, 0o600) for n in names]
        self._timing, self._seen, self._running = files  # `seen`: to look whether timing is taken
        self._note = folder / f"{name}.resting.json"
        self._busy, self._parent = threading.RLock(), os.getppid()
        self._asks, self._since, self._rested = False, None, 0.0
        lock(self._running, "shared")

    @property
    def rested(self) -> float:
        """Return the seconds that the kernel has rested so far."""
        with self._busy:
            return self._rested + (time.monotonic() - self._since if self._since else 0.0)

    def look(self) -> None:
        """Let the kernel rest or run, as the other lessons need; called several times a second."""
        if os.getppid() != self._parent:  # the whole run was killed: nobody waits for this lesson
            self.wake()
            os._exit(1)
        with self._busy:
            if self._asks:
                return
            free = lock(self._seen, "shared", wait=False)
            lock(self._seen, "none")
            if free:
                self.wake()
            elif self._since is None:
                self._rest()

    def enter(self) -> None:
        """Wait until this lesson has the machine alone."""
        with self._busy:
            self._asks = True
            if self._since is None:  # its kernel has nothing to do between two cells
                self._since = time.monotonic()
                lock(self._running, "none")
        lock(self._timing, "whole")
        lock(self._running, "whole")
        self._resume()

    def leave(self) -> None:
        """Give the machine back to all; does nothing if this lesson does not have it."""
        with self._busy:
            if self._asks:
                lock(self._running, "shared")
                lock(self._timing, "none")
                self._asks = False

    def wake(self) -> None:
        """Let the kernel run again if it rests and nobody measures."""
        with self._busy:
            if self._since is not None and lock(self._running, "shared", wait=False):
                self._resume()

    def close(self) -> None:
        """Give up all that this lesson holds."""
        for file in (self._timing, self._seen, self._running):
            os.close(file)
        self._note.unlink(missing_ok=True)

    def _rest(self) -> None:
        import psutil

        kernel = psutil.Process().children(recursive=True)
        self._since = time.monotonic()
        with contextlib.suppress(psutil.Error):
            self._note.write_text(json.dumps([[p.pid, p.create_time()] for p in kernel]))
        for process in kernel:
            with contextlib.suppress(psutil.Error):
                process.suspend()
        lock(self._running, "none")

    def _resume(self) -> None:
        import psutil

        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.resume()
        self._note.unlink(missing_ok=True)
        with self._busy:
            self._rested, self._since = self.rested, None


def lock(file: int, how: str, wait: bool = True) -> bool:
    """Lock an open file, "shared", "whole" or "none"; tell whether it was to be had."""
    import fcntl

    kinds = {"shared": fcntl.LOCK_SH, "whole": fcntl.LOCK_EX, "none": fcntl.LOCK_UN}
    try:
        fcntl.flock(file, kinds[how] | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def open_gate(folder: Path) -> None:
    """Make the folder of a run's gate; end what an earlier run that was killed left resting.

    Raises CourseError on Windows, which has no such locks.
    """
    if os.name == "nt":
        raise CourseError(
            en="lessons run side by side on Linux and macOS only: leave --jobs out",
            zh="多课并行只支持 Linux 和 macOS：请去掉 --jobs",
        )
    folder.mkdir(parents=True, exist_ok=True)
    end_resting(folder)


def end_resting(folder: Path) -> None:
    """End kernels that rest although the process that would wake them is gone."""
    import psutil

    for note in folder.glob("*.resting.json"):
        with contextlib.suppress(ValueError):
            for pid, began in json.loads(note.read_text(encoding="utf-8")):
                with contextlib.suppress(psutil.Error):
                    process = psutil.Process(pid)
                    if process.create_time() == began:
                        process.kill()
        note.unlink(missing_ok=True)
