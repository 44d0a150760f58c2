"""Clean training rows: seven steps, each of which names what is wrong with a row, or nothing."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from itertools import chain
from typing import TYPE_CHECKING

from helpers.base import CourseError
from helpers.data.dedup import SIZES, exact_duplicates, near_duplicates
from helpers.data.jsonl import Row
from helpers.lingxi.notice import parse_notice, read_field

if TYPE_CHECKING:
    from datasets import Dataset

CHINESE, WORD = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{2,}")
PERSONAL = {  # read after full-width digits and signs are made half-width
    "phone": re.compile(
        r"""(?<![\w.+¥$€-]) (?<!\d\ ) (?<!CNY\ |RMB\ |USD\ ) (?:
            (?:\(?\+?86\)?[- ]?)? 1[3-9]\d [-. ]? \d{4} [-. ]? \d{4}  # a mobile number in China
          | 0\d\d-\d{4}-\d{4}
          | (?:\(0\d{2,3}\)[- ]?|0\d{2,3}[- ]) \d{3,4}[- ]?\d{4} (?:-\d{1,5})?  # a landline
          | [48]00 (?:-\d{3}-\d{4}|-\d{4}-\d{3}|[ ]\d{3}[ ]\d{4}) | [48]00\d-\d{3}-\d{3}  # 400
          | (?:\+?1[-. ]?)? (?:\([2-9]\d{2}\)[ ]?|[2-9]\d{2}[-.]) \d{3}[-.]\d{4}  # in the US
          | \+1[ ][2-9]\d{2}[ ]\d{3}[ ]\d{4} | \+1\([2-9]\d{2}\)\d{7}
          | \+[1-9]\d{0,2}[- .] \(?\d{1,4}\)? (?:[- .]?\d{2,4}){2,4}  # in any other country
          | \+[1-9]\d{9,14}
        ) (?![\w-]|\.\d|\ ?(?:[元米人块]|yuan|dollars))""",
        re.VERBOSE | re.ASCII,
    ),
    "phone_named": re.compile(
        r"(?:电话|手机|联系方式|热线|传真|\b(?:phone|mobile|tel|cell|fax|whatsapp|call|text)\b)"
        r"(?: (?:me|us|at|on|is|no|number))*[号码是为.:： ]{0,4}"
        r"\(?\d(?:[-. ()]{0,2}\d){6,13}(?!\d)",
        re.IGNORECASE,
    ),
    "id_number": re.compile(
        r"(?<!\d)\d{6}(?:18|19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?!\d)"
        r"|(?<![\d-])(?!000|666|9)\d{3}-\d{2}-\d{4}(?![\d-])"
    ),
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}(?![\w-])", re.ASCII),
}
# numbers of orders and goods look like phone numbers; the word before them tells
ORDERS = re.compile(
    r"(?:单号|编号|货号|序列号|流水号|批号|合同号|票号|学号|账号|卡号|条码|\b(?:order|invoice|tracking"
    r"|serial|part|item|sku|isbn|ticket|case|account|contract|batch)\b)"
    r"(?: (?:no|number|id|code))?[是为.:：# ]{0,3}[\w-]*\d[\w-]*",
    re.IGNORECASE,
)
NEEDED = ("id", "lang", "messages")  # the fields of a row that the steps read
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
    text = ORDERS.sub("", unicodedata.normalize("NFKC", row["text"]))
    return any(pattern.search(text) for pattern in PERSONAL.values())


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
    `code` the articles. 100,000 rows take about a minute on one core, and 0.9 GB. Raises
    CourseError when rows lack a field that a step reads (see NEEDED).
    """
    for row in chain(rows, held_out):
        if lacking := [name for name in NEEDED if name not in row]:
            lack, needed = ", ".join(lacking), ", ".join(NEEDED)
            raise CourseError(
                en=f"a row lacks {lack}: the steps read {needed}. Mend: add what is missing, for "
                'instance row | {"id": n, "lang": "en"}; the steps form and facts know only the '
                "notices of Lingxi.",
                zh=f"有一行缺少 {lack}：各步骤要用到 {needed}。改法：补上缺的字段，"
                '例如 row | {"id": n, "lang": "zh"}；格式和事实两步只认识灵溪的通知书。',
            )
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
