"""The look of every figure: a font with Chinese, colours that stay apart in grey, sizes."""

from pathlib import Path

from helpers.base import CourseError

FONT = Path(__file__).parent / "fonts" / "LingxiSans.otf"
FAMILY = "Lingxi Sans"
BAR = " ｜ "
IN_WORDS = "The figure in words ｜ 图的文字说明"
INK = "#222222"
# colours by Okabe and Ito (jfly.uni-koeln.de/color), in orders whose steps show in grey too
COLOURS = ("#0072B2", "#E69F00", "#F0E442", "#D55E00", INK)  # areas, with the hatches below
LINES = ("#0072B2", "#E69F00", INK, "#D55E00", "#009E73")  # no yellow: too pale for a thin line
HATCHES = ("", "//", "..", "\\\\", "")
MARKERS = ("o", "s", "^", "D", "v")
DASHES = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)))
SETTINGS = {
    "font.family": ["DejaVu Sans", FAMILY],  # Latin from the first, Chinese from the second
    "font.size": 10,
    "axes.unicode_minus": False,
    "axes.formatter.min_exponent": 2,  # a logarithmic axis says 0.1, 1 and 10
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "hatch.linewidth": 0.7,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "legend.fontsize": 9,
    "figure.figsize": (7.0, 3.6),
    "figure.dpi": 90,
    "savefig.dpi": "figure",
    "figure.constrained_layout.use": True,
}


def style() -> None:
    """Set matplotlib to the course's look, with the Chinese font that ships; safe to repeat.

    Raises CourseError when the font is missing.
    """
    from matplotlib import font_manager, rcParams
    from matplotlib.rcsetup import cycler

    if not FONT.is_file():
        raise CourseError(
            en="the font of the figures is missing: fetch the repository's files again",
            zh="缺少绘图用的字体文件：请重新获取本仓库的文件",
            where=str(FONT),
        )
    if FAMILY not in font_manager.fontManager.get_font_names():
        font_manager.fontManager.addfont(FONT)
    rcParams.update(SETTINGS)
    lines = cycler(color=LINES) + cycler(marker=MARKERS) + cycler(linestyle=DASHES)
    rcParams["axes.prop_cycle"] = lines


def figure(columns: int = 1, width: float = 7.0, height: float = 3.6, alt: str = ""):
    """Return a Figure (inches) and its Axes, or an array of them where `columns` > 1.

    pyplot lets go of the figure at once, so a notebook shows it only where a cell ends on it.
    `alt` describes it, see `describe`.
    """
    import matplotlib.pyplot as plt

    style()
    fig, axes = plt.subplots(1, columns, figsize=(width, height))
    plt.close(fig)
    return describe(fig, alt), axes


def describe(fig, alt: str):
    """Give a Figure its description, "English ｜ 中文": what is drawn, and what it shows.

    A notebook keeps it as the picture's alternative text and, since not every front end reads that
    out, folded under the picture. An empty `alt` changes nothing. Raises CourseError where a
    language is missing.
    """
    if not alt:
        return fig
    en, bar, zh = alt.partition(BAR)
    if not (bar and en.strip() and zh.strip()):
        raise CourseError(
            en=f'the description of a figure has two languages, "English{BAR}中文": {alt!r}',
            zh=f'图的文字说明要有两种语言，写成 "English{BAR}中文"：{alt!r}',
        )
    fig.alt = " ".join(alt.split())
    fig._ipython_display_ = lambda: show({"image/png": png(fig)}, fig.alt)  # IPython's own hook
    return fig


def show(bundle: dict[str, str], alt: str) -> None:
    """Display a MIME bundle with a picture, and its description folded under it."""
    from html import escape

    from IPython.display import display

    metadata = {"image/png": {"alt": alt}}
    display({"text/plain": alt} | bundle, raw=True, metadata=metadata)
    lines = "<br>".join(escape(text) for text in alt.split(BAR))
    words = f"<details><summary>{IN_WORDS}</summary>{lines}</details>"
    display({"text/html": words, "text/plain": alt}, raw=True)


def png(fig) -> str:
    """Return a Figure as a PNG in base64, as notebooks hold it."""
    import base64
    import io

    import matplotlib.pyplot as plt

    file = io.BytesIO()
    fig.savefig(file, format="png", bbox_inches="tight")
    plt.close(fig)
    return base64.b64encode(file.getvalue()).decode()


def two_lines(label: str, room: int = 0) -> str:
    """Break "English ｜ 中文" at the bar if it is wider than `room` (a Chinese character is 2)."""
    wide = sum(2 if ord(letter) > 0x2E80 else 1 for letter in label) > room
    return label.replace(" ｜ ", "\n") if wide else label
