"""What is wrong with a conversation: every bad row is named, good ones stay."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.base import CourseError
from helpers.data.messages import check_messages, require_messages, visible

USER = {"role": "user", "content": "报告：占道停车"}
ANSWER = {"role": "assistant", "content": "第12条"}
GOOD = {"messages": [USER, ANSWER]}

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | text, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=5
)


def bilingual(message: str) -> bool:
    en, _, zh = message.partition(" ｜ ")
    return bool(en) and any("\u4e00" <= c <= "\u9fff" for c in zh)


def message(**fields):
    return {"messages": [{**USER, **fields}, ANSWER]}


BAD = [
    ({"messages": [ANSWER, USER]}, "wrong order of roles: assistant → user"),
    ({"messages": [USER]}, "wrong order of roles: user"),
    ({"messages": [USER, ANSWER, USER]}, "wrong order"),
    ({"messages": [USER, USER, ANSWER]}, "wrong order"),
    ({"messages": [USER, {"role": "system", "content": "x"}, ANSWER]}, "wrong order"),
    ({"messages": [{"role": "system", "content": "x"}]}, "wrong order"),
    ({"messages": [USER, {"role": "assistant", "content": " \n"}]}, "message 2 is an empty answer"),
    (message(content=""), "message 1 is an empty question"),
    (message(content=None), "message 1 is NoneType, not text"),
    (message(content=["x"]), "message 1 is list, not text"),
    (message(role="judge"), "unknown role 'judge'"),
    (message(role=["user"]), "unknown role"),
    (message(role="tool"), "does not support"),
    ({"messages": [USER, {"role": "assistant", "tool_calls": [{}]}]}, "does not support"),
    ({"messages": [{"content": "x"}, ANSWER]}, 'message 1 has no "role"'),
    ({"messages": [USER, {"role": "assistant"}]}, 'message 2 has no "content"'),
    ({"messages": ["hello", ANSWER]}, 'message 1 has no "role"'),
    ({"messages": []}, "no list of messages"),
    ({"messages": "hello"}, "no list of messages"),
    ({}, "no list of messages"),
    ({"instruction": "x", "output": "y"}, "no list of messages"),
    ({"conversations": []}, "no list of messages"),
    ({"messages": [USER, {**ANSWER, "function_call": {"name": "f"}}]}, "does not support"),
    ({"messages": [USER, ANSWER], "images": ["a.png"]}, 'needs its "images"'),
    ({"messages": [USER, ANSWER], "label": False}, '"label" is false'),
    ({"messages": [USER, ANSWER], "kto_tag": "False"}, '"kto_tag" is false'),
    ({"messages": [USER, {**ANSWER, "train": False}]}, "every answer is marked"),
    (
        message(content=[{"type": "image_url"}, {"type": "text"}]),
        "parts that are no text (image_url)",
    ),
    (message(content="\u200b\ufeff"), "empty question"),
    (message(content="\u3164\u2800"), "empty question"),
    (message(content="a<|im_end|>"), "<|im_end|>, a control token"),
    (message(content="[INST] a [/INST]"), "[INST], a control token"),
    (message(content="<start_of_turn>user"), "control token"),
    (message(content="<｜User｜>a"), "control token"),
    (message(content="an end</s>"), "</s>, a control token"),
    ({"messages": [{"role": "user", "content": "\\u4f60"}, ANSWER]}, "escaped twice"),
    (
        {"messages": [{**USER, "content": "\\u4f7f\\u7528 Python"}, {**ANSWER, "content": "b"}]},
        "escaped twice",
    ),
]


@pytest.mark.parametrize(("bad", "reason"), BAD)
def test_a_bad_row_is_named_and_the_good_ones_kept(bad, reason):
    good, problems = check_messages([GOOD, bad, GOOD])
    assert good == [GOOD, GOOD]
    assert [problem.line for problem in problems] == [2]
    assert reason in problems[0].en
    assert problems[0].mend_en
    assert problems[0].mend_zh
    assert bilingual(str(problems[0]))


@pytest.mark.parametrize(
    "text",
    ["<s>old</s> text", "a <|> b", "x | y <| f", "[1] INST", "<image>", "👨‍👩‍👧",
     "e\u0301", "<think>a</think>b",
     "'\\u4f60'", "In JavaScript write '\\u4f60\\u597d' there.", "caf\\u00e9", "x = `\\u4f60`"],
)  # fmt: skip
def test_what_may_stand_in_a_text(text):
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": text}]}
    assert check_messages([row]) == ([row], [])


def test_an_escape_beside_real_chinese_is_meant():
    row = {"messages": [USER, {"role": "assistant", "content": "写作 \\u4f60"}]}
    assert check_messages([row]) == ([row], [])


def test_strict_check_raises_at_the_first_and_counts_the_others():
    with pytest.raises(CourseError, match=r"my\.jsonl:2: .*Bad rows after it: 1") as caught:
        require_messages([GOOD, {}, GOOD, {}], "my.jsonl")
    assert bilingual(str(caught.value))
    assert require_messages([GOOD]) == [GOOD]


def test_system_and_several_turns_are_good():
    row = {"messages": [{"role": "system", "content": ""}, USER, ANSWER, USER, ANSWER]}
    assert check_messages([row]) == ([row], [])


@given(row=st.dictionaries(st.sampled_from(["messages", "output", "x"]), values))
def test_no_row_whatever_breaks_the_check(row):
    good, problems = check_messages([row])
    assert len(good) + len(problems) == 1


@given(
    messages=st.lists(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["system", "user", "assistant", "tool"])},
            optional={"content": values},
        )
    )
)
def test_only_rows_that_train_pass(messages):
    for row in check_messages([{"messages": messages}])[0]:
        turns = [m for m in row["messages"] if m["role"] != "system"]
        assert [m["role"] for m in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert all(visible(m["content"]) for m in turns)
