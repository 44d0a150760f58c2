"""What decides how much memory a training step takes: model, method, batch, length, card."""

from typing import TYPE_CHECKING, NamedTuple

from helpers.base import CourseError
from helpers.env import T4_GIB

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from helpers.data.jsonl import Row


class Shape(NamedTuple):
    """A model's sizes: widths, and counts of layers, heads and tokens in the vocabulary."""

    hidden: int
    mlp: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    tied: bool = False  # the head shares the embedding's table
    bias: bool = False  # on q, k and v, as in Qwen2


MODELS = {  # from the config.json of each on the Hub; the 65B is the one of the QLoRA paper
    "SmolLM2-135M": Shape(576, 1536, 30, 9, 3, 64, 49152, tied=True),
    "Qwen2.5-0.5B": Shape(896, 4864, 24, 14, 2, 64, 151936, tied=True, bias=True),
    "Qwen2.5-1.5B": Shape(1536, 8960, 28, 12, 2, 128, 151936, tied=True, bias=True),
    "Qwen2.5-3B": Shape(2048, 11008, 36, 16, 2, 128, 151936, tied=True, bias=True),
    "Qwen2.5-7B": Shape(3584, 18944, 28, 28, 4, 128, 152064, bias=True),
    "Llama-3.1-8B": Shape(4096, 14336, 32, 32, 8, 128, 128256),
    "Qwen2.5-14B": Shape(5120, 13824, 48, 40, 8, 128, 152064, bias=True),
    "Qwen2.5-32B": Shape(5120, 27648, 64, 40, 8, 128, 152064, bias=True),
    "LLaMA-65B": Shape(8192, 22016, 80, 64, 64, 128, 32000),
    "Llama-3.3-70B": Shape(8192, 28672, 80, 64, 8, 128, 128256),
    "Qwen2.5-72B": Shape(8192, 29568, 80, 64, 8, 128, 152064, bias=True),
}


class Method(NamedTuple):
    """What is trained, and the bytes of an element: of weights, the residual stream, products."""

    name: str
    weight: int
    stream: int
    product: int  # what a product of matrices reads and writes
    mlp: int  # between the MLP's products
    adapters: bool = False  # float32, 4 bytes
    four_bit: bool = False
    autocast: bool = False


METHODS = {  # 16 bits are bfloat16 or float16
    "full_fp32": Method("all weights, 32 bits ｜ 全参数，32 位", 4, 4, 4, 4),
    "full_mixed": Method("all weights, mixed ｜ 全参数，混合精度", 4, 4, 2, 2, autocast=True),
    "full_bf16": Method("all weights, 16 bits ｜ 全参数，16 位", 2, 2, 2, 2),
    "lora_fp32": Method("LoRA, 32 bits ｜ LoRA，32 位", 4, 4, 4, 4, True),
    "lora": Method("LoRA, 16 bits ｜ LoRA，16 位", 2, 2, 2, 2, True, autocast=True),
    "qlora": Method("QLoRA", 2, 2, 2, 2, True, True, True),
    # after PEFT's prepare_model_for_kbit_training: tables and norms, and so the stream, in float32
    "qlora_prepared": Method(
        "QLoRA, prepared ｜ QLoRA（prepare 之后）", 4, 4, 2, 4, True, True, True
    ),
}
OPTIMIZERS = ("adamw", "adamw_foreach", "adamw_8bit", "paged_adamw_8bit")
LOGITS = ("all", "labels", "tiles")


class Setting(NamedTuple):
    """What is turned; `batch` in rows, all of `length` tokens, on one GPU.

    `logits`: whole, at "all" tokens (transformers' loss) or at those with a label ("labels"), or in
    "tiles" of 4,096 such tokens × 32,768 words (TRL on CUDA). `labels` is their share. `flash`:
    whether attention has its fast kernel; None means wherever PyTorch has one on Ampere and later,
    which is everywhere but for float32 with fewer key heads than heads.
    """

    method: str = "qlora"
    batch: int = 1
    length: int = 512
    checkpointing: bool = True
    logits: str = "tiles"
    labels: float = 1.0
    optimizer: str = "adamw"  # fused, the Trainer's default; foreach is that of torch.optim
    rank: int = 16
    double_quant: bool = True
    flash: bool | None = None


class Card(NamedTuple):
    """A GPU: what PyTorch can use of its memory, in GiB, and whether it has flash attention."""

    gib: float
    flash: bool = True


# "total capacity" in PyTorch's own messages (T4 and H200 seen; the others as users report them:
# vllm#27508, Eagle#68, torchchat#1341, CogVLM#236, CoSeR#10); A6000: 49,140 MiB by nvidia-smi
CARDS = {
    "T4": Card(T4_GIB, flash=False),  # no flash attention: inferred, not measured on a T4
    "A10, L4 (24 GB)": Card(21.99),
    "RTX 3090, 4090 (24 GB)": Card(23.5),
    "A100 (40 GB)": Card(39.5),
    "L40S (48 GB)": Card(44.4),
    "RTX A6000 (48 GB)": Card(47.5),
    "A100, H100 (80 GB)": Card(79.1),
    "H200 (141 GB)": Card(139.8),
}


def shape_of(config: "PretrainedConfig | Shape") -> Shape:
    """Return the sizes in a transformers config; raises CourseError for another architecture."""
    if isinstance(config, Shape):
        return config
    kind = config.model_type
    if kind not in ("llama", "mistral", "qwen2"):
        raise CourseError(
            en=f"the formula does not know the layers of {kind!r}, only llama, mistral and qwen2",
            zh=f"公式不认识 {kind!r} 的层结构，只认识 llama、mistral 和 qwen2",
        )
    heads = config.num_attention_heads
    return Shape(
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        heads,
        config.num_key_value_heads,
        getattr(config, "head_dim", None) or config.hidden_size // heads,
        config.vocab_size,
        config.tie_word_embeddings,
        kind == "qwen2",
    )


def check(shape: Shape, setting: Setting) -> None:
    """Raise CourseError where a setting or a shape makes no sense."""
    choices = {"method": METHODS, "logits": LOGITS, "optimizer": OPTIMIZERS}
    for name, known in choices.items():
        if (given := getattr(setting, name)) not in known:
            raise CourseError(
                en=f"unknown {name} {given!r}: choose from {', '.join(known)}",
                zh=f"未知的 {name} {given!r}：请从 {'、'.join(known)} 中选",
            )
    sizes = {**shape._asdict(), **{n: getattr(setting, n) for n in ("batch", "length", "rank")}}
    for name, given in sizes.items():
        if name not in ("tied", "bias") and (type(given) is not int or given < 1):
            raise CourseError(
                en=f"{name} is {given!r}, but must be a whole number from 1",
                zh=f"{name} 是 {given!r}，应为不小于 1 的整数",
            )
    if not 0 < setting.labels <= 1:
        raise CourseError(
            en=f"labels is {setting.labels!r}, but a share of the tokens lies between 0 and 1",
            zh=f"labels 是 {setting.labels!r}，而词元的占比应在 0 和 1 之间",
        )
    if shape.heads % shape.kv_heads:
        raise CourseError(
            en=f"{shape.heads} heads cannot share {shape.kv_heads} key heads evenly",
            zh=f"{shape.heads} 个注意力头无法平分 {shape.kv_heads} 个键值头",
        )


def on_card(setting: Setting, card: str) -> Setting:
    """Return the setting as a card runs it; raises CourseError for a card that is not in CARDS."""
    if card not in CARDS:
        raise CourseError(
            en=f"unknown card {card!r}: choose from {', '.join(CARDS)}",
            zh=f"未知的显卡 {card!r}：请从 {'、'.join(CARDS)} 中选",
        )
    return setting if CARDS[card].flash else setting._replace(flash=False)


def read(row: "Row") -> tuple[Shape, Setting]:
    """Return the shape and the setting of a recorded row; its own sizes go before its `model`'s.

    Raises CourseError for an unknown model.
    """
    own = {key: row[key] for key in Shape._fields if key in row}
    if row.get("model") not in MODELS:
        raise CourseError(
            en=f"unknown model {row.get('model')!r}: choose from {', '.join(MODELS)}",
            zh=f"未知的模型 {row.get('model')!r}：请从 {'、'.join(MODELS)} 中选",
        )
    shape = MODELS[row["model"]]._replace(**own)
    return shape, Setting(**{key: row[key] for key in Setting._fields if key in row})
