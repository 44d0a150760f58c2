"""Explorers: a picture that is always there, and controls to change it where someone sits.

Only what ipywidgets 7.7 (Colab) and 8 share is used: no Output, no interact, no display_id.
"""

from collections.abc import Callable, Mapping
from typing import Any

from helpers.base import CourseError
from helpers.env import attended
from helpers.show.style import png, show

VIEW = "application/vnd.jupyter.widget-view+json"
HINT = "Move a control: your view appears here. ｜ 拨动控件，你选的视图会显示在这里。"
AGAIN = "(Controls appear when you run this cell. ｜ 运行此单元格后会出现控件。)"


def explore(
    render: Callable[..., Any],
    names: Mapping[str, str] | None = None,
    start: Mapping[str, Any] | None = None,
    **controls: Any,
) -> None:
    """Show render(**start) as a static picture and, in a live notebook, controls below it.

    A control is a list or range of choices, a dict {"shown ｜ 显示": value}, a bool (box to tick)
    or a str (text to type). `start` gives values for the static view, else each control's first.
    `names` gives labels ("rank ｜ 秩"). `render` returns a Figure (with its `alt`), an object with
    `_repr_html_` or text, and changes nothing elsewhere: in a headless run it is called once.
    """
    values = {name: _start(name, control, start or {}) for name, control in controls.items()}
    names = {name: name for name in controls} | dict(names or {})
    caption = "; ".join(f"{names[name]} = {value}" for name, value in values.items())
    _static(render(**values), caption)
    if live():
        _show(_controls(render, values, names, controls))


def live() -> bool:
    """Tell whether controls make sense: ipywidgets is there, and someone to move them."""
    from importlib.util import find_spec

    return attended() and find_spec("ipywidgets") is not None


def _controls(render: Callable, values: dict, names: dict, controls: dict) -> dict:
    """Make the controls and the view that they change; return what displays them."""
    import ipywidgets

    made = {name: _control(names[name], controls[name], values[name]) for name in controls}
    view = ipywidgets.HTML(value=HINT)

    def redraw(_change: object) -> None:
        try:
            view.value = _html(render(**{name: made[name].value for name in made}))
        except Exception as error:  # a callback's error would vanish in the front end's log
            view.value = _html(f"❌ {type(error).__name__}: {error}")

    for widget in made.values():
        widget.observe(redraw, names="value")
    box = ipywidgets.VBox([*made.values(), view])
    # not display(box): its text form would stand in the saved notebook
    model = {"version_major": 2, "version_minor": 0, "model_id": box.model_id}
    return {VIEW: model, "text/plain": AGAIN}


def _control(label: str, control: Any, value: Any):
    """Return the widget for one control, set to `value`."""
    import ipywidgets

    look = {"style": {"description_width": "initial"}, "layout": {"width": "auto"}}
    if isinstance(control, bool):
        return ipywidgets.Checkbox(value=value, description=label, indent=False, **look)
    if isinstance(control, str):
        look["continuous_update"] = False
        return ipywidgets.Text(value=value, description=label, **look)
    options = list(control.items()) if isinstance(control, Mapping) else list(control)
    if isinstance(control, Mapping) or not all(isinstance(x, int | float) for x in options):
        return ipywidgets.Dropdown(options=options, value=value, description=label, **look)
    look["layout"] = {"width": "32em"}
    late = {"continuous_update": False}
    return ipywidgets.SelectionSlider(
        options=options, value=value, description=label, **late, **look
    )


def _start(name: str, control: Any, start: Mapping[str, Any]) -> Any:
    """Return the value that a control starts with; raise CourseError if it is no choice of it."""
    if isinstance(control, bool | str):
        return start.get(name, control)
    choices = list(control.values() if isinstance(control, Mapping) else control)
    if name in start and start[name] not in choices:
        raise CourseError(
            en=f"start: {name} = {start[name]!r} is not among its choices {choices}",
            zh=f"start 里的 {name} = {start[name]!r} 不在可选值 {choices} 之中",
        )
    return start.get(name, choices[0])


def _static(result: Any, caption: str) -> None:
    """Display what a notebook saves for the static view: a picture or HTML, and plain text."""
    if hasattr(result, "savefig"):
        if alt := getattr(result, "alt", ""):
            return show({"image/png": png(result)}, alt)
        return _show({"image/png": png(result), "text/plain": caption})
    if hasattr(result, "_repr_html_"):
        return _show({"text/html": result._repr_html_(), "text/plain": str(result)})
    return _show({"text/plain": str(result)})


def _html(result: Any) -> str:
    """Return a view as HTML, for the one widget that shows every kind."""
    from html import escape

    if hasattr(result, "savefig"):
        alt = escape(getattr(result, "alt", ""))
        return f'<img alt="{alt}" src="data:image/png;base64,{png(result)}">'
    if hasattr(result, "_repr_html_"):
        return result._repr_html_()
    return f"<pre>{escape(str(result))}</pre>"


def _show(bundle: dict) -> None:
    """Display a MIME bundle."""
    from IPython.display import display

    display(bundle, raw=True)
