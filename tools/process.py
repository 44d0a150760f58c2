"""Work in a process of its own: its memory is its own, and its death is told, not shared."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Callable
from typing import Any

from helpers.base import CourseError


def apart(function: Callable, *args: Any, fork: bool = False) -> Any:
    """Call a function of a module in a fresh process and return its result.

    `fork`: on Linux the child is a copy that has this process's imports already. Only for a
    parent in which torch has computed nothing yet: its threads are not copied, and the child
    would wait for them for ever. Elsewhere the child starts anew.
    Raises CourseError where the function raises, or where its process is killed.
    """
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    way = "fork" if fork and sys.platform == "linux" else "spawn"
    context = multiprocessing.get_context(way)
    # one executor for each call, since a forking one takes no max_tasks_per_child
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as pool:
        try:
            return pool.submit(function, *args).result()
        except BrokenProcessPool as error:
            raise CourseError(
                en="the process was killed: out of memory?", zh="进程被终止了：是不是内存不足？"
            ) from error
        except CourseError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise CourseError(en=f"the work failed: {what}", zh=f"任务执行失败：{what}") from error
