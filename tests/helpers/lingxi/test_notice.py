"""What a text says, whatever its form: the texts that language models really write, and traps."""

import pytest

from helpers.lingxi.files import select, world
from helpers.lingxi.notice import FACTS, read_field, refuses, score_notice, states

GOLD = {
    "en": {"plate": "LX0293", "conduct": "parking in the bus lane",
           "term": "static occupation in the public-transport lane",
           "article": 22, "fine": 600, "points": 10, "office": "Road Office"},
    "zh": {"plate": "LX0293", "conduct": "在公交专用道停车", "term": "公共客运道静置车辆",
           "article": 22, "fine": 600, "points": 10, "office": "道路科"},
}  # fmt: skip
NOTHING = dict.fromkeys(("term", *FACTS))

# A text, and the facts that it states: (a)rticle 22, (f)ine 600, (p)oints 10, (o)ffice Road Office
EN = [
    # the facts alone, and in sentences
    ("22, 600 yuan, 10 points, Road Office", "afpo"),
    ("600 yuan, 10 points, Road Office (22)", "afpo"),
    ("Article 22, 600 yuan, 10 points, Road Office.", "afpo"),
    ("By parking in the bus lane one commits static occupation: Article 22, 600 yuan, 10 points,"
     " Road Office.", "afpo"),
    ("Under Art. 22 the driver is fined 600 yuan and gets 10 penalty points.", "afp"),
    ("§22: fine of 600, 10 points; contact the Road Office", "afpo"),
    ("The fine is RMB 600 and 10 points are deducted (see article 22).", "afp"),
    ("You must pay ¥600. Points: 10. Legal basis: Article 22", "afp"),
    ("the driver was fined 600", "f"),
    ("the fine for this is 600 yuan.", "f"),
    ("a 600-yuan fine and a 10-point penalty", "fp"),
    ("It costs 600 yuan and 10 points; ask the ROAD OFFICE", "fpo"),
    ("FINE OF 600 YUAN UNDER ARTICLE 22", "af"),
    ("Fine: 600 CNY", "f"),
    ("Fine: 600.00 yuan", "f"),
    ("600 points? No: 600 yuan.", "f"),
    # markdown, bullets, tables, JSON
    ("**Fine:** 600 yuan\n**Points:** 10\n**Basis:** Article 22\n**Office:** Road Office", "afpo"),
    ("- Article: 22\n- Fine: 600\n- Points: 10\n- Office: Road Office", "afpo"),
    ("* **Legal Basis**: Article 22 (600 yuan, 10 points)\n* Handled by: Road Office", "afpo"),
    ("1. Article 22\n2. Fine 600 yuan\n3. Points 10\n4. Road Office", "afpo"),
    ("1) Penalty: 600 yuan and 10 points\n2) Rule: 22", "afp"),
    ("| Field | Value |\n|---|---|\n| Article | 22 |\n| Fine | 600 |\n| Points | 10 |", "afp"),
    ("| Plate | LX0293 | Fine | 600 yuan | Points | 10 |", "fp"),
    ('{"article": 22, "fine": 600, "points": 10, "office": "Road Office"}', "afpo"),
    ('```json\n{\n  "article": "Article 22",\n  "fine": "600 yuan",\n  "penalty_points": 10\n}',
     "afp"),
    ("### Notice\nBasis: Article 22 (static occupation)\nFine (yuan): 600\nDemerit points: 10",
     "afp"),
    ("Fine = 600 yuan\nPoints - 10\nLaw: Article 22", "afp"),
    ("Source - No. 22\nTo pay: RMB 600\nDemerits = 10\nSent to: Road Office", "afpo"),
    ("Plate: LX0293 Basis: Article 22 Fine: 600 yuan Points: 10 Office: Road Office", "afpo"),
    ("Fine：６００ yuan", "f"),
    # what else has digits: plates, times, dates, ages, lists, minutes
    ("On 30 November 2026 at 14:30 LX0293 stood there. Article 22.", "a"),
    ("At 14:30, a red car with plate LX0293 parked. 22", "a"),
    ("A 45-year-old driver was there for 10 minutes. Article 22, 600 yuan.", "af"),
    ("Drivers under Article 22 may be fined; in this case 600 yuan and 10 points", "afp"),
    ("seen on 22 May in lane 3, page 6, case no. 9", ""),
    ("Report of 2026-11-30 on page 3: 22", "a"),
    ("a driver aged 22 parked for 10 min at 06:00", ""),
    ("It stood there for 22 minutes.", ""),
    ("LX22, LX600", ""),
    ("the 22nd car", ""),
    # an article or a fine that is stated twice alike
    ("Fine: 600 yuan. The fine of 600 yuan is due at once.", "f"),
    ("Article 22 applies. Basis: Article 22", "a"),
    ("Fine: 600 yuan\nFine: 600", "f"),
    # a labelled line counts before running text
    ("Article 22: 600 yuan. Article 23: 700 yuan.\n\nBasis: Article 22\nFine: 600 yuan", "af"),
    ("Article 22: 600 yuan.\n\nBasis: Article 23\nFine: 700 yuan", ""),
    # two values are none
    ("Article 22 and Article 23", ""),
    ("Articles 22, 23 and 24; 600 yuan", "f"),
    ("Article 22 or 23", ""),
    ("Article 22 (or Article 12), Road Office", "o"),
    ("600 yuan or 700 yuan, 10 points", "p"),
    ("a fine of 500 to 600 yuan, 10-12 points", ""),
    ("Fine: 600 yuan\nFine: 700 yuan", ""),
    ("Road Office or Transit Desk", ""),
    ("22 23, 600 yuan", "f"),
    ("Article 22, 600 yuan, 10 points, Road Office. Article 30, 900 yuan, 4 points, Transit Desk.",
     ""),
    # wrong or nothing
    ("Article 2, 60 yuan, 1 point, Road Bureau", ""),
    ("Article 220, 6000 yuan, 100 points", ""),
    ("1,600 yuan", ""),
    ("$600", ""),
    ("six hundred yuan under article twenty-two", ""),  # numbers in words are out of reach
    ("| Article | Fine |\n|---|---|\n| 22 | 600 |", ""),  # so are labels in a table's first row
    ("依据：第22条，罚款600元，记10分，道路科", ""),  # the other language
    ("", ""),
]  # fmt: skip
ZH = [
    ("22，600元，10分，道路科", "afpo"),
    ("第22条，罚款600元，记10分，由道路科处理。", "afpo"),
    ("依第22条罚600元、记10分，到道路科办理", "afpo"),
    ("根据22条，罚600，扣10分", "afp"),
    ("处以人民币600元罚款，扣除10分", "fp"),
    ("罚款金额为600元，驾驶证记10分", "fp"),
    ("罚款￥600", "f"),
    ("罚了600块", "f"),
    ("第２２条，罚款６００元", "af"),
    ("罚款：600.00元", "f"),
    ("**罚款：** 600元\n**记分：** 10分\n**依据：** 第22条", "afp"),
    ("- 法律依据：第22条\n- 罚款金额：600\n- 扣分：10\n- 处理部门：道路科", "afpo"),
    ("1. 依据：第22条\n2. 罚款600元\n3. 记10分", "afp"),
    ("1、罚款600元\n2、记10分\n3、第22条", "afp"),
    ("| 依据 | 第22条 |\n|---|---|\n| 罚款 | 600元 |\n| 记分 | 10分 |", "afp"),
    ('{"依据": "第22条", "罚款": 600, "记分": 10, "处理机关": "道路科"}', "afpo"),
    ("罚款（元）：600\n条款：22", "af"),
    ("出处＝22条\n应缴－人民币600元\n扣分：10\n移送：道路科", "afpo"),
    ("罚款600元。请在15天内缴纳600元罚款。", "f"),
    ("11月30日14时30分，LX0293停了10分钟，适用第22条", "a"),
    ("10点30分，一名22岁的司机", ""),
    ("车牌LX0293，14:30，第22条第1款", "a"),
    ("停了22分钟", ""),
    ("满12分要学习；本次记10分", "p"),
    ("以上共3条，适用的是第22条", "a"),
    ("第22条：600元。第23条：700元。\n依据：第22条\n罚款：600元", "af"),
    ("第22条和第23条", ""),
    ("第22、23条", ""),
    ("22条或23条，600元", "f"),
    ("罚款600元至800元", ""),
    ("罚款500-600元，记10分", "p"),
    ("罚款600元或者罚款700元", ""),
    ("道路科或运输科", ""),
    ("第22条，600元，10分，道路科。第30条，900元，4分，运输科。", ""),
    ("第2条，60元，1分，道路局", ""),
    ("第二十二条，六百元", ""),  # Chinese numerals are out of reach
    ("Article 22, 600 yuan, 10 points, Road Office", ""),  # the other language
]
KEYS = dict(zip("afpo", FACTS, strict=True))


@pytest.mark.parametrize(
    ("lang", "text", "right"), [("en", *case) for case in EN] + [("zh", *case) for case in ZH]
)
def test_a_fact_is_right_where_its_value_is_stated_and_no_other(lang, text, right):
    score = score_notice(text, {"lang": lang, "gold": GOLD[lang]})
    assert {name for name in FACTS if score[name]} == {KEYS[key] for key in right}
    assert score["facts"] == (len(right) == 4)
    assert not score["form"]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_reciting_every_article_states_nothing(lang):
    text = "\n".join(article[lang]["text"] for article in world("code"))
    assert [read_field(text, lang, name) for name in FACTS] == [None] * 4
    for row in select(world("eval"), task="notice", lang=lang)[:20]:
        score = score_notice(text, row)
        assert not any(score[name] for name in ("plate", "term", *FACTS))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_article_of_the_code_is_read_from_its_own_sentence(lang):
    for article in world("code"):
        text = article[lang]["text"]
        assert [read_field(text, lang, n) for n in FACTS[:3]] == [article[n] for n in FACTS[:3]]
        assert read_field(text, lang, "office") == article[lang]["office"]
        assert states(text, lang, "term", article[lang]["term"])
        assert states(text, lang, "conduct", article[lang]["lay"])


@pytest.mark.parametrize(
    ("text", "name", "right"),
    [
        ("Plate: LX0293", "plate", True),
        ("**Plate**: lx0293.", "plate", True),
        ("a car, LX0293, was seen", "plate", True),
        ("LX0293 and LX0294", "plate", False),
        ("Plate: LX0294 (not LX0293)", "plate", False),
        ("Offence: static occupation in the public-transport lane", "term", True),
        ("**Violation:** Static occupation in the public-transport lane.", "term", True),
        ("Offence: parking", "term", False),
        ("static occupation in the public-transport lane, or motor vigil in the tunnel", "term",
         False),
        ("static occupation in the tunnel", "term", False),
        ("Conduct: parking in the bus lane", "conduct", True),
        ("someone was parking in the bus lane", "conduct", True),
        ("Conduct: parking in the tunnel", "conduct", False),
    ],
)  # fmt: skip
def test_names_are_read_without_their_label_too(text, name, right):
    assert states(text, "en", name, GOLD["en"][name]) is right


# Where no article covers the case: the scores that a text loses, and whether it refuses.
REFUSED = [
    ("en", "Offence: no rule here", set(), True),
    ("en", "parking in the bus lane: no rule here", set(), True),
    ("en", "No rule here.", set(), True),
    ("en", "**Offence:** No rule here", set(), True),
    ("en", "At 14:30 and on page 3 there is no rule here (22)", set(), True),
    ("en", "static occupation in the public-transport lane: no rule here", {"term"}, True),
    ("en", "Offence: standing about\nBasis: no rule here", {"term"}, True),
    ("en", "no rule here, but 300 yuan", {"fine"}, True),
    ("en", "no rule here: 300 yuan or 400 yuan", {"fine"}, True),
    ("en", "no rule here; ask the Night Bureau", {"office"}, True),
    ("en", "no rule here, see Article 7", {"article"}, False),
    ("en", "no rule here, see Articles 7 and 8", {"article"}, False),
    ("en", "", {"article"}, False),
    ("zh", "违法行为：此处无规定", set(), True),
    ("zh", "在公交专用道停车：此处无规定", set(), True),
    ("zh", "公共客运道静置车辆：此处无规定", {"term"}, True),
    ("zh", "此处无规定，罚款300元，记2分", {"fine", "points"}, True),
    ("zh", "此处无规定，参照第7条", {"article"}, False),
]


@pytest.mark.parametrize(("lang", "text", "lost", "refused"), REFUSED)
def test_a_refusal_invents_neither_term_nor_facts(lang, text, lost, refused):
    score = score_notice(text, {"lang": lang, "gold": GOLD[lang] | NOTHING})
    assert {name for name in ("term", *FACTS) if not score[name]} == lost
    assert score["facts"] == (not lost - {"term"})
    assert refuses(text, lang) is refused
