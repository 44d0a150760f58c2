"""Load an adapter onto a model, and save one whole or not at all."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base import CourseError, atomic_dir, recover, root

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel


def adapter_path(name: str, profile: str = "tiny") -> Path:
    """Return the folder of a trained adapter: the one that ships (tiny), else the learner's own.

    Names start with the number of the notebook that makes the adapter, for instance `04_notice`.
    Raises CourseError when there is none, naming the notebook to run first.
    """
    shipped = [root() / "data" / "adapters" / name] if profile in ("tiny", "smoke") else []
    own = root() / "build" / "adapters" / profile / name
    for folder in [*shipped, own]:
        recover(folder)
        if (folder / "adapter_config.json").is_file():
            return folder
    number = name[:2] if name[:2].isdigit() else "04"
    raise CourseError(
        en=f"no adapter {name} for the profile {profile} yet: run notebook {number} first",
        zh=f"还没有适用于 {profile} 档位的适配器 {name}：请先运行 {number} 号 notebook",
        where=str(own),
    )


def load_adapter(model: "PreTrainedModel", path: str | Path) -> "PeftModel":
    """Put a saved adapter on a model, in place of one that it may have.

    Raises CourseError when there is no adapter, or when it was trained for another model.
    """
    from peft import PeftModel

    path = Path(path)
    recover(path)
    if not (path / "adapter_config.json").is_file():
        raise CourseError(
            en="there is no adapter here: run the notebook that makes it, or mend the path",
            zh="这里没有适配器：请先运行生成它的 notebook，或改正路径",
            where=str(path),
        )
    model = model.unload() if isinstance(model, PeftModel) else model
    try:
        return PeftModel.from_pretrained(model, path, torch_device=str(model.device))
    except (RuntimeError, ValueError) as error:
        raise CourseError(
            en="this adapter does not fit the model: load the model that it was trained on",
            zh="这个适配器与模型不匹配：请加载训练它时所用的模型",
            where=str(path),
        ) from error


def save_adapter(model: "PeftModel", path: str | Path) -> Path:
    """Save an adapter whole or not at all, without this machine's paths in it; return its folder.

    Raises CourseError when the disk is full; an adapter saved there before is then untouched.
    """
    path = Path(path)
    with atomic_dir(path) as folder:
        model.save_pretrained(folder, save_embedding_layers=False)  # "auto" would ask the hub
        (folder / "README.md").unlink(missing_ok=True)  # peft's empty form of a model card
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        config["base_model_name_or_path"] = portable(config["base_model_name_or_path"])
        text = json.dumps(config, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
        (folder / "adapter_config.json").write_text(text, encoding="utf-8")
    return path


def portable(name: str | None) -> str | None:
    """Return a model's name as other machines know it: a hub id, or a path in the repository."""
    cached = re.search(r"models--([^/\\]+?)--([^/\\]+)[/\\]snapshots", name or "")
    if cached:
        return "/".join(cached.groups())
    inside = name and Path(name).is_absolute() and Path(name).is_relative_to(root())
    return Path(name).relative_to(root()).as_posix() if inside else name
