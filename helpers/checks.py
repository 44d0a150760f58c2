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
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from helpers.answers import SILENT, Untried, Watched, explain, silent, untouched
from helpers.progress import EXERCISES, progress, remember

__all__ = ["Result", "exercise", "near", "progress"]

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
