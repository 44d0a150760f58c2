"""Files of every kind: what holds rows is read, what does not is refused in one sentence."""

import bz2
import gzip
import io
import json
import lzma
import zipfile

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet

from helpers.base import CourseError
from helpers.data.jsonl import Problem
from helpers.data.objects import Found, Notice
from helpers.data.reader import read_rows

TALK = [{"role": "user", "content": "塔有多高？"}, {"role": "assistant", "content": "十米。"}]
ROWS = [{"messages": TALK}, {"instruction": "塔有多高，说吧？", "output": "十米。"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS)
ALPACA = [{"instruction": "a", "output": "b"}]


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path):
    """Return the rows of a file, its problems, and its notices."""
    kinds = {Found: [], Problem: [], Notice: []}
    for item in read_rows(path):
        kinds[type(item)].append(item)
    return [item.row for item in kinds[Found]], kinds[Problem], kinds[Notice]


def refused(path):
    """Return the one error with which a file is refused; it speaks both languages."""
    with pytest.raises(CourseError) as caught:
        list(read_rows(path))
    en, zh = caught.value.en, caught.value.zh
    assert "Mend: " in en and "改法：" in zh and caught.value.where == str(path)
    return en


@pytest.mark.parametrize(
    ("encoding", "told"),
    [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", "UTF-16"), ("utf-16-le", "UTF-16"),
     ("utf-16-be", "UTF-16"), ("utf-32", "UTF-32"), ("gb18030", "GB18030"), ("gbk", "GB18030")],
)  # fmt: skip
@pytest.mark.parametrize("shape", ["lines", "array", "csv"])
def test_encodings(tmp_path, encoding, told, shape):
    text = LINES if shape == "lines" else json.dumps(ROWS, ensure_ascii=False, indent=1)
    rows = ROWS
    if shape == "csv":
        text, rows = "instruction,output\n塔有多高，说吧？,十米。\n", ROWS[1:]
    found, problems, notices = read(write(tmp_path / "a", text.encode(encoding)))
    assert (found, problems) == (rows, [])
    assert [told in notice.en for notice in notices] == [True] * bool(told)


def test_gb18030_that_begins_late_is_told(tmp_path):
    raw = json.dumps(ALPACA[0]).encode() * 4000 + LINES.encode("gb18030")
    rows, problems, _ = read(write(tmp_path / "a.jsonl", raw))
    assert (rows, problems) == (ALPACA * 4000 + ROWS, [])


def test_one_line_of_another_encoding_is_named_alone(tmp_path):
    raw = (
        LINES.encode() * 2 + LINES.encode("gb18030")[:120].split(b"\n")[0] + b"\n" + LINES.encode()
    )
    rows, problems, _ = read(write(tmp_path / "a.jsonl", raw))
    assert rows == ROWS * 3 and [problem.line for problem in problems] == [5]
    assert "not UTF-8" in problems[0].en


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\n\r\n"])
def test_line_ends(tmp_path, end):
    path = write(tmp_path / "a.jsonl", LINES.replace("\n", end) + '{"a": }')
    rows, problems, _ = read(path)
    assert rows == ROWS
    assert problems[0].line == 1 + 2 * (2 if end == "\r\n\r\n" else 1)


PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("name", PACK)
def test_packed_files(tmp_path, name):
    packed = PACK[name](("\ufeff" + LINES).encode())
    assert read(write(tmp_path / f"a.jsonl.{name}", packed)) == (ROWS, [], [])
    assert read(write(tmp_path / "a.jsonl", PACK[name](packed))) == (ROWS, [], [])
    many = PACK[name](b"".join(b'{"instruction": "%d", "output": "b"}\n' % n for n in range(9999)))
    half = write(tmp_path / "a", many[: len(many) // 2])
    if name == "bz2":  # one block, of which nothing can be had before its end
        assert "damaged" in refused(half)
    else:  # the rows before the break are kept
        rows, problems, _ = read(half)
        assert 1000 < len(rows) < 9999 and "damaged" in problems[-1].en


def test_zstd(tmp_path):
    with pa.output_stream(str(tmp_path / "a.jsonl.zst"), compression="zstd") as file:
        file.write(LINES.encode())
    assert read(tmp_path / "a.jsonl.zst") == (ROWS, [], [])


def archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
    return path


def test_every_data_file_of_an_archive_is_read(tmp_path):
    inner = archive(tmp_path / "b.zip", {"c.csv": "instruction,output\na,b\n"}).read_bytes()
    files = {"d/a.jsonl": LINES, "b.zip": inner, "README.md": "hi", "__MACOSX/._a.jsonl": "x",
             "d/": "", "e.json": ""}  # fmt: skip
    rows, problems, notices = read(archive(tmp_path / "a.zip", files))
    assert rows == ROWS + ALPACA
    assert [(p.part, p.en) for p in problems] == [("e.json", "the file is empty")]
    assert "3 files of the archive are read: d/a.jsonl, b.zip, e.json" in notices[0].en


def test_archives_that_cannot_be_read(tmp_path):
    path = archive(tmp_path / "a.zip", {"a.jsonl": LINES * 50})
    raw = bytearray(path.read_bytes())
    assert "damaged" in refused(write(path, bytes(raw[: len(raw) // 2])))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(mark) + at] |= 1
    assert "password" in refused(write(path, bytes(raw)))
    assert "empty" in refused(archive(tmp_path / "b.zip", {}))
    assert "no row of data" in refused(archive(tmp_path / "c.zip", {"README.md": "hi"}))
    assert "binary" in refused(archive(tmp_path / "d.docx", {"word/document.xml": "<x/>"}))


NESTED = pa.table({"messages": [TALK, TALK], "n": [1.5, float("nan")], "t": [pa.scalar(None)] * 2})


def test_parquet(tmp_path):
    parquet.write_table(NESTED, tmp_path / "a.parquet")
    rows, problems, _ = read(tmp_path / "a.parquet")
    assert rows == [{"messages": TALK, "n": n, "t": None} for n in (1.5, None)] and not problems
    raw = (tmp_path / "a.parquet").read_bytes()
    assert "damaged" in refused(write(tmp_path / "b.parquet", raw[:-20]))
    assert read(archive(tmp_path / "c.zip", {"a.parquet": raw}))[0] == rows
    parquet.write_table(pa.table({"text": ["a"]}), tmp_path / "d.parquet")
    assert "the columns tell no known format: text" in refused(tmp_path / "d.parquet")


@pytest.mark.parametrize("new", [ipc.new_file, ipc.new_stream])
def test_arrow(tmp_path, new):
    path = str(tmp_path / "a.arrow")
    with pa.OSFile(path, "wb") as file, new(file, NESTED.schema) as writer:
        writer.write_table(NESTED)
    assert [row["messages"] for row in read(path)[0]] == [TALK, TALK]
    raw = (tmp_path / "a.arrow").read_bytes()
    assert "damaged" in refused(write(tmp_path / "b.arrow", raw[:30]))


def sheets(path, **named):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in named.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_excel(tmp_path):
    data = [["Instruction", "output", None], ["a", 10.0], [], ["b", 1.5], ["c", True]]
    rows, _, notices = read(
        sheets(
            tmp_path / "a.xlsx", one=data, notes=[["hello"]], two=[["prompt", "completion"], [1, 2]]
        )
    )
    assert [row["output"] for row in rows[:3]] == ["10", "1.5", "True"]
    assert rows[3] == {"prompt": "1", "completion": "2"}
    assert "the sheet notes is passed over" in notices[0].en
    items = [item for item in read_rows(tmp_path / "a.xlsx") if isinstance(item, Found)]
    assert [(item.part, item.line) for item in items] == [
        ("one", 2),
        ("one", 4),
        ("one", 5),
        ("two", 2),
    ]
    assert "the columns tell no known format: hello" in refused(
        sheets(tmp_path / "b.xlsx", notes=[["hello"], ["x"]])
    )


TABLES = {  # a table, its rows, the lines of its problems
    "instruction,output\na,b\n": (ALPACA, []),
    "\ufeffInstruction, OUTPUT \r\na,b\r\n\r\n": (ALPACA, []),
    "instruction;output\na;b\n": (ALPACA, []),
    "instruction\toutput\na\tb\n": (ALPACA, []),
    "instruction|output\na|b": (ALPACA, []),
    ',instruction,output\n0,a,b\n': ([{"": "0", **ALPACA[0]}], []),
    'instruction,output\n"a ""b""\nc","d,e"\n': (
        [{"instruction": 'a "b"\nc', "output": "d,e"}], []),
    "instruction,output\na,b,\n": (ALPACA, []),
    "instruction,output\na,b,c\na,b\n": (ALPACA, [2]),
    'instruction,output\n"a,b\na,b\na,b\n': (ALPACA * 2, [2]),
    'instruction,output\na,b\nthe "x" y,b\n"the "x" y",b\na,b\n': (
        [*ALPACA, {"instruction": 'the "x" y', "output": "b"}, *ALPACA], [4]),
    "prompt,completion,label\na,b,False\n": (
        [{"prompt": "a", "completion": "b", "label": "False"}], []),
}  # fmt: skip


@pytest.mark.parametrize("text", TABLES)
def test_tables_in_text(tmp_path, text):
    rows, lines = TABLES[text]
    found, problems, _ = read(write(tmp_path / "a.csv", text))
    assert (found, [problem.line for problem in problems]) == (rows, lines)


NO_DATA = {  # a file, what its one error says
    "a.jsonl": ("", "the file is empty"),
    "blank.jsonl": (" \n\t\r\n\u200b\ufeff\u3000", "the file is empty"),
    "list.json": ("[\n]\n", "an empty list"),
    "null.json": ("null", "no row of data in it; this is no JSON object: null"),
    "a.txt": ("Some text.\nMore of it.\n", "no row of data in it"),
    "page.json": ("\n<!DOCTYPE html><html></html>", "a web page"),
    "page.jsonl": ("<HTML lang='en'>", "a web page"),
    "a.xml": ("<?xml version='1.0'?><a/>", "a web page"),
    "a.parquet": ("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "git lfs pull"),
    "a.yaml": ("# rows\n- instruction: a\n  output: b\n", "YAML"),
    "b.jsonl": ("instruction: a\noutput: b\n", "YAML"),
    "a.csv": ("name,age\na,b\n", "the columns tell no known format: name, age"),
    "twice.csv": ("instruction,output,output\na,b,c\n", "the column output stands twice"),
    "a.pdf": (b"%PDF-1.7\n\xe2\xe3", "binary"),
    "a.bin": (bytes(range(256)) * 9, "binary"),
    "a.png": (b"\x89PNG\r\n\x1a\n" + b"{}" * 99, "binary"),
    "a.pkl": (b"\x80\x04\x95" + b"{}" * 99, "binary"),
    "a.xls": (b"\xd0\xcf\x11\xe0" + b"\x00" * 99, "old Office"),
    "a.tar": (b"a.jsonl".ljust(257, b"\x00") + b"ustar\x00" + b"{}" * 99, "tar"),
    "fake.xlsx": (b"PK\x03\x04" + b"\x00" * 99, "damaged"),
    "fake.parquet": (b"PAR1" + b"\x00" * 99 + b"PAR1", "damaged"),
    "sjis.jsonl": ('{"instruction": "これは質問", "output": "こたえ"}'.encode("sjis"), "UTF-8"),
    "late.jsonl": ("没有数据".encode("gb18030") * 9, "no row of data"),
}  # fmt: skip


@pytest.mark.parametrize("name", NO_DATA)
def test_what_holds_no_rows_is_refused_in_one_sentence(tmp_path, name):
    content, reason = NO_DATA[name]
    assert reason in refused(write(tmp_path / name, content))


def test_a_markdown_table_is_no_csv(tmp_path):
    text = "| instruction | output |\n|---|---|\n| a | b |\n"
    assert "no row of data" in refused(write(tmp_path / "a.md", text))


def test_folders_and_missing_files(tmp_path):
    write(tmp_path / "rows.jsonl", LINES)
    assert "a folder; it holds rows.jsonl" in refused(tmp_path)
    assert "no such file" in refused(tmp_path / "no.jsonl")


def test_the_home_folder_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write(tmp_path / "a.jsonl", LINES)
    assert read("~/a.jsonl")[0] == ROWS


def test_a_large_file_streams_in_constant_memory(tmp_path):
    """20 MB pass through in each shape; what Python holds at the peak stays below 10 MB."""
    import tracemalloc

    row = json.dumps({"instruction": "问" * 3000, "output": "答" * 300}, ensure_ascii=False)
    for start, between, end in (("", "\n", ""), ("[", ",\n", "]"), ("[", ", ", "]")):
        write(tmp_path / "a.json", start + between.join([row] * 2000) + end)
        tracemalloc.start()
        count = sum(isinstance(item, Found) for item in read_rows(tmp_path / "a.json"))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (count, peak < 10e6) == (2000, True), peak


def test_a_stream_of_bytes_is_never_held_whole(tmp_path):
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(LINES.encode() * 1000)
    assert len(read(write(tmp_path / "a.gz", packed.getvalue()))[0]) == 2000
