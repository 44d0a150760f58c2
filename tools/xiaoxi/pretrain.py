"""Make Xiaoxi: train the tokenizer and the tiny base model from nothing, on the school's text.

    python -m tools.xiaoxi.pretrain             # train, or go on from the last checkpoint
    python -m tools.xiaoxi.pretrain --start data/models/xiaoxi --since 0.6   # teach a model further
    python -m tools.xiaoxi.pretrain --report    # measure the report card again

The course drills copying with random tokens, then reads a few articles, then many. Each batch
is a function of the seed and the step alone, so a killed run goes on as if nothing had happened.
"""

import argparse
import ctypes
import json
import math
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from helpers.base import CourseError, atomic_dir, atomic_file
from helpers.env import threads
from helpers.lingxi import words as common_words
from helpers.platforms import short_spin
from tools.xiaoxi import lexicon as lex
from tools.xiaoxi import report_card, school

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
MODEL = {
    "hidden_size": 128,
    "intermediate_size": 512,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
    "rope_theta": 10_000.0,
}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
TOKENS = 6144  # a batch, whatever its length

Lesson = Callable[[random.Random, str], list[school.Turn]]


def tokenizer_text(seed: int = 7, lessons: int = 3000) -> list[str]:
    """Return text for the tokenizer: lessons without plates, and every word of the lexicon."""
    rng = random.Random(seed)
    text = []
    for i in range(lessons):
        lang = (school.EN, school.ZH)[i % 2]
        make = rng.choice(
            (
                lambda r, g: school.reading(r, g, 3, 0.1, kinds=("fine", "rule", "office")),
                lambda r, g: school.forms(r, g, 2),
                school.translation,
                school.story,
                school.lists,
                school.dialogue,
                school.sums,
            )
        )
        for ask, reply in make(rng, lang):
            text += [school.PLATE.sub("", ask), school.PLATE.sub("", reply)]
    for words in (*lex.FORMAL_EN, *lex.FORMAL_ZH):
        text += [f" {w}" for w in words] * 20
    known = "".join(a.lingxi_zh for a in common_words.ACTS) + "".join(
        p.lingxi_zh for p in common_words.PLACES
    )
    return text + sorted(set(known)) * 20  # single characters: an alphabet, no word of Lingxi


def train_tokenizer(text: list[str]) -> Any:
    """Return a byte-level BPE tokenizer whose tokens never join two Chinese characters.

    It is trained with every Han character apart and shipped with Qwen2's pre-tokenizer: no merge
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
    bpe.train_from_iterator(
        text,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=list(SPECIAL),
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    bpe.pre_tokenizer = pre_tokenizers.Sequence([words, byte])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        chat_template=TEMPLATE,
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
    )


LENGTHS = (128, 288, 640)  # tokens in a row: no article, two or three, four to eight
# the odds of each length, from which part of the course on
ODDS = ((0.0, (2, 6, 0)), (0.1, (3, 6, 1)), (0.25, (3, 4, 3)), (0.5, (2, 3, 5)))
RULE_ONLY = ("rule",)
# points and office stand further from the words that lead there than the fine: they are asked more
SKIPPING = (*school.KINDS, "points", "points", "points", "office", "office")


def lessons(length: int, late: float) -> list[tuple[float, Lesson]]:
    """Return (share, lesson) for rows of a length; `late` runs from 0 to 1."""
    hard = min(0.6, 0.1 + 0.8 * late)
    unknown = 0.0 if late < 0.5 else 0.12
    same = 0.5 * (1 - late)
    plain = max(0.05, 0.6 - 2 * late)  # articles worded as answers are come first

    def reading(low: int, high: int, kinds: tuple[str, ...] | None = None) -> Lesson:
        def lesson(r: random.Random, lang: str) -> list[school.Turn]:
            k, one_shape = r.randint(low, high), r.random() < same
            easy = r.random() < plain
            return school.reading(r, lang, k, unknown, one_shape, hard, 12, kinds or SKIPPING, easy)

        return lesson

    def forms(low: int, high: int) -> Lesson:
        return lambda r, g: school.forms(r, g, r.randint(low, high), 10, False, hard)

    if length == LENGTHS[0]:
        return [
            (2, reading(1, 1)),
            (3, forms(0, 0)),
            (1.5, school.glossary),
            (3, school.translation),
            (5, school.sums),
            (2, school.lists),
            (1, school.story),
            (0.5, school.dialogue),
        ]
    if length == LENGTHS[1]:
        return [
            (5, reading(2, 3)),
            (4 * (1 - late), reading(2, 3, RULE_ONLY)),
            (min(5, 1 + 12 * late), forms(1, 3)),
            (1, school.glossary),
            (0.5, school.translation),
            (0.5, school.sums),
        ]
    return [(6, reading(4, 8)), (3 + late, forms(3, 5))]


def row(
    rng: random.Random, tokenizer: Any, length: int, late: float
) -> tuple[list[int], list[float]]:
    """Return one row: token ids and the weight of each as a target, no longer than `length`."""
    menu = lessons(length, late)
    lesson = rng.choices([m for _, m in menu], [s for s, _ in menu])[0]
    ids: list[int] = []
    weights: list[float] = []
    for i, (ask, reply) in enumerate(lesson(rng, rng.choice((school.EN, school.ZH)))):
        user = f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n"
        first, then, end = (
            e.ids for e in tokenizer.encode_batch([user, f"{reply}<|im_end|>", "\n"])
        )
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


ALPHABETS = {4: 4, 6: 3, 10: 3, 20: 2}  # so many tokens -> how many of a span tell where it began


def phrases(rng: random.Random, size: int, vocabulary: int) -> tuple[list[int], list[float]]:
    """Return the same from an alphabet so small that one token leaves it open what follows.

    Only several tokens together tell the place, as act and place together tell an article.
    """
    count, half = rng.choice(list(ALPHABETS)), size // 2
    alphabet = rng.sample(range(3, vocabulary), count)
    ids, weights = rng.choices(alphabet, k=half), [0.0] * half
    while len(ids) < size:
        start = rng.randrange(half - 10)
        span = ids[start : min(half, start + rng.randint(8, 14))]
        blind = min(ALPHABETS[count], len(span))  # no weight: nobody could know
        ids += span
        weights += [0.0] * blind + [1.0] * (len(span) - blind)
    return ids[:size], weights[:size]


def recall(rng: random.Random, size: int, vocabulary: int) -> tuple[list[int], list[float]]:
    """Return records of random tokens, a key of two and three named values, then questions on them.

    Keys share tokens, so both must match; a question gives key and name, in any order of names.
    """
    alphabet = [rng.randrange(3, vocabulary) for _ in range(5)]
    names = rng.sample(range(3, vocabulary), 3)
    keys = rng.sample([(a, b) for a in alphabet for b in alphabet], rng.randint(2, 6))
    values = {
        k: [rng.choices(range(3, vocabulary), k=rng.randint(1, 3)) for _ in names] for k in keys
    }
    ids: list[int] = []
    for key in keys:
        ids += key
        for name, value in zip(names, values[key], strict=True):
            ids += [name, *value]
    weights = [0.0] * len(ids)
    while len(ids) < size:
        key, i = rng.choice(keys), rng.randrange(3)
        ids += [*key, names[i], *values[key][i]]
        weights += [0.0, 0.0, 0.0] + [1.0] * len(values[key][i])
    return ids[:size], weights[:size]


class Course(NamedTuple):
    """How long a run is, where in the course it begins, and the learning rate's way."""

    steps: int = 12_000
    seed: int = 0
    since: float = 0.0  # from 0 to 1; above 0 it goes on with a model that has done its drill
    peak: float = 3e-3  # the highest learning rate
    decay: float = 0.5  # share of the steps over which it falls

    def rate(self, step: int) -> float:
        """Return the learning rate: warm up, stay, and fall linearly over the last part."""
        left = (self.steps - step) / (self.steps * self.decay)
        return self.peak * min(1.0, (step + 1) / WARMUP, max(left, 0.02))


def batch(course: Course, step: int, tokenizer: Any) -> tuple[Any, Any]:
    """Return (ids, weights) of one step, (rows, length) each; a function of its arguments alone."""
    import torch

    rng = random.Random(f"{course.seed}-{step}")
    vocabulary = tokenizer.get_vocab_size()
    alone = 0 if course.since else int(course.steps * ALONE)
    if step < alone:
        drill = (copying, phrases, recall)[step % 3 if step > alone // 6 else 0]
        length, rows = 64, [drill(rng, 64, vocabulary) for _ in range(64)]
    else:
        late = course.since + (1 - course.since) * (step - alone) / (course.steps - alone)
        odds = next(odds for start, odds in reversed(ODDS) if late >= start)
        length = rng.choices(LENGTHS, odds)[0]
        rows = []
        for _ in range(max(1, TOKENS // length)):
            if length < LENGTHS[2] and rng.random() < max(0.1, 0.18 * (1 - late)):
                rows.append(rng.choice((recall, phrases))(rng, length, vocabulary))
            else:
                rows.append(row(rng, tokenizer, length, late))
    ids = torch.zeros(len(rows), length, dtype=torch.long)
    weights = torch.zeros(len(rows), length)
    for i, (a, b) in enumerate(rows):
        ids[i, : len(a)], weights[i, : len(b)] = torch.tensor(a), torch.tensor(b)
    return ids, weights


ALONE = 0.13  # share of the steps that drill copying, with random tokens
WARMUP = 100  # steps


def build(vocabulary: int, seed: int) -> Any:
    """Return Xiaoxi with random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=vocabulary,
        attn_implementation="sdpa",
        bos_token_id=None,
        pad_token_id=0,
        eos_token_id=2,
        **MODEL,
    )
    model = Qwen2ForCausalLM(config)
    look_back(model)
    return model


def look_back(model: Any, heads: int = 3, pairs: int = 6, strength: float = 60.0) -> None:
    """Set the biases of the first layer's heads so that they look one, two and three tokens back.

    With constant query and key, RoPE's score depends on the distance alone: u · R(j - i + n) u is
    largest at j = i - n. Copying needs such heads (Olsson et al. 2022, "In-context Learning and
    Induction Heads"); given one, it was learned in 200 steps instead of 650. Three let the next
    layer compare phrases, not single tokens.
    """
    import torch

    attention = model.model.layers[0].self_attn
    size, half = attention.head_dim, attention.head_dim // 2
    angle = model.config.rope_parameters["rope_theta"] ** (-torch.arange(pairs) / half)
    value = math.sqrt(strength / pairs)
    with torch.no_grad():
        for head in range(heads):
            query = attention.q_proj.bias[head * size :]
            key = attention.k_proj.bias[head * size :]
            query[:pairs] = value
            key[:pairs] = value * torch.cos((head + 1) * angle)
            key[half : half + pairs] = value * torch.sin((head + 1) * angle)


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

    with atomic_file(folder / "state.pt") as path:
        torch.save(state, path)


def settings(course: Course, start: Path | None) -> dict[str, Any]:
    """Return what makes a run this run: its course, and a hash of the model that it starts from."""
    files = [start / name for name in (report_card.WEIGHTS, "tokenizer.json")] if start else []
    hashes = [report_card.sha256(file)[:16] for file in files]
    return course._asdict() | {"start": "-".join(hashes) or "none"}


def last_checkpoint(folder: Path, wanted: dict[str, Any]) -> dict[str, Any] | None:
    """Return the checkpoint in `folder`, or None. Raise CourseError if its settings are others.

    Else a run would train nothing and pass another run's weights off as its own.
    """
    import torch

    path = folder / "state.pt"
    if not path.exists():
        return None
    state = torch.load(path, weights_only=True)
    saved = dict.fromkeys(wanted, "?") | state.get("settings", {})
    differ = [(name, saved[name], value) for name, value in wanted.items() if saved[name] != value]
    if differ:
        en = ", ".join(f"{name} was {old}, is {new}" for name, old, new in differ)
        zh = "，".join(f"{name} 原为 {old}，现为 {new}" for name, old, new in differ)
        raise CourseError(
            en=f"this checkpoint is another run's ({en}): choose another folder with --checkpoint, "
            "or delete this file",
            zh=f"这个检查点属于另一次训练（{zh}）：请用 --checkpoint 换一个文件夹，或删除这个文件",
            where=str(path),
        )
    return state


def begin(folder: Path, course: Course, start: Path | None) -> tuple[Any, Any, dict[str, Any]]:
    """Return (model, tokenizer, state): random weights, or those of the model in `start`."""
    from tokenizers import Tokenizer

    folder.mkdir(parents=True, exist_ok=True)
    # a tokenizer that lies there without a checkpoint may be another run's
    whole = (folder / "state.pt").exists() and (folder / "tokenizer.json").exists()
    if start and not whole:
        for name in TOKENIZER_FILES:
            shutil.copy(start / name, folder / name)
    elif not whole:
        train_tokenizer(tokenizer_text()).save_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = build(tokenizer.get_vocab_size(), course.seed)
    state: dict[str, Any] = {"step": 0, "losses": [], "tokens": 0, "seconds": 0.0}
    if start:
        from safetensors.torch import load_file

        weights = load_file(start / report_card.WEIGHTS)
        done = model.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
        if done.unexpected_keys or set(done.missing_keys) - {"lm_head.weight"}:
            sys.exit(f"{start}: not a Xiaoxi: {done} ｜ 不是小溪的权重")
        run = json.loads((start / "run.json").read_text(encoding="utf-8"))
        state |= {"tokens": run["tokens"], "seconds": 60.0 * run["minutes"]}
    return model, tokenizer, state


def train(
    course: Course,
    folder: Path,
    save_every: float = 180.0,
    compiled: bool = True,
    stop_at: int | None = None,
    probe_every: int = 0,
    bf16: bool = False,
    start: Path | None = None,
) -> list[float]:
    """Train from the last checkpoint in `folder`, from `start` or from nothing; return all losses.

    `bf16` multiplies in bfloat16 over fp32 weights: faster where the processor has AVX512-BF16.
    Raises CourseError when the checkpoint is of a run with other settings.
    """
    import torch

    wanted = settings(course, start)
    known = last_checkpoint(folder, wanted)
    model, tokenizer, state = begin(folder, course, start)
    state["settings"] = wanted
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=course.peak, betas=(0.9, 0.98), weight_decay=0.05, fused=True
    )
    if known:
        state = known
        model.load_state_dict(state.pop("model"))
        optimizer.load_state_dict(state.pop("optimizer"))
    body = torch.compile(model.model, dynamic=False) if compiled else model.model
    model.train()
    began = saved = time.time()
    for step in range(state["step"], stop_at or course.steps):
        ids, weights = batch(course, step, tokenizer)
        optimizer.param_groups[0]["lr"] = course.rate(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            loss = loss_of(body, model.lm_head.weight, ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        now = time.time()
        state["losses"].append(loss.item())
        state.update(
            step=step + 1,
            tokens=state["tokens"] + ids.numel(),
            seconds=state["seconds"] + now - began,
        )
        began = now
        if (step + 1) % 50 == 0:
            last = state["losses"][-50:]
            print(
                f"step {step + 1}/{course.steps}  loss {sum(last) / len(last):.3f}  "
                f"{state['tokens'] / 1e6:.1f}M tokens  {state['seconds'] / 60:.1f} min",
                flush=True,
            )
        if probe_every and (step + 1) % probe_every == 0:
            print("   ", report_card.probe(model, tokenizer), flush=True)
        if now - saved > save_every or step + 1 == (stop_at or course.steps):
            whole = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), **state}
            save_checkpoint(folder, whole)
            saved = now
    return state["losses"]


def export(folder: Path, out: Path) -> None:
    """Write the last checkpoint as a model that transformers loads: fp16 weights and tokenizer.

    `out` is replaced whole or not at all; an old report card goes, since it is of other weights.
    Raises CourseError when `out` holds something else than such a model.
    """
    import torch
    from transformers import AutoTokenizer

    if out.exists() and any(out.iterdir()) and not (out / "run.json").exists():
        raise CourseError(
            en="what this folder holds would be replaced and is no Xiaoxi: choose another --out",
            zh="这个文件夹里放的不是小溪，导出会把它整个替换：请用 --out 换一个文件夹",
            where=str(out),
        )
    state = torch.load(folder / "state.pt", weights_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = build(len(tokenizer), 0)
    model.load_state_dict(state["model"])
    model.generation_config.update(eos_token_id=2, pad_token_id=0, do_sample=False)
    run = {"tokens": state["tokens"], "minutes": round(state["seconds"] / 60)}
    with atomic_dir(out) as new:
        model.half().save_pretrained(new)
        tokenizer.save_pretrained(new)
        (new / "run.json").write_text(json.dumps(run) + "\n", encoding="utf-8")


def keep_memory() -> None:
    """Tell glibc to keep what is freed: mapping large tensors anew took half of each step here."""
    if sys.platform == "linux":
        trim_threshold, top_pad, mmap_max = -1, -2, -4  # the names of mallopt(3)
        libc = ctypes.CDLL(None)
        for name, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 2**26)):
            libc.mallopt(name, value)


def main() -> None:
    """Train and export, or measure the report card of the exported model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Course()
    parser.add_argument("--steps", type=int, default=default.steps, help="length of the run")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--start", type=Path, help="begin with the weights of this model")
    parser.add_argument("--since", type=float, default=0.0, help="where in the course, 0 to 1")
    parser.add_argument("--peak", type=float, default=default.peak, help="highest learning rate")
    parser.add_argument("--decay", type=float, default=default.decay, help="share it falls over")
    parser.add_argument("--checkpoint", type=Path, default=CHECKPOINT, help="where a run is kept")
    parser.add_argument("--out", type=Path, default=OUT, help="where the model goes")
    parser.add_argument("--save-every", type=float, default=180.0, help="seconds")
    parser.add_argument("--no-compile", action="store_true", help="slower, starts at once")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16")
    parser.add_argument("--report", action="store_true", help="only measure the model again")
    args = parser.parse_args()
    keep_memory()
    short_spin()
    threads()
    try:
        make(args)
    except CourseError as error:
        sys.exit(f"❌ {error}")


def make(args: argparse.Namespace) -> None:
    """Do what the command line asks for."""
    if not args.report:
        train(
            Course(args.steps, args.seed, args.since, args.peak, args.decay),
            args.checkpoint,
            args.save_every,
            not args.no_compile,
            probe_every=500,
            bf16=args.bf16,
            start=args.start,
        )
        export(args.checkpoint, args.out)
    report_card.write(args.out)


if __name__ == "__main__":
    main()
