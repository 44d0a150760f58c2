"""The course's address: set everywhere at once, the same a second time, gone without a trace."""

import re
import shutil

import pytest

from helpers.base import CourseError
from tools import nb
from tools.nbkit import address, source

ANN = "https://github.com/ann/a-course"
BEN = "https://github.com/ben/course.nb"
README = "# A course\n<!-- fetch:start -->\nstale\n<!-- fetch:end -->\nbelow\n"


@pytest.fixture
def course(toy):
    """Return the toy course with a bootstrap cell that holds an address, a README and outputs."""
    import nbformat

    cell = toy.root / "notebooks" / "bootstrap.py"
    text = cell.read_text(encoding="utf-8")
    cell.write_text(f'REPO = ""\n{text}', encoding="utf-8")
    toy.edit(text, f'REPO = ""\n{text}')
    toy.edit("# ![badge](https://example.org/badge.svg)\n#\n", "")
    (toy.root / "README.md").write_text(README, encoding="utf-8")
    toy.build()
    made = source.read_notebook(toy.notebook)
    code = [c for c in made.cells if c.cell_type == "code"]
    code[2].outputs = [nbformat.v4.new_output("stream", name="stdout", text="5\n")]
    made.metadata["course"] = {"code_hash": source.code_hash(made)}
    toy.notebook.write_text(source.to_text(made), encoding="utf-8")
    return toy


def badges(course, place=None) -> int:
    return nb.main(["--root", str(course.root), "badges", *(["--address", place] if place else [])])


def texts(course) -> dict[str, str]:
    found = [p for p in course.root.rglob("*") if p.is_file()]
    return {p.relative_to(course.root).as_posix(): p.read_text("utf-8") for p in found}


def test_an_address_is_set_everywhere_and_a_second_time_changes_nothing(course, capsys):
    address.stamp(course.root, "none")
    unset = texts(course)
    assert not [name for name, text in unset.items() if "github" in text]
    assert badges(course, ANN) == 0
    once, said = texts(course), capsys.readouterr().out
    changed = {name for name in once if once[name] != unset[name]}
    assert changed == {
        "README.md", "notebooks/bootstrap.py", "notebooks/src/90_toy.py", "notebooks/90_toy.ipynb",
    }  # fmt: skip
    assert all(f"  {name}\n" in said for name in changed)
    assert f'REPO = "{ANN}"' in once["notebooks/bootstrap.py"]
    assert f"git clone {ANN}\ncd a-course\n" in once["README.md"]
    assert once["README.md"].endswith("<!-- fetch:end -->\nbelow\n")
    first = source.read_source(course.source).cells[0].source
    assert re.findall(r"\]\(([^)]+\.ipynb)\)", first) == [
        "https://colab.research.google.com/github/ann/a-course/blob/main/notebooks/90_toy.ipynb",
        f"https://kaggle.com/kernels/welcome?src={ANN}/blob/main/notebooks/90_toy.ipynb",
    ]
    assert badges(course, f" {ANN}.git/") == 0 and texts(course) == once
    assert course.problems() == []
    assert badges(course, BEN) == 0
    assert not [name for name, text in texts(course).items() if "ann" in text]
    assert badges(course, "none") == 0 and texts(course) == unset


def test_outputs_stay(course):
    badges(course, ANN)
    made = source.read_notebook(course.notebook)
    assert [o.text for c in made.cells for o in c.get("outputs", [])] == ["5\n"]
    assert f'REPO = "{ANN}"' in made.cells[3].source


def test_without_an_address_it_only_tells(course, capsys):
    before = texts(course)
    assert badges(course) == 0 and texts(course) == before
    assert "no address is set" in capsys.readouterr().out
    badges(course, ANN)
    assert badges(course) == 0 and f"address is {ANN}" in capsys.readouterr().out


@pytest.mark.parametrize(
    "bad", ["ann/a-course", "https://github.com/ann", "http://github.com/a/b", f"{ANN}/tree/main"]
)
def test_what_is_no_address_is_refused_and_nothing_written(course, capsys, bad):
    before = texts(course)
    assert badges(course, bad) == 1
    assert "is no repository" in capsys.readouterr().err and texts(course) == before


def test_missing_places_are_named(course):
    page = course.root / "README.md"
    page.write_text("nothing", encoding="utf-8")
    with pytest.raises(CourseError, match=r"README\.md: the markers"):
        address.stamp(course.root, ANN)
    shutil.copy(course.source, course.root / "notebooks" / "bootstrap.py")
    course.edit('REPO = ""', 'PLACE = ""')
    shutil.copy(course.source, course.root / "notebooks" / "bootstrap.py")
    with pytest.raises(CourseError, match="no line REPO"):
        address.read(course.root)
