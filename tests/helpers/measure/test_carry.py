"""Does it carry over: reading runs of a real model, and the table that shows them."""

import pytest

from helpers.base import CourseError
from helpers.measure import carry
from helpers.measure.ledger import ledger

PLAIN = {
    "r": 8,
    "alpha": 16,
    "targets": "all-linear",
    "replay": 0,
    "epochs": 3,
    "rows": 240,
    "shots": 0,
}


def made(method, lr, right, **fields):
    """Make up a run: `right` of its notices all right."""
    shape = PLAIN | ({"r": 0, "targets": ""} if method == "full" else {})
    return shape | {"method": method, "lr": lr, "all_open": right, "seed": 0} | fields


def test_the_best_rate_is_that_of_the_highest_mean():
    rows = [made("lora", 0.1, 0.9), made("lora", 0.1, 0.1), made("lora", 0.2, 0.6)]
    assert carry.best_rate(rows, method="lora") == 0.2
    assert carry.best_rate(rows, method="full") is None
    assert carry.at_best(rows, "all_open", method="lora") == [0.6]


def test_runs_with_other_settings_are_not_mixed_in():
    rows = [made("lora", 0.1, 0.5), made("lora", 0.1, 0.9, r=64), made("lora", 0.1, 0.9, replay=50)]
    assert carry.at_best(rows, "all_open", method="lora") == [0.5]
    assert carry.at_best(rows, "all_open", method="lora", replay=50) == [0.9]


def test_differences_are_in_points_and_take_each_at_its_best():
    rows = [made("lora", 0.1, 0.5), made("full", 0.01, 0.7), made("full", 0.1, 0.2)]
    assert carry.READ["lora_zoo_full"](rows) == pytest.approx([20])
    assert carry.READ["lora_rate_ratio"](rows) == pytest.approx([10])
    assert carry.READ["lora_zoo_full"](rows[:1]) == []


def test_ranks_are_compared_at_one_rate_that_both_were_tried_at():
    rows = [made("lora", 0.1, 0.5), made("lora", 0.3, 0.9), made("lora", 0.1, 0.2, r=1)]
    assert carry.READ["lora_rank_of_seeds"](rows) == pytest.approx([30])


def test_forgetting_and_replay_count_all_general_questions():
    rows = [
        made("none", 0.0, 0.0, general=0.75, r=0, targets="", epochs=0, rows=0),
        made("lora", 0.1, 0.8, general=0.25),
        made("lora", 0.1, 0.7, general=0.5, replay=50),
    ]
    assert carry.READ["sft_forgotten"](rows) == pytest.approx([-50])
    assert carry.READ["sft_replay"](rows) == pytest.approx([25])


def test_the_gentlest_settings_of_a_score_are_compared():
    rows = [
        made("lora", 0.1, 0.7, general=0.25),
        made("lora", 0.2, 0.5, general=0.75),
        made("full", 0.1, 0.8, general=0.5),
        made("full", 0.2, 0.8, general=0.125),
    ]
    assert carry.READ["lora_zoo_forgets"](rows) == pytest.approx([-25])
    assert carry.READ["lora_zoo_forgets"](rows[:2]) == []


@pytest.mark.parametrize("file", list(carry.FILES))
def test_every_claim_is_read_from_what_ships(file):
    rows = carry.runs(file)
    assert rows
    for name, read in carry.READ.items():
        assert name in ledger(), name
        assert all(isinstance(value, float) for value in read(rows)), name


def test_the_table_names_both_models_and_a_word_for_each_row():
    found = carry.carried()
    assert {item.id for item in found} <= carry.READ.keys()
    lines = carry.lines(found, {found[0].id: 12.0})
    assert len(lines) == len(found) + 2 and len({line.count(" | ") for line in lines[2:]}) == 1
    assert all(item.why[0] and item.why[1] for item in found)
    words = [word for word in carry.WORDS if any(f"**{word}**" in line for line in lines[2:])]
    assert "yes" in words and "no" in words


def test_a_notebook_sees_its_own_rows_alone():
    assert {ledger()[item.id].notebook for item in carry.carried("04_sft")} == {"04_sft"}


def test_a_row_that_cannot_be_read_is_named(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    text = "id,carries,why_en,why_zh\nsft_form_after,perhaps,a,b\n"
    (tmp_path / "data" / "carry.csv").write_text(text, encoding="utf-8")
    known = ledger()
    monkeypatch.setattr(carry, "root", lambda: tmp_path)
    monkeypatch.setattr(carry, "ledger", lambda: known)
    with pytest.raises(CourseError, match="perhaps"):
        carry.carried()
