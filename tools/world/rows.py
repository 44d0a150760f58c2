"""The examples of Lingxi besides the training rows: eval, preferences and general skills."""

import random
import re
from collections.abc import Iterator

from helpers.data.jsonl import Row
from helpers.lingxi import facts
from helpers.lingxi import sentences as say
from helpers.lingxi.facts import assistant, user
from helpers.lingxi.notice import write_notice
from helpers.lingxi.rows import bare, make, numbered
from helpers.lingxi.sampler import LANGS, Sampler, context, distractors, near, reshuffled
from tools.xiaoxi import lexicon as lex
from tools.xiaoxi import school


def views(
    rng: random.Random, stem: str, row: Row, article: Row, pool: list[Row], sizes: tuple[int, ...]
) -> Iterator[Row]:
    """Yield one example as it stands without articles and with k of them, for k in `sizes`."""
    for k in sizes:
        docs = context(rng, article, pool, k) if k else []
        first = say.prompt(docs, row["messages"][0]["content"], row["lang"])
        yield {"id": f"{stem}-c{k}", **row, "context": [a["id"] for a in docs],
               "messages": [user(first), *row["messages"][1:]]}  # fmt: skip


def make_eval(rng: random.Random, sampler: Sampler, taken: set[str]) -> list[Row]:
    """Return the held-out rows: each case without articles (-c0), with 3 (-c3), some with 8 (-c8).

    `taken` are the prompts of the training rows; none of them comes up here.
    """
    plates, cases = sampler.plates("eval"), []
    plan = (("notice", "unseen", 30, (0, 3, 8)), ("notice", "unseen", 70, (0, 3)),
            ("notice", "seen", 30, (0, 3)), ("question", "unseen", 15, (0, 3)),
            ("question", "seen", 10, (0, 3)), ("followup", "unseen", 8, (3,)),
            ("clarify", "unseen", 8, (3,)), ("followup", "seen", 4, (0,)),
            ("clarify", "seen", 4, (0,)))  # fmt: skip
    for lang in LANGS:
        decks = {"seen": reshuffled(rng, sampler.seen), "unseen": reshuffled(rng, sampler.unseen)}
        for kind, split, count, sizes in plan:
            while count:
                article = next(decks[split])
                row = make(rng, kind, lang, article, [], next(plates))
                if row["messages"][0]["content"] in taken:
                    continue
                taken.add(row["messages"][0]["content"])
                cases.append((row, article, sizes))
                count -= 1
        nothing = reshuffled(
            rng, sampler.unseen + rng.sample(sampler.free["eval"], len(sampler.unseen))
        )
        for kind in ["refused_notice"] * 40 + ["refused_question"] * 10:
            offence = next(nothing)
            docs = distractors(rng, offence, sampler.code, 3)
            cases.append((make(rng, kind, lang, offence, docs, next(plates)), None, ()))
    rng.shuffle(cases)
    rows = []
    for n, (row, article, sizes) in enumerate(cases, 1):
        stem = f"eval-{n:04d}"
        rows += ([{"id": f"{stem}-c3", **row}] if article is None
                 else views(rng, stem, row, article, sampler.code, sizes))  # fmt: skip
    return rows


def wrong_answer(
    rng: random.Random, kind: str, lang: str, row: Row, docs: list[Row], article: Row
) -> str:
    """Return the answer that is not preferred, to a report or a question.

    article: another article's term and facts. invented: a rule where there is none, under another
    article's term or under the one that Lingxi would form. refused: "no rule here" where a rule is
    shown.
    """
    plate, ask = row["gold"]["plate"], row["ask"]
    if kind == "refused":
        g = facts.gold(bare(article), lang, plate)
    else:
        others = [a for a in docs if a["id"] != article.get("id")]
        close = [a for a in others if near(a, article)]
        g = facts.gold(rng.choice(close or others), lang, plate)
        if kind == "invented" and rng.random() < 0.5:
            g["term"] = facts.term(article["act"], article["place"], lang)
    return facts.answer(g, ask, lang) if ask else write_notice(g, lang)


def make_preferences(rng: random.Random, sampler: Sampler) -> list[Row]:
    """Return pairs on seen articles; a rule is refused wrongly as often as one is invented."""
    plates, rows, prompts = sampler.plates("preferences"), [], set()
    for lang in LANGS:
        articles = reshuffled(rng, sampler.seen)
        nothing = reshuffled(
            rng, sampler.seen + rng.sample(sampler.free["train"], len(sampler.seen))
        )
        for kind in ("article", "invented", "refused"):
            count = 0
            while count < (60 if kind == "article" else 70):
                article = next(nothing if kind == "invented" else articles)
                pick = distractors if kind == "invented" else context
                docs = pick(rng, article, sampler.seen, 3)
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
