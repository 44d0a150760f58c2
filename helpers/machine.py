"""Threads, seeds and memory of this machine."""

import os
import sys


def threads() -> int:
    """Make torch use one thread for each physical core open to this process; return how many.

    A number set in OMP_NUM_THREADS is kept.
    """
    import psutil
    import torch

    asked = os.environ.get("OMP_NUM_THREADS", "")
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(psutil.cpu_count(logical=False) or allowed, allowed)
    count = int(asked) if asked.isdigit() and int(asked) else cores
    torch.set_num_threads(count)
    return count


def set_seed(seed: int) -> None:
    """Seed Python, NumPy and torch (CPU and GPU)."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - the libraries' own draws come from the global state
    torch.manual_seed(seed)


def peak_memory_gb() -> float:
    """Return the peak memory so far in GB (1e9 bytes): the GPU's if used, else this process's."""
    torch = sys.modules.get("torch")
    if torch and torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated() / 1e9
    if os.path.exists("/proc/self/status"):  # ru_maxrss would count the parent before exec
        with open("/proc/self/status", encoding="ascii", errors="replace") as status:
            kib = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        return kib * 1024 / 1e9
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e9  # bytes on macOS
