"""Ways to fine-tune, by name: each frees or adds other weights of the same model."""

from typing import TYPE_CHECKING, Any

from helpers.base import CourseError

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedModel

METHODS = {  # abbreviations are not translated
    "full": "all weights ｜ 全参数",
    "lora": "LoRA",
    "rslora": "rsLoRA",
    "dora": "DoRA",
    "qlora": "QLoRA",
    "adapter": "bottleneck ｜ 瓶颈适配器",
    "prefix": "prefix ｜ 前缀",
    "ia3": "IA3",
    "prompt": "soft prompt ｜ 软提示",
}
PLACES: dict[str, Any] = {  # targets by name -> what PEFT takes
    "all-linear": "all-linear",
    "qv": ["q_proj", "v_proj"],
    "attention": ["q_proj", "k_proj", "v_proj", "o_proj"],
    "mlp": ["gate_proj", "up_proj", "down_proj"],
}


def adapt(
    model: "PreTrainedModel",
    method: str,
    *,
    r: int = 8,
    alpha: float = 16,
    targets: str = "all-linear",
    dropout: float = 0.0,
) -> "PreTrainedModel":
    """Make a model trainable by a method (see METHODS); it is changed and returned.

    `r` is the rank; for prefix and prompt tuning the number of virtual tokens, for the bottleneck
    its width; full fine-tuning and IA3 have no such size. "qlora" wants a model loaded in 4 bits.
    Raises CourseError for an unknown method or place, and for QLoRA on unquantised weights.
    """
    if method not in METHODS or targets not in PLACES:
        raise CourseError(
            en=f"unknown method {method!r} or targets {targets!r}: "
            f"choose from {', '.join(METHODS)} and {', '.join(PLACES)}",
            zh=f"未知的方法 {method!r} 或位置 {targets!r}："
            f"请从 {'、'.join(METHODS)} 和 {'、'.join(PLACES)} 中选",
        )
    if method == "qlora" and not getattr(model, "is_loaded_in_4bit", False):
        raise CourseError(
            en="QLoRA needs 4-bit weights: load(setup, four_bit=True)",
            zh="QLoRA 需要 4 比特的权重：请用 load(setup, four_bit=True) 加载",
        )
    if method == "full":
        return model.requires_grad_(True)
    if method == "adapter":
        return add_bottlenecks(model, r)

    from peft import get_peft_model

    return get_peft_model(model, peft_config(method, r, alpha, targets, dropout))


def peft_config(method: str, r: int, alpha: float, targets: str, dropout: float) -> Any:
    """Return PEFT's configuration of a method."""
    from peft import IA3Config, LoraConfig, PrefixTuningConfig, PromptTuningConfig

    task = {"task_type": "CAUSAL_LM"}
    if method == "prefix":
        return PrefixTuningConfig(num_virtual_tokens=r, **task)
    if method == "prompt":  # PEFT's default start, a normal of width 1, drowns the real tokens
        return PromptTuningConfig(num_virtual_tokens=r, prompt_tuning_init="SAMPLE_VOCAB", **task)
    if method == "ia3":
        # the paper scales keys, values and the MLP's inner state; PEFT's own choice is q, not k
        places = {"target_modules": ["k_proj", "v_proj", "down_proj"]}
        return IA3Config(**places, feedforward_modules=["down_proj"], **task)
    return LoraConfig(
        r=r,
        lora_alpha=alpha,
        target_modules=PLACES[targets],
        lora_dropout=dropout,
        use_rslora=method == "rslora",
        use_dora=method == "dora",
        **task,
    )


def bottleneck(linear: "nn.Linear", width: int) -> "nn.Module":
    """Return a layer followed by a bottleneck (Houlsby et al. 2019, arXiv:1902.00751).

    Down to `width`, a bend, up again, and added to what came in; at the start it adds nothing.
    """
    import torch
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = linear
            place = {"device": linear.weight.device}
            self.down = nn.Linear(linear.out_features, width, **place)
            self.up = nn.Linear(width, linear.out_features, **place)
            nn.init.zeros_(self.up.weight)
            nn.init.zeros_(self.up.bias)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = self.linear(x)  # (batch, tokens, emb)
            return h + self.up(nn.functional.gelu(self.down(h)))

    return Bottleneck()


def add_bottlenecks(model: "PreTrainedModel", width: int) -> "PreTrainedModel":
    """Freeze a model and put a bottleneck after each attention and each MLP block."""
    model.requires_grad_(False)
    for layer in model.model.layers:
        layer.self_attn.o_proj = bottleneck(layer.self_attn.o_proj, width)
        layer.mlp.down_proj = bottleneck(layer.mlp.down_proj, width)
    return model
