"""The checks of notebook 05; each wrong answer that people give has a hint of its own."""

from helpers.exercise import exercise, near
from helpers.model.memory import GIB, fit, peak
from helpers.model.setting import CARDS, MODELS, Setting, on_card

OLD, NEW = ((7, 0), (7, 5)), ((8, 0), (8, 9), (9, 0))
LINEAR, OTHERS = 6_525_288_448, 1_090_328_064  # Qwen2.5-7B


@exercise("05.1", "The quantiser", "量化器")
def quantise(answer):
    import torch

    levels, matrix = nf4_levels(), seeded((6, 96))
    got = answer(matrix, levels, 64)
    yield (
        isinstance(got, tuple | list) and len(got) == 2,
        "return two tensors: codes, and absmax",
        "返回两个张量：codes 和 absmax",
    )
    codes, absmax = (torch.as_tensor(x).flatten() for x in got)
    right, largest = reference(matrix, levels, 64)
    yield (
        len(absmax) != 1,
        "one constant for the whole matrix: each block of 64 has its own",
        "整个矩阵只有一个常数：每 64 个一块，各有各的",
    )
    by_column = reference(matrix.T, levels, 64)[1]
    yield (
        not near(absmax, by_column),
        "blocks run along the rows: read the matrix row by row, as `flatten` does",
        "块是按行走的：像 `flatten` 那样一行一行地读",
    )
    yield (
        len(absmax) == len(largest),
        f"{matrix.numel()} weights make {len(largest)} blocks of 64, here: {len(absmax)}",
        f"{matrix.numel()} 个权重应分成 {len(largest)} 块，这里有 {len(absmax)} 块",
    )
    yield (
        not near(absmax, torch.stack([part.max() for part in matrix.flatten().split(64)])),
        "the largest *absolute* value: a block's largest weight may be a negative one",
        "要取最大的*绝对值*：块里最大的可能是个负数",
    )
    signed = [part[part.abs().argmax()] for part in matrix.flatten().split(64)]
    yield (
        not near(absmax, torch.stack(signed)),
        "the constant has no sign: take the absolute value, or negative blocks are turned round",
        "常数不带符号：取绝对值，否则负的块会正负颠倒",
    )
    yield (
        near(absmax, largest),
        "absmax is not the largest absolute value",
        "absmax 不是最大的绝对值",
    )
    yield (
        len(codes) == matrix.numel(),
        f"a code for each of the {matrix.numel()} weights, not packed, here: {len(codes)}",
        f"{matrix.numel()} 个权重各一个编号，先不打包，这里有 {len(codes)} 个",
    )
    yield (
        not codes.is_floating_point() and codes.min() >= 0 and codes.max() <= 15,
        "codes are whole numbers from 0 to 15: the places of the levels, not the levels",
        "编号是 0 到 15 的整数：是第几个值，不是值本身",
    )
    flat = matrix.flatten() / largest.repeat_interleave(64)[: matrix.numel()]
    linear = ((flat + 1) * 7.5).round().long()
    yield (
        not same(codes, linear, flat, levels),
        "that is equal steps, as in int4: find the nearest of the given levels",
        "这是等距的，像 int4：要找给定的值里最近的",
    )
    down = (torch.bucketize(flat, levels, right=True) - 1).clamp(0, 15)
    yield (
        not same(codes, down, flat, levels),
        "rounded down: take the nearest level, which may be the one above",
        "这是向下取：要取最近的，可能是上面那个",
    )
    up = torch.bucketize(flat, levels).clamp(0, 15)
    yield (
        not same(codes, up, flat, levels),
        "rounded up: the bounds lie in the middle between two levels",
        "这是向上取：分界在相邻两个值的中点",
    )
    yield (
        same(codes, right, flat, levels),
        "some codes are not the nearest level's: is each weight divided by its own block's absmax?",
        "有的编号不是最近的值：每个权重都除以自己那一块的 absmax 了吗？",
    )
    short = seeded((3, 50))
    codes, absmax = (torch.as_tensor(x).flatten() for x in answer(short, levels, 64))
    right, largest = reference(short, levels, 64)
    flat = short.flatten() / largest.repeat_interleave(64)[: short.numel()]
    yield (
        len(absmax) == 3 and near(absmax, largest) and same(codes, right, flat, levels),
        "150 weights: the last block is shorter, and counts",
        "150 个权重：最后一块短一些，也要算",
    )
    zeros = torch.cat([torch.zeros(64), seeded((64,))])[None]
    codes, absmax = (torch.as_tensor(x).flatten() for x in answer(zeros, levels, 64))
    yield (
        bool((codes[:64] == 7).all()) and bool((absmax[:1] == 0).all()),
        "a block of zeros: its absmax is 0, its codes those of level 0; do not divide by 0",
        "全零的块：absmax 是 0，编号都是 0 那个值的；不要除以 0",
    )
    yield (
        near(answer(matrix, levels, 32)[1], reference(matrix, levels, 32)[1]),
        "the size of a block is given, and not always 64",
        "块的大小由参数给出，不一定是 64",
    )


def nf4_levels():
    """Return bitsandbytes' sixteen levels."""
    from bitsandbytes.functional import get_4bit_type

    return get_4bit_type("nf4", device="cpu")


def seeded(shape):
    """Return normal numbers, the same each time; in most blocks the largest is negative."""
    import torch

    return torch.randn(shape, generator=torch.Generator().manual_seed(1)) - 0.2


def reference(matrix, levels, block):
    """Return bitsandbytes' codes and absmax."""
    import torch
    from bitsandbytes.functional import quantize_4bit

    packed, state = quantize_4bit(
        matrix.contiguous(), blocksize=block, quant_type="nf4", compress_statistics=False
    )
    packed = packed.flatten().long()
    codes = torch.stack([packed >> 4, packed & 15], 1).flatten()
    return codes[: matrix.numel()], state.absmax


def same(codes, right, scaled, levels):
    """Tell whether codes agree, but where a number lies halfway between two levels."""
    middle = (scaled[:, None] - (levels[1:] + levels[:-1]) / 2).abs().amin(1) < 1e-6
    return bool(((codes == right) | middle).all())


ALL_7B, ADAPTERS = 7_615_616_512, 40_370_176  # weights of Qwen2.5-7B; LoRA of rank 16 on it


@exercise("05.2", "The bytes of a step", "一步要多少字节")
def step_gigabytes(answer):
    whole, lora = answer(0, ALL_7B, 0), answer(ALL_7B, ADAPTERS, 2)
    right = 16 * ALL_7B / 1e9
    yield (
        not near(whole, 8 * right) and not near(whole, 1e9 * right, 1e-6),
        "in GB of 10^9 bytes, please",
        "请以 GB（10^9 字节）为单位",
    )
    yield (
        not near(whole, right * 1e9 / GIB),
        "that is GiB: a GB has 10^9 bytes",
        "这是 GiB；GB 是 10^9 字节",
    )
    yield (
        not near(whole, right * 3 / 4),
        "12 bytes a weight: AdamW keeps *two* averages, beside weight and gradient",
        "每个权重 12 字节：除了权重和梯度，AdamW 要存*两个*平均值",
    )
    yield (
        not near(whole, right / 2) or near(whole, 0),
        "8 bytes a weight: are all four there (weight, gradient, two averages), with 4 bytes each?",
        "每个权重 8 字节：float32 是 4 字节；权重、梯度、两个平均值，四样都算了吗？",
    )
    yield (
        near(whole, right, 1e-6),
        f"all of 7B: not {whole:.1f} GB",
        f"7B 全部训练：不是 {whole:.1f} GB",
    )
    yield (
        not near(lora, 16 * (ALL_7B + ADAPTERS) / 1e9, 1e-3),
        "frozen weights have neither gradient nor averages",
        "冻结的权重没有梯度，也没有平均值",
    )
    yield (
        not near(lora, (2 * ALL_7B + 8 * ADAPTERS) / 1e9, 1e-6),
        "the adapters are in float32: 4 bytes, and so are their gradient and averages",
        "适配器用 float32：4 字节；它的梯度和平均值也一样",
    )
    yield (
        near(lora, (2 * ALL_7B + 16 * ADAPTERS) / 1e9, 1e-6),
        f"LoRA: not {lora:.2f} GB; frozen weights count once, in `frozen_bytes` each",
        f"LoRA：不是 {lora:.2f} GB；冻结的权重只算一次，各占 `frozen_bytes`",
    )
    yield (
        near(answer(1000, 0, 0.5), 5e-7, 1e-9),
        "`frozen_bytes` may be a fraction: 4 bits are 0.5",
        "`frozen_bytes` 可以是小数：4 比特是 0.5",
    )


@exercise("05.3", "A 7B model on a T4", "T4 上的 7B")
def turned(setting):
    seven, card = MODELS["Qwen2.5-7B"], "T4"
    yield (
        isinstance(setting, Setting),
        "`turned` is a Setting(…)",
        "`turned` 应为 Setting(…)",
    )
    yield (
        setting.method in ("lora", "qlora"),
        'take "lora" or "qlora" as the method',
        '方法请从 "lora" 和 "qlora" 中选',
    )
    yield (
        setting.length >= 1000,
        "the longest row has 1,000 tokens: shorter rows would be cut off",
        "最长的一行有 1,000 个词元：再短就会被截断",
    )
    yield (
        16 % setting.batch == 0,
        f"{setting.batch} rows at once do not divide the 16 of a step",
        f"一次 {setting.batch} 行，除不尽每步的 16 行",
    )
    yield (
        setting._replace(batch=16, length=16, checkpointing=True, method="qlora")
        == Setting("qlora", 16, 16),
        "turn only method, batch, length and checkpointing",
        "只调方法、批、长度和检查点",
    )
    verdict, found = fit(seven, setting, card)
    over = found.bytes / GIB
    yield (
        verdict != "no" or setting.checkpointing,
        f"{over:.0f} GiB: without checkpointing the activations of 28 layers are kept",
        f"{over:.0f} GiB：不开检查点，28 层的激活值都要留着",
    )
    yield (
        verdict != "no" or setting.method == "qlora",
        f"{over:.1f} GiB: in 16 bits the weights alone take 14.2 of {CARDS[card].gib:.1f}",
        f"{over:.1f} GiB：光是 16 位的权重就占 14.2，而这块卡只有 {CARDS[card].gib:.1f}",
    )
    yield (
        verdict == "fits",
        f"{over:.1f} GiB of {CARDS[card].gib:.1f}: fewer rows at once, accumulated more often",
        f"{over:.1f} GiB，而卡上有 {CARDS[card].gib:.1f}：一次少几行，多累积几次",
    )
    more = setting._replace(batch=2 * setting.batch)
    yield (
        fit(seven, more, card)[0] != "fits",
        f"it fits, but {more.batch} rows at once fit, too "
        f"({peak(seven, on_card(more, card)).bytes / GIB:.1f} GiB)",
        f"放得下，不过一次 {more.batch} 行也放得下"
        f"（{peak(seven, on_card(more, card)).bytes / GIB:.1f} GiB）",
    )


@exercise("05.4", "Settings for a T4", "T4 的设置")
def settings_for(answer):
    t4, a100 = answer((7, 5)), answer((8, 0))
    yield (
        isinstance(t4, dict) and set(t4) == set(RIGHT_T4),
        f"return a dictionary with the keys {', '.join(RIGHT_T4)}",
        f"返回一个字典，键是 {'、'.join(RIGHT_T4)}",
    )
    yield (
        not t4["bf16"],
        "a T4 only emulates bfloat16: `bf16` is for compute capability (8, 0) and up",
        "T4 的 bfloat16 是模拟出来的：计算能力 (8, 0) 及以上才用 `bf16`",
    )
    yield t4["fp16"], "a T4 is fast in float16: set `fp16`", "T4 算得快的是 float16：请设 `fp16`"
    for both in (t4, a100):
        yield (
            both["attention"] != "flash_attention_2",
            'FlashAttention 2 wants Ampere, and its own package; "sdpa" runs everywhere',
            'FlashAttention 2 要 Ampere 及以后的卡，还要另装；"sdpa" 到哪里都能跑',
        )
        yield (
            both["quant_type"] == "nf4",
            'the 4-bit format of QLoRA is "nf4"; "fp4" is the library\'s default',
            'QLoRA 的 4 比特格式是 "nf4"；"fp4" 是程序库的默认值',
        )
    yield (
        name(t4["compute"]) != "float32",
        "computing in float32 is right but slow on a GPU: the layers compute in the same 16-bit "
        "type as the rest",
        "用 float32 算没错，但在 GPU 上慢：各层应和其余部分用同一种 16 位类型",
    )
    yield (
        name(t4["compute"]) == "float16",
        "a T4 is to compute in float16, in the 4-bit layers too",
        "T4 要用 float16 算，4 比特的层也一样",
    )
    yield (
        name(t4["adapters"]) != "float16",
        "adapters in float16: `Attempting to unscale FP16 gradients.`",
        "适配器用 float16 会报错：`Attempting to unscale FP16 gradients.`",
    )
    yield (
        name(t4["adapters"]) == "float32",
        "under fp16 the scaler can divide gradients in float32 alone: which type must the "
        "adapters have?",
        "fp16 时，缩放器只会除 float32 的梯度：适配器该用哪种类型？",
    )
    yield (
        a100["bf16"] and not a100["fp16"],
        "from compute capability (8, 0) on, cards are fast in bfloat16, which needs no scaler",
        "计算能力从 (8, 0) 起，显卡算 bfloat16 就快，也不用缩放器",
    )
    yield (
        name(a100["compute"]) == "bfloat16",
        "on newer cards the 4-bit layers compute in bfloat16 as well",
        "在新卡上，4 比特的层也用 bfloat16 算",
    )
    for capabilities, right in ((OLD, RIGHT_T4), (NEW, RIGHT_NEW)):
        for capability in capabilities:
            got = {key: plain(value) for key, value in answer(capability).items()}
            wrong = [key for key in right if got.get(key) != right[key]]
            yield (
                not wrong,
                f"{', '.join(wrong)} for {capability}: compare the whole pair with (8, 0)",
                f"{capability} 的 {'、'.join(wrong)}：要拿整个数对与 (8, 0) 比较",
            )


RIGHT_T4 = {
    "bf16": False, "fp16": True, "attention": "sdpa", "quant_type": "nf4",
    "compute": "float16", "adapters": "float32",
}  # fmt: skip
RIGHT_NEW = RIGHT_T4 | {
    "bf16": True, "fp16": False, "compute": "bfloat16", "adapters": "bfloat16"
}  # fmt: skip


def name(kind):
    """Return the name of a data type, given by name or as torch's own."""
    return str(kind).removeprefix("torch.")


def plain(value):
    """Return a setting as the reference has it."""
    return bool(value) if isinstance(value, int) else name(value)


@exercise("05.5", "A block of GGUF", "GGUF 的一块")
def decode(answer):
    import numpy as np
    from gguf import GGMLQuantizationType
    from gguf.quants import dequantize, quantize

    kind = GGMLQuantizationType.Q4_1
    drawn = np.random.default_rng(1).normal(0.3, 1.0, (3, 32)).astype(np.float32)
    for raw in [np.frombuffer(Q4_1_BLOCK, np.uint8), *quantize(drawn, kind)]:
        block, right = raw.tobytes(), dequantize(raw, kind)
        got = answer(block)
        yield (
            np.size(got) == 32,
            f"a block holds 32 weights, here: {np.size(got)}; each of the 16 bytes has two codes",
            f"一块有 32 个权重，这里是 {np.size(got)} 个；16 个字节，每个装两个编号",
        )
        got = np.asarray(got, dtype=np.float64).reshape(-1)
        scale, least = (float(x) for x in np.frombuffer(block[:4], "<f2"))
        low, high = raw[4:] & 15, raw[4:] >> 4
        codes = np.concatenate([low, high]).astype(np.float64)
        slips = {
            "the codes do not lie side by side: first all lower halves, then all upper ones": (
                scale * np.stack([low, high], 1).reshape(-1) + least,
                "编号不是两个两个挨着的：先是全部低半字节，然后是全部高半字节",
            ),
            "the *lower* halves come first": (
                scale * np.concatenate([high, low]) + least,
                "先是*低*半字节",
            ),
            "Q4_1 has a minimum and no −8: constant × code + minimum": (
                scale * (codes - 8),
                "Q4_1 有最小值，不减 8：常数 × 编号 + 最小值",
            ),
            "with a minimum nothing is taken from the code": (
                scale * (codes - 8) + least,
                "有了最小值，编号就不用再减 8",
            ),
            "the minimum is added at the end, and not multiplied": (
                scale * (codes + least),
                "最小值是最后加上的，不参与相乘",
            ),
            "the constant stands first, then the minimum": (
                least * codes + scale,
                "常数在前，最小值在后",
            ),
        }
        for en, (wrong, zh) in slips.items():
            yield not near(got, wrong), en, zh
        yield (
            near(got, right, 1e-3),
            "not the library's numbers: the first two bytes are a float16 (little-endian), and "
            "so are the next two",
            "与程序库的数不同：头两个字节是一个 float16（小端），接下来两个也是",
        )


# blk.0.attn_q.weight in SmolLM2-135M-Instruct.Q4_1.gguf, its first 20 bytes
Q4_1_BLOCK = bytes.fromhex("0f30d8b9458765406f65164b67766450 2267655a")


@exercise("05.6", "The size of a 4-bit model", "4 比特模型的大小")
def gigabytes(answer):
    got = answer(LINEAR, OTHERS, True)
    right = (LINEAR * (4 + (8 + 32 / 256) / 64) + OTHERS * 16) / 8 / 1e9
    yield (
        not near(got, 8 * right),
        "these are gigabits: a byte has 8 bits",
        "这是吉比特：一个字节是 8 比特",
    )
    yield (
        not near(got, 1e9 * right) and not near(got, 1e9 / 2**30 * right),
        "in GB of 10^9 bytes, please",
        "请以 GB（10^9 字节）为单位",
    )
    yield (
        not near(got, (LINEAR + OTHERS) * (4 + (8 + 32 / 256) / 64) / 8 / 1e9),
        "only the linear weights are quantised: embedding and head stay in 16 bits",
        "只有线性层的权重被量化：嵌入和输出层仍是 16 比特",
    )
    yield (
        not near(got, (LINEAR * 4 + OTHERS * 16) / 8 / 1e9),
        "the constants are missing: one for each block of 64 weights",
        "漏了常数：每 64 个权重一个",
    )
    yield (
        not near(got, (LINEAR * (4 + 8 / 64) + OTHERS * 16) / 8 / 1e9, 1e-6),
        "with double quantisation each 256 constants share another one, of 32 bits",
        "双重量化时，每 256 个常数还共用一个 32 比特的数",
    )
    yield (
        not near(got, (LINEAR * 4.5 + OTHERS * 16) / 8 / 1e9),
        "with `double=True` a constant takes 8 bits, not 32",
        "`double=True` 时，一个常数占 8 比特，不是 32",
    )
    yield near(got, right, 1e-6), f"not {got:.3f} GB", f"不是 {got:.3f} GB"
    yield (
        near(answer(LINEAR, 0, False), LINEAR * 4.5 / 8 / 1e9, 1e-6),
        "without double quantisation: 4 bits and 32 / 64 for each weight, 4.5 in all",
        "不用双重量化时：每个权重 4 比特，再加 32 / 64，共 4.5",
    )


PLAN = {
    "A": "keep apart", "B": "merge dequantised", "C": "merge, then quantise", "D": "keep apart",
}  # fmt: skip


@exercise("05.7", "What to do with an adapter", "适配器怎么处理")
def plan(answer):
    yield (
        isinstance(answer, dict) and set(answer) == set(PLAN),
        "name one thing for each of A, B, C, D",
        "A、B、C、D 各选一种",
    )
    hints = {
        "A": (
            "ten merged models are ten bases: only apart do ten adapters share one",
            "合并十次就有十个基座；分开放，十个适配器才能共用一个",
        ),
        "B": (
            "which merge gave the same notices as the trained model, and plain weights?",
            "哪种合并写出的通知书和训练好的模型一样，权重又是普通的？",
        ),
        "C": (
            "it can read neither an adapter nor 16 bits: something has to be rounded at the end",
            "它既读不了适配器，也读不了 16 位：最后总得舍入一次",
        ),
        "D": (
            "once merged, there is no adapter left to train further",
            "一旦合并，就没有适配器可以接着练了",
        ),
    }
    for key, right in PLAN.items():
        yield answer[key] == right, f"{key}: {hints[key][0]}", f"{key}：{hints[key][1]}"
