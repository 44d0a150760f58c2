"""Write the text of Xiaoxi's primary school: other cities, never Lingxi.

Every lesson is a chat: `turns(rng, lang, …)` returns (user, assistant) pairs. Nothing is stored:
a random number generator makes as much text as training asks for, the same from the same seed.
"""

import random
import re
from typing import NamedTuple

from helpers.lingxi import words as common_words
from helpers.lingxi.shapes import (
    EN,
    HEAD,
    NO_RULE,
    QUESTION_EN,
    QUESTION_ZH,
    REPORT_EN,
    REPORT_ZH,
    ZH,
    article_text,
    lay,
)
from tools.xiaoxi import coin
from tools.xiaoxi import lexicon as lex

Turn = tuple[str, str]  # (what the user says, what the model should say)


# as an answer says it: the first articles that a pupil reads
PLAIN = {
    EN: "{lay}: {term} (Article {n}): {f} yuan, {p} points, {o}",
    ZH: "{lay}：{term}（第{n}条）：{f}元，{p}分，{o}",
}


class Entry(NamedTuple):
    """One article of a city's code: the words, the numbers and the sentence that holds them."""

    act: common_words.Act
    place: common_words.Place
    term: str
    article: int
    fine: int
    points: int
    office: str
    text: str


ASK_REPORT = {EN: "Report: ", ZH: "报告："}


PLATE = re.compile(r"[A-Z]{2}\d{4}")


def plate(rng: random.Random) -> str:
    """Return a number plate: two letters (never LX, Lingxi's own) and four digits."""
    while True:
        letters = "".join(rng.choices("ABCDEFGHJKLMNPQRSTUVWXYZ", k=2))
        if letters != "LX":
            return letters + "".join(rng.choices("0123456789", k=4))


def fine(rng: random.Random) -> int:
    """Return a fine in yuan: tens below 1,000 or hundreds below 5,000, widely spread."""
    return rng.choice(
        (rng.randrange(20, 1000, 10), rng.randrange(100, 1000, 50), rng.randrange(1000, 5000, 100))
    )


def make_entry(
    rng: random.Random,
    act: common_words.Act,
    place: common_words.Place,
    number: int,
    lang: str,
    vocabulary: coin.Vocabulary,
    shape: random.Random | None = None,
    plain: bool = False,
) -> Entry:
    """Return one article of a random city; a `plain` one is worded as its answer is."""
    term, money, points = vocabulary.term(act, place), fine(rng), rng.randrange(2, 13)
    office = rng.choice(common_words.OFFICES)[lang == ZH]
    words = {"lay": lay(act, place, lang), "term": term, "n": number, "f": money, "p": points}
    words["o"] = office
    text = PLAIN[lang].format(**words) if plain else article_text(shape or rng, lang, **words)
    return Entry(act, place, term, number, money, points, office, text)


def city(
    rng: random.Random,
    k: int,
    lang: str,
    hard: float = 0.5,
    one_shape: bool = False,
    plain: bool = False,
) -> list[Entry]:
    """Return k articles of a random city; with chance `hard` each shares an act or a place.

    Articles that share a word with another force the reader to match the act and the place.
    """
    every = common_words.pairs()
    chosen = [rng.choice(every)]
    while len(chosen) < k:
        pair = rng.choice(every)
        if rng.random() < hard:
            near = [q for q in every if (q[0] is chosen[-1][0]) != (q[1] is chosen[-1][1])]
            pair = rng.choice(near)
        if pair not in chosen:
            chosen.append(pair)
    rng.shuffle(chosen)
    numbers = rng.sample(range(1, 150), k)
    shape_seed, vocabulary = rng.random(), coin.Vocabulary(rng, lang)

    def shape() -> random.Random:
        return random.Random(shape_seed)

    return [
        make_entry(rng, a, p, n, lang, vocabulary, shape() if one_shape else None, plain)
        for (a, p), n in zip(chosen, numbers, strict=True)
    ]


def answer(entry: Entry, kind: str, lang: str) -> str:
    """Return the short answer with citation: the offence first, then its article, then the value."""
    if lang == EN:
        cited = f"{entry.term} (Article {entry.article})"
        values = {
            "fine": f"{entry.fine} yuan",
            "points": f"{entry.points} points",
            "office": entry.office,
        }
        values["rule"] = values["case"] = ", ".join(values.values())
        if kind == "term":
            return entry.term
        return cited + (f": {values[kind]}" if kind != "article" else "")
    cited = f"{entry.term}（第{entry.article}条）"
    values = {"fine": f"{entry.fine}元", "points": f"{entry.points}分", "office": entry.office}
    values["rule"] = values["case"] = "，".join(values.values())
    if kind == "term":
        return entry.term
    return cited + (f"：{values[kind]}" if kind != "article" else "")


def question(rng: random.Random, kind: str, phrase: str, lang: str) -> str:
    """Return a question about an offence given in lay words; a case is told before it."""
    shapes = (QUESTION_EN if lang == EN else QUESTION_ZH)[kind]
    return rng.choice(shapes).format(lay=phrase)


def report(
    rng: random.Random, act: common_words.Act, place: common_words.Place, lang: str, number: str
) -> str:
    """Return an incident report in lay words."""
    i = lang == ZH
    witness = rng.choice(common_words.WITNESSES)[i]
    did = rng.choice(act.zh if i else act.past)
    return rng.choice(REPORT_ZH if i else REPORT_EN).format(
        t=f"{rng.randrange(24):02d}:{rng.randrange(60):02d}",
        c=rng.choice(common_words.COLOURS)[i],
        v=rng.choice(common_words.VEHICLES)[i],
        d=rng.choice(common_words.DAYS)[i],
        w=witness,
        W=witness[0].upper() + witness[1:],
        did=did,
        where=place.zh if i else place.en,
        plate=number,
    )


def documents(entries: list[Entry], lang: str) -> str:
    """Return the articles as they stand in a prompt."""
    return HEAD[lang] + "".join(f"{e.text}\n" for e in entries) + "\n"


def absent(rng: random.Random, entries: list[Entry]) -> tuple[common_words.Act, common_words.Place]:
    """Return an offence that no entry covers, near to one that is covered."""
    have = {(e.act.key, e.place.key) for e in entries}
    near = rng.choice(entries)
    every = [q for q in common_words.pairs() if (q[0].key, q[1].key) not in have]
    close = [q for q in every if q[0] is near.act or q[1] is near.place]
    return rng.choice(close if rng.random() < 0.5 else every)


KINDS = ("rule", "rule", "fine", "points", "office", "article", "term", "case", "case")


def reading(
    rng: random.Random,
    lang: str,
    k: int,
    unknown: float = 0.0,
    one_shape: bool = False,
    hard: float = 0.5,
    turns: int = 8,
    kinds: tuple[str, ...] | None = None,
    plain: bool = False,
) -> list[Turn]:
    """Return questions on k articles; a share `unknown` asks what no article covers.

    Each answer repeats the offence before it tells the rule: the words lead to the article.
    """
    entries = city(rng, k, lang, hard, one_shape, plain)
    kinds = kinds or KINDS
    out = []
    for i in range(turns):
        kind = rng.choice(kinds)
        if rng.random() < unknown:
            (act, place), reply = absent(rng, entries), NO_RULE[lang]
        else:
            entry = rng.choice(entries)
            act, place, reply = entry.act, entry.place, answer(entry, kind, lang)
        phrase = lay(act, place, lang)
        reply = phrase + (": " if lang == EN else "：") + reply  # first what, then the judgement
        ask = question(rng, kind, phrase, lang)
        if kind == "case":
            ask = f"{ASK_REPORT[lang]}{report(rng, act, place, lang, plate(rng))}\n{ask}"
        out.append((documents(entries, lang) + ask if i == 0 else ask, reply))
    return out


# fmt: off
# Forms: any header, labels, separators and order, so that no form is special.
LABELS = {
    EN: {"plate": ("Plate", "Number plate", "Vehicle", "Registration", "Car", "Tag"),
         "conduct": ("Deed", "Story", "What was done", "Finding", "Told", "Event"),
         "term": ("Breach", "Violation", "Matter", "Case", "Charge", "Act"),
         "article": ("Rule", "Under", "Source", "Law", "Clause", "Ground"),
         "fine": ("Amount", "To pay", "Sum", "Price", "Due", "Payment"),
         "points": ("Score", "Marks", "Demerits", "Count", "Deduction", "Tally"),
         "office": ("Desk", "Sent to", "Bureau", "Unit", "Handled by", "Contact")},
    ZH: {"plate": ("车牌", "车号", "车辆", "号牌", "车辆号码", "牌号"),
         "conduct": ("经过", "所为", "做法", "情节", "事情", "实情"),
         "term": ("事由", "行为", "案由", "情形", "事项", "违规"),
         "article": ("条款", "法条", "根据", "出处", "规则", "条文"),
         "fine": ("金额", "应缴", "罚金", "缴款", "数额", "费用"),
         "points": ("扣分", "计分", "分数", "分值", "累计", "记录"),
         "office": ("部门", "科室", "移送", "承办", "负责", "窗口")},
}
HELD_OUT = 2  # the last two labels of each list are kept for the report card
SHAPES = {
    EN: {"plate": ("{}",), "conduct": ("{}",), "term": ("{}",),
         "article": ("Article {}", "Art. {}", "No. {}", "{}"), "fine": ("{} yuan", "RMB {}", "{}"),
         "points": ("{} points", "{}"), "office": ("{}",)},
    ZH: {"plate": ("{}",), "conduct": ("{}",), "term": ("{}",),
         "article": ("第{}条", "{}条", "{}"), "fine": ("{}元", "人民币{}元", "{}"),
         "points": ("{}分", "{}"), "office": ("{}",)},
}
SEPARATORS = {EN: (": ", " - ", " = ", ":: "), ZH: ("：", "－", "＝", "｜")}
FRAMES = {EN: ("[{}]", "== {} ==", "# {}", "<{}>", "*** {}", "{}"),
          ZH: ("【{}】", "《{}》", "== {} ==", "# {}", "〔{}〕", "{}")}
HEAD_WORDS = {
    EN: ("CITY", "ROAD", "CASE", "FILE", "CARD", "ORDER", "LETTER", "RECORD", "SLIP", "REPORT",
         "OFFICE", "SHEET", "FORM", "STREET", "BULLETIN", "PAPER", "SERVICE", "TOWN"),
    ZH: ("市", "道路", "案件", "单", "卡", "通告", "记录", "函", "登记", "表", "事务", "告知书",
         "公文", "决定", "街道", "文书", "处理", "存根", "通知", "交通", "书", "违法"),
}
FILL = {EN: ("Fill in the form.", "Write the form.", "Make the record.", "Write the notice."),
        ZH: ("请填表。", "请写表格。", "请做记录。", "请写处理通知书。", "请写通知。")}

# fmt: on


class Form(NamedTuple):
    """A form's look: header, fields in order, their labels, value shapes and separator."""

    header: str
    fields: tuple[str, ...]
    labels: dict[str, str]
    shapes: dict[str, str]
    separator: str

    def fill(self, entry: Entry, number: str, lang: str) -> str:
        """Return the form filled in for one entry and number plate."""
        values = {
            "plate": number,
            "conduct": lay(entry.act, entry.place, lang),
            "term": entry.term,
            "article": entry.article,
            "fine": entry.fine,
            "points": entry.points,
            "office": entry.office,
        }
        lines = [
            self.labels[f] + self.separator + self.shapes[f].format(values[f]) for f in self.fields
        ]
        return "\n".join([self.header, *lines])

    def blank(self) -> str:
        """Return the empty form: each value shape with a gap."""
        lines = [
            self.labels[f] + self.separator + self.shapes[f].format("___") for f in self.fields
        ]
        return "\n".join([self.header, *lines])


def any_label(rng: random.Random, lang: str) -> str:
    """Return a word of the lexicon, a coined one, or one of random letters or characters."""
    kind = rng.randrange(3)
    if kind == 0:
        return rng.choice(lex.words())[lang == ZH].capitalize()
    if kind == 1:
        return coin.word(rng).capitalize() if lang == EN else coin.phrase_zh(rng, (2, 2, 3, 4))
    if lang == EN:
        letters = rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(3, 8))
        return "".join(letters).capitalize()
    return "".join(chr(rng.randrange(0x4E00, 0x9FA6)) for _ in range(rng.randrange(2, 4)))


def make_form(
    rng: random.Random, lang: str, held_out: bool = False, fields: tuple[str, ...] | None = None
) -> Form:
    """Return a random form; `held_out` takes labels that training never shows."""
    part = slice(-HELD_OUT, None) if held_out else slice(None, -HELD_OUT)
    labels = {f: rng.choice(names[part]) for f, names in LABELS[lang].items()}
    if not held_out and rng.random() < 0.8:  # any word will do as a label: look at the form
        kept = {name for names in LABELS[lang].values() for name in names[-HELD_OUT:]}
        words: list[str] = []
        while len(words) < len(labels):
            word = any_label(rng, lang)
            words += [word] if word not in kept and word not in words else []
        labels = dict(zip(labels, words, strict=True))
    mixed = False
    if fields is None:
        middle = ["article", "fine", "points", "office"]
        mixed = rng.random() < 0.4
        if mixed:
            rng.shuffle(middle)
            middle = middle[: rng.randrange(1, 5)]
        head = ["conduct", "term"]  # first what was done, then what the code calls it
        head.insert(rng.choices((0, 1, 2), (8, 1, 1))[0], "plate")
        fields = (*head, *middle)
    words = rng.sample(HEAD_WORDS[lang], rng.randrange(1, 4))
    name = (" " if lang == EN else "").join(words)
    # in an unusual order a number must say what it is, or no reader could tell a fine from points
    shapes = {f: rng.choice(s[: len(s) - mixed] or s) for f, s in SHAPES[lang].items()}
    return Form(
        rng.choice(FRAMES[lang]).format(name),
        tuple(fields),
        labels,
        shapes,
        rng.choice(SEPARATORS[lang]),
    )


def forms(
    rng: random.Random, lang: str, k: int, turns: int = 5, held_out: bool = False, hard: float = 0.3
) -> list[Turn]:
    """Return reports to be put into one random form, with k articles (0: the report names all).

    The form comes as an empty one in the prompt, or by the first answer, which is the example.
    """
    entries = city(rng, max(k, 2), lang, hard)
    form = make_form(rng, lang, held_out, None if k else ("plate", "conduct", "term"))
    ask = rng.choice(FILL[lang])
    shown = "" if held_out or rng.random() < 0.5 else form.blank() + "\n"
    out = []
    for i in range(turns):
        entry, number = rng.choice(entries), plate(rng)
        told = report(rng, entry.act, entry.place, lang, number)
        if not k:
            told += (
                (" It is " if lang == EN else "这属于") + entry.term + ("." if lang == EN else "。")
            )
        prompt = f"{ask}\n{ASK_REPORT[lang]}{told}"
        if i == 0:
            prompt = (documents(entries, lang) if k else "") + shown + prompt
        out.append((prompt, form.fill(entry, number, lang)))
    return out


GLOSSARY = {EN: "Official words:\n", ZH: "正式用语：\n"}


def glossary(rng: random.Random, lang: str, turns: int = 6) -> list[Turn]:
    """Return a list of a city's words for acts and places, and terms to put together from it."""
    entries, words = city(rng, 3, lang, 0.3), coin.Vocabulary(rng, lang)
    acts = {e.act.key: e.act for e in entries}.values()
    places = {e.place.key: e.place for e in entries}.values()
    en, colon = lang == EN, ": " if lang == EN else "："
    lines = [(a.ing if en else a.zh[0]) + colon + words.act(a) for a in acts]
    lines += [(p.en if en else p.zh) + colon + words.place(p) for p in places]
    rng.shuffle(lines)
    out = []
    for i in range(turns):
        act, place = rng.choice([(a, p) for a in acts for p in places])
        phrase = lay(act, place, lang)
        ask = question(rng, "term", phrase, lang)
        if rng.random() < 0.5:
            ask = ASK_REPORT[lang] + report(rng, act, place, lang, plate(rng)) + "\n"
            ask += "Official term?" if en else "正式用语？"
        reply = phrase + colon + words.term(act, place)
        out.append((GLOSSARY[lang] + "\n".join(lines) + "\n\n" + ask if i == 0 else ask, reply))
    return out


def translation(rng: random.Random, lang: str, turns: int = 12) -> list[Turn]:
    """Return words of the lexicon and lay phrases to translate out of `lang`."""
    ask = {
        EN: ("Translate: {}", "Chinese for “{}”?", "{} in Chinese?"),
        ZH: ("翻译：{}", "“{}”用英语怎么说？", "{}的英文？"),
    }[lang]
    every, out = lex.words(), []
    for _ in range(turns):
        if rng.random() < 0.8:
            source, target = rng.choice(every)[:: 1 if lang == EN else -1]
        else:
            act, place = rng.choice(common_words.pairs())
            both = lay(act, place, EN), lay(act, place, ZH)
            source, target = both[:: 1 if lang == EN else -1]
        out.append((rng.choice(ask).format(source), target))
    return out


def sum_held_out(a: int, b: int) -> bool:
    """Tell whether a pair of addends is kept for the report card (about one in eight)."""
    return (a * 37 + b * 101) % 8 == 0


def sums(rng: random.Random, lang: str, turns: int = 14, held_out: bool = False) -> list[Turn]:
    """Return sums and differences with results from 0 to 99."""
    ask = {EN: ("{} = ?", "What is {}?", "{}"), ZH: ("{} = ?", "{} 等于几？", "算一算：{}")}[lang]
    out: list[Turn] = []
    while len(out) < turns:
        a, b = rng.randrange(100), rng.randrange(100)
        if a + b > 99 or sum_held_out(a, b) != held_out:
            continue
        minus = not held_out and rng.random() < 0.25
        left = f"{a + b} - {b}" if minus else f"{a} + {b}"
        out.append((rng.choice(ask).format(left), f"{left} = {a if minus else a + b}"))
    return out


def lists(rng: random.Random, lang: str, turns: int = 6) -> list[Turn]:
    """Return small tasks on lists of words: repeat, first, last, next, reverse of three."""
    i, out = lang == ZH, []
    for _ in range(turns):
        items = [w[i] for w in rng.sample(lex.words(), rng.randrange(3, 7))]
        items += [plate(rng)] if rng.random() < 0.4 else []
        rng.shuffle(items)
        joint = "、" if i else ", "
        n = rng.randrange(len(items) - 1)
        task = rng.choice(
            (
                ("Repeat: {}", "重复：{}", joint.join(items)),
                ("First of: {}", "第一个是什么：{}", items[0]),
                ("Last of: {}", "最后一个是什么：{}", items[-1]),
                (f"What follows {items[n]}: {{}}", f"{items[n]}后面是什么：{{}}", items[n + 1]),
            )
        )
        out.append((task[i].format(joint.join(items)), task[2]))
    return out


# fmt: off
NAMES = (("Anna", "小安"), ("Ben", "小本"), ("Lily", "小丽"), ("Max", "小马"), ("Ming", "小明"),
         ("Hong", "小红"), ("Tom", "汤姆"), ("Yan", "小燕"), ("Bo", "小波"), ("Ling", "小玲"))
STORY_EN = (
    "{a} went to the {place} with {b}. They saw a {colour} {thing} there. {a} gave {b} the {thing}.",
    "In the {time} {a} lost a {thing}. {b} found the {thing} near the {place} and gave it to {a}.",
    "{a} has a {colour} {thing}, and {b} has an old one. In the {time} they meet at the {place}.",
    "{b} was tired. {a} made tea and put the {colour} {thing} on the table. Then {b} was happy.",
)
STORY_ZH = (
    "{a}和{b}一起去{place}。他们在那里看见一{m}{colour}的{thing}。{a}把{thing}给了{b}。",
    "{time}，{a}丢了一{m}{thing}。{b}在{place}附近找到了{thing}，还给了{a}。",
    "{a}有一{m}{colour}的{thing}，{b}的是旧的。{time}他们在{place}见面。",
    "{b}累了。{a}泡了茶，把{colour}的{thing}放在桌子上。后来{b}很高兴。",
)
THINGS = (("book", "本"), ("pen", "支"), ("cup", "个"), ("hat", "顶"), ("umbrella", "把"),
          ("basket", "个"), ("key", "把"))  # with the Chinese measure word
STORY_ASK = {
    EN: (("Who are the two?", "{a} and {b}"), ("Where does it happen?", "{place}"),
         ("What thing is it?", "{thing}"), ("Tell it again.", "{story}")),
    ZH: (("这两个人是谁？", "{a}和{b}"), ("故事说到哪个地方？", "{place}"),
         ("是什么东西？", "{thing}"), ("再讲一遍。", "{story}")),
}

# fmt: on


def story(rng: random.Random, lang: str) -> list[Turn]:
    """Return a short story to hear and questions about it."""
    i = lang == ZH
    a, b = (n[i] for n in rng.sample(NAMES, 2))
    every = {w[0]: w[i] for w in lex.words()}
    thing, measure = rng.choice(THINGS)
    said = {
        "a": a,
        "b": b,
        "thing": every[thing],
        "m": measure,
        "place": every[rng.choice(("park", "market", "library", "school", "station"))],
        "time": every[rng.choice(("morning", "evening", "summer", "winter", "autumn"))],
        "colour": rng.choice(common_words.COLOURS)[i],
    }
    told = rng.choice(STORY_ZH if i else STORY_EN)
    text = told.format(**said)
    ask = [
        q for q in STORY_ASK[lang] if q[1] in ("{a} and {b}", "{a}和{b}", "{story}") or q[1] in told
    ]
    start = "听故事。" if i else "Listen to a story."
    out = [(q, r.format(story=text, **said)) for q, r in rng.sample(ask, len(ask))]
    return [(f"{start}\n{text}\n{out[0][0]}", out[0][1]), *out[1:]]


# fmt: off
DIALOGUE = {
    EN: (("Good morning!", "Good morning! What can I do for you?"), ("Thank you.", "You are welcome."),
         ("Who are you?", "I am Xiaoxi, a very small language model."),
         ("Goodbye.", "Goodbye, and drive safely."), ("Can you help me?", "Yes. What do you need?")),
    ZH: (("早上好！", "早上好！有什么可以帮您？"), ("谢谢。", "不客气。"),
         ("你是谁？", "我是小溪，一个很小的语言模型。"), ("再见。", "再见，路上小心。"),
         ("你能帮我吗？", "可以。您需要什么？")),
}

# fmt: on


def dialogue(rng: random.Random, lang: str) -> list[Turn]:
    """Return small talk with a word or a sum between."""
    talk = rng.sample(DIALOGUE[lang], 3)
    between = translation(rng, lang, 2) if rng.random() < 0.5 else sums(rng, lang, 2)
    return [talk[0], *between, *talk[1:]]
