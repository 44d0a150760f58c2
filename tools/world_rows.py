"""The examples of Lingxi: train, eval, preferences and general skills."""

import random
import re
from collections.abc import Iterator

from helpers.notice import write_notice
from tools import lexicon as lex
from tools import school
from tools import world_text as wt
from tools.school import EN, ZH
from tools.world_text import Row, assistant, user

LANGS = (EN, ZH)
ASKS = ("fine", "fine", "points", "office", "article")  # fines are asked for most
PLATES = {"train": (0, 2500), "eval": (2500, 5000), "preferences": (5000, 7000),
          "dirty": (7000, 10000)}  # fmt: skip
PLAN = {  # train rows of each language and kind: (with articles in the prompt, without)
    "notice": (120, 120), "question": (40, 40), "followup": (10, 10), "clarify": (10, 10),
    "refused_notice": (28, 0), "refused_question": (12, 0),
}  # fmt: skip


class Desk:
    """Lingxi's code and what is dealt out of it: articles, offences without a rule, plates."""

    def __init__(self, code: list[Row], possible: list[tuple[str, str]], rng: random.Random):
        """Share out plates and offences without an article, so that no two files meet in them."""
        self.code = code
        self.seen = [a for a in code if a["split"] == "seen"]
        self.unseen = [a for a in code if a["split"] == "unseen"]
        have = {(a["act"], a["place"]) for a in code}
        free = [pair for pair in possible if pair not in have]
        rng.shuffle(free)
        self.free = {"train": offences(free[: len(free) // 2], "seen"),
                     "eval": offences(free[len(free) // 2 :], "unseen")}  # fmt: skip
        numbers = rng.sample(range(10_000), 10_000)
        self._plates = {name: [f"LX{n:04d}" for n in numbers[a:b]]
                        for name, (a, b) in PLATES.items()}  # fmt: skip

    def plates(self, file: str) -> Iterator[str]:
        """Return the plates of one file, each of which turns up once."""
        return iter(self._plates[file])


def offences(pairs: list[tuple[str, str]], split: str) -> list[Row]:
    """Return offences that no article covers, in the shape of an article without its facts."""
    return [{"act": act, "place": place, "split": split} for act, place in pairs]


def near(a: Row, b: Row) -> bool:
    """Tell whether two offences share the act or the place, but not both."""
    return (a["act"] == b["act"]) != (a["place"] == b["place"])


def distractors(rng: random.Random, target: Row, pool: list[Row], k: int) -> list[Row]:
    """Return k other articles; more than half of them share the target's act or place."""
    pool = [a for a in pool if (a["act"], a["place"]) != (target["act"], target["place"])]
    out: list[Row] = []
    while len(out) < k:
        close = [a for a in pool if near(a, target) and a not in out]
        far = [a for a in pool if a not in out]
        out.append(rng.choice(close if close and rng.random() < 0.5 else far))
    return out


def context(rng: random.Random, target: Row, pool: list[Row], k: int) -> list[Row]:
    """Return k articles among which the target stands at a random place."""
    out = [*distractors(rng, target, pool, k - 1), target]
    rng.shuffle(out)
    return out


def deck(rng: random.Random, rows: list[Row]) -> Iterator[Row]:
    """Yield rows without end, shuffled anew each round, so that all occur about equally often."""
    while True:
        yield from rng.sample(rows, len(rows))


def example(
    task: str,
    kind: str,
    lang: str,
    article: Row,
    docs: list[Row],
    turns: list[str],
    plate: str | None,
    ask: str | None = None,
) -> Row:
    """Return one example without its id; `turns` alternate between user and assistant.

    `kind` is report, question, followup or clarify; `ask` the fact that a question asks for.
    """
    return {
        "task": task, "kind": kind, "lang": lang, "ask": ask,
        "article": article["id"] if task != "refusal" else None,
        "split": article["split"], "context": [a["id"] for a in docs],
        "messages": [(assistant if i % 2 else user)(text) for i, text in enumerate(turns)],
        "gold": wt.gold(bare(article) if task == "refusal" else article, lang, plate),
    }  # fmt: skip


def bare(article: Row) -> Row:
    """Return an article's offence alone: what is known of it where no rule covers it."""
    return {"act": article["act"], "place": article["place"]}


def make_notice(rng: random.Random, lang: str, article: Row, docs: list[Row], plate: str) -> Row:
    """Return report → notice."""
    told = wt.report(rng, article["act"], article["place"], lang, plate)
    text = write_notice(wt.gold(article, lang, plate), lang)
    turns = [wt.prompt(docs, wt.WRITE[lang] + told, lang), text]
    return example("notice", "report", lang, article, docs, turns, plate)


def make_question(rng: random.Random, lang: str, article: Row, docs: list[Row]) -> Row:
    """Return question → short answer with citation."""
    ask = rng.choice(ASKS)
    asked = wt.question(rng, ask, article["act"], article["place"], lang)
    turns = [wt.prompt(docs, asked, lang), wt.answer(wt.gold(article, lang, None), ask, lang)]
    return example("question", "question", lang, article, docs, turns, None, ask)


def make_followup(rng: random.Random, lang: str, article: Row, docs: list[Row], plate: str) -> Row:
    """Return report → notice, then a question on the same case → short answer."""
    row = make_notice(rng, lang, article, docs, plate)
    ask = rng.choice(ASKS)
    turns = [m["content"] for m in row["messages"]]
    turns += [rng.choice(wt.FOLLOW_UP[lang][ask]), wt.answer(row["gold"], ask, lang)]
    return example("dialogue", "followup", lang, article, docs, turns, plate, ask)


def make_clarify(rng: random.Random, lang: str, article: Row, docs: list[Row], plate: str) -> Row:
    """Return a report without a plate → the model asks for it → the plate → notice."""
    told = wt.report(rng, article["act"], article["place"], lang, None)
    turns = [wt.prompt(docs, wt.WRITE[lang] + told, lang), wt.ASK_PLATE[lang],
             rng.choice(wt.TELL_PLATE[lang]).format(plate=plate),
             write_notice(wt.gold(article, lang, plate), lang)]  # fmt: skip
    return example("dialogue", "clarify", lang, article, docs, turns, plate)


def make_refusal(
    rng: random.Random, lang: str, offence: Row, docs: list[Row], plate: str | None
) -> Row:
    """Return a report (or, without a plate, a question) on what no article shown covers."""
    words = wt.gold(bare(offence), lang, plate)
    if plate:
        text = wt.WRITE[lang] + wt.report(rng, offence["act"], offence["place"], lang, plate)
        turns, ask = [wt.prompt(docs, text, lang), write_notice(words, lang)], None
    else:
        ask = rng.choice(ASKS)
        text = wt.question(rng, ask, offence["act"], offence["place"], lang)
        turns = [wt.prompt(docs, text, lang), wt.answer(words, ask, lang)]
    kind = "report" if plate else "question"
    return example("refusal", kind, lang, offence, docs, turns, plate, ask)


def make(
    rng: random.Random, kind: str, lang: str, article: Row, docs: list[Row], plate: str
) -> Row:
    """Return one example of a kind of PLAN."""
    makers = {"notice": make_notice, "followup": make_followup, "clarify": make_clarify,
              "refused_notice": make_refusal}  # fmt: skip
    if kind in makers:
        return makers[kind](rng, lang, article, docs, plate)
    if kind == "question":
        return make_question(rng, lang, article, docs)
    return make_refusal(rng, lang, article, docs, None)


def numbered(rows: list[Row], name: str) -> list[Row]:
    """Return the rows with ids in their order."""
    return [{"id": f"{name}-{i:05d}", **row} for i, row in enumerate(rows, 1)]


def make_train(rng: random.Random, desk: Desk) -> list[Row]:
    """Return the training rows, on seen articles only, shuffled."""
    plates, rows, prompts = desk.plates("train"), [], set()
    for lang in LANGS:
        articles = deck(rng, desk.seen)
        nothing = deck(rng, desk.seen + rng.sample(desk.free["train"], len(desk.seen)))
        for kind, counts in PLAN.items():
            for with_articles, count in zip((True, False), counts, strict=True):
                while count:
                    refused = kind.startswith("refused")
                    article = next(nothing if refused else articles)
                    pick = distractors if refused else context
                    docs = pick(rng, article, desk.seen, 3) if with_articles else []
                    row = make(rng, kind, lang, article, docs, next(plates))
                    if row["messages"][0]["content"] in prompts:  # a question asked before
                        continue
                    prompts.add(row["messages"][0]["content"])
                    rows.append(row)
                    count -= 1
    rng.shuffle(rows)
    return numbered(rows, "train")


def views(
    rng: random.Random, stem: str, row: Row, article: Row, pool: list[Row], sizes: tuple[int, ...]
) -> Iterator[Row]:
    """Yield one example as it stands without articles and with k of them, for k in `sizes`."""
    for k in sizes:
        docs = context(rng, article, pool, k) if k else []
        first = wt.prompt(docs, row["messages"][0]["content"], row["lang"])
        yield {"id": f"{stem}-c{k}", **row, "context": [a["id"] for a in docs],
               "messages": [user(first), *row["messages"][1:]]}  # fmt: skip


def make_eval(rng: random.Random, desk: Desk, taken: set[str]) -> list[Row]:
    """Return the held-out rows: each case without articles (-c0), with 3 (-c3), some with 8 (-c8).

    `taken` are the prompts of the training rows; none of them comes up here.
    """
    plates, cases = desk.plates("eval"), []
    plan = (("notice", "unseen", 30, (0, 3, 8)), ("notice", "unseen", 70, (0, 3)),
            ("notice", "seen", 30, (0, 3)), ("question", "unseen", 15, (0, 3)),
            ("question", "seen", 10, (0, 3)), ("followup", "unseen", 8, (3,)),
            ("clarify", "unseen", 8, (3,)), ("followup", "seen", 4, (0,)),
            ("clarify", "seen", 4, (0,)))  # fmt: skip
    for lang in LANGS:
        decks = {"seen": deck(rng, desk.seen), "unseen": deck(rng, desk.unseen)}
        for kind, split, count, sizes in plan:
            while count:
                article = next(decks[split])
                row = make(rng, kind, lang, article, [], next(plates))
                if row["messages"][0]["content"] in taken:
                    continue
                taken.add(row["messages"][0]["content"])
                cases.append((row, article, sizes))
                count -= 1
        nothing = deck(rng, desk.unseen + rng.sample(desk.free["eval"], len(desk.unseen)))
        for kind in ["refused_notice"] * 40 + ["refused_question"] * 10:
            offence = next(nothing)
            docs = distractors(rng, offence, desk.code, 3)
            cases.append((make(rng, kind, lang, offence, docs, next(plates)), None, ()))
    rng.shuffle(cases)
    rows = []
    for n, (row, article, sizes) in enumerate(cases, 1):
        stem = f"eval-{n:04d}"
        rows += ([{"id": f"{stem}-c3", **row}] if article is None
                 else views(rng, stem, row, article, desk.code, sizes))  # fmt: skip
    return rows


def wrong_answer(
    rng: random.Random, kind: str, lang: str, row: Row, docs: list[Row], article: Row
) -> str:
    """Return the answer that is not preferred, to a report or a question.

    article: another article's term and facts. invented: a rule where there is none, under another
    article's term or under the right one. refused: "no rule here" where a rule is shown.
    """
    plate, ask = row["gold"]["plate"], row["ask"]
    if kind == "refused":
        g = wt.gold(bare(article), lang, plate)
    else:
        others = [a for a in docs if a["id"] != article.get("id")]
        close = [a for a in others if near(a, article)]
        g = wt.gold(rng.choice(close or others), lang, plate)
        if kind == "invented" and rng.random() < 0.5:
            g["term"] = row["gold"]["term"]
    return wt.answer(g, ask, lang) if ask else write_notice(g, lang)


def make_preferences(rng: random.Random, desk: Desk) -> list[Row]:
    """Return pairs on seen articles; a rule is refused wrongly as often as one is invented."""
    plates, rows, prompts = desk.plates("preferences"), [], set()
    for lang in LANGS:
        articles = deck(rng, desk.seen)
        nothing = deck(rng, desk.seen + rng.sample(desk.free["train"], len(desk.seen)))
        for kind in ("article", "invented", "refused"):
            count = 0
            while count < (60 if kind == "article" else 70):
                article = next(nothing if kind == "invented" else articles)
                pick = distractors if kind == "invented" else context
                docs = pick(rng, article, desk.seen, 3)
                asked = count % 2 == 1  # reports and questions in turn
                right = {"invented": ("refused_notice", "refused_question")}.get(
                    kind, ("notice", "question"))[asked]  # fmt: skip
                row = make(rng, right, lang, article, docs, next(plates))
                text = row["messages"][0]["content"]
                wrong = wrong_answer(rng, kind, lang, row, docs, article)
                if text in prompts or wrong == row["messages"][1]["content"]:
                    continue
                prompts.add(text)
                answers = {"chosen": row["messages"][1:], "rejected": [assistant(wrong)]}
                rows.append({"lang": lang, "kind": kind, "prompt": [user(text)], **answers})
                count += 1
    rng.shuffle(rows)
    return numbered(rows, "pref")


def skill(rng: random.Random, task: str, lang: str, use: str) -> tuple[str, str]:
    """Return one exercise of the school, as (prompt, answer); no city in it is Lingxi."""
    if task == "translate":
        return school.translation(rng, lang, turns=1)[0]
    if task == "sum":  # what measures forgetting is what the school kept for its report card
        return school.sums(rng, lang, turns=1, held_out=use == "measure")[0]
    if task == "read":
        return school.reading(rng, lang, k=rng.choice((1, 2, 3)), turns=1)[0]
    while True:
        prompt, answer = school.lists(rng, lang, turns=1)[0]
        if prompt.startswith(("Repeat", "重复")) == (task == "copy"):
            return prompt, answer


def make_general(rng: random.Random, each: int = 15) -> list[Row]:
    """Return general skills, half to replay while tuning, half to measure what was forgotten.

    No exercise is in both halves, in either language or direction.
    """
    rows, done = [], set()
    for task in ("translate", "sum", "list", "copy", "read"):
        for lang in LANGS:
            for use in ("replay", "measure"):
                count = 0
                while count < each:
                    prompt, answer = skill(rng, task, lang, use)
                    key = exercise(task, prompt, answer)
                    if key is None or key in done:
                        continue
                    done.add(key)
                    rows.append({"lang": lang, "task": task, "use": use,
                                 "messages": [user(prompt), assistant(answer)]})  # fmt: skip
                    count += 1
    rng.shuffle(rows)
    return numbered(rows, "general")


def exercise(task: str, prompt: str, answer: str) -> str | None:
    """Return what stays the same in an exercise however it is asked; None for an ambiguous word."""
    if task == "sum":
        return answer
    if task != "translate":
        return prompt
    word = TRANSLATE.sub("", prompt)
    known = [pair for pair in lex.words() if word in pair]
    return None if len(known) > 1 else " = ".join(sorted((word, answer)))


TRANSLATE = re.compile(
    "^Translate: |^Chinese for “|”[?]$| in Chinese[?]$|^翻译：|^“|”用英语怎么说？$|的英文？$"
)
