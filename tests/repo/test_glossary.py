"""One name for each thing: the terms of data/glossary.csv, and what the lessons call them."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tools.nbkit import source

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = ["en", "zh", "note", "avoid", "lesson"]
Row = dict[str, str]

# avoid: variants that no lesson may use, parted by |; lesson: where the Chinese term must occur


def glossary() -> list[Row]:
    """Read the terms."""
    with open(ROOT / "data" / "glossary.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chinese(path: Path) -> str:
    """Return what a lesson says in Chinese or both languages: no English cells, no code."""
    cells = source.read_source(path).cells
    said = [c for c in cells if c.cell_type == "markdown" and c.metadata.get("lang") != "en"]
    return "\n".join(cell.source for cell in said)


def variants(row: Row) -> list[str]:
    """List the names that a row forbids."""
    return [name for name in row["avoid"].split("|") if name]


def malformed(rows: list[Row]) -> Iterator[str]:
    """Name rows with an empty side, terms given twice, and variants that another row allows."""
    for row in rows:
        if not (row["en"].strip() and row["zh"].strip()):
            yield f"a side is empty: {row['en']!r}, {row['zh']!r}"
        for name in variants(row):
            allowed = [other["zh"] for other in rows if name in other["zh"]]
            if allowed:
                yield f"{row['en']} forbids {name}, which stands in {allowed[0]}"
    for side in ("en", "zh"):
        counts = Counter(row[side].strip().lower() for row in rows)
        yield from (f"{side} twice: {term}" for term, n in counts.items() if n > 1)


def strays(rows: list[Row], said: Mapping[str, str], whole: Mapping[str, str]) -> Iterator[str]:
    """Name terms that their lesson does not use, and forbidden variants that a lesson does.

    `said` is a lesson's Chinese prose, `whole` its whole source, by number: forbidden words may
    not stand in printed text either.
    """
    for row in rows:
        lesson = row["lesson"]
        if lesson and row["zh"] not in said.get(lesson, ""):
            yield f"{row['en']}: lesson {lesson} never says {row['zh']}; correct one of the two"
        for number, text in whole.items():
            for name in variants(row):
                if name in text:
                    line = text[: text.index(name)].count("\n") + 1
                    yield f"lesson {number}, line {line}: {name}; write {row['zh']}"


def test_terms_are_well_formed():
    rows = glossary()
    assert list(rows[0]) == COLUMNS and len(rows) > 55
    assert not list(malformed(rows))
    assert all(None not in row and None not in row.values() for row in rows), "a comma too many"
    assert all(re.fullmatch(r"(\d\d)?", row["lesson"]) for row in rows)


def test_lessons_use_the_terms():
    paths = {path.stem[:2]: path for path in source.sources(ROOT)}
    said = {number: chinese(path) for number, path in paths.items()}
    whole = {number: path.read_text(encoding="utf-8") for number, path in paths.items()}
    assert sum(bool(row["lesson"]) for row in glossary()) > 50
    found = list(strays(glossary(), said, whole))
    assert not found, "\n".join(["", *found])


def term(en: str, zh: str, avoid: str = "", lesson: str = "") -> Row:
    """Make a row."""
    return {"en": en, "zh": zh, "note": "", "avoid": avoid, "lesson": lesson}


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([term("rank", " ")], "empty"),
        ([term("rank", "秩"), term("Rank", "秩数")], "en twice: rank"),
        ([term("rank", "秩"), term("order", "秩")], "zh twice: 秩"),
        ([term("rank", "秩", avoid="分词"), term("tokenizer", "分词器")], "forbids 分词"),
    ],
)
def test_a_malformed_glossary_is_named(rows, complaint):
    assert any(complaint in line for line in malformed(rows))
    assert not list(malformed([term("rank", "秩", avoid="阶"), term("token", "词元")]))


def test_a_stray_term_is_named():
    said, whole = {"02": "秩是多少？"}, {"02": "# 秩是多少？\n# 一个令牌"}
    assert not list(strays([term("rank", "秩", "等级", "02")], said, whole))
    (missing,) = strays([term("merge", "合并", "", "02")], said, whole)
    assert "never says 合并" in missing
    (variant,) = strays([term("token", "词元", "标记|令牌")], said, whole)
    assert variant == "lesson 02, line 2: 令牌; write 词元"
