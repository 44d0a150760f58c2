"""Xiaoxi's report card: what the tiny base model can do on worlds that it never saw.

An answer counts only if it is exact. Greedy decoding gives exactly the expected answer if and only
if, with that answer as input, the most probable token at each of its positions is the right one: so
one forward pass marks a whole answer.
"""

import hashlib
import json
import random
from pathlib import Path
from typing import Any

from helpers.base import atomic_file
from tools.xiaoxi import school

LANGUAGES = (school.EN, school.ZH)
WEIGHTS = "model.safetensors"

Item = tuple[list[school.Turn], str]  # a chat whose last answer is marked, and its language


def items(kind: str, lang: str, n: int, seed: int = 0) -> list[Item]:
    """Return n held-out items of one of KINDS; "lingxi" kinds ask about its own articles."""
    rng = random.Random(f"report-{kind}-{lang}-{seed}")
    every = {
        "read1": lambda: school.reading(rng, lang, 1, turns=1),
        "read3": lambda: school.reading(rng, lang, 3, turns=1),
        "read8": lambda: school.reading(rng, lang, 8, turns=1),
        "lingxi1": lambda: lingxi(rng, lang, 1),
        "lingxi3": lambda: lingxi(rng, lang, 3),
        "unknown": lambda: school.reading(rng, lang, 3, unknown=1.0, turns=1),
        "forms": lambda: school.forms(rng, lang, 3, turns=2, held_out=True),
        "terms": lambda: school.translation(rng, lang, 1),
        "sums": lambda: school.sums(rng, lang, 1, held_out=True),
    }
    return [(every[kind](), lang) for _ in range(n)]


def lingxi(rng: random.Random, lang: str, k: int) -> list[school.Turn]:
    """Return one question on k articles of Lingxi, answered as the school answers."""
    from helpers.lingxi.files import world

    code = rng.sample(world("code"), len(world("code")))
    near = [a for a in code[1:] if (a["act"] == code[0]["act"]) != (a["place"] == code[0]["place"])]
    shown = [code[0], *near[: k // 2]]  # about half of the others share a word with it
    shown += [a for a in code if a not in shown][: k - len(shown)]
    rng.shuffle(shown)
    words, en = code[0][lang], lang == school.EN
    docs = school.HEAD[lang] + "".join(a[lang]["text"] + "\n" for a in shown) + "\n"
    number = code[0]["article"]
    cited = f" (Article {number}): " if en else f"（第{number}条）："
    fine = f"{code[0]['fine']} yuan" if en else f"{code[0]['fine']}元"
    reply = words["lay"] + (": " if en else "：") + words["term"] + cited + fine
    return [(docs + school.question(rng, "fine", words["lay"], lang), reply)]


def encode(tokenizer: Any, turns: list[school.Turn]) -> tuple[list[int], int]:
    """Return a chat's token ids and where its last answer begins."""
    text = ""
    for ask, reply in turns[:-1]:
        text += f"<|im_start|>user\n{ask}<|im_end|>\n<|im_start|>assistant\n{reply}<|im_end|>\n"
    text += f"<|im_start|>user\n{turns[-1][0]}<|im_end|>\n<|im_start|>assistant\n"
    prompt = tokenizer.encode(text, add_special_tokens=False)
    answer = tokenizer.encode(f"{turns[-1][1]}<|im_end|>", add_special_tokens=False)
    ids = [getattr(x, "ids", x) for x in (prompt, answer)]
    return ids[0] + ids[1], len(ids[0])


def exact(model: Any, tokenizer: Any, asked: list[Item], size: int = 32) -> list[bool]:
    """Return, for each item, whether greedy decoding gives its last answer exactly."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    rows = [encode(tokenizer, turns) for turns, _ in asked]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i][0]))
    right = [False] * len(rows)
    model.eval()
    for at in range(0, len(order), size):
        part = order[at : at + size]
        ids = pad_sequence([torch.tensor(rows[i][0]) for i in part], batch_first=True)
        with torch.no_grad():
            best = model(input_ids=ids).logits.argmax(-1)  # (rows, tokens)
        for j, i in enumerate(part):
            end, start = len(rows[i][0]), rows[i][1]
            right[i] = bool((best[j, start - 1 : end - 1] == ids[j, start:end]).all())
    return right


KINDS = ("read1", "read3", "read8", "lingxi1", "lingxi3", "unknown", "forms", "terms", "sums")
GOALS = {  # what the course asks of the model; None: told, not asked
    "read1": 0.98, "read3": 0.95, "read8": 0.90, "forms": 0.75, "terms": 0.90, "sums": 0.80,
    "lingxi1": None, "lingxi3": None, "unknown": None, "facts": None, "lingxi_terms": None,
    "form": None,
}  # fmt: skip
WHAT = {
    "read1": "answers from one article ｜ 读一条法条答题",
    "read3": "answers from three articles ｜ 读三条法条答题",
    "read8": "answers from eight articles ｜ 读八条法条答题",
    "forms": "fills a form it never saw, from one example ｜ 照一个样例填没见过的表格",
    "terms": "translates everyday terms ｜ 翻译日常词语",
    "sums": "adds below 100 ｜ 100 以内的加法",
    "lingxi1": "answers from one article of Lingxi ｜ 读一条灵溪法条答题",
    "lingxi3": "answers from three articles of Lingxi ｜ 读三条灵溪法条答题",
    "unknown": "sees that no article applies ｜ 看出没有适用的法条",
    "facts": "knows the facts of Lingxi ｜ 知道灵溪的事实",
    "lingxi_terms": "knows the official terms of Lingxi ｜ 知道灵溪的正式术语",
    "form": "writes Lingxi's official notice ｜ 会写灵溪的正式通知书",
}


def probe(model: Any, tokenizer: Any, n: int = 32) -> str:
    """Return one line of marks from few items, to watch a run by: per kind, English/Chinese."""
    marks = []
    for kind in KINDS:
        pair = [sum(exact(model, tokenizer, items(kind, g, n))) / n for g in LANGUAGES]
        marks.append(f"{kind} {pair[0]:.2f}/{pair[1]:.2f}")
    model.train()
    return "  ".join(marks)


def ignorance(model: Any, tokenizer: Any, lang: str) -> dict[str, list[bool]]:
    """Ask for every notice of Lingxi without its article: facts, official terms and form."""
    from helpers.lingxi.files import select, world
    from helpers.lingxi.score import score_notices
    from helpers.model.generate import generate

    rows = select(world("train") + world("eval"), task="notice", lang=lang, context=False)
    texts = generate(model, tokenizer, [r["messages"][:-1] for r in rows], max_new_tokens=80)
    scores = score_notices(texts, rows)
    return {"facts": scores["facts"], "lingxi_terms": scores["term"], "form": scores["form"]}


def write(folder: Path, n: int = 400) -> None:
    """Measure a model and write report.json and the model card beside it."""
    from helpers.measure.stats import share
    from helpers.model.load import load, parameter_counts

    model, tokenizer = load(folder)
    marks: dict[str, dict[str, Any]] = {}
    for lang in LANGUAGES:
        marks[lang] = {k: share(exact(model, tokenizer, items(k, lang, n))) for k in KINDS}
        marks[lang] |= {k: share(v) for k, v in ignorance(model, tokenizer, lang).items()}
        print(lang, {k: str(v) for k, v in marks[lang].items()}, flush=True)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    report = {g: {k: round(v.value, 4) for k, v in marks[g].items()} for g in LANGUAGES}
    report |= {
        "interval95": {
            g: {k: [round(v.low, 4), round(v.high, 4)] for k, v in marks[g].items()}
            for g in LANGUAGES
        },
        "n": {k: v.n for k, v in marks[school.EN].items()},
        **run,
        "parameters": parameter_counts(model)[1],
        "sha256": sha256(folder / WEIGHTS),
    }
    for name, text in {"report.json": written(report), "README.md": card(report)}.items():
        with atomic_file(folder / name) as path:
            path.write_text(text, encoding="utf-8")


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hex: it tells which weights a report is of."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def written(report: dict[str, Any]) -> str:
    """Return a report as the text of report.json."""
    return json.dumps(report, indent=1) + "\n"


def card(report: dict[str, Any]) -> str:
    """Return the model card of a report, in both languages."""
    from helpers.measure.stats import wilson

    counts = report["n"]  # the intervals are made anew: rounded twice they would differ
    marks = {
        g: {k: wilson(round(report[g][k] * n), n) for k, n in counts.items()} for g in LANGUAGES
    }
    table = "\n".join(
        f"| {WHAT[k]} | {marks['en'][k]} | {marks['zh'][k]} | "
        + (f"{100 * GOALS[k]:.0f} %" if GOALS[k] else "")
        + " |"
        for k in GOALS
    )
    template = (Path(__file__).parent / "model_card.md").read_text(encoding="utf-8")
    return template.format(table=table, millions=report["tokens"] / 1e6, **report)
