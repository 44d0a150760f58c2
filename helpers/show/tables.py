"""Tables that every front end shows, and intervals short enough to stand in them."""

from collections.abc import Sequence
from typing import Any

from helpers.base import CourseError
from helpers.measure.stats import Interval


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]):
    """Return a Markdown table; an Interval in a cell is written short.

    Raises CourseError when a row is not as long as the header.
    """
    from IPython.display import Markdown

    for row in rows:
        if len(row) != len(header):
            raise CourseError(
                en=f"a row of {len(row)} cells under {len(header)} headings: {row[0]}",
                zh=f"表头有 {len(header)} 列，这一行有 {len(row)} 格：{row[0]}",
            )
    lines = [header, ["---"] * len(header), *([short(cell) for cell in row] for row in rows)]
    return Markdown("\n".join("| " + " | ".join(line) + " |" for line in lines))


def short(value: Any) -> str:
    """Return a value as text, an Interval without its sample size: `93 % [88, 96]`."""
    return str(value).split(", n = ")[0] if isinstance(value, Interval) else str(value)
