"""JSON of any shape: every whole row is found, every broken one named once, with its place."""

import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.data import objects
from helpers.data.check import checked
from helpers.data.jsonl import Problem
from helpers.data.objects import Found, Notice, find_rows

TALK = [{"role": "user", "content": '罚"多少"？ }]'}, {"role": "assistant", "content": "200\n元"}]
ROWS = [
    {"messages": TALK},
    {"instruction": "{罚} [多少]？", "output": "200元"},
    {"conversations": [{"from": "human", "value": "罚？"}, {"from": "gpt", "value": "2元"}]},
    {"prompt": "罚？", "completion": "200元", "meta": {"k": [{"z": 1}, {"y": {}}]}},
    {"prompt": TALK[:1], "chosen": TALK[1:], "rejected": [{"role": "assistant", "content": "2"}]},
]
LONG = {"messages": [{"role": "user", "content": "问" * 150}, TALK[1]]}  # longer than objects.TAIL
calm = settings(deadline=None, suppress_health_check=list(HealthCheck))
CHUNKS = [1 << 18, 100, 7, 1]


def dumps(row, **options):
    return json.dumps(row, ensure_ascii=False, **options)


def read(text, chunk=1 << 18):
    """Return the rows of a text, and the problems; a window on so many characters at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects, "CHUNK", chunk)
        items = list(find_rows(io.StringIO(text)))
    rows = [item.row for item in items if isinstance(item, Found)]
    return rows, [item for item in items if isinstance(item, Problem)]


SHAPES = {
    "lines": lambda rows: "\n".join(map(dumps, rows)),
    "blank lines": lambda rows: "\n\n".join(map(dumps, rows)) + "\n",
    "a BOM on every line": lambda rows: "".join(f"\ufeff{dumps(row)}\n" for row in rows),
    "blanks of no width": lambda rows: "\ufeff\ufeff\u200b" + "\n \u200b".join(map(dumps, rows)),
    "commas at line ends": lambda rows: "".join(f"{dumps(row)},\n" for row in rows),
    "glued": lambda rows: "".join(map(dumps, rows)),
    "spaces between": lambda rows: " ".join(map(dumps, rows)),
    "commas between": lambda rows: ",".join(map(dumps, rows)),
    "indented lines": lambda rows: "\n".join(f"\t {dumps(row)}" for row in rows),
    "array": lambda rows: dumps(rows),
    "array, a row a line": lambda rows: "[\n" + ",\n".join(map(dumps, rows)) + "\n]\n",
    "array, comma first": lambda rows: "[ " + "\n, ".join(map(dumps, rows)) + "]",
    "array, indented": lambda rows: "\n\n" + dumps(rows, indent=2),
    "arrays on lines": lambda rows: "\n".join(dumps([row]) for row in rows),
    "array without an end": lambda rows: dumps(rows)[:-1],
    "objects, indented": lambda rows: "\n".join(dumps(row, indent=4) for row in rows),
    "objects, not indented": lambda rows: "\n\n".join(dumps(row, indent=0) for row in rows),
    "lines and objects": lambda rows: "\n".join(
        dumps(row, indent=n % 2 or None) for n, row in enumerate(rows)
    ),
    "escaped": lambda rows: "\n".join(map(json.dumps, rows)),
    "escaped twice": lambda rows: "\n".join(json.dumps(json.dumps(row)) for row in rows),
    "a list escaped twice": lambda rows: json.dumps(json.dumps(rows)),
}
WRAPPED = {
    "data": lambda rows: {"data": rows},
    "with metadata": lambda rows: {"version": "1", "n": [1, 2], "rows": rows, "end": {"a": "b"}},
    "twice": lambda rows: {"data": {"rows": rows}},
    "rows in row": lambda rows: {"features": [{"name": "x"}], "rows": [{"row": r} for r in rows]},
    "by id": lambda rows: {f"id{n}": row for n, row in enumerate(rows)},
    "a list of row": lambda rows: [{"row": row} for row in rows],
}


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape(shape, chunk):
    assert read(SHAPES[shape](ROWS), chunk) == (ROWS, [])


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("shape", WRAPPED)
def test_rows_inside_an_object(shape, indent):
    assert read(dumps(WRAPPED[shape](ROWS), indent=indent)) == (ROWS, [])


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ([TALK, TALK], [{"messages": TALK}] * 2),
        (TALK, [{"messages": TALK}]),
        ({"dialogue": TALK, "id": 1}, [{"messages": TALK, "id": 1}]),
        ({"a": TALK, "b": TALK}, [{"messages": TALK}] * 2),
        ({"prompt": ["a", "b"], "completion": ["c", "d"]},
         [{"prompt": "a", "completion": "c"}, {"prompt": "b", "completion": "d"}]),
        ({"prompt": {"0": "a"}, "completion": {"0": "c"}}, [{"prompt": "a", "completion": "c"}]),
        ({"messages": [TALK, TALK]}, [{"messages": TALK}] * 2),
        ({"conversations": [{"messages": TALK}]}, [{"messages": TALK}]),
        ({"instruction": "a", "output": "b", "examples": [ROWS[1]]},
         [{"instruction": "a", "output": "b", "examples": [ROWS[1]]}]),
        ({"text": "a"}, [{"text": "a"}]),
        ([{"text": "a"}, {"text": "b"}], [{"text": "a"}, {"text": "b"}]),
    ],
)  # fmt: skip
def test_rows_in_other_values(value, rows):
    assert read(dumps(value)) == (rows, [])


def only(text, chunk=1 << 18):
    """Return the rows and the one problem of a text; it speaks both languages."""
    rows, problems = read(text, chunk)
    assert len(problems) == 1, problems
    (problem,) = problems
    assert all(any("\u4e00" <= c <= "\u9fff" for c in t) for t in (problem.zh, problem.mend_zh))
    return rows, problem


@pytest.mark.parametrize(
    "text", ['{"a": ' * 900 + "1" + "}" * 900, '{"a": ' + "[" * 900 + "]" * 900 + "}"]
)
def test_deep_nesting_breaks_nothing(text):
    assert len(read(text)[0]) <= 1


def test_lists_under_several_keys_are_not_guessed_between():
    assert (
        "several lists of rows stand here: train, test"
        in only(dumps({"train": ROWS, "test": ROWS}))[1].en
    )
    assert "different lengths" in only(dumps({"prompt": ["a"], "completion": ["b", "c"]}))[1].en


BREAKS = {  # how a row is broken, and what its mend says
    "single quotes": ('"assistant"', "'assistant'", "Python"),
    "None": ('"assistant"', "None", "Python"),
    "no comma": (', {"role": "assistant"', ' {"role": "assistant"', "put the comma"),
    "no list end": ('"}]}', '"}}', ""),
    "no end": ("}]}", "}]", ""),
    "no quote": ('元"', "元", ""),
    "a comma too many": ("}]}", "}],}", "delete the comma"),
    "no value": ('"assistant"', "", "value that is missing"),
    "a comment": ('{"role": "assistant"', '// x\n{"role": "assistant"', "no comments"),
    "a tab": ("200", "\t200", "write the tab in a text as \\t"),
    "a line break": ("200", "\n200", "write the line break in a text as \\n"),
    "a quote inside": ("200", '"200" ', 'write a quote inside a text as \\"'),
    "twice": ('{"messages"', '{"messages": [], "messages"', "keep one"),
    "NaN": ('{"messages"', '{"n": NaN, "messages"', "write null"),
    "half a character": ("200", "\\ud83d", "both halves"),
    "not UTF-8": ("200", "\udcff", "UTF-8"),
    "a long integer": ('{"messages"', '{"n": ' + "1" * 5000 + ', "messages"', "in quotes"),
}


@pytest.mark.parametrize("chunk", CHUNKS)
@pytest.mark.parametrize(
    "shape", ["lines", "array", "array, indented", "objects, indented", "data"]
)
@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_row_costs_no_other(how, shape, chunk):
    old, new, mend = BREAKS[how]
    before, broken, after = ROWS[:3], dumps({"messages": TALK}), [LONG, *ROWS]
    mark = {"instruction": "broken", "output": "row"}
    whole = (WRAPPED | SHAPES)[shape]([*before, mark, *after])
    whole = whole if isinstance(whole, str) else dumps(whole, indent=1)
    at = whole.index("{", whole.index("broken") - 25)
    text = whole[:at] + broken.replace(old, new) + whole[whole.index("}", at) + 1 :]
    rows, problem = only(text, chunk)
    assert rows == before + after
    assert mend in problem.mend_en
    assert problem.row == 4
    assert 0 <= problem.line - text[:at].count("\n") - 1 <= 1


@pytest.mark.parametrize("chunk", CHUNKS)
def test_broken_rows_one_after_another_are_named_one_by_one(chunk):
    lines = [dumps(ROWS[0]), '{"a": }', "{'b': 1}", '{"c" 1}', dumps(ROWS[1]), "oops", '{"d": ']
    rows, problems = read("\n".join(lines), chunk)
    assert rows == ROWS[:2]
    assert [problem.line for problem in problems] == [2, 3, 4, 6, 7]


@pytest.mark.parametrize("first", ["{broken", "{", '{"messages": [', '{"a": "b'])
@pytest.mark.parametrize("later", [[ROWS[0]], ROWS])
def test_a_row_that_breaks_off_is_named_on_its_own_line(first, later):
    rows, problem = only("\n".join([first, *map(dumps, later)]))
    assert (rows, problem.line) == (later, 1)


@pytest.mark.parametrize(
    "text", ["```json", "const data =", "Here are your rows [3], {all}:", "# 1"]
)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_text_before_the_rows_is_one_problem(text, shape):
    rows, problem = only(f"{text}\n{SHAPES[shape](ROWS)}\n```;\n")
    assert (rows, problem.line, problem.row) == (ROWS, 1, None)
    assert text in problem.en and text in problem.zh


@pytest.mark.parametrize("prefix", ["data: ", "1: ", "- ", "row 1 = "])
def test_a_text_before_each_row(prefix):
    text = "".join(f"{prefix}{dumps(row)}\n" for row in ROWS)
    rows, problems = read(text)
    assert rows == ROWS and len(problems) == (0 if prefix == "- " else len(ROWS))


def test_the_braces_of_a_lost_head_are_no_rows():
    text = "\n".join(dumps(row, indent=2) for row in ROWS)
    rows, problem = only(text[1:])
    assert (rows, problem.line) == (ROWS[1:], 2)


def test_rows_on_one_line_are_told_apart():
    rows, problems = read(
        '[{"a": 1, "a": 2}, {"instruction": "a", "output": "b"}, {"c": 1, "c": 2}]'
    )
    assert len(rows) == 1
    assert [(p.line, p.row) for p in problems] == [(1, 1), (1, 3)]
    assert str(problems[0]).startswith("line 1: ") and str(problems[1]).startswith(
        "line 1, row 3: "
    )
    assert "第 1 行，第 3 条：" in str(problems[1])


@pytest.mark.parametrize("start", ['{"messages": [', '{"a": "', "{" + '"a": [' * 500])
def test_a_bracket_that_never_closes_fills_no_memory(start, monkeypatch):
    """Rows after it are found again; the window stays below twice the longest object allowed."""
    monkeypatch.setattr(objects, "LONGEST", 10_000)
    monkeypatch.setattr(objects, "CHUNK", 1000)
    turn = dumps(TALK[0]).replace("\\n", " ") + ", "
    held = []

    class Watched(objects.Window):
        def more(self):
            held.append(len(self.text))
            return super().more()

    monkeypatch.setattr(objects, "Window", Watched)
    rows, problems = read(start + turn * 2000 + "\n" + dumps(ROWS[1]) + "\n", 1000)
    assert rows == [ROWS[1]]
    assert len(problems) == 1 and max(held) < 40_000


def test_a_wrapper_longer_than_any_row_is_read(monkeypatch):
    monkeypatch.setattr(objects, "LONGEST", 5000)
    text = dumps({"version": 1, "data": ROWS * 30, "end": [1]})
    items = list(find_rows(io.StringIO(text)))
    assert [item.row for item in items if isinstance(item, Found)] == ROWS * 30
    assert [item for item in items if not isinstance(item, Found)] == [objects.WRAPPED]


def joined(texts, shape):
    """Write rows, some of them broken, in one of the shapes that people have."""
    return {
        "lines": lambda: "\n".join(texts),
        "commas": lambda: ",\n".join(texts) + ",",
        "array": lambda: "[" + ", ".join(texts) + "]",
        "array lines": lambda: "[\n  " + "\n  , ".join(texts) + "\n]",
        "wrapped": lambda: '{"version": 1, "data": [\n' + ",\n".join(texts) + '\n], "n": [1]}',
        "BOMs": lambda: "\ufeff" + "\n\ufeff".join(texts),
        "indented": lambda: "\n".join("\t" * (n % 3) + text for n, text in enumerate(texts)),
        "junk": lambda: "```json\n" + "\n-- {x} [1] --\n".join(texts) + "\n```",
        "fences": lambda: "\n".join(f"Part\n```json\n[{text}]\n```" for text in texts),
    }[shape]()


@st.composite
def files(draw):
    """Return a text of rows in some shape, of which one may be broken, the rows, and if one is."""
    rows = [dict(draw(st.sampled_from(ROWS)), id=n) for n in range(draw(st.integers(1, 5)))]
    style = st.fixed_dictionaries(
        {"ensure_ascii": st.booleans(), "indent": st.sampled_from([None, None, 1, 4])}
    )
    texts = [json.dumps(row, **draw(style)) for row in rows]
    shapes = ["lines", "commas", "array", "array lines", "wrapped", "BOMs", "indented", "junk"]
    broken = draw(st.booleans())
    if broken:
        n, how = (
            draw(st.integers(0, len(rows) - 1)),
            draw(st.sampled_from("cut swap python".split())),
        )
        text, at = texts[n], draw(st.integers(1, len(texts[n]) // 2))
        texts[n] = {
            "cut": text[:at],
            "swap": text.replace("{", "[", 1),
            "python": text.replace('"', "'"),
        }[how]
        del rows[n]
    shape = draw(st.sampled_from([*shapes, "fences"] if not broken else shapes))
    return joined(texts, shape), rows, broken


@settings(parent=calm, max_examples=300)
@given(file=files(), chunk=st.sampled_from([1 << 18, 300, 40, 1]))
def test_whatever_is_broken_no_good_row_is_lost_and_none_is_made_up(file, chunk):
    text, rows, broken = file
    found, problems = read(text, chunk)
    assert [row for row in found if not isinstance(checked(Found(row, 1, 1))[0], Problem)] == rows
    assert broken <= len(problems) + len(found) - len(rows)


@settings(parent=calm, max_examples=150)
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    at=st.floats(0, 1, exclude_max=True),
    put=st.sampled_from(["", *'"{}[],:\\x\n\ufeff']),
    chunk=st.integers(1, 300),
)
def test_where_the_reading_is_cut_changes_nothing(shape, at, put, chunk):
    """Whatever character is broken, rows and problems are the same for every size of CHUNK."""
    text = SHAPES[shape]([*ROWS, LONG, *ROWS])
    at = int(at * len(text))
    text = text[:at] + put + text[at + 1 :]
    assert read(text, chunk) == read(text)


@settings(parent=calm, max_examples=150)
@given(text=st.text("\"{}[],:\\\n'n1 \ufeff") | st.text())
def test_no_text_whatever_breaks_the_reading(text):
    for item in find_rows(io.StringIO(text)):
        assert isinstance(item, Found | Problem | Notice)
