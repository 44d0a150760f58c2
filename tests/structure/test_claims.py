"""The ledger's command on the toy course."""

import pytest

from helpers.env import CourseError
from helpers.ledger import Claim
from tools import claims
from tools.nbkit import report

CLAIM = Claim(
    "toy_sum",
    "90_toy",
    "two and three make five",
    "二加三等于五",
    "arithmetic",
    "%",
    4,
    6,
    "holds",
    2,
)
PAGE = f"""\
| [90 Toy ｜ 玩具](notebooks/90_toy.ipynb) | add ｜ 相加 | — |
| 91 Later ｜ 以后 | more ｜ 更多 | coming |
{claims.START}
stale
{claims.END}
end
"""


@pytest.mark.parametrize(
    ("low", "high", "value", "mark", "bounds"),
    [
        (4, 6, 5, "✅", "4 % … 6 %"),
        (4, 6, 6.1, "❌", "4 % … 6 %"),
        (4, None, 3.9, "❌", "≥ 4 %"),
        (None, 6, -1, "✅", "≤ 6 %"),
        (None, None, 5, "▫️", "—"),
        (4, 6, None, "⏳", "4 % … 6 %"),
    ],
)
def test_mark_and_bounds(low, high, value, mark, bounds):
    claim = CLAIM._replace(low=low, high=high)
    assert report.mark(claim, value) == mark
    assert report.bounds(claim) == bounds


def test_readme_gets_table_and_minutes():
    made = {"90": {"claims": {"toy_sum": 5.0}, "minutes": 1.26}}
    page = claims.readme(PAGE, [CLAIM], made)
    assert (
        "| two and three make five<br>二加三等于五 | 90 | ✅ 5 % | 4 % … 6 % | holds ｜ 成立 |"
        in page
    )
    assert "(notebooks/90_toy.ipynb) | add ｜ 相加 | 1.3 |" in page
    assert "| coming |" in page and "stale" not in page and page.endswith("end\n")
    assert claims.readme(page, [CLAIM], made) == page
    assert "❌ 7 %" in claims.readme(
        PAGE, [CLAIM], {"90": {"claims": {"toy_sum": 7}, "minutes": 1}}
    )
    assert "| — | 4 % …" in claims.readme(PAGE, [CLAIM], {})


def test_readme_without_markers_is_named():
    with pytest.raises(CourseError, match=r"README\.md: the markers .* ｜ 标记"):
        claims.readme("nothing", [CLAIM], {})


def test_ledger_is_printed_with_the_last_values(capsys):
    claims.print_ledger([CLAIM], {"toy_sum": 7.0})
    said = capsys.readouterr().out
    assert "❌ 90 toy_sum: 7 % (4 % … 6 %)" in said and "二加三等于五" in said
    claims.print_ledger([CLAIM], {})
    assert "⏳ 90 toy_sum: not measured yet ｜ 尚未测量" in capsys.readouterr().out


def test_claims_of_some_lessons(toy):
    assert [c.id for c in report.claims_of(toy.root)] == ["toy_sum"]
    assert [c.id for c in report.claims_of(toy.root, ["90"])] == ["toy_sum"]
    assert report.claims_of(toy.root, ["91_other"]) == []


# --- the ledger of the course and what its claims gave with several random seeds -----------------


def test_every_claim_was_measured_with_seeds_and_keeps_to_its_range():
    values = claims.known(claims.ROOT)
    assert values, "data/claims_seeds.json is of another model or other data: make claims --seeds"
    for claim in report.claims_of(claims.ROOT):
        if claim.verdict == "not testable here":
            continue
        found = values.get(claim.id, {})
        assert len(found) >= 5, f"{claim.id}: {len(found)} seeds"
        outside = {seed: value for seed, value in found.items() if not claim.holds(value)}
        assert not outside, f"{claim.id}: {outside}, expected {claim.expected()[0]}"


def test_values_of_two_clones_are_joined(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "fingerprint", lambda: "f00d")
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(claims.report, "claims_of", lambda root, names=None: [CLAIM])
    claims.keep(tmp_path, "f00d", {"toy_sum": {"0": 5.0}})
    other = tmp_path / "other.json"
    other.write_text('{"base": "f00d", "values": {"toy_sum": {"1": 7.0}}}', encoding="utf-8")
    assert claims.main(["--merge", str(other), "--root", str(tmp_path)]) == 1, "7 is out of range"
    assert claims.known(tmp_path) == {"toy_sum": {"0": 5.0, "1": 7.0}}
    stale = tmp_path / "stale.json"
    stale.write_text('{"base": "beef", "values": {"toy_sum": {"2": 5.0}}}', encoding="utf-8")
    claims.main(["--merge", str(stale), "--root", str(tmp_path)])
    assert "2" not in claims.known(tmp_path)["toy_sum"]


def test_the_readmes_picture_is_lesson_04s():
    shown = (claims.ROOT / "notebooks" / "img" / "result.png").read_bytes()
    assert shown == claims.picture(claims.ROOT), "another picture than 04's outputs: make claims"
