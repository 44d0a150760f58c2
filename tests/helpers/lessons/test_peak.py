"""Bytes counted: the most alive at once in a piece of work, and weights as they are stored."""

import torch
from torch import nn

from helpers.lessons.peak import peak_of, stored_bytes

MB = 2**20


def test_the_peak_is_what_is_alive_at_once_and_not_the_sum():
    def work():
        for _ in range(3):
            a = torch.zeros(MB, dtype=torch.uint8)
            b = torch.zeros(2 * MB, dtype=torch.uint8)
            del a, b

    assert peak_of(work) == 3 * MB


def test_what_was_there_before_and_views_do_not_count():
    before = torch.zeros(MB, dtype=torch.uint8)
    assert peak_of(lambda: before.view(2, -1).t()) == 0
    assert peak_of(lambda: before + 1) == MB


def test_a_backward_pass_counts_what_forward_keeps():
    layer = nn.Linear(256, 256, bias=False)
    x = torch.zeros(1024, 256)
    output = 1024 * 256 * 4
    assert peak_of(lambda: layer(x)) == output
    assert peak_of(lambda: layer(x).square().sum().backward()) >= 2 * output  # and its square


def test_a_tied_weight_is_stored_once_and_4_bits_with_their_constants():
    from bitsandbytes.nn import Linear4bit

    embedding, head = nn.Embedding(64, 128), nn.Linear(128, 64, bias=False)
    head.weight = embedding.weight
    assert stored_bytes(nn.ModuleList([embedding, head])) == 64 * 128 * 4
    packed = Linear4bit(128, 128, bias=False, quant_type="nf4", compress_statistics=False)
    packed.load_state_dict({"weight": torch.randn(128, 128)})
    packed.to("cpu")
    codes, constants = 128 * 128 // 2, 128 * 128 // 64 * 4
    assert codes + constants <= stored_bytes(packed) <= codes + constants + 16 * 4
