"""A course small enough to break on purpose."""

import shutil
from pathlib import Path

import pytest

FIXTURE = Path(__file__).parent / "nbkit" / "fixtures" / "course"


class Toy:
    """A copy of the toy course, to edit and check."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source = root / "notebooks" / "src" / "90_toy.py"
        self.notebook = root / "notebooks" / "90_toy.ipynb"

    def edit(self, old: str, new: str) -> None:
        """Replace text that must be there."""
        text = self.source.read_text(encoding="utf-8")
        assert old in text, old
        self.source.write_text(text.replace(old, new), encoding="utf-8")

    def problems(self, draft: bool = True) -> list[str]:
        """List what `check` complains about."""
        from tools.nbkit.check import check

        return check(self.root, draft=draft)

    def build(self) -> None:
        """Build the notebook."""
        from tools import nb

        assert nb.main(["--root", str(self.root), "build"]) == 0


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    """Return a fresh copy of the toy course."""
    shutil.copytree(FIXTURE, tmp_path / "course")
    return Toy(tmp_path / "course")


@pytest.fixture
def finished(toy: Toy) -> Toy:
    """Return the toy course as if it had been run: outputs made by its code."""
    import nbformat

    from tools.nbkit import source

    nb = source.build(source.read_source(toy.source))
    code = [c for c in nb.cells if c.cell_type == "code"]
    code[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="auto, 0: 5\n")]
    nb.metadata["course"] = {"code_hash": source.code_hash(nb)}
    toy.notebook.write_text(source.to_text(nb), encoding="utf-8")
    return toy
