"""The road through the ten lessons, drawn; a lesson may show where it stands on it."""

from helpers.base import CourseError

LESSONS = {  # number: column, row, title
    "00": (0, 1, "Start here ｜ 从这里开始"),
    "01": (1, 1, "Decision tree ｜ 决策树"),
    "02": (2, 2, "LoRA math ｜ LoRA 的数学"),
    "03": (2, 0, "Data ｜ 数据准备"),
    "04": (3, 1, "SFT ｜ 监督微调"),
    "05": (4, 2, "QLoRA ｜ 4 比特微调"),
    "06": (4, 0, "RLHF, DPO ｜ 偏好对齐"),
    "07": (5, 1, "Evaluation ｜ 评估"),
    "08": (6, 2, "RAG + tuning ｜ RAG 加微调"),
    "09": (6, 0, "Ship, scale ｜ 部署与扩展"),
}
STAGES = {  # column -> what its lessons are for
    0.5: "choose ｜ 选择",
    3: "train ｜ 训练",
    5: "measure ｜ 测量",
    6: "use ｜ 使用",
}
STEPS = "00-01 01-02 01-03 02-04 03-04 04-05 04-06 05-07 06-07 07-08 07-09"


def road(here: str = "00"):
    """Return a Figure of the lessons and the ways between them, the lesson `here` marked.

    Raises CourseError when there is no such lesson.
    """
    from helpers.show.style import COLOURS, INK, figure, two_lines

    if here not in LESSONS:
        raise CourseError(
            en=f'no lesson "{here}": choose one of {", ".join(LESSONS)}',
            zh=f"没有“{here}”这一课：请从 {', '.join(LESSONS)} 中选",
        )
    fig, ax = figure(width=9.6, height=3.7)
    for step in STEPS.split():
        start, end = (LESSONS[number][:2] for number in step.split("-"))
        way = {"arrowstyle": "-|>", "color": "#777777", "shrinkA": 32, "shrinkB": 32}
        ax.annotate("", end, start, arrowprops=way)
    for number, (x, y, title) in LESSONS.items():
        marked = number == here
        box = {"boxstyle": "round,pad=0.45", "edgecolor": INK, "linewidth": 3 if marked else 1}
        box["facecolor"] = COLOURS[2] if marked else "white"
        words = {"ha": "center", "va": "center", "size": 9}
        ax.text(x, y, f"{number}\n{two_lines(title)}", bbox=box, **words)
    for x, stage in STAGES.items():
        ax.text(x, -0.75, stage, ha="center", size=10, color="#555555")
    ax.set(xlim=(-0.6, 6.6), ylim=(-0.85, 2.5))
    ax.set_title(f"The road; you are at {here} ｜ 路线图：你在 {here}")
    ax.axis("off")
    return fig
