"""The values of several seeds: kept, joined, measured; and the stale ones are named."""

import json
import os
from types import SimpleNamespace

import pytest

from helpers.base import CourseError
from helpers.measure.sweeps import ONE_SEED
from tools.ledger import measure, seeds
from tools.ledger.__main__ import ROOT, main
from tools.nbkit import report

FILE = "data/claims_seeds.json"


def run(clone, *args: str) -> int:
    """Run the command on the toy clone."""
    return main(["--root", str(clone), *args])


def lessons_give(monkeypatch, **more) -> list:
    """Let each run of the lesson record 4 + its seed; return the list of what it saw."""
    seen = []

    def run_one(path, out, profile, seed):
        seen.append((seed, os.environ.get(ONE_SEED)))
        row = {"id": "toy_sum", "value": 4.0 + seed, "n": 60, "profile": profile, "seed": seed}
        return SimpleNamespace(name="90_toy", ok=True, error="", claims=[row | more])

    monkeypatch.setattr(measure, "run_one", run_one)
    return seen


# --- the values of the course ---------------------------------------------------------------------

# Claims that are new, or whose lesson measures another thing now: their range is provisional, and
# the tables say so. `python -m tools.ledger seeds --stale` measures them; then this set is empty.
AWAITED: set[str] = set()


def test_every_claim_was_measured_with_seeds_and_keeps_to_its_range():
    values = seeds.read(ROOT).values
    assert values, f"{FILE} is of another model or other data: python -m tools.ledger seeds --stale"
    claims = report.claims_of(ROOT)
    assert seeds.awaited(ROOT, claims) == AWAITED
    for claim in claims:
        found = values.get(claim.id, {})
        outside = {seed: value for seed, value in found.items() if not claim.holds(value)}
        if claim.bounded and claim.id not in AWAITED:
            assert not outside, f"{claim.id}: {outside}, usual range {claim.usual()[0]}"


# --- the file -------------------------------------------------------------------------------------


def test_the_file_is_read_as_it_was_kept(clone):
    found = seeds.Seeds({"toy_sum": {"1": 4.0, "0": 5.0}, "gone": {"0": 1.0}}, {}, {"gone": 3})
    seeds.keep(clone, found, ["other", "toy_sum"])
    assert seeds.read(clone) == ({"toy_sum": {"0": 5.0, "1": 4.0}}, {}, {})
    assert list(seeds.read(clone).values["toy_sum"]) == ["0", "1"]


@pytest.mark.parametrize("text", ["[1]", "{", '{"base": "f00d", "profile": "tiny", "code": {}}'])
def test_what_is_no_such_file_is_named(clone, text):
    (clone / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(CourseError, match=r"claims_seeds.json: not a file of values.*不是按种子"):
        seeds.read(clone)


def test_values_of_another_profile_are_refused(clone, capsys):
    text = (clone / FILE).read_text(encoding="utf-8").replace('"tiny"', '"smoke"')
    (clone / "smoke.json").write_text(text, encoding="utf-8")
    assert run(clone, "merge", str(clone / "smoke.json")) == 1
    assert "values of the profile smoke: only those of tiny" in capsys.readouterr().err


def test_values_of_another_model_are_all_stale(clone, capsys, monkeypatch):
    monkeypatch.setattr(seeds, "fingerprint", lambda: "beef")
    assert seeds.read(clone) == ({}, {}, {})
    assert "all values are stale" in capsys.readouterr().out


# --- stale ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [{}, {"90_toy": {}}, {"90_toy": {"0": "then", "1": "now"}}])
def test_a_value_of_other_code_or_of_none_is_stale(clone, claim, code, capsys):
    found = seeds.Seeds({"toy_sum": {"0": 5.0}}, code, {})
    assert seeds.stale(found, [claim], {"90_toy": "now"}) == {"90_toy": {"0": ["toy_sum"]}}
    seeds.keep(clone, found, ["toy_sum"])
    for command in ("show", "seeds"):
        assert run(clone, command) == 0
        out = capsys.readouterr().out
        assert "90_toy: stale with seeds 0: toy_sum ｜ 种子 0 的数值已过期" in out
        assert "1 stale values; measure them anew: python -m tools.ledger seeds --stale" in out


def test_a_value_of_the_present_code_is_not_stale(clone, claim, capsys):
    assert seeds.stale(seeds.read(clone), [claim], {"90_toy": "now"}) == {}
    assert run(clone, "show") == 0
    assert "stale" not in capsys.readouterr().out


def test_what_is_stale_is_measured_anew_and_nothing_else(clone, monkeypatch, capsys):
    seen = lessons_give(monkeypatch)
    assert run(clone, "seeds", "--stale") == 0
    assert seen == [] and "no value is stale" in capsys.readouterr().out
    found = seeds.Seeds({"toy_sum": {"0": 5.0, "1": 9.0, "2": 9.0}}, {"90_toy": {"0": "now"}}, {})
    seeds.keep(clone, found, ["toy_sum"])
    assert run(clone, "seeds", "--stale") == 0
    assert [seed for seed, _ in seen] == [1, 2]
    assert seeds.read(clone).values == {"toy_sum": {"0": 5.0, "1": 5.0, "2": 6.0}}
    assert seeds.read(clone).code == {"90_toy": dict.fromkeys("012", "now")}


# --- measuring ------------------------------------------------------------------------------------


def test_each_seed_sees_its_own_recorded_runs_alone(clone, monkeypatch):
    monkeypatch.delenv(ONE_SEED, raising=False)
    seen = lessons_give(monkeypatch)
    assert run(clone, "seeds", "90", "--seeds", "1", "2") == 0
    assert seen == [(1, "1"), (2, "2")] and ONE_SEED not in os.environ
    assert seeds.read(clone) == (
        {"toy_sum": {"0": 5.0, "1": 5.0, "2": 6.0}},
        {"90_toy": dict.fromkeys("012", "now")},
        {"toy_sum": 60},
    )


@pytest.mark.parametrize("before", [None, "7"])
def test_the_environment_is_as_it_was_after_an_error(monkeypatch, before):
    monkeypatch.delenv(ONE_SEED, raising=False)
    if before is not None:
        monkeypatch.setenv(ONE_SEED, before)
    with pytest.raises(ZeroDivisionError), measure.one_seed("3"):
        assert os.environ[ONE_SEED] == "3"
        raise ZeroDivisionError
    assert os.environ.get(ONE_SEED) == before


@pytest.mark.parametrize("more", [{"profile": "smoke"}, {"profile": "t4"}, {"seed": 0}])
def test_values_of_another_profile_or_seed_are_never_kept(clone, monkeypatch, capsys, more):
    before = (clone / FILE).read_bytes()
    lessons_give(monkeypatch, **more)
    assert run(clone, "seeds", "--seeds", "1") == 1
    assert "nothing of this run is kept ｜" in capsys.readouterr().err
    assert (clone / FILE).read_bytes() == before


def test_a_failed_run_is_told_and_not_kept(clone, monkeypatch, capsys):
    before = (clone / FILE).read_bytes()
    failed = SimpleNamespace(name="90_toy", ok=False, error="cell 3: it broke", claims=[])
    monkeypatch.setattr(measure, "run_one", lambda *_, **__: failed)
    assert run(clone, "seeds", "--seeds", "1") == 1
    assert "❌ 90_toy: cell 3: it broke ｜ 种子 1 运行失败" in capsys.readouterr().err
    assert (clone / FILE).read_bytes() == before


def test_a_timing_measured_beside_other_work_is_left_out(clone, monkeypatch):
    lessons_give(monkeypatch, timing=True, alone=False)
    run(clone, "seeds", "--seeds", "0", "1")
    assert seeds.read(clone).values == {"toy_sum": {}}, "the old value of seed 0 is no longer true"
    lessons_give(monkeypatch, timing=True, alone=True)
    run(clone, "seeds", "--seeds", "1")
    assert seeds.read(clone).values == {"toy_sum": {"1": 5.0}}


def test_a_value_out_of_range_fails_the_command(clone, monkeypatch, capsys):
    lessons_give(monkeypatch)
    assert run(clone, "seeds", "--seeds", "3") == 1
    assert "❌ toy_sum: 5 % … 7 % (n = 2), 4 % … 6 %" in capsys.readouterr().out


# --- joining two clones ---------------------------------------------------------------------------


def other_clone(folder, code: dict, values: dict, base: str = "f00d") -> str:
    """Write what another clone measured; return the file's path."""
    told = {"base": base, "profile": "tiny", "code": {"90_toy": code}, "n": {"toy_sum": 40}}
    path = folder / "other.json"
    path.write_text(json.dumps(told | {"values": {"toy_sum": values}}), encoding="utf-8")
    return str(path)


def test_values_of_two_clones_are_joined(clone, capsys):
    assert run(clone, "merge", other_clone(clone, {"1": "now"}, {"1": 7.0})) == 1, "out of range"
    assert seeds.read(clone).values == {"toy_sum": {"0": 5.0, "1": 7.0}}
    assert seeds.read(clone).n == {"toy_sum": 50}
    assert "stale" not in capsys.readouterr().out
    run(clone, "merge", other_clone(clone, {"2": "now"}, {"2": 5.0}, base="beef"))
    assert "2" not in seeds.read(clone).values["toy_sum"]


@pytest.mark.parametrize("code", [{}, {"0": "then"}, {"0": "now"}])
def test_a_copy_in_another_clone_does_not_undo_what_was_measured_here(clone, code):
    values = {"0": 9.0, "1": 6.0}  # seed 0 as it was when it was copied
    assert run(clone, "merge", other_clone(clone, {"1": "now"} | code, values)) == 0
    assert seeds.read(clone).values == {"toy_sum": {"0": 5.0, "1": 6.0}}
    assert seeds.read(clone).code == {"90_toy": {"0": "now", "1": "now"}}


def test_a_value_of_the_present_code_replaces_an_older_one(clone):
    old = seeds.Seeds({"toy_sum": {"0": 5.0}}, {"90_toy": {"0": "then"}}, {})
    seeds.keep(clone, old, ["toy_sum"])
    assert run(clone, "merge", other_clone(clone, {"0": "now"}, {"0": 4.5})) == 0
    assert seeds.read(clone).values == {"toy_sum": {"0": 4.5}}
    assert seeds.read(clone).code == {"90_toy": {"0": "now"}}


def test_a_missing_file_is_named(clone, capsys):
    assert run(clone, "merge", str(clone / "nowhere.json")) == 1
    assert "nowhere.json: no such file ｜ 没有这个文件" in capsys.readouterr().err
