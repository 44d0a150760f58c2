"""The ledger's command on the toy course."""

import pytest

from helpers.env import CourseError
from tools import claims
from tools.nbkit import report

CLAIM = {
    "id": "toy_sum", "notebook": "90_toy", "statement_en": "two and three make five",
    "statement_zh": "二加三等于五", "source": "arithmetic", "unit": "%", "low": "4", "high": "6",
    "verdict": "holds",
}  # fmt: skip
PAGE = f"""\
| [90 Toy ｜ 玩具](notebooks/90_toy.ipynb) | add ｜ 相加 | — |
| 91 Later ｜ 以后 | more ｜ 更多 | coming |
{claims.START}
stale
{claims.END}
end
"""


@pytest.mark.parametrize(
    ("low", "high", "value", "good"),
    [("4", "6", 5, True), ("4", "6", 6.1, False), ("4", "6", 3.9, False), ("4", "6", 6, True),
     ("4", "", 99, True), ("4", "", 3, False), ("", "6", -1, True), ("", "6", 7, False)],
)  # fmt: skip
def test_range(low, high, value, good):
    assert report.in_range({"low": low, "high": high}, value) is good


def test_readme_gets_table_and_minutes():
    made = {"90": {"claims": {"toy_sum": 5.0}, "minutes": 1.26}}
    page = claims.readme(PAGE, [CLAIM], made)
    assert (
        "| two and three make five<br>二加三等于五 | 90 | ✅ 5 % | 4 – 6 % | holds ｜ 成立 |"
        in page
    )
    assert "(notebooks/90_toy.ipynb) | add ｜ 相加 | 1.3 |" in page
    assert "| coming |" in page and "stale" not in page and page.endswith("end\n")
    assert claims.readme(page, [CLAIM], made) == page
    assert "❌ 7 %" in claims.readme(
        PAGE, [CLAIM], {"90": {"claims": {"toy_sum": 7}, "minutes": 1}}
    )
    assert "| — | 4 – 6 %" in claims.readme(PAGE, [CLAIM], {})


def test_readme_without_markers_is_named():
    with pytest.raises(CourseError, match=r"README\.md: the markers .* ｜ 标记"):
        claims.readme("nothing", [CLAIM], {})


def test_ledger_is_printed_with_the_last_values(capsys):
    claims.print_ledger([CLAIM], {"toy_sum": 7.0})
    said = capsys.readouterr().out
    assert "❌ 90 toy_sum: 7 (4 – 6 %)" in said and "二加三等于五" in said
    claims.print_ledger([CLAIM], {})
    assert "⏳ 90 toy_sum: not measured yet ｜ 尚未测量" in capsys.readouterr().out
