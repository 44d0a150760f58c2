"""Tokens made visible: where each one ends, and which ones the loss counts."""

from collections.abc import Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

from helpers.base import CourseError

COUNTED, MASKED, TURNS = "#BFDDF2", "#EEEEEE", ("#E3EEF7", "#FBEBCB")
LEGEND = "underlined: counted in the loss; grey: not counted ｜ 下划线：计入损失；灰色：不计入损失"
LEGEND_TEXT = "⟦counted in the loss⟧, the rest not counted ｜ ⟦⟧ 内计入损失，其余不计入"


class View(NamedTuple):
    """The same thing as HTML and as text; a notebook shows the first that it can."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__


def token_colours(
    tokens: Sequence[str],
    weights: Sequence[float] | None = None,
    ids: Sequence[int] | None = None,
) -> View:
    """Show tokens one by one; with `weights` (0: not counted, 1: counted) show the loss mask.

    Counted tokens are bold and underlined besides coloured, in text between ⟦ and ⟧; weights other
    than 0 and 1, and `ids`, stand small beside the token. A space shows as ␣, a newline as ↵.
    Raises CourseError when the lists differ in length.
    """
    for name, values in (("weights", weights), ("ids", ids)):
        if values is not None and len(values) != len(tokens):
            raise CourseError(
                en=f"{len(tokens)} tokens but {len(values)} {name}: give one for each token",
                zh=f"有 {len(tokens)} 个词元，却有 {len(values)} 个 {name}：每个词元应对应一个",
            )
    weights = None if weights is None else [float(weight) for weight in weights]
    notes = [_note(i, weights, ids) for i in range(len(tokens))]
    spans = [_span(i, token, weights, notes[i]) for i, token in enumerate(tokens)]
    body = '<span style="color:#888">|</span>'.join(spans)
    legend = "" if weights is None else f"<br><small>{LEGEND}</small>"
    style = "line-height:2;font-family:monospace;overflow-wrap:anywhere"
    return View(f'<div style="{style}">{body}{legend}</div>', _text(tokens, weights, notes))


def visible(token: str) -> str:
    """Return a token with its spaces and line breaks made visible."""
    return token.replace(" ", "␣").replace("\n", "↵").replace("\t", "⇥")


def _note(i: int, weights: Sequence[float] | None, ids: Sequence[int] | None) -> str:
    """Return what stands small beside token i: its id, and its weight if neither 0 nor 1."""
    parts = [] if ids is None else [str(int(ids[i]))]
    if weights is not None and weights[i] not in (0, 1):
        parts.append(f"×{weights[i]:g}")
    return " ".join(parts)


def _span(i: int, token: str, weights: Sequence[float] | None, note: str) -> str:
    """Return the HTML of one token; what matters survives a front end that drops styles."""
    text = escape(visible(token)) + (f"<sub>{note}</sub>" if note else "")
    if weights is None:
        span = f'<span style="background:{TURNS[i % 2]};color:#111">{text}</span>'
    elif weights[i]:
        span = f'<u><b style="background:{COUNTED};color:#111">{text}</b></u>'
    else:
        span = f'<span style="background:{MASKED};color:#555">{text}</span>'
    return span + "<br>" * token.endswith("\n")


def _text(tokens: Sequence[str], weights: Sequence[float] | None, notes: Sequence[str]) -> str:
    """Return the tokens as plain text, the counted stretches between ⟦ and ⟧."""
    shown = [visible(t) + f"({n})" * bool(n) for t, n in zip(tokens, notes, strict=True)]
    if weights is None:
        return "|".join(shown)
    pieces = []
    for counted, stretch in groupby(range(len(shown)), key=lambda i: weights[i] != 0):
        text = "|".join(shown[i] for i in stretch)
        pieces.append(f"⟦{text}⟧" if counted else text)
    return "|".join(pieces) + f"\n{LEGEND_TEXT}"
