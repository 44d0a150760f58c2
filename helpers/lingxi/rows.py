"""The training rows of Lingxi, made from its articles."""

import random

from helpers.data.jsonl import Row
from helpers.lingxi import facts
from helpers.lingxi import sentences as say
from helpers.lingxi.facts import assistant, user
from helpers.lingxi.notice import write_notice
from helpers.lingxi.sampler import ASKS, LANGS, PLAN, Sampler, context, distractors, reshuffled


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
        "gold": facts.gold(bare(article) if task == "refusal" else article, lang, plate),
    }  # fmt: skip


def bare(article: Row) -> Row:
    """Return an article's offence alone: what is known of it where no rule covers it."""
    return {"act": article["act"], "place": article["place"]}


def make_notice(rng: random.Random, lang: str, article: Row, docs: list[Row], plate: str) -> Row:
    """Return report → notice."""
    told = say.report(rng, article["act"], article["place"], lang, plate)
    text = write_notice(facts.gold(article, lang, plate), lang)
    turns = [say.prompt(docs, say.WRITE[lang] + told, lang), text]
    return example("notice", "report", lang, article, docs, turns, plate)


def make_question(rng: random.Random, lang: str, article: Row, docs: list[Row]) -> Row:
    """Return question → short answer with citation."""
    ask = rng.choice(ASKS)
    asked = say.question(rng, ask, article["act"], article["place"], lang)
    turns = [
        say.prompt(docs, asked, lang),
        facts.answer(facts.gold(article, lang, None), ask, lang),
    ]
    return example("question", "question", lang, article, docs, turns, None, ask)


def make_followup(rng: random.Random, lang: str, article: Row, docs: list[Row], plate: str) -> Row:
    """Return report → notice, then a question on the same case → short answer."""
    row = make_notice(rng, lang, article, docs, plate)
    ask = rng.choice(ASKS)
    turns = [m["content"] for m in row["messages"]]
    turns += [rng.choice(say.FOLLOW_UP[lang][ask]), facts.answer(row["gold"], ask, lang)]
    return example("dialogue", "followup", lang, article, docs, turns, plate, ask)


def make_clarify(rng: random.Random, lang: str, article: Row, docs: list[Row], plate: str) -> Row:
    """Return a report without a plate → the model asks for it → the plate → notice."""
    told = say.report(rng, article["act"], article["place"], lang, None)
    turns = [say.prompt(docs, say.WRITE[lang] + told, lang), say.ASK_PLATE[lang],
             rng.choice(say.TELL_PLATE[lang]).format(plate=plate),
             write_notice(facts.gold(article, lang, plate), lang)]  # fmt: skip
    return example("dialogue", "clarify", lang, article, docs, turns, plate)


def make_refusal(
    rng: random.Random, lang: str, offence: Row, docs: list[Row], plate: str | None
) -> Row:
    """Return a report (or, without a plate, a question) on what no article shown covers."""
    words = facts.gold(bare(offence), lang, plate)
    if plate:
        text = say.WRITE[lang] + say.report(rng, offence["act"], offence["place"], lang, plate)
        turns, ask = [say.prompt(docs, text, lang), write_notice(words, lang)], None
    else:
        ask = rng.choice(ASKS)
        text = say.question(rng, ask, offence["act"], offence["place"], lang)
        turns = [say.prompt(docs, text, lang), facts.answer(words, ask, lang)]
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


def make_train(rng: random.Random, sampler: Sampler) -> list[Row]:
    """Return the training rows, on seen articles only, shuffled."""
    plates, rows, prompts = sampler.plates("train"), [], set()
    for lang in LANGS:
        articles = reshuffled(rng, sampler.seen)
        nothing = reshuffled(
            rng, sampler.seen + rng.sample(sampler.free["train"], len(sampler.seen))
        )
        for kind, counts in PLAN.items():
            for with_articles, count in zip((True, False), counts, strict=True):
                while count:
                    refused = kind.startswith("refused")
                    article = next(nothing if refused else articles)
                    pick = distractors if refused else context
                    docs = pick(rng, article, sampler.seen, 3) if with_articles else []
                    row = make(rng, kind, lang, article, docs, next(plates))
                    if row["messages"][0]["content"] in prompts:  # a question asked before
                        continue
                    prompts.add(row["messages"][0]["content"])
                    rows.append(row)
                    count -= 1
    rng.shuffle(rows)
    return numbered(rows, "train")
