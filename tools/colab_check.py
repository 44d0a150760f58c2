"""Run every lesson on the versions of Colab's image, and on the oldest versions that work.

For each, an environment is made once under build/colab/. A copy of it gets the platform's mark, so
that the bootstrap cell installs on top, as it does there; the lessons run in a copy of the course.
Torch alone is the course's own version unless --torch names another: pip's settings decide whether
that is a CPU build (see README.md) or one of several GB.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.base import CourseError, root, say
from helpers.platforms import OLDEST, WANTED, installed
from tools.nbkit import source as src
from tools.nbkit.run import Run, run_one

# Colab's image of August 2026, but for torch: only the versions that a lesson can feel
COLAB = {
    "transformers": "5.15.0", "tokenizers": "0.22.2", "huggingface-hub": "1.27.0",
    "peft": "0.20.0", "accelerate": "1.14.0", "datasets": "4.0.0", "pyarrow": "18.1.0",
    "numpy": "2.1.3", "pandas": "2.2.3", "matplotlib": "3.10.0", "ipywidgets": "7.7.1",
    "ipykernel": "6.17.1", "torchao": "0.10.0",
}  # fmt: skip
ALSO = ("scipy", "safetensors", "psutil", "setuptools")  # images have these; any version will do
LEFT_OUT = {".git", ".venv", "build", "__pycache__", ".ipynb_checkpoints"}


class Image(NamedTuple):
    """What a platform ships: the variable that marks it, and its packages."""

    mark: str
    packages: dict[str, str]


def images(torch: str) -> dict[str, Image]:
    """Return the two images to try, both with this version of torch."""
    own = {name: version for name, version in OLDEST.items() if name not in WANTED}
    # pyarrow and torchao: as old as datasets takes, and as Colab has it
    oldest = {name: version for name, version in COLAB.items() if name != "pyarrow"} | own
    return {
        "colab": Image("COLAB_RELEASE_TAG", COLAB | {"torch": torch}),
        "oldest": Image("KAGGLE_KERNEL_RUN_TYPE", oldest | {"torch": torch}),
    }


def make_image(folder: Path, packages: dict[str, str]) -> Path:
    """Make an environment with exactly these packages, unless it is there; return its folder.

    Raises CourseError when pip cannot install them.
    """
    image, spec = folder / "image", folder / "image.json"
    wanted = {"python": sys.version.split()[0], "packages": packages, "also": list(ALSO)}
    if spec.is_file() and json.loads(spec.read_text(encoding="utf-8")) == wanted:
        return image
    say(
        f"▶ making the environment {folder.name}, a few minutes the first time",
        f"正在建立环境 {folder.name}，首次需要几分钟",
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", str(image)], check=True)
    exact = [f"{name}=={version}" for name, version in packages.items()]
    command = [python_of(image), "-m", "pip", "install", "--quiet", *exact, *ALSO]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, errors="replace")
    if done.returncode:
        raise CourseError(
            en=f"pip could not make this environment:\n{done.stderr.strip()[-1500:]}",
            zh="pip 无法建立这个环境，原因见上",
            where=str(image),
        )
    spec.write_text(json.dumps(wanted, indent=1) + "\n", encoding="utf-8")
    return image


def python_of(environment: Path) -> str:
    """Return the Python of a virtual environment."""
    inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
    return str(environment.joinpath(*inside))


def fresh_session(folder: Path) -> tuple[Path, Path]:
    """Copy the image and the course, as a new session on the platform has them; return both."""
    session, course = folder / "session", folder / "course"
    for old in (session, course):
        shutil.rmtree(old, ignore_errors=True)
    # hard links: pip replaces files, it never writes into them, so the image stays as it was
    shutil.copytree(folder / "image", session, symlinks=True, copy_function=os.link)
    shutil.copytree(root(), course, ignore=lambda _, names: LEFT_OUT & set(names))
    return session, course


def write_kernel(folder: Path, session: Path) -> Path:
    """Describe the session's Python as the kernel `python3`; return the folder for JUPYTER_PATH."""
    kernel = folder / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True, exist_ok=True)
    command = [python_of(session), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    text = json.dumps({"argv": command, "display_name": folder.name, "language": "python"})
    (kernel / "kernel.json").write_text(text, encoding="utf-8")
    return folder / "jupyter"


@contextlib.contextmanager
def platform(mark: str, jupyter: Path) -> Iterator[None]:
    """Let kernels that start inside the block find the platform's mark and the session's Python."""
    before = dict(os.environ)
    for name in ("PYTHONPATH", "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE"):
        os.environ.pop(name, None)
    os.environ |= {mark: "colab-check", "JUPYTER_PATH": str(jupyter)}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def versions_of(session: Path, names: list[str]) -> dict[str, str | None]:
    """Return what a session has of these packages, after the bootstrap."""
    code = (
        "import json, sys; from importlib import metadata as m\n"
        "def v(n):\n"
        "    try: return m.version(n)\n"
        "    except m.PackageNotFoundError: return None\n"
        "print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
    )
    command = [python_of(session), "-c", code, *names]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def check(name: str, image: Image, names: list[str], profile: str) -> bool:
    """Run lessons in one image, print a table, and tell whether all went well."""
    folder = root() / "build" / "colab" / name
    make_image(folder, image.packages)
    session, course = fresh_session(folder)
    runs = []
    with platform(image.mark, write_kernel(folder, session)):
        for path in src.sources(course, names):
            runs.append(run_one(path, folder / "notebooks", profile=profile))
    found = versions_of(session, [*image.packages, *WANTED])
    print_table(name, image, found, runs)
    return bool(runs) and all(run.ok and not run.bad_claims for run in runs)


def print_table(name: str, image: Image, found: dict[str, str | None], runs: list[Run]) -> None:
    """Print what ran on which versions: lesson, minutes, claims in range, error."""
    moved = [f"{n} {image.packages.get(n, '–')} → {v or '–'}" for n, v in found.items()
             if (v or "–").split("+")[0] != image.packages.get(n, "–")]  # fmt: skip
    here = f"{name}, Python {sys.version.split()[0]}, torch {found['torch']}"
    print(f"\n{here}; " + ", ".join(f"{n} {found[n]}" for n in ("transformers", "peft", "numpy")))
    say("moved by the bootstrap: " + ", ".join(moved), "引导单元格改动的软件包")
    print(f"{'lesson ｜ 课':24} {'min ｜ 分钟':>9} {'claims ｜ 论断':>12}  error ｜ 错误")
    for run in runs:
        judged = [claim for claim in run.claims if claim["ok"] is not None]
        share = f"{len(judged) - len(run.bad_claims)}/{len(judged)}"
        print(f"{'✅' if run.ok and not run.bad_claims else '❌'} {run.name:24}", end="")
        print(f"{run.minutes:9.1f} {share:>14}  {run.error}")
        for bad in run.bad_claims:
            print(f"    ❌ {bad['id']}: {bad['value']} ({bad['low']} … {bad['high']})")
    sys.stdout.flush()


def main(argv: list[str] | None = None) -> int:
    """Run the check; the exit status is 1 when a lesson fails or a claim is out of its range."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="lessons, all if none ｜ 课程号")
    parser.add_argument("--only", choices=["colab", "oldest"], help="one environment ｜ 只查一个")
    parser.add_argument("--profile", default="tiny", help="tiny or smoke ｜ 档位")
    parser.add_argument(
        "--torch", default=(installed("torch") or OLDEST["torch"]).split("+")[0],
        help="its version, the course's own if none ｜ torch 版本，默认与课程相同",
    )  # fmt: skip
    args = parser.parse_args(argv)
    good = True
    try:
        for name, image in images(args.torch).items():
            if args.only in (None, name):
                good &= check(name, image, args.names, args.profile)
    except CourseError as error:
        print(f"❌ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("❌ stopped", "已中断")
        return 130
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
