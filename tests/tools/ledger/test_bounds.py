"""Usual ranges by one rule: its numbers by hand, its floors, its exceptions, and the writing."""

import csv
import statistics

import pytest

from helpers.base import root
from helpers.measure.ledger import COLUMNS, ledger
from tools.ledger import bounds, seeds
from tools.ledger.__main__ import main

FIVE = [50.0, 52.0, 48.0, 51.0, 49.0]  # mean 50, standard deviation 1.5811


def proposed(claim, values, n=None, **changes):
    """Return low and high that the rule gives."""
    new = bounds.propose(claim._replace(**changes), values, n)
    return new and (new.low, new.high)


def test_the_rule_is_the_prediction_interval_of_one_further_run(claim):
    # t(0.975, 4) = 2.7764; 2.7764 · 1.5811 · √1.2 = 4.809
    assert proposed(claim, FIVE) == (45.1, 54.9)
    assert statistics.stdev(FIVE) == pytest.approx(1.5811, abs=1e-4)
    assert proposed(claim, FIVE, low=None) == (None, 54.9)
    assert proposed(claim, FIVE, high=None) == (45.1, None)


def test_bounds_are_rounded_outward_and_hold_every_value(claim):
    for values in (FIVE, [3.0, 3.1, 3.2, 3.3, 9.0], [0.011, 0.0123, 0.0119, 0.0131, 0.012]):
        low, high = proposed(claim, values, unit="")
        assert low <= min(values) and max(values) <= high
        mean, factor = statistics.fmean(values), bounds._factor(5) * statistics.stdev(values)
        assert mean - 1.25 * factor <= low <= mean - factor
        assert mean + factor <= high <= mean + 1.25 * factor


def test_seeds_that_agree_leave_room_for_two_items_or_a_hundredth(claim):
    assert proposed(claim, [90.0] * 5, n=100) == (88, 92)
    assert proposed(claim, [90.0] * 5) == (89.1, 90.9)
    assert proposed(claim, [400.0] * 5, unit="steps") == (396, 404)


def test_bounds_keep_to_what_the_unit_can_hold(claim):
    assert proposed(claim, [0.0] * 5, n=48) == (0, 4.2)
    assert proposed(claim, [99.0, 100.0, 98.0, 100.0, 97.0], n=100)[1] == 100
    assert proposed(claim, [-99.0, -95.0, 60.0, 80.0, 99.0], unit="pp") == (-100, 100)
    assert proposed(claim, [1.0, 9.0, 2.0, 3.0, 1.0], unit="steps")[0] == 0
    assert proposed(claim, [1.0, 9.0, 2.0, 3.0, 1.0], unit="nats")[0] < 0


def test_a_timing_is_given_three_times_either_way(claim):
    values = [0.3, 0.5, 0.4, 0.4, 0.3]
    low, high = proposed(claim, values, unit="s", timing=True)
    assert 0.09 <= low <= 0.1 and 1.5 <= high <= 1.6


def test_what_is_exact_and_what_is_rounding_stays(claim):
    assert proposed(claim, [100.0] * 5, n=96, low=100, high=100) == (100, 100)
    assert proposed(claim, [1e-6, 2e-6, 0, 0, 0], unit="", low=None, high=1e-5) == (None, 1e-5)
    assert proposed(claim, [0.0] * 5, unit="nats", low=0, high=1e-6) == (0, 1e-6)


def test_four_seeds_and_a_claim_without_range_get_no_proposal(claim):
    assert proposed(claim, FIVE[:4]) is None
    assert proposed(claim, FIVE, low=None, high=None) is None


def test_how_far_todays_bound_lies_is_told(claim):
    far = bounds.propose(claim._replace(low=40, high=None), FIVE)
    assert far.times == pytest.approx((50 - 40) / (50 - 45.1))
    near = bounds.propose(claim._replace(low=49, high=55), FIVE)
    assert near.times == pytest.approx((50 - 49) / (50 - 45.1)), "the side that is further off"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"unit": "pp", "low": -3, "high": 9}, True),
        ({"unit": "pp", "low": -3, "high": None}, True),
        ({"unit": "pp", "low": None, "high": 9}, True),
        ({"unit": "nats", "low": 0.1, "high": None}, True),
        ({"unit": "nats", "low": -1, "high": None}, False),
        ({"unit": "%", "low": None, "high": 9}, False),
    ],
)
def test_a_range_that_holds_no_effect_is_seen(claim, changes, expected):
    values = [-1.0, 5.0, 2.0, 0.5, 1.0]  # mean 1.5, with zero well inside
    assert bounds.propose(claim._replace(**changes), values).no_effect is expected


# --- the command ----------------------------------------------------------------------------------


@pytest.fixture
def filled(clone, claim, monkeypatch):
    """Return the toy clone with a ledger and five values of the present code."""
    row = dict.fromkeys(COLUMNS, "x") | {"id": "toy_sum", "unit": "%", "low": 40, "high": 60}
    row |= {"verdict": "supported", "scope": '"here", they say ｜ 此处', "timing": ""}
    other = row | {"id": "other", "statement_zh": "不动", "low": "", "high": 7}
    with (clone / "data" / "claims.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows([row, other])
    path = clone / "data" / "claims.csv"
    toy = lambda: claim._replace(low=ledger(path)["toy_sum"].low, high=ledger(path)["toy_sum"].high)  # noqa: E731
    monkeypatch.setattr(bounds.report, "claims_of", lambda root, names=None: [toy()])
    values = {str(i): value for i, value in enumerate(FIVE)}
    found = seeds.Seeds({"toy_sum": values}, {"90_toy": dict.fromkeys(values, "now")}, {})
    seeds.keep(clone, found, ["toy_sum"])
    return clone


def test_old_and_new_are_shown_and_written_only_when_a_person_says_so(filled, capsys):
    path = filled / "data" / "claims.csv"
    before = path.read_bytes()
    assert main(["--root", str(filled), "bounds"]) == 0
    out = capsys.readouterr().out
    assert "rule: 95 % prediction interval" in out and "规则：" in out
    assert "→ toy_sum: 40 % … 60 % → 45.1 % … 54.9 % (×2)" in out and "add --write" in out
    assert path.read_bytes() == before
    assert main(["--root", str(filled), "bounds", "--write"]) == 0
    claims = ledger(path)
    assert (claims["toy_sum"].low, claims["toy_sum"].high) == (45.1, 54.9)
    assert (claims["other"].zh, claims["other"].low, claims["other"].high) == ("不动", None, 7)
    assert claims["toy_sum"].scope == ('"here", they say', "此处")
    capsys.readouterr()
    assert main(["--root", str(filled), "bounds"]) == 0
    assert "＝ toy_sum: 45.1 % … 54.9 %" in capsys.readouterr().out


def test_nothing_is_written_from_stale_values(filled, capsys):
    found = seeds.read(filled)
    found.code["90_toy"]["3"] = "then"
    seeds.keep(filled, found, ["toy_sum"])
    before = (filled / "data" / "claims.csv").read_text(encoding="utf-8").replace("\r\n", "\n")
    assert main(["--root", str(filled), "bounds", "--write"]) == 0
    assert "from stale values: not written" in capsys.readouterr().out
    assert (filled / "data" / "claims.csv").read_text(encoding="utf-8") == before


def test_a_verdict_that_the_range_would_not_bear_is_told(filled, claim, capsys, monkeypatch):
    gain = claim._replace(unit="pp", low=1, high=90)
    monkeypatch.setattr(bounds.report, "claims_of", lambda root, names=None: [gain])
    found = seeds.read(filled)
    found.values["toy_sum"] = dict(zip("01234", (3.0, 60.0, 5.0, 20.0, 8.0), strict=True))
    seeds.keep(filled, found, ["toy_sum"])
    main(["--root", str(filled), "bounds"])
    assert "the range holds zero, the verdict is supported; mean" in capsys.readouterr().out


def test_the_datasheet_states_the_rule():
    text = (root() / "data" / "README.md").read_text(encoding="utf-8")
    for number in (f"{100 * bounds.LEVEL:g} %", "python -m tools.ledger bounds"):
        assert text.count(number) >= 2, f"{number}: in both languages"
