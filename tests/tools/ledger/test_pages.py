"""What readers see of the ledger: print, README, the page of all claims, the picture."""

import pytest

from helpers.base import CourseError
from tools.ledger import pages, show
from tools.ledger.__main__ import ROOT, main
from tools.nbkit import path, report

README = f"""\
above
{pages.START}
stale
{pages.END}
between
{pages.CARRY_START}
stale table
{pages.CARRY_END}
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
def test_mark_and_bounds(claim, low, high, value, mark, bounds):
    claim = claim._replace(low=low, high=high)
    assert report.mark(claim, value) == mark
    assert report.bounds(claim) == bounds


def test_the_readme_gets_the_chosen_claims(claim, monkeypatch):
    monkeypatch.setattr(pages, "CHOSEN", ("gone", "toy_sum"))
    both = [claim._replace(id="other", en="not chosen"), claim]
    made = {"90": {"claims": {"toy_sum": 5.0}, "minutes": 1.26}}
    page = pages.readme(README, both, made)
    assert (
        "| two and three make five<br>二加三等于五 | 90 | 5 % | 4 % … 6 % "
        "| supported (integers)<br>支持（整数） |" in page
    )
    assert "not chosen" not in page
    assert page.startswith("above\n") and "stale" not in page and page.endswith("end\n")
    assert pages.readme(page, both, made) == page
    bad = {"90": {"claims": {"toy_sum": 7}, "minutes": 1}}
    assert "❌ 7 %" in pages.readme(README, both, bad)
    assert "| — | 4 % …" in pages.readme(README, both, {})


def test_the_readme_says_what_carries_over():
    page = pages.readme(README, report.claims_of(ROOT), {})
    assert "stale" not in page and "between" in page and page.endswith("end\n")
    assert all(page.count(f"| {c.en}<br>") for c in report.claims_of(ROOT) if c.id in pages.CARRIED)
    assert "SmolLM2-135M" in page


def test_a_readme_without_markers_is_named(claim):
    with pytest.raises(CourseError, match=r"README\.md: the markers .* ｜ 标记"):
        pages.readme("nothing", [claim], {})


def test_the_page_holds_every_claim_under_its_lesson(toy):
    claims = report.claims_of(toy.root)
    page = pages.all_claims(toy.root, claims, {"90": {"claims": {"toy_sum": 5.0}}})
    assert "## [90. A toy ｜ 玩具课](../notebooks/90_toy.ipynb)" in page
    assert page.count("two and three make five") == 1 and "| 5 | 4 … 6 | supported" in page


def test_the_command_writes_readme_and_page(toy, capsys):
    text = f"{path.START}\nstale\n{path.END}\n{README}"
    (toy.root / "README.md").write_text(text, encoding="utf-8")
    assert main(["--root", str(toy.root), "readme"]) == 0
    assert "stale" not in (toy.root / "README.md").read_text(encoding="utf-8")
    assert "toy_sum" not in (page := (toy.root / pages.PAGE).read_text(encoding="utf-8"))
    assert "two and three make five" in page


def test_the_chosen_are_eight_claims_of_the_course_and_of_several_verdicts():
    claims = {claim.id: claim for claim in report.claims_of(ROOT)}
    assert len(set(pages.CHOSEN)) == 8 and set(pages.CHOSEN) <= set(claims)
    assert len({claims[name].verdict for name in pages.CHOSEN}) >= 4


def test_the_ledger_is_printed_with_the_last_values(claim, capsys):
    show.print_ledger([claim], {"toy_sum": 7.0})
    said = capsys.readouterr().out
    assert "❌ 90 toy_sum: 7 % (4 % … 6 %)" in said and "二加三等于五" in said
    assert "arithmetic: supported (integers) ｜ 支持（整数）" in said
    show.print_ledger([claim], {})
    assert "⏳ 90 toy_sum: not measured yet ｜ 尚未测量" in capsys.readouterr().out


def test_claims_of_some_lessons(toy):
    assert [c.id for c in report.claims_of(toy.root)] == ["toy_sum"]
    assert [c.id for c in report.claims_of(toy.root, ["90"])] == ["toy_sum"]
    assert report.claims_of(toy.root, ["91_other"]) == []


def test_the_readmes_picture_is_lesson_04s():
    shown = (ROOT / "notebooks" / "img" / "result.png").read_bytes()
    assert shown == pages.picture(ROOT), "another picture than 04's outputs: make claims"
