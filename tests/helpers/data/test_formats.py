"""Formats: what goes to another format and back is the same row, or is refused; never lost."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.base import CourseError
from helpers.data import formats, messages

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(messages.visible)
FIELDS = ("id", "input", "system", "history", "prompt", "chosen", "rejected", "instruction", "note")
value = st.none() | text | st.just("") | st.just([]) | st.integers()
extra = st.dictionaries(st.sampled_from(FIELDS), value, max_size=3)
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WAYS = (formats.to_alpaca, formats.to_sharegpt, formats.to_prompt_completion)


@st.composite
def conversations(draw):
    """Return a good conversation, with a system text or without, of one to three turns."""
    turns = [("system", draw(text))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        turns += [("user", draw(text)), ("assistant", draw(text))]
    return [{"role": role, "content": said} for role, said in turns]


@pytest.mark.parametrize("way", WAYS)
@calm
@given(messages=conversations(), rest=extra)
def test_there_and_back_is_the_same_or_refused(way, messages, rest):
    row = {"messages": messages} | rest
    try:
        there = way(row)
    except CourseError as error:
        assert set(rest) - {"id", "note"}, error
        return
    assert "messages" not in there
    assert formats.to_messages(there) == formats.to_messages(row)


@calm
@given(messages=conversations())
def test_alpaca_to_sharegpt_and_back(messages):
    row = formats.to_alpaca({"messages": messages, "id": 7})
    assert formats.to_alpaca(formats.to_sharegpt(row)) == row


@calm
@given(asked=text, put=st.none() | st.just("") | text, told=text)
def test_alpaca_comes_back_to_the_letter(asked, put, told):
    row = {"instruction": asked, "input": put, "output": told}
    assert formats.to_alpaca(formats.to_messages(row)) == row
    del row["input"]
    assert formats.to_alpaca(formats.to_messages(row)) == row


def turn(**fields):
    return {"conversations": [fields, {"from": "gpt", "value": "b"}]}


A_B = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "a", "output": "b"},
        {"instruction": "a", "input": "", "output": "b"},
        turn(**{"from": "human", "value": "a"}),
        turn(role="user", content="a"),
        {"prompt": "a", "completion": "b"},
        {"prompt": A_B[:1], "completion": A_B[1:]},
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"chosen": A_B, "rejected": A_B},
        {"messages": A_B},
    ],
)
def test_every_format_is_read(row):
    assert formats.to_messages(row)["messages"] == A_B


def test_input_follows_the_instruction():
    row = {"instruction": "Translate", "input": "你好", "output": "Hello", "system": "s"}
    said = [m["content"] for m in formats.to_messages(row)["messages"]]
    assert said == ["s", "Translate\n你好", "Hello"]


@pytest.mark.parametrize("system", [None, "", " "])
def test_alpaca_without_a_system_text(system):
    row = {"instruction": "a", "output": "b", "system": system}
    assert formats.to_messages(row) == {"messages": A_B}


def test_system_beside_sharegpt_goes_first():
    row = turn(**{"from": "human", "value": "a"}) | {"system": "s"}
    assert formats.to_messages(row)["messages"][0] == {"role": "system", "content": "s"}


def test_rejected_answer_stays_beside_the_conversation():
    row = formats.to_messages({"prompt": "a", "chosen": "b", "rejected": "c"})
    assert row == {"messages": A_B, "rejected": "c"}


def test_weights_of_a_turn_are_kept():
    row = turn(**{"from": "human", "value": "a", "weight": 0})
    assert formats.to_sharegpt(formats.to_messages(row)) == row
    with pytest.raises(CourseError, match="would be lost"):
        formats.to_alpaca(row)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({}, "no known format"),
        ({"text": "a"}, "no known format: text"),
        ({"conversations": "a"}, "conversations"),
        ({"conversations": ["a"]}, "conversations"),
        ({"instruction": "a", "output": "b", "input": ["x"]}, '"input"'),
        ({"instruction": "a", "output": "b", "history": ["q"]}, '"history"'),
        ({"instruction": "a", "output": "b", "history": "q"}, '"history"'),
    ],
)
def test_what_is_not_read_is_named_in_two_languages(row, reason):
    with pytest.raises(CourseError, match=reason) as caught:
        formats.to_messages(row)
    assert "改法" in str(caught.value)


@pytest.mark.parametrize("way", WAYS)
def test_a_bad_conversation_is_not_converted(way):
    with pytest.raises(CourseError, match="wrong order"):
        way({"messages": A_B[:1]})


S, C, R = "s", {"role": "assistant", "content": "b"}, {"role": "assistant", "content": "c"}
SHARE = [{"from": "human", "value": "a"}]
SAME = {  # rows of every shape in use that hold the one conversation a → b
    "merged, messages empty": {"messages": [], "instruction": "a", "output": "b"},
    "merged, others null": {"prompt": None, "chosen": None, "instruction": "a", "output": "b"},
    "merged, all there": {"conversations": None, "prompt": "", "completion": "", "messages": A_B},
    "instruction empty": {"instruction": "", "input": "a", "output": "b"},
    "input blank": {"instruction": "a", "input": " ", "output": "b"},
    "roles in capitals": turn(role="Human", content="a"),
    "from and value under messages": {"messages": [*SHARE, {"from": "gpt", "value": "b"}]},
    "nulls of a merged table": {"messages": [{**m, "from": None, "value": None} for m in A_B]},
    "text parts": {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, C]},
    "JSON in a cell": {"messages": json.dumps([*A_B[:1], {"role": "model", "content": "b"}])},
    "question and answer": {"question": "a", "answer": "b"},
    "input and output": {"input": "a", "output": "b"},
    "prompt and response": {"prompt": "a", "response": "b"},
    "completion as one message": {"prompt": "a", "completion": C},
    "sharegpt pair": {
        "conversations": SHARE, "chosen": {"from": "gpt", "value": "b"}, "rejected": R},
    "sharegpt pair in text": {"conversations": SHARE, "chosen": "b", "rejected": "c"},
    "alpaca pair": {"instruction": "a", "input": "", "chosen": "b", "rejected": "c"},
    "messages pair": {"messages": A_B[:1], "chosen": C, "rejected": R},
    "prompt in both": {"prompt": "a", "chosen": A_B, "rejected": [A_B[0], R]},
    "ultrafeedback": {"prompt": "a", "messages": A_B, "chosen": A_B, "rejected": [A_B[0], R]},
    "argilla pair": {"input": "a", "chosen": "b", "rejected": "c"},
    "anthropic": {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a"},
    "openai pair": {
        "input": {"messages": A_B[:1]}, "preferred_output": [C], "non_preferred_output": [R]},
}  # fmt: skip


@pytest.mark.parametrize("shape", SAME)
@pytest.mark.parametrize("system", [{}, {"system": S}, {"system_prompt": S}, {"system": ""}])
def test_every_shape_is_read_and_a_system_text_goes_first(shape, system):
    first = [{"role": "system", "content": S}] if S in system.values() else []
    assert formats.to_messages(SAME[shape] | system)["messages"] == first + A_B


def test_a_system_text_that_is_there_already_stands_once():
    talk = [{"role": "system", "content": S}, *A_B]
    assert formats.to_messages({"messages": talk, "system": S}) == {"messages": talk}
    with pytest.raises(CourseError, match="not the one in the conversation"):
        formats.to_messages({"messages": talk, "system": "other"})


@pytest.mark.parametrize(
    ("row", "asked"),
    [
        ({"instruction": "a", "input": "x", "output": "b"}, "a\nx"),
        ({"instruction": "a", "context": "x", "response": "b"}, "a\nx"),
        ({"prompt": "a", "input": "x", "completion": "b"}, "a\nx"),
        ({"instruction": "a", "input": 0, "output": "b"}, "a\n0"),
        ({"instruction": "a", "context": ["A001"], "output": "b"}, "a"),
    ],
)
def test_what_belongs_to_the_question(row, asked):
    assert formats.to_messages(row)["messages"][0]["content"] == asked


@pytest.mark.parametrize(
    "flag", [{"weight": 0}, {"weight": 0.0}, {"loss": False}, {"train": "false"}]
)
def test_an_answer_that_is_not_to_be_learned_has_one_mark(flag):
    row = {"messages": [A_B[0], C | flag, A_B[0], C | dict.fromkeys(flag, 1)]}
    told = formats.to_messages(row)["messages"]
    assert told == [A_B[0], C | {"train": False}, A_B[0], C]
    assert formats.to_messages({"messages": told}) == {"messages": told}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": 1, "completion": 2.5}, "a number is read as text"),
        ({"messages": [A_B[0], C | {"weight": 0.5}]}, "counts as 1"),
        ({"messages": [A_B[0], C | {"reasoning_content": "x"}]}, "not trained on"),
        ({"messages": A_B, "tools": [{"name": "f"}]}, "tools"),
        ({"messages": A_B, "label": 0}, "label of 0"),
    ],
)
def test_what_a_reader_should_know(row, words):
    _, notices = formats.read_messages(row)
    assert [words in en for en, _ in notices] == [True]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"conversations": []}, 'no list of messages under "conversations"'),
        ({"conversations": [{"value": "a"}]}, 'message 1 has no "from"'),
        ({"messages": [{"content": "a"}]}, 'message 1 has no "role"'),
        ({"messages": "[{'role': 'user'}]"}, "as Python prints it"),
        ({"prompt": "x", "chosen": A_B, "rejected": A_B}, "not one that begins with the prompt"),
        ({"text": "a"}, "plain text has no question"),
        ({"role": "user", "content": "a"}, "one turn alone"),
    ],
)
def test_reasons_name_the_key_and_the_mend(row, reason):
    with pytest.raises(CourseError, match=reason):
        formats.to_messages(row)
