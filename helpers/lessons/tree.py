"""The course notes' decision tree as data: walk it, draw it, write it as Mermaid; and its mend."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from helpers.base import CourseError


class Question(NamedTuple):
    """A node that asks; `yes` and `no` name the nodes that follow."""

    en: str
    zh: str
    yes: str
    no: str


class Advice(NamedTuple):
    """A leaf: what to do, and the reason for it."""

    en: str
    zh: str
    why_en: str
    why_zh: str


START = "knowledge"
NODES: dict[str, Question | Advice] = {
    "knowledge": Question(
        "Does the model lack KNOWLEDGE?", "模型缺少知识吗？", "changing", "style"
    ),
    "changing": Question("Is the knowledge changing often?", "知识经常变吗？", "rag", "huge"),
    "huge": Question("Is the dataset huge?", "数据量巨大吗？", "tune_facts", "rag"),
    "style": Question(
        "Does the model lack STYLE or FORMAT?", "模型缺少风格或格式吗？", "prompt_fixes", "open"
    ),
    "prompt_fixes": Question(
        "Can prompt engineering fix it?", "改提示词能解决吗？", "prompt", "tune_style"
    ),
    "rag": Advice(
        "use RAG", "用 RAG",
        "facts that change, or are few, are looked up and not learned",
        "常变的、量不大的事实，查阅就好，不必学进权重",
    ),
    "tune_facts": Advice(
        "fine-tune: knowledge", "微调：注入知识",
        "much text that stays true may be worth training on",
        "文本很多，又长期有效，才值得拿来训练",
    ),
    "prompt": Advice(
        "few-shot prompt", "少样本提示",
        "a few examples in the prompt are enough, and nothing is trained",
        "提示里放几个样例就够了，什么都不用训练",
    ),
    "tune_style": Advice(
        "fine-tune: style", "微调：注入风格",
        "a form that prompts do not bring has to be practised",
        "提示词教不会的格式，只能靠练",
    ),
    "open": Advice(
        "(the notes stop here)", "（讲义没有写）",
        "neither facts nor style are missing: look for the fault elsewhere",
        "既不缺知识，也不缺风格：毛病在别处",
    ),
}  # fmt: skip
PLACES = {  # node -> where it stands (x, y)
    "knowledge": (3.0, 3.0), "changing": (1.15, 2.0), "huge": (2.0, 1.0), "style": (4.75, 2.0),
    "prompt_fixes": (4.2, 1.0), "rag": (0.3, 0.0), "tune_facts": (1.9, 0.0),
    "prompt": (3.5, 0.0), "tune_style": (5.0, 0.0), "open": (6.1, 1.0),
}  # fmt: skip
FACT_LEAVES = ("rag", "tune_facts")


def walk(answers: Mapping[str, bool], mended: bool = False) -> list[str]:
    """Return the nodes from the start to the advice; answers are question -> yes or no.

    The notes' tree ends at its first advice. The mended one goes on from an advice on knowledge
    to the question of style, so that both may come out. Raises CourseError where an answer lacks.
    """
    path = [START]
    while isinstance(node := NODES[path[-1]], Question) or (mended and path[-1] in FACT_LEAVES):
        if not isinstance(node, Question):
            path.append("style")
            continue
        if path[-1] not in answers:
            raise CourseError(
                en=f"no answer to “{node.en}”: give {path[-1]}=True or False",
                zh=f"没有回答“{node.zh}”：请给出 {path[-1]}=True 或 False",
            )
        path.append(node.yes if answers[path[-1]] else node.no)
    return path


def advice(path: Sequence[str]) -> list[Advice]:
    """Return the advice on a path: one in the notes' tree, one or two in the mended one.

    "Nothing is missing" counts only where it is the sole outcome.
    """
    names = [name for name in path if isinstance(NODES[name], Advice)]
    return [NODES[name] for name in names if name != "open" or len(names) == 1]


def draw(path: Sequence[str] = (), mended: bool = False):
    """Return a Figure of the tree with a path marked; `mended` adds the way on to style."""
    from helpers.show.style import BAR, describe, figure

    fig, ax = figure(width=9.6, height=4.9)
    steps = set(pairwise(path))
    boxes = {name: _box(ax, name, name in path) for name in NODES}  # first: arrows end at them
    for name, node in NODES.items():
        if isinstance(node, Question):
            _way(ax, boxes, name, node.yes, "yes ｜ 是", (name, node.yes) in steps)
            _way(ax, boxes, name, node.no, "no ｜ 否", (name, node.no) in steps)
    if mended:
        onward = any((leaf, "style") in steps for leaf in FACT_LEAVES)
        words = "then ask this too ｜ 接着再问"
        _way(ax, boxes, "changing", "style", words, onward, linestyle="--")
    ax.set(xlim=(-0.5, 6.8), ylim=(-0.45, 3.4))
    ax.axis("off")
    reasons = [f"{leaf.why_en} ｜ {leaf.why_zh}" for leaf in advice(path)]
    aside = "Knowledge on the left, style on the right ｜ 左边问知识，右边问风格"
    ax.set_title("\n".join(reasons) or aside)
    return describe(fig, BAR.join(_in_words(path)))


def _in_words(path: Sequence[str]) -> tuple[str, str]:
    """Describe the tree and the path marked in it, in English and in Chinese."""
    en = "The decision tree: questions on knowledge to the left, on style to the right."
    zh = "决策树：左边的问题关于知识，右边的问题关于风格。"
    if path:
        en += f" The marked path: {' → '.join(NODES[name].en for name in path)}."
        zh += f"标出的路线：{' → '.join(NODES[name].zh for name in path)}。"
    return en, zh


def _box(ax, name: str, marked: bool):
    """Draw a node and return its patch: questions white, advice blue, the path yellow."""
    from helpers.show.style import COLOURS, INK

    node, (x, y) = NODES[name], PLACES[name]
    leaf = isinstance(node, Advice)
    colour = COLOURS[2] if marked else "#D6E8F5" if leaf else "white"
    box = {"boxstyle": "round,pad=0.4" if leaf else "square,pad=0.4", "facecolor": colour}
    box |= {"edgecolor": INK, "linewidth": 2.5 if marked else 1}
    text = ax.text(x, y, f"{node.en}\n{node.zh}", bbox=box, ha="center", va="center", size=9)
    return text.get_bbox_patch()


def _way(ax, boxes, start: str, end: str, label: str, marked: bool, linestyle: str = "-") -> None:
    """Draw an arrow from the edge of one box to that of another, with its answer beside it."""
    (x, y), (to_x, to_y) = PLACES[start], PLACES[end]
    colour, width = ("#D55E00", 3) if marked else ("#777777", 1.2)
    look = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "linestyle": linestyle}
    look |= {"patchA": boxes[start], "patchB": boxes[end], "mutation_scale": 14}
    ax.annotate("", (to_x, to_y), (x, y), arrowprops=look | {"shrinkA": 0, "shrinkB": 2})
    paper = {"facecolor": "white", "edgecolor": "none", "pad": 1}
    words = {"size": 8, "ha": "center", "va": "center", "bbox": paper}
    ax.text((x + to_x) / 2, (y + to_y) / 2 + 0.17 * (y == to_y), label, **words)
