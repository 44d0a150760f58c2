"""What `check` holds the lessons to. Each complaint names file, line, cell and mend."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from nbformat import NotebookNode

from helpers.base import CourseError
from helpers.lessons.roadmap import opening
from tools.nbkit import outputs, twins
from tools.nbkit.exercises import solution_of
from tools.nbkit.source import (
    FOLDED,
    MARKER,
    build,
    cell_lines,
    code_hash,
    folded,
    notebook_path,
    read_notebook,
    read_source,
    sources,
    tags,
    text_hash,
)

WORDS, LINES = 120, 30  # English words of a text cell, lines of a code cell
UNWRITTEN = ("TODO", "待写")  # what the template leaves for the author
KNOWN_TAGS = {"bootstrap", "parameters", "exercise", "check", "solution", "timing"}


class Problem(NamedTuple):
    """A complaint: the cell's number (0: the whole file), in English, in Chinese."""

    cell: int
    en: str
    zh: str


class Lesson(NamedTuple):
    """A lesson as it is checked: its source, and the notebook committed beside it."""

    path: Path
    nb: NotebookNode
    committed: NotebookNode | None

    def place(self, cell: int) -> str:
        """Name file, line and cell."""
        name = f"notebooks/src/{self.path.name}"
        lines = cell_lines(self.path)
        if not cell:
            return name
        if len(lines) == len(self.nb.cells):
            name = f"{name}:{lines[cell - 1]}"
        return f"{name} (cell {cell})"


def load(path: Path) -> Lesson:
    """Read a lesson's source and its notebook."""
    return Lesson(path, read_source(path), read_notebook(notebook_path(path)))


def check(root: Path, names: list[str] | None = None, draft: bool = False) -> list[str]:
    """List the complaints about lessons; a draft is not asked for outputs or its last words."""
    lessons = [load(p) for p in sources(root, names)]
    problems = [
        f"{lesson.place(p.cell)}: {p.en} ｜ {p.zh}"
        for lesson in lessons
        for rule in (RULES if draft else RULES + FINAL_RULES)
        for p in rule(lesson)
    ]
    problems += [*bootstraps(root, lessons), *orphans(root)]
    return problems if draft else problems + list(unwritten_claims(root))


# --- one lesson ---------------------------------------------------------------------------------


def built(lesson: Lesson) -> Iterator[Problem]:
    """The notebook is the build of its source."""
    command = f"python tools/nb.py build {lesson.path.stem[:2]}"
    if lesson.committed is None:
        yield Problem(0, f"no notebook; run: {command}", f"还没有 notebook；请执行：{command}")
        return
    wanted = [_bare(c) for c in build(lesson.nb).cells]
    committed = [_bare(c) for c in lesson.committed.cells]
    if wanted == committed:
        return
    both = zip(wanted, committed, strict=False)
    first = next(
        (i for i, (a, b) in enumerate(both, 1) if a != b), min(len(wanted), len(committed))
    )
    pull = f"python tools/nb.py pull {lesson.path.stem[:2]}"
    yield Problem(
        min(max(first, 1), len(wanted)),
        f"the notebook is not the build of this source; run: {command} "
        f"(or {pull}, if it was edited in Jupyter)",
        f"notebook 与源文件不一致；请执行：{command}（若是在 Jupyter 里改的，则执行：{pull}）",
    )


def _bare(cell: NotebookNode) -> tuple:
    return cell.id, cell.cell_type, cell.source, dict(cell.metadata)


def title(lesson: Lesson) -> Iterator[Problem]:
    """The first cell has number, title and, in one line, the promise: the README quotes them."""
    try:
        opening(lesson.path)
    except CourseError as error:
        yield Problem(1, error.en, error.zh)


def headings(lesson: Lesson) -> Iterator[Problem]:
    """Headings are shared and bilingual; below the second level twins may have their own."""
    for number, cell in markdown(lesson):
        for tag, text in twins.prose(cell.source):
            if not re.fullmatch("h[1-6]", tag):
                continue
            if "lang" in cell.metadata and tag in ("h1", "h2"):
                yield Problem(
                    number,
                    f"heading “{text}” stands in one language's cell; give it a cell of its own",
                    f"标题“{text}”写在了单一语言的单元格里；请给它单独的单元格",
                )
            elif "lang" not in cell.metadata and not _bilingual(text):
                yield Problem(
                    number,
                    f"heading “{text}” is not bilingual; write “English ｜ 中文”",
                    f"标题“{text}”不是双语；请写成“English ｜ 中文”",
                )


def _bilingual(text: str) -> bool:
    en, bar, zh = text.partition(twins.BAR)
    return bool(en.strip() and bar and re.search(f"[{twins.CJK}]", zh))


def pairs(lesson: Lesson) -> Iterator[Problem]:
    """Each English cell is followed at once by its Chinese twin, fresh, of the same structure."""
    cells = [*lesson.nb.cells, None]
    for number, (cell, after) in enumerate(pairwise(cells), 1):
        lang = cell.metadata.get("lang")
        if lang not in (None, "en", "zh"):
            yield Problem(number, f'lang="{lang}"; use en or zh', f'lang="{lang}"；请用 en 或 zh')
        if lang == "en" and (after is None or after.metadata.get("lang") != "zh"):
            yield Problem(
                number,
                'no Chinese twin; put a cell lang="zh" right after it',
                '没有中文单元格；请紧接着写一个 lang="zh" 的单元格',
            )
        elif lang == "en":
            yield from _pair(number + 1, cell, after, lesson.path.stem[:2])
        before = cells[number - 2] if number > 1 else None
        if lang == "zh" and (before is None or before.metadata.get("lang") != "en"):
            yield Problem(
                number,
                'no English cell right before it; put one with lang="en"',
                '前面没有英文单元格；请在它之前写一个 lang="en" 的单元格',
            )


def _pair(number: int, en: NotebookNode, zh: NotebookNode, name: str) -> Iterator[Problem]:
    if zh.metadata.get("of") != text_hash(en.source):
        yield Problem(
            number,
            "the English changed since this Chinese was written; look at it again, then run: "
            f"python tools/nb.py check {name} --fix-hashes",
            "英文改过，中文还没有跟上；请先核对，再执行："
            f"python tools/nb.py check {name} --fix-hashes",
        )
    for en_text, zh_text in twins.differences(en.source, zh.source):
        yield Problem(number, en_text, zh_text)


def languages(lesson: Lesson) -> Iterator[Problem]:
    """A cell without `lang` is bilingual line by line; a Chinese cell is Chinese, well set."""
    for number, cell in markdown(lesson):
        lang = cell.metadata.get("lang")
        if lang == "zh":
            if not re.search(f"[{twins.CJK}]", cell.source):
                yield Problem(number, "no Chinese in it; write it", "这里没有中文；请补写")
            for en, zh in twins.typography(cell.source):
                yield Problem(number, en, zh)
        elif lang is None:
            for tag, text in twins.prose(cell.source):
                if tag[0] != "h" and len(twins.WORD.findall(text)) > 2 and twins.BAR not in text:
                    yield Problem(
                        number,
                        f"“{text[:40]}…” is in one language; write “English ｜ 中文”, or give "
                        'the cell lang="en" and a twin',
                        f"“{text[:40]}…”只有一种语言；请写成“English ｜ 中文”，"
                        '或者标上 lang="en" 并配上中文单元格',
                    )


def links(lesson: Lesson) -> Iterator[Problem]:
    """A relative link leads to a file of the course that is there."""
    folder = lesson.path.parent.parent  # where the notebook is
    root = folder.parent.resolve()
    for number, cell in enumerate(lesson.nb.cells, 1):
        for link in twins.structure(cell.source)["links"] if cell.cell_type == "markdown" else ():
            parts = urlsplit(link)
            target = (folder / unquote(parts.path)).resolve()
            inside = target.is_relative_to(root) and target.exists()
            if not (parts.scheme or parts.netloc or inside):
                yield Problem(
                    number,
                    f"the link {link} leads to no file of the course; mend it, or name the lesson "
                    "without a link until it is there",
                    f"链接 {link} 指向的文件不在课程里；请改正；课程还没写好时，只写名称，不加链接",
                )


def lengths(lesson: Lesson) -> Iterator[Problem]:
    """Markdown has 120 English words at most, code 30 lines."""
    for number, cell in enumerate(lesson.nb.cells, 1):
        if cell.cell_type == "markdown":
            words = twins.english_words(cell.source)
            if words > WORDS:
                yield Problem(
                    number,
                    f"{words} English words, above {WORDS}; cut or split it",
                    f"有 {words} 个英文词，超过 {WORDS}；请删减或拆分",
                )
        elif (lines := len(cell.source.splitlines())) > LINES:
            yield Problem(
                number,
                f"{lines} lines of code, above {LINES}; split it or move what is not taught",
                f"代码有 {lines} 行，超过 {LINES}；请拆分，或把不讲的部分移到 helpers",
            )


def code_order(lesson: Lesson) -> Iterator[Problem]:
    """The bootstrap cell is the first code cell, the parameters cell the second; tags are known."""
    code = [(n, c) for n, c in enumerate(lesson.nb.cells, 1) if c.cell_type == "code"]
    if [i for i, (_, c) in enumerate(code) if "parameters" in tags(c)] != [1]:
        yield Problem(
            code[1][0] if len(code) > 1 else 0,
            'the second code cell, and only it, must have tags=["parameters"] (the first is the '
            "bootstrap cell)",
            '第二个代码单元格（仅此一个）应带 tags=["parameters"]；第一个是启动单元格',
        )
    for number, cell in enumerate(lesson.nb.cells, 1):
        for tag in sorted(set(tags(cell)) - KNOWN_TAGS):
            known = ", ".join(sorted(KNOWN_TAGS))
            yield Problem(
                number, f"unknown tag “{tag}”; known: {known}", f"未知标签“{tag}”；可用：{known}"
            )


def folds(lesson: Lesson) -> Iterator[Problem]:
    """A folded cell is known by its title alone: it is in both languages."""
    code = [(n, c) for n, c in enumerate(lesson.nb.cells, 1) if c.cell_type == "code"]
    for number, cell in code:
        first = cell.source.split("\n")[0]
        if folded(cell) and not _bilingual(first.removeprefix(FOLDED)):
            yield Problem(
                number,
                f"the title of the folded cell “{first}” is not bilingual; write “{FOLDED}English "
                "｜ 中文”",
                f"折叠单元格的标题“{first}”不是双语；请写成“{FOLDED}English ｜ 中文”",
            )


def exercises(lesson: Lesson) -> Iterator[Problem]:
    """After each exercise stand its check and its solution, a whole python block."""
    cells = lesson.nb.cells
    for i, cell in enumerate(cells):
        if "exercise" in tags(cell):
            answer = solution_of(lesson.nb, i)
            if answer is None:
                yield Problem(
                    i + 1,
                    'no solution; put after it a cell tags=["check"], then a markdown cell '
                    'tags=["solution"] with a ```python block',
                    '缺少参考答案；其后应依次是 tags=["check"] 的单元格，和 tags=["solution"]、'
                    "带 ```python 代码块的 markdown 单元格",
                )
            elif answer == cell.source:
                yield Problem(
                    i + 1, "stub and solution are the same", "练习与参考答案相同；请留出待填部分"
                )
        kind = {"check": "exercise", "solution": "check"}
        for tag in set(tags(cell)) & set(kind):
            if i == 0 or kind[tag] not in tags(cells[i - 1]):
                yield Problem(
                    i + 1,
                    f"a cell tagged {tag} must follow one tagged {kind[tag]}; move it",
                    f"带 {tag} 标签的单元格应紧跟在 {kind[tag]} 之后；请移动",
                )


def markdown(lesson: Lesson) -> Iterator[tuple[int, NotebookNode]]:
    """Yield the markdown cells that are prose (solutions are code), with their numbers."""
    for number, cell in enumerate(lesson.nb.cells, 1):
        if cell.cell_type == "markdown" and "solution" not in tags(cell):
            yield number, cell


# --- one lesson, finished -----------------------------------------------------------------------


def written(lesson: Lesson) -> Iterator[Problem]:
    """Nothing is left of what the template says to write."""
    for number, cell in enumerate(lesson.nb.cells, 1):
        for mark in UNWRITTEN:
            if mark in cell.source:
                yield Problem(
                    number,
                    f"“{mark}” stands here still; write what it asks for",
                    f"这里还留着“{mark}”；请写出它要求的内容",
                )


def fresh(lesson: Lesson) -> Iterator[Problem]:
    """The outputs were made by the code that stands there."""
    if lesson.committed is None:
        return
    made = lesson.committed.metadata.get("course", {}).get("code_hash")
    if made != code_hash(lesson.nb):
        command = f"python tools/nb.py run {lesson.path.stem[:2]} --commit"
        why = ("its code changed since", "之后代码改过") if made else ("there are none", "还没有")
        yield Problem(
            0,
            f"outputs are not of this code ({why[0]}); run: {command}",
            f"输出与代码不符（{why[1]}）；请执行：{command}",
        )


def presentable(lesson: Lesson) -> Iterator[Problem]:
    """Outputs hold no errors, warnings, machine paths; no widget state; no execution counts."""
    nb = lesson.committed
    if nb is None:
        return
    again = f"python tools/nb.py run {lesson.path.stem[:2]} --commit"
    yield from (Problem(*p) for p in outputs.noise(nb))
    yield from (Problem(*p) for p in outputs.oversize(nb))
    if "widgets" in nb.metadata:
        yield Problem(
            0,
            f"metadata.widgets is present; run: {again}",
            f"残留 metadata.widgets；请执行：{again}",
        )
    for number, cell in enumerate(nb.cells, 1):
        counted = [cell, *cell.get("outputs", [])]
        if any(c.get("execution_count") is not None for c in counted):
            yield Problem(
                number,
                f"an execution count is kept; run: {again}",
                f"残留执行计数；请执行：{again}",
            )


def described(lesson: Lesson) -> Iterator[Problem]:
    """Each figure has its description in words, in both languages."""
    for number in outputs.undescribed(lesson.committed) if lesson.committed else ():
        yield Problem(
            number,
            'a figure without words for those who cannot see it; give alt="English ｜ 中文"',
            '图没有文字说明，看不见图的人无从知道；请写上 alt="English ｜ 中文"',
        )


RULES: list[Callable[[Lesson], Iterator[Problem]]] = [
    title, headings, pairs, languages, links, lengths, code_order, folds, exercises,
]  # fmt: skip
FINAL_RULES: list[Callable[[Lesson], Iterator[Problem]]] = [
    written, built, fresh, presentable, described,
]  # fmt: skip


# --- all lessons together -----------------------------------------------------------------------


def bootstraps(root: Path, lessons: list[Lesson]) -> Iterator[str]:
    """The first code cell is notebooks/bootstrap.py, to the letter, in every lesson."""
    wanted = (root / "notebooks" / "bootstrap.py").read_text(encoding="utf-8").strip("\n")
    for lesson in lessons:
        cells = enumerate(lesson.nb.cells, 1)
        number, cell = next(((n, c) for n, c in cells if c.cell_type == "code"), (0, None))
        if cell is None or cell.source != wanted:
            yield (
                f"{lesson.place(number)}: the first code cell is not notebooks/bootstrap.py to the "
                "letter; copy it ｜ 第一个代码单元格与 notebooks/bootstrap.py 不完全相同；请照抄"
            )


def orphans(root: Path) -> Iterator[str]:
    """Each notebook has a source."""
    stems = {p.stem for p in sources(root)}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if path.stem not in stems:
            name = f"notebooks/{path.name}"
            source = f"notebooks/src/{path.stem}.py"
            yield (
                f"{name}: no source; write {source} or delete it ｜ "
                f"没有源文件；请写 {source}，或删除它"
            )


def unwritten_claims(root: Path) -> Iterator[str]:
    """Nothing is left in the ledger of what the template says to write."""
    lines = (root / "data" / "claims.csv").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        if any(mark in line for mark in UNWRITTEN):
            yield (
                f"data/claims.csv:{number}: TODO stands here still; write what it asks for ｜ "
                "这里还留着 TODO；请写出它要求的内容"
            )


# --- the author's acceptance --------------------------------------------------------------------


def fix_hashes(path: Path) -> list[int]:
    """Write into each Chinese twin the hash of its English as it is now; list the cells changed."""
    nb, lines = read_source(path), path.read_text(encoding="utf-8").split("\n")
    changed = []
    for i, number in enumerate(cell_lines(path)):
        if nb.cells[i].metadata.get("lang") != "zh" or not i:
            continue
        wanted = f' of="{text_hash(nb.cells[i - 1].source)}"'
        line = re.sub(r'\s+of="[^"]*"', "", lines[number - 1]).rstrip() + wanted
        if line != lines[number - 1] and MARKER.match(line):
            lines[number - 1] = line
            changed.append(i + 1)
    path.write_text("\n".join(lines), encoding="utf-8")
    return changed
