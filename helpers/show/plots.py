"""Figures: bars, curves and tables, with intervals as error bars and labels in two languages.

Labels are "English ｜ 中文". Each function returns its Figure: end a cell on the call to show it.
`alt`, "English ｜ 中文" too, says in words what the figure shows, see `style.describe`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from helpers.data.jsonl import Row
from helpers.measure.stats import UNITS, Interval, Number, ends
from helpers.measure.sweeps import MEASURES
from helpers.show.style import (
    COLOURS,
    DASHES,
    HATCHES,
    INK,
    LINES,
    MARKERS,
    describe,
    figure,
    two_lines,
)


def bars(
    values: Mapping[str, Number] | Mapping[str, Mapping[str, Number]],
    title: str,
    ylabel: str = "",
    unit: str = "share",
    line: tuple[float, str] | None = None,
    ax=None,
    alt: str = "",
):
    """Draw {label: value} or {group: {series: value}} as bars; an Interval gets an error bar.

    With the unit "share" values are 0 to 1 and shown as per cent. `line` is a height and its name,
    for instance (0.12, "chance ｜ 随机猜测").
    """
    alone, ax = ax is None, ax or figure()[1]
    grouped = isinstance(next(iter(values.values())), Mapping)
    groups = values if grouped else {name: {"": value} for name, value in values.items()}
    series = list(dict.fromkeys(name for group in groups.values() for name in group))
    width = 0.8 / len(series) if grouped else 0.5
    for i, name in enumerate(series):
        left = (i - (len(series) - 1) / 2) * width
        row = {x + left: group[name] for x, group in enumerate(groups.values()) if name in group}
        look = {"color": COLOURS[i % 5], "hatch": HATCHES[i % 5], "edgecolor": INK}
        _bar_row(ax, row, unit, width=width, label=name, **look)
    if line:
        height = line[0] * UNITS.get(unit, (1,))[0]
        ax.axhline(height, color=INK, linestyle="--", linewidth=1.2, label=line[1])
    ax.set_xticks(range(len(groups)), [two_lines(name) for name in groups])
    ax.grid(axis="x", visible=False)
    ax.margins(y=0.15)
    if unit == "share":
        ax.set_yticks(range(0, 101, 20))
        ax.set_ylim(0, 115)
    ylabel = ylabel or UNITS.get(unit, ("", unit))[1].strip()
    return _finish(ax, alone, title, alt, ylabel=ylabel)


def curves(
    series: Mapping[str, tuple[Sequence[float], Sequence[Number]]],
    title: str,
    xlabel: str,
    ylabel: str,
    unit: str = "",
    logx: bool = False,
    smooth: int = 1,
    ax=None,
    alt: str = "",
):
    """Draw {label: (x, y)} as lines with markers; an Interval in y gets an error bar.

    With `smooth` each point is the mean of the last so many values, without error bars.
    """
    import numpy as np

    alone, ax = ax is None, ax or figure()[1]
    for i, (name, (x, y)) in enumerate(series.items()):
        middle, error = ends(y, unit)
        if smooth > 1:
            x, middle = x[smooth - 1 :], np.convolve(middle, np.full(smooth, 1 / smooth), "valid")
        look = {"color": LINES[i % 5], "marker": MARKERS[i % 5], "linestyle": DASHES[i % 5]}
        some = max(1, len(middle) // 12)  # about a dozen markers on a long curve
        error = error if smooth <= 1 and any(map(any, error)) else None
        ax.errorbar(x, middle, error, label=name, markevery=some, capsize=3, elinewidth=1, **look)
    if logx:
        ticks = sorted({float(value) for x, _ in series.values() for value in x})
        ax.set_xscale("log")
        if len(ticks) <= 10:
            ax.set_xticks(
                ticks, [f"{tick:,.0f}" if tick >= 1000 else f"{tick:g}" for tick in ticks]
            )
            ax.set_xticks([], minor=True)
    return _finish(ax, alone, title, alt, xlabel=xlabel, ylabel=ylabel)


def grid(
    values: Sequence[Sequence[Number]],
    rows: Sequence[str],
    columns: Sequence[str],
    title: str,
    unit: str = "share",
    ax=None,
    alt: str = "",
):
    """Draw a table (rows, columns) with each number written on a shade, light for the largest."""
    import numpy as np

    alone, ax = ax is None, ax or figure(height=1.2 + 0.55 * len(rows))[1]
    shades = np.array([ends(row, unit)[0] for row in values])  # (rows, columns)
    top = 100 if unit == "share" else None
    image = ax.imshow(shades, cmap="cividis", aspect="auto", vmin=0 if top else None, vmax=top)
    for y, row in enumerate(values):
        for x, value in enumerate(row):
            ink = "black" if image.norm(shades[y, x]) > 0.5 else "white"
            ax.text(x, y, _written(value, unit), ha="center", va="center", color=ink)
    ax.set_xticks(range(len(columns)), [two_lines(name) for name in columns])
    ax.set_yticks(range(len(rows)), [two_lines(name, room=24) for name in rows])
    ax.tick_params(length=0)
    ax.grid(visible=False)
    return _finish(ax, alone, title, alt)


def stacked(
    values: Mapping[str, Mapping[str, float]],
    title: str,
    xlabel: str,
    line: tuple[float, str] | None = None,
    least: float = 0.02,
    alt: str = "",
):
    """Draw {bar: {part: value}} as lying bars made of parts, each with its sum at the end.

    Parts below `least` of the longest bar in every bar are drawn together. `line` is a place on the
    axis and its name.
    """
    sums = {name: sum(parts.values()) for name, parts in values.items()}
    longest = max(sums.values())
    names = list(dict.fromkeys(part for parts in values.values() for part in parts))
    large = [n for n in names if max(p.get(n, 0) for p in values.values()) >= least * longest]
    drawn = {n: [parts.get(n, 0.0) for parts in values.values()] for n in large}
    if len(large) < len(names):
        rest = [s - sum(d[i] for d in drawn.values()) for i, s in enumerate(sums.values())]
        drawn["the rest ｜ 其余"] = rest
    _, ax = figure(width=8.0, height=1.9 + 0.42 * len(values) + 0.12 * len(drawn))
    left = [0.0] * len(values)
    for i, (name, widths) in enumerate(drawn.items()):
        look = {"color": COLOURS[i % 5], "hatch": HATCHES[(i + i // 5) % 5]}
        if i == len(large):
            look = {"color": "#BBBBBB"}
        ax.barh(range(len(values)), widths, left=left, label=name, height=0.62, ec=INK, **look)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    for y, total in enumerate(sums.values()):
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
        spot = {"xytext": (4, 0), "textcoords": "offset points", "va": "center", "size": 9}
        ax.annotate(written(total), (total, y), bbox=paper, **spot)
    if line:
        ax.axvline(line[0], color=INK, linestyle="--", linewidth=1.2, label=line[1])
    ax.set_yticks(range(len(values)), [two_lines(name, room=24) for name in values])
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.1)
    return _finish(ax, True, title, alt, xlabel=xlabel)


def _bar_row(ax, row: Mapping[float, Number], unit: str, **look) -> None:
    """Draw one series of bars, x position -> value, each with its number above it."""
    middle, error = ends(list(row.values()), unit)
    ax.bar(list(row), middle, **look)
    for x, height, low, high, value in zip(row, middle, *error, row.values(), strict=True):
        if low or high:
            ax.errorbar(x, height, [[low], [high]], color=INK, marker="", capsize=4, linewidth=1.4)
        top = max(height + high, 0)
        paper = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
        spot = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center", "size": 9}
        ax.annotate(_written(value, unit), (x, top), bbox=paper, **spot)


def _written(value: Number, unit: str) -> str:
    """Return the number that stands on a bar or in a table's cell."""
    number = value.value if isinstance(value, Interval) else float(value)
    if unit in ("share", "points"):
        return f"{100 * number:.0f}"
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"


def _finish(ax, alone: bool, title: str, alt: str, **labels: str):
    """Set title, axis labels, legend and description, and return the Figure."""
    ax.set_title(two_lines(title, room=60 if alone else 40))
    ax.set(**{name: two_lines(label, room=36) for name, label in labels.items()})
    drawn = list(zip(*ax.get_legend_handles_labels(), strict=True))
    drawn = sorted(
        (pair for pair in drawn if pair[1]), key=lambda pair: hasattr(pair[0], "get_xdata")
    )
    if drawn:
        handles, names = zip(*drawn, strict=True)  # areas first, then lines
        if alone:
            columns = 2 if len(names) == 4 else 3
            ax.figure.legend(handles, names, loc="outside lower center", ncols=columns)
        else:
            _legend_below(ax, handles, names)
    return describe(ax.figure, alt)


def _legend_below(ax, handles, names) -> None:
    """Put a legend under the axis label: within the axes it may lie on points."""
    from matplotlib.transforms import ScaledTranslation

    lines = 1 + len(ax.get_xlabel().splitlines())  # the ticks' labels are one
    down = ScaledTranslation(0, -0.08 - 0.19 * lines, ax.figure.dpi_scale_trans)  # inches
    ax.legend(
        handles,
        names,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + down,
    )


def panels(
    rows: Sequence[Row],
    field: str,
    names: Mapping[Any, str],
    measures: Mapping[str, str],
    title: str,
    log: Sequence[str] = (),
    alt: str = "",
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
            runs = [factor * row[measure] for row in rows if row[field] == value]
            mean = sum(runs) / len(runs)
            if measure not in log:  # a bar has no meaning where the axis has no zero
                ax.barh(y, mean, color=COLOURS[0], edgecolor=INK, height=0.6)
            ax.plot(runs, [y] * len(runs), "o", color=COLOURS[1], markersize=4, mec=INK, mew=0.5)
            ax.annotate(
                written(mean), (max(*runs, mean), y), xytext=(5, 0),
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
    return describe(fig, alt)


def written(value: float) -> str:
    """Return a number in three digits or so."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
