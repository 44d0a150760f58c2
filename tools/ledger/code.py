"""Tell whether a lesson still computes what it did: a hash of its code, blind to how it is written.

`lesson_hash` takes the syntax trees of the code's statements. It leaves out what changes no value:
comments, formatting, docstrings, import lines, where a cell ends, the cells before the parameters
(the bootstrap), and exercises with their checks, on which nothing depends. What a helper does
inside is not seen by it. A size of data/sizes.csv (`size.epochs`) stands for its value under tiny.

Another name, of a helper or a variable, is a change that the hash sees. `carry` takes a lesson's
values over it: the old source, from git, must be the present one apart from the names that a person
states.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from helpers.base import CourseError
from helpers.lessons.sizes import TABLE
from tools.ledger.seeds import Seeds
from tools.nbkit.source import read_source, sources, tags, tiny_sizes

LEAVES = {"exercise", "check"}
UNSEEN = (
    "ctx",
    "kind",
    "type_comment",
)  # of a syntax tree: says nothing that is not said elsewhere
NAMED = ("arg", "id", "name")  # the fields of a syntax tree that hold a name

Names = dict[str, str]  # name -> the one that stands for it; dotted ones too
Sizes = dict[str, Any]  # name -> its value under tiny


def lesson_hash(nb: NotebookNode, tiny: Sizes | None = None) -> str:
    """Hash what a lesson computes to 16 hex digits; `tiny` are its sizes, if not today's."""
    shapes = [shape for _, shape in statements(nb, {}, tiny)]
    return hashlib.sha256(json.dumps(shapes, ensure_ascii=False).encode()).hexdigest()[:16]


def lesson_hashes(root: Path) -> dict[str, str]:
    """Return the hash of each lesson as it is now, by the stem of its source."""
    return {path.stem: lesson_hash(read_source(path)) for path in sources(root)}


def statements(
    nb: NotebookNode, names: Names, tiny: Sizes | None = None
) -> list[tuple[str, list | str]]:
    """Return each statement that counts: its first line, and its syntax tree as nested lists."""
    with_values = WithValues(tiny_sizes(nb) if tiny is None else tiny)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    first = next((i for i, cell in enumerate(code) if "parameters" in tags(cell)), 0)
    found = []
    for cell in code[first:]:
        if LEAVES & set(tags(cell)):
            continue
        try:
            body = with_values.visit(ast.parse(cell.source)).body
        except SyntaxError:  # a line for IPython, such as %pip: taken as it is written
            found.append((cell.source.splitlines()[0], cell.source))
            continue
        lines = cell.source.splitlines()
        found += [(lines[node.lineno - 1], _shape(node, names)) for node in body]
    return [(line, shape) for line, shape in found if shape is not None]


class WithValues(ast.NodeTransformer):
    """Put a size's value under tiny in the place of its name."""

    def __init__(self, tiny: Sizes) -> None:
        self.values = {f"size.{name}": ast.Constant(value) for name, value in tiny.items()}

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """Return the value of `size.NAME` where it is read; anything else as it is."""
        known = isinstance(node.ctx, ast.Load) and self.values.get(ast.unparse(node))
        return known or self.generic_visit(node)


def _shape(node, names: Names):
    """Return a node of a syntax tree as nested lists; None for what is left out."""
    if isinstance(node, list):
        return [s for s in (_shape(item, names) for item in node) if s is not None]
    if not isinstance(node, ast.AST):
        return repr(node)
    if isinstance(node, ast.Import | ast.ImportFrom) or _is_docstring(node):
        return None
    if isinstance(node, ast.Name | ast.Attribute) and (told := ast.unparse(node)) in names:
        return ["named", names[told]]
    fields = ((k, v) for k, v in ast.iter_fields(node) if k not in UNSEEN and v not in (None, []))
    return [
        type(node).__name__,
        *([k, names.get(v, v) if k in NAMED else _shape(v, names)] for k, v in fields),
    ]


def _is_docstring(node: ast.AST) -> bool:
    """Tell whether a statement is nothing but a text."""
    alone = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return alone and isinstance(node.value.value, str)


def carry(
    root: Path, path: Path, commit: str, renamed: list[tuple[str, str]], found: Seeds
) -> list[str]:
    """Take a lesson's values of an earlier source over to the present one; return their seeds.

    `renamed` holds pairs, old and new; one old name may have become several. Raises CourseError
    where the two sources differ in more: then the lesson must be measured anew.
    """
    names: Names = {}
    for old, new in renamed:
        names[new] = names.setdefault(old, old)
    before, now = _source_at(root, path, commit), read_source(path)
    sizes_then = _sizes_at(root, before, commit)
    both = zip_longest(
        statements(before, names, sizes_then), statements(now, names), fillvalue=("", None)
    )
    for (was, old), (line, new) in both:
        if old != new:
            begins = repr((line or was).strip())
            raise CourseError(
                en=f"differs from {commit} in more than the names given, first in the statement "
                f"that begins {begins}. Measure it anew, or name what was renamed: "
                "--renamed old=new",
                zh=f"与 {commit} 相比，不只是所列名称的差别；最先不同的语句以 {begins} 开头。"
                "请重新测量，或补上改了的名称：--renamed 旧名=新名",
                where=f"notebooks/src/{path.name}",
            )
    code, was = found.code.get(path.stem, {}), lesson_hash(before, sizes_then)
    seeds = sorted(seed for seed, made in code.items() if made == was)
    code.update(dict.fromkeys(seeds, lesson_hash(now)))
    return seeds


def _source_at(root: Path, path: Path, commit: str) -> NotebookNode:
    """Read a lesson's source as it was at a commit."""
    name = path.relative_to(root).as_posix()
    text = _at(root, name, commit)
    if text is None:
        raise CourseError(
            en=f"git knows no {commit}:{name}: check the commit",
            zh=f"git 里没有 {commit}:{name}：请检查提交号",
        )
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / path.name
        old.write_bytes(text)
        return read_source(old)


def _sizes_at(root: Path, before: NotebookNode, commit: str) -> Sizes:
    """Return the sizes under tiny of a lesson as they were at a commit."""
    text = _at(root, TABLE.as_posix(), commit)
    if text is None:
        return {}  # older than the table
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / TABLE.name
        old.write_bytes(text)
        return tiny_sizes(before, old)


def _at(root: Path, name: str, commit: str) -> bytes | None:
    """Return a file as it was at a commit, or None where git knows no such file."""
    command = ["git", "-C", str(root), "show", f"{commit}:{name}"]
    git = subprocess.run(command, capture_output=True)
    return None if git.returncode else git.stdout
