"""The checks of notebook 01; each wrong answer that people give has a hint of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from helpers.exercise import exercise, near

WAYS = ("prompt", "rag", "fine-tune", "both", "none")
Step = tuple[Any, str, str]


@exercise("01.1", "The tree as a function", "把决策树写成函数")
def decide(answer):
    def ask(*flags):
        return answer(*map(bool, flags))

    yield (
        ask(1, 1, 0, 0, 0) == "rag",
        'knowledge is missing and changes often: "rag"',
        '缺知识，而且知识常变：应为 "rag"',
    )
    yield (
        ask(1, 1, 1, 0, 0) == "rag",
        "knowledge that changes often goes to RAG however huge the dataset is: ask in order",
        "知识常变就用 RAG，数据量再大也一样：要按顺序问",
    )
    yield (
        ask(1, 0, 1, 0, 0) == "fine-tune",
        'stable knowledge and a huge dataset: "fine-tune"',
        '知识稳定、数据量巨大：应为 "fine-tune"',
    )
    yield (
        ask(1, 0, 0, 0, 0) == "rag",
        'stable knowledge, but no huge dataset: "rag" again',
        '知识稳定，但数据量不大：还是 "rag"',
    )
    yield (
        ask(0, 0, 0, 1, 1) == "prompt",
        'only style is missing and a prompt fixes it: "prompt"',
        '只缺风格，提示词就能解决：应为 "prompt"',
    )
    yield (
        ask(0, 0, 0, 1, 0) == "fine-tune",
        'only style is missing and no prompt fixes it: "fine-tune"',
        '只缺风格，提示词解决不了：应为 "fine-tune"',
    )
    yield (
        ask(1, 1, 0, 1, 0) == "rag",
        "in the notes' tree a yes to knowledge never comes to the question of style",
        "在讲义的树里，只要回答缺知识，就问不到风格",
    )
    yield (
        ask(0, 1, 1, 0, 0) == "none",
        'nothing is missing: "none" (the other answers count for nothing then)',
        '什么都不缺：应为 "none"（这时其余回答都不起作用）',
    )
    yield (
        ask(0, 0, 0, 0, 1) == "none",
        'no style is missing, so whether a prompt would fix it is not asked: "none"',
        '不缺风格，就不会再问提示词能不能解决：应为 "none"',
    )


# case -> right way, hint in English and Chinese
# fmt: off
NOTES_CASES = {
    "A": ("rag", "answers on a law that is amended each year: facts, and they change",
          "法规每年修订：缺的是事实，而且会变"),
    "B": ("fine-tune", "the facts come with each request; a form that prompts do not bring has to "
          "be practised", "事实已随请求给出；提示词教不会的格式，要靠练"),
    "C": ("fine-tune", "how to say things is style; no page holds the terms, and the list in the "
          "prompt was tried already", "怎么说属于风格；没有资料可查，把词表放进提示也试过了"),
    "D": ("prompt", "a model sees its prompt and nothing else: mend the program, so that it sends "
          "the earlier turns along", "模型只看得见提示里的内容：改程序，把前面几轮一起发过去"),
}
MORE_CASES = {
    "E": ("rag", "prices change daily: look them up", "价格天天变：要现查"),
    "F": ("prompt", "one line in the prompt has mended it: stop there",
          "提示里加一句话就解决了：到此为止"),
    "G": ("fine-tune", "the prompt works, but its examples are paid for a million times a day: "
          "train the model on such examples",
          "提示词管用，但样例每天要付一百万次的钱：练进权重更省"),
    "H": ("both", "a form and changing numbers are missing: two gaps, two remedies",
          "格式和会变的数字都缺：两个缺口，两种办法"),
    "I": ("rag", "its style is fine and the interface changes weekly: give it the page",
          "风格没问题，接口每周都变：把文档给它"),
    "J": ("none", "neither facts nor style are missing: give it a calculator",
          "既不缺事实也不缺风格：给它一个计算器"),
    "K": ("fine-tune", "prompts bring the fixed output in seven of ten, and rows are plenty",
          "固定的输出，提示词只做对七成，而标注数据很多"),
    "L": ("fine-tune", "a huge and lasting text: the one case of the tree for training facts in "
          "(by continued pre-training)",
          "文本巨大又长期有效：树上唯一值得把知识练进权重的情形（继续预训练）"),
}
# fmt: on


def judged(answer: Any, cases: Mapping[str, tuple[str, str, str]]) -> Iterator[Step]:
    """Yield the steps of a check: a dict, all cases in it, known ways, then case by case."""
    names, ways = ", ".join(cases), ", ".join(WAYS)
    yield isinstance(answer, dict), 'write a dict: {"A": "rag", …}', '请写成字典：{"A": "rag", …}'
    yield set(answer) == set(cases), f"judge each of {names}", f"{names} 每个都要判断"
    for case, (right, en, zh) in cases.items():
        given = answer[case]
        known = f"{case}: {given!r} is not one of {ways}", f"{case}：{given!r} 不在 {ways} 之中"
        yield given in WAYS, *known
        yield given == right, f"{case}: {en}", f"{case}：{zh}"


@exercise("01.2", "The four scenarios of the notes", "讲义里的四个场景")
def notes_cases(answer):
    yield from judged(answer, NOTES_CASES)


@exercise("01.3", "Eight more cases", "再判八例")
def more_cases(answer):
    yield from judged(answer, MORE_CASES)


@exercise("01.4", "When training has paid for itself", "训练何时回本")
def break_even(answer):
    got = answer(60, 0.5, 0.2)
    yield not near(got, 120), "a tuned answer is not free: use both times", "微调后的回答也要时间"
    yield (
        not near(got, 300),
        "each answer saves the difference, 0.3 s",
        "每个回答省下的是差值 0.3 秒",
    )
    yield not near(got, 18), "divide by what an answer saves", "要除以每个回答省下的时间"
    yield near(got, 200), "60 s / (0.5 s − 0.2 s) = 200 answers", "60 ÷ (0.5 − 0.2) = 200 个回答"
    yield (
        answer(60, 0.2, 0.2) == float("inf"),
        'nothing saved, never paid: return float("inf") instead of dividing by 0',
        '没有省下时间，就永远不回本：返回 float("inf")，别除以 0',
    )
    yield (
        answer(60, 0.2, 0.5) == float("inf"),
        'slower after training: it never pays, float("inf")',
        '训练之后更慢：永远不回本，应为 float("inf")',
    )
