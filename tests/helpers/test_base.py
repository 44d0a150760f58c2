"""Saving whole or not at all: full disks, kills, leftovers."""

import errno
import os
import signal
import subprocess
import sys

import pytest

from helpers.base import CourseError, atomic_dir, atomic_file, is_full_disk, recover, root


def listing(folder):
    return sorted(path.name for path in folder.iterdir())


def old_save(folder):
    folder.mkdir()
    (folder / "weights").write_text("old")
    (folder / "extra").write_text("old")
    return folder


def test_a_good_save_replaces_the_whole_folder(tmp_path):
    target = old_save(tmp_path / "adapter")
    with atomic_dir(target) as new:
        assert new.parent == tmp_path
        (new / "weights").write_text("new")
        assert (target / "weights").read_text() == "old"
    assert listing(target) == ["weights"]
    assert (target / "weights").read_text() == "new"
    assert listing(tmp_path) == ["adapter"]


def test_a_first_save_makes_its_parents(tmp_path):
    with atomic_dir(tmp_path / "a" / "b") as new:
        (new / "weights").write_text("new")
    assert (tmp_path / "a" / "b" / "weights").read_text() == "new"


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt(), PermissionError("x")])
def test_an_interrupted_save_leaves_the_old_one(tmp_path, error):
    target = old_save(tmp_path / "adapter")
    with pytest.raises(type(error)), atomic_dir(target) as new:
        (new / "weights").write_text("half")
        raise error
    assert (target / "weights").read_text() == "old"
    assert listing(target) == ["extra", "weights"]
    assert listing(tmp_path) == ["adapter"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("I/O error: No space left on device (os error 28)"),  # safetensors, in Rust
        RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/3"),  # torch.save
    ],
)
def test_a_full_disk_is_said_so_and_leaves_the_old_one(tmp_path, error):
    target = old_save(tmp_path / "adapter")
    with pytest.raises(CourseError, match="disk is full") as caught, atomic_dir(target) as new:
        (new / "weights").write_text("half")
        raise error
    assert "磁盘已满" in caught.value.zh
    assert caught.value.where == str(target)
    assert caught.value.__cause__ is error
    assert (target / "weights").read_text() == "old"
    assert listing(tmp_path) == ["adapter"]


def test_other_errors_are_not_taken_for_a_full_disk():
    assert not is_full_disk(OSError(errno.EACCES, "Permission denied"))
    assert not is_full_disk(ValueError("spaceship"))


def test_a_full_disk_before_anything_was_written(tmp_path, monkeypatch):
    target = old_save(tmp_path / "adapter")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pathlib.Path.mkdir", full)
    with pytest.raises(CourseError, match="disk is full"), atomic_dir(target):
        pytest.fail("the block must not run")
    assert (target / "weights").read_text() == "old"


KILLED = """
import os, signal, sys
from pathlib import Path
from helpers import base as files
target, moment = Path(sys.argv[1]), sys.argv[2]
die = lambda: os.kill(os.getpid(), signal.SIGKILL)
replace, calls = os.replace, []
def counted(source, to):
    calls.append(source)
    if moment == f"before rename {len(calls)}": die()
    replace(source, to)
os.replace = counted
with files.atomic_dir(target) as new:
    (new / "weights").write_text("new")
    if moment == "writing": die()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL on Windows")
@pytest.mark.parametrize("moment", ["writing", "before rename 1", "before rename 2"])
def test_a_kill_at_any_moment_leaves_the_old_one_whole(tmp_path, moment):
    target = old_save(tmp_path / "adapter")
    command = [sys.executable, "-c", KILLED, str(target), moment]
    assert subprocess.run(command, cwd=root()).returncode == -signal.SIGKILL
    recover(target)
    assert listing(target) == ["extra", "weights"]
    assert (target / "weights").read_text() == "old"
    with atomic_dir(target) as new:  # what the kill left behind is in nobody's way
        (new / "weights").write_text("newer")
    assert listing(tmp_path) == ["adapter"]
    assert (target / "weights").read_text() == "newer"


def test_an_error_at_the_last_rename_puts_the_old_one_back(tmp_path, monkeypatch):
    target = old_save(tmp_path / "adapter")
    replace = os.replace

    def fail_on_new(source, to):
        if str(source).endswith(".new"):
            raise OSError(errno.EIO, "Input/output error")
        replace(source, to)

    monkeypatch.setattr(os, "replace", fail_on_new)
    with pytest.raises(OSError, match="Input/output"), atomic_dir(target) as new:
        (new / "weights").write_text("new")
    assert (target / "weights").read_text() == "old"


def test_atomic_file_replaces_or_leaves(tmp_path):
    target = tmp_path / "deep" / "rows.jsonl"
    with atomic_file(target) as new:
        new.write_text("1")
    with pytest.raises(CourseError, match="disk is full"), atomic_file(target) as new:
        new.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(ValueError), atomic_file(target) as new:
        raise ValueError
    assert target.read_text() == "1"
    assert listing(target.parent) == ["rows.jsonl"]
