"""Note after each cell the most GPU memory that torch has held: a startup file for kernels.

IPython runs it as a kernel starts (see gpu_peak in run.py); GPU_PEAK names the file to write.
"""

import os
import sys
from pathlib import Path


def note(*_: object) -> None:
    """Write the peak so far, in bytes; keep the file's value where torch's count began anew."""
    torch, path = sys.modules.get("torch"), Path(os.environ["GPU_PEAK"])
    if torch and torch.cuda.is_initialized():
        before = int(path.read_text()) if path.exists() else 0
        path.write_text(str(max(before, torch.cuda.max_memory_allocated())))


if __name__ == "__main__":  # as IPython runs it
    from IPython import get_ipython

    get_ipython().events.register("post_run_cell", note)
