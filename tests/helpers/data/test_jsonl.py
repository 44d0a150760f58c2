"""JSONL: every kind of bad line is named, and a failed save harms nothing."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import base
from helpers.base import CourseError
from helpers.data import jsonl

USER = {"role": "user", "content": "报告：占道停车"}
ANSWER = {"role": "assistant", "content": "第12条"}
GOOD = {"messages": [USER, ANSWER]}

text = st.text(st.characters(exclude_categories=["Cs"]))
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
values = st.recursive(
    scalars | text, lambda inner: st.lists(inner) | st.dictionaries(text, inner), max_leaves=5
)


def write(path, raw: bytes):
    path.write_bytes(raw)
    return path


def line(row) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode()


def bilingual(message: str) -> bool:
    en, _, zh = message.partition(" ｜ ")
    return bool(en) and any("\u4e00" <= c <= "\u9fff" for c in zh)


def english(zh: str) -> set[str]:
    """Return the English words of a Chinese text; names, values and escapes are none."""
    names = {"JSON", "UTF", "GBK", "gb18030", "null", "NaN", "Infinity", "Windows"}
    return set(re.findall(r"(?<![\w\\])[A-Za-z]\w+", zh, re.ASCII)) - names


def fails(path) -> str:
    """Return the message with which reading the file fails; it must speak both languages."""
    with pytest.raises(CourseError) as caught:
        jsonl.read_jsonl(path)
    assert bilingual(str(caught.value))
    return str(caught.value)


@given(rows=st.lists(st.dictionaries(text, values, max_size=3), max_size=4))
def test_what_is_written_is_read_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("jsonl") / "rows.jsonl"
    jsonl.write_jsonl(path, rows)
    assert jsonl.read_jsonl(path) == rows
    assert path.read_bytes().count(b"\n") == len(rows)


def test_bom_crlf_and_blank_lines_are_accepted(tmp_path):
    path = write(tmp_path / "a.jsonl", b"\xef\xbb\xbf" + line(GOOD) + b"\r\n\r\n" + line(GOOD))
    assert jsonl.read_jsonl(path) == [GOOD, GOOD]


def test_the_parser_gives_its_reason_in_chinese_too(tmp_path):
    assert "键名要用双引号括起来（第 2 列）" in fails(write(tmp_path / "a.jsonl", b"{'a': 1}"))


WRONG = {  # what the line is, the reason in Chinese
    b'{"a": }': "此处缺少值",
    b'{"a": 1 "b": 2}': "此处缺少逗号",
    b'{"a" 1}': "此处缺少冒号",
    b"{a: 1}": "键名要用双引号括起来",
    b'{"a": 1} 2': "对象结束后还有多余的内容",
    b'{"a": "\\q"}': "转义写法不对",
    b'{"a": "\\u12g4"}': "\\u 后面要有四位十六进制数字",
    b'{"a": "\t"}': "字符串里有未转义的控制字符",
    b'{"a": "': "字符串没有结束",
    b'{"a": ' + b"[" * 100_000: "嵌套太深",
    b'{"a": ' + b"1" * 5000 + b"}": "整数太长",
    b'{"a": NaN}': "NaN 不是合法的 JSON 数值",
    b'{"a": -Infinity}': "-Infinity 不是合法的 JSON 数值",
    b'{"a": 1e999}': "1e999 不是合法的 JSON 数值",
    b'{"a": -1' + b"0" * 400 + b".0}": "-1000000000000000000 不是合法的 JSON 数值",
    b'{"a": "\\ud83d"}': "半个字符",
    b'{"a": "\xff"}': "本行第 8 个字节是 0xff",
    b"[" * 100_000: "这是 JSON 数组",
}


@pytest.mark.parametrize(("raw", "zh"), WRONG.items(), ids=range(len(WRONG)))
def test_every_reason_is_told_in_chinese(raw, zh):
    problem = jsonl.parse_line(1, raw, jsonl.Decoder())
    assert zh in f"{problem.zh}。{problem.mend_zh}"
    assert not english(problem.zh) and not english(problem.mend_zh)


@pytest.mark.parametrize("raw", [b'{"a": [1,]}', b'{"a": 1,}'])
def test_a_trailing_comma_in_any_python(raw):
    """Python 3.13 has reasons of its own for it."""
    assert not english(jsonl.parse_line(1, raw, jsonl.Decoder()).zh)


def test_reasons_of_a_later_python_are_never_left_in_english():
    for reason in [*jsonl.REASONS, "Some reason of Python 3.99"]:
        en, zh, _, _ = jsonl.malformed(json.JSONDecodeError(reason, "{}", 1), 2, "{", "}")
        assert reason in en and not english(zh)


@given(cut=st.integers(0, 60), put=st.text('"{}[],:\\\t1eNu ', max_size=2))
def test_whatever_is_wrong_the_chinese_half_is_chinese(cut, put):
    raw = b'{"a": "\\u4f60\\n", "b": [1, -2.5e3, true, null, {"c": "d"}], "e": ""}'
    problem = jsonl.parse_line(2, raw[:cut] + put.encode() + raw[cut + 1 :], jsonl.Decoder())
    if isinstance(problem, jsonl.Problem):
        assert not english(problem.zh)


@pytest.mark.parametrize("indent", ["", "   ", "\t", "\u3000"])
def test_columns_are_counted_from_the_start_of_the_line(indent):
    problem = jsonl.parse_line(1, f"{indent}{{'a': 1}}\r\n".encode(), jsonl.Decoder())
    assert f"(column {len(indent) + 2})" in problem.en
    assert jsonl.parse_line(1, f'{indent}{{"a": 1}}\r\n'.encode(), jsonl.Decoder()) == {"a": 1}


@pytest.mark.parametrize("number", ["1e308", "-1.5", "0.1e-999", "1" * 4000])
def test_numbers_that_can_be_written_again_are_read(tmp_path, number):
    row = jsonl.parse_line(1, f'{{"a": {number}}}'.encode(), jsonl.Decoder())
    assert row == {"a": json.loads(number)}
    jsonl.write_jsonl(tmp_path / "a.jsonl", [row])


def test_stream_reads_no_further_than_asked(tmp_path):
    path = write(tmp_path / "a.jsonl", line(GOOD) + b"\n{broken\n")
    rows = jsonl.stream_jsonl(path)
    assert next(rows) == GOOD
    with pytest.raises(CourseError, match=r"a\.jsonl:2: not JSON"):
        next(rows)


def test_missing_file(tmp_path):
    assert f"{tmp_path / 'no.jsonl'}: no such file" in fails(tmp_path / "no.jsonl")


def test_a_folder_is_no_file(tmp_path):
    message = fails(tmp_path)
    assert "cannot be read" in message
    assert not english(message.partition(" ｜ ")[2])


def test_not_utf8_names_line_and_byte(tmp_path):
    gbk = '{"text": "罚款"}'.encode("gb18030")
    message = fails(write(tmp_path / "a.jsonl", line(GOOD) + b"\n" + gbk))
    assert "a.jsonl:2: not UTF-8: byte 11 of the line is 0xb7" in message
    assert "gb18030" in message


def test_utf16_is_named(tmp_path):
    message = fails(write(tmp_path / "a.jsonl", '{"a": 1}\n'.encode("utf-16")))
    assert "a.jsonl:1: not UTF-8: byte 1 of the line is 0xff" in message


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a": 1', r"not JSON: .* \(column 8\)"),
        (b"{'a': 1}", "double quotes"),
        (b'{"a": NaN}', "NaN is not a JSON value"),
        (b'{"a": 1} {"b": 2}', "Extra data"),
        (b"[" * 100_000, "JSON array"),
        (b'[{"a": 1},', "JSON array"),
        (b'[{"a": 1}]', "an object is expected, found list"),
        (b'"text"', "an object is expected, found str"),
        (b'{"a": "\\ud83d"}', "half a character"),
    ],
)
def test_malformed_line_names_reason_and_mend(tmp_path, raw, reason):
    path = write(tmp_path / "a.jsonl", raw + b"\n" + line(GOOD))
    message = fails(path)
    assert f"{path}:1: " in message
    assert "Mend: " in message
    with pytest.raises(CourseError, match=reason):
        jsonl.read_jsonl(path)


def test_both_halves_of_an_escaped_character_are_good(tmp_path):
    path = write(tmp_path / "a.jsonl", b'{"a": "\\ud83d\\ude97"}')
    assert jsonl.read_jsonl(path) == [{"a": "🚗"}]


def test_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    jsonl.write_jsonl(path, [GOOD])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(base.os, "replace", full)
    with pytest.raises(CourseError, match="disk is full") as caught:
        jsonl.write_jsonl(path, [GOOD] * 9)
    assert bilingual(str(caught.value))
    assert os.listdir(tmp_path) == ["a.jsonl"]
    assert jsonl.read_jsonl(path) == [GOOD]


LIMITED = """
from helpers.data.jsonl import write_jsonl
try:
    write_jsonl({path!r}, ({{"a": "x" * 1000}} for _ in range(1000)))
except Exception as error:
    print(type(error).__name__, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_a_real_write_that_runs_out_of_room(tmp_path):
    """The system refuses bytes past 100,000, as a full disk or a quota does, mid-file."""
    path = tmp_path / "a.jsonl"
    jsonl.write_jsonl(path, [GOOD])

    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    program = [sys.executable, "-c", LIMITED.format(path=str(path))]
    run = subprocess.run(program, preexec_fn=limit, capture_output=True, cwd=base.root(), text=True)
    assert run.stdout.startswith("CourseError"), run.stderr
    assert "disk is full" in run.stdout
    assert os.listdir(tmp_path) == ["a.jsonl"]
    assert jsonl.read_jsonl(path) == [GOOD]


def test_rows_that_fail_midway_leave_the_old_file(tmp_path):
    path = tmp_path / "a.jsonl"
    jsonl.write_jsonl(path, [GOOD])
    with pytest.raises(ZeroDivisionError):
        jsonl.write_jsonl(path, ({"a": 1 // n} for n in (1, 0)))
    with pytest.raises(ValueError, match="JSON"):
        jsonl.write_jsonl(path, [{"a": float("nan")}])
    assert os.listdir(tmp_path) == ["a.jsonl"]
    assert jsonl.read_jsonl(path) == [GOOD]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CourseError, match="not saved") as caught:
        jsonl.write_jsonl(tmp_path / "file" / "a.jsonl", [GOOD])
    assert bilingual(str(caught.value)) and not english(caught.value.zh)
