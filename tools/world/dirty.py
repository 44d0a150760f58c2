"""The dirty file of Lingxi: rows as train has them, with known faults put in and labelled."""

import random
import re
from collections.abc import Iterator
from itertools import islice

from helpers.data import dedup
from helpers.data.jsonl import Row
from helpers.lingxi import facts
from helpers.lingxi import words as common_words
from helpers.lingxi.notice import write_notice
from helpers.lingxi.rows import make
from helpers.lingxi.sampler import LANGS, Sampler, context, distractors, reshuffled
from helpers.lingxi.shapes import EN, ZH
from tools.xiaoxi import school

CLEAN = 730
COUNTS = {"exact_duplicate": 90, "near_duplicate": 90, "wrong_language": 60, "broken_form": 72,
          "personal_data": 54, "leaked_test_item": 50, "wrong_fact": 54}  # fmt: skip
KINDS = ("notice",) * 6 + ("question",) * 2 + ("followup", "refused_notice")
ALIKE = 0.6  # no two rows that are not labelled share more of their shingles than this
LONG = 60  # shingles that a row must have, so that a word more or less leaves it alike
THANKS = {EN: " Thank you.", ZH: "谢谢。"}
PLEASE = {EN: ("Write the notice.", "Please write the notice."),
          ZH: ("请写处理通知书。", "请写一份处理通知书。")}  # fmt: skip
CHATTER = {EN: "Of course! Here is the notice:\n", ZH: "好的，通知书如下：\n"}
OTHER_LABEL = {EN: ("Offence:", "Violation:"), ZH: ("违法行为：", "违规事项：")}
UNIT = {EN: " yuan", ZH: "元"}
PRIVATE = {  # nobody's: area code 000, region 000000, the example domains of RFC 2606
    EN: {"phone": " Phone of the witness: 000-0{:03d}-{:04d}.",
         "id_number": " ID number of the driver: 000000{:04d}{:02d}{:02d}{:04d}.",
         "email": " E-mail of the owner: {}{}@example.{}."},
    ZH: {"phone": "证人电话：000-0{:03d}-{:04d}。",
         "id_number": "驾驶人身份证号：000000{:04d}{:02d}{:02d}{:04d}。",
         "email": "车主邮箱：{}{}@example.{}。"},
}  # fmt: skip


def shingles(row: Row) -> set[str]:
    """Return the shingles of all that a row's messages say."""
    text = "\n".join(m["content"] for m in row["messages"])
    return dedup.shingles(text, dedup.SIZES[row["lang"]])


def distinct_rows(rng: random.Random, sampler: Sampler, held_out: list[Row]) -> Iterator[Row]:
    """Yield rows on seen articles, none like another or like one held out, languages in turn."""
    plates, known = sampler.plates("dirty"), {}
    for row in held_out:
        known.setdefault(row["gold"]["conduct"], []).append(shingles(row))
    articles = {lang: reshuffled(rng, sampler.seen) for lang in LANGS}
    nothing = {lang: reshuffled(rng, sampler.seen + sampler.free["train"]) for lang in LANGS}
    for n, plate in enumerate(plates):
        lang = LANGS[n % 2]
        kind = rng.choice(KINDS)
        refused = kind == "refused_notice"
        article = next((nothing if refused else articles)[lang])
        pick = distractors if refused else context
        docs = pick(rng, article, sampler.seen, 3) if refused or rng.random() < 0.6 else []
        row = make(rng, kind, lang, article, docs, plate)
        like = known.setdefault(row["gold"]["conduct"], [])
        own = shingles(row)
        if all(dedup.jaccard(own, other) < ALIKE for other in like):
            like.append(own)
            yield {**row, "labels": [], "fault": None, "of": None}


def labelled(row: Row, label: str, fault: str | None, of: str | None = None) -> Row:
    """Return a deep enough copy of a row with its label and the kind of fault."""
    return {**row, "messages": [dict(m) for m in row["messages"]], "labels": [label],
            "fault": fault, "of": of}  # fmt: skip


def reworded(rng: random.Random, row: Row) -> str:
    """Change a few letters of the first question in place; return what was done."""
    lang, message = row["lang"], row["messages"][0]
    old, new = PLEASE[lang]
    head, _, last = message["content"].rpartition("\n")
    colours = [c[lang == ZH] for c in common_words.COLOURS]
    pattern = "|".join(colours) if lang == ZH else rf"\b({'|'.join(colours)})\b"
    colour = re.search(pattern, last)
    ways = ["thanks"] + ["please"] * (old in head) + ["colour"] * bool(colour)
    way = rng.choice(ways)
    if way == "thanks":
        message["content"] += THANKS[lang]
    elif way == "please":
        message["content"] = message["content"].replace(old, new)
    else:
        other = rng.choice([c for c in colours if c != colour[0]])
        last = last[: colour.start()] + other + last[colour.end() :]
        message["content"] = f"{head}\n{last}"
    return way


def break_form(rng: random.Random, text: str, lang: str, fault: str) -> str:
    """Return a notice with its form broken in one way."""
    lines = text.split("\n")
    if fault == "missing_line":
        lines.pop(rng.randrange(1, len(lines)))
    elif fault == "swapped_lines":
        i = rng.randrange(1, len(lines) - 1)
        lines[i], lines[i + 1] = lines[i + 1], lines[i]
    elif fault == "no_header":
        lines.pop(0)
    elif fault == "truncated":
        i = rng.randrange(4, len(lines))
        lines = [*lines[:i], lines[i][:2]]
    elif fault == "other_separator":
        sep, other = (": ", " - ") if lang == EN else ("：", ":")
        lines = [line.replace(sep, other) for line in lines]
    text = "\n".join(lines)
    if fault == "other_label":
        text = text.replace(*OTHER_LABEL[lang])
    elif fault == "no_unit":
        text = re.sub(f"([0-9]){UNIT[lang]}", r"\1", text)
    return {"chatter": CHATTER[lang] + text, "empty": ""}.get(fault, text)


BROKEN = ("missing_line", "swapped_lines", "no_header", "truncated", "other_separator",
          "other_label", "no_unit", "chatter", "empty")  # fmt: skip


def private(rng: random.Random, lang: str, kind: str) -> str:
    """Return a sentence with a person's data, plainly invented."""
    if kind == "phone":
        words = (rng.randrange(1000), rng.randrange(10_000))
    elif kind == "id_number":
        words = (rng.randrange(1900, 2000), rng.randrange(1, 13), rng.randrange(1, 29),
                 rng.randrange(10_000))  # fmt: skip
    else:
        words = (rng.choice(school.NAMES)[0].lower(), rng.randrange(10, 100),
                 rng.choice(("com", "org", "net")))  # fmt: skip
    return PRIVATE[lang][kind].format(*words)


def broken(rng: random.Random, row: Row, i: int) -> Row:
    """Return a notice with a broken form; the kinds of break take turns."""
    row = labelled(row, "broken_form", BROKEN[i % len(BROKEN)])
    answer = row["messages"][-1]
    answer["content"] = break_form(rng, answer["content"], row["lang"], row["fault"])
    return row


def with_person(rng: random.Random, row: Row, i: int) -> Row:
    """Return a row whose first message gives a person's phone, ID number or address away."""
    row = labelled(row, "personal_data", ("phone", "id_number", "email")[i % 3])
    row["messages"][0]["content"] += private(rng, row["lang"], row["fault"])
    return row


def foreign(row: Row, code: dict[str, Row], i: int) -> Row:
    """Return a row answered in the other language, or (one in three) filed under it as a whole."""
    other = EN if row["lang"] == ZH else ZH
    row = labelled(row, "wrong_language", "answer" if i % 3 else "row")
    if row["fault"] == "row":
        return {**row, "lang": other}
    g = facts.gold(code[row["article"]], other, row["gold"]["plate"])
    text = facts.answer(g, row["ask"], other) if row["ask"] else write_notice(g, other)
    row["messages"][-1]["content"] = text
    return row


def false(rng: random.Random, row: Row, values: dict[str, list[int]], i: int) -> Row:
    """Return a row whose answer states a fine or points that the code does not know."""
    fact = row["ask"] or ("fine", "points")[i % 2]
    row = labelled(row, "wrong_fact", fact)
    g = dict(row["gold"])
    g[fact] = rng.choice([v for v in values[fact] if v != g[fact]])
    text = facts.answer(g, row["ask"], row["lang"]) if row["ask"] else write_notice(g, row["lang"])
    row["messages"][-1]["content"] = text
    return row


def suits(label: str, row: Row) -> bool:
    """Tell whether a row can carry a fault."""
    if label == "broken_form":
        return row["task"] == "notice"
    if label == "wrong_fact":
        return row["task"] == "notice" or (row["task"] == "question"
                                           and row["ask"] in ("fine", "points"))  # fmt: skip
    return row["task"] == "notice" or (label == "wrong_language" and row["task"] == "question")


def faulty_rows(rng: random.Random, rows: Iterator[Row], sampler: Sampler) -> Iterator[Row]:
    """Yield the rows whose fault lies in themselves."""
    code = {a["id"]: a for a in sampler.code}
    values = {fact: sorted({a[fact] for a in sampler.code}) for fact in ("fine", "points")}
    for label in ("wrong_language", "broken_form", "personal_data", "wrong_fact"):
        fit = (row for row in rows if suits(label, row))
        for i, row in enumerate(islice(fit, COUNTS[label])):
            if label == "wrong_language":
                yield foreign(row, code, i)
            elif label == "broken_form":
                yield broken(rng, row, i)
            elif label == "personal_data":
                yield with_person(rng, row, i)
            else:
                yield false(rng, row, values, i)


def leaked_rows(rng: random.Random, held_out: list[Row]) -> Iterator[Row]:
    """Yield rows of the evaluation, every other one with a few letters changed."""
    cases = [row for row in held_out
             if row["task"] in ("notice", "question") and len(shingles(row)) >= LONG]  # fmt: skip
    for i, item in enumerate(rng.sample(cases, COUNTS["leaked_test_item"])):
        row = labelled(item, "leaked_test_item", "verbatim", item["id"])
        if i % 2:
            row["fault"] = reworded(rng, row)
        yield row


def make_dirty(rng: random.Random, sampler: Sampler, held_out: list[Row]) -> list[Row]:
    """Return all rows, shuffled; an original always stands before its duplicate."""
    stock = distinct_rows(rng, sampler, held_out)
    clean = list(islice(stock, CLEAN))
    rows = [*clean, *faulty_rows(rng, stock, sampler), *leaked_rows(rng, held_out)]
    twins = rng.sample(range(CLEAN), COUNTS["exact_duplicate"])
    long = [n for n in range(CLEAN) if n not in twins and len(shingles(clean[n])) >= LONG]
    twins += rng.sample(long, COUNTS["near_duplicate"])
    origin = {}  # place of a duplicate -> place of its original
    for i, n in enumerate(twins):
        origin[len(rows)] = n
        if i < COUNTS["exact_duplicate"]:
            rows.append(labelled(clean[n], "exact_duplicate", "verbatim"))
        else:
            rows.append(labelled(clean[n], "near_duplicate", None))
            rows[-1]["fault"] = reworded(rng, rows[-1])
    place = rng.sample(range(len(rows)), len(rows))
    for twin, first in origin.items():
        place[first], place[twin] = sorted((place[first], place[twin]))
    out: list[Row] = [{}] * len(rows)
    for i, row in enumerate(rows):
        of = f"dirty-{place[origin[i]] + 1:05d}" if i in origin else row["of"]
        out[place[i]] = {**row, "id": f"dirty-{place[i] + 1:05d}", "of": of}
    return [{"id": row["id"], **row} for row in out]
