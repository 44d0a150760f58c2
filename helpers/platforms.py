"""Prepare Colab and Kaggle, called by the bootstrap cell. Nothing but the standard library."""

import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

from helpers.base import CourseError, root, say

# kept as they are on Colab and Kaggle, whose images are built around them, unless one is too old
FROZEN = (
    *("torch", "torchvision", "torchaudio", "numpy", "pandas", "scipy", "transformers"),
    *("tokenizers", "huggingface-hub", "safetensors", "accelerate", "peft", "fsspec", "pillow"),
    *("matplotlib", "ipywidgets", "ipykernel"),
)
# never replaced there, however old: other packages are compiled against them
IRREPLACEABLE = ("torch", "numpy")
# what may move with a package that is replaced, as far as it has to
PARTS = {"transformers": ("tokenizers", "huggingface-hub", "safetensors")}
# absent from the images, and used by the notebooks
WANTED = ("trl", "bitsandbytes", "bm25s", "rensa")
SPIN = "10000"  # turns of a waiting thread: half a millisecond or less
OLD_TORCHAO = "0.16"  # peft raises ImportError when it finds an older one
# The oldest versions that every lesson runs on, every claim in its range: `make colab-check` runs
# exactly these (but for torch, whose older builds are large). The doctor and README.md show them.
OLDEST = {
    "torch": "2.10.0",  # Kaggle's image
    "numpy": "2.0.2",  # Kaggle's image
    # 5.0 counts tied weights twice; before 5.2 there is no SFTConfig(train_sampling_strategy=…);
    # before 5.4 a `{% generation %}` at the very start of a template marks nothing
    "transformers": "5.4.0",
    "peft": "0.19.1",  # Kaggle's image
    "accelerate": "1.10.1",  # what trl asks for
    "datasets": "4.7.0",  # what trl asks for
    "trl": "1.16.0",  # its interface moves with each release
    "matplotlib": "3.10.0",  # Colab's image
    "ipywidgets": "7.7.1",  # Colab's image
}


def platform_name() -> str:
    """Return "colab", "kaggle" or "laptop"."""
    if "COLAB_RELEASE_TAG" in os.environ or "google.colab" in sys.modules:
        return "colab"
    return "kaggle" if "KAGGLE_KERNEL_RUN_TYPE" in os.environ else "laptop"


def prepare() -> str:
    """Make this platform ready, before torch is imported, and return its name.

    A laptop is left as it is, but for progress bars and the way that threads wait.
    Raises CourseError when pip fails.
    """
    quiet()
    short_spin()
    leave_gpu_to_torch()
    place = platform_name()
    if place == "kaggle":
        pin_one_gpu()
    if place != "laptop":
        remove_old_torchao()
        install_missing()
    return place


def quiet() -> None:
    """Turn off progress bars and warnings between libraries; turn off Xet behind a mirror."""
    # transformers 5.23 has new names for these, which its older releases on Colab do not know
    # and peft 0.21 does not use: nothing that a learner could mend
    for old in ("gradient_checkpointing", "is_gradient_checkpointing"):
        warnings.filterwarnings("ignore", f"`{old}` is deprecated", FutureWarning)
    # bitsandbytes asks for a faster kernel from the hub, which it does without
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # tokenizers warn after a fork
    if "HF_ENDPOINT" in os.environ:  # mirrors of the hub do not speak Xet
        os.environ.setdefault("HF_HUB_DISABLE_XET", "1")


def short_spin() -> None:
    """Let torch's threads on Linux spin only briefly while they wait; call before torch is loaded.

    They wait for each other many times in a step. By default (300,000 turns) one that waits keeps
    its core busy meanwhile, and beside other programs a step takes several times as long as it
    need. What is set already is kept: GOMP_SPINCOUNT, or OMP_WAIT_POLICY, which it would overrule.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN)


def leave_gpu_to_torch() -> None:
    """Keep JAX off the GPU: bm25s imports it where it is, and JAX takes three quarters at once."""
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # if somebody chose the GPU


def pin_one_gpu() -> None:
    """Show torch one GPU of two: TRL raises when one process sees both.

    Raises CourseError when torch is loaded already, since it reads the variable only once.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") is None and "torch" in sys.modules:
        raise restart_needed("torch")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")


def remove_old_torchao() -> None:
    """Uninstall torchao where it is too old for peft."""
    version = installed("torchao")
    if version and release(version) < release(OLD_TORCHAO):
        pip("uninstall", "--yes", "torchao")


def install_missing() -> None:
    """Install what the notebooks need and the image lacks, and what is too old for them.

    All other packages of the image stay. Raises CourseError when pip fails, or when one that
    moved was loaded already.
    """
    old = too_old()
    name_too_old({name: version for name, version in old.items() if name in IRREPLACEABLE})
    wanted = versions_wanted(old)
    if not wanted:
        return
    words = [f"{name} {old[name]} → {v}" if name in old else name for name, v in wanted.items()]
    say(f"Installing {', '.join(words)} …", f"正在安装 {'、'.join(words)}……")
    import tempfile

    before = {name: installed(name) for name in (*FROZEN, "datasets", "pyarrow", *wanted)}
    free = {part for name in wanted for part in (name, *PARTS.get(name, ()))}
    frozen = [name for name in FROZEN if installed(name) and name not in free]
    with tempfile.TemporaryDirectory() as folder:
        constraints = Path(folder) / "constraints.txt"
        lines = [f"{name}=={installed(name)}\n" for name in frozen]
        constraints.write_text("".join(lines), encoding="utf-8")
        exact = [f"{name}=={version}" for name, version in wanted.items()]
        pip("install", "--quiet", "--constraint", str(constraints), *exact)
    for name, version in before.items():
        if name.replace("-", "_") in sys.modules and installed(name) != version:
            raise restart_needed(name)


def versions_wanted(old: dict[str, str]) -> dict[str, str]:
    """Return what is to be installed: the pinned version of what is absent, the oldest that works
    of what the image has in an older one.
    """
    pins = pinned()
    ours = [name for name in WANTED if name in pins and (name in old or not installed(name))]
    theirs = [name for name in old if name not in (*WANTED, *IRREPLACEABLE)]
    return {name: pins[name] for name in ours} | {name: OLDEST[name] for name in theirs}


def name_too_old(old: dict[str, str]) -> None:
    """Say which packages are too old, and that a newer image brings newer ones."""
    if old:
        words = ", ".join(f"{name} {version} (≥ {OLDEST[name]})" for name, version in old.items())
        say(
            f"⚠️ older than the lessons were tried on: {words}. If something fails, choose the "
            "newest image (Colab: Runtime → Change runtime type; Kaggle: Settings → Environment)",
            f"低于课程试过的版本：{words}。如果报错，请换用最新的镜像"
            "（Colab：Runtime → Change runtime type；Kaggle：Settings → Environment）",
        )


def too_old() -> dict[str, str]:
    """Return what is installed in a version older than the oldest that works: {name: version}."""
    have = {name: installed(name) for name in OLDEST}
    return {
        name: version
        for name, version in have.items()
        if version and release(version) < release(OLDEST[name])
    }


def pip(*arguments: str) -> None:
    """Run pip in this Python. Raises CourseError with pip's last line when it fails."""
    command = [sys.executable, "-m", "pip", *arguments, "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        last = (done.stderr.strip() or "pip").splitlines()[-1]
        raise CourseError(
            en=f"pip failed ({last}). Is the internet on? On Kaggle: Settings → Internet",
            zh=f"pip 安装失败（{last}）。网络打开了吗？Kaggle 上请看 Settings → Internet",
        )


def restart_needed(name: str) -> CourseError:
    """Return the error for a package that was imported too early."""
    return CourseError(
        en=f"{name} was already loaded: restart the session and run this cell first",
        zh=f"{name} 已经加载过了：请重启会话，然后先运行这个单元格",
    )


def installed(name: str) -> str | None:
    """Return the installed version of a package, or None."""
    from importlib import metadata  # slow to import, and a laptop's start needs none of it

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def release(version: str) -> tuple[int, ...]:
    """Return the first three numbers of a version, so that two can be compared."""
    numbers = [int(part) for part in version.split("+")[0].split(".") if part.isdigit()]
    return tuple([*numbers, 0, 0, 0][:3])


def pinned(path: str | Path | None = None) -> dict[str, str]:
    """Read the exact pins of a requirements file: {name: version}; {} without the file."""
    path = Path(path or root() / "requirements.txt")
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    pins = {}
    for line in lines:
        requirement = line.split("#")[0].split(";")[0]
        name, equals, version = requirement.partition("==")
        if equals:
            pins[name.split("[")[0].strip().lower().replace("_", "-")] = version.strip()
    return pins
