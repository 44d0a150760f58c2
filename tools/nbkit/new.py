"""A new lesson from the template: source, checks and their tests, a claim, a size, a notebook."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from string import Template

from helpers.base import CourseError
from helpers.lessons.sizes import TABLE, read
from helpers.measure.ledger import VERDICTS
from tools.nbkit.check import fix_hashes
from tools.nbkit.source import build, notebook_path, read_source, sources, to_text
from tools.nbkit.twins import CJK

TEMPLATE = Path(__file__).parent / "template"
FILES = {  # of the template -> where the file of a lesson stands
    "lesson.py.txt": "notebooks/src/{stem}.py",
    "checks.py.txt": "helpers/lessons/nb{number}.py",
    "test_exercises.py.txt": "tests/lessons/test_exercises_{number}.py",
}
LEDGER = Path("data") / "claims.csv"
SIZE = {
    "name": "test", "en": "incidents tested", "zh": "测试的事件",
    "smoke": "6", "tiny": "30", "small": "20", "t4": "30", "gpu": "30",
}  # fmt: skip
BADGES = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{place}) "
    "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
    "(https://kaggle.com/kernels/welcome?src=https://github.com/{place})"
)


def new(root: Path, number: str, slug: str, title: str) -> list[Path]:
    """Write all that a lesson needs and return the files; nothing is written if one cannot be.

    Raises CourseError for a number, slug or title that will not do, and for files that are there.
    """
    title = names(root, number, slug, title)
    stem, claim = f"{number}_{slug}", f"{slug}_form"
    texts = {root / to.format(stem=stem, number=number): name for name, to in FILES.items()}
    source = next(iter(texts))
    refuse(root, number, [*texts, notebook_path(source)], claim)
    bootstrap = (root / "notebooks" / "bootstrap.py").read_text(encoding="utf-8").strip("\n")
    values = {"number": number, "stem": stem, "title": title, "claim": claim}
    values |= {"bootstrap": bootstrap, "badges": badges(bootstrap, stem)}
    for path, name in texts.items():
        filled = Template((TEMPLATE / name).read_text(encoding="utf-8")).substitute(values)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(filled, encoding="utf-8")
    fix_hashes(source)
    add_row(root / LEDGER, first_claim(claim, stem))
    add_row(root / TABLE, {"lesson": number, **SIZE})
    notebook = notebook_path(source)
    notebook.write_text(to_text(build(read_source(source))), encoding="utf-8")
    return [*texts, root / LEDGER, root / TABLE, notebook]


def names(root: Path, number: str, slug: str, title: str) -> str:
    """Return the title as it is written; raise CourseError for a bad number, slug or title."""
    if not re.fullmatch(r"[0-9]{2}", number):
        raise CourseError(
            en=f"{number!r} is no lesson's number: give two digits, such as 05",
            zh=f"{number!r} 不能作课程编号：请写两位数字，例如 05",
        )
    if taken := [p.name for p in sources(root) if p.name.startswith(number)]:
        raise CourseError(
            en=f"lesson {number} is there already; choose another number",
            zh=f"第 {number} 课已经有了；请换一个编号",
            where=f"notebooks/src/{taken[0]}",
        )
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", slug):
        raise CourseError(
            en=f"{slug!r} is no name for a file: small letters, digits and _, such as lora_math",
            zh=f"{slug!r} 不能作文件名：请用小写字母、数字和下划线，例如 lora_math",
        )
    en, *rest = (part.strip() for part in re.split(r"[|｜]", title))
    two = len(rest) == 1 and title.isprintable()
    if not (two and re.search("[A-Za-z]", en) and re.search(f"[{CJK}]", rest[0])):
        raise CourseError(
            en=f'the title {title!r} is not in both languages: --title "English ｜ 中文"',
            zh=f'标题 {title!r} 不是中英双语：请写 --title "English ｜ 中文"',
        )
    return f"{en} ｜ {rest[0]}"


def refuse(root: Path, number: str, paths: list[Path], claim: str) -> None:
    """Raise CourseError where a file, the claim or sizes of this lesson are there already."""
    found = [path.relative_to(root).as_posix() for path in paths if path.exists()]
    if found:
        raise CourseError(
            en=f"nothing written: {', '.join(found)} would be overwritten; delete or rename first",
            zh=f"什么都没有写：{'、'.join(found)} 会被覆盖；请先删除或改名",
        )
    with (root / LEDGER).open(encoding="utf-8-sig", newline="") as file:
        taken = any(row["id"] == claim for row in csv.DictReader(file))
    if taken:
        raise CourseError(
            en=f"nothing written: a claim {claim} is there already; give the lesson another name",
            zh=f"什么都没有写：论断 {claim} 已经有了；请给课程换一个名字",
            where=LEDGER.as_posix(),
        )
    if number in read(root / TABLE):
        raise CourseError(
            en=f"nothing written: sizes of lesson {number} are there already; delete them first",
            zh=f"什么都没有写：第 {number} 课的规模已经有了；请先删除",
            where=TABLE.as_posix(),
        )


def badges(bootstrap: str, stem: str) -> str:
    """Write the badges that open a lesson from the repository that the bootstrap cell names."""
    found = re.search(r'REPO = "https://github\.com/(.+?)"', bootstrap)
    if not found:
        raise CourseError(
            en='no line REPO = "https://github.com/…"; put it back',
            zh='缺少 REPO = "https://github.com/…" 这一行；请补上',
            where="notebooks/bootstrap.py",
        )
    return BADGES.format(place=f"{found[1]}/blob/main/notebooks/{stem}.ipynb")


def first_claim(claim: str, stem: str) -> dict[str, str]:
    """Return the row of the claim that the template measures."""
    return {
        "id": claim,
        "notebook": stem,
        "statement_en": "TODO: the statement that is tested: notices in the exact form, untrained",
        "statement_zh": "待写：要检验的说法：未经微调，格式完全正确的通知书的比例",
        "source": "TODO",
        "unit": "%",
        "high": "5",
        "verdict": next(iter(VERDICTS)),
        "scope": "on Xiaoxi ｜ 在小溪上",
    }


def add_row(path: Path, values: dict[str, str]) -> None:
    """Append a row to a CSV file, under the columns of its header; the rest stays as it is."""
    text = path.read_text(encoding="utf-8")
    line = io.StringIO()
    columns = next(csv.reader([text.removeprefix("\ufeff").splitlines()[0]]))
    writer = csv.DictWriter(line, columns, "", extrasaction="ignore", lineterminator="\n")
    writer.writerow(values)
    path.write_text(text.rstrip("\n") + "\n" + line.getvalue(), encoding="utf-8")
