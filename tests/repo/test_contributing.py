"""CONTRIBUTING.md: both languages say the same, every command parses, every path exists."""

import importlib
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tools.nb import parser
from tools.nbkit import twins

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
_, ENGLISH, CHINESE = re.split(r"^## (?:English|中文)\n", PAGE, flags=re.MULTILINE)
COMMANDS = re.findall(r"```bash\n(.*?)```", ENGLISH, re.DOTALL)
LINES = [line for block in COMMANDS for line in block.strip().splitlines()]
QUOTED = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", ENGLISH, flags=re.DOTALL))
LINES += [text for text in QUOTED if re.match("(python|make|git) ", text)]
GIT = {"add": {"--all"}, "commit": {"--message"}, "restore": set(), "clean": {"--force"}}


def test_the_two_languages_have_the_same_commands_names_lists_and_tables():
    assert not list(twins.differences(ENGLISH, CHINESE))
    blocks = [re.findall(r"^([\w./]+)  ", half, re.MULTILINE) for half in (ENGLISH, CHINESE)]
    assert blocks[0] == blocks[1] and len(blocks[0]) == 11, "the tree"


def test_the_chinese_is_well_set():
    assert not list(twins.typography(CHINESE))


def targets() -> dict[str, str]:
    """Return the Makefile's targets and variables."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):", text, re.M)) | set(
        re.findall(r"^([A-Z]+) \?=", text, re.M)
    )


def made_by_new(path: str) -> bool:
    """Tell whether a path is one of those that `nb.py new 91 toy` makes."""
    return "91" in path


def parse(name: str, arguments: list[str]) -> None:
    """Parse the command line of a module of ours, by its parser or, if it shows none, its help."""
    package = (ROOT / name.replace(".", "/")).is_dir()
    module = importlib.import_module(f"{name}.__main__" if package else name)
    if hasattr(module, "parser"):
        module.parser().parse_args(arguments)
        return
    told = subprocess.run(
        [sys.executable, "-m", name, "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert told.returncode == 0, told.stderr
    options = {x for x in arguments if x.startswith("--")}
    assert options <= set(re.findall(r"--[a-z-]+", told.stdout))


@pytest.mark.parametrize("line", dict.fromkeys(LINES))
def test_a_command_parses(line):
    match shlex.split(line):
        case ["python", "tools/nb.py", *rest]:
            parser().parse_args(rest)
        case ["python", "-m", "pytest", *rest]:
            paths = [
                x
                for i, x in enumerate(rest)
                if not x.startswith("-") and "-k" not in rest[i - 1 : i]
            ]
            assert paths and all(made_by_new(p) or (ROOT / p).exists() for p in paths), line
        case ["python", "-m", "ruff", "format", "."]:
            pass
        case ["python", script, "FILE"]:
            assert (ROOT / script).is_file()
        case ["python", "-m", module, *rest]:
            parse(module, rest)
        case ["make", target, *settings]:
            assert {target, *(x.split("=")[0] for x in settings)} <= targets()
        case ["git", command, *rest]:
            options = {x for x in rest if x.startswith("--")} - {"--"}
            assert options <= GIT[command]
        case ["grep", "-nE", _, *paths] | ["deptry", *paths]:
            assert all(made_by_new(p) or (ROOT / p).exists() for p in paths)
        case _:
            assert line == "source .venv/bin/activate"


def test_every_path_exists():
    tree = re.search(r"```text\n(.*?)```", ENGLISH, re.DOTALL)[1]
    named = re.findall(r"(?<![\w./*-])(?:[a-z]+/[\w./]*|[A-Za-z]+\.(?:md|py|txt))", tree)
    paths = [text for text in QUOTED if re.fullmatch(r"[\w.-]+/[\w./-]*|\w+\.(md|txt|csv)", text)]
    assert len(named) > 10 and len(paths) > 10
    made = {".venv", "build"}
    where = [ROOT, ROOT / "tools", ROOT / "helpers" / "lessons"]
    missing = [
        path
        for path in [*named, *paths]
        if not (made_by_new(path) or path.split("/")[0] in made)
        and not any((folder / path).exists() for folder in where)
    ]
    assert not missing


def test_the_readme_leads_here():
    assert "(CONTRIBUTING.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
