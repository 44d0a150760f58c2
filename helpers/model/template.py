"""A chat template that says which tokens are the assistant's, where a model's own does not."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")
# ChatML, as Qwen and SmolLM2 write it; DEFAULT is what stands before a user who speaks first
CHATML = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}{{ DEFAULT }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
TALKS = [  # what the two templates must write alike
    [{"role": "user", "content": "a"}],
    [{"role": "user", "content": "a b"}, {"role": "assistant", "content": "c"}],
    [
        {"role": "system", "content": "s"},
        *[{"role": r, "content": f"{r}\n{n}"} for n in (1, 2) for r in ("user", "assistant")],
    ],
]


def marks_answers(template: str | None) -> bool:
    """Tell whether a template marks the assistant's tokens with `{% generation %}`."""
    return bool(template and GENERATION.search(template))


def with_markers(tokenizer: "PreTrainedTokenizerBase") -> bool:
    """Give a ChatML tokenizer without markers a template that has them and writes the same text.

    Return whether the tokenizer's template has markers now. A template that is not ChatML, or
    writes anything else than ours, stays as it is.
    """
    own = tokenizer.chat_template
    if marks_answers(own):
        return True
    if not own or "<|im_start|>" not in own:
        return False
    wanted = _texts(tokenizer)
    default = wanted[0].partition("<|im_start|>user")[0]
    tokenizer.chat_template = CHATML.replace("DEFAULT", repr(default))
    if _texts(tokenizer) == wanted:
        return True
    tokenizer.chat_template = own
    return False


def _texts(tokenizer: "PreTrainedTokenizerBase") -> list[str]:
    """Return what a template makes of the sample talks, with and without room for an answer."""
    return [
        tokenizer.apply_chat_template(talk, tokenize=False, add_generation_prompt=more)
        for talk in TALKS
        for more in (True, False)
    ]
