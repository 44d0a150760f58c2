"""Explorers on ipywidgets 7 and 8, headless and live; tokens readable without colour."""

import base64
import json
import subprocess
import sys
import types

import matplotlib
import pytest

from helpers.base import CourseError, root
from helpers.show import plots, widgets
from helpers.show.tokens import View, token_colours
from helpers.show.widgets import explore

matplotlib.use("Agg")
PNG = base64.b64encode(b"\x89PNG").decode()[:5]

# what ipywidgets 7.7.1 accepts (its traits), for the few widgets that explorers use
SEVEN = {
    "Checkbox": {"value", "description", "indent", "style", "layout"},
    "Text": {"value", "description", "continuous_update", "style", "layout"},
    "Dropdown": {"options", "value", "description", "style", "layout"},
    "SelectionSlider": {"options", "value", "description", "continuous_update", "style", "layout"},
    "HTML": {"value"},
    "VBox": {"children"},
}


class Widget7:
    """Stand-in for a widget of ipywidgets 7: no comm package, `_ipython_display_`."""

    traits = frozenset()

    def __init__(self, *args, **kwargs):
        kwargs |= {"children": args[0]} if args else {}
        assert set(kwargs) <= self.traits, f"not in ipywidgets 7: {set(kwargs) - self.traits}"
        self.callbacks = []
        self.model_id = f"id{id(self)}"
        self.__dict__ |= kwargs

    def observe(self, callback, names):
        self.callbacks.append((names, callback))

    def turn(self, value):
        self.value = value
        for _, callback in self.callbacks:
            callback({"name": "value", "new": value})

    def _ipython_display_(self):
        raise AssertionError("display(widget) leaves its text form in the notebook")


def stub7() -> types.ModuleType:
    module = types.ModuleType("ipywidgets")
    for name, traits in SEVEN.items():
        setattr(module, name, type(name, (Widget7,), {"traits": traits}))
    return module


class Bench:
    """Runs an explorer on one flavour of ipywidgets; remembers what was shown and made."""

    def __init__(self, flavour: str, monkeypatch: pytest.MonkeyPatch):
        if flavour == "7":
            self.module = stub7()
            monkeypatch.setitem(sys.modules, "ipywidgets", self.module)
        else:
            import ipywidgets as module

            assert module.__version__.startswith("8.")
            self.module = module
        self.shown, self.boxes = [], []
        make = self.module.VBox
        monkeypatch.setattr(
            self.module, "VBox", lambda *a, **k: self.boxes.append(make(*a, **k)) or self.boxes[-1]
        )
        monkeypatch.setattr(widgets, "_show", self.shown.append)
        monkeypatch.setattr(widgets, "live", lambda: True)

    def turn(self, i: int, value: object) -> str:
        """Move control i as a learner does; return the view's HTML."""
        control = self.boxes[0].children[i]
        if isinstance(control, Widget7):
            control.turn(value)
        else:
            control.value = value
        return self.boxes[0].children[-1].value


@pytest.fixture(params=["7", "8"])
def bench(request, monkeypatch):
    return Bench(request.param, monkeypatch)


def words(rank, on=True, who="", note=""):
    return f"<{rank} {on} {who} {note}>"


def test_controls_redraw_a_view_below_the_static_one(bench):
    who = {"one ｜ 一": "first", "two ｜ 二": "second"}
    explore(words, {"rank": "rank ｜ 秩"}, {"rank": 4}, rank=[1, 4, 8], on=True, who=who, note="x")
    static, live = bench.shown
    assert static == {"text/plain": "<4 True first x>"}
    assert live[widgets.VIEW]["model_id"] == bench.boxes[0].model_id
    assert "VBox" not in live["text/plain"] and "children" not in live["text/plain"]
    kinds = [type(child).__name__ for child in bench.boxes[0].children]
    assert kinds == ["SelectionSlider", "Checkbox", "Dropdown", "Text", "HTML"]
    assert bench.boxes[0].children[0].description == "rank ｜ 秩"
    assert bench.boxes[0].children[-1].value == widgets.HINT  # the default is not drawn twice
    assert bench.turn(0, 8) == "<pre>&lt;8 True first x&gt;</pre>"
    assert bench.turn(1, False) == "<pre>&lt;8 False first x&gt;</pre>"
    assert bench.turn(2, "second") == "<pre>&lt;8 False second x&gt;</pre>"
    assert bench.turn(3, "y") == "<pre>&lt;8 False second y&gt;</pre>"


def test_a_figure_is_a_picture_in_both_views(bench):
    explore(lambda r: plots.bars({"a ｜ 甲": r / 10}, "t"), {"r": "rank ｜ 秩"}, r=range(1, 9))
    assert bench.shown[0]["image/png"].startswith(PNG)
    assert bench.shown[0]["text/plain"] == "rank ｜ 秩 = 1"
    first = bench.turn(0, 2)
    assert first.startswith(f'<img alt="" src="data:image/png;base64,{PNG}')
    assert bench.turn(0, 8) != first


def test_a_described_figure_has_its_words_in_both_views(bench, monkeypatch):
    described = []
    monkeypatch.setattr(widgets, "show", lambda bundle, alt: described.append(alt))
    explore(lambda r: plots.bars({"a": r}, "t", alt=f"{r} < 9 ｜ {r} 比 9 小"), r=range(1, 9))
    assert described == ["1 < 9 ｜ 1 比 9 小"]
    assert bench.turn(0, 2).startswith('<img alt="2 &lt; 9 ｜ 2 比 9 小" src="data:')


def test_html_stays_html(bench):
    explore(lambda n: View(f"<b>{n}</b>", f"[{n}]"), n=[1, 2])
    assert bench.shown[0] == {"text/html": "<b>1</b>", "text/plain": "[1]"}
    assert bench.turn(0, 2) == "<b>2</b>"


def test_an_error_of_a_redraw_is_seen_and_the_explorer_lives_on(bench):
    explore(lambda n: str(1 // n), n=[1, 0, 2])
    assert "❌ ZeroDivisionError" in bench.turn(0, 0)
    assert bench.turn(0, 2) == "<pre>0</pre>"


def test_a_start_outside_the_choices_is_refused_before_anything_shows(bench):
    with pytest.raises(CourseError, match=r"n = 5 is not among .* ｜ .*不在可选值"):
        explore(str, start={"n": 5}, n=[1, 2])
    assert not bench.shown


def test_headless_shows_the_static_view_alone_and_renders_once(monkeypatch):
    shown, calls = [], []
    monkeypatch.setattr(widgets, "_show", shown.append)
    explore(lambda n: calls.append(n) or "text", n=[3, 4])  # under pytest there is no kernel
    assert (shown, calls) == ([{"text/plain": "text"}], [3])


def test_without_ipywidgets_the_static_view_is_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    shown = []
    monkeypatch.setattr(widgets, "_show", shown.append)
    explore(str, object=[1])
    assert not widgets.live()
    assert shown == [{"text/plain": "1"}]


KERNEL = """
import json, sys
from jupyter_client.manager import start_new_kernel
cell = '''
import sys; sys.path.insert(0, {root!r})
from helpers.show import plots
from helpers.show.widgets import explore
explore(lambda r: plots.bars({{"a": r / 10}}, "title ｜ 标题"), r=[1, 2])
'''
manager, client = start_new_kernel(kernel_name="python3")
runs = []
for sits in (False, True):  # nbclient and papermill run cells with allow_stdin=False
    outputs = []
    reply = client.execute_interactive(
        cell, allow_stdin=sits, timeout=60, stdin_hook=lambda message: None,
        output_hook=lambda message: outputs.append([message["msg_type"], message["content"]]),
    )
    runs.append([reply["content"]["status"], outputs])
client.stop_channels(); manager.shutdown_kernel(now=True)
print(json.dumps(runs))
"""


def test_a_real_kernel_saves_a_picture_and_adds_controls_only_where_someone_sits():
    code = KERNEL.format(root=str(root()))
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    for sits, (status, outputs) in zip((False, True), json.loads(done.stdout), strict=True):
        assert status == "ok"
        shown = [content["data"] for kind, content in outputs if kind == "display_data"]
        assert shown[0]["image/png"].startswith(PNG)
        assert [widgets.VIEW in data for data in shown] == [False] + [True] * sits
        assert "children" not in json.dumps([data["text/plain"] for data in shown])
        assert not [content for kind, content in outputs if kind == "stream"]


TOKENS = ["<|im_start|>", "user", "\n", "罚", " fine", "<b>"]


def test_tokens_show_their_ends_and_are_escaped():
    view = token_colours(TOKENS)
    assert view.text == "<|im_start|>|user|↵|罚|␣fine|<b>"
    assert "&lt;b&gt;" in view.html and "<u>" not in view.html
    assert view._repr_html_() == view.html
    assert repr(view) == view.text


def test_the_loss_mask_reads_without_colour():
    view = token_colours(TOKENS, [0, 0, 0, 1, 1, 0])
    assert view.text.splitlines()[0] == "<|im_start|>|user|↵|⟦罚|␣fine⟧|<b>"
    assert [part.split("</b>")[0].split(">")[-1] for part in view.html.split("<u>")[1:]] == [
        "罚",
        "␣fine",
    ]
    assert "grey: not counted ｜" in view.html and "灰色：不计入损失" in view.html
    assert view.text.endswith("the rest not counted ｜ ⟦⟧ 内计入损失，其余不计入")


def test_ids_and_other_weights_stand_beside_their_token():
    view = token_colours(["a", "b"], [0.05, 1.0], ids=[17, 4])
    assert view.text.startswith("⟦a(17 ×0.05)|b(4)⟧")
    assert "a<sub>17 ×0.05</sub>" in view.html and "b<sub>4</sub>" in view.html


@pytest.mark.parametrize("lists", [{"weights": [1]}, {"ids": [1, 2, 3]}])
def test_lists_of_other_lengths_are_refused(lists):
    with pytest.raises(CourseError, match=r"2 tokens but .* ｜ 有 2 个词元"):
        token_colours(["a", "b"], **lists)
