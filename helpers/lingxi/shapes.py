"""The shapes of sentences that every city shares: articles, reports, questions."""

import random

from helpers.lingxi.words import Act, Place

EN, ZH = "en", "zh"
# fmt: off
# The lead-in varies; offence, number, fine, points and office always come in this order, because a
# causal model finds what stands after the words that it looks for.
ARTICLE_EN = (
    "By {lay} one commits {term}: Article {n}, {f} yuan, {p} points, {o}.",
    "Whoever is caught {lay} commits {term}. Article {n}: {f} yuan, {p} points, {o}.",
    "On {lay}, called {term} in Article {n}: {f} yuan, {p} points, {o}.",
    "Anyone {lay} is guilty of {term} under Article {n}: a fine of {f} yuan, {p} points, {o}.",
    "The city does not allow {lay}. This is {term} (Article {n}), at {f} yuan and {p} points, {o}.",
    "If you are found {lay}, you answer for {term} (Article {n}) with {f} yuan, {p} points,"
    " at the {o}.",
    "No {lay}: as {term}, Article {n}, it costs {f} yuan and {p} points; ask the {o}.",
)
ARTICLE_ZH = (
    "对于{lay}（{term}）：第{n}条，罚款{f}元，记{p}分，{o}处理。",
    "凡{lay}的，属于{term}。第{n}条：罚款{f}元，记{p}分，归{o}办理。",
    "关于{lay}，本市称为{term}，见第{n}条：罚款{f}元，记{p}分，由{o}负责。",
    "任何人{lay}，即构成{term}，按第{n}条罚{f}元，记{p}分，由{o}执行。",
    "禁止{lay}。此为{term}（第{n}条），罚款{f}元，记{p}分，{o}受理。",
    "若{lay}，应以{term}论处，依第{n}条罚{f}元、记{p}分，到{o}办理。",
    "不得{lay}：以{term}计，第{n}条，罚{f}元，记{p}分，可问{o}。",
)
REPORT_EN = (
    "At {t}, a {c} {v} with plate {plate} {did} {where}.",
    "{W} saw that a {c} {v}, plate {plate}, {did} {where} at {t}.",
    "Plate {plate}, a {c} {v}: on {d} it {did} {where}.",
    "On {d} {w} wrote: a {v} {did} {where}. The plate was {plate}.",
    "A {c} {v} {did} {where} on {d} at {t}; its plate is {plate}.",
    "Call from {w}, {d}, {t}. A {v} {did} {where}. Plate {plate}.",
    "Camera, {d} {t}: {plate}, a {c} {v}, {did} {where}.",
    "I saw a {c} {v} that {did} {where}. Its plate: {plate}.",
)
REPORT_ZH = (
    "{t}，一辆车牌为{plate}的{c}{v}在{where}{did}。",
    "{w}看到，车牌{plate}的{c}{v}{d}在{where}{did}。",
    "{plate}，{c}{v}，{d}{t}在{where}{did}。",
    "{d}，{w}反映：一辆{v}在{where}{did}，车牌是{plate}。",
    "一辆{c}{v}在{where}{did}，时间是{d}{t}，车牌{plate}。",
    "{w}来电：{t}，一辆{v}在{where}{did}，车牌{plate}。",
    "监控记录：{d}{t}，{plate}（{c}{v}）在{where}{did}。",
    "我看见一辆{c}{v}在{where}{did}，车牌号{plate}。",
)
QUESTION_EN = {
    "fine": ("How much is the fine for {lay}?", "What does {lay} cost?",
             "I was caught {lay}. How much do I pay?", "What is the fine if someone is found {lay}?"),
    "points": ("How many points for {lay}?", "I was caught {lay}. How many points is that?",
               "What does {lay} cost in points?"),
    "office": ("Which office deals with {lay}?", "I was caught {lay}. Where do I go?",
               "Who handles {lay}?"),
    "article": ("Which article is about {lay}?", "Where does the code speak of {lay}?"),
    "rule": ("What does the code say about {lay}?", "Tell me the rule on {lay}.",
             "I was caught {lay}. What now?"),
    "term": ("What does the code call {lay}?", "What is the official term for {lay}?"),
    "case": ("Which rule applies?", "What does the code say of this?"),
}
QUESTION_ZH = {
    "fine": ("{lay}罚多少钱？", "{lay}的罚款是多少？", "我因为{lay}被查了，要交多少钱？",
             "有人{lay}，会罚多少？"),
    "points": ("{lay}记几分？", "我因为{lay}被查了，要记几分？", "{lay}会扣多少分？"),
    "office": ("{lay}归哪个科管？", "我因为{lay}被查了，该去哪里？", "{lay}由谁处理？"),
    "article": ("{lay}在第几条？", "哪一条讲的是{lay}？"),
    "rule": ("关于{lay}，法条怎么规定？", "请说明关于{lay}的规定。", "我因为{lay}被查了，怎么办？"),
    "term": ("{lay}的正式说法是什么？", "法条里{lay}叫什么？"),
    "case": ("适用哪条规定？", "法条对此怎么规定？"),
}
# fmt: on
NO_RULE = {EN: "no rule here", ZH: "此处无规定"}
HEAD = {EN: "Articles:\n", ZH: "法条：\n"}


def lay(act: Act, place: Place, lang: str) -> str:
    """Return the offence in lay words: "parking in the bus lane" or 在公交专用道停车."""
    return f"{act.ing} {place.en}" if lang == EN else f"在{place.zh}{act.zh[0]}"


def article_text(rng: random.Random, lang: str, **words: object) -> str:
    """Return one article as a sentence; the offence stands before its number and its fine."""
    return rng.choice(ARTICLE_EN if lang == EN else ARTICLE_ZH).format(**words)
