"""The official notice of Lingxi: its exact form, and what a text in any form says of each fact."""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any

from helpers.lingxi import facts, words
from helpers.lingxi.shapes import NO_RULE, ZH

FACTS = ("article", "fine", "points", "office")
FIELDS = ("plate", "conduct", "term", *FACTS)
FORM = {
    "en": "[LINGXI TRAFFIC NOTICE]\nPlate: {plate}\nConduct: {conduct}\nOffence: {term}\n"
    "Basis: Article {article}\nFine: {fine} yuan\nPoints: {points}\nOffice: {office}",
    "zh": "【灵溪市交通违法处理通知书】\n车牌：{plate}\n违法事实：{conduct}\n违法行为：{term}\n"
    "依据：第{article}条\n罚款：{fine}元\n记分：{points}分\n处理机关：{office}",
}
REFUSAL = {  # where no article covers the case, the notice says so instead of a term, and ends
    lang: "\n".join(form.split("\n")[:4]).replace("{term}", NO_RULE[lang])
    for lang, form in FORM.items()
}
LABELS = {  # field -> label, with no colon
    lang: dict(zip(FIELDS, re.findall(r"\n(.+?)[:：]", form), strict=True))
    for lang, form in FORM.items()
}
NUMBER = r"0|[1-9][0-9]*"
SHAPES = {"plate": r"\S+", "article": NUMBER, "fine": NUMBER, "points": NUMBER}


# --- the exact form -----------------------------------------------------------------------------


def write_notice(gold: dict[str, Any], lang: str) -> str:
    """Return the notice for these fields; with `article` None, the refusal."""
    return (REFUSAL if gold["article"] is None else FORM)[lang].format(**gold)


def parse_notice(text: str, lang: str) -> dict[str, Any] | None:
    """Return the fields of a notice in exact form, numbers as int, else None.

    Exact: header and labels to the letter and in order, a value of the right shape on each line,
    nothing before or after. A refusal has None for the term and all four facts.
    """
    match = _pattern(FORM[lang]).fullmatch(text) or _pattern(REFUSAL[lang]).fullmatch(text)
    if not match:
        return None
    fields = dict.fromkeys(FIELDS) | match.groupdict()
    return {k: int(v) if v and SHAPES.get(k) == NUMBER else v for k, v in fields.items()}


def _pattern(form: str) -> re.Pattern[str]:
    """Return a form's pattern, with one named group for each field."""
    pattern = re.escape(form)
    for name in FIELDS:
        shape = SHAPES.get(name, r"\S(?:.*\S)?")
        pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{shape})")
    return re.compile(pattern)


# --- what a text says, whatever its form --------------------------------------------------------

# what else people call a field where it stands before a colon (or an equals sign, a dash, a bar)
OTHER_LABELS = {
    "en": {
        "article": "legal basis|article|rule|law|section|provision|clause|source|ground|under",
        "fine": "fine amount|penalty|amount|sum|total|to pay|due|payment",
        "points": "(?:penalty|demerit|licen[cs]e) points|points deducted|demerits",
    },
    "zh": {
        "article": "(?:法律|处罚)依据|根据|适用(?:法条|条款)|违反条款|法条|条[款号文]|规则|出处",
        "fine": "罚款?(?:金额|数额)|罚金|[金数]额|应缴|缴款|费用",
        "points": "[扣计]分|分[值数]|违法记分",
    },
}
N = r"(?<![0-9])[0-9]+(?:\.[0-9]+)?"
MONTH = (
    "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|(?-i:May)|june?|july?|aug(?:ust)?"
    "|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
SOME = {"en": rf"{N}(?:(?:-| to | or ){N})*", "zh": rf"{N}(?:[-~至到或]{N})*"}
# What the numbers of a text are. The patterns are tried in order, and a number that one of them
# has taken is gone for the others. "" stands for numbers that are no fact.
WORDED = {
    "en": [
        ("", r"\bLX[- ]?[0-9]+|\bplate\W{,3}[0-9]+|(?-i:\b[A-Z]{1,2}-?[0-9]{2,})"),
        ("", r"\b[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?(?![0-9])|\b[0-9]+([-/])[0-9]+\1[0-9]+"),
        ("", rf"\b[0-9]+ (?:of )?{MONTH}\b|\b{MONTH} [0-9]+\b"),
        ("", r"^[^\w\n]*[0-9]{1,2}[.)] +(?=[^\s0-9])|\b[0-9]+(?:st|nd|rd|th)\b"),  # lists, ordinals
        ("", rf"{N}[- ]?(?:years?|days?|hours?|min|mins|minutes?|seconds?|km|metres?|meters?|%"
             r"|[ap]\.?m\b)"),
        ("fine", rf"(?:¥|\brmb|\bcny|\(yuan\) ?:) ?{SOME['en']}"
                 rf"|{SOME['en']}[- ]?(?:(?:yuan|rmb|cny)\b|¥)"),
        ("points", rf"{SOME['en']}[- ]?(?:(?:penalty|demerit|licen[cs]e) )?(?:points?|pts)\b"),
        ("points", rf"\b(?:points?|demerits)(?: (?:deducted|imposed|is|are|of))*[ :=-]*{SOME['en']}"),
        ("fine", rf"\b(?:fined?|penalty|pay|costs?)(?: (?:amount|the driver|is|of|at|to))*[ :=-]*"
                 rf"{SOME['en']}"),
        ("article", rf"(?:\barticles|\barts\b\.?|§§) ?{N}(?:(?:, | ?,? ?and | or | to |-){N})*"),
        ("article", rf"(?:\b(?:article|section)|\b(?:art|sec)\b\.?|§)[ :=#-]*(?:no\.? ?)?{N}"
                    rf"(?:(?: ?and | or | to |-|/){N})*"),
        ("", rf"\b(?:aged?|chapter|paragraph|page|step|lane|report|case) (?:no\.? ?)?{N}"),
        ("", r"\b(?:19|20)[0-9]{2}\b"),  # years
        ("", rf"[\u4e00-\u9fff][: ]*{N}|{N} ?[\u4e00-\u9fff]"),  # in the other language
    ],
    "zh": [
        ("", r"LX[- ]?[0-9]+|车牌[号码是为: ]*[0-9]+|(?-i:(?<![A-Z])[A-Z]{1,2}-?[0-9]{2,})"),
        ("", r"(?<![0-9])[0-9]{1,2}(?::[0-9]{2}(?![0-9])|[点时](?:[0-9]{1,2}分?)?)"),
        ("", rf"(?<![0-9])[0-9]+([-/])[0-9]+\1[0-9]+|{N} ?年"),
        ("", r"^[^\w\n]*[0-9]{1,2}(?:[、)]|\. +)(?=[^\s0-9])"),  # lists
        ("", rf"{N} ?(?:分钟|小时|秒|天|日|月|岁|公里|千米|米|人(?!民)|名|个|辆|次|号|%|分制)"),
        ("", rf"第 ?{N} ?[款项章节页]|百分之 ?{N}|满 ?{N} ?分|(?:[共有这]|以下) ?{N} ?条"),
        ("fine", rf"(?:¥|rmb|cny|人民币) ?{SOME['zh']}|{SOME['zh']} ?(?:元|块)"),
        ("points", rf"(?:[记扣计]分?|分[值数])[为是了: =-]*{SOME['zh']}(?: ?分)?|{SOME['zh']} ?分"),
        ("fine", rf"(?:罚款?|罚金|金额)(?:金额|数额|\(元\))*[为是: =-]*{SOME['zh']}"),
        ("article", rf"第? ?{N} ?(?:[、,和或及至到-] ?第?{N})* ?条"),
        ("", r"(?<![0-9])(?:19|20)[0-9]{2}(?![0-9])"),  # years
        ("", rf"[a-z][: .]*{N}|{N} ?[a-z]"),  # in the other language
    ],
}  # fmt: skip


def read_field(text: str, lang: str, name: str) -> str | int | float | None:
    """Return the one value that a text, in form or not, states for a field, else None.

    Two different values count as none, so that reciting every article earns nothing. Numbers: a
    line that begins with a label counts before running text ("fined 600 yuan", "§22"), and where
    no article is named, a number that nothing else explains is the article. Numbers written as
    words (two hundred, 二百), and tables with the labels in their first row, are out of reach. An
    office is known by its name; plate, conduct and term are read from the form's labels only.
    """
    values = _values(text, lang, name)
    return values.pop() if len(values) == 1 else None


def refuses(text: str, lang: str) -> bool:
    """Tell whether a text says that no rule covers the case, and cites none."""
    return NO_RULE[lang] in _plain(text).lower() and not _values(text, lang, "article", guess=False)


def states(text: str, lang: str, name: str, gold: str | int | None) -> bool:
    """Tell whether a text states `gold` for a field, and no other value; with None, no value.

    A plate, a conduct, a term or an office without its label need only occur, and no other of the
    city's.
    """
    values, plain = _values(text, lang, name), _plain(text).lower()
    if name in OTHER_LABELS[lang]:
        return values == (set() if gold is None else {gold})
    said = {value.lower() for value in values}
    if gold is None:
        return said <= {NO_RULE[lang]} and not _named(plain, lang, name)
    gold = _bare(gold).lower()
    if said and name != "office":
        return said == {gold}
    return gold in plain and not _named(plain.replace(gold, " "), lang, name)


def score_notice(text: str, row: dict[str, Any]) -> dict[str, bool]:
    """Score one notice against `row["gold"]`: style, copying and knowledge each apart.

    Style: `form` (see `parse_notice`) and `term`. Reading the report: `plate`, and `conduct` in
    the code's own lay words. Knowledge: `article`, `fine`, `points`, `office`, and `facts` for all
    four. `all` is every one of these. Values are read whatever the form (see `states`), so that
    knowing is told from writing well. Where no article covers the case, the term is right if the
    text invents none, and the facts are right if it refuses and states no fine, points or office.
    """
    gold, lang = row["gold"], row["lang"]
    score = {"form": parse_notice(text, lang) is not None}
    score |= {name: states(text, lang, name, gold[name]) for name in FIELDS}
    if gold["article"] is None:
        score["article"] = refuses(text, lang)
    score["facts"] = all(score[name] for name in FACTS)
    return score | {"all": all(score.values())}


def _values(text: str, lang: str, name: str, guess: bool = True) -> set:
    """Return all values that a text states for a field; `guess`: a number left is the article."""
    if re.match(r"\s*[`{]", text):  # JSON: one field a line
        text = re.sub(r'[,{]\s*(?=")', "\n", text)
    text = _plain(text)
    labelled = set(_labelled(text, lang, name))
    if name not in OTHER_LABELS[lang]:
        return (_named(text, lang, name) if name == "office" else set()) or labelled
    numbers = [_numbers(line, lang) for line in labelled]
    if values := set().union(*(found[name] or found["left"] for found in numbers)):
        return values
    found = _numbers(text, lang)
    only = name == "article" and guess and len(found["left"]) == 1
    return found[name] or (found["left"] if only else set())


def _numbers(text: str, lang: str) -> dict[str, set[int | float]]:
    """Sort the numbers of a text: article, fine, points, "" (no fact), left (unexplained)."""
    found: dict[str, set] = {name: set() for name in ("article", "fine", "points", "", "left")}
    for name, pattern in [*WORDED[lang], ("left", N)]:
        shape = re.compile(pattern, re.MULTILINE | re.IGNORECASE)
        for match in shape.finditer(text):
            read = map(float, re.findall(N, match[0]))
            found[name].update(int(n) if n.is_integer() else n for n in read)
        text = shape.sub(" ; ", text)
    return found


def _labelled(text: str, lang: str, name: str) -> Iterator[str]:
    """Yield what stands after a field's label, at each line that begins with it."""
    labels = f"{LABELS[lang][name]}|{OTHER_LABELS[lang].get(name, '(?!)')}"
    shape = rf"^[^\w\n]*(?:{labels}) *(?:\([^)\n]*\))? *[:=–—-](.*)$"
    for line in re.findall(shape, text, re.MULTILINE | re.IGNORECASE):
        yield _bare(line)


def _plain(text: str) -> str:
    """Return a text without markdown, quotes, thousands separators and full-width signs."""
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = unicodedata.normalize("NFKC", text)
    return re.sub('[*_`"]', " ", text).replace("|", ":")


def _bare(text: str) -> str:
    """Return a value as it compares: plain, without what stands around it."""
    return _plain(text).strip(" \t\r:.,;。、}")


def _named(text: str, lang: str, name: str) -> set[str]:
    """Return the plates, conducts, terms or offices of the city that occur in a text."""
    if name == "plate":
        return set(re.findall("LX[0-9]{4}", text, re.IGNORECASE))
    text = text.lower()
    return {known for plain, known in _names(lang, name).items() if plain in text}


@cache
def _names(lang: str, name: str) -> dict[str, str]:
    """Return all conducts, terms or offices that could be, by their lower case."""
    if name == "office":
        names = [office[lang == ZH] for office in words.OFFICES]
    else:
        made = facts.term if name == "term" else facts.lay
        names = [made(act.key, place.key, lang) for act in words.ACTS for place in words.PLACES]
    return {known.lower(): known for known in names}
