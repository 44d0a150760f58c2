"""Notebook back to source, and a notebook in one language."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.base import CourseError
from tools.nbkit.source import KEPT, build, notebook_path, read_notebook, read_source, to_text

LEAD = re.compile(r"^(\s*(?:(?:#+|[-*>]|\d+\.)\s+)?(?:\d+(?:\.\d+)*\.?\s+)?)(.*)$")
PIECE = re.compile(r"([^<>|｜]*) ｜ ([^<>|｜]*)")


def pull(source: Path) -> bool:
    """Write an edit made in the notebook back to its source; tell whether anything changed."""
    import jupytext

    target = notebook_path(source)
    nb = read_notebook(target)
    if nb is None:
        raise CourseError(
            en="no notebook to pull from; build it first: python tools/nb.py build",
            zh="没有可取回的 notebook；请先构建：python tools/nb.py build",
            where=f"notebooks/{target.name}",
        )
    if source.exists() and _texts(nb) == _texts(read_source(source)):
        return False
    nb.metadata = nbformat.from_dict(
        {
            "jupytext": {
                "notebook_metadata_filter": "-all",
                "cell_metadata_filter": "lang,of,tags,-all",
            }
        }
    )
    source.write_text(jupytext.writes(nb, fmt="py:percent"), encoding="utf-8")
    return True


def _texts(nb: NotebookNode) -> list[tuple]:
    """What the source holds of each cell; what `build` adds to a folded cell is not among it."""
    return [
        (c.cell_type, c.source, {k: c.metadata[k] for k in KEPT if k in c.metadata})
        for c in nb.cells
    ]


def one_language(nb: NotebookNode, lang: str) -> NotebookNode:
    """Copy a notebook in one language: its twins, and its half of every `English ｜ 中文` line."""
    other = {"en": "zh", "zh": "en"}[lang]
    copy = nbformat.from_dict(nb)
    copy.cells = [c for c in copy.cells if c.metadata.get("lang") != other]
    for cell in copy.cells:
        if cell.cell_type == "markdown" and "lang" not in cell.metadata:
            cell.source = _outside_fences(cell.source, lang)
    return copy


def _outside_fences(text: str, lang: str) -> str:
    lines, fenced = [], False
    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        lines.append(line if fenced else reduce(line, lang))
    return "\n".join(lines)


def reduce(line: str, lang: str) -> str:
    """Reduce `## 3. Train ｜ 训练` to `## 3. Train` or `## 3. 训练`; tags and tables stay."""
    lead, rest = LEAD.match(line).groups()
    keep = {"en": 1, "zh": 2}[lang]

    def half(match: re.Match) -> str:
        outer = match[0]
        pad = len(outer) - len(outer.lstrip()), len(outer) - len(outer.rstrip())
        return " " * pad[0] + match[keep].strip() + " " * pad[1]

    return lead + PIECE.sub(half, rest)


def write_one_language(source: Path, lang: str, out: Path) -> Path:
    """Write a lesson in one language, with its outputs if they are fresh; return where."""
    nb = build(read_source(source), read_notebook(notebook_path(source)))
    path = out / lang / f"{source.stem}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(to_text(one_language(nb, lang)), encoding="utf-8")
    return path
