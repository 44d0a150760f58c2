"""The checks of notebook 03; each wrong answer that people give has a hint of its own."""

from helpers.exercise import exercise, near


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


@exercise("03.2", "How alike two texts are", "两段文本有多像")
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


@exercise("03.3", "Precision and recall", "精确率与召回率")
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


@exercise("03.4", "Split by article", "按法条划分")
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
