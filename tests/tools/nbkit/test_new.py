"""`nb.py new`: what it makes passes the rules at once; what it cannot make it refuses whole."""

import csv
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.lessons import sizes
from helpers.measure.ledger import VERDICTS, ledger
from tools import nb
from tools.nbkit import source
from tools.nbkit.check import check
from tools.nbkit.new import add_row

ROOT = Path(__file__).resolve().parents[3]
COPIED = ["notebooks/bootstrap.py", "data/claims.csv", "data/sizes.csv", "pyproject.toml"]
MADE = [
    "notebooks/src/91_toy.py",
    "helpers/lessons/nb91.py",
    "tests/lessons/test_exercises_91.py",
    "data/claims.csv",
    "data/sizes.csv",
    "notebooks/91_toy.ipynb",
]


@pytest.fixture
def course(tmp_path):
    """Return a course without lessons."""
    for name in COPIED:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def new(root, number="91", slug="toy", title="A toy ｜ 玩具课") -> int:
    """Make a lesson as a user does."""
    return nb.main(["--root", str(root), "new", number, slug, "--title", title])


def files(root) -> dict[str, str]:
    """Return the text of each file of a course."""
    return {
        p.relative_to(root).as_posix(): p.read_text("utf-8") for p in root.rglob("*") if p.is_file()
    }


def test_a_new_lesson_passes_the_rules_at_once(course, capsys):
    assert new(course) == 0
    said = capsys.readouterr().out
    assert all(f"  {name}\n" in said for name in MADE)
    assert set(files(course)) == {*COPIED, *MADE}
    assert check(course, draft=True) == []
    left = check(course)
    assert any("outputs are not of this code" in line for line in left)
    todo = [line for line in left if "stands here still" in line]
    assert len(todo) > 5 and any(line.startswith("data/claims.csv:") for line in todo)
    assert len(left) == len(todo) + 1, left


def test_its_claim_stands_in_the_ledger_and_the_lesson_measures_it(course):
    before = ledger(course / "data" / "claims.csv")
    assert new(course) == 0
    claims = ledger(course / "data" / "claims.csv")
    (made,) = claims.keys() - before.keys()
    assert claims[made].notebook == "91_toy" and claims[made].verdict in VERDICTS
    assert f'claim("{made}", ' in source.code_text(course / MADE[0])
    assert {k: c for k, c in claims.items() if k != made} == before


def test_what_it_writes_is_formatted(course):
    assert new(course) == 0
    for command in (["format", "--check"], ["check"]):
        ruff = [sys.executable, "-m", "ruff", *command, *MADE[:3]]
        done = subprocess.run(ruff, cwd=course, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_answers_pass_their_tests(course):
    assert new(course) == 0
    for name in ("helpers", "tests/lessons/conftest.py"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        more = {"dirs_exist_ok": True} if (ROOT / name).is_dir() else {}
        copy(ROOT / name, course / name, **more)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", MADE[2]], cwd=course, capture_output=True, text=True
    )
    assert done.returncode == 0 and "5 passed" in done.stdout, done.stdout


def test_its_badges_lead_to_the_repository_of_the_bootstrap_cell(course):
    page = course / "notebooks" / "bootstrap.py"
    text = page.read_text(encoding="utf-8")
    page.write_text(
        re.sub(r'REPO = "[^"]+"', 'REPO = "https://github.com/ann/a-course"', text),
        encoding="utf-8",
    )
    assert new(course) == 0
    first = source.read_source(course / MADE[0]).cells[0].source
    assert first.count("ann/a-course/blob/main/notebooks/91_toy.ipynb") == 2


@pytest.mark.parametrize("title", ["A toy ｜ 玩具课", "A toy | 玩具课", "A toy｜玩具课"])
def test_the_bar_may_be_typed_in_any_way(course, title):
    assert new(course, title=title) == 0
    assert "\n# # 91. A toy ｜ 玩具课\n" in (course / MADE[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        ({"number": "5"}, "'5' is no lesson's number: give two digits, such as 05 ｜ '5' 不能作"),
        ({"number": "٠٥"}, "is no lesson's number"),
        ({"slug": "My-Toy"}, "'My-Toy' is no name for a file: small letters"),
        ({"slug": "../toy"}, "is no name for a file"),
        (
            {"title": ""},
            "the title '' is not in both languages: --title \"English ｜ 中文\" ｜ 标题",
        ),
        ({"title": "A toy"}, "is not in both languages"),
        ({"title": "A toy ｜ toy"}, "is not in both languages"),
        ({"title": "A ｜ 玩具 ｜ 课"}, "is not in both languages"),
        ({"title": "A toy ｜ 玩\n具"}, "is not in both languages"),
    ],
)
def test_a_bad_name_is_refused(course, capsys, asked, heard):
    before = files(course)
    assert new(course, **asked) == 1
    assert heard in capsys.readouterr().err
    assert files(course) == before


def test_nothing_is_overwritten(course, capsys):
    assert new(course) == 0
    before = files(course)
    assert new(course, slug="other") == 1
    assert "notebooks/src/91_toy.py: lesson 91 is there already" in capsys.readouterr().err
    assert new(course, number="92") == 1
    assert "a claim toy_form is there already" in capsys.readouterr().err
    assert files(course) == before
    (course / "helpers" / "lessons" / "nb92.py").touch()
    assert new(course, number="92", slug="other") == 1
    told = capsys.readouterr().err
    assert (
        "nothing written: helpers/lessons/nb92.py would be overwritten" in told
        and "会被覆盖" in told
    )
    assert not (course / "notebooks" / "src" / "92_other.py").exists()
    (course / "helpers" / "lessons" / "nb92.py").unlink()
    add_row(course / sizes.TABLE, {"lesson": "92", "name": "rows", "en": "rows", "zh": "行"})
    assert new(course, number="92", slug="other") == 1
    assert "data/sizes.csv: nothing written: sizes of lesson 92" in capsys.readouterr().err


def test_its_sizes_are_in_the_table_and_the_lesson_uses_them(course):
    before = sizes.read(course / sizes.TABLE)
    assert new(course) == 0
    after = sizes.read(course / sizes.TABLE)
    (row,) = after.pop("91")
    assert after == before
    code = source.code_text(course / MADE[0])
    assert f"size.{row.name}]" in code and 'sizes.of("91", setup)' in code


def test_a_row_follows_the_columns_of_the_ledger(tmp_path):
    path = tmp_path / "claims.csv"
    path.write_text('verdict,id,later\n"a, b",one,x', encoding="utf-8")
    add_row(path, {"id": "two", "verdict": 'say "c"', "unit": "%"})
    with path.open(encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["verdict", "id", "later"], ["a, b", "one", "x"], ['say "c"', "two", ""],
        ]  # fmt: skip
