"""Tell whether a lesson still computes what it did: a hash of its code, blind to how it is written.

`lesson_hash` takes the syntax trees of the code's statements. It leaves out what changes no value:
comments, formatting, docstrings, import lines, where a cell ends, the cells before the parameters
(the bootstrap), and exercises with their checks, on which nothing depends. What a helper does
inside is not seen by it.

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

from nbformat import NotebookNode

from helpers.base import CourseError
from tools.ledger.seeds import Seeds
from tools.nbkit.source import read_source, sources, tags

LEAVES = {"exercise", "check"}
UNSEEN = (
    "ctx",
    "kind",
    "type_comment",
)  # of a syntax tree: says nothing that is not said elsewhere
NAMED = ("arg", "id", "name")  # the fields of a syntax tree that hold a name

Names = dict[str, str]  # name -> the one that stands for it; dotted ones too


def lesson_hash(nb: NotebookNode) -> str:
    """Hash what a lesson computes to 16 hex digits."""
    shapes = [shape for _, shape in statements(nb, {})]
    return hashlib.sha256(json.dumps(shapes, ensure_ascii=False).encode()).hexdigest()[:16]


def lesson_hashes(root: Path) -> dict[str, str]:
    """Return the hash of each lesson as it is now, by the stem of its source."""
    return {path.stem: lesson_hash(read_source(path)) for path in sources(root)}


def statements(nb: NotebookNode, names: Names) -> list[tuple[str, list | str]]:
    """Return each statement that counts: its first line, and its syntax tree as nested lists."""
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    first = next((i for i, cell in enumerate(code) if "parameters" in tags(cell)), 0)
    found = []
    for cell in code[first:]:
        if LEAVES & set(tags(cell)):
            continue
        try:
            body = ast.parse(cell.source).body
        except SyntaxError:  # a line for IPython, such as %pip: taken as it is written
            found.append((cell.source.splitlines()[0], cell.source))
            continue
        lines = cell.source.splitlines()
        found += [(lines[node.lineno - 1], _shape(node, names)) for node in body]
    return [(line, shape) for line, shape in found if shape is not None]


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
    both = zip_longest(statements(before, names), statements(now, names), fillvalue=("", None))
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
    code, was = found.code.get(path.stem, {}), lesson_hash(before)
    seeds = sorted(seed for seed, made in code.items() if made == was)
    code.update(dict.fromkeys(seeds, lesson_hash(now)))
    return seeds


def _source_at(root: Path, path: Path, commit: str) -> NotebookNode:
    """Read a lesson's source as it was at a commit."""
    name = f"{commit}:{path.relative_to(root).as_posix()}"
    git = subprocess.run(["git", "-C", str(root), "show", name], capture_output=True)
    if git.returncode:
        raise CourseError(
            en=f"git knows no {name}: check the commit",
            zh=f"git 里没有 {name}：请检查提交号",
        )
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / path.name
        old.write_bytes(git.stdout)
        return read_source(old)
