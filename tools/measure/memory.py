"""Simulate the memory of a training step, without a GPU and without the memory.

    python -m tools.measure.memory --list      # the settings, those recorded ticked
    python -m tools.measure.memory             # simulate the others; call again to go on
    python -m tools.measure.memory --one '{"model": "Qwen2.5-7B", "method": "qlora", "length": 512}'

Tensors are fake: they have a shape, a dtype and a size, but no data. A dispatch mode sees every
tensor that transformers, PEFT, TRL's head and the optimizer make, and adds up those alive; on a
0.5B model it gives the bytes of torch's MemTracker, by which the lines with "by" were made. It
does not see what a kernel takes inside, nor that autograd adds one gradient to another in place
(a tied model under autocast: a GPU takes one table less, and those settings are left out).
"""

import argparse
import contextlib
import itertools
import json
import sys
import time
import weakref
from typing import Any

from helpers.base import CourseError, root
from helpers.data.jsonl import read_jsonl
from helpers.model.memory import flash
from helpers.model.setting import METHODS, Setting, Shape, check, read
from tools.measure.sweep import append

FILE = root() / "data" / "sweeps" / "memory_simulated.jsonl"
BLOCK = 512  # CUDA's allocator rounds each tensor up to this many bytes


def settings() -> list[dict[str, Any]]:
    """Return the settings to simulate; four layers tell as much as all, and take a second."""
    four = {"model": "Qwen2.5-7B", "layers": 4, "batch": 2, "length": 1024}
    small = {"model": "Qwen2.5-0.5B", "layers": 4, "batch": 4, "length": 2048, "flash": False}
    rows: list[dict[str, Any]] = []
    for method, checkpointing in itertools.product(METHODS, (True, False)):
        # a CPU has a flash kernel for float32, too, and CUDA none
        fast = {"flash": True} if method.endswith("fp32") else {}
        rows.append({**four, **fast, "method": method, "checkpointing": checkpointing})
        if method.endswith("fp32"):
            rows.append({**small, "method": method, "checkpointing": checkpointing})
        if method in ("full_bf16", "qlora"):
            rows.append({**four, "method": method, "checkpointing": checkpointing, "flash": False})
    for method in ("full_bf16", "full_fp32", "lora", "qlora"):
        fast = {"flash": True} if method.endswith("fp32") else {}
        rows.append({**four, **fast, "model": "Qwen2.5-1.5B", "method": method})
        rows.append({**four, "method": method, "logits": "labels", "labels": 0.25})
        rows.append({**four, "method": method, "model": "Llama-3.1-8B", "length": 4096})
        rows.append({**four, "method": method, "optimizer": "adamw_foreach"})
    rows.append({**four, "method": "qlora", "rank": 64, "double_quant": False})
    rows.append({**four, "method": "lora_fp32", "model": "LLaMA-65B"})
    rows.append({"model": "Llama-3.3-70B", "method": "qlora"})
    return rows


def simulate(shape: Shape, setting: Setting) -> dict[str, int]:
    """Return the bytes alive at most in each phase of the second training step, and in all."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.utils._python_dispatch import TorchDispatchMode

    class Live(TorchDispatchMode):
        """Add up the storages alive; `top` is the most since it was last set to `now`."""

        def __init__(self) -> None:
            super().__init__()
            self.seen: Any = weakref.WeakKeyDictionary()
            self.now = self.top = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            made = func(*args, **(kwargs or {}))
            for tensor in torch.utils._pytree.tree_leaves(made):
                if isinstance(tensor, torch.Tensor):
                    self.add(tensor)
            return made

        def add(self, tensor: "torch.Tensor") -> None:
            storage = tensor.untyped_storage()
            if storage in self.seen:
                return
            size = -(-storage.nbytes() // BLOCK) * BLOCK
            self.seen[storage] = size
            self.now += size
            self.top = max(self.top, self.now)
            weakref.finalize(storage, self.drop, size)

        def drop(self, size: int) -> None:
            self.now -= size

    without_kernels()
    method = METHODS[setting.method]
    torch.is_autocast_enabled = lambda *_: method.autocast  # PEFT asks CUDA's alone
    half = torch.autocast("cpu", torch.bfloat16, enabled=method.autocast)
    with FakeTensorMode(allow_non_fake_inputs=True):
        model = build(shape, setting)
        trained = [p for p in model.parameters() if p.requires_grad]
        foreach = setting.optimizer == "adamw_foreach"
        optimizer = torch.optim.AdamW(trained, foreach=foreach, fused=not foreach)
        ids = torch.zeros(setting.batch, setting.length, dtype=torch.long)
        live = Live()
        for tensor in itertools.chain(model.parameters(), model.buffers(), [ids]):
            live.add(tensor)
        with live:
            for _ in range(2):
                tops, live.top = {}, live.now
                with attention(
                    shape, setting
                ):  # the backward of checkpointing calls attention again
                    with half:
                        loss = loss_of(model, ids, setting)
                    tops["forward"], live.top = live.top, live.now
                    loss.backward()
                del loss
                tops["backward"], live.top = live.top, live.now
                optimizer.step()
                optimizer.zero_grad()
                tops["step"] = live.top
    return {**tops, "peak": max(tops.values())}


def attention(shape: Shape, setting: Setting) -> contextlib.AbstractContextManager[None]:
    """Return the context of the wanted attention: flash, or the products written out."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    one = flash(shape, setting)
    return sdpa_kernel(SDPBackend.FLASH_ATTENTION if one else SDPBackend.MATH)


def loss_of(model: Any, ids: Any, setting: Setting) -> Any:
    """Return the loss of TRL's head, tile by tile, or of all logits at once, in fp32."""
    import torch
    from trl.kernels.chunked_logprob import ChunkedLogProbFunction

    # fake tensors look like a trace to transformers, which then builds a (batch, 1, length, length)
    # mask: say that none is needed
    mask = {"full_attention": None}
    if setting.logits == "all":
        return model(input_ids=ids, attention_mask=mask, labels=ids).loss
    core = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = core.model(ids, attention_mask=mask, use_cache=False).last_hidden_state[:, :-1]
    # a mask of labels would give an unknown number of them
    rows, columns = torch.arange(round(setting.labels * hidden[..., 0].numel())).expand(2, -1)
    hidden = hidden[rows, columns]
    if setting.logits == "labels":
        logits = core.lm_head(hidden).float()
        return torch.nn.functional.cross_entropy(logits, rows)
    weight = core.lm_head.weight
    scores = ChunkedLogProbFunction.apply(hidden, weight, None, rows, 1.0, 32768, None, 1.0, ())
    return -scores[0].mean()


def config_of(shape: Shape) -> Any:
    """Return transformers' config of a shape, without a cache."""
    from transformers import AutoConfig

    return AutoConfig.for_model(
        "qwen2" if shape.bias else "llama",
        hidden_size=shape.hidden, intermediate_size=shape.mlp, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim, vocab_size=shape.vocab, tie_word_embeddings=shape.tied,
        use_cache=False,
    )  # fmt: skip


def build(shape: Shape, setting: Setting) -> Any:
    """Return a fake model: made on "meta", given its adapters, then every tensor swapped."""
    import peft
    import torch
    import transformers
    from torch import nn

    method = METHODS[setting.method]
    dtype = torch.float32 if method.weight == 4 else torch.bfloat16
    config = config_of(shape)
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(
            config, dtype=torch.bfloat16 if method.four_bit else dtype, attn_implementation="sdpa"
        )
        if method.four_bit:
            model.is_loaded_in_4bit = True
            quantise(model, setting.double_quant)
        if method.four_bit and method.weight == 4:
            peft.prepare_model_for_kbit_training(model, use_gradient_checkpointing=False)
        if method.adapters:
            lora = peft.LoraConfig(r=setting.rank, target_modules="all-linear")
            model = peft.get_peft_model(model, lora)
    fakes: dict[int, Any] = {}  # one for each tensor, so that tied tables stay tied
    for part in model.modules():
        for held in (part._parameters, part._buffers):
            for name, old in held.items():
                if old is None:
                    continue
                if id(old) not in fakes:
                    new = torch.empty(old.shape, dtype=old.dtype)
                    trained = old.requires_grad
                    is_weight = isinstance(old, nn.Parameter)
                    fakes[id(old)] = (nn.Parameter(new, trained) if is_weight else new), old
                held[name] = fakes[id(old)][0]
    if setting.checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        if method.adapters:
            model.enable_input_require_grads()
    return model.train()


def without_kernels() -> None:
    """Let TRL's head run without the Triton kernels, which work in place."""
    from trl.kernels import chunked_logprob

    def nothing(*args: Any, **kwargs: Any) -> None:
        return None

    launched = type("Kernel", (), {"__getitem__": lambda self, grid: nothing})()
    chunked_logprob._use_triton = lambda device: True
    chunked_logprob._forward_kernel = chunked_logprob._backward_kernel = launched
    chunked_logprob.triton = type("triton", (), {"cdiv": lambda a, b: -(-a // b)})
    chunked_logprob._addmm_fp32 = nothing


def quantise(model: Any, double: bool) -> None:
    """Put NF4 layers of the right sizes in the place of a model's linear layers, on "meta"."""
    import bitsandbytes as bnb
    import torch
    from torch import nn

    class Product(torch.autograd.Function):
        """bitsandbytes' product: the whole 16-bit weight, and its scales, as temporaries."""

        @staticmethod
        def forward(ctx, x, packed, shape, bias):
            ctx.save_for_backward(packed)
            ctx.shape = shape
            scales = torch.empty(shape.numel() // 64, dtype=torch.float32)  # noqa: F841
            return nn.functional.linear(x, torch.empty(shape, dtype=x.dtype), bias)

        @staticmethod
        def backward(ctx, grad):
            scales = torch.empty(ctx.shape.numel() // 64, dtype=torch.float32)  # noqa: F841
            return grad @ torch.empty(ctx.shape, dtype=grad.dtype), None, None, None

    class Linear(bnb.nn.Linear4bit):
        def __init__(self, old: nn.Linear) -> None:
            nn.Module.__init__(self)
            n, self.shape = old.weight.numel(), old.weight.shape
            self.in_features, self.out_features = old.in_features, old.out_features
            self.compute_dtype, self.bias = torch.bfloat16, old.bias
            self.weight = nn.Parameter(torch.empty(n // 2, 1, dtype=torch.uint8), False)
            self.weight.compress_statistics, self.weight.quant_type = double, "nf4"
            kind = torch.uint8 if double else torch.float32
            self.register_buffer("absmax", torch.empty(n // 64, dtype=kind))
            if double:
                self.register_buffer("absmax2", torch.empty(-(-n // 64 // 256)))

        def forward(self, x):
            bias = None if self.bias is None else self.bias.to(torch.bfloat16)
            y = Product.apply(x.to(torch.bfloat16), self.weight, self.shape, bias)
            return y.to(x.dtype)

    for name, part in list(model.named_modules()):
        if type(part) is nn.Linear and name != "lm_head":
            model.set_submodule(name, Linear(part))


def main() -> None:
    """Simulate what is asked for, or all that is not recorded yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--one", type=json.loads, help="a setting; prints its bytes")
    options = parser.parse_args()
    if options.one:
        try:
            shape, setting = read(options.one)
            check(shape, setting)
        except CourseError as error:
            sys.exit(f"❌ {error}")
        print(json.dumps(simulate(shape, setting)))
        return
    done = {key(row) for row in read_jsonl(FILE)} if FILE.exists() else set()
    for row in settings():
        if options.list or key(row) in done:
            print("✓" if key(row) in done else "·", json.dumps(row), flush=True)
            continue
        start = time.time()
        append(FILE, row | simulate(*read(row)))
        print("+", json.dumps(row), f"{time.time() - start:.0f} s", flush=True)


def key(row: dict[str, Any]) -> str:
    """Return what tells one setting from another."""
    return str(read(row))


if __name__ == "__main__":
    main()
