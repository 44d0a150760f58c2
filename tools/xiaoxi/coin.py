"""Coin official words for schoolbook cities, so wide-ranging that only copying can get them right.

A city calls parking "velar tindance" and another "grave lemon": no pool of phrases could be learned
by heart, and Lingxi's own jargon, met later, is just one more city's.
"""

import random
from functools import cache

from helpers.lingxi import words as common_words
from tools.xiaoxi import lexicon as lex

SYLLABLES = tuple(
    """
    a ac al am an ap ar as ba be bel ber bi bo ca cal can ce cel cer ci cir clean co col com
    con cor cu da de del den der di dis do du e ed el em en er es ex fa fer fi fin flu fo for
    ful fur ga gen ger gi gra gre gy ha hand hel her hi ho hu i ic il im in inc ing ion is it
    ity ja ka ker la lar le len ler li lic lin lo lu ly ma man mar me men mer mi mo mon mu na
    nal ne ness ni no nu o ob ol om on op or ort ous out over pa par pas pe per pla po por pre
    pri pro pu qua ra re res ri ro ru sa se sen set shed si so sta ste sti sub sur sus ta te
    tem ten ter ti tic tion to tor tra tri tu ty u um un ur us va ver vi vo wa wet wi wo y ya
    za
    """.split()
)
PREPOSITIONS = ("in", "on", "at", "before", "by", "near")


@cache
def characters() -> tuple[str, ...]:
    """Return every Chinese character of the lexicon, those of Lingxi's terms among them."""
    text = [a.lingxi_zh + "".join(a.zh + a.pool_zh) for a in common_words.ACTS]
    text += [p.lingxi_zh + p.zh + "".join(p.pool_zh) for p in common_words.PLACES]
    text += [zh for _, zh in lex.words()] + [zh for _, zh in common_words.OFFICES]
    text += [w for part in lex.FORMAL_ZH for w in part]
    return tuple(sorted({c for c in "".join(text) if "一" <= c <= "鿿"}))


@cache
def plain_words() -> tuple[str, ...]:
    """Return the everyday English words, single ones."""
    return tuple(sorted({en for en, _ in lex.words() if " " not in en and len(en) > 2}))


@cache
def lingxi_words() -> frozenset[str]:
    """Return the words that only Lingxi uses; no city may coin one of them."""
    every = [a.lingxi_en for a in common_words.ACTS] + [p.lingxi_en for p in common_words.PLACES]
    zh = [a.lingxi_zh for a in common_words.ACTS] + [
        p.lingxi_zh for p in common_words.PLACES if p.lingxi_zh
    ]
    return frozenset(" ".join(every).replace("-", " ").split()) | frozenset(zh)


def word(rng: random.Random) -> str:
    """Return one English word: everyday, formal, or made of syllables."""
    kind = rng.random()
    if kind < 0.25:
        return rng.choice(plain_words())
    if kind < 0.4:
        return rng.choice(rng.choice(lex.FORMAL_EN)).split()[0]
    while True:
        made = "".join(rng.choices(SYLLABLES, k=rng.choice((2, 2, 3, 3, 4))))
        if len(made) > 3 and made not in lingxi_words():
            return made


def act_en(rng: random.Random, act: common_words.Act) -> str:
    """Return a city's English term for an act."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(act.pool_en)
    if kind < 0.25:
        return " ".join(rng.choice(part) for part in lex.FORMAL_EN)
    if kind < 0.35:
        return f"{word(rng)} of {word(rng)}"
    joint = "-" if rng.random() < 0.1 else " "
    return joint.join(word(rng) for _ in range(rng.choice((1, 2, 2, 2))))


def place_en(rng: random.Random, place: common_words.Place) -> str:
    """Return a city's English term for a place; four in ten keep the lay words."""
    kind = rng.random()
    if kind < 0.4:
        return place.en
    if kind < 0.5:
        return rng.choice(place.pool_en)
    noun = " ".join(word(rng) for _ in range(rng.choice((1, 2, 2))))
    return f"{rng.choice(PREPOSITIONS)} the {noun}"


def phrase_zh(rng: random.Random, sizes: tuple[int, ...]) -> str:
    """Return a Chinese phrase of random characters, now and then of everyday words."""
    while True:
        made = "".join(rng.choices(characters(), k=rng.choice(sizes)))
        if rng.random() < 0.25:
            made = "".join(zh for _, zh in rng.choices(lex.words(), k=2))
        if not any(own in made for own in lingxi_words()):
            return made


def act_zh(rng: random.Random, act: common_words.Act) -> str:
    """Return a city's Chinese term for an act."""
    kind = rng.random()
    if kind < 0.1:
        return rng.choice(act.pool_zh)
    if kind < 0.25:
        return "".join(rng.choice(part) for part in lex.FORMAL_ZH)
    return phrase_zh(rng, (2, 3, 4, 4, 4, 4))


def place_zh(rng: random.Random, place: common_words.Place) -> str:
    """Return a city's Chinese term for a place; four in ten keep the lay words."""
    kind = rng.random()
    if kind < 0.4:
        return place.zh
    if kind < 0.5:
        return rng.choice(place.pool_zh)
    return phrase_zh(rng, (3, 4, 4, 5))


class Vocabulary:
    """One city's official words: the same word for an act or a place in all its articles."""

    def __init__(self, rng: random.Random, lang: str):
        """Begin with no words; each is coined when it is first needed."""
        self.rng, self.en, self.known = rng, lang == "en", {}

    def act(self, act: common_words.Act) -> str:
        """Return the city's word for an act."""
        coin = act_en if self.en else act_zh
        return self.known.setdefault(act.key, coin(self.rng, act))

    def place(self, place: common_words.Place) -> str:
        """Return the city's words for a place."""
        coin = place_en if self.en else place_zh
        return self.known.setdefault(place.key, coin(self.rng, place))

    def term(self, act: common_words.Act, place: common_words.Place) -> str:
        """Return the official term of an offence: act before place, in Chinese after it."""
        if self.en:
            return f"{self.act(act)} {self.place(place)}"
        return f"{self.place(place)}{self.act(act)}"
