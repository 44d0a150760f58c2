"""How much a lesson does under each profile: data/sizes.csv, one number a row.

size = sizes.of("04", setup)   # in the set-up cell
size.test                      # the incidents tested: 100 under tiny, 8 under smoke
size.show()                    # the card: every number of this run, in both languages
"""

import csv
import keyword
import os
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from helpers.base import CourseError, root
from helpers.env import PROFILES, XIAOXI, Setup
from helpers.measure import minutes

TABLE = Path("data") / "sizes.csv"
SIZES = (
    "SIZES"  # of the environment: the column to take, whatever the profile ("smoke" for a trial)
)
COLUMNS = ("lesson", "name", "en", "zh", "smoke", "tiny", "small", "t4", "gpu")
RESERVED = ("show",)  # what a Sizes has beside its numbers
Value = int | float | list[int | float] | None


class Size(NamedTuple):
    """One row of the table: what is counted, in both languages, and its value by profile."""

    name: str
    en: str
    zh: str
    values: dict[str, Value]


class Sizes:
    """The numbers of one lesson's run, an attribute each; None means the whole.

    They may be changed before they are used: `size.epochs = 3`.
    """

    def __init__(self, rows: list[Size], profile: str, minutes: tuple[str, str]) -> None:
        self.__dict__ |= {row.name: row.values[profile] for row in rows}
        self.__dict__ |= {"_rows": rows, "_minutes": minutes}

    def __getattr__(self, name: str) -> Value:
        """Name the sizes that there are (only what is absent comes here); raises AttributeError."""
        if name.startswith("_"):  # what Python looks for in any object
            raise AttributeError(name)
        known = ", ".join(row.name for row in self._rows)
        raise AttributeError(
            f"this lesson has no size {name!r}: add a row to {TABLE.as_posix()}, or take one of "
            f"{known} ｜ 这一课没有名为 {name!r} 的规模：请在 {TABLE.as_posix()} 里加一行，或选用 "
            f"{known}"
        )

    def show(self) -> None:
        """Display the numbers that this run uses, as they stand now: one table, a number a row.

        Its last row says how long such a run took, and how much memory, where that was measured.
        """
        from IPython.display import display

        from helpers.show.tables import table

        header = ["this run's sizes ｜ 这次运行的规模", ""]
        rows = [[f"{row.en} ｜ {row.zh}", shown(getattr(self, row.name))] for row in self._rows]
        rows.append(["the whole lesson took ｜ 整课实测", " ｜ ".join(self._minutes)])
        display(table(header, rows))


def of(lesson: str, setup: Setup) -> Sizes:
    """Return the sizes of a lesson ("04") for a setup.

    The profile's column counts; under tiny a model other than Xiaoxi takes the column small.
    Raises CourseError for an unknown lesson and for a table that cannot be read.
    """
    lessons = read(root() / TABLE)
    if lesson not in lessons:
        known = ", ".join(lessons)
        raise CourseError(
            en=f"no sizes for lesson {lesson!r}: add its rows, or take one of {known}",
            zh=f"没有第 {lesson!r} 课的规模：请添加它的各行，或从 {known} 中选一个",
            where=TABLE.as_posix(),
        )
    return Sizes(lessons[lesson], column(setup), taken(lesson, setup))


def column(setup: Setup) -> str:
    """Return the column of the table that a setup takes its numbers from; SIZES may name another.

    Raises CourseError where SIZES names none.
    """
    asked = os.environ.get(SIZES)
    if asked and asked not in PROFILES:
        names = ", ".join(PROFILES)
        raise CourseError(
            en=f"{SIZES}={asked}: there is no such column; take one of {names}, or unset it",
            zh=f"{SIZES}={asked}：没有这一列；请从 {names} 中选一个，或取消这个环境变量",
            where=TABLE.as_posix(),
        )
    if asked:
        return asked
    if setup.smoke:
        return "smoke"
    other = setup.profile == "tiny" and not _same(setup.model, XIAOXI)
    return "small" if other else setup.profile


def taken(lesson: str, setup: Setup) -> tuple[str, str]:
    """Say in English and Chinese what a whole run took, as data/minutes.csv has it."""
    profile = column(setup)
    if profile == "smoke":
        return "not measured: a trial of a few steps", "未测：只走几步的试运行"
    if not _same(setup.model, PROFILES[profile]):
        return "not measured with this model", "换了模型，未测"
    measured = minutes.read(root()).get((lesson, profile))
    return measured.told() if measured else ("not measured yet", "尚未实测")


def shown(value: Value) -> str:
    """Return a size as people read it: "0.002", "1,000", "all ｜ 全部"."""
    if value is None:
        return "all ｜ 全部"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def read(path: Path) -> dict[str, list[Size]]:
    """Return the table of sizes: a lesson's number -> its rows, in the file's order.

    A value is a whole number, a decimal one, several parted by spaces (a list), or nothing (None:
    the whole). Raises CourseError with file and line at the first row that is not whole.
    """
    where = TABLE.as_posix()
    try:
        reader = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(), strict=True)
    except OSError as error:
        _bad(where, f"cannot be read ({error.strerror})", f"无法读取（{error.strerror}）")
    if tuple(reader.fieldnames or ()) != COLUMNS:
        names = ", ".join(COLUMNS)
        _bad(f"{where}:1", f"the header must be {names}", f"表头应为 {names}")
    lessons: dict[str, list[Size]] = {}
    for row in reader:
        place = f"{where}:{reader.line_num}"
        if None in row or None in row.values():  # how DictReader tells of cells too many, too few
            n = len(COLUMNS)
            _bad(place, f"there must be {n} cells in a row", f"每行应有 {n} 格")
        size = _size({name: cell.strip() for name, cell in row.items()}, place)
        rows = lessons.setdefault(row["lesson"].strip(), [])
        if size.name in [other.name for other in rows]:
            _bad(place, f"{size.name} stands twice in this lesson", f"这一课里 {size.name} 重复")
        rows.append(size)
    return lessons


def _size(cells: dict[str, str], place: str) -> Size:
    """Return one row as a size; raise CourseError if it is not whole."""
    name = cells["name"]
    if not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED or name[0] == "_":
        _bad(place, f"{name!r} can't be an attribute's name", f"{name!r} 不能作属性名")
    for needed in ("lesson", "en", "zh"):
        if not cells[needed]:
            _bad(place, f"{needed} is empty", f"{needed} 为空")
    values = {}
    for profile in PROFILES:
        try:
            values[profile] = _value(cells[profile])
        except ValueError:
            text = cells[profile]
            _bad(place, f"{profile}: {text!r} is no number", f"{profile}：{text!r} 不是数")
    return Size(name, cells["en"], cells["zh"], values)


def _same(model: str, other: str) -> bool:
    """Tell whether two names are those of one model: a hub id, or a folder in short or in full."""
    return (root() / model).resolve() == (root() / other).resolve()


def _value(text: str) -> Value:
    """Return the number, the list of numbers, or the None that a cell stands for."""
    numbers: list[Any] = [int(x) if x.isdecimal() else float(x) for x in text.split()]
    return numbers if len(numbers) > 1 else numbers[0] if numbers else None


def _bad(where: str, en: str, zh: str) -> NoReturn:
    """Refuse a row of the table."""
    raise CourseError(en=en, zh=zh, where=where)
