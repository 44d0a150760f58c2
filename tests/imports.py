"""Which packages a lesson needs: what its cells import, and what they call in helpers imports."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
Names = dict[str, tuple[str, str]]  # bound name -> the module it is from, its name there or ""


def packages(lesson: Path) -> set[str]:
    """Return the packages that a lesson's code can come to import, all but the standard library.

    It follows names, not values: a helper's function counts once a cell, or a function that
    counts, names it. A module's imports at its top count with the first of its names.
    """
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    todo: list[tuple[ast.AST, Names]] = [(ast.parse(lesson.read_text(encoding="utf-8")), {})]
    while todo:
        node, names = todo.pop()
        here = dict(bound(node))
        found |= {module.split(".")[0] for module, _ in here.values()}
        for place in used(node, names | here):
            if place not in seen:
                seen.add(place)
                todo += defined(*place)
    return found - {"helpers"} - sys.stdlib_module_names


def bound(node: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    """Yield the names that imports in a piece of code bind."""
    for part in ast.walk(node):
        if isinstance(part, ast.Import):
            for alias in part.names:
                yield alias.asname or alias.name.split(".")[0], (alias.name, "")
        elif isinstance(part, ast.ImportFrom):
            for alias in part.names:
                inner = f"{part.module}.{alias.name}"
                place = (inner, "") if statements(inner) else (part.module, alias.name)
                yield alias.asname or alias.name, place


def used(node: ast.AST, names: Names) -> Iterator[tuple[str, str]]:
    """Yield (module, name) of what a piece of code takes from modules."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and names.get(part.id, ("", ""))[1]:
            yield names[part.id]
        elif isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
            module, inner = names.get(part.value.id, ("", ""))
            if module and not inner:
                yield module, part.attr


@cache
def statements(module: str) -> tuple[ast.stmt, ...]:
    """Return the statements of a helper, less what stands there for type hints; () of others."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not (module.startswith("helpers.") and path.is_file()):
        return ()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hints = [s for s in tree.body if isinstance(s, ast.If) and "TYPE_CHECKING" in ast.dump(s.test)]
    return tuple(s for s in tree.body if s not in hints)


def defined(module: str, name: str) -> Iterator[tuple[ast.AST, Names]]:
    """Yield the code behind a name of a helper, with the names that are known there."""
    body = statements(module)
    imports = ast.Module([s for s in body if isinstance(s, ast.Import | ast.ImportFrom)], [])
    known: Names = {}
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            made = {statement.name}
        else:
            stores = (n for n in ast.walk(statement) if isinstance(n, ast.Name))
            made = {n.id for n in stores if isinstance(n.ctx, ast.Store)}
        known |= {n: (module, n) for n in made}
    known |= dict(bound(imports))
    yield imports, {}
    yield ast.Name(name, ast.Load()), known  # a name that this module has from another
    for statement in body:
        if getattr(statement, "name", None) == name or (
            isinstance(statement, ast.Assign | ast.AnnAssign)
            and name in {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}
        ):
            yield statement, known
