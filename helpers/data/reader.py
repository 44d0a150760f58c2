"""Read anybody's file: what kind it is, is told once, from its first bytes; then its rows."""

import bz2
import codecs
import gzip
import io
import lzma
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, TextIO

from helpers.base import CourseError
from helpers.data.formats import Refused
from helpers.data.jsonl import Problem, unreadable
from helpers.data.objects import Item, Notice, find_rows
from helpers.data.tables import damaged, header_of, read_arrow, read_csv, read_excel, unknown

HEAD = 1 << 16  # bytes that tell the kind of a file
MAGIC = {  # how files of a kind begin
    b"PK\x03\x04": "zip", b"PK\x05\x06": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"PAR1": "parquet", b"ARROW1": "arrow",
    b"\xff\xff\xff\xff": "arrow", b"<!doctype html": "web", b"<html": "web", b"<?xml": "web",
    b"version https://git-lfs": "lfs", b"\xd0\xcf\x11\xe0": "xls",
} | dict.fromkeys(
    (b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"SQLite format 3", b"7z\xbc\xaf", b"Rar!",
     b"\x80\x02", b"\x80\x04", b"\x80\x05", b"\x93NUMPY", b"GGUF", b"\x7fELF"), "binary",
)  # fmt: skip
PACKED = ("zip", "gzip", "bzip2", "xz", "zstd")
BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
NO_DATA = {  # kinds that hold no rows: what they are, and the mend
    "web": ("this is a web page, not the data", "这是一个网页，不是数据",
            "download the file itself (on the Hub: Download, or /resolve/ in the address)",
            "请下载文件本身（在 Hub 上点 Download，或把网址里的 blob 换成 resolve）"),
    "lfs": ("this is a Git LFS pointer, not the data", "这是 Git LFS 指针，不是数据",
            "fetch the file itself: git lfs pull", "取回文件本身：git lfs pull"),
    "xls": ("this is an old Office file (.xls or .doc)", "这是旧版 Office 文件（.xls 或 .doc）",
            "save it as .xlsx or .csv", "另存为 .xlsx 或 .csv"),
    "yaml": ("this is YAML, which is not read here", "这是 YAML，这里不读",
             "write the rows as JSONL: json.dumps for each row that yaml.safe_load gives",
             "转成 JSONL：用 yaml.safe_load 读出各行，再逐行 json.dumps"),
    "binary": ("this is a binary file of a kind that is not read here",
               "这是二进制文件，这里读不了",
               "save the rows as JSONL, CSV, Parquet or Excel",
               "把数据存成 JSONL、CSV、Parquet 或 Excel"),
    "tar": ("this is a tar archive", "这是 tar 包",
            "unpack it first (tar xf), and give the file inside",
            "请先解包（tar xf），再给出里面的文件"),
    "encoding": ("the text is not in UTF-8, UTF-16 or GB18030",
                 "文本既不是 UTF-8，也不是 UTF-16 或 GB18030",
                 "save the file as UTF-8", "把文件另存为 UTF-8"),
    "empty": ("the file is empty", "文件是空的",
              "write one JSON object a line, or give another file",
              "每行写一个 JSON 对象，或换一个文件"),
}  # fmt: skip
DATA_NAME = re.compile(
    r"\.(jsonl?|ndjson|csv|tsv|parquet|arrow|xlsx)(\.(gz|zst|bz2|xz))?$|\.(zip|gz|zst)$", re.I
)
YAML = re.compile(r"(#.*\n)*(---\s|- |[\w-]+:\s)")


def read_rows(path: Path | str) -> Iterator[Item]:
    """Yield the rows of a file of any kind with their places, and problems and notices between.

    JSON in any shape, CSV, TSV, Parquet, Arrow, Excel; packed with gzip, zip, zstd, bzip2 or xz; in
    UTF-8, UTF-16 or GB18030. Memory stays constant. Raises CourseError, which says what to mend,
    when there is no such file or its kind holds no rows.
    """
    path = Path(path).expanduser()
    try:
        if path.is_dir():
            names = ", ".join(sorted(inner.name for inner in path.iterdir())[:8]) or "–"
            raise Refused(f"this is a folder; it holds {names}", f"这是文件夹，里面有 {names}",
                          "give the path of one file", "请给出其中一个文件的路径")  # fmt: skip
        with open(path, "rb") as file:
            yield from _read(file, path.name)
    except Refused as refused:
        en, zh, mend_en, mend_zh = refused.args
        en, zh = f"{en}. Mend: {mend_en}.", f"{zh}。改法：{mend_zh}。"
        raise CourseError(en=en, zh=zh, where=str(path)) from refused
    except OSError as error:
        raise unreadable(path, error) from error


def _read(file: BinaryIO, name: str, depth: int = 0) -> Iterator[Item]:
    """Yield the rows of an open file, unpacking it first if need be. Raises Refused."""
    kind = kind_of(file.read(HEAD))
    file.seek(0)
    if kind in NO_DATA:
        raise Refused(*NO_DATA[kind])
    if kind in PACKED and depth > 2:
        raise Refused("archives within archives within archives", "压缩包里套了太多层压缩包",
                      "unpack it first", "请先解压")  # fmt: skip
    if kind == "zip":
        yield from _zip(file, depth)
    elif kind in PACKED:
        yield from _unpacked(_opened(file, kind), name, depth)
    elif kind in ("parquet", "arrow"):
        yield from read_arrow(file, kind)
    else:
        yield from _text(file, name)


def kind_of(head: bytes) -> str:
    """Return what kind of file begins with these bytes: a key of MAGIC or NO_DATA, or "text"."""
    start = head.lstrip(b" \t\r\n\xef\xbb\xbf")[:64].lower()
    for magic, kind in MAGIC.items():
        if head.startswith(magic) or (kind in ("web", "lfs") and start.startswith(magic)):
            return kind
    if head[257:262] == b"ustar":
        return "tar"
    text = head.decode(encoding_of(head), "replace").strip("\ufeff\u200b\u2060\x00 \t\r\n\u3000")
    if not text:
        return "empty"
    if sum(c < " " and c not in "\t\r\n\f\b\x1a\x00" for c in text) > len(text) / 50:
        return "binary"
    if text.count("\ufffd") > len(text) / 10:
        return "encoding"
    if YAML.match(text) and '{"' not in text and not header_of(text):
        return "yaml"
    return "text"


def encoding_of(sample: bytes) -> str:
    """Return the encoding of a text, told by a sample of it that is not all ASCII."""
    for bom, name in BOMS.items():
        if sample.startswith(bom):
            return name
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) > max(3, len(sample) / 100) and min(even, odd) < max(even, odd) / 8:
        return "utf-16-le" if odd > even else "utf-16-be"
    lines = [line for line in sample.splitlines() if not line.isascii()]
    if sum(map(_not_utf8, lines)) * 2 <= len(lines):
        return "utf-8"
    pairs = re.findall(rb"[\x80-\xff].", sample, re.S)  # of Chinese, most lie in GB2312
    chinese = sum(b"\xa1" <= pair[:1] <= b"\xf7" and pair[1:] >= b"\xa1" for pair in pairs)
    return "gb18030" if chinese > 0.8 * len(pairs) else "utf-8"


def _not_utf8(line: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(line)  # a sample may end within a character
    except UnicodeDecodeError:
        return True
    return False


def _sample(file: BinaryIO) -> bytes:
    """Return the first stretch of a file that tells its encoding: one that is not all ASCII."""
    file.seek(0)
    sample = head = file.read(HEAD)
    while sample and sample.isascii() and b"\x00" not in sample:
        sample = file.read(HEAD)
    file.seek(0)
    return sample or head


def _text(file: BinaryIO, name: str) -> Iterator[Item]:
    """Yield the rows of a text: of a table if its header (or its name) says so, else of JSON."""
    encoding = encoding_of(_sample(file))
    head = file.read(HEAD).decode(encoding, "replace").lstrip("\ufeff\u200b \t\r\n")
    file.seek(0)
    table = header_of(head)
    if not table and head[:1] not in "{[" and re.search(r"\.[ct]sv\b", name, re.I):
        raise Refused(*unknown(head.splitlines()[0].split("\t" if "\t" in head else ",")))
    if encoding != "utf-8":
        shown = encoding[:6].upper() if encoding.startswith("utf") else "GB18030"
        yield Notice(
            f"read as {shown}; other tools expect UTF-8", f"按 {shown} 读取；其他工具一般只认 UTF-8"
        )
    errors = "replace" if encoding.startswith(("utf-16", "utf-32")) else "surrogateescape"
    with io.TextIOWrapper(file, encoding, errors, newline="" if table else None) as text:
        yield from read_csv(text, *table) if table else _json(text)


def _json(text: TextIO) -> Iterator[Item]:
    """Yield the rows of a text in JSON; raise Refused when no object stands in it."""
    items = find_rows(text)
    first = list(islice(items, 2))
    if not first:
        raise Refused("there is no row in it: an empty list", "里面没有数据：是个空列表",
                      "write one JSON object a line, or give another file",
                      "每行写一个 JSON 对象，或换一个文件")  # fmt: skip
    if len(first) == 1 and isinstance(first[0], Problem) and first[0].row is None:
        raise Refused(f"no row of data in it; {first[0].en}", f"里面没有数据；{first[0].zh}",
                      "write one JSON object a line, or give another file",
                      "每行写一个 JSON 对象，或换一个文件")  # fmt: skip
    yield from chain(first, items)


def _zip(file: BinaryIO, depth: int) -> Iterator[Item]:
    """Yield the rows of all data files in an archive; of an Excel file, which is one."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise Refused(*damaged("zip")) from error
    names = archive.namelist()
    if any(name.startswith("xl/") for name in names):
        yield from read_excel(file)
        return
    if any(name.startswith(("word/", "ppt/")) for name in names):
        raise Refused(*NO_DATA["binary"])
    inner = [info for info in archive.infolist() if not info.is_dir()
             and not info.filename.startswith("__MACOSX")
             and not Path(info.filename).name.startswith(".")]  # fmt: skip
    inner = [info for info in inner if DATA_NAME.search(info.filename)] or inner
    if not inner:
        raise Refused(*NO_DATA["empty"])
    if any(info.flag_bits & 1 for info in inner):
        raise Refused("the archive asks for a password", "压缩包设了密码",
                      "unpack it first, and give the file inside",
                      "请先解压，再给出里面的文件")  # fmt: skip
    if len(inner) > 1:
        named = ", ".join(info.filename for info in inner[:8])
        yield Notice(f"{len(inner)} files of the archive are read: {named}",
                     f"读取压缩包里的 {len(inner)} 个文件：{named}")  # fmt: skip
    for info in inner:
        try:
            with archive.open(info) as packed:
                for item in _unpacked(packed, info.filename, depth):
                    part = "/".join(filter(None, (info.filename, getattr(item, "part", None))))
                    alone = len(inner) == 1 or isinstance(item, Notice)
                    yield item if alone else item._replace(part=part)
        except Refused as refused:
            if len(inner) == 1:
                raise
            yield Problem(None, *refused.args, part=info.filename)
        except (zipfile.BadZipFile, NotImplementedError):  # of the unpacking itself
            yield Problem(None, *damaged(info.filename), part=info.filename)


def _opened(file: BinaryIO, kind: str) -> BinaryIO:
    """Return a packed file opened for reading what is packed in it."""
    if kind == "zstd":
        import pyarrow

        return pyarrow.CompressedInputStream(file, "zstd")
    return {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}[kind](file)


def _unpacked(packed: BinaryIO, name: str, depth: int) -> Iterator[Item]:
    """Unpack to a temporary file, and yield its rows; if it breaks off, those before the break."""
    with tempfile.TemporaryFile() as file:
        whole = True
        try:
            while piece := packed.read1(1 << 20):
                file.write(piece)
        except (EOFError, OSError, ValueError, zlib.error, lzma.LZMAError, zipfile.BadZipFile):
            whole = False
        if not whole and not file.tell():
            raise Refused(*damaged(name))
        file.seek(0)
        yield from _read(file, name, depth + 1)
        if not whole:
            yield Problem(None, *damaged(name))
