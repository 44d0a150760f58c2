"""What a learner's answer looks like before it is right: untouched, silent, or broken."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from helpers.files import CourseError

SILENT = (
    "your function returned nothing: end it with `return …`",
    "你的函数没有返回值：请在末尾写上 `return …`",
)


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
