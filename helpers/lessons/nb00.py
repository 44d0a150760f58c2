"""The checks of notebook 00; each wrong answer that people give has a hint of its own."""

from types import SimpleNamespace

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


@exercise("00.2", "How much a token holds", "一个词元装多少字")
def characters_per_token(answer, tokenizer):
    text = "The fine is 200 yuan, antidisestablishmentarianism."
    chinese = "在灵溪停车，罚款二百元。"
    count = len(tokenizer(text, add_special_tokens=False)["input_ids"])
    got = answer(tokenizer, text)
    yield (
        not near(got, count / len(text)),
        "that is tokens per character: turn the fraction round",
        "这是每个字符几个词元：把分数倒过来",
    )
    yield (
        not near(got, len(text) / len(tokenizer(text))),
        'tokenizer(text) is like a dict, and you counted its keys: take its "input_ids"',
        'tokenizer(text) 像一个字典，你数的是它有几个键：请取其中的 "input_ids"',
    )
    yield (
        not near(got, len(text.split()) / count),
        "you counted words: len(text) counts characters",
        "你数的是单词：len(text) 才是字符数",
    )
    yield (
        not near(got, len(text) / len(text.split())),
        "that is characters per word: a token is what the tokenizer cuts, not a word",
        "这是每个单词几个字符：词元要由分词器来切，不是单词",
    )
    yield (
        got != count,
        "that is the number of tokens: how many characters has one?",
        "这是词元的个数：平均一个词元有几个字符？",
    )
    yield (
        not near(got, len(text) // count),
        "do not round: / and not //",
        "不要取整：用 /，不要用 //",
    )
    yield (
        near(got, len(text) / count),
        f"{len(text)} characters in {count} tokens are {len(text) / count:.2f} a token",
        f"{len(text)} 个字符、{count} 个词元，平均每个 {len(text) / count:.2f} 个字符",
    )
    count = len(tokenizer(chinese, add_special_tokens=False)["input_ids"])
    yield (
        not near(answer(tokenizer, chinese), len(chinese.encode()) / count),
        "you counted bytes: a Chinese character has three; len(text) counts characters",
        "你数的是字节，一个汉字有三个字节；len(text) 才是字符数",
    )
    yield (
        near(answer(tokenizer, chinese), len(chinese) / count),
        "it must work for Chinese text too",
        "对中文也要适用",
    )


ENDLESS, NO_BATCH = "endless", "no batch"  # what the model below complains of


class Counter:
    """A model of ten tokens: after token n it always finds n + 1 likeliest (0 after 9), barely.

    What comes after a token depends on that token alone, so that each slip gives other answers.
    """

    device = "cpu"

    def __init__(self):
        self.calls = 0

    def __call__(self, input_ids, **options):
        import torch

        self.calls += 1
        if self.calls > 60:
            raise RuntimeError(ENDLESS)
        if getattr(input_ids, "ndim", 0) != 2:
            raise ValueError(NO_BATCH)
        return SimpleNamespace(logits=0.1 * torch.nn.functional.one_hot((input_ids + 1) % 10, 10))


@exercise("00.3", "Answering, one token at a time", "一次一个词元地作答")
def greedy(answer, model, tokenizer):
    prompt = [7, 3]
    try:
        got = answer(Counter(), prompt, [9], 12)
        again = answer(Counter(), [7, 3], [9], 12)
        short = answer(Counter(), [7, 3], [], 3)
    except (RuntimeError, ValueError) as error:
        yield (
            str(error) != ENDLESS,
            "your loop never ends: stop after max_new_tokens, even if no end token comes",
            "你的循环停不下来：就算没有出现结束符，到了 max_new_tokens 个也要停",
        )
        yield (
            str(error) != NO_BATCH,
            "the model takes a batch, (1, tokens): torch.tensor([ids]), with one more bracket",
            "模型要的是一批输入，形状 (1, 词元数)：多加一层方括号，torch.tensor([ids])",
        )
        raise
    got, again, short = ([int(token) for token in tokens] for tokens in (got, again, short))
    yield (
        prompt == [7, 3],
        "you changed the list that you were given: work on a copy, or keep the new tokens apart",
        "你改动了传进来的列表：请复制一份，或者把新词元另外放",
    )
    yield (
        got[:2] != [7, 3],
        "return the new tokens alone, without the prompt",
        "只返回新写出的词元，不要带上提示",
    )
    yield (
        got == again or sorted(got) == sorted(again),
        "two runs differ: you draw at random; take the likeliest token, argmax",
        "两次运行结果不同：你是随机抽的；请取分数最高的那个，argmax",
    )
    yield (
        got[:1] != [8],
        "you read the scores at the first token: the last one decides what comes, logits[0, -1]",
        "你读的是第一个词元处的分数：下一个词元要看最后一个位置，logits[0, -1]",
    )
    yield (
        got[:2] != [4, 4],
        "the same token again and again: put each new token behind the others before you ask again",
        "总是同一个词元：每写出一个，都要接在后面，再问下一个",
    )
    yield (
        got[:6] != [4, 5, 6, 7, 8, 9],
        "the end token, here 9, is no part of the answer: stop before you keep it",
        "结束符（这里是 9）不算答案：先判断，再保留",
    )
    yield (
        got == [4, 5, 6, 7, 8],
        f"after 7, 3 this model counts on to 8, and 9 ends: 4, 5, 6, 7, 8; you returned {got}",
        f"这个模型会从 3 往下数到 8，9 是结束符：应为 4, 5, 6, 7, 8，你返回的是 {got}",
    )
    yield (
        short == [4, 5, 6],
        f"with max_new_tokens = 3 and no end token the answer has 3 new tokens, yours {len(short)}",
        f"max_new_tokens = 3、没有结束符时，应写出 3 个新词元，你写了 {len(short)} 个",
    )
    two = [int(token) for token in answer(Counter(), [3], [9, 6], 12)]
    yield (
        two == [4, 5],
        "there may be several end tokens: stop at any of them (`token in ends`)",
        "结束符可能不止一个：遇到其中任何一个都要停（`token in ends`）",
    )
    yield from _like_the_library(answer, model, tokenizer)


def _like_the_library(answer, model, tokenizer):
    """Hold the learner's loop against transformers' own, on the lesson's model."""
    from helpers.model.generate import chat_prompt, end_tokens, generate

    for question in ("36 + 47 = ?", "Translate: bridge"):
        chat = [{"role": "user", "content": question}]
        ids = tokenizer(chat_prompt(tokenizer, chat), add_special_tokens=False)["input_ids"]
        new = [int(token) for token in answer(model, ids, end_tokens(model, tokenizer), 24)]
        mine = tokenizer.decode(new, skip_special_tokens=True)
        (wanted,) = generate(model, tokenizer, [chat], max_new_tokens=24)
        yield (
            mine == wanted,
            f"on “{question}” model.generate answers “{wanted}”, yours “{mine}”",
            f"对“{question}”，model.generate 答“{wanted}”，你的答“{mine}”",
        )


@exercise("00.4", "What can be known closed book", "闭卷能知道什么")
def closed_book(answer):
    letters = {str(letter).strip().upper() for letter in answer}
    yield letters <= set("ABCDEF"), "letters from A to F", "只能用 A 到 F"
    yield (
        "A" not in letters,
        "A: nobody knows tomorrow's plate; it can only stand in the prompt",
        "A：明天的车牌谁也不知道，只能写在提示里",
    )
    yield (
        "D" not in letters,
        "D: no text of its school mentions Lingxi; where should the fine come from?",
        "D：小学课本里没有提到灵溪，这个罚款从哪里来？",
    )
    yield (
        "F" not in letters,
        "F: the weights were fixed before the change; they can hold the old number at best",
        "F：权重在修订之前就定下来了，至多记得旧的数",
    )
    yield "B" in letters, "B: its schoolbooks translate this word", "B：课本里翻译过这个词"
    yield (
        "C" in letters,
        "C: its school practised sums like this; what is practised is in the weights",
        "C：小学练过这样的加法；练过的就在权重里",
    )
    yield "E" in letters, "E: its school told it its name", "E：它的名字，小学里教过"


@exercise("00.5", "What weights weigh", "权重有多重")
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


@exercise("00.6", "What training weighs", "训练要多少内存")
def training_gb(answer):
    got, lora = answer(1_500_000_000, 1_500_000_000), answer(1_500_000_000, 10_000_000)
    yield (
        not near(got, 6),
        "those are the weights alone: a trained one has a gradient and two numbers of AdamW too",
        "这只是权重本身：训练的权重还各有一个梯度和 AdamW 的两个数",
    )
    yield (
        not near(got, 12),
        "weight and gradient alone: AdamW keeps two more numbers for each trained weight",
        "这只算了权重和梯度：AdamW 还要为每个训练的权重保存两个数",
    )
    yield (
        not near(got, 18),
        "three numbers for each weight, and there are four: weight, gradient, two of AdamW",
        "你每个权重只算了三个数，应该是四个：权重、梯度、AdamW 的两个",
    )
    yield not near(got, 24e9), "that is bytes: 1 GB is 1e9 of them", "这是字节数：1 GB 是 1e9 字节"
    yield (
        near(got, 24),
        "all of 1.5e9 weights: 16 bytes each, 24 GB",
        "全部训练：每个 16 字节，共 24 GB",
    )
    yield (
        not near(lora, 24),
        "frozen weights need no gradient and nothing of AdamW: 4 bytes each",
        "冻结的权重没有梯度，AdamW 也不管：每个只要 4 字节",
    )
    yield (
        not near(lora, 0.16),
        "the frozen weights must be in memory too, 4 bytes each",
        "冻结的权重也要放进内存，每个 4 字节",
    )
    yield (
        near(lora, 6.12),
        "1.5e9 weights of 4 bytes, and 12 bytes more for each of 1e7 trained ones: 6.12 GB",
        "1.5e9 个权重各 4 字节，训练的 1e7 个再各加 12 字节：6.12 GB",
    )


@exercise("00.7", "What the last sign calls for", "最后一个符号引出什么")
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


@exercise("00.8", "The loss of a blind guess", "瞎猜的损失")
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
