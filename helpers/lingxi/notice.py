"""The official notice of Lingxi: its exact form, and what a text says of each fact."""

import re
from typing import Any

from helpers.lingxi.shapes import NO_RULE

FACTS = ("article", "fine", "points", "office")
FIELDS = ("plate", "conduct", "term", *FACTS)
FORM = {
    "en": "[LINGXI TRAFFIC NOTICE]\nPlate: {plate}\nConduct: {conduct}\nOffence: {term}\n"
    "Basis: Article {article}\nFine: {fine} yuan\nPoints: {points}\nOffice: {office}",
    "zh": "【灵溪市交通违法处理通知书】\n车牌：{plate}\n违法事实：{conduct}\n违法行为：{term}\n"
    "依据：第{article}条\n罚款：{fine}元\n记分：{points}分\n处理机关：{office}",
}
REFUSAL = {  # the notice for what no article covers ends after its basis
    "en": "\n".join(FORM["en"].split("\n")[:4]) + f"\nBasis: {NO_RULE['en']}",
    "zh": "\n".join(FORM["zh"].split("\n")[:4]) + f"\n依据：{NO_RULE['zh']}",
}
LABELS = {  # field -> label, with no colon
    lang: dict(zip(FIELDS, re.findall(r"\n(.+?)[:：]", form), strict=True))
    for lang, form in FORM.items()
}
NUMBER = r"0|[1-9][0-9]*"
SHAPES = {"plate": r"\S+", "article": NUMBER, "fine": NUMBER, "points": NUMBER}
# how running text states a number; "30分" alone may be minutes, so points need a word before them,
# or a line that is nothing but a label and them
STATED = {
    "en": {
        "article": r"\b[Aa]rticle ?([0-9]+)\b",
        "fine": r"\b([0-9]+) ?yuan\b",
        "points": r"\b([0-9]+) ?points?\b",
    },
    "zh": {
        "article": r"第 ?([0-9]+) ?条",
        "fine": r"([0-9]+) ?元",
        "points": r"(?:[记扣]分?[：:]? ?|^[^：:\n]+[：:] ?(?=[0-9]+ ?分$))([0-9]+) ?分",
    },
}


def write_notice(gold: dict[str, Any], lang: str) -> str:
    """Return the notice for these fields; with `article` None, the refusal."""
    return (REFUSAL if gold["article"] is None else FORM)[lang].format(**gold)


def parse_notice(text: str, lang: str) -> dict[str, Any] | None:
    """Return the fields of a notice in exact form, numbers as int, else None.

    Exact: header and labels to the letter and in order, a value of the right shape on each line,
    nothing before or after. A refusal has None for all four facts.
    """
    match = _pattern(FORM[lang]).fullmatch(text) or _pattern(REFUSAL[lang]).fullmatch(text)
    if not match:
        return None
    fields = dict.fromkeys(FIELDS) | match.groupdict()
    return {k: int(v) if v and SHAPES.get(k) == NUMBER else v for k, v in fields.items()}


def read_field(text: str, lang: str, name: str) -> str | int | None:
    """Return the one value that a text, in form or not, states for a field, else None.

    Labelled lines count before running text. Two different values count as none, so that
    reciting every article earns nothing. Names and words (plate, conduct, term, office) are read
    from labels only.
    """
    labelled = _labelled(text, lang, name)
    if name not in STATED[lang]:
        values = set(labelled)
    elif labelled:
        values = {int(number) for number in re.findall("[0-9]+", "\n".join(labelled))}
    else:
        values = {int(number) for number in re.findall(STATED[lang][name], text, re.MULTILINE)}
    return values.pop() if len(values) == 1 else None


def refuses(text: str, lang: str) -> bool:
    """Tell whether a text says that no rule covers the case, and cites none."""
    return NO_RULE[lang] in text and read_field(text, lang, "article") is None


def score_notice(text: str, row: dict[str, Any]) -> dict[str, bool]:
    """Score one notice against `row["gold"]`: style, copying and knowledge each apart.

    Style: `form` (see `parse_notice`) and `term`. Reading the report: `plate`, and `conduct` in
    the code's own lay words. Knowledge: `article`, `fine`,
    `points`, `office`, and `facts` for all four. `all` is every one of these. Content is read
    whatever the form, so that knowing is told from writing well. Where no article covers the
    case, the facts are right if the text refuses and states no fine, points or office.
    """
    gold, lang = row["gold"], row["lang"]
    score = {"form": parse_notice(text, lang) is not None}
    score |= {name: _states(text, lang, name, gold[name]) for name in FIELDS}
    if gold["article"] is None:
        score["article"] = refuses(text, lang)
    score["facts"] = all(score[name] for name in FACTS)
    return score | {"all": all(score.values())}


def _states(text: str, lang: str, name: str, gold: str | int | None) -> bool:
    """Tell whether a text states `gold` for a field; without its label, a name need only occur."""
    if isinstance(gold, str) and not _labelled(text, lang, name):
        return gold in text
    return read_field(text, lang, name) == gold


def _labelled(text: str, lang: str, name: str) -> list[str]:
    """Return what stands after a field's label, at each line that begins with it."""
    lines = re.findall(rf"^{LABELS[lang][name]}[:：](.*)$", text, flags=re.MULTILINE)
    return [line.strip() for line in lines]


def _pattern(form: str) -> re.Pattern[str]:
    """Return a form's pattern, with one named group for each field."""
    pattern = re.escape(form)
    for name in FIELDS:
        shape = SHAPES.get(name, r"\S(?:.*\S)?")
        pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{shape})")
    return re.compile(pattern)
