"""Heads that look back: the gift does what it says, and a map shows where a head looks."""

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from helpers.lessons import copying

ROW = [3, 1, 4, 5, 9, 2, 1, 4, 5]  # 1, 4, 5 come again


@pytest.fixture
def pupil():
    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4}
    return Qwen2ForCausalLM(Qwen2Config(vocab_size=10, **shape, **heads)).eval()


def test_the_gift_turns_one_head_to_the_sign_before_and_no_other(pupil):
    before = copying.one_before(ROW)
    assert before == {i: i - 1 for i in range(1, 9)}
    plain = [copying.looking_at(head, before) for head in copying.attention(pupil, ROW)[0]]
    copying.look_back(pupil)
    gifted = [copying.looking_at(head, before) for head in copying.attention(pupil, ROW)[0]]
    assert gifted[0] > 0.6 and gifted[0] > 2 * max(plain)
    assert gifted[1:] == pytest.approx(plain[1:], abs=1e-6)


def test_what_followed_the_same_sign_is_looked_up_at_its_first_coming():
    assert copying.after_the_same(ROW) == {6: 2, 7: 3, 8: 4}


def test_attention_is_one_row_of_shares_a_token_and_the_model_stays_as_it_was(pupil):
    kind = pupil.config._attn_implementation
    layers = copying.attention(pupil, ROW)
    assert [tuple(layer.shape) for layer in layers] == [(4, 9, 9)] * 2
    assert torch.allclose(layers[0].sum(-1), torch.ones(4, 9), atol=1e-5)
    assert layers[0].triu(1).abs().max() == 0, "nobody looks ahead"
    assert pupil.config._attn_implementation == kind


def test_a_map_shows_the_best_heads_and_tells_their_shares_in_words(pupil):
    copying.look_back(pupil)
    fig = copying.attention_map(pupil, ROW, [str(i) for i in ROW])
    share = 100 * copying.looking_at(copying.attention(pupil, ROW)[0][0], copying.one_before(ROW))
    assert f"{share:.0f} %" in fig.axes[0].get_title()
    assert f"{share:.0f} % of its attention" in fig.alt and "注意力图" in fig.alt
