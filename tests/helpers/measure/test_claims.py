"""Values held against the ledger: ranges, verdicts, profiles, timings and records."""

import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.base import CourseError
from helpers.measure import claims
from helpers.measure import ledger as ledger_module
from helpers.measure.claims import claim, results, start, table
from helpers.measure.ledger import COLUMNS, ledger
from helpers.measure.stats import Interval, wilson

HEADER = ",".join(COLUMNS)
ROWS = """\
share,04_sft,Under 2 %,不到 2 %,a.txt,%,1,2,supported in part,on Xiaoxi ｜ 在小溪上,
facts,04_sft,"It teaches, they say, facts",能教会事实,b.txt,%,,15,contradicted,a count ｜ 计数,
gain,04_sft,Terms improve,术语有进步,b.txt,pp,80,,supported,here ｜ 此处,
big,04_sft,70 billion on one card,700 亿一张卡,c.txt,GB,,,not testable here,no card ｜ 没有显卡,
slow,04_sft,It is slow,很慢,c.txt,s,,2,not shown,here ｜ 此处,yes
first,00_start_here,The first,第一条,d.txt,,0,1,supported,here ｜ 此处,
"""


@pytest.fixture(autouse=True)
def own_house(monkeypatch, tmp_path):
    """Give each test its own ledger and its own build folder, without STRICT."""
    (tmp_path / "data").mkdir()
    write(tmp_path, f"{HEADER}\n{ROWS}")
    for module in (claims, ledger_module):
        monkeypatch.setattr(module, "root", lambda: tmp_path)
    monkeypatch.setattr(claims, "RUN", [])
    for name in ("STRICT", claims.NOT_ALONE):
        monkeypatch.delenv(name, raising=False)
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
        "▸ Under 2 % ｜ 不到 2 %",
        "  1.43 %, in the usual range (1 % to 2 %). Verdict: supported in part (on Xiaoxi)"
        " ｜ 1.43 %，在通常范围（1 % 至 2 %）内。结论：部分支持（在小溪上）",
    ]
    (row,) = records(own_house)
    assert row.pop("time").endswith("+00:00")
    assert row == {
        "id": "share", "value": 1.43, "n": None, "low": 1.0, "high": 2.0, "ok": True,
        "timing": False, "alone": True,
        "notebook": "04_sft", "profile": "tiny", "seed": 7,
    }  # fmt: skip


def test_a_value_out_of_range_warns_and_is_recorded_so(own_house, capsys):
    start("04_sft", "tiny")
    claim("facts", 15.001)
    out = capsys.readouterr().out
    assert (
        "⚠️ 15 %, outside the usual range (at most 15 %)" in out
        and "超出通常范围（至多 15 %）" in out
    )
    assert "contradicted" not in out and "不成立" not in out, "the verdict rests on other values"
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
    assert "  8 % [4, 14], n = 120, in the usual range" in out and "8 % [4, 14]，n = 120" in out
    assert "  +90 pp [84, 95], n = 120, in the usual range (at least 80 pp)" in out
    first, second = records(own_house)
    assert (first["value"], first["n"], first["ok"]) == (pytest.approx(7.5), 120, True)
    assert (second["value"], second["ok"]) == (pytest.approx(90), True)


def test_numbers_of_numpy_and_n_are_taken(own_house, capsys):
    start("04_sft", "tiny")
    claim("share", np.float32(1.5), n=1200)
    assert "1.5 %, n = 1,200, in" in capsys.readouterr().out
    assert records(own_house)[0]["n"] == 1200


@pytest.mark.parametrize("profile", ["smoke", "t4", "gpu"])
def test_other_profiles_record_without_a_verdict(own_house, capsys, monkeypatch, profile):
    monkeypatch.setenv("STRICT", "1")
    start("04_sft", profile)
    claim("facts", 99)
    out = capsys.readouterr().out
    assert f"  99 %, recorded only: the usual range is for the profile tiny, not {profile}" in out
    assert (records(own_house)[0]["ok"], records(own_house)[0]["profile"]) == (None, profile)


def test_a_claim_without_range_is_recorded_without_a_verdict(own_house, capsys):
    start("04_sft", "tiny")
    claim("big", 44.2)
    out = capsys.readouterr().out
    assert "recorded only: the ledger gives no range. Verdict: not testable here (no card)" in out
    assert "结论：此处无法检验（没有显卡）" in out
    assert records(own_house)[0]["ok"] is None


@pytest.mark.parametrize(("busy", "ok"), [("1", None), ("0", False), (None, False)])
def test_a_timing_is_not_judged_beside_other_work(own_house, capsys, monkeypatch, busy, ok):
    if busy is not None:
        monkeypatch.setenv("NOT_ALONE", busy)
    start("04_sft", "tiny")
    claim("slow", 9)
    out = capsys.readouterr().out
    assert ("other work runs beside this" in out and "单独运行才评判" in out) is (ok is None)
    row = records(own_house)[0]
    assert (row["ok"], row["timing"], row["alone"]) == (ok, True, ok is False)
    claim("share", 9)
    assert results("04_sft")["share"]["ok"] is False, "what is no timing is judged all the same"


def test_several_claims_make_one_table_and_are_recorded(own_house, capsys, monkeypatch):
    start("04_sft", "tiny")
    text = table({"share": 1.5, "facts": wilson(90, 120), "big": 3}).data
    assert capsys.readouterr().out == ""
    lines = text.splitlines()
    assert len(lines) == 5 and {line.count("|") for line in lines} == {5}
    assert "| 1.5 % | 1 % to 2 %<br>1 % 至 2 % | supported in part (on Xiaoxi)<br>" in lines[2]
    assert "⚠️ 75 % [67, 82], n = 120 |" in lines[3] and "does not cover this run" in lines[3]
    assert "contradicted" not in lines[3]
    assert "| 3 GB | recorded only: the ledger gives no range<br>" in lines[4]
    assert [(row["id"], row["ok"]) for row in records(own_house)] == [
        ("share", True), ("facts", False), ("big", None),
    ]  # fmt: skip
    monkeypatch.setenv("STRICT", "1")
    with pytest.raises(AssertionError, match="facts: 99 %, usual range at most 15 %"):
        table({"facts": 99, "share": 1.5})
    assert results("04_sft")["share"]["value"] == 1.5


def test_strict_raises_out_of_range_after_recording(own_house, monkeypatch):
    monkeypatch.setenv("STRICT", "1")
    start("04_sft", "tiny")
    claim("share", 1.5)
    with pytest.raises(AssertionError, match="share: 3 %, usual range 1 % to 2 %"):
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
        CourseError, match=r"claims.csv:7: claim first belongs to notebook 00_start"
    ):
        claim("first", 0.5)
    assert results("04_sft") == {}


@pytest.mark.parametrize(
    "value", [None, "many", math.nan, math.inf, [1, 2], Interval(1.5, 1, 2, 9, "pp"), wilson(1, 2)]
)
def test_what_is_no_number_in_the_ledgers_unit_is_refused(own_house, value):
    start("00_start_here", "tiny")  # its claim has no unit: neither a share nor pp
    with pytest.raises(CourseError, match=r"claims.csv:7: claim first: not a number.*不是以清单"):
        claim("first", value)
    assert results("00_start_here") == {}
