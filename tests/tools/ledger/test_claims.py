"""The ledger's command on the toy course."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.base import CourseError
from helpers.measure.claims import Claim
from tools.ledger import claims
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
above
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


def test_readme_gets_table():
    made = {"90": {"claims": {"toy_sum": 5.0}, "minutes": 1.26}}
    page = claims.readme(PAGE, [CLAIM], made)
    assert (
        "| two and three make five<br>二加三等于五 | 90 | ✅ 5 % | 4 % … 6 % | holds ｜ 成立 |"
        in page
    )
    assert page.startswith("above\n") and "stale" not in page and page.endswith("end\n")
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


NO_SEED = {"data_clean_minutes", "data_clean_memory"}  # one reading of data/sweeps/cleaning.json


def test_every_claim_was_measured_with_seeds_and_keeps_to_its_range():
    values = claims.known(claims.ROOT).values
    assert values, "data/claims_seeds.json is of another model or other data: make claims --seeds"
    for claim in report.claims_of(claims.ROOT):
        if claim.verdict == "not testable here":
            continue
        found = values.get(claim.id, {})
        assert len(found) >= (1 if claim.id in NO_SEED else 5), f"{claim.id}: {len(found)} seeds"
        outside = {seed: value for seed, value in found.items() if not claim.holds(value)}
        assert not outside, f"{claim.id}: {outside}, expected {claim.expected()[0]}"


def test_no_verdict_calls_a_difference_shown_whose_range_holds_zero():
    for claim in report.claims_of(claims.ROOT):
        low, high = claim.low, claim.high
        if claim.unit == "pp" and None not in (low, high) and low < 0 < high:
            assert claim.verdict != "holds in part", f"{claim.id}: {claim.expected()[0]}"


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """Return the folder of a course with the claim above and its value of seed 0."""
    monkeypatch.setattr(claims, "fingerprint", lambda: "f00d")
    monkeypatch.setattr(claims, "sources", lambda root, names=None: [Path("90_toy.py")])
    monkeypatch.setattr(claims, "lesson_code", lambda path: "now")
    monkeypatch.setattr(claims.report, "claims_of", lambda root, names=None: [CLAIM])
    (tmp_path / "data").mkdir()
    claims.keep(tmp_path, claims.Seeds({"toy_sum": {"0": 5.0}}, {"90_toy": {"0": "now"}}))
    return tmp_path


def other_clone(folder, base: str, code: str, seed: str, value: float) -> str:
    """Write what another clone measured; return the file's path."""
    told = {"base": base, "code": {"90_toy": {seed: code}}, "values": {"toy_sum": {seed: value}}}
    path = folder / f"{seed}.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    return str(path)


def test_values_of_two_clones_are_joined(clone, capsys):
    new = other_clone(clone, "f00d", "now", "1", 7.0)
    assert claims.main(["--merge", new, "--root", str(clone)]) == 1, "7 is out of range"
    assert claims.known(clone).values == {"toy_sum": {"0": 5.0, "1": 7.0}}
    assert "other code" not in capsys.readouterr().out
    stale = other_clone(clone, "beef", "now", "2", 5.0)
    claims.main(["--merge", stale, "--root", str(clone)])
    assert "2" not in claims.known(clone).values["toy_sum"]


@pytest.mark.parametrize("code", [{}, {"0": "then"}, {"0": "now"}])
def test_a_copy_in_another_clone_does_not_undo_what_was_measured_here(clone, code):
    told = {"base": "f00d", "code": {"90_toy": {"1": "now"} | code}}
    told |= {"values": {"toy_sum": {"0": 9.0, "1": 6.0}}}  # seed 0 as it was when it was copied
    (clone / "other.json").write_text(json.dumps(told), encoding="utf-8")
    assert claims.main(["--merge", str(clone / "other.json"), "--root", str(clone)]) == 0
    assert claims.known(clone).values == {"toy_sum": {"0": 5.0, "1": 6.0}}
    assert claims.known(clone).code == {"90_toy": {"0": "now", "1": "now"}}


def test_a_value_of_the_present_code_replaces_an_older_one(clone):
    claims.keep(clone, claims.Seeds({"toy_sum": {"0": 5.0}}, {"90_toy": {"0": "then"}}))
    new = other_clone(clone, "f00d", "now", "0", 4.5)
    assert claims.main(["--merge", new, "--root", str(clone)]) == 0
    assert claims.known(clone) == ({"toy_sum": {"0": 4.5}}, {"90_toy": {"0": "now"}})


def test_seeds_measured_with_other_code_are_told(clone, capsys):
    claims.main(["--merge", other_clone(clone, "f00d", "then", "3", 5.0), "--root", str(clone)])
    out = capsys.readouterr().out
    assert "90_toy: seeds 3 were measured with other code" in out and "种子 3 是用别的版本" in out


def test_each_seed_sees_its_own_recorded_runs_alone(clone, monkeypatch):
    seen = []

    def run_one(path, out, seed):
        seen.append((seed, os.environ.get(claims.ONE_SEED)))
        return SimpleNamespace(ok=True, claims=[{"id": "toy_sum", "value": 4.0 + seed}])

    monkeypatch.setattr(claims, "run_one", run_one)
    assert claims.try_seeds(clone, ["90"], [1, 2]) == 0
    assert seen == [(1, "1"), (2, "2")] and claims.ONE_SEED not in os.environ
    assert claims.known(clone) == (
        {"toy_sum": {"0": 5.0, "1": 5.0, "2": 6.0}},
        {"90_toy": {"0": "now", "1": "now", "2": "now"}},
    )


def test_the_readmes_picture_is_lesson_04s():
    shown = (claims.ROOT / "notebooks" / "img" / "result.png").read_bytes()
    assert shown == claims.picture(claims.ROOT), "another picture than 04's outputs: make claims"
