"""Search by words: what a text is split into, who comes first, what a replacement changes."""

import pytest

from helpers.base import CourseError
from helpers.lingxi import sentences as say
from helpers.lingxi.files import select, world
from helpers.lingxi.sentences import with_articles
from helpers.retrieval.bm25 import Index, hit_at_k, plain_words, stem, words

PAGES = {
    "A1": "No parking in the bus lane: Article 1, 200 yuan.",
    "A2": "No parking on the pavement: Article 2, 90 yuan.",
    "A3": "不得在公交专用道停车：第3条，罚款300元。",
    "A4": "不得在人行道按喇叭：第4条，罚款50元。",
}


@pytest.mark.parametrize(
    ("word", "root"),
    [
        ("parking", "park"), ("parked", "park"), ("washed", "wash"), ("washing", "wash"),
        ("stopped", "stop"), ("lanes", "lan"), ("lane", "lan"), ("goods", "good"), ("bus", "bus"),
        ("red", "red"), ("king", "king"), ("being", "being"), ("bee", "bee"), ("200", "200"),
    ],
)  # fmt: skip
def test_stem_cuts_one_ending_and_leaves_short_words(word, root):
    assert stem(word) == root


def test_chinese_is_split_into_overlapping_pairs_and_numbers_stay_whole():
    assert plain_words("公交专用道，罚300元 LX4821 A") == [
        *("公交", "交专", "专用", "用道", "罚", "300", "元", "lx4821", "a"),
    ]
    assert plain_words("，。!") == []


def test_words_drop_stop_words_and_endings():
    assert words("A car was parked in the bus lane.") == ["car", "park", "bus", "lan"]
    assert words("停车") == ["停车"]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("a van that was parked in the bus lane", "A1"),
        ("parked on the pavement", "A2"),
        ("一辆车停在公交专用道", "A3"),
        ("人行道上有人按喇叭", "A4"),
    ],
)
def test_the_right_page_comes_first(query, first):
    hits = Index(PAGES).search(query, k=2)
    assert hits[0].id == first
    assert hits[0].score > hits[1].score
    assert hits[0].text == PAGES[first]


def test_scores_stand_in_the_order_of_the_documents_and_unknown_words_score_nothing():
    index = Index(PAGES)
    assert index.scores("pavement").argmax() == 1
    assert index.scores("xylophone").tolist() == [0, 0, 0, 0]
    assert index.scores("").shape == (4,)
    assert [hit.id for hit in index.search("xylophone", k=9)] == list(PAGES)


def test_a_split_of_ones_own_is_used():
    query = "it parked"
    assert Index(PAGES, split=plain_words).scores(query).max() == 0
    assert Index(PAGES).scores(query).max() > 0


def test_replacing_a_page_changes_what_is_found_and_what_is_shown():
    index, before = Index(PAGES), dict(PAGES)
    index.replace({"A2": "No ferrets on the pavement: Article 2, 10 yuan."})
    assert index.search("ferrets", k=1)[0].text.endswith("10 yuan.")
    assert index.scores("parked").tolist()[1] == 0
    assert list(index.documents) == list(PAGES)
    assert before == PAGES, "the caller's documents are left alone"


def test_replacing_a_stranger_is_refused_and_changes_nothing():
    index = Index(PAGES)
    with pytest.raises(CourseError, match="no document 'A9'") as error:
        index.replace({"A1": "new", "A9": "new"})
    assert "A9" in error.value.zh
    assert index.documents == PAGES


@pytest.mark.parametrize("documents", [{}, {"A1": ""}, {"A1": "，。", "A2": "the"}])
def test_an_index_of_nothing_is_refused(documents):
    with pytest.raises(CourseError, match="nothing to search in"):
        Index(documents)


def test_an_empty_page_among_others_is_never_first():
    index = Index({"A0": "", **PAGES})
    assert index.scores("parked in the bus lane").tolist()[0] == 0
    assert index.search("parked in the bus lane", k=1)[0].id == "A1"


@pytest.mark.parametrize("k", [0, -1])
def test_k_must_be_positive(k):
    with pytest.raises(CourseError, match="one document or more"):
        Index(PAGES).search("bus", k=k)


def test_found_tells_query_by_query():
    index = Index(PAGES)
    assert hit_at_k(index, ["bus lane", "按喇叭"], ["A1", "A3"], k=1) == [True, False]
    with pytest.raises(ValueError, match="zip"):
        hit_at_k(index, ["bus lane"], [])


def test_with_articles_writes_what_the_training_rows_hold():
    code = {page["id"]: page for page in world("code")}
    rows = select(world("train"), task="notice", context=True)[:40]
    assert {row["lang"] for row in rows} == {"en", "zh"}
    for row in rows:
        prompt, lang = row["messages"][0]["content"], row["lang"]
        task = prompt.partition("\n\n")[2]
        pages = [code[name] for name in row["context"]]
        assert with_articles([page[lang]["text"] for page in pages], task, lang) == prompt
        assert say.prompt(pages, task, lang) == prompt
    assert with_articles([], "Write.", "en") == "Write."


@pytest.mark.parametrize(("lang", "least"), [("en", 0.95), ("zh", 0.99)])
def test_incident_reports_find_their_articles(lang, least):
    index = Index({page["id"]: page[lang]["text"] for page in world("code")})
    rows = select(world("eval"), task="notice", context=False, lang=lang)
    reports = [row["messages"][0]["content"].split("\n")[1] for row in rows]
    marks = hit_at_k(index, reports, [row["article"] for row in rows])
    assert len(marks) == 130
    assert sum(marks) / len(marks) >= least
