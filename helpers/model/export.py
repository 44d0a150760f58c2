"""Write a model into a GGUF file, the one that llama.cpp and its kin read."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base import CourseError, atomic_file

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

KINDS = ("F32", "F16", "Q8_0", "Q5_0", "Q4_1", "Q4_0")  # those that the gguf package can write
SPECIAL, NORMAL = 3, 1  # kinds of tokens, in llama.cpp's numbers


def write_gguf(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    file: Path,
    kind: str = "F16",
    architecture: str = "qwen2",
) -> Path:
    """Write a model with its tokenizer and template as GGUF; return the file.

    Matrices are stored in `kind`, norms and biases in float32. Rows must have a multiple of 32
    weights. Raises CourseError for an unknown kind, and for other models than Qwen2's.
    """
    if kind not in KINDS or model.config.model_type != "qwen2":
        raise CourseError(
            en=f"cannot write {model.config.model_type!r} as {kind!r}: only qwen2, as one of "
            f"{', '.join(KINDS)}; llama.cpp's convert_hf_to_gguf.py knows more",
            zh=f"无法把 {model.config.model_type!r} 写成 {kind!r}：只支持 qwen2，格式为 "
            f"{'、'.join(KINDS)} 之一；其他的请用 llama.cpp 的 convert_hf_to_gguf.py",
            where=str(file),
        )
    import gguf

    with atomic_file(file) as new:
        writer = gguf.GGUFWriter(new, architecture)
        _describe(writer, model, kind)
        _add_tokenizer(writer, tokenizer)
        _add_weights(writer, model, kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return file


def _describe(writer, model: "PreTrainedModel", kind: str) -> None:
    """Add the sizes of a model."""
    import gguf

    config = model.config
    writer.add_file_type(gguf.LlamaFileType[f"{'ALL' if kind == 'F32' else 'MOSTLY'}_{kind}"])
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)


def _add_tokenizer(writer, tokenizer: "PreTrainedTokenizerBase") -> None:
    """Add vocabulary, merges, special tokens and the chat template."""
    told = json.loads(tokenizer.backend_tokenizer.to_str())
    special = {token["id"]: token["content"] for token in told["added_tokens"]}
    words = {i: word for word, i in told["model"]["vocab"].items()} | special
    writer.add_tokenizer_model("gpt2")  # byte-level BPE
    writer.add_tokenizer_pre("qwen2")  # how text is cut before the merges
    writer.add_add_bos_token(False)
    writer.add_token_list([words[i] for i in range(len(words))])
    writer.add_token_types([SPECIAL if i in special else NORMAL for i in range(len(words))])
    pairs = told["model"]["merges"]
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in pairs])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    writer.add_pad_token_id(tokenizer.pad_token_id)
    writer.add_chat_template(tokenizer.chat_template)


def _add_weights(writer, model: "PreTrainedModel", kind: str) -> None:
    """Add the weights under llama.cpp's names, rounded to `kind`."""
    import gguf

    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.QWEN2, model.config.num_hidden_layers)
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        stored = gguf.GGMLQuantizationType["F32" if weight.ndim == 1 else kind]
        data = gguf.quants.quantize(weight.float().cpu().numpy(), stored)
        writer.add_tensor(names.get_name(name, (".weight", ".bias")), data, raw_dtype=stored)
