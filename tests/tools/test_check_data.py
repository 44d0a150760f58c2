"""The terminal's entry: a report for people, or one JSON object; never a stack trace."""

import json
import subprocess
import sys

import pytest

from helpers.base import root
from tools import check_data

CASES = root() / "tests" / "helpers" / "data" / "cases"
KEYS = {"kept", "left_out", "notices", "error"}


def told(capsys, *arguments):
    """Return the exit status and the one JSON object of a run."""
    status = check_data.main([*map(str, arguments), "--json"])
    return status, json.loads(capsys.readouterr().out)


def bilingual(text):
    en, _, zh = text.partition(" ｜ ")
    return en.isascii() or "“" in en, any("\u4e00" <= c <= "\u9fff" for c in zh)


@pytest.mark.parametrize("path", sorted(CASES.iterdir()), ids=lambda path: path.name)
def test_every_case_gives_one_json_object(capsys, path):
    status, found = told(capsys, path)
    assert found.keys() == KEYS
    assert status == int(found["kept"] == 0) and (found["error"] is None) == bool(found["kept"])
    words = [*found["notices"], *filter(None, [found["error"]])]
    words += [problem[key] for problem in found["left_out"] for key in ("reason", "mend")]
    assert all(bilingual(text)[1] for text in words)
    assert all({"line", "row"} & problem.keys() for problem in found["left_out"])


def test_rows_on_one_line_are_told_apart(capsys):
    _, found = told(capsys, CASES / "oneline_array_bad_rows.json")
    assert [(p["line"], p["row"]) for p in found["left_out"]] == [(1, 2), (1, 4)]
    assert found["left_out"][0]["reason"].startswith("message 2 is an empty answer ｜ ")


def test_more_bad_rows_than_a_report_shows(capsys, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"text": 1}\n' * 50)
    status, found = told(capsys, tmp_path / "a.jsonl")
    assert (status, len(found["left_out"])) == (1, 50)


@pytest.mark.parametrize("name", ["no.jsonl", "."])
def test_what_is_no_file(capsys, tmp_path, name):
    status, found = told(capsys, tmp_path / name)
    assert (status, found["kept"], found["left_out"]) == (1, 0, [])
    assert bilingual(found["error"])[1]


def test_a_report_for_people(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("helpers.data.check.root", lambda: tmp_path)
    assert check_data.main([str(CASES / "kto_false.jsonl")]) == 0
    assert "✅ 1 rows kept ｜ 保留 1 行" in capsys.readouterr().out
    assert (tmp_path / "build" / "own" / "kto_false" / "rows.jsonl").is_file()
    assert check_data.main([str(CASES / "html.jsonl")]) == 1
    assert "a web page" in capsys.readouterr().out


def test_from_a_terminal_that_is_not_utf8(tmp_path):
    run = subprocess.run(
        [sys.executable, root() / "tools" / "check_data.py", CASES / "weights.jsonl", "--json"],
        cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"}, capture_output=True,
    )  # fmt: skip
    assert run.returncode == 0 and run.stderr == b""
    assert json.loads(run.stdout)["kept"] == 1
