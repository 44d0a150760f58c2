"""Read objects out of a file as people have them: JSONL, a JSON array, objects over many lines.

One object is in memory at a time, whatever the file's size. A bad one is named and stepped over.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from helpers.jsonl import BOM, Problem, Row, malformed, parse_line, scan_jsonl

CHUNK = 1 << 18  # characters read at once
LONGEST = 1 << 26  # characters of one object; a bracket that never closes must not fill memory
BETWEEN = re.compile(r"[\s,\[\]]*")  # what stands between the objects of an array
MARGIN = 200  # how far in an object may begin and still be found again after a broken one
CUT = 12  # an error so near the end of what was read may only be its end


def scan_rows(path: Path | str) -> Iterator[tuple[int, Row | Problem]]:
    """Yield (line number, row or problem) for each object of a file, in JSONL or in an array.

    Accepts a BOM, CRLF, objects over several lines, and lines where a whole object stands as a
    string, escaped once more. Raises CourseError if there is no such file.
    """
    if not _spans_lines(path):
        yield from scan_jsonl(path)
        return
    # a byte that is not UTF-8 is kept as half a character until its object can be named
    with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
        yield from _objects(file)


def _spans_lines(path: Path | str) -> bool:
    """Tell whether a file begins with an array, or with an object that its line does not end.

    A file that cannot be opened is left to `scan_jsonl`, which says why.
    """
    try:
        with open(path, "rb") as file:
            lines = (file.readline(64) for _ in range(1000))  # blank lines may come first
            first = next((line for line in lines if line.removeprefix(BOM).strip()), b"")
    except OSError:
        return False
    first = first.removeprefix(BOM).strip()
    return first.startswith(b"[") or first == b"{"


def _objects(file: TextIO) -> Iterator[tuple[int, Row | Problem]]:
    """Yield the objects of an open file, with the line that each begins on."""
    decoder, text, at, line = json.JSONDecoder(), "", 0, 1
    while True:
        start = BETWEEN.match(text, at).end()
        line, at = line + text.count("\n", at, start), start
        if at == len(text):
            text, at, more = _read_on(file, text, at)
            if not more:
                return
            continue
        try:
            end = decoder.raw_decode(text, at)[1]
        except (ValueError, RecursionError) as error:
            where = getattr(error, "pos", at)
            cut = where > len(text) - CUT or "Unterminated" in getattr(error, "msg", "")
            if cut and len(text) - at < LONGEST:
                text, at, more = _read_on(file, text, at)
                if more:
                    continue
            bad = line + text.count("\n", at, min(where, len(text)))
            yield bad, malformed(bad, b"", error)
            skipped, text, at = _next_start(file, text, at)
            line += skipped
        else:
            yield line, parse_line(line, text[at:end].encode("utf-8", "surrogateescape"))
            line, at = line + text.count("\n", at, end), end


def _read_on(file: TextIO, text: str, at: int) -> tuple[str, int, bool]:
    """Read more, and forget what stands before the line of `at`; tell whether there was more."""
    back = min(at - (text.rfind("\n", 0, at) + 1), MARGIN)
    more = file.read(CHUNK)
    return text[at - back :] + more, back, bool(more)


def _next_start(file: TextIO, text: str, at: int) -> tuple[int, str, int]:
    """Find, after a broken object, the next line where one begins, no further in than it began.

    Return the lines passed over, the text and the place in it; at the end of the file, its end.
    """
    indent = min(at - (text.rfind("\n", 0, at) + 1), MARGIN)
    start = re.compile(rf"\n[ \t]{{0,{indent}}}(?=\{{)")
    lines, more = 0, True
    while not (found := start.search(text, at)):
        keep = max(at, len(text) - indent - 2) if more else len(text)  # a start may be cut in two
        lines, text, at = lines + text.count("\n", at, keep), text[keep:], 0
        if not more:
            return lines, text, 0
        added = file.read(CHUNK)
        text, more = text + added, bool(added)
    return lines + text.count("\n", at, found.end()), text, found.end()
