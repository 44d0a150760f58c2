"""The loss mask: what is learned under each template, or why the template cannot be used."""

import copy

import pytest

from helpers.base import CourseError
from helpers.model.loss import encode

PLAIN = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\nPUT' }}{% endif %}"
)
TALK = [
    {"role": "user", "content": "1?"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "2?"},
    {"role": "assistant", "content": "two"},
]


@pytest.fixture(scope="module")
def xiaoxi():
    from helpers.model.load import load_tokenizer

    return load_tokenizer("data/models/xiaoxi")


def learned(tokenizer, *marks):
    """Return the text that is learned when the two answers bear these marks."""
    talk = copy.deepcopy(TALK)
    talk[1] |= marks[0]
    talk[3] |= marks[1]
    ids, mask = encode(tokenizer, talk)
    assert len(ids) == len(mask)
    return tokenizer.decode([i for i, counts in zip(ids, mask, strict=True) if counts])


NO = {"train": False}


def test_answers_that_are_not_to_be_learned(xiaoxi):
    assert learned(xiaoxi, {}, {}) == "one<|im_end|>two<|im_end|>"
    assert learned(xiaoxi, NO, {}) == "two<|im_end|>"
    assert learned(xiaoxi, {}, NO) == "one<|im_end|>"
    assert learned(xiaoxi, NO, NO) == ""
    assert learned(xiaoxi, {"train": True}, {}) == "one<|im_end|>two<|im_end|>"


def test_without_markers_the_last_answer_that_is_learned_counts(xiaoxi):
    tokenizer = copy.deepcopy(xiaoxi)
    tokenizer.chat_template = PLAIN.replace("PUT", "")
    assert learned(tokenizer, {}, {}) == "two<|im_end|>"
    assert learned(tokenizer, {}, NO) == "one<|im_end|>"
    assert learned(tokenizer, NO, NO) == ""


def test_a_prompt_that_does_not_begin_the_training_text_is_refused(xiaoxi):
    """It was cut by length once: the first tokens of each answer went unlearned, unnoticed."""
    tokenizer = copy.deepcopy(xiaoxi)
    tokenizer.chat_template = PLAIN.replace("PUT", "= = = = ")
    with pytest.raises(CourseError, match="no beginning of its training text") as caught:
        encode(tokenizer, TALK)
    assert "不是训练文本的开头" in caught.value.zh


def test_a_template_that_marks_answers_in_one_stretch_cannot_leave_one_out(xiaoxi):
    tokenizer = copy.deepcopy(xiaoxi)
    plain = PLAIN.replace("PUT", "")
    tokenizer.chat_template = "{% generation %}" + plain + "{% endgeneration %}"
    assert "1?" in learned(tokenizer, {}, {})
    with pytest.raises(CourseError, match="does not mark each answer apart"):
        learned(tokenizer, NO, {})
