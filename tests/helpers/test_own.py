"""Your own data: every shape of file that people have is read; every bad line is named."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers import data, own, scan
from helpers.files import CourseError
from helpers.jsonl import Problem

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
    "escaped": lambda rows: "\n".join(map(json.dumps, rows)),
    "escaped twice": lambda rows: "\n".join(json.dumps(json.dumps(row)) for row in rows),
}


@pytest.mark.parametrize("chunk", [1 << 20, 17])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_file_and_mixed_formats(tmp_path, monkeypatch, shape, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    rows, problems = data.own_rows(write(tmp_path / "a.json", SHAPES[shape](ROWS)))
    assert not problems
    assert [row["messages"] for row in rows] == [A_B] * 5


@calm
@given(
    rows=st.lists(st.dictionaries(st.text(max_size=3), st.text(), max_size=2), max_size=4),
    shape=st.sampled_from(["array", "array, indented", "objects, indented", "lines"]),
    chunk=st.integers(1, 40),
)
def test_what_is_written_is_scanned(tmp_path_factory, monkeypatch, rows, shape, chunk):
    monkeypatch.setattr(scan, "CHUNK", chunk)
    rows = [{"first": 1, **row} for row in rows]
    path = write(tmp_path_factory.mktemp("own") / "a.json", SHAPES[shape](rows).encode())
    assert [row for _, row in scan.scan_rows(path)] == rows


def only(path):
    """Return the one problem of a file."""
    rows, problems = data.own_rows(path)
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
    assert data.own_rows(write(tmp_path / "a.jsonl", dumps(row))) == ([row], [])


def test_system_texts_are_good(tmp_path):
    row = {"messages": [{"role": "system", "content": "s"}, *A_B]}
    assert data.own_rows(write(tmp_path / "a.jsonl", dumps(row))) == ([row], [])


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


def test_an_array_that_breaks_off_keeps_what_stands_before(tmp_path):
    rows, problem = only(write(tmp_path / "a.json", dumps([GOOD, GOOD])[:-20]))
    assert rows == [GOOD]
    assert "not JSON" in problem.en


def test_bytes_that_are_not_utf8_in_an_array(tmp_path):
    raw = b"[\n" + dumps(GOOD).encode() + b",\n" + dumps(GOOD).encode("gb18030") + b"\n]"
    rows, problem = only(write(tmp_path / "a.json", raw))
    assert (rows, problem.line) == ([GOOD], 3)
    assert "not UTF-8" in problem.en


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CourseError, match="no such file"):
        data.own_rows(tmp_path / "no.jsonl")


def test_limit(tmp_path):
    path = write(tmp_path / "a.jsonl", SHAPES["lines"](ROWS))
    assert len(data.own_rows(path, limit=2)[0]) == 2


def test_a_file_is_checked_into_a_folder(tmp_path):
    bad = [dumps({"text": n}) for n in range(30)]
    path = write(tmp_path / "a.jsonl", "\n".join([*map(dumps, ROWS), *bad]))
    done = data.own_file(path, tmp_path / "out")
    assert (done.good, done.bad, len(done.first)) == (5, 30, own.SHOWN)
    assert done.formats["preference"] == 1
    assert [row["messages"] for row in data.read_jsonl(done.rows)] == [A_B] * 5
    told = done.problems.read_text("utf-8").splitlines()
    assert len(told) == 30 and told[0].startswith("line 6: the keys tell no known format")
    assert "✅ 5 rows" in str(done) and "❌ 30 rows" in str(done) and "problems.txt" in str(done)


def test_a_file_without_a_good_row_is_refused_and_says_why(tmp_path, capsys):
    with pytest.raises(CourseError, match="no row of this file"):
        data.own_file(write(tmp_path / "a.jsonl", '{"text": "a"}'), tmp_path / "out")
    assert "no known format" in capsys.readouterr().out


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
    good = sum(not isinstance(row, Problem) for _, row in own.stream_own(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert good == count
    assert peak < 8e6
