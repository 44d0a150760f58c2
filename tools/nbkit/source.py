"""Percent sources and built notebooks: find them, read them, hash them, write them."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.base import CourseError, root
from helpers.lessons import sizes

KEPT = ("lang", "of", "tags")  # the cell metadata that a source may carry
MARKER = re.compile(r"^# %%(?!%)")
FOLDED = "# @title "  # the first line of a code cell that is shown folded
FOLD = {"jupyter": {"source_hidden": True}, "cellView": "form", "_kg_hide-input": True}
ADDRESS = re.compile(r'^REPO = "(.*)"', re.MULTILINE)  # of the bootstrap cell


def sources(root: Path, names: list[str] | None = None) -> list[Path]:
    """List the lessons' sources, all or those named by number or stem, in order."""
    lessons = sorted((root / "notebooks" / "src").glob("[0-9][0-9]_*.py"))
    if not names:
        return lessons
    picked = [p for p in lessons if any(_named(p, n) for n in names)]
    for name in names:
        if not any(_named(p, name) for p in lessons):
            raise CourseError(
                en=f"no lesson {name!r}; there are {', '.join(p.stem for p in lessons) or 'none'}",
                zh=f"没有课程 {name!r}；现有：{'、'.join(p.stem for p in lessons) or '无'}",
                where="notebooks/src",
            )
    return picked


def _named(path: Path, name: str) -> bool:
    stem = Path(name).stem
    return path.stem == stem or path.stem.split("_")[0] == stem.zfill(2)


def notebook_path(source: Path) -> Path:
    """Name the committed notebook that a source is built into."""
    return source.parent.parent / f"{source.stem}.ipynb"


def read_source(path: Path) -> NotebookNode:
    """Parse a py:percent source; only `lang`, `of` and `tags` stay in the cell metadata."""
    import jupytext

    nb = jupytext.reads(path.read_text(encoding="utf-8"), fmt="py:percent")
    return nbformat.from_dict({**nb, "metadata": {}, "cells": [_clean(c) for c in nb.cells]})


def _clean(cell: NotebookNode) -> dict:
    kept = {k: cell.metadata[k] for k in KEPT if k in cell.metadata}
    base = {"cell_type": cell.cell_type, "metadata": kept, "source": cell.source.strip("\n")}
    return base | ({"outputs": [], "execution_count": None} if cell.cell_type == "code" else {})


def cell_lines(path: Path) -> list[int]:
    """Number the source line of each cell's `# %%` marker, from 1."""
    lines = path.read_text(encoding="utf-8").split("\n")
    return [i for i, line in enumerate(lines, 1) if MARKER.match(line)]


def tags(cell: NotebookNode) -> list[str]:
    """List the tags of a cell."""
    return list(cell.metadata.get("tags", []))


def folded(cell: NotebookNode) -> bool:
    """Tell whether a cell is code to be folded: Jupyter, Colab and Kaggle show its title alone."""
    return cell.cell_type == "code" and cell.source.startswith(FOLDED)


def text_hash(text: str) -> str:
    """Hash a cell's text to 8 hex digits: what a Chinese twin carries as `of`."""
    return hashlib.sha256(text.strip().encode()).hexdigest()[:8]


def code_hash(nb: NotebookNode) -> str:
    """Hash all code of a notebook (sources and tags, in order) to 16 hex digits.

    The sizes that it takes from data/sizes.csv under tiny count as code of it. The tag `timing`
    and the course's address change nothing that a cell computes, so they do not count.
    """
    code = [
        [ADDRESS.sub("REPO", c.source), [tag for tag in tags(c) if tag != "timing"]]
        for c in nb.cells
        if c.cell_type == "code"
    ]
    if tiny := tiny_sizes(nb):
        code.append([json.dumps(tiny, sort_keys=True), []])
    return hashlib.sha256(json.dumps(code, ensure_ascii=False).encode()).hexdigest()[:16]


def tiny_sizes(nb: NotebookNode, table: Path | None = None) -> dict[str, sizes.Value]:
    """Return the sizes under tiny of the lesson that a notebook asks for; {} where it asks none.

    `table` is another file than the course's own data/sizes.csv.
    """
    code = "\n".join(c.source for c in nb.cells if c.cell_type == "code")
    asked = re.search(r'^size = sizes\.of\("(\w+)", ', code, re.MULTILINE)
    rows = sizes.read(table or root() / sizes.TABLE).get(asked[1], []) if asked else []
    return {row.name: row.values["tiny"] for row in rows}


def code_text(path: Path) -> str:
    """Return all code of a source, without its text cells."""
    return "\n".join(c.source for c in read_source(path).cells if c.cell_type == "code")


def build(source: NotebookNode, old: NotebookNode | None = None) -> NotebookNode:
    """Build a notebook; keep `old`'s outputs only if the whole code is what made them."""
    seen: Counter[str] = Counter()
    cells = [nbformat.from_dict({**c, "id": _cell_id(c, seen)}) for c in source.cells]
    for cell in filter(folded, cells):
        cell.metadata.update(nbformat.from_dict(FOLD))
    nb = nbformat.v4.new_notebook(cells=cells)
    nb.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    made = (old or {}).get("metadata", {}).get("course", {})
    if made.get("code_hash") == code_hash(nb):
        nb.metadata["course"] = made
        _carry_outputs(old, nb)
    nb.nbformat, nb.nbformat_minor = 4, 5
    return nb


def _cell_id(cell: NotebookNode, seen: Counter[str]) -> str:
    """Derive an id from what a cell holds and how often that came before: stable when moved."""
    text = json.dumps([cell.cell_type, cell.metadata, cell.source], sort_keys=True)
    seen[text] += 1
    return hashlib.sha256(f"{text}#{seen[text]}".encode()).hexdigest()[:8]


def _carry_outputs(old: NotebookNode, new: NotebookNode) -> None:
    olds = [c for c in old.cells if c.cell_type == "code"]
    for before, after in zip(olds, (c for c in new.cells if c.cell_type == "code"), strict=True):
        after.outputs = before.outputs


def read_notebook(path: Path) -> NotebookNode | None:
    """Read a notebook, or None where there is none yet."""
    if not path.exists():
        return None
    try:
        return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
    except (ValueError, nbformat.reader.NotJSONError) as error:
        raise CourseError(
            en=f"not a notebook ({error}); build it again: python tools/nb.py build",
            zh=f"不是有效的 notebook（{error}）；请重新构建：python tools/nb.py build",
            where=str(path),
        ) from error


def to_text(nb: NotebookNode) -> str:
    """Write a notebook out the same way each time: sorted keys, one final newline."""
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"
