"""The profiles t4 and gpu, on the CPU: true Qwen2.5 tokenizer, a random narrow Qwen2, a few steps.

A GPU's own kernels are not reached here; dtypes, loss scaling and the road through TRL are.
"""

import math

import pytest
import torch
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig
from trl import SFTConfig, SFTTrainer

from helpers.env import choose_dtype, resolve
from helpers.model.adapters import load_adapter, save_adapter
from helpers.model.generate import chat_prompt, generate
from helpers.model.load import load, load_tokenizer, parameter_counts
from tests.toys import TEXT, qwen_tokenizer, random_qwen2

T4, AMPERE = (7, 5), (8, 0)
SPARE_ROWS = 271  # of the embedding: Qwen2.5-0.5B has 151,936 for 151,665 tokens
ANSWER = "罚款：200元"
SYSTEM = "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant."


@pytest.fixture(scope="module")
def qwen(tmp_path_factory):
    """Make a folder like Qwen2.5-0.5B-Instruct's, but narrow, untrained, and with few tokens.

    The tokenizer is Qwen's, cut down to what the texts here need: with all 151,936 rows of the
    embedding a step in float16 takes ten seconds.
    """
    folder = tmp_path_factory.mktemp("models") / "qwen"
    tokenizer = qwen_tokenizer([*TEXT, ANSWER, SYSTEM])
    tokenizer.save_pretrained(folder)
    model = random_qwen2(tokenizer, vocab_size=len(tokenizer) + SPARE_ROWS)
    # as in Qwen2.5-0.5B-Instruct's generation_config.json
    model.generation_config.update(
        do_sample=True, temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.1
    )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """Load the whole tokenizer from a folder."""
    folder = tmp_path_factory.mktemp("tokenizers") / "qwen"
    qwen_tokenizer().save_pretrained(folder)
    return load_tokenizer(folder)


def setup_for(qwen, profile, capability):
    """Return what `resolve` chooses on a GPU, moved to the CPU."""
    device, dtype, _, _ = choose_dtype(profile, capability)
    assert device == "cuda"
    return resolve(profile, model=str(qwen))._replace(dtype=dtype)


def sft(setup, *, four_bit=False, full=False):
    """Build the trainer that notebooks build: LoRA, 4-bit LoRA or full fine-tuning."""
    # all weights in fp16 could not be unscaled: full fine-tuning keeps them in float32
    dtype = "float32" if full and setup.fp16 else None
    model, tokenizer = load(setup, four_bit=four_bit, dtype=dtype)
    answer = {"role": "assistant", "content": ANSWER}
    rows = [{"messages": [{"role": "user", "content": text}, answer]} for text in TEXT]
    args = SFTConfig(
        output_dir="build/unused",
        fp16=setup.fp16,
        bf16=setup.bf16,
        use_cpu=setup.use_cpu,
        max_steps=2,
        per_device_train_batch_size=2,
        learning_rate=1e-2,
        gradient_checkpointing=False,
        assistant_only_loss=True,
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
    )
    lora = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM")
    return SFTTrainer(
        model=model,
        args=args,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=None if full else lora,
    )


def trained(model):
    return [p for p in model.parameters() if p.requires_grad]


def float32_trainables(model):
    """TRL casts 4-bit adapters to bfloat16, which a GradScaler cannot unscale (trl#4901)."""
    for parameter in trained(model):
        parameter.data = parameter.data.float()


def train(trainer):
    """Run the trainer's steps and return its losses."""
    before = [p.detach().clone() for p in trained(trainer.model)]
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    assert len(losses) == 2
    assert all(map(math.isfinite, losses))
    assert losses[1] < losses[0]
    moved = [not torch.equal(a, b) for a, b in zip(before, trained(trainer.model), strict=True)]
    assert any(moved)
    return losses


def scaled_step(trainer):
    """Take one step as on a T4: fp16 autocast, scaled loss, gradients unscaled."""
    model = trainer.model.train()
    optimizer = torch.optim.SGD(trained(model), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with torch.autocast("cpu", dtype=torch.float16):
        loss = model(**next(iter(trainer.get_train_dataloader()))).loss
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    found = {p.grad.dtype for p in trained(model) if p.grad is not None}
    norm = torch.nn.utils.clip_grad_norm_(trained(model), 1.0)
    scaler.step(optimizer)
    scaler.update()
    assert 0 < norm < 100
    assert scaler.get_scale() == 1024.0  # nothing overflowed
    return found


# --- the tokenizer


def test_the_tokenizer_is_qwens(tokenizer):
    assert len(tokenizer) == 151_665
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|file_sep|>"]
    assert tokenizer.convert_tokens_to_ids(names) == [151_643, 151_644, 151_645, 151_664]
    assert (tokenizer.pad_token, tokenizer.eos_token) == ("<|endoftext|>", "<|im_end|>")
    # ids from tiktoken, with Qwen's ranks and pattern
    text = "违法行为：占用公交专用道停车\n依据：第12条\nFine: 200 yuan, it's Article 12.\n"
    assert tokenizer(text).input_ids == [
        *(107797, 5122, 109054, 102540, 105223, 44793, 101531, 198, 104282, 5122, 29437, 16, 17),
        *(38989, 198, 63716, 25, 220, 17, 15, 15, 72283, 11, 432, 594, 13355, 220, 16, 17, 624),
    ]


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=40))
def test_text_comes_back_from_its_tokens(tokenizer, text):
    import unicodedata

    ids = tokenizer(text).input_ids
    assert tokenizer.decode(ids) == unicodedata.normalize("NFC", text)


def test_the_prompt_is_qwens(tokenizer):
    text = chat_prompt(tokenizer, [{"role": "user", "content": "你好"}])
    assert text.startswith(f"{SYSTEM}<|im_end|>\n<|im_start|>user\n你好<|im_end|>\n")
    assert text.endswith("<|im_start|>assistant\n")
    assert tokenizer(text).input_ids[0] == 151_644  # no BOS before it


# --- t4


def test_t4_lora_keeps_the_base_in_fp16_and_trains_in_float32(qwen, tmp_path):
    setup = setup_for(qwen, "t4", T4)
    trainer = sft(setup)
    assert trainer.accelerator.mixed_precision == "fp16"
    assert {p.dtype for p in trained(trainer.model)} == {torch.float32}
    assert {p.dtype for p in trainer.model.parameters() if not p.requires_grad} == {torch.float16}
    assert scaled_step(trainer) == {torch.float32}  # no fix needed: PEFT casts adapters up
    train(trainer)
    share, total = parameter_counts(trainer.model)
    assert 0 < share / total < 0.1

    prompts = [[{"role": "user", "content": text}] for text in ("你好", "Write the notice.")]
    answers = generate(trainer.model, trainer.processing_class, prompts, max_new_tokens=4)
    save_adapter(trainer.model, tmp_path / "04_notice")
    model, tokenizer = load(setup)
    # a random model may say the same after two steps: look at its logits, not at its words
    ids = torch.tensor([tokenizer("你好").input_ids])
    tuned, plain = (m.eval()(ids).logits.detach().float() for m in (trainer.model, model))
    assert (tuned - plain).abs().max() > 1e-3
    model = load_adapter(model, tmp_path / "04_notice")
    assert generate(model, tokenizer, prompts, max_new_tokens=4) == answers


def test_t4_full_fine_tuning_needs_float32_weights(qwen):
    setup = setup_for(qwen, "t4", T4)
    trainer = sft(setup, full=True)
    assert {p.dtype for p in trained(trainer.model)} == {torch.float32}
    assert scaled_step(trainer) == {torch.float32}
    train(trainer)
    trainer.model.half()  # what fp16 weights would do on the GPU
    with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
        scaled_step(trainer)


def test_t4_qlora_needs_its_adapters_in_float32(qwen):
    setup = setup_for(qwen, "t4", T4)
    trainer = sft(setup, four_bit=True)
    layer = trainer.model.base_model.model.model.layers[0].mlp.up_proj.base_layer
    assert layer.weight.quant_state.quant_type == "nf4"
    assert layer.compute_dtype == torch.float16
    # TRL's cast; on a GPU the scaler dies of it. When this fails, the fix can go
    assert {p.dtype for p in trained(trainer.model)} == {torch.bfloat16}
    float32_trainables(trainer.model)
    assert scaled_step(trainer) == {torch.float32}
    train(trainer)
    assert {p.dtype for p in trained(trainer.model)} == {torch.float32}
    answers = generate(trainer.model, trainer.processing_class, ["你好", "Fine:"], max_new_tokens=2)
    assert len(answers) == 2


# --- gpu


def test_gpu_lora_trains_in_bf16_without_a_scaler(qwen):
    trainer = sft(setup_for(qwen, "gpu", AMPERE))
    assert trainer.accelerator.mixed_precision == "bf16"
    assert trainer.accelerator.scaler is None
    frozen = {p.dtype for p in trainer.model.parameters() if not p.requires_grad}
    assert frozen == {torch.bfloat16}
    for row in next(iter(trainer.get_train_dataloader()))["labels"]:  # the answer's loss alone
        answer = trainer.processing_class.decode(row[row != -100])
        assert answer.strip() == f"{ANSWER}<|im_end|>"
    train(trainer)


def test_gpu_qlora_computes_in_bf16(qwen):
    trainer = sft(setup_for(qwen, "gpu", AMPERE), four_bit=True)
    layer = trainer.model.base_model.model.model.layers[0].mlp.up_proj.base_layer
    assert layer.compute_dtype == torch.bfloat16
    train(trainer)
