"""The checks of notebook 01: right answers pass, the wrong ones that people give have their hint."""

import math
import re
from pathlib import Path

import pytest

from helpers.lessons import nb01, tree
from helpers.lessons.tree import NODES, Advice
from helpers.retrieval.bm25 import Index, plain_words
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


R = {
    "prompt": "form", "few-shot": "form", "RAG": "facts", "RAG + form": "both",
    "RAG + few-shot": "both", "fine-tuning": "form", "RAG + fine-tuning": "both",
}  # fmt: skip
M_O = {"M": "c", "N": "e", "O": "a"}
FOUR = ("article", "fine", "points", "office")


def pieces(text, pattern="[a-z0-9]+|[\u3400-\u9fff]+", size=2):
    """Cut a text as exercise 3 asks, or with another pattern or size of the Chinese pieces."""
    found = []
    for run in re.findall(pattern, text):
        whole = run.isascii() or len(run) < size
        found += [run] if whole else [run[i : i + size] for i in range(len(run) - size + 1)]
    return found


def search(cut=pieces, lower=True, idf=True, kind=set, reverse=True):
    """Return a search, with one thing done otherwise."""

    def find(query, documents):
        case = str.lower if lower else str
        holds = {name: kind(cut(case(text))) for name, text in documents.items()}
        score = dict.fromkeys(documents, 0.0)
        for piece in set(cut(case(query))):
            n = sum(piece in found for found in holds.values())
            for name, found in holds.items():
                times = list(found).count(piece)
                score[name] += times * (math.log(len(documents) / n) if idf and n else times > 0)
        return sorted(documents, key=score.get, reverse=reverse)

    return find


def by_line(text, gold, say=lambda line: line, same=lambda values, value: values == {value}):
    """Score as exercise 5 asks, with what counts as a number or as right done otherwise."""
    said = {"article": set(), "fine": set(), "points": set()}
    for line in text.split("\n"):
        name = "fine" if "yuan" in line else "points" if "point" in line.lower() else "article"
        said[name] |= set(map(int, re.findall(r"\b\d+\b", say(line))))
    right = {name: same(values, gold[name]) for name, values in said.items()}
    return right | {"office": gold["office"] in text}


def labelled(text, gold):
    """Score by the labels of the notice, as the lesson warns against."""
    lines = (f"Basis: Article {gold['article']}", f"Fine: {gold['fine']} yuan")
    lines += (f"Points: {gold['points']}", f"Office: {gold['office']}")
    return {name: line in text.split("\n") for name, line in zip(FOUR, lines, strict=True)}


def anywhere(text, gold):
    """Score a number as right wherever it stands."""
    numbers = set(map(int, re.findall(r"\b\d+\b", text)))
    right = {name: gold[name] in numbers for name in FOUR[:3]}
    return right | {"office": gold["office"] in text}


def hide(notice, gold, first=4, blank="___", names=FOUR):
    """Blank out the facts of exercise 7 from a line on, or some of them only."""
    lines = notice.split("\n")
    for i in range(first, 8):
        name = FOUR[i - 4]
        lines[i] = lines[i].replace(str(gold[name]), blank) if name in names else lines[i]
    return "\n".join(lines)


def test_the_right_answers_pass():
    assert nb01.my_search(search()).ok is True
    assert nb01.reach(R).ok is True
    assert nb01.facts_right(by_line).ok is True
    assert nb01.hide_facts(hide).ok is True
    assert nb01.next_steps(M_O).ok is True
    assert nb01.next_steps({name: step.upper() for name, step in M_O.items()}).ok is True


def test_the_courses_own_search_passes_exercise_3():
    found = nb01.my_search(lambda query, documents: [
        hit.id for hit in Index(documents, split=plain_words).search(query, k=len(documents))
    ])  # fmt: skip
    assert found.ok is True


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
        (nb01.my_search, lambda q, d: search()(q, d)[0], "the ids of all documents"),
        (nb01.my_search, lambda q, d: print(q), "returned nothing"),
        (nb01.my_search, search(reverse=False), "the highest on top"),
        (nb01.my_search, search(lower=False), "lower case"),
        (nb01.my_search, search(lambda t: pieces(t, size=99)), "overlapping pairs"),
        (nb01.my_search, search(lambda t: pieces(t, "[a-z0-9]+")), "overlapping pairs"),
        (nb01.my_search, search(lambda t: pieces(t, size=1)), "not single ones"),
        (nb01.my_search, search(idf=False), "a rare word counts more"),
        (nb01.my_search, search(kind=list), "use sets"),
        (nb01.my_search, lambda q, d: sorted(d, key=lambda i: 1 / len(q) + 1 / 0), "stopped"),
        (nb01.my_search, lambda q, d: search()(q, d) if len(d) < 9 else list(d), "of 40 reports"),
        (nb01.reach, {"prompt": "form"}, "judge each of"),
        (nb01.reach, R | {"RAG": "fact"}, "is not one of"),
        (nb01.reach, R | {"prompt": "both"}, "no fact"),
        (nb01.reach, R | {"few-shot": "both"}, "belong to other articles"),
        (nb01.reach, R | {"RAG": "both"}, "nothing in them shows the form"),
        (nb01.reach, R | {"RAG + form": "facts"}, "brings the labels"),
        (nb01.reach, R | {"RAG + few-shot": "form"}, "the examples bring the form"),
        (nb01.reach, R | {"fine-tuning": "both"}, "this article never was"),
        (nb01.reach, R | {"RAG + fine-tuning": "facts"}, "the form was practised"),
        (nb01.facts_right, lambda text, gold: True, "return a dict"),
        (nb01.facts_right, lambda text, gold: by_line(text, gold, lambda line: ""), "perfect"),
        (nb01.facts_right, labelled, "don't look for the labels"),
        (nb01.facts_right, lambda t, g: {k: str(g[k]) in t for k in FOUR}, "60 is not 600"),
        (nb01.facts_right, lambda t, g: by_line(t, g, lambda line: line.replace("LX", "")),
         "the digits of a plate"),
        (nb01.facts_right, anywhere, "600 points are no fine"),
        (nb01.facts_right, lambda t, g: by_line(t, g, same=lambda said, value: value in said),
         "two different fines"),
        (nb01.facts_right, lambda t, g: by_line(t, g) | {"office": True}, "another office"),
        (nb01.facts_right, lambda t, g: by_line(t, g) if g["article"] in (2, 22, 9093) else dict.fromkeys(FOUR, True), "the course's score is"),
        (nb01.hide_facts, lambda notice, gold: notice.split("\n"), "as one text"),
        (nb01.hide_facts, lambda notice, gold: notice.split("\n")[0], "all eight lines"),
        (nb01.hide_facts, lambda n, g: n.replace(str(g["fine"]), "___"), "plate LX6009 was hurt"),
        (nb01.hide_facts, lambda n, g: n.replace(str(g["article"]), "___")
         .replace("LX600___", "LX6009"), "keep them"),
        (nb01.hide_facts, lambda n, g: hide(n, g, names=("fine", "points")), "article is still"),
        (nb01.hide_facts, lambda n, g: hide(n, g, names=FOUR[:3]), "office is still there"),
        (nb01.hide_facts, lambda n, g: hide(n, g, blank=""), "only the value becomes"),
        (nb01.hide_facts, lambda n, g: hide(n, g) if "LX6" in n else n, "zh: article is still"),
        (nb01.next_steps, {"M": "c"}, "one letter for each"),
        (nb01.next_steps, M_O | {"M": "x"}, "is not one of"),
        (nb01.next_steps, M_O | {"M": "b"}, "M: 199 of 200"),
        (nb01.next_steps, M_O | {"N": "b"}, "N: where the article is found"),
        (nb01.next_steps, M_O | {"O": "d"}, "O: it was never trained"),
        (nb01.more_cases, E_L | {"E": "fine-tune"}, "E: prices"),
        (nb01.more_cases, E_L | {"F": "fine-tune"}, "F: one line"),
        (nb01.more_cases, E_L | {"G": "prompt"}, "G: the prompt works"),
        (nb01.more_cases, E_L | {"H": "rag"}, "H: a form and changing numbers"),
        (nb01.more_cases, E_L | {"I": "both"}, "I: its style"),
        (nb01.more_cases, E_L | {"J": "fine-tune"}, "J: neither"),
        (nb01.more_cases, E_L | {"K": "prompt"}, "K: prompts bring"),
        (nb01.more_cases, E_L | {"L": "rag"}, "L: a huge"),
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
