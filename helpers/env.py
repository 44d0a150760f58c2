"""Where am I: profile, device and dtype and why; threads, seeds, memory; is anybody there?"""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from helpers.base import CourseError
from helpers.platforms import platform_name

XIAOXI = "data/models/xiaoxi"  # the tiny model that ships with the course
# a real model of 135 million weights that the ordinary package index has: no hub is needed
SMOLLM2 = "SmolLM2-135M-Instruct"
# one dial: the profile's name -> the model that it uses (a hub id, a folder of this repository, or
# the name of the model that `make small` installs)
PROFILES = {
    "tiny": XIAOXI,
    "smoke": XIAOXI,
    "small": SMOLLM2,
    "t4": "Qwen/Qwen2.5-0.5B-Instruct",
    "gpu": "Qwen/Qwen2.5-7B-Instruct",
}
OLDEST_GPU = (7, 5)  # a P100 (6.0) fails at its first operation under today's PyTorch
T4, T4_GIB = (7, 5), 14.56  # its compute capability, and the memory that PyTorch finds on it
AS_T4 = "AS_T4"  # of the environment: "1" makes a newer GPU compute as a T4 (float16, 14.56 GiB)
BF16_GPU = (8, 0)  # Ampere; torch.cuda.is_bf16_supported() says True on a T4 too, by emulation

# why this device and dtype; {gpu} is the compute capability, {profile} the profile's name
REASONS = {
    "tiny": (
        "the tiny model computes on the CPU in float32: fastest there, and the numbers differ "
        "little from machine to machine",
        "小模型在 CPU 上用 float32 计算：在 CPU 上最快，各台机器的结果也相差很小",
    ),
    "small": (
        "no CUDA GPU: small computes on the CPU in float32, up to 20 minutes a lesson on two cores",
        "没有 CUDA GPU：small 在 CPU 上用 float32 计算，双核机器上每课最多约 20 分钟",
    ),
    "none": (
        "no CUDA GPU: {profile} runs on the CPU, in float32 and slowly; tiny suits this machine",
        "没有 CUDA GPU：{profile} 只能在 CPU 上用 float32 慢慢跑；这台机器更适合 tiny",
    ),
    "old": (
        "this GPU (compute capability {gpu}) is too old for today's PyTorch, so the CPU is used; "
        "on Kaggle choose the accelerator T4",
        "这块 GPU（计算能力 {gpu}）太旧，当前的 PyTorch 不支持，所以改用 CPU；"
        "在 Kaggle 上请改选 T4",
    ),
    "float16": (
        "compute capability {gpu} is below 8.0: bfloat16 would be emulated and slow, so float16",
        "计算能力 {gpu} 低于 8.0：bfloat16 只能靠模拟，很慢，所以用 float16",
    ),
    "as_t4": (
        "AS_T4=1: this GPU computes as a T4 does, in float16 and in 14.56 GiB",
        "AS_T4=1：这块 GPU 按 T4 的方式计算：float16，显存只用 14.56 GiB",
    ),
    "bfloat16": (
        "compute capability {gpu} is 8.0 or more: bfloat16 is native and needs no loss scaling",
        "计算能力 {gpu} 不低于 8.0：原生支持 bfloat16，不需要损失缩放",
    ),
}


class Setup(NamedTuple):
    """What a notebook runs with, and why."""

    profile: str
    model: str
    device: str
    dtype: str
    reason_en: str
    reason_zh: str
    in_colab: bool = False
    in_kaggle: bool = False

    @property
    def smoke(self) -> bool:
        """Tell whether this is a run of a few steps, for tests of structure."""
        return self.profile == "smoke"

    @property
    def use_cpu(self) -> bool:
        """Tell trainers to stay on the CPU (they would take any GPU that they see)."""
        return self.device == "cpu"

    @property
    def fp16(self) -> bool:
        """Tell trainers to compute in float16."""
        return self.dtype == "float16"

    @property
    def bf16(self) -> bool:
        """Tell trainers to compute in bfloat16."""
        return self.dtype == "bfloat16"

    @property
    def langs(self) -> tuple[str, ...]:
        """Return the languages that the model is trained and asked in: SmolLM2 knows English."""
        english = self.profile == "small" or "smollm2" in Path(self.model).name.lower()
        return ("en",) if english else ("en", "zh")


def resolve(profile: str = "auto", model: str | None = None) -> Setup:
    """Choose profile, model, device and dtype for this machine.

    `auto` takes `tiny` without a CUDA GPU, `t4` below compute capability 8, `gpu` from there on.
    `model` (a hub id or a folder) replaces the profile's own.
    Raises CourseError for an unknown profile.
    """
    if profile not in ("auto", *PROFILES):
        names = ", ".join(f'"{name}"' for name in ("auto", *PROFILES))
        raise CourseError(
            en=f'unknown profile "{profile}": set PROFILE in the parameters cell to one of {names}',
            zh=f'没有名为 "{profile}" 的档位：请在参数单元格里把 PROFILE 设为 '
            f"{names.replace(', ', '、')} 之一",
        )
    capability = None if profile in ("tiny", "smoke") else gpu_capability()
    if profile == "auto":
        usable = capability is not None and capability >= OLDEST_GPU
        profile = ("gpu" if capability >= BF16_GPU else "t4") if usable else "tiny"
    device, dtype, en, zh = choose_dtype(profile, capability)
    if device == "cuda" and as_t4():
        en, zh = REASONS["as_t4"]
    place = platform_name()
    model = str(model or PROFILES[profile])
    return Setup(profile, model, device, dtype, en, zh, place == "colab", place == "kaggle")


def gpu_capability() -> tuple[int, int] | None:
    """Return the compute capability of the first CUDA GPU, or None without one.

    Under AS_T4=1 a newer GPU says that it is a T4's, and gives this process no more memory than a
    T4 has: what does not fit raises torch's own error. What CUDA itself takes is not counted.
    """
    import torch

    if not torch.cuda.is_available():
        return None
    capability = torch.cuda.get_device_capability(0)
    if not as_t4() or capability <= T4:
        return capability
    whole = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, T4_GIB * 2**30 / whole))
    return T4


def as_t4() -> bool:
    """Tell whether the environment wants any GPU to compute as a T4 does (AS_T4=1)."""
    return os.environ.get(AS_T4) == "1"


def choose_dtype(profile: str, capability: tuple[int, int] | None) -> tuple[str, str, str, str]:
    """Return device, dtype and the reason for them in English and Chinese.

    Apple's MPS is left alone: the tiny model gains nothing there, bitsandbytes has no 4-bit
    kernels for it, and results would differ from those in the notebooks.
    """
    if capability is not None and capability < OLDEST_GPU:
        device, dtype, why = "cpu", "float32", "old"
    elif profile in ("tiny", "smoke"):
        device, dtype, why = "cpu", "float32", "tiny"
    elif capability is None:
        device, dtype, why = "cpu", "float32", "small" if profile == "small" else "none"
    else:
        dtype = why = "bfloat16" if capability >= BF16_GPU else "float16"
        device = "cuda"
    gpu = ".".join(map(str, capability or ()))
    en, zh = (text.format(gpu=gpu, profile=profile) for text in REASONS[why])
    return device, dtype, en, zh


def cores() -> int:
    """Count the physical cores that are open to this process."""
    import psutil

    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def threads() -> int:
    """Make torch use one thread for each physical core open to this process; return how many.

    A number set in OMP_NUM_THREADS is kept: lessons that run side by side have a share each.
    """
    import torch

    torch.set_num_threads(thread_count())
    return thread_count()


def thread_count() -> int:
    """Return how many threads torch is to use: OMP_NUM_THREADS, else one for each open core."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) else cores()


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


def attended() -> bool:
    """Tell whether a person runs this cell: a Jupyter kernel whose front end takes input.

    nbclient, and so papermill, runs cells without standard input. HEADLESS=1 says no as well.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return False
    kernel = getattr(get_ipython(), "kernel", None)
    typed = getattr(kernel, "_allow_stdin", kernel is not None)
    return bool(typed) and os.environ.get("HEADLESS") != "1"
