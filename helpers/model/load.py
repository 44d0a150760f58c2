"""Load a model with its tokenizer, count parameters; adapters and answers come from beside."""

from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base import CourseError
from helpers.env import Setup, resolve
from helpers.model.hub import find_model
from helpers.model.template import with_markers
from helpers.platforms import quiet

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
# tokens that families keep for padding, the best first; padding with the end token would teach a
# model never to stop
PAD_TOKENS = ("<|finetune_right_pad_id|>", "<|endoftext|>", "<pad>", "[PAD]", "<unk>")


def load(
    setup: Setup | str | Path, *, four_bit: bool = False, dtype: str | None = None
) -> tuple["PreTrainedModel", "PreTrainedTokenizerBase"]:
    """Load the model and tokenizer of a setup, or of a folder or hub id (on the CPU, in float32).

    `four_bit` loads NF4 weights. `dtype` replaces the setup's: float32 where all weights are to be
    trained under fp16, since a GradScaler cannot unscale fp16 gradients.
    Raises CourseError when the model, its weights or its tokenizer cannot be had.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    quiet()
    logging.disable_progress_bar()
    setup = setup if isinstance(setup, Setup) else resolve("tiny", str(setup))
    folder = find_model(setup.model)
    tokenizer = load_tokenizer(folder)
    dtype = getattr(torch, dtype or setup.dtype)
    options = {"quantization_config": nf4(dtype), "device_map": {"": setup.device}}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, attn_implementation="sdpa", **(options if four_bit else {})
        )
    except (OSError, SafetensorError) as error:
        raise CourseError(
            en=f"the weights cannot be read ({error}): fetch the folder again",
            zh=f"无法读取权重（{error}）：请重新下载这个文件夹",
            where=str(folder),
        ) from error
    if len(tokenizer) > model.get_input_embeddings().num_embeddings:
        raise CourseError(
            en="the tokenizer has more tokens than the model has rows: it is another model's",
            zh="分词器的词数多于模型的嵌入行数：这是别的模型的分词器",
            where=str(folder),
        )
    return (model if four_bit else model.to(setup.device)), tokenizer


def nf4(dtype: "torch.dtype") -> object:
    """Return the settings for 4-bit NF4 weights that compute in `dtype` (QLoRA, section 3)."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",  # the library's default is fp4
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def load_tokenizer(folder: str | Path) -> "PreTrainedTokenizerBase":
    """Load a folder's tokenizer and see that it pads with another token than it ends with.

    Raises CourseError when the folder holds no tokenizer or no token to pad with.
    """
    from transformers import AutoTokenizer

    if not any((Path(folder) / name).is_file() for name in TOKENIZER_FILES):
        # transformers would make an empty tokenizer from the config alone
        raise CourseError(
            en="this model folder has no tokenizer: copy tokenizer.json and tokenizer_config.json "
            "from the model it was trained from",
            zh="这个模型文件夹里没有分词器：请从它的原始模型复制 tokenizer.json 和 "
            "tokenizer_config.json",
            where=str(folder),
        )
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if tokenizer.pad_token in (None, tokenizer.eos_token):
        spare = [t for t in PAD_TOKENS if t in tokenizer.get_vocab() and t != tokenizer.eos_token]
        if not spare:
            raise CourseError(
                en="the tokenizer has no token to pad with but its end token: add one",
                zh="分词器除结束符外没有可用的填充符：请添加一个",
                where=str(folder),
            )
        tokenizer.pad_token = spare[0]
    with_markers(tokenizer)
    return tokenizer


def parameter_counts(model: "torch.nn.Module") -> tuple[int, int]:
    """Return how many parameters are trained, and how many there are; tied ones count once."""
    counts = [0, 0]
    for parameter in model.parameters():
        # bitsandbytes packs two 4-bit weights into each byte
        packed = 2 * parameter.element_size() if type(parameter).__name__ == "Params4bit" else 1
        counts[0] += parameter.numel() * packed * parameter.requires_grad
        counts[1] += parameter.numel() * packed
    return counts[0], counts[1]
