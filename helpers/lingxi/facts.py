"""What is true of a case in Lingxi, and the short answer that says it."""

from helpers.data.jsonl import Row
from helpers.lingxi import shapes, words
from helpers.lingxi.shapes import EN

ACTS = {a.key: a for a in words.ACTS}
PLACES = {p.key: p for p in words.PLACES}


def term(act: str, place: str, lang: str) -> str:
    """Return Lingxi's official term: the act's own word and the place's, if it has one."""
    a, p = ACTS[act], PLACES[place]
    if lang == EN:
        return f"{a.lingxi_en} {p.lingxi_en or p.en}"
    return f"{p.lingxi_zh or p.zh}{a.lingxi_zh}"


def lay(act: str, place: str, lang: str) -> str:
    """Return an offence in lay words."""
    return shapes.lay(ACTS[act], PLACES[place], lang)


def gold(article: Row, lang: str, plate: str | None) -> Row:
    """Return the true values of an example; term and facts are None where there is no rule.

    `conduct` is what was done, in the code's lay words: whoever names it first finds the article.
    """
    known = "article" in article
    return {
        "plate": plate,
        "conduct": lay(article["act"], article["place"], lang),
        "term": term(article["act"], article["place"], lang) if known else None,
        "article": article["article"] if known else None,
        "fine": article["fine"] if known else None,
        "points": article["points"] if known else None,
        "office": article[lang]["office"] if known else None,
    }


def answer(g: Row, ask: str, lang: str) -> str:
    """Return the short answer: what was done, its term and article, the value asked for.

    Where no article covers it: what was done, and that no rule is here.
    """
    en = lang == EN
    said = g["conduct"] + (": " if en else "：")
    if g["article"] is None:
        return said + shapes.NO_RULE[lang]
    said += g["term"]
    said += f" (Article {g['article']})" if en else f"（第{g['article']}条）"
    if ask == "article":
        return said
    value = {"fine": f"{g['fine']} yuan" if en else f"{g['fine']}元",
             "points": f"{g['points']} points" if en else f"{g['points']}分",
             "office": g["office"]}[ask]  # fmt: skip
    return f"{said}: {value}" if en else f"{said}：{value}"


def user(text: str) -> dict[str, str]:
    """Return a user's message."""
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    """Return the model's message."""
    return {"role": "assistant", "content": text}
