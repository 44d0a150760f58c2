"""Read the rows of a table: CSV and TSV, Parquet and Arrow, Excel."""

import csv
import io
import math
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, TextIO

from helpers.data.formats import ANSWERS, FORMATS, QUESTIONS, SYSTEMS, Refused, detect_format
from helpers.data.jsonl import MEND_UTF8, Problem, Wrong
from helpers.data.objects import BAD_BYTE, LONGEST, Found, Item, Notice

KNOWN = {key for groups in FORMATS.values() for keys in groups for key in keys} | {
    *SYSTEMS, *QUESTIONS, *ANSWERS, "input", "history", "label"}  # fmt: skip


def header_of(text: str) -> tuple[str, list[str]] | None:
    """Return the delimiter and the columns of a table whose header tells a known format."""
    for mark in ",\t;|":
        cells = next(csv.reader(io.StringIO(text[:10_000], newline=""), delimiter=mark), [])
        columns = _columns(cells)
        markdown = mark == "|" and columns[:1] == [""]
        if not markdown and detect_format(dict.fromkeys(columns, "…")):
            return mark, columns
    return None


def _columns(cells: Iterable[Any]) -> list[str]:
    """Return the names of columns; those that are known in the letters in which they are known."""
    names = [str(cell or "").strip("\ufeff\u200b ") for cell in cells]
    return [name.lower() if name.lower() in KNOWN else name for name in names]


def _require_once(columns: list[str]) -> None:
    """Raise Refused when a column that is read stands twice: one of the two would be lost."""
    twice = [name for name in columns if name in KNOWN and columns.count(name) > 1]
    if twice:
        raise Refused(f"the column {twice[0]} stands twice", f"有两列都叫 {twice[0]}",
                      "keep one of them, or rename the other",
                      "只留一列，或给另一列改名")  # fmt: skip


class _Lines:
    """The lines of a text, with those of the last record kept, so that they can be read again."""

    def __init__(self, text: TextIO) -> None:
        self.lines, self.record, self.again, self.line = iter(text), [], deque(), 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self.again.popleft() if self.again else next(self.lines)
        self.record.append(line)
        self.line += 1
        return line

    def back(self) -> None:
        """Go back to the second line of the last record."""
        self.again.extendleft(reversed(self.record[1:]))
        self.line -= len(self.record) - 1


def read_csv(text: TextIO, mark: str, columns: list[str]) -> Iterator[Item]:
    """Yield the rows of a table in text; a quote that never closes costs its own row alone."""
    _require_once(columns)
    csv.field_size_limit(LONGEST)
    lines, number = _Lines(text), -1  # the header is no row
    records = csv.reader(lines, delimiter=mark, strict=True)
    while True:
        lines.record.clear()
        line = lines.line + 1
        try:
            cells = next(records)
        except StopIteration:
            return
        except csv.Error:
            cells = None
            lines.back()
            records = csv.reader(lines, delimiter=mark, strict=True)
        if cells is not None and not any(cell.strip() for cell in cells):
            continue
        number += 1
        if cells is None:
            yield Problem(line, "a quote is not closed, or stands alone inside a text",
                          "引号没有成对：没有闭合，或单独出现在文本里",
                          'put a text with quotes in quotes, and double those inside: "Say ""hi"""',
                          '含引号的文本要整个加引号，里面的引号写两个："说""好"""',
                          number)  # fmt: skip
        elif any(map(BAD_BYTE.search, cells)):
            yield Problem(line, "not UTF-8", "不是 UTF-8 编码", *MEND_UTF8, number)
        elif any(cells[len(columns) :]):
            yield Problem(line, f"{len(cells)} cells in a table of {len(columns)} columns",
                          f"表有 {len(columns)} 列，这一行却有 {len(cells)} 格",
                          "put a text that holds the delimiter in quotes",
                          "文本里含有分隔符时，要加引号", number)  # fmt: skip
        elif number:
            yield Found(dict(zip(columns, cells, strict=False)), line, number)


def read_arrow(file: BinaryIO, kind: str) -> Iterator[Item]:
    """Yield the rows of a Parquet or Arrow file, a thousand in memory at once."""
    import pyarrow as pa
    from pyarrow import ipc, parquet

    number = 0
    try:
        if kind == "parquet":
            table = parquet.ParquetFile(file)
            schema, batches = table.schema_arrow, table.iter_batches(1000)
        elif file.read(6) == b"ARROW1":
            table = ipc.open_file(file)
            schema = table.schema
            batches = map(table.get_batch, range(table.num_record_batches))
        else:
            file.seek(0)
            batches = ipc.open_stream(file)
            schema = batches.schema
        if not detect_format(dict.fromkeys(schema.names, "…")):
            raise Refused(*unknown(schema.names))
        _require_once(schema.names)
        for batch in batches:
            for row in batch.to_pylist():
                number += 1
                yield Found(plain(row), None, number)
    except (pa.ArrowException, OSError) as error:
        if not number:
            raise Refused(*damaged(kind.capitalize())) from error
        yield Problem(None, *damaged(kind.capitalize()), number + 1)


def plain(value: Any) -> Any:
    """Return a value with what JSON does not hold (times, bytes, NaN) as text or null."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float) else str(value)


def read_excel(file: BinaryIO) -> Iterator[Item]:
    """Yield the rows of each sheet whose first row names the columns of a known format."""
    import openpyxl

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, on styles that it does not know
        try:
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
        except Exception as error:
            raise Refused(*damaged("Excel")) from error
    passed = []
    for sheet in book.worksheets:
        rows = ((n, cells) for n, cells in enumerate(sheet.iter_rows(values_only=True), 1)
                if any(cell is not None for cell in cells))  # fmt: skip
        columns = _columns(next(rows, (0, ()))[1])
        if not detect_format(dict.fromkeys(columns, "…")):
            passed += [(sheet.title, columns)]
            continue
        _require_once(columns)
        part = sheet.title if len(book.worksheets) > 1 else None
        for number, (line, cells) in enumerate(rows, 1):
            row = {name: _cell(cell) for name, cell in zip(columns, cells, strict=False) if name}
            yield Found(row, line, number, part)
    if len(passed) == len(book.worksheets):
        raise Refused(*unknown(passed[0][1] if passed else []))
    for title, columns in passed:
        named = ", ".join(columns[:8]) or "–"
        yield Notice(f"the sheet {title} is passed over: its columns are {named}",
                     f"跳过工作表 {title}：它的列是 {named}")  # fmt: skip


def _cell(value: Any) -> str:
    """Return a cell of Excel as text, a whole number without the .0 that Excel stores."""
    whole = isinstance(value, float) and value.is_integer()
    return "" if value is None else str(int(value) if whole else value)


def unknown(columns: list[str]) -> Wrong:
    named = ", ".join(columns[:12]) or "–"
    return (f"the columns tell no known format: {named}", f"从列名看不出是哪种格式：{named}",
            "name them in the first row: instruction and output, or prompt and completion",
            "在第一行写上列名：instruction 和 output，或 prompt 和 completion")  # fmt: skip


def damaged(name: str) -> Wrong:
    return (f"the file is damaged or breaks off ({name})", f"文件已损坏或不完整（{name}）",
            "download or save it again", "重新下载或保存一次")  # fmt: skip
