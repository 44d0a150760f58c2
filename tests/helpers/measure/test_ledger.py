"""The ledger of claims: every cell is read, and every bad row is named with its line."""

import os

import pytest

from helpers.base import CourseError, root
from helpers.measure import ledger as ledger_module
from helpers.measure.ledger import COLUMNS, VERDICTS, Claim, ledger, shown

HEADER = ",".join(COLUMNS)
GOOD = "a,04,en,zh,src,%,1,2,supported,on Xiaoxi ｜ 在小溪上,"


@pytest.fixture(autouse=True)
def own_house(monkeypatch, tmp_path):
    """Give each test its own ledger."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(ledger_module, "root", lambda: tmp_path)
    return tmp_path


def write(folder, text: str | bytes) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (folder / "data" / "claims.csv").write_bytes(data)


def test_every_cell_is_read(own_house):
    text = 't,01,"So, it is said",据说,b.txt,ms,,15,not shown,"a ""b"", c ｜ 甲",yes'
    write(own_house, f"{HEADER}\n{GOOD}\n{text}\n")
    first, second = ledger().values()
    assert first == Claim(
        "a",
        "04",
        "en",
        "zh",
        "src",
        "%",
        1.0,
        2.0,
        "supported",
        ("on Xiaoxi", "在小溪上"),
        False,
        2,
    )
    assert second == Claim(
        "t", "01", "So, it is said", "据说", "b.txt", "ms", None, 15.0, "not shown",
        ('a "b", c', "甲"), True, 3,
    )  # fmt: skip
    assert first.concluded() == ("supported (on Xiaoxi)", "支持（在小溪上）")
    assert second.concluded() == ('not shown (a "b", c)', "未能证明（甲）")


def test_a_bom_blank_lines_and_crlf_are_accepted(own_house):
    write(own_house, b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\n{GOOD}\r\n".encode())
    assert list(ledger()) == ["a"]
    assert ledger()["a"].line == 3


@pytest.mark.parametrize(
    ("rows", "line", "message"),
    [
        ([GOOD, "b,04,en,zh,src,%,1,2,supported,x ｜ 甲"], 3, "there must be 11 cells in a row"),
        ([GOOD + ",more"], 2, "there must be 11 cells in a row ｜ 每行应有 11 格"),
        ([GOOD.replace(",zh,", ", ,")], 2, "statement_zh is empty ｜ statement_zh 为空"),
        ([GOOD[1:]], 2, "id is empty"),
        ([GOOD.replace("supported", "holds")], 2, "the verdict must be one of: supported, "),
        ([GOOD.replace("on Xiaoxi ｜ 在小溪上", "")], 2, "scope is empty"),
        ([GOOD.replace(" ｜ 在小溪上", "")], 2, "scope must be: English ｜ Chinese"),
        ([GOOD.replace("在小溪上", "")], 2, "scope must be: English ｜ Chinese"),
        ([GOOD + "no"], 2, "timing must be yes or empty ｜ timing 只能填 yes 或留空"),
        ([GOOD.replace("%,1", "%,one")], 2, "low 'one' is not a number ｜ low 'one' 不是数字"),
        ([GOOD.replace("%,1,2", "%,1,inf")], 2, "high 'inf' is not a number"),
        ([GOOD.replace("%,1,2", "%,3,2")], 2, "low 3 is above high 2 ｜ low 3 大于 high 2"),
        ([GOOD.replace("%,1,2", "%,,")], 2, "low or high must be given"),
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


def test_a_claim_that_nobody_can_test_needs_no_range(own_house):
    write(own_house, f"{HEADER}\n{GOOD.replace('supported', 'not testable here')}\n")
    assert ledger()["a"].bounded
    write(own_house, f"{HEADER}\n{GOOD.replace('1,2,supported', ',,not testable here')}\n")
    assert not ledger()["a"].bounded
    assert ledger()["a"].holds(3) is None


def test_a_wrong_header_a_missing_file_and_a_foreign_encoding_are_named(own_house):
    for text in ("", "id,notebook\n", HEADER.replace("id", "name") + f"\n{GOOD}\n"):
        write(own_house, text)
        with pytest.raises(CourseError, match=r"claims.csv:1: the header must be id, .*表头应为"):
            ledger()
    write(own_house, f"{HEADER}\n{GOOD}\n".encode() + "b,04,en,中文".encode("gbk"))
    with pytest.raises(CourseError, match=r"claims.csv:3: not UTF-8.*请另存为 UTF-8"):
        ledger()
    (own_house / "data" / "claims.csv").unlink()
    with pytest.raises(CourseError, match=r"claims.csv: cannot be read.*无法读取"):
        ledger()


def test_the_file_is_read_again_only_after_a_change(own_house, monkeypatch):
    write(own_house, f"{HEADER}\n{GOOD}\n")
    assert list(ledger()) == ["a"]
    ledger()["b"] = None
    assert list(ledger()) == ["a"], "what a caller does with the claims stays with the caller"
    with monkeypatch.context() as patched:
        patched.setattr(ledger_module.csv, "DictReader", None)
        assert list(ledger()) == ["a"], "read a second time"
    write(own_house, f"{HEADER}\n{GOOD.replace('a,', 'b,', 1)}\n")
    os.utime(own_house / "data" / "claims.csv", ns=(1, 1))
    assert list(ledger()) == ["b"]


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(1.4321, "%", "1.43 %"), (3210.4, "tokens/s", "3,210 tokens/s"), (0.05, "", "0.05")],
)
def test_numbers_are_shown_with_three_digits(value, unit, text):
    assert shown(value, unit) == text


def test_a_range_in_chinese_names_a_word_of_a_unit_once(own_house):
    write(own_house, f"{HEADER}\n{GOOD}\n")
    gain = ledger()["a"]._replace(unit="pp", low=-5, high=95)
    assert gain.usual() == ("-5 pp to 95 pp", "-5 至 95 个百分点")
    assert gain.in_chinese("+3 pp [-5, 11], n = 40") == "+3 个百分点 [-5, 11]，n = 40"


# --- the ledger of the course ---------------------------------------------------------------------


@pytest.fixture
def course() -> list[Claim]:
    return list(ledger(root() / "data" / "claims.csv").values())


def test_no_difference_is_called_shown_whose_range_holds_zero(course):
    for claim in course:
        low = -100 if claim.low is None else claim.low
        high = 100 if claim.high is None else claim.high
        if claim.unit == "pp" and low <= 0 <= high:
            assert not claim.verdict.startswith("supported"), f"{claim.id}: {claim.usual()[0]}"


def test_nothing_is_contradicted_by_the_tiny_model_alone(course):
    for claim in course:
        if claim.verdict == "contradicted":
            assert not claim.scope[0].startswith("on Xiaoxi"), f"{claim.id}: {claim.scope[0]}"


def test_seconds_are_timings(course):
    for claim in course:
        recorded = "recorded run" in " ".join((claim.en, *claim.scope))
        if claim.unit in ("s", "ms", "min") and not recorded:
            assert claim.timing, claim.id


def test_each_verdict_of_the_course_has_its_chinese_word(course):
    assert {claim.verdict for claim in course} == set(VERDICTS)
