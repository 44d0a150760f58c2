"""Exercises that check themselves: ✅ passed, ⏳ not tried yet, ❌ with a hint for this slip.

A check is a generator that yields (ok, English hint, Chinese hint); the first failure ends it:

    @exercise("04.2", "The loss mask", "损失掩码")
    def loss_mask(mask):
        yield len(mask) == 5, "one number for each of the 5 tokens", "5 个词元，每个对应一个数"
        yield not any(mask[:2]), "the question is not trained on", "问题部分不参与训练"

The cell after the stub calls `nb04.loss_mask(mask)`; answers may be values or functions. For a
learner it never raises; STRICT=1 makes it raise AssertionError for anything but ✅.
"""

import functools
import inspect
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from helpers.base import CourseError, atomic_file, root, say
from helpers.env import attended

EXERCISES: dict[str, tuple[str, str]] = {}  # id -> title in English and Chinese
SESSION: set[str] = set()  # ids passed since this kernel started
SILENT = (
    "your function returned nothing: end it with `return …`",
    "你的函数没有返回值：请在末尾写上 `return …`",
)
Check = Callable[..., Iterator[tuple[Any, str, str]]]


class Result(NamedTuple):
    """What a check found: `ok` is True, False, or None for not tried yet; the hint tells why."""

    id: str
    ok: bool | None
    en: str
    zh: str

    def _ipython_display_(self) -> None:
        """Show nothing: the check has printed it already."""


def exercise(exercise_id: str, en: str, zh: str) -> Callable[[Check], Callable[..., Result]]:
    """Make a generator of (ok, hint_en, hint_zh) the check of an exercise ("04.2") with a title."""

    def decorate(check: Check) -> Callable[..., Result]:
        EXERCISES[exercise_id] = (en, zh)

        @functools.wraps(check)
        def run(*answers: Any) -> Result:
            result = Result(exercise_id, *_judge(check, answers))
            _tell(result, en, zh)
            if result.ok:
                remember(exercise_id)
            elif os.environ.get("STRICT") == "1":
                raise AssertionError(f"{exercise_id} {en}: {result.en} ｜ {result.zh}")
            return result

        return run

    return decorate


def near(answer: Any, expected: Any, tolerance: float = 1e-4) -> bool:
    """Tell whether numbers, lists, arrays or tensors agree in shape and, nearly, in value."""
    import numpy as np

    def plain(x: Any) -> np.ndarray:
        return np.asarray(x.detach().cpu() if hasattr(x, "detach") else x, dtype=float)

    try:
        a, b = plain(answer), plain(expected)
    except (TypeError, ValueError):
        return False
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance))


def _judge(check: Check, answers: tuple[Any, ...]) -> tuple[bool | None, str, str]:
    """Run a check; return ok and the hint in both languages. Whatever is raised becomes a hint."""
    watched = [Watched(answer) if inspect.isfunction(answer) else answer for answer in answers]
    try:
        if any(map(untouched, answers)):
            raise Untried
        for ok, en, zh in check(*watched):
            if not bool(ok):
                return False, *(SILENT if silent(watched) else (en, zh))
    except Untried:
        return None, "not tried yet: replace the `...` above", "还没有作答：请替换上面的 `...`"
    except (Exception, SystemExit) as error:
        if "ellipsis" in str(error).lower():  # a `...` is left inside the learner's function
            return None, "a `...` is left in your code", "你的代码里还留着 `...`"
        return False, *(SILENT if silent(watched) else explain(error, answers))
    return True, "", ""


def _tell(result: Result, en: str, zh: str) -> None:
    """Print a result: its mark and title, and the hint in both languages."""
    mark = {True: "✅", False: "❌", None: "⏳"}[result.ok]
    print(f"{mark} {result.id} {en} ｜ {zh}")
    if not result.ok:
        print(f"   {result.en} ｜ {result.zh}")


class Untried(Exception):
    """The answer still holds a `...`."""


class Watched:
    """A learner's function that notices a `...` as its result and remembers its last result."""

    def __init__(self, function: Callable) -> None:
        functools.update_wrapper(self, function)
        self.last: Any = "not called"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.last = self.__wrapped__(*args, **kwargs)
        if untouched(self.last) and self.last is not None:
            raise Untried
        return self.last


def untouched(answer: Any) -> bool:
    """Tell whether an answer is still the stub: None, `...`, a list with `...`, an empty def."""
    if inspect.isfunction(answer):
        return is_stub(answer)
    if isinstance(answer, dict):
        return any(value is ... for value in answer.values())
    if isinstance(answer, list | tuple):
        return any(value is ... for value in answer)
    return answer is None or answer is ...


def is_stub(function: Callable) -> bool:
    """Tell whether a function does nothing but return None or `...`."""
    import dis

    idle = {"RESUME", "NOP", "COPY_FREE_VARS", "RETURN_VALUE"}
    steps = [step for step in dis.get_instructions(function) if step.opname not in idle]
    return all("CONST" in step.opname and step.argval in (None, ...) for step in steps)


def explain(error: BaseException, answers: tuple[Any, ...]) -> tuple[str, str]:
    """Return what went wrong and on which line of the learner's own code, in both languages."""
    import traceback

    what = (error.en, error.zh) if isinstance(error, CourseError) else (repr(error),) * 2
    own = {answer.__code__.co_filename for answer in answers if inspect.isfunction(answer)}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in own]
    if frames:
        line = frames[-1].line or f"line {frames[-1].lineno}"
        return f"your code stopped at `{line}`: {what[0]}", f"你的代码停在 `{line}`：{what[1]}"
    return (
        f"this answer cannot be checked, is it the kind of value asked for? {what[0]}",
        f"无法检查这个答案，它的类型对吗？{what[1]}",
    )


def silent(answers: list[Any]) -> bool:
    """Tell whether one of the learner's functions returned nothing when last called."""
    return any(isinstance(answer, Watched) and answer.last is None for answer in answers)


def progress_path() -> Path:
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
        with atomic_file(progress_path()) as new:
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
        names = json.loads(progress_path().read_text(encoding="utf-8"))
        return {name for name in names if isinstance(name, str)}
    except (OSError, ValueError, TypeError):
        return set()


def _load_all() -> None:
    """Import every module of helpers.lessons, so that all exercises are known."""
    import importlib
    import pkgutil

    package = importlib.import_module("helpers.lessons")  # by name: nothing here stands on lessons
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"helpers.lessons.{module.name}")
