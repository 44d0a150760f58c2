"""What an English cell and its Chinese twin must share, read from their markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

BAR = " ｜ "
CJK = "\u3400-\u9fff"
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
EXACT_FENCES = {"python", "bash", "json", "yaml", "toml"}
HALF_WIDTH = re.compile(rf"[{CJK}][,;:!?()]|[,;!?()][{CJK}]")
NO_SPACE = re.compile(rf"[{CJK}][A-Za-z0-9]|[A-Za-z0-9%][{CJK}]")


@cache
def _parser():
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    return MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)


def walk(text: str) -> Iterator:
    """Yield all markdown tokens, those inside a line included."""
    for token in _parser().parse(text):
        yield token
        yield from token.children or []


def structure(text: str) -> dict[str, object]:
    """Describe what a text shares with its twin: code, formulas, links, lists, tables, headings."""
    parts: dict[str, object] = {
        "code": Counter(), "formulas": Counter(), "links": Counter(),
        "fences": [], "lists": [], "tables": [], "headings": [],
    }  # fmt: skip
    open_lists: list[int] = []
    for token in walk(text):
        kind = token.type
        if kind == "code_inline":
            parts["code"][token.content] += 1
        elif kind.startswith("math_"):
            parts["formulas"][_formula(token.content)] += 1
        elif kind in ("link_open", "image"):
            parts["links"][token.attrs.get("href", token.attrs.get("src"))] += 1
        elif kind == "fence":
            info = token.info.strip()
            parts["fences"].append((info, token.content if info in EXACT_FENCES else ""))
        elif kind.endswith("_list_open"):
            open_lists.append(len(parts["lists"]))
            parts["lists"].append(0)
        elif kind.endswith("_list_close"):
            open_lists.pop()
        elif kind == "list_item_open":
            parts["lists"][open_lists[-1]] += 1
        elif kind == "table_open":
            parts["tables"].append([0, 0])
        elif kind in ("tr_open", "th_open"):
            parts["tables"][-1][kind == "th_open"] += 1
        elif kind == "heading_open":
            parts["headings"].append(token.tag)
    return parts


def _formula(tex: str) -> str:
    """Leave out of a formula what may be translated, and spacing."""
    return re.sub(r"\s+", "", re.sub(r"\\text\{[^}]*\}", r"\\text{}", tex))


NAMES = {
    "code": ("inline code", "行内代码"),
    "formulas": ("formulas", "公式"),
    "links": ("links and images", "链接和图片"),
    "fences": ("code blocks", "代码块"),
    "lists": ("lengths of the lists", "列表长度"),
    "tables": ("tables (rows, columns)", "表格（行、列）"),
    "headings": ("headings", "标题"),
}


def differences(en: str, zh: str) -> Iterator[tuple[str, str]]:
    """Yield, in English and Chinese, each way in which two twins differ in structure."""
    a, b = structure(en), structure(zh)
    for key, (name_en, name_zh) in NAMES.items():
        x, y = a[key], b[key]
        if x == y or (key == "code" and _same_code(x, y)):
            continue
        if isinstance(x, Counter):
            x, y = sorted((x - y).elements()), sorted((y - x).elements())
        yield (
            f"the twins differ in {name_en}: English {x}, Chinese {y}; make them the same",
            f"中英文单元格的{name_zh}不一致：英文 {x}，中文 {y}；请改成一致",
        )


def _same_code(en: Counter, zh: Counter) -> bool:
    """Allow code that quotes Chinese (a line of a notice) to stand for an English quotation."""
    rest = zh - en
    return rest.total() == (en - zh).total() and all(re.search(f"[{CJK}]", c) for c in rest)


def visible(token) -> str:
    """Return what a reader sees of one line of prose; code and formulas become 1."""
    signs = {"code_inline": "1", "math_inline": "1", "html_inline": " "}
    signs |= {"softbreak": "\n", "hardbreak": "\n"}
    return "".join(t.content if t.type == "text" else signs.get(t.type, "") for t in token.children)


def prose(text: str) -> list[tuple[str, str]]:
    """List each run of prose: the tag that encloses it (h1, p, td, …) and what is visible."""
    runs, enclosing = [], ""
    for token in _parser().parse(text):
        if token.type.endswith("_open"):
            enclosing = token.tag
        elif token.type == "inline":
            runs.append((enclosing, visible(token)))
    return runs


def english_words(text: str) -> int:
    """Count the English words of a cell's prose; code, formulas and links' targets don't count."""
    return sum(len(WORD.findall(p)) for _, p in prose(text))


def typography(zh: str) -> Iterator[tuple[str, str]]:
    """Yield what a Chinese typesetter would mark in a Chinese cell, with the place."""
    for _, line in prose(zh):
        for match in HALF_WIDTH.finditer(line):
            yield (
                f"half-width punctuation in “{_around(line, match)}”; write it full-width",
                f"“{_around(line, match)}”里有半角标点；请改成全角",
            )
        for match in NO_SPACE.finditer(line):
            yield (
                f"no space between Chinese and Latin in “{_around(line, match)}”; put one",
                f"“{_around(line, match)}”里中文与西文之间没有空格；请补上",
            )
        for match in re.finditer(r"\*\*", line):
            yield (  # CommonMark does not close bold type between 。 and a character
                f"bold type left open in “{_around(line, match)}”; write **…**。 and not **…。**",
                f"“{_around(line, match)}”里的加粗没有生效；标点请放到 ** 外面",
            )


def _around(line: str, match: re.Match) -> str:
    return line[max(0, match.start() - 5) : match.end() + 5].replace("\n", " ")
