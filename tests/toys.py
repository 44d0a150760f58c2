"""Small stand-ins for models and tokenizers, made on the spot."""

import base64
import hashlib
import lzma
from collections.abc import Iterable
from functools import cache
from importlib import resources
from pathlib import Path

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' }}"
    "{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ message.content + '<|im_end|>\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

TEXT = [
    "Write the notice.\nReport: the car LX4821 was parked in the bus lane.",
    "[LINGXI TRAFFIC NOTICE]\nPlate: LX4821\nBasis: Article 12\nFine: 200 yuan\nPoints: 3",
    "请写处理通知书。\n报告：车辆 LX4821 停在公交专用道上。",
    "【灵溪市交通违法处理通知书】\n车牌：LX4821\n依据：第12条\n罚款：200元\n记分：3分",
]


def toy_tokenizer():
    """Train a byte-level BPE of 400 tokens on a few lines; pad and end tokens differ."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(TEXT, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        pad_token="<|endoftext|>",
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>"],
    )
    tokenizer.chat_template = CHATML
    return tokenizer


def random_qwen2(
    tokenizer,
    *,
    vocab_size: int | None = None,
    layers: int = 2,
    seed: int = 0,
    hidden: int = 64,
    kv_heads: int = 4,
):
    """Make a random Qwen2 of four heads, with tied embeddings, for a tokenizer."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    config = Qwen2Config(
        vocab_size=vocab_size or len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=kv_heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Qwen2ForCausalLM(config).eval()


QWEN_SHA256 = "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186"
# ids 151643 to 151664 in Qwen2.5's tokenizer_config.json
QWEN_ADDED = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>", "<|box_end|>"),
    *("<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>"),
    *("<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>"),
    *("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>"),
    *("<|repo_name|>", "<|file_sep|>"),
]


def qwen_ranks() -> dict[bytes, int]:
    """Read Qwen's byte-pair ranks: {bytes of a token: its id}."""
    packed = Path(__file__).parent / "fixtures" / "qwen.tiktoken.xz"
    raw = lzma.decompress(packed.read_bytes())
    assert hashlib.sha256(raw).hexdigest() == QWEN_SHA256
    pairs = (line.split() for line in raw.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def byte_letters() -> dict[int, str]:
    """Return the letter by which byte-level tokenizers write each byte."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return bytes_to_unicode()


def last_merge(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """Return the two parts that byte-pair encoding joins last to make a token."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        found = [(ranks.get(parts[i] + parts[i + 1], len(ranks)), i) for i in range(len(parts) - 1)]
        i = min(found)[1]
        parts[i : i + 2] = [parts[i] + parts[i + 1]]
    return parts[0], parts[1]


def used_ranks(texts: Iterable[str]) -> dict[bytes, int]:
    """Renumber the ranks of the bytes, of the tokens in some texts and of all that make them.

    Any text is then cut as before, but for tokens that are left out: they come in pieces.
    """
    ranks = qwen_ranks()
    whole = qwen_tokenizer()
    letters = {letter: byte for byte, letter in byte_letters().items()}
    found = {token for text in texts for token in whole.tokenize(text)} - set(QWEN_ADDED)
    todo = [bytes(letters[letter] for letter in token) for token in found]
    used = {bytes([byte]) for byte in range(256)}
    while todo:
        token = todo.pop()
        if token not in used:
            used.add(token)
            todo += last_merge(token, ranks)
    return {token: i for i, token in enumerate(sorted(used, key=ranks.get))}


def qwen_tokenizer(texts: Iterable[str] | None = None):
    """Return the true Qwen2.5 tokenizer, made once, or one that is cut down to some texts."""
    return whole_qwen() if texts is None else build_qwen(used_ranks(texts))


@cache
def whole_qwen():
    """Build the true tokenizer, which takes seconds."""
    return build_qwen(qwen_ranks())


def build_qwen(ranks: dict[bytes, int]):
    """Build Qwen's tokenizer from byte-pair ranks and TRL's copy of its template."""
    from tokenizers import AddedToken
    from transformers import Qwen2Tokenizer

    letters = byte_letters()
    text = {token: "".join(letters[byte] for byte in token) for token in ranks}
    merges = [
        tuple(text[part] for part in last_merge(token, ranks))
        for token in sorted(ranks, key=ranks.get)
        if len(token) > 1
    ]
    vocab = {text[token]: rank for token, rank in ranks.items()}
    vocab |= {token: len(ranks) + i for i, token in enumerate(QWEN_ADDED)}
    tokenizer = Qwen2Tokenizer(
        vocab=vocab,
        merges=merges,
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    tokenizer.add_tokens([AddedToken(t, special=t[1] == "|", normalized=False) for t in QWEN_ADDED])
    template = resources.files("trl") / "chat_templates" / "qwen2_5.jinja"
    tokenizer.chat_template = template.read_text(encoding="utf-8")
    return tokenizer
