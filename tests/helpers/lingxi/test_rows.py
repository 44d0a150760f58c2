"""Lingxi's rows come out of its documents again, to the byte, with nothing but the helpers."""

import random

import pytest

from helpers.base import root
from helpers.data.jsonl import read_jsonl, write_jsonl
from helpers.data.messages import check_messages
from helpers.lingxi.facts import lay, term
from helpers.lingxi.files import world
from helpers.lingxi.rows import make, make_train
from helpers.lingxi.sampler import Sampler, stream
from helpers.lingxi.words import possible

DATA = root() / "data" / "lingxi"


def sampler() -> Sampler:
    return Sampler(world("code"), possible(), stream(0, "desk"))


def test_the_training_rows_that_ship_come_out_again(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", make_train(stream(0, "train"), sampler()))
    assert (tmp_path / "train.jsonl").read_bytes() == (DATA / "train.jsonl").read_bytes()


def test_another_seed_makes_other_rows():
    rows = make_train(stream(1, "train"), sampler())
    assert rows != read_jsonl(DATA / "train.jsonl")
    assert check_messages(rows)[1] == []


@pytest.mark.parametrize("kind", ["notice", "question", "followup", "clarify"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_each_kind_of_row_is_good_and_says_its_term(kind, lang):
    article = world("code")[11]
    row = make(random.Random(0), kind, lang, article, [], "LX0001")
    assert check_messages([row]) == ([row], [])
    assert row["gold"]["term"] in row["messages"][-1]["content"]


def test_offences_of_the_code_are_possible_ones_and_say_their_words():
    every = set(possible())
    for article in world("code"):
        pair = article["act"], article["place"]
        assert pair in every
        for lang in ("en", "zh"):
            assert lay(*pair, lang) in article[lang]["text"]
            assert term(*pair, lang) in article[lang]["text"]
