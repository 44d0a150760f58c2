"""The checks of notebook 01; each wrong answer that people give has a hint of its own."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from helpers.exercise import exercise
from helpers.lingxi.files import select, world
from helpers.lingxi.notice import FACTS, FORM, states
from helpers.retrieval.bm25 import Index, hit_at_k

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


# case -> right way, hint in English and Chinese (also of the exercises below)
# fmt: off
NOTES_CASES = {
    "A": ("rag", "answers on a law that is amended each year: facts, and they change",
          "法规每年修订：缺的是事实，而且会变"),
    "B": ("fine-tune", "the facts come with each request; a form that prompts do not bring has to "
          "be practised", "事实已随请求给出；提示词教不会的格式，要靠练"),
    "C": ("fine-tune", "how to say things is style; no page tells the usage, and examples in the "
          "prompt were tried already", "怎么说属于风格；没有资料可查，在提示里给样例也试过了"),
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


@exercise("01.3", "A search of your own", "自己写一个检索")
def my_search(answer):
    def first(query: str, *texts: str) -> int:
        """Return the place of the document that the learner's search puts first."""
        return next(iter(answer(query, dict(enumerate(texts)))))

    two = {"a": "parking in the bus lane", "b": "sounding the horn"}
    got = answer("the horn", dict(two))
    yield (
        isinstance(got, list | tuple) and set(got) == set(two),
        "return the ids of all documents in a list, the best first",
        "返回全部文档的编号，放在列表里，最匹配的排最前",
    )
    yield (
        got[0] == "b",
        "the best match comes first: sort by score, the highest on top",
        "最匹配的要排最前：按得分从高到低排",
    )
    yield (
        first("BUS lane", "a horn", "the bus") == 1,
        "“BUS” and “bus” are one word: make both texts lower case",
        "“BUS” 和 “bus” 是同一个词：两边都先转成小写",
    )
    yield (
        first("卡车在公交专用道停车", "鸣笛", "在公交专用道超车") == 1,
        "Chinese has no spaces: cut each stretch of characters into overlapping pairs",
        "中文没有空格：要把每一段汉字切成相邻两个字一对，首尾重叠",
    )
    yield (
        first("车道停用", "停车用道", "道停止") == 1,
        "pairs of characters, and not single ones: 道停 is shared here",
        "要取相邻两个字，而不是单个字：这里共有的是“道停”",
    )
    yield (
        first("the red horn", "the red car", "a horn", "the red bus", "the red tram") == 1,
        "a rare word counts more: add up log(N / number of documents with the word)",
        "少见的词分量更重：累加 log(文档总数 ÷ 含有这个词的文档数)",
    )
    yield (
        first("horn lamp", "horn " * 9, "horn lamp", "a bus") == 1,
        "count each shared word once, however often it stands in a document: use sets",
        "同一个词在文档里出现多少次都只算一次：请用集合",
    )
    yield from _finds_articles(answer)


def _finds_articles(answer: Callable) -> Iterator[Step]:
    """Hold a learner's search against the course's own on training reports of both languages."""
    for lang in ("en", "zh"):
        texts = {page["id"]: page[lang]["text"] for page in world("code")}
        rows = select(world("train"), task="notice", lang=lang, context=False)[:40]
        asked = [row["messages"][0]["content"].splitlines()[-1] for row in rows]
        ids = [row["article"] for row in rows]
        ours = sum(hit_at_k(Index(texts), asked, ids))
        yours = sum(
            id in list(answer(q, dict(texts)))[:3] for q, id in zip(asked, ids, strict=True)
        )
        yield (
            yours >= 0.7 * ours,  # BM25 with endings cut does better than plain words and IDF
            f"{lang}: the right article is among your first three for {yours} of 40 reports, for "
            f"{ours} with the course's search",
            f"{lang}：40 份报告里，正确法条进入你的前三名的有 {yours} 份，"
            f"课程自带的检索有 {ours} 份",
        )


# fmt: off
REACH = {  # way -> what can reach the model under an unseen article, hint
    "prompt": ("form", "the empty form shows every label and no fact",
               "空白通知书给出了全部栏目名，却没有一项事实"),
    "few-shot": ("form", "the examples' facts belong to other articles: only their form helps here",
                 "样例里的事实是别的法条的，对这个事件有用的只有格式"),
    "RAG": ("facts", "articles hold the facts; nothing in them shows the form of a notice",
            "法条里有事实，但没有一处给出通知书的格式"),
    "RAG + form": ("both", "the articles bring the facts, the empty form brings the labels",
                   "法条带来事实，空白通知书带来栏目名"),
    "RAG + few-shot": ("both", "the articles bring the facts, the examples bring the form",
                       "法条带来事实，样例带来格式"),
    "fine-tuning": ("form", "the form was practised; this article never was, and it is not shown",
                    "格式练过；这条法条没练过，提示里也没有"),
    "RAG + fine-tuning": ("both", "the form was practised, and the prompt holds the article",
                          "格式练过，法条就在提示里"),
}
# fmt: on


@exercise("01.4", "What can reach the model", "模型能得到什么")
def reach(answer):
    yield (
        isinstance(answer, dict) and set(answer) == set(REACH),
        f"judge each of {', '.join(REACH)}",
        f"{'、'.join(REACH)}，每个都要判断",
    )
    for way, (right, en, zh) in REACH.items():
        given = answer[way]
        yield (
            given in ("form", "facts", "both"),
            f'{way}: {given!r} is not one of "form", "facts", "both"',
            f'{way}：{given!r} 不在 "form"、"facts"、"both" 之中',
        )
        yield given == right, f"{way}: {en}", f"{way}：{zh}"


LAW = {"article": 22, "fine": 600, "points": 10, "office": "Road Office"}
FREE = (
    "Number plate:: LX9093\nSource - {article}\nSum:: {fine} yuan\nDemerits - {points} points\n"
    "Unit - {office}"
)


@exercise("01.5", "A score by value", "按数值评分")
def facts_right(answer):
    def score(text: str, **gold: Any) -> dict[str, bool]:
        return dict(answer(text, LAW | gold))

    words = {"conduct": "speeding", "term": "celerity breach"} | LAW
    free, right = FREE.format(**LAW), dict.fromkeys(FACTS, True)
    plain = FORM["en"].format(plate="unknown", **words)
    got = answer(plain, dict(LAW))
    yield (
        isinstance(got, dict) and set(got) == set(FACTS),
        f"return a dict with {', '.join(FACTS)}, each True or False",
        f"返回字典，含 {'、'.join(FACTS)} 四项，各为 True 或 False",
    )
    yield got == right, "a perfect notice has all four facts right", "完美的通知书四项都对"
    yield (
        score(plain, fine=60)["fine"] is False and score(plain, article=2)["article"] is False,
        "60 is not 600, and 2 is not 22: compare whole numbers, not pieces of text",
        "60 不是 600，2 也不是 22：要比较整个数，不能只看字符是否出现",
    )
    yield (
        score(FORM["en"].format(plate="LX9093", **words)) == right
        and score(free.replace("Source - 22", "Source -"), article=9093)["article"] is False,
        "the digits of a plate are no fact: LX9093 states no article",
        "车牌里的数字不算事实：LX9093 没有写出条号",
    )
    yield (
        score(free) == right,
        "RAG's free form states all four values too: don't look for the labels of the notice",
        "RAG 自拟的格式也写对了四个值：不要去找通知书的栏目名",
    )
    yield (
        score(free.replace("600 yuan", "10 yuan").replace("10 points", "600 points"))
        == right | {"fine": False, "points": False},
        "600 points are no fine of 600 yuan: look at what else stands on the number's line",
        "600 points 不是罚款 600 yuan：要看这个数所在的一行还写了什么",
    )
    yield (
        score(free + "\nor 200 yuan")["fine"] is False,
        "two different fines are no answer: who recites every article would have all facts right",
        "写了两个不同的罚款就不算对：否则把法条全背一遍，每项都“对”",
    )
    yield (
        score(free.replace("Road Office", "Night Bureau")) == right | {"office": False},
        "another office stands there: that fact alone is wrong",
        "写的是别的机关：只有这一项错",
    )
    yield from _scores_alike(answer)


def _scores_alike(answer: Callable) -> Iterator[Step]:
    """Hold a learner's score against the course's own on texts that are right, wrong and mixed."""
    pages = world("code")[:24]
    facts = [{name: page[name] for name in FACTS[:3]} | page["en"] for page in pages]
    for told, gold in zip(facts, [*facts[:12], *facts[13:], facts[12]], strict=True):
        for text in (FREE.format(**told), FREE.format(**told | {"office": gold["office"]})):
            ours = {name: states(text, "en", name, gold[name]) for name in FACTS}
            yours = dict(answer(text, {name: gold[name] for name in FACTS}))
            first = text.replace("\n", " / ")
            yield (
                yours == ours,
                f"the course's score is {ours}, yours {yours}, for: {first}",
                f"课程的评分是 {ours}，你的是 {yours}，文本：{first}",
            )


@exercise("01.6", "Eight more cases", "再判八例")
def more_cases(answer):
    yield from judged(answer, MORE_CASES)


@exercise("01.7", "Examples that give nothing away", "不泄露事实的样例")
def hide_facts(answer):
    blank = dict.fromkeys(FACTS, "___")
    cases = {
        "en": {"plate": "LX6009", "conduct": "speeding at stop 9", "term": "celerity breach"}
        | {"article": 9, "fine": 60, "points": 6, "office": "Road Office"},
        "zh": {"plate": "LX3571", "conduct": "在停车场修车", "term": "停车场露天整备"}
        | {"article": 35, "fine": 350, "points": 5, "office": "安全科"},
    }
    for lang, gold in cases.items():
        notice, wanted = FORM[lang].format(**gold), FORM[lang].format(**gold | blank)
        got = answer(notice, dict(gold))
        yield (
            isinstance(got, str) and got.count("\n") == wanted.count("\n"),
            f"{lang}: return the whole notice as one text, all eight lines of it",
            f"{lang}：返回整份通知书，一段文本，八行都要在",
        )
        yield (
            gold["plate"] in got,
            f"{lang}: the plate {gold['plate']} was hurt: replace only on the line of the fact",
            f"{lang}：车牌 {gold['plate']} 被改坏了：只能在该项事实所在的那一行替换",
        )
        lines, whole = got.split("\n"), wanted.split("\n")
        yield (
            lines[:4] == whole[:4],
            f"{lang}: plate, conduct and offence teach the form and give no fact away: keep them",
            f"{lang}：车牌、违法事实、违法行为不泄露法条的事实，能教会格式：要原样保留",
        )
        for name, line, mended in zip(FACTS, lines[4:], whole[4:], strict=True):
            yield (
                str(gold[name]) not in line,
                f"{lang}: {name} is still there: “{line}”",
                f"{lang}：{name} 还在：“{line}”",
            )
            yield (
                line == mended,
                f"{lang}: only the value becomes ___, all else stays: “{mended}”, not “{line}”",
                f"{lang}：只把值换成 ___，栏目名和单位要留着：应为“{mended}”，不是“{line}”",
            )


# fmt: off
NEXT_STEPS = {
    "M": ("c", "199 of 200 are right, and the bill is small: nothing is left that training "
          "could pay for", "200 封对了 199 封，花费也小：没有什么值得再花钱训练"),
    "N": ("e", "where the article is found nearly all is right: the search loses the rest",
          "找到法条的几乎都对：丢分丢在检索上"),
    "O": ("a", "it was never trained to read what the prompt shows: train it as it is used",
          "训练时从没练过读提示里的法条：怎么用就怎么练"),
}
# fmt: on


@exercise("01.8", "Three clients", "三位客户")
def next_steps(answer):
    yield (
        isinstance(answer, dict) and set(answer) == set(NEXT_STEPS),
        'one letter for each client: {"M": "a", …}',
        '每位客户一个字母：{"M": "a", …}',
    )
    for case, (right, en, zh) in NEXT_STEPS.items():
        given = str(answer[case]).lower()
        yield (
            given in tuple("abcde"),
            f"{case}: {given!r} is not one of a, b, c, d, e",
            f"{case}：{given!r} 不在 a、b、c、d、e 之中",
        )
        yield given == right, f"{case}: {en}", f"{case}：{zh}"
