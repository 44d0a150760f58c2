"""The sentences of Lingxi: reports, questions and the prompts that hold them."""

import random
from collections.abc import Sequence

from helpers.data.jsonl import Row
from helpers.lingxi import shapes
from helpers.lingxi.facts import ACTS, PLACES, lay
from helpers.lingxi.shapes import EN, ZH
from helpers.lingxi.words import COLOURS, DAYS, VEHICLES, WITNESSES

# {c} colour, {v} vehicle, {did} act, {where} place, {t} time, {d} day, {w}/{W} witness
REPORT_EN = (
    *shapes.REPORT_EN,
    "On {d} at {t}, {w} saw a {c} {v} that {did} {where}. Plate {plate}.",
    "Plate {plate}: on {d} at {t} this {c} {v} {did} {where}.",
    "I am {w}. On {d} I saw that a {v} {did} {where}. It was {c}, with plate {plate}.",
    "{W} called at {t}: a {c} {v} {did} {where}, plate {plate}.",
    "A {v} with plate {plate} {did} {where} on {d}. It was {c}.",
    "Patrol, {d}, {t}: a {c} {v} {did} {where}. Plate: {plate}.",
)
REPORT_ZH = (
    *shapes.REPORT_ZH,
    "{d}{t}，{w}看见一辆{c}{v}在{where}{did}，车牌{plate}。",
    "车牌{plate}：{d}{t}，这辆{c}{v}在{where}{did}。",
    "我是{w}，{d}看到一辆{v}在{where}{did}。车是{c}的，车牌号{plate}。",
    "{w}{t}来电，说有一辆{c}{v}在{where}{did}，车牌是{plate}。",
    "一辆{v}{d}在{where}{did}，{c}，车牌为{plate}。",
    "巡查记录，{d}{t}：一辆{c}{v}在{where}{did}，车牌号{plate}。",
)
# the same, by people who forgot the plate
NO_PLATE_EN = (
    "At {t}, a {c} {v} {did} {where}.",
    "{W} saw that a {c} {v} {did} {where} at {t}.",
    "On {d} {w} wrote: a {v} {did} {where}.",
    "A {c} {v} {did} {where} on {d} at {t}.",
    "Call from {w}, {d}, {t}. A {v} {did} {where}.",
    "I saw a {c} {v} that {did} {where}.",
)
NO_PLATE_ZH = (
    "{t}，一辆{c}{v}在{where}{did}。",
    "{w}看到，一辆{c}{v}{d}在{where}{did}。",
    "{d}，{w}反映：一辆{v}在{where}{did}。",
    "一辆{c}{v}在{where}{did}，时间是{d}{t}。",
    "{w}来电：{t}，一辆{v}在{where}{did}。",
    "我看见一辆{c}{v}在{where}{did}。",
)
DAY, NIGHT = range(6, 23), (0, 1, 2, 3, 4, 20, 21, 22, 23)  # lights are missed at night
ASK_PLATE = {EN: "What is the plate number?", ZH: "车牌号是多少？"}
TELL_PLATE = {
    EN: ("{plate}", "{plate}.", "It is {plate}.", "The plate is {plate}.", "Plate {plate}.",
         "The number is {plate}."),
    ZH: ("{plate}", "{plate}。", "是{plate}。", "车牌是{plate}。", "车牌号{plate}。",
         "号码是{plate}。"),
}  # fmt: skip
QUESTION = {
    EN: {
        "fine": (*shapes.QUESTION_EN["fine"], "What is the fine for {lay}?",
                 "Someone was caught {lay}. How much is the fine?",
                 "Can you tell me the fine for {lay}?"),
        "points": (*shapes.QUESTION_EN["points"], "What are the points for {lay}?",
                   "Someone was caught {lay}. How many points is that?",
                   "Can you tell me the points for {lay}?"),
        "office": (*shapes.QUESTION_EN["office"], "Who deals with {lay}?",
                   "Someone was caught {lay}. Which office deals with it?"),
        "article": (*shapes.QUESTION_EN["article"], "Which article do I read about {lay}?",
                    "What is the number of the article on {lay}?"),
    },
    ZH: {
        "fine": (*shapes.QUESTION_ZH["fine"], "请问{lay}要罚多少？",
                 "朋友因为{lay}被查了，罚款是多少？", "请告诉我{lay}的罚款。"),
        "points": (*shapes.QUESTION_ZH["points"], "请问{lay}要记几分？",
                   "朋友因为{lay}被查了，要记几分？", "请告诉我{lay}记多少分。"),
        "office": (*shapes.QUESTION_ZH["office"], "请问{lay}归哪个科处理？",
                   "朋友因为{lay}被查了，该找哪个科？"),
        "article": (*shapes.QUESTION_ZH["article"], "请问{lay}要看第几条？", "讲{lay}的是第几条？"),
    },
}  # fmt: skip
FOLLOW_UP = {  # the second question of a dialogue, on the case just handled
    EN: {"fine": ("How much is the fine?", "How much is there to pay?", "And the fine?"),
         "points": ("How many points is that?", "How many points are there?", "And the points?"),
         "office": ("Which office deals with it?", "Who handles it?", "Where does the driver go?"),
         "article": ("Which article is that?", "What is the number of the article?")},
    ZH: {"fine": ("要罚多少钱？", "罚款是多少？", "罚多少？"),
         "points": ("要记几分？", "这要记多少分？", "扣几分？"),
         "office": ("归哪个科管？", "由谁处理？", "司机该去哪里？"),
         "article": ("是第几条？", "依据的是第几条？")},
}  # fmt: skip
WRITE = {EN: "Write the notice.\nReport: ", ZH: "请写处理通知书。\n报告："}


def report(rng: random.Random, act: str, place: str, lang: str, plate: str | None) -> str:
    """Return an incident report in lay words; without a plate where `plate` is None."""
    i, a, p = lang == ZH, ACTS[act], PLACES[place]
    shapes = ((REPORT_EN, REPORT_ZH) if plate else (NO_PLATE_EN, NO_PLATE_ZH))[i]
    witness = rng.choice(WITNESSES)[i]
    hours = NIGHT if act == "lights" and place != "tunnel" else DAY
    return rng.choice(shapes).format(
        t=f"{rng.choice(hours):02d}:{rng.randrange(60):02d}", c=rng.choice(COLOURS)[i],
        v=rng.choice(VEHICLES)[i], d=rng.choice(DAYS)[i], w=witness,
        W=witness[0].upper() + witness[1:], did=rng.choice(a.zh if i else a.past),
        where=p.zh if i else p.en, plate=plate)  # fmt: skip


def question(rng: random.Random, ask: str, act: str, place: str, lang: str) -> str:
    """Return a question about an offence in lay words."""
    return rng.choice(QUESTION[lang][ask]).format(lay=lay(act, place, lang))


def prompt(context: list[Row], text: str, lang: str) -> str:
    """Return what the user says: the articles, if any, then the task."""
    return with_articles([article[lang]["text"] for article in context], text, lang)


def with_articles(texts: Sequence[str], task: str, lang: str) -> str:
    """Return a task with the articles above it, in the format of the training rows."""
    return (
        shapes.HEAD[lang] + "".join(f"{text}\n" for text in texts) + f"\n{task}" if texts else task
    )


def without_articles(row: Row) -> Row:
    """Return a row whose first question has no articles above it."""
    first, *rest = row["messages"]
    bare = first | {"content": first["content"].rpartition("\n\n")[2]}
    return row | {"messages": [bare, *rest]}
