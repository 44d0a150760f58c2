"""The course's address: in the bootstrap cell, the lessons' badges and the README; or nowhere."""

from __future__ import annotations

import re
from pathlib import Path

from helpers.base import CourseError
from tools.nbkit.path import put_between
from tools.nbkit.source import (
    ADDRESS,
    build,
    notebook_path,
    read_notebook,
    read_source,
    sources,
    to_text,
)

FORM = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+)")
BADGES = (
    "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
    "(https://colab.research.google.com/github/{place}) "
    "[![Open in Kaggle](https://kaggle.com/static/images/open-in-kaggle.svg)]"
    "(https://kaggle.com/kernels/welcome?src=https://github.com/{place})"
)
TITLE = re.compile(r"(?m)^# # \d\d\. .+\n#\n")  # of a lesson, and the empty line after it
BADGE_LINE = re.compile(r"(?m)^# \[!\[Open in Colab\].+\n#\n")
FETCH = {  # the README's first step, with an address and without
    True: "```bash\ngit clone {address}\ncd {name}\nmake demo\n```",
    False: "Download or clone this repository; then, in its folder: ｜ 下载或克隆本仓库，然后在它的"
    "文件夹里执行：\n\n```bash\nmake demo\n```",
}


def read(root: Path) -> str:
    """Return the course's address as the bootstrap cell has it, "" where none is set.

    Raises CourseError where the line is missing.
    """
    found = ADDRESS.search((root / "notebooks" / "bootstrap.py").read_text(encoding="utf-8"))
    if not found:
        raise CourseError(
            en='no line REPO = "…"; put it back',
            zh='缺少 REPO = "…" 这一行；请补上',
            where="notebooks/bootstrap.py",
        )
    return found[1]


def checked(address: str) -> str:
    """Return an address without what may stand behind it; raise CourseError if it is none.

    "none" is no address: whatever leads to one goes.
    """
    address = address.strip().rstrip("/").removesuffix(".git")
    if address == "none":
        return ""
    if not FORM.fullmatch(address):
        raise CourseError(
            en=f"{address!r} is no repository: write https://github.com/OWNER/NAME, or none",
            zh=f"{address!r} 不是仓库的网址：请写 https://github.com/OWNER/NAME，或者 none",
        )
    return address


def badge_line(address: str, stem: str) -> str:
    """Return the comment lines with a lesson's badges, "" where there is no address."""
    if not address:
        return ""
    place = f"{FORM.fullmatch(address)[1]}/blob/main/notebooks/{stem}.ipynb"
    return f"# {BADGES.format(place=place)}\n#\n"


def planned(root: Path, address: str) -> dict[Path, str]:
    """Return each file that holds the address -> its text with this one; nothing is written."""
    boot, page = root / "notebooks" / "bootstrap.py", root / "README.md"
    texts = {path: path.read_text(encoding="utf-8") for path in [boot, *sources(root)]}
    texts = {path: ADDRESS.sub(f'REPO = "{address}"', text, 1) for path, text in texts.items()}
    for path in sources(root):
        text, line = BADGE_LINE.sub("", texts[path], 1), badge_line(address, path.stem)
        texts[path] = TITLE.sub(lambda title, line=line: title[0] + line, text, 1)
    if page.exists():
        texts[page] = put_fetch(page.read_text(encoding="utf-8"), address)
    return texts


def put_fetch(text: str, address: str) -> str:
    """Put the first step between its markers in the README's text."""
    step = FETCH[bool(address)].format(address=address, name=address.rsplit("/", 1)[-1])
    return put_between(text, "<!-- fetch:start -->", "<!-- fetch:end -->", [step])


def stamp(root: Path, address: str) -> list[Path]:
    """Write the address wherever it belongs, and build the notebooks; return what changed.

    A second time nothing changes. Outputs stay: an address changes nothing that a cell computes.
    """
    changed = []
    for path, text in planned(root, checked(address)).items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    for path in sources(root):
        target = notebook_path(path)
        old = read_notebook(target)
        if old is not None and path in changed:
            target.write_text(to_text(build(read_source(path), old)), encoding="utf-8")
            changed.append(target)
    return changed
