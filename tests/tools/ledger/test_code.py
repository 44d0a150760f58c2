"""The hash of what a lesson computes: blind to writing, awake to every change of code."""

import subprocess

import pytest

from helpers.base import CourseError
from helpers.lessons import sizes
from tools.ledger import seeds
from tools.ledger.__main__ import main
from tools.ledger.code import lesson_hash
from tools.nbkit.source import code_hash, read_source

LESSON = '''\
# %%
import os

ROOT = os.getcwd()

# %% tags=["parameters"]
PROFILE = "auto"

# %% [markdown]
# Some words.

# %%
from helpers.retrieval import found


def near(rows, k=3):
    """Return what is near."""
    return [found(row, k) for row in rows]  # one by one


# %%
print(near([1, 2]))

# %% tags=["exercise"]
def yours():
    ...

# %% tags=["check"]
print(yours())
'''


@pytest.fixture
def hashed(tmp_path):
    """Return a function that hashes a lesson's text."""

    def of(text: str) -> str:
        path = tmp_path / "90_toy.py"
        path.write_text(text, encoding="utf-8")
        return lesson_hash(read_source(path))

    return of


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from helpers.retrieval import found", "from helpers.bm25 import found"),
        ("def near", "import json\n\n\ndef near"),
        ("    return [", "    import math\n\n    return ["),
        ("  # one by one", ""),
        ('    """Return what is near."""\n', ""),
        (
            "[found(row, k) for row in rows]",
            "[\n        found(row, k)\n        for row in rows\n    ]",
        ),
        ("from helpers.retrieval import found\n", "from helpers.retrieval import found\n\n# %%\n"),
        ("ROOT = os.getcwd()", "ROOT = os.path.curdir"),
        ("def yours():\n    ...", "def yours(a):\n    return a"),
        ("print(yours())", "print(yours(1))"),
        ("Some words", "Other words"),
    ],
)
def test_what_changes_no_value_changes_no_hash(hashed, old, new):
    assert old in LESSON
    assert hashed(LESSON.replace(old, new)) == hashed(LESSON)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("k=3", "k=4"),
        ("[1, 2]", "[1, 3]"),
        ("found(row, k)", "found(row)"),
        ("found(row, k)", "found(k, row)"),
        ("found(row", "hit_at_k(row"),
        ('"auto"', '"tiny"'),
        ("[found(row, k) for row in rows]", "{found(row, k) for row in rows}"),
        ("print(near([1, 2]))", "print(near([1, 2]))\nprint(near([1, 2]))"),
        ("[1, 2]", "{**{}}"),
    ],
)
def test_what_may_change_a_value_changes_the_hash(hashed, old, new):
    assert old in LESSON
    assert hashed(LESSON.replace(old, new)) != hashed(LESSON)


def test_a_line_for_ipython_is_taken_as_it_is(hashed):
    with_line = LESSON.replace("print(near", "%pip install x\nprint(near")
    assert hashed(with_line) not in (hashed(LESSON), hashed(with_line.replace("x\n", "y\n")))


# --- sizes ---------------------------------------------------------------------------------------

SIZED = LESSON + '\n# %%\nsize = sizes.of("90", setup)\nprint(near([1], size.k))\nsize.k = 1\n'
ROW = "90,k,neighbours,邻居,1,3,2,4,5"


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Return a function that writes the course's table of sizes, of these rows."""
    monkeypatch.setattr("tools.nbkit.source.root", lambda: tmp_path)
    path = tmp_path / sizes.TABLE
    path.parent.mkdir()

    def write(*rows: str) -> None:
        path.write_text("\n".join([",".join(sizes.COLUMNS), *rows]) + "\n", encoding="utf-8")

    write(ROW)
    return write


def test_a_size_stands_for_its_value_under_tiny(hashed, table, tmp_path):
    def both() -> tuple[str, str]:
        mine = hashed(SIZED)
        return mine, code_hash(read_source(tmp_path / "90_toy.py"))

    before = both()
    table(ROW.replace("neighbours", "how many"), ROW.replace("90,", "91,"))
    assert both() == before, "words and other lessons change nothing"
    table(ROW.replace(",2,4,5", ",9,9,9"))
    assert both() == before, "values are measured under tiny alone"
    table(ROW.replace(",3,", ",4,"))
    assert not {*both()} & {*before}
    table(ROW)
    written = SIZED.replace("near([1], size.k)", "near([1], 3)")
    assert hashed(written) == before[0]


def test_a_list_and_the_whole_are_values_too(hashed, table):
    found = []
    for value in ("", "3", "3 4", "3 5"):
        table(ROW.replace(",3,", f",{value},"))
        found.append(hashed(SIZED))
    assert len(set(found)) == 4


# --- a rename -------------------------------------------------------------------------------------


@pytest.fixture
def history(toy, monkeypatch):
    """Return the toy course in git: a value measured with its first commit, and a function to edit.

    The function writes the lesson's present text, a replacement of the committed one.
    """
    monkeypatch.setattr(seeds, "fingerprint", lambda: "f00d")
    text = toy.source.read_text(encoding="utf-8") + "\n# %%\nfound = near(x)\nprint(found, found)\n"
    toy.source.write_text(text, encoding="utf-8")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=toy.root, check=True)
    made = lesson_hash(read_source(toy.source))
    found = seeds.Seeds({"toy_sum": {"0": 5.0, "1": 5.0}}, {"90_toy": {"0": made, "1": "x"}}, {})
    seeds.keep(toy.root, found, ["toy_sum"])

    def edit(*pairs: tuple[str, str]) -> None:
        new = text
        for old, name in pairs:
            assert old in new
            new = new.replace(old, name, 1)
        toy.source.write_text(new, encoding="utf-8")

    return edit


def carried(toy, *renamed: str) -> int:
    """Run `carry` from the first commit."""
    names = ["--renamed", *renamed] if renamed else []
    return main(["--root", str(toy.root), "carry", "90", "--from", "HEAD", *names])


def test_values_are_carried_over_a_rename(toy, history, capsys):
    history(("near(x)", "hit_at_k(x)"))
    now = lesson_hash(read_source(toy.source))
    assert carried(toy) == 1
    said = capsys.readouterr().err
    assert "differs from HEAD in more than the names given" in said
    assert "begins 'found = hit_at_k(x)'" in said and "请重新测量" in said
    assert carried(toy, "near=hit_at_k") == 0
    assert "values carried, seeds 0 ｜" in capsys.readouterr().out
    assert seeds.read(toy.root).code == {"90_toy": {"0": now, "1": "x"}}, "1 was of other code"


def test_one_name_may_become_two_and_a_dotted_name_another(toy, history):
    history(("found = near(x)", "a = b = c.d(x)"))
    assert carried(toy, "found=a", "near=c.d") == 1, "one more target"
    history(("found = near(x)\nprint(found, found)", "a = c.d(x)\nprint(a, b)"))
    assert carried(toy, "found=a", "near=c.d") == 1
    assert carried(toy, "found=a", "found=b", "near=c.d") == 0


def test_a_change_is_not_passed_off_as_a_rename(toy, history, capsys):
    history(("near(x)", "near(y)"))
    assert carried(toy, "near=hit_at_k") == 1
    history(("print(found, found)", "print(found)"))
    assert carried(toy, "near=hit_at_k") == 1
    assert seeds.read(toy.root).code["90_toy"]["1"] == "x"


def test_a_size_that_changed_is_not_passed_off_as_a_rename(toy, history, table, tmp_path, capsys):
    # the toy course lies in a folder of its own; its sizes are those that its commit holds
    here = toy.root / sizes.TABLE
    table_text = (tmp_path / sizes.TABLE).read_text(encoding="utf-8")
    history(("x, y = 2, 3", 'size = sizes.of("90", setup)\nx, y = 2, size.k'))
    here.write_text(table_text, encoding="utf-8")
    made = lesson_hash(read_source(toy.source))
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    for command in (["add", "."], [*identity, "commit", "-qm", "sizes"]):
        subprocess.run(["git", *command], cwd=toy.root, check=True)
    found = seeds.Seeds({"toy_sum": {"0": 5.0}}, {"90_toy": {"0": made}}, {})
    seeds.keep(toy.root, found, ["toy_sum"])
    assert carried(toy) == 0
    table(ROW.replace(",3,", ",4,"))
    assert carried(toy) == 1
    assert "differs from HEAD" in capsys.readouterr().err


def test_an_unknown_commit_is_named(toy, history, capsys):
    args = ["--root", str(toy.root), "carry", "90", "--from", "nowhere"]
    assert main(args) == 1
    assert "git knows no nowhere:notebooks/src/90_toy.py" in capsys.readouterr().err


def test_a_commit_is_no_option_of_git(toy, history):
    args = ["--root", str(toy.root), "carry", "90", "--from=--output=stolen"]
    with pytest.raises(CourseError):
        from tools.ledger.code import _source_at

        _source_at(toy.root, toy.source, "--output=stolen")
    assert main(args) == 1
