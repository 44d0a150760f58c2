"""The repository holds together: pins, commands, sizes, directions of import, documents."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tools.ledger import pages, seeds
from tools.nbkit import address, check, outputs, report, source
from tools.nbkit.path import put_path

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([0-9][0-9a-z.]*)\s+# (.+)$")
# a folder of one machine, followed by a name in it
MACHINE_PATH = re.compile(r"(?<![\w.:/])/(?:work|root|(?:tmp|home|Users)/[\w.-]+)/")


def read(name: str) -> str:
    """Read a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


def tracked(*patterns: str) -> list[Path]:
    """List the files that git tracks, or would."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / n for n in names.splitlines() if (ROOT / n).is_file()]


def pins(name: str) -> dict[str, str]:
    """Read `name==version` lines; names as the package index compares them."""
    lines = [line.split("#")[0].strip() for line in read(name).splitlines()]
    pairs = [line.split("==") for line in lines if line]
    return {re.sub(r"[-_.]+", "-", n).lower(): v for n, v in pairs}


# --- pins ---------------------------------------------------------------------------------------


def test_every_requirement_is_pinned_and_says_what_for():
    lines = [x for x in read("requirements.txt").splitlines() if x and not x.startswith("#")]
    assert len(lines) > 15
    for line in lines:
        found = PIN.match(line)
        assert found, f"not `name==version  # what for`: {line}"


def test_lock_agrees_with_requirements():
    lock, wanted = pins("requirements.lock"), pins("requirements.txt")
    assert {n: lock.get(n) for n in wanted} == wanted
    assert len(lock) > 100
    assert not [v for v in lock.values() if "+" in v], "no local versions such as +cpu"


def test_environment_takes_its_pins_from_requirements():
    env = yaml.safe_load(read("environment.yml"))
    pip = next(d["pip"] for d in env["dependencies"] if isinstance(d, dict))
    assert pip == ["-r requirements.txt", "-c requirements.lock"]
    (python,) = [d for d in env["dependencies"] if str(d).startswith("python=")]
    assert tuple(map(int, python.split("=")[1].split("."))) >= oldest_python()


def oldest_python() -> tuple[int, ...]:
    """Read from the Makefile the oldest Python that is let in."""
    found = set(re.findall(r"sys\.version_info < \((\d+), (\d+)\)", read("Makefile")))
    assert len(found) == 1
    return tuple(map(int, found.pop()))


def test_oldest_python_is_the_same_everywhere():
    major, minor = oldest_python()
    assert f'target-version = "py{major}{minor}"' in read("pyproject.toml")
    for text in (read("README.md"), read("Makefile")):
        named = re.findall(r"Python (\d+\.\d+) (?:or newer|或更新)", text)
        assert set(named) == {f"{major}.{minor}"}


def test_pins_that_are_installed_accept_the_oldest_python():
    from importlib.metadata import PackageNotFoundError, metadata

    from packaging.specifiers import SpecifierSet

    oldest = ".".join(map(str, oldest_python())) + ".9"
    for name in pins("requirements.txt"):
        try:
            wanted = metadata(name).get("Requires-Python")
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed: pip install -r requirements.txt")
        assert oldest in SpecifierSet(wanted or ""), f"{name} wants Python {wanted}"


# --- code ---------------------------------------------------------------------------------------


def modules(folder: str) -> list[Path]:
    """List the modules of a folder; there must be some."""
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found
    return found


def test_imports_run_one_way_and_in_no_circle():
    """The contracts stand in pyproject.toml; import-linter holds the code to them."""
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_packages_are_empty():
    packages = [*(ROOT / "helpers").rglob("__init__.py"), *(ROOT / "tools").rglob("__init__.py")]
    assert len(packages) > 8
    assert not [p for p in packages if p.read_text(encoding="utf-8").strip()]


@pytest.mark.parametrize("command", [["format", "--check"], ["check"]], ids=" ".join)
def test_ruff_is_content(command):
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


TEXTS = ("*.py", "*.md", "*.ipynb", "*.yml", "*.toml", "*.txt", "*.csv", "*.json", "Makefile")


def test_no_path_of_one_machine():
    files = tracked(*TEXTS)
    assert len(files) > 20
    found = [
        f"{p.relative_to(ROOT)}:{i}: {line[:100]}"
        for p in files
        for i, line in enumerate(p.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATH.search(line)
    ]
    assert not found


# --- front door ---------------------------------------------------------------------------------


def targets() -> set[str]:
    """List the Makefile's targets."""
    return set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))


def test_commands_of_the_readme_exist():
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", read("README.md"), re.MULTILINE))
    assert {"run", "lab", "claims"} <= named
    assert named <= targets()
    wanted = {"run", "test", "lab", "notebooks", "world", "model", "claims", "bench", "check"}
    wanted |= {"clean", "demo", "doctor", "colab-check", "small", "test-small", "gpu-check"}
    assert wanted <= targets()


def test_paths_of_the_readme_exist():
    text = read("README.md")
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    assert links
    quoted = re.findall(r"`([a-z]+/[\w./-]*|LICENSE[A-Z-]*)`", text)
    made = ("build/",)  # by the commands that the text names
    wanted = [p for p in links + quoted if "NN" not in p and not p.startswith(made)]
    missing = [p for p in wanted if not (ROOT / p).exists()]
    assert not missing


def test_tables_of_claims_are_those_that_make_claims_writes():
    text, claims, made = read("README.md"), report.claims_of(ROOT), pages.committed(ROOT)
    waiting = seeds.awaited(ROOT, claims)
    wanted = put_path(pages.readme(text, claims, made, waiting), ROOT, made)
    assert text == wanted, "run: make claims"
    assert read(pages.PAGE) == pages.all_claims(ROOT, claims, made, waiting), "run: make claims"


@pytest.mark.parametrize("page", ["README.md", "notebooks/src/00_start_here.py"])
def test_the_notices_shown_first_are_those_of_the_recorded_run(page):
    recorded = "\n".join(
        outputs.texts(output)
        for cell in source.read_notebook(ROOT / "notebooks" / "00_start_here.ipynb").cells
        for output in cell.get("outputs", [])
    )
    notices = re.findall(r"[|] (`[^|]*<br>[^|]*`) (?=[|])", read(page))
    assert len(notices) == 4
    for notice in notices:
        lines = "\n".join(line.strip("`") for line in notice.split("<br>"))
        assert f"：\n{lines}\n" in recorded, notice


def test_ci_runs_make_test():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111, "executable"
    assert "make test" in script.read_text(encoding="utf-8")


def test_licences():
    assert "Apache License" in read("LICENSE") and "Version 2.0" in read("LICENSE")
    assert "creativecommons.org/licenses/by/4.0" in read("LICENSE-DATA")


# --- lessons and ledger -------------------------------------------------------------------------


def test_every_lesson_has_a_number_of_its_own():
    numbers = [p.stem[:2] for p in source.sources(ROOT)]
    assert numbers and len(numbers) == len(set(numbers))


def test_the_address_is_the_same_everywhere_or_nowhere():
    for path, text in address.planned(ROOT, address.read(ROOT)).items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: make badges ADDRESS=…"


def test_lessons_pass_every_rule():
    found = check.check(ROOT)
    assert not found, "\n".join(["", *found])


def test_ledger_is_well_formed_and_of_lessons_that_exist():
    ledger = report.claims_of(ROOT)  # raises at the first bad row
    assert ledger, "data/claims.csv is empty"
    lessons = {p.stem[:2] for p in source.sources(ROOT)}
    strangers = [c.id for c in ledger if c.notebook[:2] not in lessons]
    assert not strangers, f"no such lesson: {strangers}"


def test_a_claim_that_is_a_timing_is_measured_in_a_cell_that_runs_alone():
    cells = [
        (path.name, cell)
        for path in source.sources(ROOT)
        for cell in source.read_source(path).cells
        if cell.cell_type == "code"
    ]
    timed = [c.id for c in report.claims_of(ROOT) if c.timing]
    assert timed
    for name in timed:
        found = [(p, source.tags(cell)) for p, cell in cells if f'claim("{name}"' in cell.source]
        bad = [p for p, tags in found if "timing" not in tags]
        assert not bad, f'{bad}: the cell that measures {name} needs tags=["timing"]'
