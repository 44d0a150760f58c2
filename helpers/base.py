"""Where things lie, how the course speaks and complains, and saving whole or not at all."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

FULL_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
# safetensors, tokenizers and torch turn the operating system's error into one of their own
FULL_DISK_WORDS = ("no space left", "disk quota", "file too large", "PytorchStreamWriter failed")


class CourseError(Exception):
    """An error that a learner can mend: what, where and how, in both languages."""

    def __init__(self, en: str, zh: str, where: str | None = None) -> None:
        super().__init__(en, zh, where)
        self.en, self.zh, self.where = en, zh, where

    def __str__(self) -> str:
        """Return `where: en ｜ zh`."""
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.en} ｜ {self.zh}"

    def _render_traceback_(self) -> list[str]:
        """Return what Jupyter shows: the message alone, no stack."""
        return [f"❌ {self}"]


def say(en: str, zh: str) -> None:
    """Print one line in both languages."""
    print(f"{en} ｜ {zh}")


def root() -> Path:
    """Return the folder of the repository."""
    return Path(__file__).resolve().parents[1]


def is_full_disk(error: BaseException) -> bool:
    """Tell whether an error means that the disk (or a quota) is full."""
    words = str(error).lower()
    return getattr(error, "errno", None) in FULL_DISK or any(
        word.lower() in words for word in FULL_DISK_WORDS
    )


def full_disk(path: Path) -> CourseError:
    """Return the error for a disk that filled up while `path` was being saved."""
    return CourseError(
        en="the disk is full; what was saved here before is untouched. Free some space, save again",
        zh="磁盘已满；此处原有的内容没有改动。请清理磁盘后重新保存",
        where=str(path),
    )


def recover(path: Path) -> None:
    """Put the old folder back if a save was killed between its two renames."""
    old = path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():
        os.replace(old, path)


@contextlib.contextmanager
def atomic_dir(path: str | Path) -> Iterator[Path]:
    """Yield an empty sibling folder that takes the place of `path` once the block has ended well.

    Any error or kill inside the block leaves the old folder whole. A kill between the two renames
    at the end leaves it under `.<name>.old`, from where `recover` puts it back.
    Raises CourseError when the disk is full.
    """
    path = Path(path)
    new, old = (path.with_name(f".{path.name}.{word}") for word in ("new", "old"))
    recover(path)
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        yield new
        shutil.rmtree(old, ignore_errors=True)
        if path.exists():
            os.replace(path, old)
        os.replace(new, path)
    except Exception as error:
        if is_full_disk(error):
            raise full_disk(path) from error
        raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        recover(path)
    shutil.rmtree(old, ignore_errors=True)


@contextlib.contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a sibling path to write to; it replaces `path` once the block has ended well.

    Raises CourseError when the disk is full; the old file is then whole.
    """
    path = Path(path)
    new = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield new
        os.replace(new, path)
    except Exception as error:
        if is_full_disk(error):
            raise full_disk(path) from error
        raise
    finally:
        new.unlink(missing_ok=True)
