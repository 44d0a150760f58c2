"""The losses of a real model in several formats: what is read, and that a text stays the same."""

import json

import pytest

from helpers.base import CourseError
from helpers.data.jsonl import read_jsonl
from helpers.lessons.levels import FORMATS
from tests.toys import random_qwen2, toy_tokenizer
from tools.measure import formats


def test_every_setting_is_recorded_on_one_text():
    rows = read_jsonl(formats.FILE)
    assert [(row["format"], row["block"]) for row in rows] == formats.SETTINGS
    assert len({row["text"] for row in rows}) == 1
    for row in rows:
        assert len(row["losses"]) == row["pieces"] == formats.PIECES
        assert row["loss"] == pytest.approx(sum(row["losses"]) / formats.PIECES, abs=1e-4)
    assert {row["format"] for row in rows} == {"float32", *FORMATS}


def test_prose_has_sentences_and_neither_tables_nor_addresses():
    text = formats.prose()
    assert len(text.split()) > 5000
    assert "|" not in text and "](http" not in text and "```" not in text


def test_rounding_is_measured_on_a_model(monkeypatch, tmp_path):
    tokenizer = toy_tokenizer()
    monkeypatch.setattr(
        "helpers.model.load.load", lambda setup: (random_qwen2(tokenizer), tokenizer)
    )
    monkeypatch.setattr(formats, "FILE", tmp_path / "formats.jsonl")
    monkeypatch.setattr(formats, "root", lambda: tmp_path)
    monkeypatch.setattr(formats, "prose", lambda: "Write the notice. " * 1500)
    monkeypatch.setattr(formats, "SETTINGS", [("float32", 0), ("nf4", 64), ("int8", 64)])
    assert formats.main([]) == 0
    exact, nf4, int8 = read_jsonl(formats.FILE)
    assert exact["error"] == 0
    assert 0 < int8["error"] < 0.02 < nf4["error"] < 0.2
    assert exact["losses"] != nf4["losses"]
    assert formats.main([]) == 0  # all known: nothing is added
    assert len(read_jsonl(formats.FILE)) == 3


def test_another_text_is_refused(monkeypatch, tmp_path, capsys):
    tokenizer = toy_tokenizer()
    monkeypatch.setattr(
        "helpers.model.load.load", lambda setup: (random_qwen2(tokenizer), tokenizer)
    )
    file = tmp_path / "formats.jsonl"
    file.write_text(json.dumps({"format": "float32", "block": 0, "text": "00000000"}) + "\n")
    monkeypatch.setattr(formats, "FILE", file)
    monkeypatch.setattr(formats, "root", lambda: tmp_path)
    monkeypatch.setattr(formats, "prose", lambda: "Write the notice. " * 1500)
    assert formats.main([]) == 1
    assert "measure anew" in capsys.readouterr().err
    assert len(read_jsonl(file)) == 1
    with pytest.raises(CourseError):
        formats.measure("nf4", 64, [{"text": "00000000"}])
