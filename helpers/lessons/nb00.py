"""The checks of notebook 00; each wrong answer that people give has a hint of its own."""

from helpers.exercise import exercise, near


@exercise("00.1", "The rule behind auto", "auto 背后的规则")
def pick_profile(answer):
    yield (
        answer(None) == "tiny",
        'None means no CUDA GPU: "tiny" (and None cannot be compared with a tuple: ask it first)',
        'None 表示没有 CUDA GPU，应为 "tiny"（None 不能和元组比大小，要先判断）',
    )
    yield (
        answer((7, 5)) != "gpu",
        "a T4, (7, 5), only emulates bfloat16, whatever torch.cuda.is_bf16_supported() says",
        "T4 是 (7, 5)，只能模拟 bfloat16，别信 torch.cuda.is_bf16_supported()",
    )
    yield answer((7, 5)) == "t4", 'a T4, (7, 5), is the GPU of "t4"', 'T4，即 (7, 5)，对应 "t4"'
    yield (
        answer((6, 0)) == "tiny",
        'the P100, (6, 0), fails under today\'s PyTorch: below (7, 5) take "tiny"',
        'P100 是 (6, 0)，新版 PyTorch 已不支持：低于 (7, 5) 用 "tiny"',
    )
    yield (
        answer((8, 0)) == "gpu",
        "(8, 0) itself is enough for bfloat16: >= and not >",
        "(8, 0) 本身就支持 bfloat16：要用 >=，不是 >",
    )
    yield (
        answer((12, 0)) == "gpu" and answer((10, 3)) == "gpu",
        "(12, 0) is newer than (8, 0): compare tuples of numbers, not text or the second number",
        "(12, 0) 比 (8, 0) 新：要按数字元组比较，不要按文字或只看第二个数",
    )
    yield (
        answer((8, 9)) == "gpu",
        '(8, 9) is Ada, newer than Ampere: "gpu"',
        '(8, 9) 是 Ada，比 Ampere 新：应为 "gpu"',
    )


@exercise("00.2", "What the last sign calls for", "最后一个符号引出什么")
def next_sign(answer):
    try:
        got = answer("kQ7xQ")
    except IndexError:
        got = "beyond the end"
    yield (
        got != "beyond the end",
        "you found the last sign itself, and nothing follows it: search in seen[:-1]",
        "找到的是最后一个符号自己，它后面没有东西：请在 seen[:-1] 里找",
    )
    yield got != "k", "k stood before Q: take what came after it", "k 在 Q 前面：要取它后面的"
    yield (
        got != "Q",
        "Q is the last sign itself: what followed it?",
        "Q 就是最后一个符号：它后面曾是什么？",
    )
    yield (
        got != "x",
        "x comes before the new Q: look at the old one",
        "x 在新的 Q 前面：要看旧的那个 Q",
    )
    yield got == "7", "Q stood before 7, so after Q comes 7", "Q 后面曾是 7，所以这次也写 7"
    yield (
        answer("abcdefab") == "c",
        "look for the last sign alone: in abcdefab, b calls for c",
        "只看最后一个符号：abcdefab 里，b 引出 c",
    )
    yield (
        answer("7Zp7") == "Z",
        "the very first sign counts too: in 7Zp7, 7 calls for Z",
        "第一个符号也算：7Zp7 里，7 引出 Z",
    )
    yield (
        answer([5, 9, 4, 9]) == 4,
        "it must work for lists of token ids too",
        "对词元编号的列表也要适用",
    )


@exercise("00.3", "The loss of a blind guess", "瞎猜的损失")
def blind_loss(answer):
    from math import log, log2, log10

    got = answer(62)
    yield (
        not near(got, 1 / 62, 1e-3),
        "that is the probability; its loss is -ln p",
        "这是概率；损失是 -ln p",
    )
    yield (
        not near(got, -log(62), 1e-3),
        "a loss is not below 0: -ln(1/62)",
        "损失不会小于 0：-ln(1/62)",
    )
    yield (
        not near(got, log2(62), 1e-3),
        "that is bits; PyTorch's loss is in nats (ln)",
        "这是比特；PyTorch 用自然对数",
    )
    yield (
        not near(got, log10(62), 1e-3),
        "base 10: take the natural logarithm",
        "以 10 为底了：要用自然对数",
    )
    yield near(got, log(62), 1e-3), "-ln(1/62) = ln 62 = 4.127", "应为 -ln(1/62) = ln 62 = 4.127"
    yield (
        near(answer(3072), log(3072), 1e-3),
        "it must work for any vocabulary",
        "对任何词表都要成立",
    )


@exercise("00.4", "What weights weigh", "权重有多重")
def weights_gb(answer):
    got = answer(1_000_000_000, 16)
    yield not near(got, 16), "16 bits are 2 bytes: divide by 8", "16 比特是 2 个字节：要除以 8"
    yield not near(got, 2e9), "that is bytes: 1 GB is 1e9 of them", "这是字节数：1 GB 是 1e9 字节"
    yield (
        not near(got, 1e9 * 2 / 2**30),
        "that is GiB (2**30 bytes); GB, as here, is 1e9 bytes",
        "这是 GiB（2**30 字节）；这里的 GB 是 1e9 字节",
    )
    yield (
        not near(got, 0.25),
        "the other way round: 8 bits make one byte",
        "除反了：8 比特是 1 个字节",
    )
    yield near(got, 2), "1e9 weights of 2 bytes each are 2 GB", "1e9 个权重，每个 2 字节，共 2 GB"
    yield (
        near(answer(7_000_000_000, 4), 3.5),
        "at 4 bits 7e9 weights are 3.5 GB: half a byte each, so no // here",
        "4 比特时 7e9 个权重是 3.5 GB：每个半字节，所以不能用 //",
    )
