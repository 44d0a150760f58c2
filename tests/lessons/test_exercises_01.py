"""The checks of notebook 01: right answers pass, the wrong ones that people give have their hint."""

import re
from pathlib import Path

import pytest

from helpers.lessons import nb01, tree
from helpers.lessons.tree import NODES, Advice
from tools.nbkit.source import read_source

SOURCE = Path(__file__).resolve().parents[2] / "notebooks" / "src" / "01_decision_tree.py"
A_D = {"A": "rag", "B": "fine-tune", "C": "fine-tune", "D": "prompt"}
E_L = {
    "E": "rag", "F": "prompt", "G": "fine-tune", "H": "both",
    "I": "rag", "J": "none", "K": "fine-tune", "L": "fine-tune",
}  # fmt: skip


def test_there_are_twelve_cases_and_the_seeds_four_are_among_them():
    assert list(nb01.NOTES_CASES) == list("ABCD")
    assert list(nb01.MORE_CASES) == list("EFGHIJKL")
    rights = {right for right, _, _ in (nb01.NOTES_CASES | nb01.MORE_CASES).values()}
    assert rights == set(nb01.WAYS), "every way is right somewhere"


def seeds(knowledge, changing, huge, style, prompt_fixes):
    """Walk the tree of the helpers, which the exercise must agree with."""
    answers = {"knowledge": knowledge, "changing": changing, "huge": huge, "style": style}
    leaf = tree.walk(answers | {"prompt_fixes": prompt_fixes})[-1]
    names = {"tune_facts": "fine-tune", "tune_style": "fine-tune", "open": "none"}
    return names.get(leaf, leaf)


def test_the_helpers_tree_passes_the_exercise():
    assert nb01.decide(seeds).ok is True


def changed(when, to):
    """Return the right function with one kind of case answered otherwise."""
    return lambda *flags: to if when(*flags) else seeds(*flags)


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (nb01.decide, lambda k, c, h, s, p: "fine-tune" if k else "none", "changes often"),
        (nb01.decide, changed(lambda k, c, h, s, p: k and h, "fine-tune"), "ask in order"),
        (nb01.decide, changed(lambda k, c, h, s, p: k, "rag"), "huge dataset: \"fine-tune\""),
        (nb01.decide, changed(lambda k, c, h, s, p: k and not c, "fine-tune"), "no huge dataset"),
        (nb01.decide, changed(lambda k, c, h, s, p: not k and s, "fine-tune"), "a prompt fixes it"),
        (nb01.decide, changed(lambda k, c, h, s, p: not k and s, "prompt"), "no prompt fixes it"),
        (nb01.decide, changed(lambda k, c, h, s, p: s and not p, "fine-tune"), "never comes to"),
        (nb01.decide, changed(lambda k, c, h, s, p: c and not k, "rag"), "nothing is missing"),
        (nb01.decide, changed(lambda k, c, h, s, p: not k and p, "prompt"), "is not asked"),
        (nb01.decide, lambda *flags: print("rag"), "returned nothing"),
        (nb01.notes_cases, ["rag", "fine-tune", "fine-tune", "prompt"], "write a dict"),
        (nb01.notes_cases, {"A": "rag"}, "judge each"),
        (nb01.notes_cases, A_D | {"A": "RAG"}, "is not one of"),
        (nb01.notes_cases, A_D | {"A": "fine-tune"}, "A: answers on a law"),
        (nb01.notes_cases, A_D | {"B": "prompt"}, "B: the facts come"),
        (nb01.notes_cases, A_D | {"C": "rag"}, "C: how to say things"),
        (nb01.notes_cases, A_D | {"D": "fine-tune"}, "D: a model sees its prompt"),
        (nb01.more_cases, E_L | {"E": "fine-tune"}, "E: prices"),
        (nb01.more_cases, E_L | {"F": "fine-tune"}, "F: one line"),
        (nb01.more_cases, E_L | {"G": "prompt"}, "G: the prompt works"),
        (nb01.more_cases, E_L | {"H": "rag"}, "H: a form and changing numbers"),
        (nb01.more_cases, E_L | {"I": "both"}, "I: its style"),
        (nb01.more_cases, E_L | {"J": "fine-tune"}, "J: neither"),
        (nb01.more_cases, E_L | {"K": "prompt"}, "K: prompts bring"),
        (nb01.more_cases, E_L | {"L": "rag"}, "L: a huge"),
        (nb01.break_even, lambda t, f, n: t / f, "not free"),
        (nb01.break_even, lambda t, f, n: t / n, "saves the difference"),
        (nb01.break_even, lambda t, f, n: t * (f - n), "divide by"),
        (nb01.break_even, lambda t, f, n: t + f - n, "= 200 answers"),
        (nb01.break_even, lambda t, f, n: t / (f - n) if f != n else 0, "nothing saved"),
        (nb01.break_even, lambda t, f, n: t / (f - n), "your code stopped"),
        (nb01.break_even, lambda t, f, n: t / abs(f - n) if f != n else float("inf"),
         "slower after"),
    ],
)  # fmt: skip
def test_wrong_answers_get_their_own_hint(check, answer, hint):
    result = check(answer)
    assert result.ok is False
    assert hint in result.en, result.en
    assert re.search("[\u4e00-\u9fff]", result.zh)


EDGE = re.compile(r"(\w+)(?:[\[{].*?[\]}])? --(?: (\S+) --)?> (\w+)")
SHORT = {  # the seeds' names of the nodes -> ours
    "Q1": "knowledge", "Q2": "changing", "Q3": "huge", "Q4": "style", "Q5": "prompt_fixes",
    "RAG": "rag", "FT": "tune_facts", "Prompt": "prompt", "FT2": "tune_style",
}  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_mended_mermaid_is_the_tree_and_every_label_is_quoted(lang):
    cells = [c.source for c in read_source(SOURCE).cells if c.metadata.get("lang") == lang]
    (drawn,) = [
        cell.split("```mermaid")[1].split("```")[0] for cell in cells if "mermaid\n" in cell
    ]
    labels = re.findall(r"[\[{](.*?)[\]}](?= --|\n)", drawn)
    assert len(labels) == 10 and all(x[0] == x[-1] == '"' for x in labels), labels
    edges = {(SHORT[a], SHORT[b]) for a, says, b in EDGE.findall(drawn) if says}
    ours = {
        (name, to)
        for name, node in NODES.items()
        if not isinstance(node, Advice)
        for to in (node.yes, node.no)
    }
    assert edges == ours - {("style", "open")}
