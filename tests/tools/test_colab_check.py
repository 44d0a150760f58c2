"""The check on other versions: exact images, made once; fresh sessions; an honest exit status."""

import os
import subprocess

import pytest

from helpers import platforms
from helpers.base import CourseError, root
from tools import colab_check
from tools.nbkit.run import Run

CLAIM = {"id": "x", "value": 1.0, "low": 0.0, "high": 2.0, "ok": True}


def test_the_oldest_image_has_exactly_the_oldest_versions_beside_colabs():
    images = colab_check.images("2.13.0")
    colab, oldest = images["colab"].packages, images["oldest"].packages
    for name, version in platforms.OLDEST.items():
        if name in platforms.WANTED:  # the bootstrap brings it
            assert name not in oldest
        elif name != "torch":
            assert oldest[name] == version
    same = set(oldest) - set(platforms.OLDEST)
    assert {name: oldest[name] for name in same} == {name: colab[name] for name in same}
    assert colab["torch"] == oldest["torch"] == "2.13.0"
    assert not set(platforms.WANTED) & set(colab)
    marks = {platforms.platform_name: images["colab"].mark}
    assert set(marks.values()) | {images["oldest"].mark} == {
        "COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE",
    }  # fmt: skip


@pytest.fixture
def commands(monkeypatch):
    """Record the commands that would make an environment; the package `broken` lets pip fail."""
    ran = []

    def run(command, **_):
        ran.append(command)
        code = int("install" in command and "broken==1" in command)
        return subprocess.CompletedProcess(command, code, "", "ERROR: no such version")

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_an_image_is_made_once_and_again_when_a_version_changes(commands, tmp_path):
    folder = tmp_path / "image"
    image = colab_check.make_image(folder, {"peft": "0.19.1"})
    assert len(commands) == 2 and "peft==0.19.1" in commands[1]
    assert commands[1][0] == colab_check.python_of(image)
    colab_check.make_image(folder, {"peft": "0.19.1"})
    assert len(commands) == 2
    colab_check.make_image(folder, {"peft": "0.20.0"})
    assert len(commands) == 4
    for _ in range(2):  # half an image is no image
        with pytest.raises(CourseError, match="no such version"):
            colab_check.make_image(folder, {"broken": "1"})


def test_a_session_is_a_copy_and_its_kernel_is_its_own_python(tmp_path, monkeypatch):
    from jupyter_client.kernelspec import KernelSpecManager

    course = tmp_path / "here"
    for path in ("helpers/a.py", "build/results/old.jsonl", ".git/config"):
        (course / path).parent.mkdir(parents=True, exist_ok=True)
        (course / path).write_text("x")
    monkeypatch.setattr(colab_check, "root", lambda: course)
    folder = tmp_path / "colab"
    (folder / "image").mkdir(parents=True)
    (folder / "image" / "module.py").write_text("of the image")
    session, copy = colab_check.fresh_session(folder)
    files = sorted(p.relative_to(copy).as_posix() for p in copy.rglob("*") if p.is_file())
    assert files == ["helpers/a.py"]  # nothing of an earlier run
    (session / "module.py").unlink()  # as pip replaces it
    (session / "module.py").write_text("moved by the bootstrap")
    assert (folder / "image" / "module.py").read_text() == "of the image"
    before = dict(os.environ)
    monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "left over")
    with colab_check.platform("COLAB_RELEASE_TAG", colab_check.write_kernel(folder, session)):
        assert platforms.platform_name() == "colab"
        assert "KAGGLE_KERNEL_RUN_TYPE" not in os.environ
        spec = KernelSpecManager().get_kernel_spec("python3")
        assert spec.argv[0] == colab_check.python_of(session)
    monkeypatch.undo()
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    ("error", "claims", "status"),
    [("", [CLAIM], 0), ("", [CLAIM | {"ok": False}], 1), ("cell 3: died", [CLAIM], 1),
     ("", [CLAIM | {"ok": None}], 0)],
)  # fmt: skip
def test_the_exit_status_and_the_table_tell_what_went_wrong(
    monkeypatch, capsys, tmp_path, error, claims, status
):
    def run(path, out, *, profile):
        assert os.environ["COLAB_RELEASE_TAG"] and profile == "smoke"
        return Run(path.stem, profile, False, not error, 1.5, 1.0, 9, [], error, claims, path)

    monkeypatch.setattr(colab_check, "make_image", lambda *_: tmp_path)
    monkeypatch.setattr(colab_check, "fresh_session", lambda _: (tmp_path, root()))
    monkeypatch.setattr(colab_check, "write_kernel", lambda *_: tmp_path)
    monkeypatch.setattr(colab_check, "versions_of", lambda _, names: dict.fromkeys(names, "1.0"))
    monkeypatch.setattr(colab_check, "run_one", run)
    assert colab_check.main(["--only", "colab", "--profile", "smoke", "00"]) == status
    out = capsys.readouterr().out
    judged = [c for c in claims if c["ok"] is not None]
    row = next(line for line in out.splitlines() if "00_start_here" in line)
    assert row.startswith("❌" if status else "✅")
    assert f"{sum(c['ok'] for c in judged)}/{len(judged)}" in row
    assert error in row
    assert ("❌ x: 1.0 (0.0 … 2.0)" in out) == (claims[0]["ok"] is False)
