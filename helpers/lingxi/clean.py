"""Clean training rows: seven steps, each of which names what is wrong with a row, or nothing."""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from helpers.data.dedup import SIZES, exact_duplicates, near_duplicates
from helpers.data.jsonl import Row
from helpers.lingxi.notice import parse_notice, read_field

if TYPE_CHECKING:
    from datasets import Dataset

CHINESE, WORD = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{2,}")
PERSONAL = {
    "phone": re.compile(r"(?<![\dA-Za-z])\d{3}[- ]?\d{4}[- ]?\d{4}(?!\d)"),
    "id_number": re.compile(r"(?<!\d)\d{17}[\dXx](?!\d)"),
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
}
STEPS = {
    "exact_duplicate": "exact copies ｜ 完全重复",
    "near_duplicate": "near copies ｜ 近似重复",
    "wrong_language": "language ｜ 语言",
    "broken_form": "form ｜ 格式",
    "personal_data": "personal data ｜ 个人信息",
    "leaked_test_item": "test items ｜ 测试题泄漏",
    "wrong_fact": "facts ｜ 事实",
}


def wrong_language(row: Row) -> bool:
    """Tell whether an answer is in the other language: Chinese characters against English words."""
    chinese, words = len(CHINESE.findall(row["answer"])), len(WORD.findall(row["answer"]))
    return chinese > words if row["lang"] == "en" else words > chinese


def broken_form(row: Row) -> bool:
    """Tell whether a notice was wanted (nothing else was asked) and its form is not exact."""
    return row["ask"] is None and parse_notice(row["answer"], row["lang"]) is None


def personal_data(row: Row) -> bool:
    """Tell whether a phone number, an ID number or an e-mail address stands in a row."""
    return any(pattern.search(row["text"]) for pattern in PERSONAL.values())


def wrong_fact(row: Row, articles: dict[int, Row]) -> bool:
    """Tell whether an answer cites an article and states another term, fine or points than it."""
    text, lang = row["answer"], row["lang"]
    number = read_field(text, lang, "article")
    if number is None:
        return False
    if number not in articles or articles[number][lang]["term"] not in text:
        return True
    stated = {name: read_field(text, lang, name) for name in ("fine", "points")}
    if row["ask"] in stated:  # a short answer ends on what was asked
        stated = {row["ask"]: int(re.findall("[0-9]+", text)[-1])}
    return any(value not in (None, articles[number][name]) for name, value in stated.items())


def table(rows: Sequence[Row]) -> "Dataset":
    """Return rows as a Dataset of texts: id, lang, ask, answer (the last message), text (all)."""
    from datasets import Dataset

    said = [[message["content"] for message in row["messages"]] for row in rows]
    return Dataset.from_dict({
        "id": [row["id"] for row in rows],
        "lang": [row["lang"] for row in rows],
        "ask": [row.get("ask") for row in rows],
        "answer": [texts[-1] for texts in said],
        "text": ["\n".join(texts) for texts in said],
    })  # fmt: skip


def clean(rows: Sequence[Row], held_out: Sequence[Row], code: Sequence[Row]) -> "Dataset":
    """Return the rows as a table with a column `fault`: the first step that a row fails, or "".

    A step sees only the rows that passed the steps before it. `held_out` are the rows of the test,
    `code` the articles. 100,000 rows take about a minute on one core, and 0.9 GB.
    """
    found, tests = table(rows), table(held_out)
    articles = {article["article"]: article for article in code}
    asked = tests["text"][:], sizes(tests)
    steps: dict[str, Callable[[Dataset], list[bool]]] = {
        "exact_duplicate": lambda left: copies(exact_duplicates(left["text"][:])),
        "near_duplicate": lambda left: copies(near_duplicates(left["text"][:], sizes(left))),
        "wrong_language": lambda left: judged(left, wrong_language),
        "broken_form": lambda left: judged(left, broken_form),
        "personal_data": lambda left: judged(left, personal_data),
        "leaked_test_item": lambda left: copies(
            near_duplicates(left["text"][:], sizes(left), *asked)
        ),
        "wrong_fact": lambda left: judged(left, lambda row: wrong_fact(row, articles)),
    }
    faults = [""] * len(found)
    for step, flags in steps.items():
        left = [n for n, fault in enumerate(faults) if not fault]
        for n, wrong in zip(left, flags(found.select(left)), strict=True):
            faults[n] = step if wrong else ""
    return found.add_column("fault", faults)


def judged(rows: "Dataset", rule: Callable[[Row], bool]) -> list[bool]:
    """Return what a rule says of each row; the work goes in batches."""
    if not len(rows):  # a map over nothing makes no column
        return []

    def batch(columns: dict[str, list]) -> dict[str, list[bool]]:
        by_row = (
            dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)
        )
        return {"flag": [bool(rule(row)) for row in by_row]}

    return rows.map(batch, batched=True, remove_columns=rows.column_names)["flag"][:]


def sizes(rows: "Dataset") -> list[int]:
    """Return the length of each row's shingles, by its language."""
    return [SIZES[lang] for lang in rows["lang"]]


def copies(found: Sequence[int | None]) -> list[bool]:
    """Tell for each row whether it is a copy of some other."""
    return [of is not None for of in found]
