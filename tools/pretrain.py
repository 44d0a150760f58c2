"""Make Xiaoxi: train the tokenizer and the tiny base model from nothing, on the school's text.

    python tools/pretrain.py             # train, or go on from the last checkpoint
    python tools/pretrain.py --report    # measure the report card again

The course is in three parts (see PHASES): copying, reading a few articles, reading many. Each batch
is a function of the seed and the step alone, so a killed run goes on as if nothing had happened.
"""

import argparse
import json
import math
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tools import lexicon as lex  # noqa: E402
from tools import report_card, school  # noqa: E402

OUT = ROOT / "data" / "models" / "xiaoxi"
CHECKPOINT = ROOT / "build" / "pretrain"
VOCABULARY = 3072
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
HAN = r"\p{Han}"
QWEN2 = (  # the pre-tokenizer of Qwen2, under which GGUF tools know the model
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = (  # ChatML; the markers tell TRL which tokens are the assistant's
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}"
    "{{ message['content'] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
MODEL = {"hidden_size": 128, "intermediate_size": 512, "num_hidden_layers": 4,
         "num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 2048,
         "tie_word_embeddings": True, "rope_theta": 10_000.0}
TOKENS = 6144  # a batch, whatever its length

Lesson = Callable[[random.Random, str], list[school.Turn]]


def tokenizer_text(seed: int = 7, lessons: int = 3000) -> list[str]:
    """Return text for the tokenizer: lessons without plates, and every word of the lexicon."""
    rng = random.Random(seed)
    text = []
    for i in range(lessons):
        lang = (school.EN, school.ZH)[i % 2]
        make = rng.choice((lambda r, g: school.reading(r, g, 3, 0.1, kinds=("fine", "quote", "office")),
                           lambda r, g: school.forms(r, g, 2), school.translation, school.story,
                           school.lists, school.dialogue, school.sums))
        for ask, reply in make(rng, lang):
            text += [school.PLATE.sub("", ask), school.PLATE.sub("", reply)]
    for words in (*lex.FORMAL_EN, *lex.FORMAL_ZH):
        text += [f" {w}" for w in words] * 20
    known = "".join(a.lingxi_zh for a in lex.ACTS) + "".join(p.lingxi_zh for p in lex.PLACES)
    return text + sorted(set(known)) * 20  # single characters: an alphabet, no word of Lingxi


def train_tokenizer(text: list[str]) -> Any:
    """Return a byte-level BPE tokenizer whose tokens never join two Chinese characters.

    It is trained with every Han character apart and shipped with Qwen2's own pre-tokenizer: no merge
    crosses a character, so both cut text alike, and programs that know Qwen2 read it rightly.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    words = pre_tokenizers.Split(Regex(QWEN2), "isolated")
    chars = pre_tokenizers.Split(Regex(HAN), "isolated")
    bpe.pre_tokenizer = pre_tokenizers.Sequence([chars, words, byte])
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(text, trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(SPECIAL), show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    bpe.pre_tokenizer = pre_tokenizers.Sequence([words, byte])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe, pad_token="<|endoftext|>", eos_token="<|im_end|>",
        chat_template=TEMPLATE, model_max_length=2048, clean_up_tokenization_spaces=False)


def lessons(length: int, late: float) -> list[tuple[float, Lesson]]:
    """Return (share, lesson) for rows of a length; `late` runs from 0 to 1 over the reading parts."""
    read, forms = school.reading, school.forms
    hard = 0.3 + 0.4 * late
    no = 0.0 if late < 0.15 else 0.2
    same = 0.5 * (1 - late)

    def reading(low: int, high: int, kinds: tuple[str, ...] | None = None) -> Lesson:
        return lambda r, g: read(r, g, r.randint(low, high), no, r.random() < same, hard, 12, kinds)

    if length <= 128:
        return [(3, reading(1, 1)), (2, reading(1, 1, ("quote",))), (2, lambda r, g: forms(r, g, 0)),
                (3, school.translation), (4, school.sums), (2, school.lists), (1, school.story),
                (0.5, school.dialogue)]
    if length <= 256:
        return [(6, reading(2, 3)), (2 * (1 - late), reading(2, 3, ("quote", "quote", "fine"))),
                (1 + 2 * late, lambda r, g: forms(r, g, r.randint(1, 2), 8, False, hard)),
                (0.5, school.translation), (0.5, school.sums)]
    return [(5, reading(4, 8)), (3 * late, lambda r, g: forms(r, g, r.randint(3, 4), 8, False, hard))]


def row(rng: random.Random, tokenizer: Any, length: int, late: float) -> tuple[list[int], list[float]]:
    """Return one row: token ids and the weight of each as a target, no longer than `length`."""
    menu = lessons(length, late)
    lesson = rng.choices([m for _, m in menu], [s for s, _ in menu])[0]
    ids: list[int] = []
    weights: list[float] = []
    for i, (ask, reply) in enumerate(lesson(rng, rng.choice((school.EN, school.ZH)))):
        user = f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n"
        first, then, end = (e.ids for e in tokenizer.encode_batch([user, f"{reply}<|im_end|>", "\n"]))
        if len(ids) + len(first) + len(then) >= length:
            break
        unseen_form = i == 0 and reply.count("\n") > 0 and "___" not in ask
        ids += first + then + end
        weights += [0.3 if rng.random() < 0.06 else 0.0 for _ in first]
        weights += [0.1 if unseen_form else 1.0] * len(then) + [0.0] * len(end)
    if not ids:  # the first turn alone was too long: take another lesson
        return row(rng, tokenizer, length, late)
    return ids, weights


def copying(rng: random.Random, size: int, vocabulary: int) -> tuple[list[int], list[float]]:
    """Return random tokens, then spans of them again: what copying is, and nothing else."""
    half = size // 2
    ids = [rng.randrange(3, vocabulary) for _ in range(half)]
    while len(ids) < size:
        start = rng.randrange(half - 4)
        ids += ids[start : min(half, start + rng.randint(4, 8))]
    return ids[:size], [0.0] * half + [1.0] * (size - half)


def recall(rng: random.Random, size: int, vocabulary: int) -> tuple[list[int], list[float]]:
    """Return pairs of random tokens with three values each, then the pairs asked in any order."""
    alphabet = [rng.randrange(3, vocabulary) for _ in range(5)]
    keys = rng.sample([(a, b) for a in range(5) for b in range(5)], rng.randint(3, 8))
    values = {k: [rng.randrange(3, vocabulary) for _ in range(3)] for k in keys}
    ids, weights = [], []
    for key in keys:
        ids += [alphabet[key[0]], alphabet[key[1]], *values[key]]
    weights = [0.0] * len(ids)
    while len(ids) + 5 <= size:
        key = rng.choice(keys)
        ids += [alphabet[key[0]], alphabet[key[1]], *values[key]]
        weights += [0.0, 0.0, 1.0, 1.0, 1.0]
    return ids, weights


def batch(seed: int, step: int, steps: int, tokenizer: Any) -> tuple[Any, Any]:
    """Return (ids, weights) of one step, (rows, length) each; a function of its arguments alone."""
    import torch

    rng = random.Random(f"{seed}-{step}")
    vocabulary = tokenizer.get_vocab_size()
    alone = int(steps * COPYING)
    if step < alone:
        length, rows = 32, [copying(rng, 32, vocabulary) for _ in range(64)]
    else:
        late = (step - alone) / (steps - alone)
        odds = (5, 5, 0) if late < 0.12 else (4, 5, 2) if late < 0.4 else (3, 4, 4)
        length = rng.choices((128, 256, 448), odds)[0]
        rows = []
        for _ in range(TOKENS // length):
            if length == 128 and rng.random() < 0.25 * (1 - late):
                rows.append(rng.choice((recall, copying))(rng, length, vocabulary))
            else:
                rows.append(row(rng, tokenizer, length, late))
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    weights = torch.zeros(len(rows), length)
    for i, (a, b) in enumerate(rows):
        ids[i, : len(a)], weights[i, : len(b)] = torch.tensor(a), torch.tensor(b)
    return ids, weights


COPYING = 0.1  # share of the steps that only copy
RATE, WARMUP, DECAY = 3e-3, 100, 0.3


def rate(step: int, steps: int) -> float:
    """Return the learning rate: warm up, stay, and fall linearly over the last part."""
    left = (steps - step) / (steps * DECAY)
    return RATE * min(1.0, (step + 1) / WARMUP, max(left, 0.02))


def build(vocabulary: int, seed: int) -> Any:
    """Return Xiaoxi with random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(vocab_size=vocabulary, attn_implementation="sdpa", bos_token_id=None,
                         pad_token_id=0, eos_token_id=2, **MODEL)
    return Qwen2ForCausalLM(config)


def loss_of(body: Any, head: Any, ids: Any, weights: Any) -> Any:
    """Return the weighted mean loss; logits are made only where a target counts."""
    import torch.nn.functional as F

    hidden = body(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]  # (rows, tokens, emb)
    weight = weights[:, 1:]
    counts = weight > 0
    logits = F.linear(hidden[counts], head)  # (targets, vocabulary)
    losses = F.cross_entropy(logits.float(), ids[:, 1:][counts], reduction="none")
    return (losses * weight[counts]).sum() / weight[counts].sum()


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Save a checkpoint whole or not at all."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "state.tmp")
    os.replace(folder / "state.tmp", folder / "state.pt")


def train(steps: int, seed: int, folder: Path, save_every: float = 180.0, compiled: bool = True,
          stop_at: int | None = None, probe_every: int = 0) -> list[float]:
    """Train from the last checkpoint in `folder`, or from nothing; return all losses so far."""
    import torch
    from tokenizers import Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokenizer.json").exists():
        train_tokenizer(tokenizer_text()).save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = build(tokenizer.get_vocab_size(), seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.98),
                                  weight_decay=0.05, fused=True)
    state: dict[str, Any] = {"step": 0, "losses": [], "tokens": 0, "seconds": 0.0}
    if (folder / "state.pt").exists():
        state = torch.load(folder / "state.pt", weights_only=True)
        model.load_state_dict(state.pop("model"))
        optimizer.load_state_dict(state.pop("optimizer"))
    body = torch.compile(model.model, dynamic=False) if compiled else model.model
    model.train()
    began = saved = time.time()
    for step in range(state["step"], stop_at or steps):
        ids, weights = batch(seed, step, steps, tokenizer)
        optimizer.param_groups[0]["lr"] = rate(step, steps)
        loss = loss_of(body, model.lm_head.weight, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        now = time.time()
        state["losses"].append(loss.item())
        state.update(step=step + 1, tokens=state["tokens"] + ids.numel(),
                     seconds=state["seconds"] + now - began)
        began = now
        if (step + 1) % 50 == 0:
            last = state["losses"][-50:]
            print(f"step {step + 1}/{steps}  loss {sum(last) / len(last):.3f}  "
                  f"{state['tokens'] / 1e6:.1f}M tokens  {state['seconds'] / 60:.1f} min", flush=True)
        if probe_every and (step + 1) % probe_every == 0:
            print("   ", report_card.probe(model, tokenizer), flush=True)
        if now - saved > save_every or step + 1 == (stop_at or steps):
            whole = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), **state}
            save_checkpoint(folder, whole)
            saved = now
    return state["losses"]
