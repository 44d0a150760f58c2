"""The ledger and the values held against it: ranges, profiles, records, and every bad row."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.base import CourseError, root
from helpers.measure import claims
from helpers.measure import claims as ledger_module
from helpers.measure.claims import COLUMNS, claim, ledger, results, shown, start
from helpers.measure.stats import Interval, wilson

HEADER = ",".join(COLUMNS)
ROWS = """\
share,04_sft,LoRA trains under 2 % of the weights,LoRA 训练的权重不到 2 %,a.txt,%,1,2,holds
facts,04_sft,"Fine-tuning teaches, it is said, facts",据说微调能教会事实,b.txt,%,,15,does not hold
gain,04_sft,Terms improve,术语有进步,b.txt,pp,80,,holds in part
big,04_sft,Seventy billion need one card,700 亿参数只需一张卡,c.txt,GB,,,not testable here
first,00_start_here,The first,第一条,d.txt,,0,1,holds
"""


@pytest.fixture(autouse=True)
def own_house(monkeypatch, tmp_path):
    """Give each test its own ledger and its own build folder, without STRICT."""
    (tmp_path / "data").mkdir()
    write(tmp_path, f"{HEADER}\n{ROWS}")
    for module in (claims, ledger_module):
        monkeypatch.setattr(module, "root", lambda: tmp_path)
    monkeypatch.setattr(claims, "RUN", [])
    monkeypatch.delenv("STRICT", raising=False)
    return tmp_path


def write(folder, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "data" / "claims.csv").write_bytes(data)


def records(folder) -> list[dict]:
    lines = (folder / "build" / "results" / "04_sft.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_a_value_in_range_is_shown_and_recorded(own_house, capsys):
    start("04_sft", "tiny", 7)
    claim("share", 1.43)
    assert capsys.readouterr().out.splitlines() == [
        "▸ LoRA trains under 2 % of the weights ｜ LoRA 训练的权重不到 2 %",
        "  measured 1.43 %, expected 1 % to 2 % ｜ 实测 1.43 %，预期 1 % 至 2 %",
        "  ✅ in range; the claim: holds ｜ 在预期范围内；此论断：成立",
    ]
    (row,) = records(own_house)
    assert row.pop("time").endswith("+00:00")
    assert row == {
        "id": "share", "value": 1.43, "n": None, "low": 1.0, "high": 2.0, "ok": True,
        "notebook": "04_sft", "profile": "tiny", "seed": 7,
    }  # fmt: skip


def test_a_value_out_of_range_warns_and_is_recorded_so(own_house, capsys):
    start("04_sft", "tiny")
    claim("facts", 15.001)
    out = capsys.readouterr().out
    assert "⚠️ out of range; the claim: does not hold ｜ 超出预期范围；此论断：不成立" in out
    assert "at most 15 %" in out and "至多 15 %" in out
    assert records(own_house)[0]["ok"] is False


@pytest.mark.parametrize(("value", "ok"), [(1, True), (2, True), (0.999, False), (2.001, False)])
def test_both_bounds_belong_to_the_range(own_house, value, ok):
    start("04_sft", "tiny")
    claim("share", value)
    assert records(own_house)[0]["ok"] is ok


@given(value=st.floats(-1e6, 1e6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_open_side_holds_everything_beyond(value):
    claim_at_most, claim_at_least = ledger()["facts"], ledger()["gain"]
    assert claim_at_most.holds(value) is (value <= 15)
    assert claim_at_least.holds(value) is (value >= 80)


def test_an_interval_comes_in_the_ledgers_unit_with_its_n(own_house, capsys):
    start("04_sft", "tiny")
    claim("facts", wilson(9, 120))
    claim("gain", Interval(0.9, 0.84, 0.95, 120, "points"))
    out = capsys.readouterr().out
    assert "measured 8 % [4, 14], n = 120" in out
    assert "measured +90 pp [84, 95], n = 120, expected at least 80 pp" in out
    first, second = records(own_house)
    assert (first["value"], first["n"], first["ok"]) == (pytest.approx(7.5), 120, True)
    assert (second["value"], second["ok"]) == (pytest.approx(90), True)


def test_numbers_of_numpy_and_n_are_taken(own_house, capsys):
    start("04_sft", "tiny")
    claim("share", np.float32(1.5), n=1200)
    assert "measured 1.5 %, n = 1,200" in capsys.readouterr().out
    assert records(own_house)[0]["n"] == 1200


@pytest.mark.parametrize("profile", ["smoke", "t4", "gpu"])
def test_other_profiles_record_without_a_verdict(own_house, capsys, monkeypatch, profile):
    monkeypatch.setenv("STRICT", "1")
    start("04_sft", profile)
    claim("facts", 99)
    assert f"the range is for the profile tiny, not {profile}" in capsys.readouterr().out
    assert (records(own_house)[0]["ok"], records(own_house)[0]["profile"]) == (None, profile)


def test_a_range_in_chinese_names_a_word_of_a_unit_once():
    gain = ledger()["gain"]._replace(low=-5, high=95)
    assert gain.expected() == ("-5 pp to 95 pp", " -5 至 95 个百分点")
    assert gain.in_chinese("+3 pp [-5, 11], n = 40") == "+3 个百分点 [-5, 11]，n = 40"


def test_a_claim_without_range_is_recorded_without_a_verdict(own_house, capsys):
    start("04_sft", "tiny")
    claim("big", 44.2)
    assert "recorded; the claim: not testable here ｜ 已记录" in capsys.readouterr().out
    assert records(own_house)[0]["ok"] is None


def test_strict_raises_out_of_range_after_recording(own_house, monkeypatch):
    monkeypatch.setenv("STRICT", "1")
    start("04_sft", "tiny")
    claim("share", 1.5)
    with pytest.raises(AssertionError, match="share: 3 %, expected 1 % to 2 %"):
        claim("share", 3)
    assert records(own_house)[0]["ok"] is False


def test_the_newest_value_of_a_run_counts_and_a_new_run_starts_afresh(own_house):
    start("04_sft", "tiny", 0)
    claim("share", 1.1)
    claim("facts", 5)
    claim("share", 1.9)
    assert [(row["id"], row["value"]) for row in records(own_house)] == [
        ("share", 1.9),
        ("facts", 5.0),
    ]
    start("00_start_here", "tiny", 0)
    claim("first", 0.5)
    assert set(results("04_sft")) == {"share", "facts"}  # another notebook's run is left alone
    start("04_sft", "tiny", 1)
    assert results("04_sft") == {}
    claim("facts", 6)
    assert results("04_sft")["facts"]["seed"] == 1


def test_a_claim_before_start_is_refused():
    with pytest.raises(CourseError, match=r"run claims.start.* ｜ .*请先运行"):
        claim("share", 1.5)


def test_start_wants_a_resolved_profile(own_house):
    with pytest.raises(CourseError, match=r"unknown profile 'auto'.*未知的档位"):
        start("04_sft", "auto")


def test_an_unknown_claim_and_one_of_another_notebook_are_refused(own_house):
    start("04_sft", "tiny")
    with pytest.raises(CourseError, match=r"data/claims.csv: no claim 'shaer'.*没有编号为"):
        claim("shaer", 1.5)
    with pytest.raises(
        CourseError, match=r"claims.csv:6: claim first belongs to notebook 00_start"
    ):
        claim("first", 0.5)
    assert results("04_sft") == {}


@pytest.mark.parametrize(
    "value", [None, "many", math.nan, math.inf, [1, 2], Interval(1.5, 1, 2, 9, "pp"), wilson(1, 2)]
)
def test_what_is_no_number_in_the_ledgers_unit_is_refused(own_house, value):
    start("00_start_here", "tiny")  # its claim has no unit: neither a share nor pp
    with pytest.raises(CourseError, match=r"claims.csv:6: claim first: not a number.*不是以清单"):
        claim("first", value)
    assert results("00_start_here") == {}


def test_the_ledger_reads_every_cell():
    entry = ledger()["facts"]
    assert entry.en == "Fine-tuning teaches, it is said, facts"
    assert (entry.low, entry.high, entry.unit, entry.line) == (None, 15.0, "%", 3)
    assert list(ledger()) == ["share", "facts", "gain", "big", "first"]


def test_a_bom_and_blank_lines_are_accepted(own_house):
    write(own_house, b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\n{ROWS}".encode())
    assert len(ledger()) == 5


GOOD = "a,04,en,zh,src,%,1,2,holds"


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ([GOOD, "b,04,en,zh,src,%,1,2"], 3, "8 cells, not 9 ｜ 有 8 格，应为 9 格"),
        (["b,04,en, ,src,%,1,2,holds"], 2, "statement_zh is empty ｜ statement_zh 为空"),
        ([",04,en,zh,src,%,1,2,holds"], 2, "id is empty"),
        (["b,04,en,zh,src,%,1,2,maybe"], 2, "the verdict must be one of: holds"),
        (["b,04,en,zh,src,%,one,2,holds"], 2, "low 'one' is not a number ｜ low 'one' 不是数字"),
        (["b,04,en,zh,src,%,1,inf,holds"], 2, "high 'inf' is not a number"),
        (["b,04,en,zh,src,%,3,2,holds"], 2, "low 3 is above high 2 ｜ low 3 大于 high 2"),
        (["b,04,en,zh,src,%,,,holds"], 2, "low or high must be given"),
        ([GOOD, GOOD], 3, "id a stands twice ｜ 编号 a 重复"),
        ([GOOD, 'b,04,"en,zh,src'], 3, "no CSV: "),
    ],
)
def test_a_bad_row_is_named_with_its_line_in_both_languages(own_house, rows, line, message):
    write(own_house, "\n".join([HEADER, *rows]) + "\n")
    with pytest.raises(CourseError) as caught:
        ledger()
    assert str(caught.value).startswith(f"data/claims.csv:{line}: {message}")
    assert " ｜ " in str(caught.value)


def test_a_wrong_header_a_missing_file_and_a_foreign_encoding_are_named(own_house):
    write(own_house, "id,notebook\n")
    with pytest.raises(CourseError, match=r"claims.csv:1: the header must be id, .*表头应为"):
        ledger()
    write(own_house, f"{HEADER}\n{GOOD}\n".encode() + "b,04,en,中文".encode("gbk"))
    with pytest.raises(CourseError, match=r"claims.csv:3: not UTF-8.*请另存为 UTF-8"):
        ledger()
    (own_house / "data" / "claims.csv").unlink()
    with pytest.raises(CourseError, match=r"claims.csv: cannot be read.*无法读取"):
        ledger()


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.4321, "%", "1.43 %"), (3210.4, "tokens/s", "3,210 tokens/s"), (0.05, "", "0.05")],
)
def test_numbers_are_shown_with_three_digits(value, unit, text):
    assert shown(value, unit) == text


def test_the_ledger_of_the_course_is_whole(monkeypatch):
    monkeypatch.undo()
    for entry in ledger(root() / "data" / "claims.csv").values():
        assert entry.notebook[:2].isdigit()
