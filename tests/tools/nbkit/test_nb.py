"""Building, solving, running, committing, pulling and splitting the toy course."""

import json

import nbformat
import pytest

from helpers.base import CourseError
from tools.nbkit import source as src
from tools.nbkit.exercises import solve
from tools.nbkit.languages import one_language, pull, reduce
from tools.nbkit.outputs import clean, commit


def test_build_is_deterministic_and_clean(toy):
    toy.build()
    first = toy.notebook.read_bytes()
    toy.notebook.unlink()
    toy.build()
    assert toy.notebook.read_bytes() == first
    toy.build()
    assert toy.notebook.read_bytes() == first
    nb = json.loads(first)
    assert nb["metadata"]["kernelspec"]["name"] == "python3"
    assert set(nb["metadata"]) == {"kernelspec", "language_info"}
    assert len({c["id"] for c in nb["cells"]}) == len(nb["cells"]) == 13


def test_ids_stay_when_a_cell_is_put_in_front(toy):
    ids = [c.id for c in src.build(src.read_source(toy.source)).cells]
    toy.edit("# %% [markdown]\n# ## 1.", "# %%\nnew = 1\n\n# %% [markdown]\n# ## 1.")
    assert set(ids) < {c.id for c in src.build(src.read_source(toy.source)).cells}


def test_equal_cells_get_different_ids(toy):
    toy.edit("# %% [markdown]\n# ## 1.", "# %%\nz = 1\n\n# %%\nz = 1\n\n# %% [markdown]\n# ## 1.")
    ids = [c.id for c in src.build(src.read_source(toy.source)).cells]
    assert len(ids) == len(set(ids))


def test_a_cell_with_a_title_is_folded_everywhere_and_pulled_back_as_it_was(toy):
    toy.edit("x, y = 2, 3\n", "# @title Add ｜ 相加\nx, y = 2, 3\n")
    toy.build()
    text = toy.source.read_bytes()
    cells = {c.source.split("\n")[0]: c for c in src.read_notebook(toy.notebook).cells}
    assert cells.pop("# @title Add ｜ 相加").metadata == src.FOLD
    assert not [c for c in cells.values() if "jupyter" in c.metadata]
    assert toy.problems() == []
    assert pull(toy.source) is False and toy.source.read_bytes() == text
    toy.notebook.write_text(toy.notebook.read_text("utf-8").replace("x, y = 2, 3", "x, y = 4, 3"))
    assert pull(toy.source) is True
    pulled = toy.source.read_text("utf-8")
    assert "# @title Add ｜ 相加\nx, y = 4, 3\n" in pulled and "source_hidden" not in pulled


def test_the_course_address_does_not_make_outputs_stale(toy):
    toy.edit("x, y = 2, 3", 'x, y = 2, 3\nREPO = ""')
    unset = src.code_hash(src.read_source(toy.source))
    toy.edit('REPO = ""', 'REPO = "https://github.com/ann/a-course"')
    assert src.code_hash(src.read_source(toy.source)) == unset
    toy.edit("REPO =", "PLACE =")
    assert src.code_hash(src.read_source(toy.source)) != unset


def test_lessons_are_named_by_number_or_stem(toy):
    for name in ("90", "90_toy", "notebooks/src/90_toy.py"):
        assert src.sources(toy.root, [name]) == [toy.source]
    with pytest.raises(CourseError, match=r"no lesson '12'.*没有课程"):
        src.sources(toy.root, ["12"])


def test_broken_notebook_file_is_named(toy):
    toy.notebook.write_text("not json", encoding="utf-8")
    with pytest.raises(CourseError, match=r"90_toy\.ipynb: not a notebook"):
        src.read_notebook(toy.notebook)


def test_solved_notebook_takes_the_published_solution(toy):
    nb = src.read_source(toy.source)
    solved = solve(nb, "90_toy.py")
    changed = [i for i, (a, b) in enumerate(zip(nb.cells, solved.cells, strict=True)) if a != b]
    assert changed == [9]
    assert solved.cells[9].source.endswith("return a + b")


def test_exercise_without_solution_cannot_be_solved(toy):
    toy.edit(' tags=["solution"]', "")
    with pytest.raises(CourseError, match="cell 10: no solution"):
        solve(src.read_source(toy.source), "90_toy.py")


def test_outputs_are_cleaned():
    from nbformat.v4 import new_output

    view = {"application/vnd.jupyter.widget-view+json": {}, "text/plain": "interactive(…)"}
    kept = clean(
        [
            new_output("stream", name="stdout", text="1%\r50%\r100%\n"),
            new_output("stream", name="stdout", text="done\n"),
            new_output("display_data", data=view),
            new_output("execute_result", data={"text/plain": "5"}, execution_count=7),
        ]
    )
    assert [o.output_type for o in kept] == ["stream", "execute_result"]
    assert kept[0].text == "100%\ndone\n"
    assert kept[1].execution_count is None


def test_commit_refuses_noise(toy):
    toy.build()
    nb = src.read_notebook(toy.notebook)
    nb.cells[6].outputs = [nbformat.v4.new_output("stream", name="stderr", text="UserWarning: x")]
    nb.metadata["course"] = {
        "code_hash": src.code_hash(nb), "complete": True, "profile": "tiny", "solved": False,
        "date": "", "minutes": 1, "peak_gb": 1, "versions": {}, "claims": {},
    }  # fmt: skip
    ran = toy.root / "ran.ipynb"
    ran.write_text(src.to_text(nb), encoding="utf-8")
    before = toy.notebook.read_bytes()
    with pytest.raises(CourseError, match=r"cell 7: a warning .*单元格 7：输出里有警告"):
        commit(toy.source, ran)
    assert toy.notebook.read_bytes() == before


def test_pull_takes_an_edit_back_and_only_that(toy):
    toy.build()
    before = toy.source.read_bytes()
    assert pull(toy.source) is False
    assert toy.source.read_bytes() == before
    nb = src.read_notebook(toy.notebook)
    nb.cells[6].source = "x, y = 20, 30\nprint(x + y)"
    toy.notebook.write_text(src.to_text(nb), encoding="utf-8")
    assert pull(toy.source) is True
    cells = src.read_source(toy.source).cells
    assert cells[6].source == "x, y = 20, 30\nprint(x + y)"
    assert len(cells) == 13
    assert [dict(c.metadata) for c in cells] == [dict(c.metadata) for c in nb.cells]
    assert not toy.source.read_text(encoding="utf-8").startswith("# ---")


def test_one_language_keeps_everything_else(toy):
    nb = src.build(src.read_source(toy.source))
    en, zh = one_language(nb, "en"), one_language(nb, "zh")
    assert len(en.cells) == len(zh.cells) == 11
    assert en.cells[0].source.startswith("# 90. A toy\n")
    assert zh.cells[0].source.startswith("# 90. 玩具课\n")
    assert "<summary>参考答案</summary>" in zh.cells[-2].source
    prose = "".join(c.source for c in en.cells if c.cell_type == "markdown")
    assert not any("\u4e00" <= c <= "\u9fff" for c in prose)
    assert [c for c in en.cells if c.cell_type == "code"] == [
        c for c in nb.cells if c.cell_type == "code"
    ]


@pytest.mark.parametrize(
    ("line", "en", "zh"),
    [
        ("## 3. Train ｜ 训练", "## 3. Train", "## 3. 训练"),
        ("| a ｜ 甲 | b ｜ 乙 |", "| a | b |", "| 甲 | 乙 |"),
        ("- one ｜ 一", "- one", "- 一"),
        ("1. one ｜ 一", "1. one", "1. 一"),
        ("plain", "plain", "plain"),
    ],
)
def test_reduce_a_line(line, en, zh):
    assert reduce(line, "en") == en
    assert reduce(line, "zh") == zh
