"""Figures of recorded runs: methods side by side, every seed a dot."""

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.interval import UNITS
from helpers.look import COLOURS, INK, figure, two_lines
from helpers.sweeps import MEASURES, Row


def panels(
    rows: Sequence[Row],
    field: str,
    names: Mapping[Any, str],
    measures: Mapping[str, str],
    title: str,
    log: Sequence[str] = (),
):
    """Draw a panel for each measure: for each value of a setting a bar (the mean), a dot a run.

    Values stand in the order of `names` (value -> label); those without a run are left out.
    `measures` is measure -> label; those in `log` get a logarithmic axis and dots alone.
    """
    values = [value for value in names if any(row[field] == value for row in rows)]
    height = 1.6 + 0.36 * len(values)
    fig, axes = figure(columns=len(measures), width=1.5 + 1.9 * len(measures), height=height)
    for n, (ax, (measure, label)) in enumerate(zip(axes, measures.items(), strict=True)):
        factor = UNITS.get(MEASURES[measure], (1,))[0]
        for y, value in enumerate(values):
            found = [factor * row[measure] for row in rows if row[field] == value]
            mean = sum(found) / len(found)
            if measure not in log:  # a bar has no meaning where the axis has no zero
                ax.barh(y, mean, color=COLOURS[0], edgecolor=INK, height=0.6)
            ax.plot(found, [y] * len(found), "o", color=COLOURS[1], markersize=4, mec=INK, mew=0.5)
            ax.annotate(
                written(mean), (max(*found, mean), y), xytext=(5, 0),
                textcoords="offset points", va="center", size=8,
            )  # fmt: skip
        ax.set_xscale("log" if measure in log else "linear")
        ax.margins(x=0.35)
        if measure not in log and min(row[measure] for row in rows) >= 0:
            ax.set_xlim(0, max(ax.get_xlim()[1], 1.0))
        ax.set_title(two_lines(label), size=9)
        ax.set_yticks(range(len(values)), [two_lines(names[v]) if n == 0 else "" for v in values])
        ax.tick_params(axis="x", labelsize=8)
        ax.grid(axis="y", visible=False)
        ax.set_ylim(len(values) - 0.5, -0.5)  # the first on top, at one height in all panels
    fig.suptitle(title, size=11)
    return fig


def written(value: float) -> str:
    """Return a number in three digits or so."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
