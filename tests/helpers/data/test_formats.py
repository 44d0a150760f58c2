"""Formats: what goes to another format and back is the same row, or is refused; never lost."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.base import CourseError
from helpers.data import formats, messages

text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
FIELDS = ("id", "input", "system", "history", "prompt", "chosen", "rejected", "instruction", "note")
value = st.none() | text | st.just("") | st.just([]) | st.integers()
extra = st.dictionaries(st.sampled_from(FIELDS), value, max_size=3)
calm = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WAYS = (formats.to_alpaca, formats.to_sharegpt, formats.to_prompt_completion)


@st.composite
def conversations(draw):
    """Return a good conversation, with a system text or without, of one to three turns."""
    turns = [("system", draw(st.text(max_size=5)))] if draw(st.booleans()) else []
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
    assert formats.to_messages(there) == row


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


@pytest.mark.parametrize("system", [None, ""])
def test_alpaca_without_a_system_text(system):
    """Null is no system text; an empty one is, and stays."""
    row = {"instruction": "a", "output": "b", "system": system}
    told = formats.to_messages(row)
    first = [] if system is None else [{"role": "system", "content": ""}]
    assert told["messages"] == first + A_B
    assert messages.check_messages([told]) == ([told], [])
    assert formats.to_alpaca(told) == row


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
        ({"instruction": "a", "output": "b", "input": 3}, '"input"'),
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
