"""Make Lingxi: the code, its amendment and every data file, from one seed number.

`python -m tools.world.make [--seed N] [--out DIR]` writes the same bytes from the same seed on any
machine; another seed gives another city, as valid as this one.
"""

import argparse
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from helpers.data.jsonl import Row, write_jsonl
from helpers.lingxi import facts
from helpers.lingxi import words as common_words
from helpers.lingxi.rows import make_train
from helpers.lingxi.sampler import Sampler, stream
from helpers.lingxi.shapes import EN, ZH, article_text
from helpers.lingxi.words import possible
from tools.world.dirty import make_dirty
from tools.world.rows import make_eval, make_general, make_preferences

ROOT = Path(__file__).resolve().parents[2]
ARTICLES, UNSEEN, OFFICES, AMENDED = 96, 32, 8, 16
CHAPTERS = (
    ("Standing vehicles", "车辆停放", ("park", "unload", "engine", "door")),
    ("Trade and work on the road", "占道经营与作业", ("wash", "sell", "repair")),
    ("Noise and litter", "噪声与环境卫生", ("litter", "honk", "music")),
    ("Overtaking, turning and direction", "超车、掉头与行驶方向",
     ("overtake", "uturn", "reverse", "wrongway")),
    ("Speed", "车速", ("speed", "race")),
    ("Drivers and passengers", "驾驶人与乘车人", ("phone", "lights", "belt", "crowd")),
)  # fmt: skip
FINES = (*range(50, 500, 10), *range(500, 1000, 50), *range(1000, 3001, 100))
POINTS = tuple(range(2, 13))
NOW_EN = (
    "Article {n} is amended: {text}",
    "Amendment to Article {n}: {text}",
    "Article {n} now reads: {text}",
)
NOW_ZH = ("第{n}条修改为：{text}", "修改第{n}条：{text}", "第{n}条现改为：{text}")


def choose_offences(rng: random.Random) -> list[tuple[str, str]]:
    """Return the code's offences, distinct, with 3 to 7 of each act and 3 to 6 of each place."""
    while True:
        every, acts, places, out = possible(), Counter(), Counter(), []
        rng.shuffle(every)
        for act, place in every:
            if len(out) < ARTICLES and acts[act] < 7 and places[place] < 6:
                out.append((act, place))
                acts[act] += 1
                places[place] += 1
        few = min(
            *(acts[a.key] for a in common_words.ACTS), *(places[p.key] for p in common_words.PLACES)
        )
        if len(out) == ARTICLES and few >= 3:
            return out


def choose_unseen(rng: random.Random, offences: list[tuple[str, str]]) -> list[int]:
    """Return the indices of the unseen articles: their acts and places occur in seen ones twice."""
    while True:
        acts, places = Counter(a for a, _ in offences), Counter(p for _, p in offences)
        unseen: list[int] = []
        for i in rng.sample(range(ARTICLES), ARTICLES):
            act, place = offences[i]
            if len(unseen) < UNSEEN and acts[act] > 2 and places[place] > 2:
                unseen.append(i)
                acts[act] -= 1
                places[place] -= 1
        if len(unseen) == UNSEEN:
            return sorted(unseen)


def deal(rng: random.Random, values: Sequence, unseen: list[int]) -> list:
    """Return one value per article, each equally often, in the unseen articles too.

    `values` are distinct; what is left over in dealing falls on random values.
    """
    order = rng.sample(values, len(values))
    for_unseen = [order[i % len(order)] for i in range(UNSEEN)]
    each = Counter(order[i % len(order)] for i in range(ARTICLES)) - Counter(for_unseen)
    for_seen = [value for value in order for _ in range(each[value])]
    rng.shuffle(for_unseen)
    rng.shuffle(for_seen)
    return [(for_unseen if i in unseen else for_seen).pop() for i in range(ARTICLES)]


def deal_blind(rng: random.Random, values: Sequence, unseen: list[int], words: list[tuple]) -> list:
    """Deal until nothing in an article's `words` (its act, place, chapter) gives its value away.

    Saying of an unseen article what is commonest among the seen ones of its act, of its place or of
    its chapter must be right less than once in five.
    """
    while True:
        dealt = deal(rng, values, unseen)
        if all(guessed(dealt, unseen, column) < UNSEEN / 5 for column in zip(*words, strict=True)):
            return dealt


def guessed(dealt: list, unseen: list[int], words: tuple) -> int:
    """Count the unseen articles whose value is the commonest of seen ones with the same word."""
    right = 0
    for i in unseen:
        like = [v for j, v in enumerate(dealt) if j not in unseen and words[j] == words[i]]
        right += Counter(like).most_common(1)[0][0] == dealt[i]
    return right


def office_key(office: tuple[str, str]) -> str:
    """Return an office's key: "Public Works Desk" is public_works."""
    return office[0].rsplit(" ", 1)[0].lower().replace(" ", "_")


def wording(rng: random.Random, row: Row, lang: str) -> str:
    """Return an article's sentence in one language, in a shape of its own."""
    words = row[lang]
    return article_text(rng, lang, lay=words["lay"], term=words["term"], n=row["article"],
                               f=row["fine"], p=row["points"], o=words["office"])  # fmt: skip


def make_code(seed: int) -> list[Row]:
    """Return the 96 articles in document order; their numbers are independent of their words."""
    rng = stream(seed, "code")
    chapter_of = {act: i for i, (_, _, acts) in enumerate(CHAPTERS, 1) for act in acts}
    offences = sorted(choose_offences(rng), key=lambda pair: chapter_of[pair[0]])  # stable
    unseen = choose_unseen(rng, offences)
    words = [(act, place, chapter_of[act]) for act, place in offences]
    fines = deal_blind(rng, rng.sample(FINES, ARTICLES // 2), unseen, words)
    points = deal_blind(rng, POINTS, unseen, words)
    offices = deal_blind(rng, rng.sample(common_words.OFFICES, OFFICES), unseen, words)
    rows = []
    for i, (act, place) in enumerate(offences):
        chapter = chapter_of[act]
        row = {"id": f"A{i + 1:03d}", "article": i + 1, "chapter": chapter, "act": act,
               "place": place, "fine": fines[i], "points": points[i],
               "office": office_key(offices[i])}  # fmt: skip
        for lang in (EN, ZH):
            row[lang] = {"chapter": CHAPTERS[chapter - 1][lang == ZH],
                         "lay": facts.lay(act, place, lang), "term": facts.term(act, place, lang),
                         "office": offices[i][lang == ZH]}  # fmt: skip
            row[lang]["text"] = wording(rng, row, lang)
        row["split"] = "unseen" if i in unseen else "seen"
        rows.append(row)
    return rows


def make_amendment(seed: int, code: list[Row]) -> list[Row]:
    """Return 16 articles, half of them unseen, with new fines and, two in three, new points.

    `text` is the article as it now stands (it takes the old one's place in an index); `change` is
    the sentence of the amending document.
    """
    rng = stream(seed, "amendment")
    half = AMENDED // 2
    old = [a for split in ("seen", "unseen")
           for a in rng.sample([a for a in code if a["split"] == split], half)]  # fmt: skip
    fines = rng.sample(FINES, 2 * AMENDED)
    rows = []
    for i, a in enumerate(sorted(old, key=lambda a: a["article"])):
        new = {**a, "fine": next(f for f in fines[2 * i : 2 * i + 2] if f != a["fine"])}
        if i % 3:
            new["points"] = rng.choice([p for p in POINTS if p != a["points"]])
        new["id"], new["amends"] = f"B{i + 1:03d}", a["id"]
        for lang, shapes in ((EN, NOW_EN), (ZH, NOW_ZH)):
            new[lang] = dict(a[lang])
            new[lang]["text"] = wording(rng, new, lang)
            change = rng.choice(shapes)
            new[lang]["change"] = change.format(n=a["article"], text=new[lang]["text"])
        rows.append(new)
    return rows


TITLE = {
    "code": {
        EN: ("# Road Traffic Code of the City of Lingxi",
             "Lingxi is an invented city and this is an invented code, made by"
             " `tools/world/make.py` for teaching. It is not the law of any place."),
        ZH: ("# 灵溪市道路交通规则",
             "灵溪是虚构的城市，本规则由 `tools/world/make.py` 生成，仅供教学使用，"
             "不是任何地方的法律。"),
    },
    "amendment": {
        EN: ("# Amendment to the Road Traffic Code of the City of Lingxi",
             "The articles below take the place of those with the same numbers. City and code are"
             " invented, for teaching only."),
        ZH: ("# 灵溪市道路交通规则修正案",
             "下列各条取代原规则中编号相同的条文。城市与规则均为虚构，仅供教学使用。"),
    },
}  # fmt: skip


def document(name: str, rows: list[Row], lang: str) -> str:
    """Return the code or the amendment as Markdown, one paragraph an article, under chapters."""
    parts, chapter = list(TITLE[name][lang]), 0
    for row in rows:
        if row["chapter"] != chapter:
            chapter = row["chapter"]
            words = row[lang]["chapter"]
            parts.append(f"## Chapter {chapter}. {words}" if lang == EN
                         else f"## 第{'零一二三四五六七八九'[chapter]}章　{words}")  # fmt: skip
        parts.append(row[lang]["change" if name == "amendment" else "text"])
    return "\n\n".join(parts) + "\n"


def make_world(seed: int) -> dict[str, list[Row] | str]:
    """Return every file of the world by its name: rows for JSONL, text for Markdown."""
    code = make_code(seed)
    files: dict[str, list[Row] | str] = {"code.jsonl": code}
    files["amendment.jsonl"] = make_amendment(seed, code)
    for name in ("code", "amendment"):
        for lang in (EN, ZH):
            files[f"{name}.{lang}.md"] = document(name, files[f"{name}.jsonl"], lang)
    sampler = Sampler(code, possible(), stream(seed, "desk"))
    files["train.jsonl"] = make_train(stream(seed, "train"), sampler)
    taken = {row["messages"][0]["content"] for row in files["train.jsonl"]}
    files["eval.jsonl"] = make_eval(stream(seed, "eval"), sampler, taken)
    files["preferences.jsonl"] = make_preferences(stream(seed, "preferences"), sampler)
    files["general.jsonl"] = make_general(stream(seed, "general"))
    files["dirty.jsonl"] = make_dirty(stream(seed, "dirty"), sampler, files["eval.jsonl"])
    return files


def write_world(seed: int, out: Path) -> dict[str, int]:
    """Write the world's files into a folder; return the number of rows of each JSONL file."""
    out.mkdir(parents=True, exist_ok=True)
    files = make_world(seed)
    for name, content in files.items():
        if isinstance(content, str):
            (out / name).write_bytes(content.encode("utf-8"))
        else:
            write_jsonl(out / name, content)
    return {name: len(rows) for name, rows in files.items() if not isinstance(rows, str)}


def main() -> None:
    """Make the world that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=ROOT / "data" / "lingxi")
    args = parser.parse_args()
    for name, count in write_world(args.seed, args.out).items():
        print(f"{name}: {count} rows ｜ {count} 行")


if __name__ == "__main__":
    main()
