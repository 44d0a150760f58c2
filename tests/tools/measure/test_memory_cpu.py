"""Peaks of real training on a CPU: recorded once, and a small one measured here."""

import sys

import pytest

from helpers.data.jsonl import read_jsonl
from helpers.model.memory import WORKSPACE, peak
from helpers.model.setting import MODELS, read
from tools.measure import memory_cpu


def test_every_setting_is_recorded():
    rows = read_jsonl(memory_cpu.FILE)
    assert [read(row) for row in rows] == [read(row) for row in memory_cpu.SETTINGS]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_small_model_takes_about_what_the_formula_says():
    row = {**memory_cpu.SMALL, "layers": 4, "method": "full_fp32", "batch": 2, "length": 128,
           "checkpointing": False}  # fmt: skip
    shape, setting = read(row)
    assert shape == MODELS["SmolLM2-135M"]._replace(layers=4)
    expected = peak(shape, setting).bytes - WORKSPACE
    assert memory_cpu.apart(row) == pytest.approx(expected, rel=0.06)


def test_a_failed_measurement_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(memory_cpu, "FILE", tmp_path / "none.jsonl")
    monkeypatch.setattr(memory_cpu, "SETTINGS", [{**memory_cpu.SMALL, "method": "magic"}])
    assert memory_cpu.main([]) == 1
    assert "magic" in capsys.readouterr().err
    assert not (tmp_path / "none.jsonl").exists()
