"""Lingxi: the same bytes from the same seed, and every promise about its files, for two seeds."""

import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from helpers.data.dedup import jaccard
from helpers.data.formats import detect_format
from helpers.data.jsonl import read_jsonl
from helpers.data.messages import check_messages
from helpers.lingxi import facts, sampler, sentences
from helpers.lingxi import words as common_words
from helpers.lingxi.notice import parse_notice, read_field, refuses, score_notice, write_notice
from helpers.lingxi.shapes import NO_RULE
from helpers.lingxi.words import possible
from tools.world import dirty as world_dirty
from tools.world import make as mw
from tools.xiaoxi import school

DATA = Path(__file__).parents[3] / "data"
LANGS = ("en", "zh")
SEEDS = (0, 20_260)
seeds = pytest.mark.parametrize("seed", SEEDS)


@cache
def world(seed: int) -> dict[str, list[dict]]:
    return {name.removesuffix(".jsonl"): content for name, content in mw.make_world(seed).items()}


@cache
def code(seed: int) -> dict[str, dict]:
    return {a["id"]: a for a in world(seed)["code"]}


def examples(seed: int) -> list[dict]:
    return world(seed)["train"] + world(seed)["eval"]


def said(row: dict, role: str = "assistant") -> str:
    return next(m["content"] for m in reversed(row["messages"]) if m["role"] == role)


def commonest(values: list) -> float:
    return Counter(values).most_common(1)[0][1] / len(values)


def first_line(row: dict) -> str:
    """Return the report or question, without articles and instruction."""
    return row["messages"][0]["content"].rpartition("\n")[2]


# the files as a whole


def test_same_seed_same_bytes_as_committed(tmp_path):
    """The command, in a process with another hash seed, writes the committed files."""
    env = os.environ | {"PYTHONHASHSEED": "4711", "PYTHONIOENCODING": "utf-8"}
    run = [sys.executable, "-m", "tools.world.make", "--seed", "0", "--out", str(tmp_path)]
    subprocess.run(run, check=True, env=env, cwd=DATA.parent, capture_output=True, timeout=120)
    names = sorted(p.name for p in (DATA / "lingxi").iterdir())
    assert names == sorted(p.name for p in tmp_path.iterdir())
    for name in names:
        made = (tmp_path / name).read_bytes()
        assert made == (DATA / "lingxi" / name).read_bytes(), f"{name}: run `make world`"
        assert b"\r" not in made
        assert made.endswith(b"\n")


def test_a_second_run_makes_what_is_committed():
    for name, content in world(0).items():
        path = DATA / "lingxi" / (name if name.endswith(".md") else f"{name}.jsonl")
        assert content == (path.read_text("utf-8") if name.endswith(".md") else read_jsonl(path))


def test_another_seed_is_another_city():
    for name, content in world(SEEDS[0]).items():
        assert content != world(SEEDS[1])[name], name


def test_files_are_small():
    assert (DATA / "lingxi" / "train.jsonl").stat().st_size < 800_000
    assert sum(p.stat().st_size for p in (DATA / "lingxi").iterdir()) < 4_000_000


# the code


@seeds
def test_articles_are_numbered_and_distinct(seed):
    rows = world(seed)["code"]
    assert [a["article"] for a in rows] == list(range(1, 97))
    assert [a["id"] for a in rows] == [f"A{n:03d}" for n in range(1, 97)]
    assert len({(a["act"], a["place"]) for a in rows}) == 96
    assert {(a["act"], a["place"]) for a in rows} <= set(possible())
    assert [a["chapter"] for a in rows] == sorted(a["chapter"] for a in rows)
    for lang in LANGS:
        assert len({a[lang]["term"] for a in rows}) == len({a[lang]["lay"] for a in rows}) == 96


@seeds
@pytest.mark.parametrize("split", ["all", "seen", "unseen"])
@pytest.mark.parametrize("fact", ["fine", "points", "office"])
def test_guessing_the_commonest_stays_below_15_percent(seed, split, fact):
    rows = [a for a in world(seed)["code"] if split in ("all", a["split"])]
    assert commonest([a[fact] for a in rows]) < 0.15


@seeds
def test_numbers_are_spread(seed):
    rows = world(seed)["code"]
    assert len({a["fine"] for a in rows}) >= 40
    assert set(Counter(a["office"] for a in rows).values()) == {12}
    assert len({a["office"] for a in rows}) == 8
    points = Counter(a["points"] for a in rows)
    assert set(points) == set(range(2, 13))
    assert max(points.values()) - min(points.values()) <= 1


@seeds
@pytest.mark.parametrize("key", ["act", "place", "chapter"])
@pytest.mark.parametrize("fact", ["fine", "points", "office"])
def test_knowledge_cannot_be_guessed_from_words(seed, key, fact):
    """Saying the commonest value among the seen articles of that act, place or chapter fails."""
    rows, right = world(seed)["code"], 0
    for a in (a for a in rows if a["split"] == "unseen"):
        like = [b[fact] for b in rows if b["split"] == "seen" and b[key] == a[key]]
        right += Counter(like).most_common(1)[0][0] == a[fact]
    assert right / 32 < 0.2  # 15 % and the luck of 32 draws


@seeds
def test_unseen_articles_hold_no_unseen_word(seed):
    rows = world(seed)["code"]
    assert Counter(a["split"] for a in rows) == {"seen": 64, "unseen": 32}
    for key, every in (("act", common_words.ACTS), ("place", common_words.PLACES)):
        seen = Counter(a[key] for a in rows if a["split"] == "seen")
        assert all(seen[item.key] >= 2 for item in every)


@seeds
@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", ["code", "amendment"])
def test_article_texts_hold_their_facts_after_the_offence(seed, lang, name):
    for a in world(seed)[name]:
        words, text = a[lang], a[lang]["text"]
        assert words["term"] == facts.term(a["act"], a["place"], lang)
        assert all(text.count(words[key]) >= 1 for key in ("lay", "term", "office"))
        assert read_field(text, lang, "article") == a["article"]
        numbers = [int(n) for n in re.findall("[0-9]+", text)]
        assert sorted(numbers) == sorted((a["article"], a["fine"], a["points"]))
        assert text.index(words["lay"]) < min(text.index(n) for n in re.findall("[0-9]+", text))
        assert mw.office_key((a["en"]["office"], "")) == a["office"]


@seeds
@pytest.mark.parametrize("lang", LANGS)
def test_documents_hold_every_article_in_order(seed, lang):
    for name, key in (("code", "text"), ("amendment", "change")):
        parts = world(seed)[f"{name}.{lang}.md"].split("\n\n")
        texts = [a[lang][key] for a in world(seed)[name]]
        assert [p.strip() for p in parts if not p.startswith("#")][1:] == texts
    chapters = [p for p in world(seed)[f"code.{lang}.md"].split("\n\n") if p.startswith("## ")]
    assert len(chapters) == len(mw.CHAPTERS)


@seeds
@pytest.mark.parametrize("lang", LANGS)
def test_code_uses_every_shape(seed, lang):
    first = Counter(re.split("[^A-Za-z\u4e00-\u9fff]", a[lang]["text"])[0][:2]
                    for a in world(seed)["code"])  # fmt: skip
    assert len(first) >= 6


@seeds
def test_amendment_changes_what_it_says(seed):
    rows, old = world(seed)["amendment"], code(seed)
    assert len(rows) == len({a["amends"] for a in rows}) == 16
    assert Counter(a["split"] for a in rows) == {"seen": 8, "unseen": 8}
    for a in rows:
        before = old[a["amends"]]
        assert all(a[key] == before[key] for key in ("article", "act", "place", "office", "split"))
        assert a["fine"] != before["fine"]
        for lang in LANGS:
            assert a[lang]["change"].endswith(a[lang]["text"])
    assert sum(a["points"] != old[a["amends"]]["points"] for a in rows) >= 8


# the examples


@seeds
@pytest.mark.parametrize("name", ["train", "eval", "dirty", "general"])
def test_rows_are_valid_messages_with_ids_of_their_own(seed, name):
    rows = world(seed)[name]
    assert len({row["id"] for row in rows}) == len(rows)
    empty = [row for row in rows if row.get("fault") == "empty"]
    good, bad = check_messages(rows)
    assert len(good) == len(rows) - len(empty)
    assert len(bad) == len(empty)
    assert len({tuple(row) for row in rows}) == 1  # the same keys in the same order


@seeds
def test_gold_agrees_with_the_code(seed):
    for row in examples(seed):
        gold, lang, a = row["gold"], row["lang"], code(seed).get(row["article"])
        if row["task"] == "refusal":
            assert a is None
            assert [gold[k] for k in ("term", "article", "fine", "points", "office")] == [None] * 5
            continue
        want = {**{k: a[k] for k in ("article", "fine", "points")},
                "term": a[lang]["term"], "office": a[lang]["office"]}  # fmt: skip
        assert want == {k: gold[k] for k in want}
        assert row["split"] == a["split"]


@seeds
def test_answers_agree_with_gold_and_notices_parse(seed):
    for row in examples(seed):
        lang, gold, last = row["lang"], row["gold"], said(row)
        if row["ask"] is None:
            assert parse_notice(last, lang) == gold
            assert last == write_notice(gold, lang)
            assert score_notice(last, row)["all"]
        else:
            then = gold["term"] or NO_RULE[lang]
            assert last.startswith((f"{gold['conduct']}: {then}", f"{gold['conduct']}：{then}"))
            assert last == facts.answer(gold, row["ask"], lang)
            assert "\n" not in last
        assert refuses(last, lang) == (row["task"] == "refusal")
        if row["kind"] == "followup":
            assert row["messages"][1]["content"] == write_notice(gold, lang)


@seeds
def test_context_is_what_the_prompt_shows(seed):
    head = {"en": "Articles:\n", "zh": "法条：\n"}
    write = {"en": "Write the notice.\nReport: ", "zh": "请写处理通知书。\n报告："}
    for row in examples(seed):
        lang, first = row["lang"], row["messages"][0]["content"]
        texts = [code(seed)[i][lang]["text"] for i in row["context"]]
        shown = head[lang] + "\n".join(texts) + "\n\n" if texts else ""
        assert first.startswith(shown)
        assert first[len(shown) :].startswith(write[lang]) == (row["kind"] != "question")
        assert "\n\n" not in first[len(shown) :]
        assert len(set(row["context"])) == len(row["context"])
        if row["article"] and row["context"]:
            assert row["article"] in row["context"]


@seeds
def test_refused_offences_are_really_not_covered(seed):
    for row in (r for r in examples(seed) if r["task"] == "refusal"):
        shown = {code(seed)[i][row["lang"]]["lay"] for i in row["context"]}
        assert len(shown) == 3
        assert row["gold"]["conduct"] not in shown


@seeds
def test_a_refusal_follows_the_conduct_and_ends_the_answer(seed):
    for row in (r for r in examples(seed) if r["task"] == "refusal"):
        lang, said_there, last = row["lang"], row["gold"]["conduct"], said(row)
        between = {("en", "report"): "\nOffence: ", ("zh", "report"): "\n违法行为：",
                   ("en", "question"): ": ", ("zh", "question"): "："}  # fmt: skip
        assert last.endswith(said_there + between[lang, row["kind"]] + NO_RULE[lang])
        assert not [term for term in terms(seed, lang) if term in last]


def terms(seed: int, lang: str) -> list[str]:
    """Return the official terms of the code."""
    return [a[lang]["term"] for a in world(seed)["code"]]


@seeds
def test_reports_say_plate_act_and_place_once(seed):
    for row in examples(seed):
        if row["kind"] == "question":
            continue
        report = row["messages"][0]["content"].rpartition("\n")[2]
        turns = "\n".join(m["content"] for m in row["messages"] if m["role"] == "user")
        plate = row["gold"]["plate"]
        assert re.fullmatch("LX[0-9]{4}", plate)
        assert turns.count(plate) == 1
        assert (plate in report) == (row["kind"] != "clarify")


@seeds
def test_train_has_the_promised_mix(seed):
    rows = world(seed)["train"]
    assert len(rows) == 800
    assert Counter(r["lang"] for r in rows) == {"en": 400, "zh": 400}
    assert Counter(r["task"] for r in rows) == {
        "notice": 480, "question": 160, "dialogue": 80, "refusal": 80}  # fmt: skip
    for task in ("notice", "question", "dialogue"):
        shown = [bool(r["context"]) for r in rows if r["task"] == task]
        assert sum(shown) * 2 == len(shown)
    assert {r["split"] for r in rows} == {"seen"}
    places = Counter(
        r["context"].index(r["article"]) for r in rows if r["article"] and r["context"]
    )
    assert max(places.values()) < 0.45 * places.total()
    notices = Counter(r["article"] for r in rows if r["task"] == "notice")
    assert len(notices) == 64
    assert max(notices.values()) - min(notices.values()) <= 3
    read = [r for r in rows if r["article"] and r["context"]]
    near = [r for r in read if any(sampler.near(code(seed)[r["article"]], code(seed)[i])
                                   for i in r["context"])]  # fmt: skip
    assert len(near) > len(read) / 2


@seeds
def test_nothing_unseen_is_in_the_training_files(seed):
    unseen = [a for a in world(seed)["code"] if a["split"] == "unseen"]
    hidden = [a[lang][key] for a in unseen for lang in LANGS for key in ("term", "lay", "text")]
    leaked = [r for r in world(seed)["dirty"] if "leaked_test_item" in r["labels"]]
    dirty = [r for r in world(seed)["dirty"] if r not in leaked]
    rows = world(seed)["train"] + world(seed)["preferences"] + dirty
    every = [facts.lay(act, place, lang) for act, place in possible() for lang in LANGS]
    lines = {line for row in rows for key in ("messages", "prompt", "chosen", "rejected")
             for m in row.get(key, ()) for line in m["content"].split("\n")}  # fmt: skip
    text = "\n".join(sorted(lines))
    for words in hidden:
        rest = text
        for longer in (w for w in every if words in w and w != words):
            rest = rest.replace(longer, "")  # 在大桥上停车 is the start of 在大桥上停车不熄火
        assert words not in rest, words


@seeds
def test_no_training_prompt_or_plate_comes_up_in_eval(seed):
    def plates(rows):
        return {p for r in rows for p in re.findall("LX[0-9]{4}", json.dumps(r))}

    held_out = world(seed)["eval"]
    prompts = {r["messages"][0]["content"] for r in held_out}
    for name in ("train", "preferences"):
        rows = world(seed)[name]
        first = [(r.get("prompt") or r["messages"])[0]["content"] for r in rows]
        assert len(set(first)) == len(first)
        assert not prompts & set(first)
        assert not plates(held_out) & plates(rows)
    assert not plates(world(seed)["train"]) & plates(world(seed)["preferences"])
    assert len(prompts) == len(held_out)


@seeds
def test_eval_pairs_the_same_case_with_and_without_articles(seed):
    cases: dict[str, dict[str, dict]] = {}
    for row in world(seed)["eval"]:
        stem, _, view = row["id"].rpartition("-")
        cases.setdefault(stem, {})[view] = row
        assert len(row["context"]) == int(view[1:])
    counts = Counter()
    for views in cases.values():
        one = next(iter(views.values()))
        counts[one["task"], one["split"], one["lang"], "".join(sorted(views))] += 1
        asked = {v["messages"][0]["content"].split("\n\n")[-1] for v in views.values()}
        assert len(asked) == 1
        assert len({json.dumps(v["gold"]) for v in views.values()}) == 1
    for lang in LANGS:
        both = counts["notice", "unseen", lang, "c0c3"] + counts["notice", "unseen", lang, "c0c3c8"]
        assert both >= 100
        assert counts["notice", "unseen", lang, "c0c3c8"] == 30
        assert counts["notice", "seen", lang, "c0c3"] == 30
        assert counts["refusal", "unseen", lang, "c3"] == 50
    unseen = {r["article"] for r in world(seed)["eval"] if r["split"] == "unseen"} - {None}
    assert len(unseen) == 32


@seeds
@pytest.mark.parametrize("lang", LANGS)
def test_all_sentence_shapes_occur(seed, lang):
    rows = [r for r in examples(seed) if r["lang"] == lang]
    shapes_en = (
        (sentences.REPORT_EN, ("report", "followup")),
        (sentences.NO_PLATE_EN, ("clarify",)),
    )
    shapes_zh = (
        (sentences.REPORT_ZH, ("report", "followup")),
        (sentences.NO_PLATE_ZH, ("clarify",)),
    )
    for shapes, kinds in shapes_en if lang == "en" else shapes_zh:
        texts = [first_line(r) for r in rows if r["kind"] in kinds]
        for shape in shapes:
            pattern = re.sub(r"\\{\w+\\}", ".+?", re.escape(shape))
            assert any(re.search(pattern + "$", text) for text in texts), shape
    missing = 0
    for ask, shapes in sentences.QUESTION[lang].items():
        texts = [first_line(r) for r in rows if r["ask"] == ask]
        for shape in shapes:
            pattern = re.sub(r"\\{\w+\\}", ".+?", re.escape(shape))
            missing += not any(re.fullmatch(pattern, text) for text in texts)
    assert missing <= (0 if seed == 0 else 2)


def test_new_shapes_keep_to_the_schools_vocabulary():
    root = Path(mw.__file__).parents[2]
    names = [f"tools/xiaoxi/{name}.py" for name in ("school", "lexicon")]
    names += [f"helpers/lingxi/{name}.py" for name in ("words", "shapes")]
    known = "".join((root / name).read_text("utf-8") for name in names)
    words = set(re.findall("[a-z]+", known.lower()))
    shapes = [
        *sentences.REPORT_EN,
        *sentences.REPORT_ZH,
        *sentences.NO_PLATE_EN,
        *sentences.NO_PLATE_ZH,
    ]
    for lang in LANGS:
        shapes += [sentences.ASK_PLATE[lang], *sentences.TELL_PLATE[lang]]
        asked = (sentences.QUESTION, sentences.FOLLOW_UP)
        shapes += [s for kinds in asked for group in kinds[lang].values() for s in group]
    text = re.sub(r"\{\w+\}", " ", " ".join(shapes))
    assert not set(re.findall("[a-z]+", text.lower())) - words
    assert not set(re.findall("[\u4e00-\u9fff]", text)) - set(known)


# preferences and general skills


def common_start(a: str, b: str) -> int:
    return next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )


@seeds
def test_preferences_differ_and_refusing_wins_nothing(seed):
    rows = world(seed)["preferences"]
    assert {detect_format(r) for r in rows} == {"preference"}
    refused = Counter()
    for r in rows:
        chosen, rejected = r["chosen"][0]["content"], r["rejected"][0]["content"]
        same = common_start(chosen, rejected)
        assert chosen != rejected
        assert same < 0.95 * min(len(chosen), len(rejected))
        if r["kind"] == "article":  # differ as soon as the case is named
            assert same < 0.75 * min(len(chosen), len(rejected))
        which = refuses(chosen, r["lang"]), refuses(rejected, r["lang"])
        assert which == {"article": (False, False), "invented": (True, False),
                         "refused": (False, True)}[r["kind"]]  # fmt: skip
        refused[r["lang"], which] += 1
    for lang in LANGS:
        assert refused[lang, (True, False)] == refused[lang, (False, True)] >= 60
    assert len(rows) == 400


@seeds
def test_preferred_answers_are_true_and_the_others_false(seed):
    by_name = {a[lang][key]: a for a in world(seed)["code"] for lang in LANGS
               for key in ("term", "lay")}  # fmt: skip
    for r in world(seed)["preferences"]:
        lang, prompt = r["lang"], r["prompt"][0]["content"]
        shown = [a for a in world(seed)["code"] if a[lang]["text"] in prompt]
        assert len(shown) == 3
        for side in ("chosen", "rejected"):
            text = r[side][0]["content"]
            notice = parse_notice(text, lang)
            parts = re.split(r" \(Article|（第|: |：", text)
            term = notice["term"] if notice else parts[1]
            if refuses(text, lang):  # what it refuses is named in lay words alone
                term = notice["conduct"] if notice else parts[0]
            article = read_field(text, lang, "article")
            covered = by_name.get(term) in shown
            fits = by_name[term]["article"] == article if covered else article is None
            if side == "chosen":
                assert fits
            elif r["kind"] != "refused" and fits:  # true of another offence, not of this one
                assert term not in r["chosen"][0]["content"]


@seeds
def test_general_skills_are_split_and_never_lingxi(seed):
    rows = world(seed)["general"]
    tasks = Counter((r["task"], r["lang"], r["use"]) for r in rows)
    assert len(tasks) == 20
    assert set(tasks.values()) == {15}
    half = {use: {r["messages"][0]["content"] for r in rows if r["use"] == use}
            for use in ("replay", "measure")}  # fmt: skip
    assert not half["replay"] & half["measure"]
    assert sum(map(len, half.values())) == len(rows)
    answers = {use: {said(r) for r in rows if r["use"] == use and r["task"] in ("sum", "translate")}
               for use in half}  # fmt: skip
    assert not answers["replay"] & answers["measure"]
    text = json.dumps(rows, ensure_ascii=False)
    assert not [word for word in own_words() if word in text]
    assert not re.search("Lingxi|灵溪|LX[0-9]", text)


def own_words() -> list[str]:
    """Return Lingxi's own official words, which nobody else may use."""
    words = [w for a in common_words.ACTS for w in (a.lingxi_en, a.lingxi_zh)]
    return words + [w for p in common_words.PLACES for w in (p.lingxi_en, p.lingxi_zh) if w]


def test_the_school_never_says_what_only_lingxi_says():
    rng, parts = random.Random(3), []
    for i in range(400):
        lang = LANGS[i % 2]
        turns = school.reading(rng, lang, 3, unknown=0.2, turns=3)
        turns += school.forms(rng, lang, i % 3, turns=2, held_out=i % 5 == 0)
        if i % 4 == 0:
            turns += [*school.translation(rng, lang), *school.lists(rng, lang)]
            turns += [*school.story(rng, lang), *school.dialogue(rng, lang)]
        parts += [part for turn in turns for part in turn]
    text = "\n".join(parts)
    assert not [word for word in own_words() if word.lower() in text.lower()]
    assert not re.search(r"Lingxi|灵溪|\bLX[0-9]", text)
    assert not [p for p in parts if parse_notice(p, "en") or parse_notice(p, "zh")]


# the dirty file: every label recomputed


@seeds
def test_dirty_counts(seed):
    rows = world(seed)["dirty"]
    found = Counter(label for row in rows for label in row["labels"] or ["clean"])
    assert found == {"clean": world_dirty.CLEAN, **world_dirty.COUNTS}
    assert [r["id"] for r in rows] == [f"dirty-{n:05d}" for n in range(1, len(rows) + 1)]
    broken = Counter(r["fault"] for r in rows if r["labels"] == ["broken_form"])
    assert len(broken) >= 8
    assert max(broken.values()) <= 8


def overlap(a: dict, b: dict) -> float:
    return jaccard(world_dirty.shingles(a), world_dirty.shingles(b))


@seeds
def test_dirty_duplicates_and_leaks_point_at_their_originals(seed):
    rows = world(seed)["dirty"]
    at = {r["id"]: i for i, r in enumerate(rows)}
    held_out = {r["id"]: r for r in world(seed)["eval"]}
    for i, row in enumerate(rows):
        label = row["labels"][0] if row["labels"] else None
        if label in ("exact_duplicate", "near_duplicate"):
            first = rows[at[row["of"]]]
            assert at[row["of"]] < i
            assert first["labels"] == []
        elif label == "leaked_test_item":
            first = held_out[row["of"]]
        else:
            assert row["of"] is None
            continue
        same = row["messages"] == first["messages"]
        assert same == (row["fault"] == "verbatim")
        assert same or overlap(row, first) >= 0.8
        assert said(row) == said(first)
        assert label != "near_duplicate" or not same


@seeds
def test_dirty_has_no_duplicate_that_is_not_labelled(seed):
    groups: dict[tuple, list[set]] = {}
    for row in world(seed)["dirty"]:
        if row["of"] is None:
            key = row["gold"]["conduct"]
            groups.setdefault(key, []).append(world_dirty.shingles(row))
    for rows in groups.values():
        for i, a in enumerate(rows):
            assert all(jaccard(a, b) < 0.7 for b in rows[:i])


@seeds
def test_dirty_has_no_leak_that_is_not_labelled(seed):
    held_out: dict[str, list[set]] = {}
    for row in world(seed)["eval"]:
        held_out.setdefault(row["gold"]["conduct"], []).append(world_dirty.shingles(row))
    for row in world(seed)["dirty"]:
        if row["labels"] == []:
            mine = world_dirty.shingles(row)
            assert all(jaccard(mine, b) < 0.6
                       for b in held_out.get(row["gold"]["conduct"], ()))  # fmt: skip


def wrong_language(row: dict) -> bool:
    chinese = bool(re.search("[\u4e00-\u9fff]", said(row)))
    return bool(said(row)) and chinese != (row["lang"] == "zh")


def broken_form(row: dict) -> bool:
    return row["ask"] is None and parse_notice(said(row), row["lang"]) is None


def personal_data(row: dict) -> bool:
    text = "\n".join(m["content"] for m in row["messages"])
    return bool(re.search(r"[0-9]{18}|000-[0-9]{4}-[0-9]{4}|@example\.(com|org|net)\b", text))


@seeds
def test_dirty_faults_are_where_the_labels_say(seed):
    terms = {a[lang]["term"]: a for a in world(seed)["code"] for lang in LANGS}
    for row in world(seed)["dirty"]:
        label = (row["labels"] or [None])[0]
        assert wrong_language(row) == (label == "wrong_language")
        assert personal_data(row) == (label == "personal_data")
        if label == "wrong_language":
            continue
        assert broken_form(row) == (label == "broken_form")
        if label == "broken_form":
            continue
        a, lang, last = terms.get(row["gold"]["term"]), row["lang"], said(row)
        if row["task"] == "refusal":
            assert refuses(last, lang)
            continue
        stated = {fact: read_field(last, lang, fact) for fact in ("article", "fine")}
        points = re.search(r"Points: ([0-9]+)$|([0-9]+) points$|([0-9]+)分$", last, re.MULTILINE)
        stated["points"] = int(next(filter(None, points.groups()))) if points else None
        false = [f for f, value in stated.items() if value not in (None, a[f])]
        assert bool(false) == (label == "wrong_fact"), row["id"]
        assert not false or false == [row["fault"]]


@seeds
def test_personal_data_is_plainly_invented(seed):
    text = json.dumps(world(seed)["dirty"], ensure_ascii=False)
    assert all(found.startswith("000000") for found in re.findall(r"\b[0-9]{15,18}\b", text))
    assert all(a.split("@")[1].startswith("example.") for a in re.findall(r"\S+@\S+\.\w+", text))
    assert {p[:4] for p in re.findall(r"\b[0-9]{3}-[0-9]{4}-[0-9]{4}\b", text)} == {"000-"}


def test_datasheet_states_the_true_counts():
    sheet = (DATA / "README.md").read_text("utf-8")
    for name in ("code", "amendment", "train", "eval", "preferences", "general", "dirty"):
        rows = len(world(0)[name])
        cells = re.findall(rf"^\| `{name}\.jsonl` \| ([0-9,]+) \|", sheet, re.MULTILINE)
        assert [int(cell.replace(",", "")) for cell in cells] == [rows] * 2, name
    for label, n in {"clean": world_dirty.CLEAN, **world_dirty.COUNTS}.items():
        assert [int(c) for c in re.findall(rf"`{label}` ([0-9]+)", sheet)] == [n] * 2, label
