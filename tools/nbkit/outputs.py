"""Outputs: cleaned of what belongs to one run, refused where they hold noise, written back."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from helpers.base import CourseError
from tools.nbkit.source import build, code_hash, notebook_path, read_notebook, read_source, to_text
from tools.nbkit.twins import BAR

SIZE_LIMIT = 300_000  # bytes of a notebook's outputs
WIDGET = "application/vnd.jupyter.widget-view+json"
FACTS = ("claims", "code_hash", "date", "minutes", "peak_gb", "profile", "versions")
WARNING = re.compile(r"\b\w*Warning\b:|^\s*WARNING\b|\[WARNING\b", re.MULTILINE)
TRACEBACK = re.compile(r"Traceback \(most recent call last\)")
MACHINE_PATH = re.compile(
    r"(?<![\w.])/(?:home|Users|root|tmp|work|private|var)/[\w.-]+|[A-Z]:\\\\?Users"
)


def commit(source: Path, executed: Path) -> Path:
    """Write the outputs of a complete, full, unsolved run into the committed notebook.

    Raises CourseError where the run is not that, or its outputs hold errors or warnings.
    """
    ran = read_notebook(executed)
    nb = build(read_source(source))
    _check_run(ran, nb, source.stem)
    outputs = {c.id: c.outputs for c in ran.cells if c.cell_type == "code"}
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [slim(output) for output in clean(outputs[cell.id])]
    nb.metadata["course"] = {k: ran.metadata.course[k] for k in FACTS}
    target = notebook_path(source)
    refuse(nb, f"notebooks/{target.name}")
    target.write_text(to_text(nb), encoding="utf-8")
    return target


def _check_run(ran: NotebookNode | None, nb: NotebookNode, name: str) -> None:
    facts = (ran or {}).get("metadata", {}).get("course", {})
    why = None
    if not facts.get("complete"):
        why = ("there is no complete run of it", "还没有完整运行过")
    elif facts["profile"] != "tiny" or facts["solved"]:
        why = ("the run is not an unsolved one under tiny", "这次运行不是 tiny 档位下的未解版本")
    elif facts["code_hash"] != code_hash(nb):
        why = ("its code changed after the run", "运行之后代码又改过")
    if why:
        command = f"python tools/nb.py run {name[:2]} --commit"
        raise CourseError(
            en=f"{why[0]}; run: {command}", zh=f"{why[1]}；请执行：{command}", where=name
        )


def refuse(nb: NotebookNode, name: str) -> None:
    """Raise CourseError naming everything in the outputs that must not be committed."""
    problems = list(noise(nb)) + list(oversize(nb))
    if problems:
        raise CourseError(
            en="; ".join(f"cell {n}: {en}" if n else en for n, en, _ in problems),
            zh="；".join(f"单元格 {n}：{zh}" if n else zh for n, _, zh in problems),
            where=name,
        )


def clean(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Drop widget views and execution counts; join streams; keep the last state of `\\r` lines."""
    kept: list[NotebookNode] = []
    for output in map(nbformat.from_dict, outputs):
        if output.output_type == "stream":
            if kept and kept[-1].output_type == "stream" and kept[-1].name == output.name:
                kept[-1].text += output.text
            else:
                kept.append(output)
            continue
        if WIDGET in output.get("data", {}):
            continue
        if output.output_type == "execute_result":
            output.execution_count = None
        kept.append(output)
    for output in kept:
        if output.output_type == "stream":
            output.text = re.sub(r"[^\n]*\r(?!\n)", "", output.text)
    return kept


def slim(output: NotebookNode, colours: int = 32) -> NotebookNode:
    """Store a figure in few colours: a plot has hardly more, and takes a third of the room."""
    import base64
    import io

    from PIL import Image

    data = output.get("data", {})
    if "image/png" in data:
        picture = Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGB")
        few, file = picture.quantize(colours, dither=Image.Dither.NONE), io.BytesIO()
        few.save(file, format="png", optimize=True)
        data["image/png"] = base64.b64encode(file.getvalue()).decode("ascii")
    return output


def texts(output: NotebookNode) -> str:
    """Return what an output shows as text."""
    if output.output_type == "stream":
        return output.text
    data = output.get("data", {})
    return "\n".join(str(v) for k, v in data.items() if k.startswith("text/"))


def noise(nb: NotebookNode) -> Iterator[tuple[int, str, str]]:
    """Yield (cell number, English, Chinese) for each output that no learner should see."""
    for number, cell in enumerate(nb.cells, 1):
        for output in cell.get("outputs", []):
            for en, zh in _noise_of(output):
                yield number, en, zh


def _noise_of(output: NotebookNode) -> Iterator[tuple[str, str]]:
    text = texts(output)
    if output.output_type == "error":
        what = f"{output.ename}: {output.evalue}"
        yield f"an error output ({what}); mend the cell", f"输出是报错（{what}）；请修正单元格"
    if TRACEBACK.search(text):
        yield "a stack trace; mend the cell", "输出里有报错堆栈；请修正单元格"
    if match := WARNING.search(text):
        line = _line(text, match)
        yield f"a warning (“{line}”); remove its cause", f"输出里有警告（“{line}”）；请消除起因"
    elif output.get("name") == "stderr" and text.strip():
        line = text.strip().splitlines()[0][:80]
        yield (
            f"text on stderr (“{line}”); remove its cause or print it",
            f"有 stderr 输出（“{line}”）；请消除起因，或改用 print",
        )
    if match := MACHINE_PATH.search(text):
        yield (
            f"a path of one machine ({match[0]}); print it relative to the repository",
            f"输出里有本机路径（{match[0]}）；请改为相对仓库的路径",
        )
    if WIDGET in output.get("data", {}):
        yield (
            "a widget's view, empty when read on the web; commit outputs with tools/nb.py",
            "输出里有交互控件的视图，网页上看不到；请用 tools/nb.py 写入输出",
        )


def undescribed(nb: NotebookNode) -> Iterator[int]:
    """Yield the number of each cell with a figure that has no description in both languages."""
    for number, cell in enumerate(nb.cells, 1):
        for output in cell.get("outputs", []):
            alt = output.get("metadata", {}).get("image/png", {}).get("alt", "")
            if "image/png" in output.get("data", {}) and BAR not in alt:
                yield number


def _line(text: str, match: re.Match) -> str:
    start = text.rfind("\n", 0, match.start()) + 1
    return text[start:].splitlines()[0].strip()[:80]


def oversize(nb: NotebookNode) -> Iterator[tuple[int, str, str]]:
    """Yield a complaint if the outputs of a notebook are above the limit, naming the largest."""
    sizes = [len(json.dumps(c.get("outputs", []), ensure_ascii=False).encode()) for c in nb.cells]
    size, limit = sum(sizes), SIZE_LIMIT // 1000
    if size > SIZE_LIMIT:
        worst = sizes.index(max(sizes)) + 1
        yield (
            0,
            f"{size // 1000} KB of outputs, above {limit} KB; the largest is cell {worst} "
            f"({max(sizes) // 1000} KB): fewer dots per inch, fewer lines",
            f"输出共 {size // 1000} KB，超过 {limit} KB；最大的是单元格 {worst}"
            f"（{max(sizes) // 1000} KB）：请降低图片分辨率或少打印几行",
        )
