"""Your own data: every shape of file that people have is read; every bad line is named."""

import errno
import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import base
from helpers.base import CourseError
from helpers.data import check, jsonl, scan
from helpers.data.jsonl import Problem

A_B = [{"role": "user", "content": "罚多少？"}, {"role": "assistant", "content": "200元"}]
GOOD = {"messages": A_B}
ROWS = [
    GOOD,
    {"instruction": "罚多少？", "output": "200元"},
    {"conversations": [{"from": "human", "value": "罚多少？"}, {"from": "gpt", "value": "200元"}]},
    {"prompt": "罚多少？", "completion": "200元"},
    {"prompt": "罚多少？", "chosen": "200元", "rejected": "2元"},
]
calm = settings(deadline=None, suppress_health_check=list(HealthCheck))


def write(path, raw):
    path.write_bytes(raw if isinstance(raw, bytes) else raw.encode())
    return path


def dumps(row, **options):
    return json.dumps(row, ensure_ascii=False, **options)


SHAPES = {
    "lines": lambda rows: "\n".join(map(dumps, rows)),
    "crlf": lambda rows: "\r\n\r\n".join(map(dumps, rows)) + "\r\n",
    "bom": lambda rows: "\ufeff" + "\n".join(map(dumps, rows)),
    "array": lambda rows: dumps(rows),
    "array, a row a line": lambda rows: "[\n" + ",\n".join(map(dumps, rows)) + "\n]\n",
    "array, indented": lambda rows: "\n\n" + dumps(rows, indent=2),
    "array, bom and crlf": lambda rows: "\ufeff" + dumps(rows, indent=1).replace("\n", "\r\n"),
    "objects, indented": lambda rows: "\n".join(dumps(row, indent=4) for row in rows),
    "objects, a key beside the brace": lambda rows: "\n".join(
        dumps(row, indent=2).replace("{\n  ", "{", 1) for row in rows
    ),
    "objects, not indented": lambda rows: "\n\n".join(
        dumps(row, indent=0).replace("{\n", "{", 1) for row in rows
    ),
    "escaped": lambda rows: "\n".join(map(json.dumps, rows)),
    "escaped twice": lambda rows: "\n".join(json.dumps(json.dumps(row)) for row in rows),
}


@pytest.mark.parametrize("chunk", [1 << 20, 17])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_file_and_mixed_formats(tmp_path, monkeypatch, shape, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    rows, problems = check.own_rows(write(tmp_path / "a.json", SHAPES[shape](ROWS)))
    assert not problems
    assert [row["messages"] for row in rows] == [A_B] * 5


@calm
@given(
    rows=st.lists(st.dictionaries(st.text(max_size=3), st.text(), max_size=2), max_size=4),
    shape=st.sampled_from(
        ["array", "array, indented", "objects, indented", "objects, not indented", "lines"]
    ),
    chunk=st.integers(1, 40),
)
def test_what_is_written_is_scanned(tmp_path_factory, monkeypatch, rows, shape, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    rows = [{"first": 1, **row} for row in rows]
    path = write(tmp_path_factory.mktemp("own") / "a.json", SHAPES[shape](rows).encode())
    assert [row for _, row in scan.scan_rows(path)] == rows


def only(path):
    """Return the one problem of a file."""
    rows, problems = check.own_rows(path)
    assert len(problems) == 1, problems
    (problem,) = problems
    assert all(any("\u4e00" <= c <= "\u9fff" for c in t) for t in (problem.zh, problem.mend_zh))
    return rows, problem


TOOL = [{"role": "user", "content": "a"}, {"role": "assistant", "tool_calls": [{}], "content": ""}]
CALL = [{"from": "human", "value": "a"}, {"from": "function_call", "value": "{}"}]
PART = [{"role": "user", "content": [{"type": "text", "text": "a"}]}, A_B[1]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"messages": TOOL}, "does not support"),
        ({"conversations": CALL}, "does not support"),
        ({"messages": PART}, "not text"),
        ({"messages": [{"role": "user", "content": "\\u4f60"}, A_B[1]]}, "escaped twice"),
        ({"messages": [A_B[0], {"role": "system", "content": "s"}, A_B[1]]}, "wrong order"),
        ({"instruction": "a", "output": ""}, "empty answer"),
        ({"instruction": "a", "output": None}, "not text"),
        ({"text": "a"}, "no known format: text"),
        ("a", "an object is expected"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, row, reason):
    lines = [dumps(GOOD), "", dumps(row), dumps(GOOD)]
    rows, problem = only(write(tmp_path / "a.jsonl", "\n".join(lines)))
    assert rows == [GOOD, GOOD]
    assert problem.line == 3
    assert reason in problem.en


def test_latin_escapes_may_be_meant(tmp_path):
    row = {"messages": [{"role": "user", "content": "print('\\u00e9')"}, A_B[1]]}
    assert check.own_rows(write(tmp_path / "a.jsonl", dumps(row))) == ([row], [])


def test_system_texts_are_good(tmp_path):
    row = {"messages": [{"role": "system", "content": "s"}, *A_B]}
    assert check.own_rows(write(tmp_path / "a.jsonl", dumps(row))) == ([row], [])


@pytest.mark.parametrize("chunk", [1 << 20, 13])
def test_a_broken_object_in_an_array_is_stepped_over(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    lines = dumps([GOOD, GOOD, GOOD], indent=2).split("\n")
    broken = [n for n, line in enumerate(lines) if "user" in line][1]
    lines[broken] = lines[broken].replace('"user"', "'user'")
    rows, problem = only(write(tmp_path / "a.json", "\n".join(lines)))
    assert rows == [GOOD, GOOD]
    assert problem.line == broken + 1
    assert "not JSON" in problem.en


LONG = {"messages": [{"role": "user", "content": "问" * 150}, *A_B[1:]]}  # longer than scan.TAIL
BREAKS = {  # how a row is broken, and where the parser stops
    "single quotes": ('"assistant"', "'assistant'", "'assistant'"),
    "no comma": (', {"role": "assistant"', ' {"role": "assistant"', '{"role": "assistant"'),
    "no list end": ('"}]}', '"}}', "}, {"),
    "no end": ("}]}", "}]", '{"messages"'),
    "no quote": ('200元"', "200元", 'messages"'),
}


@pytest.mark.parametrize("chunk", [1 << 20, 100, 7, 1])
@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_row_on_a_line_of_many_is_stepped_over(tmp_path, monkeypatch, how, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    old, new, stops = BREAKS[how]
    before, broken = f"[{dumps(LONG)}, ", dumps(LONG).replace(old, new)
    text = f"{before}{broken}, {dumps(LONG)}, {dumps(GOOD)}]"
    rows, problem = only(write(tmp_path / "a.json", text))
    assert rows == [LONG, LONG, GOOD]
    at = text.index(stops, text.index(new, len(before)))
    onward = len(before) + len(broken) + len(", ") + 1
    assert f"(column {at + 1}); passed over, up to line 1, column {onward}" in problem.en
    assert f"（第 {at + 1} 列）；已跳过，从第 1 行第 {onward} 列接着读" in problem.zh


@pytest.mark.parametrize("chunk", [1 << 20, 5])
def test_broken_rows_on_one_line_are_named_one_by_one(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    other = [dumps(row) for row in ROWS]
    text = f'[{{broken}}, {other[0]}, {{"n": }}, {{"m" 1}}, {", ".join(other[1:])}, {{"end": ]'
    rows, problems = check.own_rows(write(tmp_path / "a.json", text))
    assert [row["messages"] for row in rows] == [A_B] * 5
    assert [problem.line for problem in problems] == [1] * 4
    assert "the rest of the file is passed over" in problems[-1].en
    assert "后面直到文件末尾都跳过" in problems[-1].zh


TOOLS = {"tools": [{"type": "a"}, {"type": "b", "more": [{"x": 1}, {"x": 2}]}, {"type": "c"}]}
ARRAYS = {
    "a row a line": lambda rows: "[\n  " + ",\n  ".join(rows) + "\n]",
    "first row beside the bracket": lambda rows: "[" + ",\n".join(rows) + "]",
    "a blank before": lambda rows: "[" + ", \n ".join(rows) + "]",
    "comma first": lambda rows: "[\n    " + "\n  , ".join(rows) + "\n]",
    "indented": lambda rows: "[\n  " + ",\n  ".join(map(indented, rows)) + "\n]",
    "brace beside brace": lambda rows: "[\n  " + ", ".join(map(indented, rows)) + "\n]",
}


def indented(row):
    """Write a row over several lines, in an array indented by two; a broken one stays broken."""
    mark = '"bad": !'
    text = dumps(json.loads(row.replace(mark, '"bad": 0')), indent=2)
    return text.replace("\n", "\n  ").replace('"bad": 0', mark)


@pytest.mark.parametrize("chunk", [1 << 20, 11])
@pytest.mark.parametrize("shape", ARRAYS)
@pytest.mark.parametrize("place", [1, 2, 4])
def test_what_is_nested_in_a_broken_row_is_no_row(tmp_path, monkeypatch, shape, chunk, place):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    lines = [dumps(row) for row in ROWS]
    lines.insert(place, dumps({**GOOD, **TOOLS, "last": 0}).replace('"last": 0', '"bad": !'))
    text = ARRAYS[shape](lines)
    rows, problem = only(write(tmp_path / "a.json", text))
    assert [row["messages"] for row in rows] == [A_B] * 5
    before = text[: text.index("!")]
    assert problem.line == before.count("\n") + 1
    assert f"(column {len(before) - before.rfind(chr(10))})" in problem.en


@pytest.mark.parametrize("text", ["b", "    return b", "{x} b", '{\\"x\\": 1}', '{"x": 1} b'])
@pytest.mark.parametrize("shape", ["array", "array, a row a line", "array, indented"])
def test_a_line_end_in_a_text_hides_no_row(tmp_path, shape, text):
    """What follows it may be indented, or look like a row, further out than rows are."""
    whole = SHAPES[shape]([GOOD, {"broken": 0}, GOOD, GOOD])
    at = whole.index('"broken"')
    start, end = whole.rindex("{", 0, at), whole.index("}", at) + 1
    broken = '{"instruction": "a\n' + text + '", "output": "c"}'
    rows, problems = check.own_rows(
        write(tmp_path / "a.json", whole[:start] + broken + whole[end:])
    )
    assert rows == [GOOD] * 3
    assert "字符串里有未转义的控制字符" in problems[0].zh


@calm
@given(
    shape=st.sampled_from(sorted(SHAPES)),
    at=st.floats(0, 1, exclude_max=True),
    put=st.sampled_from(["", *'"{}[],:\\x\n']),
    chunk=st.integers(1, 300),
)
def test_where_the_reading_is_cut_changes_nothing(tmp_path_factory, shape, at, put, chunk):
    """Whatever character is broken, rows and problems are the same for every size of CHUNK."""
    text = SHAPES[shape]([*ROWS, LONG, *ROWS])
    at = int(at * len(text))
    path = write(tmp_path_factory.mktemp("own") / "a.json", text[:at] + put + text[at + 1 :])
    whole = list(scan.scan_rows(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scan, "CHUNK", chunk)
        assert list(scan.scan_rows(path)) == whole


FIRST = [
    "{broken",
    "{'instruction': 'a', 'output': 'b'}",
    "{",
    '{"messages": [',
    '{"messages": [{"role": "user", "content": "a',
    '{"messages": [{"role": "user", "content": "a"}, ',
    dumps(GOOD) + ",",
]


@pytest.mark.parametrize("head", [1 << 16, 300])
@pytest.mark.parametrize("later", [[LONG, GOOD, GOOD], [GOOD]])
@pytest.mark.parametrize("first", FIRST)
def test_lines_after_a_broken_first_one_are_kept(tmp_path, monkeypatch, first, later, head):
    monkeypatch.setattr(scan, "HEAD", head)
    text = "\n".join([first, *map(dumps, later)])
    rows, problem = only(write(tmp_path / "a.jsonl", text))
    assert rows == later
    if head > len(text):
        assert problem.line == 1


def test_lines_after_two_broken_first_ones_are_kept(tmp_path):
    text = "\n".join(["{broken", "{'a': 1}", dumps(GOOD), "oops", dumps(dumps(GOOD))])
    rows, problems = check.own_rows(write(tmp_path / "a.jsonl", text))
    assert rows == [GOOD, GOOD]
    assert [problem.line for problem in problems] == [1, 2, 4]


def test_a_text_broken_over_two_lines_is_one_problem(tmp_path):
    text = '{"instruction": "a\nb", "output": "c"}\n' + dumps(GOOD)
    rows, problem = only(write(tmp_path / "a.jsonl", text))
    assert (rows, problem.line) == ([GOOD], 1)


@pytest.mark.parametrize("head", [1 << 16, 60])
@pytest.mark.parametrize("good", ["{'role'", '"role"'])
def test_objects_over_several_lines_with_one_message_a_line(tmp_path, monkeypatch, good, head):
    """The form of a hand-written file; the second line begins an object, and is no row."""
    monkeypatch.setattr(scan, "HEAD", head)
    one = '{"messages": [\n' + ",\n".join("  " + dumps(turn) for turn in A_B) + "\n]}\n"
    first = one.replace('{"role"', good, 1) if good.startswith("{") else one
    rows, problems = check.own_rows(write(tmp_path / "a.json", first + one + one))
    assert rows == [GOOD] * (3 - len(problems))
    assert [problem.line for problem in problems] == ([2] if first != one else [])


def test_an_array_that_breaks_off_keeps_what_stands_before(tmp_path):
    rows, problem = only(write(tmp_path / "a.json", dumps([GOOD, GOOD])[:-20]))
    assert rows == [GOOD]
    assert "not JSON" in problem.en


def test_bytes_that_are_not_utf8_in_an_array(tmp_path):
    raw = b"[\n" + dumps(GOOD).encode() + b",\n" + dumps(GOOD).encode("gb18030") + b"\n]"
    rows, problem = only(write(tmp_path / "a.json", raw))
    assert (rows, problem.line) == ([GOOD], 3)
    assert f"not UTF-8 (column {dumps(GOOD).index('罚') + 1})" in problem.en


@pytest.mark.parametrize("chunk", [1 << 20, 9])
def test_a_byte_that_is_not_utf8_is_found_in_its_line(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    text = dumps([GOOD, GOOD], indent=2)
    path = write(tmp_path / "a.json", text.encode().replace("200元".encode(), b"200\xff", 1))
    rows, problem = only(path)
    (line,) = [n for n, line in enumerate(text.split("\n"), 1) if "200" in line][:1]
    assert (rows, problem.line) == ([GOOD], line)
    assert f"(column {text.split(chr(10))[line - 1].index('元') + 1})" in problem.en


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CourseError, match="no such file"):
        check.own_rows(tmp_path / "no.jsonl")


def test_limit(tmp_path):
    path = write(tmp_path / "a.jsonl", SHAPES["lines"](ROWS))
    assert len(check.own_rows(path, limit=2)[0]) == 2


def test_a_file_is_checked_into_a_folder(tmp_path):
    bad = [dumps({"text": n}) for n in range(30)]
    path = write(tmp_path / "a.jsonl", "\n".join([*map(dumps, ROWS), *bad]))
    done = check.own_file(path, tmp_path / "out")
    assert (done.good, done.bad, len(done.first)) == (5, 30, check.SHOWN)
    assert done.formats["preference"] == 1
    assert [row["messages"] for row in jsonl.read_jsonl(done.rows)] == [A_B] * 5
    told = done.problems.read_text("utf-8").splitlines()
    assert len(told) == 30 and told[0].startswith("line 6: the keys tell no known format")
    assert "✅ 5 rows" in str(done) and "❌ 30 rows" in str(done) and "problems.txt" in str(done)


def test_a_file_without_a_good_row_is_refused_and_says_why(tmp_path, capsys):
    with pytest.raises(CourseError, match="no row of this file"):
        check.own_file(write(tmp_path / "a.jsonl", '{"text": "a"}'), tmp_path / "out")
    assert "no known format" in capsys.readouterr().out
    assert os.listdir(tmp_path / "out") == ["problems.txt"]


def test_a_file_without_a_good_row_leaves_the_rows_of_an_earlier_one(tmp_path):
    done = check.own_file(write(tmp_path / "a.jsonl", dumps(GOOD)), tmp_path / "out")
    with pytest.raises(CourseError, match="no row of this file"):
        check.own_file(write(tmp_path / "a.jsonl", '{"text": "a"}'), tmp_path / "out")
    assert jsonl.read_jsonl(done.rows) == [GOOD]
    assert "no known format" in done.problems.read_text("utf-8")


@pytest.mark.parametrize("shape", ["lines", "array", "array, indented"])
@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity"])
def test_a_number_that_cannot_be_written_is_a_problem_of_its_line(tmp_path, shape, number):
    text = SHAPES[shape]([GOOD, {**GOOD, "n": 12345}, GOOD]).replace("12345", number)
    done = check.own_file(write(tmp_path / "a.json", text), tmp_path / "out")
    assert (done.good, done.bad) == (2, 1)
    assert f"{number} is not a JSON value" in done.first[0].en
    assert f"{number} 不是合法的 JSON 数值" in done.first[0].zh
    line = 2 if shape == "lines" else text[: text.rindex('"messages"', 0, text.index(number))]
    line = line if shape == "lines" else line[: line.rindex("{") + 1].count("\n") + 1
    assert done.first[0].line == line
    assert jsonl.read_jsonl(done.rows) == [GOOD, GOOD]


def test_a_missing_file_leaves_no_folder_behind(tmp_path):
    with pytest.raises(CourseError, match="no such file"):
        check.own_file(tmp_path / "no.jsonl", tmp_path / "new" / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("folder", ["a.jsonl", "a.jsonl/out"])
def test_a_folder_that_cannot_be_made_is_named(tmp_path, folder):
    path = write(tmp_path / "a.jsonl", dumps(GOOD))
    with pytest.raises(CourseError, match=r"not saved .* ｜ 没有保存"):
        check.own_file(path, tmp_path / folder)
    assert os.listdir(tmp_path) == ["a.jsonl"]


@pytest.mark.parametrize("name", ["rows.jsonl", "problems.txt"])
def test_a_folder_that_may_not_be_written_to_is_named(tmp_path, monkeypatch, name):
    path = write(tmp_path / "a.jsonl", dumps(GOOD))
    done, replace = check.own_file(path, tmp_path / "out"), os.replace

    def refuse(old, new):
        if new.name == name:
            raise PermissionError(errno.EACCES, "Permission denied")
        replace(old, new)

    monkeypatch.setattr(base.os, "replace", refuse)
    with pytest.raises(CourseError, match=r"not saved \(Permission denied\)"):
        check.own_file(write(path, dumps(LONG)), tmp_path / "out")
    assert jsonl.read_jsonl(done.rows) == [GOOD]
    assert sorted(os.listdir(tmp_path / "out")) == ["problems.txt", "rows.jsonl"]


@pytest.mark.parametrize("shape", ["lines", "array"])
def test_a_large_file_streams_in_constant_memory(tmp_path, shape):
    """40 MB pass through; what Python holds at the peak stays below 8 MB."""
    import tracemalloc

    row = dumps({"instruction": "问" * 3000, "output": "答" * 300})
    path, count = tmp_path / "a.json", 4000
    with open(path, "w", encoding="utf-8") as file:
        file.write("[" * (shape == "array"))
        for n in range(count):
            file.write(("," if n and shape == "array" else "") + row + "\n")
        file.write("]" * (shape == "array"))
    tracemalloc.start()
    good = sum(not isinstance(row, Problem) for _, row in check.stream_own(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert good == count
    assert peak < 8e6
