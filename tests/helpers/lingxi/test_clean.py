"""Cleaning against the true labels of dirty.jsonl; each rule on what it must and must not take."""

from collections import Counter

import pytest
from hypothesis import HealthCheck, settings

from helpers.lingxi import clean
from helpers.lingxi.files import world

calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
STRICT = ("exact_duplicate", "near_duplicate", "wrong_language", "broken_form", "leaked_test_item")


@pytest.fixture(scope="module")
def found():
    """Return the fault found in each row of dirty.jsonl, beside its true one."""
    rows = world("dirty")
    # the labels must not help: the cleaner gets rows without them
    blind = [{k: row[k] for k in ("id", "lang", "ask", "messages")} for row in rows]
    faults = clean.clean(blind, world("eval"), world("code"))["fault"][:]
    return list(zip(faults, [(row["labels"] or [""])[0] for row in rows], strict=True))


@pytest.mark.parametrize("step", clean.STEPS)
def test_each_step_against_the_true_labels(found, step):
    hits, taken, true = (
        sum(pair == (step, step) for pair in found),
        sum(fault == step for fault, _ in found),
        sum(label == step for _, label in found),
    )
    assert true > 0
    assert hits / taken >= 0.95
    assert hits / true >= (0.9 if step in STRICT else 0.8)


def test_most_clean_rows_stay(found):
    kept = Counter(label for fault, label in found if not fault)
    assert kept[""] / sum(label == "" for _, label in found) > 0.99


def row(answer, lang="en", ask=None, text=""):
    return {"answer": answer, "lang": lang, "ask": ask, "text": text or answer}


@pytest.mark.parametrize(
    ("answer", "lang", "wrong"),
    [
        ("Fine: 200 yuan", "en", False),
        ("罚款：200元", "en", True),
        ("罚款：200元", "zh", False),
        ("Fine: 200 yuan", "zh", True),
        ("车牌：LX4821", "zh", False),
        ("", "en", False),
        ("200", "zh", False),
    ],
)
def test_language(answer, lang, wrong):
    assert clean.wrong_language(row(answer, lang)) is wrong


@pytest.mark.parametrize(
    ("text", "personal"),
    [
        ("Phone: 000-0123-4567.", True),
        ("手机13800138000，请联系", True),
        ("ID 00000019900101123X", True),
        ("write to a.b@example.org", True),
        ("On Monday at 14:24, plate LX4821, Article 12, 1900 yuan", False),
        ("100 200 300", False),
        ("@home", False),
    ],
)
def test_personal_data(text, personal):
    assert clean.personal_data(row("", text=text)) is personal


ARTICLES = {12: {"fine": 200, "points": 3, "en": {"term": "t u"}, "zh": {"term": "某事"}}}


@pytest.mark.parametrize(
    ("answer", "lang", "ask", "wrong"),
    [
        ("t u (Article 12): 200 yuan", "en", "fine", False),
        ("t u (Article 12): 201 yuan", "en", "fine", True),
        ("某事（第12条）：3分", "zh", "points", False),
        ("某事（第12条）：4分", "zh", "points", True),
        ("t u (Article 13): 200 yuan", "en", "fine", True),
        ("x y (Article 12): 200 yuan", "en", "fine", True),
        ("t u: no rule here", "en", "fine", False),
        ("某事（第12条）：运输科", "zh", "office", False),
    ],
)
def test_facts(answer, lang, ask, wrong):
    assert clean.wrong_fact(row(answer, lang, ask), ARTICLES) is wrong


def test_a_fault_is_named_once_by_the_first_step():
    same = {
        "lang": "en",
        "ask": "fine",
        "messages": [{"content": "x" * 90}, {"content": "a@b.org"}],
    }
    rows = [{"id": str(n), **same} for n in range(3)]
    assert clean.clean(rows, [], [])["fault"][:] == ["personal_data", *["exact_duplicate"] * 2]
