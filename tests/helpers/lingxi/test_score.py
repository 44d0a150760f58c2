"""Scores: a right notice scores all, one wrong line costs its own score and no other."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.lingxi import notice
from helpers.lingxi import score as metrics
from helpers.model import loss

GOLD = {
    "en": {
        "plate": "LX4821",
        "conduct": "standing among buses",
        "term": "obstructing a public-transport lane",
        "article": 12,
        "fine": 200,
        "points": 3,
        "office": "Transit Desk",
    },
    "zh": {
        "plate": "LX4821",
        "conduct": "在公交道上停着",
        "term": "占用公交专用道停车",
        "article": 12,
        "fine": 200,
        "points": 3,
        "office": "运输科",
    },
}
RIGHT = {
    "en": """[LINGXI TRAFFIC NOTICE]
Plate: LX4821
Conduct: standing among buses
Offence: obstructing a public-transport lane
Basis: Article 12
Fine: 200 yuan
Points: 3
Office: Transit Desk""",
    "zh": """【灵溪市交通违法处理通知书】
车牌：LX4821
违法事实：在公交道上停着
违法行为：占用公交专用道停车
依据：第12条
罚款：200元
记分：3分
处理机关：运输科""",
}
REFUSED = {
    "en": """[LINGXI TRAFFIC NOTICE]
Plate: LX4821
Conduct: standing among buses
Offence: no rule here""",
    "zh": """【灵溪市交通违法处理通知书】
车牌：LX4821
违法事实：在公交道上停着
违法行为：此处无规定""",
}
NAMES = {"form", "plate", "conduct", "term", "article", "fine", "points", "office", "facts", "all"}


def row(lang, **gold):
    return {"lang": lang, "gold": GOLD[lang] | gold}


def uncovered(lang):
    return row(lang, term=None, article=None, fine=None, points=None, office=None)


def wrong(text, of):
    """Return the names of the scores that a text loses."""
    score = notice.score_notice(text, of)
    assert set(score) == NAMES
    return {name for name, right in score.items() if not right}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_right_notice_scores_everything(lang):
    assert notice.write_notice(GOLD[lang], lang) == RIGHT[lang]
    assert notice.parse_notice(RIGHT[lang], lang) == GOLD[lang]
    assert wrong(RIGHT[lang], row(lang)) == set()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_right_refusal_scores_everything(lang):
    of = uncovered(lang)
    assert notice.write_notice(of["gold"], lang) == REFUSED[lang]
    assert notice.parse_notice(REFUSED[lang], lang) == of["gold"]
    assert wrong(REFUSED[lang], of) == set()


# What stands in the right notice, what stands there instead, and the scores that this costs.
KNOWLEDGE = {"facts", "all"}
CORRUPTED = [
    ("en", "[LINGXI TRAFFIC NOTICE]\n", "", {"form", "all"}),
    ("en", "[LINGXI", "[Lingxi", {"form", "all"}),
    ("en", "LX4821", "LX4812", {"plate", "all"}),
    ("en", "Plate: LX4821", "Plate: LX 4821", {"form", "plate", "all"}),
    ("en", "obstructing", "blocking", {"term", "all"}),
    ("en", "obstructing a public-transport lane", "parking in the bus lane", {"term", "all"}),
    ("en", "lane\n", "lane at night\n", {"term", "all"}),
    ("en", "Article 12", "Article 13", {"article"} | KNOWLEDGE),
    ("en", "Article 12", "Article 012", {"form", "all"}),
    ("en", "Article 12", "Article 12 or 13", {"form", "article"} | KNOWLEDGE),
    ("en", "Basis: Article 12", "Basis: no rule here", {"form", "article"} | KNOWLEDGE),
    ("en", "200 yuan", "300 yuan", {"fine"} | KNOWLEDGE),
    ("en", "200 yuan", "2000 yuan", {"fine"} | KNOWLEDGE),
    ("en", "200 yuan", "200", {"form", "all"}),
    ("en", "200 yuan", "two hundred yuan", {"form", "fine"} | KNOWLEDGE),
    ("en", "Fine: ", "Penalty: ", {"form", "all"}),
    ("en", "Fine: ", "Fine:", {"form", "all"}),
    ("en", "Fine: 200 yuan\n", "", {"form", "fine"} | KNOWLEDGE),
    ("en", "Fine: 200 yuan", "Fine: 200 yuan\nFine: 300 yuan", {"form", "fine"} | KNOWLEDGE),
    ("en", "Points: 3", "Points: 6", {"points"} | KNOWLEDGE),
    ("en", "Points: 3", "Points: 3 points", {"form", "all"}),
    ("en", "Transit Desk", "Harbour Desk", {"office"} | KNOWLEDGE),
    ("en", "Transit Desk", "Transit Desk ", {"form", "all"}),
    ("en", "Transit Desk", "Transit Desk\n", {"form", "all"}),
    ("en", "Transit Desk", "Transit Desk\nThank you.", {"form", "all"}),
    ("en", "[LINGXI", "Here it is:\n[LINGXI", {"form", "all"}),
    ("en", "\n", "\r\n", {"form", "all"}),
    ("zh", "【灵溪市交通违法处理通知书】\n", "", {"form", "all"}),
    ("zh", "通知书】", "决定书】", {"form", "all"}),
    ("zh", "LX4821", "LX4822", {"plate", "all"}),
    ("zh", "占用公交专用道停车", "在公交专用道停车", {"term", "all"}),
    ("zh", "第12条", "第21条", {"article"} | KNOWLEDGE),
    ("zh", "第12条", "第十二条", {"form", "article"} | KNOWLEDGE),
    ("zh", "依据：第12条", "依据：此处无规定", {"form", "article"} | KNOWLEDGE),
    ("zh", "200元", "500元", {"fine"} | KNOWLEDGE),
    ("zh", "200元", "200 元", {"form", "all"}),
    ("zh", "罚款：", "罚款:", {"form", "all"}),
    ("zh", "罚款：200元\n", "", {"form", "fine"} | KNOWLEDGE),
    ("zh", "记分：3分", "记分：6分", {"points"} | KNOWLEDGE),
    ("zh", "记分：3分", "记分：3", {"form", "all"}),
    ("zh", "运输科", "车辆科", {"office"} | KNOWLEDGE),
    ("zh", "运输科", "运输科。", set()),
    ("zh", "处理机关：", "机关：", {"form", "all"}),
]


@pytest.mark.parametrize(("lang", "old", "new", "lost"), CORRUPTED)
def test_one_wrong_line_costs_its_own_score_and_no_other(lang, old, new, lost):
    assert old in RIGHT[lang]
    assert wrong(RIGHT[lang].replace(old, new), row(lang)) == lost


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("n", range(7))
def test_a_line_left_out_doubled_or_moved_breaks_the_form(lang, n):
    lines = RIGHT[lang].split("\n")
    rest = lines[:n] + lines[n + 1 :]
    for other in (rest, [*lines[: n + 1], *lines[n:]], [*rest[: n - 1], lines[n], *rest[n - 1 :]]):
        assert "form" in wrong("\n".join(other), row(lang))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_notice_in_the_other_language_is_no_notice(lang):
    other = "zh" if lang == "en" else "en"
    assert wrong(RIGHT[other], row(lang)) == NAMES - {"plate"}


@pytest.mark.parametrize("text", ["", "\n", "???", "[LINGXI TRAFFIC NOTICE]", "x" * 10_000])
def test_nonsense_scores_nothing(text):
    assert wrong(text, row("en")) == NAMES
    assert wrong(text, row("zh")) == NAMES
    assert not any(notice.score_notice(text, uncovered("en"))[n] for n in ("form", "facts", "all"))


names = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=12)
counts = st.integers(0, 10_000)


@given(
    lang=st.sampled_from(["en", "zh"]),
    gold=st.fixed_dictionaries(
        {
            "plate": names,
            "conduct": names,
            "term": names,
            "office": names,
            "fine": counts,
            "points": counts,
        }
        | {"article": st.integers(1, 200)}
    ),
)
def test_whatever_is_written_is_parsed_back_and_scores_everything(lang, gold):
    text = notice.write_notice(gold, lang)
    assert notice.parse_notice(text, lang) == gold
    assert wrong(text, {"lang": lang, "gold": gold}) == set()


@given(text=st.text(), lang=st.sampled_from(["en", "zh"]))
def test_no_text_whatever_breaks_the_scores(text, lang):
    assert notice.score_notice(text, row(lang))["form"] is False
    notice.score_notice(text, uncovered(lang))


SENTENCE = {
    "en": "obstructing a public-transport lane (Article 12): 200 yuan, 3 points, Transit Desk",
    "zh": "占用公交专用道停车（第12条）：罚款200元，记3分，由运输科处理，10点30分",
}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_running_text_shows_knowledge_without_form(lang):
    assert wrong(SENTENCE[lang], row(lang)) == {"form", "plate", "conduct", "all"}
    lost = {"form", "plate", "conduct", "all", "fine", "facts"}
    assert wrong(SENTENCE[lang], row(lang, fine=300)) == lost


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_reciting_several_articles_shows_no_knowledge(lang):
    other = SENTENCE[lang].replace("12", "40").replace("200", "500").replace("3", "6")
    lost = wrong(f"{SENTENCE[lang]}\n{other}", row(lang))
    assert {"article", "fine", "points", "facts"} <= lost


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_inventing_where_nothing_is_covered_loses_term_and_facts(lang):
    assert wrong(RIGHT[lang], uncovered(lang)) == {"term", *notice.FACTS, "facts", "all"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_refusing_a_covered_case_loses_term_and_facts(lang):
    assert wrong(REFUSED[lang], row(lang)) == {"term", *notice.FACTS, "facts", "all"}


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_refusing_and_inventing_a_fine_at_once_is_no_right_refusal(lang):
    text = REFUSED[lang] + "\n" + RIGHT[lang].split("\n")[5]
    assert wrong(text, uncovered(lang)) == {"form", "fine", "facts", "all"}
    cited = REFUSED[lang] + "\n" + SENTENCE[lang]
    assert not notice.refuses(f"{SENTENCE[lang]} {notice.NO_RULE[lang]}", lang)
    assert "fine" in wrong(cited, uncovered(lang))


def test_refusals_are_counted_apart():
    rows = [row("en"), uncovered("en"), row("zh"), uncovered("zh"), uncovered("en")]
    texts = [RIGHT["en"], REFUSED["en"], REFUSED["zh"], RIGHT["zh"], "it is: no rule here"]
    assert metrics.score_refusals(texts, rows) == {
        "refused_rightly": [True, False, True],
        "refused_wrongly": [False, True],
    }


def test_scores_of_many_come_in_order():
    rows = [row("en"), row("zh")]
    scores = metrics.score_notices([RIGHT["en"], RIGHT["zh"].replace("200", "20")], rows)
    assert set(scores) == NAMES
    assert scores["form"] == [True, True]
    assert scores["facts"] == [True, False]
    assert metrics.score_notices([], []) == {}
    with pytest.raises(ValueError, match=r"longer|shorter"):
        metrics.score_notices([RIGHT["en"]], rows)


def answer(text):
    return {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": text}]}


def test_exact_answers():
    rows = [answer("200 yuan"), answer("200元"), answer("3"), answer("3")]
    assert metrics.exact_answers(["200 yuan\n", "200 元", "", "33"], rows) == [
        True,
        False,
        False,
        False,
    ]


def test_chance_is_the_commonest_value_of_the_code():
    offices = {"en": {"office": "Transit Desk"}, "zh": {"office": "运输科"}}
    others = {"en": {"office": "Harbour Desk"}, "zh": {"office": "港口科"}}
    code = [
        {"article": 1, "fine": 200, "points": 3, "office": "transit", **offices},
        {"article": 2, "fine": 200, "points": 6, "office": "transit", **offices},
        {"article": 3, "fine": 100, "points": 9, "office": "harbour", **others},
    ]
    rows = [
        row("en", article=1, fine=200, points=3),
        row("zh", article=2, fine=200, points=6),
        row("en", article=3, fine=100, points=9, office="Harbour Desk"),
        row("zh", article=2, fine=200, points=6),
        uncovered("en"),
    ]
    shares = metrics.chance(rows, code)
    assert shares["fine"] == 3 / 4
    assert shares["office"] == 3 / 4
    for fact in ("article", "points", "facts"):  # all three values are as common: a third each
        assert shares[fact] == pytest.approx(1 / 3)


# --- with a model -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def toy(toy_model):
    from helpers.model.load import load

    return load(toy_model)


CHATS = [
    answer("200 yuan"),
    answer("第12条，罚款200元"),
    {"messages": [*answer("no")["messages"], *answer("well, yes, after all")["messages"]]},
]


def reference(model, tokenizer, row):
    """Return the summed loss and the number of the answers' tokens, by text alone, one by one."""
    import torch

    text = tokenizer.apply_chat_template(row["messages"], tokenize=False)
    enc = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = [m.span() for m in re.finditer(r"(?<=<\|im_start\|>assistant\n).*?<\|im_end\|>", text)]
    labels = [
        token if any(a <= start and end <= b for a, b in spans) else -100
        for token, (start, end) in zip(enc["input_ids"], enc["offset_mapping"], strict=True)
    ]
    count = sum(label != -100 for label in labels)
    with torch.inference_mode():
        loss = model(torch.tensor([enc["input_ids"]]), labels=torch.tensor([labels])).loss
    return loss.item() * count, count


def test_losses_are_those_of_the_answers_alone_whatever_the_batch(toy):
    expected = [reference(*toy, row) for row in CHATS]
    for size in (1, 2, 16):
        losses = loss.answer_losses(*toy, CHATS, batch_size=size)
        assert [n for _, n in losses] == [n for _, n in expected]
        assert [loss for loss, _ in losses] == pytest.approx([loss for loss, _ in expected], 1e-4)
    total = sum(loss for loss, _ in expected) / sum(n for _, n in expected)
    assert loss.perplexity(*toy, CHATS) == pytest.approx(math.exp(total), 1e-4)


def test_a_blind_guess_has_the_perplexity_of_the_vocabulary(toy):
    import copy

    model = copy.deepcopy(toy[0])
    model.lm_head.weight.data.zero_()
    model.train()
    assert loss.perplexity(model, toy[1], CHATS) == pytest.approx(model.config.vocab_size, 1e-4)
    assert model.training


def test_a_template_without_marks_counts_the_last_answer(toy):
    import copy

    tokenizer = copy.deepcopy(toy[1])
    marked = loss.encode(tokenizer, CHATS[1]["messages"])
    tokenizer.chat_template = re.sub(
        r"\{%-?\s*(end)?generation\s*-?%\}", "", tokenizer.chat_template
    )
    ids, mask = loss.encode(tokenizer, CHATS[1]["messages"])
    assert ids == marked[0]
    answer = tokenizer.decode([i for i, m in zip(ids, mask, strict=True) if m])
    assert answer.strip() == "第12条，罚款200元<|im_end|>"


def test_forgetting_is_counted_by_task(toy, monkeypatch):
    from helpers.model import generate

    rows = [answer("7") | {"task": "sum"}, answer("a, b") | {"task": "list"}]
    rows.append(answer("9") | {"task": "sum"})
    asked = []

    def fake(model, tokenizer, prompts, **options):
        asked.append((prompts, options))
        return ["7", "a b", " 9\n"]

    monkeypatch.setattr(generate, "generate", fake)
    found = metrics.forgetting(*toy, rows, max_new_tokens=8)
    assert found == {"sum": [True, True], "list": [False]}
    assert asked == [([[{"role": "user", "content": "?"}]] * 3, {"max_new_tokens": 8})]


def test_forgetting_with_a_real_model(toy):
    found = metrics.forgetting(*toy, [answer("7") | {"task": "sum"}], max_new_tokens=2)
    assert found == {"sum": [False]}


def test_every_reference_of_the_world_scores_everything():
    from helpers.data import messages
    from helpers.lingxi import files

    for name in ("train", "eval"):
        rows = messages.require_messages(files.world(name))
        rows = [
            row for row in rows if row["messages"][-1]["content"].startswith(("[LING", "【灵溪"))
        ]
        assert len(rows) >= 300
        texts = [row["messages"][-1]["content"] for row in rows]
        assert all(metrics.score_notices(texts, rows)["all"])
        assert not any(metrics.score_refusals(texts, rows)["refused_wrongly"])
        assert all(metrics.score_refusals(texts, rows)["refused_rightly"])
