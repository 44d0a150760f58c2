"""The checks of notebook 03; each wrong answer that people give has a hint of its own."""

from helpers.base import root
from helpers.env import XIAOXI
from helpers.exercise import exercise, near
from helpers.lingxi.files import world
from helpers.model.loss import encode


@exercise("03.1", "From ShareGPT to messages", "从 ShareGPT 到 messages")
def from_sharegpt(answer):
    said = [("system", "s"), ("human", "a"), ("gpt", "b"), ("human", "c"), ("gpt", "d")]
    got = answer({"conversations": [{"from": who, "value": text} for who, text in said]})
    yield (
        isinstance(got, list),
        "return the list itself, without a key around it",
        "直接返回列表，外面不要再套键名",
    )
    yield len(got) == 5, "each turn becomes one message", "每一轮对应一条消息"
    yield (
        all(isinstance(m, dict) and set(m) == {"role", "content"} for m in got),
        'a message has two keys: "role" and "content"',
        '一条消息有两个键："role" 和 "content"',
    )
    roles = [m["role"] for m in got]
    yield (
        "human" not in roles,
        'human is called "user" in messages',
        'human 在 messages 里叫 "user"',
    )
    yield "gpt" not in roles, 'gpt is called "assistant"', 'gpt 在 messages 里叫 "assistant"'
    yield roles[0] == "system", "a system turn keeps its role", "system 那一轮要保留它的角色"
    yield (
        roles == ["system", "user", "assistant", "user", "assistant"],
        "take each role from its turn's `from`, in order",
        "角色取自每一轮的 `from`，顺序不变",
    )
    yield [m["content"] for m in got] == list("sabcd"), "content is `value`", "content 就是 `value`"


HEADER, END, BREAK = [7, 8, 9], 2, 9  # "<|im_start|>assistant\n", "<|im_end|>", "\n" of a toy
QUESTION, AGAIN = [7, 5, 9, 8, 20, 21, END, BREAK], [7, 5, 9, 22, END, BREAK]
ANSWER, SECOND = [30, 31, END], [32, 8, 33, END]
TALK = [*QUESTION, *HEADER, *ANSWER, BREAK, *AGAIN, *HEADER, *SECOND, BREAK]


def toy_mask(first: int, second: int) -> list[int]:
    """Return the toy's mask with so many counted tokens from the start of each answer."""
    starts = len(QUESTION) + len(HEADER), len(TALK) - len(SECOND) - 1
    spans = [range(start, start + n) for start, n in zip(starts, (first, second), strict=True)]
    return [int(any(n in span for span in spans)) for n in range(len(TALK))]


def plain(mask) -> list:
    """Return a mask as a list of numbers, whether it came as a list, an array or a tensor."""
    return mask.tolist() if hasattr(mask, "tolist") else list(mask)


@exercise("03.2", "The loss mask", "损失掩码")
def loss_mask(answer):
    got = plain(answer(list(TALK), list(HEADER), END))
    right = toy_mask(len(ANSWER), len(SECOND))
    yield len(got) == len(TALK), "one number for each token", "每个词元对应一个数"
    yield set(got) <= {0, 1}, "1 where the token counts, else 0", "计入的是 1，不计入的是 0"
    yield any(got), "nothing counts: the model would learn nothing", "一个都没有计入，什么也学不到"
    yield not all(got), "everything counts, the questions too", "全都计入了，连问题也在内"
    yield (
        got != toy_mask(len(ANSWER) - 1, len(SECOND) - 1),
        "the end token is missing: the model would not learn to stop",
        "漏了结束符：模型学不会停笔",
    )
    yield (
        got != toy_mask(len(ANSWER) + 1, len(SECOND) + 1),
        "the line break after the end token counts, too: stop at the end token",
        "结束符后面的换行也计入了：到结束符为止",
    )
    yield (
        got != [*right[1:], 0],
        "one token early: the model itself compares each token with the one before it",
        "早了一个词元：错开一位的事由模型自己做",
    )
    yield (
        got not in (toy_mask(len(ANSWER), 0), toy_mask(0, len(SECOND))),
        "there are two answers here, and both count",
        "这里有两个回答，都要计入",
    )
    first = len(QUESTION) + len(HEADER)
    yield (
        got != [int(n >= first) for n in range(len(TALK))],
        "an answer ends: after its end token nothing counts until the next header",
        "回答有结尾：结束符之后都不计，直到下一个 header",
    )
    yield (
        not any(got[: len(QUESTION)]),
        "the question counts: look for the whole header, not for one of its tokens",
        "问题计入了：要找完整的 header，不能只看其中一个词元",
    )
    yield (
        not any(got[len(QUESTION) : first]),
        "the header is not the answer: count from the token after it",
        "header 不是回答：从它后面的词元算起",
    )
    yield got == right, f"of the toy {TALK}, {right} is right", f"对于 {TALK}，正确的是 {right}"
    broken = len(TALK) - 2  # the row breaks off before its last end token
    yield (
        plain(answer(TALK[:broken], list(HEADER), END)) == right[:broken],
        "a row may break off before its end token: what stands there still counts",
        "一行可能在结束符之前就断了：已写出的部分仍要计入",
    )
    yield from _as_encode(answer)


def _as_encode(answer):
    """Hold a loss mask against the course's own, on dialogues of Lingxi in Xiaoxi's tokens."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(root() / XIAOXI)
    header = tokenizer("<|im_start|>assistant\n", add_special_tokens=False)["input_ids"]
    for row in world("train")[:40]:
        ids, mask = encode(tokenizer, row["messages"])
        yield (
            plain(answer(list(ids), list(header), tokenizer.eos_token_id)) == mask,
            f"other than helpers.model.loss.encode on row {row['id']}",
            f"{row['id']} 这一行，与 helpers.model.loss.encode 的结果不同",
        )


@exercise("03.3", "Cut off", "截断")
def cut_off(answer):
    masks = [
        [0, 0, 0, 0, 1, 1, 0],
        [0, 0, 1, 1],
        [0, 1, 1, 1, 1, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    got = answer([list(mask) for mask in masks], 4)
    yield (
        isinstance(got, tuple | list) and len(got) == 2,
        "return two lists: a part lost, all lost",
        "返回两个列表：丢一部分的，全丢的",
    )
    part, everything = (list(rows) for rows in got)
    yield (
        not any(isinstance(row, list) for row in part + everything),
        "return the rows' numbers, not the masks",
        "要的是行号，不是掩码本身",
    )
    yield (part, everything) != ([3], [1, 5]), "count rows from 0", "行号从 0 数起"
    yield (
        (part, everything) != ([0, 4], [2]),
        "turned round: a part comes first",
        "反了：先一部分，后全部",
    )
    yield (
        1 not in part + everything,
        "a row of just `max_length` loses nothing",
        "正好 `max_length` 长的行什么也没丢",
    )
    yield (
        not (3 in part and 0 not in part + everything),
        "the first `max_length` tokens stay, and the end goes",
        "留下的是前 `max_length` 个词元，丢的是后面",
    )
    yield (
        3 not in part + everything,
        "row 3 loses only tokens that do not count",
        "第 3 行丢掉的词元本来就不计入",
    )
    yield (
        not set(part) & set(everything),
        "a row that loses all is not in the first list",
        "全丢的行不要再放进第一个列表",
    )
    yield (
        (part, everything) == ([2], [0, 4]),
        "here row 2 loses a part, rows 0 and 4 lose all",
        "这里第 2 行丢一部分，第 0、4 行全丢",
    )
    yield (
        tuple(map(list, answer([[0, 0, 1], [1, 1, 1]], 2))) == ([1], [0]),
        "use `max_length`, not a fixed number",
        "要用 `max_length`，不能写死",
    )


SOURCES = {  # letter -> may it be used as it is, and a hint for whoever says otherwise
    "A": (
        False,
        "A: the licence allows it, but what would the benchmark then measure?",
        "A：许可没问题，可是这样一来，基准还能测出什么？",
    ),
    "B": (
        True,
        "B: this state's copyright law exempts laws from protection",
        "B：该国著作权法明文规定，法律不受保护",
    ),
    "C": (
        False,
        "C: NC means non-commercial, and you will sell the model",
        "C：NC 是“非商业性使用”，而你打算出售模型",
    ),
    "D": (
        False,
        "D: they agreed to an answer, not to training",
        "D：客户同意的是阅读和回复，不是训练",
    ),
    "E": (
        True,
        "E: Apache 2.0 lets you use what the model writes, and you checked it",
        "E：Apache 2.0 允许使用模型写出的内容，你也核对过了",
    ),
    "F": (
        False,
        "F: read the terms of use again: whose model competes?",
        "F：再读一遍服务条款：你的模型与谁竞争？",
    ),
    "G": (
        True,
        "G: the owner agreed, and the names are gone",
        "G：单位已书面同意，姓名也替换了",
    ),
    "H": (
        False,
        "H: public does not mean free; no licence is no permission",
        "H：公开不等于可以随便用；没写许可，就是没有许可",
    ),
}


@exercise("03.4", "May you use it?", "能不能用？")
def usable(answer):
    yield (
        isinstance(answer, dict) and set(answer) == set(SOURCES),
        "one answer for each letter from A to H",
        "从 A 到 H，每个字母一个答案",
    )
    yield (
        all(isinstance(told, bool) for told in answer.values()),
        "answer with True or False",
        "用 True 或 False 作答",
    )
    yield (
        answer != {letter: not right for letter, (right, *_) in SOURCES.items()},
        "turned round: True means that you may use it",
        "反了：True 表示可以用",
    )
    for letter, (right, en, zh) in SOURCES.items():
        yield answer[letter] == right, en, zh


@exercise("03.5", "Copies after normalising", "统一写法后的副本")
def copies(answer):
    def flags(*texts):
        return list(answer(list(texts)))

    got = flags("Fine: 200 yuan", "Office: Transit", "Fine: 200 yuan")
    yield (
        len(got) == 3,
        "one bool for each text, not the texts that are left",
        "每段文本一个布尔值，不是剩下的文本",
    )
    yield not got[0], "the first of its kind is no copy: it stays", "第一次出现的不算副本，要留下"
    yield got[2], "the third text is the first again", "第三段与第一段相同"
    yield not got[1], "the second text is no copy", "第二段不是副本"
    cases = [
        (
            "Fine: 200 yuan",
            "FINE: 200 Yuan",
            True,
            "capitals and small letters are the same here",
            "大小写不区分",
        ),
        (
            "Fine: 200 yuan",
            "Fine:  200\nyuan ",
            True,
            "each run of blanks and line breaks is one blank, with none at the ends",
            "连续的空格和换行合成一个空格，首尾不留",
        ),
        (
            "罚款:200元",
            "罚款：２００元",
            True,
            "full-width characters become half-width: NFKC",
            "全角要变半角：用 NFKC",
        ),
        (
            "Fine: 200 yuan",
            "Fine: 300 yuan",
            False,
            "digits tell rows apart: keep them",
            "数字能区分两行：要保留",
        ),
        ("No parking, here", "No parking here", False, "punctuation stays as it is", "标点要保留"),
        ("no parking", "noparking", False, "a blank between words stays", "词与词之间的空格要保留"),
        (
            "200 yuan, 3 points",
            "3 points, 200 yuan",
            False,
            "the order of the words matters",
            "词的先后要保留",
        ),
    ]
    for first, second, same, en, zh in cases:
        yield flags(first, second)[1] == same, en, zh
    yield (
        flags("a", "b", "c", "A") == [False, False, False, True],
        "compare with all earlier texts, not with the one before alone",
        "要与前面所有的文本比，不能只比前一段",
    )


@exercise("03.6", "How alike two texts are", "两段文本有多像")
def alike(answer):
    got = answer("abcdef", "abcxef", 2)
    yield (
        not near(got, 5 / 7),
        "cut into pieces of `size`, not into letters",
        "切成长为 `size` 的小片，不是单字",
    )
    yield (
        not near(got, 3 / 5),
        "divide by the union, not by one text's pieces",
        "分母是并集，不是其中一段的片数",
    )
    yield not near(got, 3), "a share: divide by the union", "要的是比例：请除以并集"
    yield (
        not near(got, 2 / 4),
        "pieces overlap: a new one begins at each character",
        "小片互相重叠：从每个字符处都起一片",
    )
    yield near(got, 3 / 7), "3 pieces in common, 7 in all", "共有 3 片，总共 7 片"
    yield near(answer("aaaa", "aaa", 2), 1), "a set holds each piece once", "集合里每种小片只算一次"
    yield near(answer("abc", "xyz", 2), 0), "nothing in common is 0", "没有共同的小片就是 0"
    yield (
        near(answer("ab", "ab", 2), 1),
        "the last piece ends on the last character",
        "最后一片要到最后一个字符",
    )


@exercise("03.7", "Precision and recall", "精确率与召回率")
def precision_recall(answer):
    found = [True, True, True, True, False, False, False, False, False, False]
    true = [True, False, False, False, True, False, False, False, False, False]
    got = answer(found, true)
    yield (
        isinstance(got, tuple | list) and len(got) == 2,
        "return two numbers: precision, recall",
        "返回两个数：精确率、召回率",
    )
    yield (
        not near(got, (1 / 2, 1 / 4)),
        "the other way round: precision comes first",
        "两个数反了：先精确率，后召回率",
    )
    yield (
        not near(got[0], 6 / 10),
        "that is accuracy; most rows are clean, so it flatters",
        "这是准确率；干净的行占多数，它总是好看",
    )
    yield (
        near(got[0], 1 / 4),
        "precision: 1 of the 4 removed deserved it",
        "精确率：去掉 4 行，只有 1 行该去",
    )
    yield (
        near(got[1], 1 / 2),
        "recall: 1 of the 2 that deserved it went",
        "召回率：该去的 2 行，去掉了 1 行",
    )


ROWS = [
    {"article": "A001", "context": []},
    {"article": "A001", "context": ["A001", "A002", "A003"]},
    {"article": "A002", "context": []},
    {"article": "A003", "context": ["A001", "A003", "A004"]},
    {"article": "A004", "context": []},
    {"article": None, "context": ["A002", "A004", "A005"]},
    {"article": None, "context": ["A001", "A003", "A004"]},
]


@exercise("03.8", "Split by article", "按法条划分")
def split_by_article(answer):
    got = answer([dict(row) for row in ROWS], {"A002"})
    yield (
        isinstance(got, tuple | list) and len(got) == 2,
        "return two lists: training rows, test rows",
        "返回两个列表：训练行、测试行",
    )
    train, test = (list(part) for part in got)
    yield (
        (train, test) != ([ROWS[2]], [r for r in ROWS if r != ROWS[2]]),
        "turned round: the training rows come first",
        "反了：训练行在前，测试行在后",
    )
    yield (
        not any(row["article"] == "A002" for row in train),
        "a row about a held article is among the training rows",
        "训练行里有讲留出法条的行",
    )
    yield ROWS[1] not in train, "a training row shows a held article", "有训练行出现了留出的法条"
    yield (
        ROWS[5] not in train,
        "a refusal has no article of its own, and may show a held one",
        "拒答没有自己的法条，但可能出现留出的法条",
    )
    yield test == [ROWS[2]], "test rows are those about a held article", "测试行是讲留出法条的行"
    yield (
        train == [ROWS[0], ROWS[3], ROWS[4], ROWS[6]],
        "rows that show no held article stay, refusals too",
        "不出现留出法条的行都要保留，拒答也一样",
    )
