"""Coined words: too many to know by heart, one for an act in each city, none of them Lingxi's."""

import random

import pytest

from helpers.lingxi import words as common_words
from tools.xiaoxi import coin, school
from tools.xiaoxi import lexicon as lex


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_city_has_one_word_for_an_act_wherever_it_stands(lang):
    words = coin.Vocabulary(random.Random(1), lang)
    act, other = common_words.ACTS[0], common_words.ACTS[1]
    first, second, third = common_words.PLACES[:3]
    assert words.term(act, first) == words.term(act, first)
    assert words.act(act) in words.term(act, second)
    assert words.place(third) in words.term(other, third)
    assert coin.Vocabulary(random.Random(2), lang).term(act, first) != words.term(act, first)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_terms_are_too_many_to_learn_by_heart(lang):
    terms = {
        coin.Vocabulary(random.Random(n), lang).term(
            common_words.ACTS[n % 20], common_words.PLACES[n % 22]
        )
        for n in range(2000)
    }
    assert len(terms) > 1980


def test_no_city_coins_a_word_of_lingxi():
    own = coin.lingxi_words()
    assert {"celerity", "fluvial", "静置车辆", "滨水路段"} <= own
    for n in range(2000):
        for lang in ("en", "zh"):
            words, act = coin.Vocabulary(random.Random(n), lang), common_words.ACTS[n % 20]
            term = words.act(act) + " | " + words.place(common_words.PLACES[n % 22])
            if lang == "zh":
                assert not any(word in term for word in own if not word.isascii()), term
    made = {coin.word(random.Random(n)) for n in range(20_000)} - set(coin.plain_words())
    formal = {word.split()[0] for part in lex.FORMAL_EN for word in part}
    assert not (made - formal) & own


def test_every_character_of_lingxi_is_met_at_school():
    own = "".join(a.lingxi_zh for a in common_words.ACTS) + "".join(
        p.lingxi_zh for p in common_words.PLACES
    )
    assert set(own) <= set(coin.characters())
    seen = "".join(coin.phrase_zh(random.Random(n), (4,)) for n in range(8000))
    assert set(own) <= set(seen)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_plain_article_is_worded_as_its_answer(lang):
    [entry] = school.city(random.Random(3), 1, lang, plain=True)
    phrase = school.lay(entry.act, entry.place, lang)
    colon = ": " if lang == "en" else "："
    assert entry.text == phrase + colon + school.answer(entry, "rule", lang)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_glossary_tells_every_term_that_it_asks_for(lang):
    for n in range(50):
        turns = school.glossary(random.Random(n), lang)
        listed = turns[0][0].split("\n\n")[0]
        colon = ": " if lang == "en" else "："
        words = [line.split(colon, 1)[1] for line in listed.splitlines()[1:]]
        for _, reply in turns:
            term = reply.split(colon, 1)[1]
            joint = " " if lang == "en" else ""
            assert any(a + joint + b == term for a in words for b in words), (term, words)
