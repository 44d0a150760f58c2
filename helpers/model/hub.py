"""Find a model's files: a folder, the hub's cache, the hub or its mirror, ModelScope, or Xiaoxi."""

import importlib.util
import json
import os
import re
import threading
from pathlib import Path

from helpers.base import CourseError, full_disk, is_full_disk, root, say
from helpers.env import SMOLLM2, XIAOXI
from helpers.model.gguf import dequantised, small_model

HUB = "https://huggingface.co"
MODELSCOPE = "https://modelscope.cn"
# weights in other formats, which nobody here reads
NOT_NEEDED = ["*.bin", "*.gguf", "*.h5", "*.msgpack", "*.onnx", "*.pth", "original/*", "onnx/*"]


def find_model(model: str | Path) -> Path:
    """Return a local folder with the model's files, fetching them if need be.

    Order: SmolLM2-135M-Instruct, out of its package; a folder or a GGUF file; the hub's
    cache; the hub (HF_ENDPOINT, if set, is its mirror); ModelScope, if its package is installed;
    Xiaoxi, with a notice. Raises CourseError when a folder or file is not there or holds no model,
    when the hub has no such model, and when the disk is full.
    """
    if str(model) == SMOLLM2:
        return dequantised(small_model())
    folder = local_folder(model)
    if folder is None:
        folder = cached(str(model)) or from_hub(str(model)) or from_modelscope(str(model))
    if folder is None:
        say(
            f"⚠️ {model} cannot be fetched: no hub in reach. Xiaoxi, the tiny model, stands in; "
            'set PROFILE = "tiny", or HF_ENDPOINT to a mirror',
            f"⚠️ 无法下载 {model}：连不上任何模型仓库。先用小模型“小溪”代替；"
            '请把 PROFILE 设为 "tiny"，或把 HF_ENDPOINT 设为镜像站',
        )
        folder = local_folder(XIAOXI)
    return folder


def local_folder(model: str | Path) -> Path | None:
    """Return the folder that `model` names, or None if it names a model on the hub."""
    given = Path(model).expanduser()
    for file in (given, root() / given):
        if file.is_file():
            return dequantised(file)
    for folder in (given, root() / given):
        if (folder / "config.json").is_file():
            return folder
    for folder in (given, root() / given):
        if folder.is_dir():
            raise CourseError(
                en="this folder holds no model (no config.json): set MODEL to one that does",
                zh="这个文件夹里没有模型（缺 config.json）：请把 MODEL 设为含有模型的文件夹",
                where=str(folder),
            )
    if re.fullmatch(r"\w[\w.-]*/[\w.-]+", str(model)):
        return None  # owner/name, as on the hub
    raise CourseError(
        en="no such folder or file; MODEL is a model's folder, a .gguf file or a hub id such as "
        '"Qwen/Qwen2.5-0.5B-Instruct"',
        zh="没有这个文件夹或文件；MODEL 应为模型文件夹、.gguf 文件，或模型编号，如 "
        '"Qwen/Qwen2.5-0.5B-Instruct"',
        where=str(model),
    )


def cached(model: str) -> Path | None:
    """Return the folder of a model that was fetched before, or None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(model, local_files_only=True, ignore_patterns=NOT_NEEDED))
    except LocalEntryNotFoundError:
        return None
    return folder if is_whole(folder) else None


def is_whole(folder: Path) -> bool:
    """Tell whether a folder holds a config and every file of weights (a download may break off)."""
    index = folder / "model.safetensors.index.json"
    names = {"model.safetensors"}
    if index.is_file():
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return all((folder / name).is_file() for name in ("config.json", *names))


def from_hub(model: str) -> Path | None:
    """Fetch a model from the hub or the mirror in HF_ENDPOINT; None when out of reach."""
    if not reachable(os.environ.get("HF_ENDPOINT") or HUB):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        return Path(snapshot_download(model, ignore_patterns=NOT_NEEDED))
    except RepositoryNotFoundError as error:
        raise CourseError(
            en="the hub shows no such model (or asks you to log in for it): check the spelling",
            zh="模型仓库里没有这个模型（或需要登录才能看到）：请检查拼写",
            where=model,
        ) from error
    except Exception as error:  # network errors of several libraries; the next source is tried
        if is_full_disk(error):
            raise full_disk(Path(model)) from error
        return None


def from_modelscope(model: str) -> Path | None:
    """Fetch a model from ModelScope when its package is there and the site in reach, else None."""
    if not importlib.util.find_spec("modelscope") or not reachable(MODELSCOPE):
        return None
    from modelscope import snapshot_download

    try:
        return Path(snapshot_download(model, ignore_patterns=NOT_NEEDED))
    except Exception as error:  # its errors have no common class; the next source is tried
        if is_full_disk(error):
            raise full_disk(Path(model)) from error
        return None


def reachable(url: str, seconds: float = 3.0) -> bool:
    """Tell whether a site answers in time; never raises, and HF_HUB_OFFLINE=1 means no."""
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        return False
    import urllib.error
    import urllib.request

    answers = []

    def ask() -> None:
        try:
            request = urllib.request.Request(url, method="HEAD")
            urllib.request.urlopen(request, timeout=seconds).close()
            answers.append(True)
        except urllib.error.HTTPError:
            answers.append(True)  # an answer, if an unfriendly one
        except Exception:
            answers.append(False)

    # in a thread: looking up the name may hang for longer than any timeout of urllib's
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(seconds)
    return bool(answers and answers[0])
