"""Which exercises have been passed, kept in build/progress.json between sessions."""

import json
from pathlib import Path

from helpers.files import CourseError, atomic_file, root, say
from helpers.kernel import attended

EXERCISES: dict[str, tuple[str, str]] = {}  # id -> title in English and Chinese
SESSION: set[str] = set()  # ids passed since this kernel started


def path() -> Path:
    """Return the file that keeps the progress."""
    return root() / "build" / "progress.json"


def passed() -> set[str]:
    """Return the ids passed so far: in this session and, where a person sits, in earlier ones."""
    return SESSION | (_kept() if attended() else set())


def remember(exercise_id: str) -> None:
    """Note that an exercise is passed; where a program runs the notebook, for this session alone.

    A folder that cannot be written costs a learner nothing but the memory of it.
    """
    SESSION.add(exercise_id)
    if not attended():
        return
    try:
        with atomic_file(path()) as new:
            new.write_text(json.dumps(sorted(_kept() | SESSION)), encoding="utf-8")
    except (OSError, CourseError) as error:
        say(f"(progress not saved: {error})", f"（进度未能保存：{error}）")


def progress(notebook: str = "") -> None:
    """Print what is passed, notebook by notebook, or of one notebook ("04")."""
    _load_all()
    done = passed()
    ids = sorted(name for name in EXERCISES if name.startswith(notebook))
    for number in sorted({name.split(".")[0] for name in ids}):
        marks = {name: name in done for name in ids if name.split(".")[0] == number}
        shown = " ".join(f"{'✅' if ok else '⏳'} {name}" for name, ok in marks.items())
        count = f"{sum(marks.values())}/{len(marks)}"
        say(f"{number}: {count} exercises passed", f"通过 {count} 道练习   {shown}")
    if not notebook:
        count = f"{len(done & set(ids))}/{len(ids)}"
        say(f"all: {count} exercises passed", f"合计：通过 {count} 道练习")


def _kept() -> set[str]:
    """Return the ids in the file; an unreadable file counts as empty, the next pass rewrites it."""
    try:
        names = json.loads(path().read_text(encoding="utf-8"))
        return {name for name in names if isinstance(name, str)}
    except (OSError, ValueError, TypeError):
        return set()


def _load_all() -> None:
    """Import every module of helpers.exercises, so that all exercises are known."""
    import importlib
    import pkgutil

    import helpers.exercises as package

    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"helpers.exercises.{module.name}")
