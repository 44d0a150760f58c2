"""Every rule of `nb.py check`: silent on the toy course, and heard when it is broken."""

import json
import re

import pytest

WORDS = " ".join(["word"] * 121)


def test_good_lesson_has_no_problems(finished):
    assert finished.problems(draft=False) == []


BROKEN = {
    "title": ("# # 90. A toy ｜ 玩具课", "# # A toy ｜ 玩具课", 'must open with “# 90.'),
    "no promise": ("# You add two numbers. ｜ 你来把两个数相加。", "# `x`", "the promise in one"),
    "title in one language": ("# # 90. A toy ｜ 玩具课", "# # 90. A toy", "must open with"),
    "heading not bilingual": ("# ## 1. Add ｜ 相加", "# ## 1. Add", "is not bilingual"),
    "heading without Chinese": ("# ## 1. Add ｜ 相加", "# ## 1. Add ｜ plus", "is not bilingual"),
    "heading in a twin": ("# Your turn: write", "# ## Mine\n#\n# Write", "a cell of its own"),
    "stale twin": ("# Your turn: write `add`", "# Now you: write `add`", "look at it again"),
    "no hash": (' of="3bde81e2"', "", "look at it again"),
    "no Chinese twin": ('lang="zh" of="3bde81e2"', 'lang="en"', "no Chinese twin"),
    "no English": ('# %% [markdown] lang="en"\n# Your', "# %% [markdown]\n# Your", "no English"),
    "unknown language": ('lang="zh" of="3bde81e2"', 'lang="fr"', "use en or zh"),
    "inline code": ("写出 `add`", "写出 `sub`", "differ in inline code"),
    "inline code missing": ("写出 `add`", "写出函数", "differ in inline code"),
    "formula": ("公式 $x + y$", "公式 $x - y$", "differ in formulas"),
    "link": ("[另一项](https://example.org)", "[另一项](https://example.com)", "links and images"),
    "link to nowhere": ("You add two", "You [add](91_gone.ipynb) two", "91_gone.ipynb leads"),
    "picture from nowhere": ("You add two", "You ![add](img/a.png) two", "img/a.png leads"),
    "link out of the course": ("You add two", "You [add](../../..) two", "../../.. leads"),
    "list": ("# - 一项\n", "", "lengths of the lists"),
    "heading count": ("# 轮到你了", "# ### 练习\n#\n# 轮到你了", "differ in headings"),
    "no Chinese in the Chinese": ("轮到你了：写出 `add`。", "`add`", "no Chinese in it"),
    "half-width punctuation": ("轮到你了：", "轮到你了:", "half-width punctuation"),
    "no space": ("这一课只用来", "这一课只用来试AI和", "no space between"),
    "one language in a shared cell": ("You add two numbers. ｜ 你来把两个数相加。",
                                      "You add two numbers.", "is in one language"),
    "too many words": ("# Your turn: write `add`.", f"# {WORDS}", "121 English words"),
    "long code": ("x, y = 2, 3\n", "x, y = 2, 3\n" * 30, "31 lines of code"),
    "parameters not second": ("# %%\nimport os", "# %%\nx = 1\n\n# %%\nimport os", "parameters"),
    "no parameters": (' tags=["parameters"]', "", "parameters"),
    "unknown tag": ('tags=["parameters"]', 'tags=["parameters", "exercize"]', "unknown tag"),
    "no check": (' tags=["check"]', "", "no solution"),
    "no solution": (' tags=["solution"]', "", "no solution"),
    "solution without python": ("# ```python", "# ```", "no solution"),
    "stub is the solution": ("    ...", "    return a + b", "are the same"),
    "lone check": (' tags=["exercise"]', "", "must follow one tagged exercise"),
    "folded in one language": ("x, y = 2, 3\n", "# @title Add\nx, y = 2, 3\n", "folded cell"),
    "bootstrap": ("import os\n", "import os  # mine\n", "bootstrap.py"),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "heard"), BROKEN.values(), ids=BROKEN)
def test_broken_source_is_heard(finished, old, new, heard):
    finished.edit(old, new)
    found = finished.problems()
    assert any(heard in line for line in found), found
    assert all(re.match(r"notebooks/src/90_toy\.py:\d+ \(cell \d+\): .+ ｜ .+", p) for p in found)


def test_place_names_the_line_of_the_cell(finished):
    finished.edit("公式 $x + y$", "公式 $x$")
    (problem,) = finished.problems()
    line = int(re.search(r":(\d+) ", problem)[1])
    text = finished.source.read_text(encoding="utf-8").split("\n")
    assert text[line - 1].startswith('# %% [markdown] lang="zh"')


def test_chinese_quotation_may_stand_for_an_english_one(finished):
    from tools.nbkit.twins import differences

    assert list(differences("Write `Fine: 200 yuan`.", "写 `罚款：200元`。")) == []
    assert list(differences("Write `Fine: 200 yuan` and `x`.", "写 `罚款：200元`。"))
    assert list(differences(r"$\text{loss} = x$", r"$\text{损失} = x$")) == []


FILES = ["bootstrap.py", "src/90_toy.py#L3", "../data/claims.csv", "../data", "#1.-Add"]
SITES = ["https://example.org/gone.ipynb", "mailto:ann@example.org", "//example.org/x"]


@pytest.mark.parametrize("link", FILES + SITES)
def test_links_to_files_that_are_there_and_to_other_sites_are_left_alone(finished, link):
    finished.edit("You add two numbers.", f"You [add]({link}) two numbers.")
    assert finished.problems() == []


def test_link_with_a_space_is_read_as_a_browser_reads_it(finished):
    (finished.root / "data" / "two words.csv").touch()
    finished.edit("You add two numbers.", "You [add](../data/two%20words.csv) two numbers.")
    assert finished.problems() == []


def change_notebook(toy, change) -> None:
    nb = json.loads(toy.notebook.read_text(encoding="utf-8"))
    change(nb)
    toy.notebook.write_text(json.dumps(nb), encoding="utf-8")


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def output(made):
    def change(nb):
        next(c for c in nb["cells"] if c["cell_type"] == "code")["outputs"] = [made]

    return change


ERROR = {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": []}
HOME = "/".join(["", "home", "ann", "course"])
VIEW = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "x"}
WIDGET = {"output_type": "display_data", "data": VIEW, "metadata": {}}
RESULT = {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": 3}
BROKEN_NOTEBOOK = {
    "edited": (lambda nb: nb["cells"][6].update(source="x = 4"), "not the build"),
    "cell id": (lambda nb: nb["cells"][6].update(id="deadbeef"), "not the build"),
    "cell lost": (lambda nb: nb["cells"].pop(), "not the build"),
    "error": (output(ERROR), "an error output"),
    "traceback": (output(stream("Traceback (most recent call last)\n")), "stack trace"),
    "warning": (output(stream("a.py:1: UserWarning: mind\n")), "a warning"),
    "stderr": (output(stream("loading\n", "stderr")), "text on stderr"),
    "machine path": (output(stream(f"saved to {HOME}\n")), "path of one machine"),
    "widget view": (output(WIDGET), "a widget's view"),
    "execution count": (output(RESULT), "execution count"),
    "too large": (output(stream("x" * 300_001)), "above 300 KB"),
    "widget state": (lambda nb: nb["metadata"].update(widgets={}), "metadata.widgets"),
    "stale outputs": (lambda nb: nb["metadata"]["course"].update(code_hash="0"), "changed since"),
    "no outputs": (lambda nb: nb["metadata"].pop("course"), "there are none"),
}


def figure(**metadata):
    return {"output_type": "display_data", "data": {"image/png": "iVBO"}, "metadata": metadata}


@pytest.mark.parametrize(
    ("made", "heard"),
    [
        (figure(), True),
        (figure(**{"image/png": {"alt": "two bars"}}), True),
        (figure(**{"image/png": {"alt": "two bars ｜ 两根柱子"}}), False),
        (stream("no figure"), False),
    ],
)
def test_a_figure_has_words_in_both_languages(finished, made, heard):
    change_notebook(finished, output(made))
    found = finished.problems(draft=False)
    assert [("a figure without words" in line and "(cell 4)" in line) for line in found] == (
        [True] * heard
    )


@pytest.mark.parametrize(("change", "heard"), BROKEN_NOTEBOOK.values(), ids=BROKEN_NOTEBOOK)
def test_broken_notebook_is_heard(finished, change, heard):
    change_notebook(finished, change)
    found = finished.problems(draft=False)
    assert any(heard in line for line in found), found


def test_code_changed_after_the_run_is_heard_even_when_built(finished):
    finished.edit("x, y = 2, 3", "x, y = 2, 4")
    finished.build()
    assert any("outputs are not of this code" in p for p in finished.problems(draft=False))


def test_prose_changed_after_the_run_keeps_the_outputs(finished):
    finished.edit("You add two numbers. ｜", "You add two small numbers. ｜")
    finished.build()
    assert finished.problems(draft=False) == []
    assert "auto, 0: 5" in finished.notebook.read_text(encoding="utf-8")


@pytest.mark.parametrize("left", ["TODO: write it", "待写：请写"])
def test_what_the_template_leaves_to_write_is_heard_in_the_end(finished, left):
    finished.edit("# Your turn: write `add`", f"# {left} `add`")
    assert any("stands here still" in p for p in finished.problems(draft=False))
    assert not any("stands here still" in p for p in finished.problems())


def test_missing_notebook_and_missing_source(toy):
    assert any("no notebook; run" in p for p in toy.problems(draft=False))
    (toy.root / "notebooks" / "91_lost.ipynb").write_text("{}", encoding="utf-8")
    assert any("91_lost.ipynb: no source" in p for p in toy.problems())


def test_fix_hashes_accepts_the_chinese(toy):
    from tools.nbkit.check import fix_hashes

    toy.edit("# Your turn: write `add`", "# Now you: write `add`")
    assert toy.problems()
    assert fix_hashes(toy.source) == [9]
    assert toy.problems() == []
    assert fix_hashes(toy.source) == []


def test_words_are_those_of_prose():
    from tools.nbkit.twins import english_words

    text = (
        "Two words `not these` $x y$ [one](https://example.org/a/b)<br>\n\n```python\nno = 1\n```"
    )
    assert english_words(text) == 3


@pytest.mark.parametrize(
    "good", ["用 LoRA 训练", "共 3 步，约 5 %。", "第一行<br>A", "看 `x`，再看"]
)
def test_typography_leaves_good_chinese_alone(good):
    from tools.nbkit.twins import typography

    assert list(typography(good)) == []


@pytest.mark.parametrize(
    "bad",
    ["用LoRA 训练", "共3 步", "好,再来", "**LoRA**是", "看`x`，再看", "(中)", "**先猜。**再看"],
)
def test_typography_hears_bad_chinese(bad):
    from tools.nbkit.twins import typography

    assert list(typography(bad))
