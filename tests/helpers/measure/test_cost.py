"""What a comparison of ways stands on: picking marks, short answers, tokens, seconds, tables."""

import time

import pytest

from helpers.base import CourseError
from helpers.lingxi.score import pick, states
from helpers.measure.cost import mean_tokens, median_seconds
from helpers.measure.stats import Interval, share_difference
from helpers.model.load import load_tokenizer
from helpers.show.tables import short, table

ROWS = [{"lang": "en", "split": "seen"}, {"lang": "zh", "split": "seen"}, {"lang": "zh"}]


def test_pick_takes_the_marks_of_the_rows_asked_for():
    assert pick([True, False, True], ROWS, lang="zh") == [False, True]
    assert pick([True, False, True], ROWS, lang="zh", split="seen") == [False]
    assert pick([True, False, True], ROWS) == [True, False, True]
    with pytest.raises(CourseError, match="no row has"):
        pick([True, False, True], ROWS, lang="fr")
    with pytest.raises(ValueError, match="zip"):
        pick([True], ROWS)


GOLD = {"article": 12, "fine": 200, "points": 3, "office": "Transit Desk"}
GOLD_ZH = {"article": 12, "fine": 200, "points": 3, "office": "运输科"}


@pytest.mark.parametrize(
    ("ask", "text", "lang", "right"),
    [
        ("fine", "it costs 200 yuan", "en", True),
        ("fine", "it costs 2000 yuan", "en", False),
        ("fine", "200 yuan or 300 yuan", "en", False),
        ("points", "that is 3 points", "en", True),
        ("office", "go to the Transit Desk.", "en", True),
        ("office", "go to the Patrol Office.", "en", False),
        ("article", "parking (Article 12)", "en", True),
        ("fine", "罚款：200元", "zh", True),
        ("points", "记4分", "zh", False),
        ("office", "由运输科处理", "zh", True),
        ("article", "第12条", "zh", True),
        ("fine", "", "zh", False),
    ],
)
def test_states_reads_the_value_whatever_the_form(ask, text, lang, right):
    row = {"ask": ask, "lang": lang, "gold": GOLD if lang == "en" else GOLD_ZH}
    assert states(text, row) is right


def test_mean_tokens_counts_the_template_too(toy_model):
    tokenizer = load_tokenizer(toy_model)
    bare = len(tokenizer("Write the notice.", add_special_tokens=False)["input_ids"])
    prompt = [{"role": "user", "content": "Write the notice."}]
    one = mean_tokens(tokenizer, [prompt])
    assert one > bare
    longer = [{"role": "user", "content": "Write the notice. Write the notice."}]
    assert one < mean_tokens(tokenizer, [prompt, longer]) < mean_tokens(tokenizer, [longer])


def test_median_seconds_asks_one_by_one_and_spread_out():
    asked = []

    def answer(prompts):
        asked.append(prompts)
        time.sleep(0.05 if prompts == ["p0"] else 0.001)

    seconds = median_seconds(answer, [f"p{i}" for i in range(20)], n=5)
    assert asked == [["p0"], ["p4"], ["p8"], ["p12"], ["p16"]]
    assert 0.001 <= seconds < 0.05, "one slow answer does not move the median"
    asked.clear()
    median_seconds(answer, ["p1", "p2"], n=5)
    assert asked == [["p1"], ["p2"]]


def test_tables_are_markdown_with_short_intervals():
    value = Interval(0.934, 0.884, 0.963, 120)
    shown = table(["way", "right"], [["RAG", value], ["both", 3]])._repr_markdown_()
    assert shown.splitlines() == [
        "| way | right |",
        "| --- | --- |",
        "| RAG | 93 % [88, 96] |",
        "| both | 3 |",
    ]
    assert short(share_difference([False] * 9, [True] * 9)).startswith("+100 pp [")
    assert short("a, n = b") == "a, n = b", "only intervals are cut"


def test_a_row_that_does_not_fit_is_named():
    with pytest.raises(CourseError, match="a row of 1 cells under 2 headings: RAG"):
        table(["way", "right"], [["RAG"]])
